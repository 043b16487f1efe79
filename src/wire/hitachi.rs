//! Hitachi inkjets over Modbus TCP (UX and RX2 with the option, TUP-I): one text that is replaced, whose print is known
//! when the print count moves on, so one code is on its way at a time.
//!
//! A code is put by one change: begin, the number of its characters where it differs, its characters, commit. The count
//! is read right before and right after: a print in between may have been of either text, and is credited to none.
//!
//! Must never know: which thing a code is for. Invariants, the same as for every printer here: a code's characters leave
//! once; a silence hangs up, and nothing that comes later is an answer; never more prints are told than codes were taken.

mod map;

use super::modbus::frame::{Answer, Found, Wrap};
use super::outbox::{Outbox, earliest};
use super::{Action, Conversation};
use crate::profile::Bound;
use crate::profile::bytes::Values;
use crate::profile::printer::Condition;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, Order, Report};
use std::collections::VecDeque;

/// A printer in trouble is looked at this often.
const TROUBLE_US: u64 = 1_000 * MS;
/// A count read so long ago is read again before a code is put.
const FRESH_US: u64 = 30 * MS;
/// Orders held at most; the line's window is far smaller.
const MOST_ORDERS: usize = 4_096;
/// Registers of the status.
const STATUS_WORDS: u16 = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ask {
    Online,
    GoOnline,
    Items,
    /// Of the items before the code's, and of its own.
    Lengths,
    Status,
    Count,
    /// A write of the change that puts a code.
    Change(Vec<u8>),
    Commit,
}

#[derive(Debug)]
struct Asked {
    ask: Ask,
    transaction: u16,
    pdu: Vec<u8>,
    until_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Closed,
    Connecting,
    /// Connected, no job.
    Idle,
    Adopting,
    Ready,
    /// In trouble; adopted anew when that has gone.
    Unready,
}

/// What the line asked it to print with.
#[derive(Debug)]
struct Arm {
    message: Option<String>,
    fields: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Hitachi {
    bound: Bound,
    out: Outbox,
    stage: Stage,
    buf: Vec<u8>,
    transaction: u16,
    asked: Option<Asked>,
    /// What is asked next, in order.
    script: VecDeque<Ask>,
    arm: Option<Arm>,
    clear_wanted: bool,
    trouble: Option<String>,
    status_due_us: u64,
    queue: VecDeque<(CodeRef, Vec<u8>)>,
    /// The code that a change is putting.
    putting: Option<CodeRef>,
    /// Taken, and not printed.
    inside: Option<CodeRef>,
    /// Nothing of ours was put since it was adopted.
    bare: bool,
    /// The count as last read, and when.
    counter: Option<(u32, u64)>,
    /// A code was just put: a count that has moved since it was read before may be of either text.
    proving: bool,
    count_due_us: u64,
    items: u16,
    /// Characters of the items up to the code's.
    lengths: Vec<u16>,
}

impl Hitachi {
    pub fn new(bound: &Bound) -> Self {
        Self {
            bound: bound.clone(),
            out: Outbox::default(),
            stage: Stage::Closed,
            buf: Vec::new(),
            transaction: 0,
            asked: None,
            script: VecDeque::new(),
            arm: None,
            clear_wanted: false,
            trouble: None,
            status_due_us: 0,
            queue: VecDeque::new(),
            putting: None,
            inside: None,
            bare: true,
            counter: None,
            proving: false,
            count_due_us: 0,
            items: 0,
            lengths: Vec::new(),
        }
    }

    fn unit(&self) -> u8 {
        self.bound.number("unit").clamp(0, 255) as u8
    }

    fn item(&self) -> u16 {
        self.bound.number("item").clamp(1, i64::from(map::MOST_ITEMS)) as u16
    }

    fn interval_us(&self, of: impl Fn(&crate::profile::printer::PollRule) -> u32) -> u64 {
        u64::from(self.bound.profile.poll.as_ref().map_or(0, of)) * MS
    }

