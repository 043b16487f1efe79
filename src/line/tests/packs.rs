//! The life of packs and ranges: withdrawal, codes used elsewhere, expiry, low water, the end of a range.

use super::*;
use crate::line::packs;

const DAY_US: u64 = 86_400_000_000;

fn void(pack: &str, to: ItemState) -> Op {
    Op::PackWithdraw(Withdrawal { pack: pack.into(), to, reason: "stolen file".into(), who: Some("w".into()) })
}

impl World {
    fn refused(&self, code: &str) {
        let a = self.answers.last().unwrap();
        assert!(!a.ok && a.code == code, "{code}: {a:?}");
    }

    fn alarm(&self, name: &str) -> bool {
        self.line.book().line.alarms.contains(name)
    }

    fn accept(&mut self, pack: NewPack) {
        self.give(Input::PackReady { id: 0, key: None, pack, more: Vec::new() });
    }
}

fn new(no: u32, id: &str, level: &str, count: u32) -> NewPack {
    let origin = Origin::Segments { sha256: [0; 32] };
    NewPack { id: id.into(), level: level.into(), product: "P1".into(), ..NewPack::new(PackNo(no), count, origin) }
}

#[test]
fn a_voided_pack_has_nothing_left_and_what_was_sent_lives_on() {
    let mut w = World::start();
    let window = w.printed.len() as u32;
    let seen = CodeRef::new(BOTTLES, 40);
    w.bottle(0);
    w.edge(1);
    w.frame(CAM, &[seen]);
    w.settle(120);
    assert_eq!(w.rejected(1, Reason::NotPrinted), 1);
    let sent = w.printed.len() as u32;
    assert!(sent >= window);
    w.op(void("bottles", ItemState::Void));
    let a = w.answers.last().unwrap().clone();
    assert!(a.ok, "{a:?}");
    assert!(a.fields.contains(&("count".into(), (50 - sent - 1).to_string())), "{a:?}");
    assert!(a.fields.contains(&("seen".into(), "1".into())), "{a:?}");
    assert_eq!(w.state(seen), ItemState::Void);
    assert_eq!(w.state(CodeRef::new(BOTTLES, 49)), ItemState::Void);
    let book = w.line.book();
    assert!(book.leases.iter().all(|l| l.count == l.used), "{:?}", book.leases);
    assert_eq!(book.unused(&book.packs[&BOTTLES]), 0);
    // What was sent is on its way, and good.
    for n in 1..sent {
        let c = w.bottle(n);
        assert_eq!(w.state(c), ItemState::Verified);
    }
    assert_eq!(w.printed.len() as u32, sent, "nothing more is sent");
    assert!(w.alarm("pool-empty:bottle"));
    // A voided code turns up.
    w.edge(1);
    w.frame(CAM, &[CodeRef::new(BOTTLES, 49)]);
    w.settle(600);
    assert_eq!(w.rejected(1, Reason::Void), 1);
    w.check_folds();
    w.op(void("bottles", ItemState::Returned));
    w.refused("pack-withdrawn");
    w.op(void("range-case", ItemState::Void));
    w.refused("range");
    w.op(void("nowhere", ItemState::Void));
    w.refused("unknown-pack");
    w.op(Op::PackWithdraw(Withdrawal { pack: "boxs".into(), to: ItemState::Void, reason: " ".into(), who: None }));
    w.refused("bad-reason");
    w.op(Op::JobComplete { id: "J".into(), void_open: true });
    w.settle(4_000);
    assert!(w.answers.last().unwrap().ok);
    w.check_folds();
}

#[test]
fn a_returned_preprinted_code_is_void_at_its_station() {
    let mut w = World::start();
    w.op(void("boxs", ItemState::Returned));
    assert!(w.answers.last().unwrap().ok);
    let (a, b) = (w.bottle(0), w.bottle(1));
    w.settle(400);
    let code = w.boxed(0, &[a, b]);
    w.settle(700);
    assert_eq!(w.rejected(2, Reason::Void), 1, "{:?}", w.line.book().stations);
    assert_eq!(w.state(code), ItemState::Returned, "unchanged");
    assert_eq!(w.state(a), ItemState::Verified, "the children may be gathered again");
    w.check_folds();
}

