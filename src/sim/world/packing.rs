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
            _ => {
                if let Some(parent) = self.fill(thing) {
                    self.begin_route(parent);
                }
            }
        }
    }

    /// Past the eye of a sequence station, into its parent.
    pub(super) fn put_in_sequence(&mut self, thing: ThingNo) {
        if let Some(parent) = self.fill(thing) {
            self.begin_route(parent);
        }
    }

    /// Puts a thing into the parent being filled; answers it when it is full.
    fn fill(&mut self, thing: ThingNo) -> Option<ThingNo> {
        let level = self.things[thing].level + 1;
        let parent = match self.filling[level] {
            Some(parent) => parent,
            None => self.birth(level),
        };
        self.put(thing, parent);
        let full = self.things[parent].children.len() >= self.lay.levels[level].holds.max(1);
        self.filling[level] = (!full).then_some(parent);
        full.then_some(parent)
    }

    /// A full parent leaves for its own stations.
    fn begin_route(&mut self, parent: ThingNo) {
        if self.lay.levels[self.things[parent].level].labelled_on_belt() {
            self.expect_label(parent);
        }
        self.onward(parent, 0, GAP_US);
    }
}
