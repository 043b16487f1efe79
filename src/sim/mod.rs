//! The simulated world: devices that speak the real protocols, a belt with things on it, faults, an operator; in its own
//! process over sockets (`simulate`), or in one thread on virtual time from one seed (`shift`).
//!
//! Nothing here is known to the daemon's rooms; the world meets the daemon on the wire alone.

pub mod bench;
pub mod emul;
pub mod example;
pub mod process;
pub mod related;
pub mod replay;
pub mod rig;
pub mod shift;
#[cfg(test)]
mod soak;
pub mod world;

pub use process::SimulateArgs;
