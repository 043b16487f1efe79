//! The line's single owner: takes one input at a time, stamps it, lets the line decide, carries the decision out.
//!
//! One task on the thread that also drives the devices. A frame's way from the socket to the owner and back to another
//! socket crosses no thread and wakes nobody: on a machine of two processors that is some tens of microseconds, where
//! two hand-overs between threads would each cost a wake-up. What could keep that thread busy lives elsewhere: the
//! disk in the writer's thread, clients of the socket on a thread of their own, imports on theirs.
//!
//! Invariants: effects of *now* leave before the decision is even handed to the writer (a reject waits for nothing);
//! effects of *after* leave when their ticket is on disk; events applied in memory are never lost while the disk lives:
//! with the writer's queue full nothing more is taken in but its commits, and the run permit is off.

use super::board::{Board, Gauge};
use super::clock::Clock;
use super::devices::Devices;
use super::gs::GsWatch;
use super::imports::{Asker, Imported, Imports, Ready, Turn};
use super::requests::{self, ReplyTo, Wanted};
use super::supplies::{self, Supplies};
use crate::control::protocol::Refusal;
use crate::control::server::Command;
use crate::device::{Timer, Told};
use crate::ledger::{Codebook, Outcome, Submission, Writer};
use crate::line::jobs::first_answer;
use crate::line::{Decision, Effect, Input, Line, Mark, Reading, Release};
use crate::vocab::event::Origin;
use crate::vocab::plan::Polarity;
use crate::vocab::{CodeRef, DeviceNo, Event, ItemState, Order, Report};
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Submissions the writer may have waiting; below its own queue's size, so that handing over never fails for room.
pub const ADMIT: u64 = 4_096;
/// How often the writer's gauge is read and the picture of the line renewed.
const PULSE: Duration = Duration::from_millis(50);
/// Requests that may be unanswered at once.
const UNANSWERED: usize = 256;
/// A deadline that has passed is worked on at most this often.
const LEAST_TICK_US: u64 = 200;
/// Nothing is due: called all the same after this long.
const LONGEST_TICK_US: u64 = 3_600_000_000;
/// A deadline missed by more than this is worth a line in the log, at most once in `LATE_EVERY_US`.
const LATE: Duration = Duration::from_millis(10);
const LATE_EVERY_US: u64 = 10_000_000;
/// Polls further apart than this are told at debug level.
const SLOW_POLL_MS: u64 = 20;
/// Disk room is measured every so many pulses.
const DISK_EVERY: u32 = 20;

/// How the daemon ends.
#[derive(Debug)]
pub enum End {
    /// In order: everything is settled and on disk.
    Stopped,
    /// A plain sentence; nothing more may be written.
    Failed(String),
}

/// Where inputs come from; every channel is bounded. Full: a device's driver waits (and with it the device), the socket
/// answers `busy`, the writer waits.
pub struct Inlets {
    pub commits: mpsc::Receiver<Outcome>,
    pub devices: mpsc::Receiver<Told>,
    pub commands: mpsc::Receiver<Command>,
    pub imported: mpsc::Receiver<Imported>,
    pub alarms: mpsc::Receiver<super::inbox::Alarm>,
    pub supply: mpsc::Receiver<supplies::Told>,
    pub stop: mpsc::Receiver<&'static str>,
}

pub struct Owner {
    clock: Clock,
    /// Files named by a request are relative to this folder.
    base: PathBuf,
    line: Line,
    codebook: Codebook,
    release: Release,
    pub writer: Writer,
    /// Decisions the writer had no room for, in order.
    stuck: VecDeque<(u64, bool, Submission)>,
    pub devices: Devices,
    /// Devices that do not take their orders.
    deaf: Vec<DeviceNo>,
    replies: HashMap<u64, ReplyTo>,
    next_id: u64,
    imports: Imports,
    supplies: Supplies,
    board: Board,
    committed_seq: watch::Sender<u64>,
    admit: u64,
    /// The newest ticket given, and the newest on disk.
    ticket: u64,
    committed: u64,
    last_tick_us: u64,
    late_told_us: Option<u64>,
    polled_us: HashMap<DeviceNo, u64>,
    gs: GsWatch,
    pulses: u32,
    stopping: bool,
    end: Option<End>,
}

