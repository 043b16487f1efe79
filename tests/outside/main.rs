//! Our side against programs that are not ours; run by `tests/outside/run.sh`, which says where python is.

mod hitachi;
mod symbols;

mod serialbox;

use packmark::device::{Clock, Device, Driven, Told, spawn};
use packmark::profile::Profiles;
use packmark::vocab::plan::{Address, Parity, Setting};
use packmark::vocab::report::Poll;
use packmark::vocab::{DeviceNo, Order, Report};
use packmark::wire::{Place, Points, converse_at};
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(20);

struct Server {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// One of the scripts beside this file.
    fn of(script: &str) -> Self {
        Self::with(script, &[])
    }

    fn with(script: &str, words: &[&std::path::Path]) -> Self {
        let python = std::env::var("PACKMARK_PYTHON").expect("run tests/outside/run.sh: it sets PACKMARK_PYTHON");
        let script = format!("{}/tests/outside/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut child =
            Command::new(python).arg(script).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
        let says = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, says }
    }

    fn start() -> (Self, u16) {
        let mut server = Self::of("modbus.py");
        let port = server.next().strip_prefix("port ").and_then(|p| p.parse().ok()).expect("port N");
        (server, port)
    }

    fn next(&mut self) -> String {
        self.says.next().expect("the server lives").expect("text")
    }

    /// Everything it still says once its stdin has ended.
    fn end(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        let rest = self.says.map(|l| l.expect("text")).collect();
        assert!(self.child.wait().expect("it ends").success());
        rest
    }
}

fn drive(port: u16, settings: &[(&str, i64)], points: Points) -> (Driven, mpsc::Receiver<Told>) {
    let address = Address::Tcp { host: "127.0.0.1".into(), port };
    drive_at("modbus-io", address, settings, Place { points, ..Place::default() })
}

fn drive_at(profile: &str, address: Address, settings: &[(&str, i64)], place: Place) -> (Driven, mpsc::Receiver<Told>) {
    let given = settings.iter().map(|(k, v)| (k.to_string(), Setting::Number(*v))).collect();
    let bound = Profiles::load(None).unwrap().bind(profile, &given).unwrap();
    let (reports, told) = mpsc::channel(64);
    let began = Instant::now();
    let clock: Clock = Arc::new(move || began.elapsed().as_micros() as u64);
    let conversation = converse_at(&bound, place);
    (
        spawn(Device {
            no: DeviceNo(1),
            address,
            aside: None,
            per_command: bound.connects_per_command(),
            allow: Vec::new(),
            folder: ".".into(),
            conversation,
            clock,
            reports,
        }),
        told,
    )
}

async fn next(told: &mut mpsc::Receiver<Told>) -> Report {
    tokio::time::timeout(LIMIT, told.recv()).await.expect("a report in time").expect("the driver lives").report
}

async fn poll(told: &mut mpsc::Receiver<Told>) -> Poll {
    match next(told).await {
        Report::Polled(p) => p,
        other => panic!("expected a poll, got {other:?}"),
    }
}

#[tokio::test]
async fn our_modbus_client_and_pymodbus_understand_each_other() {
    let (server, port) = Server::start();
    let points = Points { inputs: vec![1, 2, 4, 9], counters: vec![1, 7] };
    let (driven, mut told) = drive(port, &[("safe_state_base", 40), ("safe_clear_base", 48)], points);
    assert_eq!(next(&mut told).await, Report::Up { identity: None });
    let first = poll(&mut told).await;
    assert_eq!(first.inputs, [(1, true), (2, false), (4, true), (9, true)]);
    assert_eq!(first.counters, [(1, 65_536 + 8), (7, 7 * 65_536 + 14)]);
    assert!(first.safe, "it says that its outputs were dropped");
    let second = poll(&mut told).await;
    assert!(!second.safe, "and was told to go on");
    let mut last_us = second.at_us;
    for (number, on) in [(3, true), (0, true), (3, false), (15, true)] {
        driven.orders.send(Order::Output { number, on }).await.unwrap();
    }
    // A hundred polls: about a second at 5 ms.
    for _ in 0..100 {
        let p = poll(&mut told).await;
        assert!(p.at_us > last_us && p.at_us - last_us < 250_000);
        last_us = p.at_us;
    }
    drop(driven.orders);
    while told.recv().await.is_some() {}
    driven.task.await.unwrap();
    let writes = server.end();
    assert_eq!(writes, ["write 48 1", "write 3 1", "write 0 1", "write 3 0", "write 15 1"]);
}

