//! What the physics of a line needs of its devices, whatever carries their bytes.

use crate::vocab::DeviceNo;
use crate::vocab::plan::Point;

/// A fault that a device can be asked to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The link drops and comes back after `ms`.
    LinkLoss { ms: u32 },
    /// Power off for `ms`: link and buffer are gone.
    PowerCycle { ms: u32 },
    /// A printer forgets its buffer and says nothing.
    DropBuffer,
    /// The next request gets no answer.
    Silence,
    /// For `ms` it hears nothing and says nothing, its links stand.
    Deaf { ms: u32 },
    /// The next request (of a printer: the next code) is refused.
    Refuse,
    /// For `ms` a printer takes no code, as if its buffer were full, and prints what it has.
    Starve { ms: u32 },
    /// The next acknowledgement comes twice.
    DoubleAck,
    /// The next acknowledgement comes this much later.
    LateAck { ms: u32 },
    /// The next bytes leave in two halves, `ms` apart.
    Split { ms: u32 },
    /// The next two sendings leave glued together.
    Glue,
    /// A reader keeps its next frame and sends it after the link came back (or `ms` later).
    StaleFrame { ms: u32 },
    /// The next frame is sent twice.
    DoubleFrame,
    /// A printer stands with a fault for `ms`: paper out, ink system.
    Fault { ms: u32 },
    /// A label printer stands for `ms` for this reason.
    Stands { how: Stand, ms: u32 },
}

/// Why a label printer does not print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    MediaOut,
    RibbonOut,
    HeadOpen,
    Paused,
    Offline,
    BufferFull,
}

impl Stand {
    pub const ALL: [Self; 6] = [Self::MediaOut, Self::RibbonOut, Self::HeadOpen, Self::Paused, Self::Offline, Self::BufferFull];

    /// As a transcript writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::MediaOut => "media-out",
            Self::RibbonOut => "ribbon-out",
            Self::HeadOpen => "head-open",
            Self::Paused => "paused",
            Self::Offline => "offline",
            Self::BufferFull => "buffer-full",
        }
    }
}

/// The devices of one line, as the things on its belt meet them. Times are the world's µs.
pub trait Bench {
    /// The head of an item printer is in front of a thing: the bytes it inks, if any.
    fn print(&mut self, printer: DeviceNo, now_us: u64) -> Option<Vec<u8>>;
    /// What it inked last it had inked before: nothing new had come, and it repeats itself.
    fn repeated(&self, printer: DeviceNo) -> bool;
    /// The next label that has come out of a label printer: the code its symbol carries.
    fn label(&mut self, printer: DeviceNo, now_us: u64) -> Option<Vec<u8>>;
    /// A reader is triggered and sees these symbols, in its own order (`None`: one it cannot decode; empty: nothing
    /// there). Answers, for each, the bytes that leave on the wire (`None`: not decoded, or nobody is connected).
    fn read(&mut self, reader: DeviceNo, seen: &[Option<Vec<u8>>], now_us: u64) -> Vec<Option<Vec<u8>>>;
    /// A level on an input of an I/O module. The module itself counts rising edges (32 bits) of every input.
    fn input(&mut self, point: Point, on: bool, now_us: u64);
    /// The coil as it is now, watchdog included.
    fn output(&self, point: Point) -> bool;
    /// The module's watchdog has dropped its outputs.
    fn safe(&self, module: DeviceNo) -> bool;
    /// Somebody is connected.
    fn linked(&self, device: DeviceNo) -> bool;
    fn trouble(&mut self, device: DeviceNo, what: Trouble, now_us: u64);
}
