//! Rows packed by alphabets: each position of a row stores an index into the symbols that stand there, in as few bits as
//! that takes. What is the same in every code (a URL's beginning, a GTIN, a `GS91`) takes none: the template of a pack is
//! stored once. A code that is shorter than the longest of its column ends in the symbol *end*.

use super::Codes;
use crate::vocab::code::MAX_CODE_LEN;

/// The symbol after a code's last byte.
const END: usize = 256;
const SYMBOLS: usize = 257;
/// In a packer's table: no symbol of the alphabet.
const UNKNOWN: u16 = 1 << 15;

/// The symbols of one position: bytes ascending, then *end* if it may stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alphabet {
    pub bytes: Vec<u8>,
    pub end: bool,
}

impl Alphabet {
    fn len(&self) -> usize {
        self.bytes.len() + usize::from(self.end)
    }

    fn bits(&self) -> u32 {
        bits(self.len())
    }
}

/// Bits of an index into an alphabet of `n` symbols.
fn bits(n: usize) -> u32 {
    n.saturating_sub(1).checked_ilog2().map_or(0, |b| b + 1)
}

/// How rows are packed: one column's positions after the other's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    columns: Vec<Column>,
    row_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    alphabets: Vec<Alphabet>,
    /// Bits of a row before this column's.
    from: usize,
}

impl Packing {
    pub fn new(columns: Vec<Vec<Alphabet>>) -> Self {
        let mut from = 0;
        let column = |alphabets: Vec<Alphabet>| {
            let c = Column { from, alphabets };
            from += c.alphabets.iter().map(|a| a.bits() as usize).sum::<usize>();
            c
        };
        let columns = columns.into_iter().map(column).collect();
        Self { columns, row_bytes: from.div_ceil(8) }
    }

