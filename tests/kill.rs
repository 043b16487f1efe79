//! kill -9 of the daemon, again and again, with the simulator alive throughout; then the books are laid beside what
//! physically happened.
//!
//! `cargo test --release --test kill -- --nocapture`; `PACKMARK_KILL_SEED` repeats a run's moments, `PACKMARK_KILLS`
//! changes their number (50, half with each polarity of the bottle gate).
//!
//! The moments are uniform over the time after a restart; pauses before the restart are uniform over 0 to 5 s. These
//! waits are the test's input, not a way to be patient.

use packmark::sim::example::{LINE, tightened};
use packmark::vocab::rng::Rng;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BIN: &str = env!("CARGO_BIN_EXE_packmark");
/// 15 items a second.
const RATE_PER_MIN: u32 = 900;
const MAX_BURN: usize = 32;
const MOST_KILLS: u64 = 80;
/// What the moments must have hit before the test may end.
const WANTED: Hit = Hit { buffered: 30, open: 10, labelling: 5 };

#[derive(Clone, Copy, Debug, Default)]
struct Hit {
    buffered: u64,
    open: u64,
    labelling: u64,
}

impl Hit {
    fn enough(&self) -> bool {
        self.buffered >= WANTED.buffered && self.open >= WANTED.open && self.labelling >= WANTED.labelling
    }
}

/// One line in a folder of its own: the configuration, the simulator, the daemon.
struct Line {
    dir: PathBuf,
    config: PathBuf,
    simulator: Child,
    daemon: Option<Child>,
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.simulator.kill();
        let _ = self.simulator.wait();
        if let Some(mut d) = self.daemon.take() {
            let _ = d.kill();
            let _ = d.wait();
        }
    }
}

/// The line's folder; it stays where the test fails, for it holds the only evidence of what happened.
struct Kept(Option<tempfile::TempDir>);

impl Kept {
    fn new(name: &str) -> Self {
        let made = tempfile::Builder::new().prefix(&format!("kill-{name}-")).tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Self(Some(made.expect("a temporary folder")))
    }

    fn path(&self) -> &Path {
        self.0.as_ref().expect("it is there until the end").path()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(dir) = self.0.take().filter(|_| std::thread::panicking()) {
            println!("the evidence is kept in {}", dir.keep().display());
        }
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("loopback has a free port").port()
}

/// The example with free ports, tighter spacing for 15 items a second, and this polarity at the bottle gate.
fn configuration(polarity: &str) -> String {
    let mut text = tightened(LINE, RATE_PER_MIN).replace("polarity = \"pass\"", &format!("polarity = \"{polarity}\""));
    for port in ["17000", "19004", "19006", "19100", "19005", "15020"] {
        text = text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", free_port()));
    }
    text
}

fn ready(child: &mut Child) -> Value {
    let out = child.stdout.take().expect("stdout is piped");
    let mut lines = BufReader::new(out).lines();
    let line = lines.next().expect("a line comes").expect("it is text");
    std::thread::spawn(move || lines.for_each(drop));
    serde_json::from_str(&line).expect("the ready line is JSON")
}

fn start(dir: &Path, args: &[&str], log: &str) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(dir.join(log)).expect("a log opens");
    Command::new(BIN).args(args).current_dir(dir).stdout(Stdio::piped()).stderr(log).spawn().expect("the program starts")
}

impl Line {
    fn start(dir: &Path, polarity: &str, seed: u64) -> Self {
        let config = dir.join("line.toml");
        std::fs::write(&config, configuration(polarity)).expect("the configuration is written");
        for (name, count) in [("bottle", 40_000u32), ("box", 8_000)] {
            let text: String = (0..count).map(|n| format!("https://q.example/{name}/{seed:x}{n:07x}\n")).collect();
            std::fs::write(dir.join(format!("{name}.txt")), text).expect("a pack is written");
        }
        let c = config.to_str().expect("utf-8");
        let args = [
            "simulate",
            "--config",
            c,
            "--truth",
            "truth.ndjson",
            "--seed",
            &seed.to_string(),
            "--faults",
            "none",
            "--rate",
            &RATE_PER_MIN.to_string(),
            "--preprinted",
            "box=box.txt",
        ];
        let mut simulator = start(dir, &args, "simulate.log");
        assert_eq!(ready(&mut simulator)["ready"], true);
        let mut line = Self { dir: dir.into(), config, simulator, daemon: None };
        line.run();
        line.ok(&["pack", "import", "bottle.txt", "--level", "bottle", "--product", "P1"]);
        line.ok(&["pack", "import", "box.txt", "--level", "box", "--product", "P1"]);
        line.ok(&["job", "create", "--id", "J1", "--product", "P1", "--lot", "A1"]);
        line.until("the job starts", Duration::from_secs(20), |l| l.call(&["job", "start", "J1"]).0 == 0);
        line
    }

    fn run(&mut self) {
        let config = self.config.to_str().expect("utf-8").to_string();
        let mut daemon = start(&self.dir, &["run", "--config", &config], "daemon.log");
        assert_eq!(ready(&mut daemon)["ready"], true);
        self.daemon = Some(daemon);
    }

