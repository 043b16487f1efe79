//! GS1 codes, read and written by the GS1 Barcode Syntax Dictionary that stands beside this file
//! (`gs1-syntax-dictionary.txt`, Copyright GS1 AISBL, Apache-2.0, `LICENSE.apache2`): no table of AIs is written by hand.
//!
//! One [`Message`] is the AIs of one thing with their values. It is read from and written to
//! - an element string (`01…21…`, GS between where the dictionary asks for FNC1),
//! - the bracketed form (`(01)…(21)…`),
//! - scan data with its AIM identifier ([`scan`], ISO/IEC 15424),
//! - a Digital Link URI, uncompressed ([`link`], GS1 Digital Link URI Syntax),
//! - an EPC pure identity URN ([`epc`], GS1 EPC Tag Data Standard 6.3), for SGTIN and SSCC.
//!
//! Invariants:
//! - Every value of a `Message` has passed its charset, length and linters ([`Fault`] says which did not, and where).
//! - Which AIs may, must and must not stand together is judged apart ([`associations`]): a thing's AIs may be spread over
//!   several symbols, and then no single one can be judged.
//! - No input panics; all reading is linear in the input's length.

pub mod associations;
mod charset;
mod checks;
mod coupon;
mod dates;
pub mod dictionary;
pub mod epc;
mod escape;
mod fault;
pub mod identity;
mod iso;
pub mod link;
mod lint;
mod message;
mod refusal;
pub mod scan;

pub use charset::is_82;
pub use checks::{check_digit_holds, check_pair};
pub use dictionary::{Ai, dictionary};
pub use escape::{escape_path, escape_query, unescape_path, unescape_query};
pub use fault::{CouponFault, CouponPart, Fault};
pub use message::{Element, Message, Reading, split};
pub use refusal::Refusal;

/// What stands for FNC1 as a separator in transmitted data: GS, ASCII 29 (GS1 General Specifications 7.8.3).
pub const GS: u8 = 0x1d;
