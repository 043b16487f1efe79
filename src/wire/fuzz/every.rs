//! Every shipped profile that is no reader's (those are in `reader/fuzz.rs`), whatever its dialect, against mutated, split,
//! glued and senseless bytes, with the simulated device at the other end: a profile that is shipped is tormented.
//!
//! `PACKMARK_FUZZ_BYTES=10000000 cargo test --lib fuzz` is the long run.

use super::{MARK, Watch, bytes_wanted, mutate, phrases};
use crate::profile::{Bound, Kind, OnEmpty, Profiles};
use crate::sim::bench::Bench;
use crate::sim::emul::{Emission, Link};
use crate::sim::replay;
use crate::sim::rig::Rig;
use crate::vocab::rng::Rng;
use crate::vocab::{DeviceNo, Order};
use crate::wire::transcript::code;
use crate::wire::{Conversation, Place, Points, converse_at};
use std::collections::BTreeMap;

/// The simulated device, printing whatever it holds.
struct Partner {
    rig: Rig,
    device: DeviceNo,
    links: u32,
}

impl Partner {
    fn of(bound: &Bound, seed: u64) -> Self {
        let profiles = Profiles::load(None).unwrap();
        let plan = replay::alone(bound, false, &[], &profiles).unwrap();
        let (device, rig) = (plan.devices[0].no, Rig::new(&plan, &profiles, seed).unwrap());
        Self { rig, device, links: 0 }
    }

    fn link(&self) -> Link {
        Link(self.links)
    }

    fn opened(&mut self, now_us: u64) {
        self.rig.disconnected(self.device, self.link(), now_us);
        self.links += 1;
        self.rig.connected(self.device, self.link(), now_us);
    }

    /// What it says by now to what it heard; a thing passes it.
    fn says(&mut self, heard: &[u8], thing: bool, now_us: u64) -> Vec<u8> {
        let link = self.link();
        if !heard.is_empty() {
            self.rig.received(self.device, link, heard, now_us);
        }
        if thing {
            self.rig.print(self.device, now_us);
            self.rig.label(self.device, now_us);
        }
        self.rig.due(now_us);
        let said = std::iter::from_fn(|| self.rig.poll(self.device));
        said.flat_map(|(_, e)| if let Emission::Send(b) = e { b } else { Vec::new() }).collect()
    }
}

fn torment(bound: &Bound, seed: u64, wanted: usize) -> Watch {
    let points = Points { inputs: vec![0, 4, 5], counters: vec![1, 2, 7] };
    let mut host = converse_at(bound, Place { points, ..Place::default() });
    let (mut partner, phrases) = (Partner::of(bound, seed), phrases(&bound.profile.name));
    let (mut rng, mut w, mut now_us, mut fed) = (Rng::new(seed), Watch::default(), 1_000_000, 0);
    // A refusal has as many forms as there are printers: where one means "not taken", any answer may have been one.
    let refuses = bound.profile.buffer.as_ref().is_none_or(|b| b.refusal_means_not_taken);
    // One that takes seconds to come up, and stops when it is empty, would never be fed: it has a calmer time.
    let stops = bound.profile.buffer.as_ref().is_some_and(|b| b.on_empty == OnEmpty::Fault);
    let (calm, things) = if stops { (50, 50_000) } else { (1, 300_000) };
    let mut heard = Vec::new();
    w.gathers = true;
    partner.opened(now_us);
    host.opened(now_us);
    host.ordered(Order::Arm { message: None, fields: vec![] }, now_us);
    while fed < wanted {
        now_us += if rng.chance(20_000) { rng.below(400_000) } else { rng.below(6_000) };
        w.drain(&mut *host);
        heard.append(&mut w.last_sent);
        due(&mut *host, &mut w, &mut heard, now_us);
        if w.hung_up || rng.chance(300) {
            host.closed(now_us, "fuzz");
            w.hung_up = false;
            w.drain(&mut *host);
            assert!(!w.up);
            heard.clear();
            w.last_sent.clear();
            partner.opened(now_us);
            host.opened(now_us);
            continue;
        }
        match rng.below(12) {
            0 | 1 if bound.profile.kind != Kind::Io => {
                let bytes = [MARK, w.ordered.to_string().as_bytes()].concat();
                host.ordered(Order::Print { code: code(w.ordered), bytes }, now_us);
                w.ordered += 1;
            }
            2 if rng.chance(20_000 / calm) => host.ordered([Order::Clear, Order::Disarm][rng.below(2) as usize].clone(), now_us),
            2 if rng.chance(100_000 / calm) => host.ordered(Order::Arm { message: None, fields: vec![] }, now_us),
            2 if bound.profile.kind == Kind::Io => {
                host.ordered(Order::Output { number: rng.below(20) as u16, on: rng.chance(500_000) }, now_us)
            }
            _ => {
                let mut bytes = match rng.below(25) {
                    0 => phrases[rng.below(phrases.len() as u64) as usize].clone(),
                    1 => (0..rng.below(40)).map(|_| rng.below(256) as u8).collect(),
                    _ => partner.says(&std::mem::take(&mut heard), rng.chance(things), now_us),
                };
                if rng.chance(20_000) {
                    mutate(&mut bytes, &mut rng);
                }
                fed += bytes.len();
                w.refusals += u64::from(refuses && !bytes.is_empty());
                let half = if rng.chance(100_000) { rng.below(bytes.len() as u64 + 1) as usize } else { 0 };
                host.received(&bytes[..half], now_us);
                host.received(&bytes[half..], now_us);
            }
        }
    }
    w
}

fn due(host: &mut dyn Conversation, w: &mut Watch, heard: &mut Vec<u8>, now_us: u64) {
    for _ in 0..50 {
        let Some(d) = host.deadline().filter(|d| *d <= now_us) else { break };
        host.due(d.max(now_us));
        w.drain(host);
        heard.append(&mut w.last_sent);
    }
    assert!(host.deadline().is_none_or(|d| d > now_us), "due again and again without end");
}

#[test]
fn every_profile_of_printers_and_modules_survives_anything() {
    let all = Profiles::load(None).unwrap();
    let mut reached = BTreeMap::new();
    for (i, p) in all.iter().filter(|p| p.kind != Kind::Reader).enumerate() {
        let bound = all.bind(&p.name, &BTreeMap::new()).unwrap();
        let w = torment(&bound, 400 + i as u64, bytes_wanted(150_000));
        // It must reach deep enough to mean something.
        let deep = match bound.unfit() {
            // Nobody has seen it at work: it is never fed.
            Some(_) => w.sent_at.is_empty(),
            None if p.kind == Kind::Io => w.polls > 100,
            None => w.taken.len() > 20,
        };
        reached.insert(p.name.clone(), (deep, w.ups, w.ordered, w.taken.len(), w.printed, w.polls));
    }
    assert!(reached.len() >= 6 && reached.values().all(|r| r.0), "deep, ups, ordered, taken, printed, polls: {reached:#?}");
}
