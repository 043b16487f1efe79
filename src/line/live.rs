//! The line while it runs: the book, and beside it everything that belongs to this boot only.

use super::book::Book;
use super::feed::{ItemPrinter, item_printers_of};
use super::gate::GateLane;
use super::input::{Answer, Decision, Effect, Input};
use super::law::{Law, Sound};
use super::motion::{Belt, Encoder};
use super::passage::Lane;
use super::tower::Tower;
use crate::vocab::event::Event;
use crate::vocab::plan::{Point, Role, Traits};
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, DeviceNo, LevelNo, Now, Order, PackMl, ParentNo, Plan, Report, StationNo};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::marker::PhantomData;
use std::sync::Arc;

/// A belt that stands after its permit went is seen to stand at the next poll or two.
const COAST_SEEN_US: u64 = 100 * MS;

/// A device as this boot knows it.
#[derive(Clone, Debug, Default)]
pub struct DeviceLive {
    pub up: bool,
    pub up_since_us: u64,
    pub identity: Option<String>,
    /// Printers: armed. Others: same as `up`.
    pub ready: bool,
    /// In the device's own words.
    pub trouble: Option<String>,
    pub heard_us: u64,
    pub last_kind: &'static str,
}

/// A printer's window: what was sent and not yet seen to leave.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Sent, oldest first; the first `taken` of them are in the printer.
    pub codes: VecDeque<CodeRef>,
    pub taken: usize,
    /// Doubtful codes that may still sit in a buffer nobody could clear.
    pub ghosts: Vec<CodeRef>,
    /// Passages seen since the ghosts appeared.
    pub ghost_passages: u32,
    /// A setup print waits in it for a thing.
    pub dummy: bool,
    /// A clear was asked for.
    pub clearing: bool,
    /// When a print was last credited.
    pub printed_us: u64,
    /// The link is going, and its printer may tell of these codes when it is back: none is doubtful yet.
    pub unsettled: bool,
    /// What is here is proven to be in the printer still: it stays when the printer is ready again uncleared.
    pub kept: bool,
}

/// Codes in the order they go by the verify station, for telling which one an unread thing carries.
#[derive(Clone, Debug, Default)]
pub struct BeltOrder {
    pub codes: VecDeque<CodeRef>,
    /// The front is known to be the next thing (a read said so).
    pub anchored: bool,
}

/// A request that is answered later.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub id: u64,
    pub key: Option<String>,
}

pub struct Line<L: Law = Sound> {
    pub(super) plan: Arc<Plan>,
    pub(super) book: Book,
    pub(super) out: Decision,
    pub(super) now: Now,
    pub(super) ticket: u64,
    pub(super) committed: u64,
    pub(super) devices: BTreeMap<DeviceNo, DeviceLive>,
    pub(super) windows: BTreeMap<DeviceNo, Window>,
    pub(super) orders: BTreeMap<LevelNo, BeltOrder>,
    pub(super) lanes: BTreeMap<StationNo, Lane>,
    pub(super) gates: BTreeMap<StationNo, GateLane>,
    pub(super) tower: Tower,
    pub(super) belts: BTreeMap<Point, Belt>,
    pub(super) encoders: BTreeMap<Point, Encoder>,
    /// How long each labelled parent has waited for its read-back, in µs of running time.
    pub(super) label_waits: BTreeMap<ParentNo, u64>,
    pub(super) label_clock_us: u64,
    /// Which passage a missing code was credited to.
    pub(super) missing_at: HashMap<CodeRef, (StationNo, crate::vocab::Passage)>,
    pub(super) queued_at: HashMap<CodeRef, u64>,
    /// What the children of an open parent were made for: found again from the packs at a boot.
    pub(super) bonds: BTreeMap<ParentNo, super::bond::Bond>,
    pub(super) permit_wanted: bool,
    permit_ended_us: Option<u64>,
    pub(super) permit_due_us: u64,
    pub(super) running_us: u64,
    pub(super) running_since: Option<u64>,
    pub(super) wall_offset_us: Option<i64>,
    pub(super) alarm_since: BTreeMap<String, i64>,
    pub(super) ending: Option<super::ending::Ending>,
    pub(super) stop_deadline_us: Option<u64>,
    pub(super) auto_resume: bool,
    pub(super) counters_seen: bool,
    pub(super) started_clean: bool,
    pub(super) last_verdict: Option<super::summary::LastVerdict>,
    pub(super) verdict_times: VecDeque<u64>,
    pub(super) booted: bool,
    pub(super) boot_counted: bool,
    pub(super) item_printers: Arc<[ItemPrinter]>,
    /// When each I/O module was last polled, and how many polls in a row came too far apart.
    pub(super) polled_us: BTreeMap<DeviceNo, u64>,
    pub(super) slow_polls: BTreeMap<DeviceNo, u32>,
    /// The latest wall time that was believed.
    pub(super) trusted_us: i64,
    /// The day for which the packs' expiry was looked at; `None`: look again.
    pub(super) packs_reviewed: Option<i64>,
    pub(super) pools_due_us: u64,
    pub(super) setup: Option<super::setup::Setup>,
    law: PhantomData<L>,
}

