//! A catalogue of named damages: each is done to something the accounts claim, and each must be found under its promise.

mod book;
mod packs;
mod things;

use super::judge;
use super::world::{self, BOTTLES_A_BOX, World, packed};
use crate::vocab::Promise::{self, *};
use proptest::prelude::*;
use serde_json::Value;

/// A damage, the promise under which it must be found, and what it does; `n` picks the item.
struct Damage {
    name: &'static str,
    promise: Promise,
    /// How many items it can be done to.
    items: usize,
    does: fn(&mut World, usize),
}

const BOTTLES: usize = 2 * BOTTLES_A_BOX;

/// The `n`th good bottle and its code.
fn of(n: usize) -> (String, String) {
    packed((n / BOTTLES_A_BOX) as u32, n % BOTTLES_A_BOX)
}

fn dump_code(w: &World, code: &str) -> usize {
    w.in_dump(&[("k", "code".into()), ("hex", code.into())])
}

/// Removes an event (all its lines) and closes the gap, as a forger would.
fn forget(w: &mut World, at: usize) {
    let seq = w.journal[at]["seq"].clone();
    w.journal.retain(|l| l["k"] == "head" || l["seq"] != seq);
    w.renumber();
}

/// What is wrong with the audit of this damage, if anything.
fn missed(d: &Damage, n: usize) -> Option<String> {
    let mut w = world::shift();
    (d.does)(&mut w, n);
    let v = w.judge();
    if v.ok() || !v.blames(d.promise) {
        return Some(format!("“{}” at {n} is not found under {}: {:#}", d.name, d.promise, v.to_json()));
    }
    None
}

/// The same without a truth file.
fn missed_in_book(d: &Damage, n: usize) -> Option<String> {
    let mut w = world::shift();
    (d.does)(&mut w, n);
    let v = judge(&w.dump, &w.journal, None::<&[Value]>);
    (!v.blames(d.promise)).then(|| format!("“{}” at {n} is not found without a truth: {:#}", d.name, v.to_json()))
}

fn everywhere(catalogue: &[Damage], missed: fn(&Damage, usize) -> Option<String>) {
    let all: Vec<String> = catalogue.iter().flat_map(|d| (0..d.items).filter_map(move |n| missed(d, n))).collect();
    assert!(all.is_empty(), "{} missed\n{}", all.len(), all.join("\n"));
}

#[test]
fn every_damage_to_things_is_found_at_every_item() {
    everywhere(things::CATALOGUE, missed);
}

#[test]
fn every_damage_to_the_book_is_found_at_every_item() {
    everywhere(book::CATALOGUE, missed);
}

#[test]
fn every_damage_to_packs_is_found_with_and_without_a_truth() {
    everywhere(packs::CATALOGUE, missed);
    everywhere(packs::CATALOGUE, missed_in_book);
}

#[test]
fn every_damage_to_the_book_is_found_without_a_truth() {
    everywhere(book::CATALOGUE, missed_in_book);
}

#[test]
fn every_promise_that_an_audit_can_judge_is_in_the_catalogue() {
    for p in [OnceInked, DoubtIsFinal, OneParent, AckAfterDisk, Balance, NothingForgotten, ByteExact] {
        assert!(things::CATALOGUE.iter().chain(book::CATALOGUE).any(|d| d.promise == p), "{p}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two damages at once do not hide each other.
    #[test]
    fn two_damages_do_not_make_a_clean_world(a in 0..things::CATALOGUE.len(), b in 0usize..1000, n in 0usize..1000) {
        let all: Vec<&Damage> = book::CATALOGUE.iter().chain(packs::CATALOGUE).collect();
        let (a, b) = (&things::CATALOGUE[a], all[b % all.len()]);
        let mut w = world::shift();
        (a.does)(&mut w, n % a.items);
        (b.does)(&mut w, n % b.items);
        prop_assert!(!w.judge().ok(), "{} and {}", a.name, b.name);
    }
}
