//! The form of a single code: what no printer can take, and, where somebody said what the codes are, whether they are.

use crate::vocab::code::MAX_CODE_LEN;
use crate::vocab::dummy::{WORD, is_dummy};
use crate::vocab::gs1::Message;
use crate::vocab::sscc::check_digit;

/// What the codes of a delivery are said to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Anything that can be printed and read.
    #[default]
    Any,
    /// GS1 element strings (GS1 General Specifications 3): GTIN and serial, or SSCC.
    Gs1,
    /// `http://` or `https://` addresses.
    Url,
}

impl Form {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "any" => Some(Self::Any),
            "gs1" => Some(Self::Gs1),
            "url" => Some(Self::Url),
            _ => None,
        }
    }
}

/// What every code must be: none of it empty, too long, or a byte that no printer takes or no reader gives back.
pub fn printable(code: &[u8]) -> Result<(), String> {
    if code.is_empty() {
        return Err("the code is empty".into());
    }
    if code.len() > MAX_CODE_LEN {
        return Err(format!("the code has {} bytes, at most {MAX_CODE_LEN} are possible", code.len()));
    }
    if is_dummy(code) {
        return Err(format!("the code begins with {WORD}, which stands for setup prints: it could never be a code"));
    }
    // Control bytes are rare: one look, without a branch a byte, tells that there is none.
    if !code.iter().fold(false, |any, b| any | (*b < 0x20)) {
        return Ok(());
    }
    match memchr::memchr3(0, 4, b'\r', code) {
        None => Ok(()),
        Some(at) if code[at] == b'\r' => {
            Err("a carriage return stands inside the code: no reader gives it back; end lines with LF or CRLF".into())
        }
        Some(_) => Err("the code holds a control byte (NUL or EOT) that no printer can take".into()),
    }
}

/// Whether a code is what it is said to be. `gtin`: the product's, any length; a GS1 code of another is refused.
pub fn check(form: Form, code: &[u8], gtin: Option<&str>) -> Result<(), String> {
    match form {
        // A code with a separator in it that begins with AI 01 and a good GTIN is a GS1 code, whatever was said.
        Form::Any if gtin.is_some() && code.contains(&0x1d) => match gs1(code) {
            Ok(Some(found)) => same_product(found, gtin),
            _ => Ok(()),
        },
        Form::Any => Ok(()),
        Form::Gs1 => same_product(gs1(code)?.unwrap_or(b""), gtin),
        Form::Url => url(code),
    }
}

fn same_product(found: &[u8], gtin: Option<&str>) -> Result<(), String> {
    match gtin {
        Some(ours) if !found.is_empty() && format!("{ours:0>14}").as_bytes() != found => Err(format!(
            "its GTIN {} is not this product's ({ours:0>14}): the wrong product, or the wrong pack",
            String::from_utf8_lossy(found)
        )),
        _ => Ok(()),
    }
}

/// A GS1 code's GTIN (14 digits), if it names one; a sentence when it is no good GS1 code: for what goes wrong most a
/// plain one, for the rest the syntax dictionary's.
pub fn gs1(code: &[u8]) -> Result<Option<&[u8]>, String> {
    let mut rest = code;
    // ISO/IEC 15424: symbology identifiers that carry GS1 element strings.
    for mark in [&b"]d2"[..], b"]C1", b"]Q3", b"]e0", b"]J1"] {
        rest = rest.strip_prefix(mark).unwrap_or(rest);
    }
    rest = rest.strip_prefix(b"\x1d").unwrap_or(rest);
    if rest.starts_with(b"(") {
        return Err("the code is written with brackets: GS1 codes are delivered as they are encoded, AIs without brackets".into());
    }
    if let Some(sscc) = rest.strip_prefix(b"00") {
        digits(sscc.get(..18), "SSCC (AI 00)")?;
        return if sscc.len() == 18 { Ok(None) } else { Err("something follows its SSCC".into()) };
    }
    let Some(gtin) = rest.strip_prefix(b"01").map(|r| r.get(..14)) else {
        return Err("it is no GS1 code: it begins with neither AI 01 (GTIN) nor AI 00 (SSCC)".into());
    };
    digits(gtin, "GTIN (AI 01)")?;
    let tail = rest.get(16..).unwrap_or(b"");
    if let Some(serial) = tail.strip_prefix(b"21") {
        let serial = &serial[..serial.iter().position(|b| *b == 0x1d).unwrap_or(serial.len())];
        if serial.is_empty() || serial.len() > 20 {
            return Err(format!("its serial (AI 21) has {} characters, 1 to 20 are possible", serial.len()));
        }
        if let Some(bad) = serial.iter().find(|b| !cset82(**b)) {
            let shown = if bad.is_ascii_graphic() { format!("“{}”", *bad as char) } else { format!("byte {bad:02x}") };
            return Err(format!("its serial (AI 21) holds {shown}, which is outside the GS1 character set 82"));
        }
    }
    Message::parse(rest).map_err(|e| format!("it is no GS1 code: {e}"))?;
    Ok(gtin)
}

fn digits(field: Option<&[u8]>, name: &str) -> Result<(), String> {
    let Some(field) = field.filter(|f| f.iter().all(u8::is_ascii_digit)) else {
        return Err(format!("its {name} is short, or not all digits"));
    };
    let (head, last) = field.split_at(field.len() - 1);
    let want = check_digit(head);
    if last[0] == want {
        return Ok(());
    }
    Err(format!("its {name} {} has a wrong check digit: it should be {}", String::from_utf8_lossy(field), want as char))
}

/// GS1 AI encodable character set 82 (GS1 General Specifications 7.11, table 7.11-1).
fn cset82(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!\"%&'()*+,-./:;<=>?_".contains(&b)
}

fn url(code: &[u8]) -> Result<(), String> {
    let head = code.get(..8).unwrap_or(code).to_ascii_lowercase();
    let host = if head.starts_with(b"https://") { code.get(8..) } else { head.starts_with(b"http://").then(|| &code[7..]) };
    let Some(host) = host else { return Err("it is no URL: it does not begin with http:// or https://".into()) };
    if host.is_empty() || host.starts_with(b"/") {
        return Err("it is no URL: the host is missing".into());
    }
    match code.iter().find(|b| !b.is_ascii_graphic()) {
        None => Ok(()),
        Some(b) => Err(format!("it is no URL: it holds byte {b:02x}, which must be percent-encoded")),
    }
}
