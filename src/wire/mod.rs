//! Conversations with printers, readers and I/O modules, sans-IO: bytes and orders in, bytes and reports out.
//!
//! Must never know: tokio, clocks, SQL, packing rules. Time is a number handed in; a socket is somebody else's.
//!
//! Invariants: input is bounded (a framer drops what nobody ends); no input panics; a code is offered to a device once,
//! and again only after that device's explicit refusal of that very request where the profile says so.

mod checksum;
mod codenet;
mod commands;
pub mod framer;
#[cfg(test)]
mod fuzz;
mod hitachi;
pub mod label;
mod labelling;
mod modbus;
mod outbox;
pub mod probe;
pub mod reader;
pub mod transcript;

pub use modbus::Points;

use crate::profile::{Bound, Dialect};
use crate::vocab::plan::Address;
use crate::vocab::{DeviceNo, Order, Plan, Report};

/// Our half of a conversation over one link. The driver (tokio, or a simulator's virtual time) calls in, then drains
/// `poll` to quiet; `deadline` says when `due` must be called at the latest.
pub trait Conversation: Send {
    /// The link is open.
    fn opened(&mut self, now_us: u64);
    /// The link is gone, for whatever reason; the driver opens another by itself. Tells `Report::Down`.
    fn closed(&mut self, now_us: u64, why: &str);
    fn received(&mut self, bytes: &[u8], now_us: u64);
    /// Bytes by the link for commands, where the device has one of its own.
    fn received_aside(&mut self, bytes: &[u8], now_us: u64) {
        self.received(bytes, now_us);
    }
    fn ordered(&mut self, order: Order, now_us: u64);
    /// Work that time made due.
    fn due(&mut self, now_us: u64);
    /// The next moment (mono µs) at which `due` must be called.
    fn deadline(&self) -> Option<u64>;
    /// What is to be done next; `None`: nothing for now.
    fn poll(&mut self) -> Option<Action>;
    /// Nothing that was asked is unanswered: a link that lives for one request may be closed.
    fn between_requests(&self) -> bool {
        false
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bytes for the device, in order.
    Send(Vec<u8>),
    /// Bytes for the link for commands, where the device has one of its own; else for its only link.
    Command(Vec<u8>),
    /// News for the line.
    Tell(Report),
    /// Drop the link (a silence after a request: whatever comes later is not its answer). `closed` follows.
    HangUp { why: String },
}

/// What an address means that says nothing of its baud rate.
const USUAL_BAUD: u32 = 9_600;

/// What a conversation must know of its place on the line.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The link is a serial port (or a pty).
    pub serial: bool,
    /// Of that port; 0: not said, which is 9600.
    pub baud: u32,
    /// The points of an I/O module that are looked at.
    pub points: Points,
}

/// Our side of the conversation with one device of the plan.
pub fn converse(bound: &Bound, plan: &Plan, device: DeviceNo) -> Box<dyn Conversation> {
    let baud = if let Address::Serial { baud, .. } = plan.device(device).address { Some(baud) } else { None };
    converse_at(bound, Place { serial: baud.is_some(), baud: baud.unwrap_or(0), points: Points::of(plan, device) })
}

/// The same without a plan.
pub fn converse_at(bound: &Bound, place: Place) -> Box<dyn Conversation> {
    match bound.profile.dialect {
        Dialect::Codenet => Box::new(codenet::Codenet::new(bound, place.serial)),
        Dialect::Commands => Box::new(commands::Commands::new(bound)),
        Dialect::HitachiModbus => Box::new(hitachi::Hitachi::new(bound)),
        Dialect::Label => Box::new(labelling::Labelling::new(bound)),
        Dialect::Reader => Box::new(reader::Reader::new(bound)),
        Dialect::Modbus => {
            let baud = place.serial.then_some(if place.baud == 0 { USUAL_BAUD } else { place.baud });
            Box::new(modbus::Modbus::new(bound, place.points, baud))
        }
    }
}
