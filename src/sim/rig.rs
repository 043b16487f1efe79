//! All devices of a plan, on the bench: the belt meets them through [`Bench`], a carrier of bytes through links.
//!
//! Must never know: sockets, clocks, what the belt does. Here, and only here, stands which symbols a label carries: an
//! SSCC of one of the plan's ranges is printed and read as GS1-128 `00` + 18 digits, while the thing's code (what the
//! belt and the truth speak of) is its 18 digits.
//!
//! Invariants: a device without power neither prints nor reads nor talks; a device that may have one connection is
//! never given a second, unless every request has one of its own.

use super::bench::{Bench, Trouble};
use super::emul::{
    Codenet, CodenetHow, Commands, DeviceSide, Emission, Hitachi, HitachiHow, LabelPrinter, Link, Modbus, ModbusHow, Reader,
};
use crate::profile::{Bound, Dialect, Profiles};
use crate::vocab::plan::{Address, Plan, Point, PointKind, Role};
use crate::vocab::rng::Rng;
use crate::vocab::sscc::{RangeRule, check_digit};
use crate::vocab::time::MS;
use crate::vocab::{DeviceNo, StationNo};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Of a serial line behind a TCP address.
const FAR_BAUD: u32 = 9_600;
/// Points of an I/O module, at least; more if the plan names more.
const LEAST_POINTS: u16 = 32;

#[derive(Debug)]
pub struct Rig {
    seats: BTreeMap<DeviceNo, Seat>,
    /// Extension digit and prefix of every SSCC range.
    sscc_heads: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Seat {
    device: Emulated,
    links: BTreeSet<Link>,
    hanging_up: VecDeque<Link>,
    /// Every request has a connection of its own: the next may come before the last one's end is noticed.
    per_command: bool,
    /// Nobody gets in before.
    away_until_us: Option<u64>,
    /// It hears and says nothing before; as last looked at.
    deaf_until_us: u64,
    deaf: bool,
    powered: bool,
}

#[derive(Debug)]
enum Emulated {
    Commands(Box<Commands>),
    Codenet(Codenet),
    Hitachi(Box<Hitachi>),
    Label(Box<LabelPrinter>),
    Reader(Box<Reader>),
    Modbus(Modbus),
}

impl Emulated {
    fn side(&mut self) -> &mut dyn DeviceSide {
        match self {
            Self::Commands(d) => &mut **d,
            Self::Hitachi(d) => &mut **d,
            Self::Codenet(d) => d,
            Self::Label(d) => &mut **d,
            Self::Reader(d) => &mut **d,
            Self::Modbus(d) => d,
        }
    }

    fn deadline(&self) -> Option<u64> {
        match self {
            Self::Commands(d) => d.deadline(),
            Self::Hitachi(d) => d.deadline(),
            Self::Codenet(d) => d.deadline(),
            Self::Label(d) => d.deadline(),
            Self::Reader(d) => d.deadline(),
            Self::Modbus(d) => d.deadline(),
        }
    }
}

impl Rig {
    /// Every device of the plan, set up as its profile's settings say. Same plan, same seed, same behaviour.
    ///
    /// # Errors
    /// What is wrong with a device's profile or settings, in the words of `Profiles::bind`.
    pub fn new(plan: &Plan, profiles: &Profiles, seed: u64) -> Result<Self, Vec<String>> {
        let mut rng = Rng::new(seed);
        let (mut seats, mut wrong) = (BTreeMap::new(), Vec::new());
        for d in &plan.devices {
            let rng = rng.fork(u64::from(d.no.0));
            match profiles.bind(&d.profile, &d.settings) {
                Ok(bound) => {
                    let device = emulated(plan, d.no, &bound, rng);
                    let seat = Seat {
                        device,
                        links: BTreeSet::new(),
                        hanging_up: VecDeque::new(),
                        per_command: bound.connects_per_command(),
                        away_until_us: None,
                        deaf_until_us: 0,
                        deaf: false,
                        powered: true,
                    };
                    seats.insert(d.no, seat);
                }
                Err(complaints) => wrong.extend(complaints.into_iter().map(|c| format!("device {}: {c}", d.id))),
            }
        }
        if wrong.is_empty() { Ok(Self { seats, sscc_heads: sscc_heads(plan) }) } else { Err(wrong) }
    }

