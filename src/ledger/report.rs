//! What became of a job, computed from the book: verdicts counted again from the events, codes and parents from the
//! rows. The counters that the tables keep are only compared with it.

use super::reader::{ReadError, Snapshot};
use super::{load, schema};
use crate::line::rows::{Counts, StationRow};
use crate::vocab::event::Event;
use crate::vocab::{ItemState, JobNo, LevelNo, PackNo, ParentState, Reason, StationNo};
use rusqlite::params;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Verdicts counted from the events alone.
#[derive(Default)]
struct Tally {
    job: Option<JobNo>,
    headline: Vec<StationNo>,
    jobs: BTreeMap<JobNo, Counts>,
    stations: BTreeMap<StationNo, Counts>,
    /// Verdicts on numbered passages, a revision not counted again.
    passages: BTreeMap<StationNo, u64>,
}

impl Tally {
    fn count(&mut self, event: &Event) {
        match event {
            Event::JobMoved { job, .. } => self.job = Some(*job),
            Event::Headline { stations } => self.headline.clone_from(stations),
            Event::Verdict { station, passage, good, reason, revises, .. } => {
                if passage.0 > 0 && !revises {
                    *self.passages.entry(*station).or_default() += 1;
                }
                self.each(*station, |c| {
                    c.verified -= u64::from(*revises);
                    match reason {
                        Some(r) if !*good => *c.rejected.entry(*r).or_default() += 1,
                        _ => c.verified += 1,
                    }
                });
            }
            Event::Escaped { station, was, .. } => self.each(*station, |c| {
                if let Some(n) = c.rejected.get_mut(was) {
                    *n -= 1;
                }
                c.rejected.retain(|_, n| *n > 0);
                c.escaped += 1;
            }),
            _ => {}
        }
    }

    fn each(&mut self, station: StationNo, f: impl Fn(&mut Counts)) {
        f(self.stations.entry(station).or_default());
        if let (true, Some(job)) = (self.headline.contains(&station), self.job) {
            f(self.jobs.entry(job).or_default());
        }
    }
}

impl Snapshot {
    /// Job, counts by reason, codes and parents by state, both balances. `None`: there is no such job.
    pub fn report(&mut self, id: &str) -> Result<Option<Value>, ReadError> {
        let Some(job) = self.job_named(id)? else { return Ok(None) };
        let mut tally = Tally::default();
        self.events(0, &mut |_, e| tally.count(e))?;
        let counts = tally.jobs.remove(&job.no).unwrap_or_default();
        let mut about = json!({"id": job.id, "product": job.product, "lot": job.lot, "state": job.state.word()});
        if let Some(t) = job.target {
            about["target"] = t.into();
        }
        if let Some(e) = &job.expiry {
            about["expiry"] = e.as_str().into();
        }
        let passages = self.passages_off(&tally)? + off(&counts, &job.counts);
        Ok(Some(json!({
            "job": about,
            "counts": {
                "passages": counts.decided(), "verified": counts.verified, "escaped": counts.escaped,
                "rejected": reasons(&counts.rejected), "doubtful": job.doubtful,
            },
            "codes": self.codes_of(job.no)?,
            "parents": self.parents_of(job.no)?,
            "balance": {"codes": self.codes_off()?, "passages": passages},
        })))
    }

