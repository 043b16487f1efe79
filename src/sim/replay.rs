//! Transcripts against both halves that this program has of a device's conversation: ours, and the simulated device's.
//!
//! Must never know: files, clocks. A simulated reader shows what the host is told to have seen (`! frame data …`); what
//! the device is made to do otherwise stands in the transcript (`! sim …`).

use super::bench::{Bench, Trouble};
use super::emul::{Emission, Link};
use super::example;
use super::rig::Rig;
use crate::config::Config;
use crate::profile::{Bound, Kind, Profiles};
use crate::vocab::plan::{Address, Parity, Plan, Role};
use crate::vocab::time::MS;
use crate::vocab::{DeviceNo, Order, StationNo};
use crate::wire::transcript::{AtDevice, Line, Step, Transcript, Verdict};
use crate::wire::{Place, Points, converse_at};
use std::path::Path;

/// What it has to say by itself comes within this …
const ANSWER_US: u64 = 10 * MS;
/// … and what it is waited for within this (a Codenet label change takes 750 ms).
const PATIENCE_US: u64 = 1_000 * MS;
/// So long it may still say something at the end.
const LAST_US: u64 = 100 * MS;

/// Our side. `Err`: what is wrong with the transcript's profile or settings.
pub fn ours(t: &Transcript, profiles: &Profiles) -> Result<Vec<Line>, Vec<String>> {
    let bound = profiles.bind(&t.profile, &t.settings())?;
    let points = Points { inputs: t.inputs.clone(), counters: t.counters.clone() };
    Ok(t.walk(&mut *converse_at(&bound, Place { serial: t.serial, points, ..Place::default() })))
}

/// The simulated device; `None`: the transcript says that it cannot do what the device did.
pub fn simulated(t: &Transcript, profiles: &Profiles) -> Result<Option<Vec<Line>>, Vec<String>> {
    if t.host_only {
        return Ok(None);
    }
    let bound = profiles.bind(&t.profile, &t.settings())?;
    let messages: Vec<String> =
        t.steps.iter().filter_map(|(_, s)| if let Step::Order(Order::Arm { message, .. }) = s { message.clone() } else { None }).collect();
    let plan = alone(&bound, t.serial, &messages, profiles)?;
    let mut stand = Stand {
        rig: Rig::new(&plan, profiles, 3)?,
        device: plan.devices[0].no,
        kind: bound.profile.kind,
        now_us: 1_000_000,
        said: Vec::new(),
        lines: Vec::new(),
    };
    stand.rig.by_hand(stand.device);
    stand.play(t);
    Ok(Some(stand.lines))
}

/// A line of one device, in which these messages are stored.
pub(crate) fn alone(bound: &Bound, serial: bool, messages: &[String], profiles: &Profiles) -> Result<Plan, Vec<String>> {
    let bind = |name: &str, given: &_| profiles.bind(name, given).map(|b| b.traits());
    let config = Config::parse(Path::new("line.toml"), example::LINE, &bind);
    let mut plan = config.map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())?.plan;
    let mut device = plan.devices[0].clone();
    device.profile.clone_from(&bound.profile.name);
    device.settings = bound.settings().clone();
    device.traits = bound.traits();
    if serial {
        device.address = Address::Serial { path: "device.tty".into(), baud: 9_600, parity: Parity::None };
    }
    let print = plan.stations.iter().find(|s| s.role == Role::Print).cloned();
    let stations = messages.iter().zip(1..).filter_map(|(message, n)| {
        let mut s = print.clone()?;
        (s.no, s.device, s.message) = (StationNo(n), Some(device.no), Some(message.clone()));
        Some(s)
    });
    plan.stations = stations.collect();
    plan.devices = vec![device];
    plan.run_permit = None;
    Ok(plan)
}

/// The simulated device, and what it said that the transcript has not asked for yet.
struct Stand {
    rig: Rig,
    device: DeviceNo,
    kind: Kind,
    now_us: u64,
    said: Vec<u8>,
    lines: Vec<Line>,
}

impl Stand {
    fn tell(&mut self, line: usize, verdict: Verdict, what: impl Into<String>) {
        self.lines.push(Line { line, verdict, what: what.into() });
    }

