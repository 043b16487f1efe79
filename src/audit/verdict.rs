//! What an audit found.

use crate::vocab::Promise;
use serde_json::{Map, Value, json};
use std::fmt;

/// Violations listed one by one; the rest is counted.
pub const LISTED: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub promise: Promise,
    /// The journal's seq, where one event shows it.
    pub seq: Option<u64>,
    /// The code concerned.
    pub hex: Option<String>,
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.promise)?;
        if let Some(seq) = self.seq {
            write!(f, " #{seq}")?;
        }
        if let Some(hex) = &self.hex {
            write!(f, " {hex}")?;
        }
        write!(f, ": {}", self.text)
    }
}

/// How far the two balances are from closing; 0 is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    pub codes: i64,
    pub passages: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    pub hash: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// At most [`LISTED`].
    pub violations: Vec<Violation>,
    /// All of them, listed or not.
    pub found: u64,
    pub warnings: Vec<String>,
    pub balance: Balance,
    pub head: Head,
}

impl Verdict {
    pub fn ok(&self) -> bool {
        self.found == 0 && self.balance == Balance::default()
    }

    /// Was something found under this promise?
    pub fn blames(&self, promise: Promise) -> bool {
        self.violations.iter().any(|v| v.promise == promise)
    }

    /// The form of `packmark audit --json`.
    pub fn to_json(&self) -> Value {
        let violations: Vec<Value> = self
            .violations
            .iter()
            .map(|v| {
                let mut m = Map::new();
                m.insert("promise".into(), v.promise.word().into());
                if let Some(seq) = v.seq {
                    m.insert("seq".into(), seq.into());
                }
                if let Some(hex) = &v.hex {
                    m.insert("hex".into(), hex.as_str().into());
                }
                m.insert("text".into(), v.text.as_str().into());
                Value::Object(m)
            })
            .collect();
        let mut head = json!({"seq": self.head.seq});
        if let Some(hash) = &self.head.hash {
            head["hash"] = hash.as_str().into();
        }
        let mut out = json!({
            "ok": self.ok(),
            "violations": violations,
            "warnings": self.warnings,
            "balance": {"codes": self.balance.codes, "passages": self.balance.passages},
            "head": head,
        });
        if self.found > self.violations.len() as u64 {
            out["found"] = self.found.into();
        }
        out
    }
}

/// Collects what is found, bounded.
#[derive(Default)]
pub struct Complaints {
    listed: Vec<Violation>,
    found: u64,
    warnings: Vec<String>,
    more_warnings: u64,
}

impl Complaints {
    pub fn blame(&mut self, promise: Promise, seq: Option<u64>, hex: Option<&str>, text: impl Into<String>) {
        self.found += 1;
        if self.listed.len() < LISTED {
            self.listed.push(Violation { promise, seq, hex: hex.map(Into::into), text: text.into() });
        }
    }

    pub fn warn(&mut self, text: impl Into<String>) {
        if self.warnings.len() < LISTED {
            self.warnings.push(text.into());
        } else {
            self.more_warnings += 1;
        }
    }

    pub fn into_verdict(mut self, balance: Balance, head: Head) -> Verdict {
        if self.more_warnings > 0 {
            self.warnings.push(format!("and {} more warnings", self.more_warnings));
        }
        Verdict { violations: self.listed, found: self.found, warnings: self.warnings, balance, head }
    }
}
