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
