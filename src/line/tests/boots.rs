//! A job's start and end, a restart.

use super::*;

#[test]
fn a_restart_doubts_what_was_sent_and_withdraws_what_was_short_of_its_gate() {
    let mut w = World::start();
    let code = w.bottle(0);
    let sent = w.printed[1];
    assert_eq!(w.state(sent), ItemState::Sent);
    w.check_folds();
    let mut again = World::raw(w.line.book().clone(), false);
    assert_eq!(again.state(sent), ItemState::Doubtful);
    assert_eq!(again.state(code), ItemState::Rejected);
    assert_eq!(again.line.book().stations[&StationNo(1)].counts.rejected[&Reason::Late], 1);
    again.counters = w.counters.clone();
    *again.counters.get_mut(&1).unwrap() += 3;
    again.connect();
    again.settle(500);
    let missed = again.journal.iter().find_map(|e| if let Event::Started { missed, .. } = e { Some(missed.clone()) } else { None });
    assert!(missed.unwrap().contains(&(StationNo(1), Some(3))));
    assert_eq!(again.line.book().line.state, PackMl::Execute, "resumed by itself");
    assert!(!again.printed.contains(&sent), "never sent again");
}

#[test]
fn completing_settles_everything_by_name() {
    let mut w = World::start();
    w.bottle(0);
    w.settle(500);
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
    w.op(Op::JobComplete { id: "J".into(), void_open: false });
    w.settle(4_000);
    let last = w.answers.last().unwrap();
    assert!(last.ok, "{last:?}");
    assert_eq!(w.line.book().line.state, PackMl::Complete);
    assert_eq!(w.state(CodeRef::new(BOTTLES, 1)), ItemState::Missing);
    assert_eq!(w.state(CodeRef::new(BOTTLES, 2)), ItemState::Void);
    assert_eq!(w.state(CodeRef::new(BOTTLES, 40)), ItemState::Pooled);
    assert_eq!(w.line.book().unsettled().count(), 0);
    w.check_folds();
}

#[test]
fn a_start_is_refused_with_a_sentence_per_missing_thing() {
    let mut w = World::raw(Book::default(), true);
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    let a = w.answers.last().unwrap();
    assert_eq!(a.code, "not-ready");
    assert!(a.message.lines().count() >= 8, "{}", a.message);
}

#[test]
fn a_counter_that_jumps_is_no_things_and_holds_the_line() {
    let mut w = World::start();
    w.bottle(0);
    *w.counters.get_mut(&1).unwrap() += 1_000_000;
    w.poll();
    let line = &w.line.book().line;
    assert_eq!((line.state, line.reason.as_deref()), (PackMl::Held, Some("counter-jump")));
    assert!(line.alarms.contains("counter-jump:check"));
    assert_eq!(w.rejected(1, Reason::NoRead), 0, "no passage is made of it");
    w.op(Op::JobResume { id: "J".into() });
    w.settle(300);
    w.bottle(1);
    assert_eq!(w.line.book().stations[&StationNo(1)].counts.verified, 2, "counting goes on from there");
    w.check_folds();
}

/// A module that began again while its link stood.
#[test]
fn a_counter_that_goes_back_is_no_things_and_holds_the_line() {
    let mut w = World::start();
    for n in 0..9 {
        w.bottle(n);
    }
    w.settle(500);
    w.counters.insert(1, 3);
    w.poll();
    let line = &w.line.book().line;
    assert_eq!((line.state, line.reason.as_deref()), (PackMl::Held, Some("counter-jump")));
    assert_eq!(w.rejected(1, Reason::NoRead), 0, "no passage is made of it");
    w.check_folds();
}

#[test]
fn a_linked_module_that_is_not_polled_holds_the_line() {
    let mut w = World::start();
    w.now_us += 450_000;
    w.give(Input::Tick);
    let line = &w.line.book().line;
    assert_eq!((line.state, line.reason.as_deref()), (PackMl::Held, Some("io-slow")));
    assert_eq!(w.outputs.get(&8), Some(&false), "the permit is off");
    w.check_folds();
}

