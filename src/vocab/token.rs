//! Random tokens made on the line: an alphabet, a length, a template; how hard they are to guess; what is not printed.
//!
//! Must never know: where randomness comes from (bytes are handed in). Invariants: every token of a rule is equally
//! likely (bytes that would favour some letters are thrown away); a token that reads like a word of the deny-list is
//! never drawn.

use serde::{Deserialize, Serialize};

/// 31 digits and letters that are not mistaken for each other: no 0 O 1 I L.
pub const A31: &str = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
/// `A31` without vowels, so that hardly a word appears.
pub const A28: &str = "23456789BCDFGHJKMNPQRSTVWXYZ";
/// What a template holds in place of the token.
pub const SLOT: &str = "{token}";
/// One guess in this many at most may hit a live code (EU 2016/161 art. 4, EU 2018/574).
pub const GUESSES: u64 = 10_000;
/// Longest token, in characters.
pub const LONGEST: u8 = 64;

/// Runs of letters nobody wants on a bottle, as they look when 0 1 3 4 5 6 7 8 stand for O I E A S G T B.
const DENIED: &[&str] = &["SEX", "FUCK", "SHIT", "CUNT", "COCK", "DICK", "NAZI", "KKK", "RAPE", "PORN", "PISS", "DAMN", "HELL", "KILL"];

/// How tokens of a pack were drawn.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokenRule {
    /// The characters a token is made of: 2 to 94 visible ASCII, each once.
    pub alphabet: String,
    /// Characters of a token.
    pub length: u8,
    /// The code, with `{token}` where the token stands.
    pub template: String,
}

/// Why a rule or a number of tokens will not do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    #[error("an alphabet has 2 to 94 visible characters, each once, or is named: A28, A31, 0-9; “{0}” is not one")]
    Alphabet(String),
    #[error("a token has 1 to {LONGEST} characters, not {0}")]
    Length(u8),
    #[error("a template holds {SLOT} once, no control characters and no {{ }} beside; “{0}” does not")]
    Template(String),
    #[error("“{0}” begins with {word}, which stands for setup prints and is no code", word = super::dummy::WORD)]
    Setup(String),
    #[error(
        "{length} characters of an alphabet of {letters} make {space} tokens; with {live} live codes one guess in {odds} would hit, at least one in {GUESSES} is allowed: take {enough} characters"
    )]
    Guessable { letters: usize, length: u8, space: String, live: u64, odds: u64, enough: u32 },
}

/// The alphabet of a name (`A28`, `A31`, `0-9`), or the characters themselves.
pub fn alphabet(text: &str) -> Result<String, TokenError> {
    let letters = match text {
        "A28" => A28,
        "A31" => A31,
        "0-9" => "0123456789",
        own => own,
    };
    let once = letters.bytes().enumerate().all(|(i, b)| b.is_ascii_graphic() && !letters.as_bytes()[..i].contains(&b));
    if once && (2..=94).contains(&letters.len()) { Ok(letters.into()) } else { Err(TokenError::Alphabet(text.into())) }
}

impl TokenRule {
    /// A rule whose alphabet is named or spelt out.
    pub fn new(letters: &str, length: u8, template: &str) -> Result<Self, TokenError> {
        if length == 0 || length > LONGEST {
            return Err(TokenError::Length(length));
        }
        let rest = template.replacen(SLOT, "", 1);
        if super::dummy::is_dummy(template.as_bytes()) {
            return Err(TokenError::Setup(template.into()));
        }
        if rest.len() == template.len() || rest.contains(['{', '}']) || rest.chars().any(char::is_control) {
            return Err(TokenError::Template(template.into()));
        }
        Ok(Self { alphabet: alphabet(letters)?, length, template: template.into() })
    }

    /// How many tokens the rule can form, at most 2¹²⁸−1.
    pub fn space(&self) -> u128 {
        (self.alphabet.len() as u128).checked_pow(u32::from(self.length)).unwrap_or(u128::MAX)
    }

    /// The guessing rule: `live` codes among all tokens are at most one in `GUESSES`.
    pub fn check(&self, live: u64) -> Result<(), TokenError> {
        let (space, live) = (self.space(), live.max(1));
        let needed = u128::from(live) * u128::from(GUESSES);
        if space > needed {
            return Ok(());
        }
        let letters = self.alphabet.len();
        let enough = (1..).find(|n| (letters as u128).checked_pow(*n).is_none_or(|s| s > needed)).unwrap_or(u32::MAX);
        let odds = (space / u128::from(live)) as u64;
        Err(TokenError::Guessable { letters, length: self.length, space: space.to_string(), live, odds, enough })
    }

