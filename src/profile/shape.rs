//! What every profile says, as its file says it: the shape of the TOML, with the words an editor shows.

use super::firmware::FirmwareRule;
use super::label::LabelRule;
use super::printer::*;
use super::reader;
use super::talk::Talk;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One device family: who connects, what it says, what it means.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name that a configuration gives as `profile`; also the file's name.
    pub name: String,
    /// Another profile, from which this file says only what differs: tables are taken over key by key, lists as a whole.
    /// A file that replaces a shipped one may extend that by its own name.
    pub extends: Option<String>,
    /// What is not taken over from it: keys parted by points, as "commands.clear".
    #[serde(default)]
    pub without: Vec<String>,
    /// The conversation that speaks for it.
    pub dialect: Dialect,
    pub kind: Kind,
    /// Document and page, or capture.
    pub source: String,
    /// What nobody has seen on hardware yet, each with its reason.
    #[serde(default)]
    pub unverified: Vec<String>,
    /// How well it is known as a whole.
    #[serde(default)]
    pub standing: Standing,
    pub link: Link,
    /// Printers: what their memory does.
    pub buffer: Option<Buffer>,
    /// Readers: what they send, and what they want to hear.
    pub reader: Option<reader::Rules>,
    /// Dialect `label`: what stands on its labels.
    pub label: Option<LabelRule>,
    /// Dialects `commands` and `label`: how every command is wrapped.
    #[serde(default)]
    pub frame: Frame,
    /// Dialect `commands`: other ways of wrapping; the setting `framing` names one.
    #[serde(default)]
    pub framings: BTreeMap<String, Framing>,
    /// Dialects `commands` and `hitachi-modbus`: what may stand in {code}, {message}, {name} and {value}; `code` is needed.
    #[serde(default)]
    pub values: BTreeMap<String, ValueRule>,
    /// Dialects `commands` and `label`: how what the printer says begins and ends.
    #[serde(default)]
    pub inbound: Vec<Inbound>,
    /// Dialects `commands` and `label`: what is said to it, by what it is for.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend("propertyNames" = {"$ref": "#/$defs/Role"})))]
    pub commands: BTreeMap<Role, Command>,
    /// Dialects `commands` and `label`: what it says unasked.
    #[serde(default)]
    pub events: Vec<EventRule>,
    /// Dialects `commands`, `label` and `hitachi-modbus`: what its status means.
    #[serde(default)]
    pub status: Vec<StatusRule>,
    /// Dialects `commands` and `label`: what is done in order (of a label printer only `connect`).
    #[serde(default)]
    pub sequences: Sequences,
    /// Dialects `commands`, `label` and `hitachi-modbus`: how often it is asked.
    pub poll: Option<PollRule>,
    /// Dialect `commands`: what some firmware has not.
    #[serde(default)]
    pub firmware: Vec<FirmwareRule>,
    /// Oddities with a name.
    #[serde(default)]
    pub quirks: Vec<QuirkRule>,
    /// Dialect `commands`: what a simulated printer says.
    #[serde(default)]
    pub simulated: Simulated,
    /// What may differ from device to device, by name.
    #[serde(default)]
    pub settings: BTreeMap<String, SettingRule>,
    /// Dialects `commands` and `label`: all of it, read and checked.
    #[serde(skip)]
    pub talk: Option<Arc<Talk>>,
    /// The profiles that it extends, the nearest first, each with what is unverified in it.
    #[serde(skip)]
    pub bases: Vec<(String, Vec<String>)>,
}

/// How well a profile is known as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It follows documents or captures; what they leave open stands under `unverified`.
    #[default]
    Documented,
    /// Nobody vouches for any of it: a line that uses it is told so, and it puts no code anywhere unless its setting
    /// `accept_unverified` is true.
    Unverified,
}

/// The conversation that speaks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Everything it says and hears stands in the profile.
    Commands,
    /// The same of a label printer: one label at a time, followed by its status.
    Label,
    Codenet,
    HitachiModbus,
    Reader,
    Modbus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Printer,
    LabelPrinter,
    Reader,
    Io,
}

#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Who connects to whom, with port or line speed.
    pub who_connects: String,
    /// Connections the device takes at a time.
    pub connections: u32,
    /// TCP: every request has a connection of its own, which is closed behind its answer. A flag `connect_per_command` of
    /// `[settings]` says it instead.
    #[serde(default)]
    pub per_command: bool,
    /// What is sent first.
    pub first_bytes: String,
    pub retry: String,
    /// How long an answer may take (ms); 0: it is never asked anything.
    pub reply_timeout_ms: u32,
}

/// A value that may differ from device to device.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SettingRule {
    Number {
        default: i64,
        least: i64,
        most: i64,
        what: String,
    },
    Text {
        default: String,
        /// The only texts allowed; none: any.
        #[serde(default)]
        words: Vec<String>,
        what: String,
    },
    Flag {
        default: bool,
        what: String,
    },
}
