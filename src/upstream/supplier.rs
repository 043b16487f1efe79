//! The supplier of one level and product, sans-IO: orders when the pool is low, asks, imports, waits, gives up.
//!
//! Must never know: sockets, files, tokens, clocks. Time comes in as microseconds, randomness as a seeded generator.
//!
//! Invariants: at most one order is open; nothing is asked before the order is on disk; with a server that hands out new
//! codes at every asking ([`Repeat::New`]) an order whose fate is unknown is never asked again, but ended as lost, and
//! at most [`LOSSES`] in a row before a person must look; whatever needs a person stays blocked until a person says so.

use crate::vocab::rng::Rng;
use crate::vocab::supply::{OrderOutcome, Repeat};
use crate::vocab::{OrderNo, PackNo};
use std::collections::VecDeque;

const SECOND: u64 = 1_000_000;
const FIRST_WAIT_S: u64 = 2;
const LONGEST_WAIT_S: u64 = 300;
/// What a server may ask us to wait at most.
const LONGEST_ASKED_WAIT_S: u64 = 3_600;
/// Answers in a row that hold no codes, before a person must look.
const UNREADABLE: u32 = 3;
/// Orders lost in a row, before a person must look: every one costs codes.
pub const LOSSES: u32 = 3;

/// How the supplier is set up.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub low: u32,
    pub order: u32,
    pub repeat: Repeat,
    pub every_s: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Codes in the pool now, and for how many minutes they last where the speed is known.
    Pool {
        codes: u64,
        minutes: Option<u64>,
    },
    /// The order asked for by [`Output::Record`] is on disk under this number.
    Stored(OrderNo),
    Answer(OrderNo, Answer),
    /// What came could not be imported.
    Refused(OrderNo, String),
    /// The import could not begin now (busy, or the disk): not the delivery's fault.
    NotNow(OrderNo, String),
    /// What came are codes of this pack, all of them.
    AlreadyHere(OrderNo, PackNo),
    /// The order's end is on disk: by us, by a delivery that came another way, by an operator.
    Ended(OrderNo),
    /// An operator: ask now.
    Try,
    Tick,
}

/// What a transport brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The codes are in the spool.
    Delivered,
    /// The order was taken; the codes are not ready.
    Pending,
    Failed(Failure),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub fault: Fault,
    /// A sentence: what happened and what to do. Never a code, never a secret.
    pub what: String,
    pub retry_after_s: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The other side certainly gave nothing: not reached, busy, empty.
    NotTaken,
    /// It may have given codes: silence, a cut answer, an error of its own.
    Unknown,
    /// An answer came whole, and no codes could be found in it. It is kept where it cannot be asked for again.
    Unreadable,
    /// The answer came whole and is kept; it cannot be worked on now (the disk).
    NotNow,
    /// An answer that can never be taken (too large): it may have given codes.
    Unfit,
    /// A person must mend something: credentials, address, rights.
    Denied,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Put an order for so many codes on disk, then say [`Input::Stored`].
    Record {
        count: u32,
    },
    /// `taken`: the other side has taken the order already; only look whether it is ready.
    Ask {
        order: OrderNo,
        count: u32,
        taken: bool,
    },
    Import(OrderNo),
    /// Put the order's end on disk, then say [`Input::Ended`].
    End {
        order: OrderNo,
        outcome: OrderOutcome,
        pack: Option<PackNo>,
        lost: u32,
        why: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    pub no: OrderNo,
    pub count: u32,
    /// The other side may count its codes as given.
    given: bool,
    taken: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Idle { not_before_us: u64 },
    Storing { count: u32 },
    Asking(Open),
    Importing(Open),
    Waiting { open: Open, at_us: u64 },
    Blocked { open: Option<Open>, why: String },
    Ending { open: Open, then: Then },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Then {
    Idle,
    /// Not before some time has gone by.
    Later,
    Blocked(String),
}

/// What can be shown of a supplier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `idle`, `asking`, `importing`, `waiting` or `blocked`.
    pub state: &'static str,
    pub order: Option<OrderNo>,
    pub next_try_us: Option<u64>,
    pub last_error: Option<String>,
    /// A person must look.
    pub refused: bool,
    /// The pool will be empty before the next try.
    pub down: bool,
}

pub struct Supplier {
    terms: Terms,
    rng: Rng,
    now_us: u64,
    state: State,
    out: VecDeque<Output>,
    pool: Option<(u64, Option<u64>)>,
    last_error: Option<String>,
    /// Failures since the last success, for the back-off.
    failures: u32,
    unreadable: u32,
    losses: u32,
    /// The last order brought codes that were here already.
    twice: bool,
}

impl Supplier {
    pub fn new(terms: Terms, rng: Rng) -> Self {
        Self {
            terms,
            rng,
            now_us: 0,
            state: State::Idle { not_before_us: 0 },
            out: VecDeque::new(),
            pool: None,
            last_error: None,
            failures: 0,
            unreadable: 0,
            losses: 0,
            twice: false,
        }
    }

