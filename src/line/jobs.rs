//! A job's life: create, start (or a plain sentence per missing thing), hold, resume, and how it is asked to end
//! (`ending.rs` ends it).

use super::input::{Answer, Effect, NewPack, Op};
use super::law::Law;
use super::live::{Line, Pending};
use crate::vocab::event::Event;
use crate::vocab::plan::{CodeSource, Device, PrinterTraits, Role, Traits};
use crate::vocab::{DeviceNo, JobNo, JobState, Order, PackMl, ParentNo};

/// The event that creates a job, or why it may not be. `known_by` ends the sentence "product X is not …".
#[allow(clippy::too_many_arguments)]
pub fn new_job(
    book: &super::Book,
    products: &[String],
    known_by: &str,
    id: &str,
    product: &str,
    lot: &str,
    target: Option<u32>,
    expiry: Option<String>,
) -> Result<Event, Answer> {
    let fit = |s: &str| !s.is_empty() && s.len() <= 64 && s.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !fit(id) {
        return Err(Answer::refused("bad-id", format!("a job id has 1 to 64 of A-Z a-z 0-9 . _ -, not “{id}”"), "choose another id"));
    }
    if book.jobs.values().any(|j| j.id == id) {
        return Err(Answer::refused("job-exists", format!("job {id} exists already"), "choose another id, or start that one"));
    }
    if !products.iter().any(|p| p == product) {
        let act = match products {
            [] => "give --config with a file that names it".to_string(),
            _ => format!(
                "use one of: {}",
                products.iter().collect::<std::collections::BTreeSet<_>>().into_iter().cloned().collect::<Vec<_>>().join(", ")
            ),
        };
        return Err(Answer::refused("unknown-product", format!("product {product} is not {known_by}"), act));
    }
    if lot.is_empty() || lot.len() > 64 {
        return Err(Answer::refused("bad-lot", "a lot has 1 to 64 characters", "give the lot that is printed on the goods"));
    }
    if let Some(e) = expiry.as_deref().filter(|e| !crate::vocab::time::is_date(e)) {
        return Err(Answer::refused("bad-expiry", format!("“{e}” is no date"), "give the expiry as 2027-01-31"));
    }
    let job = JobNo(book.jobs.keys().next_back().map_or(1, |j| j.0 + 1));
    Ok(Event::JobCreated { job, id: id.into(), product: product.into(), lot: lot.into(), target, expiry })
}

/// The good answer to an import.
pub fn accepted(pack: &NewPack) -> Answer {
    let sha = match &pack.origin {
        crate::vocab::event::Origin::Segments { sha256 } | crate::vocab::event::Origin::Related { sha256, .. } => {
            crate::vocab::code::hex(sha256)
        }
        crate::vocab::event::Origin::Range(_) => String::new(),
    };
    Answer::ok().with("pack", &pack.id).with("count", pack.count).with("sha256", sha)
}

/// An answer as it is kept for a repeated key.
pub fn keep(answer: &Answer) -> String {
    serde_json::to_string(answer).expect("an answer encodes")
}

/// The first answer to a key, as it was kept.
pub fn first_answer(kept: &str) -> Answer {
    serde_json::from_str(kept).unwrap_or_else(|_| Answer::refused("internal", "the first answer is unreadable", "ask again without a key"))
}

impl<L: Law> Line<L> {
    pub(super) fn command(&mut self, id: u64, key: Option<String>, op: Op) {
        let to = Pending { id, key };
        if self.answer_again(&to) {
            return;
        }
        let answer = match op {
            Op::JobCreate { id, product, lot, target, expiry } => self.create(id, product, lot, target, expiry),
            Op::JobStart { id } => self.start(&id),
            Op::JobHold { id } => self.operator_hold(&id),
            Op::JobResume { id } => self.resume(&id),
            Op::JobComplete { id, void_open } => match self.complete(&id, void_open) {
                Ok(()) => return self.begin_ending(to, JobState::Completed),
                Err(answer) => answer,
            },
            Op::JobAbort { id } => match self.running_job(&id) {
                Ok(_) => return self.begin_ending(to, JobState::Aborted),
                Err(answer) => answer,
            },
            Op::StationClear { station } => self.clear_station(&station),
            Op::StationRetract { station } => self.retract(&station),
            Op::HornOff => self.horn_off(),
            Op::ClockTrust => self.trust_clock(),
            Op::SetupPrint { device, text } => return self.setup_print(to, &device, text.as_deref()),
            Op::PackWithdraw(w) => self.withdraw_pack(&w),
        };
        self.reply(&to, answer);
    }

