//! How fast codes of a level were used lately, told from the journal: what a pack's minutes are counted by while no line
//! runs.
//!
//! Invariant: a speed is of one stretch of work, the last one, never of a standstill between two.

use super::reader::{ReadError, Snapshot};
use crate::vocab::event::{Event, Seen};
use crate::vocab::{CodeRef, PackNo};
use std::collections::BTreeSet;

/// Events looked at, from the newest back.
const LOOK: u64 = 20_000;
/// The last stretch of work is at most so long,
const STRETCH_US: i64 = 30 * 60 * 1_000_000;
/// and ends where no code was used for so long.
const PAUSE_US: i64 = 5 * 60 * 1_000_000;
/// What took less is no speed.
const SHORTEST_US: i64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed {
    pub per_min: u64,
    /// When the last of these codes was used, wall clock.
    pub at_us: i64,
}

impl Snapshot {
    /// Codes of a level used a minute, when they were last used. `None`: too few were, or too long ago in the journal.
    pub fn last_speed(&self, level: &str) -> Result<Option<Speed>, ReadError> {
        let packs: BTreeSet<PackNo> = self.speaker.packs.values().filter(|p| p.level == level).map(|p| p.no).collect();
        let mine = |c: &CodeRef| packs.contains(&c.pack);
        let (head, _) = self.head()?;
        // Sent to a printer; of a level that is not printed here, found good on a thing or closed with its parent.
        let (mut sent, mut met) = (Vec::new(), Vec::new());
        let mut known = BTreeSet::new();
        self.events(head.saturating_sub(LOOK), &mut |stamp, e| match e {
            Event::Sent { codes, .. } => sent.extend(codes.iter().filter(|c| mine(c)).map(|_| stamp.wall_us)),
            Event::Verdict { good: true, seen: Some(Seen::Known(c)), .. } | Event::Closed { code: Some(c), .. }
                if mine(c) && known.insert(*c) =>
            {
                met.push(stamp.wall_us);
            }
            _ => {}
        })?;
        Ok(speed(if sent.is_empty() { &met } else { &sent }))
    }
}

/// Of the moments at which codes were used, in the journal's order.
fn speed(moments: &[i64]) -> Option<Speed> {
    let last = *moments.last()?;
    let mut first = last;
    let mut used = 0;
    // From the newest back: until a pause, a clock that was set, or the stretch is long enough.
    for at in moments.iter().rev() {
        if *at > first || first - at > PAUSE_US || last - at > STRETCH_US {
            break;
        }
        first = *at;
        used += 1;
    }
    // Those of the first moment were used before the time between begins.
    let begun = moments.iter().rev().take(used).filter(|at| **at == first).count();
    let (used, span) = ((used - begun) as u64, last - first);
    let per_min = (used * 60_000_000).checked_div(u64::try_from(span).ok().filter(|_| span >= SHORTEST_US)?)?;
    (per_min > 0).then_some(Speed { per_min, at_us: last })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn a_speed_is_of_the_last_stretch_of_work() {
        let steady: Vec<i64> = (0..=60).map(|n| n * S).collect();
        assert_eq!(speed(&steady), Some(Speed { per_min: 60, at_us: 60 * S }));
        // The day before at another speed, then a night.
        let after: Vec<i64> = steady.iter().copied().chain((0..=120).map(|n| 40_000 * S + n * S / 2)).collect();
        assert_eq!(speed(&after), Some(Speed { per_min: 120, at_us: 40_060 * S }));
        // Sent ten at a time: those of the first moment do not count.
        let batches: Vec<i64> = (0..=6).flat_map(|n| [n * 10 * S; 10]).collect();
        assert_eq!(speed(&batches), Some(Speed { per_min: 60, at_us: 60 * S }));
    }

    #[test]
    fn too_little_is_no_speed() {
        for moments in [vec![], vec![5], vec![5; 100], vec![0, S / 2], vec![0, 301 * S]] {
            assert_eq!(speed(&moments), None, "{moments:?}");
        }
        // The clock was set back between them.
        assert_eq!(speed(&[100 * S, 101 * S, 5 * S]), None);
    }
}