    pub fn devices(&self) -> impl Iterator<Item = DeviceNo> {
        self.seats.keys().copied()
    }

    /// Whether a connection asked for now is taken.
    pub fn accepts(&self, device: DeviceNo, now_us: u64) -> bool {
        self.seats.get(&device).is_some_and(|s| {
            let away = s.away_until_us.is_some_and(|t| now_us < t);
            let taken = s.links.iter().any(|l| !l.is_aside());
            !away && (!taken || s.per_command || matches!(s.device, Emulated::Modbus(_)))
        })
    }

    /// As `accepts`, for a connection to the device's own address for commands.
    pub fn accepts_aside(&self, device: DeviceNo, now_us: u64) -> bool {
        self.seats.get(&device).is_some_and(|s| {
            let away = s.away_until_us.is_some_and(|t| now_us < t);
            !away && !s.links.iter().any(|l| l.is_aside())
        })
    }

    /// A connection is open; ask `accepts` first.
    pub fn connected(&mut self, device: DeviceNo, link: Link, now_us: u64) {
        self.due(now_us);
        if let Some(s) = self.seats.get_mut(&device) {
            s.links.insert(link);
            s.device.side().connected(link, now_us);
        }
    }

    /// A connection is gone (also one that was hung up: then this does nothing).
    pub fn disconnected(&mut self, device: DeviceNo, link: Link, now_us: u64) {
        if let Some(s) = self.seats.get_mut(&device)
            && s.links.remove(&link)
        {
            s.device.side().disconnected(link, now_us);
        }
    }

    pub fn received(&mut self, device: DeviceNo, link: Link, bytes: &[u8], now_us: u64) {
        if let Some(s) = self.seats.get_mut(&device)
            && s.links.contains(&link)
            && now_us >= s.deaf_until_us
        {
            s.device.side().received(link, bytes, now_us);
        }
    }

    /// Work that time made due, on every device.
    pub fn due(&mut self, now_us: u64) {
        for s in self.seats.values_mut() {
            if s.away_until_us.take_if(|t| *t <= now_us).is_some() && !s.powered {
                s.powered = true;
                s.device.side().power(true, now_us);
            }
            s.device.side().due(now_us);
            s.deaf = now_us < s.deaf_until_us;
            if s.deaf {
                // What it would have said by now is never said.
                while s.device.side().poll().is_some() {}
            }
        }
    }

    /// When `due` must be called at the latest.
    pub fn deadline(&self) -> Option<u64> {
        self.seats.values().flat_map(|s| s.device.deadline().into_iter().chain(s.away_until_us)).min()
    }

    /// The simulator itself stood for so long: no host could have kept a watchdog awake meanwhile.
    pub fn lagged(&mut self, late_us: u64) {
        for s in self.seats.values_mut() {
            if let Emulated::Modbus(m) = &mut s.device {
                m.forgive(late_us);
            }
        }
    }

    /// What is to be done to a device's links next; drain after every call.
    pub fn poll(&mut self, device: DeviceNo) -> Option<(Link, Emission)> {
        let s = self.seats.get_mut(&device)?;
        if let Some(link) = s.hanging_up.pop_front() {
            return Some((link, Emission::HangUp));
        }
        loop {
            let (link, emission) = s.device.side().poll()?;
            if !s.links.contains(&link) {
                continue;
            }
            if emission == Emission::HangUp {
                s.links.remove(&link);
            }
            return Some((link, emission));
        }
    }

    /// Sets a printer's print counter, where it has one that the host can read.
    pub fn set_count(&mut self, device: DeviceNo, count: u64) {
        if let Some(Emulated::Commands(p)) = self.seat(device) {
            p.set_count(count);
        }
    }

    /// A label printer's labels come out from now on when [`Self::come_out`] says so.
    pub fn by_hand(&mut self, device: DeviceNo) {
        if let Some(Emulated::Label(p)) = self.seat(device) {
            p.by_hand();
        }
    }

    pub fn come_out(&mut self, device: DeviceNo, now_us: u64) {
        if let Some(Emulated::Label(p)) = self.seat(device) {
            p.come_out(now_us);
        }
    }

    fn seat(&mut self, device: DeviceNo) -> Option<&mut Emulated> {
        self.seats.get_mut(&device).filter(|s| s.powered).map(|s| &mut s.device)
    }

