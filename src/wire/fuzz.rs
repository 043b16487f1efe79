//! Every conversation and framer against mutated, split and senseless bytes, mixed with orders, silences and lost links:
//! no panic, bounded buffers, no code told or sent that was not ordered, none sent twice without a refusal.
//!
//! Here are printers and modules as they may be set; every shipped profile, as it comes, is in `every.rs` and
//! `reader/fuzz.rs`.

mod every;
mod texts;

use super::framer::{Codenet as Units, LONGEST_ECHO};
use super::transcript::{Step, Transcript, code};
use super::{Action, Conversation, Place, Points, converse_at};
use crate::profile::{Bound, Dialect, Profiles};
use crate::sim::emul::{DeviceSide, Emission, HitachiHow, LabelPrinter, Link};
use crate::vocab::plan::Setting;
use crate::vocab::rng::Rng;
use crate::vocab::{Order, Report};
use std::collections::{BTreeMap, BTreeSet};

/// Chunks per conversation.
const CHUNKS: u32 = 200_000;

/// Bytes that a profile hears: as many as are asked for, for a long run.
pub(super) fn bytes_wanted(usual: usize) -> usize {
    std::env::var("PACKMARK_FUZZ_BYTES").map_or(usual, |n| n.parse().expect("PACKMARK_FUZZ_BYTES is a number"))
}

/// Begins every code that is ordered; long enough for no other request to hold it.
const MARK: &[u8] = b"#code-";

/// Device bytes of the shipped transcripts of a profile: what to mutate.
fn phrases(profile: &str) -> Vec<Vec<u8>> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-profiles/transcripts");
    let mut all = Vec::new();
    for e in std::fs::read_dir(dir).unwrap() {
        let Ok(t) = Transcript::parse(&std::fs::read_to_string(e.unwrap().path()).unwrap()) else { continue };
        if t.profile == profile {
            all.extend(t.steps.into_iter().filter_map(|(_, s)| if let Step::Device(b) = s { Some(b) } else { None }));
        }
    }
    all.sort();
    assert!(!all.is_empty(), "{profile} has a transcript");
    all
}

/// A plausible answer to what was sent last.
fn answer(sent: &[u8], rng: &mut Rng) -> Vec<u8> {
    match sent {
        [0x1b, b'A', b'?', 4] => b"\x1bA01560670600\x04".to_vec(),
        [0x1b, b'O', b'1', b'?', 4] => if rng.chance(20_000) { b"\x1bO101104\x04" } else { b"\x1bO100100\x04" }.to_vec(),
        [0x1b, b'Q', b'1', b'?', 4] => b"\x1bQ1Y\x04".to_vec(),
        [0x1b, ..] => match rng.below(10) {
            0 | 1 => b"\x15000".to_vec(),
            2 => b"\x06A".to_vec(),
            3 => b"A\x06".to_vec(),
            4 if rng.chance(50_000) => b"\x15027".to_vec(),
            _ => b"\x06".to_vec(),
        },
        [t0, t1, 0, 0, 0, 6, unit, function, a, b, c, d] => {
            let answer = pdu([*function, *a, *b, *c, *d], rng);
            let length = (answer.len() + 1) as u16;
            [&[*t0, *t1, 0, 0][..], &length.to_be_bytes(), &[*unit], &answer].concat()
        }
        [unit, function @ (1..=5), a, b, c, d, _, _] => {
            let body = [&[*unit][..], &pdu([*function, *a, *b, *c, *d], rng)].concat();
            let crc = crc::Crc::<u16>::new(&crc::CRC_16_MODBUS).checksum(&body).to_le_bytes();
            [body, crc.to_vec()].concat()
        }
        _ => Vec::new(),
    }
}

/// A Modbus module's answer, by the request's function, address and value.
fn pdu([function, a, b, c, d]: [u8; 5], rng: &mut Rng) -> Vec<u8> {
    let data: Vec<u8> = match function {
        5 => vec![a, b, c, d],
        4 => {
            let n = usize::from(d) * 2;
            std::iter::once(n as u8).chain((0..n).map(|_| rng.below(256) as u8)).collect()
        }
        _ => {
            let n = (usize::from(c) * 256 + usize::from(d)).div_ceil(8);
            std::iter::once(n as u8).chain((0..n).map(|_| rng.below(256) as u8)).collect()
        }
    };
    [&[function][..], &data].concat()
}

