//! The socket: one protocol for the console, the command line and any MES (CONTRACT, "Socket").
//!
//! Must never know: SQL, packing rules. The floor hands in a snapshot, a tail of the journal and a queue for commands.
//!
//! Invariants: a line is at most 64 KiB; a bad request fails only its own line; a client that does not read is dropped;
//! the TCP port only reads and shows the last four characters of a code.

pub mod alarms;
pub mod client;
mod mask;
pub mod phrases;
pub mod protocol;
pub mod server;

pub use protocol::Status;
