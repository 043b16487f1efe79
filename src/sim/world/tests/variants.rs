//! Other lines of the same vocabulary, and the faults one by one.

use super::*;

/// The example line with its text changed.
fn changed(changes: &[(&str, &str)]) -> Arc<Plan> {
    let mut text = LINE.to_string();
    for (from, to) in changes {
        assert!(text.contains(from), "the line has {from}");
        text = text.replace(from, to);
    }
    plan(&text)
}

#[test]
fn gates_may_count_pulses_and_triggers_be_plain_inputs() {
    let plan = changed(&[
        ("after = { ms = 400, belt = \"io1:in.5\" }", "after = { pulses = 120, encoder = \"io1:cnt.9\" }"),
        ("trigger = \"io1:cnt.1\"", "trigger = \"io1:in.1\""),
    ]);
    let mut world = World::new(plan.clone(), how(120, 1, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    let truth = run(&mut world, &mut bench, 5);
    assert_eq!(world.done(), Some(120));
    agrees_with_itself(&truth);
    assert_eq!((bench.input_edges(1), count(&truth, "pass") > 120), (120, true));
    // Between a bottle's edge and its gate lie exactly the pulses of the plan.
    assert_eq!(world.lay.eyes[0].gate.as_ref().unwrap().after_us, 120 * world.lay.encoders[0].pitch_us);
    let moved = world.belt.pos_us / world.lay.encoders[0].pitch_us;
    assert!(u64::from(bench.input_edges(9)).abs_diff(moved) <= 1, "{} {moved}", bench.input_edges(9));
}

#[test]
fn without_a_permit_the_belt_always_runs() {
    let text: String = LINE
        .lines()
        .filter(|l| !l.starts_with("run_permit"))
        .map(|l| l.replace("store = \"store\"", "store = \"store\"\nfail_open = \"accepted\"") + "\n")
        .collect();
    let plan = plan(&text);
    let mut world = World::new(plan.clone(), how(60, 1, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    bench.permit = false;
    run(&mut world, &mut bench, 5);
    assert_eq!(world.done(), Some(60));
}

#[test]
fn a_plan_without_codes_for_its_boxes_is_refused_in_a_sentence() {
    let none = WorldHow { preprinted: BTreeMap::new(), ..how(1, 1, Faults::None) };
    let e = World::new(plan(LINE), none).err().unwrap();
    assert_eq!(e, "level box is pre-printed and has no codes; give --preprinted box=FILE");
    let wrong = WorldHow { preprinted: BTreeMap::from([("crate".to_string(), Vec::new())]), ..how(1, 1, Faults::None) };
    assert!(World::new(plan(LINE), wrong).is_err());
}

#[test]
fn a_jerk_takes_a_bottle_past_the_eye_twice() {
    let plan = plan(LINE);
    let mut met = 0;
    for seed in 0..6 {
        let mut world = World::new(plan.clone(), how(900, seed, Faults::Hard)).unwrap();
        let mut bench = Obeying::new(&plan);
        let truth = run(&mut world, &mut bench, 20);
        agrees_with_itself(&truth);
        for jerk in of(&truth, "inject").filter(|l| l["fault"] == "reversal") {
            met += 1;
            let thing = &jerk["thing"];
            let passes = of(&truth, "pass").filter(|l| l["station"] == "bottle-check" && l["thing"] == *thing).count();
            assert_eq!(passes, 2, "seed {seed}: {jerk}");
            assert_eq!(of(&truth, "gate").filter(|l| l["station"] == "bottle-check" && l["thing"] == *thing).count(), 1);
        }
        let passes = of(&truth, "pass").filter(|l| l["station"] == "bottle-check").count();
        assert_eq!(passes as u32, bench.input_edges(1), "seed {seed}: every edge is in the truth");
    }
    assert!(met >= 3, "{met}");
}

#[test]
fn a_lag_stands_in_the_truth_and_moves_nothing() {
    let plan = plan(LINE);
    let mut world = World::new(plan.clone(), how(1_000, 1, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    (1..=1_000).for_each(|i| world.step(i * 5 * MS, &mut bench));
    let (pos, lines) = (world.belt.pos_us, world.take_truth().len());
    assert!(lines > 10);
    world.lagged(400, 5_400 * MS);
    assert_eq!((world.belt.pos_us, world.take_truth().len()), (pos, 1));
    world.step(5_405 * MS, &mut bench);
    assert_eq!(world.belt.pos_us, pos + 5 * MS);
}

#[test]
fn swapped_and_forgotten_labels_end_on_the_wrong_case_or_on_none() {
    let plan = plan(LINE);
    let mut world = World::new(plan.clone(), how(1_200, 1, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    world.faults.arm(faults::Fault::LabelSwapped);
    let mut truth = Vec::new();
    while truth.iter().filter(|l: &&String| l.contains("\"apply\"") && l.contains("\"case-")).count() < 2 {
        assert!(world.now_us < 600_000 * MS, "two cases get their labels");
        world.step(world.next_us(), &mut bench);
        truth.extend(world.take_truth());
    }
    world.faults.arm(faults::Fault::LabelNotApplied);
    let rest = run(&mut world, &mut bench, 10);
    let truth: Vec<Value> = truth.iter().map(|l| serde_json::from_str(l).unwrap()).chain(rest).collect();
    agrees_with_itself(&truth);
    let code = |n: u32| hex(&bench.range("case").code(n).unwrap());
    let on = |case: &str| of(&truth, "apply").find(|l| l["thing"] == case).map(|l| l["hex"].as_str().unwrap().to_string());
    assert_eq!((on("case-1"), on("case-2")), (Some(code(1)), Some(code(0))), "each has the other's");
    let bare = of(&truth, "inject").find(|l| l["fault"] == "label-not-applied").expect("one went without")["thing"].as_str().unwrap();
    assert_eq!(on(bare), None);
    assert!(of(&truth, "pass").any(|l| l["station"] == "case-check" && l["thing"] == bare), "and passed its eye so");
}
