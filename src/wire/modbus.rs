//! Modbus/TCP client of a line's I/O module (Modbus application protocol 1.1b3 §6.1, 6.2, 6.4, 6.5; messaging on TCP/IP
//! 1.0b §3.1.3: transaction, protocol 0, length, unit).
//!
//! Must never know: what an input means. One request is outstanding. Outputs go ahead of the next read, in order. After
//! a silence, an exception or an answer to something else the link is dropped: a late answer must never be taken for
//! the next one's.

use super::outbox::{Outbox, earliest};
use super::{Action, Conversation};
use crate::profile::Bound;
use crate::vocab::plan::{After, PointKind};
use crate::vocab::report::Poll;
use crate::vocab::time::MS;
use crate::vocab::{DeviceNo, Order, Plan, Report};
use std::collections::VecDeque;

/// From the start of one poll to the next.
const POLL_US: u64 = 5 * MS;
/// Reads are at most this far apart, whatever there is to write.
const READ_AT_LEAST_US: u64 = 50 * MS;
/// Most inputs of one read (function 02) and registers of one read (function 04).
const MOST_INPUTS: u16 = 2_000;
const MOST_REGISTERS: u16 = 125;
/// Outputs that may wait for a module that answers nothing else.
const MOST_OUTPUTS: usize = 1_024;
/// Header, and length field, of one answer at most (§3.1.3: 260 bytes in all).
const HEADER: usize = 7;
const LONGEST: usize = 260;

const READ_COILS: u8 = 1;
const READ_INPUTS: u8 = 2;
const READ_REGISTERS: u8 = 4;
const WRITE_COIL: u8 = 5;

/// The points of a module that the line looks at, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points {
    pub inputs: Vec<u16>,
    pub counters: Vec<u16>,
}

impl Points {
    pub fn of(plan: &Plan, device: DeviceNo) -> Self {
        let mut points = Self::default();
        for s in &plan.stations {
            let mut used = vec![s.trigger];
            if let Some(g) = &s.gate {
                used.push(g.confirm);
                used.push(match g.after {
                    After::Pulses { encoder, .. } => Some(encoder),
                    After::Ms { belt, .. } => belt,
                });
            }
            for p in used.into_iter().flatten().filter(|p| p.device == device) {
                match p.kind {
                    PointKind::Input => points.inputs.push(p.number),
                    PointKind::Counter => points.counters.push(p.number),
                    PointKind::Output => {}
                }
            }
        }
        for list in [&mut points.inputs, &mut points.counters] {
            list.sort_unstable();
            list.dedup();
        }
        points
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Inputs {
        first: u16,
        count: u16,
    },
    /// Of counters, two registers each.
    Counters {
        first: u16,
        count: u16,
    },
    SafeState,
    SafeClear,
    Output {
        number: u16,
        on: bool,
    },
}

#[derive(Debug)]
pub struct Modbus {
    unit: u8,
    base: u16,
    safe_state: Option<u16>,
    safe_clear: Option<u16>,
    reply_us: u64,
    points: Points,
    /// The reads of one poll.
    reads: Vec<Ask>,
    out: Outbox,
    open: bool,
    up: bool,
    buf: Vec<u8>,
    transaction: u16,
    asked: Option<(Ask, Vec<u8>, u64)>,
    /// The next read of this poll; `reads.len()`: the poll is done.
    at: usize,
    seen: Poll,
    clear_due: bool,
    outputs: VecDeque<(u16, bool, u64)>,
    next_poll_us: u64,
    /// When a read was last asked.
    read_us: u64,
}

impl Modbus {
    pub fn new(bound: &Bound, points: Points) -> Self {
        let base = bound.number("base").clamp(0, 60_000) as u16;
        let coil = |key: &str| u16::try_from(bound.number(key)).ok();
        let safe_state = coil("safe_state_base");
        let mut reads: Vec<Ask> = runs(&points.inputs, MOST_INPUTS).map(|(first, count)| Ask::Inputs { first, count }).collect();
        reads.extend(runs(&points.counters, MOST_REGISTERS / 2).map(|(first, count)| Ask::Counters { first, count }));
        if reads.is_empty() {
            // Nothing is looked at, but a silent module must be noticed.
            reads.push(Ask::Inputs { first: 0, count: 1 });
        }
        reads.extend(safe_state.map(|_| Ask::SafeState));
        Self {
            unit: bound.number("unit").clamp(0, 255) as u8,
            base,
            safe_state,
            safe_clear: coil("safe_clear_base"),
            reply_us: u64::from(bound.profile.link.reply_timeout_ms) * MS,
            points,
            reads,
            out: Outbox::default(),
            open: false,
            up: false,
            buf: Vec::new(),
            transaction: 0,
            asked: None,
            at: 0,
            seen: Poll::default(),
            clear_due: false,
            outputs: VecDeque::new(),
            next_poll_us: 0,
            read_us: 0,
        }
    }

