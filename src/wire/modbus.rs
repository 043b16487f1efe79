//! Modbus client of a line's I/O module (Modbus application protocol 1.1b3 §6.1, 6.2, 6.4, 6.5), over TCP or as RTU on a
//! serial line (`frame`).
//!
//! Must never know: what an input means. One request is outstanding. Outputs go ahead of the next read, in order, but
//! never ahead of the first poll of a link: what a module was told before is read anew before it is told more. After
//! a silence, an exception or an answer to something else the link is dropped: a late answer must never be taken for
//! the next one's. RTU numbers no telegrams, so a link just opened is listened to first, as long as an answer may take.
//!
//! Outputs are read back (`looks`): a module has one master, and a second program on it must not go unnoticed.

mod frame;
mod looks;

use super::outbox::{Outbox, earliest};
use super::{Action, Conversation};
use crate::profile::Bound;
use crate::vocab::plan::PointKind;
use crate::vocab::report::Poll;
use crate::vocab::time::MS;
use crate::vocab::{DeviceNo, Order, Plan, Report};
use frame::{Answer, Silence};
pub(super) use frame::{Found, Wrap};
use looks::Looks;
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

const READ_COILS: u8 = 1;
const READ_INPUTS: u8 = 2;
const READ_REGISTERS: u8 = 4;
const WRITE_COIL: u8 = 5;
const ON: u16 = 0xff00;
/// Of a serial line behind a TCP address, where nobody says it here.
const FAR_BAUD: u32 = 9_600;

/// The points of a module that the line looks at, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points {
    pub inputs: Vec<u16>,
    pub counters: Vec<u16>,
}

