//! From the text of a transcript to its steps.

use super::{AtDevice, Origin, Step, Transcript, code};
use crate::vocab::Order;
use std::fmt;

/// A line that is no transcript, or that our side did not keep to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Time that may go by on one line.
const LONGEST_MS: u64 = 3_600_000;

pub(super) fn transcript(text: &str) -> Result<Transcript, Vec<Wrong>> {
    let mut t = Transcript {
        profile: String::new(),
        settings: Vec::new(),
        serial: false,
        inputs: Vec::new(),
        counters: Vec::new(),
        source: String::new(),
        host_only: false,
        origin: Origin::Computed,
        steps: Vec::new(),
    };
    let mut wrong = Vec::new();
    let mut from = false;
    for (i, line) in text.lines().enumerate() {
        let line_no = i + 1;
        let line = line.trim();
        let read = match line.strip_prefix('#') {
            Some(head) => header(head.trim(), &mut t, &mut from),
            None if line.is_empty() => Ok(()),
            None => step(line).map(|s| t.steps.push((line_no, s))),
        };
        wrong.extend(read.err().map(|what| Wrong { line: line_no, what }));
    }
    for (missing, name) in [(t.profile.is_empty(), "profile"), (t.source.is_empty(), "source"), (!from, "from")] {
        if missing {
            wrong.push(Wrong { line: 1, what: format!("there is no \"# {name}: …\"") });
        }
    }
    if wrong.is_empty() { Ok(t) } else { Err(wrong) }
}

