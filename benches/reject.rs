//! The reject never waits: how long from a reader's bytes to the bytes that energise the reject coil, the real daemon
//! over loopback, the devices played by this program (`tests/it/played.rs`; its module answers at once).
//!
//! A coil may not be written when a frame comes, but when its thing is in front of the gate: a no-read that comes
//! before its pulse begins is timed, and a thing without a verdict at its pulse's beginning is rejected `late` there and
//! then (`line/gate.rs`). The earliest lawful moment is the later of the frame and the pulse's beginning. So three ways:
//!
//! - `held`: the frame leaves, the next poll shows its edge, the pulse begins with the edge. What is waited for is the
//!   poll (up to 5 ms). `raw` = frame → coil, `net` = the poll's answer → coil.
//! - `timed`: edge, frame 0.5–5 ms later, the pulse begins 10 ms behind the edge. `raw` = frame → coil, `net` = beginning
//!   of the pulse → coil: the line's own clock is in it.
//! - `withdrawn`: a good thing in front of the gate, its verdict on disk, and then a no-read frame in the same passage,
//!   which takes the verdict back while the pulse lasts. The one case where a frame itself writes the coil: bytes in →
//!   bytes out, nothing is waited for. It needs a commit before, so it has no stalled legs.
//!
//! `stall`: `held` and `timed` with commits stalled 500 ms beside quiet ones; p99 (raw and net) at most 1.5 × quiet and
//! 1 ms, medians of interleaved legs. `echo`: `withdrawn` beside a bare echo, a process of its own that answers each frame
//! on the one socket with the coil's bytes on the other; p50 and p99 at most 1 ms above the echo's, p99.9 at most twice
//! the echo's, all legs of a kind together. Both alone, and among eight further readers that each read 2,000 things a
//! minute (for the daemon: resolved, judged, committed; for the echo: read and dropped). A reject that never comes counts
//! with the whole time that was waited for it.
//!
//! `import`: `held` and `timed` while the daemon imports a pack of two million codes, beside quiet ones; held as `stall`.
//!
//! This program's threads, and the echo, have the nice value that the daemon gives its line (−10), where allowed.
//! One JSON line a claim, after one a leg; a limit that is missed makes the exit 1.
//! `cargo bench --bench reject [-- quick | SECONDS] [echo-only]`: one round of 2 s, or five rounds of so many seconds a
//! leg (8); with `echo-only` nothing but that claim.

#[path = "../tests/it/played.rs"]
mod played;

use packmark::vocab::rng::Rng;
use played::{Gate, LIMIT, Played, Players, Told, code};
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const HELD: Gate = Gate { spacing: 30, deadline: 12, pair: 10, after: 10, pulse: 20 };
const TIMED: Gate = Gate { spacing: 40, deadline: 20, pair: 5, after: 20, pulse: 20 };
const WITHDRAWN: Gate = Gate { spacing: 66, deadline: 55, pair: 5, after: 45, pulse: 30 };
/// A reject that did not come within this never comes.
const MISSED: Duration = Duration::from_millis(28);
/// Further readers.
const CROWD: u32 = 8;
/// What the test hook stalls every commit.
const STALL_MS: u64 = 500;
/// Codes of the pack that is imported beside.
const IMPORTED: u64 = 2_000_000;
/// Writes coil 0, on (transaction 1, unit 1, function 05).
const COIL: [u8; 12] = [0, 1, 0, 0, 0, 6, 1, 5, 0, 0, 0xff, 0];

/// What goes on beside the rejects.
#[derive(Clone, Copy)]
enum Beside<'a> {
    Nothing,
    Stall,
    Import(&'a std::path::Path),
}

impl Beside<'_> {
    fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Stall => "stall",
            Self::Import(_) => "import",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Held,
    Timed,
    Withdrawn,
    Echo,
}

impl Way {
    fn gate(self) -> Gate {
        match self {
            Self::Held | Self::Echo => HELD,
            Self::Timed => TIMED,
            Self::Withdrawn => WITHDRAWN,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Timed => "timed",
            Self::Withdrawn => "withdrawn",
            Self::Echo => "echo",
        }
    }
}

/// What legs of one kind are of.
#[derive(Clone, Copy)]
struct Kind<'a> {
    way: Way,
    beside: Beside<'a>,
    /// Further readers.
    crowd: u32,
}

