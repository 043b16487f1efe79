//! From an order to a file of codes in the spool, by whichever way the rule names. Blocks; runs on a thread of its own.

use super::blanks::Blanks;
use super::http::{self, Leg, failure};
use super::spool::Spool;
use super::supplier::{Answer, Failure, Fault};
use super::{extract, folder};
use crate::vocab::supply::{Form, Http, Poll, Repeat, SupplyRule, Via};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Answers to polls are small.
const POLL_MB: u32 = 1;

pub struct Transport {
    rule: SupplyRule,
    spool: Spool,
    seen: folder::Look,
}

/// The token that a delivered file's name carries: what stands before the first dot.
pub fn delivery_token(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.split('.').next().filter(|t| !t.is_empty())
}

impl Transport {
    pub fn new(rule: SupplyRule, spool: Spool) -> Self {
        Self { rule, spool, seen: None }
    }

    /// Asks, or looks again (`taken`). On [`Answer::Delivered`] [`Self::delivery`] names the file to import.
    pub fn ask(&mut self, token: &str, count: u32, taken: bool) -> Answer {
        let r = &self.rule;
        let blanks = Blanks { count, token, level: &r.level, product: &r.product, gtin: r.gtin.as_deref(), line: &r.line };
        match &r.via {
            Via::Folder { outbox, inbox } => folder::ask(outbox, inbox, &blanks, taken, &mut self.seen),
            Via::Http(h) => self.request(h, &blanks, taken).unwrap_or_else(Answer::Failed),
        }
    }

    /// The file that holds the codes, one a line or with the rule's column.
    pub fn delivery(&self, token: &str) -> PathBuf {
        match &self.rule.via {
            Via::Folder { inbox, .. } => folder::delivery(inbox, token).unwrap_or_else(|| inbox.join(token)),
            Via::Http(_) => self.spool.codes(token),
        }
    }

    /// The order is over; plaintext of it goes. A delivery in a folder goes too when its codes are in a pack.
    pub fn discard(&self, token: &str, imported: bool) -> std::io::Result<()> {
        if let Via::Folder { outbox, inbox } = &self.rule.via {
            folder::forget(outbox, token)?;
            if imported {
                folder::clear(inbox, token)?;
            }
        }
        self.spool.discard(token)
    }

    fn request(&self, h: &Http, blanks: &Blanks<'_>, taken: bool) -> Result<Answer, Failure> {
        // What cannot be asked for again is not: an answer that came whole is looked at again instead.
        if self.rule.repeat == Repeat::New && self.spool.keeps(blanks.token) {
            return self.unpack(h, blanks.token);
        }
        match &h.poll {
            None => self.fetch(h, Leg::Order, blanks),
            Some(poll) => {
                if !taken {
                    http::exchange(h, Leg::Order, blanks, false, &mut std::io::sink())?;
                    return Ok(Answer::Pending);
                }
                if !ready(h, poll, blanks)? {
                    return Ok(Answer::Pending);
                }
                self.fetch(h, Leg::Look(poll.fetch.as_deref().unwrap_or(&poll.url)), blanks)
            }
        }
    }

    fn fetch(&self, h: &Http, leg: Leg<'_>, blanks: &Blanks<'_>) -> Result<Answer, Failure> {
        let whole = h.form == Form::Text;
        self.spool
            .receive(blanks.token, |file| http::exchange(h, leg, blanks, whole, file))
            .map_err(|e| failure(Fault::Unknown, format!("the answer could not be written ({e}): check the disk")))??;
        self.unpack(h, blanks.token)
    }

    fn unpack(&self, h: &Http, token: &str) -> Result<Answer, Failure> {
        let disk = |e: std::io::Error| failure(Fault::NotNow, format!("the codes could not be written ({e}): check the disk"));
        let (body, codes) = (self.spool.body(token), self.spool.codes(token));
        let from = File::open(&body).map_err(disk)?;
        let mut to = std::io::BufWriter::new(Spool::create(&codes).map_err(disk)?);
        let count = match &h.form {
            Form::Json { codes, code } => extract::codes(from, codes, code.as_deref(), &mut to).map_err(|e| match e {
                extract::Trouble::Disk(e) => disk(e),
                extract::Trouble::Form(why) => self.unreadable(&why, &body),
            })?,
            Form::Text => std::io::copy(&mut { from }, &mut to).map_err(disk)?,
        };
        to.flush().map_err(disk)?;
        if count == 0 {
            // Nothing was given: nothing is kept.
            self.spool.discard(token).map_err(disk)?;
            return Err(failure(Fault::NotTaken, "the source gave no codes: ask whoever runs it whether its pool is empty"));
        }
        Ok(Answer::Delivered)
    }

    fn unreadable(&self, why: &str, body: &Path) -> Failure {
        let act = match self.rule.repeat {
            Repeat::Same => "check url, codes and code of [[supply]]".to_string(),
            Repeat::New => {
                format!("the answer is kept in {}: mend codes and code of [[supply]] and start again, or cancel the order", body.display())
            }
        };
        failure(Fault::Unreadable, format!("{why}: {act}"))
    }
}

fn ready(h: &Http, poll: &Poll, blanks: &Blanks<'_>) -> Result<bool, Failure> {
    let small = Http { max_mb: POLL_MB, ..h.clone() };
    let mut body = Vec::new();
    // The order stands already: looking gives nothing away, so a failed look is only a failed look.
    http::exchange(&small, Leg::Look(&poll.url), blanks, false, &mut body)
        .map_err(|f| Failure { fault: if f.fault == Fault::Denied { Fault::Denied } else { Fault::NotTaken }, ..f })?;
    let at = extract::value(&body[..], &poll.pointer).map_err(|why| failure(Fault::NotTaken, why))?;
    Ok(at.as_deref() == Some(poll.equals.as_str()))
}
