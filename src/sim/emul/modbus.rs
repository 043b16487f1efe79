//! A Modbus I/O module (Modbus application protocol 1.1b3) on TCP (messaging on TCP/IP 1.0b) or, as RTU, on a serial line
//! (Modbus over serial line 1.02): coils, discrete inputs, a 32-bit rising-edge counter of every input in two input
//! registers, and coils that begin a pulse of an output which the module times itself.
//!
//! Functions 01, 02, 04, 05, 0F; any other answers exception 01. Several connections; each sees its answers in order.
//! Its watchdog drops every output `watchdog_ms` after the last request of anybody and says so in the safe coil; where
//! there is a clearing coil, writes have no effect until it was written, otherwise outputs come back with the next
//! write.

use super::outbox::Outbox;
use super::{DeviceSide, Emission, Link};
use crate::sim::bench::Trouble;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use std::collections::{BTreeMap, VecDeque};

mod rtu;

const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_ADDRESS: u8 = 2;
const ILLEGAL_VALUE: u8 = 3;
const DEVICE_FAILURE: u8 = 4;
/// The gateway's answer for a unit that is not there.
const NO_SUCH_UNIT: u8 = 0x0b;

/// How one module is set up. All addresses are as on the wire, from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModbusHow {
    pub unit: u8,
    /// Baud rate of the serial line it is on; none: TCP.
    pub rtu: Option<u32>,
    /// Added to the number of every point.
    pub base: u16,
    /// Added to that for inputs, outputs, and registers of counters.
    pub input_base: u16,
    pub output_base: u16,
    pub counter_base: u16,
    /// Coils (one an output) that begin a pulse of it.
    pub pulse_base: Option<u16>,
    /// How long the pulse of an output is; others: `PULSE_MS`.
    pub pulses_ms: BTreeMap<u16, u32>,
    /// A counter's low word comes first.
    pub low_first: bool,
    /// Inputs, and as many outputs.
    pub points: u16,
    pub watchdog_ms: Option<u32>,
    /// Coils (one a point) that read ON while outputs stand dropped.
    pub safe_state_base: Option<u16>,
    /// They are discrete inputs instead.
    pub safe_state_input: bool,
    /// Coils (one a point) of which any written ON ends that.
    pub safe_clear_base: Option<u16>,
}

#[derive(Debug)]
pub struct Modbus {
    how: ModbusHow,
    rng: Rng,
    out: Outbox,
    /// Bytes of each link that do not make a whole request yet.
    links: BTreeMap<Link, Vec<u8>>,
    hanging_up: VecDeque<Link>,
    inputs: Vec<bool>,
    counters: Vec<u32>,
    coils: Vec<bool>,
    powered: bool,
    /// Of the last answer: answers never overtake each other.
    answered_us: u64,
    watchdog_at_us: Option<u64>,
    safe: bool,
    /// The next request gets no answer, or is refused.
    silence: bool,
    refuse: bool,
    /// When the pulses under way end.
    pulses: BTreeMap<usize, u64>,
    /// When bytes last came (RTU).
    heard_us: u64,
}

/// A pulse of a module whose setting nobody said.
const PULSE_MS: u32 = 100;

/// What stands at a coil's address.
enum Coil {
    Output(usize),
    Pulse(usize),
    SafeState,
    SafeClear,
}

impl Modbus {
    pub fn new(how: ModbusHow, rng: Rng) -> Self {
        let n = usize::from(how.points);
        Self {
            how,
            rng,
            out: Outbox::default(),
            links: BTreeMap::new(),
            hanging_up: VecDeque::new(),
            inputs: vec![false; n],
            counters: vec![0; n],
            coils: vec![false; n],
            powered: true,
            answered_us: 0,
            watchdog_at_us: None,
            safe: false,
            silence: false,
            refuse: false,
            pulses: BTreeMap::new(),
            heard_us: 0,
        }
    }

    /// A level on an input; a rising edge is counted while there is power.
    pub fn input(&mut self, number: u16, on: bool) {
        let n = usize::from(number);
        if let Some(level) = self.inputs.get_mut(n) {
            if on && !*level && self.powered {
                self.counters[n] = self.counters[n].wrapping_add(1);
            }
            *level = on;
        }
    }

    /// The output as it is now.
    pub fn output(&self, number: u16) -> bool {
        self.coils.get(usize::from(number)).copied().unwrap_or(false)
    }

    /// The watchdog has dropped the outputs.
    pub fn safe(&self) -> bool {
        self.safe
    }

    /// The watchdog's time stood still for so long.
    pub fn forgive(&mut self, late_us: u64) {
        self.watchdog_at_us = self.watchdog_at_us.map(|t| t + late_us);
    }

