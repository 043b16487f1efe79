//! Printers that say what they print by the text itself: that very code is credited, and the names of codes that have left
//! the window are kept for a while, since one of them may be said late, or once more.

use super::super::{Ask, Asked, Commands, Refused, Stage};
use super::{Credit, Inside};
use crate::profile::printer::Confirmation;
use crate::vocab::Report;
use std::collections::VecDeque;

/// Names kept.
const MOST_GONE: usize = 256;

impl Credit {
    pub(super) fn let_go(&mut self, bytes: Vec<u8>, ghost: bool) {
        if self.gone.len() == MOST_GONE {
            self.gone.pop_front();
        }
        self.gone.push_back((bytes, ghost));
    }

    /// What is inside, and the code on its way, may stay there uncounted.
    pub(super) fn haunt(&mut self) {
        let (ghosts, ghost_bytes) = (self.ghosts, self.ghost_bytes);
        let old: VecDeque<(Vec<u8>, bool)> = std::mem::take(&mut self.gone);
        let new: Vec<Inside> = self.inside.drain(..).chain(self.flying.take()).collect();
        self.forget();
        self.ghosts = ghosts + new.len() as u32;
        self.ghost_bytes = ghost_bytes + new.iter().map(|i| i.bytes.len()).sum::<usize>();
        self.gone = old;
        new.into_iter().for_each(|i| self.let_go(i.bytes, true));
    }

    /// A code was printed by name. `next`: the oldest inside; else nobody knows how many prints that were.
    fn named_one(&mut self, next: bool) {
        self.basing = false;
        self.counts_to = self.counts_to.filter(|_| next).map(|c| c.saturating_add(1)).filter(|_| self.counter_is_ours());
    }
}

impl Commands {
    /// The printer says unasked what it printed, by the text itself: that very code is credited, or none.
    pub(in crate::wire::commands) fn named_event(&mut self, text: &[u8], bytes: &[u8], now_us: u64) {
        if (self.stage != Stage::Ready && !self.credit.kept) || self.credit.source != Confirmation::Event {
            return;
        }
        let text = self.talk.decode("code", text);
        if let Some(at) = self.credit.inside.iter().position(|i| i.bytes == text) {
            return self.named(at, now_us);
        }
        let putting = if let Some(Asked { ask: Ask::Put(put), .. }) = &self.asked { Some(&put.bytes) } else { None };
        if putting == Some(&text) {
            self.credit.named_early = true;
            return;
        }
        let starving = putting.is_none() && self.credit.inside.is_empty() && self.credit.repeats && !self.credit.bare;
        // Whatever it was, its counter counts it too.
        (self.credit.basing, self.credit.counts_to) = (false, None);
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
    pub(super) fn named(&mut self, at: usize, now_us: u64) {
        let mut gone: Vec<Inside> = self.credit.inside.drain(..=at).collect();
        let code = gone[at].code;
        gone.drain(..).for_each(|i| self.credit.let_go(i.bytes, false));
        self.credit.named_one(at == 0);
        if let Some(r) = &mut self.refused {
            *r = Refused { again_us: now_us, count: 0 };
        }
        self.out.tell(Report::PrintedCode { code });
        if self.credit.inside.is_empty() && self.credit.blanks && self.credit.repeats {
            self.credit.blank_due = true;
        }
    }
}
