//! Header and description of a segment, little-endian.
//!
//! Header, 128 bytes: magic (8) · version 2 (2) · form of the first column (2) · encryption, 0 (2) · key rule (2) ·
//! store (16) · number within the pack (4) · rows (4) · columns (2) · hash, 1 = SipHash-2-4 (2) · length of the
//! description (4) · where it begins (8) · index at (8) · index entries (8) · sparse index at (8) · CRC-32 of the
//! description (4) · of the sparse index (4) · zeros · CRC-32 of the header (4).
//!
//! The description: per column purpose, form, place and alphabets; then the delivered files' names and from which line
//! of which file each run of rows came; then the key rule, as a configuration writes it.

use super::column::{Column, Form, Packing};
use super::places::{Places, Run};
use crate::vocab::KeyRule;
use crate::vocab::code::MAX_CODE_LEN;

const MAGIC: &[u8; 8] = b"PMSEG\0\0\x01";
pub const HEADER: usize = 128;
const VERSION: u16 = 2;
const SIPHASH_2_4: u16 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub form: u16,
    /// Its number; the description has its text.
    pub rule: u16,
    pub store: [u8; 16],
    pub n: u32,
    pub rows: u32,
    pub columns: u16,
    pub about_len: u32,
    pub index_at: u64,
    pub entries: u64,
    pub sparse_at: u64,
    pub about_crc: u32,
    pub sparse_crc: u32,
}

/// Why a header is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    Damaged(&'static str),
    /// Written by a packmark before the first release.
    Early,
    Newer,
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER] {
        let mut h = [0; HEADER];
        let mut put = |at: usize, b: &[u8]| h[at..at + b.len()].copy_from_slice(b);
        put(0, MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(10, &self.form.to_le_bytes());
        put(14, &self.rule.to_le_bytes());
        put(16, &self.store);
        put(32, &self.n.to_le_bytes());
        put(36, &self.rows.to_le_bytes());
        put(40, &self.columns.to_le_bytes());
        put(42, &SIPHASH_2_4.to_le_bytes());
        put(44, &self.about_len.to_le_bytes());
        put(48, &(HEADER as u64).to_le_bytes());
        put(56, &self.index_at.to_le_bytes());
        put(64, &self.entries.to_le_bytes());
        put(72, &self.sparse_at.to_le_bytes());
        put(80, &self.about_crc.to_le_bytes());
        put(84, &self.sparse_crc.to_le_bytes());
        let crc = crc32fast::hash(&h[..124]);
        h[124..].copy_from_slice(&crc.to_le_bytes());
        h
    }

    pub fn decode(h: &[u8; HEADER]) -> Result<Self, Unfit> {
        let n16 = |at: usize| u16::from_le_bytes([h[at], h[at + 1]]);
        let n32 = |at: usize| u32::from_le_bytes(h[at..at + 4].try_into().expect("four bytes"));
        let n64 = |at: usize| u64::from_le_bytes(h[at..at + 8].try_into().expect("eight bytes"));
        if &h[..8] != MAGIC || crc32fast::hash(&h[..124]) != n32(124) {
            return Err(Unfit::Damaged("its header does not agree with its checksum"));
        }
        match n16(8) {
            VERSION => {}
            0 | 1 => return Err(Unfit::Early),
            _ => return Err(Unfit::Newer),
        }
        if n16(10) > 2 || n16(12) != 0 || n16(42) != SIPHASH_2_4 {
            return Err(Unfit::Newer);
        }
        Ok(Self {
            form: n16(10),
            rule: n16(14),
            store: h[16..32].try_into().expect("sixteen bytes"),
            n: n32(32),
            rows: n32(36),
            columns: n16(40),
            about_len: n32(44),
            index_at: n64(56),
            entries: n64(64),
            sparse_at: n64(72),
            about_crc: n32(80),
            sparse_crc: n32(84),
        })
    }
}

/// Columns, places and key rule as bytes. The columns' `at` count from the end of the description.
pub fn describe(columns: &[Column], places: &Places, rule: KeyRule) -> Vec<u8> {
    let mut b = Vec::new();
    let text = |b: &mut Vec<u8>, t: &str| {
        b.extend((t.len() as u16).to_le_bytes());
        b.extend(t.as_bytes());
    };
    for c in columns {
        text(&mut b, &c.purpose);
        b.extend(c.form.number().to_le_bytes());
        b.extend(c.at.to_le_bytes());
        match &c.form {
            Form::Fixed { width } => b.extend((*width as u64).to_le_bytes()),
            Form::Blocks { bytes } => b.extend(bytes.to_le_bytes()),
            Form::Packed(p) => {
                b.extend((p.alphabets.len() as u64).to_le_bytes());
                for a in &p.alphabets {
                    b.push((a.len() - 1) as u8);
                    b.extend(a);
                }
            }
        }
    }
    b.extend((places.files.len() as u32).to_le_bytes());
    places.files.iter().for_each(|f| text(&mut b, f));
    b.extend((places.runs.len() as u32).to_le_bytes());
    for r in &places.runs {
        b.extend(r.encode());
    }
    text(&mut b, &rule.to_string());
    b
}

/// `None`: what stands there makes no sense.
pub fn understand(about: &[u8], columns: u16) -> Option<(Vec<Column>, Places, String)> {
    let mut r = Reader(about);
    let mut all = Vec::new();
    for _ in 0..columns {
        let purpose = r.text()?;
        let (form, at, n) = (r.n16()?, r.n64()?, r.n64()?);
        let form = match form {
            0 => Form::Fixed { width: usize::try_from(n).ok().filter(|n| *n <= MAX_CODE_LEN)? },
            1 => Form::Blocks { bytes: n },
            2 => {
                let alphabet = |_| {
                    let n = usize::from(r.take(1)?[0]) + 1;
                    Some(r.take(n)?.to_vec())
                };
                let n = usize::try_from(n).ok().filter(|n| *n <= MAX_CODE_LEN)?;
                Form::Packed(Packing { alphabets: (0..n).map(alphabet).collect::<Option<_>>()? })
            }
            _ => return None,
        };
        all.push(Column { purpose, form, at });
    }
    let files = (0..r.n32()?).map(|_| r.text()).collect::<Option<_>>()?;
    let runs = (0..r.n32()?).map(|_| Some(Run::decode(r.take(Run::BYTES)?))).collect::<Option<_>>()?;
    let rule = r.text()?;
    r.0.is_empty().then_some((all, Places { files, runs }, rule))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn n16(&mut self) -> Option<u16> {
        self.take(2).map(|b| u16::from_le_bytes([b[0], b[1]]))
    }

    fn n32(&mut self) -> Option<u32> {
        self.take(4).map(|b| u32::from_le_bytes(b.try_into().expect("four bytes")))
    }

    fn n64(&mut self) -> Option<u64> {
        self.take(8).map(|b| u64::from_le_bytes(b.try_into().expect("eight bytes")))
    }

    fn text(&mut self) -> Option<String> {
        let n = self.n16()?;
        String::from_utf8(self.take(usize::from(n))?.to_vec()).ok()
    }
}