#[test]
fn runs_of_a_withdrawn_pack_are_named_once_each() {
    let mut book = Book::default();
    let count = crate::vocab::event::MAX_RUN * 2 + 5;
    new(1, "big", "bottle", count).events().iter().for_each(|e| book.apply(e));
    let to = ItemState::Void;
    let w = Withdrawal { pack: "big".into(), to, reason: "r".into(), who: None };
    let events = packs::withdraw(&book, &w).unwrap();
    assert!(matches!(events[0], Event::PackWithdrawn { count: n, .. } if n == count));
    let mut at = 0;
    for e in &events[1..] {
        let Event::Withdrew { from, count, .. } = e else { panic!("{e:?}") };
        assert_eq!(*from, at);
        at += count;
    }
    assert_eq!((at, events.len()), (count, 4));
    events.iter().for_each(|e| book.apply(e));
    assert_eq!(book.state(CodeRef::new(PackNo(1), count - 1)), ItemState::Void);
    assert_eq!(Book::from_rows(book.take_rows()), book);
}

#[test]
fn a_code_used_elsewhere_is_a_duplicate_and_never_leased() {
    let mut w = World::raw(Book::default(), true);
    w.accept(NewPack { used: true, ..new(2, "before", "bottle", 50) });
    w.pack(BOXES, "box", 10);
    w.connect();
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    w.refused("not-ready");
    assert!(w.answers.last().unwrap().message.contains("no bottle codes are left"));
    w.accept(new(4, "fresh", "bottle", 50));
    w.op(Op::JobStart { id: "J".into() });
    w.settle(300);
    assert!(w.printed.iter().all(|c| c.pack == PackNo(4)) && !w.printed.is_empty());
    let old = CodeRef::new(PackNo(2), 7);
    for seen in 1..=2 {
        w.edge(1);
        w.frame(CAM, &[old]);
        w.settle(600);
        assert_eq!(w.rejected(1, Reason::Duplicate), seen);
    }
    assert_eq!(w.state(old), ItemState::Void);
    let voids = w.journal.iter().filter(|e| matches!(e, Event::Void { codes } if codes == &[old])).count();
    assert_eq!(voids, 1, "told once, before its first verdict");
    let at = |f: &dyn Fn(&Event) -> bool| w.journal.iter().position(f).unwrap();
    let verdict = |e: &Event| matches!(e, Event::Verdict { seen: Some(crate::vocab::Seen::Known(c)), .. } if *c == old);
    assert!(at(&|e| matches!(e, Event::Void { .. })) < at(&verdict));
    w.op(void("before", ItemState::Void));
    w.refused("pack-used");
    w.check_folds();
}

#[test]
fn an_expired_pack_is_not_leased_from_and_what_was_printed_stays_good() {
    let mut w = World::raw(Book::default(), true);
    // It is 2023-11-14.
    w.accept(NewPack { expiry: Some("2023-11-14".into()), ..new(2, "bottles", "bottle", 50) });
    w.accept(NewPack { expiry: Some("2023-11-27".into()), ..new(3, "boxes", "box", 10) });
    w.accept(NewPack { expiry: Some("2023-11-28".into()), ..new(4, "later", "box", 10) });
    assert!(w.alarm("pack-expiring:bottles") && w.alarm("pack-expiring:boxes"), "{:?}", w.line.book().line.alarms);
    assert!(!w.alarm("pack-expiring:later"), "fourteen days are left");
    w.connect();
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute);
    let printed = w.printed.len();
    w.now_us += DAY_US;
    w.settle(300);
    w.op(Op::JobResume { id: "J".into() });
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute, "{:?}", w.line.book().line);
    assert!(w.alarm("pack-expired:bottles") && !w.alarm("pack-expiring:bottles"));
    for n in 0..printed as u32 {
        let c = w.bottle(n);
        assert_eq!(w.state(c), ItemState::Verified, "printed in time");
    }
    assert_eq!(w.printed.len(), printed, "leased and not sent in time: not printed");
    assert!(w.alarm("pool-empty:bottle"));
    assert_eq!(w.line.pool_left("bottle", "P1"), 0);
    w.op(void("bottles", ItemState::Returned));
    assert!(!w.alarm("pack-expired:bottles"), "nothing of it is left");
    w.check_folds();
}

