//! Rows on their way from a delivery to the packs: read and hashed by one thread while another builds. Beside a
//! running line one thread does both in turn.
//!
//! Invariants: rows are built in the order in which they were read; what was wrong first is what is said.

use super::ImportError;
use super::build::Shop;
use crate::intake::{Fault, Plain, Row, Rows, Span};
use crate::ledger::segment::{Codes, Hasher, Run, key};
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
    /// Where each code stands in `bytes`.
    spans: Vec<Span>,
    hashes: Vec<u64>,
    /// Where its rows came from, by their number in it.
    runs: Vec<Run>,
    rows: u32,
}

/// Rows of a batch, or of a segment that is read again, that came from lines one after the other.
#[derive(Clone, Copy)]
pub struct Taken<'a> {
    columns: usize,
    pub codes: Codes<'a>,
    /// Hashes of the codes' match keys.
    pub hashes: &'a [u64],
    pub file: u32,
    /// Of the first row.
    pub line: u64,
}

impl<'a> Taken<'a> {
    pub fn rows(&self) -> u32 {
        (self.hashes.len() / self.columns) as u32
    }

    /// A code of the first row.
    pub fn code(&self, column: usize) -> &'a [u8] {
        let (from, to) = self.codes.spans[column];
        &self.codes.bytes[from as usize..to as usize]
    }

    /// Only one column of the first row.
    pub fn only(&self, column: usize) -> Self {
        let codes = Codes { spans: &self.codes.spans[column..=column], ..self.codes };
        Self { columns: 1, codes, hashes: &self.hashes[column..=column], ..*self }
    }

    /// The first rows, at most so many, and the others.
    pub fn split(&self, rows: u32) -> (Self, Self) {
        let n = rows.min(self.rows());
        let (spans, hashes) = (self.codes.spans.split_at(n as usize * self.columns), self.hashes.split_at(n as usize * self.columns));
        let of = |spans, hashes, line| Self { codes: Codes { spans, ..self.codes }, hashes, line, ..*self };
        (of(spans.0, hashes.0, self.line), of(spans.1, hashes.1, self.line + u64::from(n)))
    }

    /// Row by row.
    pub fn singly(self) -> impl Iterator<Item = Self> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let (row, later) = (rest.rows() > 0).then(|| rest.split(1))?;
            rest = later;
            Some(row)
        })
    }
}

impl Batch {
    fn clear(&mut self, columns: usize) {
        self.columns = columns;
        self.bytes.clear();
        self.spans.clear();
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
            let from = self.bytes.len() as u32;
            self.bytes.extend_from_slice(code);
            self.spans.push((from, self.bytes.len() as u32));
        }
        self.came(1, file, line);
    }

    /// Rows of one code each.
    fn push_plain(&mut self, plain: &Plain<'_>) {
        let from = self.bytes.len() as u32;
        self.bytes.extend_from_slice(plain.bytes);
        self.spans.extend(plain.spans.iter().map(|(a, b)| (from + a, from + b)));
        self.came(plain.spans.len() as u32, plain.file, plain.line);
    }

    /// The next rows came from lines one after the other.
    fn came(&mut self, rows: u32, file: u32, line: u64) {
        if !self.runs.last().is_some_and(|r| r.goes_on(self.rows, file, line)) {
            self.runs.push(Run { first: self.rows, file, line });
        }
        self.rows += rows;
    }

    /// Hashes the match keys of its codes, if that was not done.
    pub fn hash(&mut self, hashing: &Hashing) {
        let codes = Codes { bytes: &self.bytes, spans: &self.spans[self.hashes.len()..] };
        self.hashes.extend(codes.iter().map(|c| hashing.hasher.hash(&key(hashing.rule, c))));
    }

    /// Its rows, those that came from lines one after the other together; it must have been hashed.
    pub fn taken(&self) -> impl Iterator<Item = Taken<'_>> {
        let ends = self.runs.iter().skip(1).map(|r| r.first).chain([self.rows]);
        self.runs.iter().zip(ends).map(|(r, end)| {
            let these = r.first as usize * self.columns..end as usize * self.columns;
            let codes = Codes { bytes: &self.bytes, spans: &self.spans[these.clone()] };
            Taken { columns: self.columns, codes, hashes: &self.hashes[these], file: r.file, line: r.line }
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
        if columns == 1
            && let Some(plain) = rows.plain().map_err(ImportError::Delivery)?
        {
            batch.push_plain(&plain);
            continue;
        }
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
            batch.taken().try_for_each(|r| take(shop, &r))?;
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
                batch.taken().try_for_each(|r| take(shop, &r))?;
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
