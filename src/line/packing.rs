//! Packing, the same rule at every level: children gather, the parent closes, is labelled, is read, is sealed.

use super::bond::Bond;
use super::input::{Mark, Reading};
use super::judge::unknown;
use super::law::Law;
use super::live::Line;
use crate::vocab::event::{Event, Seen};
use crate::vocab::plan::{CodeSource, Gather, Role, Station};
use crate::vocab::{CodeRef, ItemState, LevelNo, ParentNo, ParentState, Passage, Reason, StationNo};
use std::collections::{BTreeMap, BTreeSet};

impl<L: Law> Line<L> {
    /// A frame station: one frame (or several of one parent) shows all children and, pre-printed, the parent's own code.
    /// `last`: nothing more will come.
    pub(super) fn judge_frame(&mut self, s: &Station, no: Passage, last: bool) {
        let Some(o) = self.open_mut(s.no, no) else { return };
        let marks = o.marks.clone();
        let child_level = self.plan.child_level(s.level).expect("a pack station is above the bottom").no;
        let level = self.plan.level(s.level).clone();
        let needs_code = level.codes == CodeSource::Preprinted;
        let mut children: BTreeMap<CodeRef, Bond> = BTreeMap::new();
        let mut own: Option<CodeRef> = None;
        let mut wrong: Option<(Reason, Option<Seen>)> = None;
        for m in marks.iter().filter(|m| **m != Mark::NoRead) {
            if let Some(code) = m.item()
                && needs_code
                && self.book.packs[&code.pack].level == level.name
            {
                match (own, self.judge_code(m, s.level)) {
                    (Some(o), _) if o != code => wrong = wrong.or(Some((Reason::OverCount, None))),
                    (_, Ok(code)) => own = Some(code),
                    (_, Err(e)) => {
                        // Known, and not good enough: it is this thing's code all the same.
                        if e.0 == Reason::Grade {
                            own = Some(code);
                        }
                        wrong = wrong.or(Some(e));
                    }
                }
                continue;
            }
            match self.judge_child(m, child_level) {
                Ok(code) => drop(children.insert(code, self.bond(m, s.level))),
                Err((Reason::Escape, seen)) => {
                    if let Some(Seen::Known(code)) = seen {
                        self.name_escape(code);
                    }
                    wrong = Some((Reason::Escape, seen));
                }
                Err(e) => wrong = wrong.or(Some(e)),
            }
        }
        let stranger = children.iter().find(|(_, bond)| !self.frame_fits(**bond, s.level, own));
        wrong = wrong.or(stranger.map(|(code, _)| (Reason::Foreign, Some(Seen::Known(*code)))));
        let own_seen = own.map(Seen::Known);
        let own_state = own.map(|c| self.book.state(c));
        let fresh = own.is_none_or(|c| self.number_is_free(c));
        let to = own.filter(|_| fresh).map(|_| ItemState::Rejected);
        let reason = if marks.iter().all(|m| *m == Mark::NoRead) {
            Some(Reason::NoRead)
        } else if !fresh {
            Some(if own_state == Some(ItemState::Void) { Reason::Void } else { Reason::Duplicate })
        } else if let Some((reason, _)) = wrong {
            Some(reason)
        } else if children.len() > level.holds as usize {
            Some(Reason::OverCount)
        } else if children.len() < level.holds as usize {
            last.then_some(Reason::UnderCount)
        } else if needs_code && own.is_none() {
            last.then_some(Reason::NoRead)
        } else if !needs_code && !self.number_left(s.level) {
            // Its label cannot come in time; nothing is opened that could not be closed.
            Some(Reason::Late)
        } else {
            return self.close_framed(s, no, own, &children.into_keys().collect());
        };
        if let Some(reason) = reason {
            // The book names the parent if its code was read, else the code that was wrong.
            let seen = own_seen.or(wrong.and_then(|w| w.1));
            self.reject(s.no, no, reason, seen, to);
            if reason == Reason::Duplicate && own.is_some() {
                self.step_lost_by_duplicate(s.no);
            }
        }
    }

