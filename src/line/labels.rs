//! Print and apply: a number is burnt when its parent closes, the label is printed once, and only its read-back on the
//! thing itself seals. A label printer is a one-deep printer.

use super::input::{Effect, Label};
use super::law::Law;
use super::live::Line;
use crate::vocab::event::Event;
use crate::vocab::plan::{Gather, Role, Station};
use crate::vocab::sscc::RangeRule;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, DeviceNo, ItemState, LevelNo, ParentNo, ParentState, Reason};

/// New numbers tried for one parent before it is given up.
const RELABELS: u32 = 2;

impl<L: Law> Line<L> {
    /// Children fixed, the next number of the level's range burnt. `None`: the range is exhausted.
    pub(super) fn close_generated(&mut self, s: &Station, parent: ParentNo) -> Option<CodeRef> {
        if !self.number_left(s.level) {
            return None;
        }
        let code = self.burn_number(s.level)?;
        let children = self.book.parents[&parent].children.iter().copied().collect();
        self.emit(Event::Closed { parent, code: Some(code), children });
        self.print_labels();
        Some(code)
    }

    /// Has the level's range another number? Where not, the line is held until it has.
    pub(super) fn number_left(&mut self, level: LevelNo) -> bool {
        let level = self.plan.level(level);
        let left = super::ranges::active(&self.book, level).is_some_and(|p| p.next < p.count);
        let alarm = format!("range-empty:{}", level.name);
        if left {
            self.lower(&alarm);
        } else {
            self.raise(alarm);
            self.hold("range-empty");
        }
        left
    }

    fn burn_number(&mut self, level: LevelNo) -> Option<CodeRef> {
        let job = self.book.current_job()?.no;
        let pack = super::ranges::active(&self.book, self.plan.level(level))?;
        let (no, from) = (pack.no, pack.next);
        if from >= pack.count {
            return None;
        }
        self.emit(Event::Leased { job, pack: no, from, count: 1 });
        Some(CodeRef::new(no, from))
    }

    /// Sends the labels of closed parents, one at a time per printer, oldest first.
    pub(super) fn print_labels(&mut self) {
        let plan = self.plan.clone();
        let closed: Vec<(ParentNo, CodeRef, LevelNo)> = self
            .book
            .live_parents()
            .map(|no| (no, &self.book.parents[&no]))
            .filter(|(_, p)| p.state == ParentState::Closed)
            .filter_map(|(no, p)| Some((no, p.code?, p.level)))
            .collect();
        for (parent, code, level) in closed {
            let Some(station) = plan.print_station(level) else { continue };
            let Some(device) = station.device else { continue };
            if self.book.state(code) != ItemState::Leased || !self.label_slot_free(device) {
                continue;
            }
            self.emit(Event::Sent { device, codes: vec![code] });
            self.emit(Event::Labelling { parent });
            self.label_waits.insert(parent, 0);
            let window = self.windows.entry(device).or_default();
            window.codes.push_back(code);
            let job = self.book.current_job().expect("a parent closes in a job");
            let label = Label {
                template: station.label.clone(),
                sscc: plan.level(level).range.as_ref().is_some_and(RangeRule::is_sscc),
                lot: job.lot.clone(),
                count: self.book.parents[&parent].children.len() as u32,
            };
            self.out.after.push(Effect::Label { device, code, label });
        }
    }

    fn label_slot_free(&self, device: DeviceNo) -> bool {
        self.devices.get(&device).is_some_and(|d| d.ready) && self.windows.get(&device).is_none_or(|w| w.codes.is_empty() && !w.clearing)
    }

    /// Waiting counts only while the line runs.
    pub(super) fn labels_due(&mut self) {
        let clock = self.running_time_us();
        let by = clock - std::mem::replace(&mut self.label_clock_us, clock);
        let waiting: Vec<(ParentNo, CodeRef, LevelNo)> = self
            .book
            .live_parents()
            .map(|no| (no, &self.book.parents[&no]))
            .filter(|(_, p)| p.state == ParentState::Labelling)
            .filter_map(|(no, p)| Some((no, p.code?, p.level)))
            .collect();
        for (parent, code, level) in waiting {
            let waited = self.label_waits.entry(parent).or_insert(0);
            *waited += by;
            if *waited >= self.label_wait_us(level) {
                self.relabel(parent, code, level);
            }
        }
    }

    fn label_wait_us(&self, level: LevelNo) -> u64 {
        let reads = |s: &&Station| s.level == level && (s.role == Role::Verify || s.gather == Some(Gather::ParentLast));
        let ms = self.plan.stations.iter().find(reads).map_or(5_000, |s| s.label_wait_ms);
        u64::from(ms) * MS
    }

    /// No read-back in time: this number is void, the next one for the same children; given up after `RELABELS`.
    fn relabel(&mut self, parent: ParentNo, code: CodeRef, level: LevelNo) {
        self.label_waits.remove(&parent);
        let again = self.book.parents[&parent].relabels < RELABELS;
        match again.then(|| self.burn_number(level)).flatten() {
            Some(next) => {
                self.forget_window(code);
                self.emit(Event::Relabelled { parent, void: code, next });
                self.print_labels();
            }
            None => {
                self.undo_labelled(parent, Reason::NoRead);
                self.raise(format!("label-unread:{}", parent.0));
            }
        }
    }

    pub(super) fn forget_window(&mut self, code: CodeRef) {
        for w in self.windows.values_mut() {
            if let Some(i) = w.codes.iter().position(|c| *c == code) {
                w.codes.remove(i);
                w.taken -= usize::from(i < w.taken);
            }
        }
    }

    /// Both things rejected, label void, number burnt; the children are loose again.
    pub(super) fn undo_labelled(&mut self, parent: ParentNo, reason: Reason) {
        self.label_waits.remove(&parent);
        let row = &self.book.parents[&parent];
        let (code, state) = (row.code, row.state);
        self.undo(parent, state == ParentState::Sealed, Some(reason));
        if let Some(code) = code {
            self.void_number(code);
        }
    }

    /// Voids a burnt number wherever it stands.
    pub(super) fn void_number(&mut self, code: CodeRef) {
        self.forget_window(code);
        if matches!(
            self.book.state(code),
            ItemState::Leased | ItemState::Sent | ItemState::Printed | ItemState::Doubtful | ItemState::Missing | ItemState::Pooled
        ) {
            self.emit(Event::Void { codes: vec![code] });
        }
    }

    pub(super) fn labels_deadline(&self) -> Option<u64> {
        if !self.running() {
            return None;
        }
        let clock = self.running_time_us();
        let next = self.label_waits.iter().filter_map(|(p, waited)| {
            let level = self.book.parents.get(p)?.level;
            Some(self.label_wait_us(level).saturating_sub(*waited + (clock - self.label_clock_us)))
        });
        next.min().map(|left| self.now.mono_us + left.max(MS))
    }
}
