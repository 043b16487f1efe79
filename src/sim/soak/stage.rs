//! One printer, our conversation with it, and a bad link between them, on virtual time: bytes late, in pieces or glued,
//! the link torn after any byte, power cuts, lost buffers, refusals, silences and answers that come after their time.
//!
//! A belt moves while there is something to print, and stands a moment after there is not.
//!
//! Must never know: what the bytes mean.

use super::feed::{Feed, SPACING_US};
use super::judge::{Judge, text};
use crate::config::Config;
use crate::profile::{Bound, Profiles};
use crate::sim::bench::{Bench, Trouble};
use crate::sim::emul::{Emission, Link};
use crate::sim::example::with_messages_selected;
use crate::sim::rig::Rig;
use crate::vocab::plan::Traits;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, DeviceNo, Order, PackNo};
use crate::wire::{self, Action, Conversation};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

const SECOND: u64 = 1_000 * MS;
/// The belt moves so long after its permit went.
const COASTS_US: u64 = 200 * MS;
/// A stage where nothing was inked for so long is stuck.
const STUCK_US: u64 = 300 * SECOND;
/// Our side connects again after this.
const RETRY_US: u64 = 50 * MS;
/// Codes ordered ahead of what the printer holds.
const AHEAD: usize = 3;
const PACK: PackNo = PackNo(1);

/// What may befall a printer and its link.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Troubles in a thousand things.
    pub troubles: u32,
    /// A printer that forgets its buffer and says nothing is found out only where it names what it printed.
    pub silent_losses: bool,
    /// What the host waits for may come twice. A bare byte for every print that comes twice is told from a second print by
    /// nobody here; the line does it by how close things can follow each other.
    pub doubles: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mishaps {
    pub links: u64,
    pub resets: u64,
    pub late: u64,
    pub others: u64,
}

enum Parcel {
    ToDevice(Link, Vec<u8>),
    ToHost(Link, Vec<u8>),
    DeviceHangsUp(Link),
    HostHangsUp(Link),
}

pub struct Stage {
    rig: Rig,
    device: DeviceNo,
    host: Box<dyn Conversation>,
    /// A label printer, by its profile; `None`: codes go on things.
    label: Option<Bound>,
    depth: usize,
    pub mishaps: Mishaps,
    weather: Weather,
    rng: Rng,
    pub feed: Feed,
    now_us: u64,
    link: Link,
    /// Our side holds the link for open; so does the printer's.
    up: bool,
    device_up: bool,
    parcels: BTreeMap<(u64, u64), Parcel>,
    parcel: u64,
    /// When the last bytes of each direction arrive: to the device, to the host.
    last_us: [u64; 2],
    /// The link tears after so many more bytes of a direction.
    tear: Option<(usize, usize)>,
    /// Our side hears of the loss then.
    told_us: Option<u64>,
    dial_us: Option<u64>,
    thing_us: u64,
    /// Things come further apart to one that wants to be left alone between two questions.
    rests_us: u64,
    moving_until_us: u64,
    inked_us: u64,
    /// What happened last, for whoever looks into a failure.
    lately: VecDeque<String>,
}

/// Rests between two things: a code takes three or four questions.
const RESTS: u64 = 8;
/// Happenings that are kept.
const LATELY: usize = 60;

impl Stage {
    /// `line`: a configuration whose device `id` is the printer.
    pub fn new(profiles: &Profiles, line: &str, id: &str, judge: Judge, weather: Weather, seed: u64) -> Self {
        let bind = |name: &str, s: &_| profiles.bind(name, s).map(|b| b.traits());
        let config =
            Config::parse(Path::new("line.toml"), &with_messages_selected(line, profiles), &bind).unwrap_or_else(|e| panic!("{id}: {e:?}"));
        let plan = config.plan;
        let d = plan.devices.iter().find(|d| d.id == id).expect("the printer is in its line");
        let bound = profiles.bind(&d.profile, &d.settings).unwrap_or_else(|e| panic!("{e:?}"));
        let one_by_one = matches!(bound.traits(), Traits::Printer(t) if t.one_by_one);
        let label = bound.profile.kind == crate::profile::Kind::LabelPrinter;
        let rest_ms = bound.profile.talk.as_ref().map_or(0, |t| t.poll.rest_ms);
        let mut rng = Rng::new(seed);
        Self {
            rests_us: RESTS * u64::from(rest_ms) * MS,
            rig: Rig::new(&plan, profiles, rng.next_u64()).unwrap_or_else(|e| panic!("{e:?}")),
            device: d.no,
            host: wire::converse(&bound, &plan, d.no),
            depth: if label { 1 } else { bound.depth() as usize },
            label: label.then_some(bound),
            mishaps: Mishaps::default(),
            weather,
            rng,
            feed: Feed::new(judge, one_by_one),
            now_us: SECOND,
            link: Link::FIRST,
            up: false,
            device_up: false,
            parcels: BTreeMap::new(),
            parcel: 0,
            last_us: [0; 2],
            tear: None,
            told_us: None,
            dial_us: Some(SECOND),
            thing_us: SECOND,
            moving_until_us: 0,
            inked_us: SECOND,
            lately: VecDeque::new(),
        }
    }