    /// All there: opened, closed and, when its code is its own, sealed in one transaction.
    fn close_framed(&mut self, s: &Station, no: Passage, own: Option<CodeRef>, children: &BTreeSet<CodeRef>) {
        let parent = self.next_parent();
        self.emit(Event::Opened { parent, station: s.no, level: s.level, code: own });
        let list: Vec<CodeRef> = children.iter().copied().collect();
        self.verify_for_broken_law(&list);
        match own {
            Some(code) => {
                self.emit(Event::Closed { parent, code: Some(code), children: list });
                self.emit(Event::Sealed { parent, station: s.no });
                self.accept(s.no, no, code, None);
            }
            None => {
                list.iter().for_each(|c| self.emit(Event::Gathered { parent, code: *c }));
                if let Some(code) = self.close_generated(s, parent) {
                    self.accept(s.no, no, code, None);
                }
            }
        }
    }

    /// Only a simulator's broken law comes here with an unverified child.
    fn verify_for_broken_law(&mut self, children: &[CodeRef]) {
        if L::SEALS_UNVERIFIED {
            for c in children.iter().filter(|c| self.book.state(**c) != ItemState::Verified).copied().collect::<Vec<_>>() {
                let station = self.plan.stations[0].no;
                let (seen, to) = (Some(Seen::Known(c)), Some(ItemState::Verified));
                self.emit(Event::Verdict { station, passage: Passage(0), good: true, reason: None, seen, to, revises: false });
            }
        }
    }

    pub(super) fn next_parent(&self) -> ParentNo {
        ParentNo(self.book.parents.keys().next_back().map_or(1, |p| p.0 + 1))
    }

    /// The parent open at a station.
    pub(super) fn open_parent(&self, station: StationNo) -> Option<ParentNo> {
        self.book.live_parents().find(|no| self.book.parents[no].station == station && self.book.parents[no].state == ParentState::Open)
    }

    pub(super) fn parent_with_code(&self, code: CodeRef, state: ParentState) -> Option<ParentNo> {
        self.book.parent_of_number(code).filter(|no| self.book.parents[no].state == state)
    }

    /// The sequence station that takes things leaving `station`, if any.
    pub(super) fn sequence_after(&self, station: StationNo) -> Option<StationNo> {
        let from = self.plan.stations.iter().position(|s| s.no == station)?;
        let parent = self.plan.parent_level(self.plan.stations[from].level)?;
        self.plan.stations.iter().find(|s| s.level == parent.no && s.gather == Some(Gather::Sequence)).map(|s| s.no)
    }

    /// One edge at a sequence station: the head of the queue from the station before is in front of it.
    pub(super) fn sequence_edge(&mut self, s: &Station, no: Passage) {
        if self.book.stations.get(&s.no).is_some_and(|r| r.out_of_step) {
            return self.reject(s.no, no, Reason::NoRead, None, None);
        }
        let head = self.book.queues.get(&s.no).and_then(|q| q.front().copied());
        let now_us = self.running_time_us();
        let old = |code| s.transit_ms.is_some_and(|t| self.queued_at.get(&code).is_some_and(|at| now_us - at > u64::from(t) * 1000));
        let Some(code) = head.filter(|c| !old(*c)) else {
            self.reject(s.no, no, Reason::NoRead, None, None);
            return self.lose_step(s);
        };
        self.queued_at.remove(&code);
        if let Some(reason) = self.unfit_for_sequence(s, code) {
            // It goes into the physical parent whatever is said of it here.
            self.reject(s.no, no, reason, Some(Seen::Known(code)), None);
            return self.lose_step(s);
        }
        self.take_in(s, no, code, Bond::Free);
    }

    /// Why what the queue expects cannot join the parent at a sequence station, if so.
    fn unfit_for_sequence(&self, s: &Station, code: CodeRef) -> Option<Reason> {
        let life = self.book.life(code);
        let open = self.open_parent(s.no).map_or(0, |p| self.book.parents[&p].children.len());
        if life.state != ItemState::Verified || life.parent != ParentNo(0) {
            // Taken off the belt and packed by hand: something else is in front of the eye.
            Some(Reason::Duplicate)
        } else if open >= self.plan.level(s.level).holds as usize {
            Some(Reason::OverCount)
        } else {
            self.is_bound(code, s.level).then_some(Reason::Foreign)
        }
    }

    /// A good child joins the station's open parent, or opens the next; full, the parent closes.
    fn take_in(&mut self, s: &Station, no: Passage, code: CodeRef, bond: Bond) -> ParentNo {
        let parent = self.open_parent(s.no).unwrap_or_else(|| {
            let parent = self.next_parent();
            self.emit(Event::Opened { parent, station: s.no, level: s.level, code: None });
            parent
        });
        self.emit(Event::Gathered { parent, code });
        self.bind(parent, bond);
        self.accept(s.no, no, code, None);
        self.close_if_full(s, parent);
        parent
    }

