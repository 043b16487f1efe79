//! Places counted in pulses of an encoder; a module that was silent, or that somebody else writes to.

use super::*;

const ENCODER: u16 = 9;
/// From eye to gate.
const WAY: u32 = 400;

fn by_pulses(polarity: Polarity) -> World {
    let mut plan = plan();
    let gate = plan.stations[1].gate.as_mut().unwrap();
    gate.after = After::Pulses { n: WAY, encoder: point(PointKind::Counter, ENCODER) };
    gate.polarity = polarity;
    let mut w = World::with(plan, Book::default(), true);
    w.counters.insert(ENCODER, 70_000);
    w.pack(BOTTLES, "bottle", 50);
    w.pack(BOXES, "box", 10);
    w.connect();
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute, "{:?}", w.answers);
    // The belt gathers speed; what a reject gate flushes goes by.
    run(&mut w, 600, 5);
    w
}

/// The belt runs: so many pulses every 5 ms. Answers at which of them the coil of the gate stood on.
fn run(w: &mut World, pulses: u32, each: u32) -> Vec<u32> {
    let mut on = Vec::new();
    for n in 0..pulses / each {
        *w.counters.get_mut(&ENCODER).unwrap() += each;
        w.settle(5);
        if w.outputs.get(&0) == Some(&true) {
            on.push(n * each);
        }
    }
    on
}

fn read(w: &mut World, ordinal: u32) -> CodeRef {
    let code = CodeRef::new(BOTTLES, ordinal);
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
    w.edge(1);
    w.frame(CAM, &[code]);
    code
}

fn alarm(w: &World, name: &str) -> bool {
    w.line.book().line.alarms.contains(name)
}

fn held_for(w: &World) -> Option<&str> {
    let line = &w.line.book().line;
    line.reason.as_deref().filter(|_| line.state == PackMl::Held)
}

fn resume(w: &mut World) {
    w.answers.clear();
    w.op(Op::JobResume { id: "J".into() });
    assert!(w.answers.pop().unwrap().ok);
    w.settle(50);
    assert_eq!(w.line.book().line.state, PackMl::Execute);
}

/// Time without an answer of the module.
fn silence(w: &mut World, ms: u64) {
    let end = w.now_us + ms * 1_000;
    while let Some(due) = w.line.deadline().filter(|d| *d < end) {
        w.now_us = due.max(w.now_us);
        w.give(Input::Tick);
        w.now_us += 100;
    }
    w.now_us = end;
    w.poll();
}

#[test]
fn a_pulse_is_centred_on_its_count_whatever_the_speed_and_a_belt_that_stops_keeps_places() {
    for (each, stop) in [(5, false), (2, false), (12, false), (5, true)] {
        let mut w = by_pulses(Polarity::Pass);
        run(&mut w, 50 * each, each);
        let code = read(&mut w, 0);
        let mut on = run(&mut w, 200 - 200 % each, each);
        if stop {
            w.settle(3_000);
            run(&mut w, 5, 1);
        }
        let before = 200 - 200 % each + if stop { 5 } else { 0 };
        on.extend(run(&mut w, 600, each).into_iter().map(|n| n + before));
        let (first, last) = (*on.first().expect("it opens"), *on.last().unwrap());
        // 60 ms of pulse: so many pulses, half to either side of the count.
        let middle = (first + last) / 2;
        assert!(middle.abs_diff(WAY) <= 3 * each + 5, "{each} a poll: on from {first} to {last}");
        assert!((last - first).abs_diff(12 * each) <= 5 * each, "{each} a poll: on from {first} to {last}");
        assert!(w.line.book().life(code).through);
        w.check_folds();
    }
}

#[test]
fn an_encoder_that_runs_backwards_or_jumps_has_lost_every_place() {
    for polarity in [Polarity::Pass, Polarity::Reject] {
        for to in [3, 69_000, 5_000_000] {
            let mut w = by_pulses(polarity);
            let code = read(&mut w, 0);
            run(&mut w, 100, 5);
            assert_eq!((alarm(&w, "encoder-lost:check"), w.state(code)), (false, ItemState::Verified));
            w.counters.insert(ENCODER, to);
            w.settle(10);
            assert!(alarm(&w, "encoder-lost:check") && held_for(&w) == Some("encoder-lost"), "{polarity:?} {to}");
            assert_eq!(w.state(code), ItemState::Rejected, "nobody knows where it stands");
            w.settle(500);
            resume(&mut w);
            assert!(!alarm(&w, "encoder-lost:check"));
            let on = run(&mut w, 300, 5).len();
            assert_eq!(on > 50, polarity == Polarity::Reject, "what stood before the gate is rejected: {on}");
            run(&mut w, 400, 5);
            let next = read(&mut w, 1);
            run(&mut w, 700, 5);
            assert!(w.line.book().life(next).through, "and then all is as before");
            w.check_folds();
        }
    }
}

#[test]
fn a_belt_that_rocks_as_it_stops_loses_nothing() {
    let mut w = by_pulses(Polarity::Pass);
    let code = read(&mut w, 0);
    run(&mut w, 200, 5);
    for _ in 0..40 {
        *w.counters.get_mut(&ENCODER).unwrap() -= 6;
        w.settle(20);
        *w.counters.get_mut(&ENCODER).unwrap() += 6;
        w.settle(20);
    }
    assert!(!alarm(&w, "encoder-lost:check"));
    let on = run(&mut w, 400, 5);
    let middle = (on.first().unwrap() + on.last().unwrap()) / 2;
    assert!(middle.abs_diff(WAY - 200) <= 20, "rocking is no way: {on:?}");
    assert!(w.line.book().life(code).through);
}

#[test]
fn a_reject_whose_module_was_silent_meanwhile_may_have_got_by() {
    for (ms, doubt) in [(120, false), (220, true)] {
        let mut w = World::start();
        w.edge(1);
        w.frame(CAM, &[]);
        w.settle(350);
        silence(&mut w, ms);
        w.settle(300);
        assert_eq!((alarm(&w, "gate-late:check"), held_for(&w)), (doubt, doubt.then_some("gate-late")), "{ms} ms");
        assert_eq!(w.rejected(1, Reason::NoRead), 1);
        w.check_folds();
    }
}

#[test]
fn a_module_that_somebody_else_writes_to_holds_the_line() {
    let mut w = World::start();
    w.give(Input::Report { device: IO, report: Report::Overwritten { number: 8, on: false } });
    assert!(alarm(&w, "io-overwritten:io") && held_for(&w) == Some("io-overwritten"));
    w.settle(10);
    assert_eq!(w.outputs.get(&8), Some(&false), "the permit ends");
    w.settle(300);
    resume(&mut w);
    assert!(!alarm(&w, "io-overwritten:io"));
    w.check_folds();
}

#[test]
fn a_frame_of_nothing_but_what_is_passed_over_leaves_its_passage_open() {
    let mut w = World::start();
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
    let code = CodeRef::new(BOTTLES, 0);
    w.edge(1);
    let passed_over = Reading::Data(Vec::new());
    w.give(Input::Frame { device: CAM, at_us: w.now_us, reading: passed_over.clone() });
    w.settle(20);
    w.frame(CAM, &[code]);
    w.settle(600);
    assert!(w.line.book().life(code).through && w.rejected(1, Reason::NoRead) == 0);
    // Alone it is a passage without a read.
    w.edge(1);
    w.give(Input::Frame { device: CAM, at_us: w.now_us, reading: passed_over });
    w.settle(600);
    assert_eq!(w.rejected(1, Reason::NoRead), 1);
    w.check_folds();
}
