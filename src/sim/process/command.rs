//! `packmark simulate` itself: its words, the codes of pre-printed rolls, its two lines on stdout, its signals.

use super::stage::{Scene, play};
use super::{Doors, SimulateError, rig};
use crate::config::Config;
use crate::profile::Profiles;
use crate::sim::related;
use crate::sim::rig::Rig;
use crate::sim::world::{Faults, Refusal, World, WorldHow};
use crate::vocab::rng::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

#[derive(clap::Args, Debug, Clone)]
pub struct SimulateArgs {
    /// Where to write what physically happened (NDJSON); an existing file is written anew
    #[arg(long, value_name = "FILE")]
    pub truth: PathBuf,
    /// Items to feed; without it the belt is fed until SIGTERM
    #[arg(long, value_name = "N")]
    pub units: Option<u64>,
    /// The same seed gives the same things, faults and delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How bad a day it is
    #[arg(long, value_enum, default_value_t = FaultLevel::None)]
    pub faults: FaultLevel,
    /// Items a minute
    #[arg(long, value_name = "ITEMS_PER_MIN", default_value_t = 300)]
    pub rate: u32,
    /// Codes on the things of a pre-printed level, one a line, in their order
    #[arg(long, value_name = "LEVEL=FILE", value_parser = roll)]
    pub preprinted: Vec<(String, PathBuf)>,
    /// Codes of pre-printed levels that belong together: a table, its first line names the levels, the innermost first
    #[arg(long, value_name = "FILE")]
    pub related: Option<PathBuf>,
    /// Loopback address of a control port, where knobs of devices are turned; port 0 takes a free one
    ///
    /// One JSON object a line: {"op":"devices"} answers every device with its knobs, {"op":"turn","device":"ijp1",
    /// "knob":"starve","ms":2000} turns one. Knobs: silent, mute-next, late, link-loss, power-cycle, split, glue, duplicate;
    /// of printers nak-next, drop-buffer, starve, fault, jam; of readers stale-frame; of I/O modules nak-next, jam, stuck
    /// ("station" names one gate).
    #[arg(long, value_name = "IP:PORT", value_parser = loopback)]
    pub control: Option<SocketAddr>,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "write IP:PORT, as 127.0.0.1:0".to_string())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("the control port is for this machine only: take 127.0.0.1".into()) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FaultLevel {
    None,
    Normal,
    Hard,
}

fn roll(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((level, file)) if !level.is_empty() && !file.is_empty() => Ok((level.into(), file.into())),
        _ => Err("write LEVEL=FILE, as box=boxes.txt".into()),
    }
}

/// Codes of a file as `pack import` reads them: one a line, LF or CRLF, a BOM dropped, empty lines skipped, nothing
/// trimmed.
pub fn read_codes(path: &Path) -> std::io::Result<Vec<Vec<u8>>> {
    let bytes = std::fs::read(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let lines = bytes.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
    Ok(lines.filter(|l| !l.is_empty()).map(<[u8]>::to_vec).collect())
}

/// Plays a configuration's line until everything is fed and at rest, or SIGTERM (or Ctrl-C). `wall_us` answers the wall
/// clock, µs since the Unix epoch. Answers the items fed; the truth is on the disk then.
pub fn simulate(config: &Config, profiles: &Profiles, args: &SimulateArgs, wall_us: impl Fn() -> i64) -> Result<u64, SimulateError> {
    let mut rng = Rng::new(args.seed);
    let world = world(config, args, rng.next_u64())?;
    let rig = rig(config, profiles, rng.next_u64())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SimulateError::Runtime)?;
    let fed = runtime.block_on(async {
        let stop = stopped().map_err(SimulateError::Runtime)?;
        let mut doors = Doors::open(config).await?;
        let mut ready = json!({"ready": true});
        if let Some(at) = args.control {
            ready["control"] = doors.open_control(at).await?.to_string().into();
        }
        say(&ready)?;
        play(doors, rig, world, &config.socket, &args.truth, wall_us(), stop).await
    })?;
    say(&json!({"done": true, "fed": fed}))?;
    Ok(fed)
}

fn world(config: &Config, args: &SimulateArgs, seed: u64) -> Result<World, SimulateError> {
    let mut preprinted: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (level, path) in &args.preprinted {
        let codes = read_codes(path).map_err(|source| SimulateError::Preprinted { path: path.clone(), source })?;
        preprinted.entry(level.clone()).or_default().extend(codes);
    }
    let rows = args.related.as_deref().map(related::read).transpose().map_err(SimulateError::World)?.unwrap_or_default();
    for (level, codes) in rows.rolls {
        preprinted.entry(level).or_default().extend(codes);
    }
    let faults = match args.faults {
        FaultLevel::None => Faults::None,
        FaultLevel::Normal => Faults::Normal,
        FaultLevel::Hard => Faults::Hard,
    };
    let how = WorldHow { units: args.units, seed, faults, rate_per_min: args.rate, preprinted, made_for: rows.made_for };
    World::new(Arc::new(config.plan.clone()), how).map_err(SimulateError::World)
}

/// Ends with the first SIGTERM or SIGINT. The signals are caught from here on.
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn say(line: &Value) -> Result<(), SimulateError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(SimulateError::Stdout)
}

impl Scene for World {
    fn begin(&mut self, wall_us: i64, now_us: u64) {
        self.begin(wall_us, now_us);
    }
    fn step(&mut self, now_us: u64, bench: &mut Rig) {
        self.step(now_us, bench);
    }
    fn next_us(&self) -> u64 {
        self.next_us()
    }
    fn lagged(&mut self, ms: u64, now_us: u64) {
        self.lagged(ms, now_us);
    }
    fn done(&self) -> bool {
        self.done().is_some()
    }
    fn fed(&self) -> u64 {
        self.fed()
    }
    fn finish(&mut self, now_us: u64) {
        self.finish(now_us);
    }
    fn take_truth(&mut self) -> Vec<String> {
        self.take_truth()
    }
    fn hears(&mut self, line: Option<&Value>) {
        match line {
            Some(line) => self.operator_hears(line),
            None => self.operator_left(),
        }
    }
    fn says(&mut self) -> Option<Value> {
        self.operator_says()
    }
    fn turn(&mut self, request: &Value, bench: &mut Rig) -> Result<Value, Refusal> {
        self.turn(request, bench)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_are_read_as_packs_are() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("boxes.txt");
        std::fs::write(&file, b"\xef\xbb\xbfB1\r\n\r\n B2 \n\nB\x1d3").unwrap();
        assert_eq!(read_codes(&file).unwrap(), [&b"B1"[..], b" B2 ", b"B\x1d3"]);
    }

    #[test]
    fn a_roll_names_level_and_file() {
        assert_eq!(roll("box=a=b.txt"), Ok(("box".into(), "a=b.txt".into())));
        assert!(roll("boxes.txt").is_err() && roll("=x").is_err());
    }
}
