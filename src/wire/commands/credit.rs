//! Which codes are inside the printer, and which of them it has printed: by its events, its counter, the last record, the
//! last text, or its readiness, whichever its profile ranks first.

use super::{AGAIN_US, Asked, Commands, EMPTY_REFUSALS, FULL_US, Refused, Stage, said};
use crate::profile::bytes::Values;
use crate::profile::printer::{BufferKind, Confirmation, EventMeans, Quirk, Role};
use crate::profile::{Bound, OnEmpty};
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, Report};
use std::collections::VecDeque;

/// A counter read so long ago is read again before a code is put: what is printed meanwhile would be credited to it.
const FRESH_US: u64 = 30 * MS;
/// Names of codes that have left the window, for a printer that says what it prints: it may say one late, or once more.
const MOST_GONE: usize = 256;
/// Without a print for so long, what a lost link left in a printer is taken to be gone from it.
const GHOSTS_US: u64 = 2_000 * MS;

/// A code in the printer, or on its way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inside {
    pub code: CodeRef,
    pub record: u64,
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
    inside: VecDeque<Inside>,
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
    pub next_record: u64,
    /// The counter when it was last read, and when that was.
    counter: Option<(u64, u64)>,
    due_us: u64,
    /// A code was just put: a counter that has moved on since it was read before may have counted this code or what stood
    /// there before it.
    proving: bool,
    pub blank_due: bool,
    /// Nothing of ours is in the field since it was last emptied.
    bare: bool,
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
            ghosts: 0,
            ghost_bytes: 0,
            ghosts_until_us: None,
            anchored: true,
            early: false,
            named_early: false,
            gone: VecDeque::new(),
            next_record: 1,
            counter: None,
            due_us: 0,
            proving: false,
            blank_due: false,
            bare: true,
        }
    }

    /// The best source of those that this printer has.
    pub fn choose(&mut self, ranked: &[Confirmation], has: impl Fn(Confirmation) -> bool) {
        self.source = ranked.iter().copied().find(|c| has(*c)).unwrap_or(Confirmation::Read);
    }

    /// For a code of so many bytes.
    pub fn has_room(&self, bytes: usize) -> bool {
        let guessed = matches!(self.source, Confirmation::Acceptance | Confirmation::Read);
        (guessed && self.refusal_means_not_taken) || !self.is_full(bytes)
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
        (self.early, self.named_early, self.blank_due, self.bare, self.proving) = (false, false, false, true, false);
        (self.ghosts, self.ghost_bytes, self.ghosts_until_us, self.anchored) = (0, 0, None, true);
    }

    fn let_go(&mut self, bytes: Vec<u8>, ghost: bool) {
        if self.gone.len() == MOST_GONE {
            self.gone.pop_front();
        }
        self.gone.push_back((bytes, ghost));
    }

    /// What is inside, and the code on its way, may stay there uncounted.
    fn haunt(&mut self, put: Option<Inside>) {
        let (ghosts, ghost_bytes) = (self.ghosts, self.ghost_bytes);
        let old: VecDeque<(Vec<u8>, bool)> = std::mem::take(&mut self.gone);
        let new: Vec<Inside> = self.inside.drain(..).chain(put).collect();
        self.forget();
        self.ghosts = ghosts + new.len() as u32;
        self.ghost_bytes = ghost_bytes + new.iter().map(|i| i.bytes.len()).sum::<usize>();
        self.gone = old;
        new.into_iter().for_each(|i| self.let_go(i.bytes, true));
    }

    /// The link is gone: what was inside, or on its way there, may still be there.
    pub fn leave_ghosts(&mut self, put: Option<Inside>) {
        self.haunt(put);
        self.counter = None;
    }

    /// So many are inside that nobody cleared: the printer says so.
    pub fn holds(&mut self, fill: u64) {
        self.inside.clear();
        self.ghosts = u32::try_from(fill).unwrap_or(u32::MAX).min(self.depth as u32);
        if self.ghosts == 0 {
            self.ghost_bytes = 0;
        }
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
        self.haunt(None);
        // A field that is overwritten holds nothing of before.
        if holds_one(self.kind) {
            (self.ghosts, self.ghost_bytes) = (0, 0);
        }
        self.anchored = self.ghosts == 0;
        self.due_us = now_us + self.interval_us;
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
        ours as u32
    }
}

