//! Damages to the book: dump and journal contradict themselves or each other.

use super::{BOTTLES, Damage, dump_code, forget, of};
use crate::audit::world::{BOTTLES_A_BOX, World, bottle, case_code};
use crate::vocab::Promise::*;
use serde_json::{Value, json};

pub(super) const CATALOGUE: &[Damage] = &[
    Damage {
        name: "an event lost",
        promise: NothingForgotten,
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
        items: 1,
        does: |w, _| {
            let last = w.journal.len() - 2;
            w.journal.remove(last);
        },
    },
    Damage { name: "two events change places", promise: NothingForgotten, items: 40, does: |w, n| w.journal.swap(n, n + 1) },
    Damage { name: "the head is missing", promise: NothingForgotten, items: 1, does: |w, _| drop(w.journal.pop()) },
    Damage {
        name: "the monotonic clock goes back",
        promise: NothingForgotten,
        items: 1,
        does: |w, _| {
            let v = w.in_journal(&[("k", "verdict".into())]);
            w.journal[v]["mono_us"] = 1.into();
        },
    },
    Damage {
        name: "a good verdict forged away",
        promise: NothingForgotten,
        items: BOTTLES,
        does: |w, n| {
            let v = w.in_journal(&[("k", "verdict".into()), ("hex", of(n).1.into())]);
            forget(w, v);
        },
    },
    Damage {
        name: "a state changed in the dump",
        promise: NothingForgotten,
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
        items: 19,
        does: |w, n| {
            let c = dump_code(w, &bottle(n as u32));
            w.dump[c]["seen"] = 9.into();
        },
    },
    Damage {
        name: "a code line lost from the dump",
        promise: NothingForgotten,
        items: 19,
        does: |w, n| {
            let c = dump_code(w, &bottle(n as u32));
            w.dump.remove(c);
        },
    },
    Damage {
        name: "a code line lost, the count of the untouched not",
        promise: Balance,
        items: 19,
        does: |w, n| {
            let c = dump_code(w, &bottle(n as u32));
            w.dump.remove(c);
        },
    },
    Damage {
        name: "a code made out of nothing",
        promise: Balance,
        items: 3,
        does: |w, n| {
            let p = w.in_dump(&[("k", "pack".into()), ("pack", ["p1", "p2", "range-case"][n].into())]);
            w.dump[p]["untouched"] = (w.dump[p]["untouched"].as_u64().unwrap() + 1).into();
        },
    },
    Damage {
        name: "sent twice",
        promise: OnceInked,
        items: 19,
        does: |w, n| {
            let last = w.in_journal(&[("k", "job".into()), ("to", "completing".into())]) - 1;
            insert(w, last, json!({"k": "sent", "hex": bottle(n as u32), "device": "ijp1"}));
        },
    },
    Damage {
        name: "sent without a lease",
        promise: OnceInked,
        items: 1,
        does: |w, _| {
            let l = w.in_journal(&[("k", "leased".into()), ("pack", "p1".into())]);
            w.journal[l]["count"] = 10.into();
        },
    },
    Damage {
        name: "leased twice",
        promise: Balance,
        items: 1,
        does: |w, _| {
            let l = w.in_journal(&[("k", "leased".into()), ("pack", "p1".into())]);
            insert(w, l, json!({"k": "leased", "job": "J2", "pack": "p1", "from": 7, "count": 2}));
        },
    },
    Damage {
        name: "verified without having been sent",
        promise: DoubtIsFinal,
        items: BOTTLES,
        does: |w, n| {
            let code = of(n).1;
            w.journal.retain(|l| !(l["hex"] == code.as_str() && (l["k"] == "sent" || l["k"] == "printed")));
            let mut i = Siblings::default();
            w.journal.iter_mut().for_each(|l| i.close(l));
            w.renumber();
        },
    },
    Damage {
        name: "a doubtful code passed as good after it was void",
        promise: DoubtIsFinal,
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
        items: 1,
        does: |w, _| {
            let v = w.in_journal(&[("k", "void".into()), ("hex", bottle(14).into())]);
            forget(w, v);
        },
    },
    Damage {
        name: "a child in two sealed boxes, by the book",
        promise: OneParent,
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
        items: BOTTLES,
        does: |w, n| {
            let p = w.in_dump(&[("k", "parent".into()), ("id", (n / BOTTLES_A_BOX + 1).into())]);
            w.dump[p]["children"].as_array_mut().unwrap().remove(n % BOTTLES_A_BOX);
        },
    },
    Damage {
        name: "an unverified child sealed",
        promise: OneParent,
        items: BOTTLES,
        does: |w, n| {
            let v = w.in_journal(&[("k", "verdict".into()), ("hex", of(n).1.into())]);
            forget(w, v);
        },
    },
    Damage {
        name: "sealed under a void number",
        promise: OneParent,
        items: 1,
        does: |w, _| {
            let r = w.in_journal(&[("k", "relabelled".into())]);
            w.journal[r]["next"] = case_code(0).into();
        },
    },
    Damage {
        name: "sealed without its label having been read",
        promise: DoubtIsFinal,
        items: 1,
        does: |w, _| {
            let v = w.in_journal(&[("k", "verdict".into()), ("station", "case-check".into())]);
            forget(w, v);
        },
    },
    Damage {
        name: "a second verdict on a passage",
        promise: Balance,
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
        items: 1,
        does: |w, _| {
            let e = w.in_journal(&[("k", "escaped".into())]);
            w.journal[e]["passage"] = 1.into();
        },
    },
    Damage {
        name: "upper case in a code",
        promise: ByteExact,
        items: 1,
        does: |w, _| {
            let c = dump_code(w, &bottle(0));
            w.dump[c]["hex"] = bottle(0).to_uppercase().into();
        },
    },
];

pub(super) fn insert(w: &mut World, at: usize, body: Value) {
    let mut line = w.journal[at].clone();
    for k in ["hex", "i", "passage", "good", "reason", "station", "device", "children", "id", "level", "pack", "to", "count"] {
        line.as_object_mut().unwrap().remove(k);
    }
    for (k, v) in body.as_object().unwrap() {
        line[k] = v.clone();
    }
    line["seq"] = 1_000_000.into();
    w.journal.insert(at + 1, line);
    w.renumber();
}

/// Closes the gaps among lines that share a seq.
#[derive(Default)]
pub(super) struct Siblings {
    seq: u64,
    i: u64,
}

impl Siblings {
    pub(super) fn close(&mut self, l: &mut Value) {
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
