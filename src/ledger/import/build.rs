//! One pack in the making: rows in, segments aside out, every duplicate on the way found.

use super::super::codebook::{Codebook, Placed};
use super::super::pace::Pace;
use super::super::segment::{Hasher, IndexWriter, MAX_RUNS, Places, Plan, Run, SegmentError, SegmentWriter, key};
use super::batch::{Batch, Hashing, Taken};
use super::compare::{Cursor, Filter, Own, against, pairs, within};
use super::spool::{BUCKETS, Buckets, Origins};
use super::{ImportError, NAMED};
use crate::vocab::sscc::RangeRule;
use crate::vocab::{KeyRule, PackNo};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{channel, sync_channel};

/// Rows that are looked up as soon as they came: a pack that was imported before is refused after these.
const SAMPLE: u32 = 4_096;
/// Looking an entry up costs as much as merging about so many earlier ones.
const LOOKUP_WORTH: u64 = 200;
/// Fewer entries are sorted sooner than a thread is begun.
const ALONE: u64 = 50_000;

/// What all packs of one import share.
pub struct Shop<'a> {
    pub book: &'a Codebook,
    pub hasher: Hasher,
    pub rule: KeyRule,
    pub pace: Pace,
    /// Chunks of index entries that may still be held in memory.
    pub room: usize,
    /// Most rows of a segment.
    pub capacity: u32,
    pub files: Vec<PathBuf>,
    pub ranges: Vec<(String, RangeRule, KeyRule, u32)>,
    /// Segments written by this import, not yet published.
    pub done: Vec<Placed>,
    /// Duplicates are left out instead of refused.
    pub skip: bool,
}

/// Rows that are left out, and why.
#[derive(Default)]
pub struct Dropped {
    bits: Vec<u64>,
    pub within: u32,
    pub earlier: u32,
    named: Vec<(u32, String)>,
}

impl Dropped {
    pub fn has(&self, row: u32) -> bool {
        self.bits.get(row as usize / 64).is_some_and(|w| w >> (row % 64) & 1 == 1)
    }

    /// `what`: the sentence of it, asked for only while few are named.
    fn put(&mut self, row: u32, within: bool, what: impl FnOnce() -> Result<String, ImportError>) -> Result<(), ImportError> {
        if self.has(row) {
            return Ok(());
        }
        if self.named.len() < NAMED {
            self.named.push((row, what()?));
        }
        let at = row as usize / 64;
        if self.bits.len() <= at {
            self.bits.resize(at + 1, 0);
        }
        self.bits[at] |= 1 << (row % 64);
        *if within { &mut self.within } else { &mut self.earlier } += 1;
        Ok(())
    }

    pub fn count(&self) -> u32 {
        self.within + self.earlier
    }

    /// Sentences of those that are named, in the order of the delivery.
    pub fn named(&self) -> Vec<String> {
        let mut named = self.named.clone();
        named.sort();
        named.into_iter().map(|n| n.1).collect()
    }
}

pub struct Build {
    pub no: PackNo,
    pub id: Arc<str>,
    /// Purposes, one a column.
    columns: Vec<String>,
    /// The segment in the making.
    writer: Option<SegmentWriter>,
    origins: Origins,
    buckets: Buckets,
    pub rows: u32,
    /// First row of the segment in the making.
    first: u32,
    segments: u32,
    verdict: Verdict,
    sample: Vec<Vec<u8>>,
}

/// What was found.
#[derive(Default)]
struct Verdict {
    named: Vec<(u32, String)>,
    dropped: Dropped,
}

impl Build {
    /// `aside`: what its files on the way are called.
    pub fn new(shop: &Shop<'_>, no: PackNo, id: &str, aside: &str, columns: Vec<String>) -> Self {
        let dir = shop.book.dir();
        Self {
            no,
            id: id.into(),
            writer: None,
            origins: Origins::new(dir, aside),
            buckets: Buckets::new(dir, aside),
            columns,
            rows: 0,
            first: 0,
            segments: 0,
            verdict: Verdict::default(),
            sample: Vec::new(),
        }
    }

