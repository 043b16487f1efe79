//! The committed journal for the socket's `watch`: pages from a read-only connection of its own.
//!
//! Invariants: every page is a transaction of its own, ended when the page is read, so that a watcher sees new commits
//! and never pins the write-ahead log; a page never speaks of a pack or parent it has not learnt of.

use crate::control::server::Tail;
use crate::ledger::reader::{ReadError, Snapshot};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// One connection, used by one page at a time, on the socket's blocking threads.
pub struct JournalTail {
    store: PathBuf,
    /// Seq of the newest commit.
    committed: watch::Receiver<u64>,
    open: Mutex<Option<Reading>>,
}

struct Reading {
    snapshot: Snapshot,
    /// Names, packs and parents are known up to this event.
    learnt: u64,
}

impl JournalTail {
    pub fn new(store: PathBuf, committed: watch::Receiver<u64>) -> Self {
        Self { store, committed, open: Mutex::new(None) }
    }

    fn read(&self, open: &mut Option<Reading>, since: u64, limit: usize) -> Result<Vec<(u64, Value)>, ReadError> {
        // A watch that begins behind what this reader has followed would meet names it never heard.
        let reading = match open.take() {
            Some(r) if since <= r.learnt => open.insert(r),
            _ => {
                let learnt = *self.committed.borrow();
                let snapshot = Snapshot::open(&self.store)?;
                snapshot.refresh()?;
                open.insert(Reading { snapshot, learnt })
            }
        };
        let page = reading.snapshot.page(since, i64::try_from(limit).unwrap_or(i64::MAX))?;
        reading.snapshot.refresh()?;
        if let Some((last, _)) = page.last() {
            reading.learnt = reading.learnt.max(*last);
        }
        Ok(page)
    }
}

impl Tail for JournalTail {
    fn page(&self, since: u64, limit: usize) -> Result<Vec<(u64, Value)>, String> {
        // A reader that failed in the middle is thrown away below; nothing half-done survives the lock.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(&mut open, since, limit).map_err(|e| {
            *open = None;
            e.to_string()
        })
    }
}
