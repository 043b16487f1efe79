//! A small consistent world made by hand, for the tests: twelve bottles, two boxes, one case, and most of what may
//! lawfully go wrong on the way. It knows the public forms and no rule of the line.

mod mishaps;
mod packs;

use mishaps::{crash, duplicate, late, no_read, short_box};
pub use packs::{old_code, returned_code, voided_code};

use super::{Verdict, judge};
use crate::vocab::code::hex;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const BOTTLES_A_BOX: usize = 6;

#[derive(Clone)]
pub struct World {
    pub dump: Vec<Value>,
    pub journal: Vec<Value>,
    pub truth: Vec<Value>,
}

impl World {
    pub fn judge(&self) -> Verdict {
        judge(&self.dump, &self.journal, Some(&self.truth))
    }

    /// The first line of an account that says all this.
    pub fn find(list: &[Value], says: &[(&str, &Value)]) -> usize {
        let fits = |v: &Value| says.iter().all(|(k, x)| v.get(*k) == Some(*x));
        list.iter().position(fits).unwrap_or_else(|| panic!("no line says {says:?}"))
    }

    pub fn in_truth(&self, says: &[(&str, Value)]) -> usize {
        Self::find(&self.truth, &says.iter().map(|(k, v)| (*k, v)).collect::<Vec<_>>())
    }

    pub fn in_journal(&self, says: &[(&str, Value)]) -> usize {
        Self::find(&self.journal, &says.iter().map(|(k, v)| (*k, v)).collect::<Vec<_>>())
    }

    pub fn in_dump(&self, says: &[(&str, Value)]) -> usize {
        Self::find(&self.dump, &says.iter().map(|(k, v)| (*k, v)).collect::<Vec<_>>())
    }

    /// Numbers the journal's events anew after one was added or removed.
    pub fn renumber(&mut self) {
        let mut seq = 0;
        let mut before = (0, 0);
        for v in &mut self.journal {
            if v["k"] == "head" {
                v["seq"] = seq.into();
                continue;
            }
            let own = (v["seq"].as_u64().unwrap(), v.get("i").and_then(Value::as_u64).unwrap_or(0));
            if !(own.0 == before.0 && own.1 > before.1) {
                seq += 1;
            }
            before = own;
            v["seq"] = seq.into();
        }
    }
}

pub fn bottle(n: u32) -> String {
    hex(format!("https://t.example/{:08}", (u64::from(n) * 7_654_321 + 1_000_007) % 100_000_000).as_bytes())
}

pub fn box_code(n: u32) -> String {
    hex(format!("BOX{:06}", n * 1_117 + 3).as_bytes())
}

pub fn case_code(n: u32) -> String {
    hex(format!("0690123400000{n:05}").as_bytes())
}

struct Row {
    level: &'static str,
    pack: &'static str,
    ordinal: u32,
    state: &'static str,
    parent: Option<String>,
    reason: Option<&'static str>,
    seen: u32,
}

struct Parent {
    level: &'static str,
    code: String,
    state: &'static str,
    children: Vec<String>,
}

