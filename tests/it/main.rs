//! One integration binary for everything that looks at the program from outside.

mod book;
mod driven;
mod frozen;
mod refusals;
mod schemas;
mod tidy;
