//! The lines that nearly all deliveries are made of, found many at a time: ASCII codes without a control byte, each with its LF
//! or CRLF. What is anything else is left to the careful reading of single lines.

use super::lines::without_cr;
use crate::vocab::code::MAX_CODE_LEN;

/// Where a code stands: from, to.
pub type Span = (u32, u32);

/// Lines in memory, every code of which is printable and one of its own.
pub struct Plain<'a> {
    pub bytes: &'a [u8],
    /// The codes, one a line.
    pub spans: &'a [Span],
    pub file: u32,
    /// The first line's number; the others follow without a gap.
    pub line: u64,
}

/// Where the codes of the lines at the beginning of `window` stand; answers how many bytes these lines have. 0: the first
/// wants a closer look, or one of those that looked good does.
pub fn codes(window: &[u8], spans: &mut Vec<Span>) -> usize {
    // Mostly every line is as long as the one before; a guess that was wrong shows at the end.
    let at = cut(window, spans, |at, last| (window.get(at + last) == Some(&b'\n')).then_some(at + last));
    let at = at.or_else(|| cut(window, spans, |_, _| None));
    if at.is_none() {
        spans.clear();
    }
    at.unwrap_or(0)
}

/// `guess`: where the line that begins there ends, if it is as long as the last one. `None`: there is more in these lines than
/// plain codes.
fn cut(window: &[u8], spans: &mut Vec<Span>, guess: impl Fn(usize, usize) -> Option<usize>) -> Option<usize> {
    spans.clear();
    let (mut at, mut ends, mut last) = (0, 0, usize::MAX / 2);
    while let Some(lf) = guess(at, last).or_else(|| Some(at + memchr::memchr(b'\n', &window[at..])?)) {
        let line = &window[at..lf];
        let code = without_cr(line);
        if code.is_empty() || code.len() > MAX_CODE_LEN {
            break;
        }
        spans.push((at as u32, (at + code.len()) as u32));
        ends += 1 + line.len() - code.len();
        last = line.len();
        at = lf + 1;
    }
    // Nothing but the ends of lines is below 0x20, and nothing above 0x7f: one look at all of it, without a branch a byte.
    let taken = &window[..at];
    let low = |part: &[u8]| usize::from(part.iter().fold(0u8, |n, b| n + u8::from(*b < 0x20)));
    let lows: usize = taken.chunks(usize::from(u8::MAX)).map(low).sum();
    (lows == ends && taken.is_ascii()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(window: &[u8]) -> (Vec<&[u8]>, usize) {
        let mut spans = Vec::new();
        let n = codes(window, &mut spans);
        (spans.iter().map(|(from, to)| &window[*from as usize..*to as usize]).collect(), n)
    }

    #[test]
    fn only_plain_lines_are_taken() {
        assert_eq!(found(b"AB\nC\r\nD"), (vec![&b"AB"[..], b"C"], 6), "a cut line waits");
        assert_eq!(found(b"AB\n\nC\n"), (vec![&b"AB"[..]], 3), "an empty line wants a look");
        assert_eq!(found(b"AB\n\r\nC\n"), (vec![&b"AB"[..]], 3));
        for strange in [&b"A\x1dB\nC\n"[..], b"A\rB\n", b"A\r\r\n", "\u{9152}\n".as_bytes(), b"A\0\n", b"\n", b"", b"AB"] {
            assert_eq!(found(strange), (vec![], 0), "{strange:?}");
        }
        // Two lines and the LF between them as long as the one before.
        assert_eq!(found(b"ABCDE\nAB\nCD\nE\n"), (vec![&b"ABCDE"[..], b"AB", b"CD", b"E"], 14));
        let long = [vec![b'x'; MAX_CODE_LEN], b"\n".to_vec(), vec![b'y'; MAX_CODE_LEN + 1], b"\n".to_vec()].concat();
        assert_eq!(found(&long).1, MAX_CODE_LEN + 1);
    }
}
