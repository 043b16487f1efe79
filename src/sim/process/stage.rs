//! The one task that owns devices and world: it takes what the links bring, lets time run, and sends what is said.

use super::pty::{Look, Pty};
use super::{Doors, SimulateError, carrier, knobs, person};
use crate::sim::bench::Bench;
use crate::sim::emul::{Emission, Link};
use crate::sim::rig::Rig;
use crate::sim::world::Refusal;
use crate::vocab::DeviceNo;
use crate::vocab::time::MS;
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Longest time between two steps of the world.
const TICK_US: u64 = 5 * MS;
/// Longest time between two looks at a terminal that somebody has open.
const LOOK_US: u64 = MS;
/// A step later than this is a lag.
const LATE_US: u64 = 20 * MS;
/// News that may wait; more waits in the sockets.
const NEWS: usize = 1_024;
/// Requests of the operator that may wait.
const REQUESTS: usize = 64;

/// What happens behind the devices. Times are µs since the process began.
pub trait Scene {
    /// The truth begins; `wall_us`: the wall clock now, µs since the Unix epoch.
    fn begin(&mut self, wall_us: i64, now_us: u64);
    fn step(&mut self, now_us: u64, bench: &mut Rig);
    /// When the next step matters.
    fn next_us(&self) -> u64;
    fn lagged(&mut self, ms: u64, now_us: u64);
    /// Everything is fed and at rest.
    fn done(&self) -> bool;
    /// Items fed so far.
    fn fed(&self) -> u64;
    fn finish(&mut self, now_us: u64);
    /// Lines of the truth since the last call.
    fn take_truth(&mut self) -> Vec<String>;
    /// The operator hears a line of the daemon; `None`: the daemon has gone.
    fn hears(&mut self, line: Option<&Value>);
    /// What the operator asks of the daemon next.
    fn says(&mut self) -> Option<Value>;
    /// A knob on the control port is turned.
    fn turn(&mut self, request: &Value, bench: &mut Rig) -> Result<Value, Refusal>;
}

/// What the carriers bring.
#[derive(Debug)]
pub(super) enum News {
    Opened {
        device: DeviceNo,
        link: Link,
        out: mpsc::Sender<Vec<u8>>,
    },
    Bytes {
        device: DeviceNo,
        link: Link,
        bytes: Vec<u8>,
    },
    Closed {
        device: DeviceNo,
        link: Link,
    },
    Heard(Value),
    DaemonGone,
    /// A line on the control port.
    Asked {
        request: Value,
        answer: oneshot::Sender<Value>,
    },
}

struct Stage<S> {
    rig: Rig,
    scene: S,
    began: Instant,
    outs: BTreeMap<(DeviceNo, Link), mpsc::Sender<Vec<u8>>>,
    terminals: Vec<Pty>,
    requests: mpsc::Sender<Value>,
    truth: Truth,
}

struct Truth {
    file: std::fs::File,
    path: PathBuf,
}

/// Plays until the scene is done or `stop` comes; answers the items fed. The truth is on the disk then.
pub async fn play<S: Scene>(
    doors: Doors,
    rig: Rig,
    scene: S,
    socket: &Path,
    truth: &Path,
    wall_us: i64,
    stop: impl Future<Output = ()>,
) -> Result<u64, SimulateError> {
    let file = std::fs::File::create(truth).map_err(|source| SimulateError::Truth { path: truth.into(), source })?;
    let (news_in, mut news) = mpsc::channel(NEWS);
    let (requests, asked) = mpsc::channel(REQUESTS);
    // Dropped with this function, and every task with it.
    let mut tasks = JoinSet::new();
    for (device, listener) in doors.listeners {
        tasks.spawn(carrier::listen(listener, device, 0, news_in.clone()));
    }
    for (device, listener) in doors.aside {
        tasks.spawn(carrier::listen(listener, device, Link::ASIDE, news_in.clone()));
    }
    for (device, host, port) in doors.dialled {
        tasks.spawn(carrier::dial(host, port, device, news_in.clone()));
    }
    if let Some(listener) = doors.control {
        tasks.spawn(knobs::listen(listener, news_in.clone()));
    }
    tasks.spawn(person::attend(socket.into(), news_in, asked));
    let truth = Truth { file, path: truth.into() };
    let terminals = doors.terminals;
    let mut stage = Stage { rig, scene, began: Instant::now(), outs: BTreeMap::new(), terminals, requests, truth };
    let mut stop = pin!(stop);
    let mut step_us = stage.now_us();
    stage.scene.begin(wall_us, step_us);
    loop {
        let wake_us = stage.rig.deadline().map_or(step_us, |d| d.min(step_us)).min(stage.look_us());
        let wake = tokio::time::Instant::from_std(stage.began + Duration::from_micros(wake_us));
        tokio::select! {
            biased;
            () = &mut stop => break,
            first = news.recv() => {
                if let Some(n) = first {
                    stage.take(n);
                }
            }
            () = tokio::time::sleep_until(wake) => {}
        }
        while let Ok(n) = news.try_recv() {
            stage.take(n);
        }
        let late_us = stage.now_us().saturating_sub(step_us);
        if late_us > LATE_US {
            // What came meanwhile stands in the sockets: it came before time ran on.
            for _ in 0..8 {
                tokio::task::yield_now().await;
                while let Ok(n) = news.try_recv() {
                    stage.take(n);
                }
            }
            stage.lag(late_us);
        }
        step_us = stage.turn(step_us)?;
        if stage.scene.done() {
            break;
        }
    }
    let now_us = stage.now_us();
    stage.scene.finish(now_us);
    let lines = stage.scene.take_truth();
    stage.truth.write(&lines)?;
    stage.truth.sync()?;
    Ok(stage.scene.fed())
}

