//! A catalogue of named damages: each is done to something the accounts claim, and each must be found under its promise.

use super::judge;
use super::world::{self, BOTTLES_A_BOX, World, bottle, box_code, case_code, packed};
use crate::vocab::Promise::{self, *};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A damage, the promise under which it must be found, and what it does; `n` picks the item.
struct Damage {
    name: &'static str,
    promise: Promise,
    /// Found without a truth file too.
    in_book: bool,
    /// How many items it can be done to.
    items: usize,
    does: fn(&mut World, usize),
}

const BOTTLES: usize = 2 * BOTTLES_A_BOX;

fn of(n: usize) -> (String, String) {
    packed((n / BOTTLES_A_BOX) as u32, n % BOTTLES_A_BOX)
}

fn box_of(n: usize) -> String {
    format!("x{}", n / BOTTLES_A_BOX)
}

fn truth_line(w: &World, k: &str, thing: &str) -> usize {
    w.in_truth(&[("k", k.into()), ("thing", thing.into())])
}

fn set_end(w: &mut World, thing: &str, at: &str) {
    let e = truth_line(w, "end", thing);
    w.truth[e]["at"] = at.into();
}

fn turn(w: &mut World, station: &str, thing: &str, out: &str, end: &str) {
    let g = w.in_truth(&[("k", "gate".into()), ("station", station.into()), ("thing", thing.into())]);
    w.truth[g]["out"] = out.into();
    set_end(w, thing, end);
}

fn dump_code(w: &mut World, code: &str) -> usize {
    w.in_dump(&[("k", "code".into()), ("hex", code.into())])
}

/// Removes an event (all its lines) and closes the gap, as a forger would.
fn forget(w: &mut World, at: usize) {
    let seq = w.journal[at]["seq"].clone();
    w.journal.retain(|l| l["k"] == "head" || l["seq"] != seq);
    w.renumber();
}

fn insert(w: &mut World, at: usize, body: Value) {
    let mut line = w.journal[at].clone();
    for k in ["hex", "i", "passage", "good", "reason", "station", "device", "children", "id", "level"] {
        line.as_object_mut().unwrap().remove(k);
    }
    for (k, v) in body.as_object().unwrap() {
        line[k] = v.clone();
    }
    line["seq"] = 1_000_000.into();
    w.journal.insert(at + 1, line);
    w.renumber();
}

