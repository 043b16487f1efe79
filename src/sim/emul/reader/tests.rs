//! The reader's frames and answers as its manual shows them.

use super::*;
use crate::profile::Profiles;
use crate::vocab::plan::Setting;

const L: Link = Link::FIRST;

fn rules(profile: &str, given: &[(&str, Setting)]) -> Rules {
    let given = given.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
    Profiles::load(None).unwrap().bind(profile, &given).unwrap().reader
}

fn sr(separator: &str, positional: bool) -> Reader {
    let given = [("separator", Setting::Text(separator.into())), ("positional", Setting::Flag(positional))];
    let mut r = Reader::new(rules("keyence-sr", &given), Rng::new(3));
    r.connected(L, 0);
    r
}

fn hears(r: &mut Reader) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(t) = r.deadline() {
        r.due(t);
        while let Some((_, Emission::Send(b))) = r.poll() {
            all.extend(b);
        }
    }
    all
}

fn seen(symbols: &[&str]) -> Vec<Option<Vec<u8>>> {
    symbols.iter().map(|s| (*s != "-").then(|| s.as_bytes().to_vec())).collect()
}

#[test]
fn frames_of_the_manual() {
    let mut r = sr(",", true);
    assert!(r.read(&seen(&["BAR1", "-", "BAR3"]), 0));
    let at = r.deadline().unwrap();
    assert!((5_000..=20_000).contains(&at));
    assert_eq!(hears(&mut r), *b"\x42\x41\x52\x31\x2c\x45\x52\x52\x4f\x52\x2c\x42\x41\x52\x33\x0d");
    let mut r = sr("|", false);
    r.read(&seen(&["BAR1", "-", "BAR3"]), 0);
    assert_eq!(hears(&mut r), *b"BAR1|BAR3\r", "collapsed");
    r.read(&seen(&["-"]), 0);
    assert_eq!(hears(&mut r), *b"ERROR\r");
    r.read(&[], 0);
    assert_eq!(hears(&mut r), *b"ERROR\r", "a trigger with nothing there is answered too");
}

#[test]
fn a_handheld_says_nothing_when_it_reads_nothing() {
    let mut r = Reader::new(rules("line-reader", &[("end", Setting::Text("crlf".into()))]), Rng::new(3));
    assert!(!r.read(&seen(&["X"]), 0), "nobody is connected");
    r.connected(L, 0);
    assert!(!r.read(&seen(&["-"]), 0));
    assert!(r.read(&seen(&["00069012340000000016"]), 0));
    r.received(L, b"LON\r", 0);
    assert_eq!(hears(&mut r), *b"00069012340000000016\r\n");
}

#[test]
fn commands_are_answered_in_their_framing() {
    let mut r = sr(",", true);
    r.received(L, b"LON\rLON\r", 0);
    assert_eq!(hears(&mut r), *b"OK,LON\rER,LON,20\r");
    r.received(L, b"LO", 0);
    r.received(L, b"FF\r\n", 0);
    assert_eq!(hears(&mut r), *b"OK,LOFF\rERROR\r");
    r.received(L, b"\x02KEYENCE\x03", 0);
    assert_eq!(hears(&mut r), *b"\x02OK,KEYENCE,SR-750,1.00\x03");
    r.received(L, b"junk\x1bXYZ\r", 0);
    assert_eq!(hears(&mut r), *b"ER,XYZ,00\r");
}

#[test]
fn a_stale_frame_comes_after_its_time_or_with_the_next_link() {
    let mut r = sr(",", true);
    r.trouble(Trouble::StaleFrame { ms: 700 }, 0);
    assert!(r.read(&seen(&["OLD"]), 0));
    assert_eq!(r.deadline(), Some(700_000));
    assert!(r.read(&seen(&["NEW"]), 100_000));
    assert_eq!(hears(&mut r), *b"NEW\rOLD\r");
    r.trouble(Trouble::StaleFrame { ms: 700 }, 0);
    r.read(&seen(&["OLD"]), 0);
    r.disconnected(L, 0);
    assert_eq!(r.deadline(), None);
    r.connected(Link(1), 5_000);
    assert_eq!(hears(&mut r), *b"OLD\r");
}

#[test]
fn double_and_silent_frames() {
    let mut r = sr(",", true);
    r.trouble(Trouble::DoubleFrame, 0);
    r.read(&seen(&["A"]), 0);
    assert_eq!(hears(&mut r), *b"A\rA\r");
    r.trouble(Trouble::Silence, 0);
    assert!(!r.read(&seen(&["B"]), 0));
    assert_eq!(hears(&mut r), *b"");
}
