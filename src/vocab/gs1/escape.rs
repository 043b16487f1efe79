//! Percent escapes of URIs (RFC 3986 section 2.1).
//!
//! Must never know: what is escaped. Only unreserved characters stay plain; a malformed escape stays as it is.

/// For a segment of a path.
pub fn escape_path(bytes: &[u8]) -> String {
    escape(bytes, false)
}

/// For a value in a query, where a blank is `+`.
pub fn escape_query(bytes: &[u8]) -> String {
    escape(bytes, true)
}

pub fn unescape_path(text: &[u8]) -> Vec<u8> {
    unescape(text, false)
}

pub fn unescape_query(text: &[u8]) -> Vec<u8> {
    unescape(text, true)
}

fn escape(bytes: &[u8], query: bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for b in bytes {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*b as char),
            b' ' if query => out.push('+'),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

fn unescape(text: &[u8], query: bool) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|c| (*c as char).to_digit(16)).map(|d| d as u8);
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 2;
            }
            (b'+', _, _) if query => out.push(b' '),
            (c, _, _) => out.push(c),
        }
        at += 1;
    }
    out
}
