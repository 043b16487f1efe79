//! The line alone: inputs by hand, decisions looked at, the book folded twice.

mod bonds;
mod boots;
mod encoders;
mod gates;
mod packing;
mod packs;
mod printers;
mod readers;
mod setup;
mod verdicts;
mod windows;

use super::input::*;
use super::*;
use crate::vocab::event::Origin;
use crate::vocab::plan::*;
use crate::vocab::report::{Poll, Taken};
use crate::vocab::sscc::RangeRule;
use crate::vocab::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

const PRINTER: DeviceNo = DeviceNo(0);
const CAM: DeviceNo = DeviceNo(1);
const BOXCAM: DeviceNo = DeviceNo(2);
const LABELLER: DeviceNo = DeviceNo(3);
const CASECAM: DeviceNo = DeviceNo(4);
const IO: DeviceNo = DeviceNo(5);
const BOTTLES: PackNo = PackNo(2);
const BOXES: PackNo = PackNo(3);

fn point(kind: PointKind, number: u16) -> Point {
    Point { device: IO, kind, number }
}

/// A station with nothing but its place on the line.
fn station(no: u8, id: &str, role: Role, level: u8) -> Station {
    Station {
        no: StationNo(no),
        id: id.into(),
        role,
        level: LevelNo(level),
        lane: None,
        device: None,
        trigger: None,
        gather: None,
        message: None,
        fields: BTreeMap::new(),
        label: None,
        minimum_grade: None,
        ignore: Vec::new(),
        min_spacing_ms: 100,
        read_deadline_ms: 80,
        pair_ms: 30,
        label_wait_ms: 5000,
        transit_ms: None,
        unread_labels_accepted: false,
        gate: None,
    }
}

fn trigger(counter: u16) -> Option<Point> {
    Some(point(PointKind::Counter, counter))
}

/// A gate 400 ms after its eye.
fn gate(output: u16, polarity: Polarity) -> Option<Gate> {
    Some(Gate {
        output: point(PointKind::Output, output),
        polarity,
        after: After::Ms { ms: 400, belt: Some(point(PointKind::Input, 5)) },
        pulse_ms: 60,
        tolerance_ms: 10,
        confirm: None,
        stuck_ms: 2_000,
    })
}

fn plan() -> Plan {
    let level = |no, name: &str, codes, holds, range| Level { no: LevelNo(no), name: name.into(), codes, holds, range };
    let device = |no: DeviceNo, id: &str, traits| Device {
        no,
        id: id.into(),
        profile: "test".into(),
        address: Address::Tcp { host: "127.0.0.1".into(), port: 1 },
        command: None,
        allow: Vec::new(),
        settings: BTreeMap::new(),
        traits,
    };
    let printer = |label| {
        Traits::Printer(PrinterTraits {
            depth: 2,
            confirms: true,
            clear_on_adopt: true,
            label,
            repeats_on_empty: false,
            one_by_one: false,
            selects: true,
            sets_fields: false,
            labels: None,
        })
    };
    let reader = || Traits::Reader(ReaderTraits::default());
    Plan {
        line: "L1".into(),
        name: "L1".into(),
        site: "test".into(),
        language: Language::English,
        timezone: "UTC".into(),
        resume_after_crash: true,
        min_spacing_ms: 100,
        fail_open_accepted: false,
        run_permit: Some(Permit { output: point(PointKind::Output, 8), heartbeat_ms: 100, watchdog_ms: 300, belt_stop_ms: 100 }),
        stack_light: None,
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
            device(IO, "io", Traits::Io(IoTraits::default())),
        ],
        stations: vec![
            Station { device: Some(PRINTER), ..station(0, "print", Role::Print, 0) },
            Station { device: Some(CAM), trigger: trigger(1), gate: gate(0, Polarity::Pass), ..station(1, "check", Role::Verify, 0) },
            Station {
                device: Some(BOXCAM),
                trigger: trigger(2),
                gather: Some(Gather::Frame),
                gate: gate(1, Polarity::Reject),
                ..station(2, "box-pack", Role::Pack, 1)
            },
            Station { trigger: trigger(7), gather: Some(Gather::Sequence), ..station(3, "case-pack", Role::Pack, 2) },
            Station { device: Some(LABELLER), ..station(4, "case-label", Role::Print, 2) },
            Station {
                device: Some(CASECAM),
                trigger: trigger(3),
                gate: gate(2, Polarity::Reject),
                ..station(5, "case-check", Role::Verify, 2)
            },
        ],
        supplies: Vec::new(),
        limits: Limits::default(),
        packs: PacksPlan::default(),
        codes: CodesPlan::default(),
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
    inputs: BTreeMap<u16, bool>,
    counters: BTreeMap<u16, u32>,
    printed: Vec<CodeRef>,
    labels: Vec<CodeRef>,
    answers: Vec<Answer>,
    auto_commit: bool,
    inbox: VecDeque<Input>,
    /// Outputs written since the last poll; so much later (µs) than they were ordered.
    taken: Vec<Taken>,
    /// The printer says at once that it took a code.
    takes: bool,
    writes_late_us: u64,
    /// What readers were told.
    told: Vec<(DeviceNo, Order)>,
    /// Dummies that printers were given.
    setups: Vec<String>,
}

