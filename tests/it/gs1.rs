//! GS1's own vectors (`tests/gs1/gs1-syntax-engine-vectors.json`: literals of the GS1 Barcode Syntax Engine's unit tests,
//! Copyright GS1 AISBL, Apache-2.0) and ours for URNs and links (`tests/gs1/own-epc-urn-dl-vectors.json`, CC0).
//!
//! The vectors were cut from calls whose options were lost: [`NEEDS`] names those that are good only with one. Those that
//! do not apply here are in [`NOT_OURS`], each with its reason; one that passes all the same fails the test.

use packmark::vocab::gs1::scan::{Content, Scan, Symbology};
use packmark::vocab::gs1::*;
use serde_json::Value;
use std::collections::BTreeSet;

const SHORT: Reading = Reading { unknown_ais: false, short_gtins: true };
const UNKNOWN: Reading = Reading { unknown_ais: true, short_gtins: false };
const STRICT: Reading = Reading { unknown_ais: false, short_gtins: false };

const COUNTS: &[(&str, usize)] = &[
    ("digital_link_parse", 118),
    ("digital_link_generate", 22),
    ("uri_unescape", 21),
    ("uri_escape", 10),
    ("ai_parse_bracketed", 27),
    ("ai_process_unbracketed", 79),
    ("ai_linters", 99),
    ("ai_err_markup", 2),
    ("ai_associations", 77),
    ("scandata_generate", 45),
    ("scandata_process", 54),
    ("check_digit", 8),
];

/// Links that are good only where a reader is told to let something through. Without it they must be refused.
const NEEDS: &[(&str, Reading)] = &[
    ("https://a/01/2112345678900", SHORT),
    ("https://a/01/416000336108", SHORT),
    ("https://a/01/02345673", SHORT),
    ("https://a/8004/9520614141234567?01=2112345678900", SHORT),
    ("https://a/8004/9520614141234567?01=02345673", SHORT),
    ("https://brand.example.com/01/9520123456788", SHORT),
    ("https://brand.example.com/some-extra/pathinfo/01/9520123456788", SHORT),
    ("https://example.com/01/9520123456788?3103=000195&3922=0299&17=201225", SHORT),
    ("https://id.gs1.org/01/9520123456788?3103=000195&3922=0299&17=201225", SHORT),
    ("https://id.gs1.org/01/9520123456788?17=201225&3103=000195&3922=0299", SHORT),
    ("https://example.com/01/09520123456788?99=XYZ&89=ABC123", UNKNOWN),
];

/// Vectors that do not apply: group, a part of the vector's own text, how many it names, and why.
const NOT_OURS: &[(&str, &str, usize, &str)] = &[
    ("digital_link_parse", "https://a/gtin/12312312312333", 2, "words for AIs (gtin, ser) were withdrawn from the URI syntax"),
    ("digital_link_parse", "https://a/sscc/006141411234567890", 1, "words for AIs (sscc) were withdrawn from the URI syntax"),
    ("scandata_process", "]Q1https://a/NOPRIMARYAI", 1, "a URL that is no Digital Link is a code like any other here"),
    ("scandata_generate", "211234567890\"", 1, "a code is printed as it was delivered: no check digit is added to it"),
];

