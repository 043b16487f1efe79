//! The house's order, held by a test: arrows between rooms, words that may stand in one room only, size budgets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which rooms a room may name, beside `vocab` and itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("vocab", &[]),
    ("profile", &[]),
    ("config", &[]),
    ("intake", &[]),
    ("symbol", &[]),
    ("wire", &["profile"]),
    ("line", &[]),
    ("device", &["wire"]),
    ("ledger", &["line", "intake"]),
    ("control", &[]),
    ("tui", &["control"]),
    ("audit", &[]),
    ("upstream", &[]),
    ("sim", &["wire", "profile", "line", "ledger", "intake", "config", "control"]),
    // The demo, in the floor, is simulator, daemon, console and auditor together.
    ("floor", &["device", "wire", "profile", "line", "ledger", "intake", "control", "config", "sim", "audit", "tui", "upstream"]),
    ("cli", &["floor", "ledger", "intake", "control", "config", "profile", "audit", "sim", "symbol", "tui", "wire"]),
];

/// Words and the rooms (or files) where they may stand, outside of tests.
const WORDS: &[(&str, &[&str])] = &[
    // `cli/mod.rs` takes the signal of a full disk.
    ("tokio::", &["device/", "control/server.rs", "floor/", "sim/process", "tui/source.rs", "cli/mod.rs"]),
    (
        "rusqlite",
        &[
            "ledger/chain.rs",
            "ledger/core.rs",
            "ledger/error.rs",
            "ledger/load.rs",
            "ledger/reader.rs",
            "ledger/report.rs",
            "ledger/schema.rs",
            "ledger/survey.rs",
            "ledger/trace.rs",
            "ledger/upsert.rs",
        ],
    ),
    // Codes and secrets leave by one door.
    ("ureq", &["upstream/http.rs"]),
    ("SystemTime::now", &["floor/clock.rs"]),
    ("Utc::now", &[]),
    // The writer and the console measure waiting, bulk writing its pace; the simulator's shell is a world of its own.
    (
        "Instant::now",
        &["floor/clock.rs", "floor/demo/", "ledger/pace.rs", "ledger/writer.rs", "sim/process/stage.rs", "tui/live.rs", "tui/mod.rs"],
    ),
    ("println!(", &["cli/", "floor/demo/", "floor/run.rs", "floor/terms.rs"]),
    ("thread::sleep", &["floor/demo/", "ledger/core.rs", "ledger/lock.rs", "ledger/pace.rs", "tui/source.rs"]),
    ("Mutex", &["floor/tail.rs"]),
    ("process::exit", &[]),
    (".unwrap()", &[]),
    ("unsafe {", &[]),
    ("unbounded", &[]),
    ("mpsc::channel()", &[]),
    ("serde(flatten", &[]),
    ("serde(untagged", &[]),
    ("todo!(", &[]),
    ("unimplemented!(", &[]),
    ("dbg!(", &[]),
];

/// Files that may be longer than 500 lines before their tests, each with its reason.
const LONG: &[(&str, usize, &str)] = &[];

struct Source {
    file: String,
    /// Everything, tests included.
    text: String,
    /// Declared under `cfg(test)`: here or in a module above.
    test: bool,
}

impl Source {
    /// The lines before the file's own tests.
    fn before_tests(&self) -> &str {
        let inline = self.text.match_indices("#[cfg(test)]\nmod ").find(|(at, _)| {
            let rest = self.text[*at..].lines().nth(1).unwrap_or("");
            rest.ends_with('{')
        });
        inline.map_or(&self.text, |(at, _)| &self.text[..at])
    }

    /// The code before the tests, without comment lines.
    fn code(&self) -> String {
        self.before_tests().lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }
}

