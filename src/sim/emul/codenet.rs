//! A Domino Ax-Series printer speaking Codenet 1 (EPT033760 Iss. 2; logs of a live Ax on TCP 7000).
//!
//! `ESC command parameters EOT`; one request at a time: from EOT until its reply has left the printer listens to
//! nothing, and what is sent meanwhile is lost. Set commands answer `ACK` or `NAK ddd`, queries echo a frame. The FIFO
//! holds `depth` codes; one more is refused with NAK 000. Each product detect prints the oldest; an empty FIFO prints
//! nothing and shows alert 051. The byte chosen by `I1` follows every print, without any frame.

use super::outbox::Outbox;
use super::{DeviceSide, Emission, Link};
use crate::sim::bench::Trouble;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use std::collections::VecDeque;

const ESC: u8 = 0x1b;
const EOT: u8 = 0x04;
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;

/// Longest request it collects: 1,024 bytes of FIFO data and their command.
const LONGEST_REQUEST: usize = 1_100;
/// What a live Ax answered to `A?`.
const IDENTITY: &[u8] = b"A01560670600";

/// How one printer is set up at its own panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodenetHow {
    /// Codes its FIFO holds.
    pub depth: usize,
    /// "Response length: Fixed": `ACK 000` instead of `ACK`.
    pub fixed_response: bool,
    /// The host sits at RS-232: its FIFO is cleared with `1`, the Ethernet one with `0`.
    pub serial: bool,
    /// Labels stored in the printer, slot 1 first.
    pub labels: Vec<String>,
    /// A label is selected at the panel for good: nobody selects one over the wire.
    pub resident: bool,
}

#[derive(Debug)]
pub struct Codenet {
    how: CodenetHow,
    rng: Rng,
    out: Outbox,
    link: Option<Link>,
    request: Vec<u8>,
    too_long: bool,
    /// Its reply leaves then; until then it hears nothing.
    deaf_until_us: u64,
    fifo: VecDeque<Vec<u8>>,
    label: Option<String>,
    head_on: bool,
    ack: Option<u8>,
    /// Product-detect transitions (`T1`), and prints (`T2`).
    detected: u64,
    printed: u64,
    /// The last product found no data.
    starved: bool,
    fault_until_us: Option<u64>,
    /// It takes no code before.
    starves_until_us: u64,
    silence: bool,
    refuse: bool,
}

enum Reply {
    Ack,
    /// A label change: processed, and only then acknowledged.
    AckAfterLabelChange,
    Nak(u16),
    Echo(Vec<u8>),
}

impl Codenet {
    pub fn new(how: CodenetHow, rng: Rng) -> Self {
        let label = how.resident.then(String::new);
        Self {
            how,
            rng,
            out: Outbox::default(),
            link: None,
            request: Vec::new(),
            too_long: false,
            deaf_until_us: 0,
            fifo: VecDeque::new(),
            label,
            head_on: true,
            ack: None,
            detected: 0,
            printed: 0,
            starved: false,
            fault_until_us: None,
            starves_until_us: 0,
            silence: false,
            refuse: false,
        }
    }

    /// A product passes the head: what is inked on it. `None`: nothing.
    pub fn print(&mut self, now_us: u64) -> Option<Vec<u8>> {
        self.detected += 1;
        if !self.head_on || self.label.is_none() || self.faulty(now_us) {
            return None;
        }
        let Some(code) = self.fifo.pop_front() else {
            self.starved = true;
            return None;
        };
        self.printed += 1;
        if let (Some(c), Some(link)) = (self.ack, self.link) {
            let at_us = now_us + self.between_ms(2, 6);
            self.out.acknowledge(link, vec![c], at_us);
        }
        Some(code)
    }

    /// Codes in the FIFO.
    pub fn fill(&self) -> usize {
        self.fifo.len()
    }

    fn faulty(&self, now_us: u64) -> bool {
        self.fault_until_us.is_some_and(|t| now_us < t)
    }

    fn between_ms(&mut self, least: u64, most: u64) -> u64 {
        least * MS + self.rng.below((most - least) * MS + 1)
    }

