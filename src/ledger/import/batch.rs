//! Rows on their way from a delivery to the packs: read, found fit and hashed by one thread while another builds. Beside a
//! running line one thread does both in turn.
//!
//! Invariants: rows are built in the order in which they were read; what was wrong first is what is said.

use super::ImportError;
use super::build::Shop;
use crate::intake::{Fault, Row, Rows};
use crate::ledger::segment::{Hasher, key};
use crate::vocab::KeyRule;
use crate::vocab::code::MAX_CODE_LEN;
use std::path::PathBuf;
use std::sync::mpsc::{channel, sync_channel};

/// A batch is full with so many rows, or bytes.
const ROWS: usize = 8_192;
const BYTES: usize = 1 << 19;
/// Batches that may lie between the two threads.
const AHEAD: usize = 3;

/// Rows of a delivery, their codes' hashes and places.
#[derive(Default)]
pub struct Batch {
    columns: usize,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    hashes: Vec<u64>,
    places: Vec<(u32, u64)>,
}

/// A row of a batch, or of a segment that is read again.
#[derive(Clone, Copy)]
pub struct Taken<'a> {
    codes: Codes<'a>,
    /// Hashes of its codes' match keys.
    pub hashes: &'a [u64],
    pub file: u32,
    pub line: u64,
}

#[derive(Clone, Copy)]
struct Codes<'a> {
    bytes: &'a [u8],
    /// Where the first code begins, and where each ends.
    from: u32,
    ends: &'a [u32],
}

impl<'a> Taken<'a> {
    pub fn code(&self, column: usize) -> &'a [u8] {
        let from = if column == 0 { self.codes.from } else { self.codes.ends[column - 1] };
        &self.codes.bytes[from as usize..self.codes.ends[column] as usize]
    }

    pub fn codes(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let me = *self;
        (0..me.codes.ends.len()).map(move |c| me.code(c))
    }

    /// Only one of its columns.
    pub fn only(self, column: usize) -> Self {
        let from = if column == 0 { self.codes.from } else { self.codes.ends[column - 1] };
        let codes = Codes { from, ends: &self.codes.ends[column..column + 1], ..self.codes };
        Self { codes, hashes: &self.hashes[column..column + 1], ..self }
    }
}

impl Batch {
    fn clear(&mut self, columns: usize) {
        self.columns = columns;
        self.bytes.clear();
        self.ends.clear();
        self.hashes.clear();
        self.places.clear();
    }

    fn is_full(&self) -> bool {
        self.places.len() >= ROWS || self.bytes.len() >= BYTES
    }

    pub fn push<'c>(&mut self, codes: impl Iterator<Item = &'c [u8]>, file: u32, line: u64, hashing: &Hashing) {
        for code in codes {
            self.hashes.push(hashing.hasher.hash(&key(hashing.rule, code)));
            self.bytes.extend_from_slice(code);
            self.ends.push(self.bytes.len() as u32);
        }
        self.places.push((file, line));
    }

    pub fn rows(&self) -> impl Iterator<Item = Taken<'_>> {
        self.places.iter().enumerate().map(|(n, (file, line))| {
            let (a, b) = (n * self.columns, (n + 1) * self.columns);
            let from = if a == 0 { 0 } else { self.ends[a - 1] };
            let codes = Codes { bytes: &self.bytes, from, ends: &self.ends[a..b] };
            Taken { codes, hashes: &self.hashes[a..b], file: *file, line: *line }
        })
    }

    /// A batch for rows that are pushed by hand.
    pub fn of(columns: usize) -> Self {
        Self { columns, ..Self::default() }
    }

    pub fn empty(&mut self) {
        self.clear(self.columns);
    }
}

/// How match keys are made and hashed.
#[derive(Clone, Copy)]
pub struct Hashing {
    pub hasher: Hasher,
    pub rule: KeyRule,
}

/// Reads the next rows, each code fit to be one; `false`: these are the last.
fn fill(batch: &mut Batch, rows: &mut dyn Rows, row: &mut Row, hashing: &Hashing, files: &[PathBuf]) -> Result<bool, ImportError> {
    let columns = rows.columns().len();
    batch.clear(columns);
    while !batch.is_full() {
        if !rows.next_row(row).map_err(ImportError::Delivery)? {
            return Ok(false);
        }
        let wrong = (row.len() != columns).then(|| format!("the row has {} codes instead of {columns}", row.len()));
        if let Some(what) = wrong.or_else(|| (0..columns).find_map(|c| unfit(row.code(c)))) {
            let path = files.get(row.file as usize).cloned().unwrap_or_default();
            return Err(ImportError::Delivery(Fault::Line { path, line: row.line, what }));
        }
        batch.push((0..columns).map(|c| row.code(c)), row.file, row.line, hashing);
    }
    Ok(true)
}

/// Takes every row of the delivery.
pub fn read(
    shop: &mut Shop<'_>,
    rows: &mut dyn Rows,
    mut take: impl FnMut(&mut Shop<'_>, Taken<'_>) -> Result<(), ImportError> + Send,
) -> Result<(), ImportError> {
    let (hashing, files) = (Hashing { hasher: shop.hasher, rule: shop.rule }, shop.files.clone());
    let (mut row, mut batch) = (Row::default(), Batch::default());
    // What came before a fault is taken first: an earlier row may be a duplicate.
    let mut more = fill(&mut batch, rows, &mut row, &hashing, &files);
    if batch.places.is_empty() {
        return more.and(Err(ImportError::Empty));
    }
    if shop.pace.limited() || !matches!(more, Ok(true)) {
        loop {
            batch.rows().try_for_each(|r| take(shop, r))?;
            if !more? {
                return Ok(());
            }
            more = fill(&mut batch, rows, &mut row, &hashing, &files);
        }
    }
    std::thread::scope(|s| {
        let (full, arriving) = sync_channel::<Batch>(AHEAD);
        let (used, again) = channel::<Batch>();
        let building = s.spawn(move || {
            for batch in arriving {
                batch.rows().try_for_each(|r| take(shop, r))?;
                // Nobody reads any more: there is nothing to fill.
                let _ = used.send(batch);
            }
            Ok(())
        });
        // A builder that found something to refuse takes no more: what it says goes before what is read after it.
        while full.send(std::mem::take(&mut batch)).is_ok() && matches!(more, Ok(true)) {
            batch = again.try_recv().unwrap_or_default();
            more = fill(&mut batch, rows, &mut row, &hashing, &files);
        }
        drop(full);
        building.join().expect("a builder ends in an answer").and(more.map(drop))
    })
}

/// Why these bytes can be no code, if so.
pub fn unfit(code: &[u8]) -> Option<String> {
    if code.is_empty() {
        return Some("the code is empty".into());
    }
    if code.len() > MAX_CODE_LEN {
        return Some(format!("the code has {} bytes, at most {MAX_CODE_LEN} are possible", code.len()));
    }
    // Control bytes are rare: one look, without a branch a byte, tells that there is none.
    if !code.iter().fold(false, |any, b| any | (*b < 0x20)) {
        return None;
    }
    if code.contains(&4) || code.contains(&0) {
        return Some("the code holds a control byte (NUL or EOT) that no printer can take".into());
    }
    code.contains(&b'\r').then(|| "a carriage return stands inside the code: no reader gives it back; end lines with LF or CRLF".into())
}
