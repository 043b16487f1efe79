//! AIs with their values, and the two plain ways of writing them: element strings and brackets.
//!
//! Must never know: symbols, addresses.

use super::dictionary::{Ai, Rule, dictionary};
use super::fault::Fault;
use super::lint;
use super::refusal::Refusal;
use super::{GS, associations};
use crate::vocab::code::tail;
use std::fmt;

/// One AI and its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Element {
    pub ai: Ai,
    /// ASCII, as the AI's rule asks.
    pub value: String,
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({})…{}", self.ai, tail(self.value.as_bytes()))
    }
}

/// What a reader lets through beyond the standard. The default lets nothing through.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Reading {
    /// AIs that the dictionary does not have yet, in brackets and links: any text of up to 90 characters.
    pub unknown_ais: bool,
    /// GTIN-8, -12 and -13 without their leading zeros in a Digital Link, as many of them are printed.
    pub short_gtins: bool,
}

/// The AIs of one thing, in order, each value checked. `Debug` hides all but the tails of the values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    elements: Vec<Element>,
}

impl Message {
    /// Reads an element string: GS where the dictionary asks for FNC1; a leading one is passed over.
    pub fn parse(data: &[u8]) -> Result<Self, Refusal> {
        let mut elements = Vec::new();
        split(data, |ai, rule, value| checked(ai, rule, value).map(|e| elements.push(e)))?;
        Ok(Self { elements })
    }

    /// As [`Message::parse`], of data whose FNC1 in first position is written as GS.
    pub fn parse_marked(data: &[u8]) -> Result<Self, Refusal> {
        match data.split_first() {
            None => Err(Refusal::Empty),
            Some((&GS, rest)) => Self::parse(rest),
            Some(_) => Err(Refusal::NoFnc1),
        }
    }

    /// Reads `(01)…(21)…`; a `(` inside a value is written `\(`.
    pub fn parse_bracketed(text: &str, reading: Reading) -> Result<Self, Refusal> {
        let mut elements = Vec::new();
        let mut rest = text;
        if rest.is_empty() {
            return Err(Refusal::Empty);
        }
        while !rest.is_empty() {
            let brackets = || Refusal::Brackets { at: text.len() - rest.len() };
            let (name, after) = rest.strip_prefix('(').ok_or_else(brackets)?.split_once(')').ok_or_else(brackets)?;
            let ai = Ai::new(name.as_bytes()).ok_or_else(|| Refusal::NotAnAi { ai: name.chars().take(8).collect() })?;
            let mut value = String::new();
            let mut end = after.len();
            for (at, c) in after.char_indices() {
                match c {
                    '(' if value.ends_with('\\') => {
                        value.pop();
                        value.push('(');
                    }
                    '(' => {
                        end = at;
                        break;
                    }
                    c => value.push(c),
                }
            }
            elements.push(Self::element(ai, value.as_bytes(), reading)?);
            rest = &after[end..];
        }
        Ok(Self { elements })
    }

    /// One AI with a value, checked.
    pub(super) fn element(ai: Ai, value: &[u8], reading: Reading) -> Result<Element, Refusal> {
        let d = dictionary();
        let rule = d.rule(ai).or_else(|| d.unknown(ai).filter(|_| reading.unknown_ais));
        checked(ai, rule.ok_or_else(|| Refusal::NotAnAi { ai: ai.to_string() })?, value)
    }

    /// Elements that were checked one by one.
    pub(super) fn of(elements: Vec<Element>) -> Self {
        Self { elements }
    }

    /// A GTIN of 14 digits with a serial.
    pub fn sgtin(gtin: &str, serial: &str) -> Result<Self, Refusal> {
        let of = |ai: &[u8], value: &str| Self::element(Ai::new(ai).expect("two digits"), value.as_bytes(), Reading::default());
        Ok(Self { elements: vec![of(b"01", gtin)?, of(b"21", serial)?] })
    }

    /// A serial shipping container code of 18 digits.
    pub fn sscc(digits: &str) -> Result<Self, Refusal> {
        let ai = Ai::new(b"00").expect("two digits");
        Ok(Self { elements: vec![Self::element(ai, digits.as_bytes(), Reading::default())?] })
    }

    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The value of the first element with this AI.
    pub fn value(&self, ai: &str) -> Option<&str> {
        self.elements.iter().find(|e| e.ai.digits() == ai.as_bytes()).map(|e| e.value.as_str())
    }

    /// The element string, GS only where it is needed, without FNC1 in first position.
    pub fn element_string(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut open = false;
        for e in &self.elements {
            if open {
                out.push(GS);
            }
            out.extend_from_slice(e.ai.digits());
            out.extend_from_slice(e.value.as_bytes());
            open = !dictionary().rule(e.ai).is_some_and(|r| r.predefined);
        }
        out
    }

