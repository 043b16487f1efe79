//! Where what a printer says begins and ends, by the [[inbound]] forms of its profile: at every beginning the first form
//! that fits takes the bytes, so that an event glued to an answer is told from it.
//!
//! Invariants: at most [`LONGEST`] bytes are held; no byte is lost without being named as junk (but empty lines).

use crate::profile::printer::{Checksum, ChecksumPlace, Class, LengthForm};
use crate::profile::talk::{Begin, InboundForm, single};

pub(in crate::wire) const LONGEST: usize = 4_096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Unit {
    /// The number of its form, and its bytes without what the form takes off.
    Is {
        form: usize,
        bytes: Vec<u8>,
    },
    Junk(Vec<u8>),
}

#[derive(Debug)]
pub(in crate::wire) struct Units {
    forms: Vec<InboundForm>,
    /// Of the forms that are checked.
    sum: Option<Checksum>,
    /// Stands twice within a delimited form.
    doubled: Option<u8>,
    buf: Vec<u8>,
}

/// What a form makes of the bytes at hand.
enum Fit {
    No,
    More,
    /// So many bytes are junk: it begins behind them.
    Later(usize),
    /// It is these bytes, and so many are used up.
    Whole {
        from: usize,
        to: usize,
        used: usize,
    },
}

impl Units {
    pub fn new(forms: Vec<InboundForm>) -> Self {
        Self { forms, sum: None, doubled: None, buf: Vec::new() }
    }

    /// `sum`: of the forms that are checked; `doubled`: what stands twice within a delimited one.
    pub fn checked(self, sum: Option<Checksum>, doubled: Option<u8>) -> Self {
        Self { sum, doubled, ..self }
    }

    pub fn reset(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buf)
    }

    /// Something has begun and has not ended.
    pub fn amidst(&self) -> bool {
        !self.buf.is_empty()
    }

    /// What it says ends by silence, after so long (ms).
    pub fn gap_ms(&self) -> Option<u32> {
        self.forms.iter().find_map(|f| if let Begin::Idle { gap_ms } = f.form { Some(gap_ms) } else { None })
    }

    pub fn push(&mut self, byte: u8, out: &mut Vec<Unit>) {
        self.buf.push(byte);
        while let Some(unit) = self.next_unit() {
            match unit {
                Unit::Is { bytes, .. } if bytes.is_empty() => {}
                unit => out.push(unit),
            }
        }
    }

    /// Nothing came for a while: what silence ends is over, and anything else that has begun is none.
    pub fn quiet(&mut self) -> Option<Unit> {
        let bytes = self.reset();
        if bytes.is_empty() {
            return None;
        }
        match self.forms.iter().position(|f| matches!(f.form, Begin::Idle { .. })) {
            Some(form) => Some(Unit::Is { form, bytes }),
            None => Some(Unit::Junk(bytes)),
        }
    }

    fn next_unit(&mut self) -> Option<Unit> {
        // What a device puts behind its line end, or behind a frame, stands before the next unit here.
        if !self.forms.iter().any(|f| f.form.begins_with_line_end()) {
            let ends = self.buf.iter().take_while(|b| b"\r\n".contains(b)).count();
            self.buf.drain(..ends);
        }
        if self.buf.is_empty() {
            return None;
        }
        for (form, f) in self.forms.iter().enumerate() {
            match self.fit(f) {
                Fit::No => continue,
                Fit::More if self.buf.len() < LONGEST => return None,
                Fit::More => return Some(Unit::Junk(self.reset())),
                Fit::Later(n) => return Some(Unit::Junk(self.buf.drain(..n).collect())),
                Fit::Whole { from, to, used } => {
                    let inside = self.inside(f, from, to, used);
                    let all = self.buf.drain(..used).collect();
                    return Some(inside.map_or(Unit::Junk(all), |bytes| Unit::Is { form, bytes }));
                }
            }
        }
        Some(Unit::Junk(self.buf.drain(..1).collect()))
    }
}

impl Units {
    fn fit(&self, f: &InboundForm) -> Fit {
        let behind = |c: &&Checksum| f.checked && c.place != ChecksumPlace::BeforeAfter;
        let tail = self.sum.as_ref().filter(behind).map_or(0, Checksum::wide);
        fit(&f.form, self.doubled, tail, &self.buf)
    }

    /// The inside of a whole unit, its checksum taken off and its doubled bytes single; `None`: it is damaged.
    fn inside(&self, f: &InboundForm, from: usize, to: usize, used: usize) -> Option<Vec<u8>> {
        let mut to = to;
        if let Some(sum) = self.sum.as_ref().filter(|_| f.checked) {
            let wide = sum.wide();
            let within = matches!(f.form, Begin::Counted { .. }) || sum.place == ChecksumPlace::BeforeAfter;
            let at = if within { to } else { used }.checked_sub(wide).filter(|at| *at >= from)?;
            to = if within { at } else { to };
            if sum.over_frame(&self.buf[from..to], &self.buf[..at]) != self.buf[at..at + wide] {
                return None;
            }
        }
        let bytes = &self.buf[from..to];
        if matches!(f.form, Begin::Delimited { .. }) { single(self.doubled, bytes) } else { Some(bytes.to_vec()) }
    }
}

