//! What an import holds aside on disk: where the rows came from, and the index entries by the first byte of their hash. Memory stays the same for a pack of any size.

use super::super::segment::{MAX_ROWS, Run};
use crate::ledger::pace::{Pace, Stream};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is gone when the import is over, whatever its end.
pub struct Aside {
    pub file: Arc<File>,
    path: PathBuf,
}

impl Aside {
    pub fn create(dir: &Path, name: &str) -> std::io::Result<Self> {
        let path = dir.join("packs").join(format!("{name}.spool"));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        Ok(Self { file: Arc::new(file), path })
    }

    /// Removes it in steps; dropping it removes it at once.
    pub fn remove(&self, pace: &mut Pace) -> std::io::Result<()> {
        pace.remove(&self.file, &self.path)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // What cannot be removed is swept at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Runs that stay in memory.
const RUNS_KEPT: usize = 1 << 16;

/// Where every row came from. A delivery of single lines is one run; one with gaps everywhere goes to disk.
pub struct Origins {
    dir: PathBuf,
    id: String,
    kept: Vec<Run>,
    spilled: Option<(Aside, Stream)>,
    spilled_runs: u64,
    last: Option<Run>,
}

impl Origins {
    pub fn new(dir: &Path, id: &str) -> Self {
        Self { dir: dir.into(), id: id.into(), kept: Vec::new(), spilled: None, spilled_runs: 0, last: None }
    }

    /// Rows come in order, from 0.
    pub fn put(&mut self, row: u32, file: u32, line: u64, pace: &mut Pace) -> std::io::Result<()> {
        if self.last.is_some_and(|r| r.goes_on(row, file, line)) {
            return Ok(());
        }
        let run = Run { first: row, file, line };
        self.last = Some(run);
        if self.kept.len() < RUNS_KEPT {
            self.kept.push(run);
            return Ok(());
        }
        if self.spilled.is_none() {
            let aside = Aside::create(&self.dir, &format!("{}.places", self.id))?;
            let out = Stream::new(aside.file.clone(), 0);
            self.spilled = Some((aside, out));
        }
        let (_, out) = self.spilled.as_mut().expect("just made");
        self.spilled_runs += 1;
        out.put(&run.encode(), pace)
    }

    pub fn flush(&mut self, pace: &mut Pace) -> std::io::Result<()> {
        self.spilled.as_mut().map_or(Ok(()), |(_, out)| out.flush(pace))
    }

    /// The file and line of a row. What was spilled must have been flushed.
    pub fn of(&self, row: u32) -> std::io::Result<(u32, u64)> {
        let run = match &self.spilled {
            Some((aside, _)) if self.spilled_run(aside, 0)?.first <= row => {
                let (mut low, mut high) = (0, self.spilled_runs);
                while high - low > 1 {
                    let middle = low + (high - low) / 2;
                    if self.spilled_run(aside, middle)?.first <= row { low = middle } else { high = middle }
                }
                self.spilled_run(aside, low)?
            }
            _ => self.kept[self.kept.partition_point(|r| r.first <= row) - 1],
        };
        Ok((run.file, run.line_of(row)))
    }

    /// The runs of rows `from..to`, at most `most` of them.
    pub fn runs(&self, from: u32, to: u32, most: usize) -> std::io::Result<Vec<Run>> {
        let mut runs: Vec<Run> = Vec::new();
        let mut row = from;
        let mut n = self.kept.partition_point(|r| r.first <= from).saturating_sub(1) as u64;
        while row < to && runs.len() < most {
            let (file, line) = self.of(row)?;
            runs.push(Run { first: row, file, line });
            // The next run begins where the one after this row's does.
            row = loop {
                n += 1;
                let next = match (self.kept.get(n as usize), &self.spilled) {
                    (Some(run), _) => run.first,
                    (None, Some((aside, _))) if n - (self.kept.len() as u64) < self.spilled_runs => {
                        self.spilled_run(aside, n - self.kept.len() as u64)?.first
                    }
                    _ => to,
                };
                if next > row {
                    break next;
                }
            };
        }
        Ok(runs)
    }

    fn spilled_run(&self, aside: &Aside, n: u64) -> std::io::Result<Run> {
        let mut b = [0; Run::BYTES];
        aside.file.read_exact_at(&mut b, n * Run::BYTES as u64)?;
        Ok(Run::decode(&b))
    }
}

/// Entries of a chunk. All chunks being filled stay in a processor's cache: together they are small enough, and as no power of
/// two lies between them, their ends do not crowd one place of it.
const CHUNK: usize = 504;
/// Fewer entries are sorted sooner without counting them first.
const FEW: usize = 512;
/// Buckets: one for each first byte of an entry.
pub const BUCKETS: usize = 256;

/// Full chunks of all packs of an import that stay in memory (64 MiB); a larger pack's go to disk.
pub const CHUNKS_KEPT: usize = (64 << 20) / (CHUNK * 8);

/// Index entries of one segment, by their first byte: each bucket is sorted by itself, so no merge is needed.
#[derive(Default)]
pub struct Buckets {
    dir: PathBuf,
    id: String,
    /// The chunk of each bucket that is being filled, and how much of it is used.
    held: Vec<[u64; CHUNK]>,
    used: Vec<u16>,
    /// Where the full chunks of each bucket are.
    full: Vec<Vec<Place>>,
    kept: Vec<Box<[u64]>>,
    spilled: Option<(Aside, Stream)>,
}

#[derive(Clone, Copy)]
enum Place {
    Memory(usize),
    File(u64),
}

impl Buckets {
    pub fn new(dir: &Path, id: &str) -> Self {
        let (held, used, full) = (vec![[0; CHUNK]; BUCKETS], vec![0; BUCKETS], vec![Vec::new(); BUCKETS]);
        Self { dir: dir.into(), id: id.into(), held, used, full, kept: Vec::new(), spilled: None }
    }

    /// `room`: chunks that may still be held in memory.
    #[inline]
    pub fn put(&mut self, hash: u64, ordinal: u32, pace: &mut Pace, room: &mut usize) -> std::io::Result<()> {
        debug_assert!(ordinal < MAX_ROWS);
        let entry = hash << 24 | u64::from(ordinal);
        let b = (entry >> 56) as usize;
        let at = usize::from(self.used[b]);
        self.held[b][at] = entry;
        self.used[b] = at as u16 + 1;
        if at + 1 < CHUNK { Ok(()) } else { self.put_away(b, pace, room) }
    }

    fn put_away(&mut self, b: usize, pace: &mut Pace, room: &mut usize) -> std::io::Result<()> {
        self.used[b] = 0;
        if *room > 0 {
            *room -= 1;
            self.full[b].push(Place::Memory(self.kept.len()));
            self.kept.push(self.held[b].as_slice().into());
            return Ok(());
        }
        if self.spilled.is_none() {
            let aside = Aside::create(&self.dir, &format!("{}.index", self.id))?;
            let out = Stream::new(aside.file.clone(), 0);
            self.spilled = Some((aside, out));
        }
        let (_, out) = self.spilled.as_mut().expect("just made");
        self.full[b].push(Place::File(out.position()));
        let entries = &self.held[b];
        out.with(pace, |bytes| entries.iter().for_each(|e| bytes.extend_from_slice(&e.to_le_bytes())))
    }

    pub fn flush(&mut self, pace: &mut Pace) -> std::io::Result<()> {
        self.spilled.as_mut().map_or(Ok(()), |(_, out)| out.flush(pace))
    }

    /// A bucket's entries, ascending, into `out`; what was spilled must have been flushed.
    pub fn take(&mut self, b: usize, out: &mut Vec<u64>) -> std::io::Result<()> {
        out.clear();
        let mut bytes = [0; CHUNK * 8];
        for place in self.full[b].drain(..) {
            match place {
                Place::Memory(n) => out.extend_from_slice(&self.kept[n][..]),
                Place::File(at) => {
                    let (aside, _) = self.spilled.as_ref().expect("chunks stand in the file");
                    aside.file.read_exact_at(&mut bytes, at)?;
                    out.extend(bytes.chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().expect("eight bytes"))));
                }
            }
        }
        out.extend_from_slice(&self.held[b][..usize::from(self.used[b])]);
        self.used[b] = 0;
        if out.len() < FEW {
            out.sort_unstable();
        } else {
            // They came in the order of their ordinals and share their first byte: sorted by the rest of the hash, and those of
            // one hash left as they stand, they ascend.
            radsort::sort_by_key(out, |e| (*e >> 24) as u32);
        }
        Ok(())
    }

