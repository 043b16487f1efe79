//! What the journal says happened, folded anew into a small model of codes, parents and passages. Written from the
//! contract, not from `line`: a rule both have wrong would be seen by neither.
//!
//! Invariants it holds the journal to: seq without gaps, clocks that make sense, a code's bytes sent once, good only
//! what was sent or pre-printed, a seal only of verified children, one verdict a passage (and one that takes it back).

use super::lines::JournalLine;
use super::names::{Names, No, is_hex};
use super::stand::Stand;
use super::verdict::Complaints;
use crate::vocab::{ItemState as S, ParentState as P, Promise, Reason};
use std::collections::{BTreeMap, BTreeSet, HashMap};

mod codes;
mod packs;
mod parents;

/// A code as the journal tells it.
#[derive(Clone, Debug)]
pub struct Code {
    pub state: S,
    /// The journal does not say whether a rejected frame took this code with it: `rejected` is as good.
    pub maybe_rejected: bool,
    /// Its place among all codes sent: seq and index.
    pub sent: Option<(u64, u64)>,
    pub device: Option<No>,
    /// The printer said so, at this seq.
    pub printed: Option<u64>,
    /// An older copy of the ledger was put back: it may have been sent without a word in this journal.
    pub restored: bool,
    /// Ever verified: by which station, at which seq.
    pub verified: Option<(Option<No>, u64)>,
    /// A good verdict on it, the last one.
    pub good_at: Option<u64>,
    pub reason: Option<Reason>,
    pub seen: u64,
    /// More than a reject spoke of it: the dump must have it.
    pub must_stand: bool,
    /// The parent it is in.
    pub parent: Option<No>,
    /// The parent whose number it is.
    pub number_of: Option<No>,
    pub job: Option<No>,
}

impl Default for Code {
    fn default() -> Self {
        Self {
            state: S::Pooled,
            maybe_rejected: false,
            sent: None,
            device: None,
            printed: None,
            restored: false,
            verified: None,
            good_at: None,
            reason: None,
            seen: 0,
            must_stand: false,
            parent: None,
            number_of: None,
            job: None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Parent {
    pub level: Option<No>,
    pub code: Option<No>,
    pub state: P,
    pub children: BTreeSet<No>,
    /// Its own code was read when it opened.
    pub read_first: bool,
    pub sealed_seq: Option<u64>,
}

/// What one station said of one code.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub good: u32,
    pub taken_back: u32,
    /// Taken back by a later boot: whether it had gone by is unknown.
    pub at_restart: u32,
    pub rejected: u32,
    pub through: u32,
    pub escaped: u32,
    pub seq: u64,
}

/// One station's passages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub counted: i64,
    pub verified: i64,
    pub rejected: i64,
    pub escaped: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct PassageSeen {
    good: bool,
    boot: No,
    taken_back: bool,
    escaped: bool,
}

/// A boot's missed passages by station, as its `restart` says.
pub type Missed = BTreeMap<String, Option<u64>>;

#[derive(Default)]
pub struct Replay {
    pub codes: Vec<Code>,
    pub parents: HashMap<No, Parent>,
    /// Parents' ids.
    pub ids: Names,
    pub stations: Names,
    pub levels: Names,
    pub devices: Names,
    pub jobs: Names,
    pub counts: BTreeMap<No, Counts>,
    pub tallies: HashMap<(No, No), Tally>,
    pub restarts: Vec<Missed>,
    pub head: Option<(u64, String)>,
    passages: HashMap<(No, u64), PassageSeen>,
    /// Sent, printed or doubtful codes.
    unsettled: BTreeSet<No>,
    leases: HashMap<String, Vec<(u64, u64)>>,
    packs: HashMap<String, packs::Told>,
    boots: Names,
    job: Option<No>,
    last: Option<Last>,
}

/// The line before.
struct Last {
    seq: u64,
    i: u64,
    boot: No,
    mono_us: u64,
    t: String,
}

/// Where a complaint belongs.
pub(super) struct At<'a> {
    pub seq: u64,
    pub i: u64,
    pub codes: &'a mut Names,
    pub stand: &'a Stand,
    pub out: &'a mut Complaints,
}

impl At<'_> {
    pub(super) fn blame(&mut self, promise: Promise, code: Option<No>, text: impl Into<String>) {
        let hex = code.map(|c| self.codes.text(c));
        self.out.blame(promise, Some(self.seq), hex, text);
    }
}

impl Replay {
    pub fn last_seq(&self) -> u64 {
        self.last.as_ref().map_or(0, |l| l.seq)
    }

