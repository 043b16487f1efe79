//! Any printer whose profile says what is said to it (dialect `commands`): one request outstanding, answers told from
//! events by their form, codes credited by whatever that printer offers.
//!
//! Must never know: which thing a code is for. Invariants, the same as for every printer here:
//!
//! - A code's bytes leave once, and again only after an answer that the profile calls `full` or `busy` (it was not taken).
//! - A silence hangs up: nothing that comes later is an answer. Orders not yet offered are dropped with the link.
//! - Never more prints are told than codes were taken on this link since it was armed.
//! - An answer nobody waits for, or counts that cannot be true, are `OutOfStep`: hang up, arm again.
//! - What may still be in a buffer that nobody cleared takes its room, and its prints are nobody's.
//! - Of codes whose fate is open it is asked before it gets others; what it cannot prove is doubtful.
//!
//! What is heard is sorted in `hearing.rs`, sequences and what answers mean are in `steps.rs`, crediting in `credit.rs`, what
//! a lost printer proves in `reconcile.rs`, what is read back before it counts, and numbered records after a loss, in
//! `proof.rs`.

mod credit;
mod hearing;
mod proof;
mod reconcile;
mod steps;
mod trouble;
mod units;

use super::outbox::{Outbox, earliest};
use super::{Action, Conversation};
use crate::profile::Bound;
use crate::profile::bytes::Values;
use crate::profile::printer::{Means, Role};
use crate::profile::talk::{Step, Talk};
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, Order, Report};
use credit::Inside;
use hearing::said;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use steps::{Run, Seq};
pub(super) use units::{Unit, Units};

/// A printer in trouble is looked at, or adopted anew, this often.
const TROUBLE_US: u64 = 1_000 * MS;
/// A printer that is not up yet is asked again after so long.
const SETTLE_US: u64 = 500 * MS;
/// A refused code is offered again after so long, if nothing tells earlier of a print.
const AGAIN_US: u64 = 20 * MS;
const FULL_US: u64 = 250 * MS;
/// What has begun must end within this.
const AMIDST_US: u64 = 250 * MS;
/// Orders held at most; the line's window is far smaller.
const MOST_ORDERS: usize = 4_096;
/// Questions whether we listen, with nothing said behind them, before it counts as out of its mind.
const MOST_INQUIRIES: u32 = 16;
/// Times over that an answer may take, where the printer's own words start its time anew.
const MOST_WAITS: u64 = 3;
/// Refusals in a row with nothing in the buffer before the printer counts as not ready.
const EMPTY_REFUSALS: u32 = 50;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ask {
    Step(Run),
    Put(Inside),
    /// Reads back what was put, or asks whether the record is in the queue.
    Proof(Inside),
    /// Reads back a field that a step has set.
    FieldProof(Run),
    Status,
    /// What tells of prints.
    Confirm,
    /// Where its counter stands now that it holds codes.
    Base,
    /// Empties a field whose code was printed, before it is printed again.
    Blank,
}

#[derive(Debug)]
struct Asked {
    ask: Ask,
    role: Role,
    deadline_us: u64,
    /// However often its time starts anew, it ends here.
    latest_us: u64,
    /// What an answer must repeat, where it does.
    sent: Values,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Closed,
    Connecting,
    /// Connected, no job.
    Idle,
    Adopting,
    Ready,
    /// In trouble; adopted anew when that has gone.
    Unready,
}

/// What the line asked it to print with.
#[derive(Clone, Debug)]
struct Arm {
    message: Option<String>,
    fields: Vec<(String, String)>,
}

#[derive(Debug)]
struct Refused {
    again_us: u64,
    count: u32,
}

#[derive(Debug)]
pub struct Commands {
    bound: Bound,
    /// As this printer is spoken to: its firmware may differ.
    talk: Arc<Talk>,
    out: Outbox,
    units: Units,
    amidst_us: Option<u64>,
    stage: Stage,
    run: Option<Run>,
    /// What is asked of codes whose fate is open.
    questions: Vec<Step>,
    rounds: u32,
    asked: Option<Asked>,
    /// It asked whether we listen: what it says next is its own. Nothing is asked before that came, or before this moment.
    listening: Option<u64>,
    /// How often it has asked so without saying anything.
    inquiries: u32,
    /// A code that was put and is taken only when the printer confirms it.
    proof: Option<proof::Proof>,
    /// Nothing is asked before.
    pause_us: Option<u64>,
    /// Until when a printer may take to come up.
    settle_until_us: Option<u64>,
    arm: Option<Arm>,
    identity: Option<String>,
    /// Commands that this one has not.
    lacking: BTreeSet<Role>,
    trouble: Option<String>,
    status_due_us: u64,
    queue: VecDeque<(CodeRef, Vec<u8>)>,
    refused: Option<Refused>,
    clear_wanted: bool,
    disarm_wanted: bool,
    /// Emptied since this adoption began.
    cleared: bool,
    credit: credit::Credit,
}

