//! What arrives: vendors' files and sealed containers, as one stream of rows in bounded memory.
//!
//! Must never know: the store, the line, devices. It says what stands in a delivery and where; whether a code may be
//! taken is the ledger's to say.
//!
//! Invariants: rows come in the order of the files; a code is handed out byte for byte as delivered (after the text's
//! encoding and the form's quotes are taken off); the first fault of a delivery ends it; nothing of a sealed delivery is
//! decrypted before its signature was found good.

mod delivery;
mod encoding;
mod form;
mod lines;
mod manifest;
mod plain;
mod seal;
mod sealed;
mod shape;
mod table;
mod text;
mod texts;
mod unpack;

pub use delivery::{Aftercare, Delivery, Terms, Wish, lines, open, product};
pub use form::{Form, printable};
pub use manifest::Manifest;
pub use plain::{Plain, Span};
pub use seal::{Made, Seal, seal};
pub use sealed::{is_sealed, signature_of};

pub mod tokens;

use std::path::PathBuf;

/// One item of a delivery: its codes, in the order of the delivery's [`Column`]s. A buffer that is used again.
#[derive(Clone, Debug, Default)]
pub struct Row {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Index of the file among those of the delivery.
    pub file: u32,
    /// Counted from 1.
    pub line: u64,
}

impl Row {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub fn push(&mut self, code: &[u8]) {
        self.bytes.extend_from_slice(code);
        self.ends.push(self.bytes.len());
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The code of a column.
    pub fn code(&self, column: usize) -> &[u8] {
        let from = if column == 0 { 0 } else { self.ends[column - 1] };
        &self.bytes[from..self.ends[column]]
    }
}

/// What a column of codes is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// The purpose of these codes (`cap-inside`, 防伪 …); the first column's may be empty.
    pub purpose: String,
    /// The level of the things that bear them, where a row names several levels (pre-related rows); else `None`.
    pub level: Option<String>,
}

/// A delivery being read. Every code it hands out is [`printable`].
pub trait Rows {
    /// At least one; the first is the code that is printed (or, pre-printed, read).
    fn columns(&self) -> &[Column];

    /// The files, for naming places.
    fn files(&self) -> &[PathBuf];

    /// Reads the next row; `false` after the last, when everything that only the end can tell (count and hash of a
    /// manifest, a cut stream) has been held against what came.
    fn next_row(&mut self, row: &mut Row) -> Result<bool, Fault>;

    /// The next rows at once, where they are plain lines of one code each; `None`: go on with `next_row`.
    fn plain(&mut self) -> Result<Option<Plain<'_>>, Fault> {
        Ok(None)
    }

    /// SHA-256 of the delivered files' bytes in order; known after the last row.
    fn sha256(&self) -> [u8; 32];
}

/// Why a delivery cannot be read on. A sentence each: what, where, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("{path} cannot be read ({why}): check the path and its rights")]
    Read { path: PathBuf, why: String },
    #[error("{path} line {line}: {what}")]
    Line { path: PathBuf, line: u64, what: String },
    /// What whoever brings the delivery says of it is not understood, or incomplete.
    #[error("{what}: {do_next}")]
    Wish { what: String, do_next: String },
    /// The delivery itself is not what it must be.
    #[error("{what}: {do_next}")]
    Delivery { what: String, do_next: String },
}

/// Somebody else's words in a sentence: a few of them, without control characters.
fn short(words: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut text: String = words.chars().take(40).map(clean).collect();
    if words.chars().nth(40).is_some() {
        text.push('…');
    }
    text
}

impl Fault {
    pub(crate) fn wish(what: impl Into<String>, do_next: impl Into<String>) -> Self {
        Self::Wish { what: what.into(), do_next: do_next.into() }
    }

    pub(crate) fn delivery(what: impl Into<String>, do_next: impl Into<String>) -> Self {
        Self::Delivery { what: what.into(), do_next: do_next.into() }
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
