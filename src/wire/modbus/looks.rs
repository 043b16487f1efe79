//! Are the outputs as they were written? A module knows no master: a second daemon, or a program that somebody left
//! running, writes to it as we do, and each would start and stop the other's belt. So an output that is only written
//! again is read before, which misses nothing that somebody else wrote in between, and the others are looked at in turn.
//!
//! Must never know: telegrams. Invariants: a module is believed only after it has shown an output that we wrote ON as ON
//! and one that we wrote OFF as OFF; one that cannot show its outputs is asked no more; a pause in which its watchdog may
//! have dropped them accuses nobody.

use crate::vocab::time::MS;
use std::collections::BTreeMap;

/// A module may take so long to show what was written.
const SETTLE_US: u64 = 20 * MS;
/// A pause between requests in which a watchdog may have done its work.
const PAUSE_US: u64 = 100 * MS;
/// From one look at an output, in turn, to the next.
const TURN_US: u64 = 500 * MS;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Shows {
    /// Nobody knows yet.
    #[default]
    Untried,
    Yes,
    No,
}

#[derive(Debug, Default)]
pub(super) struct Looks {
    shows: Shows,
    /// It has shown an output as OFF, and one as ON, that we had written so.
    right: [bool; 2],
    /// Outputs as written on this link, and when.
    written: BTreeMap<u16, (bool, u64)>,
    /// The newest write that waits was looked at.
    looked: bool,
    last_us: u64,
    /// The end of the last pause.
    paused_us: u64,
    turn: u16,
    turn_us: u64,
}

impl Looks {
    /// A request leaves.
    pub fn asked(&mut self, now_us: u64) {
        if now_us > self.last_us + PAUSE_US {
            self.paused_us = now_us;
        }
        self.last_us = now_us;
    }

    /// Is this output to be looked at before it is written (again)?
    pub fn before(&mut self, number: u16, on: bool, now_us: u64) -> bool {
        let again = self.written.get(&number).is_some_and(|w| w.0 == on && now_us >= w.1 + SETTLE_US);
        self.shows != Shows::No && again && !std::mem::replace(&mut self.looked, again)
    }

    /// The output whose turn it is, between two polls.
    pub fn in_turn(&mut self, now_us: u64) -> Option<u16> {
        if self.shows == Shows::No || now_us < self.turn_us {
            return None;
        }
        self.turn_us = now_us + TURN_US;
        let after = self.written.range(self.turn.saturating_add(1)..).next();
        let (number, wrote) = after.or_else(|| self.written.iter().next())?;
        self.turn = *number;
        (now_us >= wrote.1 + SETTLE_US).then_some(*number)
    }

    /// An output as it stands. `true`: somebody else wrote it.
    pub fn saw(&mut self, number: u16, on: bool) -> bool {
        self.shows = Shows::Yes;
        let Some((wrote, at_us)) = self.written.get(&number).copied() else { return false };
        if wrote == on {
            self.right[usize::from(on)] = true;
            return false;
        }
        // Told once for each time that it was written.
        self.written.remove(&number);
        self.right == [true; 2] && at_us >= self.paused_us
    }

    pub fn wrote(&mut self, number: u16, on: bool, now_us: u64) {
        self.written.insert(number, (on, now_us));
        self.looked = false;
    }

    pub fn forget(&mut self, number: u16) {
        self.written.remove(&number);
        self.looked = false;
    }

    /// What was written is no more known to stand.
    pub fn link_gone(&mut self) {
        self.written.clear();
        self.looked = false;
    }

    /// It refused to show an output.
    pub fn give_up(&mut self) {
        self.shows = Shows::No;
    }

    /// It said nothing. One that has answered such a question before is silent for another reason.
    pub fn unanswered(&mut self) {
        if self.shows == Shows::Untried {
            self.shows = Shows::No;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request every 5 ms up to `until_us`.
    fn polls(looks: &mut Looks, until_us: u64) {
        while looks.last_us + 5 * MS <= until_us {
            let next_us = looks.last_us + 5 * MS;
            looks.asked(next_us);
        }
    }

    fn believed() -> Looks {
        let mut l = Looks::default();
        polls(&mut l, 10 * MS);
        l.wrote(3, true, 10 * MS);
        l.wrote(4, false, 10 * MS);
        polls(&mut l, 50 * MS);
        assert!(!l.saw(3, true) && !l.saw(4, false));
        l
    }

    #[test]
    fn an_output_that_somebody_else_wrote_is_told_once() {
        let mut l = believed();
        assert!(l.before(3, true, 110 * MS) && !l.before(3, true, 110 * MS), "one look a write");
        assert!(l.saw(3, false) && !l.saw(3, false));
        l.wrote(3, true, 111 * MS);
        polls(&mut l, 200 * MS);
        assert!(l.before(3, true, 211 * MS) && !l.saw(3, true));
        assert!(l.saw(4, true), "an output that we keep off, too");
    }

    #[test]
    fn what_changes_is_not_looked_at_before() {
        let mut l = believed();
        assert!(!l.before(3, false, 110 * MS) && !l.before(9, true, 110 * MS));
        assert!(!l.before(4, false, 20 * MS), "it has had no time to show it");
    }

    #[test]
    fn after_a_pause_nobody_is_accused() {
        let mut l = believed();
        l.asked(400 * MS);
        assert!(!l.saw(3, false), "its watchdog may have dropped it");
        l.wrote(3, true, 401 * MS);
        polls(&mut l, 500 * MS);
        assert!(l.saw(3, false));
    }

    #[test]
    fn a_module_that_shows_nothing_true_is_not_believed() {
        let mut l = Looks::default();
        polls(&mut l, 10 * MS);
        for n in 0..50 {
            l.wrote(8, true, l.last_us);
            l.wrote(9, false, l.last_us);
            polls(&mut l, (n + 1) * 100 * MS);
            assert!(!l.saw(8, false) && !l.saw(9, false));
        }
        l.give_up();
        assert!(!l.before(9, false, 9_000 * MS) && l.in_turn(9_000 * MS).is_none());
        let mut l = Looks::default();
        l.wrote(8, true, 0);
        assert_eq!(l.in_turn(SETTLE_US), Some(8));
        l.unanswered();
        assert_eq!(l.in_turn(900 * MS), None);
    }

    #[test]
    fn outputs_take_turns() {
        let mut l = believed();
        let seen: Vec<u16> = (1..9).filter_map(|n| l.in_turn(n * TURN_US)).collect();
        assert_eq!(seen, [3, 4, 3, 4, 3, 4, 3, 4]);
    }
}
