//! Label printers, byte for byte: labels in, status and labels out; every shipped transcript of a label printer against
//! the simulated one.

use super::*;
use crate::profile::{Dialect, Profiles};
use crate::sim::replay::simulated;
use crate::wire::transcript::{AtDevice, Transcript, Verdict};
use std::path::Path;

const L: Link = Link::FIRST;

fn printer(profile: &str) -> LabelPrinter {
    let bound = Profiles::load(None).unwrap_or_else(|e| panic!("{e:?}")).bind(profile, &Default::default()).unwrap();
    let mut p = LabelPrinter::new(&bound, Vec::new(), Rng::new(2));
    p.connected(L, 0);
    p
}

fn zpl() -> LabelPrinter {
    printer("zebra-zpl")
}

fn sscc(n: u32) -> String {
    format!("^XA^CI28^FO50,50^A0N,40,40^FDLOT 1^FS\r\n^FO50,100^BY3^BCN,120,Y,N,N^FD>;>80006901234{n:09}^FS^PQ1^XZ")
}

fn said(p: &mut LabelPrinter, ask: &[u8], now_us: u64) -> Vec<u8> {
    p.received(L, ask, now_us);
    p.due(now_us);
    p.out.due(now_us + 20_000);
    let mut all = Vec::new();
    while let Some((_, Emission::Send(b))) = p.poll() {
        all.extend(b);
    }
    all
}

fn status(p: &mut LabelPrinter, now_us: u64) -> String {
    String::from_utf8(said(p, b"~HS\r\n", now_us)).unwrap()
}

#[test]
fn an_idle_printer_answers_three_strings() {
    let want = "\x02030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n\x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n";
    assert_eq!(status(&mut zpl(), 0), want);
}

#[test]
fn labels_come_out_in_order_however_their_bytes_arrive() {
    let mut p = zpl();
    for b in format!("{}{}{}", sscc(1), sscc(2), sscc(3)).bytes() {
        p.received(L, &[b], 0);
    }
    let all = status(&mut p, 0);
    assert!(all.contains(",1245,002,") && all.contains(",00000001,"), "two wait, one is being printed: {all}");
    assert_eq!(p.take_label(149_999), None);
    let at = p.deadline().unwrap();
    assert!((150_000..=400_000).contains(&at));
    assert_eq!(p.take_label(at).unwrap().symbol, b"0006901234000000001");
    let rest: Vec<Vec<u8>> = std::iter::from_fn(|| p.take_label(2_000_000)).map(|l| l.symbol).collect();
    assert_eq!(rest, [b"0006901234000000002", b"0006901234000000003"]);
    assert_eq!(p.deadline(), None);
    assert!(status(&mut p, 2_000_000).contains(",1245,000,"));
}

#[test]
fn half_a_format_is_said_to_be_one() {
    let mut p = zpl();
    p.received(L, b"^XA^FO50,50", 0);
    assert!(status(&mut p, 0).contains(",1245,000,0,0,1,"), "a status may be asked inside a format");
    p.received(L, b"^BCN^FDX1^FS^XZ", 0);
    assert_eq!(p.take_label(1_000_000).unwrap().code(), b"X1");
}

#[test]
fn copies_are_as_many_labels() {
    let mut p = zpl();
    p.received(L, b"^XA^BCN^FDX1^FS^PQ3,0,1,Y^XZ", 0);
    assert!(status(&mut p, 0).contains(",00000003,"));
    assert_eq!(std::iter::from_fn(|| p.take_label(9_000_000)).count(), 3);
}

#[test]
fn paper_out_stops_it_and_the_label_comes_afterwards() {
    let mut p = zpl();
    p.received(L, sscc(1).as_bytes(), 0);
    p.trouble(Trouble::Stands { how: Stand::MediaOut, ms: 5_000 }, 10_000);
    assert!(status(&mut p, 20_000).starts_with("\x02030,1,1,"));
    assert_eq!(p.take_label(5_009_000), None);
    assert!(p.deadline().unwrap() >= 5_010_000);
    assert_eq!(p.take_label(6_000_000).unwrap().symbol, b"0006901234000000001");
}

#[test]
fn power_loses_what_is_not_out() {
    let mut p = zpl();
    p.received(L, format!("{}{}", sscc(1), sscc(2)).as_bytes(), 0);
    p.due(401_000);
    p.power(false, 401_000);
    p.power(true, 402_000);
    assert_eq!(p.take_label(9_000_000).unwrap().symbol, b"0006901234000000001");
    assert_eq!(p.take_label(9_000_000), None);
}