/// Milliseconds of each thing.
#[derive(Default)]
struct Leg {
    raw: Vec<f64>,
    net: Vec<f64>,
    missed: usize,
    /// Rejected before its no-read frame: the good verdict was not on disk in time.
    early: usize,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [word, reader, module, crowd @ ..] = args.as_slice()
        && word == "echo"
    {
        return echo(reader, module, crowd);
    }
    let quick = args.iter().any(|a| a == "quick");
    let seconds = args.iter().find_map(|a| a.parse().ok()).unwrap_or(if quick { 2 } else { 8 });
    let (rounds, length) = (if quick { 1 } else { 5 }, Duration::from_secs(seconds));
    let load = load();
    let alone = [(Way::Withdrawn, 0), (Way::Echo, 0), (Way::Withdrawn, CROWD), (Way::Echo, CROWD)];
    let mut kinds: Vec<Kind<'_>> = alone.map(|(way, crowd)| Kind { way, beside: Beside::Nothing, crowd }).to_vec();
    let pack = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
    if !args.iter().any(|a| a == "echo-only") {
        let mut lines = std::io::BufWriter::new(&pack);
        (0..IMPORTED).for_each(|n| writeln!(lines, "import-{n:07}-{:08X}", n.wrapping_mul(0x9e37_79b9)).expect("room"));
        drop(lines);
        for way in [Way::Held, Way::Timed] {
            kinds.extend([Beside::Nothing, Beside::Stall, Beside::Import(pack.path())].map(|beside| Kind { way, beside, crowd: 0 }));
        }
    }
    let mut legs: Vec<Vec<Leg>> = kinds.iter().map(|_| Vec::new()).collect();
    let mut ok = true;
    for round in 0..rounds {
        for (n, kind) in kinds.iter().enumerate() {
            let (leg, seen) = if kind.way == Way::Echo { echo_leg(length, kind.crowd) } else { daemon_leg(kind, length) };
            ok &= seen["ok"] == true;
            println!(
                "{}",
                json!({"bench": "reject", "round": round, "way": kind.way.word(), "beside": kind.beside.word(), "crowd": kind.crowd, "things": leg.raw.len(),
                    "raw_ms": figures(&leg.raw), "net_ms": figures(&leg.net), "missed": leg.missed, "early": leg.early, "daemon": seen})
            );
            legs[n].push(leg);
        }
    }
    for (quiet, disturbed) in [(4, 5), (4, 6), (7, 8), (7, 9)].into_iter().filter(|k| k.1 < kinds.len()) {
        ok &= beside_claim(&kinds[disturbed], &legs[quiet], &legs[disturbed], load);
    }
    ok &= echo_claim(&legs[0], &legs[1], 0, load);
    ok &= echo_claim(&legs[2], &legs[3], CROWD, load);
    ExitCode::from(u8::from(!ok))
}

/// One leg with the daemon, on a store of its own.
fn daemon_leg(kind: &Kind<'_>, length: Duration) -> (Leg, Value) {
    let Kind { way, beside, crowd } = *kind;
    let stall_ms = if let Beside::Stall = beside { STALL_MS } else { 0 };
    let codes = if way == Way::Withdrawn { length.as_millis() as u32 / WITHDRAWN.spacing + 10 } else { 10 };
    let mut line = Played::start(way.gate(), codes, &format!("commit_stall_ms={stall_ms}"), favour_this_thread, crowd);
    let mut client = line.client();
    let mut status = move || client.request("status", Map::new(), None).expect("a status");
    let mut importer = if let Beside::Import(pack) = beside { Some((line.client(), pack)) } else { None };
    let players = &mut line.players;
    let (leg, oldest_ms, held, lasted) = std::thread::scope(|s| {
        let importing = importer.as_mut().map(|(client, pack)| {
            let ask = json!({"path": pack, "level": "bottle", "product": "P1"});
            let Value::Object(ask) = ask else { unreachable!("an object") };
            s.spawn(move || client.request("pack.import", ask, None).expect("it is taken"))
        });
        let playing = s.spawn(move || play(way, players, length));
        let (mut oldest_ms, mut held) = (0, false);
        while !playing.is_finished() {
            let now = status();
            oldest_ms = oldest_ms.max(now["writer"]["oldest_ms"].as_u64().unwrap_or(0));
            held |= now["state"]["name"] != "execute";
            std::thread::park_timeout(Duration::from_millis(250));
        }
        let lasted = importing.as_ref().is_none_or(|i| !i.is_finished());
        importing.map(|i| i.join().expect("the import ended"));
        (playing.join().expect("the things were played"), oldest_ms, held, lasted)
    });
    let after = line.until(|s| s["writer"]["queue"] == 0);
    let rejected = after["stations"][0]["rejected"].clone();
    let clean = line.stop() == Some(0);
    let stalled = stall_ms == 0 || oldest_ms >= stall_ms * 8 / 10;
    // The crowd was there: nearly all that it read is verified.
    let crowded = after["stations"].as_array().map_or(0, |s| s.iter().skip(1).filter_map(|s| s["verified"].as_u64()).sum::<u64>());
    let due = u64::from(crowd) * length.as_millis() as u64 / 30;
    let seen = json!({"rejected": rejected, "oldest_ms": oldest_ms, "held": held, "lasted": lasted, "crowd_verified": crowded,
        "ok": clean && stalled && lasted && !held && crowded >= due * 9 / 10});
    (leg, seen)
}

