//! The ledger's single owner: open, commit, close. Synchronous; the writer thread wraps it, the seeded shift drives it.

use super::chain::{Link, Stored};
use super::codebook::Codebook;
use super::error::{CommitError, OpenError};
use super::lock::Lock;
use super::marks::{self, Mark};
use super::{load, schema};
use crate::line::{Book, Row};
use crate::vocab::{CodeRef, Event, Now, PackNo};
use rusqlite::{Connection, DropBehavior, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// An anchor of the chain at least every so many events.
const ANCHOR_EVERY: u64 = 4_096;

/// Test hooks of `run --test-hooks`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Every commit takes this much longer.
    pub commit_stall_ms: u64,
    /// Commits fail from this one on, as on a full disk.
    pub commit_fail_after: Option<u64>,
    pub clock_offset_s: i64,
}

#[derive(Clone, Debug, Default)]
pub struct OpenHow {
    pub create: bool,
    pub boot: String,
    pub wall_us: i64,
    pub socket: Option<PathBuf>,
    pub hooks: Option<Hooks>,
    /// A run without hooks: from now on hooks are refused.
    pub production: bool,
    pub accept_restored: bool,
}

pub struct Opened {
    pub core: Core,
    pub book: Book,
    pub codebook: Codebook,
    /// The last daemon ended in order (or there was none).
    pub clean: bool,
    pub last_seq: u64,
    pub last_wall_us: Option<i64>,
    /// Codes that an older copy does not know to be sent (`accept_restored`).
    pub restored: Vec<CodeRef>,
}

/// Events of one decision with the rows they changed.
#[derive(Clone, Debug, Default)]
pub struct Submission {
    pub now: Now,
    pub events: Vec<Event>,
    pub rows: Vec<Row>,
}

pub struct Core {
    conn: Connection,
    dir: PathBuf,
    seq: u64,
    hash: [u8; 32],
    anchored: u64,
    boot_no: i64,
    suspect: bool,
    store: [u8; 16],
    generation: u64,
    marks: BTreeMap<PackNo, MarkState>,
    pack_ids: BTreeMap<PackNo, String>,
    hooks: Hooks,
    commits: u64,
    poisoned: bool,
    _lock: Lock,
}

#[derive(Clone, Copy, Debug)]
struct MarkState {
    turn: u64,
    upto: u64,
    intent: u64,
}

