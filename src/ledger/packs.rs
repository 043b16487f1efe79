//! Packs as the office asks for them: what is left of each, its history, the file of what was withdrawn.
//!
//! Invariant: the codes of a pack by state add up to its count.

use super::public::Stamp;
use super::reader::{ReadError, Snapshot, object};
use super::schema;
use crate::line::rows::PackRow;
use crate::vocab::code::{hex, printable};
use crate::vocab::event::{Event, Origin};
use crate::vocab::time::rfc3339;
use crate::vocab::{CodeRef, ItemState};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;

const PAGE: i64 = 2_000;

/// A page of what became of a pack.
pub struct History {
    pub lines: Vec<Value>,
    /// The event after which there is more.
    pub next: Option<u64>,
}

impl Snapshot {
    /// Every pack in the order of import.
    pub fn pack_list(&self) -> Result<Vec<Value>, ReadError> {
        let mut accepted = BTreeMap::new();
        self.pack_events(0, i64::MAX, &mut |stamp, e| {
            if let Event::PackAccepted { pack, .. } = e {
                accepted.insert(*pack, stamp.wall_us);
            }
            true
        })?;
        let mut out = Vec::new();
        for p in self.speaker.packs.values() {
            let mut m = self.about(p)?;
            if let Some(us) = accepted.get(&p.no) {
                m.insert("imported".into(), rfc3339(*us).into());
            }
            out.push(Value::Object(m));
        }
        Ok(out)
    }

    /// One pack; `None`: there is no such pack.
    pub fn pack_show(&self, id: &str) -> Result<Option<Value>, ReadError> {
        let Some(p) = self.pack_named(id) else { return Ok(None) };
        let mut m = self.about(&p)?;
        let mut at = None;
        self.pack_events(0, i64::MAX, &mut |stamp, e| {
            match e {
                Event::PackAccepted { pack, .. } if *pack == p.no => at = Some(stamp.clone()),
                Event::PackWithdrawn { pack, who, .. } if *pack == p.no => {
                    if let (Some(w), Some(who)) = (m.get_mut("withdrawn").and_then(Value::as_object_mut), who) {
                        w.insert("who".into(), who.clone().into());
                    }
                    if let Some(w) = m.get_mut("withdrawn").and_then(Value::as_object_mut) {
                        w.insert("time".into(), rfc3339(stamp.wall_us).into());
                    }
                }
                _ => {}
            }
            true
        })?;
        if let Some(stamp) = at {
            m.insert("imported".into(), rfc3339(stamp.wall_us).into());
            m.insert("seq".into(), stamp.seq.into());
        }
        if let Some(rule) = self.speaker.codebook.key_rule(p.no) {
            m.insert("key_rule".into(), rule.to_string().into());
        }
        Ok(Some(Value::Object(m)))
    }

    /// Journal lines about a pack after `since`, at most `limit` of them, and where to go on if there are more.
    pub fn pack_history(&mut self, id: &str, since: u64, limit: usize) -> Result<Option<History>, ReadError> {
        let Some(p) = self.pack_named(id) else { return Ok(None) };
        let mut found: Vec<(Stamp, Event)> = Vec::new();
        let mut more = false;
        self.pack_events(since, i64::MAX, &mut |stamp, e| {
            if e.pack() == Some(p.no) {
                more = found.len() >= limit;
                if !more {
                    found.push((stamp.clone(), e.clone()));
                }
            }
            !more
        })?;
        let mut lines = Vec::new();
        let next = found.last().map(|(s, _)| s.seq).filter(|_| more);
        for (stamp, e) in found {
            lines.extend(self.speak(&stamp, &e)?);
        }
        Ok(Some(History { lines, next }))
    }

