//! What physically happened: the truth file folded into things, where they are and what they carry; checked against
//! itself, since a truth that contradicts itself proves nothing.

use super::lines::TruthLine;
use super::names::{Names, No, is_hex};
use super::verdict::Complaints;
use crate::vocab::Promise;
use std::collections::HashMap;

/// An `inject` explains what happens to its thing or device within this time of it.
pub const NEAR_US: u64 = 2_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Belt,
    RejectBin,
    Taken,
    In(No),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtGate {
    pub t_us: u64,
    pub station: No,
    pub passed: bool,
    /// When it last crossed that station's eye.
    pub eye_us: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    pub t_us: u64,
    pub from: Option<No>,
}

/// One physical thing.
#[derive(Clone, Debug)]
pub struct Thing {
    /// Codes it carries, with the time each came on it; the last one counts.
    pub carries: Vec<(u64, No)>,
    pub place: Place,
    /// Last crossing of each station's eye.
    pub eyes: Vec<(No, u64)>,
    pub gates: Vec<AtGate>,
    pub takes: Vec<Take>,
    /// Faults done to it: time and name.
    pub injected: Vec<(u64, No)>,
    pub end: Option<End>,
    /// The eye it crossed last, while no reader has seen it since.
    fresh_eye: Option<No>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Packed,
    RejectBin,
    Belt,
    Taken,
}

impl Thing {
    /// The code on it at a moment.
    pub fn code_at(&self, t_us: u64) -> Option<No> {
        self.carries.iter().rev().find(|c| c.0 <= t_us).map(|c| c.1)
    }

    /// The code on it when all is over.
    pub fn code(&self) -> Option<No> {
        self.carries.last().map(|c| c.1)
    }

    /// Was a fault done to it around this time?
    pub fn injected_near(&self, t_us: u64) -> bool {
        self.injected.iter().any(|f| f.0.abs_diff(t_us) <= NEAR_US)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Ink {
    pub t_us: u64,
    pub code: No,
    pub printer: No,
    pub thing: No,
}

/// A reading of one code by one reader.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub first_us: u64,
    pub count: u32,
}

#[derive(Default)]
pub struct Truth {
    pub things: Vec<Thing>,
    pub thing_names: Names,
    pub stations: Names,
    pub devices: Names,
    pub faults: Names,
    pub inks: Vec<Ink>,
    /// Labels that came out of a printer.
    pub labels: Vec<(u64, No, No)>,
    /// (code, thing) of every `apply`.
    pub applied: HashMap<No, Vec<No>>,
    pub carriers: HashMap<No, Vec<No>>,
    pub readings: HashMap<(No, No), Reading>,
    /// How often a reader was the first to see a thing after it crossed a station's eye.
    pub first_seen_by: HashMap<(No, No), u32>,
    /// Eye crossings: (time, station).
    pub passes: Vec<(u64, No)>,
    pub lags: Vec<(u64, u64)>,
    pub belt: Vec<(u64, bool)>,
    pub safes: Vec<u64>,
    /// (time, device, up)
    pub links: Vec<(u64, No, bool)>,
    /// Faults done to a device.
    pub device_faults: Vec<(u64, No, No)>,
    pub printers: Vec<No>,
    pub readers: Vec<No>,
    /// A reader said something else than what the thing carries: (time, reader, thing, code).
    misread: Vec<(u64, No, No, No)>,
    started: bool,
    last_us: u64,
    heard: u64,
}

impl Truth {
    fn thing(&mut self, name: &str) -> No {
        let no = self.thing_names.number(name);
        if self.things.len() <= no as usize {
            self.things.push(Thing {
                carries: Vec::new(),
                place: Place::Belt,
                eyes: Vec::new(),
                gates: Vec::new(),
                takes: Vec::new(),
                injected: Vec::new(),
                end: None,
                fresh_eye: None,
            });
        }
        no
    }

    pub fn name(&self, thing: No) -> &str {
        self.thing_names.text(thing)
    }

