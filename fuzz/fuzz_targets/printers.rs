//! Every shipped profile of printers and I/O modules: answers in pieces, orders, time, lost links. A code leaves twice only
//! where a refusal means "not taken"; never more prints are told than codes were taken.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmark::profile::{Bound, Kind, Profiles};
use packmark::vocab::{CodeRef, Order, PackNo, Report};
use packmark::wire::{Action, Place, Points, converse_at};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static BOUND: LazyLock<Vec<Bound>> = LazyLock::new(|| {
    let all = Profiles::load(None).expect("shipped profiles load");
    let others = all.iter().filter(|p| p.kind != Kind::Reader);
    others.map(|p| all.bind(&p.name, &BTreeMap::new()).expect("defaults are allowed")).collect()
});

fuzz_target!(|input: &[u8]| {
    let Some((which, mut rest)) = input.split_first() else { return };
    let bound = &BOUND[usize::from(*which) % BOUND.len()];
    let again = bound.profile.buffer.as_ref().is_none_or(|b| b.refusal_means_not_taken);
    let points = Points { inputs: vec![0, 4], counters: vec![1, 7] };
    let mut host = converse_at(bound, Place { points, ..Place::default() });
    let (mut now_us, mut ordered, mut printed) = (1_000_000, 0u32, 0);
    let (mut sent, mut taken) = (BTreeSet::new(), BTreeSet::new());
    host.opened(now_us);
    while let Some((op, after)) = rest.split_first() {
        rest = after;
        now_us += u64::from(op >> 4) * 20_000;
        for _ in 0..50 {
            let Some(due) = host.deadline().filter(|d| *d <= now_us) else { break };
            host.due(due.max(now_us));
        }
        match op % 16 {
            0 => host.ordered(Order::Arm { message: None, fields: vec![] }, now_us),
            1 => {
                host.ordered(Order::Print { code: CodeRef::new(PackNo(1), ordered), bytes: format!("#code-{ordered:05}#").into_bytes() }, now_us);
                ordered += 1;
            }
            2 => host.ordered(if op >> 4 > 7 { Order::Clear } else { Order::Disarm }, now_us),
            3 => {
                host.closed(now_us, "fuzz");
                host.opened(now_us);
            }
            4 => host.ordered(Order::Output { number: u16::from(op >> 4), on: true }, now_us),
            n => {
                let (bytes, after) = rest.split_at(rest.len().min(usize::from(n) * 2));
                host.received(bytes, now_us);
                rest = after;
            }
        }
        for _ in 0..20_000 {
            match host.poll() {
                None => break,
                Some(Action::Send(bytes) | Action::Command(bytes)) => {
                    let text = String::from_utf8_lossy(&bytes);
                    if let Some(code) = text.split_once("#code-").and_then(|(_, c)| c.get(..5)).map(str::to_string) {
                        assert!(sent.insert(code) || again, "a code left twice");
                    }
                }
                Some(Action::Tell(Report::Taken { code })) => assert!(code.ordinal < ordered && taken.insert(code.ordinal)),
                Some(Action::Tell(Report::Printed { count })) => {
                    printed += count as usize;
                    assert!(printed <= taken.len(), "more prints than codes taken");
                }
                Some(_) => {}
            }
        }
        assert!(host.poll().is_none(), "what is to be done at once is bounded");
    }
});
