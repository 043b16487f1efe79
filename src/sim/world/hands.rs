//! A person with a reader in the hand, who packs what lies on the table: scans each child, waits for the line's word,
//! puts it in, sticks the label on, scans that. Without any word from the line (nobody carries it) the person takes
//! silence for consent after a short while.

use super::World;
use super::layout::GAP_US;
use super::things::ThingNo;
use crate::sim::bench::Bench;
use crate::vocab::plan::CodeSource;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use std::collections::VecDeque;

/// How long a verdict is waited for, and how long without any connection.
const WAIT_US: u64 = 2_000 * MS;
const CONSENT_US: u64 = 300 * MS;
/// A look at the console tells of what was on disk when it was asked; it counts when it is this much newer.
const LOOK_US: u64 = 700 * MS;
/// Scans of one thing before it is set aside.
const TRIES: u32 = 3;
/// A label is waited for so long before the person counts as having nothing to do.
const FORLORN_US: u64 = 60_000 * MS;

pub struct Hand {
    pub table: VecDeque<ThingNo>,
    /// The parent being filled.
    pub parent: Option<ThingNo>,
    /// The newest label that came out for this level.
    pub label: Option<Vec<u8>>,
    /// The daemon's number of the parent open here.
    pub opened: Option<u64>,
    /// The daemon has given the parent up.
    pub undone: bool,
    /// The console says that this station is out of step: nothing is scanned until it is cleared.
    pub blocked: bool,
    doing: Doing,
    /// Hex of the code scanned last, and the word on it.
    asked: String,
    heard: Option<Word>,
    /// The line's open parents of this level, as the console showed them last.
    shown: Option<Shown>,
    next_us: u64,
    since_us: u64,
    rng: Rng,
}

/// The line's word on a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Good,
    Refused,
    /// Refused because the line has it already: its word on an earlier scan may have been lost.
    Known,
}

/// Open parents of one level on the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub at_us: u64,
    /// Children of the fullest, if there is any, and the codes of all.
    pub fill: Option<u64>,
    pub codes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// Scanned so many times, waiting for the word.
    Child {
        thing: ThingNo,
        scans: u32,
    },
    /// The parent's own code, the same.
    Own {
        scans: u32,
    },
    /// The line knows the code already: the console tells whether it counts this thing.
    Doubt {
        thing: ThingNo,
    },
    Label,
}

impl Hand {
    pub fn new(rng: Rng) -> Self {
        Self {
            table: VecDeque::new(),
            parent: None,
            label: None,
            opened: None,
            undone: false,
            blocked: false,
            doing: Doing::Nothing,
            asked: String::new(),
            heard: None,
            shown: None,
            next_us: 0,
            since_us: 0,
            rng,
        }
    }

    /// The line's word on a code scanned here.
    pub fn hear(&mut self, hex: &str, word: Word) {
        if self.heard.is_none() && hex == self.asked && matches!(self.doing, Doing::Child { .. } | Doing::Own { .. }) {
            self.heard = Some(word);
        }
    }

    pub fn look(&mut self, shown: Shown) {
        self.shown = Some(shown);
    }

    /// What the console shows, if it was looked at well after the present doing began.
    fn fresh(&self) -> Option<&Shown> {
        self.shown.as_ref().filter(|s| s.at_us >= self.since_us + LOOK_US)
    }

    fn turn(&mut self, doing: Doing, now_us: u64, after_us: u64) {
        (self.doing, self.since_us, self.next_us) = (doing, now_us, now_us + after_us);
        self.heard = None;
    }

    fn pause_us(&mut self) -> u64 {
        (600 + self.rng.below(500)) * MS
    }
}

impl World {
    pub(super) fn hand_acts(&mut self, h: usize, bench: &mut impl Bench) {
        let now_us = self.now_us;
        if now_us < self.hands[h].next_us {
            return;
        }
        // A word on the thing in the hand comes before what it brought about.
        if self.hands[h].undone && self.hands[h].heard.is_none() {
            self.hands[h].undone = false;
            return self.begin_anew(h);
        }
        match self.hands[h].doing {
            Doing::Nothing => self.look_at_table(h, bench),
            Doing::Label => self.wait_label(h),
            Doing::Doubt { thing } => self.settle_doubt(h, thing),
            Doing::Child { thing, scans } => self.wait_word(h, thing, scans, bench),
            Doing::Own { scans } => match self.hands[h].parent {
                Some(parent) => self.wait_word(h, parent, scans, bench),
                None => self.hands[h].turn(Doing::Nothing, now_us, 0),
            },
        }
    }

