//! Where things on a belt stand: running time of belts from their inputs, counts of encoders, and what that is in a
//! gate's own measure (pulses, or µs of running belt).
//!
//! Must never know: verdicts. Invariants: a position never runs backwards; between polls it is estimated, never beyond
//! 50 ms of an encoder's rate. An encoder that goes back, or further than one can, tells nobody where a thing stands: that
//! is said to `gate`.

use super::law::Law;
use super::live::Line;
use crate::vocab::DeviceNo;
use crate::vocab::plan::{After, Gate, Point, PointKind};
use crate::vocab::report::Poll;
use crate::vocab::time::MS;

/// Running time of a belt, from its input.
#[derive(Clone, Copy, Debug, Default)]
pub struct Belt {
    on: bool,
    total_us: u64,
    at_us: u64,
}

impl Belt {
    fn total(&self, at_us: u64) -> u64 {
        self.total_us + if self.on { at_us.saturating_sub(self.at_us) } else { 0 }
    }
}

/// Faster than any input of a module counts, pulses a second; and so many more at once.
const FASTEST_PER_S: u64 = 100_000;
const AT_ONCE: u64 = 1_000;
/// A belt that comes to a stop may rock: less than this part of the way to the gate is not lost.
const ROCKS: u32 = 50;

/// An encoder's count and rate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Encoder {
    /// The furthest it came.
    count: u32,
    /// Pulses since the first poll; does not wrap.
    total: u64,
    at_us: u64,
    /// Pulses a second, of late.
    rate: f64,
}

impl<L: Law> Line<L> {
    pub(super) fn move_belts(&mut self, device: DeviceNo, poll: &Poll) {
        for (number, on) in &poll.inputs {
            let b = self.belts.entry(Point { device, kind: PointKind::Input, number: *number }).or_default();
            b.total_us = b.total(poll.at_us);
            (b.on, b.at_us) = (*on, poll.at_us);
        }
        let mut lost = Vec::new();
        for (number, value) in &poll.counters {
            let point = Point { device, kind: PointKind::Counter, number: *number };
            let rocks = self.rocks(point);
            let e = self.encoders.entry(point).or_default();
            let (forward, back) = (value.wrapping_sub(e.count), e.count.wrapping_sub(*value));
            let dt = poll.at_us.saturating_sub(e.at_us).max(1);
            let (by, count) = match () {
                () if e.at_us == 0 => (0, *value),
                // The way it goes forward again is counted already.
                () if back <= rocks => (0, e.count),
                () if forward > u32::MAX / 2 || u64::from(forward) > AT_ONCE + dt * FASTEST_PER_S / 1_000_000 => {
                    lost.push(point);
                    (0, *value)
                }
                () => (forward, *value),
            };
            if e.at_us != 0 && !lost.contains(&point) {
                e.rate = e.rate * 0.7 + 0.3 * f64::from(by) * 1e6 / dt as f64;
            }
            (e.count, e.total, e.at_us) = (count, e.total + u64::from(by), poll.at_us);
        }
        lost.into_iter().for_each(|encoder| self.lose_places(encoder));
    }

    /// So far back an encoder may go without anything being lost; 0: no gate goes by it.
    fn rocks(&self, encoder: Point) -> u32 {
        let ways = self.plan.stations.iter().filter_map(|s| match s.gate?.after {
            After::Pulses { n, encoder: e } if e == encoder => Some((n / ROCKS).max(2)),
            _ => None,
        });
        ways.min().unwrap_or(0)
    }

    /// Where a thing at the trigger stands now, in the gate's own measure.
    pub(super) fn position(&self, gate: &Gate, at_us: u64) -> u64 {
        match gate.after {
            After::Pulses { encoder, .. } => self.encoders.get(&encoder).map_or(0, |e| {
                let ahead = e.rate * at_us.saturating_sub(e.at_us).min(50 * MS) as f64 / 1e6;
                e.total + ahead as u64
            }),
            After::Ms { belt: Some(p), .. } => self.belts.get(&p).map_or(0, |b| b.total(at_us)),
            After::Ms { belt: None, .. } => at_us,
        }
    }

    /// `us` of travel in the gate's own measure.
    pub(super) fn travel(&self, gate: &Gate, us: u64) -> u64 {
        match gate.after {
            After::Pulses { encoder, .. } => self.encoders.get(&encoder).map_or(0, |e| (e.rate * us as f64 / 1e6).round() as u64),
            After::Ms { .. } => us,
        }
    }

    /// When a position will be reached, if the belt moves.
    pub(super) fn time_of(&self, gate: &Gate, position: u64) -> Option<u64> {
        let now_us = self.now.mono_us;
        match gate.after {
            After::Pulses { encoder, .. } => {
                let e = self.encoders.get(&encoder)?;
                (e.rate > 0.5).then(|| e.at_us + (position.saturating_sub(e.total) as f64 * 1e6 / e.rate) as u64)
            }
            After::Ms { belt: Some(p), .. } => {
                let b = self.belts.get(&p)?;
                b.on.then(|| b.at_us + position.saturating_sub(b.total_us))
            }
            After::Ms { belt: None, .. } => Some(position),
        }
        .map(|t| t.max(now_us))
    }

    /// May things be moving towards this gate, as far as is known?
    pub(super) fn moves(&self, gate: &Gate) -> bool {
        match gate.after {
            After::Pulses { encoder, .. } => self.encoders.get(&encoder).is_none_or(|e| e.rate > 0.5),
            After::Ms { belt: Some(p), .. } => self.belts.get(&p).is_none_or(|b| b.on),
            After::Ms { belt: None, .. } => true,
        }
    }
}
