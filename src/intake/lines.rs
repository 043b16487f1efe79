//! Plain text: one code a line, or one column of comma-separated lines.
//!
//! LF or CRLF; a byte order mark is dropped; empty lines are skipped; nothing is trimmed.

use super::{Column, Fault, Row, Rows};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest line that is looked at.
const MAX_LINE: u64 = 1 << 16;
const BUFFER: usize = 1 << 17;

enum Wanted {
    Whole,
    /// Counted from 0.
    Number(usize),
    Header(String),
}

pub struct Lines {
    files: Vec<PathBuf>,
    columns: [Column; 1],
    wanted: Wanted,
    /// The number of the wanted column, once known in this file.
    number: Option<usize>,
    sha: Sha256,
    open: Option<BufReader<Hashed>>,
    /// Of the file being read, or about to be.
    file: usize,
    line: u64,
    buffer: Vec<u8>,
}

/// Every byte that is read is hashed.
struct Hashed {
    file: File,
    sha: Sha256,
}

impl Read for Hashed {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(out)?;
        self.sha.update(&out[..n]);
        Ok(n)
    }
}

impl Lines {
    /// `column`: `code=N`, from 1, or `code=` and a header's name; `None` if it is neither.
    pub fn new(files: &[PathBuf], column: Option<&str>) -> Option<Self> {
        let wanted = match column {
            None => Wanted::Whole,
            Some(c) => match c.strip_prefix("code=").map(|v| (v, v.parse::<usize>())) {
                Some((_, Ok(n))) if n > 0 => Wanted::Number(n - 1),
                Some((name, Err(_))) if !name.is_empty() => Wanted::Header(name.into()),
                _ => return None,
            },
        };
        Some(Self {
            files: files.to_vec(),
            columns: [Column::default()],
            wanted,
            number: None,
            sha: Sha256::new(),
            open: None,
            file: 0,
            line: 0,
            buffer: Vec::new(),
        })
    }

    fn unreadable(&self, e: &std::io::Error) -> Fault {
        Fault::Read { path: self.files[self.file].clone(), why: e.to_string() }
    }

    fn wrong(&self, what: impl Into<String>) -> Fault {
        Fault::Line { path: self.files[self.file].clone(), line: self.line, what: what.into() }
    }

    /// The next line of any file into the buffer, without its end; `false` after the last.
    fn next_line(&mut self) -> Result<bool, Fault> {
        loop {
            if self.open.is_none() {
                let Some(path) = self.files.get(self.file) else { return Ok(false) };
                self.open = Some(self.begin(path)?);
                self.line = 0;
                self.number = match self.wanted {
                    Wanted::Number(n) => Some(n),
                    _ => None,
                };
            }
            let from = self.open.as_mut().expect("just opened");
            self.buffer.clear();
            match from.take(MAX_LINE).read_until(b'\n', &mut self.buffer) {
                Ok(0) => {
                    let ended = self.open.take().expect("it was open").into_inner();
                    self.sha = ended.sha;
                    self.file += 1;
                    continue;
                }
                Ok(n) if n as u64 == MAX_LINE && self.buffer.last() != Some(&b'\n') => {
                    self.line += 1;
                    return Err(self.wrong(format!("the line is longer than {MAX_LINE} bytes: is it a file of codes, one a line?")));
                }
                Ok(_) => {}
                Err(e) => return Err(self.unreadable(&e)),
            }
            self.line += 1;
            for end in [b'\n', b'\r'] {
                if self.buffer.last() == Some(&end) {
                    self.buffer.pop();
                }
            }
            if self.line == 1 && self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.buffer.drain(..3);
            }
            if !self.buffer.is_empty() {
                return Ok(true);
            }
        }
    }

    fn begin(&self, path: &Path) -> Result<BufReader<Hashed>, Fault> {
        let file = File::open(path).map_err(|e| self.unreadable(&e))?;
        Ok(BufReader::with_capacity(BUFFER, Hashed { file, sha: self.sha.clone() }))
    }
}

impl Rows for Lines {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn files(&self) -> &[PathBuf] {
        &self.files
    }

    fn next_row(&mut self, row: &mut Row) -> Result<bool, Fault> {
        loop {
            if !self.next_line()? {
                return Ok(false);
            }
            row.clear();
            (row.file, row.line) = (self.file as u32, self.line);
            if matches!(self.wanted, Wanted::Whole) {
                row.push(&self.buffer);
                return Ok(true);
            }
            let fields = split(&self.buffer).ok_or_else(|| self.wrong("a quote is not closed"))?;
            if let (Wanted::Header(name), None) = (&self.wanted, self.number) {
                let at = fields.iter().position(|f| f == name.as_bytes());
                self.number = Some(at.ok_or_else(|| self.wrong(format!("no header is named “{name}”")))?);
                continue;
            }
            let n = self.number.expect("a column is known by now");
            row.push(fields.get(n).ok_or_else(|| self.wrong(format!("there is no column {}", n + 1)))?);
            return Ok(true);
        }
    }

    fn sha256(&self) -> [u8; 32] {
        self.sha.clone().finalize().into()
    }
}

/// Fields of one CSV line (RFC 4180 quotes); `None` when a quote stays open.
fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut out, mut field, mut quoted, mut i) = (Vec::new(), Vec::new(), false, 0);
    while i < line.len() {
        match (line[i], quoted) {
            (b'"', true) if line.get(i + 1) == Some(&b'"') => {
                field.push(b'"');
                i += 1;
            }
            (b'"', true) => quoted = false,
            (b'"', false) if field.is_empty() => quoted = true,
            (b',', false) => out.push(std::mem::take(&mut field)),
            (b, _) => field.push(b),
        }
        i += 1;
    }
    out.push(field);
    (!quoted).then_some(out)
}
