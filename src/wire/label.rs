//! A label from its template: `{code}` as text, `{gs1}` as the field data of a Code 128 (`^BC`) symbol, `{lot}`,
//! `{count}`.
//!
//! Must never know: who prints it. Values are written so that no character of theirs can be a command: `^FH` and hex
//! where one would be (ZPL II, "^FH Field Hexadecimal Indicator").

/// The plain label: SSCC or code as GS1-128 / Code 128, its text, lot and count. 203 dpi, 100 × 60 mm.
pub const PLAIN: &str = "^XA\n^CI28\n^PW800\n^LL480\n\
^FO40,30^A0N,40,40^FDLOT {lot}^FS\n\
^FO500,30^A0N,40,40^FDQTY {count}^FS\n\
^FO40,100^BY3^BCN,240,N,N,N^FD{gs1}^FS\n\
^FO40,370^A0N,50,50^FD{code}^FS\n\
^XZ\n";

const PLACES: [&str; 4] = ["code", "gs1", "lot", "count"];

/// What stands on one label.
#[derive(Clone, Debug)]
pub struct Fill<'a> {
    pub code: &'a [u8],
    /// The code is an SSCC of 18 digits.
    pub sscc: bool,
    pub lot: &'a str,
    pub count: u32,
}

/// What is wrong with a template, as "what; what would be right".
pub fn complaints(template: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !template.contains("^XA") || !template.contains("^XZ") {
        wrong.push("the label has no ^XA … ^XZ; begin it with ^XA and end it with ^XZ".into());
    }
    if !template.contains("{code}") && !template.contains("{gs1}") {
        wrong.push("the label shows no code; put {gs1} into a ^BC field or {code} into another".into());
    }
    for part in template.split('{').skip(1) {
        let name = part.split('}').next().unwrap_or_default();
        if !PLACES.contains(&name) && part.contains('}') {
            wrong.push(format!("the label has no place {{{name}}}; use {{code}}, {{gs1}}, {{lot}} or {{count}}"));
        }
    }
    wrong
}

/// The bytes of one label; `template`: `None` for the plain one.
pub fn render(template: Option<&str>, fill: &Fill<'_>) -> Vec<u8> {
    let template = template.unwrap_or(PLAIN);
    let mut out = Vec::with_capacity(template.len() + 64);
    // A field ends with ^FS; what is needed to write its data safely stands before its ^FD.
    let mut parts = template.split("^FS").peekable();
    while let Some(part) = parts.next() {
        field(part, fill, &mut out);
        if parts.peek().is_some() {
            out.extend(b"^FS");
        }
    }
    out
}

fn field(part: &str, fill: &Fill<'_>, out: &mut Vec<u8>) {
    let begin = ["^FD", "^FV"].iter().filter_map(|c| part.rfind(c)).max();
    let Some(begin) = begin else {
        // No field data: a place here is in a comment, or between commands; nothing of it may be a command.
        return write(part, fill, None, &mut |bytes, literal| {
            out.extend(bytes.iter().filter(|b| literal || !matches!(b, b'^' | b'~')));
        });
    };
    let (head, data) = part.split_at(begin);
    out.extend(head.as_bytes());
    let declared = head.rfind("^FH").map(|i| match head.as_bytes().get(i + 3) {
        Some(c) if !b"^~\r\n".contains(c) => *c,
        _ => b'_',
    });
    let mut unsafe_value = false;
    write(data, fill, Some(()), &mut |bytes, literal| {
        unsafe_value |= !literal && bytes.iter().any(|b| b"^~".contains(b) || b.is_ascii_control())
    });
    let mark = match declared {
        None if unsafe_value => {
            out.extend(b"^FH\\");
            Some(b'\\')
        }
        declared => declared,
    };
    out.extend(&data.as_bytes()[..3]);
    write(&data[3..], fill, Some(()), &mut |bytes, literal| {
        for b in bytes {
            let hex = match mark {
                // In a template's own ^FH field its literal text is hex already.
                Some(m) if literal => declared.is_none() && *b == m,
                Some(m) => *b == m || b"^~".contains(b) || b.is_ascii_control(),
                None => false,
            };
            match (hex, mark) {
                (true, Some(m)) => out.extend(format!("{}{b:02X}", m as char).bytes()),
                _ => out.push(*b),
            }
        }
    });
}

