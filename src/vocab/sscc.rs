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
    /// As `of`, and no further than the serial `end`: a block handed out to one line.
    Block { of: Box<RangeRule>, end: u64 },
}

/// GS1 check digit of `digits` (ASCII), the digit that would follow them: weights 3,1,3,… from the right
/// (GS1 General Specifications 7.9).
pub fn check_digit(digits: &[u8]) -> u8 {
    let sum: u32 = digits.iter().rev().enumerate().map(|(i, d)| u32::from(d - b'0') * if i % 2 == 0 { 3 } else { 1 }).sum();
    b'0' + ((10 - sum % 10) % 10) as u8
}

impl RangeRule {
    /// The serial of its first number.
    pub fn start(&self) -> u64 {
        match self {
            Self::Sscc { start, .. } | Self::Serial { start, .. } => *start,
            Self::Block { of, .. } => of.start(),
        }
    }

    /// What its numbers begin with, where they are plain text.
    pub fn text_prefix(&self) -> Option<&str> {
        match self {
            Self::Sscc { .. } => None,
            Self::Serial { prefix, .. } => Some(prefix),
            Self::Block { of, .. } => of.text_prefix(),
        }
    }

    /// Are its numbers SSCCs (else plain text)?
    pub fn is_sscc(&self) -> bool {
        match self {
            Self::Sscc { .. } => true,
            Self::Serial { .. } => false,
            Self::Block { of, .. } => of.is_sscc(),
        }
    }

    /// The first serial past what its digits can form, or past its end.
    fn beyond(&self) -> u64 {
        match self {
            Self::Sscc { prefix, .. } => pow10(16u32.saturating_sub(prefix.len() as u32)),
            Self::Serial { digits, .. } => pow10(u32::from(*digits)),
            Self::Block { of, end } => of.beyond().min(end.saturating_add(1)),
        }
    }

    /// How many codes the range can still form, at most 2³²−1 (ordinals are 32 bits).
    pub fn count(&self) -> u32 {
        self.beyond().saturating_sub(self.start()).min(u64::from(u32::MAX)) as u32
    }

    /// `count` numbers of the range from `ordinal` on; `None` when these are none.
    pub fn part(&self, ordinal: u32, count: u32) -> Option<Self> {
        let count = count.min(self.count().saturating_sub(ordinal));
        let first = self.start() + u64::from(ordinal);
        (count > 0).then(|| Self::Block { of: Box::new(self.starting_at(first)), end: first + u64::from(count) - 1 })
    }

    fn starting_at(&self, first: u64) -> Self {
        match self {
            Self::Sscc { prefix, extension, .. } => Self::Sscc { prefix: prefix.clone(), extension: *extension, start: first },
            Self::Serial { prefix, digits, .. } => Self::Serial { prefix: prefix.clone(), digits: *digits, start: first },
            Self::Block { of, end } => Self::Block { of: Box::new(of.starting_at(first)), end: *end },
        }
    }

