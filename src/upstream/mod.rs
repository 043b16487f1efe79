//! Where packs come from and reports go: the conversations with whoever stands above the line.
//!
//! Must never know: the line's rules, the ledger, the daemon's tasks. The supplier is sans-IO; sockets and files are in
//! `http`, `folder` and `spool` alone.

pub mod blanks;
pub mod extract;
mod folder;
mod http;
mod spool;
pub mod supplier;
#[cfg(test)]
mod tests;
mod transport;

pub use spool::Spool;
pub use supplier::{Answer, Failure, Fault, Supplier};
pub use transport::{Transport, delivery_token};
