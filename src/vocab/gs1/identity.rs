//! Which one thing a GS1 code names: its SGTIN or its SSCC, and what stands beside it.
//!
//! Must never know: stores. Values that do not name the thing are not judged here: a thing is found by its name, also
//! where something beside it is damaged.

use super::checks::check_digit_holds;
use super::dictionary::Ai;
use super::message::{Reading, split};
use super::{link, lint};
use std::borrow::Cow;

/// AIs of one code, taken apart.
pub struct Named<'a> {
    /// The SGTIN as `01<GTIN>21<serial>`, or the 18 digits of the SSCC.
    pub name: Cow<'a, [u8]>,
    /// The others, in their order.
    pub beside: Vec<(Ai, Cow<'a, [u8]>)>,
}

/// Of an element string: 00 first, or 01 and 21 anywhere in it. `None` where the string is no whole element string, or
/// where what names the thing is malformed.
pub fn of_element_string(data: &[u8]) -> Option<Named<'_>> {
    let mut all: Vec<(Ai, Cow<'_, [u8]>)> = Vec::new();
    let whole = split(data, |ai, _, value| {
        all.push((ai, value.into()));
        Ok(())
    });
    whole.ok()?;
    // As it stands in most codes: nothing has to be copied.
    if let [gtin, serial] = &all[..]
        && gtin.0.digits() == b"01"
        && serial.0.digits() == b"21"
        && data.len() == 18 + serial.1.len()
    {
        return names(&all).then(|| Named { name: data.into(), beside: Vec::new() });
    }
    named(all)
}

/// Of a Digital Link, by the path after its host.
pub fn of_link_path(path: &str) -> Option<Named<'static>> {
    let reading = Reading { short_gtins: true, ..Reading::default() };
    let elements = link::path_elements(path, reading).ok()?;
    named(elements.into_iter().map(|e| (e.ai, e.value.into_bytes().into())).collect())
}

/// Of a whole Digital Link, the AIs of its query among those beside.
pub fn of_link(uri: &str) -> Option<Named<'static>> {
    let reading = Reading { short_gtins: true, ..Reading::default() };
    let m = link::parse(uri, reading).ok()?;
    named(m.elements().iter().map(|e| (e.ai, e.value.clone().into_bytes().into())).collect())
}

fn named<'a>(all: Vec<(Ai, Cow<'a, [u8]>)>) -> Option<Named<'a>> {
    if !names(&all) {
        return None;
    }
    if all[0].0.digits() == b"00" {
        let mut all = all.into_iter();
        return Some(Named { name: all.next()?.1, beside: all.collect() });
    }
    let mut name = Vec::new();
    for ai in [b"01", b"21"] {
        name.extend_from_slice(ai);
        name.extend_from_slice(&all.iter().find(|e| e.0.digits() == ai)?.1);
    }
    Some(Named { name: name.into(), beside: all.into_iter().filter(|e| !matches!(e.0.digits(), b"01" | b"21")).collect() })
}

/// What names the thing is there, once, and well formed.
fn names(all: &[(Ai, Cow<'_, [u8]>)]) -> bool {
    let once = |ai: &[u8]| {
        let mut found = all.iter().filter(|e| e.0.digits() == ai);
        found.next().filter(|_| found.next().is_none()).map(|e| &*e.1)
    };
    if all.first().is_some_and(|e| e.0.digits() == b"00") {
        return once(b"00").is_some_and(|d| d.len() == 18 && check_digit_holds(d));
    }
    let serial_rule = Ai::new(b"21").and_then(|ai| super::dictionary().rule(ai));
    match (once(b"01"), once(b"21"), serial_rule) {
        (Some(gtin), Some(serial), Some(rule)) => {
            gtin.len() == 14 && check_digit_holds(gtin) && !serial.is_empty() && lint::value(rule, serial).is_ok()
        }
        _ => false,
    }
}
