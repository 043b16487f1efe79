//! Texts that stand for things, each kept once and spoken of by number.

use crate::vocab::KeyRule;
use crate::vocab::code::{hex, unhex};
use std::collections::HashMap;

/// A name's number within its list.
pub type No = u32;

#[derive(Default)]
pub struct Names {
    numbers: HashMap<Box<str>, No>,
    texts: Vec<Box<str>>,
}

impl Names {
    /// The number of `text`, given now if it is new.
    pub fn number(&mut self, text: &str) -> No {
        if let Some(n) = self.numbers.get(text) {
            return *n;
        }
        let n = self.texts.len() as No;
        self.numbers.insert(text.into(), n);
        self.texts.push(text.into());
        n
    }

    pub fn known(&self, text: &str) -> Option<No> {
        self.numbers.get(text).copied()
    }

    /// The text behind a number of this list.
    pub fn text(&self, no: No) -> &str {
        self.texts.get(no as usize).map_or("?", |t| t)
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The number of a scanned code: the bytes as they are or, where those are nobody's, without symbology identifier,
    /// FNC1 and (18 digits behind it) AI 00.
    pub fn scanned(&mut self, text: &str) -> No {
        if let Some(n) = self.numbers.get(text) {
            return *n;
        }
        let bare = unhex(text).map(|b| hex(KeyRule::Sscc.strip(&b)));
        match bare.and_then(|b| self.known(&b)) {
            Some(n) => n,
            None => self.number(text),
        }
    }
}

/// Is this the hex of at least one byte, in lower case?
pub fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.len().is_multiple_of(2) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_scanned_with_its_identifier_is_its_eighteen_digits() {
        let mut n = Names::default();
        let own = n.number(&hex(b"069012340000000014"));
        assert_eq!(n.scanned(&hex(b"]C100069012340000000014")), own);
        assert_eq!(n.scanned(&hex(b"00069012340000000014")), own);
        assert_ne!(n.scanned(&hex(b"00069012340000000021")), own);
    }
}
