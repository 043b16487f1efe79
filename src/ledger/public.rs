//! Events in public form (CONTRACT, "Reading the book"): names instead of numbers, codes in hex and, printable, text.

use super::codebook::Codebook;
use crate::line::book::Names;
use crate::line::rows::PackRow;
use crate::vocab::code::{hex, printable};
use crate::vocab::event::{NameKind, Origin, Seen};
use crate::vocab::supply::token_head;
use crate::vocab::time::rfc3339;
use crate::vocab::{CodeRef, Event, JobNo, LevelNo, PackNo, ParentNo, StationNo};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What is needed to speak of numbers by name.
pub struct Speaker {
    pub names: Names,
    pub packs: BTreeMap<PackNo, PackRow>,
    pub jobs: BTreeMap<JobNo, String>,
    /// Level and number.
    pub parents: BTreeMap<ParentNo, (LevelNo, Option<CodeRef>)>,
    pub codebook: Codebook,
}

/// The columns of a stored event beside its body.
#[derive(Clone, Debug)]
pub struct Stamp {
    pub seq: u64,
    pub boot: String,
    pub mono_us: u64,
    pub wall_us: i64,
    pub suspect: bool,
}

impl Speaker {
    pub fn code(&self, c: CodeRef) -> Vec<u8> {
        self.codebook.bytes(c).unwrap_or_default()
    }

    fn put_code(&self, m: &mut Map<String, Value>, c: CodeRef) {
        put_bytes(m, &self.code(c));
    }

    fn put_seen(&self, m: &mut Map<String, Value>, seen: &Seen) {
        match seen {
            Seen::Known(c) => self.put_code(m, *c),
            Seen::Unknown(b) => put_bytes(m, b),
        }
    }

    pub fn level(&self, no: LevelNo) -> &str {
        self.names.levels.get(no.index()).map_or("?", String::as_str)
    }

    pub fn station(&self, no: StationNo) -> &str {
        self.names.stations.get(no.index()).map_or("?", String::as_str)
    }

    pub fn job(&self, no: JobNo) -> &str {
        self.jobs.get(&no).map_or("?", String::as_str)
    }

    pub fn pack(&self, no: PackNo) -> &str {
        self.packs.get(&no).map_or("?", |p| p.id.as_str())
    }

    /// The level of a code's pack.
    pub fn level_of(&self, code: CodeRef) -> &str {
        self.packs.get(&code.pack).map_or("?", |p| p.level.as_str())
    }

    /// The parent an event tells of.
    pub fn parent_of(event: &Event) -> Option<ParentNo> {
        match event {
            Event::Opened { parent, .. }
            | Event::Gathered { parent, .. }
            | Event::Closed { parent, .. }
            | Event::Labelling { parent }
            | Event::Sealed { parent, .. }
            | Event::Relabelled { parent, .. }
            | Event::Undone { parent, .. }
            | Event::TakenOut { parent, .. } => Some(*parent),
            _ => None,
        }
    }

