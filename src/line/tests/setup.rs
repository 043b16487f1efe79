//! Setup prints: only with no job running, in the book before the ink, and no code's life.

use super::*;

fn idle() -> World {
    let mut w = World::raw(Book::default(), true);
    w.pack(BOTTLES, "bottle", 50);
    w.pack(BOXES, "box", 10);
    w.connect();
    w
}

fn ask(w: &mut World, device: &str, text: Option<&str>) -> Option<Answer> {
    w.answers.clear();
    w.op(Op::SetupPrint { device: device.into(), text: text.map(Into::into) });
    w.answers.first().cloned()
}

fn booked(w: &World) -> Vec<&str> {
    w.journal.iter().filter_map(|e| if let Event::SetupPrint { dummy, .. } = e { Some(dummy.as_str()) } else { None }).collect()
}

#[test]
fn a_dummy_is_printed_and_no_code_moves() {
    let mut w = idle();
    let before = w.line.book().packs.clone();
    let a = ask(&mut w, "ijp", Some("HEAD-1")).expect("it was taken");
    assert!(a.ok && a.fields.contains(&("dummy".into(), "SETUP-PRINT-HEAD-1".into())), "{a:?}");
    assert_eq!((w.setups.clone(), booked(&w)), (vec!["SETUP-PRINT-HEAD-1".to_string()], vec!["SETUP-PRINT-HEAD-1"]));
    assert_eq!(ask(&mut w, "ijp", None).unwrap().code, "busy");
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
    // It is over: another may be asked for. A label printer is armed by its own word.
    assert_eq!(ask(&mut w, "zpl", None), None);
    w.give(Input::Report { device: LABELLER, report: Report::Ready { cleared: false } });
    assert!(w.answers[0].ok, "{:?}", w.answers);
    w.give(Input::Report { device: LABELLER, report: Report::Printed { count: 1 } });
    assert_eq!(w.setups, ["SETUP-PRINT-HEAD-1", "SETUP-PRINT"]);
    assert_eq!((&w.line.book().packs, w.line.book().unsettled().count()), (&before, 0), "no code was leased, sent or credited");
    // The job afterwards begins as any other.
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    w.give(Input::Report { device: LABELLER, report: Report::Ready { cleared: false } });
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute, "{:?}", w.answers);
    assert_eq!(w.bottle(0), w.printed[0]);
    assert_eq!(w.state(w.printed[0]), ItemState::Verified);
    w.check_folds();
}

#[test]
fn what_may_not_be_is_refused() {
    let mut w = World::start();
    assert_eq!(ask(&mut w, "ijp", None).unwrap().code, "job-running");
    let mut w = idle();
    assert_eq!(ask(&mut w, "cam", None).unwrap().code, "unknown-printer");
    assert_eq!(ask(&mut w, "ijp", Some("a code")).unwrap().code, "bad-text");
    w.give(Input::Report { device: PRINTER, report: Report::Down { why: "gone".into() } });
    assert_eq!(ask(&mut w, "ijp", None).unwrap().code, "not-ready");
    assert!(w.setups.is_empty() && booked(&w).is_empty());
}

#[test]
fn a_printer_that_does_not_take_it_is_told_of_and_a_job_goes_before() {
    let mut w = idle();
    // Never ready.
    assert_eq!(ask(&mut w, "zpl", None), None);
    w.settle(11_000);
    assert_eq!(w.answers[0].code, "not-printed");
    // In trouble.
    assert_eq!(ask(&mut w, "zpl", None), None);
    w.give(Input::Report { device: LABELLER, report: Report::NotReady { why: "paper out".into() } });
    assert!(w.answers[0].message.contains("paper out"), "{:?}", w.answers);
    assert!(w.line.book().line.alarms.is_empty(), "{:?}", w.line.book().line.alarms);
    // Waiting for a thing when a job starts.
    assert!(ask(&mut w, "ijp", None).unwrap().ok);
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    w.give(Input::Report { device: LABELLER, report: Report::Ready { cleared: false } });
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute, "{:?}", w.answers);
    assert!(booked(&w).len() == 1 && w.line.book().leases.iter().all(|l| l.pack != PackNo(0)));
    w.check_folds();
}

#[test]
fn a_dummy_that_still_waits_in_a_printer_is_cleared_before_it_gets_codes() {
    let mut w = idle();
    assert!(ask(&mut w, "ijp", None).unwrap().ok);
    w.settle(61_000);
    assert!(w.line.windows[&PRINTER].dummy, "no thing came in a minute");
    w.give(Input::Report { device: PRINTER, report: Report::Ready { cleared: false } });
    let window = &w.line.windows[&PRINTER];
    assert!(!window.dummy && !window.clearing, "it was ordered to clear, and said that it has");
    assert!(ask(&mut w, "ijp", None).unwrap().ok);
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
    assert!(!w.line.windows[&PRINTER].dummy);
}
