//! How a simulated printer of the dialect `commands` makes requests of bytes: by the commands that its profile writes down,
//! read backwards.
//!
//! Invariant: what is understood or has an end is not kept; what never ends is bounded.

use super::{Commands, LONGEST_REQUEST};
use crate::profile::bytes::Values;
use crate::profile::printer::{ChecksumPlace, Role};
use crate::profile::talk::Begin;

impl Commands {
    /// One byte more is at hand: a whole request is obeyed.
    pub(super) fn heard(&mut self, now_us: u64) {
        if self.talk.events.iter().any(|e| e.answer.as_deref() == Some(self.request.as_slice())) {
            self.request.clear();
            return self.host_answered(now_us);
        }
        if let Some((role, values, sum)) = self.understood() {
            self.request.clear();
            // A silence hides which of the two was lost: the request or its reply.
            let silent = std::mem::take(&mut self.silence);
            if silent && self.rng.chance(500_000) {
                return;
            }
            return self.obey(role, values.with("sum", sum), silent, now_us);
        }
        let of = |place: &str| self.bound.place(place);
        if !self.ended() && self.request.len() < LONGEST_REQUEST {
            return;
        }
        let framed = self.talk.unwrap_frame(&self.request, &of).filter(|f| !f.0.is_empty()).map(|f| f.1);
        self.request.clear();
        if let (Some(sum), Some(unknown), Some(link)) = (framed, self.talk.unknown.clone(), self.link) {
            let line = self.talk.inbound.iter().position(|f| matches!(f.form, Begin::Line { .. }));
            let form = line.filter(|_| !self.bound.has("framing"));
            if let Some(bytes) = self.written(&unknown, form, &Values::default().with("sum", sum), now_us) {
                let at_us = now_us + self.between_ms(2, 6);
                self.said_us = self.out.acknowledge(link, bytes, at_us.max(self.said_us));
            }
        }
    }

    /// The request at hand, once it is whole.
    fn understood(&self) -> Option<(Role, Values, String)> {
        let of = |place: &str| self.bound.place(place);
        let framed = self.talk.unwrap_frame(&self.request, &of);
        // A code's field is one of the fields that can be set: a code is looked for first.
        let order = std::iter::once(Role::PutCode).chain(self.talk.commands.keys().copied().filter(|r| *r != Role::PutCode));
        for role in order {
            let Some(c) = self.talk.commands.get(&role) else { continue };
            let (body, sum) = match &framed {
                _ if c.raw => (self.request.clone(), String::new()),
                Some(framed) => framed.clone(),
                None => continue,
            };
            if body.is_empty() && !c.raw {
                continue;
            }
            let Some(values) = c.send.read(&body) else { continue };
            if values.iter().all(|(place, v)| self.bound.place(place).is_none_or(|own| own == v)) {
                return Some((role, values, sum));
            }
        }
        None
    }

    /// The request has the end of a frame, understood or not.
    fn ended(&self) -> bool {
        let of = |place: &str| self.bound.place(place);
        let tail = self.talk.checking(&of).filter(|s| s.place == ChecksumPlace::Last).map_or(0, |s| s.wide());
        let Some(framed) = self.request.len().checked_sub(tail).map(|to| &self.request[..to]) else { return false };
        let Ok((_, after)) = self.talk.frame(&of) else { return false };
        let Some(inside) = framed.strip_suffix(after.as_slice()).filter(|_| !after.is_empty()) else { return false };
        // A doubled byte before the end is data, and so is what looks like an end behind half of it.
        let run = |d: u8| inside.iter().rev().take_while(|b| **b == d).count();
        self.talk.doubling(&of).is_none_or(|d| run(d).is_multiple_of(2))
    }
}
