//! Where a shift keeps its book: the real ledger (on a folder in memory, same pragmas), or memory alone for the bench.

use crate::ledger::{Codebook, Core, OpenHow, Submission};
use crate::line::Book;
use crate::vocab::{CodeRef, Event};
use std::path::{Path, PathBuf};

/// A book that can be written, lost in mid-air, and opened again.
pub trait Store: Sized {
    /// Everything or nothing; a sentence when it cannot be written.
    fn commit(&mut self, batch: &[Submission]) -> Result<(), String>;
    /// In order: nothing is left to recover.
    fn close(self) -> Result<(), String>;
}

/// An opened store with what it holds.
pub struct Opened<S> {
    pub store: S,
    pub book: Book,
    pub codebook: Codebook,
    pub clean: bool,
    pub last_wall_us: Option<i64>,
    pub restored: Vec<CodeRef>,
}

/// Opens the same book again and again.
pub trait Opener {
    type Store: Store;
    fn open(&mut self, boot: &str, wall_us: i64) -> Result<Opened<Self::Store>, String>;
}

/// The real ledger in a folder.
pub struct OnDisk {
    pub dir: PathBuf,
}

impl Opener for OnDisk {
    type Store = Core;

    fn open(&mut self, boot: &str, wall_us: i64) -> Result<Opened<Core>, String> {
        let how = OpenHow { create: true, boot: boot.into(), wall_us, ..OpenHow::default() };
        let o = Core::open(&self.dir, &how).map_err(|e| e.to_string())?;
        Ok(Opened { book: o.book, codebook: o.codebook, clean: o.clean, last_wall_us: o.last_wall_us, restored: o.restored, store: o.core })
    }
}

impl Store for Core {
    fn commit(&mut self, batch: &[Submission]) -> Result<(), String> {
        Core::commit(self, batch).map(drop).map_err(|e| e.to_string())
    }

    fn close(self) -> Result<(), String> {
        Core::close(self).map_err(|e| e.to_string())
    }
}

/// Events in memory; packs still stand as segment files.
pub struct InMemory {
    codebook: Codebook,
    journal: std::rc::Rc<std::cell::RefCell<Journal>>,
}

#[derive(Default)]
struct Journal {
    events: Vec<Event>,
    last_wall_us: Option<i64>,
}

/// The writing end of [`InMemory`].
pub struct Memory(std::rc::Rc<std::cell::RefCell<Journal>>);

impl InMemory {
    /// `dir` holds the segments.
    pub fn new(dir: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(dir.join("packs")).map_err(|e| format!("{} cannot be made: {e}", dir.display()))?;
        let codebook = Codebook::open(dir, [7; 16], [9; 16], std::iter::empty()).map_err(|e| e.to_string())?;
        Ok(Self { codebook, journal: std::rc::Rc::default() })
    }
}

impl Opener for InMemory {
    type Store = Memory;

    fn open(&mut self, _boot: &str, _wall_us: i64) -> Result<Opened<Memory>, String> {
        let mut book = Book::default();
        let journal = self.journal.borrow();
        journal.events.iter().for_each(|e| book.apply(e));
        let _ = book.take_rows();
        Ok(Opened {
            store: Memory(self.journal.clone()),
            clean: book.line.clean,
            book,
            codebook: self.codebook.clone(),
            last_wall_us: journal.last_wall_us,
            restored: Vec::new(),
        })
    }
}

impl Store for Memory {
    fn commit(&mut self, batch: &[Submission]) -> Result<(), String> {
        let mut journal = self.0.borrow_mut();
        for s in batch {
            journal.events.extend(s.events.iter().cloned());
            journal.last_wall_us = Some(s.now.wall_us);
        }
        Ok(())
    }

    fn close(self) -> Result<(), String> {
        Ok(())
    }
}
