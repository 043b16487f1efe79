//! Check digits and check character pairs (GS1 General Specifications 7.9).
//!
//! Must never know: AIs.

use super::charset::CSET_82;
use crate::vocab::sscc::check_digit;

/// The last digit of `digits` is the check digit of those before it.
pub fn check_digit_holds(digits: &[u8]) -> bool {
    match digits.split_last() {
        Some((last, rest)) => !rest.is_empty() && digits.iter().all(u8::is_ascii_digit) && check_digit(rest) == *last,
        None => false,
    }
}

/// The 32 characters of a check pair: no 0, 1, I, O.
const PAIR: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Weights from the right: the primes from 2.
const PRIMES: [u32; 23] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83];

/// The two characters that follow `data` in a Global Model Number. `None` when `data` is longer than 23 characters or
/// outside CSET 82.
pub fn check_pair(data: &[u8]) -> Option<[u8; 2]> {
    if data.len() > PRIMES.len() {
        return None;
    }
    let mut sum = 0;
    for (c, weight) in data.iter().rev().zip(PRIMES) {
        sum += CSET_82.iter().position(|x| x == c)? as u32 * weight;
    }
    let sum = (sum % 1021) as usize;
    Some([PAIR[sum >> 5], PAIR[sum & 31]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_pair_of_the_published_model_number() {
        // GS1 General Specifications 7.9.5: the example of a GMN.
        assert_eq!(check_pair(b"1987654Ad4X4bL5ttr2310c"), Some(*b"2K"));
        assert_eq!(check_pair(b"a b"), None);
        assert_eq!(check_pair(&[b'A'; 24]), None);
    }

    #[test]
    fn check_digits_need_digits() {
        assert!(check_digit_holds(b"24012345678905"));
        assert!(!check_digit_holds(b"24012345678909") && !check_digit_holds(b"0") && !check_digit_holds(b"") && !check_digit_holds(b"x0"));
    }
}
