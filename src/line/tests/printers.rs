//! Printers that come back and tell, printers that repeat themselves, and several printers of one level.

use super::*;

const OTHER: DeviceNo = DeviceNo(6);
const OTHER_CAM: DeviceNo = DeviceNo(7);

fn say(w: &mut World, device: DeviceNo, report: Report) {
    w.give(Input::Report { device, report });
}

fn window(w: &World) -> Vec<CodeRef> {
    w.line.windows[&PRINTER].codes.iter().copied().collect()
}

/// A running line whose printer has gone, and what was in its window.
fn away() -> (World, Vec<CodeRef>) {
    let mut w = World::start();
    let codes = window(&w);
    assert!(codes.len() >= 4, "{codes:?}");
    say(&mut w, PRINTER, Report::Unsettled);
    say(&mut w, PRINTER, Report::Down { why: "gone".into() });
    (w, codes)
}

fn times_sent(w: &World, code: CodeRef) -> usize {
    w.printed.iter().filter(|p| **p == code).count()
}

#[test]
fn what_a_printer_proves_when_it_is_back_is_credited_and_the_rest_is_doubtful() {
    let (mut w, codes) = away();
    assert!(codes.iter().all(|c| w.state(*c) == ItemState::Sent), "its word is waited for");
    assert_eq!(w.line.book().line.state, PackMl::Suspended);
    w.settle(500);
    say(&mut w, PRINTER, Report::Up { identity: None });
    say(&mut w, PRINTER, Report::Reconciled { printed: codes[..2].to_vec(), inside: vec![codes[2]] });
    assert_eq!([0, 1, 2, 3].map(|i| w.state(codes[i])), [ItemState::Printed, ItemState::Printed, ItemState::Sent, ItemState::Doubtful]);
    say(&mut w, PRINTER, Report::Ready { cleared: false });
    assert_eq!(window(&w)[0], codes[2], "it is inside still, and the next that is printed");
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute);
    say(&mut w, PRINTER, Report::Printed { count: 1 });
    assert_eq!(w.state(codes[2]), ItemState::Printed);
    assert!(codes.iter().all(|c| times_sent(&w, *c) == 1));
    w.check_folds();
}

#[test]
fn what_a_cleared_printer_had_inside_is_doubtful_whatever_it_said() {
    let (mut w, codes) = away();
    say(&mut w, PRINTER, Report::Up { identity: None });
    say(&mut w, PRINTER, Report::Reconciled { printed: vec![codes[0]], inside: codes[1..].to_vec() });
    say(&mut w, PRINTER, Report::Ready { cleared: true });
    assert_eq!(w.state(codes[0]), ItemState::Printed);
    assert!(codes[1..].iter().all(|c| w.state(*c) == ItemState::Doubtful && times_sent(&w, *c) == 1));
    w.check_folds();
}

#[test]
fn a_printer_that_says_nothing_leaves_doubt() {
    let (mut w, codes) = away();
    say(&mut w, PRINTER, Report::Up { identity: None });
    say(&mut w, PRINTER, Report::Ready { cleared: false });
    assert!(codes.iter().all(|c| w.state(*c) == ItemState::Doubtful));
    w.settle(300);
    assert!(codes.iter().all(|c| times_sent(&w, *c) == 1));
    w.check_folds();
}

#[test]
fn a_read_and_a_restart_come_before_the_printers_word() {
    let (mut w, codes) = away();
    w.edge(1);
    w.frame(CAM, &[codes[1]]);
    w.settle(120);
    assert_eq!([0, 1].map(|i| w.state(codes[i])), [ItemState::Doubtful, ItemState::Verified], "the first left unread before it");
    say(&mut w, PRINTER, Report::Up { identity: None });
    say(&mut w, PRINTER, Report::Reconciled { printed: codes[..3].to_vec(), inside: Vec::new() });
    assert_eq!([0, 1, 2].map(|i| w.state(codes[i])), [ItemState::Doubtful, ItemState::Verified, ItemState::Printed]);
    w.check_folds();
    let (w, codes) = away();
    let again = World::raw(w.line.book().clone(), false);
    assert!(codes.iter().all(|c| again.state(*c) == ItemState::Doubtful), "nobody waits over a restart");
}