fn fit(form: &Begin, doubled: Option<u8>, tail: usize, buf: &[u8]) -> Fit {
    match form {
        Begin::Delimited { begin, end } => delimited(begin, end, doubled, tail, buf),
        Begin::Line { end } => match position(buf, end) {
            Some(at) => Fit::Whole { from: 0, to: at, used: at + end.len() },
            None => Fit::More,
        },
        Begin::Byte { bytes } if bytes.contains(&buf[0]) => Fit::Whole { from: 0, to: 1, used: 1 },
        Begin::Byte { .. } => Fit::No,
        Begin::Prefix { begin, then, of } => {
            let fits = |b: &u8| match of {
                Class::Digits => b.is_ascii_digit(),
                Class::Hex => b.is_ascii_hexdigit(),
                Class::Printable => (0x20..0x7f).contains(b),
            };
            match begun(begin, buf) {
                Fit::Whole { used, .. } if buf[used..].iter().take(*then).any(|b| !fits(b)) => Fit::No,
                whole => exactly(whole, *then, buf),
            }
        }
        Begin::Fixed { begin, then } => exactly(begun(begin, buf), *then, buf),
        Begin::Counted { begin, length, wide, extra } => match begun(begin, buf) {
            Fit::Whole { used, .. } => {
                let Some(field) = buf.get(used..used + wide) else { return Fit::More };
                let n = match length {
                    LengthForm::BigEndian => field.iter().fold(0usize, |n, b| (n << 8 | usize::from(*b)) & 0xffff_ffff),
                    LengthForm::Digits if field.iter().all(u8::is_ascii_digit) => {
                        field.iter().fold(0, |n, b| n * 10 + usize::from(b - b'0'))
                    }
                    LengthForm::Digits => return Fit::No,
                };
                if n > LONGEST {
                    return Fit::No;
                }
                exactly(Fit::Whole { from: 0, to: used, used }, wide + n + extra, buf)
            }
            other => other,
        },
        Begin::Idle { .. } => Fit::More,
    }
}

/// Whether `begin` stands at the front.
fn begun(begin: &[u8], buf: &[u8]) -> Fit {
    if buf.starts_with(begin) {
        return Fit::Whole { from: 0, to: begin.len(), used: begin.len() };
    }
    if begin.starts_with(buf) { Fit::More } else { Fit::No }
}

/// So many bytes behind what has begun, with it.
fn exactly(begun: Fit, then: usize, buf: &[u8]) -> Fit {
    match begun {
        Fit::Whole { used, .. } if buf.len() < used + then => Fit::More,
        Fit::Whole { used, .. } => Fit::Whole { from: 0, to: used + then, used: used + then },
        other => other,
    }
}

