//! Where everything stands along the belt, worked out from the plan: each level's way past heads, eyes, gates and
//! applicators to the place where it is packed. Distances are belt time.

use crate::vocab::DeviceNo;
use crate::vocab::plan::{After, CodeSource, Gather, Plan, Point, PointKind, Polarity, Role, Station, Traits};
use crate::vocab::time::MS;

/// From a birth, a head or a gate to whatever comes next.
pub const GAP_US: u64 = 300 * MS;
/// Trigger to gate where the plan counts pulses: sets the encoder's pitch.
const PULSED_GATE_US: u64 = 400 * MS;

pub struct Layout {
    /// Bottom first, as in the plan.
    pub levels: Vec<LevelWay>,
    pub eyes: Vec<Eye>,
    pub hands: Vec<HandPlace>,
    pub encoders: Vec<EncoderPlace>,
    /// Inputs that say that the belt runs.
    pub belt_inputs: Vec<Point>,
    /// Printers of labels and of items, readers with an eye, I/O modules.
    pub label_printers: Vec<DeviceNo>,
    pub item_printers: Vec<DeviceNo>,
    pub readers: Vec<DeviceNo>,
    pub modules: Vec<DeviceNo>,
    /// Between two items, middle of the jitter, and the jitter itself to either side.
    pub spacing_us: u64,
    pub jitter_us: u64,
}

pub struct LevelWay {
    pub name: String,
    pub holds: usize,
    pub codes: CodeSource,
    pub sscc: bool,
    pub route: Vec<Step>,
    pub end: End,
}

impl LevelWay {
    pub fn labelled_on_belt(&self) -> bool {
        self.route.contains(&Step::Applicator)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Head(DeviceNo),
    Eye(usize),
    Applicator,
}

/// What becomes of a thing past its own stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Gathered into a parent whose frame is read later.
    Frame,
    /// Passes this eye and goes into a parent.
    Sequence(usize),
    /// Lies on the table of this person.
    Person(usize),
    /// The end of the line.
    Open,
}

pub struct Eye {
    pub id: String,
    /// Index of the level of the things it sees.
    pub level: usize,
    pub input: Option<Point>,
    pub reader: Option<DeviceNo>,
    pub positional: bool,
    /// Sees a parent and all its children.
    pub frame: bool,
    /// Things that pass it go into a parent.
    pub sequence: bool,
    pub gate: Option<GatePlace>,
    pub spacing_us: u64,
    pub width_us: u64,
}

pub struct GatePlace {
    pub output: Point,
    pub polarity: Polarity,
    pub after_us: u64,
    pub confirm: Option<Point>,
}

/// A person with a reader in the hand.
pub struct HandPlace {
    pub id: String,
    /// Index of the parents' level.
    pub level: usize,
    pub reader: DeviceNo,
    pub parent_first: bool,
}

pub struct EncoderPlace {
    pub input: Point,
    /// Belt time from pulse to pulse.
    pub pitch_us: u64,
}

/// The input that an I/O module counts or shows.
fn input_of(p: Point) -> Point {
    Point { kind: PointKind::Input, ..p }
}

impl Layout {
    pub fn new(plan: &Plan, rate_per_min: u32) -> Result<Self, String> {
        if plan.levels.is_empty() {
            return Err("the plan has no levels; name at least one".into());
        }
        if rate_per_min == 0 {
            return Err("a rate of 0 items a minute feeds nothing; give --rate at least 1".into());
        }
        let encoders = encoders(plan);
        let mut l = Self {
            levels: Vec::new(),
            eyes: Vec::new(),
            hands: Vec::new(),
            encoders,
            belt_inputs: belt_inputs(plan),
            label_printers: printers(plan, true),
            item_printers: printers(plan, false),
            readers: Vec::new(),
            modules: plan.devices.iter().filter(|d| d.traits.is_io()).map(|d| d.no).collect(),
            spacing_us: 0,
            jitter_us: 0,
        };
        for i in 0..plan.levels.len() {
            let way = l.way(plan, i);
            l.levels.push(way);
        }
        l.readers = l.eyes.iter().filter_map(|e| e.reader).collect();
        l.space(plan, rate_per_min);
        Ok(l)
    }

