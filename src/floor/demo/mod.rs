//! `packmark demo`: the newcomer's first command. A simulated line and the real daemon, each a process of its own, on
//! loopback TCP and a pty; a job from empty belt to closed balances; the way to look closer.

mod scene;
mod show;
mod signals;
mod tally;

use crate::control::client::{Client, ClientError};
use crate::floor::terms::{Exit, Globals, say};
use scene::Scene;
use serde_json::{Map, Value, json};
use show::Show;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long any one step may take before the demo gives up and says where it stands.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(clap::Args, Debug, Clone)]
pub struct DemoArgs {
    /// No screen: plain progress on stderr
    #[arg(long)]
    pub headless: bool,
    /// Bottles to feed
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub units: u64,
    /// The same seed gives the same codes and faults (default: from the clock)
    #[arg(long)]
    pub seed: Option<u64>,
    /// none, normal or hard
    #[arg(long, default_value = "normal", value_parser = ["none", "normal", "hard"])]
    pub faults: String,
    /// Items a minute
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=1_200))]
    pub rate: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("{0}")]
    Folder(String),
    #[error("{what} ({source})")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the {who} ended unexpectedly: see {log}")]
    Ended { who: &'static str, log: PathBuf },
    #[error("{what} took more than {limit_s} s: see the logs beside {config}")]
    Slow { what: String, limit_s: u64, config: PathBuf },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the ledger cannot be read afterwards ({0})")]
    Read(#[from] crate::ledger::reader::ReadError),
    #[error("the demo was ended from outside; its store is kept in {0}")]
    Stopped(PathBuf),
}

/// Carries out the command.
pub fn demo(g: &Globals, args: &DemoArgs) -> Exit {
    let scene = match Scene::set(g, args) {
        Ok(s) => s,
        Err(DemoError::Folder(what)) => {
            say(what);
            return Exit::Usage;
        }
        Err(e) => {
            say(e);
            return Exit::Refused;
        }
    };
    match play(g, args, scene) {
        Ok(exit) => exit,
        Err(e) => {
            say(e);
            Exit::Refused
        }
    }
}

fn play(g: &Globals, args: &DemoArgs, mut scene: Scene) -> Result<Exit, DemoError> {
    let ended = signals::watch().map_err(|source| DemoError::Io { what: "signals cannot be received".into(), source })?;
    let mut show = Show::open(g, args);
    show.says(format!("store {}, configuration {}, seed {}", scene.store.display(), scene.config.display(), scene.seed));
    scene.start_simulator()?;
    scene.start_daemon()?;
    let mut client = Client::connect(&scene.socket, PATIENCE)?;
    for (level, file) in [("bottle", &scene.bottles), ("box", &scene.boxes)] {
        let fields = object(json!({"path": file, "level": level, "product": "P1", "pack": format!("demo-{level}")}));
        let done = client.request("pack.import", fields, None)?;
        show.says(format!("{} {level} codes imported", done.get("count").map(ToString::to_string).unwrap_or_default()));
    }
    client.request("job.create", object(json!({"job": "DEMO", "product": "P1", "lot": "A1", "target": args.units})), None)?;
    start_job(&mut client, &scene, &ended)?;
    show.says("the job runs: every bottle is printed, read, packed; every box, case and pallet is read".to_string());
    loop {
        let status = client.request("status", Map::new(), None)?;
        if show.update(&status) || ended.load(Ordering::Relaxed) {
            show.close();
            scene.stop()?;
            return Err(DemoError::Stopped(scene.store.clone()));
        }
        scene.alive()?;
        // The simulator ends when the belt is empty and every label and hand scan is done with: its devices are gone then.
        if scene.fed().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    client.request("job.complete", object(json!({"job": "DEMO", "open": "void"})), None)?;
    scene.stop()?;
    show.close();
    let tally = tally::count(&scene, g.english())?;
    Ok(tally.tell(g.json))
}

/// Devices connect within a moment; until then the daemon says what is missing.
fn start_job(client: &mut Client, scene: &Scene, ended: &AtomicBool) -> Result<(), DemoError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match client.request("job.start", object(json!({"job": "DEMO"})), None) {
            Ok(_) => return Ok(()),
            Err(_) if ended.load(Ordering::Relaxed) => return Err(DemoError::Stopped(scene.store.clone())),
            Err(ClientError::Refused(r)) if r.code == "not-ready" && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(ClientError::Refused(r)) if r.code == "not-ready" => {
                let (what, limit_s) = (format!("starting the job ({})", r.message.replace('\n', "; ")), PATIENCE.as_secs());
                return Err(DemoError::Slow { what, limit_s, config: scene.config.clone() });
            }
            Err(e) => return Err(e.into()),
        }
    }
}

fn object(v: Value) -> Map<String, Value> {
    match v {
        Value::Object(m) => m,
        _ => Map::new(),
    }
}
