//! `packmark run`: builds the rooms, joins them, and ends them in order.
//!
//! Order of coming up: profiles and configuration, the ledger under its lock, what the last boot left unknown settled
//! and on disk, the sockets, the devices, one line on stdout. Order of going: devices, writer (drained and
//! checkpointed), socket file. A panic anywhere ends the program at once: a daemon half alive is worse than none.

use super::board::Board;
use super::clock::Clock;
use super::devices::Devices;
use super::hooks;
use super::imports::Imports;
use super::inbox;
use super::owner::{ADMIT, End, Inlets, Owner, Parts};
use super::supplies::{Setting, Supplies};
use super::tail::JournalTail;
use super::terms::{Exit, Globals};
use crate::config::Config;
use crate::control::phrases;
use crate::control::protocol::Status;
use crate::control::server::{self, Desk};
use crate::ledger::{Codebook, Core, Hooks, OpenHow, Opened, Writer, other_rule, ranges};
use crate::line::{Input, Line, start::number_plan};
use crate::profile::Profiles;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

/// Reports of devices that may wait for the owner: some seconds of a busy line.
const REPORTS: usize = 1_024;
const COMMANDS: usize = 64;
const COMMITS: usize = 64;
/// Answers of sources: each has one question open at a time.
const SUPPLY: usize = 16;
/// How long drivers may take to get their last orders out: at an orderly end, and when everything must end at once.
const LAST_ORDERS: Duration = Duration::from_millis(500);
const LAST_WORDS: Duration = Duration::from_millis(50);

#[derive(clap::Args, Debug, Clone, Default)]
pub struct RunArgs {
    #[arg(long, hide = true, value_name = "K=V,…")]
    pub test_hooks: Option<String>,
    /// Go on although an older copy of the ledger was put back: the codes it does not know of become doubtful
    #[arg(long)]
    pub accept_restored: bool,
}

/// Why the daemon did not come up, or went: sentences for stderr, and the exit code.
struct Refused {
    exit: Exit,
    sentences: Vec<String>,
}

fn refused(exit: Exit, sentence: impl Into<String>) -> Refused {
    Refused { exit, sentences: vec![sentence.into()] }
}

/// Runs until it is told to stop.
pub fn run(globals: &Globals, args: &RunArgs) -> Exit {
    start_log();
    die_of_panics();
    match come_up(globals, args) {
        Ok(()) => Exit::Done,
        Err(r) => {
            r.sentences.iter().for_each(|s| eprintln!("{}", if globals.english() { s.into() } else { phrases::chinese(s) }));
            r.exit
        }
    }
}

