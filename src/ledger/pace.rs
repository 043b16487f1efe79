//! Bulk writing that leaves the disk to the line: at most so many bytes a second, in small portions that set out for the disk
//! at once, without a sync of their own.
//!
//! A commit of the line that meets a sync waits for it, whatever the sync's size: with 64 syncs a second of 64 KiB each the
//! line's p99 was twice that of a quiet line, with two a second of 2 MiB nearly three times. Bytes that are merely on their way
//! (the kernel's write-back, begun for every portion by `fadvise`) mostly reach the disk between two commits, and little is
//! left to sync at a file's end. Measured so (`benches/interference.rs`, five legs of 60 s): at 4 MB/s, on a disk with stalls of
//! its own, p99 1.74 times that of a quiet line; at 2 MB/s, on a quiet machine, 1.21 times (two quiet legs differ by 1.26), with
//! p99.9 no higher than without an import.

use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Beside a daemon whose line runs no job.
pub const IDLE: BytesPerSecond = BytesPerSecond(40_000_000);
/// Beside a running job.
pub const LINE: BytesPerSecond = BytesPerSecond(2_000_000);
/// Bytes that set out for the disk together, at least; at most a full buffer.
const PORTION: usize = 1 << 14;
/// Bytes after which a file is synced on the way: where write-back was begun for each portion there is little to do, and
/// where a file system begins none, no more than these wait.
const AHEAD: u64 = 32 << 20;
/// What a file is shortened by before it is removed, and what that counts as written.
const CUT: (u64, u64) = (16 << 20, 1 << 20);
/// A stream's buffer.
const BUFFER: usize = 1 << 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BytesPerSecond(pub u64);

/// Keeps the rate over everything that is written with it. Without a limit nothing is held back or synced early.
pub struct Pace {
    limit: Option<BytesPerSecond>,
    began: Instant,
    written: u64,
}

impl Pace {
    pub fn new(limit: Option<BytesPerSecond>) -> Self {
        Self { limit, began: Instant::now(), written: 0 }
    }

    /// Is there a line to be left alone?
    pub fn limited(&self) -> bool {
        self.limit.is_some()
    }

    fn wrote(&mut self, bytes: u64) {
        let Some(BytesPerSecond(limit)) = self.limit else { return };
        self.written += bytes;
        let due = Duration::from_secs_f64(self.written as f64 / limit as f64);
        let passed = self.began.elapsed();
        if due > passed {
            std::thread::sleep(due - passed);
        } else if passed - due > Duration::from_secs(1) {
            // What was not used (reading, sorting) is not made up for by a burst.
            (self.began, self.written) = (Instant::now(), 0);
        }
    }

    /// Bytes that set out together: what is written in a 256th of a second.
    fn portion(&self) -> usize {
        self.limit.map_or(BUFFER, |BytesPerSecond(limit)| (limit as usize / 256).clamp(PORTION, BUFFER))
    }

    /// Removes a large file in steps: giving back all its blocks at once holds up whoever syncs.
    pub fn remove(&mut self, file: &File, path: &std::path::Path) -> std::io::Result<()> {
        if self.limit.is_some() {
            let mut len = file.metadata()?.len();
            while len > 0 {
                len = len.saturating_sub(CUT.0);
                file.set_len(len)?;
                self.wrote(CUT.1);
            }
        }
        std::fs::remove_file(path)
    }
}

/// Buffered writing from one place of a file on. Without a pace a file that is kept is synced on the way by another thread:
/// either way little is left to sync at its end.
pub struct Stream {
    file: Arc<File>,
    at: u64,
    buffer: Vec<u8>,
    unsynced: u64,
    kept: bool,
    syncing: Option<JoinHandle<std::io::Result<()>>>,
}

impl Stream {
    /// Of a file that is thrown away in the end.
    pub fn new(file: Arc<File>, at: u64) -> Self {
        Self { file, at, buffer: Vec::with_capacity(BUFFER + 1024), unsynced: 0, kept: false, syncing: None }
    }

    /// Of a file that stays.
    pub fn kept(file: Arc<File>, at: u64) -> Self {
        Self { kept: true, ..Self::new(file, at) }
    }

    pub fn put(&mut self, bytes: &[u8], pace: &mut Pace) -> std::io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= pace.portion() { self.flush(pace) } else { Ok(()) }
    }

    /// Lets `fill` append.
    pub fn with(&mut self, pace: &mut Pace, fill: impl FnOnce(&mut Vec<u8>)) -> std::io::Result<()> {
        fill(&mut self.buffer);
        if self.buffer.len() >= pace.portion() { self.flush(pace) } else { Ok(()) }
    }

    /// What was flushed can be read from it.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Where the next byte goes.
    pub fn position(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    /// Goes on elsewhere; what is buffered must have been flushed.
    pub fn seek(&mut self, at: u64) {
        debug_assert!(self.buffer.is_empty());
        self.at = at;
    }

    pub fn flush(&mut self, pace: &mut Pace) -> std::io::Result<()> {
        self.file.write_all_at(&self.buffer, self.at)?;
        let n = self.buffer.len() as u64;
        self.at += n;
        self.buffer.clear();
        self.unsynced += n;
        if pace.limited() {
            if let Some(len) = NonZeroU64::new(n) {
                // "Not needed" begins write-back, and leaves the page cache to the line.
                fadvise(&*self.file, self.at - n, Some(len), Advice::DontNeed)?;
            }
            if self.unsynced >= AHEAD {
                self.file.sync_data()?;
                self.unsynced = 0;
            }
            pace.wrote(n);
        } else if self.kept && self.unsynced >= AHEAD && self.syncing.as_ref().is_none_or(JoinHandle::is_finished) {
            self.settle()?;
            let file = self.file.clone();
            self.syncing = Some(std::thread::spawn(move || file.sync_data()));
            self.unsynced = 0;
        }
        Ok(())
    }

    /// The end of a sync under way: what it met may not be lost, for a later sync would not tell.
    fn settle(&mut self) -> std::io::Result<()> {
        self.syncing.take().map_or(Ok(()), |s| s.join().expect("a sync ends in an answer"))
    }

    /// Writes and syncs everything.
    pub fn sync(&mut self, pace: &mut Pace) -> std::io::Result<()> {
        self.flush(pace)?;
        self.settle()?;
        self.file.sync_all()
    }
}
