//! Both halves of every reader profile, each written from the documents alone: they meet, and the transcripts hold the
//! simulated half too.

use super::*;
use crate::profile::reader::{Form, Unread};
use crate::profile::{Bound, Profiles};
use crate::vocab::plan::Setting;
use crate::vocab::report::{Field, Frame};
use crate::vocab::{Order, Report};
use crate::wire::transcript::{Step, Transcript};
use crate::wire::{Action, Conversation, Place, converse_at};
use std::collections::{BTreeMap, BTreeSet};

const L: Link = Link::FIRST;

fn bound(profile: &str, given: &[(&str, &str)]) -> Bound {
    let value = |v: &str| match v {
        "true" => Setting::Flag(true),
        "false" => Setting::Flag(false),
        v => v.parse().map_or_else(|_| Setting::Text(v.into()), Setting::Number),
    };
    let given = given.iter().map(|(k, v)| (k.to_string(), value(v))).collect();
    Profiles::load(None).unwrap().bind(profile, &given).unwrap_or_else(|e| panic!("{profile}: {e:?}"))
}

struct Meeting {
    host: Box<dyn Conversation>,
    reader: Reader,
    now_us: u64,
    told: Vec<Report>,
    /// What the host said.
    said: Vec<Vec<u8>>,
    up: bool,
}

impl Meeting {
    fn new(bound: &Bound) -> Self {
        let mut m = Self {
            host: converse_at(bound, Place::default()),
            reader: Reader::new(bound.reader.clone(), Rng::new(9)),
            now_us: 1_000,
            told: Vec::new(),
            said: Vec::new(),
            up: true,
        };
        m.reader.connected(L, m.now_us);
        m.host.opened(m.now_us);
        m.pass(300);
        m
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now_us + ms * MS;
        loop {
            self.pump();
            let next = [self.host.deadline(), self.reader.deadline()].into_iter().flatten().min().unwrap_or(end).clamp(self.now_us, end);
            let over = next >= end;
            self.now_us = next;
            self.reader.due(next);
            self.host.due(next);
            self.pump();
            if over {
                return;
            }
        }
    }

    fn pump(&mut self) {
        for _ in 0..10_000 {
            if let Some(a) = self.host.poll() {
                match a {
                    Action::Send(b) | Action::Command(b) => {
                        self.reader.received(L, &b, self.now_us);
                        self.said.push(b);
                    }
                    Action::Tell(r) => self.told.push(r),
                    Action::HangUp { .. } => self.up = false,
                }
            } else if let Some((_, Emission::Send(b))) = self.reader.poll() {
                self.host.received(&b, self.now_us);
            } else {
                return;
            }
        }
        panic!("never quiet");
    }

    fn told(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.told)
    }

    fn frames(&mut self) -> Vec<Frame> {
        self.told().into_iter().filter_map(|r| if let Report::Frame(f) = r { Some(f) } else { None }).collect()
    }

    /// Shows it these things; answers what the host was told.
    fn sees(&mut self, symbols: &[Option<&[u8]>]) -> Vec<Frame> {
        let symbols: Vec<Option<Vec<u8>>> = symbols.iter().map(|s| s.map(Into::into)).collect();
        self.reader.read(&symbols, self.now_us);
        self.host.ordered(Order::Trigger { window_ms: 200 }, self.now_us);
        self.pass(400);
        let frame_us = self.now_us;
        self.host.ordered(Order::Verdict { good: true, frame_us }, self.now_us);
        self.pass(20);
        self.frames()
    }
}

/// The bytes of a code without what a reader puts before it.
fn bare(f: &Field) -> Option<Vec<u8>> {
    match f {
        Field::NoRead => None,
        Field::Code(c) | Field::Graded { code: c, .. } => {
            Some(if c.starts_with(b"]d1") || c.starts_with(b"]d2") { c[3..].to_vec() } else { c.clone() })
        }
    }
}

const VARIANTS: &[(&str, &[(&str, &str)])] = &[
    ("keyence-sr", &[("separator", "|")]),
    ("keyence-sr", &[("separator", "|"), ("framing", "stx-etx"), ("positional", "false")]),
    ("keyence-sr", &[("separator", "|"), ("framing", "crlf"), ("trigger", "command"), ("probe", "true")]),
    ("cognex-dataman", &[]),
    ("cognex-dataman", &[("framing", "stx-etx"), ("trigger", "command"), ("probe", "true"), ("unread", "in-place")]),
    ("datalogic-matrix", &[("separator", "|")]),
    ("datalogic-matrix", &[("separator", "|"), ("unread", "left-out"), ("framing", "crlf"), ("heartbeat", "HB"), ("heartbeat_s", "1")]),
    ("sick-lector", &[]),
    ("sick-lector", &[("trigger", "command"), ("probe", "true")]),
    ("sick-lector", &[("framing", "cola-b"), ("unread", "at-end")]),
    ("omron-microscan", &[("separator", "|")]),
    ("omron-microscan", &[("separator", "|"), ("trigger", "command")]),
    ("hikrobot", &[]),
    ("hikrobot", &[("framing", "crlf"), ("feedback", "true")]),
    ("hikrobot-json", &[]),
    ("honeywell-handheld", &[]),
    ("mindeo-handheld", &[]),
    ("newland-handheld", &[]),
    ("zebra-ssi", &[]),
    ("line-reader", &[("end", "lf")]),
    ("line-camera", &[("aim", "always")]),
    ("line-camera", &[("end", "idle"), ("unread", "at-end")]),
    ("line-verifier", &[]),
    ("keyboard-wedge", &[]),
];

