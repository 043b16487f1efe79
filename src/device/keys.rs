//! The event device of a keyboard that is a scanner: opened for reading and kept for ourselves (EVIOCGRAB), so that what is
//! scanned is typed nowhere else. Anything that is no input device (a pipe, a pseudo terminal) is read as it is.
//!
//! Must never know: what the keys mean.

use rustix::fs::{FileType, Mode, OFlags, fstat, major};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe::Receiver;

/// Input devices (Documentation/admin-guide/devices.txt of the kernel).
const INPUT_MAJOR: u32 = 13;

pub(super) struct Keys {
    /// Like a pipe: bytes come, in their order, until it is gone.
    events: Receiver,
    /// Keeps the grab.
    _held: Option<evdev::Device>,
}

impl Keys {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let stat = fstat(&file)?;
        let input = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && major(stat.st_rdev) == INPUT_MAJOR;
        let (file, held) = if input {
            let mut device = evdev::Device::open(path)?;
            device.grab().map_err(|e| io::Error::new(e.kind(), format!("somebody else keeps this keyboard: {e}")))?;
            device.set_nonblocking(true)?;
            (device.as_fd().try_clone_to_owned()?, Some(device))
        } else {
            (file, None)
        };
        Ok(Self { events: Receiver::from_owned_fd_unchecked(file)?, _held: held })
    }
}

impl AsyncRead for Keys {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.events).poll_read(cx, buf)
    }
}

/// Nothing is ever said to a keyboard.
impl AsyncWrite for Keys {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
