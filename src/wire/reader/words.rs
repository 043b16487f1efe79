//! What a frame is and which codes stand in it, as the profile says.
//!
//! Must never know: what a code means. Words are matched exactly or by a pattern over the whole frame, never by "contains".
//! Invariant: a code is told as it stood in the frame, but for what the profile declares (a charset, an alias of GS).

use super::json;
use super::ssi;
use crate::profile::reader::{Aim, Charset, Class, FieldName, GradeForm, GsForm, Pattern, Rule, Rules, Unread};
use crate::vocab::grade::Grade;
use crate::vocab::gs1::GS;
use crate::vocab::report::{Field, Frame};
use serde_json::Value;

/// Codes in one frame at most; a frame with more is noise.
pub const MOST_FIELDS: usize = 1_000;

/// What a frame turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    Frame(Frame),
    Heartbeat,
    Reply {
        ok: bool,
    },
    Ignored,
    /// It cannot be read as the profile says.
    Noise,
}

#[derive(Debug)]
pub struct Words {
    rules: Rules,
    looks: Vec<(Rule, Option<Pattern>, Option<Pattern>)>,
    json: bool,
}

impl Words {
    pub fn new(rules: &Rules) -> Self {
        let looks = rules.classify.iter().map(|r| (r.clone(), r.pattern.as_deref().map(Pattern::new), r.cut.as_deref().map(Pattern::new)));
        Self { looks: looks.collect(), json: !rules.layout.json_codes.is_empty(), rules: rules.clone() }
    }

    /// What a frame's bytes are.
    pub fn read(&self, frame: &[u8]) -> Meaning {
        if self.rules.layout.ssi {
            return match ssi::data(frame) {
                ssi::Packet::Code(data) => self.text(frame, &data),
                ssi::Packet::Multi => Meaning::Frame(Frame::Fault("multipacket".into())),
                ssi::Packet::Other => Meaning::Ignored,
                ssi::Packet::Nonsense => Meaning::Noise,
            };
        }
        self.text(frame, frame)
    }

    /// `frame`: what rules look at; `data`: what codes are read from.
    fn text(&self, frame: &[u8], data: &[u8]) -> Meaning {
        let object = match self.json {
            true => match serde_json::from_slice::<Value>(frame) {
                Ok(v) => Some(v),
                Err(_) => return Meaning::Noise,
            },
            false => None,
        };
        if object.is_none() && self.rules.no_read.iter().any(|w| w.as_bytes() == data) {
            return Meaning::Frame(Frame::NoRead);
        }
        if data.is_empty() {
            return Meaning::Ignored;
        }
        let found = self.looks.iter().find(|(r, pattern, _)| fits(r, pattern.as_ref(), data, object.as_ref()));
        let word = || String::from_utf8_lossy(&data[..data.len().min(64)]).into_owned();
        match found.map_or(Class::Data, |(r, ..)| r.is) {
            Class::Heartbeat => Meaning::Heartbeat,
            Class::ReplyOk => Meaning::Reply { ok: true },
            Class::ReplyError => Meaning::Reply { ok: false },
            Class::NoRead | Class::Partial => Meaning::Frame(Frame::NoRead),
            Class::Multi | Class::Fault => Meaning::Frame(Frame::Fault(word())),
            Class::Ignore => Meaning::Ignored,
            Class::Data => {
                let (rule, cut) = found.map_or((None, None), |(r, _, cut)| (Some(r), cut.as_ref()));
                let charset = rule.and_then(|r| r.text).unwrap_or(self.rules.layout.text);
                let codes = match &object {
                    Some(o) => self.in_object(o),
                    None => self.in_bytes(&data[cut.and_then(|c| c.shortest(data)).unwrap_or(0)..], charset),
                };
                codes.map_or(Meaning::Noise, Meaning::Frame)
            }
        }
    }

    fn in_object(&self, object: &Value) -> Option<Frame> {
        let codes = json::texts(object, &self.rules.layout.json_codes)?;
        self.frame(codes.into_iter().map(|c| self.field(c.as_bytes())).collect::<Option<Vec<_>>>()?)
    }

    fn in_bytes(&self, data: &[u8], charset: Charset) -> Option<Frame> {
        let data = decoded(data, charset)?;
        let parts = match &self.rules.layout.separator {
            Some(s) => split(&data, s.as_bytes()),
            None => vec![&data[..]],
        };
        self.frame(parts.into_iter().map(|p| self.field(p)).collect::<Option<Vec<_>>>()?)
    }

