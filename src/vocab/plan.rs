//! The plan of a line: what the configuration says, checked, with numbers instead of names. Built by `config`, read by
//! everybody, changed by nobody while the line runs.

use super::KeyRule;
use super::grade::Grade;
use super::ids::{DeviceNo, LevelNo, StationNo};
use super::sscc::RangeRule;
use super::supply::SupplyRule;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub use super::network::Network;
pub use super::traits::*;

#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub line: String,
    pub name: String,
    pub site: String,
    pub language: Language,
    pub timezone: String,
    /// Continue by itself after a crash, once adopted and flushed.
    pub resume_after_crash: bool,
    pub min_spacing_ms: u32,
    pub fail_open_accepted: bool,
    pub run_permit: Option<Permit>,
    pub stack_light: Option<StackLight>,
    pub products: Vec<Product>,
    /// Bottom first.
    pub levels: Vec<Level>,
    pub devices: Vec<Device>,
    /// In the order of the file, which is the order of the belt.
    pub stations: Vec<Station>,
    pub limits: Limits,
    pub packs: PacksPlan,
    /// Where packs are ordered from.
    pub supplies: Vec<SupplyRule>,
    pub codes: CodesPlan,
}

/// What holds for every code of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodesPlan {
    /// How codes are found again; one rule for the whole store.
    pub key: KeyRule,
    /// Digits of the company's GS1 prefix, 6 to 12; an EPC URN cannot be written without it.
    pub company_prefix_len: Option<u8>,
}

impl Default for CodesPlan {
    fn default() -> Self {
        Self { key: KeyRule::Identity, company_prefix_len: None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Chinese,
    English,
}

/// The run permit: a level rewritten every `heartbeat_ms`; the I/O module's watchdog drops it `watchdog_ms` after the
/// last request, and the belt stands `belt_stop_ms` later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    pub output: Point,
    pub heartbeat_ms: u32,
    pub watchdog_ms: u32,
    pub belt_stop_ms: u32,
}

/// The lamps and the horn that the floor sees and hears. A colour that is not named is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackLight {
    pub red: Option<Point>,
    pub yellow: Option<Point>,
    pub green: Option<Point>,
    pub horn: Option<Point>,
    /// The horn falls silent by itself after this; none: it waits for somebody.
    pub horn_ms: Option<u32>,
    /// Every lamp is written again so often, changed or not.
    pub reassert_ms: u32,
}

impl StackLight {
    /// Its outputs: red, yellow, green, horn.
    pub fn outputs(&self) -> [Option<Point>; 4] {
        [self.red, self.yellow, self.green, self.horn]
    }
}

