//! How Modbus requests and answers are wrapped: on TCP with transaction, protocol 0, length and unit (messaging on
//! TCP/IP 1.0b §3.1.3); on a serial line as RTU, with unit and CRC-16 and silences between (Modbus over serial line 1.02
//! §2.5.1).
//!
//! Must never know: what a request asks. Invariant: what is held is bounded by the longest answer.
//!
//! An RTU answer's end is told by its function and byte count, not by the silence behind it: an adapter on USB hands
//! bytes over in its own time. The silence counts the other way: nothing is sent before it (`Silence`).

use super::{READ_COILS, READ_INPUTS, READ_REGISTERS, WRITE_COIL};
use crc::{CRC_16_MODBUS, Crc};

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_MODBUS);
/// Header of TCP, and one answer at most (§3.1.3: 260 bytes in all; RTU: 256).
const HEADER: usize = 7;
const LONGEST: usize = 260;
/// A character on the line: start, eight bits, parity or a second stop, stop (1.02 §2.5.1).
const BITS: u64 = 11;
/// Above this rate the silence no longer shrinks (1.02 §2.5.1.1).
const FAST_BAUD: u32 = 19_200;
const FAST_SILENCE_US: u64 = 1_750;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    Tcp,
    Rtu,
}

/// A whole answer, unwrapped.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// `None`: RTU has none.
    pub transaction: Option<u16>,
    pub unit: u8,
    /// Function and what follows it.
    pub pdu: Vec<u8>,
}

/// What the bytes that came so far are.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Answer(Answer),
    /// More must come.
    Half,
    /// This is no Modbus, or it was garbled on the way.
    Wrong(&'static str),
}

/// How long a serial line takes, and how long it must be silent between one telegram and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    pub between_us: u64,
    character_us: u64,
}

impl Silence {
    pub fn at(baud: u32) -> Self {
        let baud = u64::from(baud.max(1));
        let character_us = (BITS * 1_000_000).div_ceil(baud);
        let between_us = if baud > u64::from(FAST_BAUD) { FAST_SILENCE_US } else { (BITS * 3_500_000).div_ceil(baud) };
        Self { between_us, character_us }
    }

    /// How long so many characters take on the line.
    pub fn carrying(&self, characters: usize) -> u64 {
        self.character_us * characters as u64
    }
}

impl Wrap {
    pub fn request(self, transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
        match self {
            Self::Tcp => {
                let [t0, t1] = transaction.to_be_bytes();
                let [l0, l1] = (pdu.len() as u16 + 1).to_be_bytes();
                [&[t0, t1, 0, 0, l0, l1, unit][..], pdu].concat()
            }
            Self::Rtu => {
                let body = [&[unit][..], pdu].concat();
                let crc = CRC.checksum(&body).to_le_bytes();
                [body, crc.to_vec()].concat()
            }
        }
    }

    /// Takes one whole answer from the front of `buf`.
    pub fn take(self, buf: &mut Vec<u8>) -> Found {
        match self {
            Self::Tcp => tcp(buf),
            Self::Rtu => rtu(buf),
        }
    }
}

fn tcp(buf: &mut Vec<u8>) -> Found {
    if buf.len() < HEADER {
        return Found::Half;
    }
    let length = usize::from(u16::from_be_bytes([buf[4], buf[5]]));
    if buf[2..4] != [0, 0] || !(3..=LONGEST - 6).contains(&length) {
        return Found::Wrong("its answer is no Modbus");
    }
    if buf.len() < 6 + length {
        return Found::Half;
    }
    let bytes: Vec<u8> = buf.drain(..6 + length).collect();
    Found::Answer(Answer { transaction: Some(u16::from_be_bytes([bytes[0], bytes[1]])), unit: bytes[6], pdu: bytes[HEADER..].to_vec() })
}

fn rtu(buf: &mut Vec<u8>) -> Found {
    let length = match buf.as_slice() {
        [_, function, ..] if function & 0x80 != 0 => 5,
        [_, READ_COILS | READ_INPUTS | READ_REGISTERS, bytes, ..] => 5 + usize::from(*bytes),
        [_, WRITE_COIL, ..] => 8,
        [] | [_] | [_, READ_COILS | READ_INPUTS | READ_REGISTERS] => return Found::Half,
        _ => return Found::Wrong("its answer is no Modbus"),
    };
    if buf.len() < length {
        return Found::Half;
    }
    let bytes: Vec<u8> = buf.drain(..length).collect();
    let (body, crc) = bytes.split_at(length - 2);
    if CRC.checksum(body).to_le_bytes() != *crc {
        return Found::Wrong("its answer was garbled (CRC): check the wiring, the termination and the baud rate");
    }
    Found::Answer(Answer { transaction: None, unit: body[0], pdu: body[1..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Modbus over serial line 1.02 gives the polynomial; the bytes are those of its worked request in annex B.
    #[test]
    fn a_telegram_ends_with_its_crc_low_byte_first() {
        assert_eq!(CRC.checksum(&[0x02, 0x07]).to_le_bytes(), [0x41, 0x12]);
        assert_eq!(Wrap::Rtu.request(9, 1, &[5, 0, 3, 0xff, 0]), [1, 5, 0, 3, 0xff, 0, 0x7c, 0x3a]);
    }

    #[test]
    fn an_answer_is_whole_when_its_last_byte_is_there() {
        let whole = Wrap::Rtu.request(0, 1, &[2, 1, 0b10]);
        for n in 0..whole.len() {
            assert_eq!(Wrap::Rtu.take(&mut whole[..n].to_vec()), Found::Half, "{n}");
        }
        let mut two = [whole.clone(), vec![1]].concat();
        assert_eq!(Wrap::Rtu.take(&mut two), Found::Answer(Answer { transaction: None, unit: 1, pdu: vec![2, 1, 0b10] }));
        assert_eq!(two, [1]);
        let mut refused = Wrap::Rtu.request(0, 1, &[0x82, 2]);
        assert!(matches!(Wrap::Rtu.take(&mut refused), Found::Answer(a) if a.pdu == [0x82, 2]));
    }

    #[test]
    fn one_wrong_bit_anywhere_is_noticed() {
        let whole = Wrap::Rtu.request(0, 1, &[4, 4, 0, 0, 0, 7]);
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(Wrap::Rtu.take(&mut bytes), Found::Answer(_)), "bit {bit}");
        }
    }

    #[test]
    fn the_silence_is_three_and_a_half_characters_down_to_a_floor() {
        assert_eq!(Silence::at(9_600).between_us, 4_011);
        assert_eq!(Silence::at(19_200).between_us, 2_006);
        assert_eq!(Silence::at(115_200).between_us, 1_750);
        assert_eq!(Silence::at(9_600).carrying(8), 8 * 1_146);
    }
}
