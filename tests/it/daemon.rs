//! The real daemon as a process: coming up, both sockets, imports, keys over a restart, refusals, the two ways to end.
//! No device of the configuration is reachable here; what a line does with devices is tested elsewhere.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest that anything here may take.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A folder with a configuration whose devices nobody plays.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self::of(include_str!("../data/line.toml"))
    }

    /// With the example line, or a part of it.
    pub fn of(text: &str) -> Self {
        let place = Self { dir: TempDir::new().unwrap() };
        let mut text = text.to_string();
        let ports = ["17000", "19004", "19006", "19100", "19005", "15020"];
        // Bound all at once, so that they differ; then free again: a connection to them is refused.
        let free: Vec<TcpListener> = ports.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        for (port, l) in ports.iter().zip(&free) {
            text = text.replace(port, &l.local_addr().unwrap().port().to_string());
        }
        std::fs::write(place.path("line.toml"), text).unwrap();
        place
    }

    /// A line without an I/O module: its boots are in the book as soon as they are up.
    pub fn bare() -> Self {
        let place = Self { dir: TempDir::new().unwrap() };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            r#"
            [line]
            id = "L2"
            name = "bench"
            store = "store"
            [[product]]
            id = "P1"
            name = "soy sauce"
            [[level]]
            name = "bottle"
            codes = "preprinted"
            [[device]]
            id = "hand1"
            profile = "line-reader"
            address = "tcp://127.0.0.1:{port}"
            [[station]]
            id = "look"
            role = "verify"
            level = "bottle"
            device = "hand1"
            "#
        );
        place.write("line.toml", &text);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn command(&self, extra: &[&str]) -> Command {
        let mut c = Command::new(env!("CARGO_BIN_EXE_packmark"));
        c.arg("run").arg("--config").arg(self.path("line.toml")).args(extra);
        c.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        c
    }

    pub fn start(&self) -> Daemon {
        self.start_with(&[])
    }

    fn start_with(&self, extra: &[&str]) -> Daemon {
        let mut child = self.command(extra).spawn().unwrap();
        let (tell, told) = mpsc::sync_channel(1);
        let out = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut line = String::new();
            let mut out = BufReader::new(out);
            let _ = out.read_line(&mut line);
            let _ = tell.send(line);
            // Whatever else comes on stdout would be a fault: handed over at the end.
            let mut rest = String::new();
            let _ = out.read_to_string(&mut rest);
            rest
        });
        let mut err = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = err.read_to_string(&mut text);
            text
        });
        let line = told.recv_timeout(LIMIT).unwrap_or_default();
        let ready = serde_json::from_str(&line).unwrap_or(Value::Null);
        Daemon { child, ready, log: Some(log) }
    }

    /// Runs it to its end, which must come by itself: exit code and stderr.
    pub fn refused(&self, extra: &[&str]) -> (i32, String) {
        let mut d = self.start_with(extra);
        assert_eq!(d.ready, Value::Null, "it must not come up");
        let status = d.wait();
        (status.code().unwrap_or(-1), d.log())
    }
}

pub struct Daemon {
    child: Child,
    pub ready: Value,
    log: Option<std::thread::JoinHandle<String>>,
}

impl Daemon {
    pub fn talk(&self) -> Talk<UnixStream> {
        let path = self.ready["socket"].as_str().unwrap_or_else(|| panic!("not ready: {}", self.ready));
        let s = UnixStream::connect(path).unwrap();
        s.set_read_timeout(Some(LIMIT)).unwrap();
        Talk::new(s.try_clone().unwrap(), s)
    }

