//! `packmark profile capture`: between a device and whoever talks to it, passing on every byte and writing each down as a
//! transcript.
//!
//! Must never know: what the bytes mean. Invariants: a byte is written down before it is passed on; the file is whole
//! whenever this ends; both sides are read on while the other is slow.

use super::clock::Clock;
use crate::device::{Link, Port};
use crate::vocab::plan::Address;
use crate::wire::transcript::{Side, Writer};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// After the word to stop, what is on its way is still heard until nothing came for this long …
const LAST: Duration = Duration::from_millis(250);
/// … and passed on within this.
const LEAVE: Duration = Duration::from_secs(2);
/// Before a side that is away is tried again.
const AGAIN: Duration = Duration::from_millis(300);
const READ: usize = 4_096;

/// What to record.
pub struct Capture {
    pub device: Address,
    /// Where whoever talks to it is; none: it talks by itself.
    pub host: Option<Address>,
    pub out: PathBuf,
    pub head: String,
    pub clock: Clock,
}

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    pub links: u32,
    pub host_bytes: u64,
    pub device_bytes: u64,
}

/// Why nothing (more) is recorded.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("the record {path} cannot be written", path = .path.display())]
    Record {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the program's event loop cannot start")]
    Runtime(#[source] io::Error),
    #[error("the side of the program that talks to it cannot be opened")]
    Host(#[source] io::Error),
}

/// Records until Ctrl-C or SIGTERM. `ready`: told once, when the device's side may be spoken to; `away`: told of every
/// side that cannot be reached, once in a row.
pub fn capture(c: Capture, ready: &mut dyn FnMut(Option<u16>), away: &mut dyn FnMut(&str)) -> Result<Recorded, CaptureError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CaptureError::Runtime)?;
    runtime.block_on(async {
        let mut stop = Stop::new().map_err(CaptureError::Runtime)?;
        let failed = |path: PathBuf| move |source| CaptureError::Record { path, source };
        let open = |a: Address| Port::new(a, None, PathBuf::from("."));
        let mut ends = Ends { host: c.host.map(open), device: open(c.device) };
        let port = match &mut ends.host {
            Some(host) => host.bind().await.map_err(CaptureError::Host)?,
            None => None,
        };
        // Never over another record.
        let file = File::create_new(&c.out).map_err(failed(c.out.clone()))?;
        let record = RefCell::new(Record { file, writer: Writer::default(), recorded: Recorded::default(), failed: None });
        record.borrow_mut().write(&c.head);
        ready(port);
        run(&mut ends, &record, c.clock, &mut stop, away).await;
        let mut record = record.into_inner();
        let synced = record.file.sync_all();
        match record.failed.take().map_or(synced, Err) {
            Ok(()) => Ok(record.recorded),
            Err(e) => Err(failed(c.out.clone())(e)),
        }
    })
}

/// The ways to both sides.
struct Ends {
    host: Option<Port>,
    device: Port,
}

struct Record {
    file: File,
    writer: Writer,
    recorded: Recorded,
    failed: Option<io::Error>,
}

impl Record {
    fn write(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(text.as_bytes()).err();
        }
    }

    fn bytes(&mut self, side: Side, bytes: &[u8], now_us: u64) {
        let text = self.writer.bytes(side, bytes, now_us);
        self.write(&text);
        let count = if side == Side::Host { &mut self.recorded.host_bytes } else { &mut self.recorded.device_bytes };
        *count += bytes.len() as u64;
    }
}

struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

async fn run(ends: &mut Ends, record: &RefCell<Record>, clock: Clock, stop: &mut Stop, away: &mut dyn FnMut(&str)) {
    let mut told: Option<String> = None;
    loop {
        let links = tokio::select! {
            links = both(ends) => links,
            () = stop.wait() => return,
        };
        let (host, device) = match links {
            Ok(links) => links,
            Err(e) => {
                if told.as_ref() != Some(&e) {
                    away(&e);
                    told = Some(e);
                }
                tokio::select! {
                    () = sleep(AGAIN) => continue,
                    () = stop.wait() => return,
                }
            }
        };
        told = None;
        {
            let mut r = record.borrow_mut();
            let text = r.writer.opened(clock.mono_us());
            r.write(&text);
            r.recorded.links += 1;
        }
        let over = pass(host, device, record, clock, stop).await;
        {
            let mut r = record.borrow_mut();
            let text = r.writer.closed(clock.mono_us());
            r.write(&text);
            if over || r.failed.is_some() {
                return;
            }
        }
        // Whoever hangs up at once is not pestered.
        tokio::select! {
            () = sleep(AGAIN) => {}
            () = stop.wait() => return,
        }
    }
}

/// Whoever talks to the device first, so that the device is not held while nobody does.
async fn both(ends: &mut Ends) -> Result<(Option<Box<dyn Link>>, Box<dyn Link>), String> {
    let host = match &mut ends.host {
        Some(port) => Some(port.open().await.map_err(|e| format!("the program that talks to it cannot be reached: {e}"))?.link),
        None => None,
    };
    let device = ends.device.open().await.map_err(|e| format!("the device cannot be reached: {e}"))?.link;
    Ok((host, device))
}

/// Until either side hangs up (`false`) or the word to stop comes (`true`).
async fn pass(host: Option<Box<dyn Link>>, device: Box<dyn Link>, record: &RefCell<Record>, clock: Clock, stop: &mut Stop) -> bool {
    let (ending, ended) = watch::channel(false);
    let (device_reads, device_writes) = tokio::io::split(device);
    let (host_reads, host_writes) = host.map(tokio::io::split).unzip();
    let from_host = carry(host_reads, Some(device_writes), Side::Host, record, clock, ended.clone());
    let from_device = carry(Some(device_reads), host_writes, Side::Device, record, clock, ended);
    let (mut from_host, mut from_device) = (std::pin::pin!(from_host), std::pin::pin!(from_device));
    let (mut host_over, mut device_over) = (false, false);
    let stopped = tokio::select! {
        () = &mut from_host => { host_over = true; false }
        () = &mut from_device => { device_over = true; false }
        () = stop.wait() => true,
    };
    // The other direction still ends what it has begun.
    let _ = ending.send(true);
    let rest = async {
        let host = async {
            if !host_over {
                from_host.await;
            }
        };
        let device = async {
            if !device_over {
                from_device.await;
            }
        };
        tokio::join!(host, device)
    };
    let _ = timeout(LEAVE, rest).await;
    stopped
}

/// One direction, until its reader ends or it is told to; then what is on its way still goes.
async fn carry(
    reads: Option<ReadHalf<Box<dyn Link>>>,
    mut writes: Option<WriteHalf<Box<dyn Link>>>,
    side: Side,
    record: &RefCell<Record>,
    clock: Clock,
    mut ending: watch::Receiver<bool>,
) {
    let Some(mut reads) = reads else {
        let _ = ending.wait_for(|e| *e).await;
        return;
    };
    let mut buf = vec![0; READ];
    loop {
        let last = *ending.borrow();
        let read = async { if last { timeout(LAST, reads.read(&mut buf)).await.unwrap_or(Ok(0)) } else { reads.read(&mut buf).await } };
        let n = tokio::select! {
            read = read => match read {
                Ok(n) if n > 0 => n,
                _ => return,
            },
            _ = ending.changed(), if !last => continue,
        };
        record.borrow_mut().bytes(side, &buf[..n], clock.mono_us());
        if record.borrow().failed.is_some() {
            return;
        }
        if let Some(writes) = &mut writes
            && (writes.write_all(&buf[..n]).await.is_err() || writes.flush().await.is_err())
        {
            return;
        }
    }
}
