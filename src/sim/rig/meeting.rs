//! The two halves of every protocol, each written from the documents alone, meet on virtual time.

use super::*;
use crate::config::Config;
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
        let config = Config::parse(Path::new("line.toml"), text, &bind).unwrap_or_else(|e| panic!("{e:?}"));
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
    for settings in ["", "settings = { base = 16, unit = 3 }\n", "settings = { safe_state_base = 4112, safe_clear_base = 4128 }\n"] {
        let text = with("address = \"tcp://127.0.0.1:15020\"\n", &format!("address = \"tcp://127.0.0.1:15020\"\n{settings}"));
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

/// The line with another item printer.
fn printed_by(profile: &str, settings: &str) -> String {
    with("profile = \"domino-codenet\"", &format!("profile = \"{profile}\""))
        .replace("settings = { depth = 8, ack_char = \"A\" }", &format!("settings = {settings}"))
}

const COMMANDED: [(&str, &str, u32); 4] =
    [("videojet-wsi", "{}", 1), ("videojet-zipher", "{ depth = 4 }", 4), ("videojet-zipher", "{}", 1), ("bestcode-one-to-one", "{}", 4)];

#[test]
fn commanded_printers_print_every_code_once_and_in_order() {
    for (profile, settings, depth) in COMMANDED {
        let mut m = Meeting::new(&printed_by(profile, settings), "ijp1", 7);
        m.order(arm(Some("BOTTLE")));
        m.pass(3 * SECOND);
        let told = m.told();
        assert!(told.iter().any(|r| matches!(r, Report::Ready { .. })), "{profile}: {told:?}");
        for n in 0..depth + 2 {
            let (code, bytes) = code(n);
            m.order(Order::Print { code, bytes });
        }
        let (mut next, mut taken, mut printed) = (depth + 2, 0, 0);
        for n in 0..40 {
            m.pass(100 * MS);
            assert_eq!(m.rig.print(m.device, m.now_us), Some(code(n).1), "{profile} {settings}");
            let (code, bytes) = code(next);
            next += 1;
            m.order(Order::Print { code, bytes });
            m.pass(100 * MS);
            for r in m.told() {
                match r {
                    Report::Taken { code: c } => {
                        assert_eq!(c, self::code(taken).0, "{profile}");
                        taken += 1;
                    }
                    Report::Printed { count } => printed += count,
                    other => panic!("{profile}: {other:?}"),
                }
            }
        }
        assert_eq!((taken, printed), (40 + depth, 40), "{profile}");
    }
}

/// A print told twice is the line's to notice (`Line::printed`): things cannot follow so closely.
///
/// Lost links, silences, late and torn answers: no code leaves twice, none is told as printed that was not inked, and the
/// printer comes back.
#[test]
fn commanded_printers_in_trouble_are_sent_no_code_twice_and_come_back() {
    const TROUBLES: [Trouble; 8] = [
        Trouble::LinkLoss { ms: 300 },
        Trouble::PowerCycle { ms: 900 },
        Trouble::Silence,
        Trouble::Refuse,
        Trouble::LateAck { ms: 400 },
        Trouble::Split { ms: 30 },
        Trouble::Glue,
        Trouble::Fault { ms: 700 },
    ];
    for seed in 0..80 {
        let (profile, settings, _) = COMMANDED[seed as usize % 4];
        let mut m = Meeting::new(&printed_by(profile, settings), "ijp1", seed);
        let mut rng = Rng::new(seed);
        m.order(arm(Some("BOTTLE")));
        m.pass(3 * SECOND);
        let (mut next, mut window, mut inked, mut back) = (0u32, VecDeque::new(), BTreeSet::new(), 0);
        // Its last code again, with its event on the way while a new code is taken: nobody can tell the two apart.
        let (mut repeated, mut happened) = (0, Vec::new());
        for round in 0..300 {
            if round < 200 && rng.chance(100_000) {
                let what = TROUBLES[rng.below(8) as usize];
                m.rig.trouble(m.device, what, m.now_us);
                happened.push((round, what));
            }
            for r in m.told() {
                match r {
                    Report::Taken { code } => window.push_back(code),
                    Report::Ready { .. } | Report::Down { .. } | Report::OutOfStep { .. } | Report::Cleared => window.clear(),
                    Report::Printed { count } => {
                        for _ in 0..count {
                            let c: CodeRef = window.pop_front().expect("no more prints than codes taken");
                            let again = repeated > 0 && round - repeated < 4;
                            let late = || happened.iter().rev().take(3).collect::<Vec<_>>();
                            assert!(
                                again || inked.contains(&code(c.ordinal).1),
                                "{profile} seed {seed}: round {round}: {c:?} was not inked ({repeated}, {:?})",
                                late()
                            );
                            back += u32::from(round > 250);
                        }
                    }
                    _ => {}
                }
            }
            if window.len() < 3 {
                let (code, bytes) = code(next);
                next += 1;
                m.order(Order::Print { code, bytes });
            }
            m.pass(80 * MS + rng.below(80 * MS));
            if let Some(code) = m.rig.print(m.device, m.now_us)
                && !inked.insert(code)
            {
                repeated = round;
            }
        }
        for n in 0..next {
            let bytes = code(n).1;
            let times = m.sent.iter().filter(|s| s.windows(bytes.len()).any(|w| w == bytes)).count();
            assert!(times <= 1, "{profile} seed {seed}: code {n} was sent {times} times");
        }
        let unanchored = profile == "bestcode-one-to-one";
        assert!(back > 5 || (unanchored && inked.contains(&code(next - 10).1)), "{profile} seed {seed} comes back: {back}");
    }
}

#[test]
fn a_printer_that_repeats_its_last_code_needs_a_verifying_reader() {
    let profiles = Profiles::load(None).unwrap();
    let bind = |name: &str, s: &_| profiles.bind(name, s).map(|b| b.traits());
    let complaints = |text: &str| Config::parse(Path::new("line.toml"), text, &bind).map_or_else(|e| e, |_| Vec::new());
    let text = printed_by("videojet-wsi", "{}");
    assert!(complaints(&text).is_empty());
    let blind = text.replace("role = \"verify\"\nlevel = \"bottle\"", "role = \"rework\"\nlevel = \"bottle\"");
    assert!(complaints(&blind).iter().any(|c| c.what.contains("last code again")), "{:?}", complaints(&blind));
}