/// `key: value`; anything else after `#` is a comment.
fn header(head: &str, t: &mut Transcript, from: &mut bool) -> Result<(), String> {
    let Some((key, value)) = head.split_once(':') else { return Ok(()) };
    let value = value.trim();
    match key {
        "profile" => t.profile = value.into(),
        "source" => t.source = value.into(),
        "from" => {
            *from = true;
            t.origin = match value {
                "document" => Origin::Document,
                "capture" => Origin::Capture,
                "computed" => Origin::Computed,
                _ => return Err("from must be document, capture or computed".into()),
            };
        }
        "judges" => {
            t.host_only = value == "host";
            if !t.host_only {
                return Err("judges is host, where no simulated device can do what the device did; else leave it out".into());
            }
        }
        "settings" => {
            for pair in value.split_whitespace() {
                let (k, v) = pair.split_once('=').ok_or(format!("{pair} is not key=value"))?;
                t.settings.push((k.into(), v.into()));
            }
        }
        "place" => {
            for word in value.split_whitespace() {
                let number = |n: &str| n.parse().map_err(|_| format!("{word} has no number"));
                match word.split_once('.') {
                    Some(("in", n)) => t.inputs.push(number(n)?),
                    Some(("cnt", n)) => t.counters.push(number(n)?),
                    None if word == "serial" => t.serial = true,
                    _ => return Err(format!("{word}: a place is serial, in.N or cnt.N")),
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn step(line: &str) -> Result<Step, String> {
    let (sign, rest) = line.split_at_checked(1).ok_or("a line begins with > < + ! or #")?;
    let rest = rest.trim();
    match sign {
        ">" => bytes(rest).map(Step::Host),
        "<" => bytes(rest).map(Step::Device),
        "+" => {
            let ms = rest.strip_suffix("ms").and_then(|n| n.parse::<u64>().ok()).filter(|ms| *ms <= LONGEST_MS);
            let ms = ms.ok_or("time is +250ms, an hour at most")?;
            Ok(Step::Wait { us: ms * 1_000 })
        }
        "!" => match rest.split_once(' ').unwrap_or((rest, "")) {
            ("opened", "") => Ok(Step::Opened),
            ("closed", "") => Ok(Step::Closed),
            ("hang-up", "") => Ok(Step::HangUp),
            ("sim", what) => at_device(what).map(Step::At),
            ("order", order) => self::order(order).map(Step::Order),
            _ => Ok(Step::Expect(rest.split_whitespace().collect::<Vec<_>>().join(" "))),
        },
        _ => Err("a line begins with > < + ! or #".into()),
    }
}

fn at_device(text: &str) -> Result<AtDevice, String> {
    let (word, number) = text.split_once(' ').unwrap_or((text, ""));
    match (word, number.parse::<u64>().ok()) {
        ("thing", None) => Ok(AtDevice::Thing),
        ("refuse", None) => Ok(AtDevice::Refuse),
        ("silence", None) => Ok(AtDevice::Silence),
        ("double", None) => Ok(AtDevice::Double),
        ("count", Some(n)) => Ok(AtDevice::Count(n)),
        ("fault", Some(ms)) => Ok(AtDevice::Fault { ms: ms.min(3_600_000) as u32 }),
        ("fault", None) => {
            let stands = number.split_once(' ').and_then(|(ms, how)| {
                let how = AtDevice::STANDS.into_iter().find(|s| *s == how)?;
                Some(AtDevice::Stands { how, ms: ms.parse::<u32>().ok()?.min(3_600_000) })
            });
            stands.ok_or_else(|| format!("{text}: write fault MS, or fault MS with one of {}", AtDevice::STANDS.join(", ")))
        }
        _ => Err(format!("{text}: a simulated device is told thing, count N, refuse, silence, double, fault MS")),
    }
}

fn order(text: &str) -> Result<Order, String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "arm" => Ok(Order::Arm { message: (!rest.is_empty()).then(|| rest.into()), fields: Vec::new() }),
        "print" => {
            let (n, data) = rest.split_once(' ').ok_or("print N BYTES")?;
            Ok(Order::Print { code: code(n.parse().map_err(|_| "print N BYTES")?), bytes: bytes(data)? })
        }
        "clear" => Ok(Order::Clear),
        "disarm" => Ok(Order::Disarm),
        "output" | "pulse" => {
            let wrong = || format!("{word} N on|off");
            let (n, on) = rest.split_once(' ').ok_or_else(wrong)?;
            let number = n.parse().map_err(|_| wrong())?;
            let on = match on {
                "on" => true,
                "off" => false,
                _ => return Err(wrong()),
            };
            Ok(if word == "pulse" { Order::Pulse { number, on } } else { Order::Output { number, on } })
        }
        "trigger" => Ok(Order::Trigger { window_ms: rest.parse().map_err(|_| "trigger MS")? }),
        "verdict" => match rest {
            "good" | "bad" => Ok(Order::Verdict { good: rest == "good", frame_us: 0 }),
            _ => Err("verdict good|bad".into()),
        },
        _ => Err(format!("{word} is no order: arm, print, clear, disarm, output, pulse, trigger, verdict")),
    }
}

/// Hex pairs and quoted text.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            rest = quoted(&rest[1..], &mut out)?;
        } else {
            let end = rest.find([' ', '"']).unwrap_or(rest.len());
            let word = &rest[..end];
            if !word.len().is_multiple_of(2) || !word.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(format!("{word} is no hex; write pairs of digits, or \"text\""));
            }
            out.extend((0..word.len()).step_by(2).map(|i| u8::from_str_radix(&word[i..i + 2], 16).expect("hex digits")));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(out)
}

/// Text up to its closing quote; answers what follows it.
fn quoted<'a>(text: &'a str, out: &mut Vec<u8>) -> Result<&'a str, String> {
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Ok(&text[i + 1..]),
            '\\' => {
                let escape = chars.next().map(|(_, e)| e);
                match escape {
                    Some('r') => out.push(b'\r'),
                    Some('n') => out.push(b'\n'),
                    Some('e') => out.push(0x1b),
                    Some(e @ ('"' | '\\')) => out.push(e as u8),
                    Some('x') => {
                        let digits: String = chars.by_ref().take(2).map(|(_, d)| d).collect();
                        out.push(u8::from_str_radix(&digits, 16).map_err(|_| "\\x needs two hex digits")?);
                    }
                    _ => return Err("a text knows \\r \\n \\e \\xNN \\\" and \\\\".into()),
                }
            }
            c => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Err("the closing quote is missing".into())
}