    /// A code as the journal tells it; one it never named is in the pool.
    pub fn code(&self, no: No) -> Code {
        self.codes.get(no as usize).cloned().unwrap_or_default()
    }

    pub(super) fn code_mut(&mut self, no: No) -> &mut Code {
        let at = no as usize;
        if self.codes.len() <= at {
            self.codes.resize_with(at + 1, Code::default);
        }
        &mut self.codes[at]
    }

    pub(super) fn job_now(&self) -> Option<No> {
        self.job
    }

    pub fn hear(&mut self, l: &JournalLine<'_>, codes: &mut Names, stand: &Stand, out: &mut Complaints) {
        if &*l.k == "head" {
            return self.hear_head(l, out);
        }
        if self.head.is_some() {
            out.blame(Promise::NothingForgotten, l.seq, None, "a line of the journal stands after its head");
        }
        let Some((seq, i)) = self.order(l, out) else { return };
        let mut at = At { seq, i, codes, stand, out };
        let code = match &l.hex {
            Some(h) if is_hex(h) => Some(at.codes.number(h)),
            Some(h) => {
                at.blame(Promise::ByteExact, None, format!("“{}” is not the lower-case hex of a code", &**h));
                return;
            }
            None => None,
        };
        self.event(l, code, &mut at);
    }

    fn event(&mut self, l: &JournalLine<'_>, code: Option<No>, at: &mut At<'_>) {
        let station = l.station.as_ref().map(|s| self.stations.number(s));
        let id = l.id.as_ref().map(|w| w.as_text().into_owned());
        match (&*l.k, code) {
            ("sent", Some(c)) => {
                let device = l.device.as_ref().map(|d| self.devices.number(d));
                self.sent(c, device, at);
            }
            ("printed", Some(c)) => self.printed(c, at),
            ("doubtful", Some(c)) => self.doubtful(c, l.why.as_deref() == Some("restored"), at),
            ("void", Some(c)) => {
                self.void(c, at);
                if let Some(pack) = l.pack.as_deref() {
                    self.withdrawn_with(pack, c, S::Void, at);
                }
            }
            ("returned", Some(c)) => {
                self.returned(c, at);
                if let Some(pack) = l.pack.as_deref() {
                    self.withdrawn_with(pack, c, S::Returned, at);
                }
            }
            ("pack-used", _) => self.pack_used(l, at),
            ("pack-withdrawn", _) => self.pack_withdrawn(l, at),
            ("missing", Some(c)) => self.missing(c, at),
            ("withdrawn", Some(c)) => {
                self.rejected(c, l.reason.as_deref().and_then(Reason::from_word), at);
            }
            ("read", Some(c)) => self.code_mut(c).seen += 1,
            ("through", Some(c)) => {
                self.code_mut(c).must_stand = true;
                if let Some(s) = station {
                    self.tallies.entry((s, c)).or_default().through += 1;
                }
            }
            ("verdict", _) => self.verdict(l, station, code, at),
            ("escaped", Some(c)) => self.escaped(station, l.passage, c, at),
            ("opened" | "gathered" | "closed" | "labelling" | "sealed" | "relabelled" | "undone", _) => match id {
                Some(id) => self.parent_event(l, &id, code, at),
                None => at.blame(Promise::OneParent, code, format!("an event “{}” names no parent", &*l.k)),
            },
            ("taken-out", Some(c)) => match &l.from {
                Some(from) => {
                    let from = self.ids.number(&from.as_text());
                    self.taken_out(c, from, at);
                }
                None => at.blame(Promise::OneParent, code, "a child was taken out of no parent"),
            },
            ("leased" | "unleased", _) => self.lease(l, at),
            ("restart", _) => self.restarts.push(l.missed.clone().unwrap_or_default()),
            ("job", _) => self.moved_job(id.as_deref(), l.to.as_deref(), at),
            (
                "sent" | "printed" | "doubtful" | "void" | "returned" | "missing" | "withdrawn" | "read" | "through" | "escaped"
                | "taken-out",
                None,
            ) => {
                at.blame(Promise::NothingForgotten, None, format!("an event “{}” names no code", &*l.k));
            }
            // What else the journal tells (alarms, the clock, the line's state) moves no code and no count.
            _ => {}
        }
    }

    fn hear_head(&mut self, l: &JournalLine<'_>, out: &mut Complaints) {
        let (seq, hash) = (l.seq.unwrap_or(0), l.hash.as_deref().unwrap_or("").to_string());
        if seq != self.last_seq() {
            let text = format!("the head stands at event {seq}, but the journal ends at {}", self.last_seq());
            out.blame(Promise::NothingForgotten, Some(seq), None, text);
        }
        if hash.len() != 64 || !is_hex(&hash) {
            out.blame(Promise::NothingForgotten, Some(seq), None, "the head carries no hash of the chain");
        }
        self.head = Some((seq, hash));
    }

