//! The imperative shell: builds the rooms, joins them by bounded channels, routes effects. The only caller of the clock.
//!
//! Must never know: rules.

mod board;
pub mod capture;
pub mod clock;
pub mod demo;
mod devices;
mod gs;
mod hooks;
pub mod imports;
mod inbox;
mod owner;
pub mod probe;
mod requests;
pub mod run;
mod supplies;
mod tail;
pub mod terms;

pub use demo::DemoArgs;
