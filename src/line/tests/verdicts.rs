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

/// After a thing without a frame, one that comes just before the next edge is seen: it may be the silent thing's or the next
/// one's, and so may the frame behind it.
#[test]
fn after_a_silent_thing_a_frame_before_the_next_edge_is_credited_to_nobody() {
    let mut w = World::started(preprinted());
    let code = |n| CodeRef::new(BOTTLES, n);
    w.edge(1);
    w.settle(95);
    w.frame(CAM, &[code(1)]);
    w.edge(1);
    w.frame(CAM, &[code(0)]);
    w.settle(600);
    assert_eq!(w.rejected(1, Reason::NoRead), 2);
    assert_eq!((w.state(code(0)), w.state(code(1))), (ItemState::Pooled, ItemState::Pooled));
    // It was the silent thing's and no edge came: the next thing is judged as ever.
    w.edge(1);
    w.settle(95);
    w.frame(CAM, &[code(2)]);
    w.settle(200);
    w.edge(1);
    w.frame(CAM, &[code(3)]);
    w.settle(600);
    assert_eq!((w.state(code(2)), w.state(code(3))), (ItemState::Pooled, ItemState::Verified));
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

/// A further code of the item: on its cap, say.
fn twin(code: CodeRef) -> Mark {
    Mark::Code { code, exact: true, twin: true, made_for: None, poor: false }
}

#[test]
fn a_further_code_proves_no_ink_and_is_held_against_the_printed_one() {
    let mut w = World::start();
    let item = |n| CodeRef::new(BOTTLES, n);
    let mut pass = |marks: Vec<Mark>| {
        w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
        w.edge(1);
        w.sight(CAM, marks);
        w.settle(700);
        w.line.book().stations[&StationNo(1)].counts.clone()
    };
    let good = pass(vec![twin(item(0)), Mark::of(item(0))]);
    assert_eq!((good.verified, good.rejected.len()), (1, 0));
    // The cap of another item: two codes, and one thing that can carry one of them.
    let crossed = pass(vec![Mark::of(item(1)), twin(item(5))]);
    assert_eq!((crossed.verified, crossed.rejected.get(&Reason::OverCount)), (1, Some(&1)));
    let alone = pass(vec![twin(item(2))]);
    assert_eq!((alone.verified, alone.rejected.get(&Reason::NoRead)), (1, Some(&1)));
    let altered = Mark::Code { code: item(3), exact: false, twin: true, made_for: None, poor: false };
    let bad = pass(vec![Mark::of(item(3)), altered]);
    assert_eq!((bad.verified, bad.rejected.get(&Reason::Altered)), (1, Some(&1)));
    for n in [1, 2, 3, 5] {
        assert_ne!(w.state(item(n)), ItemState::Verified, "{n}");
    }
    w.check_folds();
}

#[test]
fn a_second_frame_with_the_cap_of_another_item_takes_the_verdict_back() {
    let mut w = World::start();
    let item = |n| CodeRef::new(BOTTLES, n);
    for n in 0..2 {
        w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
        w.edge(1);
        w.frame(CAM, &[item(n)]);
        w.sight(CAM, vec![twin(item(n * 5))]);
        w.settle(700);
    }
    assert_eq!(w.state(item(0)), ItemState::Verified, "its own cap changes nothing");
    assert_eq!(w.state(item(1)), ItemState::Rejected, "that of another does");
    w.check_folds();
}

/// Bottles that come with their codes: nothing tells in which order.
fn preprinted() -> Plan {
    let mut p = plan();
    p.levels[0].codes = CodeSource::Preprinted;
    p.stations.remove(0);
    p
}

#[test]
fn any_code_of_a_preprinted_item_names_it_and_all_must_name_the_same() {
    let mut w = World::started(preprinted());
    let item = |n| CodeRef::new(BOTTLES, n);
    let sights = [
        vec![twin(item(0))],
        vec![twin(item(1)), Mark::of(item(1))],
        vec![Mark::of(item(2)), twin(item(3))],
        vec![twin(item(4)), twin(item(5))],
        vec![twin(item(0))],
    ];
    for marks in sights {
        w.edge(1);
        w.sight(CAM, marks);
        w.settle(700);
    }
    let states: Vec<ItemState> = (0..6).map(|n| w.state(item(n))).collect();
    use ItemState::{Pooled, Verified};
    assert_eq!(states, [Verified, Verified, Pooled, Pooled, Pooled, Pooled]);
    assert_eq!((w.rejected(1, Reason::OverCount), w.rejected(1, Reason::Duplicate)), (2, 1));
    // At a camera that packs, whichever code of the two was seen: one child, and one code of the box.
    w.edge(2);
    w.sight(BOXCAM, vec![twin(item(0)), Mark::of(item(0)), twin(item(1)), twin(CodeRef::new(BOXES, 0)), Mark::of(CodeRef::new(BOXES, 0))]);
    w.settle(700);
    assert_eq!((w.state(item(0)), w.state(CodeRef::new(BOXES, 0))), (ItemState::Packed, Verified));
    w.check_folds();
}

#[test]
fn a_scan_without_a_trigger_holds_further_codes_against_the_printed_ones_too() {
    let mut p = plan();
    let check = p.stations.iter_mut().find(|s| s.id == "check").unwrap();
    (check.trigger, check.gate) = (None, None);
    let mut w = World::started(p);
    let item = |n| CodeRef::new(BOTTLES, n);
    w.sight(CAM, vec![Mark::of(item(0)), twin(item(1))]);
    assert_eq!((w.state(item(0)), w.rejected(1, Reason::OverCount)), (ItemState::Sent, 1));
    w.sight(CAM, vec![twin(item(1))]);
    assert_eq!(w.rejected(1, Reason::NoRead), 0, "nothing was shown");
    w.sight(CAM, vec![Mark::of(item(0)), twin(item(0)), Mark::of(item(1)), twin(item(1))]);
    assert_eq!((w.state(item(0)), w.state(item(1))), (ItemState::Verified, ItemState::Verified));
}

#[test]
fn a_printer_that_names_its_code_is_credited_that_code_and_no_other() {
    let mut w = World::start();
    let code = |n| CodeRef::new(BOTTLES, n);
    let named = |n| Input::Report { device: PRINTER, report: Report::PrintedCode { code: code(n) } };
    w.give(named(1));
    assert_eq!((w.state(code(0)), w.state(code(1))), (ItemState::Doubtful, ItemState::Printed), "it was passed over");
    // Said once more; one that is in doubt already; one that was never sent.
    for n in [1, 0, 49] {
        w.give(named(n));
    }
    assert_eq!((w.state(code(0)), w.state(code(1)), w.state(code(2))), (ItemState::Doubtful, ItemState::Printed, ItemState::Sent));
    w.edge(1);
    w.frame(CAM, &[code(0)]);
    w.settle(120);
    assert_eq!(w.state(code(0)), ItemState::Verified, "a read proves the ink");
    w.check_folds();
}
