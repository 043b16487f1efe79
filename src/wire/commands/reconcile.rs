//! What a printer that was lost, or was in trouble, can tell of the codes that were in it or on their way to it, and what
//! that proves. It is asked after `connect` and before anything else is sent to it; what is not proven is doubtful.
//!
//! | it tells | what is proven | and only if |
//! |---|---|---|
//! | the last record | every record up to it is printed | it lies between the record before the window and the window's last: a number that went back or beyond is another count's |
//! | the last text | that very code is printed; nothing about its neighbours | it is one of the window's |
//! | its counter, on by k | the first k are printed | k is at most the window, the order in the printer was known, and the counter was read while it was; where an empty printer prints (blank, or its last code again), only with the next row |
//! | how many wait, with k | a queue that still holds the rest was never empty: those k prints were the window's | k and what waits add up to the window |
//! | how many wait | the rest is still inside, and stays in the window | they add up, and the adoption does not clear it |
//!
//! What no answer can exclude: a counter that was set back by hand by exactly what it had counted since, and a second host
//! that feeds the same printer. Neither can make a code leave twice; it could make one be called printed.
//!
//! Invariant: nothing here sends a code, and no code goes back to the line as unsent.

use super::credit::Inside;
use super::steps::Seq;
use super::{Ask, Asked, Commands};
use crate::profile::bytes::Values;
use crate::profile::printer::{BufferKind, Role};
use crate::profile::talk::Step;
use crate::profile::{Bound, OnEmpty};
use crate::vocab::{CodeRef, Report};

/// The codes whose fate is open, oldest first, and what was known when it was last known.
#[derive(Debug)]
pub(super) struct Lost {
    pub inside: Vec<Inside>,
    /// Behind them: one that it may have taken.
    pub flying: Option<Inside>,
    /// Where its counter stands when what was credited is counted; `None`: not known.
    pub counts_to: Option<u64>,
    /// Nothing else was in it, and these in this order.
    pub orderly: bool,
    /// The link was lost: they are counted among the ghosts.
    pub away: bool,
    pub told: Told,
}

/// What it answered.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub last: Option<i64>,
    /// As it was given to the printer, escapes undone.
    pub text: Option<Vec<u8>>,
    pub count: Option<u64>,
    pub fill: Option<u64>,
}

/// What the document says of the printer, as far as it bears on the proofs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nature {
    pub numbered: bool,
    /// With nothing to print it prints all the same, and counts it.
    pub prints_empty: bool,
    pub queues: bool,
    pub tells_text: bool,
    pub tells_count: bool,
    pub tells_fill: bool,
}

impl Nature {
    pub fn of(bound: &Bound, kind: BufferKind, queues: bool) -> Self {
        let tells = |role| bound.profile.talk.as_ref().is_some_and(|t| t.has(role));
        let on_empty = bound.profile.buffer.as_ref().map_or(OnEmpty::Repeats, |b| b.on_empty);
        Self {
            numbered: kind == BufferKind::NumberedRecords && tells(Role::LastRecord),
            prints_empty: matches!(on_empty, OnEmpty::Blank | OnEmpty::Repeats),
            queues,
            tells_text: tells(Role::LastText),
            tells_count: tells(Role::Count),
            tells_fill: tells(Role::Fill),
        }
    }

    /// A counter's word is worth something.
    pub fn counts(self) -> bool {
        self.tells_count && (!self.prints_empty || (self.queues && self.tells_fill))
    }
}

/// Of the codes whose fate was open.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    pub printed: Vec<Inside>,
    /// Still in it; `None`: what is in it is not known.
    pub inside: Option<Vec<Inside>>,
}

