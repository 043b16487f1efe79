//! Small numbers that stand for things. Numbers of levels, stations and devices are given once per store
//! (`Event::Named`) and never reused, so that an old event still means what it meant.

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $raw:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
        pub struct $name(pub $raw);

        impl $name {
            pub const fn index(self) -> usize { self.0 as usize }
        }
    };
}

number!(/// A pack, numbered in the order of acceptance, from 1.
    PackNo, u32);
number!(/// A job, numbered in the order of creation, from 1.
    JobNo, u32);
number!(/// An order for codes, numbered in the order of asking, from 1.
    OrderNo, u32);
number!(/// A parent (box, case, pallet), numbered in the order of opening, from 1. 0 is "none".
    ParentNo, u32);
number!(/// A station's number in this store.
    StationNo, u8);
number!(/// A device's number in this store.
    DeviceNo, u8);
number!(/// A level's number in this store.
    LevelNo, u8);
number!(/// A passage of one station, from 1, never reused.
    Passage, u64);

/// A code by its place: ordinal within a pack. Resolved from bytes once, at the edge; the line sees only this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CodeRef {
    pub pack: PackNo,
    pub ordinal: u32,
}

impl CodeRef {
    pub const fn new(pack: PackNo, ordinal: u32) -> Self {
        Self { pack, ordinal }
    }

    /// `pack << 32 | ordinal`, the row id of a touched code.
    pub const fn id(self) -> i64 {
        ((self.pack.0 as i64) << 32) | self.ordinal as i64
    }

    pub const fn from_id(id: i64) -> Self {
        Self { pack: PackNo((id >> 32) as u32), ordinal: id as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_refs_survive_their_row_id() {
        for r in [CodeRef::new(PackNo(1), 0), CodeRef::new(PackNo(7), u32::MAX), CodeRef::new(PackNo(65_535), 12)] {
            assert_eq!(CodeRef::from_id(r.id()), r);
        }
    }
}
