//! States, reasons and promises, each an enum with a stable number (stored) and a kebab-case word (public).

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $number),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The public word (CONTRACT, "Words").
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The stored number; never changes its meaning.
            pub const fn number(self) -> u8 {
                self as u8
            }

            pub const fn from_number(n: u8) -> Option<Self> {
                match n { $($number => Some(Self::$variant),)+ _ => None }
            }

            pub fn from_word(w: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.word() == w)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words!(
    /// The life of a code on an item (DESIGN §2).
    ItemState {
        Pooled = 0 "pooled",
        Leased = 1 "leased",
        Sent = 2 "sent",
        Printed = 3 "printed",
        Verified = 4 "verified",
        Packed = 5 "packed",
        Doubtful = 6 "doubtful",
        Missing = 7 "missing",
        Rejected = 8 "rejected",
        Sampled = 9 "sampled",
        Destroyed = 10 "destroyed",
        Void = 11 "void",
        Returned = 12 "returned",
    }
);

words!(
    /// The life of a parent (box, case, pallet).
    ParentState {
        Open = 0 "open",
        Closed = 1 "closed",
        Labelling = 2 "labelling",
        Sealed = 3 "sealed",
        Broken = 4 "broken",
        Void = 5 "void",
    }
);

words!(
    /// Why a passage was rejected.
    Reason {
        NoRead = 1 "no-read",
        Duplicate = 2 "duplicate",
        Foreign = 3 "foreign",
        WrongProduct = 4 "wrong-product",
        WrongLevel = 5 "wrong-level",
        WrongJob = 6 "wrong-job",
        NotPrinted = 7 "not-printed",
        Void = 8 "void",
        OverCount = 9 "over-count",
        UnderCount = 10 "under-count",
        Grade = 11 "grade",
        Late = 12 "late",
        Altered = 13 "altered",
        Escape = 14 "escape",
    }
);

words!(
    /// Why a code's fate is unknown.
    Doubt {
        Silence = 1 "silence",
        Reset = 2 "reset",
        Restart = 3 "restart",
        Cleared = 4 "cleared",
        Restored = 5 "restored",
    }
);

words!(
    /// The nine promises (DESIGN §1).
    Promise {
        OnceInked = 1 "once-inked",
        DoubtIsFinal = 2 "doubt-is-final",
        OneParent = 3 "one-parent",
        AckAfterDisk = 4 "ack-after-disk",
        Balance = 5 "balance",
        NothingForgotten = 6 "nothing-forgotten",
        ToldOnce = 7 "told-once",
        ByteExact = 8 "byte-exact",
        NoiseIsNoise = 9 "noise-is-noise",
    }
);

words!(
    /// The life of a job.
    JobState {
        Created = 0 "created",
        Running = 1 "running",
        Held = 2 "held",
        Completing = 3 "completing",
        Completed = 4 "completed",
        Aborted = 5 "aborted",
    }
);

words!(
    /// PackML states with their numbers (ISA-TR88.00.02; OPC 30050).
    PackMl {
        Stopped = 2 "stopped",
        Starting = 3 "starting",
        Idle = 4 "idle",
        Suspended = 5 "suspended",
        Execute = 6 "execute",
        Stopping = 7 "stopping",
        Aborting = 8 "aborting",
        Aborted = 9 "aborted",
        Holding = 10 "holding",
        Held = 11 "held",
        Unholding = 12 "unholding",
        Completing = 16 "completing",
        Complete = 17 "complete",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_round_trip() {
        for s in ItemState::ALL {
            assert_eq!(ItemState::from_number(s.number()), Some(*s));
            assert_eq!(ItemState::from_word(s.word()), Some(*s));
        }
        for r in Reason::ALL {
            assert_eq!(Reason::from_word(r.word()), Some(*r));
        }
        assert_eq!(PackMl::Execute.number(), 6);
        assert_eq!(PackMl::Complete.number(), 17);
    }
}