/// The simulated printer of a profile, answering at once and printing whenever it was not asked so often.
struct Simulated {
    printer: Printer,
    every: u32,
    quiet: u32,
    /// Requests and looks so far.
    heard: u32,
    /// A thing without a code stops it.
    faults_on_empty: bool,
}

enum Printer {
    Commands(Box<crate::sim::emul::Commands>),
    Hitachi(Box<crate::sim::emul::Hitachi>),
}

impl Simulated {
    fn of(bound: &Bound, seed: u64) -> Option<Self> {
        let rng = Rng::new(seed);
        let (printer, every) = match (&bound.profile.talk, bound.profile.dialect) {
            (Some(t), _) if t.label.is_some() => return None,
            (Some(t), _) => (Printer::Commands(Box::new(crate::sim::emul::Commands::new(bound, Vec::new(), rng))), 1 + t.poll.rest_ms),
            (None, Dialect::HitachiModbus) => {
                let how = HitachiHow { unit: 1, items: 1, low_first: false };
                (Printer::Hitachi(Box::new(crate::sim::emul::Hitachi::new(how, rng))), 50)
            }
            _ => return None,
        };
        let faults_on_empty = bound.profile.buffer.as_ref().is_some_and(|b| b.on_empty == crate::profile::OnEmpty::Fault);
        let mut s = Self { printer, every, quiet: 0, heard: 0, faults_on_empty };
        s.side().connected(Link::FIRST, 0);
        Some(s)
    }

    fn side(&mut self) -> &mut dyn DeviceSide {
        match &mut self.printer {
            Printer::Commands(p) => &mut **p,
            Printer::Hitachi(p) => &mut **p,
        }
    }

    fn answer(&mut self, sent: &[u8], now_us: u64) -> Vec<u8> {
        self.quiet += u32::from(sent.is_empty());
        // Seldom a thing for which there is no code, where that would be the end.
        self.heard += 1;
        if sent.is_empty() && self.quiet.is_multiple_of(self.every) {
            let seldom = self.heard.is_multiple_of(997);
            match &mut self.printer {
                Printer::Commands(p) if !self.faults_on_empty || p.fill() > 0 || seldom => drop(p.print(now_us)),
                Printer::Commands(_) => {}
                Printer::Hitachi(p) => drop(p.print(now_us)),
            }
        }
        let side = self.side();
        side.received(Link::FIRST, sent, now_us);
        side.due(now_us + 20_000);
        let said = std::iter::from_fn(|| side.poll());
        said.flat_map(|(_, e)| if let Emission::Send(b) = e { b } else { Vec::new() }).collect()
    }
}

/// The simulated label printer of a profile, answering at once, with a label out after a while.
struct Labelled(LabelPrinter);

impl Labelled {
    fn of(bound: &crate::profile::Bound, seed: u64) -> Option<Self> {
        if bound.profile.dialect != crate::profile::Dialect::Label {
            return None;
        }
        let mut p = LabelPrinter::new(bound, Vec::new(), Rng::new(seed));
        p.connected(Link::FIRST, 0);
        Some(Self(p))
    }

    /// A code stands for its label: what its language makes of it is looked at elsewhere.
    fn answer(&mut self, sent: &[u8], label: &[u8], now_us: u64) -> Vec<u8> {
        let sent = if sent.starts_with(MARK) { label } else { sent };
        self.0.received(Link::FIRST, sent, now_us);
        self.0.due(now_us + 20_000);
        while self.0.take_label(now_us).is_some() {}
        let said = std::iter::from_fn(|| self.0.poll());
        said.flat_map(|(_, e)| if let Emission::Send(b) = e { b } else { Vec::new() }).collect()
    }
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..1 + rng.below(3) {
        let i = rng.below(bytes.len() as u64 + 1) as usize;
        match rng.below(5) {
            0 if i < bytes.len() => bytes[i] ^= 1 << rng.below(8),
            1 if i < bytes.len() => drop(bytes.remove(i)),
            2 => bytes.insert(i, [0x02, 0x03, 0x04, 0x06, 0x15, 0x1b, b'A', b'0', 0, 0xff][rng.below(10) as usize]),
            3 => bytes.truncate(i),
            _ => {
                let again = bytes[i..].to_vec();
                bytes.extend(again);
            }
        }
    }
    bytes.truncate(600);
}

