//! What went through a gate against what the book let through; and the moments when nobody controls a gate.

use super::names::{Names, No};
use super::replay::{Replay, Tally};
use super::truth::{AtGate, Truth};
use super::verdict::Complaints;
use crate::vocab::Promise;
use std::collections::{BTreeMap, BTreeSet};

/// A gate finding this near a simulator's lag (beside the way from eye to gate) is a warning.
const LAG_NEAR_US: u64 = 300_000;
/// A gate time this short before the daemon's death is a warning, if the book names the thing.
const DEATH_NEAR_US: u64 = 200_000;
/// The same where the next boot took the verdict back: the disk may have hung before the death, at most as long as the
/// daemon bears it (`commit_limit_ms`, 2 s) and a little.
const HUNG_NEAR_US: u64 = 3_000_000;
/// From the last request to the watchdog's word: 300 ms and a heartbeat, with a margin.
const WATCHDOG_US: u64 = 450_000;
/// A watchdog that drops its outputs this soon after its link went does so because of that.
const LINK_TO_SAFE_US: u64 = 1_000_000;
/// The belt's own stop and the ticks of whoever writes the truth.
const STOP_US: u64 = 200_000;
const TICK_US: u64 = 20_000;

/// Words by which a fault says that its thing may get past a gate, or be kept from it.
const GETS_BY: &[&str] = &["gate", "flap", "stuck", "escape", "by-pass", "bypass"];

/// Words by which a fault says that an I/O module answers nothing, or too late; and how long that may go unnoticed: a
/// daemon waits for the answer, then asks anew. Of an answer in pieces the last one comes late, and a coil's word behind it.
const FALLS_SILENT: &[(&str, u64)] =
    &[("silen", 1_000_000), ("late", 1_000_000), ("mute", 1_000_000), ("no-answer", 1_000_000), ("split", 100_000)];
/// Only an answer that comes after a thing says that it went by: what passed this short before is not known to have.
const UNHEARD_US: u64 = 60_000;

/// When nobody controlled the gates.
struct Unattended {
    /// From the last request of a daemon to the belt's standstill.
    spans: Vec<(u64, u64)>,
    /// From a module's falling silent, which somebody made it do, to the belt's standstill: what was asked of it just
    /// before was the last request, whenever its link goes.
    silences: Vec<(u64, u64)>,
}

enum Excuse {
    None,
    /// It is as the contract says.
    Granted,
    /// It is let go, and said.
    Warn(&'static str),
}

impl Unattended {
    fn new(truth: &Truth) -> Self {
        let module = |d: &No| !truth.printers.contains(d) && !truth.readers.contains(d);
        let downs = truth.links.iter().filter(|l| !l.2 && module(&l.1)).map(|l| l.0.saturating_sub(TICK_US));
        // Where the link went just before, that is when the last request was; a daemon that hangs keeps its link.
        let hung = |t: &&u64| !truth.links.iter().any(|l| !l.2 && module(&l.1) && l.0 <= **t && **t - l.0 <= LINK_TO_SAFE_US);
        let safes = truth.safes.iter().filter(hung).map(|t| t.saturating_sub(WATCHDOG_US));
        // A permit written just before the end still starts a belt that stood.
        let stands = |from: u64| {
            let starts = truth.belt.iter().find(|b| b.1 && b.0 > from && b.0 - from <= WATCHDOG_US);
            belt_stands(truth, starts.map_or(from, |b| b.0))
        };
        let spans = downs.chain(safes).map(|from| (from, stands(from).saturating_add(STOP_US))).collect();
        let silent = |fault: No| FALLS_SILENT.iter().find(|w| truth.faults.text(fault).contains(w.0)).map(|w| w.1);
        let fell = truth.device_faults.iter().filter(|f| module(&f.1)).filter_map(|f| Some((f.0, silent(f.2)?)));
        let until = |from: u64, lasts_us: u64| belt_stands(truth, from).saturating_add(STOP_US).min(from + lasts_us);
        let silences = fell.map(|(from, lasts_us)| (from.saturating_sub(UNHEARD_US), until(from, lasts_us))).collect();
        Self { spans, silences }
    }