    fn frame(&self, mut fields: Vec<Field>) -> Option<Frame> {
        if fields.len() > MOST_FIELDS {
            return None;
        }
        let nothing = fields.iter().all(|f| *f == Field::NoRead);
        if self.rules.layout.unread == Unread::LeftOut {
            fields.retain(|f| *f != Field::NoRead);
        }
        Some(if nothing { Frame::NoRead } else { Frame::Data(fields) })
    }

    /// One position. An unread one keeps its place where places mean something; an empty one is unread. `None`: it is
    /// not as the profile says.
    fn field(&self, entry: &[u8]) -> Option<Field> {
        let l = &self.rules.layout;
        if entry.is_empty() || self.rules.no_read.iter().chain(&l.missing).any(|w| w.as_bytes() == entry) {
            return Some(Field::NoRead);
        }
        if l.fields == [FieldName::Code] && !l.rest_ignored {
            return self.code(entry, None, None);
        }
        let parts = split(entry, l.field_separator.as_bytes());
        if parts.len() < l.fields.len() || (parts.len() > l.fields.len() && !l.rest_ignored) {
            return None;
        }
        let named = |name| l.fields.iter().position(|f| *f == name).map(|i| parts[i]);
        let code = named(FieldName::Code)?;
        if code.is_empty() || self.rules.no_read.iter().chain(&l.missing).any(|w| w.as_bytes() == code) {
            return Some(Field::NoRead);
        }
        self.code(code, named(FieldName::Aim), named(FieldName::Grade))
    }

    fn code(&self, bytes: &[u8], aim: Option<&[u8]>, grade: Option<&[u8]>) -> Option<Field> {
        let code = self.with_gs(bytes);
        let code = match aim {
            Some(a) if a.starts_with(b"]") => [a, &code].concat(),
            Some(a) if !a.is_empty() => [b"]", a, &code].concat(),
            _ => code,
        };
        let identified = matches!(code[..], [b']', c, m, ..] if c.is_ascii_alphabetic() && m.is_ascii_alphanumeric());
        if self.rules.layout.aim == Aim::Always && !identified {
            return None;
        }
        let Some(rule) = &self.rules.grade else { return Some(Field::Code(code)) };
        let grade = match rule.form {
            GradeForm::Letter => Grade::letter(grade.unwrap_or_default()),
            GradeForm::Number => Grade::number(grade.unwrap_or_default()),
        };
        // Without a grade that can be read it is not known to be good enough.
        Some(Field::Graded { code, grade })
    }

    /// GS in place of what stands for it.
    fn with_gs(&self, bytes: &[u8]) -> Vec<u8> {
        let gs = &self.rules.gs;
        if gs.arrives != GsForm::Aliases {
            return bytes.to_vec();
        }
        let mut code = bytes.to_vec();
        for alias in gs.aliases.iter().filter(|a| !a.is_empty()) {
            code = split(&code, alias.as_bytes()).join(&[GS][..]);
        }
        code
    }
}

fn fits(rule: &Rule, pattern: Option<&Pattern>, frame: &[u8], object: Option<&Value>) -> bool {
    if let (Some(key), Some(value), Some(o)) = (&rule.key, &rule.value, object) {
        return json::word(o, key).as_ref() == Some(value);
    }
    rule.exact.iter().any(|w| w.as_bytes() == frame)
        || rule.begins.iter().any(|w| frame.starts_with(w.as_bytes()))
        || pattern.is_some_and(|p| p.fits(frame))
}

/// Bytes as the charset says; `None`: they are not of it. Nothing is ever replaced by something similar.
fn decoded(bytes: &[u8], charset: Charset) -> Option<Vec<u8>> {
    use ct_codecs::Decoder;
    match charset {
        Charset::Bytes => Some(bytes.to_vec()),
        Charset::Ascii => bytes.is_ascii().then(|| bytes.to_vec()),
        Charset::Utf8 => std::str::from_utf8(bytes).ok().map(|s| s.as_bytes().to_vec()),
        Charset::Latin1 => Some(bytes.iter().map(|b| char::from(*b)).collect::<String>().into_bytes()),
        Charset::Gbk => {
            let text = encoding_rs::GBK.decode_without_bom_handling_and_without_replacement(bytes)?;
            Some(text.into_owned().into_bytes())
        }
        Charset::Base64 => ct_codecs::Base64::decode_to_vec(bytes, None).ok(),
    }
}

pub(super) fn split<'a>(mut rest: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(i) = memchr::memmem::find(rest, separator) {
        parts.push(&rest[..i]);
        rest = &rest[i + separator.len()..];
    }
    parts.push(rest);
    parts
}
