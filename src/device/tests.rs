//! Real loopback TCP and a real pty; every wait is for something, and bounded.

use super::*;
use crate::profile::Profiles;
use crate::vocab::plan::{Address, Network, Parity, Setting};
use crate::vocab::report::{Field, Frame};
use crate::vocab::{DeviceNo, Order, Report};
use crate::wire::{Place, Points, converse_at};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(10);

struct Rig {
    driven: Driven,
    told: mpsc::Receiver<Told>,
}

fn drive(profile: &str, address: Address, folder: &Path) -> Rig {
    drive_as(profile, &[], address, None, folder)
}

fn drive_as(profile: &str, given: &[(&str, &str)], address: Address, aside: Option<Address>, folder: &Path) -> Rig {
    let given = given.iter().map(|(k, v)| (k.to_string(), Setting::Text(v.to_string()))).collect();
    let bound = Profiles::load(None).unwrap().bind(profile, &given).unwrap();
    let (reports, told) = mpsc::channel(64);
    let began = Instant::now();
    let clock: Clock = Arc::new(move || began.elapsed().as_micros() as u64);
    let points = Points { inputs: vec![0], counters: vec![] };
    let conversation = converse_at(&bound, Place { points, ..Place::default() });
    let per_command = bound.connects_per_command();
    let driven = spawn(Device {
        no: DeviceNo(3),
        address,
        aside,
        per_command,
        allow: Vec::new(),
        folder: folder.into(),
        conversation,
        clock,
        reports,
    });
    Rig { driven, told }
}

impl Rig {
    async fn told(&mut self) -> Report {
        let t = timeout(LIMIT, self.told.recv()).await.expect("a report within the limit").expect("the driver lives");
        assert_eq!(t.device, DeviceNo(3));
        t.report
    }

    async fn up(&mut self) {
        assert!(matches!(self.told().await, Report::Up { .. }));
    }

    async fn down(&mut self) -> String {
        match self.told().await {
            Report::Down { why } => why,
            other => panic!("expected down, got {other:?}"),
        }
    }

    async fn reads(&mut self, code: &[u8]) {
        assert_eq!(self.told().await, Report::Frame(Frame::Data(vec![Field::Code(code.into())])));
    }

    /// No more orders: the driver ends by itself.
    async fn end(mut self) {
        drop(self.driven.orders);
        timeout(LIMIT, async { while self.told.recv().await.is_some() {} }).await.expect("the driver ends");
        timeout(LIMIT, self.driven.task).await.expect("the task ends").expect("without a panic");
    }
}

fn tcp(port: u16) -> Address {
    Address::Tcp { host: "127.0.0.1".into(), port }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    timeout(LIMIT, listener.accept()).await.expect("a connection within the limit").unwrap().0
}

/// A printer that serves one request a connection, as the library for it does: every second time it leaves the closing to us.
#[tokio::test]
async fn every_request_has_a_connection_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let printer = tokio::spawn(async move {
        let mut asked: Vec<String> = Vec::new();
        loop {
            let (mut link, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while let Ok(b) = link.read_u8().await {
                if b == b'\r' {
                    break;
                }
                request.push(b);
            }
            let request = String::from_utf8(request).unwrap();
            let answer = match &request[..2] {
                "SB" => "SB,01\r",
                "KH" => "KH,3,0\r",
                "SQ" => "SQ\r",
                _ => "BK\r",
            };
            link.write_all(answer.as_bytes()).await.unwrap();
            asked.push(request);
            if asked.len().is_multiple_of(2) {
                assert_eq!(timeout(LIMIT, link.read(&mut [0; 16])).await.expect("it is closed").unwrap_or(0), 0);
            }
            if asked.last().is_some_and(|a| a.starts_with("BK")) {
                return asked;
            }
        }
    });
    let mut rig = drive("keyence-mk", Address::Tcp { host: "127.0.0.1".into(), port }, Path::new("."));
    rig.up().await;
    rig.driven.orders.send(Order::Arm { message: None, fields: Vec::new() }).await.unwrap();
    assert_eq!(rig.told().await, Report::Ready { cleared: false });
    let code = crate::wire::transcript::code(0);
    rig.driven.orders.send(Order::Print { code, bytes: b"A1".to_vec() }).await.unwrap();
    assert_eq!(rig.told().await, Report::Taken { code });
    let asked = timeout(LIMIT, printer).await.unwrap().unwrap();
    assert_eq!(asked[..4], ["SB", "SQ", "SB", "KH,3"]);
    assert_eq!(asked.last().map(String::as_str), Some("BK,1,0,A1"));
}