#[test]
fn a_job_that_ends_while_the_printer_is_away_settles_its_window() {
    let (mut w, codes) = away();
    w.op(Op::JobComplete { id: "J".into(), void_open: true });
    w.settle(8_000);
    assert!(codes.iter().all(|c| w.state(*c) == ItemState::Void));
    assert_eq!(w.line.book().unsettled().count(), 0);
    w.check_folds();
}

/// The line with a printer that prints its last code again, and so many bottle codes.
fn repeating(count: u32) -> World {
    let mut plan = plan();
    let Traits::Printer(t) = &mut plan.devices[0].traits else { panic!("the first device is a printer") };
    t.repeats_on_empty = true;
    let mut w = World::with(plan, Book::default(), true);
    w.pack(BOTTLES, "bottle", count);
    w.pack(BOXES, "box", 10);
    w.connect();
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute, "{:?}", w.answers);
    w
}

#[test]
fn a_printer_that_repeats_itself_stops_the_line_before_it_runs_dry() {
    let mut w = repeating(12);
    for n in 0..12 {
        if w.line.book().line.state != PackMl::Execute {
            break;
        }
        w.bottle(n);
    }
    let line = &w.line.book().line;
    assert_eq!((line.state, line.reason.as_deref()), (PackMl::Suspended, Some("pool-empty:bottle")));
    let left = window(&w).len();
    // Belt stop 100 ms and heartbeat 100 ms at 100 ms a bottle, and one that is at the head.
    assert_eq!(left, 3, "what the belt still brings finds a code");
    w.settle(300);
    assert_eq!(w.outputs.get(&8), Some(&false), "the permit is off");
    let origin = Origin::Segments { sha256: [1; 32] };
    let pack = NewPack { id: "more".into(), level: "bottle".into(), product: "P1".into(), ..NewPack::new(PackNo(9), 50, origin) };
    w.give(Input::PackReady { id: 0, key: None, pack, more: Vec::new() });
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute, "it goes on by itself");
    w.check_folds();
}

/// What may have been left in a printer that cannot be cleared takes no more room than the printer has: new codes come after
/// it, however often it is lost.
#[test]
fn what_a_printer_may_still_hold_never_keeps_new_codes_from_it() {
    let mut plan = plan();
    let Traits::Printer(t) = &mut plan.devices[0].traits else { panic!("the first device is a printer") };
    (t.repeats_on_empty, t.clear_on_adopt) = (true, false);
    let mut w = World::started(plan);
    for _ in 0..5 {
        let before = window(&w);
        say(&mut w, PRINTER, Report::OutOfStep { why: "reset".into() });
        say(&mut w, PRINTER, Report::Ready { cleared: false });
        w.settle(300);
        let now = window(&w);
        assert!(!before.is_empty() && !now.is_empty() && now.iter().all(|c| !before.contains(c)), "{before:?} {now:?}");
        assert_eq!(w.line.windows[&PRINTER].ghosts.len(), 2, "its depth");
        assert_eq!(w.line.book().line.state, PackMl::Execute);
    }
    w.check_folds();
}

#[test]
fn a_code_that_its_printer_cannot_print_holds_the_line_and_is_the_only_one_lost() {
    let mut w = World::start();
    let before = window(&w);
    let bad = before[1];
    say(&mut w, PRINTER, Report::Unprintable { code: bad, why: "it holds the byte 1D".into() });
    let line = &w.line.book().line;
    assert_eq!((line.state, line.reason.as_deref()), (PackMl::Held, Some("code-unprintable")));
    assert!(line.alarms.contains("code-unprintable:ijp"));
    assert_eq!(w.state(bad), ItemState::Doubtful);
    let left: Vec<CodeRef> = before.into_iter().filter(|c| *c != bad).collect();
    w.settle(2_000);
    assert_eq!(window(&w), left, "the others wait, and no more are sent");
    w.op(Op::JobResume { id: "J".into() });
    w.settle(300);
    let line = &w.line.book().line;
    assert_eq!((line.state, line.alarms.len()), (PackMl::Execute, 0));
    assert_eq!(times_sent(&w, bad), 1);
    w.check_folds();
}

