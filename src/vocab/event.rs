//! Events are the only truth: the book, the tables and every document derive from them.
//!
//! Stored as postcard bytes, chained in order. Variants and fields are only ever appended as new variants; a stored
//! event is never re-encoded (`tests/it/frozen.rs` holds the bytes).

use super::ids::{CodeRef, DeviceNo, JobNo, LevelNo, OrderNo, PackNo, ParentNo, Passage, StationNo};
use super::sscc::RangeRule;
use super::states::{Doubt, ItemState, JobState, PackMl, Reason};
use super::supply::OrderOutcome;
use super::token::TokenRule;
use serde::{Deserialize, Serialize};

/// At most this many bytes of something unrecognised are kept, in hex, inside an event (promise noise-is-noise).
pub const MAX_UNKNOWN: usize = 256;

/// A code as a passage saw it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Seen {
    Known(CodeRef),
    /// In no accepted pack: its first 256 bytes.
    Unknown(Vec<u8>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NameKind {
    Level,
    Station,
    Device,
}

/// Where a pack's codes stand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Origin {
    /// Segment files `packs/<id>-<n>.seg`; sha256 of the delivered files' bytes in order.
    Segments { sha256: [u8; 32] },
    /// A formula.
    Range(RangeRule),
    /// As `Segments`; beside them `packs/<id>.rel` says which code of the pack `parents` each item was made to be packed
    /// in. The pack `parents` came with the same delivery.
    Related { sha256: [u8; 32], parents: PackNo },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A name got its number in this store.
    Named {
        kind: NameKind,
        no: u8,
        name: String,
    },
    /// A daemon started. `missed`: what each trigger counter advanced while no daemon ran (`None`: it went backwards
    /// or was never seen). Journal: `restart`.
    Started {
        clean: bool,
        missed: Vec<(StationNo, Option<u32>)>,
    },
    /// A daemon ended in order.
    Stopped,
    PackAccepted {
        pack: PackNo,
        id: String,
        level: String,
        product: String,
        count: u32,
        origin: Origin,
    },
    JobCreated {
        job: JobNo,
        id: String,
        product: String,
        lot: String,
        target: Option<u32>,
        expiry: Option<String>,
    },
    /// Journal: `job{id,to}`.
    JobMoved {
        job: JobNo,
        to: JobState,
    },
    /// `count` codes of a pack from ordinal `from` belong to the job now. Journal: `leased{pack,from,count}`.
    Leased {
        job: JobNo,
        pack: PackNo,
        from: u32,
        count: u32,
    },
    /// Unused at the job's end: pooled again.
    Unleased {
        job: JobNo,
        pack: PackNo,
        from: u32,
        count: u32,
    },
    /// Committed before the first byte of any of them leaves.
    Sent {
        device: DeviceNo,
        codes: Vec<CodeRef>,
    },
    /// The printer says so.
    Printed {
        device: DeviceNo,
        codes: Vec<CodeRef>,
    },
    Doubtful {
        device: Option<DeviceNo>,
        codes: Vec<CodeRef>,
        why: Doubt,
    },
    /// Never to be used again.
    Void {
        codes: Vec<CodeRef>,
    },
    /// Printed, and its reader's passage is over without it.
    Missing {
        codes: Vec<CodeRef>,
    },
    /// Known good until now, and withdrawn (a restart found them short of their gate).
    Withdrawn {
        codes: Vec<CodeRef>,
        reason: Reason,
    },
    /// A code seen that is not a passage's verdict: late evidence, a repeated scan. Journal: `read`.
    Read {
        station: StationNo,
        seen: Seen,
    },
    /// The verdict on a passage. `to`: the state its code gets, if any. `revises`: an earlier good verdict on the same
    /// passage is taken back.
    Verdict {
        station: StationNo,
        passage: Passage,
        good: bool,
        reason: Option<Reason>,
        seen: Option<Seen>,
        to: Option<ItemState>,
        revises: bool,
    },
    /// Its gate time went by under a living daemon. `queue`: the sequence station that now expects it.
    Through {
        station: StationNo,
        code: CodeRef,
        queue: Option<StationNo>,
    },
    /// A rejected passage is shown to have got by.
    Escaped {
        station: StationNo,
        passage: Passage,
        was: Reason,
        code: CodeRef,
    },
    /// `code`: of a pre-printed parent.
    Opened {
        parent: ParentNo,
        station: StationNo,
        level: LevelNo,
        code: Option<CodeRef>,
    },
    /// A child joined an open parent.
    Gathered {
        parent: ParentNo,
        code: CodeRef,
    },
    /// Children fixed, number burnt.
    Closed {
        parent: ParentNo,
        code: Option<CodeRef>,
        children: Vec<CodeRef>,
    },
    /// Its label is ordered from the printer.
    Labelling {
        parent: ParentNo,
    },
    /// The label was read on the thing itself: children packed, its own code verified.
    Sealed {
        parent: ParentNo,
        station: StationNo,
    },
    /// The label was not read in time or another was: this number is void, `next` is the new one for the same children.
    Relabelled {
        parent: ParentNo,
        void: CodeRef,
        next: CodeRef,
    },
    /// The parent is no more; its children are loose again. `broken`: it had been sealed.
    Undone {
        parent: ParentNo,
        broken: bool,
        reason: Option<Reason>,
    },
    /// A child left a parent. Journal: `taken-out`.
    TakenOut {
        parent: ParentNo,
        code: CodeRef,
        why: String,
    },
    /// Out of step: what a sequence station expected is forgotten.
    Purged {
        station: StationNo,
    },
    /// Someone says that the physical parent of this station is empty.
    StationCleared {
        station: StationNo,
    },
    /// The wall clock stepped against the monotonic one. `suspect`: the flag from now on.
    Clock {
        step_ms: i64,
        suspect: bool,
    },
    /// The line's PackML state changed.
    LineMoved {
        to: PackMl,
        reason: Option<String>,
    },
    /// An alarm came or went.
    Alarm {
        name: String,
        on: bool,
    },
    /// A trigger counter's reading when this many passages had been decided: the base for what is missed later.
    Counter {
        station: StationNo,
        value: u32,
    },
    /// The rejects in a row were looked into; counting starts anew.
    Forgiven {
        station: StationNo,
    },
    /// From now on these stations' passages count for the job.
    Headline {
        stations: Vec<StationNo>,
    },
    /// The first answer to a request with a key, given again for every repetition.
    Answered {
        key: String,
        answer: String,
    },
    /// These keys were answered long ago and are not kept any more (CONTRACT: 7 days or 10,000, whichever is more).
    Forgotten {
        keys: Vec<String>,
    },
    /// What the codes of a pack are for (防伪, 溯源, 营销 …), in the words of whoever imported it.
    Purpose {
        pack: PackNo,
        purpose: String,
    },
    /// The last day (UTC, `2027-01-31`) on which codes of a pack may be put on things.
    PackExpiry {
        pack: PackNo,
        date: String,
    },
    /// The codes of a pack are on the market already, from the system before this one: none is ever used here, and a
    /// carrier of one that turns up on the line is a second one.
    PackUsed {
        pack: PackNo,
    },
    /// The tokens of a pack were drawn at random here.
    PackDrawn {
        pack: PackNo,
        rule: TokenRule,
    },
    /// Every code of a pack that was neither used nor seen leaves the pool for ever: `to` is void or returned, `count`
    /// how many they are. `Withdrew` events of the same commit name them.
    PackWithdrawn {
        pack: PackNo,
        to: ItemState,
        count: u32,
        reason: String,
        who: Option<String>,
    },
    /// `count` codes of a withdrawn pack from ordinal `from`, at most `MAX_RUN`. Journal: a line a code, `void` or
    /// `returned`.
    Withdrew {
        pack: PackNo,
        from: u32,
        count: u32,
        to: ItemState,
    },
    /// A range ends with its first `count` numbers: the rest was never issued and is given up, to another range.
    RangeCut {
        pack: PackNo,
        count: u32,
    },
    /// Codes of this pack's delivery that somebody chose to leave out, because they stood in it before (`within`) or in
    /// an earlier pack or range (`earlier`). `named`: a sentence each for the first of them, with both places. Journal:
    /// `duplicates-skipped`.
    DuplicatesSkipped {
        pack: PackNo,
        within: u32,
        earlier: u32,
        named: Vec<String>,
    },
    /// Codes are asked for upstream. On disk before the request leaves, so that it can be asked again by its token.
    Ordered {
        order: OrderNo,
        level: String,
        product: String,
        count: u32,
        token: String,
    },
    /// An order is over. `pack`: where its codes are; `lost`: codes the other side may count as given that never came.
    OrderEnded {
        order: OrderNo,
        outcome: OrderOutcome,
        pack: Option<PackNo>,
        lost: u32,
        why: Option<String>,
    },
    /// A setup print, no code (`vocab::dummy`), with no job running. Committed before its bytes leave. Journal: `setup-print`.
    SetupPrint {
        device: DeviceNo,
        dummy: String,
    },
}

/// Most codes in one `Withdrew`: what a reader of the journal must hold at once.
pub const MAX_RUN: u32 = 1 << 14;

impl Event {
    /// The pack whose life this event is about; events about single codes are none.
    pub const fn pack(&self) -> Option<PackNo> {
        match self {
            Self::PackAccepted { pack, .. }
            | Self::Purpose { pack, .. }
            | Self::Leased { pack, .. }
            | Self::Unleased { pack, .. }
            | Self::PackExpiry { pack, .. }
            | Self::PackUsed { pack }
            | Self::PackDrawn { pack, .. }
            | Self::PackWithdrawn { pack, .. }
            | Self::RangeCut { pack, .. }
            | Self::DuplicatesSkipped { pack, .. } => Some(*pack),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_their_bytes() {
        let e = Event::Verdict {
            station: StationNo(1),
            passage: Passage(77),
            good: false,
            reason: Some(Reason::NoRead),
            seen: None,
            to: None,
            revises: false,
        };
        let bytes = postcard::to_stdvec(&e).unwrap();
        assert_eq!(postcard::from_bytes::<Event>(&bytes).unwrap(), e);
        assert!(bytes.len() < 12, "{} bytes", bytes.len());
    }
}
