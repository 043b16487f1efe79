//! Printers that name what they printed, and printers that only a read tells of.

use super::*;

fn world(change: impl Fn(&mut PrinterTraits)) -> World {
    let mut plan = plan();
    for d in plan.devices.iter_mut().filter(|d| d.no == PRINTER) {
        if let Traits::Printer(t) = &mut d.traits {
            change(t);
        }
    }
    World::started(plan)
}

fn bottle(n: u32) -> CodeRef {
    CodeRef::new(BOTTLES, n)
}

#[test]
fn the_printer_names_the_code_whatever_was_read_before() {
    let mut w = world(|t| t.depth = 3);
    // Read before it was told.
    w.edge(1);
    w.frame(CAM, &[bottle(0)]);
    w.settle(120);
    w.give(Input::Report { device: PRINTER, report: Report::PrintedTo { code: bottle(0) } });
    assert_eq!((w.state(bottle(0)), w.state(bottle(1))), (ItemState::Verified, ItemState::Sent), "the next is not credited for it");
    w.give(Input::Report { device: PRINTER, report: Report::PrintedTo { code: bottle(2) } });
    assert_eq!((w.state(bottle(1)), w.state(bottle(2))), (ItemState::Printed, ItemState::Printed));
    w.check_folds();
}

#[test]
fn a_printer_that_only_a_read_tells_of_gets_one_code_at_a_time() {
    let mut w = world(|t| (t.depth, t.confirms, t.repeats_on_empty, t.one_by_one) = (1, false, true, true));
    assert_eq!(w.printed, [bottle(0)]);
    w.settle(500);
    assert_eq!(w.printed, [bottle(0)]);
    w.edge(1);
    w.frame(CAM, &[bottle(0)]);
    w.settle(120);
    assert_eq!(w.printed, [bottle(0), bottle(1)]);
    // A thing without a read took it, or did not: the code is doubtful, and the next one goes in.
    w.edge(1);
    w.settle(200);
    assert_eq!((w.state(bottle(0)), w.state(bottle(1))), (ItemState::Verified, ItemState::Doubtful));
    assert_eq!(w.printed, [bottle(0), bottle(1), bottle(2)]);
    w.check_folds();
}

#[test]
fn a_code_that_is_still_to_be_taken_outlives_an_unread_thing() {
    let mut w = world(|t| (t.depth, t.confirms, t.repeats_on_empty, t.one_by_one) = (1, false, true, true));
    w.takes = false;
    w.edge(1);
    w.frame(CAM, &[bottle(0)]);
    w.settle(120);
    w.edge(1);
    w.settle(200);
    assert_eq!((w.state(bottle(1)), w.printed.len()), (ItemState::Sent, 2), "it is on its way still, and no other is ordered");
    w.give(Input::Report { device: PRINTER, report: Report::Taken { code: bottle(1) } });
    w.edge(1);
    w.settle(200);
    assert_eq!((w.state(bottle(1)), w.printed.len()), (ItemState::Doubtful, 3));
    w.check_folds();
}
