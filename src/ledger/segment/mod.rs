//! Segments: immutable files of codes in pack order with a sorted index of keyed hashes.
//!
//! `packs/<id>-<n>.seg`: header · codes, row by row · description · index of `hash40 << 24 | ordinal24`, ascending,
//! one entry a row and column · sparse index (the first entry of every 128, then a CRC-32 of each such block). Written
//! aside, synced, renamed, folder synced; read-only for ever. Codes of one row share one ordinal.
//!
//! Invariants: what is read from the index has been held against its block's checksum, and a code against the index, so
//! that neither a duplicate is missed nor a wrong byte printed because of a damaged disk.

mod hash;
mod header;
mod packing;
mod places;
mod rows;
mod rows_out;
mod write;

pub use hash::{HASH_BITS, Hasher, exact, key};
pub use places::{MAX_RUNS, Places, Run};
pub use rows::Reading;
pub use write::{IndexWriter, Plan, SegmentWriter};

use crate::vocab::KeyRule;
use header::{HEADER, Header, Unfit};
use rows::Form;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most rows in a segment: ordinals in the index have 24 bits.
pub const MAX_ROWS: u32 = 1 << 24;
/// Most columns of a row.
pub const MAX_COLUMNS: usize = 16;
/// Index entries of a block.
pub const BLOCK: usize = 128;
/// The ordinal's part of an index entry.
pub const ORDINAL: u64 = 0xff_ffff;

/// Codes of several rows, one column after the other.
#[derive(Clone, Copy)]
pub struct Codes<'a> {
    pub bytes: &'a [u8],
    /// From where to where each stands in `bytes`.
    pub spans: &'a [(u32, u32)],
}

impl<'a> Codes<'a> {
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        self.spans.iter().map(move |(from, to)| &self.bytes[*from as usize..*to as usize])
    }
}

