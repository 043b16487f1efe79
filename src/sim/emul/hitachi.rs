//! A Hitachi inkjet on Modbus TCP, by its register map (UX "TWIN" and TUP-I Modbus manuals): a message of items, of which
//! one is written by the host, a change that is begun and committed as a whole, a status, a print count.
//!
//! Functions 03, 04, 06, 10h. Offline, only the online register and the input registers are there (02). A write outside a
//! change is refused (03), which is stricter than the manual says. After power-up it is offline; its text stays, and is
//! printed on every thing until another takes its place.

use super::outbox::Outbox;
use super::{DeviceSide, Emission, Link};
use crate::sim::bench::Trouble;
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use std::collections::{BTreeMap, VecDeque};

const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_ADDRESS: u8 = 2;
const ILLEGAL_VALUE: u8 = 3;

const CHANGE: u16 = 0x0000;
const ITEMS: u16 = 0x0008;
const CHARACTERS: u16 = 0x0020;
const TEXT: u16 = 0x0084;
const ONLINE: u16 = 0x2490;
const COUNT: u16 = 0x0052;
/// Characters of all items, and items.
const MOST_CHARACTERS: u16 = 1_000;
const MOST_ITEMS: u16 = 100;
const WRITE_BYTES: usize = 246;
const READ_BYTES: u16 = 250;

/// How one printer is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HitachiHow {
    pub unit: u8,
    /// Items of its message; the last one carries the code.
    pub items: u16,
    /// The count's low word comes first.
    pub low_first: bool,
}

#[derive(Debug)]
pub struct Hitachi {
    how: HitachiHow,
    rng: Rng,
    out: Outbox,
    links: BTreeMap<Link, Vec<u8>>,
    hanging_up: VecDeque<Link>,
    answered_us: u64,
    online: bool,
    /// Writes since a change was begun.
    change: Option<Vec<(u16, u16)>>,
    lengths: Vec<u16>,
    /// Two registers a character.
    text: Vec<u16>,
    /// Something was written since the last print.
    fresh: bool,
    /// What was printed last had been printed before.
    repeated: bool,
    count: u32,
    fault_until_us: u64,
    silence: bool,
    refuse: bool,
}

impl Hitachi {
    pub fn new(how: HitachiHow, rng: Rng) -> Self {
        let items = how.items.clamp(1, MOST_ITEMS);
        let mut lengths = vec![0; usize::from(MOST_ITEMS)];
        // What stands before the code's item is fixed text.
        lengths[..usize::from(items) - 1].fill(3);
        Self {
            how: HitachiHow { items, ..how },
            rng,
            out: Outbox::default(),
            links: BTreeMap::new(),
            hanging_up: VecDeque::new(),
            answered_us: 0,
            online: false,
            change: None,
            lengths,
            text: vec![0; 2 * usize::from(MOST_CHARACTERS)],
            fresh: false,
            repeated: false,
            count: 0,
            fault_until_us: 0,
            silence: false,
            refuse: false,
        }
    }

    /// A thing passes the head: what is inked on it. `None`: nothing.
    pub fn print(&mut self, now_us: u64) -> Option<Vec<u8>> {
        let own = usize::from(self.how.items) - 1;
        let before: usize = self.lengths[..own].iter().map(|n| usize::from(*n)).sum();
        let length = usize::from(self.lengths[own]);
        if now_us < self.fault_until_us || length == 0 {
            return None;
        }
        self.repeated = !std::mem::take(&mut self.fresh);
        self.count = (self.count + 1) % 1_000_000_000;
        let registers = self.text.get(2 * before..2 * (before + length))?;
        Some(registers.chunks_exact(2).map(|r| r[1] as u8).collect())
    }

    /// See `Bench::repeated`.
    pub fn repeated(&self) -> bool {
        self.repeated
    }

    fn take_requests(&mut self, link: Link, now_us: u64) {
        loop {
            let Some(bytes) = self.links.get_mut(&link) else { return };
            let Some(&[t0, t1, p0, p1, l0, l1, unit]) = bytes.first_chunk::<7>() else { return };
            let len = usize::from(u16::from_be_bytes([l0, l1]));
            if [p0, p1] != [0, 0] || !(2..=254).contains(&len) {
                self.links.remove(&link);
                self.out.forget(link);
                self.hanging_up.push_back(link);
                return;
            }
            if bytes.len() < 6 + len {
                return;
            }
            let pdu: Vec<u8> = bytes.drain(..6 + len).skip(7).collect();
            // Whoever is not spoken to says nothing.
            if ![self.how.unit, 0, 255].contains(&unit) {
                continue;
            }
            // A silence hides which of the two was lost: the request or its answer.
            let silent = std::mem::take(&mut self.silence);
            if silent && self.rng.chance(500_000) {
                continue;
            }
            let answer = self.obey(&pdu, now_us).unwrap_or_else(|exception| vec![pdu[0] | 0x80, exception]);
            if silent {
                continue;
            }
            let size = (answer.len() as u16 + 1).to_be_bytes();
            let frame = [&[t0, t1, 0, 0, size[0], size[1], unit][..], &answer].concat();
            let at_us = (now_us + MS + self.rng.below(4 * MS + 1)).max(self.answered_us);
            self.answered_us = self.out.acknowledge(link, frame, at_us);
        }
    }