#[test]
fn expiry_goes_by_the_latest_trusted_time() {
    let mut w = World::start();
    w.accept(NewPack { expiry: Some("2023-11-20".into()), ..new(4, "more", "bottle", 50) });
    // The wall clock jumps ten days ahead against the monotonic one.
    let now = Now::new(w.now_us + 1000, 1_700_000_000_000_000 + (w.now_us + 10 * DAY_US) as i64);
    let d = w.line.handle(Input::Tick, now);
    assert!(d.events.iter().any(|e| matches!(e, Event::Clock { suspect: true, .. })));
    assert!(!w.alarm("pack-expired:more"), "{:?}", w.line.book().line.alarms);
    let d = w.line.handle(Input::Command { id: 9, key: None, op: Op::ClockTrust }, Now::new(now.mono_us + 1000, now.wall_us + 1000));
    assert!(!d.events.is_empty());
    assert!(w.alarm("pack-expired:more"), "said to be right: believed");
}

#[test]
fn an_expired_preprinted_code_is_refused_and_stays_in_its_pack() {
    let mut w = World::raw(Book::default(), true);
    w.pack(BOTTLES, "bottle", 50);
    w.accept(NewPack { expiry: Some("2023-11-14".into()), ..new(3, "boxes", "box", 10) });
    w.accept(new(4, "later", "box", 10));
    w.now_us += DAY_US;
    w.connect();
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    w.settle(300);
    let (a, b) = (w.bottle(0), w.bottle(1));
    w.settle(400);
    let code = w.boxed(0, &[a, b]);
    w.settle(700);
    assert_eq!(w.rejected(2, Reason::Void), 1);
    assert_eq!(w.state(code), ItemState::Pooled);
    w.check_folds();
}

#[test]
fn low_water_is_told_and_taken_back() {
    let mut p = plan();
    p.limits.pool_low_codes = 45;
    let mut w = World::with(p, Book::default(), true);
    w.pack(BOTTLES, "bottle", 50);
    w.pack(BOXES, "box", 100);
    w.connect();
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    w.settle(300);
    assert!(!w.alarm("pool-low:bottle"));
    for n in 0..8 {
        w.bottle(n);
    }
    w.settle(1_100);
    assert!(w.alarm("pool-low:bottle") && !w.alarm("pool-low:box"));
    w.accept(new(5, "more", "bottle", 50));
    w.settle(1_100);
    assert!(!w.alarm("pool-low:bottle"));
    w.check_folds();
}

/// Two bottles, two boxes, one case, its label read.
fn case(w: &mut World, n: u32) {
    for b in 0..2 {
        let first = (n * 2 + b) * 2;
        let children = [w.bottle(first), w.bottle(first + 1)];
        w.settle(400);
        w.boxed(n * 2 + b, &children);
        w.settle(700);
        w.edge(7);
        w.settle(300);
    }
}

#[test]
fn a_range_that_ends_warns_then_holds_with_a_plain_reason() {
    let mut p = plan();
    let of = Box::new(RangeRule::Serial { prefix: "C".into(), digits: 6, start: 1 });
    p.levels[2].range = Some(RangeRule::Block { of, end: 2 });
    let mut w = World::started(p);
    for n in 0..2 {
        case(&mut w, n);
        assert!(w.alarm("range-low:case"), "two numbers do not last eight hours");
        let label = *w.labels.last().unwrap();
        w.edge(3);
        w.frame(CASECAM, &[label]);
        w.settle(1_000);
        assert_eq!(w.state(label), ItemState::Verified);
    }
    assert_eq!(w.labels, [CodeRef::new(PackNo(1), 0), CodeRef::new(PackNo(1), 1)]);
    case(&mut w, 2);
    let line = &w.line.book().line;
    assert_eq!((line.state, line.reason.as_deref()), (PackMl::Held, Some("range-empty")));
    assert!(w.alarm("range-empty:case"));
    w.check_folds();
}

/// One range number, and two cases' boxes: the second case is full and has no number.
fn without_a_number() -> World {
    let mut w = World::started(one_number());
    case(&mut w, 0);
    w.edge(3);
    w.frame(CASECAM, &[CodeRef::new(PackNo(1), 0)]);
    w.settle(1_000);
    case(&mut w, 1);
    assert_eq!(w.line.book().line.reason.as_deref(), Some("range-empty"));
    w
}

fn one_number() -> Plan {
    let mut p = plan();
    let of = Box::new(RangeRule::Serial { prefix: "C".into(), digits: 6, start: 1 });
    p.levels[2].range = Some(RangeRule::Block { of, end: 1 });
    p
}

