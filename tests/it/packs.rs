//! The life of a pack from outside: list, show, history, void, return, codes used elsewhere, expiry, ranges; offline and
//! beside a daemon. Every answer agrees with its schema, and after every step the audit finds the book in order.

use crate::daemon::Place;
use crate::driven::Driven;
use crate::schemas::{agree, validator};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Exit, stdout's JSON lines, stderr.
fn packmark(args: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_packmark")).arg("--json").args(args).env("USER", "tester").output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let lines = text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l}: {e}"))).collect();
    (out.status.code(), lines, String::from_utf8_lossy(&out.stderr).into_owned())
}

fn on(store: &str, args: &[&str]) -> Value {
    let (exit, lines, said) = packmark(&[&["--store", store], args].concat());
    assert_eq!(exit, Some(0), "{args:?}: {said}");
    lines.into_iter().next().unwrap_or(Value::Null)
}

fn refused(store: &str, args: &[&str], code: &str) -> String {
    let (exit, lines, said) = packmark(&[&["--store", store], args].concat());
    assert_eq!(exit, Some(1), "{args:?}: {said}");
    agree(&validator("refusal", None), &lines[0]);
    assert_eq!(lines[0]["error"]["code"], code, "{said}");
    said
}

/// Both balances close, the dump adds up as the contract says, by the lines of codes alone.
fn in_order(store: &str) {
    let audit = on(store, &["audit"]);
    assert_eq!(audit["ok"], true, "{audit:#}");
    assert_eq!(audit["balance"], json!({"codes": 0, "passages": 0}));
    let (_, dump, _) = packmark(&["--store", store, "dump"]);
    let schema = validator("dump", None);
    dump.iter().for_each(|l| agree(&schema, l));
    for p in dump.iter().filter(|l| l["k"] == "pack") {
        let lines = dump.iter().filter(|l| l["k"] == "code" && l["pack"] == p["pack"]).count() as u64;
        assert_eq!(lines + p["untouched"].as_u64().unwrap(), p["count"].as_u64().unwrap(), "{p}");
    }
    let (_, journal, _) = packmark(&["--store", store, "journal"]);
    let schema = validator("journal", None);
    journal.iter().for_each(|l| agree(&schema, l));
    let list = on(store, &["pack", "list"]);
    agree(&validator("packs", None), &list);
    for p in list["packs"].as_array().unwrap() {
        let sum = |v: &Value| v.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
        assert_eq!(sum(&p["codes"]), p["count"].as_u64().unwrap(), "{p}");
        assert_eq!(sum(&p["states"]) + p["untouched"].as_u64().unwrap(), p["count"].as_u64().unwrap(), "{p}");
    }
}

/// A shift's store, ended in order: 400 bottle codes of which some are used, 40 boxes.
fn shift(root: &Path, complete: bool) -> String {
    let s = root.join("s");
    let mut d = Driven::start(&s, None);
    d.shift();
    if complete {
        d.complete();
    }
    d.core.close().unwrap();
    s.to_str().unwrap().into()
}

fn text(p: &Path) -> &str {
    p.to_str().unwrap()
}

