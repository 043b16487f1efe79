//! What somebody with the contract, a terminal and `nc` does: raw lines on the sockets, files that are none, a
//! configuration that does not go with its store, codes in the forms that offices want.

use crate::daemon::{LIMIT, Place, codes};
use crate::schemas::{agree, validator};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

fn packmark(args: &[&str]) -> (Option<i32>, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_packmark")).args(args).output().unwrap();
    let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

fn text(p: &Path) -> &str {
    p.to_str().unwrap()
}

/// What `printf … | nc -N` gets: everything said at once, then the end, then whatever is answered, until the daemon hangs up.
fn answers(all: &str) -> Vec<Value> {
    let lines: Vec<Value> = all.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l}: {e}"))).collect();
    assert_eq!(lines[0]["type"], "hello");
    let mut lines: Vec<Value> = lines.into_iter().filter(|l| l.get("id").is_some()).collect();
    lines.sort_by_key(|l| l["id"].as_u64());
    lines
}

fn nc_unix(socket: &str, requests: &[Value]) -> Vec<Value> {
    let mut s = UnixStream::connect(socket).unwrap();
    s.set_read_timeout(Some(LIMIT)).unwrap();
    s.write_all(requests.iter().map(|r| format!("{r}\n")).collect::<String>().as_bytes()).unwrap();
    s.shutdown(Shutdown::Write).unwrap();
    let mut all = String::new();
    s.read_to_string(&mut all).unwrap();
    answers(&all)
}

fn nc_tcp(port: &str, requests: &[Value]) -> Vec<Value> {
    let mut s = TcpStream::connect(port).unwrap();
    s.set_read_timeout(Some(LIMIT)).unwrap();
    s.write_all(requests.iter().map(|r| format!("{r}\n")).collect::<String>().as_bytes()).unwrap();
    s.shutdown(Shutdown::Write).unwrap();
    let mut all = String::new();
    s.read_to_string(&mut all).unwrap();
    answers(&all)
}

#[test]
fn packs_by_nc_on_the_unix_socket_and_never_on_the_port() {
    let place = Place::bare();
    let d = place.start();
    let (socket, port) = (d.ready["socket"].as_str().unwrap(), d.ready["status_tcp"].as_str().unwrap());
    let (a, b) = (place.write("a.txt", &codes("A", 50)), place.write("b.txt", &codes("B", 60)));
    let import = |id: u32, file: &Path, pack: &str| json!({"id": id, "op": "pack.import", "path": file, "level": "bottle", "product": "P1", "pack": pack, "key": format!("k{id}")});
    let void = json!({"id": 8, "op": "pack.void", "pack": "a", "reason": "stolen", "who": "nc"});
    let back = json!({"id": 9, "op": "pack.return", "pack": "b", "reason": "too many"});

    // The port that shows the line takes none of it, and nothing is done.
    let refused = nc_tcp(port, &[import(1, &a, "a"), void.clone(), back.clone(), json!({"id": 10, "op": "ping"})]);
    assert_eq!(refused.len(), 4);
    for r in &refused[..3] {
        assert_eq!((&r["ok"], &r["error"]["code"]), (&json!(false), &json!("read-only")), "{r}");
    }
    assert_eq!(refused[3]["ok"], true);

    // An import is answered when it is on disk, also to somebody who has said all and only listens.
    let done = nc_unix(socket, &[import(1, &a, "a"), import(2, &b, "b")]);
    assert_eq!(done.len(), 2);
    assert_eq!((&done[0]["count"], &done[0]["pack"], &done[1]["count"]), (&json!(50), &json!("a"), &json!(60)), "{done:?}");
    let again = nc_unix(socket, &[import(1, &a, "a")]);
    assert_eq!(again[0], done[0], "the same key, the first answer");
    let done = nc_unix(socket, &[void.clone(), back.clone()]);
    assert_eq!((&done[0]["state"], &done[0]["count"]), (&json!("void"), &json!(50)), "{done:?}");
    assert_eq!((&done[1]["state"], &done[1]["count"]), (&json!("returned"), &json!(60)), "{done:?}");
    let twice = nc_unix(socket, &[void, back]);
    assert!(twice.iter().all(|r| r["error"]["code"] == "pack-withdrawn"), "{twice:?}");
    let status = nc_unix(socket, &[json!({"id": 1, "op": "status"})]);
    assert_eq!(status[0]["pool"][0]["codes"], 0);
    let (code, log) = d.stop();
    assert_eq!(code, Some(0), "{log}");
    let (exit, said, _) = packmark(&["--json", "--store", text(&place.path("store")), "audit"]);
    assert_eq!(exit, Some(0), "{said}");
}

