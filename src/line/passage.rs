//! Passages: a trigger edge opens one, a frame or its deadline settles it. Which frame belongs to which edge is decided
//! here and nowhere else (CONTRACT, "A frame belongs to the passage whose edge …").
//!
//! Invariants: a passage gets one verdict, and at most one more that takes a good one back; a frame settles at most one
//! passage; what cannot be told apart is rejected on both sides.

use super::book::Book;
use super::input::{Effect, Mark, Reading};
use super::law::Law;
use super::live::Line;
use crate::vocab::event::{Event, Seen};
use crate::vocab::plan::{Gather, PointKind, Role, Station, Traits};
use crate::vocab::report::Poll;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, DeviceNo, ItemState, Order, Passage, Reason, StationNo};
use std::collections::VecDeque;

/// How long after a silent passage its frame may still turn up.
const OWED_US: u64 = 1_000 * MS;
/// After a reader's link is up again, frames of things whose edge came before this are stale.
const READER_SETTLE_US: u64 = 50 * MS;

/// More edges than this in one poll are no things.
const EDGES_AT_ONCE: u32 = 64;

/// One station's passages of this boot.
#[derive(Clone, Debug)]
pub struct Lane {
    next: u64,
    pub(super) open: VecDeque<Open>,
    /// Frames that came before their edge, with their time.
    held: Vec<(u64, Reading)>,
    /// A passage ended in silence: its frame may still come, until this time.
    owed_until_us: Option<u64>,
    counter: Option<u32>,
    level: Option<bool>,
    /// Edges before this time have no reader.
    reader_from_us: u64,
    reader_up: bool,
    pub(super) triggered: bool,
}

#[derive(Clone, Debug)]
pub struct Open {
    pub no: Passage,
    pub edge_us: u64,
    pub deadline_us: u64,
    pub settled: bool,
    pub good: bool,
    /// When the frame that settled it came.
    pub frame_us: Option<u64>,
    /// What was read so far (frames of one parent accumulate).
    pub marks: Vec<Mark>,
}

impl Lane {
    pub fn new(station: &Station, book: &Book) -> Self {
        Self {
            next: book.stations.get(&station.no).map_or(0, |s| s.last_passage.0) + 1,
            open: VecDeque::new(),
            held: Vec::new(),
            owed_until_us: None,
            counter: None,
            level: None,
            reader_from_us: 0,
            reader_up: station.device.is_none(),
            triggered: station.trigger.is_some(),
        }
    }

    pub(super) fn number(&mut self) -> Passage {
        self.next += 1;
        Passage(self.next - 1)
    }

    /// Passages begun and not yet decided.
    pub fn undecided(&self) -> u64 {
        self.open.iter().filter(|o| !o.settled).count() as u64
    }
}

/// Where no ink is proved any code of an item names it, and several of one item are one.
fn any_code(marks: Vec<Mark>) -> Vec<Mark> {
    let mut out: Vec<Mark> = Vec::with_capacity(marks.len());
    for m in marks.into_iter().map(Mark::as_any_code) {
        if m == Mark::NoRead || !out.contains(&m) {
            out.push(m);
        }
    }
    out
}

impl<L: Law> Line<L> {
    pub(super) fn reader_up(&mut self, device: DeviceNo) {
        let from = self.now.mono_us + READER_SETTLE_US;
        for s in self.plan.clone().stations_of(device) {
            if let Some(lane) = self.lanes.get_mut(&s.no) {
                (lane.reader_up, lane.reader_from_us) = (true, from);
                lane.held.clear();
            }
        }
    }

    pub(super) fn reader_down(&mut self, device: DeviceNo) {
        for s in self.plan.clone().stations_of(device).filter(|s| s.role != Role::Print) {
            let Some(lane) = self.lanes.get_mut(&s.no) else { continue };
            lane.reader_up = false;
            lane.held.clear();
            let waiting: Vec<Passage> = lane.open.iter().filter(|o| !o.settled).map(|o| o.no).collect();
            for no in waiting {
                self.reject(s.no, no, Reason::NoRead, None, None);
            }
        }
    }