/// What may be known of a conversation from outside.
#[derive(Default)]
struct Watch {
    ordered: u32,
    taken: BTreeSet<u32>,
    /// Printed, where the printer says which.
    named: BTreeSet<u32>,
    printed: u64,
    /// Of each code sent: how many refusals had come by then.
    sent_at: BTreeMap<u32, u64>,
    refusals: u64,
    /// Codes sent again.
    again: u32,
    last_sent: Vec<u8>,
    /// All that was sent since the last answer is heard, not the last of it.
    gathers: bool,
    /// Sent and not heard yet by a label printer, which hears a label and a question at once.
    unheard: Vec<Vec<u8>>,
    hung_up: bool,
    up: bool,
    ups: u32,
    frames: u32,
    polls: u32,
}

impl Watch {
    fn drain(&mut self, host: &mut dyn Conversation) {
        let mut actions = 0;
        while let Some(a) = host.poll() {
            actions += 1;
            assert!(actions < 10_000, "what is to be done at once is bounded");
            match a {
                Action::Send(bytes) | Action::Command(bytes) => {
                    assert!(!self.hung_up, "nothing is sent after a hang-up");
                    self.sent(&bytes);
                    self.unheard.push(bytes.clone());
                    self.unheard.truncate(64);
                    // What is not answered is followed at once by the next.
                    if !self.gathers {
                        self.last_sent.clear();
                    }
                    self.last_sent.extend(bytes);
                }
                Action::HangUp { .. } => self.hung_up = true,
                Action::Tell(r) => self.told(r),
            }
        }
    }

    fn sent(&mut self, bytes: &[u8]) {
        // A write of registers has a character in every fourth byte.
        let spread: Vec<u8> = bytes.iter().skip(16).step_by(4).copied().collect();
        let bytes = if spread.starts_with(MARK) { &spread } else { bytes };
        let Some(i) = bytes.windows(MARK.len()).position(|w| w == MARK) else { return };
        let digits: String = bytes[i + MARK.len()..].iter().map(|b| *b as char).take_while(char::is_ascii_digit).collect();
        let n: u32 = digits.parse().expect("our own code");
        assert!(n < self.ordered, "code {n} was never ordered");
        if let Some(before) = self.sent_at.insert(n, self.refusals) {
            assert!(before < self.refusals, "code {n} was sent again without a refusal");
            self.again += 1;
        }
    }

    fn told(&mut self, report: Report) {
        match report {
            Report::Taken { code } => {
                assert!(code.ordinal < self.ordered && self.sent_at.contains_key(&code.ordinal), "{code:?} was not sent");
                assert!(self.taken.insert(code.ordinal), "{code:?} was taken twice");
            }
            Report::Printed { count } => {
                self.printed += u64::from(count);
                assert!(self.printed <= self.taken.len() as u64, "more prints than codes taken");
            }
            Report::PrintedCode { code } => {
                assert!(self.taken.contains(&code.ordinal) && self.named.insert(code.ordinal), "{code:?} is not in it");
                self.printed += 1;
            }
            Report::PrintedTo { code } => {
                // One that was on its way when its link was lost is told as printed without having been told as taken.
                assert!(self.sent_at.contains_key(&code.ordinal), "{code:?} was not sent");
                assert!(self.named.insert(code.ordinal), "{code:?} was printed twice");
                self.printed += 1;
            }
            Report::Reconciled { printed, inside } => {
                printed.iter().for_each(|c| assert!(self.named.insert(c.ordinal), "{c:?} was printed twice"));
                assert!(inside.iter().all(|c| self.sent_at.contains_key(&c.ordinal) && !self.named.contains(&c.ordinal)), "{inside:?}");
            }
            Report::Noise { bytes, count } => assert!(bytes.len() <= 256 && bytes.len() as u32 <= count),
            Report::Up { .. } => {
                self.up = true;
                self.ups += 1;
            }
            Report::Down { .. } => self.up = false,
            Report::Frame(_) => self.frames += 1,
            Report::Polled(_) => self.polls += 1,
            _ => {}
        }
    }
}

fn torment(profile: &str, settings: &[(&str, Setting)], seed: u64) -> Watch {
    torment_calmly(profile, settings, seed, 1)
}

