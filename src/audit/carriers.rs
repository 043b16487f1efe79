//! Bytes on things against the book: what was inked, what is said to be printed or verified, what readers saw.

use super::names::{Names, No};
use super::replay::{Code, Replay};
use super::stand::Stand;
use super::truth::Truth;
use super::verdict::Complaints;
use crate::vocab::Promise;
use crate::vocab::code::unhex;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Words by which a fault says that it makes a second carrier of a code.
const SECOND_CARRIER: &[&str] = &["dup", "repeat", "twice", "double", "copy", "second"];

pub fn check(truth: &Truth, replay: &Replay, stand: &Stand, codes: &Names, out: &mut Complaints) {
    let unsent = inked_once(truth, replay, stand, codes, out);
    let bare = claims(truth, replay, stand, codes, out);
    altered(truth, &unsent, &bare, codes, out);
    in_order(truth, replay, codes, out);
    labels(truth, replay, codes, out);
}

/// Every ink but those a fault excuses: once a code, and only what the book sent. Answers the bytes it never sent.
fn inked_once(truth: &Truth, replay: &Replay, stand: &Stand, codes: &Names, out: &mut Complaints) -> Vec<(No, No)> {
    let mut first: HashMap<No, No> = HashMap::new();
    let mut unsent = Vec::new();
    for ink in &truth.inks {
        let before = first.get(&ink.code).copied();
        let again = before.is_some();
        first.entry(ink.code).or_insert(ink.thing);
        // A printer that repeats itself makes a copy on another thing; nothing excuses a second time on the same one.
        let excused = before.is_some_and(|b| b != ink.thing && (is_copy(truth, b) || is_copy(truth, ink.thing)));
        if again && !excused {
            let text = format!("inked again, on {} by {}", truth.name(ink.thing), truth.devices.text(ink.printer));
            out.blame(Promise::OnceInked, None, Some(codes.text(ink.code)), text);
        }
        let c = replay.code(ink.code);
        if c.sent.is_none() && !c.restored && !again {
            if stand.row(ink.code).is_some() {
                let text = format!("inked on {}, but the book never sent it", truth.name(ink.thing));
                out.blame(Promise::OnceInked, None, Some(codes.text(ink.code)), text);
            } else {
                unsent.push((ink.code, ink.thing));
            }
        }
    }
    unsent
}

/// Does a fault say that this thing is a second carrier of some code?
fn is_copy(truth: &Truth, thing: No) -> bool {
    let says = |fault: No| SECOND_CARRIER.iter().any(|w| truth.faults.text(fault).contains(w));
    truth.things[thing as usize].injected.iter().any(|f| says(f.1))
}

/// What the book claims of each code, against ink, label and reader. Answers the claimed codes that nothing carries.
fn claims(truth: &Truth, replay: &Replay, stand: &Stand, codes: &Names, out: &mut Complaints) -> Vec<No> {
    let mut bare = Vec::new();
    // What a fault stuck over a thing's own code is not the book's doing.
    let made: BTreeSet<No> = truth.inks.iter().map(|i| i.code).chain(truth.applied.keys().copied()).collect();
    let labelled: BTreeSet<No> = truth.labels.iter().map(|l| l.1).collect();
    let readers = readers(truth);
    let inked = inked_neighbours(truth, replay);
    for no in 0..codes.len() as No {
        let Some(c) = replay.codes.get(no as usize) else { continue };
        let carried = made.contains(&no);
        let label = c.number_of.is_some() || stand.is_generated(no);
        if let Some((station, seq)) = c.verified {
            if !carried {
                bare.push(no);
                let text = if label { "sealed, but no thing carries this label" } else { "verified, but no thing carries this code" };
                out.blame(Promise::DoubtIsFinal, Some(seq), Some(codes.text(no)), text);
            } else if label && c.sent.is_some() && !labelled.contains(&no) {
                out.blame(Promise::DoubtIsFinal, Some(seq), Some(codes.text(no)), "sealed, but this label never came out of a printer");
            }
            read_there(truth, replay, &readers, no, station, seq, codes, out);
        } else if let Some(seq) = c.printed
            && !carried
            && !labelled.contains(&no)
        {
            if lost_in_printer(truth, replay, &inked, c) {
                out.warn(format!("{} is said to be printed by a printer that was in trouble; no thing carries it", codes.text(no)));
            } else {
                bare.push(no);
                out.blame(Promise::DoubtIsFinal, Some(seq), Some(codes.text(no)), "said to be printed, but no ink of it exists");
            }
        }
    }
    bare
}

