//! Zebra's Simple Serial Interface: what a packet says, and how it is acknowledged.
//!
//! A packet is length, opcode, source (00 decoder, 04 host), status, data, checksum (DS2208 and DS9908 guides). Status bit 0:
//! it is sent again; bit 1: more of it follows. The first byte of decoded data is the code's type.
//!
//! What is not here: several packets for one code (type 99, bit 1) and engines that send F4: they are named, not guessed.

/// Opcodes.
const DECODED: u8 = 0xf3;
const EXTENDED: u8 = 0xf4;
const ACKNOWLEDGED: u8 = 0xd0;
const REFUSED: u8 = 0xd1;
/// Status bits.
const AGAIN: u8 = 1;
const MORE: u8 = 2;
const SEVERAL: u8 = 0x99;

/// From the host: the packet was taken (`04 D0 04 00 FF 28`).
pub const ACK: [u8; 6] = [0x04, ACKNOWLEDGED, 0x04, 0x00, 0xff, 0x28];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// What was decoded, behind its AIM identifier where the type has one.
    Code(Vec<u8>),
    /// One code in several packets.
    Multi,
    Other,
    Nonsense,
}

/// The packet without length and checksum.
pub fn data(packet: &[u8]) -> Packet {
    let [op, 0, status, rest @ ..] = packet else { return Packet::Nonsense };
    match (*op, rest) {
        (EXTENDED, _) => Packet::Multi,
        (DECODED, [SEVERAL, ..]) => Packet::Multi,
        (DECODED, _) if status & MORE != 0 => Packet::Multi,
        (DECODED, [kind, code @ ..]) if !code.is_empty() => Packet::Code([aim(*kind), code].concat()),
        (DECODED, _) => Packet::Nonsense,
        _ => Packet::Other,
    }
}

/// The decoder waits for an answer to this packet.
pub fn wants_answer(packet: &[u8]) -> bool {
    matches!(packet, [op, 0, ..] if !matches!(*op, ACKNOWLEDGED | REFUSED))
}

/// The decoder says that it sends this packet again.
pub fn again(packet: &[u8]) -> bool {
    matches!(packet, [_, 0, status, ..] if status & AGAIN != 0)
}

/// The same packet whether it is sent again or not.
pub fn alike(a: &[u8], b: &[u8]) -> bool {
    let same = |i: usize, x: u8, y: u8| if i == 2 { (x ^ y) & !AGAIN == 0 } else { x == y };
    a.len() == b.len() && a.iter().zip(b).enumerate().all(|(i, (x, y))| same(i, *x, *y))
}

/// The symbology identifier of a code type (ISO/IEC 15424); types that were not seen have none.
fn aim(kind: u8) -> &'static [u8] {
    match kind {
        0x1b => b"]d1",
        0xc1 => b"]d2",
        0x0f => b"]C1",
        0x03 => b"]C0",
        0x1c => b"]Q1",
        0xc2 => b"]Q3",
        0x0b => b"]E0",
        _ => b"",
    }
}