impl<L: Law> Line<L> {
    /// `plan` must carry the numbers of `book` (see `number_plan`).
    pub fn new(plan: Arc<Plan>, book: Book) -> Self {
        let devices = plan.devices.iter().map(|d| (d.no, DeviceLive { last_kind: "none", ..DeviceLive::default() })).collect();
        let windows = plan.devices.iter().filter(|d| matches!(d.traits, Traits::Printer(_))).map(|d| (d.no, Window::default())).collect();
        let lanes = plan.stations.iter().filter(|s| s.role != Role::Print).map(|s| (s.no, Lane::new(s, &book))).collect();
        let gates = plan.stations.iter().filter(|s| s.gate.is_some()).map(|s| (s.no, GateLane::default())).collect();
        let item_printers = item_printers_of(&plan);
        Self {
            plan,
            book,
            out: Decision::default(),
            now: Now::default(),
            ticket: 0,
            committed: 0,
            devices,
            windows,
            orders: BTreeMap::new(),
            lanes,
            gates,
            tower: Tower::default(),
            belts: BTreeMap::new(),
            encoders: BTreeMap::new(),
            label_waits: BTreeMap::new(),
            label_clock_us: 0,
            missing_at: HashMap::new(),
            queued_at: HashMap::new(),
            bonds: BTreeMap::new(),
            permit_wanted: false,
            permit_ended_us: None,
            permit_due_us: 0,
            running_us: 0,
            running_since: None,
            wall_offset_us: None,
            alarm_since: BTreeMap::new(),
            ending: None,
            stop_deadline_us: None,
            auto_resume: false,
            counters_seen: false,
            started_clean: true,
            last_verdict: None,
            verdict_times: VecDeque::new(),
            booted: false,
            boot_counted: false,
            item_printers,
            polled_us: BTreeMap::new(),
            slow_polls: BTreeMap::new(),
            trusted_us: 0,
            packs_reviewed: None,
            pools_due_us: 0,
            setup: None,
            law: PhantomData,
        }
    }