impl Lost {
    pub fn settle(self, nature: Nature) -> Settled {
        let waits = self.told.fill.map(|f| f as usize);
        let known = self.inside.len();
        let all: Vec<Inside> = self.inside.into_iter().chain(self.flying).collect();
        let Some(first) = all.first() else { return Settled::default() };
        if let Some(last) = self.told.last.filter(|_| nature.numbered) {
            let top = all.last().expect("not empty").record;
            if last.saturating_add(1) < first.record || last > top {
                return Settled::default();
            }
            let done = all.iter().take_while(|i| i.record <= last).count();
            // One that it may not have got would leave a gap: the count must hold it.
            let kept = self.orderly && waits == Some(all.len() - done);
            return Settled { printed: all[..done].to_vec(), inside: kept.then(|| all[done..].to_vec()) };
        }
        let named = self.told.text.as_ref().and_then(|t| all.iter().position(|i| i.bytes == *t));
        let only = |i: Option<usize>| Settled { printed: i.map(|i| all[i].clone()).into_iter().collect(), inside: None };
        let more = self.told.count.zip(self.counts_to).and_then(|(now, then)| now.checked_sub(then));
        let Some(done) = more.map(|m| m as usize).filter(|m| self.orderly && *m <= all.len()) else { return only(named) };
        // The text must be that of the last of them.
        if self.told.text.is_some() && done.checked_sub(1) != named {
            return only(named);
        }
        // Together they are the whole. Without the one that was on its way they may be the whole as well, or that one was
        // taken and another printed between the two questions: then what is inside is not known.
        let whole = waits.filter(|_| nature.queues).map(|w| w.saturating_add(done));
        let rest = whole.filter(|w| *w == all.len()).map(|_| all[done..].to_vec());
        let never_empty = waits.is_some_and(|w| w > 0) && whole.is_some_and(|w| w == all.len() || w == known);
        if nature.prints_empty && !never_empty {
            return only(named);
        }
        Settled { printed: all[..done].to_vec(), inside: rest }
    }
}

impl Commands {
    /// The fate of some codes is open, and this printer may tell.
    pub(super) fn has_questions(&self) -> bool {
        let putting = matches!(&self.asked, Some(Asked { ask: Ask::Put(_), .. }));
        self.credit.is_open_question() || (putting && self.credit.could_tell())
    }

    /// What is to be asked. A print between a count and how many wait makes less of both, never more.
    pub(super) fn open_questions(&mut self) -> Vec<Step> {
        self.credit.lose(None);
        let Some(lost) = &self.credit.lost else { return Vec::new() };
        let nature = self.credit.nature;
        let counts = lost.orderly && lost.counts_to.is_some() && nature.counts();
        let asked = [(Role::LastRecord, nature.numbered), (Role::LastText, nature.tells_text), (Role::Count, counts)];
        let mut roles: Vec<Role> = asked.into_iter().filter(|a| a.1 && self.can(a.0)).map(|a| a.0).collect();
        if !roles.is_empty() && nature.queues && self.can(Role::Fill) {
            roles.push(Role::Fill);
        }
        roles.into_iter().map(Step::Do).collect()
    }

    pub(super) fn told(&mut self, role: Role, values: &Values) {
        let text = values.bytes("text").map(|t| self.talk.decode("code", t));
        let Some(lost) = &mut self.credit.lost else { return };
        match role {
            Role::LastRecord => lost.told.last = values.signed("last"),
            Role::LastText => lost.told.text = text,
            Role::Count => lost.told.count = values.number("count"),
            Role::Fill => lost.told.fill = values.number("fill"),
            _ => {}
        }
    }

    /// All is told that can be.
    pub(super) fn reconcile(&mut self, now_us: u64) {
        let Some(settled) = self.credit.settle(now_us) else { return self.begin(Seq::Arm, now_us) };
        let names = |all: &[Inside]| all.iter().map(|i| i.code).collect::<Vec<CodeRef>>();
        let inside = settled.inside.as_deref().map_or(Vec::new(), names);
        self.out.tell(Report::Reconciled { printed: names(&settled.printed), inside });
        self.begin(Seq::Arm, now_us);
    }

