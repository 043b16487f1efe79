//! Segments: immutable files of codes in pack order with a sorted index of keyed hashes.
//!
//! `packs/<id>-<n>.seg`, little-endian: header (128 bytes) · codes (fixed width, or offsets and bytes) · index of
//! `hash40 << 24 | ordinal24`, ascending. Written aside, synced, renamed, folder synced; read-only for ever.

use crate::vocab::KeyRule;
use crc::{CRC_32_ISO_HDLC, Crc};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const MAGIC: &[u8; 8] = b"PMSEG\0\0\x01";
const HEADER: usize = 128;
/// Most codes in a segment: ordinals in the index have 24 bits.
pub const MAX_CODES: usize = 1 << 24;
/// Every so many index entries one stands in memory.
const SPARSE: usize = 512;
const VERSION: u16 = 1;

/// Key of the hash: one for the store.
#[derive(Clone, Copy)]
pub struct Hasher {
    pub key: [u8; 16],
    /// Bits of the hash that count; 40 but in tests.
    pub bits: u32,
}

impl Hasher {
    pub fn new(key: [u8; 16]) -> Self {
        Self { key, bits: 40 }
    }

    /// The top 40 bits of SHA-256(key ‖ match key), cut to `bits`.
    pub fn hash(&self, match_key: &[u8]) -> u64 {
        let mut h = Sha256::new();
        h.update(self.key);
        h.update(match_key);
        let d = h.finalize();
        let v = u64::from_be_bytes(d[..8].try_into().expect("eight bytes")) >> 24;
        v >> (40 - self.bits)
    }
}

pub struct Segment {
    file: File,
    pub path: PathBuf,
    pub count: u32,
    pub rule: KeyRule,
    width: u32,
    codes_at: u64,
    offsets_at: u64,
    index_at: u64,
    sparse: Vec<u64>,
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
}

pub fn path(dir: &Path, pack_id: &str, n: u32) -> PathBuf {
    dir.join("packs").join(format!("{pack_id}-{n}.seg"))
}

/// Sorted index entries of these codes.
pub fn index(codes: &[Vec<u8>], rule: KeyRule, hasher: &Hasher) -> Vec<u64> {
    let mut entries: Vec<u64> = codes.iter().enumerate().map(|(i, c)| hasher.hash(rule.strip(c)) << 24 | i as u64).collect();
    entries.sort_unstable();
    entries
}

/// Writes a segment aside and answers the temporary path; `publish` makes it stand.
pub fn write(
    dir: &Path,
    pack_id: &str,
    n: u32,
    store: &[u8; 16],
    rule: KeyRule,
    codes: &[Vec<u8>],
    index: &[u64],
) -> std::io::Result<PathBuf> {
    let tmp = path(dir, pack_id, n).with_extension("tmp");
    let width = codes.first().map_or(0, |c| if codes.iter().all(|d| d.len() == c.len()) { c.len() as u32 } else { 0 });
    let codes_len: u64 = codes.iter().map(|c| c.len() as u64).sum();
    let offsets_at = HEADER as u64;
    let codes_at = offsets_at + if width == 0 { (codes.len() as u64 + 1) * 4 } else { 0 };
    let index_at = codes_at + codes_len;
    let mut h = [0u8; HEADER];
    h[..8].copy_from_slice(MAGIC);
    h[8..10].copy_from_slice(&VERSION.to_le_bytes());
    // 10..12 codec and 12..14 encryption are reserved: 0 is plain.
    h[14..16].copy_from_slice(&rule.number().to_le_bytes());
    h[16..32].copy_from_slice(store);
    h[32..36].copy_from_slice(&n.to_le_bytes());
    h[36..40].copy_from_slice(&(codes.len() as u32).to_le_bytes());
    h[40..44].copy_from_slice(&width.to_le_bytes());
    h[48..56].copy_from_slice(&offsets_at.to_le_bytes());
    h[56..64].copy_from_slice(&codes_at.to_le_bytes());
    h[64..72].copy_from_slice(&index_at.to_le_bytes());
    let mut body = CRC.digest();
    let file = File::create(&tmp)?;
    let mut w = BufWriter::with_capacity(1 << 20, file);
    w.write_all(&h)?;
    let mut put = |w: &mut BufWriter<File>, b: &[u8]| {
        body.update(b);
        w.write_all(b)
    };
    if width == 0 {
        let mut at = 0u32;
        for len in std::iter::once(0).chain(codes.iter().map(|c| c.len() as u32)) {
            at = at.checked_add(len).ok_or_else(|| std::io::Error::other("a segment's codes exceed 4 GiB"))?;
            put(&mut w, &at.to_le_bytes())?;
        }
    }
    for c in codes {
        put(&mut w, c)?;
    }
    for e in index {
        put(&mut w, &e.to_le_bytes())?;
    }
    w.flush()?;
    let file = w.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    h[72..76].copy_from_slice(&body.finalize().to_le_bytes());
    let crc = CRC.checksum(&h[..124]);
    h[124..].copy_from_slice(&crc.to_le_bytes());
    file.write_all_at(&h, 0)?;
    file.sync_all()?;
    Ok(tmp)
}

