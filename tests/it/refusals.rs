//! What a store refuses: a plain sentence, exit 1, and every file as it was, `-wal` and `-shm` included.

use crate::driven::{Driven, content, copy_store, how, with_hooks};
use packmark::ledger::{Core, Hooks, OpenError, Submission};
use packmark::vocab::{Event, ItemState, Now};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn packmark(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packmark")).args(args).output().unwrap()
}

fn text(p: &Path) -> &str {
    p.to_str().unwrap()
}

/// A file of codes that no store here holds yet.
fn codes(dir: &Path, count: u32) -> PathBuf {
    let p = dir.join("new-codes.txt");
    std::fs::write(&p, (0..count).map(|n| format!("https://new.example/{n:08}\n")).collect::<String>()).unwrap();
    p
}

/// Import into the store is refused with these words, and leaves every file as it was.
fn refused(store: &Path, says: &str) {
    let file = codes(store.parent().unwrap(), 3);
    let before = content(store);
    let out = packmark(&["--store", text(store), "pack", "import", text(&file), "--level", "bottle", "--product", "P1"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{says}: {said}");
    assert!(said.starts_with("packmark: ") && said.contains(says) && said.lines().count() == 1, "{says}: {said}");
    assert!(out.stdout.is_empty());
    changed_nothing(&before, store, says);
}

fn changed_nothing(before: &std::collections::BTreeMap<PathBuf, Vec<u8>>, store: &Path, what: &str) {
    let after = content(store);
    let names = |m: &std::collections::BTreeMap<PathBuf, Vec<u8>>| m.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(&after), "{what}: files");
    for (path, bytes) in before {
        assert!(after[path] == *bytes, "{what}: {} changed", path.display());
    }
}

/// A store with a bit of a shift in it: ended in order, or killed (a copy, as a kill leaves it).
fn store(root: &Path, killed: bool) -> PathBuf {
    let mut d = Driven::start(&root.join("made"), None);
    d.shift();
    let dir = root.join("s");
    if killed {
        copy_store(&d.dir, &dir);
        return dir;
    }
    let made = d.dir.clone();
    d.core.close().unwrap();
    std::fs::rename(made, &dir).unwrap();
    dir
}

fn sql(store: &Path, sql: &str) {
    rusqlite::Connection::open(store.join("ledger.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_newer_schema() {
    let root = tempfile::tempdir().unwrap();
    let s = store(root.path(), false);
    sql(&s, "PRAGMA user_version=99");
    refused(&s, "was written by a newer packmark (schema 99");
    let before = content(&s);
    for command in [&["dump"][..], &["journal"], &["pack", "list"], &["trace", "x"], &["audit"], &["report", "J"]] {
        let out = packmark(&[&["--store", text(&s)], command].concat());
        assert_eq!(out.status.code(), Some(1), "{command:?}");
        assert!(String::from_utf8_lossy(&out.stderr).contains("newer packmark"), "{command:?}");
    }
    changed_nothing(&before, &s, "reading");
    // The same when only the log knows of it.
    let s = store(&root.path().join("b"), false);
    let c = rusqlite::Connection::open(s.join("ledger.db")).unwrap();
    c.execute_batch("PRAGMA wal_autocheckpoint=0; PRAGMA user_version=99").unwrap();
    let cut = root.path().join("cut/s");
    copy_store(&s, &cut);
    assert!(std::fs::metadata(cut.join("ledger.db-wal")).unwrap().len() > 0);
    refused(&cut, "was written by a newer packmark (schema 99");
}

#[test]
fn an_older_copy_put_back() {
    // Going on by so little that no mark moves, and by an orderly end: both are seen.
    for orderly in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let mut d = Driven::start(&root.path().join("made"), None);
        d.bottle(true);
        let copy = root.path().join("copy");
        copy_store(&d.dir, &copy);
        let known = d.sent.len();
        d.bottle(true);
        d.settle(600);
        assert!(d.sent.len() > known, "codes left that the copy does not know");
        let sent = d.sent.clone();
        let s = root.path().join("s");
        if orderly {
            let made = d.dir.clone();
            d.core.close().unwrap();
            copy_store(&made, &s);
        } else {
            copy_store(&d.dir, &s);
        }
        for name in ["ledger.db", "ledger.db-wal"] {
            let _ = std::fs::remove_file(s.join(name));
            let _ = std::fs::copy(copy.join(name), s.join(name));
        }
        refused(&s, "is an older copy");
        let accepted = packmark::ledger::OpenHow { accept_restored: true, ..how("accepted") };
        let mut again = Driven::open(&s, &accepted, None);
        let state = |d: &Driven, c| d.line.book().state(c);
        assert!(sent[known..].iter().all(|c| state(&again, *c) == ItemState::Doubtful), "what the copy does not know is doubtful");
        again.connect();
        again.settle(2_000);
        assert!(again.sent.iter().all(|c| !sent.contains(c)), "and never sent again");
        again.core.close().unwrap();
        Core::open(&s, &how("later")).expect("accepted once is accepted").core.close().unwrap();
    }
}

#[test]
fn an_older_copy_that_does_not_know_a_pack() {
    let root = tempfile::tempdir().unwrap();
    let s = root.path().join("s");
    Core::open(&s, &how("a")).unwrap().core.close().unwrap();
    let empty = std::fs::read(s.join("ledger.db")).unwrap();
    let d = Driven::start(&s, None);
    let sent = d.sent.clone();
    assert!(!sent.is_empty());
    d.core.close().unwrap();
    for e in std::fs::read_dir(&s).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()) {
        std::fs::remove_file(e).unwrap();
    }
    std::fs::write(s.join("ledger.db"), empty).unwrap();
    refused(&s, "does not know pack");
    let accepted = packmark::ledger::OpenHow { accept_restored: true, ..how("accepted") };
    assert!(matches!(Core::open(&s, &accepted), Err(OpenError::UnknownPack { .. })), "its codes may be on bottles: no way round");
}

#[test]
fn a_second_daemon() {
    let root = tempfile::tempdir().unwrap();
    let s = store(root.path(), false);
    let held = Core::open(&s, &how("holder")).unwrap();
    assert!(matches!(Core::open(&s, &how("second")), Err(OpenError::Locked { .. })));
    refused(&s, &format!("is held by process {}", std::process::id()));
    held.core.close().unwrap();
    let file = codes(root.path(), 3);
    let out = packmark(&["--store", text(&s), "--json", "pack", "import", text(&file), "--level", "bottle", "--product", "P1"]);
    assert_eq!(out.status.code(), Some(0), "free again");
}

#[test]
fn a_full_disk_by_the_hook() {
    let root = tempfile::tempdir().unwrap();
    let s = root.path().join("s");
    let hooks = Hooks { commit_fail_after: Some(2), ..Hooks::default() };
    let mut o = Core::open(&s, &with_hooks(how("a"), hooks)).unwrap();
    let one = || [Submission { now: Now::new(1, 1), events: vec![Event::Stopped], rows: Vec::new() }];
    o.core.commit(&one()).unwrap();
    assert_eq!(o.core.commit(&one()).unwrap(), 2);
    let before = content(&s);
    let e = o.core.commit(&one()).unwrap_err().to_string();
    assert!(e.contains("the disk is full: make room"), "{e}");
    assert!(o.core.commit(&one()).is_err(), "and nothing is taken afterwards");
    changed_nothing(&before, &s, "after the failure");
    o.core.close().unwrap();
    let again = Core::open(&s, &how("b")).unwrap();
    assert_eq!(again.last_seq, 2, "everything acknowledged is there");
}

/// Every size of the limit, from nothing to enough: refused with a sentence or done, never a torn store.
#[test]
fn a_full_disk_by_a_limit() {
    let root = tempfile::tempdir().unwrap();
    let file = codes(root.path(), 5_000);
    let (mut refusals, mut done) = (0, 0);
    for blocks in [0, 1, 2, 8, 64, 128, 170, 180, 192, 220, 260, 300, 2_000] {
        let s = root.path().join(format!("s{blocks}"));
        Core::open(&s, &how("a")).unwrap().core.close().unwrap();
        let import = "exec \"$0\" --store \"$1\" --json pack import \"$2\" --level bottle --product P1";
        let script = format!("ulimit -f {blocks}; {import}");
        let bin = env!("CARGO_BIN_EXE_packmark");
        let out = Command::new("sh").args(["-c", &script, bin, text(&s), text(&file)]).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        match out.status.code() {
            Some(0) => done += 1,
            Some(1) => {
                assert!(said.starts_with("packmark: ") && said.lines().count() == 1, "{blocks}: {said}");
                assert!(said.contains("the disk") || said.contains("make room"), "{blocks}: {said}");
                refusals += 1;
                let list = packmark(&["--store", text(&s), "--json", "pack", "list"]);
                assert_eq!(String::from_utf8_lossy(&list.stdout), "{\"packs\":[]}\n", "{blocks}: nothing of it counts");
                let again = packmark(&["--store", text(&s), "pack", "import", text(&file), "--level", "bottle", "--product", "P1"]);
                assert_eq!(again.status.code(), Some(0), "{blocks}: with room it goes on: {}", String::from_utf8_lossy(&again.stderr));
            }
            other => panic!("{blocks} blocks: {other:?} {said}"),
        }
        let audit = packmark(&["--store", text(&s), "audit"]);
        assert_eq!(audit.status.code(), Some(0), "{blocks}: {}", String::from_utf8_lossy(&audit.stdout));
    }
    assert!(refusals >= 5 && done >= 1, "{refusals} refused, {done} done");
}

/// Runs as somebody who owns nothing; as root through `setpriv` (util-linux), which must then be there.
fn as_nobody(bin: &Path, args: &[&str]) -> Output {
    if rustix::process::getuid().is_root() {
        let mut c = Command::new("setpriv");
        c.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(bin).args(args);
        return c.output().expect("as root this test needs setpriv (util-linux) to become nobody");
    }
    Command::new(bin).args(args).output().unwrap()
}

#[test]
fn a_folder_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |p: &Path, m| std::fs::set_permissions(p, std::fs::Permissions::from_mode(m)).unwrap();
    let root = tempfile::tempdir().unwrap();
    mode(root.path(), 0o755);
    let bin = root.path().join("packmark");
    std::fs::copy(env!("CARGO_BIN_EXE_packmark"), &bin).unwrap();
    mode(&bin, 0o755);
    let s = store(root.path(), false);
    let file = codes(root.path(), 3);
    mode(&file, 0o644);
    for p in content(&s).keys() {
        mode(p, 0o444);
    }
    mode(&s.join("packs"), 0o555);
    mode(&s, 0o555);
    let before = content(&s);
    let out = as_nobody(&bin, &["--store", text(&s), "pack", "import", text(&file), "--level", "bottle", "--product", "P1"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be written: check its owner, its rights and the disk"), "{said}");
    let fresh = s.join("below");
    let out = as_nobody(&bin, &["--store", text(&fresh), "pack", "import", text(&file), "--level", "bottle", "--product", "P1"]);
    assert_eq!(out.status.code(), Some(1));
    let dump = as_nobody(&bin, &["--store", text(&s), "dump"]);
    assert_eq!(dump.status.code(), Some(0), "reading needs no right to write: {}", String::from_utf8_lossy(&dump.stderr));
    assert!(String::from_utf8_lossy(&dump.stdout).contains("\"state\":\"packed\""));
    changed_nothing(&before, &s, "read-only");
    mode(&s, 0o755);
    mode(&s.join("packs"), 0o755);
}

fn flip(path: &Path, at: usize) {
    let mut b = std::fs::read(path).unwrap();
    b[at] ^= 0x55;
    std::fs::write(path, b).unwrap();
}

#[test]
fn flipped_bytes() {
    let fresh = |name: &str| {
        let root = tempfile::tempdir().unwrap();
        let s = store(root.path(), name == "event-in-the-log");
        (root, s)
    };
    let (_a, s) = fresh("page");
    flip(&s.join("ledger.db"), 4096 + 3); // the second page's b-tree header: its number of cells
    refused(&s, "is damaged");
    let (_b, s) = fresh("header");
    flip(&s.join("ledger.db"), 3);
    refused(&s, "is damaged");
    let (_c, s) = fresh("event");
    let events: i64 =
        rusqlite::Connection::open(s.join("ledger.db")).unwrap().query_row("SELECT max(seq) FROM event", [], |r| r.get(0)).unwrap();
    sql(&s, &format!("UPDATE event SET mono_us=mono_us+1 WHERE seq={}", events / 2));
    refused(&s, "does not agree with the chain");
    let (_d, s) = fresh("state");
    sql(&s, "PRAGMA ignore_check_constraints=1; UPDATE code SET state=77 WHERE id=(SELECT min(id) FROM code)");
    refused(&s, "is damaged");
    let (_e, s) = fresh("mark");
    let mark = s.join("packs/bottles.mark");
    flip(&mark, 40);
    flip(&mark, 64 + 40);
    refused(&s, "bottles.mark: both slots of a mark are damaged");
    let (_f, s) = fresh("segment's header");
    flip(&s.join("packs/bottles-0.seg"), 36);
    refused(&s, "its header does not agree with its checksum");
    // Codes are read when they are touched: then the flipped one is refused, never printed or told.
    let (_g, s) = fresh("code");
    let o = Core::open(&s, &how("before")).unwrap();
    let touched =
        o.book.codes.keys().copied().find(|c| c.pack.0 == o.book.packs.values().find(|p| p.id == "bottles").unwrap().no.0).unwrap();
    let bytes = o.codebook.bytes(touched).unwrap();
    o.core.close().unwrap();
    let seg = s.join("packs/bottles-0.seg");
    // Rows begin behind the header and end where the description begins; of the one column each has the same size.
    let header = std::fs::read(&seg).unwrap();
    let n = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap()) as usize;
    let (codes, about, rows) = (128, n(48), n(36));
    flip(&seg, codes + touched.ordinal as usize * ((about - codes) / rows));
    let o = Core::open(&s, &how("after")).unwrap();
    assert_eq!(o.codebook.bytes(touched), None);
    assert!(o.codebook.damage().unwrap().contains("bottles-0.seg is damaged (a code "), "{:?}", o.codebook.damage());
    assert!(o.codebook.resolve(&bytes).is_empty(), "nor is a scan of it taken for it");
    drop(o);
    for command in ["dump", "journal"] {
        let out = packmark(&["--store", text(&s), command]);
        assert_eq!(out.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&out.stderr).contains("bottles-0.seg is damaged (a code "));
    }
}

