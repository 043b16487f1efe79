//! Faults: what goes wrong, how often, and to whom. A deck of kinds is shuffled and dealt, one card every so many items,
//! so that a shift of a thousand items meets them all; every one is in the truth as `inject` before it does harm.

use super::World;
use super::belt::Later;
use super::layout::{End, Layout};
use super::things::{Cover, ThingNo};
use crate::sim::bench::{Bench, Trouble};
use crate::vocab::DeviceNo;
use crate::vocab::plan::CodeSource;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use std::collections::VecDeque;

/// How bad a day is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    None,
    Normal,
    Hard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Unreadable,
    Foreign,
    Duplicate,
    Removed,
    FrameShort,
    BufferLost,
    ReaderLink,
    PowerCycle,
    Split,
    Glue,
    DoubleAck,
    LateAck,
    Silence,
    Refuse,
    StaleFrame,
    DoubleFrame,
    ModuleLink,
    BeltStop,
    Reversal,
    LabelSwapped,
    LabelNotApplied,
    PrinterDown,
    GateStuck,
    Swapped,
}

use Fault::*;

const NORMAL: &[Fault] = &[Unreadable, Foreign, Duplicate, Removed, FrameShort, BufferLost, ReaderLink, Swapped];
const HARD: &[Fault] = &[
    PowerCycle,
    Split,
    Glue,
    DoubleAck,
    LateAck,
    Silence,
    Refuse,
    StaleFrame,
    DoubleFrame,
    ModuleLink,
    BeltStop,
    Reversal,
    LabelSwapped,
    LabelNotApplied,
    PrinterDown,
    GateStuck,
];

/// Items from card to card: at least this many, and up to as many more.
const NORMAL_EVERY: u64 = 60;
const HARD_EVERY: u64 = 25;
/// Beside the deck, symbols nobody can read: 0.5 % of items.
const UNREADABLE_PPM: u32 = 5_000;
/// Inked codes remembered for copies, and how many items old a copy is at least.
const REMEMBERED: usize = 64;
const COPY_AGE: usize = 20;
/// How far a jerk takes the belt back, and how long after an eye saw a thing it comes.
const JERK_US: u64 = 8 * MS;
const JERK_AFTER_US: u64 = 5 * MS;

impl Fault {
    const fn word(self) -> &'static str {
        match self {
            Unreadable => "unreadable",
            Foreign => "foreign",
            Duplicate => "duplicate",
            Removed => "removed",
            FrameShort => "frame-short",
            BufferLost => "buffer-lost",
            ReaderLink | ModuleLink => "link-loss",
            PowerCycle => "power-cycle",
            Split => "split",
            Glue => "glue",
            DoubleAck => "double-ack",
            LateAck => "late-ack",
            Silence => "silence",
            Refuse => "refuse",
            StaleFrame => "stale-frame",
            DoubleFrame => "double-frame",
            BeltStop => "belt-stop",
            Reversal => "reversal",
            LabelSwapped => "label-swapped",
            LabelNotApplied => "label-not-applied",
            PrinterDown => "printer-fault",
            GateStuck => "gate-stuck",
            Swapped => "children-swapped",
        }
    }
}

/// Deals the cards.
pub struct Plotter {
    how: Faults,
    rng: Rng,
    kinds: Vec<Fault>,
    deck: Vec<Fault>,
    next_at: u64,
    /// Dealt, and waiting for something to happen to.
    armed: Vec<Fault>,
    inked: VecDeque<Vec<u8>>,
}

impl Plotter {
    pub fn new(how: Faults, mut rng: Rng, lay: &Layout, related: bool) -> Self {
        let all = match how {
            Faults::None => Vec::new(),
            Faults::Normal => NORMAL.to_vec(),
            Faults::Hard => [NORMAL, HARD].concat(),
        };
        let kinds: Vec<Fault> = all.into_iter().filter(|f| possible(*f, lay, related)).collect();
        let every = if how == Faults::Hard { HARD_EVERY } else { NORMAL_EVERY };
        let next_at = every / 2 + rng.below(every);
        Self { how, rng, kinds, deck: Vec::new(), next_at, armed: Vec::new(), inked: VecDeque::new() }
    }

    pub fn inked(&mut self, bytes: &[u8]) {
        if self.how != Faults::None {
            self.inked.push_back(bytes.to_vec());
            if self.inked.len() > REMEMBERED {
                self.inked.pop_front();
            }
        }
    }

