//! Readers that send by themselves: Keyence SR over TCP, handhelds and whatever else ends each code with a line end.
//! Nothing is ever sent to them; their trigger is hardware.
//!
//! Must never know: what a code means. Words are matched exactly, never by "contains" (Keyence SR-750 user's manual,
//! pages 29, 63, 71-72; read-error string WP 205).

use super::framer::{Framer, Framing, Step};
use super::outbox::Outbox;
use super::{Action, Conversation};
use crate::profile::Bound;
use crate::vocab::report::{Field, Frame};
use crate::vocab::{Order, Report};

/// Codes in one frame at most; a frame with more is noise.
const MOST_FIELDS: usize = 1_000;

#[derive(Debug)]
struct Words {
    /// Between several codes; `None`: a frame is one code.
    separator: Option<Vec<u8>>,
    /// The no-read word; `None`: there is none.
    no_read: Option<Vec<u8>>,
    positional: bool,
    replies: Vec<Vec<u8>>,
    faults: Vec<Vec<u8>>,
}

#[derive(Debug)]
pub struct Reader {
    words: Words,
    framer: Framer,
    out: Outbox,
    open: bool,
}

impl Reader {
    pub fn new(bound: &Bound) -> Self {
        let many = bound.has("separator");
        let framing = match (bound.text("framing"), bound.text("end")) {
            ("stx-etx", _) => Framing::StxEtx,
            ("cr", _) | (_, "cr") => Framing::Cr,
            (_, "lf") => Framing::Lf,
            (_, "crlf") => Framing::CrLf,
            _ => Framing::Any,
        };
        let no_read = bound.text("no_read").as_bytes().to_vec();
        let bytes = |words: &[String]| words.iter().map(|w| w.as_bytes().to_vec()).collect();
        let words = Words {
            separator: many.then(|| bound.text("separator").as_bytes().to_vec()).filter(|s| !s.is_empty()),
            // A fixed reader whose read-error string is empty sends an empty frame; a handheld sends nothing.
            no_read: (many || !no_read.is_empty()).then_some(no_read),
            positional: bound.flag("positional"),
            replies: bytes(&bound.profile.classify.replies),
            faults: bytes(&bound.profile.classify.faults),
        };
        Self { words, framer: Framer::new(framing), out: Outbox::default(), open: false }
    }
}

impl Words {
    /// `None`: a reply to a command, or nothing at all.
    fn classify(&self, frame: &[u8]) -> Option<Result<Frame, ()>> {
        if self.no_read.as_deref() == Some(frame) {
            return Some(Ok(Frame::NoRead));
        }
        if frame.is_empty() || self.replies.iter().any(|r| frame.starts_with(r)) {
            return None;
        }
        if self.faults.iter().any(|f| f == frame) {
            return Some(Ok(Frame::Fault(String::from_utf8_lossy(frame).into_owned())));
        }
        let parts = match &self.separator {
            Some(s) => split(frame, s),
            None => vec![frame],
        };
        if parts.len() > MOST_FIELDS {
            return Some(Err(()));
        }
        let fields: Vec<Field> = parts.into_iter().filter_map(|p| self.field(p)).collect();
        let nothing = fields.iter().all(|f| *f == Field::NoRead);
        Some(Ok(if nothing { Frame::NoRead } else { Frame::Data(fields) }))
    }

    /// An unread position keeps its place where places mean something; an empty one is unread.
    fn field(&self, bytes: &[u8]) -> Option<Field> {
        if bytes.is_empty() || self.no_read.as_deref() == Some(bytes) {
            return self.positional.then_some(Field::NoRead);
        }
        Some(Field::Code(bytes.to_vec()))
    }
}

fn split<'a>(mut rest: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(i) = rest.windows(separator.len()).position(|w| w == separator) {
        parts.push(&rest[..i]);
        rest = &rest[i + separator.len()..];
    }
    parts.push(rest);
    parts
}

impl Conversation for Reader {
    fn opened(&mut self, _now_us: u64) {
        self.framer.reset();
        self.open = true;
        self.out.tell(Report::Up { identity: None });
    }

    fn closed(&mut self, now_us: u64, why: &str) {
        self.open = false;
        let half = self.framer.reset();
        self.out.link_gone(&half, now_us, why);
    }

    fn received(&mut self, bytes: &[u8], now_us: u64) {
        if !self.open {
            return;
        }
        for b in bytes {
            match self.framer.push(*b) {
                Step::More => {}
                Step::Junk(junk) => self.out.junk(&junk, now_us),
                Step::Frame(frame) => match self.words.classify(&frame) {
                    Some(Ok(f)) => self.out.tell(Report::Frame(f)),
                    Some(Err(())) => self.out.junk(&frame, now_us),
                    None => {}
                },
            }
        }
        self.out.due(now_us);
    }

    /// A reader has nothing to obey.
    fn ordered(&mut self, _order: Order, _now_us: u64) {}

    fn due(&mut self, now_us: u64) {
        self.out.due(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        self.out.deadline()
    }

    fn poll(&mut self) -> Option<Action> {
        self.out.poll()
    }
}