impl Commands {
    pub(super) fn choose_source(&mut self) {
        let ranked = self.bound.sources();
        let printed = self.talk.events.iter().any(|e| e.means == EventMeans::Printed);
        let armable = !self.talk.has(Role::ArmEvents) || self.can(Role::ArmEvents);
        let lacking = self.lacking.clone();
        let has = |c| match c {
            Confirmation::Event => printed && armable,
            c => asked_for(c).is_none_or(|r| !lacking.contains(&r)),
        };
        self.credit.choose(&ranked, has);
    }

    fn credited(&mut self, n: u32, now_us: u64) {
        if n == 0 {
            return;
        }
        // Everything has left it.
        self.credit.anchored |= self.credit.inside.is_empty() && self.credit.ghosts == 0;
        if self.credit.anchored {
            self.out.tell(Report::Printed { count: n });
        }
        if let Some(r) = &mut self.refused {
            *r = Refused { again_us: now_us, count: 0 };
        }
        if self.credit.inside.is_empty() && self.credit.blanks && self.credit.repeats {
            self.credit.blank_due = true;
        }
    }

    /// The printer says unasked that it printed.
    pub(super) fn printed_event(&mut self, count: u64, bytes: &[u8], now_us: u64) {
        if self.stage != Stage::Ready || self.credit.source != Confirmation::Event {
            // Before it is armed, prints are of codes that are doubtful already.
            return;
        }
        if self.credit.inside.is_empty() && self.credit.ghosts == 0 {
            let putting = matches!(&self.asked, Some(Asked { ask: super::Ask::Put(_), .. }));
            let again = self.credit.repeats && !self.credit.bare;
            if putting && !again && !self.credit.early {
                self.credit.early = true;
            } else if putting && again {
                // Its last code once more, before it took this one: nobody's.
                self.out.junk(bytes, now_us);
            } else if again {
                self.unready("prints its last code again, since nothing new came in time", now_us);
            } else {
                self.out.junk(bytes, now_us);
            }
            return;
        }
        let n = self.credit.take(count);
        self.credited(n, now_us);
    }

    /// The printer says unasked what it printed, by the text itself: that very code is credited, or none.
    pub(super) fn named_event(&mut self, text: &[u8], bytes: &[u8], now_us: u64) {
        if self.stage != Stage::Ready || self.credit.source != Confirmation::Event {
            return;
        }
        let text = self.talk.decode("code", text);
        if let Some(at) = self.credit.inside.iter().position(|i| i.bytes == text) {
            return self.named(at, now_us);
        }
        let putting = if let Some(Asked { ask: super::Ask::Put(put), .. }) = &self.asked { Some(&put.bytes) } else { None };
        if putting == Some(&text) {
            self.credit.named_early = true;
            return;
        }
        let starving = putting.is_none() && self.credit.inside.is_empty() && self.credit.repeats && !self.credit.bare;
        match self.credit.gone.iter().rposition(|g| g.0 == text) {
            Some(at) if self.credit.gone[at].1 => {
                self.credit.gone[at].1 = false;
                self.credit.ghosts = self.credit.ghosts.saturating_sub(1);
                self.credit.ghost_bytes = self.credit.ghost_bytes.saturating_sub(text.len());
            }
            Some(at) if starving && at + 1 == self.credit.gone.len() => {
                self.unready("prints its last code again, since nothing new came in time", now_us);
            }
            // Printed once more before the new one came: nobody's.
            Some(_) => self.out.junk(bytes, now_us),
            None => self.unready("printed a text that is none of the codes in it", now_us),
        }
    }

    /// The code at this place in the window is printed. What stood before it was passed over: its fate is unknown.
    fn named(&mut self, at: usize, now_us: u64) {
        let mut gone: Vec<Inside> = self.credit.inside.drain(..=at).collect();
        let code = gone[at].code;
        gone.drain(..).for_each(|i| self.credit.let_go(i.bytes, false));
        if let Some(r) = &mut self.refused {
            *r = Refused { again_us: now_us, count: 0 };
        }
        self.out.tell(Report::PrintedCode { code });
        if self.credit.inside.is_empty() && self.credit.blanks && self.credit.repeats {
            self.credit.blank_due = true;
        }
    }

