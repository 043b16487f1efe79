//! A Zebra label printer speaking ZPL II on its raw port: formats `^XA … ^XZ` in any pieces, `~HS` host status.
//!
//! It takes formats in order, one label at a time, 150–400 ms each; a copy count (`^PQ`) makes as many labels. What
//! matters of a label is what a scanner would read from its first symbol (`zpl/symbol.rs`).

mod symbol;

use super::outbox::Outbox;
use super::{DeviceSide, Emission, Link};
use crate::sim::bench::Trouble;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use std::collections::VecDeque;
use symbol::Field;

/// Longest command with its data; a longer one is cut.
const LONGEST_COMMAND: usize = 4_096;
/// Formats its receive buffer holds; further ones are lost (a real one stops the flow).
const MOST_FORMATS: usize = 64;
/// Copies of one format.
const MOST_COPIES: u32 = 100;

/// A printed label, as a scanner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The content of its symbol as transmitted: without a leading FNC1, with GS for later ones.
    pub symbol: Vec<u8>,
    /// The symbol begins with FNC1: its content is GS1 element strings.
    pub gs1: bool,
}

impl Label {
    /// The code: an SSCC's 18 digits, anything else as it is.
    pub fn code(&self) -> &[u8] {
        match self.symbol.strip_prefix(b"00") {
            Some(digits) if self.gs1 && digits.len() == 18 && digits.iter().all(u8::is_ascii_digit) => digits,
            _ => &self.symbol,
        }
    }
}

#[derive(Debug)]
pub struct Zpl {
    rng: Rng,
    out: Outbox,
    link: Option<Link>,
    /// The command being received, from its `^` or `~`.
    command: Vec<u8>,
    format: Option<Format>,
    buffer: VecDeque<Format>,
    /// The format being printed, copies still to come, and when the present one is out.
    printing: Option<(Format, u32, u64)>,
    tray: VecDeque<Label>,
    fault_until_us: Option<u64>,
    silence: bool,
}

#[derive(Clone, Debug, Default)]
struct Format {
    fields: Vec<Field>,
    field: Field,
    copies: u32,
}

impl Format {
    fn label(&self) -> Option<Label> {
        self.fields.iter().find_map(Field::label)
    }
}

impl Zpl {
    pub fn new(rng: Rng) -> Self {
        Self {
            rng,
            out: Outbox::default(),
            link: None,
            command: Vec::new(),
            format: None,
            buffer: VecDeque::new(),
            printing: None,
            tray: VecDeque::new(),
            fault_until_us: None,
            silence: false,
        }
    }

    /// The next label that has come out; each is taken once. One without a symbol is not seen by anybody.
    pub fn take_label(&mut self, now_us: u64) -> Option<Label> {
        self.work(now_us);
        self.tray.pop_front()
    }

    fn faulty(&self, now_us: u64) -> bool {
        self.fault_until_us.is_some_and(|t| now_us < t)
    }

    /// Prints what is due. A fault stands between two labels: the one in progress begins anew afterwards.
    fn work(&mut self, now_us: u64) {
        loop {
            if self.faulty(now_us) {
                return;
            }
            let began_us = match self.printing.as_ref() {
                Some((_, _, out_us)) if *out_us > now_us => return,
                Some((_, _, out_us)) => {
                    let out_us = *out_us;
                    let (format, copies, _) = self.printing.take().expect("just seen");
                    if self.tray.len() < MOST_FORMATS {
                        self.tray.extend(format.label());
                    }
                    if copies > 1 {
                        self.start(format, copies - 1, out_us);
                    }
                    out_us
                }
                None => now_us,
            };
            if self.printing.is_none() {
                let Some(next) = self.buffer.pop_front() else { return };
                let copies = next.copies;
                self.start(next, copies, began_us);
            }
        }
    }

    fn start(&mut self, format: Format, copies: u32, at_us: u64) {
        let out_us = at_us + 150 * MS + self.rng.below(250 * MS + 1);
        self.printing = Some((format, copies, out_us));
    }