    fn obey(&mut self, pdu: &[u8], now_us: u64) -> Result<Vec<u8>, u8> {
        let (function, rest) = (pdu[0], &pdu[1..]);
        if ![3, 4, 6, 0x10].contains(&function) {
            return Err(ILLEGAL_FUNCTION);
        }
        let Some(&[a0, a1, b0, b1]) = rest.first_chunk::<4>() else { return Err(ILLEGAL_VALUE) };
        let (at, word) = (u16::from_be_bytes([a0, a1]), u16::from_be_bytes([b0, b1]));
        match function {
            3 | 4 => {
                if rest.len() != 4 || word == 0 || word > READ_BYTES / 2 {
                    return Err(ILLEGAL_VALUE);
                }
                let register = |n: u16| {
                    let at = at.checked_add(n)?;
                    if function == 3 { self.holding(at) } else { self.input(at, now_us) }
                };
                let registers = (0..word).map(register).collect::<Option<Vec<u16>>>().ok_or(ILLEGAL_ADDRESS)?;
                let bytes: Vec<u8> = registers.iter().flat_map(|r| r.to_be_bytes()).collect();
                Ok([&[function, bytes.len() as u8][..], &bytes].concat())
            }
            6 if rest.len() == 4 => {
                self.write(at, &[word])?;
                Ok(pdu.to_vec())
            }
            0x10 => {
                let data = rest.get(5..).ok_or(ILLEGAL_VALUE)?;
                let whole = usize::from(rest[4]) == data.len() && data.len() == 2 * usize::from(word);
                if !whole || data.is_empty() || data.len() > WRITE_BYTES {
                    return Err(ILLEGAL_VALUE);
                }
                let words: Vec<u16> = data.chunks_exact(2).map(|w| u16::from_be_bytes([w[0], w[1]])).collect();
                self.write(at, &words)?;
                Ok(pdu[..5].to_vec())
            }
            _ => Err(ILLEGAL_VALUE),
        }
    }

    fn holding(&self, at: u16) -> Option<u16> {
        match at {
            ONLINE => Some(u16::from(self.online)),
            _ if !self.online => None,
            CHANGE => Some(u16::from(self.change.is_some())),
            ITEMS => Some(self.how.items),
            // The two blocks meet where the hundredth item ends.
            CHARACTERS..TEXT => self.lengths.get(usize::from(at - CHARACTERS)).copied(),
            TEXT.. => self.text.get(usize::from(at - TEXT)).copied(),
            _ => None,
        }
    }

    fn input(&self, at: u16, now_us: u64) -> Option<u16> {
        let (high, low) = ((self.count >> 16) as u16, self.count as u16);
        let (first, second) = if self.how.low_first { (low, high) } else { (high, low) };
        match at {
            0 => Some(0x30 + u16::from(self.online)),
            1 => Some(0x30 + u16::from(self.online)),
            2 => Some(if now_us < self.fault_until_us { 0x38 } else { 0x32 }),
            3 => Some(0x30),
            4..=7 => Some(0),
            COUNT => Some(first),
            _ if at == COUNT + 1 => Some(second),
            _ => None,
        }
    }

    fn write(&mut self, at: u16, words: &[u16]) -> Result<(), u8> {
        let place = |i: usize| u16::try_from(i).ok().and_then(|i| at.checked_add(i));
        let all: Vec<(u16, u16)> =
            words.iter().enumerate().map(|(i, w)| Some((place(i)?, *w))).collect::<Option<_>>().ok_or(ILLEGAL_ADDRESS)?;
        if let [(ONLINE, on)] = all[..] {
            self.online = on != 0;
            self.change = None;
            return Ok(());
        }
        if all.iter().any(|(at, _)| self.holding(*at).is_none() || [ITEMS, ONLINE].contains(at)) {
            return Err(ILLEGAL_ADDRESS);
        }
        match all[..] {
            [(CHANGE, 1)] => self.change = Some(Vec::new()),
            [(CHANGE, 2)] => {
                for (at, word) in self.change.take().ok_or(ILLEGAL_VALUE)? {
                    self.set(at, word);
                }
            }
            _ => {
                if std::mem::take(&mut self.refuse) || all.iter().any(|(at, _)| *at == CHANGE) {
                    return Err(ILLEGAL_VALUE);
                }
                self.change.as_mut().ok_or(ILLEGAL_VALUE)?.extend(all);
            }
        }
        Ok(())
    }

