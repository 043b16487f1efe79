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
    pub checksum: Option<Checksum>,
    pub values: BTreeMap<String, ValueForm>,
    pub inbound: Vec<InboundForm>,
    pub commands: BTreeMap<Role, CommandForm>,
    pub events: Vec<EventForm>,
    pub status: Vec<StatusRule>,
    pub connect: Vec<Step>,
    pub arm: Vec<Step>,
    pub disarm: Vec<Step>,
    pub clear: Vec<Step>,
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
}

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

    /// A command's bytes on the wire, and its checksum. `of` answers places that are already encoded.
    pub fn wrap(&self, role: Role, of: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<(Vec<u8>, String), String> {
        let c = &self.commands[&role];
        let body = c.send.render(of)?;
        if c.raw {
            return Ok((body, String::new()));
        }
        let (before, after) = (self.before.render(of)?, self.after.render(of)?);
        let Some(sum) = &self.checksum else { return Ok(([before, body, after].concat(), String::new())) };
        let covered = match (sum.over, sum.place) {
            (Coverage::Command, _) => body.clone(),
            (Coverage::AllBefore, ChecksumPlace::Last) => [&before[..], &body, &after].concat(),
            (Coverage::AllBefore, _) => [&before[..], &body].concat(),
        };
        let check = sum.of(&covered);
        let bytes = match sum.place {
            ChecksumPlace::Last => [before, body, after, check.clone()].concat(),
            ChecksumPlace::BeforeAfter => [before, body, check.clone(), after].concat(),
            ChecksumPlace::InReply => [before, body, after].concat(),
        };
        Ok((bytes, String::from_utf8_lossy(&check).into_owned()))
    }

    /// The inside of a frame, with its checksum; `None`: it is none, or its checksum is wrong.
    pub fn unwrap_frame<'b>(&self, bytes: &'b [u8], of: &dyn Fn(&str) -> Option<Vec<u8>>) -> Option<(&'b [u8], String)> {
        let (before, after) = (self.before.render(of).ok()?, self.after.render(of).ok()?);
        let inside = bytes.strip_prefix(before.as_slice())?;
        let Some(sum) = &self.checksum else { return Some((inside.strip_suffix(after.as_slice())?, String::new())) };
        let wide = if sum.form == ChecksumForm::Byte { 1 } else { 2 };
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
        let should = sum.of(if sum.over == Coverage::Command { body } else { covered });
        if check.is_some_and(|c| c != should.as_slice()) {
            return None;
        }
        Some((body, String::from_utf8_lossy(&should).into_owned()))
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
        let said: Vec<&str> = told.iter().map(|s| s.say.as_str()).collect();
        Verdict { condition, say: said.join(", ") }
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

impl Checksum {
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
        let sum = |kind, form| Checksum { kind, over: Coverage::Command, form, place: ChecksumPlace::Last };
        // WSI manual: RA and RB; TIJ 6.6: the reply of its example; Imaje V24: 15 xor 56.
        for (text, hex) in [("RA", "93"), ("RB", "94"), ("M12 MONTH", "56"), ("UBATCH\nCODE0001", "9D"), ("GA", "88"), ("O1", "80")] {
            assert_eq!(sum(ChecksumKind::Sum8, ChecksumForm::Hex).of(text.as_bytes()), hex.as_bytes(), "{text}");
        }
        assert_eq!(sum(ChecksumKind::Sum8Negated, ChecksumForm::Byte).of(b"\x1b\x06\x00\x00\x1c\x1b\x03"), [0xa5]);
        assert_eq!(sum(ChecksumKind::Xor8, ChecksumForm::Byte).of(b"\x15\x56"), [0x43]);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(version("1.9") < version("1.13") && version("VER|1.13|") == [1, 13] && version("none").is_empty());
    }
}
