//! The seeded shift: the same line, ledger, conversations and devices as the real thing, on one thread and virtual time,
//! everything from one seed. What cannot run here is not sans-IO.
//!
//! Invariants: no clock is asked; the same seed gives the same truth, journal and dump.

pub mod host;
pub mod office;
pub mod store;

use crate::config::Config;
use crate::intake;
use crate::ledger::import::{self, ImportHow};
use crate::line::{Law, Op};
use crate::profile::{Bound, Profiles};
use crate::sim::emul::{Emission, Link};
use crate::sim::example::{LINE, tightened, token};
use crate::sim::rig::Rig;
use crate::sim::world::{Faults, World, WorldHow};
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use crate::vocab::{DeviceNo, PackMl, PackNo, Plan};
use host::{Host, Wire};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Opener;

/// The wall clock at virtual time 0 (µs): 2026-01-01T00:00:00Z.
const EPOCH_US: i64 = 1_767_225_600_000_000;
const SECOND: u64 = 1_000 * MS;

#[derive(Clone, Debug)]
pub struct ShiftHow {
    pub seed: u64,
    pub bottles: u64,
    pub rate_per_min: u32,
    pub faults: Faults,
    /// Crashes of the daemon, at steps drawn from the seed.
    pub crashes: u32,
    /// Each crash so soon (µs, and half a second) after the start before it, as in the kill test; else spread over the shift.
    pub crash_within_us: Option<u64>,
    /// Bytes take no time on the wire (for the bench).
    pub instant: bool,
    /// The text of the line's configuration.
    pub line: String,
}

impl Default for ShiftHow {
    fn default() -> Self {
        Self {
            seed: 1,
            bottles: 1_000,
            rate_per_min: 500,
            faults: Faults::Normal,
            crashes: 1,
            crash_within_us: None,
            instant: false,
            line: LINE.into(),
        }
    }
}

/// How a shift went.
#[derive(Debug)]
pub struct Outcome {
    pub truth: Vec<String>,
    pub virtual_us: u64,
    pub steps: u64,
    pub crashes: u32,
    /// The job came to its end by itself, or why not.
    pub completed: Result<(), String>,
}