    fn stop(&mut self) {
        (self.open, self.up, self.clear_due) = (false, false, false);
        self.asked = None;
        self.outputs.clear();
        self.buf.clear();
        self.at = self.reads.len();
        self.seen = Poll::default();
    }

    fn hang_up(&mut self, why: &str) {
        self.out.hang_up(why);
        self.stop();
    }

    fn ask(&mut self, ask: Ask, now_us: u64) {
        let at = |n: u32| (u32::from(self.base) + n) as u16;
        let (function, address, value) = match ask {
            Ask::Inputs { first, count } => (READ_INPUTS, at(u32::from(first)), count),
            Ask::Counters { first, count } => (READ_REGISTERS, at(2 * u32::from(first)), 2 * count),
            Ask::SafeState => (READ_COILS, self.safe_state.unwrap_or(0), 1),
            Ask::SafeClear => (WRITE_COIL, self.safe_clear.unwrap_or(0), 0xff00),
            Ask::Output { number, on } => (WRITE_COIL, at(u32::from(number)), if on { 0xff00 } else { 0 }),
        };
        self.transaction = self.transaction.wrapping_add(1);
        let mut bytes = Vec::with_capacity(12);
        for word in [self.transaction, 0, 6] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend([self.unit, function]);
        bytes.extend(address.to_be_bytes());
        bytes.extend(value.to_be_bytes());
        self.out.send(bytes.clone());
        self.asked = Some((ask, bytes, now_us + self.reply_us));
    }

    fn advance(&mut self, now_us: u64) {
        if !self.open || self.asked.is_some() {
            return;
        }
        if std::mem::take(&mut self.clear_due) {
            return self.ask(Ask::SafeClear, now_us);
        }
        // Writes go first, but a slow module must not be written to so often that it is never read.
        let starved = now_us > self.read_us + READ_AT_LEAST_US;
        if !starved && let Some((number, on, _)) = self.outputs.pop_front() {
            return self.ask(Ask::Output { number, on }, now_us);
        }
        if self.at == self.reads.len() {
            if now_us < self.next_poll_us {
                return;
            }
            self.at = 0;
            self.next_poll_us = now_us + POLL_US;
            self.seen = Poll::default();
        }
        self.read_us = now_us;
        self.ask(self.reads[self.at], now_us);
    }

    /// One whole answer, or `None` when more must come; `Err`: this is no Modbus.
    fn answer(&mut self) -> Result<Option<Vec<u8>>, &'static str> {
        if self.buf.len() < HEADER {
            return Ok(None);
        }
        let length = usize::from(u16::from_be_bytes([self.buf[4], self.buf[5]]));
        if self.buf[2..4] != [0, 0] || !(3..=LONGEST - 6).contains(&length) {
            return Err("its answer is no Modbus");
        }
        Ok((self.buf.len() >= 6 + length).then(|| self.buf.drain(..6 + length).collect()))
    }

