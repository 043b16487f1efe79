//! rebuild(tables) = fold(journal), at every commit, after a crash at every step.

use crate::driven::{Driven, copy_store, fold, how, stored_events};
use packmark::ledger::Core;
use packmark::line::Book;
use packmark::vocab::{ItemState, PackMl};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A folder for many small syncs: in memory where there is such a place.
fn quick_dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn after_a_crash_at_every_step_the_tables_are_the_fold_of_the_journal() {
    let root = quick_dir();
    let steps: Arc<Mutex<Vec<Book>>> = Arc::default();
    let (base, seen) = (root.path().to_path_buf(), steps.clone());
    let watch = move |dir: &Path, book: &Book| {
        let mut steps = seen.lock().unwrap();
        copy_store(dir, &base.join(format!("cut{}", steps.len())));
        steps.push(book.clone());
    };
    let mut d = Driven::start(&root.path().join("s"), Some(Box::new(watch)));
    d.shift();
    d.complete();
    let book = d.line.book().clone();
    assert!(book.codes.values().filter(|l| l.state == ItemState::Packed).count() >= 6, "four bottles, two boxes");
    drop(d);
    let steps = std::mem::take(&mut *steps.lock().unwrap());
    assert!(steps.len() > 30, "{} steps", steps.len());
    for (k, book) in steps.iter().enumerate() {
        let cut = root.path().join(format!("cut{k}"));
        let o = Core::open(&cut, &how("second")).unwrap_or_else(|e| panic!("step {k}: {e}"));
        assert_eq!(o.book, *book, "step {k}: what was committed is what is loaded");
        assert_eq!(o.book, fold(&stored_events(&cut)), "step {k}");
        if k % 3 == 0 {
            let mut again = Driven::boot(&cut, o, None);
            again.connect();
            again.settle(2_000);
            let resent: Vec<_> = again.sent.iter().filter(|c| !matches!(book.state(**c), ItemState::Pooled | ItemState::Leased)).collect();
            assert!(resent.is_empty(), "step {k}: sent once and again {resent:?}");
            let now = again.line.book().clone();
            drop(again);
            assert_eq!(now, fold(&stored_events(&cut)), "step {k}, the next boot");
            let third = Core::open(&cut, &how("third")).unwrap_or_else(|e| panic!("step {k}: {e}"));
            assert_eq!(third.book, now, "step {k}, the boot after");
        }
        std::fs::remove_dir_all(cut).unwrap();
    }
}

#[test]
fn an_orderly_end_and_a_new_start_change_nothing() {
    let root = quick_dir();
    let mut d = Driven::start(&root.path().join("s"), None);
    d.shift();
    d.complete();
    assert_eq!(d.line.book().line.state, PackMl::Complete);
    let book = d.line.book().clone();
    let dir = d.dir.clone();
    d.core.close().unwrap();
    let o = Core::open(&dir, &how("second")).unwrap();
    assert_eq!(o.book, book);
    assert!(o.restored.is_empty());
    o.core.close().unwrap();
}
