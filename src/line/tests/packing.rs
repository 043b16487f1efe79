//! Bottles to boxes to cases, and their labels.

use super::*;

#[test]
fn a_box_seen_twice_is_loss_of_step_for_its_case() {
    let mut w = World::start();
    let c = [w.bottle(0), w.bottle(1)];
    w.settle(500);
    let first = w.boxed(0, &c);
    w.settle(600);
    w.boxed(0, &c);
    w.settle(600);
    assert_eq!(w.rejected(2, Reason::Duplicate), 1);
    assert_eq!(w.state(first), ItemState::Verified);
    let line = &w.line.book().line;
    assert_eq!((line.state, line.reason.as_deref()), (PackMl::Held, Some("out-of-step")));
    w.op(Op::StationClear { station: "case-pack".into() });
    w.op(Op::JobResume { id: "J".into() });
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute);
    w.check_folds();
}

#[test]
fn a_box_seals_and_a_case_is_labelled_and_read() {
    let mut w = World::start();
    let mut boxes = Vec::new();
    for b in 0..2 {
        let c = [w.bottle(2 * b), w.bottle(2 * b + 1)];
        w.settle(500);
        boxes.push(w.boxed(b, &c));
        assert_eq!(w.state(c[0]), ItemState::Packed);
        w.settle(600);
    }
    for _ in 0..2 {
        w.edge(7);
        w.settle(300);
    }
    assert_eq!(w.labels.len(), 1, "closed at two boxes, one label");
    assert_eq!(w.state(boxes[0]), ItemState::Verified, "bound, not packed, until the label is read");
    w.edge(3);
    let number = w.labels[0];
    w.frame(CASECAM, &[number]);
    w.settle(600);
    assert_eq!(w.state(boxes[0]), ItemState::Packed);
    assert_eq!(w.state(number), ItemState::Verified);
    assert!(w.line.book().life(number).through);
    w.check_folds();
}

#[test]
fn a_short_frame_rejects_the_box_and_leaves_its_bottles() {
    let mut w = World::start();
    let c = w.bottle(0);
    w.settle(500);
    let b = w.boxed(0, &[c]);
    assert_eq!(w.state(b), ItemState::Pooled, "frames accumulate until the deadline");
    w.settle(600);
    assert_eq!(w.state(b), ItemState::Rejected);
    assert_eq!(w.rejected(2, Reason::UnderCount), 1);
    assert_eq!(w.state(c), ItemState::Verified);
    w.check_folds();
}

#[test]
fn an_unverified_child_is_an_escape() {
    let mut w = World::start();
    let c = w.bottle(0);
    w.settle(500);
    let b = w.boxed(0, &[c, CodeRef::new(BOTTLES, 1)]);
    w.settle(600);
    assert_eq!(w.rejected(2, Reason::Escape), 1);
    assert_eq!(w.state(b), ItemState::Rejected);
    w.check_folds();
}

#[test]
fn a_label_not_read_in_time_is_void_and_the_next_is_printed() {
    let mut w = World::start();
    for b in 0..2 {
        let c = [w.bottle(2 * b), w.bottle(2 * b + 1)];
        w.settle(500);
        w.boxed(b, &c);
        w.settle(600);
    }
    w.edge(7);
    w.settle(100);
    w.edge(7);
    w.settle(5_400);
    assert_eq!(w.labels.len(), 2);
    assert_eq!(w.state(w.labels[0]), ItemState::Void);
    w.edge(3);
    let number = w.labels[1];
    w.frame(CASECAM, &[number]);
    w.settle(500);
    assert_eq!(w.state(number), ItemState::Verified);
    w.check_folds();
}

