//! Key rules: what is one code and what is another, and the laws that hold for any bytes.

use super::*;
use proptest::prelude::*;

const SGTIN: &[u8] = b"010460123456789321ABC(12";
const S: KeyRule = KeyRule::Standard;

fn pattern(text: &str) -> KeyRule {
    KeyRule::parse(&format!("pattern:{text}")).expect("a pattern")
}

fn key(rule: KeyRule, code: &[u8]) -> String {
    String::from_utf8_lossy(&rule.key_of(code)).into_owned()
}

#[test]
fn numbers_are_for_ever() {
    let p = pattern("https://q.example/{key}");
    assert_eq!([KeyRule::Identity, KeyRule::Sscc, S].map(KeyRule::number), [1, 2, 3]);
    // Frozen: it stands in segments.
    assert_eq!(p.number(), 0xafb6);
    for rule in [KeyRule::Identity, KeyRule::Sscc, S] {
        assert_eq!(KeyRule::from_number(rule.number()), Some(rule));
    }
    assert_eq!(KeyRule::from_number(p.number()), None);
    assert_eq!(KeyRule::numbered(p.number(), p), Some(p));
    assert_eq!(KeyRule::numbered(p.number(), S), None, "another pattern's segment");
    assert_eq!(KeyRule::numbered(1, p), Some(KeyRule::Identity));
    assert_eq!(KeyRule::parse(&p.to_string()), Ok(p));
}

#[test]
fn an_sscc_is_found_without_aim_fnc1_and_ai() {
    for scan in [&b"069012340000000016"[..], b"00069012340000000016", b"]C100069012340000000016", b"]C1\x1d00069012340000000016"] {
        assert_eq!(key(KeyRule::Sscc, scan), "069012340000000016");
    }
    assert_eq!(key(KeyRule::Identity, b"00069012340000000016"), "00069012340000000016");
    for scan in [&b"069012340000000016"[..], b"]C100069012340000000016", b"https://q.example/00/069012340000000016"] {
        assert_eq!(key(S, scan), "069012340000000016");
        assert!(S.agrees(b"00069012340000000016", scan));
    }
    assert_eq!(key(S, b"00069012340000000019"), "00069012340000000019", "a wrong check digit is no SSCC");
}

