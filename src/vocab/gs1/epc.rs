//! EPC pure identity URNs of SGTIN and SSCC (GS1 EPC Tag Data Standard 6.3.1, 6.3.2). How long the company prefix is, the
//! number does not say: the caller knows.
//!
//! Must never know: other EPC schemes. AIs beside the identity are attributes and do not enter the URN.

use super::escape::unescape_path;
use super::message::Message;
use super::refusal::Refusal;
use crate::vocab::sscc::check_digit;

const SGTIN: &str = "urn:epc:id:sgtin:";
const SSCC: &str = "urn:epc:id:sscc:";

/// Characters of CSET 82 that a URN must escape.
const ESCAPED: &[u8] = b"\"%&/<>?";

/// The URN of a message that holds 01 and 21, or 00. `company_prefix_len`: 6 to 12 digits.
pub fn write(m: &Message, company_prefix_len: u8) -> Result<String, Refusal> {
    let len = usize::from(company_prefix_len);
    if !(6..=12).contains(&len) {
        return Err(Refusal::CompanyPrefix { digits: len });
    }
    // The first digit (indicator or extension) moves behind the prefix, the check digit goes.
    let parted = |d: &str| format!("{}.{}{}", &d[1..=len], &d[..1], &d[len + 1..d.len() - 1]);
    if let Some(sscc) = m.value("00") {
        return Ok(format!("{SSCC}{}", parted(sscc)));
    }
    match (m.value("01"), m.value("21")) {
        (Some(gtin), Some(serial)) => {
            let escaped: String =
                serial.bytes().map(|b| if ESCAPED.contains(&b) { format!("%{b:02X}") } else { (b as char).to_string() }).collect();
            Ok(format!("{SGTIN}{}.{escaped}", parted(gtin)))
        }
        _ => Err(Refusal::NotAnEpc { why: "it needs 01 with 21, or 00" }),
    }
}

/// Reads a URN; also answers the length of its company prefix.
pub fn parse(urn: &str) -> Result<(Message, u8), Refusal> {
    let not = |why| Refusal::NotAnEpc { why };
    let (body, width) = match (urn.strip_prefix(SGTIN), urn.strip_prefix(SSCC)) {
        (Some(body), _) => (body, 13),
        (_, Some(body)) => (body, 17),
        _ => return Err(not("it begins with neither urn:epc:id:sgtin: nor urn:epc:id:sscc:")),
    };
    let mut parts = body.splitn(3, '.');
    let (Some(prefix), Some(reference)) = (parts.next(), parts.next()) else {
        return Err(not("its parts are company prefix and reference, with a point between"));
    };
    if !prefix.bytes().chain(reference.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(not("company prefix and reference are digits"));
    }
    if !(6..=12).contains(&prefix.len()) {
        return Err(Refusal::CompanyPrefix { digits: prefix.len() });
    }
    if prefix.len() + reference.len() != width {
        return Err(not("company prefix and reference have 13 digits together (SGTIN), or 17 (SSCC)"));
    }
    let mut digits = format!("{}{prefix}{}", &reference[..1], &reference[1..]);
    digits.push(check_digit(digits.as_bytes()) as char);
    let m = match (width, parts.next()) {
        (17, None) => Message::sscc(&digits)?,
        (13, Some(serial)) => {
            // A `%` that is still there begins no escape.
            let bare = unescape_path(serial.as_bytes()).len() + 2 * serial.matches('%').count() != serial.len();
            if bare || serial.bytes().any(|b| b != b'%' && ESCAPED.contains(&b)) {
                return Err(not("its serial holds a character that must be escaped"));
            }
            let serial = String::from_utf8(unescape_path(serial.as_bytes())).map_err(|_| not("its serial is no text"))?;
            Message::sgtin(&digits, &serial)?
        }
        (17, Some(_)) => return Err(not("an SSCC has no third part")),
        _ => return Err(not("its serial is missing")),
    };
    Ok((m, prefix.len() as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_urns_are_refused() {
        for (urn, why) in [
            ("urn:epc:id:sgln:0614141.11111.0", "begins with neither"),
            ("urn:epc:id:sgtin:0614141.812345", "serial is missing"),
            ("urn:epc:id:sgtin:0614141.812345.", "(21) has no value"),
            ("urn:epc:id:sgtin:0614141.81234.1", "13 digits together"),
            ("urn:epc:id:sgtin:06141.81234567.1", "6 to 12 digits, not 5"),
            ("urn:epc:id:sgtin:0614141.812345.a/b", "must be escaped"),
            ("urn:epc:id:sgtin:0614141.812345.a%zz", "must be escaped"),
            ("urn:epc:id:sgtin:0614141.812345.a%E4%B8%AD", "character 2"),
            ("urn:epc:id:sscc:0614141.1234567890.1", "no third part"),
            ("urn:epc:id:sscc:0614141.123456789x", "are digits"),
        ] {
            let said = parse(urn).map(|_| String::new()).unwrap_or_else(|e| e.to_string());
            assert!(said.contains(why), "{urn}: {said}");
        }
        assert!(write(&Message::parse(b"10LOT").expect("a lot"), 7).is_err());
        assert_eq!(write(&Message::sscc("106141412345678908").expect("good"), 5), Err(Refusal::CompanyPrefix { digits: 5 }));
    }
}
