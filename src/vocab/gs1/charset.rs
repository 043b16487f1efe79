//! GS1's encodable character sets (GS1 General Specifications 7.11).
//!
//! Must never know: AIs.

use super::fault::Fault;

/// CSET 82 in its order, which is also each character's value for a check pair.
pub const CSET_82: &[u8; 82] = b"!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// The letters of the dictionary's types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Charset {
    /// `N`
    Digits,
    /// `X`
    Any82,
    /// `Y`
    Upper39,
    /// `Z`: base64 safe for URIs, padded with `=` to a multiple of three characters or not at all.
    Base64Url,
}

impl Charset {
    pub fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'N' => Some(Self::Digits),
            b'X' => Some(Self::Any82),
            b'Y' => Some(Self::Upper39),
            b'Z' => Some(Self::Base64Url),
            _ => None,
        }
    }

    fn holds(self, c: u8) -> bool {
        match self {
            Self::Digits => c.is_ascii_digit(),
            Self::Any82 => CSET_82.contains(&c),
            Self::Upper39 => c.is_ascii_digit() || c.is_ascii_uppercase() || matches!(c, b'#' | b'-' | b'/'),
            Self::Base64Url => is_64(c),
        }
    }

    /// The first place (and length) that does not fit.
    pub fn check(self, value: &[u8]) -> Result<(), (Fault, usize, usize)> {
        let bare = match self {
            Self::Base64Url => {
                let bare = value.len() - value.iter().rev().take_while(|c| **c == b'=').count();
                let pads = value.len() - bare;
                if pads > 2 || pads > 0 && !value.len().is_multiple_of(3) {
                    return Err((Fault::InvalidCset64Padding, bare, pads));
                }
                bare
            }
            _ => value.len(),
        };
        let fault = match self {
            Self::Digits => Fault::NonDigitCharacter,
            Self::Any82 => Fault::InvalidCset82Character,
            Self::Upper39 => Fault::InvalidCset39Character,
            Self::Base64Url => Fault::InvalidCset64Character,
        };
        match value[..bare].iter().position(|c| !self.holds(*c)) {
            Some(at) => Err((fault, at, 1)),
            None => Ok(()),
        }
    }
}

/// A character of CSET 64 without its padding.
pub fn is_64(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'-' || c == b'_'
}

/// A character of CSET 82.
pub fn is_82(c: u8) -> bool {
    CSET_82.contains(&c)
}
