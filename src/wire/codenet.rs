//! Domino Codenet 1 (Ax-Series; EPT033760 Iss. 2, logs of a live Ax on TCP 7000).
//!
//! Must never know: which thing a code is for. One request is outstanding, since the printer hears nothing between a
//! request's EOT and its reply. Invariants:
//!
//! - A code's bytes leave once, and again only after NAK 000 or 050 for that very request (it was not taken).
//! - A silence hangs up: nothing that comes later is an answer. Orders not yet offered are dropped with the link.
//! - A print byte is heard only outside frames, and credits the oldest code taken; never more prints than codes taken.
//! - Emptying the FIFO takes back no print that is under way: its byte may come long after. Where one may be owed the next
//!   codes are armed with another letter, so that the byte of before says of itself that it is nobody's.
//! - A reply nobody waits for, or counts that cannot be true, are `OutOfStep`: hang up, clear, arm again.
//!
//! The adoption of a printer, its faults and its refusals are in `codenet/adopt.rs`.

mod adopt;
#[cfg(test)]
mod tests;

use super::framer::{Codenet as Units, Unit};
use super::outbox::{Outbox, earliest};
use super::{Action, Conversation};
use crate::profile::Bound;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, Order, Report};
use adopt::{Arm, Step};
use std::collections::VecDeque;

const ESC: u8 = 0x1b;
const EOT: u8 = 0x04;

/// An idle link is asked for its status this often, a printer in trouble more often.
const STATUS_US: u64 = 1_500 * MS;
const TROUBLE_STATUS_US: u64 = 1_000 * MS;
/// A refused code is offered again after so long, if no print byte says so earlier …
const AGAIN_US: u64 = 20 * MS;
/// … and after so long where the printer is known to be full and tells its prints.
const FULL_US: u64 = 250 * MS;
/// A frame that has begun must end within this.
const AMIDST_US: u64 = 250 * MS;
/// A printer that took one more than it holds owes a print byte this soon.
const OVERDUE_US: u64 = 2_000 * MS;
/// Refusals in a row with nothing in the FIFO before the printer counts as not ready.
const EMPTY_REFUSALS: u32 = 50;
/// Orders held at most; the line's window is far smaller.
const MOST_ORDERS: usize = 4_096;
/// FIFO data of one request (`OE`, length 0001–1024).
const LONGEST_CODE: usize = 1_024;

#[derive(Debug)]
struct How {
    ack: Option<u8>,
    depth: u32,
    clear_on_adopt: bool,
    /// The FIFO that is cleared: `0` Ethernet, `1` RS-232.
    fifo: u8,
    reply_us: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ask {
    Identify,
    Status,
    /// Asked for by the line.
    Clear,
    /// Another letter for the prints after that clear.
    Letter,
    Step(Step),
    Print(CodeRef, Vec<u8>),
    PrintByteOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Closed,
    Identifying,
    /// Identified, no job.
    Idle,
    Adopting(Step),
    Ready,
    /// Armed, but in trouble; adopted anew when that has gone.
    Unready,
}

#[derive(Debug)]
struct Refused {
    again_us: u64,
    /// In a row, without a print in between.
    count: u32,
}

#[derive(Debug)]
pub struct Codenet {
    how: How,
    out: Outbox,
    units: Units,
    amidst_us: Option<u64>,
    stage: Stage,
    /// The outstanding request and when its silence is too long.
    asked: Option<(Ask, u64)>,
    arm: Option<Arm>,
    trouble: Option<String>,
    status_due_us: u64,
    queue: VecDeque<(CodeRef, Vec<u8>)>,
    /// The head of the queue was refused.
    refused: Option<Refused>,
    clear_wanted: bool,
    /// The line's clear is done but for the letter.
    letter_wanted: bool,
    disarm_wanted: bool,
    /// The byte of a print, of those since the FIFO was last emptied.
    letter: Option<u8>,
    /// A print of before the FIFO was emptied may still send the byte of this letter.
    owed: bool,
    /// Codes taken and not yet told as printed.
    inside: u32,
    /// A print byte came while the first code's reply was on its way.
    early: bool,
    /// Whether anything was printed since the FIFO was emptied.
    printed: bool,
    /// How many it holds, learnt from its first refusal after an acknowledged clear.
    full_at: Option<u32>,
    overdue_us: Option<u64>,
}

impl Codenet {
    /// `serial`: the link is RS-232, whose FIFO is another one than Ethernet's.
    pub fn new(bound: &Bound, serial: bool) -> Self {
        let how = How {
            ack: bound.text("ack_char").bytes().next(),
            depth: bound.number("depth").max(1) as u32,
            clear_on_adopt: bound.flag("clear_on_adopt"),
            fifo: if serial { b'1' } else { b'0' },
            reply_us: u64::from(bound.profile.link.reply_timeout_ms) * MS,
        };
        Self {
            letter: how.ack,
            how,
            out: Outbox::default(),
            units: Units::new(bound.text("response_length") == "fixed"),
            amidst_us: None,
            stage: Stage::Closed,
            asked: None,
            arm: None,
            trouble: None,
            status_due_us: 0,
            queue: VecDeque::new(),
            refused: None,
            clear_wanted: false,
            letter_wanted: false,
            disarm_wanted: false,
            owed: false,
            inside: 0,
            early: false,
            printed: false,
            full_at: None,
            overdue_us: None,
        }
    }