/// Things one after the other, for so long.
fn play(way: Way, players: &mut Players, length: Duration) -> Leg {
    favour_this_thread();
    let mut rng = Rng::new(way as u64 + 1);
    let mut leg = Leg::default();
    let began = Instant::now();
    let mut next = began;
    let mut n = 0;
    while began.elapsed() < length {
        wait_until(next);
        // Never in step with the polls.
        next = Instant::now().max(next) + Duration::from_millis(way.gate().spacing.into()) + micros(&mut rng, 0, 5_000);
        while players.told.try_recv().is_ok() {}
        let (frame, lawful) = match way {
            Way::Echo => {
                let frame = players.frame("ERROR");
                (frame, frame)
            }
            Way::Held => {
                let frame = players.frame("ERROR");
                players.edge();
                let Some((shown, _)) = edge(players) else { continue };
                (frame, shown)
            }
            Way::Timed => {
                players.edge();
                let Some((shown, fell)) = edge(players) else { continue };
                wait_until(shown + micros(&mut rng, 500, 5_000));
                let frame = players.frame("ERROR");
                (frame, frame.max(fell + begins(TIMED)))
            }
            Way::Withdrawn => {
                players.edge();
                let Some((_, fell)) = edge(players) else { continue };
                players.frame(&code(n));
                n += 1;
                wait_until(fell + begins(WITHDRAWN) + micros(&mut rng, 2_000, 12_000));
                if players.told.try_recv().is_ok() {
                    leg.early += 1;
                    continue;
                }
                let frame = players.frame("ERROR");
                (frame, frame)
            }
        };
        let wrote = loop {
            match players.next(MISSED.saturating_sub(lawful.elapsed())) {
                Some(Told::Reject(at)) => break Some(at),
                Some(Told::Edge { .. }) => {}
                None => break None,
            }
        };
        leg.missed += usize::from(wrote.is_none());
        let wrote = wrote.unwrap_or(lawful + MISSED);
        leg.raw.push(ms_between(frame, wrote));
        leg.net.push(ms_between(lawful, wrote));
    }
    leg
}

/// From the edge to the beginning of the pulse.
fn begins(gate: Gate) -> Duration {
    Duration::from_micros(u64::from(gate.after) * 1_000 - u64::from(gate.pulse) * 500)
}

/// When the module showed it, and when the line takes it to have fallen.
fn edge(players: &Players) -> Option<(Instant, Instant)> {
    match players.next(Duration::from_secs(1)) {
        Some(Told::Edge { shown, fell }) => Some((shown, fell)),
        _ => None,
    }
}

fn ms_between(from: Instant, to: Instant) -> f64 {
    // A coil written before its moment counts as what it is.
    to.checked_duration_since(from).map_or_else(|| -(from - to).as_secs_f64(), |d| d.as_secs_f64()) * 1e3
}

fn micros(rng: &mut Rng, least: u64, most: u64) -> Duration {
    Duration::from_micros(least + rng.below(most - least + 1))
}

fn wait_until(at: Instant) {
    while let Some(left) = at.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
        std::thread::sleep(left);
    }
}

/// One leg with the echo in the daemon's place.
fn echo_leg(length: Duration, crowd: u32) -> (Leg, Value) {
    let mut players = Players::listen(favour_this_thread, crowd);
    let me = std::env::current_exe().expect("this program");
    let ports: Vec<String> = [players.reader, players.module].iter().chain(&players.crowd).map(u16::to_string).collect();
    let mut child = Command::new(me).arg("echo").args(ports).stdin(Stdio::null()).spawn().expect("the echo starts");
    // The first needs the connection; it is none of the leg's.
    players.frame("ERROR");
    let answered = players.next(LIMIT).is_some();
    players.crowd_begins();
    let leg = play(Way::Echo, &mut players, length);
    drop(players);
    let _ = child.kill();
    let _ = child.wait();
    (leg, json!({"ok": answered}))
}

