//! Print quality of a symbol as a verifier grades it: 4.0 is the best, 0 a failure (ISO/IEC 15415, 15416: A is 4, B 3, C 2,
//! D 1, F 0; one decimal).

use std::fmt;

/// Tenths: 0 … 40.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grade(u8);

impl Grade {
    /// `A` … `F`, either case; there is no `E`.
    pub fn letter(text: &[u8]) -> Option<Self> {
        let whole = match text {
            [c] => match c.to_ascii_uppercase() {
                b'A' => 4,
                b'B' => 3,
                b'C' => 2,
                b'D' => 1,
                b'F' => 0,
                _ => return None,
            },
            _ => return None,
        };
        Some(Self(whole * 10))
    }

    /// `0` … `4` with at most one decimal that counts; what follows a `/` (aperture, light, angle) is passed over.
    pub fn number(text: &[u8]) -> Option<Self> {
        let value = text.split(|b| *b == b'/').next()?;
        let (whole, rest) = value.split_first()?;
        let tenths = match rest {
            [] => 0,
            [b'.', d, more @ ..] if d.is_ascii_digit() && more.len() <= 3 && more.iter().all(u8::is_ascii_digit) => d - b'0',
            _ => return None,
        };
        let grade = whole.is_ascii_digit().then(|| (whole - b'0') * 10 + tenths)?;
        (grade <= 40).then_some(Self(grade))
    }

    /// As a person writes it in a setting: a letter or a number.
    pub fn parse(text: &str) -> Option<Self> {
        Self::letter(text.as_bytes()).or_else(|| Self::number(text.as_bytes()))
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_numbers() {
        assert_eq!(Grade::letter(b"b"), Grade::number(b"3.0/05/660"));
        assert!(Grade::parse("1.5") > Grade::parse("D") && Grade::parse("4") == Grade::parse("A"));
        assert_eq!(Grade::number(b"2.86").unwrap().to_string(), "2.8");
        for wrong in ["", "E", "AA", "4.1", "5", "-1", "1,5", "1.", "x", ".5", "2.12345"] {
            assert_eq!(Grade::parse(wrong), None, "{wrong}");
        }
    }
}
