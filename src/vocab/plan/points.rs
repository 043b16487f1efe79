//! What hangs on an I/O module's points: the run permit, lamps, gates.

use super::super::ids::DeviceNo;

/// The run permit: a level rewritten every `heartbeat_ms`; the I/O module's watchdog drops it `watchdog_ms` after the
/// last request, and the belt stands `belt_stop_ms` later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    pub output: Point,
    pub heartbeat_ms: u32,
    pub watchdog_ms: u32,
    pub belt_stop_ms: u32,
}

/// The lamps and the horn that the floor sees and hears. A colour that is not named is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackLight {
    pub red: Option<Point>,
    pub yellow: Option<Point>,
    pub green: Option<Point>,
    pub horn: Option<Point>,
    /// The horn falls silent by itself after this; none: it waits for somebody.
    pub horn_ms: Option<u32>,
    /// Every lamp is written again so often, changed or not.
    pub reassert_ms: u32,
}

impl StackLight {
    /// Its outputs: red, yellow, green, horn.
    pub fn outputs(&self) -> [Option<Point>; 4] {
        [self.red, self.yellow, self.green, self.horn]
    }
}

/// A point of an I/O module: `io1:out.8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    pub device: DeviceNo,
    pub kind: PointKind,
    pub number: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointKind {
    Input,
    Output,
    Counter,
    /// `io1:pulse.3`: output 3, energised for a time that the module itself keeps.
    Pulse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    pub output: Point,
    pub polarity: Polarity,
    pub after: After,
    pub pulse_ms: u32,
    pub tolerance_ms: u32,
    pub confirm: Option<Point>,
    /// That sensor covered for so long: something is stuck there.
    pub stuck_ms: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// Energise to let pass.
    Pass,
    /// Energise to reject.
    Reject,
}

/// When the middle of the thing is at the gate, counted from its trigger edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Pulses { n: u32, encoder: Point },
    Ms { ms: u32, belt: Option<Point> },
}