#[test]
fn both_halves_of_every_reader_profile_meet() {
    let mut met = BTreeSet::new();
    for (profile, given) in VARIANTS {
        let b = bound(profile, given);
        let mut m = Meeting::new(&b);
        let name = format!("{profile} {given:?}");
        assert!(m.told().iter().any(|r| matches!(r, Report::Up { .. })), "{name}");
        for code in ["010690123456789221ABC\u{1d}93xYz/+=?", "https://q.example/A/1?x=%20&y"] {
            let got = m.sees(&[Some(code.as_bytes())]);
            let [Frame::Data(fields)] = got.as_slice() else { panic!("{name}: {got:?}") };
            assert_eq!(bare(&fields[0]).as_deref(), Some(code.as_bytes()), "{name}");
        }
        let nothing = m.sees(&[None]);
        assert!(nothing.is_empty() || nothing == [Frame::NoRead], "{name}: {nothing:?}");
        let many = b.reader.layout.separator.is_some() || !b.reader.layout.json_codes.is_empty();
        if many {
            let got = m.sees(&[Some(b"A"), None, Some(b"B")]);
            let [Frame::Data(fields)] = got.as_slice() else { panic!("{name}: {got:?}") };
            let got: Vec<Option<Vec<u8>>> = fields.iter().map(bare).collect();
            let (a, b_) = (Some(b"A".to_vec()), Some(b"B".to_vec()));
            let want = match b.reader.layout.unread {
                _ if !b.reader.layout.json_codes.is_empty() => vec![a, b_],
                Unread::InPlace => vec![a, None, b_],
                Unread::LeftOut => vec![a, b_],
                Unread::AtEnd => vec![a, b_, None],
            };
            assert_eq!(got, want, "{name}");
        }
        // A heartbeat or a silence later it still reads.
        m.pass(3_000);
        assert!(m.up && m.frames().is_empty(), "{name}");
        assert_eq!(m.sees(&[Some(b"LAST")]).len(), 1, "{name}");
        met.insert(*profile);
    }
    let all = Profiles::load(None).unwrap();
    let readers: BTreeSet<&str> =
        all.names().filter(|n| *n != "x" && all.bind(n, &BTreeMap::new()).unwrap().profile.reader.is_some()).collect();
    assert_eq!(met, readers, "every shipped reader profile meets its simulated half");
}

#[test]
fn a_frame_split_or_glued_is_the_same() {
    for (profile, given) in VARIANTS {
        let b = bound(profile, given);
        // A silence within a frame is the end of it where a silence ends it.
        let idle = matches!(b.reader.frames().form, Form::IdleGap { .. });
        for trouble in [Trouble::Split { ms: if idle { 2 } else { 40 } }, Trouble::Glue] {
            let mut m = Meeting::new(&b);
            m.told();
            m.reader.trouble(trouble, m.now_us);
            let got = m.sees(&[Some(b"0123456789")]);
            assert!(matches!(&got[..], [Frame::Data(f)] if bare(&f[0]).as_deref() == Some(b"0123456789")), "{profile} {given:?}: {got:?}");
        }
    }
}

#[test]
fn a_lost_heartbeat_ends_the_link() {
    let b = bound("datalogic-matrix", &[("separator", "|"), ("heartbeat", "HB"), ("heartbeat_s", "1")]);
    let mut m = Meeting::new(&b);
    m.pass(10_000);
    assert!(m.up, "it beats");
    m.reader.disconnected(L, m.now_us);
    m.pass(2_600);
    assert!(!m.up, "nothing comes");
}

