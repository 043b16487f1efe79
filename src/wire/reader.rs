//! Readers: fixed ones triggered by hardware or by us, handhelds, keyboard wedges. What they send and want to hear is in
//! their profile; this conversation has no device of its own.
//!
//! Must never know: what a code means, what a verdict rests on.
//!
//! Invariants: nothing is sent that the profile does not name; a frame is answered at most once, with *good* only after the
//! line said so for that very frame; a frame that the device says it sends again is told once.

mod counted;
mod delimited;
mod frames;
mod json;
pub mod keys;
mod ssi;
mod words;

pub use frames::{Frames, Piece};
pub use words::{MOST_FIELDS, Meaning, Words};

use super::outbox::{Outbox, earliest};
use super::{Action, Conversation};
use crate::profile::Bound;
use crate::profile::reader::{Handshake, Pattern, Rules, Trigger};
use crate::vocab::time::MS;
use crate::vocab::{Order, Report};
use std::collections::VecDeque;

/// A heartbeat that is late by more than this many tenths of its interval is missed.
const LATE_TENTHS: u64 = 25;
/// Frames that may wait for their verdict; a reader that sends more without waiting is not listening.
const MOST_UNANSWERED: usize = 64;

#[derive(Debug)]
pub struct Reader {
    rules: Rules,
    words: Words,
    frames: Frames,
    /// What comes by the link for commands, where there is one.
    aside: Frames,
    out: Outbox,
    open: bool,
    /// It has not shown yet what it is.
    probing: Option<(Pattern, u64)>,
    heard_us: u64,
    /// Frames without a verdict: when each came.
    unanswered: VecDeque<u64>,
    /// A reading begun by us ends here.
    window_us: Option<u64>,
    /// Commands without their reply: was it `on`, and until when.
    asked: VecDeque<(bool, u64)>,
    /// The last packet that was told.
    last_packet: Vec<u8>,
}

impl Reader {
    pub fn new(bound: &Bound) -> Self {
        let rules = bound.reader.clone();
        let frames = || Frames::new(rules.frames(), &rules.gs.keys);
        Self {
            words: Words::new(&rules),
            frames: frames(),
            aside: frames(),
            rules,
            out: Outbox::default(),
            open: false,
            probing: None,
            heard_us: 0,
            unanswered: VecDeque::new(),
            window_us: None,
            asked: VecDeque::new(),
            last_packet: Vec::new(),
        }
    }

    fn pieces(&mut self, pieces: Vec<Piece>, now_us: u64) {
        for piece in pieces {
            match piece {
                Piece::Junk(bytes) => self.out.junk(&bytes, now_us),
                Piece::Broken(bytes) => {
                    if let Handshake::Ack { nak, .. } = &self.rules.handshake
                        && !nak.is_empty()
                    {
                        self.out.send(nak.as_bytes().to_vec());
                    }
                    self.out.junk(&bytes, now_us);
                }
                Piece::Frame(frame) => self.frame(frame, now_us),
            }
        }
    }

    fn frame(&mut self, frame: Vec<u8>, now_us: u64) {
        self.heard_us = now_us;
        if let Some((answer, _)) = &self.probing {
            if answer.fits(&frame) {
                self.probing = None;
                self.out.tell(Report::Up { identity: Some(String::from_utf8_lossy(&frame).into_owned()) });
            } else {
                // Whose frame this is is not known yet.
                self.out.junk(&frame, now_us);
            }
            return;
        }
        if self.rules.handshake == Handshake::Ssi {
            if ssi::wants_answer(&frame) {
                self.out.send(ssi::ACK.to_vec());
            }
            if ssi::again(&frame) && ssi::alike(&frame, &self.last_packet) {
                return;
            }
            self.last_packet.clone_from(&frame);
        }
        match self.words.read(&frame) {
            Meaning::Heartbeat | Meaning::Ignored => {}
            Meaning::Reply { ok } => self.replied(ok),
            Meaning::Noise => {
                self.out.junk(&frame, now_us);
                if let Handshake::Verdict { bad, .. } = &self.rules.handshake {
                    self.out.send(bad.as_bytes().to_vec());
                }
            }
            Meaning::Frame(f) => {
                self.read_ended();
                match &self.rules.handshake {
                    Handshake::Ack { ack, .. } => self.out.send(ack.as_bytes().to_vec()),
                    Handshake::Verdict { .. } if self.unanswered.len() < MOST_UNANSWERED => self.unanswered.push_back(now_us),
                    _ => {}
                }
                self.out.tell(Report::Frame(f));
            }
        }
    }

    /// The verdict over the frame that was told at `frame_us`. Those before it that got none are bad; of several that came
    /// together nobody knows which is meant.
    fn verdict(&mut self, good: bool, frame_us: u64) {
        let Handshake::Verdict { good: yes, bad: no, .. } = &self.rules.handshake else { return };
        let due: Vec<u64> = self.unanswered.iter().copied().filter(|t| *t <= frame_us).collect();
        let Some(last) = due.last() else { return };
        let together = due.iter().filter(|t| *t == last).count() > 1;
        for t in &due {
            let word = if good && t == last && !together { yes } else { no };
            self.out.send(word.as_bytes().to_vec());
        }
        self.unanswered.drain(..due.len());
    }

