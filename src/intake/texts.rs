//! The lines of a delivery's files, one file after another, hashed as they come.

use super::Fault;
use super::encoding::{Begins, Encoding, Judge, Utf16, begins};
use super::lines::{LineFault, Lines};
use super::plain::Span;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A running hash of what was read.
pub type Running = Rc<RefCell<Sha256>>;

/// Hashes what goes through it.
pub struct Hashed<R> {
    from: R,
    into: Running,
}

impl<R> Hashed<R> {
    pub fn new(from: R, into: &Running) -> Self {
        Self { from, into: into.clone() }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.from.read(out)?;
        self.into.borrow_mut().update(&out[..n]);
        Ok(n)
    }
}

/// Where the bytes come from.
pub enum From {
    /// The files themselves; the hash is of their bytes.
    Files(Running),
    /// One file that somebody else opened: what stands inside a sealed container.
    Opened(Box<dyn Read>),
    Nothing,
}

pub struct Texts {
    pub paths: Vec<PathBuf>,
    from: From,
    encoding: Encoding,
    /// Files begun.
    begun: usize,
    now: Option<(Lines<Box<dyn Read>>, Judge)>,
}

/// A line with its place.
pub struct Line<'a> {
    pub bytes: &'a [u8],
    pub file: u32,
    pub number: u64,
    judge: &'a mut Judge,
    ascii: bool,
}

impl Line<'_> {
    /// The bytes of a code that stands in this line, without the text's encoding.
    pub fn code<'c>(&mut self, code: &'c [u8]) -> Result<Cow<'c, [u8]>, String> {
        if self.ascii { Ok(Cow::Borrowed(code)) } else { self.judge.code(code) }
    }
}

impl Texts {
    pub fn new(paths: Vec<PathBuf>, from: From, encoding: Encoding) -> Self {
        Self { paths, from, encoding, begun: 0, now: None }
    }

    /// The file that is being read.
    pub fn path(&self) -> &Path {
        &self.paths[self.begun.saturating_sub(1)]
    }

    /// What is known of this file's encoding, if one is open.
    pub fn judge(&mut self) -> Option<&mut Judge> {
        self.now.as_mut().map(|n| &mut n.1)
    }

    /// The next line of this file, if one is open, CR included.
    pub fn line(&mut self) -> Result<Option<Line<'_>>, Fault> {
        let file = self.begun.saturating_sub(1);
        let path = &self.paths[file];
        let Some((lines, judge)) = &mut self.now else { return Ok(None) };
        let number = lines.line + 1;
        match lines.next() {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => {
                let ascii = bytes.is_ascii();
                if !ascii {
                    judge.line(bytes).map_err(|what| Fault::Line { path: path.clone(), line: number, what })?;
                }
                Ok(Some(Line { bytes, file: file as u32, number, judge, ascii }))
            }
            Err(LineFault::TooLong) => {
                let what = format!("the line has more than {} bytes: it is no text of codes", super::lines::MAX_LINE);
                Err(Fault::Line { path: path.clone(), line: number, what })
            }
            Err(LineFault::Read(e)) => Err(fault(path, e)),
        }
    }

    /// The plain lines that come next in this file: their bytes, the file, the first line's number.
    pub fn plain(&mut self, spans: &mut Vec<Span>) -> Result<(&[u8], u32, u64), Fault> {
        let file = self.begun.saturating_sub(1);
        let path = &self.paths[file];
        let Some((lines, _)) = &mut self.now else {
            spans.clear();
            return Ok((&[], 0, 0));
        };
        let line = lines.line + 1;
        let bytes = lines.plain(spans).map_err(|e| fault(path, e))?;
        Ok((bytes, file as u32, line))
    }

    /// Opens the next file; `false` after the last.
    pub fn next_file(&mut self) -> Result<bool, Fault> {
        self.now = None;
        let Some(path) = self.paths.get(self.begun) else { return Ok(false) };
        self.begun += 1;
        let mut from: Box<dyn Read> = match std::mem::replace(&mut self.from, From::Nothing) {
            From::Files(sha) => {
                let hashed = Hashed::new(File::open(path).map_err(|e| fault(path, e))?, &sha);
                self.from = From::Files(sha);
                Box::new(hashed)
            }
            From::Opened(from) => from,
            From::Nothing => return Ok(false),
        };
        let mut head = Vec::with_capacity(8);
        from.by_ref().take(8).read_to_end(&mut head).map_err(|e| fault(path, e))?;
        let mut encoding = self.encoding;
        let from: Box<dyn Read> = match begins(&head) {
            Begins::Text(bom) => {
                if bom > 0 && encoding == Encoding::Auto {
                    encoding = Encoding::Utf8;
                }
                Box::new(Cursor::new(head.split_off(bom)).chain(from))
            }
            Begins::Utf16 { big_endian } => {
                encoding = Encoding::Utf8;
                Box::new(Utf16::new(Cursor::new(head).chain(from), big_endian))
            }
            Begins::Other(what) => return Err(Fault::delivery(format!("{} is no text of codes", path.display()), format!("it is {what}"))),
        };
        self.now = Some((Lines::new(from), Judge::new(encoding)));
        Ok(true)
    }
}

/// A fault that came up through a reader keeps its sentence.
pub fn fault(path: &Path, e: std::io::Error) -> Fault {
    let why = e.to_string();
    match e.downcast::<Fault>() {
        Ok(fault) => fault,
        Err(_) => Fault::Read { path: path.into(), why },
    }
}
