//! Imports beside a running line: read, checked and written by a thread of low priority, one at a time, in the order in
//! which they were asked for.
//!
//! Invariants: the number of a pack is chosen when its turn comes and the one before is in the book, so no two share it;
//! a pack is in the codebook before the line accepts it, and only after its files stand; a key that waits here answers
//! nothing else meanwhile.

use super::requests::{self, Import, ReplyTo};
use crate::control::protocol::Refusal;
use crate::intake::{self, Aftercare, Fault, Terms};
use crate::ledger::Codebook;
use crate::ledger::import::{self, BytesPerSecond, ImportError, ImportHow, Names};
use crate::ledger::{relation, tokens};
use crate::line::rows::OrderRow;
use crate::line::{Answer, Book, NewPack};
use crate::upstream::delivery_token;
use crate::vocab::time::day_of;
use crate::vocab::{JobState, OrderNo, Plan};
use serde_json::{Map, Value};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Imports that may wait; one more is refused as busy.
const WAITING: usize = 16;

/// Who asked.
#[derive(Clone, Debug)]
pub struct Asker {
    pub id: u64,
    pub key: Option<String>,
}

/// The thread's news.
#[derive(Debug)]
pub struct Imported {
    pub asker: Asker,
    pub outcome: Result<Ready, Answer>,
}

/// A pack whose files stand.
#[derive(Debug)]
pub struct Ready {
    pub pack: NewPack,
    pub after: Aftercare,
    /// The open order whose delivery it is, told by the file's name.
    pub order: Option<OrderNo>,
}

pub struct Imports {
    waiting: VecDeque<(Asker, Import)>,
    running: Option<Asker>,
    codebook: Codebook,
    plan: Arc<Plan>,
    done: mpsc::Sender<Imported>,
    /// What is to be done when the answer to this request leaves.
    after: HashMap<u64, Aftercare>,
}

impl Imports {
    pub fn new(codebook: Codebook, plan: Arc<Plan>, done: mpsc::Sender<Imported>) -> Self {
        Self { waiting: VecDeque::new(), running: None, codebook, plan, done, after: HashMap::new() }
    }

    /// Is a request with this key under way?
    pub fn holds_key(&self, key: &str) -> bool {
        self.running.iter().chain(self.waiting.iter().map(|(a, _)| a)).any(|a| a.key.as_deref() == Some(key))
    }

    /// Takes an import in; a refusal when it can be seen at once that it would not do.
    pub fn ask(&mut self, asker: Asker, wish: Import) -> Result<(), Answer> {
        if let (Some(level), Some(product)) = (&wish.wish.level, &wish.wish.product) {
            let product = intake::product(&self.plan, product).map_or(product, |p| &p.id);
            if let Some(answer) = import::unknown_to(&self.plan, level, product, wish.wish.used) {
                return Err(answer);
            }
        }
        if self.waiting.len() >= WAITING {
            return Err(Answer::refused("busy", format!("{WAITING} imports wait already"), "send it again when one is done"));
        }
        self.waiting.push_back((asker, wish));
        Ok(())
    }