    /// One poll of an I/O module: belts and encoders first, then edges, then gates see the new positions.
    pub(super) fn poll(&mut self, device: DeviceNo, poll: &Poll) {
        if !self.booted {
            return;
        }
        self.move_belts(device, poll);
        self.baseline(device, poll);
        for s in self.plan.clone().stations.iter() {
            let Some(t) = s.trigger.filter(|t| t.device == device) else { continue };
            let edges = self.edges(s.no, t, poll);
            if edges > EDGES_AT_ONCE {
                // No belt does that: the counter was disturbed, and what it counted meanwhile is unknown.
                if let Some((_, value)) = poll.counters.iter().find(|c| c.0 == t.number) {
                    self.emit(Event::Counter { station: s.no, value: *value });
                }
                self.raise(format!("counter-jump:{}", s.id));
                self.hold("counter-jump");
            } else if edges > 0 {
                self.edge(s, poll.at_us, edges);
            }
        }
        self.watch_confirm(device, poll);
        self.gates_polled(device, poll);
    }

    /// New edges of a trigger since the last poll.
    fn edges(&mut self, station: StationNo, t: crate::vocab::plan::Point, poll: &Poll) -> u32 {
        let Some(lane) = self.lanes.get_mut(&station) else { return 0 };
        match t.kind {
            PointKind::Counter => {
                let Some((_, value)) = poll.counters.iter().find(|c| c.0 == t.number) else { return 0 };
                let before = lane.counter.replace(*value).unwrap_or(*value);
                let by = value.wrapping_sub(before);
                // One that went backwards jumped too (`by` is more than any belt brings): the module restarted, and what it
                // missed is unknown.
                by
            }
            _ => {
                let Some((_, on)) = poll.inputs.iter().find(|i| i.0 == t.number) else { return 0 };
                let before = lane.level.replace(*on).unwrap_or(*on);
                u32::from(*on && !before)
            }
        }
    }

    /// Forgets where the counters stood: the next poll is a new baseline.
    pub(super) fn forget_counters(&mut self, device: DeviceNo) {
        for s in self.plan.clone().stations.iter().filter(|s| s.trigger.is_some_and(|t| t.device == device)) {
            if let Some(lane) = self.lanes.get_mut(&s.no) {
                (lane.counter, lane.level) = (None, None);
            }
        }
    }

    fn edge(&mut self, s: &Station, at_us: u64, edges: u32) {
        self.count_ghost_passages(s, edges);
        if s.role == Role::Pack && s.gather == Some(Gather::Sequence) {
            for _ in 0..edges {
                let no = self.lanes.get_mut(&s.no).expect("a triggered station has a lane").number();
                self.sequence_edge(s, no);
            }
            return;
        }
        let pair_us = u64::from(s.pair_ms) * MS;
        let mut fresh = Vec::new();
        for _ in 0..edges {
            let lane = self.lanes.get_mut(&s.no).expect("a triggered station has a lane");
            let no = lane.number();
            lane.open.push_back(Open {
                no,
                edge_us: at_us,
                deadline_us: at_us + u64::from(s.read_deadline_ms) * MS,
                settled: false,
                good: false,
                frame_us: None,
                marks: Vec::new(),
            });
            fresh.push(no);
            self.gate_open(s, no, at_us);
        }
        // Two edges in one poll cannot be told apart.
        let lane = self.lanes.get_mut(&s.no).expect("a triggered station has a lane");
        let blind = !lane.reader_up || at_us < lane.reader_from_us;
        if edges > 1 || blind {
            lane.held.clear();
            fresh.into_iter().for_each(|no| self.reject(s.no, no, Reason::NoRead, None, None));
            return;
        }
        if let Some(device) = s.device
            && matches!(&self.plan.device(device).traits, Traits::Reader(t) if t.by_command)
        {
            self.order_now(device, Order::Trigger { window_ms: s.read_deadline_ms });
        }
        let lane = self.lanes.get_mut(&s.no).expect("a triggered station has a lane");
        if L::CREDITS_LATE_FRAMES {
            if let Some((at, r)) = lane.held.pop() {
                self.deliver(s, fresh[0], at, r);
            }
            return;
        }
        // A frame within `pair_ms` before this edge that an earlier passage took may have been this thing's.
        let taken: Vec<Passage> =
            lane.open.iter().filter(|o| o.no != fresh[0] && o.frame_us.is_some_and(|f| f + pair_us >= at_us)).map(|o| o.no).collect();
        if !taken.is_empty() {
            for no in taken {
                self.take_back(s.no, no, Reason::NoRead);
            }
            self.reject(s.no, fresh[0], Reason::NoRead, None, None);
            return;
        }
        let held: Vec<(u64, Reading)> = std::mem::take(&mut lane.held);
        match held.len() {
            0 => {}
            1 => {
                let (at, r) = held.into_iter().next().expect("one frame is held");
                self.deliver(s, fresh[0], at, r);
            }
            _ => {
                // What the silent thing before is owed is among them.
                self.lanes.get_mut(&s.no).expect("a triggered station has a lane").owed_until_us = None;
                held.iter().for_each(|(_, r)| self.evidence(s.no, r));
                self.reject(s.no, fresh[0], Reason::NoRead, None, None);
            }
        }
    }

