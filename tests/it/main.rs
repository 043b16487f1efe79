//! One integration binary for everything that looks at the program from outside.

mod shift;
mod tidy;
