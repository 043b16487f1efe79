//! Small forms inside values: points, addresses, ids.

use crate::vocab::plan::{Address, Parity, Point, PointKind};
use crate::vocab::{DeviceNo, sscc};

/// `[A-Za-z0-9._-]{1,64}`
pub(super) fn is_id(s: &str) -> bool {
    !s.is_empty() && s.len() <= 64 && s.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// `io1:out.8` → the device's name, kind and number.
pub(super) fn point(s: &str) -> Option<(&str, PointKind, u16)> {
    let (device, rest) = s.split_once(':')?;
    let (kind, number) = rest.split_once('.')?;
    let kind = match kind {
        "in" => PointKind::Input,
        "out" => PointKind::Output,
        "cnt" => PointKind::Counter,
        "pulse" => PointKind::Pulse,
        _ => return None,
    };
    Some((device, kind, number.parse().ok()?))
}

pub(super) fn point_at(device: DeviceNo, kind: PointKind, number: u16) -> Point {
    Point { device, kind, number }
}

/// The five forms of an address, or what is wrong with it.
pub fn address(s: &str) -> Result<Address, &'static str> {
    const FORMS: &str = "write tcp://HOST:PORT, listen://HOST:PORT, serial:///dev/X?baud=9600&parity=n, serial://name.tty?baud=9600 or evdev:///dev/input/by-id/X";
    let host_port = |rest: &str| -> Option<(String, u16)> {
        let (h, p) = rest.rsplit_once(':')?;
        (!h.is_empty()).then_some((h.to_string(), p.parse().ok().filter(|p| *p > 0)?))
    };
    if let Some(rest) = s.strip_prefix("tcp://") {
        let (host, port) = host_port(rest).ok_or(FORMS)?;
        return Ok(Address::Tcp { host, port });
    }
    if let Some(rest) = s.strip_prefix("listen://") {
        let (host, port) = host_port(rest).ok_or(FORMS)?;
        return Ok(Address::Listen { host, port });
    }
    if let Some(path) = s.strip_prefix("evdev://") {
        let plain = !path.is_empty() && !path.contains("..");
        return plain.then(|| Address::Keys { path: path.into() }).ok_or(FORMS);
    }
    let rest = s.strip_prefix("serial://").ok_or(FORMS)?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.is_empty() || path.contains("..") {
        return Err(FORMS);
    }
    let (mut baud, mut parity) = (9600, Parity::None);
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        match pair.split_once('=') {
            Some(("baud", b)) => {
                baud = b.parse().ok().filter(|b| (110..=4_000_000).contains(b)).ok_or("baud must be a number from 110 to 4000000")?
            }
            Some(("parity", p)) => {
                parity = match p {
                    "n" => Parity::None,
                    "e" => Parity::Even,
                    "o" => Parity::Odd,
                    _ => return Err("parity must be n, e or o"),
                }
            }
            _ => return Err("a serial address takes baud and parity only"),
        }
    }
    Ok(Address::Serial { path: path.to_string(), baud, parity })
}

/// A GTIN of 8, 12, 13 or 14 digits with a right check digit (GS1 General Specifications 7.9).
pub(super) fn gtin(s: &str) -> Result<(), String> {
    if !matches!(s.len(), 8 | 12 | 13 | 14) || !s.bytes().all(|b| b.is_ascii_digit()) {
        return Err("a GTIN has 8, 12, 13 or 14 digits".into());
    }
    let (head, last) = s.as_bytes().split_at(s.len() - 1);
    let want = sscc::check_digit(head);
    if last[0] == want { Ok(()) } else { Err(format!("its check digit should be {}", want as char)) }
}
