//! How events move whole packs: expiry, codes used elsewhere, withdrawal, the end of a range.
//!
//! Invariants (asserted): a withdrawn pack has no code in the pool and no lease, for ever; a range is never cut below
//! what it issued.

use super::Book;
use crate::line::rows::{PackRow, Withdrawn};
use crate::vocab::{CodeRef, ItemState, PackNo};
use std::collections::BTreeMap;

/// A set of ordinals as runs: what leaves a pool leaves it mostly in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// First ordinal → the one after the last.
    runs: BTreeMap<u32, u32>,
    len: u64,
}

impl Spans {
    pub fn insert(&mut self, o: u32) {
        let before = self.runs.range(..=o).next_back().map(|(a, b)| (*a, *b));
        if before.is_some_and(|(_, end)| o < end) {
            return;
        }
        self.len += 1;
        let start = before.filter(|(_, end)| *end == o).map_or(o, |(a, _)| a);
        let end = self.runs.remove(&(o + 1)).unwrap_or(o + 1);
        self.runs.insert(start, end);
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// The runs of `0..count` that are not in the set, as first ordinal and number.
    pub fn gaps(&self, count: u32) -> Vec<(u32, u32)> {
        let mut out = Vec::new();
        let mut at = 0;
        for (a, b) in self.runs.iter().map(|(a, b)| (*a, *b)).chain([(count, count)]) {
            if a > at {
                out.push((at, a.min(count).saturating_sub(at)));
            }
            at = at.max(b);
        }
        out.retain(|g| g.1 > 0);
        out
    }
}

impl Book {
    /// Codes of a pack that are pooled or leased.
    pub fn unused(&self, pack: &PackRow) -> u64 {
        if pack.is_closed() { 0 } else { u64::from(pack.count).saturating_sub(self.used(pack.no)) }
    }

    /// The state of a pack's codes that have no row: void or returned where the pack is closed.
    pub(super) fn rest(&self, pack: PackNo) -> Option<ItemState> {
        self.packs.get(&pack)?.rest()
    }

    /// Codes of a pack that have a row and are in the pool or leased: looked at and not used.
    pub fn looked_at(&self, pack: PackNo) -> Vec<CodeRef> {
        self.index.looked_at.range(CodeRef::new(pack, 0)..=CodeRef::new(pack, u32::MAX)).copied().collect()
    }

    /// The runs of a pack's ordinals that left nothing behind: neither used nor seen.
    pub fn untouched_runs(&self, pack: &PackRow) -> Vec<(u32, u32)> {
        let mut touched = self.index.used.get(&pack.no).cloned().unwrap_or_default();
        self.looked_at(pack.no).iter().for_each(|c| touched.insert(c.ordinal));
        touched.gaps(pack.count)
    }

    pub(super) fn withdraw(&mut self, pack: PackNo, to: ItemState, reason: &str) {
        assert!(matches!(to, ItemState::Void | ItemState::Returned), "a pack is voided or returned, not {to}");
        assert!(self.leases.iter().all(|l| l.pack != pack || l.count == l.used), "a leased code is not withdrawn");
        assert!(self.looked_at(pack).is_empty(), "a code that was seen is settled by itself");
        let p = self.packs.get_mut(&pack).expect("a pack is accepted before it is withdrawn");
        assert!(!p.is_closed(), "a pack is withdrawn once");
        p.withdrawn = Some(Withdrawn { to, reason: reason.into() });
        self.dirty.packs.insert(pack);
    }

    pub(super) fn cut_range(&mut self, pack: PackNo, count: u32) {
        let p = self.packs.get_mut(&pack).expect("a range is accepted before it is cut");
        assert!(p.next <= count && count <= p.count, "a range is cut behind what it issued");
        p.count = count;
        self.dirty.packs.insert(pack);
    }

    /// What an event says of a pack is kept with it.
    pub(super) fn about_pack(&mut self, pack: PackNo, f: impl FnOnce(&mut PackRow)) {
        f(self.packs.get_mut(&pack).expect("a pack is accepted before anything is said of it"));
        self.dirty.packs.insert(pack);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_merge_and_their_gaps_are_the_rest() {
        let mut s = Spans::default();
        assert_eq!(s.gaps(5), [(0, 5)]);
        assert!(s.gaps(0).is_empty());
        for o in [3, 1, 2, 2, 9, 4] {
            s.insert(o);
        }
        assert_eq!((s.len(), s.runs.len()), (5, 2));
        assert_eq!(s.gaps(12), [(0, 1), (5, 4), (10, 2)]);
        assert_eq!(s.gaps(10), [(0, 1), (5, 4)]);
        assert_eq!(s.gaps(4), [(0, 1)], "what lies beyond the count is not asked for");
        assert_eq!(s.gaps(7), [(0, 1), (5, 2)]);
    }

    #[test]
    fn spans_say_what_a_set_says() {
        let mut rng = crate::vocab::rng::Rng::new(3);
        for _ in 0..200 {
            let (mut s, mut set) = (Spans::default(), std::collections::BTreeSet::new());
            for _ in 0..rng.below(60) {
                let o = rng.below(50) as u32;
                s.insert(o);
                set.insert(o);
            }
            let gaps: Vec<u32> = s.gaps(50).into_iter().flat_map(|(a, n)| a..a + n).collect();
            assert_eq!(gaps, (0..50).filter(|o| !set.contains(o)).collect::<Vec<u32>>());
            assert_eq!(s.len(), set.len() as u64);
        }
    }
}