fn vectors(file: &str) -> Value {
    let path = format!("{}/tests/gs1/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("JSON")
}

/// Runs every vector of a group; those of `NOT_OURS` must fail.
fn group(name: &str, judge: impl Fn(&Value) -> Result<(), String>) {
    let all = vectors("gs1-syntax-engine-vectors.json");
    let all = all[name].as_array().expect("a list");
    let count = COUNTS.iter().find(|c| c.0 == name).expect("counted").1;
    assert_eq!(all.len(), count, "{name}: the number of vectors changed");
    let (mut wrong, mut named) = (Vec::new(), vec![0; NOT_OURS.len()]);
    for v in all {
        let text = v.to_string();
        let listed = NOT_OURS.iter().position(|n| n.0 == name && n.2 > 0 && text.contains(n.1) && good(v));
        match (listed, judge(v)) {
            (None, Ok(())) => {}
            (None, Err(why)) => wrong.push(format!("{text}: {why}")),
            (Some(i), Err(_)) => named[i] += 1,
            (Some(_), Ok(())) => wrong.push(format!("{text}: it passes now, take it off the list")),
        }
    }
    assert!(wrong.is_empty(), "{name}: {} of {count} vectors fail:\n{}", wrong.len(), wrong.join("\n"));
    for (n, found) in NOT_OURS.iter().zip(named).filter(|(n, _)| n.0 == name) {
        assert_eq!(found, n.2, "{name}: {} names another number of vectors", n.1);
    }
}

fn good(v: &Value) -> bool {
    v["ok"].as_bool().unwrap_or(true) || v["scan"].is_string()
}

fn text<'a>(v: &'a Value, key: &str) -> &'a str {
    v[key].as_str().unwrap_or_else(|| panic!("{key} in {v}"))
}

fn marked(m: &Message) -> String {
    format!("^{}", String::from_utf8(m.element_string()).expect("ASCII").replace('\x1d', "^"))
}

/// A refusal where the vector wants one; where it wants a value, that value.
fn agree<T: PartialEq + std::fmt::Debug>(ok: bool, got: Result<T, Refusal>, want: &T) -> Result<(), String> {
    match (ok, got) {
        (true, Ok(got)) if got == *want => Ok(()),
        (true, Ok(got)) => Err(format!("answers {got:?}")),
        (true, Err(e)) => Err(e.to_string()),
        (false, Ok(got)) => Err(format!("is not refused: {got:?}")),
        (false, Err(_)) => Ok(()),
    }
}

#[test]
fn links_are_read() {
    group("digital_link_parse", |v| {
        let (ok, uri) = (v["ok"].as_bool().expect("a flag"), text(v, "uri"));
        let needs = NEEDS.iter().find(|n| n.0 == uri).map(|n| n.1);
        let want = text(v, "expect_element_string").to_string();
        agree(ok, link::parse(uri, if ok { needs.unwrap_or(STRICT) } else { STRICT }).map(|m| marked(&m)), &want)
    });
    for (uri, _) in NEEDS {
        assert!(link::parse(uri, STRICT).is_err(), "{uri} needs nothing");
    }
}

#[test]
fn links_are_written() {
    group("digital_link_generate", |v| {
        // The one message that is good only with AIs the dictionary does not have.
        let ok = v["ok"].as_bool().expect("a flag");
        let reading = if ok && text(v, "element_string").contains("(89)") { UNKNOWN } else { STRICT };
        let written = Message::parse_bracketed(text(v, "element_string"), reading).and_then(|m| link::write(&m, v["stem"].as_str()));
        agree(ok, written, &text(v, "expect_uri").to_string())
    });
}

#[test]
fn escapes() {
    let latin = |s: &str| s.chars().map(|c| c as u8).collect::<Vec<u8>>();
    group("uri_unescape", |v| {
        let given = text(v, "in").as_bytes();
        let same = unescape_path(given) == latin(text(v, "path")) && unescape_query(given) == latin(text(v, "query"));
        if same { Ok(()) } else { Err("differs".into()) }
    });
    group("uri_escape", |v| {
        let given = text(v, "in").as_bytes();
        let same = escape_path(given) == text(v, "path") && escape_query(given) == text(v, "query");
        if same { Ok(()) } else { Err("differs".into()) }
    });
}

#[test]
fn element_strings() {
    group("ai_parse_bracketed", |v| {
        // They try the brackets, not the values: check digits may be wrong, so the message is compared by what it says.
        let got = Message::parse_bracketed(text(v, "bracketed"), STRICT).map(|m| marked(&m));
        agree(v["ok"].as_bool().expect("a flag"), got, &text(v, "expect_unbracketed").to_string())
    });
    group("ai_process_unbracketed", |v| {
        // Here `^` is FNC1 and nothing else.
        let data = text(v, "unbracketed");
        let got = Message::parse_marked(data.replace('^', "\x1d").as_bytes()).map(|m| {
            // Separators that are allowed but not needed are not written again; the AIs are the same.
            let again = Message::parse_marked(marked(&m).replace('^', "\x1d").as_bytes()).expect("what is written is read");
            assert_eq!(again, m);
        });
        agree(v["ok"].as_bool().expect("a flag"), got, &())
    });
}

