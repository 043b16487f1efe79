//! Any label printer whose profile says how it is asked (dialect `label`): a rendered label out, its status followed until
//! nothing of the label is left before it.
//!
//! Must never know: what is on a label. There is no acknowledgement of a label that all these printers give; its way is
//! followed by the status: something waits, is printed, or remains means that it is there, nothing of it afterwards means
//! that it came out. Invariants:
//!
//! - One label at a time, and its bytes leave once, whatever is answered.
//! - A silence hangs up: nothing that comes later is an answer. A label that was out then is nobody's.
//! - "Nothing left" of a printer in trouble is believed only where its status counts labels.

use super::commands::{Unit, Units};
use super::outbox::{Outbox, earliest};
use super::{Action, Conversation};
use crate::profile::Bound;
use crate::profile::bytes::Values;
use crate::profile::printer::{EventMeans, Means, Role};
use crate::profile::talk::{Look, Step, Talk};
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, Order, Report};
use std::collections::VecDeque;
use std::sync::Arc;

/// A status without a label this often after one, and never a busy one: it was printed between two looks.
const IDLE_MEANS_PRINTED: u32 = 3;
const MOST_ORDERS: usize = 64;
/// What has begun must end within this.
const AMIDST_US: u64 = 250 * MS;

#[derive(Debug)]
struct Out {
    code: CodeRef,
    taken: bool,
    idle_seen: u32,
}

/// A request whose answer is awaited.
#[derive(Debug)]
struct Asked {
    role: Role,
    deadline_us: u64,
    /// Units of an answer of several that have come, and which of its forms they are of.
    heard: Vec<Vec<u8>>,
    reply: usize,
}

#[derive(Debug)]
pub struct Labelling {
    bound: Bound,
    talk: Arc<Talk>,
    out: Outbox,
    units: Units,
    amidst_us: Option<u64>,
    open: bool,
    /// The next step of the greeting; beyond its end once it is said.
    greeting: usize,
    up: bool,
    identity: Option<String>,
    armed: bool,
    ready: bool,
    trouble: Option<String>,
    asked: Option<Asked>,
    /// Nothing is said before.
    pause_us: Option<u64>,
    /// What the look under way has told so far.
    seen: Values,
    next_us: u64,
    queue: VecDeque<(CodeRef, Vec<u8>)>,
    label: Option<Out>,
    clear_wanted: bool,
}

impl Labelling {
    /// # Panics
    /// For a profile of another dialect: it has nothing to say.
    pub fn new(bound: &Bound) -> Self {
        let talk = bound.profile.talk.clone().expect("a profile of the dialect label was read with its talk");
        Self {
            bound: bound.clone(),
            units: Units::new(talk.inbound.clone()),
            talk,
            out: Outbox::default(),
            amidst_us: None,
            open: false,
            greeting: 0,
            up: false,
            identity: None,
            armed: false,
            ready: false,
            trouble: None,
            asked: None,
            pause_us: None,
            seen: Values::default(),
            next_us: 0,
            queue: VecDeque::new(),
            label: None,
            clear_wanted: false,
        }
    }

    fn stop(&mut self) {
        (self.open, self.up, self.ready, self.clear_wanted) = (false, false, false, false);
        (self.asked, self.trouble, self.label, self.amidst_us, self.pause_us) = (None, None, None, None, None);
        self.queue.clear();
    }

    fn hang_up(&mut self, why: String) {
        self.out.hang_up(why);
        self.stop();
    }

    fn ask(&mut self, role: Role, now_us: u64) {
        let of = |place: &str| self.bound.place(place);
        let command = &self.talk.commands[&role];
        let (answered, timeout_ms, pause_ms) = (!command.replies.is_empty(), command.timeout_ms, command.pause_ms);
        match self.talk.wrap(role, &of) {
            Ok((bytes, _)) => self.out.send(bytes),
            Err(e) => return self.hang_up(format!("cannot be told {}: {e}", role.name())),
        }
        if pause_ms > 0 {
            self.pause_us = Some(now_us + u64::from(pause_ms) * MS);
        }
        if answered {
            let deadline_us = now_us + u64::from(timeout_ms) * MS;
            self.asked = Some(Asked { role, deadline_us, heard: Vec::new(), reply: 0 });
        }
    }

    /// The next things to say, when no answer is outstanding.
    fn advance(&mut self, now_us: u64) {
        // Commands without an answer follow one another.
        for _ in 0..64 {
            if !self.open || self.asked.is_some() || self.pause_us.is_some_and(|p| now_us < p) {
                return;
            }
            self.pause_us = None;
            match self.talk.connect.get(self.greeting).copied() {
                Some(step) => {
                    self.greeting += 1;
                    match step {
                        Step::Wait { ms } => self.pause_us = Some(now_us + u64::from(ms) * MS),
                        Step::Do(role) => self.ask(role, now_us),
                    }
                }
                None => return self.next_ask(now_us),
            }
        }
    }