impl Points {
    pub fn of(plan: &Plan, device: DeviceNo) -> Self {
        let mut points = Self::default();
        for p in plan.points().into_iter().filter(|p| p.device == device) {
            match p.kind {
                PointKind::Input => points.inputs.push(p.number),
                PointKind::Counter => points.counters.push(p.number),
                PointKind::Output | PointKind::Pulse => {}
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
    /// An output as it stands.
    Look(u16),
    Output(Write),
}

/// A coil to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Write {
    number: u16,
    on: bool,
    /// The coil that makes the module time the pulse itself.
    pulse: bool,
    ordered_us: u64,
}

/// Where a module keeps what, as addresses on the wire.
#[derive(Clone, Copy, Debug)]
struct Map {
    inputs: u16,
    outputs: u16,
    counters: u16,
    pulses: Option<u16>,
    safe_state: Option<u16>,
    /// The safe state is a discrete input, not a coil.
    safe_input: bool,
    safe_clear: Option<u16>,
    /// A counter's low word comes first.
    low_first: bool,
}

impl Map {
    fn of(bound: &Bound) -> Self {
        let base = bound.number("base").clamp(0, 60_000);
        let from_base = |key: &str| (base + bound.number(key).max(0)).min(65_535) as u16;
        // A profile need not have every setting; one that is absent, or below nought, says that the module has none.
        let own = |key: &str| bound.has(key).then(|| u16::try_from(bound.number(key)).ok()).flatten();
        Self {
            inputs: from_base("input_base"),
            outputs: from_base("output_base"),
            counters: from_base("counter_base"),
            pulses: own("pulse_base").map(|p| p.saturating_add(base as u16)),
            safe_state: own("safe_state_base"),
            safe_input: bound.text("safe_state_kind") == "input",
            safe_clear: own("safe_clear_base"),
            low_first: bound.text("word_order") == "low-first",
        }
    }
}

/// A request under way.
#[derive(Debug)]
struct Asked {
    ask: Ask,
    transaction: u16,
    pdu: [u8; 5],
    until_us: u64,
}

#[derive(Debug)]
pub struct Modbus {
    wrap: Wrap,
    unit: u8,
    map: Map,
    reply_us: u64,
    /// Of a serial line.
    silence: Silence,
    /// Nothing is sent before.
    quiet_until_us: u64,
    points: Points,
    /// The reads of one poll.
    reads: Vec<Ask>,
    out: Outbox,
    open: bool,
    up: bool,
    buf: Vec<u8>,
    transaction: u16,
    asked: Option<Asked>,
    /// The next read of this poll; `reads.len()`: the poll is done.
    at: usize,
    seen: Poll,
    clear_due: bool,
    outputs: VecDeque<Write>,
    looks: Looks,
    next_poll_us: u64,
    /// When a read was last asked.
    read_us: u64,
}

impl Modbus {
    /// `baud`: of the serial line it is on. A module on a serial line, or whose profile says so, speaks RTU.
    pub fn new(bound: &Bound, points: Points, baud: Option<u32>) -> Self {
        let map = Map::of(bound);
        let rtu = baud.is_some() || bound.text("framing") == "rtu";
        let mut reads: Vec<Ask> = runs(&points.inputs, MOST_INPUTS).map(|(first, count)| Ask::Inputs { first, count }).collect();
        reads.extend(runs(&points.counters, MOST_REGISTERS / 2).map(|(first, count)| Ask::Counters { first, count }));
        if reads.is_empty() {
            // Nothing is looked at, but a silent module must be noticed.
            reads.push(Ask::Inputs { first: 0, count: 1 });
        }
        reads.extend(map.safe_state.map(|_| Ask::SafeState));
        Self {
            wrap: if rtu { Wrap::Rtu } else { Wrap::Tcp },
            unit: bound.number("unit").clamp(0, 255) as u8,
            map,
            silence: Silence::at(baud.unwrap_or(FAR_BAUD)),
            quiet_until_us: 0,
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
            looks: Looks::default(),
            next_poll_us: 0,
            read_us: 0,
        }
    }

    fn stop(&mut self) {
        (self.open, self.up, self.clear_due) = (false, false, false);
        self.asked = None;
        self.outputs.clear();
        self.looks.link_gone();
        self.buf.clear();
        self.at = self.reads.len();
        self.seen = Poll::default();
    }

    fn hang_up(&mut self, why: &str) {
        self.out.hang_up(why);
        self.stop();
    }

    fn ask(&mut self, ask: Ask, now_us: u64) {
        let map = &self.map;
        let (function, address, value) = match ask {
            Ask::Inputs { first, count } => (READ_INPUTS, map.inputs.saturating_add(first), count),
            Ask::Counters { first, count } => (READ_REGISTERS, map.counters.saturating_add(first.saturating_mul(2)), 2 * count),
            Ask::SafeState => (if map.safe_input { READ_INPUTS } else { READ_COILS }, map.safe_state.unwrap_or(0), 1),
            Ask::SafeClear => (WRITE_COIL, map.safe_clear.unwrap_or(0), ON),
            Ask::Look(number) => (READ_COILS, map.outputs.saturating_add(number), 1),
            Ask::Output(w) => {
                let base = if w.pulse { map.pulses.unwrap_or(0) } else { map.outputs };
                (WRITE_COIL, base.saturating_add(w.number), if w.on { ON } else { 0 })
            }
        };
        self.looks.asked(now_us);
        self.transaction = self.transaction.wrapping_add(1);
        let ([a0, a1], [v0, v1]) = (address.to_be_bytes(), value.to_be_bytes());
        let pdu = [function, a0, a1, v0, v1];
        let bytes = self.wrap.request(self.transaction, self.unit, &pdu);
        let on_the_way_us = match self.wrap {
            Wrap::Tcp => 0,
            Wrap::Rtu => self.silence.carrying(bytes.len() + longest_answer(ask)),
        };
        self.out.send(bytes);
        self.asked = Some(Asked { ask, transaction: self.transaction, pdu, until_us: now_us + self.reply_us + on_the_way_us });
    }

    fn advance(&mut self, now_us: u64) {
        if !self.open || self.asked.is_some() || now_us < self.quiet_until_us {
            return;
        }
        if std::mem::take(&mut self.clear_due) {
            return self.ask(Ask::SafeClear, now_us);
        }
        // Writes go first, but a slow module must not be written to so often that it is never read.
        let starved = now_us > self.read_us + READ_AT_LEAST_US;
        if !starved && let Some(write) = self.outputs.front().copied() {
            // What is only said again is looked at before.
            if !write.pulse && self.looks.before(write.number, write.on, now_us) {
                return self.ask(Ask::Look(write.number), now_us);
            }
            self.outputs.pop_front();
            return self.ask(Ask::Output(write), now_us);
        }
        if self.at == self.reads.len() {
            if let Some(number) = self.looks.in_turn(now_us) {
                return self.ask(Ask::Look(number), now_us);
            }
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

    fn answered(&mut self, answer: &Answer, now_us: u64) -> Result<(), String> {
        let Some(asked) = self.asked.take() else { return Err("it answered what nobody asked".into()) };
        let (function, body) = (answer.pdu[0], &answer.pdu[1..]);
        let other = answer.transaction.is_some_and(|t| t != asked.transaction);
        if other || answer.unit != self.unit || function & 0x7f != asked.pdu[0] {
            return Err("it answered another question".into());
        }
        let refused = function & 0x80 != 0;
        if refused && matches!((asked.ask, body.first()), (Ask::Look(_), Some(1..=3))) {
            // It does not show its outputs.
            self.looks.give_up();
            return Ok(());
        }
        if refused {
            let address = u16::from_be_bytes([asked.pdu[1], asked.pdu[2]]);
            let code = body.first().copied().unwrap_or(0);
            let words = match code {
                1 => "function not supported",
                2 => "no such address",
                3 => "value refused",
                4 => "device failure",
                11 => "no such unit",
                _ => "refused",
            };
            return Err(format!("exception {code:02} ({words}) to function {:02} at address {address}", asked.pdu[0]));
        }
        match asked.ask {
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
                    let (a, b) = (u16::from_be_bytes([words[i], words[i + 1]]), u16::from_be_bytes([words[i + 2], words[i + 3]]));
                    let (high, low) = if self.map.low_first { (b, a) } else { (a, b) };
                    u32::from(high) << 16 | u32::from(low)
                };
                self.seen.counters.extend(mine.map(|n| (*n, value(*n))));
            }
            Ask::SafeState => {
                self.seen.safe = payload(body, 1)?[0] & 1 == 1;
                if self.seen.safe {
                    self.looks.link_gone();
                }
                self.clear_due = self.seen.safe && self.map.safe_clear.is_some();
            }
            Ask::Look(number) => {
                let on = payload(body, 1)?[0] & 1 == 1;
                if self.looks.saw(number, on) {
                    self.out.tell(Report::Overwritten { number, on });
                }
                return Ok(());
            }
            Ask::SafeClear | Ask::Output(_) => {
                if *body != asked.pdu[1..] {
                    return Err("it echoed another write".into());
                }
                match asked.ask {
                    Ask::Output(Write { number, on, pulse: false, .. }) => self.looks.wrote(number, on, now_us),
                    // What a pulse, or the end of the safe state, leaves behind is the module's own.
                    Ask::Output(Write { number, .. }) => self.looks.forget(number),
                    _ => self.looks.link_gone(),
                }
                return Ok(());
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
        poll.at_us = self.outputs.front().map_or(now_us, |w| now_us.min(w.ordered_us));
        self.out.tell(Report::Polled(poll));
    }
}

/// Bytes of the answer to a question, wrapped as RTU, at most.
fn longest_answer(ask: Ask) -> usize {
    match ask {
        Ask::Inputs { count, .. } => 5 + usize::from(count).div_ceil(8),
        Ask::Counters { count, .. } => 5 + usize::from(count) * 4,
        Ask::SafeState | Ask::Look(_) => 6,
        Ask::SafeClear | Ask::Output(_) => 8,
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
        self.quiet_until_us = match self.wrap {
            Wrap::Tcp => now_us,
            Wrap::Rtu => now_us + self.reply_us.max(self.silence.between_us),
        };
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
        if self.wrap == Wrap::Rtu {
            self.quiet_until_us = self.quiet_until_us.max(now_us + self.silence.between_us);
            if self.asked.is_none() {
                // Of an earlier link, or a disturbance: nobody asked.
                return self.out.junk(bytes, now_us);
            }
        }
        self.buf.extend(bytes);
        loop {
            if self.wrap == Wrap::Rtu {
                // A line that is switched from one speaker to the other may show a byte that nobody sent.
                let wanted = self.buf.iter().position(|b| *b == self.unit && self.asked.is_some());
                let surplus: Vec<u8> = self.buf.drain(..wanted.unwrap_or(self.buf.len())).collect();
                self.out.junk(&surplus, now_us);
            }
            let answer = match self.wrap.take(&mut self.buf) {
                Found::Answer(answer) => answer,
                Found::Half => break,
                Found::Wrong(why) => {
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
        let (number, on, pulse) = match order {
            Order::Output { number, on } => (number, on, false),
            Order::Pulse { number, on } if self.map.pulses.is_some() => (number, on, true),
            _ => return,
        };
        // Before the first poll the order was meant for the link before: whoever gave it hears that the module is up,
        // and says anew what each output is to be.
        if !self.up {
            return;
        }
        if self.outputs.len() >= MOST_OUTPUTS {
            return self.hang_up("outputs come faster than it answers");
        }
        self.outputs.push_back(Write { number, on, pulse, ordered_us: now_us });
        self.advance(now_us);
    }

    fn due(&mut self, now_us: u64) {
        self.out.due(now_us);
        if self.asked.as_ref().is_some_and(|a| a.until_us <= now_us) {
            if matches!(self.asked, Some(Asked { ask: Ask::Look(_), .. })) {
                self.looks.unanswered();
            }
            return self.hang_up(&format!("no answer within {} ms", self.reply_us / MS));
        }
        self.advance(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        let waits = !self.clear_due && self.outputs.is_empty() && self.at == self.reads.len();
        let idle = if waits { self.next_poll_us.max(self.quiet_until_us) } else { self.quiet_until_us };
        let next = self.open.then(|| self.asked.as_ref().map_or(idle, |a| a.until_us));
        earliest([self.out.deadline(), next])
    }

    fn poll(&mut self) -> Option<Action> {
        self.out.poll()
    }
}
