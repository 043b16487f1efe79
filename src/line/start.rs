//! Coming up: what the last boot left unknown is settled before anything moves.

use super::law::Law;
use super::live::Line;
use super::ranges;
use crate::vocab::event::{Event, NameKind, Seen};
use crate::vocab::plan::{PointKind, Polarity, Role, Station};
use crate::vocab::report::Poll;
use crate::vocab::{CodeRef, DeviceNo, Doubt, ItemState, JobState, LevelNo, PackMl, ParentState, Plan, Reason, StationNo};

/// Passages without a frame that a lost module may have counted; more is a disturbed counter, and unknown.
const MISSED_AT_ONCE: u32 = 1_000;

/// Gives a plan the numbers of a book; answers the names the book does not know yet.
pub fn number_plan(plan: &mut Plan, book: &super::Book) -> Vec<Event> {
    let mut names = book.names.clone();
    let mut fresh = Vec::new();
    let mut number = |kind: NameKind, name: &str| {
        let known = names.number(kind, name);
        known.unwrap_or_else(|| {
            let no = names.list(kind).len() as u8;
            match kind {
                NameKind::Level => names.levels.push(name.into()),
                NameKind::Station => names.stations.push(name.into()),
                NameKind::Device => names.devices.push(name.into()),
            }
            fresh.push(Event::Named { kind, no, name: name.into() });
            no
        })
    };
    let levels: Vec<u8> = plan.levels.iter().map(|l| number(NameKind::Level, &l.name)).collect();
    let stations: Vec<u8> = plan.stations.iter().map(|s| number(NameKind::Station, &s.id)).collect();
    let devices: Vec<u8> = plan.devices.iter().map(|d| number(NameKind::Device, &d.id)).collect();
    let (l, s, d): (Vec<String>, Vec<String>, Vec<String>) = (
        plan.levels.iter().map(|l| l.name.clone()).collect(),
        plan.stations.iter().map(|s| s.id.clone()).collect(),
        plan.devices.iter().map(|d| d.id.clone()).collect(),
    );
    let at = |names: &[String], nos: &[u8], name: &str| nos[names.iter().position(|n| n == name).expect("a name of this plan")];
    plan.renumber(|n| LevelNo(at(&l, &levels, n)), |n| StationNo(at(&s, &stations, n)), |n| DeviceNo(at(&d, &devices, n)));
    fresh
}

impl<L: Law> Line<L> {
    /// Names, ranges, doubts: one decision, before any device opens.
    pub(super) fn boot(&mut self, clean: bool, last_wall_us: Option<i64>, restored: Vec<CodeRef>) {
        self.booted = true;
        self.started_clean = clean;
        self.counters_seen = self.plan.stations.iter().all(|s| s.trigger.is_none());
        let mut plan = (*self.plan).clone();
        for e in number_plan(&mut plan, &self.book) {
            self.emit(e);
        }
        self.trusted_us = last_wall_us.unwrap_or(self.now.wall_us);
        let headline = self.headline_stations();
        if self.book.line.headline != headline {
            self.emit(Event::Headline { stations: headline });
        }
        if last_wall_us.is_some_and(|last| self.now.wall_us < last) {
            let step_ms = (self.now.wall_us - last_wall_us.unwrap_or(0)) / 1000;
            self.emit(Event::Clock { step_ms, suspect: true });
            self.raise("clock-suspect".into());
        }
        if !restored.is_empty() {
            let codes: Vec<CodeRef> = restored;
            self.emit(Event::Doubtful { device: None, codes, why: Doubt::Restored });
            self.raise("restored".into());
        }
        // After what an older copy does not know: those numbers count as issued. The shell has looked before whether
        // the ranges can be had; where they cannot, a level has none and says so at its job's start.
        ranges::changes(&self.plan, &self.book, &[]).unwrap_or_default().into_iter().for_each(|e| self.emit(e));
        let sent: Vec<CodeRef> = self.book.unsettled().filter(|c| self.book.state(*c) == ItemState::Sent).collect();
        if !sent.is_empty() {
            self.emit(Event::Doubtful { device: None, codes: sent, why: Doubt::Restart });
        }
        self.withdraw_short_of_gate();
        self.settle_state(clean);
        if self.counters_seen {
            self.emit(Event::Started { clean, missed: Vec::new() });
        }
        for (no, p) in self.book.live_parents().map(|no| (no, &self.book.parents[&no])) {
            if p.state == ParentState::Labelling {
                self.label_waits.insert(no, 0);
            }
        }
        // What the boot before knew of gates and horn went with it; what is still so is seen again.
        let gone = |a: &String| ["gate-stuck", "gate-retracted", "horn"].contains(&a.split(':').next().unwrap_or(a));
        let stale: Vec<String> = self.book.line.alarms.iter().filter(|a| gone(a)).cloned().collect();
        stale.iter().for_each(|a| self.lower(a));
        for name in self.book.line.alarms.clone() {
            self.alarm_since.insert(name, self.now.wall_us);
        }
        self.report_unused_packs();
        if self.book.current_job().is_some() {
            self.arm_printers();
        }
        self.flush_gates(None);
    }

    /// The lowest level that has a verify station.
    fn headline_stations(&self) -> Vec<StationNo> {
        let verifies = |l: LevelNo| {
            self.plan.stations.iter().filter(move |s| s.role == Role::Verify && s.level == l).map(|s| s.no).collect::<Vec<_>>()
        };
        self.plan.levels.iter().map(|l| verifies(l.no)).find(|v| !v.is_empty()).unwrap_or_default()
    }

