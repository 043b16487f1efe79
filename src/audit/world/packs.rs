//! The packs of the small world, and what becomes of those that no line uses: given back, voided, on the market already.

use super::Maker;
use crate::vocab::code::hex;
use serde_json::json;

/// A code of a pack that was given back.
pub fn returned_code(n: u32) -> String {
    hex(format!("https://t.example/R{n}").as_bytes())
}

/// A code of a pack that was voided.
pub fn voided_code(n: u32) -> String {
    hex(format!("https://t.example/V{n}").as_bytes())
}

/// A code that was on the market before.
pub fn old_code(n: u32) -> String {
    hex(format!("https://t.example/O{n}").as_bytes())
}

pub(super) const PACKS: [(&str, &str, &str, u32); 6] = [
    ("p1", "bottle", "P1", 24),
    ("p2", "box", "P1", 5),
    ("range-case", "case", "*", 100),
    ("p3", "bottle", "P1", 4),
    ("p4", "bottle", "P1", 3),
    ("old", "-", "-", 9),
];

/// A pack is given back, one is voided; a code used elsewhere is shown to a scanner.
pub(super) fn withdrawals(m: &mut Maker) {
    let returned: Vec<String> = (0..4).map(returned_code).collect();
    let voided: Vec<String> = (0..3).map(voided_code).collect();
    for (pack, to, codes) in [("p3", "returned", &returned), ("p4", "void", &voided)] {
        m.book(json!({"k": "pack-withdrawn", "pack": pack, "to": to, "count": codes.len(), "why": "w"}));
        for (n, c) in codes.iter().enumerate() {
            m.touch(c, "bottle", pack, n as u32, to);
        }
        m.each(to, codes, &json!({"pack": pack}));
    }
    let old = old_code(0);
    m.touch(&old, "-", "old", 7, "void");
    m.row(&old).seen = 1;
    m.each("void", std::slice::from_ref(&old), &json!({}));
    m.book(json!({"k": "read", "station": "bottle-check", "hex": old}));
}
