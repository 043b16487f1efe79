//! A label from its template: `{code}` as text, `{gs1}` as the data of a barcode, `{lot}`, `{count}`, written as the
//! profile's `[label]` says for the language of its printer.
//!
//! Must never know: who prints it. Values are written so that no character of theirs can be a command: by escapes, by
//! ZPL's hex (`field_hex.rs`), or not at all, with a sentence.

mod field_hex;
#[cfg(test)]
mod tests;

use crate::profile::Bound;
use crate::profile::label::{LabelForm, LineEnd, Writing};
use crate::vocab::plan::LabelTraits;

const GS: u8 = 0x1d;
/// What stands for a control character in a template, where its profile says so.
const CONTROLS: [(&str, u8); 6] = [("<STX>", 0x02), ("<ETX>", 0x03), ("<SOH>", 0x01), ("<ESC>", 0x1b), ("<CR>", 0x0d), ("<LF>", 0x0a)];

/// What stands on one label.
#[derive(Clone, Debug)]
pub struct Fill<'a> {
    pub code: &'a [u8],
    /// The code is an SSCC of 18 digits.
    pub sscc: bool,
    pub lot: &'a str,
    pub count: u32,
}

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'t> {
    Literal(&'t str),
    Place(&'t str),
}

/// The bytes of one label; `template`: `None` for the built-in one. `Err`: what cannot stand on it, as a sentence.
///
/// # Panics
/// For a profile that is no label printer's.
pub fn render(bound: &Bound, template: Option<&str>, fill: &Fill<'_>) -> Result<Vec<u8>, String> {
    let talk = bound.profile.talk.as_ref().expect("a label printer's profile was read with its talk");
    let form = talk.label.as_ref().expect("a label printer's profile says what stands on its labels");
    let template = template.unwrap_or_else(|| form.plain(fill.sscc));
    match form.writing {
        Writing::FieldHex => field_hex::render(form, template, fill),
        Writing::Escapes => {
            let mut out = Vec::with_capacity(template.len() + 64);
            for piece in pieces(template) {
                match piece {
                    Piece::Literal(text) => literal(form, text, &mut out),
                    Piece::Place(place) => out.extend(value(form, place, fill)?),
                }
            }
            Ok(out)
        }
    }
}

/// A template in pieces; a brace that opens no place stands for itself.
fn pieces(template: &str) -> Vec<Piece<'_>> {
    let (mut all, mut rest, mut from) = (Vec::new(), template, 0);
    while let Some(i) = rest[from..].find('{').map(|i| i + from) {
        match LabelTraits::PLACES.iter().find(|p| rest[i + 1..].strip_prefix(**p).is_some_and(|r| r.starts_with('}'))) {
            Some(place) => {
                all.push(Piece::Literal(&rest[..i]));
                all.push(Piece::Place(&rest[i + 1..=i + place.len()]));
                (rest, from) = (&rest[i + place.len() + 2..], 0);
            }
            None => from = i + 1,
        }
    }
    all.push(Piece::Literal(rest));
    all
}

/// A piece of the template itself.
fn literal(form: &LabelForm, text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if form.line_end != LineEnd::AsItIs
            && let Some(after) = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n'))
        {
            out.extend(match form.line_end {
                LineEnd::Cr => &b"\r"[..],
                LineEnd::CrLf => b"\r\n",
                _ => b"",
            });
            rest = after;
            continue;
        }
        if form.controls
            && let Some((name, byte)) = CONTROLS.iter().find(|(name, _)| rest.starts_with(name))
        {
            out.push(*byte);
            rest = &rest[name.len()..];
            continue;
        }
        out.extend(c.encode_utf8(&mut [0; 4]).bytes());
        rest = &rest[c.len_utf8()..];
    }
}

/// What stands in a place.
fn value(form: &LabelForm, place: &str, fill: &Fill<'_>) -> Result<Vec<u8>, String> {
    let count = fill.count.to_string();
    let text = match place {
        "gs1" => return symbol(form, fill),
        "code" => fill.code,
        "lot" => fill.lot.as_bytes(),
        _ => count.as_bytes(),
    };
    if text.is_empty() {
        return Ok(Vec::new());
    }
    form.text.encode(text).map_err(|e| refused(place, text, &e))
}

/// The data of a barcode: an SSCC with FNC1 and 00 in front, anything else as the profile has it, FNC1 for its GS.
fn symbol(form: &LabelForm, fill: &Fill<'_>) -> Result<Vec<u8>, String> {
    let symbol = &form.symbol;
    if fill.sscc {
        return symbol.sscc.render(&|place| (place == "code").then(|| fill.code.to_vec()));
    }
    let fnc1 = match &symbol.fnc1 {
        None if fill.code.contains(&GS) => return Err(refused("code", fill.code, "its barcode has no way to write GS")),
        other => other.clone().unwrap_or_default(),
    };
    let written = fill.code.split(|b| *b == GS).map(|part| match part {
        [] => Ok(Vec::new()),
        part => symbol.value.encode(part).map_err(|e| refused("code", fill.code, &e)),
    });
    let written: Vec<Vec<u8>> = written.collect::<Result<_, _>>()?;
    Ok([symbol.before.clone(), written.join(&fnc1[..])].concat())
}

fn refused(place: &str, text: &[u8], why: &str) -> String {
    format!("{place} {} cannot stand on this printer's labels: {why}", String::from_utf8_lossy(text).escape_debug())
}