    pub(super) fn taken(&mut self, put: Inside, now_us: u64) {
        let refused = self.refused.take().is_some();
        let credit = &mut self.credit;
        let guessed = matches!(credit.source, Confirmation::Acceptance | Confirmation::Read);
        let mut made_room = 0;
        while guessed
            && credit.is_full(put.bytes.len())
            && let Some(oldest) = credit.inside.pop_front()
        {
            credit.let_go(oldest.bytes, false);
            // Room for this one means that the oldest was printed, where the printer had said that there was none.
            made_room += u32::from(refused && credit.source == Confirmation::Acceptance);
        }
        if credit.inside.is_empty() {
            credit.proving = credit.source == Confirmation::Counter;
            credit.due_us = now_us + if credit.proving { 0 } else { credit.interval_us };
        }
        credit.next_record = put.record + 1;
        credit.bare = false;
        credit.blank_due = false;
        let code = put.code;
        credit.inside.push_back(put);
        self.credited(made_room, now_us);
        self.out.tell(Report::Taken { code });
        if std::mem::take(&mut self.credit.named_early) {
            self.named(self.credit.inside.len() - 1, now_us);
        }
        if std::mem::take(&mut self.credit.early) {
            let n = self.credit.take(1);
            self.credited(n, now_us);
        }
    }

    /// It did not take the code, which is offered again.
    pub(super) fn refused_code(&mut self, put: Inside, full: bool, now_us: u64) {
        (self.credit.early, self.credit.named_early) = (false, false);
        if self.stage != Stage::Ready || self.clear_wanted || self.disarm_wanted {
            return;
        }
        let count = self.refused.as_ref().map_or(0, |r| r.count) + 1;
        let empty = self.credit.inside.is_empty() && self.credit.ghosts == 0;
        if empty && count >= EMPTY_REFUSALS {
            if self.cleared {
                return self.unready("refuses codes though its buffer was cleared", now_us);
            }
            if holds_one(self.credit.kind) {
                return self.unready("refuses codes though none waits in it", now_us);
            }
        }
        let wait_us = if full && !self.credit.inside.is_empty() && count > 1 { FULL_US } else { AGAIN_US };
        self.queue.push_front((put.code, put.bytes));
        self.refused = Some(Refused { again_us: now_us + wait_us, count });
    }

    /// What it answered when asked for its prints.
    pub(super) fn confirmed(&mut self, role: Role, values: &Values, now_us: u64) {
        self.credit.due_us = now_us + self.credit.interval_us;
        let n = match role {
            Role::Count => match values.number("count") {
                Some(count) => return self.counted(count, now_us),
                None => return self.unready(&said(Some("its print counter says {count}"), values, b""), now_us),
            },
            Role::LastRecord => {
                let last = values.number("last").unwrap_or(0);
                self.credit.inside.iter().take_while(|i| i.record <= last).count() as u64
            }
            Role::LastText => {
                let text = self.talk.decode("code", values.bytes("text").unwrap_or_default());
                let at = self.credit.inside.iter().position(|i| i.bytes == text);
                at.map_or(0, |i| i as u64 + 1)
            }
            _ => u64::from(!self.credit.inside.is_empty()),
        };
        let n = self.credit.take(n);
        self.credited(n, now_us);
    }

    /// The counter as it is when a sequence asks.
    pub(super) fn count_noted(&mut self, values: &Values, now_us: u64) {
        self.credit.counter = values.number("count").map(|n| (n, now_us));
    }

    fn counted(&mut self, count: u64, now_us: u64) {
        let before = self.credit.counter.replace((count, now_us)).map_or(count, |c| c.0);
        let Some(more) = count.checked_sub(before) else {
            return self.out_of_step(&format!("its print counter went back from {before} to {count}"), now_us);
        };
        if std::mem::take(&mut self.credit.proving) && more > 0 {
            let why = "something was printed while a code was on its way: whether it was this one is not known";
            return self.out_of_step(why, now_us);
        }
        let n = self.credit.take(more);
        self.credited(n, now_us);
        if more > u64::from(n) && !self.credit.bare && self.credit.repeats {
            let why = format!("printed its last code again ({} times): nothing new came in time", more - u64::from(n));
            self.unready(&why, now_us);
        }
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
        Confirmation::Event | Confirmation::Acceptance | Confirmation::Status | Confirmation::Read => None,
    }
}