#[test]
fn show_and_history_say_what_became_of_a_pack() {
    let root = tempfile::tempdir().unwrap();
    let s = shift(root.path(), true);
    let show = on(&s, &["pack", "show", "bottles"]);
    agree(&validator("pack", None), &show);
    assert_eq!((&show["count"], &show["key_rule"]), (&json!(400), &json!("identity")));
    assert_eq!(show["unused"].as_u64(), show["codes"]["pooled"].as_u64(), "the job gave its leases back");
    assert!(show["imported"].as_str().unwrap().starts_with("2023-11-14T"), "{show}");
    let range = on(&s, &["pack", "show", "range-case"]);
    agree(&validator("pack", None), &range);
    assert_eq!(range["range"]["first"], "069012340000000016");
    refused(&s, &["pack", "show", "nowhere"], "unknown-pack");
    refused(&s, &["pack", "history", "nowhere"], "unknown-pack");
    // Page by page it is the same as at once.
    let all = on(&s, &["pack", "history", "bottles"]);
    agree(&validator("history", None), &all);
    let all: Vec<Value> = all["events"].as_array().unwrap().clone();
    let kinds: Vec<&str> = all.iter().map(|e| e["k"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["pack", "leased", "unleased"]);
    let (mut since, mut paged) = ("0".to_string(), Vec::new());
    loop {
        let page = on(&s, &["pack", "history", "bottles", "--limit", "1", "--since", &since]);
        paged.extend(page["events"].as_array().unwrap().clone());
        match page["next"].as_u64() {
            Some(next) => since = next.to_string(),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let out = Command::new(env!("CARGO_BIN_EXE_packmark")).args(["--store", &s, "--lang", "zh", "pack", "list"]).output().unwrap();
    assert!(String::from_utf8(out.stdout).unwrap().contains("未用"));
}

#[test]
fn a_pack_is_voided_and_the_balances_close() {
    let root = tempfile::tempdir().unwrap();
    let s = shift(root.path(), true);
    in_order(&s);
    let before = on(&s, &["pack", "show", "bottles"]);
    let unused = before["unused"].as_u64().unwrap();
    let file = root.path().join("void.csv");
    let void = ["pack", "void", "bottles", "--reason", "file stolen, say the police", "--out", text(&file), "--key", "k1"];
    let done = on(&s, &void);
    agree(&validator("withdrawn", None), &done);
    assert_eq!((&done["count"], &done["lines"], &done["state"]), (&json!(unused), &json!(unused), &json!("void")));
    in_order(&s);
    let after = on(&s, &["pack", "show", "bottles"]);
    agree(&validator("pack", None), &after);
    assert_eq!(after["withdrawn"]["who"], "tester");
    let was_void = before["codes"]["void"].as_u64().unwrap_or(0);
    assert_eq!((after["unused"].as_u64(), after["codes"]["void"].as_u64()), (Some(0), Some(unused + was_void)));
    assert_eq!(after["codes"]["packed"], before["codes"]["packed"], "what was used stays what it is");
    let kinds: Vec<Value> = on(&s, &["pack", "history", "bottles"])["events"].as_array().unwrap().iter().map(|e| e["k"].clone()).collect();
    assert_eq!(kinds.last().unwrap(), "pack-withdrawn");
    // The file.
    let csv = std::fs::read_to_string(&file).unwrap();
    let mut lines = csv.strip_prefix('\u{feff}').expect("Excel needs a mark").split("\r\n");
    assert_eq!(lines.next(), Some("code,level,product,pack,state,reason,time"));
    let rows: Vec<&str> = lines.filter(|l| !l.is_empty()).collect();
    assert_eq!(rows.len() as u64, unused);
    assert!(
        rows.last().unwrap().starts_with("https://t.example/B00399,bottle,P1,bottles,void,\"file stolen, say the police\",20"),
        "{rows:?}"
    );
    // A voided code: traced, and refused in a new delivery.
    let trace = on(&s, &["trace", "https://t.example/B00399"]);
    agree(&validator("trace", None), &trace);
    assert_eq!(trace["state"], "void");
    assert_eq!(trace["events"].as_array().unwrap().last().unwrap()["k"], "void");
    let again = root.path().join("again.txt");
    std::fs::write(&again, "https://t.example/B00399\n").unwrap();
    let said = refused(&s, &["pack", "import", text(&again), "--level", "bottle", "--product", "P1"], "duplicates");
    assert!(said.contains("is in pack bottles already"), "{said}");
    // Again: the same key is the same answer; without one the file alone is made again.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(on(&s, &void)["count"], done["count"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), csv);
    let once_more = on(&s, &["pack", "void", "bottles", "--reason", "x", "--out", text(&file)]);
    assert_eq!((&once_more["count"], &once_more["lines"]), (&json!(0), &json!(unused)));
    refused(&s, &["pack", "return", "bottles", "--reason", "x", "--out", text(&file)], "pack-withdrawn");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), csv, "a refusal leaves the file that stood there");
    assert_eq!(
        std::fs::read_dir(root.path()).unwrap().filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains(".csv.")).count(),
        0
    );
    let report = on(&s, &["report", "J"]);
    assert_eq!(report["balance"], json!({"codes": 0, "passages": 0}), "{report}");
}

