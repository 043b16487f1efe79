//! The truth file's lines (CONTRACT, "Truth file"): what physically happened, in order, with the time since `start`.

use crate::vocab::time::rfc3339;
use std::fmt::Arguments;

/// Collects lines until somebody writes them out.
#[derive(Default)]
pub struct Truth {
    lines: Vec<String>,
    begun: Option<u64>,
    last_us: u64,
}

impl Truth {
    pub fn begun(&self) -> bool {
        self.begun.is_some()
    }

    /// The first line; later times count from `now_us`.
    pub fn begin(&mut self, now_us: u64, wall_us: i64) {
        self.begun = Some(now_us);
        self.line(now_us, "start", format_args!(r#","utc":"{}""#, rfc3339(wall_us)));
    }

    /// One line; `rest` is the further members, each with its leading comma. Time never goes back.
    pub fn line(&mut self, at_us: u64, k: &str, rest: Arguments<'_>) {
        self.last_us = self.last_us.max(at_us.saturating_sub(self.begun.unwrap_or(at_us)));
        self.lines.push(format!(r#"{{"t_us":{},"k":"{k}"{rest}}}"#, self.last_us));
    }

    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }
}

/// A text as it stands between the quotes of a JSON string.
pub fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_string()
}
