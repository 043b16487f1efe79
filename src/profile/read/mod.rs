//! From a profile's text to a [`Profile`]: every complaint at once, each with its line and key.
//!
//! First the form (`form.rs`: the published schema, so that what an editor shows is what is refused here), then, for a
//! file whose form is right, its meaning (`meaning.rs`). Serde's own refusal, one at a time, is never met for a file
//! without complaints.

mod commands;
mod form;
mod meaning;
mod records;

use super::{Complaint, Profile};
use std::ops::Range;
use std::path::Path;
use toml::de::{DeTable, DeValue};

pub(super) fn profile(file: &Path, text: &str) -> Result<Profile, Vec<Complaint>> {
    let mut r = Reading { file, text, wrong: Vec::new() };
    let (root, errors) = DeTable::parse_recoverable(text);
    for e in &errors {
        r.complain(e.span().map_or(0, |s| s.start), format!("not TOML: {}; see toml.io for the form", e.message()));
    }
    if r.wrong.is_empty() {
        form::check(&mut r, root.get_ref());
    }
    if r.wrong.is_empty() {
        match toml::from_str::<Profile>(text) {
            Ok(mut p) => {
                meaning::check(&mut r, &mut p, root.get_ref());
                if r.wrong.is_empty() {
                    return Ok(p);
                }
            }
            Err(e) => r.complain(e.span().map_or(0, |s| s.start), e.message().to_string()),
        }
    }
    r.wrong.sort_by_key(|c| c.line);
    Err(r.wrong)
}

/// One file's complaints.
pub(super) struct Reading<'a> {
    file: &'a Path,
    text: &'a str,
    wrong: Vec<Complaint>,
}

impl Reading<'_> {
    /// `at`: a byte offset into the file; `what`: "what; what would be right".
    pub(super) fn complain(&mut self, at: usize, what: String) {
        let line = self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|b| **b == b'\n').count() + 1;
        self.wrong.push(Complaint { file: self.file.into(), line, what });
    }
}

fn find<'t>(table: &'t DeTable<'_>, key: &str) -> Option<(Range<usize>, &'t DeValue<'t>)> {
    table.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| (v.span(), v.get_ref()))
}

/// Where a value stands, by keys and (in a list) numbers; the nearest place above it when it does not.
pub(super) fn place(root: &DeTable<'_>, path: &[&str]) -> usize {
    let (mut at, mut path) = (0, path);
    let mut found = path.split_first().and_then(|(key, rest)| {
        path = rest;
        find(root, key)
    });
    while let Some((span, value)) = found {
        at = span.start;
        let Some((key, rest)) = path.split_first() else { break };
        path = rest;
        found = match value {
            DeValue::Table(t) => find(t, key),
            DeValue::Array(a) => key.parse::<usize>().ok().and_then(|i| a.get(i)).map(|v| (v.span(), v.get_ref())),
            _ => None,
        };
    }
    at
}
