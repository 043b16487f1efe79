//! The consistent world is clean; the excuses of the contract are honoured; what cannot be read is said.

use super::world::{self, World, bottle, box_code, case_code};
use super::{Account, Judge, judge};
use crate::vocab::Promise;
use serde_json::{Value, json};

fn clean(w: &World) {
    let v = w.judge();
    assert!(v.ok(), "{:#}", v.to_json());
}

#[test]
fn a_consistent_shift_is_clean() {
    let w = world::shift();
    let v = w.judge();
    assert!(v.ok() && v.warnings.is_empty(), "{:#}", v.to_json());
    assert_eq!(v.head.seq, w.journal.last().unwrap()["seq"].as_u64().unwrap());
    let alone = judge(&w.dump, &w.journal, None::<&[Value]>);
    assert!(alone.ok(), "{:#}", alone.to_json());
}

#[test]
fn the_verdict_has_the_contracts_form() {
    let mut w = world::shift();
    w.truth.retain(|l| l["k"] != "ink" || l["thing"] != "b4");
    let v = w.judge().to_json();
    assert_eq!(v["ok"], false);
    let first = &v["violations"][0];
    assert!(first["promise"].is_string() && first["text"].is_string(), "{v:#}");
    assert_eq!(v["balance"], json!({"codes": 0, "passages": 0}));
    assert!(v["head"]["seq"].is_u64() && v["warnings"].is_array());
}

#[test]
fn text_and_values_are_judged_alike() {
    let w = world::shift();
    let mut j = Judge::new();
    let text = |l: &[Value]| l.iter().map(|v| format!("{v}\n")).collect::<String>();
    assert_eq!(j.read(Account::Dump, text(&w.dump).as_bytes()).unwrap(), w.dump.len() as u64);
    j.read(Account::Journal, text(&w.journal).as_bytes()).unwrap();
    j.read(Account::Truth, text(&w.truth).as_bytes()).unwrap();
    let v = j.finish();
    assert!(v.ok(), "{:#}", v.to_json());
}

#[test]
fn a_torn_last_line_of_the_truth_is_a_warning_and_any_other_a_violation() {
    let w = world::shift();
    let text = |l: &[Value]| l.iter().map(|v| format!("{v}\n")).collect::<String>();
    let with_truth = |truth: &str| {
        let mut j = Judge::new();
        j.read(Account::Dump, text(&w.dump).as_bytes()).unwrap();
        j.read(Account::Journal, text(&w.journal).as_bytes()).unwrap();
        j.read(Account::Truth, truth.as_bytes()).unwrap();
        j.finish()
    };
    let whole = text(&w.truth);
    let torn = with_truth(&format!("{whole}{{\"t_us\":99999"));
    assert!(torn.ok() && torn.warnings.iter().any(|w| w.contains("torn")), "{:#}", torn.to_json());
    let middle = with_truth(&whole.replacen("{\"", "{{\"", 1));
    assert!(middle.violations.iter().any(|v| v.text.contains("line 1 of the truth")), "{:#}", middle.to_json());
}

#[test]
fn noise_in_any_account_is_said_and_never_fatal() {
    for line in
        ["[]", "{}", "{\"k\":7}", "{\"k\":\"code\"}", "{\"k\":\"verdict\",\"seq\":-1}", "{\"k\":\"gate\",\"out\":\"up\",\"t_us\":1}"]
    {
        for account in [Account::Dump, Account::Journal, Account::Truth] {
            let mut j = Judge::new();
            j.read(account, line.as_bytes()).unwrap();
            let v = j.finish();
            assert!(!v.ok() || !v.warnings.is_empty(), "{line} as {account:?}");
        }
    }
}

#[test]
fn the_list_is_bounded_and_the_rest_counted() {
    let mut w = world::shift();
    w.journal.retain(|l| l["k"] == "head");
    w.truth.truncate(1);
    for n in 0..400 {
        w.truth.push(json!({"k": "ink", "t_us": 10_000 + n, "printer": "ijp1", "thing": format!("q{n}"), "hex": bottle(500 + n)}));
    }
    let v = w.judge();
    assert_eq!(v.violations.len(), super::verdict::LISTED);
    assert!(v.found >= 400);
    assert_eq!(v.to_json()["found"], v.found);
}

