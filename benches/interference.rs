//! Does a line notice an import? One JSON object on stdout.
//!
//! The real writer takes 1,000 units a second (a unit: one code printed, one event, its row) and tells when each is on
//! disk. Legs without and with a paced import beside it take turns, the import in a thread of low priority as in the
//! daemon, into a store of its own on the same disk, again and again for as long as the leg lasts. `spread`: the largest
//! ratio between two quiet legs, so that one sees what the machine does by itself. Held: the median ratio of p99 to 1.5, of
//! p99.9 to 2.5. `stalls`: waits above 50 ms.
//!
//! Limits that are missed make the exit 1. `cargo bench --bench interference [-- SECONDS [LEGS [CODES [BYTES]]]]`: seconds of a leg
//! (60), pairs of legs (5), codes of the pack (10,000,000), bytes a second (those of the daemon).

use packmark::ledger::import::{self, BytesPerSecond, ImportHow, LINE};
use packmark::ledger::{Core, OpenHow, Outcome, Submission, Writer};
use packmark::line::Row;
use packmark::line::rows::Life;
use packmark::vocab::*;
use serde_json::{Value, json};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

const RATE: u32 = 1_000;

fn open(dir: &Path) -> packmark::ledger::Opened {
    static BOOTS: AtomicU64 = AtomicU64::new(0);
    let boot = format!("bench{}", BOOTS.fetch_add(1, Ordering::Relaxed));
    Core::open(dir, &OpenHow { create: true, boot, wall_us: 1_700_000_000_000_000, ..OpenHow::default() }).unwrap_or_else(|e| panic!("{e}"))
}

/// Submit → durable of every unit, ms, ascending.
fn leg(dir: &Path, seconds: u32) -> Vec<f64> {
    let o = open(dir);
    let (tell, told) = sync_channel(1 << 20);
    let writer = Writer::start(o.core, move |outcome| tell.send((Instant::now(), outcome)).expect("the bench listens"));
    let n = seconds * RATE;
    let mut at = Vec::with_capacity(n as usize);
    let began = Instant::now();
    for i in 0..n {
        let code = CodeRef::new(PackNo(1), i);
        let event = Event::Printed { device: DeviceNo(0), codes: vec![code] };
        let rows = vec![Row::Code(code, Life::new(ItemState::Printed, JobNo(1)))];
        let due = began + Duration::from_secs(1) * i / RATE;
        if let Some(left) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(left);
        }
        at.push(Instant::now());
        let now = Now::new(u64::from(i) * 1000, 1_700_000_000_000_000);
        writer.submit(u64::from(i) + 1, true, Submission { now, events: vec![event], rows }).expect("the queue has room at this rate");
    }
    writer.stop().expect("an orderly end");
    let mut ms: Vec<f64> = Vec::with_capacity(at.len());
    for (when, outcome) in told {
        let Outcome::Committed { ticket, .. } = outcome else { panic!("{outcome:?}") };
        ms.extend(at[ms.len()..ticket as usize].iter().map(|t| (when - *t).as_secs_f64() * 1e3));
    }
    ms.sort_by(f64::total_cmp);
    ms
}

/// Imports the file again and again, each time into an empty store, until told to stop. What it wrote stays until the leg
/// is over: a line deletes no segments.
fn importing(root: &Path, file: &Path, pace: BytesPerSecond, stop: &AtomicBool, taken: &AtomicU64) {
    let _ = rustix::process::setpriority_process(None, 10);
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        let dir = root.join(format!("import{n}"));
        let o = open(&dir);
        let how = ImportHow {
            no: PackNo(1),
            id: "p1".into(),
            level: "bottle".into(),
            product: "P".into(),
            pace: Some(pace),
            ..ImportHow::default()
        };
        let mut rows = Stopping { lines: packmark::intake::lines(vec![file.into()]), stop, taken };
        let _ = import::prepare(&o.codebook, &mut rows, &how);
        n += 1;
    }
}

