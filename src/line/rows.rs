//! Images of what an event changed, as the ledger keeps them: the tables hold everything `Book::apply` needs, so that
//! `Book::from_rows(tables) == fold(journal)` at every crash step.

use crate::vocab::event::{NameKind, Origin};
use crate::vocab::supply::OrderOutcome;
use crate::vocab::token::TokenRule;
use crate::vocab::{
    CodeRef, ItemState, JobNo, JobState, LevelNo, OrderNo, PackMl, PackNo, ParentNo, ParentState, Passage, Reason, StationNo,
};
use std::collections::BTreeMap;

/// One row of the book as it stands after an event. Upserted by its key.
#[derive(Clone, PartialEq, Debug)]
pub enum Row {
    Name {
        kind: NameKind,
        no: u8,
        name: String,
    },
    Pack(PackRow),
    Code(CodeRef, Life),
    Parent(ParentNo, ParentRow),
    Job(JobRow),
    Lease(Lease),
    Station(StationNo, StationRow),
    /// The whole queue of a sequence station, head first.
    Queue(StationNo, Vec<CodeRef>),
    Line(LineRow),
    /// The first answer to a keyed request.
    Answer {
        key: String,
        answer: String,
    },
    /// That answer is kept no longer.
    Forget {
        key: String,
    },
    Order(OrderRow),
}

/// The life of one touched code (ever sent, read or settled).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Life {
    pub state: ItemState,
    pub reason: Option<Reason>,
    /// Its gate time went by under a living daemon, or its station has no gate.
    pub through: bool,
    /// How often it was read.
    pub seen: u32,
    /// 0: none.
    pub parent: ParentNo,
    /// 0: none.
    pub job: JobNo,
    /// The last passage with a verdict on it (station meaningful only when the passage is not 0).
    pub station: StationNo,
    pub passage: Passage,
}

impl Life {
    pub const fn new(state: ItemState, job: JobNo) -> Self {
        Self { state, reason: None, through: false, seen: 0, parent: ParentNo(0), job, station: StationNo(0), passage: Passage(0) }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct PackRow {
    pub no: PackNo,
    pub id: String,
    pub level: String,
    pub product: String,
    pub count: u32,
    pub origin: Origin,
    /// First ordinal never leased (printed and generated levels).
    pub next: u32,
    /// What its codes are for, if the importer said so.
    pub purpose: Option<String>,
    /// The last day (UTC) on which its codes may be put on things, as 2027-01-31.
    pub expiry: Option<String>,
    /// Its codes are on the market already; none is used here.
    pub used: bool,
    /// Its unused codes left the pool for ever.
    pub withdrawn: Option<Withdrawn>,
    /// Its tokens were drawn at random here.
    pub drawn: Option<TokenRule>,
}

/// What became of a pack's unused codes.
#[derive(Clone, PartialEq, Debug)]
pub struct Withdrawn {
    /// Void or returned.
    pub to: ItemState,
    pub reason: String,
}

impl PackRow {
    /// A pack of which nothing is leased yet.
    pub fn new(no: PackNo, id: String, level: String, product: String, count: u32, origin: Origin) -> Self {
        Self { no, id, level, product, count, origin, next: 0, purpose: None, expiry: None, used: false, withdrawn: None, drawn: None }
    }

    /// No code of it will ever be used (again).
    pub const fn is_closed(&self) -> bool {
        self.used || self.withdrawn.is_some()
    }

    /// The state of its codes that have no row, where that is not the pool.
    pub fn rest(&self) -> Option<ItemState> {
        match &self.withdrawn {
            Some(w) => Some(w.to),
            None => self.used.then_some(ItemState::Void),
        }
    }

    /// Its last day is over on `day` (days since 1970-01-01, UTC).
    pub fn expired_on(&self, day: i64) -> bool {
        self.expiry.as_deref().and_then(crate::vocab::time::day).is_some_and(|last| last < day)
    }

    pub const fn is_range(&self) -> bool {
        matches!(self.origin, Origin::Range(_))
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct ParentRow {
    pub level: LevelNo,
    pub station: StationNo,
    pub job: JobNo,
    pub code: Option<CodeRef>,
    pub state: ParentState,
    /// How often its number was replaced.
    pub relabels: u32,
    /// In the tables: the codes whose `parent` is this one.
    pub children: std::collections::BTreeSet<CodeRef>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct JobRow {
    pub no: JobNo,
    pub id: String,
    pub product: String,
    pub lot: String,
    pub target: Option<u32>,
    pub expiry: Option<String>,
    pub state: JobState,
    pub counts: Counts,
    /// Codes of the job that were ever doubtful.
    pub doubtful: u64,
}

/// A run of one pack's ordinals that belongs to a job. `from + used` is the next to send.
#[derive(Clone, PartialEq, Debug)]
pub struct Lease {
    pub job: JobNo,
    pub pack: PackNo,
    pub from: u32,
    pub count: u32,
    pub used: u32,
}

/// Passages decided: `verified + rejected + escaped` (the open ones are the floor's).
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    pub verified: u64,
    pub rejected: BTreeMap<Reason, u64>,
    pub escaped: u64,
}

impl Counts {
    pub fn decided(&self) -> u64 {
        self.verified + self.rejected.values().sum::<u64>() + self.escaped
    }
}

#[derive(Clone, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct StationRow {
    pub counts: Counts,
    /// Highest passage number with a verdict.
    pub last_passage: Passage,
    /// The trigger counter's reading when `counted_at` passages had been decided.
    pub counter_at: Option<u32>,
    pub counted_at: u64,
    /// Rejects in a row.
    pub rejects_in_row: u32,
    /// Out of step until someone says that the physical parent is empty.
    pub out_of_step: bool,
}

#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct LineRow {
    pub state: PackMl,
    pub reason: Option<String>,
    /// The job on the line, or the last one.
    pub job: Option<JobNo>,
    pub clock_suspect: bool,
    pub clean: bool,
    pub alarms: std::collections::BTreeSet<String>,
    /// Stations whose passages count for the job: those that verify the lowest level.
    pub headline: Vec<StationNo>,
}

/// An order for codes, from its token to its end.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct OrderRow {
    pub no: OrderNo,
    pub level: String,
    pub product: String,
    pub count: u32,
    pub token: String,
    /// `None`: open.
    pub end: Option<OrderEnd>,
}

#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct OrderEnd {
    pub outcome: OrderOutcome,
    pub pack: Option<PackNo>,
    pub lost: u32,
    pub why: Option<String>,
}
