//! Which codes are inside the printer, and which of them it has printed: by its events, its counter, the last record, the
//! last text, or its readiness, whichever its profile ranks first.

mod heard;
mod named;

use super::proof::{Kept, Queue};
use super::reconcile::{Lost, Nature, Settled, Told};
use crate::profile::bytes::Values;
use crate::profile::printer::{BufferKind, Confirmation, Quirk, Role};
use crate::profile::{Bound, OnEmpty};
use crate::vocab::CodeRef;
use crate::vocab::time::MS;
use std::collections::VecDeque;

/// A counter read so long ago is read again before a code is put: what is printed meanwhile would be credited to it.
const FRESH_US: u64 = 30 * MS;
/// Without a print for so long, what a lost link left in a printer is taken to be gone from it.
const GHOSTS_US: u64 = 2_000 * MS;

/// A code in the printer, or on its way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inside {
    pub code: CodeRef,
    pub record: i64,
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Credit {
    source: Confirmation,
    kind: BufferKind,
    depth: usize,
    refusal_means_not_taken: bool,
    most_bytes: usize,
    interval_us: u64,
    fresh_us: u64,
    blanks: bool,
    repeats: bool,
    pub inside: VecDeque<Inside>,
    /// What a lost link or a trouble left inside, of a printer that can tell which of it was printed.
    pub away: Option<Kept>,
    /// Its profile has questions of its own for that (`resume`).
    resumes: bool,
    /// Its queue was seen to be stopped, or to have lost a record: what is in it is not believed any more.
    pub stopped: bool,
    pub uncounted: i64,
    first_record: i64,
    /// It said that nothing more goes in until something is printed.
    pub full: bool,
    /// Codes of an earlier link or adoption that nobody cleared, and how many bytes they have.
    pub ghosts: u32,
    ghost_bytes: usize,
    ghosts_until_us: Option<u64>,
    /// It is known which codes are inside: what it prints next is the oldest of ours. After a loss that nobody cleared it
    /// is not, until everything has surely left it; till then prints make room and are told to nobody.
    anchored: bool,
    /// Prints heard while the first code's answer was on its way.
    early: bool,
    /// The code whose answer is on its way was named as printed.
    pub named_early: bool,
    /// What is not in the window any more, the newest last; `true`: a ghost, which may still be printed.
    gone: VecDeque<(Vec<u8>, bool)>,
    pub next_record: i64,
    /// The record printed last, as it was last told.
    pub last: Option<i64>,
    /// The counter when it was last read, and when that was.
    counter: Option<(u64, u64)>,
    due_us: u64,
    /// A code was just put: a counter that has moved on since it was read before may have counted this code or what stood
    /// there before it.
    proving: bool,
    pub blank_due: bool,
    /// Nothing of ours is in the field since it was last emptied.
    bare: bool,
    pub nature: Nature,
    /// It may have taken this one: it was refused, and the profile does not say that a refusal means not taken.
    pub flying: Option<Inside>,
    /// Codes whose fate is open, until it was asked.
    pub lost: Option<Lost>,
    /// What is inside was proven to be there at this adoption.
    pub kept: bool,
    /// Where its counter stands when what was credited is counted; `None`: something else may have been counted.
    counts_to: Option<u64>,
    /// The counter is asked for while nothing was credited.
    pub basing: bool,
}

