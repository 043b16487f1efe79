//! What the outside sees: the newest picture of the line whose events are on disk.
//!
//! A picture is taken after every decision that has events, and shown when its ticket is committed; what is not an event
//! (ages, the writer, the disk) is put in when it is shown.
//!
//! Invariants: an answer is never given before the picture that shows it; pictures waiting are bounded by what the
//! writer admits, and thinned out while a commit takes long.

use crate::control::protocol as public;
use crate::ledger::Codebook;
use crate::line::summary::Summary;
use crate::line::{Book, Line};
use crate::vocab::plan::Language;
use crate::vocab::time::rfc3339;
use crate::vocab::{DeviceNo, Event, ItemState, JobNo, LevelNo, Now, ParentState, Plan, code};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// Pictures kept one by one while a commit is under way; later ones replace each other.
const EACH: usize = 32;

struct Picture {
    ticket: u64,
    summary: Summary,
    packed: u64,
    /// Somebody's answer waits for this ticket: it must not be thinned out.
    answers: bool,
}

/// How the writer stands now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauge {
    pub queue: u64,
    pub oldest_ms: u64,
}

pub struct Board {
    codebook: Codebook,
    store: PathBuf,
    waiting: VecDeque<Picture>,
    shown: Option<Picture>,
    packed: Packed,
    disk_free: u64,
    seq: u64,
    /// How the suppliers stand; not of the book, as devices are not.
    pub supply: Vec<public::Supply>,
    /// Whether readers hand on GS, as far as is known.
    pub gs: BTreeMap<DeviceNo, &'static str>,
    public: watch::Sender<Arc<public::Status>>,
}

impl Board {
    pub fn new(codebook: Codebook, store: PathBuf, line: &Line, public: watch::Sender<Arc<public::Status>>) -> Self {
        let packed = Packed::count(line.plan(), line.book());
        let mut board = Self {
            codebook,
            store,
            waiting: VecDeque::new(),
            shown: None,
            packed,
            disk_free: 0,
            seq: 0,
            supply: Vec::new(),
            gs: BTreeMap::new(),
            public,
        };
        board.measure_disk();
        board
    }

    /// A decision with events was taken; its picture waits for its ticket.
    pub fn decided(&mut self, ticket: u64, events: &[Event], line: &Line, answers: bool) {
        self.packed.follow(events, line.plan(), line.book());
        if self.waiting.len() >= EACH && self.waiting.back().is_some_and(|p| !p.answers) {
            self.waiting.pop_back();
        }
        self.waiting.push_back(Picture { ticket, summary: line.summary(), packed: self.packed.count, answers });
    }

    /// Everything up to `ticket` is on disk, as events up to `seq`.
    pub fn committed(&mut self, ticket: u64, seq: u64) {
        self.seq = seq;
        let n = self.waiting.iter().take_while(|p| p.ticket <= ticket).count();
        if let Some(newest) = self.waiting.drain(..n).next_back() {
            self.shown = Some(newest);
        }
    }

    /// Nothing waits for the disk: the line as it stands is the line as committed.
    pub fn refresh(&mut self, line: &Line) {
        if self.waiting.is_empty() {
            self.shown = Some(Picture { ticket: 0, summary: line.summary(), packed: self.packed.count, answers: false });
        }
    }

    /// The room left on the store's disk.
    pub fn measure_disk(&mut self) {
        if let Ok(v) = rustix::fs::statvfs(&self.store) {
            self.disk_free = v.f_bavail.saturating_mul(v.f_frsize);
        }
    }

    /// Puts the picture up for everybody to read.
    pub fn show(&self, plan: &Plan, gauge: Gauge, now: Now) {
        if let Some(p) = &self.shown {
            self.public.send_replace(Arc::new(self.status(p, plan, gauge, now)));
        }
    }