pub struct Segment {
    file: Arc<File>,
    pub path: PathBuf,
    pub rows: u32,
    pub rule: KeyRule,
    /// By column: what its codes are for.
    purposes: Vec<String>,
    form: Form,
    /// What belongs to the rows ends there.
    rows_end: u64,
    places: Places,
    index_at: u64,
    pub entries: u64,
    /// First entry of each block, and its checksum.
    firsts: Vec<u64>,
    crcs: Vec<u32>,
    /// Tells this very file from another of its name.
    pub fingerprint: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is damaged ({what})")]
    Damaged { path: PathBuf, what: &'static str },
    #[error("{path} belongs to another store")]
    OtherStore { path: PathBuf },
    #[error("{path} was written by a packmark from before the first release: start a new store and import its pack again")]
    Early { path: PathBuf },
    #[error("{path} was written by a newer packmark: install that version again")]
    Newer { path: PathBuf },
}

pub fn path(dir: &Path, pack_id: &str, n: u32) -> PathBuf {
    dir.join("packs").join(format!("{pack_id}-{n}.seg"))
}

/// Renames to the final name; the folder is the caller's to sync.
pub fn publish(tmp: &Path) -> std::io::Result<()> {
    std::fs::rename(tmp, tmp.with_extension(""))
}

/// What `publish` takes to a final name.
pub fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

impl Segment {
    /// Opens and checks the header; the sparse index is read, the codes are not.
    pub fn open(path: &Path, store: &[u8; 16]) -> Result<Self, SegmentError> {
        let io = |source| SegmentError::Io { path: path.into(), source };
        let damaged = |what| SegmentError::Damaged { path: path.into(), what };
        let file = File::open(path).map_err(io)?;
        let mut h = [0u8; HEADER];
        file.read_exact_at(&mut h, 0).map_err(|_| damaged("its header is short"))?;
        let header = Header::decode(&h).map_err(|e| match e {
            Unfit::Damaged(what) => damaged(what),
            Unfit::Early => SegmentError::Early { path: path.into() },
            Unfit::Newer => SegmentError::Newer { path: path.into() },
        })?;
        if header.store != *store {
            return Err(SegmentError::OtherStore { path: path.into() });
        }
        let blocks = header.entries.div_ceil(BLOCK as u64);
        let whole = header.entries == u64::from(header.rows) * u64::from(header.columns)
            && header.sparse_at == header.index_at + header.entries * 8
            && file.metadata().map_err(io)?.len() == header.sparse_at + blocks * 12;
        let about_end = header.about_at.checked_add(u64::from(header.about_len));
        let sizes = (1..=MAX_ROWS).contains(&header.rows) && (1..=MAX_COLUMNS).contains(&usize::from(header.columns));
        if !whole || !sizes || header.about_at < HEADER as u64 || about_end.is_none_or(|end| end > header.index_at) {
            return Err(damaged("its length does not agree with its header"));
        }
        let mut about = vec![0; header.about_len as usize];
        file.read_exact_at(&mut about, header.about_at).map_err(io)?;
        if crc32fast::hash(&about) != header.about_crc {
            return Err(damaged("its description does not agree with its checksum"));
        }
        let about = header::understand(&about, header.form, header.columns).ok_or_else(|| damaged("its description makes no sense"))?;
        if !about.form.fits(header.rows, header.about_at - HEADER as u64) {
            return Err(damaged("its rows do not agree with its header"));
        }
        let rule = KeyRule::parse(&about.rule).ok().filter(|r| r.number() == header.rule);
        let rule = rule.ok_or_else(|| SegmentError::Newer { path: path.into() })?;
        let mut sparse = vec![0; blocks as usize * 12];
        file.read_exact_at(&mut sparse, header.sparse_at).map_err(io)?;
        if crc32fast::hash(&sparse) != header.sparse_crc {
            return Err(damaged("its sparse index does not agree with its checksum"));
        }
        let (firsts, crcs) = sparse.split_at(blocks as usize * 8);
        Ok(Self {
            file: Arc::new(file),
            path: path.into(),
            rows: header.rows,
            rule,
            purposes: about.purposes,
            form: about.form,
            rows_end: header.about_at,
            places: about.places,
            index_at: header.index_at,
            entries: header.entries,
            firsts: firsts.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().expect("eight bytes"))).collect(),
            crcs: crcs.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().expect("four bytes"))).collect(),
            fingerprint: u32::from_le_bytes(h[124..].try_into().expect("four bytes")),
        })
    }

    fn io(&self, source: std::io::Error) -> SegmentError {
        SegmentError::Io { path: self.path.clone(), source }
    }

    pub fn columns(&self) -> usize {
        self.purposes.len()
    }

    /// What a column's codes are for; empty: nothing was said.
    pub fn purpose(&self, column: usize) -> &str {
        &self.purposes[column]
    }

    /// The delivered file and the line of a row, if they were kept.
    pub fn place(&self, ordinal: u32) -> Option<(&str, u64)> {
        self.places.of(ordinal)
    }

    pub fn code(&self, ordinal: u32, column: usize) -> Result<Vec<u8>, SegmentError> {
        if column >= self.columns() {
            return Err(SegmentError::Damaged { path: self.path.clone(), what: "a column is missing" });
        }
        self.form.code(&self.file, self.rows, self.rows_end, ordinal, column).map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => SegmentError::Damaged { path: self.path.clone(), what: "a code makes no sense" },
            _ => self.io(e),
        })
    }

    /// Its rows, from the first on.
    pub fn reading(&self) -> Reading {
        let table = if matches!(self.form, Form::Lines { .. }) { Form::table_bytes(self.rows) } else { 0 };
        Reading::new(self.file.clone(), self.form.clone(), self.rows_end - table)
    }

    /// As `code`, held against the index: the hash of what was read must stand there under this ordinal.
    pub fn checked(&self, ordinal: u32, column: usize, hasher: &Hasher) -> Result<Vec<u8>, SegmentError> {
        let code = self.code(ordinal, column)?;
        if self.find(hasher.hash(&key(self.rule, &code)))?.contains(&ordinal) {
            return Ok(code);
        }
        Err(SegmentError::Damaged { path: self.path.clone(), what: "a code does not agree with the index" })
    }

    /// Blocks of the index.
    pub fn blocks(&self) -> usize {
        self.firsts.len()
    }

    /// The block that may hold the first entry that is not below `low`: the one before the first that begins there.
    pub fn block_before(&self, low: u64) -> usize {
        self.firsts.partition_point(|e| *e < low).saturating_sub(1)
    }

    /// Reads blocks `from..to` into `page` and holds them against their checksums; answers how many bytes these are.
    fn read_page(&self, from: usize, to: usize, page: &mut [u8]) -> Result<usize, SegmentError> {
        let (first, last) = ((from * BLOCK) as u64, ((to * BLOCK) as u64).min(self.entries));
        let page = &mut page[..(last - first) as usize * 8];
        self.file.read_exact_at(page, self.index_at + first * 8).map_err(|e| self.io(e))?;
        for (block, crc) in page.chunks(BLOCK * 8).zip(&self.crcs[from..to]) {
            if crc32fast::hash(block) != *crc {
                return Err(SegmentError::Damaged { path: self.path.clone(), what: "its index does not agree with its checksum" });
            }
        }
        Ok(page.len())
    }

    /// Appends the entries of blocks `from..to` to `out`.
    pub fn read_blocks(&self, from: usize, to: usize, out: &mut Vec<u64>) -> Result<(), SegmentError> {
        let mut page = [0; PAGE_BLOCKS * BLOCK * 8];
        let mut at = from;
        while at < to {
            let next = (at + PAGE_BLOCKS).min(to);
            let n = self.read_page(at, next, &mut page)?;
            out.extend(page[..n].chunks_exact(8).map(entry));
            at = next;
        }
        Ok(())
    }

    /// Ordinals whose hash is `hash`, each once.
    pub fn find(&self, hash: u64) -> Result<Vec<u32>, SegmentError> {
        let low = hash << 24;
        let (mut found, mut page) = (Vec::new(), [0; BLOCK * 8]);
        for block in self.block_before(low)..self.firsts.len() {
            let n = self.read_page(block, block + 1, &mut page)? / 8;
            let at = |i: usize| entry(&page[i * 8..i * 8 + 8]);
            let start = first_of(n, |i| at(i) >= low);
            let end = start + (start..n).take_while(|i| at(*i) >> 24 == hash).count();
            found.extend((start..end).map(|i| (at(i) & ORDINAL) as u32));
            if end < n {
                break;
            }
        }
        found.dedup();
        Ok(found)
    }
}

/// Blocks of the index that are read at once.
pub const PAGE_BLOCKS: usize = 64;

fn entry(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

/// The first of `n` for which `is` holds, where it holds for all after it; `n`: for none.
fn first_of(n: usize, is: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if is(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
