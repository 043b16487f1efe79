//! Gates: from the trigger edge to the moment the thing is in front of the gate (`motion.rs` knows where it is).
//! A thing passes only by positive word that is on disk; a reject waits for nothing.
//!
//! Invariants: one job per passage, in the order of the edges; `Through` is written only after a poll answered later
//! than the end of the pulse (the module works requests in order, so the pulse was carried out).

use super::law::Law;
use super::live::Line;
use super::mouth::Mouth;
use crate::vocab::event::Event;
use crate::vocab::plan::{After, Gate, PointKind, Polarity, Station};
use crate::vocab::report::Poll;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, DeviceNo, Passage, Reason, StationNo};
use std::collections::VecDeque;

/// A module silent for less than this has lost nothing on the way: a lost segment of TCP is sent again after 200 ms at
/// the earliest (RFC 6298 as Linux sets it). What was written before was carried out, only later heard of.
const SILENCE_US: u64 = 150 * MS;

/// Most that an edge is taken to lie before the poll that showed it.
const EDGE_AGO_US: u64 = 50 * MS;
/// A linked module that was not polled for so long is held for gone.
const POLL_SILENCE_US: u64 = 400 * MS;
/// Polls too far apart for the pulses, in a row, that hold the line.
const SLOW_POLLS: u32 = 5;
/// Polls follow each other at this distance (`wire::modbus`) when the module answers at once; a longer one is its own
/// time, about half of it a request.
const POLL_US: u64 = 5 * MS;
/// Most that a pulse begins earlier for a module that takes its time.
const LEAD_US: u64 = 20 * MS;

/// Within this of its bytes a coil has moved.
const TAKES_US: u64 = 8 * MS;
/// Changes of an output that are remembered.
const MOST_STOOD: usize = 32;

/// Where a thing stands is known so well.
const SEEN_US: u64 = 10 * MS;
/// Nearer to a gate's pulse than this a person may take it for a thing that is through.
const NEAR_US: u64 = 40 * MS;

#[derive(Clone, Debug, Default)]
pub struct GateLane {
    pub(super) jobs: VecDeque<Job>,
    /// Energised by us.
    pub(super) on: bool,
    /// Everything before this position is unknown and rejected (after a start or a lost module).
    flush_to: Option<u64>,
    last_poll_us: u64,
    /// Where things stood at that poll: what was past its middle then went by under a module that answered.
    seen_to: u64,
    /// What its output was made to be, and when; the newest last.
    stood: VecDeque<(u64, bool)>,
    /// How long the module takes to answer, of late: a write may wait behind one read.
    lag_us: u64,
    pub(super) mouth: Mouth,
    /// Somebody took it back to where it rests; it stays there until the line goes on.
    pub(super) retracted: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub no: Passage,
    /// Position of the thing's middle at the gate: pulses, or µs of running belt.
    pub due: u64,
    pub word: Word,
    pub fired: Option<u64>,
    /// When its middle was in front of the gate.
    crossed_us: Option<u64>,
    /// The pulse is over since then (mono µs).
    pub(super) over_us: Option<u64>,
    /// The module was silent around the pulse: what it did is unknown.
    pub unsure: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Word {
    None,
    Good { code: CodeRef, ticket: u64 },
    Reject,
}

/// How a gate's output stood, as far as is known. A coil that was sent its word in the last moment may be late.
fn stood_at(stood: &VecDeque<(u64, bool)>, gate: &Gate, at_us: u64) -> Option<bool> {
    let takes_us = (u64::from(gate.pulse_ms) * MS / 4).min(TAKES_US);
    let (sent_us, on) = stood.iter().rev().find(|s| s.0 + takes_us <= at_us)?;
    let lasts = gate.output.kind != PointKind::Pulse || at_us < sent_us + u64::from(gate.pulse_ms) * MS;
    Some(*on && lasts)
}

impl<L: Law> Line<L> {
    pub(super) fn gate_open(&mut self, s: &Station, no: Passage, at_us: u64) {
        let Some(gate) = s.gate else { return };
        // The edge fell somewhere between the poll before and this one: in the middle, on average.
        let before_us = self.gates.get(&s.no).map_or(0, |l| l.last_poll_us);
        let lag_us = self.gates.get(&s.no).map_or(0, |l| l.lag_us);
        let gap_us = if before_us == 0 { 0 } else { at_us.saturating_sub(before_us) };
        let ago_us = (gap_us / 2 + lag_us / 2).min(EDGE_AGO_US);
        let here = self.position(&gate, at_us).saturating_sub(self.travel(&gate, ago_us));
        let due = here
            + match gate.after {
                After::Pulses { n, .. } => u64::from(n),
                After::Ms { ms, .. } => u64::from(ms) * MS,
            };
        let half_gap = self.travel(&gate, u64::from(s.min_spacing_ms) * MS / 2);
        let lane = self.gates.get_mut(&s.no).expect("a gated station has a gate lane");
        if let Some(f) = &mut lane.flush_to {
            *f = (*f).min(due.saturating_sub(half_gap));
        }
        lane.jobs.push_back(Job { no, due, word: Word::None, fired: None, crossed_us: None, over_us: None, unsure: false });
    }

