//! The life of a code, written from the contract's tables ("where a code ends").

use super::{At, Replay};
use crate::audit::names::No;
use crate::vocab::{ItemState as S, ParentState as P, Promise, Reason};

impl Replay {
    /// Moves a code. `promise`: which one an unlawful move breaks.
    pub(super) fn move_code(&mut self, code: No, to: S, promise: Promise, at: &mut At<'_>) {
        let from = self.code_mut(code).state;
        if !may(from, to) {
            at.blame(promise, Some(code), format!("a code that is {from} became {to}"));
        }
        let c = self.code_mut(code);
        c.state = to;
        c.must_stand = true;
        c.maybe_rejected = false;
        if matches!(to, S::Sent | S::Printed | S::Doubtful) {
            self.unsettled.insert(code);
        } else {
            self.unsettled.remove(&code);
        }
    }

    pub(super) fn sent(&mut self, code: No, device: Option<No>, at: &mut At<'_>) {
        let job = self.job_now();
        let before = self.code_mut(code).clone();
        if before.sent.is_some() {
            at.blame(Promise::OnceInked, Some(code), format!("sent a second time, while {}", before.state));
        } else if !matches!(before.state, S::Pooled | S::Leased) {
            at.blame(Promise::OnceInked, Some(code), format!("sent although it is {}", before.state));
        }
        if let Some((pack, ordinal)) = at.stand.place(code)
            && !self.is_leased(pack, ordinal)
        {
            at.blame(Promise::OnceInked, Some(code), format!("sent without being leased (pack {pack}, ordinal {ordinal})"));
        }
        let c = self.code_mut(code);
        c.sent = c.sent.or(Some((at.seq, at.i)));
        c.device = device;
        c.job = job;
        c.state = S::Sent;
        c.must_stand = true;
        self.unsettled.insert(code);
    }

    pub(super) fn printed(&mut self, code: No, at: &mut At<'_>) {
        let c = self.code_mut(code);
        c.printed = Some(at.seq);
        let promise = if c.sent.is_some() { Promise::DoubtIsFinal } else { Promise::OnceInked };
        self.move_code(code, S::Printed, promise, at);
    }

    pub(super) fn doubtful(&mut self, code: No, restored: bool, at: &mut At<'_>) {
        self.code_mut(code).restored |= restored;
        if restored && matches!(self.code_mut(code).state, S::Pooled | S::Leased) {
            self.code_mut(code).state = S::Sent;
        }
        self.move_code(code, S::Doubtful, Promise::DoubtIsFinal, at);
    }

    pub(super) fn void(&mut self, code: No, at: &mut At<'_>) {
        self.move_code(code, S::Void, Promise::DoubtIsFinal, at);
    }

    pub(super) fn missing(&mut self, code: No, at: &mut At<'_>) {
        self.move_code(code, S::Missing, Promise::DoubtIsFinal, at);
    }

    pub(super) fn rejected(&mut self, code: No, reason: Option<Reason>, at: &mut At<'_>) {
        self.move_code(code, S::Rejected, Promise::AckAfterDisk, at);
        self.code_mut(code).reason = reason;
    }

    /// A verdict named this code. `told`: the state the journal says it got, where it says so.
    #[expect(clippy::too_many_arguments, reason = "the columns of one verdict")]
    pub(super) fn verdict_on(
        &mut self,
        code: No,
        station: No,
        good: bool,
        reason: Option<Reason>,
        revises: bool,
        told: Option<S>,
        at: &mut At<'_>,
    ) {
        let tally = self.tallies.entry((station, code)).or_default();
        tally.seq = at.seq;
        match (good, revises) {
            (true, _) => tally.good += 1,
            (false, true) => tally.taken_back += 1,
            (false, false) => tally.rejected += 1,
        }
        let c = self.code_mut(code);
        c.seen += u64::from(!revises);
        let state = c.state;
        let numbers = c.number_of;
        if good {
            c.good_at = Some(at.seq);
            c.must_stand = true;
            return self.good(code, station, state, numbers, at);
        }
        if revises {
            return self.rejected(code, reason, at);
        }
        match told {
            Some(S::Rejected) => self.rejected(code, reason, at),
            Some(other) => at.blame(Promise::DoubtIsFinal, Some(code), format!("a reject made it {other}")),
            // A frame's own code is rejected with it; a stranger in the pool is only seen. Both look alike.
            None if matches!(state, S::Pooled | S::Leased) => self.code_mut(code).maybe_rejected = true,
            None => {}
        }
    }

    fn good(&mut self, code: No, station: No, state: S, numbers: Option<No>, at: &mut At<'_>) {
        self.not_used_elsewhere(code, at);
        // The number of a parent that waits for its label: only its seal moves it.
        let waiting = numbers.and_then(|p| self.parents.get(&p)).is_some_and(|p| matches!(p.state, P::Closed | P::Labelling));
        match state {
            _ if waiting => {}
            S::Verified => {
                let c = self.code_mut(code);
                if c.verified.is_some_and(|v| v.0.is_none()) {
                    c.verified = Some((Some(station), at.seq));
                }
            }
            S::Sent | S::Printed | S::Doubtful | S::Missing | S::Pooled | S::Leased => {
                let job = self.job_now();
                self.move_code(code, S::Verified, Promise::DoubtIsFinal, at);
                let c = self.code_mut(code);
                c.verified = Some((Some(station), at.seq));
                c.reason = None;
                c.job = c.job.or(job);
            }
            other => at.blame(Promise::DoubtIsFinal, Some(code), format!("passed as good although it is {other}")),
        }
    }
}

/// May a code go from `from` to `to`?
pub(super) const fn may(from: S, to: S) -> bool {
    match to {
        S::Sent => matches!(from, S::Pooled | S::Leased),
        S::Printed => matches!(from, S::Sent),
        S::Doubtful => matches!(from, S::Sent | S::Printed),
        S::Missing => matches!(from, S::Printed),
        // Read in a passage; or loose again, when a sealed parent was broken.
        S::Verified => {
            matches!(from, S::Sent | S::Printed | S::Doubtful | S::Missing | S::Pooled | S::Leased | S::Packed)
        }
        S::Packed => matches!(from, S::Verified),
        S::Rejected => !matches!(from, S::Void | S::Rejected | S::Sampled | S::Destroyed | S::Returned),
        S::Void => {
            matches!(from, S::Pooled | S::Leased | S::Sent | S::Printed | S::Doubtful | S::Missing | S::Verified)
        }
        S::Sampled | S::Destroyed => matches!(from, S::Verified | S::Packed | S::Rejected),
        S::Returned => matches!(from, S::Pooled),
        S::Pooled | S::Leased => false,
    }
}
