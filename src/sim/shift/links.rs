//! Links of a shift's devices on virtual time.
//!
//! Invariants: bytes of one direction come in order; a new connection forgets what the old one still carried.

use crate::vocab::DeviceNo;
use crate::vocab::rng::Rng;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Something on its way over a link.
pub(super) enum Parcel {
    ToDevice(DeviceNo, Vec<u8>),
    ToHost(DeviceNo, Vec<u8>),
    DeviceHangsUp(DeviceNo),
    HostHangsUp(DeviceNo),
}

/// Links of all devices: bytes in order, each direction with its own delay; a new connection forgets the old one's.
#[derive(Default)]
pub(super) struct Links {
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    parcels: BTreeMap<u64, Parcel>,
    generation: BTreeMap<DeviceNo, u32>,
    up: BTreeMap<DeviceNo, bool>,
    last: BTreeMap<(DeviceNo, bool), u64>,
    next: u64,
    rng: Option<Rng>,
}

impl Links {
    /// `rng`: for the delays; without one, bytes take no time.
    pub(super) fn new(rng: Option<Rng>) -> Self {
        Self { rng, ..Self::default() }
    }

    pub(super) fn send(&mut self, device: DeviceNo, to_host: bool, parcel: Parcel, now_us: u64) {
        let delay = self.rng.as_mut().map_or(0, |rng| 100 + rng.below(400));
        let last = self.last.entry((device, to_host)).or_default();
        let at = (now_us + delay).max(*last);
        *last = at;
        let generation = self.generation.get(&device).copied().unwrap_or(0);
        self.heap.push(Reverse((at, self.next, generation)));
        self.parcels.insert(self.next, parcel);
        self.next += 1;
    }

    pub(super) fn due_us(&self) -> u64 {
        self.heap.peek().map_or(u64::MAX, |Reverse(p)| p.0)
    }

    pub(super) fn take(&mut self, now_us: u64) -> Option<Parcel> {
        while let Some(Reverse((at, n, generation))) = self.heap.peek().copied() {
            if at > now_us {
                return None;
            }
            self.heap.pop();
            let parcel = self.parcels.remove(&n)?;
            let device = match &parcel {
                Parcel::ToDevice(d, _) | Parcel::ToHost(d, _) | Parcel::DeviceHangsUp(d) | Parcel::HostHangsUp(d) => *d,
            };
            if self.generation.get(&device).copied().unwrap_or(0) == generation {
                return Some(parcel);
            }
        }
        None
    }

    /// A link is made.
    pub(super) fn join(&mut self, device: DeviceNo) {
        self.up.insert(device, true);
    }

    pub(super) fn cut(&mut self, device: DeviceNo) {
        *self.generation.entry(device).or_default() += 1;
        self.up.insert(device, false);
    }

    pub(super) fn is_up(&self, device: DeviceNo) -> bool {
        self.up.get(&device).copied().unwrap_or(false)
    }
}
