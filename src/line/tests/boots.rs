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
