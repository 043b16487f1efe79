//! The match key of a code's bytes and its keyed hash: the one place where the ledger asks for either.

use crate::vocab::KeyRule;
use siphasher::sip::SipHasher24;
use std::borrow::Cow;

/// Bits of a hash in an index entry; the other 24 are the ordinal.
pub const HASH_BITS: u32 = 40;

/// What is compared when a code is looked up.
pub fn key(rule: KeyRule, bytes: &[u8]) -> Cow<'_, [u8]> {
    rule.key_of(bytes)
}

/// The bytes judge what the match found: beyond the declared normalisation nothing may differ.
pub fn exact(rule: KeyRule, stored: &[u8], scanned: &[u8]) -> bool {
    rule.agrees(stored, scanned)
}

/// Key of the hash: one for the store, so that every sorted index of it can be merged with every other.
#[derive(Clone, Copy)]
pub struct Hasher {
    pub key: [u8; 16],
    /// Leading bits of the hash that count; 40 but in tests.
    pub bits: u32,
}

impl Hasher {
    pub fn new(key: [u8; 16]) -> Self {
        Self { key, bits: HASH_BITS }
    }

    /// The top 40 bits of SipHash-2-4 (Aumasson and Bernstein, 2012) of the match key, those after `bits` cleared. Keyed,
    /// so that nobody outside can make codes that crowd one place of the index.
    pub fn hash(&self, match_key: &[u8]) -> u64 {
        let v = SipHasher24::new_with_key(&self.key).hash(match_key) >> (64 - HASH_BITS);
        v & (u64::MAX << (HASH_BITS - self.bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector() {
        // The paper's appendix: key 00…0f, input 00…0e.
        let key = std::array::from_fn(|i| i as u8);
        let input: Vec<u8> = (0..15).collect();
        assert_eq!(Hasher::new(key).hash(&input), 0xa129ca6149be45e5 >> 24);
        assert_eq!(Hasher { key, bits: 16 }.hash(&input), 0xa129 << 24);
    }
}
