//! Heads, eyes and gates: where a thing on the belt meets the devices.

use super::belt::{Act, Later};
use super::layout::{End, GAP_US, Step};
use super::things::{Place, ThingNo};
use super::{FALL_US, MOUTH_US, World};
use crate::sim::bench::Bench;
use crate::vocab::DeviceNo;
use crate::vocab::plan::Polarity;
use crate::vocab::time::MS;
use std::collections::VecDeque;

/// One eye as the world runs.
#[derive(Debug, Default)]
pub struct EyeLive {
    pub on: bool,
    /// The thing in front of it now or last, and where its front came and its end left.
    pub last: Option<ThingNo>,
    pub lead_us: u64,
    pub trail_us: u64,
    /// The next thing may come no earlier.
    free_us: u64,
    /// Its gate rejects nothing before; something lies in the mouth of its bin until then (0: nothing).
    pub stuck_until_us: u64,
    pub blocked_until_us: u64,
    /// At a sequence eye: things past the gate before it.
    pub coming: VecDeque<ThingNo>,
}

impl World {
    /// A thing sets out for an eye and keeps the station's spacing.
    pub(super) fn send_to_eye(&mut self, eye: usize, thing: ThingNo, at_us: u64) {
        let place = &self.lay.eyes[eye];
        let live = &mut self.eyes[eye];
        let at_us = at_us.max(live.free_us);
        live.free_us = at_us + place.spacing_us + 2 * MS;
        if place.sequence {
            live.coming.push_back(thing);
        }
        self.belt.at(at_us, Act::EyeOn { eye, thing, again: false });
    }