    /// A repeated key gets the first answer.
    fn answer_again(&mut self, to: &Pending) -> bool {
        let Some(text) = to.key.as_ref().and_then(|k| self.book.answers.get(k)) else { return false };
        let answer = first_answer(text);
        self.out.after.push(Effect::Reply { id: to.id, answer });
        true
    }

    pub(super) fn pack_ready(&mut self, id: u64, key: Option<String>, pack: NewPack, more: Vec<(String, String)>) {
        let to = Pending { id, key };
        if self.answer_again(&to) {
            return;
        }
        let answer = accepted(&pack);
        pack.events().into_iter().for_each(|e| self.emit(e));
        if !pack.used {
            self.lower(&format!("pool-empty:{}", pack.level));
        }
        self.packs_reviewed = None;
        self.reply(&to, more.into_iter().fold(answer, |answer, (name, value)| answer.with(&name, value)));
    }

    fn create(&mut self, id: String, product: String, lot: String, target: Option<u32>, expiry: Option<String>) -> Answer {
        let products: Vec<String> = self.plan.products.iter().map(|p| p.id.clone()).collect();
        match new_job(&self.book, &products, "in the configuration", &id, &product, &lot, target, expiry) {
            Ok(_) if !self.lot_refused(&lot).is_empty() => {
                return Answer::refused("bad-lot", self.lot_refused(&lot).join("\n"), "give a lot that every label printer can print");
            }
            Ok(event) => self.emit(event),
            Err(answer) => return answer,
        }
        Answer::ok().with("job", id)
    }

    fn start(&mut self, id: &str) -> Answer {
        let Some(job) = self.book.jobs.values().find(|j| j.id == id).cloned() else {
            return Answer::refused("unknown-job", format!("there is no job {id}"), "create it first (job create)");
        };
        if let Some(current) = self.book.current_job() {
            let what = if current.id == id {
                "is on the line already".to_string()
            } else {
                format!("cannot start while {} is on the line", current.id)
            };
            return Answer::refused("line-busy", format!("job {id} {what}"), "complete or abort the one on the line, or resume it");
        }
        if job.state != JobState::Created {
            return Answer::refused("job-over", format!("job {id} is {}", job.state), "create a new job");
        }
        let mut missing = self.missing_to_start(&job.product);
        // A job that was made without the configuration.
        missing.extend(self.lot_refused(&job.lot));
        if !missing.is_empty() {
            return Answer::refused("not-ready", missing.join("\n"), "mend each point, then start again");
        }
        self.emit(Event::JobMoved { job: job.no, to: JobState::Running });
        self.release_gates();
        self.move_line(PackMl::Starting, None);
        self.setup_over(None);
        self.arm_printers();
        Answer::ok().with("job", id)
    }

    /// One plain sentence per label printer that cannot print this lot.
    fn lot_refused(&self, lot: &str) -> Vec<String> {
        let refused = |d: &Device| match &d.traits {
            Traits::Printer(PrinterTraits { labels: Some(l), .. }) => {
                let why = l.text.refuses(lot.as_bytes())?;
                Some(format!("printer {} cannot print lot {lot}: {why}", d.id))
            }
            _ => None,
        };
        self.plan.devices.iter().filter_map(refused).collect()
    }