/// Which reader looks at a station's eye: the one that most often is the first to see what crossed it.
fn readers(truth: &Truth) -> HashMap<No, No> {
    let mut best: HashMap<No, (u32, No)> = HashMap::new();
    for ((station, reader), n) in &truth.first_seen_by {
        let b = best.entry(*station).or_insert((0, *reader));
        if (*n, *reader) > *b {
            *b = (*n, *reader);
        }
    }
    best.into_iter().map(|(s, (_, r))| (s, r)).collect()
}

/// Verified by a read in a passage of that very station?
#[expect(clippy::too_many_arguments, reason = "one claim and everything it is held against")]
fn read_there(
    truth: &Truth,
    replay: &Replay,
    readers: &HashMap<No, No>,
    no: No,
    station: Option<No>,
    seq: u64,
    codes: &Names,
    out: &mut Complaints,
) {
    let name = station.map(|s| replay.stations.text(s));
    let eye = name.and_then(|n| truth.stations.known(n));
    let reader = eye.and_then(|e| readers.get(&e)).copied();
    let read = match reader {
        Some(r) => truth.readings.contains_key(&(r, no)),
        None => truth.readers.iter().any(|r| truth.readings.contains_key(&(*r, no))),
    };
    if !read {
        let by = reader.map_or("any reader", |r| truth.devices.text(r));
        let text = format!("verified at {}, but {by} never read it", name.unwrap_or("its station"));
        return out.blame(Promise::DoubtIsFinal, Some(seq), Some(codes.text(no)), text);
    }
    // Every verdict on a code has a reading of its own; a reader in trouble may have sent one twice.
    if let (Some(r), Some(s)) = (reader, station)
        && let Some(tally) = replay.tallies.get(&(s, no))
        && tally.good + tally.rejected > truth.readings[&(r, no)].count
        && !truth.troubled(r, 0, u64::MAX / 2)
    {
        let text = format!("{} has more verdicts on it than {} read it", name.unwrap_or("a station"), truth.devices.text(r));
        return out.blame(Promise::DoubtIsFinal, Some(seq), Some(codes.text(no)), text);
    }
    // A station whose eye is in the truth verifies only what crossed it.
    if let Some(eye) = eye
        && let Some(things) = truth.carriers.get(&no)
        && !things.iter().any(|t| truth.things[*t as usize].eyes.iter().any(|e| e.0 == eye))
    {
        let text = format!("verified at {}, but no thing with this code crossed its eye", name.unwrap_or("its station"));
        out.blame(Promise::DoubtIsFinal, Some(seq), Some(codes.text(no)), text);
    }
}

/// Ink times by the place of their codes in the order of sending, printer by printer.
fn inked_neighbours(truth: &Truth, replay: &Replay) -> HashMap<No, BTreeMap<(u64, u64), u64>> {
    let mut by_printer: HashMap<No, BTreeMap<(u64, u64), u64>> = HashMap::new();
    for ink in &truth.inks {
        if let Some(at) = replay.code(ink.code).sent {
            by_printer.entry(ink.printer).or_default().entry(at).or_insert(ink.t_us);
        }
    }
    for (t_us, code, printer) in &truth.labels {
        if let Some(at) = replay.code(*code).sent {
            by_printer.entry(*printer).or_default().entry(at).or_insert(*t_us);
        }
    }
    by_printer
}

