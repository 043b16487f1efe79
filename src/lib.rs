//! packmark: one packing line, one book.
pub mod audit;
pub mod config;
pub mod control;
pub mod device;
pub mod ledger;
pub mod line;
pub mod profile;
pub mod sim;
pub mod tui;
pub mod vocab;
pub mod wire;
