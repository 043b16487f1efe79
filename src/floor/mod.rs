//! The imperative shell: builds the rooms, joins them by bounded channels, routes effects. The only caller of the clock.
//!
//! Must never know: rules.

pub mod clock;
