//! The book on disk: the only SQL. One writer, many readers, immutable segments, marks beside them.
//!
//! Must never know: devices, upstream formats, packing rules (it stores the row images that `line` hands out).
//!
//! Invariants: events of one decision commit together with their rows and the chain's head; a `Sent` is committed only
//! when the pack's mark on disk lies above it; after an error nothing more is written.

mod chain;
pub mod codebook;
pub mod core;
mod error;
mod fits;
mod ignore;
pub mod import;
mod load;
mod lock;
mod marks;
mod merged;
pub mod offline;
mod pace;
pub mod packs;
mod public;
pub mod ranges;
pub mod reader;
pub mod relation;
mod report;
mod schema;
mod segment;
mod speed;
mod survey;
pub mod tokens;
mod trace;
mod upsert;
pub mod writer;

pub use codebook::Codebook;
pub use core::{Core, Hooks, OpenHow, Opened, Submission};
pub use error::{CommitError, OpenError};
pub use fits::other_rule;
pub use lock::Holder;
pub use merged::MakeError;
pub use speed::Speed;
pub use writer::{Outcome, Writer};

#[cfg(test)]
mod tests;
