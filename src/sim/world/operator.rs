//! The operator at the console: watches, polls the state, and does what a sensible person does when the line is held.
//! Speaks the socket's JSON, carries none of it: somebody else reads and writes the lines.

use super::World;
use super::belt::Motion;
use super::hands::{Shown, Word};
use super::layout::End;
use super::things::ThingNo;
use crate::vocab::time::MS;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

const POLL_US: u64 = 500 * MS;
/// A request unanswered for so long is forgotten.
const PATIENCE_US: u64 = 3_000 * MS;
/// A look at the line before it is touched or resumed, and the pause after a try.
const LOOK_US: u64 = 1_000 * MS;
const RETRY_US: u64 = 1_500 * MS;

/// Holds that the operator ends when nothing else is wrong.
const RESUMABLE: &[&str] = &[
    "restart",
    "consecutive-rejects",
    "device-down",
    "pool-empty",
    "writer-slow",
    "out-of-step",
    "gate-late",
    "io-slow",
    "counter-jump",
    "gate-stuck",
    "encoder-lost",
    "io-overwritten",
];
/// Alarms under which the operator touches nothing.
const SERIOUS: &[&str] = &["disk-full", "restored"];

#[derive(Debug, Default)]
pub struct Operator {
    connected: bool,
    ever: bool,
    says: VecDeque<Value>,
    next_id: u64,
    poll_us: u64,
    asked_us: Option<(u64, u64)>,
    watch_id: u64,
    seen: Option<(String, u64)>,
    held_since: Option<u64>,
    busy_until: u64,
    /// The line's closed parents by number. Forgotten when sealed or given up.
    closed: BTreeMap<u64, Closed>,
    /// Every new number, and the void ones it replaces one after the other, in hex. Never forgotten: a crash may hide
    /// what became of the one before.
    instead_of: BTreeMap<String, Vec<String>>,
    /// Stations whose gate was taken back, and whose mouth is to be cleared.
    pub(super) cleared: Vec<String>,
    /// The job is on its way out: what is given up now is left as it is.
    ending: bool,
}

/// The thing a label is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The next in the row gets it.
    Anyones,
    /// It replaces the void label on this thing.
    Of(ThingNo),
    /// Its thing is out of reach: thrown away.
    Nobodys,
}

#[derive(Debug)]
struct Closed {
    heard_us: u64,
    /// Looks at the console in a row that did not show it.
    unseen: u32,
    /// In hex: its children, and the numbers it was given.
    children: Vec<String>,
    numbers: Vec<String>,
}

impl Operator {
    pub fn connected(&self) -> bool {
        self.connected
    }

    pub fn ever_connected(&self) -> bool {
        self.ever
    }

    fn say(&mut self, mut request: Value) -> u64 {
        self.next_id += 1;
        request["id"] = self.next_id.into();
        self.says.push_back(request);
        self.next_id
    }
}

impl World {
    /// A line from the daemon's socket: greeting, reply, event, note or beat.
    pub fn operator_hears(&mut self, line: &Value) {
        match line["type"].as_str() {
            Some("hello") => {
                let o = &mut self.operator;
                (o.connected, o.ever, o.asked_us, o.held_since) = (true, true, None, None);
                o.says.clear();
                let watch = match &o.seen {
                    Some((boot, seq)) => json!({"op": "watch", "since": {"boot": boot, "seq": seq}}),
                    None => json!({"op": "watch"}),
                };
                o.watch_id = o.say(watch);
                o.poll_us = self.now_us;
            }
            Some("event") => self.hear_event(line),
            Some(_) => {}
            None => self.hear_reply(line),
        }
    }

    /// The next line the operator sends.
    pub fn operator_says(&mut self) -> Option<Value> {
        self.operator.says.pop_front()
    }

    /// The connection is gone.
    pub fn operator_left(&mut self) {
        self.operator.connected = false;
        self.operator.says.clear();
    }

    pub(super) fn operator_looks(&mut self) {
        let o = &mut self.operator;
        if !o.connected || self.now_us < o.poll_us {
            return;
        }
        if o.asked_us.is_none_or(|(_, at)| self.now_us >= at + PATIENCE_US) {
            let id = o.say(json!({"op": "status"}));
            o.asked_us = Some((id, self.now_us));
        }
        o.poll_us = self.now_us + POLL_US;
    }

