//! Patterns of frames: `*` stands for any run of bytes, `?` for any one, `\` before either (or before itself) for the byte.

/// A pattern over bytes; it fits a whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Byte(u8),
    One,
    Run,
}

impl Pattern {
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut bytes = text.bytes();
        while let Some(b) = bytes.next() {
            parts.push(match b {
                b'*' if parts.last() == Some(&Part::Run) => continue,
                b'*' => Part::Run,
                b'?' => Part::One,
                b'\\' => Part::Byte(bytes.next().unwrap_or(b'\\')),
                b => Part::Byte(b),
            });
        }
        Self(parts)
    }

    pub fn fits(&self, bytes: &[u8]) -> bool {
        self.walk(bytes).last() == Some(&true)
    }

    /// The length of the shortest beginning that it fits.
    pub fn shortest(&self, bytes: &[u8]) -> Option<usize> {
        self.walk(bytes).iter().position(|fit| *fit)
    }

    /// For each beginning of `bytes`, the empty one first: does the pattern fit it? Work is bounded by pattern × bytes.
    fn walk(&self, bytes: &[u8]) -> Vec<bool> {
        let n = self.0.len();
        // `at[i]`: the first i parts fit what was walked so far.
        let mut at = vec![false; n + 1];
        at[0] = true;
        for i in 0..n {
            at[i + 1] = at[i] && self.0[i] == Part::Run;
        }
        let mut fits = vec![at[n]];
        let mut next = vec![false; n + 1];
        for b in bytes {
            next.fill(false);
            for i in 0..n {
                match self.0[i] {
                    Part::Byte(p) => next[i + 1] = at[i] && p == *b,
                    Part::One => next[i + 1] = at[i],
                    // The run takes this byte, or was over before it.
                    Part::Run => next[i + 1] = at[i + 1] || at[i] || next[i],
                }
            }
            fits.push(next[n]);
            std::mem::swap(&mut at, &mut next);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_single_bytes_and_escapes() {
        let fits = |p: &str, s: &str| Pattern::new(p).fits(s.as_bytes());
        assert!(fits("OK,*", "OK,LON") && fits("OK,*", "OK,") && !fits("OK,*", "xOK,"));
        assert!(fits("*[1]*", "||0:0[1]QUJD") && fits("a?c", "abc") && !fits("a?c", "ac"));
        assert!(fits(r"\*\?", "*?") && !fits(r"\*", "x") && fits("", "") && !fits("", "a") && fits("**a", "a"));
        assert_eq!(Pattern::new("||*[1]").shortest(b"||0:0[1]A[1]B"), Some(8));
        assert_eq!(Pattern::new("X*").shortest(b"XAB"), Some(1));
        assert_eq!(Pattern::new("Y").shortest(b"XAB"), None);
    }
}