#[test]
fn a_code_only_looked_at_while_leased_is_pooled_after_the_job() {
    let mut w = World::start();
    let code = CodeRef::new(BOTTLES, 40);
    w.edge(1);
    w.frame(CAM, &[code]);
    w.settle(600);
    assert_eq!(w.rejected(1, Reason::NotPrinted), 1);
    w.op(Op::JobComplete { id: "J".into(), void_open: true });
    w.settle(4_000);
    assert_eq!(w.state(code), ItemState::Pooled);
    w.check_folds();
}

#[test]
fn an_expiry_is_a_date() {
    let mut w = World::raw(Book::default(), true);
    let create = |id: &str, expiry: &str| Op::JobCreate {
        id: id.into(),
        product: "P1".into(),
        lot: "A".into(),
        target: None,
        expiry: Some(expiry.into()),
    };
    w.op(create("J", "31/12/99x"));
    assert_eq!(w.answers.last().unwrap().code, "bad-expiry");
    w.op(create("J", "2027-01-31"));
    assert!(w.answers.last().unwrap().ok);
}

#[test]
fn a_thing_missed_at_an_empty_sequence_station_is_loss_of_step() {
    let w = World::start();
    let mut again = World::raw(w.line.book().clone(), false);
    again.counters = w.counters.clone();
    *again.counters.get_mut(&7).unwrap() += 1;
    again.connect();
    let line = &again.line.book().line;
    assert_eq!((line.state, line.reason.as_deref()), (PackMl::Held, Some("out-of-step")));
    assert!(line.alarms.contains("out-of-step:case-pack"));
}

#[test]
fn a_gate_that_flushes_stays_set_while_the_belt_may_still_coast() {
    let w = World::start();
    let mut again = World::raw(w.line.book().clone(), false);
    again.counters = w.counters.clone();
    again.connect();
    again.settle(30);
    assert_eq!((again.outputs[&8], again.outputs[&1]), (true, true), "it moves, and what is unknown is rejected");
    again.op(Op::JobHold { id: "J".into() });
    again.settle(150);
    assert_eq!((again.outputs[&8], again.outputs[&1]), (false, true), "the belt's input says that it stands, but it lags");
    again.settle(100);
    assert!(!again.outputs[&1], "no coil is on for nothing");
}

/// A sealed box `ms` of running belt behind the eye; then the line is held and its case station cleared.
fn cleared_with_a_box_at(ms: u64) -> (World, CodeRef) {
    let mut w = World::start();
    let children = [w.bottle(0), w.bottle(1)];
    w.settle(500);
    let code = w.boxed(0, &children);
    assert_eq!(w.state(code), ItemState::Verified);
    w.settle(ms);
    w.op(Op::JobHold { id: "J".into() });
    w.settle(300);
    w.op(Op::StationClear { station: "case-pack".into() });
    w.op(Op::JobResume { id: "J".into() });
    w.settle(600);
    w.check_folds();
    (w, code)
}

#[test]
fn what_stands_about_the_gate_gets_its_word_when_the_station_behind_is_cleared() {
    let (w, back) = cleared_with_a_box_at(200);
    assert_eq!((w.state(back), w.rejected(2, Reason::Late)), (ItemState::Verified, 0), "further back it comes as ever");
    assert_eq!(w.line.book().queues[&StationNo(3)], [back], "and is expected");
    let (w, near) = cleared_with_a_box_at(365);
    assert_eq!((w.state(near), w.rejected(2, Reason::Late)), (ItemState::Rejected, 1), "nearly there: not let through any more");
    let (w, past) = cleared_with_a_box_at(412);
    assert_eq!((w.state(past), w.rejected(2, Reason::Late)), (ItemState::Verified, 0), "gone by");
    assert!(!w.line.book().queues.contains_key(&StationNo(3)), "and taken away with the others");
}
