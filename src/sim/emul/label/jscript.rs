//! cab JScript: lines, a job from `J` to `A n`, `ESC z` and `ESC s` at any time (cab programming manual: "ESCz Extended
//! status request", "B - Barcode", EAN 128).

use super::zpl::symbol::parenthesised;
use super::{Heard, Job, LONGEST_COMMAND, Label, Language, State, Transmitted};
use crate::sim::bench::Stand;

const ESC: u8 = 0x1b;

#[derive(Debug, Default)]
pub(super) struct Jscript {
    escape: bool,
    line: Vec<u8>,
    job: Option<Option<Label>>,
}

impl Jscript {
    fn line(&mut self, heard: &mut Vec<Heard>) {
        let line = std::mem::take(&mut self.line);
        match &line[..] {
            b"J" => self.job = Some(None),
            [b'J', b' ', ..] => self.job = Some(None),
            [b'B', b' ' | b':', ..] => {
                if let Some(label) = self.job.as_mut().filter(|l| l.is_none()) {
                    *label = symbol(&line[1..]);
                }
            }
            [b'A', b' ', amount @ ..] => {
                let copies = String::from_utf8_lossy(amount).trim().parse().unwrap_or(1);
                heard.extend(self.job.take().map(|label| Heard::Job(Job { label, copies })));
            }
            _ => {}
        }
    }
}

/// `[:name;]x,y,r,type[+options],height,…;text`.
fn symbol(field: &[u8]) -> Option<Label> {
    let field = match field.strip_prefix(b":") {
        Some(named) => &named[named.iter().position(|b| *b == b';')? + 1..],
        None => field,
    };
    let at = field.iter().position(|b| *b == b';')?;
    let (head, text) = (&field[..at], &field[at + 1..]);
    let kind = head.split(|b| *b == b',').nth(3)?;
    let kind = kind.split(|b| *b == b'+').next()?;
    match kind.to_ascii_uppercase().as_slice() {
        b"CODE128" => code_128(text),
        b"EAN128" | b"GS1-128" => {
            let (symbol, gs1) = parenthesised(text);
            Some(Label { symbol, gs1 })
        }
        _ => (!text.is_empty()).then(|| Label { symbol: text.to_vec(), gs1: false }),
    }
}

/// `[U:name]` is a code set or a function.
fn code_128(text: &[u8]) -> Option<Label> {
    let (mut t, mut rest) = (Transmitted::default(), text);
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        let end = after.iter().position(|b| *b == b']');
        match (b, end) {
            (b'[', Some(end)) if after.starts_with(b"U:") => {
                if &after[..end] == b"U:FNC1" {
                    t.fnc1();
                }
                rest = &after[end + 1..];
            }
            _ => t.bytes.push(b),
        }
    }
    t.label()
}

impl Language for Jscript {
    fn push(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        match (std::mem::take(&mut self.escape), byte) {
            (_, ESC) => self.escape = true,
            (true, b'z' | b's') => heard.push(Heard::Ask(byte)),
            (true, b'c') => {
                self.job = None;
                heard.push(Heard::Cancel);
            }
            (true, _) => {}
            (false, b'\r' | b'\n') => self.line(heard),
            (false, _) if self.line.len() < LONGEST_COMMAND => self.line.push(byte),
            _ => {}
        }
    }

    fn answer(&mut self, question: u8, state: &State) -> Vec<u8> {
        let stands = state.fault.is_some();
        if question == b's' {
            let word = match state.fault {
                None => b"Y-000000N",
                Some(_) => b"NP000000N",
            };
            return [&word[..], b"\r"].concat();
        }
        let flags = [
            matches!(state.fault, Some(Stand::Paused)),
            state.left() > 0,
            stands && !state.is(Stand::Paused),
            state.remaining > 0 && !stands,
            false,
            false,
            false,
            false,
            false,
            false,
            false,
        ];
        flags.iter().map(|f| if *f { b'Y' } else { b'N' }).chain([b'\r']).collect()
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
