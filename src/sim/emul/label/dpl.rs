//! Datamax / Honeywell DPL: `SOH A` and `SOH E` at any time, labels from `STX L` to `E`, records with a header of fifteen
//! characters, lines ended by CR (Class Series programmer's manual: immediate commands, "Generating label formats").

use super::{Heard, Job, LONGEST_COMMAND, Label, Language, State, ampersand};
use crate::sim::bench::Stand;

const SOH: u8 = 0x01;
const STX: u8 = 0x02;
/// Rotation, barcode, two widths, height, row, column.
const HEADER: usize = 15;

#[derive(Debug, Default)]
pub(super) struct Dpl {
    /// The control character before.
    control: Option<u8>,
    /// The label being received.
    label: Option<Job>,
    line: Vec<u8>,
}

impl Dpl {
    fn line(&mut self, heard: &mut Vec<Heard>) {
        let line = std::mem::take(&mut self.line);
        let Some(job) = &mut self.label else { return };
        match &line[..] {
            b"E" => {
                let job = self.label.take().expect("just seen");
                heard.push(Heard::Job(job));
            }
            b"X" => self.label = None,
            [b'Q', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
                job.copies = String::from_utf8_lossy(digits).parse().unwrap_or(1);
            }
            [b'1'..=b'4', ..] if job.label.is_none() => job.label = symbol(&line),
            _ => {}
        }
    }
}

/// What a scanner reads of a record; `None`: it is no barcode.
fn symbol(record: &[u8]) -> Option<Label> {
    let plain = |data: &[u8], gs1| (!data.is_empty()).then(|| Label { symbol: data.to_vec(), gs1 });
    match record.get(1)? {
        b'E' | b'e' => ampersand::code_128(record.get(HEADER..)?),
        // The extended barcodes have three characters there; W1I is EAN 128, its FNC1 by itself.
        b'W' => {
            let data = record.get(HEADER + 2..)?;
            match record.get(3)? {
                b'I' | b'i' => ampersand::code_128(data).map(|l| Label { gs1: true, ..l }),
                b'J' | b'j' => ampersand::code_128(data),
                _ => plain(data, false),
            }
        }
        // Images, boxes and lines.
        b'X' | b'Y' => None,
        b'A'..=b'V' | b'a'..=b'v' | b'z' | b'Z' => plain(record.get(HEADER..)?, false),
        _ => None,
    }
}

impl Language for Dpl {
    fn push(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        match (self.control.take(), byte) {
            (None, SOH | STX) => self.control = Some(byte),
            (Some(SOH), b'A' | b'E' | b'e') => heard.push(Heard::Ask(byte)),
            (Some(SOH), b'C') => {
                self.label = None;
                heard.push(Heard::Cancel);
            }
            (Some(STX), b'L') => {
                self.label = Some(Job { label: None, copies: 1 });
                self.line.clear();
            }
            // Immediate and system commands that mean nothing here.
            (Some(_), _) => {}
            (None, b'\r') => self.line(heard),
            (None, b'\n') => {}
            (None, _) if self.line.len() < LONGEST_COMMAND => self.line.push(byte),
            _ => {}
        }
    }

    fn answer(&mut self, question: u8, state: &State) -> Vec<u8> {
        if question == b'E' {
            return format!("{:04}\r", state.left()).into_bytes();
        }
        if question == b'e' {
            return b"00000\r".to_vec();
        }
        let printing = state.remaining > 0 && state.fault.is_none();
        let flags = [
            self.label.is_some(),
            state.is(Stand::MediaOut),
            state.is(Stand::RibbonOut),
            state.left() > 0,
            printing,
            // It has one word for all that stands it still.
            matches!(state.fault, Some(Stand::Paused | Stand::Offline | Stand::HeadOpen | Stand::BufferFull)),
            false,
            false,
        ];
        flags.iter().map(|f| if *f { b'Y' } else { b'N' }).chain([b'\r']).collect()
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
