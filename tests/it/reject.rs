//! A reject never waits for the disk: the real daemon with commits stalled 500 ms, its devices played here.

use super::played::{Gate, LIMIT, Played, Told, code};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

const STALL: Duration = Duration::from_millis(500);
/// Things are far apart, and the gate far enough behind the edge for a frame to come first on a busy machine.
const GATE: Gate = Gate { spacing: 400, deadline: 200, pair: 30, after: 260, pulse: 100 };

fn edge(line: &Played) {
    line.players.edge();
    match line.players.next(LIMIT) {
        Some(Told::Edge { .. }) => {}
        other => panic!("the module shows the edge first: {other:?}"),
    }
}

/// When the module got the reject.
fn rejected(line: &Played) -> Instant {
    match line.players.next(LIMIT) {
        Some(Told::Reject(at)) => at,
        other => panic!("a reject comes: {other:?}"),
    }
}

#[test]
fn with_a_slow_disk_rejects_leave_before_they_are_in_the_book_and_good_things_are_late() {
    let mut line = Played::start(GATE, 10, &format!("commit_stall_ms={}", STALL.as_millis()), || {}, 0);
    // Everything so far is on disk before the first thing comes.
    line.until(|s| s["writer"]["queue"] == 0);
    let mut watcher = line.client();
    watcher.request("watch", Map::new(), None).expect("it may be watched");
    // The verdict's event, and when it was told, which is after its commit.
    let mut verdict = || loop {
        let v = watcher.line().expect("an event in time");
        if v["type"] == "event" && v["k"] == "verdict" {
            return (v, Instant::now());
        }
    };

    edge(&line);
    line.players.frame("ERROR");
    let wrote = rejected(&line);
    let (told, committed) = verdict();
    assert_eq!((&told["good"], &told["reason"]), (&json!(false), &json!("no-read")), "{told}");
    assert!(wrote + STALL / 2 < committed, "the reject did not wait for the commit: {:?} between them", committed - wrote);

    edge(&line);
    line.players.frame(&code(0));
    let wrote = rejected(&line);
    let (good, _) = verdict();
    assert_eq!(good["good"], true, "read well: {good}");
    let (late, committed) = verdict();
    assert_eq!((&late["good"], &late["reason"], &late["passage"]), (&json!(false), &json!("late"), &good["passage"]), "{late}");
    assert!(wrote < committed);

    let status = line.until(|s| s["writer"]["queue"] == 0);
    assert_eq!(status["state"]["name"], "execute", "such a stall does not hold the line: {status:?}");
    assert_eq!(status["stations"][0]["rejected"], json!({"late": 1, "no-read": 1}), "{status:?}");
    assert_eq!(status["counts"]["verified"], Value::from(0));
    assert_eq!(line.stop(), Some(0));
}