const CATALOGUE: &[Damage] = &[
    Damage {
        name: "ink removed",
        promise: DoubtIsFinal,
        in_book: false,
        items: BOTTLES,
        does: |w, n| {
            let ink = truth_line(w, "ink", &of(n).0);
            w.truth.remove(ink);
        },
    },
    Damage {
        name: "ink of a printed, unread bottle removed",
        promise: DoubtIsFinal,
        in_book: false,
        items: 1,
        does: |w, _| {
            // The duplicating printer's fault would excuse it: this is a world without one.
            w.truth.retain(|l| l["thing"] != "copy");
            let v = w.in_journal(&[("reason", "duplicate".into())]);
            forget(w, v);
            let c = dump_code(w, &bottle(3));
            w.dump[c]["seen"] = 1.into();
            let ink = truth_line(w, "ink", "b12");
            w.truth.remove(ink);
        },
    },
    Damage {
        name: "ink duplicated on another thing",
        promise: OnceInked,
        in_book: false,
        items: BOTTLES,
        does: |w, n| {
            if n == 3 {
                w.truth.retain(|l| l["k"] != "inject" || l["thing"] != "copy");
                return;
            }
            let ink = truth_line(w, "ink", &of(n).0);
            let mut again = w.truth[ink].clone();
            again["thing"] = "bare".into();
            w.truth.insert(ink + 1, again);
        },
    },
    Damage {
        name: "ink duplicated on the same thing",
        promise: OnceInked,
        in_book: false,
        items: BOTTLES,
        does: |w, n| {
            if n == 3 {
                w.truth.retain(|l| l["k"] != "inject" || l["thing"] != "copy");
                return;
            }
            let ink = truth_line(w, "ink", &of(n).0);
            w.truth.insert(ink + 1, w.truth[ink].clone());
        },
    },
    Damage {
        name: "code changed on the thing, everywhere",
        promise: ByteExact,
        in_book: false,
        items: BOTTLES,
        does: |w, n| {
            let (thing, code) = of(n);
            let other = format!("{}58", &code[..code.len() - 2]);
            for l in &mut w.truth {
                if l["thing"] == thing.as_str() && l["hex"] == code.as_str() {
                    l["hex"] = other.as_str().into();
                }
            }
        },
    },
    Damage {
        name: "code changed in the ink alone",
        promise: ByteExact,
        in_book: false,
        items: BOTTLES,
        does: |w, n| {
            let (thing, code) = of(n);
            let ink = truth_line(w, "ink", &thing);
            w.truth[ink]["hex"] = format!("{}58", &code[..code.len() - 2]).into();
        },
    },
    Damage {
        name: "child moved to the other box",
        promise: OneParent,
        in_book: false,
        items: BOTTLES,
        does: |w, n| {
            let put = truth_line(w, "put", &of(n).0);
            w.truth[put]["into"] = format!("x{}", 1 - n / BOTTLES_A_BOX).into();
        },
    },
    Damage {
        name: "child never put",
        promise: OneParent,
        in_book: false,
        items: BOTTLES,
        does: |w, n| {
            let (thing, _) = of(n);
            let put = truth_line(w, "put", &thing);
            w.truth.remove(put);
            set_end(w, &thing, "belt");
        },
    },
    Damage {
        name: "child taken out before the seal, by a fault",
        promise: OneParent,
        in_book: false,
        items: BOTTLES,
        does: |w, n| {
            let (thing, _) = of(n);
            let put = truth_line(w, "put", &thing);
            let t = w.truth[put]["t_us"].clone();
            w.truth.insert(put + 1, json!({"k": "inject", "fault": "hand-removed", "thing": thing, "t_us": t}));
            w.truth.insert(put + 2, json!({"k": "take", "thing": thing, "from": box_of(n), "t_us": t}));
            set_end(w, &thing, "taken");
        },
    },
    Damage {
        name: "child taken out after the seal, by nobody",
        promise: OneParent,
        in_book: false,
        items: BOTTLES,
        does: |w, n| {
            let (thing, _) = of(n);
            let end = w.in_truth(&[("k", "end".into())]);
            let t = w.truth[end]["t_us"].clone();
            w.truth.insert(end, json!({"k": "take", "thing": thing, "from": box_of(n), "t_us": t}));
            set_end(w, &thing, "taken");
        },
    },
    Damage {
        name: "a stranger in the box",
        promise: OneParent,
        in_book: false,
        items: 2,
        does: |w, n| {
            let end = w.in_truth(&[("k", "end".into())]);
            let t = w.truth[end]["t_us"].clone();
            w.truth.insert(end, json!({"k": "put", "thing": "b16", "into": format!("x{n}"), "t_us": t}));
            set_end(w, "b16", "packed");
        },
    },
    Damage {
        name: "box moved out of the case",
        promise: OneParent,
        in_book: false,
        items: 2,
        does: |w, n| {
            let put = truth_line(w, "put", &format!("x{n}"));
            w.truth.remove(put);
            set_end(w, &format!("x{n}"), "belt");
        },
    },
    Damage {
        name: "gate of a verified bottle turned to reject",
        promise: AckAfterDisk,
        in_book: false,
        items: BOTTLES,
        does: |w, n| turn(w, "bottle-check", &of(n).0, "reject", "packed"),
    },
    Damage {
        name: "gate of an unread bottle turned to pass",
        promise: AckAfterDisk,
        in_book: false,
        items: 1,
        does: |w, _| turn(w, "bottle-check", "b12", "pass", "belt"),
    },
    Damage {
        name: "gate of a late bottle turned to pass",
        promise: AckAfterDisk,
        in_book: false,
        items: 1,
        does: |w, _| turn(w, "bottle-check", "b13", "pass", "belt"),
    },
    Damage {
        name: "gate of a bare bottle turned to pass",
        promise: AckAfterDisk,
        in_book: false,
        items: 1,
        does: |w, _| {
            let g = truth_line(w, "gate", "bare");
            // Long after the daemon is back.
            let mut gate = w.truth.remove(g);
            let end = w.in_truth(&[("k", "end".into())]);
            gate["out"] = "pass".into();
            gate["t_us"] = (w.truth[end - 3]["t_us"].as_u64().unwrap() + 500_000).into();
            let late = gate["t_us"].as_u64().unwrap();
            w.truth.insert(end - 2, gate);
            for l in &mut w.truth[end - 1..] {
                l["t_us"] = (l["t_us"].as_u64().unwrap() + late).into();
            }
            set_end(w, "bare", "belt");
        },
    },
    Damage {
        name: "gate of a sealed box turned to reject",
        promise: AckAfterDisk,
        in_book: false,
        items: 2,
        does: |w, n| turn(w, "box-pack", &format!("x{n}"), "reject", "packed"),
    },
    Damage {
        name: "gate of a sealed case turned to reject",
        promise: AckAfterDisk,
        in_book: false,
        items: 1,
        does: |w, _| turn(w, "case-check", "c0", "reject", "reject-bin"),
    },
    Damage {
        name: "gate of a short box turned to pass",
        promise: AckAfterDisk,
        in_book: false,
        items: 1,
        does: |w, _| turn(w, "box-pack", "x2", "pass", "belt"),
    },
    Damage {
        name: "label swapped: the void one sticks on the case",
        promise: OneParent,
        in_book: false,
        items: 1,
        does: |w, _| {
            let a = truth_line(w, "apply", "c0");
            w.truth[a]["hex"] = case_code(0).into();
        },
    },
    Damage {
        name: "labels of two boxes swapped",
        promise: OneParent,
        in_book: false,
        items: 1,
        does: |w, _| {
            for n in 0..2 {
                let a = truth_line(w, "apply", &format!("x{n}"));
                w.truth[a]["hex"] = box_code(1 - n).into();
                let r = w.in_truth(&[("k", "read".into()), ("thing", format!("x{n}").into())]);
                w.truth[r]["hex"] = box_code(1 - n).into();
            }
        },
    },
    Damage {
        name: "label never applied",
        promise: OneParent,
        in_book: false,
        items: 1,
        does: |w, _| {
            let a = truth_line(w, "apply", "c0");
            w.truth.remove(a);
        },
    },
    Damage {
        name: "label printed twice",
        promise: OnceInked,
        in_book: false,
        items: 2,
        does: |w, n| {
            let l = w.in_truth(&[("k", "label".into()), ("hex", case_code(n as u32).into())]);
            w.truth.insert(l + 1, w.truth[l].clone());
        },
    },
    Damage {
        name: "read removed: verified by nobody",
        promise: DoubtIsFinal,
        in_book: false,
        items: BOTTLES,
        does: |w, n| {
            let r = w.in_truth(&[("k", "read".into()), ("thing", of(n).0.into()), ("reader", "cam1".into())]);
            w.truth[r].as_object_mut().unwrap().remove("hex");
        },
    },
    Damage {
        name: "read of a case's label removed",
        promise: DoubtIsFinal,
        in_book: false,
        items: 1,
        does: |w, _| {
            let r = w.in_truth(&[("k", "read".into()), ("thing", "c0".into())]);
            w.truth.remove(r);
        },
    },
    Damage {
        name: "eye crossing removed",
        promise: Balance,
        in_book: false,
        items: BOTTLES,
        does: |w, n| {
            let p = truth_line(w, "pass", &of(n).0);
            w.truth.remove(p);
        },
    },
    Damage {
        name: "inked before the book: never sent",
        promise: OnceInked,
        in_book: false,
        items: 1,
        does: |w, _| {
            let end = w.in_truth(&[("k", "end".into())]);
            let t = w.truth[end]["t_us"].clone();
            w.truth.insert(end, json!({"k": "ink", "printer": "ijp1", "thing": "b99", "hex": bottle(20), "t_us": t}));
            w.truth.push(json!({"k": "end", "thing": "b99", "at": "belt", "t_us": 99_000_000}));
        },
    },
    Damage {
        name: "a doubtful code left again, after later ones",
        promise: OnceInked,
        in_book: false,
        items: 1,
        does: |w, _| {
            let end = w.in_truth(&[("k", "end".into())]);
            let t = w.truth[end]["t_us"].clone();
            w.truth.insert(end, json!({"k": "ink", "printer": "ijp1", "thing": "b99", "hex": bottle(14), "t_us": t}));
            w.truth.push(json!({"k": "end", "thing": "b99", "at": "belt", "t_us": 99_000_000}));
        },
    },
    Damage {
        name: "an event lost",
        promise: NothingForgotten,
        in_book: true,
        items: 40,
        does: |w, n| {
            let mut seqs: Vec<u64> = w.journal.iter().filter(|l| l["k"] != "head").map(|l| l["seq"].as_u64().unwrap()).collect();
            seqs.dedup();
            let seq = Value::from(seqs[n * (seqs.len() - 1) / 40]);
            w.journal.retain(|l| l["k"] == "head" || l["seq"] != seq);
        },
    },
    Damage {
        name: "the last event lost",
        promise: NothingForgotten,
        in_book: true,
        items: 1,
        does: |w, _| {
            let last = w.journal.len() - 2;
            w.journal.remove(last);
        },
    },
    Damage { name: "two events change places", promise: NothingForgotten, in_book: true, items: 40, does: |w, n| w.journal.swap(n, n + 1) },
    Damage { name: "the head is missing", promise: NothingForgotten, in_book: true, items: 1, does: |w, _| drop(w.journal.pop()) },
    Damage {
        name: "the monotonic clock goes back",
        promise: NothingForgotten,
        in_book: true,
        items: 1,
        does: |w, _| {
            let v = w.in_journal(&[("k", "verdict".into())]);
            w.journal[v]["mono_us"] = 1.into();
        },
    },
    Damage {
        name: "a good verdict forged away",
        promise: NothingForgotten,
        in_book: true,
        items: BOTTLES,
        does: |w, n| {
            let v = w.in_journal(&[("k", "verdict".into()), ("hex", of(n).1.into())]);
            forget(w, v);
        },
    },
    Damage {
        name: "a state changed in the dump",
        promise: NothingForgotten,
        in_book: true,
        items: 7,
        does: |w, n| {
            let c = dump_code(w, &bottle(12 + n as u32));
            let to = if w.dump[c]["state"] == "void" { "doubtful" } else { "void" };
            w.dump[c]["state"] = to.into();
        },
    },
    Damage {
        name: "how often a code was seen changed in the dump",
        promise: NothingForgotten,
        in_book: true,
        items: 19,
        does: |w, n| {
            let c = dump_code(w, &bottle(n as u32));
            w.dump[c]["seen"] = 9.into();
        },
    },
    Damage {
        name: "a code line lost from the dump",
        promise: NothingForgotten,
        in_book: true,
        items: 19,
        does: |w, n| {
            let c = dump_code(w, &bottle(n as u32));
            w.dump.remove(c);
        },
    },
    Damage {
        name: "a code line lost, the count of the untouched not",
        promise: Balance,
        in_book: true,
        items: 19,
        does: |w, n| {
            let c = dump_code(w, &bottle(n as u32));
            w.dump.remove(c);
        },
    },
    Damage {
        name: "a code made out of nothing",
        promise: Balance,
        in_book: true,
        items: 3,
        does: |w, n| {
            let p = w.in_dump(&[("k", "pack".into()), ("pack", ["p1", "p2", "range-case"][n].into())]);
            w.dump[p]["untouched"] = (w.dump[p]["untouched"].as_u64().unwrap() + 1).into();
        },
    },
    Damage {
        name: "sent twice",
        promise: OnceInked,
        in_book: true,
        items: 19,
        does: |w, n| {
            let last = w.in_journal(&[("k", "job".into()), ("to", "completing".into())]) - 1;
            insert(w, last, json!({"k": "sent", "hex": bottle(n as u32), "device": "ijp1"}));
        },
    },
    Damage {
        name: "sent without a lease",
        promise: OnceInked,
        in_book: true,
        items: 1,
        does: |w, _| {
            let l = w.in_journal(&[("k", "leased".into()), ("pack", "p1".into())]);
            w.journal[l]["count"] = 10.into();
        },
    },
    Damage {
        name: "leased twice",
        promise: Balance,
        in_book: true,
        items: 1,
        does: |w, _| {
            let l = w.in_journal(&[("k", "leased".into()), ("pack", "p1".into())]);
            insert(w, l, json!({"k": "leased", "job": "J2", "pack": "p1", "from": 7, "count": 2}));
        },
    },
    Damage {
        name: "verified without having been sent",
        promise: DoubtIsFinal,
        in_book: true,
        items: BOTTLES,
        does: |w, n| {
            let code = of(n).1;
            w.journal.retain(|l| !(l["hex"] == code.as_str() && (l["k"] == "sent" || l["k"] == "printed")));
            let mut i = BTreeIndex::default();
            w.journal.iter_mut().for_each(|l| i.close(l));
            w.renumber();
        },
    },
    Damage {
        name: "a doubtful code passed as good after it was void",
        promise: DoubtIsFinal,
        in_book: true,
        items: 1,
        does: |w, _| {
            let last = w.in_journal(&[("k", "job".into()), ("to", "completed".into())]);
            let body = json!({"k": "verdict", "station": "bottle-check", "passage": 900, "good": true, "hex": bottle(14)});
            insert(w, last, body);
        },
    },
    Damage {
        name: "a job ends with a doubtful code",
        promise: DoubtIsFinal,
        in_book: true,
        items: 1,
        does: |w, _| {
            let v = w.in_journal(&[("k", "void".into()), ("hex", bottle(14).into())]);
            forget(w, v);
        },
    },
    Damage {
        name: "a child in two sealed boxes, by the book",
        promise: OneParent,
        in_book: true,
        items: BOTTLES,
        does: |w, n| {
            let other = 2 - (n / BOTTLES_A_BOX) as u32;
            let code = Value::from(of(n).1);
            let c = w.in_journal(&[("k", "closed".into()), ("id", other.into())]);
            w.journal[c]["children"].as_array_mut().unwrap().push(code.clone());
            let p = w.in_dump(&[("k", "parent".into()), ("id", other.into())]);
            w.dump[p]["children"].as_array_mut().unwrap().push(code);
        },
    },
    Damage {
        name: "a child dropped from the dump's parent",
        promise: OneParent,
        in_book: true,
        items: BOTTLES,
        does: |w, n| {
            let p = w.in_dump(&[("k", "parent".into()), ("id", (n / BOTTLES_A_BOX + 1).into())]);
            w.dump[p]["children"].as_array_mut().unwrap().remove(n % BOTTLES_A_BOX);
        },
    },
    Damage {
        name: "an unverified child sealed",
        promise: OneParent,
        in_book: true,
        items: BOTTLES,
        does: |w, n| {
            let v = w.in_journal(&[("k", "verdict".into()), ("hex", of(n).1.into())]);
            forget(w, v);
        },
    },
    Damage {
        name: "sealed under a void number",
        promise: OneParent,
        in_book: true,
        items: 1,
        does: |w, _| {
            let r = w.in_journal(&[("k", "relabelled".into())]);
            w.journal[r]["next"] = case_code(0).into();
        },
    },
    Damage {
        name: "sealed without its label having been read",
        promise: DoubtIsFinal,
        in_book: true,
        items: 1,
        does: |w, _| {
            let v = w.in_journal(&[("k", "verdict".into()), ("station", "case-check".into())]);
            forget(w, v);
        },
    },
    Damage {
        name: "a second verdict on a passage",
        promise: Balance,
        in_book: true,
        items: BOTTLES,
        does: |w, n| {
            let v = w.in_journal(&[("k", "verdict".into()), ("hex", of(n).1.into())]);
            let body = w.journal[v].clone();
            insert(w, v, body);
        },
    },
    Damage {
        name: "an escape of a passage that was good",
        promise: Balance,
        in_book: true,
        items: 1,
        does: |w, _| {
            let e = w.in_journal(&[("k", "escaped".into())]);
            w.journal[e]["passage"] = 1.into();
        },
    },
    Damage {
        name: "upper case in a code",
        promise: ByteExact,
        in_book: true,
        items: 1,
        does: |w, _| {
            let c = dump_code(w, &bottle(0));
            w.dump[c]["hex"] = bottle(0).to_uppercase().into();
        },
    },
];

