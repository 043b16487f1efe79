//! The physics of a packing line: things on a belt, eyes, gates, printers' heads, an applicator, people. Sans-IO and
//! deterministic from a seed, on real or virtual time alike; it meets the devices through [`Bench`] alone.
//!
//! Must never know: protocols, packets, the daemon's book (what the daemon says reaches only the operator, as JSON).
//!
//! Invariants
//! - The belt moves only while the run permit's coil is on, and for at most its `belt_stop_ms` afterwards.
//! - A thing is in one place; a child is put into one parent at a time; every line of the truth is written when it
//!   happens, in order.
//! - The same plan, seed and answers of the bench give the same truth, byte for byte.
//! - A step costs what happens in it, not what is on the belt.

mod belt;
mod drive;
mod eyes;
mod faults;
mod hands;
mod knobs;
mod labels;
mod layout;
mod operator;
mod packing;
mod things;
mod truth;

pub use faults::Faults;
pub use knobs::Refusal;

use super::bench::Bench;
use crate::vocab::plan::CodeSource;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use crate::vocab::{DeviceNo, Plan};
use belt::{Act, Belt, Later, Next};
use layout::{End, GAP_US, Layout, Step};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use things::{Place, ThingNo, Things};
use truth::Truth;

/// Longest step the world asks for.
const STEP_US: u64 = 5 * MS;
/// Nothing has happened for so long: the line has come to rest.
const QUIET_US: u64 = 2_000 * MS;
/// From the gate to the mouth of the reject bin, and how long a fall is seen there.
const FALL_US: u64 = 30 * MS;
const MOUTH_US: u64 = 40 * MS;

/// How a world is to be.
#[derive(Clone, Debug)]
pub struct WorldHow {
    /// Items to feed; none: without end.
    pub units: Option<u64>,
    pub seed: u64,
    pub faults: Faults,
    pub rate_per_min: u32,
    /// Codes of pre-printed levels by the level's name, in the order of the roll.
    pub preprinted: BTreeMap<String, Vec<Vec<u8>>>,
    /// What a pre-printed thing's code says it is to be packed in: people pack by it, camera by camera.
    pub made_for: BTreeMap<Vec<u8>, Vec<u8>>,
}

pub struct World {
    plan: Arc<Plan>,
    lay: Layout,
    rng: Rng,
    truth: Truth,
    things: Things,
    belt: Belt,
    eyes: Vec<eyes::EyeLive>,
    /// Per level: the parent being filled.
    filling: Vec<Option<ThingNo>>,
    rolls: Vec<VecDeque<Vec<u8>>>,
    made_for: BTreeMap<Vec<u8>, Vec<u8>>,
    /// A thing that is about to change places with the next one.
    kept: Option<ThingNo>,
    /// Per level: things waiting for a label or for its read-back.
    stretches: Vec<labels::Stretch>,
    hands: Vec<hands::Hand>,
    operator: operator::Operator,
    faults: faults::Plotter,
    units: Option<u64>,
    fed: u64,
    now_us: u64,
    wired: bool,
    permit: bool,
    linked: Vec<(DeviceNo, bool)>,
    safe: Vec<(DeviceNo, bool)>,
    /// When anything last happened to a thing.
    stirred_us: u64,
}

