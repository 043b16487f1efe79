//! Labels as each language has them, and what may not stand on one.

use super::*;
use crate::profile::Profiles;

fn bound(profile: &str) -> Bound {
    Profiles::load(None).unwrap_or_else(|e| panic!("{e:?}")).bind(profile, &Default::default()).unwrap()
}

fn made(profile: &str, template: Option<&str>, code: &[u8], sscc: bool, lot: &str) -> Result<String, String> {
    render(&bound(profile), template, &Fill { code, sscc, lot, count: 4 }).map(|b| String::from_utf8(b).unwrap())
}

fn text(template: Option<&str>, code: &[u8], sscc: bool, lot: &str) -> String {
    made("zebra-zpl", template, code, sscc, lot).unwrap()
}

#[test]
fn the_plain_label_of_an_sscc() {
    let s = text(None, b"069012340000000014", true, "L-7");
    assert!(s.starts_with("^XA\n") && s.ends_with("^XZ\n"), "{s}");
    assert!(s.contains("^BCN,240,N,N,N^FD>;>800069012340000000014^FS"), "{s}");
    assert!(s.contains("^FDLOT L-7^FS") && s.contains("^FDQTY 4^FS") && s.contains("^FD069012340000000014^FS"), "{s}");
    assert!(!s.contains('{') && !s.contains("^FH"));
}

#[test]
fn no_value_can_be_a_command() {
    let s = text(Some("^XA^FO1,1^FDa\\b {lot}^FS^FO2,2^BCN^FD{gs1}^FS^FX {lot}^FS^XZ"), b"C>1\x1d2", false, "x^XZ~JA\\");
    assert!(s.contains("^FO1,1^FH\\^FDa\\5Cb x\\5EXZ\\7EJA\\5C^FS"), "{s}");
    assert!(s.contains("^BCN^FD>:C>01>82^FS"), "{s}");
    assert!(s.contains("^FX xXZJA\\^FS"), "{s}");
    assert_eq!(s.matches("^XZ").count(), 1);
}

#[test]
fn a_templates_own_hex_indicator_is_kept() {
    assert_eq!(text(Some("^XA^FH^FD_41 {code}^FS^XZ"), b"_^", false, ""), "^XA^FH^FD_41 _5F_5E^FS^XZ");
    assert_eq!(text(Some("^XA^FH%^FD{code}%^FS^XZ"), b"50%", false, ""), "^XA^FH%^FD50%25%^FS^XZ");
    assert_eq!(text(Some("{x} { {code}"), b"1", false, ""), "{x} { 1");
}

#[test]
fn each_language_has_its_own_label() {
    for (profile, begins, sscc, plain, ends) in [
        ("sato-sbpl", "\x1bA\x1bH0040", "\x1bBG03240>I>F00069012340000000014\x1b", "\x1bBG03240>HC00000001\x1b", "\x1bQ1\x1bZ"),
        ("tsc-tspl", "SIZE 100 mm,60 mm\r\n", ",\"!105!10200069012340000000014\"\r\n", ",\"!104C00000001\"\r\n", "\r\nPRINT 1,1\r\n"),
        (
            "cab-jscript",
            "m m\r\nJ\r\n",
            ",EAN128,30,0.4;(00)069012340000000014\r\n",
            ",CODE128,30,0.4;[U:CODEB]C00000001\r\n",
            "\r\nA 1\r\n",
        ),
        ("honeywell-dpl", "\x02L\rD11\r", "\r1e6310000700020C&G00069012340000000014\r", "\r1e6310000700020BC00000001\r", "\rQ0001\rE\r"),
        ("godex-ezpl", "^P1\r^L\r", ",C&G00069012340000000014\r", ",BC00000001\r", "\rE\r"),
    ] {
        let s = made(profile, None, b"069012340000000014", true, "L-7").unwrap();
        assert!(s.starts_with(begins) && s.contains(sscc) && s.ends_with(ends), "{profile}: {}", s.escape_debug());
        assert!(s.contains("LOT L-7") && s.contains("QTY 4") && s.matches("069012340000000014").count() == 2, "{profile}: {s}");
        let s = made(profile, None, b"C00000001", false, "L-7").unwrap();
        assert!(s.starts_with(begins) && s.contains(plain) && s.ends_with(ends), "{profile}: {}", s.escape_debug());
        assert!(!s.contains('{') && !s.contains("<ESC>") && !s.contains("<STX>"), "{profile}: {s}");
    }
    // GS inside a code that is no SSCC is FNC1.
    assert!(made("tsc-tspl", None, b"a\x1db", false, "L").is_err(), "as text it cannot stand there");
    assert_eq!(made("tsc-tspl", Some("{gs1}"), b"a\x1db", false, "L").unwrap(), "!104a!102b");
}

#[test]
fn what_cannot_be_written_is_refused_with_a_sentence() {
    for (profile, lot, says) in [
        ("sato-sbpl", "a\x1bb", "lot a\\u{1b}b cannot stand on this printer's labels: "),
        ("tsc-tspl", "a\\b", "holds the byte 5C"),
        ("tsc-tspl", "a\r\nPRINT 9", "printable"),
        ("cab-jscript", "[I]", "holds the byte 5B"),
        ("honeywell-dpl", "a\rQ0099", "printable"),
        ("godex-ezpl", "^C9", "holds the byte 5E"),
        ("godex-ezpl", "甲班", "printable"),
    ] {
        let e = made(profile, None, b"C1", false, lot).unwrap_err();
        assert!(e.contains(says), "{profile}: {e}");
    }
    for (profile, code, says) in
        [("sato-sbpl", &b"C>1"[..], "3E"), ("tsc-tspl", b"C!1", "21"), ("honeywell-dpl", b"C&1", "26"), ("godex-ezpl", b"C&1", "26")]
    {
        let e = made(profile, Some("{gs1}"), code, false, "L").unwrap_err();
        assert!(e.starts_with("code C") && e.contains(says), "{profile}: {e}");
    }
    assert_eq!(made("tsc-tspl", Some("\"{lot}\""), b"C1", false, "5\" pipe").unwrap(), "\"5\\[\"] pipe\"");
}

#[test]
fn wrong_templates_are_told_all_at_once() {
    let rules = |profile: &str| bound(profile).profile.talk.unwrap().label.clone().unwrap().traits();
    assert_eq!(rules("zebra-zpl").complaints("^FD{sscc}^FS").len(), 4, "no beginning, no end, no code, no such place");
    assert_eq!(rules("sato-sbpl").complaints("\x1bA\x1bH1{code}\x1bZ"), [], "characters themselves instead of their names");
    assert_eq!(rules("zebra-zpl").complaints("^XA {x y} {code}^XZ"), []);
}
