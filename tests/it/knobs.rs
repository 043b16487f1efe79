//! A line whose I/O module speaks Modbus RTU on a pty, with a stack light, played by `packmark simulate`; its knobs turned on
//! the control port; the daemon and the simulated operator deal with what comes of it, and the auditor judges. And the same
//! line on TCP: every knob there is, and somebody else on the module.

use crate::schemas::{agree, validator};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

/// A process of ours, ended with the test.
struct Ours(Child);

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Line {
    config: PathBuf,
    daemon: Ours,
    simulator: Ours,
    knobs: BufReader<TcpStream>,
}

fn configuration(serial: bool) -> String {
    let mut text = include_str!("../data/line.toml").to_string();
    let ports = ["17000", "19004", "19006", "19100", "19005", "15020"];
    let free: Vec<TcpListener> = ports.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let module = "profile = \"modbus-io\"\naddress = \"tcp://127.0.0.1:15020\"";
    assert!(text.contains(module));
    for (port, l) in ports.iter().zip(&free).filter(|(port, _)| !serial || **port != "15020") {
        text = text.replace(port, &l.local_addr().unwrap().port().to_string());
    }
    text = text.replace(module, "profile = \"modbus-rtu-io\"\naddress = \"serial://io1.tty?baud=115200\"\nsettings = { unit = 9 }");
    text = text.replace("confirm = \"io1:in.4\" }", "confirm = \"io1:in.4\", stuck_ms = 400 }");
    text + r#"
[stack_light]
red = "io1:out.10"
yellow = "io1:out.11"
green = "io1:out.12"
horn = "io1:out.13"
"#
}

fn start(dir: &Path, args: &[&str]) -> (Ours, Value) {
    let log = std::fs::File::create(dir.join(format!("{}.log", args[0]))).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_packmark"));
    let mut child = command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().expect("a line").unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    (Ours(child), serde_json::from_str(&first).unwrap())
}

impl Line {
    fn start(dir: &Path, serial: bool) -> Self {
        let config = dir.join("line.toml");
        std::fs::write(&config, configuration(serial)).unwrap();
        for (name, n) in [("bottle", 20_000), ("box", 4_000)] {
            let codes: String = (0..n).map(|i| format!("https://q.example/{name}/{i:07x}\n")).collect();
            std::fs::write(dir.join(format!("{name}.txt")), codes).unwrap();
        }
        let c = config.to_str().unwrap();
        let args = ["simulate", "--config", c, "--truth", "truth.ndjson", "--rate", "240", "--preprinted", "box=box.txt"];
        let (simulator, ready) = start(dir, &[&args[..], &["--control", "127.0.0.1:0"]].concat());
        agree(&validator("simulate", Some("ready")), &ready);
        let knobs = TcpStream::connect(ready["control"].as_str().expect("an address")).unwrap();
        knobs.set_read_timeout(Some(LIMIT)).unwrap();
        let (daemon, ready) = start(dir, &["run", "--config", c]);
        assert_eq!(ready["ready"], true);
        let line = Self { config, daemon, simulator, knobs: BufReader::new(knobs) };
        for level in ["bottle", "box"] {
            line.ok(&["pack", "import", &format!("{level}.txt"), "--level", level, "--product", "P1"]);
        }
        line.ok(&["job", "create", "--id", "J1", "--product", "P1", "--lot", "A"]);
        line.until("the job starts", |l| l.call(&["job", "start", "J1"]).0 == 0);
        line
    }

    fn call(&self, args: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_packmark"));
        let out = command.args(args).arg("--config").arg(&self.config).arg("--json").current_dir(self.config.parent().unwrap()).output();
        let out = out.unwrap();
        (out.status.code().unwrap_or(-1), String::from_utf8_lossy(&out.stdout).into_owned())
    }

    fn ok(&self, args: &[&str]) -> Value {
        let (code, text) = self.call(args);
        assert_eq!(code, 0, "{args:?}: {text}");
        serde_json::from_str(text.lines().next().unwrap_or("{}")).unwrap()
    }

