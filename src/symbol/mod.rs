//! Two-dimensional symbols of a code, so that an integrator sees what will be printed: modules first, then a PNG, an SVG
//! or blocks on a terminal.
//!
//! Must never know: printers (they make their own symbols from bytes), stores, the line.
//!
//! Invariants:
//! - A symbol carries exactly the bytes it is given: no character set is announced (no ECI), none is converted, and
//!   Kanji mode and macros are never used.
//! - A GS1 symbol begins with FNC1, separates with GS (ASCII 29), and is of a message that was linted.

mod blocks;
mod matrix;
mod png;
mod svg;

pub use blocks::blocks;
pub use matrix::{Kind, Matrix, SymbolError, encode};
pub use png::png;
pub use svg::svg;

#[cfg(test)]
mod tests;
