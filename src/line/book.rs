//! The book: what is true, as a fold over events. `apply` is its only mutator.
//!
//! Invariants (asserted): every state change is in the table of `life`; a code has one parent; a parent's children and
//! its children's `parent` agree; a pack's lease pointer never passes its count.

use super::life::{item_may, parent_may};
use super::rows::{Counts, JobRow, Lease, Life, LineRow, PackRow, ParentRow, Row, StationRow};
use crate::vocab::event::{NameKind, Seen};
use crate::vocab::{CodeRef, Event, ItemState, JobNo, JobState, PackMl, PackNo, ParentNo, ParentState, Reason, StationNo};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

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
    dirty: Dirty,
    index: Index,
}

/// Found again from the rest; never compared, never stored.
#[derive(Clone, Debug, Default)]
struct Index {
    /// Codes that are sent, printed or doubtful.
    unsettled: BTreeSet<CodeRef>,
    /// Verified codes whose gate time has not gone by.
    short_of_gate: BTreeSet<CodeRef>,
    /// Parents that are open, closed or labelling.
    live: BTreeSet<ParentNo>,
    /// The parent that carries (or last carried) a number.
    number: HashMap<CodeRef, ParentNo>,
    /// Touched codes beyond the pool, per pack.
    used: HashMap<PackNo, u64>,
}

