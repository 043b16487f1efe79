//! From the fields of a format to what a scanner reads: Code 128 (`^BC`), Data Matrix (`^BX`), QR (`^BQ`), others plain.
//!
//! Source: ZPL II programming guide, ^BC "Code 128 subsets" and modes, ^BX quality 200, ^BQ, ^FH; from memory where
//! the guide is not at hand (invocation codes, escape of ^BX).

use super::super::{Label, Transmitted};
use crate::vocab::sscc::check_digit;

#[derive(Clone, Debug, Default)]
pub struct Field {
    kind: Option<Kind>,
    hex_mark: Option<u8>,
    data: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Mode letter: N, U, A or D.
    Code128(u8),
    /// Escape character.
    DataMatrix(u8),
    Qr,
    Plain,
}

impl Field {
    /// One command of this field.
    pub fn take(&mut self, name: &[u8], parameters: &[u8]) {
        let letter = |i: usize| parameters.split(|b| *b == b',').nth(i).and_then(|p| p.first()).copied();
        match name {
            b"BC" => self.kind = Some(Kind::Code128(letter(5).unwrap_or(b'N').to_ascii_uppercase())),
            b"BX" => self.kind = Some(Kind::DataMatrix(letter(6).unwrap_or(b'_'))),
            b"BQ" => self.kind = Some(Kind::Qr),
            b"BY" => {}
            [b'B', _] => self.kind = Some(Kind::Plain),
            b"FH" => self.hex_mark = Some(parameters.first().copied().unwrap_or(b'_')),
            b"FD" => self.data = Some(parameters.to_vec()),
            _ => {}
        }
    }

    /// What a scanner reads from it; `None`: no symbol.
    pub fn label(&self) -> Option<Label> {
        let kind = self.kind?;
        let data = self.data.as_ref()?;
        let data = self.hex_mark.map_or_else(|| data.clone(), |mark| unescape_hex(data, mark));
        let (symbol, gs1) = match kind {
            Kind::Code128(b'D') => parenthesised(&data),
            Kind::Code128(b'U') => ([&data[..], &[check(&data)?]].concat(), true),
            Kind::Code128(_) => code_128(&data),
            Kind::DataMatrix(escape) => data_matrix(&data, escape),
            Kind::Qr => (qr(&data).to_vec(), false),
            Kind::Plain => (data, false),
        };
        (!symbol.is_empty()).then_some(Label { symbol, gs1 })
    }
}

/// Mode U: exactly 19 digits, the printer adds the check digit.
fn check(data: &[u8]) -> Option<u8> {
    (data.len() == 19 && data.iter().all(u8::is_ascii_digit)).then(|| check_digit(data))
}

/// `^FH`: the mark and two hex digits are one byte.
fn unescape_hex(data: &[u8], mark: u8) -> Vec<u8> {
    let digit = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some((&b, after)) = rest.split_first() {
        match after.first_chunk::<2>().map(|p| p.map(digit)) {
            Some([Some(high), Some(low)]) if b == mark => {
                out.push(high << 4 | low);
                rest = &after[2..];
            }
            _ => {
                out.push(b);
                rest = after;
            }
        }
    }
    out
}

/// Modes N and A: `>` and one character is a start, a subset, a function or one of three characters.
fn code_128(data: &[u8]) -> (Vec<u8>, bool) {
    let mut t = Transmitted::default();
    let mut rest = data;
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        if b != b'>' {
            t.bytes.push(b);
            continue;
        }
        let Some((&code, after)) = rest.split_first() else { break };
        rest = after;
        match code {
            b'0' => t.bytes.push(b'>'),
            b'<' => t.bytes.push(b'^'),
            b'=' => t.bytes.push(b'~'),
            b'1' => t.bytes.push(0x7f),
            b'8' => t.fnc1(),
            // FNC2–4, shift, subsets A–C, starts A–C.
            _ => {}
        }
    }
    (t.bytes, t.gs1)
}

/// Mode D: application identifiers in parentheses, spaces for the eye; FNC1 in front and after variable fields.
pub(in super::super) fn parenthesised(data: &[u8]) -> (Vec<u8>, bool) {
    const FIXED: &[&[u8]] = &[b"00", b"01", b"02", b"11", b"12", b"13", b"15", b"16", b"17", b"20"];
    let mut t = Transmitted { gs1: true, ..Transmitted::default() };
    for element in data.split(|b| *b == b'(').filter(|e| !e.is_empty()) {
        let (ai, value) = match element.iter().position(|b| *b == b')') {
            Some(i) => (&element[..i], &element[i + 1..]),
            None => (&element[..0], element),
        };
        t.bytes.extend(ai);
        t.bytes.extend(value.iter().filter(|b| **b != b' '));
        if !FIXED.contains(&ai) {
            t.bytes.push(Transmitted::GS);
        }
    }
    // Nothing separates the last element from the end.
    if t.bytes.last() == Some(&Transmitted::GS) {
        t.bytes.pop();
    }
    (t.bytes, t.gs1)
}

