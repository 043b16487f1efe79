//! The only place that asks the machine what time it is.

use crate::vocab::Now;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Both clocks, read together. `Copy`, so that every room's shell can carry one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// Test hook: the wall clock is off by this much.
    offset_us: i64,
}

impl Clock {
    pub fn start(offset_s: i64) -> Self {
        Self { start: Instant::now(), offset_us: offset_s * 1_000_000 }
    }

    pub fn now(&self) -> Now {
        Now::new(self.mono_us(), wall_us() + self.offset_us)
    }

    /// Microseconds since the start of this boot, from 1 (0 means "never" in places).
    pub fn mono_us(&self) -> u64 {
        self.start.elapsed().as_micros() as u64 + 1
    }
}

fn wall_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64)
}
