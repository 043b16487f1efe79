//! Checksums of frames, as a profile names them: made for one side, checked by the other.

use crate::profile::reader::{Checksum, Order, Sum, SumForm};

const ARC: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_ARC);
const CCITT: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_IBM_3740);

/// Its bytes on the wire, over these pieces in order.
pub fn bytes(how: &Checksum, over: &[&[u8]]) -> Vec<u8> {
    let all = || over.iter().flat_map(|p| p.iter().copied());
    let sum = || all().fold(0_u16, |s, b| s.wrapping_add(u16::from(b)));
    let short = |b: u8| vec![b];
    let long = |w: u16| w.to_be_bytes().to_vec();
    let cyclic = |crc: &'static crc::Crc<u16>| {
        let mut digest = crc.digest();
        over.iter().for_each(|p| digest.update(p));
        long(digest.finalize())
    };
    let mut value = match how.kind {
        Sum::Xor => short(all().fold(0, |x, b| x ^ b)),
        Sum::Sum => short(sum() as u8),
        Sum::Lrc => short((sum() as u8).wrapping_neg()),
        Sum::Crc16 => cyclic(&ARC),
        Sum::CrcCcitt => cyclic(&CCITT),
        Sum::Twos16 => long(sum().wrapping_neg()),
    };
    if how.order == Order::Little {
        value.reverse();
    }
    match how.form {
        SumForm::Binary => value,
        SumForm::Hex => value.iter().map(|b| format!("{b:02X}")).collect::<String>().into_bytes(),
    }
}

/// Are these its bytes? Hex in either case.
pub fn holds(how: &Checksum, over: &[&[u8]], found: &[u8]) -> bool {
    let want = bytes(how, over);
    match how.form {
        SumForm::Binary => want == found,
        SumForm::Hex => want.eq_ignore_ascii_case(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::reader::{Covers, SumPlace};

    fn of(kind: Sum) -> Checksum {
        Checksum { kind, covers: Covers::Body, form: SumForm::Binary, place: SumPlace::BeforeEnd, order: Order::Big }
    }

    /// The check values of the CRC catalogue ("123456789"), and the packets of the SSI guides.
    #[test]
    fn known_values() {
        let digits: &[&[u8]] = &[b"1234", b"56789"];
        assert_eq!(bytes(&of(Sum::Crc16), digits), [0xbb, 0x3d]);
        assert_eq!(bytes(&of(Sum::CrcCcitt), digits), [0x29, 0xb1]);
        assert_eq!(bytes(&of(Sum::Sum), digits), [0xdd]);
        assert_eq!(bytes(&of(Sum::Lrc), digits), [0x23]);
        assert_eq!(bytes(&of(Sum::Xor), digits), [0x31]);
        assert_eq!(bytes(&of(Sum::Twos16), &[b"\x04\xd0\x04\x00"]), [0xff, 0x28]);
        assert_eq!(bytes(&of(Sum::Twos16), &[b"\x04\xe4\x04\x00"]), [0xff, 0x14]);
        assert_eq!(bytes(&of(Sum::Twos16), &[b"\x08\xf3\x00\x00\x1bABC"]), [0xfe, 0x24]);
    }

    #[test]
    fn order_and_hex() {
        let hex = Checksum { form: SumForm::Hex, order: Order::Little, ..of(Sum::Crc16) };
        assert_eq!(bytes(&hex, &[b"123456789"]), b"3DBB");
        assert!(holds(&hex, &[b"123456789"], b"3dbB") && !holds(&hex, &[b"123456789"], b"3dbC") && !holds(&hex, &[b""], b""));
    }
}
