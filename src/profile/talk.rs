//! A printer's profile of the dialects `commands` and `label`, read and checked: patterns instead of texts, steps instead
//! of words.
//!
//! Invariant: every name that one part uses, another part has; nobody who holds a [`Talk`] looks for what is missing.

use super::bytes::{Pattern, Values};
use super::firmware::CommandChange;
use super::label::LabelForm;
use super::printer::*;
use crate::vocab::plan::TextRule;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub struct Talk {
    pub before: Pattern,
    pub after: Pattern,
    /// Other ways of wrapping, by name: before and after.
    pub framings: BTreeMap<String, (Pattern, Pattern)>,
    pub checksum: Option<Checksum>,
    pub doubled: Option<u8>,
    pub doubled_setting: Option<String>,
    pub values: BTreeMap<String, ValueForm>,
    pub inbound: Vec<InboundForm>,
    pub commands: BTreeMap<Role, CommandForm>,
    pub events: Vec<EventForm>,
    pub status: Vec<StatusRule>,
    pub connect: Vec<Step>,
    pub arm: Vec<Step>,
    pub disarm: Vec<Step>,
    pub clear: Vec<Step>,
    pub resume: Vec<Step>,
    pub recover: Vec<Step>,
    pub poll: PollRule,
    pub firmware: Vec<FirmwareForm>,
    pub quirks: Vec<Quirk>,
    pub simulated: Simulated,
    /// The simulated printer's answer to what it does not know.
    pub unknown: Option<Pattern>,
    /// Dialect `label`: what stands on its labels, and how.
    pub label: Option<LabelForm>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Do(Role),
    Wait { ms: u32 },
}

#[derive(Clone, Debug)]
pub struct ValueForm {
    pub charset: Charset,
    pub forbidden: Vec<u8>,
    pub escapes: Vec<(u8, Vec<u8>)>,
    pub shortest: usize,
    pub longest: usize,
}

#[derive(Clone, Debug)]
pub struct InboundForm {
    pub name: String,
    pub form: Begin,
    /// A checksum ends it.
    pub checked: bool,
}

/// How a unit begins and ends.
#[derive(Clone, Debug)]
pub enum Begin {
    Delimited { begin: Vec<u8>, end: Vec<u8> },
    Line { end: Vec<u8> },
    Byte { bytes: Vec<u8> },
    Prefix { begin: Vec<u8>, then: usize, of: Class },
    Fixed { begin: Vec<u8>, then: usize },
    Counted { begin: Vec<u8>, length: LengthForm, wide: usize, extra: usize },
    Idle { gap_ms: u32 },
}

#[derive(Clone, Debug)]
pub struct CommandForm {
    pub send: Pattern,
    pub raw: bool,
    pub replies: Vec<ReplyForm>,
    pub timeout_ms: u32,
    pub pause_ms: u32,
    pub answer_optional: bool,
    pub silence: Option<String>,
    pub settle_ms: u32,
    pub read_back: Option<Role>,
}

#[derive(Clone, Debug)]
pub struct ReplyForm {
    pub is: Pattern,
    /// Further units of the same answer.
    pub then: Vec<Pattern>,
    pub from: Option<usize>,
    pub means: Means,
    pub when: Option<When>,
    pub say: Option<String>,
}

#[derive(Clone, Debug)]
pub struct EventForm {
    pub is: Pattern,
    pub from: Option<usize>,
    pub means: EventMeans,
    pub answer: Option<Vec<u8>>,
    pub say: Option<String>,
}

/// What is otherwise in some firmware.
#[derive(Clone, Debug)]
pub struct FirmwareForm {
    pub from: Option<String>,
    pub below: Option<String>,
    pub lacks: Vec<Role>,
    /// Each with the whole command, of which the change takes what it names.
    pub commands: BTreeMap<Role, (CommandChange, CommandForm)>,
    pub arm: Option<Vec<Step>>,
    pub disarm: Option<Vec<Step>>,
    pub clear: Option<Vec<Step>>,
}