/// A point of an I/O module: `io1:out.8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    pub device: DeviceNo,
    pub kind: PointKind,
    pub number: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointKind {
    Input,
    Output,
    Counter,
    /// `io1:pulse.3`: output 3, energised for a time that the module itself keeps.
    Pulse,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    pub id: String,
    pub gtin: Option<String>,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    pub no: LevelNo,
    pub name: String,
    pub codes: CodeSource,
    /// Children of one parent of this level; 0 at the bottom.
    pub holds: u32,
    /// For generated codes.
    pub range: Option<RangeRule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSource {
    Printed,
    Preprinted,
    Generated,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    pub no: DeviceNo,
    pub id: String,
    pub profile: String,
    pub address: Address,
    /// A link of its own for commands; none: they go by the only one.
    pub command: Option<Address>,
    /// Who may connect, where the device connects to us; none: anybody.
    pub allow: Vec<Network>,
    pub settings: BTreeMap<String, Setting>,
    pub traits: Traits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// We connect.
    Tcp { host: String, port: u16 },
    /// The device connects to us.
    Listen { host: String, port: u16 },
    /// The event device of a keyboard; `path` as for `Serial`.
    Keys { path: String },
    /// `path` as written, absolute or relative to the configuration (then a pty's symlink).
    Serial { path: String, baud: u32, parity: Parity },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    None,
    Even,
    Odd,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    Text(String),
    Number(i64),
    Flag(bool),
}

impl Station {
    /// Things of the one may come to the other: same lane, or one of them names none.
    pub fn same_lane(&self, other: &Self) -> bool {
        self.lane.is_none() || other.lane.is_none() || self.lane == other.lane
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Print,
    Verify,
    Pack,
    Rework,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gather {
    Frame,
    Sequence,
    ParentFirst,
    ParentLast,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Station {
    pub no: StationNo,
    pub id: String,
    pub role: Role,
    pub level: LevelNo,
    pub lane: Option<String>,
    pub device: Option<DeviceNo>,
    /// An input (rising edge) or a counter.
    pub trigger: Option<Point>,
    pub gather: Option<Gather>,
    pub message: Option<String>,
    pub fields: BTreeMap<String, String>,
    /// The text of the label template; the profile's plain one when absent.
    pub label: Option<String>,
    pub ignore: Vec<Ignore>,
    /// The poorest grade that is good enough here.
    pub minimum_grade: Option<Grade>,
    pub min_spacing_ms: u32,
    pub read_deadline_ms: u32,
    pub pair_ms: u32,
    pub label_wait_ms: u32,
    pub transit_ms: Option<u32>,
    pub unread_labels_accepted: bool,
    pub gate: Option<Gate>,
}

/// A code that is not ours and is passed over: the retail EAN on the same bottle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignore {
    /// `*` stands for any run of characters.
    Pattern(String),
    /// The two characters after `]` of an AIM identifier, or its first.
    Symbology(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    pub output: Point,
    pub polarity: Polarity,
    pub after: After,
    pub pulse_ms: u32,
    pub tolerance_ms: u32,
    pub confirm: Option<Point>,
    /// That sensor covered for so long: something is stuck there.
    pub stuck_ms: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// Energise to let pass.
    Pass,
    /// Energise to reject.
    Reject,
}

/// When the middle of the thing is at the gate, counted from its trigger edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Pulses { n: u32, encoder: Point },
    Ms { ms: u32, belt: Option<Point> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most codes a crash may burn per printer: bounds buffer plus feed-ahead.
    pub max_burn: u32,
    pub feed_ahead_ms: u32,
    pub commit_limit_ms: u32,
    /// Passages after which a printer that cannot be cleared counts as empty.
    pub adopt_passages: u32,
    pub consecutive_rejects: u32,
    /// Rejects in a row that the sensor in the bin's mouth may miss before the line is held; 0: it only says so.
    pub unconfirmed_rejects: u32,
    /// Days before a pack's last one from which it is warned of.
    pub pack_expiry_days: u32,
    /// A level's pool is low when it lasts less than this at the current speed; 0: never.
    pub pool_low_minutes: u32,
    /// A level's pool is low when it holds fewer codes; 0: never.
    pub pool_low_codes: u32,
    /// A range is low when it lasts less than this at the current speed; 0: never.
    pub range_low_hours: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_burn: 32,
            feed_ahead_ms: 300,
            commit_limit_ms: 2000,
            adopt_passages: 32,
            consecutive_rejects: 10,
            unconfirmed_rejects: 0,
            pack_expiry_days: 14,
            pool_low_minutes: 0,
            pool_low_codes: 0,
            range_low_hours: 8,
        }
    }
}

/// How packs come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacksPlan {
    /// Whose signatures are believed.
    pub signers: Vec<Signer>,
    /// File with the line's age identity (`AGE-SECRET-KEY-1…`).
    pub identity: Option<PathBuf>,
    /// Watched folder.
    pub inbox: Option<PathBuf>,
    /// Files of readable codes are removed once their pack is on disk.
    pub delete_plaintext: bool,
    /// Packs that are neither sealed nor signed are taken.
    pub plain_accepted: bool,
}

impl Default for PacksPlan {
    fn default() -> Self {
        Self { signers: Vec::new(), identity: None, inbox: None, delete_plaintext: false, plain_accepted: true }
    }
}

/// A pinned minisign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    pub name: String,
    /// Base64, as in the second line of `minisign.pub`.
    pub key: String,
}

impl Plan {
    /// Every point of an I/O module that is written, looked at or counted, in no order.
    pub fn points(&self) -> Vec<Point> {
        let mut points: Vec<Point> = self.run_permit.iter().map(|p| p.output).collect();
        points.extend(self.stack_light.iter().flat_map(|l| l.outputs()).flatten());
        for s in &self.stations {
            points.extend(s.trigger);
            let Some(g) = &s.gate else { continue };
            points.push(g.output);
            points.extend(g.confirm);
            match g.after {
                After::Pulses { encoder, .. } => points.push(encoder),
                After::Ms { belt, .. } => points.extend(belt),
            }
        }
        points
    }