    fn is_open(&self) -> bool {
        self.stage != Stage::Closed
    }

    fn ask(&mut self, ask: Ask, now_us: u64) {
        if matches!(ask, Ask::Letter | Ask::Step(Step::PrintByte)) {
            self.renew_letter();
        }
        let body = match &ask {
            Ask::Identify => b"A?".to_vec(),
            Ask::Status => b"O1?".to_vec(),
            Ask::Clear | Ask::Step(Step::Clear) => [&b"OE0000"[..], &[self.how.fifo]].concat(),
            Ask::PrintByteOff => b"I1 ".to_vec(),
            Ask::Letter => self.step_body(Step::PrintByte),
            Ask::Step(step) => self.step_body(*step),
            Ask::Print(_, bytes) => [format!("OE{:04}", bytes.len()).as_bytes(), bytes].concat(),
        };
        self.out.send([&[ESC][..], &body, &[EOT]].concat());
        self.asked = Some((ask, now_us + self.how.reply_us));
    }

    /// Another letter, where a print of before may still send this one's byte and the FIFO was emptied since.
    fn renew_letter(&mut self) {
        if std::mem::take(&mut self.owed) {
            self.letter = self.letter.map(|l| if l == b'Z' { b'A' } else { l + 1 });
        }
    }

    /// The next request, when none is outstanding.
    fn advance(&mut self, now_us: u64) {
        if !self.is_open() || self.asked.is_some() {
            return;
        }
        if self.clear_wanted && self.stage != Stage::Identifying {
            return self.ask(Ask::Clear, now_us);
        }
        if self.disarm_wanted && self.stage != Stage::Identifying {
            return self.disarm(now_us);
        }
        if self.letter_wanted {
            return self.ask(Ask::Letter, now_us);
        }
        match self.stage {
            Stage::Closed | Stage::Identifying => {}
            Stage::Adopting(step) => self.ask(Ask::Step(step), now_us),
            _ if now_us >= self.status_due_us => self.ask(Ask::Status, now_us),
            Stage::Ready if self.refused.as_ref().is_none_or(|r| now_us >= r.again_us) => {
                if let Some((code, bytes)) = self.queue.pop_front() {
                    self.ask(Ask::Print(code, bytes), now_us);
                }
            }
            Stage::Idle | Stage::Ready | Stage::Unready => {}
        }
    }

    fn disarm(&mut self, now_us: u64) {
        self.disarm_wanted = false;
        self.stage = Stage::Idle;
        self.forget_orders();
        self.clear_done();
        if self.how.ack.is_some() {
            self.ask(Ask::PrintByteOff, now_us);
        }
    }

    fn forget_orders(&mut self) {
        self.queue.clear();
        self.refused = None;
    }

    fn unit(&mut self, unit: Unit, now_us: u64) {
        if !self.is_open() {
            return;
        }
        match unit {
            Unit::Junk(bytes) => self.out.junk(&bytes, now_us),
            Unit::Byte(b) if Some(b) == self.letter => self.print_byte(b, now_us),
            Unit::Byte(b) => self.out.junk(&[b], now_us),
            Unit::Ack => match self.asked.take() {
                Some((ask, _)) => self.acknowledged(ask, now_us),
                None => self.out_of_step("an acknowledgement came that nobody waited for", now_us),
            },
            Unit::Nak(n) => match self.asked.take() {
                Some((ask, _)) => self.refused_with(ask, n, now_us),
                None => self.out_of_step("a refusal came that nobody waited for", now_us),
            },
            Unit::Echo(body) => self.echoed(&body, now_us),
        }
    }

