//! A code reader: a fixed one triggered by its own input or by command (Keyence SR-750 manual, pages 29, 63, 71–72; and
//! whatever its profile describes), or a handheld.
//!
//! A frame leaves 5–20 ms after the trigger, to whoever is connected; nobody connected, no frame. A reader that knows
//! commands answers them in the same stream. One that waits for a word of the host (a verdict, an acknowledgement) reads
//! nothing until it has it, or has waited long enough.

mod frame;
mod typed;

use super::outbox::Outbox;
use super::{DeviceSide, Emission, Link};
use crate::profile::reader::{Commands, Handshake, Rules, Trigger};
use crate::sim::bench::Trouble;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;

const LONGEST_COMMAND: usize = 256;
/// A thing stands before a reader that is triggered by command for so long.
const BEFORE_US: u64 = 1_000 * MS;
/// A handheld gives the host this long for its word (Xenon/Granit guide, page 111).
const WORD_US: u64 = 10_000 * MS;
/// A packet that is not acknowledged is sent again after this long, so many times.
const RESEND_US: u64 = 2_000 * MS;
const RESENDS: u32 = 3;

#[derive(Debug)]
pub struct Reader {
    rules: Rules,
    rng: Rng,
    out: Outbox,
    link: Option<Link>,
    /// A connection for commands alone.
    aside: Option<Link>,
    command: Vec<u8>,
    /// Timing is on by command.
    reading: bool,
    /// Frames leave in the order of their triggers.
    last_us: u64,
    stale_ms: Option<u32>,
    /// A frame kept back, and until when.
    kept: Option<(Vec<u8>, u64)>,
    silence: bool,
    /// What stands before it, and until when.
    before: Option<(Vec<u8>, u64)>,
    /// It waits for the host's word until then; what it sends again meanwhile, and how often still.
    waits_us: Option<u64>,
    unacknowledged: Option<(Vec<u8>, u32)>,
    beat_us: Option<u64>,
}

impl Reader {
    pub fn new(rules: Rules, rng: Rng) -> Self {
        Self {
            rules,
            rng,
            out: Outbox::default(),
            link: None,
            aside: None,
            command: Vec::new(),
            reading: false,
            last_us: 0,
            stale_ms: None,
            kept: None,
            silence: false,
            before: None,
            waits_us: None,
            unacknowledged: None,
            beat_us: None,
        }
    }

    /// A trigger, with these symbols before the lens (`None`: one that it cannot decode). Answers whether a frame
    /// with them leaves (or will, when it is kept back, or when the command comes).
    pub fn read(&mut self, symbols: &[Option<Vec<u8>>], now_us: u64) -> bool {
        if self.waits_us.is_some() {
            return false;
        }
        let Some(frame) = frame::frame(&self.rules, symbols) else { return false };
        if std::mem::take(&mut self.silence) {
            return false;
        }
        if let Some(ms) = self.stale_ms.take() {
            self.kept = Some((frame, now_us + u64::from(ms) * MS));
            return true;
        }
        if self.link.is_none() {
            return false;
        }
        if self.rules.by_command() {
            self.before = Some((frame, now_us + BEFORE_US));
            return true;
        }
        self.leaves(frame, now_us);
        true
    }

    fn leaves(&mut self, frame: Vec<u8>, now_us: u64) {
        let Some(link) = self.link else { return };
        let at_us = (now_us + 5 * MS + self.rng.below(15 * MS + 1)).max(self.last_us);
        self.last_us = at_us;
        match self.rules.handshake {
            Handshake::Verdict { .. } => self.waits_us = Some(at_us + WORD_US),
            Handshake::Ssi => {
                self.waits_us = Some(at_us + RESEND_US);
                self.unacknowledged = Some((frame.clone(), RESENDS));
            }
            _ => {}
        }
        self.out.acknowledge(link, frame, at_us);
        self.beat_us = self.next_beat(at_us);
    }