    pub fn push(&mut self, shop: &mut Shop<'_>, taken: &Taken<'_>) -> Result<(), ImportError> {
        let mut rest = *taken;
        while rest.rows() > 0 {
            // As many as the segment in the making holds; the sample ends where it ends.
            let room = shop.capacity - (self.rows - self.first);
            let room = if self.rows < SAMPLE { room.min(SAMPLE - self.rows) } else { room };
            let (now, later) = rest.split(room);
            self.push_some(shop, &now)?;
            rest = later;
        }
        Ok(())
    }

    /// Rows for which there is room.
    fn push_some(&mut self, shop: &mut Shop<'_>, taken: &Taken<'_>) -> Result<(), ImportError> {
        let row = self.rows;
        let rows = row.checked_add(taken.rows()).ok_or_else(|| ImportError::Shape("a pack holds at most 2^32 - 1 codes".into()))?;
        self.origins.put(row, taken.file, taken.line, &mut shop.pace).map_err(ImportError::Write)?;
        if self.writer.is_none() {
            self.writer = Some(self.begin_segment(shop).map_err(ImportError::Write)?);
        }
        let writer = self.writer.as_mut().expect("just begun");
        writer.rows(taken.codes, &mut shop.pace).map_err(ImportError::Write)?;
        for (hashes, ordinal) in taken.hashes.chunks_exact(self.columns.len()).zip(row - self.first..) {
            for hash in hashes {
                self.buckets.put(*hash, ordinal, &mut shop.pace, &mut shop.room).map_err(ImportError::Write)?;
            }
        }
        if !shop.ranges.is_empty() {
            for (taken, row) in taken.singly().zip(row..) {
                self.against_ranges(shop, row, &taken)?;
                if self.verdict.named.len() >= NAMED {
                    return self.refuse();
                }
            }
        }
        self.rows = rows;
        if row < SAMPLE && !shop.skip {
            self.sample.extend(taken.codes.iter().map(<[u8]>::to_vec));
            if rows == SAMPLE {
                self.look_at_sample(shop)?;
            }
        }
        if self.verdict.named.len() >= NAMED {
            return self.refuse();
        }
        if rows - self.first == shop.capacity { self.end_segment(shop) } else { Ok(()) }
    }

    /// A row that holds a number which the line makes itself.
    fn against_ranges(&mut self, shop: &Shop<'_>, row: u32, taken: &Taken<'_>) -> Result<(), ImportError> {
        for (id, rule, key_rule, count) in &shop.ranges {
            if taken.codes.iter().any(|c| rule.ordinal(&key(*key_rule, c)).is_some_and(|o| o < *count)) {
                let what = format!("{} is a number of {id}", self.place(shop, row)?);
                match shop.skip {
                    true => self.verdict.dropped.put(row, false, || Ok(what))?,
                    false => self.verdict.named.push((row, what)),
                }
            }
        }
        Ok(())
    }

    fn begin_segment(&self, shop: &Shop<'_>) -> std::io::Result<SegmentWriter> {
        SegmentWriter::create(Plan {
            dir: shop.book.dir(),
            pack_id: &self.id,
            n: self.segments,
            store: shop.book.store,
            rule: shop.rule,
            purposes: self.columns.clone(),
        })
    }

    /// `file line n` of a row.
    fn place(&self, shop: &Shop<'_>, row: u32) -> Result<String, ImportError> {
        let (file, line) = self.origins.of(row).map_err(ImportError::Write)?;
        Ok(format!("{} line {line}", shop.files[file as usize].display()))
    }

    fn refuse(&mut self) -> Result<(), ImportError> {
        let mut named = std::mem::take(&mut self.verdict.named);
        named.sort();
        named.dedup();
        let mut text: Vec<String> = named.into_iter().map(|n| n.1).collect();
        if text.len() >= NAMED {
            text.push("and perhaps more".into());
        }
        Err(ImportError::Duplicates(text))
    }

    /// The first rows against everything that is stored: the rest need not be read if they were here before.
    fn look_at_sample(&mut self, shop: &Shop<'_>) -> Result<(), ImportError> {
        for (i, code) in std::mem::take(&mut self.sample).iter().enumerate() {
            let row = (i / self.columns.len()) as u32;
            let k = key(shop.rule, code);
            for (placed, ordinal) in shop.book.candidates(shop.hasher.hash(&k)).map_err(ImportError::Damaged)? {
                for column in 0..placed.segment.columns() {
                    let theirs = placed.segment.code(ordinal, column).map_err(ImportError::Damaged)?;
                    if key(placed.segment.rule, &theirs) == k {
                        self.verdict.named.push((row, earlier(&self.place(shop, row)?, &placed, ordinal)));
                    }
                }
            }
            if self.verdict.named.len() >= NAMED {
                return self.refuse();
            }
        }
        // They are met again, with all the others, when the segment ends.
        self.verdict.named.retain(|n| n.1.contains(" is a number of "));
        Ok(())
    }