/// Writes the three accounts as things happen.
pub struct Maker {
    rows: BTreeMap<String, Row>,
    parents: BTreeMap<u32, Parent>,
    journal: Vec<Value>,
    truth: Vec<Value>,
    seq: u64,
    boot: &'static str,
    pub t_us: u64,
    passage: BTreeMap<&'static str, u64>,
    things: Vec<(String, &'static str)>,
}

impl Maker {
    pub fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
            parents: BTreeMap::new(),
            journal: Vec::new(),
            truth: Vec::new(),
            seq: 0,
            boot: "boot-1",
            t_us: 0,
            passage: BTreeMap::new(),
            things: Vec::new(),
        }
    }

    pub fn book(&mut self, mut body: Value) {
        self.seq += 1;
        self.stamp(&mut body);
        self.journal.push(body);
    }

    fn stamp(&self, body: &mut Value) {
        body["seq"] = self.seq.into();
        body["boot"] = self.boot.into();
        body["t"] = crate::vocab::time::rfc3339(1_700_000_000_000_000 + self.t_us as i64).into();
        body["mono_us"] = self.t_us.into();
        body["clock"] = "ok".into();
    }

    pub fn each(&mut self, k: &str, codes: &[String], extra: &Value) {
        self.seq += 1;
        for (i, c) in codes.iter().enumerate() {
            let mut body = extra.clone();
            body["k"] = k.into();
            body["hex"] = c.as_str().into();
            if codes.len() > 1 {
                body["i"] = i.into();
            }
            self.stamp(&mut body);
            self.journal.push(body);
        }
    }

    /// Nothing happens for a while.
    fn quiet(&mut self) {
        self.t_us += 10_000_000;
    }

    pub fn happens(&mut self, mut body: Value) {
        self.t_us += 7_000;
        body["t_us"] = self.t_us.into();
        self.truth.push(body);
    }

    fn row(&mut self, code: &str) -> &mut Row {
        self.rows.get_mut(code).expect("the world made this code")
    }

    fn touch(&mut self, code: &str, level: &'static str, pack: &'static str, ordinal: u32, state: &'static str) {
        let row = Row { level, pack, ordinal, state, parent: None, reason: None, seen: 0 };
        assert!(self.rows.insert(code.into(), row).is_none(), "a code is touched first once");
    }

    fn end(&mut self, thing: &str, at: &'static str) {
        self.things.retain(|t| t.0 != thing);
        self.things.push((thing.into(), at));
    }

    pub fn send(&mut self, device: &str, codes: &[String], level: &'static str, pack: &'static str, first: u32) {
        for (i, c) in codes.iter().enumerate() {
            self.touch(c, level, pack, first + i as u32, "sent");
        }
        self.each("sent", codes, &json!({"device": device}));
    }

    pub fn verdict(&mut self, station: &'static str, code: Option<&str>, reason: Option<&'static str>) -> u64 {
        let n = self.passage.entry(station).or_default();
        *n += 1;
        let passage = *n;
        let mut body = json!({"k": "verdict", "station": station, "passage": passage, "good": reason.is_none()});
        if let Some(r) = reason {
            body["reason"] = r.into();
        }
        if let Some(c) = code {
            body["hex"] = c.into();
            self.row(c).seen += 1;
        }
        self.book(body);
        passage
    }

    pub fn take_back(&mut self, station: &'static str, passage: u64, code: &str) {
        self.book(
            json!({"k": "verdict", "station": station, "passage": passage, "good": false, "reason": "late", "hex": code, "revises": true}),
        );
        let row = self.row(code);
        (row.state, row.reason) = ("rejected", Some("late"));
    }

    /// Printed, read well, let through: on the belt behind its gate.
    pub fn good_bottle(&mut self, thing: &str, code: &str) {
        self.happens(json!({"k": "ink", "printer": "ijp1", "thing": thing, "hex": code}));
        self.each("printed", &[code.into()], &json!({"device": "ijp1"}));
        self.happens(json!({"k": "pass", "station": "bottle-check", "thing": thing}));
        self.happens(json!({"k": "read", "reader": "cam1", "thing": thing, "hex": code}));
        self.verdict("bottle-check", Some(code), None);
        self.row(code).state = "verified";
        self.happens(json!({"k": "gate", "station": "bottle-check", "thing": thing, "out": "pass"}));
        self.each("through", &[code.into()], &json!({"station": "bottle-check"}));
        self.end(thing, "belt");
    }

    pub fn put(&mut self, thing: &str, into: &str) {
        self.happens(json!({"k": "put", "thing": thing, "into": into}));
        self.end(thing, "packed");
    }

    fn seal(&mut self, id: u32, station: &str) {
        let p = self.parents.get_mut(&id).expect("opened");
        p.state = "sealed";
        let (level, code, children) = (p.level, p.code.clone(), p.children.clone());
        for c in &children {
            let row = self.row(c);
            (row.state, row.parent) = ("packed", Some(code.clone()));
        }
        self.row(&code).state = "verified";
        self.book(json!({"k": "sealed", "id": id, "level": level, "station": station}));
    }

    /// A box with its own code; its bottles lie in it.
    pub fn sealed_box(&mut self, id: u32, thing: &str, n: u32, bottles: &[(String, String)]) {
        let code = box_code(n);
        self.happens(json!({"k": "apply", "thing": thing, "hex": code}));
        for (t, _) in bottles {
            self.put(t, thing);
        }
        self.happens(json!({"k": "pass", "station": "box-pack", "thing": thing}));
        for (t, c) in bottles {
            self.happens(json!({"k": "read", "reader": "cam2", "thing": t, "hex": c}));
        }
        self.happens(json!({"k": "read", "reader": "cam2", "thing": thing, "hex": code}));
        self.touch(&code, "box", "p2", n, "pooled");
        let children: Vec<String> = bottles.iter().map(|b| b.1.clone()).collect();
        self.parents.insert(id, Parent { level: "box", code: code.clone(), state: "open", children: children.clone() });
        self.book(json!({"k": "opened", "id": id, "level": "box", "station": "box-pack", "hex": code}));
        self.book(json!({"k": "closed", "id": id, "level": "box", "hex": code, "children": children}));
        self.seal(id, "box-pack");
        self.verdict("box-pack", Some(&code), None);
        self.happens(json!({"k": "gate", "station": "box-pack", "thing": thing, "out": "pass"}));
        self.each("through", &[code], &json!({"station": "box-pack"}));
        self.end(thing, "belt");
    }

    /// Two boxes in sequence, a first label that nobody read, a second that seals.
    pub fn sealed_case(&mut self, id: u32, thing: &str, boxes: &[(&str, String)]) {
        self.book(json!({"k": "opened", "id": id, "level": "case", "station": "case-pack"}));
        for (t, c) in boxes {
            self.happens(json!({"k": "pass", "station": "case-pack", "thing": t}));
            self.each("gathered", std::slice::from_ref(c), &json!({"id": id}));
            self.verdict("case-pack", Some(c), None);
            self.put(t, thing);
        }
        let (void, next) = (case_code(0), case_code(1));
        let children: Vec<String> = boxes.iter().map(|b| b.1.clone()).collect();
        self.parents.insert(id, Parent { level: "case", code: next.clone(), state: "labelling", children: children.clone() });
        self.book(json!({"k": "leased", "job": "J", "pack": "range-case", "from": 0, "count": 1}));
        self.book(json!({"k": "closed", "id": id, "level": "case", "hex": void, "children": children}));
        self.label(id, &void, 0);
        self.book(json!({"k": "leased", "job": "J", "pack": "range-case", "from": 1, "count": 1}));
        self.book(json!({"k": "relabelled", "id": id, "level": "case", "void": void, "next": next}));
        self.row(&void).state = "void";
        self.label(id, &next, 1);
        self.happens(json!({"k": "apply", "thing": thing, "hex": next}));
        self.happens(json!({"k": "pass", "station": "case-check", "thing": thing}));
        let wire = format!("{}{next}", hex(b"]C100"));
        self.happens(json!({"k": "read", "reader": "cam3", "thing": thing, "hex": wire}));
        self.seal(id, "case-check");
        self.verdict("case-check", Some(&next), None);
        self.happens(json!({"k": "gate", "station": "case-check", "thing": thing, "out": "pass"}));
        self.each("through", &[next], &json!({"station": "case-check"}));
        self.end(thing, "belt");
    }

    fn label(&mut self, id: u32, code: &str, ordinal: u32) {
        self.send("zpl1", &[code.into()], "case", "range-case", ordinal);
        self.book(json!({"k": "labelling", "id": id, "level": "case"}));
        self.happens(json!({"k": "label", "printer": "zpl1", "hex": code}));
        self.each("printed", &[code.into()], &json!({"device": "zpl1"}));
        self.row(code).state = "printed";
    }

    pub fn finish(mut self) -> World {
        let head = json!({"k": "head", "seq": self.seq, "hash": hex(&[7; 32])});
        self.journal.push(head);
        for (thing, at) in std::mem::take(&mut self.things) {
            self.happens(json!({"k": "end", "thing": thing, "at": at}));
        }
        let mut lines: BTreeMap<&str, u32> = BTreeMap::new();
        let mut dump = Vec::new();
        for (code, r) in &self.rows {
            *lines.entry(r.pack).or_default() += 1;
            let mut v = json!({
                "k": "code", "hex": code, "level": r.level, "state": r.state, "pack": r.pack, "ordinal": r.ordinal, "job": "J", "seen": r.seen
            });
            if let Some(p) = &r.parent {
                v["parent"] = p.as_str().into();
            }
            if let Some(x) = r.reason {
                v["reason"] = x.into();
            }
            if r.pack == "p1" {
                v["made_for"] = box_code(r.ordinal / BOTTLES_A_BOX as u32).into();
            }
            dump.push(v);
        }
        for (id, p) in &self.parents {
            dump.push(
                json!({"k": "parent", "id": id, "hex": p.code, "level": p.level, "state": p.state, "children": p.children, "job": "J"}),
            );
        }
        for (pack, level, product, count) in packs::PACKS {
            let untouched = count - lines.get(pack).copied().unwrap_or(0);
            let mut v = json!({"k": "pack", "pack": pack, "level": level, "product": product, "count": count, "untouched": untouched});
            match pack {
                "old" => v["used"] = true.into(),
                // Bottles and boxes came in rows that belong together.
                "p1" => v["made_for"] = "p2".into(),
                _ => {}
            }
            dump.push(v);
        }
        World { dump, journal: self.journal, truth: self.truth }
    }
}

