//! What the places of a printer's status mean, in our words.

use super::bytes::Values;
use serde::Deserialize;

/// What a place of a status answer means. All that hold are told; the worst decides.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StatusRule {
    /// The place.
    pub of: String,
    /// It is one of these texts …
    #[serde(default)]
    pub is: Vec<String>,
    /// … or none of these …
    #[serde(default)]
    pub is_not: Vec<String>,
    /// … or has this bit (0 is the lowest) as a number …
    pub bit: Option<u32>,
    /// … which is read to this base (10 or 16) …
    pub base: Option<u32>,
    /// … of the bits (in hex) that count; the place is then compared as the decimal number that they make.
    pub mask: Option<String>,
    /// … or is a decimal number above this one.
    pub over: Option<u64>,
    pub becomes: Condition,
    /// Places of the answer may stand in it.
    pub say: String,
    /// The sequence `recover` is tried against it.
    #[serde(default)]
    pub recovers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    Ready,
    /// It prints. Of a label printer: it has something of a label still before it.
    Printing,
    /// It prints, and wants something soon.
    Warning,
    /// It does not print.
    Fault,
    /// It does not print because it is not to.
    Offline,
}

impl StatusRule {
    /// It holds for a status with these places.
    pub fn holds(&self, values: &Values) -> bool {
        let Some(mut text) = values.text(&self.of) else { return false };
        let radix = if self.base == Some(16) { 16 } else { 10 };
        if let Some(mask) = self.mask.as_ref().and_then(|m| u64::from_str_radix(m, 16).ok())
            && let Ok(n) = u64::from_str_radix(&text, radix)
        {
            text = (n & mask).to_string();
        }
        if let Some(over) = self.over {
            return text.parse::<u64>().is_ok_and(|n| n > over);
        }
        match self.bit {
            Some(bit) => {
                let n = u64::from_str_radix(&text, radix);
                n.is_ok_and(|n| n.checked_shr(bit).unwrap_or(0) & 1 == 1)
            }
            None if self.is_not.is_empty() => self.is.contains(&text),
            None => !self.is_not.contains(&text),
        }
    }
}