fn come_up(globals: &Globals, args: &RunArgs) -> Result<(), Refused> {
    let hooks = args.test_hooks.as_deref().map(hooks::parse).transpose().map_err(|s| refused(Exit::Usage, s))?;
    let Some(file) = &globals.config else {
        return Err(refused(Exit::Usage, "run needs the line's configuration: packmark run --config FILE"));
    };
    let profiles = Profiles::load(globals.profiles_dir().as_deref())
        .map_err(|all| Refused { exit: Exit::Usage, sentences: all.iter().map(ToString::to_string).collect() })?;
    let traits = |name: &str, given: &_| profiles.bind(name, given).map(|b| b.traits());
    let mut config = Config::load(file, &traits)
        .map_err(|all| Refused { exit: Exit::Usage, sentences: all.iter().map(ToString::to_string).collect() })?;
    if let Some(store) = &globals.store {
        config.store = absolute(store);
    }
    if let Some(socket) = &globals.socket {
        config.socket = absolute(socket);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| refused(Exit::Refused, format!("the program's event loop cannot start ({e}): check the limit of open files")))?;
    let clock = Clock::start(hooks.map_or(0, |h| h.clock_offset_s));
    let boot = random_id().map_err(|e| refused(Exit::Refused, format!("the system gives no random numbers ({e})")))?;
    let opened = open_ledger(&config, args, hooks, &boot, &clock)?;
    runtime.block_on(live(config, &profiles, opened, boot, clock, args.accept_restored))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

fn open_ledger(config: &Config, args: &RunArgs, hooks: Option<Hooks>, boot: &str, clock: &Clock) -> Result<Opened, Refused> {
    let how = OpenHow {
        create: true,
        boot: boot.into(),
        wall_us: clock.now().wall_us,
        socket: Some(config.socket.clone()),
        hooks,
        production: hooks.is_none(),
        accept_restored: args.accept_restored,
    };
    let opened = Core::open(&config.store, &how).map_err(|e| refused(Exit::Refused, chain(&e)))?;
    if let Some(what) = other_rule(opened.codebook.rule(), config.plan.codes.key) {
        return Err(refused(Exit::Refused, what));
    }
    // After an older copy was put back, files of packs it does not know may be the only trace of codes in the world.
    if !args.accept_restored
        && let Err(e) = opened.codebook.sweep()
    {
        tracing::warn!("files of an import that did not end could not be removed: {e}");
    }
    Ok(opened)
}

/// Sees to the index over many packs, should it be missing, on a thread of low priority.
fn tend(codebook: Codebook) {
    let work = move || {
        let _ = rustix::process::setpriority_process(None, 10);
        if let Err(e) = codebook.tend_beside_the_line() {
            tracing::warn!("the index over all packs could not be made, look-ups take longer: {e}");
        }
    };
    if let Err(e) = std::thread::Builder::new().name("tend".into()).spawn(work) {
        tracing::warn!("the index over all packs is not looked after: {e}");
    }
}

/// From the opened ledger to the end.
async fn live(
    mut config: Config,
    profiles: &Profiles,
    opened: Opened,
    boot: String,
    clock: Clock,
    accept_restored: bool,
) -> Result<(), Refused> {
    let Opened { core, book, codebook, clean, last_seq, last_wall_us, restored } = opened;
    // Listening before anything else: a SIGTERM during the start is an orderly stop too.
    let stop = listen_for_signals().map_err(|e| refused(Exit::Refused, format!("signals cannot be received ({e})")))?;
    // Codes of an order that an older copy holds open may have been used in what that copy does not know.
    let was_restored = accept_restored || !restored.is_empty();
    let seed = u64::from_str_radix(&boot, 16).unwrap_or(0);
    number_plan(&mut config.plan, &book);
    if let Err(sentences) = ranges::fit(&config.plan, &book, &codebook, &restored) {
        // Nothing was begun: the ledger is closed in order.
        let _ = core.close();
        return Err(Refused { exit: Exit::Usage, sentences });
    }
    let plan = Arc::new(config.plan.clone());
    let known = book.line.alarms.iter().filter(|a| a.starts_with(inbox::REFUSED)).cloned().collect();
    let (commit, mut commits) = mpsc::channel(COMMITS);
    let writer = Writer::start(core, move |o| drop(commit.blocking_send(o)));
    let made_for = codebook.made_for_in(&book);
    let line = Line::new(plan.clone(), book);
    tend(codebook.clone());
    let (report, reports) = mpsc::channel(REPORTS);
    let devices = Devices::new(plan.clone(), profiles, config.base.clone(), clock, report)
        .map_err(|sentences| Refused { exit: Exit::Usage, sentences })?;
    let (imported_in, imported) = mpsc::channel(1);
    let (supply_in, supply) = mpsc::channel(SUPPLY);
    let supplies = Supplies::start(&Setting {
        plan: &plan,
        book: line.book(),
        store: &config.store,
        codebook: &codebook,
        boot: &boot,
        seed,
        restored: was_restored,
        told: supply_in,
    })
    .map_err(|s| refused(Exit::Refused, s))?;
    let (status_in, status) = watch::channel(Arc::new(Status::default()));
    let (committed_seq, committed) = watch::channel(last_seq);
    let mut owner = Owner::new(Parts {
        clock,
        base: config.base.clone(),
        board: Board::new(codebook.clone(), config.store.clone(), &line, status_in),
        line,
        imports: Imports::new(codebook.clone(), plan.clone(), imported_in),
        supplies,
        codebook,
        writer,
        devices,
        committed_seq,
        admit: ADMIT,
    });
    if let Some(end) = owner.boot(Input::Booted { clean, last_wall_us, restored, made_for }, &mut commits).await {
        return finish(owner, commits, end, None).await;
    }
    let (command, commands) = mpsc::channel(COMMANDS);
    let (alarm, alarms) = mpsc::channel(1);
    let _inbox = inbox::watch(&plan, command.clone(), alarm, known);
    let tail = Arc::new(JournalTail::new(config.store.clone(), committed.clone()));
    let desk = Desk { line: plan.line.clone(), boot: boot.clone(), status, commands: command, committed, tail };
    let bound = match open_desk(desk, config.socket.clone(), config.status_tcp).await {
        Ok(bound) => bound,
        Err(sentence) => {
            // Nothing was opened but the ledger: it is closed in order.
            drop(commits);
            let _ = owner.writer.stop();
            return Err(refused(Exit::Refused, sentence));
        }
    };
    favour_this_thread();
    owner.devices.open();
    say_ready(&plan.line, &boot, &config.socket, bound);
    let end = {
        let mut inlets = Inlets { commits, devices: reports, commands, imported, alarms, supply, stop };
        let end = owner.run(&mut inlets).await;
        commits = inlets.commits;
        end
    };
    finish(owner, commits, end, Some(&config.socket)).await
}

/// Devices, writer, socket file, in this order.
async fn finish(owner: Owner, commits: mpsc::Receiver<crate::ledger::Outcome>, end: End, socket: Option<&Path>) -> Result<(), Refused> {
    let Owner { devices, writer, .. } = owner;
    devices.close(if matches!(end, End::Stopped) { LAST_ORDERS } else { LAST_WORDS }).await;
    // Nobody hears of further commits; the writer must not wait for somebody to.
    drop(commits);
    let done = match end {
        End::Stopped => writer.stop().map_err(|s| refused(Exit::Refused, s)),
        End::Failed(sentence) => Err(refused(Exit::Refused, sentence)),
    };
    if let Some(path) = socket {
        let _ = std::fs::remove_file(path);
    }
    done
}

/// The socket's own thread: a client can be slow, or ask much, without the line noticing.
async fn open_desk(desk: Desk, socket: PathBuf, tcp: SocketAddr) -> Result<SocketAddr, String> {
    let (tell, told) = oneshot::channel();
    let work = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(r) => r,
            Err(e) => return drop(tell.send(Err(format!("the socket's event loop cannot start ({e}): check the limit of open files")))),
        };
        runtime.block_on(async move {
            let bound = server::serve(desk, &socket, tcp).await;
            let serving = bound.is_ok();
            let _ = tell.send(bound.map_err(|e| chain(&e)));
            if serving {
                std::future::pending::<()>().await;
            }
        });
    };
    std::thread::Builder::new().name("socket".into()).spawn(work).map_err(|e| format!("the socket's thread cannot start ({e})"))?;
    told.await.unwrap_or_else(|_| Err("the socket's thread ended unexpectedly".into()))
}