/// A configuration's plan and its devices' bound profiles.
pub fn read_line(profiles: &Profiles, text: &str) -> Result<(Plan, BTreeMap<String, Bound>), String> {
    let ask = |name: &str, settings: &BTreeMap<_, _>| profiles.bind(name, settings).map(|b| b.traits());
    let config =
        Config::parse(Path::new("line.toml"), text, &ask).map_err(|e| e.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let bind = |d: &crate::vocab::plan::Device| Ok((d.id.clone(), profiles.bind(&d.profile, &d.settings).map_err(|e| e.join("\n"))?));
    let bound = config.plan.devices.iter().map(bind).collect::<Result<BTreeMap<_, _>, String>>()?;
    Ok((config.plan, bound))
}

/// Something on its way over a link.
enum Parcel {
    ToDevice(DeviceNo, Vec<u8>),
    ToHost(DeviceNo, Vec<u8>),
    DeviceHangsUp(DeviceNo),
    HostHangsUp(DeviceNo),
}

/// Links of all devices: bytes in order, each direction with its own delay; a new connection forgets the old one's.
struct Links {
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    parcels: BTreeMap<u64, Parcel>,
    generation: BTreeMap<DeviceNo, u32>,
    up: BTreeMap<DeviceNo, bool>,
    last: BTreeMap<(DeviceNo, bool), u64>,
    next: u64,
    rng: Rng,
    instant: bool,
}

impl Links {
    fn send(&mut self, device: DeviceNo, to_host: bool, parcel: Parcel, now_us: u64) {
        let delay = if self.instant { 0 } else { 100 + self.rng.below(400) };
        let last = self.last.entry((device, to_host)).or_default();
        let at = (now_us + delay).max(*last);
        *last = at;
        let generation = self.generation.get(&device).copied().unwrap_or(0);
        self.heap.push(Reverse((at, self.next, generation)));
        self.parcels.insert(self.next, parcel);
        self.next += 1;
    }

    fn due_us(&self) -> u64 {
        self.heap.peek().map_or(u64::MAX, |Reverse(p)| p.0)
    }

    fn take(&mut self, now_us: u64) -> Option<Parcel> {
        while let Some(Reverse((at, n, generation))) = self.heap.peek().copied() {
            if at > now_us {
                return None;
            }
            self.heap.pop();
            let parcel = self.parcels.remove(&n)?;
            let device = match &parcel {
                Parcel::ToDevice(d, _) | Parcel::ToHost(d, _) | Parcel::DeviceHangsUp(d) | Parcel::HostHangsUp(d) => *d,
            };
            if self.generation.get(&device).copied().unwrap_or(0) == generation {
                return Some(parcel);
            }
        }
        None
    }

    fn cut(&mut self, device: DeviceNo) {
        *self.generation.entry(device).or_default() += 1;
        self.up.insert(device, false);
    }

    fn is_up(&self, device: DeviceNo) -> bool {
        self.up.get(&device).copied().unwrap_or(false)
    }
}

/// One shift from its seed.
pub struct Shift<L: Law, O: Opener> {
    how: ShiftHow,
    opener: O,
    plan: Plan,
    bound: BTreeMap<String, Bound>,
    rig: Rig,
    world: World,
    links: Links,
    host: Option<Host<L, O::Store>>,
    /// Requests of the operator under way: number in the line → its JSON id.
    asked: BTreeMap<u64, Value>,
    next_ask: u64,
    rng: Rng,
    now_us: u64,
    steps: u64,
    boots: u32,
    wall_us: i64,
    truth: Vec<String>,
    /// Committed as the power went: told after the next start.
    untold: Vec<Value>,
}

impl<L: Law, O: Opener> Shift<L, O> {
    /// `dir`: an empty folder for packs (and the ledger, if the opener keeps it there).
    pub fn new(how: ShiftHow, dir: &Path, opener: O) -> Result<Self, String> {
        let profiles = Profiles::load(None).map_err(|e| e.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let (plan, bound) = read_line(&profiles, &tightened(&how.line, how.rate_per_min))?;
        let mut rng = Rng::new(how.seed);
        let codes = how.bottles + how.bottles / 10 + 200;
        let mut preprinted = BTreeMap::new();
        let boxes: Vec<Vec<u8>> = (0..codes / 2).map(|n| token(how.seed, "B", n).into_bytes()).collect();
        for l in plan.levels.iter().filter(|l| l.codes == crate::vocab::plan::CodeSource::Preprinted) {
            preprinted.insert(l.name.clone(), boxes.clone());
        }
        let mut world = World::new(
            Arc::new(plan.clone()),
            WorldHow { units: Some(how.bottles), seed: rng.next_u64(), faults: how.faults, rate_per_min: how.rate_per_min, preprinted },
        )?;
        world.begin(EPOCH_US + SECOND as i64, SECOND);
        let rig = Rig::new(&plan, &profiles, rng.next_u64()).map_err(|e| e.join("\n"))?;
        let links = Links {
            heap: BinaryHeap::new(),
            parcels: BTreeMap::new(),
            generation: BTreeMap::new(),
            up: BTreeMap::new(),
            last: BTreeMap::new(),
            next: 0,
            rng: rng.fork(1),
            instant: how.instant,
        };
        let mut shift = Self {
            opener,
            plan,
            bound,
            rig,
            world,
            links,
            host: None,
            asked: BTreeMap::new(),
            next_ask: 1,
            rng,
            now_us: SECOND,
            steps: 0,
            boots: 0,
            wall_us: EPOCH_US,
            truth: Vec::new(),
            untold: Vec::new(),
            how,
        };
        shift.boot()?;
        shift.import(dir, codes, &boxes)?;
        Ok(shift)
    }

    fn boot(&mut self) -> Result<(), String> {
        self.boots += 1;
        let wall_us = self.wall_us + self.now_us as i64;
        let opened = self.opener.open(&format!("boot{}-{}", self.how.seed, self.boots), wall_us)?;
        let rng = self.rng.fork(u64::from(self.boots));
        self.host = Some(Host::boot(&self.plan, &self.bound, opened, self.now_us, self.wall_us, rng));
        self.world.operator_hears(&serde_json::json!({"type": "hello", "boot": format!("boot{}", self.boots)}));
        std::mem::take(&mut self.untold).iter().for_each(|v| self.world.operator_hears(v));
        Ok(())
    }

    fn import(&mut self, dir: &Path, codes: u64, boxes: &[Vec<u8>]) -> Result<(), String> {
        let host = self.host.as_mut().expect("booted");
        let bottles: Vec<Vec<u8>> = (0..codes).map(|n| token(self.how.seed, "A", n).into_bytes()).collect();
        let taken = host.line.book().packs.len() as u32;
        for (i, (level, codes)) in [("bottle", bottles.as_slice()), ("box", boxes)].into_iter().enumerate() {
            let file: PathBuf = dir.join(format!("{level}.txt"));
            let mut text = codes.join(&b'\n');
            text.push(b'\n');
            std::fs::write(&file, text).map_err(|e| format!("{} cannot be written: {e}", file.display()))?;
            let how = ImportHow {
                no: PackNo(taken + 1 + i as u32),
                id: format!("{level}s"),
                level: level.into(),
                product: "P1".into(),
                ..ImportHow::default()
            };
            let mut rows = intake::lines(vec![file]);
            let pack = import::prepare(&host.codebook, &mut *rows, &how).map_err(|e| e.to_string())?;
            host.import(pack, self.now_us);
        }
        Ok(())
    }

    fn ask(&mut self, op: Op) {
        let (id, now_us) = (self.next_ask, self.now_us);
        self.next_ask += 1;
        if let Some(host) = &mut self.host {
            host.command(id, op, now_us);
        }
    }

    /// The whole shift: job created, started, fed, crashed, completed, stopped. The store is closed in order.
    pub fn run(mut self) -> Result<Outcome, String> {
        // A world step is 5 ms and a bottle takes at least as long as its spacing.
        let expected = self.how.bottles * 60_000_000 / u64::from(self.how.rate_per_min.max(1));
        let mut crash_at: Vec<u64> = match self.how.crash_within_us {
            Some(within) => vec![self.now_us + 2 * SECOND + self.rng.below(within)],
            None => (0..self.how.crashes).map(|_| self.now_us + expected / 10 + self.rng.below(expected * 8 / 10)).collect(),
        };
        crash_at.sort_unstable();
        let clock_steps = if self.how.faults == Faults::Hard { vec![self.now_us + self.rng.below(expected)] } else { Vec::new() };
        let limit = self.now_us + expected * 4 + (240 + 20 * u64::from(self.how.crashes)) * SECOND;
        let (mut crash_next, mut clock_next, mut crashes) = (0, 0, 0);
        self.ask(Op::JobCreate { id: "J1".into(), product: "P1".into(), lot: "A1".into(), target: None, expiry: None });
        let mut start_at = self.now_us + SECOND;
        let mut back_at: Option<u64> = None;
        let mut started = false;
        while self.world.done().is_none() {
            if self.now_us > limit {
                let why = self.host.as_ref().map(|h| format!("{:?}", h.line.summary().alarms)).unwrap_or_default();
                return self.finish(crashes, Err(format!("the line did not come to its end: {why}")));
            }
            self.step()?;
            if !started && self.now_us >= start_at && self.host.is_some() {
                self.ask(Op::JobStart { id: "J1".into() });
                let state = self.host.as_ref().map(|h| h.line.book().line.state);
                started = state.is_some_and(|s| s != PackMl::Idle);
                start_at = self.now_us + SECOND / 2;
            }
            if crash_next < crash_at.len() && self.now_us >= crash_at[crash_next] && started && self.host.is_some() {
                crash_next += 1;
                crashes += 1;
                // Every other time the disk hangs first, so that much stands unwritten when the power goes.
                if self.rng.chance(500_000) {
                    let until = self.now_us + 1_900 * MS;
                    self.host.as_mut().expect("it lives").hang_disk(until);
                    let hung = 200 * MS + self.rng.below(1_600 * MS);
                    self.run_for(hung)?;
                }
                for _ in 0..self.rng.below(40) {
                    self.step()?;
                }
                self.crash()?;
                back_at = Some(self.now_us + self.rng.below(5 * SECOND));
            }
            if clock_next < clock_steps.len() && self.now_us >= clock_steps[clock_next] && self.host.is_some() {
                clock_next += 1;
                let by = (3 + self.rng.below(3_600)) as i64 * 1_000_000 * if self.rng.chance(500_000) { 1 } else { -1 };
                self.wall_us += by;
                if let Some(h) = &mut self.host {
                    h.step_wall(by);
                }
            }
            if back_at.is_some_and(|t| self.now_us >= t) {
                back_at = None;
                self.boot()?;
                if let Some(within) = self.how.crash_within_us.filter(|_| crashes < self.how.crashes) {
                    crash_at.push(self.now_us + SECOND / 2 + self.rng.below(within));
                }
            }
        }
        if self.host.is_none() {
            self.boot()?;
        }
        let ended = self.end();
        self.finish(crashes, ended)
    }

    /// Completes the job (voiding what stays open) and stops in order.
    fn end(&mut self) -> Result<(), String> {
        self.run_for(8 * SECOND)?;
        self.ask(Op::JobComplete { id: "J1".into(), void_open: true });
        let mut over = self.now_us + 60 * SECOND;
        self.run_until(over, |s| s.host.as_ref().is_some_and(|h| h.line.book().current_job().is_none()))?;
        let host = self.host.as_ref().expect("booted");
        if let Some(j) = host.line.book().current_job() {
            return Err(format!("the job did not complete: it is {}", j.state));
        }
        self.run_for(SECOND)?;
        let now_us = self.now_us;
        self.host.as_mut().expect("booted").stop(now_us);
        over = self.now_us + 60 * SECOND;
        self.run_until(over, |s| s.host.as_ref().is_some_and(Host::exited))?;
        let exited = self.host.as_ref().is_some_and(Host::exited);
        if exited { Ok(()) } else { Err("the daemon did not stop".into()) }
    }

    fn run_for(&mut self, us: u64) -> Result<(), String> {
        let end = self.now_us + us;
        while self.now_us < end {
            self.step()?;
        }
        Ok(())
    }

    fn run_until(&mut self, end: u64, over: impl Fn(&Self) -> bool) -> Result<(), String> {
        while self.now_us < end && !over(self) {
            self.step()?;
        }
        Ok(())
    }

    fn crash(&mut self) -> Result<(), String> {
        if let Some(mut host) = self.host.take() {
            host.crash()?;
            let news = host.take_news();
            self.untold.extend(news.iter().filter_map(|e| office::news(&host, e)));
        }
        for d in self.plan.devices.iter().map(|d| d.no).collect::<Vec<_>>() {
            if self.links.is_up(d) {
                self.links.cut(d);
                self.rig.disconnected(d, Link::FIRST, self.now_us);
            }
        }
        self.asked.clear();
        self.world.operator_left();
        Ok(())
    }

    fn finish(mut self, crashes: u32, completed: Result<(), String>) -> Result<Outcome, String> {
        if let Some(host) = self.host.take() {
            host.close()?;
        }
        self.world.finish(self.now_us);
        self.truth.extend(self.world.take_truth());
        Ok(Outcome { truth: self.truth, virtual_us: self.now_us - SECOND, steps: self.steps, crashes, completed })
    }

    /// To the next moment at which anything happens, and everything that happens then.
    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        let host = self.host.as_ref().map_or(u64::MAX, Host::deadline);
        let next = host.min(self.links.due_us()).min(self.rig.deadline().unwrap_or(u64::MAX)).min(self.world.next_us());
        self.now_us = next.max(self.now_us).min(self.now_us + 5 * MS);
        let now_us = self.now_us;
        self.world.step(now_us, &mut self.rig);
        self.rig.due(now_us);
        if let Some(host) = &mut self.host {
            host.due(now_us)?;
        }
        self.dial();
        loop {
            self.drain();
            let Some(parcel) = self.links.take(now_us) else { break };
            match parcel {
                Parcel::ToDevice(d, bytes) => self.rig.received(d, Link::FIRST, &bytes, now_us),
                Parcel::ToHost(d, bytes) => {
                    if let Some(h) = &mut self.host {
                        h.received(d, &bytes, now_us);
                    }
                }
                Parcel::DeviceHangsUp(d) => {
                    self.links.cut(d);
                    if let Some(h) = &mut self.host {
                        h.closed(d, now_us);
                    }
                }
                Parcel::HostHangsUp(d) => {
                    self.links.cut(d);
                    self.rig.disconnected(d, Link::FIRST, now_us);
                }
            }
        }
        self.operator();
        if self.steps.is_multiple_of(4096) {
            self.truth.extend(self.world.take_truth());
        }
        Ok(())
    }

    fn dial(&mut self) {
        let now_us = self.now_us;
        let Some(host) = &mut self.host else { return };
        for d in host.dialling(now_us) {
            let taken = !self.links.is_up(d) && self.rig.accepts(d, now_us);
            if taken {
                self.links.up.insert(d, true);
                self.rig.connected(d, Link::FIRST, now_us);
            }
            host.connected(d, taken, now_us);
        }
    }

    /// What both sides want to say goes on its way.
    fn drain(&mut self) {
        let now_us = self.now_us;
        while let Some(wire) = self.host.as_mut().and_then(Host::poll_wire) {
            match wire {
                Wire::Send(d, bytes) => self.links.send(d, false, Parcel::ToDevice(d, bytes), now_us),
                Wire::HangUp(d) => self.links.send(d, false, Parcel::HostHangsUp(d), now_us),
            }
        }
        for i in 0..self.plan.devices.len() {
            let d = self.plan.devices[i].no;
            while let Some((_, emission)) = self.rig.poll(d) {
                if !self.links.is_up(d) {
                    continue;
                }
                match emission {
                    Emission::Send(bytes) => self.links.send(d, true, Parcel::ToHost(d, bytes), now_us),
                    Emission::HangUp => self.links.send(d, true, Parcel::DeviceHangsUp(d), now_us),
                }
            }
        }
    }

    /// The operator reads and asks.
    fn operator(&mut self) {
        let now_us = self.now_us;
        let Some(host) = &mut self.host else { return };
        for event in host.take_news() {
            if let Some(v) = office::news(host, &event) {
                self.world.operator_hears(&v);
            }
        }
        for (id, answer) in host.take_replies() {
            if let Some(json_id) = self.asked.remove(&id) {
                self.world.operator_hears(&office::reply(&json_id, &answer));
            }
        }
        while let Some(v) = self.world.operator_says() {
            // A status shows what is on disk: while the disk stands still, nothing new.
            if v["op"] == "status" && host.disk_hangs(now_us) {
                continue;
            }
            match office::request(host, &v) {
                Ok(op) => {
                    self.asked.insert(self.next_ask, v["id"].clone());
                    host.command(self.next_ask, op, now_us);
                    self.next_ask += 1;
                }
                Err(answer) => self.world.operator_hears(&answer),
            }
        }
    }
}