    /// Verified, but its gate time did not go by under a living daemon: rejected, late.
    fn withdraw_short_of_gate(&mut self) {
        let short: Vec<CodeRef> = self.book.short_of_gate().collect();
        for code in short {
            let life = self.book.life(code);
            let gated = self.plan.stations.iter().find(|s| s.no == life.station).is_some_and(|s| s.gate.is_some());
            if gated {
                self.withdraw(life.station, life.passage, code, Reason::Late);
                self.mark_uncertain(life.station);
            } else {
                self.pass_through(life.station, code);
            }
        }
    }

    /// A thing may have gone on unseen towards a sequence station: its order is not known any more.
    pub(super) fn mark_uncertain(&mut self, station: StationNo) {
        if let Some(next) = self.sequence_after(station) {
            let plan = self.plan.clone();
            if let Some(s) = plan.stations.iter().find(|s| s.no == next)
                && self.book.current_job().is_some()
                && !self.book.stations.get(&next).is_some_and(|r| r.out_of_step)
            {
                self.lose_step(s);
            }
        }
    }

    fn settle_state(&mut self, clean: bool) {
        let Some(job) = self.book.current_job().map(|j| (j.no, j.state)) else {
            return self.move_line(PackMl::Idle, None);
        };
        if job.1 == JobState::Completing {
            // It ended in the middle of completing: held, so that somebody completes it again.
            self.emit(Event::JobMoved { job: job.0, to: JobState::Held });
        } else if job.1 == JobState::Running {
            self.emit(Event::JobMoved { job: job.0, to: JobState::Held });
            self.auto_resume = !clean && self.plan.resume_after_crash;
        }
        if self.book.line.alarms.iter().any(|a| a.starts_with("out-of-step:")) {
            self.auto_resume = false;
            self.move_line(PackMl::Held, Some("out-of-step"));
        } else {
            self.move_line(PackMl::Held, Some("restart"));
        }
    }

    /// Packs whose level or product the configuration does not know.
    fn report_unused_packs(&mut self) {
        let unused: Vec<String> = self
            .book
            .packs
            .values()
            .filter(|p| {
                !p.is_closed()
                    && (self.plan.level_named(&p.level).is_none()
                        || (p.product != "*" && !self.plan.products.iter().any(|x| x.id == p.product)))
            })
            .map(|p| p.id.clone())
            .collect();
        unused.into_iter().for_each(|id| self.raise(format!("pack-unused:{id}")));
    }

    /// The first poll of a boot, or after a lost module: what the counters did meanwhile.
    pub(super) fn baseline(&mut self, device: DeviceNo, poll: &Poll) {
        if self.counters_seen {
            return;
        }
        let plan = self.plan.clone();
        let mine: Vec<&Station> = plan.stations.iter().filter(|s| s.trigger.is_some_and(|t| t.device == device)).collect();
        let first = !self.book_started();
        let mut missed = Vec::new();
        for s in &mine {
            let t = s.trigger.expect("filtered");
            let value = poll.counters.iter().find(|c| t.kind == PointKind::Counter && c.0 == t.number).map(|c| c.1);
            let before = self.book.expected_counter(s.no);
            let by = match (before, value) {
                (Some(b), Some(v)) if v.wrapping_sub(b) <= u32::MAX / 2 => Some(v.wrapping_sub(b)),
                _ => None,
            };
            if !first {
                // The daemon lived: what went by while the module was silent are passages without a frame.
                for _ in 0..by.filter(|n| *n <= MISSED_AT_ONCE).unwrap_or(0) {
                    let no = self.lanes.get_mut(&s.no).expect("a triggered station has a lane").number();
                    if s.gather == Some(crate::vocab::plan::Gather::Sequence) {
                        self.sequence_edge(s, no);
                    } else {
                        self.reject(s.no, no, Reason::NoRead, None, None);
                    }
                }
            }
            if before.is_some() || by.is_some() {
                missed.push((s.no, by));
            }
            if let Some(v) = value {
                self.emit(Event::Counter { station: s.no, value: v });
            }
        }
        if first {
            for (station, by) in &missed {
                if *by != Some(0) {
                    self.missed_at(*station);
                }
            }
            let clean = self.started_clean;
            self.emit(Event::Started { clean, missed });
        }
        self.boot_counted = true;
        self.counters_seen = true;
        self.flush_gates(Some(device));
        self.starting_due();
    }

    fn book_started(&self) -> bool {
        self.boot_counted
    }

    /// Things went by a station while nobody looked.
    fn missed_at(&mut self, station: StationNo) {
        let plan = self.plan.clone();
        let s = plan.station(station);
        if s.gather == Some(crate::vocab::plan::Gather::Sequence) {
            // Whether anything was expected or not: something lies in a physical parent that the book holds for empty.
            if self.book.current_job().is_some() && !self.book.stations.get(&station).is_some_and(|r| r.out_of_step) {
                self.lose_step(s);
            }
        } else if s.gate.is_some_and(|g| g.polarity == Polarity::Reject) {
            self.mark_uncertain(station);
        }
    }

    /// The code a scan at a verify station withdraws is named with its passage.
    pub(super) fn note_verdict(&mut self, station: StationNo, good: bool, reason: Option<Reason>, seen: Option<&Seen>) {
        let code = match seen {
            Some(Seen::Known(c)) => Some(*c),
            _ => None,
        };
        self.last_verdict = Some(super::summary::LastVerdict { station, good, reason, code, at_us: self.now.mono_us });
        if self.book.line.headline.contains(&station) {
            self.verdict_times.push_back(self.now.mono_us);
            if self.verdict_times.len() > 64 {
                self.verdict_times.pop_front();
            }
        }
    }
}
