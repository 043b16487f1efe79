//! Header and description of a segment, little-endian.
//!
//! Header, 128 bytes: magic (8) · version 4 (2) · form of the rows (2) · encryption, 0 (2) · key rule (2) · store (16) ·
//! number within the pack (4) · rows (4) · columns (2) · hash, 2 = SipHash-1-3 (2) · length of the description (4) · where
//! it begins (8) · index at (8) · index entries (8) · sparse index at (8) · CRC-32 of the description (4) · of the sparse
//! index (4) · zeros · CRC-32 of the header (4).
//!
//! The description: what each column is for; packed rows' alphabets; then the delivered files' names and from which line
//! of which file each run of rows came; then the key rule, as a configuration writes it.

use super::packing;
use super::places::{Places, Run};
use super::rows::Form;
use crate::vocab::KeyRule;

const MAGIC: &[u8; 8] = b"PMSEG\0\0\x01";
pub const HEADER: usize = 128;
const VERSION: u16 = 4;
const SIPHASH_1_3: u16 = 2;

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
    pub about_at: u64,
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
        put(42, &SIPHASH_1_3.to_le_bytes());
        put(44, &self.about_len.to_le_bytes());
        put(48, &self.about_at.to_le_bytes());
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
            0..=3 => return Err(Unfit::Early),
            _ => return Err(Unfit::Newer),
        }
        if n16(10) > 1 || n16(12) != 0 || n16(42) != SIPHASH_1_3 {
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
            about_at: n64(48),
            index_at: n64(56),
            entries: n64(64),
            sparse_at: n64(72),
            about_crc: n32(80),
            sparse_crc: n32(84),
        })
    }
}

/// Purposes by column, form, places and key rule as bytes.
pub fn describe(purposes: &[String], form: &Form, places: &Places, rule: KeyRule) -> Vec<u8> {
    let mut b = Vec::new();
    let text = |b: &mut Vec<u8>, t: &str| {
        b.extend((t.len() as u16).to_le_bytes());
        b.extend(t.as_bytes());
    };
    purposes.iter().for_each(|p| text(&mut b, p));
    if let Form::Packed(p) = form {
        packing::describe(p, &mut b);
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

/// What a description says.
pub struct About {
    pub purposes: Vec<String>,
    pub form: Form,
    pub places: Places,
    /// As a configuration writes it.
    pub rule: String,
}

/// `None`: what stands there makes no sense.
pub fn understand(about: &[u8], form: u16, columns: u16) -> Option<About> {
    let mut r = Reader(about);
    let purposes = (0..columns).map(|_| r.text()).collect::<Option<_>>()?;
    let form = match form {
        Form::PACKED => Form::Packed(packing::understand(usize::from(columns), |n| r.take(n))?),
        _ => Form::Lines { columns: usize::from(columns) },
    };
    let files = (0..r.n32()?).map(|_| r.text()).collect::<Option<_>>()?;
    let runs = (0..r.n32()?).map(|_| Some(Run::decode(r.take(Run::BYTES)?))).collect::<Option<_>>()?;
    let rule = r.text()?;
    r.0.is_empty().then_some(About { purposes, form, places: Places { files, runs }, rule })
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

    fn text(&mut self) -> Option<String> {
        let n = self.n16()?;
        String::from_utf8(self.take(usize::from(n))?.to_vec()).ok()
    }
}