pub struct Parts {
    pub clock: Clock,
    pub base: PathBuf,
    pub line: Line,
    pub codebook: Codebook,
    pub writer: Writer,
    pub devices: Devices,
    pub imports: Imports,
    pub supplies: Supplies,
    pub board: Board,
    pub committed_seq: watch::Sender<u64>,
    pub admit: u64,
}

impl Owner {
    pub fn new(p: Parts) -> Self {
        Self {
            clock: p.clock,
            base: p.base,
            line: p.line,
            codebook: p.codebook,
            release: Release::default(),
            writer: p.writer,
            stuck: VecDeque::new(),
            devices: p.devices,
            deaf: Vec::new(),
            replies: HashMap::new(),
            next_id: 1,
            imports: p.imports,
            supplies: p.supplies,
            board: p.board,
            committed_seq: p.committed_seq,
            admit: p.admit,
            ticket: 0,
            committed: 0,
            last_tick_us: 0,
            late_told_us: None,
            polled_us: HashMap::new(),
            gs: GsWatch::default(),
            pulses: 0,
            stopping: false,
            end: None,
        }
    }

    /// Settles what the last boot left unknown, and waits until that is on disk.
    pub async fn boot(&mut self, booted: Input, commits: &mut mpsc::Receiver<Outcome>) -> Option<End> {
        self.step(booted);
        while self.committed < self.ticket && self.end.is_none() {
            match commits.recv().await {
                Some(o) => self.outcome(o),
                None => self.fail("the ledger's writer ended unexpectedly".into()),
            }
        }
        self.end.take()
    }

