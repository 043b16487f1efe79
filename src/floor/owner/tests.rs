//! The owner on a real ledger, without devices: what is shown and answered, and when.

use super::*;
use crate::config::Config;
use crate::control::protocol::{Op, Status};
use crate::ledger::{Core, Hooks, OpenHow};
use crate::line::start::number_plan;
use crate::profile::Profiles;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::oneshot;

struct World {
    _dir: TempDir,
    status: watch::Receiver<Arc<Status>>,
    commands: mpsc::Sender<Command>,
    stop: mpsc::Sender<&'static str>,
    owner: Owner,
    inlets: Inlets,
}

/// A daemon without sockets and devices, whose commits take `stall_ms` and whose writer admits `admit` decisions.
async fn world(stall_ms: u64, admit: u64) -> World {
    let dir = TempDir::new().unwrap();
    let profiles = Profiles::load(None).unwrap();
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/line.toml"));
    let mut config = Config::load(file, &|name, given| profiles.bind(name, given).map(|b| b.traits())).unwrap();
    let clock = Clock::start(0);
    let hooks = Hooks { commit_stall_ms: stall_ms, ..Hooks::default() };
    let how = OpenHow { create: true, boot: "b".into(), wall_us: clock.now().wall_us, hooks: Some(hooks), ..OpenHow::default() };
    let opened = Core::open(dir.path(), &how).unwrap();
    number_plan(&mut config.plan, &opened.book);
    let (commit, mut commits) = mpsc::channel(64);
    let (report, reports) = mpsc::channel(1);
    let (commands, asked) = mpsc::channel(64);
    let (imported_in, imported) = mpsc::channel(1);
    let (stop, stopped) = mpsc::channel(1);
    let (status_in, status) = watch::channel(Arc::new(Status::default()));
    let plan = Arc::new(config.plan);
    let devices = Devices::new(plan.clone(), &profiles, dir.path().into(), clock, report).unwrap();
    let made_for = opened.codebook.made_for_in(&opened.book);
    let line = Line::new(plan.clone(), opened.book);
    let mut owner = Owner::new(Parts {
        clock,
        base: dir.path().into(),
        board: Board::new(opened.codebook.clone(), dir.path().into(), &line, status_in),
        line,
        imports: Imports::new(opened.codebook.clone(), plan, imported_in),
        supplies: Supplies::none(opened.codebook.clone()),
        codebook: opened.codebook,
        writer: Writer::start(opened.core, move |o| drop(commit.blocking_send(o))),
        devices,
        committed_seq: watch::channel(0).0,
        admit,
    });
    let (clean, last_wall_us, restored) = (opened.clean, opened.last_wall_us, opened.restored);
    let booted = Input::Booted { clean, last_wall_us, restored, made_for };
    assert!(owner.boot(booted, &mut commits).await.is_none());
    let (_, alarms) = mpsc::channel(1);
    let supply = mpsc::channel(1).1;
    let inlets = Inlets { commits, devices: reports, commands: asked, imported, alarms, supply, stop: stopped };
    World { _dir: dir, status, commands, stop, owner, inlets }
}

type Answered = oneshot::Receiver<Result<Map<String, Value>, Refusal>>;

async fn create(commands: &mpsc::Sender<Command>, job: &str) -> Answered {
    let (reply, answer) = oneshot::channel();
    let op = Op::JobCreate { job: job.into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None };
    assert!(commands.send(Command { op, key: Some(format!("key-{job}")), reply }).await.is_ok());
    answer
}

fn run<T>(what: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(30);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(limit, what).await.expect("done in time") })
}

#[test]
fn the_picture_is_there_when_the_answer_is_and_not_before() {
    run(async {
        let World { status, commands, stop, mut owner, mut inlets, _dir } = world(100, ADMIT).await;
        let office = async {
            let answer = create(&commands, "J1").await;
            let seq = status.borrow().seq;
            let fields = answer.await.unwrap().unwrap();
            assert_eq!(fields["job"], "J1");
            let after = status.borrow().clone();
            assert!(after.seq > seq, "the answer comes with the commit that holds it");
            stop.send("test").await.unwrap();
        };
        let (end, ()) = tokio::join!(owner.run(&mut inlets), office);
        assert!(matches!(end, End::Stopped), "{end:?}");
        owner.writer.stop().unwrap();
    });
}

#[test]
fn with_the_writer_full_nothing_is_lost_and_everything_is_answered_in_order() {
    run(async {
        let World { commands, stop, mut owner, mut inlets, _dir, status } = world(20, 2).await;
        let office = async {
            let mut answers = Vec::new();
            for i in 0..40 {
                answers.push(create(&commands, &format!("J{i}")).await);
            }
            for a in answers {
                assert!(a.await.unwrap().is_ok());
            }
            stop.send("test").await.unwrap();
        };
        let (end, ()) = tokio::join!(owner.run(&mut inlets), office);
        assert!(matches!(end, End::Stopped), "{end:?}");
        owner.writer.stop().unwrap();
        assert!(status.borrow().seq > 0);
        let opened = Core::open(_dir.path(), &OpenHow { boot: "c".into(), hooks: Some(Hooks::default()), ..OpenHow::default() }).unwrap();
        assert_eq!(opened.book.jobs.len(), 40, "every acknowledged job is in the book");
        assert!(opened.clean);
        drop(opened);
        let mut alarms = Vec::new();
        let mut journal = crate::ledger::reader::Snapshot::open(_dir.path()).unwrap();
        let mut note = |v: Value| {
            alarms.extend((v["k"] == "alarm").then(|| v["name"].to_string()));
            Ok(())
        };
        journal.journal(0, &mut note).unwrap();
        assert!(alarms.iter().any(|a| a.contains("writer-slow")), "the writer was full, and the line was told: {alarms:?}");
    });
}
