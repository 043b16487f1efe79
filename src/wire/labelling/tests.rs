//! What each printer's status means, by the examples of their documents: bytes in, what is told of printer and label out.

use super::*;
use crate::profile::Profiles;
use crate::vocab::PackNo;

/// The answer to the first question, and what it must mean.
enum Means {
    Idle,
    /// Something of a label is there.
    Busy,
    /// It does not print, in these words.
    Stands(&'static str),
    /// No answer at all.
    Junk,
}
use Means::{Busy, Idle, Junk, Stands};

const ZPL_ONE: &str = "\x02030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n";
const ZPL_TWO: &str = "\x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n";
const ZPL_THREE: &str = "\x021234,0\x03\r\n";

fn zpl(one: (&str, &str), two: (&str, &str)) -> Vec<u8> {
    [&ZPL_ONE.replacen(one.0, one.1, 1), &ZPL_TWO.replacen(two.0, two.1, 1), ZPL_THREE].concat().into_bytes()
}

/// A conversation that has asked its first question.
fn asked(profile: &str) -> Labelling {
    let mut l = Labelling::new(&Profiles::load(None).unwrap_or_else(|e| panic!("{e:?}")).bind(profile, &Default::default()).unwrap());
    l.ordered(Order::Arm { message: None, fields: Vec::new() }, 0);
    l.opened(0);
    l
}

/// What it told, but for noise.
fn told(l: &mut Labelling) -> Vec<Report> {
    let told = std::iter::from_fn(|| l.poll()).filter_map(|a| if let Action::Tell(r) = a { Some(r) } else { None });
    told.filter(|r| !matches!(r, Report::Noise { .. })).collect()
}

/// Answers the status, and says that nothing remains where that is another question.
fn look(l: &mut Labelling, profile: &str, status: &[u8], now_us: u64) -> Vec<Report> {
    l.received(status, now_us);
    // What silence ends.
    l.due(now_us + 50 * MS);
    if profile == "honeywell-dpl" && l.asked.as_ref().is_some_and(|a| a.role == Role::Fill) {
        l.received(b"0000\r", now_us + 51 * MS);
    }
    told(l)
}

#[test]
fn every_status_of_the_documents_is_understood() {
    let zpl_same = ("x", "x");
    let cases: Vec<(&str, Vec<u8>, Means)> = vec![
        ("zebra-zpl", zpl(zpl_same, zpl_same), Idle),
        ("zebra-zpl", zpl((",1245,000", ",1245,001"), zpl_same), Busy),
        ("zebra-zpl", zpl(zpl_same, ("00000000", "00000003")), Busy),
        ("zebra-zpl", zpl(("030,0,0", "030,1,1"), zpl_same), Stands("paper out, paused")),
        ("zebra-zpl", zpl(("030,0,0", "030,0,1"), zpl_same), Stands("paused")),
        ("zebra-zpl", zpl(("1245,000,0", "1245,000,1"), zpl_same), Stands("receive buffer full")),
        ("zebra-zpl", zpl(zpl_same, ("000,0,0,0", "000,0,1,0")), Stands("head open")),
        ("zebra-zpl", zpl(zpl_same, ("000,0,0,0", "000,0,0,1")), Stands("ribbon out")),
        ("zebra-zpl", zpl(("030,0,0", "030,x,0"), zpl_same), Junk),
        // A string is lost: the others do not stand in for it.
        ("zebra-zpl", [ZPL_ONE, ZPL_ONE, ZPL_THREE].concat().into_bytes(), Junk),
        ("zebra-zpl", [ZPL_TWO, ZPL_THREE].concat().into_bytes(), Junk),
        ("zebra-zpl", [ZPL_THREE, ZPL_ONE, ZPL_TWO, ZPL_THREE].concat().into_bytes(), Idle),
        ("sato-sbpl", b"\x02  A000000                \x03".to_vec(), Idle),
        ("sato-sbpl", b"\x02  A000000\x03".to_vec(), Idle),
        ("sato-sbpl", b"\x02  B000000                \x03".to_vec(), Idle),
        ("sato-sbpl", b"\x02  C000000                \x03".to_vec(), Idle),
        ("sato-sbpl", b"\x0205G000100            SATO\x03".to_vec(), Busy),
        ("sato-sbpl", b"\x0205M000000            SATO\x03".to_vec(), Busy),
        ("sato-sbpl", b"\x0205S000000            SATO\x03".to_vec(), Busy),
        ("sato-sbpl", b"\x0205A000001            SATO\x03".to_vec(), Busy),
        ("sato-sbpl", b"\x02  0000000                \x03".to_vec(), Stands("offline")),
        ("sato-sbpl", b"\x02  4000000                \x03".to_vec(), Stands("offline")),
        ("sato-sbpl", b"\x02  b000000                \x03".to_vec(), Stands("head open")),
        ("sato-sbpl", b"\x0205c000098            SATO\x03".to_vec(), Stands("paper end")),
        ("sato-sbpl", b"\x02  d000000                \x03".to_vec(), Stands("ribbon end")),
        ("sato-sbpl", b"\x02  e000000                \x03".to_vec(), Stands("media error")),
        ("sato-sbpl", b"\x02  k000000                \x03".to_vec(), Stands("an error that only its display names")),
        ("sato-sbpl", b"\x02  A00000x                \x03".to_vec(), Junk),
        ("tsc-tspl", b"\x02@@@@\x03\r\n".to_vec(), Idle),
        ("tsc-tspl", b"\x02P@@@\x03\r\n".to_vec(), Busy),
        ("tsc-tspl", b"\x02W@@@\x03\r\n".to_vec(), Busy),
        ("tsc-tspl", b"\x02C@@@\x03\r\n".to_vec(), Busy),
        ("tsc-tspl", b"\x02L@@@\x03\r\n".to_vec(), Busy),
        ("tsc-tspl", b"\x02`@@@\x03\r\n".to_vec(), Stands("paused")),
        ("tsc-tspl", b"\x02K@@@\x03\r\n".to_vec(), Stands("waits for its print key")),
        ("tsc-tspl", b"\x02E@@A\x03\r\n".to_vec(), Stands("paper out, printer error")),
        ("tsc-tspl", b"\x02E@@`\x03\r\n".to_vec(), Stands("head open, printer error")),
        ("tsc-tspl", b"\x02E@@D\x03\r\n".to_vec(), Stands("ribbon out, printer error")),
        ("tsc-tspl", b"\x02@H@@\x03\r\n".to_vec(), Stands("receive buffer full")),
        ("tsc-tspl", b"\x02Z@@@\x03\r\n".to_vec(), Stands("a state without a name")),
        ("tsc-tspl", b"\x02@@@\x03\r\n".to_vec(), Junk),
        ("cab-jscript", b"NNNNNNNNNNN\r".to_vec(), Idle),
        ("cab-jscript", b"NYNYNNNNNNN\r".to_vec(), Busy),
        ("cab-jscript", b"NNNNYYNNNNN\r".to_vec(), Idle),
        ("cab-jscript", b"NNNNNNNNNNNNN\r".to_vec(), Idle),
        ("cab-jscript", b"YYNNNNNNNNN\r".to_vec(), Stands("paused")),
        ("cab-jscript", b"NNYNNNNNNNN\r".to_vec(), Stands("not ready")),
        ("cab-jscript", b"NNNNNNNNYNN\r".to_vec(), Stands("applicator not ready")),
        ("cab-jscript", b"NNNNNNNNNN\r".to_vec(), Junk),
        ("cab-jscript", b"NNNNXNNNNNN\r".to_vec(), Junk),
        ("honeywell-dpl", b"NNNNNNNN\r".to_vec(), Idle),
        ("honeywell-dpl", b"YNNNNNNN\r".to_vec(), Busy),
        ("honeywell-dpl", b"NNNYYNNN\r".to_vec(), Busy),
        ("honeywell-dpl", b"NYNNNNNN\r".to_vec(), Stands("paper out or fault")),
        ("honeywell-dpl", b"NNYNNNNN\r".to_vec(), Stands("ribbon out or fault")),
        ("honeywell-dpl", b"NNNNNYNN\r".to_vec(), Stands("paused")),
        ("honeywell-dpl", b"NNNNNNNY\r".to_vec(), Stands("rewinder out or fault")),
        ("honeywell-dpl", b"NNNNNNN\r".to_vec(), Junk),
        ("godex-ezpl", b"00".to_vec(), Idle),
        ("godex-ezpl", b"00\r\n".to_vec(), Idle),
        ("godex-ezpl", b"50\r".to_vec(), Busy),
        ("godex-ezpl", b"60".to_vec(), Busy),
        ("godex-ezpl", b"01".to_vec(), Stands("media out or jammed")),
        ("godex-ezpl", b"02".to_vec(), Stands("media out or jammed")),
        ("godex-ezpl", b"03".to_vec(), Stands("ribbon out")),
        ("godex-ezpl", b"04".to_vec(), Stands("head open")),
        ("godex-ezpl", b"06".to_vec(), Stands("memory full")),
        ("godex-ezpl", b"09".to_vec(), Stands("syntax error in a label")),
        ("godex-ezpl", b"20".to_vec(), Stands("paused")),
        ("godex-ezpl", b"0".to_vec(), Junk),
    ];
    for (profile, status, means) in cases {
        let mut l = asked(profile);
        let first = look(&mut l, profile, &status, 10 * MS);
        let shown = format!("{profile} {}", status.escape_ascii());
        match means {
            Junk => {
                assert_eq!(first, [], "{shown}");
                continue;
            }
            Stands(why) => {
                assert_eq!(first, [Report::Up { identity: None }, Report::NotReady { why: why.into() }], "{shown}");
                continue;
            }
            Idle | Busy => assert_eq!(first, [Report::Up { identity: None }, Report::Ready { cleared: false }], "{shown}"),
        }
        // A label is out: a busy status takes it, an idle one only after it was seen often enough.
        let code = CodeRef::new(PackNo(1), 0);
        l.ordered(Order::Print { code, bytes: b"label".to_vec() }, 200 * MS);
        let taken = look(&mut l, profile, &status, 210 * MS);
        assert_eq!(taken.contains(&Report::Taken { code }), matches!(means, Busy), "{shown}: {taken:?}");
        assert!(!taken.contains(&Report::Printed { count: 1 }), "{shown}: {taken:?}");
    }
}

/// The number of labels that remain is another question of DPL: four digits, five on newer firmware.
#[test]
fn what_remains_is_asked_where_it_is_another_question() {
    for (fill, busy) in [("0000\r", false), ("00000\r", false), ("0001\r", true), ("00012\r", true)] {
        let mut l = asked("honeywell-dpl");
        look(&mut l, "honeywell-dpl", b"NNNNNNNN\r", 10 * MS);
        let code = CodeRef::new(PackNo(1), 0);
        l.ordered(Order::Print { code, bytes: b"label".to_vec() }, 200 * MS);
        l.received(b"NNNNNNNN\r", 210 * MS);
        l.received(fill.as_bytes(), 220 * MS);
        assert_eq!(told(&mut l).contains(&Report::Taken { code }), busy, "{fill}");
    }
}

/// Of a printer that counts no labels, "nothing there" in trouble is no word about the label.
#[test]
fn a_fault_prints_no_label() {
    let (mut l, code) = (asked("tsc-tspl"), CodeRef::new(PackNo(1), 0));
    look(&mut l, "tsc-tspl", b"\x02@@@@\x03\r\n", 10 * MS);
    l.ordered(Order::Print { code, bytes: b"label".to_vec() }, 200 * MS);
    assert_eq!(look(&mut l, "tsc-tspl", b"\x02P@@@\x03\r\n", 210 * MS), [Report::Taken { code }]);
    let mut at = 400;
    for _ in 0..5 {
        l.due(at * MS);
        let told = look(&mut l, "tsc-tspl", b"\x02E@@A\x03\r\n", (at + 10) * MS);
        assert!(told.iter().all(|r| matches!(r, Report::NotReady { .. })), "{told:?}");
        at += 200;
    }
    l.due(at * MS);
    assert_eq!(look(&mut l, "tsc-tspl", b"\x02@@@@\x03\r\n", (at + 10) * MS), [Report::Ready { cleared: false }]);
}

/// SATO says by itself whether it took a label, where it is set so.
#[test]
fn a_rejected_label_is_a_fault_and_is_not_sent_again() {
    let (mut l, code) = (asked("sato-sbpl"), CodeRef::new(PackNo(1), 0));
    const IDLE: &[u8] = b"\x02  A000000                \x03";
    look(&mut l, "sato-sbpl", IDLE, 10 * MS);
    l.ordered(Order::Print { code, bytes: b"label".to_vec() }, 200 * MS);
    l.received(b"\x06", 210 * MS);
    assert_eq!(told(&mut l), [], "accepted");
    l.received(b"\x15", 220 * MS);
    assert_eq!(told(&mut l), [Report::NotReady { why: "label rejected".into() }]);
    assert_eq!(look(&mut l, "sato-sbpl", IDLE, 230 * MS), [Report::Ready { cleared: false }]);
    for at in (300..5_000).step_by(100) {
        l.due(at * MS);
        let sent = std::iter::from_fn(|| l.poll()).filter(|a| *a == Action::Send(b"label".to_vec()));
        assert_eq!(sent.count(), 0);
        l.received(IDLE, (at + 10) * MS);
    }
}