    pub(super) fn head(&mut self, thing: ThingNo, bench: &mut impl Bench) {
        if !self.things.on_belt(thing) {
            return;
        }
        let (level, step) = (self.things[thing].level, self.things[thing].step);
        if let Some(Step::Head(printer)) = self.lay.levels[level].route.get(step).copied()
            && let Some(bytes) = bench.print(printer, self.now_us)
        {
            let (id, name) = (&self.plan.device(printer).id, self.things.name(thing));
            // The printer's own doing, which nobody can prevent; what becomes of the thing is the line's.
            if bench.repeated(printer) {
                self.truth.line(self.now_us, "inject", format_args!(r#","fault":"repeated-print","thing":"{name}","device":"{id}""#));
            }
            let hex = self.things.hex(level, &bytes);
            self.truth.line(self.now_us, "ink", format_args!(r#","printer":"{id}","thing":"{name}","hex":"{hex}""#));
            self.faults.inked(&bytes);
            self.things[thing].symbol = Some(bytes);
        }
        self.onward(thing, step + 1, GAP_US);
    }

    pub(super) fn eye_on(&mut self, eye: usize, thing: ThingNo, again: bool, bench: &mut impl Bench) {
        let place = &self.lay.eyes[eye];
        if let Some(i) = self.eyes[eye].coming.iter().position(|c| *c == thing) {
            self.eyes[eye].coming.remove(i);
        }
        if !self.things.on_belt(thing) {
            return;
        }
        self.stirred_us = self.now_us;
        let pos = self.belt.pos_us;
        let (width_us, after_us, sequence) = (place.width_us, place.gate.as_ref().map(|g| g.after_us), place.sequence);
        let live = &mut self.eyes[eye];
        (live.on, live.last, live.lead_us) = (true, Some(thing), pos);
        self.cross(eye, thing, bench);
        if again {
            return;
        }
        self.belt.at(pos + width_us, Act::EyeOff { eye });
        self.leave_stretch(eye, thing);
        if sequence {
            return self.put_in_sequence(thing);
        }
        match after_us {
            Some(after_us) => self.belt.at(pos + after_us, Act::Gate { eye, thing }),
            None => self.onward(thing, self.things[thing].step + 1, width_us + GAP_US),
        }
        self.plot_crossing(eye, thing);
    }

    /// A rising edge: the passage and, at the same moment, the reader.
    fn cross(&mut self, eye: usize, thing: ThingNo, bench: &mut impl Bench) {
        let place = &self.lay.eyes[eye];
        if let Some(p) = place.input {
            bench.input(p, true, self.now_us);
            let (id, name) = (&place.id, self.things.name(thing));
            self.truth.line(self.now_us, "pass", format_args!(r#","station":"{id}","thing":"{name}""#));
        }
        let Some(reader) = place.reader else { return };
        let (frame, positional) = (place.frame, place.positional);
        let mut sight: Vec<ThingNo> = Vec::new();
        if frame {
            sight.extend(&self.things[thing].children);
            if !positional {
                for i in (1..sight.len()).rev() {
                    sight.swap(i, self.rng.below(i as u64 + 1) as usize);
                }
            }
        }
        sight.push(thing);
        if frame && !positional {
            let (last, i) = (sight.len() - 1, self.rng.below(sight.len() as u64) as usize);
            sight.swap(last, i);
        }
        let dim = if frame { self.plot_dimmed(thing) } else { None };
        self.read(reader, &sight, dim, bench);
    }

    /// A reader looks at these things; answers what left on the wire for the last of them. `dim`: one it cannot decode
    /// this time.
    pub(super) fn read(&mut self, reader: DeviceNo, sight: &[ThingNo], dim: Option<ThingNo>, bench: &mut impl Bench) -> Option<Vec<u8>> {
        let mut seen: Vec<Option<Vec<u8>>> = Vec::with_capacity(sight.len());
        let mut whose: Vec<Option<usize>> = Vec::with_capacity(sight.len());
        for thing in sight {
            let symbol = self.things[*thing].seen().map(|s| s.filter(|_| dim != Some(*thing)));
            // In a frame the place of a thing without any symbol is a place without a code.
            let symbol = symbol.or((sight.len() > 1 && self.things[*thing].children.is_empty()).then_some(None));
            whose.push(symbol.is_some().then_some(seen.len()));
            seen.extend(symbol);
        }
        let wire = bench.read(reader, &seen, self.now_us);
        let id = &self.plan.device(reader).id;
        let mut last = None;
        for (thing, at) in sight.iter().zip(whose) {
            let name = self.things.name(*thing);
            last = at.and_then(|i| wire.get(i).cloned().flatten());
            match &last {
                Some(bytes) => {
                    let hex = self.things.hex(self.things[*thing].level, bytes);
                    self.truth.line(self.now_us, "read", format_args!(r#","reader":"{id}","thing":"{name}","hex":"{hex}""#));
                }
                None => self.truth.line(self.now_us, "read", format_args!(r#","reader":"{id}","thing":"{name}""#)),
            }
        }
        last
    }

    pub(super) fn eye_off(&mut self, eye: usize, bench: &mut impl Bench) {
        let live = &mut self.eyes[eye];
        (live.on, live.trail_us) = (false, self.belt.pos_us);
        if let Some(p) = self.lay.eyes[eye].input {
            bench.input(p, false, self.now_us);
        }
    }

    /// Going backwards: the front leaves the eye.
    pub(super) fn eye_back_off(&mut self, eye: usize, bench: &mut impl Bench) {
        self.eyes[eye].on = false;
        if let Some(p) = self.lay.eyes[eye].input {
            bench.input(p, false, self.now_us);
        }
    }

    /// Going backwards: the end comes into the eye once more.
    pub(super) fn eye_back_on(&mut self, eye: usize, bench: &mut impl Bench) {
        let Some(thing) = self.eyes[eye].last else { return };
        self.eyes[eye].on = true;
        self.cross(eye, thing, bench);
    }

    /// The thing's middle is at the gate: the coil, as it is now, decides.
    pub(super) fn gate(&mut self, eye: usize, thing: ThingNo, bench: &mut impl Bench) {
        if !self.things.on_belt(thing) {
            return;
        }
        self.stirred_us = self.now_us;
        let place = &self.lay.eyes[eye];
        let gate = place.gate.as_ref().expect("a gate act belongs to a gated eye");
        let pass =
            bench.output(gate.output) == (gate.polarity == Polarity::Pass) || self.stands_still(eye, thing) || self.plot_stuck(thing);
        let place = &self.lay.eyes[eye];
        let gate = place.gate.as_ref().expect("a gate act belongs to a gated eye");
        let (id, name, out) = (&place.id, self.things.name(thing), if pass { "pass" } else { "reject" });
        self.truth.line(self.now_us, "gate", format_args!(r#","station":"{id}","thing":"{name}","out":"{out}""#));
        if pass {
            if std::mem::take(&mut self.things[thing].doomed) {
                self.belt.at(self.belt.pos_us + GAP_US / 3, Act::Snatch { thing });
            }
            return self.onward(thing, self.things[thing].step + 1, GAP_US);
        }
        self.things[thing].place = Place::Bin;
        if let Some(point) = gate.confirm {
            self.belt.later(self.now_us + FALL_US, Later::Input { point, on: true });
            self.belt.later(self.now_us + FALL_US + MOUTH_US, Later::Input { point, on: false });
        }
        self.forget_label(thing);
    }

    /// Off the line by a person's hand, from the belt or out of the parent it is in.
    pub(super) fn take(&mut self, thing: ThingNo) {
        match self.things[thing].place {
            Place::Taken => return,
            Place::Hand => {}
            Place::Belt | Place::Bin | Place::Inside(_) => self.lift(thing),
        }
        self.things[thing].place = Place::Taken;
        self.forget_label(thing);
    }

    /// `take`, and the thing stays on the table.
    pub(super) fn lift(&mut self, thing: ThingNo) {
        let name = self.things.name(thing);
        let from = match self.things[thing].place {
            Place::Inside(parent) => {
                self.things[parent].children.retain(|c| *c != thing);
                self.things.name(parent)
            }
            _ => "belt".to_string(),
        };
        self.things[thing].place = Place::Hand;
        self.truth.line(self.now_us, "take", format_args!(r#","thing":"{name}","from":"{from}""#));
        self.stirred_us = self.now_us;
    }

    pub(super) fn put(&mut self, thing: ThingNo, parent: ThingNo) {
        let (name, into) = (self.things.name(thing), self.things.name(parent));
        self.truth.line(self.now_us, "put", format_args!(r#","thing":"{name}","into":"{into}""#));
        self.things[thing].place = Place::Inside(parent);
        self.things[parent].children.push(thing);
        self.stirred_us = self.now_us;
    }

    pub(super) fn snatch(&mut self, thing: ThingNo) {
        if !self.things.on_belt(thing) {
            return;
        }
        self.inject(super::faults::Fault::Removed, Some(thing), None);
        self.take(thing);
    }

    /// The level a thing would be packed into, if there is one.
    pub(super) fn end_of(&self, thing: ThingNo) -> End {
        self.lay.levels[self.things[thing].level].end
    }
}
