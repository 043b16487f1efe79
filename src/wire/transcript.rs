//! Transcripts: what a device and its host said to each other, and what our side makes of it.
//!
//! ```text
//! # profile: domino-codenet
//! # settings: depth=1 ack_char=A response_length=variable
//! # judges: host                      (a simulated device cannot do what the device did here)
//! # place: serial in.1 cnt.1           (all of it optional)
//! # source: document and page, or where the capture was made
//! # from: document | capture | computed
//! ! opened
//! > 1B 41 3F 04                        host bytes: hex pairs and "text" (\r \n \e \xNN \" \\)
//! < 1B "A01560670600" 04               device bytes
//! ! up 01560670600                     a report
//! ! order arm BOTTLE                   an order
//! +250ms                               time goes by (a verdict is over the newest frame)
//! ! sim thing                          at a simulated printer: thing, count N, refuse, silence, double, fault MS [HOW]
//! ! hang-up                            our side drops the link; "! closed" says that it is gone
//! ```
//!
//! Reports: `up [identity]`, `down`, `ready [cleared]`, `not-ready`, `taken N`, `printed N` (so many), `printed-code N`
//! (that code), `printed-to N` (all up to that code), `cleared`, `out-of-step`, `unsettled`, `reconciled printed [N …] inside
//! [N …]`, `noise N`, `frame no-read`, `frame fault WORD`, `frame data CODE|no-read …`, `polled [in.N=0|1] [cnt.N=V] [safe]`,
//! `overwritten out.N=0|1`.
//! A code's grade stands behind it: `ABC:3.0`. Orders: `arm [MESSAGE]`, `print N BYTES`, `clear`, `disarm`,
//! `output N on|off`, `pulse N on|off`, `trigger MS`, `verdict good|bad`. Must never know: clocks, files.

mod parse;
mod walk;
mod write;

use super::Conversation;
use crate::vocab::plan::Setting;
use crate::vocab::report::{Field, Frame};
use crate::vocab::{CodeRef, Order, PackNo, Report};
use std::collections::BTreeMap;

pub use parse::Wrong;
pub use write::{Side, Writer, notation};

/// Where a transcript comes from; `Computed` keeps a profile unverified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Document,
    Capture,
    Computed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    pub profile: String,
    pub settings: Vec<(String, String)>,
    pub serial: bool,
    pub inputs: Vec<u16>,
    pub counters: Vec<u16>,
    pub source: String,
    pub origin: Origin,
    /// A simulated device cannot do what the device did: only our side is judged.
    pub host_only: bool,
    /// Line number and step.
    pub steps: Vec<(usize, Step)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Opened,
    Closed,
    /// The host must send exactly this.
    Host(Vec<u8>),
    Device(Vec<u8>),
    Wait {
        us: u64,
    },
    Order(Order),
    /// The host must report this (`shown`).
    Expect(String),
    HangUp,
    /// What happens at the printer; nothing for our side (`! sim …`).
    At(AtDevice),
}

/// What a simulated device is made to do, so that it says what the transcript says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtDevice {
    /// A thing passes the head; of a label printer: the label comes out.
    Thing,
    /// Its print counter stands here.
    Count(u64),
    /// The next code is refused.
    Refuse,
    /// The next request is not answered.
    Silence,
    Fault {
        ms: u32,
    },
    /// A label printer stands for this reason, one of [`AtDevice::STANDS`]; 0: no more.
    Stands {
        how: &'static str,
        ms: u32,
    },
    /// The next acknowledgement comes twice.
    Double,
}

impl AtDevice {
    pub const STANDS: [&str; 6] = ["media-out", "ribbon-out", "head-open", "paused", "offline", "buffer-full"];
}

/// The code that `print N` and `taken N` mean.
pub fn code(n: u32) -> CodeRef {
    CodeRef::new(PackNo(1), n)
}