#[test]
fn a_packet_that_is_not_acknowledged_comes_again_and_is_told_once() {
    let b = bound("zebra-ssi", &[]);
    let mut m = Meeting::new(&b);
    m.told();
    let said = m.said.len();
    m.reader.read(&[Some(b"ABC".to_vec())], m.now_us);
    // The host's acknowledgement gets lost: the reader hears nothing.
    while let Some(t) = m.reader.deadline().filter(|t| *t < 5_000 * MS + m.now_us) {
        m.reader.due(t);
        while let Some((_, Emission::Send(bytes))) = m.reader.poll() {
            m.host.received(&bytes, t);
            while let Some(a) = m.host.poll() {
                match a {
                    Action::Send(b) => m.said.push(b),
                    Action::Tell(r) => m.told.push(r),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert!(m.said.len() - said >= 3, "each is acknowledged");
    assert_eq!(m.frames().len(), 1);
}

#[test]
fn a_handheld_waits_for_its_word() {
    let b = bound("honeywell-handheld", &[]);
    let mut m = Meeting::new(&b);
    m.told();
    assert!(m.reader.read(&[Some(b"A".to_vec())], m.now_us));
    m.pass(100);
    assert!(!m.reader.read(&[Some(b"B".to_vec())], m.now_us), "nothing is scanned before the answer");
    m.host.ordered(Order::Verdict { good: false, frame_us: m.now_us }, m.now_us);
    m.pass(10);
    assert_eq!(m.said.last().map(Vec::as_slice), Some(&b"\x1b8,"[..]));
    assert!(m.reader.read(&[Some(b"B".to_vec())], m.now_us));
}

/// Every transcript of a reader against its simulated half: what it answers to the host's bytes, and the frames that it
/// sends for what stands before it. Frames that show noise, faults or somebody else's settings are not its to make.
#[test]
fn the_simulated_half_keeps_to_the_transcripts() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-profiles/transcripts");
    let (mut same, mut readers) = (BTreeMap::<String, u32>::new(), BTreeSet::new());
    let all = Profiles::load(None).unwrap();
    for e in std::fs::read_dir(dir).unwrap() {
        let path = e.unwrap().path();
        let Ok(t) = Transcript::parse(&std::fs::read_to_string(&path).unwrap()) else { continue };
        let given: Vec<(&str, &str)> = t.settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        if all.bind(&t.profile, &BTreeMap::new()).is_ok_and(|b| b.profile.reader.is_none()) {
            continue;
        }
        readers.insert(t.profile.clone());
        let b = bound(&t.profile, &given);
        let mut r = Reader::new(b.reader.clone(), Rng::new(1));
        r.connected(L, 0);
        let mut now_us = 0;
        let mut hear = |r: &mut Reader, bytes: Option<&[u8]>| {
            if let Some(b) = bytes {
                r.received(L, b, now_us);
            }
            let mut got = Vec::new();
            while let Some(d) = r.deadline().filter(|d| *d < now_us + 500 * MS) {
                r.due(d);
                while let Some((_, Emission::Send(b))) = r.poll() {
                    got.extend(b);
                }
            }
            now_us += 1_000 * MS;
            got
        };
        for (i, (_, step)) in t.steps.iter().enumerate() {
            let answer = match step {
                Step::Host(bytes) => hear(&mut r, Some(bytes)),
                _ => Vec::new(),
            };
            let Some((_, Step::Device(bytes))) = t.steps.get(i + 1).or(None) else { continue };
            if !answer.is_empty() {
                let begins = bytes.starts_with(&answer);
                *same.entry(t.profile.clone()).or_default() += u32::from(begins);
                continue;
            }
            // What the host made of it is what stood before the reader.
            let told = t.steps[i + 2..].iter().find_map(|(_, s)| if let Step::Expect(e) = s { Some(e.as_str()) } else { None });
            let Some(seen) = told.and_then(|e| e.strip_prefix("frame ")) else { continue };
            let symbols: Vec<Option<Vec<u8>>> = match seen.strip_prefix("data ") {
                Some(codes) => codes.split(' ').map(|c| (c != "no-read").then(|| symbol(c))).collect(),
                None if seen == "no-read" => vec![None],
                None => continue,
            };
            if let Some(frame) = frame::frame(&b.reader, &symbols) {
                *same.entry(t.profile.clone()).or_default() += u32::from(frame == *bytes);
            }
        }
    }
    // A wedge's scanner sends scan codes too, and may choose another way to type GS.
    readers.remove("keyboard-wedge");
    let missing: Vec<&String> = readers.iter().filter(|p| same.get(*p).copied().unwrap_or(0) == 0).collect();
    assert!(readers.len() > 10 && missing.is_empty(), "no byte-equal frame or answer for {missing:?}; {same:?}");
}

/// A code as a transcript shows it, without symbology identifier and grade.
fn symbol(shown: &str) -> Vec<u8> {
    let shown = shown.strip_prefix("]d1").unwrap_or(shown);
    let shown = shown.rsplit_once(':').filter(|(_, g)| g.len() == 3 && g.contains('.')).map_or(shown, |(c, _)| c);
    shown.replace("\\x1d", "\u{1d}").into_bytes()
}