/// A pipe that nobody writes to would hold up every import behind it.
#[test]
fn a_pipe_is_refused_by_the_daemon_and_the_next_import_has_its_turn() {
    let place = Place::bare();
    let pipe = place.path("pipe.txt");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let a = place.write("a.txt", &codes("A", 5));
    let d = place.start();
    let mut talk = d.talk();
    let no = talk.ask(json!({"id": 1, "op": "pack.import", "path": pipe, "level": "bottle", "product": "P1"}));
    assert_eq!(no["error"]["code"], "unreadable", "{no}");
    assert!(no["error"]["message"].as_str().unwrap().contains("it is no ordinary file"), "{no}");
    let yes = talk.ask(json!({"id": 2, "op": "pack.import", "path": a, "level": "bottle", "product": "P1"}));
    assert_eq!(yes["count"], 5, "{yes}");
    assert_eq!(d.stop().0, Some(0));
}

/// The same refusal has the same code and the same act, whoever carries the request out.
#[test]
fn a_refusal_is_the_same_with_and_without_a_daemon() {
    let place = Place::bare();
    let (config, good) = (place.path("line.toml"), place.write("a.txt", &codes("A", 5)));
    let (empty, long) = (place.write("empty.txt", ""), place.write("long.txt", &"x".repeat(70_000)));
    let zip = place.write("a.zip", "PK\u{3}\u{4}xxxx");
    let cases: [(&[&str], &str); 6] = [
        (&[text(&good), "--id", "good"], "duplicates"),
        (&[text(&empty)], "unreadable"),
        (&[text(&long)], "bad-line"),
        (&[text(&zip)], "bad-pack"),
        (&[text(&good), "--encoding", "latin1"], "bad-option"),
        (&[text(&good), "--id", "a b"], "bad-id"),
    ];
    let import = |args: &[&str]| {
        let all = [&["--json", "--config", text(&config), "pack", "import"], args, &["--level", "bottle", "--product", "P1"]].concat();
        let (exit, out, said) = packmark(&all);
        (exit, serde_json::from_str::<Value>(&out).unwrap_or_else(|e| panic!("{e}: {out} {said}")))
    };
    assert_eq!(import(&[text(&good)]).0, Some(0));
    let alone: Vec<_> = cases.iter().map(|(args, _)| import(args)).collect();
    let d = place.start();
    for ((args, code), (exit, v)) in cases.iter().zip(alone) {
        assert_eq!((exit, &v["error"]["code"]), (Some(1), &json!(code)), "{args:?}: {v}");
        assert!(!v["error"]["do"].as_str().unwrap().is_empty(), "{v}");
        agree(&validator("refusal", None), &v);
        assert_eq!(import(args), (exit, v), "through the daemon");
    }
    assert_eq!(d.stop().0, Some(0));
}

