//! One thread owns the only write connection. A commit starts when somebody waits or the oldest event is 100 ms old;
//! it takes what has queued. The queue is bounded: full means that the floor drops the run permit and holds.
//!
//! The one place outside the floor that reads a clock: how long an event has waited here is this thread's own matter.

use super::core::{Core, Submission};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Submissions that may wait.
const QUEUE: usize = 8_192;
/// Submissions one commit takes at most.
const BATCH: usize = 512;
/// An event nobody waits for is on disk after this long.
const IDLE: Duration = Duration::from_millis(100);

/// What the thread tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything up to this ticket is on disk, as events up to this seq.
    Committed { ticket: u64, seq: u64 },
    /// A plain sentence; nothing more will be written.
    Failed(String),
}

enum Work {
    Submit { ticket: u64, wait: bool, at: Instant, what: Submission },
    Close,
}

/// The submitting end.
pub struct Writer {
    queue: SyncSender<Work>,
    thread: Option<JoinHandle<Result<(), String>>>,
    gauge: Arc<Gauge>,
    epoch: Instant,
}

#[derive(Default)]
struct Gauge {
    waiting: AtomicU64,
    /// Milliseconds (since the writer's start) at which the oldest waiting submission came, plus 1; 0: none waits.
    oldest: AtomicU64,
}

/// The queue has no room.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Writer {
    pub fn start(core: Core, tell: impl Fn(Outcome) + Send + 'static) -> Self {
        let (queue, work) = sync_channel(QUEUE);
        let gauge = Arc::new(Gauge::default());
        let epoch = Instant::now();
        let g = gauge.clone();
        let thread = std::thread::Builder::new().name("ledger-writer".into()).spawn(move || run(core, &work, &g, epoch, tell));
        Self { queue, thread: thread.ok(), gauge, epoch }
    }

    /// Hands over one decision; never blocks.
    pub fn submit(&self, ticket: u64, wait: bool, what: Submission) -> Result<(), Full> {
        let at = Instant::now();
        self.gauge.waiting.fetch_add(1, Ordering::Relaxed);
        let stamp = (at - self.epoch).as_millis() as u64 + 1;
        let _ = self.gauge.oldest.compare_exchange(0, stamp, Ordering::Relaxed, Ordering::Relaxed);
        match self.queue.try_send(Work::Submit { ticket, wait, at, what }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.gauge.waiting.fetch_sub(1, Ordering::Relaxed);
                Err(Full)
            }
        }
    }

    /// Submissions waiting, and how long the oldest has (ms).
    pub fn stats(&self) -> (u64, u64) {
        let oldest = self.gauge.oldest.load(Ordering::Relaxed);
        let age = if oldest == 0 { 0 } else { (self.epoch.elapsed().as_millis() as u64 + 1).saturating_sub(oldest) };
        (self.gauge.waiting.load(Ordering::Relaxed), age)
    }

    /// Drains, closes the ledger in order, ends the thread.
    pub fn stop(mut self) -> Result<(), String> {
        let _ = self.queue.send(Work::Close);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(done)) => done,
            _ => Err("the ledger's writer ended unexpectedly".into()),
        }
    }
}

fn run(mut core: Core, work: &Receiver<Work>, gauge: &Gauge, epoch: Instant, tell: impl Fn(Outcome)) -> Result<(), String> {
    let mut pending: Vec<(u64, Instant, Submission)> = Vec::new();
    let (mut waited, mut closing, mut since_checkpoint) = (false, false, 0u32);
    while !closing {
        let patience = match pending.first() {
            Some((_, at, _)) => IDLE.saturating_sub(at.elapsed()),
            None => Duration::from_secs(1),
        };
        match if waited { work.try_recv().map_err(|_| RecvTimeoutError::Timeout) } else { work.recv_timeout(patience) } {
            Ok(Work::Submit { ticket, wait, at, what }) => {
                waited |= wait;
                pending.push((ticket, at, what));
                if pending.len() < BATCH {
                    continue;
                }
            }
            Ok(Work::Close) => closing = true,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => closing = true,
        }
        let due = waited || closing || pending.len() >= BATCH || pending.first().is_some_and(|p| p.1.elapsed() >= IDLE);
        if !due || pending.is_empty() {
            if pending.is_empty() && since_checkpoint > 0 {
                core.checkpoint();
                since_checkpoint = 0;
            }
            continue;
        }
        let ticket = pending.last().expect("not empty").0;
        let n = pending.len() as u64;
        gauge.oldest.store((pending[0].1 - epoch).as_millis() as u64 + 1, Ordering::Relaxed);
        let batch: Vec<Submission> = pending.drain(..).map(|p| p.2).collect();
        waited = false;
        since_checkpoint += 1;
        match core.commit(&batch) {
            Ok(seq) => {
                let left = gauge.waiting.fetch_sub(n, Ordering::Relaxed) - n;
                let stamp = if left == 0 { 0 } else { epoch.elapsed().as_millis() as u64 + 1 };
                gauge.oldest.store(stamp, Ordering::Relaxed);
                tell(Outcome::Committed { ticket, seq });
            }
            Err(e) => {
                tell(Outcome::Failed(e.to_string()));
                return Err(e.to_string());
            }
        }
    }
    core.close().map_err(|e| e.to_string())
}