    /// Could a number of one be a number of the other? An SSCC and a serial of 18 digits count as one space.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (self.span(), other.span());
        self.count() > 0 && other.count() > 0 && (&a.head, a.digits) == (&b.head, b.digits) && a.low <= b.high && b.low <= a.high
    }

    fn span(&self) -> Span {
        let (low, high) = (u128::from(self.start()), u128::from(self.start()) + u128::from(self.count()).saturating_sub(1));
        match self {
            Self::Block { of, .. } => {
                let s = of.span();
                let step = if of.is_sscc() { 10 } else { 1 };
                Span { high: s.low + (high - low) * step + (step - 1), ..s }
            }
            Self::Sscc { prefix, extension, .. } => {
                // Numbers of 18 digits: prefixes of different lengths are blocks of one space, and the check digit fills ten.
                let base = format!("{extension}{prefix}").parse::<u128>().unwrap_or(0);
                let base = base * u128::from(pow10(16u32.saturating_sub(prefix.len() as u32)));
                Span { head: String::new(), digits: 18, low: (base + low) * 10, high: (base + high) * 10 + 9 }
            }
            Self::Serial { prefix, digits, .. } => {
                // Digits at the end of the prefix are part of the number: C1 + 3 digits lies within C + 4 digits.
                let head = prefix.trim_end_matches(|c: char| c.is_ascii_digit());
                let own = &prefix[head.len()..];
                // A number of more than 36 digits does not fit; its first digits stay text.
                let (kept, own) = own.split_at(own.len().saturating_sub(36 - usize::from(*digits).min(18)));
                let base = own.parse::<u128>().unwrap_or(0) * u128::from(pow10(u32::from(*digits)));
                Span { head: format!("{head}{kept}"), digits: own.len() as u32 + u32::from(*digits), low: base + low, high: base + high }
            }
        }
    }

    /// The code at `ordinal`; `None` past the end.
    pub fn code(&self, ordinal: u32) -> Option<Vec<u8>> {
        if ordinal >= self.count() {
            return None;
        }
        Some(match self {
            Self::Block { of, .. } => return of.code(ordinal),
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
            Self::Block { of, .. } => return of.ordinal(bytes).filter(|o| *o < self.count()),
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

/// A range as an interval of numbers of so many digits behind a text.
struct Span {
    head: String,
    digits: u32,
    low: u128,
    high: u128,
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
            RangeRule::Block { of: Box::new(RangeRule::Serial { prefix: "C".into(), digits: 8, start: 10 }), end: 20_000 },
        ];
        for r in &ranges {
            for o in [0, 1, 9, 99, 12_345] {
                assert_eq!(r.ordinal(&r.code(o).unwrap()), Some(o));
            }
        }
        assert_eq!(ranges[0].code(0).unwrap(), b"169012340000000013".to_vec());
        assert_eq!(ranges[0].ordinal(b"169012340000000012"), None, "wrong check digit");
        assert_eq!(RangeRule::Serial { prefix: "C".into(), digits: 2, start: 98 }.count(), 2);
        assert_eq!((ranges[2].count(), ranges[2].start()), (19_991, 10));
        assert_eq!(ranges[2].code(19_990).unwrap(), b"C00020000");
        assert_eq!((ranges[2].code(19_991), ranges[2].ordinal(b"C00020001")), (None, None));
    }

    #[test]
    fn ranges_that_share_a_number_overlap() {
        let sscc = |prefix: &str, extension, start| RangeRule::Sscc { prefix: prefix.into(), extension, start };
        let serial = |prefix: &str, digits, start| RangeRule::Serial { prefix: prefix.into(), digits, start };
        let block = |of: RangeRule, end| RangeRule::Block { of: Box::new(of), end };
        for (a, b, overlap) in [
            (sscc("6901234", 0, 1), sscc("6901234", 0, 5000), true),
            (sscc("6901234", 0, 1), sscc("6901234", 1, 1), false),
            (block(sscc("6901234", 0, 1), 4999), sscc("6901234", 0, 5000), false),
            (block(sscc("6901234", 0, 1), 5000), sscc("6901234", 0, 5000), true),
            (sscc("6901234", 0, 1), sscc("69012345", 0, 1), true),
            (block(sscc("6901234", 0, 1), 400_000_000), sscc("69012345", 0, 1), false),
            (serial("C", 4, 0), serial("C1", 3, 0), true),
            (block(serial("C", 4, 0), 999), serial("C1", 3, 0), false),
            (serial("C", 4, 0), serial("C", 5, 0), false),
            (serial("C", 4, 0), serial("D", 4, 0), false),
            (serial("069012340", 9, 1), sscc("6901234", 0, 1), true),
            (serial("9", 3, 5), serial("9", 3, 5), true),
        ] {
            assert_eq!((a.overlaps(&b), b.overlaps(&a)), (overlap, overlap), "{a:?} {b:?}");
        }
        assert_eq!(sscc("6901234", 0, 7).part(3, 2).unwrap().code(0), sscc("6901234", 0, 7).code(3));
        assert_eq!(sscc("6901234", 0, 7).part(3, 0), None);
        let within = block(serial("C", 4, 0), 9).part(8, 100).unwrap();
        assert_eq!((within.count(), within.code(1).unwrap()), (2, b"C0009".to_vec()));
    }
}
