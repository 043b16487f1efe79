//! What moves the belt: the run permit's coil, jams, jerks; and the state of modules and links for the truth.

use super::World;
use super::belt::{Act, Later, Motion};
use crate::sim::bench::Bench;
use crate::vocab::time::MS;

/// How long the belt stands after it was jerked back.
const AFTER_JERK_US: u64 = 40 * MS;

impl World {
    /// The coil as it is now: on starts the belt, off lets it run out.
    pub(super) fn watch_permit(&mut self, bench: &mut impl Bench) {
        self.permit = self.plan.run_permit.is_none_or(|p| bench.output(p.output));
        match self.belt.motion {
            Motion::Forward if self.permit => self.belt.stops_at = None,
            Motion::Forward if self.belt.stops_at.is_none() => {
                let most = u64::from(self.plan.run_permit.map_or(0, |p| p.belt_stop_ms)) * MS;
                let coast = most * 2 / 5 + self.rng.below(most * 3 / 5 + 1);
                self.belt.stops_at = Some(self.now_us + coast);
            }
            Motion::Standing if self.permit && self.now_us >= self.belt.jammed_until => {
                self.belt.motion = Motion::Forward;
                self.belt.stops_at = None;
                self.belt_input(true, self.now_us, bench);
                self.truth.line(self.now_us, "belt", format_args!(r#","on":true"#));
            }
            _ => {}
        }
    }

    pub(super) fn stand(&mut self, bench: &mut impl Bench) {
        self.belt.stops_at = None;
        self.belt.stood_at = self.now_us;
        if std::mem::replace(&mut self.belt.motion, Motion::Standing) == Motion::Forward {
            self.belt_input(false, self.now_us, bench);
            self.truth.line(self.now_us, "belt", format_args!(r#","on":false"#));
        }
    }

    /// Something holds the belt for so long, permit or not.
    pub(super) fn jam(&mut self, for_us: u64, bench: &mut impl Bench) {
        self.belt.jammed_until = self.belt.jammed_until.max(self.now_us + for_us);
        self.stand(bench);
    }

    pub(super) fn belt_input(&self, on: bool, at_us: u64, bench: &mut impl Bench) {
        self.lay.belt_inputs.iter().for_each(|p| bench.input(*p, on, at_us));
    }

    /// The belt stops dead and springs back. Its run contact and its encoder know nothing of that.
    pub(super) fn jerk(&mut self, by_us: u64, bench: &mut impl Bench) {
        if self.belt.motion != Motion::Forward {
            return;
        }
        self.stand(bench);
        let from = self.belt.pos_us;
        let to = from.saturating_sub(by_us);
        self.belt.motion = Motion::Reverse { to };
        for i in 0..self.eyes.len() {
            // Things that went through a sequence eye are in their parent and do not come back.
            if self.lay.eyes[i].sequence {
                continue;
            }
            let e = &self.eyes[i];
            let Some(thing) = e.last.filter(|t| self.things.on_belt(*t)) else { continue };
            let at = |pos: u64| self.now_us + (from - pos);
            if e.on && e.lead_us > to && e.lead_us <= from {
                self.belt.later(at(e.lead_us), Later::BackOff { eye: i });
                self.belt.at(e.lead_us, Act::EyeOn { eye: i, thing, again: true });
            } else if !e.on && e.trail_us > to && e.trail_us <= from {
                self.belt.later(at(e.trail_us), Later::BackOn { eye: i });
                self.belt.at(e.trail_us, Act::EyeOff { eye: i });
            }
        }
    }

    pub(super) fn jerked(&mut self, _bench: &mut impl Bench) {
        self.belt.motion = Motion::Standing;
        self.belt.stood_at = self.now_us;
        self.belt.jammed_until = self.belt.jammed_until.max(self.now_us + AFTER_JERK_US);
    }

    /// Links and watchdogs as they are now, where they changed.
    pub(super) fn watch_modules(&mut self, bench: &mut impl Bench) {
        for (device, was) in &mut self.linked {
            let up = bench.linked(*device);
            if up != *was {
                *was = up;
                let id = &self.plan.device(*device).id;
                self.truth.line(self.now_us, "link", format_args!(r#","device":"{id}","up":{up}"#));
            }
        }
        for (module, was) in &mut self.safe {
            let on = bench.safe(*module);
            if on != *was {
                *was = on;
                let id = &self.plan.device(*module).id;
                self.truth.line(self.now_us, "safe", format_args!(r#","device":"{id}","on":{on}"#));
            }
        }
    }
}
