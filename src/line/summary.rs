//! What the outside may know of the line: a snapshot, published when the events behind it are on disk.

use super::law::Law;
use super::live::Line;
use super::rows::{Counts, JobRow};
use crate::vocab::{CodeRef, PackMl, ParentNo, Reason, StationNo};

#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub state: PackMl,
    pub reason: Option<String>,
    /// This or the last job.
    pub job: Option<JobRow>,
    pub stations: Vec<StationLine>,
    pub devices: Vec<DeviceLine>,
    pub open: Vec<OpenLine>,
    pub pool: Vec<PoolLine>,
    /// Name and wall time (µs) since which it stands.
    pub alarms: Vec<(String, i64)>,
    pub last: Option<LastVerdict>,
    pub speed_per_min: u32,
    pub clock_suspect: bool,
    pub mono_us: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StationLine {
    pub id: String,
    pub counts: Counts,
    pub open: u64,
    pub triggered: bool,
    pub headline: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DeviceLine {
    pub id: String,
    pub profile: String,
    pub link: &'static str,
    pub heard_us: u64,
    pub last_kind: &'static str,
    pub trouble: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OpenLine {
    pub level: String,
    pub id: ParentNo,
    pub code: Option<CodeRef>,
    pub fill: u32,
    pub holds: u32,
    pub state: crate::vocab::ParentState,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PoolLine {
    pub level: String,
    pub codes: u64,
    pub minutes: Option<u64>,
}

/// The newest verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct LastVerdict {
    pub station: StationNo,
    pub good: bool,
    pub reason: Option<Reason>,
    pub code: Option<CodeRef>,
    pub at_us: u64,
}

impl<L: Law> Line<L> {
    pub fn summary(&self) -> Summary {
        let job = self.book.line.job.and_then(|j| self.book.jobs.get(&j)).cloned();
        let speed = self.speed_per_min();
        let product =
            job.as_ref().map(|j| j.product.clone()).or_else(|| self.plan.products.first().map(|p| p.id.clone())).unwrap_or_default();
        Summary {
            state: self.book.line.state,
            reason: self.book.line.reason.clone(),
            stations: self
                .plan
                .stations
                .iter()
                .filter(|s| self.lanes.contains_key(&s.no))
                .map(|s| StationLine {
                    id: s.id.clone(),
                    counts: self.book.stations.get(&s.no).map(|r| r.counts.clone()).unwrap_or_default(),
                    open: self.lanes[&s.no].undecided(),
                    triggered: self.lanes[&s.no].triggered,
                    headline: self.book.line.headline.contains(&s.no),
                })
                .collect(),
            devices: self
                .plan
                .devices
                .iter()
                .map(|d| {
                    let live = &self.devices[&d.no];
                    let link = if live.up { "up" } else { "down" };
                    DeviceLine {
                        id: d.id.clone(),
                        profile: d.profile.clone(),
                        link,
                        heard_us: live.heard_us,
                        last_kind: live.last_kind,
                        trouble: live.trouble.clone(),
                    }
                })
                .collect(),
            open: self
                .book
                .live_parents()
                .map(|no| {
                    let p = &self.book.parents[&no];
                    let level = self.plan.levels.iter().find(|l| l.no == p.level);
                    OpenLine {
                        level: level.map(|l| l.name.clone()).unwrap_or_default(),
                        id: no,
                        code: p.code,
                        fill: p.children.len() as u32,
                        holds: level.map_or(0, |l| l.holds),
                        state: p.state,
                    }
                })
                .collect(),
            pool: self
                .plan
                .levels
                .iter()
                .enumerate()
                .map(|(i, l)| {
                    let codes = self.pool_left(&l.name, &product);
                    let each: u64 = self.plan.levels[1..=i].iter().map(|l| u64::from(l.holds)).product();
                    let minutes = (speed > 0).then(|| codes.saturating_mul(each.max(1)) / u64::from(speed));
                    PoolLine { level: l.name.clone(), codes, minutes }
                })
                .collect(),
            alarms: self.book.line.alarms.iter().map(|a| (a.clone(), self.alarm_since.get(a).copied().unwrap_or(0))).collect(),
            last: self.last_verdict.clone(),
            speed_per_min: speed,
            clock_suspect: self.book.line.clock_suspect,
            mono_us: self.now.mono_us,
            job,
        }
    }

    /// Verdicts at the headline stations over the last ten seconds.
    pub(super) fn speed_per_min(&self) -> u32 {
        let since = self.now.mono_us.saturating_sub(10_000_000);
        let recent: Vec<u64> = self.verdict_times.iter().copied().filter(|t| *t >= since).collect();
        match (recent.first(), recent.last()) {
            (Some(a), Some(b)) if b > a => ((recent.len() as u64 - 1) * 60_000_000 / (b - a)) as u32,
            _ => 0,
        }
    }
}
