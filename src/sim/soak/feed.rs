//! The line's side of the window, as `line/feed.rs` keeps it: codes in order, each ordered once; what a printer reports is
//! credited to the oldest, what it is silent about is doubtful.

use super::judge::Judge;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, Report};
use std::collections::VecDeque;

/// Things follow one another no closer.
pub const SPACING_US: u64 = 100 * MS;
/// Unread things in a row after which the line has the buffer cleared.
const SILENT: u32 = 3;

pub struct Feed {
    pub judge: Judge,
    next: u32,
    /// Ordered and unsettled, oldest first; the first `taken` are said to be in the printer.
    window: VecDeque<u32>,
    taken: usize,
    pub ready: bool,
    /// The belt has been let go since the printer was last not ready.
    running: bool,
    clearing: bool,
    unsettled: bool,
    kept: bool,
    /// Doubtful ones may still be inside.
    uncleared: bool,
    printed_us: u64,
    silent: u32,
    /// Nothing but a read tells of its prints: it gets a code when the last one was read, or was not.
    one_by_one: bool,
}

impl Feed {
    pub fn new(judge: Judge, one_by_one: bool) -> Self {
        Self {
            judge,
            next: 1,
            window: VecDeque::new(),
            taken: 0,
            ready: false,
            running: false,
            clearing: false,
            unsettled: false,
            kept: false,
            uncleared: false,
            printed_us: 0,
            silent: 0,
            one_by_one,
        }
    }

    /// The next code to be ordered, where there is room for it.
    pub fn next(&mut self, limit: usize) -> Option<u32> {
        let limit = if self.one_by_one { 1 } else { limit };
        if !self.ready || self.clearing || self.window.len() >= limit {
            return None;
        }
        let n = self.next;
        self.next += 1;
        self.window.push_back(n);
        Some(n)
    }

    /// Whether things come: from the first code in the printer until it is not ready.
    pub fn runs(&mut self) -> bool {
        self.running |= self.ready && !self.clearing && (self.taken > 0 || self.uncleared);
        self.running
    }

    /// A thing went by the reader behind it, with this code or with none.
    pub fn read(&mut self, seen: Option<u32>) {
        if !self.one_by_one {
            return;
        }
        match seen.filter(|n| self.window.front() == Some(n)) {
            Some(n) => {
                self.window.pop_front();
                self.taken = self.taken.saturating_sub(1);
                self.judge.read(n);
            }
            // Unread: what was in it is replaced by the next. One that is still on its way is not given up.
            None if seen.is_none() && self.taken > 0 => {
                self.doubt(true);
                self.judge.adopted(&[]);
            }
            None => {}
        }
    }

    /// A thing went by without ink; true: its buffer is taken for lost, and to be cleared.
    pub fn bare_thing(&mut self) -> bool {
        if !self.ready || self.taken == 0 || self.uncleared || self.clearing || self.one_by_one {
            return false;
        }
        self.silent += 1;
        if self.silent < SILENT {
            return false;
        }
        self.silent = 0;
        (self.clearing, self.running) = (true, false);
        true
    }

    pub fn told(&mut self, report: Report, now_us: u64) {
        match report {
            Report::Unsettled => self.unsettled = true,
            Report::Down { .. } => {
                if !self.unsettled {
                    self.doubt(false);
                }
                (self.ready, self.running) = (false, false);
            }
            Report::OutOfStep { .. } => {
                self.doubt(false);
                (self.ready, self.running) = (false, false);
            }
            Report::NotReady { .. } => (self.ready, self.running) = (false, false),
            Report::Ready { cleared } => {
                if cleared || !self.kept {
                    self.doubt(cleared);
                }
                self.uncleared &= !cleared;
                (self.kept, self.ready) = (false, true);
                self.judge.adopted(self.window.make_contiguous());
            }
            Report::Cleared => {
                self.doubt(true);
                self.uncleared = false;
                self.judge.adopted(&[]);
            }
            Report::Taken { code } => {
                if self.window.get(self.taken) == Some(&code.ordinal) {
                    self.taken += 1;
                }
            }
            Report::Printed { count } => self.printed(count, now_us),
            Report::PrintedCode { code } => self.printed_code(code.ordinal, now_us),
            Report::PrintedTo { code } => self.printed_to(code.ordinal, now_us),
            Report::Reconciled { printed, inside } => self.reconciled(&printed, &inside),
            // Its codes are of every printer's form; one that is not never left, and stays doubtful.
            Report::Unprintable { code, .. } => self.window.retain(|c| *c != code.ordinal),
            Report::Up { .. } | Report::Frame(_) | Report::Polled(_) | Report::Overwritten { .. } | Report::Noise { .. } => {}
        }
    }

    fn doubt(&mut self, cleared: bool) {
        for n in std::mem::take(&mut self.window) {
            self.judge.doubted(n);
            self.uncleared |= !cleared;
        }
        self.taken = 0;
        (self.clearing, self.unsettled, self.kept) = (false, false, false);
    }

    /// Reports closer than things can follow each other are one, said twice.
    fn printed(&mut self, count: u32, now_us: u64) {
        let possible = (now_us - self.printed_us) / (SPACING_US / 2);
        let n = (count as usize).min(self.taken).min(possible as usize);
        if n > 0 {
            (self.printed_us, self.silent) = (now_us, 0);
        }
        for code in self.window.drain(..n) {
            self.judge.credited(code, false);
        }
        self.taken -= n;
    }

    /// Named: what was taken before it has left without a word.
    fn printed_code(&mut self, code: u32, now_us: u64) {
        let Some(at) = self.window.iter().take(self.taken).position(|n| *n == code) else { return };
        (self.printed_us, self.silent) = (now_us, 0);
        let passed: Vec<u32> = self.window.drain(..at).collect();
        passed.into_iter().for_each(|n| self.judge.doubted(n));
        self.window.pop_front();
        self.judge.credited(code, false);
        self.taken -= at + 1;
    }

    /// The printer names the code; one that was read before has left the window.
    fn printed_to(&mut self, code: u32, now_us: u64) {
        let Some(last) = self.window.iter().position(|n| *n == code) else { return };
        (self.printed_us, self.silent) = (now_us, 0);
        self.taken = self.taken.saturating_sub(last + 1);
        for code in self.window.drain(..=last) {
            self.judge.credited(code, false);
        }
    }

    fn reconciled(&mut self, printed: &[CodeRef], inside: &[CodeRef]) {
        let is_in = |all: &[CodeRef], n: u32| all.iter().any(|c| c.ordinal == n);
        for n in std::mem::take(&mut self.window) {
            if is_in(printed, n) {
                self.judge.credited(n, true);
            } else if is_in(inside, n) {
                self.window.push_back(n);
            } else {
                self.judge.doubted(n);
                self.uncleared = true;
            }
        }
        self.taken = self.window.len();
        (self.unsettled, self.kept) = (false, true);
    }
}
