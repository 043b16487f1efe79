//! What is inside a sealed parent, by the book and in the hand.

use super::names::{Names, No};
use super::replay::Replay;
use super::truth::{Place, Truth};
use super::verdict::Complaints;
use crate::vocab::{ParentState, Promise};
use std::collections::{BTreeSet, HashMap};

pub fn check(truth: &Truth, replay: &Replay, codes: &Names, out: &mut Complaints) {
    let mut inside: HashMap<No, Vec<No>> = HashMap::new();
    for (no, t) in truth.things.iter().enumerate() {
        if let Place::In(parent) = t.place {
            inside.entry(parent).or_default().push(no as No);
        }
    }
    let mut sealed: Vec<_> = replay.parents.iter().filter(|p| p.1.state == ParentState::Sealed).collect();
    sealed.sort_by_key(|p| p.1.sealed_seq);
    for (id, p) in sealed {
        let Some(own) = p.code else { continue };
        let mut wrong = |code: No, text: String| out.blame(Promise::OneParent, p.sealed_seq, Some(codes.text(code)), text);
        let id = replay.ids.text(*id);
        // Who carries its number now: a label stuck over another counts, the one below does not.
        let bearers: Vec<No> =
            truth.carriers.get(&own).into_iter().flatten().copied().filter(|t| truth.things[*t as usize].code() == Some(own)).collect();
        if bearers.is_empty() {
            wrong(own, format!("parent {id} is sealed, but no thing bears its number"));
            continue;
        }
        let content: Vec<No> = bearers.iter().filter_map(|b| inside.get(b)).flatten().copied().collect();
        let mut found: BTreeSet<No> = BTreeSet::new();
        for thing in &content {
            match truth.things[*thing as usize].code() {
                Some(c) if p.children.contains(&c) => {
                    if !found.insert(c) {
                        wrong(c, format!("two things with this code are in parent {id}"));
                    }
                }
                Some(c) => wrong(c, format!("{} is in sealed parent {id}, which the book does not say", truth.name(*thing))),
                None => wrong(own, format!("{}, without a code, is in sealed parent {id}", truth.name(*thing))),
            }
        }
        for c in p.children.difference(&found) {
            if !removed_after(truth, *c, own, &bearers) {
                wrong(*c, format!("the book says that it is in sealed parent {id}, but it is not inside"));
            }
        }
    }
}

/// Taken out by hand, by a fault that says so, after the parent's number was read.
fn removed_after(truth: &Truth, child: No, own: No, bearers: &[No]) -> bool {
    let sealed_us = truth.readings.iter().filter(|r| r.0.1 == own).map(|r| r.1.first_us).min();
    let Some(sealed_us) = sealed_us else { return false };
    truth.carriers.get(&child).into_iter().flatten().any(|t| {
        let t = &truth.things[*t as usize];
        let out = t.takes.iter().rev().find(|k| k.from.is_some_and(|f| bearers.contains(&f)));
        out.is_some_and(|k| k.t_us >= sealed_us && t.injected_near(k.t_us))
    })
}
