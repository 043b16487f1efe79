//! The line alone: inputs by hand, decisions looked at, the book folded twice.

use super::input::*;
use super::*;
use crate::vocab::event::Origin;
use crate::vocab::plan::*;
use crate::vocab::report::Poll;
use crate::vocab::sscc::RangeRule;
use crate::vocab::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const PRINTER: DeviceNo = DeviceNo(0);
const CAM: DeviceNo = DeviceNo(1);
const BOXCAM: DeviceNo = DeviceNo(2);
const LABELLER: DeviceNo = DeviceNo(3);
const CASECAM: DeviceNo = DeviceNo(4);
const IO: DeviceNo = DeviceNo(5);
const BOTTLES: PackNo = PackNo(2);
const BOXES: PackNo = PackNo(3);

fn station(
    no: u8,
    id: &str,
    role: Role,
    level: u8,
    device: Option<DeviceNo>,
    cnt: Option<u16>,
    gather: Option<Gather>,
    gate: Option<(u16, Polarity)>,
) -> Station {
    let point = |kind, number| Point { device: IO, kind, number };
    Station {
        no: StationNo(no),
        id: id.into(),
        role,
        level: LevelNo(level),
        lane: None,
        device,
        trigger: cnt.map(|n| point(PointKind::Counter, n)),
        gather,
        message: None,
        fields: BTreeMap::new(),
        label: None,
        ignore: Vec::new(),
        min_spacing_ms: 100,
        read_deadline_ms: 80,
        pair_ms: 30,
        label_wait_ms: 5000,
        transit_ms: None,
        unread_labels_accepted: false,
        gate: gate.map(|(n, polarity)| Gate {
            output: point(PointKind::Output, n),
            polarity,
            after: After::Ms { ms: 400, belt: Some(point(PointKind::Input, 5)) },
            pulse_ms: 60,
            tolerance_ms: 10,
            confirm: None,
        }),
    }
}

fn plan() -> Plan {
    let level = |no, name: &str, codes, holds, range| Level { no: LevelNo(no), name: name.into(), codes, holds, range };
    let device = |no: DeviceNo, id: &str, traits| Device {
        no,
        id: id.into(),
        profile: "test".into(),
        address: Address::Tcp { host: "127.0.0.1".into(), port: 1 },
        settings: BTreeMap::new(),
        traits,
    };
    let printer = |label| Traits::Printer(PrinterTraits { depth: 2, confirms: true, clear_on_adopt: true, label, repeats_on_empty: false });
    let reader = || Traits::Reader(ReaderTraits { positional: false });
    Plan {
        line: "L1".into(),
        name: "L1".into(),
        site: "test".into(),
        language: Language::English,
        timezone: "UTC".into(),
        resume_after_crash: true,
        min_spacing_ms: 100,
        fail_open_accepted: false,
        run_permit: Some(Permit {
            output: Point { device: IO, kind: PointKind::Output, number: 8 },
            heartbeat_ms: 100,
            watchdog_ms: 300,
            belt_stop_ms: 100,
        }),
        products: vec![Product { id: "P1".into(), gtin: None, name: "P1".into() }],
        levels: vec![
            level(0, "bottle", CodeSource::Printed, 0, None),
            level(1, "box", CodeSource::Preprinted, 2, None),
            level(2, "case", CodeSource::Generated, 2, Some(RangeRule::Serial { prefix: "C".into(), digits: 6, start: 1 })),
        ],
        devices: vec![
            device(PRINTER, "ijp", printer(false)),
            device(CAM, "cam", reader()),
            device(BOXCAM, "boxcam", reader()),
            device(LABELLER, "zpl", printer(true)),
            device(CASECAM, "casecam", reader()),
            device(IO, "io", Traits::Io),
        ],
        stations: vec![
            station(0, "print", Role::Print, 0, Some(PRINTER), None, None, None),
            station(1, "check", Role::Verify, 0, Some(CAM), Some(1), None, Some((0, Polarity::Pass))),
            station(2, "box-pack", Role::Pack, 1, Some(BOXCAM), Some(2), Some(Gather::Frame), Some((1, Polarity::Reject))),
            station(3, "case-pack", Role::Pack, 2, None, Some(7), Some(Gather::Sequence), None),
            station(4, "case-label", Role::Print, 2, Some(LABELLER), None, None, None),
            station(5, "case-check", Role::Verify, 2, Some(CASECAM), Some(3), None, Some((2, Polarity::Reject))),
        ],
        limits: Limits::default(),
    }
}

/// A line with an obedient world: printers take everything, commits come when told.
struct World {
    line: Line,
    now_us: u64,
    journal: Vec<Event>,
    rows: Vec<Row>,
    after: Vec<(u64, Effect)>,
    outputs: BTreeMap<u16, bool>,
    counters: BTreeMap<u16, u32>,
    printed: Vec<CodeRef>,
    labels: Vec<CodeRef>,
    answers: Vec<Answer>,
    auto_commit: bool,
}