/// A case that went by the reader of labels unseen is in the bin with its label: the number that would come next for the
/// same boxes would be stuck on the case behind it.
#[test]
fn a_case_that_passes_unseen_takes_its_number_with_it() {
    let mut w = World::start();
    let mut boxes = Vec::new();
    for b in 0..2 {
        let c = [w.bottle(2 * b), w.bottle(2 * b + 1)];
        w.settle(500);
        boxes.push(w.boxed(b, &c));
        w.settle(600);
    }
    for _ in 0..2 {
        w.edge(7);
        w.settle(100);
    }
    let number = w.labels[0];
    w.edge(3);
    w.settle(10_000);
    assert_eq!(w.rejected(5, Reason::NoRead), 1);
    assert_eq!(w.state(number), ItemState::Void);
    assert_eq!(w.labels.len(), 1, "no other number for a case in the bin");
    assert!(boxes.iter().all(|b| w.state(*b) == ItemState::Verified), "its boxes may be gathered again");
    assert_eq!(w.line.book().life(boxes[0]).parent, ParentNo(0));
    w.check_folds();
}

/// A line with a second place where boxes are packed by hand, its own code first.
fn two_hands() -> Plan {
    let mut p = plan();
    let pack = p.stations.iter_mut().find(|s| s.id == "box-pack").unwrap();
    (pack.gather, pack.trigger, pack.gate) = (Some(Gather::ParentFirst), None, None);
    p.stations.push(Station { device: Some(CASECAM), gather: Some(Gather::ParentFirst), ..station(6, "box-hand", Role::Pack, 1) });
    p.stations.retain(|s| s.id != "case-check");
    p
}

#[test]
fn a_code_on_a_parent_that_is_open_elsewhere_is_a_duplicate() {
    let mut w = World::started(two_hands());
    let c: Vec<CodeRef> = (0..4).map(|n| w.bottle(n)).collect();
    w.settle(500);
    let own = CodeRef::new(BOXES, 0);
    w.frame(BOXCAM, &[own]);
    w.frame(CASECAM, &[own]);
    assert_eq!(w.rejected(6, Reason::Duplicate), 1);
    w.frame(CASECAM, &[c[2], c[3]]);
    assert_eq!(w.rejected(6, Reason::WrongLevel), 2, "nothing is open there");
    w.frame(BOXCAM, &[c[0], c[1]]);
    assert_eq!(w.state(own), ItemState::Verified);
    w.check_folds();
}

#[test]
fn a_box_packed_by_hand_is_not_what_stands_before_the_sequence() {
    let mut p = plan();
    let hand = Station { device: Some(CASECAM), gather: Some(Gather::ParentLast), ..station(6, "case-hand", Role::Pack, 2) };
    p.stations.retain(|s| s.id != "case-check");
    p.stations.push(hand);
    let mut w = World::started(p);
    let c = [w.bottle(0), w.bottle(1)];
    w.settle(500);
    let b = w.boxed(0, &c);
    w.settle(700);
    // It is expected at the sequence; somebody takes it off the belt and packs it.
    w.frame(CASECAM, &[b]);
    assert_eq!(w.line.book().life(b).parent, ParentNo(2));
    w.edge(7);
    assert_eq!(w.rejected(3, Reason::Duplicate), 1);
    assert_eq!(w.line.book().line.reason.as_deref(), Some("out-of-step"));
    assert_eq!(w.line.book().life(b).parent, ParentNo(2), "it stays where it was put");
    w.check_folds();
}

#[test]
fn a_label_scanned_where_nothing_triggers_does_not_seal() {
    let mut p = plan();
    let check = p.stations.iter_mut().find(|s| s.id == "case-check").unwrap();
    (check.trigger, check.gate) = (None, None);
    let mut w = World::started(p);
    for b in 0..2 {
        let c = [w.bottle(2 * b), w.bottle(2 * b + 1)];
        w.settle(500);
        w.boxed(b, &c);
        w.settle(700);
        w.edge(7);
        w.settle(100);
    }
    let label = w.labels[0];
    let parent = w.line.book().parent_of_number(label).unwrap();
    w.frame(CASECAM, &[CodeRef::new(BOXES, 0)]);
    w.frame(CASECAM, &[label]);
    assert_eq!(w.line.book().parents[&parent].state, ParentState::Labelling, "neither sealed nor given up");
    assert_eq!(w.line.book().life(label).seen, 1, "evidence all the same");
    w.check_folds();
}