/// Was its printer in trouble between what it printed before and what it printed after this code?
fn lost_in_printer(truth: &Truth, replay: &Replay, inked: &HashMap<No, BTreeMap<(u64, u64), u64>>, c: &Code) -> bool {
    let (Some(at), Some(device)) = (c.sent, c.device) else { return false };
    let Some(printer) = truth.devices.known(replay.devices.text(device)) else { return false };
    let order = inked.get(&printer);
    let from = order.and_then(|o| o.range(..at).next_back()).map_or(0, |n| *n.1);
    let to = order.and_then(|o| o.range(at..).next()).map_or(u64::MAX, |n| *n.1);
    truth.troubled(printer, from, to)
}

/// Bytes never sent: a claimed code that changed on its way, or ink without a book.
fn altered(truth: &Truth, unsent: &[(No, No)], bare: &[No], codes: &Names, out: &mut Complaints) {
    for (code, thing) in unsent {
        let on = truth.name(*thing);
        let hex = codes.text(*code);
        let twin = bare.iter().find(|b| close(codes.text(**b), hex));
        let (promise, text) = match twin {
            Some(b) => (Promise::ByteExact, format!("inked on {on} where the book has {}", codes.text(*b))),
            None => (Promise::OnceInked, format!("inked on {on}, but the book never sent these bytes")),
        };
        out.blame(promise, None, Some(hex), text);
    }
}

/// Are these the same code but for a few bytes, its case, or what was cut off or added?
fn close(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (unhex(a), unhex(b)) else { return false };
    let differ = a.iter().zip(&b).filter(|(x, y)| !x.eq_ignore_ascii_case(y)).count();
    let cut = a.len().abs_diff(b.len());
    (cut == 0 && differ <= 2.max(a.len() / 4))
        || (cut <= 4 && (a.starts_with(&b) || b.starts_with(&a) || a.ends_with(&b) || b.ends_with(&a)))
}

/// A printer is a queue: it prints in the order of sending. A code inked after one that was sent later left twice.
fn in_order(truth: &Truth, replay: &Replay, codes: &Names, out: &mut Complaints) {
    let mut newest: HashMap<No, (u64, u64)> = HashMap::new();
    let mut seen: BTreeSet<No> = BTreeSet::new();
    for ink in &truth.inks {
        let Some(at) = replay.code(ink.code).sent else { continue };
        if !seen.insert(ink.code) {
            continue;
        }
        let n = newest.entry(ink.printer).or_insert(at);
        if at < *n && truth.things[ink.thing as usize].injected.is_empty() {
            let text = format!("{} inked it after codes that were sent later: its bytes left again", truth.devices.text(ink.printer));
            out.blame(Promise::OnceInked, None, Some(codes.text(ink.code)), text);
        }
        *n = (*n).max(at);
    }
}

/// Each label comes out once, only for a number the book sent, and sticks to one thing.
fn labels(truth: &Truth, replay: &Replay, codes: &Names, out: &mut Complaints) {
    let mut seen: BTreeSet<No> = BTreeSet::new();
    for (_, code, printer) in &truth.labels {
        let mut wrong = |promise, text: String| out.blame(promise, None, Some(codes.text(*code)), text);
        if !seen.insert(*code) {
            wrong(Promise::OnceInked, format!("{} printed this label twice", truth.devices.text(*printer)));
        }
        let c = replay.code(*code);
        if c.sent.is_none() && !c.restored {
            wrong(Promise::OnceInked, format!("{} printed this label, but the book never sent it", truth.devices.text(*printer)));
        }
    }
    for (code, things) in &truth.applied {
        if things.len() > 1 && !things.iter().any(|t| is_copy(truth, *t)) {
            let text = format!("it is on {} and on {}", truth.name(things[0]), truth.name(things[1]));
            out.blame(Promise::OnceInked, None, Some(codes.text(*code)), text);
        }
        if replay.code(*code).sent.is_some() && !seen.contains(code) {
            let text = format!("it was applied to {}, but never came out of a printer", truth.name(things[0]));
            out.blame(Promise::OnceInked, None, Some(codes.text(*code)), text);
        }
    }
}
