//! From a profile's text to a [`Profile`]: every complaint at once, each with its line and key.
//!
//! A file that extends another is first made whole (`extends.rs`). Then its form (`form.rs`: the published schema, so that
//! what an editor shows is what is refused here), then, for a file whose form is right, its meaning (`meaning.rs`). Serde's
//! own refusal, one at a time, is never met for a file without complaints.

mod commands;
mod confirmation;
mod extends;
mod form;
mod label;
mod meaning;
mod records;

use super::shelf::{Shelf, Slot, stem};
use super::{Complaint, Profile};
use serde::Deserialize;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// The profile of a file, which must bear the file's name.
pub(super) fn named(shelf: &Shelf, slot: &Slot) -> Result<Profile, Vec<Complaint>> {
    let p = whole(shelf, slot, &mut vec![slot.clone()]).map_err(|r| r.wrong)?.0;
    match shelf.source(slot) {
        Some(s) if !s.shipped && s.file != Path::new("-") && stem(&s.file) != p.name => {
            let what = format!("name = \"{}\" is not the file's name; make them the same", p.name);
            Err(vec![Complaint { file: s.file.clone(), line: 1, what }])
        }
        _ => Ok(p),
    }
}

/// The text of a file as if it extended nothing; `None`: it has mistakes.
pub(super) fn resolved(shelf: &Shelf, slot: &Slot) -> Option<String> {
    let mut table = extends::plain(&whole(shelf, slot, &mut vec![slot.clone()]).ok()?.1);
    table.retain(|k, _| k != "extends" && k != "without");
    toml::to_string_pretty(&table).ok()
}

/// Why a file is no profile.
#[derive(Default)]
struct Refused {
    wrong: Vec<Complaint>,
    /// What it extends comes back to itself, by these names.
    circle: Option<String>,
}

impl From<Vec<Complaint>> for Refused {
    fn from(mut wrong: Vec<Complaint>) -> Self {
        wrong.sort_by_key(|c| c.line);
        Self { wrong, circle: None }
    }
}

/// `above`: the files on the way here, this one the last.
fn whole<'s>(shelf: &'s Shelf, slot: &Slot, above: &mut Vec<Slot>) -> Result<(Profile, DeTable<'s>), Refused> {
    let Some(source) = shelf.source(slot) else { return Err(Refused::default()) };
    let text = source.text.as_ref();
    let mut r = Reading { file: &source.file, text, extends: None, half: false, wrong: Vec::new() };
    let (root, errors) = DeTable::parse_recoverable(text);
    for e in &errors {
        r.complain(e.span().map_or(0, |s| s.start), format!("not TOML: {}; see toml.io for the form", e.message()));
    }
    if !r.wrong.is_empty() {
        return Err(r.wrong.into());
    }
    let own = root.into_inner();
    let (root, bases) = match with_base(&mut r, shelf, slot, own.clone(), above) {
        Ok(whole) => whole,
        // Its other mistakes all the same.
        Err(refused) => {
            (r.half, r.wrong) = (true, refused.wrong);
            form::check(&mut r, &own);
            return Err(Refused { circle: refused.circle, ..r.wrong.into() });
        }
    };
    form::check(&mut r, &root);
    if r.wrong.is_empty() {
        match Profile::deserialize(Deserializer::from(Spanned::new(0..text.len(), root.clone()))) {
            Ok(mut p) => {
                p.bases = bases;
                meaning::check(&mut r, &mut p, &root);
                if r.wrong.is_empty() {
                    return Ok((p, root));
                }
            }
            Err(e) => r.complain(e.span().map_or(0, |s| s.start), e.message().to_string()),
        }
    }
    Err(r.wrong.into())
}

/// Profiles that a file extends, the nearest first, each with what is unverified in it.
type Bases = Vec<(String, Vec<String>)>;

/// The file over what it extends, if it extends anything.
fn with_base<'s>(
    r: &mut Reading<'_>,
    shelf: &'s Shelf,
    slot: &Slot,
    own: DeTable<'s>,
    above: &mut Vec<Slot>,
) -> Result<(DeTable<'s>, Bases), Refused> {
    // Another kind of value is the form's to refuse.
    let Some((at, name)) = find(&own, "extends").and_then(|(at, v)| Some((at, v.as_str()?.to_string()))) else {
        return Ok((own, Vec::new()));
    };
    let mut refuse = |at: usize, what: String, circle: Option<String>| {
        r.complain(at, what);
        Err(Refused { circle, ..Refused::from(std::mem::take(&mut r.wrong)) })
    };
    let Some(below) = shelf.below(slot, &name) else {
        let what = match name == slot.name {
            true => format!("extends: {name} is this file itself; name another profile"),
            false => format!("extends: there is no profile \"{name}\"; name one of {}", shelf.names().collect::<Vec<_>>().join(", ")),
        };
        return refuse(at.start, what, None);
    };
    let in_a_circle = |c: &str| format!("extends: {c} go in a circle; let one of them extend nothing");
    if above.contains(&below) {
        let circle = above.iter().chain([&below]).map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
        return refuse(at.start, in_a_circle(&circle), Some(circle));
    }
    above.push(below.clone());
    let base = whole(shelf, &below, above);
    above.pop();
    let (base, base_root) = match base {
        Ok(base) => base,
        Err(Refused { circle: Some(circle), .. }) => return refuse(at.start, in_a_circle(&circle), Some(circle)),
        Err(_) => return refuse(at.start, format!("extends: {name} has mistakes of its own; mend them first"), None),
    };
    let without: Vec<&str> = find(&own, "without")
        .and_then(|(_, v)| v.as_array())
        .into_iter()
        .flat_map(|a| a.iter())
        .filter_map(|v| v.get_ref().as_str())
        .collect();
    let (root, missing) = extends::merged(&base_root, &own, &without, &at);
    for i in missing {
        let what = format!("without: {name} has no {}; write its keys parted by points, as \"commands.clear\"", without[i]);
        r.complain(place(&own, &["without", &i.to_string()]), what);
    }
    r.extends = Some((at.start, name.clone()));
    Ok((root, [vec![(name, base.unverified)], base.bases].concat()))
}

/// One file's complaints.
pub(super) struct Reading<'a> {
    file: &'a Path,
    text: &'a str,
    /// Where it says what it extends, and what that is.
    extends: Option<(usize, String)>,
    /// What it extends is not to be had: nobody knows what is missing.
    half: bool,
    wrong: Vec<Complaint>,
}

impl Reading<'_> {
    /// `at`: a byte offset into the file; `what`: "what; what would be right".
    pub(super) fn complain(&mut self, at: usize, what: String) {
        // What was taken over stands there.
        let what = match &self.extends {
            Some((there, name)) if *there == at => format!("with what is taken over from {name}: {what}"),
            _ => what,
        };
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
