//! Knobs that somebody turns while a line is simulated: what each is called, whom it suits, and what it does. Every turn
//! is in the truth as `inject`, before it does harm.
//!
//! Must never know: where the request comes from. A new knob is a line in `KNOBS` and, when it is no trouble of a device
//! that `bench::Trouble` has already, an arm in `World::turn`.

use super::World;
use super::belt::Later;
use super::faults::Fault;
use super::things::ThingNo;
use super::truth::escaped;
use crate::sim::bench::{Bench, Trouble};
use crate::vocab::DeviceNo;
use crate::vocab::plan::{Point, Traits};
use crate::vocab::time::MS;
use serde_json::{Value, json};

/// Whom a knob suits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suits {
    All,
    Printers,
    /// Those that print codes on things, not labels.
    ItemPrinters,
    Readers,
    Modules,
    /// Whatever can say no.
    Obeying,
}

impl Suits {
    fn fits(self, traits: &Traits) -> bool {
        match self {
            Self::All => true,
            Self::Printers => matches!(traits, Traits::Printer(_)),
            Self::ItemPrinters => matches!(traits, Traits::Printer(p) if !p.label),
            Self::Readers => matches!(traits, Traits::Reader(_)),
            Self::Modules => matches!(traits, Traits::Io(_)),
            Self::Obeying => !matches!(traits, Traits::Reader(_)),
        }
    }
}

/// What a knob does.
enum Does {
    Trouble(fn(u32) -> Trouble),
    /// The mouth of a gate's reject bin stays blocked.
    Jam,
    /// A gate stays where it is.
    Stuck,
}

struct Knob {
    name: &'static str,
    suits: Suits,
    /// For how long when nobody says; 0: it has no length.
    ms: u32,
    what: &'static str,
    does: Does,
}

const KNOBS: &[Knob] = &[
    knob("silent", Suits::All, 1_000, "hears nothing and says nothing", Does::Trouble(|ms| Trouble::Deaf { ms })),
    knob("mute-next", Suits::All, 0, "the next request gets no answer", Does::Trouble(|_| Trouble::Silence)),
    knob("late", Suits::All, 300, "the next answer comes so much later", Does::Trouble(|ms| Trouble::LateAck { ms })),
    knob("link-loss", Suits::All, 500, "the link drops and comes back", Does::Trouble(|ms| Trouble::LinkLoss { ms })),
    knob("power-cycle", Suits::All, 1_000, "power off, and what it held is gone", Does::Trouble(|ms| Trouble::PowerCycle { ms })),
    knob("split", Suits::All, 20, "the next bytes leave in two halves", Does::Trouble(|ms| Trouble::Split { ms })),
    knob("glue", Suits::All, 0, "the next two sendings leave as one", Does::Trouble(|_| Trouble::Glue)),
    knob("duplicate", Suits::All, 0, "the next answer or frame comes twice", Does::Trouble(|_| Trouble::DoubleFrame)),
    knob("nak-next", Suits::Obeying, 0, "the next code (of a module: request) is refused", Does::Trouble(|_| Trouble::Refuse)),
    knob(
        "starve",
        Suits::ItemPrinters,
        2_000,
        "takes no code, prints what it has and runs empty",
        Does::Trouble(|ms| Trouble::Starve { ms }),
    ),
    knob("drop-buffer", Suits::Printers, 0, "forgets its buffer and says nothing", Does::Trouble(|_| Trouble::DropBuffer)),
    knob("fault", Suits::Printers, 2_000, "stands with a fault", Does::Trouble(|ms| Trouble::Fault { ms })),
    knob("jam", Suits::Printers, 5_000, "stands with a fault: something is stuck in it", Does::Trouble(|ms| Trouble::Fault { ms })),
    knob("stale-frame", Suits::Readers, 500, "the next frame is kept and sent later", Does::Trouble(|ms| Trouble::StaleFrame { ms })),
    knob("jam", Suits::Modules, 5_000, "something lies in the mouth of a reject bin", Does::Jam),
    knob("stuck", Suits::Modules, 2_000, "a gate does not reject", Does::Stuck),
];

const fn knob(name: &'static str, suits: Suits, ms: u32, what: &'static str, does: Does) -> Knob {
    Knob { name, suits, ms, what, does }
}