#[tokio::test]
async fn an_address_that_pymodbus_does_not_have_is_said_plainly() {
    let (server, port) = Server::start();
    let (driven, mut told) = drive(port, &[], Points { inputs: vec![900], counters: vec![] });
    match next(&mut told).await {
        Report::Down { why } => assert_eq!(why, "exception 02 (no such address) to function 02 at address 900"),
        other => panic!("expected down, got {other:?}"),
    }
    drop(driven.orders);
    while told.recv().await.is_some() {}
    assert!(server.end().is_empty());
}

/// Two terminals joined by socat; removed with it.
struct Cable {
    socat: Child,
    dir: tempfile::TempDir,
}

impl Cable {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let end = |name: &str| format!("pty,raw,echo=0,link={}", dir.path().join(name).display());
        let socat = Command::new("socat").args([end("ours"), end("theirs")]).spawn().expect("socat starts");
        let cable = Self { socat, dir };
        let until = Instant::now() + LIMIT;
        while !(cable.end("ours").exists() && cable.end("theirs").exists()) {
            assert!(Instant::now() < until, "socat makes no terminals");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        cable
    }

    fn end(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = self.socat.kill();
        let _ = self.socat.wait();
    }
}

#[tokio::test]
async fn our_rtu_client_and_pymodbus_understand_each_other_on_a_serial_line() {
    let cable = Cable::new();
    let mut server = Server::with("modbus.py", &[&cable.end("theirs")]);
    assert_eq!(server.next(), "port 0");
    let points = Points { inputs: vec![1, 2, 4, 9], counters: vec![1, 7] };
    let path = cable.end("ours").to_string_lossy().into_owned();
    let address = Address::Serial { path, baud: 19_200, parity: Parity::None };
    let place = Place { serial: true, baud: 19_200, points };
    let settings = [("unit", 9), ("safe_state_base", 40), ("safe_clear_base", 48)];
    let (driven, mut told) = drive_at("modbus-rtu-io", address, &settings, place);
    assert_eq!(next(&mut told).await, Report::Up { identity: None });
    let first = poll(&mut told).await;
    assert_eq!(first.inputs, [(1, true), (2, false), (4, true), (9, true)]);
    assert_eq!(first.counters, [(1, 65_536 + 8), (7, 7 * 65_536 + 14)]);
    assert!(first.safe, "it says that its outputs were dropped");
    assert!(!poll(&mut told).await.safe, "and was told to go on");
    for (number, on) in [(3, true), (0, true), (3, false), (15, true)] {
        driven.orders.send(Order::Output { number, on }).await.unwrap();
    }
    for _ in 0..30 {
        poll(&mut told).await;
    }
    drop(driven.orders);
    while told.recv().await.is_some() {}
    driven.task.await.unwrap();
    assert_eq!(server.end(), ["write 48 1", "write 3 1", "write 0 1", "write 3 0", "write 15 1"]);
}

#[tokio::test]
async fn what_pymodbus_refuses_on_a_serial_line_is_said_plainly() {
    let cable = Cable::new();
    let mut server = Server::with("modbus.py", &[&cable.end("theirs")]);
    assert_eq!(server.next(), "port 0");
    for (unit, input, words) in [
        (9, 900, "exception 02 (no such address) to function 02 at address 900"),
        (8, 1, "exception 04 (device failure) to function 02 at address 1"),
    ] {
        let path = cable.end("ours").to_string_lossy().into_owned();
        let address = Address::Serial { path, baud: 19_200, parity: Parity::None };
        let place = Place { serial: true, baud: 19_200, points: Points { inputs: vec![input], counters: vec![] } };
        let (driven, mut told) = drive_at("modbus-rtu-io", address, &[("unit", unit)], place);
        match next(&mut told).await {
            Report::Down { why } => assert_eq!(why, words),
            other => panic!("expected down, got {other:?}"),
        }
        drop(driven.orders);
        while told.recv().await.is_some() {}
        driven.task.await.unwrap();
    }
    server.end();
}
