//! The supplier on virtual time against a source that fails in every way, with the power cut after every step.
//!
//! The world here keeps its own account of what the source gave, in sets, and judges by that alone.

use super::supplier::{Answer, Failure, Fault, Input, LOSSES, Output, Supplier, Terms};
use crate::vocab::rng::Rng;
use crate::vocab::supply::{OrderOutcome, Repeat};
use crate::vocab::{OrderNo, PackNo};
use std::collections::{BTreeMap, BTreeSet};

const LOW: u32 = 10;
const ORDER: u32 = 20;

/// What goes wrong with one asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bad {
    Unreached,
    LostBefore,
    LostAfter,
    Garbage,
    TooLarge,
    Busy,
    NoCredentials,
    Empty,
    Short,
    Huge,
    /// One code of an earlier delivery among the new ones.
    SomeTwice,
    /// The last delivery over again, to a new order.
    AllTwice,
    /// The import finds no room now.
    NoRoom,
}

use Bad::*;
const ALL: [Bad; 13] =
    [Unreached, LostBefore, LostAfter, Garbage, TooLarge, Busy, NoCredentials, Empty, Short, Huge, SomeTwice, AllTwice, NoRoom];

#[derive(Debug, Default)]
struct Source {
    next: u64,
    given: BTreeMap<u32, BTreeSet<u64>>,
    last: BTreeSet<u64>,
    asked: BTreeMap<u32, u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ended {
    outcome: OrderOutcome,
    lost: u32,
}

/// What survives a power cut.
#[derive(Debug, Default)]
struct Disk {
    orders: BTreeMap<u32, (u32, Option<Ended>)>,
    packs: Vec<(u32, BTreeSet<u64>)>,
    /// A whole answer, and whether it can be read.
    body: Option<(u32, BTreeSet<u64>, bool)>,
}

struct World {
    repeat: Repeat,
    source: Source,
    disk: Disk,
    supplier: Supplier,
    now_us: u64,
    bad: Vec<Bad>,
    used: u64,
    steps: u32,
    cut_after: Option<u32>,
    tries: u32,
    /// Nothing is asked but what is on disk and open.
    trail: Vec<String>,
}

fn terms(repeat: Repeat) -> Terms {
    Terms { low: LOW, order: ORDER, repeat, every_s: 5 }
}

fn failed(fault: Fault) -> Answer {
    Answer::Failed(Failure { fault, what: format!("{fault:?}"), retry_after_s: None })
}

impl World {
    fn new(repeat: Repeat, bad: &[Bad], cut_after: Option<u32>) -> Self {
        let mut bad = bad.to_vec();
        bad.reverse();
        let supplier = Supplier::new(terms(repeat), Rng::new(1));
        let (source, disk) = Default::default();
        Self { repeat, source, disk, supplier, now_us: 0, bad, used: 0, steps: 0, cut_after, tries: 0, trail: Vec::new() }
    }

    fn pool(&self) -> u64 {
        self.disk.packs.iter().map(|p| p.1.len() as u64).sum::<u64>() - self.used
    }

    fn tell(&mut self, input: Input) {
        self.supplier.handle(input, self.now_us);
    }

    /// One step is over; the power may go now.
    fn step_done(&mut self) -> bool {
        self.steps += 1;
        if self.cut_after != Some(self.steps) {
            return false;
        }
        self.trail.push("power cut".into());
        self.supplier = Supplier::new(terms(self.repeat), Rng::new(2));
        let open = self.disk.orders.iter().find(|o| o.1.1.is_none()).map(|(no, o)| (*no, o.0));
        if let Some((no, count)) = open {
            let kept = self.disk.body.as_ref().is_some_and(|b| b.0 == no);
            self.supplier.resume(OrderNo(no), count, kept, false);
        }
        true
    }

    fn give(&mut self, order: u32, count: u64) -> BTreeSet<u64> {
        if self.repeat == Repeat::Same
            && let Some(same) = self.source.given.get(&order)
        {
            return same.clone();
        }
        let from = self.source.next;
        self.source.next += count;
        let codes: BTreeSet<u64> = (from..from + count).collect();
        self.source.given.entry(order).or_default().extend(&codes);
        codes
    }