impl World {
    /// The refusal says what is missing and where it comes from.
    pub fn new(plan: Arc<Plan>, how: WorldHow) -> Result<Self, String> {
        let lay = Layout::new(&plan, how.rate_per_min)?;
        let mut given = how.preprinted;
        let mut rolls = Vec::new();
        for l in &plan.levels {
            let roll = given.remove(&l.name);
            if l.codes == CodeSource::Preprinted && roll.is_none() {
                return Err(format!("level {} is pre-printed and has no codes; give --preprinted {}=FILE", l.name, l.name));
            }
            if l.codes != CodeSource::Preprinted && roll.is_some() {
                return Err(format!("level {} is not pre-printed; leave out --preprinted {}=…", l.name, l.name));
            }
            rolls.push(roll.unwrap_or_default().into());
        }
        if let Some(name) = given.keys().next() {
            return Err(format!("the plan has no level {name}; --preprinted takes a level of the plan"));
        }
        for (l, roll) in lay.levels.iter().zip(&rolls) {
            let roll: &VecDeque<Vec<u8>> = roll;
            if l.end != End::Frame && roll.iter().any(|code| how.made_for.contains_key(code)) {
                return Err(format!("rows name what a {} is packed in, which no camera gathers here; name levels packed by frame", l.name));
            }
        }
        let mut rng = Rng::new(how.seed);
        let faults = faults::Plotter::new(how.faults, rng.fork(1), &lay, !how.made_for.is_empty());
        let things = Things::new(lay.levels.iter().map(|l| (l.name.clone(), l.sscc)));
        let mut belt = Belt::new();
        belt.at(0, Act::Feed);
        for (encoder, e) in lay.encoders.iter().enumerate() {
            belt.at(e.pitch_us, Act::Pulse { encoder, on: true });
        }
        Ok(Self {
            rng: rng.fork(2),
            truth: Truth::default(),
            things,
            belt,
            eyes: lay.eyes.iter().map(|_| eyes::EyeLive::default()).collect(),
            filling: vec![None; lay.levels.len()],
            rolls,
            made_for: how.made_for,
            kept: None,
            stretches: lay.levels.iter().map(|_| labels::Stretch::default()).collect(),
            hands: lay.hands.iter().enumerate().map(|(i, _)| hands::Hand::new(rng.fork(10 + i as u64))).collect(),
            operator: operator::Operator::default(),
            faults,
            units: how.units,
            fed: 0,
            now_us: 0,
            wired: false,
            permit: false,
            linked: plan.devices.iter().map(|d| (d.no, false)).collect(),
            safe: lay.modules.iter().map(|m| (*m, false)).collect(),
            stirred_us: 0,
            lay,
            plan,
        })
    }

    /// Writes `start`: `wall_us` is the wall clock (µs since the Unix epoch, UTC) at `now_us`. To be called once, before
    /// the first step.
    pub fn begin(&mut self, wall_us: i64, now_us: u64) {
        debug_assert!(!self.truth.begun(), "a truth begins once");
        self.truth.begin(now_us, wall_us);
        (self.now_us, self.stirred_us) = (now_us, now_us);
    }

    /// Lets the world run to `now_us`, then looks at coils, links and printers as they are now.
    pub fn step(&mut self, now_us: u64, bench: &mut impl Bench) {
        if !self.truth.begun() {
            self.begin(0, now_us);
        }
        if !self.wired {
            self.wired = true;
            self.belt_input(false, now_us, bench);
        }
        self.advance(now_us, bench);
        self.clear_mouths(bench);
        self.watch_modules(bench);
        self.watch_permit(bench);
        self.take_labels(bench);
        for i in 0..self.hands.len() {
            self.hand_acts(i, bench);
        }
        self.operator_looks();
    }

    /// When the next step matters; never more than 5 ms ahead, because coils must be looked at.
    pub fn next_us(&self) -> u64 {
        let most = self.now_us + STEP_US;
        self.belt.next_us(self.now_us).map_or(most, |t| t.clamp(self.now_us + 1, most))
    }