    /// Arms the printer; false: it does not get ready with this message.
    pub fn arm(&mut self, message: Option<&str>) -> bool {
        self.host.ordered(Order::Arm { message: message.map(String::from), fields: Vec::new() }, self.now_us);
        let end = self.now_us + 30 * SECOND;
        while self.now_us < end && !self.feed.ready {
            self.step();
        }
        self.feed.ready
    }

    /// Until so many codes have ink; `Err`: it stands still.
    pub fn run(&mut self, prints: u64) -> Result<(), String> {
        self.inked_us = self.now_us;
        while self.feed.judge.tally.inked < prints {
            self.step();
            if !self.feed.judge.wrong.is_empty() {
                return Err(format!("{}\n  {}", self.feed.judge.wrong.join("; "), Vec::from(self.lately.clone()).join("\n  ")));
            }
            if self.now_us > self.inked_us + STUCK_US {
                let lately = Vec::from(self.lately.clone()).join("\n  ");
                return Err(format!("nothing was inked for {} s (ready: {})\n  {lately}", STUCK_US / SECOND, self.feed.ready));
            }
        }
        Ok(())
    }

    /// The weather clears, and what is open comes to its end.
    pub fn calm(&mut self, prints: u64) -> Result<(), String> {
        self.weather = Weather::default();
        let more = self.feed.judge.tally.inked + prints;
        self.run(more)
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        if self.lately.len() == LATELY {
            self.lately.pop_front();
        }
        self.lately.push_back(format!("{:>12} {what}", self.now_us));
    }

    /// To the next moment at which anything happens, and everything that happens then.
    fn step(&mut self) {
        let parcels = self.parcels.keys().next().map(|k| k.0);
        let next = [self.host.deadline(), self.rig.deadline(), parcels, self.told_us, self.dial_us, Some(self.thing_us)];
        self.now_us = next.into_iter().flatten().min().unwrap_or(self.thing_us).max(self.now_us);
        let now_us = self.now_us;
        self.rig.due(now_us);
        while let Some(bytes) = self.rig.label(self.device, now_us) {
            self.ink(&bytes);
        }
        if self.told_us.take_if(|t| *t <= now_us).is_some() {
            self.host_closed("the link is gone");
        }
        if self.dial_us.take_if(|t| *t <= now_us).is_some() {
            self.dial();
        }
        if self.host.deadline().is_some_and(|d| d <= now_us) {
            self.host.due(now_us);
        }
        if self.thing_us <= now_us {
            self.thing();
        }
        self.settle();
        while let Some(entry) = self.parcels.first_entry().filter(|e| e.key().0 <= now_us) {
            let parcel = entry.remove();
            self.arrive(parcel);
            self.settle();
        }
    }

    fn dial(&mut self) {
        if !self.rig.accepts(self.device, self.now_us) {
            self.dial_us = Some(self.now_us + RETRY_US);
            return;
        }
        self.link = Link(self.link.0 + 1);
        (self.up, self.device_up, self.tear) = (true, true, None);
        self.last_us = [self.now_us; 2];
        self.rig.connected(self.device, self.link, self.now_us);
        self.host.opened(self.now_us);
    }

    fn host_closed(&mut self, why: &str) {
        if self.up {
            self.up = false;
            self.told_us = None;
            self.host.closed(self.now_us, why);
            self.dial_us = Some(self.now_us + RETRY_US + self.rng.below(200 * MS));
        }
    }