    /// Begins the next import if none runs. An import that is over before it began (its id is taken, or its key was
    /// answered meanwhile) comes back.
    pub fn next(&mut self, book: &Book, wall_us: i64) -> Option<(Asker, Turn)> {
        if self.running.is_some() {
            return None;
        }
        let (asker, wish) = self.waiting.pop_front()?;
        if asker.key.as_ref().is_some_and(|k| book.answers.contains_key(k)) {
            return Some((asker, Turn::AnswerAgain));
        }
        if let Some(Err(answer)) = wish.draw.as_ref().map(|d| tokens::check(book.packs.values(), d)) {
            return Some((asker, Turn::Refused(answer)));
        }
        let names = Names::of(book);
        if let Err(e) = names.choose(wish.wish.pack.as_deref()) {
            return Some((asker, Turn::Refused(refused(&e))));
        }
        let order = delivery_of(book, &wish).cloned();
        let runs = book.current_job().is_some_and(|j| j.state == JobState::Running);
        let pace = if runs { import::LINE } else { import::IDLE };
        let (codebook, plan, done, who) = (self.codebook.clone(), self.plan.clone(), self.done.clone(), asker.clone());
        let work = move || {
            // A worse share of the processor than the line's; where that is not allowed it is only slower to yield.
            let _ = rustix::process::setpriority_process(None, 10);
            let ready = prepare(&codebook, &plan, &names, &wish, (pace, wall_us));
            // An order is for codes of its level and product, whatever a file is named.
            let mine = |pack: &NewPack| order.filter(|o| o.level == pack.level && o.product == pack.product).map(|o| o.no);
            let outcome = ready.map(|(pack, after)| Ready { order: mine(&pack), pack, after });
            let _ = done.blocking_send(Imported { asker: who, outcome });
        };
        match std::thread::Builder::new().name("import".into()).spawn(work) {
            Ok(_) => {
                self.running = Some(asker);
                None
            }
            Err(e) => {
                let what = format!("the import could not begin ({e}); nothing was imported");
                Some((asker, Turn::Refused(Answer::refused("busy", what, "send it again in a moment"))))
            }
        }
    }

    /// Keeps what is to be done when the pack is on disk; what the answer says of it.
    pub fn keep(&mut self, id: u64, after: Aftercare) -> Vec<(String, String)> {
        let lies = if after.delete { Vec::new() } else { after.plaintext.iter().map(|p| p.display().to_string()).collect() };
        let more = [(requests::PLAINTEXT, lies), (requests::NOTES, after.notes.clone())];
        if after.delete {
            self.after.insert(id, after);
        }
        more.into_iter().filter(|m| !m.1.is_empty()).map(|(name, texts)| (name.into(), Value::from(texts).to_string())).collect()
    }

    /// An answer leaves: what it says is on disk. Files that are to be deleted now are, on a thread of its own.
    pub fn reply(&mut self, id: u64, to: ReplyTo, answer: Result<Map<String, Value>, Refusal>) {
        let (after, mut fields) = match (self.after.remove(&id), answer) {
            (Some(after), Ok(fields)) => (after, fields),
            (_, answer) => return drop(to.send(answer)),
        };
        let work = move || {
            let lie: Vec<String> = after.settle().iter().map(|p| p.display().to_string()).collect();
            if !lie.is_empty() {
                tracing::warn!(files = ?lie, "imported, and cannot be deleted: delete them by hand");
                fields.insert(requests::PLAINTEXT.into(), lie.into());
            }
            let _ = to.send(Ok(fields));
        };
        // Without a thread the asker hears that the daemon is gone, and asks again.
        if let Err(e) = std::thread::Builder::new().name("after import".into()).spawn(work) {
            tracing::warn!("the files of an import stay as they are ({e})");
        }
    }

    /// The running import has told its outcome.
    pub fn over(&mut self) {
        self.running = None;
    }
}

/// An import that ends when its turn comes.
#[derive(Debug)]
pub enum Turn {
    AnswerAgain,
    Refused(Answer),
}

/// The open order that a delivery may be for: its one file is named by the order's token. Whoever brings it: the supplier,
/// an inbox, a person.
fn delivery_of<'a>(book: &'a Book, wish: &Import) -> Option<&'a OrderRow> {
    let [file] = &wish.files[..] else { return None };
    let token = delivery_token(file)?;
    book.orders.values().find(|o| o.end.is_none() && o.token == token)
}