/// `calm`: so many times rarer is the printer armed, cleared and disarmed; one that takes seconds to come up never would.
fn torment_calmly(profile: &str, settings: &[(&str, Setting)], seed: u64, calm: u32) -> Watch {
    let given = settings.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
    let bound = Profiles::load(None).unwrap().bind(profile, &given).unwrap();
    let mut printer = Simulated::of(&bound, seed);
    // One that is asked rarely would otherwise never get an answer through.
    let rests = bound.profile.talk.as_ref().map_or(1, |t| 1 + t.poll.rest_ms / 5);
    let calm = calm * rests;
    let selects = bound.profile.talk.as_ref().is_none_or(|t| t.has(crate::profile::printer::Role::SelectMessage));
    let message = (selects && bound.profile.dialect != Dialect::HitachiModbus).then(|| "12".to_string());
    let mut labels = Labelled::of(&bound, seed);
    let fill = super::label::Fill { code: b"C00000001", sscc: false, lot: "L", count: 4 };
    let label = labels.as_ref().map_or(Vec::new(), |_| super::label::render(&bound, None, &fill).unwrap());
    let points = Points { inputs: vec![0, 4, 5], counters: vec![1, 2, 7, 90] };
    let mut host = converse_at(&bound, Place { points, ..Place::default() });
    let (phrases, mut rng, mut w, mut now_us) = (phrases(profile), Rng::new(seed), Watch::default(), 1_000_000);
    w.gathers = printer.is_some();
    host.opened(now_us);
    for _ in 0..CHUNKS {
        now_us += rng.below(4_000);
        w.drain(&mut *host);
        for _ in 0..20 {
            let Some(d) = host.deadline().filter(|d| *d <= now_us) else { break };
            host.due(d.max(now_us));
            w.drain(&mut *host);
        }
        assert!(host.deadline().is_none_or(|d| d > now_us), "due again and again without end");
        if w.hung_up || rng.chance(500) {
            host.closed(now_us, "fuzz");
            w.hung_up = false;
            w.unheard.clear();
            w.drain(&mut *host);
            assert!(!w.up);
            host.opened(now_us);
            continue;
        }
        match rng.below(12) {
            0 | 1 => {
                let code = code(w.ordered);
                let bytes = [MARK, w.ordered.to_string().as_bytes()].concat();
                w.ordered += 1;
                host.ordered(Order::Print { code, bytes }, now_us);
            }
            2 if rng.chance(60_000 / calm) => host.ordered([Order::Clear, Order::Disarm][rng.below(2) as usize].clone(), now_us),
            2 if rng.chance(200_000 / calm) => host.ordered(Order::Arm { message: message.clone(), fields: vec![] }, now_us),
            2 if rng.chance(200_000) => host.ordered(Order::Pulse { number: rng.below(20) as u16, on: true }, now_us),
            2 => host.ordered(Order::Output { number: rng.below(20) as u16, on: rng.chance(500_000) }, now_us),
            _ => {
                let mut bytes = match rng.below(20 * u64::from(rests)) {
                    0 => phrases[rng.below(phrases.len() as u64) as usize].clone(),
                    1 => (0..rng.below(40)).map(|_| rng.below(256) as u8).collect(),
                    _ => match (&mut printer, &mut labels) {
                        (_, Some(p)) => w.unheard.drain(..).flat_map(|sent| p.answer(&sent, &label, now_us)).collect(),
                        (Some(p), _) => p.answer(&std::mem::take(&mut w.last_sent), now_us),
                        (None, None) => answer(&std::mem::take(&mut w.last_sent), &mut rng),
                    },
                };
                if rng.chance(20_000) {
                    mutate(&mut bytes, &mut rng);
                }
                w.refusals += bytes.iter().filter(|b| **b == 0x15).count() as u64;
                let half = if rng.chance(100_000) { rng.below(bytes.len() as u64 + 1) as usize } else { 0 };
                host.received(&bytes[..half], now_us);
                host.received(&bytes[half..], now_us);
            }
        }
    }
    w
}

fn text(s: &str) -> Setting {
    Setting::Text(s.into())
}

#[test]
fn codenet_survives_anything() {
    let variants: [&[(&str, Setting)]; 4] = [
        &[("ack_char", text("A")), ("depth", Setting::Number(8))],
        &[("ack_char", text("A")), ("response_length", text("fixed"))],
        &[],
        &[("response_length", text("fixed")), ("clear_on_adopt", Setting::Flag(false))],
    ];
    for (i, v) in variants.iter().enumerate() {
        let w = torment("domino-codenet", v, 11 + i as u64);
        // The torment must reach deep enough to mean something (fixed replies are rare in it).
        assert!(i % 2 == 1 || (w.taken.len() > 1_000 && w.printed > 100), "only {} taken, {} printed", w.taken.len(), w.printed);
    }
}