    fn arrive(&mut self, parcel: Parcel) {
        let (now_us, device) = (self.now_us, self.device);
        match parcel {
            Parcel::ToDevice(l, bytes) if l == self.link && self.device_up => {
                let (bytes, torn) = self.torn(0, bytes);
                self.rig.received(device, l, &bytes, now_us);
                if torn {
                    self.lose_link();
                }
            }
            Parcel::ToHost(l, bytes) if l == self.link && self.up => {
                let (bytes, torn) = self.torn(1, bytes);
                self.note(format_args!("< {}", bytes.escape_ascii()));
                self.feed.judge.heard(&bytes);
                self.host.received(&bytes, now_us);
                if torn {
                    self.lose_link();
                }
            }
            Parcel::DeviceHangsUp(l) if l == self.link => {
                self.device_up = false;
                self.host_closed("the device closed the link");
            }
            Parcel::HostHangsUp(l) if l == self.link && self.device_up => {
                self.device_up = false;
                self.rig.disconnected(device, l, now_us);
            }
            _ => {}
        }
    }

    /// What of these bytes still comes through.
    fn torn(&mut self, direction: usize, mut bytes: Vec<u8>) -> (Vec<u8>, bool) {
        match &mut self.tear {
            Some((d, left)) if *d == direction => {
                if *left < bytes.len() {
                    bytes.truncate(*left);
                    self.tear = None;
                    return (bytes, true);
                }
                *left -= bytes.len();
                (bytes, false)
            }
            _ => (bytes, false),
        }
    }

    /// Both sides are cut off; ours hears of it soon, or late and by a silence of its own.
    fn lose_link(&mut self) {
        if self.device_up {
            self.device_up = false;
            self.mishaps.links += 1;
            self.rig.disconnected(self.device, self.link, self.now_us);
            let us = if self.rng.chance(250_000) { 3 * SECOND } else { self.rng.below(60 * MS) };
            self.told_us = Some(self.now_us + us);
        }
    }

    /// On its way: now and then in pieces, one after another.
    fn carry(&mut self, direction: usize, link: Link, bytes: Vec<u8>) {
        // The second of two that came at once is not held back: later it would be taken for the answer to what came between.
        let twice = bytes[..bytes.len() / 2] == bytes[bytes.len().div_ceil(2)..];
        let pieces = if self.weather.troubles > 0 && bytes.len() > 1 && !twice && self.rng.chance(30_000) {
            let at = 1 + self.rng.below(bytes.len() as u64 - 1) as usize;
            vec![bytes[..at].to_vec(), bytes[at..].to_vec()]
        } else {
            vec![bytes]
        };
        let mut pause_us = 0;
        for piece in pieces {
            let at_us = (self.now_us + 100 + self.rng.below(400) + pause_us).max(self.last_us[direction]);
            self.last_us[direction] = at_us;
            pause_us = self.rng.below(15 * MS);
            let parcel = if direction == 0 { Parcel::ToDevice(link, piece) } else { Parcel::ToHost(link, piece) };
            self.parcel += 1;
            self.parcels.insert((at_us, self.parcel), parcel);
        }
    }

    fn send_word(&mut self, parcel: Parcel, direction: usize) {
        self.parcel += 1;
        self.parcels.insert((self.last_us[direction].max(self.now_us), self.parcel), parcel);
    }

