//! Zebra ZPL II label printers: a rendered label out, `~HS` host status in (three strings STX … ETX CR LF).
//!
//! Must never know: what is on a label. There is no acknowledgement of a label; its way is followed by the status:
//! formats in the receive buffer (string 1, field 5) or labels remaining (string 2, field 9) mean that it is there,
//! none of both after it means that it came out. One label at a time. A label's bytes leave once.

use super::framer::{Framer, Step};
use super::outbox::{Outbox, earliest};
use super::{Action, Conversation};
use crate::profile::Bound;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, Order, Report};
use std::collections::VecDeque;

/// Status is asked for this often while a label is out, or while something is wrong with the printer …
const BUSY_US: u64 = 100 * MS;
/// … and else.
const IDLE_US: u64 = 1_000 * MS;
/// An idle status this often after a label, and never a busy one: it was printed between two looks.
const IDLE_MEANS_PRINTED: u32 = 3;
const MOST_ORDERS: usize = 64;

#[derive(Debug)]
struct Out {
    code: CodeRef,
    taken: bool,
    idle_seen: u32,
}

#[derive(Debug)]
pub struct Zpl {
    reply_us: u64,
    out: Outbox,
    framer: Framer,
    strings: Vec<Vec<u8>>,
    open: bool,
    up: bool,
    armed: bool,
    ready: bool,
    trouble: Option<String>,
    /// A status was asked for; when its silence is too long.
    asked_us: Option<u64>,
    next_us: u64,
    queue: VecDeque<(CodeRef, Vec<u8>)>,
    label: Option<Out>,
    clear_wanted: bool,
}

/// What `~HS` says that matters here.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    trouble: Option<&'static str>,
    /// A format waits or a label remains.
    busy: bool,
}

impl Zpl {
    pub fn new(bound: &Bound) -> Self {
        Self {
            reply_us: u64::from(bound.profile.link.reply_timeout_ms) * MS,
            out: Outbox::default(),
            framer: Framer::default(),
            strings: Vec::new(),
            open: false,
            up: false,
            armed: false,
            ready: false,
            trouble: None,
            asked_us: None,
            next_us: 0,
            queue: VecDeque::new(),
            label: None,
            clear_wanted: false,
        }
    }

    fn stop(&mut self) {
        (self.open, self.up, self.ready, self.clear_wanted) = (false, false, false, false);
        (self.asked_us, self.trouble, self.label) = (None, None, None);
        self.queue.clear();
        self.strings.clear();
    }

    fn ask(&mut self, now_us: u64) {
        self.out.send(b"~HS\r\n".to_vec());
        self.asked_us = Some(now_us + self.reply_us);
    }

    /// The next thing to say, when no status is outstanding.
    fn advance(&mut self, now_us: u64) {
        if !self.open || self.asked_us.is_some() {
            return;
        }
        if self.ready
            && self.label.is_none()
            && !self.clear_wanted
            && let Some((code, bytes)) = self.queue.pop_front()
        {
            self.out.send(bytes);
            self.label = Some(Out { code, taken: false, idle_seen: 0 });
            return self.ask(now_us);
        }
        if now_us >= self.next_us {
            self.ask(now_us);
        }
    }

    fn string(&mut self, frame: Vec<u8>, now_us: u64) {
        // The strings have 12, 11 and 2 fields; one out of its turn begins or spoils the row.
        const FIELDS: [usize; 3] = [12, 11, 2];
        let fields = frame.iter().filter(|b| **b == b',').count() + 1;
        if fields != FIELDS[self.strings.len()] {
            for s in self.strings.drain(..) {
                self.out.junk(&s, now_us);
            }
            if fields != FIELDS[0] {
                return self.out.junk(&frame, now_us);
            }
        }
        self.strings.push(frame);
        if self.strings.len() == FIELDS.len() {
            let strings = std::mem::take(&mut self.strings);
            match parse(&strings) {
                Some(status) => self.status(status, now_us),
                None => strings.iter().for_each(|s| self.out.junk(s, now_us)),
            }
        }
    }

    fn status(&mut self, status: Status, now_us: u64) {
        // One that came twice or late says what was, not what is.
        if self.asked_us.take().is_none() {
            return;
        }
        if !self.up {
            self.up = true;
            self.out.tell(Report::Up { identity: None });
        }
        self.follow(&status);
        if self.clear_wanted && !status.busy && self.label.is_none() {
            self.clear_wanted = false;
            self.out.tell(Report::Cleared);
        }
        match status.trouble {
            Some(why) if self.armed => self.unready(why),
            None if self.armed && !self.ready => {
                (self.ready, self.trouble, self.label) = (true, None, None);
                self.out.tell(Report::Ready { cleared: false });
            }
            _ => {}
        }
        let soon = self.label.is_some() || self.clear_wanted || (self.armed && !self.ready);
        self.next_us = now_us + if soon { BUSY_US } else { IDLE_US };
    }

