//! kill -9 in the middle of an import, by the real binary: after it the store is as it was, or the whole pack is there.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CODES: u32 = 150_000;
const LIMIT: Duration = Duration::from_secs(120);

fn packmark(store: &Path, args: &[&str]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_packmark"));
    c.arg("--store").arg(store).arg("--json").args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    c
}

fn import(store: &Path, file: &Path, id: &str) -> Command {
    packmark(store, &["pack", "import", file.to_str().unwrap(), "--level", "bottle", "--product", "P1", "--id", id])
}

fn answer(mut c: Command) -> Value {
    let out = c.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn names(store: &Path) -> Vec<String> {
    let Ok(dir) = std::fs::read_dir(store.join("packs")) else { return Vec::new() };
    let mut all: Vec<String> = dir.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

/// Until a file of this ending stands there, or the import is over.
fn until(store: &Path, ending: &str, child: &mut Child) {
    let began = Instant::now();
    while !names(store).iter().any(|n| n.starts_with("new") && n.ends_with(ending)) {
        assert!(began.elapsed() < LIMIT, "no {ending} in time");
        if child.try_wait().unwrap().is_some() {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_import_is_gone_after_the_next_start() {
    let root = tempfile::tempdir().unwrap();
    let (store, file): (PathBuf, PathBuf) = (root.path().join("s"), root.path().join("new.txt"));
    let old = root.path().join("old.txt");
    std::fs::write(&old, "old-1\nold-2\n").unwrap();
    // Of several lengths.
    let line = |n: u32| format!("https://new.example/{n}\n");
    std::fs::write(&file, (0..CODES).map(line).collect::<String>()).unwrap();
    assert_eq!(answer(import(&store, &old, "old"))["count"], 2);
    let before = names(&store);
    let mut whole = 0;
    // (A larger pack's index entries stand aside for a while too: what is swept of them is in the ledger's own tests.)
    for (round, stage) in ["-0.seg.tmp", "-0.seg"].into_iter().enumerate() {
        let id = format!("new{round}");
        let mut child = import(&store, &file, &id).spawn().unwrap();
        until(&store, stage, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        // The next start sweeps; a refused import is a start that changes nothing else.
        let out = import(&store, &old, "again").output().unwrap();
        assert_eq!(out.status.code(), Some(1), "{stage}");
        let packs = answer(packmark(&store, &["pack", "list"]));
        let there: Vec<(&str, u64)> =
            packs["packs"].as_array().unwrap().iter().map(|p| (p["pack"].as_str().unwrap(), p["count"].as_u64().unwrap())).collect();
        if there.len() == 2 {
            // Its files stood, and the commit was faster than the kill: then it is all there.
            assert_eq!(stage, "-0.seg");
            assert_eq!(there[1], (id.as_str(), u64::from(CODES)), "{stage}");
            whole += 1;
            break;
        }
        assert_eq!(there, [("old", 2)], "{stage}");
        assert_eq!(names(&store), before, "{stage}: nothing is left of it");
    }
    if whole == 0 {
        assert_eq!(answer(import(&store, &file, "new"))["count"], CODES, "its codes are free");
    }
    let v = answer(packmark(&store, &["trace", "https://new.example/149999"]));
    assert_eq!((&v["ordinal"], &v["state"]), (&Value::from(149_999), &Value::from("pooled")));
    assert_eq!(answer(packmark(&store, &["audit"]))["ok"], true);
}
