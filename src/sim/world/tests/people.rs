//! The operator and the person with the reader, driven by hand-made lines of the socket.

use super::*;

fn hello() -> Value {
    json!({"type": "hello", "boot": "b1", "line": "L1"})
}

/// Steps for so long; bench and person hear each other at once unless `deaf`.
fn pass_time(world: &mut World, bench: &mut Obeying, ms: u64, deaf: bool) -> Vec<Value> {
    let end_us = world.now_us + ms * MS;
    assert!(end_us < 600_000 * MS, "what is waited for comes within ten minutes");
    let mut said = Vec::new();
    while world.now_us < end_us {
        world.step(world.next_us(), bench);
        for e in bench.events.drain(..) {
            if !deaf {
                world.operator_hears(&e);
            }
        }
        said.extend(std::iter::from_fn(|| world.operator_says()));
    }
    said
}

fn ops(said: &[Value]) -> Vec<&str> {
    said.iter().filter_map(|v| v["op"].as_str()).collect()
}

fn held(id: &Value, reason: &str, alarms: &[&str]) -> Value {
    let alarms: Vec<Value> = alarms.iter().map(|a| json!({"name": a, "since": "2026-01-01T00:00:00Z"})).collect();
    json!({
        "id": id, "ok": true, "state": {"packml": 11, "name": "held", "reason": reason}, "job": {"id": "J1", "state": "held"},
        "alarms": alarms, "open": [], "devices": [{"id": "cam1", "link": "up"}],
    })
}

/// Answers every status of the said with this state, as long as time goes by.
fn held_for(world: &mut World, bench: &mut Obeying, ms: u64, reason: &str, alarms: &[&str]) -> Vec<Value> {
    let mut all = Vec::new();
    for _ in 0..ms / 10 {
        let said = pass_time(world, bench, 10, false);
        said.iter().filter(|v| v["op"] == "status").for_each(|v| world.operator_hears(&held(&v["id"], reason, alarms)));
        all.extend(said);
    }
    all
}