#[test]
fn a_full_case_without_a_number_gets_one_when_there_are_numbers_again() {
    let w = without_a_number();
    let waiting = w.line.book().live_parents().next().unwrap();
    let mut more = one_number();
    more.levels[2].range = Some(RangeRule::Serial { prefix: "D".into(), digits: 6, start: 1 });
    let mut again = World::with(more, w.line.book().clone(), true);
    again.counters = w.counters.clone();
    again.connect();
    again.settle(100);
    again.op(Op::JobResume { id: "J".into() });
    again.settle(300);
    let label = again.labels[0];
    assert_eq!(again.line.book().parents[&waiting].code, Some(label));
    assert!(!again.alarm("range-empty:case"));
    again.edge(3);
    again.frame(CASECAM, &[label]);
    again.settle(1_000);
    assert_eq!((again.line.book().parents[&waiting].state, again.state(label)), (ParentState::Sealed, ItemState::Verified));
}

#[test]
fn a_full_case_without_a_number_takes_nothing_more() {
    let mut w = World::started(one_number());
    case(&mut w, 0);
    w.edge(3);
    w.frame(CASECAM, &[CodeRef::new(PackNo(1), 0)]);
    w.settle(1_000);
    let boxes: Vec<CodeRef> = (2..5)
        .map(|n| {
            let children = [w.bottle(2 * n), w.bottle(2 * n + 1)];
            w.settle(400);
            let own = w.boxed(n, &children);
            w.settle(700);
            own
        })
        .collect();
    // The permit goes with the second; the belt runs on a little.
    for _ in 0..3 {
        w.edge(7);
    }
    assert_eq!(w.rejected(3, Reason::OverCount), 1);
    assert!(w.alarm("range-empty:case") && w.alarm("out-of-step:case-pack"));
    assert!(boxes.iter().all(|b| w.line.book().life(*b).parent == ParentNo(0)), "what lies in which case people must tell");
    w.check_folds();
}

#[test]
fn a_pack_with_a_code_on_an_open_parent_is_not_withdrawn() {
    let mut p = plan();
    let pack = p.stations.iter_mut().find(|s| s.id == "box-pack").unwrap();
    (pack.gather, pack.trigger, pack.gate) = (Some(Gather::ParentFirst), None, None);
    let mut w = World::started(p);
    let c = [w.bottle(0), w.bottle(1)];
    w.settle(500);
    let own = CodeRef::new(BOXES, 0);
    w.frame(BOXCAM, &[own]);
    w.op(void("boxs", ItemState::Returned));
    w.refused("parent-open");
    w.frame(BOXCAM, &c);
    assert_eq!(w.state(own), ItemState::Verified);
    w.op(void("boxs", ItemState::Returned));
    assert!(w.answers.last().unwrap().ok);
    w.check_folds();
}

#[test]
fn a_burnt_number_is_not_burnt_again_after_a_restart() {
    let mut w = World::start();
    case(&mut w, 0);
    let burnt = *w.labels.last().unwrap();
    // Killed before the label is read: the number stays its parent's.
    let mut again = World::raw(w.line.book().clone(), false);
    again.connect();
    again.settle(1_000);
    let live = again.line.book().live_parents().next().map(|p| again.line.book().parents[&p].code);
    assert_eq!(live, Some(Some(burnt)));
    again.settle(12_000);
    // Not read in time: void, and the next number for the same children.
    assert!(again.labels.iter().all(|l| l.ordinal > burnt.ordinal), "{:?} after {burnt:?}", again.labels);
    let issued = again.line.book().packs[&PackNo(1)].next;
    let mut third = World::raw(again.line.book().clone(), false);
    third.connect();
    third.settle(1_000);
    assert!(third.line.book().packs[&PackNo(1)].next >= issued);
    // An older copy: what may have been sent counts as issued.
    let mut old: Line = Line::new(Arc::new(plan()), w.line.book().clone());
    let restored: Vec<CodeRef> = (issued..issued + 100).map(|o| CodeRef::new(PackNo(1), o)).collect();
    let booted = Input::Booted { clean: false, last_wall_us: None, restored, made_for: Vec::new() };
    old.handle(booted, Now::new(1, 1_700_000_000_000_000));
    assert_eq!(old.book().packs[&PackNo(1)].next, issued + 100);
}
