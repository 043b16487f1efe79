//! The suppliers of a line and the threads that ask for them.
//!
//! Each `[[supply]]` has a sans-IO supplier here, on the line's thread, and one thread that blocks on sockets and files.
//! The supplier's wishes come out as [`Doing`]s, which the owner carries out: events through the line, imports through
//! the ordinary queue.
//!
//! Invariants: a thread has at most one question and a tidying-up waiting, so handing over never blocks; an answer that
//! comes after its order ended is nobody's; tokens and codes are in no sentence.

use super::requests::Import;
use crate::control::protocol as public;
use crate::intake::Wish;
use crate::ledger::Codebook;
use crate::line::rows::OrderRow;
use crate::line::supply::{Ending, Supplied};
use crate::line::{Answer, Book};
use crate::upstream::supplier::{self, Input, Output, Terms};
use crate::upstream::{self, Spool, Supplier, Transport};
use crate::vocab::rng::Rng;
use crate::vocab::supply::{OrderOutcome, SupplyRule, Via, token_head};
use crate::vocab::time::rfc3339;
use crate::vocab::{Now, OrderNo, PackNo, Plan};
use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use tokio::sync::mpsc;

/// Work that may wait for a source's thread: a question, what to do with its answer, a tidying-up or two.
const WORK: usize = 8;
/// Bytes of a delivered line looked at when a refused delivery is compared.
const LONGEST_LINE: u64 = 64 * 1024;

/// What the owner is to do.
#[derive(Debug)]
pub enum Doing {
    Line(Supplied),
    /// The desk wants this imported; the owner tells it the number of the request.
    Import {
        desk: usize,
        wish: Box<Import>,
    },
}

/// News from a source's thread.
#[derive(Debug)]
pub struct Told {
    desk: usize,
    order: OrderNo,
    news: News,
}

#[derive(Debug)]
enum News {
    Answer(upstream::Answer),
    Delivered(PathBuf),
    /// The pack that holds every code of a refused delivery, if there is one.
    Whose(Option<PackNo>),
}

enum Work {
    Ask { order: OrderNo, token: String, count: u32, taken: bool },
    Whose { order: OrderNo, path: PathBuf },
    Discard { token: String, imported: bool },
}

struct Desk {
    rule: SupplyRule,
    supplier: Supplier,
    hand: SyncSender<Work>,
    /// The order on its way to the disk.
    recording: Option<OrderNo>,
    /// What came, until its order ends.
    delivery: Option<PathBuf>,
    /// The running request for its import, and why it was refused.
    import: Option<u64>,
    refusal: Option<String>,
}

pub struct Supplies {
    desks: Vec<Desk>,
    codebook: Codebook,
    boot: String,
    /// Something came in since there was last nothing to do.
    stirred: bool,
}

/// What the suppliers are built from.
pub struct Setting<'a> {
    pub plan: &'a Plan,
    pub book: &'a Book,
    pub store: &'a Path,
    pub codebook: &'a Codebook,
    pub boot: &'a str,
    pub seed: u64,
    /// An older copy of the ledger was put back.
    pub restored: bool,
    pub told: mpsc::Sender<Told>,
}

impl Supplies {
    /// A line that orders nothing.
    #[cfg(test)]
    pub fn none(codebook: Codebook) -> Self {
        Self { desks: Vec::new(), codebook, boot: String::new(), stirred: false }
    }