    /// A whole command, with its prefix.
    fn obey(&mut self, now_us: u64) {
        let command = std::mem::take(&mut self.command);
        let Some((prefix, rest)) = command.split_first() else { return };
        if *prefix == b'~' {
            if rest.starts_with(b"JA") {
                self.buffer.clear();
                self.printing = None;
                self.format = None;
            }
            return;
        }
        let Some((name, data)) = rest.split_at_checked(2) else { return };
        match (name, &mut self.format) {
            (b"XA", _) => self.format = Some(Format { copies: 1, ..Format::default() }),
            (b"XZ", Some(_)) => {
                let format = self.format.take().expect("just seen");
                if self.buffer.len() < MOST_FORMATS {
                    self.buffer.push_back(format);
                }
                self.work(now_us);
            }
            (b"PQ", Some(f)) => {
                let digits: String = data.iter().map(|b| *b as char).take_while(char::is_ascii_digit).collect();
                f.copies = digits.parse().unwrap_or(1).clamp(1, MOST_COPIES);
            }
            (b"FS", Some(f)) => f.fields.push(std::mem::take(&mut f.field)),
            (name, Some(f)) => f.field.take(name, data),
            (_, None) => {}
        }
    }

    /// The three strings of `~HS`.
    fn status(&mut self, now_us: u64) {
        self.work(now_us);
        if std::mem::take(&mut self.silence) {
            return;
        }
        let Some(link) = self.link else { return };
        let fault = u8::from(self.faulty(now_us));
        let waiting = self.buffer.len().min(999);
        let partial = u8::from(self.format.is_some());
        let remaining = self.printing.as_ref().map_or(0, |(_, copies, _)| *copies);
        let strings = [
            format!("030,{fault},{fault},1245,{waiting:03},0,0,{partial},000,0,0,0"),
            format!("000,0,0,0,0,2,4,0,{remaining:08},1,000"),
            "1234,0".into(),
        ];
        let bytes = strings.iter().flat_map(|s| [b"\x02", s.as_bytes(), b"\x03\r\n"].concat()).collect();
        let at_us = now_us + 5 * MS + self.rng.below(10 * MS + 1);
        self.out.acknowledge(link, bytes, at_us);
    }
}

impl DeviceSide for Zpl {
    fn connected(&mut self, link: Link, _now_us: u64) {
        self.link = Some(link);
    }

    /// The receive buffer outlives a link, also half a format.
    fn disconnected(&mut self, link: Link, _now_us: u64) {
        self.out.forget(link);
        self.link.take_if(|l| *l == link);
    }

    fn received(&mut self, _link: Link, bytes: &[u8], now_us: u64) {
        self.work(now_us);
        for &b in bytes {
            match b {
                b'^' | b'~' => {
                    self.obey(now_us);
                    self.command.push(b);
                }
                // Line ends between commands mean nothing.
                b'\r' | b'\n' => {}
                _ if self.command.is_empty() || self.command.len() >= LONGEST_COMMAND => {}
                _ => self.command.push(b),
            }
            match &self.command[..] {
                b"~HS" => {
                    self.command.clear();
                    self.status(now_us);
                }
                // These need nothing after them.
                b"^XA" | b"^XZ" | b"~JA" | b"^FS" => self.obey(now_us),
                _ => {}
            }
        }
    }

    fn due(&mut self, now_us: u64) {
        self.work(now_us);
        self.out.due(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        let fault_us = self.fault_until_us.unwrap_or(0);
        let printing = match &self.printing {
            Some((_, _, out_us)) => Some((*out_us).max(fault_us)),
            None => (!self.buffer.is_empty()).then_some(fault_us),
        };
        printing.into_iter().chain(self.out.deadline()).min()
    }

    fn poll(&mut self) -> Option<(Link, Emission)> {
        self.out.poll()
    }

    /// Labels that are out already stay out.
    fn power(&mut self, on: bool, _now_us: u64) {
        if !on {
            self.out = Outbox::default();
            self.link = None;
            self.command.clear();
            self.format = None;
            self.buffer.clear();
            self.printing = None;
            self.fault_until_us = None;
        }
    }

    fn trouble(&mut self, what: Trouble, now_us: u64) {
        match what {
            Trouble::DropBuffer => {
                self.buffer.clear();
                self.printing = None;
            }
            Trouble::Silence => self.silence = true,
            Trouble::Fault { ms } => {
                let until = now_us + u64::from(ms) * MS;
                self.fault_until_us = Some(until);
                if let Some((_, _, out_us)) = &mut self.printing {
                    *out_us = until + 300 * MS;
                }
            }
            other => {
                self.out.trouble(other);
            }
        }
    }
}

#[cfg(test)]
mod tests;