    fn trigger(&mut self, window_ms: u32, now_us: u64) {
        let Trigger::Command { on, off, reply_ms, .. } = &self.rules.trigger else { return };
        if !self.open || self.probing.is_some() {
            return;
        }
        let mut say = |text: &str, is_on: bool| {
            self.out.command(text.as_bytes().to_vec());
            if *reply_ms > 0 {
                self.asked.push_back((is_on, now_us + u64::from(*reply_ms) * MS));
            }
        };
        if self.window_us.is_some() && !off.is_empty() {
            say(off, false);
        }
        say(on, true);
        self.window_us = Some(now_us + u64::from(window_ms) * MS);
    }

    /// `off` after a read, where the reader wants it so.
    fn read_ended(&mut self) {
        let always = matches!(&self.rules.trigger, Trigger::Command { off_always: true, .. });
        if self.window_us.is_some() && always {
            self.say_off();
        }
        self.window_us = None;
    }

    fn say_off(&mut self) {
        if let Trigger::Command { off, reply_ms, .. } = &self.rules.trigger
            && !off.is_empty()
        {
            self.out.command(off.as_bytes().to_vec());
            if *reply_ms > 0 {
                self.asked.push_back((false, self.heard_us.max(self.window_us.unwrap_or(0)) + u64::from(*reply_ms) * MS));
            }
        }
    }

    fn replied(&mut self, ok: bool) {
        let Some((on, _)) = self.asked.pop_front() else { return };
        if on && !ok && self.window_us.take().is_some() {
            self.out.tell(Report::Frame(crate::vocab::report::Frame::Fault("trigger refused".into())));
        }
    }

    fn silences(&self) -> Option<u64> {
        let s = u64::from(self.rules.heartbeat_s);
        (self.open && s > 0).then(|| self.heard_us + s * 1_000 * MS * LATE_TENTHS / 10)
    }

    fn answer_due(&self) -> Option<u64> {
        match &self.rules.handshake {
            Handshake::Verdict { wait_ms, .. } => self.unanswered.front().map(|t| t + u64::from(*wait_ms) * MS),
            _ => None,
        }
    }

    fn drop_link(&mut self, why: &str) {
        self.forget();
        self.open = false;
        self.out.hang_up(why);
    }

    fn forget(&mut self) {
        self.unanswered.clear();
        self.asked.clear();
        (self.window_us, self.probing) = (None, None);
        self.last_packet.clear();
    }
}

impl Conversation for Reader {
    fn opened(&mut self, now_us: u64) {
        self.frames.reset();
        self.aside.reset();
        self.forget();
        (self.open, self.heard_us) = (true, now_us);
        match self.rules.probe.clone() {
            Some(p) => {
                self.probing = Some((Pattern::new(&p.answer), now_us + u64::from(p.timeout_ms) * MS));
                self.out.command(p.ask.into_bytes());
            }
            None => self.out.tell(Report::Up { identity: None }),
        }
    }

    fn closed(&mut self, now_us: u64, why: &str) {
        self.open = false;
        self.forget();
        let half = [self.frames.reset(), self.aside.reset()].concat();
        self.out.link_gone(&half, now_us, why);
    }

    fn received(&mut self, bytes: &[u8], now_us: u64) {
        if !self.open {
            return;
        }
        let mut pieces = Vec::new();
        self.frames.feed(bytes, now_us, &mut pieces);
        self.pieces(pieces, now_us);
        self.out.due(now_us);
    }

    fn received_aside(&mut self, bytes: &[u8], now_us: u64) {
        if !self.open {
            return;
        }
        let mut pieces = Vec::new();
        self.aside.feed(bytes, now_us, &mut pieces);
        self.pieces(pieces, now_us);
        self.out.due(now_us);
    }

    fn ordered(&mut self, order: Order, now_us: u64) {
        match order {
            Order::Trigger { window_ms } => self.trigger(window_ms, now_us),
            Order::Verdict { good, frame_us } => self.verdict(good, frame_us),
            _ => {}
        }
    }

    fn due(&mut self, now_us: u64) {
        if self.open {
            let mut pieces = Vec::new();
            self.frames.due(now_us, &mut pieces);
            self.aside.due(now_us, &mut pieces);
            self.pieces(pieces, now_us);
            if self.window_us.is_some_and(|t| t <= now_us) {
                self.say_off();
                self.window_us = None;
            }
            while self.answer_due().is_some_and(|t| t <= now_us)
                && let Handshake::Verdict { bad, .. } = &self.rules.handshake
            {
                self.unanswered.pop_front();
                self.out.send(bad.as_bytes().to_vec());
            }
            if self.probing.as_ref().is_some_and(|p| p.1 <= now_us) {
                self.drop_link("what stands at this address does not answer as its profile says");
            } else if self.asked.front().is_some_and(|a| a.1 <= now_us) {
                self.drop_link("it does not answer its trigger");
            } else if self.silences().is_some_and(|t| t <= now_us) {
                self.drop_link("its heartbeat is missed");
            }
        }
        self.out.due(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        let ours = [
            self.frames.deadline(),
            self.aside.deadline(),
            self.window_us,
            self.answer_due(),
            self.probing.as_ref().map(|p| p.1),
            self.asked.front().map(|a| a.1),
            self.silences(),
        ];
        let ours = ours.into_iter().map(|t| t.filter(|_| self.open));
        earliest(ours.chain([self.out.deadline()]))
    }

    fn poll(&mut self) -> Option<Action> {
        self.out.poll()
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