#[test]
fn linters_name_their_reason() {
    group("ai_linters", |v| {
        let want = text(v, "expect").trim_start_matches("GS1_LINTER_");
        let got = match Message::parse_bracketed(text(v, "bracketed"), STRICT) {
            Ok(_) => "OK".to_string(),
            Err(Refusal::Content { fault, .. }) => named(fault),
            Err(e) => return Err(e.to_string()),
        };
        // One name of theirs has a slip of the pen.
        let want = want.replace("EXIPIRATION", "EXPIRATION");
        let want = [("1ST", "FIRST"), ("2ND", "SECOND"), ("3RD", "THIRD"), ("_", "")].iter().fold(want, |w, (a, b)| w.replace(a, b));
        if got.to_uppercase() == want { Ok(()) } else { Err(format!("{got} instead of {want}")) }
    });
    group("ai_err_markup", |v| {
        let e = Message::parse_bracketed(text(v, "bracketed"), STRICT).expect_err("refused");
        if e.marked().as_deref() == Some(text(v, "markup")) { Ok(()) } else { Err(format!("{:?}", e.marked())) }
    });
}

/// Their name of a fault, without its underscores.
fn named(fault: Fault) -> String {
    use CouponFault as C;
    use CouponPart as P;
    let Fault::Coupon(bad) = fault else {
        // Without what a fault carries beside its name.
        return format!("{fault:?}").split(' ').next().unwrap_or_default().to_string();
    };
    match bad {
        C::Missing(p) => format!("CouponMissing{p:?}"),
        C::Invalid(p) => format!("CouponInvalid{p:?}"),
        C::MissingLength(p) => format!("CouponMissing{p:?}Vli"),
        C::InvalidLength(p) => format!("CouponInvalid{p:?}Length"),
        C::Truncated(p @ (P::ExpirationDate | P::StartDate)) => format!("CouponTooShortFor{p:?}"),
        C::Truncated(p) => format!("CouponTruncated{p:?}"),
        C::ExpirationBeforeStart | C::ExcessData => format!("Coupon{bad:?}"),
    }
}

#[test]
fn associations_of_ais() {
    group("ai_associations", |v| {
        let (ok, bracketed) = (v["ok"].as_bool().expect("a flag"), text(v, "bracketed"));
        // 89 and 3338 are not in the dictionary.
        let unknown = ["(89)", "(3338)"].iter().any(|ai| bracketed.contains(ai));
        let m = Message::parse_bracketed(bracketed, if unknown { UNKNOWN } else { STRICT });
        let m = m.map_err(|e| e.to_string())?;
        let got = match text(v, "func") {
            "validateAIrepeats" => associations::repeats(&m),
            "validateAImutex" => associations::exclusive(&m),
            "validateAIrequisites" => associations::requisites(&m),
            "validateDigSigRequiresSerialisedKey" => associations::signature(&m),
            other => return Err(format!("{other} is not known")),
        };
        agree(ok, got, &())
    });
}

/// Their data: `^` first makes it GS1 data and stands for FNC1 in it; `\^` first is a plain `^`; on linear symbols `|`
/// parts the composite component.
fn content(sym: &str, data: &str) -> (Content, Option<Vec<u8>>) {
    let gs1 = |d: &str| d.trim_start_matches('^').replace('^', "\x1d").into_bytes();
    let matrix = matches!(sym, "QR" | "DM" | "DotCode");
    let (linear, component) = match data.split_once('|').filter(|_| !matrix) {
        Some((l, c)) => (l, Some(gs1(c))),
        None => (data, None),
    };
    let content = match linear.strip_prefix('^') {
        Some(d) => Content::Gs1(gs1(d).into_iter().collect()),
        None if matrix || !linear.bytes().all(|b| b.is_ascii_digit()) => {
            let slashes = linear.len() - linear.trim_start_matches('\\').len();
            let plain = if linear[slashes..].starts_with('^') && slashes > 0 { &linear[1..] } else { linear };
            Content::Plain(plain.as_bytes().to_vec())
        }
        None => Content::Retail(linear.to_string()),
    };
    (content, component)
}

