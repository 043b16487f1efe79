//! `DIR/lock`: held by the one process that may write, and telling everybody where its socket is.

use super::error::OpenError;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Who holds a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: String,
    pub socket: Option<PathBuf>,
}

impl Holder {
    /// The process that holds the store's lock now.
    pub fn of(dir: &Path) -> Option<Self> {
        let mut file = File::open(dir.join("lock")).ok()?;
        // Asking takes the lock for a moment; `Lock::take` is patient enough not to stumble over that.
        if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            return None;
        }
        Some(Self::read(&mut file))
    }

    fn read(file: &mut File) -> Self {
        let mut text = String::new();
        let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
        let v: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let pid = v.get("pid").map_or_else(|| "unknown".into(), ToString::to_string);
        Self { pid, socket: v.get("socket").and_then(|s| s.as_str()).map(PathBuf::from) }
    }
}

/// How often, and how far apart (ms), a held lock is tried again: somebody may only be asking who holds it, or a process
/// that was just forked still has it open until it becomes another program.
const TRIES: u32 = 15;
const APART_MS: u64 = 20;

/// Held until dropped; the kernel drops it with the process.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    /// The file was not there before.
    made: bool,
    /// It says whose it is.
    announced: bool,
}

impl Lock {
    /// Takes the lock; the file says nothing yet, so that a refused store stays as it was.
    pub fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join("lock");
        let unwritable = |source| OpenError::Unwritable { dir: dir.into(), source };
        let made = !path.exists();
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(unwritable)?;
        for _ in 0..TRIES {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { file, path, made, announced: false }),
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(APART_MS)),
            }
        }
        Err(OpenError::Locked { dir: dir.into(), pid: Holder::read(&mut file).pid })
    }

    /// Says who holds the store, and where its socket is.
    pub fn announce(&mut self, boot: &str, socket: Option<&Path>) -> std::io::Result<()> {
        let mut v = serde_json::json!({"pid": std::process::id(), "boot": boot});
        if let Some(s) = socket {
            v["socket"] = s.to_string_lossy().into();
        }
        self.announced = true;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(v.to_string().as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.announced {
            let _ = self.file.set_len(0);
        } else if self.made {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
