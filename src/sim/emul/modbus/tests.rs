//! Literal bytes of the specification and of a run of another implementation. If one fails, do not change the test.

use super::*;
use crate::vocab::code::unhex;

const L: Link = Link::FIRST;

fn module(how: impl FnOnce(&mut ModbusHow)) -> Modbus {
    let mut h = ModbusHow { unit: 1, points: 32, ..ModbusHow::default() };
    how(&mut h);
    let mut m = Modbus::new(h, Rng::new(5));
    m.connected(L, 0);
    m
}

fn bytes(hex: &str) -> Vec<u8> {
    unhex(&hex.replace(' ', "")).expect("hex")
}

/// Answers to what was received so far, at the time they leave; watchdogs do not expire here.
fn answers(m: &mut Modbus, now_us: u64) -> Vec<u8> {
    m.out.due(now_us + 10_000);
    let mut all = Vec::new();
    while let Some((_, Emission::Send(b))) = m.poll() {
        all.extend(b);
    }
    all
}

fn ask(m: &mut Modbus, now_us: u64, request: &str) -> Vec<u8> {
    m.received(L, &bytes(request), now_us);
    answers(m, now_us)
}

#[test]
fn vectors_of_another_implementation() {
    let mut m = module(|_| ());
    let one = "00 01 00 00 00 06 01 05 00 03 FF 00";
    assert_eq!(ask(&mut m, 0, one), bytes(one), "write coil 3 on: an echo");
    assert!(m.output(3));
    assert_eq!(ask(&mut m, 0, "00 04 00 00 00 08 01 0F 00 00 00 04 01 05"), bytes("00 04 00 00 00 06 01 0F 00 00 00 04"));
    assert_eq!(ask(&mut m, 0, "00 05 00 00 00 06 01 01 00 00 00 08"), bytes("00 05 00 00 00 04 01 01 01 05"));
    assert_eq!(ask(&mut m, 0, "00 03 00 00 00 06 01 01 13 88 00 02"), bytes("00 03 00 00 00 03 01 81 02"), "unmapped");
    assert_eq!(ask(&mut m, 0, "00 06 00 00 00 03 01 2B 00"), bytes("00 06 00 00 00 03 01 AB 01"), "unknown function");
}

#[test]
fn what_the_specification_refuses() {
    let mut m = module(|_| ());
    for (request, answer) in [
        ("01 05 00 00 12 34", "01 85 03"),          // neither on nor off
        ("01 06 00 00 00 01", "01 86 01"),          // holding registers: none here
        ("01 10 00 00 00 01 02 00 01", "01 90 01"), //
        ("01 03 00 00 00 01", "01 83 01"),          //
        ("01 01 00 00 00 00", "01 81 03"),          // no coils
        ("01 01 00 00 07 D1", "01 81 03"),          // 2,001 coils
        ("01 02 00 1F 00 02", "01 82 02"),          // one beyond the last
        ("01 04 00 00 00 7E", "01 84 03"),          // 126 registers
        ("01 04 00 40 00 01", "01 84 02"),          //
        ("01 04 FF FF 00 02", "01 84 02"),          // beyond the address space
        ("01 0F 00 00 00 09 01 FF", "01 8F 03"),    // nine bits in one byte
        ("01 0F 00 00 00 08 02 FF", "01 8F 03"),    // byte count and bytes differ
        ("01 01 00 00", "01 81 03"),                // too short
        ("07 01 00 00 00 01", "07 81 0B"),          // another unit
    ] {
        let size = |hex: &str| format!("{:04x}", bytes(hex).len());
        let got = ask(&mut m, 0, &format!("0009 0000 {}{request}", size(request)));
        assert_eq!(got, bytes(&format!("0009 0000 {}{answer}", size(answer))), "{request}");
    }
    assert!((0..32).all(|n| !m.output(n)));
}

#[test]
fn requests_come_split_and_glued_on_several_links() {
    let mut m = module(|_| ());
    for b in bytes("00 01 00 00 00 06 01 05 00 03 FF 00") {
        assert!(!m.output(3));
        m.received(L, &[b], 0);
    }
    assert!(m.output(3));
    assert_eq!(answers(&mut m, 0).len(), 12);
    let both = "00 02 00 00 00 06 01 01 00 03 00 01 00 03 00 00 00 06 01 02 00 00 00 01";
    assert_eq!(ask(&mut m, 0, both), bytes("00 02 00 00 00 04 01 01 01 01 00 03 00 00 00 04 01 02 01 00"));
    m.connected(Link(7), 0);
    m.received(Link(7), &bytes("00 02 00 00 00 06 01"), 0);
    assert_eq!(ask(&mut m, 0, "00 08 00 00 00 06 01 01 00 03 00 01"), bytes("00 08 00 00 00 04 01 01 01 01"), "links do not mix");
    m.received(Link(7), &bytes("01 00 03 00 01"), 0);
    assert_eq!(answers(&mut m, 0), bytes("00 02 00 00 00 04 01 01 01 01"));
    m.received(Link(7), b"GET / HTTP/1.1\r\n", 0);
    assert_eq!(m.poll(), Some((Link(7), Emission::HangUp)), "not Modbus");
}

