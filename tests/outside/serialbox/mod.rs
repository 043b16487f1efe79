//! SerialBox, the number pool of QU4RTET, as a source of codes: the real server from PyPI, on loopback.
//!
//! With one worker it is an ordinary source that knows no token. With several it reads and writes its place in the pool
//! without a lock, and hands the same numbers to different requests; every one of them must be met by the import. What is a
//! duplicate is told here by a set of our own, not by the store that is tested.

use packmark::upstream::{Answer, Fault, Spool, Transport};
use packmark::vocab::supply::{Form, Http, Repeat, SupplyRule, Via};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside/serialbox");
/// `line:secret`.
const WORD: &str = "Basic bGluZTpzZWNyZXQ=";

fn python() -> String {
    std::env::var("PACKMARK_PYTHON").expect("run tests/outside/run.sh: it sets PACKMARK_PYTHON")
}

/// A pool of its own with so many workers.
struct Pool {
    child: Child,
    base: String,
    dir: TempDir,
}

impl Pool {
    fn start(workers: u32) -> Self {
        Self::start_with(workers, TempDir::new().unwrap(), &[])
    }

    fn start_with(workers: u32, dir: TempDir, more: &[String]) -> Self {
        let made = Command::new(python()).arg("pool_site.py").arg(dir.path()).current_dir(FOLDER).status().unwrap();
        assert!(made.success(), "the pool's database is made");
        let mut child = Command::new(python())
            .args([
                "-m",
                "gunicorn",
                "--no-control-socket",
                "--bind",
                "127.0.0.1:0",
                "--workers",
                &workers.to_string(),
                "pool_site:application",
            ])
            .args(more)
            .env("POOL_FOLDER", dir.path())
            .current_dir(FOLDER)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let listening = log.find_map(|l| l.unwrap().split("Listening at: ").nth(1).map(|r| r.split(' ').next().unwrap().to_string()));
        let base = listening.expect("it says where it listens");
        std::thread::spawn(move || log.for_each(drop));
        Self { child, base, dir }
    }

    fn url(&self, pool: &str) -> String {
        format!("{}/serialbox/allocate/{pool}/{{count}}/?format=json", self.base)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The master ends its workers; killed outright it would leave them.
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let _ = self.child.kill();
    }
}

/// A line that orders bottles of P1 and of P2 from it.
fn line(pool: &Pool, order: u32) -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("word"), format!("{WORD}\n")).unwrap();
    let supply = |product: &str, name: &str| {
        format!(
            "[[supply]]\nlevel = \"bottle\"\nproduct = \"{product}\"\nlow = 100\norder = {order}\nurl = \"{}\"\ncodes = \"/numbers\"\n\
             header_files = {{ Authorization = \"word\" }}\n",
            pool.url(name)
        )
    };
    let text = format!(
        "[line]\nid = \"L1\"\nname = \"one\"\nstore = \"store\"\n[[product]]\nid = \"P1\"\n[[product]]\nid = \"P2\"\n\
         [[level]]\nname = \"bottle\"\ncodes = \"preprinted\"\n\
         [[device]]\nid = \"hand1\"\nprofile = \"line-reader\"\naddress = \"tcp://127.0.0.1:9\"\n\
         [[station]]\nid = \"look\"\nrole = \"verify\"\nlevel = \"bottle\"\ndevice = \"hand1\"\n{}{}",
        supply("P1", "numbers"),
        supply("P2", "lists")
    );
    std::fs::write(dir.path().join("line.toml"), text).unwrap();
    dir
}

