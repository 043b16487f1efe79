//! GS1 Digital Link URIs, uncompressed (GS1 Digital Link Standard: URI Syntax): `https://host/01/<GTIN>/21/<serial>?17=…`.
//!
//! Must never know: resolvers, networks. The host is the caller's and means nothing here.

use super::dictionary::{Ai, Rule, dictionary};
use super::escape::{escape_path, escape_query, unescape_path, unescape_query};
use super::message::{Element, Message, Reading};
use super::refusal::Refusal;

/// Where links point when nobody says otherwise: GS1's own resolver.
pub const STEM: &str = "https://id.gs1.org";

/// The message of a link: its primary key, the key's qualifiers, then the query's AIs, in the order they stand in.
pub fn parse(uri: &str, reading: Reading) -> Result<Message, Refusal> {
    let not = |why| Refusal::NotALink { why };
    if !uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b)) {
        return Err(not("it holds a character that no URI may hold"));
    }
    let schemes = ["https://", "http://", "HTTPS://", "HTTP://"];
    let rest = schemes.iter().find_map(|s| uri.strip_prefix(s)).ok_or(not("it does not begin with https:// or http://"))?;
    let (host, rest) = rest.split_once('/').ok_or(not("it has no path"))?;
    if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b)) {
        return Err(not("its host is none"));
    }
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut elements = path_elements(path, reading)?;
    let on_path = elements.len();
    let key = elements[0].ai;
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let ai = Ai::new(name.as_bytes()).ok_or_else(|| Refusal::NotAnAi { ai: name.chars().take(8).collect() })?;
        if elements.iter().any(|e| e.ai == ai) {
            return Err(not("one AI stands twice"));
        }
        if dictionary().rule(ai).is_some_and(|r| !r.attribute) {
            return Err(Refusal::NotAnAttribute { ai });
        }
        if fits_path(&elements[..on_path], ai) {
            return Err(Refusal::BelongsInPath { key, ai });
        }
        elements.push(element(ai, unescape_query(value.as_bytes()), reading)?);
    }
    Ok(Message::of(elements))
}

/// The elements at the end of a path: the last primary key in it, and its qualifiers.
pub fn path_elements(path: &str, reading: Reading) -> Result<Vec<Element>, Refusal> {
    let segments: Vec<&str> = path.split('/').collect();
    let mut from = segments.len().checked_sub(2).ok_or(Refusal::NoKey)?;
    loop {
        let ai = Ai::new(segments[from].as_bytes()).ok_or(Refusal::NoKey)?;
        if dictionary().rule(ai).is_some_and(|r| r.key.is_some()) {
            break;
        }
        from = from.checked_sub(2).ok_or(Refusal::NoKey)?;
    }
    let mut elements: Vec<Element> = Vec::new();
    for pair in segments[from..].chunks_exact(2) {
        let ai = Ai::new(pair[0].as_bytes()).ok_or(Refusal::NoKey)?;
        if let Some(key) = elements.first()
            && qualifiers(key.ai).all(|alternative| !alternative.contains(&ai))
        {
            return Err(Refusal::Qualifier { key: key.ai, ai });
        }
        elements.push(element(ai, unescape_path(pair[1].as_bytes()), reading)?);
    }
    let given: Vec<Ai> = elements[1..].iter().map(|e| e.ai).collect();
    match given.last() {
        Some(ai) if !qualifiers(elements[0].ai).any(|alternative| in_order(&given, alternative)) => {
            Err(Refusal::Qualifier { key: elements[0].ai, ai: *ai })
        }
        _ => Ok(elements),
    }
}