/// The bare echo: bytes with a frame's end come, the coil's bytes go, the module's answer is taken.
fn echo(reader: &str, module: &str, crowd: &[String]) -> ExitCode {
    let connect = |port: &str| {
        let stream = TcpStream::connect(("127.0.0.1", port.parse().expect("a port"))).expect("the players listen");
        stream.set_nodelay(true).expect("an option of TCP");
        stream
    };
    let (mut reader, mut module) = (connect(reader), connect(module));
    for port in crowd {
        let mut stream = connect(port);
        std::thread::spawn(move || while matches!(stream.read(&mut [0; 4_096]), Ok(1..)) {});
    }
    favour_this_thread();
    let (mut buf, mut answer) = ([0; 4_096], [0; 12]);
    while let Ok(n @ 1..) = reader.read(&mut buf) {
        if buf[n - 1] == b'\r' && (module.write_all(&COIL).is_err() || module.read_exact(&mut answer).is_err()) {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Rejects beside something that keeps the disk or the processor busy, held against those of quiet legs.
fn beside_claim(kind: &Kind<'_>, quiet: &[Leg], stalled: &[Leg], load: [f64; 2]) -> bool {
    let Kind { way, beside, .. } = *kind;
    let mut all = true;
    let judged: Vec<Value> = [("raw", true), ("net", false)]
        .into_iter()
        .map(|(name, raw)| {
            let p99 = |legs: &[Leg]| legs.iter().map(|l| at(if raw { &l.raw } else { &l.net }, 0.99)).collect::<Vec<f64>>();
            let (q, s) = (p99(quiet), p99(stalled));
            let limit = 1.5 * median(&q) + 1.0;
            let ok = median(&s) <= limit;
            all &= ok;
            json!({"of": name, "p99_quiet_ms": round(median(&q)), "p99_beside_ms": round(median(&s)), "limit_ms": round(limit),
                "legs_quiet": spread(&q), "legs_beside": spread(&s), "ok": ok})
        })
        .collect();
    let pooled =
        |legs: &[Leg], raw: bool| figures(&legs.iter().flat_map(|l| if raw { l.raw.clone() } else { l.net.clone() }).collect::<Vec<_>>());
    println!(
        "{}",
        json!({"bench": "reject", "claim": beside.word(), "way": way.word(), "stall_ms": STALL_MS, "legs": quiet.len(), "judged": judged,
            "pooled": {"quiet_raw": pooled(quiet, true), "quiet_net": pooled(quiet, false),
                "beside_raw": pooled(stalled, true), "beside_net": pooled(stalled, false)},
            "load": load, "ok": all})
    );
    all
}

fn echo_claim(daemon: &[Leg], echo: &[Leg], crowd: u32, load: [f64; 2]) -> bool {
    let pool = |legs: &[Leg]| legs.iter().flat_map(|l| l.raw.clone()).collect::<Vec<f64>>();
    let legs = |legs: &[Leg], q: f64| legs.iter().map(|l| at(&l.raw, q)).collect::<Vec<f64>>();
    let (daemon_ms, echo_ms) = (pool(daemon), pool(echo));
    let (mut figures_of, mut ok) = (Map::new(), true);
    for (name, q) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
        let (d, e) = (at(&daemon_ms, q), at(&echo_ms, q));
        let limit = if name == "p999" { 2.0 * e } else { e + 1.0 };
        ok &= d <= limit;
        figures_of.insert(
            name.into(),
            json!({"daemon_ms": round(d), "echo_ms": round(e), "difference_ms": round(d - e), "ratio": round(d / e),
                "limit_ms": round(limit), "ok": d <= limit,
                "legs_daemon": spread(&legs(daemon, q)), "legs_echo": spread(&legs(echo, q))}),
        );
    }
    println!(
        "{}",
        json!({"bench": "reject", "claim": "echo", "way": "withdrawn", "crowd": crowd, "legs": daemon.len(), "figures": figures_of,
            "pooled": {"daemon": figures(&daemon_ms), "echo": figures(&echo_ms)}, "load": load, "ok": ok})
    );
    ok
}

fn figures(ms: &[f64]) -> Value {
    json!({"n": ms.len(), "p50": round(at(ms, 0.5)), "p99": round(at(ms, 0.99)), "p999": round(at(ms, 0.999)), "max": round(at(ms, 1.0))})
}

/// Nearest rank.
fn at(ms: &[f64], q: f64) -> f64 {
    let mut sorted = ms.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::INFINITY)
}

fn median(of: &[f64]) -> f64 {
    at(of, 0.5)
}

/// Least and most of the legs.
fn spread(of: &[f64]) -> Value {
    json!([round(at(of, 0.0)), round(at(of, 1.0))])
}

fn round(x: f64) -> f64 {
    (x * 1_000.0).round() / 1_000.0
}

/// Load average of the last minute and of the last five.
fn load() -> [f64; 2] {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut words = text.split(' ').map(|w| w.parse().unwrap_or(f64::NAN));
    [words.next().unwrap_or(f64::NAN), words.next().unwrap_or(f64::NAN)]
}

/// As the daemon does for its own line.
fn favour_this_thread() {
    let _ = rustix::process::setpriority_process(None, -10);
}
