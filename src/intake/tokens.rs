//! Tokens drawn here, as a delivery: nothing lies on a disk but the pack they become.
//!
//! Must never know: the store (whether a code is known is asked of a closure). Invariants: no token comes twice; the
//! hash is that of the file that lists the codes, one a line.

use super::{Column, Fault, Row, Rows};
use crate::vocab::token::TokenRule;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

/// Random bytes asked for at a time.
const BATCH: usize = 1 << 14;

pub struct Tokens<'a> {
    rule: TokenRule,
    left: u32,
    drawn: u64,
    /// Draws that may still come to nothing: more, and the randomness is none.
    spare: u64,
    random: Box<dyn FnMut(&mut [u8]) -> std::io::Result<()> + 'a>,
    known: Box<dyn Fn(&[u8]) -> bool + 'a>,
    pool: Vec<u8>,
    at: usize,
    columns: [Column; 1],
    files: [PathBuf; 1],
    hasher: RandomState,
    /// Hashes of what was drawn: two tokens of one hash cost a draw, nothing else.
    seen: HashSet<u64>,
    sha: Sha256,
}

impl<'a> Tokens<'a> {
    /// `random` fills a buffer with bytes nobody can guess; `known` says whether a code was ever accepted.
    pub fn new(
        rule: TokenRule,
        count: u32,
        random: impl FnMut(&mut [u8]) -> std::io::Result<()> + 'a,
        known: impl Fn(&[u8]) -> bool + 'a,
    ) -> Self {
        Self {
            rule,
            left: count,
            drawn: 0,
            spare: 1_000 + u64::from(count),
            random: Box::new(random),
            known: Box::new(known),
            pool: vec![0; BATCH],
            at: BATCH,
            columns: [Column::default()],
            files: [PathBuf::from("drawn")],
            hasher: RandomState::new(),
            seen: HashSet::new(),
            sha: Sha256::new(),
        }
    }

    fn draw(&mut self) -> Result<Vec<u8>, Fault> {
        loop {
            let mut rest = &self.pool[self.at..];
            let before = rest.len();
            if let Some(token) = self.rule.draw(&mut rest) {
                self.at += before - rest.len();
                return Ok(token);
            }
            // What was left could not make a whole token: thrown away.
            (self.random)(&mut self.pool)
                .map_err(|e| Fault::Delivery { what: format!("the system gives no random numbers ({e})"), do_next: "try again".into() })?;
            self.at = 0;
        }
    }
}

impl Rows for Tokens<'_> {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn files(&self) -> &[PathBuf] {
        &self.files
    }

    fn next_row(&mut self, row: &mut Row) -> Result<bool, Fault> {
        if self.left == 0 {
            return Ok(false);
        }
        loop {
            let token = self.draw()?;
            let code = self.rule.code(&token);
            if self.seen.insert(self.hasher.hash_one(&code)) && !(self.known)(&code) {
                self.left -= 1;
                self.drawn += 1;
                row.clear();
                (row.file, row.line) = (0, self.drawn);
                row.push(&code);
                self.sha.update(&code);
                self.sha.update(b"\n");
                return Ok(true);
            }
            self.spare = self.spare.checked_sub(1).ok_or_else(|| Fault::Delivery {
                what: "too many of the drawn tokens were there before".into(),
                do_next: "take more characters".into(),
            })?;
        }
    }

    fn sha256(&self) -> [u8; 32] {
        self.sha.clone().finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_comes_twice_and_none_that_is_known() {
        let rule = TokenRule::new("0-9", 2, "q/{token}").unwrap();
        let mut rng = crate::vocab::rng::Rng::new(1);
        let random = move |b: &mut [u8]| {
            b.iter_mut().for_each(|x| *x = rng.below(256) as u8);
            Ok(())
        };
        let mut tokens = Tokens::new(rule, 90, random, |code| code.ends_with(b"7"));
        let (mut row, mut all) = (Row::default(), HashSet::new());
        let mut file = Vec::new();
        while tokens.next_row(&mut row).unwrap() {
            assert!(all.insert(row.code(0).to_vec()) && !row.code(0).ends_with(b"7"));
            file.extend_from_slice(row.code(0));
            file.push(b'\n');
        }
        assert_eq!(all.len(), 90, "all there are");
        assert_eq!(tokens.sha256()[..], Sha256::digest(&file)[..]);
    }

    #[test]
    fn a_rule_that_has_no_more_tokens_ends_with_a_sentence() {
        let rule = TokenRule::new("AB", 1, "q/{token}").unwrap();
        let mut n = 0u8;
        let random = move |b: &mut [u8]| {
            b.iter_mut().for_each(|x| {
                n = n.wrapping_add(1);
                *x = n;
            });
            Ok(())
        };
        let mut tokens = Tokens::new(rule, 3, random, |_| false);
        let mut row = Row::default();
        assert!(tokens.next_row(&mut row).unwrap() && tokens.next_row(&mut row).unwrap());
        assert!(tokens.next_row(&mut row).unwrap_err().to_string().contains("take more characters"));
        let dead = TokenRule::new("AB", 1, "q/{token}").unwrap();
        let mut tokens = Tokens::new(dead, 1, |_: &mut [u8]| Err(std::io::ErrorKind::Other.into()), |_| false);
        assert!(tokens.next_row(&mut row).unwrap_err().to_string().contains("no random numbers"));
    }
}