    /// The codes that were withdrawn with a pack, in pack order, as a table (CSV, UTF-8 with a mark so that Excel knows);
    /// answers how many. `None`: nothing was withdrawn to that state.
    pub fn withdrawn_table(&self, id: &str, to: ItemState, out: &mut dyn Write) -> Result<Option<u64>, ReadError> {
        let Some(p) = self.pack_named(id) else { return Ok(None) };
        let Some(w) = p.withdrawn.as_ref().filter(|w| w.to == to) else { return Ok(None) };
        write!(out, "\u{feff}code,level,product,pack,state,reason,time\r\n")?;
        let tail = format!("{},{},{},{},{}", field(&p.level), field(&p.product), field(&p.id), to.word(), field(&w.reason));
        let mut n = 0;
        let mut failed = None;
        self.pack_events(0, i64::MAX, &mut |stamp, e| {
            let Event::Withdrew { pack, from, count, .. } = e else { return true };
            if *pack != p.no {
                return true;
            }
            for o in *from..from + count {
                let bytes = self.speaker.code(CodeRef::new(p.no, o));
                n += 1;
                if let Err(e) = write!(out, "{},{tail},{}\r\n", code(&bytes), rfc3339(stamp.wall_us)) {
                    failed = Some(e);
                    return false;
                }
            }
            true
        })?;
        self.undamaged()?;
        failed.map_or(Ok(Some(n)), |e| Err(e.into()))
    }

    pub(super) fn pack_named(&self, id: &str) -> Option<PackRow> {
        self.speaker.packs.values().find(|p| p.id == id).cloned()
    }

    /// Events about packs after `since`, in order, until `f` says no.
    fn pack_events(&self, since: u64, limit: i64, f: &mut dyn FnMut(&Stamp, &Event) -> bool) -> Result<(), ReadError> {
        let mut at = since;
        loop {
            let page = self.stored(schema::PACK_EVENTS_AFTER, at, PAGE.min(limit))?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            at = last.seq;
            if !page.iter().all(|(s, e)| f(s, e)) {
                return Ok(());
            }
        }
    }

    /// Codes of a pack that may still be used.
    pub(super) fn unused(&self, p: &PackRow) -> Result<u64, ReadError> {
        Ok(self.about(p)?.get("unused").and_then(Value::as_u64).unwrap_or(0))
    }

    fn about(&self, p: &PackRow) -> Result<Map<String, Value>, ReadError> {
        let mut rows: BTreeMap<ItemState, u64> = BTreeMap::new();
        let (lo, hi) = (CodeRef::new(p.no, 0).id(), CodeRef::new(p.no, u32::MAX).id());
        let mut s = self.statement(schema::STATES_OF_PACK)?;
        for row in s.query_map([lo, hi], |r| Ok((r.get::<_, u8>(0)?, r.get::<_, i64>(1)?)))? {
            let (state, n) = row?;
            rows.insert(ItemState::from_number(state).ok_or_else(|| super::load::bad("state"))?, n as u64);
        }
        let leased: i64 = self.statement(schema::UNUSED)?.query_row([p.no.0], |r| r.get(0))?;
        let touched: u64 = rows.values().sum();
        let rest = u64::from(p.count).saturating_sub(touched);
        // Codes that were only looked at are in the pool, or leased, as those that were not.
        let in_pool = |s: &ItemState| matches!(s, ItemState::Pooled | ItemState::Leased);
        let mut codes: BTreeMap<ItemState, u64> = rows.iter().filter(|(s, _)| !in_pool(s)).map(|(s, n)| (*s, *n)).collect();
        let unused = match p.rest() {
            Some(to) => {
                *codes.entry(to).or_default() += rest;
                0
            }
            None => {
                let pool = rest + rows.iter().filter(|(s, _)| in_pool(s)).map(|(_, n)| n).sum::<u64>();
                codes.insert(ItemState::Leased, leased as u64);
                codes.insert(ItemState::Pooled, pool.saturating_sub(leased as u64));
                pool
            }
        };
        // As the dump has them: withdrawn codes have lines, those used elsewhere have none.
        let mut states = rows.clone();
        let mut untouched = rest;
        if let Some(w) = &p.withdrawn {
            *states.entry(w.to).or_default() += rest;
            untouched = 0;
        }
        let words = |m: &BTreeMap<ItemState, u64>| -> Map<String, Value> {
            m.iter().filter(|(_, n)| **n > 0).map(|(s, n)| (s.word().to_string(), (*n).into())).collect()
        };
        let mut m = object(json!({
            "pack": p.id, "level": p.level, "product": p.product, "count": p.count,
            "untouched": untouched, "states": words(&states), "codes": words(&codes), "unused": unused,
        }));
        match &p.origin {
            Origin::Segments { sha256 } | Origin::Related { sha256, .. } => m.insert("sha256".into(), hex(sha256).into()),
            Origin::Range(rule) => m.insert("range".into(), range(rule, p.count)),
        };
        if let Some(purpose) = &p.purpose {
            m.insert("purpose".into(), purpose.clone().into());
        }
        if let Some(expiry) = &p.expiry {
            m.insert("expiry".into(), expiry.clone().into());
        }
        if p.used {
            m.insert("used".into(), true.into());
        }
        if let Some(w) = &p.withdrawn {
            m.insert("withdrawn".into(), json!({"to": w.to.word(), "reason": w.reason}));
        }
        if let Some(r) = &p.drawn {
            m.insert("drawn".into(), json!({"template": r.template, "alphabet": r.alphabet, "length": r.length}));
        }
        Ok(m)
    }

