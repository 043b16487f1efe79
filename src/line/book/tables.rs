//! The book as table rows: out (what changed since the last taking) and back in.
//!
//! Invariant: `from_rows` of the last row of every key is the book that `apply` made.

use super::Book;
use crate::line::rows::{ParentRow, Row};
use crate::vocab::event::NameKind;
use crate::vocab::{CodeRef, ItemState, JobNo, OrderNo, PackNo, ParentNo, StationNo};
use std::collections::BTreeSet;

/// What changed since the rows were last taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Dirty {
    pub(super) names: Vec<(NameKind, u8)>,
    pub(super) packs: BTreeSet<PackNo>,
    pub(super) codes: Vec<CodeRef>,
    pub(super) parents: BTreeSet<ParentNo>,
    pub(super) jobs: BTreeSet<JobNo>,
    pub(super) leases: BTreeSet<usize>,
    pub(super) stations: BTreeSet<StationNo>,
    pub(super) queues: BTreeSet<StationNo>,
    pub(super) line: bool,
    pub(super) answers: Vec<String>,
    pub(super) orders: BTreeSet<OrderNo>,
}

impl Book {
    /// The book that these table rows (in any order) hold.
    pub fn from_rows(rows: impl IntoIterator<Item = Row>) -> Self {
        let mut b = Self::default();
        let mut names: Vec<(NameKind, u8, String)> = Vec::new();
        for row in rows {
            match row {
                Row::Name { kind, no, name } => names.push((kind, no, name)),
                Row::Pack(p) => drop(b.packs.insert(p.no, p)),
                Row::Code(c, l) => drop(b.codes.insert(c, l)),
                Row::Parent(no, p) => drop(b.parents.insert(no, ParentRow { children: BTreeSet::new(), ..p })),
                Row::Job(j) => drop(b.jobs.insert(j.no, j)),
                Row::Lease(l) => b.leases.push(l),
                Row::Station(no, s) => drop(b.stations.insert(no, s)),
                Row::Queue(no, q) if q.is_empty() => drop(b.queues.remove(&no)),
                Row::Queue(no, q) => drop(b.queues.insert(no, q.into())),
                Row::Line(l) => b.line = l,
                Row::Answer { key, answer } => drop(b.answers.insert(key, answer)),
                Row::Forget { key } => drop(b.answers.remove(&key)),
                Row::Order(o) => drop(b.orders.insert(o.no, o)),
            }
        }
        names.sort_by_key(|n| n.1);
        for (kind, _, name) in names {
            b.names.list_mut(kind).push(name);
        }
        b.leases.sort_by_key(|l| (l.job, l.pack, l.from));
        for (code, life) in &b.codes {
            if life.parent != ParentNo(0) {
                b.parents.get_mut(&life.parent).expect("a child's parent is in the book").children.insert(*code);
            }
        }
        let mut codes: Vec<CodeRef> = b.codes.keys().copied().collect();
        // In order, so that the runs of used codes grow at their end.
        codes.sort_unstable();
        for c in codes {
            if matches!(b.codes[&c].state, ItemState::Pooled | ItemState::Leased) {
                b.index.looked_at.insert(c);
            }
            b.index_code(c, ItemState::Pooled);
        }
        let parents: Vec<ParentNo> = b.parents.keys().copied().collect();
        parents.into_iter().for_each(|p| b.index_parent(p));
        b
    }

    /// The rows changed since this was last called, each once, as they stand now.
    pub fn take_rows(&mut self) -> Vec<Row> {
        let d = std::mem::take(&mut self.dirty);
        let mut rows = Vec::new();
        for (kind, no) in d.names {
            rows.push(Row::Name { kind, no, name: self.names.list(kind)[usize::from(no)].clone() });
        }
        rows.extend(d.packs.iter().map(|p| Row::Pack(self.packs[p].clone())));
        let mut codes = d.codes;
        codes.sort_unstable();
        codes.dedup();
        rows.extend(codes.iter().map(|c| Row::Code(*c, self.codes[c])));
        rows.extend(d.parents.iter().map(|p| Row::Parent(*p, self.parents[p].clone())));
        rows.extend(d.jobs.iter().map(|j| Row::Job(self.jobs[j].clone())));
        rows.extend(d.leases.iter().map(|i| Row::Lease(self.leases[*i].clone())));
        rows.extend(d.stations.iter().map(|s| Row::Station(*s, self.stations[s].clone())));
        rows.extend(d.queues.iter().map(|s| Row::Queue(*s, self.queues.get(s).map(|q| q.iter().copied().collect()).unwrap_or_default())));
        if d.line {
            rows.push(Row::Line(self.line.clone()));
        }
        rows.extend(d.answers.into_iter().map(|key| match self.answers.get(&key) {
            Some(answer) => Row::Answer { answer: answer.clone(), key },
            None => Row::Forget { key },
        }));
        rows.extend(d.orders.iter().map(|o| Row::Order(self.orders[o].clone())));
        rows
    }
}
