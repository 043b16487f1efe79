//! Rows on their way from a delivery to the packs: read and hashed by one thread while another builds. Beside a
//! running line one thread does both in turn.
//!
//! Invariants: rows are built in the order in which they were read; what was wrong first is what is said.

use super::ImportError;
use super::build::Shop;
use crate::intake::{Fault, Row, Rows};
use crate::ledger::segment::{Hasher, Run, key};
use crate::vocab::KeyRule;
use crate::vocab::code::MAX_CODE_LEN;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError, channel, sync_channel};

/// A batch is full with so many rows, or bytes.
const ROWS: u32 = 4_096;
const BYTES: usize = 1 << 18;
/// Batches that may lie between the two threads.
const AHEAD: usize = 3;

/// Rows of a delivery, their codes' hashes and places.
#[derive(Default)]
pub struct Batch {
    columns: usize,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    hashes: Vec<u64>,
    /// Where its rows came from, by their number in it.
    runs: Vec<Run>,
    rows: u32,
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
        let Codes { bytes, mut from, ends } = self.codes;
        ends.iter().map(move |end| {
            let code = &bytes[from as usize..*end as usize];
            from = *end;
            code
        })
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
        self.runs.clear();
        self.rows = 0;
    }

    fn is_full(&self) -> bool {
        self.rows >= ROWS || self.bytes.len() >= BYTES
    }

    pub fn push<'c>(&mut self, codes: impl Iterator<Item = &'c [u8]>, file: u32, line: u64) {
        for code in codes {
            assert!((1..=MAX_CODE_LEN).contains(&code.len()), "a delivery hands out printable codes");
            self.bytes.extend_from_slice(code);
            self.ends.push(self.bytes.len() as u32);
        }
        if !self.runs.last().is_some_and(|r| r.goes_on(self.rows, file, line)) {
            self.runs.push(Run { first: self.rows, file, line });
        }
        self.rows += 1;
    }

    /// Hashes the match keys of its codes, if that was not done.
    pub fn hash(&mut self, hashing: &Hashing) {
        let mut from = self.hashes.len().checked_sub(1).map_or(0, |n| self.ends[n] as usize);
        for end in &self.ends[self.hashes.len()..] {
            let code = &self.bytes[from..*end as usize];
            self.hashes.push(hashing.hasher.hash(&key(hashing.rule, code)));
            from = *end as usize;
        }
    }

    /// Its rows; it must have been hashed.
    pub fn rows(&self) -> impl Iterator<Item = Taken<'_>> {
        let ends = self.runs.iter().skip(1).map(|r| r.first).chain([self.rows]);
        let places = self.runs.iter().zip(ends).flat_map(|(r, end)| (r.first..end).map(|row| (row as usize, r.file, r.line_of(row))));
        places.map(|(row, file, line)| {
            let (a, b) = (row * self.columns, (row + 1) * self.columns);
            let from = if a == 0 { 0 } else { self.ends[a - 1] };
            let codes = Codes { bytes: &self.bytes, from, ends: &self.ends[a..b] };
            Taken { codes, hashes: &self.hashes[a..b], file, line }
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

/// Reads the next rows; `false`: these are the last.
fn fill(batch: &mut Batch, rows: &mut dyn Rows, row: &mut Row, files: &[PathBuf]) -> Result<bool, ImportError> {
    let columns = rows.columns().len();
    batch.clear(columns);
    while !batch.is_full() {
        if !rows.next_row(row).map_err(ImportError::Delivery)? {
            return Ok(false);
        }
        if row.len() != columns {
            let what = format!("the row has {} codes instead of {columns}", row.len());
            let path = files.get(row.file as usize).cloned().unwrap_or_default();
            return Err(ImportError::Delivery(Fault::Line { path, line: row.line, what }));
        }
        batch.push((0..columns).map(|c| row.code(c)), row.file, row.line);
    }
    Ok(true)
}

/// Takes every row of the delivery.
pub fn read(
    shop: &mut Shop<'_>,
    rows: &mut dyn Rows,
    mut take: impl FnMut(&mut Shop<'_>, &Taken<'_>) -> Result<(), ImportError> + Send,
) -> Result<(), ImportError> {
    let (hashing, files) = (Hashing { hasher: shop.hasher, rule: shop.rule }, shop.files.clone());
    let (mut row, mut batch) = (Row::default(), Batch::default());
    // What came before a fault is taken first: an earlier row may be a duplicate.
    let mut more = fill(&mut batch, rows, &mut row, &files);
    if batch.rows == 0 {
        return more.and(Err(ImportError::Empty));
    }
    if shop.pace.limited() || !matches!(more, Ok(true)) {
        loop {
            batch.hash(&hashing);
            batch.rows().try_for_each(|r| take(shop, &r))?;
            if !more? {
                return Ok(());
            }
            more = fill(&mut batch, rows, &mut row, &files);
        }
    }
    std::thread::scope(|s| {
        let (full, arriving) = sync_channel::<Batch>(AHEAD);
        let (used, again) = channel::<Batch>();
        let building = s.spawn(move || {
            for mut batch in arriving {
                batch.hash(&hashing);
                batch.rows().try_for_each(|r| take(shop, &r))?;
                // Nobody reads any more: there is nothing to fill.
                let _ = used.send(batch);
            }
            Ok(())
        });
        // A builder that found something to refuse takes no more: what it says goes before what is read after it.
        while hand_over(&full, batch, &hashing) && matches!(more, Ok(true)) {
            batch = again.try_recv().unwrap_or_default();
            more = fill(&mut batch, rows, &mut row, &files);
        }
        drop(full);
        building.join().expect("a builder ends in an answer").and(more.map(drop))
    })
}

/// Whoever would have to wait for the other hashes. `false`: nobody takes any more.
fn hand_over(to: &SyncSender<Batch>, batch: Batch, hashing: &Hashing) -> bool {
    match to.try_send(batch) {
        Ok(()) => true,
        Err(TrySendError::Disconnected(_)) => false,
        Err(TrySendError::Full(mut batch)) => {
            batch.hash(hashing);
            to.send(batch).is_ok()
        }
    }
}