/// A label as each manual writes it, and what a scanner reads of it.
const READ: &[(&str, &[u8], &[u8], bool)] = &[
    ("sato-sbpl", b"\x1bA\x1bH0200\x1bV0550\x1bBG03100>GAB>B789>C123456\x1bQ1\x1bZ", b"AB789123456", false),
    ("sato-sbpl", b"\x1bA\x1bH0100\x1bV0100\x1bBI04150101234567000000001\x1bQ1\x1bZ", b"00012345670000000015", true),
    ("sato-sbpl", b"\x02\x1bA\x1bBG03240>I>F00069012340000000016\x1bQ1\x1bZ\x03", b"00069012340000000016", true),
    ("tsc-tspl", b"CLS\r\nBARCODE 10,10,\"128M\",48,1,0,2,2,\"!104ab\\[\"]c!102d\"\r\nPRINT 1\r\n", b"ab\"c\x1dd", false),
    (
        "tsc-tspl",
        b"CLS\r\nBARCODE 10,10,\"128M\",48,1,0,2,2,\"!105!10200069012340000000016\"\r\nPRINT 1,1\r\n",
        b"00069012340000000016",
        true,
    ),
    ("tsc-tspl", b"CLS\r\nQRCODE 10,10,H,4,A,0,\"https://t.example/A1\"\r\nPRINT 1\r\n", b"https://t.example/A1", false),
    ("cab-jscript", b"J\r\nB:name;10,10,0,CODE128+BARS,20,0.3;[U:CODEB]ab1\r\nA 1\r\n", b"ab1", false),
    ("cab-jscript", b"J\r\nB 10,10,0,EAN128,20,0.3;(00)069012340000000016\r\nA 1\r\n", b"00069012340000000016", true),
    ("honeywell-dpl", b"\x02L\rD11\r1E000000015010001234567890\r121100000000100Barcode E\rE\r", b"01234567890", false),
    ("honeywell-dpl", b"\x02L\r1W1I000000025002512345&G10Z2133021AK\rE\r", b"12345\x1d10Z2133021AK", true),
    ("honeywell-dpl", b"\x02L\r1e6310000700020C&G00069012340000000016\rQ0001\rE\r", b"00069012340000000016", true),
    ("godex-ezpl", b"^L\rBQ2,8,8,2,5,40,0,0,BAPPLE\rE\r", b"APPLE", false),
    ("godex-ezpl", b"^P1\r^L\rBQ2,8,8,2,5,40,0,0,C&G00069012340000000016\rE\r", b"00069012340000000016", true),
];

#[test]
fn a_scanner_reads_what_the_manuals_labels_say() {
    for (profile, label, symbol, gs1) in READ {
        let mut p = printer(profile);
        // In two pieces, with a question between them.
        let (a, b) = label.split_at(label.len() / 2);
        p.received(L, a, 0);
        p.received(L, b, 0);
        let read = p.take_label(1_000_000).unwrap_or_else(|| panic!("{profile}: {}", label.escape_ascii()));
        assert_eq!((read.symbol.escape_ascii().to_string(), read.gs1), (symbol.escape_ascii().to_string(), *gs1), "{profile}");
        assert_eq!(p.take_label(9_000_000), None, "{profile}");
    }
}

