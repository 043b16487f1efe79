//! What a simulated printer of the dialect `commands` says: the profile's patterns with its own values in their places, in
//! the profile's frames; unasked where its events are armed, and after a question of its own where it asks first.
//!
//! Invariant: nothing that it says overtakes what it said before.

use super::Commands;
use crate::profile::bytes::{Pattern, Values};
use crate::profile::printer::{ChecksumPlace, Confirmation, EventMeans, Role};
use crate::profile::talk::{Begin, EventForm, ReplyForm, double};
use crate::sim::emul::Link;
use std::collections::BTreeMap;

impl Commands {
    /// Says what it says unasked, where it may.
    pub(super) fn tell(&mut self, means: EventMeans, now_us: u64) {
        let Some(link) = self.link.filter(|_| self.armed || !self.talk.has(Role::ArmEvents)) else { return };
        // It tells of prints only where that is what the device is set to.
        let prints = !self.bound.has("confirmation") || self.bound.sources().contains(&Confirmation::Event);
        if means == EventMeans::Printed && !prints {
            return;
        }
        let Some(EventForm { is, from, .. }) = self.talk.events.iter().find(|e| e.means == means).cloned() else { return };
        // The photo-eye comes before the print.
        let at_us = now_us + if means == EventMeans::Printed { self.between_ms(3, 6) } else { self.between_ms(1, 2) };
        let Some(bytes) = self.written(&is, from, &Values::default().with("count", "1"), now_us) else { return };
        if self.bound.flag("asks_first") && self.talk.events.iter().any(|e| e.means == EventMeans::Asks) {
            self.held.push_back(bytes);
            return self.ask_host(link, at_us);
        }
        self.said_us = self.out.send(link, bytes, at_us.max(self.said_us));
    }

    /// Asks whether the host listens, where there is something to say.
    fn ask_host(&mut self, link: Link, at_us: u64) {
        let Some(EventForm { is, .. }) = self.talk.events.iter().find(|e| e.means == EventMeans::Asks) else { return };
        if self.held.is_empty() || self.asking {
            return;
        }
        self.asking = true;
        let question = is.literal().unwrap_or_default();
        self.said_us = self.out.send(link, question, at_us.max(self.said_us));
    }

    /// The host has answered something of ours.
    pub(super) fn host_answered(&mut self, now_us: u64) {
        let Some(link) = self.link else { return };
        let at_us = now_us + self.between_ms(1, 2);
        if std::mem::take(&mut self.asking) {
            let owed: Vec<Vec<u8>> = self.owed.drain(..).collect();
            for bytes in self.held.pop_front().into_iter().chain(owed) {
                self.said_us = self.out.send(link, bytes, at_us.max(self.said_us));
            }
        } else {
            self.ask_host(link, at_us);
        }
    }

    /// A pattern with what this printer has to say in its places, in its form.
    pub(super) fn written(&self, is: &Pattern, from: Option<usize>, own: &Values, now_us: u64) -> Option<Vec<u8>> {
        let s = &self.talk.simulated;
        let of = |place: &str| {
            let state = [(&s.fault, self.faulty(now_us)), (&s.stopped, !self.running), (&s.values, true)];
            let said = |all: &BTreeMap<String, String>| all.get(place).map(|t| t.clone().into_bytes());
            own.bytes(place).map(<[u8]>::to_vec).or_else(|| self.bound.place(place)).or_else(|| match place {
                "fill" => Some(self.fill().saturating_sub(self.uncounted).to_string().into()),
                "count" | "prints" => Some(self.count.to_string().into()),
                "last" => Some(self.last.0.max(0).to_string().into()),
                "text" => self.talk.encode("code", &self.last.1).ok().or(Some(Vec::new())),
                "message" => Some(self.message.clone().unwrap_or_default().into()),
                _ => state.into_iter().filter(|s| s.1).find_map(|s| said(s.0)),
            })
        };
        let inside = is.render(&of).ok()?;
        let place = |place: &str| self.bound.place(place);
        let form = from.map(|f| &self.talk.inbound[f]).or_else(|| match self.talk.inbound.as_slice() {
            [only] => Some(only),
            all => all.iter().find(|f| f.name == self.bound.text("framing")),
        });
        let Some(form) = form else { return Some(inside) };
        let sum = self.talk.checking(&place).filter(|_| form.checked);
        let behind = sum.as_ref().is_none_or(|s| s.place != ChecksumPlace::BeforeAfter);
        let check = |inside: &[u8], all: &[&[u8]]| sum.as_ref().map_or(Vec::new(), |s| s.over_frame(inside, &all.concat()));
        Some(match &form.form {
            Begin::Delimited { begin, end } => {
                let inside = double(self.talk.doubling(&place), inside);
                let covered: &[&[u8]] = if behind { &[begin, &inside, end] } else { &[begin, &inside] };
                let check = check(&inside, covered);
                if behind { [&begin[..], &inside, end, &check].concat() } else { [&begin[..], &inside, &check, end].concat() }
            }
            Begin::Line { end } => [&inside[..], end].concat(),
            Begin::Counted { .. } => [&inside[..], &check(&inside, &[&inside])].concat(),
            _ => inside,
        })
    }

    /// It has something for every place, but what a request decides.
    pub(super) fn can_say(&self, r: &ReplyForm, values: &Values, now_us: u64) -> bool {
        let own = values.clone().with("text", values.bytes("text").unwrap_or_default());
        self.written(&r.is, r.from, &own, now_us).is_some()
    }
}
