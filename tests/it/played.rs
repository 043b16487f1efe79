//! A line of one verify station with everything around the real daemon played here, over loopback: an I/O module that
//! answers at once and says when each reject coil was written, and a reader whose frames leave when they are told to.
//! Used by the test of the reject (`reject.rs`) and by `benches/reject.rs`.
//!
//! The module is `sim::emul`'s with its own 1–3 ms of thought taken away: what a device takes is no part of what is
//! looked at here. The codes are pre-printed, so that no printer is needed; one connection a device is served.

use packmark::control::client::Client;
use packmark::profile::Profiles;
use packmark::sim::emul::{DeviceSide, Emission, Link, Modbus, ModbusHow, Reader};
use packmark::vocab::rng::Rng;
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest that anything but the measured may take.
pub const LIMIT: Duration = Duration::from_secs(20);
/// The reject coil is output 0, the trigger input 1, the permit output 8.
const TRIGGER: u16 = 1;
/// The module's and reader's own time has gone by at once.
const AT_ONCE_US: u64 = 1_000_000;

/// Distances of the station and its gate, ms.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    pub spacing: u32,
    pub deadline: u32,
    pub pair: u32,
    /// The middle of the pulse; the pulse begins `after` − `pulse`/2 behind the edge.
    pub after: u32,
    pub pulse: u32,
}

impl Gate {
    /// The configuration of the whole line.
    fn line(&self, module: u16, reader: u16, crowd: &[u16]) -> String {
        let Self { spacing, deadline, pair, after, pulse } = self;
        let others: String = crowd
            .iter()
            .enumerate()
            .map(|(i, port)| {
                format!(
                    "[[device]]\nid = \"crowd{i}\"\nprofile = \"keyence-sr\"\naddress = \"tcp://127.0.0.1:{port}\"\n\
                     [[station]]\nid = \"look{i}\"\nrole = \"verify\"\nlevel = \"bottle\"\nlane = \"{i}\"\ndevice = \"crowd{i}\"\n"
                )
            })
            .collect();
        let line = format!(
            r#"
            [line]
            id = "R1"
            name = "reject"
            store = "store"
            run_permit = {{ output = "io1:out.8", heartbeat_ms = 100, watchdog_ms = 300, belt_stop_ms = 100 }}
            [limits]
            consecutive_rejects = 100000
            [[product]]
            id = "P1"
            name = "soy sauce"
            [[level]]
            name = "bottle"
            codes = "preprinted"
            [[device]]
            id = "cam1"
            profile = "keyence-sr"
            address = "tcp://127.0.0.1:{reader}"
            settings = {{ no_read = "ERROR" }}
            [[device]]
            id = "io1"
            profile = "modbus-io"
            address = "tcp://127.0.0.1:{module}"
            [[station]]
            id = "look"
            role = "verify"
            level = "bottle"
            device = "cam1"
            trigger = "io1:cnt.{TRIGGER}"
            min_spacing_ms = {spacing}
            read_deadline_ms = {deadline}
            pair_ms = {pair}
            gate = {{ output = "io1:out.0", polarity = "reject", after = {{ ms = {after} }}, pulse_ms = {pulse}, tolerance_ms = 5 }}
            "#
        );
        line + &others
    }
}

/// What the module saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told {
    /// The answer that shows the edge was about to leave; and when the line takes the edge to have fallen: in the middle
    /// between this answer and the last.
    Edge { shown: Instant, fell: Instant },
    /// The bytes that energise the reject coil had come.
    Reject(Instant),
}

/// The devices. Their threads end with their connections.
pub struct Players {
    pub module: u16,
    pub reader: u16,
    edge: Arc<AtomicBool>,
    frames: Receiver<TcpStream>,
    frame_out: Option<TcpStream>,
    pub told: Receiver<Told>,
    /// Ports of further readers, each of which reads a thing every `CROWD_MS` while it may.
    pub crowd: Vec<u16>,
    crowd_reads: Arc<AtomicBool>,
}

/// 2,000 things a minute.
const CROWD_MS: u64 = 30;
/// Codes that each further reader has to read.
const CROWD_CODES: u32 = 2_000;

impl Drop for Players {
    fn drop(&mut self) {
        self.crowd_reads.store(false, Ordering::Release);
    }
}

