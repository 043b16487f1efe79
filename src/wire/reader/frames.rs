//! A reader's bytes cut into frames, as its profile says.
//!
//! Invariants: what is held is bounded, whatever comes; after nonsense the next good frame is found; no byte is lost
//! without being named as junk (but what the profile says is to be passed over); a frame whose checksum does not hold is
//! none.

use super::counted::Counted;
use super::delimited::Delimited;
use super::json::Objects;
use super::keys::Keys;
use crate::profile::reader::{Checksum, Form, Framing, Key, SumPlace};
use crate::vocab::time::MS;
use crate::wire::checksum;

/// What came of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Frame(Vec<u8>),
    /// A frame whose checksum does not hold.
    Broken(Vec<u8>),
    /// These bytes are no part of any frame.
    Junk(Vec<u8>),
}

/// A frame before its checksum is looked at.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    pub end: Vec<u8>,
    /// A checksum behind the end.
    pub behind: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum Cut {
    Frame(Raw),
    Junk(Vec<u8>),
}

/// One way of cutting.
pub(super) trait Cutter: Send + std::fmt::Debug {
    fn push(&mut self, byte: u8, out: &mut Vec<Cut>);
    /// The silence after these bytes is long enough to matter; a frame that ends so ends now, any other is junk.
    fn silence(&mut self, out: &mut Vec<Cut>);
    /// Bytes held.
    fn held(&self) -> usize;
}

#[derive(Debug)]
pub struct Frames {
    how: Framing,
    sum: Option<Checksum>,
    cutter: Box<dyn Cutter>,
    /// A silence so long matters (µs); 0: none does.
    silence_us: u64,
    last_us: u64,
}

impl Frames {
    /// `gs_keys`: keys of a keyboard that stand for GS.
    pub fn new(how: Framing, gs_keys: &[Key]) -> Self {
        let (cutter, silence_ms): (Box<dyn Cutter>, u32) = match &how.form {
            Form::Delimited { .. } => (Box::new(Delimited::new(&how)), how.timeout_ms),
            Form::Length { .. } | Form::Ssi | Form::ColaB => (Box::new(Counted::new(&how)), how.timeout_ms),
            Form::IdleGap { gap_ms } => (Box::new(Lump::new(how.max_bytes as usize)), *gap_ms),
            Form::JsonStream => (Box::new(Objects::new(how.max_bytes as usize)), how.timeout_ms),
            Form::Keyboard { end, event_bytes } => {
                (Box::new(Keys::new(end, gs_keys, *event_bytes as usize, how.max_bytes as usize)), how.timeout_ms)
            }
        };
        Self { sum: how.sum(), how, cutter, silence_us: u64::from(silence_ms) * MS, last_us: 0 }
    }

    pub fn feed(&mut self, bytes: &[u8], now_us: u64, out: &mut Vec<Piece>) {
        self.due(now_us, out);
        let mut cuts = Vec::new();
        bytes.iter().for_each(|b| self.cutter.push(*b, &mut cuts));
        self.last_us = now_us;
        self.finish(cuts, out);
    }

    /// A silence that lasted long enough.
    pub fn due(&mut self, now_us: u64, out: &mut Vec<Piece>) {
        if self.deadline().is_some_and(|d| d <= now_us) {
            let mut cuts = Vec::new();
            self.cutter.silence(&mut cuts);
            self.finish(cuts, out);
        }
    }

    pub fn deadline(&self) -> Option<u64> {
        (self.silence_us > 0 && self.cutter.held() > 0).then_some(self.last_us + self.silence_us)
    }

    /// Forgets a half frame and answers its bytes.
    pub fn reset(&mut self) -> Vec<u8> {
        let mut cuts = Vec::new();
        if self.cutter.held() > 0 {
            self.cutter.silence(&mut cuts);
        }
        let bytes = |c: Cut| match c {
            Cut::Frame(r) => [r.head, r.body, r.end, r.behind].concat(),
            Cut::Junk(b) => b,
        };
        cuts.into_iter().flat_map(bytes).collect()
    }

    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.cutter.held()
    }

    fn finish(&self, cuts: Vec<Cut>, out: &mut Vec<Piece>) {
        for cut in cuts {
            let mut raw = match cut {
                Cut::Junk(bytes) if bytes.is_empty() => continue,
                Cut::Junk(bytes) => {
                    out.push(Piece::Junk(bytes));
                    continue;
                }
                Cut::Frame(raw) => raw,
            };
            if let Some(sum) = &self.sum
                && !checked(sum, &mut raw)
            {
                out.push(Piece::Broken([raw.head, raw.body, raw.end, raw.behind].concat()));
                continue;
            }
            out.push(Piece::Frame(self.stripped(raw.body)));
        }
    }

    fn stripped(&self, mut body: Vec<u8>) -> Vec<u8> {
        let (strip, drop) = (self.how.strip.as_bytes(), self.how.drop.as_bytes());
        if !drop.is_empty() {
            body.retain(|b| !drop.contains(b));
        }
        let Some(first) = body.iter().position(|b| !strip.contains(b)) else { return Vec::new() };
        let last = body.iter().rposition(|b| !strip.contains(b)).unwrap_or(first);
        body.truncate(last + 1);
        body.drain(..first);
        body
    }
}

/// Does the checksum hold? Takes it off the body where it stands in it.
fn checked(sum: &Checksum, raw: &mut Raw) -> bool {
    let found = match sum.place {
        SumPlace::AfterEnd => raw.behind.clone(),
        SumPlace::BeforeEnd => match raw.body.len().checked_sub(sum.width()) {
            Some(at) => raw.body.split_off(at),
            None => return false,
        },
    };
    let (head, end): (&[u8], &[u8]) = (if sum.covers.start() { &raw.head } else { b"" }, if sum.covers.end() { &raw.end } else { b"" });
    let holds = checksum::holds(sum, &[head, &raw.body, end], &found);
    if !holds && sum.place == SumPlace::BeforeEnd {
        raw.body.extend(found);
    }
    holds
}

/// Whatever comes before a silence.
#[derive(Debug)]
struct Lump {
    buf: Vec<u8>,
    longest: usize,
    /// It grew too long: no frame.
    spoiled: bool,
}

impl Lump {
    fn new(longest: usize) -> Self {
        Self { buf: Vec::new(), longest, spoiled: false }
    }
}

impl Cutter for Lump {
    fn push(&mut self, byte: u8, out: &mut Vec<Cut>) {
        self.buf.push(byte);
        if self.buf.len() > self.longest {
            self.spoiled = true;
            // One byte stays, so that the silence is still waited for.
            let rest = self.buf.split_off(self.longest);
            out.push(Cut::Junk(std::mem::replace(&mut self.buf, rest)));
        }
    }

    fn silence(&mut self, out: &mut Vec<Cut>) {
        let body = std::mem::take(&mut self.buf);
        out.push(if std::mem::take(&mut self.spoiled) { Cut::Junk(body) } else { Cut::Frame(Raw { body, ..Raw::default() }) });
    }

    fn held(&self) -> usize {
        self.buf.len()
    }
}

#[cfg(test)]
mod tests;
