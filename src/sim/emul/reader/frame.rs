//! The bytes that a reader sends for what it saw: layout, fields, charset, envelope, checksum, as its documents describe
//! them and its profile names them.

use crate::profile::reader::{
    Aim, Charset, Checksum, Class, Duplicates, FieldName, Form, Framing, GradeForm, GsForm, Order, Rules, Sum, SumForm, SumPlace, Unread,
};
use serde_json::{Map, Value};
use std::fmt::Write;

/// A frame with these symbols (`None`: one that cannot be decoded); `None`: nothing is sent for them.
pub fn frame(rules: &Rules, symbols: &[Option<Vec<u8>>]) -> Option<Vec<u8>> {
    let mut seen: Vec<Option<&[u8]>> = symbols.iter().map(|s| s.as_deref()).collect();
    if rules.layout.duplicates == Duplicates::Suppressed {
        let mut once: Vec<&[u8]> = Vec::new();
        seen.retain(|s| s.is_none_or(|s| !once.contains(&s) && (once.push(s), true).1));
    }
    let framing = rules.frames();
    if framing.form == Form::JsonStream {
        return Some(object(rules, &seen));
    }
    if rules.layout.ssi {
        // One symbol a packet, its type before it; nothing is sent when nothing was decoded.
        let code = seen.iter().flatten().next()?;
        return Some(packet(code, false));
    }
    let body = body(rules, &seen)?;
    Some(envelope(&framing, &body))
}

/// A decoded Data Matrix as an SSI packet; `again`: the host did not acknowledge it.
pub fn packet(code: &[u8], again: bool) -> Vec<u8> {
    let inside = [&[0xf3, 0, u8::from(again), 0x1b][..], code].concat();
    let mut p = vec![(inside.len() + 1) as u8];
    p.extend(inside);
    let sum = p.iter().fold(0_u16, |s, b| s.wrapping_sub(u16::from(*b)));
    p.extend(sum.to_be_bytes());
    p
}

fn body(rules: &Rules, seen: &[Option<&[u8]>]) -> Option<Vec<u8>> {
    let no_read = rules.no_read.first().map_or(&b""[..], |w| w.as_bytes());
    let marker = rules.layout.missing.first().map_or(no_read, |w| w.as_bytes());
    let read: Vec<Vec<u8>> = seen.iter().flatten().map(|code| entry(rules, code)).collect();
    let unread = || seen.iter().filter(|s| s.is_none()).map(|_| marker.to_vec());
    let all: Vec<Vec<u8>> = match rules.layout.unread {
        _ if read.is_empty() && (seen.len() < 2 || rules.layout.unread == Unread::LeftOut) => Vec::new(),
        Unread::InPlace => seen.iter().map(|s| s.map_or(marker.to_vec(), |code| entry(rules, code))).collect(),
        Unread::LeftOut => read,
        Unread::AtEnd => read.into_iter().chain(unread()).collect(),
    };
    if all.is_empty() {
        return (!no_read.is_empty()).then(|| no_read.to_vec());
    }
    let separator = rules.layout.separator.as_deref().unwrap_or_default().as_bytes();
    Some(written(&all.join(separator), rules.layout.text))
}

/// One code with its fields.
fn entry(rules: &Rules, code: &[u8]) -> Vec<u8> {
    let mut code = code.to_vec();
    match (rules.gs.arrives, rules.gs.aliases.first()) {
        (GsForm::Aliases, Some(alias)) => code = code.split(|b| *b == 0x1d).collect::<Vec<_>>().join(alias.as_bytes()),
        (GsForm::Stripped, _) => code.retain(|b| *b != 0x1d),
        _ => {}
    }
    if rules.layout.aim == Aim::Always && !rules.layout.fields.contains(&FieldName::Aim) {
        code = [b"]d1", &code[..]].concat();
    }
    let grade: &[u8] = match rules.grade.as_ref().map(|g| g.form) {
        Some(GradeForm::Number) => b"4.0",
        _ => b"A",
    };
    let fields: Vec<&[u8]> = (rules.layout.fields.iter())
        .map(|f| match f {
            FieldName::Code => &code[..],
            FieldName::Aim => b"d1",
            FieldName::Grade => grade,
            FieldName::Other => b"0",
        })
        .collect();
    fields.join(rules.layout.field_separator.as_bytes())
}

fn written(text: &[u8], charset: Charset) -> Vec<u8> {
    use ct_codecs::Encoder;
    match charset {
        Charset::Bytes | Charset::Ascii | Charset::Utf8 => text.to_vec(),
        Charset::Base64 => ct_codecs::Base64::encode_to_string(text).unwrap_or_default().into_bytes(),
        Charset::Gbk => encoding_rs::GBK.encode(&String::from_utf8_lossy(text)).0.into_owned(),
        Charset::Latin1 => String::from_utf8_lossy(text).chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
    }
}