    pub(super) fn gate_accept(&mut self, station: StationNo, no: Passage, code: CodeRef) {
        let ticket = self.this_ticket();
        match self.gate_job(station, no) {
            Some(j) => j.word = Word::Good { code, ticket },
            None => self.pass_through(station, code),
        }
    }

    pub(super) fn gate_reject(&mut self, station: StationNo, no: Passage) {
        if let Some(j) = self.gate_job(station, no) {
            j.word = Word::Reject;
        }
    }

    /// The code of a good passage that is still on its way to the gate.
    pub(super) fn gate_code(&self, station: StationNo, no: Passage) -> Option<CodeRef> {
        let j = self.gates.get(&station)?.jobs.iter().find(|j| j.no == no)?;
        match j.word {
            Word::Good { code, .. } => Some(code),
            _ => None,
        }
    }

    fn gate_job(&mut self, station: StationNo, no: Passage) -> Option<&mut Job> {
        self.gates.get_mut(&station)?.jobs.iter_mut().find(|j| j.no == no)
    }

    /// The thing is past its station for good: a sequence station may now expect it.
    pub(super) fn pass_through(&mut self, station: StationNo, code: CodeRef) {
        let queue = self.sequence_after(station);
        if queue.is_some() {
            self.queued_at.insert(code, self.running_time_us());
        }
        self.emit(Event::Through { station, code, queue });
    }

    /// After a start or a lost module: what stands between trigger and gate is unknown, reject until it has gone by.
    pub(super) fn flush_gates(&mut self, device: Option<DeviceNo>) {
        for s in self.plan.clone().stations.iter() {
            let Some(gate) = s.gate else { continue };
            if gate.polarity == Polarity::Reject && device.is_none_or(|d| d == gate.output.device) {
                self.flush_gate(s);
            }
        }
    }

    pub(super) fn flush_gate(&mut self, s: &Station) {
        let Some(gate) = s.gate else { return };
        let to = self.position(&gate, self.now.mono_us)
            + match gate.after {
                After::Pulses { n, .. } => u64::from(n),
                After::Ms { ms, .. } => u64::from(ms) * MS,
            }
            + self.travel(&gate, u64::from(s.min_spacing_ms) * MS / 2);
        self.gates.get_mut(&s.no).expect("a gated station has a gate lane").flush_to = Some(to);
    }

