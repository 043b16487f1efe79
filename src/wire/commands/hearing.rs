//! What the printer says, sorted: answers to what is asked, words of its own, noise; and its silences.

use super::units::Unit;
use super::{Ask, Asked, Commands, MOST_INQUIRIES, Stage};
use crate::profile::bytes::Values;
use crate::profile::printer::{EventMeans, Means, Role};
use crate::profile::talk::EventForm;
use crate::vocab::time::MS;

impl Commands {
    pub(super) fn unit(&mut self, unit: Unit, now_us: u64) {
        if !self.is_open() {
            return;
        }
        let (form, bytes) = match unit {
            Unit::Is { form, bytes } => (form, bytes),
            Unit::Junk(bytes) => return self.out.junk(&bytes, now_us),
        };
        if self.listening.take().is_some_and(|until_us| now_us < until_us) {
            return self.own_word(form, &bytes, now_us);
        }
        if self.answer(form, &bytes, now_us) || self.event(form, &bytes, now_us) {
            return;
        }
        let puts = self.talk.commands.get(&Role::PutCode).map(|c| &c.replies);
        let another = puts.into_iter().flatten().any(|r| r.from.is_none_or(|f| f == form) && r.is.read(&bytes).is_some());
        if another && self.stage == Stage::Ready {
            return self.out_of_step("an answer came that nobody waited for", now_us);
        }
        self.out.junk(&bytes, now_us);
    }

    /// What follows its question whether we listen: also an acknowledgement belongs to that, and not to what is asked.
    fn own_word(&mut self, form: usize, bytes: &[u8], now_us: u64) {
        if let Some(asked) = &mut self.asked {
            let again_us = now_us + u64::from(self.talk.commands[&asked.role].timeout_ms) * MS;
            asked.deadline_us = again_us.min(asked.latest_us);
        }
        self.event(form, bytes, now_us);
    }

    /// The answer to what is asked; false: it is something else.
    fn answer(&mut self, form: usize, bytes: &[u8], now_us: u64) -> bool {
        let Some(asked) = &self.asked else { return false };
        let mut found = None;
        for r in self.talk.commands[&asked.role].replies.iter().filter(|r| r.from.is_none_or(|f| f == form)) {
            let Some(values) = r.is.read(bytes) else { continue };
            let own = |place: &str| asked.sent.bytes(place).map(<[u8]>::to_vec).or_else(|| self.bound.place(place));
            let differs = values.iter().find(|(place, v)| own(place).is_some_and(|s| s != *v)).map(|(p, _)| p.to_string());
            match differs.as_deref() {
                None => found = Some((r.means, values, r.say.clone())),
                Some("sum") => found = Some((Means::Damaged, values, Some("its checksum of the command is {sum}".into()))),
                Some("message") if asked.role == Role::CurrentMessage => {
                    found = Some((Means::Refused, values, Some("it holds message {message} instead".into())));
                }
                Some(_) => continue,
            }
            break;
        }
        let Some((means, values, say)) = found else { return false };
        let asked = self.asked.take().expect("just seen");
        if self.talk.poll.rest_ms > 0 {
            let rest_us = now_us + u64::from(self.talk.poll.rest_ms) * MS;
            self.pause_us = Some(self.pause_us.map_or(rest_us, |p| p.max(rest_us)));
        }
        self.answered(asked, means, &values, say, now_us);
        true
    }

    fn event(&mut self, form: usize, bytes: &[u8], now_us: u64) -> bool {
        let fits = |e: &&EventForm| e.from.is_none_or(|f| f == form);
        // What stands for a setting must be this device's.
        let ours = |values: &Values| values.iter().all(|(place, v)| self.bound.place(place).is_none_or(|own| own == v));
        let found = self.talk.events.iter().filter(fits).find_map(|e| Some((e.clone(), e.is.read(bytes).filter(ours)?)));
        let Some((event, values)) = found else { return false };
        if let Some(answer) = event.answer {
            self.out.send(answer);
        }
        if event.means != EventMeans::Asks {
            self.inquiries = 0;
        }
        let words = said(event.say.as_deref(), &values, bytes);
        match (event.means, values.bytes("text")) {
            (EventMeans::Printed, Some(text)) => self.named_event(text, bytes, now_us),
            (EventMeans::Printed, None) => self.printed_event(values.number("count").unwrap_or(1), bytes, now_us),
            (EventMeans::Status, _) => self.judged(&values, now_us),
            (EventMeans::Asks, _) if self.inquiries == MOST_INQUIRIES => {
                self.hang_up("it asks again and again whether we listen, and says nothing");
            }
            (EventMeans::Asks, _) => {
                self.inquiries += 1;
                self.listening = Some(now_us + u64::from(self.bound.profile.link.reply_timeout_ms) * MS);
            }
            (EventMeans::Fault | EventMeans::LeftMode, _) if matches!(self.stage, Stage::Adopting | Stage::Ready) => {
                self.unready(&words, now_us)
            }
            (EventMeans::Fault | EventMeans::LeftMode | EventMeans::Triggered | EventMeans::Nothing, _) => {}
        }
        true
    }

    /// It did not answer in time; true: where it need not.
    pub(super) fn silence(&mut self, asked: Asked, now_us: u64) -> bool {
        let talk = self.talk.clone();
        let command = &talk.commands[&asked.role];
        if command.answer_optional {
            self.answered(asked, Means::Ok, &Values::default(), None, now_us);
            return true;
        }
        let may = command.silence.as_ref().map_or(String::new(), |s| format!(": {s}"));
        let why = format!("no answer to {} within {} ms{may}", asked.role.name(), command.timeout_ms);
        match asked.ask {
            // A code that it has named as printed meanwhile is in it, answer or not.
            Ask::Put(put) if self.credit.named_early => self.taken(put, false, now_us),
            ask => self.asked = Some(Asked { ask, ..asked }),
        }
        self.hang_up(&why);
        false
    }
}

/// What a profile says about an answer, with its places filled; the answer itself where it says nothing.
pub(super) fn said(say: Option<&str>, values: &Values, bytes: &[u8]) -> String {
    let Some(say) = say else { return format!("it says \"{}\"", bytes.escape_ascii()) };
    values.iter().fold(say.to_string(), |s, (place, v)| s.replace(&format!("{{{place}}}"), String::from_utf8_lossy(v).trim()))
}