    /// A parent that was full when its level's range ran out closes as soon as there are numbers again.
    pub(super) fn close_full_ones(&mut self) {
        for s in self.plan.clone().stations.iter().filter(|s| s.role == Role::Pack) {
            if let Some(parent) = self.open_parent(s.no) {
                self.close_if_full(s, parent);
            }
        }
    }

    fn close_if_full(&mut self, s: &Station, parent: ParentNo) {
        if self.book.parents[&parent].children.len() >= self.plan.level(s.level).holds as usize
            && self.plan.level(s.level).codes == CodeSource::Generated
        {
            self.close_generated(s, parent);
        }
    }

    /// The parent is no more: its children are named as they leave it, and are loose again.
    pub(super) fn undo(&mut self, parent: ParentNo, broken: bool, reason: Option<Reason>) {
        let why = reason.map_or("void", Reason::word);
        for code in self.book.parents[&parent].children.clone() {
            self.emit(Event::TakenOut { parent, code, why: why.into() });
        }
        self.emit(Event::Undone { parent, broken, reason });
    }

    /// Nothing may be shifted silently: the open parent is void, the queue forgotten, the line Held until someone says
    /// that the physical parent is empty.
    pub(super) fn lose_step(&mut self, s: &Station) {
        if let Some(parent) = self.open_parent(s.no) {
            self.undo(parent, false, None);
        }
        self.emit(Event::Purged { station: s.no });
        self.raise(format!("out-of-step:{}", s.id));
        self.auto_resume = false;
        self.hold("out-of-step");
    }

    /// A thing seen twice on its way to a sequence station: what stands there in which order is not known any more.
    pub(super) fn step_lost_by_duplicate(&mut self, station: StationNo) {
        let plan = self.plan.clone();
        if let Some(next) = self.sequence_after(station)
            && !self.book.stations.get(&next).is_some_and(|r| r.out_of_step)
        {
            self.lose_step(plan.station(next));
        }
    }

    /// A scan at a station without a trigger opens and closes its own passage, outside the balance of passages.
    pub(super) fn scan(&mut self, s: &Station, reading: &Reading) {
        let Reading::Data(marks) = reading else { return };
        if s.role != Role::Pack && self.plan.level(s.level).codes == CodeSource::Generated {
            // Only on a thing that a trigger saw does a label seal (CONTRACT), and only there can it be the wrong one.
            return self.evidence(s.no, reading);
        }
        for m in marks.iter().filter(|m| **m != Mark::NoRead && !m.is_twin()) {
            if s.role == Role::Pack {
                self.scan_pack(s, m);
                continue;
            }
            // What no other thing of the scan explains is held against each of them.
            let explained = |t: &Mark| marks.iter().any(|o| o != m && !o.is_twin() && o.item() == t.item());
            let beside = marks.iter().filter(|t| t.is_twin() && !explained(t));
            let frame = std::iter::once(m).chain(beside).cloned().collect();
            let no = self.lanes.get_mut(&s.no).expect("a reading station has a lane").number();
            self.judge(s, no, &Reading::Data(frame));
        }
    }

    fn scan_pack(&mut self, s: &Station, mark: &Mark) {
        let no = self.lanes.get_mut(&s.no).expect("a reading station has a lane").number();
        let out_of_step = self.book.stations.get(&s.no).is_some_and(|r| r.out_of_step);
        let level_of = |m: &Mark| m.item().map(|code| self.book.packs[&code.pack].level.clone());
        let own = level_of(mark).is_some_and(|l| l == self.plan.level(s.level).name);
        if out_of_step {
            let seen = match mark {
                Mark::Code { code, .. } => Some(Seen::Known(*code)),
                Mark::Unknown(b) => Some(unknown(b)),
                Mark::NoRead => None,
            };
            self.refuse_scan(s, no, Reason::WrongJob, seen);
        } else if own {
            self.scan_parent(s, no, mark);
        } else {
            self.scan_child(s, no, mark);
        }
    }

