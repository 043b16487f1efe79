//! The forms in which a GS1 code is told to offices beside its own bytes: what names the thing alone, its EPC URN, its
//! GS1 Digital Link.
//!
//! Must never know: stores, the line. A form tells of the thing (its SGTIN or SSCC); what stands beside that in the code,
//! a crypto tail, a lot, a date, is in none of them.

use super::KeyRule;
use super::gs1::{Message, epc, identity, link};
use super::sscc::check_digit;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forms {
    /// `01<GTIN>21<serial>`, or the 18 digits of an SSCC.
    pub reported: Vec<u8>,
    /// EPC pure identity URN; only where the length of the company prefix is known, and fits.
    pub urn: Option<String>,
    /// Uncompressed Digital Link at GS1's own resolver.
    pub link: String,
}

/// The forms of a code that is a GS1 element string or Digital Link. `numbered`: the code is 18 digits because its range
/// makes SSCCs; any other 18 digits may be anybody's.
pub fn forms(code: &[u8], numbered: bool, company_prefix_len: Option<u8>) -> Option<Forms> {
    let name = KeyRule::Standard.reported(code);
    let sscc = name.len() == 18 && (numbered || *name != *KeyRule::Standard.strip(code)) && right(&name);
    let text = std::str::from_utf8(&name).ok()?;
    let message = match identity::of_element_string(&name) {
        _ if sscc => Message::sscc(text),
        Some(named) if named.beside.is_empty() && text.starts_with("01") => Message::sgtin(&text[2..16], &text[18..]),
        _ => return None,
    };
    let message = message.ok()?;
    Some(Forms {
        urn: company_prefix_len.and_then(|len| epc::write(&message, len).ok()),
        link: link::write(&message, None).ok()?,
        reported: name.into_owned(),
    })
}

fn right(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit) && digits.split_last().is_some_and(|(last, rest)| check_digit(rest) == *last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_russian_code_is_told_without_its_tail() {
        let f = forms(b"\x1d0104601234567893215!ab&\x1d91EE06\x1d92dGVzdA==", false, Some(7)).unwrap();
        assert_eq!(f.reported, b"0104601234567893215!ab&");
        assert_eq!(f.urn.as_deref(), Some("urn:epc:id:sgtin:4601234.056789.5!ab%26"));
        assert_eq!(f.link, "https://id.gs1.org/01/04601234567893/21/5%21ab%26");
        assert_eq!(forms(b"0104601234567893215!ab&", false, None).unwrap().urn, None);
    }

    #[test]
    fn a_link_and_an_sscc_too() {
        let f = forms(b"https://q.example/01/04601234567893/21/A1?17=271231", false, Some(9)).unwrap();
        assert_eq!((&*f.reported, f.urn.as_deref()), (&b"010460123456789321A1"[..], Some("urn:epc:id:sgtin:460123456.0789.A1")));
        for (code, numbered) in [(&b"00069012340000000016"[..], false), (b"069012340000000016", true)] {
            let f = forms(code, numbered, Some(7)).unwrap();
            assert_eq!((&*f.reported, f.link.as_str()), (&b"069012340000000016"[..], "https://id.gs1.org/00/069012340000000016"));
            assert_eq!(f.urn.as_deref(), Some("urn:epc:id:sscc:6901234.0000000001"));
        }
    }

    #[test]
    fn what_is_no_gs1_code_has_no_forms() {
        for code in [
            &b"https://q.example/T1"[..],
            b"069012340000000016",
            b"C00000001",
            b"0104601234567894215",
            b"81234567890123456789",
            b"\xff\x00",
            b"",
        ] {
            assert_eq!(forms(code, false, Some(7)), None, "{code:?}");
        }
        assert_eq!(forms(b"069012340000000017", true, Some(7)), None, "a wrong check digit");
    }
}
