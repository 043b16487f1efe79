//! A code is bytes. What is compared is its match key; what is printed, stored and reported is the bytes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest code accepted anywhere, in bytes. A Data Matrix of 144×144 holds 1,558 (ISO/IEC 16022 table 7); field
/// devices take at most 1,024 (Codenet `OE`, EPT033760); item codes are far shorter.
pub const MAX_CODE_LEN: usize = 512;

/// The bytes of one code, exactly as delivered. `Debug` hides all but the last four characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Code(Box<[u8]>);

impl Code {
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// The text of a code that is printable UTF-8 (no control characters), else `None`.
    pub fn text(&self) -> Option<&str> {
        printable(&self.0)
    }

    /// The last four characters, for places that must not show a whole code.
    pub fn tail(&self) -> String {
        tail(&self.0)
    }
}

impl From<&[u8]> for Code {
    fn from(b: &[u8]) -> Self {
        Self(b.into())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code(…{} of {} bytes)", self.tail(), self.0.len())
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut s = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        s.push(DIGITS[usize::from(b >> 4)] as char);
        s.push(DIGITS[usize::from(b & 15)] as char);
    }
    s
}

/// The bytes of a hex text of even length, either case.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks(2).map(|p| Some(digit(p[0])? << 4 | digit(p[1])?)).collect()
}

/// The bytes as text when they are non-empty UTF-8 without control characters.
pub fn printable(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|t| !t.is_empty() && !t.chars().any(char::is_control))
}

/// The last four characters (or bytes in hex when not printable).
pub fn tail(bytes: &[u8]) -> String {
    match printable(bytes) {
        Some(t) => {
            let n = t.chars().count();
            t.chars().skip(n.saturating_sub(4)).collect()
        }
        None => hex(&bytes[bytes.len().saturating_sub(2)..]),
    }
}

/// What is compared when a scan is looked up.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MatchKey(pub Box<[u8]>);

impl fmt::Debug for MatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MatchKey(…{})", tail(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_code() {
        let shown = format!("{:?}", Code::from(&b"https://t.example/ABCDEFGH1234"[..]));
        assert!(shown.contains("1234") && !shown.contains("ABCDEFGH"), "{shown}");
    }

    #[test]
    fn hex_round_trips() {
        assert_eq!(unhex(&hex(&[0, 0x1d, 0xff])).unwrap(), vec![0, 0x1d, 0xff]);
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("zz"), None);
    }
}
