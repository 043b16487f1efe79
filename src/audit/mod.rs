//! The independent judge: reads a public dump, a public journal and, if there is one, a truth file, and says where they
//! break a promise. It shares no code with what it judges.
//!
//! Must never know: `line`, `ledger`, `sim`, SQL. It knows the words (`vocab`) and the public contract alone: its small
//! model of a code's and a parent's life ([`replay`]) is written a second time on purpose.
//!
//! Three accounts are heard one after another, each line by line, and compared at the end:
//!
//! | account | module | holds |
//! |---|---|---|
//! | what the tables say | [`stand`] | the dump |
//! | what the journal says happened | [`replay`] | events, folded anew |
//! | what physically happened | [`truth`] | the truth file, checked against itself |
//! | tables ↔ journal | [`stand`] | nothing-forgotten, one-parent, balance |
//! | book ↔ things | [`carriers`], [`parents`], [`gates`] | once-inked, doubt-is-final, byte-exact, one-parent, ack-after-disk |
//!
//! Invariants
//! - memory grows with the codes touched and the things seen, never with the length of a line's life beyond that;
//! - nothing in any account can make it panic: what cannot be understood is a violation with its line;
//! - what the contract excuses (things marked `inject`, gates nobody controls, a late simulator) is never a violation.

pub mod carriers;
pub mod gates;
pub mod lines;
pub mod load;
pub mod names;
pub mod parents;
pub mod replay;
pub mod stand;
pub mod truth;
pub mod verdict;

pub use load::{Account, LoadError};
pub use verdict::{Balance, Head, Verdict, Violation};

use crate::vocab::Promise;
use lines::{DumpLine, JournalLine, TruthLine};
use names::Names;
use replay::Replay;
use serde::Deserialize;
use serde_json::Value;
use stand::Stand;
use truth::Truth;
use verdict::Complaints;

/// One audit. Give it the dump, then the journal, then (perhaps) the truth, in any portions, and finish.
#[derive(Default)]
pub struct Judge {
    pub(crate) complaints: Complaints,
    /// Every code named anywhere, by its hex.
    pub(crate) codes: Names,
    pub(crate) stand: Stand,
    pub(crate) replay: Replay,
    pub(crate) truth: Option<Truth>,
}

impl Judge {
    pub fn new() -> Self {
        Self::default()
    }

    /// One line of the dump, parsed already.
    pub fn dump(&mut self, line: &Value) {
        match DumpLine::deserialize(line) {
            Ok(l) => self.stand.hear(&l, &mut self.codes, &mut self.complaints),
            Err(e) => self.not_understood("dump", &e.to_string()),
        }
    }

    /// One line of the journal, parsed already.
    pub fn journal(&mut self, line: &Value) {
        match JournalLine::deserialize(line) {
            Ok(l) => self.replay.hear(&l, &mut self.codes, &self.stand, &mut self.complaints),
            Err(e) => self.not_understood("journal", &e.to_string()),
        }
    }

    /// One line of the truth, parsed already.
    pub fn truth(&mut self, line: &Value) {
        match TruthLine::deserialize(line) {
            Ok(l) => self.hear_truth(&l),
            Err(e) => self.not_understood("truth", &e.to_string()),
        }
    }

    /// One line of an account as text; the complaint of one that cannot be understood.
    pub fn text(&mut self, account: Account, line: &str) -> Result<(), serde_json::Error> {
        match account {
            Account::Dump => self.stand.hear(&serde_json::from_str(line)?, &mut self.codes, &mut self.complaints),
            Account::Journal => self.replay.hear(&serde_json::from_str(line)?, &mut self.codes, &self.stand, &mut self.complaints),
            Account::Truth => {
                let l: TruthLine<'_> = serde_json::from_str(line)?;
                self.hear_truth(&l);
            }
        }
        Ok(())
    }

    /// From now on there is a truth to compare with, even if not a line of it comes.
    pub fn expect_truth(&mut self) {
        self.truth.get_or_insert_default();
    }

    fn hear_truth(&mut self, line: &TruthLine<'_>) {
        self.truth.get_or_insert_default().hear(line, &mut self.codes, &mut self.complaints);
    }

    fn not_understood(&mut self, account: &str, why: &str) {
        self.complaints.blame(Promise::NothingForgotten, None, None, format!("a line of the {account} cannot be understood: {why}"));
    }

    /// Both sides are quiet: compares the accounts.
    pub fn finish(mut self) -> Verdict {
        self.replay.finish(&self.codes, &mut self.complaints);
        self.replay.packs_close(&self.stand, &mut self.complaints);
        self.stand.check(&self.codes, &mut self.complaints);
        let codes = self.stand.compare(&self.replay, &self.codes, &mut self.complaints);
        let mut passages = self.replay.passages_off(&mut self.complaints);
        if let Some(truth) = &mut self.truth {
            truth.finish(&self.codes, &mut self.complaints);
            carriers::check(truth, &self.replay, &self.stand, &self.codes, &mut self.complaints);
            parents::check(truth, &self.replay, &self.codes, &mut self.complaints);
            gates::check(truth, &self.replay, &self.codes, &mut self.complaints);
            passages += gates::count(truth, &self.replay, &mut self.complaints);
        }
        let head = Head { seq: self.replay.head.as_ref().map_or(self.replay.last_seq(), |h| h.0), hash: self.replay.head.map(|h| h.1) };
        self.complaints.into_verdict(Balance { codes, passages }, head)
    }
}

/// Judges three accounts given as parsed lines.
pub fn judge<'a>(
    dump: impl IntoIterator<Item = &'a Value>,
    journal: impl IntoIterator<Item = &'a Value>,
    truth: Option<impl IntoIterator<Item = &'a Value>>,
) -> Verdict {
    let mut j = Judge::new();
    dump.into_iter().for_each(|l| j.dump(l));
    journal.into_iter().for_each(|l| j.journal(l));
    if let Some(truth) = truth {
        j.expect_truth();
        truth.into_iter().for_each(|l| j.truth(l));
    }
    j.finish()
}

#[cfg(test)]
mod damages;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