impl Players {
    /// Both listen, and so many further readers.
    pub fn listen(on_thread: fn(), crowd: u32) -> Self {
        let (module, reader) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = (module.local_addr().unwrap().port(), reader.local_addr().unwrap().port());
        let edge = Arc::new(AtomicBool::new(false));
        let (tell, told) = sync_channel(1_024);
        let (out, frames) = sync_channel(1);
        let due = edge.clone();
        std::thread::spawn(move || {
            on_thread();
            module.accept().map(|(s, _)| play_module(s, &due, &tell))
        });
        std::thread::spawn(move || reader.accept().map(|(s, _)| play_reader(s, &out)));
        let crowd_reads = Arc::new(AtomicBool::new(false));
        let crowd = (0..crowd).map(|n| crowd_reader(n, crowd_reads.clone())).collect();
        Self { module: ports.0, reader: ports.1, edge, frames, frame_out: None, told, crowd, crowd_reads }
    }

    /// The further readers begin.
    pub fn crowd_begins(&self) {
        self.crowd_reads.store(true, Ordering::Release);
    }

    /// The next answer of the module shows one more edge of the trigger.
    pub fn edge(&self) {
        self.edge.store(true, Ordering::Release);
    }

    /// A frame leaves; the moment just before.
    pub fn frame(&mut self, body: &str) -> Instant {
        let out = self.frame_out.get_or_insert_with(|| self.frames.recv_timeout(LIMIT).expect("somebody connects to the reader"));
        let bytes = format!("{body}\r");
        let at = Instant::now();
        out.write_all(bytes.as_bytes()).expect("the reader's link stands");
        at
    }

    /// The next thing the module says, if it comes in time.
    pub fn next(&self, patience: Duration) -> Option<Told> {
        self.told.recv_timeout(patience).ok()
    }
}

/// Writes what a device says. `false`: the link is gone.
fn say(device: &mut dyn DeviceSide, stream: &mut TcpStream) -> bool {
    while let Some((_, emission)) = device.poll() {
        match emission {
            Emission::Send(bytes) if stream.write_all(&bytes).is_ok() => {}
            _ => return false,
        }
    }
    true
}

fn play_module(mut stream: TcpStream, edge: &AtomicBool, tell: &SyncSender<Told>) {
    let how = ModbusHow { unit: 1, points: 16, ..ModbusHow::default() };
    let mut module = Modbus::new(how, Rng::new(1));
    let began = Instant::now();
    let mut polled = began;
    stream.set_nodelay(true).unwrap();
    module.connected(Link::FIRST, 0);
    let mut buf = [0; 1_200];
    while let Ok(n @ 1..) = stream.read(&mut buf) {
        let at = Instant::now();
        // Every request asked here has 12 bytes; a host with one outstanding never glues them.
        for request in buf[..n].chunks(12) {
            if request.get(7..) == Some(&[5, 0, 0, 0xff, 0]) {
                let _ = tell.try_send(Told::Reject(at));
            }
            let now_us = began.elapsed().as_micros() as u64;
            let polls = request.get(7) == Some(&4);
            let shows = polls && edge.swap(false, Ordering::AcqRel);
            if shows {
                module.input(TRIGGER, true);
                module.input(TRIGGER, false);
            }
            module.received(Link::FIRST, request, now_us);
            module.due(now_us + AT_ONCE_US);
            let answered = Instant::now();
            if shows {
                let _ = tell.try_send(Told::Edge { shown: answered, fell: polled + (answered - polled) / 2 });
            }
            if polls {
                polled = answered;
            }
            if !say(&mut module, &mut stream) {
                return;
            }
        }
    }
}

/// A reader that reads one thing after the other while `reads` says so; answers its port.
fn crowd_reader(n: u32, reads: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let Ok((stream, _)) = listener.accept() else { return };
        let (out, frames) = sync_channel(1);
        std::thread::spawn(move || play_reader(stream, &out));
        let Ok(mut out) = frames.recv() else { return };
        while !reads.load(Ordering::Acquire) {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        // Not all at once.
        let mut next = Instant::now() + Duration::from_millis(u64::from(n) * CROWD_MS / 8);
        for i in 0..CROWD_CODES {
            while let Some(left) = next.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
                std::thread::park_timeout(left);
            }
            next += Duration::from_millis(CROWD_MS);
            if !reads.load(Ordering::Acquire) || out.write_all(format!("{}\r", crowd_code(n, i)).as_bytes()).is_err() {
                return;
            }
        }
    });
    port
}

