//! One station: passages, frames, verdicts, the gate.

use super::*;

#[test]
fn a_good_bottle_goes_through_the_gate() {
    let mut w = World::start();
    assert_eq!(w.printed[0], CodeRef::new(BOTTLES, 0), "pack order");
    let code = w.bottle(0);
    assert_eq!(w.state(code), ItemState::Verified);
    assert!(!w.line.book().life(code).through);
    w.settle(200);
    assert_ne!(w.outputs.get(&0), Some(&true), "the gate is still shut 320 ms after the edge");
    w.settle(55);
    assert_eq!(w.outputs.get(&0), Some(&true), "energised to pass around 400 ms");
    w.settle(100);
    assert_eq!(w.outputs.get(&0), Some(&false));
    assert!(w.line.book().life(code).through);
    w.check_folds();
}

#[test]
fn no_frame_is_a_no_read_and_the_gate_stays_shut() {
    let mut w = World::start();
    w.bottle(0);
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
    w.edge(1);
    w.settle(600);
    assert_eq!(w.rejected(1, Reason::NoRead), 1);
    assert_eq!(w.state(CodeRef::new(BOTTLES, 1)), ItemState::Missing, "the order was anchored by the read before");
    w.check_folds();
}

#[test]
fn a_late_frame_is_not_credited_to_the_next_passage() {
    let mut w = World::start();
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 2 } });
    w.edge(1);
    w.settle(95);
    w.edge(1);
    w.frame(CAM, &[CodeRef::new(BOTTLES, 0)]);
    w.settle(600);
    assert_eq!(w.rejected(1, Reason::NoRead), 2);
    assert_ne!(w.state(CodeRef::new(BOTTLES, 0)), ItemState::Verified);
    w.check_folds();
}

#[test]
fn a_second_other_frame_takes_the_verdict_back() {
    let mut w = World::start();
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 2 } });
    w.edge(1);
    w.frame(CAM, &[CodeRef::new(BOTTLES, 0)]);
    w.frame(CAM, &[CodeRef::new(BOTTLES, 1)]);
    w.settle(600);
    assert_eq!(w.state(CodeRef::new(BOTTLES, 0)), ItemState::Rejected);
    assert_eq!(w.line.book().stations[&StationNo(1)].counts.verified, 0);
    assert_ne!(w.outputs.get(&0), Some(&true), "never energised");
    w.check_folds();
}

#[test]
fn two_edges_in_one_poll_are_both_rejected() {
    let mut w = World::start();
    *w.counters.get_mut(&1).unwrap() += 1;
    w.edge(1);
    w.frame(CAM, &[CodeRef::new(BOTTLES, 0)]);
    w.settle(600);
    assert_eq!(w.rejected(1, Reason::NoRead), 2);
    w.check_folds();
}

#[test]
fn an_uncommitted_verdict_is_late_at_the_gate() {
    let mut w = World::start();
    w.auto_commit = false;
    let code = w.bottle(0);
    w.settle(600);
    assert_eq!(w.state(code), ItemState::Rejected);
    assert_eq!(w.rejected(1, Reason::Late), 1);
    assert_ne!(w.outputs.get(&0), Some(&true));
    w.check_folds();
}

#[test]
fn a_second_carrier_is_a_duplicate_and_the_first_stays() {
    let mut w = World::start();
    let code = w.bottle(0);
    w.edge(1);
    w.frame(CAM, &[code]);
    w.settle(600);
    assert_eq!(w.rejected(1, Reason::Duplicate), 1);
    assert_eq!(w.state(code), ItemState::Verified);
    w.check_folds();
}
