//! What counts only when the printer confirms it: a text that is read back, a record that is in the queue, and, after a lost
//! link or a trouble, which numbered records were printed and which are still inside.
//!
//! Invariants: a code is told as taken only after its proof; what cannot be proved stays doubtful and is never put again;
//! records go on under the number behind the last one that the printer has.

use super::credit::{Credit, Inside};
use super::steps::{Run, Seq};
use super::{AGAIN_US, Ask, Commands, Stage};
use crate::profile::bytes::Values;
use crate::profile::printer::Role;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, Report};
use std::collections::VecDeque;

/// A code that was put and waits for its confirmation.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    pub put: Inside,
    role: Role,
    until_us: u64,
}

/// What a printer of numbered records says of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queue {
    pub last: i64,
    pub fill: Option<i64>,
}

/// What was inside when the link was lost.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    inside: VecDeque<Inside>,
    /// It was on its way.
    flying: Option<Inside>,
    queue: Option<Queue>,
    /// It does not print now: its queue may be gone, and what prints next is for `arm` to say.
    stopped: bool,
}

impl Credit {
    /// The link is gone, and the printer will tell what is still inside.
    pub fn keep(&mut self, flying: Option<Inside>) {
        let (inside, stopped) = (std::mem::take(&mut self.inside), std::mem::take(&mut self.stopped));
        if let Some(kept) = &mut self.away {
            kept.stopped |= stopped;
        }
        if !inside.is_empty() || flying.is_some() {
            self.away = Some(Kept { inside, flying, queue: None, stopped });
        }
        self.forget();
        self.counter_lost();
    }

    /// The highest record that is surely inside, or printed. One that stands ready is not counted, so that an empty queue
    /// does not tell whether there is one.
    fn reaches(&self, queue: Queue) -> i64 {
        queue.last + queue.fill.map_or(0, |f| if f > 0 { f + self.uncounted } else { 0 })
    }
}

impl Commands {
    pub(super) fn tells_after_loss(&self) -> bool {
        !self.talk.resume.is_empty()
    }

    /// What was inside is nobody's any more: the line has settled it, or will.
    pub(super) fn let_go(&mut self) {
        (self.credit.away, self.proof) = (None, None);
        if self.tells_after_loss() {
            self.credit.inside.clear();
        }
    }

    /// A code was put: taken at once, or when its proof comes.
    pub(super) fn put_done(&mut self, put: Inside, last: bool, now_us: u64) {
        let command = &self.talk.commands[&Role::PutCode];
        match command.read_back {
            Some(role) => {
                let until_us = now_us + u64::from(command.timeout_ms) * MS;
                self.proof = Some(Proof { put, role, until_us });
            }
            None => self.taken(put, last, now_us),
        }
    }

    pub(super) fn ask_proof(&mut self, now_us: u64) {
        let Some(Proof { put, role, .. }) = self.proof.clone() else { return };
        let field = self.bound.place("setting.field").unwrap_or_default();
        self.ask(Ask::Proof(put), role, Values::default().with("name", field), now_us);
    }

    /// The answer to what was asked about a code that was put.
    pub(super) fn proved(&mut self, put: Inside, role: Role, values: &Values, now_us: u64) {
        let Some(proof) = self.proof.take() else { return };
        if role == Role::ReadBack {
            let text = self.talk.decode("code", values.bytes("text").unwrap_or_default());
            if text == put.bytes {
                return self.taken(put, false, now_us);
            }
            // What it holds stays out of the reports: it may be a code.
            return self.unready("holds another text than the code that was put into its field", now_us);
        }
        let Some(queue) = self.credit.queue(values) else { return self.unready("does not say which record it printed last", now_us) };
        if queue.last > put.record {
            return self.out_of_step(&never_sent(queue.last, put.record), now_us);
        }
        // A lone record that stands ready is not counted: it is believed, and the next one proves it or makes a gap.
        let lone = queue.last + 1 == put.record && queue.fill == Some(0) && self.credit.uncounted > 0;
        if self.credit.reaches(queue) >= put.record || lone {
            self.taken(put, false, now_us);
            return self.recorded(values, now_us);
        }
        if now_us >= proof.until_us {
            let why = format!("record {} did not come into its queue: is the job set up for mail records?", put.record);
            self.credit.stopped = true;
            return self.unready(&why, now_us);
        }
        self.pause_us = Some(now_us + AGAIN_US);
        self.proof = Some(proof);
    }

