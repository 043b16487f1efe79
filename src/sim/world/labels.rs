//! Labels: they come out of a printer and go onto the thing that waits for one. A label carries only its code; which
//! level it is for shows in its number's range.
//!
//! The applicator is a plain machine: the oldest thing without a label gets the next one that comes out; when every
//! thing has one, the newest label is stuck over the oldest that was not read yet.

use super::layout::{GAP_US, Step};
use super::operator::Whose;
use super::things::{Place, ThingNo};
use super::{World, faults};
use crate::sim::bench::Bench;
use crate::vocab::DeviceNo;
use crate::vocab::plan::Role;
use crate::vocab::time::MS;
use std::collections::VecDeque;

/// How long a label nothing waits for stays on the applicator's pad.
const LOOSE_US: u64 = 1_000 * MS;
/// A thing that has waited for a label so long after everything else came to rest waits for ever.
const FORLORN_US: u64 = 30_000 * MS;

/// One level's things between their closing and the eye that reads their label, oldest first.
#[derive(Debug, Default)]
pub struct Stretch {
    pub waiting: VecDeque<Waiting>,
    loose: Option<(Vec<u8>, u64)>,
    /// A label kept back, to end on the wrong thing.
    kept: Option<(Vec<u8>, ThingNo)>,
}

#[derive(Debug)]
pub struct Waiting {
    pub thing: ThingNo,
    /// The label on its way onto it.
    pub label: Option<Vec<u8>>,
    /// In front of the applicator.
    there: bool,
    /// Has left the applicator.
    gone: bool,
}

impl World {
    pub(super) fn expect_label(&mut self, thing: ThingNo) {
        let stretch = &mut self.stretches[self.things[thing].level];
        let now_us = self.now_us;
        let label = stretch.loose.take().filter(|l| now_us < l.1).map(|l| l.0);
        stretch.waiting.push_back(Waiting { thing, label, there: false, gone: false });
    }

    pub(super) fn at_applicator(&mut self, thing: ThingNo) {
        let level = self.things[thing].level;
        if let Some(w) = self.stretches[level].waiting.iter_mut().find(|w| w.thing == thing) {
            w.there = true;
            self.apply_labels(level);
        }
    }

    /// What has come out of the label printers.
    pub(super) fn take_labels(&mut self, bench: &mut impl Bench) {
        for i in 0..self.lay.label_printers.len() {
            let printer = self.lay.label_printers[i];
            while let Some(bytes) = bench.label(printer, self.now_us) {
                self.label_out(printer, bytes);
            }
        }
    }

