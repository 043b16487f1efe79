//! The contract's example line through the real program with each label printer in the place of its own: every case and
//! pallet is labelled, read back and sealed, and the audit is clean.

use crate::daemon::Place;
use packmark::sim::example::{LINE, token};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A pallet of two cases of four boxes of six, and one more case.
const BOTTLES: u64 = 72;

/// Ended with the test, whatever becomes of it.
struct Simulator(Child);

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(p: &Path) -> &str {
    p.to_str().unwrap()
}

fn packmark(args: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_packmark")).arg("--json").args(args).output().unwrap();
    let lines = String::from_utf8(out.stdout).unwrap();
    let lines = lines.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l}: {e}"))).collect();
    (out.status.code(), lines, String::from_utf8_lossy(&out.stderr).into_owned())
}

fn run(profile: &str) {
    let line = LINE.replace("profile = \"zebra-zpl\"", &format!("profile = \"{profile}\"")).replace("holds = 10", "holds = 2");
    let place = Place::of(&line);
    let config = place.path("line.toml");
    let (config, store, truth) = (text(&config), place.path("store"), place.path("truth.ndjson"));
    let codes = |kind: &str, n: u64| (0..n).map(|n| token(5, kind, n) + "\n").collect::<String>();
    let boxes = place.write("boxes.txt", &codes("B", 60));
    for (level, file) in [("bottle", place.write("bottles.txt", &codes("A", BOTTLES + 60))), ("box", boxes.clone())] {
        let (exit, _, log) =
            packmark(&["--config", config, "pack", "import", text(&file), "--level", level, "--product", "P1", "--id", level]);
        assert_eq!(exit, Some(0), "{profile}: {log}");
    }
    let preprinted = format!("box={}", text(&boxes));
    let (units, truth) = (BOTTLES.to_string(), text(&truth));
    let mut simulator = Command::new(env!("CARGO_BIN_EXE_packmark"));
    simulator.args(["--config", config, "simulate", "--truth", truth, "--units", &units, "--rate", "240", "--preprinted", &preprinted]);
    let mut simulator = Simulator(simulator.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut told = BufReader::new(simulator.0.stdout.take().unwrap()).lines();
    assert_eq!(told.next().unwrap().unwrap(), r#"{"ready":true}"#, "{profile}");
    let daemon = place.start();
    let mut talk = daemon.talk();
    let made = talk.ask(json!({"id": 1, "op": "job.create", "job": "J", "product": "P1", "lot": "L-7/2026"}));
    assert_eq!(made["ok"], true, "{profile}: {made}");
    let until = Instant::now() + Duration::from_secs(20);
    while talk.ask(json!({"id": 2, "op": "job.start", "job": "J"}))["ok"] != true {
        assert!(Instant::now() < until, "{profile}: the devices do not connect");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let done: Value = serde_json::from_str(&told.next().unwrap().unwrap()).unwrap();
    assert_eq!(done["done"], true, "{profile}");
    let over = talk.ask(json!({"id": 3, "op": "job.complete", "job": "J", "open": "void"}));
    assert_eq!(over["ok"], true, "{profile}: {over}");
    assert_eq!(daemon.stop().0, Some(0), "{profile}");
    let store = text(&store);
    let (exit, audit, log) = packmark(&["--store", store, "audit", "--truth", truth]);
    assert_eq!((exit, &audit[0]["ok"]), (Some(0), &json!(true)), "{profile}: {log} {audit:?}");
    let (_, dump, _) = packmark(&["--store", store, "dump"]);
    let sealed = |level: &str| dump.iter().filter(|l| l["k"] == "parent" && l["level"] == level && l["state"] == "sealed").count();
    // Whatever a slow machine may cost: its labels were read.
    assert!(sealed("case") >= 1, "{profile}: {} cases, {} pallets", sealed("case"), sealed("pallet"));
}

macro_rules! whole_lines {
    ($($name:ident = $profile:literal),+) => {
        $(#[test]
        fn $name() {
            run($profile);
        })+
    };
}

whole_lines!(sato = "sato-sbpl", tsc = "tsc-tspl", cab = "cab-jscript", honeywell = "honeywell-dpl", godex = "godex-ezpl");

#[test]
fn a_lot_or_template_that_cannot_be_printed_is_refused_before_anything_runs() {
    let line = LINE.replace("profile = \"zebra-zpl\"", "profile = \"tsc-tspl\"");
    let with_label =
        line.replacen("level = \"case\"\ndevice = \"zpl1\"\n", "level = \"case\"\ndevice = \"zpl1\"\nlabel = \"case.tspl\"\n", 1);
    assert_ne!(with_label, line);
    let place = Place::of(&with_label);
    let config = place.path("line.toml");
    place.write("case.tspl", "SIZE 100 mm,60 mm\nTEXT 1,1,\"3\",0,1,1,\"{sscc}\"\n");
    let (exit, told, _) = packmark(&["--config", text(&config), "check"]);
    assert_eq!(exit, Some(2));
    let complaints: Vec<&str> = told[0]["complaints"].as_array().unwrap().iter().map(|c| c["what"].as_str().unwrap()).collect();
    for what in ["the label has no CLS", "the label has no PRINT", "the label shows no code", "the label has no place {sscc}"] {
        assert!(complaints.iter().any(|c| c.contains(what)), "{what}: {complaints:?}");
    }
    place.write("case.tspl", "CLS\nBARCODE 40,100,\"128M\",240,0,0,3,3,\"{gs1}\"\nTEXT 1,1,\"3\",0,1,1,\"{lot}\"\nPRINT 1\n");
    let (exit, told, _) = packmark(&["--config", text(&config), "check"]);
    assert_eq!(exit, Some(0), "{told:?}");
    let daemon = place.start();
    let refused = daemon.talk().ask(json!({"id": 1, "op": "job.create", "job": "J", "product": "P1", "lot": "白班\\1"}));
    assert_eq!(refused["error"]["code"], "bad-lot", "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().starts_with("printer zpl1 cannot print lot 白班"), "{refused}");
    assert_eq!(daemon.stop().0, Some(0));
}
