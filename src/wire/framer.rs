//! Where a Codenet printer's bytes begin and end: a mixture of ESC … EOT frames, acknowledgements and single bytes. Other
//! printers have their forms in their profiles (`commands/units.rs`), readers their own (`reader/frames.rs`).
//!
//! Invariants: what is held is bounded, whatever comes; after nonsense the next good frame is found; no byte is lost
//! without being named as junk (but line ends and what stands for "nothing").

const EOT: u8 = 0x04;
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;
const ESC: u8 = 0x1b;

/// Longest frame of a Codenet printer that we ask for.
pub const LONGEST_ECHO: usize = 256;

/// What a Codenet printer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    Ack,
    Nak(u16),
    /// The inside of an ESC … EOT frame.
    Echo(Vec<u8>),
    /// A byte on its own.
    Byte(u8),
    Junk(Vec<u8>),
}

/// Frames of a Codenet printer (EPT033760, "Framing"): `06` or `06 30 30 30`, `15 ddd`, `1B … 04`. The reply to `OS?`
/// carries two raw bytes, so its end is known by length.
#[derive(Debug)]
pub struct Codenet {
    /// "Response length: Fixed".
    fixed: bool,
    buf: Vec<u8>,
}

impl Codenet {
    pub fn new(fixed: bool) -> Self {
        Self { fixed, buf: Vec::new() }
    }

    pub fn reset(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buf)
    }

    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.buf.len()
    }

    /// A frame has begun and has not ended.
    pub fn amidst(&self) -> bool {
        !self.buf.is_empty()
    }

    pub fn push(&mut self, byte: u8, out: &mut Vec<Unit>) {
        self.buf.push(byte);
        while let Some(unit) = self.next_unit() {
            out.push(unit);
        }
    }

    fn next_unit(&mut self) -> Option<Unit> {
        match *self.buf.first()? {
            ACK if !self.fixed => {
                self.buf.remove(0);
                Some(Unit::Ack)
            }
            ACK => self.digits().map(|d| match d {
                Ok(0) => Unit::Ack,
                Ok(n) => Unit::Junk(format!("\u{6}{n:03}").into_bytes()),
                Err(junk) => Unit::Junk(junk),
            }),
            NAK => self.digits().map(|d| d.map_or_else(Unit::Junk, Unit::Nak)),
            ESC => self.echo(),
            b => {
                self.buf.remove(0);
                Some(Unit::Byte(b))
            }
        }
    }

    /// Three digits after the first byte. `Err`: that byte, since something else follows it.
    fn digits(&mut self) -> Option<Result<u16, Vec<u8>>> {
        let digits = &self.buf[1..];
        if digits.iter().any(|d| !d.is_ascii_digit()) {
            return Some(Err(self.buf.drain(..1).collect()));
        }
        if digits.len() < 3 {
            return None;
        }
        let n = digits.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'));
        self.buf.clear();
        Some(Ok(n))
    }

    fn echo(&mut self) -> Option<Unit> {
        const STATE: &[u8] = &[ESC, b'O', b'S'];
        let len = self.buf.len();
        let ended = if self.buf.starts_with(STATE) { len >= 6 } else { self.buf[len - 1] == EOT };
        if ended && self.buf[len - 1] == EOT {
            let frame = std::mem::take(&mut self.buf);
            return Some(Unit::Echo(frame[1..len - 1].to_vec()));
        }
        // A second ESC begins anew; an endless frame is none.
        if len > 1 && self.buf[len - 1] == ESC && !self.buf.starts_with(STATE) {
            return Some(Unit::Junk(self.buf.drain(..len - 1).collect()));
        }
        if ended || len >= LONGEST_ECHO {
            return Some(Unit::Junk(std::mem::take(&mut self.buf)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(fixed: bool, bytes: &[u8]) -> Vec<Unit> {
        let (mut f, mut out) = (Codenet::new(fixed), Vec::new());
        bytes.iter().for_each(|b| f.push(*b, &mut out));
        out
    }

    #[test]
    fn codenet_replies_glued_to_print_bytes() {
        assert_eq!(
            units(false, b"A\x06A\x15000AA"),
            [Unit::Byte(b'A'), Unit::Ack, Unit::Byte(b'A'), Unit::Nak(0), Unit::Byte(b'A'), Unit::Byte(b'A')]
        );
        assert_eq!(units(true, b"\x06000A\x15027"), [Unit::Ack, Unit::Byte(b'A'), Unit::Nak(27)]);
        assert_eq!(units(false, b"\x1bA01560670600\x04"), [Unit::Echo(b"A01560670600".to_vec())]);
    }

    #[test]
    fn codenet_status_with_raw_bytes_ends_by_length() {
        assert_eq!(units(false, b"\x1bOS\x04\x04\x04\x06"), [Unit::Echo(b"OS\x04\x04".to_vec()), Unit::Ack]);
    }

    #[test]
    fn codenet_finds_the_next_reply_after_nonsense() {
        assert_eq!(units(false, b"\x1bO1\x1bO100100\x04"), [Unit::Junk(b"\x1bO1".to_vec()), Unit::Echo(b"O100100".to_vec())]);
        assert_eq!(units(false, b"\x15\x06"), [Unit::Junk(vec![NAK]), Unit::Ack]);
        let mut long = vec![ESC];
        long.extend(vec![b'z'; LONGEST_ECHO]);
        long.push(ACK);
        assert_eq!(units(false, &long).last(), Some(&Unit::Ack));
    }
}
