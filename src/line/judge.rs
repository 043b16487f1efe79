//! What a reading is worth at its station: the match finds, the bytes and the book judge.

use super::input::{Mark, Reading};
use super::law::Law;
use super::live::Line;
use crate::vocab::event::{Event, MAX_UNKNOWN, Seen};
use crate::vocab::plan::{CodeSource, Role, Station};
use crate::vocab::{CodeRef, ItemState, LevelNo, ParentNo, ParentState, Passage, Reason, StationNo};

/// A code fit to go on, or why not.
pub(super) type Judged = Result<CodeRef, (Reason, Option<Seen>)>;

impl<L: Law> Line<L> {
    /// A frame for a passage of a triggered station.
    pub(super) fn judge(&mut self, s: &Station, no: Passage, reading: &Reading) {
        let marks = match reading {
            Reading::Data(marks) => marks.clone(),
            _ => Vec::new(),
        };
        if let Some(o) = self.open_mut(s.no, no) {
            for m in &marks {
                if !o.marks.contains(m) {
                    o.marks.push(m.clone());
                }
            }
        }
        match s.role {
            Role::Pack => self.judge_frame(s, no, false),
            _ if self.plan.level(s.level).codes == CodeSource::Generated => self.judge_label(s, no, &marks),
            _ => self.judge_item(s, no, &marks),
        }
    }

    /// The window closed on what was gathered so far.
    pub(super) fn judge_incomplete(&mut self, s: &Station, no: Passage) {
        if s.role == Role::Pack {
            self.judge_frame(s, no, true);
        } else {
            self.reject(s.no, no, Reason::NoRead, None, None);
        }
    }

    /// A verify station of a printed or pre-printed level.
    fn judge_item(&mut self, s: &Station, no: Passage, marks: &[Mark]) {
        let one = match single(marks) {
            Ok(m) => m,
            Err(reason) => return self.reject(s.no, no, reason, None, None),
        };
        let judged = match self.judge_code(one, s.level) {
            Ok(code) => Ok((code, true)),
            // Read well enough to know which code it is, and to prove its ink.
            Err((Reason::Grade, Some(Seen::Known(code)))) => Ok((code, false)),
            Err(other) => Err(other),
        };
        match judged {
            Ok((code, fine)) => {
                self.anchor(s.level, code);
                let state = self.book.state(code);
                let preprinted = self.plan.level(s.level).codes == CodeSource::Preprinted;
                let fresh = matches!(state, ItemState::Sent | ItemState::Printed | ItemState::Doubtful | ItemState::Missing)
                    || (preprinted && matches!(state, ItemState::Pooled | ItemState::Leased));
                match state {
                    _ if fresh && fine => self.accept(s.no, no, code, Some(ItemState::Verified)),
                    _ if fresh => self.reject(s.no, no, Reason::Grade, Some(Seen::Known(code)), Some(ItemState::Rejected)),
                    other => {
                        let reason = standing(other);
                        self.reject(s.no, no, reason, Some(Seen::Known(code)), None);
                        if reason == Reason::Duplicate {
                            self.step_lost_by_duplicate(s.no);
                        }
                    }
                }
            }
            Err((reason, seen)) => self.reject(s.no, no, reason, seen, None),
        }
    }

    /// Is this mark a code of ours, of this level, this job's product? Its state is the caller's to judge.
    pub(super) fn judge_code(&self, mark: &Mark, level: LevelNo) -> Judged {
        let (code, exact, poor) = match mark {
            Mark::Code { code, exact, poor, .. } => (*code, *exact, *poor),
            Mark::Unknown(bytes) => return Err((Reason::Foreign, Some(unknown(bytes)))),
            Mark::NoRead => return Err((Reason::NoRead, None)),
        };
        let seen = Some(Seen::Known(code));
        if !exact {
            return Err((Reason::Altered, seen));
        }
        if let Some(reason) = self.closed_reason(code) {
            return Err((reason, seen));
        }
        let pack = &self.book.packs[&code.pack];
        if pack.level != self.plan.level(level).name {
            return Err((Reason::WrongLevel, seen));
        }
        let Some(job) = self.book.current_job() else { return Err((Reason::WrongJob, seen)) };
        if pack.product != "*" && pack.product != job.product {
            return Err((Reason::WrongProduct, seen));
        }
        let life = self.book.life(code);
        if life.job != crate::vocab::JobNo(0) && life.job != job.no && !matches!(life.state, ItemState::Pooled | ItemState::Void) {
            return Err((Reason::WrongJob, seen));
        }
        if poor { Err((Reason::Grade, seen)) } else { Ok(code) }
    }

    /// Is this mark a loose, verified thing that is past its own station?
    pub(super) fn judge_child(&self, mark: &Mark, level: LevelNo) -> Judged {
        let code = self.judge_code(mark, level)?;
        let life = self.book.life(code);
        let bad = |r| Err((r, Some(Seen::Known(code))));
        match life.state {
            ItemState::Verified if life.parent != crate::vocab::ParentNo(0) => bad(Reason::Duplicate),
            ItemState::Verified if life.through => Ok(code),
            ItemState::Verified => bad(Reason::Escape),
            _ if L::SEALS_UNVERIFIED && !matches!(life.state, ItemState::Packed | ItemState::Void) => Ok(code),
            ItemState::Packed => bad(Reason::Duplicate),
            ItemState::Void => bad(Reason::Void),
            ItemState::Pooled | ItemState::Leased => bad(Reason::NotPrinted),
            _ => bad(Reason::Escape),
        }
    }

