//! The folder drop: an order is a small JSON file, a delivery a file named by its token.

use super::blanks::Blanks;
use super::http::failure;
use super::supplier::{Answer, Failure, Fault};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A delivery as it was last seen: one that did not change between two looks is whole.
pub type Look = Option<(PathBuf, u64, Option<SystemTime>)>;

/// Names a delivery may have after its token; a sealed one ends in `.age` and is the intake's to open.
const KINDS: &[&str] = &[".txt", ".csv", ".txt.age", ".csv.age", ".csv.zst.age", ".age"];

/// The delivery of a token, if it lies there.
pub fn delivery(inbox: &Path, token: &str) -> Option<PathBuf> {
    KINDS.iter().map(|k| inbox.join(format!("{token}{k}"))).find(|p| p.is_file())
}

/// Looks for the delivery, else sees to it that the order lies in the outbox.
pub fn ask(outbox: &Path, inbox: &Path, blanks: &Blanks<'_>, taken: bool, last: &mut Look) -> Answer {
    if let Some(path) = delivery(inbox, blanks.token) {
        let now = std::fs::metadata(&path).ok().map(|m| (path, m.len(), m.modified().ok()));
        let same = now.is_some() && now == *last;
        *last = now;
        return if same { Answer::Delivered } else { Answer::Pending };
    }
    if taken {
        return Answer::Pending;
    }
    match write(outbox, blanks) {
        Ok(()) => Answer::Pending,
        Err(e) => Answer::Failed(unwritten(outbox, &e)),
    }
}

fn unwritten(outbox: &Path, e: &io::Error) -> Failure {
    let what = format!("the order could not be written to {} ({e}): check that the folder is there and may be written", outbox.display());
    failure(Fault::NotTaken, what)
}

/// Whole or not there, and on disk.
fn write(outbox: &Path, b: &Blanks<'_>) -> io::Result<()> {
    let mut order = serde_json::json!({"token": b.token, "level": b.level, "product": b.product, "count": b.count, "line": b.line});
    if let Some(gtin) = b.gtin {
        order["gtin"] = gtin.into();
    }
    let (tmp, path) = (outbox.join(format!(".{}.tmp", b.token)), outbox.join(format!("{}.json", b.token)));
    let mut file = File::create(&tmp)?;
    file.write_all(format!("{order}\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&tmp, &path)?;
    File::open(outbox)?.sync_all()
}

/// The order is over: its file goes, if the other side left it there.
pub fn forget(outbox: &Path, token: &str) -> io::Result<()> {
    match std::fs::remove_file(outbox.join(format!("{token}.json"))) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
