//! Writes one segment aside: the codes row by row, then the index in ascending order. Nothing is held in memory but
//! buffers, the first rows and the sparse index.

use super::header::{HEADER, Header, describe};
use super::rows::Form;
use super::rows_out::RowsOut;
use super::{BLOCK, Codes, Places, Segment, SegmentError, aside, path};
use crate::ledger::pace::{Pace, Stream};
use crate::vocab::KeyRule;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a segment is made of.
pub struct Plan<'a> {
    pub dir: &'a Path,
    pub pack_id: &'a str,
    pub n: u32,
    pub store: [u8; 16],
    pub rule: KeyRule,
    /// What each column is for.
    pub purposes: Vec<String>,
}

/// A segment whose rows are being written.
pub struct SegmentWriter {
    tmp: PathBuf,
    n: u32,
    store: [u8; 16],
    rule: KeyRule,
    purposes: Vec<String>,
    rows: RowsOut,
}

impl SegmentWriter {
    pub fn create(plan: Plan<'_>) -> std::io::Result<Self> {
        let tmp = aside(&path(plan.dir, plan.pack_id, plan.n));
        let rows = RowsOut::create(&tmp, plan.purposes.len())?;
        Ok(Self { tmp, n: plan.n, store: plan.store, rule: plan.rule, purposes: plan.purposes, rows })
    }

    /// The codes of the next rows, one a column.
    pub fn rows(&mut self, codes: Codes<'_>, pace: &mut Pace) -> std::io::Result<()> {
        self.rows.put_all(codes, pace)
    }

    /// After the last row: from now on codes can be read back, and the index comes.
    pub fn codes_done(self, places: &Places, pace: &mut Pace) -> std::io::Result<IndexWriter> {
        let rows = self.rows.rows;
        let (form, mut out) = self.rows.end(pace)?;
        let about = describe(&self.purposes, &form, places, self.rule);
        let about_at = out.position();
        out.put(&about, pace)?;
        let index_at = out.position().next_multiple_of(8);
        out.put(&[0; 8][..(index_at - out.position()) as usize], pace)?;
        let columns = self.purposes.len();
        let entries = u64::from(rows) * columns as u64;
        let header = Header {
            form: form.number(),
            rule: self.rule.number(),
            store: self.store,
            n: self.n,
            rows,
            columns: columns as u16,
            about_len: about.len() as u32,
            about_at,
            index_at,
            entries,
            sparse_at: index_at + entries * 8,
            about_crc: crc32fast::hash(&about),
            sparse_crc: 0,
        };
        Ok(IndexWriter { tmp: self.tmp, header, form, out, firsts: vec![], crcs: vec![], block: Vec::with_capacity(BLOCK * 8), last: 0 })
    }
}

/// A segment whose index is being written.
pub struct IndexWriter {
    tmp: PathBuf,
    header: Header,
    form: Form,
    out: Stream,
    firsts: Vec<u64>,
    crcs: Vec<u32>,
    block: Vec<u8>,
    last: u64,
}

impl IndexWriter {
    pub fn columns(&self) -> usize {
        usize::from(self.header.columns)
    }

    pub fn code(&self, ordinal: u32, column: usize) -> std::io::Result<Vec<u8>> {
        self.form.code(self.out.file(), self.header.rows, self.header.about_at, ordinal, column)
    }

    /// Entries of the index; ascending over all calls.
    pub fn entries(&mut self, mut entries: &[u64], pace: &mut Pace) -> std::io::Result<()> {
        debug_assert!(entries.is_sorted() && entries.first().is_none_or(|e| self.last <= *e), "the index is ascending");
        self.last = entries.last().copied().unwrap_or(self.last);
        while !entries.is_empty() {
            let room = BLOCK - self.block.len() / 8;
            let (now, later) = entries.split_at(room.min(entries.len()));
            if self.block.is_empty() {
                self.firsts.push(now[0]);
            }
            now.iter().for_each(|e| self.block.extend_from_slice(&e.to_le_bytes()));
            if self.block.len() == BLOCK * 8 {
                self.end_block(pace)?;
            }
            entries = later;
        }
        Ok(())
    }

    fn end_block(&mut self, pace: &mut Pace) -> std::io::Result<()> {
        self.crcs.push(crc32fast::hash(&self.block));
        self.out.put(&self.block, pace)?;
        self.block.clear();
        Ok(())
    }

    /// Syncs the file and opens it under its temporary name.
    pub fn finish(mut self, pace: &mut Pace) -> Result<Segment, SegmentError> {
        let wrong = |source| SegmentError::Io { path: self.tmp.clone(), source };
        if !self.block.is_empty() {
            self.crcs.push(crc32fast::hash(&self.block));
            self.out.put(&self.block, pace).map_err(wrong)?;
        }
        let mut sparse: Vec<u8> = self.firsts.iter().flat_map(|e| e.to_le_bytes()).collect();
        sparse.extend(self.crcs.iter().flat_map(|c| c.to_le_bytes()));
        self.header.sparse_crc = crc32fast::hash(&sparse);
        self.out.put(&sparse, pace).map_err(wrong)?;
        self.out.file().write_all_at(&self.header.encode(), 0).map_err(wrong)?;
        self.out.sync(pace).map_err(wrong)?;
        Segment::open(&self.tmp, &self.header.store)
    }
}
const _: () = assert!(HEADER.is_multiple_of(8));
