//! SATO SBPL: labels from `ESC A` to `ESC Z`, `ENQ` answered with 25 characters between STX and ETX, `CAN`, and ACK or NAK
//! for a label (SBPL programming reference: "Bi-directional communications", CODE128, the Code 128 character table).

use super::{Heard, Job, LONGEST_COMMAND, Label, Language, State, Transmitted};
use crate::sim::bench::Stand;
use crate::vocab::sscc::check_digit;

const ENQ: u8 = 0x05;
const CAN: u8 = 0x18;
const ESC: u8 = 0x1b;

#[derive(Debug, Default)]
pub(super) struct Sbpl {
    /// The command being received, without its ESC.
    command: Option<Vec<u8>>,
    label: Option<Job>,
    /// `ESC ID` of the newest label.
    id: Option<[u8; 2]>,
}

impl Sbpl {
    fn obey(&mut self, heard: &mut Vec<Heard>) {
        let Some(command) = self.command.take() else { return };
        match (&command[..], &mut self.label) {
            (b"A", _) => self.label = Some(Job { label: None, copies: 1 }),
            (b"Z", Some(_)) => heard.extend(self.label.take().map(Heard::Job)),
            ([b'Q', digits @ ..], Some(job)) => job.copies = String::from_utf8_lossy(digits).parse().unwrap_or(1),
            ([b'I', b'D', a, b], _) => self.id = Some([*a, *b]),
            // Two digits of width, three of height.
            ([b'B', b'G', data @ ..], Some(job)) if job.label.is_none() => job.label = data.get(5..).and_then(code_128),
            // And one for the text; seventeen digits, to which it adds AI and check digit.
            ([b'B', b'I', data @ ..], Some(job)) if job.label.is_none() => job.label = data.get(6..).and_then(ucc_128),
            _ => {}
        }
    }
}

/// `>` and a letter is a start, a code set or a function.
fn code_128(data: &[u8]) -> Option<Label> {
    let (mut t, mut rest) = (Transmitted::default(), data);
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        match (b, after.first()) {
            (b'>', Some(b'F')) => {
                t.fnc1();
                rest = &after[1..];
            }
            (b'>', Some(_)) => rest = &after[1..],
            _ => t.bytes.push(b),
        }
    }
    t.label()
}

fn ucc_128(digits: &[u8]) -> Option<Label> {
    let digits = digits.get(..17).filter(|d| d.iter().all(u8::is_ascii_digit))?;
    Some(Label { symbol: [b"00", digits, &[check_digit(digits)]].concat(), gs1: true })
}

impl Language for Sbpl {
    fn push(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        match byte {
            ENQ => heard.push(Heard::Ask(0)),
            CAN => {
                (self.command, self.label) = (None, None);
                heard.push(Heard::Cancel);
            }
            ESC => {
                self.obey(heard);
                self.command = Some(Vec::new());
            }
            // STX and ETX around a job, line ends, and other controls.
            0..=0x1f => {}
            _ => {
                if let Some(c) = self.command.as_mut().filter(|c| c.len() < LONGEST_COMMAND) {
                    c.push(byte);
                }
                // The end needs nothing after it.
                if self.command.as_deref() == Some(b"Z") {
                    self.obey(heard);
                }
            }
        }
    }

    fn answer(&mut self, _question: u8, state: &State) -> Vec<u8> {
        let letter = match state.fault {
            Some(Stand::MediaOut) => 'c',
            Some(Stand::RibbonOut) => 'd',
            Some(Stand::HeadOpen) => 'b',
            Some(Stand::Paused) => 'E',
            Some(Stand::Offline) => '0',
            Some(Stand::BufferFull) => 'a',
            None if state.remaining > 0 => 'G',
            None if state.waiting > 0 || self.label.is_some() => 'S',
            None => 'A',
        };
        let (id, left) = match state.left() {
            0 => (*b"  ", 0),
            left => (self.id.unwrap_or(*b"00"), left),
        };
        format!("\x02{}{letter}{left:06}{:16}\x03", String::from_utf8_lossy(&id), "").into_bytes()
    }

    fn forget(&mut self) {
        *self = Self::default();
    }

    fn acknowledges(&self, taken: bool) -> &'static [u8] {
        if taken { b"\x06" } else { b"\x15" }
    }
}