    /// kill -9.
    fn kill(&mut self) {
        let mut d = self.daemon.take().expect("a daemon runs");
        d.kill().expect("it is ours to kill");
        d.wait().expect("it ends");
    }

    fn call(&self, args: &[&str]) -> (i32, String) {
        let config = self.config.to_str().expect("utf-8");
        let out = Command::new(BIN).args(args).args(["--config", config, "--json"]).current_dir(&self.dir).output().expect("it runs");
        (out.status.code().unwrap_or(-1), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
    }

    fn ok(&self, args: &[&str]) -> String {
        let (code, text) = self.call(args);
        assert_eq!(code, 0, "{args:?}: {text}");
        text
    }

    fn until(&self, what: &str, limit: Duration, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + limit;
        while !done(self) {
            assert!(Instant::now() < end, "{what}: not within {limit:?}; {}", self.call(&["status"]).1);
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// What the book held at the moment of the kill.
    fn hit(&self) -> Hit {
        let dump = self.ok(&["dump"]);
        let lines = || dump.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        let count = |k: &str, state: &str| lines().filter(|v| v["k"] == k && v["state"] == state).count() as u64;
        Hit { buffered: count("code", "sent"), open: count("parent", "open"), labelling: count("parent", "labelling") }
    }

    /// The newest seq, looked for from one known before.
    fn journal_head(&self, since: u64) -> u64 {
        let journal = self.ok(&["journal", "--since", &since.to_string()]);
        let head: Value = serde_json::from_str(journal.lines().last().expect("a head")).expect("JSON");
        head["seq"].as_u64().expect("a number")
    }

    /// Codes that each restart made doubtful, per printer.
    fn burnt(&self, since: u64) -> Vec<(String, usize)> {
        let text = self.ok(&["journal", "--since", &since.to_string()]);
        let mut by: std::collections::BTreeMap<String, usize> = Default::default();
        for v in text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok()) {
            if v["k"] == "doubtful" && v["why"] == "restart" {
                // Labels have 18 digits; everything else is the one inkjet printer's.
                let printer = if v["text"].as_str().is_some_and(|t| t.len() == 18) { "zpl1" } else { "ijp1" };
                *by.entry(printer.into()).or_default() += 1;
            }
        }
        by.into_iter().collect()
    }

    /// The job ends, the daemon stops in order, the simulator too; the auditor speaks.
    fn finish(&mut self) {
        self.until("the line comes to Execute again", Duration::from_secs(60), |l| l.call(&["status"]).1.contains("\"execute\""));
        let (code, text) = self.call(&["job", "complete", "J1", "--open", "void"]);
        assert_eq!(code, 0, "{text}");
        let daemon = self.daemon.as_mut().expect("a daemon runs");
        terminate(daemon);
        let end = Instant::now() + Duration::from_secs(20);
        while daemon.try_wait().expect("ours").is_none() {
            assert!(Instant::now() < end, "SIGTERM ends the daemon");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(daemon.wait().expect("ours").success(), "an orderly end");
        self.daemon = None;
        terminate(&self.simulator);
        self.simulator.wait().expect("the simulator ends");
        let (code, text) = self.call(&["audit", "--truth", "truth.ndjson"]);
        println!("audit: {}", text.trim());
        assert_eq!(code, 0, "truth and book agree");
    }
}

fn terminate(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is ours");
}

#[test]
fn kills() {
    let read = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let seed = read("PACKMARK_KILL_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 7919 + 1);
    let kills = read("PACKMARK_KILLS").unwrap_or(50);
    println!("seed {seed}: {kills} kills, {} with each polarity", kills / 2);
    let mut rng = Rng::new(seed);
    let (mut total, mut hit, mut done) = (kills, Hit::default(), 0);
    for (half, polarity) in ["pass", "reject"].into_iter().enumerate() {
        let dir = Kept::new(polarity);
        let mut line = Line::start(dir.path(), polarity, seed.wrapping_add(half as u64));
        let (mut here, mut before) = (0, 0);
        while here < kills / 2 || (half == 1 && done < total) {
            std::thread::sleep(Duration::from_millis(500 + rng.below(11_500)));
            before = line.journal_head(before);
            line.kill();
            let h = line.hit();
            let pause = rng.below(5_000);
            std::thread::sleep(Duration::from_millis(pause));
            line.run();
            let burnt = line.burnt(before);
            println!(
                "{polarity} {here}: sent {}, open {}, labelling {}; back after {pause} ms; burnt {burnt:?}",
                h.buffered, h.open, h.labelling
            );
            for (printer, n) in &burnt {
                assert!(*n <= MAX_BURN, "a kill burnt {n} codes of {printer}");
            }
            hit.buffered += u64::from(h.buffered > 0);
            hit.open += u64::from(h.open > 0);
            hit.labelling += u64::from(h.labelling > 0);
            (here, done) = (here + 1, done + 1);
            if half == 1 && done >= total && !hit.enough() && total < MOST_KILLS {
                total += 1;
            }
        }
        line.finish();
    }
    println!(
        "{done} kills fell with a code in a printer's window {}, an open parent {}, labelling {}",
        hit.buffered, hit.open, hit.labelling
    );
    if kills >= 50 {
        assert!(hit.enough(), "the moments did not hit enough of {WANTED:?}");
    }
}
