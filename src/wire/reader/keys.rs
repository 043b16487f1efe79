//! A keyboard wedge: Linux `input_event` structures in, what was typed out. US layout, as scanners are delivered.
//!
//! An event is a `timeval` (16 bytes on 64-bit machines, 8 on 32-bit ones), then `u16 type`, `u16 code`, `i32 value`, in the
//! machine's order (`linux/input.h`). Control characters arrive in one of three ways, all known here: Ctrl with a key
//! (Ctrl+] is GS), Alt with digits of the keypad (Alt+029), or a key that the profile names (F8).
//!
//! Invariants: a key that has no meaning is never guessed: what was typed around it is no code.

use super::frames::{Cut, Cutter, Raw};
use crate::profile::reader::Key;
use crate::vocab::gs1::GS;

const EV_KEY: u16 = 1;
const EV_SYN: u16 = 0;
/// After this event the kernel has dropped some: `SYN_DROPPED`.
const SYN_DROPPED: u16 = 3;
const CAPS: u16 = 58;
const NUM_LOCK: u16 = 69;

#[derive(Debug)]
pub(super) struct Keys {
    ends: Vec<u16>,
    gs: Vec<u16>,
    event: Vec<u8>,
    event_bytes: usize,
    typed: Vec<u8>,
    longest: usize,
    shift: [bool; 2],
    control: [bool; 2],
    alt: [bool; 2],
    caps: bool,
    /// Digits typed on the keypad with Alt held.
    digits: Option<u32>,
    /// Something unknown was typed: this is no code.
    spoiled: bool,
}

impl Keys {
    pub fn new(ends: &[Key], gs: &[Key], event_bytes: usize, longest: usize) -> Self {
        Self {
            ends: ends.iter().map(|k| k.number()).collect(),
            gs: gs.iter().map(|k| k.number()).collect(),
            event: Vec::new(),
            event_bytes,
            typed: Vec::new(),
            longest,
            shift: [false; 2],
            control: [false; 2],
            alt: [false; 2],
            caps: false,
            digits: None,
            spoiled: false,
        }
    }

    fn heard(&mut self, out: &mut Vec<Cut>) {
        let at = self.event_bytes - 8;
        let e = &self.event[at..];
        let (kind, code) = (u16::from_ne_bytes([e[0], e[1]]), u16::from_ne_bytes([e[2], e[3]]));
        let value = i32::from_ne_bytes([e[4], e[5], e[6], e[7]]);
        self.event.clear();
        match (kind, value) {
            (EV_SYN, _) if code == SYN_DROPPED => self.spoiled = true,
            (EV_KEY, 0..=2) => self.key(code, value, out),
            _ => {}
        }
    }

    /// `value`: 0 up, 1 down, 2 held (repeats itself).
    fn key(&mut self, code: u16, value: i32, out: &mut Vec<Cut>) {
        let down = value != 0;
        match code {
            42 => self.shift[0] = down,
            54 => self.shift[1] = down,
            29 => self.control[0] = down,
            97 => self.control[1] = down,
            56 => self.alt_is(0, down, out),
            100 => self.alt_is(1, down, out),
            CAPS if value == 1 => self.caps = !self.caps,
            CAPS | NUM_LOCK => {}
            _ if value == 0 => {}
            _ if self.ends.contains(&code) => self.ended(out),
            _ if self.gs.contains(&code) => self.byte(GS, out),
            _ if self.alt.contains(&true) => match keypad(code) {
                Some(d) => self.digits = Some((self.digits.unwrap_or(0) * 10 + u32::from(d - b'0')).min(1_000)),
                None => self.spoiled = true,
            },
            _ if self.control.contains(&true) => match plain(code) {
                Some((c, _)) if c.is_ascii_alphabetic() || b"[\\]".contains(&c) => self.byte(c.to_ascii_uppercase() & 0x1f, out),
                Some((b'6', _)) => self.byte(0x1e, out),
                Some((b'-', _)) => self.byte(0x1f, out),
                _ => self.spoiled = true,
            },
            _ => match plain(code) {
                Some((lower, upper)) => {
                    let caps = self.caps && lower.is_ascii_alphabetic();
                    let raised = self.shift.contains(&true) != caps;
                    self.byte(if raised { upper } else { lower }, out);
                }
                None => match keypad(code).or_else(|| keypad_sign(code)) {
                    Some(b) => self.byte(b, out),
                    None => self.spoiled = true,
                },
            },
        }
    }

    fn alt_is(&mut self, side: usize, down: bool, out: &mut Vec<Cut>) {
        self.alt[side] = down;
        if !self.alt.contains(&true)
            && let Some(n) = self.digits.take()
        {
            match u8::try_from(n) {
                Ok(b) => self.byte(b, out),
                Err(_) => self.spoiled = true,
            }
        }
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<Cut>) {
        self.typed.push(byte);
        if self.typed.len() >= self.longest {
            self.spoiled = true;
            out.push(Cut::Junk(std::mem::take(&mut self.typed)));
        }
    }

    fn ended(&mut self, out: &mut Vec<Cut>) {
        let body = std::mem::take(&mut self.typed);
        let spoiled = std::mem::take(&mut self.spoiled);
        self.digits = None;
        if spoiled {
            out.push(Cut::Junk(body));
        } else if !body.is_empty() {
            out.push(Cut::Frame(Raw { body, ..Raw::default() }));
        }
    }
}

impl Cutter for Keys {
    fn push(&mut self, byte: u8, out: &mut Vec<Cut>) {
        self.event.push(byte);
        if self.event.len() == self.event_bytes {
            self.heard(out);
        }
    }

    fn silence(&mut self, out: &mut Vec<Cut>) {
        (self.spoiled, self.digits) = (false, None);
        (self.shift, self.control, self.alt) = Default::default();
        self.event.clear();
        out.push(Cut::Junk(std::mem::take(&mut self.typed)));
    }

    fn held(&self) -> usize {
        self.typed.len() + self.event.len()
    }
}

/// A key without and with shift, on a US keyboard (`linux/input-event-codes.h`).
pub fn plain(code: u16) -> Option<(u8, u8)> {
    let row = |first: u16, lower: &'static [u8], upper: &'static [u8]| {
        let i = usize::from(code.checked_sub(first)?);
        lower.get(i).copied().zip(upper.get(i).copied())
    };
    match code {
        2..=13 => row(2, b"1234567890-=", b"!@#$%^&*()_+"),
        16..=27 => row(16, b"qwertyuiop[]", b"QWERTYUIOP{}"),
        30..=41 => row(30, b"asdfghjkl;'`", b"ASDFGHJKL:\"~"),
        43..=53 => row(43, b"\\zxcvbnm,./", b"|ZXCVBNM<>?"),
        57 => Some((b' ', b' ')),
        15 => Some((b'\t', b'\t')),
        _ => None,
    }
}

fn keypad(code: u16) -> Option<u8> {
    match code {
        71..=73 => Some(b'7' + (code - 71) as u8),
        75..=77 => Some(b'4' + (code - 75) as u8),
        79..=81 => Some(b'1' + (code - 79) as u8),
        82 => Some(b'0'),
        _ => None,
    }
}

fn keypad_sign(code: u16) -> Option<u8> {
    match code {
        55 => Some(b'*'),
        74 => Some(b'-'),
        78 => Some(b'+'),
        83 => Some(b'.'),
        98 => Some(b'/'),
        _ => None,
    }
}
