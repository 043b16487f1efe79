//! The contract's example line, what a rate makes of its spacings, and codes to run on it.

use crate::profile::Profiles;
use crate::vocab::plan::Traits;
use std::collections::BTreeMap;

/// The configuration as the contract prints it.
pub const LINE: &str = include_str!("line.toml");

/// The example for `rate` items a minute: up to 480 it stands as it is; above, spacings, pulses and pairing windows are
/// tightened so that things at nine tenths of the mean distance are still told apart, and pulses stay as wide as that
/// allows: a gate's word is only as sharp as polls and ticks of some milliseconds.
pub fn tightened(text: &str, rate: u32) -> String {
    if rate <= 480 {
        return text.to_string();
    }
    let spacing = 54_000 / rate;
    text.replace("min_spacing_ms = 100\n", &format!("min_spacing_ms = {spacing}\n"))
        .replace("trigger = \"io1:cnt.1\"\n", &format!("trigger = \"io1:cnt.1\"\npair_ms = {}\n", spacing / 5))
        .replace("pulse_ms = 60,", &format!("pulse_ms = {}, tolerance_ms = 2,", (spacing - 4).min(60)))
        .replace("min_spacing_ms = 500", &format!("min_spacing_ms = {}", (6 * spacing).min(500)))
        .replace("min_spacing_ms = 2000", &format!("min_spacing_ms = {}", (24 * spacing).min(2_000)))
}

/// The example with another item printer, its first device; a message that only its panel selects is left out.
pub fn with_messages_selected(text: &str, profiles: &Profiles) -> String {
    let first = text.split("profile = \"").nth(1).and_then(|t| t.split('"').next()).unwrap_or_default();
    let bound = profiles.bind(first, &BTreeMap::new());
    let panel = bound.is_ok_and(|b| matches!(b.traits(), Traits::Printer(t) if !t.selects));
    text.split_inclusive('\n').filter(|l| !(panel && l.starts_with("message = "))).collect()
}

/// The example for bottles that come with their codes on: nothing prints them.
pub fn unprinted(text: &str) -> String {
    let block = |part: &str| part.contains("id = \"ijp1\"") || part.contains("id = \"bottle-print\"");
    let parts: Vec<&str> = text.split_inclusive('\n').collect();
    // Blocks begin with a line of their own in brackets.
    let (mut out, mut one) = (String::new(), String::new());
    for line in parts {
        if line.starts_with('[') && !block(&one) {
            out.push_str(&one);
        }
        if line.starts_with('[') {
            one.clear();
        }
        one.push_str(line);
    }
    out.push_str(&one);
    out.replacen("codes = \"printed\"", "codes = \"preprinted\"", 1)
}

/// The `n`th URL token of a seed: unpredictable to the eye, never twice (n below 2⁴⁰).
pub fn token(seed: u64, kind: &str, n: u64) -> String {
    const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    // A bijection of 40 bits (odd multipliers, xor-shifts), so that no two n give one token.
    let mask = (1u64 << 40) - 1;
    let mut x = (n ^ (seed & 0xff_ffff)) & mask;
    for m in [0x5bd1_e995_3fd1u64, 0x9e37_79b9_7f4bu64] {
        x = x.wrapping_mul(m) & mask;
        x ^= x >> 21;
    }
    let text: String = (0..8).map(|i| ALPHABET[(x >> (5 * i) & 31) as usize] as char).collect();
    format!("https://q.example/{kind}/{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_never_repeat() {
        let mut seen: Vec<String> = (0..50_000).map(|n| token(7, "A", n)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 50_000);
    }

    #[test]
    fn a_faster_line_is_tighter() {
        assert_eq!(tightened(LINE, 400), LINE);
        let fast = tightened(LINE, 900);
        assert!(fast.contains("min_spacing_ms = 60\n") && fast.contains("pulse_ms = 56,") && fast.contains("pair_ms = 12"), "{fast}");
    }
}