#[test]
fn edges_are_counted_in_two_registers_high_word_first() {
    let mut m = module(|h| h.base = 0x100);
    for on in [true, true, false, true] {
        m.input(2, on);
    }
    assert_eq!(ask(&mut m, 0, "00 01 00 00 00 06 01 04 01 04 00 02"), bytes("00 01 00 00 00 07 01 04 04 00 00 00 02"));
    assert_eq!(ask(&mut m, 0, "00 01 00 00 00 06 01 02 01 00 00 03"), bytes("00 01 00 00 00 04 01 02 01 04"));
    assert_eq!(ask(&mut m, 0, "00 01 00 00 00 06 01 02 00 02 00 01"), bytes("00 01 00 00 00 03 01 82 02"), "below the base");
    m.counters[2] = 0x0001_ffff;
    m.input(2, false);
    m.input(2, true);
    assert_eq!(ask(&mut m, 0, "00 01 00 00 00 06 01 04 01 04 00 02"), bytes("00 01 00 00 00 07 01 04 04 00 02 00 00"));
    m.power(false, 0);
    m.input(2, false);
    m.input(2, true);
    m.power(true, 0);
    m.connected(L, 0);
    assert_eq!(ask(&mut m, 0, "00 01 00 00 00 06 01 04 01 04 00 02"), bytes("00 01 00 00 00 07 01 04 04 00 00 00 00"), "after power");
}

#[test]
fn the_watchdog_drops_outputs_which_come_back_with_the_next_write() {
    let mut m = module(|h| h.watchdog_ms = Some(300));
    assert_eq!(m.deadline(), None, "nobody has asked for anything yet");
    ask(&mut m, 1_000, "00 01 00 00 00 06 01 05 00 08 FF 00");
    ask(&mut m, 200_000, "00 02 00 00 00 06 01 02 00 00 00 01");
    assert_eq!(m.deadline(), Some(500_000), "any request keeps it");
    m.due(499_999);
    assert!(m.output(8) && !m.safe());
    m.due(500_000);
    assert!(!m.output(8) && m.safe());
    ask(&mut m, 600_000, "00 02 00 00 00 06 01 02 00 00 00 01");
    assert!(m.safe(), "a read does not end it");
    ask(&mut m, 610_000, "00 01 00 00 00 06 01 05 00 08 FF 00");
    assert!(m.output(8) && !m.safe());
}

#[test]
fn a_module_with_a_clearing_coil_obeys_only_after_it() {
    let mut m = module(|h| {
        h.watchdog_ms = Some(300);
        h.safe_state_base = Some(0x1010);
        h.safe_clear_base = Some(0x1020);
    });
    ask(&mut m, 0, "00 01 00 00 00 06 01 05 00 08 FF 00");
    let state = "00 02 00 00 00 06 01 01 10 10 00 01";
    assert_eq!(ask(&mut m, 1_000, state), bytes("00 02 00 00 00 04 01 01 01 00"));
    m.due(301_000);
    assert_eq!(ask(&mut m, 400_000, state), bytes("00 02 00 00 00 04 01 01 01 01"));
    ask(&mut m, 410_000, "00 01 00 00 00 06 01 05 00 08 FF 00");
    assert!(!m.output(8), "written while dropped: no effect");
    ask(&mut m, 420_000, "00 03 00 00 00 06 01 05 10 20 FF 00");
    assert_eq!(ask(&mut m, 430_000, state), bytes("00 02 00 00 00 04 01 01 01 00"));
    assert!(!m.output(8));
    ask(&mut m, 440_000, "00 01 00 00 00 06 01 05 00 08 FF 00");
    assert!(m.output(8));
}

#[test]
fn a_silent_module_has_obeyed() {
    let mut m = module(|_| ());
    m.trouble(Trouble::Silence, 0);
    assert!(ask(&mut m, 0, "00 01 00 00 00 06 01 05 00 03 FF 00").is_empty());
    assert!(m.output(3));
}