    pub fn is_over(&self) -> bool {
        self.things.iter().any(|t| t.end.is_some())
    }

    pub fn hear(&mut self, l: &TruthLine<'_>, codes: &mut Names, out: &mut Complaints) {
        self.heard += 1;
        let t_us = l.t_us.unwrap_or(self.last_us);
        if l.t_us.is_none() || t_us < self.last_us {
            contradicts(
                out,
                Promise::NothingForgotten,
                None,
                format!("its time goes back or is missing in line {} (“{}”)", self.heard, &*l.k),
            );
        }
        self.last_us = self.last_us.max(t_us);
        if (&*l.k == "start") == self.started {
            contradicts(out, Promise::NothingForgotten, None, "it does not begin with one “start”".into());
        }
        self.started = true;
        if l.hex.as_deref().is_some_and(|h| !is_hex(h)) {
            return contradicts(out, Promise::ByteExact, None, format!("line {}: “hex” is not lower-case hex", self.heard));
        }
        if self.event(l, t_us, codes, out).is_none() {
            contradicts(out, Promise::NothingForgotten, None, format!("line {} (“{}”) is not whole", self.heard, &*l.k));
        }
    }

    fn event(&mut self, l: &TruthLine<'_>, t_us: u64, codes: &mut Names, out: &mut Complaints) -> Option<()> {
        match &*l.k {
            "start" => {}
            "ink" => {
                let printer = self.devices.number(l.printer.as_deref()?);
                let thing = self.thing(l.thing.as_deref()?);
                let code = codes.number(l.hex.as_deref()?);
                note(&mut self.printers, printer);
                self.inks.push(Ink { t_us, code, printer, thing });
                self.carry(t_us, code, thing);
            }
            "label" => {
                let printer = self.devices.number(l.printer.as_deref()?);
                note(&mut self.printers, printer);
                self.labels.push((t_us, codes.number(l.hex.as_deref()?), printer));
            }
            "apply" => {
                let thing = self.thing(l.thing.as_deref()?);
                let code = codes.number(l.hex.as_deref()?);
                self.applied.entry(code).or_default().push(thing);
                self.carry(t_us, code, thing);
            }
            "read" => {
                let reader = self.devices.number(l.reader.as_deref()?);
                let thing = self.thing(l.thing.as_deref()?);
                note(&mut self.readers, reader);
                self.read(t_us, reader, thing, l.hex.as_deref(), codes);
            }
            "pass" => {
                let station = self.stations.number(l.station.as_deref()?);
                let thing = self.thing(l.thing.as_deref()?);
                self.passes.push((t_us, station));
                let t = &mut self.things[thing as usize];
                t.eyes.retain(|e| e.0 != station);
                t.eyes.push((station, t_us));
                t.fresh_eye = Some(station);
                if matches!(t.place, Place::RejectBin | Place::Taken) {
                    t.place = Place::Belt;
                }
            }
            "gate" => {
                let station = self.stations.number(l.station.as_deref()?);
                let thing = self.thing(l.thing.as_deref()?);
                let passed = match l.out.as_deref()? {
                    "pass" => true,
                    "reject" => false,
                    _ => return None,
                };
                self.at_gate(t_us, station, thing, passed, codes, out);
            }
            "put" => {
                let (thing, into) = (self.thing(l.thing.as_deref()?), self.thing(l.into.as_deref()?));
                self.put(thing, into, codes, out);
            }
            "take" => {
                let thing = self.thing(l.thing.as_deref()?);
                let from = match l.from.as_deref()? {
                    "belt" => None,
                    name => Some(self.thing(name)),
                };
                self.take(t_us, thing, from, codes, out);
            }
            "belt" => self.belt.push((t_us, l.on?)),
            "safe" => {
                l.device.as_deref()?;
                if l.on? {
                    self.safes.push(t_us);
                }
            }
            "link" => {
                let device = self.devices.number(l.device.as_deref()?);
                self.links.push((t_us, device, l.up?));
            }
            "lag" => self.lags.push((t_us, l.ms? as u64 * 1000)),
            "inject" => {
                let fault = self.faults.number(l.fault.as_deref()?);
                if let Some(t) = l.thing.as_deref() {
                    let thing = self.thing(t);
                    self.things[thing as usize].injected.push((t_us, fault));
                }
                if let Some(d) = l.device.as_deref() {
                    self.device_faults.push((t_us, self.devices.number(d), fault));
                }
            }
            "end" => {
                let thing = self.thing(l.thing.as_deref()?);
                let at = match l.at.as_deref()? {
                    "packed" => End::Packed,
                    "reject-bin" => End::RejectBin,
                    "belt" => End::Belt,
                    "taken" => End::Taken,
                    _ => return None,
                };
                if self.things[thing as usize].end.replace(at).is_some() {
                    let text = format!("{} ends twice", self.name(thing));
                    contradicts(out, Promise::NothingForgotten, None, text);
                }
            }
            _ => out.warn(format!("line {} of the truth is a “{}”, which is not known", self.heard, &*l.k)),
        }
        Some(())
    }

