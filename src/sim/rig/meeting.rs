//! The two halves of every protocol, each written from the documents alone, meet on virtual time.

mod commanded;
mod hitachi;

use super::*;
use crate::config::Config;
use crate::sim::example::with_messages_selected;
use crate::vocab::plan::PointKind;
use crate::vocab::report::{Field, Frame};
use crate::vocab::{CodeRef, Order, PackNo, Report};
use crate::wire::{self, Action, Conversation};
use std::path::Path;

mod labels;

const LINE: &str = include_str!("../../../tests/data/line.toml");
const SECOND: u64 = 1_000 * MS;

/// One device and our conversation with it; bytes take no time, a lost link is opened again after 50 ms.
struct Meeting {
    plan: Plan,
    rig: Rig,
    device: DeviceNo,
    host: Box<dyn Conversation>,
    now_us: u64,
    link: Link,
    up: bool,
    reopen_us: Option<u64>,
    told: Vec<Report>,
    sent: Vec<Vec<u8>>,
}

impl Meeting {
    fn new(text: &str, id: &str, seed: u64) -> Self {
        let profiles = Profiles::load(None).unwrap();
        let bind = |name: &str, s: &_| profiles.bind(name, s).map(|b| b.traits());
        let config =
            Config::parse(Path::new("line.toml"), &with_messages_selected(text, &profiles), &bind).unwrap_or_else(|e| panic!("{e:?}"));
        let plan = config.plan;
        let d = plan.devices.iter().find(|d| d.id == id).unwrap();
        let host = wire::converse(&profiles.bind(&d.profile, &d.settings).unwrap(), &plan, d.no);
        let (device, rig) = (d.no, Rig::new(&plan, &profiles, seed).unwrap());
        Self { plan, rig, device, host, now_us: 1, link: Link::FIRST, up: false, reopen_us: Some(1), told: Vec::new(), sent: Vec::new() }
    }

    /// Lets `us` pass.
    fn pass(&mut self, us: u64) {
        let end = self.now_us + us;
        loop {
            self.pump();
            let next = [self.host.deadline(), self.rig.deadline(), self.reopen_us].into_iter().flatten().min().unwrap_or(end);
            self.now_us = next.clamp(self.now_us, end);
            self.rig.due(self.now_us);
            if self.reopen_us.is_some_and(|t| t <= self.now_us) {
                self.reopen();
            }
            if self.host.deadline().is_some_and(|t| t <= self.now_us) {
                self.host.due(self.now_us);
            }
            self.pump();
            if next >= end {
                return;
            }
        }
    }

    fn reopen(&mut self) {
        if !self.rig.accepts(self.device, self.now_us) {
            self.reopen_us = Some(self.now_us + 50 * MS);
            return;
        }
        self.reopen_us = None;
        self.up = true;
        self.link = Link(self.link.0 + 1);
        self.rig.connected(self.device, self.link, self.now_us);
        self.host.opened(self.now_us);
    }

    fn closed(&mut self) {
        self.up = false;
        self.rig.disconnected(self.device, self.link, self.now_us);
        self.host.closed(self.now_us, "closed");
        self.reopen_us = Some(self.now_us + 50 * MS);
    }

    fn pump(&mut self) {
        for _ in 0..10_000 {
            if let Some(action) = self.host.poll() {
                match action {
                    Action::Send(bytes) | Action::Command(bytes) => {
                        self.rig.received(self.device, self.link, &bytes, self.now_us);
                        self.sent.push(bytes);
                    }
                    Action::Tell(report) => self.told.push(report),
                    Action::HangUp { .. } if self.up => self.closed(),
                    Action::HangUp { .. } => {}
                }
            } else if let Some((link, emission)) = self.rig.poll(self.device) {
                match emission {
                    _ if !self.up || link != self.link => {}
                    Emission::Send(bytes) => self.host.received(&bytes, self.now_us),
                    Emission::HangUp => self.closed(),
                }
            } else {
                return;
            }
        }
        panic!("never quiet: {:?}", self.told.last());
    }

    fn order(&mut self, order: Order) {
        self.host.ordered(order, self.now_us);
        self.pump();
    }

    fn told(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.told)
    }
}

fn arm(message: Option<&str>) -> Order {
    Order::Arm { message: message.map(String::from), fields: Vec::new() }
}

fn code(n: u32) -> (CodeRef, Vec<u8>) {
    (CodeRef::new(PackNo(1), n), format!("https://q.example/A/{n:06}").into_bytes())
}

