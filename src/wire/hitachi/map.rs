//! The registers of a Hitachi inkjet and the requests for them (UX "TWIN" and TUP-I Modbus manuals): one character is two
//! registers, the high word 0; a write carries at most 246 bytes, a read at most 250.
//!
//! Must never know: what is asked when.

pub const READ_HOLDING: u8 = 3;
pub const READ_INPUT: u8 = 4;
pub const WRITE_ONE: u8 = 6;
pub const WRITE_MANY: u8 = 0x10;

/// Holding: 1 begins a change, 2 carries out what was written since.
pub const CHANGE: u16 = 0x0000;
pub const BEGIN: u16 = 1;
pub const COMMIT: u16 = 2;
/// Holding: how many items the message has, and from here on how many characters each of them has.
pub const ITEMS: u16 = 0x0008;
pub const CHARACTERS: u16 = 0x0020;
/// Holding: the characters of all items, one behind the other.
pub const TEXT: u16 = 0x0084;
/// Holding: 1 online, 0 offline; offline, nothing else can be written or read but the input registers.
pub const ONLINE: u16 = 0x2490;
/// Input: communication, reception, operation, warning.
pub const STATUS: u16 = 0x0000;
/// Input: the print count in two registers.
pub const COUNT: u16 = 0x0052;

/// Items that a message may have.
pub const MOST_ITEMS: u16 = 100;
/// Characters of one write.
const MOST_CHARACTERS: usize = 246 / 4;

/// Registers from `at` on.
pub fn read(function: u8, at: u16, count: u16) -> Vec<u8> {
    let ([a0, a1], [c0, c1]) = (at.to_be_bytes(), count.to_be_bytes());
    vec![function, a0, a1, c0, c1]
}

pub fn write(at: u16, value: u16) -> Vec<u8> {
    let ([a0, a1], [v0, v1]) = (at.to_be_bytes(), value.to_be_bytes());
    vec![WRITE_ONE, a0, a1, v0, v1]
}

/// Characters from the one at `first` on; at most `MOST_CHARACTERS`.
fn characters(first: usize, text: &[u8]) -> Vec<u8> {
    let at = (usize::from(TEXT) + 2 * first) as u16;
    let count = (2 * text.len()) as u16;
    let mut pdu = read(WRITE_MANY, at, count);
    pdu.push((2 * count) as u8);
    pdu.extend(text.iter().flat_map(|b| [0, 0, 0, *b]));
    pdu
}

/// The writes that put a text whose first character is the one at `first`.
pub fn text(first: usize, text: &[u8]) -> Vec<Vec<u8>> {
    let part = |(i, part)| characters(first + i * MOST_CHARACTERS, part);
    text.chunks(MOST_CHARACTERS).enumerate().map(part).collect()
}

/// The registers that a read answered, if they are as many as were asked for.
pub fn words(body: &[u8], count: usize) -> Option<Vec<u16>> {
    let (n, rest) = body.split_first()?;
    let fits = usize::from(*n) == 2 * count && rest.len() == 2 * count;
    fits.then(|| rest.chunks_exact(2).map(|w| u16::from_be_bytes([w[0], w[1]])).collect())
}

/// What an exception means.
pub fn exception(code: u8) -> &'static str {
    match code {
        1 => "function not supported",
        2 => "no such address",
        3 => "value refused",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::modbus::frame::Wrap;

    /// The manual's example: ABC123 becomes the text.
    #[test]
    fn the_manuals_write_of_a_text_byte_for_byte() {
        let pdus = text(0, b"ABC123");
        assert_eq!(pdus.len(), 1);
        let hex: String = Wrap::Tcp.request(0, 1, &pdus[0]).iter().map(|b| format!("{b:02X}")).collect();
        let example = "0000 0000 001F 01 10 0084 000C 18 0000 0041 0000 0042 0000 0043 0000 0031 0000 0032 0000 0033";
        assert_eq!(hex, example.replace(' ', ""));
    }

    #[test]
    fn a_long_text_is_written_in_parts_that_a_write_may_have() {
        let long: Vec<u8> = (0..150).map(|n| b'A' + n % 26).collect();
        let pdus = text(7, &long);
        assert_eq!(pdus.iter().map(|p| p.len() - 6).collect::<Vec<_>>(), [244, 244, 112]);
        let starts: Vec<u16> = pdus.iter().map(|p| u16::from_be_bytes([p[1], p[2]])).collect();
        assert_eq!(starts, [0x84 + 14, 0x84 + 14 + 122, 0x84 + 14 + 244]);
        let written: Vec<u8> = pdus.iter().flat_map(|p| p[6..].chunks(4).map(|c| c[3])).collect();
        assert_eq!(written, long);
    }

    #[test]
    fn registers_are_taken_only_in_the_number_asked_for() {
        assert_eq!(words(&[4, 0, 0x30, 1, 2], 2), Some(vec![0x30, 0x102]));
        assert_eq!(words(&[4, 0, 0x30, 1], 2), None);
        assert_eq!(words(&[2, 0, 0x30], 2), None);
        assert_eq!(words(&[], 0), None);
    }
}