#[test]
fn a_pack_is_returned_while_a_job_holds_codes_of_it() {
    let root = tempfile::tempdir().unwrap();
    let s = shift(root.path(), false);
    let before = on(&s, &["pack", "show", "bottles"]);
    assert!(before["codes"]["leased"].as_u64().unwrap() > 0, "{before}");
    let file = root.path().join("back.csv");
    let (exit, _, _) = packmark(&["--store", &s, "pack", "return", "bottles", "--reason", "x"]);
    assert_eq!(exit, Some(2), "a return without a file");
    let nowhere = root.path().join("no/such/folder/back.csv");
    refused(&s, &["pack", "return", "bottles", "--reason", "x", "--out", text(&nowhere)], "no-file");
    assert_eq!(on(&s, &["pack", "show", "bottles"]), before, "nothing was done");
    let done = on(&s, &["pack", "return", "bottles", "--reason", "订单取消", "--out", text(&file)]);
    agree(&validator("withdrawn", None), &done);
    assert_eq!(done["count"], before["unused"]);
    let after = on(&s, &["pack", "show", "bottles"]);
    assert_eq!((&after["codes"]["returned"], &after["unused"]), (&before["unused"], &json!(0)));
    assert!(std::fs::read_to_string(&file).unwrap().contains(",returned,订单取消,"));
    in_order(&s);
    for (pack, code) in [("range-case", "range"), ("nowhere", "unknown-pack")] {
        refused(&s, &["pack", "void", pack, "--reason", "x"], code);
    }
    refused(&s, &["pack", "void", "boxes", "--reason", "a\nb"], "bad-reason");
    // The store comes up again with what it says.
    let o = packmark::ledger::Core::open(Path::new(&s), &crate::driven::how("again")).unwrap();
    assert_eq!(o.book, crate::driven::fold(&crate::driven::stored_events(Path::new(&s))));
}

/// The pack was voided after the copy was taken: it stays voided, also where the copy is accepted.
#[test]
fn an_older_copy_does_not_bring_a_voided_pack_back() {
    let root = tempfile::tempdir().unwrap();
    let s = shift(root.path(), true);
    let db = Path::new(&s).join("ledger.db");
    let older = std::fs::read(&db).unwrap();
    on(&s, &["pack", "void", "bottles", "--reason", "stolen"]);
    std::fs::write(&db, &older).unwrap();
    refused(&s, &["pack", "void", "boxes", "--reason", "x"], "ledger");
    let accepted = packmark::ledger::OpenHow { accept_restored: true, ..crate::driven::how("accepted") };
    let o = packmark::ledger::Core::open(Path::new(&s), &accepted).unwrap();
    let bottles = o.book.packs.values().find(|p| p.id == "bottles").unwrap();
    assert_eq!(o.book.unused(bottles), 0, "{:?}", bottles.withdrawn);
    assert!(o.restored.iter().all(|c| c.pack != bottles.no), "void, all of it; not doubtful");
    assert_eq!(o.book, crate::driven::fold(&crate::driven::stored_events(Path::new(&s))));
    o.core.close().unwrap();
    in_order(&s);
    // Codes used elsewhere, which the copy does not know: no way round.
    let old = root.path().join("old.txt");
    std::fs::write(&old, "https://q/1\n").unwrap();
    on(&s, &["pack", "import", "--used", text(&old), "--id", "before"]);
    std::fs::write(&db, &older).unwrap();
    let _ = std::fs::remove_file(db.with_extension("db-wal"));
    let e = packmark::ledger::Core::open(Path::new(&s), &accepted).map(|_| ()).unwrap_err();
    assert!(e.to_string().contains("is of a pack that this ledger does not know"), "{e}");
}