/// What changed since the rows were last taken.
#[derive(Clone, Debug, Default)]
struct Dirty {
    names: Vec<(NameKind, u8)>,
    packs: BTreeSet<PackNo>,
    codes: Vec<CodeRef>,
    parents: BTreeSet<ParentNo>,
    jobs: BTreeSet<JobNo>,
    leases: BTreeSet<usize>,
    stations: BTreeSet<StationNo>,
    queues: BTreeSet<StationNo>,
    line: bool,
    answers: Vec<String>,
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
    }
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
        let codes: Vec<CodeRef> = b.codes.keys().copied().collect();
        codes.into_iter().for_each(|c| b.index_code(c, ItemState::Pooled));
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
        rows
    }

    /// The state of any code of an accepted pack, touched or not.
    pub fn state(&self, code: CodeRef) -> ItemState {
        if let Some(l) = self.codes.get(&code) {
            return l.state;
        }
        if self.lease_of(code).is_some() { ItemState::Leased } else { ItemState::Pooled }
    }

    pub fn life(&self, code: CodeRef) -> Life {
        self.codes.get(&code).copied().unwrap_or_else(|| {
            let job = self.lease_of(code).map_or(JobNo(0), |l| l.job);
            Life::new(self.state(code), job)
        })
    }

    fn lease_of(&self, code: CodeRef) -> Option<&Lease> {
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

    fn touch(&mut self, code: CodeRef) -> &mut Life {
        let fresh = self.life(code);
        self.dirty.codes.push(code);
        self.codes.entry(code).or_insert(fresh)
    }

    fn move_item(&mut self, code: CodeRef, to: ItemState) -> &mut Life {
        let from = self.state(code);
        assert!(item_may(from, to), "a code may not go from {from} to {to} ({}:{})", code.pack.0, code.ordinal);
        let life = self.touch(code);
        life.state = to;
        self.index_code(code, from);
        self.codes.get_mut(&code).expect("just touched")
    }

    fn index_code(&mut self, code: CodeRef, from: ItemState) {
        let life = self.codes[&code];
        let pooled = |s| matches!(s, ItemState::Pooled | ItemState::Leased);
        if pooled(from) && !pooled(life.state) {
            *self.index.used.entry(code.pack).or_default() += 1;
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

    fn index_parent(&mut self, no: ParentNo) {
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
        self.index.used.get(&pack).copied().unwrap_or(0)
    }

    fn move_all(&mut self, codes: &[CodeRef], to: ItemState) {
        for c in codes {
            self.move_item(*c, to);
        }
    }

    fn move_parent(&mut self, no: ParentNo, to: ParentState) -> &mut ParentRow {
        self.dirty.parents.insert(no);
        let p = self.parents.get_mut(&no).expect("a parent is opened before it moves");
        assert!(parent_may(p.state, to), "a parent may not go from {} to {to} ({})", p.state, no.0);
        p.state = to;
        self.index_parent(no);
        self.parents.get_mut(&no).expect("just moved")
    }

    fn station_row(&mut self, no: StationNo) -> &mut StationRow {
        self.dirty.stations.insert(no);
        self.stations.entry(no).or_default()
    }

    fn job_counts(&mut self) -> Option<&mut Counts> {
        let no = self.line.job?;
        self.dirty.jobs.insert(no);
        self.jobs.get_mut(&no).map(|j| &mut j.counts)
    }

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
                let row = PackRow {
                    no: *pack,
                    id: id.clone(),
                    level: level.clone(),
                    product: product.clone(),
                    count: *count,
                    origin: origin.clone(),
                    next: 0,
                };
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

    fn lease(&mut self, job: JobNo, pack: PackNo, from: u32, count: u32) {
        let p = self.packs.get_mut(&pack).expect("a lease is of an accepted pack");
        assert!(p.next == from && from + count <= p.count, "leases are cut from the front of a pack");
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

    fn unlease(&mut self, job: JobNo, pack: PackNo, from: u32, count: u32) {
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
    }

    fn send(&mut self, code: CodeRef) {
        let job = self.use_lease(code).expect("only a leased code is sent");
        self.move_item(code, ItemState::Sent).job = job;
    }

    /// Counts a leased code as used; the job it was leased to.
    fn use_lease(&mut self, code: CodeRef) -> Option<JobNo> {
        let i = self.leases.iter().rposition(|l| l.pack == code.pack && (l.from..l.from + l.count).contains(&code.ordinal))?;
        let l = &mut self.leases[i];
        l.used = l.used.max(code.ordinal + 1 - l.from);
        self.dirty.leases.insert(i);
        Some(l.job)
    }

    fn void(&mut self, code: CodeRef) {
        if self.state(code) == ItemState::Leased {
            self.use_lease(code);
        }
        self.move_item(code, ItemState::Void);
    }

    fn doubt(&mut self, code: CodeRef) {
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

    fn gather(&mut self, parent: ParentNo, code: CodeRef) {
        let life = self.touch(code);
        assert!(life.parent == ParentNo(0) && life.state == ItemState::Verified, "only a loose, verified thing is gathered");
        life.parent = parent;
        self.dirty.parents.insert(parent);
        let p = self.parents.get_mut(&parent).expect("a parent is opened before it gathers");
        assert_eq!(p.state, ParentState::Open, "children of a closed parent are bound");
        p.children.insert(code);
        let station = p.station;
        if let Some(q) = self.queues.get_mut(&station).filter(|q| q.front() == Some(&code)) {
            q.pop_front();
            if q.is_empty() {
                self.queues.remove(&station);
            }
            self.dirty.queues.insert(station);
        }
    }

    fn loosen(&mut self, code: CodeRef) {
        if self.state(code) == ItemState::Packed {
            self.move_item(code, ItemState::Verified);
        }
        self.touch(code).parent = ParentNo(0);
    }

    fn seal(&mut self, parent: ParentNo) {
        let p = self.move_parent(parent, ParentState::Sealed);
        let (code, job, children) = (p.code, p.job, p.children.clone());
        for c in children {
            self.move_item(c, ItemState::Packed);
        }
        let code = code.expect("a sealed parent has a code");
        let life = self.move_item(code, ItemState::Verified);
        life.job = job;
        life.through = false;
        self.index_code(code, ItemState::Verified);
    }

    fn verdict(&mut self, event: &Event) {
        let Event::Verdict { station, passage, good, reason, seen, to, revises } = event else {
            return;
        };
        let headline = self.headline(*station);
        let row = self.station_row(*station);
        row.last_passage = row.last_passage.max(*passage);
        row.rejects_in_row = if *good { 0 } else { row.rejects_in_row + 1 };
        count(&mut row.counts, *good, *reason, *revises);
        if headline && let Some(c) = self.job_counts() {
            count(c, *good, *reason, *revises);
        }
        if let Some(Seen::Known(c)) = seen {
            if let Some(to) = to {
                let job = self.line.job.unwrap_or_default();
                let life = self.move_item(*c, *to);
                life.reason = if *good { None } else { *reason };
                if life.job == JobNo(0) {
                    life.job = job;
                }
            }
            let life = self.touch(*c);
            if !*revises {
                life.seen += 1;
            }
            if to.is_some() || *good {
                life.station = *station;
                life.passage = *passage;
            }
        }
    }

    fn escape(&mut self, station: StationNo, was: Reason) {
        let headline = self.headline(station);
        let shift = |c: &mut Counts| {
            let n = c.rejected.get_mut(&was).expect("an escape was a reject");
            *n -= 1;
            if *n == 0 {
                c.rejected.remove(&was);
            }
            c.escaped += 1;
        };
        shift(&mut self.station_row(station).counts);
        if headline && let Some(c) = self.job_counts() {
            shift(c);
        }
    }

    /// Do this station's passages count for the job (the lowest level that is verified)?
    fn headline(&self, station: StationNo) -> bool {
        self.line.headline.contains(&station)
    }
}

fn count(c: &mut Counts, good: bool, reason: Option<Reason>, revises: bool) {
    if revises {
        c.verified -= 1;
    }
    if good {
        c.verified += 1;
    } else {
        *c.rejected.entry(reason.expect("a reject has a reason")).or_default() += 1;
    }
}