    fn hear_event(&mut self, e: &Value) {
        if let (Some(boot), Some(seq)) = (e["boot"].as_str(), e["seq"].as_u64()) {
            match &mut self.operator.seen {
                Some((b, s)) if b == boot => *s = (*s).max(seq),
                seen => *seen = Some((boot.to_string(), seq)),
            }
        }
        let id = e["id"].as_u64();
        let hex = e["hex"].as_str();
        let at = |w: &Self| e["station"].as_str().and_then(|s| w.lay.hands.iter().position(|h| h.id == s));
        match (e["k"].as_str().unwrap_or_default(), id) {
            ("verdict", _) => {
                if let (Some(h), Some(hex), Some(good)) = (at(self), hex, e["good"].as_bool()) {
                    let word = match (good, e["reason"].as_str()) {
                        (true, _) => Word::Good,
                        (false, Some("duplicate")) => Word::Known,
                        (false, _) => Word::Refused,
                    };
                    self.hands[h].hear(hex, word);
                }
            }
            ("opened", Some(id)) => {
                if let Some(h) = at(self) {
                    self.hands[h].opened = Some(id);
                }
            }
            ("closed", Some(id)) => {
                let children = e["children"].as_array().map(Vec::as_slice).unwrap_or_default();
                let children = children.iter().filter_map(|c| c.as_str().map(String::from)).collect();
                let numbers = hex.map(String::from).into_iter().collect();
                self.operator.closed.insert(id, Closed { heard_us: self.now_us, unseen: 0, children, numbers });
            }
            ("sealed", Some(id)) => drop(self.operator.closed.remove(&id)),
            ("relabelled", id) => {
                if let Some(void) = e["void"].as_str() {
                    self.discard_label(void);
                    if let Some(next) = e["next"].as_str() {
                        let mut before = self.operator.instead_of.get(void).cloned().unwrap_or_default();
                        before.push(void.to_string());
                        self.operator.instead_of.insert(next.to_string(), before);
                    }
                }
                if let (Some(c), Some(next)) = (id.and_then(|id| self.operator.closed.get_mut(&id)), e["next"].as_str()) {
                    c.numbers.push(next.to_string());
                }
            }
            ("job", _) => self.operator.ending = matches!(e["to"].as_str(), Some("completing" | "completed" | "aborted")),
            ("undone", Some(id)) => self.given_up(id),
            _ => {}
        }
    }

    /// The line gave a parent up: a person takes it off before it gets somebody else's label, or packs it anew.
    fn given_up(&mut self, id: u64) {
        let closed = self.operator.closed.remove(&id);
        if self.operator.ending {
            return;
        }
        for h in &mut self.hands {
            if h.opened == Some(id) {
                (h.opened, h.undone) = (None, true);
            }
        }
        if let Some(thing) = closed.and_then(|c| self.waiting_with(&c.children)) {
            self.take(thing);
        }
    }

    /// The thing in the applicator's reach that holds any of these children.
    fn waiting_with(&self, children: &[String]) -> Option<ThingNo> {
        let holds = |t: &ThingNo| self.things[*t].children.iter().filter_map(|c| self.things.code(*c)).any(|hex| children.contains(&hex));
        self.stretches.iter().flat_map(|s| s.waiting.iter().map(|w| w.thing)).find(holds)
    }

    /// Whose label this is, as far as the person at the applicator knows.
    pub(super) fn whose_label(&mut self, level: usize, hex: &str) -> Whose {
        let reach = |w: &Self, t: ThingNo| w.stretches[level].waiting.iter().any(|x| x.thing == t);
        if let Some(void) = self.operator.instead_of.get(hex) {
            let bears = |t: &ThingNo| self.things[*t].level == level && self.things.code(*t).is_some_and(|c| void.contains(&c));
            match self.things.all().find(bears) {
                Some(t) if reach(self, t) => return Whose::Of(t),
                Some(_) => return Whose::Nobodys,
                None => {}
            }
        }
        let known = self.operator.closed.values().find(|c| c.numbers.iter().any(|n| n == hex));
        match known {
            Some(c) if self.waiting_with(&c.children).is_none() => Whose::Nobodys,
            _ => Whose::Anyones,
        }
    }

    fn hear_reply(&mut self, r: &Value) {
        let id = r["id"].as_u64().unwrap_or_default();
        let ok = r["ok"].as_bool().unwrap_or_default();
        if id == self.operator.watch_id && !ok {
            // The place asked for is gone: from now on, then.
            self.operator.seen = None;
            self.operator.watch_id = self.operator.say(json!({"op": "watch"}));
        }
        if self.operator.asked_us.is_some_and(|a| a.0 == id) {
            self.operator.asked_us = None;
            if ok {
                self.see_open(r);
                self.see_state(r);
            }
        }
    }

