//! Packs of tokens drawn here: the guessing rule over all that were ever drawn with a template, then the ordinary way
//! of an import.

use super::codebook::Codebook;
use super::import::{self, ImportError, ImportHow};
use crate::intake::tokens::Tokens;
use crate::line::rows::PackRow;
use crate::line::{Answer, NewPack};
use crate::vocab::token::TokenRule;

/// Most tokens of one pack.
pub const MOST: u32 = 10_000_000;

/// Tokens wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    pub rule: TokenRule,
    pub count: u32,
    /// Live codes of this template in the world, where they are more than this store drew.
    pub live: u64,
}

/// May so many be drawn? The live codes are all that were ever drawn here with this template, and these.
pub fn check<'a>(packs: impl Iterator<Item = &'a PackRow>, draw: &Draw) -> Result<(), Answer> {
    if draw.count == 0 || draw.count > MOST {
        let what = format!("a pack has 1 to {MOST} drawn tokens, not {}", draw.count);
        return Err(Answer::refused("bad-count", what, if draw.count == 0 { "say how many" } else { "draw several packs" }));
    }
    let same = |p: &&PackRow| p.drawn.as_ref().is_some_and(|r| r.template == draw.rule.template);
    let here: u64 = packs.filter(same).map(|p| u64::from(p.count)).sum();
    let live = draw.live.max(here + u64::from(draw.count));
    draw.rule.check(live).map_err(|e| Answer::refused("guessable", e.to_string(), "a larger alphabet does it too"))
}

/// Draws them and writes the pack; answers what to register.
pub fn prepare(book: &Codebook, draw: &Draw, how: &ImportHow) -> Result<NewPack, ImportError> {
    let known = |code: &[u8]| !book.resolve(code).is_empty();
    let mut rows = Tokens::new(draw.rule.clone(), draw.count, random, known);
    let pack = import::prepare(book, &mut rows, how)?;
    Ok(NewPack { drawn: Some(draw.rule.clone()), ..pack })
}

fn random(buffer: &mut [u8]) -> std::io::Result<()> {
    let mut at = 0;
    while at < buffer.len() {
        at += rustix::rand::getrandom(&mut buffer[at..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(())
}