#[test]
fn codes_on_the_market_already_are_known_and_never_used() {
    let root = tempfile::tempdir().unwrap();
    let s = root.path().join("s");
    let (s, old) = (text(&s), root.path().join("old.txt"));
    std::fs::write(&old, (0..100).map(|n| format!("https://q/{n:04}\n")).collect::<String>()).unwrap();
    let done = on(s, &["pack", "import", "--used", text(&old), "--id", "before"]);
    agree(&validator("import", None), &done);
    in_order(s);
    let show = on(s, &["pack", "show", "before"]);
    agree(&validator("pack", None), &show);
    assert_eq!((&show["used"], &show["unused"], &show["codes"]), (&json!(true), &json!(0), &json!({"void": 100})));
    assert_eq!(on(s, &["trace", "https://q/0007"])["state"], "void");
    // Part of every later comparison.
    let new = root.path().join("new.txt");
    std::fs::write(&new, "https://q/0100\nhttps://q/0099\n").unwrap();
    let said = refused(s, &["pack", "import", text(&new), "--level", "bottle", "--product", "P1"], "duplicates");
    assert!(said.contains("line 2 is in pack before already (its code 100"), "{said}");
    refused(s, &["pack", "void", "before", "--reason", "x"], "pack-used");
    // Without --used a pack needs its level and product.
    let (exit, _, _) = packmark(&["--store", s, "pack", "import", text(&new)]);
    assert_eq!(exit, Some(2));
}

/// Whoever asks for duplicates to be left out is told how many were, offline and by the daemon, in either language.
#[test]
fn what_is_left_out_is_said() {
    let root = tempfile::tempdir().unwrap();
    let (first, more) = (root.path().join("a.txt"), root.path().join("b.txt"));
    std::fs::write(&first, "A1\nA2\nA3\n").unwrap();
    std::fs::write(&more, "A2\nB1\nB2\nB1\nA3\n").unwrap();
    let note = "3 codes were left out: 1 stood in the delivery before, 2 were here before; the journal names the first of them";
    let s = root.path().join("s");
    let s = text(&s);
    let import =
        |file: &Path, more: &[&str]| on(s, &[&["pack", "import", text(file), "--level", "bottle", "--product", "P1"], more].concat());
    import(&first, &[]);
    let answer = import(&more, &["--skip-duplicates"]);
    assert_eq!((&answer["count"], &answer["notes"]), (&json!(2), &json!([note])));
    in_order(s);
    let place = Place::bare();
    let daemon = place.start();
    let store = place.path("store");
    let ask = |file: &Path, words: &[&str]| {
        let args = [&["--store", text(&store), "pack", "import", text(file), "--level", "bottle", "--product", "P1"], words].concat();
        let out = Command::new(env!("CARGO_BIN_EXE_packmark")).args(args).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stderr).unwrap()
    };
    ask(&first, &[]);
    let said = ask(&more, &["--lang", "zh", "--skip-duplicates"]);
    assert!(said.contains("略去 3 个码"), "{said}");
    daemon.stop();
}

#[test]
fn an_expiry_is_kept_or_refused() {
    let root = tempfile::tempdir().unwrap();
    let s = root.path().join("s");
    let (s, file) = (text(&s), root.path().join("a.txt"));
    std::fs::write(&file, "https://q/1\n").unwrap();
    let import = |expiry: &'static str| ["pack", "import", text(&file), "--level", "bottle", "--product", "P1", "--expiry", expiry];
    let said = refused(s, &import("soon"), "bad-option");
    assert!(said.contains("“soon” is no date"), "{said}");
    let said = refused(s, &import("2020-01-31"), "bad-pack");
    assert!(said.contains("expired on 2020-01-31"), "{said}");
    on(s, &import("2090-01-31"));
    assert_eq!(on(s, &["pack", "show", "p1"])["expiry"], "2090-01-31");
    in_order(s);
}

