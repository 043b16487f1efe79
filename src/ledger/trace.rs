//! Everything the book knows of one code.

use super::public::put_bytes;
use super::reader::{ReadError, Snapshot, object};
use super::{load, schema};
use crate::vocab::code::hex;
use crate::vocab::event::{Event, Seen};
use crate::vocab::forms::forms;
use crate::vocab::{CodeRef, ItemState, JobNo, KeyRule, ParentNo};
use rusqlite::params;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Levels above a code that are followed.
const DEPTH: usize = 16;

impl Snapshot {
    /// Its state, the parents above it, its children, its events and those of the parents it was in. `None`: no pack
    /// of this ledger holds it. `company_prefix_len`: of GS1 codes, for their EPC URN.
    pub fn trace(&mut self, bytes: &[u8], company_prefix_len: Option<u8>) -> Result<Option<Value>, ReadError> {
        let Some(code) = self.speaker.codebook.resolve(bytes).first().map(|h| h.code) else { return Ok(None) };
        let mut m = self.life(code)?;
        self.put_forms(&mut m, code, company_prefix_len);
        self.put_codes(&mut m, code);
        let mut above = Vec::new();
        let mut child = code;
        while let Some((no, own)) = self.parent_of(child)? {
            let mut p = object(json!({"id": no.0}));
            p.extend(self.parent(no)?);
            above.push(Value::Object(p));
            match own {
                Some(c) if above.len() < DEPTH => child = c,
                _ => break,
            }
        }
        m.insert("parents".into(), above.into());
        if let Some(no) = self.parent_numbered(code)? {
            let mut p = object(json!({"id": no.0}));
            p.extend(self.parent(no)?);
            let children = self.children(no)?.into_iter().map(|c| self.life(c).map(Value::Object)).collect::<Result<Vec<_>, _>>()?;
            p.insert("children".into(), children.into());
            m.insert("contents".into(), Value::Object(p));
        }
        let mut about = About { code, parents: BTreeSet::new() };
        let mut stored = Vec::new();
        self.events(0, &mut |stamp, e| {
            if about.hears(e) {
                stored.push((stamp.clone(), e.clone()));
            }
        })?;
        let own = hex(&self.speaker.code(code));
        let mut events = Vec::new();
        for (stamp, e) in stored {
            // Of an event about many codes, only this one's line.
            let of_another = |v: &Value| v.get("i").is_some() && v.get("hex").and_then(Value::as_str) != Some(&own);
            events.extend(self.speak(&stamp, &e)?.into_iter().filter(|v| !of_another(v)));
        }
        m.insert("events".into(), events.into());
        Ok(Some(Value::Object(m)))
    }

    /// How a GS1 code is told to offices.
    fn put_forms(&self, m: &mut Map<String, Value>, code: CodeRef, company_prefix_len: Option<u8>) {
        let numbered = self.speaker.codebook.key_rule(code.pack) == Some(KeyRule::Sscc);
        let Some(f) = forms(&self.speaker.code(code), numbered, company_prefix_len) else { return };
        let mut reported = Map::new();
        put_bytes(&mut reported, &f.reported);
        let mut told = object(json!({"reported": reported, "link": f.link}));
        if let Some(urn) = f.urn {
            told.insert("urn".into(), urn.into());
        }
        m.insert("gs1".into(), told.into());
    }

    /// The other codes of an item that carries several, and what its delivery said that it was made for.
    fn put_codes(&self, m: &mut Map<String, Value>, code: CodeRef) {
        let book = &self.speaker.codebook;
        let codes = book.codes(code);
        if codes.len() > 1 {
            let one = |(purpose, bytes): (String, Vec<u8>)| {
                let mut m = Map::new();
                put_bytes(&mut m, &bytes);
                if !purpose.is_empty() {
                    m.insert("purpose".into(), purpose.into());
                }
                Value::Object(m)
            };
            m.insert("codes".into(), codes.into_iter().map(one).collect());
        }
        let outer = |code: &CodeRef| book.made_for(*code);
        let one = |c: CodeRef| {
            let mut m = object(json!({"level": self.speaker.level_of(c), "pack": self.speaker.pack(c.pack), "ordinal": c.ordinal}));
            put_bytes(&mut m, &self.speaker.code(c));
            Value::Object(m)
        };
        let made_for: Vec<Value> = std::iter::successors(outer(&code), outer).take(DEPTH).map(one).collect();
        if !made_for.is_empty() {
            m.insert("made_for".into(), made_for.into());
        }
    }