/// Why a knob was not turned: code, message, what to do.
pub type Refusal = (&'static str, String, String);

impl World {
    /// `{"op":"devices"}`, or `{"op":"turn","device","knob"}` with `ms` and, for a gate's knob, `station`.
    ///
    /// # Errors
    /// What is wrong with the request, in words.
    pub fn turn(&mut self, request: &Value, bench: &mut impl Bench) -> Result<Value, Refusal> {
        match request["op"].as_str() {
            Some("devices") => Ok(json!({"devices": self.plan.devices.iter().map(|d| self.described(d.no)).collect::<Vec<_>>()})),
            Some("turn") => self.turned(request, bench),
            _ => Err(("unknown-op", "there is no such operation".into(), "use one of: devices turn".into())),
        }
    }

    fn knobs_of(&self, device: DeviceNo) -> impl Iterator<Item = &'static Knob> + '_ {
        let traits = &self.plan.device(device).traits;
        KNOBS.iter().filter(move |k| k.suits.fits(traits))
    }

    fn described(&self, device: DeviceNo) -> Value {
        let d = self.plan.device(device);
        let knobs: Vec<Value> = self.knobs_of(device).map(|k| json!({"knob": k.name, "ms": k.ms, "what": k.what})).collect();
        json!({"id": d.id, "profile": d.profile, "knobs": knobs})
    }

    fn turned(&mut self, request: &Value, bench: &mut impl Bench) -> Result<Value, Refusal> {
        let named = request["device"].as_str().unwrap_or_default();
        let known = || self.plan.devices.iter().map(|d| d.id.as_str()).collect::<Vec<_>>().join(" ");
        let Some(device) = self.plan.devices.iter().find(|d| d.id == named).map(|d| d.no) else {
            return Err(("unknown-device", format!("there is no device {named}"), format!("use one of: {}", known())));
        };
        let name = request["knob"].as_str().unwrap_or_default();
        let Some(knob) = self.knobs_of(device).find(|k| k.name == name) else {
            let names: Vec<&str> = self.knobs_of(device).map(|k| k.name).collect();
            return Err(("unknown-knob", format!("{named} has no knob {name}"), format!("use one of: {}", names.join(" "))));
        };
        let ms = match &request["ms"] {
            Value::Null => knob.ms,
            n => match n.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= 3_600_000) {
                Some(ms) => ms,
                None => return Err(("bad-ms", format!("ms = {n} is no time"), "give a whole number up to 3600000".into())),
            },
        };
        match knob.does {
            Does::Trouble(trouble) => {
                self.injected(knob.name, Some(device));
                bench.trouble(device, trouble(ms), self.now_us);
            }
            Does::Jam | Does::Stuck => {
                let eyes = self.gates_of(device, request["station"].as_str())?;
                self.injected(knob.name, Some(device));
                let until_us = self.now_us + u64::from(ms) * MS;
                for eye in eyes {
                    match knob.does {
                        Does::Stuck => self.eyes[eye].stuck_until_us = until_us,
                        _ => self.block(eye, until_us, bench),
                    }
                }
            }
        }
        Ok(json!({"device": named, "knob": knob.name, "ms": ms}))
    }

    /// The gates whose coil is on this module, or the one of a station.
    fn gates_of(&self, device: DeviceNo, station: Option<&str>) -> Result<Vec<usize>, Refusal> {
        let mine = |e: &super::layout::Eye| e.gate.as_ref().is_some_and(|g| g.output.device == device);
        let fits = |e: &&super::layout::Eye| mine(e) && station.is_none_or(|s| s == e.id);
        let eyes: Vec<usize> = (0..self.lay.eyes.len()).filter(|i| fits(&&self.lay.eyes[*i])).collect();
        if eyes.is_empty() {
            let known: Vec<&str> = self.lay.eyes.iter().filter(|e| mine(e)).map(|e| e.id.as_str()).collect();
            return Err(("no-gate", "no gate of this module is meant".into(), format!("name a station: {}", known.join(" "))));
        }
        Ok(eyes)
    }

    fn block(&mut self, eye: usize, until_us: u64, bench: &mut impl Bench) {
        let Some(point) = self.lay.eyes[eye].gate.as_ref().and_then(|g| g.confirm) else { return };
        self.eyes[eye].blocked_until_us = until_us;
        bench.input(point, true, self.now_us);
        self.belt.later(until_us, Later::Unblock { eye });
    }

    /// Its time is over, or a person took out what lay there.
    pub(super) fn unblock(&mut self, eye: usize, bench: &mut impl Bench) {
        let Some(point) = self.lay.eyes[eye].gate.as_ref().and_then(|g| g.confirm) else { return };
        if std::mem::take(&mut self.eyes[eye].blocked_until_us) > 0 {
            bench.input(point, false, self.now_us);
        }
    }

    /// Something lies before this sensor.
    pub(super) fn blocked(&self, point: Point) -> bool {
        let here = |e: &super::layout::Eye| e.gate.as_ref().is_some_and(|g| g.confirm == Some(point));
        self.lay.eyes.iter().zip(&self.eyes).any(|(e, live)| here(e) && live.blocked_until_us > 0)
    }

    /// The operator has said that a gate is out of the way, and takes out what lies there.
    pub(super) fn clear_mouths(&mut self, bench: &mut impl Bench) {
        for station in std::mem::take(&mut self.operator.cleared) {
            if let Some(eye) = self.lay.eyes.iter().position(|e| e.id == station) {
                self.unblock(eye, bench);
            }
        }
    }

    /// The gate does not move for this thing, which it was to reject.
    pub(super) fn stands_still(&mut self, eye: usize, thing: ThingNo) -> bool {
        let stuck = self.now_us < self.eyes[eye].stuck_until_us;
        if stuck {
            self.inject(Fault::GateStuck, Some(thing), None);
        }
        stuck
    }

    fn injected(&mut self, word: &str, device: Option<DeviceNo>) {
        let device = device.map_or(String::new(), |d| format!(r#","device":"{}""#, escaped(&self.plan.device(d).id)));
        self.truth.line(self.now_us, "inject", format_args!(r#","fault":"{word}"{device}"#));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::plan::{IoTraits, PrinterTraits, ReaderTraits};

    #[test]
    fn names_are_words_and_every_knob_says_what_it_does() {
        let printer = |label| {
            Traits::Printer(PrinterTraits {
                depth: 1,
                confirms: true,
                clear_on_adopt: true,
                label,
                repeats_on_empty: false,
                one_by_one: false,
                selects: true,
                sets_fields: false,
                labels: None,
            })
        };
        for traits in [printer(false), printer(true), Traits::Reader(ReaderTraits::default()), Traits::Io(IoTraits::default())] {
            let mut seen = std::collections::BTreeSet::new();
            for k in KNOBS.iter().filter(|k| k.suits.fits(&traits)) {
                assert!(seen.insert(k.name) && k.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", k.name);
                assert!(!k.what.is_empty());
            }
            let asked = ["silent", "power-cycle", "glue", "split", "duplicate"];
            assert!(asked.iter().all(|n| seen.contains(n)), "{seen:?}");
        }
    }
}
