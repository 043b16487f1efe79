//! The sans-IO heart: passages, verdicts, the life of codes and parents, leases, windows, gates.
//!
//! Must never know: tokio, clocks, SQL, devices' protocols.

pub mod book;
pub mod life;
pub mod rows;

pub use book::Book;
pub use rows::Row;