/// `tail`: bytes behind `end` that belong to it.
fn delimited(begin: &[u8], end: &[u8], doubled: Option<u8>, tail: usize, buf: &[u8]) -> Fit {
    let from = match begun(begin, buf) {
        Fit::Whole { used, .. } => used,
        other => return other,
    };
    let mut at = from;
    while at < buf.len() {
        let rest = &buf[at..];
        if doubled.is_some_and(|d| rest.starts_with(&[d, d])) {
            at += 2;
            continue;
        }
        if rest.starts_with(end) {
            let used = at + end.len() + tail;
            return if buf.len() < used { Fit::More } else { Fit::Whole { from, to: at, used } };
        }
        // A frame that begins anew: the first beginning was none.
        if begin != end && rest.starts_with(begin) {
            return Fit::Later(at);
        }
        at += 1;
    }
    Fit::More
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(name: &str, form: Begin) -> InboundForm {
        InboundForm { name: name.into(), form, checked: false }
    }

    fn units(forms: Vec<InboundForm>, bytes: &[u8]) -> Vec<String> {
        heard(Units::new(forms), bytes)
    }

    fn heard(mut u: Units, bytes: &[u8]) -> Vec<String> {
        let mut out = Vec::new();
        bytes.iter().for_each(|b| u.push(*b, &mut out));
        out.extend(u.quiet());
        let shown = |u| match u {
            Unit::Is { form, bytes } => format!("{form}:{}", bytes.escape_ascii()),
            Unit::Junk(bytes) => format!("junk {}", bytes.escape_ascii()),
        };
        out.into_iter().map(shown).collect()
    }

    #[test]
    fn answers_in_frames_and_out_of_them() {
        let forms = || {
            vec![
                form("frame", Begin::Delimited { begin: vec![2], end: vec![3] }),
                form("ok", Begin::Prefix { begin: b"$".into(), then: 2, of: Class::Hex }),
            ]
        };
        assert_eq!(units(forms(), b"$93\x0200000678\x03x$9"), ["1:$93", "0:00000678", "junk x", "junk $9"]);
        assert_eq!(units(forms(), b"\x02ab\x02cd\x03$zz"), ["junk \\x02ab", "0:cd", "junk $", "junk z", "junk z"]);
    }

    #[test]
    fn letters_glued_to_lines() {
        let forms = || vec![form("letter", Begin::Byte { bytes: b"RTC".into() }), form("line", Begin::Line { end: b"\r".into() })];
        assert_eq!(units(forms(), b"RTC>\r\nJET STOP\rCC"), ["0:R", "0:T", "0:C", "1:>", "1:JET STOP", "0:C", "0:C"]);
    }

    #[test]
    fn lengths_and_silence() {
        let counted = |length, wide| vec![form("n", Begin::Counted { begin: vec![0x15], length, wide, extra: 1 })];
        assert_eq!(units(counted(LengthForm::BigEndian, 2), b"\x15\x00\x02ab!\x15\x00"), ["0:\\x15\\x00\\x02ab!", "junk \\x15\\x00"]);
        assert_eq!(units(counted(LengthForm::Digits, 2), b"\x1502ab!\x15xx"), ["0:\\x1502ab!", "junk \\x15", "junk x", "junk x"]);
        let fixed = vec![form("s", Begin::Fixed { begin: vec![0x1b], then: 2 }), form("rest", Begin::Idle { gap_ms: 20 })];
        assert_eq!(units(fixed, b"\x1b\x04\x04value"), ["0:\\x1b\\x04\\x04", "1:value"]);
    }

    #[test]
    fn checked_frames_with_doubled_escapes() {
        use crate::profile::printer::{ChecksumForm, ChecksumKind, Coverage};
        let sum = Checksum {
            kind: ChecksumKind::Sum8Negated,
            over: Coverage::AllBefore,
            over_setting: None,
            form: ChecksumForm::Byte,
            place: ChecksumPlace::Last,
        };
        let ack = || vec![InboundForm { checked: true, ..form("ack", Begin::Delimited { begin: vec![0x1b, 6], end: vec![0x1b, 3] }) }];
        // The TIJ document's own example, whole, with a wrong sum, and behind half a frame.
        assert_eq!(heard(Units::new(ack()).checked(Some(sum.clone()), None), b"\x1b\x06\0\0\x1c\x1b\x03\xa5"), ["0:\\x00\\x00\\x1c"]);
        let wrong = heard(Units::new(ack()).checked(Some(sum.clone()), None), b"\x1b\x06\0\0\x1c\x1b\x03\xa6\x1b\x06\0\0\x1c\x1b\x03\xa5");
        assert_eq!(wrong, ["junk \\x1b\\x06\\x00\\x00\\x1c\\x1b\\x03\\xa6", "0:\\x00\\x00\\x1c"]);
        let half = heard(Units::new(ack()).checked(Some(sum.clone()), None), b"\x1b\x06\0\x1b\x06\0\0\x1c\x1b\x03\xa5");
        assert_eq!(half, ["junk \\x1b\\x06\\x00", "0:\\x00\\x00\\x1c"]);
        // ESC ESC ETX is data, ESC ETX the end.
        let bytes = [&b"\x1b\x06a\x1b\x1b\x03\x1b\x03"[..], &sum.of(b"\x1b\x06a\x1b\x1b\x03\x1b\x03")].concat();
        assert_eq!(heard(Units::new(ack()).checked(Some(sum.clone()), Some(0x1b)), &bytes), ["0:a\\x1b\\x03"]);
        // An identifier, a length, a XOR behind the data: Imaje's frame.
        let xor = Checksum { kind: ChecksumKind::Xor8, ..sum };
        let counted = Begin::Counted { begin: vec![0x32], length: LengthForm::BigEndian, wide: 2, extra: 1 };
        let status = || vec![InboundForm { checked: true, ..form("status", counted.clone()) }];
        assert_eq!(heard(Units::new(status()).checked(Some(xor.clone()), None), b"2\0\x01A\x72"), ["0:2\\x00\\x01A"]);
        assert_eq!(heard(Units::new(status()).checked(Some(xor), None), b"2\0\x01A\x73"), ["junk 2\\x00\\x01As"]);
    }

    #[test]
    fn what_nobody_ends_is_dropped() {
        let (mut u, mut out) = (Units::new(vec![form("line", Begin::Line { end: b"\r".into() })]), Vec::new());
        for _ in 0..3 * LONGEST {
            u.push(b'x', &mut out);
            assert!(u.buf.len() < LONGEST);
        }
        b"good\r".iter().for_each(|b| u.push(*b, &mut out));
        assert!(matches!(out.last(), Some(Unit::Is { bytes, .. }) if bytes.ends_with(b"good")));
    }
}
