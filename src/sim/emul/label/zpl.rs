//! Zebra ZPL II: formats `^XA … ^XZ`, host status `~HS`.

pub(super) mod symbol;

use super::{Heard, Job, LONGEST_COMMAND, Language, State};
use crate::sim::bench::Stand;
use symbol::Field;

#[derive(Debug, Default)]
pub(super) struct Zpl {
    /// The command being received, from its `^` or `~`.
    command: Vec<u8>,
    format: Option<Format>,
}

#[derive(Clone, Debug, Default)]
struct Format {
    fields: Vec<Field>,
    field: Field,
    copies: u32,
}

impl Zpl {
    /// A whole command, with its prefix.
    fn obey(&mut self, heard: &mut Vec<Heard>) {
        let command = std::mem::take(&mut self.command);
        let Some((prefix, rest)) = command.split_first() else { return };
        if *prefix == b'~' {
            if rest.starts_with(b"JA") {
                self.format = None;
                heard.push(Heard::Cancel);
            }
            return;
        }
        let Some((name, data)) = rest.split_at_checked(2) else { return };
        match (name, &mut self.format) {
            (b"XA", _) => self.format = Some(Format { copies: 1, ..Format::default() }),
            (b"XZ", Some(f)) => {
                let label = f.fields.iter().find_map(Field::label);
                heard.push(Heard::Job(Job { label, copies: f.copies }));
                self.format = None;
            }
            (b"PQ", Some(f)) => {
                let digits: String = data.iter().map(|b| *b as char).take_while(char::is_ascii_digit).collect();
                f.copies = digits.parse().unwrap_or(1);
            }
            (b"FS", Some(f)) => f.fields.push(std::mem::take(&mut f.field)),
            (name, Some(f)) => f.field.take(name, data),
            (_, None) => {}
        }
    }
}

impl Language for Zpl {
    fn push(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        match byte {
            b'^' | b'~' => {
                self.obey(heard);
                self.command.push(byte);
            }
            // Line ends between commands mean nothing.
            b'\r' | b'\n' => {}
            _ if self.command.is_empty() || self.command.len() >= LONGEST_COMMAND => {}
            _ => self.command.push(byte),
        }
        match &self.command[..] {
            b"~HS" => {
                self.command.clear();
                heard.push(Heard::Ask(0));
            }
            // These need nothing after them.
            b"^XA" | b"^XZ" | b"~JA" | b"^FS" => self.obey(heard),
            _ => {}
        }
    }

    /// The three strings of `~HS`. It has no word for being offline but the pause; paper out pauses it too.
    fn answer(&mut self, _question: u8, state: &State) -> Vec<u8> {
        let flag = |on: bool| u8::from(on);
        let paper = flag(state.is(Stand::MediaOut));
        let pause = flag(state.is(Stand::MediaOut) || state.is(Stand::Paused) || state.is(Stand::Offline));
        let (full, head, ribbon) = (flag(state.is(Stand::BufferFull)), flag(state.is(Stand::HeadOpen)), flag(state.is(Stand::RibbonOut)));
        let (waiting, partial) = (state.waiting.min(999), flag(self.format.is_some()));
        let strings = [
            format!("030,{paper},{pause},1245,{waiting:03},{full},0,{partial},000,0,0,0"),
            format!("000,0,{head},{ribbon},0,2,4,0,{:08},1,000", state.remaining),
            "1234,0".into(),
        ];
        strings.iter().flat_map(|s| [b"\x02", s.as_bytes(), b"\x03\r\n"].concat()).collect()
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
