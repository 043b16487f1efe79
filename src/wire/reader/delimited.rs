//! Frames between a beginning and an end, or with an end alone.

use super::frames::{Cut, Cutter, Raw};
use crate::profile::reader::{Form, Framing, SumPlace};

#[derive(Debug)]
pub(super) struct Delimited {
    start: Vec<u8>,
    ends: Vec<Vec<u8>>,
    skip: Vec<u8>,
    blank: bool,
    longest: usize,
    longest_end: usize,
    /// Bytes of a checksum behind the end.
    behind: usize,
    state: State,
    buf: Vec<u8>,
    /// The frame whose checksum is still to come.
    whole: Raw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Between,
    Inside,
    /// Behind the end.
    Behind,
    /// Dropping an endless frame up to its end.
    Skipping,
}

impl Delimited {
    pub fn new(how: &Framing) -> Self {
        let (start, ends, skip, blank) = match &how.form {
            Form::Delimited { start, end, skip, blank } => {
                let ends: Vec<Vec<u8>> = end.iter().filter(|e| !e.is_empty()).map(|e| e.as_bytes().to_vec()).collect();
                (start.as_bytes().to_vec(), ends, skip.as_bytes().to_vec(), *blank)
            }
            _ => (Vec::new(), vec![b"\r".to_vec()], Vec::new(), false),
        };
        Self {
            longest_end: ends.iter().map(Vec::len).max().unwrap_or(1),
            start,
            ends,
            skip,
            blank,
            longest: how.max_bytes as usize,
            behind: how.checksum.filter(|c| c.place == SumPlace::AfterEnd).map_or(0, |c| c.width()),
            state: State::Between,
            buf: Vec::new(),
            whole: Raw::default(),
        }
    }

    fn ended(&self) -> Option<usize> {
        self.ends.iter().filter(|e| self.buf.ends_with(e)).map(Vec::len).max()
    }

    /// A frame may begin with this byte.
    fn between(&mut self, byte: u8, out: &mut Vec<Cut>) {
        if self.start.is_empty() {
            if !(self.buf.is_empty() && self.skip.contains(&byte)) {
                self.state = State::Inside;
                self.inside(byte, out);
            }
            return;
        }
        self.buf.push(byte);
        while !self.start.starts_with(&self.buf) {
            let lost = self.buf.remove(0);
            if !self.skip.contains(&lost) {
                out.push(Cut::Junk(vec![lost]));
            }
        }
        if self.buf == self.start {
            self.buf.clear();
            self.state = State::Inside;
        }
    }

    fn inside(&mut self, byte: u8, out: &mut Vec<Cut>) {
        self.buf.push(byte);
        if let Some(n) = self.ended() {
            let mut body = std::mem::take(&mut self.buf);
            let end = body.split_off(body.len() - n);
            self.state = State::Between;
            if body.is_empty() && !self.blank && self.behind == 0 {
                return;
            }
            let raw = Raw { head: self.start.clone(), body, end, behind: Vec::new() };
            if self.behind == 0 {
                return out.push(Cut::Frame(raw));
            }
            (self.state, self.whole) = (State::Behind, raw);
            return;
        }
        // A frame that begins anew: the first beginning was none. Only a control byte is sure to be no data.
        if self.start.first().is_some_and(|b| *b < b' ') && self.buf.ends_with(&self.start) {
            let at = self.buf.len() - self.start.len();
            self.buf.truncate(at);
            return out.push(Cut::Junk(std::mem::take(&mut self.buf)));
        }
        if self.buf.len() >= self.longest + self.longest_end {
            self.state = State::Skipping;
            self.trim(out);
        }
    }

    fn skipping(&mut self, byte: u8, out: &mut Vec<Cut>) {
        self.buf.push(byte);
        if self.ended().is_some() {
            self.state = State::Between;
            return out.push(Cut::Junk(std::mem::take(&mut self.buf)));
        }
        if self.start.first().is_some_and(|b| *b < b' ') && self.buf.ends_with(&self.start) {
            self.state = State::Inside;
            let at = self.buf.len() - self.start.len();
            self.buf.truncate(at);
            return out.push(Cut::Junk(std::mem::take(&mut self.buf)));
        }
        if self.buf.len() >= self.longest {
            self.trim(out);
        }
    }

    /// Keeps only what may be the beginning of an end, or of a new start.
    fn trim(&mut self, out: &mut Vec<Cut>) {
        let keep = self.longest_end.max(self.start.len()).saturating_sub(1);
        let rest = self.buf.split_off(self.buf.len() - keep);
        out.push(Cut::Junk(std::mem::replace(&mut self.buf, rest)));
    }
}

impl Cutter for Delimited {
    fn push(&mut self, byte: u8, out: &mut Vec<Cut>) {
        match self.state {
            State::Between => self.between(byte, out),
            State::Inside => self.inside(byte, out),
            State::Skipping => self.skipping(byte, out),
            State::Behind => {
                self.whole.behind.push(byte);
                if self.whole.behind.len() == self.behind {
                    self.state = State::Between;
                    out.push(Cut::Frame(std::mem::take(&mut self.whole)));
                }
            }
        }
    }

    fn silence(&mut self, out: &mut Vec<Cut>) {
        let whole = std::mem::take(&mut self.whole);
        let inside = matches!(self.state, State::Inside);
        self.state = State::Between;
        let head = if inside { self.start.clone() } else { Vec::new() };
        out.push(Cut::Junk([whole.head, whole.body, whole.end, whole.behind, head, std::mem::take(&mut self.buf)].concat()));
    }

    fn held(&self) -> usize {
        // A start that was seen is held too: its frame may be given up.
        let begun = usize::from(self.state != State::Between);
        begun.max(self.buf.len() + self.whole.body.len() + self.whole.behind.len())
    }
}