    /// The content of the symbol that carries a code.
    fn symbol(&self, code: &[u8]) -> Vec<u8> {
        let ours = code.len() == 18 && code.iter().all(u8::is_ascii_digit) && self.sscc_heads.iter().any(|h| code.starts_with(h));
        if ours && check_digit(&code[..17]) == code[17] { [b"00", code].concat() } else { code.to_vec() }
    }
}

impl Bench for Rig {
    fn print(&mut self, printer: DeviceNo, now_us: u64) -> Option<Vec<u8>> {
        match self.seat(printer)? {
            Emulated::Commands(p) => p.print(now_us),
            Emulated::Hitachi(p) => p.print(now_us),
            Emulated::Codenet(p) => p.print(now_us),
            _ => None,
        }
    }

    fn repeated(&self, printer: DeviceNo) -> bool {
        match self.seats.get(&printer).map(|s| &s.device) {
            Some(Emulated::Commands(p)) => p.repeated(),
            Some(Emulated::Hitachi(p)) => p.repeated(),
            _ => false,
        }
    }

    fn label(&mut self, printer: DeviceNo, now_us: u64) -> Option<Vec<u8>> {
        match self.seat(printer)? {
            Emulated::Label(p) => p.take_label(now_us).map(|l| l.code().to_vec()),
            _ => None,
        }
    }

    fn read(&mut self, reader: DeviceNo, seen: &[Option<Vec<u8>>], now_us: u64) -> Vec<Option<Vec<u8>>> {
        let symbols: Vec<Option<Vec<u8>>> = seen.iter().map(|s| s.as_ref().map(|code| self.symbol(code))).collect();
        let left = match self.seat(reader) {
            Some(Emulated::Reader(r)) => r.read(&symbols, now_us),
            _ => false,
        };
        if left { seen.to_vec() } else { vec![None; seen.len()] }
    }

    fn input(&mut self, point: Point, on: bool, _now_us: u64) {
        if let Some(Seat { device: Emulated::Modbus(m), .. }) = self.seats.get_mut(&point.device) {
            m.input(point.number, on);
        }
    }

    fn output(&self, point: Point) -> bool {
        matches!(self.seats.get(&point.device), Some(Seat { device: Emulated::Modbus(m), .. }) if m.output(point.number))
    }

    fn safe(&self, module: DeviceNo) -> bool {
        matches!(self.seats.get(&module), Some(Seat { device: Emulated::Modbus(m), .. }) if m.safe())
    }

    fn linked(&self, device: DeviceNo) -> bool {
        // Whoever talks to a deaf device is not connected with it, whatever the plug says.
        self.seats.get(&device).is_some_and(|s| !s.links.is_empty() && !s.deaf)
    }

