//! The daemon without sockets and threads: the line, the conversations and a writer whose commits take virtual time.

use super::store::{Opened, Store};
use crate::ledger::{Codebook, Submission};
use crate::line::start::number_plan;
use crate::line::{Answer, Effect, Input, Law, Line, NewPack, Op, Release, Row};
use crate::profile::Bound;
use crate::vocab::event::Origin;
use crate::vocab::plan::Ignore;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, DeviceNo, Event, ItemState, Now, Order, Plan, Report};
use crate::wire::{self, Action, Conversation};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Reconnect delays, as the driver's.
const RETRY_US: u64 = 50 * MS;
const RETRY_MOST_US: u64 = 800 * MS;
const GAUGE_US: u64 = 100 * MS;
/// An event nobody waits for is on disk after this long.
const IDLE_US: u64 = 100 * MS;

/// What the host asks of its links.
pub enum Wire {
    Send(DeviceNo, Vec<u8>),
    HangUp(DeviceNo),
}

struct Port {
    conversation: Box<dyn Conversation>,
    up: bool,
    retry_at_us: Option<u64>,
    retry_us: u64,
    ignore: Vec<Ignore>,
}

/// What the writer's thread would hold.
struct Writer<S> {
    store: S,
    pending: Vec<(u64, u64, Submission)>,
    waited: bool,
    /// When the commit under way is on disk; what it holds.
    flying: Option<(u64, u64, Vec<Submission>)>,
    /// The disk hangs: the next commit does not come back before this moment.
    hangs_until: u64,
}

pub struct Host<L: Law, S: Store> {
    pub line: Line<L>,
    pub codebook: Codebook,
    plan: Arc<Plan>,
    bound: BTreeMap<DeviceNo, Bound>,
    release: Release<L>,
    ports: BTreeMap<DeviceNo, Port>,
    writer: Writer<S>,
    reports: VecDeque<(DeviceNo, Report)>,
    wires: VecDeque<Wire>,
    replies: Vec<(u64, Answer)>,
    /// Events on disk since this was last taken.
    news: Vec<Event>,
    born_us: u64,
    wall_us: i64,
    gauge_at_us: u64,
    opened: bool,
    exited: bool,
    rng: Rng,
}

impl<L: Law, S: Store> Host<L, S> {
    /// Comes up: the line boots, and no device opens before its first events are on disk.
    pub fn boot(plan: &Plan, bound: &BTreeMap<String, Bound>, opened: Opened<S>, now_us: u64, wall_us: i64, rng: Rng) -> Self {
        let mut plan = plan.clone();
        let _ = number_plan(&mut plan, &opened.book);
        let plan = Arc::new(plan);
        let port = |d: &crate::vocab::plan::Device| Port {
            conversation: wire::converse(&bound[&d.id], &plan, d.no),
            up: false,
            retry_at_us: None,
            retry_us: RETRY_US,
            ignore: plan.ignored_by(d.no),
        };
        let ports = plan.devices.iter().map(|d| (d.no, port(d))).collect();
        let mut host = Self {
            line: Line::new(plan.clone(), opened.book),
            codebook: opened.codebook,
            bound: plan.devices.iter().map(|d| (d.no, bound[&d.id].clone())).collect(),
            plan,
            release: Release::default(),
            ports,
            writer: Writer { store: opened.store, pending: Vec::new(), waited: false, flying: None, hangs_until: 0 },
            reports: VecDeque::new(),
            wires: VecDeque::new(),
            replies: Vec::new(),
            news: Vec::new(),
            born_us: now_us,
            wall_us,
            gauge_at_us: now_us + GAUGE_US,
            opened: false,
            exited: false,
            rng,
        };
        let made_for = host.codebook.made_for_in(host.line.book());
        let booted = Input::Booted { clean: opened.clean, last_wall_us: opened.last_wall_us, restored: opened.restored, made_for };
        host.give(booted, now_us);
        host.writer.waited = true;
        host
    }

    /// This boot's own monotonic time.
    fn mono(&self, now_us: u64) -> u64 {
        now_us - self.born_us + 1
    }

    fn now(&self, now_us: u64) -> Now {
        Now::new(self.mono(now_us), self.wall_us + now_us as i64)
    }

    /// The wall clock steps.
    pub fn step_wall(&mut self, by_us: i64) {
        self.wall_us += by_us;
    }

    pub fn wall_offset_us(&self) -> i64 {
        self.wall_us
    }

    fn give(&mut self, input: Input, now_us: u64) {
        let now = self.now(now_us);
        let mut d = self.line.handle(input, now);
        let rows = self.line.take_rows();
        // A range is a pack from the moment it is told of.
        for row in rows.iter().filter_map(|r| if let Row::Pack(p) = r { Some(p) } else { None }) {
            if matches!(row.origin, Origin::Range(_)) && self.codebook.bytes(CodeRef::new(row.no, 0)).is_none() {
                self.codebook.register(row.clone()).expect("a formula needs no file");
            }
        }
        let ticket = d.ticket;
        for effect in self.release.decided(&mut d) {
            self.perform(effect, now_us);
        }
        self.writer.waited |= d.wait;
        if !d.events.is_empty() {
            self.writer.pending.push((ticket, now_us, Submission { now, events: d.events, rows }));
        }
    }