impl Core {
    pub fn open(dir: &Path, how: &OpenHow) -> Result<Opened, OpenError> {
        let db = dir.join("ledger.db");
        if !db.exists() && !how.create {
            return Err(OpenError::Absent { dir: dir.into() });
        }
        refuse_newer(dir, &db)?;
        let unwritable = |source| OpenError::Unwritable { dir: dir.into(), source };
        std::fs::create_dir_all(dir.join("packs")).map_err(unwritable)?;
        let mut lock = Lock::take(dir)?;
        let sql = |source| OpenError::Sql { dir: dir.into(), source };
        let mut conn = connect(&db).map_err(|e| damaged_or(dir, e))?;
        // Until the store is accepted nothing may change, not even by a checkpoint at closing.
        conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(sql)?;
        let version: u32 = conn.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(|e| damaged_or(dir, e))?;
        if version > schema::VERSION {
            return Err(OpenError::Newer { dir: dir.into(), found: version, known: schema::VERSION });
        }
        let (mut restored_what, mut fresh) = (None, version == 0);
        if version > 0 {
            let ok: String = conn.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).map_err(|e| damaged_or(dir, e))?;
            if ok != "ok" {
                return Err(OpenError::Damaged { dir: dir.into(), what: ok });
            }
            if meta(&conn, "production").map_err(sql)?.is_some() && how.hooks.is_some() {
                return Err(OpenError::HooksRefused { dir: dir.into() });
            }
            restored_what = older_copy(&conn, dir)?;
            if let (Some(what), false) = (&restored_what, how.accept_restored) {
                return Err(OpenError::Restored { dir: dir.into(), what: what.clone() });
            }
        }
        lock.announce(&how.boot, how.socket.as_deref()).map_err(unwritable)?;
        schema::pragmas(&conn).map_err(sql)?;
        schema::migrate(&mut conn).map_err(sql)?;
        conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(sql)?;
        let mut core = Self {
            conn,
            dir: dir.into(),
            seq: 0,
            hash: [0; 32],
            anchored: 0,
            boot_no: 0,
            suspect: false,
            store: [0; 16],
            generation: 0,
            marks: BTreeMap::new(),
            pack_ids: BTreeMap::new(),
            hooks: how.hooks.unwrap_or_default(),
            commits: 0,
            poisoned: false,
            _lock: lock,
        };
        core.begin(how, &mut fresh).map_err(sql)?;
        let rows = load::rows(&core.conn).map_err(|e| damaged_or(dir, e))?;
        let book = Book::from_rows(rows);
        let codebook = Codebook::open(dir, core.store, core.hash_key().map_err(sql)?, book.packs.values().cloned())?;
        for p in book.packs.values() {
            core.pack_ids.insert(p.no, p.id.clone());
        }
        let restored = if restored_what.is_some() { core.unknown_sent(&book).map_err(unwritable)? } else { Vec::new() };
        core.next_generation().map_err(|e| match e {
            CommitError::Mark(source) => OpenError::Unwritable { dir: dir.into(), source },
            CommitError::Sql(source) => OpenError::Sql { dir: dir.into(), source },
            _ => OpenError::Damaged { dir: dir.into(), what: e.to_string() },
        })?;
        core.suspect = book.line.clock_suspect;
        let last_wall_us =
            core.conn.query_row("SELECT max(wall_us) FROM event WHERE seq>?1", [core.seq as i64 - 1000], |r| r.get(0)).map_err(sql)?;
        Ok(Opened { clean: book.line.clean, last_seq: core.seq, last_wall_us, restored, core, book, codebook })
    }

    /// Identity of the store, this boot, and where the chain stands.
    fn begin(&mut self, how: &OpenHow, fresh: &mut bool) -> rusqlite::Result<()> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if meta(&tx, "store")?.is_none() {
            *fresh = true;
            let seed = random();
            tx.execute(schema::SET_META, params!["store", &seed[..16]])?;
            tx.execute(schema::SET_META, params!["hash-key", &random()[..16]])?;
            tx.execute(schema::SET_META, params!["generation", 0u64.to_le_bytes()])?;
        }
        if how.production {
            tx.execute(schema::SET_META, params!["production", [1u8]])?;
        }
        tx.execute("INSERT INTO boot(id,wall_us) VALUES(?1,?2)", params![how.boot, how.wall_us])?;
        self.boot_no = tx.last_insert_rowid();
        self.store = fixed(meta(&tx, "store")?);
        self.generation = u64::from_le_bytes(fixed(meta(&tx, "generation")?));
        let head = tx.query_row("SELECT seq,hash FROM head", [], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?))).optional()?;
        if let Some((seq, hash)) = head {
            (self.seq, self.hash) = (seq as u64, hash.try_into().unwrap_or([0; 32]));
        }
        self.anchored = tx.query_row("SELECT coalesce(max(seq),0) FROM anchor", [], |r| r.get::<_, i64>(0))? as u64;
        let mut s = tx.prepare("SELECT pack,intent FROM mark")?;
        for row in s.query_map([], |r| Ok((r.get::<_, u32>(0)?, r.get::<_, i64>(1)?)))? {
            let (pack, intent) = row?;
            self.marks.insert(PackNo(pack), MarkState { turn: 0, upto: 0, intent: intent as u64 });
        }
        drop(s);
        tx.commit()
    }

    fn hash_key(&self) -> rusqlite::Result<[u8; 16]> {
        Ok(fixed(meta(&self.conn, "hash-key")?))
    }

    /// Ordinals between what this copy knows and what the marks say.
    fn unknown_sent(&self, book: &Book) -> std::io::Result<Vec<CodeRef>> {
        let mut out = Vec::new();
        for p in book.packs.values() {
            if let Some(m) = marks::read(&marks::path(&self.dir, &p.id))? {
                let from = book.leases.iter().filter(|l| l.pack == p.no).map(|l| l.from + l.used).max().unwrap_or(0);
                let upto = m.upto.min(u64::from(p.count)) as u32;
                out.extend((from..upto).map(|o| CodeRef::new(p.no, o)));
            }
        }
        Ok(out)
    }

    /// A new generation, in the ledger first, then in every mark.
    fn next_generation(&mut self) -> Result<(), CommitError> {
        self.generation += 1;
        self.conn.execute(schema::SET_META, params!["generation", self.generation.to_le_bytes()])?;
        for (no, id) in self.pack_ids.clone() {
            let found = marks::read(&marks::path(&self.dir, &id)).map_err(CommitError::Mark)?;
            let state = self.marks.entry(no).or_insert(MarkState { turn: 0, upto: 0, intent: 0 });
            if let Some(m) = found {
                (state.turn, state.upto) = (m.turn, m.upto.max(state.upto));
                // A copy put back and accepted: what the marks say is intended from now on.
                if m.upto > state.intent {
                    state.intent = m.upto;
                    self.conn.execute(schema::MARK, params![no.0, m.upto as i64])?;
                }
                self.write_mark(no)?;
            }
        }
        Ok(())
    }

    fn write_mark(&mut self, pack: PackNo) -> Result<(), CommitError> {
        let path = marks::path(&self.dir, &self.pack_ids[&pack]);
        let s = self.marks.get_mut(&pack).expect("a mark to write is known");
        s.turn += 1;
        let mark = Mark { store: self.store, generation: self.generation, turn: s.turn, upto: s.upto };
        marks::write(&path, &mark).map_err(CommitError::Mark)
    }

    pub fn last_seq(&self) -> u64 {
        self.seq
    }

    /// One transaction for all of them; nothing of it remains on an error, and nothing is taken afterwards.
    pub fn commit(&mut self, batch: &[Submission]) -> Result<u64, CommitError> {
        if self.poisoned {
            return Err(CommitError::Poisoned);
        }
        self.commits += 1;
        if self.hooks.commit_fail_after.is_some_and(|n| self.commits > n) {
            self.poisoned = true;
            return Err(CommitError::Full);
        }
        if self.hooks.commit_stall_ms > 0 {
            std::thread::sleep(std::time::Duration::from_millis(self.hooks.commit_stall_ms));
        }
        let done = self.try_commit(batch);
        self.poisoned = done.is_err();
        done
    }

    fn try_commit(&mut self, batch: &[Submission]) -> Result<u64, CommitError> {
        for s in batch {
            for e in &s.events {
                if let Event::PackAccepted { pack, id, .. } = e {
                    self.pack_ids.insert(*pack, id.clone());
                }
            }
        }
        let ahead = self.marks_ahead(batch)?;
        let (mut seq, mut hash, mut anchored, mut suspect) = (self.seq, self.hash, self.anchored, self.suspect);
        let mut tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.set_drop_behavior(DropBehavior::Rollback);
        for s in batch {
            for e in &s.events {
                if let Event::Clock { suspect: s, .. } = e {
                    suspect = *s;
                }
                seq += 1;
                let body = postcard::to_stdvec(e).expect("an event encodes");
                let stored = Stored { boot: self.boot_no, mono_us: s.now.mono_us as i64, wall_us: s.now.wall_us, suspect, body: &body };
                hash = Link { seq: seq - 1, hash }.next(&stored).hash;
                tx.prepare_cached(schema::EVENT)?.execute(params![
                    seq as i64,
                    self.boot_no,
                    s.now.mono_us as i64,
                    s.now.wall_us,
                    suspect,
                    body
                ])?;
                let ends = matches!(e, Event::JobMoved { to: crate::vocab::JobState::Completed | crate::vocab::JobState::Aborted, .. });
                if ends || seq - anchored >= ANCHOR_EVERY {
                    tx.prepare_cached(schema::ANCHOR)?.execute(params![seq as i64, hash])?;
                    anchored = seq;
                }
            }
        }
        upsert(&tx, batch)?;
        for (pack, intent) in &ahead {
            tx.prepare_cached(schema::MARK)?.execute(params![pack.0, *intent as i64])?;
        }
        tx.prepare_cached(schema::HEAD)?.execute(params![seq as i64, hash])?;
        tx.commit()?;
        (self.seq, self.hash, self.anchored, self.suspect) = (seq, hash, anchored, suspect);
        for (pack, intent) in ahead {
            let s = self.marks.get_mut(&pack).expect("made by marks_ahead");
            (s.intent, s.upto) = (intent, intent);
            self.write_mark(pack)?;
        }
        Ok(seq)
    }

    /// Makes sure that every code about to be *sent* lies below its pack's mark on disk, and tells which marks should
    /// move on with this commit, so that a later one need not wait.
    fn marks_ahead(&mut self, batch: &[Submission]) -> Result<Vec<(PackNo, u64)>, CommitError> {
        let mut need: BTreeMap<PackNo, u64> = BTreeMap::new();
        for e in batch.iter().flat_map(|s| &s.events) {
            if let Event::Sent { codes, .. } = e {
                for c in codes {
                    let n = need.entry(c.pack).or_default();
                    *n = (*n).max(u64::from(c.ordinal) + 1);
                }
            }
        }
        let mut ahead = Vec::new();
        for (pack, n) in need {
            let s = self.marks.entry(pack).or_insert(MarkState { turn: 0, upto: 0, intent: 0 });
            let target = n + u64::from(marks::STEP);
            if n > s.upto {
                (s.intent, s.upto) = (target, target);
                self.conn.execute(schema::MARK, params![pack.0, target as i64])?;
                self.write_mark(pack)?;
            } else if s.upto - n < u64::from(marks::STEP) / 2 {
                ahead.push((pack, target));
            }
        }
        Ok(ahead)
    }

    /// Moves what the WAL holds into the database while the writer is idle anyway; never truncates.
    pub fn checkpoint(&self) {
        let _ = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }

    /// An orderly end: a new generation (a copy taken before it is recognised), a checkpoint.
    pub fn close(mut self) -> Result<(), CommitError> {
        if !self.poisoned {
            self.next_generation()?;
            self.checkpoint();
        }
        Ok(())
    }

    pub fn store_id(&self) -> [u8; 16] {
        self.store
    }
}

