//! `[[supply]]`: where packs are ordered from.

use super::node::{At, Table};
use super::read::fields;
use crate::vocab::plan::{CodeSource, Level, Product};
use crate::vocab::supply::{Form, Http, Poll, Repeat, SupplyRule, Via};
use std::path::Path;

/// Bytes a code takes in an answer at the very least.
const LEAST_CODE: u64 = 8;

/// What may stand in braces in a template (`upstream/blanks.rs`).
const BLANKS: &[&str] = &["count", "token", "level", "product", "gtin", "line"];

pub(super) fn supplies(root: &Table<'_>, base: &Path, line: &str, levels: &[Level], products: &[Product]) -> Vec<SupplyRule> {
    let mut out: Vec<SupplyRule> = Vec::new();
    for mut t in root.tables("supply") {
        let level = t.needed_text("level", "\"bottle\"");
        let product = t.needed_text("product", "\"P1\"");
        let (Some(level), Some(product)) = (level, product) else {
            continue;
        };
        t.name = format!("[[supply]] {} {}", level.value, product.value);
        match levels.iter().find(|l| l.name == level.value) {
            None => t.complain(level.at, format_args!("there is no level \"{}\"", level.value), "name a [[level]] of the file"),
            Some(l) if l.codes == CodeSource::Generated => {
                t.complain(level.at, "this level makes its own numbers", "order codes for printed or pre-printed levels");
            }
            Some(_) => {}
        }
        let known = products.iter().find(|p| p.id == product.value);
        if known.is_none() {
            t.complain(product.at, format_args!("there is no product \"{}\"", product.value), "name a [[product]] of the file");
        }
        if out.iter().any(|s| s.level == level.value && s.product == product.value) {
            t.complain(t.at, "it stands twice", "keep one [[supply]] for a level and product");
        }
        let gtin = known.and_then(|p| p.gtin.clone());
        let folder = t.word("kind", &[("http", false), ("folder", true)]).unwrap_or(false);
        let low = t.needed_number("low", 1, 1 << 31, "5000");
        let order = t.needed_number("order", 1, 100_000_000, "20000");
        let column = t.text("column").map(|c| c.value.to_string());
        let every_s = t.number("every_s", 1, 3_600).unwrap_or(5) as u32;
        let told = t.word("repeat", &[("same", Repeat::Same), ("new", Repeat::New)]);
        let via = if folder { self::folder(&t, base) } else { http(&t, base, gtin.is_some()).map(|h| Via::Http(Box::new(h))) };
        t.done();
        let (Some(via), Some(low), Some(order)) = (via, low, order) else { continue };
        let repeat = told.unwrap_or_else(|| repeat_of(&via));
        let over_http = if let Via::Http(h) = &via { Some(&**h) } else { None };
        if repeat == Repeat::New && over_http.is_none_or(|h| h.poll.is_some()) {
            t.complain(
                t.place("repeat"),
                "orders that are looked for later are named by their token",
                "remove repeat, or set it to \"same\"",
            );
        }
        if column.is_some() && over_http.is_some_and(|h| h.form != Form::Text) {
            t.complain(t.place("column"), "a JSON answer has no columns", "set form = \"text\", or remove column");
        }
        if let Some(h) = over_http
            && order * LEAST_CODE > u64::from(h.max_mb) << 20
        {
            t.complain(
                t.place("order"),
                format_args!("{order} codes do not fit into an answer of {} MB", h.max_mb),
                "lower order, or raise max_mb",
            );
        }
        out.push(SupplyRule {
            level: level.value.into(),
            product: product.value.into(),
            gtin,
            line: line.into(),
            low: low as u32,
            order: order as u32,
            column,
            repeat,
            every_s,
            via,
        });
    }
    out
}

/// A token in the order's own request is there to be honoured; without one nothing tells a repetition from a new order.
fn repeat_of(via: &Via) -> Repeat {
    let Via::Http(h) = via else { return Repeat::Same };
    let texts = [Some(&h.url), h.body.as_ref()].into_iter().flatten().chain(h.headers.iter().map(|h| &h.1));
    if h.poll.is_some() || texts.into_iter().any(|t| t.contains("{token}")) { Repeat::Same } else { Repeat::New }
}

fn folder(t: &Table<'_>, base: &Path) -> Option<Via> {
    let place = |key, example| {
        let at = t.needed_text(key, example)?;
        let path = base.join(at.value);
        if !path.is_dir() {
            t.complain(at.at, format_args!("{key} = \"{}\" is no folder", at.value), "make the folder first");
        }
        Some(path)
    };
    let (outbox, inbox) = (place("outbox", "\"orders\""), place("inbox", "\"deliveries\""));
    Some(Via::Folder { outbox: outbox?, inbox: inbox? })
}

