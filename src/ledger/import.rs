//! Import of a pack: rows of a delivery read, held against every code ever accepted, written as segments aside. The caller registers it by committing
//! `PackAccepted`; until then nothing of it counts, and files without a registered pack are swept at the next start.

use super::codebook::Codebook;
use super::segment::{self, Hasher};
use crate::intake::{Delivery, Fault, Row, Rows};
use crate::line::{Answer, Book, NewPack};
use crate::vocab::event::Origin;
use crate::vocab::plan::{CodeSource, Plan};
use crate::vocab::time::{day, day_of, iso_date};
use crate::vocab::{KeyRule, PackNo};
use std::collections::{BTreeMap, BTreeSet};
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
}

impl ImportHow {
    /// What a delivery says of itself.
    pub fn of(delivery: &Delivery, no: PackNo, id: String, wall_us: i64) -> Self {
        let (level, product) = (delivery.level.clone(), delivery.product.clone());
        let (purpose, expiry) = (delivery.purpose.clone(), delivery.expiry.clone());
        Self { no, id, level, product, purpose, expiry, used: delivery.used, today: day_of(wall_us) }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The delivery itself.
    #[error("{0}; nothing was imported")]
    Delivery(Fault),
    #[error("the segment could not be written ({0}): check the disk; nothing was imported")]
    Write(#[source] std::io::Error),
    #[error("the files hold no code: is it the right file? nothing was imported")]
    Empty,
    #[error("{}; the whole pack was refused, nothing was imported", .0.join("; "))]
    Duplicates(Vec<String>),
    #[error(
        "a pack id has 1 to 64 of A-Z a-z 0-9 . _ -, and does not begin with range-; “{0}” is not one: choose another; nothing was imported"
    )]
    BadId(String),
    #[error("there is a pack {0} already: choose another id, or leave it out; nothing was imported")]
    IdInUse(String),
    #[error("the rows hold {0} codes each, and one is taken: name one column; nothing was imported")]
    Columns(usize),
    #[error("the expiry “{0}” is no date: write it as 2027-01-31; nothing was imported")]
    Expiry(String),
    #[error("the pack's codes expired on {0}: ask for new ones; nothing was imported")]
    Expired(String),
    #[error("a purpose is 1 to {MAX_PURPOSE} bytes of text without control characters; nothing was imported")]
    Purpose,
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
        Self { used: book.packs.values().map(|p| p.id.clone()).collect(), next }
    }

    /// As wanted, else the first free `p<n>`.
    pub fn choose(&self, wanted: Option<&str>) -> Result<String, ImportError> {
        pack_name(&|id| self.used.contains(id), self.next.0, wanted)
    }
}