    fn pass(&mut self, us: u64) {
        let end = self.now_us + us;
        while let Some(due) = self.rig.deadline().filter(|d| *d <= end) {
            self.now_us = self.now_us.max(due);
            self.rig.due(self.now_us);
            self.hear();
        }
        self.now_us = end;
        self.hear();
    }

    fn hear(&mut self) {
        while let Some((_, emission)) = self.rig.poll(self.device) {
            if let Emission::Send(bytes) = emission {
                self.said.extend(bytes);
            }
        }
    }

    fn play(&mut self, t: &Transcript) {
        for (i, (line, step)) in t.steps.iter().enumerate() {
            let (line, now_us, device) = (*line, self.now_us, self.device);
            match step {
                Step::Opened => {
                    self.said.clear();
                    self.rig.connected(device, Link::FIRST, now_us);
                    self.tell(line, Verdict::Played, "opened");
                }
                Step::Closed => {
                    self.rig.disconnected(device, Link::FIRST, now_us);
                    self.tell(line, Verdict::Played, "closed");
                }
                Step::Host(bytes) => {
                    self.surplus(line, "before this line the device also said");
                    self.rig.received(device, Link::FIRST, bytes, now_us);
                    self.hear();
                    self.tell(line, Verdict::Played, format!("the host says \"{}\"", bytes.escape_ascii()));
                }
                Step::Device(bytes) => self.says(line, bytes, &t.steps[i + 1..]),
                Step::Wait { us } => {
                    self.pass(*us);
                    self.tell(line, Verdict::Played, format!("+{}ms", us / 1_000));
                }
                Step::At(what) => {
                    self.made_to(*what);
                    self.tell(line, Verdict::Played, "at the device");
                }
                Step::Order(_) | Step::Expect(_) | Step::HangUp => {}
            }
        }
        self.pass(LAST_US);
        self.surplus(t.steps.last().map_or(0, |s| s.0), "after the last line the device said");
    }

    fn surplus(&mut self, line: usize, when: &str) {
        if !self.said.is_empty() {
            let said = std::mem::take(&mut self.said);
            let verdict = if self.sees() { Verdict::Note } else { Verdict::Wrong };
            self.tell(line, verdict, format!("{when} \"{}\"", said.escape_ascii()));
        }
    }

    fn made_to(&mut self, what: AtDevice) {
        let (device, now_us) = (self.device, self.now_us);
        let trouble = match what {
            AtDevice::Thing => {
                self.rig.come_out(device, now_us);
                return drop(self.rig.print(device, now_us));
            }
            AtDevice::Count(n) => return self.rig.set_count(device, n),
            AtDevice::Refuse => Trouble::Refuse,
            AtDevice::Silence => Trouble::Silence,
            AtDevice::Double => Trouble::DoubleAck,
            AtDevice::Fault { ms } => Trouble::Fault { ms },
            AtDevice::Stands { how, ms } => match super::bench::Stand::ALL.into_iter().find(|s| s.word() == how) {
                Some(how) => Trouble::Stands { how, ms },
                None => Trouble::Fault { ms },
            },
        };
        self.rig.trouble(device, trouble, now_us);
    }

    /// What it says depends on what stands before it or hangs on its inputs, which no transcript sets.
    fn sees(&self) -> bool {
        matches!(self.kind, Kind::Reader | Kind::Io)
    }

    /// It must say these bytes now. A reader is shown what the host is told to have seen; `after`: the lines behind. What
    /// a reader is not made to do (noise, faults, codes glued by the wire) is told and not judged.
    fn says(&mut self, line: usize, bytes: &[u8], after: &[(usize, Step)]) {
        let reader = self.kind == Kind::Reader;
        self.pass(ANSWER_US);
        if reader && self.said.is_empty() {
            let Some(symbols) = seen(after) else {
                return self.tell(line, Verdict::Note, "no simulated reader is made to send this: it shows no frame of codes");
            };
            self.rig.read(self.device, &symbols, self.now_us);
        }
        let until_us = self.now_us + PATIENCE_US;
        while self.said.len() < bytes.len() {
            let Some(due_us) = self.rig.deadline().filter(|d| *d <= until_us) else { break };
            self.pass(due_us.saturating_sub(self.now_us));
        }
        match self.said.strip_prefix(bytes) {
            Some(rest) => {
                self.said = rest.to_vec();
                self.tell(line, Verdict::Good, format!("the device says \"{}\"", bytes.escape_ascii()));
            }
            None => {
                let said = std::mem::take(&mut self.said);
                let got = if said.is_empty() { "nothing".into() } else { format!("\"{}\"", said.escape_ascii()) };
                let verdict = if self.sees() { Verdict::Note } else { Verdict::Wrong };
                self.tell(line, verdict, format!("expected \"{}\", got {got}", bytes.escape_ascii()));
            }
        }
    }
}