    fn ask(&mut self, order: u32, count: u32) -> Answer {
        let row = self.disk.orders.get(&order).expect("asked only when on disk");
        assert!(row.1.is_none(), "an order that is over is not asked for");
        // What cannot be had again is not asked for again while it lies here; an operator has mended the configuration.
        if self.repeat == Repeat::New
            && let Some(kept) = self.disk.body.as_mut().filter(|b| b.0 == order)
        {
            let readable = kept.2 || self.tries > 0;
            return if readable { Answer::Delivered } else { failed(Fault::Unreadable) };
        }
        let bad = self.bad.pop();
        self.trail.push(format!("asked for {order}: {bad:?}"));
        *self.source.asked.entry(order).or_default() += u32::from(!matches!(bad, Some(Unreached | Busy | NoCredentials | Empty)));
        let count = u64::from(count);
        let codes = match bad {
            Some(Unreached | Empty) => return failed(Fault::NotTaken),
            Some(LostBefore) => return failed(Fault::Unknown),
            Some(Busy) => {
                return Answer::Failed(Failure { fault: Fault::NotTaken, what: "busy".into(), retry_after_s: Some(70) });
            }
            Some(NoCredentials) => return failed(Fault::Denied),
            Some(LostAfter) => {
                self.give(order, count);
                return failed(Fault::Unknown);
            }
            Some(TooLarge) => {
                self.give(order, count);
                return failed(Fault::Unfit);
            }
            Some(Garbage) => {
                let codes = self.give(order, count);
                self.disk.body = Some((order, codes, false));
                return failed(Fault::Unreadable);
            }
            Some(Short) => self.give(order, count / 2),
            Some(Huge) => self.give(order, count * 50),
            Some(SomeTwice) => {
                let mut codes = self.give(order, count);
                codes.extend(self.source.last.first());
                codes
            }
            // A token that is honoured brings its own codes.
            Some(AllTwice) if !self.source.last.is_empty() && !self.source.given.contains_key(&order) => self.source.last.clone(),
            None | Some(AllTwice | NoRoom) => self.give(order, count),
        };
        if bad == Some(NoRoom) {
            self.bad.push(NoRoom);
        }
        self.source.last.clone_from(&codes);
        self.disk.body = Some((order, codes, true));
        Answer::Delivered
    }

    fn import(&mut self, order: u32) -> Input {
        let (of, codes, _) = self.disk.body.clone().expect("imported only when it came");
        assert_eq!(of, order);
        if self.bad.last() == Some(&NoRoom) {
            self.bad.pop();
            return Input::NotNow(OrderNo(order), "no room".into());
        }
        let whole = |p: &(u32, BTreeSet<u64>)| codes.is_subset(&p.1);
        if let Some(at) = self.disk.packs.iter().position(whole) {
            return Input::AlreadyHere(OrderNo(order), PackNo(at as u32 + 1));
        }
        if self.disk.packs.iter().any(|p| !p.1.is_disjoint(&codes)) {
            return Input::Refused(OrderNo(order), "duplicates".into());
        }
        // The pack and the order's end are one commit.
        self.disk.packs.push((order, codes));
        self.end(order, OrderOutcome::Delivered, 0);
        Input::Ended(OrderNo(order))
    }

    fn end(&mut self, order: u32, outcome: OrderOutcome, lost: u32) {
        let row = self.disk.orders.get_mut(&order).expect("ended after it began");
        assert!(row.1.is_none(), "an order ends once");
        row.1 = Some(Ended { outcome, lost });
        self.disk.body = None;
    }

    /// Does one output; false when there was none.
    fn one(&mut self) -> bool {
        let Some(output) = self.supplier.poll() else { return false };
        match output {
            Output::Record { count } => {
                assert!(self.disk.orders.values().all(|o| o.1.is_some()), "one open order at a time: {:?}", self.disk.orders);
                assert!(self.pool() < u64::from(LOW) || self.tries > 0, "ordered without need: {:#?}", self.trail);
                let no = self.disk.orders.len() as u32 + 1;
                self.disk.orders.insert(no, (count, None));
                if !self.step_done() {
                    self.tell(Input::Stored(OrderNo(no)));
                }
            }
            Output::Ask { order, count, .. } => {
                let answer = self.ask(order.0, count);
                if !self.step_done() {
                    self.tell(Input::Answer(order, answer));
                }
            }
            Output::Import(order) => {
                let told = self.import(order.0);
                if !self.step_done() {
                    self.tell(told);
                }
            }
            Output::End { order, outcome, lost, .. } => {
                self.trail.push(format!("{order:?} {outcome:?} lost {lost}"));
                self.end(order.0, outcome, lost);
                if !self.step_done() {
                    self.tell(Input::Ended(order));
                }
            }
        }
        true
    }

