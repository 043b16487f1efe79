//! The device side of every protocol, sans-IO: what a printer, reader or I/O module answers to bytes, and what it does
//! to the things on the belt.
//!
//! Must never know: sockets, clocks, the host's half (`wire`): the bytes follow the devices' documents, so that the
//! two halves are independent readings of them.
//!
//! Invariants: same seed, same inputs, same emissions; input is bounded and never panics; nothing is emitted to a link
//! that is not open.

pub mod codenet;
pub mod commands;
pub mod label;
pub mod modbus;
mod outbox;
pub mod reader;

pub use codenet::{Codenet, CodenetHow};
pub use commands::Commands;
pub use label::{Label, LabelPrinter};
pub use modbus::{Modbus, ModbusHow};
pub use reader::Reader;

use super::bench::Trouble;

/// One connection of a device, numbered by whoever carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub u32);

impl Link {
    /// For carriers that have one link a device.
    pub const FIRST: Self = Self(0);
    /// Numbers of connections to a device's own address for commands begin above this.
    pub const ASIDE: u32 = 1 << 30;

    /// A connection to the address for commands.
    pub fn is_aside(self) -> bool {
        self.0 > Self::ASIDE
    }
}

/// What a device does to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Emission {
    Send(Vec<u8>),
    HangUp,
}

/// A device's half of the conversation. The carrier calls in, then drains `poll` to quiet; `deadline` says when `due`
/// must be called at the latest. Times are the world's µs.
pub trait DeviceSide: Send {
    fn connected(&mut self, link: Link, now_us: u64);
    fn disconnected(&mut self, link: Link, now_us: u64);
    fn received(&mut self, link: Link, bytes: &[u8], now_us: u64);
    fn due(&mut self, now_us: u64);
    fn deadline(&self) -> Option<u64>;
    fn poll(&mut self) -> Option<(Link, Emission)>;
    /// Power goes (`on = false`: whatever power loses is lost, links are gone) or comes back.
    fn power(&mut self, on: bool, now_us: u64);
    /// A trouble that the device itself has; one that its kind cannot have is ignored. Link and power are the rig's.
    fn trouble(&mut self, what: Trouble, now_us: u64);
}
