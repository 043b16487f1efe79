//! The rules that make the promises, as switches that only a simulator's own types can turn off, to show that an
//! auditor notices. The daemon runs `Sound`.

/// Each constant names a broken rule; all are `false` in a sound line.
pub trait Law: Send + 'static {
    /// A doubtful code is sent again after the printer comes back.
    const RESENDS_DOUBTFUL: bool = false;
    /// A parent is sealed although a child was never verified.
    const SEALS_UNVERIFIED: bool = false;
    /// A frame that came after its passage's deadline is credited to the next passage.
    const CREDITS_LATE_FRAMES: bool = false;
    /// A code's bytes leave before its *sent* is on disk.
    const INKS_BEFORE_BOOK: bool = false;
    /// A reply, or a gate, says "good" before its commit.
    const ACKS_BEFORE_COMMIT: bool = false;
}

/// The law as it stands.
#[derive(Debug, Clone, Copy)]
pub struct Sound;

impl Law for Sound {}