    /// A whole request, without its EOT.
    fn answer(&mut self, now_us: u64) {
        let request = std::mem::take(&mut self.request);
        let too_long = std::mem::take(&mut self.too_long);
        let silent = std::mem::take(&mut self.silence);
        // A silence hides which of the two was lost: the request or its reply.
        if silent && self.rng.chance(500_000) {
            self.deaf_until_us = now_us + self.between_ms(2, 6);
            return;
        }
        let reply = match request.split_first() {
            _ if too_long => Reply::Nak(10),
            Some((&ESC, body)) => self.obey(body, now_us),
            _ => Reply::Nak(2),
        };
        let latency_us = match reply {
            Reply::AckAfterLabelChange => self.between_ms(250, 750),
            _ => self.between_ms(2, 6),
        };
        let bytes = match reply {
            Reply::Ack | Reply::AckAfterLabelChange if self.how.fixed_response => vec![ACK, b'0', b'0', b'0'],
            Reply::Ack | Reply::AckAfterLabelChange => vec![ACK],
            Reply::Nak(n) => [&[NAK][..], format!("{n:03}").as_bytes()].concat(),
            Reply::Echo(body) => [&[ESC][..], &body, &[EOT]].concat(),
        };
        self.deaf_until_us = now_us + latency_us;
        if let Some(link) = self.link.filter(|_| !silent) {
            let at_us = now_us + latency_us;
            // With the per-print byte armed that byte is "the acknowledgement" a trouble speaks of.
            self.deaf_until_us =
                if self.ack.is_some() { self.out.send(link, bytes, at_us) } else { self.out.acknowledge(link, bytes, at_us) };
        }
    }

    fn obey(&mut self, body: &[u8], now_us: u64) -> Reply {
        match body {
            b"A?" => Reply::Echo(IDENTITY.into()),
            b"O1?" => {
                let (alert, led) = self.alert(now_us);
                Reply::Echo(format!("O1{alert}{led}").into())
            }
            b"1C?" => {
                let minutes = now_us / (60_000 * MS);
                let status = if self.faulty(now_us) { "211" } else { "001" };
                Reply::Echo(format!("1C{status}1{:02}{:02}", minutes / 60 % 24, minutes % 60).into())
            }
            b"y?" => Reply::Echo(b"y006006".into()),
            b"OS?" => {
                // Two raw status bytes: E3 07 fault, D3 07 ready.
                let state = if self.faulty(now_us) { [0xe3, 0x07] } else { [0xd3, 0x07] };
                Reply::Echo([&b"OS"[..], &state].concat())
            }
            b"OS1" | b"OS0" => Reply::Ack,
            b"Q1Y" => self.head(true),
            b"Q1N" => self.head(false),
            b"Q1?" => Reply::Echo(if self.head_on { b"Q1Y" } else { b"Q1N" }.into()),
            b"T1?" => Reply::Echo(format!("T1{:010}", self.detected % 10_000_000_000).into()),
            b"T2?" => Reply::Echo(format!("T2{:010}", self.printed % 10_000_000_000).into()),
            b"T10" => {
                self.detected = 0;
                Reply::Ack
            }
            b"P1?" => {
                let name: String = self.label.iter().flat_map(|n| n.chars()).chain("   ".chars()).take(3).collect();
                Reply::Echo(format!("P1{name}").into())
            }
            b"R" => {
                self.label = None;
                Reply::Ack
            }
            [b'I', b'1', c] => self.arm(*c),
            [b'P', b'1', slot @ ..] => self.select_slot(slot),
            [b'O', b'N', b'1', rest @ ..] => self.select_name(rest),
            [b'O', b'E', rest @ ..] => self.data(rest, now_us),
            // All Codenet 2 commands were unknown to the live unit.
            [b'}', ..] => Reply::Nak(3),
            // In the manual, not in this simulator.
            [b'N' | b'P' | b'T' | b'0' | b'1' | b'2' | b'y', ..] | [b'O', b'P' | b'S' | b'1', ..] => Reply::Nak(20),
            _ => Reply::Nak(3),
        }
    }

    fn alert(&self, now_us: u64) -> (&'static str, &'static str) {
        match () {
            () if self.faulty(now_us) => ("011", "04"),
            () if !self.head_on => ("073", "02"),
            () if self.starved => ("051", "02"),
            () => ("001", "00"),
        }
    }