    fn next_ask(&mut self, now_us: u64) {
        if self.ready
            && self.label.is_none()
            && !self.clear_wanted
            && let Some((code, bytes)) = self.queue.pop_front()
        {
            self.out.send(bytes);
            self.label = Some(Out { code, taken: false, idle_seen: 0 });
            return self.look(now_us);
        }
        if now_us >= self.next_us {
            self.look(now_us);
        }
    }

    /// Asks how it is, and then how many labels remain, where that is another question.
    fn look(&mut self, now_us: u64) {
        self.seen = Values::default();
        self.ask(Role::Status, now_us);
    }

    fn unit(&mut self, unit: Unit, now_us: u64) {
        let (form, bytes) = match unit {
            Unit::Is { form, bytes } => (form, bytes),
            Unit::Junk(bytes) => return self.out.junk(&bytes, now_us),
        };
        if !self.answer(form, &bytes, now_us) && !self.event(form, &bytes, now_us) && !self.is_late_status(form, &bytes) {
            self.out.junk(&bytes, now_us);
        }
    }

    /// The answer to what is asked, or the next unit of it; false: it is something else.
    fn answer(&mut self, form: usize, bytes: &[u8], now_us: u64) -> bool {
        let Some(asked) = &mut self.asked else { return false };
        let replies = &self.talk.commands[&asked.role].replies;
        let of_form = |from: Option<usize>| from.is_none_or(|f| f == form);
        if !asked.heard.is_empty() {
            let reply = &replies[asked.reply];
            let next = reply.then.get(asked.heard.len() - 1).filter(|_| of_form(reply.from));
            if next.is_some_and(|n| n.read(bytes).is_some()) {
                asked.heard.push(bytes.to_vec());
                return self.whole(now_us);
            }
            // One out of its turn begins or spoils the row.
            let spoilt = std::mem::take(&mut asked.heard);
            spoilt.iter().for_each(|s| self.out.junk(s, now_us));
        }
        let Some(asked) = &mut self.asked else { return false };
        let Some(at) = replies.iter().position(|r| of_form(r.from) && r.is.read(bytes).is_some()) else { return false };
        (asked.reply, asked.heard) = (at, vec![bytes.to_vec()]);
        self.whole(now_us)
    }

    /// A unit of the answer has come: is it all of it?
    fn whole(&mut self, now_us: u64) -> bool {
        let Some(asked) = &self.asked else { return true };
        let reply = &self.talk.commands[&asked.role].replies[asked.reply];
        if asked.heard.len() <= reply.then.len() {
            return true;
        }
        let patterns = std::iter::once(&reply.is).chain(&reply.then);
        let mut values = Values::default();
        for read in patterns.zip(&asked.heard).filter_map(|(p, bytes)| p.read(bytes)) {
            read.iter().for_each(|(place, v)| values.put(place, v));
        }
        let (role, means) = (asked.role, reply.means);
        self.asked = None;
        self.answered(role, means, &values, now_us);
        true
    }

    fn answered(&mut self, role: Role, means: Means, values: &Values, now_us: u64) {
        match (role, means) {
            (Role::Status, Means::Ok) => {
                self.seen = values.clone();
                match self.talk.has(Role::Fill) {
                    true => self.ask(Role::Fill, now_us),
                    false => self.looked(now_us),
                }
            }
            (Role::Fill, Means::Ok) => {
                self.seen.put("fill", values.bytes("fill").unwrap_or_default());
                self.looked(now_us);
            }
            (Role::Identify, Means::Ok) => self.identity = values.text("identity"),
            (Role::Status | Role::Fill, _) => self.hang_up(format!("{} was refused: is this the printer of the profile?", role.name())),
            // A greeting that this model does not know.
            _ => {}
        }
    }

