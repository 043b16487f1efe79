//! Row images → tables, inside the writer's transaction.

use super::core::Submission;
use super::schema;
use crate::line::Row;
use crate::vocab::{CodeRef, JobNo, OrderNo, PackNo, ParentNo, StationNo};
use rusqlite::{Transaction, params};
use std::collections::HashMap;

/// What a row is the image of, where a later image takes its place.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Code(CodeRef),
    Pack(PackNo),
    Parent(ParentNo),
    Job(JobNo),
    Lease(JobNo, PackNo, u32),
    Station(StationNo),
    Queue(StationNo),
    Line,
    Order(OrderNo),
}

fn key(row: &Row) -> Option<Key> {
    match row {
        Row::Code(c, _) => Some(Key::Code(*c)),
        Row::Pack(p) => Some(Key::Pack(p.no)),
        Row::Parent(no, _) => Some(Key::Parent(*no)),
        Row::Job(j) => Some(Key::Job(j.no)),
        Row::Lease(l) => Some(Key::Lease(l.job, l.pack, l.from)),
        Row::Station(no, _) => Some(Key::Station(*no)),
        Row::Queue(no, _) => Some(Key::Queue(*no)),
        Row::Line(_) => Some(Key::Line),
        Row::Order(o) => Some(Key::Order(o.no)),
        Row::Name { .. } | Row::Answer { .. } | Row::Forget { .. } => None,
    }
}

/// The last image of every key, once.
pub fn upsert(tx: &Transaction<'_>, batch: &[Submission]) -> rusqlite::Result<()> {
    let all: Vec<(&Row, i64)> = batch.iter().flat_map(|s| s.rows.iter().map(|r| (r, s.now.wall_us))).collect();
    let last: HashMap<Key, usize> = all.iter().enumerate().filter_map(|(i, (r, _))| Some((key(r)?, i))).collect();
    let mut code = tx.prepare_cached(schema::CODE)?;
    for (i, (row, at_us)) in all.iter().enumerate() {
        if key(row).is_some_and(|k| last[&k] != i) {
            continue;
        }
        match row {
            Row::Code(c, l) => {
                let reason = l.reason.map(|r| r.number());
                let p = params![c.id(), l.state.number(), reason, l.through, l.seen, l.parent.0, l.job.0, l.station.0, l.passage.0 as i64];
                code.execute(p)?;
            }
            Row::Name { kind, no, name } => drop(tx.prepare_cached(schema::NAME)?.execute(params![*kind as u8, no, name])?),
            Row::Pack(p) => {
                let origin = postcard::to_stdvec(&p.origin).expect("an origin encodes");
                let (to, why) = p.withdrawn.as_ref().map(|w| (w.to.number(), &w.reason)).unzip();
                let drawn = p.drawn.as_ref().map(|r| postcard::to_stdvec(r).expect("a rule encodes"));
                let p = params![p.no.0, p.id, p.level, p.product, p.count, origin, p.next, p.purpose, p.expiry, p.used, to, why, drawn];
                tx.prepare_cached(schema::PACK)?.execute(p)?;
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
            Row::Order(o) => {
                tx.prepare_cached(schema::ORDER)?.execute(params![o.no.0, postcard::to_stdvec(o).expect("an order encodes")])?;
            }
            Row::Forget { key } => drop(tx.prepare_cached(schema::FORGET)?.execute([key])?),
            Row::Answer { key, answer } => drop(tx.prepare_cached(schema::ANSWER)?.execute(params![key, answer, at_us])?),
        }
    }
    Ok(())
}