    /// The module is here (again): its coils may stand as an earlier boot, or the link before, left them. The permit as it
    /// is wanted now, every gate to *reject*, before anything else.
    pub(super) fn io_up(&mut self, device: DeviceNo) {
        if let Some(p) = self.plan.run_permit.filter(|p| p.output.device == device) {
            self.output(p.output, self.permit_wanted);
        }
        for s in self.plan.clone().stations.iter() {
            let Some(gate) = s.gate.filter(|g| g.output.device == device) else { continue };
            let lane = self.gates.get_mut(&s.no).expect("a gated station has a gate lane");
            let on = gate.polarity == Polarity::Reject && !lane.retracted;
            lane.on = on;
            self.output(gate.output, on);
        }
        self.flush_gates(Some(device));
        self.tower_again();
    }

    /// A module that is linked and does not answer its polls is no module: passages go by unseen, gates uncontrolled.
    pub(super) fn io_due(&mut self) {
        if !self.running() || !self.counters_seen {
            return;
        }
        let now_us = self.now.mono_us;
        for d in self.plan.clone().devices.iter().filter(|d| d.traits.is_io()) {
            let polled = self.polled_us.get(&d.no).copied().unwrap_or(0);
            if polled != 0 && now_us > polled + POLL_SILENCE_US {
                self.raise(format!("io-slow:{}", d.id));
                self.hold("io-slow");
            }
        }
    }

    /// Polls so far apart that a pulse cannot be set by them: after a few in a row the line is held.
    fn watch_pace(&mut self, device: DeviceNo, gap_us: u64) {
        let plan = self.plan.clone();
        let gates = plan.stations.iter().filter_map(|s| s.gate).filter(|g| g.output.device == device);
        let Some(limit_ms) = gates.map(|g| g.pulse_ms / 2 + g.tolerance_ms).min() else { return };
        let slow = self.slow_polls.entry(device).or_default();
        *slow = if gap_us > u64::from(limit_ms) * MS { *slow + 1 } else { 0 };
        let (slow, id) = (*slow, &plan.device(device).id);
        if slow >= SLOW_POLLS && self.running() {
            self.raise(format!("io-slow:{id}"));
            self.hold("io-slow");
        } else if slow == 0 {
            self.lower(&format!("io-slow:{id}"));
        }
    }

    /// The module is gone: nothing in front of its gates is known to have passed.
    pub(super) fn io_down(&mut self, device: DeviceNo) {
        let plan = self.plan.clone();
        let mine: Vec<&Station> = plan.stations.iter().filter(|s| s.gate.is_some_and(|g| g.output.device == device)).collect();
        for s in &mine {
            let lane = self.gates.get_mut(&s.no).expect("a gated station has a gate lane");
            let (jobs, seen_to) = (lane.jobs.clone(), std::mem::take(&mut lane.seen_to));
            let mut uncertain = false;
            for j in jobs {
                let by = self.was_by(s, &j, seen_to);
                uncertain |= !by;
                match j.word {
                    Word::Good { code, .. } if by => self.pass_through(s.no, code),
                    Word::Good { .. } => self.take_back(s.no, j.no, Reason::Late),
                    Word::None => self.reject(s.no, j.no, Reason::NoRead, None, None),
                    Word::Reject => {}
                }
            }
            let lane = self.gates.get_mut(&s.no).expect("a gated station has a gate lane");
            lane.jobs.clear();
            lane.stood.clear();
            (lane.on, lane.last_poll_us, lane.mouth) = (false, 0, Mouth::default());
            if uncertain {
                self.mark_uncertain(s.no);
            }
        }
        if plan.devices.iter().any(|d| d.no == device && d.traits.is_io()) {
            self.forget_counters(device);
            self.polled_us.remove(&device);
            self.counters_seen = false;
            self.belts.retain(|p, _| p.device != device);
            self.encoders.retain(|p, _| p.device != device);
            if self.running() {
                self.auto_resume |= self.plan.resume_after_crash;
                self.hold("device-down");
            }
        }
    }

