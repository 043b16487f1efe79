//! What passes between the line and a device's conversation: orders out, reports in. The line knows no protocol, a
//! conversation knows no rule of packing; both know these words.

use super::grade::Grade;
use super::ids::CodeRef;
use super::plan::{Point, PointKind};

/// The line asks a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Printer: identify, clear where that is safe, select the message, set its fixed fields, arm print events.
    /// Answered by `Report::Ready`. A conversation that loses its link repeats it by itself after reconnecting.
    Arm { message: Option<String>, fields: Vec<(String, String)> },
    /// Printer: put this code on the next thing (or label). Sent only after *sent* is committed. Orders are taken in
    /// sequence; a conversation may hold several (feed-ahead) and offers each to the device once, except after the
    /// device's explicit refusal of that very request where the profile says a refusal means "not taken".
    Print { code: CodeRef, bytes: Vec<u8> },
    /// Printer: drop the orders not yet offered, then empty the device's buffer. Answered by `Report::Cleared`, or
    /// by `Report::Down` when the device does not answer.
    Clear,
    /// Printer: stop printing; no job is running.
    Disarm,
    /// Reader that reads when it is told to: a thing is before it, for so long.
    Trigger { window_ms: u32 },
    /// Reader that is told: the verdict over the frame that came at `frame_us` (mono). *Bad* leaves at once, *good* only
    /// after the verdict is on disk.
    Verdict { good: bool, frame_us: u64 },
    /// I/O: write this output now.
    Output { number: u16, on: bool },
    /// I/O: begin a pulse that the module times itself; `on = false` ends it before its time.
    Pulse { number: u16, on: bool },
}

impl Order {
    /// What sets a point of an I/O module.
    pub fn set(point: Point, on: bool) -> Self {
        match point.kind {
            PointKind::Pulse => Self::Pulse { number: point.number, on },
            PointKind::Output | PointKind::Input | PointKind::Counter => Self::Output { number: point.number, on },
        }
    }
}

/// A device tells the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Connected and, where the profile can, identified.
    Up { identity: Option<String> },
    /// The link is gone, or was dropped by us after a silence. Whatever was on its way is unknown.
    Down { why: String },
    /// Printer: armed. `cleared`: its buffer was emptied by an acknowledged clear, so nothing of ours is in it.
    Ready { cleared: bool },
    /// Printer: cannot print now, with the device's own words (paper out, fault 011, head open).
    NotReady { why: String },
    /// Printer: this code is in its buffer.
    Taken { code: CodeRef },
    /// Printer: this many things were printed since the last report, oldest taken first.
    Printed { count: u32 },
    /// Printer: this very code was printed; it named it. Codes taken before it and not told of have left it, inked or lost.
    PrintedCode { code: CodeRef },
    /// Printer: this code was printed, and all that were taken before it: it says which, not how many.
    PrintedTo { code: CodeRef },
    /// Printer: this code cannot be said to it, or printed by it; nothing of it has left for the printer.
    Unprintable { code: CodeRef, why: String },
    /// Printer: an acknowledged clear; nothing of ours is in it.
    Cleared,
    /// Printer: a reply was lost or came twice; what it holds in which order is no longer known. The conversation
    /// re-arms by itself (`Ready` follows).
    OutOfStep { why: String },
    /// Printer, before `Down`: when it is back it may tell which codes of the window it printed. `Reconciled` follows
    /// before the next `Ready`, or nothing could be told.
    Unsettled,
    /// Printer, adopted anew: what it could tell of the codes that were on their way to it or in it, each by name.
    /// `printed`: proven to be on a thing; `inside`: proven to be in its buffer still, oldest first. What is named in
    /// neither is doubtful.
    Reconciled { printed: Vec<CodeRef>, inside: Vec<CodeRef> },
    /// Reader: one frame.
    Frame(Frame),
    /// I/O: one poll.
    Polled(Poll),
    /// I/O: this output stands at `on`, which is not what was written last, and no silence explains it: somebody else
    /// writes to the module.
    Overwritten { number: u16, on: bool },
    /// Bytes that mean nothing, counted; at most 256 of them kept.
    Noise { bytes: Vec<u8>, count: u32 },
}

/// One reader frame, classified by its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The reader says that it read nothing.
    NoRead,
    /// The fields of a data frame in order.
    Data(Vec<Field>),
    /// A fault word (OVER, NC): not a code.
    Fault(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A position's no-read marker.
    NoRead,
    /// The bytes of a code as the reader sent them.
    Code(Vec<u8>),
    /// With the grade that the reader gave it; `None`: one that cannot be read.
    Graded { code: Vec<u8>, grade: Option<Grade> },
}

/// What one poll of an I/O module saw. Only points in use are listed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Poll {
    /// Monotonic µs at which the module answered.
    pub at_us: u64,
    pub inputs: Vec<(u16, bool)>,
    pub counters: Vec<(u16, u32)>,
    /// The module says that its watchdog had dropped the outputs (where it can say so).
    pub safe: bool,
    /// Outputs that it took since the poll before, in order.
    pub taken: Vec<Taken>,
}

/// An output that a module took (of a pulse: that it began or ended), and when that was sent to it (mono µs): not before,
/// and hardly later, it stood so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub number: u16,
    pub on: bool,
    pub sent_us: u64,
}
