//! Questions that do no harm, for finding out what stands at an address, and what answers to them mean.
//!
//! Must never know: sockets, clocks. Invariant: a question only asks. Of a profile's commands these are `identify`,
//! `status` and `current-message`, of a reader's its `[reader.probe]`, of an I/O module the state of its first input: nothing
//! that prints, clears, selects, starts or sets anything is ever among them.

use super::commands::{Unit, Units};
use super::framer::{Codenet as CodenetUnits, Unit as CodenetUnit};
use super::modbus::{Found, Wrap};
use super::reader::{Frames, Piece};
use super::transcript::shown;
use super::{Action, Place, converse_at};
use crate::profile::printer::{Means, Role};
use crate::profile::talk::Talk;
use crate::profile::{Bound, Dialect, reader};
use crate::vocab::Report;
use crate::vocab::time::MS;

/// What a printer may be asked without harm.
const SAFE: [Role; 3] = [Role::Identify, Role::Status, Role::CurrentMessage];
/// Who it is (EPT033760, `A`).
const CODENET_IDENTIFY: &[u8] = b"\x1bA?\x04";
/// Longer than any silence that ends a frame.
const SILENCE_US: u64 = 60_000 * MS;
/// Modbus: read discrete inputs (application protocol 1.1b3 §6.2), and a number to know the answer by.
const READ_INPUTS: u8 = 2;
const READ_HOLDING: u8 = 3;
/// Whether a Hitachi is online (UX and TUP-I Modbus manuals): read offline too.
const HITACHI_ONLINE: u16 = 0x2490;
const TRANSACTION: u16 = 0x706d;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What it asks, in the profile's word.
    pub what: String,
    pub bytes: Vec<u8>,
    /// How long an answer may take.
    pub timeout_ms: u32,
    role: Option<Role>,
}

/// What a profile makes of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understood {
    pub says: String,
    /// Another device would not answer so; else nearly any text would fit.
    pub certain: bool,
}

/// The harmless questions of a profile, the one that tells most first; none: it has none. `serial`: the link is a serial line.
pub fn questions(bound: &Bound, serial: bool) -> Vec<Question> {
    let timeout_ms = bound.profile.link.reply_timeout_ms.max(1);
    let one = |what: &str, bytes: &[u8]| vec![Question { what: what.into(), bytes: bytes.into(), timeout_ms, role: None }];
    match bound.profile.dialect {
        Dialect::Commands | Dialect::Label => bound.profile.talk.as_deref().map_or_else(Vec::new, |talk| of_commands(bound, talk)),
        Dialect::Codenet => one("identify", CODENET_IDENTIFY),
        Dialect::Reader => {
            let probe = bound.profile.reader.iter().filter_map(|r| r.probe.as_ref());
            let ask = |p: &reader::Probe| Question {
                what: "probe".into(),
                bytes: p.ask.clone().into_bytes(),
                timeout_ms: p.timeout_ms,
                role: None,
            };
            probe.map(ask).collect()
        }
        Dialect::HitachiModbus => {
            let [high, low] = HITACHI_ONLINE.to_be_bytes();
            one("online", &Wrap::Tcp.request(TRANSACTION, unit(bound), &[READ_HOLDING, high, low, 0, 1]))
        }
        Dialect::Modbus => {
            let first = (bound.number("base") + bound.number("input_base")).clamp(0, 65_535) as u16;
            let [high, low] = first.to_be_bytes();
            one("input 0", &wrap(bound, serial).request(TRANSACTION, unit(bound), &[READ_INPUTS, high, low, 0, 1]))
        }
    }
}

/// A module on a serial line, or whose profile says so, speaks RTU.
fn wrap(bound: &Bound, serial: bool) -> Wrap {
    if serial || bound.text("framing") == "rtu" { Wrap::Rtu } else { Wrap::Tcp }
}

fn unit(bound: &Bound) -> u8 {
    u8::try_from(bound.number("unit")).unwrap_or(1)
}

fn of_commands(bound: &Bound, talk: &Talk) -> Vec<Question> {
    let asked = SAFE.iter().filter_map(|role| {
        let command = talk.commands.get(role).filter(|c| !c.replies.is_empty())?;
        let (bytes, _) = talk.wrap(*role, &|place: &str| bound.place(place)).ok()?;
        Some(Question { what: role.name(), bytes, timeout_ms: command.timeout_ms, role: Some(*role) })
    });
    asked.collect()
}

