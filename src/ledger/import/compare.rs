//! Duplicates among sorted index entries: equal hashes are only a reason to look; the match keys decide. Every member of
//! a run of equal hashes is held against every other, for a run may hold several strangers.

use super::super::codebook::Placed;
use super::super::segment::{BLOCK, Hasher, ORDINAL, SegmentError, key};
use super::ImportError;
use crate::vocab::KeyRule;

/// Reads the pack's own codes by ordinal and column.
pub struct Own<'a> {
    pub columns: usize,
    pub rule: KeyRule,
    pub hasher: &'a Hasher,
    pub read: &'a dyn Fn(u32, usize) -> Result<Vec<u8>, ImportError>,
}

impl Own<'_> {
    /// Match keys with this hash of the ordinals in a run.
    fn keys(&self, run: &[u64]) -> Result<Vec<(Vec<u8>, u32)>, ImportError> {
        let hash = run[0] >> 24;
        let mut keys = Vec::with_capacity(run.len());
        let mut last = None;
        for ordinal in run.iter().map(|e| (e & ORDINAL) as u32) {
            // A row two of whose codes share a hash stands here twice.
            if last.replace(ordinal) == Some(ordinal) {
                continue;
            }
            for column in 0..self.columns {
                let code = (self.read)(ordinal, column)?;
                let k = key(self.rule, &code);
                if self.columns == 1 || self.hasher.hash(&k) == hash {
                    keys.push((k.into_owned(), ordinal));
                }
            }
        }
        Ok(keys)
    }
}

/// Duplicates inside: `hit(first, again)` for every ordinal whose key stands at an earlier one (or twice in its row).
/// Answers `false` when `hit` had enough.
pub fn within(mine: &[u64], own: &Own<'_>, hit: &mut dyn FnMut(u32, u32) -> Result<bool, ImportError>) -> Result<bool, ImportError> {
    let mut i = 0;
    while i + 1 < mine.len() {
        let hash = mine[i] >> 24;
        let mut end = i + 1;
        while end < mine.len() && mine[end] >> 24 == hash {
            end += 1;
        }
        if end - i > 1 {
            let mut keys = own.keys(&mine[i..end])?;
            keys.sort_unstable();
            for same in keys.chunk_by(|a, b| a.0 == b.0) {
                for (_, again) in &same[1..] {
                    if !hit(same[0].1, *again)? {
                        return Ok(false);
                    }
                }
            }
        }
        i = end;
    }
    Ok(true)
}

/// Reads an earlier segment's index from its beginning to its end, passing over what nobody asks for.
pub struct Cursor {
    pub placed: Placed,
    next: usize,
    ahead: usize,
    buffer: Vec<u64>,
    at: usize,
}

impl Cursor {
    /// `entries`: how many will be looked for in all; `cursors`: how many are open beside this one.
    pub fn new(placed: Placed, entries: u64, cursors: usize) -> Self {
        // Few entries: the blocks between them are not worth reading. Many cursors: their buffers share 4 MiB.
        let dense = entries >= placed.segment.blocks() as u64;
        let ahead = if dense { ((4 << 20) / (cursors.max(1) * BLOCK * 8)).clamp(1, 16) } else { 1 };
        Self { placed, next: 0, ahead, buffer: Vec::new(), at: 0 }
    }

    /// Steps to the first entry that is not below `low`; `false`: there is none.
    fn seek(&mut self, low: u64) -> Result<bool, SegmentError> {
        loop {
            self.at += advance(&self.buffer[self.at..], low);
            if self.at < self.buffer.len() {
                return Ok(true);
            }
            let s = &self.placed.segment;
            let block = s.block_before(low).max(self.next);
            if block >= s.blocks() {
                (self.next, self.at) = (block, 0);
                self.buffer.clear();
                return Ok(false);
            }
            self.next = (block + self.ahead).min(s.blocks());
            self.buffer.clear();
            self.at = 0;
            s.read_blocks(block, self.next, &mut self.buffer)?;
        }
    }

    /// Every entry's hash below `hash`, from where the cursor stands.
    pub fn below(&mut self, hash: u64, take: &mut impl FnMut(u64)) -> Result<(), SegmentError> {
        // The last hash of all has no entry above it.
        let low = if self.at < self.buffer.len() { self.buffer[self.at] } else { 0 };
        while self.seek(low)? && self.buffer[self.at] >> 24 < hash {
            take(self.buffer[self.at] >> 24);
            self.at += 1;
        }
        Ok(())
    }

    /// The ordinals of the run with this hash, at whose first entry the cursor stands.
    fn run(&mut self, hash: u64) -> Result<Vec<u32>, SegmentError> {
        let mut run = Vec::new();
        while self.seek(hash << 24)? && self.buffer[self.at] >> 24 == hash {
            run.push((self.buffer[self.at] & ORDINAL) as u32);
            self.at += 1;
        }
        run.dedup();
        Ok(run)
    }
}

/// How many entries of an ascending list are below `low`, found in steps that double: the next one is usually near.
fn advance(list: &[u64], low: u64) -> usize {
    let mut step = 1;
    let mut from = 0;
    while from + step <= list.len() && list[from + step - 1] < low {
        from += step;
        step *= 2;
    }
    let to = (from + step).min(list.len());
    from + list[from..to].partition_point(|e| *e < low)
}

/// Merges ascending entries with an earlier segment: `hit(mine, theirs)` for every pair of equal keys.
pub fn against(
    mine: &[u64],
    own: &Own<'_>,
    earlier: &mut Cursor,
    hit: &mut dyn FnMut(u32, &Placed, u32) -> Result<bool, ImportError>,
) -> Result<bool, ImportError> {
    let mut i = 0;
    while i < mine.len() && earlier.seek(mine[i] >> 24 << 24).map_err(ImportError::Damaged)? {
        let (a, b) = (mine[i] >> 24, earlier.buffer[earlier.at] >> 24);
        if a < b {
            i += advance(&mine[i..], b << 24);
            continue;
        }
        let end = i + advance(&mine[i..], (a + 1) << 24);
        let run = earlier.run(a).map_err(ImportError::Damaged)?;
        if !pairs(&mine[i..end], own, &earlier.placed, &run, hit)? {
            return Ok(false);
        }
        i = end;
    }
    Ok(true)
}

/// The cross product of two runs of one hash.
pub fn pairs(
    mine: &[u64],
    own: &Own<'_>,
    earlier: &Placed,
    theirs: &[u32],
    hit: &mut dyn FnMut(u32, &Placed, u32) -> Result<bool, ImportError>,
) -> Result<bool, ImportError> {
    let mut keys = own.keys(mine)?;
    keys.sort_unstable();
    for ordinal in theirs {
        for column in 0..earlier.segment.columns() {
            let code = earlier.segment.code(*ordinal, column).map_err(ImportError::Damaged)?;
            let k = key(earlier.segment.rule, &code);
            let first = keys.partition_point(|m| m.0[..] < k[..]);
            for (_, own) in keys[first..].iter().take_while(|m| m.0[..] == k[..]) {
                if !hit(*own, earlier, *ordinal)? {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_finds_the_same_as_a_search() {
        let list: Vec<u64> = (0..1000).map(|n| n * n / 7).collect();
        for from in [0, 1, 500, 999, 1000] {
            for low in [0, 1, 5, 1000, 20_000, 142_571, 142_572, u64::MAX] {
                let want = list[from..].partition_point(|e| *e < low);
                assert_eq!(advance(&list[from..], low), want, "{from} {low}");
            }
        }
    }
}