    /// The columns of a line: seq, i, boot and clocks.
    fn order(&mut self, l: &JournalLine<'_>, out: &mut Complaints) -> Option<(u64, u64)> {
        let Some(seq) = l.seq else {
            out.blame(Promise::NothingForgotten, None, None, format!("an event “{}” has no seq", &*l.k));
            return None;
        };
        let i = l.i.unwrap_or(0);
        let mut wrong = |text: String| out.blame(Promise::NothingForgotten, Some(seq), None, text);
        let before = self.last.as_ref().map_or((0, 0), |b| (b.seq, b.i));
        let follows = (seq == before.0 + 1 && i == 0) || (self.last.is_some() && seq == before.0 && i == before.1 + 1);
        if !follows {
            wrong(format!("event {seq}.{i} follows {}.{}: an event is lost or out of order", before.0, before.1));
        }
        let (boot, t) = (l.boot.as_deref().unwrap_or(""), l.t.as_deref().unwrap_or(""));
        let mono_us = l.mono_us.unwrap_or(0);
        if boot.is_empty() || l.mono_us.is_none() || !matches!(l.clock.as_deref(), Some("ok" | "suspect")) {
            wrong("the clock columns are not whole".into());
        }
        let fresh = self.last.as_ref().is_none_or(|b| b.t != t);
        if fresh && (!t.ends_with('Z') || chrono::DateTime::parse_from_rfc3339(t).is_err()) {
            wrong(format!("“{t}” is not a time in RFC 3339, UTC"));
        }
        let known = self.boots.known(boot);
        let boot_no = self.boots.number(boot);
        match &self.last {
            Some(b) if b.boot == boot_no && mono_us < b.mono_us => {
                wrong(format!("the monotonic clock went back from {} to {mono_us} µs within a boot", b.mono_us));
            }
            Some(b) if b.boot != boot_no && known.is_some() => wrong(format!("boot {boot} goes on after another one began")),
            _ => {}
        }
        self.last = Some(Last { seq, i, boot: boot_no, mono_us, t: t.to_string() });
        Some((seq, i))
    }

    fn lease(&mut self, l: &JournalLine<'_>, at: &mut At<'_>) {
        let (Some(pack), Some(from), Some(count)) = (l.pack.as_deref(), l.from.as_ref().and_then(|w| w.as_number()), l.count) else {
            return at.blame(Promise::Balance, None, "a lease without pack, from and count");
        };
        let to = from.saturating_add(count);
        if &*l.k == "leased" {
            if self.is_closed(pack) {
                at.blame(Promise::Balance, None, format!("codes {from}..{to} of pack {pack} are leased, but it is closed"));
            }
            let leases = self.leases.entry(pack.to_string()).or_default();
            if leases.iter().any(|r| r.0 < to && from < r.1) {
                at.blame(Promise::Balance, None, format!("codes {from}..{to} of pack {pack} are leased twice"));
            }
            if at.stand.pack_count(pack).is_some_and(|n| to > n) {
                at.blame(Promise::Balance, None, format!("the lease {from}..{to} passes the end of pack {pack}"));
            }
            // Runs that touch are one, so that the list stays short.
            match leases.iter_mut().find(|r| r.1 == from) {
                Some(r) => r.1 = to,
                None => leases.push((from, to)),
            }
            return;
        }
        let leases = self.leases.entry(pack.to_string()).or_default();
        match leases.iter().position(|r| r.0 <= from && to <= r.1) {
            Some(n) => {
                let r = leases.remove(n);
                leases.extend([(r.0, from), (to, r.1)].into_iter().filter(|p| p.0 < p.1));
            }
            None => at.blame(Promise::Balance, None, format!("codes {from}..{to} of pack {pack} go back without having been leased")),
        }
    }

    /// Is this code within what its pack leased?
    pub(super) fn is_leased(&self, pack: &str, ordinal: u64) -> bool {
        self.leases.get(pack).is_some_and(|l| l.iter().any(|r| (r.0..r.1).contains(&ordinal)))
    }