/// What the profile makes of an answer to its own question; `None`: nothing.
pub fn understood(bound: &Bound, serial: bool, question: &Question, answer: &[u8]) -> Option<Understood> {
    if answer == question.bytes {
        // An echo, or a line looped back on itself.
        return None;
    }
    match bound.profile.dialect {
        Dialect::Commands | Dialect::Label => commands_answer(bound, bound.profile.talk.as_deref()?, question.role?, answer),
        Dialect::Codenet => {
            let mut units = Vec::new();
            let mut f = CodenetUnits::new(false);
            answer.iter().for_each(|b| f.push(*b, &mut units));
            units.into_iter().find_map(|u| match u {
                CodenetUnit::Echo(inside) if inside.starts_with(b"A") => Some(certain(format!("identity {}", text(&inside[1..])))),
                _ => None,
            })
        }
        Dialect::Reader => probe_answer(bound.profile.reader.as_ref()?, answer),
        Dialect::HitachiModbus => {
            let Found::Answer(a) = Wrap::Tcp.take(&mut answer.to_vec()) else { return None };
            let ours = a.unit == unit(bound) && a.transaction == Some(TRANSACTION);
            match a.pdu.as_slice() {
                [READ_HOLDING, 2, 0, 0] if ours => Some(certain("offline".into())),
                [READ_HOLDING, 2, 0, 1] if ours => Some(certain("online".into())),
                _ => None,
            }
        }
        Dialect::Modbus => {
            let Found::Answer(a) = wrap(bound, serial).take(&mut answer.to_vec()) else { return None };
            let ours = a.unit == unit(bound) && a.transaction.is_none_or(|t| t == TRANSACTION);
            match a.pdu.as_slice() {
                [READ_INPUTS, 1, inputs] if ours => Some(certain(format!("input 0 is {}", inputs & 1))),
                [f, code] if ours && *f == READ_INPUTS | 0x80 => {
                    Some(certain(format!("a Modbus module that refuses this input (exception {code})")))
                }
                _ => None,
            }
        }
    }
}

fn commands_answer(bound: &Bound, talk: &Talk, role: Role, answer: &[u8]) -> Option<Understood> {
    let mut all = Vec::new();
    let place = |place: &str| bound.place(place);
    let mut units = Units::new(talk.inbound.clone()).checked(talk.checking(&place), talk.doubling(&place));
    answer.iter().for_each(|b| units.push(*b, &mut all));
    all.extend(units.quiet());
    let replies = &talk.commands.get(&role)?.replies;
    (0..all.len()).find_map(|at| {
        let good = replies.iter().filter(|r| r.means == Means::Ok);
        good.into_iter().find_map(|r| {
            let mut said: Vec<String> = Vec::new();
            let mut units = all[at..].iter();
            for pattern in std::iter::once(&r.is).chain(&r.then) {
                let Some(Unit::Is { form, bytes }) = units.next() else { return None };
                let values = pattern.read(bytes).filter(|_| r.from.is_none_or(|f| f == *form))?;
                said.extend(values.iter().map(|(place, v)| format!("{place} {}", text(v))));
            }
            let Unit::Is { form, .. } = &all[at] else { return None };
            let says = if said.is_empty() { format!("{} is answered", role.name()) } else { said.join(", ") };
            let framed = !talk.inbound[*form].form.takes_all();
            Some(Understood { says, certain: r.is.fixed() > 1 || (framed && r.is.fixed() > 0) || r.is.is_narrow() })
        })
    })
}

fn probe_answer(rules: &reader::Rules, answer: &[u8]) -> Option<Understood> {
    let probe = rules.probe.as_ref()?;
    let pattern = reader::Pattern::new(&probe.answer);
    rules.framing.values().find_map(|how| {
        let (mut frames, mut pieces) = (Frames::new(how.clone(), &rules.gs.keys), Vec::new());
        frames.feed(answer, 0, &mut pieces);
        frames.due(SILENCE_US, &mut pieces);
        pieces.into_iter().find_map(|p| match p {
            Piece::Frame(f) if pattern.fits(&f) => {
                Some(Understood { says: format!("says {}", text(&f)), certain: probe.answer.bytes().any(|b| !b"*?".contains(&b)) })
            }
            _ => None,
        })
    })
}

/// What a reader's profile, as it is set, makes of bytes that came unasked; `None`: nothing, or there is something in them
/// that it cannot place.
pub fn recognised(bound: &Bound, bytes: &[u8]) -> Option<Vec<String>> {
    bound.profile.reader.as_ref()?;
    let mut host = converse_at(bound, Place::default());
    host.opened(0);
    while host.poll().is_some() {}
    host.received(bytes, MS);
    let mut frames = Vec::new();
    // Silences that end a frame, or tell that one never ends.
    for now_us in [MS, SILENCE_US] {
        while let Some(a) = host.poll() {
            match a {
                Action::Tell(Report::Noise { .. }) => return None,
                Action::Tell(r @ Report::Frame(_)) => frames.push(shown(&r)),
                _ => {}
            }
        }
        host.due(now_us);
    }
    while let Some(a) = host.poll() {
        match a {
            Action::Tell(Report::Noise { .. }) => return None,
            Action::Tell(r @ Report::Frame(_)) => frames.push(shown(&r)),
            _ => {}
        }
    }
    (!frames.is_empty()).then_some(frames)
}

