//! Work on a store that no daemon holds, under its lock: import of a pack, creation of a job. The same rules, events
//! and sentences as through a daemon; the line itself is not woken.

use super::core::{Core, OpenHow, Opened, Submission};
use super::error::{CommitError, OpenError};
use super::import::{self, ImportError, ImportHow, Names};
use super::relation;
use super::tokens::{self, Draw};
use crate::intake::Delivery;
use crate::line::rows::PackRow;
pub use crate::line::{Answer, Withdrawal};
use crate::line::{NewPack, jobs, packs};
use crate::vocab::event::Origin;
use crate::vocab::plan::{CodeSource, Plan};
use crate::vocab::time::day_of;
use crate::vocab::{Event, Now, PackNo};
use std::path::Path;

#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A rule of the business said no: what happened, what to do.
    #[error("{}", .0.message)]
    Refused(Box<Answer>),
}

/// A pack to draw.
#[derive(Clone, Debug)]
pub struct NewTokens {
    pub draw: Draw,
    pub level: String,
    pub product: String,
    pub id: Option<String>,
    pub purpose: Option<String>,
    pub expiry: Option<String>,
    pub key: Option<String>,
}

/// Draws a pack of tokens. A repeated key is answered as the first time.
pub fn generate(dir: &Path, how: &OpenHow, now: Now, new: &NewTokens, plan: Option<&Plan>) -> Result<Answer, OfflineError> {
    let refused = |r: Option<Answer>| r.map_or(Ok(()), |r| Err(OfflineError::Refused(Box::new(r))));
    refused(plan.and_then(|p| import::unknown(p, &new.level, &new.product)))?;
    let mut desk = Desk::open(dir, how, now)?;
    if let Some(first) = new.key.as_ref().and_then(|k| desk.opened.book.answers.get(k)) {
        return Ok(jobs::first_answer(first));
    }
    refused(tokens::check(desk.opened.book.packs.values(), &new.draw).err())?;
    let id = import::pack_id(&desk.opened.book, new.id.as_deref())?;
    let no = PackNo(desk.opened.book.packs.keys().next_back().map_or(1, |p| p.0 + 1));
    let (level, product) = (new.level.clone(), new.product.clone());
    let (purpose, expiry, today) = (new.purpose.clone(), new.expiry.clone(), day_of(now.wall_us));
    let import = ImportHow { no, id, level, product, purpose, expiry, today, ..ImportHow::default() };
    let pack = tokens::prepare(&desk.opened.codebook, &new.draw, &import)?;
    let answer = jobs::accepted(&pack);
    let answered = new.key.iter().map(|key| Event::Answered { key: key.clone(), answer: jobs::keep(&answer) });
    for e in pack.events().into_iter().chain(answered) {
        desk.submit(e);
    }
    desk.finish()?;
    Ok(answer)
}

/// Imports a delivery as a pack. With a plan, level and product must be known to it; without, they are recorded as given.
pub fn import(dir: &Path, how: &OpenHow, now: Now, parcel: &mut Delivery, plan: Option<&Plan>) -> Result<NewPack, OfflineError> {
    let refused = |r: Option<Answer>| r.map_or(Ok(()), |r| Err(OfflineError::Refused(Box::new(r))));
    let known = |p: &Plan| import::unknown_to(p, &parcel.level, &parcel.product, parcel.used);
    refused(plan.and_then(known))?;
    let rows = |p: &Plan| if parcel.used { None } else { relation::unfit(p, parcel.rows.columns(), &parcel.level) };
    refused(plan.and_then(rows))?;
    let mut desk = Desk::open(dir, how, now)?;
    let names = Names::of(&desk.opened.book);
    let (no, id) = (names.next, names.choose(parcel.pack.as_deref())?);
    // Numbers the line will make once it runs may not come in a file either.
    let ranges = plan.into_iter().flat_map(|p| &p.levels).filter_map(|l| Some((l, l.range.clone()?)));
    for (i, (level, rule)) in ranges.filter(|(l, _)| l.codes == CodeSource::Generated).enumerate() {
        let (no, id) = (PackNo(u32::MAX - i as u32), format!("range-{}", level.name));
        let (product, count) = ("*".to_string(), rule.count());
        let row = PackRow::new(no, id, level.name.clone(), product, count, Origin::Range(rule));
        desk.opened.codebook.register(row)?;
    }
    let import = ImportHow::of(parcel, plan, no, id, now.wall_us);
    let pack = import::prepare(&desk.opened.codebook, &mut *parcel.rows, &import)?;
    pack.events().into_iter().for_each(|e| desk.submit(e));
    desk.finish()?;
    Ok(pack)
}