    /// Runs until the pool is full and the source has failed as often as it should; an operator looks when blocked.
    fn run(&mut self) {
        for _ in 0..400 {
            let codes = self.pool();
            self.tell(Input::Pool { codes, minutes: None });
            if self.one() {
                continue;
            }
            let s = self.supplier.standing();
            if s.refused {
                assert!(s.last_error.is_some(), "a person is told why");
                self.operator();
            } else if let Some(at_us) = self.supplier.deadline() {
                assert!(at_us <= self.now_us.max(1) + 3_601_000_000, "it comes back within an hour: {at_us}");
                self.now_us = self.now_us.max(at_us);
                self.tell(Input::Tick);
            } else if self.bad.is_empty() && codes >= u64::from(LOW) {
                return;
            } else {
                // The line uses what is there.
                self.used += codes;
            }
        }
        panic!("it does not come to an end: {:#?}", self.trail);
    }

    /// Mends and tries; what cannot be mended is given up.
    fn operator(&mut self) {
        self.tries += 1;
        self.trail.push(format!("operator {}", self.tries));
        if self.tries % 2 == 1 {
            return self.tell(Input::Try);
        }
        match self.supplier.open() {
            None => self.tell(Input::Try),
            Some(open) => {
                let lost = self.supplier.at_stake();
                self.end(open.no.0, OrderOutcome::Cancelled, lost);
                self.tell(Input::Ended(open.no));
            }
        }
    }

