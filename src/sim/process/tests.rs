//! The stage over loopback and pseudo terminals, with a raw host and a small scene. Real time, bounded by `within`.

use super::*;
use crate::sim::bench::{Bench, Trouble};
use crate::vocab::plan::{Plan, Point, PointKind};
use crate::vocab::time::MS;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixListener};
use tokio::sync::oneshot;

const LINE: &str = include_str!("../../../tests/data/line.toml");

/// A scene that does one thing after another, each as soon as it can be done; every one it did is a line of truth.
#[derive(Default)]
struct Script {
    acts: VecDeque<(&'static str, Act)>,
    lines: Vec<String>,
    heard: Vec<String>,
    says: VecDeque<Value>,
    now_us: u64,
}

type Act = Box<dyn FnMut(&mut Rig, u64) -> bool>;

impl Script {
    fn then(mut self, name: &'static str, act: impl FnMut(&mut Rig, u64) -> bool + 'static) -> Self {
        self.acts.push_back((name, Box::new(act)));
        self
    }
}

impl Scene for Script {
    fn begin(&mut self, wall_us: i64, _now_us: u64) {
        self.lines.push(format!("begin {wall_us}"));
    }
    fn step(&mut self, now_us: u64, bench: &mut Rig) {
        assert!(now_us >= self.now_us, "time goes on");
        self.now_us = now_us;
        while let Some((name, act)) = self.acts.front_mut() {
            if !act(bench, now_us) {
                return;
            }
            self.lines.push((*name).to_string());
            self.acts.pop_front();
        }
    }
    fn next_us(&self) -> u64 {
        self.now_us + 5 * MS
    }
    fn lagged(&mut self, ms: u64, _now_us: u64) {
        self.lines.push(format!("lag {ms}"));
    }
    fn done(&self) -> bool {
        false
    }
    fn fed(&self) -> u64 {
        7
    }
    fn finish(&mut self, _now_us: u64) {
        self.lines.push("end".into());
    }
    fn take_truth(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }
    fn hears(&mut self, line: Option<&Value>) {
        let text = line.map_or("gone".to_string(), Value::to_string);
        self.lines.push(format!("heard {text}"));
        if line.is_some_and(|l| l["type"] == "hello") {
            self.says.push_back(json!({"id": 1, "op": "watch"}));
        }
        self.heard.push(text);
    }
    fn says(&mut self) -> Option<Value> {
        self.says.pop_front()
    }
    fn turn(&mut self, request: &Value, _bench: &mut Rig) -> Result<Value, crate::sim::world::Refusal> {
        match request["knob"].as_str() {
            Some("heard") => Ok(json!({"now_us": self.now_us})),
            _ => Err(("unknown-knob", "no such knob".into(), "use one of: heard".into())),
        }
    }
}

/// The contract's line in a folder, on ports that the machine chooses.
fn line() -> (tempfile::TempDir, Config, Profiles) {
    let dir = tempfile::tempdir().unwrap();
    let profiles = Profiles::load(None).unwrap();
    let bind = |name: &str, s: &_| profiles.bind(name, s).map(|b| b.traits());
    let mut config = Config::parse(&dir.path().join("line.toml"), LINE, &bind).unwrap_or_else(|e| panic!("{e:?}"));
    for d in &mut config.plan.devices {
        if let Address::Tcp { port, .. } = &mut d.address {
            *port = 0;
        }
    }
    (dir, config, profiles)
}

fn no(plan: &Plan, id: &str) -> DeviceNo {
    plan.devices.iter().find(|d| d.id == id).unwrap().no
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("in time")
}

/// Plays `script` while `host` does its part; answers the truth's lines.
async fn play_with<F: Future<Output = ()>>(
    config: &Config,
    profiles: &Profiles,
    script: Script,
    host: impl FnOnce(Addresses) -> F,
) -> Vec<String> {
    let doors = Doors::open(config).await.unwrap();
    let addresses = Addresses(doors.addresses());
    let truth = config.base.join("truth.ndjson");
    let (stop, stopped) = oneshot::channel();
    let rig = rig(config, profiles, 3).unwrap();
    let played = play(doors, rig, script, &config.socket, &truth, 42, async { drop(stopped.await) });
    let (fed, ()) = within(async {
        tokio::join!(played, async {
            host(addresses).await;
            stop.send(()).unwrap();
        })
    })
    .await;
    assert_eq!(fed.unwrap(), 7);
    std::fs::read_to_string(&truth).unwrap().lines().map(String::from).collect()
}

struct Addresses(BTreeMap<DeviceNo, SocketAddr>);

impl Addresses {
    async fn knock(&self, device: DeviceNo) -> TcpStream {
        TcpStream::connect(self.0[&device]).await.unwrap()
    }
}

async fn ask(s: &mut TcpStream, request: &[u8], answer: &[u8]) {
    s.write_all(request).await.unwrap();
    hear(s, answer).await;
}

async fn hear(s: &mut (impl tokio::io::AsyncRead + Unpin), want: &[u8]) {
    let mut got = vec![0; want.len()];
    s.read_exact(&mut got).await.unwrap();
    assert_eq!(got, want, "{}", String::from_utf8_lossy(&got));
}

/// Waits for the other side to hang up.
async fn hung_up(s: &mut TcpStream) {
    let mut buffer = [0; 64];
    while !matches!(s.read(&mut buffer).await, Ok(0) | Err(_)) {}
}

#[tokio::test]
async fn a_raw_host_drives_printer_and_module() {
    let (_dir, config, profiles) = line();
    let (ijp, io) = (no(&config.plan, "ijp1"), no(&config.plan, "io1"));
    let permit = config.plan.run_permit.unwrap().output;
    let eye = Point { device: io, kind: PointKind::Input, number: 1 };
    let script = Script::default()
        .then("belt on", move |b, _| b.output(permit))
        .then("printed ABCD", move |b, now| b.print(ijp, now).as_deref() == Some(b"ABCD"))
        .then("eye", move |b, now| {
            b.input(eye, true, now);
            true
        })
        .then("safe", move |b, _| b.safe(io) && !b.output(permit));
    let truth = play_with(&config, &profiles, script, |doors| async move {
        let mut printer = doors.knock(ijp).await;
        ask(&mut printer, b"\x1bA?\x04", b"\x1bA01560670600\x04").await;
        hung_up(&mut doors.knock(ijp).await).await;
        ask(&mut printer, b"\x1bON106BOTTLE\x04", &[6]).await;
        ask(&mut printer, b"\x1bI1A\x04", &[6]).await;
        ask(&mut printer, b"\x1bOE0004ABCD\x04", &[6]).await;
        let mut module = doors.knock(io).await;
        ask(&mut module, b"\x00\x01\x00\x00\x00\x06\x01\x05\x00\x08\xff\x00", b"\x00\x01\x00\x00\x00\x06\x01\x05\x00\x08\xff\x00").await;
        hear(&mut printer, b"A").await;
        let read = b"\x00\x02\x00\x00\x00\x06\x01\x04\x00\x02\x00\x02";
        loop {
            module.write_all(read).await.unwrap();
            let mut answer = [0; 13];
            module.read_exact(&mut answer).await.unwrap();
            if answer == *b"\x00\x02\x00\x00\x00\x07\x01\x04\x04\x00\x00\x00\x01" {
                break;
            }
        }
        // Nobody asks any more: the watchdog drops the permit 300 ms later, and a new link sees it dropped.
        drop(module);
        let mut module = doors.knock(io).await;
        tokio::time::timeout(Duration::from_millis(900), hung_up(&mut module)).await.unwrap_err();
        ask(&mut module, b"\x00\x03\x00\x00\x00\x06\x01\x01\x00\x08\x00\x01", b"\x00\x03\x00\x00\x00\x04\x01\x01\x01\x00").await;
    })
    .await;
    let told: Vec<&str> = truth.iter().map(String::as_str).filter(|l| !l.starts_with("lag")).collect();
    assert_eq!(told, ["begin 42", "belt on", "printed ABCD", "eye", "safe", "end"]);
}

#[tokio::test]
async fn a_lost_link_is_cut_and_comes_back() {
    let (_dir, config, profiles) = line();
    let cam = no(&config.plan, "cam1");
    let script = Script::default()
        .then("lost", move |b, now| {
            let linked = b.linked(cam);
            if linked {
                b.trouble(cam, Trouble::LinkLoss { ms: 100 }, now);
            }
            linked
        })
        .then("frame", move |b, now| b.read(cam, &[Some(b"X1".to_vec())], now)[0].is_some());
    play_with(&config, &profiles, script, |doors| async move {
        let mut camera = doors.knock(cam).await;
        hung_up(&mut camera).await;
        let cut = Instant::now();
        loop {
            let mut camera = doors.knock(cam).await;
            let mut got = [0; 3];
            if camera.read_exact(&mut got).await.is_ok() {
                assert_eq!(&got, b"X1\r");
                break;
            }
        }
        assert!(cut.elapsed() >= Duration::from_millis(90), "refused until it is over");
    })
    .await;
}

#[tokio::test]
async fn a_handheld_scans_into_its_serial_port() {
    let (_dir, config, profiles) = line();
    let hand = no(&config.plan, "hand1");
    let scan = move |b: &mut Rig, now: u64| b.read(hand, &[Some(b"069012340000000016".to_vec())], now)[0].is_some();
    let (unplug, unplugged) = oneshot::channel();
    let mut unplug = Some(unplug);
    let out = move |b: &mut Rig, _| !b.linked(hand) && unplug.take().is_some_and(|u| u.send(()).is_ok());
    let script = Script::default().then("scan", scan).then("unplugged", out).then("scan", scan);
    let tty = config.base.join("hand1.tty");
    let truth = play_with(&config, &profiles, script, |_| async {
        use tokio_serial::SerialPortBuilderExt;
        let open = || tokio_serial::new(tty.to_string_lossy(), 9600).open_native_async().unwrap();
        hear(&mut open(), b"00069012340000000016\r\n").await;
        unplugged.await.unwrap();
        hear(&mut open(), b"00069012340000000016\r\n").await;
    })
    .await;
    let told: Vec<&str> = truth.iter().map(String::as_str).filter(|l| !l.starts_with("lag")).collect();
    assert_eq!(told, ["begin 42", "scan", "unplugged", "scan", "end"]);
    assert!(std::fs::symlink_metadata(&tty).is_err(), "the link went with the process");
}

#[tokio::test]
async fn the_operator_finds_the_daemon_again() {
    let (_dir, config, profiles) = line();
    let socket = config.socket.clone();
    let truth = play_with(&config, &profiles, Script::default(), |_| async move {
        for _ in 0..2 {
            let daemon = UnixListener::bind(&socket).unwrap();
            let (stream, _) = daemon.accept().await.unwrap();
            let (reading, mut writing) = stream.into_split();
            let mut lines = BufReader::new(reading).lines();
            writing.write_all(b"{\"type\":\"hello\"}\nnonsense\n").await.unwrap();
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some(r#"{"id":1,"op":"watch"}"#));
            std::fs::remove_file(&socket).unwrap();
        }
    })
    .await;
    let told: Vec<&str> = truth.iter().map(String::as_str).filter(|l| l.starts_with("heard")).collect();
    assert_eq!(told[..3], [r#"heard {"type":"hello"}"#, "heard gone", r#"heard {"type":"hello"}"#]);
}

#[tokio::test]
async fn a_late_tick_is_written_down() {
    let (_dir, config, profiles) = line();
    let (hang, mut hung) = oneshot::channel();
    let mut hang = Some(hang);
    let script = Script::default()
        .then("busy", |_, _| {
            // The machine is busy elsewhere for 80 ms: this is the test's input.
            let until = Instant::now() + Duration::from_millis(80);
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            true
        })
        .then("after", move |_, _| hang.take().map(|h| h.send(())).is_some());
    let truth = play_with(&config, &profiles, script, |_| async move { (&mut hung).await.unwrap() }).await;
    let lag: u64 = truth.iter().find_map(|l| l.strip_prefix("lag ")).expect("a lag").parse().unwrap();
    assert!((60..5_000).contains(&lag), "{lag}");
}

#[tokio::test]
async fn what_is_taken_is_refused_with_a_sentence() {
    let (_dir, mut config, _) = line();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    if let Address::Tcp { port, .. } = &mut config.plan.devices[0].address {
        *port = taken.local_addr().unwrap().port();
    }
    let e = Doors::open(&config).await.err().unwrap();
    assert!(e.to_string().starts_with("device ijp1: cannot listen on 127.0.0.1:"), "{e}");
    config.plan.devices[0].address = Address::Serial { path: "/dev/ttyS0".into(), baud: 9600, parity: crate::vocab::plan::Parity::None };
    let e = Doors::open(&config).await.err().unwrap();
    assert!(matches!(e, SimulateError::RealPort { .. }), "{e}");
}
