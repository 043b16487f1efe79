//! The book: what is true, as a fold over events. `apply` is its only mutator.
//!
//! Invariants (asserted): every state change is in the table of `life`; a code has one parent; a parent's children and
//! its children's `parent` agree; a pack's lease pointer never passes its count.

mod codes;
mod counts;
mod index;
mod packs;
mod parents;
mod tables;

use super::rows::{Counts, JobRow, Lease, Life, LineRow, OrderEnd, OrderRow, PackRow, ParentRow, StationRow};
use crate::vocab::event::{NameKind, Seen};
use crate::vocab::{CodeRef, Event, ItemState, JobNo, JobState, OrderNo, PackMl, PackNo, ParentNo, ParentState, StationNo};
use index::Index;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use tables::Dirty;

/// Names by number.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Names {
    pub levels: Vec<String>,
    pub stations: Vec<String>,
    pub devices: Vec<String>,
}

impl Names {
    pub fn list(&self, kind: NameKind) -> &[String] {
        match kind {
            NameKind::Level => &self.levels,
            NameKind::Station => &self.stations,
            NameKind::Device => &self.devices,
        }
    }

    fn list_mut(&mut self, kind: NameKind) -> &mut Vec<String> {
        match kind {
            NameKind::Level => &mut self.levels,
            NameKind::Station => &mut self.stations,
            NameKind::Device => &mut self.devices,
        }
    }

    pub fn number(&self, kind: NameKind, name: &str) -> Option<u8> {
        self.list(kind).iter().position(|n| n == name).map(|i| i as u8)
    }
}

#[derive(Clone, Debug)]
pub struct Book {
    pub names: Names,
    pub packs: BTreeMap<PackNo, PackRow>,
    pub codes: HashMap<CodeRef, Life>,
    pub parents: BTreeMap<ParentNo, ParentRow>,
    pub jobs: BTreeMap<JobNo, JobRow>,
    pub leases: Vec<Lease>,
    pub stations: BTreeMap<StationNo, StationRow>,
    pub queues: BTreeMap<StationNo, VecDeque<CodeRef>>,
    pub line: LineRow,
    pub answers: HashMap<String, String>,
    pub orders: BTreeMap<OrderNo, OrderRow>,
    dirty: Dirty,
    index: Index,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            names: Names::default(),
            packs: BTreeMap::new(),
            codes: HashMap::new(),
            parents: BTreeMap::new(),
            jobs: BTreeMap::new(),
            leases: Vec::new(),
            stations: BTreeMap::new(),
            queues: BTreeMap::new(),
            line: LineRow {
                state: PackMl::Idle,
                reason: None,
                job: None,
                clock_suspect: false,
                clean: true,
                alarms: BTreeSet::new(),
                headline: Vec::new(),
            },
            answers: HashMap::new(),
            orders: BTreeMap::new(),
            dirty: Dirty::default(),
            index: Index::default(),
        }
    }
}

/// Two books are equal when they say the same; what is still to be written does not count.
impl PartialEq for Book {
    fn eq(&self, o: &Self) -> bool {
        self.names == o.names
            && self.packs == o.packs
            && self.codes == o.codes
            && self.parents == o.parents
            && self.jobs == o.jobs
            && self.leases == o.leases
            && self.stations == o.stations
            && self.queues == o.queues
            && self.line == o.line
            && self.answers == o.answers
            && self.orders == o.orders
    }
}