impl Credit {
    pub fn new(bound: &Bound) -> Self {
        let (talk, buffer) = (bound.profile.talk.as_ref(), bound.profile.buffer.as_ref());
        let kind = buffer.map_or(BufferKind::Overwrite, |b| b.kind);
        let rest_us = talk.map_or(0, |t| u64::from(t.poll.rest_ms)) * MS;
        Self {
            source: bound.sources().first().copied().unwrap_or(Confirmation::Read),
            most_bytes: buffer.and_then(|b| b.most_bytes).map_or(usize::MAX, |n| n as usize),
            // The code itself leaves only when the rest after the counter's answer is over.
            fresh_us: FRESH_US + rest_us,
            kind,
            depth: if holds_one(kind) { 1 } else { bound.depth() as usize },
            refusal_means_not_taken: buffer.is_some_and(|b| b.refusal_means_not_taken),
            interval_us: talk.map_or(100, |t| u64::from(t.poll.confirm_ms.max(1))) * MS,
            blanks: talk.is_some_and(|t| t.has_quirk(Quirk::BlankAfterPrint)),
            repeats: buffer.is_some_and(|b| b.on_empty == OnEmpty::Repeats),
            inside: VecDeque::new(),
            away: None,
            resumes: talk.is_some_and(|t| !t.resume.is_empty()),
            stopped: false,
            uncounted: buffer.map_or(0, |b| i64::from(b.uncounted)),
            first_record: if bound.has("first_record") { bound.number("first_record") } else { 1 },
            full: false,
            ghosts: 0,
            ghost_bytes: 0,
            ghosts_until_us: None,
            anchored: true,
            early: false,
            named_early: false,
            gone: VecDeque::new(),
            next_record: 1,
            last: None,
            counter: None,
            due_us: 0,
            proving: false,
            blank_due: false,
            bare: true,
            nature: Nature::of(bound, kind, !holds_one(kind)),
            flying: None,
            lost: None,
            kept: false,
            counts_to: None,
            basing: false,
        }
    }

    /// The best source of those that this printer has.
    pub fn choose(&mut self, ranked: &[Confirmation], has: impl Fn(Confirmation) -> bool) {
        self.source = ranked.iter().copied().find(|c| has(*c)).unwrap_or(Confirmation::Read);
    }

    /// For a code of so many bytes.
    pub fn has_room(&self, bytes: usize) -> bool {
        let guessed = matches!(self.source, Confirmation::Acceptance | Confirmation::Read);
        // Who offers the next code to a printer that only a reader tells of knows that the last one is out.
        let asked = self.source == Confirmation::Read && self.kind == BufferKind::Overwrite;
        !self.full && (asked || guessed && self.refusal_means_not_taken || !self.is_full(bytes))
    }

    /// One of so many bytes more would be too much for it.
    fn is_full(&self, bytes: usize) -> bool {
        let held: usize = self.inside.iter().map(|i| i.bytes.len()).sum();
        self.inside.len() + self.ghosts as usize >= self.depth || held + self.ghost_bytes + bytes > self.most_bytes
    }

    /// A counter that is to be read right before a code is put.
    pub fn must_look_first(&self, now_us: u64) -> Option<Role> {
        let fresh = self.counter.is_some_and(|(_, at_us)| now_us.saturating_sub(at_us) <= self.fresh_us);
        (self.source == Confirmation::Counter && !fresh).then_some(Role::Count)
    }

    pub fn poll_due_us(&self) -> Option<(u64, Role)> {
        let role = asked_for(self.source).filter(|_| !self.inside.is_empty())?;
        Some((self.due_us, role))
    }

    /// The buffer is empty, or is not ours any more.
    pub fn forget(&mut self) {
        let left: Vec<Inside> = self.inside.drain(..).collect();
        left.into_iter().for_each(|i| self.let_go(i.bytes, false));
        self.gone.iter_mut().for_each(|g| g.1 = false);
        (self.full, self.stopped) = (false, false);
        (self.flying, self.lost, self.counts_to) = (None, None, None);
        (self.kept, self.basing) = (false, false);
        (self.early, self.named_early, self.blank_due, self.bare, self.proving) = (false, false, false, true, false);
        (self.ghosts, self.ghost_bytes, self.ghosts_until_us, self.anchored) = (0, 0, None, true);
    }

    /// What the counter said was said on a link that is gone.
    pub fn counter_lost(&mut self) {
        self.counter = None;
    }