impl Commands {
    /// # Panics
    /// For a profile of another dialect: it has nothing to say.
    pub fn new(bound: &Bound) -> Self {
        let talk = bound.profile.talk.clone().expect("a profile of the dialect commands was read with its talk");
        let place = |place: &str| bound.place(place);
        Self {
            credit: credit::Credit::new(bound),
            bound: bound.clone(),
            units: Units::new(talk.inbound.clone()).checked(talk.checking(&place), talk.doubling(&place)),
            talk,
            out: Outbox::default(),
            amidst_us: None,
            stage: Stage::Closed,
            run: None,
            questions: Vec::new(),
            rounds: 0,
            asked: None,
            listening: None,
            inquiries: 0,
            proof: None,
            pause_us: None,
            settle_until_us: None,
            arm: None,
            identity: None,
            lacking: BTreeSet::new(),
            trouble: None,
            status_due_us: 0,
            queue: VecDeque::new(),
            refused: None,
            clear_wanted: false,
            disarm_wanted: false,
            cleared: false,
        }
    }

    fn is_open(&self) -> bool {
        self.stage != Stage::Closed
    }

    /// Nothing is asked before.
    fn quiet_until_us(&self) -> Option<u64> {
        self.pause_us.max(self.listening)
    }

    fn can(&self, role: Role) -> bool {
        self.talk.has(role) && !self.lacking.contains(&role)
    }

    /// Nobody knows yet which firmware it is.
    fn talk_of_any(&mut self) {
        if let Some(talk) = &self.bound.profile.talk {
            self.talk = talk.clone();
        }
    }

    /// Sends a command. `values` are encoded already.
    fn ask(&mut self, ask: Ask, role: Role, values: Values, now_us: u64) {
        let of = |place: &str| values.bytes(place).map(<[u8]>::to_vec).or_else(|| self.bound.place(place));
        let (bytes, sum) = match self.talk.wrap(role, &of) {
            Ok(done) => done,
            Err(e) => return self.unready(&format!("cannot be told ({role:?}): {e}"), now_us),
        };
        let command = &self.talk.commands[&role];
        if command.pause_ms > 0 {
            self.pause_us = Some(now_us + u64::from(command.pause_ms) * MS);
        }
        let (answered, timeout_ms) = (!command.replies.is_empty(), command.timeout_ms);
        self.out.send(bytes);
        let sent = if sum.is_empty() { values } else { values.with("sum", sum) };
        let timeout_us = u64::from(timeout_ms) * MS;
        let (deadline_us, latest_us) = (now_us + timeout_us, now_us + MOST_WAITS * timeout_us);
        let asked = Asked { ask, role, deadline_us, latest_us, sent };
        if answered {
            self.asked = Some(asked);
        } else {
            self.answered(asked, Means::Ok, &Values::default(), None, now_us);
        }
    }

    /// The next request, when none is outstanding.
    fn advance(&mut self, now_us: u64) {
        // Commands without an answer follow one another.
        for _ in 0..64 {
            if !self.is_open() || self.asked.is_some() || self.quiet_until_us().is_some_and(|p| now_us < p) {
                return;
            }
            (self.pause_us, self.listening) = (None, None);
            if self.proof.is_some() {
                self.ask_proof(now_us);
                continue;
            }
            if self.run.is_none() && self.stage != Stage::Connecting {
                if self.clear_wanted {
                    self.begin(Seq::Clear, now_us);
                } else if self.disarm_wanted {
                    self.disarm_wanted = false;
                    self.forget_orders();
                    self.begin(Seq::Disarm, now_us);
                }
            }
            if self.run.is_some() {
                self.step(now_us);
                continue;
            }
            if !self.next_ask(now_us) {
                return;
            }
        }
    }

    /// Between sequences; false: nothing is to be asked now.
    fn next_ask(&mut self, now_us: u64) -> bool {
        let waiting = self.refused.as_ref().is_some_and(|r| now_us < r.again_us);
        match self.stage {
            Stage::Closed | Stage::Connecting | Stage::Adopting => false,
            Stage::Unready if now_us >= self.status_due_us && !self.may_ask_status() => {
                self.adopt(now_us);
                true
            }
            _ if now_us >= self.status_due_us && self.may_ask_status() => {
                self.ask(Ask::Status, Role::Status, Values::default(), now_us);
                true
            }
            Stage::Ready if self.credit.blank_due && self.queue.is_empty() => {
                self.credit.blank_due = false;
                self.ask(Ask::Blank, Role::Clear, Values::default(), now_us);
                true
            }
            Stage::Ready if self.credit.wants_base() && self.can(Role::Count) && self.can(Role::Fill) => {
                self.credit.basing = true;
                self.ask(Ask::Base, Role::Count, Values::default(), now_us);
                true
            }
            Stage::Ready if !waiting && self.has_room() => {
                match self.credit.must_look_first(now_us) {
                    Some(role) => self.ask(Ask::Confirm, role, Values::default(), now_us),
                    None => self.put(now_us),
                }
                true
            }
            Stage::Ready => match self.credit.poll_due_us() {
                None if !self.queue.is_empty() && !waiting => {
                    self.credit.wait_for_ghosts(now_us);
                    false
                }
                Some((due_us, role)) if due_us <= now_us => {
                    self.ask(Ask::Confirm, role, Values::default(), now_us);
                    true
                }
                _ => false,
            },
            Stage::Idle | Stage::Unready => false,
        }
    }