    pub fn columns(&self) -> impl Iterator<Item = &[Alphabet]> {
        self.columns.iter().map(|c| &c.alphabets[..])
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Bytes that describe it, about.
    pub fn described(&self) -> usize {
        self.columns().flatten().map(|a| a.bytes.len() + 2).sum()
    }

    /// Appends the code of one column of a row. `None`: no such row was ever packed.
    pub fn unpack(&self, row: &[u8], column: usize, out: &mut Vec<u8>) -> Option<()> {
        let c = &self.columns[column];
        let mut rest = row.get(c.from / 8..)?.iter();
        let skip = (c.from % 8) as u32;
        let (mut acc, mut have) = (0u64, 0u32);
        if skip > 0 {
            (acc, have) = (u64::from(*rest.next()?) >> skip, 8 - skip);
        }
        let mut ended = false;
        for alphabet in &c.alphabets {
            let n = alphabet.bits();
            while have < n {
                acc |= u64::from(*rest.next()?) << have;
                have += 8;
            }
            let index = (acc & ((1 << n) - 1)) as usize;
            acc >>= n;
            have -= n;
            match alphabet.bytes.get(index) {
                Some(_) if ended => return None,
                Some(b) => out.push(*b),
                None if alphabet.end && index == alphabet.bytes.len() => ended = true,
                None => return None,
            }
        }
        Some(())
    }
}

/// Packs rows.
pub struct Packer {
    columns: Vec<Places>,
    /// Alphabets that differ; most positions of a code share one.
    tables: Vec<Table>,
    row_bytes: usize,
}

/// The index of each symbol.
type Table = [u16; SYMBOLS];

/// The positions of a column.
struct Places {
    /// Bits and table of every position.
    all: Vec<(u32, usize)>,
    /// Where a position has one symbol only, and that is a byte: its byte; and 0xff there, else 0.
    template: Vec<u8>,
    mask: Vec<u8>,
    /// There is such a position.
    fixed: bool,
    /// The positions that take bits, those that follow each other with one alphabet together.
    varying: Vec<Varying>,
}

struct Varying {
    at: usize,
    len: usize,
    bits: u32,
    table: usize,
}

impl Varying {
    /// The indexes of its symbols, the first one lowest, and all bits of any of them.
    #[inline]
    fn gather(&self, table: &Table, code: &[u8]) -> (u64, u16) {
        // The widths of digits, hex, letters and digits, base 64, and the GS1 character set: known when this is compiled, so
        // that the symbols do not wait for each other.
        match self.bits {
            4 => gather::<4>(table, code),
            5 => gather::<5>(table, code),
            6 => gather::<6>(table, code),
            7 => gather::<7>(table, code),
            bits => code.iter().zip((0..).step_by(bits as usize)).fold((0, 0), |(acc, any), (b, at)| {
                let index = table[usize::from(*b)];
                (acc | u64::from(index) << (at & 63), any | index)
            }),
        }
    }
}

#[inline]
fn gather<const BITS: u32>(table: &Table, code: &[u8]) -> (u64, u16) {
    let (fours, rest) = code.as_chunks::<4>();
    let (mut acc, mut any, mut at) = (0, 0, 0);
    for four in fours {
        let [a, b, c, d] = four.map(|b| table[usize::from(b)]);
        any |= a | b | c | d;
        let (low, high) = (u64::from(a) | u64::from(b) << BITS, u64::from(c) | u64::from(d) << BITS);
        acc |= (low | high << (2 * BITS)) << at;
        at += 4 * BITS;
    }
    for b in rest {
        let index = table[usize::from(*b)];
        any |= index;
        acc |= u64::from(index) << (at & 63);
        at += BITS;
    }
    (acc, any)
}

impl Packer {
    pub fn new(packing: &Packing) -> Self {
        let mut known: Vec<&Alphabet> = Vec::new();
        let mut columns = Vec::new();
        for c in &packing.columns {
            let mut all = Vec::new();
            for a in &c.alphabets {
                let table = known.iter().position(|k| *k == a).unwrap_or_else(|| {
                    known.push(a);
                    known.len() - 1
                });
                all.push((a.bits(), table));
            }
            let mut varying: Vec<Varying> = Vec::new();
            for (at, (bits, table)) in all.iter().copied().enumerate().filter(|(_, (bits, _))| *bits > 0) {
                match varying.last_mut() {
                    // As many as 64 bits hold.
                    Some(v) if v.at + v.len == at && v.table == table && (v.len as u32 + 1) * bits <= 64 => v.len += 1,
                    _ => varying.push(Varying { at, len: 1, bits, table }),
                }
            }
            let fixed = |a: &Alphabet| (a.len() == 1 && !a.end).then(|| a.bytes[0]);
            let template = c.alphabets.iter().map(|a| fixed(a).unwrap_or(0)).collect();
            let mask = c.alphabets.iter().map(|a| if fixed(a).is_some() { 0xff } else { 0 }).collect();
            let fixed = c.alphabets.iter().any(|a| fixed(a).is_some());
            columns.push(Places { all, template, mask, fixed, varying });
        }
        let table = |a: &&Alphabet| {
            let mut index = [UNKNOWN; SYMBOLS];
            a.bytes.iter().zip(0..).for_each(|(b, i)| index[usize::from(*b)] = i);
            if a.end {
                index[END] = a.bytes.len() as u16;
            }
            index
        };
        Self { columns, tables: known.iter().map(table).collect(), row_bytes: packing.row_bytes }
    }

    /// Appends rows until one does not fit; answers how many were appended.
    pub fn pack_all(&self, codes: Codes<'_>, out: &mut Vec<u8>) -> usize {
        let rows = codes.spans.chunks_exact(self.columns.len());
        rows.take_while(|row| self.pack(Codes { spans: row, ..codes }.iter(), out)).count()
    }

