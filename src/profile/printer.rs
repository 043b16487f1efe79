//! The printer's half of the language: what its memory does, and, for the dialects `commands` and `label`, what is said to
//! it and what its answers mean. Bytes are in the notation of `bytes.rs`; what stands on labels is in `label.rs`.

mod frame;

pub use super::status::{Condition, StatusRule};
pub use frame::*;

use serde::Deserialize;
use std::collections::BTreeMap;

/// What a printer's memory does.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Buffer {
    pub kind: BufferKind,
    /// How it says that it is full.
    pub full: String,
    /// A refused code was not taken and may be offered again. False wherever the document does not say so.
    pub refusal_means_not_taken: bool,
    /// Events after which its content is gone.
    pub lost_by: Vec<String>,
    /// It may be emptied when it is adopted.
    pub clear_is_safe: bool,
    pub on_empty: OnEmpty,
    /// What tells that a code was printed, best first; the setting `confirmation` names the one that a device has.
    pub confirmed_by: Vec<Confirmation>,
    /// Most bytes of all codes that wait in it, beside their number (`depth`).
    pub most_bytes: Option<u32>,
    /// Codes inside that {fill} does not count (one that stands ready to be printed).
    #[serde(default)]
    pub uncounted: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BufferKind {
    /// One text; a new one replaces it, printed or not. One code is on its way at a time.
    Overwrite,
    /// One text; a new one is refused until it was printed.
    ProtectedSingle,
    /// Codes wait in order.
    Fifo,
    /// Codes wait in order under record numbers without gaps: the last one printed and one, and the setting `first_record`
    /// (1 without it) where none was printed.
    NumberedRecords,
    OneLabel,
}

/// What it prints when nothing new came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnEmpty {
    Blank,
    Fault,
    /// The last code again: dangerous. A reader must verify what it prints.
    Repeats,
    Nothing,
}

/// What tells that a code was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Confirmation {
    /// An unasked word of the printer for every print (`[[events]]` with means = "printed"); {text} names the code.
    Event,
    /// The number of the last record printed (command last-record, place {last}); it says which codes, not how many.
    LastRecord,
    /// The text printed last (command last-text, place {text}).
    LastText,
    /// It refuses until it has printed (command readiness).
    Readiness,
    /// Its print counter moves on (command count, place {count}).
    Counter,
    /// Fewer codes wait than were put (command fill, place {fill}).
    QueueLength,
    /// Room for the next code.
    Acceptance,
    /// Its status: nothing left to print.
    Status,
    /// Only the reader behind it. A printer that holds one text gets its next code when the last one was read, or was not.
    Read,
}

/// What a command is for. The conversation and the simulated printer know commands by these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Ends half a command in the printer's input.
    Flush,
    /// Puts its answers into the form that this profile reads.
    Prepare,
    /// Asks who it is; {identity}.
    Identify,
    /// Asks how it is; `[[status]]` says what the places mean.
    Status,
    /// Takes {message}.
    SelectMessage,
    /// Reads back {message}.
    CurrentMessage,
    /// Sets the field {name} to {value}; once for each field of the station.
    SetField,
    /// Puts {code} (and {record}) into the buffer.
    PutCode,
    Clear,
    /// Asks how many codes wait; {fill}.
    Fill,
    /// Asks its print counter; {count}.
    Count,
    /// Reads back what was put, of field {name}; {text}.
    ReadBack,
    /// Asks the number of the last record printed; {last}, and {fill} and {prints} where it says them.
    LastRecord,
    /// Asks what was printed last; {text}.
    LastText,
    /// Asks whether it takes a code now.
    Readiness,
    ArmEvents,
    DisarmEvents,
    /// Enters the regime in which codes are taken.
    EnterMode,
    LeaveMode,
    /// Lets it print.
    Start,
    Stop,
    Reset,
}

impl Role {
    /// As a profile writes it.
    pub fn name(self) -> String {
        dashed(&format!("{self:?}"))
    }
}

impl Confirmation {
    /// As a profile writes it.
    pub fn name(self) -> String {
        dashed(&format!("{self:?}"))
    }
}

fn dashed(camel: &str) -> String {
    let parted = |(i, c): (usize, char)| (c.is_uppercase() && i > 0).then_some('-').into_iter().chain([c.to_ascii_lowercase()]);
    camel.chars().enumerate().flat_map(parted).collect()
}