    /// The thing had its middle past the gate, its word was out, and the module answered after that.
    fn was_by(&self, s: &Station, j: &Job, seen_to: u64) -> bool {
        let lag_us = self.gates.get(&s.no).map_or(0, |l| l.lag_us);
        let near = s.gate.map_or(0, |g| self.travel(&g, u64::from(g.tolerance_ms) * MS + SEEN_US + lag_us));
        j.fired.is_some() && !j.unsure && j.due + near <= seen_to
    }

    /// A poll answered: pulses that ended before it are known to be done.
    pub(super) fn gates_polled(&mut self, device: DeviceNo, poll: &Poll) {
        if poll.safe {
            let id = self.plan.device(device).id.clone();
            self.raise(format!("io-safe:{id}"));
        }
        let before = self.polled_us.insert(device, poll.at_us).unwrap_or(0);
        if before != 0 {
            self.watch_pace(device, poll.at_us.saturating_sub(before));
        }
        for s in self.plan.clone().stations.iter() {
            let Some(gate) = s.gate.filter(|g| g.output.device == device) else { continue };
            let here = self.position(&gate, poll.at_us);
            let seen_to = std::mem::replace(&mut self.gates.get_mut(&s.no).expect("a gated station has a gate lane").seen_to, here);
            let by: Vec<Passage> = self.gates[&s.no].jobs.iter().filter(|j| self.was_by(s, j, seen_to)).map(|j| j.no).collect();
            let lane = self.gates.get_mut(&s.no).expect("a gated station has a gate lane");
            let before = std::mem::replace(&mut lane.last_poll_us, poll.at_us);
            if before != 0 {
                let gap = poll.at_us.saturating_sub(before);
                let lag = if gap > POLL_US + MS { (gap / 2).min(LEAD_US) } else { 0 };
                // Up at once, down slowly.
                lane.lag_us = lag.max(lane.lag_us - lane.lag_us / 16);
            }
            let silence = before != 0 && poll.at_us - before > SILENCE_US;
            lane.stood.extend(poll.taken.iter().filter(|t| t.number == gate.output.number).map(|t| (t.sent_us, t.on)));
            let surplus = lane.stood.len().saturating_sub(MOST_STOOD);
            lane.stood.drain(..surplus);
            let mut done = Vec::new();
            for j in &mut lane.jobs {
                let fired = j.fired.is_some_and(|f| f <= poll.at_us);
                if fired && !by.contains(&j.no) && j.over_us.is_none_or(|o| o >= before) && (silence || poll.safe) {
                    j.unsure = true;
                }
                if j.over_us.is_some_and(|o| o < poll.at_us) {
                    // Its pulse may have been sent when it was by already.
                    let stood = j.crossed_us.and_then(|at_us| stood_at(&lane.stood, &gate, at_us));
                    let good = matches!(j.word, Word::Good { .. });
                    j.unsure |= good && stood.is_some_and(|on| on != (gate.polarity == Polarity::Pass));
                    done.push((j.no, j.word, j.unsure));
                }
            }
            lane.jobs.retain(|j| j.over_us.is_none_or(|o| o >= poll.at_us));
            for (no, word, unsure) in done {
                match word {
                    Word::Good { code, .. } if unsure => self.withdraw(s.no, no, code, Reason::Late),
                    Word::Good { code, .. } => self.pass_through(s.no, code),
                    // The coil may have stood as it was for the thing before: this one may have got by.
                    Word::Reject | Word::None if unsure && self.running() => self.hold("gate-late"),
                    Word::Reject | Word::None => {}
                }
                if unsure {
                    self.raise(format!("gate-late:{}", s.id));
                    self.mark_uncertain(s.no);
                }
            }
        }
    }

