//! Read-only snapshots beside a running daemon (or none): dump, journal, trace, packs. Short pages, a time limit.

use super::codebook::Codebook;
use super::core::chain;
use super::error::OpenError;
use super::public::{Speaker, Stamp, put_bytes};
use super::{load, schema};
use crate::vocab::code::hex;
use crate::vocab::event::{Event, Origin};
use crate::vocab::{CodeRef, ItemState, JobNo, LevelNo, ParentNo, ParentState};
use rusqlite::{Connection, OpenFlags, params};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Longest a single statement may run, in millions of virtual-machine steps.
const STEPS_M: usize = 2_000;
const PAGE: i64 = 2_000;

pub struct Snapshot {
    conn: Connection,
    pub speaker: Speaker,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the ledger cannot be read ({0}): try again; if it stays, check the disk")]
    Sql(#[from] rusqlite::Error),
    #[error("event {0} cannot be understood: the ledger is damaged or newer")]
    Event(u64),
    #[error("the result cannot be written ({0})")]
    Out(#[from] std::io::Error),
}

impl Snapshot {
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let db = dir.join("ledger.db");
        if !db.exists() {
            return Err(OpenError::Absent { dir: dir.into() }.into());
        }
        let mut conn = Connection::open_with_flags(&db, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        conn.busy_timeout(std::time::Duration::from_secs(2))?;
        let version: u32 = conn.pragma_query_value(None, "user_version", |r| r.get(0))?;
        if version > schema::VERSION {
            return Err(OpenError::Newer { dir: dir.into(), found: version, known: schema::VERSION }.into());
        }
        let mut steps = 0;
        conn.progress_handler(
            1_000_000,
            Some(move || {
                steps += 1;
                steps > STEPS_M
            }),
        )?;
        conn.execute_batch("BEGIN")?;
        let blob = |key: &str| conn.query_row(schema::META, [key], |r| r.get::<_, Vec<u8>>(0));
        let store: [u8; 16] = blob("store")?.try_into().unwrap_or([0; 16]);
        let key: [u8; 16] = blob("hash-key")?.try_into().unwrap_or([0; 16]);
        let packs: BTreeMap<_, _> = load::packs(&conn)?.into_iter().map(|p| (p.no, p)).collect();
        let codebook = Codebook::open(dir, store, key, packs.values().cloned())?;
        let mut names = crate::line::book::Names::default();
        let mut s = conn.prepare("SELECT kind,name FROM name ORDER BY kind,no")?;
        for row in s.query_map([], |r| Ok((r.get::<_, u8>(0)?, r.get::<_, String>(1)?)))? {
            let (kind, name) = row?;
            match kind {
                0 => names.levels.push(name),
                1 => names.stations.push(name),
                _ => names.devices.push(name),
            }
        }
        let jobs = pairs(&conn, "SELECT no,id FROM job")?.into_iter().map(|(n, id)| (JobNo(n), id)).collect();
        let mut parents = BTreeMap::new();
        let mut p = conn.prepare("SELECT no,level FROM parent")?;
        for row in p.query_map([], |r| Ok((ParentNo(r.get(0)?), LevelNo(r.get(1)?))))? {
            let (no, level) = row?;
            parents.insert(no, level);
        }
        drop((s, p));
        Ok(Self { speaker: Speaker { names, packs, jobs, parents, codebook }, conn })
    }

    /// Ends the snapshot and begins another: a long-lived reader must not pin the write-ahead log.
    pub fn refresh(&self) -> Result<(), ReadError> {
        Ok(self.conn.execute_batch("ROLLBACK; BEGIN")?)
    }

    /// One line a touched code, one a parent, one a pack.
    pub fn dump(&self, out: &mut dyn FnMut(Value) -> std::io::Result<()>) -> Result<(), ReadError> {
        let sp = &self.speaker;
        let mut states: BTreeMap<ParentNo, (ParentState, Option<CodeRef>)> = BTreeMap::new();
        let mut children: BTreeMap<ParentNo, Vec<String>> = BTreeMap::new();
        let mut s = self.conn.prepare("SELECT no,level,station,job,code,state,relabels FROM parent ORDER BY no")?;
        let parents = s.query_map([], load::parent)?.collect::<Result<Vec<_>, _>>()?;
        for (no, p) in &parents {
            states.insert(*no, (p.state, p.code));
        }
        let mut touched: BTreeMap<crate::vocab::PackNo, u64> = BTreeMap::new();
        let mut s = self.conn.prepare("SELECT id,state,reason,through,seen,parent,job,station,passage FROM code ORDER BY id")?;
        let mut rows = s.query([])?;
        while let Some(r) = rows.next()? {
            let (code, life) = load::code(r)?;
            // A code only looked at in the pool is touched too, and counted as its line says.
            *touched.entry(code.pack).or_default() += 1;
            let mut m = Map::new();
            m.insert("k".into(), "code".into());
            let bytes = sp.code(code);
            put_bytes(&mut m, &bytes);
            let pack = sp.packs.get(&code.pack);
            m.insert("level".into(), pack.map_or("?", |p| p.level.as_str()).into());
            m.insert("state".into(), life.state.word().into());
            m.insert("pack".into(), sp.pack(code.pack).into());
            m.insert("ordinal".into(), code.ordinal.into());
            if life.job != JobNo(0) {
                m.insert("job".into(), sp.job(life.job).into());
            }
            if life.parent != ParentNo(0) {
                children.entry(life.parent).or_default().push(hex(&bytes));
                if let Some((state, Some(own))) = states.get(&life.parent)
                    && *state != ParentState::Open
                {
                    m.insert("parent".into(), hex(&sp.code(*own)).into());
                }
            }
            if let Some(reason) = life.reason {
                m.insert("reason".into(), reason.word().into());
            }
            m.insert("seen".into(), life.seen.into());
            out(Value::Object(m))?;
        }
        for (no, p) in parents {
            let mut m = Map::new();
            m.insert("k".into(), "parent".into());
            m.insert("id".into(), no.0.into());
            if let Some(c) = p.code {
                put_bytes(&mut m, &sp.code(c));
            }
            m.insert("level".into(), sp.level(p.level).into());
            m.insert("state".into(), p.state.word().into());
            m.insert("children".into(), children.remove(&no).unwrap_or_default().into());
            m.insert("job".into(), sp.job(p.job).into());
            out(Value::Object(m))?;
        }
        for (no, p) in &sp.packs {
            let untouched = u64::from(p.count) - touched.get(no).copied().unwrap_or(0);
            out(json!({"k": "pack", "pack": p.id, "level": p.level, "product": p.product, "count": p.count, "untouched": untouched}))?;
        }
        Ok(())
    }

    /// Events after `since` in order, then the head.
    pub fn journal(&mut self, since: u64, out: &mut dyn FnMut(Value) -> std::io::Result<()>) -> Result<(), ReadError> {
        let mut at = since;
        loop {
            let page = self.page(at, PAGE)?;
            let Some(last) = page.last() else { break };
            at = last.0;
            for (_, v) in page {
                out(v)?;
            }
        }
        let head = self.conn.query_row("SELECT seq,hash FROM head", [], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?)));
        let (seq, hash) = head.unwrap_or((0, vec![0; 32]));
        out(json!({"k": "head", "seq": seq, "hash": hex(&hash)}))?;
        Ok(())
    }

