//! How the codes of one column stand in a segment, and how that is chosen.
//!
//! - *fixed*: all of one length, one after the other;
//! - *blocks*: any lengths; a block for 64 rows says where its bytes begin (u64) and where each code ends after that
//!   (64 × u16), then the bytes;
//! - *packed*: all of one length; each position has its own alphabet, of the bytes that were seen there, and stores an
//!   index into it in as few bits as that takes. What is the same in every code (a URL's beginning, a GTIN, a `GS91`)
//!   takes none: the template of a pack is stored once.

use crate::vocab::code::MAX_CODE_LEN;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Rows of one block of ends.
pub const BLOCK_ROWS: u32 = 64;
/// Bytes of one block of ends.
pub const BLOCK_BYTES: usize = 8 + 2 * BLOCK_ROWS as usize;
const _: () = assert!(BLOCK_ROWS as usize * MAX_CODE_LEN <= u16::MAX as usize);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    Fixed { width: usize },
    Blocks { bytes: u64 },
    Packed(Packing),
}

/// Alphabets by position, ascending; one of a single byte takes no bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    pub alphabets: Vec<Vec<u8>>,
}

/// A column as it stands in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub purpose: String,
    pub form: Form,
    /// Where its bytes begin in the file (for blocks: the blocks, then the bytes).
    pub at: u64,
}

/// Bits of an index into an alphabet of `n` bytes.
fn bits(n: usize) -> u32 {
    n.saturating_sub(1).checked_ilog2().map_or(0, |b| b + 1)
}

impl Packing {
    pub fn row_bytes(&self) -> usize {
        self.alphabets.iter().map(|a| bits(a.len())).sum::<u32>().div_ceil(8) as usize
    }

    fn unpack(&self, row: &[u8]) -> Option<Vec<u8>> {
        let (mut acc, mut have, mut rest) = (0u64, 0u32, row.iter());
        self.alphabets
            .iter()
            .map(|alphabet| {
                let n = bits(alphabet.len());
                while have < n {
                    acc |= u64::from(*rest.next()?) << have;
                    have += 8;
                }
                let index = acc & ((1 << n) - 1);
                acc >>= n;
                have -= n;
                alphabet.get(index as usize).copied()
            })
            .collect()
    }
}

/// Packs codes that the analysis has seen.
pub struct Packer {
    /// By position: bits, and the index of each byte.
    positions: Vec<(u32, [u8; 256])>,
}

impl Packer {
    pub fn new(packing: &Packing) -> Self {
        let of = |alphabet: &Vec<u8>| {
            let mut index = [0; 256];
            for (i, b) in alphabet.iter().enumerate() {
                index[usize::from(*b)] = i as u8;
            }
            (bits(alphabet.len()), index)
        };
        Self { positions: packing.alphabets.iter().map(of).collect() }
    }

    pub fn pack(&self, code: &[u8], out: &mut Vec<u8>) {
        let (mut acc, mut have) = (0u64, 0u32);
        for ((n, index), b) in self.positions.iter().zip(code) {
            acc |= u64::from(index[usize::from(*b)]) << have;
            have += n;
            if have >= 32 {
                out.extend_from_slice(&(acc as u32).to_le_bytes());
                acc >>= 32;
                have -= 32;
            }
        }
        out.extend_from_slice(&acc.to_le_bytes()[..have.div_ceil(8) as usize]);
    }
}

impl Form {
    pub fn number(&self) -> u16 {
        match self {
            Self::Fixed { .. } => 0,
            Self::Blocks { .. } => 1,
            Self::Packed(_) => 2,
        }
    }

    /// Bytes of a column of this form in the file.
    pub fn len(&self, rows: u32) -> u64 {
        match self {
            Self::Fixed { width } => u64::from(rows) * *width as u64,
            Self::Blocks { bytes } => Self::blocks_len(rows) + bytes,
            Self::Packed(p) => u64::from(rows) * p.row_bytes() as u64,
        }
    }

    pub fn blocks_len(rows: u32) -> u64 {
        u64::from(rows.div_ceil(BLOCK_ROWS)) * BLOCK_BYTES as u64
    }
}

