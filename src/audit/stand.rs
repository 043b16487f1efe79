//! What the tables say: the dump, checked against itself, then against the journal.

use super::lines::DumpLine;
use super::names::{Names, No, is_hex};
use super::replay::{Parent, Replay};
use super::verdict::Complaints;
use crate::vocab::{ItemState as S, ParentState as P, Promise, Reason};
use std::collections::{BTreeSet, HashMap};

#[derive(Clone, Debug)]
pub struct CodeRow {
    pub level: No,
    pub state: S,
    pub pack: No,
    pub ordinal: u64,
    /// The number of the parent it is in, from `closed` on.
    pub parent: Option<No>,
    pub reason: Option<Reason>,
    pub seen: u64,
    /// The number of the parent it was made to be packed in, as its delivery said.
    pub made_for: Option<No>,
}

#[derive(Clone, Debug)]
pub struct ParentRow {
    pub id: String,
    pub code: Option<No>,
    pub level: No,
    pub state: P,
    pub children: BTreeSet<No>,
}

#[derive(Clone, Debug)]
struct PackRow {
    level: No,
    generated: bool,
    count: u64,
    untouched: u64,
    /// Its codes are on the market already.
    used: bool,
    /// The pack of what its items were made to be packed in.
    made_for: Option<No>,
    lines: u64,
}

#[derive(Default)]
pub struct Stand {
    rows: Vec<Option<CodeRow>>,
    parents: Vec<ParentRow>,
    packs: HashMap<No, PackRow>,
    /// Names of packs and of levels.
    pub words: Names,
    places: HashMap<(No, u64), No>,
}

impl Stand {
    pub fn row(&self, code: No) -> Option<&CodeRow> {
        self.rows.get(code as usize)?.as_ref()
    }

    /// Pack and ordinal of a touched code.
    pub fn place(&self, code: No) -> Option<(&str, u64)> {
        self.row(code).map(|r| (self.words.text(r.pack), r.ordinal))
    }

    pub fn pack_count(&self, pack: &str) -> Option<u64> {
        self.words.known(pack).and_then(|p| self.packs.get(&p)).map(|p| p.count)
    }

    pub fn pack_untouched(&self, pack: &str) -> Option<u64> {
        self.words.known(pack).and_then(|p| self.packs.get(&p)).map(|p| p.untouched)
    }

    /// Every pack in the order of names, and whether its codes are used elsewhere.
    pub fn packs_used(&self) -> Vec<(&str, bool)> {
        let mut packs: Vec<(&str, bool)> = self.packs.iter().map(|(no, p)| (self.words.text(*no), p.used)).collect();
        packs.sort_unstable();
        packs
    }

    /// Does this code come from a range (a pack of product `*`)?
    pub fn is_generated(&self, code: No) -> bool {
        self.row(code).and_then(|r| self.packs.get(&r.pack)).is_some_and(|p| p.generated)
    }

    pub fn hear(&mut self, l: &DumpLine<'_>, codes: &mut Names, out: &mut Complaints) {
        let whole = match &*l.k {
            "code" => self.hear_code(l, codes, out),
            "parent" => self.hear_parent(l, codes),
            "pack" => self.hear_pack(l),
            _ => Some(()),
        };
        if whole.is_none() {
            let text = format!("a “{}” line of the dump is not whole, or says an unknown word", &*l.k);
            out.blame(Promise::NothingForgotten, None, l.hex.as_deref(), text);
        }
    }