    /// What the console shows of open parents, held against what stands on the line.
    fn see_open(&mut self, s: &Value) {
        let open: Vec<&Value> = s["open"].as_array().into_iter().flatten().collect();
        for (h, place) in self.lay.hands.iter().enumerate() {
            let mine: Vec<&&Value> = open.iter().filter(|o| o["level"] == self.lay.levels[place.level].name.as_str()).collect();
            self.hands[h].look(Shown {
                at_us: self.now_us,
                fill: mine.iter().filter_map(|o| o["fill"].as_u64()).max(),
                codes: mine.iter().filter_map(|o| o["hex"].as_str().map(String::from)).collect(),
            });
        }
        let names: Vec<&str> = s["alarms"].as_array().into_iter().flatten().filter_map(|a| a["name"].as_str()).collect();
        for (h, place) in self.lay.hands.iter().enumerate() {
            self.hands[h].blocked = names.iter().any(|a| a.strip_prefix("out-of-step:") == Some(place.id.as_str()));
        }
        // Closed by the line long ago and not shown twice over: what became of it was not heard. Once is not enough, for
        // its seal may be on its way here.
        let shown: Vec<u64> = open.iter().filter_map(|o| o["id"].as_u64()).collect();
        let mut lost: Vec<u64> = Vec::new();
        for (id, c) in &mut self.operator.closed {
            c.unseen = if shown.contains(id) { 0 } else { c.unseen + 1 };
            if c.unseen >= 2 && self.now_us >= c.heard_us + LOOK_US {
                lost.push(*id);
            }
        }
        lost.into_iter().for_each(|id| self.given_up(id));
    }

    fn see_state(&mut self, s: &Value) {
        let clock = s["alarms"].as_array().into_iter().flatten().any(|a| a["name"] == "clock-suspect");
        if clock && self.now_us >= self.operator.busy_until {
            // The clock on the wall is right again.
            self.operator.say(json!({"op": "clock.trust"}));
            self.operator.busy_until = self.now_us + RETRY_US;
            return;
        }
        if s["state"]["name"] != "held" {
            self.operator.held_since = None;
            return;
        }
        let since = *self.operator.held_since.get_or_insert(self.now_us);
        if self.now_us < (since + LOOK_US).max(self.operator.busy_until) {
            return;
        }
        let names: Vec<&str> = s["alarms"].as_array().into_iter().flatten().filter_map(|a| a["name"].as_str()).collect();
        let lost: Vec<String> = names.iter().filter_map(|a| a.strip_prefix("out-of-step:")).map(String::from).collect();
        if !lost.is_empty() {
            let standing = self.plan.run_permit.is_none()
                || (self.belt.motion == Motion::Standing && !self.permit && self.now_us >= self.belt.stood_at + LOOK_US / 2);
            if standing {
                for station in lost {
                    self.empty_station(&station);
                    self.operator.say(json!({"op": "station.clear", "station": station}));
                }
                self.operator.busy_until = self.now_us + LOOK_US;
            }
            return;
        }
        let stuck: Vec<String> = names.iter().filter_map(|a| a.strip_prefix("gate-stuck:")).map(String::from).collect();
        let taken_back = |station: &String| names.iter().any(|a| a.strip_prefix("gate-retracted:") == Some(station.as_str()));
        if let Some(station) = stuck.iter().find(|s| !taken_back(s)) {
            self.operator.say(json!({"op": "station.retract", "station": station}));
            self.operator.busy_until = self.now_us + LOOK_US;
            return;
        }
        self.operator.cleared.extend(stuck);
        let reason = s["state"]["reason"].as_str().unwrap_or("restart");
        let up = s["devices"].as_array().into_iter().flatten().all(|d| d["link"] == "up");
        let serious = names.iter().any(|a| SERIOUS.contains(&a.split(':').next().unwrap_or(a)));
        if let Some(job) = s["job"]["id"].as_str()
            && RESUMABLE.contains(&reason)
            && up
            && !serious
        {
            self.operator.say(json!({"op": "job.resume", "job": job}));
            self.operator.busy_until = self.now_us + RETRY_US;
        }
    }

    /// Empties the open parent of a station and everything between the gate before it and it.
    fn empty_station(&mut self, id: &str) {
        if let Some(h) = self.lay.hands.iter().position(|h| h.id == id) {
            // What lies on the table is known by its code and can still be packed.
            return self.hand_empties(h);
        }
        let Some(eye) = self.lay.eyes.iter().position(|e| e.id == id && e.sequence) else { return };
        let below = self.lay.eyes[eye].level;
        debug_assert_eq!(self.lay.levels[below].end, End::Sequence(eye));
        if let Some(parent) = self.filling[below + 1] {
            self.things[parent].children.clone().into_iter().for_each(|c| self.take(c));
        }
        let coming: Vec<ThingNo> = self.eyes[eye].coming.iter().copied().filter(|t| self.things.on_belt(*t)).collect();
        coming.into_iter().for_each(|t| self.take(t));
        // A parent that the line never told of (it filled up after the line lost step, or as a daemon died) is none of
        // the line's; counting would not do, for the line may wait for things that are long gone.
        let known = |t: &ThingNo| {
            let mut codes = self.things[*t].children.iter().filter_map(|c| self.things.code(*c));
            codes.any(|hex| self.operator.closed.values().any(|c| c.children.contains(&hex)))
        };
        let waiting = self.stretches[below + 1].waiting.iter().map(|w| w.thing);
        let surplus: Vec<ThingNo> = waiting.filter(|t| self.things[*t].symbol.is_none() && !known(t)).collect();
        surplus.into_iter().for_each(|t| self.take(t));
    }
}
