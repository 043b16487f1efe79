//! What a reader's profile says, `[reader]`: where its frames begin and end, what each frame is, where the codes stand in
//! it, how the reader is triggered and answered.
//!
//! Must never know: sockets, time, what a code means. Texts are bytes: UTF-8, control bytes as TOML escapes (`\u0002`).
//! Settings with fixed names stand in for rules of the same name (`bind.rs`); there are no expressions.

mod bind;
mod framing;
mod lint;
mod meaning;
mod pattern;

pub use framing::{Checksum, Covers, Form, Framing, Key, Order, Sum, SumForm, SumPlace};
pub use lint::{AI21, SAFE_SEPARATORS};
pub use pattern::Pattern;

use crate::vocab::grade::Grade;
use crate::vocab::plan::ReaderTraits;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a reader sends, and what it wants to hear.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Where frames begin and end, by name; the setting `framing` or `end` chooses one, else there is only one.
    pub framing: BTreeMap<String, Framing>,
    /// Frames (and positions) that say "nothing read", exactly; the setting `no_read` stands in for them.
    #[serde(default)]
    pub no_read: Vec<String>,
    /// What a frame is: the first rule that fits counts; a frame that none fits is data.
    #[serde(default)]
    pub classify: Vec<Rule>,
    #[serde(default)]
    pub layout: Layout,
    #[serde(default)]
    pub gs: Gs,
    /// A heartbeat, or anything else, comes at least this often (s); 0: no silence is too long.
    #[serde(default)]
    pub heartbeat_s: u32,
    #[serde(default)]
    pub trigger: Trigger,
    #[serde(default)]
    pub handshake: Handshake,
    /// Codes carry a grade, in the field `grade`.
    pub grade: Option<GradeRule>,
    /// A safe question that shows what stands at this address.
    pub probe: Option<Probe>,
    /// The commands that it answers to; the simulator speaks them.
    #[serde(default)]
    pub commands: Commands,
    /// Oddities of the device.
    #[serde(default)]
    pub quirk: Vec<Oddity>,
}

/// One of exact, begins, pattern, or key with value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub is: Class,
    /// Any of these, exactly.
    #[serde(default)]
    pub exact: Vec<String>,
    /// Any of these beginnings.
    #[serde(default)]
    pub begins: Vec<String>,
    /// `*` any run, `?` any byte, `\` before either for itself.
    pub pattern: Option<String>,
    /// A key of a JSON object, with dots into objects …
    pub key: Option<String>,
    /// … and its value: a text, or a number as text.
    pub value: Option<String>,
    /// The shortest beginning that fits this pattern is cut off before the data are read.
    pub cut: Option<String>,
    /// How these data are written, if not as the layout says.
    pub text: Option<Charset>,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    Heartbeat,
    ReplyOk,
    ReplyError,
    NoRead,
    /// Fewer codes than wanted, and the frame does not say which.
    Partial,
    /// More codes than wanted, and the frame does not say which.
    Multi,
    /// The reader could not follow, or is broken: OVER, NC.
    Fault,
    Ignore,
    #[default]
    Data,
}

/// Where the codes stand in a data frame.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Layout {
    /// Between several codes; none: a frame is one code. The setting `separator` stands in for it.
    pub separator: Option<String>,
    /// Where an unread position shows; the settings `unread` and `positional` stand in for it.
    pub unread: Unread,
    /// What stands for an unread position, beside the no-read words.
    pub missing: Vec<String>,
    /// The fields of one code, in order; one `code` when there is nothing else.
    pub fields: Vec<FieldName>,
    pub field_separator: String,
    /// Further fields are passed over.
    pub rest_ignored: bool,
    /// The key of a JSON object that holds the code, or the list of codes.
    pub json_codes: String,
    /// How the data are written.
    pub text: Charset,
    pub aim: Aim,
    pub duplicates: Duplicates,
    /// The frame is a packet of Zebra's Simple Serial Interface.
    pub ssi: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            separator: None,
            unread: Unread::LeftOut,
            missing: Vec::new(),
            fields: vec![FieldName::Code],
            field_separator: String::new(),
            rest_ignored: false,
            json_codes: String::new(),
            text: Charset::Bytes,
            aim: Aim::Optional,
            duplicates: Duplicates::Reported,
            ssi: false,
        }
    }
}

