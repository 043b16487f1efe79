//! Devices as tasks: a port (TCP, listening TCP, serial, pty, a keyboard's event device) and one driver loop for any conversation.
//!
//! Must never know: packing rules, protocols. Time is read from the clock handed in, nowhere else. Invariants: the
//! driver owns its buffers, so that nothing is lost when one of several waits wins; reading goes on while writing;
//! reports leave in order; after a link is gone the next one is opened by itself.

mod driver;
mod keys;
mod port;
mod timer;

pub use driver::{Clock, Device, Driven, Told, spawn};
pub use port::{Link, Opened, Port};
pub use timer::Timer;

#[cfg(test)]
mod tests;