/// A report as a transcript writes it.
pub fn shown(report: &Report) -> String {
    match report {
        Report::Up { identity: Some(i) } => format!("up {i}"),
        Report::Up { identity: None } => "up".into(),
        Report::Down { .. } => "down".into(),
        Report::Ready { cleared: true } => "ready cleared".into(),
        Report::Ready { cleared: false } => "ready".into(),
        Report::NotReady { .. } => "not-ready".into(),
        Report::Taken { code } => format!("taken {}", code.ordinal),
        Report::Printed { count } => format!("printed {count}"),
        Report::PrintedCode { code } => format!("printed-code {}", code.ordinal),
        Report::PrintedTo { code } => format!("printed-to {}", code.ordinal),
        Report::Cleared => "cleared".into(),
        Report::Unprintable { code, .. } => format!("unprintable {}", code.ordinal),
        Report::OutOfStep { .. } => "out-of-step".into(),
        Report::Unsettled => "unsettled".into(),
        Report::Reconciled { printed, inside } => {
            let named = |word: &str, codes: &[CodeRef]| codes.iter().fold(format!(" {word}"), |s, c| format!("{s} {}", c.ordinal));
            format!("reconciled{}{}", named("printed", printed), named("inside", inside))
        }
        Report::Frame(Frame::NoRead) => "frame no-read".into(),
        Report::Frame(Frame::Fault(word)) => format!("frame fault {word}"),
        Report::Frame(Frame::Data(fields)) => fields.iter().fold("frame data".into(), |s, f| match f {
            Field::NoRead => s + " no-read",
            Field::Code(bytes) => s + " " + &bytes.escape_ascii().to_string(),
            Field::Graded { code, grade } => {
                let grade = grade.map_or("?".into(), |g| g.to_string());
                format!("{s} {}:{grade}", code.escape_ascii())
            }
        }),
        Report::Polled(p) => {
            let mut s = "polled".to_string();
            p.inputs.iter().for_each(|(n, on)| s += &format!(" in.{n}={}", u8::from(*on)));
            p.counters.iter().for_each(|(n, v)| s += &format!(" cnt.{n}={v}"));
            s + if p.safe { " safe" } else { "" }
        }
        Report::Overwritten { number, on } => format!("overwritten out.{number}={}", u8::from(*on)),
        Report::Noise { count, .. } => format!("noise {count}"),
    }
}

impl Transcript {
    /// Reads the notation; every mistake at once.
    pub fn parse(text: &str) -> Result<Self, Vec<Wrong>> {
        parse::transcript(text)
    }

    /// Its settings, as a configuration would say them.
    pub fn settings(&self) -> BTreeMap<String, Setting> {
        let value = |v: &str| match v {
            "true" => Setting::Flag(true),
            "false" => Setting::Flag(false),
            v => v.parse().map_or_else(|_| Setting::Text(v.into()), Setting::Number),
        };
        self.settings.iter().map(|(k, v)| (k.clone(), value(v))).collect()
    }

    /// No line says what our side reports: what was recorded between a device and its host, as it is.
    pub fn is_bare(&self) -> bool {
        !self.steps.iter().any(|(_, s)| matches!(s, Step::Expect(_) | Step::HangUp))
    }

    /// Plays the device's part; `Err`: the first line that our side did not keep to, and how.
    pub fn replay(&self, host: &mut dyn Conversation) -> Result<(), Wrong> {
        walk::walk(self, host)
            .into_iter()
            .find(|l| l.verdict == Verdict::Wrong)
            .map_or(Ok(()), |l| Err(Wrong { line: l.line, what: l.what }))
    }

    /// Plays the device's part to the end: what came of each line. Of a bare transcript, reports are told and not judged.
    pub fn walk(&self, host: &mut dyn Conversation) -> Vec<Line> {
        walk::walk(self, host)
    }
}

/// What came of a line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub line: usize,
    pub verdict: Verdict,
    /// For `Played`: what was done; for `Good`: what was expected and came; else a sentence.
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The other part, played.
    Played,
    Good,
    /// Worth knowing, and not judged.
    Note,
    Wrong,
}

#[cfg(test)]
mod tests;