/// What a printer's status says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub condition: Condition,
    pub say: String,
    /// The sequence `recover` may set it right.
    pub recovers: bool,
}

/// What stands for a place, as bytes on the wire.
pub type Places<'p> = &'p dyn Fn(&str) -> Option<Vec<u8>>;
/// What a label printer's status says of it and of the label it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Why it does not print.
    pub trouble: Option<String>,
    /// Something of a label is still before it.
    pub busy: bool,
}

impl Talk {
    pub fn has(&self, role: Role) -> bool {
        self.commands.contains_key(&role)
    }

    /// What stands before and after a command, as this device is set.
    pub fn frame(&self, of: Places<'_>) -> Result<(Vec<u8>, Vec<u8>), String> {
        let named = of("setting.framing").and_then(|n| self.framings.get(String::from_utf8_lossy(&n).as_ref()));
        let (before, after) = named.map_or((&self.before, &self.after), |f| (&f.0, &f.1));
        Ok((before.render(of)?, after.render(of)?))
    }

    /// The checksum, over what this device is set to.
    pub fn checking(&self, of: Places<'_>) -> Option<Checksum> {
        let mut sum = self.checksum.clone()?;
        let word = sum.over_setting.as_ref().and_then(|key| of(&format!("setting.{key}")));
        if let Some(over) = word.and_then(|w| Coverage::of_word(&String::from_utf8_lossy(&w))) {
            sum.over = over;
        }
        Some(sum)
    }

    /// The byte that stands twice within a frame, as this device is set.
    pub fn doubling(&self, of: Places<'_>) -> Option<u8> {
        let off = self.doubled_setting.as_ref().and_then(|key| of(&format!("setting.{key}"))).is_some_and(|v| v == b"0");
        self.doubled.filter(|_| !off)
    }

    /// A command's bytes on the wire, and its checksum. `of` answers places that are already encoded.
    pub fn wrap(&self, role: Role, of: Places<'_>) -> Result<(Vec<u8>, String), String> {
        let c = &self.commands[&role];
        let body = c.send.render(of)?;
        if c.raw {
            return Ok((body, String::new()));
        }
        let body = double(self.doubling(of), body);
        let (before, after) = self.frame(of)?;
        let Some(sum) = self.checking(of) else { return Ok(([before, body, after].concat(), String::new())) };
        let all = if sum.place == ChecksumPlace::Last { [&before[..], &body, &after].concat() } else { [&before[..], &body].concat() };
        let check = sum.over_frame(&body, &all);
        let bytes = match sum.place {
            ChecksumPlace::Last => [before, body, after, check.clone()].concat(),
            ChecksumPlace::BeforeAfter => [before, body, check.clone(), after].concat(),
            ChecksumPlace::InReply => [before, body, after].concat(),
        };
        Ok((bytes, String::from_utf8_lossy(&check).into_owned()))
    }

    /// The inside of a frame, with its checksum; `None`: it is none, or its checksum is wrong.
    pub fn unwrap_frame(&self, bytes: &[u8], of: Places<'_>) -> Option<(Vec<u8>, String)> {
        let (before, after) = self.frame(of).ok()?;
        let doubled = self.doubling(of);
        let inside = bytes.strip_prefix(before.as_slice())?;
        let Some(sum) = self.checking(of) else { return Some((single(doubled, inside.strip_suffix(after.as_slice())?)?, String::new())) };
        let wide = sum.wide();
        let (body, check, covered) = match sum.place {
            ChecksumPlace::Last => {
                let (rest, check) = inside.split_at_checked(inside.len().checked_sub(wide)?)?;
                let all = &bytes[..bytes.len() - wide];
                (rest.strip_suffix(after.as_slice())?, Some(check), all)
            }
            ChecksumPlace::BeforeAfter => {
                let rest = inside.strip_suffix(after.as_slice())?;
                let (body, check) = rest.split_at_checked(rest.len().checked_sub(wide)?)?;
                (body, Some(check), &bytes[..before.len() + body.len()])
            }
            ChecksumPlace::InReply => (inside.strip_suffix(after.as_slice())?, None, bytes),
        };
        let should = sum.over_frame(body, covered);
        if check.is_some_and(|c| c != should.as_slice()) {
            return None;
        }
        Some((single(doubled, body)?, String::from_utf8_lossy(&should).into_owned()))
    }