    /// A refused scan counts as a reject of this station but never stops the line by itself: nothing moved.
    fn refuse_scan(&mut self, s: &Station, no: Passage, reason: Reason, seen: Option<Seen>) {
        self.note_verdict(s.no, false, Some(reason), seen.as_ref());
        self.emit(Event::Verdict { station: s.no, passage: no, good: false, reason: Some(reason), seen, to: None, revises: false });
    }

    fn scan_child(&mut self, s: &Station, no: Passage, mark: &Mark) {
        let child_level = self.plan.child_level(s.level).expect("a pack station is above the bottom").no;
        let open = self.open_parent(s.no);
        match self.judge_child(mark, child_level) {
            Ok(code) => {
                if s.gather == Some(Gather::ParentFirst) && open.is_none() {
                    return self.refuse_scan(s, no, Reason::WrongLevel, Some(Seen::Known(code)));
                }
                let holds = self.plan.level(s.level).holds as usize;
                if open.is_some_and(|p| self.book.parents[&p].children.len() >= holds) {
                    return self.refuse_scan(s, no, Reason::OverCount, Some(Seen::Known(code)));
                }
                let bond = self.bond(mark, s.level);
                if !self.joins(s, open, bond) {
                    return self.refuse_scan(s, no, Reason::Foreign, Some(Seen::Known(code)));
                }
                let parent = self.take_in(s, no, code, bond);
                if s.gather == Some(Gather::ParentFirst) && self.book.parents[&parent].children.len() >= holds {
                    self.seal_preprinted(s, parent);
                }
            }
            Err((Reason::Escape, seen)) => {
                if let Some(Seen::Known(code)) = seen {
                    self.name_escape(code);
                }
                self.refuse_scan(s, no, Reason::Escape, seen);
                self.lose_step(s);
            }
            Err((reason, seen)) => self.refuse_scan(s, no, reason, seen),
        }
    }

    /// The parent's own code: first (parent-first), or last.
    fn scan_parent(&mut self, s: &Station, no: Passage, mark: &Mark) {
        let code = match self.judge_code(mark, s.level) {
            Ok(code) => code,
            Err((reason, seen)) => return self.refuse_scan(s, no, reason, seen),
        };
        let seen = Some(Seen::Known(code));
        let open = self.open_parent(s.no);
        if self.plan.level(s.level).codes == CodeSource::Generated {
            if let Some(parent) = self.parent_with_code(code, ParentState::Labelling) {
                self.emit(Event::Sealed { parent, station: s.no });
                self.label_waits.remove(&parent);
                return self.accept(s.no, no, code, None);
            }
            let reason = self.label_reason(code);
            return self.refuse_scan(s, no, reason, seen);
        }
        if !self.number_is_free(code) {
            let reason = if self.book.state(code) == ItemState::Void { Reason::Void } else { Reason::Duplicate };
            return self.refuse_scan(s, no, reason, seen);
        }
        match (s.gather, open) {
            (Some(Gather::ParentFirst), None) => {
                let parent = self.next_parent();
                self.emit(Event::Opened { parent, station: s.no, level: s.level, code: Some(code) });
                self.note_verdict(s.no, true, None, seen.as_ref());
            }
            (_, Some(parent)) if self.book.parents[&parent].code.is_none() && !self.may_carry(s, parent, code) => {
                self.refuse_scan(s, no, Reason::Foreign, seen)
            }
            (_, Some(parent)) if self.book.parents[&parent].children.len() == self.plan.level(s.level).holds as usize => {
                let children = self.book.parents[&parent].children.iter().copied().collect();
                self.emit(Event::Closed { parent, code: Some(code), children });
                self.emit(Event::Sealed { parent, station: s.no });
                self.accept(s.no, no, code, None);
            }
            _ => self.refuse_scan(s, no, Reason::UnderCount, seen),
        }
    }

    fn seal_preprinted(&mut self, s: &Station, parent: ParentNo) {
        let row = &self.book.parents[&parent];
        let (code, children) = (row.code, row.children.iter().copied().collect());
        self.emit(Event::Closed { parent, code, children });
        self.emit(Event::Sealed { parent, station: s.no });
        if let Some(code) = code {
            self.pass_through(s.no, code);
        }
    }

    /// Parents of a level whose label is out and not yet read, oldest first.
    pub(super) fn labelled(&self, level: LevelNo) -> Vec<ParentNo> {
        let mine = |no: &ParentNo| self.book.parents[no].level == level && self.book.parents[no].state == ParentState::Labelling;
        self.book.live_parents().filter(mine).collect()
    }
}