    fn hear_code(&mut self, l: &DumpLine<'_>, codes: &mut Names, out: &mut Complaints) -> Option<()> {
        let hex = l.hex.as_deref()?;
        if !is_hex(hex) {
            out.blame(Promise::ByteExact, None, Some(hex), "not the lower-case hex of a code");
            return Some(());
        }
        let code = codes.number(hex);
        let reason = match l.reason.as_deref() {
            Some(r) => Some(Reason::from_word(r)?),
            None => None,
        };
        let row = CodeRow {
            level: self.words.number(l.level.as_deref()?),
            state: S::from_word(l.state.as_deref()?)?,
            pack: self.words.number(l.pack.as_deref()?),
            ordinal: l.ordinal?,
            parent: l.parent.as_deref().map(|p| codes.number(p)),
            reason,
            seen: l.seen?,
            made_for: l.made_for.as_deref().map(|p| codes.number(p)),
        };
        if self.places.insert((row.pack, row.ordinal), code).is_some() {
            out.blame(Promise::OnceInked, None, Some(hex), "another code stands at the same place of the same pack");
        }
        if self.row(code).is_some() {
            out.blame(Promise::OnceInked, None, Some(hex), "the code stands twice in the book");
        }
        let at = code as usize;
        if self.rows.len() <= at {
            self.rows.resize(at + 1, None);
        }
        self.rows[at] = Some(row);
        Some(())
    }

    fn hear_parent(&mut self, l: &DumpLine<'_>, codes: &mut Names) -> Option<()> {
        self.parents.push(ParentRow {
            id: l.id.as_ref()?.as_text().into_owned(),
            code: l.hex.as_deref().map(|h| codes.number(h)),
            level: self.words.number(l.level.as_deref()?),
            state: P::from_word(l.state.as_deref()?)?,
            children: l.children.as_ref()?.iter().map(|c| codes.number(c)).collect(),
        });
        Some(())
    }

    fn hear_pack(&mut self, l: &DumpLine<'_>) -> Option<()> {
        let pack = self.words.number(l.pack.as_deref()?);
        let level = self.words.number(l.level.as_deref()?);
        let generated = l.product.as_deref()? == "*";
        let made_for = l.made_for.as_deref().map(|p| self.words.number(p));
        let (count, untouched, used) = (l.count?, l.untouched?, l.used == Some(true));
        let row = PackRow { level, generated, count, untouched, used, made_for, lines: 0 };
        self.packs.insert(pack, row);
        Some(())
    }

    /// The dump against itself.
    pub fn check(&self, codes: &Names, out: &mut Complaints) {
        let mut holder: HashMap<No, &str> = HashMap::new();
        let mut numbers: HashMap<No, &str> = HashMap::new();
        // The level of the children of a level, as its first parent has it.
        let mut below: HashMap<No, No> = HashMap::new();
        for p in &self.parents {
            let own = p.code.map(|c| codes.text(c));
            let mut wrong = |text: String| out.blame(Promise::OneParent, None, own, text);
            let id = &p.id;
            if p.code.is_none() && !matches!(p.state, P::Open | P::Void) {
                wrong(format!("parent {id} is {} without a number", p.state));
            }
            if let Some(c) = p.code.filter(|_| matches!(p.state, P::Closed | P::Labelling | P::Sealed))
                && let Some(other) = numbers.insert(c, id)
            {
                wrong(format!("parents {other} and {id} have the same number"));
            }
            if matches!(p.state, P::Void | P::Broken) && !p.children.is_empty() {
                wrong(format!("parent {id} is {} and still has children", p.state));
            }
            if p.state == P::Sealed {
                let state = p.code.and_then(|c| self.row(c)).map(|r| r.state);
                if !matches!(state, Some(S::Verified | S::Packed | S::Sampled | S::Destroyed | S::Returned)) {
                    wrong(format!("parent {id} is sealed, but its number is {}", state.map_or("unknown", S::word)));
                }
            }
            for c in &p.children {
                if let Some(other) = holder.insert(*c, id) {
                    wrong(format!("{} is in parent {other} and in parent {id}", codes.text(*c)));
                }
                self.check_child(p, *c, &mut below, codes, &mut wrong);
                self.check_bond(p, *c, codes, &mut wrong);
            }
        }
        for (code, row) in self.rows.iter().enumerate().filter_map(|(n, r)| Some((n as No, r.as_ref()?))) {
            let hex = Some(codes.text(code));
            let held = holder.contains_key(&code);
            if !held && (row.parent.is_some() || row.state == S::Packed) {
                out.blame(Promise::OneParent, None, hex, format!("the code is {}, but no parent lists it", row.state));
            }
            if self.packs.get(&row.pack).is_some_and(|p| p.level != row.level || row.ordinal >= p.count) {
                out.blame(Promise::Balance, None, hex, "the code's level or place is not of its pack");
            }
        }
    }