/// Writes the link below `stem` (scheme, host and, if wanted, a path; [`STEM`] when `None`): the first primary key with
/// its qualifiers as path, the rest as query, those of predefined length first.
pub fn write(m: &Message, stem: Option<&str>) -> Result<String, Refusal> {
    let mut elements: Vec<&Element> = Vec::new();
    for e in m.elements() {
        match elements.iter().find(|b| b.ai == e.ai) {
            None => elements.push(e),
            Some(b) if b.value == e.value => {}
            Some(_) => return Err(Refusal::Repeated { ai: e.ai }),
        }
    }
    let rule = |e: &Element| dictionary().rule(e.ai);
    let key = *elements.iter().find(|e| rule(e).is_some_and(|r| r.key.is_some())).ok_or(Refusal::NoKey)?;
    let mut given = qualifiers(key.ai).filter_map(|a| Some((a, elements.iter().find(|e| a.contains(&e.ai))?)));
    let order = given.next().map_or(&[][..], |(alternative, _)| alternative);
    if let Some((_, other)) = given.next() {
        return Err(Refusal::Qualifier { key: key.ai, ai: other.ai });
    }
    let mut uri = stem.unwrap_or(STEM).trim_end_matches('/').to_string();
    let path = std::iter::once(&key).chain(order.iter().filter_map(|ai| elements.iter().find(|e| e.ai == *ai)));
    path.for_each(|e| uri.push_str(&format!("/{}/{}", e.ai, escape_path(e.value.as_bytes()))));
    let mut query: Vec<&Element> = elements.iter().filter(|e| e.ai != key.ai && !order.contains(&e.ai)).copied().collect();
    query.sort_by_key(|e| !rule(e).is_some_and(|r| r.predefined));
    for (i, e) in query.into_iter().enumerate() {
        if rule(e).is_some_and(|r| !r.attribute) {
            return Err(Refusal::NotAnAttribute { ai: e.ai });
        }
        uri.push_str(&format!("{}{}={}", if i == 0 { '?' } else { '&' }, e.ai, escape_query(e.value.as_bytes())));
    }
    Ok(uri)
}

fn element(ai: Ai, mut value: Vec<u8>, reading: Reading) -> Result<Element, Refusal> {
    if reading.short_gtins && ai.digits() == b"01" && matches!(value.len(), 8 | 12 | 13) {
        value.splice(..0, std::iter::repeat_n(b'0', 14 - value.len()));
    }
    Message::element(ai, &value, reading)
}

/// The alternatives for a key's qualifiers.
fn qualifiers(key: Ai) -> impl Iterator<Item = &'static [Ai]> {
    let rule: Option<&'static Rule> = dictionary().rule(key);
    rule.and_then(|r| r.key.as_ref()).into_iter().flatten().map(Vec::as_slice)
}

/// `given` stands in the order of `alternative`, which may have more.
fn in_order(given: &[Ai], alternative: &[Ai]) -> bool {
    let mut rest = alternative.iter();
    given.iter().all(|ai| rest.any(|a| a == ai))
}

/// `ai` could have stood among the qualifiers of this path.
fn fits_path(path: &[Element], ai: Ai) -> bool {
    let stands = |alternative: &[Ai]| alternative.contains(&ai) && path[1..].iter().all(|e| alternative.contains(&e.ai));
    qualifiers(path[0].ai).any(stands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_written_below_any_stem_and_read_back() {
        let m = Message::parse(b"010460123456789321a/b+c\x1d17260101").expect("good");
        let uri = write(&m, Some("https://q.example/x/")).expect("written");
        assert_eq!(uri, "https://q.example/x/01/04601234567893/21/a%2Fb%2Bc?17=260101");
        assert_eq!(parse(&uri, Reading::default()), Ok(m));
    }

    #[test]
    fn refusals_say_which_ai_is_in_the_wrong_place() {
        let wrong = parse("https://q.example/01/04601234567893/21/x/10/y", Reading::default()).expect_err("order");
        assert_eq!(wrong.to_string(), "(10) may not stand in the path after (01), or not in that order");
        let wrong = parse("https://q.example/01/04601234567893?10=y", Reading::default()).expect_err("place");
        assert_eq!(wrong.to_string(), "(10) qualifies (01) and belongs into the path");
        assert_eq!(parse("https://q.example/b/TOKEN", Reading::default()), Err(Refusal::NoKey));
    }
}