/// The example line's store, in which some numbers of the case range were burnt, with another start in the file.
#[test]
fn a_range_below_what_was_issued_is_refused_and_one_above_is_a_new_one() {
    let root = tempfile::tempdir().unwrap();
    shift(root.path(), true);
    std::fs::rename(root.path().join("s"), root.path().join("store")).unwrap();
    let config = root.path().join("line.toml");
    let with = |range: &str| {
        let old = "range = { kind = \"sscc\", prefix = \"6901234\", extension = 0, start = 1 }";
        let text = crate::driven::config_text();
        assert!(text.contains(old));
        std::fs::write(&config, text.replace(old, range)).unwrap();
        packmark(&["--config", config.to_str().unwrap(), "check"])
    };
    let (exit, _, said) = with("range = { kind = \"sscc\", prefix = \"6901234\", extension = 0, start = 1 }");
    assert_eq!(exit, Some(0), "{said}");
    let (exit, lines, _) = with("range = { kind = \"sscc\", prefix = \"6901234\", extension = 0, start = 0 }");
    assert_eq!(exit, Some(2));
    agree(&validator("check", None), &lines[0]);
    let what = &lines[0]["complaints"][0];
    assert!(what["what"].as_str().unwrap().contains("its range holds numbers that range-case issued already (1 to 1)"), "{what}");
    assert!(what["right"].as_str().unwrap().starts_with("set start above 1") && what["line"].as_u64().unwrap() > 1, "{what}");
    // A run says the same and touches nothing of the devices.
    let (exit, lines, said) = packmark(&["--config", config.to_str().unwrap(), "run"]);
    assert!(exit == Some(2) && lines.is_empty() && said.contains("set start above 1"), "{exit:?} {said}");
    // Two levels of one space.
    let (exit, lines, _) = with("range = { kind = \"sscc\", prefix = \"69012345\", extension = 1, start = 1 }");
    assert_eq!(exit, Some(2));
    assert!(lines[0].to_string().contains("[[level]] pallet: its range overlaps that of level case"), "{lines:?}");
    let (exit, _, said) = with("range = { kind = \"sscc\", prefix = \"6901234\", extension = 0, start = 500, end = 999 }");
    assert_eq!(exit, Some(0), "{said}");
    // A range that forms a code of a pack.
    let (exit, lines, _) = with("range = { kind = \"serial\", prefix = \"BOX\", digits = 5, start = 3 }");
    assert_eq!(exit, Some(2));
    assert!(lines[0].to_string().contains("is code 4 of pack boxes already"), "{lines:?}");
    let (exit, _, said) = with("range = { kind = \"serial\", prefix = \"BOX\", digits = 5, start = 40, end = 50 }");
    assert_eq!(exit, Some(0), "{said}");
}

