//! Every shipped reader profile: what a reader sends in pieces, with time between them, orders and lost links.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmark::profile::{Bound, Kind, Profiles};
use packmark::vocab::{Order, Report};
use packmark::wire::{Action, Place, converse_at};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static BOUND: LazyLock<Vec<Bound>> = LazyLock::new(|| {
    let all = Profiles::load(None).expect("shipped profiles load");
    let readers = all.iter().filter(|p| p.kind == Kind::Reader);
    readers.map(|p| all.bind(&p.name, &BTreeMap::new()).expect("defaults are allowed")).collect()
});

fuzz_target!(|input: &[u8]| {
    let Some((which, mut rest)) = input.split_first() else { return };
    let bound = &BOUND[usize::from(*which) % BOUND.len()];
    let mut host = converse_at(bound, Place::default());
    let mut now_us = 1_000_000;
    host.opened(now_us);
    while let Some((op, after)) = rest.split_first() {
        rest = after;
        now_us += u64::from(op >> 4) * 20_000;
        for _ in 0..50 {
            let Some(due) = host.deadline().filter(|d| *d <= now_us) else { break };
            host.due(due.max(now_us));
        }
        match op % 16 {
            0 => host.ordered(Order::Trigger { window_ms: 100 }, now_us),
            1 => host.ordered(Order::Verdict { good: op >> 4 > 7, frame_us: now_us }, now_us),
            2 => {
                host.closed(now_us, "fuzz");
                host.opened(now_us);
            }
            n => {
                let (bytes, after) = rest.split_at(rest.len().min(usize::from(n) * 2));
                host.received(bytes, now_us);
                rest = after;
            }
        }
        for _ in 0..20_000 {
            match host.poll() {
                None => break,
                Some(Action::Tell(Report::Noise { bytes, count })) => assert!(bytes.len() <= 256 && bytes.len() as u32 <= count),
                Some(_) => {}
            }
        }
        assert!(host.poll().is_none(), "what is to be done at once is bounded");
    }
});