    pub fn book(&self) -> &Book {
        &self.book
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The rows that the events of the last decision changed.
    pub fn take_rows(&mut self) -> Vec<super::Row> {
        self.book.take_rows()
    }

    /// One input, one decision. Everything due by `now` is done first, so that a late call decides as a timely one.
    pub fn handle(&mut self, input: Input, now: Now) -> Decision {
        self.now = Now { mono_us: now.mono_us.max(self.now.mono_us), wall_us: now.wall_us };
        self.watch_clock();
        match input {
            Input::Booted { clean, last_wall_us, restored, made_for } => {
                self.boot(clean, last_wall_us, restored);
                self.remember_bonds(&made_for);
            }
            Input::Report { device, report } => self.report(device, report),
            Input::Frame { device, at_us, reading } => {
                self.heard(device, "frame");
                self.frame(device, at_us, reading);
            }
            Input::Poll { device, poll } => {
                self.heard(device, "poll");
                self.poll(device, &poll);
            }
            Input::Committed { ticket } => {
                self.committed = self.committed.max(ticket);
                self.gates_due();
            }
            Input::Writer { oldest_ms, full } => self.writer(oldest_ms, full),
            Input::Command { id, key, op } => self.command(id, key, op),
            Input::PackReady { id, key, pack, more } => self.pack_ready(id, key, pack, more),
            Input::PackRefused { id, key, answer } => self.reply(&Pending { id, key }, answer),
            Input::Alarm { name, on: true } => self.raise(name),
            Input::Alarm { name, on: false } => self.lower(&name),
            Input::Delivered { id, key, pack, more, order } => self.delivered(Pending { id, key }, pack, more, order),
            Input::Supply(s) => self.supplied(s),
            Input::Stop => self.begin_stop(),
            Input::Tick => {}
        }
        if !self.book.line.clock_suspect {
            self.trusted_us = self.now.wall_us;
        }
        self.due();
        self.finish()
    }

    fn finish(&mut self) -> Decision {
        let mut d = std::mem::take(&mut self.out);
        if !d.events.is_empty() {
            self.ticket += 1;
        }
        d.ticket = self.ticket;
        d.wait |= !d.after.is_empty();
        d
    }

    /// Work that time or an earlier step made due.
    fn due(&mut self) {
        if !self.booted {
            return;
        }
        self.passages_due();
        self.labels_due();
        self.packs_due();
        self.starting_due();
        self.ending_due();
        self.setup_due();
        self.io_due();
        // Gates before the permit: no thing moves towards a gate that does not stand as it should.
        self.gates_due();
        self.feed();
        self.permit_due();
        self.tower_due();
    }

    /// The next moment (mono µs) at which `handle(Input::Tick)` must be called.
    pub fn deadline(&self) -> Option<u64> {
        let jobs = [self.passages_deadline(), self.gates_deadline(), self.labels_deadline(), self.ending_deadline()];
        let rest = [self.permit_deadline(), self.tower_deadline(), self.setup_deadline()];
        jobs.into_iter().chain(rest).flatten().min()
    }

    pub(super) fn emit(&mut self, event: Event) {
        if let Some(first) = self.first_seen(&event) {
            self.book.apply(&first);
            self.out.events.push(first);
        }
        self.book.apply(&event);
        self.out.events.push(event);
    }

    /// The ticket that the events of this decision will get.
    pub(super) fn this_ticket(&self) -> u64 {
        self.ticket + 1
    }

    pub(super) fn order_now(&mut self, device: DeviceNo, order: Order) {
        self.out.now.push(Effect::Order { device, order });
    }

    pub(super) fn output(&mut self, point: Point, on: bool) {
        self.order_now(point.device, Order::set(point, on));
    }

    pub(super) fn reply(&mut self, to: &Pending, answer: Answer) {
        if let Some(key) = &to.key
            && !self.book.answers.contains_key(key)
        {
            let text = serde_json::to_string(&answer).expect("an answer is plain strings");
            self.emit(Event::Answered { key: key.clone(), answer: text });
        }
        self.out.after.push(Effect::Reply { id: to.id, answer });
    }

    pub(super) fn raise(&mut self, name: String) {
        if !self.book.line.alarms.contains(&name) {
            self.alarm_since.insert(name.clone(), self.now.wall_us);
            self.emit(Event::Alarm { name, on: true });
        }
    }

    pub(super) fn lower(&mut self, name: &str) {
        if self.book.line.alarms.contains(name) {
            self.alarm_since.remove(name);
            self.emit(Event::Alarm { name: name.into(), on: false });
        }
    }

    pub(super) fn move_line(&mut self, to: PackMl, reason: Option<&str>) {
        if self.book.line.state == to && self.book.line.reason.as_deref() == reason {
            return;
        }
        self.set_running(to == PackMl::Execute);
        self.emit(Event::LineMoved { to, reason: reason.map(Into::into) });
    }

    fn set_running(&mut self, on: bool) {
        match (on, self.running_since) {
            (true, None) => self.running_since = Some(self.now.mono_us),
            (false, Some(since)) => {
                self.running_us += self.now.mono_us - since;
                self.running_since = None;
            }
            _ => {}
        }
        self.want_permit(on);
    }

    /// Microseconds the line has been in Execute during this boot.
    pub(super) fn running_time_us(&self) -> u64 {
        self.running_us + self.running_since.map_or(0, |s| self.now.mono_us - s)
    }

    pub(super) fn running(&self) -> bool {
        self.book.line.state == PackMl::Execute
    }

    fn heard(&mut self, device: DeviceNo, kind: &'static str) {
        if let Some(d) = self.devices.get_mut(&device) {
            d.heard_us = self.now.mono_us;
            d.last_kind = kind;
        }
    }

    fn report(&mut self, device: DeviceNo, report: Report) {
        let now_us = self.now.mono_us;
        let id = self.plan.device(device).id.clone();
        let kind = match &report {
            Report::Up { .. } => "up",
            Report::Down { .. } => "down",
            Report::Ready { .. } => "ready",
            Report::NotReady { .. } => "not-ready",
            Report::Taken { .. } => "taken",
            Report::Printed { .. } | Report::PrintedCode { .. } | Report::PrintedTo { .. } => "printed",
            Report::Cleared => "cleared",
            Report::Unprintable { .. } => "unprintable",
            Report::OutOfStep { .. } => "out-of-step",
            Report::Unsettled => "unsettled",
            Report::Reconciled { .. } => "reconciled",
            Report::Frame(_) => "frame",
            Report::Polled(_) => "poll",
            Report::Overwritten { .. } => "overwritten",
            Report::Noise { .. } => "noise",
        };
        self.heard(device, kind);
        self.setup_hears(device, &report);
        let printer = matches!(self.plan.device(device).traits, Traits::Printer(_));
        match report {
            Report::Up { identity } => {
                let d = self.devices.get_mut(&device).expect("every device of the plan is known");
                d.up = true;
                d.up_since_us = now_us;
                d.ready = !printer;
                d.identity = identity;
                d.trouble = None;
                self.lower(&format!("device-down:{id}"));
                self.reader_up(device);
                if self.plan.device(device).traits.is_io() {
                    self.io_up(device);
                }
            }
            Report::Down { why } => {
                self.setup_failed(device, &why);
                let d = self.devices.get_mut(&device).expect("every device of the plan is known");
                (d.up, d.ready, d.trouble) = (false, false, Some(why));
                if self.book.current_job().is_some() {
                    self.raise(format!("device-down:{id}"));
                }
                self.printer_down(device);
                self.reader_down(device);
                self.io_down(device);
            }
            Report::Ready { cleared } => {
                self.printer_ready(device, cleared);
                self.setup_ready(device);
            }
            Report::NotReady { why } => {
                let d = self.devices.get_mut(&device).expect("every device of the plan is known");
                (d.ready, d.trouble) = (false, Some(why.clone()));
                if !self.setup_failed(device, &why) {
                    self.raise(format!("printer-not-ready:{id}"));
                }
                self.stop_repeating(device);
            }
            Report::Taken { code } => self.taken(device, code),
            Report::Printed { count } => self.printed(device, count),
            Report::PrintedCode { code } => self.printed_code(device, code),
            Report::PrintedTo { code } => self.printed_to(device, code),
            Report::Cleared => self.cleared(device),
            Report::Unprintable { code, why } => self.unprintable(device, code, why),
            Report::OutOfStep { .. } => self.printer_lost(device, crate::vocab::Doubt::Silence),
            Report::Unsettled => self.unsettled(device),
            Report::Reconciled { printed, inside } => self.reconciled(device, &printed, &inside),
            Report::Noise { .. } => self.raise(format!("reader-noise:{id}")),
            // Gates and belt obey somebody else too: nothing passes by our word alone.
            Report::Overwritten { .. } => {
                self.raise(format!("io-overwritten:{id}"));
                if self.running() {
                    self.hold("io-overwritten");
                }
            }
            Report::Frame(_) | Report::Polled(_) => debug_assert!(false, "frames and polls have their own inputs"),
        }
    }

    fn watch_clock(&mut self) {
        let offset = self.now.wall_us - self.now.mono_us as i64;
        let Some(before) = self.wall_offset_us.replace(offset) else { return };
        let step_ms = (offset - before) / 1000;
        if step_ms.unsigned_abs() > 2000 && self.booted {
            self.emit(Event::Clock { step_ms, suspect: true });
            self.raise("clock-suspect".into());
        }
    }

    fn writer(&mut self, oldest_ms: u64, full: bool) {
        if full || oldest_ms > u64::from(self.plan.limits.commit_limit_ms) {
            if self.running() {
                self.hold("writer-slow");
            }
            self.raise("writer-slow".into());
        } else if oldest_ms < 500 {
            self.lower("writer-slow");
        }
    }

    /// Permit off, Held, reason shown. Nothing moves until somebody (or `auto_resume`) resumes.
    pub(super) fn hold(&mut self, reason: &str) {
        use crate::vocab::JobState;
        if let Some(job) = self.book.current_job().map(|j| (j.no, j.state)) {
            if job.1 == JobState::Running {
                self.emit(Event::JobMoved { job: job.0, to: JobState::Held });
            }
            if job.1 != JobState::Completing {
                self.move_line(PackMl::Held, Some(reason));
            }
        }
    }

    pub(super) fn want_permit(&mut self, on: bool) {
        if self.permit_wanted != on {
            self.permit_wanted = on;
            self.permit_due_us = self.now.mono_us;
            if !on {
                self.permit_ended_us = Some(self.now.mono_us);
            }
        }
    }

    /// The permit is on, or was so lately that the belt may still move by it, whatever its input said last.
    pub(super) fn permit_given(&self) -> bool {
        let coasts = |ended: u64| {
            let stop_ms = self.plan.run_permit.map_or(0, |p| p.belt_stop_ms);
            self.now.mono_us < ended + u64::from(stop_ms) * MS + COAST_SEEN_US
        };
        self.permit_wanted || self.permit_ended_us.is_some_and(coasts)
    }

    fn permit_due(&mut self) {
        let Some(p) = self.plan.run_permit else { return };
        if self.now.mono_us >= self.permit_due_us {
            let up = self.devices.get(&p.output.device).is_some_and(|d| d.up);
            if up {
                self.output(p.output, self.permit_wanted);
            }
            self.permit_due_us = self.now.mono_us + u64::from(p.heartbeat_ms) * MS;
        }
    }

    fn permit_deadline(&self) -> Option<u64> {
        self.plan.run_permit.map(|_| self.permit_due_us)
    }
}
