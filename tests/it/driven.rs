//! A real line on a real ledger, driven by hand: an obedient world, every decision committed through `Core`.

use packmark::config::Config;
use packmark::ledger::import::{self, ImportHow};
use packmark::ledger::{Codebook, Core, Hooks, OpenHow, Opened, Submission};
use packmark::line::start::number_plan;
use packmark::line::{Answer, Book, Effect, Input, Line, Mark, NewPack, Op, Reading};
use packmark::profile::Profiles;
use packmark::vocab::report::Poll;
use packmark::vocab::{CodeRef, DeviceNo, Event, Now, Order, PackNo, Plan, Report};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const WALL: i64 = 1_700_000_000_000_000;

/// The example line with boxes of two, cases of two.
pub fn config_text() -> String {
    include_str!("../data/line.toml").replace("holds = 6", "holds = 2").replace("holds = 4", "holds = 2")
}

pub fn plan() -> Plan {
    let profiles = Profiles::load(None).unwrap_or_else(|e| panic!("{e:?}"));
    let bind = |name: &str, settings: &_| profiles.bind(name, settings).map(|b| b.traits());
    Config::parse(Path::new("line.toml"), &config_text(), &bind).unwrap_or_else(|e| panic!("{e:?}")).plan
}

pub fn how(boot: &str) -> OpenHow {
    OpenHow { create: true, boot: boot.into(), wall_us: WALL, ..OpenHow::default() }
}

/// Called after each commit with the line's book as it should now be on disk.
pub type Watch = Box<dyn FnMut(&Path, &Book)>;

pub struct Driven {
    pub dir: PathBuf,
    pub core: Core,
    pub codebook: Codebook,
    pub line: Line,
    pub watch: Option<Watch>,
    pub sent: Vec<CodeRef>,
    pub labels: Vec<CodeRef>,
    pub answers: Vec<Answer>,
    pub commits: u64,
    now_us: u64,
    outputs: BTreeMap<u16, bool>,
    counters: BTreeMap<u16, u32>,
}

impl Driven {
    /// A fresh store with packs of bottles and boxes and a running job.
    pub fn start(dir: &Path, watch: Option<Watch>) -> Self {
        let mut d = Self::open(dir, &how("first"), watch);
        d.import("bottles", "bottle", "https://t.example/B", 400);
        d.import("boxes", "box", "BOX", 40);
        d.connect();
        d.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
        d.op(Op::JobStart { id: "J".into() });
        d.settle(300);
        assert!(d.answers.iter().all(|a| a.ok), "{:?}", d.answers);
        d
    }

    pub fn open(dir: &Path, how: &OpenHow, watch: Option<Watch>) -> Self {
        Self::boot(dir, Core::open(dir, how).unwrap_or_else(|e| panic!("{e}")), watch)
    }

    pub fn boot(dir: &Path, o: Opened, watch: Option<Watch>) -> Self {
        let mut plan = plan();
        number_plan(&mut plan, &o.book);
        let made_for = o.codebook.made_for_in(&o.book);
        let mut d = Self {
            dir: dir.into(),
            core: o.core,
            codebook: o.codebook,
            line: Line::new(Arc::new(plan), o.book),
            watch,
            sent: Vec::new(),
            labels: Vec::new(),
            answers: Vec::new(),
            commits: 0,
            now_us: 1_000_000,
            outputs: BTreeMap::new(),
            counters: [(1, 0), (2, 0), (3, 0), (7, 0)].into(),
        };
        d.give(Input::Booted { clean: o.clean, last_wall_us: o.last_wall_us, restored: o.restored, made_for });
        d
    }

    pub fn import(&mut self, id: &str, level: &str, stem: &str, count: u32) {
        let file = self.dir.with_extension(format!("{id}.txt"));
        std::fs::write(&file, (0..count).map(|n| format!("{stem}{n:05}\n")).collect::<String>()).unwrap();
        let no = PackNo(self.line.book().packs.keys().next_back().map_or(1, |p| p.0 + 1));
        let how = ImportHow { no, id: id.into(), level: level.into(), product: "P1".into(), ..ImportHow::default() };
        let pack: NewPack = import::prepare(&self.codebook, &mut *packmark::intake::lines(vec![file.clone()]), &how).unwrap();
        std::fs::remove_file(file).unwrap();
        self.give(Input::PackReady { id: 1, key: Some(format!("import {id}")), pack, more: Vec::new() });
        let row = self.line.book().packs[&no].clone();
        self.codebook.register(row).unwrap();
    }

    pub fn device(&self, id: &str) -> DeviceNo {
        self.line.plan().devices.iter().find(|d| d.id == id).expect("a device of the example").no
    }

    /// The nth code of the pack with this id.
    pub fn code(&self, pack: &str, n: u32) -> CodeRef {
        let p = self.line.book().packs.values().find(|p| p.id == pack).expect("an imported pack");
        CodeRef::new(p.no, n)
    }

    pub fn connect(&mut self) {
        for d in ["ijp1", "cam1", "cam2", "zpl1", "cam3", "hand1", "io1"] {
            let device = self.device(d);
            self.give(Input::Report { device, report: Report::Up { identity: None } });
        }
        let device = self.device("zpl1");
        self.give(Input::Report { device, report: Report::Ready { cleared: true } });
        self.settle(60);
    }

    pub fn op(&mut self, op: Op) {
        self.give(Input::Command { id: 1, key: None, op });
    }