    /// Ends the last segment; `Err` if there were duplicates.
    pub fn finish(&mut self, shop: &mut Shop<'_>) -> Result<(), ImportError> {
        if self.rows > self.first {
            self.end_segment(shop)?;
        }
        self.buckets.rewind(&mut shop.room);
        self.buckets.remove(&mut shop.pace).map_err(ImportError::Write)?;
        if self.verdict.named.is_empty() { Ok(()) } else { self.refuse() }
    }

    fn end_segment(&mut self, shop: &mut Shop<'_>) -> Result<(), ImportError> {
        let pace = &mut shop.pace;
        let io = ImportError::Write;
        self.buckets.flush(pace).map_err(io)?;
        self.origins.flush(pace).map_err(io)?;
        let places = self.places(shop)?;
        let writer = self.writer.take().expect("a segment with rows was begun");
        let mut index = writer.codes_done(&places, &mut shop.pace).map_err(io)?;
        if !self.index(shop, &mut index)? {
            return self.refuse();
        }
        let segment = index.finish(&mut shop.pace).map_err(|e| match e {
            SegmentError::Io { source, .. } => ImportError::Write(source),
            e => ImportError::Damaged(e),
        })?;
        shop.done.push(Placed { no: self.no, id: self.id.clone(), first: self.first, segment: Arc::new(segment) });
        self.first = self.rows;
        self.segments += 1;
        self.buckets.rewind(&mut shop.room);
        Ok(())
    }

    /// Sorts bucket after bucket, holds each against itself and everything earlier, and writes it; beside no line the next
    /// one is sorted meanwhile. `false`: enough duplicates are named.
    fn index(&mut self, shop: &mut Shop<'_>, w: &mut IndexWriter) -> Result<bool, ImportError> {
        let mine = u64::from(self.rows - self.first) * self.columns.len() as u64;
        let singly = mine * LOOKUP_WORTH < shop.book.entries();
        let mut others = if singly { Vec::new() } else { shop.book.segments() };
        others.extend(shop.done.iter().cloned());
        let n = others.len();
        let mut cursors: Vec<Cursor> = others.into_iter().map(|p| Cursor::new(p, mine, n)).collect();
        let mut filter = Filter::default();
        let mut buckets = std::mem::take(&mut self.buckets);
        let one_thread = shop.pace.limited();
        let mut one = |me: &mut Self, entries: &[u64]| {
            filter.set(entries, cursors.iter().any(Cursor::reads_all));
            Ok(me.judge(shop, w, entries, &mut cursors, &filter, singly)? && {
                w.entries(entries, &mut shop.pace).map_err(ImportError::Write)?;
                true
            })
        };
        let done = if mine < ALONE || one_thread {
            let mut entries = Vec::new();
            (0..BUCKETS).try_fold(true, |go_on, b| {
                if !go_on {
                    return Ok(false);
                }
                buckets.take(b, &mut entries).map_err(ImportError::Write)?;
                one(self, &entries)
            })
        } else {
            std::thread::scope(|s| {
                let (sorted, arriving) = sync_channel::<std::io::Result<Vec<u64>>>(2);
                let (used, again) = channel::<Vec<u64>>();
                let buckets = &mut buckets;
                s.spawn(move || {
                    for b in 0..BUCKETS {
                        let mut entries = again.try_recv().unwrap_or_default();
                        let taken = buckets.take(b, &mut entries).map(|()| entries);
                        // Nobody asks for more once enough is known.
                        if sorted.send(taken).is_err() {
                            return;
                        }
                    }
                });
                for entries in arriving {
                    let entries = entries.map_err(ImportError::Write)?;
                    if !one(self, &entries)? {
                        return Ok(false);
                    }
                    let _ = used.send(entries);
                }
                Ok(true)
            })
        };
        self.buckets = buckets;
        done
    }