    /// `named`: the book names it; `at_restart`: a restart took its verdict back, since the daemon before had died (or its
    /// disk had hung) before it could write that the thing had gone by.
    fn excuse(&self, truth: &Truth, thing: No, g: &AtGate, named: bool, at_restart: bool) -> Excuse {
        let t = &truth.things[thing as usize];
        if self.spans.iter().any(|s| (s.0..=s.1).contains(&g.t_us)) {
            return Excuse::Granted;
        }
        if self.silences.iter().any(|s| (s.0..=s.1).contains(&g.t_us)) {
            return Excuse::Warn("the I/O module was made to fall silent");
        }
        // What was done to it between eye and gate, or says by its name that it gets by. A smeared code explains a reject,
        // not that a rejected thing goes on.
        let on_its_way = |at: u64| g.eye_us.is_none_or(|e| e <= at) && at <= g.t_us;
        let says = |fault: No| GETS_BY.iter().any(|w| truth.faults.text(fault).contains(w));
        if t.injected.iter().any(|f| on_its_way(f.0) || says(f.1)) {
            return Excuse::Warn("a fault was done to it");
        }
        let from = g.eye_us.unwrap_or(g.t_us).saturating_sub(LAG_NEAR_US);
        let to = g.t_us + LAG_NEAR_US;
        if truth.lags.iter().any(|(at, by)| at.saturating_sub(*by) <= to && *at >= from) {
            return Excuse::Warn("the truth's writer lagged");
        }
        if named && self.spans.iter().any(|s| g.t_us <= s.0 && s.0 - g.t_us <= DEATH_NEAR_US) {
            return Excuse::Warn("the daemon died a moment later");
        }
        if at_restart && self.spans.iter().any(|s| g.t_us <= s.0 && moving_us(truth, g.t_us, s.0) <= HUNG_NEAR_US) {
            return Excuse::Warn("the daemon died before it could write that the thing had gone by");
        }
        Excuse::None
    }
}

/// How long the belt moved between two moments: a thing that stands in a gate is not through for the line.
fn moving_us(truth: &Truth, from_us: u64, to_us: u64) -> u64 {
    if truth.belt.is_empty() {
        return to_us - from_us;
    }
    let (mut moved, mut since) = (0, truth.belt.iter().rev().find(|b| b.0 <= from_us).filter(|b| b.1).map(|_| from_us));
    for (at, on) in truth.belt.iter().filter(|b| b.0 > from_us && b.0 <= to_us) {
        match (since, on) {
            (None, true) => since = Some(*at),
            (Some(began), false) => {
                moved += at - began;
                since = None;
            }
            _ => {}
        }
    }
    moved + since.map_or(0, |began| to_us - began)
}

/// When the belt next stands, from a moment on.
fn belt_stands(truth: &Truth, from_us: u64) -> u64 {
    let moving = truth.belt.iter().rev().find(|b| b.0 <= from_us).is_some_and(|b| b.1);
    if !moving && !truth.belt.is_empty() {
        return from_us;
    }
    truth.belt.iter().find(|b| b.0 > from_us && !b.1).map_or(u64::MAX / 2, |b| b.0)
}

pub fn check(truth: &Truth, replay: &Replay, codes: &Names, out: &mut Complaints) {
    let unattended = Unattended::new(truth);
    // Station (of the truth) and code → things and what became of them there.
    let mut met: BTreeMap<(No, No), Vec<(No, AtGate)>> = BTreeMap::new();
    let mut never_named: BTreeMap<(No, No), u32> = BTreeMap::new();
    for (no, t) in truth.things.iter().enumerate() {
        for g in &t.gates {
            match t.code_at(g.t_us) {
                Some(c) => met.entry((g.station, c)).or_default().push((no as No, *g)),
                None if g.passed => {
                    let text =
                        format!("{}, which carries no code, passed the gate of {}", truth.name(no as No), truth.stations.text(g.station));
                    complain(unattended.excuse(truth, no as No, g, false, false), None, None, text, out);
                }
                None => {}
            }
        }
        // Things that crossed the eye and never came to the gate: taken by hand, or still on their way.
        for (station, eye_us) in &t.eyes {
            if let Some(c) = t.code_at(*eye_us)
                && !t.gates.iter().any(|g| g.station == *station && g.t_us >= *eye_us)
            {
                *never_named.entry((*station, c)).or_default() += 1;
            }
        }
    }
    for ((station, code), events) in &met {
        let name = truth.stations.text(*station);
        let tally = replay.stations.known(name).and_then(|s| replay.tallies.get(&(s, *code))).copied().unwrap_or_default();
        let lost = never_named.get(&(*station, *code)).copied().unwrap_or(0);
        check_code(truth, &unattended, name, *code, events, tally, lost, codes, out);
    }
}

#[expect(clippy::too_many_arguments, reason = "one code at one gate and everything it is held against")]
fn check_code(
    truth: &Truth,
    unattended: &Unattended,
    station: &str,
    code: No,
    events: &[(No, AtGate)],
    tally: Tally,
    lost: u32,
    codes: &Names,
    out: &mut Complaints,
) {
    let passed: BTreeSet<No> = events.iter().filter(|e| e.1.passed).map(|e| e.0).collect();
    let good = tally.good.saturating_sub(tally.taken_back);
    let named = tally.good + tally.rejected + tally.escaped > 0;
    let at_restart = tally.at_restart > 0;
    let (hex, seq) = (Some(codes.text(code)), (tally.seq > 0).then_some(tally.seq));
    if passed.len() as u32 > good {
        let text = format!(
            "{} thing(s) with this code passed the gate of {station}, the book let {good} through ({})",
            passed.len(),
            passed.iter().map(|t| truth.name(*t)).collect::<Vec<_>>().join(", ")
        );
        let surplus = passed.len() as u32 - good;
        let mut excuses: Vec<Excuse> = events
            .iter()
            .filter(|e| e.1.passed)
            .map(|e| unattended.excuse(truth, e.0, &e.1, named, at_restart))
            .filter(|e| !matches!(e, Excuse::None))
            .collect();
        let excused = excuses.len() as u32 >= surplus;
        let excuse = if excused { excuses.pop().unwrap_or(Excuse::None) } else { Excuse::None };
        complain(excuse, seq, hex, text, out);
    }
    if tally.through > passed.len() as u32 + lost {
        let text = format!("the book let it through the gate of {station}, but it was physically rejected");
        // Any of those rejected may be the one that was let through: each must be excused.
        let mut excuses: Vec<Excuse> =
            events.iter().filter(|e| !e.1.passed).map(|e| unattended.excuse(truth, e.0, &e.1, named, at_restart)).collect();
        let excused = excuses.iter().all(|e| !matches!(e, Excuse::None));
        complain(if excused { excuses.pop().unwrap_or(Excuse::None) } else { Excuse::None }, seq, hex, text, out);
    }
}

fn complain(excuse: Excuse, seq: Option<u64>, hex: Option<&str>, text: String, out: &mut Complaints) {
    match excuse {
        Excuse::None => out.blame(Promise::AckAfterDisk, seq, hex, text),
        Excuse::Granted => {}
        Excuse::Warn(why) => out.warn(format!("{text}; {why}")),
    }
}

/// Eye crossings against the passages the book counted and those its restarts say it missed; answers the difference.
pub fn count(truth: &Truth, replay: &Replay, out: &mut Complaints) -> i64 {
    let module = |d: &No| !truth.printers.contains(d) && !truth.readers.contains(d);
    // A module that was itself in trouble may have lost its counters.
    if truth.device_faults.iter().any(|f| module(&f.1)) || !truth.is_over() {
        return 0;
    }
    let mut off = 0;
    for no in 0..truth.stations.len() as No {
        let name = truth.stations.text(no);
        let crossed = truth.passes.iter().filter(|p| p.1 == no).count() as i64;
        let counted = replay.stations.known(name).and_then(|s| replay.counts.get(&s)).map_or(0, |c| c.counted);
        let missed: Option<i64> =
            replay.restarts.iter().skip(1).map(|m| m.get(name).copied().flatten().map(|n| n as i64)).try_fold(0, |sum, n| Some(sum + n?));
        let Some(missed) = missed else { continue };
        // What crossed after the last daemon had gone is in nobody's book.
        let last_down = truth.links.iter().rev().find(|l| module(&l.1)).filter(|l| !l.2).map(|l| l.0.saturating_sub(TICK_US));
        let tail = last_down.map_or(0, |t| truth.passes.iter().filter(|p| p.1 == no && p.0 >= t).count() as i64);
        let known = counted + missed;
        let by = if known > crossed { known - crossed } else { (crossed - tail - known).max(0) };
        if by != 0 {
            let text = format!("{crossed} things crossed the eye of {name}, the book counted {counted} and missed {missed}");
            out.blame(Promise::Balance, None, None, text);
        }
        off += by;
    }
    off
}