    /// The card for the `n`th item, if one is dealt.
    fn deal(&mut self, n: u64) -> Option<Fault> {
        if n < self.next_at || self.kinds.is_empty() {
            return None;
        }
        let every = if self.how == Faults::Hard { HARD_EVERY } else { NORMAL_EVERY };
        self.next_at = n + every + self.rng.below(every);
        if self.deck.is_empty() {
            self.deck = self.kinds.clone();
            for i in (1..self.deck.len()).rev() {
                self.deck.swap(i, self.rng.below(i as u64 + 1) as usize);
            }
        }
        self.deck.pop()
    }

    /// Waits for the next thing it can befall.
    pub fn arm(&mut self, fault: Fault) {
        self.armed.push(fault);
    }

    fn disarm(&mut self, fault: Fault) -> bool {
        let found = self.armed.iter().position(|f| *f == fault);
        found.map(|i| self.armed.remove(i)).is_some()
    }

    fn pick(&mut self, from: &[DeviceNo]) -> Option<DeviceNo> {
        from.get(self.rng.below(from.len() as u64) as usize).copied()
    }

    fn ms(&mut self, from: u64, to: u64) -> u32 {
        (from + self.rng.below(to - from)) as u32
    }
}

/// A line without the machine has none of its faults.
fn possible(f: Fault, lay: &Layout, related: bool) -> bool {
    match f {
        Unreadable | Foreign => !lay.readers.is_empty(),
        Duplicate => lay.levels[0].codes == CodeSource::Printed,
        Removed => lay.eyes.iter().any(|e| e.level == 0 && e.gate.is_some()) && lay.levels[0].end == End::Frame,
        FrameShort => lay.eyes.iter().any(|e| e.frame),
        BufferLost | DoubleAck | LateAck | Silence | Refuse => !lay.item_printers.is_empty(),
        PowerCycle | PrinterDown => !lay.item_printers.is_empty() || !lay.label_printers.is_empty(),
        ReaderLink | Split | Glue | StaleFrame | DoubleFrame => !lay.readers.is_empty(),
        ModuleLink => !lay.modules.is_empty(),
        BeltStop => true,
        Swapped => related,
        GateStuck => lay.eyes.iter().any(|e| e.level == 0 && e.gate.is_some()) && lay.levels[0].end == End::Frame,
        Reversal => lay.eyes.iter().any(|e| jerkable(lay, e)),
        LabelSwapped | LabelNotApplied => lay.levels.iter().any(|l| l.labelled_on_belt()),
    }
}

/// Eyes at which a jerk is staged: single items that are gathered by a camera. What feeds a sequence keeps its order.
fn jerkable(lay: &Layout, e: &super::layout::Eye) -> bool {
    e.level == 0 && !e.sequence && e.gate.is_some() && lay.levels[0].end == End::Frame
}