    /// One plain sentence per thing that is missing.
    pub(super) fn missing_to_start(&self, product: &str) -> Vec<String> {
        let mut missing = Vec::new();
        for d in &self.plan.devices {
            if !self.devices[&d.no].up {
                let why = self.devices[&d.no].trouble.clone().unwrap_or_else(|| "never connected".into());
                missing.push(format!("device {} is not connected ({why}): check its power, cable and address", d.id));
            }
        }
        if !self.counters_seen && self.plan.stations.iter().any(|s| s.trigger.is_some()) {
            missing.push("the I/O module has not been read yet: wait a moment".into());
        }
        for l in &self.plan.levels {
            let left: u64 = self.pool_left(&l.name, product);
            if left == 0 && self.plan.stations.iter().any(|s| s.level == l.no) {
                missing.push(match l.codes {
                    CodeSource::Generated => {
                        format!("no {} numbers are left: give the level another range in the configuration, then restart", l.name)
                    }
                    _ => format!("no {} codes are left for product {product}: import a pack for this level and product", l.name),
                });
            }
        }
        missing.extend(self.stuck_gates());
        for (no, r) in &self.book.stations {
            if r.out_of_step
                && let Some(s) = self.plan.stations.iter().find(|s| s.no == *no)
            {
                missing.push(format!("station {} is out of step: empty its parent, then packmark station clear {}", s.id, s.id));
            }
        }
        missing
    }

    fn operator_hold(&mut self, id: &str) -> Answer {
        if let Err(a) = self.running_job(id) {
            return a;
        }
        self.auto_resume = false;
        self.hold("operator");
        Answer::ok().with("job", id)
    }

    fn resume(&mut self, id: &str) -> Answer {
        if let Err(a) = self.running_job(id) {
            return a;
        }
        if self.running() {
            return Answer::ok().with("job", id);
        }
        let mut missing: Vec<String> = Vec::new();
        for d in self.plan.devices.iter().filter(|d| !self.devices[&d.no].up) {
            missing.push(format!("device {} is not connected: check its power, cable and address", d.id));
        }
        for s in self.plan.stations.iter().filter(|s| self.book.stations.get(&s.no).is_some_and(|r| r.out_of_step)) {
            missing.push(format!("station {} is out of step: empty its parent, then packmark station clear {}", s.id, s.id));
        }
        missing.extend(self.stuck_gates());
        if !missing.is_empty() {
            return Answer::refused("not-ready", missing.join("\n"), "mend each point, then resume");
        }
        self.begin_resume();
        Answer::ok().with("job", id)
    }

    pub(super) fn begin_resume(&mut self) {
        let Some(job) = self.book.current_job().map(|j| (j.no, j.state)) else { return };
        if job.1 == JobState::Held {
            self.emit(Event::JobMoved { job: job.0, to: JobState::Running });
        }
        let stale: Vec<String> = self
            .book
            .line
            .alarms
            .iter()
            .filter(|a| {
                ["code-unprintable:", "consecutive-rejects:", "label-unread:", "encoder-lost:", "io-overwritten:"]
                    .iter()
                    .any(|n| a.starts_with(n))
            })
            .cloned()
            .collect();
        stale.iter().for_each(|a| self.lower(a));
        self.forgive_rejects();
        self.release_gates();
        self.close_full_ones();
        self.move_line(PackMl::Unholding, None);
        self.arm_printers();
    }

    /// Printers that are not armed get what they need for this job.
    pub(super) fn arm_printers(&mut self) {
        let Some(job) = self.book.current_job().cloned() else { return };
        let mut seen: Vec<DeviceNo> = Vec::new();
        for s in self.plan.clone().stations.iter().filter(|s| s.role == Role::Print) {
            let Some(device) = s.device.filter(|d| !seen.contains(d)) else { continue };
            seen.push(device);
            if self.devices[&device].ready {
                continue;
            }
            let fields = s.fields.iter().map(|(k, v)| (k.clone(), v.replace("{lot}", &job.lot))).collect();
            self.order_now(device, Order::Arm { message: s.message.clone(), fields });
        }
    }

    /// Starting and Unholding end when everything is ready and every printer holds its first code.
    pub(super) fn starting_due(&mut self) {
        if self.auto_resume && self.book.line.state == PackMl::Held && self.counters_seen && self.devices.values().all(|d| d.up) {
            self.auto_resume = false;
            self.begin_resume();
        }
        if !matches!(self.book.line.state, PackMl::Starting | PackMl::Unholding | PackMl::Suspended) || self.ending.is_some() {
            return;
        }
        // A printer that no station prints with is never armed, and not waited for.
        let idle = |no: &DeviceNo| !self.plan.stations.iter().any(|s| s.role == Role::Print && s.device == Some(*no));
        let up = self.devices.iter().all(|(no, d)| d.up && (d.ready || idle(no))) && self.counters_seen;
        let fed = self.item_printers.iter().all(|p| {
            let w = &self.windows[&p.device];
            // What was left in a printer may be gone: one that repeats itself needs a code of which it is known, unless it
            // may have no room for one before the belt moves.
            let enough = if p.repeats { p.most_ghosts().max(1) } else { 1 };
            !w.clearing && (w.taken > 0 || w.ghosts.len() >= enough) && !self.runs_dry(p.device)
        });
        if up && fed {
            self.move_line(PackMl::Execute, None);
        }
    }

