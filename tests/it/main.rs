//! One integration binary for everything that looks at the program from outside.

mod book;
mod daemon;
mod driven;
mod frozen;
mod halfway;
mod played;
mod readme;
mod refusals;
mod reject;
mod schemas;
mod shift;
mod tidy;