    fn carry(&mut self, t_us: u64, code: No, thing: No) {
        self.things[thing as usize].carries.push((t_us, code));
        let c = self.carriers.entry(code).or_default();
        note(c, thing);
    }

    fn read(&mut self, t_us: u64, reader: No, thing: No, hex: Option<&str>, codes: &mut Names) {
        if let Some(station) = self.things[thing as usize].fresh_eye.take() {
            *self.first_seen_by.entry((station, reader)).or_default() += 1;
        }
        let Some(hex) = hex else { return };
        let code = codes.scanned(hex);
        self.readings.entry((reader, code)).or_insert(Reading { first_us: t_us, count: 0 }).count += 1;
        let t = &self.things[thing as usize];
        if t.carries.iter().any(|c| c.1 == code) {
            return;
        }
        if t.injected.is_empty() {
            self.misread.push((t_us, reader, thing, code));
        } else {
            // A fault has put another code over its own.
            self.carry(t_us, code, thing);
        }
    }

    fn at_gate(&mut self, t_us: u64, station: No, thing: No, passed: bool, codes: &Names, out: &mut Complaints) {
        let t = &mut self.things[thing as usize];
        let eye_us = t.eyes.iter().find(|e| e.0 == station).map(|e| e.1);
        t.gates.push(AtGate { t_us, station, passed, eye_us });
        let (was, hex) = (t.place, t.code().map(|c| codes.text(c)));
        if !matches!(was, Place::Belt) && !t.injected_near(t_us) {
            let text = format!("{} is at the gate of {}, but was {}", self.name(thing), self.stations.text(station), self.place_word(was));
            contradicts(out, Promise::AckAfterDisk, hex, text);
        } else if eye_us.is_none() && !t.injected_near(t_us) {
            let text = format!("{} is at the gate of {} without having crossed its eye", self.name(thing), self.stations.text(station));
            contradicts(out, Promise::AckAfterDisk, hex, text);
        }
        self.things[thing as usize].place = if passed { Place::Belt } else { Place::RejectBin };
    }

    fn put(&mut self, thing: No, into: No, codes: &Names, out: &mut Complaints) {
        let was = self.things[thing as usize].place;
        let hex = self.things[thing as usize].code().map(|c| codes.text(c));
        match was {
            Place::Belt | Place::Taken => {}
            Place::In(other) => {
                let text = format!("{} is put into {} while in {}", self.name(thing), self.name(into), self.name(other));
                contradicts(out, Promise::OneParent, hex, text);
            }
            Place::RejectBin => {
                let text = format!("{} was rejected and never came back, yet is put into {}", self.name(thing), self.name(into));
                contradicts(out, Promise::AckAfterDisk, hex, text);
            }
        }
        self.things[thing as usize].place = Place::In(into);
    }