#[test]
fn beside_a_daemon_packs_are_shown_voided_and_returned_through_it() {
    let place = Place::bare();
    let codes = |p: &str, n: u32| (0..n).map(|i| format!("https://t.example/{p}{i:06}\n")).collect::<String>();
    for (p, n) in [("a", 300), ("b", 20_000), ("c", 20_000)] {
        let file = place.write(&format!("{p}.txt"), &codes(p, n));
        let store = place.path("store");
        on(text(&store), &["pack", "import", text(&file), "--level", "bottle", "--product", "P1", "--id", p]);
    }
    let daemon = place.start();
    let (store, mut talk) = (place.path("store"), daemon.talk());
    let s = text(&store);
    // Asked on a line of its own: the answer and the events come apart.
    talk.ask(json!({"id": 1, "op": "watch"}));
    let v = daemon.talk().ask(json!({"id": 2, "op": "pack.void", "pack": "a", "reason": "stolen", "who": "w", "key": "k"}));
    assert_eq!((&v["ok"], &v["count"], &v["state"]), (&json!(true), &json!(300), &json!("void")), "{v}");
    // Whoever watches reads a line a code. Whoever does not read is dropped; the next one asks without watching.
    for n in 0..300 {
        let e = talk.event("void");
        assert_eq!(e["text"], format!("https://t.example/a{n:06}"), "{e}");
    }
    let mut talk = daemon.talk();
    let again = talk.ask(json!({"id": 3, "op": "pack.void", "pack": "a", "reason": "stolen", "who": "w", "key": "k"}));
    assert_eq!(again["count"], v["count"], "the first answer");
    let no = talk.ask(json!({"id": 4, "op": "pack.void", "pack": "a", "reason": "stolen"}));
    assert_eq!(no["error"]["code"], "pack-withdrawn");
    let no = talk.ask(json!({"id": 5, "op": "pack.return", "pack": "b"}));
    assert_eq!(no["error"]["code"], "bad-request");
    let file = place.path("back.csv");
    let done = on(s, &["pack", "return", "b", "--reason", "too many", "--out", text(&file)]);
    assert_eq!((&done["count"], &done["lines"]), (&json!(20_000), &json!(20_000)));
    agree(&validator("withdrawn", None), &done);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 20_001);
    refused(s, &["pack", "void", "b", "--reason", "x"], "pack-withdrawn");
    let show = on(s, &["pack", "show", "b"]);
    agree(&validator("pack", None), &show);
    let status = talk.ask(json!({"id": 6, "op": "status"}));
    assert_eq!(status["pool"][0]["codes"], 20_000, "only c is left");
    let used = place.write("old.txt", "https://t.example/old\n");
    on(s, &["pack", "import", "--used", text(&used), "--id", "before"]);
    assert_eq!(on(s, &["pack", "show", "before"])["used"], true);
    in_order(s);
    assert_eq!(daemon.stop().0, Some(0));
    let after = place.start();
    assert_eq!(after.talk().ask(json!({"id": 1, "op": "status"}))["pool"][0]["codes"], 20_000);
    assert_eq!(after.stop().0, Some(0));
    in_order(s);
}

/// The lines of a file, each checked to be the template with so many characters of the alphabet.
fn tokens(file: &Path, letters: &str, length: usize) -> std::collections::BTreeSet<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines: std::collections::BTreeSet<String> = text.lines().map(String::from).collect();
    for l in &lines {
        let token = l.strip_prefix("https://q.example/").unwrap_or_else(|| panic!("{l}"));
        assert!(token.len() == length && token.chars().all(|c| letters.contains(c)), "{l}");
    }
    lines
}