fn connect(db: &Path) -> rusqlite::Result<Connection> {
    let c = Connection::open(db)?;
    c.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(c)
}

fn meta(c: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    c.query_row(schema::META, [key], |r| r.get(0)).optional()
}

fn fixed<const N: usize>(v: Option<Vec<u8>>) -> [u8; N] {
    v.and_then(|v| v.try_into().ok()).unwrap_or([0; N])
}

/// `user_version` stands at byte 60 of the file (SQLite file format 1.3.14): a newer store is refused before SQLite
/// touches it.
fn refuse_newer(dir: &Path, db: &Path) -> Result<(), OpenError> {
    let Ok(f) = std::fs::File::open(db) else { return Ok(()) };
    let mut b = [0; 4];
    if std::os::unix::fs::FileExt::read_exact_at(&f, &mut b, 60).is_ok() {
        let found = u32::from_be_bytes(b);
        if found > schema::VERSION {
            return Err(OpenError::Newer { dir: dir.into(), found, known: schema::VERSION });
        }
    }
    Ok(())
}

fn damaged_or(dir: &Path, e: rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match (&e, e.sqlite_error_code()) {
        (_, Some(DatabaseCorrupt | NotADatabase))
        | (rusqlite::Error::InvalidColumnName(_) | rusqlite::Error::IntegralValueOutOfRange(..), _) => {
            OpenError::Damaged { dir: dir.into(), what: e.to_string() }
        }
        _ => OpenError::Sql { dir: dir.into(), source: e },
    }
}