    /// What the status says of the label that is out.
    fn follow(&mut self, status: &Status) {
        let Some(l) = &mut self.label else { return };
        if !status.busy {
            l.idle_seen += 1;
        }
        let done = !status.busy && (l.taken || (l.idle_seen >= IDLE_MEANS_PRINTED && status.trouble.is_none()));
        if (status.busy || done) && !l.taken {
            l.taken = true;
            self.out.tell(Report::Taken { code: l.code });
        }
        if done {
            self.label = None;
            self.out.tell(Report::Printed { count: 1 });
        }
    }

    /// Its label may still come out when the trouble is gone; whoever reads it knows.
    fn unready(&mut self, why: &str) {
        self.ready = false;
        self.queue.clear();
        if self.trouble.as_deref() != Some(why) {
            self.trouble = Some(why.into());
            self.out.tell(Report::NotReady { why: why.into() });
        }
    }
}

/// The three strings of `~HS` (ZPL II, "Host Status Return"): 1 paper out, pause, formats in buffer, buffer full, head
/// temperature; 2 head up, ribbon out, labels remaining.
fn parse(strings: &[Vec<u8>]) -> Option<Status> {
    let fields =
        |i: usize| -> Option<Vec<u32>> { std::str::from_utf8(&strings[i]).ok()?.split(',').map(|f| f.trim().parse().ok()).collect() };
    let (one, two) = (fields(0)?, fields(1)?);
    let troubles = [
        (one[1], "paper out"),
        (two[2], "head open"),
        (two[3], "ribbon out"),
        (one[2], "paused"),
        (one[5], "receive buffer full"),
        (one[9], "memory corrupt"),
        (one[11], "head too hot"),
    ];
    let trouble = troubles.into_iter().find(|(flag, _)| *flag != 0).map(|(_, why)| why);
    Some(Status { trouble, busy: one[4] > 0 || two[8] > 0 })
}

impl Conversation for Zpl {
    fn opened(&mut self, now_us: u64) {
        self.stop();
        self.framer.reset();
        self.open = true;
        self.ask(now_us);
    }

    fn closed(&mut self, now_us: u64, why: &str) {
        self.stop();
        let half = self.framer.reset();
        self.out.link_gone(&half, now_us, why);
    }

    fn received(&mut self, bytes: &[u8], now_us: u64) {
        if !self.open {
            return;
        }
        for b in bytes {
            match self.framer.push(*b) {
                Step::More => {}
                Step::Junk(junk) => self.out.junk(&junk, now_us),
                Step::Frame(frame) => self.string(frame, now_us),
            }
        }
        self.advance(now_us);
    }

    fn ordered(&mut self, order: Order, now_us: u64) {
        match order {
            Order::Arm { .. } => {
                (self.armed, self.ready, self.trouble) = (true, false, None);
                self.queue.clear();
                self.next_us = now_us;
            }
            Order::Print { code, bytes } if self.ready && !self.clear_wanted && self.queue.len() < MOST_ORDERS => {
                self.queue.push_back((code, bytes));
            }
            Order::Clear if self.open => {
                self.queue.clear();
                self.clear_wanted = true;
                self.next_us = now_us;
            }
            Order::Disarm => {
                (self.armed, self.ready) = (false, false);
                self.queue.clear();
            }
            Order::Print { .. }
            | Order::Clear
            | Order::Output { .. }
            | Order::Pulse { .. }
            | Order::Trigger { .. }
            | Order::Verdict { .. } => {}
        }
        self.advance(now_us);
    }

    fn due(&mut self, now_us: u64) {
        self.out.due(now_us);
        if self.open && self.asked_us.is_some_and(|d| d <= now_us) {
            self.out.hang_up(format!("no answer to ~HS within {} ms", self.reply_us / MS));
            return self.stop();
        }
        self.advance(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        let next = self.open.then(|| self.asked_us.unwrap_or(self.next_us));
        earliest([self.out.deadline(), next])
    }

    fn poll(&mut self) -> Option<Action> {
        self.out.poll()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: [&str; 3] = ["030,0,0,1245,000,0,0,0,000,0,0,0", "000,0,0,0,0,2,4,0,00000000,1,000", "1234,0"];

    fn status(one: &str, two: &str) -> Option<Status> {
        parse(&[one.into(), two.into(), b"1234,0".to_vec()])
    }

    #[test]
    fn the_published_sample_is_an_idle_printer() {
        assert_eq!(status(IDLE[0], IDLE[1]), Some(Status { trouble: None, busy: false }));
    }

    #[test]
    fn flags_and_counts_stand_where_the_strings_have_them() {
        let busy = status("030,0,0,1245,001,0,0,0,000,0,0,0", IDLE[1]).unwrap();
        assert!(busy.busy && busy.trouble.is_none());
        assert!(status(IDLE[0], "000,0,0,0,0,2,4,0,00000003,1,000").unwrap().busy);
        assert_eq!(status("030,1,0,1245,001,0,0,0,000,0,0,0", IDLE[1]).unwrap().trouble, Some("paper out"));
        assert_eq!(status(IDLE[0], "000,0,1,0,0,2,4,0,00000000,1,000").unwrap().trouble, Some("head open"));
        assert_eq!(status(IDLE[0], "000,0,0,1,0,2,4,0,00000000,1,000").unwrap().trouble, Some("ribbon out"));
        assert_eq!(status("030,x,0,1245,001,0,0,0,000,0,0,0", IDLE[1]), None);
    }
}