/// None of these has an answer that means "not taken": a code sent twice would be noticed whatever was refused.
#[test]
fn commanded_printers_survive_anything() {
    let depth = |n| ("depth", Setting::Number(n));
    let all: [(&str, &[(&str, Setting)]); 7] = [
        ("videojet-wsi", &[]),
        ("videojet-zipher", &[depth(4)]),
        ("bestcode-one-to-one", &[]),
        ("leibinger-jet", &[depth(4)]),
        ("keyence-mk", &[]),
        ("markem-imaje-ngpcl", &[]),
        ("tij-66", &[depth(4)]),
    ];
    for (i, (profile, settings)) in all.iter().enumerate() {
        let calm = if *profile == "leibinger-jet" { 50 } else { 1 };
        let w = torment_calmly(profile, settings, 51 + i as u64, calm);
        // Nothing tells of a print over NGPCL; an adoption of a Leibinger takes seconds, and every damaged answer brings one.
        let (taken, printed) = match *profile {
            "markem-imaje-ngpcl" => (200, 0),
            "leibinger-jet" => (100, 30),
            // What it repeats counts too: a code on whose way something was printed is nobody's.
            "keyence-mk" => (200, 3),
            _ => (200, 50),
        };
        assert!(w.taken.len() > taken && w.printed >= printed, "{profile}: only {} taken, {} printed", w.taken.len(), w.printed);
        assert_eq!(w.again, 0, "{profile}");
    }
}

/// A text that is refused may come again, and only then (`Watch::sent`).
#[test]
fn hitachi_printers_survive_anything() {
    let event = ("confirmation", text("event"));
    let variants: [(&str, &[(&str, Setting)]); 6] = [
        ("hitachi-rx-protected", &[]),
        ("hitachi-rx-overwrite", &[]),
        ("hitachi-rx-overwrite", &[("confirmation", text("counter"))]),
        ("hitachi-rx-buffer", &[("depth", Setting::Number(4))]),
        ("hitachi-rx-buffer", &[("depth", Setting::Number(4)), event, ("asks_first", Setting::Flag(true))]),
        ("hitachi-modbus", &[]),
    ];
    for (i, (profile, settings)) in variants.iter().enumerate() {
        let w = torment(profile, settings, 71 + i as u64);
        assert!(w.taken.len() > 100 && w.printed > 10, "{profile} {i}: only {} taken, {} printed", w.taken.len(), w.printed);
    }
}

/// What nobody has seen at work sends no code.
#[test]
fn unverified_printers_are_never_fed() {
    for profile in ["linx-rci", "imaje-v24"] {
        let w = torment(profile, &[], 61);
        assert!(w.ordered > 1_000 && w.sent_at.is_empty() && w.taken.is_empty(), "{profile}");
    }
}

#[test]
fn label_printers_survive_anything() {
    let all = ["zebra-zpl", "sato-sbpl", "tsc-tspl", "cab-jscript", "honeywell-dpl", "godex-ezpl"];
    for (i, profile) in all.iter().enumerate() {
        let w = torment(profile, &[], 5 + i as u64);
        assert!(w.taken.len() > 30 && w.printed > 2, "{profile}: only {} taken, {} printed", w.taken.len(), w.printed);
        assert_eq!(w.again, 0, "{profile}");
    }
}

#[test]
fn readers_survive_anything() {
    for (i, v) in
        [vec![], vec![("framing", text("stx-etx")), ("separator", text("|")), ("positional", Setting::Flag(false))]].iter().enumerate()
    {
        assert!(torment("keyence-sr", v, 21 + i as u64).frames > 1_000);
    }
    assert!(torment("line-reader", &[], 31).frames > 1_000);
}

#[test]
fn modbus_survives_anything() {
    let w = torment("modbus-io", &[("safe_state_base", Setting::Number(4112)), ("safe_clear_base", Setting::Number(4128))], 41);
    assert!(w.polls > 1_000, "only {} polls", w.polls);
    let w = torment("modbus-rtu-io", &[("pulse_base", Setting::Number(16))], 43);
    assert!(w.polls > 100, "only {} polls of RTU", w.polls);
}

#[test]
fn framers_hold_no_more_than_they_may_whatever_comes() {
    let mut rng = Rng::new(3);
    for fixed in [false, true] {
        let (mut f, mut out) = (Units::new(fixed), Vec::new());
        for _ in 0..CHUNKS {
            f.push([0x1b, 0x15, 0x06, 0x04, b'0', b'O', b'S', b'A'][rng.below(8) as usize], &mut out);
            if rng.chance(10_000) {
                (0..300).for_each(|_| f.push(b'z', &mut out));
            }
            assert!(f.held() <= LONGEST_ECHO && out.len() <= 600);
            out.clear();
        }
    }
}