/// The lines of the file until told to stop.
struct Stopping<'a> {
    lines: Box<dyn packmark::intake::Rows>,
    stop: &'a AtomicBool,
    taken: &'a AtomicU64,
}

impl packmark::intake::Rows for Stopping<'_> {
    fn columns(&self) -> &[packmark::intake::Column] {
        self.lines.columns()
    }

    fn files(&self) -> &[std::path::PathBuf] {
        self.lines.files()
    }

    fn next_row(&mut self, row: &mut packmark::intake::Row) -> Result<bool, packmark::intake::Fault> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(packmark::intake::Fault::Delivery { what: "the leg is over".into(), do_next: "nothing".into() });
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.lines.next_row(row)
    }

    fn sha256(&self) -> [u8; 32] {
        self.lines.sha256()
    }
}

fn at(ms: &[f64], p: f64) -> f64 {
    ms[((ms.len() - 1) as f64 * p) as usize]
}

fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    v[v.len() / 2]
}

fn main() {
    let args: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let number = |i: usize, or: u64| args.get(i).copied().unwrap_or(or);
    let pace = BytesPerSecond(number(3, LINE.0));
    let (seconds, legs, codes) = (number(0, 60) as u32, number(1, 5), number(2, 10_000_000));
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let file = root.path().join("pack.txt");
    let mut w = BufWriter::with_capacity(1 << 20, std::fs::File::create(&file).expect("a file"));
    for n in 0..codes {
        // Odd multiplier: a permutation, so that all differ.
        writeln!(w, "{:016X}{:04X}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n & 0xffff).expect("room");
    }
    drop(w);
    let (mut quiet, mut busy): (Vec<Vec<f64>>, Vec<Vec<f64>>) = Default::default();
    let mut rates = Vec::new();
    for n in 0..legs {
        quiet.push(leg(&root.path().join(format!("quiet{n}")), seconds));
        let (stop, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let stores = root.path().join(format!("imports{n}"));
        let (dir, pack, s, t) = (stores.clone(), file.clone(), stop.clone(), taken.clone());
        let beside = std::thread::spawn(move || importing(&dir, &pack, pace, &s, &t));
        busy.push(leg(&root.path().join(format!("busy{n}")), seconds));
        stop.store(true, Ordering::Relaxed);
        beside.join().expect("the import ends");
        std::fs::remove_dir_all(stores).expect("they go");
        rates.push(taken.load(Ordering::Relaxed) as f64 / f64::from(seconds));
    }
    let figures = |all: &[Vec<f64>]| -> Value {
        let f = |p: f64| (median(all.iter().map(|ms| at(ms, p)).collect()) * 100.0).round() / 100.0;
        let stalls: Vec<usize> = all.iter().map(|ms| ms.iter().filter(|m| **m > 50.0).count()).collect();
        json!({"p50_ms": f(0.5), "p99_ms": f(0.99), "p999_ms": f(0.999), "stalls": stalls})
    };
    // Each pair of legs by itself: what the machine did meanwhile, it did to both.
    let ratio = |p: f64| (median(quiet.iter().zip(&busy).map(|(q, b)| at(b, p) / at(q, p)).collect()) * 100.0).round() / 100.0;
    let spread = |p: f64| {
        let of: Vec<f64> = quiet.iter().map(|ms| at(ms, p)).collect();
        let (least, most) = of.iter().fold((f64::MAX, 0f64), |(l, m), v| (l.min(*v), m.max(*v)));
        (most / least * 100.0).round() / 100.0
    };
    let (p99, p999) = (ratio(0.99), ratio(0.999));
    let ok = p99 <= 1.5 && p999 <= 2.5;
    println!(
        "{}",
        json!({
            "ok": ok, "units_per_s": RATE, "seconds": seconds, "legs": legs,
            "quiet": figures(&quiet), "import": figures(&busy), "import_codes_per_s": median(rates).round(),
            "ratio": {"p99": p99, "p99_limit": 1.5, "p999": p999, "p999_limit": 2.5},
            "spread": {"p99": spread(0.99), "p999": spread(0.999)},
        })
    );
    std::process::exit(i32::from(!ok));
}
