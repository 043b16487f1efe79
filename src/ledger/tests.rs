//! The ledger against its own promises, from within: what needs its private parts. `tests/it/` looks from outside.

use super::import::{self, ImportError, ImportHow};
use super::reader::Snapshot;
use super::*;
use crate::intake;
use crate::line::rows::Life;
use crate::line::{Book, NewPack, Row};
use crate::vocab::*;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

const WALL: i64 = 1_700_000_000_000_000;
const DAY: i64 = 24 * 3600 * 1_000_000;
const LIMIT: Duration = Duration::from_secs(20);

fn how(boot: &str, wall_us: i64) -> OpenHow {
    OpenHow { create: true, boot: boot.into(), wall_us, ..OpenHow::default() }
}

/// Every boot has its own name.
fn open(dir: &Path) -> Opened {
    static BOOTS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let n = BOOTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Core::open(dir, &how(&format!("b{n}"), WALL)).unwrap_or_else(|e| panic!("{e}"))
}

fn submit(book: &mut Book, wall_us: i64, events: Vec<Event>) -> Submission {
    events.iter().for_each(|e| book.apply(e));
    Submission { now: Now::new(1, wall_us), events, rows: book.take_rows() }
}

fn accept(o: &mut Opened, pack: &NewPack) {
    let s = submit(&mut o.book, WALL, pack.events());
    o.core.commit(&[s]).unwrap();
    o.codebook.register(pack.row()).unwrap();
}

fn file(dir: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let p = dir.join(name);
    std::fs::write(&p, text).unwrap();
    p
}

fn import_how(no: u32, id: &str) -> ImportHow {
    let (level, product) = ("bottle".into(), "P1".into());
    ImportHow { no: PackNo(no), id: id.into(), level, product, ..ImportHow::default() }
}

/// Imports files of one code a line.
fn prepare(o: &Opened, files: &[PathBuf], how: &ImportHow) -> Result<NewPack, ImportError> {
    import::prepare(&o.codebook, &mut *intake::lines(files.to_vec()), how)
}

fn codes(o: &Opened, no: u32, count: u32) -> Vec<String> {
    (0..count).map(|n| String::from_utf8(o.codebook.bytes(CodeRef::new(PackNo(no), n)).unwrap()).unwrap()).collect()
}

#[test]
fn import_takes_a_code_a_line_and_trims_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut o = open(&dir.path().join("s"));
    let a = file(dir.path(), "a.txt", b"\xef\xbb\xbfone\r\n\r\n two \nGS\x1dhere\n\n");
    let b = file(dir.path(), "b.txt", "last, \"as it is\"");
    let pack = prepare(&o, &[a.clone(), b.clone()], &import_how(1, "x")).unwrap();
    let mut whole = std::fs::read(a).unwrap();
    whole.extend(std::fs::read(b).unwrap());
    let crate::vocab::event::Origin::Segments { sha256 } = &pack.origin else { panic!("a file's pack is segments") };
    assert_eq!(sha256[..], <sha2::Sha256 as sha2::Digest>::digest(&whole)[..], "of the files' bytes in order");
    accept(&mut o, &pack);
    assert_eq!(codes(&o, 1, pack.count), ["one", " two ", "GS\u{1d}here", "last, \"as it is\""]);
}

#[test]
fn a_packs_purpose_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("s");
    let mut o = open(&store);
    let f = file(dir.path(), "a.txt", "one\n");
    let how = |purpose: &str| ImportHow { purpose: Some(purpose.into()), ..import_how(1, "x") };
    let prepare = |how| prepare(&o, std::slice::from_ref(&f), &how);
    for bad in ["", "two\nlines", &"防".repeat(43)] {
        assert!(matches!(prepare(how(bad)), Err(ImportError::Purpose)), "{bad:?}");
    }
    let pack = prepare(how("防伪")).unwrap();
    accept(&mut o, &pack);
    o.core.close().unwrap();
    let snapshot = Snapshot::open(&store).unwrap();
    assert_eq!(snapshot.pack_list().unwrap()[0]["purpose"], "防伪");
    drop(snapshot);
    assert_eq!(open(&store).book.packs[&PackNo(1)].purpose.as_deref(), Some("防伪"));
}