fn http(t: &Table<'_>, base: &Path, has_gtin: bool) -> Option<Http> {
    let url = t.needed_text("url", "\"https://pool.example/codes?n={count}&token={token}\"");
    let post = t.word("method", &[("GET", false), ("POST", true)]).unwrap_or(false);
    let headers = t.table("headers").map(|h| fields(&h)).unwrap_or_default().into_iter().collect::<Vec<_>>();
    let mut header_files = Vec::new();
    for (name, file) in t.table("header_files").map(|h| fields(&h)).unwrap_or_default() {
        let path = base.join(&file);
        if let Err(e) = std::fs::read(&path) {
            t.complain(t.place("header_files"), format_args!("{name} = \"{file}\" cannot be read: {e}"), "put the secret into that file");
        }
        header_files.push((name, path));
    }
    for name in headers.iter().map(|h| &h.0).chain(header_files.iter().map(|h| &h.0)) {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            t.complain(t.place("headers"), format_args!("\"{name}\" is no header's name"), "use letters, digits and -");
        }
    }
    let body = t.text("body").map(|b| b.value.to_string());
    if body.is_some() && !post {
        t.complain(t.place("body"), "a GET has no body", "set method = \"POST\", or remove body");
    }
    let json = t.word("form", &[("json", true), ("text", false)]).unwrap_or(true);
    let form = if json {
        let codes = pointer(t, "codes").unwrap_or_default();
        Form::Json { codes, code: pointer(t, "code") }
    } else {
        Form::Text
    };
    let ca = t.text("ca").map(|c| {
        let path = base.join(c.value);
        if let Err(e) = std::fs::read(&path) {
            t.complain(c.at, format_args!("ca = \"{}\" cannot be read: {e}", c.value), "give the authority's certificate as PEM");
        }
        path
    });
    let number = |key, most, or: u32| t.number(key, 1, most).map_or(or, |n| n as u32);
    let (connect_s, timeout_s, max_mb) = (number("connect_s", 600, 10), number("timeout_s", 3_600, 60), number("max_mb", 4_096, 64));
    let plain = t.word("plain_http", &[("accepted", true)]).unwrap_or(false);
    let poll = t.table("poll").and_then(|p| poll(&p));
    let At { at, value } = url?;
    let looks = poll.iter().flat_map(|p| [Some(&p.url), p.fetch.as_ref()]).flatten().map(String::as_str);
    for u in [value].into_iter().chain(looks) {
        address(t, at, u, plain);
    }
    let asks = |x: &str| x.contains("{gtin}");
    if !has_gtin && (asks(value) || body.as_deref().is_some_and(asks) || headers.iter().any(|h| asks(&h.1))) {
        t.complain(at, "{gtin} is asked for, and the product has none", "add gtin to its [[product]]");
    }
    Some(Http { post, url: value.into(), headers, header_files, body, form, ca, connect_s, timeout_s, max_mb, poll })
}

fn poll(t: &Table<'_>) -> Option<Poll> {
    let url = t.needed_text("url", "\"https://pool.example/orders/{token}\"");
    let until = t.table("until");
    if until.is_none() {
        t.complain(t.at, "until is missing", "add until = { pointer = \"/status\", equals = \"ready\" }");
    }
    let until = until.map(|u| {
        let read = (pointer(&u, "pointer"), u.needed_text("equals", "\"ready\"").map(|e| e.value.to_string()));
        u.done();
        read
    });
    let fetch = t.text("fetch").map(|f| f.value.to_string());
    t.done();
    let (pointer, equals) = until?;
    Some(Poll { url: url?.value.into(), pointer: pointer.unwrap_or_default(), equals: equals?, fetch })
}

/// A JSON pointer (RFC 6901).
fn pointer(t: &Table<'_>, key: &'static str) -> Option<String> {
    let At { at, value } = t.text(key)?;
    if !value.is_empty() && !value.starts_with('/') {
        t.complain(at, format_args!("{key} = \"{value}\" is no JSON pointer"), "begin it with /, as \"/numbers\"");
    }
    Some(value.into())
}

fn address(t: &Table<'_>, at: usize, url: &str, plain_accepted: bool) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    if !matches!(scheme, "http" | "https") || authority.is_empty() || url.bytes().any(|b| b <= b' ' || b >= 0x7f) {
        return t.complain(at, format_args!("\"{url}\" is no address"), "write https://HOST/PATH, in ASCII");
    }
    if authority.contains('@') {
        return t.complain(at, "a password stands in the address", "put it into a file: header_files = { Authorization = \"FILE\" }");
    }
    let host = authority.rsplit_once(':').filter(|(_, p)| p.bytes().all(|b| b.is_ascii_digit())).map_or(authority, |(h, _)| h);
    if scheme == "http" && !matches!(host, "127.0.0.1" | "localhost" | "[::1]") && !plain_accepted {
        t.complain(at, "codes and secrets would travel readable", "use https://, or say plain_http = \"accepted\"");
    }
    for part in url.split('{').skip(1) {
        let word = part.split('}').next().unwrap_or("");
        if !BLANKS.contains(&word) {
            t.complain(at, format_args!("{{{word}}} is not known"), format!("known: {{{}}}", BLANKS.join("} {")));
        }
    }
}

/// Values that are put into templates need no escaping.
#[cfg(test)]
mod tests {
    use crate::config::words::is_id;

    #[test]
    fn ids_are_safe_in_urls_and_json() {
        for bad in ["a b", "a\"b", "a/b", "a&b", "é", ""] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
