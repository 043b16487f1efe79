//! The import against its promises: every duplicate, every byte, nothing left behind.

use super::super::segment::{BLOCK, Hasher, Segment};
use super::*;
use crate::intake::{Column, Row, printable};
use crate::ledger::{Core, OpenHow, Opened, Submission};
use crate::line::{Mark, Reading};
use crate::vocab::report::{Field, Frame};
use crate::vocab::rng::Rng;
use crate::vocab::{CodeRef, Event, Now};
use proptest::prelude::*;
use std::path::Path;

/// Rows that are made as they are asked for.
struct Delivery {
    columns: Vec<Column>,
    files: Vec<PathBuf>,
    next: u64,
    rows: u64,
    make: Box<dyn Fn(u64) -> Vec<Vec<u8>>>,
}

impl Rows for Delivery {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn files(&self) -> &[PathBuf] {
        &self.files
    }

    fn next_row(&mut self, row: &mut Row) -> Result<bool, Fault> {
        if self.next == self.rows {
            return Ok(false);
        }
        row.clear();
        (self.make)(self.next).iter().for_each(|c| row.push(c));
        self.next += 1;
        (row.file, row.line) = (0, self.next);
        Ok(true)
    }

    fn sha256(&self) -> [u8; 32] {
        [1; 32]
    }
}

fn delivery(name: &str, columns: &[(&str, Option<&str>)], rows: u64, make: impl Fn(u64) -> Vec<Vec<u8>> + 'static) -> Delivery {
    let column = |(purpose, level): &(&str, Option<&str>)| Column { purpose: (*purpose).into(), level: level.map(Into::into) };
    Delivery { columns: columns.iter().map(column).collect(), files: vec![name.into()], next: 0, rows, make: Box::new(make) }
}

fn plain(name: &str, rows: u64, make: impl Fn(u64) -> Vec<u8> + 'static) -> Delivery {
    delivery(name, &[("", None)], rows, move |n| vec![make(n)])
}

struct Store {
    root: tempfile::TempDir,
    opened: Option<Opened>,
    hasher: Hasher,
    capacity: u32,
}

impl Store {
    fn new(bits: u32, capacity: u32) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut opened = open(root.path());
        opened.codebook.hasher.bits = bits;
        let hasher = opened.codebook.hasher();
        Self { root, opened: Some(opened), hasher, capacity }
    }

    fn book(&self) -> &Codebook {
        &self.opened.as_ref().unwrap().codebook
    }

    fn reopen(&mut self) {
        self.opened.take().unwrap().core.close().unwrap();
        self.opened = Some(open(self.root.path()));
    }

    fn prepare(&self, rows: &mut Delivery, how: &ImportHow) -> Result<NewPack, ImportError> {
        prepare_with(self.book(), self.hasher, self.capacity, rows, how)
    }

    fn accept(&mut self, pack: &NewPack) {
        let o = self.opened.as_mut().unwrap();
        let events = pack.events();
        events.iter().for_each(|e| o.book.apply(e));
        let rows = o.book.take_rows();
        o.core.commit(&[Submission { now: Now::new(1, 1), events, rows }]).unwrap();
        pack.rows().into_iter().for_each(|r| o.codebook.register(r).unwrap());
    }

    fn import(&mut self, no: u32, mut rows: Delivery) -> NewPack {
        let pack = self.prepare(&mut rows, &how(no)).unwrap_or_else(|e| panic!("{e}"));
        self.accept(&pack);
        pack
    }

    /// Names in the packs folder that end so.
    fn files(&self, ending: &str) -> Vec<String> {
        let dir = std::fs::read_dir(self.root.path().join("packs")).unwrap();
        dir.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|n| n.ends_with(ending)).collect()
    }
}

