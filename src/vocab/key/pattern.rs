//! A pattern of the configuration that takes the key out of a code: `https://q.example/{key}`, `*/b/{key}?*`.
//!
//! `*` stands for any run of characters, `{key}` for one that holds none of `/ ? & # ]` and no control, as long as it can
//! be. A URL is matched without scheme, default port, fragment and trailing slash, its host in lower case; so is a
//! pattern that begins with a scheme. Where a pattern does not match, the key is the code.
//!
//! Must never know: what a key is for. Invariant: a key never matches the pattern it was taken out by, because every
//! pattern holds a character that no key holds.

use super::url;
use std::borrow::Cow;
use thiserror::Error;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    text: String,
    before: Vec<u8>,
    after: Vec<u8>,
}

/// What is wrong with a key rule of the configuration. The sentence says what would be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PatternError {
    #[error("it must be \"identity\", \"standard\" or \"pattern:…\"")]
    Word,
    #[error("a pattern holds {{key}} exactly once")]
    OneKey,
    #[error("a * may not stand right before {{key}}: write the character that stands there, as */{{key}}")]
    Star,
    #[error("after {{key}} comes the end, a *, or one of / ? &: nothing else ends a key")]
    Ending,
    #[error("a pattern holds one of / ? & outside of {{key}}, so that a key is never taken for a code")]
    NoBoundary,
    #[error("a pattern has 2 to 200 characters, none of them blank or control")]
    Characters,
}

/// Ends a key.
fn ends(c: u8) -> bool {
    matches!(c, b'/' | b'?' | b'&' | b'#' | b']' | 0x7f) || c < b' '
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if !(2..=200).contains(&text.len()) || text.bytes().any(|c| c <= b' ' || c == 0x7f) {
            return Err(PatternError::Characters);
        }
        let bytes = text.as_bytes();
        // The host in lower case, as in the code it is matched against.
        let plain = match url::normalised(bytes) {
            Some(n) => String::from_utf8_lossy(n.strip_prefix(b"//").unwrap_or(&n)).into_owned(),
            None => text.to_string(),
        };
        let (before, after) = plain.split_once("{key}").ok_or(PatternError::OneKey)?;
        if after.contains("{key}") {
            return Err(PatternError::OneKey);
        }
        if before.ends_with('*') {
            return Err(PatternError::Star);
        }
        if !after.bytes().next().is_none_or(|c| c == b'*' || ends(c)) {
            return Err(PatternError::Ending);
        }
        if !before.bytes().chain(after.bytes()).any(|c| matches!(c, b'/' | b'?' | b'&')) {
            return Err(PatternError::NoBoundary);
        }
        Ok(Self { text: text.into(), before: before.into(), after: after.into() })
    }

    /// As the configuration wrote it; a store keeps it, so that another pattern of the same number is noticed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// 0x8000 and 15 bits of the text (FNV-1a, folded). Stands in segments: it never changes.
    pub fn number(&self) -> u16 {
        let hash = self.text.bytes().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        0x8000 | ((hash >> 16 ^ hash) & 0x7fff) as u16
    }

    pub fn key<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match url::normalised(bytes) {
            Some(url) => self.find(&url[2..]).map_or(bytes.into(), |k| k.to_vec().into()),
            None => self.find(bytes).unwrap_or(bytes).into(),
        }
    }

    /// The first place where all of the pattern fits.
    fn find<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        // The literal right before the key leaves few places to try.
        let literal = self.before.iter().rposition(|c| *c == b'*').map_or(&self.before[..], |at| &self.before[at + 1..]);
        (literal.len()..text.len()).filter(|from| text[..*from].ends_with(literal)).find_map(|from| {
            let len = text[from..].iter().position(|c| ends(*c)).unwrap_or(text.len() - from);
            let fits = len > 0 && glob(&self.before, &text[..from]) && glob(&self.after, &text[from + len..]);
            fits.then(|| &text[from..from + len])
        })
    }
}

/// `*` in `pattern` stands for any run. Backtracks to the last `*` only, which is enough.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, from)) => {
                    *from += 1;
                    (p, t) = (*at + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}