    fn ask(&mut self, ask: Ask, now_us: u64) {
        let pdu = match &ask {
            Ask::Online => map::read(map::READ_HOLDING, map::ONLINE, 1),
            Ask::GoOnline => map::write(map::ONLINE, 1),
            Ask::Items => map::read(map::READ_HOLDING, map::ITEMS, 1),
            Ask::Lengths => map::read(map::READ_HOLDING, map::CHARACTERS, self.item()),
            Ask::Status => map::read(map::READ_INPUT, map::STATUS, STATUS_WORDS),
            Ask::Count => map::read(map::READ_INPUT, map::COUNT, 2),
            Ask::Change(pdu) => pdu.clone(),
            Ask::Commit => map::write(map::CHANGE, map::COMMIT),
        };
        self.transaction = self.transaction.wrapping_add(1);
        self.out.send(Wrap::Tcp.request(self.transaction, self.unit(), &pdu));
        let until_us = now_us + u64::from(self.bound.profile.link.reply_timeout_ms) * MS;
        self.asked = Some(Asked { ask, transaction: self.transaction, pdu, until_us });
    }

    /// The next request, when none is outstanding.
    fn advance(&mut self, now_us: u64) {
        while self.stage != Stage::Closed && self.asked.is_none() {
            if let Some(ask) = self.script.pop_front() {
                return self.ask(ask, now_us);
            }
            match self.stage {
                Stage::Connecting => {
                    self.stage = Stage::Idle;
                    self.out.tell(Report::Up { identity: None });
                    self.adopt(now_us);
                }
                Stage::Adopting => self.adopted(now_us),
                Stage::Ready if self.clear_wanted => {
                    self.clear_wanted = false;
                    return self.hang_up("its text cannot be taken away over the wire: it is adopted anew");
                }
                Stage::Idle | Stage::Ready | Stage::Unready if now_us >= self.status_due_us => self.ask(Ask::Status, now_us),
                Stage::Ready if self.inside.is_none() && !self.queue.is_empty() => {
                    let fresh = self.counter.is_some_and(|(_, at_us)| now_us.saturating_sub(at_us) <= FRESH_US);
                    if fresh { self.put(now_us) } else { self.ask(Ask::Count, now_us) }
                }
                Stage::Ready if self.inside.is_some() && now_us >= self.count_due_us => self.ask(Ask::Count, now_us),
                _ => return,
            }
        }
    }

    /// Adopts the printer for the job it is armed for; orders of the time before are dropped unoffered.
    fn adopt(&mut self, now_us: u64) {
        self.queue.clear();
        self.script.clear();
        (self.inside, self.putting, self.bare, self.proving) = (None, None, true, false);
        let Some(Arm { message, fields }) = &self.arm else {
            self.stage = Stage::Idle;
            return;
        };
        if let Some((field, _)) = fields.first() {
            let why = format!("has no way to set field {field}: it must be part of the selected message");
            return self.unready(&why, now_us);
        }
        if let Some(name) = message {
            let why = format!("cannot select message {name} over the wire: select it at its panel, and take it out of the configuration");
            return self.unready(&why, now_us);
        }
        self.stage = Stage::Adopting;
        self.script.extend([Ask::Online, Ask::Status, Ask::Items, Ask::Lengths, Ask::Count]);
    }

    fn adopted(&mut self, now_us: u64) {
        self.stage = if self.arm.is_some() { Stage::Ready } else { Stage::Idle };
        self.status_due_us = now_us + self.interval_us(|p| p.status_ms).max(MS);
        if self.stage == Stage::Ready {
            self.trouble = None;
            self.out.tell(Report::Ready { cleared: false });
        }
    }

    /// Puts the next code by one change.
    fn put(&mut self, now_us: u64) {
        let Some((code, bytes)) = self.queue.pop_front() else { return };
        let own = usize::from(self.item()) - 1;
        let before: usize = self.lengths[..own].iter().map(|n| usize::from(*n)).sum();
        let (now, new) = (usize::from(self.lengths[own]), bytes.len());
        if now != new && self.item() < self.items {
            let why = format!(
                "item {} of its message has {now} characters, a code has {new}, and other items follow: give it {new}, or make it the last item",
                own + 1
            );
            return self.unready(&why, now_us);
        }
        self.putting = Some(code);
        self.script.push_back(Ask::Change(map::write(map::CHANGE, map::BEGIN)));
        if now != new {
            self.lengths[own] = new as u16;
            self.script.push_back(Ask::Change(map::write(map::CHARACTERS + own as u16, new as u16)));
        }
        self.script.extend(map::text(before, &bytes).into_iter().map(Ask::Change));
        self.script.extend([Ask::Commit, Ask::Count]);
    }