    pub fn station(&self, no: StationNo) -> &Station {
        self.stations.iter().find(|s| s.no == no).expect("station numbers come from this plan")
    }

    pub fn device(&self, no: DeviceNo) -> &Device {
        self.devices.iter().find(|d| d.no == no).expect("device numbers come from this plan")
    }

    pub fn level(&self, no: LevelNo) -> &Level {
        self.levels.iter().find(|l| l.no == no).expect("level numbers come from this plan")
    }

    pub fn level_named(&self, name: &str) -> Option<&Level> {
        self.levels.iter().find(|l| l.name == name)
    }

    /// The level whose things go into one of `no`.
    pub fn child_level(&self, no: LevelNo) -> Option<&Level> {
        let i = self.levels.iter().position(|l| l.no == no)?;
        i.checked_sub(1).map(|i| &self.levels[i])
    }

    /// The level whose things hold those of `no`.
    pub fn parent_level(&self, no: LevelNo) -> Option<&Level> {
        let i = self.levels.iter().position(|l| l.no == no)?;
        self.levels.get(i + 1)
    }

    /// The print station of a level.
    pub fn print_station(&self, level: LevelNo) -> Option<&Station> {
        self.stations.iter().find(|s| s.role == Role::Print && s.level == level)
    }

    /// Stations read by `device`, in belt order.
    pub fn stations_of(&self, device: DeviceNo) -> impl Iterator<Item = &Station> {
        self.stations.iter().filter(move |s| s.device == Some(device))
    }

    /// What is passed over of that which `device` reads, as its stations say.
    pub fn ignored_by(&self, device: DeviceNo) -> Vec<Ignore> {
        self.stations_of(device).filter(|s| s.role != Role::Print).flat_map(|s| s.ignore.clone()).collect()
    }

    /// Does a read at this station prove that a printer's ink is on the thing?
    pub fn proves_ink(&self, s: &Station) -> bool {
        s.role == Role::Verify && self.level(s.level).codes == CodeSource::Printed
    }

    /// The poorest grade that is good enough for what `device` reads, as its profile and its stations say.
    pub fn least_grade(&self, device: DeviceNo) -> Option<Grade> {
        let own = match &self.device(device).traits {
            Traits::Reader(t) => t.least_grade,
            _ => None,
        };
        self.stations_of(device).filter(|s| s.role != Role::Print).filter_map(|s| s.minimum_grade).chain(own).max()
    }

    /// Puts the store's own numbers in place of the configuration's provisional ones. The closures answer the number
    /// of a name in this store.
    pub fn renumber(&mut self, level: impl Fn(&str) -> LevelNo, station: impl Fn(&str) -> StationNo, device: impl Fn(&str) -> DeviceNo) {
        let levels: BTreeMap<LevelNo, LevelNo> = self.levels.iter().map(|l| (l.no, level(&l.name))).collect();
        let devices: BTreeMap<DeviceNo, DeviceNo> = self.devices.iter().map(|d| (d.no, device(&d.id))).collect();
        let point = |p: &mut Point| p.device = devices[&p.device];
        for l in &mut self.levels {
            l.no = levels[&l.no];
        }
        for d in &mut self.devices {
            d.no = devices[&d.no];
        }
        if let Some(p) = &mut self.run_permit {
            point(&mut p.output);
        }
        if let Some(l) = &mut self.stack_light {
            for p in [&mut l.red, &mut l.yellow, &mut l.green, &mut l.horn] {
                p.iter_mut().for_each(&point);
            }
        }
        for s in &mut self.stations {
            s.no = station(&s.id);
            s.level = levels[&s.level];
            s.device = s.device.map(|d| devices[&d]);
            s.trigger.iter_mut().for_each(&point);
            if let Some(g) = &mut s.gate {
                point(&mut g.output);
                g.confirm.iter_mut().for_each(&point);
                match &mut g.after {
                    After::Pulses { encoder, .. } => point(encoder),
                    After::Ms { belt, .. } => belt.iter_mut().for_each(&point),
                }
            }
        }
    }
}