#[test]
fn a_store_without_purposes_is_read_and_then_brought_up() {
    let mut c = Connection::open_in_memory().unwrap();
    c.execute_batch(schema::MIGRATIONS[0]).unwrap();
    c.pragma_update(None, "user_version", 1).unwrap();
    let origin = crate::vocab::event::Origin::Segments { sha256: [1; 32] };
    let body = postcard::to_stdvec(&origin).unwrap();
    c.execute("INSERT INTO pack VALUES(1,'p1','bottle','P1',7,?1,3)", [body]).unwrap();
    let old = load::packs(&c).unwrap();
    assert_eq!((old[0].count, old[0].next, &old[0].purpose), (7, 3, &None));
    schema::migrate(&mut c).unwrap();
    assert_eq!(load::packs(&c).unwrap(), old);
}

#[test]
fn a_store_of_the_second_schema_is_read_and_then_brought_up() {
    let mut c = Connection::open_in_memory().unwrap();
    c.execute_batch(&schema::MIGRATIONS[..2].concat()).unwrap();
    c.pragma_update(None, "user_version", 2).unwrap();
    let origin = crate::vocab::event::Origin::Segments { sha256: [1; 32] };
    let body = postcard::to_stdvec(&origin).unwrap();
    c.execute("INSERT INTO pack VALUES(1,'p1','bottle','P1',7,?1,3,'x')", [body]).unwrap();
    let old = load::packs(&c).unwrap();
    assert_eq!((old[0].purpose.as_deref(), &old[0].expiry, old[0].used, old[0].is_closed()), (Some("x"), &None, false, false));
    schema::migrate(&mut c).unwrap();
    assert_eq!(load::packs(&c).unwrap(), old);
    for (n, fits) in [(11, true), (12, true), (10, false), (0, false)] {
        assert_eq!(c.execute("UPDATE pack SET withdrawn=?1", [n]).is_ok(), fits, "{n}");
    }
}

#[test]
fn what_is_said_of_a_pack_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("s");
    let mut o = open(&store);
    let f = file(dir.path(), "a.txt", "one\ntwo\n");
    let how = ImportHow { expiry: Some("270131".into()), used: true, ..import_how(1, "x") };
    let mut pack = import::prepare_files(&o.codebook, std::slice::from_ref(&f), &how).unwrap();
    pack.drawn = Some(crate::vocab::token::TokenRule::new("A28", 12, "{token}").unwrap());
    accept(&mut o, &pack);
    let book = o.book.clone();
    o.core.close().unwrap();
    let again = open(&store);
    assert_eq!(again.book, book);
    let row = &again.book.packs[&PackNo(1)];
    assert_eq!((row.expiry.as_deref(), row.used, row.drawn.as_ref()), (Some("2027-01-31"), true, pack.drawn.as_ref()));
    assert_eq!(row, &pack.row());
    let past = ImportHow { expiry: Some("2027-01-31".into()), today: crate::vocab::time::day("2027-02-01").unwrap(), ..import_how(2, "y") };
    let g = file(dir.path(), "b.txt", "three\n");
    assert!(matches!(import::prepare_files(&again.codebook, std::slice::from_ref(&g), &past), Err(ImportError::Expired(_))));
    let last = ImportHow { today: past.today - 1, ..past };
    import::prepare_files(&again.codebook, &[g], &last).expect("its last day");
}

#[test]
fn import_refuses_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let o = open(&dir.path().join("s"));
    let long = format!("ok\n{}\n", "x".repeat(crate::vocab::code::MAX_CODE_LEN + 1));
    for (text, says) in [
        (&b"ok\nno\x04w\n"[..], "a.txt line 2: the code holds a control byte"),
        (long.as_bytes(), "a.txt line 2: the code has"),
        (b"\n\r\n", "the files hold no code"),
        (b"same\nother\nsame\n", "a.txt line 3 stands at"),
    ] {
        let f = file(dir.path(), "a.txt", text);
        let e = prepare(&o, &[f], &import_how(1, "x")).unwrap_err().to_string();
        assert!(e.contains(says), "{says}: {e}");
        assert!(e.contains("nothing was imported"), "{e}");
    }
    assert_eq!(std::fs::read_dir(dir.path().join("s/packs")).unwrap().count(), 0, "nothing was left behind");
}