    /// How a value is written in a place; `Err`: what it may not hold.
    pub fn encode(&self, place: &str, value: &[u8]) -> Result<Vec<u8>, String> {
        self.values.get(place).map_or_else(|| Ok(value.to_vec()), |rule| rule.encode(value))
    }

    /// What was written so.
    pub fn decode(&self, place: &str, written: &[u8]) -> Vec<u8> {
        self.values.get(place).map_or_else(|| written.to_vec(), |rule| rule.decode(written))
    }

    /// What the places of a status mean.
    pub fn judge(&self, values: &Values) -> Verdict {
        let holding: Vec<&StatusRule> = self.status.iter().filter(|s| s.holds(values)).collect();
        let condition = holding.iter().map(|s| s.becomes).max().unwrap_or(Condition::Ready);
        let mut told: Vec<&&StatusRule> = holding.iter().filter(|s| s.becomes >= Condition::Warning && !s.say.is_empty()).collect();
        // The worst first: it is why the line stands.
        told.sort_by_key(|s| std::cmp::Reverse(s.becomes));
        let filled = |say: &str| {
            values.iter().fold(say.to_string(), |s, (place, v)| s.replace(&format!("{{{place}}}"), String::from_utf8_lossy(v).trim()))
        };
        let said: Vec<String> = told.iter().map(|s| filled(&s.say)).collect();
        let recovers = holding.iter().any(|s| s.recovers);
        Verdict { condition, say: said.join(", "), recovers }
    }

    /// The same of a label printer.
    pub fn look(&self, values: &Values) -> Look {
        let v = self.judge(values);
        let busy = self.status.iter().any(|s| s.becomes == Condition::Printing && s.holds(values));
        Look { trouble: (v.condition >= Condition::Fault).then_some(v.say), busy }
    }

    /// Its status counts labels, so that "nothing left" is true of a printer in trouble too.
    pub fn counts_labels(&self) -> bool {
        self.has(Role::Fill) || self.status.iter().any(|s| s.becomes == Condition::Printing && s.over.is_some())
    }

    /// The rules that hold for a printer that calls itself so.
    pub fn firmware_of(&self, identity: &str) -> impl Iterator<Item = &FirmwareForm> {
        let own = version(identity);
        self.firmware.iter().filter(move |f| {
            let at_least = f.from.as_deref().is_none_or(|v| own >= version(v));
            at_least && f.below.as_deref().is_none_or(|v| own < version(v))
        })
    }

    /// How a printer that calls itself so is spoken to; `None`: like any other.
    pub fn of_firmware(&self, identity: &str) -> Option<Self> {
        let mut own = None;
        for f in self.firmware_of(identity).filter(|f| f.changes()) {
            f.change(own.get_or_insert_with(|| self.clone()));
        }
        own
    }

    pub fn has_quirk(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}

impl ValueForm {
    /// How a value is written; `Err`: what it may not hold.
    pub fn encode(&self, value: &[u8]) -> Result<Vec<u8>, String> {
        let shortest = self.shortest.max(1);
        if value.len() < shortest || value.len() > self.longest {
            return Err(format!("it has {} bytes, and this printer takes {shortest} to {}", value.len(), self.longest));
        }
        let plain: Vec<u8> = match self.charset {
            Charset::Bytes => value.to_vec(),
            Charset::Ascii if value.is_ascii() => value.to_vec(),
            Charset::Ascii => return Err("it is not ASCII".into()),
            Charset::Printable if value.iter().all(|b| (0x20..0x7f).contains(b)) => value.to_vec(),
            Charset::Printable => return Err("it holds more than the printable characters of ASCII".into()),
            Charset::Utf8 => std::str::from_utf8(value).map_err(|_| "it is not UTF-8")?.into(),
            Charset::Latin1 => {
                let text = std::str::from_utf8(value).map_err(|_| "it is not UTF-8")?;
                text.chars().map(|c| u8::try_from(u32::from(c)).map_err(|_| format!("Latin-1 has no {c}"))).collect::<Result<_, _>>()?
            }
        };
        if let Some(b) = plain.iter().find(|b| self.forbidden.contains(b)) {
            return Err(format!("it holds the byte {b:02X}, which this printer cannot take"));
        }
        let escaped = |b: &u8| self.escapes.iter().find(|e| e.0 == *b).map_or_else(|| vec![*b], |e| e.1.clone());
        Ok(plain.iter().flat_map(escaped).collect())
    }

