//! Firmware profiles: `firmware-profiles/*/*.toml` → values nobody needs to doubt.
//!
//! Shipped profiles are inside the binary; a file of the same name in a folder replaces one. Must never know: IO beyond
//! reading the files, time, protocols (a dialect is a name here and a conversation in `wire`).
//!
//! The words of the language are the types of `shape.rs` (all profiles), `printer.rs`, `label.rs` and `reader.rs`. Their JSON Schema is
//! `schemas/profile.json`: an editor completes with it, and `read/` refuses with it, so the two cannot differ. What a form
//! alone does not show (a printer without a buffer, a default that its own limits refuse) is in `read/meaning.rs`. A file
//! that says only what differs from another (`extends`) is made whole before either, in `read/extends.rs`.

mod bound;
pub mod bytes;
pub mod firmware;
pub mod label;
pub mod printer;
mod read;
pub mod reader;
mod shape;
mod shelf;
mod shipped;
pub mod talk;
#[cfg(test)]
mod tests;

pub use bound::Bound;
pub use printer::OnEmpty;
pub use shape::{Dialect, Kind, Link, Profile, SettingRule, Standing};
pub use shelf::Source;
pub use shipped::{Complaint, Profiles};