    /// An outer cause (a printer gone): permit off until it is back, then on again by itself.
    pub(super) fn suspend(&mut self, reason: &str) {
        if self.running() {
            self.move_line(PackMl::Suspended, Some(reason));
        }
    }

    fn running_job(&self, id: &str) -> Result<JobNo, Answer> {
        match self.book.current_job() {
            Some(j) if j.id == id && j.state != JobState::Completing => Ok(j.no),
            Some(j) if j.id == id => Err(Answer::refused("completing", format!("job {id} is completing"), "wait for it")),
            Some(j) => Err(Answer::refused("other-job", format!("job {} is on the line, not {id}", j.id), "name the job on the line")),
            None => match self.book.jobs.values().find(|j| j.id == id) {
                Some(j) => Err(Answer::refused("not-running", format!("job {id} is {}", j.state), "start it first")),
                None => Err(Answer::refused("unknown-job", format!("there is no job {id}"), "create it first (job create)")),
            },
        }
    }

    fn complete(&mut self, id: &str, void_open: bool) -> Result<(), Answer> {
        self.running_job(id)?;
        let open: Vec<String> = self.live_parents().iter().map(|p| self.name_parent(*p)).collect();
        if !open.is_empty() && !void_open {
            return Err(Answer::refused(
                "parent-open",
                format!("not finished: {}", open.join(", ")),
                "fill and seal them, or complete with --open void (their numbers become void, their children stay verified)",
            ));
        }
        Ok(())
    }

    pub(super) fn live_parents(&self) -> Vec<ParentNo> {
        self.book.live_parents().collect()
    }

    fn name_parent(&self, no: ParentNo) -> String {
        let p = &self.book.parents[&no];
        let l = self.plan.level(p.level);
        format!("{} {} ({} of {}, {})", l.name, no.0, p.children.len(), l.holds, p.state)
    }

    /// Someone says that the physical parent of this station is empty.
    fn clear_station(&mut self, id: &str) -> Answer {
        let Some(s) = self.plan.clone().stations.iter().find(|s| s.id == id).cloned() else {
            let known: Vec<String> = self.plan.stations.iter().map(|s| s.id.clone()).collect();
            return Answer::refused("unknown-station", format!("there is no station {id}"), format!("use one of: {}", known.join(", ")));
        };
        if s.role != Role::Pack {
            return Answer::refused(
                "not-a-pack-station",
                format!("station {id} packs nothing"),
                "name the station whose parent was emptied",
            );
        }
        if let Some(parent) = self.open_parent(s.no) {
            self.undo(parent, false, None);
        }
        self.settle_before(s.no);
        self.emit(Event::StationCleared { station: s.no });
        self.lower(&format!("out-of-step:{id}"));
        if self.book.line.state == PackMl::Held
            && self.book.line.reason.as_deref() == Some("out-of-step")
            && self.book.line.alarms.iter().all(|a| !a.starts_with("out-of-step:"))
        {
            self.auto_resume = self.plan.resume_after_crash;
        }
        Answer::ok().with("station", id)
    }

    /// Somebody has looked at the clock: what it says from now on is believed.
    fn trust_clock(&mut self) -> Answer {
        if self.book.line.clock_suspect {
            self.emit(Event::Clock { step_ms: 0, suspect: false });
        }
        self.lower("clock-suspect");
        Answer::ok()
    }

    fn forgive_rejects(&mut self) {
        for s in self.plan.clone().stations.iter() {
            if self.book.stations.get(&s.no).is_some_and(|r| r.rejects_in_row > 0) {
                self.emit(Event::Forgiven { station: s.no });
            }
        }
    }
}