    pub(super) fn frame(&mut self, device: DeviceNo, at_us: u64, reading: Reading) {
        if !self.booted {
            return;
        }
        let plan = self.plan.clone();
        let Some(s) = plan.stations_of(device).find(|s| s.role != Role::Print) else { return };
        let reading = match reading {
            // All that it saw is passed over: the thing's own code may still come, in a frame of its own.
            Reading::Data(marks) if marks.is_empty() && s.trigger.is_some() => return,
            Reading::Fault(_) => Reading::NoRead,
            Reading::Data(marks) if !plan.proves_ink(s) => Reading::Data(any_code(marks)),
            r => r,
        };
        if s.trigger.is_none() {
            return self.scanned(s, device, at_us, &reading);
        }
        let lane = self.lanes.get_mut(&s.no).expect("a triggered station has a lane");
        if at_us < lane.reader_from_us {
            return self.evidence(s.no, &reading);
        }
        let window: Vec<(Passage, bool)> =
            lane.open.iter().filter(|o| o.edge_us <= at_us && at_us <= o.deadline_us).map(|o| (o.no, o.settled)).collect();
        let waiting: Vec<Passage> = window.iter().filter(|w| !w.1).map(|w| w.0).collect();
        match waiting.as_slice() {
            [one] => self.deliver(s, *one, at_us, reading),
            [] => match window.last() {
                Some((last, _)) => self.second_frame(s, *last, reading),
                // Also one that is still owed: the silent thing's, or that of the edge about to be seen.
                None => lane.held.push((at_us, reading)),
            },
            several => {
                let several = several.to_vec();
                self.evidence(s.no, &reading);
                several.into_iter().for_each(|no| self.reject(s.no, no, Reason::NoRead, None, None));
            }
        }
    }

    /// A scan at a station without a trigger: every one gets its word, a scan that did nothing is no good one.
    fn scanned(&mut self, s: &Station, device: DeviceNo, at_us: u64, reading: &Reading) {
        let before = self.out.events.len();
        self.scan(s, reading);
        let done = &self.out.events[before..];
        let good = !done.is_empty() && !done.iter().any(|e| matches!(e, Event::Verdict { good: false, .. } | Event::Purged { .. }));
        self.tell_reader(device, good, at_us);
    }

    /// A reader that waits for the verdict over its frame hears *bad* at once, *good* when it is on disk.
    fn tell_reader(&mut self, device: DeviceNo, good: bool, frame_us: u64) {
        if !matches!(&self.plan.device(device).traits, Traits::Reader(t) if t.wants_verdict) {
            return;
        }
        let order = Order::Verdict { good, frame_us };
        if good {
            self.out.wait = true;
            self.out.after.push(Effect::Order { device, order });
        } else {
            self.order_now(device, order);
        }
    }