impl World {
    fn start() -> Self {
        let mut w = Self::raw(Book::default(), true);
        w.pack(BOTTLES, "bottle", 50);
        w.pack(BOXES, "box", 10);
        w.connect();
        w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
        w.op(Op::JobStart { id: "J".into() });
        w.settle(300);
        assert_eq!(w.line.book().line.state, PackMl::Execute, "{:?}", w.answers);
        w
    }

    fn raw(book: Book, clean: bool) -> Self {
        let line = Line::new(Arc::new(plan()), book);
        let mut w = Self {
            line,
            now_us: 1_000_000,
            journal: Vec::new(),
            rows: Vec::new(),
            after: Vec::new(),
            outputs: BTreeMap::new(),
            counters: [(1, 0), (2, 0), (3, 0), (7, 0)].into(),
            printed: Vec::new(),
            labels: Vec::new(),
            answers: Vec::new(),
            auto_commit: true,
        };
        w.give(Input::Booted { clean, last_wall_us: None, restored: Vec::new() });
        w
    }

    fn connect(&mut self) {
        for d in [PRINTER, CAM, BOXCAM, LABELLER, CASECAM, IO] {
            self.give(Input::Report { device: d, report: Report::Up { identity: None } });
        }
        self.give(Input::Report { device: LABELLER, report: Report::Ready { cleared: true } });
        self.settle(60);
    }

    fn pack(&mut self, no: PackNo, level: &str, count: u32) {
        let origin = Origin::Segments { sha256: [0; 32] };
        let pack = NewPack { no, id: format!("{level}s"), level: level.into(), product: "P1".into(), count, origin };
        self.give(Input::PackReady { id: 0, key: None, pack });
    }

    fn op(&mut self, op: Op) {
        self.give(Input::Command { id: 1, key: None, op });
    }

    fn give(&mut self, input: Input) {
        let now = Now::new(self.now_us, 1_700_000_000_000_000 + self.now_us as i64);
        let d = self.line.handle(input, now);
        self.rows.extend(self.line.take_rows());
        self.journal.extend(d.events);
        d.now.into_iter().for_each(|e| self.carry_out(e));
        self.after.extend(d.after.into_iter().map(|e| (d.ticket, e)));
        if self.auto_commit && !self.after.is_empty() {
            let due: Vec<Effect> = self.after.drain(..).map(|a| a.1).collect();
            self.give(Input::Committed { ticket: d.ticket });
            due.into_iter().for_each(|e| self.carry_out(e));
        } else if self.auto_commit && d.wait {
            self.give(Input::Committed { ticket: d.ticket });
        }
    }

    fn carry_out(&mut self, e: Effect) {
        match e {
            Effect::Order { device: PRINTER, order: Order::Arm { .. } } => {
                self.give(Input::Report { device: PRINTER, report: Report::Ready { cleared: true } })
            }
            Effect::Order { device: PRINTER, order: Order::Clear } => self.give(Input::Report { device: PRINTER, report: Report::Cleared }),
            Effect::Order { order: Order::Output { number, on }, .. } => drop(self.outputs.insert(number, on)),
            Effect::Order { .. } | Effect::Exit => {}
            Effect::Print { device, code } => {
                self.printed.push(code);
                self.give(Input::Report { device, report: Report::Taken { code } });
            }
            Effect::Label { device, code, .. } => {
                self.labels.push(code);
                self.give(Input::Report { device, report: Report::Taken { code } });
                self.give(Input::Report { device, report: Report::Printed { count: 1 } });
            }
            Effect::Reply { answer, .. } => self.answers.push(answer),
        }
    }

    fn poll(&mut self) {
        let moving = self.outputs.get(&8) == Some(&true);
        let poll = Poll {
            at_us: self.now_us,
            inputs: vec![(5, moving)],
            counters: self.counters.iter().map(|(n, v)| (*n, *v)).collect(),
            safe: false,
        };
        self.give(Input::Poll { device: IO, poll });
    }

    /// Lets `ms` go by, polling every 5 ms and ticking when asked.
    fn settle(&mut self, ms: u64) {
        let end = self.now_us + ms * 1000;
        while self.now_us < end {
            let poll_at = self.now_us - self.now_us % 5_000 + 5_000;
            match self.line.deadline().filter(|d| *d < poll_at) {
                Some(d) => {
                    self.now_us = d.max(self.now_us);
                    self.give(Input::Tick);
                    self.now_us += 100;
                }
                None => {
                    self.now_us = poll_at;
                    self.poll();
                }
            }
        }
    }

    fn edge(&mut self, counter: u16) {
        *self.counters.get_mut(&counter).unwrap() += 1;
        self.now_us += 1_000;
        self.poll();
    }