    fn answered(&mut self, answer: &Answer, now_us: u64) {
        let Some(asked) = self.asked.take() else { return self.hang_up("it answered what nobody asked") };
        let (function, body) = (answer.pdu[0], &answer.pdu[1..]);
        let other = answer.transaction.is_some_and(|t| t != asked.transaction);
        if other || answer.unit != self.unit() || function & 0x7f != asked.pdu[0] {
            return self.hang_up("it answered another question");
        }
        if function & 0x80 != 0 {
            return self.refused(&asked, body.first().copied().unwrap_or(0), now_us);
        }
        let at_most = |n: u16| map::words(body, usize::from(n));
        let words = match &asked.ask {
            Ask::Online | Ask::Items => at_most(1),
            Ask::Lengths => at_most(self.item()),
            Ask::Status => at_most(STATUS_WORDS),
            Ask::Count => at_most(2),
            // A write is answered with its address, and its value or how many it wrote.
            Ask::GoOnline | Ask::Change(_) | Ask::Commit => (*body == asked.pdu[1..5]).then(Vec::new),
        };
        let Some(words) = words else { return self.hang_up("its answer is not that of the question") };
        match asked.ask {
            Ask::Online if words[0] == 0 && self.stage == Stage::Adopting => self.script.push_front(Ask::GoOnline),
            Ask::Items => self.has_items(words[0], now_us),
            Ask::Lengths => self.lengths = words,
            Ask::Status => self.judged(&words, now_us),
            Ask::Count => self.counted(&words, now_us),
            Ask::Commit => {
                if let Some(code) = self.putting.take() {
                    (self.inside, self.bare, self.proving) = (Some(code), false, true);
                    self.out.tell(Report::Taken { code });
                }
            }
            Ask::Online | Ask::GoOnline | Ask::Change(_) => {}
        }
    }

    fn refused(&mut self, asked: &Asked, code: u8, now_us: u64) {
        let at = u16::from_be_bytes([asked.pdu[1], asked.pdu[2]]);
        let why = format!("exception {code:02} ({}) to function {:02} at {at:04X}h", map::exception(code), asked.pdu[0]);
        match self.stage {
            Stage::Connecting => self.hang_up(&format!("{why}: is this the printer of the profile?")),
            _ => self.unready(&format!("{why}: is it offline?"), now_us),
        }
    }

    fn has_items(&mut self, items: u16, now_us: u64) {
        self.items = items;
        // None at all is not believed.
        if (1..self.item()).contains(&items) {
            let why = format!(
                "its message has {items} items, and codes are for item {}: select another message, or correct the setting",
                self.item()
            );
            self.unready(&why, now_us);
        }
    }

    /// Its status, in the words of the profile.
    fn judged(&mut self, words: &[u16], now_us: u64) {
        self.status_due_us = now_us + self.interval_us(|p| p.status_ms).max(MS);
        let letter = |w: u16| u8::try_from(w).map_or_else(|_| Vec::new(), |b| vec![b]);
        let places = ["c", "r", "o", "a"].iter().zip(words);
        let values = places.fold(Values::default(), |v, (place, w)| v.with(place, letter(*w)));
        let mut holding: Vec<_> = self.bound.profile.status.iter().filter(|s| s.holds(&values)).collect();
        holding.sort_by_key(|s| std::cmp::Reverse(s.becomes));
        let bad = holding.first().is_some_and(|s| s.becomes >= Condition::Fault);
        let told: Vec<&str> = holding.iter().filter(|s| s.becomes >= Condition::Warning).map(|s| s.say.as_str()).collect();
        let words = told.join(", ");
        match self.stage {
            Stage::Adopting | Stage::Ready | Stage::Unready if bad => self.unready(&words, now_us),
            Stage::Unready => self.adopt(now_us),
            _ => {}
        }
    }

    fn counted(&mut self, words: &[u16], now_us: u64) {
        let (a, b) = (u32::from(words[0]), u32::from(words[1]));
        let count = if self.bound.text("word_order") == "low-first" { b << 16 | a } else { a << 16 | b };
        self.count_due_us = now_us + self.interval_us(|p| p.confirm_ms).max(MS);
        let before = self.counter.replace((count, now_us)).map_or(count, |c| c.0);
        if self.stage != Stage::Ready {
            return;
        }
        let Some(more) = count.checked_sub(before) else {
            return self.out_of_step(&format!("its print counter went back from {before} to {count}"), now_us);
        };
        if std::mem::take(&mut self.proving) && more > 0 {
            return self.out_of_step("something was printed while a code was on its way: whether it was this one is not known", now_us);
        }
        let ours = u32::from(more > 0 && self.inside.take().is_some());
        if ours > 0 {
            self.out.tell(Report::Printed { count: 1 });
        }
        if more > ours && !self.bare {
            let why = format!("printed its last code again ({} times): nothing new came in time", more - ours);
            self.unready(&why, now_us);
        }
    }

