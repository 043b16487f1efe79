//! The reader's half of the language.

use serde::Deserialize;

/// How a reader's lines are told apart.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Classify {
    /// Beginnings of command replies.
    #[serde(default)]
    pub replies: Vec<String>,
    /// Whole frames that are faults, not codes.
    #[serde(default)]
    pub faults: Vec<String>,
}