    /// The belt stands for good (a job's end, an orderly stop): what is past the middle of its pulse has gone by, what is
    /// short of it will not be let through any more. Its stop was seen a poll late, so that it is taken to have moved on
    /// that much further.
    pub(super) fn settle_gates(&mut self) {
        let now_us = self.now.mono_us;
        for s in self.plan.clone().stations.iter() {
            let Some(gate) = s.gate else { continue };
            let here = self.position(&gate, now_us).saturating_sub(self.travel(&gate, POLL_US));
            let lane = self.gates.get_mut(&s.no).expect("a gated station has a gate lane");
            for j in std::mem::take(&mut lane.jobs) {
                match j.word {
                    Word::Good { code, .. } if j.fired.is_some() && here >= j.due && !j.unsure => self.pass_through(s.no, code),
                    Word::Good { code, .. } => self.withdraw(s.no, j.no, code, Reason::Late),
                    Word::None if self.open_mut(s.no, j.no).is_some_and(|o| !o.settled) => {
                        self.reject(s.no, j.no, Reason::NoRead, None, None);
                    }
                    Word::None | Word::Reject => {}
                }
            }
        }
    }

    /// Somebody empties a sequence station and the belt back to the gate before it: what stands about that gate gets its
    /// word now, so that line and people mean the same things. Past the middle it has gone by (and is taken away with
    /// the others), nearly there it will not be let through any more, further back it comes as ever.
    pub(super) fn settle_before(&mut self, sequence: StationNo) {
        let now_us = self.now.mono_us;
        for s in self.plan.clone().stations.iter() {
            let Some(gate) = s.gate.filter(|_| self.sequence_after(s.no) == Some(sequence)) else { continue };
            if self.permit_given() || self.moves(&gate) {
                continue;
            }
            let here = self.position(&gate, now_us);
            let near = here + self.travel(&gate, u64::from(gate.pulse_ms) * MS / 2 + NEAR_US);
            let past = here + self.travel(&gate, SEEN_US);
            let jobs: Vec<Job> = self.gates[&s.no].jobs.iter().filter(|j| j.due <= near).cloned().collect();
            for j in jobs {
                match j.word {
                    Word::Good { code, .. } if j.fired.is_some() && past >= j.due && !j.unsure => {
                        self.pass_through(s.no, code);
                        self.gates.get_mut(&s.no).expect("a gated station has a gate lane").jobs.retain(|x| x.no != j.no);
                    }
                    Word::Good { .. } => self.take_back(s.no, j.no, Reason::Late),
                    Word::None | Word::Reject => {}
                }
            }
        }
    }

    pub(super) fn gates_due(&mut self) {
        let now_us = self.now.mono_us;
        for s in self.plan.clone().stations.iter() {
            let Some(gate) = s.gate else { continue };
            let here = self.position(&gate, now_us);
            let half = self.travel(&gate, u64::from(gate.pulse_ms) * MS / 2);
            let moves = self.permit_given() || self.plan.run_permit.is_none() || self.moves(&gate);
            self.fire(s, &gate, here, half);
            // The level the coil must have now: in the pulse of a thing that needs it, or flushing.
            let lane = self.gates.get_mut(&s.no).expect("a gated station has a gate lane");
            if lane.flush_to.is_some_and(|f| here >= f) {
                lane.flush_to = None;
            }
            let ahead = |j: &Job| match gate.after {
                After::Ms { .. } => here - j.due,
                After::Pulses { .. } => 0,
            };
            for j in lane.jobs.iter_mut().filter(|j| j.crossed_us.is_none() && here >= j.due) {
                j.crossed_us = Some(now_us.saturating_sub(ahead(j)));
            }
            let mut want = lane.flush_to.is_some() && moves;
            let retracted = lane.retracted;
            for j in &mut lane.jobs {
                if j.fired.is_none() {
                    continue;
                }
                if here >= j.due + half {
                    j.over_us.get_or_insert(now_us);
                } else {
                    let good = matches!(j.word, Word::Good { .. });
                    want |= good == (gate.polarity == Polarity::Pass);
                }
            }
            want &= !retracted;
            let up = self.devices.get(&gate.output.device).is_some_and(|d| d.up);
            if lane.on != want && up {
                lane.on = want;
                self.output(gate.output, want);
            }
        }
    }

