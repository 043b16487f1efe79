//! A table of the file that remembers which keys were asked for, so that the rest can be refused with their line.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub file: PathBuf,
    /// From 1; 0 when the file as a whole is meant.
    pub line: usize,
    pub what: String,
    pub right: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.file.display(), self.line, self.what, self.right)
    }
}

/// Collects complaints of one file.
pub(super) struct Report<'a> {
    file: &'a Path,
    text: &'a str,
    complaints: RefCell<Vec<Complaint>>,
}

impl<'a> Report<'a> {
    pub fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, complaints: RefCell::default() }
    }

    /// `at`: a byte offset into the file.
    pub fn complain(&self, at: usize, what: impl Into<String>, right: impl Into<String>) {
        let line = self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|b| **b == b'\n').count() + 1;
        let complaint = Complaint { file: self.file.to_path_buf(), line, what: what.into(), right: right.into() };
        let mut all = self.complaints.borrow_mut();
        if !all.contains(&complaint) {
            all.push(complaint);
        }
    }

    pub fn into_complaints(self) -> Vec<Complaint> {
        let mut all = self.complaints.into_inner();
        all.sort_by_key(|c| c.line);
        all
    }

    pub fn finish<T>(self, value: T) -> Result<T, Vec<Complaint>> {
        let all = self.into_complaints();
        if all.is_empty() { Ok(value) } else { Err(all) }
    }
}

pub(super) struct Table<'a> {
    pub report: &'a Report<'a>,
    map: &'a DeTable<'a>,
    /// Where the table begins.
    pub at: usize,
    /// `[[station]] "bottle-check"`, for sentences.
    pub name: String,
    asked: RefCell<BTreeSet<&'static str>>,
}

/// A value with its place.
pub(super) struct At<T> {
    pub at: usize,
    pub value: T,
}

impl<'a> Table<'a> {
    pub fn root(report: &'a Report<'a>, map: &'a DeTable<'a>) -> Self {
        Self { report, map, at: 0, name: "the file".into(), asked: RefCell::default() }
    }

    pub fn complain(&self, at: usize, what: impl fmt::Display, right: impl Into<String>) {
        self.report.complain(at, format!("{}: {what}", self.name), right);
    }

