//! TSC TSPL/TSPL2: lines, an image buffer that `CLS` empties and `PRINT` prints, `ESC ! S` and `ESC ! ?` at any time
//! (TSPL/TSPL2 programming manual: BARCODE, PRINT, `<ESC>!S`).

use super::{Heard, Job, LONGEST_COMMAND, Label, Language, State, Transmitted};
use crate::sim::bench::Stand;

const ESC: u8 = 0x1b;

#[derive(Debug, Default)]
pub(super) struct Tspl {
    /// `ESC`, and `!` behind it.
    escape: Vec<u8>,
    line: Vec<u8>,
    /// The first barcode in the image buffer.
    image: Option<Label>,
}

impl Tspl {
    fn line(&mut self, heard: &mut Vec<Heard>) {
        let line = std::mem::take(&mut self.line);
        let (word, rest) = line.split_at(line.iter().position(|b| *b == b' ').unwrap_or(line.len()));
        match word {
            b"CLS" => self.image = None,
            b"PRINT" => {
                let numbers = String::from_utf8_lossy(rest).into_owned();
                let mut numbers = numbers.split(',').map(|n| n.trim().parse::<u32>().unwrap_or(1));
                let (sets, copies) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
                heard.push(Heard::Job(Job { label: self.image.clone(), copies: sets.saturating_mul(copies) }));
            }
            b"BARCODE" | b"QRCODE" | b"DMATRIX" if self.image.is_none() => {
                let texts = texts(rest);
                let Some(data) = texts.last() else { return };
                let kind = texts.first().filter(|_| word == b"BARCODE").map_or(&b""[..], Vec::as_slice);
                self.image = match kind {
                    b"128M" | b"EAN128M" => code_128m(data),
                    b"EAN128" => Some(Label { symbol: data.clone(), gs1: true }),
                    _ => (!data.is_empty()).then(|| Label { symbol: data.clone(), gs1: false }),
                };
            }
            _ => {}
        }
    }
}

/// The texts in double quotes; `\["]` is a quote inside one.
fn texts(line: &[u8]) -> Vec<Vec<u8>> {
    let (mut all, mut text, mut inside, mut rest) = (Vec::new(), Vec::new(), false, line);
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        match (b, inside) {
            (b'"', false) => inside = true,
            (b'"', true) => {
                inside = false;
                all.push(std::mem::take(&mut text));
            }
            (b'\\', true) if after.starts_with(b"[\"]") => {
                text.push(b'"');
                rest = &after[3..];
            }
            (b, true) => text.push(b),
            (_, false) => {}
        }
    }
    all
}

/// `!` and three digits are a code set, a start or a function.
fn code_128m(data: &[u8]) -> Option<Label> {
    let (mut t, mut rest) = (Transmitted::default(), data);
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        match after.first_chunk::<3>() {
            Some(digits) if b == b'!' && digits.iter().all(u8::is_ascii_digit) => {
                rest = &after[3..];
                if digits == b"102" {
                    t.fnc1();
                }
            }
            _ => t.bytes.push(b),
        }
    }
    t.label()
}

impl Language for Tspl {
    fn push(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        match (&self.escape[..], byte) {
            (_, ESC) => self.escape = vec![ESC],
            ([ESC], b'!') => self.escape.push(byte),
            ([ESC, b'!'], b'S' | b'?') => {
                self.escape.clear();
                heard.push(Heard::Ask(byte));
            }
            ([], b'\r' | b'\n') => self.line(heard),
            ([], _) if self.line.len() < LONGEST_COMMAND => self.line.push(byte),
            _ => self.escape.clear(),
        }
    }

    fn answer(&mut self, question: u8, state: &State) -> Vec<u8> {
        let printing = state.left() > 0;
        if question == b'?' {
            let bits = match state.fault {
                Some(Stand::HeadOpen) => 0x01,
                Some(Stand::MediaOut) => 0x04,
                Some(Stand::RibbonOut) => 0x08,
                Some(Stand::Paused | Stand::Offline) => 0x10,
                Some(Stand::BufferFull) => 0x80,
                None if printing => 0x20,
                None => 0,
            };
            return vec![bits];
        }
        let status = match state.fault {
            Some(Stand::MediaOut) => b"E@@A",
            Some(Stand::RibbonOut) => b"E@@D",
            Some(Stand::HeadOpen) => b"E@@`",
            Some(Stand::Paused | Stand::Offline) => b"`@@@",
            Some(Stand::BufferFull) => b"@H@@",
            None if printing => b"P@@@",
            None => b"@@@@",
        };
        [b"\x02", &status[..], b"\x03\r\n"].concat()
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
