//! What goes into the line and what comes out: one `Input` in, one `Decision` out.

use super::rows::PackRow;
use super::supply::Supplied;
use crate::vocab::event::Origin;
use crate::vocab::report::Poll;
use crate::vocab::token::TokenRule;
use crate::vocab::{CodeRef, DeviceNo, Event, ItemState, Order, OrderNo, PackNo, Report};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug)]
pub enum Input {
    /// The first input of a boot. `last_wall_us`: the wall time of the newest event, if any; `restored`: codes that an
    /// older copy of the ledger does not know to be sent.
    Booted {
        clean: bool,
        last_wall_us: Option<i64>,
        restored: Vec<CodeRef>,
        /// Of what lies in parents that are open: what it was made to be packed in, where its delivery said so.
        made_for: Vec<(CodeRef, CodeRef)>,
    },
    /// Anything a device tells except frames and polls.
    Report {
        device: DeviceNo,
        report: Report,
    },
    /// A reader's frame, its codes resolved in the segments.
    Frame {
        device: DeviceNo,
        at_us: u64,
        reading: Reading,
    },
    Poll {
        device: DeviceNo,
        poll: Poll,
    },
    /// Everything up to this ticket is on disk.
    Committed {
        ticket: u64,
    },
    /// How the writer stands; asked for at least every 100 ms while events wait.
    Writer {
        oldest_ms: u64,
        full: bool,
    },
    Command {
        id: u64,
        key: Option<String>,
        op: Op,
    },
    /// An import ended well; the segment files stand. `more`: further fields of its answer.
    PackReady {
        id: u64,
        key: Option<String>,
        pack: NewPack,
        more: Vec<(String, String)>,
    },
    /// An import that ended badly, or was refused before it began: the book keeps the answer to its key.
    PackRefused {
        id: u64,
        key: Option<String>,
        answer: Answer,
    },
    /// Something outside the line wants an operator's eye, or wants it no more.
    Alarm {
        name: String,
        on: bool,
    },
    /// An import ended well, and its codes are what an order asked for.
    Delivered {
        id: u64,
        key: Option<String>,
        pack: NewPack,
        more: Vec<(String, String)>,
        order: OrderNo,
    },
    /// What the supply side wants in the book.
    Supply(Supplied),
    /// Orderly end (SIGTERM).
    Stop,
    Tick,
}

/// A frame with its codes resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    NoRead,
    Fault(String),
    Data(Vec<Mark>),
}

/// One position of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The reader saw nothing at this position.
    NoRead,
    /// In no accepted pack.
    Unknown(Vec<u8>),
    /// `exact`: byte for byte, after the declared normalisation. `twin`: not the first code of its row (on the cap, say):
    /// it names the item and proves no ink. `made_for`: the code of the parent it was made to be packed in, where the
    /// delivery said so; the line holds no relation of its own. `poor`: its grade is too low, or not known where one is
    /// asked for.
    Code { code: CodeRef, exact: bool, twin: bool, made_for: Option<CodeRef>, poor: bool },
}

impl Mark {
    /// An item's first code, byte for byte, made for nothing in particular.
    pub const fn of(code: CodeRef) -> Self {
        Self::Code { code, exact: true, twin: false, made_for: None, poor: false }
    }

    /// The item it names.
    pub const fn item(&self) -> Option<CodeRef> {
        match self {
            Self::Code { code, .. } => Some(*code),
            Self::NoRead | Self::Unknown(_) => None,
        }
    }

    /// As its grade makes it.
    pub fn graded(mut self, is_poor: bool) -> Self {
        if let Self::Code { poor, .. } = &mut self {
            *poor = is_poor;
        }
        self
    }

    pub const fn is_twin(&self) -> bool {
        matches!(self, Self::Code { twin: true, .. })
    }

    /// Nothing new beside `other`: the same, or a further code of the same item.
    pub fn says_no_more_than(&self, other: &Self) -> bool {
        self == other || matches!(self, Self::Code { code, exact: true, twin: true, .. } if other.item() == Some(*code))
    }

    /// Any code of an item names it as well as any other.
    pub fn as_any_code(mut self) -> Self {
        if let Self::Code { twin, .. } = &mut self {
            *twin = false;
        }
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPack {
    pub no: PackNo,
    pub id: String,
    pub level: String,
    pub product: String,
    pub count: u32,
    pub origin: Origin,
    pub purpose: Option<String>,
    /// The last day (UTC) on which its codes may be put on things, as 2027-01-31.
    pub expiry: Option<String>,
    /// Its codes are on the market already.
    pub used: bool,
    /// Its tokens were drawn at random here.
    pub drawn: Option<TokenRule>,
    /// What was left out of it.
    pub skipped: Skipped,
    /// The pack of what its items were made to be packed in, which came with it.
    pub above: Option<Box<NewPack>>,
}

/// Codes of a delivery that were left out because they were there before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// They stood in the delivery before.
    pub within: u32,
    /// An accepted pack or range holds them.
    pub earlier: u32,
    /// The first of them, a sentence each with both places.
    pub named: Vec<String>,
}

impl Skipped {
    /// A sentence for whoever asked for it; `None`: nothing was left out.
    pub fn note(&self) -> Option<String> {
        let Self { within, earlier, .. } = self;
        let all = within + earlier;
        (all > 0).then(|| {
            format!("{all} codes were left out: {within} stood in the delivery before, {earlier} were here before; the journal names the first of them")
        })
    }
}

impl NewPack {
    /// A pack of which nothing is said but its codes.
    pub fn new(no: PackNo, count: u32, origin: Origin) -> Self {
        let (id, level, product) = (String::new(), String::new(), String::new());
        let skipped = Skipped::default();
        Self { no, id, level, product, count, origin, purpose: None, expiry: None, used: false, drawn: None, skipped, above: None }
    }

