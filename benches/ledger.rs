//! The ledger beside raw limits of the same run, as one JSON object on stdout.
//!
//! - `paced`: 1,000 units/s, submit → durable, beside an 8 KiB overwrite + fdatasync paced the same; legs interleaved,
//!   medians over the legs. `p50_ratio` is held to 3.
//! - `saturated`: units/s as fast as they go, beside plain SQLite given the same rows in the same batches (same pragmas,
//!   no fold, no chain, no marks). `ratio` is held to at least 0.5.
//! - `line`: 20 items/s as a line submits them: commits a second, MB written per 1,000 units, bytes a unit at rest.
//!
//! A unit is one bottle's life: sent, printed, verdict, through; each twelfth fills a box of twelve, which is sealed.
//! Limits that are missed make the exit 1. `cargo bench --bench ledger [-- SECONDS]`

use packmark::ledger::{Core, OpenHow, Outcome, Submission, Writer};
use packmark::line::Book;
use packmark::vocab::event::{Event, Origin, Seen};
use packmark::vocab::*;
use serde_json::{Value, json};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

const LEGS: usize = 3;
const RATE: u32 = 1_000;
const SATURATED: u32 = 150_000;
const BATCH: usize = 512;
const BOTTLES: PackNo = PackNo(1);
const BOXES: PackNo = PackNo(2);
const CHECK: StationNo = StationNo(0);

/// Makes the units of a job, one after the other.
struct Mill {
    book: Book,
    next: u32,
    parents: u32,
    leased: u32,
}

impl Mill {
    fn new(core: &mut Core) -> Self {
        let pack = |no, level: &str| Event::PackAccepted {
            pack: no,
            id: level.into(),
            level: level.into(),
            product: "P1".into(),
            count: 1 << 30,
            origin: Origin::Segments { sha256: [0; 32] },
        };
        let job = Event::JobCreated { job: JobNo(1), id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None };
        let start = [
            pack(BOTTLES, "bottle"),
            pack(BOXES, "box"),
            job,
            Event::JobMoved { job: JobNo(1), to: JobState::Running },
            Event::Headline { stations: vec![CHECK] },
        ];
        let mut mill = Self { book: Book::default(), next: 0, parents: 0, leased: 0 };
        let first = mill.submission(start.to_vec());
        core.commit(&[first]).expect("the first commit");
        mill
    }

    fn submission(&mut self, events: Vec<Event>) -> Submission {
        events.iter().for_each(|e| self.book.apply(e));
        Submission { now: Now::new(u64::from(self.next) * 1000, 1_700_000_000_000_000), events, rows: self.book.take_rows() }
    }

    fn sent(&mut self) -> Submission {
        let code = CodeRef::new(BOTTLES, self.next);
        let mut events = Vec::new();
        if self.next == self.leased {
            events.push(Event::Leased { job: JobNo(1), pack: BOTTLES, from: self.leased, count: 256 });
            self.leased += 256;
        }
        events.push(Event::Sent { device: DeviceNo(0), codes: vec![code] });
        self.submission(events)
    }

    fn printed(&mut self) -> Submission {
        let codes = vec![CodeRef::new(BOTTLES, self.next)];
        self.submission(vec![Event::Printed { device: DeviceNo(0), codes }])
    }

    fn verdict(&mut self) -> Submission {
        let (code, passage) = (CodeRef::new(BOTTLES, self.next), Passage(u64::from(self.next) + 1));
        let (seen, to) = (Some(Seen::Known(code)), Some(ItemState::Verified));
        self.submission(vec![Event::Verdict { station: CHECK, passage, good: true, reason: None, seen, to, revises: false }])
    }

