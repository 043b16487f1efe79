//! The inbox: a watched folder. What lies there and has come to rest is imported as if somebody had asked for it on the
//! socket; then it lies in `done/`, or in `refused/` beside a text that says why.
//!
//! `inbox/X.csv.zst.age` (with its `.minisig`) says itself what it is; a plain file says it by its place,
//! `inbox/LEVEL/PRODUCT/FILE`, and by a `manifest.txt` beside it with a manifest's words (`column:code=2 encoding:gbk`).
//!
//! Must never know: what a pack is. Invariants: one file at a time; a file that was answered is not asked for again
//! until it changes; the same file asked for again after a crash gets its first answer (the request's key is made of
//! its name and stand); nothing here waits for the line, and the line waits for nothing here.

use crate::control::phrases;
use crate::control::protocol::{Op, Parcel, Refusal};
use crate::control::server::Command;
use crate::intake::{self, Manifest};
use crate::vocab::code::hex;
use crate::vocab::plan::{Language, Plan};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The folder is listed this often; a file counts when it did not change from one listing to the next.
const LOOK: Duration = Duration::from_secs(1);
/// Files looked at in one listing; the others have their turn when these are gone.
const AT_ONCE: usize = 1_000;
/// Refused files that have an alarm of their own.
const ALARMS: usize = 20;
const MAX_MANIFEST: u64 = 8 << 10;
pub const REFUSED: &str = "inbox-refused";
const UNREADABLE: &str = "inbox-unreadable";

/// An alarm that comes or goes.
pub type Alarm = (String, bool);

/// Ends the inbox when it is dropped.
pub struct Watching {
    _stop: SyncSender<()>,
}

/// Size, times and inode: what does not change while a file rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stand {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl Stand {
    fn of(path: &Path) -> Option<Self> {
        let m = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        Some(Self { size: m.size(), modified: (m.mtime(), m.mtime_nsec()), changed: (m.ctime(), m.ctime_nsec()), inode: m.ino() })
    }
}

struct Inbox {
    folder: PathBuf,
    delete_plaintext: bool,
    /// The line's language: what is written beside a refused file is said in Chinese first.
    chinese: bool,
    commands: mpsc::Sender<Command>,
    alarms: mpsc::Sender<Alarm>,
    /// How each file (with its signature) stood at the last listing.
    seen: BTreeMap<PathBuf, (Stand, Option<Stand>)>,
    /// Answered, and still there: not asked for again while they stand so.
    answered: BTreeMap<PathBuf, (Stand, Option<Stand>)>,
    /// Alarms that are on.
    raised: BTreeSet<String>,
}

/// Watches the plan's inbox, if it has one. `known`: alarms of an inbox that the book still has on.
pub fn watch(plan: &Plan, commands: mpsc::Sender<Command>, alarms: mpsc::Sender<Alarm>, known: Vec<String>) -> Option<Watching> {
    let (chinese, plan) = (plan.language == Language::Chinese, &plan.packs);
    let folder = plan.inbox.clone()?;
    let (stop, stopped) = sync_channel(1);
    let delete_plaintext = plan.delete_plaintext;
    let (seen, answered) = (BTreeMap::new(), BTreeMap::new());
    let inbox = Inbox { folder, delete_plaintext, chinese, commands, alarms, seen, answered, raised: known.into_iter().collect() };
    match std::thread::Builder::new().name("inbox".into()).spawn(move || inbox.run(&stopped)) {
        Ok(_) => Some(Watching { _stop: stop }),
        Err(e) => {
            tracing::error!("the inbox is not watched ({e}): start the daemon again");
            None
        }
    }
}

/// The daemon is gone.
struct Gone;

