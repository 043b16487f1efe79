//! How packs are ordered from a pool upstream: the rules of `[[supply]]`, and how an order ends.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One `[[supply]]`: when the pool of a level and product falls under `low`, `order` codes are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplyRule {
    pub level: String,
    pub product: String,
    /// The product's, for `{gtin}`.
    pub gtin: Option<String>,
    /// The line's id, for `{line}`.
    pub line: String,
    /// Codes in the pool below which an order is made.
    pub low: u32,
    /// Codes asked for at a time.
    pub order: u32,
    /// For table deliveries: `code=1` or `code=HEADER`.
    pub column: Option<String>,
    pub repeat: Repeat,
    /// Between two looks for something that is still being made ready, in seconds.
    pub every_s: u32,
    pub via: Via,
}

/// What the other side does when it is asked a second time with the same token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It answers with the same codes: a lost reply costs nothing.
    Same,
    /// It hands out new ones: codes of a lost reply are lost, and an order is asked once.
    New,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    Http(Box<Http>),
    /// An order file is put into `outbox`; the delivery appears in `inbox`, named by the token.
    Folder {
        outbox: PathBuf,
        inbox: PathBuf,
    },
}

/// A request as a template; placeholders `{count} {token} {level} {product} {gtin} {line}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    pub post: bool,
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// Headers whose values stand in files: secrets.
    pub header_files: Vec<(String, PathBuf)>,
    pub body: Option<String>,
    pub form: Form,
    /// PEM: then only these authorities are trusted, instead of the public ones.
    pub ca: Option<PathBuf>,
    pub connect_s: u32,
    /// For the whole exchange.
    pub timeout_s: u32,
    /// Bound of a reply's body.
    pub max_mb: u32,
    pub poll: Option<Poll>,
}

/// How the codes stand in a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON pointers (RFC 6901): to the array, and within its objects to the code where it holds objects.
    Json { codes: String, code: Option<String> },
    /// One code a line, or a table with a `column`.
    Text,
}

/// Order, then ask until it is ready, then fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    pub url: String,
    /// Ready when the value at `pointer` is `equals` (numbers and booleans as JSON writes them).
    pub pointer: String,
    pub equals: String,
    /// Where the codes are then; else the poll's own answer holds them.
    pub fetch: Option<String>,
}

/// How an order ended. Stored for ever inside events: only appended to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum OrderOutcome {
    /// Its codes are in a pack.
    Delivered,
    /// What came were the codes of a pack accepted before, all of them: nothing is lost.
    FetchedTwice,
    /// Asked, never received: the other side may count them as given.
    Lost,
    /// Ended by somebody, with a reason.
    Cancelled,
}

impl OrderOutcome {
    pub fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::FetchedTwice => "fetched-twice",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The beginning of an order's token, enough to tell orders apart. The whole of it fetches codes and is shown to nobody.
pub fn token_head(token: &str) -> &str {
    token.get(..8).unwrap_or(token)
}
