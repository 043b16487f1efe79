//! A numbered level through its real label: printed, read back, sealed, by the real daemon and the real simulator. And
//! what a running line says of its packs.

use crate::daemon::{Place, codes};
use crate::schemas::{agree, validator};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// The simulator as a process; ended with the test.
struct Simulator(Child);

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn simulate(place: &Place, boxes: &std::path::Path) -> Simulator {
    let mut c = Command::new(env!("CARGO_BIN_EXE_packmark"));
    c.arg("--config").arg(place.path("line.toml")).args(["simulate", "--units", "60", "--seed", "5", "--rate", "400", "--truth"]);
    c.arg(place.path("truth.ndjson")).arg("--preprinted").arg(format!("box={}", boxes.display()));
    let mut child = c.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), r#"{"ready":true}"#);
    Simulator(child)
}

fn packmark(place: &Place, args: &[&str]) -> Value {
    let mut c = Command::new(env!("CARGO_BIN_EXE_packmark"));
    let out = c.args(["--json", "--config"]).arg(place.path("line.toml")).args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    serde_json::from_str(text.lines().next_back().unwrap_or("null")).unwrap()
}

#[test]
fn a_serial_number_goes_through_its_label_and_its_read_back() {
    let place = Place::new();
    let text = std::fs::read_to_string(place.path("line.toml")).unwrap();
    let sscc = r#"range = { kind = "sscc", prefix = "6901234", extension = 0, start = 1 }"#;
    let serial = r#"range = { kind = "serial", prefix = "C", digits = 8, start = 7 }"#;
    assert!(text.contains(sscc));
    place.write("line.toml", &text.replacen(sscc, serial, 1));
    let (bottles, boxes) = (place.write("bottles.txt", &codes("B", 400)), place.write("boxes.txt", &codes("X", 60)));
    let _simulator = simulate(&place, &boxes);
    let d = place.start();
    for (file, level) in [(&bottles, "bottle"), (&boxes, "box")] {
        packmark(&place, &["pack", "import", file.to_str().unwrap(), "--level", level, "--product", "P1", "--id", level]);
    }
    packmark(&place, &["job", "create", "--id", "J", "--product", "P1", "--lot", "A"]);
    let mut talk = d.talk();
    let end = Instant::now() + LIMIT;
    let within = |what: &str, done: &mut dyn FnMut() -> bool| {
        while !done() {
            assert!(Instant::now() < end, "not in time: {what}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    };
    within("the job starts", &mut || talk.ask(json!({"id": 1, "op": "job.start", "job": "J"}))["ok"] == true);

    // While it runs: how long a pack lasts at this speed.
    let schema = validator("pack", None);
    let mut show = Value::Null;
    within("a speed", &mut || {
        show = packmark(&place, &["pack", "show", "bottle"]);
        agree(&schema, &show);
        show.get("minutes").is_some() && show.get("as_of").is_none()
    });
    let (speed, minutes, unused) =
        (show["codes_per_min"].as_u64().unwrap(), show["minutes"].as_u64().unwrap(), show["unused"].as_u64().unwrap());
    assert!(speed > 0 && minutes <= unused / speed + 1 && minutes + 1 >= unused / (speed + speed / 2 + 1), "{show}");

    let first = |v: &Value, key: &str| v[key].as_str().unwrap_or("").to_string();
    let mut traced = Value::Null;
    within("the first case is sealed", &mut || {
        traced = packmark(&place, &["trace", "C00000007"]);
        traced["contents"]["state"] == "sealed"
    });
    assert_eq!((first(&traced, "state"), first(&traced, "pack")), ("verified".into(), "range-case".into()), "{traced}");
    assert_eq!(traced["contents"]["children"].as_array().unwrap().len(), 4);
    assert!(traced.get("gs1").is_none(), "a plain number has no GS1 form: {traced}");
    let kinds: Vec<String> = traced["events"].as_array().unwrap().iter().map(|e| first(e, "k")).collect();
    let at = |k: &str| kinds.iter().position(|x| x == k).unwrap_or_else(|| panic!("no {k}: {kinds:?}"));
    assert!(at("closed") < at("sent") && at("sent") < at("printed") && at("printed") < at("sealed"), "{kinds:?}");
    let read_back = traced["events"].as_array().unwrap().iter().find(|e| e["k"] == "verdict").unwrap();
    assert_eq!((&read_back["good"], first(read_back, "station").as_str()), (&json!(true), "case-check"), "{read_back}");

    within("the job ends", &mut || talk.ask(json!({"id": 2, "op": "job.complete", "job": "J", "open": "void"}))["ok"] == true);
    let (code, log) = d.stop();
    assert_eq!(code, Some(0), "{log}");
    let audit = packmark(&place, &["audit"]);
    assert_eq!((&audit["ok"], &audit["balance"]), (&json!(true), &json!({"codes": 0, "passages": 0})), "{audit}");

    // Nothing runs any more: the last work's speed, and when it was.
    let show = packmark(&place, &["pack", "show", "bottle"]);
    agree(&schema, &show);
    assert!(show["codes_per_min"].as_u64().unwrap() > 0 && show["as_of"].is_string(), "{show}");
    assert_eq!(show["minutes"], show["unused"].as_u64().unwrap() / show["codes_per_min"].as_u64().unwrap());
}