    fn wait_label(&mut self, h: usize) {
        let Some(parent) = self.hands[h].parent else { return self.hands[h].turn(Doing::Nothing, self.now_us, 0) };
        if let Some(bytes) = self.hands[h].label.take() {
            self.stick(parent, bytes);
            let read_on_belt = !self.lay.levels[self.lay.hands[h].level].route.is_empty();
            if read_on_belt {
                return self.finish_parent(h, parent);
            }
            self.hands[h].turn(Doing::Own { scans: 0 }, self.now_us, 500 * MS);
        } else if self.hands[h].fresh().is_some_and(|s| s.fill.is_none()) {
            // The line waits for no parent of this level: its word that it gave this one up was lost.
            self.hands[h].undone = true;
        }
    }

    fn settle_doubt(&mut self, h: usize, thing: ThingNo) {
        let own = self.hands[h].parent == Some(thing);
        let inside = self.hands[h].parent.map_or(0, |p| self.things[p].children.len() as u64);
        let Some(shown) = self.hands[h].fresh() else { return };
        let counted = if own { !shown.codes.contains(&self.hands[h].asked) } else { shown.fill == Some(inside + 1) };
        self.take_word(h, thing, counted);
    }

    fn look_at_table(&mut self, h: usize, bench: &mut impl Bench) {
        let place = &self.lay.hands[h];
        let way = &self.lay.levels[place.level];
        let (level, first, generated) = (place.level, place.parent_first, way.codes == CodeSource::Generated);
        let full = self.hands[h].parent.filter(|p| self.things[*p].children.len() >= way.holds.max(1));
        match full {
            Some(parent) if first => return self.finish_parent(h, parent),
            Some(_) if generated => return self.hands[h].turn(Doing::Label, self.now_us, 0),
            Some(parent) => return self.scan(h, parent, 0, bench),
            None => {}
        }
        if self.hands[h].blocked {
            return;
        }
        let Some(thing) = self.hands[h].table.front().copied() else { return };
        if !self.things.on_belt(thing) {
            self.hands[h].table.pop_front();
            return;
        }
        if self.hands[h].parent.is_none() {
            let parent = self.birth(level);
            self.hands[h].parent = Some(parent);
            if first && !generated {
                return self.scan(h, parent, 0, bench);
            }
        }
        self.scan(h, thing, 0, bench);
    }

    fn scan(&mut self, h: usize, thing: ThingNo, scans: u32, bench: &mut impl Bench) {
        let reader = self.lay.hands[h].reader;
        self.stirred_us = self.now_us;
        if !bench.linked(reader) || self.hands[h].blocked {
            self.hands[h].next_us = self.now_us + WAIT_US / 4;
            return;
        }
        let own = self.hands[h].parent == Some(thing);
        let Some(code) = self.things.code(thing) else {
            return self.set_aside(h, thing);
        };
        self.hands[h].asked = code;
        let doing = if own { Doing::Own { scans: scans + 1 } } else { Doing::Child { thing, scans: scans + 1 } };
        // Listening before the beep: the word may come within this very call.
        self.hands[h].turn(doing, self.now_us, 0);
        if self.read(reader, &[thing], None, bench).is_none() {
            let after_us = WAIT_US / 2;
            let again = if own { Doing::Own { scans: 0 } } else { Doing::Child { thing, scans: 0 } };
            self.hands[h].turn(again, self.now_us, after_us);
        }
    }