    fn job_named(&self, id: &str) -> Result<Option<crate::line::rows::JobRow>, ReadError> {
        match self.statement(schema::JOB_NAMED)?.query_row([id], load::job) {
            Ok(j) => Ok(Some(j)),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Level → state → codes that belong to the job.
    fn codes_of(&self, job: JobNo) -> Result<Value, ReadError> {
        let mut levels: BTreeMap<String, BTreeMap<&'static str, u64>> = BTreeMap::new();
        let mut add = |pack: PackNo, state: ItemState, n: u64| {
            let level = self.speaker.packs.get(&pack).map_or("?", |p| p.level.as_str());
            if n > 0 {
                *levels.entry(level.into()).or_default().entry(state.word()).or_default() += n;
            }
        };
        let mut s = self.statement(schema::CODES_OF_JOB)?;
        let rows = s.query_map([job.0], |r| Ok((PackNo(r.get(0)?), r.get::<_, u8>(1)?, r.get::<_, i64>(2)?)))?;
        for row in rows {
            let (pack, state, n) = row?;
            let state = ItemState::from_number(state).ok_or_else(|| load::bad("state"))?;
            if !matches!(state, ItemState::Leased | ItemState::Pooled) {
                add(pack, state, n as u64);
            }
        }
        let mut s = self.statement(schema::UNUSED_OF_JOB)?;
        for row in s.query_map([job.0], |r| Ok((PackNo(r.get(0)?), r.get::<_, i64>(1)?)))? {
            let (pack, n) = row?;
            add(pack, ItemState::Leased, n as u64);
        }
        Ok(json!(levels))
    }

    /// Level → state → parents of the job.
    fn parents_of(&self, job: JobNo) -> Result<Value, ReadError> {
        let mut levels: BTreeMap<String, BTreeMap<&'static str, u64>> = BTreeMap::new();
        let mut s = self.statement(schema::PARENTS_OF_JOB)?;
        for row in s.query_map([job.0], |r| Ok((LevelNo(r.get(0)?), r.get::<_, u8>(1)?, r.get::<_, i64>(2)?)))? {
            let (level, state, n) = row?;
            let state = ParentState::from_number(state).ok_or_else(|| load::bad("parent state"))?;
            *levels.entry(self.speaker.level(level).into()).or_default().entry(state.word()).or_default() += n as u64;
        }
        Ok(json!(levels))
    }

    /// Codes too many or too few: rows beyond their pack, and, in a pack that is leased from, codes used without a row
    /// or with one they should not have.
    fn codes_off(&self) -> Result<u64, ReadError> {
        let mut off = 0;
        for p in self.speaker.packs.values() {
            let first = i64::from(p.no.0) << 32;
            // Codes of a closed pack that turn up get a row without ever having been leased.
            let upto = if p.is_closed() { i64::from(p.next) } else { i64::from(u32::MAX) };
            let (touched, beyond): (i64, i64) =
                self.statement(schema::TOUCHED)?.query_row(params![first, i64::from(p.count), upto], |r| Ok((r.get(0)?, r.get(1)?)))?;
            let unused: i64 = self.statement(schema::UNUSED)?.query_row([p.no.0], |r| r.get(0))?;
            let used = i64::from(p.next) - unused;
            off += beyond as u64 + if p.next > 0 { used.abs_diff(touched) } else { 0 };
        }
        Ok(off)
    }

    /// Passages numbered but not decided, and verdicts that the tables count otherwise.
    fn passages_off(&self, tally: &Tally) -> Result<u64, ReadError> {
        let mut sum = 0;
        let mut s = self.statement("SELECT no,row FROM station")?;
        for row in s.query_map([], |r| Ok((StationNo(r.get(0)?), r.get::<_, Vec<u8>>(1)?)))? {
            let (no, bytes) = row?;
            let row: StationRow = postcard::from_bytes(&bytes).map_err(|_| load::bad("station"))?;
            sum += row.last_passage.0.abs_diff(tally.passages.get(&no).copied().unwrap_or(0));
            sum += off(&row.counts, tally.stations.get(&no).unwrap_or(&Counts::default()));
        }
        Ok(sum)
    }
}

fn off(a: &Counts, b: &Counts) -> u64 {
    let one = |r: &Reason| a.rejected.get(r).copied().unwrap_or(0).abs_diff(b.rejected.get(r).copied().unwrap_or(0));
    a.verified.abs_diff(b.verified) + a.escaped.abs_diff(b.escaped) + Reason::ALL.iter().map(one).sum::<u64>()
}

fn reasons(counts: &BTreeMap<Reason, u64>) -> Map<String, Value> {
    counts.iter().map(|(r, n)| (r.word().to_string(), (*n).into())).collect()
}
