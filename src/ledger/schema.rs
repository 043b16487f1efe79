//! The schema, as a list of migrations by `user_version`, and the hot statements by name.

use rusqlite::Connection;

/// One migration a version; never changed once released.
pub const MIGRATIONS: &[&str] = &["
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE boot(no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, wall_us INTEGER NOT NULL);
CREATE TABLE event(seq INTEGER PRIMARY KEY, boot INTEGER NOT NULL, mono_us INTEGER NOT NULL, wall_us INTEGER NOT NULL,
  suspect INTEGER NOT NULL CHECK(suspect IN (0,1)), body BLOB NOT NULL);
CREATE TABLE head(id INTEGER PRIMARY KEY CHECK(id=1), seq INTEGER NOT NULL, hash BLOB NOT NULL CHECK(length(hash)=32));
CREATE TABLE anchor(seq INTEGER PRIMARY KEY, hash BLOB NOT NULL CHECK(length(hash)=32));
CREATE TABLE name(kind INTEGER NOT NULL CHECK(kind BETWEEN 0 AND 2), no INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY(kind,no)) WITHOUT ROWID;
CREATE TABLE pack(no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, level TEXT NOT NULL, product TEXT NOT NULL,
  count INTEGER NOT NULL, origin BLOB NOT NULL, next INTEGER NOT NULL CHECK(next<=count));
CREATE TABLE mark(pack INTEGER PRIMARY KEY, intent INTEGER NOT NULL);
CREATE TABLE code(id INTEGER PRIMARY KEY, state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 12),
  reason INTEGER CHECK(reason BETWEEN 1 AND 14), through INTEGER NOT NULL CHECK(through IN (0,1)), seen INTEGER NOT NULL,
  parent INTEGER NOT NULL, job INTEGER NOT NULL, station INTEGER NOT NULL, passage INTEGER NOT NULL);
CREATE TABLE parent(no INTEGER PRIMARY KEY, level INTEGER NOT NULL, station INTEGER NOT NULL, job INTEGER NOT NULL,
  code INTEGER, state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 5), relabels INTEGER NOT NULL);
CREATE TABLE job(no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, product TEXT NOT NULL, lot TEXT NOT NULL, target INTEGER,
  expiry TEXT, state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 5), counts BLOB NOT NULL, doubtful INTEGER NOT NULL);
CREATE TABLE lease(job INTEGER NOT NULL, pack INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
  used INTEGER NOT NULL CHECK(used<=count), PRIMARY KEY(job,pack,first)) WITHOUT ROWID;
CREATE TABLE station(no INTEGER PRIMARY KEY, row BLOB NOT NULL);
CREATE TABLE queue(station INTEGER NOT NULL, pos INTEGER NOT NULL, code INTEGER NOT NULL, PRIMARY KEY(station,pos)) WITHOUT ROWID;
CREATE TABLE line(id INTEGER PRIMARY KEY CHECK(id=1), row BLOB NOT NULL);
CREATE TABLE answer(key TEXT PRIMARY KEY, answer TEXT NOT NULL, at_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX code_parent ON code(parent) WHERE parent>0;
CREATE INDEX parent_code ON parent(code) WHERE code IS NOT NULL;
", "
ALTER TABLE pack ADD COLUMN purpose TEXT;
", "
ALTER TABLE pack ADD COLUMN expiry TEXT;
ALTER TABLE pack ADD COLUMN used INTEGER NOT NULL DEFAULT 0 CHECK(used IN (0,1));
ALTER TABLE pack ADD COLUMN withdrawn INTEGER CHECK(withdrawn IN (11,12));
ALTER TABLE pack ADD COLUMN why TEXT;
ALTER TABLE pack ADD COLUMN drawn BLOB;
", "
CREATE TABLE supply_order(no INTEGER PRIMARY KEY, row BLOB NOT NULL);
"];

pub const VERSION: u32 = MIGRATIONS.len() as u32;

pub const EVENT: &str = "INSERT INTO event(seq,boot,mono_us,wall_us,suspect,body) VALUES(?1,?2,?3,?4,?5,?6)";
pub const HEAD: &str = "INSERT INTO head(id,seq,hash) VALUES(1,?1,?2) ON CONFLICT(id) DO UPDATE SET seq=?1, hash=?2";
pub const ANCHOR: &str = "INSERT INTO anchor(seq,hash) VALUES(?1,?2)";
pub const NAME: &str = "INSERT INTO name(kind,no,name) VALUES(?1,?2,?3)";
pub const PACK: &str = "INSERT INTO pack(no,id,level,product,count,origin,next,purpose,expiry,used,withdrawn,why,drawn)
  VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)
  ON CONFLICT(no) DO UPDATE SET count=?5,next=?7,purpose=?8,expiry=?9,used=?10,withdrawn=?11,why=?12,drawn=?13";
