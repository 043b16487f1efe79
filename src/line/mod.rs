//! The sans-IO heart: passages, verdicts, the life of codes and parents, leases, windows, gates.
//!
//! `Line::handle(Input, Now) -> Decision`: events first fold into the book in memory (`Book::apply`, the only mutator of
//! what is true), then the shell writes them; effects leave *now* or *after commit*. What is not in the book (open
//! passages, held frames, gate positions, printers' windows) is of this boot only, and a restart treats it as unknown.
//!
//! Must never know: tokio, clocks, SQL, devices' protocols.

mod bond;
pub mod book;
mod ending;
mod feed;
mod gate;
pub mod input;
pub mod jobs;
mod judge;
mod labels;
pub mod law;
pub mod life;
mod live;
mod motion;
mod mouth;
mod packing;
pub mod packs;
mod passage;
pub mod ranges;
pub mod release;
pub mod rows;
pub mod start;
pub mod summary;
pub mod supply;
#[cfg(test)]
mod tests;
mod tower;

pub use book::Book;
pub use input::{Answer, Decision, Effect, Input, Label, Mark, NewPack, Op, Reading, Skipped, Withdrawal};
pub use law::{Law, Sound};
pub use live::Line;
pub use release::Release;
pub use rows::Row;
pub use summary::Summary;
