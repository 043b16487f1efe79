//! Import of a pack: rows of a delivery in, segments out, every code held against every code of the store. The caller
//! registers it by committing what [`NewPack::events`] says; until then nothing of it counts, and files without a registered
//! pack are swept at the next start.
//!
//! Must never know: file formats (a delivery is [`Rows`]), the line.
//!
//! Invariants: memory does not grow with the pack; a refusal leaves the store as it was; a code is refused if its match key
//! stands anywhere in the store, used or not, or twice in the delivery; only one import of a store runs at a time.

mod batch;
mod build;
pub(super) mod compare;
mod family;
mod spool;

use super::codebook::Codebook;
use super::merged::MakeError;
use super::pace::Pace;
pub use super::pace::{BytesPerSecond, IDLE, LINE};
use super::segment::{self, Hasher, SegmentError};
use crate::intake::{Delivery, Fault, Rows};
use crate::line::{Answer, Book, NewPack, Skipped};
use crate::vocab::event::Origin;
use crate::vocab::plan::{CodeSource, Plan};
use crate::vocab::time::{day, day_of, iso_date};
use crate::vocab::{KeyRule, PackNo};
use build::{Build, Shop};
use family::{Family, Made};
use spool::CHUNKS_KEPT;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Duplicates named before the rest is left unsaid.
const NAMED: usize = 10;

/// Bytes of a pack's purpose.
pub const MAX_PURPOSE: usize = 128;

#[derive(Clone, Debug, Default)]
pub struct ImportHow {
    pub no: PackNo,
    pub id: String,
    pub level: String,
    pub product: String,
    /// What the codes are for, in the importer's words.
    pub purpose: Option<String>,
    /// The last day (UTC) on which the codes may be put on things, in a form of `vocab::time::is_date`.
    pub expiry: Option<String>,
    /// The codes are on the market already: known from now on, and never used here.
    pub used: bool,
    /// The day it is (days since 1970-01-01, UTC): a pack that expired before it is refused. 0: not known.
    pub today: i64,
    /// How match keys are made; `None`: as in the rest of the store. One store has one rule.
    pub rule: Option<KeyRule>,
    /// Codes that were here before are left out and counted, instead of the pack refused.
    pub skip_duplicates: bool,
    /// Beside a running line: [`LINE`]. `None`: as fast as it goes.
    pub pace: Option<BytesPerSecond>,
}

impl ImportHow {
    /// What a delivery says of itself, for the line's plan.
    pub fn of(delivery: &Delivery, plan: Option<&Plan>, no: PackNo, id: String, wall_us: i64) -> Self {
        let (level, product) = (delivery.level.clone(), delivery.product.clone());
        let (purpose, expiry) = (delivery.purpose.clone(), delivery.expiry.clone());
        let (used, skip_duplicates, rule) = (delivery.used, delivery.skip_duplicates, plan.map(|p| p.codes.key));
        Self { no, id, level, product, purpose, expiry, used, today: day_of(wall_us), rule, skip_duplicates, pace: None }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{0}; nothing was imported")]
    Delivery(Fault),
    #[error("the pack could not be written ({0}): check the disk; nothing was imported")]
    Write(#[source] std::io::Error),
    #[error("{0}; codes cannot be held against it; nothing was imported")]
    Damaged(SegmentError),
    #[error("the files hold no code: is it the right file? nothing was imported")]
    Empty,
    #[error("{}; the whole pack was refused, nothing was imported", .0.join("; "))]
    Duplicates(Vec<String>),
    #[error("all {0} codes were here before: is it the right file? nothing was imported")]
    NothingNew(u32),
    #[error(
        "a pack id has 1 to 64 of A-Z a-z 0-9 . _ -, and does not begin with range-; “{0}” is not one: choose another; nothing was imported"
    )]
    BadId(String),
    #[error("there is a pack {0} already: choose another id, or leave it out; nothing was imported")]
    IdInUse(String),
    #[error("a purpose is 1 to {MAX_PURPOSE} bytes of text without control characters; nothing was imported")]
    Purpose,
    #[error("the expiry “{0}” is no date: write it as 2027-01-31; nothing was imported")]
    Expiry(String),
    #[error("the pack's codes expired on {0}: ask for new ones; nothing was imported")]
    Expired(String),
    #[error(
        "the codes of this store are compared by the rule {have}, this pack asks for {want}: a store keeps its rule; nothing was imported"
    )]
    OtherRule { have: KeyRule, want: KeyRule },
    #[error("{0}; nothing was imported")]
    Shape(String),
}

