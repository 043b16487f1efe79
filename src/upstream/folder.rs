//! The folder drop: an order is a small JSON file, a delivery a file named by its token.

use super::blanks::Blanks;
use super::http::failure;
use super::supplier::{Answer, Failure, Fault};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A delivery as it was last seen, its signature with it: one that did not change between two looks is whole.
pub type Look = Option<(PathBuf, Stand, Option<Stand>)>;

/// Size, and when it was written.
type Stand = (u64, Option<SystemTime>);

fn stand(path: &Path) -> Option<Stand> {
    std::fs::metadata(path).ok().map(|m| (m.len(), m.modified().ok()))
}

/// Names a delivery may have after its token; a sealed one ends in `.age` and is the intake's to open.
const KINDS: &[&str] = &[".txt", ".csv", ".txt.age", ".csv.age", ".csv.zst.age", ".age"];

/// The delivery of a token, if it lies there; a sealed one when its signature lies beside it.
pub fn delivery(inbox: &Path, token: &str) -> Option<PathBuf> {
    let whole = |p: &PathBuf| p.is_file() && signature(p).is_none_or(|s| s.is_file());
    KINDS.iter().map(|k| inbox.join(format!("{token}{k}"))).find(whole)
}

/// Where the signature of a sealed delivery lies.
fn signature(delivery: &Path) -> Option<PathBuf> {
    let sealed = delivery.extension().is_some_and(|x| x == "age");
    sealed.then(|| delivery.with_added_extension("minisig"))
}

/// A delivery that is in a pack goes, and its signature with it.
pub fn clear(inbox: &Path, token: &str) -> io::Result<()> {
    let Some(path) = delivery(inbox, token) else { return Ok(()) };
    std::fs::remove_file(&path)?;
    signature(&path).map_or(Ok(()), std::fs::remove_file)
}

/// Looks for the delivery, else sees to it that the order lies in the outbox.
pub fn ask(outbox: &Path, inbox: &Path, blanks: &Blanks<'_>, taken: bool, last: &mut Look) -> Answer {
    if let Some(path) = delivery(inbox, blanks.token) {
        let signed = signature(&path).and_then(|s| stand(&s));
        let now = stand(&path).map(|s| (path, s, signed));
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
