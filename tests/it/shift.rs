//! The seeded shift against the auditor: 300 seeds, each with the real ledger, a crash and ordinary or hard faults; and
//! the broken rules, each of which must be noticed.
//!
//! One seed again: `PACKMARK_SEED=17 cargo test --test it shift::one_seed -- --nocapture` (add `PACKMARK_KEEP=DIR` to
//! keep its store, truth and dump).

use packmark::audit::{self, Account};
use packmark::ledger::reader::Snapshot;
use packmark::line::{Law, Sound};
use packmark::sim::example::LINE;
use packmark::sim::shift::store::OnDisk;
use packmark::sim::shift::{Shift, ShiftHow, Turn};
use packmark::sim::world::Faults;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const SEEDS: u64 = 300;

/// A folder in memory where there is one: the same pragmas, and no disk to wait for.
fn folder() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.expect("a temporary folder")
}

/// Every third seed is hard, one in ten has no faults; every one has a crash.
fn how(seed: u64) -> ShiftHow {
    let faults = match seed % 10 {
        0 => Faults::None,
        1 | 4 | 7 => Faults::Hard,
        _ => Faults::Normal,
    };
    ShiftHow { seed, bottles: 1_000, faults, crashes: 1, ..ShiftHow::default() }
}

struct Judged {
    violations: Vec<String>,
    /// Why the job did not come to its end.
    stuck: Option<String>,
    codes: i64,
    passages: i64,
}

fn shift<L: Law>(how: &ShiftHow, dir: &Path) -> Result<Judged, String> {
    let opener = OnDisk { dir: dir.join("store") };
    std::fs::create_dir_all(dir.join("store")).map_err(|e| e.to_string())?;
    let outcome = Shift::<L, _>::new(how.clone(), dir, opener)?.run()?;
    let mut dump = Vec::new();
    let mut journal = Vec::new();
    let store = dir.join("store");
    let keep = |to: &mut Vec<String>, v: serde_json::Value| {
        to.push(v.to_string());
        Ok(())
    };
    Snapshot::open(&store).and_then(|s| s.dump(&mut |v| keep(&mut dump, v))).map_err(|e| e.to_string())?;
    Snapshot::open(&store).and_then(|mut s| s.journal(0, &mut |v| keep(&mut journal, v))).map_err(|e| e.to_string())?;
    if let Ok(to) = std::env::var("PACKMARK_KEEP") {
        let to = Path::new(&to);
        std::fs::create_dir_all(to).map_err(|e| e.to_string())?;
        for (name, lines) in [("dump", &dump), ("journal", &journal), ("truth", &outcome.truth)] {
            std::fs::write(to.join(format!("{name}.ndjson")), lines.join("\n")).map_err(|e| e.to_string())?;
        }
    }
    let mut judge = audit::Judge::new();
    judge.expect_truth();
    for (account, lines) in [(Account::Dump, &dump), (Account::Journal, &journal), (Account::Truth, &outcome.truth)] {
        lines.iter().try_for_each(|l| judge.text(account, l)).map_err(|e| e.to_string())?;
    }
    let verdict = judge.finish();
    let violation = |v: &audit::Violation| {
        let (seq, hex) = (v.seq.map_or(String::new(), |s| format!(" seq {s}")), v.hex.clone().unwrap_or_default());
        format!("{}{seq} {hex}: {}", v.promise, v.text)
    };
    let violations = verdict.violations.iter().map(violation).collect();
    Ok(Judged { violations, stuck: outcome.completed.err(), codes: verdict.balance.codes, passages: verdict.balance.passages })
}

/// What was wrong with a seed, with the command that repeats it.
fn sound(seed: u64) -> Result<(), String> {
    run_sound(&how(seed), &format!("PACKMARK_SEED={seed} cargo test --test it shift::one_seed"))
}

fn run_sound(how: &ShiftHow, again: &str) -> Result<(), String> {
    let dir = folder();
    let seed = how.seed;
    let again = format!("again: {again} -- --nocapture");
    let j = std::panic::catch_unwind(|| shift::<Sound>(how, dir.path()))
        .unwrap_or_else(|_| Err("it panicked".into()))
        .map_err(|e| format!("seed {seed} did not run: {e}\n{again}"))?;
    if !j.violations.is_empty() {
        return Err(format!("seed {seed}:\n  {}\n{again}", j.violations.join("\n  ")));
    }
    if let Some(why) = j.stuck {
        return Err(format!("seed {seed}: {why}\n{again}"));
    }
    if (j.codes, j.passages) != (0, 0) {
        return Err(format!("seed {seed}: the balances do not close: codes {}, passages {}\n{again}", j.codes, j.passages));
    }
    Ok(())
}