fn symbology(name: &str) -> Option<Symbology> {
    Some(match name {
        "QR" => Symbology::QrCode,
        "DM" => Symbology::DataMatrix,
        "DotCode" => Symbology::DotCode,
        "GS1_128_CCA" | "GS1_128_CCC" => Symbology::Gs1_128,
        "DataBarExpanded" => Symbology::DataBarExpanded,
        "DataBarOmni" => Symbology::DataBarOmni,
        "DataBarLimited" => Symbology::DataBarLimited,
        "UPCA" => Symbology::UpcA,
        "UPCE" => Symbology::UpcE,
        "EAN13" => Symbology::Ean13,
        "EAN8" => Symbology::Ean8,
        "NONE" => return None,
        other => panic!("{other} is no symbology"),
    })
}

#[test]
fn scan_data_is_written() {
    group("scandata_generate", |v| {
        let (sym, data) = (text(v, "sym"), text(v, "data"));
        let want = v["expect_scan"].as_str();
        // Their "no symbol" has no counterpart: a scan here is always of a symbol.
        let Some(symbology) = symbology(sym) else { return if want.is_none() { Ok(()) } else { Err("no symbol".into()) } };
        let (content, composite) = content(sym, data);
        let got = Scan { symbology, content, composite }.write();
        agree(want.is_some(), got.map(|b| String::from_utf8_lossy(&b).into_owned()), &want.unwrap_or_default().to_string())
    });
}

#[test]
fn scan_data_is_read() {
    group("scandata_process", |v| {
        let want = (symbology(text(v, "expect_sym")), content(text(v, "expect_sym"), text(v, "expect_data")));
        let got = scan::read(text(v, "scan").as_bytes()).map(|s| (Some(s.symbology), (s.content, s.composite)));
        agree(v["ok"].as_bool().expect("a flag"), got, &want)
    });
}

#[test]
fn check_digits() {
    group("check_digit", |v| {
        let good = check_digit_holds(text(v, "value").as_bytes());
        if Some(good) == v["ok"].as_bool() { Ok(()) } else { Err(format!("{good}")) }
    });
}

#[test]
fn every_group_of_vectors_is_run() {
    let all = vectors("gs1-syntax-engine-vectors.json");
    let given: BTreeSet<&str> = all.as_object().expect("groups").iter().filter(|(_, v)| v.is_array()).map(|(k, _)| k.as_str()).collect();
    assert_eq!(given, COUNTS.iter().map(|c| c.0).collect());
}

#[test]
fn own_vectors_in_all_four_forms() {
    let v = vectors("own-epc-urn-dl-vectors.json");
    let (positive, negative) = (v["positive"].as_array().expect("a list"), v["negative"].as_array().expect("a list"));
    assert_eq!((positive.len(), negative.len()), (72, 6));
    for v in positive {
        let m = match text(v, "kind") {
            "sgtin" => Message::sgtin(text(v, "gtin14"), text(v, "serial")),
            _ => Message::sscc(text(v, "sscc")),
        };
        let m = m.unwrap_or_else(|e| panic!("{v}: {e}"));
        let prefix = v["gcp_len"].as_u64().expect("a length") as u8;
        assert_eq!(m.element_string(), text(v, "element_string").as_bytes());
        assert_eq!(m.lint(), Ok(()));
        assert_eq!(epc::write(&m, prefix).as_deref(), Ok(text(v, "urn")));
        assert_eq!(link::write(&m, None).as_deref(), Ok(text(v, "digital_link")));
        assert_eq!(epc::parse(text(v, "urn")), Ok((m.clone(), prefix)));
        assert_eq!(Message::parse(text(v, "element_string").as_bytes()), Ok(m.clone()));
        assert_eq!(link::parse(text(v, "digital_link"), STRICT), Ok(m.clone()));
        // Theirs leaves a bracket inside a value as it is; ours marks it, so that no value can look like an AI.
        assert_eq!(m.bracketed().replace("\\(", "("), text(v, "bracketed"));
        assert_eq!(Message::parse_bracketed(&m.bracketed(), STRICT), Ok(m));
    }
    for v in negative {
        assert!(Message::parse(text(v, "value").as_bytes()).is_err(), "{v}");
    }
}

