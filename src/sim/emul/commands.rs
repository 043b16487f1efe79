//! Any printer whose profile says what is said to it (dialect `commands`): it hears the requests that the profile writes
//! down, answers with the profile's answers, and prints as the profile says its buffer does.
//!
//! The host's half reads the same file, so a wrong profile would be mirrored here: the transcripts, written from the
//! documents' own bytes, are played against both halves (`commands/tests.rs`).
//!
//! Invariants: a request that is not understood is answered as the profile says, or not at all; nothing is inked that was
//! not put in, nor twice unless the profile says that an empty buffer repeats.

mod hears;
mod says;

use super::outbox::Outbox;
use super::{DeviceSide, Emission, Link};
use crate::profile::bytes::Values;
use crate::profile::printer::{BufferKind, EventMeans, Means, Role, When};
use crate::profile::talk::{ReplyForm, Talk};
use crate::profile::{Bound, OnEmpty};
use crate::sim::bench::Trouble;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Longest request it collects.
const LONGEST_REQUEST: usize = 4_096;

#[derive(Debug)]
pub struct Commands {
    bound: Bound,
    talk: Arc<Talk>,
    kind: BufferKind,
    on_empty: OnEmpty,
    depth: usize,
    most_bytes: usize,
    /// Messages stored in it; none: any is there.
    messages: Vec<String>,
    rng: Rng,
    out: Outbox,
    link: Option<Link>,
    /// When the last thing it said leaves: nothing overtakes it.
    said_us: u64,
    request: Vec<u8>,
    /// What it says once the host has answered its question, and whether that was asked.
    held: VecDeque<Vec<u8>>,
    asking: bool,
    /// Answers that wait until its own word is said.
    owed: Vec<Vec<u8>>,
    /// Codes that wait, with their record numbers.
    waiting: VecDeque<(i64, Vec<u8>)>,
    /// The text in the field, of a printer that holds one; printed already or not.
    field: Option<(Vec<u8>, bool)>,
    /// Fields that were set, as they were written.
    fields: BTreeMap<Vec<u8>, Vec<u8>>,
    message: Option<String>,
    count: u64,
    /// The record printed last, before the first where none was, and its text.
    last: (i64, Vec<u8>),
    /// It had been printed before.
    repeated: bool,
    /// Waiting codes that it does not count.
    uncounted: usize,
    /// A print stop empties its buffer.
    stop_clears: bool,
    armed: bool,
    inside_mode: bool,
    running: bool,
    starved: bool,
    fault_until_us: Option<u64>,
    /// It takes no code before.
    starves_until_us: u64,
    silence: bool,
    refuse: bool,
}

impl Commands {
    /// `messages`: stored in the printer; none: whatever is asked for is there.
    ///
    /// # Panics
    /// For a profile of another dialect.
    pub fn new(bound: &Bound, messages: Vec<String>, rng: Rng) -> Self {
        let talk = bound.profile.talk.clone().expect("a profile of the dialect commands was read with its talk");
        // It speaks as the firmware that it says it is.
        let own = talk.simulated.values.get("identity").and_then(|i| talk.of_firmware(i));
        let talk = own.map_or(talk, Arc::new);
        let buffer = bound.profile.buffer.as_ref();
        let kind = buffer.map_or(BufferKind::Overwrite, |b| b.kind);
        Self {
            kind,
            on_empty: buffer.map_or(OnEmpty::Nothing, |b| b.on_empty),
            depth: bound.depth() as usize,
            most_bytes: buffer.and_then(|b| b.most_bytes).map_or(usize::MAX, |n| n as usize),
            bound: bound.clone(),
            running: !talk.has(Role::Start),
            talk,
            messages,
            rng,
            out: Outbox::default(),
            link: None,
            said_us: 0,
            request: Vec::new(),
            held: VecDeque::new(),
            asking: false,
            owed: Vec::new(),
            waiting: VecDeque::new(),
            field: None,
            fields: BTreeMap::new(),
            message: None,
            count: 0,
            last: (if bound.has("first_record") { bound.number("first_record") - 1 } else { 0 }, Vec::new()),
            repeated: false,
            uncounted: buffer.map_or(0, |b| b.uncounted as usize),
            stop_clears: buffer.is_some_and(|b| b.lost_by.iter().any(|l| l == "print stop")),
            armed: false,
            inside_mode: false,
            starved: false,
            fault_until_us: None,
            starves_until_us: 0,
            silence: false,
            refuse: false,
        }
    }

    fn holds_one(&self) -> bool {
        matches!(self.kind, BufferKind::Overwrite | BufferKind::ProtectedSingle)
    }

    /// Codes that wait for a thing.
    pub fn fill(&self) -> usize {
        if self.holds_one() { usize::from(self.field.as_ref().is_some_and(|f| !f.1)) } else { self.waiting.len() }
    }

