//! How verdicts are counted, per station and (at the headline stations) per job.
//!
//! Invariant: a passage counts once; a revised verdict leaves one count and enters another.

use super::Book;
use crate::line::rows::{Counts, StationRow};
use crate::vocab::event::Seen;
use crate::vocab::{Event, JobNo, Reason, StationNo};

impl Book {
    pub(super) fn station_row(&mut self, no: StationNo) -> &mut StationRow {
        self.dirty.stations.insert(no);
        self.stations.entry(no).or_default()
    }

    pub(super) fn job_counts(&mut self) -> Option<&mut Counts> {
        let no = self.line.job?;
        self.dirty.jobs.insert(no);
        self.jobs.get_mut(&no).map(|j| &mut j.counts)
    }

    pub(super) fn verdict(&mut self, event: &Event) {
        let Event::Verdict { station, passage, good, reason, seen, to, revises } = event else {
            return;
        };
        let headline = self.headline(*station);
        let row = self.station_row(*station);
        row.last_passage = row.last_passage.max(*passage);
        row.rejects_in_row = if *good { 0 } else { row.rejects_in_row + 1 };
        count(&mut row.counts, *good, *reason, *revises);
        if headline && let Some(c) = self.job_counts() {
            count(c, *good, *reason, *revises);
        }
        if let Some(Seen::Known(c)) = seen {
            if let Some(to) = to {
                let job = self.line.job.unwrap_or_default();
                let life = self.move_item(*c, *to);
                life.reason = if *good { None } else { *reason };
                if life.job == JobNo(0) {
                    life.job = job;
                }
            }
            let life = self.touch(*c);
            if !*revises {
                life.seen += 1;
            }
            if to.is_some() || *good {
                life.station = *station;
                life.passage = *passage;
            }
        }
    }

    pub(super) fn escape(&mut self, station: StationNo, was: Reason) {
        let headline = self.headline(station);
        let shift = |c: &mut Counts| {
            let n = c.rejected.get_mut(&was).expect("an escape was a reject");
            *n -= 1;
            if *n == 0 {
                c.rejected.remove(&was);
            }
            c.escaped += 1;
        };
        shift(&mut self.station_row(station).counts);
        if headline && let Some(c) = self.job_counts() {
            shift(c);
        }
    }

    /// Do this station's passages count for the job (the lowest level that is verified)?
    pub(super) fn headline(&self, station: StationNo) -> bool {
        self.line.headline.contains(&station)
    }
}

fn count(c: &mut Counts, good: bool, reason: Option<Reason>, revises: bool) {
    if revises {
        c.verified -= 1;
    }
    if good {
        c.verified += 1;
    } else {
        *c.rejected.entry(reason.expect("a reject has a reason")).or_default() += 1;
    }
}
