//! A language that only its profile knows: labels are recognised by the templates of the profile and of the printer's
//! stations, its questions and answers by the profile's own words.
//!
//! The host's half reads the same file, so a wrong profile would be mirrored here: the transcripts judge it.

use super::{Heard, Job, Label, Language, MOST_LABELS, State};
use crate::profile::Bound;
use crate::profile::printer::{Condition, Role};
use crate::profile::talk::{Begin, Talk};
use crate::wire::label::{Fill, render};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest label that it collects.
const LONGEST_LABEL: usize = 65_536;
/// Stands in for what differs from label to label; long enough for no template to hold it.
const CODE: &[u8] = b"069999999999999999";
const LOT: &str = "LoT-0815-LoT";
const COUNT: u32 = 4_040_404_040;

#[derive(Debug)]
pub(super) struct Templates {
    bound: Bound,
    talk: Arc<Talk>,
    /// What stands between the places of each label that this printer may be sent, and the place behind each piece.
    shapes: Vec<Vec<(Vec<u8>, Option<Place>)>>,
    questions: Vec<(Role, Vec<u8>)>,
    ends: Vec<Vec<u8>>,
    heard: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Code,
    Lot,
    Count,
}

impl Templates {
    pub fn new(bound: &Bound, templates: Vec<String>) -> Self {
        let talk = bound.profile.talk.clone().expect("a profile of the dialect label was read with its talk");
        let of = |place: &str| bound.place(place);
        let asked = |role: &Role| Some((*role, talk.wrap(*role, &of).ok()?.0));
        let questions: Vec<(Role, Vec<u8>)> = talk.commands.keys().filter_map(asked).collect();
        let templates = templates.iter().map(|t| Some(t.as_str())).chain([None]);
        let rendered: Vec<Vec<u8>> = templates
            .flat_map(|t| [true, false].map(|sscc| render(bound, t, &Fill { code: CODE, sscc, lot: LOT, count: COUNT })))
            .filter_map(Result::ok)
            .collect();
        let ends = rendered.iter().map(|r| r[r.len().saturating_sub(4)..].to_vec()).collect();
        Self { shapes: rendered.iter().map(|r| shape(r)).collect(), bound: bound.clone(), questions, ends, heard: Vec::new(), talk }
    }

    /// The label that these bytes are: what stands where the code does.
    fn label(&self) -> Option<Job> {
        let code = self.shapes.iter().find_map(|shape| read(shape, &self.heard))?;
        let gs1 = code.len() == 18 && code.iter().all(u8::is_ascii_digit);
        let symbol = if gs1 { [b"00", &code[..]].concat() } else { code };
        Some(Job { label: Some(Label { symbol, gs1 }), copies: 1 })
    }
}

/// A label in pieces, each with the place that follows it.
fn shape(label: &[u8]) -> Vec<(Vec<u8>, Option<Place>)> {
    let count = COUNT.to_string().into_bytes();
    let places = [(CODE, Place::Code), (LOT.as_bytes(), Place::Lot), (&count[..], Place::Count)];
    let (mut all, mut rest) = (Vec::new(), label);
    loop {
        let next = places.iter().filter_map(|(v, p)| Some((rest.windows(v.len()).position(|w| w == *v)?, v.len(), *p))).min_by_key(|n| n.0);
        let Some((at, wide, place)) = next else {
            all.push((rest.to_vec(), None));
            return all;
        };
        all.push((rest[..at].to_vec(), Some(place)));
        rest = &rest[at + wide..];
    }
}

/// The code of a label of this shape.
fn read(shape: &[(Vec<u8>, Option<Place>)], label: &[u8]) -> Option<Vec<u8>> {
    let (mut code, mut rest): (Option<Vec<u8>>, &[u8]) = (None, label);
    for (i, (piece, place)) in shape.iter().enumerate() {
        rest = rest.strip_prefix(piece.as_slice())?;
        let Some(place) = place else { break };
        let next = &shape.get(i + 1)?.0;
        let wide = if next.is_empty() { rest.len() } else { rest.windows(next.len()).position(|w| w == next.as_slice())? };
        if *place == Place::Code {
            let value = rest[..wide].to_vec();
            if code.as_ref().is_some_and(|c| *c != value) {
                return None;
            }
            code = Some(value);
        }
        rest = &rest[wide..];
    }
    code.filter(|c| rest.is_empty() && !c.is_empty())
}

impl Language for Templates {
    fn push(&mut self, byte: u8, heard: &mut Vec<Heard>) {
        self.heard.push(byte);
        if let Some((i, (_, bytes))) = self.questions.iter().enumerate().find(|(_, (_, q))| self.heard.ends_with(q)) {
            let from = self.heard.len() - bytes.len();
            self.heard.truncate(from);
            heard.push(Heard::Ask(i as u8));
            return;
        }
        if self.ends.iter().any(|e| self.heard.ends_with(e))
            && let Some(job) = self.label()
        {
            self.heard.clear();
            heard.push(Heard::Job(job));
        }
        if self.heard.len() >= LONGEST_LABEL {
            self.heard.clear();
        }
    }

    /// As its profile says, with `[simulated]` values: `fault` in trouble, `busy` while labels are left.
    fn answer(&mut self, question: u8, state: &State) -> Vec<u8> {
        let Some((role, _)) = self.questions.get(usize::from(question)) else { return Vec::new() };
        let s = &self.talk.simulated;
        let printing = self.talk.status.iter().find(|r| r.becomes == Condition::Printing);
        let busy = |place: &str| {
            let rule = printing.filter(|r| r.of == place && state.left() > 0 && state.fault.is_none())?;
            Some(rule.is.first().cloned().unwrap_or_else(|| state.left().min(MOST_LABELS as u32).to_string()))
        };
        let said = |all: &BTreeMap<String, String>, place: &str| all.get(place).cloned();
        let of = |place: &str| {
            let fault = state.fault.and_then(|_| said(&s.fault, place));
            let own = (place == "fill").then(|| state.left().to_string());
            let text = fault.or_else(|| busy(place)).or(own).or_else(|| said(&s.values, place));
            text.map(String::into_bytes).or_else(|| self.bound.place(place))
        };
        let Some(reply) = self.talk.commands[role].replies.first() else { return Vec::new() };
        let mut out = Vec::new();
        for unit in std::iter::once(&reply.is).chain(&reply.then) {
            let inside = unit.render(&of).unwrap_or_default();
            let form = reply.from.or((self.talk.inbound.len() == 1).then_some(0)).map(|f| &self.talk.inbound[f].form);
            out.extend(match form {
                Some(Begin::Delimited { begin, end }) => [&begin[..], &inside, end].concat(),
                Some(Begin::Line { end }) => [&inside[..], end].concat(),
                _ => inside,
            });
        }
        out
    }

    fn forget(&mut self) {
        self.heard.clear();
    }
}
