//! Where answers wait for their import: `<store>/supply/`, readable by the daemon alone.
//!
//! `<token>.part` is being received, `<token>.body` came whole and is on disk, `<token>.txt` are its codes, one a line,
//! for the import. All are plaintext codes: they go when their order ends, and what belongs to no open order, or was
//! not whole, goes at the next start.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Spool {
    dir: PathBuf,
}

impl Spool {
    /// Makes the folder if need be.
    pub fn open(store: &Path) -> io::Result<Self> {
        let dir = store.join("supply");
        match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        Ok(Self { dir })
    }

    /// Removes what a boot that ended left behind, but for the whole answers of these (open) orders.
    pub fn sweep(&self, open: &[&str]) -> io::Result<()> {
        for e in std::fs::read_dir(&self.dir)? {
            let path = e?.path();
            let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("");
            let kept = path.extension().is_some_and(|x| x == "body") && open.contains(&stem);
            if !kept {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    pub fn body(&self, token: &str) -> PathBuf {
        self.dir.join(format!("{token}.body"))
    }

    /// The file to import.
    pub fn codes(&self, token: &str) -> PathBuf {
        self.dir.join(format!("{token}.txt"))
    }

    /// Did an answer come whole?
    pub fn keeps(&self, token: &str) -> bool {
        self.body(token).is_file()
    }

    /// A fresh file nobody else can read.
    pub fn create(path: &Path) -> io::Result<File> {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    /// Fills `<token>.body` by way of `.part`: whole and on disk, or not there.
    pub fn receive<E>(&self, token: &str, fill: impl FnOnce(&mut File) -> Result<(), E>) -> io::Result<Result<(), E>> {
        let part = self.dir.join(format!("{token}.part"));
        let mut file = Self::create(&part)?;
        if let Err(e) = fill(&mut file) {
            let _ = std::fs::remove_file(&part);
            return Ok(Err(e));
        }
        file.sync_all()?;
        std::fs::rename(&part, self.body(token))?;
        File::open(&self.dir)?.sync_all()?;
        Ok(Ok(()))
    }

    /// The order is over: nothing of it stays.
    pub fn discard(&self, token: &str) -> io::Result<()> {
        for kind in ["part", "body", "txt"] {
            match std::fs::remove_file(self.dir.join(format!("{token}.{kind}"))) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }
}
