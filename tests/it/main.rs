//! One integration binary for everything that looks at the program from outside.

mod daemon;
mod readme;
mod shift;
mod tidy;