#[tokio::test]
async fn a_reader_over_tcp_comes_back_after_it_was_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut rig = drive("keyence-sr", tcp(listener.local_addr().unwrap().port()), Path::new(""));
    let mut reader = accept(&listener).await;
    rig.up().await;
    for part in [&b"AB"[..], b"C\rDE", b"F\r"] {
        reader.write_all(part).await.unwrap();
    }
    rig.reads(b"ABC").await;
    rig.reads(b"DEF").await;
    drop(reader);
    assert!(rig.down().await.contains("closed"));
    let began = Instant::now();
    let mut reader = accept(&listener).await;
    assert!(began.elapsed() < Duration::from_secs(1), "reconnected within a second");
    // What it had kept for us arrives at once, and is read after Up.
    reader.write_all(b"STALE\r").await.unwrap();
    rig.up().await;
    rig.reads(b"STALE").await;
    rig.end().await;
}

#[tokio::test]
async fn a_device_that_is_not_there_is_told_once_and_found_when_it_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut rig = drive("keyence-sr", tcp(port), Path::new(""));
    assert!(rig.down().await.contains("cannot be opened"));
    // Several attempts later it is there; nothing was told in between.
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let _reader = accept(&listener).await;
    rig.up().await;
    rig.end().await;
}

#[tokio::test]
async fn who_may_not_connect_is_hung_up_on_and_counted() {
    let open = async |allow: &str| {
        let address = Address::Listen { host: "127.0.0.1".into(), port: 0 };
        let mut port = Port::new(address, None, "".into()).allowing(vec![Network::parse(allow).unwrap()]);
        let number = port.bind().await.unwrap().unwrap();
        (port, number)
    };
    let (mut port, number) = open("10.0.0.0/8").await;
    let mut strangers = Vec::new();
    for _ in 0..3 {
        strangers.push(TcpStream::connect(("127.0.0.1", number)).await.unwrap());
    }
    let nobody = timeout(Duration::from_millis(200), port.open()).await;
    assert!(nobody.is_err(), "nobody is let in");
    for mut s in strangers {
        assert_eq!(s.read(&mut [0]).await.unwrap_or(0), 0, "hung up");
    }
    assert_eq!(port.refused(), 3);
    let (mut port, number) = open("127.0.0.0/8").await;
    let _reader = TcpStream::connect(("127.0.0.1", number)).await.unwrap();
    timeout(LIMIT, port.open()).await.unwrap().unwrap();
    assert_eq!(port.refused(), 0);
}

#[tokio::test]
async fn a_device_that_connects_to_us_replaces_its_dead_link() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut rig = drive("line-reader", Address::Listen { host: "127.0.0.1".into(), port }, Path::new(""));
    let connect = async || {
        timeout(LIMIT, async {
            loop {
                match TcpStream::connect(("127.0.0.1", port)).await {
                    Ok(s) => return s,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
        .await
        .expect("it listens within the limit")
    };
    let mut first = connect().await;
    rig.up().await;
    first.write_all(b"ONE\n").await.unwrap();
    rig.reads(b"ONE").await;
    let mut second = connect().await;
    assert!(rig.down().await.contains("anew"));
    rig.up().await;
    second.write_all(b"TWO\n").await.unwrap();
    rig.reads(b"TWO").await;
    rig.end().await;
}

/// Answers reads with zeros and writes with their echo; keeps the writes.
async fn module(listener: TcpListener, mut writes: Vec<(u16, bool)>) -> Vec<(u16, bool)> {
    let mut link = accept(&listener).await;
    let mut request = [0; 12];
    while link.read_exact(&mut request).await.is_ok() {
        let reply = match request[7] {
            5 => {
                writes.push((u16::from_be_bytes([request[8], request[9]]), request[10] == 0xff));
                request.to_vec()
            }
            _ => [&request[..4], &[0, 4, request[6], request[7], 1, 0]].concat(),
        };
        if link.write_all(&reply).await.is_err() {
            break;
        }
    }
    writes
}

#[tokio::test]
async fn the_last_orders_leave_before_the_driver_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let module = tokio::spawn(module(listener, Vec::new()));
    let mut rig = drive("modbus-io", tcp(port), Path::new(""));
    rig.up().await;
    let orders: Vec<(u16, bool)> = (0..20).map(|n| (n, n % 3 == 0)).collect();
    for (number, on) in &orders {
        rig.driven.orders.try_send(Order::Output { number: *number, on: *on }).unwrap();
    }
    rig.end().await;
    let writes = timeout(LIMIT, module).await.expect("the module's link ends").unwrap();
    assert_eq!(writes, orders, "in order, none lost");
}

#[tokio::test]
async fn a_module_that_falls_silent_is_dropped_and_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut rig = drive("modbus-io", tcp(listener.local_addr().unwrap().port()), Path::new(""));
    let mut silent = accept(&listener).await;
    let mut request = [0; 12];
    silent.read_exact(&mut request).await.unwrap();
    assert!(rig.down().await.contains("no answer within 250 ms"));
    let again = accept(&listener).await;
    drop((again, silent));
    rig.down().await;
    rig.end().await;
}

/// A pty: the device's end, and the path of ours.
fn pty() -> (std::fs::File, PathBuf) {
    let device = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&device).unwrap();
    unlockpt(&device).unwrap();
    let path = PathBuf::from(ptsname(&device, Vec::new()).unwrap().to_str().unwrap());
    let mut modes = rustix::termios::tcgetattr(&device).unwrap();
    modes.make_raw();
    rustix::termios::tcsetattr(&device, rustix::termios::OptionalActions::Now, &modes).unwrap();
    (std::fs::File::from(device), path)
}