/// The line, with something else in its text.
fn with(from: &str, to: &str) -> String {
    assert!(LINE.contains(from), "{from}");
    LINE.replace(from, to)
}

#[test]
fn codenet_prints_every_code_once_and_in_order() {
    let settings = "settings = { depth = 8, ack_char = \"A\" }";
    for (depth, how) in [
        (8, settings),
        (8, "settings = { depth = 8, ack_char = \"Q\", response_length = \"fixed\" }"),
        (1, "settings = { depth = 1, ack_char = \"A\" }"),
        (1, "settings = {}"),
        (4, "settings = { depth = 4 }"),
    ] {
        for address in ["tcp://127.0.0.1:17000", "serial://ijp1.tty?baud=9600"] {
            let text = with(settings, how).replace("tcp://127.0.0.1:17000", address);
            let mut m = Meeting::new(&text, "ijp1", 7);
            m.pass(SECOND);
            assert!(m.told().iter().any(|r| matches!(r, Report::Up { identity: Some(_) })), "{how}");
            m.order(arm(Some("BOTTLE")));
            m.pass(3 * SECOND);
            assert!(m.told().contains(&Report::Ready { cleared: true }), "{how} {address}");
            for n in 0..depth + 2 {
                let (code, bytes) = code(n);
                m.order(Order::Print { code, bytes });
            }
            let (mut next, mut taken, mut printed) = (depth + 2, 0, 0);
            for n in 0..40 {
                m.pass(150 * MS);
                assert_eq!(m.rig.print(m.device, m.now_us), Some(code(n).1), "{how} {address}");
                let (code, bytes) = code(next);
                next += 1;
                m.order(Order::Print { code, bytes });
                m.pass(150 * MS);
                for r in m.told() {
                    match r {
                        Report::Taken { code: c } => {
                            assert_eq!(c, self::code(taken).0);
                            taken += 1;
                        }
                        Report::Printed { count } => printed += count,
                        other => panic!("{how}: {other:?}"),
                    }
                }
            }
            assert_eq!(taken, 40 + depth, "{how}");
            // Without a print byte a print is known by the acceptance of the next code.
            assert!((40 - depth..=40).contains(&printed), "{how}: {printed}");
        }
    }
}

#[test]
fn codenet_in_trouble_never_inks_twice_and_comes_back() {
    const TROUBLES: [Trouble; 11] = [
        Trouble::LinkLoss { ms: 300 },
        Trouble::PowerCycle { ms: 900 },
        Trouble::DropBuffer,
        Trouble::Silence,
        Trouble::Refuse,
        Trouble::DoubleAck,
        Trouble::LateAck { ms: 400 },
        Trouble::Split { ms: 30 },
        Trouble::Glue,
        Trouble::Fault { ms: 700 },
        Trouble::StaleFrame { ms: 10 },
    ];
    for seed in 0..60 {
        let how = if seed % 2 == 0 { "depth = 8, ack_char = \"A\"" } else { "depth = 1" };
        let text = with("depth = 8, ack_char = \"A\"", how);
        let mut m = Meeting::new(&text, "ijp1", seed);
        let mut rng = Rng::new(seed);
        m.order(arm(Some("BOTTLE")));
        m.pass(3 * SECOND);
        let (mut next, mut inked, mut asked) = (0, BTreeSet::new(), 0);
        for round in 0..200 {
            if round < 150 && rng.chance(120_000) {
                let what = TROUBLES[rng.below(TROUBLES.len() as u64) as usize];
                m.rig.trouble(m.device, what, m.now_us);
            }
            for r in m.told() {
                asked = match r {
                    Report::Taken { .. } => asked,
                    Report::Ready { .. } | Report::Down { .. } | Report::OutOfStep { .. } | Report::Cleared => 0,
                    Report::Printed { count } => u32::saturating_sub(asked, count),
                    _ => asked,
                };
            }
            if asked < 4 {
                let (code, bytes) = code(next);
                next += 1;
                asked += 1;
                m.order(Order::Print { code, bytes });
            }
            m.pass(80 * MS + rng.below(80 * MS));
            if let Some(b) = m.rig.print(m.device, m.now_us) {
                assert!(inked.insert(b.clone()), "seed {seed}: {} twice", String::from_utf8_lossy(&b));
            }
        }
        let before = inked.len();
        m.told();
        m.order(Order::Clear);
        m.pass(5 * SECOND);
        m.order(arm(Some("BOTTLE")));
        m.pass(5 * SECOND);
        for n in 0..5 {
            let (code, bytes) = code(100_000 + n);
            m.order(Order::Print { code, bytes });
            m.pass(500 * MS);
            inked.extend(m.rig.print(m.device, m.now_us));
        }
        assert!(inked.len() >= before + 4, "seed {seed} comes back: {:?}", m.told());
    }
}