    fn next_beat(&self, from_us: u64) -> Option<u64> {
        let s = u64::from(self.rules.heartbeat_s);
        (s > 0 && self.link.is_some()).then_some(from_us + s * 1_000 * MS)
    }

    /// What the host said, byte by byte, for readers whose commands are texts of their profile.
    fn hears(&mut self, byte: u8, now_us: u64) {
        self.command.push(byte);
        if self.command.len() > LONGEST_COMMAND {
            self.command.remove(0);
        }
        let said = |text: &str| !text.is_empty() && self.command.ends_with(text.as_bytes());
        let answers = match &self.rules.handshake {
            Handshake::Verdict { good, bad, .. } => said(good) || said(bad),
            Handshake::Ssi => self.command.ends_with(b"\x04\xd0\x04\x00\xff\x28"),
            _ => false,
        };
        let mut reply = None;
        if answers {
            (self.waits_us, self.unacknowledged) = (None, None);
        } else if let Some(p) = self.rules.probe.as_ref().filter(|p| said(&p.ask)) {
            reply = Some(p.example.clone());
        } else if let Trigger::Command { on, off, on_reply, off_reply, .. } = &self.rules.trigger {
            if said(off) {
                reply = Some(off_reply.clone());
                self.before = None;
            } else if said(on) {
                reply = Some(on_reply.clone());
                self.reading = true;
            } else {
                return;
            }
        } else {
            return;
        }
        self.command.clear();
        if let (Some(text), Some(link)) = (reply.filter(|r| !r.is_empty()), self.aside.or(self.link)) {
            let bytes = frame::envelope(&self.rules.frames(), text.as_bytes());
            self.out.send(link, bytes, now_us + MS);
        }
        if std::mem::take(&mut self.reading) {
            self.look(now_us);
        }
    }

    /// Reading was switched on: what stands before it is read.
    fn look(&mut self, now_us: u64) {
        if let Some((frame, _)) = self.before.take_if(|b| b.1 > now_us) {
            self.leaves(frame, now_us + MS);
        }
    }

    fn obey(&mut self, command: &[u8], framed: bool, now_us: u64) {
        let name = String::from_utf8_lossy(command).into_owned();
        let (mut result, mut looks) = (false, false);
        let reply = match command {
            b"LON" if !self.reading => {
                self.reading = true;
                looks = true;
                "OK,LON".into()
            }
            b"LON" => "ER,LON,20".into(),
            b"LOFF" if self.reading => {
                self.reading = false;
                result = true;
                "OK,LOFF".into()
            }
            b"LOFF" => "ER,LOFF,20".into(),
            b"KEYENCE" => "OK,KEYENCE,SR-750,1.00".into(),
            b"BCLR" | b"CMDSTAT" | b"ERRSTAT" | b"BUSYSTAT" => {
                let state = if command == b"BCLR" { "" } else { ",none" };
                format!("OK,{name}{state}")
            }
            _ => format!("ER,{name},00"),
        };
        let Some(link) = self.aside.or(self.link) else { return };
        let (start, end): (&[u8], &[u8]) = if framed { (b"\x02", b"\x03") } else { (b"", b"\r") };
        let at_us = now_us + MS + self.rng.below(2 * MS);
        self.out.send(link, [start, reply.as_bytes(), end].concat(), at_us);
        if result {
            // Nothing was decoded while the timing was on: the read-error string follows the response.
            let word = self.rules.no_read.first().map_or("", String::as_str);
            let link = self.link.unwrap_or(link);
            self.out.send(link, frame::envelope(&self.rules.frames(), word.as_bytes()), at_us + MS);
        }
        if looks && self.before.is_some() {
            // A single read ends by itself.
            self.reading = false;
            self.look(at_us);
        }
    }
}

