//! Packs as the line sees them: which may still be leased from, warnings before they run out or expire, withdrawal.
//!
//! Invariants: nothing of a closed or expired pack is put on a thing; a withdrawal takes every unused code of a pack at
//! once, never one that was sent; expiry goes by the latest trusted time.

use super::book::Book;
use super::input::{Answer, Withdrawal};
use super::law::Law;
use super::live::Line;
use super::ranges;
use super::rows::PackRow;
use crate::vocab::event::{Event, MAX_RUN, Seen};
use crate::vocab::plan::CodeSource;
use crate::vocab::time::{MS, day, day_of};
use crate::vocab::{ItemState, Reason};
use std::collections::BTreeSet;

/// How often pools are held against their low-water marks.
const REVIEW_US: u64 = 1_000 * MS;
/// Longest reason of a withdrawal, and longest name of who did it, in bytes.
pub const MAX_REASON: usize = 256;

/// The events that take a pack's unused codes out of the pool for ever, or why not.
pub fn withdraw(book: &Book, w: &Withdrawal) -> Result<Vec<Event>, Answer> {
    let word = if w.to == ItemState::Void { "voided" } else { "returned" };
    let fit = |s: &str| !s.trim().is_empty() && s.len() <= MAX_REASON && !s.chars().any(char::is_control);
    if !fit(&w.reason) || !w.who.as_deref().is_none_or(fit) {
        let what = format!("a reason is 1 to {MAX_REASON} bytes of text on one line, and so is a name");
        return Err(Answer::refused("bad-reason", what, "say why in a few words"));
    }
    let Some(p) = book.packs.values().find(|p| p.id == w.pack) else {
        return Err(Answer::refused("unknown-pack", format!("there is no pack {}", w.pack), "see packmark pack list"));
    };
    if p.is_range() {
        let what = format!("{} is a range: its numbers are made here and cannot be {word}", p.id);
        return Err(Answer::refused("range", what, "give the level another range in the configuration"));
    }
    if p.used {
        let what = format!("the codes of pack {} are on the market already; none of them is unused", p.id);
        return Err(Answer::refused("pack-used", what, "nothing is left to do"));
    }
    if let Some(done) = &p.withdrawn {
        let what = format!("the unused codes of pack {} are {} already ({})", p.id, done.to, done.reason);
        return Err(Answer::refused("pack-withdrawn", what, "see packmark pack show"));
    }
    let named = book.live_parents().find(|no| book.parents[no].code.is_some_and(|c| c.pack == p.no));
    if let Some(no) = named {
        let what = format!("a code of pack {} is on parent {}, which is open", p.id, no.0);
        return Err(Answer::refused("parent-open", what, "finish it, or say that its station is empty (packmark station clear)"));
    }
    let seen = book.looked_at(p.no);
    let runs = book.untouched_runs(p);
    let count: u32 = runs.iter().map(|r| r.1).sum();
    if count == 0 && seen.is_empty() {
        let what = format!("every code of pack {} was used; nothing can be {word}", p.id);
        return Err(Answer::refused("pack-empty", what, "see packmark pack show"));
    }
    let mut events = Vec::new();
    // What a job holds and has not sent goes back first, the newest lease before the older ones.
    for l in book.leases.iter().rev().filter(|l| l.pack == p.no && l.count > l.used) {
        events.push(Event::Unleased { job: l.job, pack: p.no, from: l.from + l.used, count: l.count - l.used });
    }
    // A code that was seen although nobody used it has a carrier somewhere: it can be given back to nobody.
    events.extend(seen.chunks(MAX_RUN as usize).map(|c| Event::Void { codes: c.to_vec() }));
    let (pack, to) = (p.no, w.to);
    events.push(Event::PackWithdrawn { pack, to, count, reason: w.reason.clone(), who: w.who.clone() });
    for (first, n) in runs {
        let starts = (first..first + n).step_by(MAX_RUN as usize);
        events.extend(starts.map(|from| Event::Withdrew { pack, from, count: MAX_RUN.min(first + n - from), to }));
    }
    Ok(events)
}

/// The good answer to a withdrawal.
pub fn withdrawn(w: &Withdrawal, events: &[Event]) -> Answer {
    let count = events.iter().find_map(|e| if let Event::PackWithdrawn { count, .. } = e { Some(*count) } else { None });
    let seen: usize = events.iter().map(|e| if let Event::Void { codes } = e { codes.len() } else { 0 }).sum();
    let answer = Answer::ok().with("pack", &w.pack).with("state", w.to).with("count", count.unwrap_or(0));
    if seen > 0 { answer.with("seen", seen) } else { answer }
}

impl<L: Law> Line<L> {
    /// Today (days since 1970-01-01, UTC) by the latest trusted time.
    pub(super) fn today(&self) -> i64 {
        day_of(self.trusted_us)
    }

    /// May codes of this pack still be put on things?
    pub(super) fn may_use(&self, p: &PackRow) -> bool {
        !p.is_closed() && !p.expired_on(self.today())
    }