    /// For the next segment: memory is given back, and the file's blocks are used again.
    pub fn rewind(&mut self, room: &mut usize) {
        *room += self.kept.len();
        self.kept.clear();
        if let Some((_, out)) = &mut self.spilled {
            out.seek(0);
        }
    }

    pub fn remove(&self, pace: &mut Pace) -> std::io::Result<()> {
        self.spilled.as_ref().map_or(Ok(()), |(aside, _)| aside.remove(pace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_go_to_disk_are_found() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("packs")).unwrap();
        let mut pace = Pace::new(None);
        let mut o = Origins::new(dir.path(), "x");
        // Every second line is empty, so that every row is a run of its own.
        let rows = RUNS_KEPT as u32 + 5_000;
        (0..rows).for_each(|r| o.put(r, 0, u64::from(r) * 2 + 1, &mut pace).unwrap());
        o.flush(&mut pace).unwrap();
        for r in [0, 1, 65_535, 65_536, 65_537, 70_000, rows - 1] {
            assert_eq!(o.of(r).unwrap(), (0, u64::from(r) * 2 + 1), "{r}");
        }
        drop(o);
        assert_eq!(std::fs::read_dir(dir.path().join("packs")).unwrap().count(), 0);
    }

    #[test]
    fn buckets_come_back() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("packs")).unwrap();
        let mut pace = Pace::new(None);
        let mut b = Buckets::new(dir.path(), "x");
        // Some of it stays in memory; the second time with no room at all, then with room for everything.
        for mut room in [10, 0, 1_000] {
            let had = room;
            for r in 0..20_000 {
                b.put(u64::from(r % 3) << 32, r, &mut pace, &mut room).unwrap();
            }
            b.flush(&mut pace).unwrap();
            let mut out = Vec::new();
            for (n, want) in [(0, 6_667), (1, 6_667), (2, 6_666), (3, 0)] {
                b.take(n, &mut out).unwrap();
                assert!(out.len() == want && out.is_sorted() && out.iter().all(|e| e >> 56 == n as u64), "{n}");
            }
            b.rewind(&mut room);
            assert_eq!(room, had);
        }
    }
}
