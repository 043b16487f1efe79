//! What a printer's profile says of some firmware only: `[[firmware]]`.

use super::printer::{Command, Reply, Role};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is otherwise in some firmware. Of two that hold, the later one counts.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FirmwareRule {
    /// It holds for versions ({identity}, numbers parted by points) from this one …
    pub from: Option<String>,
    /// … and below this one.
    pub below: Option<String>,
    /// Commands that such a printer does not know.
    #[serde(default)]
    pub lacks: Vec<Role>,
    /// Commands that are otherwise, key by key; one that the others have not needs at least `send`.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("propertyNames" = {"$ref": "#/$defs/Role"})))]
    pub commands: BTreeMap<Role, CommandChange>,
    /// Sequences that are otherwise (not `connect`, which asks for the version).
    #[serde(default)]
    pub sequences: SequenceChange,
    /// In the place of the link's, for commands that have no timeout of their own.
    pub reply_timeout_ms: Option<u32>,
    pub why: String,
}

/// What of a command is otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CommandChange {
    pub send: Option<String>,
    pub raw: Option<bool>,
    /// All of them, in the place of the others.
    pub replies: Option<Vec<Reply>>,
    pub timeout_ms: Option<u32>,
    pub pause_ms: Option<u32>,
    pub settle_ms: Option<u32>,
    pub read_back: Option<Role>,
    /// Document and page, where it is not the profile's.
    pub source: Option<String>,
}

/// Sequences that stand in the place of the profile's.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SequenceChange {
    pub arm: Option<Vec<String>>,
    pub disarm: Option<Vec<String>>,
    pub clear: Option<Vec<String>>,
}

impl CommandChange {
    /// The whole command, with `base` where this says nothing; `None`: nothing is sent.
    pub fn over(&self, base: Option<&Command>) -> Option<Command> {
        Some(Command {
            send: self.send.clone().or_else(|| Some(base?.send.clone()))?,
            raw: self.raw.or_else(|| Some(base?.raw)).unwrap_or(false),
            replies: self.replies.clone().or_else(|| Some(base?.replies.clone())).unwrap_or_default(),
            timeout_ms: self.timeout_ms.or_else(|| base?.timeout_ms),
            pause_ms: self.pause_ms.or_else(|| Some(base?.pause_ms)).unwrap_or(0),
            answer_optional: base.is_some_and(|b| b.answer_optional),
            silence: base.and_then(|b| b.silence.clone()),
            settle_ms: self.settle_ms.or_else(|| Some(base?.settle_ms)).unwrap_or(0),
            read_back: self.read_back.or_else(|| base?.read_back),
            source: self.source.clone().or_else(|| base?.source.clone()),
        })
    }
}
