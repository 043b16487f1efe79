//! The mouth of the reject bin: a sensor that sees what is rejected fall. It tells of rejects that never arrive and of a
//! mouth that stays blocked; and the way back, when somebody has been there with their hands.
//!
//! Must never know: when a pulse is due (`gate`). Invariants: a gate that a person works at moves only when the line
//! goes on; what stood in front of it meanwhile is rejected, because nobody knows any more what stands where.

use super::gate::{Job, Word};
use super::input::Answer;
use super::law::Law;
use super::live::Line;
use crate::vocab::plan::{Polarity, Station};
use crate::vocab::report::Poll;
use crate::vocab::time::MS;
use crate::vocab::{DeviceNo, Passage, Reason, StationNo};

/// Rejects in a row that the sensor did not see, before somebody is told.
const UNSEEN: u32 = 3;

/// What the sensor of one gate said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mouth {
    level: Option<bool>,
    /// It has been covered since (mono µs).
    covered_us: Option<u64>,
    unseen: u32,
}

impl<L: Law> Line<L> {
    /// A reject leaves: the sensor should see it fall.
    pub(super) fn expect_confirmed(&mut self, s: &Station) {
        let lane = self.gates.get_mut(&s.no).expect("a gated station has a gate lane");
        lane.mouth.unseen += 1;
        let unseen = lane.mouth.unseen;
        if unseen > UNSEEN {
            self.raise(format!("reject-not-confirmed:{}", s.id));
        }
        let most = self.plan.limits.unconfirmed_rejects;
        if most > 0 && unseen > most {
            self.stuck(s);
        }
    }

    pub(super) fn watch_confirm(&mut self, device: DeviceNo, poll: &Poll) {
        for s in self.plan.clone().stations.iter() {
            let Some(gate) = s.gate else { continue };
            let Some(p) = gate.confirm.filter(|p| p.device == device) else { continue };
            let Some((_, on)) = poll.inputs.iter().find(|i| i.0 == p.number) else { continue };
            let mouth = &mut self.gates.get_mut(&s.no).expect("a gated station has a gate lane").mouth;
            let rose = *on && mouth.level.replace(*on) == Some(false);
            mouth.level = Some(*on);
            mouth.covered_us = on.then(|| mouth.covered_us.unwrap_or(poll.at_us));
            if rose {
                mouth.unseen = 0;
            }
            let long = mouth.covered_us.is_some_and(|t| poll.at_us >= t + u64::from(gate.stuck_ms) * MS);
            if rose {
                self.lower(&format!("reject-not-confirmed:{}", s.id));
            }
            if long {
                self.stuck(s);
            }
        }
    }

    fn stuck(&mut self, s: &Station) {
        self.raise(format!("gate-stuck:{}", s.id));
        if self.running() {
            self.hold("gate-stuck");
        }
    }

    /// Whether something lies in the mouth, as far as is known.
    fn covered(&self, station: StationNo) -> bool {
        self.gates.get(&station).is_some_and(|l| l.mouth.covered_us.is_some())
    }

    /// Sentences about gates that keep the line from going on.
    pub(super) fn stuck_gates(&self) -> Vec<String> {
        let stuck = |s: &&Station| self.book.line.alarms.contains(&format!("gate-stuck:{}", s.id)) && self.covered(s.no);
        let sentence = |s: &Station| format!("the reject of station {} is blocked: clear it, then packmark station retract {}", s.id, s.id);
        self.plan.stations.iter().filter(stuck).map(sentence).collect()
    }

    /// Somebody wants the gate out of the way: back to where it rests, until the line goes on.
    pub(super) fn retract(&mut self, id: &str) -> Answer {
        let plan = self.plan.clone();
        let gated = || plan.stations.iter().filter(|s| s.gate.is_some());
        let Some(s) = gated().find(|s| s.id == id) else {
            let known: Vec<&str> = gated().map(|s| s.id.as_str()).collect();
            let act = if known.is_empty() { "this line has none".into() } else { format!("use one of: {}", known.join(", ")) };
            return Answer::refused("no-gate", format!("there is no station {id} with a gate"), act);
        };
        if self.running() || self.permit_given() {
            return Answer::refused(
                "line-moves",
                format!("the gate of {id} may be needed: the line runs"),
                "hold the line first (job hold)",
            );
        }
        let gate = s.gate.expect("a gated station");
        if !self.devices.get(&gate.output.device).is_some_and(|d| d.up) {
            let module = &plan.device(gate.output.device).id;
            return Answer::refused("device-down", format!("{module} is not connected"), "check its power, cable and address");
        }
        self.forget_places(s);
        let lane = self.gates.get_mut(&s.no).expect("a gated station has a gate lane");
        (lane.retracted, lane.on, lane.mouth.unseen) = (true, false, 0);
        self.output(gate.output, false);
        self.lower(&format!("reject-not-confirmed:{id}"));
        if !self.covered(s.no) {
            self.lower(&format!("gate-stuck:{id}"));
        }
        self.raise(format!("gate-retracted:{id}"));
        let answer = Answer::ok().with("station", id);
        match gate.confirm {
            Some(_) => answer.with("mouth", if self.covered(s.no) { "blocked" } else { "clear" }),
            None => answer,
        }
    }

    /// Hands among the things in front of a gate: what had its middle past it is through, the rest is rejected.
    fn forget_places(&mut self, s: &Station) {
        let gate = s.gate.expect("a gated station");
        let here = self.position(&gate, self.now.mono_us);
        let jobs: Vec<Job> = self.gates[&s.no].jobs.iter().cloned().collect();
        for j in jobs {
            match j.word {
                Word::Good { code, .. } if j.fired.is_some() && here >= j.due && !j.unsure => {
                    self.pass_through(s.no, code);
                    self.gates.get_mut(&s.no).expect("a gated station has a gate lane").jobs.retain(|x| x.no != j.no);
                }
                Word::Good { .. } => self.take_back(s.no, j.no, Reason::Late),
                Word::None => self.reject_undecided(s.no, j.no),
                Word::Reject => {}
            }
        }
    }

    pub(super) fn reject_undecided(&mut self, station: StationNo, no: Passage) {
        if self.open_mut(station, no).is_some_and(|o| !o.settled) {
            self.reject(station, no, Reason::NoRead, None, None);
        }
    }

    /// The line goes on: gates work again, and what may stand in front of one that was worked at is flushed.
    pub(super) fn release_gates(&mut self) {
        for s in self.plan.clone().stations.iter().filter(|s| s.gate.is_some()) {
            let lane = self.gates.get_mut(&s.no).expect("a gated station has a gate lane");
            lane.mouth.unseen = 0;
            if std::mem::take(&mut lane.retracted) && s.gate.is_some_and(|g| g.polarity == Polarity::Reject) {
                self.flush_gate(s);
            }
            for name in ["gate-stuck", "gate-retracted"] {
                self.lower(&format!("{name}:{}", s.id));
            }
        }
    }
}