    fn print_byte(&mut self, b: u8, now_us: u64) {
        match self.stage {
            // Before it is armed, prints are of codes that are doubtful already.
            Stage::Closed | Stage::Identifying | Stage::Idle | Stage::Adopting(_) => {}
            _ if self.inside > 0 => {
                self.printed = true;
                self.credit_print();
                if let Some(r) = &mut self.refused {
                    *r = Refused { again_us: now_us, count: 0 };
                }
            }
            _ if !self.early && matches!(self.asked, Some((Ask::Print(..), _))) => self.early = true,
            _ => self.out.junk(&[b], now_us),
        }
    }

    fn credit_print(&mut self) {
        self.inside -= 1;
        self.out.tell(Report::Printed { count: 1 });
        if self.full_at.is_none_or(|f| self.inside <= f) {
            self.overdue_us = None;
        }
    }

    fn taken(&mut self, code: CodeRef, now_us: u64) {
        let refused = self.refused.take().is_some();
        if self.how.ack.is_none() && self.inside >= self.how.depth {
            // It was full: room for this one means that the oldest was printed. Without a refusal the depth is too
            // small a number; the count must not grow without end.
            if refused {
                self.credit_print();
            } else {
                self.inside -= 1;
            }
        }
        self.inside += 1;
        self.out.tell(Report::Taken { code });
        if std::mem::take(&mut self.early) {
            self.printed = true;
            self.credit_print();
        }
        if self.full_at.is_some_and(|f| self.inside > f) {
            self.overdue_us.get_or_insert(now_us + OVERDUE_US);
        }
    }

    /// NAK 000 or 050 for a code: it is not taken, and is offered again.
    fn refused_code(&mut self, code: CodeRef, bytes: Vec<u8>, full: bool, now_us: u64) {
        if std::mem::take(&mut self.early) {
            self.out.junk(self.letter.as_slice(), now_us);
        }
        if self.stage != Stage::Ready || self.is_clearing() || self.disarm_wanted {
            return;
        }
        let count = self.refused.as_ref().map_or(0, |r| r.count) + 1;
        let mut wait_us = AGAIN_US;
        if full && self.how.ack.is_some() {
            match self.full_at {
                Some(f) if self.inside < f && count > 1 => {
                    let why = format!("full with {} codes where {f} fit: a print byte came twice", self.inside);
                    return self.out_of_step(&why, now_us);
                }
                // Refused twice in a row, so that it was no whim of one moment.
                None if count > 1 && self.inside > 0 && !self.printed && self.how.clear_on_adopt => self.full_at = Some(self.inside),
                _ => {}
            }
            if self.full_at.is_some_and(|f| self.inside >= f) || (count > 1 && self.inside > 0) {
                wait_us = FULL_US;
            }
        }
        if self.inside == 0 && self.how.clear_on_adopt && count >= EMPTY_REFUSALS {
            return self.unready("refuses codes though its FIFO was cleared (NAK 000)", now_us);
        }
        self.queue.push_front((code, bytes));
        self.refused = Some(Refused { again_us: now_us + wait_us, count });
    }

    /// What it holds in which order is not known any more: adopt it anew over a new link.
    fn out_of_step(&mut self, why: &str, now_us: u64) {
        self.out.tell_noise(now_us);
        self.out.tell(Report::OutOfStep { why: why.into() });
        self.hang_up(why);
    }

    fn hang_up(&mut self, why: &str) {
        self.out.hang_up(why);
        self.stop();
    }

    /// Nothing is offered, heard or owed on this link any more.
    fn stop(&mut self) {
        self.stage = Stage::Closed;
        // The one on its way may have been taken.
        self.inside += u32::from(matches!(self.asked.take(), Some((Ask::Print(..), _))));
        self.amidst_us = None;
        self.trouble = None;
        self.forget_orders();
        self.forget_fifo();
        (self.clear_wanted, self.letter_wanted, self.disarm_wanted) = (false, false, false);
    }

    /// The line waits for its clear.
    fn is_clearing(&self) -> bool {
        self.clear_wanted || self.letter_wanted
    }