    /// The link is gone: what was inside, or on its way there, may still be there.
    pub fn leave_ghosts(&mut self) {
        let lost = self.lost.take();
        self.haunt();
        self.lost = lost.map(|l| Lost { away: true, ..l });
        self.counter = None;
    }

    /// The fate of what is inside, or on its way, is open from here on, if this printer can tell of it at all.
    pub fn lose(&mut self, flying: Option<Inside>) {
        self.flying = flying.or(self.flying.take());
        if self.lost.is_some() || !self.is_open_question() {
            return;
        }
        let orderly = self.anchored && self.ghosts == 0;
        let inside = self.inside.iter().cloned().collect();
        self.lost =
            Some(Lost { inside, flying: self.flying.clone(), counts_to: self.counts_to, orderly, away: false, told: Told::default() });
    }

    /// There are codes whose fate it may tell when it is adopted.
    pub fn is_open_question(&self) -> bool {
        self.lost.is_some() || (self.could_tell() && !(self.inside.is_empty() && self.flying.is_none()))
    }

    /// Something that it tells would prove something.
    pub fn could_tell(&self) -> bool {
        if self.resumes {
            return false;
        }
        let counts = self.nature.counts() && self.counts_to.is_some() && self.anchored && self.ghosts == 0;
        self.nature.numbered || self.nature.tells_text || counts
    }

    /// What was told of the codes whose fate was open; from here on it is known what is inside, or all of it is nobody's.
    pub fn settle(&mut self, now_us: u64) -> Option<Settled> {
        let lost = self.lost.take()?;
        let (asked_of, count) = (lost.inside.len() + usize::from(lost.flying.is_some()), lost.told.count);
        let others = self.ghosts.saturating_sub(if lost.away { asked_of as u32 } else { 0 });
        let settled = lost.settle(self.nature);
        let left: Vec<Inside> = self.inside.drain(..).collect();
        for i in left {
            self.ghost_bytes += i.bytes.len();
            self.let_go(i.bytes, true);
        }
        self.flying = None;
        (self.early, self.basing, self.ghosts_until_us) = (false, false, None);
        self.counts_to = None;
        match &settled.inside {
            Some(inside) if others == 0 => {
                self.inside.extend(inside.iter().cloned());
                (self.ghosts, self.ghost_bytes, self.anchored, self.kept) = (0, 0, true, true);
                self.bare = false;
                if let Some(count) = count {
                    self.counter = Some((count, now_us));
                    self.counts_to = Some(count).filter(|_| self.counter_is_ours());
                }
            }
            _ => self.ghosts = others + (asked_of - settled.printed.len()) as u32,
        }
        Some(settled)
    }

    /// Whatever the counter counts is told as a print of a code: nothing else can be printed now.
    fn counter_is_ours(&self) -> bool {
        !self.nature.prints_empty || !self.inside.is_empty()
    }

    /// Its counter is to be read once while it holds codes: a later reading then proves prints.
    pub fn wants_base(&self) -> bool {
        let of_use = self.nature.prints_empty && self.nature.counts() && self.depth > 1 && self.source != Confirmation::Counter;
        of_use && self.counts_to.is_none() && !self.inside.is_empty() && self.anchored && self.ghosts == 0
    }

    pub fn based(&mut self, count: u64) {
        if std::mem::take(&mut self.basing) {
            self.counts_to = Some(count);
        }
    }

    pub fn by_counter(&self) -> bool {
        self.source == Confirmation::Counter
    }

    /// The next record after the last one printed, or after what is inside.
    pub fn number_on(&mut self, last: i64) {
        let top = self.inside.back().filter(|_| self.kept).map_or(0, |i| i.record);
        self.next_record = last.max(top).saturating_add(1);
    }