#[test]
fn one_sgtin_has_one_key_in_every_form() {
    let name = "010460123456789321ABC(12";
    for scan in [
        &b"010460123456789321ABC(12"[..],
        b"]d2010460123456789321ABC(12",
        b"\x1d010460123456789321ABC(12\x1d91EE06\x1d92dGVzdA==",
        b"]d2010460123456789321ABC(12\x1d93dGVz",
        b"010460123456789317260101" as &[u8],
        b"21ABC(12\x1d0104601234567893",
        b"https://q.example/01/04601234567893/21/ABC%2812",
        b"HTTP://Q.example/x/01/4601234567893/10/L/21/ABC%2812?17=260101&utm=x#top",
    ] {
        let want = if scan.ends_with(b"260101") { "010460123456789317260101" } else { name };
        assert_eq!(key(S, scan), want, "{}", String::from_utf8_lossy(scan));
    }
    assert_ne!(key(S, b"010460123456789421ABC(12"), name, "another number");
    assert_ne!(key(S, b"010460123456789321abc(12"), name, "case counts");
    assert_eq!(
        key(S, b"010460123456789321ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        "010460123456789321ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "no serial is that long"
    );
}

#[test]
fn the_bytes_judge_beyond_the_key() {
    let full = b"\x1d010460123456789321ABC(12\x1d91EE06\x1d92dGVzdA==";
    let agrees = |scan: &[u8]| {
        assert_eq!(S.key_of(full), S.key_of(scan));
        S.agrees(full, scan)
    };
    assert!(agrees(b"]d2010460123456789321ABC(12\x1d91EE06\x1d92dGVzdA=="));
    assert!(!agrees(b"]d2010460123456789321ABC(12\x1d91EE06\x1d92dGVzdB=="), "another crypto tail");
    assert!(!agrees(b"]d2010460123456789321ABC(12"), "no crypto tail");
    assert!(S.agrees(SGTIN, b"https://q.example/01/04601234567893/21/ABC%2812"));
    assert!(!S.agrees(SGTIN, b"https://q.example/01/04601234567893/21/ABC%2812?17=260101"));
    let url = b"https://q.example/b/AbC";
    assert!(S.agrees(url, b"HTTP://Q.EXAMPLE:80/b/AbC/#x"));
    assert!(!S.agrees(url, b"https://q.example/b/abc") && !S.agrees(url, b"https://q.example/b/AbC?x=1"));
    assert!(
        !S.agrees(b"https://q.example/01/04601234567893/21/A", b"https://r.example/01/04601234567893/21/A"),
        "another host was printed"
    );
    assert!(!KeyRule::Identity.agrees(url, b"http://q.example/b/AbC"));
    assert!(KeyRule::Identity.agrees(url, b"]Q1https://q.example/b/AbC"));
}

#[test]
fn only_what_names_the_thing_is_reported() {
    let russian = b"\x1d010460123456789321ABC(12\x1d91EE06\x1d92dGVzdA==";
    assert_eq!(&*S.reported(russian), SGTIN);
    assert_eq!(&*S.reported(b"https://q.example/01/04601234567893/21/ABC%2812"), SGTIN);
    assert_eq!(&*S.reported(b"]Q1https://q.example/T"), b"https://q.example/T");
    assert_eq!(&*S.reported(b"00069012340000000016"), b"069012340000000016");
    assert_eq!(&*KeyRule::Identity.reported(russian), &russian[1..]);
}

#[test]
fn urls_without_what_does_not_matter() {
    for (url, want) in [
        ("https://Q.Example/AbC", "//q.example/AbC"),
        ("hTTp://q.example:80/AbC/", "//q.example/AbC"),
        ("https://q.example:443/AbC/?x=/#f", "//q.example/AbC?x=/"),
        ("https://q.example:80/A", "//q.example:80/A"),
        ("https://Me@Q.example", "//Me@q.example"),
        ("https://q.example/", "//q.example"),
        ("https://[2001:DB8::1]/A", "//[2001:db8::1]/A"),
        ("https://", "https://"),
        ("https://q.example/a b", "https://q.example/a b"),
        ("ftp://q.example/A", "ftp://q.example/A"),
        ("https://q.example/二维/A", "//q.example/二维/A"),
    ] {
        assert_eq!(key(S, url.as_bytes()), want);
    }
}

#[test]
fn drug_codes_in_both_forms() {
    for scan in ["81234567890123456789", "]C181234567890123456789", "http://q.example/x/81234567890123456789"] {
        assert_eq!(key(S, scan.as_bytes()), "81234567890123456789");
    }
    assert!(S.agrees(b"81234567890123456789", b"https://q.example/81234567890123456789/"));
    assert_eq!(key(S, b"https://q.example/91234567890123456789"), "//q.example/91234567890123456789");
}

#[test]
fn a_pattern_takes_the_key_out() {
    for (text, code, want) in [
        ("https://q.example/{key}", "HTTP://Q.EXAMPLE/AbC/", "AbC"),
        ("https://Q.example/{key}", "https://q.example/AbC", "AbC"),
        ("https://q.example/{key}", "https://q.example/AbC?x=1", "https://q.example/AbC?x=1"),
        ("https://q.example/{key}*", "https://q.example/AbC?x=1", "AbC"),
        ("https://q.example/{key}", "https://r.example/AbC", "https://r.example/AbC"),
        ("*/b/{key}?*", "https://q.example/a/b/AbC?x=1", "AbC"),
        ("*/b/{key}?*", "https://q.example/b/b/b/AbC?x", "AbC"),
        ("*/b/{key}?*", "https://q.example/b/AbC", "https://q.example/b/AbC"),
        ("*?k={key}*", "https://q.example/x?k=AbC=&l=1", "AbC="),
        ("*?*k={key}", "https://q.example/x?l=1&k=AbC", "AbC"),
        ("SN/{key}", "]d1SN/77", "77"),
        ("SN/{key}", "77", "77"),
    ] {
        assert_eq!(key(pattern(text), code.as_bytes()), want, "{text} on {code}");
    }
    let rule = pattern("*/b/{key}?*");
    assert!(rule.agrees(b"https://q.example/b/A?x=1", b"http://q.example/b/A?x=2"));
    assert!(!rule.agrees(b"https://q.example/b/A?x=1", b"http://q.example/b/B?x=1"));
    assert_ne!(pattern("*/b/{key}").number(), pattern("*/c/{key}").number());
}

#[test]
fn patterns_that_cannot_work_are_refused_with_the_reason() {
    for (text, why) in [
        ("https://q.example/", PatternError::OneKey),
        ("a/{key}/{key}", PatternError::OneKey),
        ("*{key}/", PatternError::Star),
        ("a/{key}.html", PatternError::Ending),
        ("SN{key}", PatternError::NoBoundary),
        ("a /{key}", PatternError::Characters),
        ("x", PatternError::Characters),
    ] {
        assert_eq!(Pattern::parse(text), Err(why), "{text}");
    }
    assert_eq!(KeyRule::parse("sscc"), Err(PatternError::Word), "ranges choose it, no configuration does");
}

/// Pieces from which codes of every form, whole and broken, come about.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        &b"]d2"[..],
        b"]Q1",
        b"\x1d",
        b"01",
        b"04601234567893",
        b"21",
        b"00",
        b"069012340000000016",
        b"91EE06",
        b"92dGVz=",
        b"https://",
        b"HTTP://",
        b"q.example",
        b"Q.Example:443",
        b"/",
        b"/01/04601234567893",
        b"/21/",
        b"AbC",
        b"%2F",
        b"?17=260101",
        b"#x",
        b"81234567890123456789",
        b"/b/",
        b"?k=",
        b"//",
    ];
    prop_oneof![
        4 => proptest::sample::select(words.map(<[u8]>::to_vec).to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ]
}