    /// The answer to what was asked about a field that was set.
    pub(super) fn field_proved(&mut self, run: Run, name: &str, value: &[u8], values: &Values, now_us: u64) {
        let text = values.bytes("text").unwrap_or_default();
        if text == value || self.run != Some(run) {
            return self.go_on(run, Role::SetField);
        }
        let why = format!("field {name} reads {:?} after it was set: is it in the message?", String::from_utf8_lossy(text));
        self.unready(&why, now_us);
    }

    /// The number of the last record printed was told.
    pub(super) fn recorded(&mut self, values: &Values, now_us: u64) {
        let Some(queue) = self.credit.queue(values) else { return self.unready("does not say which record it printed last", now_us) };
        let highest = self.credit.next_record - 1;
        if queue.last > highest {
            return self.out_of_step(&never_sent(queue.last, highest), now_us);
        }
        if let Some(before) = self.credit.last.filter(|l| queue.last < *l) {
            return self.out_of_step(&format!("the record printed last went back from {before} to {}", queue.last), now_us);
        }
        self.credit.last = Some(queue.last);
        let n = self.credit.inside.iter().take_while(|i| i.record <= queue.last).count();
        self.named_to(n, now_us);
    }

    /// A sequence asked for the last record: from here on records go on behind it.
    pub(super) fn record_noted(&mut self, seq: Seq, values: &Values, now_us: u64) {
        let Some(queue) = self.credit.queue(values) else { return self.unready("does not say which record it printed last", now_us) };
        if seq == Seq::Resume {
            if let Some(kept) = &mut self.credit.away {
                kept.queue = Some(queue);
            }
            return;
        }
        let n = self.credit.inside.iter().take_while(|i| i.record <= queue.last).count();
        self.named_to(n, now_us);
        (self.credit.next_record, self.credit.last) = (queue.last + 1, Some(queue.last));
    }

    /// It was stopped meanwhile.
    pub(super) fn found_stopped(&mut self) {
        if let Some(kept) = &mut self.credit.away {
            kept.stopped = true;
        }
    }

    /// After a lost link or a trouble: those that were printed are told; if all others are inside it goes on, else it is
    /// adopted anew, and what its queue lost stays doubtful.
    pub(super) fn resumed(&mut self, now_us: u64) {
        if self.arm.is_none() {
            self.stage = Stage::Idle;
            return;
        }
        let Some(Kept { mut inside, flying, queue: Some(queue), stopped }) = self.credit.away.take() else {
            return self.begin(Seq::Arm, now_us);
        };
        let first = inside.front().or(flying.as_ref()).map_or(queue.last + 1, |i| i.record);
        let highest = flying.as_ref().or(inside.back()).map_or(first - 1, |i| i.record);
        // Numbers from before, or from somebody else: nothing of ours is known to be inside.
        if queue.last < first - 1 || queue.last > highest {
            return self.begin(Seq::Arm, now_us);
        }
        let reaches = self.credit.reaches(queue);
        let uncounted = self.credit.uncounted > 0 && queue.fill == Some(0);
        // Ready to be printed, or never arrived: an empty queue does not tell.
        let unknown = uncounted && flying.as_ref().is_some_and(|f| f.record == queue.last + 1);
        inside.extend(flying.filter(|f| f.record <= reaches));
        let left = inside.iter().filter(|i| i.record > queue.last).count() as i64;
        let there = reaches - queue.last;
        let whole = !stopped && !unknown && (there == left || uncounted && left == 1);
        let printed: Vec<CodeRef> = inside.iter().filter(|i| i.record <= queue.last).map(|i| i.code).collect();
        inside.retain(|i| whole && i.record > queue.last);
        let codes = inside.iter().map(|i| i.code).collect();
        self.out.tell(Report::Reconciled { printed, inside: codes });
        if !whole {
            return self.begin(Seq::Arm, now_us);
        }
        self.credit.inside = inside;
        (self.stage, self.trouble) = (Stage::Ready, None);
        self.choose_source();
        (self.credit.next_record, self.credit.last) = (queue.last + left + 1, Some(queue.last));
        self.credit.look_later(now_us);
        self.status_due_us = now_us + u64::from(self.talk.poll.status_ms) * MS;
        self.out.tell(Report::Ready { cleared: false });
    }
}

fn never_sent(last: i64, highest: i64) -> String {
    format!("it has printed record {last}, though {highest} was the last one sent")
}
