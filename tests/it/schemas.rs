//! What the program writes agrees with `schemas/`, and says nothing that they do not describe.

use crate::driven::{Driven, config_text};
use packmark::control::protocol;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(format!("{name}.json"));
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

/// The published schemas let a reader meet keys that a later version adds; here every key must be described.
fn strict(v: &mut Value) {
    match v {
        Value::Object(m) => {
            if m.contains_key("properties") && !m.contains_key("additionalProperties") {
                m.insert("additionalProperties".into(), false.into());
            }
            m.values_mut().for_each(strict);
        }
        Value::Array(a) => a.iter_mut().for_each(strict),
        _ => {}
    }
}

pub fn validator(name: &str, part: Option<&str>) -> jsonschema::Validator {
    let mut s = schema(name);
    if let Some(part) = part {
        s = json!({"$schema": s["$schema"], "$ref": format!("#/$defs/{part}"), "$defs": s["$defs"]});
    }
    strict(&mut s);
    jsonschema::validator_for(&s).unwrap_or_else(|e| panic!("{name}: {e}"))
}

pub fn agree(v: &jsonschema::Validator, line: &Value) {
    assert!(!line.to_string().contains(":null"), "no nulls: {line}");
    if let Err(e) = v.validate(line) {
        panic!("{line}\n{e}");
    }
}

/// What a command answered with `--json` agrees with the schema of that name.
pub fn of_command(name: &str, answer: &Value) {
    agree(&validator(name, None), answer);
}

/// What a command wrote agrees with what is published under this name.
pub fn is_as(name: &str, line: &Value) {
    agree(&validator(name, None), line);
}

/// A line that a daemon wrote to its socket agrees with what is published; an event also with the journal's lines.
pub fn on_the_socket(line: &Value) {
    static JOURNAL: LazyLock<jsonschema::Validator> = LazyLock::new(|| validator("journal", None));
    static STATUS: LazyLock<jsonschema::Validator> = LazyLock::new(|| validator("socket", Some("status")));
    let part = line["type"].as_str().unwrap_or("reply");
    agree(&validator("socket", Some(part)), line);
    let mut rest = line.as_object().expect("an object").clone();
    if part == "event" && !rest.contains_key("tail") {
        rest.remove("type");
        agree(&JOURNAL, &Value::Object(rest));
    } else if rest.contains_key("writer") {
        rest.remove("id");
        rest.remove("ok");
        agree(&STATUS, &Value::Object(rest));
    }
}

fn packmark(args: &[&str]) -> (Option<i32>, Vec<Value>) {
    let out = Command::new(env!("CARGO_BIN_EXE_packmark")).args(args).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    (out.status.code(), text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l}: {e}"))).collect())
}

