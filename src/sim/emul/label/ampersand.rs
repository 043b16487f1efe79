//! Code 128 as DPL (barcode E, class series manual, appendix G) and EZPL (BQ2) write it: a start letter A, B or C, then
//! characters, with `&` and a letter for what a character cannot say.

use super::{Label, Transmitted};

/// What a scanner reads.
pub(super) fn code_128(data: &[u8]) -> Option<Label> {
    let (mut subset, mut rest) = match data.split_first() {
        Some((start @ b'A'..=b'C', rest)) => (*start, rest),
        _ => (b'B', data),
    };
    let mut t = Transmitted::default();
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        match (b, after.first()) {
            (b'&', Some(letter @ b'A'..=b'G')) => {
                rest = &after[1..];
                match letter {
                    b'G' => t.fnc1(),
                    b'D' => subset = b'C',
                    b'E' => subset = b'B',
                    b'F' => subset = b'A',
                    // FNC3, FNC2 and a shift, which nobody transmits.
                    _ => {}
                }
            }
            (0x60..=0x7f, _) if subset == b'A' => t.bytes.push(b - 0x60),
            _ => t.bytes.push(b),
        }
    }
    t.label()
}