#[test]
fn tokens_are_drawn_into_a_pack_and_never_twice() {
    let root = tempfile::tempdir().unwrap();
    let (s, file) = (root.path().join("s"), root.path().join("drawn.txt"));
    let s = text(&s);
    let generate = |count: &str, more: &[&str]| {
        let all = ["pack", "generate", "--count", count, "--level", "bottle", "--product", "P1", "--template", "https://q.example/{token}"];
        [&all[..], more].concat().into_iter().map(String::from).collect::<Vec<String>>()
    };
    let call = |args: Vec<String>| on(s, &args.iter().map(String::as_str).collect::<Vec<_>>());
    let no = |args: Vec<String>, code: &str| refused(s, &args.iter().map(String::as_str).collect::<Vec<_>>(), code);
    let done = call(generate("2000", &["--out", text(&file), "--key", "k", "--id", "d"]));
    agree(&validator("import", None), &done);
    assert_eq!((&done["count"], &done["pack"]), (&json!(2000), &json!("d")));
    let first = tokens(&file, packmark::vocab::token::A28, 12);
    assert_eq!(first.len(), 2000, "each once");
    assert_eq!(call(generate("2000", &["--key", "k", "--id", "d"]))["sha256"], done["sha256"], "the first answer");
    let show = on(s, &["pack", "show", "d"]);
    agree(&validator("pack", None), &show);
    assert_eq!(show["drawn"]["template"], "https://q.example/{token}");
    assert_eq!(on(s, &["trace", first.first().unwrap()])["state"], "pooled");
    // The file is a delivery of the same codes: every one of them is known.
    let said = no(["pack", "import", text(&file), "--level", "bottle", "--product", "P1"].map(String::from).into(), "duplicates");
    assert!(said.contains("is in pack d already"), "{said}");
    // The guessing rule counts what was drawn before, and says its numbers.
    let said = no(generate("98001", &["--alphabet", "0-9", "--length", "9"]), "guessable");
    assert!(said.contains("make 1000000000 tokens; with 100001 live codes one guess in 9999 would hit"), "{said}");
    let said = no(generate("10", &["--alphabet", "A31", "--length", "4", "--live", "1000000"]), "guessable");
    assert!(said.contains("take 7 characters"), "{said}");
    no(generate("0", &[]), "bad-count");
    let (exit, lines, _) =
        packmark(&["--store", s, "pack", "generate", "--count", "1", "--level", "b", "--product", "P", "--template", "x"]);
    assert_eq!((exit, &lines[0]["error"]["code"]), (Some(2), &json!("bad-rule")));
    // Twelve of ten thousand: as close as it may be, and still none twice.
    let small = root.path().join("small.txt");
    for n in 0..3 {
        call(generate("1", &["--alphabet", "0-9", "--length", "8", "--out", text(&small), "--id", &format!("n{n}")]));
        assert_eq!(tokens(&small, "0123456789", 8).len(), 1);
    }
    in_order(s);
    let all: Vec<Value> = on(s, &["pack", "list"])["packs"].as_array().unwrap().clone();
    assert_eq!(all.len(), 4, "refusals left nothing");
}

#[test]
fn a_daemon_draws_tokens_too() {
    let place = Place::bare();
    let daemon = place.start();
    let (store, mut talk) = (place.path("store"), daemon.talk());
    let wish = json!({"id": 1, "op": "pack.generate", "count": 300, "level": "bottle", "product": "P1", "template": "https://q.example/{token}", "key": "k"});
    let v = talk.ask(wish.clone());
    assert_eq!((&v["ok"], &v["count"], &v["pack"]), (&json!(true), &json!(300), &json!("p1")), "{v}");
    assert_eq!(talk.ask(wish)["sha256"], v["sha256"], "the first answer");
    let no = talk.ask(
        json!({"id": 2, "op": "pack.generate", "count": 300, "level": "bottle", "product": "P1", "template": "https://q.example/{token}", "length": 3}),
    );
    assert_eq!(no["error"]["code"], "guessable", "{no}");
    let no = talk.ask(json!({"id": 3, "op": "pack.generate", "count": 300, "level": "bag", "product": "P1", "template": "{token}"}));
    assert_eq!(no["error"]["code"], "unknown-level", "{no}");
    let no = talk.ask(json!({"id": 4, "op": "pack.generate", "count": 300, "level": "bottle", "product": "P1", "template": "none"}));
    assert_eq!(no["error"]["code"], "bad-request", "{no}");
    let file = place.path("drawn.txt");
    let args = ["pack", "generate", "--count", "50", "--level", "bottle", "--product", "P1", "--template", "https://q.example/{token}"];
    let done = on(text(&store), &[&args[..], &["--out", text(&file)]].concat());
    agree(&validator("import", None), &done);
    assert_eq!(tokens(&file, packmark::vocab::token::A28, 12).len(), 50);
    assert_eq!(talk.ask(json!({"id": 5, "op": "status"}))["pool"][0]["codes"], 350);
    assert_eq!(daemon.stop().0, Some(0));
    in_order(text(&store));
}