    /// Codes of a level that this product's jobs could still use.
    pub(super) fn pool_left(&self, level: &str, product: &str) -> u64 {
        let source = self.plan.level_named(level).map(|l| (l, l.codes));
        if let Some((l, CodeSource::Generated)) = source {
            return ranges::active(&self.book, l).map_or(0, |p| u64::from(p.count - p.next));
        }
        let mine = |p: &&PackRow| p.level == level && p.product == product && self.may_use(p);
        let job = self.book.current_job().map(|j| j.no);
        let packs = self.book.packs.values().filter(mine);
        if source.is_some_and(|s| s.1 == CodeSource::Preprinted) {
            return packs.map(|p| self.book.unused(p)).sum();
        }
        packs
            .map(|p| {
                let leased = self.book.leases.iter().filter(|l| l.pack == p.no && Some(l.job) == job);
                u64::from(p.count - p.next) + leased.map(|l| u64::from(l.count - l.used)).sum::<u64>()
            })
            .sum()
    }

    pub(super) fn withdraw_pack(&mut self, w: &Withdrawal) -> Answer {
        match withdraw(&self.book, w) {
            Ok(events) => {
                let answer = withdrawn(w, &events);
                events.into_iter().for_each(|e| self.emit(e));
                self.packs_reviewed = None;
                answer
            }
            Err(answer) => answer,
        }
    }

    /// What reads of a code of a withdrawn or foreign-used pack are worth, whatever the station.
    pub(super) fn closed_reason(&self, code: crate::vocab::CodeRef) -> Option<Reason> {
        let p = &self.book.packs[&code.pack];
        if p.used {
            // Its first carrier is on the market: this is a second one.
            return Some(Reason::Duplicate);
        }
        match self.book.state(code) {
            ItemState::Returned => Some(Reason::Void),
            ItemState::Void if p.withdrawn.is_some() => Some(Reason::Void),
            // Pre-printed, and not on a thing before its last day was over.
            ItemState::Pooled if p.expired_on(self.today()) && self.is_preprinted(&p.level) => Some(Reason::Void),
            _ => None,
        }
    }

    fn is_preprinted(&self, level: &str) -> bool {
        self.plan.level_named(level).is_some_and(|l| l.codes == CodeSource::Preprinted)
    }

    /// The first read here of a code used elsewhere is told before what is made of it: from then on it has a row.
    pub(super) fn first_seen(&self, event: &Event) -> Option<Event> {
        let (Event::Verdict { seen: Some(Seen::Known(code)), .. } | Event::Read { seen: Seen::Known(code), .. }) = event else {
            return None;
        };
        let used = self.book.packs.get(&code.pack).is_some_and(|p| p.used);
        (used && !self.book.codes.contains_key(code)).then(|| Event::Void { codes: vec![*code] })
    }

    /// Alarms about packs: when the day or the packs change. Alarms about pools: every second while a job is on the line.
    pub(super) fn packs_due(&mut self) {
        let today = self.today();
        if self.packs_reviewed != Some(today) {
            self.packs_reviewed = Some(today);
            self.review_expiry(today);
        }
        if self.now.mono_us >= self.pools_due_us {
            self.pools_due_us = self.now.mono_us + REVIEW_US;
            self.review_pools();
        }
    }

    fn review_expiry(&mut self, today: i64) {
        let soon = i64::from(self.plan.limits.pack_expiry_days);
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for p in self.book.packs.values().filter(|p| self.book.unused(p) > 0) {
            let Some(left) = p.expiry.as_deref().and_then(day).map(|last| last - today) else { continue };
            if left < 0 {
                wanted.insert(format!("pack-expired:{}", p.id));
            } else if left < soon {
                wanted.insert(format!("pack-expiring:{}", p.id));
            }
        }
        let about = |a: &&String| a.starts_with("pack-expired:") || a.starts_with("pack-expiring:");
        let over: Vec<String> = self.book.line.alarms.iter().filter(about).filter(|a| !wanted.contains(*a)).cloned().collect();
        over.iter().for_each(|a| self.lower(a));
        wanted.into_iter().for_each(|a| self.raise(a));
    }

    fn review_pools(&mut self) {
        let Some(product) = self.book.current_job().map(|j| j.product.clone()) else { return };
        let speed = u64::from(self.speed_per_min());
        let limits = self.plan.limits;
        for (i, l) in self.plan.clone().levels.iter().enumerate() {
            let generated = l.codes == CodeSource::Generated;
            let (minutes_low, codes_low, name) = match generated {
                true => (u64::from(limits.range_low_hours) * 60, 0, "range-low"),
                false => (u64::from(limits.pool_low_minutes), u64::from(limits.pool_low_codes), "pool-low"),
            };
            if minutes_low + codes_low == 0 {
                continue;
            }
            let codes = self.pool_left(&l.name, &product);
            let each: u64 = self.plan.levels[1..=i].iter().map(|l| u64::from(l.holds)).product();
            let minutes = (speed > 0).then(|| codes.saturating_mul(each.max(1)) / speed);
            let name = format!("{name}:{}", l.name);
            let short = |minutes_low, codes_low| codes < codes_low || minutes.is_some_and(|m| m < minutes_low);
            if short(minutes_low, codes_low) {
                self.raise(name);
            } else if (minutes.is_some() || minutes_low == 0) && !short(minutes_low + minutes_low / 5, codes_low) {
                // A fifth more than the mark: a speed that wavers does not make the alarm come and go.
                self.lower(&name);
            }
        }
    }
}
