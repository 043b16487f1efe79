//! Gates that share a pulse, rejects that do not arrive, and what can be seen of the line from across the hall.

use super::*;

const RED: u16 = 10;
const YELLOW: u16 = 11;
const GREEN: u16 = 12;
const HORN: u16 = 13;
const MOUTH: u16 = 4;

fn line(change: impl FnOnce(&mut Plan)) -> World {
    let mut plan = plan();
    change(&mut plan);
    World::started(plan)
}

fn with_mouth(p: &mut Plan) {
    let gate = p.stations[1].gate.as_mut().unwrap();
    (gate.confirm, gate.stuck_ms) = (Some(point(PointKind::Input, MOUTH)), 500);
}

fn no_read(w: &mut World) {
    w.edge(1);
    w.frame(CAM, &[]);
    w.settle(150);
}

fn alarm(w: &World, name: &str) -> bool {
    w.line.book().line.alarms.contains(name)
}

#[test]
fn two_things_in_one_pulse_pass_together_or_not_at_all() {
    for (second, through) in [(true, true), (false, false)] {
        let mut w = World::start();
        w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 2 } });
        let codes = [CodeRef::new(BOTTLES, 0), CodeRef::new(BOTTLES, 1)];
        // 35 ms apart, the pulse is 60 ms and 10 to either side.
        w.edge(1);
        w.frame(CAM, &codes[..1]);
        w.settle(30);
        w.edge(1);
        w.frame(CAM, if second { &codes[1..] } else { &[] });
        let mut opened = false;
        for _ in 0..600 {
            w.settle(1);
            opened |= w.outputs.get(&0) == Some(&true);
        }
        assert_eq!(opened, through, "second good: {second}");
        assert_eq!(codes.map(|c| w.line.book().life(c).through), [through, through]);
        assert_eq!(w.rejected(1, Reason::NoRead), if through { 0 } else { 2 });
        w.check_folds();
    }
}

#[test]
fn things_a_spacing_apart_have_pulses_of_their_own() {
    let mut w = World::start();
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 3 } });
    let code = CodeRef::new(BOTTLES, 0);
    w.edge(1);
    w.frame(CAM, &[code]);
    w.settle(95);
    w.edge(1);
    w.frame(CAM, &[]);
    w.settle(600);
    assert!(w.line.book().life(code).through);
    assert_eq!(w.rejected(1, Reason::NoRead), 1);
    w.check_folds();
}

#[test]
fn a_mouth_that_stays_covered_holds_the_line_until_somebody_has_been_there() {
    let mut w = line(with_mouth);
    w.inputs.insert(MOUTH, true);
    w.settle(450);
    assert!(!alarm(&w, "gate-stuck:check"), "a thing falls past it");
    w.settle(100);
    assert!(alarm(&w, "gate-stuck:check"));
    let line = w.line.book().line.clone();
    assert_eq!((line.state, line.reason.as_deref()), (PackMl::Held, Some("gate-stuck")));
    w.op(Op::JobResume { id: "J".into() });
    let a = w.answers.pop().unwrap();
    assert!(!a.ok && a.message.contains("station retract check"), "{a:?}");
    w.settle(400);
    w.op(Op::StationRetract { station: "check".into() });
    let a = w.answers.pop().unwrap();
    assert!(a.ok && a.fields.contains(&("mouth".into(), "blocked".into())), "{a:?}");
    assert!(alarm(&w, "gate-retracted:check") && alarm(&w, "gate-stuck:check"));
    w.inputs.insert(MOUTH, false);
    w.settle(20);
    w.op(Op::JobResume { id: "J".into() });
    assert!(w.answers.pop().unwrap().ok);
    w.settle(100);
    assert_eq!(w.line.book().line.state, PackMl::Execute);
    assert!(!alarm(&w, "gate-retracted:check") && !alarm(&w, "gate-stuck:check"));
    let code = w.bottle(0);
    w.settle(600);
    assert!(w.line.book().life(code).through, "and things pass as before");
    w.check_folds();
}

#[test]
fn rejects_that_never_arrive_are_told_and_hold_the_line_where_that_is_wanted() {
    for (limit, held) in [(0, false), (5, true)] {
        let mut w = line(|p| {
            with_mouth(p);
            p.limits.unconfirmed_rejects = limit;
        });
        w.inputs.insert(MOUTH, false);
        for n in 1..=4 {
            no_read(&mut w);
            w.settle(400);
            assert_eq!(alarm(&w, "reject-not-confirmed:check"), n > 3, "after {n}");
        }
        for _ in 0..2 {
            no_read(&mut w);
            w.settle(400);
        }
        assert_eq!((alarm(&w, "gate-stuck:check"), w.line.book().line.state == PackMl::Held), (held, held));
        if !held {
            w.inputs.insert(MOUTH, true);
            w.settle(40);
            assert!(!alarm(&w, "reject-not-confirmed:check"), "one is seen");
        }
        w.check_folds();
    }
}

