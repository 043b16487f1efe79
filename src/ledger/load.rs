//! Tables → `Row` images, for `Book::from_rows`.

use super::schema;
use crate::line::Row;
use crate::line::rows::{JobRow, Lease, Life, OrderRow, PackRow, ParentRow, Withdrawn};
use crate::vocab::event::NameKind;
use crate::vocab::{CodeRef, ItemState, JobNo, JobState, LevelNo, PackNo, ParentNo, ParentState, Passage, Reason, StationNo};
use rusqlite::{Connection, OptionalExtension, Result, Row as Sql};
use std::collections::BTreeMap;

/// A stored number or blob that means nothing: the file is damaged.
pub fn bad(what: &str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnName(format!("damaged {what}"))
}

pub fn rows(c: &Connection) -> Result<Vec<Row>> {
    let mut out = Vec::new();
    collect(c, "SELECT kind,no,name FROM name", &mut out, |r| {
        let kind = match r.get::<_, u8>(0)? {
            0 => NameKind::Level,
            1 => NameKind::Station,
            _ => NameKind::Device,
        };
        Ok(Row::Name { kind, no: r.get(1)?, name: r.get(2)? })
    })?;
    out.extend(packs(c)?.into_iter().map(Row::Pack));
    collect(c, schema::ALL_CODES, &mut out, |r| {
        let (code, life) = code(r)?;
        Ok(Row::Code(code, life))
    })?;
    collect(c, schema::ALL_PARENTS, &mut out, |r| {
        let (no, row) = parent(r)?;
        Ok(Row::Parent(no, row))
    })?;
    collect(c, schema::ALL_JOBS, &mut out, |r| Ok(Row::Job(job(r)?)))?;
    collect(c, "SELECT job,pack,first,count,used FROM lease", &mut out, |r| {
        Ok(Row::Lease(Lease { job: JobNo(r.get(0)?), pack: PackNo(r.get(1)?), from: r.get(2)?, count: r.get(3)?, used: r.get(4)? }))
    })?;
    collect(c, "SELECT no,row FROM station", &mut out, |r| {
        let row = postcard::from_bytes(&r.get::<_, Vec<u8>>(1)?).map_err(|_| bad("station"))?;
        Ok(Row::Station(StationNo(r.get(0)?), row))
    })?;
    let mut queues: BTreeMap<u8, Vec<CodeRef>> = BTreeMap::new();
    let mut q = c.prepare("SELECT station,code FROM queue ORDER BY station,pos")?;
    for row in q.query_map([], |r| Ok((r.get::<_, u8>(0)?, r.get::<_, i64>(1)?)))? {
        let (station, code) = row?;
        queues.entry(station).or_default().push(CodeRef::from_id(code));
    }
    out.extend(queues.into_iter().map(|(s, q)| Row::Queue(StationNo(s), q)));
    collect(c, "SELECT row FROM line", &mut out, |r| {
        Ok(Row::Line(postcard::from_bytes(&r.get::<_, Vec<u8>>(0)?).map_err(|_| bad("line"))?))
    })?;
    collect(c, "SELECT key,answer FROM answer", &mut out, |r| Ok(Row::Answer { key: r.get(0)?, answer: r.get(1)? }))?;
    out.extend(orders(c)?.into_iter().map(Row::Order));
    consistent(c)?;
    Ok(out)
}

pub fn orders(c: &Connection) -> Result<Vec<OrderRow>> {
    if c.query_row(schema::HAS_ORDERS, [], |r| r.get::<_, u32>(0))? == 0 {
        return Ok(Vec::new());
    }
    let mut s = c.prepare(schema::ALL_ORDERS)?;
    let rows = s.query_map([], |r| postcard::from_bytes(r.get_ref(0)?.as_blob()?).map_err(|_| bad("order")))?;
    rows.collect()
}

/// What rows say of each other must hold, or the file is damaged.
fn consistent(c: &Connection) -> Result<()> {
    for (what, sql) in [
        ("parent of a code", "SELECT 1 FROM code WHERE parent>0 AND parent NOT IN (SELECT no FROM parent) LIMIT 1"),
        ("pack of a code", "SELECT 1 FROM code WHERE id>>32 NOT IN (SELECT no FROM pack) LIMIT 1"),
        ("pack of a lease", "SELECT 1 FROM lease WHERE pack NOT IN (SELECT no FROM pack) OR job NOT IN (SELECT no FROM job) LIMIT 1"),
        ("names", "SELECT 1 FROM name n WHERE no>0 AND NOT EXISTS (SELECT 1 FROM name m WHERE m.kind=n.kind AND m.no=n.no-1) LIMIT 1"),
    ] {
        if c.query_row(sql, [], |_| Ok(())).optional()?.is_some() {
            return Err(bad(what));
        }
    }
    Ok(())
}

