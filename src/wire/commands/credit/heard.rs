//! What is heard of a printer's prints, and what becomes of it: an event, an answer to the question that its profile ranks
//! first, room for one more code. Each credits the oldest inside, or the very code that is named, or nobody.
//!
//! Invariant: where it is not known which code a print was of, none is credited.

use super::super::steps::Seq;
use super::super::{AGAIN_US, Ask, Asked, Commands, EMPTY_REFUSALS, FULL_US, Refused, Stage, said};
use super::{Inside, asked_for, holds_one};
use crate::profile::bytes::Values;
use crate::profile::printer::{Confirmation, EventMeans, Role};
use crate::vocab::Report;

impl Commands {
    pub(in crate::wire::commands) fn choose_source(&mut self) {
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
        self.after_print(now_us);
    }

    /// So many, oldest first, were printed: the printer says which.
    pub(in crate::wire::commands) fn named_to(&mut self, n: usize, now_us: u64) {
        let Some(code) = n.checked_sub(1).and_then(|last| self.credit.inside.get(last)).map(|i| i.code) else { return };
        self.credit.inside.drain(..n);
        (self.credit.ghosts, self.credit.ghosts_until_us, self.credit.anchored) = (0, None, true);
        self.out.tell(Report::PrintedTo { code });
        self.after_print(now_us);
    }

    fn after_print(&mut self, now_us: u64) {
        self.credit.full = false;
        if let Some(r) = &mut self.refused {
            *r = Refused { again_us: now_us, count: 0 };
        }
        if self.credit.inside.is_empty() && self.credit.blanks && self.credit.repeats {
            self.credit.blank_due = true;
        }
    }

    /// The printer says unasked that it printed.
    pub(in crate::wire::commands) fn printed_event(&mut self, count: u64, bytes: &[u8], now_us: u64) {
        if (self.stage != Stage::Ready && !self.credit.kept) || self.credit.source != Confirmation::Event {
            // Before it is armed, prints are of codes that are doubtful already.
            return;
        }
        if self.credit.repeats && self.run.as_ref().is_some_and(|r| r.seq == Seq::Clear) {
            // It may have emptied its queue before it says so, and then prints its last code once more: nobody's.
            return self.out.junk(bytes, now_us);
        }
        if self.credit.inside.is_empty() && self.credit.ghosts == 0 {
            let putting = matches!(&self.asked, Some(Asked { ask: Ask::Put(_), .. }));
            let again = self.credit.repeats && !self.credit.bare;
            // An emptied queue may still print the last code that left it; an emptied field holds none.
            let maybe_again = again || (self.credit.repeats && !holds_one(self.credit.kind));
            if putting && !maybe_again && !self.credit.early {
                self.credit.early = true;
            } else if putting && maybe_again {
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

    /// `last`: nothing more goes in until something is printed.
    pub(in crate::wire::commands) fn taken(&mut self, put: Inside, last: bool, now_us: u64) {
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
        credit.full = last;
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
    pub(in crate::wire::commands) fn refused_code(&mut self, put: Inside, full: bool, now_us: u64) {
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
    pub(in crate::wire::commands) fn confirmed(&mut self, role: Role, values: &Values, now_us: u64) {
        self.credit.due_us = now_us + self.credit.interval_us;
        let n = match role {
            Role::Count => match values.number("count") {
                Some(count) => return self.counted(count, now_us),
                None => return self.unready(&said(Some("its print counter says {count}"), values, b""), now_us),
            },
            Role::LastRecord => return self.recorded(values, now_us),
            Role::LastText => {
                let text = self.talk.decode("code", values.bytes("text").unwrap_or_default());
                let at = self.credit.inside.iter().position(|i| i.bytes == text);
                return self.named_to(at.map_or(0, |i| i + 1), now_us);
            }
            Role::Fill => {
                let inside = u64::from(self.credit.ghosts) + self.credit.inside.len() as u64;
                let Some(left) = values.number("fill") else {
                    return self.unready(&said(Some("its queue says {fill}"), values, b""), now_us);
                };
                if left > inside {
                    return self.out_of_step(&format!("it says that {left} codes wait, though {inside} were put in"), now_us);
                }
                inside.saturating_sub(left + self.credit.uncounted as u64)
            }
            _ => u64::from(!self.credit.inside.is_empty()),
        };
        let n = self.credit.take(n);
        self.credited(n, now_us);
    }

    /// The counter as it is when a sequence asks.
    pub(in crate::wire::commands) fn count_noted(&mut self, values: &Values, now_us: u64) {
        self.credit.counter = values.number("count").map(|n| (n, now_us));
        let empty = self.credit.inside.is_empty() && self.credit.ghosts == 0 && self.credit.flying.is_none();
        if !self.credit.kept {
            self.credit.counts_to = values.number("count").filter(|_| empty && self.credit.counter_is_ours());
        }
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
        self.credit.counts_to = Some(count).filter(|_| self.credit.counter_is_ours());
        self.credited(n, now_us);
        if more > u64::from(n) && !self.credit.bare && self.credit.repeats {
            let why = format!("printed its last code again ({} times): nothing new came in time", more - u64::from(n));
            self.unready(&why, now_us);
        }
    }
}