/// One command.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Command {
    pub send: String,
    /// It is sent without the frame.
    #[serde(default)]
    pub raw: bool,
    /// Its answers; the first that fits holds. None: it is not answered.
    #[serde(default)]
    pub replies: Vec<Reply>,
    /// How long an answer may take; the link's reply_timeout_ms when absent.
    pub timeout_ms: Option<u32>,
    /// Nothing is sent for so long after it.
    #[serde(default)]
    pub pause_ms: u32,
    /// It may be left unanswered: a silence of timeout_ms is ok too.
    #[serde(default)]
    pub answer_optional: bool,
    /// What a silence may come from, for people.
    pub silence: Option<String>,
    /// status, in a sequence: while it says offline, it is asked again for so long (a start takes its time).
    #[serde(default)]
    pub settle_ms: u32,
    /// put-code and set-field: done only when this command (read-back, last-record) agrees; asked until timeout_ms is over.
    pub read_back: Option<Role>,
    /// Document and page, where it is not the profile's.
    pub source: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Its bytes, without what its `[[inbound]]` form takes off.
    pub is: String,
    /// Dialect `label`: the further units of an answer that comes in several, in order.
    #[serde(default)]
    pub then: Vec<String>,
    /// The name of the `[[inbound]]` form it comes in; any when absent.
    pub from: Option<String>,
    pub means: Means,
    /// When the printer answers so; the simulated printer does.
    pub when: Option<When>,
    /// What it means, for people; places of the pattern may stand in it.
    pub say: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// Done; for put-code: taken.
    Ok,
    /// For put-code: taken, and nothing more until something was printed.
    TakenFull,
    /// For put-code: not taken, it is full; offered again when something was printed. Needs refusal_means_not_taken.
    Full,
    /// For put-code: not taken, and no room was meant: offered again after a moment. Needs refusal_means_not_taken.
    Busy,
    /// It cannot, or will not.
    Refused,
    /// It got something else than was sent: what it holds is not known any more.
    Damaged,
    /// This model has no such command; the sequence goes on without.
    Lacking,
}

/// The state of a printer in which it answers so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum When {
    Full,
    Empty,
    NoSuchMessage,
    Fault,
    Refusing,
}

/// Something that the printer says unasked, also between a command and its answer.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    pub is: String,
    pub from: Option<String>,
    pub means: EventMeans,
    /// What the host answers at once.
    pub answer: Option<String>,
    pub say: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EventMeans {
    /// One code was printed, or {count} of them, or the one whose {text} it says.
    Printed,
    /// It asks whether the host listens. What it says next is its own, and answers no command, whose time starts anew.
    Asks,
    /// A thing came by.
    Triggered,
    /// Its status; `[[status]]` says what the places mean.
    Status,
    Fault,
    /// It has left the regime in which it takes codes.
    LeftMode,
    /// Nothing of interest.
    Nothing,
}

/// What is done in order: names of commands, "wait 500ms". A step with nothing to do (no message, no field) is passed over.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sequences {
    /// After the link opened.
    #[serde(default)]
    pub connect: Vec<String>,
    /// Before the first code of a job, and after every trouble.
    #[serde(default)]
    pub arm: Vec<String>,
    /// After a job.
    #[serde(default)]
    pub disarm: Vec<String>,
    /// To empty the buffer amid a job.
    #[serde(default)]
    pub clear: Vec<String>,
    /// Numbered records: to learn after a lost link which codes are still inside. If all are, it goes on; else `arm` follows.
    #[serde(default)]
    pub resume: Vec<String>,
    /// To set right what `[[status]]` says with `recovers`.
    #[serde(default)]
    pub recover: Vec<String>,
}

/// How often it is asked.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PollRule {
    /// Its status, when nothing else is said; 0: never.
    pub status_ms: u32,
    /// What tells of prints, while a code is in it (not for events).
    pub confirm_ms: u32,
    /// It may be asked for its status while codes are taken.
    #[serde(default = "yes")]
    pub while_armed: bool,
    /// Nothing is asked for so long after an answer.
    #[serde(default)]
    pub rest_ms: u32,
}

fn yes() -> bool {
    true
}

/// An oddity with a name, which the conversation knows.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct QuirkRule {
    pub name: Quirk,
    /// Document and page, or who saw it.
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Quirk {
    /// A field left to itself is emptied at once after its print, so that the last code is not printed again.
    BlankAfterPrint,
}

/// What a simulated printer says where the document leaves the value open.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Simulated {
    /// The places of its answers when all is well.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// Those that differ in a fault.
    #[serde(default)]
    pub fault: BTreeMap<String, String>,
    /// Those that differ while it is stopped.
    #[serde(default)]
    pub stopped: BTreeMap<String, String>,
    /// Its answer to what it does not know.
    pub unknown: Option<String>,
}
