//! Which AIs must, and which may not, stand together on one thing (GS1 General Specifications 4.14), as the dictionary's
//! `req=` and `ex=` say.
//!
//! Must never know: values, but that an AI that stands twice must say the same.

use super::dictionary::{Ai, Pattern, dictionary};
use super::message::Message;
use super::refusal::Refusal;

/// An AI may stand twice only with one value.
pub fn repeats(m: &Message) -> Result<(), Refusal> {
    let all = m.elements();
    let twice = all.iter().enumerate().find(|(i, e)| all[..*i].iter().any(|b| b.ai == e.ai && b.value != e.value));
    twice.map_or(Ok(()), |(_, e)| Err(Refusal::Repeated { ai: e.ai }))
}

/// No two AIs of which one excludes the other.
pub fn exclusive(m: &Message) -> Result<(), Refusal> {
    for e in m.elements() {
        for pattern in dictionary().rule(e.ai).map_or(&[][..], |r| &r.excludes) {
            if let Some(other) = ais(m).find(|o| *o != e.ai && pattern.covers(*o)) {
                return Err(Refusal::Excluded { ai: e.ai, other });
            }
        }
    }
    Ok(())
}

/// Every AI has those it must stand with.
pub fn requisites(m: &Message) -> Result<(), Refusal> {
    let has = |p: &Pattern| ais(m).any(|ai| p.covers(ai));
    for e in m.elements() {
        for alternatives in dictionary().rule(e.ai).map_or(&[][..], |r| &r.requires) {
            if !alternatives.iter().any(|group| group.iter().all(has)) {
                let written = |group: &Vec<Pattern>| group.iter().map(|p| format!("({p})")).collect::<Vec<_>>().join(" with ");
                let needs = alternatives.iter().map(written).collect::<Vec<_>>().join(" or ");
                return Err(Refusal::Requires { ai: e.ai, needs });
            }
        }
    }
    Ok(())
}

/// A signature (8030) signs one thing: a key whose serial part is optional must have it.
pub fn signature(m: &Message) -> Result<(), Refusal> {
    let Some(ai) = ais(m).find(|ai| ai.digits() == b"8030") else { return Ok(()) };
    let signed = dictionary().rule(ai).map_or(&[][..], |r| &r.requires);
    let keys = signed.iter().flatten().filter(|group| group.len() == 1).flatten();
    for key in keys {
        let lacking = m.elements().iter().find(|e| {
            key.covers(e.ai)
                && dictionary().rule(e.ai).is_some_and(|r| r.parts.iter().any(|p| p.optional) && e.value.len() <= r.least_len())
        });
        if let Some(e) = lacking {
            return Err(Refusal::Unserialised { ai, key: e.ai });
        }
    }
    Ok(())
}

fn ais(m: &Message) -> impl Iterator<Item = Ai> {
    m.elements().iter().map(|e| e.ai)
}
