//! Tables: fields with separators and quotes (RFC 4180, a newline inside quotes included), some of them codes.

use super::form;
use super::lines::{MAX_LINE, without_cr};
use super::shape::{Separator, Shape, Where};
use super::texts::{Running, Texts};
use super::{Column, Fault, Row, Rows, short};
use sha2::Digest;
use std::path::PathBuf;

pub struct TableRows {
    texts: Texts,
    sha: Running,
    shape: Shape,
    gtin: Option<String>,
    columns: Vec<Column>,
    /// Where each column stands in this file, from 0; empty until the header was read.
    places: Vec<usize>,
    separator: u8,
    record: Record,
}

/// Fields of one record, unquoted; a buffer that is used again.
#[derive(Default)]
struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    state: At,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Begin,
    Plain,
    Quoted,
    /// After a quote inside quotes: the end of the field, or the first half of a quote.
    Closing,
}

impl Record {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.state = At::Begin;
    }

    /// Takes a line without its end in; `false` when a quote is open and the next line belongs to it.
    fn feed(&mut self, line: &[u8], separator: u8) -> Result<bool, String> {
        for &b in line {
            self.state = match self.state {
                At::Begin if b == b'"' => At::Quoted,
                At::Begin | At::Plain | At::Closing if b == separator => {
                    self.ends.push(self.bytes.len());
                    At::Begin
                }
                At::Quoted if b == b'"' => At::Closing,
                At::Closing if b == b'"' => {
                    self.bytes.push(b);
                    At::Quoted
                }
                At::Closing => {
                    return Err(
                        "something stands between a closing quote and the separator: quotes inside a field are written twice".into()
                    );
                }
                At::Quoted => {
                    self.bytes.push(b);
                    At::Quoted
                }
                At::Begin | At::Plain => {
                    self.bytes.push(b);
                    At::Plain
                }
            };
        }
        if self.state == At::Quoted {
            return Ok(false);
        }
        self.ends.push(self.bytes.len());
        Ok(true)
    }

    fn field(&self, n: usize) -> Option<&[u8]> {
        let to = *self.ends.get(n)?;
        let from = if n == 0 { 0 } else { self.ends[n - 1] };
        Some(&self.bytes[from..to])
    }
}

impl TableRows {
    pub fn new(texts: Texts, sha: Running, shape: Shape, gtin: Option<String>) -> Self {
        let columns = shape.columns.iter().map(|c| c.0.clone()).collect();
        Self { texts, sha, shape, gtin, columns, places: Vec::new(), separator: b',', record: Record::default() }
    }

    /// The next record of this file with its place; `None` at the file's end. Empty lines are skipped.
    fn record(&mut self, first: bool) -> Result<Option<(u32, u64)>, Fault> {
        self.record.clear();
        let mut place: Option<(u32, u64)> = None;
        loop {
            let Some(line) = self.texts.line()? else {
                return match place {
                    None => Ok(None),
                    Some((_, line)) => {
                        let what = "a quote is not closed".to_string();
                        Err(Fault::Line { path: self.texts.path().into(), line, what })
                    }
                };
            };
            if place.is_none() && without_cr(line.bytes).is_empty() {
                continue;
            }
            if place.is_none() && first {
                self.separator = match self.shape.separator {
                    Separator::Is(b) => b,
                    Separator::Detected if self.shape.header => separator(without_cr(line.bytes)),
                    Separator::Detected => b',',
                };
            }
            let begun = place.get_or_insert((line.file, line.number)).1;
            // Without its CR, unless the line ends inside quotes: there it belongs to the field.
            let fed = self.record.feed(without_cr(line.bytes), self.separator);
            let cr = line.bytes.ends_with(b"\r");
            let wrong = |what: String, path: &std::path::Path| Fault::Line { path: path.into(), line: begun, what };
            match fed {
                Err(what) => return Err(wrong(what, self.texts.path())),
                Ok(true) => return Ok(place),
                Ok(false) => {
                    if cr {
                        self.record.bytes.push(b'\r');
                    }
                    self.record.bytes.push(b'\n');
                    if self.record.bytes.len() > MAX_LINE {
                        return Err(wrong(format!("a quote is not closed within {MAX_LINE} bytes"), self.texts.path()));
                    }
                }
            }
        }
    }

    /// A file's beginning: its header, if it has one, says where the columns stand.
    fn begin(&mut self) -> Result<(), Fault> {
        self.places.clear();
        if !self.shape.header {
            self.separator = if let Separator::Is(b) = self.shape.separator { b } else { b',' };
            self.places.extend(self.shape.columns.iter().filter_map(|(_, w)| if let Where::Number(n) = w { Some(*n) } else { None }));
            return Ok(());
        }
        let Some((_, line)) = self.record(true)? else { return Ok(()) };
        let Some(judge) = self.texts.judge() else { return Ok(()) };
        let names: Vec<String> =
            (0..self.record.ends.len()).filter_map(|n| Some(judge.name(self.record.field(n)?).trim().to_string())).collect();
        for (_, place) in &self.shape.columns {
            let at = match place {
                Where::Number(n) => Some(*n),
                Where::Header(wanted) => names.iter().position(|n| n == wanted.trim()),
            };
            let Some(at) = at else {
                let Where::Header(wanted) = place else { continue };
                let shown: Vec<String> = names.iter().take(20).map(|n| short(n)).collect();
                let what = format!("no header is named “{wanted}”; the headers are: {}", shown.join(", "));
                return Err(Fault::Line { path: self.texts.path().into(), line, what });
            };
            self.places.push(at);
        }
        Ok(())
    }
}

impl TableRows {
    /// The record's codes, each held against its form.
    fn take(&mut self, row: &mut Row) -> Result<(), String> {
        let Some(judge) = self.texts.judge() else { return Ok(()) };
        for (n, (at, column)) in self.places.iter().zip(&self.columns).enumerate() {
            let Some(field) = self.record.field(*at) else {
                let have = self.record.ends.len();
                return Err(format!("there is no column {} (the line has {have}): is it the right --column and --separator?", at + 1));
            };
            let taken = judge.code(field).and_then(|code| {
                form::printable(&code)?;
                let form = if n < self.shape.items { self.shape.form } else { form::Form::Any };
                form::check(form, &code, self.gtin.as_deref())?;
                row.push(&code);
                Ok(())
            });
            taken.map_err(|what| match (&column.level, column.purpose.as_str()) {
                (Some(name), _) => format!("{name}: {what}"),
                (None, "") => what,
                (None, name) => format!("{name}: {what}"),
            })?;
        }
        Ok(())
    }
}

/// The separator of a header's line: of comma, semicolon and tab the one that stands there most often.
fn separator(line: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for b in line {
        quoted ^= *b == b'"';
        counts.iter_mut().filter(|c| !quoted && c.0 == *b).for_each(|c| c.1 += 1);
    }
    // The first of equals.
    counts.iter().rev().max_by_key(|c| c.1).map_or(b',', |c| c.0)
}

impl Rows for TableRows {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn files(&self) -> &[PathBuf] {
        &self.texts.paths
    }

    fn next_row(&mut self, row: &mut Row) -> Result<bool, Fault> {
        loop {
            let Some((file, line)) = self.record(false)? else {
                if !self.texts.next_file()? {
                    return Ok(false);
                }
                self.begin()?;
                continue;
            };
            row.clear();
            (row.file, row.line) = (file, line);
            self.take(row).map_err(|what| Fault::Line { path: self.texts.path().into(), line, what })?;
            return Ok(true);
        }
    }

    fn sha256(&self) -> [u8; 32] {
        self.sha.borrow().clone().finalize().into()
    }
}
