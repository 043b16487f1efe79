//! Which segments may hold a hash, over many segments at once: a look-up asks this and then only those. Derived from the
//! segments' own indexes and made anew when it is missing or damaged.
//!
//! `packs/merged-<n>.idx`, little-endian: header (64) · the segments' names and fingerprints · entries by bucket (residual
//! of the hash u16, segment u16) · after them the buckets' table. A bucket is a range of hashes; its record is where it
//! ends (u32) and a CRC-32 of its entries and ends, so what is read has been checked.

use super::codebook::Placed;
use super::import::compare::Cursor;
use super::pace::{Pace, Stream};
use super::segment::{HASH_BITS, ORDINAL, SegmentError, publish};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"PMIDX\0\0\x01";
const HEADER: usize = 64;
/// Entries of a bucket, about.
const PER_BUCKET: u64 = 64;
/// Segments that one index covers at most.
pub const MAX_SEGMENTS: usize = u16::MAX as usize;

pub fn path(dir: &Path, n: usize) -> PathBuf {
    dir.join("packs").join(format!("merged-{n}.idx"))
}

pub struct Merged {
    file: File,
    pub covers: Vec<Placed>,
    pub entries: u64,
    /// Leading bits of a hash that name its bucket.
    bits: u32,
    table_at: u64,
    data_at: u64,
}

/// What stands there is not what was written.
#[derive(Debug)]
pub struct Broken;