    /// Until neither side has anything to say at this moment.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut quiet = true;
            while let Some(action) = self.host.poll() {
                quiet = false;
                self.host_does(action);
            }
            let mut said = Vec::new();
            while let Some((link, emission)) = self.rig.poll(self.device) {
                quiet = false;
                match emission {
                    _ if link != self.link => {}
                    Emission::Send(bytes) => said.extend(bytes),
                    Emission::HangUp => {
                        let word = Parcel::DeviceHangsUp(link);
                        self.send_word(word, 1);
                    }
                }
            }
            if !said.is_empty() && self.device_up {
                self.carry(1, self.link, said);
            }
            if quiet && !self.order() {
                return;
            }
        }
        panic!("never quiet");
    }

    fn host_does(&mut self, action: Action) {
        match action {
            Action::Send(bytes) | Action::Command(bytes) => {
                assert!(self.up, "nothing is sent without a link");
                self.note(format_args!("> {}", bytes.escape_ascii()));
                self.feed.judge.left(&bytes);
                self.carry(0, self.link, bytes);
            }
            Action::HangUp { .. } if self.up => {
                let word = Parcel::HostHangsUp(self.link);
                self.send_word(word, 0);
                self.host_closed("we hung up");
            }
            Action::HangUp { .. } => {}
            Action::Tell(report) => {
                self.note(format_args!("! {}", wire::transcript::shown(&report)));
                self.feed.told(report, self.now_us);
            }
        }
    }

    /// Orders what there is room for; false: nothing.
    fn order(&mut self) -> bool {
        let limit = if self.label.is_some() { 1 } else { self.depth + AHEAD };
        let Some(n) = self.feed.next(limit) else { return false };
        let bytes = self.label.as_ref().map_or_else(|| text(n), |bound| label(bound, n));
        self.host.ordered(Order::Print { code: CodeRef::new(PACK, n), bytes }, self.now_us);
        true
    }

    /// A thing comes to the head, if the belt moves.
    fn thing(&mut self) {
        let now_us = self.now_us;
        // In fair weather no printer is hurried, also one that is asked slowly.
        let hurry = if self.weather.troubles > 0 { 1 } else { 4 };
        self.thing_us = now_us + hurry * SPACING_US + self.rests_us + self.rng.below(60 * MS);
        if self.feed.runs() {
            self.moving_until_us = now_us + COASTS_US;
        }
        if self.weather.troubles > 0 && self.rng.below(1_000) < u64::from(self.weather.troubles) {
            self.trouble();
        }
        if self.label.is_some() || now_us >= self.moving_until_us {
            return;
        }
        match self.rig.print(self.device, now_us) {
            Some(bytes) => {
                let seen = self.ink(&bytes);
                self.feed.read(seen);
            }
            None if self.feed.bare_thing() => self.host.ordered(Order::Clear, now_us),
            None => self.feed.read(None),
        }
    }

    fn ink(&mut self, bytes: &[u8]) -> Option<u32> {
        self.note(format_args!("ink {}", bytes.escape_ascii()));
        self.inked_us = self.now_us;
        self.feed.judge.ink(bytes)
    }

    fn trouble(&mut self) {
        let ms = self.rng.below(600) as u32;
        let what = match self.rng.below(16) {
            0..=3 => {
                let direction = self.rng.below(2) as usize;
                self.tear = Some((direction, self.rng.below(40) as usize));
                return self.note(format_args!("the link will tear"));
            }
            4 => return self.lose_link(),
            5 | 6 => Trouble::PowerCycle { ms: 200 + ms },
            7 if self.weather.silent_losses => Trouble::DropBuffer,
            7 => {
                // Its program starts anew: buffer and link are gone.
                self.mishaps.resets += 1;
                self.rig.trouble(self.device, Trouble::DropBuffer, self.now_us);
                return self.lose_link();
            }
            8 => Trouble::LinkLoss { ms },
            9 => Trouble::Silence,
            10 => Trouble::LateAck { ms: 900 + ms * 4 },
            11 => Trouble::LateAck { ms },
            // A label that is dropped without a word is found by whoever reads labels back.
            12 if self.label.is_none() => Trouble::Refuse,
            13 => Trouble::Fault { ms: 300 + ms },
            14 if self.weather.doubles => Trouble::DoubleAck,
            _ if ms.is_multiple_of(2) => Trouble::Glue,
            _ => Trouble::Split { ms: ms % 40 },
        };
        match what {
            Trouble::PowerCycle { .. } | Trouble::DropBuffer => self.mishaps.resets += 1,
            Trouble::LinkLoss { .. } => self.mishaps.links += 1,
            Trouble::LateAck { .. } => self.mishaps.late += 1,
            _ => self.mishaps.others += 1,
        }
        if matches!(what, Trouble::PowerCycle { .. } | Trouble::LinkLoss { .. }) {
            self.device_up = false;
        }
        self.note(format_args!("{what:?}"));
        self.rig.trouble(self.device, what, self.now_us);
    }
}

fn label(bound: &Bound, n: u32) -> Vec<u8> {
    let fill = wire::label::Fill { code: &text(n), sscc: false, lot: "L", count: 1 };
    wire::label::render(bound, None, &fill).unwrap_or_else(|e| panic!("{}: {e}", bound.profile.name))
}