fn certain(says: String) -> Understood {
    Understood { says, certain: true }
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profiles;
    use crate::wire::transcript::{Step, Transcript};
    use std::collections::{BTreeMap, BTreeSet};

    fn bound(profile: &str) -> Bound {
        Profiles::load(None).unwrap().bind(profile, &BTreeMap::new()).unwrap()
    }

    /// Commands that change something begin no question, whatever a profile calls them.
    #[test]
    fn no_question_is_a_command_that_does_something() {
        let all = Profiles::load(None).unwrap();
        let mut asked = 0;
        for p in all.iter() {
            let b = bound(&p.name);
            for q in questions(&b, false) {
                asked += 1;
                assert!(!q.bytes.is_empty() && q.timeout_ms > 0, "{}: {q:?}", p.name);
                let Some(talk) = &p.talk else { continue };
                for role in talk.commands.keys().filter(|r| !SAFE.contains(r)) {
                    let of = |place: &str| b.place(place).or_else(|| Some(b"x".to_vec()));
                    let same = talk.wrap(*role, &of).is_ok_and(|(bytes, _)| bytes == q.bytes);
                    assert!(!same, "{}: {} asks what {role:?} does", p.name, q.what);
                }
            }
        }
        assert!(asked > 6, "{asked}");
    }

    /// What the documents' devices answered to these very questions is understood, by their profile.
    #[test]
    fn answers_of_the_transcripts_are_understood() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-profiles/transcripts");
        let mut met = BTreeSet::new();
        for e in std::fs::read_dir(dir).unwrap() {
            let t = Transcript::parse(&std::fs::read_to_string(e.unwrap().path()).unwrap()).unwrap();
            let Ok(b) = Profiles::load(None).unwrap().bind(&t.profile, &t.settings()) else { continue };
            for q in questions(&b, false) {
                let pairs = t.steps.windows(2).filter_map(|w| match (&w[0].1, &w[1].1) {
                    (Step::Host(asked), Step::Device(answer)) if *asked == q.bytes => Some(answer),
                    _ => None,
                });
                if pairs.into_iter().any(|answer| understood(&b, false, &q, answer).is_some()) {
                    met.insert(t.profile.clone());
                }
            }
        }
        for p in [
            "domino-codenet",
            "videojet-zipher",
            "keyence-sr",
            "sick-lector",
            "zebra-zpl",
            "sato-sbpl",
            "tsc-tspl",
            "cab-jscript",
            "honeywell-dpl",
        ] {
            assert!(met.contains(p), "{p}: {met:?}");
        }
    }

    #[test]
    fn an_echo_or_another_devices_answer_is_not_understood() {
        let (codenet, zipher) = (bound("domino-codenet"), bound("videojet-zipher"));
        let (ask_c, ask_z) = (&questions(&codenet, false)[0], &questions(&zipher, false)[0]);
        assert_eq!(understood(&codenet, false, ask_c, &ask_c.bytes), None);
        assert_eq!(understood(&zipher, false, ask_z, &ask_z.bytes), None);
        assert_eq!(understood(&zipher, false, ask_z, b"ERR\r"), None);
        assert_eq!(understood(&codenet, false, ask_c, b"\x15003"), None);
        assert!(understood(&zipher, false, ask_z, b"VER|1.28|UTF-8|\r").unwrap().certain);
    }

    #[test]
    fn a_module_is_known_by_either_way_of_wrapping() {
        let b = bound("modbus-io");
        let (tcp, rtu) = (&questions(&b, false)[0], &questions(&b, true)[0]);
        assert_eq!(tcp.bytes, b"pm\x00\x00\x00\x06\x01\x02\x00\x00\x00\x01");
        // CRC-16 of the document's kind: 01 02 00 00 00 01 B9 CA.
        assert_eq!(rtu.bytes, b"\x01\x02\x00\x00\x00\x01\xb9\xca");
        let says = |serial, q, answer: &[u8]| understood(&b, serial, q, answer).map(|u| u.says);
        assert_eq!(says(false, tcp, b"pm\x00\x00\x00\x04\x01\x02\x01\x01").as_deref(), Some("input 0 is 1"));
        assert!(says(false, tcp, b"pm\x00\x00\x00\x03\x01\x82\x02").unwrap().contains("exception 2"));
        assert_eq!(says(false, tcp, b"px\x00\x00\x00\x04\x01\x02\x01\x01"), None, "another's answer");
        assert_eq!(says(true, rtu, b"\x01\x02\x01\x01\x60\x48").as_deref(), Some("input 0 is 1"));
        assert_eq!(says(true, rtu, b"\x01\x02\x01\x01\x60\x49"), None, "garbled");
    }

    #[test]
    fn unasked_bytes_are_shown_to_readers() {
        assert_eq!(recognised(&bound("keyence-sr"), b"ABC\r").unwrap(), ["frame data ABC"]);
        assert_eq!(recognised(&bound("keyence-sr"), b"ABC"), None);
        assert_eq!(recognised(&bound("domino-codenet"), b"ABC\r"), None);
    }
}
