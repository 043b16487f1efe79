//! Writes the rows of a segment as they come, in the smallest form that the first of them suggest; a row that does not fit
//! widens the form, and what was written is written anew.

use super::Codes;
use super::header::HEADER;
use super::packing::{Packer, Seen};
use super::rows::{BLOCK_ROWS, Form, Reading};
use crate::ledger::pace::{Pace, Stream};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows that are looked at before a form is chosen, and their bytes.
const SAMPLE_ROWS: u32 = 8_192;
const SAMPLE_BYTES: usize = 1 << 20;
/// Rows that are packed before what came of them is written.
const TOGETHER: usize = 512;
/// A form is widened so often; then every byte may stand everywhere.
const WIDENED: u32 = 12;

pub struct RowsOut {
    path: PathBuf,
    out: Stream,
    columns: usize,
    pub rows: u32,
    /// Bytes of all codes.
    bytes: u64,
    widened: u32,
    state: State,
}

enum State {
    /// Rows as lines, and what was seen in them.
    Sample(Vec<u8>, Seen),
    Packed(Form, Seen, Packer),
    /// Where every 64th row begins.
    Lines(Vec<u64>),
}

impl RowsOut {
    pub fn create(path: &Path, columns: usize) -> std::io::Result<Self> {
        let out = Stream::kept(create(path)?, HEADER as u64);
        let state = State::Sample(Vec::new(), Seen::new(columns));
        Ok(Self { path: path.into(), out, columns, rows: 0, bytes: 0, widened: 0, state })
    }

    /// The codes of the next rows.
    pub fn put_all(&mut self, mut codes: Codes<'_>, pace: &mut Pace) -> std::io::Result<()> {
        while !codes.spans.is_empty() {
            if let State::Packed(_, _, packer) = &self.state {
                let (now, later) = codes.spans.split_at(codes.spans.len().min(TOGETHER * self.columns));
                let now = Codes { spans: now, ..codes };
                let mut fit = 0;
                self.out.with(pace, |b| fit = packer.pack_all(now, b))?;
                self.rows += fit as u32;
                self.bytes += now.spans[..fit * self.columns].iter().map(|(from, to)| u64::from(to - from)).sum::<u64>();
                codes.spans = &codes.spans[fit * self.columns..];
                if codes.spans.len() == later.len() {
                    continue;
                }
            }
            let (row, later) = codes.spans.split_at(self.columns);
            self.put(Codes { spans: row, ..codes }.iter(), pace)?;
            codes.spans = later;
        }
        Ok(())
    }

    /// The codes of the next row, one a column.
    fn put<'c>(&mut self, codes: impl Iterator<Item = &'c [u8]> + Clone, pace: &mut Pace) -> std::io::Result<()> {
        self.bytes += codes.clone().map(|c| c.len() as u64).sum::<u64>();
        match &mut self.state {
            State::Sample(held, seen) => {
                seen.see(codes.clone(), false);
                line(codes, held);
                self.rows += 1;
                if self.rows == SAMPLE_ROWS || held.len() >= SAMPLE_BYTES { self.settle(pace) } else { Ok(()) }
            }
            State::Packed(_, _, packer) => {
                let mut fits = true;
                self.out.with(pace, |b| fits = packer.pack(codes.clone(), b))?;
                if fits {
                    self.rows += 1;
                    return Ok(());
                }
                self.widen(codes.clone(), pace)?;
                self.bytes -= codes.clone().map(|c| c.len() as u64).sum::<u64>();
                self.put(codes, pace)
            }
            State::Lines(blocks) => {
                if self.rows.is_multiple_of(BLOCK_ROWS) {
                    blocks.push(self.out.position());
                }
                self.rows += 1;
                self.out.with(pace, |b| line(codes, b))
            }
        }
    }

    /// What so many rows would take in the smaller form.
    fn choose(&self, seen: &Seen, rows: u32) -> State {
        let packing = seen.packing();
        let packed = packing.row_bytes() as u64 * u64::from(rows) + packing.described() as u64;
        let lines = self.bytes + u64::from(rows) * 2 * self.columns as u64;
        if packed > lines {
            return State::Lines(Vec::new());
        }
        let packer = Packer::new(&packing);
        State::Packed(Form::Packed(packing), seen.clone(), packer)
    }

    /// Chooses a form by what was seen and writes what is held.
    fn settle(&mut self, pace: &mut Pace) -> std::io::Result<()> {
        let State::Sample(held, seen) = &mut self.state else { return Ok(()) };
        let (held, seen) = (std::mem::take(held), std::mem::take(seen));
        self.state = self.choose(&seen, self.rows);
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let mut rest = &held[..];
        let mut codes: Vec<&[u8]> = Vec::with_capacity(self.columns);
        for _ in 0..rows {
            codes.clear();
            for _ in 0..self.columns {
                let (len, after) = rest.split_first_chunk::<2>().expect("as it was held");
                let (code, after) = after.split_at(usize::from(u16::from_le_bytes(*len)));
                codes.push(code);
                rest = after;
            }
            self.put(codes.iter().copied(), pace)?;
        }
        Ok(())
    }

    /// Makes room for a row that does not fit: everything so far is written anew.
    fn widen<'c>(&mut self, codes: impl Iterator<Item = &'c [u8]>, pace: &mut Pace) -> std::io::Result<()> {
        let State::Packed(form, seen, _) = &mut self.state else { return Ok(()) };
        let (form, mut seen) = (form.clone(), std::mem::take(seen));
        self.out.flush(pace)?;
        seen.see(codes, true);
        self.widened += 1;
        if self.widened > WIDENED {
            seen.allow_all();
        }
        self.state = self.choose(&seen, self.rows + 1);
        let mut reading = Reading::new(self.out.file().clone(), form, self.out.position());
        let aside = self.path.with_extension("spool");
        self.out = Stream::kept(create(&aside)?, HEADER as u64);
        let rows = std::mem::take(&mut self.rows);
        let bytes = std::mem::take(&mut self.bytes);
        for _ in 0..rows {
            reading.step()?;
            self.put(reading.codes(), pace)?;
        }
        self.bytes = bytes;
        std::fs::rename(aside, &self.path)
    }

    /// After the last row: the rows' form; the stream goes on behind what belongs to them, and all of it can be read.
    pub fn end(mut self, pace: &mut Pace) -> std::io::Result<(Form, Stream)> {
        self.settle(pace)?;
        let form = match self.state {
            State::Packed(form, ..) => form,
            State::Lines(blocks) => {
                for at in blocks {
                    self.out.put(&at.to_le_bytes(), pace)?;
                }
                Form::Lines { columns: self.columns }
            }
            State::Sample(..) => unreachable!("it was settled"),
        };
        self.out.flush(pace)?;
        Ok((form, self.out))
    }
}

