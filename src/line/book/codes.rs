//! How events move codes and leases.
//!
//! Invariants (asserted): every step is in the table of `life`; leases are cut from the front of a pack and only their
//! end is returned; a used code is never leased again.

use super::Book;
use crate::line::life::item_may;
use crate::line::rows::{Lease, Life};
use crate::vocab::{CodeRef, ItemState, JobNo, PackNo};

impl Book {
    pub(super) fn touch(&mut self, code: CodeRef) -> &mut Life {
        self.dirty.codes.push(code);
        if !self.codes.contains_key(&code) {
            let fresh = self.life(code);
            if matches!(fresh.state, ItemState::Pooled | ItemState::Leased) {
                self.index.looked_at.insert(code);
            }
            self.codes.insert(code, fresh);
        }
        self.codes.get_mut(&code).expect("just touched")
    }

    pub(super) fn move_item(&mut self, code: CodeRef, to: ItemState) -> &mut Life {
        let from = self.state(code);
        assert!(item_may(from, to), "a code may not go from {from} to {to} ({}:{})", code.pack.0, code.ordinal);
        let life = self.touch(code);
        life.state = to;
        self.index_code(code, from);
        self.codes.get_mut(&code).expect("just touched")
    }

    pub(super) fn move_all(&mut self, codes: &[CodeRef], to: ItemState) {
        for c in codes {
            self.move_item(*c, to);
        }
    }

    pub(super) fn lease(&mut self, job: JobNo, pack: PackNo, from: u32, count: u32) {
        let p = self.packs.get_mut(&pack).expect("a lease is of an accepted pack");
        assert!(p.next == from && from + count <= p.count, "leases are cut from the front of a pack");
        assert!(!p.is_closed(), "nothing is leased from a closed pack");
        p.next = from + count;
        self.dirty.packs.insert(pack);
        // A lease that goes on where the job's last one ended is the same lease, longer.
        if let Some(i) = self.leases.iter().position(|l| l.job == job && l.pack == pack && l.from + l.count == from) {
            self.leases[i].count += count;
            self.dirty.leases.insert(i);
            return;
        }
        let at = self.leases.partition_point(|l| (l.job, l.pack, l.from) < (job, pack, from));
        debug_assert!(at == self.leases.len() || self.leases[at].job > job || self.leases[at].pack > pack, "leases are appended in order");
        self.leases.insert(at, Lease { job, pack, from, count, used: 0 });
        self.dirty.leases = self.dirty.leases.iter().map(|i| if *i >= at { i + 1 } else { *i }).collect();
        self.dirty.leases.insert(at);
    }

    pub(super) fn unlease(&mut self, job: JobNo, pack: PackNo, from: u32, count: u32) {
        let i = self
            .leases
            .iter()
            .position(|l| l.job == job && l.pack == pack && l.from + l.count == from + count)
            .expect("what is returned was leased");
        let l = &mut self.leases[i];
        assert!(l.from + l.used <= from, "a used code is not returned");
        l.count -= count;
        self.dirty.leases.insert(i);
        let p = self.packs.get_mut(&pack).expect("a lease is of an accepted pack");
        assert_eq!(p.next, from + count, "only the end of a pack's leases is returned");
        p.next = from;
        self.dirty.packs.insert(pack);
        // What was only looked at while it was leased is pooled like the rest.
        for code in (from..from + count).map(|o| CodeRef::new(pack, o)) {
            if self.codes.get(&code).is_some_and(|l| l.state == ItemState::Leased) {
                self.move_item(code, ItemState::Pooled).job = JobNo(0);
            }
        }
    }

    pub(super) fn send(&mut self, code: CodeRef) {
        let job = self.use_lease(code).expect("only a leased code is sent");
        self.move_item(code, ItemState::Sent).job = job;
    }

    /// Counts a leased code as used; the job it was leased to.
    pub(super) fn use_lease(&mut self, code: CodeRef) -> Option<JobNo> {
        let i = self.leases.iter().rposition(|l| l.pack == code.pack && (l.from..l.from + l.count).contains(&code.ordinal))?;
        let l = &mut self.leases[i];
        l.used = l.used.max(code.ordinal + 1 - l.from);
        self.dirty.leases.insert(i);
        Some(l.job)
    }

    pub(super) fn void(&mut self, code: CodeRef) {
        match self.state(code) {
            ItemState::Leased => drop(self.use_lease(code)),
            // Of a pack whose codes are used elsewhere, and seen here for the first time: now it has a row.
            ItemState::Void if !self.codes.contains_key(&code) => {
                self.touch(code);
                return;
            }
            _ => {}
        }
        self.move_item(code, ItemState::Void);
    }

    pub(super) fn doubt(&mut self, code: CodeRef) {
        match self.state(code) {
            // Neither may be fed to a printer any more.
            ItemState::Leased => drop(self.use_lease(code)),
            ItemState::Pooled => {
                let p = self.packs.get_mut(&code.pack).expect("a code is of an accepted pack");
                p.next = p.next.max(code.ordinal + 1);
                self.dirty.packs.insert(code.pack);
            }
            _ => {}
        }
        let job = self.move_item(code, ItemState::Doubtful).job;
        if let Some(j) = self.jobs.get_mut(&job) {
            j.doubtful += 1;
            self.dirty.jobs.insert(job);
        }
    }
}