/// Quality 200: escape, then `1` FNC1, `dNNN` a byte, itself; other letters are functions that nobody transmits.
fn data_matrix(data: &[u8], escape: u8) -> (Vec<u8>, bool) {
    let mut t = Transmitted::default();
    let mut rest = data;
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        match rest {
            [b'1', tail @ ..] if b == escape => {
                t.fnc1();
                rest = tail;
            }
            [b'd', a @ b'0'..=b'2', b2 @ b'0'..=b'9', c @ b'0'..=b'9', tail @ ..] if b == escape => {
                let n = u32::from(a - b'0') * 100 + u32::from(b2 - b'0') * 10 + u32::from(c - b'0');
                t.bytes.extend(u8::try_from(n));
                rest = tail;
            }
            [e, tail @ ..] if b == escape && *e == escape => {
                t.bytes.push(escape);
                rest = tail;
            }
            _ => t.bytes.push(b),
        }
    }
    (t.bytes, t.gs1)
}

/// Error correction letter, input mode, comma; in manual mode a kind and, for bytes, four digits of length.
fn qr(data: &[u8]) -> &[u8] {
    match data {
        [b'H' | b'Q' | b'M' | b'L', b'M' | b'm', b',', b'B', _, _, _, _, rest @ ..] => rest,
        [b'H' | b'Q' | b'M' | b'L', b'M' | b'm', b',', _, rest @ ..] => rest,
        [b'H' | b'Q' | b'M' | b'L', b'A' | b'a', b',', rest @ ..] => rest,
        _ => data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(commands: &[(&str, &str)]) -> Label {
        let mut f = Field::default();
        for (name, parameters) in commands {
            f.take(name.as_bytes(), parameters.as_bytes());
        }
        f.label().expect("a symbol")
    }

    #[test]
    fn an_sscc_is_the_same_in_every_notation() {
        for commands in [
            &[("BY", "3"), ("BC", "N,120,Y,N,N"), ("FD", ">;>800069012340000000016")][..],
            &[("BC", "N,120,Y,N,Y,D"), ("FD", "(00)0 6901234 000000001 6")],
            &[("BC", "N,120,Y,N,Y,U"), ("FD", "0006901234000000001")],
            &[("BX", "N,8,200"), ("FD", "_100069012340000000016")],
            &[("BC", "N"), ("FH", ""), ("FD", ">;>8000_36_39012340000000016")],
        ] {
            let l = label(commands);
            assert_eq!((&l.symbol[..], l.gs1), (&b"00069012340000000016"[..], true), "{commands:?}");
            assert_eq!(l.code(), b"069012340000000016");
        }
    }

    #[test]
    fn other_codes_are_what_they_are() {
        assert_eq!(label(&[("BC", "N,100"), ("FD", ">:C00000001>6x>0>8y")]).code(), b"C00000001x>\x1dy");
        assert_eq!(label(&[("BQ", "N,2,5"), ("FD", "QA,https://t.example/A1")]).code(), b"https://t.example/A1");
        assert_eq!(label(&[("BQ", "N,2,5"), ("FD", "MM,B0003abc")]).code(), b"abc");
        assert_eq!(label(&[("BX", "N,8,200"), ("FD", "_101069012345678922112__3_1x_d029y")]).code(), b"01069012345678922112_3\x1dx\x1dy");
        assert_eq!(label(&[("B3", "N"), ("FD", "ABC")]).code(), b"ABC");
        assert_eq!(label(&[("BC", "N"), ("FH", "#"), ("FD", "a#5Eb#7Ec#zz")]).code(), b"a^b~c#zz");
        let twenty_digits = label(&[("BC", "N"), ("FD", ">;00069012340000000016")]);
        assert_eq!((twenty_digits.gs1, twenty_digits.code()), (false, &b"00069012340000000016"[..]), "no FNC1: no SSCC");
    }

    #[test]
    fn text_is_no_symbol() {
        let mut f = Field::default();
        f.take(b"A0", b"N,40,40");
        f.take(b"FD", b"LOT 1");
        assert_eq!(f.label(), None);
    }
}