#[test]
fn ids_of_packs() {
    let mut book = Book::default();
    let id = |book: &Book, wanted: Option<&str>| import::pack_id(book, wanted);
    assert_eq!(id(&book, None).unwrap(), "p1");
    for bad in ["", "a b", "ö", "range-case", "a/b", &"x".repeat(65)] {
        assert!(matches!(id(&book, Some(bad)), Err(ImportError::BadId(_))), "{bad}");
    }
    assert_eq!(id(&book, Some("A-1._z")).unwrap(), "A-1._z");
    for (no, name) in [(1, "p2"), (2, "x")] {
        let origin = crate::vocab::event::Origin::Segments { sha256: [0; 32] };
        let (level, product) = ("bottle".to_string(), "P1".to_string());
        book.apply(&Event::PackAccepted { pack: PackNo(no), id: name.into(), level, product, count: 1, origin });
    }
    assert_eq!(id(&book, None).unwrap(), "p3");
    assert!(matches!(id(&book, Some("x")), Err(ImportError::IdInUse(_))));
}

#[test]
fn a_ranges_number_may_not_come_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut o = open(&dir.path().join("s"));
    let rule = crate::vocab::sscc::RangeRule::Sscc { prefix: "6901234".into(), extension: 0, start: 1 };
    let number = rule.code(41).unwrap();
    let origin = crate::vocab::event::Origin::Range(rule);
    let (id, level, product) = ("range-case".into(), "case".into(), "*".into());
    let range = NewPack { id, level, product, ..NewPack::new(PackNo(1), 1000, origin) };
    accept(&mut o, &range);
    let mut text = b"https://t/1\n".to_vec();
    text.extend([&b"00"[..], &number].concat());
    let f = file(dir.path(), "a.txt", text);
    let e = prepare(&o, &[f], &import_how(2, "x")).unwrap_err().to_string();
    assert!(e.contains("line 2 is a number of range-case"), "{e}");
}

#[test]
fn what_an_import_left_half_done_is_swept_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("s");
    let mut o = open(&store);
    let f = file(dir.path(), "a.txt", "a\nb\n");
    let kept = prepare(&o, std::slice::from_ref(&f), &import_how(1, "kept")).unwrap();
    accept(&mut o, &kept);
    let g = file(dir.path(), "b.txt", "c\nd\n");
    // Killed after the files stood and before the commit; and killed in the middle of writing.
    prepare(&o, std::slice::from_ref(&g), &import_how(2, "half")).unwrap();
    std::fs::write(store.join("packs/other-0.seg.tmp"), b"half a header").unwrap();
    std::fs::write(store.join("packs/other.index.spool"), b"entries").unwrap();
    assert!(store.join("packs/half-0.seg").exists());
    drop(o);
    let o = open(&store);
    let gone = ["half-0.seg", "other-0.seg.tmp", "other.index.spool"];
    gone.iter().for_each(|n| assert!(!store.join("packs").join(n).exists(), "{n}"));
    assert_eq!(codes(&o, 1, 2), ["a", "b"]);
    prepare(&o, &[g], &import_how(2, "half")).expect("its codes are free again");
}

