//! Damages to what the book claims of whole packs: returned, voided, used elsewhere.

use super::book::{Siblings, insert};
use super::{BOTTLES, Damage, dump_code, forget, of};
use crate::audit::world::{World, bottle, box_code, old_code, returned_code, voided_code};
use crate::vocab::Promise::*;
use serde_json::json;

fn last(w: &World) -> usize {
    w.in_journal(&[("k", "job".into()), ("to", "completed".into())])
}

pub(super) const CATALOGUE: &[Damage] = &[
    Damage {
        name: "a returned code's line lost",
        promise: Balance,
        items: 4,
        does: |w, n| {
            let at = w.in_journal(&[("k", "returned".into()), ("hex", returned_code(n as u32).into())]);
            w.journal.remove(at);
            let mut i = Siblings::default();
            w.journal.iter_mut().for_each(|l| i.close(l));
            w.renumber();
        },
    },
    Damage {
        name: "withdrawn with another count",
        promise: Balance,
        items: 2,
        does: |w, n| {
            let at = w.in_journal(&[("k", "pack-withdrawn".into()), ("pack", ["p3", "p4"][n].into())]);
            w.journal[at]["count"] = 5.into();
        },
    },
    Damage {
        name: "the event of a withdrawal lost, its codes not",
        promise: Balance,
        items: 2,
        does: |w, n| {
            let at = w.in_journal(&[("k", "pack-withdrawn".into()), ("pack", ["p3", "p4"][n].into())]);
            forget(w, at);
        },
    },
    Damage {
        name: "leased from a closed pack",
        promise: Balance,
        items: 3,
        does: |w, n| {
            let at = last(w);
            insert(w, at, json!({"k": "leased", "job": "J2", "pack": (["p3", "p4", "old"][n]), "from": 0, "count": 1}));
        },
    },
    Damage {
        name: "withdrawn while leased",
        promise: Balance,
        items: 2,
        does: |w, n| {
            let pack = ["p3", "p4"][n];
            let at = w.in_journal(&[("k", "pack-withdrawn".into()), ("pack", pack.into())]);
            insert(w, at - 1, json!({"k": "leased", "job": "J", "pack": pack, "from": 0, "count": 1}));
        },
    },
    Damage {
        name: "withdrawn twice",
        promise: Balance,
        items: 1,
        does: |w, _| {
            let at = last(w);
            insert(w, at, json!({"k": "pack-withdrawn", "pack": "p3", "to": "void", "count": 0, "why": "x"}));
        },
    },
    Damage {
        name: "a withdrawn code sent",
        promise: OnceInked,
        items: 2,
        does: |w, n| {
            let at = last(w) - 1;
            let hex = [returned_code(0), voided_code(0)][n].clone();
            insert(w, at, json!({"k": "sent", "hex": hex, "device": "ijp1"}));
        },
    },
    Damage {
        name: "a withdrawn code passed as good",
        promise: DoubtIsFinal,
        items: 2,
        does: |w, n| {
            let at = last(w);
            let hex = [returned_code(1), voided_code(1)][n].clone();
            insert(w, at, json!({"k": "verdict", "station": "bottle-check", "passage": 901, "good": true, "hex": hex}));
        },
    },
    Damage {
        name: "a code used elsewhere passed as good",
        promise: OnceInked,
        items: 1,
        does: |w, _| {
            let at = last(w);
            insert(w, at, json!({"k": "verdict", "station": "bottle-check", "passage": 902, "good": true, "hex": old_code(0)}));
        },
    },
    Damage {
        name: "a used code returned",
        promise: OnceInked,
        items: 12,
        does: |w, n| {
            let at = w.in_journal(&[("k", "returned".into()), ("hex", returned_code(0).into())]);
            w.journal[at]["hex"] = bottle(n as u32).into();
        },
    },
    Damage {
        name: "a returned code made void in the dump",
        promise: NothingForgotten,
        items: 4,
        does: |w, n| {
            let at = w.in_dump(&[("k", "code".into()), ("hex", returned_code(n as u32).into())]);
            w.dump[at]["state"] = "void".into();
        },
    },
    Damage {
        name: "a withdrawn code's line lost from the dump",
        promise: Balance,
        items: 3,
        does: |w, n| {
            let at = w.in_dump(&[("k", "code".into()), ("hex", voided_code(n as u32).into())]);
            w.dump.remove(at);
        },
    },
    Damage {
        name: "withdrawn codes counted as untouched",
        promise: Balance,
        items: 1,
        does: |w, _| {
            w.dump.retain(|l| l["k"] != "code" || l["pack"] != "p4");
            let at = w.in_dump(&[("k", "pack".into()), ("pack", "p4".into())]);
            w.dump[at]["untouched"] = 3.into();
        },
    },
    Damage {
        name: "the dump forgets that codes are used elsewhere",
        promise: NothingForgotten,
        items: 1,
        does: |w, _| {
            let at = w.in_dump(&[("k", "pack".into()), ("pack", "old".into())]);
            w.dump[at].as_object_mut().unwrap().remove("used");
        },
    },
    Damage {
        name: "the journal forgets that codes are used elsewhere",
        promise: NothingForgotten,
        items: 1,
        does: |w, _| {
            let at = w.in_journal(&[("k", "pack-used".into())]);
            forget(w, at);
        },
    },
    Damage {
        name: "a bottle in a box that it was not made for",
        promise: OneParent,
        items: BOTTLES,
        does: |w, n| {
            let at = dump_code(w, &of(n).1);
            w.dump[at]["made_for"] = box_code(4).into();
        },
    },
    Damage {
        name: "a bottle made for no box in one that has its own",
        promise: OneParent,
        items: BOTTLES,
        does: |w, n| {
            let at = dump_code(w, &of(n).1);
            w.dump[at].as_object_mut().unwrap().remove("made_for");
        },
    },
];