/// Puts a line into the truth right after another one, at its time.
fn after(w: &mut World, at: usize, mut line: Value) {
    line["t_us"] = w.truth[at]["t_us"].clone();
    w.truth.insert(at + 1, line);
}

/// `out` of a thing at the gate of the bottles, its end made to agree.
fn turn_gate(w: &mut World, thing: &str, out: &str, end: &str) {
    let g = w.in_truth(&[("k", "gate".into()), ("thing", thing.into()), ("station", "bottle-check".into())]);
    w.truth[g]["out"] = out.into();
    let e = w.in_truth(&[("k", "end".into()), ("thing", thing.into())]);
    w.truth[e]["at"] = end.into();
}

#[test]
fn a_no_read_that_passes_is_blamed_unless_the_contract_excuses_it() {
    let mut bad = world::shift();
    turn_gate(&mut bad, "b12", "pass", "belt");
    assert!(bad.judge().blames(Promise::AckAfterDisk));
    let gate = bad.in_truth(&[("k", "gate".into()), ("thing", "b12".into())]);

    // A fault was done to it.
    let mut w = bad.clone();
    after(&mut w, gate - 1, json!({"k": "inject", "fault": "gate-stuck", "thing": "b12"}));
    clean(&w);

    // Whoever writes the truth lagged.
    let mut w = bad.clone();
    after(&mut w, gate, json!({"k": "lag", "ms": 30}));
    let v = w.judge();
    assert!(v.ok() && v.warnings.len() == 1, "{:#}", v.to_json());

    // Nobody controlled the gate: from the last request to the belt's standstill.
    let mut w = bad.clone();
    after(&mut w, gate - 1, json!({"k": "link", "device": "io1", "up": false}));
    after(&mut w, gate + 1, json!({"k": "belt", "on": false}));
    after(&mut w, gate + 2, json!({"k": "link", "device": "io1", "up": true}));
    after(&mut w, gate + 3, json!({"k": "belt", "on": true}));
    clean(&w);

    // A lag long after is no excuse.
    let mut w = bad;
    let end = w.in_truth(&[("k", "end".into())]);
    after(&mut w, end - 1, json!({"k": "lag", "ms": 30}));
    assert!(w.judge().blames(Promise::AckAfterDisk));
}

#[test]
fn a_module_that_was_made_to_fall_silent_excuses_what_passes_at_once_and_no_more() {
    let mut bad = world::shift();
    turn_gate(&mut bad, "b12", "pass", "belt");
    let gate = bad.in_truth(&[("k", "gate".into()), ("thing", "b12".into())]);
    let at = bad.truth[gate]["t_us"].as_u64().unwrap();
    let inject = |ago_us: u64, fault: &str, device: &str| {
        let mut w = bad.clone();
        let line = json!({"k": "inject", "fault": fault, "device": device, "t_us": at - ago_us});
        let next = w.truth.iter().position(|l| l["t_us"].as_u64() > Some(at - ago_us)).unwrap();
        w.truth.insert(next, line);
        w.judge()
    };
    for fault in ["silent", "late", "mute-next", "silence"] {
        let v = inject(60_000, fault, "io1");
        assert!(v.ok() && v.warnings.iter().any(|w| w.contains("silent")), "{fault}: {:#}", v.to_json());
    }
    // A late last piece of an answer is a short silence.
    assert!(inject(60_000, "split", "io1").ok());
    assert!(inject(160_000, "split", "io1").blames(Promise::AckAfterDisk));
    assert!(inject(60_000, "duplicate", "io1").blames(Promise::AckAfterDisk));
    assert!(inject(60_000, "silent", "cam1").blames(Promise::AckAfterDisk));
    // The belt does not stand in this world for long: a second is what it excuses.
    bad.truth.iter_mut().skip(gate).for_each(|l| l["t_us"] = (l["t_us"].as_u64().unwrap() + 2_000_000).into());
    bad.truth.insert(gate, json!({"k": "inject", "fault": "silent", "device": "io1", "t_us": at}));
    assert!(bad.judge().blames(Promise::AckAfterDisk));
}