/// Renames to the final name and syncs the folder.
pub fn publish(tmp: &Path) -> std::io::Result<()> {
    std::fs::rename(tmp, tmp.with_extension("seg"))?;
    File::open(tmp.parent().unwrap_or(Path::new(".")))?.sync_all()
}

impl Segment {
    /// Opens and checks the header; the sparse index is read, the codes are not.
    pub fn open(path: &Path, store: &[u8; 16]) -> Result<Self, SegmentError> {
        let io = |source| SegmentError::Io { path: path.into(), source };
        let damaged = |what| SegmentError::Damaged { path: path.into(), what };
        let file = File::open(path).map_err(io)?;
        let mut h = [0u8; HEADER];
        file.read_exact_at(&mut h, 0).map_err(|_| damaged("its header is short"))?;
        let n32 = |at: usize| u32::from_le_bytes(h[at..at + 4].try_into().expect("four bytes"));
        let n64 = |at: usize| u64::from_le_bytes(h[at..at + 8].try_into().expect("eight bytes"));
        if &h[..8] != MAGIC || CRC.checksum(&h[..124]) != n32(124) {
            return Err(damaged("its header does not agree with its checksum"));
        }
        if h[16..32] != store[..] {
            return Err(SegmentError::OtherStore { path: path.into() });
        }
        let rule = KeyRule::from_number(u16::from_le_bytes([h[14], h[15]])).ok_or_else(|| damaged("its key rule is unknown"))?;
        let (count, width, index_at) = (n32(36), n32(40), n64(64));
        let len = file.metadata().map_err(io)?.len();
        if len != index_at + u64::from(count) * 8 {
            return Err(damaged("its length does not agree with its header"));
        }
        let mut sparse = Vec::with_capacity(count as usize / SPARSE + 1);
        for i in (0..count as usize).step_by(SPARSE) {
            let mut b = [0; 8];
            file.read_exact_at(&mut b, index_at + i as u64 * 8).map_err(io)?;
            sparse.push(u64::from_le_bytes(b));
        }
        if sparse.windows(2).any(|w| w[0] > w[1]) {
            return Err(damaged("its index is not in order"));
        }
        Ok(Self { file, path: path.into(), count, rule, width, codes_at: n64(56), offsets_at: n64(48), index_at, sparse })
    }

    pub fn code(&self, ordinal: u32) -> std::io::Result<Vec<u8>> {
        let (at, len) = if self.width > 0 {
            (u64::from(ordinal) * u64::from(self.width), self.width as usize)
        } else {
            let mut b = [0; 8];
            self.file.read_exact_at(&mut b, self.offsets_at + u64::from(ordinal) * 4)?;
            let from = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            let to = u32::from_le_bytes([b[4], b[5], b[6], b[7]]);
            (u64::from(from), to.checked_sub(from).ok_or_else(|| std::io::Error::other("offsets run backwards"))? as usize)
        };
        if ordinal >= self.count || len > crate::vocab::code::MAX_CODE_LEN {
            return Err(std::io::Error::other("an ordinal or a length is out of range"));
        }
        let mut code = vec![0; len];
        self.file.read_exact_at(&mut code, self.codes_at + at)?;
        Ok(code)
    }

    /// As `code`, held against the index: the hash of what was read must stand there under this ordinal.
    pub fn checked(&self, ordinal: u32, hasher: &Hasher) -> Result<Vec<u8>, SegmentError> {
        let io = |source| SegmentError::Io { path: self.path.clone(), source };
        let code = self.code(ordinal).map_err(io)?;
        if self.find(hasher.hash(self.rule.strip(&code))).map_err(io)?.contains(&ordinal) {
            return Ok(code);
        }
        Err(SegmentError::Damaged { path: self.path.clone(), what: "a code does not agree with the index" })
    }

    /// Index entries `from..to`.
    pub fn entries(&self, from: u32, to: u32) -> std::io::Result<Vec<u64>> {
        let mut b = vec![0; (to - from) as usize * 8];
        self.file.read_exact_at(&mut b, self.index_at + u64::from(from) * 8)?;
        Ok(b.chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().expect("eight bytes"))).collect())
    }

    /// Ordinals whose hash is `hash`.
    pub fn find(&self, hash: u64) -> std::io::Result<Vec<u32>> {
        let low = hash << 24;
        // The block before the first sparse entry that is not below may hold the run's beginning.
        let mut block = self.sparse.partition_point(|e| *e < low).saturating_sub(1);
        let mut found = Vec::new();
        while block * SPARSE < self.count as usize {
            let from = (block * SPARSE) as u32;
            let entries = self.entries(from, (from + SPARSE as u32).min(self.count))?;
            let start = entries.partition_point(|e| *e < low);
            let run = entries[start..].iter().take_while(|e| *e >> 24 == hash);
            found.extend(run.clone().map(|e| (e & 0xff_ffff) as u32));
            if start + run.count() < entries.len() {
                break;
            }
            block += 1;
        }
        Ok(found)
    }
}
