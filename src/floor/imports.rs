//! Imports beside a running line: read, checked and written by a thread of low priority, one at a time, in the order in
//! which they were asked for.
//!
//! Invariants: the number of a pack is chosen when its turn comes and the one before is in the book, so no two share it;
//! a pack is in the codebook before the line accepts it, and only after its files stand; a key that waits here answers
//! nothing else meanwhile.

use super::requests::Import;
use crate::ledger::{Codebook, import};
use crate::line::rows::PackRow;
use crate::line::{Answer, Book, NewPack};
use crate::vocab::plan::CodeSource;
use crate::vocab::{PackNo, Plan};
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
    pub outcome: Result<NewPack, String>,
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
    pub fn ask(&mut self, asker: Asker, import: Import, plan: &Plan) -> Result<(), Answer> {
        refuse_unknown(plan, &import)?;
        if self.waiting.len() >= WAITING {
            return Err(Answer::refused("busy", format!("{WAITING} imports wait already"), "send it again when one is done"));
        }
        self.waiting.push_back((asker, import));
        Ok(())
    }

    /// Begins the next import if none runs. An import that is over before it began (its id is taken, or its key was
    /// answered meanwhile) comes back.
    pub fn next(&mut self, book: &Book) -> Option<(Asker, Turn)> {
        if self.running.is_some() {
            return None;
        }
        let (asker, mut import) = self.waiting.pop_front()?;
        if asker.key.as_ref().is_some_and(|k| book.answers.contains_key(k)) {
            return Some((asker, Turn::AnswerAgain));
        }
        import.how.no = PackNo(book.packs.keys().next_back().map_or(1, |p| p.0 + 1));
        let taken = |id: &str| book.packs.values().any(|p| p.id == id);
        if import.how.id.is_empty() {
            let free = (import.how.no.0..).map(|n| format!("p{n}")).find(|id| !taken(id));
            import.how.id = free.expect("some number is free");
        } else if taken(&import.how.id) {
            let what = format!("there is a pack {} already; nothing was imported", import.how.id);
            return Some((asker, Turn::Refused(Answer::refused("pack-exists", what, "choose another id, or leave it out"))));
        }
        let (codebook, done, who) = (self.codebook.clone(), self.done.clone(), asker.clone());
        let work = move || {
            // A worse share of the processor than the line's; where that is not allowed it is only slower to yield.
            let _ = rustix::process::setpriority_process(None, 10);
            let _ = done.blocking_send(Imported { asker: who, outcome: prepare(&codebook, &import) });
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

/// On the import's own thread: opening a large segment reads its index, which the line must not wait for.
fn prepare(codebook: &Codebook, import: &Import) -> Result<NewPack, String> {
    let pack = import::prepare(codebook, &import.files, &import.how).map_err(|e| e.to_string())?;
    let row = PackRow {
        no: pack.no,
        id: pack.id.clone(),
        level: pack.level.clone(),
        product: pack.product.clone(),
        count: pack.count,
        origin: pack.origin.clone(),
        next: 0,
    };
    codebook.register(row).map_err(|e| e.to_string())?;
    Ok(pack)
}

fn refuse_unknown(plan: &Plan, import: &Import) -> Result<(), Answer> {
    let how = &import.how;
    let fit = |s: &str| s.len() <= 64 && s.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !fit(&how.id) {
        let what = format!("a pack's id has 1 to 64 of A-Z a-z 0-9 . _ -, not “{}”; nothing was imported", how.id);
        return Err(Answer::refused("bad-id", what, "choose another id, or leave it out"));
    }
    let Some(level) = plan.level_named(&how.level) else {
        let known: Vec<&str> = plan.levels.iter().map(|l| l.name.as_str()).collect();
        let what = format!("the configuration has no level {}; nothing was imported", how.level);
        return Err(Answer::refused("unknown-level", what, format!("use one of: {}", known.join(", "))));
    };
    if level.codes == CodeSource::Generated {
        let what = format!("{} codes are generated from a range; nothing was imported", level.name);
        let takes: Vec<&str> = plan.levels.iter().filter(|l| l.codes != CodeSource::Generated).map(|l| l.name.as_str()).collect();
        return Err(Answer::refused("generated-level", what, format!("import for one of: {}", takes.join(", "))));
    }
    if !plan.products.iter().any(|p| p.id == how.product) {
        let known: Vec<&str> = plan.products.iter().map(|p| p.id.as_str()).collect();
        let what = format!("the configuration has no product {}; nothing was imported", how.product);
        return Err(Answer::refused("unknown-product", what, format!("use one of: {}", known.join(", "))));
    }
    Ok(())
}