    /// A thing that should not have got this far: its own passage moves from rejected to escaped.
    pub(super) fn name_escape(&mut self, code: CodeRef) {
        let life = self.book.life(code);
        let (station, passage, was) = match life.state {
            ItemState::Rejected if life.passage != Passage(0) => (life.station, life.passage, life.reason.unwrap_or(Reason::Late)),
            ItemState::Missing => match self.missing_at.remove(&code) {
                Some((s, p)) => (s, p, Reason::NoRead),
                None => return,
            },
            _ => return,
        };
        let counted = self.book.stations.get(&station).is_some_and(|r| r.counts.rejected.contains_key(&was));
        if counted {
            self.emit(Event::Escaped { station, passage, was, code });
        }
    }

    /// A verify station of a generated level: the label must be the one the thing waits for.
    fn judge_label(&mut self, s: &Station, no: Passage, marks: &[Mark]) {
        let expected = self.labelled(s.level).first().copied();
        let one = match single(marks) {
            Ok(m) => self.judge_code(m, s.level),
            Err(reason) => Err((reason, None)),
        };
        let (reason, seen, own) = match one {
            Ok(code) => {
                let own = self.parent_with_code(code, ParentState::Labelling);
                if let Some(parent) = own.filter(|_| own == expected) {
                    return self.seal_read(s, no, parent, code);
                }
                let reason = if own.is_some() { Reason::Altered } else { self.label_reason(code) };
                (reason, Some(Seen::Known(code)), own)
            }
            Err((reason, seen)) => (reason, seen, None),
        };
        self.reject(s.no, no, reason, seen, None);
        // A void or finished number says nothing of the thing expected; anything else went by in its place.
        if !matches!(reason, Reason::Void | Reason::Duplicate | Reason::WrongJob) {
            self.undo_labelled_upto(s.level, own.or(expected), reason);
        }
    }

    /// The things of these parents went by the eye that reads their labels, and none of them was known by it.
    fn undo_labelled_upto(&mut self, level: LevelNo, upto: Option<ParentNo>, reason: Reason) {
        for p in self.labelled(level) {
            if upto.is_some_and(|u| p <= u) {
                self.undo_labelled(p, reason);
            }
        }
    }

    pub(super) fn label_reason(&self, code: CodeRef) -> Reason {
        match self.book.state(code) {
            ItemState::Void => Reason::Void,
            ItemState::Pooled | ItemState::Leased => Reason::NotPrinted,
            _ => Reason::Duplicate,
        }
    }

    /// The label was read on the thing itself.
    fn seal_read(&mut self, s: &Station, no: Passage, parent: ParentNo, code: CodeRef) {
        self.emit(Event::Sealed { parent, station: s.no });
        self.label_waits.remove(&parent);
        self.accept(s.no, no, code, None);
    }

    /// A passage without a code: which code was it, if the order tells?
    pub(super) fn unread(&mut self, station: StationNo, no: Passage) {
        let s = self.plan.clone();
        let s = s.station(station);
        if s.role != Role::Verify {
            return;
        }
        // A label nobody saw goes into the bin with its thing: the next number would end on another.
        if self.plan.level(s.level).codes == CodeSource::Generated {
            let expected = self.labelled(s.level).first().copied();
            return self.undo_labelled_upto(s.level, expected, Reason::NoRead);
        }
        if let Some(order) = self.orders.get_mut(&s.level)
            && order.anchored
            && let Some(front) = order.codes.front().copied()
            && self.book.state(front) == ItemState::Printed
        {
            order.codes.pop_front();
            self.missing_at.insert(front, (station, no));
            self.emit(Event::Missing { codes: vec![front] });
        }
    }

    /// A read tells where in the order we are.
    fn anchor(&mut self, level: LevelNo, code: CodeRef) {
        if let Some(order) = self.orders.get_mut(&level)
            && let Some(i) = order.codes.iter().position(|c| *c == code)
        {
            order.codes.drain(..=i);
            order.anchored = true;
        }
        for w in self.windows.values_mut() {
            w.ghosts.retain(|g| *g != code);
        }
        self.read_past(code);
    }

    /// After a silent passage: is this code one that comes later than the silent thing's?
    pub(super) fn later_than_missing(&self, s: &Station, reading: &Reading) -> bool {
        let Reading::Data(marks) = reading else { return true };
        let Some(order) = self.orders.get(&s.level).filter(|o| o.anchored && s.role == Role::Verify) else { return false };
        marks.iter().filter(|m| !m.is_twin()).filter_map(Mark::item).all(|c| order.codes.contains(&c))
    }
}

/// The one thing of a frame; repeats are one. A twin proves no ink and is passed over, unless it names another item: then
/// two things lie before the camera, or one with the codes of two, and which of them the printed code is on nobody knows.
/// Of several codes of one item that which is altered judges it.
fn single(marks: &[Mark]) -> Result<&Mark, Reason> {
    let mut own = marks.iter().filter(|m| **m != Mark::NoRead && !m.is_twin());
    let Some(first) = own.next() else { return Err(Reason::NoRead) };
    let same = |m: &&Mark| *m == first || (m.item().is_some() && m.item() == first.item());
    if !marks.iter().filter(|m| **m != Mark::NoRead).all(|m| same(&m)) {
        return Err(Reason::OverCount);
    }
    Ok(marks.iter().find(|m| matches!(m, Mark::Code { exact: false, .. })).unwrap_or(first))
}

pub(super) fn unknown(bytes: &[u8]) -> Seen {
    Seen::Unknown(bytes[..bytes.len().min(MAX_UNKNOWN)].to_vec())
}

/// Why a code in this state is no good at its verify station.
fn standing(state: ItemState) -> Reason {
    match state {
        ItemState::Pooled | ItemState::Leased => Reason::NotPrinted,
        ItemState::Void | ItemState::Returned => Reason::Void,
        _ => Reason::Duplicate,
    }
}