    /// What its acceptance says, and that of the packs above it, in one commit.
    pub fn events(&self) -> Vec<Event> {
        let mut events = self.above.as_ref().map_or(Vec::new(), |a| a.events());
        let Self { no: pack, id, level, product, count, origin, purpose, expiry, used, drawn, skipped, .. } = self.clone();
        events.push(Event::PackAccepted { pack, id, level, product, count, origin });
        events.extend(purpose.map(|purpose| Event::Purpose { pack, purpose }));
        events.extend(expiry.map(|date| Event::PackExpiry { pack, date }));
        events.extend(used.then_some(Event::PackUsed { pack }));
        events.extend(drawn.map(|rule| Event::PackDrawn { pack, rule }));
        if skipped != Skipped::default() {
            let Skipped { within, earlier, named } = skipped;
            events.push(Event::DuplicatesSkipped { pack, within, earlier, named });
        }
        events
    }

    /// The rows of this pack and of those above it, so that their codes are found from then on.
    pub fn rows(&self) -> Vec<PackRow> {
        let mut rows = self.above.as_ref().map_or(Vec::new(), |a| a.rows());
        rows.push(self.row());
        rows
    }

    /// The row it will have, so that its codes are found from then on.
    pub fn row(&self) -> PackRow {
        let Self { no, id, level, product, count, origin, purpose, expiry, used, drawn, .. } = self.clone();
        PackRow { purpose, expiry, used, drawn, ..PackRow::new(no, id, level, product, count, origin) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    JobCreate {
        id: String,
        product: String,
        lot: String,
        target: Option<u32>,
        expiry: Option<String>,
    },
    JobStart {
        id: String,
    },
    JobHold {
        id: String,
    },
    JobResume {
        id: String,
    },
    JobComplete {
        id: String,
        void_open: bool,
    },
    JobAbort {
        id: String,
    },
    StationClear {
        station: String,
    },
    /// The gate of a station goes back to where it rests, until the line goes on.
    StationRetract {
        station: String,
    },
    /// Somebody heard the horn.
    HornOff,
    /// The wall clock was looked at and is right now.
    ClockTrust,
    /// The unused codes of a pack leave the pool for ever.
    PackWithdraw(Withdrawal),
}

/// A pack to void or to give back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    pub pack: String,
    /// Void or returned.
    pub to: ItemState,
    pub reason: String,
    pub who: Option<String>,
}

/// A reply. A refusal of a business rule is a value, not an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub ok: bool,
    /// Short and stable; empty when ok.
    pub code: String,
    /// What happened, as a sentence.
    pub message: String,
    /// What to do next.
    pub act: String,
    /// Further fields of a good answer.
    pub fields: Vec<(String, String)>,
}

impl Answer {
    pub fn ok() -> Self {
        Self { ok: true, code: String::new(), message: String::new(), act: String::new(), fields: Vec::new() }
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.fields.push((name.into(), value.to_string()));
        self
    }

    pub fn refused(code: &str, message: impl Into<String>, act: impl Into<String>) -> Self {
        Self { ok: false, code: code.into(), message: message.into(), act: act.into(), fields: Vec::new() }
    }
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Order {
        device: DeviceNo,
        order: Order,
    },
    /// Put this code on the next thing: the shell looks up its bytes.
    Print {
        device: DeviceNo,
        code: CodeRef,
    },
    /// As `Print`, rendered as a label.
    Label {
        device: DeviceNo,
        code: CodeRef,
        label: Label,
    },
    Reply {
        id: u64,
        answer: Answer,
    },
    /// An order (`ended`: its end) is on disk.
    OrderOnDisk {
        order: OrderNo,
        ended: bool,
    },
    /// Everything is settled: end the program.
    Exit,
}

/// What a label says beside its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub template: Option<String>,
    pub sscc: bool,
    pub lot: String,
    pub count: u32,
}

/// Events commit together; `now` effects leave at once, `after` effects when `ticket` is on disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The newest ticket given; grows by one with every decision that has events.
    pub ticket: u64,
    pub events: Vec<Event>,
    pub now: Vec<Effect>,
    pub after: Vec<Effect>,
    /// Somebody waits for the commit.
    pub wait: bool,
}
