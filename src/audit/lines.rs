//! The lines of the three accounts as the contract fixes them ("Reading the book", "Truth file"). Every key is optional
//! here: what a line must have is for the account that hears it to say. Unknown keys are passed over, as the contract
//! lets them be added.

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, de};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A text, borrowed from its line where it holds no escapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A name that may be written as a number: a parent's id.
#[derive(Clone, Debug, PartialEq)]
pub enum Word<'a> {
    Text(Cow<'a, str>),
    Number(u64),
}

impl Word<'_> {
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(t) => Cow::Borrowed(t),
            Self::Number(n) => Cow::Owned(n.to_string()),
        }
    }

    pub const fn as_number(&self) -> Option<u64> {
        match self {
            Self::Text(_) => None,
            Self::Number(n) => Some(*n),
        }
    }
}

struct TextSeen;

impl<'de> Visitor<'de> for TextSeen {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: de::Error>(self, v: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(v)))
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(v.into())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(TextSeen)
    }
}

struct WordSeen;

impl<'de> Visitor<'de> for WordSeen {
    type Value = Word<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a whole number")
    }

    fn visit_borrowed_str<E: de::Error>(self, v: &'de str) -> Result<Self::Value, E> {
        Ok(Word::Text(Cow::Borrowed(v)))
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Word::Text(Cow::Owned(v.into())))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Self::Value, E> {
        Ok(Word::Number(v))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(WordSeen)
    }
}

/// A line of the dump.
#[derive(Debug, Deserialize)]
pub struct DumpLine<'a> {
    #[serde(borrow)]
    pub k: Text<'a>,
    pub hex: Option<Text<'a>>,
    pub level: Option<Text<'a>>,
    pub state: Option<Text<'a>>,
    pub pack: Option<Text<'a>>,
    pub ordinal: Option<u64>,
    pub parent: Option<Text<'a>>,
    pub reason: Option<Text<'a>>,
    pub seen: Option<u64>,
    pub id: Option<Word<'a>>,
    pub children: Option<Vec<Text<'a>>>,
    pub product: Option<Text<'a>>,
    pub count: Option<u64>,
    pub untouched: Option<u64>,
    pub used: Option<bool>,
    pub made_for: Option<Text<'a>>,
}

/// A line of the journal.
#[derive(Debug, Deserialize)]
pub struct JournalLine<'a> {
    #[serde(borrow)]
    pub k: Text<'a>,
    pub seq: Option<u64>,
    pub i: Option<u64>,
    pub boot: Option<Text<'a>>,
    pub t: Option<Text<'a>>,
    pub mono_us: Option<u64>,
    pub clock: Option<Text<'a>>,
    pub hash: Option<Text<'a>>,
    pub hex: Option<Text<'a>>,
    pub station: Option<Text<'a>>,
    pub device: Option<Text<'a>>,
    pub passage: Option<u64>,
    pub good: Option<bool>,
    pub reason: Option<Text<'a>>,
    pub revises: Option<bool>,
    pub to: Option<Text<'a>>,
    pub id: Option<Word<'a>>,
    pub level: Option<Text<'a>>,
    pub children: Option<Vec<Text<'a>>>,
    pub from: Option<Word<'a>>,
    pub count: Option<u64>,
    pub pack: Option<Text<'a>>,
    pub why: Option<Text<'a>>,
    pub void: Option<Text<'a>>,
    pub next: Option<Text<'a>>,
    pub broken: Option<bool>,
    pub clean: Option<bool>,
    pub missed: Option<BTreeMap<String, Option<u64>>>,
}

/// A line of the truth file.
#[derive(Debug, Deserialize)]
pub struct TruthLine<'a> {
    #[serde(borrow)]
    pub k: Text<'a>,
    pub t_us: Option<u64>,
    pub thing: Option<Text<'a>>,
    pub hex: Option<Text<'a>>,
    pub printer: Option<Text<'a>>,
    pub reader: Option<Text<'a>>,
    pub station: Option<Text<'a>>,
    pub device: Option<Text<'a>>,
    pub out: Option<Text<'a>>,
    pub into: Option<Text<'a>>,
    pub from: Option<Text<'a>>,
    pub fault: Option<Text<'a>>,
    pub at: Option<Text<'a>>,
    pub on: Option<bool>,
    pub up: Option<bool>,
    pub ms: Option<f64>,
}