    fn answered(&mut self, answer: &[u8], now_us: u64) -> Result<(), String> {
        let Some((ask, request, _)) = self.asked.take() else { return Err("it answered what nobody asked".into()) };
        let (function, body) = (answer[HEADER], &answer[HEADER + 1..]);
        if answer[..2] != request[..2] || answer[6] != request[6] || function & 0x7f != request[7] {
            return Err("it answered another question".into());
        }
        if function & 0x80 != 0 {
            let address = u16::from_be_bytes([request[8], request[9]]);
            let code = body.first().copied().unwrap_or(0);
            let words = match code {
                1 => "function not supported",
                2 => "no such address",
                3 => "value refused",
                4 => "device failure",
                11 => "no such unit",
                _ => "refused",
            };
            return Err(format!("exception {code:02} ({words}) to function {:02} at address {address}", request[7]));
        }
        match ask {
            Ask::Inputs { first, count } => {
                let bits = payload(body, usize::from(count).div_ceil(8))?;
                let mine = self.points.inputs.iter().filter(|n| (first..first + count).contains(*n));
                let bit = |n: u16| bits[usize::from(n - first) / 8] >> ((n - first) % 8) & 1 == 1;
                self.seen.inputs.extend(mine.map(|n| (*n, bit(*n))));
            }
            Ask::Counters { first, count } => {
                let words = payload(body, usize::from(count) * 4)?;
                let mine = self.points.counters.iter().filter(|n| (first..first + count).contains(*n));
                let value = |n: u16| {
                    let i = usize::from(n - first) * 4;
                    u32::from_be_bytes([words[i], words[i + 1], words[i + 2], words[i + 3]])
                };
                self.seen.counters.extend(mine.map(|n| (*n, value(*n))));
            }
            Ask::SafeState => {
                self.seen.safe = payload(body, 1)?[0] & 1 == 1;
                self.clear_due = self.seen.safe && self.safe_clear.is_some();
            }
            Ask::SafeClear | Ask::Output { .. } => {
                return if *body == request[8..] { Ok(()) } else { Err("it echoed another write".into()) };
            }
        }
        self.at += 1;
        if self.at == self.reads.len() {
            self.polled(now_us);
        }
        Ok(())
    }

    fn polled(&mut self, now_us: u64) {
        if !self.up {
            self.up = true;
            self.out.tell(Report::Up { identity: None });
        }
        let mut poll = std::mem::take(&mut self.seen);
        // An output that waits for its turn has not been answered: this poll speaks of the time before it.
        poll.at_us = self.outputs.front().map_or(now_us, |(_, _, ordered_us)| now_us.min(*ordered_us));
        self.out.tell(Report::Polled(poll));
    }
}

/// The bytes after a byte count that must be `bytes`.
fn payload(body: &[u8], bytes: usize) -> Result<&[u8], String> {
    match body.split_first() {
        Some((n, rest)) if usize::from(*n) == bytes && rest.len() == bytes => Ok(rest),
        _ => Err("its answer has the wrong length".into()),
    }
}

/// Ranges of at most `most` that hold all of `points` (ascending), each as first and count.
fn runs(points: &[u16], most: u16) -> impl Iterator<Item = (u16, u16)> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for n in points {
        match ranges.last_mut() {
            Some((first, count)) if n - *first < most => *count = n - *first + 1,
            _ => ranges.push((*n, 1)),
        }
    }
    ranges.into_iter()
}

impl Conversation for Modbus {
    fn opened(&mut self, now_us: u64) {
        self.stop();
        self.open = true;
        self.next_poll_us = now_us;
        self.advance(now_us);
    }

    fn closed(&mut self, now_us: u64, why: &str) {
        self.stop();
        self.out.link_gone(&[], now_us, why);
    }

    fn received(&mut self, bytes: &[u8], now_us: u64) {
        if !self.open {
            return;
        }
        self.buf.extend(bytes);
        loop {
            let answer = match self.answer() {
                Ok(Some(answer)) => answer,
                Ok(None) => break,
                Err(why) => {
                    let junk = std::mem::take(&mut self.buf);
                    self.out.junk(&junk, now_us);
                    return self.hang_up(why);
                }
            };
            if let Err(why) = self.answered(&answer, now_us) {
                return self.hang_up(&why);
            }
        }
        self.advance(now_us);
    }

    fn ordered(&mut self, order: Order, now_us: u64) {
        if let Order::Output { number, on } = order
            && self.open
        {
            if self.outputs.len() >= MOST_OUTPUTS {
                return self.hang_up("outputs come faster than it answers");
            }
            self.outputs.push_back((number, on, now_us));
            self.advance(now_us);
        }
    }

    fn due(&mut self, now_us: u64) {
        self.out.due(now_us);
        if self.asked.as_ref().is_some_and(|(_, _, d)| *d <= now_us) {
            return self.hang_up(&format!("no answer within {} ms", self.reply_us / MS));
        }
        self.advance(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        let next = self.open.then(|| self.asked.as_ref().map_or(self.next_poll_us, |(_, _, d)| *d));
        earliest([self.out.deadline(), next])
    }

    fn poll(&mut self) -> Option<Action> {
        self.out.poll()
    }
}