/// Pieces of a text with its places filled; `true`: a piece of the template itself.
fn write(text: &str, fill: &Fill<'_>, in_field: Option<()>, out: &mut dyn FnMut(&[u8], bool)) {
    let mut rest = text;
    while let Some(i) = rest.find('{') {
        let place = PLACES.iter().find(|p| rest[i + 1..].strip_prefix(**p).is_some_and(|r| r.starts_with('}')));
        let Some(place) = place else {
            out(&rest.as_bytes()[..=i], true);
            rest = &rest[i + 1..];
            continue;
        };
        out(&rest.as_bytes()[..i], true);
        match *place {
            "gs1" if in_field.is_some() => out(&symbol(fill), false),
            "code" | "gs1" => out(fill.code, false),
            "lot" => out(fill.lot.as_bytes(), false),
            _ => out(fill.count.to_string().as_bytes(), false),
        }
        rest = &rest[i + place.len() + 2..];
    }
    out(rest.as_bytes(), true);
}

/// Field data of `^BC` (ZPL II, "Code 128 invocation codes"): an SSCC in subset C with FNC1 first (`>;>8`) and AI 00;
/// anything else in subset B, where `>` is written `>0`.
fn symbol(fill: &Fill<'_>) -> Vec<u8> {
    if fill.sscc {
        return [b">;>800", fill.code].concat();
    }
    let mut s = b">:".to_vec();
    for b in fill.code {
        match b {
            b'>' => s.extend(b">0"),
            // FNC1 stands for GS inside a symbol.
            0x1d => s.extend(b">8"),
            b => s.push(*b),
        }
    }
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(template: Option<&str>, code: &[u8], sscc: bool, lot: &str) -> String {
        String::from_utf8(render(template, &Fill { code, sscc, lot, count: 4 })).unwrap()
    }

    #[test]
    fn the_plain_label_of_an_sscc() {
        let s = text(None, b"069012340000000014", true, "L-7");
        assert!(s.starts_with("^XA\n") && s.ends_with("^XZ\n"), "{s}");
        assert!(s.contains("^BCN,240,N,N,N^FD>;>800069012340000000014^FS"), "{s}");
        assert!(s.contains("^FDLOT L-7^FS") && s.contains("^FDQTY 4^FS") && s.contains("^FD069012340000000014^FS"), "{s}");
        assert!(!s.contains('{') && !s.contains("^FH"));
        assert!(complaints(PLAIN).is_empty());
    }

    #[test]
    fn no_value_can_be_a_command() {
        let s = text(Some("^XA^FO1,1^FDa\\b {lot}^FS^FO2,2^BCN^FD{gs1}^FS^FX {lot}^FS^XZ"), b"C>1\x1d2", false, "x^XZ~JA\\");
        assert!(s.contains("^FO1,1^FH\\^FDa\\5Cb x\\5EXZ\\7EJA\\5C^FS"), "{s}");
        assert!(s.contains("^BCN^FD>:C>01>82^FS"), "{s}");
        assert!(s.contains("^FX xXZJA\\^FS"), "{s}");
        assert_eq!(s.matches("^XZ").count(), 1);
    }

    #[test]
    fn a_templates_own_hex_indicator_is_kept() {
        assert_eq!(text(Some("^XA^FH^FD_41 {code}^FS^XZ"), b"_^", false, ""), "^XA^FH^FD_41 _5F_5E^FS^XZ");
        assert_eq!(text(Some("^XA^FH%^FD{code}%^FS^XZ"), b"50%", false, ""), "^XA^FH%^FD50%25%^FS^XZ");
    }

    #[test]
    fn wrong_templates_are_told_all_at_once() {
        assert_eq!(complaints("^FD{sscc}^FS").len(), 3);
        assert_eq!(text(Some("{x} { {code}"), b"1", false, ""), "{x} { 1");
    }
}