fn code() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(piece(), 0..8).prop_map(|p| p.concat())
}

fn rules() -> Vec<KeyRule> {
    static PATTERNS: std::sync::OnceLock<Vec<KeyRule>> = std::sync::OnceLock::new();
    let patterns = PATTERNS.get_or_init(|| ["https://q.example/{key}*", "*/b/{key}*", "*?k={key}", "//{key}"].map(pattern).to_vec());
    [&[S], patterns.as_slice()].concat()
}

proptest! {
    #[test]
    fn the_key_of_a_key_is_that_key(code in code()) {
        for rule in rules() {
            let once = rule.key_of(&code).into_owned();
            let twice = rule.key_of(&once).into_owned();
            prop_assert_eq!(&twice, &once, "{}", rule);
        }
    }

    #[test]
    fn agreeing_is_reflexive_and_symmetric_and_means_one_key(a in code(), b in code()) {
        for rule in rules().into_iter().chain([KeyRule::Identity, KeyRule::Sscc]) {
            prop_assert!(rule.agrees(&a, &a));
            prop_assert_eq!(rule.agrees(&a, &b), rule.agrees(&b, &a));
            prop_assert!(!rule.agrees(&a, &b) || rule.key_of(&a) == rule.key_of(&b), "{}", rule);
        }
    }

    #[test]
    fn what_is_transmitted_agrees_with_what_was_delivered(code in "[A-Za-z0-9/?=&%.:-]{1,40}") {
        let scanned = format!("]Q1{code}");
        for rule in rules().into_iter().chain([KeyRule::Identity]) {
            prop_assert!(rule.agrees(code.as_bytes(), scanned.as_bytes()), "{}", rule);
        }
    }

    #[test]
    fn identity_and_sscc_copy_nothing(code in code()) {
        for rule in [KeyRule::Identity, KeyRule::Sscc] {
            prop_assert!(matches!(rule.key_of(&code), Cow::Borrowed(_)));
            prop_assert_eq!(&*rule.key_of(&code), rule.strip(&code));
        }
    }

    #[test]
    fn an_element_string_and_its_link_are_one_thing(item in 0u64..1_000_000_000_000, serial in "[!-\"%-?A-Z_a-z]{1,20}") {
        use crate::vocab::gs1::{Message, link};
        let mut gtin = format!("0{item:012}").into_bytes();
        gtin.push(crate::vocab::sscc::check_digit(&gtin));
        let m = Message::sgtin(std::str::from_utf8(&gtin).unwrap(), &serial).unwrap();
        let uri = link::write(&m, Some("https://q.example/x")).unwrap();
        let string = m.element_string();
        prop_assert_eq!(S.key_of(&string), S.key_of(uri.as_bytes()));
        prop_assert!(S.agrees(&string, uri.as_bytes()));
        prop_assert_eq!(&*S.reported(uri.as_bytes()), &string[..]);
    }
}