#[test]
fn stored_numbers_are_the_enums_numbers() {
    let mut c = Connection::open_in_memory().unwrap();
    schema::migrate(&mut c).unwrap();
    let takes = |sql: &str, n: u8| {
        let done = c.execute(sql, [n]).is_ok();
        c.execute_batch("DELETE FROM code; DELETE FROM parent; DELETE FROM job").unwrap();
        done
    };
    for n in 0..=u8::MAX {
        let state = takes("INSERT INTO code VALUES(1,?1,NULL,0,0,0,0,0,0)", n);
        assert_eq!(state, ItemState::from_number(n).is_some(), "item state {n}");
        let reason = takes("INSERT INTO code VALUES(1,0,?1,0,0,0,0,0,0)", n);
        assert_eq!(reason, Reason::from_number(n).is_some(), "reason {n}");
        let parent = takes("INSERT INTO parent VALUES(1,0,0,0,NULL,?1,0)", n);
        assert_eq!(parent, ParentState::from_number(n).is_some(), "parent state {n}");
        let job = takes("INSERT INTO job VALUES(1,'','','',NULL,NULL,?1,x'',0)", n);
        assert_eq!(job, JobState::from_number(n).is_some(), "job state {n}");
    }
}

#[test]
fn hot_statements_go_by_a_key() {
    let mut c = Connection::open_in_memory().unwrap();
    schema::migrate(&mut c).unwrap();
    let plan = |sql: &str| -> String {
        let mut s = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let n = s.parameter_count();
        let rows = s.query_map(rusqlite::params_from_iter(vec![1i64; n]), |r| r.get::<_, String>(3)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    for (sql, key) in [
        (schema::EVENTS_AFTER, "INTEGER PRIMARY KEY"),
        (schema::EVENTS_WITH_ANCHORS, "INTEGER PRIMARY KEY"),
        (schema::LAST_ANCHOR, "INTEGER PRIMARY KEY"),
        (schema::CODES_AFTER, "INTEGER PRIMARY KEY"),
        (schema::CODE_BY_ID, "INTEGER PRIMARY KEY"),
        (schema::PARENTS_AFTER, "INTEGER PRIMARY KEY"),
        (schema::PARENT_BY_NO, "INTEGER PRIMARY KEY"),
        (schema::PARENT_LEVEL, "INTEGER PRIMARY KEY"),
        (schema::STATES_OF_PACK, "INTEGER PRIMARY KEY"),
        (schema::TOUCHED, "INTEGER PRIMARY KEY"),
        (schema::CHILDREN, "INDEX code_parent"),
        (schema::PARENT_BY_CODE, "INDEX parent_code"),
        (schema::QUEUE_CLEAR, "PRIMARY KEY"),
        (schema::FORGET, "PRIMARY KEY"),
        (schema::META, "PRIMARY KEY"),
    ] {
        let p = plan(sql);
        assert!(p.contains(key) && !p.contains("SCAN"), "{sql}: {p}");
    }
    for sql in [schema::EVENT, schema::CODE, schema::PARENT, schema::JOB, schema::LEASE, schema::STATION, schema::LINE, schema::HEAD] {
        assert!(!plan(sql).contains("SCAN"), "{sql}");
    }
}

#[test]
fn answers_are_kept_seven_days_or_ten_thousand_whichever_is_more() {
    let dir = tempfile::tempdir().unwrap();
    let answered = |n: i64| Event::Answered { key: format!("k{n:05}"), answer: "{}".into() };
    let mut o = Core::open(dir.path(), &how("a", WALL)).unwrap();
    let batch: Vec<Submission> = (0..10_005).map(|n| submit(&mut o.book, WALL + n, vec![answered(n)])).collect();
    o.core.commit(&batch).unwrap();
    let folded = o.book.clone();
    o.core.close().unwrap();
    let soon = Core::open(dir.path(), &how("b", WALL + 6 * DAY)).unwrap();
    assert_eq!(soon.book, folded, "younger than seven days");
    drop(soon);
    let early = Core::open(dir.path(), &how("c", WALL - DAY)).unwrap();
    assert_eq!(early.book.answers.len(), 10_005, "a clock that went back forgets nothing");
    drop(early);
    let mut late = Core::open(dir.path(), &how("d", WALL + 8 * DAY)).unwrap();
    assert_eq!(late.book.answers.len(), 10_000, "the newest ten thousand stay");
    assert!(!late.book.answers.contains_key("k00004") && late.book.answers.contains_key("k00005"));
    // Newer ones push the old out; none of the newer goes.
    let batch: Vec<Submission> = (20_000..20_100).map(|n| submit(&mut late.book, WALL + 8 * DAY + n, vec![answered(n)])).collect();
    late.core.commit(&batch).unwrap();
    drop(late);
    let later = Core::open(dir.path(), &how("e", WALL + 9 * DAY)).unwrap();
    assert_eq!(later.book.answers.len(), 10_000);
    assert!(later.book.answers.contains_key("k20000") && !later.book.answers.contains_key("k00104"));
    let mut again = Book::default();
    Snapshot::open(dir.path()).unwrap().events(0, &mut |_, e| again.apply(e)).unwrap();
    assert_eq!(again, later.book, "the fold forgets the same");
}

fn writer(hooks: Hooks) -> (tempfile::TempDir, Writer, Receiver<Outcome>) {
    let dir = tempfile::tempdir().unwrap();
    let o = Core::open(dir.path(), &OpenHow { hooks: Some(hooks), ..how("a", WALL) }).unwrap();
    let (tell, told) = sync_channel(100_000);
    let writer = Writer::start(o.core, move |outcome| tell.send(outcome).unwrap());
    (dir, writer, told)
}

fn named(n: u8) -> Submission {
    let e = Event::Answered { key: format!("{n}"), answer: "{}".into() };
    Submission { now: Now::new(1, WALL), events: vec![e], rows: Vec::new() }
}

#[test]
fn the_writer_commits_for_who_waits_and_by_itself_for_who_does_not() {
    let (_dir, w, told) = writer(Hooks::default());
    w.submit(1, false, named(1)).unwrap();
    w.submit(2, false, named(2)).unwrap();
    w.submit(3, true, named(3)).unwrap();
    let mut at = 0;
    while at < 3 {
        let Outcome::Committed { ticket, seq } = told.recv_timeout(LIMIT).unwrap() else { panic!("a commit") };
        assert_eq!(seq, ticket, "one event a ticket, in order");
        at = ticket;
    }
    w.submit(4, false, named(4)).unwrap();
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), Outcome::Committed { ticket: 4, seq: 4 }, "nobody waits, and still");
    assert_eq!(w.stats(), (0, 0));
    w.submit(5, false, named(5)).unwrap();
    w.stop().unwrap();
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), Outcome::Committed { ticket: 5, seq: 5 }, "drained at the end");
}