/// What shows that this ledger is older than its marks.
fn older_copy(c: &Connection, dir: &Path) -> Result<Option<String>, OpenError> {
    let sql = |e| damaged_or(dir, e);
    let Some(store) = meta(c, "store").map_err(sql)? else { return Ok(None) };
    let generation = u64::from_le_bytes(fixed(meta(c, "generation").map_err(sql)?));
    let mut intents: HashMap<u32, i64> = HashMap::new();
    let mut s = c.prepare("SELECT pack,intent FROM mark").map_err(sql)?;
    for row in s.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).map_err(sql)? {
        let (p, i) = row.map_err(sql)?;
        intents.insert(p, i);
    }
    for p in load::packs(c).map_err(sql)? {
        let path = marks::path(dir, &p.id);
        let intent = intents.get(&p.no.0).copied().unwrap_or(0) as u64;
        match marks::read(&path) {
            Err(e) => return Err(OpenError::Damaged { dir: dir.into(), what: format!("{}: {e}", path.display()) }),
            Ok(None) if intent > 0 => return Ok(Some(format!("{} is gone", path.display()))),
            Ok(None) => {}
            Ok(Some(m)) if m.store[..] != store[..] => return Err(OpenError::OtherStore { path }),
            Ok(Some(m)) if m.generation > generation => {
                return Ok(Some(format!("its generation is {generation}, the marks say {}", m.generation)));
            }
            Ok(Some(m)) if m.upto > intent => return Ok(Some(format!("pack {} was sent up to {}, it knows {intent}", p.id, m.upto))),
            Ok(Some(_)) => {}
        }
    }
    Ok(None)
}