    /// A pulse is meant for one thing. Things nearer to each other than it allows share it, so their words must agree:
    /// where one is not good, none of them goes on.
    fn part_neighbours(&mut self, s: &Station, gate: &Gate, due: u64, here: u64) {
        let lane = &self.gates[&s.no];
        let near = self.travel(gate, u64::from(gate.pulse_ms / 2 + gate.tolerance_ms) * MS + lane.lag_us);
        let close = |j: &&Job| j.due.abs_diff(due) < near && (j.fired.is_none() || here < j.due);
        let good = |j: &&Job| matches!(j.word, Word::Good { .. });
        if lane.jobs.iter().filter(close).all(|j| good(&j)) {
            return;
        }
        let back: Vec<Passage> = lane.jobs.iter().filter(close).filter(good).map(|j| j.no).collect();
        back.into_iter().for_each(|no| self.take_back(s.no, no, Reason::NoRead));
    }

    /// Things whose pulse begins now: the word that is on disk decides, else the thing is late.
    fn fire(&mut self, s: &Station, gate: &Gate, here: u64, half: u64) {
        let committed = self.committed;
        let margin = self.travel(gate, 2 * MS);
        let now_us = self.now.mono_us;
        loop {
            let lane = &self.gates[&s.no];
            let lead = half + self.travel(gate, lane.lag_us);
            let Some(j) = lane.jobs.iter().find(|j| j.fired.is_none() && here + lead >= j.due) else { return };
            let (no, due) = (j.no, j.due);
            self.part_neighbours(s, gate, due, here);
            let Some(j) = self.gates[&s.no].jobs.iter().find(|j| j.no == no) else { continue };
            // A word that leaves in the last moment before the thing's middle may come too late.
            let (no, word, missed) = (j.no, j.word, here + margin > j.due);
            let live = self.devices.get(&gate.output.device).is_some_and(|d| d.up);
            match word {
                Word::Good { ticket, .. } if (ticket > committed && !L::ACKS_BEFORE_COMMIT) || missed || !live => {
                    self.take_back(s.no, no, Reason::Late)
                }
                Word::Good { .. } | Word::Reject => {}
                Word::None => self.reject(s.no, no, Reason::Late, None, None),
            }
            if missed {
                self.raise(format!("gate-late:{}", s.id));
                // With polarity reject a word too late is a thing that may have got by.
                if gate.polarity == Polarity::Reject && self.running() {
                    self.hold("gate-late");
                }
                if gate.polarity == Polarity::Reject {
                    self.mark_uncertain(s.no);
                }
            }
            let rejected = !matches!(self.gates[&s.no].jobs.iter().find(|j| j.no == no).map(|j| j.word), Some(Word::Good { .. }));
            if rejected && gate.confirm.is_some() {
                self.expect_confirmed(s);
            }
            if let Some(j) = self.gate_job(s.no, no) {
                j.fired = Some(now_us);
            }
        }
    }

    pub(super) fn gates_deadline(&self) -> Option<u64> {
        if !self.booted {
            return None;
        }
        self.plan
            .stations
            .iter()
            .filter_map(|s| {
                let gate = s.gate?;
                let half = self.travel(&gate, u64::from(gate.pulse_ms) * MS / 2);
                let lane = self.gates.get(&s.no)?;
                let lead = self.travel(&gate, lane.lag_us);
                let jobs =
                    lane.jobs.iter().filter(|j| j.over_us.is_none()).filter_map(|j| {
                        self.time_of(&gate, if j.fired.is_none() { j.due.saturating_sub(half + lead) } else { j.due + half })
                    });
                jobs.chain(lane.flush_to.and_then(|f| self.time_of(&gate, f))).min()
            })
            // A position reached "now" by estimate must not spin.
            .map(|t| t.max(self.now.mono_us + 250))
            .min()
    }
}