#[test]
fn a_full_queue_says_so_and_loses_nothing_it_took() {
    let (dir, w, told) = writer(Hooks { commit_stall_ms: 100, ..Hooks::default() });
    let mut taken = 0;
    while w.submit(taken + 1, true, named(0)).is_ok() {
        taken += 1;
        assert!(taken < 100_000, "the queue is bounded");
    }
    assert!(w.stats().0 >= 8_000);
    w.stop().unwrap();
    let last = told.iter().last().unwrap();
    assert_eq!(last, Outcome::Committed { ticket: taken, seq: taken });
    assert_eq!(Snapshot::open(dir.path()).unwrap().head().unwrap().0, taken);
}

#[test]
fn a_failure_is_told_once_and_nothing_is_written_after_it() {
    let (dir, w, told) = writer(Hooks { commit_fail_after: Some(1), ..Hooks::default() });
    w.submit(1, true, named(1)).unwrap();
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), Outcome::Committed { ticket: 1, seq: 1 });
    let before = content(dir.path());
    w.submit(2, true, named(2)).unwrap();
    let Outcome::Failed(sentence) = told.recv_timeout(LIMIT).unwrap() else { panic!("a failure") };
    assert!(sentence.contains("the disk is full"), "{sentence}");
    assert!(matches!(told.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected)), "told once, and the thread is over");
    // Whether it is still taken in the moment of the failure or not, it is not written.
    let _ = w.submit(3, true, named(3));
    assert!(w.stop().unwrap_err().contains("the disk is full"));
    let mut after = content(dir.path());
    // The lock names nobody once the process lets go of it; everything else is as it was.
    let (mine, left) = (before.iter().find(|f| f.0.ends_with("lock")).unwrap(), after.iter_mut().find(|f| f.0.ends_with("lock")).unwrap());
    assert!(left.1.is_empty());
    left.1.clone_from(&mine.1);
    assert!(before == after, "nothing was written after the failure");
}

