//! The demo's stage: folders, the configuration and the packs written into them, the two processes.

use super::{DemoArgs, DemoError, PATIENCE};
use crate::floor::clock::Clock;
use crate::floor::terms::Globals;
use crate::sim::example::{LINE, tightened, token};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

pub struct Scene {
    pub store: PathBuf,
    pub config: PathBuf,
    pub truth: PathBuf,
    pub socket: PathBuf,
    pub bottles: PathBuf,
    pub boxes: PathBuf,
    pub seed: u64,
    args: DemoArgs,
    simulator: Option<Actor>,
    daemon: Option<Actor>,
    fed: Option<u64>,
}

/// A process of ours and the JSON lines it prints.
struct Actor {
    child: Child,
    lines: Receiver<serde_json::Value>,
    log: PathBuf,
}

impl Drop for Actor {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> DemoError {
    let what = what.into();
    move |source| DemoError::Io { what, source }
}

impl Scene {
    /// Folders, configuration, packs. Nothing of an existing store is touched.
    pub fn set(g: &Globals, args: &DemoArgs) -> Result<Self, DemoError> {
        let seed = args.seed.unwrap_or_else(|| (Clock::start(0).now().wall_us as u64 / 1_000) & 0xffff_ffff);
        let store = match &g.store {
            Some(dir) => std::path::absolute(dir).map_err(io("the folder's path is not understood"))?,
            None => fresh_folder(seed)?.join("store"),
        };
        if store.exists() && std::fs::read_dir(&store).map_or(true, |mut d| d.next().is_some()) {
            let what = format!("{} is not an empty folder: give an empty or a new one, or leave --store away", store.display());
            return Err(DemoError::Folder(what));
        }
        std::fs::create_dir_all(&store).map_err(io(format!("{} cannot be made", store.display())))?;
        let name = store.file_name().map_or("store".into(), |n| n.to_string_lossy().into_owned());
        let beside = |ending: &str| store.with_file_name(format!("{name}{ending}"));
        let scene = Self {
            config: beside(".toml"),
            socket: beside(".sock"),
            bottles: beside("-bottles.txt"),
            boxes: beside("-boxes.txt"),
            truth: store.join("truth.ndjson"),
            store,
            seed,
            args: args.clone(),
            simulator: None,
            daemon: None,
            fed: None,
        };
        let text = configuration(&name, args.rate).map_err(io("no free port on loopback"))?;
        write(&scene.config, &text)?;
        // Ten in a hundred more than bottles, and never less than a printer's window.
        let codes = args.units + (args.units / 10).max(40);
        for (file, kind) in [(&scene.bottles, "A"), (&scene.boxes, "B")] {
            let mut text = String::new();
            for n in 0..codes {
                text.push_str(&token(seed, kind, n));
                text.push('\n');
            }
            write(file, &text)?;
        }
        Ok(scene)
    }

    pub fn start_simulator(&mut self) -> Result<(), DemoError> {
        let a = &self.args;
        let args: Vec<String> = [
            "simulate",
            "--config",
            &self.config.to_string_lossy(),
            "--truth",
            &self.truth.to_string_lossy(),
            "--units",
            &a.units.to_string(),
            "--seed",
            &self.seed.to_string(),
            "--faults",
            &a.faults,
            "--rate",
            &a.rate.to_string(),
            "--preprinted",
            &format!("box={}", self.boxes.to_string_lossy()),
        ]
        .map(String::from)
        .to_vec();
        self.simulator = Some(self.start("simulate", &args)?);
        Ok(())
    }

    pub fn start_daemon(&mut self) -> Result<(), DemoError> {
        let args = ["run", "--config", &self.config.to_string_lossy()].map(String::from);
        self.daemon = Some(self.start("run", &args)?);
        Ok(())
    }