    fn status(&self) -> Value {
        self.ok(&["status"])
    }

    fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + LIMIT;
        while !done(self) {
            assert!(Instant::now() < end, "{what}: not within {LIMIT:?}; {}", self.call(&["status"]).1);
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    fn knob(&mut self, request: Value) -> Value {
        agree(&validator("simulate", Some("request")), &request);
        self.say(&format!("{request}\n"))
    }

    fn say(&mut self, text: &str) -> Value {
        self.knobs.get_mut().write_all(text.as_bytes()).unwrap();
        let mut line = String::new();
        self.knobs.read_line(&mut line).unwrap();
        let answer = serde_json::from_str(&line).unwrap();
        agree(&validator("simulate", Some("reply")), &answer);
        answer
    }

    fn verified(&self) -> u64 {
        self.status()["counts"]["verified"].as_u64().unwrap_or(0)
    }

    /// So many alarms of this name that were raised.
    fn raised(&self, name: &str) -> usize {
        let (_, journal) = self.call(&["journal"]);
        let of = |v: &Value| v["k"] == "alarm" && v["on"] == true && v["name"].as_str().is_some_and(|n| n.starts_with(name));
        journal.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok()).filter(of).count()
    }

    fn executes(&self) -> bool {
        self.status()["state"]["name"] == "execute"
    }

    /// The job is completed, both stop, and the books are judged.
    fn judged(self, dir: &Path) -> Value {
        self.until("the job completes", |l| l.call(&["job", "complete", "J1", "--open", "void"]).0 == 0);
        let Line { config, daemon, simulator, .. } = self;
        stop(daemon);
        stop(simulator);
        let mut command = Command::new(env!("CARGO_BIN_EXE_packmark"));
        let out = command.args(["audit", "--json", "--truth", "truth.ndjson", "--config"]).arg(config).current_dir(dir).output().unwrap();
        serde_json::from_slice(&out.stdout).unwrap()
    }
}