#[test]
fn frames_are_what_was_seen() {
    for (id, settings) in [
        ("cam1", "settings = { no_read = \"ERROR\" }"),
        ("cam1", "settings = { no_read = \"ERROR\", framing = \"stx-etx\" }"),
        ("cam1", "settings = { no_read = \"NoRead\", separator = \"|\", positional = true }"),
        ("hand1", ""),
    ] {
        let text = if settings.is_empty() { LINE.to_string() } else { with("settings = { no_read = \"ERROR\" }", settings) };
        let mut m = Meeting::new(&text, id, 4);
        m.pass(SECOND);
        m.told();
        let url = b"https://q.example/A/1\x1dx".to_vec();
        for (seen, trouble) in [
            (vec![Some(url.clone())], None),
            (vec![Some(url.clone())], Some(Trouble::Split { ms: 10 })),
            (vec![Some(b"069012340000000016".to_vec())], None),
        ] {
            if let Some(t) = trouble {
                m.rig.trouble(m.device, t, m.now_us);
            }
            m.rig.read(m.device, &seen, m.now_us);
            m.pass(100 * MS);
            let want = m.rig.symbol(seen[0].as_ref().unwrap());
            assert_eq!(m.told(), [Report::Frame(Frame::Data(vec![Field::Code(want)]))], "{id} {settings}");
        }
        if id == "cam1" {
            m.rig.read(m.device, &[None], m.now_us);
            m.pass(100 * MS);
            assert_eq!(m.told(), [Report::Frame(Frame::NoRead)], "{settings}");
            m.rig.read(m.device, &[Some(b"A".to_vec()), None, Some(b"B".to_vec())], m.now_us);
            m.pass(100 * MS);
            let field = |s: &str| Field::Code(s.into());
            assert_eq!(m.told(), [Report::Frame(Frame::Data(vec![field("A"), Field::NoRead, field("B")]))], "{settings}");
        }
    }
}

#[test]
fn a_module_is_polled_written_and_comes_out_of_its_safe_state() {
    const TCP: &str = "address = \"tcp://127.0.0.1:15020\"\n";
    let serial = |profile: &str, rest: &str| format!("profile = \"{profile}\"\naddress = \"serial://io1.tty?baud={rest}\n");
    let tcp = |profile: &str, settings: &str| format!("profile = \"{profile}\"\n{TCP}{settings}\n");
    for settings in [
        tcp("modbus-io", ""),
        tcp("modbus-io", "settings = { base = 16, unit = 3 }"),
        tcp("modbus-io", "settings = { safe_state_base = 4112, safe_clear_base = 4128 }"),
        tcp("modbus-io", "settings = { base = 1, input_base = 7, output_base = 64, counter_base = 9, word_order = \"low-first\" }"),
        tcp("moxa-iologik-e1200", "settings = { safe_state_base = 4112, safe_state_kind = \"input\", safe_clear_base = 4128 }"),
        tcp("modbus-rtu-io", "settings = { unit = 4 }"),
        serial("modbus-rtu-io", "115200\""),
        serial("modbus-rtu-io", "38400&parity=e\"\nsettings = { unit = 247, safe_state_base = 4112, safe_clear_base = 4128 }"),
    ] {
        let text = with(tcp("modbus-io", "").trim_end(), settings.trim_end());
        let mut m = Meeting::new(&text, "io1", 5);
        m.pass(SECOND);
        let permit = m.plan.run_permit.unwrap().output;
        m.order(Order::Output { number: permit.number, on: true });
        m.pass(100 * MS);
        assert!(m.rig.output(permit), "{settings}");
        let eye = Point { device: m.device, kind: PointKind::Input, number: 1 };
        for _ in 0..3 {
            m.rig.input(eye, true, m.now_us);
            m.pass(50 * MS);
            m.rig.input(eye, false, m.now_us);
            m.pass(50 * MS);
        }
        let polls: Vec<_> = m.told().into_iter().filter_map(|r| if let Report::Polled(p) = r { Some(p) } else { None }).collect();
        assert!(polls.len() >= 20, "{}", polls.len());
        assert!(polls.last().unwrap().counters.contains(&(1, 3)), "{settings}: {:?}", polls.last());
        m.rig.trouble(m.device, Trouble::LinkLoss { ms: 1_000 }, m.now_us);
        m.pass(900 * MS);
        assert!(m.rig.safe(m.device) && !m.rig.output(permit), "{settings}");
        m.pass(SECOND);
        m.order(Order::Output { number: permit.number, on: true });
        m.pass(200 * MS);
        m.order(Order::Output { number: permit.number, on: true });
        m.pass(200 * MS);
        assert!(!m.rig.safe(m.device) && m.rig.output(permit), "{settings}");
        for t in [Trouble::Silence, Trouble::Split { ms: 20 }, Trouble::Glue, Trouble::LateAck { ms: 400 }, Trouble::PowerCycle { ms: 200 }]
        {
            m.rig.trouble(m.device, t, m.now_us);
            m.pass(2 * SECOND);
            m.told();
            m.pass(200 * MS);
            assert!(m.told().iter().any(|r| matches!(r, Report::Polled(_))), "{settings}: polls go on after {t:?}");
        }
    }
}

