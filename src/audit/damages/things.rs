//! Damages to things: what physically happened is not what the book says.

use super::{BOTTLES, Damage, dump_code, forget, of};
use crate::audit::world::{BOTTLES_A_BOX, World, bottle, box_code, case_code};
use crate::vocab::Promise::*;
use serde_json::json;

pub(super) const CATALOGUE: &[Damage] = &[
    Damage {
        name: "ink removed",
        promise: DoubtIsFinal,
        items: BOTTLES,
        does: |w, n| {
            let ink = truth_line(w, "ink", &of(n).0);
            w.truth.remove(ink);
        },
    },
    Damage {
        name: "ink of a printed, unread bottle removed",
        promise: DoubtIsFinal,
        items: 1,
        does: |w, _| {
            // The duplicating printer's fault would excuse it: this is a world without one.
            w.truth.retain(|l| l["thing"] != "copy");
            let v = w.in_journal(&[("reason", "duplicate".into())]);
            forget(w, v);
            let c = dump_code(w, &bottle(15));
            w.dump[c]["seen"] = 1.into();
            let ink = truth_line(w, "ink", "b12");
            w.truth.remove(ink);
        },
    },
    Damage {
        name: "ink duplicated on another thing",
        promise: OnceInked,
        items: BOTTLES,
        does: |w, n| {
            let ink = truth_line(w, "ink", &of(n).0);
            let mut again = w.truth[ink].clone();
            again["thing"] = "bare".into();
            w.truth.insert(ink + 1, again);
        },
    },
    Damage {
        name: "ink duplicated on the same thing",
        promise: OnceInked,
        items: BOTTLES,
        does: |w, n| {
            let ink = truth_line(w, "ink", &of(n).0);
            w.truth.insert(ink + 1, w.truth[ink].clone());
        },
    },
    Damage {
        name: "a repeated print that no fault explains",
        promise: OnceInked,
        items: 1,
        does: |w, _| w.truth.retain(|l| l["k"] != "inject" || l["thing"] != "copy"),
    },
    Damage {
        name: "code changed on the thing, everywhere",
        promise: ByteExact,
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
        items: BOTTLES,
        does: |w, n| {
            let put = truth_line(w, "put", &of(n).0);
            w.truth[put]["into"] = format!("x{}", 1 - n / BOTTLES_A_BOX).into();
        },
    },
    Damage {
        name: "child never put",
        promise: OneParent,
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
        items: BOTTLES,
        does: |w, n| turn(w, "bottle-check", &of(n).0, "reject", "packed"),
    },
    Damage {
        name: "gate of an unread bottle turned to pass",
        promise: AckAfterDisk,
        items: 1,
        does: |w, _| turn(w, "bottle-check", "b12", "pass", "belt"),
    },
    Damage {
        name: "gate of a late bottle turned to pass",
        promise: AckAfterDisk,
        items: 1,
        does: |w, _| turn(w, "bottle-check", "b13", "pass", "belt"),
    },
    Damage {
        name: "gate of a duplicate turned to pass, though a fault explains the reject",
        promise: AckAfterDisk,
        items: 1,
        does: |w, _| turn(w, "bottle-check", "copy", "pass", "belt"),
    },
    Damage {
        name: "gate of a bare bottle turned to pass",
        promise: AckAfterDisk,
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
        items: 2,
        does: |w, n| turn(w, "box-pack", &format!("x{n}"), "reject", "packed"),
    },
    Damage {
        name: "gate of a sealed case turned to reject",
        promise: AckAfterDisk,
        items: 1,
        does: |w, _| turn(w, "case-check", "c0", "reject", "reject-bin"),
    },
    Damage {
        name: "gate of a short box turned to pass",
        promise: AckAfterDisk,
        items: 1,
        does: |w, _| turn(w, "box-pack", "x2", "pass", "belt"),
    },
    Damage {
        name: "label swapped: the void one sticks on the case",
        promise: OneParent,
        items: 1,
        does: |w, _| {
            let a = truth_line(w, "apply", "c0");
            w.truth[a]["hex"] = case_code(0).into();
        },
    },
    Damage {
        name: "labels of two boxes swapped",
        promise: OneParent,
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
        items: 1,
        does: |w, _| {
            let a = truth_line(w, "apply", "c0");
            w.truth.remove(a);
        },
    },
    Damage {
        name: "label printed twice",
        promise: OnceInked,
        items: 2,
        does: |w, n| {
            let l = w.in_truth(&[("k", "label".into()), ("hex", case_code(n as u32).into())]);
            w.truth.insert(l + 1, w.truth[l].clone());
        },
    },
    Damage {
        name: "read removed: verified by nobody",
        promise: DoubtIsFinal,
        items: BOTTLES,
        does: |w, n| {
            let r = w.in_truth(&[("k", "read".into()), ("thing", of(n).0.into()), ("reader", "cam1".into())]);
            w.truth[r].as_object_mut().unwrap().remove("hex");
        },
    },
    Damage {
        name: "read of a case's label removed",
        promise: DoubtIsFinal,
        items: 1,
        does: |w, _| {
            let r = w.in_truth(&[("k", "read".into()), ("thing", "c0".into())]);
            w.truth.remove(r);
        },
    },
    Damage {
        name: "eye crossing removed",
        promise: Balance,
        items: BOTTLES,
        does: |w, n| {
            let p = truth_line(w, "pass", &of(n).0);
            w.truth.remove(p);
        },
    },
    Damage {
        name: "inked before the book: never sent",
        promise: OnceInked,
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
        items: 1,
        does: |w, _| {
            let end = w.in_truth(&[("k", "end".into())]);
            let t = w.truth[end]["t_us"].clone();
            w.truth.insert(end, json!({"k": "ink", "printer": "ijp1", "thing": "b99", "hex": bottle(14), "t_us": t}));
            w.truth.push(json!({"k": "end", "thing": "b99", "at": "belt", "t_us": 99_000_000}));
        },
    },
];

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
