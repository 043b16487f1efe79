//! Packs beside plain SQLite in the same run, as one JSON object on stdout.
//!
//! - `import`: codes a second of a text file of 20-character codes into a store that holds `stored` already, uniqueness
//!   against all of it included, until the pack is registered; beside plain `INSERT` of the same rows, 50,000 a transaction,
//!   into a SQLite table without an index. `ratio` is held to 5 into an empty store and to 2.5 into a filled one;
//!   `bytes_per_code` to 28.5; `peak_mb` (VmHWM of a process that does nothing else) to 100.
//! - `gs1`: the same for codes of 85 characters (`01`, `21`, GS `91`, GS `92`): bytes a code.
//! - `lookup`: p50 and p99 of a warm look-up among everything stored, hits and misses; p99 held to 20 µs. `packs`: how many
//!   packs that is.
//! - `small`: a pack of 1,000 codes into all of it, until it is registered, held to 1 s.
//! - `again`: a pack of which every code is stored already: how long until it is refused; and with its duplicates left out
//!   all of them must be found.
//!
//! Limits that are missed make the exit 1.
//! `cargo bench --bench packs [-- CODES [STORED [SMALL_PACKS]]]`: codes of the measured pack (1,000,000), codes stored
//! before (3,000,000, in packs of a tenth) and how many packs of 1,000 beside them (40).

use packmark::ledger::import::{self, ImportError, ImportHow};
use packmark::ledger::{Core, OpenHow, Opened, Submission};
use packmark::vocab::{CodeRef, Now, PackNo};
use serde_json::{Value, json};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

const LEGS: usize = 3;
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A permutation of 64 bits: no two numbers make the same code.
fn mixed(mut x: u64) -> u64 {
    for k in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        x ^= x >> 33;
        x = x.wrapping_mul(k);
    }
    x ^ x >> 33
}

/// 20 characters of 64: 11 hold the permutation, 9 more are noise.
fn token(n: u64, out: &mut Vec<u8>) {
    let (mut x, mut y) = (mixed(n), mixed(!n));
    for _ in 0..11 {
        out.push(LETTERS[(x & 63) as usize]);
        x >>= 6;
    }
    for _ in 0..9 {
        out.push(LETTERS[(y & 63) as usize]);
        y >>= 6;
    }
}

/// A code as a Russian one is built: 85 characters, of which 13 + 44 differ.
fn crypto(n: u64, out: &mut Vec<u8>) {
    out.extend(b"010690123456789221");
    token(n, out);
    out.truncate(out.len() - 7);
    out.extend(b"\x1d91EE11\x1d92");
    for i in 0..3 {
        token(n.wrapping_mul(3).wrapping_add(i) ^ 0x5555_0000_0000, out);
    }
    out.truncate(out.len() - 17);
    out.push(b'=');
}

fn write(path: &Path, from: u64, count: u64, code: fn(u64, &mut Vec<u8>)) {
    let mut w = BufWriter::with_capacity(1 << 20, std::fs::File::create(path).expect("a file"));
    let mut line = Vec::new();
    for n in from..from + count {
        line.clear();
        code(n, &mut line);
        line.push(b'\n');
        w.write_all(&line).expect("room");
    }
    w.flush().expect("room");
}

fn open(dir: &Path) -> Opened {
    static BOOTS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let n = BOOTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let boot = format!("bench{}-{n}", std::process::id());
    Core::open(dir, &OpenHow { create: true, boot, wall_us: 1_700_000_000_000_000, ..OpenHow::default() }).unwrap_or_else(|e| panic!("{e}"))
}

/// Reads, checks, writes, registers; seconds. As the offline import does it, the store being open.
fn take(o: &mut Opened, file: &Path, skip_duplicates: bool) -> Result<f64, ImportError> {
    let no = o.book.packs.len() as u32 + 1;
    let how = ImportHow {
        no: PackNo(no),
        id: format!("p{no}"),
        level: "bottle".into(),
        product: "P".into(),
        skip_duplicates,
        ..ImportHow::default()
    };
    let began = Instant::now();
    let pack = import::prepare_files(&o.codebook, &[file.into()], &how)?;
    let events = pack.events();
    events.iter().for_each(|e| o.book.apply(e));
    let rows = o.book.take_rows();
    o.core.commit(&[Submission { now: Now::new(1, 1), events, rows }]).expect("a commit");
    pack.rows().into_iter().for_each(|r| o.codebook.register(r).expect("it was just written"));
    Ok(began.elapsed().as_secs_f64())
}