    /// Names and numbers that later events need.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::Named { kind, name, no } => {
                let list = match kind {
                    NameKind::Level => &mut self.names.levels,
                    NameKind::Station => &mut self.names.stations,
                    NameKind::Device => &mut self.names.devices,
                };
                if list.len() == usize::from(*no) {
                    list.push(name.clone());
                }
            }
            Event::JobCreated { job, id, .. } => drop(self.jobs.insert(*job, id.clone())),
            Event::Opened { parent, level, code, .. } => drop(self.parents.insert(*parent, (*level, *code))),
            Event::Closed { parent, code: Some(code), .. } | Event::Relabelled { parent, next: code, .. } => {
                if let Some(p) = self.parents.get_mut(parent) {
                    p.1 = Some(*code);
                }
            }
            Event::PackAccepted { pack, id, level, product, count, origin } if !self.packs.contains_key(pack) => {
                let row = PackRow::new(*pack, id.clone(), level.clone(), product.clone(), *count, origin.clone());
                let _ = self.codebook.register(row.clone());
                self.packs.insert(*pack, row);
            }
            Event::Purpose { pack, purpose } => self.about(*pack, |row| row.purpose = Some(purpose.clone())),
            Event::PackExpiry { pack, date } => self.about(*pack, |row| row.expiry = Some(date.clone())),
            Event::PackUsed { pack } => self.about(*pack, |row| row.used = true),
            Event::RangeCut { pack, count } => {
                self.about(*pack, |row| row.count = *count);
                if let Some(row) = self.packs.get(pack).cloned() {
                    let _ = self.codebook.register(row);
                }
            }
            _ => {}
        }
    }

    fn about(&mut self, pack: PackNo, f: impl FnOnce(&mut PackRow)) {
        if let Some(row) = self.packs.get_mut(&pack) {
            f(row);
        }
    }

    /// The journal's lines of one event: one, or one a code (sharing `seq`, told apart by `i`).
    pub fn lines(&self, stamp: &Stamp, event: &Event) -> Vec<Value> {
        let bodies = self.bodies(event);
        let many = bodies.len() > 1;
        let mut out = Vec::new();
        for (i, (kind, body)) in bodies.into_iter().enumerate() {
            let mut m = Map::new();
            m.insert("seq".into(), stamp.seq.into());
            if many {
                m.insert("i".into(), i.into());
            }
            m.insert("boot".into(), stamp.boot.clone().into());
            m.insert("t".into(), rfc3339(stamp.wall_us).into());
            m.insert("mono_us".into(), stamp.mono_us.into());
            m.insert("clock".into(), if stamp.suspect { "suspect" } else { "ok" }.into());
            m.insert("k".into(), kind.into());
            m.extend(body);
            out.push(Value::Object(m));
        }
        out
    }

    fn bodies(&self, event: &Event) -> Vec<(&'static str, Map<String, Value>)> {
        let one = |k: &'static str, v: Value| vec![(k, object(v))];
        let each = |k: &'static str, codes: &[CodeRef], extra: Value| {
            let with = |c: &CodeRef| {
                let mut m = object(extra.clone());
                self.put_code(&mut m, *c);
                (k, m)
            };
            codes.iter().map(with).collect::<Vec<_>>()
        };
        let device = |d: &crate::vocab::DeviceNo| self.names.devices.get(d.index()).cloned().unwrap_or_default();
        match event {
            Event::Named { kind, no, name } => {
                let kind = match kind {
                    NameKind::Level => "level",
                    NameKind::Station => "station",
                    NameKind::Device => "device",
                };
                one("named", json!({"kind": kind, "no": no, "name": name}))
            }
            Event::Started { clean, missed } => {
                let missed: Map<String, Value> =
                    missed.iter().filter_map(|(s, n)| Some((self.station(*s).to_string(), Value::from((*n)?)))).collect();
                one("restart", json!({"clean": clean, "missed": missed}))
            }
            Event::Stopped => one("stopped", json!({})),
            Event::PackAccepted { id, level, product, count, origin, .. } => {
                let mut v = object(json!({"pack": id, "level": level, "product": product, "count": count}));
                if let Origin::Segments { sha256 } | Origin::Related { sha256, .. } = origin {
                    v.insert("sha256".into(), hex(sha256).into());
                }
                vec![("pack", v)]
            }
            Event::JobCreated { id, product, lot, target, expiry, .. } => {
                let mut v = object(json!({"id": id, "product": product, "lot": lot}));
                put_some(&mut v, "target", target.map(Value::from));
                put_some(&mut v, "expiry", expiry.clone().map(Value::from));
                vec![("job-created", v)]
            }
            Event::JobMoved { job, to } => one("job", json!({"id": self.job(*job), "to": to.word()})),
            Event::Leased { job, pack, from, count } => {
                one("leased", json!({"job": self.job(*job), "pack": self.pack(*pack), "from": from, "count": count}))
            }
            Event::Unleased { job, pack, from, count } => {
                one("unleased", json!({"job": self.job(*job), "pack": self.pack(*pack), "from": from, "count": count}))
            }
            Event::Sent { device: d, codes } => each("sent", codes, json!({"device": device(d)})),
            Event::Printed { device: d, codes } => each("printed", codes, json!({"device": device(d)})),
            Event::Doubtful { device: d, codes, why } => {
                let extra = d.as_ref().map_or(json!({"why": why.word()}), |d| json!({"device": device(d), "why": why.word()}));
                each("doubtful", codes, extra)
            }
            Event::Void { codes } => each("void", codes, json!({})),
            Event::Missing { codes } => each("missing", codes, json!({})),
            Event::Withdrawn { codes, reason } => each("withdrawn", codes, json!({"reason": reason.word()})),
            Event::Read { station, seen } => {
                let mut m = object(json!({"station": self.station(*station)}));
                self.put_seen(&mut m, seen);
                vec![("read", m)]
            }
            Event::Verdict { station, passage, good, reason, seen, to, revises } => {
                let mut m = object(json!({"station": self.station(*station), "passage": passage.0, "good": good}));
                put_some(&mut m, "reason", reason.map(|r| r.word().into()));
                if let Some(s) = seen {
                    self.put_seen(&mut m, s);
                }
                // The state its code got, if it moved: a reject alone does not tell.
                put_some(&mut m, "to", to.map(|s| s.word().into()));
                if *revises {
                    m.insert("revises".into(), true.into());
                }
                vec![("verdict", m)]
            }
            Event::Through { station, code, .. } => each("through", &[*code], json!({"station": self.station(*station)})),
            Event::Escaped { station, passage, was, code } => {
                each("escaped", &[*code], json!({"station": self.station(*station), "passage": passage.0, "was": was.word()}))
            }
            Event::Opened { parent, station, level, code } => {
                let mut m = object(json!({"id": parent.0, "level": self.level(*level), "station": self.station(*station)}));
                if let Some(c) = code {
                    self.put_code(&mut m, *c);
                }
                vec![("opened", m)]
            }
            Event::Gathered { parent, code } => each("gathered", &[*code], json!({"id": parent.0})),
            Event::Closed { parent, code, children } => {
                let children: Vec<String> = children.iter().map(|c| hex(&self.code(*c))).collect();
                let mut m = object(json!({"id": parent.0, "level": self.parent_level(*parent), "children": children}));
                if let Some(c) = code {
                    self.put_code(&mut m, *c);
                }
                vec![("closed", m)]
            }
            Event::Labelling { parent } => one("labelling", json!({"id": parent.0, "level": self.parent_level(*parent)})),
            Event::Sealed { parent, station } => {
                let mut m = object(json!({"id": parent.0, "level": self.parent_level(*parent), "station": self.station(*station)}));
                if let Some(c) = self.parents.get(parent).and_then(|p| p.1) {
                    self.put_code(&mut m, c);
                }
                vec![("sealed", m)]
            }
            Event::Relabelled { parent, void, next } => {
                let level = self.parent_level(*parent);
                let (old, new) = (hex(&self.code(*void)), hex(&self.code(*next)));
                let mut lines = each("void", &[*void], json!({}));
                lines.push(("relabelled", object(json!({"id": parent.0, "level": level, "void": old, "next": new}))));
                lines
            }
            Event::Undone { parent, broken, reason } => {
                let mut m = object(json!({"id": parent.0, "level": self.parent_level(*parent), "broken": broken}));
                put_some(&mut m, "reason", reason.map(|r| r.word().into()));
                vec![("undone", m)]
            }
            Event::TakenOut { parent, code, why } => each("taken-out", &[*code], json!({"from": parent.0, "why": why})),
            Event::Purged { station } => one("purged", json!({"station": self.station(*station)})),
            Event::StationCleared { station } => one("station-cleared", json!({"station": self.station(*station)})),
            Event::Clock { step_ms, suspect } => one("clock", json!({"step_ms": step_ms, "suspect": suspect})),
            Event::LineMoved { to, reason } => {
                let mut m = object(json!({"to": to.word(), "packml": to.number()}));
                put_some(&mut m, "reason", reason.clone().map(Value::from));
                vec![("line", m)]
            }
            Event::Alarm { name, on } => one("alarm", json!({"name": name, "on": on})),
            Event::Counter { station, value } => one("counter", json!({"station": self.station(*station), "value": value})),
            Event::Forgiven { station } => one("forgiven", json!({"station": self.station(*station)})),
            Event::Headline { stations } => {
                one("headline", json!({"stations": stations.iter().map(|s| self.station(*s)).collect::<Vec<_>>()}))
            }
            Event::Answered { key, .. } => one("answered", json!({"key": key})),
            Event::DuplicatesSkipped { pack, within, earlier, named } => {
                one("duplicates-skipped", json!({"pack": self.pack(*pack), "within": within, "earlier": earlier, "named": named}))
            }
            Event::Purpose { pack, purpose } => one("purpose", json!({"pack": self.pack(*pack), "purpose": purpose})),
            Event::PackExpiry { pack, date } => one("pack-expiry", json!({"pack": self.pack(*pack), "date": date})),
            Event::PackUsed { pack } => one("pack-used", json!({"pack": self.pack(*pack)})),
            Event::PackDrawn { pack, rule } => one(
                "pack-drawn",
                json!({"pack": self.pack(*pack), "template": rule.template, "alphabet": rule.alphabet, "length": rule.length}),
            ),
            Event::PackWithdrawn { pack, to, count, reason, who } => {
                let mut m = object(json!({"pack": self.pack(*pack), "to": to.word(), "count": count, "why": reason}));
                put_some(&mut m, "who", who.clone().map(Value::from));
                vec![("pack-withdrawn", m)]
            }
            Event::Withdrew { pack, from, count, to } => {
                let codes: Vec<CodeRef> = (*from..from + count).map(|o| CodeRef::new(*pack, o)).collect();
                each(to.word(), &codes, json!({"pack": self.pack(*pack)}))
            }
            Event::RangeCut { pack, count } => one("range-cut", json!({"pack": self.pack(*pack), "count": count})),
            Event::Ordered { order, level, product, count, token } => {
                // The token fetches codes: the journal shows its beginning only.
                one("ordered", json!({"order": order.0, "level": level, "product": product, "count": count, "token": token_head(token)}))
            }
            Event::OrderEnded { order, outcome, pack, lost, why } => {
                let mut m = object(json!({"order": order.0, "outcome": outcome.word(), "lost": lost}));
                put_some(&mut m, "pack", pack.map(|p| self.pack(p).into()));
                put_some(&mut m, "why", why.clone().map(Value::from));
                vec![("order-ended", m)]
            }
            Event::SetupPrint { device: d, dummy } => one("setup-print", json!({"device": device(d), "dummy": dummy})),
            Event::Forgotten { keys } => one("forgotten", json!({"keys": keys})),
        }
    }

    fn parent_level(&self, no: ParentNo) -> &str {
        self.parents.get(&no).map_or("?", |p| self.level(p.0))
    }
}

fn object(v: Value) -> Map<String, Value> {
    match v {
        Value::Object(m) => m,
        _ => Map::new(),
    }
}

fn put_some(m: &mut Map<String, Value>, key: &str, v: Option<Value>) {
    if let Some(v) = v {
        m.insert(key.into(), v);
    }
}

/// `hex` always, `text` too when printable.
pub fn put_bytes(m: &mut Map<String, Value>, bytes: &[u8]) {
    m.insert("hex".into(), hex(bytes).into());
    if let Some(t) = printable(bytes) {
        m.insert("text".into(), t.into());
    }
}
