//! The driver loop: one task per device that carries bytes, orders, time and reports between a port and a conversation.

use super::port::{Link, Opened, Port};
use super::timer::Timer;
use crate::vocab::plan::{Address, Network};
use crate::vocab::{DeviceNo, Order, Report};
use crate::wire::{Action, Conversation};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The monotonic clock of this boot, in µs.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Orders that may wait for one driver. When full, `try_send` fails: the driver is stuck behind a full report queue,
/// and whoever orders must treat the device as deaf.
const ORDERS: usize = 1_024;
/// Reconnecting: first wait, longest wait. A link that lasted `LASTED_US` starts again with the first.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_millis(800);
const LASTED_US: u64 = 1_000_000;
/// Bytes that a device does not take before the link is given up.
const MOST_UNWRITTEN: usize = 1 << 20;
/// After the last order a driver goes on for this long, so that what is queued still leaves.
const FLUSH_US: u64 = 250_000;
const READ: usize = 4_096;
/// A deadline that has passed is worked on at most this often.
const LEAST_US: u64 = 200;

/// What a driver tells, and when (mono µs) it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub device: DeviceNo,
    pub report: Report,
    pub at_us: u64,
}

/// One device to drive.
pub struct Device {
    pub no: DeviceNo,
    pub address: Address,
    /// A link of its own for commands.
    pub aside: Option<Address>,
    /// Every request has a TCP connection of its own, closed behind its answer.
    pub per_command: bool,
    /// Who may connect, where the device connects to us; none: anybody.
    pub allow: Vec<Network>,
    /// The folder of the configuration file.
    pub folder: PathBuf,
    pub conversation: Box<dyn Conversation>,
    pub clock: Clock,
    /// Reports of all devices. When full, the driver waits and the device's bytes wait in the kernel.
    pub reports: mpsc::Sender<Told>,
}

/// A running driver. Dropping `orders` ends it: what is queued is flushed, then the task ends.
pub struct Driven {
    pub orders: mpsc::Sender<Order>,
    pub task: JoinHandle<()>,
}

/// Starts a device's driver on the current runtime.
pub fn spawn(device: Device) -> Driven {
    let (orders, inbox) = mpsc::channel(ORDERS);
    let per_command = device.per_command && matches!(device.address, Address::Tcp { .. });
    let port = Port::new(device.address, device.aside, device.folder).allowing(device.allow);
    let talk = Talk {
        per_command,
        served: false,
        no: device.no,
        conversation: device.conversation,
        clock: device.clock,
        reports: device.reports,
        inbox,
        ending_us: None,
        deaf: false,
        unwritten: Vec::new(),
        unwritten_aside: Vec::new(),
        has_aside: false,
        hang_up: None,
        down_told: false,
    };
    Driven { orders, task: tokio::spawn(talk.run(port)) }
}

struct Talk {
    per_command: bool,
    /// The link has carried a request.
    served: bool,
    no: DeviceNo,
    conversation: Box<dyn Conversation>,
    clock: Clock,
    reports: mpsc::Sender<Told>,
    inbox: mpsc::Receiver<Order>,
    /// No order will come any more; the task ends then (mono µs).
    ending_us: Option<u64>,
    /// Nobody listens to reports: there is nothing to live for.
    deaf: bool,
    unwritten: Vec<u8>,
    /// For the link for commands, where there is one.
    unwritten_aside: Vec<u8>,
    has_aside: bool,
    hang_up: Option<String>,
    down_told: bool,
}

/// Why a link was left.
enum Left {
    Gone(String),
    /// The device connected again; its old link is dead.
    Replaced(Opened),
    End,
}

impl Talk {
    fn now(&self) -> u64 {
        (self.clock)()
    }

    fn over(&self) -> bool {
        self.deaf || self.ending_us.is_some_and(|e| e <= self.now())
    }

    async fn run(mut self, mut port: Port) {
        let mut wait = FIRST_WAIT;
        let mut next: Option<Opened> = None;
        loop {
            let link = match next.take() {
                Some(link) => link,
                None => match self.opening(&mut port).await {
                    Some(Ok(link)) => link,
                    Some(Err(e)) => {
                        if !std::mem::replace(&mut self.down_told, true) {
                            self.close(&format!("cannot be opened: {e}")).await;
                        }
                        if !self.pause(&mut wait).await {
                            return;
                        }
                        continue;
                    }
                    None => return,
                },
            };
            let began_us = self.now();
            self.down_told = false;
            let left = self.carry(link, &mut port).await;
            if self.now() - began_us >= LASTED_US {
                wait = FIRST_WAIT;
            }
            match left {
                Left::End => return,
                Left::Replaced(link) => {
                    self.close("the device connected anew").await;
                    next = Some(link);
                }
                Left::Gone(why) => {
                    self.close(&why).await;
                    self.down_told = true;
                    if !self.pause(&mut wait).await {
                        return;
                    }
                }
            }
        }
    }

