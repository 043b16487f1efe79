//! Values in a ZPL label: in a field that needs it they stand as hex behind `^FH` (ZPL II, "^FH Field Hexadecimal
//! Indicator"), so that nothing a value holds is refused.

use super::{Fill, Piece, literal, pieces, value};
use crate::profile::label::LabelForm;

pub(super) fn render(form: &LabelForm, template: &str, fill: &Fill<'_>) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(template.len() + 64);
    // A field ends with ^FS; what is needed to write its data safely stands before its ^FD.
    let mut parts = template.split("^FS").peekable();
    while let Some(part) = parts.next() {
        field(form, part, fill, &mut out)?;
        if parts.peek().is_some() {
            out.extend(b"^FS");
        }
    }
    Ok(out)
}

/// Bytes of a field's data, and whether they are the template's own.
fn written(form: &LabelForm, text: &str, fill: &Fill<'_>, as_data: bool) -> Result<Vec<(Vec<u8>, bool)>, String> {
    let mut all = Vec::new();
    for piece in pieces(text) {
        all.push(match piece {
            Piece::Literal(text) => {
                let mut bytes = Vec::new();
                literal(form, text, &mut bytes);
                (bytes, true)
            }
            // Outside a field's data there is no barcode.
            Piece::Place("gs1") if !as_data => (value(form, "code", fill)?, false),
            Piece::Place(place) => (value(form, place, fill)?, false),
        });
    }
    Ok(all)
}

fn is_command(b: &u8) -> bool {
    b"^~".contains(b) || b.is_ascii_control()
}

fn field(form: &LabelForm, part: &str, fill: &Fill<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    let begin = ["^FD", "^FV"].iter().filter_map(|c| part.rfind(c)).max();
    let Some(begin) = begin else {
        // No field data: a place here is in a comment, or between commands; nothing of it may be a command.
        for (bytes, literal) in written(form, part, fill, false)? {
            out.extend(bytes.iter().filter(|b| literal || !matches!(b, b'^' | b'~')));
        }
        return Ok(());
    };
    let (head, data) = part.split_at(begin);
    out.extend(head.as_bytes());
    let declared = head.rfind("^FH").map(|i| match head.as_bytes().get(i + 3) {
        Some(c) if !b"^~\r\n".contains(c) => *c,
        _ => b'_',
    });
    let pieces = written(form, &data[3..], fill, true)?;
    let unsafe_value = pieces.iter().any(|(bytes, literal)| !literal && bytes.iter().any(is_command));
    let mark = match declared {
        None if unsafe_value => {
            out.extend(b"^FH\\");
            Some(b'\\')
        }
        declared => declared,
    };
    out.extend(&data.as_bytes()[..3]);
    for (bytes, literal) in pieces {
        for b in bytes {
            let hex = match mark {
                // In a template's own ^FH field its literal text is hex already.
                Some(m) if literal => declared.is_none() && b == m,
                Some(m) => b == m || is_command(&b),
                None => false,
            };
            match (hex, mark) {
                (true, Some(m)) => out.extend(format!("{}{b:02X}", m as char).bytes()),
                _ => out.push(b),
            }
        }
    }
    Ok(())
}