    fn label_out(&mut self, printer: DeviceNo, bytes: Vec<u8>) {
        let level = self.level_of_label(printer, &bytes);
        let id = &self.plan.device(printer).id;
        let hex = level.map_or_else(|| crate::vocab::code::hex(&bytes), |l| self.things.hex(l, &bytes));
        self.truth.line(self.now_us, "label", format_args!(r#","printer":"{id}","hex":"{hex}""#));
        let Some(level) = level else { return };
        if let Some(h) = self.lay.hands.iter().position(|h| h.level == level) {
            self.hands[h].label = Some(bytes);
            return;
        }
        self.stirred_us = self.now_us;
        match self.whose_label(level, &hex) {
            Whose::Nobodys => return,
            Whose::Anyones => self.assign(level, bytes),
            Whose::Of(thing) => {
                if let Some(w) = self.stretches[level].waiting.iter_mut().find(|w| w.thing == thing) {
                    w.label = Some(bytes);
                }
            }
        }
        self.apply_labels(level);
    }

    fn level_of_label(&self, printer: DeviceNo, bytes: &[u8]) -> Option<usize> {
        let prints = |l: &usize| {
            let no = self.plan.levels[*l].no;
            self.plan.stations.iter().any(|s| s.role == Role::Print && s.level == no && s.device == Some(printer))
        };
        let levels: Vec<usize> = (0..self.plan.levels.len()).filter(prints).collect();
        let mine = |l: &usize| {
            let code = crate::vocab::code::unhex(&self.things.hex(*l, bytes)).unwrap_or_default();
            self.plan.levels[*l].range.as_ref().is_some_and(|r| r.ordinal(&code).is_some())
        };
        levels.iter().copied().find(mine)
    }

    fn assign(&mut self, level: usize, bytes: Vec<u8>) {
        let bare = |things: &super::Things, w: &Waiting| w.label.is_none() && !w.gone && things[w.thing].symbol.is_none();
        let first = self.stretches[level].waiting.iter().position(|w| bare(&self.things, w));
        if let Some(i) = first {
            let thing = self.stretches[level].waiting[i].thing;
            if let Some((old, owner)) = self.stretches[level].kept.take().filter(|k| k.1 == thing) {
                let second = self.stretches[level].waiting.iter().skip(i + 1).position(|w| bare(&self.things, w));
                let stretch = &mut self.stretches[level];
                stretch.waiting[i].label = Some(bytes);
                if let Some(j) = second {
                    stretch.waiting[i + 1 + j].label = Some(old);
                }
                debug_assert_eq!(owner, thing);
                return;
            }
            if self.plot_label(faults::Fault::LabelSwapped, thing) {
                self.stretches[level].kept = Some((bytes, thing));
                return;
            }
        }
        let now_us = self.now_us;
        let stretch = &mut self.stretches[level];
        match first.or((!stretch.waiting.is_empty()).then_some(0)) {
            Some(i) => stretch.waiting[i].label = Some(bytes),
            None => stretch.loose = Some((bytes, now_us + LOOSE_US)),
        }
    }

    /// Sticks what can be stuck; things leave the applicator in their order.
    fn apply_labels(&mut self, level: usize) {
        for i in 0..self.stretches[level].waiting.len() {
            let w = &mut self.stretches[level].waiting[i];
            if !w.there {
                break;
            }
            let (thing, gone) = (w.thing, w.gone);
            let Some(bytes) = w.label.take() else { if gone { continue } else { break } };
            w.gone = true;
            if gone || !self.plot_label(faults::Fault::LabelNotApplied, thing) {
                self.stick(thing, bytes);
            }
            if !gone {
                self.onward(thing, self.things[thing].step + 1, GAP_US);
                if !matches!(self.lay.levels[level].route.get(self.things[thing].step), Some(Step::Eye(_))) {
                    self.forget_label(thing);
                    return self.apply_labels(level);
                }
            }
        }
    }

    pub(super) fn stick(&mut self, thing: ThingNo, bytes: Vec<u8>) {
        let (name, hex) = (self.things.name(thing), self.things.hex(self.things[thing].level, &bytes));
        self.truth.line(self.now_us, "apply", format_args!(r#","hex":"{hex}","thing":"{name}""#));
        self.things[thing].symbol = Some(bytes);
        self.stirred_us = self.now_us;
    }

    /// In front of the eye that reads the label: from here on nothing more is stuck on it.
    pub(super) fn leave_stretch(&mut self, eye: usize, thing: ThingNo) {
        let e = &self.lay.eyes[eye];
        if !e.frame && !e.sequence && self.stretches[e.level].waiting.front().is_some_and(|_| self.things[thing].level == e.level) {
            self.forget_label(thing);
        }
    }

    /// The thing is out of the applicator's reach.
    pub(super) fn forget_label(&mut self, thing: ThingNo) {
        let level = self.things[thing].level;
        let before = self.stretches[level].waiting.len();
        self.stretches[level].waiting.retain(|w| w.thing != thing);
        if self.stretches[level].waiting.len() != before {
            self.stretches[level].kept = self.stretches[level].kept.take().filter(|k| k.1 != thing);
            if self.things[thing].place != Place::Belt {
                self.apply_labels(level);
            }
        }
    }

    /// A person throws a label away whose number is void.
    pub(super) fn discard_label(&mut self, hex: &str) {
        for level in 0..self.stretches.len() {
            let is = |b: &[u8]| self.things.hex(level, b) == hex;
            let stretch = &mut self.stretches[level];
            for w in &mut stretch.waiting {
                if w.label.as_deref().is_some_and(is) {
                    w.label = None;
                }
            }
            if stretch.loose.as_ref().is_some_and(|l| is(&l.0)) {
                stretch.loose = None;
            }
            if stretch.kept.as_ref().is_some_and(|k| is(&k.0)) {
                stretch.kept = None;
            }
        }
    }

    pub(super) fn stretch_rests(&self, level: usize) -> bool {
        self.stretches[level].waiting.is_empty() || self.now_us >= self.stirred_us + FORLORN_US
    }
}