    fn listen(&self) -> Talk<TcpStream> {
        let s = TcpStream::connect(self.ready["status_tcp"].as_str().unwrap()).unwrap();
        s.set_read_timeout(Some(LIMIT)).unwrap();
        Talk::new(s.try_clone().unwrap(), s)
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(s) = self.child.try_wait().unwrap() {
                return s;
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// SIGTERM, and how it ended.
    pub fn stop(mut self) -> (Option<i32>, String) {
        self.signal(rustix::process::Signal::TERM);
        let status = self.wait();
        (status.code(), self.log())
    }

    pub fn kill(mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.wait();
    }

    fn log(&mut self) -> String {
        self.log.take().map(|l| l.join().unwrap()).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection, a line at a time.
pub struct Talk<S> {
    reader: BufReader<S>,
    writer: S,
    hello: Value,
}

impl<S: Read + Write> Talk<S> {
    fn new(read: S, write: S) -> Self {
        let mut t = Self { reader: BufReader::new(read), writer: write, hello: Value::Null };
        t.hello = t.line();
        t
    }

    fn line(&mut self) -> Value {
        let mut text = String::new();
        self.reader.read_line(&mut text).expect("an answer in time");
        let line = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"));
        crate::schemas::on_the_socket(&line);
        line
    }

    fn say(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap();
    }

    /// The answer to one request; events and beats in between are passed over.
    pub fn ask(&mut self, request: Value) -> Value {
        self.say(format!("{request}\n").as_bytes());
        loop {
            let v = self.line();
            if v.get("id") == request.get("id") {
                return v;
            }
        }
    }

    /// The next event of a kind.
    pub fn event(&mut self, kind: &str) -> Value {
        let until = Instant::now() + LIMIT;
        loop {
            let v = self.line();
            if v["type"] == "event" && v["k"] == kind {
                return v;
            }
            assert!(Instant::now() < until, "no event {kind}");
        }
    }
}

pub fn codes(prefix: &str, n: u32) -> String {
    (0..n).map(|i| format!("https://t.example/{prefix}{i:06}\n")).collect()
}

fn error(v: &Value) -> (&str, &str) {
    assert_eq!(v["ok"], false, "{v}");
    assert!(!v["error"]["do"].as_str().unwrap().is_empty(), "{v}");
    (v["error"]["code"].as_str().unwrap(), v["error"]["message"].as_str().unwrap())
}

#[test]
fn both_sockets_answer_and_a_bad_request_fails_only_its_own_line() {
    let place = Place::new();
    let d = place.start();
    assert_eq!((&d.ready["ready"], &d.ready["line"]), (&json!(true), &json!("L1")));
    let mut unix = d.talk();
    assert_eq!(unix.hello["type"], "hello");
    assert_eq!((&unix.hello["proto"], &unix.hello["boot"]), (&json!({"major": 1, "minor": 0}), &d.ready["boot"]));
    assert_eq!(unix.ask(json!({"id": 1, "op": "ping"})), json!({"id": 1, "ok": true}));
    let status = unix.ask(json!({"id": "s", "op": "status"}));
    assert_eq!(status["state"], json!({"packml": 4, "name": "idle"}));
    assert_eq!(status["devices"].as_array().unwrap().len(), 7);
    assert!(status["devices"].as_array().unwrap().iter().all(|d| d["link"] == "down"));
    assert!(status["disk_free"].as_u64().unwrap() > 0);
    assert_eq!(status["pool"].as_array().unwrap().len(), 4);
    assert_eq!(status["counts"], json!({"passages": 0, "verified": 0, "packed": 0, "rejected": {}, "escaped": 0, "doubtful": 0}));

    for (bad, code) in [("nonsense\n", "bad-request"), ("{\"id\":7,\"op\":\"fly\"}\n", "unknown-op"), ("[]\n", "bad-request")] {
        unix.say(bad.as_bytes());
        assert_eq!(error(&unix.line()).0, code);
    }
    let mut long = vec![b'x'; 70 * 1024];
    long.push(b'\n');
    unix.say(&long);
    assert_eq!(error(&unix.line()).0, "too-long");
    assert_eq!(unix.ask(json!({"id": 2, "op": "ping"}))["ok"], true);

    let mut tcp = d.listen();
    assert_eq!(tcp.ask(json!({"id": 1, "op": "ping"}))["ok"], true);
    assert_eq!(tcp.ask(json!({"id": 2, "op": "status"}))["state"]["name"], "idle");
    let refused = tcp.ask(json!({"id": 3, "op": "job.start", "job": "J1"}));
    assert_eq!(error(&refused).0, "read-only");
    let (code, log) = d.stop();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_pack_is_imported_beside_the_running_line_and_watchers_see_it() {
    let place = Place::new();
    let (bottles, boxes) = (place.write("bottles.txt", &codes("B", 500)), place.write("boxes.txt", &codes("X", 90)));
    let d = place.start();
    let (mut watcher, mut reader, mut unix) = (d.talk(), d.listen(), d.talk());
    let watch = watcher.ask(json!({"id": 1, "op": "watch"}));
    assert_eq!((&watch["ok"], &watch["boot"]), (&json!(true), &d.ready["boot"]));
    assert_eq!(reader.ask(json!({"id": 1, "op": "watch"}))["ok"], true);
    let import = json!({
        "id": 1, "op": "pack.import", "path": bottles, "level": "bottle", "product": "P1", "purpose": "溯源", "key": "first"
    });
    let done = unix.ask(import.clone());
    assert_eq!((&done["ok"], &done["count"]), (&json!(true), &json!(500)), "{done}");
    assert_eq!(done["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(unix.ask(import), done, "a repeated key gets the first answer");
    let event = watcher.event("pack");
    assert_eq!(event["pack"], done["pack"]);
    let purpose = watcher.event("purpose");
    assert_eq!((&purpose["pack"], &purpose["purpose"]), (&done["pack"], &json!("溯源")));
    assert!(event["seq"].as_u64().unwrap() > watch["seq"].as_u64().unwrap());
    assert_eq!(reader.event("pack")["pack"], done["pack"]);

    let status = unix.ask(json!({"id": 2, "op": "status"}));
    assert_eq!(status["pool"][0], json!({"level": "bottle", "codes": 500}));

    let ask = |unix: &mut Talk<UnixStream>, path: &Path, level: &str, product: &str, pack: &str| {
        unix.ask(json!({"id": 9, "op": "pack.import", "path": path, "level": level, "product": product, "pack": pack}))
    };
    let r = ask(&mut unix, &boxes, "crate", "P1", "b1");
    assert!(error(&r).0 == "unknown-level" && r["error"]["do"].as_str().unwrap().contains("bottle"), "{r}");
    let r = ask(&mut unix, &boxes, "box", "P9", "b1");
    assert!(error(&r).0 == "unknown-product" && r["error"]["do"].as_str().unwrap().contains("P1"), "{r}");
    let r = ask(&mut unix, &bottles, "bottle", "P1", "again");
    assert!(error(&r).1.contains("already"), "{r}");
    let r = ask(&mut unix, &place.path("absent.txt"), "box", "P1", "b1");
    assert!(error(&r).1.contains("absent.txt"), "{r}");
    assert_eq!(ask(&mut unix, &boxes, "box", "P1", "b1")["pack"], "b1");
    let r = ask(&mut unix, &boxes, "box", "P1", "b1");
    assert!(error(&r).1.contains("b1"), "{r}");
    let (code, log) = d.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("t.example"), "no code stands in the log: {log}");
}

#[test]
fn two_imports_that_wait_get_numbers_of_their_own() {
    let place = Place::new();
    let files: Vec<PathBuf> = (0..4).map(|i| place.write(&format!("f{i}.txt"), &codes(&format!("F{i}-"), 300))).collect();
    let d = place.start();
    let mut unix = d.talk();
    for (i, f) in files.iter().enumerate() {
        unix.say(format!("{}\n", json!({"id": i, "op": "pack.import", "path": f, "level": "bottle", "product": "P1"})).as_bytes());
    }
    let answers: Vec<Value> = files.iter().map(|_| unix.line()).collect();
    let ids: std::collections::BTreeSet<&str> = answers.iter().map(|a| a["pack"].as_str().unwrap_or_else(|| panic!("{a}"))).collect();
    assert_eq!(ids.len(), 4, "{answers:?}");
    assert_eq!(unix.ask(json!({"id": 9, "op": "status"}))["pool"][0]["codes"], 1200);
}

#[test]
fn a_keyed_request_gets_its_first_answer_after_a_restart_too() {
    let place = Place::new();
    let create = json!({"id": 1, "op": "job.create", "job": "J1", "product": "P1", "lot": "A", "key": "k1"});
    let d = place.start();
    let mut unix = d.talk();
    let first = unix.ask(create.clone());
    assert_eq!(first["ok"], true, "{first}");
    assert_eq!(unix.ask(create.clone()), first);
    let r = unix.ask(json!({"id": 2, "op": "job.create", "job": "J1", "product": "P1", "lot": "A", "key": "k2"}));
    assert_eq!(error(&r).0, "job-exists");
    drop(unix);
    assert_eq!(d.stop().0, Some(0));
    let d = place.start();
    let mut unix = d.talk();
    assert_eq!(unix.ask(create), first, "also after a restart");

    // One sentence per missing thing: seven devices, and codes for the two levels that need packs.
    let r = unix.ask(json!({"id": 3, "op": "job.start", "job": "J1"}));
    let (code, message) = error(&r);
    assert_eq!(code, "not-ready");
    for named in ["ijp1", "cam1", "cam2", "zpl1", "cam3", "hand1", "io1", "no bottle codes", "no box codes"] {
        assert_eq!(message.lines().filter(|l| l.contains(named)).count(), 1, "{named}: {message}");
    }
    assert_eq!(unix.ask(json!({"id": 4, "op": "status"}))["state"]["name"], "idle");
}

#[test]
fn it_ends_in_order_and_leaves_no_socket() {
    let place = Place::new();
    let mut d = place.start();
    let socket = PathBuf::from(d.ready["socket"].as_str().unwrap());
    assert_eq!(socket, place.path("packmark.sock"));
    let begun = Instant::now();
    d.signal(rustix::process::Signal::INT);
    assert_eq!(d.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(!socket.exists());
}

#[test]
fn a_second_daemon_on_the_same_store_is_refused() {
    let place = Place::new();
    let d = place.start();
    let (code, err) = place.refused(&["--socket", place.path("other.sock").to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(err.contains(&d.child.id().to_string()), "it names the holder: {err}");
    assert_eq!(d.talk().ask(json!({"id": 1, "op": "ping"}))["ok"], true, "the first runs on");
}

#[test]
fn after_a_kill_it_comes_up_again_and_the_book_says_how_each_boot_began() {
    let place = Place::bare();
    let create = json!({"id": 1, "op": "job.create", "job": "J1", "product": "P1", "lot": "A", "key": "k"});
    let mut seen = Vec::new();
    for end in ["kill", "stop", "stop"] {
        let d = place.start();
        let mut unix = d.talk();
        let answer = unix.ask(create.clone());
        assert_eq!(answer, json!({"id": 1, "ok": true, "job": "J1"}), "what was acknowledged is there");
        let last = seen.last().map_or(0, |v: &Value| v["seq"].as_u64().unwrap());
        unix.ask(json!({"id": 2, "op": "watch", "since": {"boot": "another", "seq": last}}));
        let restart = unix.event("restart");
        assert_eq!(restart["boot"], d.ready["boot"]);
        seen.push(restart);
        if end == "kill" {
            let socket = place.path("packmark.sock");
            d.kill();
            assert!(socket.exists(), "a killed daemon leaves its socket, and the next one takes it over");
        } else {
            assert_eq!(d.stop().0, Some(0));
        }
    }
    let clean: Vec<&Value> = seen.iter().map(|v| &v["clean"]).collect();
    assert_eq!(clean, [true, false, true], "the first boot of a store, the one after the kill, the one after an orderly end");
}

#[test]
fn a_socket_may_have_a_long_path() {
    let place = Place::new();
    let folder = place.path(&"deep".repeat(40));
    std::fs::create_dir(&folder).unwrap();
    let socket = folder.join("packmark.sock");
    assert!(socket.as_os_str().len() > 150);
    let d = place.start_with(&["--socket", socket.to_str().unwrap()]);
    assert_eq!(d.ready["socket"], socket.to_str().unwrap());
    let mut client = packmark::control::client::Client::connect(&socket, LIMIT).unwrap();
    client.request("ping", serde_json::Map::new(), None).unwrap();
    assert_eq!(d.stop().0, Some(0));
    assert!(!socket.exists());
}

#[test]
fn wrong_words_and_wrong_configurations_are_refused_before_anything_is_touched() {
    let place = Place::new();
    for hooks in ["commit_stall_ms", "stall=1", "commit_stall_ms=x"] {
        let (code, err) = place.refused(&["--test-hooks", hooks]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains("commit_stall_ms"), "it names what is known: {err}");
    }
    let text = std::fs::read_to_string(place.path("line.toml")).unwrap();
    place.write("line.toml", &text.replace("pulse_ms = 60", "pulse_ms = 95").replace("language = \"zh\"", "language = \"fr\""));
    let (code, err) = place.refused(&[]);
    assert_eq!(code, 2);
    assert_eq!(err.lines().filter(|l| l.contains("line.toml:")).count(), 2, "every complaint at once, with its line: {err}");
    assert!(!place.path("store").exists());
}

#[test]
fn hooks_are_refused_where_a_daemon_ever_ran_without_them() {
    let place = Place::new();
    assert_eq!(place.start_with(&["--test-hooks", "commit_stall_ms=1"]).stop().0, Some(0));
    assert_eq!(place.start().stop().0, Some(0));
    let (code, err) = place.refused(&["--test-hooks", "commit_stall_ms=1"]);
    assert_eq!(code, 1);
    assert!(err.contains("test hooks are refused"), "{err}");
}

#[test]
fn a_disk_that_fails_ends_it_with_a_sentence() {
    let place = Place::new();
    let mut d = place.start_with(&["--test-hooks", "commit_fail_after=1"]);
    let mut unix = d.talk();
    unix.say(format!("{}\n", json!({"id": 1, "op": "job.create", "job": "J1", "product": "P1", "lot": "A", "key": "k"})).as_bytes());
    assert_eq!(d.wait().code(), Some(1));
    let log = d.log();
    assert!(log.contains("the disk is full"), "{log}");
    let mut rest = String::new();
    let _ = unix.reader.read_to_string(&mut rest);
    assert!(!rest.contains("\"ok\":true"), "nothing is acknowledged that is not on disk: {rest}");
    // Nothing of it is in the book: the same key is free.
    let d = place.start_with(&["--test-hooks", "commit_stall_ms=0"]);
    assert_eq!(d.talk().ask(json!({"id": 1, "op": "job.create", "job": "J1", "product": "P1", "lot": "B", "key": "k"}))["ok"], true);
}
