//! The watched folder of a running daemon: what lies there comes in once, or is refused with its sentence beside it.

use crate::daemon::{Daemon, Place, codes};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn place(more: &str) -> Place {
    let place = Place::new();
    let text = std::fs::read_to_string(place.path("line.toml")).unwrap();
    place.write("line.toml", &format!("{text}\n[packs]\ninbox = \"inbox\"\n{more}\n"));
    std::fs::create_dir_all(place.path("inbox/bottle/P1")).unwrap();
    place
}

/// Written under another name, then renamed: as a careful supplier does.
fn put(place: &Place, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let (part, path) = (place.path("half.part"), place.path("inbox").join(name));
    std::fs::write(&part, text).unwrap();
    std::fs::rename(part, &path).unwrap();
    path
}

fn packs(d: &Daemon) -> u64 {
    pool(d).iter().filter(|p| p["level"] == "bottle").filter_map(|p| p["codes"].as_u64()).sum()
}

fn pool(d: &Daemon) -> Vec<Value> {
    d.talk().ask(json!({"id": 1, "op": "status"}))["pool"].as_array().cloned().unwrap_or_default()
}

fn alarms(d: &Daemon) -> Vec<String> {
    let status = d.talk().ask(json!({"id": 1, "op": "status"}));
    status["alarms"].as_array().into_iter().flatten().map(|a| a["name"].as_str().unwrap().to_string()).collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn files_come_in_or_are_refused_with_their_sentence() {
    let place = place("");
    put(&place, "bottle/P1/a.txt", codes("A", 100));
    std::fs::create_dir_all(place.path("inbox/box/P1")).unwrap();
    put(&place, "box/P1/manifest.txt", "column:code=盒码 purpose:防伪");
    put(&place, "box/P1/boxes.csv", format!("号,盒码\n{}", (0..9).map(|n| format!("{n},https://t.example/X{n}\n")).collect::<String>()));
    put(&place, "bottle/P1/half.part", "not yet\n");
    let stray = put(&place, "stray.txt", codes("S", 3));
    let d = place.start();
    until("the pack is done", || place.path("inbox/done/bottle/P1/a.txt").exists() && place.path("inbox/done/box/P1/boxes.csv").exists());
    assert_eq!(packs(&d), 100);
    assert!(pool(&d).iter().any(|p| p["level"] == "box" && p["codes"] == 9), "the manifest beside it named its column");
    assert!(place.path("inbox/bottle/P1/half.part").exists() && place.path("inbox/box/P1/manifest.txt").exists());

    let refused = place.path("inbox/refused/stray.txt");
    until("the stray is refused", || refused.exists() && !stray.exists() && text(&place.path("inbox/refused/stray.txt.txt")).len() > 20);
    let said = text(&place.path("inbox/refused/stray.txt.txt"));
    // In the line's language, and as the log has it.
    let (zh, en) = said.split_once("\n\n").unwrap();
    assert_eq!(zh, "stray.txt 在收件夹中，但没有说明它的层级和产品；未导入任何码\n普通文件请放入 inbox/层级/产品/，或将其密封");
    assert!(
        en.starts_with("stray.txt lies in the inbox and nothing says its level and product; nothing was imported\nput plain"),
        "{said}"
    );
    until("its alarm is on", || alarms(&d).contains(&"inbox-refused:stray.txt".to_string()));

    // The same codes again, under another name.
    put(&place, "bottle/P1/b.txt", codes("A", 100));
    let said = place.path("inbox/refused/bottle/P1/b.txt.txt");
    until("the second is refused", || text(&said).contains("already"));
    assert_eq!(packs(&d), 100);
    let (code, log) = d.stop();
    assert_eq!(code, Some(0), "{log}");

    // Taken away while nobody looked: the alarm is over when somebody does again.
    std::fs::remove_file(refused).unwrap();
    let d = place.start();
    until("the alarm is over", || !alarms(&d).iter().any(|a| a == "inbox-refused:stray.txt"));
    assert!(alarms(&d).iter().any(|a| a == "inbox-refused:bottle/P1/b.txt"), "the other's is not");
}

/// A name that is no text is refused as that, and its alarm stays until the file is taken away. What is no ordinary file is
/// let alone.
#[test]
fn odd_names_and_odd_files() {
    use std::os::unix::ffi::OsStrExt;
    let place = place("");
    let odd = |of: &str| place.path(of).join(std::ffi::OsStr::from_bytes(b"bad\xff.txt"));
    std::fs::write(place.path("half.part"), codes("A", 3)).unwrap();
    std::fs::rename(place.path("half.part"), odd("inbox/bottle/P1")).unwrap();
    put(&place, "bottle/P1/空 格;'x'.txt", codes("B", 4));
    std::os::unix::fs::symlink(place.path("line.toml"), place.path("inbox/bottle/P1/link.txt")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(place.path("inbox/bottle/P1/pipe.txt")).status().unwrap().success());
    let d = place.start();
    until("the good one is in", || packs(&d) == 4);
    until("the odd one is refused", || odd("inbox/refused/bottle/P1").exists());
    let alarm = "inbox-refused:bottle/P1/bad\u{fffd}.txt".to_string();
    until("its alarm is on", || alarms(&d).contains(&alarm));
    let said = std::fs::read_dir(place.path("inbox/refused/bottle/P1")).unwrap().map(|e| e.unwrap().path());
    let said = said.filter(|p| p.as_os_str().as_bytes().ends_with(b".txt.txt")).map(|p| text(&p)).collect::<String>();
    assert!(said.contains("的文件名不是 UTF-8") && said.contains("rename it, then put it back"), "{said}");
    // Two more looks.
    put(&place, "bottle/P1/c.txt", codes("C", 5));
    until("the next is in", || packs(&d) == 9);
    assert!(alarms(&d).contains(&alarm), "the file still lies there");
    assert!(place.path("inbox/bottle/P1/link.txt").exists() && place.path("inbox/bottle/P1/pipe.txt").exists());
    std::fs::remove_file(odd("inbox/refused/bottle/P1")).unwrap();
    until("the alarm is over", || !alarms(&d).contains(&alarm));
    assert_eq!(d.stop().0, Some(0));
}

#[test]
fn readable_files_go_when_their_pack_is_on_disk() {
    let place = place("after_import = \"delete\"");
    let file = put(&place, "bottle/P1/a.txt", codes("A", 10));
    let d = place.start();
    until("it is gone", || !file.exists());
    until("it is in the book", || packs(&d) == 10);
    assert!(!place.path("inbox/done/bottle/P1/a.txt").exists());
}

/// Killed between the commit and the move, a file is asked for again: it gets its first answer, not a refusal.
#[test]
fn a_file_that_could_not_be_moved_comes_in_once() {
    let place = place("");
    std::fs::create_dir_all(place.path("inbox/done")).unwrap();
    std::fs::write(place.path("inbox/done/bottle"), "in the way").unwrap();
    let file = put(&place, "bottle/P1/a.txt", codes("A", 10));
    let d = place.start();
    until("it is in the book", || packs(&d) == 10);
    let (code, log) = d.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(file.exists());
    std::fs::remove_file(place.path("inbox/done/bottle")).unwrap();
    let d = place.start();
    until("it is moved", || place.path("inbox/done/bottle/P1/a.txt").exists());
    assert_eq!(packs(&d), 10);
    assert!(!place.path("inbox/refused/bottle").exists() && alarms(&d).iter().all(|a| !a.starts_with("inbox")));
}