impl World {
    /// Writes `inject`.
    pub(super) fn inject(&mut self, fault: Fault, thing: Option<ThingNo>, device: Option<DeviceNo>) {
        let thing = thing.map_or(String::new(), |t| format!(r#","thing":"{}""#, self.things.name(t)));
        let device = device.map_or(String::new(), |d| format!(r#","device":"{}""#, self.plan.device(d).id));
        self.truth.line(self.now_us, "inject", format_args!(r#","fault":"{}"{thing}{device}"#, fault.word()));
    }

    /// A new item comes: what befalls it, or the line while it goes by.
    pub(super) fn plot(&mut self, item: ThingNo, bench: &mut impl Bench) {
        if self.faults.how == Faults::None {
            return;
        }
        if let Some(card) = self.faults.deal(self.fed) {
            self.begin_fault(card, item, bench);
        }
        if self.faults.inked.len() >= COPY_AGE && self.things[item].cover == Cover::Nothing && self.faults.disarm(Duplicate) {
            let oldest = self.faults.inked.len() - COPY_AGE;
            let i = self.faults.rng.below(oldest as u64 + 1) as usize;
            self.cover(Duplicate, item, Cover::Sticker(self.faults.inked[i].clone()));
        }
        if self.things[item].cover == Cover::Nothing && self.faults.rng.chance(UNREADABLE_PPM) && self.faults.kinds.contains(&Unreadable) {
            self.cover(Unreadable, item, Cover::Smear);
        }
    }

    fn cover(&mut self, fault: Fault, item: ThingNo, cover: Cover) {
        self.inject(fault, Some(item), None);
        self.things[item].cover = cover;
    }

    fn begin_fault(&mut self, card: Fault, item: ThingNo, bench: &mut impl Bench) {
        let p = &mut self.faults;
        let printers = &self.lay.item_printers;
        let (device, trouble) = match card {
            Unreadable => return self.cover(card, item, Cover::Smear),
            Foreign => {
                let bytes = format!("https://other.example/{:08x}", p.rng.next_u64() >> 32).into_bytes();
                return self.cover(card, item, Cover::Sticker(bytes));
            }
            Removed => {
                self.things[item].doomed = true;
                return;
            }
            Duplicate | FrameShort | Reversal | LabelSwapped | LabelNotApplied | GateStuck | Swapped => return p.arm(card),
            BeltStop => {
                let ms = p.ms(200, 1_500);
                self.inject(card, None, None);
                return self.jam(u64::from(ms) * MS, bench);
            }
            BufferLost => (p.pick(printers), Trouble::DropBuffer),
            DoubleAck => (p.pick(printers), Trouble::DoubleAck),
            LateAck => (p.pick(printers), Trouble::LateAck { ms: p.ms(100, 400) }),
            Silence => (p.pick(printers), Trouble::Silence),
            Refuse => (p.pick(printers), Trouble::Refuse),
            PowerCycle | PrinterDown => {
                let all: Vec<DeviceNo> = printers.iter().chain(&self.lay.label_printers).copied().collect();
                let ms = p.ms(1_000, 3_000);
                (p.pick(&all), if card == PowerCycle { Trouble::PowerCycle { ms } } else { Trouble::Fault { ms } })
            }
            ReaderLink => (p.pick(&self.lay.readers), Trouble::LinkLoss { ms: p.ms(100, 800) }),
            ModuleLink => (p.pick(&self.lay.modules), Trouble::LinkLoss { ms: p.ms(100, 1_000) }),
            Split => (p.pick(&self.lay.readers), Trouble::Split { ms: p.ms(2, 20) }),
            Glue => (p.pick(&self.lay.readers), Trouble::Glue),
            StaleFrame => (p.pick(&self.lay.readers), Trouble::StaleFrame { ms: p.ms(100, 600) }),
            DoubleFrame => (p.pick(&self.lay.readers), Trouble::DoubleFrame),
        };
        if let Some(device) = device {
            self.inject(card, None, Some(device));
            bench.trouble(device, trouble, self.now_us);
        }
    }

    /// A thing has just entered an eye: a jerk may follow.
    pub(super) fn plot_crossing(&mut self, eye: usize, thing: ThingNo) {
        if jerkable(&self.lay, &self.lay.eyes[eye]) && self.faults.disarm(Reversal) {
            self.inject(Reversal, Some(thing), None);
            self.belt.later(self.now_us + JERK_AFTER_US, Later::Jerk { by_us: JERK_US });
        }
    }

    /// The child of this parent that its frame does not show, if any.
    pub(super) fn plot_dimmed(&mut self, parent: ThingNo) -> Option<ThingNo> {
        let children = self.things[parent].children.len() as u64;
        if children == 0 || !self.faults.disarm(FrameShort) {
            return None;
        }
        let child = self.things[parent].children[self.faults.rng.below(children) as usize];
        self.inject(FrameShort, Some(child), None);
        Some(child)
    }

    /// The flap does not move for this item, which its gate rejects: it gets by.
    pub(super) fn plot_stuck(&mut self, thing: ThingNo) -> bool {
        let befalls = self.things[thing].level == 0 && self.lay.levels[0].end == End::Frame && self.faults.disarm(GateStuck);
        if befalls {
            self.inject(GateStuck, Some(thing), None);
        }
        befalls
    }

    /// Do the last thing of this parent and the first of the next change places?
    pub(super) fn swaps(&mut self) -> bool {
        self.faults.disarm(Swapped)
    }

    pub(super) fn plot_swapped(&mut self, things: &[ThingNo]) {
        things.iter().for_each(|t| self.inject(Swapped, Some(*t), None));
    }

    /// Does this fault of the applicator befall this thing?
    pub(super) fn plot_label(&mut self, fault: Fault, thing: ThingNo) -> bool {
        let befalls = self.faults.disarm(fault);
        if befalls {
            self.inject(fault, Some(thing), None);
        }
        befalls
    }
}