    fn head(&mut self, on: bool) -> Reply {
        self.head_on = on;
        Reply::Ack
    }

    fn arm(&mut self, c: u8) -> Reply {
        match c {
            b'1'..=b'4' | b'A'..=b'Z' => self.ack = Some(c),
            b' ' => self.ack = None,
            _ => return Reply::Nak(7),
        }
        Reply::Ack
    }

    fn select_slot(&mut self, slot: &[u8]) -> Reply {
        let Some(n) = number(slot, 3) else { return Reply::Nak(17) };
        match n.checked_sub(1).and_then(|i| self.how.labels.get(i)).cloned() {
            Some(name) => self.select(name),
            None => Reply::Nak(4),
        }
    }

    /// `<len2><name>`.
    fn select_name(&mut self, rest: &[u8]) -> Reply {
        let Some((len, name)) = rest.split_at_checked(2) else { return Reply::Nak(8) };
        if number(len, 2) != Some(name.len()) {
            return Reply::Nak(4);
        }
        match self.how.labels.iter().find(|l| l.as_bytes() == name).cloned() {
            Some(name) => self.select(name),
            None => Reply::Nak(4),
        }
    }

    /// The FIFO is set to "clear on label change".
    fn select(&mut self, name: String) -> Reply {
        self.label = Some(name);
        self.fifo.clear();
        Reply::AckAfterLabelChange
    }

    /// `<len4><data>`, or `0000<c>`: clear.
    fn data(&mut self, rest: &[u8], now_us: u64) -> Reply {
        let Some((len, data)) = rest.split_at_checked(4) else { return Reply::Nak(8) };
        let Some(len) = number(len, 4) else { return Reply::Nak(8) };
        if len == 0 {
            let ours = if self.how.serial { b'1' } else { b'0' };
            return match data {
                [c] if *c == ours => {
                    self.fifo.clear();
                    self.starved = false;
                    Reply::Ack
                }
                [b'0'..=b'2'] => Reply::Ack,
                _ => Reply::Nak(7),
            };
        }
        if len > 1024 {
            return Reply::Nak(11);
        }
        if data.len() != len {
            return Reply::Nak(4);
        }
        if !data.is_ascii() {
            return Reply::Nak(7);
        }
        if std::mem::take(&mut self.refuse) || self.fifo.len() >= self.how.depth || now_us < self.starves_until_us {
            return Reply::Nak(0);
        }
        self.fifo.push_back(data.to_vec());
        self.starved = false;
        Reply::Ack
    }
}

/// Exactly `width` decimal digits.
fn number(digits: &[u8], width: usize) -> Option<usize> {
    if digits.len() != width || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl DeviceSide for Codenet {
    fn connected(&mut self, link: Link, _now_us: u64) {
        self.link = Some(link);
        self.request.clear();
        self.deaf_until_us = 0;
    }

    /// The FIFO, the label and the armed byte outlive a link.
    fn disconnected(&mut self, link: Link, _now_us: u64) {
        self.out.forget(link);
        self.link.take_if(|l| *l == link);
        self.request.clear();
    }

    fn received(&mut self, _link: Link, bytes: &[u8], now_us: u64) {
        for &b in bytes {
            if now_us < self.deaf_until_us {
                return;
            }
            if b == EOT {
                self.answer(now_us);
            } else if self.request.len() < LONGEST_REQUEST {
                self.request.push(b);
            } else {
                self.too_long = true;
            }
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
            self.link = None;
            self.request.clear();
            self.fifo.clear();
            self.label = self.how.resident.then(String::new);
            self.head_on = true;
            self.ack = None;
            self.starved = false;
            self.fault_until_us = None;
            self.starves_until_us = 0;
        }
    }

    fn trouble(&mut self, what: Trouble, now_us: u64) {
        match what {
            Trouble::DropBuffer => self.fifo.clear(),
            Trouble::Silence => self.silence = true,
            Trouble::Refuse => self.refuse = true,
            Trouble::Starve { ms } => self.starves_until_us = now_us + u64::from(ms) * MS,
            Trouble::Fault { ms } => self.fault_until_us = Some(now_us + u64::from(ms) * MS),
            other => {
                self.out.trouble(other);
            }
        }
    }
}

#[cfg(test)]
mod tests;
