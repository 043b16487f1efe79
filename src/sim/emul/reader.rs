//! A code reader: a fixed one triggered by its own input (Keyence SR-750 manual, pages 29, 63, 71–72), or a handheld.
//!
//! A frame leaves 5–20 ms after the trigger, to whoever is connected; nobody connected, no frame. A reader that knows
//! commands answers them in the same stream, in the framing of the command.

use super::outbox::Outbox;
use super::{DeviceSide, Emission, Link};
use crate::sim::bench::Trouble;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;

const LONGEST_COMMAND: usize = 256;

/// How one reader is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderHow {
    pub start: &'static [u8],
    pub end: &'static [u8],
    pub separator: Vec<u8>,
    /// Sent when nothing was decoded; empty: nothing is sent then.
    pub no_read: Vec<u8>,
    /// An unread position leaves the no-read word in its place.
    pub positional: bool,
    /// Answers commands (`LON`, `KEYENCE`, …); a handheld does not.
    pub commands: bool,
}

#[derive(Debug)]
pub struct Reader {
    how: ReaderHow,
    rng: Rng,
    out: Outbox,
    link: Option<Link>,
    command: Vec<u8>,
    /// Timing is on by command.
    reading: bool,
    /// Frames leave in the order of their triggers.
    last_us: u64,
    stale_ms: Option<u32>,
    /// A frame kept back, and until when.
    kept: Option<(Vec<u8>, u64)>,
    silence: bool,
}

impl Reader {
    pub fn new(how: ReaderHow, rng: Rng) -> Self {
        Self {
            how,
            rng,
            out: Outbox::default(),
            link: None,
            command: Vec::new(),
            reading: false,
            last_us: 0,
            stale_ms: None,
            kept: None,
            silence: false,
        }
    }

    /// A trigger, with these symbols before the lens (`None`: one that it cannot decode). Answers whether a frame
    /// with them leaves (or will, when it is kept back).
    pub fn read(&mut self, symbols: &[Option<Vec<u8>>], now_us: u64) -> bool {
        let Some(frame) = self.frame(symbols) else { return false };
        if std::mem::take(&mut self.silence) {
            return false;
        }
        if let Some(ms) = self.stale_ms.take() {
            self.kept = Some((frame, now_us + u64::from(ms) * MS));
            return true;
        }
        let Some(link) = self.link else { return false };
        let at_us = (now_us + 5 * MS + self.rng.below(15 * MS + 1)).max(self.last_us);
        self.last_us = at_us;
        self.out.acknowledge(link, frame, at_us);
        true
    }

    fn frame(&self, symbols: &[Option<Vec<u8>>]) -> Option<Vec<u8>> {
        let fields: Vec<&[u8]> = if self.how.positional {
            symbols.iter().map(|s| s.as_deref().unwrap_or(&self.how.no_read)).collect()
        } else {
            symbols.iter().flatten().map(Vec::as_slice).collect()
        };
        let mut body = fields.join(&self.how.separator[..]);
        if fields.is_empty() {
            body = self.how.no_read.clone();
        }
        if body.is_empty() {
            return None;
        }
        Some([self.how.start, &body, self.how.end].concat())
    }