/// Closes the gaps among lines that share a seq.
#[derive(Default)]
struct BTreeIndex {
    seq: u64,
    i: u64,
}

impl BTreeIndex {
    fn close(&mut self, l: &mut Value) {
        let seq = l["seq"].as_u64().unwrap();
        if seq != self.seq {
            (self.seq, self.i) = (seq, 0);
        }
        if l.get("i").is_some() {
            l["i"] = self.i.into();
        }
        self.i += 1;
    }
}

/// What is wrong with the audit of this damage, if anything.
fn missed(d: &Damage, n: usize) -> Option<String> {
    let mut w = world::shift();
    (d.does)(&mut w, n);
    let v = w.judge();
    if v.ok() || !v.blames(d.promise) {
        return Some(format!("“{}” at {n} is not found under {}: {:#}", d.name, d.promise, v.to_json()));
    }
    let v = judge(&w.dump, &w.journal, None::<&[Value]>);
    (d.in_book && !v.blames(d.promise)).then(|| format!("“{}” at {n} is not found without a truth: {:#}", d.name, v.to_json()))
}

#[test]
fn every_damage_is_found_at_every_item() {
    let missed: Vec<String> = CATALOGUE.iter().flat_map(|d| (0..d.items).filter_map(move |n| missed(d, n))).collect();
    assert!(missed.is_empty(), "{} missed\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn every_promise_that_an_audit_can_judge_is_in_the_catalogue() {
    for p in [OnceInked, DoubtIsFinal, OneParent, AckAfterDisk, Balance, NothingForgotten, ByteExact] {
        assert!(CATALOGUE.iter().any(|d| d.promise == p), "{p}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two damages at once do not hide each other.
    #[test]
    fn two_damages_do_not_make_a_clean_world(a in 0..CATALOGUE.len(), b in 0..CATALOGUE.len(), n in 0usize..1000) {
        let (a, b) = (&CATALOGUE[a], &CATALOGUE[b]);
        prop_assume!(!a.in_book && b.in_book);
        let mut w = world::shift();
        (a.does)(&mut w, n % a.items);
        (b.does)(&mut w, n % b.items);
        prop_assert!(!w.judge().ok(), "{} and {}", a.name, b.name);
    }
}
