//! The match key of a code's bytes and its keyed hash: the one place where the ledger asks for either.

use crate::vocab::KeyRule;
use siphasher::sip::SipHasher13;
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

    /// The top 40 bits of SipHash-1-3 (Aumasson and Bernstein, 2012) of the match key, those after `bits` cleared. Keyed,
    /// so that nobody outside can make codes that crowd one place of the index; that is all that depends on it, for equal
    /// hashes are only a reason to look.
    pub fn hash(&self, match_key: &[u8]) -> u64 {
        let v = SipHasher13::new_with_key(&self.key).hash(match_key) >> (64 - HASH_BITS);
        v & (u64::MAX << (HASH_BITS - self.bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector() {
        // The reference implementation's vectors for one and three rounds, as Rust's own library carries them: key 00…0f,
        // input 00…0e (hash d320d86d2a519956).
        let key = std::array::from_fn(|i| i as u8);
        let input: Vec<u8> = (0..15).collect();
        assert_eq!(Hasher::new(key).hash(&input), 0xd320_d86d_2a51_9956 >> 24);
        assert_eq!(Hasher { key, bits: 16 }.hash(&input), 0xd320 << 24);
    }
}