    /// What was written so.
    pub fn decode(&self, written: &[u8]) -> Vec<u8> {
        let (mut plain, mut rest) = (Vec::new(), written);
        while let Some(first) = rest.first() {
            match self.escapes.iter().find(|e| rest.starts_with(&e.1)) {
                Some((byte, as_bytes)) => {
                    plain.push(*byte);
                    rest = &rest[as_bytes.len()..];
                }
                None => {
                    plain.push(*first);
                    rest = &rest[1..];
                }
            }
        }
        match self.charset {
            Charset::Latin1 => plain.iter().map(|b| char::from(*b)).collect::<String>().into_bytes(),
            _ => plain,
        }
    }

    /// What it lets in, for those who must know before it is written.
    pub fn as_rule(&self) -> TextRule {
        TextRule { printable_only: self.charset == Charset::Printable, forbidden: self.forbidden.clone(), longest: self.longest }
    }
}

impl FirmwareForm {
    /// It does more than to lack commands.
    fn changes(&self) -> bool {
        !self.commands.is_empty() || [&self.arm, &self.disarm, &self.clear].iter().any(|s| s.is_some())
    }

    pub fn change(&self, talk: &mut Talk) {
        for (role, (change, form)) in &self.commands {
            let own = talk.commands.entry(*role).or_insert_with(|| form.clone());
            if change.send.is_some() {
                own.send.clone_from(&form.send);
            }
            if change.replies.is_some() {
                own.replies.clone_from(&form.replies);
            }
            own.raw = change.raw.unwrap_or(own.raw);
            own.timeout_ms = change.timeout_ms.unwrap_or(own.timeout_ms);
            own.pause_ms = change.pause_ms.unwrap_or(own.pause_ms);
        }
        for (own, other) in [(&mut talk.arm, &self.arm), (&mut talk.disarm, &self.disarm), (&mut talk.clear, &self.clear)] {
            if let Some(other) = other {
                own.clone_from(other);
            }
        }
    }
}

/// The numbers of a version, whatever stands before the first.
pub(super) fn version(text: &str) -> Vec<u32> {
    let from = text.find(|c: char| c.is_ascii_digit()).map_or("", |i| &text[i..]);
    let end = from.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(from.len());
    from[..end].split('.').map_while(|n| n.parse().ok()).collect()
}

/// The bytes with every `what` among them twice.
pub fn double(what: Option<u8>, bytes: Vec<u8>) -> Vec<u8> {
    match what {
        Some(what) => bytes.into_iter().flat_map(|b| std::iter::repeat_n(b, if b == what { 2 } else { 1 })).collect(),
        None => bytes,
    }
}

/// The bytes with every pair of `what` once; `None`: one stands alone.
pub fn single(what: Option<u8>, bytes: &[u8]) -> Option<Vec<u8>> {
    let Some(what) = what else { return Some(bytes.to_vec()) };
    let (mut out, mut rest) = (Vec::with_capacity(bytes.len()), bytes.iter());
    while let Some(b) = rest.next() {
        if *b == what && rest.next() != Some(&what) {
            return None;
        }
        out.push(*b);
    }
    Some(out)
}

impl Checksum {
    /// Characters that it takes.
    pub fn wide(&self) -> usize {
        if self.form == ChecksumForm::Byte { 1 } else { 2 }
    }