#[test]
fn a_printer_that_repeats_itself_stops_the_line_when_it_takes_no_codes() {
    let mut w = repeating(40);
    say(&mut w, PRINTER, Report::NotReady { why: "ink".into() });
    let line = &w.line.book().line;
    assert_eq!((line.state, line.reason.as_deref()), (PackMl::Suspended, Some("printer-not-ready:ijp")));
    say(&mut w, PRINTER, Report::Ready { cleared: true });
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute);
    // The same of a printer that prints nothing: its things are rejected unread, and the line goes on.
    let mut w = World::start();
    say(&mut w, PRINTER, Report::NotReady { why: "ink".into() });
    assert_eq!(w.line.book().line.state, PackMl::Execute);
}

/// Two lanes of bottles, each with its printer and its camera.
fn two_lanes() -> World {
    let mut plan = plan();
    let device = |no: DeviceNo, like: usize, id: &str, plan: &Plan| Device { no, id: id.into(), ..plan.devices[like].clone() };
    plan.devices.push(device(OTHER, 0, "ijp2", &plan));
    plan.devices.push(device(OTHER_CAM, 1, "cam2", &plan));
    let lane = |of: &str| Some(of.to_string());
    plan.stations[0].lane = lane("1");
    plan.stations[1].lane = lane("1");
    let print = Station { device: Some(OTHER), lane: lane("2"), ..station(6, "print-2", Role::Print, 0) };
    let check = Station {
        device: Some(OTHER_CAM),
        trigger: trigger(4),
        lane: lane("2"),
        gate: gate(3, Polarity::Pass),
        ..station(7, "check-2", Role::Verify, 0)
    };
    plan.stations.extend([print, check]);
    let mut w = World::with(plan, Book::default(), true);
    w.counters.insert(4, 0);
    w.pack(BOTTLES, "bottle", 200);
    w.pack(BOXES, "box", 10);
    w.connect();
    for d in [OTHER, OTHER_CAM] {
        say(&mut w, d, Report::Up { identity: None });
    }
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    say(&mut w, OTHER, Report::Ready { cleared: true });
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute, "{:?}", w.answers);
    w
}

/// What the journal says was sent to a printer.
fn sent_to(w: &World, device: DeviceNo) -> Vec<CodeRef> {
    let of = |e: &Event| if let Event::Sent { device: d, codes } = e { (*d == device).then(|| codes.clone()) } else { None };
    w.journal.iter().filter_map(of).flatten().collect()
}

#[test]
fn two_printers_of_one_level_share_one_pool_and_never_a_code() {
    let mut w = two_lanes();
    for _ in 0..20 {
        for (printer, cam, eye) in [(PRINTER, CAM, 1), (OTHER, OTHER_CAM, 4)] {
            let code = w.line.windows[&printer].codes[0];
            say(&mut w, printer, Report::Printed { count: 1 });
            w.edge(eye);
            w.frame(cam, &[code]);
            w.settle(60);
            assert_eq!(w.state(code), ItemState::Verified);
        }
        w.settle(120);
    }
    // One of them goes and comes back: only its own window is doubtful.
    let (mine, others) = (window(&w), w.line.windows[&OTHER].codes.clone());
    say(&mut w, OTHER, Report::Down { why: "gone".into() });
    assert!(others.iter().all(|c| w.state(*c) == ItemState::Doubtful) && mine.iter().all(|c| w.state(*c) == ItemState::Sent));
    say(&mut w, OTHER, Report::Up { identity: None });
    say(&mut w, OTHER, Report::Ready { cleared: true });
    w.settle(300);
    let (first, second) = (sent_to(&w, PRINTER), sent_to(&w, OTHER));
    assert!(first.len() > 20 && second.len() > 20, "{} {}", first.len(), second.len());
    let mut all: Vec<CodeRef> = first.into_iter().chain(second).collect();
    let many = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), many, "no code went to both");
    assert_eq!(all.last().map(|c| c.ordinal), Some(many as u32 - 1), "they took one pool in its order, and left nothing out");
    w.check_folds();
}

#[test]
fn things_unread_on_one_lane_say_nothing_of_the_other_lanes_printer() {
    let mut w = two_lanes();
    for _ in 0..4 {
        say(&mut w, OTHER, Report::Printed { count: 1 });
        w.edge(4);
        w.frame(OTHER_CAM, &[]);
        w.settle(150);
    }
    let before = window(&w);
    for _ in 0..4 {
        w.edge(4);
        w.frame(OTHER_CAM, &[]);
        w.settle(150);
    }
    assert_eq!(window(&w), before, "its buffer is not cleared");
    assert!(!w.line.windows[&PRINTER].clearing && w.line.windows[&OTHER].clearing);
}
