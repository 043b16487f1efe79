//! The ledger's single owner: open, commit, close. Synchronous; the writer thread wraps it, the seeded shift drives it.

use super::chain::{Link, Stored};
use super::codebook::Codebook;
use super::error::{CommitError, OpenError};
use super::lock::Lock;
use super::marks::{self, Mark};
use super::schema;
use super::survey::{self, Survey, fixed, meta};
use super::upsert::upsert;
use crate::line::{Book, Row, Withdrawal, packs};
use crate::vocab::{CodeRef, Event, ItemState, Now, PackNo};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, DropBehavior, OptionalExtension, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// An anchor of the chain at least every so many events.
const ANCHOR_EVERY: u64 = 4_096;
/// Answers to keyed requests are kept this long, and this many of them, whichever is more.
const ANSWERS_KEPT_US: i64 = 7 * 24 * 3600 * 1_000_000;
const ANSWERS_KEPT: i64 = 10_000;

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
    at: Link,
    anchored: u64,
    boot_no: i64,
    suspect: bool,
    store: [u8; 16],
    generation: u64,
    marks: BTreeMap<PackNo, MarkState>,
    pack_ids: BTreeMap<PackNo, String>,
    /// The mark of the first pack, open.
    witness: Option<File>,
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
    /// Opens a store, or makes one. A refusal leaves every file as it was.
    pub fn open(dir: &Path, how: &OpenHow) -> Result<Opened, OpenError> {
        let db = dir.join("ledger.db");
        let fresh = !db.exists();
        if fresh && !how.create {
            return Err(OpenError::Absent { dir: dir.into() });
        }
        survey::refuse_newer(dir, &db)?;
        let unwritable = |source| OpenError::Unwritable { dir: dir.into(), source };
        let sql = |e| survey::damaged_or(dir, e);
        if fresh {
            std::fs::create_dir_all(dir.join("packs")).map_err(unwritable)?;
        }
        let mut lock = Lock::take(dir)?;
        let found = if fresh { Survey::default() } else { Survey::of(dir, &db, how)? };
        lock.announce(&how.boot, how.socket.as_deref()).map_err(unwritable)?;
        let mut conn = Connection::open(&db).map_err(sql)?;
        conn.busy_timeout(std::time::Duration::from_secs(5)).map_err(sql)?;
        schema::pragmas(&conn).map_err(sql)?;
        schema::migrate(&mut conn).map_err(sql)?;
        let mut core = Self {
            conn,
            dir: dir.into(),
            at: Link::default(),
            anchored: 0,
            boot_no: 0,
            suspect: false,
            store: [0; 16],
            generation: 0,
            marks: BTreeMap::new(),
            pack_ids: BTreeMap::new(),
            witness: None,
            hooks: how.hooks.unwrap_or_default(),
            commits: 0,
            poisoned: false,
            _lock: lock,
        };
        core.begin(how).map_err(sql)?;
        let mut book = Book::from_rows(found.rows);
        core.pack_ids = book.packs.values().map(|p| (p.no, p.id.clone())).collect();
        core.suspect = book.line.clock_suspect;
        let codebook = Codebook::open(dir, core.store, core.hash_key().map_err(sql)?, book.packs.values().cloned())?;
        codebook.sweep().map_err(unwritable)?;
        codebook.look_through_relations();
        codebook.tend_at_once().map_err(|e| OpenError::Failed { dir: dir.into(), what: e.to_string() })?;
        let restored = if found.restored { core.unknown_sent(&book).map_err(unwritable)? } else { Vec::new() };
        let last_wall_us: Option<i64> =
            core.conn.query_row("SELECT max(wall_us) FROM event WHERE seq>?1", [core.at.seq as i64 - 1000], |r| r.get(0)).map_err(sql)?;
        let failed = |e| match e {
            CommitError::Mark(source) => OpenError::Unwritable { dir: dir.into(), source },
            CommitError::Sql(source) => OpenError::Sql { dir: dir.into(), source },
            e => OpenError::Failed { dir: dir.into(), what: e.to_string() },
        };
        if found.restored {
            survey::drop_unknown_marks(dir, &book).map_err(unwritable)?;
        }
        core.next_generation().map_err(failed)?;
        if found.restored {
            core.withdraw_again(&mut book, how.wall_us).map_err(failed)?;
        }
        if last_wall_us.is_none_or(|last| last <= how.wall_us) && !core.suspect {
            core.forget(&mut book, how.wall_us).map_err(failed)?;
        }
        Ok(Opened { clean: book.line.clean, last_seq: core.at.seq, last_wall_us, restored, core, book, codebook })
    }

    /// Drops answers that need not be kept any more; never while the clock is in doubt.
    fn forget(&mut self, book: &mut Book, wall_us: i64) -> Result<(), CommitError> {
        let before = wall_us - ANSWERS_KEPT_US;
        let keys = {
            let mut s = self.conn.prepare(schema::STALE_ANSWERS)?;
            s.query_map(params![before, ANSWERS_KEPT], |r| r.get(0))?.collect::<Result<Vec<String>, _>>()?
        };
        if keys.is_empty() {
            return Ok(());
        }
        let event = Event::Forgotten { keys };
        book.apply(&event);
        let rows = book.take_rows();
        self.try_commit(&[Submission { now: Now::new(0, wall_us), events: vec![event], rows }]).map(|_| ())
    }

    /// An older copy does not know that these packs were voided or given back: their codes are void, whatever it was.
    fn withdraw_again(&mut self, book: &mut Book, wall_us: i64) -> Result<(), CommitError> {
        let mut events = Vec::new();
        for p in book.packs.values().filter(|p| !p.is_closed() && self.marks.get(&p.no).is_some_and(|m| m.upto == marks::CLOSED)) {
            let w = Withdrawal {
                pack: p.id.clone(),
                to: ItemState::Void,
                reason: "an older copy of the ledger was put back".into(),
                who: None,
            };
            // Nothing of it is left to use: then there is nothing to take back.
            events.extend(packs::withdraw(book, &w).unwrap_or_default());
        }
        if events.is_empty() {
            return Ok(());
        }
        events.iter().for_each(|e| book.apply(e));
        let rows = book.take_rows();
        self.try_commit(&[Submission { now: Now::new(0, wall_us), events, rows }]).map(|_| ())
    }

    /// Identity of the store, this boot, and where the chain stands.
    fn begin(&mut self, how: &OpenHow) -> rusqlite::Result<()> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if meta(&tx, "store")?.is_none() {
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
            self.at = Link { seq: seq as u64, hash: hash.try_into().unwrap_or([0; 32]) };
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
            if let Some(m) = marks::read(&marks::path(&self.dir, &p.id))?.filter(|m| m.upto != marks::CLOSED) {
                let from = book.leases.iter().filter(|l| l.pack == p.no).map(|l| l.from + l.used).max().unwrap_or(0);
                let upto = m.upto.min(u64::from(p.count)) as u32;
                let unsent = |c: &CodeRef| matches!(book.state(*c), ItemState::Pooled | ItemState::Leased);
                out.extend((from..upto).map(|o| CodeRef::new(p.no, o)).filter(unsent));
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
        self.testify().map_err(CommitError::Mark)
    }

    fn write_mark(&mut self, pack: PackNo) -> Result<(), CommitError> {
        let path = marks::path(&self.dir, &self.pack_ids[&pack]);
        let s = self.marks.get_mut(&pack).expect("a mark to write is known");
        s.turn += 1;
        let mark = Mark { store: self.store, generation: self.generation, turn: s.turn, upto: s.upto };
        marks::write(&path, &mark).map_err(CommitError::Mark)
    }

    pub fn last_seq(&self) -> u64 {
        self.at.seq
    }

    /// One transaction for all of them; nothing of it remains on an error, and nothing is taken afterwards.
    pub fn commit(&mut self, batch: &[Submission]) -> Result<u64, CommitError> {
        if self.poisoned {
            return Err(CommitError::Poisoned);
        }
        self.commits += 1;
        if self.hooks.commit_fail_after.is_some_and(|n| self.commits > n) {
            self.poison();
            return Err(CommitError::Full);
        }
        if self.hooks.commit_stall_ms > 0 {
            std::thread::sleep(std::time::Duration::from_millis(self.hooks.commit_stall_ms));
        }
        let done = self.try_commit(batch);
        if done.is_err() {
            self.poison();
        }
        done
    }

    /// From now on nothing is written, not even by a checkpoint at closing.
    fn poison(&mut self) {
        self.poisoned = true;
        let _ = self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    fn try_commit(&mut self, batch: &[Submission]) -> Result<u64, CommitError> {
        let mut accepted = Vec::new();
        for e in batch.iter().flat_map(|s| &s.events) {
            if let Event::PackAccepted { pack, id, .. } = e {
                self.pack_ids.insert(*pack, id.clone());
                accepted.push(*pack);
            }
        }
        let mut ahead = self.marks_ahead(batch)?;
        for e in batch.iter().flat_map(|s| &s.events) {
            if let Event::PackWithdrawn { pack, .. } | Event::PackUsed { pack } = e {
                self.marks.entry(*pack).or_insert(MarkState { turn: 0, upto: 0, intent: 0 });
                ahead.push((*pack, marks::CLOSED));
            }
        }
        let (mut at, mut anchored, mut suspect) = (self.at, self.anchored, self.suspect);
        let mut tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.set_drop_behavior(DropBehavior::Rollback);
        let mut insert = tx.prepare_cached(schema::EVENT)?;
        for s in batch {
            for e in &s.events {
                if let Event::Clock { suspect: s, .. } = e {
                    suspect = *s;
                }
                let body = postcard::to_stdvec(e).expect("an event encodes");
                at = at.next(&Stored { boot: self.boot_no, mono_us: s.now.mono_us as i64, wall_us: s.now.wall_us, suspect, body: &body });
                let p = params![at.seq as i64, self.boot_no, s.now.mono_us as i64, s.now.wall_us, suspect, body];
                insert.execute(p)?;
                let ends = matches!(e, Event::JobMoved { to: crate::vocab::JobState::Completed | crate::vocab::JobState::Aborted, .. });
                if ends || at.seq - anchored >= ANCHOR_EVERY {
                    tx.prepare_cached(schema::ANCHOR)?.execute(params![at.seq as i64, at.hash])?;
                    anchored = at.seq;
                }
            }
        }
        drop(insert);
        upsert(&tx, batch)?;
        for (pack, intent) in &ahead {
            tx.prepare_cached(schema::MARK)?.execute(params![pack.0, *intent as i64])?;
        }
        tx.prepare_cached(schema::HEAD)?.execute(params![at.seq as i64, at.hash])?;
        tx.commit()?;
        (self.at, self.anchored, self.suspect) = (at, anchored, suspect);
        for (pack, intent) in ahead {
            let s = self.marks.get_mut(&pack).expect("made by marks_ahead");
            (s.intent, s.upto) = (intent, intent);
            self.write_mark(pack)?;
        }
        for pack in accepted {
            // From its first day a pack has a mark: an older copy that does not know the pack is recognised by it.
            self.marks.entry(pack).or_insert(MarkState { turn: 0, upto: 0, intent: 0 });
            self.write_mark(pack)?;
        }
        self.testify().map_err(CommitError::Mark)?;
        Ok(self.at.seq)
    }

    fn testify(&mut self) -> std::io::Result<()> {
        if self.witness.is_none() {
            let Some(first) = self.pack_ids.values().next().filter(|id| marks::path(&self.dir, id).exists()) else { return Ok(()) };
            self.witness = Some(File::options().write(true).open(marks::path(&self.dir, first))?);
        }
        let file = self.witness.as_ref().expect("just opened");
        marks::testify(file, self.store, self.generation, self.at.seq)
    }

    /// Makes sure that every code about to be *sent* lies below its pack's mark on disk, and tells which marks should
    /// move on with this commit, so that a later one need not wait.
    fn marks_ahead(&mut self, batch: &[Submission]) -> Result<Vec<(PackNo, u64)>, CommitError> {
        // How far each pack is sent by this batch, and how many codes of it that is.
        let mut need: BTreeMap<PackNo, (u64, u64)> = BTreeMap::new();
        for e in batch.iter().flat_map(|s| &s.events) {
            if let Event::Sent { codes, .. } = e {
                for c in codes {
                    let n = need.entry(c.pack).or_default();
                    *n = (n.0.max(u64::from(c.ordinal) + 1), n.1 + 1);
                }
            }
        }
        let mut ahead = Vec::new();
        for (pack, (n, sent)) in need {
            let s = self.marks.entry(pack).or_insert(MarkState { turn: 0, upto: 0, intent: 0 });
            // Several batches ahead, so that a fast line seldom waits for a mark.
            let step = u64::from(marks::STEP).max(8 * sent);
            let target = n + step;
            if n > s.upto {
                (s.intent, s.upto) = (target, target);
                self.conn.execute(schema::MARK, params![pack.0, target as i64])?;
                self.write_mark(pack)?;
            } else if s.upto - n < step / 2 {
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
}

fn random() -> [u8; 32] {
    let mut b = [0; 32];
    let f = std::fs::File::open("/dev/urandom").expect("the system has randomness");
    std::io::Read::read_exact(&mut &f, &mut b).expect("the system has randomness");
    b
}