    fn check_child(&self, p: &ParentRow, c: No, below: &mut HashMap<No, No>, codes: &Names, wrong: &mut impl FnMut(String)) {
        let (id, hex) = (&p.id, codes.text(c));
        let Some(row) = self.row(c) else { return wrong(format!("{hex} in parent {id} has no line of its own")) };
        let bound = p.state != P::Open;
        if row.parent != p.code.filter(|_| bound) {
            wrong(format!("{hex} is listed by parent {id}, but its own line names another parent, or none"));
        }
        if (row.state == S::Packed) != (p.state == P::Sealed) || !matches!(row.state, S::Packed | S::Verified) {
            wrong(format!("{hex} is {} in parent {id}, which is {}", row.state, p.state));
        }
        if row.level == p.level || *below.entry(p.level).or_insert(row.level) != row.level {
            wrong(format!(
                "{hex} in parent {id} is of level {}, which does not go into {}",
                self.words.text(row.level),
                self.words.text(p.level)
            ));
        }
    }

    /// What was made for one parent is in that one or in none; a parent that was made for children has no others.
    fn check_bond(&self, p: &ParentRow, c: No, codes: &Names, wrong: &mut impl FnMut(String)) {
        let Some(row) = self.row(c) else { return };
        let (id, hex) = (&p.id, codes.text(c));
        // Rows may name a level that is not the next one up here: they say nothing of this parent.
        let above = self.packs.get(&row.pack).and_then(|k| self.packs.get(&k.made_for?)).map(|k| k.level);
        let made_for = row.made_for.filter(|_| above.is_none_or(|l| l == p.level));
        // Until its own code is read, a parent's children were all made for the same.
        let first = || p.children.first().and_then(|f| self.row(*f)?.made_for);
        let own = p.code.or_else(first);
        match made_for {
            Some(m) if own != Some(m) => wrong(format!("{hex} is in parent {id}, but it was made for {}", codes.text(m))),
            Some(_) => {}
            None => {
                let of = p.code.and_then(|own| self.row(own)).map(|r| r.pack);
                let has_its_own = |k: &PackRow| k.level == row.level && k.made_for.is_some() && k.made_for == of;
                if self.packs.values().any(has_its_own) {
                    wrong(format!("{hex} is in parent {id}, which was made for other children"));
                }
            }
        }
    }