#[test]
fn a_shifts_dump_journal_trace_report_and_audit() {
    let root = tempfile::tempdir().unwrap();
    let s = root.path().join("s");
    let mut d = Driven::start(&s, None);
    d.shift();
    d.complete();
    let packed = d.code("boxes", 0);
    let code = String::from_utf8(d.codebook.bytes(packed).unwrap()).unwrap();
    d.core.close().unwrap();
    let store = s.to_str().unwrap();

    let dump = validator("dump", None);
    let (exit, lines) = packmark(&["--store", store, "dump"]);
    assert_eq!(exit, Some(0));
    lines.iter().for_each(|l| agree(&dump, l));
    for k in ["code", "parent", "pack"] {
        assert!(lines.iter().any(|l| l["k"] == k), "{k}");
    }
    for p in lines.iter().filter(|l| l["k"] == "pack") {
        let of_pack = lines.iter().filter(|l| l["k"] == "code" && l["pack"] == p["pack"]).count() as u64;
        assert_eq!(of_pack + p["untouched"].as_u64().unwrap(), p["count"].as_u64().unwrap(), "{p}");
    }
    for l in lines.iter().filter(|l| l["state"] == "packed") {
        let parent = lines.iter().find(|p| p["k"] == "parent" && p["hex"] == l["parent"]).unwrap_or_else(|| panic!("{l}"));
        assert!(parent["children"].as_array().unwrap().contains(&l["hex"]), "{l}");
    }

    let journal = validator("journal", None);
    let (_, events) = packmark(&["--store", store, "journal"]);
    events.iter().for_each(|l| agree(&journal, l));
    let kinds: std::collections::BTreeSet<&str> = events.iter().map(|l| l["k"].as_str().unwrap()).collect();
    for k in [
        "named",
        "pack",
        "job-created",
        "job",
        "leased",
        "sent",
        "printed",
        "verdict",
        "opened",
        "closed",
        "sealed",
        "through",
        "void",
        "missing",
        "unleased",
    ] {
        assert!(kinds.contains(k), "{k} of {kinds:?}");
    }
    assert_eq!(events.last().unwrap()["k"], "head");
    let half = events.len() as u64 / 4;
    let (_, later) = packmark(&["--store", store, "journal", "--since", &half.to_string()]);
    let expected: Vec<Value> = events.iter().filter(|e| e["k"] == "head" || e["seq"].as_u64().unwrap() > half).cloned().collect();
    assert_eq!(later, expected);

    let (exit, lines) = packmark(&["--store", store, "--json", "trace", &code]);
    assert_eq!((exit, lines.len()), (Some(0), 1));
    agree(&validator("trace", None), &lines[0]);
    assert_eq!(lines[0]["state"], "packed");
    assert_eq!(lines[0]["parents"][0]["level"], "case");
    assert_eq!(lines[0]["contents"]["children"].as_array().unwrap().len(), 2);
    assert!(lines[0]["events"].as_array().unwrap().iter().any(|e| e["k"] == "sealed"));
    lines[0]["events"].as_array().unwrap().iter().for_each(|e| agree(&journal, e));
    let hex = packmark::vocab::code::hex(code.as_bytes());
    assert_eq!(packmark(&["--store", store, "--json", "trace", "--hex", &hex]).1, lines);
    let (exit, lines) = packmark(&["--store", store, "--json", "trace", "no such code"]);
    assert_eq!(exit, Some(1));
    agree(&validator("refusal", None), &lines[0]);

    let (exit, lines) = packmark(&["--store", store, "--json", "report", "J"]);
    assert_eq!(exit, Some(0));
    agree(&validator("report", None), &lines[0]);
    assert_eq!(lines[0]["balance"], json!({"codes": 0, "passages": 0}), "{}", lines[0]);
    assert_eq!(lines[0]["counts"]["verified"], 5);
    assert_eq!(lines[0]["counts"]["rejected"], json!({"no-read": 1}));
    assert_eq!(lines[0]["parents"], json!({"box": {"sealed": 2}, "case": {"sealed": 1}}));
    assert_eq!(lines[0]["job"]["state"], "completed");
    assert_eq!(packmark(&["--store", store, "--json", "report", "K"]).0, Some(1));

    let (exit, lines) = packmark(&["--store", store, "--json", "audit"]);
    agree(&validator("audit", None), &lines[0]);
    assert_eq!(exit, Some(0), "{}", lines[0]);
    let (_, lines) = packmark(&["--store", store, "--json", "pack", "list"]);
    agree(&validator("packs", None), &lines[0]);
    assert_eq!(lines[0]["packs"].as_array().unwrap().len(), 4, "bottles, boxes and two ranges");
}

#[test]
fn an_audit_bites_a_changed_book() {
    let root = tempfile::tempdir().unwrap();
    let s = root.path().join("s");
    let mut d = Driven::start(&s, None);
    d.shift();
    d.complete();
    d.core.close().unwrap();
    let c = rusqlite::Connection::open(s.join("ledger.db")).unwrap();
    c.execute_batch("UPDATE event SET wall_us=wall_us+1 WHERE seq=9").unwrap();
    drop(c);
    let (exit, lines) = packmark(&["--store", s.to_str().unwrap(), "--json", "audit"]);
    agree(&validator("audit", None), &lines[0]);
    assert_eq!((exit, lines[0]["ok"].as_bool()), (Some(4), Some(false)));
    assert_eq!(lines[0]["violations"][0]["promise"], "nothing-forgotten");
}

