//! What a reader is told and asked: triggers at the edge, verdicts after them, grades below the least.

use super::*;

/// A line whose bottle camera reads by command and hears each verdict.
fn world() -> World {
    let mut plan = plan();
    for d in plan.devices.iter_mut().filter(|d| d.no == CAM) {
        d.traits = Traits::Reader(ReaderTraits { wants_verdict: true, by_command: true, ..ReaderTraits::default() });
    }
    World::started(plan)
}

fn verdicts(w: &mut World) -> Vec<bool> {
    let told = std::mem::take(&mut w.told);
    told.into_iter().filter_map(|(_, o)| if let Order::Verdict { good, .. } = o { Some(good) } else { None }).collect()
}

#[test]
fn a_reader_is_triggered_at_the_edge_and_told_the_verdict_of_its_frame() {
    let mut w = world();
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
    w.edge(1);
    assert_eq!(w.told, [(CAM, Order::Trigger { window_ms: 80 })]);
    w.told.clear();
    w.frame(CAM, &[CodeRef::new(BOTTLES, 0)]);
    assert_eq!(w.told, [(CAM, Order::Verdict { good: true, frame_us: w.now_us })]);
    w.settle(200);
    w.told.clear();
    w.edge(1);
    w.frame(CAM, &[CodeRef::new(BOTTLES, 0)]);
    assert_eq!(verdicts(&mut w), [false], "a duplicate");
    w.settle(200);
    w.edge(1);
    w.settle(200);
    assert_eq!(verdicts(&mut w), Vec::<bool>::new(), "there was no frame to answer");
    w.check_folds();
}

#[test]
fn good_is_told_after_the_commit_and_bad_at_once() {
    let mut w = world();
    w.auto_commit = false;
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
    w.edge(1);
    w.frame(CAM, &[CodeRef::new(BOTTLES, 0)]);
    assert_eq!(verdicts(&mut w), Vec::<bool>::new(), "not on disk yet");
    assert!(w.after.iter().any(|(_, e)| matches!(e, Effect::Order { order: Order::Verdict { good: true, .. }, .. })));
    w.settle(200);
    w.told.clear();
    w.edge(1);
    w.frame(CAM, &[CodeRef::new(BOTTLES, 9)]);
    assert_eq!(verdicts(&mut w), [false]);
}

#[test]
fn a_grade_below_the_least_rejects_the_code_and_proves_its_ink() {
    let mut w = World::start();
    let code = CodeRef::new(BOTTLES, 0);
    let poor = |w: &mut World, code| {
        w.edge(1);
        w.now_us += 500;
        let reading = Reading::Data(vec![Mark::of(code).graded(true)]);
        w.give(Input::Frame { device: CAM, at_us: w.now_us, reading });
        w.settle(600);
    };
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
    poor(&mut w, code);
    assert_eq!((w.state(code), w.rejected(1, Reason::Grade)), (ItemState::Rejected, 1));
    // A second carrier, poor or not, is a duplicate; one that was never sent is not printed.
    poor(&mut w, code);
    poor(&mut w, CodeRef::new(BOTTLES, 40));
    assert_eq!((w.rejected(1, Reason::Duplicate), w.rejected(1, Reason::NotPrinted), w.rejected(1, Reason::Grade)), (1, 1, 1));
    assert_ne!(w.outputs.get(&0), Some(&true), "nothing went through");
    w.check_folds();
}

#[test]
fn a_poor_code_in_a_frame_rejects_the_parent_only() {
    let mut w = World::start();
    let children: Vec<CodeRef> = (0..2).map(|n| w.bottle(n)).collect();
    w.settle(600);
    let own = CodeRef::new(BOXES, 0);
    w.edge(2);
    w.now_us += 500;
    let mut marks: Vec<Mark> = children.iter().map(|c| Mark::of(*c)).collect();
    marks.push(Mark::of(own).graded(true));
    w.give(Input::Frame { device: BOXCAM, at_us: w.now_us, reading: Reading::Data(marks) });
    w.settle(300);
    assert_eq!((w.rejected(2, Reason::Grade), w.state(own)), (1, ItemState::Rejected));
    assert!(children.iter().all(|c| w.state(*c) == ItemState::Verified));
    w.check_folds();
}