    /// Draws one token from random bytes; `None` when these are used up first. The bytes taken are gone from `random`.
    pub fn draw(&self, random: &mut &[u8]) -> Option<Vec<u8>> {
        let letters = self.alphabet.as_bytes();
        // Bytes from the last whole multiple on would make the first letters likelier.
        let fair = 256 - 256 % letters.len();
        loop {
            let mut token = Vec::with_capacity(usize::from(self.length));
            while token.len() < usize::from(self.length) {
                let (first, rest) = random.split_first()?;
                *random = rest;
                if usize::from(*first) < fair {
                    token.push(letters[usize::from(*first) % letters.len()]);
                }
            }
            if !denied(&token) {
                return Some(token);
            }
        }
    }

    /// The code that carries a token.
    pub fn code(&self, token: &[u8]) -> Vec<u8> {
        let (before, after) = self.template.split_once(SLOT).unwrap_or((&self.template, ""));
        [before.as_bytes(), token, after.as_bytes()].concat()
    }
}

/// Does a token hold a word of the deny-list, as people read it?
fn denied(token: &[u8]) -> bool {
    let alike = |b: &u8| match b {
        b'0' => b'O',
        b'1' => b'I',
        b'3' => b'E',
        b'4' => b'A',
        b'5' => b'S',
        b'6' => b'G',
        b'7' => b'T',
        b'8' => b'B',
        b => b.to_ascii_uppercase(),
    };
    // A number is a number: digits alone spell nothing.
    if token.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let read: Vec<u8> = token.iter().map(alike).collect();
    DENIED.iter().any(|w| read.windows(w.len()).any(|r| r == w.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(letters: &str, length: u8) -> TokenRule {
        TokenRule::new(letters, length, "https://q.example/{token}").unwrap()
    }

    #[test]
    fn the_guessing_rule_says_its_numbers() {
        assert!(rule("A28", 12).check(1_000_000_000).is_ok());
        assert!(rule("A28", 8).check(1_000_000).is_ok());
        let e = rule("A28", 8).check(1_000_000_000).unwrap_err();
        assert!(matches!(e, TokenError::Guessable { letters: 28, odds: 377, enough: 9, .. }), "{e}");
        assert!(e.to_string().contains("377801998336 tokens"), "{e}");
        // Exactly one in ten thousand is not below it.
        assert!(rule("0-9", 8).check(10_000).is_err() && rule("0-9", 8).check(9_999).is_ok());
        assert!(rule("A28", 64).check(u64::MAX).is_ok(), "more than 128 bits of them");
    }

    #[test]
    fn rules_are_read_or_refused() {
        assert_eq!((A31.len(), A28.len()), (31, 28));
        for bad in ["", "A", "AA", "A B", "ä"] {
            assert!(matches!(TokenRule::new(bad, 8, SLOT), Err(TokenError::Alphabet(_))), "{bad}");
        }
        for bad in ["", "x", "{token}{token}", "{token}{", "{tok}", "a\n{token}"] {
            assert!(matches!(TokenRule::new("A28", 8, bad), Err(TokenError::Template(_))), "{bad}");
        }
        assert_eq!(TokenRule::new("A28", 0, SLOT), Err(TokenError::Length(0)));
        assert_eq!(rule("XY", 2).code(b"XX"), b"https://q.example/XX");
    }

    #[test]
    fn every_letter_is_as_likely_as_another() {
        let r = TokenRule::new("abc", 1, SLOT).unwrap();
        let mut counts = [0; 3];
        let bytes: Vec<u8> = (0..=255).collect();
        let mut random = &bytes[..];
        while let Some(t) = r.draw(&mut random) {
            counts[usize::from(t[0] - b'a')] += 1;
        }
        assert_eq!(counts, [85, 85, 85], "byte 255 is thrown away");
    }

    #[test]
    fn words_are_not_drawn() {
        for word in ["S3X", "XXshit", "5H1T", "aNaz1"] {
            assert!(denied(word.as_bytes()), "{word}");
        }
        assert!(!denied(b"4242") && !denied(b"BCDFGHJK"));
        let r = TokenRule::new("SEX", 3, SLOT).unwrap();
        let mut random = &[0u8, 1, 2, 2, 1, 0][..];
        assert_eq!(r.draw(&mut random).unwrap(), b"XES", "SEX was passed over");
    }
}
