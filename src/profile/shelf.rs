//! The files of profiles by name: those inside the binary, and over each the file of a folder that replaces it.
//!
//! Must never know: what stands in them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// A shipped one's name; else its path.
    pub file: PathBuf,
    pub text: Cow<'static, str>,
    /// It is inside the binary.
    pub shipped: bool,
}

/// Of each name, the files from the one that all others replace to the one that counts.
#[derive(Clone, Debug, Default)]
pub struct Shelf(BTreeMap<String, Vec<Source>>);

/// One of the files of a name, the lowest is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub name: String,
    pub level: usize,
}

impl Shelf {
    pub(super) fn of(shipped: &'static [(&'static str, &'static str)]) -> Self {
        let mut shelf = Self::default();
        for (name, text) in shipped {
            shelf.put(name, Source { file: PathBuf::from(name), text: Cow::Borrowed(text), shipped: true });
        }
        shelf
    }

    /// Over what is there under this name.
    pub(super) fn put(&mut self, name: &str, source: Source) -> Slot {
        let pile = self.0.entry(name.into()).or_default();
        pile.push(source);
        Slot { name: name.into(), level: pile.len() - 1 }
    }

    pub(super) fn source(&self, slot: &Slot) -> Option<&Source> {
        self.0.get(&slot.name)?.get(slot.level)
    }

    /// The file that counts.
    pub fn top(&self, name: &str) -> Option<&Source> {
        self.0.get(name)?.last()
    }

    pub(super) fn top_slot(&self, name: &str) -> Option<Slot> {
        let level = self.0.get(name)?.len().checked_sub(1)?;
        Some(Slot { name: name.into(), level })
    }

    /// What a file means by this name: of its own name, the file that it replaces.
    pub(super) fn below(&self, slot: &Slot, name: &str) -> Option<Slot> {
        if name == slot.name {
            return Some(Slot { name: name.into(), level: slot.level.checked_sub(1)? });
        }
        self.top_slot(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Every file, of each name the lowest first.
    pub(super) fn slots(&self) -> Vec<Slot> {
        let of =
            |(name, pile): (&String, &Vec<Source>)| (0..pile.len()).map(|level| Slot { name: name.clone(), level }).collect::<Vec<_>>();
        self.0.iter().flat_map(of).collect()
    }
}

/// A file's name as a profile's: without folder and ending.
pub(super) fn stem(file: &Path) -> String {
    file.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned())
}
