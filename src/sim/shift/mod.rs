//! The seeded shift: the same line, ledger, conversations and devices as the real thing, on one thread and virtual time,
//! everything from one seed. What cannot run here is not sans-IO.
//!
//! Invariants: no clock is asked; the same seed gives the same truth, journal and dump.

mod codes;
pub mod host;
mod links;
pub mod office;
pub mod store;

use crate::config::Config;
use crate::line::{Law, Op};
use crate::profile::{Bound, Profiles};
use crate::sim::emul::{Emission, Link};
use crate::sim::example::{LINE, tightened, unprinted};
use crate::sim::rig::Rig;
use crate::sim::world::{Faults, World, WorldHow};
use crate::vocab::plan::Traits;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use crate::vocab::{PackMl, Plan};
use codes::Codes;
use host::{Host, Wire};
use links::{Links, Parcel};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
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
    /// Bottles and boxes are pre-printed, in rows that belong together.
    pub related: bool,
    /// What leaves for printers is kept.
    pub tapped: bool,
    /// Knobs of devices, one of which is turned every few seconds while the line runs.
    pub turns: Vec<Turn>,
}

/// A knob (`world::knobs`) of a device, turned for a time between these two.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub device: &'static str,
    pub knob: &'static str,
    pub least_ms: u32,
    pub most_ms: u32,
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
            related: false,
            tapped: false,
            turns: Vec::new(),
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
    /// Every sending to a printer, in order, where it was asked for.
    pub tapped: Vec<Vec<u8>>,
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
    tapped: Vec<Vec<u8>>,
    /// Committed as the power went: told after the next start.
    untold: Vec<Value>,
}

impl<L: Law, O: Opener> Shift<L, O> {
    /// `dir`: an empty folder for packs (and the ledger, if the opener keeps it there).
    pub fn new(how: ShiftHow, dir: &Path, opener: O) -> Result<Self, String> {
        let profiles = Profiles::load(None).map_err(|e| e.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let text = if how.related { unprinted(&how.line) } else { how.line.clone() };
        let (plan, bound) = read_line(&profiles, &tightened(&text, how.rate_per_min))?;
        let mut rng = Rng::new(how.seed);
        let codes = Codes::of(&how, &plan);
        let mut world = World::new(
            Arc::new(plan.clone()),
            WorldHow {
                units: Some(how.bottles),
                seed: rng.next_u64(),
                faults: how.faults,
                rate_per_min: how.rate_per_min,
                preprinted: codes.rolls(&plan),
                made_for: codes.made_for(),
            },
        )?;
        world.begin(EPOCH_US + SECOND as i64, SECOND);
        let rig = Rig::new(&plan, &profiles, rng.next_u64()).map_err(|e| e.join("\n"))?;
        let delays = rng.fork(1);
        let links = Links::new((!how.instant).then_some(delays));
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
            tapped: Vec::new(),
            untold: Vec::new(),
            how,
        };
        shift.boot()?;
        let (host, now_us) = (shift.host.as_mut().expect("booted"), shift.now_us);
        codes.import(dir, host, now_us)?;
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
        let mut turn_at = self.now_us + 3 * SECOND;
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
            if started && self.now_us >= turn_at && !self.how.turns.is_empty() {
                turn_at = self.now_us + 2 * SECOND + self.rng.below(6 * SECOND);
                self.turn()?;
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

    fn turn(&mut self) -> Result<(), String> {
        let Turn { device, knob, least_ms, most_ms } = self.how.turns[self.rng.below(self.how.turns.len() as u64) as usize];
        let ms = u64::from(least_ms) + self.rng.below(u64::from(most_ms - least_ms) + 1);
        let request = serde_json::json!({"op": "turn", "device": device, "knob": knob, "ms": ms});
        self.world.turn(&request, &mut self.rig).map(drop).map_err(|(_, why, act)| format!("{why}: {act}"))
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
        Ok(Outcome { truth: self.truth, virtual_us: self.now_us - SECOND, steps: self.steps, crashes, completed, tapped: self.tapped })
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
                self.links.join(d);
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
                Wire::Send(d, bytes) => {
                    if self.how.tapped && matches!(self.plan.device(d).traits, Traits::Printer(_)) {
                        self.tapped.push(bytes.clone());
                    }
                    self.links.send(d, false, Parcel::ToDevice(d, bytes), now_us);
                }
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
