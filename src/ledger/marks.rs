//! Marks: beside each pack a high-water mark of codes possibly sent, synced *ahead* in steps, never restored with the
//! ledger. The ledger commits what it intends to write first, so a mark above the ledger's intent, or of a later
//! generation, can only mean that an older copy of the ledger was put back.
//!
//! Beside them a *witness*: the newest event's number, written after each commit and not synced. It never runs ahead of
//! the ledger, whatever breaks, and after a killed process it stands: a ledger that ends below it is an older copy.
//!
//! File: two slots of 64 bytes, written in turn: magic `PMMARK1\0`, store id (16), generation (8), turn (8), upto (8),
//! CRC-32 (4), little-endian. The slot with the higher turn and a right CRC counts.
//! A third slot of the same form is the witness, its turn being the event's number.

use crc::{CRC_32_ISO_HDLC, Crc};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const MAGIC: &[u8; 8] = b"PMMARK1\0";
const SLOT: usize = 64;
/// `upto` of a pack that was withdrawn, or whose codes are used elsewhere: none of it may ever be used (again).
pub const CLOSED: u64 = u64::MAX;
/// How far ahead a mark is set at least, in codes.
pub const STEP: u32 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub store: [u8; 16],
    pub generation: u64,
    pub turn: u64,
    /// Ordinals below this may have been sent.
    pub upto: u64,
}

pub fn path(dir: &Path, pack_id: &str) -> PathBuf {
    dir.join("packs").join(format!("{pack_id}.mark"))
}

/// `Ok(None)`: there is no file. `Err`: neither slot is whole.
pub fn read(path: &Path) -> std::io::Result<Option<Mark>> {
    let bytes = match std::fs::read(path) {
        Ok(b) => b,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let best = bytes.chunks(SLOT).take(2).filter_map(decode).max_by_key(|m| m.turn);
    best.map(Some).ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "both slots of a mark are damaged"))
}

/// Writes the slot of this turn and syncs it.
pub fn write(path: &Path, mark: &Mark) -> std::io::Result<()> {
    let fresh = !path.exists();
    let f = File::options().write(true).create(true).truncate(false).open(path)?;
    f.write_all_at(&encode(mark), (mark.turn % 2) * SLOT as u64)?;
    f.sync_data()?;
    if fresh && let Some(dir) = path.parent() {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// The newest event's number that this mark has seen, if its witness is whole.
pub fn witness(path: &Path) -> Option<u64> {
    let bytes = std::fs::read(path).ok()?;
    bytes.chunks(SLOT).nth(2).and_then(decode).map(|m| m.turn)
}

/// Leaves a witness in an open mark; not synced.
pub fn testify(file: &File, store: [u8; 16], generation: u64, seq: u64) -> std::io::Result<()> {
    file.write_all_at(&encode(&Mark { store, generation, turn: seq, upto: 0 }), 2 * SLOT as u64)
}

fn encode(m: &Mark) -> [u8; SLOT] {
    let mut b = [0; SLOT];
    b[..8].copy_from_slice(MAGIC);
    b[8..24].copy_from_slice(&m.store);
    b[24..32].copy_from_slice(&m.generation.to_le_bytes());
    b[32..40].copy_from_slice(&m.turn.to_le_bytes());
    b[40..48].copy_from_slice(&m.upto.to_le_bytes());
    let crc = CRC.checksum(&b[..60]);
    b[60..].copy_from_slice(&crc.to_le_bytes());
    b
}

fn decode(b: &[u8]) -> Option<Mark> {
    let n = |at: usize| u64::from_le_bytes(b[at..at + 8].try_into().expect("eight bytes"));
    if b.len() != SLOT || &b[..8] != MAGIC || CRC.checksum(&b[..60]).to_le_bytes() != b[60..] {
        return None;
    }
    Some(Mark { store: b[8..24].try_into().expect("sixteen bytes"), generation: n(24), turn: n(32), upto: n(40) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_slot_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let p = dir.path().join("a.mark");
        let m = |turn, upto| Mark { store: [7; 16], generation: 3, turn, upto };
        assert_eq!(read(&p).unwrap(), None);
        write(&p, &m(1, 256)).unwrap();
        write(&p, &m(2, 512)).unwrap();
        assert_eq!(read(&p).unwrap(), Some(m(2, 512)));
        let mut b = std::fs::read(&p).unwrap();
        b[41] ^= 1; // the slot of turn 2
        std::fs::write(&p, &b).unwrap();
        assert_eq!(read(&p).unwrap(), Some(m(1, 256)));
        b[SLOT + 41] ^= 1;
        std::fs::write(&p, &b).unwrap();
        assert!(read(&p).is_err());
    }
}
