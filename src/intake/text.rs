//! One code a line: LF or CRLF, a byte-order mark dropped, empty lines skipped, nothing trimmed.

use super::form::{self, Form};
use super::lines::without_cr;
use super::texts::{Running, Texts};
use super::{Column, Fault, Plain, Row, Rows, Span};
use sha2::Digest;
use std::path::PathBuf;

pub struct TextRows {
    texts: Texts,
    sha: Running,
    form: Form,
    gtin: Option<String>,
    header: bool,
    /// The next line is a file's first.
    first: bool,
    columns: [Column; 1],
    /// Where the codes of plain lines stand.
    spans: Vec<Span>,
}

impl TextRows {
    pub fn new(texts: Texts, sha: Running, form: Form, gtin: Option<String>, header: bool) -> Self {
        Self { texts, sha, form, gtin, header, first: true, columns: [Column::default()], spans: Vec::new() }
    }
}

impl Rows for TextRows {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn files(&self) -> &[PathBuf] {
        &self.texts.paths
    }

    fn next_row(&mut self, row: &mut Row) -> Result<bool, Fault> {
        loop {
            let Some(mut line) = self.texts.line()? else {
                if !self.texts.next_file()? {
                    return Ok(false);
                }
                self.first = true;
                continue;
            };
            let code = without_cr(line.bytes);
            if code.is_empty() {
                continue;
            }
            if std::mem::replace(&mut self.first, false) && self.header {
                continue;
            }
            row.clear();
            (row.file, row.line) = (line.file, line.number);
            let taken = line.code(code).and_then(|code| {
                form::printable(&code)?;
                form::check(self.form, &code, self.gtin.as_deref())?;
                row.push(&code);
                Ok(())
            });
            return match taken {
                Ok(()) => Ok(true),
                Err(what) => Err(Fault::Line { path: self.texts.path().into(), line: row.line, what }),
            };
        }
    }

    fn plain(&mut self) -> Result<Option<Plain<'_>>, Fault> {
        // A code without control bytes holds no separator: whatever the product's GTIN, there is nothing to hold against it.
        if self.form != Form::Any || self.first && self.header {
            return Ok(None);
        }
        let (bytes, file, line) = self.texts.plain(&mut self.spans)?;
        if self.spans.is_empty() {
            return Ok(None);
        }
        self.first = false;
        Ok(Some(Plain { bytes, spans: &self.spans, file, line }))
    }

    fn sha256(&self) -> [u8; 32] {
        self.sha.borrow().clone().finalize().into()
    }
}
