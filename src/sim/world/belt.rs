//! The belt: how far it has come, and what happens when it comes so far.
//!
//! Position is belt time: µs of running belt. What a thing meets next is on the agenda at a position; whatever has its
//! own time (a falling reject, a jam's end) is on the clock. Invariant: an act at a position happens once, when the
//! belt first gets there going forward; eyes alone see things twice (see `eyes`).

use super::things::ThingNo;
use crate::vocab::plan::Point;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that happens at a position of the belt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// The next item is put on the belt.
    Feed,
    /// An encoder's input changes.
    Pulse { encoder: usize, on: bool },
    /// The thing's end leaves an eye.
    EyeOff { eye: usize },
    /// In front of an item printer's head (the step of its route).
    Head { thing: ThingNo },
    /// The thing's front enters an eye. `again`: it had been there before the belt went backwards.
    EyeOn { eye: usize, thing: ThingNo, again: bool },
    /// The thing's middle is at the gate of this eye.
    Gate { eye: usize, thing: ThingNo },
    /// In front of the label applicator of its level.
    Applicator { thing: ThingNo },
    /// At the packing point or on the table of the station that packs it.
    Arrive { thing: ThingNo },
    /// Somebody takes it off the belt.
    Snatch { thing: ThingNo },
}

impl Act {
    /// Moves a thing on: the belt is not empty while one is left.
    const fn carries(self) -> bool {
        !matches!(self, Self::Feed | Self::Pulse { .. } | Self::EyeOff { .. } | Self::Snatch { .. })
    }
}

/// Something that happens at a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Later {
    /// An input changes: the sensor in the mouth of a reject bin.
    Input {
        point: Point,
        on: bool,
    },
    /// The belt jerks back by this much.
    Jerk {
        by_us: u64,
    },
    /// Going backwards, a thing's front leaves an eye, or its end comes into it again.
    BackOff {
        eye: usize,
    },
    BackOn {
        eye: usize,
    },
    /// What lay in the mouth of this eye's bin is gone.
    Unblock {
        eye: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    Standing,
    Forward,
    /// Backwards, down to this position.
    Reverse {
        to: u64,
    },
}

pub struct Belt {
    pub pos_us: u64,
    pub motion: Motion,
    /// The permit is gone; the belt stands from this time on.
    pub stops_at: Option<u64>,
    /// Held by something else than the permit until then.
    pub jammed_until: u64,
    /// When it came to a stand.
    pub stood_at: u64,
    agenda: BinaryHeap<Reverse<(u64, u64, Act)>>,
    clock: BinaryHeap<Reverse<(u64, u64, Later)>>,
    order: u64,
    carrying: usize,
}

/// What the next moment brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Act(Act),
    Later(Later),
    /// The belt has run out after its permit went.
    Stop,
    /// It is back where the jerk took it.
    Back,
}

impl Belt {
    pub fn new() -> Self {
        Self {
            pos_us: 0,
            motion: Motion::Standing,
            stops_at: None,
            jammed_until: 0,
            stood_at: 0,
            agenda: BinaryHeap::new(),
            clock: BinaryHeap::new(),
            order: 0,
            carrying: 0,
        }
    }

    pub fn at(&mut self, pos_us: u64, act: Act) {
        self.order += 1;
        self.carrying += usize::from(act.carries());
        self.agenda.push(Reverse((pos_us, self.order, act)));
    }

    pub fn later(&mut self, at_us: u64, what: Later) {
        self.order += 1;
        self.clock.push(Reverse((at_us, self.order, what)));
    }

    /// No thing is on its way to anything.
    pub fn is_empty(&self) -> bool {
        self.carrying == 0
    }

    /// When the next thing happens, if the belt goes on as it does at `now_us`.
    pub fn next_us(&self, now_us: u64) -> Option<u64> {
        let clock = self.clock.peek().map(|r| r.0.0.max(now_us));
        [clock, self.act_us(now_us), self.stop_us(now_us)].into_iter().flatten().min()
    }

    fn act_us(&self, now_us: u64) -> Option<u64> {
        match self.motion {
            Motion::Forward => self.agenda.peek().map(|r| now_us + r.0.0.saturating_sub(self.pos_us)),
            Motion::Reverse { to } => Some(now_us + self.pos_us.saturating_sub(to)),
            Motion::Standing => None,
        }
    }

    fn stop_us(&self, now_us: u64) -> Option<u64> {
        self.stops_at.filter(|_| self.motion == Motion::Forward).map(|t| t.max(now_us))
    }

    /// Lets time run from `from_us` to `to_us`, no further than the next event.
    pub fn run(&mut self, from_us: u64, to_us: u64) {
        match self.motion {
            Motion::Forward => self.pos_us += to_us - from_us,
            Motion::Reverse { to } => self.pos_us = self.pos_us.saturating_sub(to_us - from_us).max(to),
            Motion::Standing => {}
        }
    }

    /// What is due at `now_us`, one at a time: acts before stops, so that a stop does not swallow them.
    pub fn pop(&mut self, now_us: u64) -> Option<Next> {
        if self.act_us(now_us) == Some(now_us) {
            if let Motion::Reverse { .. } = self.motion {
                return Some(Next::Back);
            }
            let Reverse((_, _, act)) = self.agenda.pop()?;
            self.carrying -= usize::from(act.carries());
            return Some(Next::Act(act));
        }
        if self.clock.peek().is_some_and(|r| r.0.0 <= now_us) {
            return self.clock.pop().map(|r| Next::Later(r.0.2));
        }
        (self.stop_us(now_us) == Some(now_us)).then_some(Next::Stop)
    }
}
