//! What the line must know of a device, whatever its protocol.

use super::grade::Grade;

/// What the line must know of a device, taken from its profile and settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traits {
    Printer(PrinterTraits),
    Reader(ReaderTraits),
    Io(IoTraits),
}

impl Traits {
    pub fn is_io(&self) -> bool {
        matches!(self, Self::Io(_))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IoTraits {
    /// It times pulses itself (`pulse.N`).
    pub pulses: bool,
    /// What its own watchdog is set to, where somebody said so.
    pub watchdog_ms: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrinterTraits {
    /// Codes its buffer holds beyond the one being printed; 1 for a one-deep printer.
    pub depth: u32,
    /// Reports each print (an event, an index, a readiness change).
    pub confirms: bool,
    /// Its buffer is cleared when it is adopted.
    pub clear_on_adopt: bool,
    /// It prints labels from a template, one at a time, instead of a code on a thing.
    pub label: bool,
    /// Prints the last code again when nothing new came: dangerous.
    pub repeats_on_empty: bool,
    /// Nothing but a read tells of its prints, and a new code replaces the last: it gets one when that was read, or was not.
    pub one_by_one: bool,
    /// Its message can be selected over the wire.
    pub selects: bool,
    /// Fixed fields of the message can be set over the wire.
    pub sets_fields: bool,
    /// What its labels can hold, of a label printer.
    pub labels: Option<LabelTraits>,
}

/// What the labels of a printer can hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelTraits {
    /// What every template has in it: how a label begins, what prints it.
    pub must_have: Vec<String>,
    pub text: TextRule,
    pub symbol: TextRule,
}

/// What a text may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextRule {
    /// Bytes 20 to 7E only.
    pub printable_only: bool,
    pub forbidden: Vec<u8>,
    /// Most bytes; 0: nobody counts.
    pub longest: usize,
}

impl TextRule {
    /// Why a text cannot stand there: "it …".
    pub fn refuses(&self, text: &[u8]) -> Option<String> {
        if self.longest > 0 && text.len() > self.longest {
            return Some(format!("it is longer than {} bytes", self.longest));
        }
        let control = |b: &&u8| self.printable_only && !(0x20..0x7f).contains(*b);
        let bad = text.iter().find(|b| control(b) || self.forbidden.contains(b))?;
        Some(match bad {
            0x21..=0x7e => format!("it holds the character {}", char::from(*bad)),
            0x80.. => "it holds more than printable ASCII".into(),
            _ => format!("it holds the byte {bad:02X}"),
        })
    }
}

impl LabelTraits {
    /// The places of a template.
    pub const PLACES: [&str; 4] = ["code", "gs1", "lot", "count"];

    /// What is wrong with a template: what, and what would be right.
    pub fn complaints(&self, template: &str) -> Vec<(String, &'static str)> {
        let mut wrong = Vec::new();
        // A template may hold the characters themselves.
        let named = [('\u{1}', "<SOH>"), ('\u{2}', "<STX>"), ('\u{3}', "<ETX>"), ('\u{1b}', "<ESC>")];
        let named = named.iter().fold(template.to_string(), |t, (c, name)| t.replace(*c, name));
        for missing in self.must_have.iter().filter(|m| !named.contains(m.as_str())) {
            wrong.push((
                format!("the label has no {}", missing.trim()),
                "write it in the language of its printer, from its beginning to what prints it",
            ));
        }
        if !template.contains("{code}") && !template.contains("{gs1}") {
            wrong.push(("the label shows no code".into(), "write {gs1} where a barcode's data stands, or {code}"));
        }
        for part in template.split('{').skip(1) {
            let Some((name, _)) = part.split_once('}') else { continue };
            let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if word && !Self::PLACES.contains(&name) {
                wrong.push((format!("the label has no place {{{name}}}"), "use {code}, {gs1}, {lot} or {count}"));
            }
        }
        wrong
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReaderTraits {
    /// An unread position leaves its marker in place.
    pub positional: bool,
    /// It is told each frame's verdict.
    pub wants_verdict: bool,
    /// It reads when it is told to, at the station's trigger edge.
    pub by_command: bool,
    /// It sends a grade with each code.
    pub graded: bool,
    /// No symbology identifier stands before its codes.
    pub without_aim: bool,
    /// The poorest grade that is good enough, wherever it stands.
    pub least_grade: Option<Grade>,
    /// What may go wrong with it as it is set: "what; what would be right".
    pub warnings: Vec<String>,
}
