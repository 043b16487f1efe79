//! How codes are found again: the match key, made from a code's bytes by the one rule of a store.
//!
//! Must never know: segments, indexes. The match key finds; [`KeyRule::agrees`] judges whether what was read is what was
//! delivered.
//!
//! Invariants:
//! - A rule's number stands in every segment's header for ever: what a number means never changes.
//! - The key of a key is that key.
//! - Codes that agree have one key.

mod pattern;
mod standard;
#[cfg(test)]
mod tests;
mod url;

pub use pattern::{Pattern, PatternError};

use super::code::MatchKey;
use std::borrow::Cow;
use std::fmt;

/// How a match key is made from a code's bytes. The number stands in every segment's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyRule {
    /// 1: the bytes themselves, after removing a symbology identifier (`]cm`) and a leading FNC1 (GS).
    Identity,
    /// 2: as `Identity`, and a leading application identifier `00` before 18 digits is removed.
    Sscc,
    /// 3: what the code names, by its form: SGTIN and SSCC in element strings and Digital Links, URLs without what does
    /// not matter in them, Chinese drug codes; anything else as `Identity`.
    Standard,
    /// From 0x8000: what a pattern of the configuration takes out. It lives as long as the program.
    Pattern(&'static Pattern),
}

impl KeyRule {
    /// The rule of a number that says everything; a pattern's number does not (see [`KeyRule::numbered`]).
    pub const fn from_number(n: u16) -> Option<Self> {
        match n {
            1 => Some(Self::Identity),
            2 => Some(Self::Sscc),
            3 => Some(Self::Standard),
            _ => None,
        }
    }

    /// The rule a segment's header names, where the store's configuration says `configured`. `None`: the segment was
    /// made by a rule this configuration does not have.
    pub fn numbered(n: u16, configured: Self) -> Option<Self> {
        Self::from_number(n).or_else(|| (configured.number() == n).then_some(configured))
    }

    pub fn number(self) -> u16 {
        match self {
            Self::Identity => 1,
            Self::Sscc => 2,
            Self::Standard => 3,
            Self::Pattern(p) => p.number(),
        }
    }

    /// As written in a configuration: `identity`, `standard`, `pattern:<text>`. A pattern stays in memory.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        match (text, text.strip_prefix("pattern:")) {
            ("identity", _) => Ok(Self::Identity),
            ("standard", _) => Ok(Self::Standard),
            (_, Some(pattern)) => Ok(Self::Pattern(Box::leak(Box::new(Pattern::parse(pattern)?)))),
            _ => Err(PatternError::Word),
        }
    }

    /// The part of scanned `bytes` that is the code: without symbology identifier, leading FNC1 and, for an SSCC, AI 00.
    /// For `Identity` and `Sscc` this is the match key; for the others see [`KeyRule::key_of`].
    pub fn strip(self, bytes: &[u8]) -> &[u8] {
        let mut b = bytes;
        // ISO/IEC 15424: ']' + code character + modifier.
        if b.len() > 3 && b[0] == b']' && b[1].is_ascii_alphabetic() && b[2].is_ascii_alphanumeric() {
            b = &b[3..];
        }
        if b.len() > 1 && b[0] == 0x1d {
            b = &b[1..];
        }
        if self == Self::Sscc && b.len() == 20 && b.starts_with(b"00") && b.iter().all(u8::is_ascii_digit) {
            b = &b[2..];
        }
        b
    }

    /// The match key of a code as delivered or as scanned. Nothing is copied for `Identity` and `Sscc`.
    pub fn key_of(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Identity | Self::Sscc => self.strip(bytes).into(),
            Self::Standard => standard::key(bare(bytes)),
            Self::Pattern(p) => p.key(bare(bytes)),
        }
    }

    pub fn key(self, bytes: &[u8]) -> MatchKey {
        MatchKey(self.key_of(bytes).into())
    }

    /// What was read is what was delivered, but for what this rule declares not to matter. Where this is false although
    /// the keys are equal, the code was altered.
    pub fn agrees(self, stored: &[u8], scanned: &[u8]) -> bool {
        match self {
            Self::Identity | Self::Sscc => self.strip(stored) == self.strip(scanned),
            Self::Standard => standard::agrees(bare(stored), bare(scanned)),
            Self::Pattern(_) => self.key_of(stored) == self.key_of(scanned),
        }
    }

    /// What is told to offices of a code: of an SGTIN only `01…21…` (a Russian code without its crypto tail), of an SSCC
    /// its 18 digits, else the code.
    pub fn reported(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Standard => standard::reported(bare(bytes)),
            _ => self.strip(bytes).into(),
        }
    }
}

/// As the configuration writes it.
impl fmt::Display for KeyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => f.write_str("identity"),
            Self::Sscc => f.write_str("sscc"),
            Self::Standard => f.write_str("standard"),
            Self::Pattern(p) => write!(f, "pattern:{}", p.text()),
        }
    }
}

/// Without symbology identifiers and leading FNC1, as often as they stand there.
fn bare(bytes: &[u8]) -> &[u8] {
    let mut b = bytes;
    loop {
        let next = KeyRule::Identity.strip(b);
        if next.len() == b.len() {
            return b;
        }
        b = next;
    }
}