    /// Sweeps the spool, takes up the orders that were open, starts a thread for each source.
    pub fn start(s: &Setting<'_>) -> Result<Self, String> {
        let mut all = Self { desks: Vec::new(), codebook: s.codebook.clone(), boot: s.boot.into(), stirred: true };
        if s.plan.supplies.is_empty() {
            return Ok(all);
        }
        let spool = Spool::open(s.store).map_err(|e| format!("the folder of the suppliers cannot be made ({e}): check the store"))?;
        let open = |r: &SupplyRule| open_orders(s.book).find(|o| o.level == r.level && o.product == r.product);
        let tokens: Vec<&str> = open_orders(s.book).map(|o| o.token.as_str()).collect();
        // After an older copy was put back, what lies there may be the only trace of codes in the world.
        if !s.restored {
            spool.sweep(&tokens).map_err(|e| format!("old deliveries cannot be removed ({e}): check the store's folder supply"))?;
        }
        let mut rng = Rng::new(s.seed);
        for (n, rule) in s.plan.supplies.iter().enumerate() {
            let terms = Terms { low: rule.low, order: rule.order, repeat: rule.repeat, every_s: rule.every_s };
            let mut supplier = Supplier::new(terms, rng.fork(n as u64));
            if let Some(o) = open(rule) {
                supplier.resume(o.no, o.count, spool.keeps(&o.token), s.restored);
            }
            let (hand, work) = sync_channel(WORK);
            let transport = Transport::new(rule.clone(), spool.clone());
            let source = Source { desk: n, transport, codebook: s.codebook.clone(), told: s.told.clone() };
            std::thread::Builder::new()
                .name("supply".into())
                .spawn(move || source.work(&work))
                .map_err(|e| format!("a supplier's thread cannot start ({e})"))?;
            all.desks.push(Desk { rule: rule.clone(), supplier, hand, recording: None, delivery: None, import: None, refusal: None });
        }
        Ok(all)
    }

    pub fn rules(&self) -> impl Iterator<Item = &SupplyRule> {
        self.desks.iter().map(|d| &d.rule)
    }

    pub fn look(&mut self, desk: usize, codes: u64, minutes: Option<u64>, now_us: u64) {
        self.stirred = true;
        self.desks[desk].supplier.handle(Input::Pool { codes, minutes }, now_us);
    }

    pub fn told(&mut self, told: Told, now_us: u64) {
        self.stirred = true;
        let Told { desk, order, news } = told;
        let d = &mut self.desks[desk];
        let input = match news {
            News::Answer(a) => {
                if let upstream::Answer::Failed(f) = &a {
                    tracing::warn!(level = %d.rule.level, order = order.0, why = %f.what, "the source gave no codes");
                }
                Input::Answer(order, a)
            }
            News::Delivered(path) => {
                tracing::info!(level = %d.rule.level, order = order.0, "codes have come");
                d.delivery = Some(path);
                Input::Answer(order, upstream::Answer::Delivered)
            }
            News::Whose(Some(pack)) => Input::AlreadyHere(order, pack),
            News::Whose(None) => Input::Refused(order, d.refusal.take().unwrap_or_default()),
        };
        d.supplier.handle(input, now_us);
    }

    /// An order or its end is in the book and on disk.
    pub fn on_disk(&mut self, order: OrderNo, ended: bool, book: &Book, now_us: u64) {
        self.stirred = true;
        for d in &mut self.desks {
            if !ended && d.recording == Some(order) {
                d.recording = None;
                d.supplier.handle(Input::Stored(order), now_us);
            }
            if ended && d.supplier.open().is_some_and(|o| o.no == order) {
                if let Some(row) = book.orders.get(&order) {
                    let imported = row.end.as_ref().is_some_and(|e| e.pack.is_some());
                    hand(&d.hand, Work::Discard { token: row.token.clone(), imported });
                }
                (d.delivery, d.import, d.refusal) = (None, None, None);
                d.supplier.handle(Input::Ended(order), now_us);
            }
        }
    }

    /// Was this the import of a desk? Then it hears of the refusal, and nobody else has to.
    pub fn refused(&mut self, request: u64, answer: &Answer, now_us: u64) -> bool {
        self.stirred = true;
        let Some(d) = self.desks.iter_mut().find(|d| d.import == Some(request)) else { return false };
        d.import = None;
        let Some(order) = d.supplier.open().map(|o| o.no) else { return true };
        let why = format!("{}: {}", answer.message, answer.act);
        match (answer.code.as_str(), &d.delivery) {
            ("busy" | "disk", _) => d.supplier.handle(Input::NotNow(order, why), now_us),
            ("duplicates", Some(path)) => {
                d.refusal = Some(why);
                hand(&d.hand, Work::Whose { order, path: path.clone() });
            }
            _ => d.supplier.handle(Input::Refused(order, why), now_us),
        }
        true
    }