/// The same rows into a table without an index; seconds.
fn plain(dir: &Path, file: &Path) -> f64 {
    use std::io::BufRead;
    let db = dir.join("plain.db");
    let _ = std::fs::remove_file(&db);
    let began = Instant::now();
    let mut c = rusqlite::Connection::open(&db).expect("a database");
    c.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536; CREATE TABLE code(text TEXT NOT NULL)")
        .expect("a table");
    let mut lines = std::io::BufReader::with_capacity(1 << 17, std::fs::File::open(file).expect("a file"));
    let (mut line, mut more) = (String::new(), true);
    while more {
        let tx = c.transaction().expect("a transaction");
        {
            let mut insert = tx.prepare_cached("INSERT INTO code VALUES(?1)").expect("a statement");
            for _ in 0..50_000 {
                line.clear();
                more = lines.read_line(&mut line).expect("a line") > 0;
                if !more {
                    break;
                }
                insert.execute([line.trim_end_matches('\n')]).expect("a row");
            }
        }
        tx.commit().expect("a commit");
    }
    began.elapsed().as_secs_f64()
}

fn size(dir: &Path, pack: u32) -> u64 {
    let begins = format!("p{pack}-");
    let of = |e: std::io::Result<std::fs::DirEntry>| {
        let e = e.expect("an entry");
        e.file_name().to_string_lossy().starts_with(&begins).then(|| e.metadata().expect("it is there").len())
    };
    std::fs::read_dir(dir.join("packs")).expect("a folder").filter_map(of).sum()
}

/// Peak of this process, MB (proc(5), `VmHWM`).
fn peak_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kb = text.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kb.unwrap_or(f64::NAN) / 1024.0
}

/// This program again, as a process that only imports: seconds and MB.
fn alone(dir: &Path, file: &Path) -> (f64, f64) {
    let me = std::env::current_exe().expect("this program");
    let out = std::process::Command::new(me).arg("import-alone").args([dir, file]).output().expect("it runs");
    let v: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)));
    (v["s"].as_f64().expect("seconds"), v["peak_mb"].as_f64().expect("a size"))
}

fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    v[v.len() / 2]
}

fn round(x: f64, digits: i32) -> f64 {
    let f = 10f64.powi(digits);
    (x * f).round() / f
}

struct Bench {
    root: tempfile::TempDir,
    ok: bool,
}

impl Bench {
    fn hold(&mut self, what: &str, fine: bool) {
        if !fine {
            eprintln!("missed: {what}");
            self.ok = false;
        }
    }

    fn dir(&self, name: &str) -> PathBuf {
        let d = self.root.path().join(name);
        std::fs::create_dir_all(&d).expect("a folder");
        d
    }

    /// Legs of import and plain insert, one after the other; each import into the store as it was.
    fn import(&mut self, store: &Path, file: &Path, codes: u64, stored: u64, goal: f64) -> Value {
        let (mut ours, mut theirs, mut peaks, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
        for leg in 0..LEGS {
            theirs.push(plain(self.root.path(), file));
            let copy = self.dir(&format!("leg{leg}"));
            link(store, &copy);
            let (s, peak) = alone(&copy, file);
            ours.push(s);
            peaks.push(peak);
            let no = std::fs::read_dir(copy.join("packs")).expect("a folder").count();
            bytes = (1..=no as u32).map(|n| size(&copy, n)).rfind(|s| *s > 0).unwrap_or(0) as f64 / codes as f64;
            std::fs::remove_dir_all(copy).expect("it goes");
        }
        let (s, base, peak) = (median(ours), median(theirs), peaks.into_iter().fold(0.0, f64::max));
        let ratio = base / s;
        self.hold(&format!("import with {stored} stored: {ratio:.2} times plain inserts"), ratio >= goal);
        self.hold(&format!("{bytes:.2} bytes a code"), bytes <= 28.5);
        self.hold(&format!("peak {peak:.0} MB"), peak <= 100.0);
        let per_s = |s: f64| (codes as f64 / s).round();
        json!({
            "codes": codes, "stored": stored, "codes_per_s": per_s(s), "sqlite_rows_per_s": per_s(base), "ratio": round(ratio, 2),
            "limit": goal, "bytes_per_code": round(bytes, 2), "peak_mb": round(peak, 1),
        })
    }
}

/// A copy of a store: segments are never changed, so they are linked.
fn link(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("packs")).expect("a folder");
    for e in std::fs::read_dir(from.join("packs")).into_iter().flatten() {
        let p = e.expect("an entry").path();
        let q = to.join("packs").join(p.file_name().expect("a name"));
        match p.extension().is_some_and(|x| x == "mark") {
            true => drop(std::fs::copy(p, q).expect("a copy")),
            false => std::fs::hard_link(p, q).expect("a link"),
        }
    }
    if from.join("ledger.db").exists() {
        std::fs::copy(from.join("ledger.db"), to.join("ledger.db")).expect("a copy");
    }
}