    /// An order that was open when the last boot ended. `kept`: its answer came whole and lies in the spool; `restored`:
    /// an older copy of the ledger was put back, in which case its codes may have been used in a future nobody knows.
    pub fn resume(&mut self, no: OrderNo, count: u32, kept: bool, restored: bool) {
        let open = Open { no, count, given: true, taken: false };
        if restored {
            let why = "an older copy of the ledger was put back; the codes of this order may have been used since".into();
            self.lose(open, why, Then::Idle);
        } else if self.terms.repeat == Repeat::New && !kept {
            let why = "the program ended while the answer was awaited, and this source cannot give the same codes again".into();
            self.lose(open, why, Then::Later);
        } else {
            self.state = State::Waiting { open, at_us: 0 };
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// The next moment at which [`Input::Tick`] does something.
    pub fn deadline(&self) -> Option<u64> {
        match &self.state {
            State::Waiting { at_us, .. } => Some(*at_us),
            State::Idle { not_before_us } if self.is_low() => Some(*not_before_us),
            _ => None,
        }
    }

    pub fn handle(&mut self, input: Input, now_us: u64) {
        self.now_us = self.now_us.max(now_us);
        match input {
            Input::Pool { codes, minutes } => self.pool = Some((codes, minutes)),
            Input::Stored(no) => self.stored(no),
            Input::Answer(no, answer) => self.answered(no, answer),
            Input::Refused(no, why) => {
                if let Some(open) = self.importing(no) {
                    self.block(Some(open), why);
                }
            }
            Input::NotNow(no, why) => {
                if let Some(open) = self.importing(no) {
                    self.wait(open, why, None);
                }
            }
            Input::AlreadyHere(no, pack) => self.already_here(no, pack),
            Input::Ended(no) => self.ended(no),
            Input::Try => self.try_now(),
            Input::Tick => {}
        }
        self.due();
    }

    /// Is anything under way that an operator's cancel must not cut?
    pub fn is_busy(&self) -> bool {
        matches!(self.state, State::Storing { .. } | State::Asking(_) | State::Importing(_) | State::Ending { .. })
    }

    pub fn open(&self) -> Option<Open> {
        match &self.state {
            State::Asking(o) | State::Importing(o) | State::Waiting { open: o, .. } | State::Ending { open: o, .. } => Some(*o),
            State::Blocked { open, .. } => *open,
            State::Idle { .. } | State::Storing { .. } => None,
        }
    }

    pub fn standing(&self) -> Standing {
        let (state, next_try_us) = match &self.state {
            State::Idle { not_before_us } if self.is_low() && *not_before_us > self.now_us => ("waiting", Some(*not_before_us)),
            State::Idle { .. } => ("idle", None),
            State::Storing { .. } | State::Asking(_) => ("asking", None),
            State::Importing(_) | State::Ending { .. } => ("importing", None),
            State::Waiting { at_us, .. } => ("waiting", Some(*at_us)),
            State::Blocked { .. } => ("blocked", None),
        };
        let refused = state == "blocked";
        let failing = refused || self.failures > 0;
        let down = failing
            && self.pool.is_some_and(|(codes, minutes)| {
                let runs_dry_us = minutes.map(|m| self.now_us.saturating_add(m.saturating_mul(60 * SECOND)));
                codes == 0 || matches!((runs_dry_us, next_try_us), (Some(dry), Some(next)) if dry < next)
            });
        let order = self.open().map(|o| o.no);
        Standing { state, order, next_try_us, last_error: self.last_error.clone(), refused, down }
    }

    fn is_low(&self) -> bool {
        self.pool.is_some_and(|(codes, _)| codes < u64::from(self.terms.low))
    }

    fn due(&mut self) {
        match self.state {
            State::Idle { not_before_us } if self.is_low() && self.now_us >= not_before_us => self.record(),
            State::Waiting { open, at_us } if self.now_us >= at_us => self.ask(open),
            _ => {}
        }
    }

    fn record(&mut self) {
        let count = self.terms.order;
        self.state = State::Storing { count };
        self.out.push_back(Output::Record { count });
    }

    fn ask(&mut self, open: Open) {
        self.state = State::Asking(open);
        self.out.push_back(Output::Ask { order: open.no, count: open.count, taken: open.taken });
    }

    fn stored(&mut self, no: OrderNo) {
        if let State::Storing { count } = self.state {
            self.ask(Open { no, count, given: false, taken: false });
        }
    }

    fn answered(&mut self, no: OrderNo, answer: Answer) {
        // An answer to an order that ended another way is nobody's.
        let State::Asking(open) = self.state else { return };
        if open.no != no {
            return;
        }
        match answer {
            Answer::Delivered => {
                self.state = State::Importing(Open { given: true, ..open });
                self.out.push_back(Output::Import(no));
            }
            Answer::Pending => {
                self.succeeded();
                let at_us = self.now_us + u64::from(self.terms.every_s.max(1)) * SECOND;
                self.state = State::Waiting { open: Open { given: true, taken: true, ..open }, at_us };
            }
            Answer::Failed(f) => self.failed(open, f),
        }
    }

    fn failed(&mut self, open: Open, f: Failure) {
        let given = Open { given: true, ..open };
        let once = self.terms.repeat == Repeat::New;
        match f.fault {
            Fault::NotTaken => self.wait(open, f.what, f.retry_after_s),
            Fault::Denied => self.block(Some(open), f.what),
            Fault::Unknown | Fault::Unfit if once => self.lose(given, f.what, Then::Later),
            Fault::Unknown | Fault::NotNow => self.wait(given, f.what, f.retry_after_s),
            Fault::Unreadable if once => self.block(Some(given), f.what),
            Fault::Unfit => self.block(Some(given), f.what),
            Fault::Unreadable => {
                self.unreadable += 1;
                if self.unreadable >= UNREADABLE {
                    self.block(Some(given), f.what);
                } else {
                    self.wait(given, f.what, f.retry_after_s);
                }
            }
        }
    }

    fn importing(&self, no: OrderNo) -> Option<Open> {
        match self.state {
            State::Importing(open) if open.no == no => Some(open),
            _ => None,
        }
    }

    /// Once it is a repeated answer. Twice in a row it is a server that gives the same codes to different orders.
    fn already_here(&mut self, no: OrderNo, pack: PackNo) {
        let Some(open) = self.importing(no) else { return };
        if self.twice {
            let why = "the source gave the codes of an accepted pack twice in a row: ask whoever runs it".to_string();
            return self.block(Some(open), why);
        }
        self.twice = true;
        self.failures += 1;
        self.end(open, OrderOutcome::FetchedTwice, Some(pack), 0, None, Then::Later);
    }

    fn ended(&mut self, no: OrderNo) {
        if self.open().is_none_or(|o| o.no != no) {
            return;
        }
        // What came is not in the last look at the pool yet.
        self.pool = None;
        let then = match std::mem::replace(&mut self.state, State::Idle { not_before_us: self.now_us }) {
            State::Ending { then, .. } => then,
            // Not our doing: its codes were imported, here or by another way, or an operator gave it up.
            _ => {
                self.succeeded();
                (self.losses, self.twice, self.last_error) = (0, false, None);
                Then::Idle
            }
        };
        match then {
            Then::Idle => {}
            Then::Later => self.state = State::Idle { not_before_us: self.now_us + self.back_off() },
            Then::Blocked(why) => self.block(None, why),
        }
    }

    fn try_now(&mut self) {
        self.unreadable = 0;
        match self.state.clone() {
            State::Waiting { open, .. } | State::Blocked { open: Some(open), .. } => self.ask(open),
            State::Idle { .. } | State::Blocked { open: None, .. } => {
                self.losses = 0;
                self.record();
            }
            State::Storing { .. } | State::Asking(_) | State::Importing(_) | State::Ending { .. } => {}
        }
    }

    /// How many codes would be lost if the order were given up now.
    pub fn at_stake(&self) -> u32 {
        self.open().filter(|o| o.given).map_or(0, |o| o.count)
    }

    fn lose(&mut self, open: Open, why: String, then: Then) {
        self.losses += 1;
        self.failures += 1;
        self.last_error = Some(why.clone());
        let then = if self.losses >= LOSSES {
            Then::Blocked(format!("{LOSSES} orders in a row were lost; nothing more is asked until somebody looks. The last: {why}"))
        } else {
            then
        };
        self.end(open, OrderOutcome::Lost, None, open.count, Some(why), then);
    }

    fn end(&mut self, open: Open, outcome: OrderOutcome, pack: Option<PackNo>, lost: u32, why: Option<String>, then: Then) {
        self.state = State::Ending { open, then };
        self.out.push_back(Output::End { order: open.no, outcome, pack, lost, why });
    }

    fn block(&mut self, open: Option<Open>, why: String) {
        self.last_error = Some(why.clone());
        self.state = State::Blocked { open, why };
    }

    fn wait(&mut self, open: Open, why: String, retry_after_s: Option<u32>) {
        self.failures += 1;
        self.last_error = Some(why);
        let asked = retry_after_s.map_or(0, |s| u64::from(s).min(LONGEST_ASKED_WAIT_S) * SECOND);
        let at_us = self.now_us + self.back_off().max(asked);
        self.state = State::Waiting { open, at_us };
    }

    fn succeeded(&mut self) {
        (self.failures, self.unreadable) = (0, 0);
    }

    /// Doubling, and half of it by chance, so that lines that failed together do not come back together.
    fn back_off(&mut self) -> u64 {
        let longest_s = (FIRST_WAIT_S << self.failures.saturating_sub(1).min(16)).min(LONGEST_WAIT_S);
        let half = longest_s * SECOND / 2;
        half + self.rng.below(half + 1)
    }
}