/// Thirty seeds each, so that a runner can share them out; every one runs, whatever the others did.
macro_rules! thirty {
    ($($name:ident = $part:literal),+) => {
        $(#[test]
        fn $name() {
            let each = SEEDS / 10;
            let wrong: Vec<String> = ($part * each..($part + 1) * each).filter_map(|s| sound(s).err()).collect();
            assert!(wrong.is_empty(), "{} of {each} seeds:\n{}", wrong.len(), wrong.join("\n"));
        })+
    };
}

thirty!(seeds_0 = 0, seeds_1 = 1, seeds_2 = 2, seeds_3 = 3, seeds_4 = 4, seeds_5 = 5, seeds_6 = 6, seeds_7 = 7, seeds_8 = 8, seeds_9 = 9);

/// The example with each other label printer in the place of its own, on ordinary and on hard days.
#[test]
fn every_label_printer() {
    let mut wrong = Vec::new();
    for (i, profile) in ["sato-sbpl", "tsc-tspl", "cab-jscript", "honeywell-dpl", "godex-ezpl"].iter().enumerate() {
        for (seed, faults) in [(2, Faults::Normal), (4, Faults::Hard)] {
            let line = LINE.replace("profile = \"zebra-zpl\"", &format!("profile = \"{profile}\""));
            let how = ShiftHow { seed: 7_000 + 10 * i as u64 + seed, faults, line, ..ShiftHow::default() };
            wrong.extend(run_sound(&how, "cargo test --test it shift::every_label_printer").err().map(|e| format!("{profile}: {e}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The kill test's line (`tests/kill.rs`) on virtual time: 15 items a second, no faults but the crashes, one after another.
fn battered(seed: u64) -> ShiftHow {
    let polarity = if seed.is_multiple_of(2) { "pass" } else { "reject" };
    let line = LINE.replace("polarity = \"pass\"", &format!("polarity = \"{polarity}\""));
    ShiftHow {
        seed,
        bottles: 1_500,
        rate_per_min: 900,
        faults: Faults::None,
        crashes: 25,
        crash_within_us: Some(11_500_000),
        line,
        ..ShiftHow::default()
    }
}

#[test]
fn crash_after_crash() {
    let read = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let (from, to) = (read("PACKMARK_FROM").unwrap_or(0), read("PACKMARK_TO").unwrap_or(20));
    let wrong: Vec<String> = (from..to).filter_map(|s| run_sound(&battered(s), "crash_after_crash").err()).collect();
    assert!(wrong.is_empty(), "{} seeds:\n{}", wrong.len(), wrong.join("\n"));
}

/// Bottles and boxes that belong together; among the faults, children that change places.
fn related(seed: u64) -> ShiftHow {
    ShiftHow { related: true, ..how(seed) }
}

#[test]
fn what_was_made_for_one_box_is_in_no_other() {
    let read = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let (from, to) = (read("PACKMARK_FROM").unwrap_or(3_000), read("PACKMARK_TO").unwrap_or(3_015));
    let again = "what_was_made_for_one_box_is_in_no_other";
    let wrong: Vec<String> = (from..to).filter_map(|s| run_sound(&related(s), again).err()).collect();
    assert!(wrong.is_empty(), "{} seeds:\n{}", wrong.len(), wrong.join("\n"));
}

/// Not by standing still: without faults all is packed, and children that change places cost their two boxes.
#[test]
fn children_that_change_places_cost_their_two_boxes() {
    let dir = folder();
    let (dump, journal, _) = books(&ShiftHow { faults: Faults::None, crashes: 0, ..related(3_101) }, dir.path());
    assert!(!journal.iter().any(|v| v["k"] == "verdict" && v["good"] == false));
    let packed = |v: &&Value| v["level"] == "bottle" && v["state"] == "packed" && v["parent"] == v["made_for"];
    assert!(dump.iter().filter(packed).count() > 990);
    let dir = folder();
    let (_, journal, truth) = books(&ShiftHow { faults: Faults::Normal, crashes: 0, ..related(3_102) }, dir.path());
    let swapped = truth.iter().filter(|v| v["k"] == "inject" && v["fault"] == "children-swapped").count();
    let foreign = journal.iter().filter(|v| v["station"] == "box-pack" && v["reason"] == "foreign").count();
    assert!(swapped >= 2 && swapped == foreign, "{swapped} swapped, {foreign} boxes refused");
}

/// A module that says nothing for a while, or answers late, on TCP and on a serial line: its coils stand as they stood.
fn silent(seed: u64) -> ShiftHow {
    let turn = |knob, least_ms, most_ms| Turn { device: "io1", knob, least_ms, most_ms };
    let module = "profile = \"modbus-io\"\naddress = \"tcp://127.0.0.1:15020\"";
    assert!(LINE.contains(module));
    let line = match seed % 2 {
        0 => LINE.to_string(),
        _ => LINE.replace(module, "profile = \"modbus-rtu-io\"\naddress = \"serial://io1.tty?baud=115200\""),
    };
    let turns = vec![turn("silent", 20, 900), turn("late", 20, 700), turn("mute-next", 0, 0), turn("split", 1, 30)];
    ShiftHow { seed, bottles: 500, rate_per_min: 400, faults: Faults::Normal, crashes: 0, line, turns, ..ShiftHow::default() }
}

#[test]
fn what_passes_a_module_that_is_silent_is_named() {
    let read = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let (from, to) = (read("PACKMARK_FROM").unwrap_or(4_000), read("PACKMARK_TO").unwrap_or(4_012));
    let again = "what_passes_a_module_that_is_silent_is_named";
    let wrong: Vec<String> = (from..to).filter_map(|s| run_sound(&silent(s), again).err()).collect();
    assert!(wrong.is_empty(), "{} seeds:\n{}", wrong.len(), wrong.join("\n"));
}

/// Rejects by the pulses of an encoder instead of time.
#[test]
fn gates_that_count_pulses() {
    let line = LINE.replace("after = { ms = 400, belt = \"io1:in.5\" }", "after = { pulses = 120, encoder = \"io1:cnt.9\" }").replacen(
        "after = { ms = 600, belt = \"io1:in.5\" }",
        "after = { pulses = 180, encoder = \"io1:cnt.9\" }",
        1,
    );
    assert_eq!(line.matches("io1:cnt.9").count(), 2);
    let one = |seed| {
        let (faults, crashes) = if seed % 2 == 0 { (Faults::Normal, 1) } else { (Faults::Hard, 0) };
        let how = ShiftHow { seed, bottles: 500, rate_per_min: 400, faults, crashes, line: line.clone(), ..ShiftHow::default() };
        run_sound(&how, "gates_that_count_pulses").err()
    };
    let wrong: Vec<String> = (5_000..5_006).filter_map(one).collect();
    assert!(wrong.is_empty(), "{} seeds:\n{}", wrong.len(), wrong.join("\n"));
}

/// A shift with another item printer, described by its profile alone.
struct Commanded {
    profile: &'static str,
    settings: &'static str,
    /// An empty buffer prints the last code again; what matters then is that no second carrier passes.
    repeats: bool,
    /// It refuses a code when it is full (and says so): the same code is offered again.
    refuses: bool,
    /// What the job selects; empty: it selects nothing over the wire.
    message: &'static str,
    rate_per_min: u32,
    bottles: u64,
}

impl Commanded {
    const fn of(profile: &'static str, settings: &'static str) -> Self {
        Self { profile, settings, repeats: true, refuses: false, message: "BOTTLE", rate_per_min: 300, bottles: 240 }
    }

    /// What a printer repeats by itself stands in the truth, so the auditor passes over it; the promise is judged by hand then,
    /// against the wire, the ink and the gates: each code *left* once, and of its carriers one at most got through; every other
    /// that was read was rejected as a duplicate. On a day without faults nothing is repeated.
    fn run(self) {
        let Self { profile, settings, repeats, refuses, message, rate_per_min, bottles } = self;
        let message = if message.is_empty() { String::new() } else { format!("message = \"{message}\"") };
        let line = LINE
            .replace("profile = \"domino-codenet\"", &format!("profile = \"{profile}\""))
            .replace("message = \"BOTTLE\"", &message)
            .replace("settings = { depth = 8, ack_char = \"A\" }", &format!("settings = {settings}"));
        assert!(line.contains(profile));
        for seed in 1..=2 {
            let (faults, crashes) = if seed % 2 == 1 { (Faults::Normal, 1) } else { (Faults::None, 0) };
            let line = line.clone();
            let how = ShiftHow { seed, bottles, faults, crashes, rate_per_min, line, tapped: true, ..ShiftHow::default() };
            let (dir, name) = (folder(), format!("{profile} seed {seed}"));
            let j = shift::<Sound>(&how, dir.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(j.violations, Vec::<String>::new(), "{name}");
            assert_eq!((j.stuck, j.codes, j.passages), (None, 0, 0), "{name}");
            if repeats {
                let dir = folder();
                let (tapped, journal, truth) = tapped(&how, dir.path());
                let repeated = truth.iter().filter(|v| v["fault"] == "repeated-print").count();
                assert!(faults != Faults::None || repeated == 0, "{name}: {repeated} prints came again on a good day");
                let second = carriers(&name, &tapped, &journal, &truth, refuses);
                println!("{name}: {second} codes on more than one thing");
            }
        }
    }
}

/// Judges the carriers of every code that was inked; answers how many codes got onto a second thing.
fn carriers(name: &str, tapped: &[Vec<u8>], journal: &[Value], truth: &[Value], refuses: bool) -> usize {
    let of = |v: &Value, key: &str| v[key].as_str().unwrap_or_default().to_string();
    let mut things: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for v in truth.iter().filter(|v| v["k"] == "ink") {
        things.entry(of(v, "hex")).or_default().push(of(v, "thing"));
    }
    assert!(things.len() > 80, "{name}: {} codes inked", things.len());
    // What a fault let by, as the truth says (a flap that did not move), is the fault's.
    let done = |v: &Value, thing: &String| v["k"] == "inject" && v["thing"] == *thing && v["fault"] != "repeated-print";
    let hurt = |thing: &String| truth.iter().any(|v| done(v, thing));
    let through = |thing: &String| {
        let gate = |v: &&Value| v["k"] == "gate" && v["station"] == "bottle-check" && v["out"] == "pass" && v["thing"] == *thing;
        truth.iter().any(|v| gate(&v))
    };
    let mut second = 0;
    for (hex, carriers) in &things {
        let bytes = packmark::vocab::code::unhex(hex).expect("hex");
        // As it stands, or a character in two registers.
        let wide: Vec<u8> = bytes.iter().flat_map(|b| [0, 0, 0, *b]).collect();
        let holds = |s: &Vec<u8>, form: &[u8]| s.windows(form.len()).any(|w| w == form);
        let left = tapped.iter().filter(|s| holds(s, &bytes) || holds(s, &wide)).count();
        assert!(left == 1 || refuses && left > 1, "{name}: {hex} left {left} times");
        let sent = journal.iter().filter(|v| v["k"] == "sent" && v["hex"] == *hex).count();
        assert_eq!(sent, 1, "{name}: {hex} is in the journal as sent {sent} times");
        if carriers.len() == 1 {
            continue;
        }
        second += 1;
        let escaped = journal.iter().any(|v| v["k"] == "escaped" && v["hex"] == *hex);
        assert!(!escaped || carriers.iter().any(&hurt), "{name}: {hex} escaped");
        let passed = carriers.iter().filter(|t| through(t) && !hurt(t)).count();
        assert!(passed <= 1, "{name}: {hex} got through the gate on {passed} of {carriers:?}");
        // Read at the eye's camera: one is the code's own verdict, each other a duplicate.
        let read = |v: &&Value| v["k"] == "read" && v["reader"] == "cam1" && v["hex"] == *hex;
        let seen: BTreeSet<String> = truth.iter().filter(|v| read(v)).map(|v| of(v, "thing")).collect();
        let named = |v: &&Value| v["k"] == "verdict" && v["station"] == "bottle-check" && v["hex"] == *hex;
        let duplicates = journal.iter().filter(|v| named(v) && v["good"] == false && v["reason"] == "duplicate").count();
        let good = journal.iter().filter(|v| named(v) && v["good"] == true).count();
        assert!(good <= 1, "{name}: {hex} was good {good} times");
        if good == 1 {
            assert!(duplicates + 1 >= seen.len(), "{name}: {hex} was read on {seen:?}, and {duplicates} were called duplicates");
        }
    }
    second
}

#[test]
fn a_shift_printed_over_wsi() {
    Commanded::of("videojet-wsi", "{}").run();
}

#[test]
fn a_shift_printed_over_zipher() {
    Commanded::of("videojet-zipher", "{ depth = 4 }").run();
}

#[test]
fn a_shift_printed_one_to_one() {
    Commanded::of("bestcode-one-to-one", "{}").run();
}

#[test]
fn a_shift_printed_by_mail_records() {
    Commanded { repeats: false, ..Commanded::of("leibinger-jet", "{ depth = 8 }") }.run();
}

#[test]
fn a_shift_printed_by_keyence() {
    Commanded { message: "12", ..Commanded::of("keyence-mk", "{}") }.run();
}

/// One code at a time: the next one is in place when the last was read, 300 ms behind the head.
#[test]
fn a_shift_printed_over_ngpcl() {
    Commanded { rate_per_min: 80, bottles: 100, ..Commanded::of("markem-imaje-ngpcl", "{}") }.run();
}

#[test]
fn a_shift_printed_by_tij() {
    Commanded { message: "", ..Commanded::of("tij-66", "{ depth = 4 }") }.run();
}

/// Its driver leaves a serial Hitachi alone for 50 ms after every answer, and a code takes three of them.
#[test]
fn a_shift_printed_by_a_hitachi_that_protects_its_text() {
    Commanded { rate_per_min: 120, message: "12", ..Commanded::of("hitachi-rx-protected", "{}") }.run();
}

#[test]
fn a_shift_printed_by_a_hitachi_that_says_what_it_printed() {
    Commanded { rate_per_min: 120, message: "12", ..Commanded::of("hitachi-rx-overwrite", "{ asks_first = true }") }.run();
}

#[test]
fn a_shift_printed_by_a_hitachi_with_a_buffer() {
    Commanded { message: "12", refuses: true, ..Commanded::of("hitachi-rx-buffer", "{}") }.run();
    Commanded { message: "12", refuses: true, ..Commanded::of("hitachi-rx-buffer", "{ confirmation = \"event\" }") }.run();
}

#[test]
fn a_shift_printed_by_a_hitachi_over_modbus() {
    Commanded { message: "", ..Commanded::of("hitachi-modbus", "{}") }.run();
}

#[test]
fn one_seed() {
    let seed = std::env::var("PACKMARK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1_000);
    sound(seed).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn the_same_seed_is_the_same_shift() {
    let truth = |_| {
        let dir = folder();
        let opener = OnDisk { dir: dir.path().to_path_buf() };
        let how = ShiftHow { bottles: 200, ..how(1) };
        Shift::<Sound, _>::new(how, dir.path(), opener).and_then(Shift::run).expect("it runs").truth
    };
    assert_eq!(truth(0), truth(1));
}

/// A rule broken on purpose must be noticed within the first 50 seeds.
fn noticed<L: Law>(rule: &str) {
    for seed in 1..=50 {
        let dir = folder();
        // A daemon may panic over its own broken rule; only the auditor's word counts here.
        let caught = std::panic::catch_unwind(|| shift::<L>(&ShiftHow { faults: Faults::Hard, ..how(seed) }, dir.path()));
        if let Ok(Ok(j)) = caught
            && let Some(first) = j.violations.first()
        {
            println!("{rule}: seed {seed}: {first}");
            return;
        }
    }
    panic!("{rule}: not noticed within 50 seeds");
}

macro_rules! broken {
    ($($name:ident: $law:ident { $rule:ident }),+ $(,)?) => {
        $(struct $law;
        impl Law for $law {
            const $rule: bool = true;
        }
        #[test]
        fn $name() {
            noticed::<$law>(stringify!($name));
        })+
    };
}

broken!(
    ink_before_book: InkFirst { INKS_BEFORE_BOOK },
    a_doubtful_code_sent_again: Resender { RESENDS_DOUBTFUL },
    a_seal_with_an_unverified_child: Sealer { SEALS_UNVERIFIED },
    acknowledgement_before_commit: Hasty { ACKS_BEFORE_COMMIT },
    a_late_frame_credited_to_the_next_passage: Creditor { CREDITS_LATE_FRAMES },
);

/// Journal and dump of a shift that ran, beside its truth.
fn books(how: &ShiftHow, dir: &Path) -> (Vec<Value>, Vec<Value>, Vec<Value>) {
    let (dump, journal, truth, _) = run_books(how, dir);
    (dump, journal, truth)
}

/// What left for printers, the journal and the truth of a shift that ran.
fn tapped(how: &ShiftHow, dir: &Path) -> (Vec<Vec<u8>>, Vec<Value>, Vec<Value>) {
    let (_, journal, truth, tapped) = run_books(how, dir);
    (tapped, journal, truth)
}

fn run_books(how: &ShiftHow, dir: &Path) -> (Vec<Value>, Vec<Value>, Vec<Value>, Vec<Vec<u8>>) {
    let store = dir.join("store");
    std::fs::create_dir_all(&store).expect("a folder");
    let outcome = Shift::<Sound, _>::new(how.clone(), dir, OnDisk { dir: store.clone() }).and_then(Shift::run).expect("it runs");
    assert_eq!(outcome.completed, Ok(()));
    let (mut dump, mut journal) = (Vec::new(), Vec::new());
    let keep = |to: &mut Vec<Value>, v| {
        to.push(v);
        Ok(())
    };
    Snapshot::open(&store).and_then(|s| s.dump(&mut |v| keep(&mut dump, v))).expect("a dump");
    Snapshot::open(&store).and_then(|mut s| s.journal(0, &mut |v| keep(&mut journal, v))).expect("a journal");
    let truth = outcome.truth.iter().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    (dump, journal, truth, outcome.tapped)
}

/// The law may not be kept by standing still.
#[test]
fn without_faults_everything_is_packed_and_nothing_rejected() {
    for seed in [2_001, 2_002] {
        let dir = folder();
        let (dump, journal, truth) = books(&ShiftHow { faults: Faults::None, crashes: 0, ..how(seed) }, dir.path());
        let rejects: Vec<&Value> = journal.iter().filter(|v| v["k"] == "verdict" && v["good"] == false).collect();
        assert!(rejects.is_empty(), "seed {seed}: {rejects:?}");
        assert!(!journal.iter().any(|v| v["k"] == "escaped"), "seed {seed}: an escape");
        let inked = truth.iter().filter(|v| v["k"] == "ink").count();
        let codes =
            |level: &str, state: &str| dump.iter().filter(|v| v["k"] == "code" && v["level"] == level && v["state"] == state).count();
        assert_eq!(inked, 1_000);
        // At most one incomplete parent a level.
        assert!(inked - codes("bottle", "packed") < 6, "seed {seed}: {} of {inked} packed", codes("bottle", "packed"));
        assert!(codes("box", "verified") < 4 && codes("case", "verified") < 10, "seed {seed}");
        // Depth 8, and feed-ahead of 300 ms at a spacing of 96 ms.
        assert!(codes("bottle", "void") <= 8 + 4, "seed {seed}: {} void", codes("bottle", "void"));
        assert_eq!(codes("bottle", "missing") + codes("bottle", "doubtful") + codes("bottle", "sent"), 0, "seed {seed}");
    }
}

/// Rejects of things nobody did anything to: not within 2 s of an injected fault, a restart or a lag.
#[test]
fn ordinary_faults_cost_nothing_else() {
    let (mut passages, mut wrong) = (0, Vec::new());
    for seed in 2_101..2_121 {
        let dir = folder();
        let (_, journal, truth) = books(&ShiftHow { faults: Faults::Normal, crashes: 0, ..how(seed) }, dir.path());
        let us = |v: &Value| chrono::DateTime::parse_from_rfc3339(v.as_str().expect("a time")).expect("RFC 3339").timestamp_micros();
        let start = us(&truth[0]["utc"]);
        let at = |v: &Value| start + v["t_us"].as_i64().expect("a number");
        let mut sore: Vec<i64> = truth.iter().filter(|v| matches!(v["k"].as_str(), Some("inject" | "lag"))).map(at).collect();
        sore.extend(journal.iter().filter(|v| v["k"] == "restart").map(|v| us(&v["t"])));
        for v in journal.iter().filter(|v| v["k"] == "verdict" && v["revises"] != true) {
            passages += 1;
            if v["good"] == false && !sore.iter().any(|s| (us(&v["t"]) - s).abs() <= 2_000_000) {
                wrong.push(format!("seed {seed}: {v}"));
            }
        }
    }
    assert!(wrong.len() * 1_000 <= passages, "{} of {passages} passages:\n{}", wrong.len(), wrong.join("\n"));
}