    /// Sets its print counter (a transcript begins somewhere).
    pub fn set_count(&mut self, count: u64) {
        self.count = count;
    }

    fn faulty(&self, now_us: u64) -> bool {
        self.starved || self.fault_until_us.is_some_and(|t| now_us < t)
    }

    /// A thing passes the head: what is inked on it. `None`: nothing.
    pub fn print(&mut self, now_us: u64) -> Option<Vec<u8>> {
        if !self.running || self.faulty(now_us) || (self.talk.has(Role::EnterMode) && !self.inside_mode) {
            return None;
        }
        self.tell(EventMeans::Triggered, now_us);
        let inked = self.next_code();
        match (&inked, self.on_empty) {
            (None, OnEmpty::Fault) => {
                self.starved = true;
                return None;
            }
            // A blank is a print too, to its counter.
            (None, OnEmpty::Nothing) => return None,
            _ => self.count += 1,
        }
        if inked.is_some() {
            self.tell(EventMeans::Printed, now_us);
        }
        inked
    }

    fn next_code(&mut self) -> Option<Vec<u8>> {
        if self.holds_one() {
            let (text, printed) = self.field.as_mut()?;
            self.repeated = std::mem::replace(printed, true);
            if self.repeated && self.on_empty != OnEmpty::Repeats {
                return None;
            }
            self.last = (0, text.clone());
            return Some(text.clone());
        }
        self.repeated = self.waiting.is_empty();
        match self.waiting.pop_front() {
            Some(next) => {
                self.last = next;
                Some(self.last.1.clone())
            }
            None => Some(self.last.1.clone()).filter(|t| self.on_empty == OnEmpty::Repeats && !t.is_empty()),
        }
    }

    /// See `Bench::repeated`.
    pub fn repeated(&self) -> bool {
        self.repeated
    }

    fn between_ms(&mut self, least: u64, most: u64) -> u64 {
        least * MS + self.rng.below((most - least) * MS + 1)
    }

    fn obey(&mut self, role: Role, values: Values, silent: bool, now_us: u64) {
        let replies = self.talk.commands[&role].replies.clone();
        let bytes = values.bytes("code").map_or(0, <[u8]>::len);
        let starved = role == Role::PutCode && now_us < self.starves_until_us;
        let full = starved || (matches!(role, Role::PutCode | Role::Readiness) && self.is_full(bytes));
        let refuse = role == Role::PutCode && std::mem::take(&mut self.refuse);
        let mut values = values;
        let mut reply = self.reply(role, &replies, full, refuse, &values, now_us).cloned();
        if role == Role::ReadBack {
            match self.read_back(&values) {
                Some(text) => values.put("text", text),
                None => reply = replies.iter().find(|r| r.means == Means::Refused).cloned(),
            }
        }
        let done = reply.as_ref().is_none_or(|r| matches!(r.means, Means::Ok | Means::TakenFull));
        if done && !full {
            self.act(role, &values);
        }
        // What is too much for its buffer is dropped without a word, where it has no word for it.
        let Some(reply) = reply.filter(|r| !full || r.means != Means::Ok) else { return };
        if let (Some(bytes), Some(link)) = (self.written(&reply.is, reply.from, &values, now_us), self.link.filter(|_| !silent)) {
            if self.asking {
                return self.owed.push(bytes);
            }
            let at_us = now_us + self.between_ms(2, 6);
            self.said_us = self.out.acknowledge(link, bytes, at_us.max(self.said_us));
        }
    }

    /// For a code of so many bytes.
    fn is_full(&self, bytes: usize) -> bool {
        match self.kind {
            BufferKind::Overwrite => false,
            BufferKind::ProtectedSingle => self.fill() > 0,
            _ => {
                let held: usize = self.waiting.iter().map(|w| w.1.len()).sum();
                self.waiting.len() >= self.depth || held + bytes > self.most_bytes
            }
        }
    }