#[test]
fn a_thing_named_by_the_book_just_before_a_death_is_a_warning() {
    let mut w = world::shift();
    // The late bottle passes, 100 ms before the module's link goes.
    turn_gate(&mut w, "b13", "pass", "belt");
    assert!(w.judge().blames(Promise::AckAfterDisk));
    let gate = w.in_truth(&[("k", "gate".into()), ("thing", "b13".into())]);
    let t = w.truth[gate]["t_us"].as_u64().unwrap() + 100_000;
    let next = w.truth.iter().position(|l| l["t_us"].as_u64() > Some(t)).unwrap();
    w.truth.insert(next, json!({"k": "link", "device": "io1", "up": false, "t_us": t}));
    w.truth.insert(next + 1, json!({"k": "link", "device": "io1", "up": true, "t_us": t}));
    let v = w.judge();
    assert!(v.ok() && v.warnings.iter().any(|w| w.contains("died")), "{:#}", v.to_json());
}

#[test]
fn an_escape_is_lawful_on_the_belt_and_never_in_a_sealed_parent() {
    let mut w = world::shift();
    let e = w.in_truth(&[("k", "end".into()), ("thing", "b16".into())]);
    w.truth[e]["at"] = "packed".into();
    let ends = w.in_truth(&[("k", "end".into())]);
    after(&mut w, ends - 1, json!({"k": "put", "thing": "b16", "into": "x0"}));
    assert!(w.judge().blames(Promise::OneParent));
}

#[test]
fn a_child_taken_out_by_an_injected_hand_after_the_seal_is_excused() {
    let mut w = world::shift();
    let ends = w.in_truth(&[("k", "end".into())]);
    after(&mut w, ends - 1, json!({"k": "inject", "fault": "hand-removed", "thing": "b2"}));
    after(&mut w, ends, json!({"k": "take", "thing": "b2", "from": "x0"}));
    let e = w.in_truth(&[("k", "end".into()), ("thing", "b2".into())]);
    w.truth[e]["at"] = "taken".into();
    clean(&w);
    // Without the fault it is nobody's word.
    let inject = w.in_truth(&[("k", "inject".into()), ("thing", "b2".into())]);
    w.truth.remove(inject);
    assert!(w.judge().blames(Promise::OneParent));
}

#[test]
fn a_code_lost_in_a_troubled_printer_is_a_warning() {
    let mut w = world::shift();
    // The no-read bottle had no ink on it: its printer had dropped its buffer just then.
    let ink = w.in_truth(&[("k", "ink".into()), ("thing", "b12".into())]);
    w.truth[ink] = json!({"k": "inject", "fault": "drop-buffer", "device": "ijp1", "t_us": w.truth[ink]["t_us"]});
    let v = w.judge();
    assert!(v.ok() && v.warnings.iter().any(|w| w.contains("trouble")), "{:#}", v.to_json());
}

#[test]
fn an_unfinished_truth_is_said() {
    let mut w = world::shift();
    w.truth.retain(|l| l["k"] != "end");
    let v = w.judge();
    assert!(v.ok() && v.warnings.iter().any(|w| w.contains("no “end”")), "{:#}", v.to_json());
}

#[test]
fn a_range_number_may_be_scanned_with_its_identifier() {
    let w = world::shift();
    let read = w.in_truth(&[("k", "read".into()), ("reader", "cam3".into())]);
    assert_ne!(w.truth[read]["hex"], Value::from(case_code(1)), "the world's reader sends AIM id and AI 00");
    assert_ne!(box_code(0), box_code(1));
    clean(&w);
}