impl Reader {
    /// The host did not acknowledge: the packet once more, with the bit that says so, or given up.
    fn resend(&mut self, now_us: u64) {
        let Some((packet, left)) = self.unacknowledged.take() else { return };
        let (Some(link), Some(left)) = (self.link, left.checked_sub(1)) else { return };
        let code = &packet[5..packet.len() - 2];
        self.out.send(link, frame::packet(code, true), now_us);
        self.waits_us = Some(now_us + RESEND_US);
        self.unacknowledged = Some((packet, left));
    }
}

impl DeviceSide for Reader {
    fn connected(&mut self, link: Link, now_us: u64) {
        if link.is_aside() {
            self.aside = Some(link);
            self.command.clear();
            return;
        }
        self.link = Some(link);
        self.command.clear();
        self.beat_us = self.next_beat(now_us);
        if let Some((frame, _)) = self.kept.take() {
            self.out.send(link, frame, now_us + 2 * MS);
        }
    }

    fn disconnected(&mut self, link: Link, _now_us: u64) {
        self.out.forget(link);
        if self.aside.take_if(|l| *l == link).is_some() {
            return;
        }
        self.link.take_if(|l| *l == link);
        self.reading = false;
        (self.waits_us, self.unacknowledged, self.beat_us, self.before) = (None, None, None, None);
    }

    fn received(&mut self, _link: Link, bytes: &[u8], now_us: u64) {
        if self.rules.commands != Commands::Keyence {
            bytes.iter().for_each(|b| self.hears(*b, now_us));
            return;
        }
        for &b in bytes {
            match b {
                // In front of a command it clears the receive buffer.
                0x1b | 0x02 => {
                    self.command.clear();
                    if b == 0x02 {
                        self.command.push(b);
                    }
                }
                b'\r' | 0x03 => {
                    let command = std::mem::take(&mut self.command);
                    match command.strip_prefix(b"\x02") {
                        Some(c) if b == 0x03 => self.obey(c, true, now_us),
                        None if b == b'\r' && !command.is_empty() => self.obey(&command, false, now_us),
                        _ => {}
                    }
                }
                b'\n' => {}
                _ if self.command.len() < LONGEST_COMMAND => self.command.push(b),
                _ => {}
            }
        }
    }

    fn due(&mut self, now_us: u64) {
        if let Some(link) = self.link
            && let Some((frame, at_us)) = self.kept.take_if(|(_, at)| *at <= now_us)
        {
            self.out.send(link, frame, at_us);
        }
        if let Some(link) = self.link
            && self.beat_us.is_some_and(|t| t <= now_us)
        {
            if let Some(beat) = frame::heartbeat(&self.rules) {
                self.out.send(link, beat, now_us);
            }
            self.beat_us = self.next_beat(now_us);
        }
        if self.waits_us.is_some_and(|t| t <= now_us) {
            self.waits_us = None;
            self.resend(now_us);
        }
        self.out.due(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        let kept = self.kept.as_ref().filter(|_| self.link.is_some()).map(|(_, at)| *at);
        kept.into_iter().chain(self.out.deadline()).chain(self.beat_us).chain(self.waits_us).min()
    }

    fn poll(&mut self) -> Option<(Link, Emission)> {
        self.out.poll()
    }

    fn power(&mut self, on: bool, _now_us: u64) {
        if !on {
            self.out = Outbox::default();
            (self.link, self.aside) = (None, None);
            self.command.clear();
            self.reading = false;
            self.kept = None;
            self.stale_ms = None;
            (self.waits_us, self.unacknowledged, self.beat_us, self.before) = (None, None, None, None);
        }
    }

    fn trouble(&mut self, what: Trouble, _now_us: u64) {
        match what {
            Trouble::StaleFrame { ms } => self.stale_ms = Some(ms),
            Trouble::Silence => self.silence = true,
            Trouble::DoubleAck => {}
            other => {
                self.out.trouble(other);
            }
        }
    }
}

#[cfg(test)]
mod meeting;
#[cfg(test)]
mod tests;