/// Where an unread position shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Unread {
    /// Its marker stands in its place.
    InPlace,
    /// Nothing stands for it.
    LeftOut,
    /// Markers follow the codes that were read: how many are missing is known, which ones is not.
    AtEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FieldName {
    Code,
    /// Symbology identifier, with or without its `]`.
    Aim,
    Grade,
    /// Anything that we do not use: a coordinate, a time, a bank.
    Other,
}

/// How text is written; bytes that it does not allow make the frame noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Charset {
    /// Whatever they are.
    Bytes,
    Ascii,
    #[serde(rename = "utf-8")]
    Utf8,
    Gbk,
    Latin1,
    Base64,
}

/// Does a symbology identifier (`]d2`) stand before each code? It stays there: matching takes it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Aim {
    None,
    Optional,
    /// A code without one is noise.
    Always,
}

/// What the reader does with two equal codes in one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    Reported,
    /// It sends one: a duplicate shows as a code too few.
    Suppressed,
}

/// How GS (1D) arrives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Gs {
    /// The setting `gs` stands in for it.
    pub arrives: GsForm,
    /// What stands for it.
    pub aliases: Vec<String>,
    /// Keys that stand for it, from a keyboard.
    pub keys: Vec<Key>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GsForm {
    #[default]
    Byte,
    Aliases,
    /// It does not arrive at all: only elements of fixed length can be told apart.
    Stripped,
}

/// What starts a reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trigger {
    /// A person, or the reader by itself.
    None,
    /// Its own input.
    #[default]
    Hardware,
    /// Ours: `on` at each trigger edge, `off` when the reading window ends. The setting `trigger` may say `hardware`.
    Command {
        on: String,
        #[serde(default)]
        off: String,
        /// `off` also after a read.
        #[serde(default)]
        off_always: bool,
        /// Each command is answered within this (ms); 0: none is.
        #[serde(default)]
        reply_ms: u32,
        /// What the simulator answers.
        #[serde(default)]
        on_reply: String,
        #[serde(default)]
        off_reply: String,
    },
}

/// What it wants to hear after a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Handshake {
    #[default]
    None,
    /// Each frame is acknowledged as it comes, a broken one refused (empty: not answered).
    Ack {
        ack: String,
        #[serde(default)]
        nak: String,
    },
    /// The verdict: bad at once, good when it is on disk; bad when there is none within `wait_ms`. The setting
    /// `feedback` may turn it off.
    Verdict { good: String, bad: String, wait_ms: u32 },
    /// SSI's own acknowledgement.
    Ssi,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GradeRule {
    pub form: GradeForm,
    /// The poorest that is good enough, a letter or a number; none or empty: any. The setting `minimum_grade` stands in.
    pub least: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GradeForm {
    /// `A` … `F`.
    Letter,
    /// `0` … `4`, with or without a decimal; what follows a `/` (aperture, light, angle) is passed over.
    Number,
}

/// A safe question that shows what stands at this address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Probe {
    pub ask: String,
    /// A pattern.
    pub answer: String,
    /// An answer, for the simulator.
    pub example: String,
    pub timeout_ms: u32,
    /// Asked of every device; else only where the setting `probe` says so.
    #[serde(default)]
    pub always: bool,
}

/// A command language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Commands {
    #[default]
    None,
    Keyence,
}

/// An oddity of the device, for whoever wires it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Oddity {
    pub what: String,
    /// Document and page, or a link.
    pub source: String,
}

impl Rules {
    /// The framing in use, once settings are bound.
    pub fn frames(&self) -> Framing {
        self.framing.values().next().cloned().unwrap_or_default()
    }

    /// Reports its unread positions in place.
    pub fn positional(&self) -> bool {
        self.layout.unread == Unread::InPlace
    }

    /// Wants to hear the verdict.
    pub fn wants_verdict(&self) -> bool {
        matches!(self.handshake, Handshake::Verdict { .. })
    }

    /// What the line must know of it.
    pub fn traits(&self) -> ReaderTraits {
        ReaderTraits {
            positional: self.positional(),
            wants_verdict: self.wants_verdict(),
            by_command: self.by_command(),
            graded: self.grade.is_some(),
            without_aim: self.layout.aim == Aim::None,
            least_grade: self.least_grade(),
            warnings: self.warnings(),
        }
    }

    /// Reads when it is told to.
    pub fn by_command(&self) -> bool {
        matches!(self.trigger, Trigger::Command { .. })
    }

    /// The poorest grade that is good enough.
    pub fn least_grade(&self) -> Option<Grade> {
        Grade::parse(self.grade.as_ref()?.least.as_deref()?)
    }
}