impl From<std::io::Error> for Broken {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

/// The file's name and the checksum of its header.
fn identity(p: &Placed) -> (String, u32) {
    let name = p.segment.path.file_name().unwrap_or_default().to_string_lossy();
    (name.strip_suffix(".tmp").unwrap_or(&name).to_string(), p.segment.fingerprint)
}

impl Merged {
    /// Opens an index whose segments all stand in `known`.
    pub fn open(path: &Path, store: &[u8; 16], known: &[Placed]) -> Result<Self, Broken> {
        let file = File::open(path)?;
        let mut h = [0; HEADER];
        file.read_exact_at(&mut h, 0)?;
        let n32 = |at: usize| u32::from_le_bytes(h[at..at + 4].try_into().expect("four bytes"));
        if &h[..8] != MAGIC || crc32fast::hash(&h[..60]) != n32(60) || h[8..24] != store[..] {
            return Err(Broken);
        }
        let (bits, segments, list_len) = (n32(24), n32(28), n32(32));
        let entries = u64::from_le_bytes(h[40..48].try_into().expect("eight bytes"));
        let mut list = vec![0; list_len as usize];
        file.read_exact_at(&mut list, HEADER as u64)?;
        if crc32fast::hash(&list) != n32(36) || !(1..=HASH_BITS - 16).contains(&bits) {
            return Err(Broken);
        }
        let by_name: std::collections::HashMap<(String, u32), &Placed> = known.iter().map(|p| (identity(p), p)).collect();
        let (mut covers, mut rest) = (Vec::new(), &list[..]);
        for _ in 0..segments {
            let (len, after) = rest.split_first_chunk::<2>().ok_or(Broken)?;
            let (name, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*len))).ok_or(Broken)?;
            let (print, after) = after.split_first_chunk::<4>().ok_or(Broken)?;
            rest = after;
            let name = String::from_utf8_lossy(name).into_owned();
            covers.push(Placed::clone(by_name.get(&(name, u32::from_le_bytes(*print))).ok_or(Broken)?));
        }
        let data_at = HEADER as u64 + u64::from(list_len);
        let table_at = data_at + entries * 4;
        if covers.iter().map(|p| p.segment.entries).sum::<u64>() != entries || file.metadata()?.len() != table_at + ((1 << bits) + 1) * 8 {
            return Err(Broken);
        }
        Ok(Self { file, covers, entries, bits, table_at, data_at })
    }

    /// The segments that hold an entry with (very nearly) this hash, each once.
    pub fn find(&self, hash: u64) -> Result<Vec<u16>, Broken> {
        let (bucket, residual) = split(hash, self.bits);
        let mut t = [0; 16];
        self.file.read_exact_at(&mut t, self.table_at + bucket * 8)?;
        let n = |at: usize| u32::from_le_bytes(t[at..at + 4].try_into().expect("four bytes"));
        let (from, to, crc) = (n(0), n(8), n(12));
        if from > to || u64::from(to) > self.entries || u64::from(to - from) > self.entries {
            return Err(Broken);
        }
        let mut b = vec![0; (to - from) as usize * 4];
        self.file.read_exact_at(&mut b, self.data_at + u64::from(from) * 4)?;
        if checksum(from, to, &b) != crc {
            return Err(Broken);
        }
        let mut found: Vec<u16> =
            b.chunks_exact(4).filter(|e| u16::from_le_bytes([e[0], e[1]]) == residual).map(|e| u16::from_le_bytes([e[2], e[3]])).collect();
        found.sort_unstable();
        found.dedup();
        if found.last().is_some_and(|n| usize::from(*n) >= self.covers.len()) {
            return Err(Broken);
        }
        Ok(found)
    }

    /// Writes the index of these segments aside and puts it in its place.
    pub fn make(path: &Path, store: &[u8; 16], covers: &[Placed], pace: &mut Pace) -> Result<(), MakeError> {
        let entries: u64 = covers.iter().map(|p| p.segment.entries).sum();
        let bits = (entries / PER_BUCKET).max(2).ilog2().min(HASH_BITS - 16);
        let buckets = 1u64 << bits;
        let mut list = Vec::new();
        for (name, print) in covers.iter().map(identity) {
            list.extend((name.len() as u16).to_le_bytes());
            list.extend(name.as_bytes());
            list.extend(print.to_le_bytes());
        }
        // Not as an import's files aside are called: an import that ends may not take it away.
        let tmp = path.with_extension("idx.new");
        let file = Arc::new(File::options().read(true).write(true).create(true).truncate(true).open(&tmp)?);
        file.write_all_at(&list, HEADER as u64)?;
        let data_at = (HEADER + list.len()) as u64;
        let (mut data, mut table) = (Stream::new(file.clone(), data_at), Stream::new(file.clone(), data_at + entries * 4));
        table.put(&[0; 8], pace)?;
        let mut cursors: Vec<Cursor> = covers.iter().map(|p| Cursor::new(p.clone(), u64::MAX, covers.len())).collect();
        // A span of buckets at a time: about 2^18 entries in memory.
        let span = (buckets * (1 << 18) / entries.max(1)).clamp(1, buckets);
        // Of each entry its bucket within the span, and what is stored of it; then the same in the order of the buckets.
        let (mut mine, mut ordered): (Vec<(u32, u32)>, Vec<u32>) = (Vec::new(), Vec::new());
        let (mut ends, mut bytes, mut end): (Vec<u32>, Vec<u8>, u32) = (Vec::new(), Vec::new(), 0);
        let mut first = 0;
        while first < buckets {
            let last = (first + span).min(buckets);
            mine.clear();
            ends.clear();
            ends.resize((last - first) as usize + 1, 0);
            for (n, c) in cursors.iter_mut().enumerate() {
                // Every entry whose hash is in these buckets.
                let top = ((last << (HASH_BITS - bits)) - 1) << 24 | ORDINAL;
                loop {
                    let entries = c.up_to(top)?;
                    if entries.is_empty() {
                        break;
                    }
                    mine.extend(entries.iter().map(|e| {
                        let (bucket, residual) = split(e >> 24, bits);
                        ends[(bucket - first) as usize + 1] += 1;
                        ((bucket - first) as u32, u32::from(residual) | (n as u32) << 16)
                    }));
                }
            }
            // Where each bucket begins, which its entries then move to where it ends.
            (1..ends.len()).for_each(|b| ends[b] += ends[b - 1]);
            ordered.resize(mine.len(), 0);
            for (bucket, stored) in &mine {
                let at = &mut ends[*bucket as usize];
                ordered[*at as usize] = *stored;
                *at += 1;
            }
            let mut begin = 0;
            for stop in &ends[..(last - first) as usize] {
                bytes.clear();
                ordered[begin as usize..*stop as usize].iter().for_each(|e| bytes.extend_from_slice(&e.to_le_bytes()));
                let from = end;
                end += stop - begin;
                begin = *stop;
                data.put(&bytes, pace)?;
                table.put(&end.to_le_bytes(), pace)?;
                table.put(&checksum(from, end, &bytes).to_le_bytes(), pace)?;
            }
            first = last;
        }
        data.flush(pace)?;
        table.flush(pace)?;
        let mut h = [0; HEADER];
        h[..8].copy_from_slice(MAGIC);
        h[8..24].copy_from_slice(store);
        h[24..28].copy_from_slice(&bits.to_le_bytes());
        h[28..32].copy_from_slice(&(covers.len() as u32).to_le_bytes());
        h[32..36].copy_from_slice(&(list.len() as u32).to_le_bytes());
        h[36..40].copy_from_slice(&crc32fast::hash(&list).to_le_bytes());
        h[40..48].copy_from_slice(&entries.to_le_bytes());
        let crc = crc32fast::hash(&h[..60]);
        h[60..].copy_from_slice(&crc.to_le_bytes());
        file.write_all_at(&h, 0)?;
        file.sync_all()?;
        Ok(publish(&tmp)?)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

/// Bucket and the 16 bits after it.
fn split(hash: u64, bits: u32) -> (u64, u16) {
    (hash >> (HASH_BITS - bits), (hash >> (HASH_BITS - bits - 16)) as u16)
}

fn checksum(from: u32, to: u32, entries: &[u8]) -> u32 {
    let mut c = crc32fast::Hasher::new();
    c.update(&from.to_le_bytes());
    c.update(&to.to_le_bytes());
    c.update(entries);
    c.finalize()
}
