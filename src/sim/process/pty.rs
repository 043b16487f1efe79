//! A serial device as a pseudo terminal: we hold the master, a link beside the configuration leads to the other end.
//!
//! Invariants: nothing is replaced but a link to a terminal, as an earlier run leaves it; the link goes with us.
//! The master says EIO while nobody has the other end open, which is how a simulated plug is known to be out.

use super::SimulateError;
use crate::sim::emul::Link;
use crate::vocab::DeviceNo;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// What a look at the terminal found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Somebody opened the other end.
    Opened,
    Closed,
    Bytes(Vec<u8>),
    Nothing,
}

#[derive(Debug)]
pub struct Pty {
    pub(super) device: DeviceNo,
    master: OwnedFd,
    name: PathBuf,
    beside: PathBuf,
    /// The present opening, numbered from 1.
    open: bool,
    openings: u32,
    /// What was said before this end noticed that the other was opened: a device on a wire hears that too.
    early: Vec<u8>,
}

impl Pty {
    pub(super) fn make(device: DeviceNo, id: &str, beside: &Path) -> Result<Self, SimulateError> {
        let failed = |source: io::Error| SimulateError::Terminal { device: id.into(), path: beside.into(), source };
        match std::fs::symlink_metadata(beside) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed(e)),
            Ok(m) if m.is_symlink() && leads_to_terminal(beside) => std::fs::remove_file(beside).map_err(failed)?,
            Ok(_) => return Err(SimulateError::InTheWay { device: id.into(), path: beside.into() }),
        }
        let (master, name) = pair().map_err(|e| failed(e.into()))?;
        std::os::unix::fs::symlink(&name, beside).map_err(failed)?;
        Ok(Self { device, master, name, beside: beside.into(), open: false, openings: 0, early: Vec::new() })
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn link(&self) -> Link {
        Link(self.openings)
    }

    /// Looks once, without waiting; to be called until it finds nothing.
    pub(super) fn look(&mut self) -> Look {
        if !self.early.is_empty() {
            return Look::Bytes(std::mem::take(&mut self.early));
        }
        let mut buffer = [0; 4096];
        let found = rustix::io::read(&self.master, &mut buffer);
        match (found, self.open) {
            (Ok(0) | Err(Errno::IO), true) => {
                self.open = false;
                Look::Closed
            }
            (Ok(0) | Err(Errno::IO), false) => Look::Nothing,
            (Ok(n), true) => Look::Bytes(buffer[..n].to_vec()),
            (Ok(_) | Err(Errno::AGAIN), false) => {
                self.early = buffer[..found.unwrap_or(0)].to_vec();
                self.open = true;
                self.openings += 1;
                Look::Opened
            }
            (Err(_), _) => Look::Nothing,
        }
    }

    /// Sends; what the line's buffer cannot hold is lost, as on a wire without handshake.
    pub(super) fn send(&self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Ok(n @ 1..) = rustix::io::write(&self.master, rest) {
            rest = &rest[n..];
            if rest.is_empty() {
                return;
            }
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if std::fs::read_link(&self.beside).is_ok_and(|to| to == self.name) {
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}

fn leads_to_terminal(link: &Path) -> bool {
    std::fs::read_link(link).is_ok_and(|to| to.starts_with("/dev/pts"))
}

/// A master that never blocks, and the name of its other end, raw and closed.
fn pair() -> rustix::io::Result<(OwnedFd, PathBuf)> {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let name = rustix::pty::ptsname(&master, Vec::new())?;
    let name = PathBuf::from(std::ffi::OsString::from(name.to_string_lossy().into_owned()));
    let flags = rustix::fs::fcntl_getfl(&master)?;
    rustix::fs::fcntl_setfl(&master, flags | OFlags::NONBLOCK)?;
    // Opened once: raw, so that nothing is echoed or translated; and closed, so that EIO says that nobody has it.
    let other = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    let mut how = rustix::termios::tcgetattr(&other)?;
    how.make_raw();
    rustix::termios::tcsetattr(&other, OptionalActions::Now, &how)?;
    Ok((master, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn open(path: &Path) -> std::fs::File {
        std::fs::File::options().read(true).write(true).open(path).expect("the link leads to a terminal")
    }

    #[test]
    fn a_terminal_knows_who_has_it_open_and_carries_bytes_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("hand1.tty");
        let mut p = Pty::make(DeviceNo(1), "hand1", &at).unwrap();
        assert_eq!(p.look(), Look::Nothing);
        let mut host = open(&at);
        assert_eq!((p.look(), p.link()), (Look::Opened, Link(1)));
        assert_eq!(p.look(), Look::Nothing);
        p.send(b"a\x1d\x03\x04\x11\r\n");
        let mut got = [0; 7];
        host.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"a\x1d\x03\x04\x11\r\n");
        host.write_all(b"\x16T\r").unwrap();
        assert_eq!(p.look(), Look::Bytes(b"\x16T\r".into()));
        assert_eq!(p.look(), Look::Nothing, "no echo");
        drop(host);
        assert_eq!((p.look(), p.look()), (Look::Closed, Look::Nothing));
        // Whoever speaks first is heard, also before his coming was noticed.
        let mut again = open(&at);
        again.write_all(b"\x1b#").unwrap();
        assert_eq!((p.look(), p.link()), (Look::Opened, Link(2)));
        assert_eq!((p.look(), p.look()), (Look::Bytes(b"\x1b#".into()), Look::Nothing));
        drop(p);
        assert!(std::fs::symlink_metadata(&at).is_err(), "the link goes with it");
    }

    #[test]
    fn only_an_earlier_link_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("hand1.tty");
        std::os::unix::fs::symlink("/dev/pts/99999", &at).unwrap();
        drop(Pty::make(DeviceNo(1), "hand1", &at).unwrap());
        std::fs::write(&at, "mine").unwrap();
        let e = Pty::make(DeviceNo(1), "hand1", &at).unwrap_err();
        assert!(matches!(e, SimulateError::InTheWay { .. }), "{e}");
        assert_eq!(std::fs::read_to_string(&at).unwrap(), "mine");
        std::fs::remove_file(&at).unwrap();
        std::os::unix::fs::symlink("elsewhere", &at).unwrap();
        assert!(matches!(Pty::make(DeviceNo(1), "hand1", &at), Err(SimulateError::InTheWay { .. })), "somebody's own link");
    }
}