    /// The request under which a desk's import runs.
    pub fn import_asked(&mut self, desk: usize, request: u64) {
        self.desks[desk].import = Some(request);
    }

    /// An operator's wish to ask now.
    pub fn try_now(&mut self, level: &str, product: &str, now_us: u64) -> Answer {
        self.stirred = true;
        let Some(d) = self.desks.iter_mut().find(|d| d.rule.level == level && d.rule.product == product) else {
            let what = format!("nothing is ordered for level {level} and product {product}");
            return Answer::refused("unknown-supply", what, "see packmark supply list, or add a [[supply]]");
        };
        d.supplier.handle(Input::Try, now_us);
        Answer::ok()
    }

    /// What giving up an order means: ended by the desk that holds it, else by whoever asked. `Err`: not now.
    pub fn cancel(&mut self, order: OrderNo, why: &str, count: u32) -> Result<Ending, Answer> {
        let lost = match self.desks.iter().find(|d| d.supplier.open().is_some_and(|o| o.no == order)) {
            Some(d) if d.supplier.is_busy() => {
                let what = format!("order {} is being asked for or imported right now", order.0);
                return Err(Answer::refused("busy", what, "try again when the answer is there"));
            }
            Some(d) => d.supplier.at_stake(),
            None => count,
        };
        Ok(Ending { outcome: OrderOutcome::Cancelled, pack: None, lost, why: Some(why.into()) })
    }

    /// The next thing to do, until there is none.
    pub fn next_doing(&mut self, book: &Book) -> Option<Doing> {
        if !self.stirred {
            return None;
        }
        for n in 0..self.desks.len() {
            while let Some(output) = self.desks[n].supplier.poll() {
                if let Some(doing) = self.do_for(n, output, book) {
                    return Some(doing);
                }
            }
        }
        let alarm = self.alarm(book);
        self.stirred = alarm.is_some();
        alarm
    }

    fn do_for(&mut self, n: usize, output: Output, book: &Book) -> Option<Doing> {
        let d = &mut self.desks[n];
        let token = |order: OrderNo| book.orders.get(&order).map(|o| o.token.clone()).unwrap_or_default();
        match output {
            Output::Record { count } => {
                let no = OrderNo(book.orders.keys().next_back().map_or(1, |o| o.0 + 1));
                d.recording = Some(no);
                let (level, product) = (d.rule.level.clone(), d.rule.product.clone());
                tracing::info!(level = %level, product = %product, order = no.0, count, "codes are ordered");
                Some(Doing::Line(Supplied::Order { no, level, product, count, token: self.codebook.order_token(no, &self.boot) }))
            }
            Output::Ask { order, count, taken } => {
                hand(&d.hand, Work::Ask { order, token: token(order), count, taken });
                None
            }
            Output::Import(order) => {
                let token = token(order);
                let files = d.delivery.clone().into_iter().collect();
                let wish = Wish {
                    pack: Some(format!("order-{}-{}", order.0, token_head(&token))),
                    level: Some(d.rule.level.clone()),
                    product: Some(d.rule.product.clone()),
                    columns: d.rule.column.clone().into_iter().collect(),
                    fetched: matches!(d.rule.via, Via::Http(_)),
                    ..Wish::default()
                };
                Some(Doing::Import { desk: n, wish: Box::new(Import { files, draw: None, wish }) })
            }
            Output::End { order, outcome, pack, lost, why } => {
                tracing::warn!(level = %d.rule.level, order = order.0, outcome = outcome.word(), lost, "an order is over without a pack of its own");
                Some(Doing::Line(Supplied::End { no: order, end: Ending { outcome, pack, lost, why }, asker: None }))
            }
        }
    }