/// A job to create.
#[derive(Clone, Debug, Default)]
pub struct NewJob {
    pub id: String,
    pub product: String,
    pub lot: String,
    pub target: Option<u32>,
    pub expiry: Option<String>,
    pub key: Option<String>,
}

/// Creates a job. Without a plan its product must be that of a pack in the store. A repeated key is answered as the
/// first time.
pub fn create_job(dir: &Path, how: &OpenHow, now: Now, job: &NewJob, plan: Option<&Plan>) -> Result<Answer, OfflineError> {
    let mut desk = Desk::open(dir, how, now)?;
    let book = &desk.opened.book;
    if let Some(first) = job.key.as_ref().and_then(|k| book.answers.get(k)) {
        return Ok(jobs::first_answer(first));
    }
    let products: Vec<String> = match plan {
        Some(p) => p.products.iter().map(|p| p.id.clone()).collect(),
        None => book.packs.values().map(|p| p.product.clone()).filter(|p| p != "*").collect(),
    };
    let known_by = if plan.is_some() { "in the configuration" } else { "the product of any pack here, and no --config was given" };
    let (events, answer) = match jobs::new_job(book, &products, known_by, &job.id, &job.product, &job.lot, job.target, job.expiry.clone()) {
        Ok(event) => (vec![event], Answer::ok().with("job", &job.id)),
        Err(answer) => (Vec::new(), answer),
    };
    let answered = job.key.iter().map(|key| Event::Answered { key: key.clone(), answer: jobs::keep(&answer) });
    for e in events.into_iter().chain(answered) {
        desk.submit(e);
    }
    desk.finish()?;
    Ok(answer)
}

/// Takes the unused codes of a pack out of the pool for ever. A repeated key is answered as the first time.
pub fn withdraw(dir: &Path, how: &OpenHow, now: Now, w: &Withdrawal, key: Option<&str>) -> Result<Answer, OfflineError> {
    let mut desk = Desk::open(dir, how, now)?;
    if let Some(first) = key.and_then(|k| desk.opened.book.answers.get(k)) {
        return Ok(jobs::first_answer(first));
    }
    let (events, answer) = match packs::withdraw(&desk.opened.book, w) {
        Ok(events) => {
            let answer = packs::withdrawn(w, &events);
            (events, answer)
        }
        Err(answer) => (Vec::new(), answer),
    };
    let answered = key.map(|key| Event::Answered { key: key.into(), answer: jobs::keep(&answer) });
    for e in events.into_iter().chain(answered) {
        desk.submit(e);
    }
    desk.finish()?;
    Ok(answer)
}

/// The store, open for one piece of work.
struct Desk {
    opened: Opened,
    now: Now,
    events: Vec<Event>,
}

impl Desk {
    fn open(dir: &Path, how: &OpenHow, now: Now) -> Result<Self, OfflineError> {
        Ok(Self { opened: Core::open(dir, how)?, now, events: Vec::new() })
    }

    fn submit(&mut self, event: Event) {
        self.opened.book.apply(&event);
        self.events.push(event);
    }

    /// Commits what was submitted, together, and closes the store in order.
    fn finish(mut self) -> Result<(), OfflineError> {
        if !self.events.is_empty() {
            let rows = self.opened.book.take_rows();
            self.opened.core.commit(&[Submission { now: self.now, events: self.events, rows }])?;
        }
        Ok(self.opened.core.close()?)
    }
}