impl World {
    fn start() -> Self {
        Self::started(plan())
    }

    fn started(plan: Plan) -> Self {
        let mut w = Self::with(plan, Book::default(), true);
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
        Self::with(plan(), book, clean)
    }

    fn with(plan: Plan, book: Book, clean: bool) -> Self {
        let line = Line::new(Arc::new(plan), book);
        let mut w = Self {
            line,
            now_us: 1_000_000,
            journal: Vec::new(),
            rows: Vec::new(),
            after: Vec::new(),
            outputs: BTreeMap::new(),
            inputs: BTreeMap::new(),
            counters: [(1, 0), (2, 0), (3, 0), (7, 0)].into(),
            printed: Vec::new(),
            labels: Vec::new(),
            answers: Vec::new(),
            auto_commit: true,
            inbox: VecDeque::new(),
            taken: Vec::new(),
            takes: true,
            writes_late_us: 0,
            told: Vec::new(),
            setups: Vec::new(),
        };
        w.give(Input::Booted { clean, last_wall_us: None, restored: Vec::new(), made_for: Vec::new() });
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
        let pack = NewPack { id: format!("{level}s"), level: level.into(), product: "P1".into(), ..NewPack::new(no, count, origin) };
        self.give(Input::PackReady { id: 0, key: None, pack, more: Vec::new() });
    }

    fn op(&mut self, op: Op) {
        self.give(Input::Command { id: 1, key: None, op });
    }

    /// What answers come of it are given in their turn, as the floor does it.
    fn give(&mut self, input: Input) {
        self.inbox.push_back(input);
        if self.inbox.len() == 1 {
            while let Some(next) = self.inbox.front().cloned() {
                self.one(next);
                self.inbox.pop_front();
            }
        }
    }

    fn one(&mut self, input: Input) {
        let now = Now::new(self.now_us, 1_700_000_000_000_000 + self.now_us as i64);
        let d = self.line.handle(input, now);
        self.rows.extend(self.line.take_rows());
        self.journal.extend(d.events);
        d.now.into_iter().for_each(|e| self.carry_out(e));
        self.after.extend(d.after.into_iter().map(|e| (d.ticket, e)));
        if self.auto_commit && !self.after.is_empty() {
            let due: Vec<Effect> = self.after.drain(..).map(|a| a.1).collect();
            self.one(Input::Committed { ticket: d.ticket });
            due.into_iter().for_each(|e| self.carry_out(e));
        } else if self.auto_commit && d.wait {
            self.one(Input::Committed { ticket: d.ticket });
        }
    }

    fn carry_out(&mut self, e: Effect) {
        match e {
            Effect::Order { device: PRINTER, order: Order::Arm { .. } } => {
                self.give(Input::Report { device: PRINTER, report: Report::Ready { cleared: true } })
            }
            Effect::Order { device: PRINTER, order: Order::Clear } => self.give(Input::Report { device: PRINTER, report: Report::Cleared }),
            Effect::Order { device, order: order @ (Order::Trigger { .. } | Order::Verdict { .. }) } => self.told.push((device, order)),
            Effect::Order { order: Order::Output { number, on }, .. } => {
                self.outputs.insert(number, on);
                self.taken.push(Taken { number, on, sent_us: self.now_us + self.writes_late_us });
            }
            Effect::Order { .. } | Effect::OrderOnDisk { .. } | Effect::Exit => {}
            Effect::Print { device, code } => {
                self.printed.push(code);
                if self.takes {
                    self.give(Input::Report { device, report: Report::Taken { code } });
                }
            }
            Effect::Label { device, code, .. } => {
                self.labels.push(code);
                self.give(Input::Report { device, report: Report::Taken { code } });
                self.give(Input::Report { device, report: Report::Printed { count: 1 } });
            }
            Effect::Setup { device, dummy, .. } => {
                self.setups.push(dummy);
                self.give(Input::Report { device, report: Report::Taken { code: CodeRef::new(PackNo(0), 0) } });
            }
            Effect::Reply { answer, .. } => self.answers.push(answer),
        }
    }

    fn poll(&mut self) {
        let moving = self.outputs.get(&8) == Some(&true);
        let poll = Poll {
            at_us: self.now_us,
            inputs: self.inputs.iter().map(|(n, on)| (*n, *on)).chain([(5, moving)]).collect(),
            counters: self.counters.iter().map(|(n, v)| (*n, *v)).collect(),
            safe: false,
            taken: std::mem::take(&mut self.taken),
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
        self.sight(device, codes.iter().map(|c| Mark::of(*c)).collect());
    }

    /// A frame of these marks; none at all is a no-read.
    fn sight(&mut self, device: DeviceNo, marks: Vec<Mark>) {
        let reading = if marks.is_empty() { Reading::NoRead } else { Reading::Data(marks) };
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