/// A million bytes and more, random and mutated from good codes, through every reader: nothing panics.
#[test]
fn noise_is_refused_and_nothing_panics() {
    use packmark::vocab::KeyRule;
    use packmark::vocab::rng::Rng;
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    let all = vectors("gs1-syntax-engine-vectors.json");
    for v in all.as_object().expect("groups").values().filter_map(Value::as_array).flatten() {
        seeds.extend(v.as_object().into_iter().flatten().filter_map(|(_, t)| t.as_str()).map(|t| t.replace('^', "\x1d").into_bytes()));
    }
    let own = vectors("own-epc-urn-dl-vectors.json");
    seeds.extend(
        own["positive"].as_array().expect("a list").iter().flat_map(|v| ["urn", "digital_link"].map(|k| text(v, k).as_bytes().to_vec())),
    );
    let rules =
        ["standard", "pattern:https://q.example/{key}*", "pattern:*/b*/*{key}", "pattern:*/0*/{key}*"].map(|r| KeyRule::parse(r).ok());
    assert_eq!(rules.iter().flatten().count(), 3, "a star before the key is refused");
    let mut rng = Rng::new(7);
    let (mut bytes, mut good) = (0, 0);
    while bytes < 1_200_000 {
        let mut data = match rng.below(4) {
            0 => (0..rng.below(80)).map(|_| rng.below(256) as u8).collect(),
            1 => [seeds[rng.below(seeds.len() as u64) as usize].as_slice(), &seeds[rng.below(seeds.len() as u64) as usize]].concat(),
            _ => seeds[rng.below(seeds.len() as u64) as usize].clone(),
        };
        for _ in 0..rng.below(4) {
            let at = rng.below(data.len() as u64 + 1) as usize;
            match rng.below(3) {
                0 if at < data.len() => data[at] = rng.below(256) as u8,
                1 => data.truncate(at),
                _ => data.insert(at, b"\x1d()/%?0129.]"[rng.below(12) as usize]),
            }
        }
        bytes += data.len();
        let lossy = String::from_utf8_lossy(&data);
        let read = [
            Message::parse(&data),
            Message::parse_marked(&data),
            Message::parse_bracketed(&lossy, UNKNOWN),
            link::parse(&lossy, Reading { unknown_ais: true, short_gtins: true }),
            epc::parse(&lossy).map(|(m, _)| m),
            scan::written(&lossy),
        ];
        for m in read.into_iter().flatten() {
            good += 1;
            // What was read can be written, and what was written is read as the same.
            let again = Message::parse_bracketed(&m.bracketed(), UNKNOWN).unwrap_or_else(|e| panic!("{}: {e}", m.bracketed()));
            assert_eq!(again, m);
            let _ = (m.lint(), link::write(&m, None), epc::write(&m, 7), m.element_string());
        }
        let _ = scan::read(&data).map(|s| (s.write(), s.message()));
        let _ = (unescape_path(&data), unescape_query(&data), check_pair(&data), check_digit_holds(&data));
        for rule in rules.iter().flatten() {
            assert!(rule.agrees(&data, &data));
            let _ = (rule.key_of(&data), rule.reported(&data));
        }
    }
    assert!(good > 1_000, "{good} good codes among the noise");
}