    fn judge(&self) {
        let trail = &self.trail;
        let mut seen = BTreeSet::new();
        for code in self.disk.packs.iter().flat_map(|p| &p.1) {
            assert!(seen.insert(code), "a code in two packs: {trail:#?}");
        }
        for (order, codes) in &self.source.given {
            let missing = codes.iter().filter(|c| !seen.contains(c)).count();
            let end = self.disk.orders[order].1.as_ref();
            if missing > 0 {
                let end = end.expect("open orders are none at the end");
                assert!(end.lost > 0, "{missing} codes of order {order} never came and nobody says so: {trail:#?}");
            }
            if self.repeat == Repeat::New {
                assert!(self.source.asked[order] <= 2, "asked again and again for {order}: {trail:#?}");
            }
        }
        // What was fetched is not called lost.
        for (order, (_, end)) in &self.disk.orders {
            let end = end.as_ref().expect("every order is over at the end");
            if self.disk.packs.iter().any(|p| p.0 == *order) {
                assert_eq!(*end, Ended { outcome: OrderOutcome::Delivered, lost: 0 });
            }
        }
    }
}

fn sequences(length: usize) -> Vec<Vec<Bad>> {
    let mut all = vec![Vec::new()];
    for _ in 0..length {
        all = all.iter().flat_map(|s: &Vec<Bad>| ALL.iter().map(move |b| [&s[..], &[*b]].concat())).collect();
    }
    all
}

#[test]
fn every_three_failures_in_a_row() {
    for repeat in [Repeat::Same, Repeat::New] {
        for bad in sequences(3) {
            let mut w = World::new(repeat, &bad, None);
            w.run();
            w.judge();
        }
    }
}

#[test]
fn a_power_cut_after_every_step() {
    let mut cuts = 0;
    for repeat in [Repeat::Same, Repeat::New] {
        for bad in sequences(2) {
            let mut whole = World::new(repeat, &bad, None);
            whole.run();
            for step in 1..=whole.steps {
                let mut w = World::new(repeat, &bad, Some(step));
                w.run();
                w.judge();
                cuts += 1;
            }
        }
    }
    assert!(cuts > 2_000, "{cuts}");
}

/// With a source that honours the token nothing is ever lost, unless a person gives it up.
#[test]
fn a_lost_reply_costs_nothing_where_the_token_is_honoured() {
    for bad in [LostBefore, LostAfter, Garbage] {
        for cut in 1..=3 {
            let mut w = World::new(Repeat::Same, &[bad], Some(cut));
            w.run();
            w.judge();
            assert_eq!(w.tries, 0, "no person was needed");
            let given: BTreeSet<u64> = w.source.given.values().flatten().copied().collect();
            let here: BTreeSet<u64> = w.disk.packs.iter().flat_map(|p| p.1.clone()).collect();
            assert_eq!(given, here);
        }
    }
}

#[test]
fn losses_are_bounded_until_a_person_looks() {
    let mut w = World::new(Repeat::New, &[LostAfter; 40], None);
    for _ in 0..200 {
        w.tell(Input::Pool { codes: 0, minutes: None });
        if !w.one()
            && let Some(at_us) = w.supplier.deadline()
        {
            w.now_us = w.now_us.max(at_us);
        }
    }
    assert!(w.supplier.standing().refused);
    assert_eq!(w.source.given.len(), LOSSES as usize, "{:#?}", w.trail);
    assert_eq!(w.disk.orders.values().map(|o| o.1.as_ref().map_or(0, |e| e.lost)).sum::<u32>(), LOSSES * ORDER);
}

#[test]
fn an_older_copy_put_back_never_asks_for_its_open_order_again() {
    for repeat in [Repeat::Same, Repeat::New] {
        let mut s = Supplier::new(terms(repeat), Rng::new(3));
        s.resume(OrderNo(7), ORDER, true, true);
        match s.poll() {
            Some(Output::End { order: OrderNo(7), outcome: OrderOutcome::Lost, lost: ORDER, why: Some(_), pack: None }) => {}
            o => panic!("{o:?}"),
        }
        s.handle(Input::Pool { codes: 0, minutes: None }, 1);
        assert_eq!(s.poll(), None, "nothing before the loss is on disk");
        s.handle(Input::Ended(OrderNo(7)), 2);
        assert_eq!(s.poll(), None, "nothing before the pool was looked at anew");
        s.handle(Input::Pool { codes: 0, minutes: None }, 3);
        assert_eq!(s.poll(), Some(Output::Record { count: ORDER }));
    }
}

#[test]
fn waits_grow_and_differ_and_honour_what_the_server_asks() {
    let waits = |seed| {
        let mut s = Supplier::new(terms(Repeat::Same), Rng::new(seed));
        s.handle(Input::Pool { codes: 0, minutes: None }, 1);
        assert_eq!(s.poll(), Some(Output::Record { count: ORDER }));
        s.handle(Input::Stored(OrderNo(1)), 1);
        let (mut now_us, mut waits) = (1, Vec::new());
        for _ in 0..12 {
            assert_eq!(s.poll(), Some(Output::Ask { order: OrderNo(1), count: ORDER, taken: false }));
            s.handle(Input::Answer(OrderNo(1), failed(Fault::Unknown)), now_us);
            let at_us = s.deadline().unwrap();
            waits.push(at_us - now_us);
            s.handle(Input::Tick, at_us - 1);
            assert_eq!(s.poll(), None, "not a microsecond early");
            now_us = at_us;
            s.handle(Input::Tick, now_us);
        }
        waits
    };
    let (a, b) = (waits(1), waits(2));
    assert_ne!(a, b, "two lines do not come back together");
    assert!((1_000_000..=2_000_000).contains(&a[0]) && (150_000_000..=300_000_000).contains(&a[11]), "{a:?}");
    let mut s = Supplier::new(terms(Repeat::New), Rng::new(1));
    s.handle(Input::Pool { codes: 0, minutes: Some(1) }, 1);
    s.handle(Input::Stored(OrderNo(1)), 1);
    let busy = |secs| Answer::Failed(Failure { fault: Fault::NotTaken, what: "busy".into(), retry_after_s: Some(secs) });
    s.handle(Input::Answer(OrderNo(1), busy(70)), 1);
    assert_eq!(s.deadline(), Some(70_000_001));
    assert!(s.standing().down, "one minute of codes, and the next try is later");
    s.handle(Input::Pool { codes: 5, minutes: Some(2) }, 2);
    assert!(!s.standing().down);
    s.handle(Input::Try, 3);
    s.handle(Input::Answer(OrderNo(1), busy(1_000_000)), 3);
    assert_eq!(s.deadline(), Some(3_600_000_003), "nobody makes us wait for days");
}

#[test]
fn an_order_that_takes_time_is_looked_for_and_may_end_another_way() {
    let mut s = Supplier::new(terms(Repeat::Same), Rng::new(1));
    s.handle(Input::Pool { codes: 3, minutes: None }, 1);
    assert_eq!(s.poll(), Some(Output::Record { count: ORDER }));
    s.handle(Input::Stored(OrderNo(4)), 1);
    assert_eq!(s.poll(), Some(Output::Ask { order: OrderNo(4), count: ORDER, taken: false }));
    s.handle(Input::Answer(OrderNo(4), Answer::Pending), 1);
    assert_eq!(s.standing().state, "waiting");
    s.handle(Input::Tick, 5_000_001);
    assert_eq!(s.poll(), Some(Output::Ask { order: OrderNo(4), count: ORDER, taken: true }));
    // Somebody imported the delivery by hand meanwhile.
    s.handle(Input::Pool { codes: 23, minutes: None }, 5_000_002);
    s.handle(Input::Ended(OrderNo(4)), 5_000_002);
    s.handle(Input::Answer(OrderNo(4), Answer::Delivered), 5_000_003);
    assert_eq!((s.standing().state, s.poll()), ("idle", None));
}
