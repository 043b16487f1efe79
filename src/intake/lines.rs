//! Lines of a byte stream in a buffer that is used again: no allocation a line, no line longer than its limit.

use super::plain::{self, Span};
use std::io::Read;

/// A longer line is refused before it is read whole; no code and no row of a table comes near it.
pub const MAX_LINE: usize = 64 * 1024;
/// Several lines of the greatest length, so that moving a cut line to the front is seldom.
const BUFFER: usize = 4 * MAX_LINE;
/// Bytes of plain lines that are handed out at once.
const WINDOW: usize = MAX_LINE;

pub struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    over: bool,
    /// What stands before it is no plain lines, and read one by one.
    single: usize,
    /// Number of the line given last, from 1.
    pub line: u64,
}

#[derive(Debug)]
pub enum LineFault {
    /// More than [`MAX_LINE`] bytes without an end; it is the line after the one given last.
    TooLong,
    Read(std::io::Error),
}

impl<R: Read> Lines<R> {
    pub fn new(from: R) -> Self {
        Self { from, buffer: vec![0; BUFFER], at: 0, end: 0, over: false, single: 0, line: 0 }
    }

    /// The next line without its LF; a CR before it stays. `None` at the end.
    pub fn next(&mut self) -> Result<Option<&[u8]>, LineFault> {
        let mut seen = 0;
        loop {
            let rest = &self.buffer[self.at + seen..self.end];
            if let Some(n) = memchr::memchr(b'\n', rest) {
                let (from, to) = (self.at, self.at + seen + n);
                if to - from > MAX_LINE {
                    return Err(LineFault::TooLong);
                }
                self.at = to + 1;
                self.line += 1;
                return Ok(Some(&self.buffer[from..to]));
            }
            seen = self.end - self.at;
            if seen > MAX_LINE {
                return Err(LineFault::TooLong);
            }
            if self.over {
                if seen == 0 {
                    return Ok(None);
                }
                let from = std::mem::replace(&mut self.at, self.end);
                self.line += 1;
                return Ok(Some(&self.buffer[from..self.end]));
            }
            self.fill().map_err(LineFault::Read)?;
        }
    }

    /// The plain lines that come next and stand in memory whole, passed with this; none: the next line wants a look.
    pub fn plain(&mut self, spans: &mut Vec<Span>) -> std::io::Result<&[u8]> {
        spans.clear();
        if self.at < self.single {
            return Ok(&[]);
        }
        if self.at == self.end && !self.over {
            self.fill()?;
        }
        let from = self.at;
        let to = self.end.min(from + WINDOW);
        let n = plain::codes(&self.buffer[from..to], spans);
        if n == 0 {
            self.single = to;
        }
        self.at += n;
        self.line += spans.len() as u64;
        Ok(&self.buffer[from..from + n])
    }

    fn fill(&mut self) -> std::io::Result<()> {
        if self.at > 0 {
            self.buffer.copy_within(self.at..self.end, 0);
            self.end -= self.at;
            self.single = self.single.saturating_sub(self.at);
            self.at = 0;
        }
        loop {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.over = true,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            }
            return Ok(());
        }
    }
}

/// Without the CR of a CRLF.
pub fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
