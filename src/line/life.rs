//! The life of a code and of a parent, each as one table. Nothing else moves a state.

use crate::vocab::{ItemState as S, ParentState as P};

/// May a code go from `from` to `to`? (DESIGN §2, CONTRACT "where a code ends".)
pub const fn item_may(from: S, to: S) -> bool {
    matches!(
        (from, to),
        // supply and print
        (S::Leased, S::Sent)
            | (S::Pooled, S::Sent) // a range number leased and sent in one decision
            | (S::Sent, S::Printed | S::Doubtful | S::Void)
            | (S::Printed, S::Missing | S::Doubtful | S::Void)
            | (S::Doubtful, S::Void)
            | (S::Missing, S::Void)
            | (S::Leased, S::Pooled) // at a job's end
            // a read in an open passage proves ink
            | (S::Sent | S::Printed | S::Doubtful | S::Missing, S::Verified | S::Rejected)
            // an older copy of the ledger was put back: what its marks say may have been sent
            | (S::Pooled | S::Leased, S::Doubtful)
            // pre-printed
            | (S::Pooled | S::Leased, S::Verified | S::Rejected | S::Void)
            // packing
            | (S::Verified, S::Packed | S::Rejected | S::Void)
            | (S::Packed, S::Verified | S::Rejected)
            // withdrawal by people (their screens come later; the table is whole)
            | (S::Verified | S::Packed | S::Rejected, S::Sampled | S::Destroyed)
            | (S::Pooled, S::Returned)
            | (S::Rejected, S::Verified)
    )
}

/// May a parent go from `from` to `to`?
pub const fn parent_may(from: P, to: P) -> bool {
    matches!(
        (from, to),
        (P::Open, P::Closed | P::Void)
            | (P::Closed, P::Labelling | P::Sealed | P::Void)
            | (P::Labelling, P::Sealed | P::Void | P::Closed) // closed again: a new number for the same children
            | (P::Sealed, P::Broken)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_stay() {
        for to in S::ALL {
            for end in [S::Void, S::Destroyed, S::Sampled, S::Returned] {
                assert!(!item_may(end, *to), "{end} → {to}");
            }
        }
    }

    #[test]
    fn doubt_is_final() {
        assert!(!item_may(S::Doubtful, S::Sent) && !item_may(S::Doubtful, S::Pooled) && !item_may(S::Sent, S::Sent));
    }
}