impl<S: Scene> Stage<S> {
    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64 + 1
    }

    /// When terminals must be looked at: a pty tells nobody of its bytes.
    fn look_us(&self) -> u64 {
        if self.terminals.iter().any(Pty::is_open) { self.now_us() + LOOK_US } else { u64::MAX }
    }

    fn take(&mut self, news: News) {
        let now_us = self.now_us();
        match news {
            News::Opened { device, link, out } => {
                // Not taken: `out` is dropped, which hangs up.
                let taken = if link.is_aside() { self.rig.accepts_aside(device, now_us) } else { self.rig.accepts(device, now_us) };
                if taken {
                    self.outs.insert((device, link), out);
                    self.rig.connected(device, link, now_us);
                    self.send(device);
                }
            }
            News::Bytes { device, link, bytes } => {
                self.rig.received(device, link, &bytes, now_us);
                self.send(device);
            }
            News::Closed { device, link } => {
                self.outs.remove(&(device, link));
                self.rig.disconnected(device, link, now_us);
            }
            News::Heard(line) => self.scene.hears(Some(&line)),
            News::DaemonGone => self.scene.hears(None),
            News::Asked { request, answer } => {
                let id = &request["id"];
                let said = match self.scene.turn(&request, &mut self.rig) {
                    Ok(mut said) => {
                        if !id.is_null() {
                            said["id"] = id.clone();
                        }
                        said["ok"] = true.into();
                        said
                    }
                    Err((code, message, act)) => knobs::refused(id, code, &message, &act),
                };
                // Who asked may have gone.
                let _ = answer.send(said);
            }
        }
    }

    fn lag(&mut self, late_us: u64) {
        let now_us = self.now_us();
        self.rig.lagged(late_us);
        self.scene.lagged(late_us.div_ceil(MS), now_us);
    }

    /// One turn; answers when the next step is due.
    fn turn(&mut self, step_us: u64) -> Result<u64, SimulateError> {
        let now_us = self.now_us();
        self.look_at_terminals(now_us);
        self.rig.due(now_us);
        let mut next_us = step_us;
        if now_us >= step_us {
            self.scene.step(now_us, &mut self.rig);
            next_us = self.scene.next_us().clamp(now_us + 1, now_us + TICK_US);
            while let Some(request) = self.scene.says() {
                // A daemon that does not listen loses it.
                let _ = self.requests.try_send(request);
            }
            let lines = self.scene.take_truth();
            self.truth.write(&lines)?;
        }
        let devices: Vec<DeviceNo> = self.rig.devices().collect();
        devices.into_iter().for_each(|d| self.send(d));
        Ok(next_us)
    }

    fn look_at_terminals(&mut self, now_us: u64) {
        for p in &mut self.terminals {
            loop {
                // Before what was said with the opening is heard.
                if p.is_open() && !self.rig.linked(p.device) && self.rig.accepts(p.device, now_us) {
                    self.rig.connected(p.device, p.link(), now_us);
                }
                let link = p.link();
                match p.look() {
                    Look::Nothing => break,
                    // A plug that is pulled while the device has no link of its own is seen when it comes back.
                    Look::Opened => {}
                    Look::Closed => self.rig.disconnected(p.device, link, now_us),
                    Look::Bytes(b) => self.rig.received(p.device, link, &b, now_us),
                }
            }
        }
    }

    /// Sends what a device has to say.
    fn send(&mut self, device: DeviceNo) {
        while let Some((link, emission)) = self.rig.poll(device) {
            match emission {
                Emission::Send(bytes) => {
                    if let Some(p) = self.terminals.iter().find(|p| p.device == device) {
                        p.send(&bytes);
                    } else if self.outs.get(&(device, link)).is_some_and(|out| out.try_send(bytes).is_err()) {
                        self.hang_up(device, link);
                    }
                }
                Emission::HangUp => self.hang_up(device, link),
            }
        }
    }

    fn hang_up(&mut self, device: DeviceNo, link: Link) {
        let now_us = self.now_us();
        self.outs.remove(&(device, link));
        self.rig.disconnected(device, link, now_us);
    }
}

impl Truth {
    fn write(&mut self, lines: &[String]) -> Result<(), SimulateError> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut text = lines.join("\n");
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|e| self.failed(e))
    }

    fn sync(&mut self) -> Result<(), SimulateError> {
        self.file.sync_all().map_err(|e| self.failed(e))
    }

    fn failed(&self, source: std::io::Error) -> SimulateError {
        SimulateError::Truth { path: self.path.clone(), source }
    }
}