/// Where the twelve good bottles lie: box `b`, place `i`.
pub fn packed(b: u32, i: usize) -> (String, String) {
    let n = b * BOTTLES_A_BOX as u32 + i as u32;
    (format!("b{n}"), bottle(n))
}

/// The whole shift, with a crash, a duplicate, a no-read, a late verdict, a lost print, a hand-removed bottle, an escape.
pub fn shift() -> World {
    let mut m = Maker::new();
    m.happens(json!({"k": "start", "utc": "2023-11-14T22:13:20Z"}));
    for (pack, level, product, count) in packs::PACKS {
        m.book(json!({"k": "pack", "pack": pack, "level": level, "product": product, "count": count}));
    }
    m.book(json!({"k": "pack-used", "pack": "old"}));
    m.happens(json!({"k": "link", "device": "io1", "up": true}));
    m.book(json!({"k": "restart", "clean": true, "missed": {}}));
    m.book(json!({"k": "job", "id": "J", "to": "running"}));
    m.book(json!({"k": "leased", "job": "J", "pack": "p1", "from": 0, "count": 24}));
    let codes: Vec<String> = (0..20).map(bottle).collect();
    m.send("ijp1", &codes[..15], "bottle", "p1", 0);
    m.happens(json!({"k": "belt", "on": true}));
    for b in 0..2 {
        for i in 0..BOTTLES_A_BOX {
            let (t, c) = packed(b, i);
            m.good_bottle(&t, &c);
        }
    }
    no_read(&mut m, &codes[12]);
    late(&mut m, &codes[13]);
    for b in 0..2 {
        let bottles: Vec<(String, String)> = (0..BOTTLES_A_BOX).map(|i| packed(b, i)).collect();
        m.sealed_box(b + 1, &format!("x{b}"), b, &bottles);
    }
    short_box(&mut m);
    m.quiet();
    m.sealed_case(3, "c0", &[("x0", box_code(0)), ("x1", box_code(1))]);
    m.quiet();
    // Code 14 sits in the printer when its link goes: doubtful, cleared, never inked.
    m.happens(json!({"k": "link", "device": "ijp1", "up": false}));
    m.each("doubtful", &codes[14..15], &json!({"device": "ijp1", "why": "reset"}));
    m.row(&codes[14]).state = "doubtful";
    m.happens(json!({"k": "link", "device": "ijp1", "up": true}));
    m.send("ijp1", &codes[15..19], "bottle", "p1", 15);
    m.good_bottle("b15", &codes[15]);
    m.quiet();
    duplicate(&mut m, &codes[15]);
    m.quiet();
    // Taken off the belt by a hand, then put down nowhere: it stays verified.
    m.happens(json!({"k": "inject", "fault": "hand-removed", "thing": "b15"}));
    m.happens(json!({"k": "take", "thing": "b15", "from": "belt"}));
    m.end("b15", "taken");
    m.quiet();
    crash(&mut m, &codes);
    m.quiet();
    packs::withdrawals(&mut m);
    m.book(json!({"k": "job", "id": "J", "to": "completing"}));
    let left: Vec<String> = [14, 17, 18].iter().map(|n| codes[*n].clone()).collect();
    m.each("void", &left, &json!({}));
    for c in &left {
        m.row(c).state = "void";
    }
    m.book(json!({"k": "unleased", "job": "J", "pack": "p1", "from": 19, "count": 5}));
    m.book(json!({"k": "job", "id": "J", "to": "completed"}));
    m.happens(json!({"k": "belt", "on": false}));
    m.happens(json!({"k": "link", "device": "io1", "up": false}));
    m.finish()
}
