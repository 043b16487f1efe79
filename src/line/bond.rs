//! What a thing was made to be packed in, where a delivery of pre-related rows said so: it goes into that parent or into none.
//!
//! Must never know: segments. What a code was made for comes with its resolution; that a pack is related at all, and to
//! which, is in the book. Kept here is one bond an open parent, never one a code.
//!
//! Invariants: a thing made for a parent of the level above is packed in no other; a parent that was made for certain
//! children takes no others; where nothing was said of both, everything is free.

use super::input::Mark;
use super::law::Law;
use super::live::Line;
use crate::vocab::event::Origin;
use crate::vocab::plan::{CodeSource, Station};
use crate::vocab::{CodeRef, ItemState, LevelNo, ParentNo, ParentState};

/// How a thing is bound to parents of the level above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bond {
    Free,
    To(CodeRef),
    /// To one that cannot be told: its relation is damaged. It fits nowhere.
    Lost,
}

impl<L: Law> Line<L> {
    /// How what this mark names is bound to parents of `level`.
    pub(super) fn bond(&self, mark: &Mark, level: LevelNo) -> Bond {
        let Mark::Code { code, made_for, .. } = mark else { return Bond::Free };
        if self.is_bound(*code, level) { made_for.map_or(Bond::Lost, Bond::To) } else { Bond::Free }
    }

    /// Was this made for a parent of `level`, whichever?
    pub(super) fn is_bound(&self, code: CodeRef, level: LevelNo) -> bool {
        let Origin::Related { parents, .. } = self.book.packs[&code.pack].origin else { return false };
        self.book.packs.get(&parents).is_some_and(|p| p.level == self.plan.level(level).name)
    }

    /// May a thing so bound lie in the parent that carries `own`? A parent has its own children or free ones, never both.
    fn fits(&self, bond: Bond, level: LevelNo, own: CodeRef) -> bool {
        match bond {
            Bond::To(parent) => parent == own,
            Bond::Lost => false,
            Bond::Free => {
                let below = self.plan.child_level(level).map(|l| &l.name);
                let its = |p: &super::rows::PackRow| matches!(p.origin, Origin::Related { parents, .. } if parents == own.pack);
                !self.book.packs.values().any(|p| its(p) && Some(&p.level) == below)
            }
        }
    }

    /// As `fits`, for a thing in a frame. What the parent is may still come in a later frame; one whose number is made
    /// here is nobody's.
    pub(super) fn frame_fits(&self, bond: Bond, level: LevelNo, own: Option<CodeRef>) -> bool {
        match own {
            Some(own) => self.fits(bond, level, own),
            None => self.plan.level(level).codes != CodeSource::Generated || bond == Bond::Free,
        }
    }

    /// May a thing so bound join what is open at a station? Before the parent's own code is read, all of it are bound alike.
    pub(super) fn joins(&self, s: &Station, open: Option<ParentNo>, bond: Bond) -> bool {
        if self.plan.level(s.level).codes == CodeSource::Generated {
            return bond == Bond::Free;
        }
        match open.map(|no| (no, self.book.parents[&no].code)) {
            Some((_, Some(own))) => self.fits(bond, s.level, own),
            Some((no, None)) => self.bonds.get(&no).is_none_or(|b| *b == bond) && bond != Bond::Lost,
            None => bond != Bond::Lost,
        }
    }

    /// May what is open at a station, its children gathered, carry this code?
    pub(super) fn may_carry(&self, s: &Station, open: ParentNo, own: CodeRef) -> bool {
        self.bonds.get(&open).is_none_or(|bond| self.fits(*bond, s.level, own))
    }

    /// What a parent's children are bound to is kept while it is open.
    pub(super) fn bind(&mut self, parent: ParentNo, bond: Bond) {
        self.bonds.retain(|no, _| self.book.parents.get(no).is_some_and(|p| p.state == ParentState::Open));
        if self.book.parents[&parent].state == ParentState::Open {
            self.bonds.insert(parent, bond);
        }
    }

    /// The children of open parents outlive a boot; what they were made for is looked up again.
    pub(super) fn remember_bonds(&mut self, made_for: &[(CodeRef, CodeRef)]) {
        for no in self.book.live_parents().collect::<Vec<_>>() {
            let p = &self.book.parents[&no];
            let Some(child) = p.children.first().copied().filter(|_| p.state == ParentState::Open) else { continue };
            let made_for = made_for.iter().find(|m| m.0 == child).map(|m| m.1);
            // A name of a level that the plan knows no more binds nothing here.
            if self.plan.levels.iter().any(|l| l.no == p.level) {
                let bond = self.bond(&Mark::Code { code: child, exact: true, twin: false, made_for, poor: false }, p.level);
                self.bind(no, bond);
            }
        }
    }

    /// A pre-printed code that is on no parent yet, sealed or open.
    pub(super) fn number_is_free(&self, code: CodeRef) -> bool {
        let live = |no| matches!(self.book.parents[&no].state, ParentState::Open | ParentState::Closed | ParentState::Labelling);
        matches!(self.book.state(code), ItemState::Pooled | ItemState::Leased) && !self.book.parent_of_number(code).is_some_and(live)
    }
}