    /// Opens the port while orders are heard. `None`: it is time to end.
    async fn opening(&mut self, port: &mut Port) -> Option<std::io::Result<Opened>> {
        let mut opening = std::pin::pin!(port.open());
        loop {
            if self.over() || self.ending_us.is_some() {
                return None;
            }
            let due = self.due_in();
            tokio::select! {
                opened = &mut opening => return Some(opened),
                order = self.inbox.recv() => self.order(order).await,
                () = timer(due) => self.due().await,
            }
        }
    }

    /// Waits before the next attempt; `false`: it is time to end.
    async fn pause(&mut self, wait: &mut Duration) -> bool {
        let mut pausing = std::pin::pin!(tokio::time::sleep(*wait));
        *wait = (*wait * 2).min(LONGEST_WAIT);
        loop {
            // Without a link there is nothing to flush.
            if self.over() || self.ending_us.is_some() {
                return false;
            }
            let due = self.due_in();
            tokio::select! {
                () = &mut pausing => return true,
                order = self.inbox.recv() => self.order(order).await,
                () = timer(due) => self.due().await,
            }
        }
    }

    async fn carry(&mut self, opened: Opened, port: &mut Port) -> Left {
        let (mut reading_aside, mut writing_aside) = opened.aside.map(tokio::io::split).unzip();
        let (reading, writing) = tokio::io::split(opened.link);
        let (mut reading, mut writing): Halves = (Some(reading), Some(writing));
        self.has_aside = writing_aside.is_some();
        let (mut buf, mut buf_aside) = (vec![0; READ], vec![0; READ]);
        let mut clockwork = Timer::start();
        let mut worked_us = 0;
        self.served = false;
        self.conversation.opened(self.now());
        self.drain(true, writing.as_mut()).await;
        loop {
            if let Some(why) = self.hang_up.take() {
                return Left::Gone(why);
            }
            if self.over() {
                return Left::End;
            }
            if self.unwritten.len() + self.unwritten_aside.len() > MOST_UNWRITTEN {
                return Left::Gone("it takes no bytes".into());
            }
            self.served |= self.unwritten.is_empty();
            if self.per_command && self.served && !self.unwritten.is_empty() {
                drop((reading.take(), writing.take()));
                match port.open().await {
                    Ok(next) => (reading, writing) = split(next),
                    Err(e) => return Left::Gone(format!("cannot be opened: {e}")),
                }
                self.served = false;
            } else if self.per_command && self.unwritten.is_empty() && self.conversation.between_requests() {
                (reading, writing) = (None, None);
            }
            let (due, now_us) = (self.due_at().map(|at| at.max(worked_us + LEAST_US)), self.now());
            tokio::select! {
                read = read_from(&mut reading, &mut buf) => match read {
                    // It was the answer's end.
                    Ok(0) if self.per_command && self.conversation.between_requests() => (reading, writing) = (None, None),
                    Ok(0) => return Left::Gone("the device closed the link".into()),
                    Ok(n) => {
                        let now_us = self.now();
                        self.conversation.received(&buf[..n], now_us);
                    }
                    Err(e) => return Left::Gone(format!("reading failed: {e}")),
                },
                read = read_from(&mut reading_aside, &mut buf_aside) => match read {
                    Ok(0) => return Left::Gone("the device closed its link for commands".into()),
                    Ok(n) => {
                        let now_us = self.now();
                        self.conversation.received_aside(&buf_aside[..n], now_us);
                    }
                    Err(e) => return Left::Gone(format!("reading its answers failed: {e}")),
                },
                wrote = write_to(&mut writing_aside, &self.unwritten_aside) => match wrote {
                    Ok(0) => return Left::Gone("the device takes no commands any more".into()),
                    Ok(n) => drop(self.unwritten_aside.drain(..n)),
                    Err(e) => return Left::Gone(format!("writing commands failed: {e}")),
                },
                wrote = write_to(&mut writing, &self.unwritten) => match wrote {
                    Ok(0) => return Left::Gone("the device takes no bytes any more".into()),
                    Ok(n) => drop(self.unwritten.drain(..n)),
                    Err(e) => return Left::Gone(format!("writing failed: {e}")),
                },
                order = self.inbox.recv(), if self.ending_us.is_none() => self.take(order),
                () = clockwork.until(due.unwrap_or(0), now_us), if due.is_some() => {
                    worked_us = self.now();
                    self.conversation.due(worked_us);
                }
                again = port.accept() => {
                    if let Ok(link) = again {
                        return Left::Replaced(Opened { link: Box::new(link), aside: None });
                    }
                }
            }
            self.drain(true, writing.as_mut()).await;
        }
    }