impl Column {
    /// The code at an ordinal below `rows`.
    pub fn read(&self, file: &File, rows: u32, ordinal: u32) -> std::io::Result<Vec<u8>> {
        let bad = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        if ordinal >= rows {
            return Err(bad("an ordinal is out of range"));
        }
        let fetch = |at: u64, len: usize| {
            let mut b = vec![0; len];
            file.read_exact_at(&mut b, at).map(|()| b)
        };
        match &self.form {
            Form::Fixed { width } => fetch(self.at + u64::from(ordinal) * *width as u64, *width),
            Form::Packed(p) => {
                let len = p.row_bytes();
                let row = fetch(self.at + u64::from(ordinal) * len as u64, len)?;
                p.unpack(&row).ok_or_else(|| bad("a packed code is outside of its alphabet"))
            }
            Form::Blocks { bytes } => {
                let mut block = [0; BLOCK_BYTES];
                file.read_exact_at(&mut block, self.at + u64::from(ordinal / BLOCK_ROWS) * BLOCK_BYTES as u64)?;
                let base = u64::from_le_bytes(block[..8].try_into().expect("eight bytes"));
                let end = |i: usize| u16::from_le_bytes([block[8 + 2 * i], block[9 + 2 * i]]);
                let i = (ordinal % BLOCK_ROWS) as usize;
                let (from, to) = (if i == 0 { 0 } else { end(i - 1) }, end(i));
                let len = to.checked_sub(from).map(usize::from).filter(|n| *n <= MAX_CODE_LEN).ok_or_else(|| bad("ends run backwards"))?;
                let start = base.checked_add(u64::from(from)).filter(|s| *s <= *bytes).ok_or_else(|| bad("a code ends out of range"))?;
                fetch(self.at + Form::blocks_len(rows) + start, len)
            }
        }
    }
}

/// What was seen of a column's codes while they were spooled.
#[derive(Default)]
pub struct Analysis {
    rows: u32,
    bytes: u64,
    /// The one length of all codes so far.
    length: Option<usize>,
    /// They have several lengths: positions mean nothing then.
    mixed: bool,
    /// By position, which bytes stood there.
    seen: Vec<[bool; 256]>,
}

impl Analysis {
    pub fn see(&mut self, code: &[u8]) {
        self.rows += 1;
        self.bytes += code.len() as u64;
        if self.mixed {
            return;
        }
        if self.length != Some(code.len()) {
            if self.length.is_some() {
                self.mixed = true;
                self.seen = Vec::new();
                return;
            }
            self.length = Some(code.len());
            self.seen = vec![[false; 256]; code.len()];
        }
        for (seen, b) in self.seen.iter_mut().zip(code) {
            seen[usize::from(*b)] = true;
        }
    }

    /// The smallest form.
    pub fn choose(self) -> Form {
        if self.mixed {
            return Form::Blocks { bytes: self.bytes };
        }
        let width = self.length.unwrap_or(0);
        let alphabet = |seen: &[bool; 256]| (0..=u8::MAX).filter(|b| seen[usize::from(*b)]).collect::<Vec<u8>>();
        let packing = Packing { alphabets: self.seen.iter().map(alphabet).collect() };
        let described: usize = packing.alphabets.iter().map(|a| a.len() + 1).sum();
        let packed = packing.row_bytes() as u64 * u64::from(self.rows) + described as u64;
        if packed < self.bytes { Form::Packed(packing) } else { Form::Fixed { width } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_alphabets() {
        let want = [(1, 0), (2, 1), (3, 2), (4, 2), (10, 4), (64, 6), (65, 7), (82, 7), (256, 8)];
        want.iter().for_each(|(n, b)| assert_eq!(bits(*n), *b, "{n}"));
    }

    #[test]
    fn a_common_template_takes_nothing() {
        let mut a = Analysis::default();
        let codes: Vec<Vec<u8>> = (0..1000u32).map(|n| format!("https://q.example/{n:04}?x").into_bytes()).collect();
        codes.iter().for_each(|c| a.see(c));
        let Form::Packed(p) = a.choose() else { panic!("packed") };
        assert_eq!(p.row_bytes(), 2, "three digits of ten that vary");
        let packer = Packer::new(&p);
        for c in &codes {
            let mut row = Vec::new();
            packer.pack(c, &mut row);
            assert_eq!((row.len(), p.unpack(&row).as_ref()), (2, Some(c)));
        }
    }
}
