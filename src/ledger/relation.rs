//! What a pack's items were made to be packed in, as a delivery of pre-related rows said: `packs/<id>.rel`.
//!
//! Little-endian: magic (8) · store (16) · children (4) · parents (4) · CRC-32 of the body (4) · zeros · CRC-32 of the
//! header (4, at 60) · by parent, the ordinal of its first child (4 each). A parent's children are consecutive.

use super::pace::{Pace, Stream};
use super::segment::aside;
use crate::intake::Column;
use crate::line::Answer;
use crate::vocab::plan::{CodeSource, Plan};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

const MAGIC: &[u8; 8] = b"PMREL\0\0\x01";
const HEADER: usize = 64;

pub fn path(dir: &Path, pack_id: &str) -> PathBuf {
    dir.join("packs").join(format!("{pack_id}.rel"))
}

pub struct Relation {
    file: File,
    children: u32,
    parents: u32,
    body_crc: u32,
    /// The body has been held against its checksum.
    whole: OnceLock<bool>,
    /// The parent found last: children of one parent are asked for one after another.
    last: AtomicU32,
}

fn bad(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}

impl Relation {
    pub fn open(path: &Path, store: &[u8; 16], children: u32) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let mut h = [0; HEADER];
        file.read_exact_at(&mut h, 0)?;
        let n = |at: usize| u32::from_le_bytes(h[at..at + 4].try_into().expect("four bytes"));
        if &h[..8] != MAGIC || crc32fast::hash(&h[..60]) != n(60) {
            return Err(bad("its header does not agree with its checksum"));
        }
        if h[8..24] != store[..] {
            return Err(bad("it belongs to another store"));
        }
        let r = Self { children: n(24), parents: n(28), body_crc: n(32), file, whole: OnceLock::new(), last: AtomicU32::new(0) };
        if r.children != children || r.file.metadata()?.len() != HEADER as u64 + u64::from(r.parents) * 4 {
            return Err(bad("its length does not agree with its header or its pack"));
        }
        Ok(r)
    }

    /// The ordinal of the parent of a child.
    pub fn parent_of(&self, child: u32) -> std::io::Result<u32> {
        if !self.is_whole()? || child >= self.children {
            return Err(bad("it does not agree with its checksum"));
        }
        let last = self.last.load(Ordering::Relaxed);
        if self.first_child(last)? <= child && child < self.first_child(last + 1)? {
            return Ok(last);
        }
        let (mut low, mut high) = (0, self.parents);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.first_child(middle)? <= child { low = middle } else { high = middle }
        }
        self.last.store(low, Ordering::Relaxed);
        Ok(low)
    }

    /// Behind the last parent: the number of children.
    fn first_child(&self, parent: u32) -> std::io::Result<u32> {
        if parent >= self.parents {
            return Ok(self.children);
        }
        let mut b = [0; 4];
        self.file.read_exact_at(&mut b, HEADER as u64 + u64::from(parent) * 4)?;
        Ok(u32::from_le_bytes(b))
    }

    /// Holds the body against its checksum, once: to be asked before a line runs that would wait for it.
    pub fn is_whole(&self) -> std::io::Result<bool> {
        match self.whole.get() {
            Some(w) => Ok(*w),
            None => {
                let found = self.holds()?;
                Ok(*self.whole.get_or_init(|| found))
            }
        }
    }

    fn holds(&self) -> std::io::Result<bool> {
        let (mut crc, mut at, mut left) = (crc32fast::Hasher::new(), HEADER as u64, u64::from(self.parents) * 4);
        let mut b = vec![0; 1 << 16];
        while left > 0 {
            let n = left.min(b.len() as u64) as usize;
            self.file.read_exact_at(&mut b[..n], at)?;
            crc.update(&b[..n]);
            (at, left) = (at + n as u64, left - n as u64);
        }
        Ok(crc.finalize() == self.body_crc)
    }
}

/// Why a plan can have no use for rows that name these levels, if so: what was made for a parent is packed in it or not at
/// all, so that each level must be the next one up, and its codes read from things that bear them already.
pub fn unfit(plan: &Plan, columns: &[Column], innermost: &str) -> Option<Answer> {
    let mut named: Vec<&str> = columns.iter().filter_map(|c| c.level.as_deref()).collect();
    if named.last() == Some(&innermost) {
        named.reverse();
    }
    let leave = "leave out --parent: the codes are then free, and the outer ones can be imported by themselves";
    for pair in named.windows(2) {
        let Some(outer) = plan.level_named(pair[1]) else {
            let levels: Vec<&str> = plan.levels.iter().map(|l| l.name.as_str()).collect();
            let what = format!("level {} is not in the configuration; nothing was imported", pair[1]);
            return Some(Answer::refused("unknown-level", what, format!("use one of: {}", levels.join(", "))));
        };
        if plan.child_level(outer.no).is_none_or(|l| l.name != pair[0]) {
            let what = format!("the rows put {} into {}, the configuration does not; nothing was imported", pair[0], pair[1]);
            return Some(Answer::refused("other-levels", what, leave));
        }
        if outer.codes != CodeSource::Preprinted {
            let what = format!("the rows name codes of level {}, which are not pre-printed here; nothing was imported", outer.name);
            return Some(Answer::refused("generated-level", what, leave));
        }
    }
    None
}

pub struct RelationWriter {
    file: Arc<File>,
    tmp: PathBuf,
    out: Stream,
    store: [u8; 16],
    parents: u32,
    crc: crc32fast::Hasher,
}

impl RelationWriter {
    pub fn create(dir: &Path, pack_id: &str, store: [u8; 16]) -> std::io::Result<Self> {
        let tmp = aside(&path(dir, pack_id));
        let file = Arc::new(File::options().read(true).write(true).create(true).truncate(true).open(&tmp)?);
        let out = Stream::new(file.clone(), HEADER as u64);
        Ok(Self { file, tmp, out, store, parents: 0, crc: crc32fast::Hasher::new() })
    }

    /// The next parent begins with this child.
    pub fn parent(&mut self, first_child: u32, pace: &mut Pace) -> std::io::Result<()> {
        self.parents += 1;
        let b = first_child.to_le_bytes();
        self.crc.update(&b);
        self.out.put(&b, pace)
    }

    /// Synced, under its temporary name.
    pub fn finish(mut self, children: u32, pace: &mut Pace) -> std::io::Result<PathBuf> {
        self.out.flush(pace)?;
        let mut h = [0; HEADER];
        h[..8].copy_from_slice(MAGIC);
        h[8..24].copy_from_slice(&self.store);
        h[24..28].copy_from_slice(&children.to_le_bytes());
        h[28..32].copy_from_slice(&self.parents.to_le_bytes());
        h[32..36].copy_from_slice(&self.crc.clone().finalize().to_le_bytes());
        let crc = crc32fast::hash(&h[..60]);
        h[60..].copy_from_slice(&crc.to_le_bytes());
        self.file.write_all_at(&h, 0)?;
        self.file.sync_all()?;
        Ok(self.tmp.clone())
    }
}
