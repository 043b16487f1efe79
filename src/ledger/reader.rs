//! Read-only snapshots beside a running daemon (or none): dump, journal, trace, packs. Short pages, a time limit.

use super::chain::Link;
use super::codebook::Codebook;
use super::error::OpenError;
use super::public::{Speaker, Stamp, put_bytes};
use super::survey::{damaged_or, immutable, refuse_newer};
use super::{load, schema};
use crate::line::rows::{Life, PackRow};
use crate::vocab::code::hex;
use crate::vocab::event::{Event, Origin};
use crate::vocab::supply::token_head;
use crate::vocab::{CodeRef, ItemState, JobNo, LevelNo, PackNo, ParentNo, ParentState};
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, params};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Longest a single statement may run, in millions of virtual-machine steps.
const STEPS_M: usize = 200;
const PAGE: i64 = 2_000;
/// A page of the journal ends with the event that reaches so many lines.
const LINES: usize = 4_000;

/// Levels of parents kept in memory while a journal is told.
const PARENTS_KNOWN: usize = 10_000;

pub struct Snapshot {
    pub(super) conn: Connection,
    /// Millions of steps of the running statement.
    steps: Arc<AtomicUsize>,
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
        refuse_newer(dir, &db)?;
        let mut conn = beside(&db).map_err(|e| damaged_or(dir, e))?;
        let version: u32 = conn.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(|e| damaged_or(dir, e))?;
        if version > schema::VERSION {
            return Err(OpenError::Newer { dir: dir.into(), found: version, known: schema::VERSION }.into());
        }
        let steps = Arc::new(AtomicUsize::new(0));
        let counted = steps.clone();
        conn.progress_handler(1_000_000, Some(move || counted.fetch_add(1, Ordering::Relaxed) >= STEPS_M))?;
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
        drop(s);
        Ok(Self { speaker: Speaker { names, packs, jobs, parents: BTreeMap::new(), codebook }, conn, steps })
    }

    /// Ends the snapshot and begins another: a long-lived reader must not pin the write-ahead log.
    pub fn refresh(&self) -> Result<(), ReadError> {
        Ok(self.conn.execute_batch("ROLLBACK; BEGIN")?)
    }

    /// A statement, kept prepared; the time limit starts anew.
    pub(super) fn statement(&self, sql: &str) -> Result<CachedStatement<'_>, ReadError> {
        self.steps.store(0, Ordering::Relaxed);
        Ok(self.conn.prepare_cached(sql)?)
    }

    /// One line a touched code, one a parent, one a pack; in pages, so that memory does not grow with the book.
    pub fn dump(&self, out: &mut dyn FnMut(Value) -> std::io::Result<()>) -> Result<(), ReadError> {
        let sp = &self.speaker;
        let mut touched: BTreeMap<PackNo, u64> = BTreeMap::new();
        let mut at = -1;
        loop {
            let mut s = self.statement(schema::CODES_AFTER)?;
            let mut rows = s.query(params![at, PAGE])?;
            let before = at;
            while let Some(r) = rows.next()? {
                let (code, life) = load::code(r)?;
                at = code.id();
                // A code only looked at in the pool is touched too, and counted as its line says.
                *touched.entry(code.pack).or_default() += 1;
                let closed = r.get::<_, Option<u8>>(9)?.is_some_and(|state| state != ParentState::Open.number());
                let number = r.get::<_, Option<i64>>(10)?.filter(|_| closed).map(CodeRef::from_id);
                out(self.code_line(code, &life, number))?;
            }
            self.undamaged()?;
            if at == before {
                break;
            }
        }
        let mut at = 0;
        loop {
            let mut s = self.statement(schema::PARENTS_AFTER)?;
            let page = s.query_map(params![at, PAGE], load::parent)?.collect::<Result<Vec<_>, _>>()?;
            let Some((last, _)) = page.last() else { break };
            at = last.0;
            for (no, p) in page {
                let children: Vec<String> = self.children(no)?.into_iter().map(|c| hex(&sp.code(c))).collect();
                let mut m = object(json!({"k": "parent", "id": no.0}));
                if let Some(c) = p.code {
                    put_bytes(&mut m, &sp.code(c));
                }
                m.extend(object(json!({"level": sp.level(p.level), "state": p.state.word(), "children": children, "job": sp.job(p.job)})));
                out(Value::Object(m))?;
            }
        }
        for (no, p) in &sp.packs {
            let mut untouched = u64::from(p.count).saturating_sub(touched.get(no).copied().unwrap_or(0));
            if p.withdrawn.is_some() {
                self.withdrawn_lines(p, out)?;
                untouched = 0;
            }
            let mut m =
                json!({"k": "pack", "pack": p.id, "level": p.level, "product": p.product, "count": p.count, "untouched": untouched});
            if p.used {
                m["used"] = true.into();
            }
            if let Origin::Related { parents, .. } = p.origin {
                m["made_for"] = sp.pack(parents).into();
            }
            out(m)?;
        }
        Ok(())
    }

    /// The lines of a withdrawn pack's codes that have no row: they are settled as much as those that have one.
    fn withdrawn_lines(&self, p: &PackRow, out: &mut dyn FnMut(Value) -> std::io::Result<()>) -> Result<(), ReadError> {
        let life = Life::new(p.rest().unwrap_or(ItemState::Pooled), JobNo(0));
        let mut s = self.statement(schema::IDS_OF_PACK)?;
        let mut rows = s.query([CodeRef::new(p.no, 0).id()])?;
        let mut at = 0;
        loop {
            let row = rows.next()?.map(|r| r.get(0)).transpose()?.map(CodeRef::from_id);
            for o in at..row.map_or(p.count, |c| c.ordinal) {
                out(self.code_line(CodeRef::new(p.no, o), &life, None))?;
            }
            match row {
                Some(c) => at = c.ordinal + 1,
                None => return self.undamaged(),
            }
        }
    }

    fn code_line(&self, code: CodeRef, life: &Life, parent: Option<CodeRef>) -> Value {
        let sp = &self.speaker;
        let mut m = object(json!({"k": "code"}));
        put_bytes(&mut m, &sp.code(code));
        m.insert("level".into(), sp.level_of(code).into());
        m.insert("state".into(), life.state.word().into());
        m.insert("pack".into(), sp.pack(code.pack).into());
        m.insert("ordinal".into(), code.ordinal.into());
        if life.job != JobNo(0) {
            m.insert("job".into(), sp.job(life.job).into());
        }
        if let Some(own) = parent {
            m.insert("parent".into(), hex(&sp.code(own)).into());
        }
        if let Some(reason) = life.reason {
            m.insert("reason".into(), reason.word().into());
        }
        m.insert("seen".into(), life.seen.into());
        if let Some(own) = sp.codebook.made_for(code) {
            m.insert("made_for".into(), hex(&sp.code(own)).into());
        }
        Value::Object(m)
    }

    pub(super) fn children(&self, no: ParentNo) -> Result<Vec<CodeRef>, ReadError> {
        let mut s = self.statement(schema::CHILDREN)?;
        let ids = s.query_map([no.0], |r| r.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(ids.into_iter().map(CodeRef::from_id).collect())
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
        let (seq, hash) = self.head()?;
        out(json!({"k": "head", "seq": seq, "hash": hex(&hash)}))?;
        Ok(())
    }

    /// The newest event's number and the chain's hash; zeros before the first.
    pub fn head(&self) -> Result<(u64, [u8; 32]), ReadError> {
        let row = self.statement(schema::HEAD_NOW)?.query_row([], |r| Ok((r.get::<_, i64>(0)? as u64, r.get::<_, [u8; 32]>(1)?)));
        match row {
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok((0, [0; 32])),
            row => Ok(row?),
        }
    }

    /// Lines of at most about `limit` events after `since`, each with its seq.
    pub fn page(&mut self, since: u64, limit: i64) -> Result<Vec<(u64, Value)>, ReadError> {
        let mut lines = Vec::new();
        for (stamp, event) in self.stored(schema::EVENTS_AFTER, since, limit)? {
            lines.extend(self.speak(&stamp, &event)?.into_iter().map(|v| (stamp.seq, v)));
            // An event of many codes has many lines: what is held at once stays bounded.
            if lines.len() >= LINES {
                break;
            }
        }
        self.undamaged()?;
        Ok(lines)
    }

    /// What could not be read in a segment is a refusal, not a gap.
    pub(super) fn undamaged(&self) -> Result<(), ReadError> {
        self.speaker
            .codebook
            .damage()
            .map_or(Ok(()), |what| Err(OpenError::Damaged { dir: self.speaker.codebook.dir().into(), what: what.into() }.into()))
    }

    /// The journal's lines of an event.
    pub(super) fn speak(&mut self, stamp: &Stamp, event: &Event) -> Result<Vec<Value>, ReadError> {
        if let Some(no) = Speaker::parent_of(event)
            && !self.speaker.parents.contains_key(&no)
        {
            // Levels of parents are looked up as they come; not all of a year's parents stay in memory.
            if self.speaker.parents.len() >= PARENTS_KNOWN {
                self.speaker.parents.clear();
            }
            let level = self.statement(schema::PARENT_LEVEL)?.query_row([no.0], |r| Ok((r.get(0)?, r.get::<_, Option<i64>>(1)?)));
            match level {
                Ok((level, code)) => drop(self.speaker.parents.insert(no, (LevelNo(level), code.map(CodeRef::from_id)))),
                Err(rusqlite::Error::QueryReturnedNoRows) => {}
                Err(e) => return Err(e.into()),
            }
        }
        self.speaker.learn(event);
        Ok(self.speaker.lines(stamp, event))
    }

    /// Every event after `since`, in order.
    pub(super) fn events(&self, since: u64, f: &mut dyn FnMut(&Stamp, &Event)) -> Result<(), ReadError> {
        let mut at = since;
        loop {
            let page = self.stored(schema::EVENTS_AFTER, at, PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            at = last.seq;
            page.iter().for_each(|(s, e)| f(s, e));
        }
    }

    pub(super) fn stored(&self, sql: &str, since: u64, limit: i64) -> Result<Vec<(Stamp, Event)>, ReadError> {
        let boots: BTreeMap<i64, String> = {
            let mut s = self.statement("SELECT no,id FROM boot")?;
            s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?
        };
        let mut page = Vec::new();
        let mut s = self.statement(sql)?;
        let mut rows = s.query(params![since as i64, limit])?;
        while let Some(r) = rows.next()? {
            let seq = r.get::<_, i64>(0)? as u64;
            let event = postcard::from_bytes(r.get_ref(5)?.as_blob().unwrap_or(&[])).map_err(|_| ReadError::Event(seq))?;
            let boot = boots.get(&r.get(1)?).cloned().unwrap_or_default();
            page.push((Stamp { seq, boot, mono_us: r.get::<_, i64>(2)? as u64, wall_us: r.get(3)?, suspect: r.get(4)? }, event));
        }
        Ok(page)
    }

    /// Orders for codes, oldest first: `order, level, product, count, token` (its beginning), `outcome` (`open` while it is).
    pub fn orders(&self) -> Result<Vec<Value>, ReadError> {
        let said = |o: crate::line::rows::OrderRow| {
            let mut m = object(json!({
                "order": o.no.0, "level": o.level, "product": o.product, "count": o.count, "token": token_head(&o.token),
                "outcome": o.end.as_ref().map_or("open", |e| e.outcome.word())
            }));
            if let Some(e) = o.end {
                m.insert("lost".into(), e.lost.into());
                m.extend(e.pack.map(|p| ("pack".to_string(), self.speaker.pack(p).into())));
                m.extend(e.why.map(|w| ("why".to_string(), w.into())));
            }
            Value::Object(m)
        };
        Ok(load::orders(&self.conn)?.into_iter().map(said).collect())
    }

    /// Recomputes the chain, its anchors and its head; the first seq at which they do not agree.
    pub fn verify_chain(&self) -> Result<Option<u64>, ReadError> {
        let mut link = Link::default();
        loop {
            let mut s = self.statement(schema::EVENTS_WITH_ANCHORS)?;
            let mut rows = s.query(params![link.seq as i64, PAGE])?;
            let before = link.seq;
            while let Some(r) = rows.next()? {
                if !link.follow(r)? {
                    return Ok(Some(link.seq + 1));
                }
            }
            if link.seq == before {
                break;
            }
        }
        let (seq, hash) = self.head()?;
        if (seq, hash) == (link.seq, link.hash) { Ok(None) } else { Ok(Some(link.seq.min(seq) + u64::from(seq != link.seq))) }
    }
}

/// Reads beside a writer; in a folder that may not be written, and where nobody writes, the database alone.
fn beside(db: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(std::time::Duration::from_secs(2))?;
    match conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
        Ok(()) => Ok(conn),
        Err(e) if matches!(e.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) => immutable(db),
        Err(e) => Err(e),
    }
}

pub(super) fn object(v: Value) -> Map<String, Value> {
    match v {
        Value::Object(m) => m,
        _ => Map::new(),
    }
}

fn pairs(c: &Connection, sql: &str) -> rusqlite::Result<Vec<(u32, String)>> {
    let mut s = c.prepare(sql)?;
    s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
}
