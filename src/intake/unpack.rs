//! Zstandard (RFC 8878) read as a stream, held to a window, a size and a ratio that no honest pack needs.

use super::Fault;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{BufRead, Read};

/// What `zstd -19` needs; more is asked for by `--ultra` and `--long` only.
const MAX_WINDOW: u64 = 8 << 20;
/// 10 million codes of 100 bytes are 1 GB.
const MAX_BYTES: u64 = 16 << 30;
/// Numbers in a row pack 20 times; a bomb, thousands of times.
const MAX_RATIO: u64 = 200;
/// Below this size nobody counts.
const FREE_BYTES: u64 = 4 << 20;

pub struct Unpack<R> {
    from: R,
    decoder: FrameDecoder,
    /// Within a frame.
    open: bool,
    frames: u64,
    /// Packed bytes of the frames before this one; unpacked bytes of all.
    taken: u64,
    given: u64,
}

impl<R: BufRead> Unpack<R> {
    pub fn new(from: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Self { from, decoder, open: false, frames: 0, taken: 0, given: 0 }
    }

    /// Begins the next frame; `false` at the end of the stream.
    fn begin(&mut self) -> std::io::Result<bool> {
        loop {
            if self.from.fill_buf()?.is_empty() {
                return if self.frames == 0 { Err(bad("it is empty")) } else { Ok(false) };
            }
            match self.decoder.init(&mut self.from) {
                Ok(()) => {
                    (self.open, self.frames) = (true, self.frames + 1);
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let skipped = std::io::copy(&mut self.from.by_ref().take(length.into()), &mut std::io::sink())?;
                    if skipped < length.into() {
                        return Err(bad("it ends too early"));
                    }
                    self.taken += skipped;
                    self.frames += 1;
                }
                Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => {
                    let what =
                        format!("the pack needs a window of {} MiB to unpack, at most {} are given", requested >> 20, MAX_WINDOW >> 20);
                    return Err(std::io::Error::other(Fault::delivery(
                        what,
                        "compress it with zstd -19 or less, without --long or --ultra",
                    )));
                }
                Err(e) => return Err(told(e)),
            }
        }
    }

    fn block(&mut self) -> std::io::Result<()> {
        self.decoder.decode_blocks(&mut self.from, BlockDecodingStrategy::UptoBlocks(1)).map_err(told)?;
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<()> {
        self.open = false;
        self.taken += self.decoder.bytes_read_from_source();
        match self.decoder.get_checksum_from_data() {
            Some(sum) if self.decoder.get_calculated_checksum() != Some(sum) => Err(bad("its checksum is wrong")),
            _ => Ok(()),
        }
    }

    fn held(&self) -> std::io::Result<()> {
        let packed = self.taken + if self.open { self.decoder.bytes_read_from_source() } else { 0 };
        let bomb = self.given > FREE_BYTES && self.given / MAX_RATIO > packed;
        if !bomb && self.given <= MAX_BYTES {
            return Ok(());
        }
        let what = format!("the pack unpacks to more than {} times its size, or to more than {} GiB", MAX_RATIO, MAX_BYTES >> 30);
        Err(std::io::Error::other(Fault::delivery(what, "it is no pack of codes: ask whoever made it what it is")))
    }
}

impl<R: BufRead> Read for Unpack<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.open && !self.begin()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.block()?;
            }
            let n = self.decoder.read(out)?;
            self.given += n as u64;
            self.held()?;
            if n > 0 {
                return Ok(n);
            }
            self.end()?;
        }
    }
}

fn told(e: FrameDecoderError) -> std::io::Error {
    use std::error::Error;
    // An error from below (decryption) keeps its own sentence.
    let mut source = e.source();
    while let Some(s) = source {
        if let Some(io) = s.downcast_ref::<std::io::Error>() {
            if let Some(fault) = io.get_ref().and_then(|e| e.downcast_ref::<Fault>()) {
                return std::io::Error::other(fault.clone());
            }
            if io.kind() == std::io::ErrorKind::UnexpectedEof {
                return bad("it ends too early");
            }
        }
        source = s.source();
    }
    bad("it is no Zstandard stream, or damaged")
}

fn bad(why: &str) -> std::io::Error {
    std::io::Error::other(Fault::delivery(
        format!("what is inside the pack cannot be unpacked: {why}"),
        "ask whoever made the pack to make it again",
    ))
}
