//! Imports beside a running line: read, checked and written by a thread of low priority, one at a time, in the order in
//! which they were asked for.
//!
//! Invariants: the number of a pack is chosen when its turn comes and the one before is in the book, so no two share it;
//! a pack is in the codebook before the line accepts it, and only after its files stand; a key that waits here answers
//! nothing else meanwhile.

use super::requests::Import;
use crate::intake::Fault;
use crate::ledger::Codebook;
use crate::ledger::import::{self, ImportError};
use crate::ledger::tokens;
use crate::line::rows::OrderRow;
use crate::line::{Answer, Book, NewPack};
use crate::upstream::delivery_token;
use crate::vocab::{OrderNo, PackNo, Plan};
use std::collections::VecDeque;
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
    /// The open order whose delivery it is, told by the file's name.
    pub order: Option<OrderNo>,
    pub outcome: Result<NewPack, Answer>,
}

pub struct Imports {
    waiting: VecDeque<(Asker, Import)>,
    running: Option<Asker>,
    codebook: Codebook,
    done: mpsc::Sender<Imported>,
}

impl Imports {
    pub fn new(codebook: Codebook, done: mpsc::Sender<Imported>) -> Self {
        Self { waiting: VecDeque::new(), running: None, codebook, done }
    }

    /// Is a request with this key under way?
    pub fn holds_key(&self, key: &str) -> bool {
        self.running.iter().chain(self.waiting.iter().map(|(a, _)| a)).any(|a| a.key.as_deref() == Some(key))
    }

    /// Takes an import in; a refusal when it can be seen at once that it would not do.
    pub fn ask(&mut self, asker: Asker, wish: Import, plan: &Plan) -> Result<(), Answer> {
        if let Some(answer) = import::unknown_to(plan, &wish.how.level, &wish.how.product, wish.how.used) {
            return Err(answer);
        }
        if self.waiting.len() >= WAITING {
            return Err(Answer::refused("busy", format!("{WAITING} imports wait already"), "send it again when one is done"));
        }
        self.waiting.push_back((asker, wish));
        Ok(())
    }

    /// Begins the next import if none runs. An import that is over before it began (its id is taken, or its key was
    /// answered meanwhile) comes back.
    pub fn next(&mut self, book: &Book) -> Option<(Asker, Turn)> {
        if self.running.is_some() {
            return None;
        }
        let (asker, mut wish) = self.waiting.pop_front()?;
        if asker.key.as_ref().is_some_and(|k| book.answers.contains_key(k)) {
            return Some((asker, Turn::AnswerAgain));
        }
        if let Some(Err(answer)) = wish.draw.as_ref().map(|d| tokens::check(book.packs.values(), d)) {
            return Some((asker, Turn::Refused(answer)));
        }
        wish.how.pace = Some(import::LINE);
        wish.how.no = PackNo(book.packs.keys().next_back().map_or(1, |p| p.0 + 1));
        wish.how.id = match import::pack_id(book, wish.pack.as_deref()) {
            Ok(id) => id,
            Err(e) => return Some((asker, Turn::Refused(refused(&e)))),
        };
        let order = delivery_of(book, &wish);
        let (codebook, done, who) = (self.codebook.clone(), self.done.clone(), asker.clone());
        let work = move || {
            // A worse share of the processor than the line's; where that is not allowed it is only slower to yield.
            let _ = rustix::process::setpriority_process(None, 10);
            let _ = done.blocking_send(Imported { asker: who, order, outcome: prepare(&codebook, &wish) });
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

/// The open order that a delivery is for: its one file is named by the order's token, and its codes are for the same
/// level and product. Whoever brings it: the supplier, an inbox, a person.
fn delivery_of(book: &Book, wish: &Import) -> Option<OrderNo> {
    let [file] = &wish.files[..] else { return None };
    let token = delivery_token(file)?;
    let mine = |o: &&OrderRow| o.end.is_none() && o.token == token && o.level == wish.how.level && o.product == wish.how.product;
    book.orders.values().find(mine).map(|o| o.no)
}

/// On the import's own thread: opening a large segment reads its index, which the line must not wait for.
fn prepare(codebook: &Codebook, wish: &Import) -> Result<NewPack, Answer> {
    let pack = match &wish.draw {
        Some(draw) => tokens::prepare(codebook, draw, &wish.how),
        None => import::prepare_files(codebook, &wish.files, &wish.how),
    };
    let pack = pack.map_err(|e| refused(&e))?;
    for row in pack.rows() {
        codebook.register(row).map_err(|e| Answer::refused("import-refused", e.to_string(), "check the disk, then import again"))?;
    }
    Ok(pack)
}

fn refused(e: &ImportError) -> Answer {
    let (code, act) = match e {
        ImportError::BadId(_) => ("bad-id", "choose another id, or leave it out"),
        ImportError::IdInUse(_) => ("pack-exists", "choose another id, or leave it out"),
        ImportError::Column(_) => ("bad-column", "write code=2, or code= and a header's name"),
        ImportError::Purpose => ("bad-purpose", "say it in a few words, or leave it out"),
        ImportError::Expiry(_) => ("bad-expiry", "write the date as 2027-01-31, or leave it out"),
        ImportError::Expired(_) => ("pack-expired", "ask for codes that may still be used"),
        ImportError::Delivery(Fault::Read { .. }) | ImportError::Empty => ("unreadable", "give the path of a readable file with codes"),
        ImportError::Delivery(Fault::Line { .. }) => ("bad-line", "mend the line, then import all files again"),
        ImportError::Delivery(Fault::Delivery { .. }) | ImportError::Shape(_) => {
            ("bad-delivery", "have the delivery mended, then import again")
        }
        ImportError::Write(_) => ("disk", "check the disk, then import again"),
        ImportError::Damaged(_) => ("damaged", "restore a backup, then import again"),
        ImportError::Duplicates(_) | ImportError::NothingNew(_) => {
            ("duplicates", "ask whoever made the codes: none of them may be used twice")
        }
        ImportError::OtherRule { .. } => ("other-rule", "import it into a store of its own"),
    };
    Answer::refused(code, e.to_string(), act)
}