    fn looked(&mut self, now_us: u64) {
        let mut look = self.talk.look(&self.seen);
        look.busy |= self.seen.number("fill").is_some_and(|n| n > 0);
        if !self.up {
            self.up = true;
            self.out.tell(Report::Up { identity: self.identity.clone() });
        }
        self.follow(&look);
        if self.clear_wanted && !look.busy && self.label.is_none() {
            self.clear_wanted = false;
            self.out.tell(Report::Cleared);
        }
        if look.trouble.is_some() && !self.talk.counts_labels() {
            // Whether it comes out afterwards nobody will say.
            self.label = None;
        }
        match look.trouble {
            Some(why) if self.armed => self.unready(&why),
            None if self.armed && !self.ready => {
                (self.ready, self.trouble, self.label) = (true, None, None);
                self.out.tell(Report::Ready { cleared: false });
            }
            _ => {}
        }
        let soon = self.label.is_some() || self.clear_wanted || (self.armed && !self.ready);
        let wait_ms = if soon { self.talk.poll.confirm_ms } else { self.talk.poll.status_ms };
        self.next_us = now_us + u64::from(wait_ms) * MS;
    }

    /// What the status says of the label that is out.
    fn follow(&mut self, look: &Look) {
        let Some(l) = &mut self.label else { return };
        if look.trouble.is_some() && !self.talk.counts_labels() {
            return;
        }
        if !look.busy {
            l.idle_seen += 1;
        }
        let unseen = l.idle_seen >= IDLE_MEANS_PRINTED && look.trouble.is_none();
        let done = !look.busy && (l.taken || unseen);
        if (look.busy || done) && !l.taken {
            l.taken = true;
            self.out.tell(Report::Taken { code: l.code });
        }
        if done {
            self.label = None;
            self.out.tell(Report::Printed { count: 1 });
        }
    }

    /// Something that it says unasked; false: it is none of that.
    fn event(&mut self, form: usize, bytes: &[u8], now_us: u64) -> bool {
        let fits = |e: &&crate::profile::talk::EventForm| e.from.is_none_or(|f| f == form);
        let found = self.talk.events.iter().filter(fits).find_map(|e| Some((e.clone(), e.is.read(bytes)?)));
        let Some((event, values)) = found else { return false };
        if let Some(answer) = event.answer {
            self.out.send(answer);
        }
        if event.means == EventMeans::Fault && self.armed {
            let why = event.say.unwrap_or_else(|| format!("it says \"{}\"", bytes.escape_ascii()));
            let why = values.iter().fold(why, |s, (place, v)| s.replace(&format!("{{{place}}}"), String::from_utf8_lossy(v).trim()));
            self.unready(&why);
            // How it is since then, it is asked at once.
            self.next_us = now_us;
        }
        true
    }

    /// One that came twice or late says what was, not what is.
    fn is_late_status(&self, form: usize, bytes: &[u8]) -> bool {
        let answers = [Role::Status, Role::Fill].into_iter().filter_map(|r| self.talk.commands.get(&r)).flat_map(|c| &c.replies);
        let fits = |from: Option<usize>| from.is_none_or(|f| f == form);
        answers.filter(|r| fits(r.from)).any(|r| std::iter::once(&r.is).chain(&r.then).any(|p| p.read(bytes).is_some()))
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

impl Conversation for Labelling {
    fn opened(&mut self, now_us: u64) {
        self.stop();
        self.units.reset();
        (self.open, self.greeting, self.identity, self.next_us) = (true, 0, None, now_us);
        self.advance(now_us);
    }

    fn closed(&mut self, now_us: u64, why: &str) {
        self.stop();
        let half = self.units.reset();
        self.out.link_gone(&half, now_us, why);
    }

    fn received(&mut self, bytes: &[u8], now_us: u64) {
        if bytes.is_empty() {
            return;
        }
        let mut units = Vec::new();
        for b in bytes {
            if !self.open {
                return;
            }
            self.units.push(*b, &mut units);
            for u in units.drain(..) {
                self.unit(u, now_us);
            }
        }
        let wait_us = self.units.gap_ms().map_or(AMIDST_US, |ms| u64::from(ms) * MS);
        self.amidst_us = self.units.amidst().then_some(now_us + wait_us);
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
        if !self.open {
            return;
        }
        if self.amidst_us.take_if(|d| *d <= now_us).is_some()
            && let Some(unit) = self.units.quiet()
        {
            self.unit(unit, now_us);
        }
        if let Some(asked) = self.asked.as_ref().filter(|a| a.deadline_us <= now_us) {
            let (role, ms) = (asked.role, self.talk.commands[&asked.role].timeout_ms);
            return self.hang_up(format!("no answer to {} within {ms} ms", role.name()));
        }
        self.advance(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        let next = match (&self.asked, self.pause_us) {
            (Some(asked), _) => asked.deadline_us,
            (None, Some(pause_us)) => pause_us,
            (None, None) => self.next_us,
        };
        earliest([self.out.deadline(), self.amidst_us, self.open.then_some(next)])
    }

    fn poll(&mut self) -> Option<Action> {
        self.out.poll()
    }
}

#[cfg(test)]
mod tests;
