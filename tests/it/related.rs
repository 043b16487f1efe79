//! Rows that belong together, through the real program: imported, run against the simulator, traced, audited. Two bottles
//! lie in each other's box: both boxes are refused, the others sealed as their codes say.

use crate::daemon::Place;
use crate::schemas::{agree, validator};
use packmark::sim::example::{LINE, unprinted};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BOXES: usize = 10;
const HOLDS: usize = 6;

fn packmark(args: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_packmark")).arg("--json").args(args).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let lines = text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l}: {e}"))).collect();
    (out.status.code(), lines, String::from_utf8_lossy(&out.stderr).into_owned())
}

fn text(p: &Path) -> &str {
    p.to_str().unwrap()
}

fn bottle(n: usize) -> String {
    format!("https://t.example/A{n:04}")
}

fn own(n: usize) -> String {
    format!("https://t.example/B{n:04}")
}

/// The table, with these two bottles in each other's row.
fn rows(swapped: Option<(usize, usize)>) -> String {
    let at = |n: usize| match swapped {
        Some((a, b)) if n == a => b,
        Some((a, b)) if n == b => a,
        _ => n,
    };
    let row = |n: usize| format!("{},{}\n", bottle(at(n)), own(n / HOLDS));
    std::iter::once("bottle,box\n".to_string()).chain((0..BOXES * HOLDS).map(row)).collect()
}

/// Ended with the test, whatever becomes of it.
struct Simulator(Child);

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_bottle_in_another_bottles_box_is_refused_and_the_audit_sees_why() {
    let place = Place::of(&unprinted(LINE));
    let config = place.path("line.toml");
    let (config, store, truth) = (text(&config), place.path("store"), place.path("truth.ndjson"));
    let delivered = place.write("rows.csv", &rows(None));
    let said = ["--level", "bottle", "--product", "P1", "--column", "code=bottle", "--parent"];
    let import =
        |parent: &str| packmark(&[&["--config", config, "pack", "import", text(&delivered), "--id", "r"], &said[..], &[parent]].concat());
    // What the line cannot pack as the rows say is refused as a whole.
    for (parent, code) in [("case=box", "other-levels"), ("crate=box", "unknown-level")] {
        let (exit, lines, _) = import(parent);
        assert_eq!((exit, &lines[0]["error"]["code"]), (Some(1), &json!(code)), "{lines:?}");
    }
    let (exit, _, log) = import("box=box");
    assert_eq!(exit, Some(0), "{log}");
    // On the belt two bottles have changed places.
    let physical = place.write("physical.csv", &rows(Some((8, 15))));
    let units = (BOXES * HOLDS).to_string();
    let mut simulator = Command::new(env!("CARGO_BIN_EXE_packmark"));
    simulator.args([
        "--config",
        config,
        "simulate",
        "--truth",
        text(&truth),
        "--units",
        &units,
        "--rate",
        "400",
        "--related",
        text(&physical),
    ]);
    let mut simulator = Simulator(simulator.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut told = BufReader::new(simulator.0.stdout.take().unwrap()).lines();
    assert_eq!(told.next().unwrap().unwrap(), r#"{"ready":true}"#);
    let daemon = place.start();
    let mut talk = daemon.talk();
    let made = talk.ask(json!({"id": 1, "op": "job.create", "job": "J", "product": "P1", "lot": "A"}));
    assert_eq!(made["ok"], true, "{made}");
    let until = Instant::now() + Duration::from_secs(20);
    while talk.ask(json!({"id": 2, "op": "job.start", "job": "J"}))["ok"] != true {
        assert!(Instant::now() < until, "the devices do not connect");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let done: Value = serde_json::from_str(&told.next().unwrap().unwrap()).unwrap();
    assert_eq!(done, json!({"done": true, "fed": BOXES * HOLDS}));
    let over = talk.ask(json!({"id": 3, "op": "job.complete", "job": "J", "open": "void"}));
    assert_eq!(over["ok"], true, "{over}");
    assert_eq!(daemon.stop().0, Some(0));

    let store = text(&store);
    let (exit, audit, log) = packmark(&["--store", store, "audit", "--truth", text(&truth)]);
    assert_eq!((exit, &audit[0]["ok"]), (Some(0), &json!(true)), "{log} {audit:?}");
    let (_, dump, _) = packmark(&["--store", store, "dump"]);
    let schema = validator("dump", None);
    dump.iter().for_each(|l| agree(&schema, l));
    let of = |level: &'static str| dump.iter().filter(move |l| l["k"] == "code" && l["level"] == level);
    let refused: Vec<&str> = of("box").filter(|l| l["reason"] == "foreign").map(|l| l["text"].as_str().unwrap()).collect();
    let fates: Vec<&Value> = of("box").collect();
    assert_eq!(refused, [own(1), own(2)], "{fates:#?}");
    assert!(of("bottle").all(|l| l["made_for"].is_string() && (l["parent"].is_null() || l["parent"] == l["made_for"])));
    // Whatever else a slow machine may cost: a box goes on short then, and is no stranger's.
    let packed = of("bottle").filter(|l| l["state"] == "packed").count();
    let short = of("box").filter(|l| l["reason"] != "foreign" && l["state"] == "rejected").count();
    assert!(packed == (BOXES - 2 - short) * HOLDS && short < 5, "{packed} packed: {fates:#?}");
    let pack = dump.iter().find(|l| l["k"] == "pack" && l["pack"] == "r").unwrap();
    assert_eq!(pack["made_for"], "r-box");
    let (_, trace, _) = packmark(&["--store", store, "trace", &bottle(8)]);
    assert_eq!((&trace[0]["state"], &trace[0]["made_for"][0]["text"]), (&json!("verified"), &json!(own(1))));
    // A book that says otherwise is found out, from outside.
    let mut judge = packmark::audit::Judge::new();
    let (_, journal, _) = packmark(&["--store", store, "journal"]);
    let lie = |l: &Value| {
        let mut l = l.clone();
        if l["text"] == bottle(0) {
            l["made_for"] = of("bottle").next_back().unwrap()["made_for"].clone();
        }
        l
    };
    dump.iter().for_each(|l| judge.dump(&lie(l)));
    journal.iter().for_each(|l| judge.journal(l));
    assert!(judge.finish().blames(packmark::vocab::Promise::OneParent));
}