fn pack_name(used: &dyn Fn(&str) -> bool, first: u32, wanted: Option<&str>) -> Result<String, ImportError> {
    let Some(id) = wanted else {
        return Ok((first..).map(|n| format!("p{n}")).find(|id| !used(id)).expect("there is always a free number"));
    };
    let fit = (1..=64).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !fit || id.starts_with("range-") {
        return Err(ImportError::BadId(id.into()));
    }
    if used(id) { Err(ImportError::IdInUse(id.into())) } else { Ok(id.into()) }
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

struct Place {
    file: u32,
    line: u64,
}

/// Reads, checks and writes; answers what to register.
pub fn prepare(book: &Codebook, rows: &mut dyn Rows, how: &ImportHow) -> Result<NewPack, ImportError> {
    prepare_with(book, &book.hasher(), rows, how)
}

pub(super) fn prepare_with(book: &Codebook, hasher: &Hasher, rows: &mut dyn Rows, how: &ImportHow) -> Result<NewPack, ImportError> {
    if how.purpose.as_ref().is_some_and(|p| p.is_empty() || p.len() > MAX_PURPOSE || p.chars().any(char::is_control)) {
        return Err(ImportError::Purpose);
    }
    let expiry = how.expiry.as_ref().map(|e| day(e).ok_or_else(|| ImportError::Expiry(e.clone()))).transpose()?;
    if let Some(last) = expiry.filter(|last| *last < how.today) {
        return Err(ImportError::Expired(iso_date(last)));
    }
    if rows.columns().len() != 1 {
        return Err(ImportError::Columns(rows.columns().len()));
    }
    let (mut codes, mut places): (Vec<Vec<u8>>, Vec<Place>) = (Vec::new(), Vec::new());
    let mut row = Row::default();
    while rows.next_row(&mut row).map_err(ImportError::Delivery)? {
        codes.push(row.code(0).to_vec());
        places.push(Place { file: row.file, line: row.line });
        if codes.len() > u32::MAX as usize {
            let what = "a pack holds at most 2^32 - 1 codes".to_string();
            return Err(ImportError::Delivery(Fault::Delivery { what, do_next: "divide it".into() }));
        }
    }
    let files: Vec<PathBuf> = rows.files().to_vec();
    if codes.is_empty() {
        return Err(ImportError::Empty);
    }
    let rule = KeyRule::Identity;
    let mut written = Vec::new();
    let mut found = Vec::new();
    let mut indexes: Vec<Vec<u64>> = Vec::new();
    for chunk in codes.chunks(segment::MAX_CODES) {
        indexes.push(segment::index(chunk, rule, hasher));
    }
    let at = |o: usize| format!("{} line {}", files[places[o].file as usize].display(), places[o].line);
    within(&codes, &indexes, rule, &at, &mut found);
    for (n, index) in indexes.iter().enumerate() {
        let base = n * segment::MAX_CODES;
        book.each_segment(|id, s, first| {
            against(
                index,
                |o| &codes[base + o],
                s,
                rule,
                |mine, theirs| {
                    found.push(format!("{} is in pack {id} already (its code {})", at(base + mine), first + theirs + 1));
                    found.len() < NAMED
                },
            )
        })
        .map_err(ImportError::Write)?;
    }
    for (o, c) in codes.iter().enumerate() {
        if found.len() >= NAMED {
            break;
        }
        if let Some(id) = book.in_range(c) {
            found.push(format!("{} is a number of {id}", at(o)));
        }
    }
    if !found.is_empty() {
        if found.len() >= NAMED {
            found.push("and perhaps more".into());
        }
        return Err(ImportError::Duplicates(found));
    }
    for (n, (chunk, index)) in codes.chunks(segment::MAX_CODES).zip(&indexes).enumerate() {
        written.push(segment::write(book.dir(), &how.id, n as u32, &book.store, rule, chunk, index).map_err(ImportError::Write)?);
    }
    for tmp in written {
        segment::publish(&tmp).map_err(ImportError::Write)?;
    }
    Ok(NewPack {
        id: how.id.clone(),
        level: how.level.clone(),
        product: how.product.clone(),
        purpose: how.purpose.clone(),
        expiry: expiry.map(iso_date),
        used: how.used,
        ..NewPack::new(how.no, codes.len() as u32, Origin::Segments { sha256: rows.sha256() })
    })
}

/// Duplicates inside the pack: every pair in a run of equal hashes is compared by match key.
fn within(codes: &[Vec<u8>], indexes: &[Vec<u64>], rule: KeyRule, at: &dyn Fn(usize) -> String, found: &mut Vec<String>) {
    // Runs across chunks of one pack meet in a map only when there are several chunks.
    let mut runs: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (n, index) in indexes.iter().enumerate() {
        let mut i = 0;
        while i < index.len() {
            let hash = index[i] >> 24;
            let end = i + index[i..].partition_point(|e| e >> 24 == hash);
            if end - i > 1 || indexes.len() > 1 {
                let ordinals = index[i..end].iter().map(|e| n * segment::MAX_CODES + (e & 0xff_ffff) as usize);
                runs.entry(hash).or_default().extend(ordinals);
            }
            i = end;
        }
    }
    for run in runs.values().filter(|r| r.len() > 1) {
        let mut seen: BTreeMap<&[u8], usize> = BTreeMap::new();
        let mut run = run.clone();
        run.sort_unstable();
        for o in run {
            match seen.get(rule.strip(&codes[o])) {
                Some(first) => found.push(format!("{} stands at {} too", at(o), at(*first))),
                None => drop(seen.insert(rule.strip(&codes[o]), o)),
            }
            if found.len() >= NAMED {
                return;
            }
        }
    }
}

/// Merges a sorted index with a segment's: the cross product of equal-hash runs, compared by match key.
pub(super) fn against<'c>(
    mine: &[u64],
    code: impl Fn(usize) -> &'c Vec<u8>,
    seg: &segment::Segment,
    rule: KeyRule,
    mut hit: impl FnMut(usize, u32) -> bool,
) -> std::io::Result<()> {
    const PAGE: u32 = 1 << 16;
    let mut i = 0;
    let mut at = 0;
    // Entries of the run that a page's end may have cut stay for the next page.
    let mut theirs: Vec<u64> = Vec::new();
    while i < mine.len() && (at < seg.count || !theirs.is_empty()) {
        if at < seg.count {
            let to = (at + PAGE).min(seg.count);
            theirs.extend(seg.entries(at, to)?);
            at = to;
        }
        let last = at == seg.count;
        let cut = if last { theirs.len() } else { theirs.partition_point(|e| e >> 24 < theirs[theirs.len() - 1] >> 24) };
        let mut j = 0;
        while i < mine.len() && j < cut {
            let (a, b) = (mine[i] >> 24, theirs[j] >> 24);
            if a < b {
                i += mine[i..].partition_point(|e| e >> 24 < b);
            } else if b < a {
                j += theirs[j..cut].partition_point(|e| e >> 24 < a);
            } else {
                let (ei, ej) = (i + mine[i..].partition_point(|e| e >> 24 == a), j + theirs[j..cut].partition_point(|e| e >> 24 == a));
                for x in &mine[i..ei] {
                    for y in &theirs[j..ej] {
                        let (x, y) = ((x & 0xff_ffff) as usize, (y & 0xff_ffff) as u32);
                        if rule.strip(code(x)) == seg.rule.strip(&seg.code(y)?) && !hit(x, y) {
                            return Ok(());
                        }
                    }
                }
                (i, j) = (ei, ej);
            }
        }
        theirs.drain(..cut);
        if last {
            break;
        }
    }
    Ok(())
}