fn crowd_code(reader: u32, n: u32) -> String {
    code(100_000 * (reader + 1) + n)
}

/// Answers commands; frames are written by whoever plays the things.
fn play_reader(mut stream: TcpStream, out: &SyncSender<TcpStream>) {
    let profiles = Profiles::load(None).expect("shipped profiles load");
    let bound = profiles.bind("keyence-sr", &Default::default()).expect("the defaults are sound");
    let mut reader = Reader::new(bound.reader, Rng::new(1));
    stream.set_nodelay(true).unwrap();
    let _ = out.try_send(stream.try_clone().unwrap());
    reader.connected(Link::FIRST, 0);
    let mut buf = [0; 1_200];
    while let Ok(n @ 1..) = stream.read(&mut buf) {
        reader.received(Link::FIRST, &buf[..n], 0);
        reader.due(AT_ONCE_US);
        if !say(&mut reader, &mut stream) {
            return;
        }
    }
}

/// The daemon with a running job, its devices played.
pub struct Played {
    /// Removed with everything in it when the line is over.
    #[expect(dead_code, reason = "lives as long as the daemon")]
    dir: TempDir,
    child: Child,
    pub socket: PathBuf,
    pub players: Players,
}

impl Played {
    /// Comes up on a fresh store, imports `codes` codes (see `code`), starts a job, waits until the line runs;
    /// `crowd` further readers begin then.
    pub fn start(gate: Gate, codes: u32, hooks: &str, on_thread: fn(), crowd: u32) -> Self {
        let dir = TempDir::new().unwrap();
        let players = Players::listen(on_thread, crowd);
        let config = dir.path().join("line.toml");
        std::fs::write(&config, gate.line(players.module, players.reader, &players.crowd)).unwrap();
        let file = dir.path().join("codes.txt");
        let others = (0..crowd).flat_map(|r| (0..CROWD_CODES).map(move |n| crowd_code(r, n)));
        std::fs::write(&file, (0..codes).map(code).chain(others).map(|c| c + "\n").collect::<String>()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_packmark"));
        command.arg("run").arg("--config").arg(&config).arg("--test-hooks").arg(hooks).env("PACKMARK_LOG", "error");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let _ = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line);
        let ready: Value = serde_json::from_str(&line).unwrap_or_default();
        let socket = PathBuf::from(ready["socket"].as_str().unwrap_or_default());
        let mut played = Self { dir, child, socket, players };
        let mut client = played.client();
        let mut ask = |op: &str, fields: Value| {
            let Value::Object(fields) = fields else { unreachable!("an object") };
            client.request(op, fields, None).unwrap_or_else(|e| panic!("{op}: {e}"))
        };
        ask("pack.import", json!({"path": file, "level": "bottle", "product": "P1"}));
        ask("job.create", json!({"job": "J1", "product": "P1", "lot": "A"}));
        played.until(|s| s["devices"].as_array().is_some_and(|d| d.iter().all(|d| d["link"] == "up")));
        ask("job.start", json!({"job": "J1"}));
        played.until(|s| s["state"]["name"] == "execute");
        // What stood between trigger and gate at the start is flushed: the coil falls again, and frames count from now.
        std::thread::park_timeout(Duration::from_millis(u64::from(gate.after + gate.spacing) + 200));
        while played.players.told.try_recv().is_ok() {}
        played.players.crowd_begins();
        played
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.socket, LIMIT).expect("the daemon came up")
    }

    pub fn until(&mut self, done: impl Fn(&Map<String, Value>) -> bool) -> Map<String, Value> {
        let mut client = self.client();
        let until = Instant::now() + LIMIT;
        loop {
            let status = client.request("status", Map::new(), None).expect("a status");
            if done(&status) {
                return status;
            }
            assert!(Instant::now() < until, "it did not come to be: {status:?}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// SIGTERM; its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(s) = self.child.try_wait().unwrap() {
                return s.code();
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The `n`th code of the pack.
pub fn code(n: u32) -> String {
    format!("https://t.example/R{n:06}")
}