fn collect(c: &Connection, sql: &str, out: &mut Vec<Row>, f: impl Fn(&Sql<'_>) -> Result<Row>) -> Result<()> {
    let mut s = c.prepare(sql)?;
    for row in s.query_map([], |r| f(r))? {
        out.push(row?);
    }
    Ok(())
}

pub fn packs(c: &Connection) -> Result<Vec<PackRow>> {
    // A store that is only read may be older than the columns.
    let version: u32 = c.pragma_query_value(None, "user_version", |r| r.get(0))?;
    let mut s = c.prepare(match version {
        0 | 1 => schema::ALL_PACKS_V1,
        2 => schema::ALL_PACKS_V2,
        _ => schema::ALL_PACKS,
    })?;
    let rows = s.query_map([], |r| {
        Ok(PackRow {
            no: PackNo(r.get(0)?),
            id: r.get(1)?,
            level: r.get(2)?,
            product: r.get(3)?,
            count: r.get(4)?,
            origin: postcard::from_bytes(&r.get::<_, Vec<u8>>(5)?).map_err(|_| bad("pack"))?,
            next: r.get(6)?,
            purpose: r.get(7)?,
            expiry: r.get(8)?,
            used: r.get(9)?,
            withdrawn: match r.get::<_, Option<u8>>(10)? {
                None => None,
                Some(n) => {
                    let to = ItemState::from_number(n).ok_or_else(|| bad("withdrawn"))?;
                    Some(Withdrawn { to, reason: r.get::<_, Option<String>>(11)?.unwrap_or_default() })
                }
            },
            drawn: match r.get::<_, Option<Vec<u8>>>(12)? {
                None => None,
                Some(b) => Some(postcard::from_bytes(&b).map_err(|_| bad("drawn"))?),
            },
        })
    })?;
    rows.collect()
}

/// Columns: id,state,reason,through,seen,parent,job,station,passage.
pub fn code(r: &Sql<'_>) -> Result<(CodeRef, Life)> {
    let reason = match r.get::<_, Option<u8>>(2)? {
        Some(n) => Some(Reason::from_number(n).ok_or_else(|| bad("reason"))?),
        None => None,
    };
    let life = Life {
        state: ItemState::from_number(r.get(1)?).ok_or_else(|| bad("state"))?,
        reason,
        through: r.get(3)?,
        seen: r.get(4)?,
        parent: ParentNo(r.get(5)?),
        job: JobNo(r.get(6)?),
        station: StationNo(r.get(7)?),
        passage: Passage(r.get::<_, i64>(8)? as u64),
    };
    Ok((CodeRef::from_id(r.get(0)?), life))
}

/// Columns: no,level,station,job,code,state,relabels. The children are the codes that name it.
pub fn parent(r: &Sql<'_>) -> Result<(ParentNo, ParentRow)> {
    let row = ParentRow {
        level: LevelNo(r.get(1)?),
        station: StationNo(r.get(2)?),
        job: JobNo(r.get(3)?),
        code: r.get::<_, Option<i64>>(4)?.map(CodeRef::from_id),
        state: ParentState::from_number(r.get(5)?).ok_or_else(|| bad("parent state"))?,
        relabels: r.get(6)?,
        children: std::collections::BTreeSet::new(),
    };
    Ok((ParentNo(r.get(0)?), row))
}

/// Columns: no,id,product,lot,target,expiry,state,counts,doubtful.
pub fn job(r: &Sql<'_>) -> Result<JobRow> {
    Ok(JobRow {
        no: JobNo(r.get(0)?),
        id: r.get(1)?,
        product: r.get(2)?,
        lot: r.get(3)?,
        target: r.get(4)?,
        expiry: r.get(5)?,
        state: JobState::from_number(r.get(6)?).ok_or_else(|| bad("job state"))?,
        counts: postcard::from_bytes(&r.get::<_, Vec<u8>>(7)?).map_err(|_| bad("counts"))?,
        doubtful: r.get::<_, i64>(8)? as u64,
    })
}
