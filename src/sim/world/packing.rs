//! Things become parents: at a packing point before a camera, or one by one past an eye.

use super::World;
use super::layout::{End, GAP_US};
use super::things::ThingNo;

impl World {
    /// At the packing point of a frame station, or on a person's table.
    pub(super) fn arrive(&mut self, thing: ThingNo) {
        if !self.things.on_belt(thing) {
            return;
        }
        self.stirred_us = self.now_us;
        match self.end_of(thing) {
            End::Person(hand) => self.hands[hand].table.push_back(thing),
            _ => self.fill(thing),
        }
    }

    /// Past the eye of a sequence station, into its parent.
    pub(super) fn put_in_sequence(&mut self, thing: ThingNo) {
        self.fill(thing);
    }

    /// Puts a thing into the parent being filled; full, it leaves.
    fn fill(&mut self, thing: ThingNo) {
        let level = self.things[thing].level + 1;
        let made_for = self.things[thing].symbol.as_ref().and_then(|s| self.made_for.get(s)).cloned();
        if let Some(own) = made_for {
            return self.fill_its_own(thing, level, &own);
        }
        let parent = match self.filling[level] {
            Some(parent) => parent,
            None => self.birth(level),
        };
        self.put_in(thing, parent);
    }

    /// As `fill`, into the parent that it was made for. What is short of one that was lost on the way goes on short.
    fn fill_its_own(&mut self, thing: ThingNo, level: usize, own: &[u8]) {
        if let (Some(kept), Some(parent)) = (self.kept.take(), self.filling[level]) {
            // The last of one parent and the first of the next have changed places.
            self.plot_swapped(&[kept, thing]);
            self.put_in(thing, parent);
            let next = self.birth_of(level, own);
            return self.put_in(kept, next);
        }
        if let Some(short) = self.filling[level].filter(|p| self.things[*p].symbol.as_deref() != Some(own)) {
            self.filling[level] = None;
            self.begin_route(short);
        }
        let parent = match self.filling[level] {
            Some(parent) => parent,
            None => self.birth_of(level, own),
        };
        let last = self.things[parent].children.len() + 1 == self.lay.levels[level].holds.max(1);
        if last && self.swaps() {
            (self.kept, self.filling[level]) = (Some(thing), Some(parent));
            return;
        }
        self.put_in(thing, parent);
    }

    fn put_in(&mut self, thing: ThingNo, parent: ThingNo) {
        let level = self.things[parent].level;
        self.put(thing, parent);
        let full = self.things[parent].children.len() >= self.lay.levels[level].holds.max(1);
        self.filling[level] = (!full).then_some(parent);
        if full {
            self.begin_route(parent);
        }
    }

    /// The parent with this code: those before it on the roll lost everything that was to lie in them.
    fn birth_of(&mut self, level: usize, own: &[u8]) -> ThingNo {
        if let Some(i) = self.rolls[level].iter().position(|code| code == own) {
            self.rolls[level].drain(..i);
        }
        self.birth(level)
    }

    /// A full parent leaves for its own stations.
    fn begin_route(&mut self, parent: ThingNo) {
        if self.lay.levels[self.things[parent].level].labelled_on_belt() {
            self.expect_label(parent);
        }
        self.onward(parent, 0, GAP_US);
    }
}