    fn take(&mut self, t_us: u64, thing: No, from: Option<No>, codes: &Names, out: &mut Complaints) {
        let t = &self.things[thing as usize];
        let there = match from {
            // What was taken out of a parent lies loose beside the belt, and can be taken from there.
            None if t.place == Place::Taken => t.takes.last().is_some_and(|k| k.from.is_some()),
            None => matches!(t.place, Place::Belt | Place::RejectBin),
            Some(f) => t.place == Place::In(f),
        };
        if !there {
            let from = from.map_or("the belt", |f| self.name(f));
            let text = format!("{} is taken from {from}, but was {}", self.name(thing), self.place_word(t.place));
            contradicts(out, Promise::OneParent, t.code().map(|c| codes.text(c)), text);
        }
        let t = &mut self.things[thing as usize];
        t.takes.push(Take { t_us, from });
        t.place = Place::Taken;
    }

    fn place_word(&self, p: Place) -> String {
        match p {
            Place::Belt => "on the belt".into(),
            Place::RejectBin => "in the reject bin".into(),
            Place::Taken => "taken away".into(),
            Place::In(x) => format!("in {}", self.name(x)),
        }
    }

    /// Was a fault done to this device around these times?
    pub fn troubled(&self, device: No, from_us: u64, to_us: u64) -> bool {
        let within = |t: u64| (from_us.saturating_sub(NEAR_US)..=to_us.saturating_add(NEAR_US)).contains(&t);
        self.device_faults.iter().any(|f| f.1 == device && within(f.0)) || self.links.iter().any(|l| l.1 == device && within(l.0))
    }

    /// The truth against itself, once it is over.
    pub fn finish(&mut self, codes: &Names, out: &mut Complaints) {
        if !self.started {
            contradicts(out, Promise::NothingForgotten, None, "it is empty".into());
        }
        for (t_us, reader, thing, code) in std::mem::take(&mut self.misread) {
            let t = &self.things[thing as usize];
            if t.injected.is_empty() && !self.troubled(reader, t_us, t_us) {
                let text = format!("{} read other bytes than {} carries", self.devices.text(reader), self.name(thing));
                contradicts(out, Promise::ByteExact, Some(codes.text(code)), text);
            }
        }
        if !self.is_over() {
            return out.warn("the truth has no “end” yet: where things came to rest was not checked");
        }
        for (no, t) in self.things.iter().enumerate() {
            let hex = t.code().map(|c| codes.text(c));
            let name = self.name(no as No);
            let Some(end) = t.end else {
                contradicts(out, Promise::NothingForgotten, hex, format!("{name} has no “end”"));
                continue;
            };
            let agrees = match (end, t.place) {
                (End::Belt, Place::Belt)
                | (End::Taken, Place::Taken)
                | (End::RejectBin, Place::RejectBin)
                | (End::Packed, Place::In(_)) => true,
                // Lifted out and left on the table.
                (End::Belt, Place::Taken) => true,
                // Inside something that itself came to rest there.
                (_, Place::In(mut up)) => loop {
                    let above = &self.things[up as usize];
                    match above.place {
                        _ if above.end == Some(end) => break true,
                        Place::In(next) if next != up => up = next,
                        _ => break false,
                    }
                },
                _ => false,
            };
            if !agrees {
                let promise =
                    if matches!(end, End::Packed) || matches!(t.place, Place::In(_)) { Promise::OneParent } else { Promise::AckAfterDisk };
                contradicts(out, promise, hex, format!("{name} ends “{}”, but was last {}", end_word(end), self.place_word(t.place)));
            }
        }
    }
}

const fn end_word(end: End) -> &'static str {
    match end {
        End::Packed => "packed",
        End::RejectBin => "reject-bin",
        End::Belt => "belt",
        End::Taken => "taken",
    }
}

fn note(list: &mut Vec<No>, no: No) {
    if !list.contains(&no) {
        list.push(no);
    }
}

fn contradicts(out: &mut Complaints, promise: Promise, hex: Option<&str>, text: String) {
    out.blame(promise, None, hex, format!("the truth contradicts itself: {text}"));
}
