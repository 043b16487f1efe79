//! Does each reader hand on GS? A reader that drops it makes good codes foreign or altered, one after the other, and nobody
//! sees why: its alarm says so.
//!
//! Where the codes that a reader should meet contain GS, three in a row without any are one too many; the first GS ends the
//! alarm.

use crate::ledger::Codebook;
use crate::line::{Line, Mark, Reading};
use crate::vocab::gs1::GS;
use crate::vocab::plan::{Plan, Role};
use crate::vocab::report::{Field, Frame};
use crate::vocab::{CodeRef, DeviceNo, PackNo};
use std::collections::{BTreeMap, BTreeSet};

const ENOUGH: u32 = 3;

#[derive(Debug, Default)]
pub struct GsWatch {
    readers: BTreeMap<DeviceNo, Ear>,
    /// Do the codes of a pack contain GS? As its first one does.
    packs: BTreeMap<PackNo, bool>,
}

#[derive(Debug, Default)]
struct Ear {
    /// GS was seen, and nothing spoke against it since.
    seen: bool,
    missed: u32,
    alarmed: bool,
}

impl GsWatch {
    /// What is known of a reader, for `status`; `None`: nothing that should have had GS was read yet.
    pub fn word(&self, device: DeviceNo) -> Option<&'static str> {
        let ear = self.readers.get(&device)?;
        match ear {
            Ear { alarmed: true, .. } => Some("missing"),
            Ear { seen: true, .. } => Some("seen"),
            Ear { .. } => None,
        }
    }

    /// What a frame says of its reader: an alarm to raise or to lower.
    pub fn look(&mut self, device: DeviceNo, frame: &Frame, reading: &Reading, line: &Line, book: &Codebook) -> Option<(String, bool)> {
        let (Frame::Data(fields), Reading::Data(marks)) = (frame, reading) else { return None };
        let name = || format!("gs-missing:{}", line.plan().device(device).id);
        let has = |f: &Field| match f {
            Field::Code(code) | Field::Graded { code, .. } => code.contains(&GS),
            Field::NoRead => false,
        };
        if fields.iter().any(has) {
            let ear = self.readers.entry(device).or_default();
            let news = !std::mem::replace(&mut ear.seen, true);
            (ear.missed, ear.alarmed) = (0, false);
            return news.then(|| (name(), false));
        }
        let lacks = marks.iter().any(|m| match m {
            Mark::NoRead => false,
            Mark::Unknown(_) => self.expected(device, line, book),
            m => m.item().is_some_and(|c| self.in_pack(c.pack, book) && book.bytes(c).is_some_and(|b| b.contains(&GS))),
        });
        let ear = self.readers.entry(device).or_default();
        if lacks {
            ear.missed += 1;
            if ear.missed >= ENOUGH && !std::mem::replace(&mut ear.alarmed, true) {
                ear.seen = false;
                return Some((name(), true));
            }
        }
        None
    }

    fn in_pack(&mut self, pack: PackNo, book: &Codebook) -> bool {
        let first = || book.bytes(CodeRef::new(pack, 0)).is_some_and(|b| b.contains(&GS));
        *self.packs.entry(pack).or_insert_with(first)
    }

    /// Do the codes that this reader is to meet contain GS?
    fn expected(&mut self, device: DeviceNo, line: &Line, book: &Codebook) -> bool {
        let levels = levels(line.plan(), device);
        let packs: Vec<PackNo> = line.book().packs.values().filter(|p| levels.contains(p.level.as_str())).map(|p| p.no).collect();
        packs.into_iter().any(|p| self.in_pack(p, book))
    }
}

/// Levels whose codes pass before a reader.
fn levels(plan: &Plan, device: DeviceNo) -> BTreeSet<&str> {
    let stations = plan.stations_of(device).filter(|s| s.role != Role::Print);
    let both = stations.flat_map(|s| {
        let child = (s.role == Role::Pack).then(|| plan.child_level(s.level)).flatten();
        child.into_iter().chain([plan.level(s.level)])
    });
    both.map(|l| l.name.as_str()).collect()
}
