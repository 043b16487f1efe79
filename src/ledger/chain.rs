//! The chain over events: each hash covers the one before, the columns beside the event and its bytes as stored.

use rusqlite::{Result, Row};
use sha2::{Digest, Sha256};

/// Where the chain stands after an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    pub seq: u64,
    pub hash: [u8; 32],
}

/// An event as stored.
pub struct Stored<'a> {
    pub boot: i64,
    pub mono_us: i64,
    pub wall_us: i64,
    pub suspect: bool,
    pub body: &'a [u8],
}

impl Link {
    /// The link after one more event.
    pub fn next(&self, e: &Stored<'_>) -> Self {
        let seq = self.seq + 1;
        let mut h = Sha256::new();
        h.update(self.hash);
        h.update(seq.to_le_bytes());
        h.update(e.boot.to_le_bytes());
        h.update(e.mono_us.to_le_bytes());
        h.update(e.wall_us.to_le_bytes());
        h.update([u8::from(e.suspect)]);
        h.update(e.body);
        Self { seq, hash: h.finalize().into() }
    }

    /// Goes on to a row of `EVENTS_WITH_ANCHORS`; false when its number or its anchor does not agree.
    pub fn follow(&mut self, r: &Row<'_>) -> Result<bool> {
        if r.get::<_, i64>(0)? as u64 != self.seq + 1 {
            return Ok(false);
        }
        let Ok(body) = r.get_ref(5)?.as_blob() else { return Ok(false) };
        let next = self.next(&Stored { boot: r.get(1)?, mono_us: r.get(2)?, wall_us: r.get(3)?, suspect: r.get::<_, i64>(4)? != 0, body });
        if r.get::<_, Option<Vec<u8>>>(6)?.is_some_and(|anchor| anchor != next.hash) {
            return Ok(false);
        }
        *self = next;
        Ok(true)
    }
}