    fn status(&self, p: &Picture, plan: &Plan, gauge: Gauge, now: Now) -> public::Status {
        let s = &p.summary;
        let age_ms = |at_us: u64| now.mono_us.saturating_sub(at_us) / 1000;
        let rejected = |c: &crate::line::rows::Counts| c.rejected.iter().map(|(r, n)| (r.word().to_string(), *n)).collect();
        let open_now: u64 = s.stations.iter().filter(|x| x.headline && x.triggered).map(|x| x.open).sum();
        public::Status {
            state: public::State { packml: s.state.number(), name: s.state.word().into(), reason: s.reason.clone() },
            job: s.job.as_ref().map(|j| public::Job {
                id: j.id.clone(),
                product: j.product.clone(),
                product_name: plan.products.iter().find(|x| x.id == j.product).map(|x| x.name.clone()),
                lot: j.lot.clone(),
                target: j.target,
                state: j.state.word().into(),
            }),
            counts: s.job.as_ref().map_or_else(public::Counts::default, |j| public::Counts {
                passages: j.counts.decided() + open_now,
                verified: j.counts.verified,
                packed: p.packed,
                rejected: rejected(&j.counts),
                escaped: j.counts.escaped,
                doubtful: j.doubtful,
            }),
            stations: s
                .stations
                .iter()
                .map(|x| public::Station {
                    id: x.id.clone(),
                    passages: x.counts.decided() + x.open,
                    verified: x.counts.verified,
                    rejected: rejected(&x.counts),
                    escaped: x.counts.escaped,
                    open: x.open,
                })
                .collect(),
            devices: s
                .devices
                .iter()
                .map(|d| public::Device {
                    id: d.id.clone(),
                    profile: d.profile.clone(),
                    link: d.link.into(),
                    age_ms: age_ms(d.heard_us),
                    last_kind: (d.heard_us > 0).then(|| d.last_kind.into()),
                    trouble: d.trouble.clone(),
                    gs: plan.devices.iter().find(|x| x.id == d.id).and_then(|x| self.gs.get(&x.no)).map(|word| (*word).into()),
                    stations: plan
                        .stations
                        .iter()
                        .filter(|s| s.device.is_some_and(|x| plan.device(x).id == d.id))
                        .map(|s| s.id.clone())
                        .collect(),
                })
                .collect(),
            open: s.open.iter().map(|o| self.open(o)).collect(),
            pool: s.pool.iter().map(|l| public::Pool { level: l.level.clone(), codes: l.codes, minutes: l.minutes }).collect(),
            writer: public::Writer { queue: gauge.queue, oldest_ms: gauge.oldest_ms },
            disk_free: self.disk_free,
            alarms: s.alarms.iter().map(|(name, since)| public::AlarmOn { name: name.clone(), since: rfc3339(*since) }).collect(),
            supply: self.supply.clone(),
            last: s.last.as_ref().map(|l| public::Last {
                station: plan.station(l.station).id.clone(),
                good: l.good,
                reason: l.reason.map(|r| r.word().into()),
                tail: l.code.and_then(|c| self.codebook.bytes(c)).map(|b| code::tail(&b)),
                age_ms: age_ms(l.at_us),
            }),
            speed_per_min: s.speed_per_min,
            clock: if s.clock_suspect { "suspect" } else { "ok" }.into(),
            seq: self.seq,
            name: Some(plan.name.clone()),
            language: Some(if plan.language == Language::Chinese { "zh" } else { "en" }.into()),
            now: Some(rfc3339(now.wall_us)),
        }
    }

    fn open(&self, o: &crate::line::summary::OpenLine) -> public::Open {
        let bytes = o.code.and_then(|c| self.codebook.bytes(c));
        public::Open {
            level: o.level.clone(),
            id: o.id.0,
            hex: bytes.as_deref().map(code::hex),
            text: bytes.as_deref().and_then(code::printable).map(Into::into),
            fill: o.fill,
            holds: o.holds,
            state: o.state.word().into(),
        }
    }
}

/// Things of the lowest verified level that the job has in sealed parents, kept along with the events: counting them in
/// the book for every picture would cost more with every hour.
#[derive(Clone, Debug, Default)]
struct Packed {
    job: Option<JobNo>,
    count: u64,
}

impl Packed {
    fn count(plan: &Plan, book: &Book) -> Self {
        let job = book.line.job;
        let level = headline(plan, book).map(|l| plan.level(l).name.as_str());
        let mine = |p: &crate::line::rows::PackRow| Some(p.level.as_str()) == level;
        let count = book
            .codes
            .iter()
            .filter(|(_, l)| l.state == ItemState::Packed && Some(l.job) == job)
            .filter(|(c, _)| book.packs.get(&c.pack).is_some_and(mine))
            .count() as u64;
        Self { job, count }
    }

    fn follow(&mut self, events: &[Event], plan: &Plan, book: &Book) {
        if book.line.job != self.job {
            *self = Self::count(plan, book);
            return;
        }
        let holds = headline(plan, book).and_then(|l| plan.parent_level(l)).map(|l| l.no);
        for e in events {
            match e {
                Event::Sealed { parent, .. } => {
                    let p = book.parents.get(parent).filter(|p| Some(p.level) == holds && p.state == ParentState::Sealed);
                    self.count += p.map_or(0, |p| p.children.len() as u64);
                }
                // Seldom, and what left the parent is not told: counted anew.
                Event::Undone { broken: true, .. } => {
                    *self = Self::count(plan, book);
                    return;
                }
                _ => {}
            }
        }
    }
}

/// The level whose passages count for the job.
fn headline(plan: &Plan, book: &Book) -> Option<LevelNo> {
    plan.stations.iter().find(|s| book.line.headline.contains(&s.no)).map(|s| s.level)
}