fn files(dir: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        for e in std::fs::read_dir(dir).expect("a readable folder") {
            let p = e.expect("an entry").path();
            if p.is_dir() {
                walk(&p, out)
            } else if p.extension().is_some_and(|x| x == "rs") {
                out.push(p)
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    let named =
        |p: PathBuf| (p.strip_prefix(&root).expect("below it").to_string_lossy().into_owned(), std::fs::read_to_string(&p).expect("utf-8"));
    files.into_iter().map(named).collect()
}

fn sources() -> Vec<Source> {
    let files = files("src");
    assert!(files.len() > 100, "the walk found the sources");
    // `#[cfg(test)] mod x;` makes x, and all below it, tests.
    let mut roots: BTreeSet<String> = BTreeSet::new();
    for (file, text) in &files {
        let folder = file
            .strip_suffix("mod.rs")
            .or_else(|| file.strip_suffix("lib.rs"))
            .map_or_else(|| format!("{}/", file.trim_end_matches(".rs")), Into::into);
        for declared in text.split("#[cfg(test)]\n").skip(1).filter_map(|rest| rest.lines().next()?.strip_suffix(';')) {
            if let Some((_, name)) = declared.split_once("mod ") {
                roots.insert(format!("{folder}{name}"));
            }
        }
    }
    assert!(roots.contains("line/tests") && roots.contains("ledger/tests"), "the test modules were found: {roots:?}");
    let test = |file: &str| roots.iter().any(|r| file.strip_prefix(r.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/')));
    files.into_iter().map(|(file, text)| Source { test: test(&file), file, text }).collect()
}

fn shipped() -> Vec<Source> {
    sources().into_iter().filter(|s| !s.test).collect()
}

#[test]
fn arrows_between_rooms() {
    let rooms: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    for s in shipped() {
        let Some((room, _)) = s.file.split_once('/') else { continue };
        assert!(rooms.contains_key(room), "room {room} has no arrows: add it to ARROWS and to lib.rs");
        for part in s.code().split("crate::").skip(1) {
            let to: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if rooms.contains_key(to.as_str()) && to != room && to != "vocab" {
                assert!(rooms[room].contains(&to.as_str()), "{} names {to}", s.file);
                used.insert((room.into(), to));
            }
        }
    }
    for (room, to) in ARROWS.iter().flat_map(|(r, all)| all.iter().map(move |to| (*r, *to))) {
        assert!(used.contains(&(room.into(), to.into())), "{room} no longer names {to}: take the arrow out");
    }
}

#[test]
fn words_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    let mut used: BTreeSet<(&str, &str)> = BTreeSet::new();
    for s in shipped() {
        let code = s.code();
        for (word, homes) in WORDS.iter().filter(|w| code.contains(w.0)) {
            match homes.iter().find(|h| s.file.starts_with(**h)) {
                Some(home) => drop(used.insert((word, home))),
                None => wrong.push(format!("{} says {word}", s.file)),
            }
        }
    }
    let homes = WORDS.iter().flat_map(|(w, homes)| homes.iter().map(move |h| (*w, *h)));
    wrong.extend(homes.filter(|h| !used.contains(h)).map(|(word, home)| format!("{home} no longer says {word}: take it out")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_test_sleeps_or_is_ignored() {
    let inside = sources().into_iter().map(|s| {
        let from = if s.test { 0 } else { s.before_tests().len() };
        (format!("src/{}", s.file), s.text[from..].to_string())
    });
    // The kill test's delays are its input. This file names the words.
    let outside = files("tests").into_iter().filter(|(f, _)| f != "kill.rs" && f != "it/tidy.rs").map(|(f, t)| (format!("tests/{f}"), t));
    for (file, text) in inside.chain(outside) {
        for word in ["#[ignore", "thread::sleep(", "time::sleep("] {
            assert!(!text.contains(word), "{file} says {word}");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for s in sources() {
        let header: Vec<&str> = s.text.lines().take_while(|l| l.starts_with("//!")).collect();
        let thin = header.first().is_none_or(|l| l.len() < 24);
        assert!(!thin || s.file == "main.rs" && header.is_empty(), "{} has no header that says what it is for", s.file);
    }
}

#[test]
fn size_budgets() {
    let mut wrong = Vec::new();
    let (mut over_300, mut shipped) = (0, 0);
    let all = sources();
    for s in &all {
        let lines = s.before_tests().lines().count();
        let budget = LONG.iter().find(|l| l.0 == s.file).map_or(500, |l| l.1);
        if lines > budget {
            wrong.push(format!("{} has {lines} lines before its tests, the budget is {budget}", s.file));
        }
        if !s.test {
            shipped += 1;
            over_300 += usize::from(lines > 300);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The wish is one in ten. Conversations, emulators and the line's passages are each one piece longer than that:
    // cutting them at 300 lines would part what is read together.
    assert!(over_300 * 5 <= shipped, "{over_300} of {shipped} files have more than 300 lines");
    let main = all.iter().find(|s| s.file == "main.rs").expect("main.rs");
    assert!(main.text.lines().count() < 60, "main.rs is thin");
}

/// What the architecture document names exists: every path, and every test beside one.
#[test]
fn the_architecture_document_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("src/lib.rs")).expect("lib.rs");
    let paths: Vec<&str> = text.split('`').filter(|w| w.ends_with(".rs")).collect();
    assert!(paths.len() > 15, "paths are named: {paths:?}");
    for path in &paths {
        assert!(root.join(path).is_file(), "lib.rs names {path}, which is not there");
    }
    let mut tests = 0;
    for (before, after) in text.match_indices("` in `").map(|(at, sep)| (&text[..at], &text[at + sep.len()..])) {
        let (name, path) = (before.rsplit('`').next().unwrap_or(""), after.split('`').next().unwrap_or(""));
        let source = std::fs::read_to_string(root.join(path)).expect(path);
        let declared = source.contains(&format!("fn {name}(")) || source.contains(&format!("\n    {name}: "));
        assert!(declared, "{path} has no test {name}");
        tests += 1;
    }
    assert!(tests >= 4, "tests are named");
    for (room, _) in ARROWS {
        let (link, other) = (format!("| [`{room}`] |"), format!("| [`mod@{room}`] |"));
        assert!(text.contains(&link) || text.contains(&other), "{room} is not in the table of rooms");
    }
}