    /// It is empty, or is not ours any more; a print of what was inside may be under way.
    fn forget_fifo(&mut self) {
        self.owed |= self.inside > 0;
        (self.inside, self.early, self.printed) = (0, false, false);
        self.overdue_us = None;
    }

    fn order_print(&mut self, code: CodeRef, bytes: Vec<u8>, now_us: u64) {
        // Before Ready, and while a clear is on its way, the line's order is of a time that is over.
        if self.stage != Stage::Ready || self.is_clearing() {
            return;
        }
        if bytes.is_empty() || bytes.len() > LONGEST_CODE || bytes.iter().any(|b| !b.is_ascii() || *b == EOT) {
            return self.out.tell(Report::Unprintable { code, why: "Codenet takes 1 to 1024 ASCII characters without EOT".into() });
        }
        if self.queue.len() >= MOST_ORDERS {
            return self.out_of_step("more codes were ordered than can wait", now_us);
        }
        self.queue.push_back((code, bytes));
    }
}

impl Conversation for Codenet {
    fn opened(&mut self, now_us: u64) {
        self.stop();
        self.units.reset();
        self.full_at = None;
        self.stage = Stage::Identifying;
        self.status_due_us = now_us + STATUS_US;
        self.ask(Ask::Identify, now_us);
    }

    fn closed(&mut self, now_us: u64, why: &str) {
        self.stop();
        let half = self.units.reset();
        self.out.link_gone(&half, now_us, why);
    }

    fn received(&mut self, bytes: &[u8], now_us: u64) {
        if !self.is_open() {
            return;
        }
        let mut units = Vec::new();
        for b in bytes {
            self.units.push(*b, &mut units);
            // Nothing new is asked before all that came together is heard: a second ACK in it answers nothing.
            for u in units.drain(..) {
                self.unit(u, now_us);
            }
        }
        self.amidst_us = self.units.amidst().then_some(now_us + AMIDST_US);
        self.advance(now_us);
    }

    fn ordered(&mut self, order: Order, now_us: u64) {
        match order {
            Order::Arm { message, fields } => {
                self.arm = Some(Arm { message, fields });
                self.disarm_wanted = false;
                self.trouble = None;
                if !matches!(self.stage, Stage::Closed | Stage::Identifying) {
                    self.adopt(now_us);
                }
            }
            Order::Print { code, bytes } => self.order_print(code, bytes, now_us),
            Order::Clear if self.is_open() => {
                self.forget_orders();
                self.clear_wanted = true;
            }
            Order::Disarm => {
                self.arm = None;
                self.disarm_wanted = self.is_open();
            }
            Order::Clear | Order::Output { .. } | Order::Pulse { .. } | Order::Trigger { .. } | Order::Verdict { .. } => {}
        }
        self.advance(now_us);
    }

    fn due(&mut self, now_us: u64) {
        self.out.due(now_us);
        if !self.is_open() {
            return;
        }
        if self.amidst_us.is_some_and(|d| d <= now_us) {
            self.amidst_us = None;
            let half = self.units.reset();
            self.out.junk(&half, now_us);
        }
        if let Some((ask, deadline_us)) = &self.asked
            && *deadline_us <= now_us
        {
            let what = match ask {
                Ask::Identify => "identification",
                Ask::Status => "a status request",
                Ask::Print(..) => "a code",
                Ask::Clear | Ask::Step(Step::Clear) => "clearing its FIFO",
                Ask::Step(_) | Ask::Letter | Ask::PrintByteOff => "a setting",
            };
            let why = format!("no answer to {what} within {} ms", self.how.reply_us / MS);
            return self.hang_up(&why);
        }
        if self.overdue_us.is_some_and(|d| d <= now_us) {
            return self.out_of_step("it took one more code than it holds, but no print byte came", now_us);
        }
        self.advance(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        if !self.is_open() {
            return self.out.deadline();
        }
        let next = match (&self.asked, self.stage) {
            (Some((_, deadline_us)), _) => Some(*deadline_us),
            (None, Stage::Closed | Stage::Identifying) => None,
            _ => Some(self.status_due_us),
        };
        let again = self.refused.as_ref().filter(|_| self.asked.is_none() && self.stage == Stage::Ready).map(|r| r.again_us);
        earliest([self.out.deadline(), self.amidst_us, next, again, self.overdue_us])
    }

    fn poll(&mut self) -> Option<Action> {
        self.out.poll()
    }
}
