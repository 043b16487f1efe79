//! What waits for the disk: effects of a decision leave when the ticket that holds its events is committed.

use super::input::{Decision, Effect};
use super::law::{Law, Sound};
use std::collections::VecDeque;
use std::marker::PhantomData;

/// Effects in the order of their decisions. Bounded by what the writer's queue admits.
#[derive(Debug)]
pub struct Release<L: Law = Sound> {
    held: VecDeque<(u64, Effect)>,
    committed: u64,
    law: PhantomData<L>,
}

impl<L: Law> Default for Release<L> {
    fn default() -> Self {
        Self { held: VecDeque::new(), committed: 0, law: PhantomData }
    }
}

impl<L: Law> Release<L> {
    /// Takes a decision's effects; answers those that leave at once, in order.
    pub fn decided(&mut self, decision: &mut Decision) -> Vec<Effect> {
        let mut leave = std::mem::take(&mut decision.now);
        for e in std::mem::take(&mut decision.after) {
            let early = match e {
                Effect::Print { .. } | Effect::Label { .. } => L::INKS_BEFORE_BOOK,
                _ => L::ACKS_BEFORE_COMMIT,
            };
            if early || decision.ticket <= self.committed {
                leave.push(e);
            } else {
                self.held.push_back((decision.ticket, e));
            }
        }
        leave
    }

    /// Everything up to `ticket` is on disk: what leaves now, in order.
    pub fn committed(&mut self, ticket: u64) -> Vec<Effect> {
        self.committed = self.committed.max(ticket);
        let n = self.held.iter().take_while(|(t, _)| *t <= self.committed).count();
        self.held.drain(..n).map(|(_, e)| e).collect()
    }

    /// Effects still waiting.
    pub fn waiting(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_before_its_ticket() {
        let mut r = Release::<Sound>::default();
        let mut d = Decision { ticket: 3, now: vec![Effect::Exit], after: vec![Effect::Exit], ..Decision::default() };
        assert_eq!(r.decided(&mut d), vec![Effect::Exit]);
        assert!(r.committed(2).is_empty());
        assert_eq!(r.committed(3), vec![Effect::Exit]);
        let mut d = Decision { ticket: 3, after: vec![Effect::Exit], ..Decision::default() };
        assert_eq!(r.decided(&mut d), vec![Effect::Exit], "what is on disk already leaves at once");
    }
}