    fn perform(&mut self, effect: Effect, now_us: u64) {
        match effect {
            Effect::Order { device, order } => self.order(device, order, now_us),
            // Decided before its printer was lost, on disk only after: doubtful by now, and never sent.
            Effect::Print { code, .. } | Effect::Label { code, .. } if self.stale(code) => {}
            Effect::Print { device, code } => {
                let bytes = self.codebook.bytes(code).expect("a code that was leased has bytes");
                self.order(device, Order::Print { code, bytes }, now_us);
            }
            Effect::Label { device, code, label } => {
                let text = self.codebook.bytes(code).expect("a number that was burnt has bytes");
                let words = wire::label::Fill { code: &text, sscc: label.sscc, lot: &label.lot, count: label.count };
                let bound = &self.bound[&device];
                let bytes = wire::label::render(bound, label.template.as_deref(), &words).expect("the shift's lots can be printed");
                self.order(device, Order::Print { code, bytes }, now_us);
            }
            Effect::Reply { id, answer } => self.replies.push((id, answer)),
            // No source is played.
            Effect::OrderOnDisk { .. } => {}
            Effect::Exit => self.exited = true,
        }
    }

    fn stale(&self, code: CodeRef) -> bool {
        !L::RESENDS_DOUBTFUL && self.line.book().state(code) != ItemState::Sent
    }

    fn order(&mut self, device: DeviceNo, order: Order, now_us: u64) {
        let mono = self.mono(now_us);
        self.ports.get_mut(&device).expect("every device has a port").conversation.ordered(order, mono);
        self.listen(device, now_us);
    }

    /// Drains a conversation to quiet.
    fn listen(&mut self, device: DeviceNo, now_us: u64) {
        let mono = self.mono(now_us);
        let port = self.ports.get_mut(&device).expect("every device has a port");
        while let Some(action) = port.conversation.poll() {
            match action {
                Action::Send(bytes) | Action::Command(bytes) => self.wires.push_back(Wire::Send(device, bytes)),
                Action::Tell(report) => self.reports.push_back((device, report)),
                Action::HangUp { why } => {
                    if port.up {
                        port.up = false;
                        port.retry_at_us = Some(now_us + port.retry_us);
                        port.conversation.closed(mono, &why);
                        self.wires.push_back(Wire::HangUp(device));
                    }
                }
            }
        }
    }

    /// Gives the line what its devices told, until nobody has news.
    fn settle(&mut self, now_us: u64) {
        while let Some((device, report)) = self.reports.pop_front() {
            let input = match report {
                Report::Frame(frame) => {
                    let reading = self.codebook.reading(&frame, &self.ports[&device].ignore, self.line.plan().least_grade(device));
                    Input::Frame { device, at_us: self.mono(now_us), reading }
                }
                Report::Polled(poll) => Input::Poll { device, poll },
                report => Input::Report { device, report },
            };
            self.give(input, now_us);
        }
    }

    pub fn received(&mut self, device: DeviceNo, bytes: &[u8], now_us: u64) {
        let mono = self.mono(now_us);
        let port = self.ports.get_mut(&device).expect("every device has a port");
        if port.up {
            port.conversation.received(bytes, mono);
            self.listen(device, now_us);
            self.settle(now_us);
        }
    }

    /// The other side closed the link.
    pub fn closed(&mut self, device: DeviceNo, now_us: u64) {
        let mono = self.mono(now_us);
        let port = self.ports.get_mut(&device).expect("every device has a port");
        if port.up {
            port.up = false;
            port.retry_at_us = Some(now_us + port.retry_us);
            port.conversation.closed(mono, "the device closed the link");
            self.listen(device, now_us);
            self.settle(now_us);
        }
    }

    /// Devices that want to connect now; answer each with [`Self::connected`].
    pub fn dialling(&mut self, now_us: u64) -> Vec<DeviceNo> {
        let due = |p: &Port| p.retry_at_us.is_some_and(|t| t <= now_us);
        self.ports.iter().filter(|(_, p)| due(p)).map(|(d, _)| *d).collect()
    }

    pub fn connected(&mut self, device: DeviceNo, taken: bool, now_us: u64) {
        let mono = self.mono(now_us);
        let port = self.ports.get_mut(&device).expect("every device has a port");
        if taken {
            (port.up, port.retry_at_us, port.retry_us) = (true, None, RETRY_US);
            port.conversation.opened(mono);
            self.listen(device, now_us);
            self.settle(now_us);
        } else {
            port.retry_at_us = Some(now_us + port.retry_us);
            port.retry_us = (port.retry_us * 2).min(RETRY_MOST_US);
        }
    }

    pub fn command(&mut self, id: u64, op: Op, now_us: u64) {
        self.give(Input::Command { id, key: None, op }, now_us);
        self.settle(now_us);
    }

    pub fn import(&mut self, pack: NewPack, now_us: u64) {
        pack.rows().into_iter().for_each(|r| self.codebook.register(r).expect("the segment was just written"));
        self.give(Input::PackReady { id: 0, key: None, pack, more: Vec::new() }, now_us);
    }