fn open(dir: &Path) -> Opened {
    static BOOTS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let boot = format!("b{}", BOOTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    Core::open(dir, &OpenHow { create: true, boot, wall_us: 1, ..OpenHow::default() }).unwrap_or_else(|e| panic!("{e}"))
}

fn how(no: u32) -> ImportHow {
    ImportHow { no: PackNo(no), id: format!("x{no}"), level: "bottle".into(), product: "P1".into(), ..ImportHow::default() }
}

fn skipping(no: u32) -> ImportHow {
    ImportHow { skip_duplicates: true, ..how(no) }
}

fn token(n: u64) -> Vec<u8> {
    // A bijection of 64 bits in letters, so that all differ and nothing is in order.
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (0..20)
        .map(|i| {
            let c = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"[(x % 54) as usize];
            x = x / 54 + if i == 11 { n } else { 0 };
            c
        })
        .collect()
}

/// Every one of a re-imported pack's codes is found, with a whole hash and with one so narrow that every run holds
/// strangers; across segments of both packs.
#[test]
fn every_duplicate_is_found() {
    for (bits, rows, capacity) in [(40, 1_000_000, 400_000), (16, 1_000_000, 400_000), (16, 30_000, 1 << 24)] {
        let mut s = Store::new(bits, capacity);
        s.import(1, plain("first.txt", rows, token));
        // All of them in another order, and one that is new.
        let again = move |n| if n == 777 { b"new".to_vec() } else { token((n * 7_919 + 13) % rows) };
        let pack = s.prepare(&mut plain("again.txt", rows, again), &skipping(2)).unwrap();
        assert_eq!((pack.count, pack.skipped.within, pack.skipped.earlier), (1, 0, rows as u32 - 1), "{bits} bits");
        assert_eq!(pack.skipped.named.len(), 10);
        assert!(pack.skipped.named.iter().all(|n| n.starts_with("again.txt line ") && n.contains(" is in pack x1 already (its code ")));
        s.accept(&pack);
        assert_eq!(s.book().bytes(CodeRef::new(PackNo(2), 0)).unwrap(), b"new");
        let journal = s.opened.as_ref().unwrap().core.last_seq();
        assert!(journal >= 3, "the pack, and what was left out");
    }
}

#[test]
fn duplicates_inside_are_found_across_segments() {
    for bits in [40, 16] {
        let s = Store::new(bits, 7_000);
        // Each code comes twice, far apart.
        let twice = |n| token(n % 25_000);
        let pack = s.prepare(&mut plain("a.txt", 50_000, twice), &skipping(1)).unwrap();
        assert_eq!((pack.count, pack.skipped.within, pack.skipped.earlier), (25_000, 25_000, 0));
        assert!(pack.skipped.named.iter().all(|n| n.contains(" stands at a.txt line ")), "{:?}", pack.skipped.named);
        let e = s.prepare(&mut plain("a.txt", 50_000, twice), &how(2)).unwrap_err().to_string();
        assert_eq!((e.matches("a.txt line ").count(), e.matches(" stands at ").count()), (20, 10), "{e}");
        assert!(e.contains("and perhaps more") && e.contains("nothing was imported"), "{e}");
    }
}

#[test]
fn both_places_are_named() {
    let mut s = Store::new(16, 1 << 24);
    s.import(1, plain("first.txt", 100_000, token));
    let mut rng = Rng::new(7);
    for round in 0..100 {
        let (old, at) = (rng.below(100_000), rng.below(50));
        let mut rows = plain("/somewhere/again.txt", 50, move |n| token(if n == at { old } else { 1_000_000 + round * 100 + n }));
        let e = s.prepare(&mut rows, &how(2)).unwrap_err().to_string();
        let says = format!("/somewhere/again.txt line {} is in pack x1 already (its code {n}, first.txt line {n})", at + 1, n = old + 1);
        assert!(e.contains(&says) && e.matches("already").count() == 1, "{says}: {e}");
    }
    assert!(s.files(".tmp").is_empty() && s.files(".spool").is_empty());
    assert_eq!(s.files(".seg"), ["x1-0.seg"]);
    s.import(2, plain("new.txt", 100_000, |n| token(200_000 + n)));
}

/// A pack that was here before is refused after its first rows, not after all of them.
#[test]
fn a_known_pack_is_refused_at_once() {
    let mut s = Store::new(40, 1 << 24);
    s.import(1, plain("first.txt", 20_000, token));
    let mut rows = plain("again.txt", 1_000_000_000, |n| token(n % 20_000));
    let e = s.prepare(&mut rows, &how(2)).unwrap_err().to_string();
    assert!(e.contains("again.txt line 1 is in pack x1 already (its code 1, first.txt line 1)"), "{e}");
    // A few batches are read ahead.
    assert!(rows.next <= 60_000, "{} rows were read", rows.next);
    let e = s.prepare(&mut plain("again.txt", 20_000, token), &skipping(2)).unwrap_err();
    assert!(matches!(e, ImportError::NothingNew(20_000)), "{e}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever its codes are, they come back, and each is found by a scan.
    #[test]
    fn codes_come_back_byte_for_byte(
        codes in prop_oneof![
            prop::collection::hash_set(prop::collection::vec(5u8..=255, 1..40), 1..400),
            prop::collection::hash_set(prop::collection::vec(prop::sample::select(b"0123456789ABCDEFab".to_vec()), 12), 1..400),
            prop::collection::hash_set("https://q\\.example/[A-Za-z0-9_-]{9}\\?s=1".prop_map(String::into_bytes), 1..400),
            prop::collection::hash_set("0106901234567892[2]1[!-z]{13}\u{1d}91[A-Z0-9]{4}\u{1d}92[A-Za-z0-9+/]{43}=".prop_map(String::into_bytes), 1..200),
        ],
        capacity in 1u32..500,
    ) {
        let mut seen = std::collections::HashSet::new();
        let fit = |c: &Vec<u8>| printable(c).is_ok() && seen.insert(KeyRule::Identity.key(c));
        let codes: Vec<Vec<u8>> = codes.into_iter().filter(fit).collect();
        prop_assume!(!codes.is_empty());
        let mut s = Store::new(40, capacity);
        let all = codes.clone();
        let pack = s.import(1, plain("a.txt", codes.len() as u64, move |n| all[n as usize].clone()));
        prop_assert_eq!(pack.count as usize, codes.len());
        for (n, c) in codes.iter().enumerate() {
            let code = CodeRef::new(PackNo(1), n as u32);
            prop_assert_eq!(s.book().bytes(code), Some(c.clone()));
            let hits = s.book().resolve(c);
            prop_assert!(hits.len() == 1 && hits[0].code == code && hits[0].exact);
        }
        prop_assert_eq!(s.book().damage(), None);
    }
}

#[test]
fn a_row_of_twins_is_one_item() {
    let mut s = Store::new(40, 1_000);
    let columns = [("", None), ("盖内", None), ("cap-outside", None)];
    let row = |n: u64| vec![token(n), format!("in{n}").into_bytes(), format!("https://o.example/{n:05}").into_bytes()];
    let pack = s.import(1, delivery("t.csv", &columns, 2_500, row));
    assert_eq!(pack.count, 2_500);
    s.reopen();
    for n in [0, 999, 1_000, 2_499] {
        let code = CodeRef::new(PackNo(1), n as u32);
        for (c, bytes) in row(n).into_iter().enumerate() {
            let hits = s.book().resolve(&bytes);
            assert_eq!(hits.len(), 1);
            assert_eq!((hits[0].code, hits[0].column, hits[0].exact), (code, c as u8, true));
        }
        assert_eq!(s.book().bytes(code).unwrap(), token(n));
        let all: Vec<(String, Vec<u8>)> = columns.iter().map(|c| c.0.to_string()).zip(row(n)).collect();
        assert_eq!(s.book().codes(code), all);
    }
    // Each names the item; what that is worth is the line's to say.
    let [own, cap, _] = row(7).try_into().expect("three codes");
    let frame = Frame::Data(vec![Field::Code(cap), Field::Code(own)]);
    let mark = |twin| Mark::Code { code: CodeRef::new(PackNo(1), 7), exact: true, twin, made_for: None, poor: false };
    assert_eq!(s.book().reading(&frame, &[], None), Reading::Data(vec![mark(true), mark(false)]));
    // Any of them is a duplicate anywhere.
    let e = s.prepare(&mut plain("new.txt", 1, |_| b"in1234".to_vec()), &how(2)).unwrap_err().to_string();
    assert!(e.contains("new.txt line 1 is in pack x1 already (its code 1235, t.csv line 1235)"), "{e}");
    let e = s.prepare(&mut delivery("d.csv", &columns[..2], 1, |_| vec![b"same".to_vec(); 2]), &how(2)).unwrap_err().to_string();
    assert!(e.contains("d.csv line 1 holds the same code twice"), "{e}");
    let crossed = |n: u64| if n == 0 { vec![b"a".to_vec(), b"b".to_vec()] } else { vec![b"c".to_vec(), b"a".to_vec()] };
    let e = s.prepare(&mut delivery("d.csv", &columns[..2], 2, crossed), &how(2)).unwrap_err().to_string();
    assert!(e.contains("d.csv line 2 stands at d.csv line 1 too"), "{e}");
}

/// Six bottles a case, four cases a pallet, the pallet first.
fn related(n: u64) -> Vec<Vec<u8>> {
    vec![format!("P{:04}", n / 24).into_bytes(), format!("C{:05}", n / 6).into_bytes(), token(n)]
}

const LEVELS: [(&str, Option<&str>); 3] = [("", Some("pallet")), ("", Some("case")), ("", Some("bottle"))];

#[test]
fn rows_of_several_levels_make_a_pack_each_and_a_relation() {
    for reversed in [false, true] {
        let mut s = Store::new(40, 100);
        let mut columns = LEVELS;
        let mut make: Box<dyn Fn(u64) -> Vec<Vec<u8>>> = Box::new(related);
        if reversed {
            columns.reverse();
            make = Box::new(|n| related(n).into_iter().rev().collect());
        }
        let pack = s.import(5, delivery("r.csv", &columns, 600, make));
        let rows: Vec<(u32, String, String, u32)> = pack.rows().into_iter().map(|r| (r.no.0, r.id, r.level, r.count)).collect();
        let row = |no, id: &str, level: &str, count| (no, id.to_string(), level.to_string(), count);
        assert_eq!(rows, [row(7, "x5-pallet", "pallet", 25), row(6, "x5-case", "case", 100), row(5, "x5", "bottle", 600)]);
        s.reopen();
        for n in [0, 5, 6, 23, 24, 599] {
            let bottle = CodeRef::new(PackNo(5), n);
            let case = s.book().made_for(bottle).unwrap();
            let pallet = s.book().made_for(case).unwrap();
            let text = |c| String::from_utf8(s.book().bytes(c).unwrap()).unwrap();
            assert_eq!((text(case), text(pallet)), (format!("C{:05}", n / 6), format!("P{:04}", n / 24)));
            assert_eq!(s.book().made_for(pallet), None);
        }
        assert_eq!(s.files(".rel").len(), 2);
    }
}

#[test]
fn rows_of_several_levels_that_contradict_each_other() {
    let s = Store::new(40, 100);
    let refused =
        |rows: u64, make: fn(u64) -> Vec<Vec<u8>>| s.prepare(&mut delivery("r.csv", &LEVELS, rows, make), &how(1)).unwrap_err().to_string();
    // The first case comes again at the end.
    let e = refused(49, |n| {
        related(if n == 48 { 600 } else { n })
            .into_iter()
            .enumerate()
            .map(|(i, c)| if n == 48 && i == 1 { b"C00000".to_vec() } else { c })
            .collect()
    });
    assert!(e.contains("r.csv line 49 stands at r.csv line 1 too"), "{e}");
    let e = refused(10, |n| vec![format!("P{n}").into_bytes(), b"C".to_vec(), token(n)]);
    assert!(e.contains("r.csv line 2: the code of its case is that of the line before, but it stands in another pallet"), "{e}");
    let e = refused(10, |n| related(n / 2));
    assert!(e.contains("stands at r.csv line"), "{e}");
    let wrong = ImportHow { level: "case".into(), ..how(1) };
    let e = s.prepare(&mut delivery("r.csv", &LEVELS, 10, related), &wrong).unwrap_err().to_string();
    assert!(e.contains("the level of the pack, case, must be the first or the last"), "{e}");
    assert!(s.files("").is_empty(), "nothing was left behind");
}

#[test]
fn a_store_keeps_its_rule() {
    let mut s = Store::new(40, 100);
    let standard = |no| ImportHow { rule: Some(KeyRule::Standard), ..how(no) };
    let pack = s.prepare(&mut plain("a.txt", 1, |_| b"00069012340000000016".to_vec()), &standard(1)).unwrap();
    s.accept(&pack);
    let e = s.prepare(&mut plain("b.txt", 1, |_| b"b".to_vec()), &ImportHow { rule: Some(KeyRule::Identity), ..how(2) }).unwrap_err();
    assert!(matches!(e, ImportError::OtherRule { have: KeyRule::Standard, want: KeyRule::Identity }), "{e}");
    let e = s.prepare(&mut plain("b.txt", 1, |_| b"069012340000000016".to_vec()), &how(2)).unwrap_err().to_string();
    assert!(e.contains("b.txt line 1 is in pack x1 already"), "by the store's rule it is the same number: {e}");
}

/// Many small packs: look-ups go through a merged index, which is made anew when it is gone or damaged.
#[test]
fn many_packs_share_an_index() {
    let mut s = Store::new(40, 100);
    let mut next = 0;
    for no in 1..=40u32 {
        let (first, rows) = (next, 50 + u64::from(no) * 7);
        next += rows;
        s.import(no, plain("a.txt", rows, move |n| token(first + n)));
    }
    let all_found =
        |s: &Store, until: u64| (0..until).all(|n| s.book().resolve(&token(n)).len() == 1) && s.book().resolve(b"nobody").is_empty();
    assert!(all_found(&s, next));
    let indexes = s.files(".idx");
    assert!(indexes.contains(&"merged-0.idx".to_string()), "{indexes:?}");
    s.reopen();
    assert!(all_found(&s, next));
    // Damage: bytes in its middle and in its table. Nothing is missed, and the next import makes it anew.
    for at in [0.3, 0.6, 0.95] {
        let path = s.root.path().join("packs/merged-0.idx");
        let mut bytes = std::fs::read(&path).unwrap();
        let from = (bytes.len() as f64 * at) as usize;
        bytes[from..from + 40].iter_mut().for_each(|b| *b ^= 0x55);
        std::fs::write(&path, &bytes).unwrap();
        assert!(all_found(&s, next), "damaged at {at}");
        let (no, first) = (41 + (at * 100.0) as u32, next);
        next += 10;
        s.import(no, plain("a.txt", 10, move |n| token(first + n)));
        assert_ne!(std::fs::read(&path).unwrap(), bytes, "made anew");
        s.reopen();
        assert!(all_found(&s, next));
    }
    std::fs::remove_file(s.root.path().join("packs/merged-0.idx")).unwrap();
    s.reopen();
    assert!(all_found(&s, next));
    let e = s.prepare(&mut plain("again.txt", 5, |n| token(n * 400)), &how(200)).unwrap_err().to_string();
    assert_eq!(e.matches("already").count(), 5, "{e}");
}

#[test]
fn damage_is_met_and_said() {
    let mut s = Store::new(40, 1 << 24);
    s.import(1, plain("a.txt", 5_000, |n| format!("code-{n:05}").into_bytes()));
    let path = s.root.path().join("packs/x1-0.seg");
    let whole = std::fs::read(&path).unwrap();
    let store = s.book().store;
    let refusal = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Segment::open(&path, &store).err().map(|e| e.to_string())
    };
    let flipped = |at: usize| {
        let mut b = whole.clone();
        b[at] ^= 4;
        b
    };
    let about = u64::from_le_bytes(whole[48..56].try_into().unwrap()) as usize + 5;
    let sparse = whole.len() - 5_000usize.div_ceil(BLOCK) * 12;
    for (bytes, says) in [
        (whole[..100].to_vec(), "its header is short"),
        (whole[..whole.len() - 1].to_vec(), "its length does not agree"),
        (flipped(20), "its header does not agree"),
        (flipped(about), "its description does not agree"),
        (flipped(sparse + 3), "its sparse index does not agree"),
    ] {
        let e = refusal(&bytes).unwrap_or_default();
        assert!(e.contains(says), "{says}: {e}");
    }
    let versions = |v: u8| {
        let mut b = whole.clone();
        b[8] = v;
        let crc = crc32fast::hash(&b[..124]).to_le_bytes();
        b[124..128].copy_from_slice(&crc);
        b
    };
    assert!(refusal(&versions(3)).unwrap().contains("from before the first release"));
    assert!(refusal(&versions(5)).unwrap().contains("newer packmark"));
    // In the index: found when it is read, so that no duplicate slips through.
    assert_eq!(refusal(&flipped(sparse - 4_000)), None);
    s.reopen();
    let e = s.prepare(&mut plain("b.txt", 5_000, |n| format!("other-{n:05}").into_bytes()), &how(2)).unwrap_err().to_string();
    assert!(e.contains("its index does not agree with its checksum") && e.contains("nothing was imported"), "{e}");
    assert_eq!(s.files(".seg"), ["x1-0.seg"]);
}

#[test]
fn an_import_with_a_pace_takes_its_time_and_is_the_same() {
    let s = Store::new(40, 1 << 24);
    let paced = ImportHow { pace: Some(BytesPerSecond(20_000_000)), ..how(1) };
    let began = std::time::Instant::now();
    let pack = s.prepare(&mut plain("a.txt", 50_000, token), &paced).unwrap();
    assert_eq!(pack.count, 50_000);
    // Codes with their index: 0.75 + 0.4 MB.
    assert!(began.elapsed().as_secs_f64() > 0.05, "{:?}", began.elapsed());
}

/// Events of this room come after all others.
#[test]
fn what_was_left_out_is_in_the_journal() {
    let named = vec!["a.txt line 3 stands at a.txt line 1 too".to_string()];
    let pack = NewPack {
        skipped: Skipped { within: 1, earlier: 2, named: named.clone() },
        ..NewPack::new(PackNo(1), 1, Origin::Segments { sha256: [0; 32] })
    };
    assert_eq!(pack.events().last(), Some(&Event::DuplicatesSkipped { pack: PackNo(1), within: 1, earlier: 2, named }));
}
