//! How a printer's bytes are wrapped, escaped, checked and told apart. Bytes are in the notation of `bytes.rs`.

use serde::Deserialize;

/// How every command is wrapped, unless it is `raw`.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Frame {
    #[serde(default)]
    pub before: String,
    #[serde(default)]
    pub after: String,
    pub checksum: Option<Checksum>,
    /// One byte that stands twice wherever it is part of what is framed, and once for what it is in `before` and `after`.
    #[serde(default)]
    pub doubled: String,
    /// A flag of `[settings]`: false, and nothing is doubled.
    pub doubled_setting: Option<String>,
}

/// One of several ways of wrapping, by name; the setting `framing` says which. An `[[inbound]]` form of the same name is
/// that in which the printer answers then.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Framing {
    #[serde(default)]
    pub before: String,
    #[serde(default)]
    pub after: String,
}

/// A checksum of a command.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Checksum {
    pub kind: ChecksumKind,
    pub over: Coverage,
    /// A text of `[settings]` that says `over` instead, in the same words.
    pub over_setting: Option<String>,
    pub form: ChecksumForm,
    pub place: ChecksumPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ChecksumKind {
    /// The sum of the bytes, modulo 256.
    Sum8,
    /// 256 less that sum.
    Sum8Negated,
    Xor8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Coverage {
    /// The command without `before` and `after`.
    Command,
    /// Everything that stands before the checksum.
    AllBefore,
    /// The same, without every 1B (ESC).
    AllBeforeButEsc,
}

impl Coverage {
    /// As a profile and a setting write it.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "command" => Some(Self::Command),
            "all-before" => Some(Self::AllBefore),
            "all-before-but-esc" => Some(Self::AllBeforeButEsc),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ChecksumForm {
    Byte,
    /// Two upper-case hex digits.
    Hex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ChecksumPlace {
    /// Behind `after`: the last thing of the frame.
    Last,
    /// Between the command and `after`.
    BeforeAfter,
    /// Not sent; the printer's answer carries it as {sum}, and it is verified there.
    InReply,
}

/// What may stand in a place.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ValueRule {
    #[serde(default)]
    pub charset: Charset,
    /// Bytes that may not occur.
    #[serde(default)]
    pub forbidden: String,
    /// Bytes written another way.
    #[serde(default)]
    pub escapes: Vec<Escape>,
    /// Least bytes, where fewer could be taken for something else.
    #[serde(default)]
    pub shortest: u32,
    /// Most bytes, escapes not counted.
    pub longest: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Escape {
    /// One byte.
    pub byte: String,
    pub as_bytes: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Charset {
    /// Bytes 00 to 7F.
    #[default]
    Ascii,
    /// UTF-8 with characters up to U+00FF, sent as one byte each.
    Latin1,
    /// Any UTF-8.
    Utf8,
    /// Bytes 20 to 7E.
    Printable,
    /// Any bytes.
    Bytes,
}

/// How something that the printer says begins and ends. Several may be given: the first that fits takes the bytes.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "form", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Inbound {
    /// From `begin` to `end`; both are taken off. `checked`: a checksum follows, as `[frame]` describes it; a wrong
    /// one makes noise of it.
    Delimited {
        name: String,
        begin: String,
        end: String,
        #[serde(default)]
        checked: bool,
    },
    /// Anything up to `end`, which is taken off; it takes what no other form takes, so it stands last.
    Line { name: String, end: String },
    /// One of these bytes, alone.
    Byte { name: String, bytes: String },
    /// `begin`, and so many characters.
    Prefix { name: String, begin: String, then: u32, of: Class },
    /// `begin`, and so many bytes whatever they are.
    Fixed { name: String, begin: String, then: u32 },
    /// `begin`, a length of so many bytes (big-endian) or digits, so many bytes and `extra` more. `checked`: the last of
    /// these are a checksum, as above.
    Counted {
        name: String,
        begin: String,
        length: LengthForm,
        wide: u32,
        extra: u32,
        #[serde(default)]
        checked: bool,
    },
    /// Whatever comes, until nothing came for so long (ms); it stands last.
    Idle { name: String, gap_ms: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    Digits,
    Hex,
    Printable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LengthForm {
    Digits,
    BigEndian,
}