/// On the import's own thread: opening a large segment reads its index, which the line must not wait for.
fn prepare(
    codebook: &Codebook,
    plan: &Plan,
    names: &Names,
    wish: &Import,
    (pace, wall_us): (BytesPerSecond, i64),
) -> Result<(NewPack, Aftercare), Answer> {
    let no_good = |e: ImportError| refused(&e);
    let (pack, after) = match &wish.draw {
        Some(draw) => {
            let said = |v: &Option<String>| v.clone().unwrap_or_default();
            let (level, product) = (said(&wish.wish.level), said(&wish.wish.product));
            let (purpose, expiry, today) = (wish.wish.purpose.clone(), wish.wish.expiry.clone(), day_of(wall_us));
            let (pace, rule) = (Some(pace), Some(plan.codes.key));
            let id = names.choose(wish.wish.pack.as_deref()).map_err(no_good)?;
            let how = ImportHow { no: names.next, id, level, product, purpose, expiry, today, pace, rule, ..ImportHow::default() };
            (tokens::prepare(codebook, draw, &how).map_err(no_good)?, Aftercare::default())
        }
        None => {
            let terms = Terms { plan: Some(plan), wall_us };
            let mut delivery = intake::open(&wish.files, &wish.wish, &terms).map_err(|f| refused(&ImportError::Delivery(f)))?;
            if let Some(answer) = import::unknown_to(plan, &delivery.level, &delivery.product, delivery.used) {
                return Err(answer);
            }
            if let Some(answer) = unfit_rows(plan, &delivery) {
                return Err(answer);
            }
            let id = names.choose(delivery.pack.as_deref()).map_err(no_good)?;
            let how = ImportHow { pace: Some(pace), ..ImportHow::of(&delivery, Some(plan), names.next, id, wall_us) };
            let pack = import::prepare(codebook, &mut *delivery.rows, &how).map_err(no_good)?;
            let mut after = delivery.aftercare(plan.packs.delete_plaintext);
            after.notes.extend(pack.skipped.note());
            (pack, after)
        }
    };
    for row in pack.rows() {
        codebook.register(row).map_err(|e| Answer::refused("import-refused", e.to_string(), "check the disk, then import again"))?;
    }
    Ok((pack, after))
}

/// Rows of several levels that this line cannot pack as they say. Codes on the market already are packed nowhere.
fn unfit_rows(plan: &Plan, delivery: &intake::Delivery) -> Option<Answer> {
    if delivery.used { None } else { relation::unfit(plan, delivery.rows.columns(), &delivery.level) }
}

/// The refusal's stable word and what to do.
pub fn refused(e: &ImportError) -> Answer {
    let (code, act) = match e {
        ImportError::BadId(_) => ("bad-id", "choose another id, or leave it out"),
        ImportError::IdInUse(_) => ("pack-exists", "choose another id, or leave it out"),
        ImportError::Purpose => ("bad-purpose", "say it in a few words, or leave it out"),
        ImportError::Empty | ImportError::Delivery(Fault::Read { .. }) => ("unreadable", "give the path of a readable file with codes"),
        ImportError::Expiry(_) => ("bad-expiry", "write the date as 2027-01-31, or leave it out"),
        ImportError::Expired(_) => ("pack-expired", "ask for codes that may still be used"),
        ImportError::Shape(_) => ("bad-pack", "have the delivery mended, then import again"),
        ImportError::Write(_) => ("disk", "check the disk, then import again"),
        ImportError::Damaged(_) => ("damaged", "restore a backup, then import again"),
        ImportError::Delivery(Fault::Line { .. }) => ("bad-line", "mend the line, then import all files again"),
        ImportError::Delivery(Fault::Wish { do_next, .. }) => ("bad-option", do_next.as_str()),
        ImportError::Delivery(Fault::Delivery { do_next, .. }) => ("bad-pack", do_next.as_str()),
        ImportError::Duplicates(_) | ImportError::NothingNew(_) => {
            ("duplicates", "ask whoever made the codes: none of them may be used twice")
        }
        ImportError::OtherRule { .. } => ("other-rule", "import it into a store of its own"),
    };
    Answer::refused(code, e.to_string(), act)
}