    /// Lines of at most about `limit` events after `since`, each with its seq.
    pub fn page(&mut self, since: u64, limit: i64) -> Result<Vec<(u64, Value)>, ReadError> {
        let mut lines = Vec::new();
        let boots: BTreeMap<i64, String> = {
            let mut s = self.conn.prepare_cached("SELECT no,id FROM boot")?;
            s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?
        };
        let mut s = self.conn.prepare_cached(schema::EVENTS_AFTER)?;
        let mut rows = s.query(params![since as i64, limit])?;
        while let Some(r) = rows.next()? {
            let seq = r.get::<_, i64>(0)? as u64;
            let event: Event = postcard::from_bytes(r.get_ref(5)?.as_blob().unwrap_or(&[])).map_err(|_| ReadError::Event(seq))?;
            let boot = boots.get(&r.get(1)?).cloned().unwrap_or_default();
            let stamp = Stamp { seq, boot, mono_us: r.get::<_, i64>(2)? as u64, wall_us: r.get(3)?, suspect: r.get(4)? };
            self.speaker.learn(&event);
            lines.extend(self.speaker.lines(&stamp, &event).into_iter().map(|v| (seq, v)));
        }
        Ok(lines)
    }

    /// Recomputes the chain; the first seq at which it breaks.
    pub fn verify_chain(&self) -> Result<Option<u64>, ReadError> {
        let mut hash = [0u8; 32];
        let mut expected = 1u64;
        let mut s = self.conn.prepare("SELECT seq,boot,mono_us,wall_us,suspect,body FROM event ORDER BY seq")?;
        let mut rows = s.query([])?;
        while let Some(r) = rows.next()? {
            let seq = r.get::<_, i64>(0)? as u64;
            if seq != expected {
                return Ok(Some(expected));
            }
            expected += 1;
            let mut columns = [0u8; 33];
            columns[..8].copy_from_slice(&seq.to_le_bytes());
            columns[8..16].copy_from_slice(&r.get::<_, i64>(1)?.to_le_bytes());
            columns[16..24].copy_from_slice(&r.get::<_, i64>(2)?.to_le_bytes());
            columns[24..32].copy_from_slice(&r.get::<_, i64>(3)?.to_le_bytes());
            columns[32] = r.get::<_, u8>(4)?;
            hash = chain(&hash, &columns, r.get_ref(5)?.as_blob().unwrap_or(&[]));
        }
        let head = self.conn.query_row("SELECT seq,hash FROM head", [], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?)));
        match head {
            Ok((seq, h)) if seq as u64 + 1 == expected && h == hash => Ok(None),
            Err(rusqlite::Error::QueryReturnedNoRows) if expected == 1 => Ok(None),
            Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => Ok(Some(expected.saturating_sub(1))),
            Err(e) => Err(e.into()),
        }
    }

    /// Everything the book knows of a code: its state, the parents above it, its children, its events.
    pub fn trace(&mut self, bytes: &[u8]) -> Result<Option<Value>, ReadError> {
        let Some(code) = self.speaker.codebook.resolve(bytes).first().map(|h| h.code) else { return Ok(None) };
        let mut m = self.life(code)?;
        let mut above = Vec::new();
        let mut child = code;
        while let Some((no, own)) = self.parent_of(child)? {
            let mut p = object(json!({"id": no.0}));
            p.extend(self.parent(no)?);
            above.push(Value::Object(p));
            match own {
                Some(c) if above.len() < 16 => child = c,
                _ => break,
            }
        }
        m.insert("parents".into(), above.into());
        if let Some(no) = self.parent_numbered(code)? {
            let mut p = object(json!({"id": no.0}));
            p.extend(self.parent(no)?);
            let mut s = self.conn.prepare("SELECT id FROM code WHERE parent=?1 ORDER BY id")?;
            let ids = s.query_map([no.0], |r| r.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
            let children = ids.into_iter().map(|id| self.life(CodeRef::from_id(id)).map(Value::Object)).collect::<Result<Vec<_>, _>>()?;
            p.insert("children".into(), children.into());
            m.insert("contents".into(), Value::Object(p));
        }
        let own = hex(&self.speaker.code(code));
        let mut events = Vec::new();
        self.journal(0, &mut |v| {
            let named = |k: &str| v.get(k).and_then(Value::as_str) == Some(&own);
            let among = v.get("children").and_then(Value::as_array).is_some_and(|a| a.iter().any(|c| c.as_str() == Some(&own)));
            if named("hex") || named("void") || named("next") || among {
                events.push(v);
            }
            Ok(())
        })?;
        m.insert("events".into(), events.into());
        Ok(Some(Value::Object(m)))
    }

    fn life(&self, code: CodeRef) -> Result<Map<String, Value>, ReadError> {
        let mut m = Map::new();
        put_bytes(&mut m, &self.speaker.code(code));
        let pack = self.speaker.packs.get(&code.pack);
        m.insert("level".into(), pack.map_or("?", |p| p.level.as_str()).into());
        m.insert("pack".into(), self.speaker.pack(code.pack).into());
        m.insert("ordinal".into(), code.ordinal.into());
        let mut s = self.conn.prepare_cached("SELECT id,state,reason,through,seen,parent,job,station,passage FROM code WHERE id=?1")?;
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
                let leased = self.conn.query_row(
                    "SELECT count(*) FROM lease WHERE pack=?1 AND first<=?2 AND first+count>?2",
                    params![code.pack.0, code.ordinal],
                    |r| r.get::<_, i64>(0),
                )?;
                let state = if leased > 0 { ItemState::Leased } else { ItemState::Pooled };
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
        let no: Option<u32> = self.conn.query_row("SELECT max(no) FROM parent WHERE code=?1", [code.id()], |r| r.get(0))?;
        Ok(no.map(ParentNo))
    }

    fn parent(&self, no: ParentNo) -> Result<Map<String, Value>, ReadError> {
        let (_, p) =
            self.conn.query_row("SELECT no,level,station,job,code,state,relabels FROM parent WHERE no=?1", [no.0], load::parent)?;
        let mut m = object(json!({"level": self.speaker.level(p.level), "state": p.state.word(), "job": self.speaker.job(p.job)}));
        if let Some(c) = p.code {
            put_bytes(&mut m, &self.speaker.code(c));
        }
        Ok(m)
    }

    pub fn pack_list(&self) -> Result<Vec<Value>, ReadError> {
        let mut out = Vec::new();
        for p in self.speaker.packs.values() {
            let mut states: BTreeMap<String, u64> = BTreeMap::new();
            let mut touched = 0;
            let (lo, hi) = (CodeRef::new(p.no, 0).id(), CodeRef::new(p.no, u32::MAX).id());
            let mut s = self.conn.prepare("SELECT state,count(*) FROM code WHERE id BETWEEN ?1 AND ?2 GROUP BY state")?;
            for row in s.query_map([lo, hi], |r| Ok((r.get::<_, u8>(0)?, r.get::<_, i64>(1)?)))? {
                let (state, n) = row?;
                touched += n as u64;
                states.insert(ItemState::from_number(state).map_or("?", ItemState::word).into(), n as u64);
            }
            let mut m = object(json!({
                "pack": p.id, "level": p.level, "product": p.product, "count": p.count,
                "untouched": u64::from(p.count) - touched, "states": states
            }));
            if let Origin::Segments { sha256 } = &p.origin {
                m.insert("sha256".into(), hex(sha256).into());
            }
            out.push(Value::Object(m));
        }
        Ok(out)
    }
}

fn object(v: Value) -> Map<String, Value> {
    match v {
        Value::Object(m) => m,
        _ => Map::new(),
    }
}

fn pairs(c: &Connection, sql: &str) -> rusqlite::Result<Vec<(u32, String)>> {
    let mut s = c.prepare(sql)?;
    s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
}