fn packmark(dir: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let config = dir.join("line.toml");
    let out = Command::new(env!("CARGO_BIN_EXE_packmark")).args(["--json", "--config"]).arg(config).args(args).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let json = text.lines().last().and_then(|l| serde_json::from_str(l).ok()).unwrap_or(Value::Null);
    (out.status.code(), json)
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is() {
        assert!(Instant::now() < end, "{what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn serialbox_with_one_worker_feeds_a_line() {
    let pool = Pool::start(1);
    let line = line(&pool, 300);
    let dir = line.path();
    // The first words are wrong: blocked, with a sentence, until they are mended.
    std::fs::write(dir.join("word"), "Basic d3Jvbmc6d3Jvbmc=\n").unwrap();
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_packmark"))
        .args(["run", "--config"])
        .arg(dir.join("line.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let standing = || packmark(dir, &["supply", "list"]).1["supply"].clone();
    until("both are blocked", || standing().as_array().is_some_and(|s| s.iter().all(|s| s["state"] == "blocked")));
    assert!(standing()[0]["last_error"].as_str().unwrap().contains("401"));
    std::fs::write(dir.join("word"), format!("{WORD}\n")).unwrap();
    for product in ["P1", "P2"] {
        assert_eq!(packmark(dir, &["supply", "try", "--level", "bottle", "--product", product]).0, Some(0));
    }
    let delivered = || {
        let list = packmark(dir, &["supply", "list"]).1;
        list["orders"].as_array().unwrap().iter().filter(|o| o["outcome"] == "delivered").count()
    };
    until("both came", || delivered() == 2);
    until("both are idle", || standing().as_array().is_some_and(|s| s.iter().all(|s| s["state"] == "idle")));
    assert_eq!(packmark(dir, &["supply", "try", "--level", "bottle", "--product", "P1"]).0, Some(0));
    until("and one more", || delivered() == 3);
    let packs = packmark(dir, &["pack", "list"]).1;
    let mut counts: Vec<(&str, u64)> =
        packs["packs"].as_array().unwrap().iter().map(|p| (p["product"].as_str().unwrap(), p["count"].as_u64().unwrap())).collect();
    counts.sort_unstable();
    assert_eq!(counts, [("P1", 300), ("P1", 300), ("P2", 300)]);
    let pid = rustix::process::Pid::from_raw(daemon.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(daemon.wait().unwrap().success());
    let left: Vec<_> = std::fs::read_dir(dir.join("store/supply")).unwrap().collect();
    assert!(left.is_empty(), "no plaintext stays: {left:?}");
    assert_eq!(packmark(dir, &["audit"]).1["ok"], true);
}

fn rule(pool: &Pool, count: u32, ca: Option<PathBuf>) -> SupplyRule {
    let http = Http {
        post: false,
        url: pool.url("numbers"),
        headers: Vec::new(),
        header_files: vec![("Authorization".into(), pool.dir.path().join("word"))],
        body: None,
        form: Form::Json { codes: "/numbers".into(), code: None },
        ca,
        connect_s: 10,
        timeout_s: 50,
        max_mb: 8,
        poll: None,
    };
    let (level, product, line) = ("bottle".into(), "P1".into(), "L1".into());
    let via = Via::Http(Box::new(http));
    SupplyRule { level, product, gtin: None, line, low: 1, order: count, column: None, repeat: Repeat::New, every_s: 1, via }
}

/// One reply: the codes as the transport wrote them.
fn fetch(pool: &Pool, n: usize, spool: &Spool, count: u32) -> Option<Vec<String>> {
    let token = format!("reply{n}");
    let mut transport = Transport::new(rule(pool, count, None), spool.clone());
    match transport.ask(&token, count, false) {
        Answer::Delivered => {
            let text = std::fs::read_to_string(transport.delivery(&token)).unwrap();
            Some(text.lines().map(Into::into).collect())
        }
        // A locked database is its own trouble, and told as that.
        _ => None,
    }
}

#[test]
fn serialbox_with_four_workers_gives_duplicates_and_every_one_is_met() {
    let pool = Pool::start(4);
    std::fs::write(pool.dir.path().join("word"), WORD).unwrap();
    let line = line(&pool, 300);
    let spool = Spool::open(line.path()).unwrap();
    let (mut accepted, mut replies, mut refused, mut doubled): (HashSet<String>, usize, usize, usize) = Default::default();
    for round in 0..20 {
        let codes: Vec<Option<Vec<String>>> = std::thread::scope(|s| {
            let asked: Vec<_> = (0..8)
                .map(|i| {
                    s.spawn({
                        let (pool, spool) = (&pool, &spool);
                        move || fetch(pool, round * 8 + i, spool, 2_000)
                    })
                })
                .collect();
            asked.into_iter().map(|a| a.join().unwrap()).collect()
        });
        for (i, codes) in codes.into_iter().enumerate() {
            let Some(codes) = codes else { continue };
            replies += 1;
            let file = spool.codes(&format!("reply{}", round * 8 + i));
            let (exit, said) = packmark(line.path(), &["pack", "import", file.to_str().unwrap(), "--level", "bottle", "--product", "P1"]);
            let again = codes.iter().filter(|c| accepted.contains(*c)).count();
            let fresh: HashSet<&String> = codes.iter().collect();
            if again > 0 || fresh.len() < codes.len() {
                assert_eq!(exit, Some(1), "{again} of {} codes were given before, and the import took them", codes.len());
                assert!(said["error"]["message"].as_str().unwrap().contains("already"), "{said}");
                refused += 1;
                doubled += again;
            } else {
                assert_eq!((exit, &said["count"]), (Some(0), &json!(codes.len())), "{said}");
                accepted.extend(codes);
            }
        }
        if refused >= 5 {
            break;
        }
    }
    println!("{replies} replies, {refused} refused, {doubled} codes given twice, {} accepted", accepted.len());
    assert!(refused > 0, "four workers gave no duplicate in {replies} replies: the pool has learnt to lock");
    let packs = packmark(line.path(), &["pack", "list"]).1;
    let held: u64 = packs["packs"].as_array().unwrap().iter().map(|p| p["count"].as_u64().unwrap()).sum();
    assert_eq!(held, accepted.len() as u64);
}

/// A certificate of our own making is trusted when the configuration says so, and only then.
#[test]
fn serialbox_behind_a_certificate_of_our_own() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    // A certificate may not be its own authority: two authorities, and one issued by the first.
    let openssl = |name: &str, more: &[&str]| {
        let (key, out) = (at(&format!("{name}.key")), at(&format!("{name}.pem")));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", &format!("/CN={name}"), "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&out)
            .args(more)
            .current_dir(dir.path())
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("openssl is there").success());
        (key, out)
    };
    let (_, authority) = openssl("office", &[]);
    let (_, other) = openssl("other", &[]);
    let issued = ["-CA", "office.pem", "-CAkey", "office.key", "-addext", "basicConstraints=critical,CA:FALSE", "-addext"];
    let (key, certificate) = openssl("pool", &[&issued[..], &["subjectAltName=IP:127.0.0.1"]].concat());
    let path = |p: &Path| p.to_str().unwrap().to_string();
    let mut pool = Pool::start_with(1, dir, &["--keyfile".into(), path(&key), "--certfile".into(), path(&certificate)]);
    pool.base = pool.base.replace("http://", "https://");
    std::fs::write(pool.dir.path().join("word"), WORD).unwrap();
    let spool = Spool::open(pool.dir.path()).unwrap();
    let ask = |ca: Option<&Path>| Transport::new(rule(&pool, 10, ca.map(Into::into)), spool.clone()).ask("t", 10, false);
    for stranger in [None, Some(&*other)] {
        match ask(stranger) {
            // Nothing was said, so nothing was given.
            Answer::Failed(f) => assert!(f.fault == Fault::NotTaken && f.what.contains("certificate"), "{f:?}"),
            a => panic!("{a:?}"),
        }
    }
    assert_eq!(ask(Some(&authority)), Answer::Delivered);
}