fn create(path: &Path) -> std::io::Result<Arc<File>> {
    Ok(Arc::new(File::options().read(true).write(true).create(true).truncate(true).open(path)?))
}

/// Each code after its length.
fn line<'c>(codes: impl Iterator<Item = &'c [u8]>, out: &mut Vec<u8>) {
    for c in codes {
        out.extend_from_slice(&(c.len() as u16).to_le_bytes());
        out.extend_from_slice(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows come back whatever came first, and none is written that was not put.
    #[test]
    fn forms_widen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x-0.seg.tmp");
        let long = |n: u32| vec![b'a' + (n % 26) as u8; if n % 50_000 == 49_999 { 300 } else { 3 }];
        type Make<'a> = &'a dyn Fn(u32) -> Vec<Vec<u8>>;
        let cases: [(&str, Make<'_>, bool); 6] = [
            ("a counter without leading zeros", &|n| vec![format!("N{n}").into_bytes()], true),
            ("one strange letter late", &|n| vec![format!("{n:08}{}", if n == 90_000 { 'é' } else { 'e' }).into_bytes()], true),
            ("columns", &|n| vec![format!("{:06}", n * 7).into_bytes(), format!("{n:x}").into_bytes()], true),
            (
                "every position changes its mind",
                &|n| vec![(0..20).map(|p| if n / 9_000 == p { b'!' + (n % 90) as u8 } else { b'.' }).collect()],
                true,
            ),
            ("lengths of which one is great", &|n| vec![long(n)], false),
            ("few rows", &|n| vec![format!("{n}").into_bytes()], true),
        ];
        for (what, make, packed) in cases {
            let rows = if what == "few rows" { 9 } else { 100_000 };
            let mut pace = Pace::new(None);
            let mut out = RowsOut::create(&path, make(0).len()).unwrap();
            (0..rows).for_each(|n| out.put(make(n).iter().map(Vec::as_slice), &mut pace).unwrap());
            let (form, stream) = out.end(&mut pace).unwrap();
            assert_eq!(matches!(form, Form::Packed(_)), packed, "{what}");
            let end = stream.position();
            assert!(form.fits(rows, end - HEADER as u64), "{what}");
            let rows_end = if packed { end } else { end - Form::table_bytes(rows) };
            let mut reading = Reading::new(stream.file().clone(), form.clone(), rows_end);
            for n in 0..rows {
                reading.step().unwrap();
                let want = make(n);
                assert!(reading.codes().eq(want.iter().map(Vec::as_slice)), "{what} {n}");
                if n % 977 == 0 || n + 70 > rows {
                    for (c, code) in want.iter().enumerate() {
                        assert_eq!(&form.code(stream.file(), rows, end, n, c).unwrap(), code, "{what} {n}");
                    }
                }
            }
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{what}");
        }
    }
}