/// The id of a new pack: as wanted, else the first free `p<n>`.
pub fn pack_id(book: &Book, wanted: Option<&str>) -> Result<String, ImportError> {
    Names::of(book).choose(wanted)
}

/// The names that packs have, and the number the next will have.
#[derive(Clone, Debug)]
pub struct Names {
    used: BTreeSet<String>,
    pub next: PackNo,
}

impl Names {
    pub fn of(book: &Book) -> Self {
        let next = PackNo(book.packs.keys().next_back().map_or(1, |p| p.0 + 1));
        Self { used: book.packs.values().map(|p| p.id.to_string()).collect(), next }
    }

    /// As wanted, else the first free `p<n>`.
    pub fn choose(&self, wanted: Option<&str>) -> Result<String, ImportError> {
        let Some(id) = wanted else {
            return Ok((self.next.0..).map(|n| format!("p{n}")).find(|id| !self.used.contains(id)).expect("there is always a free number"));
        };
        let fit = (1..=64).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !fit || id.starts_with("range-") {
            return Err(ImportError::BadId(id.into()));
        }
        if self.used.contains(id) { Err(ImportError::IdInUse(id.into())) } else { Ok(id.into()) }
    }
}

/// Why a plan can have no use for a pack of this level and product, if so.
pub fn unknown(plan: &Plan, level: &str, product: &str) -> Option<Answer> {
    let takes = |l: &&crate::vocab::plan::Level| l.codes != CodeSource::Generated;
    let levels: Vec<&str> = plan.levels.iter().filter(takes).map(|l| l.name.as_str()).collect();
    let products: Vec<&str> = plan.products.iter().map(|p| p.id.as_str()).collect();
    match plan.level_named(level) {
        None => {
            let what = format!("level {level} is not in the configuration; nothing was imported");
            return Some(Answer::refused("unknown-level", what, format!("use one of: {}", levels.join(", "))));
        }
        Some(l) if l.codes == CodeSource::Generated => {
            let what = format!("level {level} makes its own numbers and takes no pack; nothing was imported");
            return Some(Answer::refused("generated-level", what, format!("use one of: {}", levels.join(", "))));
        }
        Some(_) => {}
    }
    (!products.contains(&product)).then(|| {
        let what = format!("product {product} is not in the configuration; nothing was imported");
        Answer::refused("unknown-product", what, format!("use one of: {}", products.join(", ")))
    })
}

/// As `unknown`; codes on the market already may be of no level or product, or of ones that are no longer packed here.
pub fn unknown_to(plan: &Plan, level: &str, product: &str, used: bool) -> Option<Answer> {
    if used { None } else { unknown(plan, level, product) }
}

/// As [`prepare`], for files of one code a line.
pub fn prepare_files(book: &Codebook, files: &[PathBuf], how: &ImportHow) -> Result<NewPack, ImportError> {
    prepare(book, &mut *crate::intake::lines(files.to_vec()), how)
}

/// Reads, checks and writes; answers what to register. Of pre-related rows come several packs: that of the innermost
/// level, and with it those above. The packs' files stand when this returns; the codebook knows them from
/// [`Codebook::register`] on.
pub fn prepare(book: &Codebook, rows: &mut dyn Rows, how: &ImportHow) -> Result<NewPack, ImportError> {
    prepare_with(book, book.hasher(), segment::MAX_ROWS, rows, how)
}

pub(super) fn prepare_with(
    book: &Codebook,
    hasher: Hasher,
    capacity: u32,
    rows: &mut dyn Rows,
    how: &ImportHow,
) -> Result<NewPack, ImportError> {
    if how.purpose.as_ref().is_some_and(|p| p.is_empty() || p.len() > MAX_PURPOSE || p.chars().any(char::is_control)) {
        return Err(ImportError::Purpose);
    }
    let expiry = how.expiry.as_ref().map(|e| day(e).ok_or_else(|| ImportError::Expiry(e.clone()))).transpose()?;
    if let Some(last) = expiry.filter(|last| *last < how.today) {
        return Err(ImportError::Expired(iso_date(last)));
    }
    let have = book.rule();
    let rule = how.rule.or(have).unwrap_or(KeyRule::Identity);
    if let Some(have) = have.filter(|h| *h != rule) {
        return Err(ImportError::OtherRule { have, want: rule });
    }
    let columns = rows.columns().to_vec();
    if columns.is_empty() || columns.len() > segment::MAX_COLUMNS {
        return Err(ImportError::Shape(format!("a row holds 1 to {} codes", segment::MAX_COLUMNS)));
    }
    let mut shop = Shop {
        book,
        hasher,
        rule,
        pace: Pace::new(how.pace),
        room: CHUNKS_KEPT,
        capacity,
        files: rows.files().to_vec(),
        ranges: book.ranges(),
        done: Vec::new(),
        skip: how.skip_duplicates,
    };
    // Look-ups stay quick however many packs there are.
    book.tend(&mut shop.pace).map_err(|e| match e {
        MakeError::Io(e) => ImportError::Write(e),
        MakeError::Segment(e) => ImportError::Damaged(e),
    })?;
    let litter = Litter(book);
    let (made, relations, skipped) = match Family::is_meant(&columns) {
        true => {
            let mut family = Family::new(&shop, &columns, how)?;
            batch::read(&mut shop, rows, |shop, taken| taken.singly().try_for_each(|row| family.push(shop, &row)))?;
            let (made, relations) = family.finish(&mut shop)?;
            (made, relations, Skipped::default())
        }
        false => {
            let (made, skipped) = single(&mut shop, rows, columns.into_iter().map(|c| c.purpose).collect(), how)?;
            (vec![made], Vec::new(), skipped)
        }
    };
    let files = shop.done.iter().map(|p| p.segment.path.clone()).chain(relations).collect::<Vec<_>>();
    publish(book, &files).map_err(ImportError::Write)?;
    drop(litter);
    Ok(new_pack(&made, rows.sha256(), skipped, how))
}