    /// Through its gate; the twelfth fills a box.
    fn through(&mut self) -> Submission {
        let code = CodeRef::new(BOTTLES, self.next);
        let mut events = vec![Event::Through { station: CHECK, code, queue: None }];
        self.next += 1;
        if self.next.is_multiple_of(12) {
            let (station, own) = (StationNo(1), CodeRef::new(BOXES, self.parents));
            self.parents += 1;
            let parent = ParentNo(self.parents);
            let children = (self.next - 12..self.next).map(|n| CodeRef::new(BOTTLES, n)).collect();
            events.extend([
                Event::Opened { parent, station, level: LevelNo(1), code: Some(own) },
                Event::Closed { parent, code: None, children },
                Event::Sealed { parent, station },
            ]);
        }
        self.submission(events)
    }

    fn unit(&mut self) -> Submission {
        let mut all = self.sent();
        for s in [self.printed(), self.verdict(), self.through()] {
            all.events.extend(s.events);
            all.rows.extend(s.rows);
        }
        all
    }
}

fn open(dir: &Path) -> Core {
    let how = OpenHow { create: true, boot: "bench".into(), wall_us: 1_700_000_000_000_000, ..OpenHow::default() };
    Core::open(dir, &how).unwrap_or_else(|e| panic!("{e}")).core
}

fn start(dir: &Path) -> (Mill, Writer, Receiver<(Instant, Outcome)>) {
    let mut core = open(dir);
    let mill = Mill::new(&mut core);
    let (tell, told) = sync_channel(1 << 20);
    let writer = Writer::start(core, move |o| tell.send((Instant::now(), o)).expect("the bench listens"));
    (mill, writer, told)
}

/// Waits on the clock, coarse first: the bench's pacing may not cost what it measures.
fn until(at: Instant) {
    if let Some(left) = at.checked_duration_since(Instant::now()) {
        std::thread::sleep(left);
    }
}

fn percentiles(mut us: Vec<f64>) -> [f64; 3] {
    us.sort_by(f64::total_cmp);
    let at = |p: f64| us[((us.len() - 1) as f64 * p) as usize];
    [at(0.5), at(0.99), at(0.999)]
}

fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    v[v.len() / 2]
}

fn committed(o: &Outcome) -> u64 {
    match o {
        Outcome::Committed { ticket, .. } => *ticket,
        Outcome::Failed(e) => panic!("{e}"),
    }
}

/// Submit → durable, µs.
fn paced_ledger(dir: &Path, seconds: u32) -> Vec<f64> {
    let (mut mill, writer, told) = start(dir);
    let n = (seconds * RATE) as usize;
    let began = Instant::now();
    let mut at = Vec::with_capacity(n);
    for i in 0..n {
        let unit = mill.unit();
        until(began + Duration::from_secs(1) * i as u32 / RATE);
        at.push(Instant::now());
        writer.submit(i as u64 + 1, true, unit).expect("the queue has room at this rate");
    }
    writer.stop().expect("an orderly end");
    let mut us = Vec::with_capacity(n);
    for (when, outcome) in told {
        let done = committed(&outcome) as usize;
        us.extend(at[us.len()..done].iter().map(|t| (when - *t).as_secs_f64() * 1e6));
    }
    us
}

/// Overwrite of 8 KiB of allocated blocks and fdatasync, µs.
fn paced_raw(dir: &Path, seconds: u32) -> Vec<f64> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(dir.join("raw")).expect("a file");
    let page = [0x5au8; 8192];
    for i in 0..512 {
        file.write_all_at(&page, i * 8192).expect("room");
    }
    file.sync_all().expect("synced");
    let began = Instant::now();
    let one = |i: u32| {
        until(began + Duration::from_secs(1) * i / RATE);
        let t = Instant::now();
        file.write_all_at(&page, u64::from(i % 512) * 8192).expect("room");
        file.sync_data().expect("synced");
        t.elapsed().as_secs_f64() * 1e6
    };
    (0..seconds * RATE).map(one).collect()
}