/// The body between what begins and what ends a frame.
pub fn envelope(framing: &Framing, body: &[u8]) -> Vec<u8> {
    match &framing.form {
        Form::Delimited { start, end, .. } => {
            let end = end.first().map_or(&b"\r"[..], |e| e.as_bytes());
            let Some(sum) = &framing.checksum else { return [start.as_bytes(), body, end].concat() };
            let value = value(sum, start.as_bytes(), body, end);
            match sum.place {
                SumPlace::BeforeEnd => [start.as_bytes(), body, &value, end].concat(),
                SumPlace::AfterEnd => [start.as_bytes(), body, end, &value].concat(),
            }
        }
        Form::Length { start, bytes, order, adds } => counted(start.as_bytes(), *bytes as usize, *order, i64::from(*adds), framing, body),
        Form::ColaB => {
            let n = u32::try_from(body.len()).unwrap_or(u32::MAX);
            let check = body.iter().fold(0, |x, b| x ^ b);
            [&[2, 2, 2, 2][..], &n.to_be_bytes(), body, &[check]].concat()
        }
        Form::IdleGap { .. } => {
            let sum = framing.checksum.as_ref().map_or(Vec::new(), |s| value(s, b"", body, b""));
            [body, &sum].concat()
        }
        Form::Keyboard { event_bytes, .. } => super::typed::events(body, *event_bytes as usize),
        Form::Ssi => packet(body, false),
        Form::JsonStream => body.to_vec(),
    }
}

fn counted(start: &[u8], width: usize, order: Order, adds: i64, framing: &Framing, body: &[u8]) -> Vec<u8> {
    let sum_width = framing.checksum.as_ref().map_or(0, Checksum::width);
    let n = (body.len() + sum_width) as i64 - adds;
    let field = match order {
        Order::Big => n.to_be_bytes()[8 - width..].to_vec(),
        Order::Little => n.to_le_bytes()[..width].to_vec(),
    };
    let head = [start, &field].concat();
    let sum = framing.checksum.as_ref().map_or(Vec::new(), |s| value(s, &head, body, b""));
    [&head[..], body, &sum].concat()
}

/// The checksum over what it covers, written here once more from its definition: the host's half has its own.
fn value(sum: &Checksum, start: &[u8], body: &[u8], end: &[u8]) -> Vec<u8> {
    let mut over = Vec::new();
    if sum.covers.start() {
        over.extend(start);
    }
    over.extend(body);
    if sum.covers.end() {
        over.extend(end);
    }
    let total = over.iter().map(|b| u32::from(*b)).sum::<u32>();
    // Bit by bit, most significant bit first or (reflected) last.
    let reflected =
        || over.iter().fold(0_u16, |crc, b| (0..8).fold(crc ^ u16::from(*b), |c, _| if c & 1 == 1 { c >> 1 ^ 0xa001 } else { c >> 1 }));
    let straight = || {
        let step = |c: u16, _| if c & 0x8000 != 0 { c << 1 ^ 0x1021 } else { c << 1 };
        over.iter().fold(0xffff_u16, |crc, b| (0..8).fold(crc ^ u16::from(*b) << 8, step))
    };
    let mut bytes = match sum.kind {
        Sum::Xor => vec![over.iter().fold(0, |x, b| x ^ b)],
        Sum::Sum => vec![(total % 256) as u8],
        Sum::Lrc => vec![(256 - total % 256) as u8],
        Sum::Crc16 => reflected().to_be_bytes().to_vec(),
        Sum::CrcCcitt => straight().to_be_bytes().to_vec(),
        Sum::Twos16 => ((0x1_0000 - total % 0x1_0000) as u16).to_be_bytes().to_vec(),
    };
    if sum.order == Order::Little {
        bytes.reverse();
    }
    if sum.form == SumForm::Hex {
        let mut text = String::new();
        for b in bytes {
            let _ = write!(text, "{b:02X}");
        }
        return text.into_bytes();
    }
    bytes
}

/// A result as a JSON object: the key that says whether something was read, and the codes.
fn object(rules: &Rules, seen: &[Option<&[u8]>]) -> Vec<u8> {
    let class = if seen.iter().flatten().next().is_some() { Class::Data } else { Class::NoRead };
    let codes = seen.iter().flatten().map(|c| Value::from(String::from_utf8_lossy(c).into_owned())).collect();
    let mut o = Map::new();
    if let Some((key, value)) = rules.classify.iter().find(|r| r.is == class).and_then(|r| r.key.clone().zip(r.value.clone())) {
        o.insert(key, value.into());
    }
    o.insert(rules.layout.json_codes.clone(), Value::Array(codes));
    Value::Object(o).to_string().into_bytes()
}

/// What it sends when it has nothing else to say, if it does.
pub fn heartbeat(rules: &Rules) -> Option<Vec<u8>> {
    let rule = rules.classify.iter().find(|r| r.is == Class::Heartbeat)?;
    if let (Some(key), Some(value)) = (&rule.key, &rule.value) {
        let number = value.parse::<u32>().map_or(Value::from(value.as_str()), Value::from);
        return Some(Value::Object([(key.clone(), number)].into_iter().collect()).to_string().into_bytes());
    }
    let text = rule.exact.first().or(rule.begins.first())?;
    Some(envelope(&rules.frames(), text.as_bytes()))
}
