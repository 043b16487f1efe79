//! The standard rule: a code is found by what it names, whichever of the standard forms carries it.
//!
//! | form | key |
//! |---|---|
//! | element string or Digital Link with 01 and 21 | `01<GTIN>21<serial>`: a Russian code with and without its crypto tail (91, 92, 93) is one |
//! | element string or Digital Link of an SSCC | its 18 digits |
//! | a URL whose path ends in 20 digits that begin with 8 | those digits: a Chinese drug code (NMPAB/T 1002-2019). *Not verified*: that standard's text and the carriers in use were not seen; 20 digits alone need no rule |
//! | any other http or https URL | `//host/path?query`, as [`super::url`] says |
//! | anything else | the bytes |
//!
//! Must never know: stores. `bytes` come without symbology identifier and leading FNC1.

use super::url;
use crate::vocab::gs1::identity::{self, Named};
use std::borrow::Cow;

pub fn key(bytes: &[u8]) -> Cow<'_, [u8]> {
    if let Some(url) = url::normalised(bytes) {
        let name = url::path(&url).and_then(|path| match identity::of_link_path(path) {
            Some(named) => Some(named.name.into_owned()),
            None => drug_code(path).map(Into::into),
        });
        return name.unwrap_or(url).into();
    }
    named(bytes).map_or(bytes.into(), |n| n.name)
}

/// URLs are compared as URLs, GS1 codes by all their AIs in any order, anything else by its bytes.
pub fn agrees(stored: &[u8], scanned: &[u8]) -> bool {
    if stored == scanned {
        return true;
    }
    match (url::normalised(stored), url::normalised(scanned)) {
        (Some(a), Some(b)) => a == b,
        _ => whole(stored) == whole(scanned),
    }
}

pub fn reported(bytes: &[u8]) -> Cow<'_, [u8]> {
    match url::normalised(bytes) {
        Some(url) => match url::path(&url).and_then(identity::of_link_path) {
            Some(named) => named.name,
            None => bytes.into(),
        },
        None => named(bytes).map_or(bytes.into(), |n| n.name),
    }
}

/// The key, and after it every other AI in order: what must be equal in an element string and a link of one thing.
fn whole(bytes: &[u8]) -> Cow<'_, [u8]> {
    let link = url::normalised(bytes).is_some();
    let named = if link { std::str::from_utf8(bytes).ok().and_then(identity::of_link) } else { named(bytes) };
    let Some(Named { name, mut beside }) = named else { return key(bytes) };
    if beside.is_empty() {
        return name;
    }
    beside.sort();
    let mut all = name.into_owned();
    for (ai, value) in beside {
        all.push(0x1d);
        all.extend_from_slice(ai.digits());
        all.extend_from_slice(&value);
    }
    all.into()
}

/// Codes that begin with two digits may be element strings; most others are told from one look.
fn named(bytes: &[u8]) -> Option<Named<'_>> {
    bytes.first().filter(|c| c.is_ascii_digit()).and_then(|_| identity::of_element_string(bytes))
}

/// The 20 digits at the end of a path.
fn drug_code(path: &str) -> Option<&[u8]> {
    let last = path.rsplit('/').next()?.as_bytes();
    (last.len() == 20 && last[0] == b'8' && last.iter().all(u8::is_ascii_digit)).then_some(last)
}