pub const ALL_PACKS: &str = "SELECT no,id,level,product,count,origin,next,purpose,expiry,used,withdrawn,why,drawn FROM pack ORDER BY no";
/// Of stores that are only read and were never brought up to this schema.
pub const ALL_PACKS_V1: &str = "SELECT no,id,level,product,count,origin,next,NULL,NULL,0,NULL,NULL,NULL FROM pack ORDER BY no";
pub const ALL_PACKS_V2: &str = "SELECT no,id,level,product,count,origin,next,purpose,NULL,0,NULL,NULL,NULL FROM pack ORDER BY no";
pub const MARK: &str = "INSERT INTO mark(pack,intent) VALUES(?1,?2) ON CONFLICT(pack) DO UPDATE SET intent=?2";
pub const CODE: &str = "INSERT INTO code(id,state,reason,through,seen,parent,job,station,passage) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)
  ON CONFLICT(id) DO UPDATE SET state=?2,reason=?3,through=?4,seen=?5,parent=?6,job=?7,station=?8,passage=?9";
pub const PARENT: &str = "INSERT INTO parent(no,level,station,job,code,state,relabels) VALUES(?1,?2,?3,?4,?5,?6,?7)
  ON CONFLICT(no) DO UPDATE SET code=?5,state=?6,relabels=?7";
pub const JOB: &str = "INSERT INTO job(no,id,product,lot,target,expiry,state,counts,doubtful) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)
  ON CONFLICT(no) DO UPDATE SET state=?7,counts=?8,doubtful=?9";
pub const LEASE: &str =
    "INSERT INTO lease(job,pack,first,count,used) VALUES(?1,?2,?3,?4,?5) ON CONFLICT(job,pack,first) DO UPDATE SET count=?4,used=?5";
pub const STATION: &str = "INSERT INTO station(no,row) VALUES(?1,?2) ON CONFLICT(no) DO UPDATE SET row=?2";
pub const QUEUE_CLEAR: &str = "DELETE FROM queue WHERE station=?1";
pub const QUEUE: &str = "INSERT INTO queue(station,pos,code) VALUES(?1,?2,?3)";
pub const LINE: &str = "INSERT INTO line(id,row) VALUES(1,?1) ON CONFLICT(id) DO UPDATE SET row=?1";
pub const ANSWER: &str = "INSERT INTO answer(key,answer,at_us) VALUES(?1,?2,?3) ON CONFLICT(key) DO NOTHING";
pub const ORDER: &str = "INSERT INTO supply_order(no,row) VALUES(?1,?2) ON CONFLICT(no) DO UPDATE SET row=?2";
/// A store that is only read may be older than the table.
pub const HAS_ORDERS: &str = "SELECT count(*) FROM sqlite_schema WHERE name='supply_order'";
pub const ALL_ORDERS: &str = "SELECT row FROM supply_order ORDER BY no";
pub const FORGET: &str = "DELETE FROM answer WHERE key=?1";
/// Keys answered before ?1 that are not among the newest ?2.
pub const STALE_ANSWERS: &str = "SELECT key FROM answer WHERE at_us<?1 ORDER BY at_us DESC, key LIMIT -1
  OFFSET max(0, ?2-(SELECT count(*) FROM answer WHERE at_us>=?1))";
pub const EVENTS_AFTER: &str = "SELECT seq,boot,mono_us,wall_us,suspect,body FROM event WHERE seq>?1 ORDER BY seq LIMIT ?2";
/// Events about packs, told by the number of their variant, the first byte.
pub const PACK_EVENTS_AFTER: &str = "SELECT seq,boot,mono_us,wall_us,suspect,body FROM event WHERE seq>?1
  AND substr(body,1,1) IN (x'03',x'06',x'07',x'24',x'25',x'26',x'27',x'28',x'29',x'2a',x'2b') ORDER BY seq LIMIT ?2";