/// What the next report says that a reader saw, without symbology identifiers and grades; `None`: it is no frame of codes.
fn seen(after: &[(usize, Step)]) -> Option<Vec<Option<Vec<u8>>>> {
    let told = after.iter().find_map(|(_, s)| match s {
        Step::Expect(report) => Some(report.as_str()),
        Step::Device(_) => Some(""),
        _ => None,
    })?;
    let frame = told.strip_prefix("frame ")?;
    if frame == "no-read" {
        return Some(vec![None]);
    }
    Some(frame.strip_prefix("data ")?.split(' ').map(|c| (c != "no-read").then(|| symbol(c))).collect())
}

/// A code as a transcript shows it (`u8::escape_ascii`), as bytes.
fn symbol(shown: &str) -> Vec<u8> {
    let shown = if shown.starts_with(']') && shown.len() > 3 { shown.get(3..).unwrap_or(shown) } else { shown };
    let graded = |g: &str| g == "?" || (g.len() == 3 && g.as_bytes()[1] == b'.');
    let shown = shown.rsplit_once(':').filter(|(_, g)| graded(g)).map_or(shown, |(code, _)| code);
    let (mut out, mut rest) = (Vec::new(), shown.as_bytes());
    while let Some((b, after)) = rest.split_first() {
        let (byte, after) = match (b, after.first()) {
            (b'\\', Some(b'x')) => {
                let hex = after.get(1..3).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
                (hex.unwrap_or(b'x'), after.get(3..).unwrap_or_default())
            }
            (b'\\', Some(b't')) => (b'\t', &after[1..]),
            (b'\\', Some(b'r')) => (b'\r', &after[1..]),
            (b'\\', Some(b'n')) => (b'\n', &after[1..]),
            (b'\\', Some(other)) => (*other, &after[1..]),
            (b, _) => (*b, after),
        };
        out.push(byte);
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_transcripts_show_them() {
        for code in [&b"0104\x1d21A\\b\"c\t\xff"[..], b"A:B", b"x"] {
            assert_eq!(symbol(&code.escape_ascii().to_string()), code);
        }
        assert_eq!((symbol("]d2ABC:3.0"), symbol("ABC:?")), (b"ABC".to_vec(), b"ABC".to_vec()));
    }

    #[test]
    fn what_differs_on_either_side_is_told_with_its_line() {
        let profiles = Profiles::load(None).unwrap();
        let head = "# profile: videojet-zipher\n# source: here\n# from: computed\n";
        let good = format!("{head}! opened\n> 0D\n> \"VER\\r\"\n< \"VER|1.28|UTF-8|\\r\"\n! up 1.28\n");
        let wrong = |text: &str| {
            let t = Transcript::parse(text).unwrap();
            let bad = |lines: Vec<Line>| lines.into_iter().filter(|l| l.verdict == Verdict::Wrong).map(|l| l.line).collect::<Vec<_>>();
            (bad(ours(&t, &profiles).unwrap()), bad(simulated(&t, &profiles).unwrap().unwrap()))
        };
        assert_eq!(wrong(&good), (vec![], vec![]));
        assert_eq!(wrong(&good.replace("up 1.28", "up 1.29")), (vec![8], vec![]));
        assert_eq!(wrong(&good.replace("|UTF-8|", "|ASCII|")), (vec![], vec![7]));
        assert_eq!(wrong(&good.replace("VER\\r\"\n<", "GST\\r\"\n<")).0, vec![6]);
        assert!(
            simulated(&Transcript::parse(&good.replace("# source", "# judges: host\n# source")).unwrap(), &profiles).unwrap().is_none()
        );
    }
}