#[test]
fn checks_and_imports() {
    let root = tempfile::tempdir().unwrap();
    let good = root.path().join("line.toml");
    std::fs::write(&good, config_text()).unwrap();
    let check = validator("check", None);
    let (exit, lines) = packmark(&["--config", good.to_str().unwrap(), "--json", "check"]);
    assert_eq!(exit, Some(0));
    agree(&check, &lines[0]);
    let bad = root.path().join("bad.toml");
    std::fs::write(&bad, config_text().replace("holds = 2", "holds = \"two\"").replace("role = \"verify\"", "role = \"look\"")).unwrap();
    let (exit, lines) = packmark(&["--config", bad.to_str().unwrap(), "--json", "check"]);
    assert_eq!(exit, Some(2));
    agree(&check, &lines[0]);
    assert!(lines[0]["complaints"].as_array().unwrap().len() >= 4, "every complaint at once: {}", lines[0]);
    let codes = root.path().join("codes.txt");
    std::fs::write(&codes, "a\nb\n").unwrap();
    let import = |level: &str, product: &str| {
        let args = [
            "--config",
            good.to_str().unwrap(),
            "--json",
            "pack",
            "import",
            codes.to_str().unwrap(),
            "--level",
            level,
            "--product",
            product,
        ];
        packmark(&args)
    };
    let refusal = validator("refusal", None);
    for (level, product) in [("bag", "P1"), ("bottle", "P2"), ("case", "P1")] {
        let (exit, lines) = import(level, product);
        assert_eq!(exit, Some(1), "{level} {product}");
        agree(&refusal, &lines[0]);
    }
    let (exit, lines) = import("bottle", "P1");
    assert_eq!(exit, Some(0));
    agree(&validator("import", None), &lines[0]);
    assert_eq!(lines[0]["pack"], "p1");
    // The same key twice is one job; the same id twice is a refusal.
    let job = |key: &str| {
        packmark(&[
            "--config",
            good.to_str().unwrap(),
            "--json",
            "job",
            "create",
            "--id",
            "J",
            "--product",
            "P1",
            "--lot",
            "A",
            "--key",
            key,
        ])
    };
    assert_eq!(job("one"), (Some(0), vec![json!({"ok": true, "job": "J"})]));
    assert_eq!(job("one").0, Some(0));
    assert_eq!(job("two").0, Some(1));
    // What needs a daemon says which socket it tried.
    for args in [&["status"][..], &["job", "start", "J"], &["job", "hold", "J"], &["station", "clear", "x"]] {
        let all = [&["--config", good.to_str().unwrap()], args].concat();
        let out = Command::new(env!("CARGO_BIN_EXE_packmark")).args(all).output().unwrap();
        assert_eq!(out.status.code(), Some(3), "{args:?}");
        assert!(String::from_utf8_lossy(&out.stderr).contains("packmark.sock"), "{args:?}");
    }
}

#[test]
fn the_sockets_words() {
    let hello = validator("socket", Some("hello"));
    agree(&hello, &protocol::hello("L1", "b"));
    agree(&validator("socket", Some("status")), &serde_json::to_value(protocol::Status::default()).unwrap());
    let reply = validator("socket", Some("reply"));
    agree(&reply, &protocol::ok(&json!(7), serde_json::Map::new()));
    agree(&reply, &protocol::refused(&json!("x"), &protocol::Refusal::new("busy", "too many", "wait")));
    let request = validator("socket", Some("request"));
    for text in [
        r#"{"id":1,"op":"ping"}"#,
        r#"{"id":"a","op":"watch","since":{"boot":"b","seq":7}}"#,
        r#"{"id":1,"op":"job.create","job":"J","product":"P1","lot":"A","target":5,"expiry":"2027-01-31","key":"k"}"#,
        r#"{"id":1,"op":"job.complete","job":"J","open":"void"}"#,
        r#"{"id":1,"op":"pack.import","path":["/a","/b"],"level":"bottle","product":"P1","pack":"p","column":"code=1"}"#,
        r#"{"id":1,"op":"pack.import","path":"/a","used":true,"expiry":"2027-01-31"}"#,
        r#"{"id":1,"op":"pack.generate","count":5,"level":"bottle","product":"P1","template":"q/{token}","length":12,"live":7}"#,
        r#"{"id":1,"op":"pack.void","pack":"p1","reason":"stolen","who":"w","key":"k"}"#,
        r#"{"id":1,"op":"pack.return","pack":"p1","reason":"not needed"}"#,
        r#"{"id":1,"op":"station.clear","station":"case-pack"}"#,
    ] {
        protocol::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        agree(&request, &serde_json::from_str(text).unwrap());
    }
    for text in [r#"{"op":"ping"}"#, r#"{"id":1,"op":"fly"}"#, r#"{"id":1,"op":"job.start"}"#, r#"{"id":1,"op":"ping","x":1}"#] {
        assert!(protocol::parse(text.as_bytes()).is_err() && request.validate(&serde_json::from_str(text).unwrap()).is_err(), "{text}");
    }
}

#[test]
fn a_simulated_shifts_truth() {
    let truth = validator("truth", None);
    for text in [
        r#"{"t_us":0,"k":"start","utc":"2026-01-01T00:00:00.000000Z"}"#,
        r#"{"t_us":5,"k":"read","reader":"cam1","thing":"b1"}"#,
        r#"{"t_us":5,"k":"gate","station":"s","thing":"b1","out":"reject"}"#,
        r#"{"t_us":5,"k":"end","thing":"b1","at":"reject-bin"}"#,
    ] {
        agree(&truth, &serde_json::from_str(text).unwrap());
    }
    assert!(truth.validate(&json!({"t_us": 1, "k": "gate", "station": "s", "thing": "b", "out": "maybe"})).is_err());
}