#[test]
fn each_tells_why_it_stands() {
    // As the manuals' tables have it: media out, ribbon out, head open, paused.
    type Case = (&'static str, &'static [u8], [&'static [u8]; 4]);
    let cases: &[Case] = &[
        ("sato-sbpl", b"\x05", [b"\x02  c000000", b"\x02  d000000", b"\x02  b000000", b"\x02  E000000"]),
        ("tsc-tspl", b"\x1b!S", [b"\x02E@@A\x03\r\n", b"\x02E@@D\x03\r\n", b"\x02E@@`\x03\r\n", b"\x02`@@@\x03\r\n"]),
        ("tsc-tspl", b"\x1b!?", [b"\x04", b"\x08", b"\x01", b"\x10"]),
        ("cab-jscript", b"\x1bz", [b"NNYNNNNNNNN\r", b"NNYNNNNNNNN\r", b"NNYNNNNNNNN\r", b"YNNNNNNNNNN\r"]),
        ("honeywell-dpl", b"\x01A", [b"NYNNNNNN\r", b"NNYNNNNN\r", b"NNNNNYNN\r", b"NNNNNYNN\r"]),
        ("godex-ezpl", b"^XSET,IMMEDIATE,1\r\n~S,CHECK\r\n", [b"01", b"03", b"04", b"20"]),
    ];
    for (profile, ask, want) in cases {
        for (how, want) in [Stand::MediaOut, Stand::RibbonOut, Stand::HeadOpen, Stand::Paused].into_iter().zip(want) {
            let mut p = printer(profile);
            p.trouble(Trouble::Stands { how, ms: 1_000 }, 0);
            let got = said(&mut p, ask, 1_000);
            assert!(got.starts_with(want), "{profile} {how:?}: {}", got.escape_ascii());
        }
    }
    assert_eq!(said(&mut printer("godex-ezpl"), b"~S,CHECK\r\n", 0), b"", "only once immediate answers are on");
    assert_eq!(said(&mut printer("honeywell-dpl"), b"\x01E", 0), b"0000\r");
}

#[test]
fn nonsense_is_passed_over() {
    let noise: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    let mut p = zpl();
    p.received(L, &noise, 0);
    p.received(L, b"^XZ~JA^XA^BCN^FDX9^FS^XZ", 0);
    assert_eq!(p.take_label(1_000_000).unwrap().code(), b"X9");
    let mut rng = Rng::new(9);
    for (profile, label, ..) in READ {
        let mut p = printer(profile);
        for _ in 0..2_000 {
            let bytes: Vec<u8> = (0..rng.below(60))
                .map(|_| if rng.chance(300_000) { label[rng.below(label.len() as u64) as usize] } else { rng.below(256) as u8 })
                .collect();
            p.received(L, &bytes, 0);
        }
        assert!(p.waiting.len() <= MOST_LABELS, "{profile}");
    }
}

/// A language of nobody's: its labels are read by the file's own template, its state is told in the file's own words.
#[test]
fn a_language_that_only_a_file_knows_is_played_too() {
    let dir = tempfile::tempdir().unwrap();
    let text = include_str!("../../../../firmware-profiles/printers/cab-jscript.toml")
        .replace("name = \"cab-jscript\"", "name = \"own\"")
        .replace("language = \"jscript\"\n", "");
    let (head, places) = text.split_once("[poll]").unwrap();
    let names = "paused job not-ready moving ribbon-low paper-low demand vacuum applicator pause-signal print-signal";
    let values: String = names.split(' ').map(|n| format!("{n} = \"N\"\n")).collect();
    let own = format!("{head}[simulated.values]\n{values}more = \"\"\n[simulated.fault]\nnot-ready = \"Y\"\n[poll]{places}");
    std::fs::write(dir.path().join("own.toml"), own).unwrap();
    let bound = Profiles::load(Some(dir.path())).unwrap_or_else(|e| panic!("{e:?}")).bind("own", &Default::default()).unwrap();
    let mut p = LabelPrinter::new(&bound, Vec::new(), Rng::new(2));
    p.connected(L, 0);
    assert_eq!(said(&mut p, b"\x1bz", 0), b"NNNNNNNNNNN\r");
    for (n, (code, sscc)) in [(&b"069012340000000016"[..], true), (b"C00000001", false)].into_iter().enumerate() {
        let at = n as u64 * 5_000_000;
        let fill = crate::wire::label::Fill { code, sscc, lot: "L7", count: 4 };
        let label = crate::wire::label::render(&bound, None, &fill).unwrap();
        label.chunks(7).for_each(|c| p.received(L, c, at));
        assert_eq!(said(&mut p, b"\x1bz", at), b"NYNNNNNNNNN\r");
        assert_eq!(p.take_label(at + 1_000_000).expect("a label").code(), code);
    }
    p.trouble(Trouble::Fault { ms: 1_000 }, 20_000_000);
    assert_eq!(said(&mut p, b"\x1bz", 20_000_000), b"NNYNNNNNNNN\r");
}

#[test]
fn the_simulated_label_printers_keep_to_every_shipped_transcript() {
    assert_eq!(AtDevice::STANDS, Stand::ALL.map(Stand::word));
    let profiles = Profiles::load(None).unwrap_or_else(|e| panic!("{e:?}"));
    let (mut wrong, mut played) = (Vec::new(), 0);
    for e in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-profiles/transcripts")).unwrap() {
        let path = e.unwrap().path();
        let t = Transcript::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let bound = profiles.bind(&t.profile, &t.settings()).unwrap_or_else(|e| panic!("{path:?}: {e:?}"));
        if bound.profile.dialect != Dialect::Label || t.host_only {
            continue;
        }
        played += 1;
        let lines = simulated(&t, &profiles).unwrap_or_else(|e| panic!("{path:?}: {e:?}")).expect("it judges both sides");
        let bad = lines.into_iter().filter(|l| l.verdict == Verdict::Wrong);
        wrong.extend(bad.map(|l| format!("{}: line {}: {}", path.display(), l.line, l.what)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(played >= 18, "only {played} transcripts");
}