    /// Appends a row. `false`: it does not fit, and nothing was appended.
    pub fn pack<'c>(&self, codes: impl Iterator<Item = &'c [u8]>, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        let (mut bits, mut unknown) = (Bits { acc: 0, have: 0, out }, 0);
        for (places, code) in self.columns.iter().zip(codes) {
            if code.len() == places.all.len() {
                if places.fixed {
                    let template = places.template.iter().zip(&places.mask);
                    let strange = code.iter().zip(template).fold(0, |any, (b, (is, mask))| any | ((b ^ is) & mask));
                    unknown |= if strange == 0 { 0 } else { UNKNOWN };
                }
                for v in &places.varying {
                    let (acc, any) = v.gather(&self.tables[v.table], &code[v.at..v.at + v.len]);
                    unknown |= any;
                    bits.put(acc, v.len as u32 * v.bits);
                }
            } else if code.len() < places.all.len() {
                let symbols = code.iter().map(|b| usize::from(*b)).chain(std::iter::repeat(END));
                for ((n, table), symbol) in places.all.iter().zip(symbols) {
                    let index = self.tables[*table][symbol];
                    unknown |= index;
                    bits.put(u64::from(index), *n);
                }
            } else {
                unknown = UNKNOWN;
            }
        }
        let rest = bits.acc;
        if unknown >= UNKNOWN {
            out.truncate(before);
            return false;
        }
        // A whole word, and back again: quicker than asking how much of it counts.
        out.extend_from_slice(&rest.to_le_bytes());
        out.truncate(before + self.row_bytes);
        true
    }
}

struct Bits<'a> {
    acc: u64,
    /// Bits of it that count, less than 64.
    have: u32,
    out: &'a mut Vec<u8>,
}

impl Bits<'_> {
    /// Appends the lowest `n` of 64 bits, beyond which none is set.
    #[inline]
    fn put(&mut self, bits: u64, n: u32) {
        self.acc |= bits << self.have;
        if self.have + n < 64 {
            self.have += n;
            return;
        }
        self.out.extend_from_slice(&self.acc.to_le_bytes());
        // What did not fit, if any.
        self.acc = bits.checked_shr(64 - self.have).unwrap_or(0);
        self.have = self.have + n - 64;
    }
}

/// Which symbols were seen at which position.
#[derive(Clone, Default)]
pub struct Seen {
    rows: u32,
    columns: Vec<Vec<[bool; SYMBOLS]>>,
}

impl Seen {
    pub fn new(columns: usize) -> Self {
        Self { rows: 0, columns: vec![Vec::new(); columns] }
    }

    /// `wide`: where a new byte is one of the digits or of the letters of one case, expect all of these.
    pub fn see<'c>(&mut self, codes: impl Iterator<Item = &'c [u8]>, wide: bool) {
        for (positions, code) in self.columns.iter_mut().zip(codes) {
            if positions.len() < code.len() {
                let mut fresh = [false; SYMBOLS];
                // Every code before this one has ended there.
                fresh[END] = self.rows > 0;
                positions.resize(code.len(), fresh);
            }
            for (seen, b) in positions.iter_mut().zip(code) {
                if wide && !seen[usize::from(*b)] {
                    kin(*b).for_each(|k| seen[usize::from(k)] = true);
                }
                seen[usize::from(*b)] = true;
            }
            positions[code.len()..].iter_mut().for_each(|seen| seen[END] = true);
        }
        self.rows += 1;
    }

    /// Every byte may stand everywhere.
    pub fn allow_all(&mut self) {
        self.columns.iter_mut().flatten().for_each(|seen| seen[..END].fill(true));
    }

    pub fn packing(&self) -> Packing {
        let alphabet =
            |seen: &[bool; SYMBOLS]| Alphabet { bytes: (0..=u8::MAX).filter(|b| seen[usize::from(*b)]).collect(), end: seen[END] };
        Packing::new(self.columns.iter().map(|c| c.iter().map(alphabet).collect()).collect())
    }
}

fn kin(b: u8) -> std::ops::RangeInclusive<u8> {
    match b {
        b'0'..=b'9' => b'0'..=b'9',
        b'A'..=b'Z' => b'A'..=b'Z',
        b'a'..=b'z' => b'a'..=b'z',
        b => b..=b,
    }
}

/// A packing as a segment's description has it: per column its positions (u16), per position the number of bytes (u16, and
/// 0x8000 if *end* may stand there) and the bytes.
pub fn describe(packing: &Packing, out: &mut Vec<u8>) {
    for alphabets in packing.columns() {
        out.extend((alphabets.len() as u16).to_le_bytes());
        for a in alphabets {
            out.extend((a.bytes.len() as u16 | if a.end { 0x8000 } else { 0 }).to_le_bytes());
            out.extend(&a.bytes);
        }
    }
}