/// Every file below, with its bytes.
fn content(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    for e in std::fs::read_dir(dir).unwrap() {
        let p = e.unwrap().path();
        if p.is_dir() { out.extend(content(&p)) } else { out.push((p.clone(), std::fs::read(&p).unwrap())) }
    }
    out.sort();
    out
}

#[test]
fn the_chain_shows_where_it_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let mut o = open(dir.path());
    // Beyond an anchor, so that a start sees damage after it, and an audit also before.
    let batch: Vec<Submission> = (0..4_200).map(|n| named((n % 250) as u8)).collect();
    o.core.commit(&batch).unwrap();
    o.core.close().unwrap();
    assert_eq!(Snapshot::open(dir.path()).unwrap().verify_chain().unwrap(), None);
    let change = |sql: &str| Connection::open(dir.path().join("ledger.db")).unwrap().execute_batch(sql).unwrap();
    let breaks = || Snapshot::open(dir.path()).unwrap().verify_chain().unwrap();
    let refused = || Core::open(dir.path(), &how("z", WALL)).err().map(|e| e.to_string());
    change("UPDATE event SET wall_us=wall_us+1 WHERE seq=7");
    assert_eq!(breaks(), Some(4_096), "the anchor after it does not agree");
    change("UPDATE event SET wall_us=wall_us-1 WHERE seq=7");
    assert_eq!(breaks(), None);
    change("UPDATE event SET body=CAST(body||x'00' AS BLOB) WHERE seq=4150");
    assert_eq!(breaks(), Some(4_200));
    let e = refused().unwrap();
    assert!(e.contains("does not agree with the chain") && e.contains("damaged"), "{e}");
    change("DELETE FROM event WHERE seq=4150");
    assert_eq!(breaks(), Some(4_150), "an event is gone");
}

#[test]
fn a_reader_beside_a_writer_sees_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let mut o = open(dir.path());
    let f = file(dir.path(), "a.txt", (0..6_000).map(|n| format!("c{n:06}\n")).collect::<String>());
    let pack = prepare(&o, &[f], &import_how(1, "x")).unwrap();
    accept(&mut o, &pack);
    let state = |n: u32, state| Row::Code(CodeRef::new(PackNo(1), n), Life::new(state, JobNo(0)));
    let write = |o: &mut Opened, s: ItemState| {
        let rows = (0..6_000).map(|n| state(n, s)).collect();
        o.core.commit(&[Submission { now: Now::new(1, WALL), events: vec![Event::Stopped], rows }]).unwrap();
    };
    write(&mut o, ItemState::Verified);
    let snapshot = Snapshot::open(dir.path()).unwrap();
    let mut seen = 0;
    let mut core = Some(o);
    snapshot
        .dump(&mut |v| {
            // While the pages are read, everything changes.
            if seen == 10 {
                write(core.as_mut().unwrap(), ItemState::Rejected);
            }
            if v["k"] == "code" {
                assert_eq!(v["state"], "verified", "line {seen}");
                seen += 1;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, 6_000);
    let mut now = 0;
    Snapshot::open(dir.path())
        .unwrap()
        .dump(&mut |v| {
            now += usize::from(v["state"] == "rejected");
            Ok(())
        })
        .unwrap();
    assert_eq!(now, 6_000);
}

#[test]
fn a_statement_that_takes_too_long_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).core.close().unwrap();
    let s = Snapshot::open(dir.path()).unwrap();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n";
    let e = s.statement(endless).unwrap().query_row([], |r| r.get::<_, i64>(0)).unwrap_err();
    assert_eq!(e.sqlite_error_code(), Some(rusqlite::ErrorCode::OperationInterrupted));
    s.statement("SELECT count(*) FROM event").unwrap().query_row([], |r| r.get::<_, i64>(0)).expect("the next one has its own limit");
}