    fn frame(&mut self, device: DeviceNo, codes: &[CodeRef]) {
        let reading = if codes.is_empty() {
            Reading::NoRead
        } else {
            Reading::Data(codes.iter().map(|c| Mark::Code { code: *c, exact: true }).collect())
        };
        self.now_us += 500;
        self.give(Input::Frame { device, at_us: self.now_us, reading });
    }

    /// A bottle is printed, read and gone through its gate.
    fn bottle(&mut self, ordinal: u32) -> CodeRef {
        let code = CodeRef::new(BOTTLES, ordinal);
        self.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
        self.edge(1);
        self.frame(CAM, &[code]);
        self.settle(120);
        code
    }

    fn boxed(&mut self, ordinal: u32, children: &[CodeRef]) -> CodeRef {
        let code = CodeRef::new(BOXES, ordinal);
        let mut all = children.to_vec();
        all.push(code);
        self.edge(2);
        self.frame(BOXCAM, &all);
        code
    }

    fn state(&self, code: CodeRef) -> ItemState {
        self.line.book().state(code)
    }

    fn rejected(&self, station: u8, reason: Reason) -> u64 {
        self.line.book().stations.get(&StationNo(station)).and_then(|s| s.counts.rejected.get(&reason).copied()).unwrap_or(0)
    }

    /// rebuild(tables) = fold(journal) = the book in memory.
    fn check_folds(&self) {
        let mut folded = Book::default();
        self.journal.iter().for_each(|e| folded.apply(e));
        assert_eq!(folded, *self.line.book(), "the journal folds to the book");
        let mut last: Vec<Row> = Vec::new();
        for row in self.rows.iter().rev() {
            let same = |r: &Row| match (r, row) {
                (Row::Code(a, _), Row::Code(b, _)) => a == b,
                (Row::Parent(a, _), Row::Parent(b, _)) => a == b,
                (Row::Pack(a), Row::Pack(b)) => a.no == b.no,
                (Row::Job(a), Row::Job(b)) => a.no == b.no,
                (Row::Lease(a), Row::Lease(b)) => (a.job, a.pack, a.from) == (b.job, b.pack, b.from),
                (Row::Station(a, _), Row::Station(b, _)) | (Row::Queue(a, _), Row::Queue(b, _)) => a == b,
                (Row::Line(_), Row::Line(_)) => true,
                (Row::Name { kind: a, no: b, .. }, Row::Name { kind: c, no: d, .. }) => a == c && b == d,
                (Row::Answer { key: a, .. }, Row::Answer { key: b, .. }) => a == b,
                _ => false,
            };
            if !last.iter().any(same) {
                last.push(row.clone());
            }
        }
        assert_eq!(Book::from_rows(last), *self.line.book(), "the rows hold the book");
    }
}

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

#[test]
fn a_restart_doubts_what_was_sent_and_withdraws_what_was_short_of_its_gate() {
    let mut w = World::start();
    let code = w.bottle(0);
    let sent = w.printed[1];
    assert_eq!(w.state(sent), ItemState::Sent);
    w.check_folds();
    let mut again = World::raw(w.line.book().clone(), false);
    assert_eq!(again.state(sent), ItemState::Doubtful);
    assert_eq!(again.state(code), ItemState::Rejected);
    assert_eq!(again.line.book().stations[&StationNo(1)].counts.rejected[&Reason::Late], 1);
    again.counters = w.counters.clone();
    *again.counters.get_mut(&1).unwrap() += 3;
    again.connect();
    again.settle(500);
    let missed = again.journal.iter().find_map(|e| if let Event::Started { missed, .. } = e { Some(missed.clone()) } else { None });
    assert!(missed.unwrap().contains(&(StationNo(1), Some(3))));
    assert_eq!(again.line.book().line.state, PackMl::Execute, "resumed by itself");
    assert!(!again.printed.contains(&sent), "never sent again");
}

#[test]
fn completing_settles_everything_by_name() {
    let mut w = World::start();
    w.bottle(0);
    w.settle(500);
    w.give(Input::Report { device: PRINTER, report: Report::Printed { count: 1 } });
    w.op(Op::JobComplete { id: "J".into(), void_open: false });
    w.settle(4_000);
    let last = w.answers.last().unwrap();
    assert!(last.ok, "{last:?}");
    assert_eq!(w.line.book().line.state, PackMl::Complete);
    assert_eq!(w.state(CodeRef::new(BOTTLES, 1)), ItemState::Missing);
    assert_eq!(w.state(CodeRef::new(BOTTLES, 2)), ItemState::Void);
    assert_eq!(w.state(CodeRef::new(BOTTLES, 40)), ItemState::Pooled);
    assert_eq!(w.line.book().unsettled().count(), 0);
    w.check_folds();
}

#[test]
fn a_start_is_refused_with_a_sentence_per_missing_thing() {
    let mut w = World::raw(Book::default(), true);
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    let a = w.answers.last().unwrap();
    assert_eq!(a.code, "not-ready");
    assert!(a.message.lines().count() >= 8, "{}", a.message);
}