fn lookups(o: &Opened, stored: u64) -> (Vec<f64>, Vec<f64>) {
    let find = |n: u64| {
        let mut code = Vec::new();
        token(n, &mut code);
        let began = Instant::now();
        let hits = o.codebook.resolve(&code).len();
        (began.elapsed().as_secs_f64() * 1e6, hits)
    };
    let (mut hit, mut miss) = (Vec::new(), Vec::new());
    // Once to warm, once to measure.
    for pass in 0..2 {
        for i in 0..100_000u64 {
            let (us, hits) = find(mixed(i) % stored);
            assert_eq!(hits, 1, "every stored code is found");
            let (none, hits) = find((1 << 40) + i);
            assert_eq!(hits, 0);
            if pass == 1 {
                hit.push(us);
                miss.push(none);
            }
        }
    }
    (hit, miss)
}

fn percentiles(mut us: Vec<f64>) -> Value {
    us.sort_by(f64::total_cmp);
    let at = |p: f64| round(us[((us.len() - 1) as f64 * p) as usize], 2);
    json!({"p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999)})
}

fn import_alone(dir: &str, file: &str) {
    let mut o = open(Path::new(dir));
    let s = take(&mut o, Path::new(file), false).unwrap_or_else(|e| panic!("{e}"));
    let peak = peak_mb();
    o.core.close().expect("an orderly end");
    println!("{}", json!({"s": s, "peak_mb": peak}));
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if let [word, dir, file] = &args[..]
        && word == "import-alone"
    {
        return import_alone(dir, file);
    }
    let number = |i: usize, or: u64| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(or);
    let (codes, stored, small_packs) = (number(0, 1_000_000), number(1, 3_000_000), number(2, 40));
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut b = Bench { root, ok: true };
    let file = b.root.path().join("pack.txt");
    write(&file, 1 << 41, codes, token);
    let empty = b.dir("empty");
    open(&empty).core.close().expect("an orderly end");
    let into_empty = b.import(&empty, &file, codes, 0, 5.0);

    let filled = b.dir("filled");
    let mut o = open(&filled);
    let part = b.root.path().join("part.txt");
    let mut next = 0;
    let mut fill = |o: &mut Opened, count: u64| {
        write(&part, next, count, token);
        next += count;
        take(o, &part, false).unwrap_or_else(|e| panic!("{e}"));
        next
    };
    for n in 0..10 {
        fill(&mut o, stored * (n + 1) / 10 - stored * n / 10);
    }
    o.core.close().expect("an orderly end");
    let into_filled = b.import(&filled, &file, codes, stored, 2.5);

    let mut o = open(&filled);
    let few = o.book.packs.len();
    let (hit, miss) = lookups(&o, stored);
    let among_few = json!({"packs": few, "hit": percentiles(hit), "miss": percentiles(miss)});
    for _ in 0..small_packs {
        fill(&mut o, 1_000);
    }
    let small = b.root.path().join("small.txt");
    write(&small, 1 << 42, 1_000, token);
    let small_s = take(&mut o, &small, false).unwrap_or_else(|e| panic!("{e}"));
    b.hold(&format!("1,000 codes in {small_s:.3} s"), small_s < 1.0);
    let (hit, miss) = lookups(&o, stored);
    let among_many = json!({"packs": o.book.packs.len(), "hit": percentiles(hit), "miss": percentiles(miss)});
    for v in [&among_few, &among_many] {
        let worst = v["hit"]["p99_us"].as_f64().into_iter().chain(v["miss"]["p99_us"].as_f64()).fold(0.0, f64::max);
        b.hold(&format!("look-up p99 {worst} µs"), worst < 20.0);
    }

    // All of it once more.
    let again = codes.min(stored);
    write(&file, 0, again, token);
    let began = Instant::now();
    let refused = take(&mut o, &file, false).is_err();
    let refused_s = began.elapsed().as_secs_f64();
    b.hold("a pack that was here before is refused", refused);
    let found = match take(&mut o, &file, true) {
        Err(ImportError::NothingNew(n)) => u64::from(n),
        _ => 0,
    };
    b.hold(&format!("{found} of {again} duplicates found"), found == again);
    assert!(o.codebook.bytes(CodeRef::new(PackNo(1), 0)).is_some());
    o.core.close().expect("an orderly end");

    let gs1 = b.dir("gs1");
    let mut o = open(&gs1);
    write(&file, 0, codes, crypto);
    let s = take(&mut o, &file, false).unwrap_or_else(|e| panic!("{e}"));
    let gs1_bytes = size(&gs1, 1) as f64 / codes as f64;
    println!(
        "{}",
        json!({
            "ok": b.ok,
            "import": [into_empty, into_filled],
            "gs1": {"codes": codes, "characters": 85, "codes_per_s": (codes as f64 / s).round(), "bytes_per_code": round(gs1_bytes, 2)},
            "lookup": [among_few, among_many],
            "small": {"codes": 1_000, "stored": stored + small_packs * 1_000, "s": round(small_s, 4), "limit": 1.0},
            "again": {"codes": again, "refused_after_s": round(refused_s, 4), "found": found},
        })
    );
    std::process::exit(i32::from(!b.ok));
}
