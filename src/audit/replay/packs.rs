//! What the journal tells of whole packs: used elsewhere, withdrawn; held against the codes' own lines and the dump.

use super::{At, Replay};
use crate::audit::lines::JournalLine;
use crate::audit::names::No;
use crate::audit::stand::Stand;
use crate::audit::verdict::Complaints;
use crate::vocab::{ItemState as S, Promise};

/// A pack as the journal tells it.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    used: bool,
    /// Void or returned, how many codes, and where it was told.
    withdrawn: Option<(S, u64, u64)>,
    /// Codes whose own lines say that they were withdrawn with it.
    lines: u64,
}

impl Replay {
    pub(super) fn pack_used(&mut self, l: &JournalLine<'_>, at: &mut At<'_>) {
        match l.pack.as_deref() {
            Some(pack) => self.packs.entry(pack.into()).or_default().used = true,
            None => at.blame(Promise::NothingForgotten, None, "a pack of codes used elsewhere has no name"),
        }
    }

    pub(super) fn pack_withdrawn(&mut self, l: &JournalLine<'_>, at: &mut At<'_>) {
        let to = l.to.as_deref().and_then(S::from_word).filter(|s| matches!(s, S::Void | S::Returned));
        let (Some(pack), Some(to), Some(count)) = (l.pack.as_deref(), to, l.count) else {
            return at.blame(Promise::Balance, None, "a withdrawal without pack, state and count");
        };
        let told = self.packs.entry(pack.into()).or_default();
        if told.withdrawn.is_some() || told.used {
            at.blame(Promise::Balance, None, format!("pack {pack} is withdrawn a second time"));
        }
        told.withdrawn = Some((to, count, at.seq));
    }

    /// A code's own line names a pack: it was withdrawn with it.
    pub(super) fn withdrawn_with(&mut self, pack: &str, code: No, to: S, at: &mut At<'_>) {
        if at.stand.place(code).is_some_and(|(pack, ordinal)| self.is_leased(pack, ordinal)) {
            at.blame(Promise::Balance, Some(code), format!("{to} with pack {pack} while a job holds it"));
        }
        let told = self.packs.entry(pack.into()).or_default();
        told.lines += 1;
        if !told.withdrawn.is_some_and(|w| w.0 == to) {
            at.blame(Promise::Balance, Some(code), format!("{to} with pack {pack}, which is not"));
        }
    }

    pub(super) fn returned(&mut self, code: No, at: &mut At<'_>) {
        self.move_code(code, S::Returned, Promise::OnceInked, at);
    }

    /// Is this pack closed to leases?
    pub(super) fn is_closed(&self, pack: &str) -> bool {
        self.packs.get(pack).is_some_and(|p| p.used || p.withdrawn.is_some())
    }

    /// A code on the market already may not be passed here.
    pub(super) fn not_used_elsewhere(&self, code: No, at: &mut At<'_>) {
        let used = at.stand.place(code).is_some_and(|(pack, _)| self.packs.get(pack).is_some_and(|p| p.used));
        if used {
            at.blame(Promise::OnceInked, Some(code), "passed as good although its pack is on the market already");
        }
    }

    /// The packs against their codes' lines and the dump.
    pub fn packs_close(&self, stand: &Stand, out: &mut Complaints) {
        let mut packs: Vec<(&String, &Told)> = self.packs.iter().collect();
        packs.sort_by_key(|p| p.0);
        for (pack, told) in packs {
            let Some((to, count, seq)) = told.withdrawn else { continue };
            if told.lines != count {
                let text = format!("pack {pack} was withdrawn with {count} codes, {} of them are told {to}", told.lines);
                out.blame(Promise::Balance, Some(seq), None, text);
            }
            if stand.pack_untouched(pack).is_some_and(|n| n > 0) {
                let text = format!("pack {pack} was withdrawn, but the dump has untouched codes of it");
                out.blame(Promise::Balance, Some(seq), None, text);
            }
        }
        for (pack, used) in stand.packs_used() {
            if used != self.packs.get(pack).is_some_and(|p| p.used) {
                let text = format!("dump and journal do not agree whether the codes of pack {pack} are used elsewhere");
                out.blame(Promise::NothingForgotten, None, None, text);
            }
        }
    }
}