    fn take(&mut self, order: Option<Order>) {
        let now_us = self.now();
        match order {
            Some(order) => self.conversation.ordered(order, now_us),
            None => self.ending_us = Some(now_us + FLUSH_US),
        }
    }

    async fn order(&mut self, order: Option<Order>) {
        self.take(order);
        self.drain(false, None).await;
    }

    async fn due(&mut self) {
        let now_us = self.now();
        self.conversation.due(now_us);
        self.drain(false, None).await;
    }

    async fn close(&mut self, why: &str) {
        let now_us = self.now();
        self.unwritten.clear();
        self.unwritten_aside.clear();
        self.hang_up = None;
        self.conversation.closed(now_us, why);
        self.drain(false, None).await;
    }

    /// When the conversation or the end is due.
    fn due_at(&self) -> Option<u64> {
        self.conversation.deadline().into_iter().chain(self.ending_us).min()
    }

    /// How long until then; without a link nothing is urgent.
    fn due_in(&self) -> Option<Duration> {
        self.due_at().map(|at_us| Duration::from_micros(at_us.saturating_sub(self.now())))
    }

    /// Does what the conversation wants: bytes first, reports after. While the device is not up, bytes have nowhere to go.
    async fn drain(&mut self, up: bool, writing: Option<&mut WriteHalf<Box<dyn Link>>>) {
        let mut reports = Vec::new();
        while let Some(action) = self.conversation.poll() {
            match action {
                Action::Command(bytes) if up && self.hang_up.is_none() && self.has_aside => self.unwritten_aside.extend(bytes),
                Action::Send(bytes) | Action::Command(bytes) if up && self.hang_up.is_none() => self.unwritten.extend(bytes),
                Action::Send(_) | Action::Command(_) => {}
                Action::Tell(report) => reports.push(report),
                Action::HangUp { why } => {
                    self.hang_up.get_or_insert(why);
                }
            }
        }
        // What has a link of its own waits for it.
        let own = self.per_command && self.served;
        if let Some(writing) = writing.filter(|_| !own)
            && !self.unwritten.is_empty()
        {
            // As much as goes without waiting; errors come again in the loop.
            tokio::select! {
                biased;
                wrote = writing.write(&self.unwritten) => {
                    if let Ok(n) = wrote {
                        self.unwritten.drain(..n);
                    }
                }
                () = std::future::ready(()) => {}
            }
        }
        let at_us = self.now();
        for report in reports {
            if self.reports.send(Told { device: self.no, report, at_us }).await.is_err() {
                self.deaf = true;
            }
        }
    }
}

type Halves = (Option<ReadHalf<Box<dyn Link>>>, Option<WriteHalf<Box<dyn Link>>>);

fn split(opened: Opened) -> Halves {
    let (reading, writing) = tokio::io::split(opened.link);
    (Some(reading), Some(writing))
}

/// Never, where there is no such link now.
async fn read_from(from: &mut Option<ReadHalf<Box<dyn Link>>>, into: &mut [u8]) -> std::io::Result<usize> {
    match from {
        Some(from) => from.read(into).await,
        None => std::future::pending().await,
    }
}

/// Never, where there is no such link now or nothing to say.
async fn write_to(to: &mut Option<WriteHalf<Box<dyn Link>>>, bytes: &[u8]) -> std::io::Result<usize> {
    match to {
        Some(to) if !bytes.is_empty() => to.write(bytes).await,
        _ => std::future::pending().await,
    }
}

async fn timer(due: Option<Duration>) {
    match due {
        Some(due) => tokio::time::sleep(due).await,
        None => std::future::pending().await,
    }
}