    fn obey(&mut self, command: &[u8], framed: bool, now_us: u64) {
        let name = String::from_utf8_lossy(command).into_owned();
        let mut result = false;
        let reply = match command {
            b"LON" if !self.reading => {
                self.reading = true;
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
        let Some(link) = self.link else { return };
        let (start, end): (&[u8], &[u8]) = if framed { (b"\x02", b"\x03") } else { (b"", b"\r") };
        let at_us = now_us + MS + self.rng.below(2 * MS);
        self.out.send(link, [start, reply.as_bytes(), end].concat(), at_us);
        if result {
            // Nothing was decoded while the timing was on: the read-error string follows the response.
            self.out.send(link, [self.how.start, &self.how.no_read, self.how.end].concat(), at_us + MS);
        }
    }
}

impl DeviceSide for Reader {
    fn connected(&mut self, link: Link, now_us: u64) {
        self.link = Some(link);
        self.command.clear();
        if let Some((frame, _)) = self.kept.take() {
            self.out.send(link, frame, now_us + 2 * MS);
        }
    }

    fn disconnected(&mut self, link: Link, _now_us: u64) {
        self.out.forget(link);
        self.link.take_if(|l| *l == link);
        self.reading = false;
    }

    fn received(&mut self, _link: Link, bytes: &[u8], now_us: u64) {
        if !self.how.commands {
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
        self.out.due(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        let kept = self.kept.as_ref().filter(|_| self.link.is_some()).map(|(_, at)| *at);
        kept.into_iter().chain(self.out.deadline()).min()
    }

    fn poll(&mut self) -> Option<(Link, Emission)> {
        self.out.poll()
    }

    fn power(&mut self, on: bool, _now_us: u64) {
        if !on {
            self.out = Outbox::default();
            self.link = None;
            self.command.clear();
            self.reading = false;
            self.kept = None;
            self.stale_ms = None;
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
mod tests {
    use super::*;

    const L: Link = Link::FIRST;

    fn sr(separator: &str, positional: bool) -> Reader {
        let how = ReaderHow { start: b"", end: b"\r", separator: separator.into(), no_read: b"ERROR".into(), positional, commands: true };
        let mut r = Reader::new(how, Rng::new(3));
        r.connected(L, 0);
        r
    }

    fn hears(r: &mut Reader) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(t) = r.deadline() {
            r.due(t);
            while let Some((_, Emission::Send(b))) = r.poll() {
                all.extend(b);
            }
        }
        all
    }

    fn seen(symbols: &[&str]) -> Vec<Option<Vec<u8>>> {
        symbols.iter().map(|s| (*s != "-").then(|| s.as_bytes().to_vec())).collect()
    }

    #[test]
    fn frames_of_the_manual() {
        let mut r = sr(",", true);
        assert!(r.read(&seen(&["BAR1", "-", "BAR3"]), 0));
        let at = r.deadline().unwrap();
        assert!((5_000..=20_000).contains(&at));
        assert_eq!(hears(&mut r), *b"\x42\x41\x52\x31\x2c\x45\x52\x52\x4f\x52\x2c\x42\x41\x52\x33\x0d");
        let mut r = sr("|", false);
        r.read(&seen(&["BAR1", "-", "BAR3"]), 0);
        assert_eq!(hears(&mut r), *b"BAR1|BAR3\r", "collapsed");
        r.read(&seen(&["-"]), 0);
        assert_eq!(hears(&mut r), *b"ERROR\r");
        r.read(&[], 0);
        assert_eq!(hears(&mut r), *b"ERROR\r", "a trigger with nothing there is answered too");
    }

    #[test]
    fn a_handheld_says_nothing_when_it_reads_nothing() {
        let how = ReaderHow { start: b"", end: b"\r\n", separator: b",".into(), no_read: Vec::new(), positional: false, commands: false };
        let mut r = Reader::new(how, Rng::new(3));
        assert!(!r.read(&seen(&["X"]), 0), "nobody is connected");
        r.connected(L, 0);
        assert!(!r.read(&seen(&["-"]), 0));
        assert!(r.read(&seen(&["00069012340000000016"]), 0));
        r.received(L, b"LON\r", 0);
        assert_eq!(hears(&mut r), *b"00069012340000000016\r\n");
    }

    #[test]
    fn commands_are_answered_in_their_framing() {
        let mut r = sr(",", true);
        r.received(L, b"LON\rLON\r", 0);
        assert_eq!(hears(&mut r), *b"OK,LON\rER,LON,20\r");
        r.received(L, b"LO", 0);
        r.received(L, b"FF\r\n", 0);
        assert_eq!(hears(&mut r), *b"OK,LOFF\rERROR\r");
        r.received(L, b"\x02KEYENCE\x03", 0);
        assert_eq!(hears(&mut r), *b"\x02OK,KEYENCE,SR-750,1.00\x03");
        r.received(L, b"junk\x1bXYZ\r", 0);
        assert_eq!(hears(&mut r), *b"ER,XYZ,00\r");
    }

    #[test]
    fn a_stale_frame_comes_after_its_time_or_with_the_next_link() {
        let mut r = sr(",", true);
        r.trouble(Trouble::StaleFrame { ms: 700 }, 0);
        assert!(r.read(&seen(&["OLD"]), 0));
        assert_eq!(r.deadline(), Some(700_000));
        assert!(r.read(&seen(&["NEW"]), 100_000));
        assert_eq!(hears(&mut r), *b"NEW\rOLD\r");
        r.trouble(Trouble::StaleFrame { ms: 700 }, 0);
        r.read(&seen(&["OLD"]), 0);
        r.disconnected(L, 0);
        assert_eq!(r.deadline(), None);
        r.connected(Link(1), 5_000);
        assert_eq!(hears(&mut r), *b"OLD\r");
    }

    #[test]
    fn double_and_silent_frames() {
        let mut r = sr(",", true);
        r.trouble(Trouble::DoubleFrame, 0);
        r.read(&seen(&["A"]), 0);
        assert_eq!(hears(&mut r), *b"A\rA\r");
        r.trouble(Trouble::Silence, 0);
        assert!(!r.read(&seen(&["B"]), 0));
        assert_eq!(hears(&mut r), *b"");
    }
}