fn random() -> [u8; 32] {
    let mut b = [0; 32];
    let f = std::fs::File::open("/dev/urandom").expect("the system has randomness");
    std::io::Read::read_exact(&mut &f, &mut b).expect("the system has randomness");
    b
}

/// The last image of every key, once.
fn upsert(tx: &Transaction<'_>, batch: &[Submission]) -> rusqlite::Result<()> {
    let mut codes: BTreeMap<CodeRef, usize> = BTreeMap::new();
    let all: Vec<(&Row, i64)> = batch.iter().flat_map(|s| s.rows.iter().map(|r| (r, s.now.wall_us))).collect();
    for (i, (r, _)) in all.iter().enumerate() {
        if let Row::Code(c, _) = r {
            codes.insert(*c, i);
        }
    }
    for (i, (row, at_us)) in all.iter().enumerate() {
        match row {
            Row::Code(c, _) if codes[c] != i => {}
            Row::Code(c, l) => {
                let reason = l.reason.map(|r| r.number());
                let p = params![c.id(), l.state.number(), reason, l.through, l.seen, l.parent.0, l.job.0, l.station.0, l.passage.0 as i64];
                tx.prepare_cached(schema::CODE)?.execute(p)?;
            }
            Row::Name { kind, no, name } => drop(tx.prepare_cached(schema::NAME)?.execute(params![*kind as u8, no, name])?),
            Row::Pack(p) => {
                let origin = postcard::to_stdvec(&p.origin).expect("an origin encodes");
                tx.prepare_cached(schema::PACK)?.execute(params![p.no.0, p.id, p.level, p.product, p.count, origin, p.next])?;
            }
            Row::Parent(no, p) => {
                let code = p.code.map(CodeRef::id);
                tx.prepare_cached(schema::PARENT)?.execute(params![
                    no.0,
                    p.level.0,
                    p.station.0,
                    p.job.0,
                    code,
                    p.state.number(),
                    p.relabels
                ])?;
            }
            Row::Job(j) => {
                let counts = postcard::to_stdvec(&j.counts).expect("counts encode");
                let p = params![j.no.0, j.id, j.product, j.lot, j.target, j.expiry, j.state.number(), counts, j.doubtful as i64];
                tx.prepare_cached(schema::JOB)?.execute(p)?;
            }
            Row::Lease(l) => drop(tx.prepare_cached(schema::LEASE)?.execute(params![l.job.0, l.pack.0, l.from, l.count, l.used])?),
            Row::Station(no, s) => {
                tx.prepare_cached(schema::STATION)?.execute(params![no.0, postcard::to_stdvec(s).expect("a station encodes")])?;
            }
            Row::Queue(no, codes) => {
                tx.prepare_cached(schema::QUEUE_CLEAR)?.execute([no.0])?;
                for (i, c) in codes.iter().enumerate() {
                    tx.prepare_cached(schema::QUEUE)?.execute(params![no.0, i as i64, c.id()])?;
                }
            }
            Row::Line(l) => drop(tx.prepare_cached(schema::LINE)?.execute([postcard::to_stdvec(l).expect("a line encodes")])?),
            Row::Answer { key, answer } => drop(tx.prepare_cached(schema::ANSWER)?.execute(params![key, answer, at_us])?),
        }
    }
    Ok(())
}
