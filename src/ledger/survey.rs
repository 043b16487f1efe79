//! Before a store is accepted: everything that could refuse it is looked at, and nothing is touched, not even a
//! `-wal` or `-shm` beside it.

use super::chain::Link;
use super::codebook::Codebook;
use super::core::OpenHow;
use super::error::OpenError;
use super::{load, marks, schema};
use crate::line::{Book, Row};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// What an accepted store holds.
#[derive(Default)]
pub struct Survey {
    pub rows: Vec<Row>,
    /// It is an older copy, and that is accepted.
    pub restored: bool,
}

impl Survey {
    /// The store's lock is held by the caller.
    pub fn of(dir: &Path, db: &Path, how: &OpenHow) -> Result<Self, OpenError> {
        let sql = |e| damaged_or(dir, e);
        let conn = quiet(db).map_err(sql)?;
        let version: u32 = conn.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(sql)?;
        if version > schema::VERSION {
            return Err(OpenError::Newer { dir: dir.into(), found: version, known: schema::VERSION });
        }
        if version == 0 {
            // Created, and cut off before its first transaction.
            return Ok(Self::default());
        }
        let damaged = |what: String| OpenError::Damaged { dir: dir.into(), what };
        let ok: String = conn.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).map_err(sql)?;
        if ok != "ok" {
            let found: Vec<&str> = ok.lines().filter(|l| !l.starts_with("***")).collect();
            return Err(damaged(found.join(", ")));
        }
        if meta(&conn, "production").map_err(sql)?.is_some() && how.hooks.is_some() {
            return Err(OpenError::HooksRefused { dir: dir.into() });
        }
        let Some(store) = meta(&conn, "store").map_err(sql)? else { return Ok(Self::default()) };
        let older = older_copy(&conn, dir, &store, how.accept_restored)?;
        if let (Some(what), false) = (&older, how.accept_restored) {
            return Err(OpenError::Restored { dir: dir.into(), what: what.clone() });
        }
        if let Some(seq) = broken_tail(&conn).map_err(sql)? {
            return Err(damaged(format!("event {seq} does not agree with the chain")));
        }
        let rows = load::rows(&conn).map_err(sql)?;
        let packs = rows.iter().filter_map(|r| if let Row::Pack(p) = r { Some(p.clone()) } else { None });
        Codebook::open(dir, fixed(Some(store)), fixed(meta(&conn, "hash-key").map_err(sql)?), packs)?;
        Ok(Self { rows, restored: older.is_some() })
    }
}

/// A connection that changes no file. Without a write-ahead log the database is read as immutable (the lock is held);
/// with one, its index is built in this process's memory (exclusive locking), and nothing is checkpointed at the end.
fn quiet(db: &Path) -> rusqlite::Result<Connection> {
    let mut wal = db.as_os_str().to_owned();
    wal.push("-wal");
    if std::fs::metadata(&wal).map_or(0, |m| m.len()) == 0 {
        return immutable(db);
    }
    let open = |exclusive: bool| {
        let c = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        c.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        if exclusive {
            c.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        }
        c.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok::<_, rusqlite::Error>(c)
    };
    match open(true) {
        // Somebody reads a snapshot just now: then the index beside the log is in use anyway.
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => open(false),
        other => other,
    }
}

/// Reads a database that nobody writes, without its write-ahead log.
pub fn immutable(db: &Path) -> rusqlite::Result<Connection> {
    let path: String =
        db.to_string_lossy().chars().map(|c| if "%?#".contains(c) { format!("%{:02x}", c as u32) } else { c.into() }).collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)
}