    fn judge(
        &mut self,
        shop: &Shop<'_>,
        w: &IndexWriter,
        entries: &[u64],
        cursors: &mut [Cursor],
        filter: &Filter,
        singly: bool,
    ) -> Result<bool, ImportError> {
        let mut verdict = std::mem::take(&mut self.verdict);
        let read = |o, c| w.code(o, c).map_err(ImportError::Write);
        let own = Own { columns: w.columns(), rule: shop.rule, hasher: &shop.hasher, read: &read };
        let first = self.first;
        let mut twice = |a: u32, b: u32| {
            let (a, b) = (first + a, first + b);
            let text = || match a == b {
                true => Ok(format!("{} holds the same code twice", self.place(shop, b)?)),
                false => Ok(format!("{} stands at {} too", self.place(shop, b)?, self.place(shop, a)?)),
            };
            if shop.skip {
                return verdict.dropped.put(b, true, text).map(|()| true);
            }
            verdict.named.push((b, text()?));
            Ok(verdict.named.len() < NAMED)
        };
        let mut go_on = within(entries, &own, &mut twice)?;
        let mut before = |mine: u32, placed: &Placed, ordinal: u32| {
            let row = first + mine;
            let text = || {
                let place = self.place(shop, row)?;
                match placed.no == self.no {
                    true => Ok(format!("{place} stands at {} too", self.place(shop, placed.first + ordinal)?)),
                    false => Ok(earlier(&place, placed, ordinal)),
                }
            };
            if shop.skip {
                return verdict.dropped.put(row, placed.no == self.no, text).map(|()| true);
            }
            verdict.named.push((row, text()?));
            Ok(verdict.named.len() < NAMED)
        };
        for c in cursors {
            go_on = go_on && against(entries, filter, &own, c, &mut before)?;
        }
        if singly && go_on {
            for run in entries.chunk_by(|a, b| a >> 24 == b >> 24) {
                for (placed, ordinal) in shop.book.candidates(run[0] >> 24).map_err(ImportError::Damaged)? {
                    go_on = go_on && pairs(run, &own, &placed, &[ordinal], &mut before)?;
                }
            }
        }
        self.verdict = verdict;
        Ok(go_on)
    }

    /// The places of the segment in the making, by its own ordinals.
    fn places(&self, shop: &Shop<'_>) -> Result<Places, ImportError> {
        let name = |p: &PathBuf| p.file_name().unwrap_or(p.as_os_str()).to_string_lossy().chars().take(200).collect();
        let runs = self.origins.runs(self.first, self.rows, MAX_RUNS).map_err(ImportError::Write)?;
        let shift = |r: Run| Run { first: r.first - self.first, ..r };
        Ok(Places { files: shop.files.iter().map(name).collect(), runs: runs.into_iter().map(shift).collect() })
    }

    /// Rows to be left out (only where they may be).
    pub fn dropped(&mut self) -> Dropped {
        std::mem::take(&mut self.verdict.dropped)
    }

    /// Gives the rows that are not left out of these segments to another build.
    pub fn pour(&self, shop: &mut Shop<'_>, segments: &[Placed], dropped: &Dropped, into: &mut Build) -> Result<(), ImportError> {
        let hashing = Hashing { hasher: shop.hasher, rule: shop.rule };
        let mut batch = Batch::of(self.columns.len());
        for placed in segments {
            let mut reading = placed.segment.reading();
            for row in placed.first..placed.first + placed.segment.rows {
                reading.step().map_err(ImportError::Write)?;
                if dropped.has(row) {
                    continue;
                }
                let (file, line) = self.origins.of(row).map_err(ImportError::Write)?;
                batch.empty();
                batch.push(reading.codes(), file, line);
                batch.hash(&hashing);
                batch.taken().try_for_each(|r| into.push(shop, &r))?;
            }
        }
        Ok(())
    }
}

/// Both places of a code that is stored already.
fn earlier(place: &str, placed: &Placed, ordinal: u32) -> String {
    let at = placed.segment.place(ordinal).map(|(file, line)| format!(", {file} line {line}")).unwrap_or_default();
    let number = u64::from(placed.first) + u64::from(ordinal) + 1;
    format!("{place} is in pack {} already (its code {number}{at})", placed.id)
}
