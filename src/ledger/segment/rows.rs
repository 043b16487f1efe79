//! How the rows of a segment stand in it, and how they are read.
//!
//! - *packed* (see `packing`): all rows of one size, one after the other;
//! - *lines*: each code after its length (u16), row after row; behind them where every 64th row begins (u64 each).
//!
//! Rows begin behind the header.

use super::header::HEADER;
use super::packing::Packing;
use crate::vocab::code::MAX_CODE_LEN;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Rows between two known places of lines.
pub const BLOCK_ROWS: u32 = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    Packed(Packing),
    Lines { columns: usize },
}

fn bad(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}

impl Form {
    pub const PACKED: u16 = 0;
    const LINES: u16 = 1;

    pub fn number(&self) -> u16 {
        match self {
            Self::Packed(_) => Self::PACKED,
            Self::Lines { .. } => Self::LINES,
        }
    }

    /// Do so many rows and what belongs to them fill `len` bytes?
    pub fn fits(&self, rows: u32, len: u64) -> bool {
        match self {
            Self::Packed(p) => u64::from(rows) * p.row_bytes() as u64 == len,
            Self::Lines { .. } => Self::table_bytes(rows) <= len,
        }
    }

    /// Bytes of the table of places of so many lines.
    pub fn table_bytes(rows: u32) -> u64 {
        u64::from(rows.div_ceil(BLOCK_ROWS)) * 8
    }

    /// One code of a row below `rows`; what belongs to the rows ends at `end` in the file.
    pub fn code(&self, file: &File, rows: u32, end: u64, ordinal: u32, column: usize) -> std::io::Result<Vec<u8>> {
        if ordinal >= rows {
            return Err(bad("an ordinal is out of range"));
        }
        match self {
            Self::Packed(p) => {
                let len = p.row_bytes();
                let mut row = vec![0; len];
                file.read_exact_at(&mut row, HEADER as u64 + u64::from(ordinal) * len as u64)?;
                let mut code = Vec::with_capacity(MAX_CODE_LEN.min(len * 8));
                p.unpack(&row, column, &mut code).ok_or_else(|| bad("a packed code is outside of its alphabet"))?;
                Ok(code)
            }
            Self::Lines { columns } => {
                let table = end - Self::table_bytes(rows);
                let mut at = [0; 8];
                file.read_exact_at(&mut at, table + u64::from(ordinal / BLOCK_ROWS) * 8)?;
                let at = u64::from_le_bytes(at);
                if !(HEADER as u64..table).contains(&at) {
                    return Err(bad("a row begins out of range"));
                }
                code_in_lines(file, at, table, (ordinal % BLOCK_ROWS) as usize * columns + column)
            }
        }
    }
}

/// The n-th code from a place on; all of them end before `end`.
fn code_in_lines(file: &File, mut at: u64, end: u64, n: usize) -> std::io::Result<Vec<u8>> {
    let mut page = [0; 8192];
    let (mut have, mut used) = (0, 0);
    for i in 0..=n {
        if have - used < 2 + MAX_CODE_LEN && at + (have as u64) < end {
            at += used as u64;
            have = (end - at).min(page.len() as u64) as usize;
            file.read_exact_at(&mut page[..have], at)?;
            used = 0;
        }
        let head = page[..have].get(used..used + 2).ok_or_else(|| bad("rows end early"))?;
        let to = used + 2 + usize::from(u16::from_le_bytes([head[0], head[1]]));
        let code = page[..have].get(used + 2..to).ok_or_else(|| bad("a code ends out of range"))?;
        if i == n {
            return Ok(code.to_vec());
        }
        used = to;
    }
    unreachable!("the n-th code was given")
}
const _: () = assert!(2 + MAX_CODE_LEN <= 8192);

/// Rows one after the other.
pub struct Reading {
    file: Arc<File>,
    form: Form,
    at: u64,
    /// Where the rows end.
    end: u64,
    page: Vec<u8>,
    used: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Reading {
    const PAGE: usize = 1 << 18;

    /// From the first row on; the rows themselves end at `end`.
    pub fn new(file: Arc<File>, form: Form, end: u64) -> Self {
        Self { file, form, at: HEADER as u64, end, page: Vec::new(), used: 0, bytes: Vec::new(), ends: Vec::new() }
    }

    /// Steps to the next row, whose codes `codes` then gives. The caller knows how many there are.
    pub fn step(&mut self) -> std::io::Result<()> {
        self.bytes.clear();
        self.ends.clear();
        match &self.form {
            Form::Packed(p) => {
                let (len, columns) = (p.row_bytes(), p.columns().count());
                fill(&self.file, &mut self.at, self.end, &mut self.page, &mut self.used, len)?;
                let row = self.page.get(self.used..self.used + len).ok_or_else(|| bad("rows end early"))?;
                for c in 0..columns {
                    p.unpack(row, c, &mut self.bytes).ok_or_else(|| bad("a packed code is outside of its alphabet"))?;
                    self.ends.push(self.bytes.len());
                }
                self.used += len;
            }
            Form::Lines { columns } => {
                fill(&self.file, &mut self.at, self.end, &mut self.page, &mut self.used, columns * (2 + MAX_CODE_LEN))?;
                for _ in 0..*columns {
                    let head = self.page.get(self.used..self.used + 2).ok_or_else(|| bad("rows end early"))?;
                    let from = self.used + 2;
                    let to = from + usize::from(u16::from_le_bytes([head[0], head[1]]));
                    self.bytes.extend_from_slice(self.page.get(from..to).ok_or_else(|| bad("a code ends out of range"))?);
                    self.ends.push(self.bytes.len());
                    self.used = to;
                }
            }
        }
        Ok(())
    }

    pub fn codes(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let froms = std::iter::once(0).chain(self.ends.iter().copied());
        froms.zip(&self.ends).map(|(from, to)| &self.bytes[from..*to])
    }
}

/// Sees that `most` bytes are in the page, or all there are.
fn fill(file: &File, at: &mut u64, end: u64, page: &mut Vec<u8>, used: &mut usize, most: usize) -> std::io::Result<()> {
    if page.len() - *used >= most || *at == end {
        return Ok(());
    }
    page.drain(..*used);
    *used = 0;
    let have = page.len();
    let more = (end - *at).min(Reading::PAGE as u64) as usize;
    page.resize(have + more, 0);
    file.read_exact_at(&mut page[have..], *at)?;
    *at += more as u64;
    Ok(())
}