/// `None`: what stands there makes no sense. `take` gives the next so many bytes.
pub fn understand<'a>(columns: usize, mut take: impl FnMut(usize) -> Option<&'a [u8]>) -> Option<Packing> {
    let mut all = Vec::new();
    for _ in 0..columns {
        let mut n16 = || take(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
        let positions = usize::from(n16()?);
        if positions > MAX_CODE_LEN {
            return None;
        }
        let mut alphabets = Vec::new();
        for _ in 0..positions {
            let n = take(2).map(|b| u16::from_le_bytes([b[0], b[1]]))?;
            let (bytes, end) = (usize::from(n & 0x7fff), n & 0x8000 != 0);
            if bytes > 256 || bytes == 0 && !end {
                return None;
            }
            alphabets.push(Alphabet { bytes: take(bytes)?.to_vec(), end });
        }
        all.push(alphabets);
    }
    Some(Packing::new(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(rows: &[Vec<&[u8]>]) -> Packing {
        let mut seen = Seen::new(rows[0].len());
        rows.iter().for_each(|r| seen.see(r.iter().copied(), false));
        let packing = seen.packing();
        let packer = Packer::new(&packing);
        for r in rows {
            let mut row = vec![7];
            assert!(packer.pack(r.iter().copied(), &mut row));
            assert_eq!(row.len(), 1 + packing.row_bytes());
            for (c, code) in r.iter().enumerate() {
                let mut back = Vec::new();
                packing.unpack(&row[1..], c, &mut back).unwrap();
                assert_eq!(&back, code);
            }
        }
        packing
    }

    #[test]
    fn bits_of_alphabets() {
        let want = [(1, 0), (2, 1), (3, 2), (4, 2), (10, 4), (64, 6), (65, 7), (82, 7), (256, 8), (257, 9)];
        want.iter().for_each(|(n, b)| assert_eq!(bits(*n), *b, "{n}"));
    }

    #[test]
    fn a_common_template_takes_nothing() {
        let codes: Vec<Vec<u8>> = (0..1000u32).map(|n| format!("https://q.example/{n:04}?x").into_bytes()).collect();
        let rows: Vec<Vec<&[u8]>> = codes.iter().map(|c| vec![&c[..]]).collect();
        assert_eq!(packed(&rows).row_bytes(), 2, "three digits of ten that vary");
    }

    #[test]
    fn codes_of_several_lengths_and_columns_come_back() {
        let codes: Vec<[Vec<u8>; 3]> = (0..3000u32)
            .map(|n| [format!("{n}").into_bytes(), vec![0xff - (n % 256) as u8; 3], format!("x{}", n % 2).into_bytes()])
            .collect();
        let rows: Vec<Vec<&[u8]>> = codes.iter().map(|c| c.iter().map(|c| &c[..]).collect()).collect();
        // Four digits or their end, three bytes of 256, one of two.
        assert_eq!(packed(&rows).row_bytes(), 16usize.div_ceil(8) + 3 + 1);
    }

    #[test]
    fn what_does_not_fit_leaves_no_trace() {
        let rows: Vec<Vec<&[u8]>> = vec![vec![b"A1"], vec![b"A2"]];
        let packer = Packer::new(&packed(&rows));
        let mut out = vec![9];
        for strange in [&b"B1"[..], b"A3", b"A", b"A11", b""] {
            assert!(!packer.pack([strange].into_iter(), &mut out), "{strange:?}");
            assert_eq!(out, [9]);
        }
    }

    #[test]
    fn descriptions_come_back() {
        let rows: Vec<Vec<&[u8]>> = vec![vec![b"A1", b"xyz"], vec![b"A2", b"x"]];
        let p = packed(&rows);
        let mut bytes = Vec::new();
        describe(&p, &mut bytes);
        let parse = |bytes: &[u8]| {
            let mut rest = bytes;
            understand(2, |n| {
                let (head, tail) = rest.split_at_checked(n)?;
                rest = tail;
                Some(head)
            })
        };
        assert_eq!(parse(&bytes), Some(p));
        (0..bytes.len()).for_each(|n| assert_eq!(parse(&bytes[..n]), None, "{n}"));
    }
}