    /// An alarm that should stand and does not, or the other way round.
    fn alarm(&self, book: &Book) -> Option<Doing> {
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for d in &self.desks {
            let s = d.supplier.standing();
            wanted.extend(s.refused.then(|| format!("supply-refused:{}", d.rule.level)));
            wanted.extend(s.down.then(|| format!("supply-down:{}", d.rule.level)));
        }
        let ours = |a: &&String| a.starts_with("supply-");
        let standing: BTreeSet<&String> = book.line.alarms.iter().filter(ours).collect();
        if let Some(name) = wanted.iter().find(|w| !standing.contains(w)) {
            return Some(Doing::Line(Supplied::Alarm { name: name.clone(), on: true }));
        }
        let over = standing.into_iter().find(|s| !wanted.contains(*s))?;
        Some(Doing::Line(Supplied::Alarm { name: over.clone(), on: false }))
    }

    pub fn standings(&self, now: Now) -> Vec<public::Supply> {
        let shown = |d: &Desk| {
            let supplier::Standing { state, order, next_try_us, last_error, .. } = d.supplier.standing();
            let wall = |us: u64| rfc3339(now.wall_us + us.saturating_sub(now.mono_us) as i64);
            public::Supply {
                level: d.rule.level.clone(),
                product: d.rule.product.clone(),
                state: state.into(),
                order: order.map(|o| o.0),
                next_try: next_try_us.map(wall),
                last_error,
            }
        };
        self.desks.iter().map(shown).collect()
    }
}

fn open_orders(book: &Book) -> impl Iterator<Item = &OrderRow> {
    book.orders.values().filter(|o| o.end.is_none())
}

/// A desk never has more under way than its channel holds; a thread that is gone has told so by its panic, which ends
/// the daemon.
fn hand(to: &SyncSender<Work>, work: Work) {
    if let Err(TrySendError::Full(_)) = to.try_send(work) {
        tracing::error!("a source's thread is behind by {WORK} pieces of work: report this");
    }
}

/// The thread of one source.
struct Source {
    desk: usize,
    transport: Transport,
    codebook: Codebook,
    told: mpsc::Sender<Told>,
}

impl Source {
    fn work(mut self, from: &Receiver<Work>) {
        while let Ok(work) = from.recv() {
            let (order, news) = match work {
                Work::Ask { order, token, count, taken } => (order, self.ask(&token, count, taken)),
                Work::Whose { order, path } => (order, News::Whose(self.whose(&path))),
                Work::Discard { token, imported } => {
                    if let Err(e) = self.transport.discard(&token, imported) {
                        tracing::warn!("what came for an order that is over could not be removed: {e}");
                    }
                    continue;
                }
            };
            // Nobody listens: the daemon ends.
            if self.told.blocking_send(Told { desk: self.desk, order, news }).is_err() {
                return;
            }
        }
    }

    fn ask(&mut self, token: &str, count: u32, taken: bool) -> News {
        match self.transport.ask(token, count, taken) {
            upstream::Answer::Delivered => News::Delivered(self.transport.delivery(token)),
            upstream::Answer::Failed(f) => {
                // The sentence may be shown to anybody; the token fetches codes.
                let what = f.what.replace(token, token_head(token));
                News::Answer(upstream::Answer::Failed(upstream::Failure { what, ..f }))
            }
            a => News::Answer(a),
        }
    }

    /// The one pack that holds all codes of a delivery (one code a line).
    fn whose(&self, path: &Path) -> Option<PackNo> {
        let mut from = std::io::BufReader::new(std::fs::File::open(path).ok()?);
        let (mut line, mut pack) = (Vec::new(), None);
        loop {
            line.clear();
            if std::io::Read::take(&mut from, LONGEST_LINE).read_until(b'\n', &mut line).ok()? == 0 {
                return pack;
            }
            let code = line.strip_suffix(b"\n").unwrap_or(&line);
            let code = code.strip_suffix(b"\r").unwrap_or(code);
            if code.is_empty() {
                continue;
            }
            let found = self.codebook.resolve(code).into_iter().find(|h| h.exact)?.code.pack;
            if *pack.get_or_insert(found) != found {
                return None;
            }
        }
    }
}
