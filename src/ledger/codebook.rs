//! From bytes to a code's place and back, over every accepted pack; no SQL, shared by everybody, written by nobody.
//!
//! Invariants: a look-up holds the shelf only while it looks; whatever is read from a disk has been checked, and damage is
//! remembered; a merged index that cannot be trusted is passed over, never believed.

use super::error::OpenError;
use super::ignore::ignored;
use super::merged::{self, MakeError, Merged};
use super::pace::{self, Pace};
use super::relation::{self, Relation};
use super::segment::{self, Hasher, Segment, SegmentError, exact, key};
use crate::line::Book;
use crate::line::input::{Mark, Reading};
use crate::line::rows::PackRow;
use crate::vocab::dummy::is_dummy;
use crate::vocab::event::Origin;
use crate::vocab::grade::Grade;
use crate::vocab::plan::Ignore;
use crate::vocab::report::{Field, Frame};
use crate::vocab::sscc::RangeRule;
use crate::vocab::{CodeRef, KeyRule, OrderNo, PackNo, ParentState};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

/// Segments that are asked one by one; with more, a merged index is made of them.
const TAIL: usize = 4;
/// The large merged index is made anew when the small one has a quarter of its entries.
const GROWTH: u64 = 4;

/// A code found by a scan. `exact`: the bytes agree after the declared normalisation. `column`: which code of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    pub code: CodeRef,
    pub exact: bool,
    pub column: u8,
}

/// A segment and where its rows stand in their pack.
#[derive(Clone)]
pub struct Placed {
    pub no: PackNo,
    pub id: Arc<str>,
    /// The pack's ordinal of its first row.
    pub first: u32,
    pub segment: Arc<Segment>,
}

enum Source {
    Range(RangeRule, KeyRule),
    Segments { list: Vec<Placed>, within: Option<(PackNo, Relation)> },
}

/// What is known of the packs.
#[derive(Default)]
struct Shelf {
    packs: BTreeMap<PackNo, (PackRow, Source)>,
    /// A large one, and a small one for what came after it.
    merged: [Option<Arc<Merged>>; 2],
    /// Segments that no merged index covers.
    tail: Vec<Placed>,
}

impl Shelf {
    fn segments(&self) -> impl Iterator<Item = &Placed> {
        self.packs.values().flat_map(|(_, s)| match s {
            Source::Range(..) => &[][..],
            Source::Segments { list, .. } => list,
        })
    }

    fn rule(&self) -> Option<KeyRule> {
        self.segments().next().map(|p| p.segment.rule)
    }

