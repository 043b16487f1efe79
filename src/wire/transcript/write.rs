//! A transcript as it is recorded: the form that [`Transcript::parse`](super::Transcript::parse) reads.
//!
//! Must never know: clocks, files. Invariant: every byte handed in stands in the text, once, in its order.

use super::Origin;
use std::fmt::Write;

/// Who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Host,
    Device,
}

/// Bytes of one line; more are broken into several.
const WIDE: usize = 64;
const HOUR_MS: u64 = 3_600_000;

/// Turns what happens into lines; the caller writes them away.
#[derive(Debug, Default)]
pub struct Writer {
    /// When the last line was (µs); `None`: nothing happened yet.
    last_us: Option<u64>,
}

impl Writer {
    /// What stands on top. `notes`: further `key: value` lines.
    pub fn head(profile: &str, source: &str, from: Origin, notes: &[(&str, String)]) -> String {
        let from = match from {
            Origin::Document => "document",
            Origin::Capture => "capture",
            Origin::Computed => "computed",
        };
        // A line end in a note would end the comment.
        let plain = |text: &str| text.replace(['\r', '\n'], " ");
        let mut text = format!("# profile: {}\n# source: {}\n# from: {from}\n", plain(profile), plain(source));
        for (key, value) in notes {
            let _ = writeln!(text, "# {key}: {}", plain(value));
        }
        text
    }

    /// Both sides are linked.
    pub fn opened(&mut self, now_us: u64) -> String {
        self.timed(now_us, "! opened\n")
    }

    pub fn closed(&mut self, now_us: u64) -> String {
        self.timed(now_us, "! closed\n")
    }

    pub fn bytes(&mut self, side: Side, bytes: &[u8], now_us: u64) -> String {
        let sign = if side == Side::Host { '>' } else { '<' };
        let lines: String = bytes.chunks(WIDE).map(|part| format!("{sign} {}\n", notation(part))).collect();
        if lines.is_empty() { lines } else { self.timed(now_us, &lines) }
    }

    /// Time that went by stands before; less than a millisecond is none.
    fn timed(&mut self, now_us: u64, lines: &str) -> String {
        let ms = self.last_us.map_or(0, |last| now_us.saturating_sub(last) / 1_000);
        // What is left over counts for the next line.
        self.last_us = Some(self.last_us.map_or(now_us, |last| last + ms * 1_000));
        // A line of time is an hour at most.
        let hours = "+3600000ms\n".repeat((ms / HOUR_MS) as usize);
        match ms % HOUR_MS {
            0 => hours + lines,
            ms => format!("{hours}+{ms}ms\n{lines}"),
        }
    }
}

/// Bytes as a transcript (and a profile) writes them: text in quotes, all else as hex pairs.
pub fn notation(bytes: &[u8]) -> String {
    let text = |b: u8| (0x20..0x7f).contains(&b) || matches!(b, b'\r' | b'\n');
    let mut words: Vec<String> = Vec::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let end = rest.iter().position(|b| text(*b) != text(*first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        if text(*first) {
            let mut word = String::from("\"");
            for b in run {
                match b {
                    b'\r' => word.push_str("\\r"),
                    b'\n' => word.push_str("\\n"),
                    b'"' | b'\\' => word.extend(['\\', char::from(*b)]),
                    b => word.push(char::from(*b)),
                }
            }
            words.push(word + "\"");
        } else {
            words.extend(run.iter().map(|b| format!("{b:02X}")));
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::rng::Rng;
    use crate::wire::transcript::{Step, Transcript};

    #[test]
    fn what_is_recorded_is_read_again_byte_for_byte() {
        let mut rng = Rng::new(7);
        let mut w = Writer::default();
        let notes = [("device", "a\nb: c".to_string())];
        let mut text = Writer::head("line-reader", "a bench\n> 41", Origin::Capture, &notes) + &w.opened(0);
        let (mut now_us, mut want, mut waited) = (0, [Vec::<u8>::new(), Vec::new()], 0);
        for _ in 0..400 {
            now_us += rng.below(30_000);
            let bytes: Vec<u8> = (0..rng.below(150)).map(|_| rng.below(256) as u8).collect();
            let side = [Side::Host, Side::Device][rng.below(2) as usize];
            want[usize::from(side == Side::Device)].extend(&bytes);
            text += &w.bytes(side, &bytes, now_us);
        }
        text += &w.closed(now_us);
        let t = Transcript::parse(&text).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!((t.profile.as_str(), t.origin), ("line-reader", Origin::Capture));
        assert!(t.is_bare() && t.steps[0].1 == Step::Opened && t.steps.last().unwrap().1 == Step::Closed);
        let mut got = [Vec::<u8>::new(), Vec::new()];
        for (_, step) in t.steps {
            match step {
                Step::Host(b) => got[0].extend(b),
                Step::Device(b) => got[1].extend(b),
                Step::Wait { us } => waited += us,
                _ => {}
            }
        }
        assert_eq!(got, want);
        assert!(now_us - waited < 1_000, "no time is lost: {waited} of {now_us}");
    }

    #[test]
    fn bytes_are_written_as_profiles_write_them() {
        assert_eq!(notation(b"\x1bA?\x04\r\n\"x\\"), r#"1B "A?" 04 "\r\n\"x\\""#);
        assert_eq!(notation(b""), "");
    }
}