#[test]
fn rtu_answers_its_unit_alone_and_only_what_came_whole() {
    let mut m = module(|h| (h.rtu, h.unit) = (Some(9_600), 7));
    let whole = |hex: &str| [bytes(hex), rtu::crc(&bytes(hex)).to_vec()].concat();
    let mut say = |b: &[u8], now_us: u64| {
        m.received(L, b, now_us);
        answers(&mut m, now_us)
    };
    let write = whole("07 05 00 03 FF 00");
    assert_eq!(say(&write, 0), write, "an echo");
    assert_eq!(say(&whole("07 01 00 00 00 08"), 30_000), whole("07 01 01 08"));
    assert_eq!(say(&whole("07 0F 00 00 00 04 01 05"), 60_000), whole("07 0F 00 00 00 04"));
    assert_eq!(say(&whole("07 01 13 88 00 02"), 90_000), whole("07 81 02"), "unmapped");
    assert_eq!(say(&whole("07 2B 0E"), 120_000), whole("07 AB 01"), "unknown function");
    assert_eq!(say(&whole("08 01 00 00 00 08"), 150_000), Vec::<u8>::new(), "for another unit");
    let mut garbled = write.clone();
    garbled[3] ^= 1;
    assert_eq!(say(&garbled, 180_000), Vec::<u8>::new(), "garbled");
    assert_eq!(say(&write[..5], 210_000), Vec::<u8>::new(), "half");
    assert_eq!(say(&write, 300_000), write, "and the half is forgotten");
    assert_eq!(say(&write[..5], 330_000), Vec::<u8>::new(), "half");
    assert_eq!(say(&write[5..], 331_000), write, "the rest follows at once");
}

#[test]
fn a_pulse_ends_by_itself_and_an_output_is_what_was_written_last() {
    let mut m = module(|h| (h.pulse_base, h.pulses_ms) = (Some(64), [(2, 40)].into()));
    ask(&mut m, 0, "00 01 00 00 00 06 01 05 00 42 FF 00");
    assert!(m.output(2));
    assert_eq!(m.deadline(), Some(40_000));
    m.due(39_999);
    assert!(m.output(2));
    m.due(40_000);
    assert!(!m.output(2));
    ask(&mut m, 50_000, "00 02 00 00 00 06 01 05 00 42 FF 00");
    ask(&mut m, 60_000, "00 03 00 00 00 06 01 05 00 02 FF 00");
    m.due(200_000);
    assert!(m.output(2), "written, no pulse any more");
}

/// The shipped transcripts of I/O modules, with the module's side played by this one: what it is asked there it answers
/// as they say. Left out: faults (refusals, noise, garbled telegrams), which a module has for reasons of its own.
#[test]
fn it_answers_as_the_transcripts_say() {
    use crate::profile::Profiles;
    use crate::wire::transcript::{Step, Transcript};
    const MODULES: [&str; 3] = ["modbus-io", "modbus-rtu-io", "moxa-iologik-e1200"];
    let mut answered = std::collections::BTreeMap::<String, usize>::new();
    for e in std::fs::read_dir("firmware-profiles/transcripts").unwrap() {
        let t = Transcript::parse(&std::fs::read_to_string(e.unwrap().path()).unwrap()).unwrap();
        // Nobody else writes to this one.
        let overwritten = t.steps.iter().any(|(_, s)| matches!(s, Step::Expect(e) if e.starts_with("overwritten")));
        if overwritten || !MODULES.contains(&t.profile.as_str()) {
            continue;
        }
        let bound = Profiles::load(None).unwrap().bind(&t.profile, &t.settings()).unwrap();
        let how = ModbusHow { watchdog_ms: None, ..crate::sim::rig::module_how(&bound, t.serial.then_some(9_600)) };
        let mut m = Modbus::new(ModbusHow { points: 16, ..how }, Rng::new(5));
        m.connected(L, 0);
        let (mut now_us, mut asked) = (0, None);
        for (i, (line, step)) in t.steps.iter().enumerate() {
            now_us += 50_000;
            match step {
                // What the poll will show is what the module sees.
                Step::Host(request) => {
                    let shown =
                        t.steps[i..].iter().find_map(|(_, s)| if let Step::Expect(x) = s { x.strip_prefix("polled ") } else { None });
                    for word in shown.unwrap_or_default().split(' ') {
                        let number = |w: &str| w.parse::<usize>().unwrap();
                        match word.split_once('=') {
                            Some((p, v)) if p.starts_with("in.") => m.inputs[number(&p[3..])] = v == "1",
                            Some((p, v)) if p.starts_with("cnt.") => m.counters[number(&p[4..])] = v.parse().unwrap(),
                            _ => m.safe |= word == "safe",
                        }
                    }
                    asked = Some(request.clone());
                }
                Step::Device(answer) => {
                    let Some(request) = asked.take() else { continue };
                    let whole = match t.steps.get(i + 1) {
                        Some((_, Step::Device(rest))) => [answer.clone(), rest.clone()].concat(),
                        _ => answer.clone(),
                    };
                    let function = usize::from(!t.profile.contains("rtu")) * 6 + 1;
                    let rtu_fault = t.profile.contains("rtu") && rtu::crc(&whole[..whole.len() - 2]) != whole[whole.len() - 2..];
                    if whole[function] & 0x80 != 0 || rtu_fault {
                        continue;
                    }
                    m.received(L, &request, now_us);
                    assert_eq!(answers(&mut m, now_us), whole, "{} line {line}", t.source);
                    *answered.entry(t.profile.clone()).or_default() += 1;
                }
                Step::HangUp => asked = None,
                _ => {}
            }
        }
    }
    assert!(MODULES.iter().all(|p| answered.get(*p).is_some_and(|n| *n >= 5)), "{answered:?}");
}