    fn wait_word(&mut self, h: usize, thing: ThingNo, scans: u32, bench: &mut impl Bench) {
        if !self.things.on_belt(thing) {
            self.hands[h].table.retain(|t| *t != thing);
            return self.hands[h].turn(Doing::Nothing, self.now_us, 0);
        }
        if scans == 0 {
            return self.scan(h, thing, 0, bench);
        }
        let waited_us = self.now_us - self.hands[h].since_us;
        let word = match self.hands[h].heard {
            None if !self.operator.ever_connected() && waited_us >= CONSENT_US => Some(Word::Good),
            w => w,
        };
        match word {
            Some(Word::Known) if self.operator.ever_connected() => self.hands[h].turn(Doing::Doubt { thing }, self.now_us, 0),
            Some(word) => self.take_word(h, thing, word == Word::Good),
            // While the line is away its word comes later.
            None if self.operator.ever_connected() && !self.operator.connected() => self.hands[h].since_us = self.now_us,
            None if waited_us >= WAIT_US && scans < TRIES => self.scan(h, thing, scans, bench),
            None if waited_us >= WAIT_US => self.take_word(h, thing, false),
            None => {}
        }
    }

    fn take_word(&mut self, h: usize, thing: ThingNo, good: bool) {
        self.stirred_us = self.now_us;
        let (level, first) = (self.lay.hands[h].level, self.lay.hands[h].parent_first);
        let own = self.hands[h].parent == Some(thing);
        let pause_us = self.hands[h].pause_us();
        match (own, good) {
            (false, true) => {
                let parent = self.hands[h].parent.expect("a child is scanned for a parent");
                self.hands[h].table.retain(|t| *t != thing);
                self.put(thing, parent);
                self.hands[h].turn(Doing::Nothing, self.now_us, pause_us);
            }
            (false, false) => self.set_aside(h, thing),
            (true, true) if first && self.things[thing].children.is_empty() => {
                self.hands[h].turn(Doing::Nothing, self.now_us, pause_us);
            }
            (true, true) => self.finish_parent(h, thing),
            // The label is no good: a new one comes, or the parent is given up.
            (true, false) if self.lay.levels[level].codes == CodeSource::Generated => {
                self.hands[h].turn(Doing::Label, self.now_us, pause_us);
            }
            (true, false) => self.set_aside(h, thing),
        }
    }

    fn set_aside(&mut self, h: usize, thing: ThingNo) {
        self.take(thing);
        let hand = &mut self.hands[h];
        hand.table.retain(|t| *t != thing);
        if hand.parent == Some(thing) {
            (hand.parent, hand.opened) = (None, None);
        }
        let pause_us = hand.pause_us();
        hand.turn(Doing::Nothing, self.now_us, pause_us);
    }

    fn finish_parent(&mut self, h: usize, parent: ThingNo) {
        let hand = &mut self.hands[h];
        (hand.parent, hand.opened, hand.undone) = (None, None, false);
        let pause_us = hand.pause_us();
        hand.turn(Doing::Nothing, self.now_us, pause_us);
        self.onward(parent, 0, GAP_US);
    }

    /// The line knows nothing of this parent any more: everything out, and packed anew.
    fn begin_anew(&mut self, h: usize) {
        let Some(parent) = self.hands[h].parent else { return };
        let children = self.things[parent].children.clone();
        for child in children.iter().rev() {
            self.lift(*child);
            self.hands[h].table.push_front(*child);
        }
        self.set_aside(h, parent);
        self.hands[h].label = None;
        self.hands[h].next_us = self.now_us + 2 * LOOK_US;
    }

    /// Everything out of the open parent and off the line; the empty parent is filled anew.
    pub(super) fn hand_empties(&mut self, h: usize) {
        let Some(parent) = self.hands[h].parent else { return };
        self.things[parent].children.clone().into_iter().for_each(|c| self.take(c));
        let hand = &mut self.hands[h];
        (hand.opened, hand.undone, hand.label) = (None, false, None);
        hand.turn(Doing::Nothing, self.now_us, 0);
    }

    pub(super) fn hand_rests(&self, h: usize) -> bool {
        let hand = &self.hands[h];
        let full = hand.parent.is_some_and(|p| self.things[p].children.len() >= self.lay.levels[self.lay.hands[h].level].holds.max(1));
        match hand.doing {
            Doing::Nothing => hand.table.is_empty() && !full,
            Doing::Label => self.now_us >= hand.since_us + FORLORN_US,
            Doing::Child { .. } | Doing::Own { .. } | Doing::Doubt { .. } => false,
        }
    }
}
