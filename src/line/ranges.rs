//! Which ranges a plan wants, against those the book already has: applied as new ones, or refused; never passed over.
//!
//! Invariants: a number belongs to one range only; what was issued stays with the range that issued it; a range that
//! gives way keeps what it issued and gives up the rest.

use super::book::Book;
use super::rows::PackRow;
use crate::vocab::event::Origin;
use crate::vocab::plan::{CodeSource, Level, Plan};
use crate::vocab::sscc::RangeRule;
use crate::vocab::{CodeRef, Event, PackNo};

/// The range a level burns its numbers from.
pub fn active<'a>(book: &'a Book, level: &Level) -> Option<&'a PackRow> {
    let rule = level.range.as_ref()?;
    // One that was cut gave its rest up: it is not the configured range any more.
    let wanted = |p: &&PackRow| p.level == level.name && rule_of(p) == Some(rule) && p.count == rule.count();
    book.packs.values().find(wanted)
}

fn rule_of(p: &PackRow) -> Option<&RangeRule> {
    match &p.origin {
        Origin::Range(rule) => Some(rule),
        Origin::Segments { .. } | Origin::Related { .. } => None,
    }
}

/// The events that make the plan's ranges those of the book, or a sentence for each that cannot be: what, and what would
/// be right. `restored`: codes that an older copy of the ledger does not know to be sent.
pub fn changes(plan: &Plan, book: &Book, restored: &[CodeRef]) -> Result<Vec<Event>, Vec<String>> {
    let (mut events, mut refused) = (Vec::new(), Vec::new());
    let mut next = book.packs.keys().next_back().map_or(1, |p| p.0 + 1);
    let issued = |p: &PackRow| {
        let beyond = restored.iter().filter(|c| c.pack == p.no).map(|c| c.ordinal + 1).max();
        p.next.max(beyond.unwrap_or(0)).min(p.count)
    };
    for level in plan.levels.iter().filter(|l| l.codes == CodeSource::Generated) {
        let Some(rule) = level.range.clone().filter(|_| active(book, level).is_none()) else { continue };
        let mut fits = true;
        for p in book.packs.values() {
            let Some(old) = rule_of(p) else { continue };
            let n = issued(p);
            if old.part(0, n).is_some_and(|part| rule.overlaps(&part)) {
                fits = false;
                refused.push(format!(
                    "[[level]] {}: its range holds numbers that {} issued already ({} to {}); set start above {} or take another prefix",
                    level.name,
                    p.id,
                    old.start(),
                    old.start() + u64::from(n) - 1,
                    old.start() + u64::from(n) - 1,
                ));
            } else if old.part(n, p.count - n).is_some_and(|rest| rule.overlaps(&rest)) {
                let other = plan.levels.iter().find(|l| l.name != level.name && active(book, l).is_some_and(|a| a.no == p.no));
                match other {
                    Some(other) => {
                        fits = false;
                        refused.push(format!(
                            "[[level]] {}: its range overlaps that of level {}; give both an end, or another prefix",
                            level.name, other.name
                        ));
                    }
                    None if p.count > n => events.push(Event::RangeCut { pack: p.no, count: n }),
                    None => {}
                }
            }
        }
        if fits {
            let used = |id: &str| book.packs.values().any(|p| p.id == id);
            let plain = format!("range-{}", level.name);
            let id = std::iter::once(plain.clone()).chain((2..).map(|n| format!("{plain}-{n}"))).find(|id| !used(id));
            let (pack, count) = (PackNo(next), rule.count());
            next += 1;
            events.push(Event::PackAccepted {
                pack,
                id: id.unwrap_or(plain),
                level: level.name.clone(),
                product: "*".into(),
                count,
                origin: Origin::Range(rule),
            });
        }
    }
    // Two ranges may make the same old one give way: once is enough.
    events.dedup();
    if refused.is_empty() { Ok(events) } else { Err(refused) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::plan::Limits;
    use crate::vocab::{JobNo, LevelNo};

    fn sscc(start: u64) -> RangeRule {
        RangeRule::Sscc { prefix: "6901234".into(), extension: 0, start }
    }

    fn plan(ranges: &[(&str, RangeRule)]) -> Plan {
        let level = |(i, (name, rule)): (usize, &(&str, RangeRule))| Level {
            no: LevelNo(i as u8),
            name: (*name).into(),
            codes: CodeSource::Generated,
            holds: 2,
            range: Some(rule.clone()),
        };
        let p = crate::vocab::plan::Plan {
            line: "L".into(),
            name: String::new(),
            site: String::new(),
            language: crate::vocab::plan::Language::English,
            timezone: "UTC".into(),
            resume_after_crash: true,
            min_spacing_ms: 100,
            fail_open_accepted: false,
            run_permit: None,
            stack_light: None,
            products: Vec::new(),
            levels: Vec::new(),
            devices: Vec::new(),
            stations: Vec::new(),
            limits: Limits::default(),
            supplies: Vec::new(),
            codes: Default::default(),
            packs: Default::default(),
        };
        Plan { levels: ranges.iter().enumerate().map(level).collect(), ..p }
    }

    /// A book in which these ranges were registered and `issued` numbers of the first burnt.
    fn book(ranges: &[(&str, RangeRule)], issued: u32) -> Book {
        let mut b = Book::default();
        let take = |b: &mut Book, events: Vec<Event>| events.iter().for_each(|e| b.apply(e));
        let events = changes(&plan(ranges), &b, &[]).unwrap();
        take(&mut b, events);
        let job = Event::JobCreated { job: JobNo(1), id: "J".into(), product: "P".into(), lot: "A".into(), target: None, expiry: None };
        take(&mut b, vec![job]);
        for from in 0..issued {
            let pack = PackNo(1);
            take(&mut b, vec![Event::Leased { job: JobNo(1), pack, from, count: 1 }]);
            take(&mut b, vec![Event::Sent { device: crate::vocab::DeviceNo(0), codes: vec![CodeRef::new(pack, from)] }]);
        }
        b
    }

    #[test]
    fn the_same_plan_changes_nothing() {
        let ranges = [("case", sscc(1)), ("pallet", RangeRule::Sscc { prefix: "6901234".into(), extension: 1, start: 1 })];
        assert!(changes(&plan(&ranges), &book(&ranges, 3), &[]).unwrap().is_empty());
    }

    #[test]
    fn a_higher_start_is_a_new_range_and_the_old_one_gives_up_its_rest() {
        let mut b = book(&[("case", sscc(1))], 3);
        let new = plan(&[("case", sscc(5000))]);
        let events = changes(&new, &b, &[]).unwrap();
        assert_eq!(events[0], Event::RangeCut { pack: PackNo(1), count: 3 });
        assert!(matches!(&events[1], Event::PackAccepted { pack: PackNo(2), id, .. } if id == "range-case-2"), "{events:?}");
        events.iter().for_each(|e| b.apply(e));
        assert_eq!(active(&b, &new.levels[0]).unwrap().no, PackNo(2));
        assert!(changes(&new, &b, &[]).unwrap().is_empty(), "applied once");
        // Back to the old: its numbers were issued.
        let e = changes(&plan(&[("case", sscc(1))]), &b, &[]).unwrap_err();
        assert!(e[0].contains("range-case issued already (1 to 3); set start above 3"), "{e:?}");
        // And above, where nothing was issued yet: the second gives way.
        let third = changes(&plan(&[("case", sscc(4))]), &b, &[]).unwrap();
        assert_eq!(third[0], Event::RangeCut { pack: PackNo(2), count: 0 });
    }

    #[test]
    fn a_start_at_or_below_what_was_issued_is_refused() {
        let b = book(&[("case", sscc(10))], 3);
        for start in [1, 10, 12] {
            assert!(changes(&plan(&[("case", sscc(start))]), &b, &[]).is_err() == (start != 10), "{start}");
        }
        assert!(changes(&plan(&[("case", sscc(13))]), &b, &[]).is_ok());
        // What an older copy does not know to be issued counts as issued.
        let restored: Vec<CodeRef> = (3..20).map(|o| CodeRef::new(PackNo(1), o)).collect();
        assert!(changes(&plan(&[("case", sscc(13))]), &b, &restored).is_err());
        assert!(changes(&plan(&[("case", sscc(30))]), &b, &restored).is_ok());
    }

    #[test]
    fn another_prefix_leaves_the_old_range_whole_and_it_goes_on_later() {
        let mut b = book(&[("case", sscc(1))], 3);
        let other = RangeRule::Sscc { prefix: "6909999".into(), extension: 0, start: 1 };
        let events = changes(&plan(&[("case", other)]), &b, &[]).unwrap();
        assert_eq!(events.len(), 1, "nothing is cut: {events:?}");
        events.iter().for_each(|e| b.apply(e));
        let back = plan(&[("case", sscc(1))]);
        assert!(changes(&back, &b, &[]).unwrap().is_empty());
        assert_eq!(active(&b, &back.levels[0]).map(|p| (p.no, p.next)), Some((PackNo(1), 3)), "where it stood");
    }

    #[test]
    fn a_range_in_use_by_another_level_is_not_cut() {
        let b = book(&[("case", sscc(1))], 0);
        let mut both = plan(&[("case", sscc(1)), ("pallet", sscc(500))]);
        both.levels[1].no = LevelNo(7);
        let e = changes(&both, &b, &[]).unwrap_err();
        assert!(e[0].contains("[[level]] pallet: its range overlaps that of level case"), "{e:?}");
    }
}