    /// `(01)…(21)…`.
    pub fn bracketed(&self) -> String {
        self.elements.iter().map(|e| format!("({}){}", e.ai, e.value.replace('(', "\\("))).collect()
    }

    /// Judges which AIs stand together, as on a thing whose only code this is. Values were judged when it was read.
    pub fn lint(&self) -> Result<(), Refusal> {
        associations::repeats(self)?;
        associations::exclusive(self)?;
        associations::requisites(self)?;
        associations::signature(self)
    }
}

fn checked(ai: Ai, rule: &Rule, value: &[u8]) -> Result<Element, Refusal> {
    if value.is_empty() {
        return Err(Refusal::NoValue { ai });
    }
    lint::value(rule, value).map_err(|f| Refusal::Content {
        ai,
        value: String::from_utf8_lossy(value).into_owned(),
        fault: f.fault,
        at: f.at,
        len: f.len,
        end: f.end,
    })?;
    // Every charset is ASCII.
    Ok(Element { ai, value: String::from_utf8_lossy(value).into_owned() })
}

/// Takes an element string apart without judging the values: `each` gets AI, rule and value in order. Refused where an
/// AI is unknown or a value of predefined length is cut short. A leading FNC1 is passed over.
pub fn split<'a>(data: &'a [u8], mut each: impl FnMut(Ai, &'static Rule, &'a [u8]) -> Result<(), Refusal>) -> Result<(), Refusal> {
    let mut at = usize::from(data.first() == Some(&GS));
    if at == data.len() {
        return Err(Refusal::Empty);
    }
    while at < data.len() {
        let (ai, rule) = dictionary().leading(&data[at..]).ok_or(Refusal::UnknownAi { at })?;
        let from = at + ai.digits().len();
        let upto_gs = data[from..].iter().position(|c| *c == GS).map_or(data.len(), |n| from + n);
        let end = match rule.fixed_len().filter(|_| rule.predefined) {
            Some(len) if from + len <= upto_gs => from + len,
            Some(_) => {
                let value = String::from_utf8_lossy(&data[from..upto_gs]).into_owned();
                return Err(Refusal::Content { ai, fault: Fault::TooShort, at: 0, len: value.len(), end: value.len(), value });
            }
            None => upto_gs,
        };
        each(ai, rule, &data[from..end])?;
        // A separator after a predefined length is not needed, but allowed; so is one at the very end.
        at = end + usize::from(data.get(end) == Some(&GS));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_stand_only_where_they_are_needed() {
        let m = Message::parse_bracketed("(01)04601234567893(21)ABC12(93)dGVz", Reading::default()).expect("good");
        assert_eq!(m.element_string(), b"010460123456789321ABC12\x1d93dGVz");
        assert_eq!(Message::parse(b"\x1d010460123456789321ABC12\x1d93dGVz\x1d").expect("good"), m);
        assert_eq!(Message::parse(b"0104601234567893\x1d21ABC12\x1d93dGVz").expect("a separator too many"), m);
        assert_eq!(m.value("21"), Some("ABC12"));
        assert_eq!(m.lint(), Ok(()));
        assert!(!format!("{m:?}").contains("46012345"), "{m:?}");
    }

    #[test]
    fn a_refusal_says_what_and_where() {
        let e = Message::parse(b"010460123456789421A").expect_err("check digit");
        assert_eq!(e.to_string(), "(01) at character 14 of its value: the check digit is wrong: it should be 3");
        let e = Message::parse_bracketed("(8001)1X345678901234", Reading::default()).expect_err("a letter");
        assert_eq!(e.marked().as_deref(), Some("(8001)1|X|34"));
        let e = Message::parse(b"0104601234567893\x1d\x1d21A").expect_err("an empty element");
        assert_eq!(e, Refusal::UnknownAi { at: 17 });
        assert_eq!(Message::parse(b"0104601234567893").expect("alone").lint(), Ok(()));
        let e = Message::parse(b"21ABC").expect("values are good").lint().expect_err("alone");
        assert_eq!(e.to_string(), "(21) must stand with (01) or (03) or (8006)");
    }

    #[test]
    fn brackets_and_a_bracket_inside() {
        let m = Message::parse_bracketed("(10)1\\(2(11)991225", Reading::default()).expect("good");
        assert_eq!((m.value("10"), m.value("11")), (Some("1(2"), Some("991225")));
        assert_eq!(m.bracketed(), "(10)1\\(2(11)991225");
        assert_eq!(Message::parse_bracketed("10)1", Reading::default()), Err(Refusal::Brackets { at: 0 }));
    }
}