    /// Of a frame: what stands inside it, and all that stands before the checksum.
    pub fn over_frame(&self, inside: &[u8], before: &[u8]) -> Vec<u8> {
        match self.over {
            Coverage::Command => self.of(inside),
            Coverage::AllBefore => self.of(before),
            Coverage::AllBeforeButEsc => self.of(&before.iter().copied().filter(|b| *b != 0x1b).collect::<Vec<_>>()),
        }
    }

    pub fn of(&self, bytes: &[u8]) -> Vec<u8> {
        let sum = bytes.iter().fold(0u8, |s, b| s.wrapping_add(*b));
        let check = match self.kind {
            ChecksumKind::Sum8 => sum,
            ChecksumKind::Sum8Negated => sum.wrapping_neg(),
            ChecksumKind::Xor8 => bytes.iter().fold(0, |x, b| x ^ b),
        };
        match self.form {
            ChecksumForm::Byte => vec![check],
            ChecksumForm::Hex => format!("{check:02X}").into_bytes(),
        }
    }
}

impl Begin {
    /// CR or LF at its beginning is its own.
    pub fn begins_with_line_end(&self) -> bool {
        match self {
            Self::Delimited { begin, .. } | Self::Prefix { begin, .. } | Self::Fixed { begin, .. } | Self::Counted { begin, .. } => {
                begin.first().is_some_and(|b| b"\r\n".contains(b))
            }
            Self::Byte { bytes } => bytes.iter().any(|b| b"\r\n".contains(b)),
            Self::Line { .. } | Self::Idle { .. } => false,
        }
    }

    /// It takes whatever no other form takes.
    pub fn takes_all(&self) -> bool {
        matches!(self, Self::Line { .. } | Self::Idle { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_the_documents() {
        let sum = |kind, form| Checksum { kind, over: Coverage::Command, over_setting: None, form, place: ChecksumPlace::Last };
        // WSI manual: RA and RB; TIJ 6.6: the reply of its example; Imaje V24: 15 xor 56.
        for (text, hex) in [("RA", "93"), ("RB", "94"), ("M12 MONTH", "56"), ("UBATCH\nCODE0001", "9D"), ("GA", "88"), ("O1", "80")] {
            assert_eq!(sum(ChecksumKind::Sum8, ChecksumForm::Hex).of(text.as_bytes()), hex.as_bytes(), "{text}");
        }
        assert_eq!(sum(ChecksumKind::Sum8Negated, ChecksumForm::Byte).of(b"\x1b\x06\x00\x00\x1c\x1b\x03"), [0xa5]);
        assert_eq!(sum(ChecksumKind::Xor8, ChecksumForm::Byte).of(b"\x15\x56"), [0x43]);
    }

    #[test]
    fn a_doubled_byte_is_single_again_and_never_alone() {
        let twice = double(Some(0x1b), b"a\x1bb\x1b".to_vec());
        assert_eq!(twice, b"a\x1b\x1bb\x1b\x1b");
        assert_eq!(single(Some(0x1b), &twice).as_deref(), Some(&b"a\x1bb\x1b"[..]));
        assert_eq!((single(Some(0x1b), b"a\x1b"), single(Some(0x1b), b"\x1bab")), (None, None));
        assert_eq!(single(None, b"\x1b").as_deref(), Some(&b"\x1b"[..]));
    }

    #[test]
    fn start_jet_of_linx_with_its_escapes_and_without() {
        // The notes' two readings of a sum nobody has seen: neither is the truth, both are told apart.
        let sum = |over| Checksum {
            kind: ChecksumKind::Sum8Negated,
            over,
            over_setting: None,
            form: ChecksumForm::Byte,
            place: ChecksumPlace::Last,
        };
        let start = b"\x1b\x02\x0f\x1b\x03";
        assert_eq!(sum(Coverage::AllBefore).over_frame(b"\x0f", start), [0xb6]);
        assert_eq!(sum(Coverage::AllBeforeButEsc).over_frame(b"\x0f", start), [0xec]);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(version("1.9") < version("1.13") && version("VER|1.13|") == [1, 13] && version("none").is_empty());
    }
}
