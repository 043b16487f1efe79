//! GoDEX EZPL: labels from `^L` to `E`, `~S,CHECK` answered with two digits once `^XSET,IMMEDIATE,1` was said (EZPL
//! programmer's manual: "~S,CHECK", "About Code 128", the syntax of B).

use super::{Heard, Job, LONGEST_COMMAND, Label, Language, State, ampersand};
use crate::sim::bench::Stand;

#[derive(Debug, Default)]
pub(super) struct Ezpl {
    line: Vec<u8>,
    label: Option<Job>,
    copies: u32,
    /// A setting: it outlives the power.
    immediate: bool,
}

impl Ezpl {
    fn line(&mut self, heard: &mut Vec<Heard>) {
        let line = std::mem::take(&mut self.line);
        match &line[..] {
            b"~S,CHECK" if self.immediate => heard.push(Heard::Ask(0)),
            b"^XSET,IMMEDIATE,1" => self.immediate = true,
            b"^XSET,IMMEDIATE,0" => self.immediate = false,
            [b'^', b'L', ..] => self.label = Some(Job { label: None, copies: self.copies.max(1) }),
            [b'^', b'P', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
                self.copies = String::from_utf8_lossy(digits).parse().unwrap_or(1);
            }
            b"E" => heard.extend(self.label.take().map(Heard::Job)),
            [b'B', ..] => {
                if let Some(job) = self.label.as_mut().filter(|j| j.label.is_none()) {
                    job.label = symbol(&line);
                }
            }
            _ => {}
        }
    }
}

/// `Bt,x,y,narrow,wide,height,rotation,readable,data`.
fn symbol(line: &[u8]) -> Option<Label> {
    let mut parts = line.splitn(9, |b| *b == b',');
    let kind = parts.next()?;
    let data = parts.nth(7)?;
    match kind {
        b"BQ2" | b"BQ" => ampersand::code_128(data),
        // EAN 128 and UCC 128 have their FNC1 by themselves.
        b"BU" | b"BR" => Some(Label { symbol: data.to_vec(), gs1: true }),
        _ => (!data.is_empty()).then(|| Label { symbol: data.to_vec(), gs1: false }),
    }
}

impl Language for Ezpl {
    fn push(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        match byte {
            b'\r' | b'\n' => self.line(heard),
            _ if self.line.len() < LONGEST_COMMAND => self.line.push(byte),
            _ => {}
        }
    }

    fn answer(&mut self, _question: u8, state: &State) -> Vec<u8> {
        let number = match state.fault {
            Some(Stand::MediaOut) => "01",
            Some(Stand::RibbonOut) => "03",
            Some(Stand::HeadOpen) => "04",
            Some(Stand::BufferFull) => "06",
            Some(Stand::Paused) => "20",
            Some(Stand::Offline) => "21",
            None if state.remaining > 0 => "50",
            None if state.waiting > 0 || self.label.is_some() => "60",
            None => "00",
        };
        number.into()
    }

    fn forget(&mut self) {
        *self = Self { immediate: self.immediate, ..Self::default() };
    }
}