    fn life(&self, code: CodeRef) -> Result<Map<String, Value>, ReadError> {
        let mut m = Map::new();
        put_bytes(&mut m, &self.speaker.code(code));
        m.insert("level".into(), self.speaker.level_of(code).into());
        m.insert("pack".into(), self.speaker.pack(code.pack).into());
        m.insert("ordinal".into(), code.ordinal.into());
        let mut s = self.statement(schema::CODE_BY_ID)?;
        match s.query_row([code.id()], load::code) {
            Ok((_, life)) => {
                m.insert("state".into(), life.state.word().into());
                if let Some(r) = life.reason {
                    m.insert("reason".into(), r.word().into());
                }
                if life.job != JobNo(0) {
                    m.insert("job".into(), self.speaker.job(life.job).into());
                }
                m.insert("seen".into(), life.seen.into());
            }
            Err(rusqlite::Error::QueryReturnedNoRows) => {
                let leased = self.statement(schema::LEASED)?.query_row(params![code.pack.0, code.ordinal], |r| r.get::<_, i64>(0))?;
                let rest = self.speaker.packs.get(&code.pack).and_then(crate::line::rows::PackRow::rest);
                let state = if leased > 0 { ItemState::Leased } else { rest.unwrap_or(ItemState::Pooled) };
                m.insert("state".into(), state.word().into());
            }
            Err(e) => return Err(e.into()),
        }
        Ok(m)
    }

    fn parent_of(&self, code: CodeRef) -> Result<Option<(ParentNo, Option<CodeRef>)>, ReadError> {
        let no: i64 = self.conn.query_row("SELECT coalesce((SELECT parent FROM code WHERE id=?1),0)", [code.id()], |r| r.get(0))?;
        if no == 0 {
            return Ok(None);
        }
        let own: Option<i64> = self.conn.query_row("SELECT code FROM parent WHERE no=?1", [no], |r| r.get(0))?;
        Ok(Some((ParentNo(no as u32), own.map(CodeRef::from_id))))
    }

    fn parent_numbered(&self, code: CodeRef) -> Result<Option<ParentNo>, ReadError> {
        let no: Option<u32> = self.statement(schema::PARENT_BY_CODE)?.query_row([code.id()], |r| r.get(0))?;
        Ok(no.map(ParentNo))
    }

    fn parent(&self, no: ParentNo) -> Result<Map<String, Value>, ReadError> {
        let (_, p) = self.statement(schema::PARENT_BY_NO)?.query_row([no.0], load::parent)?;
        let mut m = object(json!({"level": self.speaker.level(p.level), "state": p.state.word(), "job": self.speaker.job(p.job)}));
        if let Some(c) = p.code {
            put_bytes(&mut m, &self.speaker.code(c));
        }
        Ok(m)
    }
}

/// Which events tell of a code: those that name it, and those of the parents it was in or was the number of.
struct About {
    code: CodeRef,
    parents: BTreeSet<ParentNo>,
}

impl About {
    fn hears(&mut self, event: &Event) -> bool {
        let c = self.code;
        let (own, parent) = match event {
            Event::Sent { codes, .. }
            | Event::Printed { codes, .. }
            | Event::Doubtful { codes, .. }
            | Event::Void { codes }
            | Event::Missing { codes }
            | Event::Withdrawn { codes, .. } => (codes.contains(&c), None),
            Event::Leased { pack, from, count, .. }
            | Event::Unleased { pack, from, count, .. }
            | Event::Withdrew { pack, from, count, .. } => {
                (*pack == c.pack && (*from..from.saturating_add(*count)).contains(&c.ordinal), None)
            }
            Event::Read { seen, .. } => (*seen == Seen::Known(c), None),
            Event::Verdict { seen, .. } => (*seen == Some(Seen::Known(c)), None),
            Event::Through { code, .. } | Event::Escaped { code, .. } => (*code == c, None),
            Event::Opened { parent, code, .. } => (*code == Some(c), Some(*parent)),
            Event::Gathered { parent, code } | Event::TakenOut { parent, code, .. } => (*code == c, Some(*parent)),
            Event::Closed { parent, code, children } => (*code == Some(c) || children.contains(&c), Some(*parent)),
            Event::Relabelled { parent, void, next } => (*void == c || *next == c, Some(*parent)),
            Event::Labelling { parent } | Event::Sealed { parent, .. } | Event::Undone { parent, .. } => (false, Some(*parent)),
            _ => (false, None),
        };
        match parent {
            Some(p) if own => {
                self.parents.insert(p);
                true
            }
            // What another child did in the same parent is that child's story.
            Some(p) => !matches!(event, Event::Gathered { .. } | Event::TakenOut { .. }) && self.parents.contains(&p),
            None => own,
        }
    }
}