/// The line's thread before everything else on this machine, where the system allows it (root, or CAP_SYS_NICE);
/// threads started earlier keep their share.
fn favour_this_thread() {
    if let Err(e) = rustix::process::setpriority_process(None, -10) {
        tracing::debug!("the line's thread has no better share than others: {e}");
    }
}

fn listen_for_signals() -> std::io::Result<mpsc::Receiver<&'static str>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (tell, told) = mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            let name = tokio::select! { _ = term.recv() => "SIGTERM", _ = int.recv() => "SIGINT" };
            // Full: the stop is under way already.
            let _ = tell.try_send(name);
        }
    });
    Ok(told)
}

/// The one line on stdout.
fn say_ready(line: &str, boot: &str, socket: &Path, tcp: SocketAddr) {
    let ready =
        serde_json::json!({"ready": true, "line": line, "boot": boot, "socket": socket.to_string_lossy(), "status_tcp": tcp.to_string()});
    let mut out = std::io::stdout().lock();
    // Nobody reads it: the line runs all the same.
    let _ = std::io::Write::write_all(&mut out, format!("{ready}\n").as_bytes());
    let _ = std::io::Write::flush(&mut out);
}

/// To stderr; `PACKMARK_LOG` is one of off, error, warn, info (when unset), debug, trace.
fn start_log() {
    let level = std::env::var("PACKMARK_LOG").ok().and_then(|l| l.parse::<tracing_subscriber::filter::LevelFilter>().ok());
    let _ = tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(tracing_subscriber::filter::LevelFilter::INFO))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false)
        .try_init();
}

fn die_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!(
            "packmark: a fault in the program itself; it ends here, everything acknowledged is safe; start it again and report this: {panic}"
        );
        std::process::abort();
    }));
}

/// An error with its sources, none of which repeats the other.
fn chain(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut source = e.source();
    while let Some(s) = source {
        let s_text = s.to_string();
        if !text.contains(&s_text) {
            text = format!("{text}: {s_text}");
        }
        source = s.source();
    }
    text
}

fn random_id() -> std::io::Result<String> {
    let mut b = [0u8; 8];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut b)?;
    Ok(crate::vocab::code::hex(&b))
}