fn new_pack(made: &[Made], sha256: [u8; 32], skipped: Skipped, how: &ImportHow) -> NewPack {
    let (own, above) = made.split_first().expect("there is at least one pack");
    let origin = match above.first() {
        Some(parent) => Origin::Related { sha256, parents: parent.no },
        None => Origin::Segments { sha256 },
    };
    NewPack {
        id: own.id.to_string(),
        level: own.level.clone(),
        product: how.product.clone(),
        purpose: how.purpose.clone(),
        // A form that `prepare` has looked at.
        expiry: how.expiry.as_ref().and_then(|e| day(e)).map(iso_date),
        used: how.used,
        skipped,
        above: (!above.is_empty()).then(|| Box::new(new_pack(above, sha256, Skipped::default(), how))),
        ..NewPack::new(own.no, own.rows, origin)
    }
}

/// An ordinary pack: one code a row, or several of one item.
fn single(shop: &mut Shop<'_>, rows: &mut dyn Rows, purposes: Vec<String>, how: &ImportHow) -> Result<(Made, Skipped), ImportError> {
    let mut build = Build::new(shop, how.no, &how.id, &how.id, purposes.clone());
    batch::read(shop, rows, |shop, taken| build.push(shop, taken))?;
    build.finish(shop)?;
    let dropped = build.dropped();
    let mut skipped = Skipped::default();
    if dropped.count() > 0 {
        if dropped.count() == build.rows {
            return Err(ImportError::NothingNew(build.rows));
        }
        skipped = Skipped { within: dropped.within, earlier: dropped.earlier, named: dropped.named() };
        // What is left is imported as if nothing else had come: all of it is checked once more, and now nothing is left out.
        shop.skip = false;
        let whole = std::mem::take(&mut shop.done);
        for p in &whole {
            // Not in the way of what comes in its place; it is read all the same.
            std::fs::rename(&p.segment.path, p.segment.path.with_extension("whole.spool")).map_err(ImportError::Write)?;
        }
        let mut rest = Build::new(shop, how.no, &how.id, &format!("{}.rest", how.id), purposes);
        build.pour(shop, &whole, &dropped, &mut rest)?;
        rest.finish(shop)?;
        build = rest;
        for p in &whole {
            let path = p.segment.path.with_extension("whole.spool");
            std::fs::File::options().write(true).open(&path).and_then(|f| shop.pace.remove(&f, &path)).map_err(ImportError::Write)?;
        }
    }
    Ok((Made { no: how.no, id: build.id.clone(), level: how.level.clone(), rows: build.rows }, skipped))
}

/// Gives the files their names, all or none; after this they stand.
fn publish(book: &Codebook, files: &[PathBuf]) -> std::io::Result<()> {
    let done = files.iter().try_for_each(|f| segment::publish(f)).and_then(|()| std::fs::File::open(book.dir().join("packs"))?.sync_all());
    if done.is_err() {
        for f in files {
            let _ = std::fs::remove_file(f.with_extension(""));
        }
    }
    done
}

/// What an import wrote and did not publish goes when it ends early.
struct Litter<'a>(&'a Codebook);

impl Drop for Litter<'_> {
    fn drop(&mut self) {
        // What cannot be removed now is swept at the next start.
        let _ = self.0.sweep_unfinished();
    }
}

#[cfg(test)]
mod tests;