    fn reply<'r>(
        &self,
        role: Role,
        replies: &'r [ReplyForm],
        full: bool,
        refuse: bool,
        values: &Values,
        now_us: u64,
    ) -> Option<&'r ReplyForm> {
        let asked = values.text("message");
        // A number may come with zeros before it.
        let bare = |m: &str| m.trim_start_matches('0').to_string();
        let stored = |m: &String| asked.as_ref().is_some_and(|a| bare(a) == bare(m));
        let absent = role == Role::SelectMessage && !self.messages.is_empty() && !self.messages.iter().any(stored);
        let holds = |w: When| match w {
            When::Full => full,
            When::Empty => self.fill() == 0,
            When::NoSuchMessage => absent,
            When::Fault => self.faulty(now_us),
            When::Refusing => refuse,
        };
        let refusing = |r: &&ReplyForm| matches!(r.means, Means::Full | Means::Busy | Means::Refused) && r.when.is_none();
        let filling = role == Role::PutCode && !full && !self.holds_one() && self.waiting.len() + 1 >= self.depth;
        let becomes = |r: &ReplyForm| (full && matches!(r.means, Means::Full | Means::Busy)) || (filling && r.means == Means::TakenFull);
        let as_state = replies.iter().find(|r| r.when.is_some_and(holds) || becomes(r));
        let as_refusal = replies.iter().find(refusing).filter(|_| refuse || absent);
        let sayable = |r: &&ReplyForm| r.when.is_none() && r.means == Means::Ok && self.can_say(r, values, now_us);
        as_state.or(as_refusal).or_else(|| replies.iter().find(sayable))
    }

    /// What stands in a field, as it was written.
    fn read_back(&self, values: &Values) -> Option<Vec<u8>> {
        let name = values.bytes("name");
        if name.is_none() || name == self.bound.place("setting.field").as_deref() {
            let text = self.field.as_ref().map_or(&[][..], |f| &f.0);
            return Some(self.talk.encode("code", text).unwrap_or_default());
        }
        self.fields.get(name?).cloned()
    }

    /// The number that the next record must have.
    fn next_record(&self) -> i64 {
        self.waiting.back().map_or(self.last.0, |w| w.0) + 1
    }

    fn act(&mut self, role: Role, values: &Values) {
        match role {
            Role::SelectMessage => self.message = values.text("message"),
            Role::PutCode => {
                let code = self.talk.decode("code", values.bytes("code").unwrap_or_default());
                if self.holds_one() {
                    self.field = Some((code, false));
                    return;
                }
                let record = values.signed("record").unwrap_or(0);
                if self.kind == BufferKind::NumberedRecords && record != self.next_record() {
                    self.starved = true;
                } else {
                    self.waiting.push_back((record, code));
                }
            }
            Role::SetField => {
                let of = |place: &str| values.bytes(place).unwrap_or_default().to_vec();
                self.fields.insert(of("name"), of("value"));
            }
            Role::Clear => {
                self.waiting.clear();
                (self.field, self.starved) = (None, false);
            }
            Role::ArmEvents => self.armed = true,
            Role::DisarmEvents => self.armed = false,
            Role::EnterMode => self.inside_mode = true,
            Role::LeaveMode => self.inside_mode = false,
            Role::Start => (self.running, self.starved) = (true, false),
            Role::Stop => {
                self.running = false;
                if self.stop_clears {
                    self.waiting.clear();
                }
            }
            Role::Reset => {
                self.starved = false;
                // What waited for its print does not keep a new text out any longer.
                if let (BufferKind::ProtectedSingle, Some((_, printed))) = (self.kind, &mut self.field) {
                    *printed = true;
                }
            }
            _ => {}
        }
    }
}

impl DeviceSide for Commands {
    fn connected(&mut self, link: Link, _now_us: u64) {
        self.link = Some(link);
        self.said_us = 0;
        self.request.clear();
    }

    /// Buffer, message, regime and armed events outlive a link.
    fn disconnected(&mut self, link: Link, _now_us: u64) {
        self.out.forget(link);
        if self.link.take_if(|l| *l == link).is_some() {
            self.request.clear();
            self.held.clear();
            self.owed.clear();
            self.asking = false;
        }
    }

    fn received(&mut self, _link: Link, bytes: &[u8], now_us: u64) {
        for b in bytes {
            self.request.push(*b);
            self.heard(now_us);
        }
    }

    fn due(&mut self, now_us: u64) {
        self.out.due(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        self.out.deadline()
    }

    fn poll(&mut self) -> Option<(Link, Emission)> {
        self.out.poll()
    }

    fn power(&mut self, on: bool, _now_us: u64) {
        if !on {
            self.out = Outbox::default();
            self.held.clear();
            self.owed.clear();
            (self.link, self.asking) = (None, false);
            self.request.clear();
            self.waiting.clear();
            (self.field, self.message, self.fault_until_us, self.starves_until_us) = (None, None, None, 0);
            self.fields.clear();
            (self.armed, self.inside_mode, self.starved) = (false, false, false);
            self.running = !self.talk.has(Role::Start);
        }
    }

    fn trouble(&mut self, what: Trouble, now_us: u64) {
        match what {
            Trouble::DropBuffer => {
                self.waiting.clear();
                self.field = None;
            }
            Trouble::Silence => self.silence = true,
            Trouble::Refuse => self.refuse = true,
            Trouble::Starve { ms } => self.starves_until_us = now_us + u64::from(ms) * MS,
            Trouble::Fault { ms } => {
                self.fault_until_us = Some(now_us + u64::from(ms) * MS);
                self.tell(EventMeans::Fault, now_us);
            }
            other => {
                self.out.trouble(other);
            }
        }
    }
}

#[cfg(test)]
mod tests;