    pub fn give(&mut self, input: Input) {
        let now = Now::new(self.now_us, WALL + self.now_us as i64);
        let d = self.line.handle(input, now);
        let rows = self.line.take_rows();
        if !d.events.is_empty() {
            self.core.commit(&[Submission { now, events: d.events, rows }]).unwrap();
            self.commits += 1;
            if let Some(watch) = &mut self.watch {
                watch(&self.dir, self.line.book());
            }
        }
        d.now.into_iter().for_each(|e| self.carry_out(e));
        if d.wait || !d.after.is_empty() {
            self.give(Input::Committed { ticket: d.ticket });
            d.after.into_iter().for_each(|e| self.carry_out(e));
        }
    }

    fn carry_out(&mut self, e: Effect) {
        match e {
            Effect::Order { device, order: Order::Arm { .. } } => {
                self.give(Input::Report { device, report: Report::Ready { cleared: true } });
            }
            Effect::Order { device, order: Order::Clear } => self.give(Input::Report { device, report: Report::Cleared }),
            Effect::Order { order: Order::Output { number, on }, .. } => drop(self.outputs.insert(number, on)),
            Effect::Order { .. } | Effect::OrderOnDisk { .. } | Effect::Setup { .. } | Effect::Exit => {}
            Effect::Print { device, code } => {
                self.sent.push(code);
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
        let counters = self.counters.iter().map(|(n, v)| (*n, *v)).collect();
        let poll = Poll { at_us: self.now_us, inputs: vec![(5, moving), (4, false), (6, false)], counters, safe: false, taken: Vec::new() };
        let device = self.device("io1");
        self.give(Input::Poll { device, poll });
    }

    /// Lets `ms` go by, polling every 5 ms and ticking when asked.
    pub fn settle(&mut self, ms: u64) {
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

    pub fn edge(&mut self, counter: u16) {
        *self.counters.get_mut(&counter).expect("a counter of the example") += 1;
        self.now_us += 1_000;
        self.poll();
    }

    pub fn frame(&mut self, device: &str, codes: &[CodeRef]) {
        let marks = codes.iter().map(|c| Mark::of(*c)).collect();
        let reading = if codes.is_empty() { Reading::NoRead } else { Reading::Data(marks) };
        self.now_us += 500;
        let device = self.device(device);
        self.give(Input::Frame { device, at_us: self.now_us, reading });
    }

    /// A bottle is printed and read (or not).
    pub fn bottle(&mut self, read: bool) -> CodeRef {
        let n = self.line.book().stations.values().map(|s| s.last_passage.0).max().unwrap_or(0) as u32;
        let code = self.code("bottles", n);
        let device = self.device("ijp1");
        self.give(Input::Report { device, report: Report::Printed { count: 1 } });
        self.edge(1);
        self.frame("cam1", if read { std::slice::from_ref(&code) } else { &[] });
        self.settle(120);
        code
    }

    pub fn boxed(&mut self, n: u32, children: &[CodeRef]) -> CodeRef {
        let code = self.code("boxes", n);
        let all: Vec<CodeRef> = children.iter().copied().chain([code]).collect();
        self.edge(2);
        self.frame("cam2", &all);
        self.settle(700);
        code
    }

    /// A job's ordinary life: bottles (one unread), two boxes, a case with its label read, its end.
    pub fn shift(&mut self) {
        self.bottle(false);
        self.settle(500);
        for n in 0..2 {
            let c = [self.bottle(true), self.bottle(true)];
            self.settle(500);
            self.boxed(n, &c);
        }
        self.edge(7);
        self.settle(200);
        self.edge(7);
        self.settle(300);
        let label = *self.labels.last().expect("two boxes close a case, and its label is printed");
        self.edge(3);
        self.frame("cam3", &[label]);
        self.settle(1_000);
        self.bottle(true);
        self.settle(600);
    }

    pub fn complete(&mut self) {
        self.op(Op::JobComplete { id: "J".into(), void_open: true });
        self.settle(5_000);
        let last = self.answers.last().expect("an answer");
        assert!(last.ok, "{last:?}");
    }
}

/// The events of a store, as stored.
pub fn stored_events(dir: &Path) -> Vec<Event> {
    let c = rusqlite::Connection::open(dir.join("ledger.db")).unwrap();
    let mut s = c.prepare("SELECT body FROM event ORDER BY seq").unwrap();
    let rows = s.query_map([], |r| r.get::<_, Vec<u8>>(0)).unwrap();
    rows.map(|b| postcard::from_bytes(&b.unwrap()).unwrap()).collect()
}

pub fn fold(events: &[Event]) -> Book {
    let mut b = Book::default();
    events.iter().for_each(|e| b.apply(e));
    b
}

/// Copies a store as a power cut leaves it: database, log, packs; no `-shm`, no lock.
pub fn copy_store(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("packs")).unwrap();
    for name in ["ledger.db", "ledger.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
    for e in std::fs::read_dir(from.join("packs")).unwrap() {
        let e = e.unwrap();
        std::fs::copy(e.path(), to.join("packs").join(e.file_name())).unwrap();
    }
}

/// Every file below with its bytes, by name.
pub fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    for e in std::fs::read_dir(dir).unwrap() {
        let p = e.unwrap().path();
        if p.is_dir() {
            out.extend(content(&p));
        } else {
            out.insert(p.clone(), std::fs::read(&p).unwrap());
        }
    }
    out
}

pub fn with_hooks(how: OpenHow, hooks: Hooks) -> OpenHow {
    OpenHow { hooks: Some(hooks), ..how }
}