#[test]
fn a_second_master_of_a_module_is_noticed_and_a_guest_that_reads_is_not() {
    for serial in [false, true] {
        let module = "profile = \"modbus-io\"\naddress = \"tcp://127.0.0.1:15020\"";
        let rtu = "profile = \"modbus-rtu-io\"\naddress = \"serial://io1.tty?baud=115200\"";
        let text = if serial { with(module, rtu) } else { LINE.to_string() };
        let mut m = Meeting::new(&text, "io1", 5);
        m.pass(SECOND);
        let permit = m.plan.run_permit.unwrap().output.number;
        let beat = |m: &mut Meeting, times: u32| {
            for _ in 0..times {
                m.order(Order::Output { number: permit, on: true });
                m.order(Order::Output { number: 0, on: false });
                m.pass(100 * MS);
            }
        };
        let overwritten = |m: &mut Meeting| m.told().into_iter().filter(|r| matches!(r, Report::Overwritten { .. })).collect::<Vec<_>>();
        beat(&mut m, 20);
        let guest = Link(900);
        m.rig.connected(m.device, guest, m.now_us);
        let says = |m: &mut Meeting, function: u8, value: u8| {
            let pdu = [1, function, 0, permit as u8, 0, value];
            let bytes = if serial { [&pdu[..], &crc(&pdu)].concat() } else { [&[0, 7, 0, 0, 0, 6][..], &pdu].concat() };
            m.rig.received(m.device, guest, &bytes, m.now_us);
        };
        says(&mut m, 1, 1);
        beat(&mut m, 5);
        assert_eq!(overwritten(&mut m), []);
        says(&mut m, 5, 0);
        beat(&mut m, 3);
        assert_eq!(overwritten(&mut m), [Report::Overwritten { number: permit, on: false }], "serial: {serial}");
        assert!(m.rig.output(m.plan.run_permit.unwrap().output), "it is written again as it was wanted");
    }
}

/// Polynomial 0xA001 (Modbus over serial line 1.02, annex B).
fn crc(bytes: &[u8]) -> [u8; 2] {
    let step = |s: u16, _| if s & 1 == 1 { s >> 1 ^ 0xa001 } else { s >> 1 };
    bytes.iter().fold(0xffff_u16, |sum, b| (0..8).fold(sum ^ u16::from(*b), step)).to_le_bytes()
}

#[test]
fn a_module_times_its_pulses_itself() {
    let address = "profile = \"modbus-io\"\naddress = \"tcp://127.0.0.1:15020\"";
    let text = LINE.replace(address, &address.replace("modbus-io", "moxa-iologik-e1200"));
    let text = text.replace("output = \"io1:out.0\"", "output = \"io1:pulse.0\"");
    let mut m = Meeting::new(&text, "io1", 5);
    m.pass(SECOND);
    let gate = m.plan.stations.iter().find_map(|s| s.gate).unwrap();
    assert_eq!((gate.output.kind, gate.pulse_ms), (PointKind::Pulse, 60));
    m.order(Order::set(gate.output, true));
    m.pass(40 * MS);
    assert!(m.rig.output(gate.output), "it is energised");
    m.pass(40 * MS);
    assert!(!m.rig.output(gate.output), "and falls again without a word");
    m.order(Order::set(gate.output, true));
    m.pass(20 * MS);
    m.order(Order::set(gate.output, false));
    m.pass(20 * MS);
    assert!(!m.rig.output(gate.output), "or at one, before its time");
}
