//! Bottles, boxes, cases, pallets: what each carries and where it is. Names never travel on a wire.

use crate::vocab::KeyRule;
use crate::vocab::code::hex;

/// A thing of this world, numbered in the order of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThingNo(pub u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the belt, on a table or at the end of the line.
    Belt,
    Bin,
    Taken,
    /// Taken out of a parent to be packed anew; taken for good unless it is put again.
    Hand,
    Inside(ThingNo),
}

#[derive(Clone, Debug)]
pub struct Thing {
    /// Index of its level in the plan.
    pub level: usize,
    pub serial: u32,
    pub place: Place,
    /// What its symbol carries: inked, pre-printed or the label on it.
    pub symbol: Option<Vec<u8>>,
    /// What hides its own symbol from readers: a smear, or somebody else's code.
    pub cover: Cover,
    pub children: Vec<ThingNo>,
    /// Steps of its level's route that lie behind it.
    pub step: usize,
    /// Somebody will take it away once it is past its gate.
    pub doomed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cover {
    Nothing,
    Smear,
    Sticker(Vec<u8>),
}

impl Thing {
    /// What a reader has in front of it: no symbol at all, one it cannot decode, or one it can.
    pub fn seen(&self) -> Option<Option<Vec<u8>>> {
        match (&self.cover, &self.symbol) {
            (Cover::Sticker(b), _) => Some(Some(b.clone())),
            (Cover::Smear, Some(_)) => Some(None),
            (_, Some(b)) => Some(Some(b.clone())),
            (_, None) => None,
        }
    }
}

/// Every thing that ever was, and how its level is called and coded.
pub struct Things {
    all: Vec<Thing>,
    /// Per level: its name, escaped for JSON; whether its codes are SSCCs; things born so far.
    kinds: Vec<(String, bool, u32)>,
}

impl Things {
    pub fn new(kinds: impl Iterator<Item = (String, bool)>) -> Self {
        Self { all: Vec::new(), kinds: kinds.map(|(name, sscc)| (super::truth::escaped(&name), sscc, 0)).collect() }
    }

    pub fn born(&mut self, level: usize, symbol: Option<Vec<u8>>) -> ThingNo {
        let serial = self.kinds[level].2 + 1;
        self.kinds[level].2 = serial;
        let place = Place::Belt;
        let thing = Thing { level, serial, place, symbol, cover: Cover::Nothing, children: Vec::new(), step: 0, doomed: false };
        self.all.push(thing);
        ThingNo(self.all.len() as u32 - 1)
    }

    pub fn name(&self, no: ThingNo) -> String {
        let t = &self[no];
        format!("{}-{}", self.kinds[t.level].0, t.serial)
    }

    /// The hex of a code as the truth file writes it: an SSCC is its 18 digits.
    pub fn hex(&self, level: usize, bytes: &[u8]) -> String {
        hex(if self.kinds[level].1 { KeyRule::Sscc.strip(bytes) } else { bytes })
    }

    /// The code a thing carries, in hex.
    pub fn code(&self, no: ThingNo) -> Option<String> {
        let t = &self[no];
        t.symbol.as_ref().map(|b| self.hex(t.level, b))
    }

    /// Still on the line, or on its table.
    pub fn on_belt(&self, no: ThingNo) -> bool {
        matches!(self[no].place, Place::Belt | Place::Hand)
    }

    pub fn all(&self) -> impl Iterator<Item = ThingNo> + use<> {
        (0..self.all.len() as u32).map(ThingNo)
    }
}

impl std::ops::Index<ThingNo> for Things {
    type Output = Thing;
    fn index(&self, no: ThingNo) -> &Thing {
        &self.all[no.0 as usize]
    }
}

impl std::ops::IndexMut<ThingNo> for Things {
    fn index_mut(&mut self, no: ThingNo) -> &mut Thing {
        &mut self.all[no.0 as usize]
    }
}
