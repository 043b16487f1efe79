//! One integration binary for everything that looks at the program from outside.

mod badpacks;
mod book;
mod daemon;
mod driven;
mod frozen;
mod gs1;
mod halfway;
mod handheld;
mod inbox;
mod label;
mod labels;
mod outsider;
mod packs;
mod played;
mod profiles;
mod readme;
mod refusals;
mod reject;
mod related;
mod schemas;
mod sealing;
mod serial;
mod shift;
mod source;
mod supply;
mod tidy;