    fn way(&mut self, plan: &Plan, i: usize) -> LevelWay {
        let level = &plan.levels[i];
        let mine = || plan.stations.iter().filter(|s| s.level == level.no);
        let gathered = pack_station(plan, i);
        let mut route = Vec::new();
        if let Some(s) = gathered.filter(|s| s.gather == Some(Gather::Frame)) {
            route.push(Step::Eye(self.eye(plan, s, i, true, false)));
        }
        let by_person = gathered.is_some_and(|s| matches!(s.gather, Some(Gather::ParentFirst | Gather::ParentLast)));
        for s in mine() {
            match (s.role, s.device) {
                // A person sticks labels on without an applicator.
                (Role::Print, Some(d)) if label_printer(plan, d) && by_person => {}
                (Role::Print, Some(d)) if label_printer(plan, d) => route.push(Step::Applicator),
                (Role::Print, Some(d)) => route.push(Step::Head(d)),
                (Role::Verify, Some(_)) => route.push(Step::Eye(self.eye(plan, s, i, false, false))),
                _ => {}
            }
        }
        let end = match pack_station(plan, i + 1).and_then(|s| Some((s, s.gather?))) {
            Some((_, Gather::Frame)) => End::Frame,
            Some((s, Gather::Sequence)) => End::Sequence(self.eye(plan, s, i, false, true)),
            Some((s, gather)) => match s.device {
                Some(reader) => {
                    let parent_first = gather == Gather::ParentFirst;
                    self.hands.push(HandPlace { id: s.id.clone(), level: i + 1, reader, parent_first });
                    End::Person(self.hands.len() - 1)
                }
                None => End::Open,
            },
            None => End::Open,
        };
        let sscc = level.range.as_ref().is_some_and(crate::vocab::sscc::RangeRule::is_sscc);
        LevelWay { name: level.name.clone(), holds: level.holds as usize, codes: level.codes, sscc, route, end }
    }

    fn eye(&mut self, plan: &Plan, s: &Station, level: usize, frame: bool, sequence: bool) -> usize {
        let spacing_us = u64::from(s.min_spacing_ms) * MS;
        let positional = s.device.is_some_and(|d| matches!(&plan.device(d).traits, Traits::Reader(r) if r.positional));
        let gate = s.gate.map(|g| GatePlace {
            output: g.output,
            polarity: g.polarity,
            after_us: match g.after {
                After::Ms { ms, .. } => u64::from(ms) * MS,
                After::Pulses { n, encoder } => u64::from(n) * self.pitch(encoder),
            },
            confirm: g.confirm.map(input_of),
        });
        self.eyes.push(Eye {
            id: s.id.clone(),
            level,
            input: s.trigger.map(input_of),
            reader: s.device.filter(|_| !sequence),
            positional,
            frame,
            sequence,
            gate,
            spacing_us,
            width_us: (spacing_us * 3 / 10).clamp(15 * MS, 150 * MS),
        });
        self.eyes.len() - 1
    }

    fn pitch(&self, encoder: Point) -> u64 {
        let input = input_of(encoder);
        self.encoders.iter().find(|e| e.input == input).map_or(MS, |e| e.pitch_us)
    }

    /// Items come no faster than the rate says, and no faster than the slowest station can take their parents.
    fn space(&mut self, plan: &Plan, rate_per_min: u32) {
        let least = u64::from(plan.min_spacing_ms) * MS;
        let mut spacing = (60_000_000 / u64::from(rate_per_min)).max(least);
        for e in &self.eyes {
            let items: u64 = plan.levels[1..=e.level].iter().map(|l| u64::from(l.holds.max(1))).product();
            spacing = spacing.max((e.spacing_us + e.spacing_us / 10) / items);
            if e.level == 0 {
                spacing = spacing.max(e.spacing_us);
            }
        }
        let tightest = self.eyes.iter().filter(|e| e.level == 0).map(|e| e.spacing_us).max().unwrap_or(least).max(least);
        (self.spacing_us, self.jitter_us) = (spacing, (spacing / 10).min((spacing - tightest) / 2));
    }
}

/// The station where things of the level below become one of level `i`.
fn pack_station(plan: &Plan, i: usize) -> Option<&Station> {
    let level = plan.levels.get(i)?;
    plan.stations.iter().find(|s| s.role == Role::Pack && s.level == level.no)
}

fn label_printer(plan: &Plan, device: DeviceNo) -> bool {
    matches!(&plan.device(device).traits, Traits::Printer(p) if p.label)
}

fn printers(plan: &Plan, label: bool) -> Vec<DeviceNo> {
    let kind = |t: &Traits| matches!(t, Traits::Printer(p) if p.label == label);
    plan.devices.iter().filter(|d| kind(&d.traits)).map(|d| d.no).collect()
}

fn belt_inputs(plan: &Plan) -> Vec<Point> {
    let mut out: Vec<Point> = plan
        .stations
        .iter()
        .filter_map(|s| match s.gate?.after {
            After::Ms { belt, .. } => belt.map(input_of),
            After::Pulses { .. } => None,
        })
        .collect();
    out.sort();
    out.dedup();
    out
}

/// Every encoder's pitch: its nearest gate stands where a verdict can reach it in time.
fn encoders(plan: &Plan) -> Vec<EncoderPlace> {
    let mut out: Vec<EncoderPlace> = Vec::new();
    for s in &plan.stations {
        let Some(After::Pulses { n, encoder }) = s.gate.map(|g| g.after) else { continue };
        let way_us = PULSED_GATE_US.max(u64::from(s.read_deadline_ms) * MS + 200 * MS);
        let pitch_us = (way_us / u64::from(n.max(1))).max(100);
        let input = input_of(encoder);
        match out.iter_mut().find(|e| e.input == input) {
            Some(e) => e.pitch_us = e.pitch_us.max(pitch_us),
            None => out.push(EncoderPlace { input, pitch_us }),
        }
    }
    out
}