    fn may_ask_status(&self) -> bool {
        self.can(Role::Status) && self.talk.poll.status_ms > 0 && (self.talk.poll.while_armed || self.stage != Stage::Ready)
    }

    /// A code waits, and there is room for it.
    fn has_room(&self) -> bool {
        self.queue.front().is_some_and(|(_, bytes)| self.credit.has_room(bytes.len()))
    }

    fn put(&mut self, now_us: u64) {
        let Some((code, bytes)) = self.queue.pop_front() else { return };
        let record = self.credit.next_record;
        let values = match self.talk.encode("code", &bytes) {
            Ok(written) => Values::default().with("code", written).with("record", record.to_string()),
            Err(why) => return self.out.tell(Report::Unprintable { code, why }),
        };
        self.ask(Ask::Put(Inside { code, record, bytes }), Role::PutCode, values, now_us);
    }
}

impl Conversation for Commands {
    fn opened(&mut self, now_us: u64) {
        self.stop(true);
        self.units.reset();
        self.lacking.clear();
        self.identity = None;
        self.talk_of_any();
        self.stage = Stage::Connecting;
        self.status_due_us = now_us + u64::from(self.talk.poll.status_ms) * MS;
        self.begin(Seq::Connect, now_us);
        self.advance(now_us);
    }

    fn closed(&mut self, now_us: u64, why: &str) {
        self.stop(true);
        if self.credit.lost.is_some() || self.credit.away.is_some() {
            self.out.tell(Report::Unsettled);
        }
        let half = self.units.reset();
        self.out.link_gone(&half, now_us, why);
    }

    fn received(&mut self, bytes: &[u8], now_us: u64) {
        if !self.is_open() {
            return;
        }
        let mut units = Vec::new();
        for b in bytes {
            self.units.push(*b, &mut units);
            // Nothing new is asked before all that came together is heard: a second answer in it answers nothing.
            for u in units.drain(..) {
                self.unit(u, now_us);
            }
        }
        let wait_us = self.units.gap_ms().map_or(AMIDST_US, |ms| u64::from(ms) * MS);
        self.amidst_us = self.units.amidst().then_some(now_us + wait_us);
        self.advance(now_us);
    }

    fn ordered(&mut self, order: Order, now_us: u64) {
        match order {
            Order::Arm { message, fields } => {
                self.arm = Some(Arm { message, fields });
                self.let_go();
                self.disarm_wanted = false;
                self.trouble = None;
                if !matches!(self.stage, Stage::Closed | Stage::Connecting) {
                    self.adopt(now_us);
                }
            }
            Order::Print { code, bytes } => self.order_print(code, bytes, now_us),
            Order::Clear if self.is_open() => {
                self.forget_orders();
                self.clear_wanted = true;
            }
            // Nobody waits any more for what is in there.
            Order::Clear => self.let_go(),
            Order::Disarm => {
                self.arm = None;
                self.let_go();
                self.credit.lost = None;
                self.disarm_wanted = self.is_open();
            }
            Order::Output { .. } | Order::Pulse { .. } | Order::Trigger { .. } | Order::Verdict { .. } => {}
        }
        self.advance(now_us);
    }

    fn due(&mut self, now_us: u64) {
        self.out.due(now_us);
        if !self.is_open() {
            return;
        }
        if self.amidst_us.take_if(|d| *d <= now_us).is_some()
            && let Some(unit) = self.units.quiet()
        {
            self.unit(unit, now_us);
        }
        if let Some(asked) = self.asked.take_if(|a| a.deadline_us <= now_us)
            && !self.silence(asked, now_us)
        {
            return;
        }
        self.credit.expire_ghosts(now_us);
        self.advance(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        if !self.is_open() {
            return self.out.deadline();
        }
        let next = match (&self.asked, self.quiet_until_us()) {
            (Some(asked), _) => Some(asked.deadline_us),
            (None, Some(pause_us)) => Some(pause_us),
            (None, None) => {
                let look = match self.stage {
                    Stage::Unready => Some(self.status_due_us),
                    Stage::Idle | Stage::Ready if self.may_ask_status() => Some(self.status_due_us),
                    _ => None,
                };
                let ready = self.stage == Stage::Ready;
                let again = self.refused.as_ref().filter(|_| ready && self.has_room()).map(|r| r.again_us);
                let poll = self.credit.poll_due_us().filter(|_| ready).map(|p| p.0);
                earliest([look, again, poll])
            }
        };
        earliest([self.out.deadline(), self.amidst_us, next, self.credit.ghosts_until_us()])
    }

    fn poll(&mut self) -> Option<Action> {
        self.out.poll()
    }

    fn between_requests(&self) -> bool {
        self.asked.is_none() && !self.units.amidst()
    }
}
