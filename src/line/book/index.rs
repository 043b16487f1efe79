//! What is asked of the book, and the index that makes it quick: found again from the rest, never stored.
//!
//! Must never know: an event. Invariant: the index says what a walk over all codes and parents would say.

use super::Book;
use super::packs::Spans;
use crate::line::rows::{JobRow, Lease, Life};
use crate::vocab::{CodeRef, ItemState, JobNo, JobState, PackNo, ParentNo, ParentState, StationNo};
use std::collections::{BTreeSet, HashMap};

/// Found again from the rest; never compared, never stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Codes that are sent, printed or doubtful.
    pub(super) unsettled: BTreeSet<CodeRef>,
    /// Verified codes whose gate time has not gone by.
    pub(super) short_of_gate: BTreeSet<CodeRef>,
    /// Parents that are open, closed or labelling.
    pub(super) live: BTreeSet<ParentNo>,
    /// The parent that carries (or last carried) a number.
    pub(super) number: HashMap<CodeRef, ParentNo>,
    /// Codes that left the pool, per pack.
    pub(super) used: HashMap<PackNo, Spans>,
    /// Touched codes that are in the pool or leased: only looked at.
    pub(super) looked_at: BTreeSet<CodeRef>,
}

impl Book {
    pub(super) fn index_code(&mut self, code: CodeRef, from: ItemState) {
        let life = self.codes[&code];
        let pooled = |s| matches!(s, ItemState::Pooled | ItemState::Leased);
        if !pooled(life.state) {
            self.index.looked_at.remove(&code);
            if pooled(from) {
                self.index.used.entry(code.pack).or_default().insert(code.ordinal);
            }
        }
        if matches!(life.state, ItemState::Sent | ItemState::Printed | ItemState::Doubtful) {
            self.index.unsettled.insert(code);
        } else {
            self.index.unsettled.remove(&code);
        }
        if life.state == ItemState::Verified && !life.through {
            self.index.short_of_gate.insert(code);
        } else {
            self.index.short_of_gate.remove(&code);
        }
    }

    pub(super) fn index_parent(&mut self, no: ParentNo) {
        let p = &self.parents[&no];
        if matches!(p.state, ParentState::Open | ParentState::Closed | ParentState::Labelling) {
            self.index.live.insert(no);
        } else {
            self.index.live.remove(&no);
        }
        if let Some(c) = p.code {
            self.index.number.insert(c, no);
        }
    }

    /// Codes that are sent, printed or doubtful.
    pub fn unsettled(&self) -> impl Iterator<Item = CodeRef> {
        self.index.unsettled.iter().copied()
    }

    /// Verified codes whose gate time has not gone by.
    pub fn short_of_gate(&self) -> impl Iterator<Item = CodeRef> {
        self.index.short_of_gate.iter().copied()
    }

    /// Parents that are open, closed or labelling, oldest first.
    pub fn live_parents(&self) -> impl Iterator<Item = ParentNo> {
        self.index.live.iter().copied()
    }

    /// The parent that carries (or last carried) this number.
    pub fn parent_of_number(&self, code: CodeRef) -> Option<ParentNo> {
        self.index.number.get(&code).copied()
    }

    /// Codes of a pack that left the pool.
    pub fn used(&self, pack: PackNo) -> u64 {
        self.index.used.get(&pack).map_or(0, Spans::len)
    }

    /// The state of any code of an accepted pack, touched or not.
    pub fn state(&self, code: CodeRef) -> ItemState {
        if let Some(l) = self.codes.get(&code) {
            return l.state;
        }
        if self.lease_of(code).is_some() { ItemState::Leased } else { self.rest(code.pack).unwrap_or(ItemState::Pooled) }
    }

    pub fn life(&self, code: CodeRef) -> Life {
        self.codes.get(&code).copied().unwrap_or_else(|| {
            let job = self.lease_of(code).map_or(JobNo(0), |l| l.job);
            Life::new(self.state(code), job)
        })
    }

    pub(super) fn lease_of(&self, code: CodeRef) -> Option<&Lease> {
        self.leases.iter().rev().find(|l| l.pack == code.pack && (l.from..l.from + l.count).contains(&code.ordinal))
    }

    /// The job on the line now, if one runs, is held or completes.
    pub fn current_job(&self) -> Option<&JobRow> {
        let j = &self.jobs[&self.line.job?];
        matches!(j.state, JobState::Running | JobState::Held | JobState::Completing).then_some(j)
    }

    /// What the trigger counter of a station should read if nothing was missed.
    pub fn expected_counter(&self, station: StationNo) -> Option<u32> {
        let s = self.stations.get(&station)?;
        Some(s.counter_at?.wrapping_add((s.counts.decided() - s.counted_at) as u32))
    }
}
