//! The real daemon with a handheld that waits for its answer, played here from its documents: good only for a code that is on
//! disk, bad for one seen before; a reader that drops GS raises its alarm, and `check` warns of it before.

use packmark::control::client::Client;
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

struct Daemon {
    child: Child,
    socket: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn run(config: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_packmark"));
        command.arg("run").arg("--config").arg(config).env("PACKMARK_LOG", "error");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let _ = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line);
        let ready: Value = serde_json::from_str(&line).unwrap_or_default();
        Self { child, socket: ready["socket"].as_str().unwrap_or_default().into() }
    }

    fn ask(&self, op: &str, fields: Value) -> Map<String, Value> {
        let Value::Object(fields) = fields else { unreachable!("an object") };
        let mut client = Client::connect(&self.socket, LIMIT).expect("the daemon came up");
        client.request(op, fields, None).unwrap_or_else(|e| panic!("{op}: {e}"))
    }

    fn until(&self, what: &str, done: impl Fn(&Map<String, Value>) -> bool) {
        let until = Instant::now() + LIMIT;
        loop {
            let status = self.ask("status", json!({}));
            if done(&status) {
                return;
            }
            assert!(Instant::now() < until, "{what} did not come to be: {status:?}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

fn configuration(port: u16, profile: &str, more: &str) -> String {
    format!(
        r#"
        [line]
        id = "H1"
        name = "hand"
        store = "store"
        [[product]]
        id = "P1"
        name = "soy sauce"
        [[level]]
        name = "bottle"
        codes = "preprinted"
        [[device]]
        id = "hand1"
        profile = "{profile}"
        address = "tcp://127.0.0.1:{port}"
        {more}
        [[station]]
        id = "look"
        role = "verify"
        level = "bottle"
        device = "hand1"
        "#
    )
}

fn code(n: u32) -> String {
    format!("010690123456789221A{n:04}\u{1d}93xy{n:02}")
}

/// Scans, and answers what the scanner is told.
fn scan(hand: &mut TcpStream, code: &str) -> [u8; 3] {
    hand.write_all(format!("{code}\r\n").as_bytes()).unwrap();
    let mut word = [0; 3];
    hand.read_exact(&mut word).expect("an answer within the limit");
    word
}

#[test]
fn a_handheld_hears_the_verdict_and_a_lost_gs_raises_its_alarm() {
    const GOOD: &[u8; 3] = b"\x1b7,";
    const BAD: &[u8; 3] = b"\x1b8,";
    let dir = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = dir.path().join("line.toml");
    std::fs::write(&config, configuration(listener.local_addr().unwrap().port(), "honeywell-handheld", "")).unwrap();
    let codes = dir.path().join("codes.txt");
    std::fs::write(&codes, (0..20).map(|n| code(n) + "\n").collect::<String>()).unwrap();
    let daemon = Daemon::run(&config);
    let (mut hand, _) = listener.accept().unwrap();
    hand.set_read_timeout(Some(LIMIT)).unwrap();
    daemon.ask("pack.import", json!({"path": codes, "level": "bottle", "product": "P1"}));
    daemon.ask("job.create", json!({"job": "J1", "product": "P1", "lot": "A"}));
    daemon.until("its link", |s| s["devices"][0]["link"] == "up");
    daemon.ask("job.start", json!({"job": "J1"}));
    daemon.until("the running line", |s| s["state"]["name"] == "execute");

    assert_eq!(&scan(&mut hand, &code(0)), GOOD);
    // What was answered good is on disk.
    let verified = Command::new(env!("CARGO_BIN_EXE_packmark")).arg("--config").arg(&config).arg("dump").output().unwrap();
    let verified = String::from_utf8(verified.stdout).unwrap();
    assert!(verified.lines().any(|l| l.contains(r#""state":"verified""#)), "{verified}");
    assert_eq!(&scan(&mut hand, &code(0)), BAD, "seen before");
    assert_eq!(&scan(&mut hand, "nobody's"), BAD, "not ours");
    daemon.until("the word", |s| s["devices"][0]["gs"] == "seen");

    let alarmed = |s: &Map<String, Value>| s["alarms"].as_array().is_some_and(|a| a.iter().any(|a| a["name"] == "gs-missing:hand1"));
    daemon.until("quiet", |s| !alarmed(s));
    for n in 1..4 {
        assert_eq!(&scan(&mut hand, &code(n).replace('\u{1d}', "")), BAD);
    }
    daemon.until("the alarm", alarmed);
    daemon.until("the word", |s| s["devices"][0]["gs"] == "missing");
    assert_eq!(&scan(&mut hand, &code(1)), GOOD);
    daemon.until("its end", |s| !alarmed(s));
}

/// The retail EAN, a badge and a test chart before a camera that sends one code a frame, with and without AIM identifiers.
#[test]
fn what_is_no_code_of_ours_is_passed_over() {
    let own = |n: u32| format!("https://q.example/A/{n:06}");
    for (aim, rules) in [
        (true, "{ symbology = \"E0\" }, { symbology = \"]A\" }, { pattern = \"*TEST CHART*\" }"),
        (false, "{ pattern = \"6901234567892\" }, { pattern = \"BADGE-*\" }, { pattern = \"*TEST CHART*\" }"),
    ] {
        let dir = TempDir::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = dir.path().join("line.toml");
        let text = configuration(listener.local_addr().unwrap().port(), "line-reader", "") + &format!("ignore = [{rules}]\n");
        std::fs::write(&config, text).unwrap();
        let codes = dir.path().join("codes.txt");
        std::fs::write(&codes, (0..20).map(|n| own(n) + "\n").collect::<String>()).unwrap();
        let daemon = Daemon::run(&config);
        let (mut camera, _) = listener.accept().unwrap();
        daemon.ask("pack.import", json!({"path": codes, "level": "bottle", "product": "P1"}));
        daemon.ask("job.create", json!({"job": "J1", "product": "P1", "lot": "A"}));
        daemon.until("its link", |s| s["devices"][0]["link"] == "up");
        daemon.ask("job.start", json!({"job": "J1"}));
        daemon.until("the running line", |s| s["state"]["name"] == "execute");
        let mut see = |identifier: &str, code: &str| {
            let identifier = if aim { identifier } else { "" };
            camera.write_all(format!("{identifier}{code}\r").as_bytes()).unwrap();
        };
        see("]E0", "6901234567892");
        see("]A0", "BADGE-0042");
        see("]d2", "0106901234567892 TEST CHART 4");
        see("]d1", &own(3));
        daemon.until("its own code", |s| s["counts"]["verified"] == 1);
        let quiet = daemon.ask("status", json!({}));
        assert_eq!(quiet["counts"]["rejected"], json!({}), "aim {aim}: {quiet:?}");
        // What nobody named is foreign.
        see("]d1", "https://other.example/1");
        daemon.until("the stranger", |s| s["counts"]["rejected"]["foreign"] == 1);
    }
}

#[test]
fn check_refuses_what_ignores_everything_or_nothing() {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("line.toml");
    let ignore = "ignore = [{ pattern = \"**\" }, { symbology = \"EAN13\" }, { symbology = \"E0\" }]\n";
    std::fs::write(&config, configuration(9, "line-camera", "settings = { aim = \"none\" }") + ignore).unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_packmark")).arg("--config").arg(&config).args(["--json", "check"]).output().unwrap();
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    let whats: Vec<&str> = said["complaints"].as_array().unwrap().iter().filter_map(|c| c["what"].as_str()).collect();
    assert_eq!(out.status.code(), Some(2));
    for part in ["leaves no code", "no AIM identifier", "sends no symbology identifiers"] {
        assert!(whats.iter().any(|w| w.contains(part)), "{part}: {whats:?}");
    }
}

#[test]
fn check_warns_of_separators_and_of_a_reader_that_drops_gs() {
    let dir = TempDir::new().unwrap();
    let check = |profile: &str, more: &str| {
        let config = dir.path().join("line.toml");
        std::fs::write(&config, configuration(9, profile, more)).unwrap();
        let out = Command::new(env!("CARGO_BIN_EXE_packmark")).arg("--config").arg(&config).args(["--json", "check"]).output().unwrap();
        let said: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!((out.status.code(), &said["ok"]), (Some(0), &Value::Bool(true)), "{said}");
        said["warnings"].as_array().unwrap().clone()
    };
    let w = check("keyence-sr", "");
    assert!(w.len() == 1 && w[0]["what"].as_str().unwrap().contains("\",\" between codes") && w[0]["line"] == 13, "{w:?}");
    assert!(w[0]["right"].as_str().unwrap().contains("| # ^ ~"), "{w:?}");
    assert_eq!(check("keyence-sr", "settings = { separator = \"|\" }"), Vec::<Value>::new());
    let w = check("line-camera", "settings = { gs = \"stripped\" }");
    assert!(w.len() == 1 && w[0]["what"].as_str().unwrap().contains("drops GS"), "{w:?}");
}

#[test]
fn check_refuses_a_reader_that_nobody_triggers_and_a_grade_that_nobody_sends() {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("line.toml");
    let more = "settings = { separator = \"|\", trigger = \"command\" }";
    let text = configuration(9, "keyence-sr", more) + "minimum_grade = \"C\"\n";
    std::fs::write(&config, text).unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_packmark")).arg("--config").arg(&config).args(["--json", "check"]).output().unwrap();
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    let whats: Vec<&str> = said["complaints"].as_array().unwrap().iter().filter_map(|c| c["what"].as_str()).collect();
    assert_eq!(out.status.code(), Some(2));
    assert!(whats.len() == 2 && whats[0].contains("nothing says when") && whats[1].contains("no grade"), "{whats:?}");
}