    /// The codes of a pack in order, one a line, as a delivery of them would be. `None`: there is no such pack.
    pub fn pack_codes(&self, id: &str, out: &mut dyn Write) -> Result<Option<u64>, ReadError> {
        let Some(p) = self.pack_named(id) else { return Ok(None) };
        for o in 0..p.count {
            out.write_all(&self.speaker.code(CodeRef::new(p.no, o)))?;
            out.write_all(b"\n")?;
        }
        self.undamaged()?;
        Ok(Some(u64::from(p.count)))
    }
}

fn range(rule: &crate::vocab::sscc::RangeRule, count: u32) -> Value {
    let text = |o: u32| rule.code(o).and_then(|b| printable(&b).map(String::from)).unwrap_or_default();
    let mut m = json!({"kind": if rule.is_sscc() { "sscc" } else { "serial" }, "start": rule.start(), "first": text(0)});
    if let Some(last) = count.checked_sub(1) {
        m["last"] = text(last).into();
    }
    m
}

/// A field as RFC 4180 has it.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}

/// A code in a table: its text, or hex where it is none.
fn code(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(t) if !t.contains(['\r', '\n', '\0']) => field(t),
        _ => format!("hex:{}", hex(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::token::TokenRule;
    use crate::vocab::{DeviceNo, JobNo, PackNo};

    /// An event about a pack that the statement passes over would be missing from every history.
    #[test]
    fn the_statement_names_every_event_about_packs() {
        let pack = PackNo(1);
        let origin = Origin::Segments { sha256: [0; 32] };
        let (text, to) = (String::new, ItemState::Void);
        let rule = TokenRule { alphabet: text(), length: 1, template: text() };
        let all = [
            Event::PackAccepted { pack, id: text(), level: text(), product: text(), count: 1, origin },
            Event::Purpose { pack, purpose: text() },
            Event::Leased { job: JobNo(1), pack, from: 0, count: 1 },
            Event::Unleased { job: JobNo(1), pack, from: 0, count: 1 },
            Event::PackExpiry { pack, date: text() },
            Event::PackUsed { pack },
            Event::PackDrawn { pack, rule },
            Event::PackWithdrawn { pack, to, count: 1, reason: text(), who: None },
            Event::Withdrew { pack, from: 0, count: 1, to },
            Event::RangeCut { pack, count: 1 },
            Event::DuplicatesSkipped { pack, within: 1, earlier: 1, named: Vec::new() },
        ];
        let number = |e: &Event| format!("x'{:02x}'", postcard::to_stdvec(e).unwrap()[0]);
        for e in &all {
            assert!(schema::PACK_EVENTS_AFTER.contains(&number(e)), "{e:?}");
        }
        assert_eq!(schema::PACK_EVENTS_AFTER.matches("x'").count(), all.len());
        assert!(!schema::PACK_EVENTS_AFTER.contains(&number(&Event::Sent { device: DeviceNo(0), codes: Vec::new() })));
    }

    #[test]
    fn fields_of_a_table_come_back() {
        assert_eq!(field("plain"), "plain");
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(code(b"x\x1dy"), "x\u{1d}y");
        assert_eq!(code(&[0xff, 0x01]), "hex:ff01");
        assert_eq!(code(b"two\nlines"), "hex:74776f0a6c696e6573");
    }
}
