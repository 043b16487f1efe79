//! A URL without what does not matter in it: the scheme, the case of scheme and host, the default port, a slash at the
//! path's end, the fragment (RFC 3986 6.2.2, 6.2.3).
//!
//! Must never know: what a path means. Percent escapes stay as they are.

/// `//host[:port][/path][?query]` of an http or https URL. `None` for anything else.
pub fn normalised(b: &[u8]) -> Option<Vec<u8>> {
    let (default_port, rest): (&[u8], &[u8]) = match scheme(b)? {
        4 => (b":80", &b[7..]),
        _ => (b":443", &b[8..]),
    };
    let rest = &rest[..rest.iter().position(|c| *c == b'#').unwrap_or(rest.len())];
    let host_end = rest.iter().position(|c| matches!(c, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(host_end);
    // Whoever stands before an @ keeps his case.
    let host_at = authority.iter().rposition(|c| *c == b'@').map_or(0, |at| at + 1);
    let (user, host) = authority.split_at(host_at);
    let host = host.strip_suffix(default_port).unwrap_or(host);
    if host.is_empty() {
        return None;
    }
    let path_end = rest.iter().position(|c| *c == b'?').unwrap_or(rest.len());
    let (path, query) = rest.split_at(path_end);
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let mut out = Vec::with_capacity(b.len());
    out.extend_from_slice(b"//");
    out.extend_from_slice(user);
    out.extend(host.iter().map(u8::to_ascii_lowercase));
    out.extend_from_slice(path);
    out.extend_from_slice(query);
    Some(out)
}

/// The path of a normalised URL, without its first slash.
pub fn path(normalised: &[u8]) -> Option<&str> {
    let rest = normalised.strip_prefix(b"//")?;
    let from = rest.iter().position(|c| matches!(c, b'/' | b'?')).filter(|at| rest[*at] == b'/')? + 1;
    let end = rest[from..].iter().position(|c| *c == b'?').map_or(rest.len(), |n| from + n);
    std::str::from_utf8(&rest[from..end]).ok()
}

/// Letters of the scheme of an http or https URL without blanks and controls.
fn scheme(b: &[u8]) -> Option<usize> {
    let begins = |with: &[u8]| b.get(..with.len()).is_some_and(|h| h.eq_ignore_ascii_case(with));
    let len = if begins(b"http://") { 4 } else { 5 };
    let good = (len == 4 || begins(b"https://")) && !b.iter().any(|c| *c <= b' ' || *c == 0x7f);
    good.then_some(len)
}