impl Book {
    /// Folds one event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Named { kind, no, name } => {
                let list = self.names.list_mut(*kind);
                assert_eq!(list.len(), usize::from(*no), "names are numbered in order");
                list.push(name.clone());
                self.dirty.names.push((*kind, *no));
            }
            Event::Started { .. } => self.line_mut().clean = false,
            Event::Stopped => self.line_mut().clean = true,
            Event::PackAccepted { pack, id, level, product, count, origin } => {
                let row = PackRow::new(*pack, id.clone(), level.clone(), product.clone(), *count, origin.clone());
                assert!(self.packs.insert(*pack, row).is_none(), "a pack number is given once");
                self.dirty.packs.insert(*pack);
            }
            Event::JobCreated { job, id, product, lot, target, expiry } => {
                let row = JobRow {
                    no: *job,
                    id: id.clone(),
                    product: product.clone(),
                    lot: lot.clone(),
                    target: *target,
                    expiry: expiry.clone(),
                    state: JobState::Created,
                    counts: Counts::default(),
                    doubtful: 0,
                };
                assert!(self.jobs.insert(*job, row).is_none(), "a job number is given once");
                self.dirty.jobs.insert(*job);
            }
            Event::JobMoved { job, to } => {
                self.jobs.get_mut(job).expect("a job is created before it moves").state = *to;
                self.dirty.jobs.insert(*job);
                self.line_mut().job = Some(*job);
            }
            Event::Leased { job, pack, from, count } => self.lease(*job, *pack, *from, *count),
            Event::Unleased { job, pack, from, count } => self.unlease(*job, *pack, *from, *count),
            Event::Sent { codes, .. } => codes.iter().for_each(|c| self.send(*c)),
            Event::Printed { codes, .. } => self.move_all(codes, ItemState::Printed),
            Event::Doubtful { codes, .. } => codes.iter().for_each(|c| self.doubt(*c)),
            Event::Void { codes } => codes.iter().for_each(|c| self.void(*c)),
            Event::Missing { codes } => self.move_all(codes, ItemState::Missing),
            Event::Withdrawn { codes, reason } => {
                for c in codes {
                    self.move_item(*c, ItemState::Rejected).reason = Some(*reason);
                }
            }
            Event::Read { seen, .. } => {
                if let Seen::Known(c) = seen {
                    self.touch(*c).seen += 1;
                }
            }
            Event::Verdict { .. } => self.verdict(event),
            Event::Through { code, queue, .. } => {
                let from = self.touch(*code).state;
                self.touch(*code).through = true;
                self.index_code(*code, from);
                if let Some(s) = queue {
                    self.queues.entry(*s).or_default().push_back(*code);
                    self.dirty.queues.insert(*s);
                }
            }
            Event::Escaped { station, was, code, .. } => {
                self.escape(*station, *was);
                self.touch(*code).passage = crate::vocab::Passage(0);
            }
            Event::Opened { parent, station, level, code } => {
                let job = self.line.job.unwrap_or_default();
                let row = ParentRow {
                    level: *level,
                    station: *station,
                    job,
                    code: *code,
                    state: ParentState::Open,
                    relabels: 0,
                    children: BTreeSet::new(),
                };
                assert!(self.parents.insert(*parent, row).is_none(), "a parent number is given once");
                self.dirty.parents.insert(*parent);
                self.index_parent(*parent);
            }
            Event::Gathered { parent, code } => self.gather(*parent, *code),
            Event::Closed { parent, code, children } => {
                for c in children {
                    if self.life(*c).parent != *parent {
                        self.gather(*parent, *c);
                    }
                }
                let p = self.move_parent(*parent, ParentState::Closed);
                p.code = code.or(p.code);
                assert_eq!(p.children.len(), children.len(), "a parent closes with the children it gathered");
                self.index_parent(*parent);
            }
            Event::Labelling { parent } => {
                self.move_parent(*parent, ParentState::Labelling);
            }
            Event::Sealed { parent, .. } => self.seal(*parent),
            Event::Relabelled { parent, void, next } => {
                self.move_item(*void, ItemState::Void);
                self.dirty.parents.insert(*parent);
                let p = self.parents.get_mut(parent).expect("a parent is opened before it is relabelled");
                assert_eq!(p.code, Some(*void), "the number replaced is the parent's");
                p.code = Some(*next);
                p.relabels += 1;
                p.state = ParentState::Closed;
                self.index_parent(*parent);
            }
            Event::Undone { parent, broken, .. } => {
                let to = if *broken { ParentState::Broken } else { ParentState::Void };
                let children = std::mem::take(&mut self.move_parent(*parent, to).children);
                children.iter().for_each(|c| self.loosen(*c));
            }
            Event::TakenOut { parent, code, .. } => {
                self.dirty.parents.insert(*parent);
                self.parents.get_mut(parent).expect("a parent is opened before a child leaves").children.remove(code);
                self.loosen(*code);
            }
            Event::Purged { station } => {
                self.queues.remove(station);
                self.dirty.queues.insert(*station);
                self.station_row(*station).out_of_step = true;
            }
            Event::StationCleared { station } => {
                self.queues.remove(station);
                self.dirty.queues.insert(*station);
                self.station_row(*station).out_of_step = false;
            }
            Event::Clock { suspect, .. } => self.line_mut().clock_suspect = *suspect,
            Event::LineMoved { to, reason } => {
                let l = self.line_mut();
                l.state = *to;
                l.reason.clone_from(reason);
            }
            Event::Alarm { name, on } => {
                let l = self.line_mut();
                if *on {
                    l.alarms.insert(name.clone());
                } else {
                    l.alarms.remove(name);
                }
            }
            Event::Forgiven { station } => self.station_row(*station).rejects_in_row = 0,
            Event::Headline { stations } => self.line_mut().headline.clone_from(stations),
            Event::Counter { station, value } => {
                let s = self.station_row(*station);
                s.counter_at = Some(*value);
                s.counted_at = s.counts.decided();
            }
            Event::Answered { key, answer } => {
                self.answers.insert(key.clone(), answer.clone());
                self.dirty.answers.push(key.clone());
            }
            Event::Purpose { pack, purpose } => self.about_pack(*pack, |p| p.purpose = Some(purpose.clone())),
            Event::PackExpiry { pack, date } => self.about_pack(*pack, |p| p.expiry = Some(date.clone())),
            Event::PackUsed { pack } => self.about_pack(*pack, |p| p.used = true),
            Event::PackDrawn { pack, rule } => self.about_pack(*pack, |p| p.drawn = Some(rule.clone())),
            Event::Ordered { order, level, product, count, token } => {
                let (level, product, token) = (level.clone(), product.clone(), token.clone());
                let row = OrderRow { no: *order, level, product, count: *count, token, end: None };
                assert!(self.orders.insert(*order, row).is_none(), "an order's number is given once");
                self.dirty.orders.insert(*order);
            }
            Event::OrderEnded { order, outcome, pack, lost, why } => {
                let row = self.orders.get_mut(order).expect("an order is made before it ends");
                let end = OrderEnd { outcome: *outcome, pack: *pack, lost: *lost, why: why.clone() };
                assert!(row.end.replace(end).is_none(), "an order ends once");
                self.dirty.orders.insert(*order);
            }
            Event::PackWithdrawn { pack, to, reason, .. } => self.withdraw(*pack, *to, reason),
            Event::Withdrew { pack, from, count, to } => {
                let rest = self.rest(*pack);
                assert_eq!(rest, Some(*to), "codes are withdrawn with their pack");
                assert!(self.packs[pack].count >= from + count, "codes are withdrawn from within their pack");
            }
            Event::RangeCut { pack, count } => self.cut_range(*pack, *count),
            // What was left out is the journal's to tell.
            Event::DuplicatesSkipped { .. } => {}
            // Nothing of it is a code's life.
            Event::SetupPrint { .. } => {}
            Event::Forgotten { keys } => {
                keys.iter().for_each(|k| drop(self.answers.remove(k)));
                self.dirty.answers.extend(keys.iter().cloned());
            }
        }
    }

    fn line_mut(&mut self) -> &mut LineRow {
        self.dirty.line = true;
        &mut self.line
    }
}