    /// Starts a process and waits for its ready line.
    fn start(&self, what: &'static str, args: &[String]) -> Result<Actor, DemoError> {
        let log = self.config.with_extension(format!("{what}.log"));
        let file = std::fs::File::create(&log).map_err(io(format!("{} cannot be written", log.display())))?;
        let exe = std::env::current_exe().map_err(io("this program's own path is not known"))?;
        let mut child = Command::new(exe)
            .args(args)
            .stdin(Stdio::null())
            // Of a group of its own: Ctrl-C is the demo's to answer, which then stops its processes in order.
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .map_err(io(format!("packmark {what} cannot be started")))?;
        let (tell, lines) = sync_channel(64);
        let out = child.stdout.take().expect("stdout is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Ok(v) = serde_json::from_str(&line)
                    && tell.send(v).is_err()
                {
                    return;
                }
            }
        });
        let actor = Actor { child, lines, log };
        match actor.lines.recv_timeout(PATIENCE) {
            Ok(v) if v["ready"] == true => Ok(actor),
            _ => Err(DemoError::Ended { who: what, log: actor.log.clone() }),
        }
    }

    /// Both processes live (the simulator may have come to its end).
    pub fn alive(&mut self) -> Result<(), DemoError> {
        if let Some(s) = &mut self.simulator {
            if let Ok(v) = s.lines.try_recv()
                && v["done"] == true
            {
                self.fed = Some(v["fed"].as_u64().unwrap_or(0));
            }
            if self.fed.is_none() && !matches!(s.child.try_wait(), Ok(None)) {
                // Its last line may still be on the way.
                match s.lines.recv_timeout(Duration::from_secs(1)) {
                    Ok(v) if v["done"] == true => self.fed = Some(v["fed"].as_u64().unwrap_or(0)),
                    _ => return Err(DemoError::Ended { who: "simulator", log: s.log.clone() }),
                }
            }
        }
        if let Some(d) = &mut self.daemon
            && !matches!(d.child.try_wait(), Ok(None))
        {
            return Err(DemoError::Ended { who: "daemon", log: d.log.clone() });
        }
        Ok(())
    }

    pub fn fed(&self) -> Option<u64> {
        self.fed
    }

    /// SIGTERM to the daemon, then to the simulator; both end in order.
    pub fn stop(&mut self) -> Result<(), DemoError> {
        for (who, actor) in [("daemon", self.daemon.take()), ("simulator", self.simulator.take())] {
            let Some(mut a) = actor else { continue };
            let pid = rustix::process::Pid::from_child(&a.child);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let end = Instant::now() + PATIENCE;
            loop {
                match a.child.try_wait() {
                    Ok(Some(s)) if s.success() => break,
                    Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
                    _ => return Err(DemoError::Ended { who, log: a.log.clone() }),
                }
            }
        }
        Ok(())
    }
}

fn fresh_folder(seed: u64) -> Result<PathBuf, DemoError> {
    let base = std::env::temp_dir();
    for n in 0..1_000 {
        let dir = base.join(format!("packmark-demo-{seed:08x}-{n}"));
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(io(format!("{} cannot be made", dir.display()))(e)),
        }
    }
    Err(DemoError::Folder(format!("{} is full of old demos: remove some", base.display())))
}

fn write(path: &Path, text: &str) -> Result<(), DemoError> {
    std::fs::write(path, text).map_err(io(format!("{} cannot be written", path.display())))
}

/// The contract's example with free ports and what the rate implies for spacings.
fn configuration(name: &str, rate: u32) -> std::io::Result<String> {
    let mut text = LINE.replace("store = \"store\"", &format!("store = \"{name}\""));
    text = text.replace("packmark.sock", &format!("{name}.sock")).replace("hand1.tty", &format!("{name}-hand1.tty"));
    let mut held = Vec::new();
    for port in ["17000", "19004", "19006", "19100", "19005", "15020"] {
        let l = TcpListener::bind("127.0.0.1:0")?;
        text = text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", l.local_addr()?.port()));
        held.push(l);
    }
    drop(held);
    Ok(tightened(&text, rate))
}