    fn moved_job(&mut self, id: Option<&str>, to: Option<&str>, at: &mut At<'_>) {
        let (Some(id), Some(to)) = (id, to) else { return };
        let job = self.jobs.number(id);
        self.job = Some(job);
        if matches!(to, "completed" | "aborted") {
            let left: Vec<No> = self.unsettled.iter().copied().filter(|c| self.codes[*c as usize].job == Some(job)).collect();
            for c in left {
                let state = self.codes[c as usize].state;
                at.blame(Promise::DoubtIsFinal, Some(c), format!("job {id} is {to}, but this code of it is still {state}"));
            }
        }
    }

    fn verdict(&mut self, l: &JournalLine<'_>, station: Option<No>, code: Option<No>, at: &mut At<'_>) {
        let (Some(station), Some(passage), Some(good)) = (station, l.passage, l.good) else {
            return at.blame(Promise::Balance, code, "a verdict without station, passage and word");
        };
        let reason = l.reason.as_deref().and_then(Reason::from_word);
        let revises = l.revises == Some(true);
        if good == (l.reason.is_some()) || (!good && reason.is_none()) {
            at.blame(Promise::Balance, code, "a reject has a reason and a good verdict has none");
        }
        let name = self.stations.text(station).to_string();
        let boot = self.last.as_ref().map_or(0, |b| b.boot);
        let counts = self.counts.entry(station).or_default();
        let before = self.passages.get(&(station, passage)).copied();
        match (before, revises) {
            (None, false) if passage > 0 => counts.counted += 1,
            (Some(b), true) if b.good && !b.taken_back => counts.verified -= 1,
            (_, true) => at.blame(Promise::Balance, code, format!("passage {passage} of {name} is taken back, but no good verdict stands")),
            _ => at.blame(Promise::Balance, code, format!("passage {passage} of {name} has a second verdict")),
        }
        if good {
            counts.verified += 1;
        } else {
            counts.rejected += 1;
        }
        let seen = self.passages.entry((station, passage)).or_default();
        seen.good |= good;
        seen.taken_back |= revises;
        if good {
            seen.boot = boot;
        }
        let at_restart = revises && seen.boot != boot;
        if let Some(c) = code {
            self.tallies.entry((station, c)).or_default().at_restart += u32::from(at_restart);
            self.verdict_on(c, station, good, reason, revises, l.to.as_deref().and_then(S::from_word), at);
        }
    }

    fn escaped(&mut self, station: Option<No>, passage: Option<u64>, code: No, at: &mut At<'_>) {
        self.code_mut(code).must_stand = true;
        let (Some(station), Some(passage)) = (station, passage) else {
            return at.blame(Promise::Balance, Some(code), "an escape without station and passage");
        };
        self.tallies.entry((station, code)).or_default().escaped += 1;
        let stood = self.passages.get_mut(&(station, passage)).filter(|p| (!p.good || p.taken_back) && !p.escaped);
        match stood {
            Some(p) => p.escaped = true,
            None => at.blame(Promise::Balance, Some(code), format!("passage {passage} escaped, but no reject of it stands")),
        }
        let counts = self.counts.entry(station).or_default();
        counts.rejected -= 1;
        counts.escaped += 1;
    }

    /// How far the passages are from closing, over all stations.
    pub fn passages_off(&self, out: &mut Complaints) -> i64 {
        let mut off = 0;
        for (station, c) in &self.counts {
            let by = c.counted - c.verified - c.rejected - c.escaped;
            if by != 0 || c.verified < 0 || c.rejected < 0 {
                let name = self.stations.text(*station);
                let text = format!(
                    "station {name} counted {} passages, but {} verified, {} rejected and {} escaped",
                    c.counted, c.verified, c.rejected, c.escaped
                );
                out.blame(Promise::Balance, None, None, text);
            }
            off += by.abs();
        }
        off
    }

    /// What only the whole journal shows.
    pub fn finish(&mut self, codes: &Names, out: &mut Complaints) {
        if self.head.is_none() {
            out.blame(Promise::NothingForgotten, None, None, "the journal does not end with its head");
        }
        let mut sealed: Vec<(&No, &Parent)> = self.parents.iter().filter(|p| p.1.sealed_seq.is_some()).collect();
        sealed.sort_by_key(|p| p.1.sealed_seq);
        for (id, p) in sealed {
            let Some(c) = p.code else { continue };
            // Generated and parent-last: only the label read on the thing itself seals.
            if !p.read_first && p.state == P::Sealed && self.codes.get(c as usize).is_none_or(|c| c.good_at.is_none()) {
                let text = format!("parent {} is sealed, but no verdict says that its own code was read", self.ids.text(*id));
                out.blame(Promise::DoubtIsFinal, p.sealed_seq, Some(codes.text(c)), text);
            }
        }
    }
}