/// `user_version` stands at byte 60 of the file (SQLite file format 1.3.14): a newer store is refused before SQLite
/// or the lock touch anything.
pub fn refuse_newer(dir: &Path, db: &Path) -> Result<(), OpenError> {
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

pub fn damaged_or(dir: &Path, e: rusqlite::Error) -> OpenError {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnName, InvalidColumnType, Utf8Error};
    match (&e, e.sqlite_error_code()) {
        (InvalidColumnName(what), _) => OpenError::Damaged { dir: dir.into(), what: what.clone() },
        (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        | (IntegralValueOutOfRange(..) | InvalidColumnType(..) | FromSqlConversionFailure(..) | Utf8Error(..), _) => {
            OpenError::Damaged { dir: dir.into(), what: e.to_string() }
        }
        _ => OpenError::Sql { dir: dir.into(), source: e },
    }
}

pub fn meta(c: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    c.query_row(schema::META, [key], |r| r.get(0)).optional()
}

pub fn fixed<const N: usize>(v: Option<Vec<u8>>) -> [u8; N] {
    v.and_then(|v| v.try_into().ok()).unwrap_or([0; N])
}

/// The events after the last anchor, against it and the head: the first that does not agree.
fn broken_tail(c: &Connection) -> rusqlite::Result<Option<u64>> {
    let head = |r: &rusqlite::Row<'_>| Ok(Link { seq: r.get::<_, i64>(0)? as u64, hash: r.get(1)? });
    let end = c.query_row(schema::HEAD_NOW, [], head).optional()?.unwrap_or_default();
    let mut at = c.query_row(schema::LAST_ANCHOR, [end.seq as i64], head).optional()?.unwrap_or_default();
    let mut s = c.prepare(schema::EVENTS_WITH_ANCHORS)?;
    let mut rows = s.query([at.seq as i64, i64::MAX])?;
    while let Some(r) = rows.next()? {
        if !at.follow(r)? {
            return Ok(Some(at.seq + 1));
        }
    }
    Ok((at != end).then_some(at.seq.min(end.seq)))
}

/// The marks in the packs folder, by pack id.
fn marks_beside(dir: &Path) -> std::io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for e in std::fs::read_dir(dir.join("packs"))? {
        let path = e?.path();
        if let (Some("mark"), Some(id)) = (path.extension().and_then(|x| x.to_str()), path.file_stem().and_then(|s| s.to_str())) {
            found.insert(id.to_string(), path);
        }
    }
    Ok(found)
}

/// Of packs that an accepted older copy does not know: nothing was sent from them, their files go.
pub fn drop_unknown_marks(dir: &Path, book: &Book) -> std::io::Result<()> {
    let beside = marks_beside(dir)?;
    let unknown = beside.iter().filter(|(id, _)| !book.packs.values().any(|p| p.id == **id));
    unknown.into_iter().try_for_each(|(_, path)| std::fs::remove_file(path))
}

/// What shows that this ledger is older than its marks.
fn older_copy(c: &Connection, dir: &Path, store: &[u8], accepted: bool) -> Result<Option<String>, OpenError> {
    let sql = |e| damaged_or(dir, e);
    let unreadable = |path: &Path, e: std::io::Error| OpenError::Damaged { dir: dir.into(), what: format!("{}: {e}", path.display()) };
    let generation = u64::from_le_bytes(fixed(meta(c, "generation").map_err(sql)?));
    let mut intents: HashMap<u32, i64> = HashMap::new();
    let mut s = c.prepare("SELECT pack,intent FROM mark").map_err(sql)?;
    for row in s.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).map_err(sql)? {
        let (p, i) = row.map_err(sql)?;
        intents.insert(p, i);
    }
    let head: i64 = c.query_row("SELECT coalesce(max(seq),0) FROM head", [], |r| r.get(0)).map_err(sql)?;
    let packs: BTreeMap<String, u64> = {
        let of = |p: crate::line::rows::PackRow| (p.id, intents.get(&p.no.0).copied().unwrap_or(0) as u64);
        load::packs(c).map_err(sql)?.into_iter().map(of).collect()
    };
    let beside = marks_beside(dir).map_err(|e| unreadable(&dir.join("packs"), e))?;
    let mut older = None;
    for (id, path) in &beside {
        let Some(m) = marks::read(path).map_err(|e| unreadable(path, e))? else { continue };
        if m.store[..] != *store {
            return Err(OpenError::OtherStore { path: path.clone() });
        }
        let seen = marks::witness(path).unwrap_or(0);
        match packs.get(id) {
            None if m.upto > 0 && accepted => return Err(OpenError::UnknownPack { path: path.clone() }),
            None => older = Some(format!("it does not know pack {id}")),
            Some(_) if m.generation > generation => older = Some(format!("its generation is {generation}, the marks say {}", m.generation)),
            Some(intent) if m.upto > *intent => older = Some(format!("pack {id} was sent up to {}, it knows {intent}", m.upto)),
            Some(_) if seen > head as u64 => older = Some(format!("it ends with event {head}, event {seen} was written")),
            Some(_) => {}
        }
    }
    let gone = packs.iter().find(|(id, intent)| **intent > 0 && !beside.contains_key(*id));
    Ok(older.or_else(|| gone.map(|(id, _)| format!("the mark of pack {id} is gone"))))
}
