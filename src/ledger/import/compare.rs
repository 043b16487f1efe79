//! Duplicates among sorted index entries: equal hashes are only a reason to look; the match keys decide. Every member of
//! a run of equal hashes is held against every other, for a run may hold several strangers.

use super::super::codebook::Placed;
use super::super::segment::{BLOCK, Hasher, ORDINAL, PAGE_BLOCKS, SegmentError, key};
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
    /// So many are looked for that no block can be passed over.
    dense: bool,
    buffer: Vec<u64>,
    at: usize,
}

impl Cursor {
    /// `entries`: how many will be looked for in all; `cursors`: how many are open beside this one.
    pub fn new(placed: Placed, entries: u64, cursors: usize) -> Self {
        // Few entries: the blocks between them are not worth reading. Many cursors: their buffers share 4 MiB.
        let dense = entries >= placed.segment.blocks() as u64;
        let ahead = if dense { ((4 << 20) / (cursors.max(1) * BLOCK * 8)).clamp(1, PAGE_BLOCKS) } else { 1 };
        Self { placed, next: 0, ahead, dense, buffer: Vec::new(), at: 0 }
    }

    pub fn reads_all(&self) -> bool {
        self.dense
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

    /// The entries from where the cursor stands that are not above `top`, at most those that are in memory; empty: there are
    /// none. What was given is passed.
    pub fn up_to(&mut self, top: u64) -> Result<&[u64], SegmentError> {
        if self.at == self.buffer.len() {
            let s = &self.placed.segment;
            let from = self.next;
            self.next = (from + self.ahead).min(s.blocks());
            self.buffer.clear();
            self.at = 0;
            s.read_blocks(from, self.next, &mut self.buffer)?;
        }
        let rest = &self.buffer[self.at..];
        // Blocks are short beside what is asked for: mostly all of them is.
        let n = if rest.last().is_none_or(|last| *last <= top) { rest.len() } else { rest.partition_point(|e| *e <= top) };
        self.at += n;
        Ok(&self.buffer[self.at - n..self.at])
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

/// Tells of most hashes that they are not among some entries, quicker than a search.
#[derive(Default)]
pub struct Filter {
    bits: Vec<u64>,
    mask: u64,
}

impl Filter {
    /// For these entries; unless it is `wanted` it is left empty, and nothing may be asked of it.
    pub fn set(&mut self, entries: &[u64], wanted: bool) {
        self.bits.clear();
        if !wanted {
            return;
        }
        // One bit of sixteen is set.
        let words = (entries.len() / 4).next_power_of_two().max(4);
        self.bits.resize(words, 0);
        self.mask = words as u64 * 64 - 1;
        for e in entries {
            let h = (e >> 24) & self.mask;
            self.bits[(h / 64) as usize] |= 1 << (h % 64);
        }
    }

    fn may_have(&self, entry: u64) -> bool {
        let h = (entry >> 24) & self.mask;
        self.bits[(h / 64) as usize] >> (h % 64) & 1 == 1
    }
}

/// How many entries at the beginning of a list have the first one's hash.
fn run_length(list: &[u64]) -> usize {
    list.iter().take_while(|e| *e >> 24 == list[0] >> 24).count()
}

/// Merges ascending entries with an earlier segment: `hit(mine, theirs)` for every pair of equal keys. All entries of one
/// hash come in one call.
pub fn against(
    mine: &[u64],
    filter: &Filter,
    own: &Own<'_>,
    earlier: &mut Cursor,
    hit: &mut dyn FnMut(u32, &Placed, u32) -> Result<bool, ImportError>,
) -> Result<bool, ImportError> {
    let (Some(first), Some(last)) = (mine.first(), mine.last()) else { return Ok(true) };
    if !earlier.dense {
        return among(mine, own, earlier, hit);
    }
    // Neighbouring buckets share no hash, so a run of theirs may be met entry by entry.
    if !earlier.seek(first >> 24 << 24).map_err(ImportError::Damaged)? {
        return Ok(true);
    }
    let top = last | ORDINAL;
    let placed = earlier.placed.clone();
    let mut i = 0;
    let mut before = None;
    loop {
        let theirs = earlier.up_to(top).map_err(ImportError::Damaged)?;
        if theirs.is_empty() {
            return Ok(true);
        }
        for e in theirs.iter().filter(|e| filter.may_have(**e)) {
            let low = e >> 24 << 24;
            // The run of mine begins where the one before it ended, or is that one.
            i += advance(&mine[i..], low);
            if i == mine.len() {
                break;
            }
            if mine[i] >> 24 != e >> 24 || before.replace(*e) == Some(*e) {
                continue;
            }
            let n = run_length(&mine[i..]);
            if !pairs(&mine[i..i + n], own, &placed, &[(e & ORDINAL) as u32], hit)? {
                return Ok(false);
            }
        }
    }
}

/// As `against`, where few are looked for: what lies between them is not read.
fn among(
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
        let end = i + run_length(&mine[i..]);
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