    /// The dump against the journal; answers how far the codes are from closing, over all packs.
    pub fn compare(&mut self, replay: &Replay, codes: &Names, out: &mut Complaints) -> i64 {
        let printed: BTreeSet<No> =
            (0..codes.len() as No).filter(|c| replay.code(*c).sent.is_some()).filter_map(|c| Some(self.row(c)?.pack)).collect();
        for code in 0..codes.len() as No {
            let told = replay.codes.get(code as usize);
            let hex = Some(codes.text(code));
            let Some(row) = self.rows.get(code as usize).and_then(Option::as_ref) else {
                if told.is_some_and(|t| t.must_stand) {
                    out.blame(Promise::NothingForgotten, None, hex, "the journal knows this code, the dump does not");
                }
                continue;
            };
            let Some(told) = told else {
                out.blame(Promise::NothingForgotten, None, hex, format!("the dump says {}, the journal never names it", row.state));
                continue;
            };
            // Leased is a property of ranges: untouched codes have it without a line.
            let (pool, pooled) = (matches!(told.state, S::Pooled | S::Leased), matches!(row.state, S::Pooled | S::Leased));
            let same = row.state == told.state || (pool && pooled) || (told.maybe_rejected && row.state == S::Rejected);
            if !same {
                let text = format!("the dump says {}, the journal makes it {}", row.state, told.state);
                out.blame(Promise::NothingForgotten, None, hex, text);
            } else if row.state == S::Rejected && !told.maybe_rejected && row.reason != told.reason {
                let text = format!("rejected for {}, but the journal says {}", or_none(row.reason), or_none(told.reason));
                out.blame(Promise::NothingForgotten, None, hex, text);
            }
            if row.seen != told.seen {
                let text = format!("the dump says seen {} times, the journal {}", row.seen, told.seen);
                out.blame(Promise::NothingForgotten, None, hex, text);
            }
            let parent = told.parent.and_then(|p| replay.parents.get(&p)).filter(|p| p.state != P::Open).and_then(|p| p.code);
            if row.parent != parent {
                out.blame(Promise::OneParent, None, hex, "dump and journal do not name the same parent of this code");
            }
            if let (Some((_, seq)), None, false) = (told.verified, told.sent, told.restored)
                && printed.contains(&row.pack)
                && !self.is_generated(code)
            {
                out.blame(Promise::DoubtIsFinal, Some(seq), hex, "verified without ever having been sent to a printer");
            }
        }
        self.compare_parents(replay, codes, out);
        self.codes_off(out)
    }

    fn compare_parents(&self, replay: &Replay, codes: &Names, out: &mut Complaints) {
        let mut seen: BTreeSet<No> = BTreeSet::new();
        for row in &self.parents {
            let own = row.code.map(|c| codes.text(c));
            let told: Option<(No, &Parent)> = replay.ids.known(&row.id).and_then(|n| Some((n, replay.parents.get(&n)?)));
            let Some((no, told)) = told else {
                out.blame(Promise::OneParent, None, own, format!("the journal never opened parent {}", row.id));
                continue;
            };
            if !seen.insert(no) {
                out.blame(Promise::OneParent, None, own, format!("parent {} stands twice in the dump", row.id));
            }
            let level = told.level.map(|l| replay.levels.text(l));
            if told.state != row.state || told.code != row.code || level.is_some_and(|l| l != self.words.text(row.level)) {
                let text = format!(
                    "parent {} is {} in the dump and {} in the journal, or its number or level differs",
                    row.id, row.state, told.state
                );
                out.blame(Promise::OneParent, told.sealed_seq, own, text);
            }
            for c in told.children.symmetric_difference(&row.children) {
                let text = format!("in parent {} by only one of dump and journal", row.id);
                out.blame(Promise::OneParent, told.sealed_seq, Some(codes.text(*c)), text);
            }
        }
        for no in replay.parents.keys().filter(|n| !seen.contains(n)) {
            out.blame(Promise::OneParent, None, None, format!("parent {} is in the journal, not in the dump", replay.ids.text(*no)));
        }
    }

    /// Code lines + untouched = count, pack by pack.
    fn codes_off(&mut self, out: &mut Complaints) -> i64 {
        for row in self.rows.iter().flatten() {
            match self.packs.get_mut(&row.pack) {
                Some(p) => p.lines += 1,
                None => out.blame(Promise::Balance, None, None, format!("codes of pack {} have no pack", self.words.text(row.pack))),
            }
        }
        let mut off = 0;
        let mut packs: Vec<_> = self.packs.iter().collect();
        packs.sort_by_key(|p| *p.0);
        for (pack, p) in packs {
            let by = (p.lines + p.untouched) as i64 - p.count as i64;
            if by != 0 {
                let text = format!(
                    "pack {}: {} code lines and {} untouched are not its {} codes",
                    self.words.text(*pack),
                    p.lines,
                    p.untouched,
                    p.count
                );
                out.blame(Promise::Balance, None, None, text);
            }
            off += by.abs();
        }
        off
    }
}

fn or_none(r: Option<Reason>) -> &'static str {
    r.map_or("nothing", Reason::word)
}