    /// A frame for exactly this passage.
    fn deliver(&mut self, s: &Station, no: Passage, at_us: u64, reading: Reading) {
        let now_us = self.now.mono_us;
        let owed = {
            let lane = self.lanes.get_mut(&s.no).expect("a passage has a lane");
            lane.owed_until_us.take().is_some_and(|t| now_us < t)
        };
        let Some(o) = self.open_mut(s.no, no) else { return };
        o.frame_us = Some(at_us);
        if owed && !L::CREDITS_LATE_FRAMES && !self.later_than_missing(s, &reading) {
            // The silent passage before may have got its frame only now.
            self.evidence(s.no, &reading);
            return self.reject(s.no, no, Reason::NoRead, None, None);
        }
        self.judge(s, no, &reading);
    }

    /// A second frame in the window of a settled passage: a repeat is nothing, anything else cannot be told apart.
    fn second_frame(&mut self, s: &Station, no: Passage, reading: Reading) {
        let Some(o) = self.open_mut(s.no, no) else { return };
        let same = match &reading {
            Reading::Data(marks) => marks.iter().all(|m| o.marks.iter().any(|seen| m.says_no_more_than(seen))),
            _ => !o.good,
        };
        if same {
            return;
        }
        let good = o.good;
        self.evidence(s.no, &reading);
        if good && !L::CREDITS_LATE_FRAMES {
            self.take_back(s.no, no, Reason::NoRead);
        }
    }

    /// A frame that is nobody's: kept as evidence, never a pass.
    pub(super) fn evidence(&mut self, station: StationNo, reading: &Reading) {
        let Reading::Data(marks) = reading else { return };
        let seen: Vec<CodeRef> = marks.iter().filter(|m| !m.is_twin()).filter_map(Mark::item).collect();
        for code in seen {
            self.emit(Event::Read { station, seen: Seen::Known(code) });
        }
    }

    pub(super) fn open_mut(&mut self, station: StationNo, no: Passage) -> Option<&mut Open> {
        self.lanes.get_mut(&station)?.open.iter_mut().find(|o| o.no == no)
    }

    /// The verdict *reject*. `to`: the state its code gets, if any.
    pub(super) fn reject(&mut self, station: StationNo, no: Passage, reason: Reason, seen: Option<Seen>, to: Option<ItemState>) {
        self.settle(station, no, false, Some(reason), seen.clone(), to);
        if reason == Reason::NoRead && seen.is_none() {
            self.unread(station, no);
            self.count_unread(station);
        }
        let row = &self.book.stations[&station];
        if row.rejects_in_row >= self.plan.limits.consecutive_rejects && self.running() {
            let id = self.plan.station(station).id.clone();
            self.raise(format!("consecutive-rejects:{id}"));
            self.hold("consecutive-rejects");
        }
    }

    /// The verdict *good*: leaves by the gate only when it is on disk.
    pub(super) fn accept(&mut self, station: StationNo, no: Passage, code: CodeRef, to: Option<ItemState>) {
        self.settle(station, no, true, None, Some(Seen::Known(code)), to);
        self.out.wait = true;
        self.gate_accept(station, no, code);
    }

    fn settle(&mut self, station: StationNo, no: Passage, good: bool, reason: Option<Reason>, seen: Option<Seen>, to: Option<ItemState>) {
        let mut frame_us = None;
        if let Some(o) = self.open_mut(station, no) {
            debug_assert!(!o.settled, "a passage gets one verdict");
            (o.settled, o.good) = (true, good);
            frame_us = o.frame_us;
        }
        if let (Some(frame_us), Some(device)) = (frame_us, self.plan.station(station).device) {
            self.tell_reader(device, good, frame_us);
        }
        self.note_verdict(station, good, reason, seen.as_ref());
        self.emit(Event::Verdict { station, passage: no, good, reason, seen, to, revises: false });
        if !good {
            self.gate_reject(station, no);
        }
    }