    pub fn stop(&mut self, now_us: u64) {
        self.give(Input::Stop, now_us);
        self.settle(now_us);
    }

    /// What time made due: conversations, the line, the writer.
    pub fn due(&mut self, now_us: u64) -> Result<(), String> {
        let mono = self.mono(now_us);
        if self.writer.flying.as_ref().is_some_and(|f| f.0 <= now_us) {
            let (_, ticket, batch) = self.writer.flying.take().expect("just seen");
            self.writer.store.commit(&batch)?;
            self.news.extend(batch.into_iter().flat_map(|s| s.events));
            self.give(Input::Committed { ticket }, now_us);
            for effect in self.release.committed(ticket) {
                self.perform(effect, now_us);
            }
            if !self.opened {
                self.opened = true;
                self.ports.values_mut().for_each(|p| p.retry_at_us = Some(now_us));
            }
        }
        let due: Vec<DeviceNo> =
            self.ports.iter().filter(|(_, p)| p.conversation.deadline().is_some_and(|d| d <= mono)).map(|(d, _)| *d).collect();
        for device in due {
            self.ports.get_mut(&device).expect("just listed").conversation.due(mono);
            self.listen(device, now_us);
        }
        self.settle(now_us);
        if self.gauge_at_us <= now_us {
            self.gauge_at_us = now_us + GAUGE_US;
            let oldest = self.writer.oldest_us().map_or(0, |t| (now_us - t) / MS);
            self.give(Input::Writer { oldest_ms: oldest, full: false }, now_us);
        }
        if self.line.deadline().is_some_and(|d| d <= mono) {
            self.give(Input::Tick, now_us);
        }
        self.settle(now_us);
        self.writer.start(now_us, &mut self.rng);
        Ok(())
    }

    pub fn deadline(&self) -> u64 {
        let born = self.born_us - 1;
        let conversations = self.ports.values().filter_map(|p| p.conversation.deadline()).map(|d| d + born);
        let dials = self.ports.values().filter_map(|p| p.retry_at_us);
        let line = self.line.deadline().map(|d| d + born);
        let writer = self.writer.deadline();
        conversations.chain(dials).chain(line).chain(writer).fold(self.gauge_at_us, u64::min)
    }

    pub fn poll_wire(&mut self) -> Option<Wire> {
        self.wires.pop_front()
    }

    pub fn take_replies(&mut self) -> Vec<(u64, Answer)> {
        std::mem::take(&mut self.replies)
    }

    pub fn take_news(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.news)
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub fn exited(&self) -> bool {
        self.exited
    }

    /// The disk hangs until this moment.
    pub fn hang_disk(&mut self, until_us: u64) {
        self.writer.hangs_until = until_us;
    }

    /// The disk hangs: what was decided lately is not on it.
    pub fn disk_hangs(&self, now_us: u64) -> bool {
        self.writer.hangs_until > now_us
    }

    /// The power goes: what was not on disk is gone, but the commit under way may just have made it. What was committed
    /// and not told yet waits among the news; whoever watches gets it from the next boot.
    pub fn crash(&mut self) -> Result<(), String> {
        if let Some((_, _, batch)) = self.writer.flying.take()
            && self.rng.chance(500_000)
        {
            self.writer.store.commit(&batch)?;
            self.news.extend(batch.into_iter().flat_map(|s| s.events));
        }
        Ok(())
    }

    /// After the last commit: nothing is left to write.
    pub fn close(mut self) -> Result<(), String> {
        if let Some((_, _, batch)) = self.writer.flying.take() {
            self.writer.store.commit(&batch)?;
        }
        let batch: Vec<Submission> = self.writer.pending.drain(..).map(|p| p.2).collect();
        if !batch.is_empty() {
            self.writer.store.commit(&batch)?;
        }
        self.writer.store.close()
    }
}

impl<S> Writer<S> {
    fn oldest_us(&self) -> Option<u64> {
        self.pending.first().map(|p| p.1)
    }

    fn due_us(&self) -> Option<u64> {
        let oldest = self.oldest_us()?;
        Some(if self.waited { oldest } else { oldest + IDLE_US })
    }

    fn deadline(&self) -> Option<u64> {
        match &self.flying {
            Some(f) => Some(f.0),
            None => self.due_us(),
        }
    }

    /// A disk of two humps: mostly a fraction of a millisecond, now and then several, rarely a long stall.
    fn start(&mut self, now_us: u64, rng: &mut Rng) {
        if self.flying.is_some() || self.due_us().is_none_or(|t| t > now_us) {
            return;
        }
        let takes = match rng.below(1000) {
            0..=899 => 200 + rng.below(600),
            900..=995 => 3_000 + rng.below(6_000),
            _ => 50_000 + rng.below(200_000),
        };
        let ticket = self.pending.last().expect("something is due").0;
        let batch = self.pending.drain(..).map(|p| p.2).collect();
        self.waited = false;
        self.flying = Some(((now_us + takes).max(self.hangs_until), ticket, batch));
    }
}
