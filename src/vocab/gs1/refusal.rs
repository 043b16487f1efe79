//! Why something is not the GS1 message it claims to be.
//!
//! Must never know: who asked. The sentence says what, where, and what would be right.

use super::dictionary::Ai;
use super::fault::Fault;
use thiserror::Error;

#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Refusal {
    #[error("there is nothing in it")]
    Empty,
    #[error("it does not begin with FNC1, so it is no GS1 data")]
    NoFnc1,
    #[error("at character {}: no GS1 application identifier begins here", .at + 1)]
    UnknownAi { at: usize },
    #[error("({ai}) is no GS1 application identifier")]
    NotAnAi { ai: String },
    #[error("({ai}) has no value")]
    NoValue { ai: Ai },
    /// `at`, `len`: the place in the value; `end`: where the part that holds it ends.
    #[error("({ai}) at character {} of its value: {fault}", .at + 1)]
    Content { ai: Ai, value: String, fault: Fault, at: usize, len: usize, end: usize },
    #[error("at character {}: a bracketed code is (AI)value(AI)value", .at + 1)]
    Brackets { at: usize },
    #[error("({ai}) stands twice, with different values")]
    Repeated { ai: Ai },
    #[error("({ai}) and ({other}) may not stand together")]
    Excluded { ai: Ai, other: Ai },
    #[error("({ai}) must stand with {needs}")]
    Requires { ai: Ai, needs: String },
    #[error("({ai}) signs a key that needs its serial part, which ({key}) lacks")]
    Unserialised { ai: Ai, key: Ai },
    #[error("it begins with no symbology identifier this program knows (]d2, ]Q3, ]C1 …)")]
    UnknownSymbology,
    #[error("this symbol cannot carry it: {why}")]
    NotForSymbol { why: &'static str },
    #[error("it is no Digital Link: {why}")]
    NotALink { why: &'static str },
    #[error("({ai}) may not stand in the path after ({key}), or not in that order")]
    Qualifier { key: Ai, ai: Ai },
    #[error("({ai}) may not stand in the query of a Digital Link")]
    NotAnAttribute { ai: Ai },
    #[error("({ai}) qualifies ({key}) and belongs into the path")]
    BelongsInPath { key: Ai, ai: Ai },
    #[error("it has no primary key of a Digital Link, as 01 or 00")]
    NoKey,
    #[error("it is no EPC this program knows: {why}")]
    NotAnEpc { why: &'static str },
    #[error("a GS1 company prefix has 6 to 12 digits, not {digits}")]
    CompanyPrefix { digits: usize },
}

impl Refusal {
    /// The finding marked in the value, up to the end of its part: `(8001)12341|X|345`.
    pub fn marked(&self) -> Option<String> {
        let Self::Content { ai, value, at, len, end, .. } = self else { return None };
        let place = |from: usize, to: usize| value.get(from..to);
        Some(format!("({ai}){}|{}|{}", place(0, *at)?, place(*at, at + len)?, place(at + len, *end)?))
    }
}