    /// Takes back a good verdict whose thing has not reached the gate.
    pub(super) fn take_back(&mut self, station: StationNo, no: Passage, reason: Reason) {
        let open_good = self.open_mut(station, no).is_none_or(|o| o.good);
        let Some(code) = self.gate_code(station, no) else { return };
        if !open_good {
            return;
        }
        if let Some(o) = self.open_mut(station, no) {
            o.good = false;
        }
        self.withdraw(station, no, code, reason);
        self.gate_reject(station, no);
    }

    /// The events of a withdrawal: a sealed parent is broken, the code rejected, the passage counted anew.
    pub(super) fn withdraw(&mut self, station: StationNo, no: Passage, code: CodeRef, reason: Reason) {
        if let Some(parent) = self.parent_with_code(code, crate::vocab::ParentState::Sealed) {
            self.undo(parent, true, Some(reason));
        }
        let seen = Some(Seen::Known(code));
        self.note_verdict(station, false, Some(reason), seen.as_ref());
        self.emit(Event::Verdict {
            station,
            passage: no,
            good: false,
            reason: Some(reason),
            seen,
            to: Some(ItemState::Rejected),
            revises: true,
        });
    }

    pub(super) fn passages_due(&mut self) {
        let now_us = self.now.mono_us;
        let plan = self.plan.clone();
        for s in plan.stations.iter().filter(|s| s.role != Role::Print) {
            let Some(lane) = self.lanes.get_mut(&s.no) else { continue };
            if lane.open.is_empty() && lane.held.is_empty() {
                continue;
            }
            let pair_us = u64::from(s.pair_ms) * MS;
            let stale: Vec<Reading> = lane.held.iter().filter(|h| h.0 + pair_us < now_us).map(|h| h.1.clone()).collect();
            if !L::CREDITS_LATE_FRAMES {
                lane.held.retain(|h| h.0 + pair_us >= now_us);
            }
            let over: Vec<Passage> = lane.open.iter().filter(|o| !o.settled && o.deadline_us < now_us).map(|o| o.no).collect();
            if !L::CREDITS_LATE_FRAMES {
                // No edge followed: it was the silent thing's.
                if !stale.is_empty() {
                    lane.owed_until_us = None;
                }
                stale.iter().for_each(|r| self.evidence(s.no, r));
            }
            for no in over {
                self.deadline_passed(s, no);
            }
            let lane = self.lanes.get_mut(&s.no).expect("the lane was there");
            // A settled passage stays while an edge `pair_ms` after its frame could still contest it.
            while lane.open.front().is_some_and(|o| o.settled && o.deadline_us.max(o.frame_us.unwrap_or(0) + pair_us) < now_us) {
                lane.open.pop_front();
            }
        }
    }

    fn deadline_passed(&mut self, s: &Station, no: Passage) {
        let Some(o) = self.open_mut(s.no, no) else { return };
        if o.frame_us.is_some() {
            return self.judge_incomplete(s, no);
        }
        let until = self.now.mono_us + OWED_US;
        let lane = self.lanes.get_mut(&s.no).expect("a passage has a lane");
        lane.owed_until_us = Some(until);
        self.reject(s.no, no, Reason::NoRead, None, None);
    }

    pub(super) fn passages_deadline(&self) -> Option<u64> {
        self.lanes
            .iter()
            .flat_map(|(no, lane)| {
                let pair_us = u64::from(self.plan.station(*no).pair_ms) * MS;
                let held = lane.held.iter().map(move |h| h.0 + pair_us + 1).take(if L::CREDITS_LATE_FRAMES { 0 } else { usize::MAX });
                let open = lane.open.iter().filter(|o| !o.settled).map(|o| o.deadline_us + 1);
                held.chain(open)
            })
            .min()
    }
}
