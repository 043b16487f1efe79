//! Which encoding a text is in, and what is not in any. GBK is read as GB18030, which holds it (GB 18030-2022).
//!
//! Separators, quotes and line ends are below 0x40 and never a second byte of GBK (0x40–0xFE), nor among GB18030's
//! digits: lines and fields can be cut before anything is decoded.
//!
//! Invariants: a file is in one encoding from beginning to end; a guess never changes the bytes of a code: a code that
//! is not ASCII is taken from a GBK file only when somebody said that it is one.

use encoding_rs::{Decoder, DecoderResult, GB18030, UTF_16BE, UTF_16LE};
use std::borrow::Cow;
use std::io::Read;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    Auto,
    Utf8,
    Gbk,
}

impl Encoding {
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "auto" => Some(Self::Auto),
            "utf-8" | "utf8" => Some(Self::Utf8),
            "gbk" | "gb18030" | "gb2312" => Some(Self::Gbk),
            _ => None,
        }
    }
}

/// Holds the lines of one file against its encoding.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    found: Encoding,
    /// Somebody said which it is.
    said: bool,
    /// A code that is not ASCII was taken as UTF-8.
    taken: bool,
}

impl Judge {
    pub fn new(wanted: Encoding) -> Self {
        Self { found: wanted, said: wanted != Encoding::Auto, taken: false }
    }

    /// Looks at a line; a sentence when it cannot be in this file's encoding.
    pub fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.is_ascii() {
            return Ok(());
        }
        let utf8 = std::str::from_utf8(line).map_err(|e| e.valid_up_to());
        match (self.found, utf8) {
            (Encoding::Utf8, Ok(_)) => Ok(()),
            (Encoding::Utf8, Err(at)) => {
                Err(format!("byte {} of the line is not UTF-8: is the file damaged, or in GBK (--encoding gbk)?", at + 1))
            }
            (Encoding::Gbk, _) => gbk(line).map(drop).map_err(|at| format!("byte {} of the line is not GBK: is the file damaged?", at + 1)),
            (Encoding::Auto, Ok(_)) => {
                // Two bytes of GBK can look like UTF-8; three of UTF-8 seldom like GBK.
                if gbk(line).is_err() {
                    self.found = Encoding::Utf8;
                }
                Ok(())
            }
            (Encoding::Auto, Err(at)) => match gbk(line) {
                Ok(_) if self.taken => Err(format!(
                    "byte {} of the line is not UTF-8, but a code before it was read as such: say --encoding utf-8 or gbk",
                    at + 1
                )),
                Ok(_) => {
                    self.found = Encoding::Gbk;
                    Ok(())
                }
                Err(_) => Err(format!("byte {} of the line is neither UTF-8 nor GBK: save the file as UTF-8 and import it again", at + 1)),
            },
        }
    }

    /// A code's bytes without the text's encoding.
    pub fn code<'a>(&mut self, code: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
        if code.is_ascii() {
            return Ok(Cow::Borrowed(code));
        }
        match self.found {
            Encoding::Gbk if !self.said => {
                Err("the code is not ASCII and the file is not UTF-8: if it is GBK and the code is meant so, say --encoding gbk".into())
            }
            Encoding::Gbk => match gbk(code) {
                Ok(text) => Ok(Cow::Owned(text.into_bytes())),
                Err(at) => Err(format!("byte {} of the code is not GBK", at + 1)),
            },
            Encoding::Auto | Encoding::Utf8 => match std::str::from_utf8(code) {
                Ok(_) => {
                    self.taken = true;
                    Ok(Cow::Borrowed(code))
                }
                Err(e) => Err(format!("byte {} of the code is not UTF-8", e.valid_up_to() + 1)),
            },
        }
    }

    /// A name in the file's first line, as text for comparison.
    pub fn name<'a>(&self, name: &'a [u8]) -> Cow<'a, str> {
        match (self.found, std::str::from_utf8(name)) {
            (Encoding::Auto | Encoding::Utf8, Ok(text)) => Cow::Borrowed(text),
            _ => gbk(name).map_or_else(|_| String::from_utf8_lossy(name), Cow::Owned),
        }
    }
}

/// The text of GBK bytes, or how many of them are good.
fn gbk(bytes: &[u8]) -> Result<String, usize> {
    let mut decoder = GB18030.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(bytes.len() * 3));
    match decoder.decode_to_string_without_replacement(bytes, &mut text, true) {
        (DecoderResult::InputEmpty, _) => Ok(text),
        (DecoderResult::OutputFull, read) => Err(read),
        (DecoderResult::Malformed(len, after), read) => Err(read.saturating_sub(usize::from(len) + usize::from(after))),
    }
}

/// What a file's first bytes say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// With this many bytes to leave out.
    Text(usize),
    Utf16 {
        big_endian: bool,
    },
    /// Not a text at all.
    Other(&'static str),
}

pub fn begins(head: &[u8]) -> Begins {
    const OTHERS: &[(&[u8], &str)] = &[
        (b"PK\x03\x04", "a zip or an Excel workbook: save the sheet as CSV (UTF-8)"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook: save the sheet as CSV (UTF-8)"),
        (b"\x1f\x8b", "compressed (gzip): unpack it first"),
        (b"\x28\xb5\x2f\xfd", "compressed (zstd) but not sealed: unpack it first, or have it sealed (docs/packs.md)"),
        (b"Rar!", "a RAR archive: unpack it first"),
        (b"7z\xbc\xaf", "a 7-Zip archive: unpack it first"),
        (b"%PDF", "a PDF: ask for a text file"),
    ];
    if head.starts_with(b"\xef\xbb\xbf") {
        return Begins::Text(3);
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Begins::Utf16 { big_endian: head[0] == 0xfe };
    }
    OTHERS.iter().find(|o| head.starts_with(o.0)).map_or(Begins::Text(0), |o| Begins::Other(o.1))
}

/// UTF-16 on its way to UTF-8, in bounded memory.
pub struct Utf16<R> {
    from: R,
    decoder: Decoder,
    raw: Vec<u8>,
    /// Bytes of `raw` not yet decoded.
    left: std::ops::Range<usize>,
    over: bool,
    done: bool,
}

impl<R: Read> Utf16<R> {
    /// The mark at the beginning is still to come; the decoder takes it off.
    pub fn new(from: R, big_endian: bool) -> Self {
        let decoder = if big_endian { UTF_16BE } else { UTF_16LE }.new_decoder_with_bom_removal();
        Self { from, decoder, raw: vec![0; 8192], left: 0..0, over: false, done: false }
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if self.done || out.is_empty() {
                return Ok(0);
            }
            if self.left.is_empty() && !self.over {
                let n = self.from.read(&mut self.raw)?;
                self.left = 0..n;
                self.over = n == 0;
            }
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(&self.raw[self.left.clone()], out, self.over);
            self.left.start += read;
            match result {
                DecoderResult::Malformed(..) => return Err(std::io::Error::other("it begins as UTF-16 and holds half a character")),
                DecoderResult::InputEmpty => self.done = self.over,
                DecoderResult::OutputFull if written == 0 => return Err(std::io::Error::other("no room for a character")),
                DecoderResult::OutputFull => {}
            }
            if written > 0 {
                return Ok(written);
            }
        }
    }
}
