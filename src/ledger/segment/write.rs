//! Writes one segment aside: the codes row by row, then the index in ascending order. Nothing is held in memory but a
//! buffer a column and the sparse index.

use super::column::{BLOCK_ROWS, Column, Form, Packer};
use super::form::{HEADER, Header, describe};
use super::{BLOCK, Places, Segment, SegmentError, aside, path};
use crate::ledger::pace::{Pace, Stream};
use crate::vocab::KeyRule;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub struct SegmentWriter {
    file: Arc<File>,
    tmp: PathBuf,
    header: Header,
    /// As in the file: `at` counts from its beginning.
    columns: Vec<Column>,
    ends: Vec<Ends>,
    row: u32,
    index: Stream,
    firsts: Vec<u64>,
    crcs: Vec<u32>,
    block: Vec<u8>,
    last: u64,
}

/// Where a column's bytes go.
enum Ends {
    Fixed(Stream),
    Packed(Stream, Packer),
    Blocks { ends: Stream, codes: Stream, base: u64, block: Vec<u16>, filled: u64 },
}

/// What a segment is made of.
pub struct Plan<'a> {
    pub dir: &'a Path,
    pub pack_id: &'a str,
    pub n: u32,
    pub store: [u8; 16],
    pub rule: KeyRule,
    pub rows: u32,
    /// By column: purpose and form.
    pub columns: Vec<(String, Form)>,
    pub places: &'a Places,
}

impl SegmentWriter {
    pub fn create(plan: Plan<'_>) -> std::io::Result<Self> {
        let tmp = aside(&path(plan.dir, plan.pack_id, plan.n));
        let file = Arc::new(File::options().read(true).write(true).create(true).truncate(true).open(&tmp)?);
        let mut at = 0;
        let place = |(purpose, form): (String, Form)| {
            let c = Column { purpose, form, at };
            at += c.form.len(plan.rows);
            c
        };
        let mut columns: Vec<Column> = plan.columns.into_iter().map(place).collect();
        let about = describe(&columns, plan.places, plan.rule);
        let base = (HEADER + about.len()) as u64;
        columns.iter_mut().for_each(|c| c.at += base);
        file.write_all_at(&about, HEADER as u64)?;
        let index_at = (base + at).next_multiple_of(8);
        let stream = |at| Stream::new(file.clone(), at);
        let ends = columns
            .iter()
            .map(|c| match &c.form {
                Form::Fixed { .. } => Ends::Fixed(stream(c.at)),
                Form::Packed(p) => Ends::Packed(stream(c.at), Packer::new(p)),
                Form::Blocks { .. } => {
                    let (ends, codes) = (stream(c.at), stream(c.at + Form::blocks_len(plan.rows)));
                    Ends::Blocks { ends, codes, base: 0, block: Vec::new(), filled: 0 }
                }
            })
            .collect();
        let entries = u64::from(plan.rows) * columns.len() as u64;
        let header = Header {
            form: columns[0].form.number(),
            rule: plan.rule.number(),
            store: plan.store,
            n: plan.n,
            rows: plan.rows,
            columns: columns.len() as u16,
            about_len: about.len() as u32,
            index_at,
            entries,
            sparse_at: index_at + entries * 8,
            about_crc: crc32fast::hash(&about),
            sparse_crc: 0,
        };
        let index = stream(index_at);
        Ok(Self { file, tmp, header, columns, ends, row: 0, index, firsts: vec![], crcs: vec![], block: vec![], last: 0 })
    }

    /// The codes of the next row, one a column.
    pub fn row<'c>(&mut self, codes: impl Iterator<Item = &'c [u8]>, pace: &mut Pace) -> std::io::Result<()> {
        for (ends, code) in self.ends.iter_mut().zip(codes) {
            match ends {
                Ends::Fixed(out) => out.put(code, pace)?,
                Ends::Packed(out, packer) => out.with(pace, |b| packer.pack(code, b))?,
                Ends::Blocks { ends, codes, base, block, filled } => {
                    codes.put(code, pace)?;
                    *filled += code.len() as u64;
                    block.push((*filled - *base) as u16);
                    if block.len() == BLOCK_ROWS as usize {
                        put_block(ends, base, block, *filled, pace)?;
                    }
                }
            }
        }
        self.row += 1;
        Ok(())
    }

    /// After the last row: from now on codes can be read back, and the index comes.
    pub fn codes_done(&mut self, pace: &mut Pace) -> std::io::Result<()> {
        assert_eq!(self.row, self.header.rows, "as many rows as planned");
        for e in &mut self.ends {
            match e {
                Ends::Fixed(out) | Ends::Packed(out, _) => out.flush(pace)?,
                Ends::Blocks { ends, codes, base, block, filled } => {
                    if !block.is_empty() {
                        block.resize(BLOCK_ROWS as usize, *block.last().expect("not empty"));
                        put_block(ends, base, block, *filled, pace)?;
                    }
                    ends.flush(pace)?;
                    codes.flush(pace)?;
                }
            }
        }
        Ok(())
    }

    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// A code that was written before `codes_done`.
    pub fn code(&self, ordinal: u32, column: usize) -> std::io::Result<Vec<u8>> {
        self.columns[column].read(&self.file, self.header.rows, ordinal)
    }

    /// Entries of the index; ascending over all calls.
    pub fn entries(&mut self, entries: &[u64], pace: &mut Pace) -> std::io::Result<()> {
        for e in entries {
            debug_assert!(self.last <= *e, "the index is ascending");
            self.last = *e;
            if self.block.is_empty() {
                self.firsts.push(*e);
            }
            self.block.extend_from_slice(&e.to_le_bytes());
            if self.block.len() == BLOCK * 8 {
                self.end_block(pace)?;
            }
        }
        Ok(())
    }

    fn end_block(&mut self, pace: &mut Pace) -> std::io::Result<()> {
        self.crcs.push(crc32fast::hash(&self.block));
        self.index.put(&self.block, pace)?;
        self.block.clear();
        Ok(())
    }

    /// Syncs the file and opens it under its temporary name.
    pub fn finish(mut self, pace: &mut Pace) -> Result<Segment, SegmentError> {
        let wrong = |source| SegmentError::Io { path: self.tmp.clone(), source };
        if !self.block.is_empty() {
            self.crcs.push(crc32fast::hash(&self.block));
            self.index.put(&self.block, pace).map_err(wrong)?;
        }
        let mut sparse: Vec<u8> = self.firsts.iter().flat_map(|e| e.to_le_bytes()).collect();
        sparse.extend(self.crcs.iter().flat_map(|c| c.to_le_bytes()));
        self.header.sparse_crc = crc32fast::hash(&sparse);
        self.index.put(&sparse, pace).map_err(wrong)?;
        self.index.flush(pace).map_err(wrong)?;
        self.file.write_all_at(&self.header.encode(), 0).map_err(wrong)?;
        self.file.sync_all().map_err(wrong)?;
        Segment::open(&self.tmp, &self.header.store)
    }
}

fn put_block(out: &mut Stream, base: &mut u64, block: &mut Vec<u16>, filled: u64, pace: &mut Pace) -> std::io::Result<()> {
    out.put(&base.to_le_bytes(), pace)?;
    for end in block.drain(..) {
        out.put(&end.to_le_bytes(), pace)?;
    }
    *base = filled;
    Ok(())
}