    /// It cannot print: told once per reason; adopted anew when that has gone.
    fn unready(&mut self, why: &str, now_us: u64) {
        self.stage = Stage::Unready;
        self.script.clear();
        self.queue.clear();
        (self.putting, self.inside) = (None, None);
        self.status_due_us = now_us + TROUBLE_US;
        if self.trouble.as_deref() != Some(why) {
            self.trouble = Some(why.into());
            self.out.tell(Report::NotReady { why: why.into() });
        }
    }

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
        self.asked = None;
        self.script.clear();
        self.queue.clear();
        self.buf.clear();
        (self.putting, self.inside, self.counter, self.trouble) = (None, None, None, None);
        (self.bare, self.proving, self.clear_wanted) = (true, false, false);
    }

    fn order_print(&mut self, code: CodeRef, bytes: Vec<u8>, now_us: u64) {
        // Before Ready, and while a clear is on its way, the line's order is of a time that is over.
        if self.stage != Stage::Ready || self.clear_wanted {
            return;
        }
        let longest = self.bound.profile.values.get("code").map_or(0, |v| v.longest as usize);
        if bytes.is_empty() || bytes.len() > longest || !bytes.iter().all(|b| (0x20..0x7f).contains(b)) {
            return self.out.tell(Report::Unprintable { code, why: format!("it takes 1 to {longest} printable ASCII characters") });
        }
        if self.queue.len() >= MOST_ORDERS {
            return self.out_of_step("more codes were ordered than can wait", now_us);
        }
        self.queue.push_back((code, bytes));
    }
}

impl Conversation for Hitachi {
    fn opened(&mut self, now_us: u64) {
        self.stop();
        self.stage = Stage::Connecting;
        self.status_due_us = now_us + self.interval_us(|p| p.status_ms).max(MS);
        self.script.push_back(Ask::Online);
        self.advance(now_us);
    }

    fn closed(&mut self, now_us: u64, why: &str) {
        let half = std::mem::take(&mut self.buf);
        self.stop();
        self.out.link_gone(&half, now_us, why);
    }

    fn received(&mut self, bytes: &[u8], now_us: u64) {
        if self.stage == Stage::Closed {
            return;
        }
        self.buf.extend(bytes);
        while self.stage != Stage::Closed {
            match Wrap::Tcp.take(&mut self.buf) {
                Found::Answer(answer) => self.answered(&answer, now_us),
                Found::Half => break,
                Found::Wrong(why) => {
                    let junk = std::mem::take(&mut self.buf);
                    self.out.junk(&junk, now_us);
                    return self.hang_up(why);
                }
            }
        }
        self.advance(now_us);
    }

    fn ordered(&mut self, order: Order, now_us: u64) {
        match order {
            Order::Arm { message, fields } => {
                self.arm = Some(Arm { message, fields });
                self.trouble = None;
                if !matches!(self.stage, Stage::Closed | Stage::Connecting) {
                    self.adopt(now_us);
                }
            }
            Order::Print { code, bytes } => self.order_print(code, bytes, now_us),
            Order::Clear if self.stage != Stage::Closed => {
                self.queue.clear();
                self.clear_wanted = true;
            }
            Order::Disarm => {
                self.arm = None;
                self.queue.clear();
            }
            _ => {}
        }
        self.advance(now_us);
    }

    fn due(&mut self, now_us: u64) {
        self.out.due(now_us);
        if self.asked.as_ref().is_some_and(|a| a.until_us <= now_us) {
            return self.hang_up(&format!("no answer within {} ms", self.bound.profile.link.reply_timeout_ms));
        }
        self.advance(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        let next = match (&self.asked, self.stage) {
            (_, Stage::Closed) => None,
            (Some(asked), _) => Some(asked.until_us),
            (None, Stage::Ready) if self.inside.is_some() => Some(self.status_due_us.min(self.count_due_us)),
            (None, _) => Some(self.status_due_us),
        };
        earliest([self.out.deadline(), next])
    }

    fn poll(&mut self) -> Option<Action> {
        self.out.poll()
    }
}