    fn set(&mut self, at: u16, word: u16) {
        if at >= TEXT {
            self.text[usize::from(at - TEXT)] = word;
            self.fresh = true;
        } else {
            self.lengths[usize::from(at - CHARACTERS)] = word;
        }
    }
}

impl DeviceSide for Hitachi {
    fn connected(&mut self, link: Link, _now_us: u64) {
        self.links.insert(link, Vec::new());
    }

    fn disconnected(&mut self, link: Link, _now_us: u64) {
        self.out.forget(link);
        self.links.remove(&link);
        self.change = None;
    }

    fn received(&mut self, link: Link, bytes: &[u8], now_us: u64) {
        if let Some(held) = self.links.get_mut(&link) {
            held.extend(bytes);
            self.take_requests(link, now_us);
        }
    }

    fn due(&mut self, now_us: u64) {
        self.out.due(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        self.out.deadline()
    }

    fn poll(&mut self) -> Option<(Link, Emission)> {
        self.hanging_up.pop_front().map(|l| (l, Emission::HangUp)).or_else(|| self.out.poll())
    }

    fn power(&mut self, on: bool, _now_us: u64) {
        if !on {
            self.out = Outbox::default();
            self.links.clear();
            self.hanging_up.clear();
            (self.online, self.change, self.fault_until_us) = (false, None, 0);
        }
    }

    fn trouble(&mut self, what: Trouble, now_us: u64) {
        match what {
            Trouble::DropBuffer => self.lengths[usize::from(self.how.items) - 1] = 0,
            Trouble::Silence => self.silence = true,
            Trouble::Refuse => self.refuse = true,
            Trouble::Fault { ms } => self.fault_until_us = now_us + u64::from(ms) * MS,
            other => {
                self.out.trouble(other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printer() -> Hitachi {
        Hitachi::new(HitachiHow { unit: 1, items: 1, low_first: false }, Rng::new(1))
    }

    fn write(p: &mut Hitachi, at: u16, value: u16) -> Result<Vec<u8>, u8> {
        let ([a, b], [c, d]) = (at.to_be_bytes(), value.to_be_bytes());
        p.obey(&[6, a, b, c, d], 0)
    }

    /// The manual's example, as a request on the wire.
    const ABC123: &[u8] =
        b"\x00\x00\x00\x00\x00\x1f\x01\x10\x00\x84\x00\x0c\x18\0\0\0\x41\0\0\0\x42\0\0\0\x43\0\0\0\x31\0\0\0\x32\0\0\0\x33";

    #[test]
    fn a_text_is_printed_once_its_change_is_committed() {
        let mut p = printer();
        assert_eq!(write(&mut p, CHANGE, 1), Err(ILLEGAL_ADDRESS), "offline");
        assert_eq!(p.obey(&[3, 0x24, 0x90, 0, 1], 0), Ok(vec![3, 2, 0, 0]));
        write(&mut p, ONLINE, 1).unwrap();
        assert_eq!(p.obey(&ABC123[7..], 0), Err(ILLEGAL_VALUE), "no change is begun");
        write(&mut p, CHANGE, 1).unwrap();
        write(&mut p, CHARACTERS, 6).unwrap();
        assert_eq!(p.obey(&ABC123[7..], 0), Ok(vec![0x10, 0, 0x84, 0, 0x0c]));
        assert_eq!(p.print(0), None, "it is not committed");
        write(&mut p, CHANGE, 2).unwrap();
        assert_eq!(p.print(0).as_deref(), Some(&b"ABC123"[..]));
        assert_eq!(p.print(0).as_deref(), Some(&b"ABC123"[..]), "again, until another takes its place");
        assert_eq!(p.obey(&[4, 0, 0x52, 0, 2], 0), Ok(vec![4, 4, 0, 0, 0, 2]));
        assert_eq!(p.obey(&[4, 0, 0, 0, 4], 0), Ok(vec![4, 8, 0, 0x31, 0, 0x31, 0, 0x32, 0, 0x30]));
    }

    #[test]
    fn what_the_map_does_not_have_is_refused_by_its_number() {
        let mut p = printer();
        write(&mut p, ONLINE, 1).unwrap();
        assert_eq!(p.obey(&[1, 0, 0, 0, 1], 0), Err(ILLEGAL_FUNCTION));
        assert_eq!(p.obey(&[3, 0x40, 0, 0, 1], 0), Err(ILLEGAL_ADDRESS));
        assert_eq!(p.obey(&[3, 0xff, 0xff, 0, 2], 0), Err(ILLEGAL_ADDRESS));
        assert_eq!(p.obey(&[3, 0, 0x84, 0, 126], 0), Err(ILLEGAL_VALUE));
        let long = [&[0x10, 0, 0x84, 0, 124, 248][..], &[0; 248]].concat();
        write(&mut p, CHANGE, 1).unwrap();
        assert_eq!(p.obey(&long, 0), Err(ILLEGAL_VALUE));
        for cut in 0..6 {
            assert!(p.obey(&long[..cut.max(1)], 0).is_err());
        }
    }
}