    /// How many wait as a sequence asks; it may not be what it was just said to hold.
    pub(super) fn fill_noted(&mut self, values: &Values) {
        if !self.credit.holds(values.number("fill").unwrap_or(0)) {
            self.out.tell(Report::Reconciled { printed: Vec::new(), inside: Vec::new() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::transcript::code;

    const FIFO: Nature =
        Nature { numbered: false, prints_empty: false, queues: true, tells_text: false, tells_count: true, tells_fill: true };
    const REPEATS: Nature = Nature { prints_empty: true, ..FIFO };
    const NUMBERED: Nature = Nature { numbered: true, ..FIFO };

    fn inside(n: u32) -> Inside {
        Inside { code: code(n), record: i64::from(n), bytes: format!("C{n}").into_bytes() }
    }

    /// Codes 5, 6, 7 in it and 8 on its way; the counter stood at 100 when 4 was credited.
    fn lost(flying: bool, told: Told) -> Lost {
        let all = (5..8).map(inside).collect();
        Lost { inside: all, flying: flying.then(|| inside(8)), counts_to: Some(100), orderly: true, away: true, told }
    }

    /// Printed, and inside where that is known.
    fn settle(l: Lost, nature: Nature) -> (Vec<u32>, Option<Vec<u32>>) {
        let s = l.settle(nature);
        let numbers = |all: &[Inside]| all.iter().map(|i| i.code.ordinal).collect::<Vec<u32>>();
        (numbers(&s.printed), s.inside.as_deref().map(numbers))
    }

    fn counted(count: u64, fill: Option<u64>) -> Told {
        Told { count: Some(count), fill, ..Told::default() }
    }

    fn last(last: i64, fill: Option<u64>) -> Told {
        Told { last: Some(last), fill, ..Told::default() }
    }

    #[test]
    fn a_counter_proves_as_many_prints_as_the_window_can_have_had() {
        for (count, printed) in [(100, vec![]), (101, vec![5]), (103, vec![5, 6, 7]), (104, vec![]), (99, vec![]), (0, vec![])] {
            assert_eq!(settle(lost(false, counted(count, None)), FIFO), (printed, None), "{count}");
        }
        // The one on its way was taken, or there could not have been four.
        assert_eq!(settle(lost(true, counted(104, None)), FIFO).0, [5, 6, 7, 8]);
        assert_eq!(settle(lost(true, counted(105, None)), FIFO).0, [0; 0]);
    }

    #[test]
    fn a_counter_that_was_not_read_in_time_or_an_order_not_known_prove_nothing() {
        let unread = Lost { counts_to: None, ..lost(false, counted(101, Some(2))) };
        assert_eq!(settle(unread, FIFO), (vec![], None));
        let ghosts = Lost { orderly: false, ..lost(false, counted(101, Some(2))) };
        assert_eq!(settle(ghosts, FIFO), (vec![], None));
    }

    #[test]
    fn where_an_empty_printer_prints_only_a_queue_that_never_was_empty_proves() {
        assert_eq!(settle(lost(false, counted(101, Some(2))), REPEATS), (vec![5], Some(vec![6, 7])));
        assert_eq!(settle(lost(false, counted(100, Some(3))), REPEATS), (vec![], Some(vec![5, 6, 7])));
        // Three blanks after a power cut look like three codes; a print between the two questions like a loss.
        assert_eq!(settle(lost(false, counted(103, Some(0))), REPEATS), (vec![], None));
        assert_eq!(settle(lost(false, counted(101, Some(1))), REPEATS), (vec![], None));
        assert_eq!(settle(lost(false, counted(101, None)), REPEATS), (vec![], None));
        // With the one on its way; and perhaps without.
        assert_eq!(settle(lost(true, counted(102, Some(2))), REPEATS), (vec![5, 6], Some(vec![7, 8])));
        assert_eq!(settle(lost(true, counted(102, Some(1))), REPEATS), (vec![5, 6], None));
        assert_eq!(settle(lost(true, counted(104, Some(1))), REPEATS), (vec![], None));
    }

    #[test]
    fn the_last_record_proves_all_up_to_it_unless_it_is_another_counts() {
        assert_eq!(settle(lost(false, last(6, None)), NUMBERED), (vec![5, 6], None));
        assert_eq!(settle(lost(false, last(6, Some(1))), NUMBERED), (vec![5, 6], Some(vec![7])));
        assert_eq!(settle(lost(false, last(4, Some(3))), NUMBERED), (vec![], Some(vec![5, 6, 7])));
        assert_eq!(settle(lost(true, last(8, Some(0))), NUMBERED), (vec![5, 6, 7, 8], Some(vec![])));
        // Whether it got the fourth is not known, and its number would be a gap.
        assert_eq!(settle(lost(true, last(6, Some(1))), NUMBERED), (vec![5, 6], None));
        for other in [0, 3, 8, 5_000] {
            assert_eq!(settle(lost(false, last(other, Some(0))), NUMBERED), (vec![], None), "{other}");
        }
    }

    #[test]
    fn the_last_text_proves_itself_alone() {
        let text = |t: &str, count: Option<u64>| Told { text: Some(t.into()), count, ..Told::default() };
        assert_eq!(settle(lost(false, text("C6", None)), FIFO), (vec![6], None));
        assert_eq!(settle(lost(false, text("C4", None)), FIFO), (vec![], None));
        assert_eq!(settle(lost(false, text("C6", Some(102))), FIFO), (vec![5, 6], None));
        // They contradict each other.
        assert_eq!(settle(lost(false, text("C6", Some(101))), FIFO), (vec![6], None));
        assert_eq!(settle(lost(false, text("C4", Some(101))), FIFO), (vec![], None));
    }
}