    fn find(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().insert(key);
        self.map.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| v)
    }

    /// The place of a key's value, or of the table.
    pub fn place(&self, key: &str) -> usize {
        self.map.iter().find(|(k, _)| k.get_ref() == key).map_or(self.at, |(_, v)| v.span().start)
    }

    fn missing(&self, key: &str, example: &str) {
        self.complain(self.at, format_args!("{key} is missing"), format!("add {key} = {example}"));
    }

    fn wrong_type(&self, key: &str, v: &Spanned<DeValue<'_>>, want: &str) {
        self.complain(
            v.span().start,
            format_args!("{key} is {} {}", article(v.get_ref().type_str()), v.get_ref().type_str()),
            format!("it must be {want}"),
        );
    }

    pub fn text(&self, key: &'static str) -> Option<At<&'a str>> {
        let v = self.find(key)?;
        match v.get_ref().as_str() {
            Some(s) => Some(At { at: v.span().start, value: s }),
            None => {
                self.wrong_type(key, v, "a text in quotes");
                None
            }
        }
    }

    /// A list of texts.
    pub fn texts(&self, key: &'static str) -> Vec<At<&'a str>> {
        let Some(v) = self.find(key) else { return Vec::new() };
        let Some(list) = v.get_ref().as_array() else {
            self.wrong_type(key, v, "a list of texts, [\"…\"]");
            return Vec::new();
        };
        let one = |v: &'a Spanned<DeValue<'a>>| match v.get_ref().as_str() {
            Some(value) => Some(At { at: v.span().start, value }),
            None => {
                self.wrong_type(key, v, "a text in quotes");
                None
            }
        };
        list.iter().filter_map(one).collect()
    }

    pub fn needed_text(&self, key: &'static str, example: &str) -> Option<At<&'a str>> {
        if self.find(key).is_none() {
            self.missing(key, example);
        }
        self.text(key)
    }

    pub fn number(&self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let v = self.find(key)?;
        let n = v.get_ref().as_integer().and_then(|i| i64::from_str_radix(i.as_str(), i.radix()).ok());
        match n.and_then(|n| u64::try_from(n).ok()).filter(|n| (least..=most).contains(n)) {
            Some(n) => Some(n),
            None => {
                self.wrong_type_or_range(key, v, least, most);
                None
            }
        }
    }

    fn wrong_type_or_range(&self, key: &str, v: &Spanned<DeValue<'_>>, least: u64, most: u64) {
        let what = if v.get_ref().is_integer() {
            format!("{key} is out of range")
        } else {
            format!("{key} is {} {}", article(v.get_ref().type_str()), v.get_ref().type_str())
        };
        self.complain(v.span().start, what, format!("it must be a whole number from {least} to {most}"));
    }

    pub fn needed_number(&self, key: &'static str, least: u64, most: u64, example: &str) -> Option<u64> {
        if self.find(key).is_none() {
            self.missing(key, example);
        }
        self.number(key, least, most)
    }

    pub fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let t = self.text(key)?;
        let found = words.iter().find(|w| w.0 == t.value).map(|w| w.1);
        if found.is_none() {
            let all: Vec<String> = words.iter().map(|w| format!("\"{}\"", w.0)).collect();
            self.complain(t.at, format_args!("{key} = \"{}\" is not known", t.value), format!("it must be {}", all.join(" or ")));
        }
        found
    }

    pub fn needed_word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        if self.find(key).is_none() {
            self.missing(key, &format!("\"{}\"", words[0].0));
        }
        self.word(key, words)
    }

    pub fn table(&self, key: &'static str) -> Option<Table<'a>> {
        let v = self.find(key)?;
        match v.get_ref().as_table() {
            Some(map) => Some(Table {
                report: self.report,
                map,
                at: v.span().start,
                name: format!("{} {key}", self.name),
                asked: RefCell::default(),
            }),
            None => {
                self.wrong_type(key, v, "a table { … }");
                None
            }
        }
    }

    /// `[[key]]` tables in order.
    pub fn tables(&self, key: &'static str) -> Vec<Table<'a>> {
        let Some(v) = self.find(key) else { return Vec::new() };
        let Some(list) = v.get_ref().as_array() else {
            self.wrong_type(key, v, &format!("written as [[{key}]]"));
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in list {
            match item.get_ref().as_table() {
                Some(map) => out.push(Table {
                    report: self.report,
                    map,
                    at: item.span().start,
                    name: format!("[[{key}]]"),
                    asked: RefCell::default(),
                }),
                None => self.wrong_type(key, item, &format!("written as [[{key}]]")),
            }
        }
        out
    }

    /// Every key with its value, for tables whose keys are free.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Spanned<DeValue<'a>>)> {
        self.map.iter().map(|(k, v)| (k.get_ref().as_ref(), v))
    }

    /// Refuses the keys nobody asked for.
    pub fn done(&self) {
        let asked = self.asked.borrow();
        for (k, _) in self.map.iter() {
            if !asked.contains(k.get_ref().as_ref()) {
                let near = asked.iter().min_by_key(|a| distance(a, k.get_ref())).filter(|a| distance(a, k.get_ref()) <= 3);
                let right = near.map_or_else(
                    || format!("remove it; known here: {}", asked.iter().copied().collect::<Vec<_>>().join(", ")),
                    |n| format!("did you mean {n}?"),
                );
                self.complain(k.span().start, format_args!("unknown key {}", k.get_ref()), right);
            }
        }
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// Levenshtein distance, for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let cost = before + usize::from(ca != *cb);
            before = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}
