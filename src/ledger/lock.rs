//! `DIR/lock`: held by the one process that may write, and telling everybody where its socket is.

use super::error::OpenError;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

/// Held until dropped; the kernel drops it with the process.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    pub fn take(dir: &Path, boot: &str, socket: Option<&Path>) -> Result<Self, OpenError> {
        let path = dir.join("lock");
        let unwritable = |source| OpenError::Unwritable { dir: dir.into(), source };
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(unwritable)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            let pid = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|v| v.get("pid").map(ToString::to_string));
            return Err(OpenError::Locked { dir: dir.into(), pid: pid.unwrap_or_else(|| "unknown".into()) });
        }
        let mut v = serde_json::json!({"pid": std::process::id(), "boot": boot});
        if let Some(s) = socket {
            v["socket"] = s.to_string_lossy().into();
        }
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(v.to_string().as_bytes())).map_err(unwritable)?;
        Ok(Self(file))
    }

    /// Is somebody holding the store's lock?
    pub fn is_held(dir: &Path) -> bool {
        File::open(dir.join("lock")).is_ok_and(|f| flock(&f, FlockOperation::NonBlockingLockExclusive).is_err())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.set_len(0);
    }
}