    fn trouble(&mut self, device: DeviceNo, what: Trouble, now_us: u64) {
        let Some(s) = self.seats.get_mut(&device) else { return };
        match what {
            Trouble::LinkLoss { ms } | Trouble::PowerCycle { ms } => {
                let until_us = now_us + u64::from(ms) * MS;
                s.away_until_us = Some(s.away_until_us.map_or(until_us, |t| t.max(until_us)));
                for link in std::mem::take(&mut s.links) {
                    s.device.side().disconnected(link, now_us);
                    s.hanging_up.push_back(link);
                }
                if matches!(what, Trouble::PowerCycle { .. }) {
                    s.powered = false;
                    s.device.side().power(false, now_us);
                }
            }
            Trouble::Deaf { ms } => (s.deaf, s.deaf_until_us) = (ms > 0, now_us + u64::from(ms) * MS),
            other => s.device.side().trouble(other, now_us),
        }
    }
}

fn emulated(plan: &Plan, no: DeviceNo, bound: &Bound, rng: Rng) -> Emulated {
    match bound.profile.dialect {
        Dialect::Codenet => Emulated::Codenet(Codenet::new(codenet_how(plan, no, bound), rng)),
        Dialect::Commands => Emulated::Commands(Box::new(Commands::new(bound, messages(plan, no), rng))),
        Dialect::HitachiModbus => Emulated::Hitachi(Box::new(Hitachi::new(hitachi_how(bound), rng))),
        Dialect::Label => Emulated::Label(Box::new(LabelPrinter::new(bound, templates(plan, no), rng))),
        Dialect::Reader => Emulated::Reader(Box::new(Reader::new(bound.reader.clone(), rng))),
        Dialect::Modbus => Emulated::Modbus(Modbus::new(modbus_how(plan, no, bound), rng)),
    }
}

/// The labels that a label printer's stations have, beside its built-in one.
fn templates(plan: &Plan, no: DeviceNo) -> Vec<String> {
    plan.stations_of(no).filter(|s| s.role == Role::Print).filter_map(|s| s.label.clone()).collect()
}

/// What the stations of a printer have it select.
fn messages(plan: &Plan, no: DeviceNo) -> Vec<String> {
    let named = plan.stations_of(no).filter(|s| s.role == Role::Print).filter_map(|s| Some((s.no, s.message.clone()?)));
    named.collect::<BTreeMap<StationNo, String>>().into_values().collect()
}

/// The printer holds the labels that its stations name; with none named, one is selected at its panel.
fn codenet_how(plan: &Plan, no: DeviceNo, bound: &Bound) -> CodenetHow {
    let labels = messages(plan, no);
    CodenetHow {
        depth: usize::try_from(bound.number("depth")).unwrap_or(1).max(1),
        fixed_response: bound.text("response_length") == "fixed",
        serial: matches!(plan.device(no).address, Address::Serial { .. }),
        resident: labels.is_empty(),
        labels,
    }
}

fn hitachi_how(bound: &Bound) -> HitachiHow {
    HitachiHow {
        unit: u8::try_from(bound.number("unit")).unwrap_or(1),
        items: u16::try_from(bound.number("item")).unwrap_or(1),
        low_first: bound.text("word_order") == "low-first",
    }
}

/// The watchdog is set as the run permit that hangs on this module says.
fn modbus_how(plan: &Plan, no: DeviceNo, bound: &Bound) -> ModbusHow {
    let most = plan.points().iter().filter(|p| p.device == no).map(|p| p.number.saturating_add(1)).max().unwrap_or(0);
    let pulsed = plan.stations.iter().filter_map(|s| s.gate).filter(|g| g.output.device == no && g.output.kind == PointKind::Pulse);
    let baud = if let Address::Serial { baud, .. } = plan.device(no).address { Some(baud) } else { None };
    let how = module_how(bound, baud);
    ModbusHow {
        pulses_ms: pulsed.map(|g| (g.output.number, g.pulse_ms)).collect(),
        points: how.points.min(most.max(LEAST_POINTS)),
        watchdog_ms: plan.run_permit.filter(|p| p.output.device == no).map(|p| p.watchdog_ms),
        ..how
    }
}

/// A module as its profile's settings say, with as many points as it has room for.
pub(super) fn module_how(bound: &Bound, baud: Option<u32>) -> ModbusHow {
    // A setting that the profile does not have is one that the module does not have.
    let base = |key| bound.has(key).then(|| u16::try_from(bound.number(key)).ok()).flatten();
    let (output_base, pulse_base) = (base("output_base").unwrap_or(0), base("pulse_base"));
    // Coils that begin pulses stand behind the outputs.
    let room = pulse_base.and_then(|p| p.checked_sub(output_base)).filter(|n| *n > 0).unwrap_or(u16::MAX);
    ModbusHow {
        unit: u8::try_from(bound.number("unit")).unwrap_or(1),
        rtu: baud.or((bound.text("framing") == "rtu").then_some(FAR_BAUD)),
        base: base("base").unwrap_or(0),
        input_base: base("input_base").unwrap_or(0),
        output_base,
        counter_base: base("counter_base").unwrap_or(0),
        pulse_base,
        pulses_ms: BTreeMap::new(),
        low_first: bound.text("word_order") == "low-first",
        points: room,
        watchdog_ms: None,
        safe_state_base: base("safe_state_base"),
        safe_state_input: bound.text("safe_state_kind") == "input",
        safe_clear_base: base("safe_clear_base"),
    }
}

fn sscc_heads(plan: &Plan) -> Vec<Vec<u8>> {
    fn head(r: &RangeRule) -> Option<Vec<u8>> {
        match r {
            RangeRule::Sscc { prefix, extension, .. } => Some(format!("{extension}{prefix}").into_bytes()),
            RangeRule::Serial { .. } => None,
            RangeRule::Block { of, .. } => head(of),
        }
    }
    plan.levels.iter().filter_map(|l| head(l.range.as_ref()?)).collect()
}

#[cfg(test)]
mod meeting;
#[cfg(test)]
mod tests;