#[tokio::test]
async fn a_handheld_at_a_pty_is_found_by_its_symlink_and_again_after_it_was_gone() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("hand1.tty");
    let (mut device, path) = pty();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let address = Address::Serial { path: "hand1.tty".into(), baud: 9_600, parity: Parity::None };
    let mut rig = drive("line-reader", address, folder.path());
    rig.up().await;
    device.write_all(b"069012340000000014\r\n").unwrap();
    rig.reads(b"069012340000000014").await;
    std::fs::remove_file(&link).unwrap();
    drop(device);
    rig.down().await;
    let (mut device, path) = pty();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    rig.up().await;
    device.write_all(b"C00000001\r").unwrap();
    rig.reads(b"C00000001").await;
    rig.end().await;
}

#[tokio::test]
async fn commands_go_by_their_own_link_and_either_link_ends_both() {
    let (data, commands) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = |l: &TcpListener| tcp(l.local_addr().unwrap().port());
    let mut rig = drive_as("keyence-sr", &[("trigger", "command")], port(&data), Some(port(&commands)), Path::new(""));
    let (mut frames, mut answers) = (accept(&data).await, accept(&commands).await);
    rig.up().await;
    rig.driven.orders.send(Order::Trigger { window_ms: 10_000 }).await.unwrap();
    let mut asked = [0; 4];
    timeout(LIMIT, answers.read_exact(&mut asked)).await.expect("within the limit").unwrap();
    assert_eq!(&asked, b"LON\r");
    // A frame in two pieces is not parted by an answer on the other link.
    frames.write_all(b"AB").await.unwrap();
    answers.write_all(b"OK,LON\r").await.unwrap();
    frames.write_all(b"C\r").await.unwrap();
    rig.reads(b"ABC").await;
    drop(answers);
    assert!(rig.down().await.contains("commands"));
    let (_frames, _answers) = (accept(&data).await, accept(&commands).await);
    rig.up().await;
    rig.end().await;
}

#[tokio::test]
async fn a_keyboard_is_read_event_by_event() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wedge");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    // Held open for both ways: an event device does not end when nobody types.
    let mut keys = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let mut rig = drive("keyboard-wedge", Address::Keys { path: "wedge".into() }, dir.path());
    rig.up().await;
    let event = |kind: u16, code: u16, value: i32| [&[0; 16][..], &kind.to_ne_bytes(), &code.to_ne_bytes(), &value.to_ne_bytes()].concat();
    // Shift A, then 7, then Enter; the last event in two pieces.
    let mut bytes = Vec::new();
    for (code, value) in [(42, 1), (30, 1), (30, 0), (42, 0), (8, 1), (8, 0), (28, 1)] {
        bytes.extend([event(1, code, value), event(0, 0, 0)].concat());
    }
    use std::io::Write;
    let (first, second) = bytes.split_at(bytes.len() - 30);
    keys.write_all(first).unwrap();
    keys.write_all(second).unwrap();
    rig.reads(b"A7").await;
    rig.end().await;
}