    pub async fn run(&mut self, from: &mut Inlets) -> End {
        let mut clockwork = Timer::start();
        let mut pulse = tokio::time::interval(PULSE);
        pulse.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if let Some(end) = self.end.take() {
                return end;
            }
            let room = self.stuck.is_empty();
            let (due_us, now_us) = (self.next_tick(), self.clock.mono_us());
            tokio::select! {
                Some(o) = from.commits.recv() => self.outcome(o),
                Some(t) = from.devices.recv(), if room => self.told(t),
                () = clockwork.until(due_us, now_us), if room => self.tick(due_us),
                _ = pulse.tick() => self.pulse(room),
                Some(i) = from.imported.recv(), if room => self.imported(i),
                Some((name, on)) = from.alarms.recv(), if room => self.step(Input::Alarm { name, on }),
                Some(t) = from.supply.recv(), if room => self.supplies.told(t, self.clock.mono_us()),
                Some(c) = from.commands.recv(), if room => self.command(c),
                Some(signal) = from.stop.recv(), if room => {
                    tracing::info!(signal, "stopping");
                    self.stopping = true;
                    self.step(Input::Stop);
                }
            }
            self.cut_off_deaf();
            self.supply();
            // Drivers run on this thread: what was just ordered leaves before the next input is looked at.
            tokio::task::yield_now().await;
        }
    }

    /// When the line wants to be called, kept from spinning on a deadline that has passed.
    fn next_tick(&self) -> u64 {
        let least = self.last_tick_us + LEAST_TICK_US;
        let due = self.line.deadline().map_or(u64::MAX, |d| d.max(least));
        due.min(self.last_tick_us + LONGEST_TICK_US)
    }

    fn tick(&mut self, due_us: u64) {
        self.last_tick_us = self.clock.mono_us();
        let late = Duration::from_micros(self.last_tick_us.saturating_sub(due_us));
        if late > LATE && self.late_told_us.is_none_or(|told| self.last_tick_us >= told + LATE_EVERY_US) {
            self.late_told_us = Some(self.last_tick_us);
            tracing::warn!(late_ms = late.as_millis() as u64, "the machine gave the line its time too late: check its load");
        }
        self.step(Input::Tick);
    }

    /// One input, one decision, carried out.
    fn step(&mut self, input: Input) {
        let now = self.clock.now();
        let mut decision = self.line.handle(input, now);
        let rows = self.line.take_rows();
        self.ticket = decision.ticket;
        let answers = decision.after.iter().any(|e| matches!(e, Effect::Reply { .. }));
        self.know_ranges(&decision.events);
        let leave = self.release.decided(&mut decision);
        self.perform(leave);
        let Decision { ticket, events, wait, .. } = decision;
        if !events.is_empty() {
            log::tell(&events);
            self.board.decided(ticket, &events, &self.line, answers);
            self.submit(ticket, wait, Submission { now, events, rows });
        }
    }

    /// A range is a pack without files: from now on its numbers are found by a scan.
    fn know_ranges(&mut self, events: &[Event]) {
        for e in events {
            if let Event::PackAccepted { pack, origin: Origin::Range(_), .. } | Event::RangeCut { pack, .. } = e
                && let Some(row) = self.line.book().packs.get(pack).cloned()
                && let Err(e) = self.codebook.register(row)
            {
                self.fail(e.to_string());
            }
        }
    }

    fn submit(&mut self, ticket: u64, wait: bool, what: Submission) {
        if self.stuck.is_empty() && self.writer.stats().0 < self.admit {
            if self.writer.submit(ticket, wait, what).is_err() {
                self.fail("the ledger's writer ended unexpectedly: start again; everything acknowledged is safe".into());
            }
            return;
        }
        let first = self.stuck.is_empty();
        self.stuck.push_back((ticket, wait, what));
        if first {
            let oldest_ms = self.writer.stats().1;
            self.step(Input::Writer { oldest_ms, full: true });
        }
    }

    fn outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Failed(sentence) => self.fail(sentence),
            Outcome::Committed { ticket, seq } => {
                self.committed = ticket;
                while self.writer.stats().0 < self.admit
                    && let Some((t, wait, what)) = self.stuck.pop_front()
                {
                    if self.writer.submit(t, wait, what).is_err() {
                        return self.fail("the ledger's writer ended unexpectedly: start again; everything acknowledged is safe".into());
                    }
                }
                self.board.committed(ticket, seq);
                self.show();
                self.committed_seq.send_replace(seq);
                let leave = self.release.committed(ticket);
                self.perform(leave);
                self.step(Input::Committed { ticket });
            }
        }
    }

    /// Permit off and every gate to reject, as far as the modules still listen; then the end.
    fn fail(&mut self, sentence: String) {
        if self.end.is_some() {
            return;
        }
        let plan = self.line.plan();
        let mut outputs: Vec<_> = plan.run_permit.iter().map(|p| (p.output, false)).collect();
        outputs.extend(plan.stations.iter().filter_map(|s| s.gate).map(|g| (g.output, g.polarity == Polarity::Reject)));
        for (point, on) in outputs {
            let _ = self.devices.order(point.device, Order::set(point, on));
        }
        self.end = Some(End::Failed(sentence));
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Order { device, order } => self.order(device, order),
                // Decided before its printer was lost, on disk only after: doubtful by now, and never sent.
                Effect::Print { code, .. } | Effect::Label { code, .. } if self.line.book().state(code) != ItemState::Sent => {}
                Effect::Print { device, code } => {
                    if let Some(bytes) = self.bytes(code) {
                        self.order(device, Order::Print { code, bytes });
                    }
                }
                Effect::Label { device, code, label } => {
                    let Some(bytes) = self.bytes(code) else { continue };
                    match self.devices.label_bytes(device, &bytes, &label) {
                        Ok(bytes) => self.order(device, Order::Print { code, bytes }),
                        // Looked at when the job was made: told all the same, and its number becomes void by itself.
                        Err(why) => self.step(Input::Report { device, report: Report::NotReady { why } }),
                    }
                }
                Effect::Reply { id, answer } => {
                    if let Some(to) = self.replies.remove(&id) {
                        // Nobody there any more: the book has the answer, a repeated key gets it.
                        self.imports.reply(id, to, requests::answered(answer));
                    }
                }
                Effect::OrderOnDisk { order, ended } => self.supplies.on_disk(order, ended, self.line.book(), self.clock.mono_us()),
                Effect::Exit => self.end = Some(End::Stopped),
            }
        }
    }

    fn bytes(&mut self, code: CodeRef) -> Option<Vec<u8>> {
        let bytes = self.codebook.bytes(code);
        if bytes.is_none() {
            let pack = self.line.book().packs.get(&code.pack).map_or("?", |p| p.id.as_str());
            self.fail(format!("code {} of pack {pack} cannot be read from its segment: restore the packs folder", code.ordinal));
        }
        bytes
    }

    fn order(&mut self, device: DeviceNo, order: Order) {
        if self.devices.order(device, order).is_err() && !self.deaf.contains(&device) {
            self.deaf.push(device);
        }
    }

    /// A driver that does not take its orders is closed and opened again: what was on its way to it is unknown.
    fn cut_off_deaf(&mut self) {
        while let Some(device) = self.deaf.pop() {
            let id = &self.line.plan().device(device).id;
            tracing::error!(device = %id, "does not take its orders; its link is closed and opened again");
            self.devices.reopen(device);
            let why = "it did not take its orders".into();
            self.step(Input::Report { device, report: Report::Down { why } });
        }
    }

    fn told(&mut self, told: Told) {
        let Told { device, report, at_us } = told;
        let input = match report {
            Report::Frame(frame) => {
                let mut reading = self.codebook.reading(&frame, self.devices.ignored_by(device), self.devices.least_grade(device));
                self.forget_unaccepted(&mut reading);
                if let Some((name, on)) = self.gs.look(device, &frame, &reading, &self.line, &self.codebook) {
                    self.step(Input::Alarm { name, on });
                }
                self.board.gs.extend(self.gs.word(device).map(|word| (device, word)));
                Input::Frame { device, at_us, reading }
            }
            Report::Polled(poll) => {
                self.watch_polls(device, poll.at_us, at_us);
                Input::Poll { device, poll }
            }
            report => {
                log::link(&self.line.plan().device(device).id, &report);
                Input::Report { device, report }
            }
        };
        self.step(input);
    }

    /// A pack stands in the codebook a moment before the book accepts it; until then its codes are unknown.
    fn forget_unaccepted(&self, reading: &mut Reading) {
        let Reading::Data(marks) = reading else { return };
        for m in marks {
            if let Some(code) = m.item()
                && !self.line.book().packs.contains_key(&code.pack)
            {
                *m = Mark::Unknown(self.codebook.bytes(code).unwrap_or_default());
            }
        }
    }

    /// A module that answers seldom cannot be relied on at the gates: how long it took, for whoever looks for the cause.
    fn watch_polls(&mut self, device: DeviceNo, answered_us: u64, told_us: u64) {
        let before = self.polled_us.insert(device, answered_us).unwrap_or(answered_us);
        let (gap_ms, waited_ms) = (answered_us.saturating_sub(before) / 1000, self.clock.mono_us().saturating_sub(told_us) / 1000);
        if gap_ms > SLOW_POLL_MS || waited_ms > SLOW_POLL_MS {
            tracing::debug!(device = %self.line.plan().device(device).id, gap_ms, waited_ms, "a slow poll");
        }
    }

    fn pulse(&mut self, room: bool) {
        let gauge = self.writer.stats();
        if room {
            self.step(Input::Writer { oldest_ms: gauge.1, full: false });
        }
        self.pulses = self.pulses.wrapping_add(1);
        if self.pulses.is_multiple_of(DISK_EVERY) {
            self.board.measure_disk();
            self.supply_look();
        }
        self.board.refresh(&self.line);
        self.show();
    }

    fn show(&self) {
        let (queue, oldest_ms) = self.writer.stats();
        self.board.show(self.line.plan(), Gauge { queue, oldest_ms }, self.clock.now());
    }

    fn command(&mut self, command: Command) {
        let Command { op, key, reply } = command;
        let refuse = |reply: ReplyTo, code: &str, what: &str, act: &str| drop(reply.send(Err(Refusal::new(code, what, act))));
        if self.stopping {
            return refuse(reply, "stopping", "the daemon is stopping", "send it again when it is back");
        }
        if self.replies.len() >= UNANSWERED {
            return refuse(reply, "busy", "too many requests wait for an answer", "send it again in a moment");
        }
        let wanted = requests::wanted(op, &self.base);
        if key.as_ref().is_some_and(|k| self.imports.holds_key(k)) && !matches!(wanted, Wanted::Import(_)) {
            return refuse(reply, "busy", "an import with this key is under way", "wait for its answer, or use another key");
        }
        let id = self.next_id;
        self.next_id += 1;
        match wanted {
            Wanted::Supply(wish) => {
                self.replies.insert(id, reply);
                self.supply_command(id, key, wish);
            }
            Wanted::Reads => refuse(reply, "internal", "this request is answered by the socket itself", "report this"),
            Wanted::Line(op) => {
                self.replies.insert(id, reply);
                self.step(Input::Command { id, key, op });
            }
            Wanted::Import(import) => {
                self.replies.insert(id, reply);
                let asker = Asker { id, key };
                if self.answer_again(&asker) {
                    return;
                }
                match self.imports.ask(asker.clone(), *import) {
                    Ok(()) => self.next_import(),
                    Err(answer) => self.step(Input::PackRefused { id, key: asker.key, answer }),
                }
            }
        }
    }

    /// A repeated key gets its first answer, once that is on disk; nothing is imported again.
    fn answer_again(&mut self, asker: &Asker) -> bool {
        let Some(text) = asker.key.as_ref().and_then(|k| self.line.book().answers.get(k)) else { return false };
        let answer = first_answer(text);
        let mut again = Decision { ticket: self.ticket, after: vec![Effect::Reply { id: asker.id, answer }], ..Decision::default() };
        let leave = self.release.decided(&mut again);
        self.perform(leave);
        true
    }

    fn next_import(&mut self) {
        while let Some((asker, turn)) = self.imports.next(self.line.book(), self.clock.now().wall_us) {
            match turn {
                Turn::AnswerAgain => drop(self.answer_again(&asker)),
                Turn::Refused(answer) if self.supplies.refused(asker.id, &answer, self.clock.mono_us()) => {}
                Turn::Refused(answer) => self.step(Input::PackRefused { id: asker.id, key: asker.key, answer }),
            }
        }
    }

    fn imported(&mut self, imported: Imported) {
        let Imported { asker: Asker { id, key }, outcome } = imported;
        self.imports.over();
        match outcome {
            Ok(Ready { pack, after, order }) => {
                tracing::info!(pack = %pack.id, level = %pack.level, product = %pack.product, count = pack.count, "pack accepted");
                let more = self.imports.keep(id, after);
                self.step(match order {
                    Some(order) => Input::Delivered { id, key, pack, more, order },
                    None => Input::PackReady { id, key, pack, more },
                });
            }
            Err(answer) if self.supplies.refused(id, &answer, self.clock.mono_us()) => {}
            Err(answer) => self.step(Input::PackRefused { id, key, answer }),
        }
        self.next_import();
    }
}

mod log;
mod supply;
#[cfg(test)]
mod tests;