#[test]
fn after_the_greeting_the_operator_watches_and_asks_twice_a_second() {
    let plan = plan(LINE);
    let mut world = World::new(plan.clone(), how(1_000, 1, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    assert!(pass_time(&mut world, &mut bench, 1_000, false).is_empty(), "nobody is there yet");
    world.operator_hears(&hello());
    let said = held_for(&mut world, &mut bench, 3_000, "operator", &[]);
    assert_eq!(said[0], json!({"id": 1, "op": "watch"}));
    assert!((5..=7).contains(&ops(&said).iter().filter(|o| **o == "status").count()), "{said:?}");
    assert!(!ops(&said).contains(&"job.resume"), "an operator's hold is the operator's");
    world.operator_hears(&json!({"type": "event", "seq": 41, "boot": "b1", "k": "alarm", "name": "x", "on": true}));
    world.operator_left();
    assert!(pass_time(&mut world, &mut bench, 2_000, false).is_empty());
    world.operator_hears(&hello());
    let said = pass_time(&mut world, &mut bench, 100, false);
    assert_eq!(said[0]["since"], json!({"boot": "b1", "seq": 41}), "goes on where it stopped");
}

#[test]
fn a_hold_that_needs_nothing_is_resumed_after_a_look() {
    let plan = plan(LINE);
    let mut world = World::new(plan.clone(), how(1_000, 1, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    world.operator_hears(&hello());
    let said = held_for(&mut world, &mut bench, 900, "restart", &[]);
    assert!(!ops(&said).contains(&"job.resume"), "it looks first");
    let said = held_for(&mut world, &mut bench, 1_200, "restart", &[]);
    assert_eq!(said.iter().find(|v| v["op"] == "job.resume").map(|v| v["job"].clone()), Some(json!("J1")));
    let said = held_for(&mut world, &mut bench, 4_000, "writer-slow", &["disk-full"]);
    assert!(!ops(&said).contains(&"job.resume"), "a full disk is not the operator's to mend");
}

#[test]
fn out_of_step_the_station_is_emptied_before_it_is_cleared() {
    let plan = plan(LINE);
    let mut world = World::new(plan.clone(), how(10_000, 3, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    world.operator_hears(&hello());
    pass_time(&mut world, &mut bench, 3_000, false);
    let said = held_for(&mut world, &mut bench, 2_000, "out-of-step", &["out-of-step:case-pack"]);
    assert!(!ops(&said).contains(&"station.clear"), "the belt still runs");
    while world.filling[2].is_none_or(|case| world.things[case].children.len() != 2) {
        pass_time(&mut world, &mut bench, 20, false);
    }
    // A third box stands between its gate and the case.
    while world.eyes.iter().all(|e| e.coming.is_empty()) {
        pass_time(&mut world, &mut bench, 20, false);
    }
    let on_the_way = *world.eyes.iter().find_map(|e| e.coming.front()).expect("a box comes");
    let case = world.filling[2].expect("a case is open");
    let inside = world.things[case].children.clone();
    world.take_truth();
    bench.permit = false;
    let said = held_for(&mut world, &mut bench, 3_000, "out-of-step", &["out-of-step:case-pack"]);
    let clear = said.iter().find(|v| v["op"] == "station.clear").expect("it is cleared");
    assert_eq!(clear["station"], "case-pack");
    let truth: Vec<Value> = world.take_truth().iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    let takes: Vec<(String, String)> =
        of(&truth, "take").map(|l| (l["thing"].as_str().unwrap().into(), l["from"].as_str().unwrap().into())).collect();
    for b in &inside {
        assert!(takes.contains(&(world.things.name(*b), world.things.name(case))), "{takes:?}");
    }
    assert!(takes.contains(&(world.things.name(on_the_way), "belt".into())), "{takes:?}");
    let (all, once) = (takes.len(), takes.iter().map(|t| &t.0).collect::<BTreeSet<_>>().len());
    assert_eq!(all, once, "nothing is taken twice, however often the station is emptied");
    assert!(world.things[case].children.is_empty() && world.filling[2] == Some(case), "the empty case stays");
    let said = held_for(&mut world, &mut bench, 3_000, "out-of-step", &[]);
    assert!(ops(&said).contains(&"job.resume"));
}

/// Runs until the person has something in the open pallet.
fn until_pallet(world: &mut World, bench: &mut Obeying, cases: usize) -> ThingNo {
    loop {
        pass_time(world, bench, 50, false);
        if let Some(p) = world.hands[0].parent.filter(|p| world.things[*p].children.len() >= cases) {
            return p;
        }
    }
}

#[test]
fn a_refused_case_is_set_aside_and_silence_is_asked_again() {
    let plan = plan(LINE);
    let mut world = World::new(plan.clone(), how(10_000, 4, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    world.operator_hears(&hello());
    let pallet = until_pallet(&mut world, &mut bench, 2);
    world.take_truth();
    // The next word is lost: the same case is scanned again, and then refused.
    let mut scans = Vec::new();
    while scans.len() < 2 {
        pass_time(&mut world, &mut bench, 50, true);
        let lines = world.take_truth();
        scans.extend(lines.iter().filter(|l| l.contains("\"hand1\"")).map(|l| serde_json::from_str::<Value>(l).unwrap()));
    }
    assert_eq!(scans[0]["thing"], scans[1]["thing"]);
    assert!(scans[1]["t_us"].as_u64() >= scans[0]["t_us"].as_u64().map(|t| t + 2_000 * MS));
    let word =
        json!({"type": "event", "k": "verdict", "station": "pallet-pack", "hex": scans[1]["hex"], "good": false, "reason": "foreign"});
    world.operator_hears(&word);
    pass_time(&mut world, &mut bench, 50, true);
    let lines = world.take_truth();
    let take = format!(r#""k":"take","thing":{},"from":"belt""#, scans[0]["thing"]);
    assert!(lines.iter().any(|l| l.contains(&take)), "{lines:?}");
    assert_eq!(world.things[pallet].children.len(), 2);
}

#[test]
fn a_pallet_given_up_is_emptied_and_packed_anew() {
    let plan = plan(LINE);
    let mut world = World::new(plan.clone(), how(10_000, 5, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    world.operator_hears(&hello());
    let pallet = until_pallet(&mut world, &mut bench, 3);
    world.operator_hears(&json!({"type": "event", "k": "opened", "id": 77, "level": "pallet", "station": "pallet-pack"}));
    let cases = world.things[pallet].children.clone();
    world.take_truth();
    world.operator_hears(&json!({"type": "event", "k": "undone", "id": 77, "level": "pallet", "broken": false}));
    while !world.hands[0].table.is_empty() || world.hands[0].parent == Some(pallet) {
        pass_time(&mut world, &mut bench, 50, false);
    }
    let truth: Vec<Value> = world.take_truth().iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    let old = world.things.name(pallet);
    assert_eq!(of(&truth, "take").filter(|l| l["from"] == old.as_str()).count(), cases.len());
    let anew = world.hands[0].parent.expect("another pallet");
    assert!(cases.iter().all(|c| world.things[*c].place == Place::Inside(anew)));
    assert_eq!(world.things[pallet].place, Place::Taken);
    // The end of a job gives parents up, too: then they stay as they are.
    world.operator_hears(&json!({"type": "event", "k": "opened", "id": 78, "level": "pallet", "station": "pallet-pack"}));
    world.operator_hears(&json!({"type": "event", "k": "job", "id": "J1", "to": "completing"}));
    world.operator_hears(&json!({"type": "event", "k": "undone", "id": 78, "level": "pallet", "broken": false}));
    pass_time(&mut world, &mut bench, 500, false);
    assert_eq!(world.hands[0].parent, Some(anew));
}

#[test]
fn a_case_given_up_leaves_the_line_before_it_gets_the_next_label() {
    let plan = plan(LINE);
    let mut world = World::new(plan.clone(), how(10_000, 6, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    bench.labels_lost = 1;
    world.operator_hears(&hello());
    while world.stretches[2].waiting.is_empty() {
        pass_time(&mut world, &mut bench, 10, false);
    }
    let case = world.stretches[2].waiting[0].thing;
    let children: Vec<String> = world.things[case].children.iter().filter_map(|c| world.things.code(*c)).collect();
    world.operator_hears(&json!({"type": "event", "k": "closed", "id": 9, "level": "case", "children": children}));
    pass_time(&mut world, &mut bench, 2_000, false);
    assert!(world.things[case].symbol.is_none() && world.things.on_belt(case), "it waits for a label that does not come");
    world.operator_hears(&json!({"type": "event", "k": "undone", "id": 9, "level": "case", "broken": false}));
    assert_eq!(world.things[case].place, Place::Taken);
    let next = loop {
        pass_time(&mut world, &mut bench, 10, false);
        if let Some(w) = world.stretches[2].waiting.front() {
            break w.thing;
        }
    };
    pass_time(&mut world, &mut bench, 1_500, false);
    assert_eq!(world.things.code(next), Some(hex(&bench.range("case").code(1).unwrap())), "the second case's own label");
}

#[test]
fn a_new_number_for_a_case_out_of_reach_goes_onto_no_other() {
    let plan = plan(LINE);
    let mut world = World::new(plan.clone(), how(10_000, 6, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    world.operator_hears(&hello());
    while world
        .things
        .all()
        .all(|t| world.things[t].level != 2 || world.things[t].symbol.is_none() || !world.stretches[2].waiting.is_empty())
    {
        pass_time(&mut world, &mut bench, 10, false);
    }
    let hexes: Vec<String> = (0..2).map(|n| hex(&bench.range("case").code(n).unwrap())).collect();
    // The first case is past its eye; its number is void all the same, and another comes while the second waits.
    let later = hex(&bench.range("case").code(50).unwrap());
    world.operator_hears(&json!({"type": "event", "k": "relabelled", "id": 9, "level": "case", "void": hexes[0], "next": later}));
    while world.stretches[2].waiting.front().is_none_or(|w| world.things[w.thing].symbol.is_none()) {
        pass_time(&mut world, &mut bench, 10, false);
    }
    let second = world.stretches[2].waiting[0].thing;
    bench.labels.clear();
    bench.order_label("case", 50, world.now_us);
    pass_time(&mut world, &mut bench, 260, false);
    assert_eq!(world.things.code(second), Some(hexes[1].clone()), "its own label stays on it");
    assert!(bench.labels.is_empty(), "the new one has come out");
}