    /// Takes whole requests from a link's bytes.
    fn take_requests(&mut self, link: Link, now_us: u64) {
        if let Some(baud) = self.how.rtu {
            return self.take_telegrams(link, baud, now_us);
        }
        loop {
            let Some(bytes) = self.links.get_mut(&link) else { return };
            let Some(&[t0, t1, p0, p1, l0, l1, unit]) = bytes.first_chunk::<7>() else { return };
            let len = usize::from(u16::from_be_bytes([l0, l1]));
            if [p0, p1] != [0, 0] || !(2..=254).contains(&len) {
                // Not Modbus: there is no way back into step.
                self.links.remove(&link);
                self.out.forget(link);
                self.hanging_up.push_back(link);
                return;
            }
            if bytes.len() < 6 + len {
                return;
            }
            let pdu: Vec<u8> = bytes.drain(..6 + len).skip(7).collect();
            let answer = if [self.how.unit, 0, 255].contains(&unit) {
                self.obeyed(&pdu, now_us)
            } else {
                self.watch(now_us);
                vec![pdu[0] | 0x80, NO_SUCH_UNIT]
            };
            if std::mem::take(&mut self.silence) {
                continue;
            }
            let size = (answer.len() as u16 + 1).to_be_bytes();
            let frame = [&[t0, t1, 0, 0, size[0], size[1], unit][..], &answer].concat();
            let at_us = (now_us + MS + self.rng.below(2 * MS + 1)).max(self.answered_us);
            self.answered_us = self.out.acknowledge(link, frame, at_us);
        }
    }

    /// What a request gets, carried out.
    fn obeyed(&mut self, pdu: &[u8], now_us: u64) -> Vec<u8> {
        self.watch(now_us);
        self.end_pulses(now_us);
        if std::mem::take(&mut self.refuse) {
            return vec![pdu[0] | 0x80, DEVICE_FAILURE];
        }
        self.obey(pdu, now_us).unwrap_or_else(|exception| vec![pdu[0] | 0x80, exception])
    }

    fn end_pulses(&mut self, now_us: u64) {
        let coils = &mut self.coils;
        self.pulses.retain(|n, until_us| {
            if *until_us <= now_us {
                coils[*n] = false;
            }
            *until_us > now_us
        });
    }

    /// A request came: the watchdog starts anew. What it had dropped stays dropped.
    fn watch(&mut self, now_us: u64) {
        self.expire(now_us);
        self.watchdog_at_us = self.how.watchdog_ms.map(|ms| now_us + u64::from(ms) * MS);
    }

    fn expire(&mut self, now_us: u64) {
        if self.watchdog_at_us.take_if(|t| *t <= now_us).is_some() {
            self.coils.fill(false);
            self.pulses.clear();
            self.safe = true;
        }
    }

    fn obey(&mut self, pdu: &[u8], now_us: u64) -> Result<Vec<u8>, u8> {
        let (function, rest) = (pdu[0], &pdu[1..]);
        let words = |n: usize| -> Result<[u16; 2], u8> {
            match rest.first_chunk::<4>() {
                Some(&[a, b, c, d]) if n == 0 || rest.len() == n => Ok([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]),
                _ => Err(ILLEGAL_VALUE),
            }
        };
        match function {
            1 | 2 => {
                let [at, count] = words(4)?;
                if !(1..=2000).contains(&count) {
                    return Err(ILLEGAL_VALUE);
                }
                let read = |a: u16| if function == 1 { self.coil(a).map(|c| self.level(&c)) } else { self.discrete(a) };
                let bits = span(at, count)?.map(read).collect::<Option<Vec<bool>>>().ok_or(ILLEGAL_ADDRESS)?;
                Ok([&[function, bits.len().div_ceil(8) as u8][..], &packed(&bits)].concat())
            }
            4 => {
                let [at, count] = words(4)?;
                if !(1..=125).contains(&count) {
                    return Err(ILLEGAL_VALUE);
                }
                let registers = span(at, count)?.map(|a| self.register(a)).collect::<Option<Vec<u16>>>().ok_or(ILLEGAL_ADDRESS)?;
                let bytes: Vec<u8> = registers.iter().flat_map(|r| r.to_be_bytes()).collect();
                Ok([&[function, bytes.len() as u8][..], &bytes].concat())
            }
            5 => {
                let [at, value] = words(4)?;
                let on = match value {
                    0xff00 => true,
                    0 => false,
                    _ => return Err(ILLEGAL_VALUE),
                };
                let coil = self.coil(at).ok_or(ILLEGAL_ADDRESS)?;
                self.write(&[(coil, on)], now_us);
                Ok(pdu.to_vec())
            }
            0x0f => {
                let [at, count] = words(0)?;
                let size = usize::from(count).div_ceil(8);
                if !(1..=1968).contains(&count) || rest.len() != 5 + size || usize::from(rest[4]) != size {
                    return Err(ILLEGAL_VALUE);
                }
                let bit = |i: usize| rest[5 + i / 8] >> (i % 8) & 1 == 1;
                let coils = span(at, count)?.map(|a| self.coil(a)).collect::<Option<Vec<Coil>>>().ok_or(ILLEGAL_ADDRESS)?;
                let writes: Vec<(Coil, bool)> = coils.into_iter().enumerate().map(|(i, c)| (c, bit(i))).collect();
                self.write(&writes, now_us);
                Ok(pdu[..5].to_vec())
            }
            _ => Err(ILLEGAL_FUNCTION),
        }
    }

