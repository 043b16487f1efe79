//! Numbers made on the line: SSCC (GS1 General Specifications 3.2, AI 00) and prefix+serial. A range is a pack whose
//! segment is a formula: ordinal → code and back, nothing stored.

use serde::{Deserialize, Serialize};

/// A range of generated codes, as configured for a level.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RangeRule {
    /// 18 digits: extension digit, GS1 company prefix, serial reference, check digit.
    Sscc { prefix: String, extension: u8, start: u64 },
    /// `prefix` then the serial, zero-padded to `digits`.
    Serial { prefix: String, digits: u8, start: u64 },
}

/// GS1 check digit of `digits` (ASCII), the digit that would follow them: weights 3,1,3,… from the right
/// (GS1 General Specifications 7.9).
pub fn check_digit(digits: &[u8]) -> u8 {
    let sum: u32 = digits.iter().rev().enumerate().map(|(i, d)| u32::from(d - b'0') * if i % 2 == 0 { 3 } else { 1 }).sum();
    b'0' + ((10 - sum % 10) % 10) as u8
}

impl RangeRule {
    /// How many codes the range can still form, at most 2³²−1 (ordinals are 32 bits).
    pub fn count(&self) -> u32 {
        let (space, start) = match self {
            Self::Sscc { prefix, start, .. } => (pow10(16u32.saturating_sub(prefix.len() as u32)), *start),
            Self::Serial { digits, start, .. } => (pow10(u32::from(*digits)), *start),
        };
        space.saturating_sub(start).min(u64::from(u32::MAX)) as u32
    }

    /// The code at `ordinal`; `None` past the end.
    pub fn code(&self, ordinal: u32) -> Option<Vec<u8>> {
        if ordinal >= self.count() {
            return None;
        }
        Some(match self {
            Self::Sscc { prefix, extension, start } => {
                let width = 16 - prefix.len();
                let mut s = format!("{extension}{prefix}{:0width$}", start + u64::from(ordinal)).into_bytes();
                s.push(check_digit(&s));
                s
            }
            Self::Serial { prefix, digits, start } => {
                let width = usize::from(*digits);
                format!("{prefix}{:0width$}", start + u64::from(ordinal)).into_bytes()
            }
        })
    }

    /// The ordinal whose code is exactly `bytes`.
    pub fn ordinal(&self, bytes: &[u8]) -> Option<u32> {
        let (serial, start) = match self {
            Self::Sscc { prefix, extension, start } => {
                let head = format!("{extension}{prefix}");
                if bytes.len() != 18 || !bytes.starts_with(head.as_bytes()) {
                    return None;
                }
                (&bytes[head.len()..17], *start)
            }
            Self::Serial { prefix, digits, start } => {
                if bytes.len() != prefix.len() + usize::from(*digits) || !bytes.starts_with(prefix.as_bytes()) {
                    return None;
                }
                (&bytes[prefix.len()..], *start)
            }
        };
        if !serial.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let n: u64 = std::str::from_utf8(serial).ok()?.parse().ok()?;
        let ordinal = u32::try_from(n.checked_sub(start)?).ok()?;
        (self.code(ordinal)? == bytes).then_some(ordinal)
    }
}

fn pow10(n: u32) -> u64 {
    10u64.checked_pow(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_of_published_numbers() {
        // GTIN-13 6 29104 15002 1 → 3 (GS1 check digit page); SSCC 0 0614141 123456789 → 0 (TDS examples 10614141…).
        assert_eq!(check_digit(b"629104150021"), b'3');
        assert_eq!(check_digit(b"10614141192837465"), b'7');
    }

    #[test]
    fn every_range_code_finds_its_ordinal_again() {
        let ranges = [
            RangeRule::Sscc { prefix: "6901234".into(), extension: 1, start: 1 },
            RangeRule::Serial { prefix: "C".into(), digits: 8, start: 10 },
        ];
        for r in &ranges {
            for o in [0, 1, 9, 99, 12_345] {
                assert_eq!(r.ordinal(&r.code(o).unwrap()), Some(o));
            }
        }
        assert_eq!(ranges[0].code(0).unwrap(), b"169012340000000013".to_vec());
        assert_eq!(ranges[0].ordinal(b"169012340000000012"), None, "wrong check digit");
        assert_eq!(RangeRule::Serial { prefix: "C".into(), digits: 2, start: 98 }.count(), 2);
    }
}