#[test]
fn a_gate_is_taken_back_only_while_the_line_stands_and_what_stood_before_it_is_rejected() {
    let mut w = World::start();
    w.op(Op::StationRetract { station: "check".into() });
    assert_eq!(w.answers.pop().unwrap().code, "line-moves");
    w.op(Op::StationRetract { station: "print".into() });
    assert_eq!(w.answers.pop().unwrap().code, "no-gate");
    let code = w.bottle(0);
    w.op(Op::JobHold { id: "J".into() });
    w.settle(500);
    w.answers.clear();
    w.op(Op::StationRetract { station: "check".into() });
    assert!(w.answers.pop().unwrap().ok);
    assert_eq!(w.state(code), ItemState::Rejected, "it stood in front of the gate");
    w.op(Op::StationRetract { station: "box-pack".into() });
    assert_eq!(w.outputs.get(&1), Some(&false), "a gate that rejects when energised rests");
    w.op(Op::JobResume { id: "J".into() });
    w.settle(150);
    assert_eq!(w.outputs.get(&1), Some(&true), "and flushes what may stand before it when the line goes on");
    w.settle(700);
    assert_eq!(w.outputs.get(&1), Some(&false));
    w.check_folds();
}

#[test]
fn lamps_follow_the_line_and_the_horn_waits_for_somebody() {
    let lamps = |p: &mut Plan| {
        let out = |n| Some(point(PointKind::Output, n));
        let light = StackLight { red: out(RED), yellow: out(YELLOW), green: out(GREEN), horn: out(HORN), horn_ms: None, reassert_ms: 400 };
        p.stack_light = Some(light);
        p.limits.consecutive_rejects = 2;
    };
    let show = |w: &World| [RED, YELLOW, GREEN, HORN].map(|n| w.outputs.get(&n).copied().unwrap_or(false));
    let mut w = line(lamps);
    w.settle(300);
    assert_eq!(show(&w), [false, false, true, false], "it runs");
    // A module that lost its lamps has them back by the timer.
    w.outputs.retain(|n, _| *n < RED);
    w.settle(500);
    assert!([RED, YELLOW, GREEN, HORN].iter().all(|n| w.outputs.contains_key(n)), "{:?}", w.outputs);
    no_read(&mut w);
    no_read(&mut w);
    w.settle(200);
    assert_eq!(w.line.book().line.reason.as_deref(), Some("consecutive-rejects"));
    assert_eq!(show(&w), [true, true, false, true], "it stands against its will");
    assert!(alarm(&w, "horn"));
    w.answers.clear();
    w.op(Op::HornOff);
    assert!(w.answers.pop().unwrap().ok);
    w.settle(100);
    assert_eq!((show(&w), alarm(&w, "horn")), ([true, true, false, false], false));
    w.op(Op::JobResume { id: "J".into() });
    w.settle(400);
    assert_eq!(show(&w), [false, false, true, false]);
    w.op(Op::JobHold { id: "J".into() });
    w.settle(200);
    assert_eq!(show(&w), [false, true, false, false], "held by a person");
    w.check_folds();

    let mut w = line(|p| {
        lamps(p);
        p.stack_light.as_mut().unwrap().horn_ms = Some(500);
    });
    no_read(&mut w);
    no_read(&mut w);
    w.settle(300);
    assert!(show(&w)[3]);
    w.settle(400);
    assert_eq!((show(&w)[3], show(&w)[0]), (false, true), "it falls silent by itself");
    let mut w = World::start();
    w.op(Op::HornOff);
    assert_eq!(w.answers.pop().unwrap().code, "no-horn");
}

/// A belt's stop is seen a poll late: what was hardly past its gate by our count may stand before it.
#[test]
fn what_stands_in_its_gate_when_the_job_ends_is_late_unless_it_is_well_past() {
    let mut seen = [0, 0];
    for ms in (340..430).step_by(3) {
        let mut w = World::start();
        w.edge(1);
        let code = CodeRef::new(BOTTLES, 0);
        w.frame(CAM, &[code]);
        let (gate, due) = (plan().stations[1].gate.unwrap(), w.line.gates[&StationNo(1)].jobs.back().unwrap().due);
        w.settle(ms);
        w.op(Op::JobAbort { id: "J".into() });
        w.settle(10);
        let past = w.line.position(&gate, w.now_us) as i64 - due as i64;
        w.settle(5_000);
        assert_eq!(w.line.book().life(code).through, past >= 5_000, "{past} µs past");
        assert_eq!(w.state(code), if past >= 5_000 { ItemState::Verified } else { ItemState::Rejected });
        seen[usize::from(past >= 5_000)] += 1;
        w.check_folds();
    }
    assert!(seen[0] > 5 && seen[1] > 5, "{seen:?}");
}