#[test]
fn check_sees_what_the_store_says_against_the_configuration() {
    let place = Place::bare();
    let (config, store) = (place.path("line.toml"), place.path("store"));
    let good = std::fs::read_to_string(&config).unwrap();
    let check = |more: &[&str]| {
        let (exit, out, said) = packmark(&[&["--json", "--lang", "en", "check", "--config", text(&config)], more].concat());
        let v: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out} {said}"));
        agree(&validator("check", None), &v);
        (exit, v["complaints"].as_array().unwrap().clone())
    };
    assert_eq!(check(&[]), (Some(0), vec![]), "no store yet");
    let import = |file: &str, codes: &str, more: &[&str]| {
        let file = place.write(file, codes);
        let (exit, _, said) = packmark(&[&["pack", "import", text(&file), "--store", text(&store)], more].concat());
        assert_eq!(exit, Some(0), "{said}");
    };
    import("a.txt", &codes("A", 5), &["--level", "bottle", "--product", "P1"]);
    assert_eq!(check(&[]), (Some(0), vec![]));

    place.write("line.toml", &format!("{good}\n[codes]\nkey = \"standard\"\n"));
    let (exit, all) = check(&[]);
    assert_eq!((exit, all.len()), (Some(2), 1), "{all:?}");
    assert!(all[0]["what"].as_str().unwrap().contains("found again by the rule identity, the configuration says standard"), "{all:?}");
    assert!(all[0]["right"].as_str().unwrap().contains("set key = \"identity\" in [codes]"), "{all:?}");
    let at = all[0]["line"].as_u64().unwrap() as usize;
    assert_eq!(std::fs::read_to_string(&config).unwrap().lines().nth(at - 1), Some("[codes]"));
    assert_eq!(check(&["--store", text(&place.path("elsewhere"))]), (Some(0), vec![]), "--store beats the file");
    let (exit, _, said) = packmark(&["run", "--config", text(&config)]);
    assert!(exit == Some(1) && said.contains("found again by the rule identity"), "{exit:?} {said}");
    place.write("line.toml", &good);

    import("crate.txt", &codes("C", 7), &["--level", "crate", "--product", "P1", "--id", "crates"]);
    import("other.txt", &codes("O", 8), &["--level", "bottle", "--product", "P9", "--id", "others"]);
    import("used.txt", &codes("U", 9), &["--used", "--id", "before"]);
    let (exit, all) = check(&["--store", text(&store)]);
    let said: Vec<&str> = all.iter().map(|c| c["what"].as_str().unwrap()).collect();
    let of =
        |id: &str, n: u32, what: &str| format!("pack {id} of the store has {n} unused codes for {what}, which is not in the configuration");
    assert_eq!((exit, said), (Some(2), vec![&*of("crates", 7, "level crate"), &*of("others", 8, "product P9")]));
    for id in ["crates", "others"] {
        assert_eq!(packmark(&["pack", "void", id, "--reason", "not ours", "--store", text(&store)]).0, Some(0));
    }
    assert_eq!(check(&[]), (Some(0), vec![]), "nothing of them can be used any more");
}

#[test]
fn a_code_is_traced_in_the_forms_that_offices_want() {
    let place = Place::bare();
    let config = place.path("line.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    let codes_line = "[codes]\nkey = \"standard\"\ncompany_prefix_length = 7\n";
    place.write("line.toml", &format!("{good}\n{codes_line}"));
    let full = "0104601234567893215!ab&\u{1d}91EE06\u{1d}92dGVzdHM=";
    let file = place.write("ru.txt", &format!("{full}\nhttps://q.example/T1\n"));
    let (exit, _, said) = packmark(&["pack", "import", text(&file), "--level", "bottle", "--product", "P1", "--config", text(&config)]);
    assert_eq!(exit, Some(0), "{said}");
    // Found by what is reported of it, as well as by all its bytes.
    let trace = |code: &str, place: &[&str]| -> Value {
        let (exit, out, said) = packmark(&[&["--json", "trace", code], place].concat());
        assert_eq!(exit, Some(0), "{said}");
        let v = serde_json::from_str(&out).unwrap();
        agree(&validator("trace", None), &v);
        v
    };
    for code in [full, "0104601234567893215!ab&"] {
        let v = trace(code, &["--config", text(&config)]);
        assert_eq!(v["hex"], packmark::vocab::code::hex(full.as_bytes()), "the whole code is in the book");
        assert_eq!(v["gs1"]["reported"]["text"], "0104601234567893215!ab&");
        assert_eq!(v["gs1"]["urn"], "urn:epc:id:sgtin:4601234.056789.5!ab%26");
        assert_eq!(v["gs1"]["link"], "https://id.gs1.org/01/04601234567893/21/5%21ab%26");
    }
    let v = trace(full, &["--store", text(&place.path("store"))]);
    assert!(v["gs1"].get("urn").is_none() && v["gs1"]["link"].is_string(), "without a configuration nobody knows the prefix: {v}");
    assert!(trace("https://q.example/T1", &["--config", text(&config)]).get("gs1").is_none());
    let (_, shown, _) = packmark(&["--lang", "zh", "trace", full, "--config", text(&config)]);
    assert!(shown.contains("上报为 0104601234567893215!ab&") && shown.contains("EPC URN urn:epc:id:sgtin:4601234."), "{shown}");
}