    /// The world itself was late by `ms`: the belt stood meanwhile.
    pub fn lagged(&mut self, ms: u64, now_us: u64) {
        self.now_us = self.now_us.max(now_us);
        self.truth.line(self.now_us, "lag", format_args!(r#","ms":{ms}"#));
    }

    /// The units fed, once all are fed and nothing moves or waits any more.
    pub fn done(&self) -> Option<u64> {
        let rested = self.units.is_some_and(|u| self.fed >= u)
            && self.belt.is_empty()
            && self.now_us >= self.stirred_us + QUIET_US
            && (0..self.stretches.len()).all(|l| self.stretch_rests(l))
            && (0..self.hands.len()).all(|h| self.hand_rests(h));
        rested.then_some(self.fed)
    }

    /// Items fed so far.
    pub fn fed(&self) -> u64 {
        self.fed
    }

    /// Writes where every thing is.
    pub fn finish(&mut self, now_us: u64) {
        self.now_us = self.now_us.max(now_us);
        for no in self.things.all() {
            let at = match self.things[no].place {
                Place::Belt => "belt",
                Place::Bin => "reject-bin",
                Place::Taken | Place::Hand => "taken",
                Place::Inside(_) => "packed",
            };
            let name = self.things.name(no);
            self.truth.line(self.now_us, "end", format_args!(r#","thing":"{name}","at":"{at}""#));
        }
    }

    /// The truth's lines since the last call, in order.
    pub fn take_truth(&mut self) -> Vec<String> {
        self.truth.take()
    }

    fn advance(&mut self, to_us: u64, bench: &mut impl Bench) {
        loop {
            let next = self.belt.next_us(self.now_us).filter(|t| *t <= to_us);
            let at_us = next.unwrap_or_else(|| to_us.max(self.now_us));
            self.belt.run(self.now_us, at_us);
            self.now_us = at_us;
            if next.is_none() {
                return;
            }
            match self.belt.pop(at_us) {
                Some(Next::Act(act)) => self.act(act, bench),
                Some(Next::Later(what)) => self.late(what, bench),
                Some(Next::Stop) => self.stand(bench),
                Some(Next::Back) => self.jerked(bench),
                None => debug_assert!(false, "an event was due"),
            }
        }
    }

    fn act(&mut self, act: Act, bench: &mut impl Bench) {
        match act {
            Act::Feed => self.feed(bench),
            Act::Pulse { encoder, on } => {
                let e = &self.lay.encoders[encoder];
                bench.input(e.input, on, self.now_us);
                self.belt.at(self.belt.pos_us + if on { e.pitch_us / 2 } else { e.pitch_us.div_ceil(2) }, Act::Pulse { encoder, on: !on });
            }
            Act::EyeOff { eye } => self.eye_off(eye, bench),
            Act::Head { thing } => self.head(thing, bench),
            Act::EyeOn { eye, thing, again } => self.eye_on(eye, thing, again, bench),
            Act::Gate { eye, thing } => self.gate(eye, thing, bench),
            Act::Applicator { thing } => self.at_applicator(thing),
            Act::Arrive { thing } => self.arrive(thing),
            Act::Snatch { thing } => self.snatch(thing),
        }
    }

    fn late(&mut self, what: Later, bench: &mut impl Bench) {
        match what {
            // A fall is not seen behind what lies there already.
            Later::Input { point, .. } if self.blocked(point) => {}
            Later::Input { point, on } => bench.input(point, on, self.now_us),
            Later::Jerk { by_us } => self.jerk(by_us, bench),
            Later::BackOff { eye } => self.eye_back_off(eye, bench),
            Later::Unblock { eye } => {
                if self.eyes[eye].blocked_until_us <= self.now_us {
                    self.unblock(eye, bench);
                }
            }
            Later::BackOn { eye } => self.eye_back_on(eye, bench),
        }
    }

    fn feed(&mut self, bench: &mut impl Bench) {
        if self.units.is_some_and(|u| self.fed >= u) {
            return;
        }
        self.fed += 1;
        let thing = self.birth(0);
        self.plot(thing, bench);
        self.onward(thing, 0, GAP_US / 3);
        let jitter = self.rng.below(2 * self.lay.jitter_us + 1);
        self.belt.at(self.belt.pos_us + self.lay.spacing_us + jitter - self.lay.jitter_us, Act::Feed);
    }

    /// A new thing; a pre-printed one carries the next code of its roll.
    fn birth(&mut self, level: usize) -> ThingNo {
        let code = self.rolls[level].pop_front();
        let thing = self.things.born(level, code);
        if let Some(hex) = self.things.code(thing) {
            let name = self.things.name(thing);
            self.truth.line(self.now_us, "apply", format_args!(r#","hex":"{hex}","thing":"{name}""#));
        }
        thing
    }

    /// Sends a thing to step `step` of its level's route, `gap_us` of belt from here or as soon as spacing allows.
    fn onward(&mut self, thing: ThingNo, step: usize, gap_us: u64) {
        self.stirred_us = self.now_us;
        self.things[thing].step = step;
        let way = &self.lay.levels[self.things[thing].level];
        let at_us = self.belt.pos_us + gap_us;
        match (way.route.get(step).copied(), way.end) {
            (Some(Step::Head(_)), _) => self.belt.at(at_us, Act::Head { thing }),
            (Some(Step::Eye(eye)), _) | (None, End::Sequence(eye)) => self.send_to_eye(eye, thing, at_us),
            (Some(Step::Applicator), _) => self.belt.at(at_us, Act::Applicator { thing }),
            (None, End::Frame | End::Person(_)) => self.belt.at(at_us, Act::Arrive { thing }),
            (None, End::Open) => {}
        }
    }
}

#[cfg(test)]
mod tests;
