//! Can the ranges of a configuration be had in this store: above what was issued, and forming no code of a pack?

use super::codebook::Codebook;
use super::reader::Snapshot;
use crate::line::{Book, Row, ranges};
use crate::vocab::event::{Event, Origin};
use crate::vocab::{CodeRef, Plan};

/// A sentence for every range that cannot: what, and after "; " what would be right. `restored`: codes that an older
/// copy of the ledger does not know to be sent.
pub fn fit(plan: &Plan, book: &Book, codebook: &Codebook, restored: &[CodeRef]) -> Result<(), Vec<String>> {
    let mut wrong = Vec::new();
    for e in ranges::changes(plan, book, restored)? {
        let Event::PackAccepted { level, origin: Origin::Range(rule), .. } = e else { continue };
        match codebook.any_in(&rule) {
            Ok(None) => {}
            Ok(Some((pack, n))) => wrong.push(format!(
                "[[level]] {level}: its range holds a number that is code {n} of pack {pack} already; take another start, end or prefix"
            )),
            Err(e) => wrong.push(format!("[[level]] {level}: its range cannot be held against the packs ({e}); check the disk")),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

impl Snapshot {
    /// As `fit`, for the store as it stands.
    pub fn ranges_fit(&self, plan: &Plan) -> Result<(), Vec<String>> {
        let book = Book::from_rows(self.speaker.packs.values().cloned().map(Row::Pack));
        fit(plan, &book, &self.speaker.codebook, &[])
    }
}
