//! The house's order, held by a test: arrows between rooms, words that may stand in one room only, size budgets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which rooms a room may name, beside `vocab` and itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("vocab", &[]),
    ("profile", &[]),
    ("config", &["profile"]),
    ("wire", &["profile"]),
    ("line", &[]),
    ("device", &["wire", "profile"]),
    ("ledger", &["line"]),
    ("control", &[]),
    ("tui", &["control"]),
    ("audit", &[]),
    ("sim", &["wire", "profile", "line", "ledger", "config", "control"]),
    ("floor", &["device", "wire", "profile", "line", "ledger", "control", "config", "sim", "audit", "tui", "cli"]),
    ("cli", &["floor", "ledger", "control", "config", "profile", "audit", "sim", "tui"]),
];

/// Words and the rooms (or files) where they may stand.
const BANNED: &[(&str, &[&str])] = &[
    ("tokio::", &["device/", "control/server", "control/client", "control/tail", "floor/", "sim/process", "tui/", "cli/"]),
    ("rusqlite", &["ledger/"]),
    ("SystemTime::now", &["floor/clock.rs"]),
    ("Utc::now", &["floor/clock.rs"]),
    // The driver loop and the writer thread measure waiting; the simulator's shell is a world of its own.
    (
        "Instant::now",
        &["floor/clock.rs", "ledger/writer", "device/", "sim/process", "tui/", "control/client", "control/server", "cli/", "floor/demo"],
    ),
    ("unbounded_channel", &[]),
    ("mpsc::channel()", &[]),
    ("todo!(", &[]),
    ("unimplemented!(", &[]),
    ("dbg!(", &[]),
];

/// Files that may be longer than 500 lines before their tests, each with its reason.
const LONG: &[(&str, usize, &str)] = &[];

fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        for e in std::fs::read_dir(dir).expect("src is readable") {
            let p = e.expect("an entry").path();
            if p.is_dir() {
                walk(&p, out)
            } else if p.extension().is_some_and(|x| x == "rs") {
                out.push(p)
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    assert!(files.len() > 20, "the walk found the sources");
    files
        .into_iter()
        .map(|p| (p.strip_prefix(&root).expect("below src").to_string_lossy().into_owned(), std::fs::read_to_string(&p).expect("utf-8")))
        .collect()
}

/// The code before a file's tests, without comment lines.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]").unwrap_or(text.len());
    text[..end].lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn arrows_between_rooms() {
    let rooms: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some((room, _)) = file.split_once('/') else { continue };
        let allowed = rooms.get(room).unwrap_or_else(|| panic!("room {room} has no arrows: add it to ARROWS and to lib.rs"));
        for part in code(&text).split("crate::").skip(1) {
            let to: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if rooms.contains_key(to.as_str()) && to != room && to != "vocab" && !allowed.contains(&to.as_str()) {
                wrong.push(format!("{file} names {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let text = code(&text);
        for (word, homes) in BANNED {
            if text.contains(word) && !homes.iter().any(|h| file.starts_with(h)) {
                wrong.push(format!("{file} says {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn size_budgets() {
    let mut wrong = Vec::new();
    let mut over_300 = 0;
    let all = sources();
    for (file, text) in &all {
        let lines = text.find("#[cfg(test)]").map_or(text.lines().count(), |end| text[..end].lines().count());
        let budget = LONG.iter().find(|l| l.0 == file).map_or(500, |l| l.1);
        if lines > budget {
            wrong.push(format!("{file} has {lines} lines before its tests, the budget is {budget}"));
        }
        over_300 += usize::from(lines > 300);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(over_300 * 10 <= all.len() * 3, "{over_300} of {} files have more than 300 lines", all.len());
    let main = all.iter().find(|f| f.0 == "main.rs").expect("main.rs");
    assert!(main.1.lines().count() < 60, "main.rs is thin");
}
