//! What is done when a printer cannot print, is out of step, or its link goes.

use super::{Ask, Commands, Stage, TROUBLE_US};
use crate::vocab::Report;

impl Commands {
    pub(super) fn forget_orders(&mut self) {
        self.queue.clear();
        self.refused = None;
    }

    /// It cannot print: told once per reason; adopted anew when that has gone.
    pub(super) fn unready(&mut self, why: &str, now_us: u64) {
        self.stage = Stage::Unready;
        (self.run, self.proof) = (None, None);
        self.forget_orders();
        self.status_due_us = now_us + TROUBLE_US;
        if self.trouble.as_deref() != Some(why) {
            self.trouble = Some(why.into());
            self.out.tell(Report::NotReady { why: why.into() });
        }
    }

    /// What it holds in which order is not known any more: adopt it anew over a new link.
    pub(super) fn out_of_step(&mut self, why: &str, now_us: u64) {
        self.out.tell_noise(now_us);
        self.out.tell(Report::OutOfStep { why: why.into() });
        self.out.hang_up(why);
        self.let_go();
        self.stop(false);
        self.credit.lost = None;
    }

    pub(super) fn hang_up(&mut self, why: &str) {
        self.out.hang_up(why);
        self.stop(true);
    }

    /// Nothing is offered, heard or owed on this link any more; what was in the printer may still be there, and `may_keep`
    /// says that it is asked about it later, where it can tell.
    pub(super) fn stop(&mut self, may_keep: bool) {
        // The code on its way may be there too.
        let flying = match self.asked.take().map(|a| a.ask) {
            Some(Ask::Put(put) | Ask::Proof(put)) => Some(put),
            _ => self.proof.take().map(|p| p.put),
        };
        self.proof = None;
        if may_keep && self.tells_after_loss() {
            self.credit.keep(flying);
        } else {
            self.credit.lose(flying);
            self.credit.leave_ghosts();
        }
        self.stage = Stage::Closed;
        (self.run, self.pause_us, self.amidst_us, self.trouble) = (None, None, None, None);
        (self.listening, self.inquiries) = (None, 0);
        self.forget_orders();
        (self.clear_wanted, self.disarm_wanted) = (false, false);
    }
}