    /// So many are inside that nobody cleared: the printer says so. False: it was just proven to hold another number.
    pub fn holds(&mut self, fill: u64) -> bool {
        let was_kept = std::mem::take(&mut self.kept);
        if was_kept && fill == self.inside.len() as u64 {
            self.kept = true;
            return true;
        }
        self.inside.clear();
        self.ghosts = u32::try_from(fill).unwrap_or(u32::MAX).min(self.depth as u32);
        if self.ghosts == 0 {
            self.ghost_bytes = 0;
        }
        !was_kept
    }

    /// The field is empty.
    pub fn blanked(&mut self) {
        self.bare = true;
    }

    pub fn look_later(&mut self, now_us: u64) {
        self.due_us = now_us + self.interval_us;
    }

    /// From here on, prints count: first those of what was left inside.
    pub fn arm(&mut self, now_us: u64) {
        self.due_us = now_us + self.interval_us;
        if std::mem::take(&mut self.kept) {
            return;
        }
        let counts_to = self.counts_to;
        self.haunt();
        // Noted in this adoption, when nothing of ours was inside.
        self.counts_to = counts_to.filter(|_| self.ghosts == 0);
        // A field that is overwritten holds nothing of before.
        if holds_one(self.kind) {
            (self.ghosts, self.ghost_bytes) = (0, 0);
        }
        self.anchored = self.ghosts == 0;
    }

    /// A code waits for room that only what was left inside takes: after a while without a print it is taken to be gone.
    pub fn wait_for_ghosts(&mut self, now_us: u64) {
        if self.ghosts > 0 {
            self.ghosts_until_us.get_or_insert(now_us + GHOSTS_US);
        }
    }

    pub fn expire_ghosts(&mut self, now_us: u64) {
        if self.ghosts_until_us.take_if(|t| *t <= now_us).is_some() {
            (self.ghosts, self.ghost_bytes) = (0, 0);
        }
    }

    pub fn ghosts_until_us(&self) -> Option<u64> {
        self.ghosts_until_us
    }

    /// What the answer of last-record tells: before the first record where none was printed.
    pub fn queue(&self, values: &Values) -> Option<Queue> {
        // Whatever comes: a number that no printer counts to is none.
        let sane = |n: &i64| (-1..1 << 40).contains(n);
        let (told, fill) = (values.signed("last").filter(sane)?, values.signed("fill").filter(sane));
        let none = told == 0 && values.signed("prints").map_or(self.first_record != 0, |p| p == 0);
        Some(Queue { last: if none { self.first_record - 1 } else { told }, fill })
    }

    /// How many of ours are among `n` prints, oldest first.
    fn take(&mut self, n: u64) -> u32 {
        let old = n.min(u64::from(self.ghosts)) as u32;
        self.ghosts -= old;
        if self.ghosts == 0 {
            self.ghost_bytes = 0;
        }
        self.ghosts_until_us = None;
        let ours = (n - u64::from(old)).min(self.inside.len() as u64) as usize;
        let gone: Vec<Inside> = self.inside.drain(..ours).collect();
        gone.into_iter().for_each(|i| self.let_go(i.bytes, false));
        self.basing = false;
        self.counts_to = self.counts_to.map(|c| c.saturating_add(n)).filter(|_| self.counter_is_ours());
        ours as u32
    }
}

/// A printer that holds one text, and is told of its print by being asked.
fn holds_one(kind: BufferKind) -> bool {
    matches!(kind, BufferKind::Overwrite | BufferKind::ProtectedSingle)
}

/// What is asked to learn of prints.
fn asked_for(source: Confirmation) -> Option<Role> {
    match source {
        Confirmation::LastRecord => Some(Role::LastRecord),
        Confirmation::LastText => Some(Role::LastText),
        Confirmation::Readiness => Some(Role::Readiness),
        Confirmation::Counter => Some(Role::Count),
        Confirmation::QueueLength => Some(Role::Fill),
        Confirmation::Event | Confirmation::Acceptance | Confirmation::Status | Confirmation::Read => None,
    }
}