/// Units a second, and bytes a unit at rest.
fn saturated_ledger(dir: &Path) -> (f64, f64) {
    let (mut mill, writer, told) = start(dir);
    let units: Vec<Submission> = (0..SATURATED).map(|_| mill.unit()).collect();
    let before = std::fs::metadata(dir.join("ledger.db")).map_or(0, |m| m.len());
    let began = Instant::now();
    for (i, unit) in units.into_iter().enumerate() {
        // A full queue is waited for here; a line holds.
        while writer.stats().0 > 4_000 {
            std::thread::sleep(Duration::from_micros(200));
        }
        writer.submit(i as u64 + 1, true, unit).expect("there is room below its limit");
    }
    let mut end = began;
    while let Ok((when, outcome)) = told.recv() {
        end = when;
        if committed(&outcome) == u64::from(SATURATED) {
            break;
        }
    }
    writer.stop().expect("an orderly end");
    let bytes = std::fs::metadata(dir.join("ledger.db")).map_or(0, |m| m.len()) - before;
    (f64::from(SATURATED) / (end - began).as_secs_f64(), bytes as f64 / f64::from(SATURATED))
}

const RAW: &str = "
PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-16384;
CREATE TABLE event(seq INTEGER PRIMARY KEY, boot INTEGER NOT NULL, mono_us INTEGER NOT NULL, wall_us INTEGER NOT NULL,
  suspect INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE code(id INTEGER PRIMARY KEY, state INTEGER NOT NULL, reason INTEGER, through INTEGER NOT NULL, seen INTEGER NOT NULL,
  parent INTEGER NOT NULL, job INTEGER NOT NULL, station INTEGER NOT NULL, passage INTEGER NOT NULL);
CREATE TABLE parent(no INTEGER PRIMARY KEY, level INTEGER NOT NULL, station INTEGER NOT NULL, job INTEGER NOT NULL,
  code INTEGER, state INTEGER NOT NULL, relabels INTEGER NOT NULL);
CREATE INDEX code_parent ON code(parent) WHERE parent>0;
CREATE INDEX parent_code ON parent(code) WHERE code IS NOT NULL;";

/// The same rows into plain SQLite, in the same batches; images of one batch once each, bodies made beforehand.
fn saturated_raw(dir: &Path) -> f64 {
    use packmark::line::Row;
    use rusqlite::params;
    use std::collections::BTreeMap;
    type Batch = (Vec<Vec<u8>>, BTreeMap<i64, packmark::line::rows::Life>, BTreeMap<u32, packmark::line::rows::ParentRow>);
    let mut core = open(dir);
    let mut mill = Mill::new(&mut core);
    drop(core);
    let mut batches: Vec<Batch> = Vec::new();
    let mut left = SATURATED as usize;
    while left > 0 {
        let n = left.min(BATCH);
        left -= n;
        let mut batch: Batch = Default::default();
        for unit in (0..n).map(|_| mill.unit()) {
            batch.0.extend(unit.events.iter().map(|e| postcard::to_stdvec(e).expect("an event encodes")));
            for row in unit.rows {
                match row {
                    Row::Code(c, l) => drop(batch.1.insert(c.id(), l)),
                    Row::Parent(no, p) => drop(batch.2.insert(no.0, p)),
                    _ => {}
                }
            }
        }
        batches.push(batch);
    }
    let mut conn = rusqlite::Connection::open(dir.join("raw.db")).expect("a database");
    conn.execute_batch(RAW).expect("a schema");
    let began = Instant::now();
    let mut seq = 0i64;
    for (events, codes, parents) in &batches {
        let tx = conn.transaction().expect("a transaction");
        {
            let mut event = tx.prepare_cached("INSERT INTO event VALUES(?1,1,?2,1,0,?3)").expect("a statement");
            for body in events {
                seq += 1;
                event.execute(params![seq, seq, body]).expect("a row");
            }
            let mut code = tx
                .prepare_cached(
                    "INSERT INTO code VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9) ON CONFLICT(id) DO UPDATE SET state=?2,reason=?3,through=?4,seen=?5,parent=?6,job=?7,station=?8,passage=?9",
                )
                .expect("a statement");
            for (id, l) in codes {
                let reason = l.reason.map(|r| r.number());
                let p = params![id, l.state.number(), reason, l.through, l.seen, l.parent.0, l.job.0, l.station.0, l.passage.0 as i64];
                code.execute(p).expect("a row");
            }
            let mut parent = tx.prepare_cached("INSERT INTO parent VALUES(?1,?2,?3,?4,?5,?6,0)").expect("a statement");
            for (no, p) in parents {
                let own = p.code.map(CodeRef::id);
                parent.execute(params![no, p.level.0, p.station.0, p.job.0, own, p.state.number()]).expect("a row");
            }
        }
        tx.commit().expect("a commit");
    }
    f64::from(SATURATED) / began.elapsed().as_secs_f64()
}

/// What this process has had written to disks, in bytes (proc(5), `write_bytes`).
fn written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    text.lines().find_map(|l| l.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or(0)
}

/// A line at 20 items/s: the code is sent ahead (its bytes wait), its print is told, the verdict's gate waits, the gate's
/// time goes by.
fn line(dir: &Path, seconds: u32) -> Value {
    const ITEMS: u32 = 20;
    let (mut mill, writer, told) = start(dir);
    let before = written();
    let began = Instant::now();
    let units = seconds * ITEMS;
    let mut ticket = 0;
    let mut give = |wait: bool, s: Submission| {
        ticket += 1;
        writer.submit(ticket, wait, s).expect("the queue has room at this rate");
    };
    for i in 0..units {
        let at = began + Duration::from_secs(1) * i / ITEMS;
        until(at);
        give(true, mill.sent());
        until(at + Duration::from_millis(10));
        give(false, mill.printed());
        until(at + Duration::from_millis(20));
        give(true, mill.verdict());
        until(at + Duration::from_millis(35));
        give(false, mill.through());
    }
    let took = began.elapsed().as_secs_f64();
    writer.stop().expect("an orderly end");
    let commits = told.iter().count();
    let bytes = (written() - before) as f64;
    json!({
        "items_per_s": ITEMS, "units": units,
        "commits_per_s": (commits as f64 / took * 10.0).round() / 10.0,
        "mb_written_per_1000_units": (bytes / f64::from(units) / 1000.0 * 100.0).round() / 100.0,
    })
}

fn main() {
    let seconds = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(5);
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let dir = |name: String| {
        let d = root.path().join(name);
        std::fs::create_dir_all(&d).expect("a folder");
        d
    };
    let (mut raw, mut ledger, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for leg in 0..LEGS {
        let r = percentiles(paced_raw(&dir(format!("raw{leg}")), seconds));
        let l = percentiles(paced_ledger(&dir(format!("paced{leg}")), seconds));
        ratios.push(l[0] / r[0]);
        raw.push(r);
        ledger.push(l);
    }
    let us = |all: &[[f64; 3]]| {
        let at = |i: usize| median(all.iter().map(|p| p[i]).collect()).round();
        json!({"p50_us": at(0), "p99_us": at(1), "p999_us": at(2)})
    };
    let paced = median(ratios);
    let (mut fast, mut plain, mut at_rest) = (Vec::new(), Vec::new(), 0.0);
    for leg in 0..LEGS {
        plain.push(saturated_raw(&dir(format!("plain{leg}"))));
        let (rate, bytes) = saturated_ledger(&dir(format!("fast{leg}")));
        fast.push(rate);
        at_rest = bytes;
    }
    let (fast, plain) = (median(fast), median(plain));
    let mut line = line(&dir("line".into()), seconds * 4);
    line["bytes_per_unit"] = at_rest.round().into();
    let ok = paced <= 3.0 && fast / plain >= 0.5;
    println!(
        "{}",
        json!({
            "ok": ok,
            "paced": {"units_per_s": RATE, "ledger": us(&ledger), "raw": us(&raw), "p50_ratio": (paced * 100.0).round() / 100.0, "limit": 3.0},
            "saturated": {
                "ledger_units_per_s": fast.round(), "sqlite_units_per_s": plain.round(),
                "ratio": (fast / plain * 100.0).round() / 100.0, "limit": 0.5,
            },
            "line": line,
        })
    );
    std::process::exit(i32::from(!ok));
}
