//! What a conversation wants done, in order, and the bytes it could make nothing of.

use super::Action;
use crate::vocab::Report;
use crate::vocab::time::MS;
use std::collections::VecDeque;

/// Bytes of a run of noise that are kept; the rest is counted.
const KEPT: usize = 256;
/// A run of noise gathers so long before it is told …
const GATHER_US: u64 = 20 * MS;
/// … and the next one is told no sooner than this.
const QUIET_US: u64 = 1_000 * MS;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    actions: VecDeque<Action>,
    noise: Vec<u8>,
    noise_count: u32,
    noise_due_us: Option<u64>,
    quiet_until_us: u64,
}

impl Outbox {
    pub fn send(&mut self, bytes: Vec<u8>) {
        self.actions.push_back(Action::Send(bytes));
    }

    pub fn command(&mut self, bytes: Vec<u8>) {
        self.actions.push_back(Action::Command(bytes));
    }

    /// Prints that follow one another are one report with their sum.
    pub fn tell(&mut self, report: Report) {
        if let (Some(Action::Tell(Report::Printed { count: sum })), Report::Printed { count }) = (self.actions.back_mut(), &report) {
            *sum = sum.saturating_add(*count);
            return;
        }
        self.actions.push_back(Action::Tell(report));
    }

    pub fn hang_up(&mut self, why: impl Into<String>) {
        self.actions.push_back(Action::HangUp { why: why.into() });
    }

    /// Bytes that mean nothing: counted, the first of a run kept, told at most once a second.
    pub fn junk(&mut self, bytes: &[u8], now_us: u64) {
        if bytes.is_empty() {
            return;
        }
        let room = KEPT - self.noise.len();
        self.noise.extend(&bytes[..bytes.len().min(room)]);
        self.noise_count = self.noise_count.saturating_add(bytes.len() as u32);
        self.noise_due_us.get_or_insert((now_us + GATHER_US).max(self.quiet_until_us));
    }

    pub fn due(&mut self, now_us: u64) {
        if self.noise_due_us.is_some_and(|d| d <= now_us) {
            self.tell_noise(now_us);
        }
    }

    /// Tells what noise there is, whether due or not (the link is going).
    pub fn tell_noise(&mut self, now_us: u64) {
        if self.noise_count > 0 {
            let (bytes, count) = (std::mem::take(&mut self.noise), std::mem::take(&mut self.noise_count));
            self.tell(Report::Noise { bytes, count });
            self.quiet_until_us = now_us + QUIET_US;
        }
        self.noise_due_us = None;
    }

    /// The link is gone: what it left `half` said is noise, and all noise is told before the loss.
    pub fn link_gone(&mut self, half: &[u8], now_us: u64, why: &str) {
        self.junk(half, now_us);
        self.tell_noise(now_us);
        self.tell(Report::Down { why: why.into() });
    }

    pub fn deadline(&self) -> Option<u64> {
        self.noise_due_us
    }

    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }
}

/// The earlier of two moments.
pub(super) fn earliest(moments: impl IntoIterator<Item = Option<u64>>) -> Option<u64> {
    moments.into_iter().flatten().min()
}
