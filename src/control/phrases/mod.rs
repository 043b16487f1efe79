//! The phrase book: what the program says in English, as Chinese. Refusals travel in English (the socket's `message` and
//! `do`); whoever shows them to a Chinese reader looks them up here.
//!
//! Must never know: who refused what. Invariants: a sentence without a phrase stays as it is; what was put into a sentence
//! (names, numbers, other sentences) is carried over; every sentence of the files named in the test has its phrase.

use std::borrow::Cow;
use std::sync::LazyLock;

const BOOK: &str = include_str!("phrases.txt");

/// Sentences inside of sentences are followed so deep.
const DEPTH: usize = 8;
/// A clause has no more parts than this.
const COLONS: usize = 8;

static PHRASES: LazyLock<Vec<Phrase>> = LazyLock::new(|| pairs(BOOK).map(|(en, zh)| Phrase::new(en, zh)).collect());

/// A sentence of this program in Chinese, or as it is where the book does not have it. Lines are looked up one by one.
pub fn chinese(text: &str) -> Cow<'_, str> {
    let line = |l: &str| look_up(l, DEPTH).unwrap_or_else(|| l.to_string());
    match text {
        "" => Cow::Borrowed(text),
        _ => Cow::Owned(text.split('\n').map(line).collect::<Vec<_>>().join("\n")),
    }
}

fn pairs(book: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut lines = book.lines().filter(|l| !l.is_empty() && !l.starts_with("# "));
    std::iter::from_fn(move || Some((lines.next()?, lines.next()?)))
}

/// What stands between two places of a phrase, and what may be put into the place after it.
#[derive(Debug)]
struct Phrase {
    /// Text, then place, in turn; the text behind the last place is `end`.
    parts: Vec<(&'static str, Place)>,
    end: &'static str,
    /// Characters that must be there: of two phrases that fit, the one that says more is meant.
    weight: usize,
    chinese: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Anything,
    /// Without a blank.
    Word,
    Number,
}

impl Place {
    /// `without`: marks that part what the value must be one part of.
    fn takes(self, value: &str, without: &[&str]) -> bool {
        match self {
            Self::Anything => !without.iter().any(|mark| value.contains(mark)),
            Self::Word => !value.contains(char::is_whitespace),
            Self::Number => value.bytes().all(|b| b.is_ascii_digit()),
        }
    }
}

impl Phrase {
    fn new(english: &'static str, chinese: &'static str) -> Self {
        let (mut parts, mut rest) = (Vec::new(), english);
        loop {
            let next = [("{}", Place::Anything), ("{w}", Place::Word), ("{n}", Place::Number)]
                .into_iter()
                .filter_map(|(mark, p)| Some((rest.find(mark)?, mark, p)));
            let Some((at, mark, place)) = next.min_by_key(|n| n.0) else { break };
            parts.push((&rest[..at], place));
            rest = &rest[at + mark.len()..];
        }
        let weight = parts.iter().map(|p| p.0.len()).sum::<usize>() + rest.len();
        Self { parts, end: rest, weight, chinese }
    }

    /// What stands in its places, if the text is this phrase and none of the marks stands in a place.
    fn fits<'a>(&self, text: &'a str, without: &[&str]) -> Option<Vec<&'a str>> {
        let mut found = Vec::new();
        self.fit(0, text, without, &mut found).then_some(found)
    }

    fn fit<'a>(&self, at: usize, text: &'a str, without: &[&str], found: &mut Vec<&'a str>) -> bool {
        let Some((before, place)) = self.parts.get(at) else { return text == self.end };
        let Some(rest) = text.strip_prefix(before) else { return false };
        // The place ends where the text behind it begins; the last one ends with the phrase.
        let last = self.parts.len() == at + 1;
        let behind = self.parts.get(at + 1).map_or(self.end, |p| p.0);
        let all = rest.match_indices(behind).map(|m| m.0).filter(|_| !last);
        let only = rest.strip_suffix(behind).map(str::len).filter(|_| last);
        for end in all.chain(only).filter(|end| *end > 0) {
            let value = &rest[..end];
            if !place.takes(value, without) {
                return false;
            }
            found.push(value);
            if self.fit(at + 1, &rest[end..], without, found) {
                return true;
            }
            found.pop();
        }
        false
    }

    fn say(&self, values: &[&str], depth: usize) -> String {
        let values: Vec<String> = values.iter().map(|v| look_up(v, depth).unwrap_or_else(|| v.to_string())).collect();
        if self.chinese.contains("{1}") {
            return values.iter().enumerate().fold(self.chinese.to_string(), |s, (i, v)| s.replace(&format!("{{{}}}", i + 1), v));
        }
        let mut texts = self.chinese.split("{}");
        let mut said = texts.next().unwrap_or_default().to_string();
        for (text, value) in texts.zip(&values) {
            said += value;
            said += text;
        }
        said
    }
}

/// Clause by clause; else a phrase that holds several clauses; else what of the clauses is known.
fn look_up(text: &str, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let clauses: Vec<(&str, Option<String>)> = text.split("; ").map(|c| (c, clause(c, depth))).collect();
    let said = || clauses.iter().map(|(en, zh)| zh.as_deref().unwrap_or(en)).collect::<Vec<_>>().join("；");
    if clauses.iter().all(|c| c.1.is_some()) {
        return Some(said());
    }
    whole(text, &[], depth).or_else(|| clauses.iter().any(|c| c.1.is_some()).then(said))
}

/// A clause: one phrase, or several with colons between (what happened, what to do), or one that holds colons.
fn clause(text: &str, depth: usize) -> Option<String> {
    let parts = || {
        let cuts = text.match_indices(": ").map(|m| m.0).take(COLONS).collect::<Vec<_>>();
        cuts.into_iter().find_map(|at| {
            let first = whole(&text[..at], &["; ", ": "], depth)?;
            Some(format!("{first}：{}", clause(&text[at + 2..], depth)?))
        })
    };
    whole(text, &["; ", ": "], depth).or_else(parts).or_else(|| whole(text, &["; "], depth))
}

/// The phrase that fits and says most.
fn whole(text: &str, without: &[&str], depth: usize) -> Option<String> {
    let fit = PHRASES.iter().filter_map(|p| Some((p, p.fits(text, without)?)));
    fit.max_by_key(|(p, _)| p.weight).map(|(p, values)| p.say(&values, depth))
}

#[cfg(test)]
mod tests;