pub const EVENTS_WITH_ANCHORS: &str = "SELECT e.seq,e.boot,e.mono_us,e.wall_us,e.suspect,e.body,a.hash
  FROM event e LEFT JOIN anchor a ON a.seq=e.seq WHERE e.seq>?1 ORDER BY e.seq LIMIT ?2";
pub const ALL_CODES: &str = "SELECT id,state,reason,through,seen,parent,job,station,passage FROM code";
pub const ALL_PARENTS: &str = "SELECT no,level,station,job,code,state,relabels FROM parent";
pub const ALL_JOBS: &str = "SELECT no,id,product,lot,target,expiry,state,counts,doubtful FROM job";
pub const CODES_AFTER: &str = "SELECT c.id,c.state,c.reason,c.through,c.seen,c.parent,c.job,c.station,c.passage,p.state,p.code
  FROM code c LEFT JOIN parent p ON p.no=c.parent AND c.parent>0 WHERE c.id>?1 ORDER BY c.id LIMIT ?2";
pub const CODE_BY_ID: &str = "SELECT id,state,reason,through,seen,parent,job,station,passage FROM code WHERE id=?1";
pub const PARENTS_AFTER: &str = "SELECT no,level,station,job,code,state,relabels FROM parent WHERE no>?1 ORDER BY no LIMIT ?2";
pub const PARENT_BY_NO: &str = "SELECT no,level,station,job,code,state,relabels FROM parent WHERE no=?1";
pub const PARENT_LEVEL: &str = "SELECT level,code FROM parent WHERE no=?1";
pub const PARENT_BY_CODE: &str = "SELECT max(no) FROM parent WHERE code=?1";
pub const CHILDREN: &str = "SELECT id FROM code WHERE parent=?1 AND parent>0 ORDER BY id";
pub const LEASED: &str = "SELECT count(*) FROM lease WHERE pack=?1 AND first<=?2 AND first+count>?2";
pub const STATES_OF_PACK: &str = "SELECT state,count(*) FROM code WHERE id BETWEEN ?1 AND ?2 GROUP BY state";
pub const JOB_NAMED: &str = "SELECT no,id,product,lot,target,expiry,state,counts,doubtful FROM job WHERE id=?1";
pub const CODES_OF_JOB: &str = "SELECT id>>32,state,count(*) FROM code WHERE job=?1 GROUP BY 1,2";
pub const UNUSED_OF_JOB: &str = "SELECT pack,sum(count-used) FROM lease WHERE job=?1 GROUP BY pack";
pub const PARENTS_OF_JOB: &str = "SELECT level,state,count(*) FROM parent WHERE job=?1 GROUP BY 1,2";
/// Codes of a pack that left the pool, of the first ?3, and rows beyond its count. Parameters: the first row id, the count.
pub const TOUCHED: &str = "SELECT count(*) FILTER (WHERE state>1 AND id<?1+?3), count(*) FILTER (WHERE id>=?1+?2)
  FROM code WHERE id BETWEEN ?1 AND ?1+4294967295";
/// Codes of a pack that are leased and not used.
pub const UNUSED: &str = "SELECT coalesce(sum(count-used),0) FROM lease WHERE pack=?1";
/// Rows of a pack in order.
pub const IDS_OF_PACK: &str = "SELECT id FROM code WHERE id BETWEEN ?1 AND ?1+4294967295 ORDER BY id";
pub const LAST_ANCHOR: &str = "SELECT seq,hash FROM anchor WHERE seq<=?1 ORDER BY seq DESC LIMIT 1";
pub const HEAD_NOW: &str = "SELECT seq,hash FROM head";
pub const META: &str = "SELECT value FROM meta WHERE key=?1";
pub const SET_META: &str = "INSERT INTO meta(key,value) VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=?2";

/// Durable at every commit; checkpoints are the writer's own business.
pub fn pragmas(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "wal_autocheckpoint", 4000)?;
    conn.pragma_update(None, "cache_size", -16384)?;
    conn.pragma_update(None, "cell_size_check", "ON")?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Brings an older (or new) store to this schema, one transaction a step.
pub fn migrate(conn: &mut Connection) -> rusqlite::Result<()> {
    let from: u32 = conn.pragma_query_value(None, "user_version", |r| r.get(0))?;
    for (i, sql) in MIGRATIONS.iter().enumerate().skip(from as usize) {
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", i as u32 + 1)?;
        tx.commit()?;
    }
    Ok(())
}