#[test]
fn anothers_packs_and_a_missing_segment() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (s, other) = (store(a.path(), false), store(b.path(), true));
    std::fs::rename(s.join("packs"), a.path().join("own")).unwrap();
    copy_store(&other, &a.path().join("theirs"));
    std::fs::rename(a.path().join("theirs/packs"), s.join("packs")).unwrap();
    refused(&s, "belongs to another store");
    std::fs::remove_dir_all(s.join("packs")).unwrap();
    std::fs::rename(a.path().join("own"), s.join("packs")).unwrap();
    let seg = s.join("packs/boxes-0.seg");
    let kept = std::fs::read(&seg).unwrap();
    std::fs::remove_file(&seg).unwrap();
    refused(&s, "boxes-0.seg");
    std::fs::write(&seg, &kept[..kept.len() - 8]).unwrap();
    refused(&s, "its length does not agree with its header");
    std::fs::write(&seg, &kept).unwrap();
    std::fs::remove_file(s.join("packs/bottles.mark")).unwrap();
    refused(&s, "the mark of pack bottles is gone");
}

#[test]
fn test_hooks_in_a_store_used_without_them() {
    let root = tempfile::tempdir().unwrap();
    let production = packmark::ledger::OpenHow { production: true, ..how("a") };
    Core::open(root.path(), &production).unwrap().core.close().unwrap();
    let before = content(root.path());
    let e = Core::open(root.path(), &with_hooks(how("b"), Hooks::default())).err().unwrap();
    assert!(matches!(e, OpenError::HooksRefused { .. }), "{e}");
    changed_nothing(&before, root.path(), "hooks");
}

/// The log of a killed process is read, and still nothing is touched by a refusal.
#[test]
fn a_refusal_after_a_kill_leaves_the_log_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let s = store(root.path(), true);
    assert!(std::fs::metadata(s.join("ledger.db-wal")).unwrap().len() > 0);
    std::fs::remove_file(s.join("packs/boxes-0.seg")).unwrap();
    refused(&s, "boxes-0.seg");
}