    fn coil(&self, address: u16) -> Option<Coil> {
        // The two safe blocks hold a coil a point, as far as they do not run into each other.
        let apart = match (self.how.safe_state_base, self.how.safe_clear_base) {
            (Some(a), Some(b)) => self.how.points.min(a.abs_diff(b)),
            _ => self.how.points,
        };
        let within = |base: u16, size: u16| address.checked_sub(base).filter(|n| *n < size);
        if !self.how.safe_state_input && self.how.safe_state_base.and_then(|b| within(b, apart)).is_some() {
            return Some(Coil::SafeState);
        }
        if self.how.safe_clear_base.and_then(|b| within(b, apart)).is_some() {
            return Some(Coil::SafeClear);
        }
        if let Some(n) = within(self.how.base + self.how.output_base, self.how.points) {
            return Some(Coil::Output(usize::from(n)));
        }
        let n = within(self.how.base + self.how.pulse_base?, self.how.points)?;
        Some(Coil::Pulse(usize::from(n)))
    }

    fn level(&self, coil: &Coil) -> bool {
        match coil {
            Coil::Output(n) => self.coils[*n],
            Coil::Pulse(n) => self.pulses.contains_key(n),
            Coil::SafeState => self.safe,
            Coil::SafeClear => false,
        }
    }

    fn discrete(&self, address: u16) -> Option<bool> {
        let safe = self.how.safe_state_base.filter(|_| self.how.safe_state_input);
        if safe.and_then(|b| address.checked_sub(b)).is_some_and(|n| n < self.how.points) {
            return Some(self.safe);
        }
        self.inputs.get(usize::from(address.checked_sub(self.how.base + self.how.input_base)?)).copied()
    }

    fn register(&self, address: u16) -> Option<u16> {
        let n = usize::from(address.checked_sub(self.how.base + self.how.counter_base)?);
        let counter = *self.counters.get(n / 2)?;
        Some(if n.is_multiple_of(2) != self.how.low_first { (counter >> 16) as u16 } else { counter as u16 })
    }

    /// The clearing coil counts before the outputs of the same request.
    fn write(&mut self, writes: &[(Coil, bool)], now_us: u64) {
        if writes.iter().any(|(c, on)| matches!(c, Coil::SafeClear) && *on) {
            self.safe = false;
        }
        for (coil, on) in writes {
            let (Coil::Output(n) | Coil::Pulse(n)) = coil else { continue };
            if self.safe && self.how.safe_clear_base.is_some() {
                continue;
            }
            self.safe = false;
            self.coils[*n] = *on;
            self.pulses.remove(n);
            if matches!(coil, Coil::Pulse(_)) && *on {
                let ms = self.how.pulses_ms.get(&(*n as u16)).copied().unwrap_or(PULSE_MS);
                self.pulses.insert(*n, now_us + u64::from(ms) * MS);
            }
        }
    }
}

/// `count` addresses from `at`; none may lie beyond the last.
fn span(at: u16, count: u16) -> Result<std::ops::RangeInclusive<u16>, u8> {
    match at.checked_add(count - 1) {
        Some(last) => Ok(at..=last),
        None => Err(ILLEGAL_ADDRESS),
    }
}

/// Bits as Modbus packs them: the first in the lowest bit of the first byte.
fn packed(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8).map(|c| c.iter().rev().fold(0, |byte, on| byte << 1 | u8::from(*on))).collect()
}

impl DeviceSide for Modbus {
    fn connected(&mut self, link: Link, _now_us: u64) {
        self.links.insert(link, Vec::new());
    }

    fn disconnected(&mut self, link: Link, _now_us: u64) {
        self.links.remove(&link);
        self.out.forget(link);
    }

    fn received(&mut self, link: Link, bytes: &[u8], now_us: u64) {
        if self.how.rtu.is_some() {
            self.begin_telegram(link, now_us);
        }
        if let Some(b) = self.links.get_mut(&link) {
            b.extend_from_slice(bytes);
            self.take_requests(link, now_us);
        }
    }

    fn due(&mut self, now_us: u64) {
        self.expire(now_us);
        self.end_pulses(now_us);
        self.out.due(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        self.watchdog_at_us.into_iter().chain(self.out.deadline()).chain(self.pulses.values().copied()).min()
    }

    fn poll(&mut self) -> Option<(Link, Emission)> {
        self.hanging_up.pop_front().map(|l| (l, Emission::HangUp)).or_else(|| self.out.poll())
    }

    /// Counters begin again at nought; the levels on the inputs are the world's.
    fn power(&mut self, on: bool, _now_us: u64) {
        self.powered = on;
        if !on {
            self.out = Outbox::default();
            self.links.clear();
            self.coils.fill(false);
            self.pulses.clear();
            self.counters.fill(0);
            self.safe = false;
            self.watchdog_at_us = None;
        }
    }

    fn trouble(&mut self, what: Trouble, _now_us: u64) {
        match what {
            Trouble::Silence => self.silence = true,
            Trouble::Refuse => self.refuse = true,
            other => {
                self.out.trouble(other);
            }
        }
    }
}

#[cfg(test)]
mod tests;