    /// Segments and ordinals that hold this hash.
    fn candidates(&self, hash: u64, untrusted: &AtomicBool) -> Result<Vec<(&Placed, u32)>, SegmentError> {
        let mut found = Vec::new();
        for m in self.merged.iter().flatten() {
            let which: Vec<&Placed> = match m.find(hash) {
                Ok(some) => some.into_iter().map(|n| &m.covers[usize::from(n)]).collect(),
                Err(_) => {
                    untrusted.store(true, Ordering::Relaxed);
                    m.covers.iter().collect()
                }
            };
            for p in which {
                found.extend(p.segment.find(hash)?.into_iter().map(|o| (p, o)));
            }
        }
        for p in &self.tail {
            found.extend(p.segment.find(hash)?.into_iter().map(|o| (p, o)));
        }
        Ok(found)
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Codebook {
    dir: PathBuf,
    pub(super) store: [u8; 16],
    pub(super) hasher: Hasher,
    shelf: Arc<RwLock<Shelf>>,
    /// The first damage met while reading.
    damage: Arc<OnceLock<String>>,
    /// A merged index was found damaged: it is made anew at the next occasion.
    untrusted: Arc<AtomicBool>,
    /// Somebody makes one just now.
    tending: Arc<AtomicBool>,
}

impl Codebook {
    /// Opens the segments of every pack, and what merged index there is.
    pub fn open(dir: &Path, store: [u8; 16], hash_key: [u8; 16], packs: impl Iterator<Item = PackRow>) -> Result<Self, OpenError> {
        let (shelf, damage, untrusted, tending) = Default::default();
        let book = Self { dir: dir.into(), store, hasher: Hasher::new(hash_key), shelf, damage, untrusted, tending };
        for p in packs {
            book.register(p)?;
        }
        book.load_merged();
        Ok(book)
    }

    pub fn register(&self, pack: PackRow) -> Result<(), OpenError> {
        let damaged = |what: String| OpenError::Damaged { dir: self.dir.clone(), what };
        let source = match &pack.origin {
            Origin::Range(rule) => Source::Range(rule.clone(), if rule.is_sscc() { KeyRule::Sscc } else { KeyRule::Identity }),
            Origin::Segments { .. } | Origin::Related { .. } => {
                let mut list: Vec<Placed> = Vec::new();
                let mut have = 0;
                while have < pack.count {
                    let path = segment::path(&self.dir, &pack.id, list.len() as u32);
                    let s = Segment::open(&path, &self.store).map_err(|e| match e {
                        SegmentError::OtherStore { path } => OpenError::OtherStore { path },
                        SegmentError::Early { .. } | SegmentError::Newer { .. } => {
                            OpenError::Failed { dir: self.dir.clone(), what: e.to_string() }
                        }
                        e => damaged(e.to_string()),
                    })?;
                    let first = have;
                    have = have.saturating_add(s.rows);
                    list.push(Placed { no: pack.no, id: pack.id.as_str().into(), first, segment: Arc::new(s) });
                }
                if have != pack.count {
                    return Err(damaged(format!("pack {} has {have} codes on disk, {} in the book", pack.id, pack.count)));
                }
                let within = match &pack.origin {
                    Origin::Related { parents, .. } => {
                        let path = relation::path(&self.dir, &pack.id);
                        let r = Relation::open(&path, &self.store, pack.count);
                        Some((*parents, r.map_err(|e| damaged(format!("{}: {e}", path.display())))?))
                    }
                    _ => None,
                };
                Source::Segments { list, within }
            }
        };
        let mut shelf = self.shelf.write().expect("no panic while held");
        if let Source::Segments { list, .. } = &source {
            shelf.tail.extend(list.iter().cloned());
        }
        shelf.packs.insert(pack.no, (pack, source));
        Ok(())
    }

    /// A code's bytes: those of its first column. They are held against the index, so that a flipped byte is never
    /// printed: then, as for a code of no pack, the answer is `None`, and `damage` says what was met.
    pub fn bytes(&self, code: CodeRef) -> Option<Vec<u8>> {
        self.column(code, 0)
    }

    /// All codes of the item, each with what it is for (empty: nothing was said).
    pub fn codes(&self, code: CodeRef) -> Vec<(String, Vec<u8>)> {
        let purposes: Vec<String> = {
            let shelf = self.shelf.read().expect("no panic while held");
            match shelf.packs.get(&code.pack) {
                Some((_, Source::Segments { list, .. })) => {
                    let s = list.first().map(|p| &p.segment);
                    s.map_or(Vec::new(), |s| (0..s.columns()).map(|c| s.purpose(c).to_string()).collect())
                }
                Some((_, Source::Range(..))) => vec![String::new()],
                None => Vec::new(),
            }
        };
        purposes.into_iter().enumerate().filter_map(|(c, purpose)| Some((purpose, self.column(code, c)?))).collect()
    }

    fn column(&self, code: CodeRef, column: usize) -> Option<Vec<u8>> {
        let shelf = self.shelf.read().expect("no panic while held");
        match &shelf.packs.get(&code.pack)?.1 {
            Source::Range(rule, _) => rule.code(code.ordinal).filter(|_| column == 0),
            Source::Segments { list, .. } => {
                let p = &list[list.partition_point(|p| p.first <= code.ordinal).checked_sub(1)?];
                if code.ordinal - p.first >= p.segment.rows {
                    return None;
                }
                self.sound(p.segment.checked(code.ordinal - p.first, column, &self.hasher))
            }
        }
    }

    /// How the match keys of a pack are made.
    pub fn key_rule(&self, pack: PackNo) -> Option<KeyRule> {
        let shelf = self.shelf.read().expect("no panic while held");
        match &shelf.packs.get(&pack)?.1 {
            Source::Range(_, key) => Some(*key),
            Source::Segments { list, .. } => list.first().map(|p| p.segment.rule),
        }
    }

    /// The pack and the place of an accepted code that this rule forms too, if any: a range may not begin over it. Reads
    /// every code of every segment.
    pub fn any_in(&self, rule: &RangeRule) -> Result<Option<(String, u64)>, SegmentError> {
        let key_rule = if rule.is_sscc() { KeyRule::Sscc } else { KeyRule::Identity };
        for p in self.segments() {
            for ordinal in 0..p.segment.rows {
                for column in 0..p.segment.columns() {
                    if rule.ordinal(&key(key_rule, &p.segment.code(ordinal, column)?)).is_some() {
                        return Ok(Some((p.id.to_string(), u64::from(p.first) + u64::from(ordinal) + 1)));
                    }
                }
            }
        }
        Ok(None)
    }

    fn sound<T>(&self, read: Result<T, SegmentError>) -> Option<T> {
        read.map_err(|e| drop(self.damage.set(e.to_string()))).ok()
    }

    /// Every pack's code that this scan matches, oldest pack first.
    pub fn resolve(&self, scanned: &[u8]) -> Vec<Hit> {
        let shelf = self.shelf.read().expect("no panic while held");
        let mut hits = Vec::new();
        for (no, (row, source)) in &shelf.packs {
            // A range that was cut no longer forms the numbers it gave up.
            if let Source::Range(rule, key_rule) = source
                && let Some(ordinal) = rule.ordinal(&key(*key_rule, scanned)).filter(|o| *o < row.count)
            {
                hits.push(Hit { code: CodeRef::new(*no, ordinal), exact: true, column: 0 });
            }
        }
        let Some(rule) = shelf.rule() else { return hits };
        let wanted = key(rule, scanned);
        let hash = self.hasher.hash(&wanted);
        for (p, ordinal) in self.sound(shelf.candidates(hash, &self.untrusted)).unwrap_or_default() {
            let mut hashed = false;
            for column in 0..p.segment.columns() {
                let Some(bytes) = self.sound(p.segment.code(ordinal, column)) else { continue };
                let k = key(rule, &bytes);
                hashed |= self.hasher.hash(&k) == hash;
                if k == wanted {
                    let code = CodeRef::new(p.no, p.first + ordinal);
                    hits.push(Hit { code, exact: exact(rule, &bytes, scanned), column: column as u8 });
                }
            }
            if !hashed {
                let what = "a code does not agree with the index";
                self.sound::<()>(Err(SegmentError::Damaged { path: p.segment.path.clone(), what }));
            }
        }
        hits.sort_by_key(|h| (h.code, h.column));
        hits
    }

    /// What this item was made to be packed in, if its delivery said so.
    pub fn made_for(&self, code: CodeRef) -> Option<CodeRef> {
        let shelf = self.shelf.read().expect("no panic while held");
        let Source::Segments { within: Some((parents, relation)), .. } = &shelf.packs.get(&code.pack)?.1 else { return None };
        match relation.parent_of(code.ordinal) {
            Ok(ordinal) => Some(CodeRef::new(*parents, ordinal)),
            Err(e) => {
                let _ = self.damage.set(format!("the relation of pack {} is damaged ({e})", shelf.packs[&code.pack].0.id));
                None
            }
        }
    }

    /// Reads every relation once, so that no thing on a belt waits for its checksum. Damage is remembered.
    pub(super) fn look_through_relations(&self) {
        let shelf = self.shelf.read().expect("no panic while held");
        for (row, source) in shelf.packs.values() {
            if let Source::Segments { within: Some((_, relation)), .. } = source
                && !relation.is_whole().unwrap_or(false)
            {
                let _ = self.damage.set(format!("the relation of pack {} is damaged", row.id));
            }
        }
    }

    /// A frame with its codes resolved; what a station ignores is left out, a grade below `least` is poor.
    pub fn reading(&self, frame: &Frame, ignore: &[Ignore], least: Option<Grade>) -> Reading {
        match frame {
            Frame::NoRead => Reading::NoRead,
            Frame::Fault(word) => Reading::Fault(word.clone()),
            Frame::Data(fields) => {
                let marks = fields.iter().filter_map(|f| {
                    let (bytes, grade) = match f {
                        Field::NoRead => return Some(Mark::NoRead),
                        Field::Code(bytes) => (bytes, None),
                        Field::Graded { code, grade } => (code, *grade),
                    };
                    if ignore.iter().any(|i| ignored(i, bytes)) {
                        return None;
                    }
                    // Where a grade is asked for, one that is not known is not good enough.
                    let poor = least.is_some_and(|l| grade.is_none_or(|g| g < l));
                    Some(self.mark(bytes).graded(poor))
                });
                Reading::Data(marks.collect())
            }
        }
    }

    fn mark(&self, bytes: &[u8]) -> Mark {
        if is_dummy(bytes) {
            return Mark::Unknown(bytes.to_vec());
        }
        match self.resolve(bytes).first() {
            Some(h) => Mark::Code { code: h.code, exact: h.exact, twin: h.column > 0, made_for: self.made_for(h.code), poor: false },
            None => Mark::Unknown(bytes.to_vec()),
        }
    }

    /// Of what lies in the open parents of a book: what it was made to be packed in, where its delivery said so.
    pub fn made_for_in(&self, book: &Book) -> Vec<(CodeRef, CodeRef)> {
        let open = book.live_parents().map(|no| &book.parents[&no]).filter(|p| p.state == ParentState::Open);
        open.flat_map(|p| &p.children).filter_map(|c| Some((*c, self.made_for(*c)?))).collect()
    }

    /// The first damage met while reading, as a sentence.
    pub fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// The token of an order: made of the store's own number, the order's and the boot's, so that an older copy put back
    /// never asks under a token that was used since, and nobody else can guess it.
    pub fn order_token(&self, order: OrderNo, boot: &str) -> String {
        use sha2::Digest;
        let mut sha = sha2::Sha256::new();
        sha.update(b"packmark order\0");
        sha.update(self.store);
        sha.update(order.0.to_be_bytes());
        sha.update(boot.as_bytes());
        crate::vocab::code::hex(&sha.finalize()[..16])
    }

    pub fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// How match keys are made in this store; `None`: it has no codes yet.
    pub fn rule(&self) -> Option<KeyRule> {
        self.shelf.read().expect("no panic while held").rule()
    }

    /// Is there a pack of this id?
    pub fn knows(&self, id: &str) -> bool {
        self.shelf.read().expect("no panic while held").packs.values().any(|(p, _)| p.id == id)
    }

    /// Every segment of every pack; nothing is held meanwhile.
    pub(super) fn segments(&self) -> Vec<Placed> {
        self.shelf.read().expect("no panic while held").segments().cloned().collect()
    }

    /// Index entries of all segments.
    pub(super) fn entries(&self) -> u64 {
        self.shelf.read().expect("no panic while held").segments().map(|p| p.segment.entries).sum()
    }

    /// Segments and ordinals that hold this hash.
    pub(super) fn candidates(&self, hash: u64) -> Result<Vec<(Placed, u32)>, SegmentError> {
        let shelf = self.shelf.read().expect("no panic while held");
        Ok(shelf.candidates(hash, &self.untrusted)?.into_iter().map(|(p, o)| (p.clone(), o)).collect())
    }

    /// The ranges, whose first so many numbers may not come in a file.
    pub(super) fn ranges(&self) -> Vec<(String, RangeRule, KeyRule, u32)> {
        let shelf = self.shelf.read().expect("no panic while held");
        let range = |(p, s): &(PackRow, Source)| match s {
            Source::Range(rule, key) => Some((p.id.clone(), rule.clone(), *key, p.count)),
            Source::Segments { .. } => None,
        };
        shelf.packs.values().filter_map(range).collect()
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes up the merged indexes that stand there and can be trusted.
    fn load_merged(&self) {
        let known = self.segments();
        let open = |n| Merged::open(&merged::path(&self.dir, n), &self.store, &known).map(Arc::new).ok();
        let merged: [Option<Arc<Merged>>; 2] = std::array::from_fn(open);
        let covered: std::collections::HashSet<(PackNo, u32)> =
            merged.iter().flatten().flat_map(|m| m.covers.iter().map(|p| (p.no, p.first))).collect();
        let mut shelf = self.shelf.write().expect("no panic while held");
        shelf.tail = shelf.segments().filter(|p| !covered.contains(&(p.no, p.first))).cloned().collect();
        shelf.merged = merged;
    }

    /// As `tend`, if it is a matter of a moment: before a line runs that would miss it.
    pub(super) fn tend_at_once(&self) -> Result<(), MakeError> {
        const MOMENT: u64 = 2_000_000;
        if self.entries() > MOMENT { Ok(()) } else { self.tend(&mut Pace::new(None)) }
    }

    /// As `tend`, beside a running line: for a store whose index is missing, and was too large to be made at its opening.
    pub fn tend_beside_the_line(&self) -> Result<(), MakeError> {
        self.tend(&mut Pace::new(Some(pace::LINE)))
    }

    /// Brings the merged indexes up to date when too many segments would be asked one by one. Only the holder of the
    /// store's lock may, one at a time.
    pub(super) fn tend(&self, pace: &mut Pace) -> Result<(), MakeError> {
        // Whoever comes second finds it done, or does without.
        if self.tending.swap(true, Ordering::Acquire) {
            return Ok(());
        }
        let done = self.make_merged(pace);
        self.tending.store(false, Ordering::Release);
        done
    }

    fn make_merged(&self, pace: &mut Pace) -> Result<(), MakeError> {
        let (large, small, tail) = {
            let shelf = self.shelf.read().expect("no panic while held");
            if shelf.tail.len() <= TAIL && !self.untrusted.load(Ordering::Relaxed) {
                return Ok(());
            }
            if self.untrusted.load(Ordering::Relaxed) {
                (Vec::new(), Vec::new(), shelf.segments().cloned().collect())
            } else {
                let covers = |n: usize| shelf.merged[n].as_ref().map_or(Vec::new(), |m| m.covers.clone());
                (covers(0), covers(1), shelf.tail.clone())
            }
        };
        let entries = |list: &[Placed]| list.iter().map(|p| p.segment.entries).sum::<u64>();
        let mut grown = small;
        grown.extend(tail);
        let whole = large.is_empty() || entries(&grown) * GROWTH > entries(&large);
        let n = usize::from(!whole);
        if whole {
            grown.splice(0..0, large);
        }
        grown.truncate(merged::MAX_SEGMENTS);
        Merged::make(&merged::path(&self.dir, n), &self.store, &grown, pace)?;
        if whole {
            // What it held is in the large one now.
            let _ = std::fs::remove_file(merged::path(&self.dir, 1));
        }
        self.untrusted.store(false, Ordering::Relaxed);
        self.load_merged();
        Ok(())
    }

    /// Removes what belongs to no accepted pack: what an import that did not end left. Only the holder of the lock may.
    pub fn sweep(&self) -> std::io::Result<()> {
        let known: Vec<PathBuf> = {
            let shelf = self.shelf.read().expect("no panic while held");
            let mut known: Vec<PathBuf> = shelf.segments().map(|p| p.segment.path.clone()).collect();
            known.extend(shelf.packs.values().map(|(p, _)| relation::path(&self.dir, &p.id)));
            known
        };
        self.remove_all(&["seg", "rel", "tmp", "spool", "new"], &known)
    }

    /// Removes what an import holds aside.
    pub(super) fn sweep_unfinished(&self) -> std::io::Result<()> {
        self.remove_all(&["tmp", "spool"], &[])
    }

    fn remove_all(&self, endings: &[&str], but: &[PathBuf]) -> std::io::Result<()> {
        for e in std::fs::read_dir(self.dir.join("packs"))? {
            let p = e?.path();
            let ours = p.extension().is_some_and(|x| endings.iter().any(|e| x == *e));
            if ours && !but.contains(&p) {
                std::fs::remove_file(p)?;
            }
        }
        Ok(())
    }
}