fn stop(mut ours: Ours) {
    let pid = rustix::process::Pid::from_raw(ours.0.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let until = Instant::now() + LIMIT;
    while ours.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it does not end");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn a_jam_a_silence_and_a_power_cycle_of_a_module_on_a_serial_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut line = Line::start(dir.path(), true);
    line.until("bottles pass", |l| l.verified() > 8);

    let devices = line.knob(json!({"id": 1, "op": "devices"}));
    let io = devices["devices"].as_array().unwrap().iter().find(|d| d["id"] == "io1").expect("the module");
    let named = |k: &str| io["knobs"].as_array().unwrap().iter().any(|x| x["knob"] == k);
    assert!(["silent", "power-cycle", "late", "jam", "stuck"].into_iter().all(named) && !named("nak-next"), "{io}");
    assert_eq!(line.say("{\"id\":2,\n")["error"]["code"], "bad-request");
    assert_eq!(line.knob(json!({"id": 3, "op": "turn", "device": "io9", "knob": "jam"}))["error"]["code"], "unknown-device");
    assert_eq!(line.knob(json!({"id": 4, "op": "turn", "device": "cam1", "knob": "jam"}))["error"]["code"], "unknown-knob");
    let e = line.ok(&["status"]);
    assert_eq!(e["state"]["name"], "execute");
    assert_eq!(line.call(&["station", "retract", "bottle-check"]).0, 1, "not while it runs");

    let jam = json!({"id": "j", "op": "turn", "device": "io1", "station": "bottle-check", "knob": "jam", "ms": 600_000});
    assert_eq!(line.knob(jam)["id"], "j");
    line.until("the line is held and the gate taken back", |l| l.raised("gate-retracted:bottle-check") == 1);
    assert_eq!(line.raised("gate-stuck:bottle-check"), 1);
    assert!(line.raised("horn") >= 1, "it is heard");
    line.until("the operator took out what lay there", Line::executes);
    let before = line.verified();
    line.until("bottles pass again", |l| l.verified() > before + 8);

    for (knob, ms) in [("silent", 700), ("power-cycle", 400), ("late", 600)] {
        assert_eq!(line.knob(json!({"op": "turn", "device": "io1", "knob": knob, "ms": ms}))["ok"], true);
        let before = line.verified();
        line.until(knob, |l| l.verified() > before + 5 && l.executes());
    }
    let held = line.ok(&["job", "hold", "J1"]);
    assert_eq!(held["ok"], true);
    line.until("the belt stands", |l| l.call(&["station", "retract", "box-pack"]).0 == 0);
    assert!(line.status()["alarms"].as_array().unwrap().iter().any(|a| a["name"] == "gate-retracted:box-pack"));
    line.ok(&["horn", "off"]);
    line.ok(&["job", "resume", "J1"]);
    line.until("it goes on", |l| l.executes() && !l.status()["alarms"].to_string().contains("gate-retracted"));
    let verdict = line.judged(dir.path());
    assert_eq!(verdict["balance"], json!({"codes": 0, "passages": 0}), "{verdict}");
    assert_eq!(verdict["violations"], json!([]), "{verdict}");
}

/// Each knob of each device, one after the other: the line comes back, and nothing is wrong in its book.
#[test]
fn every_knob_of_every_device_is_turned_and_the_line_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut line = Line::start(dir.path(), false);
    line.until("bottles pass", |l| l.verified() > 8);
    let devices = line.knob(json!({"op": "devices"}))["devices"].clone();
    let mut turned = std::collections::BTreeSet::new();
    for d in devices.as_array().unwrap() {
        for k in d["knobs"].as_array().unwrap() {
            let ms = k["ms"].as_u64().unwrap().min(400);
            let answer = line.knob(json!({"op": "turn", "device": d["id"], "knob": k["knob"], "ms": ms}));
            assert_eq!(answer["ok"], true, "{answer}");
            turned.insert(k["knob"].as_str().unwrap().to_string());
            std::thread::park_timeout(Duration::from_millis(ms));
        }
        let before = line.verified();
        line.until("bottles pass again", |l| l.verified() > before + 2 && l.executes());
    }
    let all = ["silent", "nak-next", "power-cycle", "drop-buffer", "glue", "split", "duplicate", "starve", "jam"];
    assert!(all.iter().all(|k| turned.contains(*k)), "{turned:?}");
    let verdict = line.judged(dir.path());
    assert_eq!(verdict["balance"]["codes"], 0, "{verdict}");
    assert_eq!(verdict["violations"], json!([]), "{verdict}");
}

/// A second program on the module takes the run permit away: it is told and holds the line; when it has gone, all goes on.
#[test]
fn somebody_else_on_the_module_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let line = Line::start(dir.path(), false);
    line.until("bottles pass", |l| l.verified() > 8);
    let text = std::fs::read_to_string(&line.config).unwrap();
    let port = text.split("profile = \"modbus-io\"").nth(1).and_then(|t| t.split('"').nth(1)).and_then(|a| a.rsplit(':').next());
    let mut other = TcpStream::connect(("127.0.0.1", port.and_then(|p| p.parse().ok()).expect("a port"))).unwrap();
    // Reading is nobody's business.
    other.write_all(&[0, 1, 0, 0, 0, 6, 1, 1, 0, 8, 0, 1]).unwrap();
    let before = line.verified();
    line.until("a guest that reads is let be", |l| l.verified() > before + 5);
    assert_eq!(line.raised("io-overwritten"), 0);
    other.write_all(&[0, 2, 0, 0, 0, 6, 1, 5, 0, 8, 0, 0]).unwrap();
    line.until("it is told", |l| l.raised("io-overwritten:io1") == 1);
    drop(other);
    let before = line.verified();
    line.until("bottles pass again", |l| l.verified() > before + 5 && l.executes());
    assert_eq!(line.raised("io-overwritten"), 1);
}