impl Inbox {
    fn run(mut self, stopped: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK) {
            if self.look().is_err() {
                return;
            }
        }
    }

    fn look(&mut self) -> Result<(), Gone> {
        let made = ["done", "refused"].iter().try_for_each(|d| std::fs::create_dir_all(self.folder.join(d)));
        let files = made.and_then(|()| self.files());
        self.alarm(UNREADABLE.into(), files.is_err())?;
        let files = match files {
            Ok(files) => files,
            Err(e) => {
                tracing::debug!("{}: {e}", self.folder.display());
                return Ok(());
            }
        };
        let mut seen = BTreeMap::new();
        for path in files {
            let Some(stand) = Stand::of(&path) else { continue };
            let signature = Stand::of(&intake::signature_of(&path));
            let whole = (stand, signature);
            let rested = self.seen.get(&path) == Some(&whole) && (signature.is_some() || !intake::is_sealed(&path));
            seen.insert(path.clone(), whole);
            if rested && self.answered.get(&path) != Some(&whole) {
                self.bring(&path, whole)?;
            }
        }
        self.answered.retain(|path, _| seen.contains_key(path));
        self.seen = seen;
        self.taken_away()
    }

    /// Files in the folder and two levels below, but for what is ours, hidden, half written or a signature.
    fn files(&self) -> std::io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut folders = vec![(self.folder.clone(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
                let ours = depth == 0 && (name == "done" || name == "refused");
                if ours || name.starts_with('.') || files.len() >= AT_ONCE {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    if depth < 2 {
                        folders.push((path, depth + 1));
                    }
                    continue;
                }
                let passed = [".minisig", ".tmp", ".part", ".crdownload", ".filepart", "~"].iter().any(|e| name.ends_with(e));
                if !passed && name != "manifest.txt" {
                    files.push(path);
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// Asks for the import of a file and puts it where it belongs.
    fn bring(&mut self, path: &Path, whole: (Stand, Option<Stand>)) -> Result<(), Gone> {
        let inside = path.strip_prefix(&self.folder).unwrap_or(path).to_path_buf();
        let answer = match self.parcel(path, &inside) {
            Ok(parcel) => self.ask(parcel, key(&inside, &whole))?,
            Err(refusal) => Err(refusal),
        };
        match answer {
            Ok(fields) => {
                let pack = fields.get("pack").and_then(Value::as_str).unwrap_or("");
                tracing::info!(file = %inside.display(), pack, "imported from the inbox");
                if self.delete_plaintext && !intake::is_sealed(path) {
                    // The import has deleted it, unless the daemon died between.
                    let _ = std::fs::remove_file(path);
                }
                self.put(path, &inside, "done");
            }
            // Nothing is wrong with it: at the next listing again.
            Err(r) if r.code == "busy" || r.code == "stopping" => return Ok(()),
            Err(r) => {
                tracing::warn!(file = %inside.display(), code = %r.code, "refused from the inbox");
                let to = self.put(path, &inside, "refused");
                let mut text = to.clone().into_os_string();
                text.push(".txt");
                let act = if r.act.is_empty() || r.message.contains(&r.act) { String::new() } else { format!("{}\n", r.act) };
                let said = format!("{}\n{act}", r.message);
                let said = if self.chinese { format!("{}\n{said}", phrases::chinese(&said)) } else { said };
                if let Err(e) = std::fs::write(&text, said) {
                    tracing::warn!("{}: {e}: {}", Path::new(&text).display(), r.message);
                }
                if self.raised.len() < ALARMS {
                    let name = to.strip_prefix(self.folder.join("refused")).unwrap_or(&to).to_string_lossy().into_owned();
                    self.alarm(format!("{REFUSED}:{name}"), true)?;
                }
            }
        }
        self.answered.insert(path.into(), whole);
        Ok(())
    }

    /// What is said of a file by its place and by the manifest beside it.
    fn parcel(&self, path: &Path, inside: &Path) -> Result<Parcel, Refusal> {
        if path.to_str().is_none() {
            let what = format!("{} has a name that is not UTF-8; nothing was imported", inside.display());
            return Err(Refusal::new("bad-name", what, "rename it, then put it back"));
        }
        let text = |p: &Path| p.to_string_lossy().into_owned();
        let folders: Vec<String> = inside.parent().into_iter().flat_map(Path::iter).map(|f| f.to_string_lossy().into_owned()).collect();
        let mut parcel = Parcel { path: vec![text(path)], ..Parcel::default() };
        if let [level, product] = folders.as_slice() {
            (parcel.level, parcel.product) = (Some(level.clone()), Some(product.clone()));
        } else if !intake::is_sealed(path) {
            let what = format!("{} lies in the inbox and nothing says its level and product; nothing was imported", inside.display());
            return Err(Refusal::new("bad-place", what, "put plain files into inbox/LEVEL/PRODUCT/, or have them sealed"));
        }
        let beside = path.with_file_name("manifest.txt");
        let mut words = String::new();
        let read =
            std::fs::File::open(&beside).and_then(|f| std::io::Read::read_to_string(&mut std::io::Read::take(f, MAX_MANIFEST), &mut words));
        if read.is_ok() {
            let says = Manifest::parse(&words).map_err(|what| {
                Refusal::new(
                    "bad-manifest",
                    format!("{}: {what}; nothing was imported", beside.display()),
                    "see docs/packs.md for its words",
                )
            })?;
            let s = says.says;
            parcel = Parcel {
                level: s.level.or(parcel.level),
                product: s.product.or(parcel.product),
                purpose: s.purpose,
                expiry: s.expiry,
                column: s.columns,
                parent: s.parents,
                encoding: s.encoding,
                separator: s.separator,
                header: s.header,
                form: s.form,
                ..parcel
            };
        }
        Ok(parcel)
    }

    fn ask(&self, parcel: Parcel, key: String) -> Result<Result<Map<String, Value>, Refusal>, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = Command { op: Op::PackImport(parcel), key: Some(key), reply };
        self.commands.blocking_send(command).map_err(|_| Gone)?;
        answer.blocking_recv().map_err(|_| Gone)
    }

    /// Moves a file and its signature, under a name that is free; where it lies now.
    fn put(&self, path: &Path, inside: &Path, into: &str) -> PathBuf {
        let wanted = self.folder.join(into).join(inside);
        let name = wanted.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbered = |n: u32| if n == 0 { wanted.clone() } else { wanted.with_file_name(format!("{n}-{name}")) };
        let to = (0..).map(numbered).find(|p| !p.exists()).unwrap_or_else(|| wanted.clone());
        let moved = to.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
            let (from, beside) = (intake::signature_of(path), intake::signature_of(&to));
            if from.exists() {
                std::fs::rename(from, beside)?;
            }
            if path.exists() { std::fs::rename(path, &to) } else { Ok(()) }
        });
        match moved {
            Ok(()) => to,
            Err(e) => {
                tracing::warn!(file = %path.display(), "stays in the inbox ({e}): check the folder's rights");
                path.into()
            }
        }
    }

    /// Alarms of files that somebody took out of `refused/` are over.
    fn taken_away(&mut self) -> Result<(), Gone> {
        let refused = self.folder.join("refused");
        let over = |name: &&String| {
            let file = name.strip_prefix(REFUSED).and_then(|n| n.strip_prefix(':'));
            file.is_some_and(|f| !lies(&refused, f) && !lies(&self.folder, f))
        };
        let over: Vec<String> = self.raised.iter().filter(over).cloned().collect();
        over.into_iter().try_for_each(|name| self.alarm(name, false))
    }

    fn alarm(&mut self, name: String, on: bool) -> Result<(), Gone> {
        let changed = if on { self.raised.insert(name.clone()) } else { self.raised.remove(&name) };
        if changed { self.alarms.blocking_send((name, on)).map_err(|_| Gone) } else { Ok(()) }
    }
}

/// Is there a file of this name, as an alarm can write it?
fn lies(folder: &Path, name: &str) -> bool {
    let path = folder.join(name);
    let alike = |dir: &Path| {
        let entries = std::fs::read_dir(dir).ok()?;
        Some(entries.flatten().any(|e| e.path().strip_prefix(folder).is_ok_and(|p| p.to_str().is_none() && p.to_string_lossy() == name)))
    };
    path.exists() || name.contains('\u{fffd}') && path.parent().and_then(alike).unwrap_or(false)
}

/// The same for the same file standing the same way, also after a restart; a file moved or written again is another.
fn key(inside: &Path, whole: &(Stand, Option<Stand>)) -> String {
    let digest = Sha256::digest(format!("{} {whole:?}", inside.display()));
    format!("inbox-{}", hex(&digest[..16]))
}
