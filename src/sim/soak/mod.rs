//! The printers' law, printer by printer, over a hundred thousand prints on virtual time: no code leaves twice, none is
//! credited that has no ink, the window never passes its bound, whatever happens to the link and the printer.
//!
//! Every shipped profile of a printer is here by itself, and a few made-up ones that can tell more (`told.rs`); one that
//! cannot be played fails. An everyday run is short;
//! `PACKMARK_SOAK=100000 cargo test --lib sim::soak -- --nocapture` is the long one, and prints a table. `PACKMARK_SEED=N` is
//! another weather; each case has a seed of its own, which a failure names.

mod feed;
mod judge;
mod stage;
mod told;

use crate::profile::{Kind, Profiles};
use crate::vocab::plan::Setting;
use judge::{Declared, Judge, Tally};
use stage::{Mishaps, Stage, Weather};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const LINE: &str = include_str!("../../../tests/data/line.toml");
/// Prints of a profile in an everyday run, its settings together; more where it has more than four.
const EVERYDAY: u64 = 2_000;

/// Settings beside the defaults that are worth a run of their own. A profile with a depth has a deeper one anyway.
const SETTINGS: &[(&str, &str)] = &[
    ("domino-codenet", "depth = 8, ack_char = \"A\""),
    ("domino-codenet", "depth = 4"),
    ("domino-codenet", "depth = 3, ack_char = \"Q\", response_length = \"fixed\""),
    ("domino-codenet", "depth = 4, clear_on_adopt = false"),
    ("hitachi-rx-buffer", "confirmation = \"counter\""),
    ("hitachi-rx-buffer", "confirmation = \"event\""),
    ("hitachi-rx-overwrite", "confirmation = \"counter\""),
    ("hitachi-rx-protected", "confirmation = \"event\""),
    ("hitachi-rx-protected", "confirmation = \"event\", asks_first = true"),
    ("keyence-mk", "connect_per_command = false, framing = \"stx-etx\""),
];

/// Shipped and not here: they are watched only, since no command of theirs that puts a code is documented. Any other that
/// is not fed fails.
const WATCHED: &[&str] = &["imaje-v24", "linx-rci"];

/// What stands in every refusal of a printer whose refused codes leave again. A profile that is not here fails.
const REFUSALS: &[(&str, &[u8])] =
    &[("domino-codenet", b"\x15"), ("hitachi-rx-protected", b"\x15"), ("hitachi-rx-overwrite", b"\x15"), ("hitachi-rx-buffer", b"\x15")];

struct Case {
    profile: String,
    settings: String,
    declared: Declared,
    weather: Weather,
    label: bool,
}

impl Case {
    fn line(&self) -> String {
        let settings = format!("settings = {{ {} }}", self.settings);
        // A window of any depth is allowed here.
        let line = format!("{LINE}\n[limits]\nmax_burn = 10000\n");
        if self.label {
            return line.replace("profile = \"zebra-zpl\"", &format!("profile = \"{}\"\n{settings}", self.profile));
        }
        line.replace("profile = \"domino-codenet\"", &format!("profile = \"{}\"", self.profile))
            .replace("settings = { depth = 8, ack_char = \"A\" }", &settings)
    }

    fn stage(&self, profiles: &Profiles, weather: Weather, seed: u64) -> Stage {
        let id = if self.label { "zpl1" } else { "ijp1" };
        let new = || Stage::new(profiles, &self.line(), id, Judge::new(self.declared), weather, seed);
        let mut stage = new();
        // What cannot select a message has it from its panel.
        let message = if self.label { None } else { Some("BOTTLE") };
        if stage.arm(message) {
            return stage;
        }
        let mut bare = new();
        assert!(bare.arm(None), "{} {{{}}}: it does not get ready", self.profile, self.settings);
        bare
    }
}

/// Every shipped printer, with each of its settings that is to be run.
fn cases(profiles: &Profiles) -> Vec<Case> {
    let mut all = Vec::new();
    for name in profiles.names().filter(|n| *n != "told-records") {
        let bound = profiles.bind(name, &BTreeMap::new()).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let kind = bound.profile.kind;
        let Some(buffer) = bound.profile.buffer.as_ref().filter(|_| matches!(kind, Kind::Printer | Kind::LabelPrinter)) else { continue };
        assert_eq!(bound.unfit().is_some(), WATCHED.contains(&name), "{name}: is it fed, or watched only?");
        if WATCHED.contains(&name) {
            continue;
        }
        let mut settings = vec![String::new()];
        settings.extend(SETTINGS.iter().filter(|s| s.0 == name).map(|s| s.1.to_string()));
        if bound.has("depth") && !settings.iter().any(|s| s.contains("depth")) {
            let deeper = |n: i64| profiles.bind(name, &[("depth".to_string(), Setting::Number(n))].into()).is_ok();
            settings.extend([1, 4].into_iter().filter(|n| deeper(*n) && bound.number("depth") != *n).map(|n| format!("depth = {n}")));
        }
        let text = format!("{buffer:?}");
        let refusal_means_not_taken = text.contains("refusal_means_not_taken: true");
        let refusal = REFUSALS.iter().find(|r| r.0 == name).map_or(&[][..], |r| r.1);
        assert!(
            !refusal_means_not_taken || !refusal.is_empty(),
            "{name}: a refused code leaves again, and the auditor does not know what a refusal looks like: add it to REFUSALS"
        );
        let names_its_prints = ["confirmed_by: [LastRecord", "confirmed_by: [LastText"].iter().any(|w| text.contains(w));
        for given in settings {
            let depth = given.split(", ").find_map(|s| s.strip_prefix("depth = ")?.parse().ok());
            let declared = Declared {
                depth: depth.unwrap_or_else(|| if kind == Kind::LabelPrinter { 1 } else { bound.depth() as usize }),
                refusal_means_not_taken,
                refusal,
                repeats: text.contains("on_empty: Repeats"),
                label: kind == Kind::LabelPrinter,
            };
            let doubles = !given.contains("ack_char");
            let weather = Weather { troubles: 60, silent_losses: names_its_prints, doubles };
            let label = kind == Kind::LabelPrinter;
            all.push(Case { profile: name.into(), settings: given, declared, weather, label });
        }
    }
    all
}

struct Line {
    name: String,
    tally: Tally,
    mishaps: Mishaps,
    widest: usize,
}

fn soak(case: &Case, profiles: &Profiles, prints: u64, seed: u64) -> Result<Line, String> {
    let name = format!("{} {{{}}}", case.profile, case.settings);
    let mut stage = case.stage(profiles, case.weather, seed);
    let ran = stage.run(prints).and_then(|()| stage.calm(20));
    ran.map_err(|e| format!("{name}, seed {seed}: {e}"))?;
    Ok(Line { name, tally: stage.feed.judge.tally.clone(), mishaps: stage.mishaps.clone(), widest: stage.feed.judge.widest() })
}

fn table(lines: &[Line]) -> String {
    let mut out = format!(
        "{:<58} {:>7} {:>7} {:>8} {:>10} {:>8} {:>8} {:>6} {:>6} {:>6} {:>6} {:>6}\n",
        "profile {settings}",
        "prints",
        "sent",
        "credited",
        "reconciled",
        "doubtful",
        "repeated",
        "window",
        "links",
        "resets",
        "late",
        "other"
    );
    for l in lines {
        let (t, m) = (&l.tally, &l.mishaps);
        out += &format!(
            "{:<58} {:>7} {:>7} {:>8} {:>10} {:>8} {:>8} {:>6} {:>6} {:>6} {:>6} {:>6}\n",
            l.name, t.inked, t.sent, t.credited, t.reconciled, t.doubtful, t.repeated, l.widest, m.links, m.resets, m.late, m.others
        );
    }
    out
}

#[test]
fn no_printer_is_sent_a_code_twice_or_credited_one_without_ink() {
    let asked = std::env::var("PACKMARK_SOAK").ok().map(|n| n.parse::<u64>().expect("PACKMARK_SOAK is a number of prints"));
    let seed = std::env::var("PACKMARK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let profiles = told::profiles();
    let cases = cases(&profiles);
    // Many settings do not thin one another out: each has a quarter at least.
    let settings = |c: &Case| cases.iter().filter(|o| o.profile == c.profile).count().min(4) as u64;
    let prints = |c: &Case| asked.unwrap_or(EVERYDAY).div_ceil(settings(c));
    // Each case is a world of its own: as many at a time as there are processors.
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((i, case)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, cases.get(i)?))) {
                    let ran = std::panic::catch_unwind(|| soak(case, &profiles, prints(case), seed * 1_000 + i as u64));
                    let ran = ran.unwrap_or_else(|_| Err(format!("{} {{{}}}: it panicked", case.profile, case.settings)));
                    done.lock().expect("no soak panics with the lock").push((i, ran));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no soak panics with the lock");
    done.sort_by_key(|d| d.0);
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    for (_, ran) in done {
        match ran {
            Ok(line) => lines.push(line),
            Err(e) => wrong.push(e),
        }
    }
    if asked.is_some() {
        println!("{}", table(&lines));
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), table(&lines));
    let hurt = |l: &&Line| l.mishaps.links == 0 || l.mishaps.resets == 0 || l.mishaps.late == 0 || l.tally.doubtful == 0;
    assert!(!lines.iter().any(|l| hurt(&l)), "something never happened:\n{}", table(&lines));
}

/// The law is not kept by crediting nothing: in fair weather every print is credited, and nothing is doubtful.
#[test]
fn in_fair_weather_every_print_is_credited() {
    let profiles = told::profiles();
    for case in cases(&profiles) {
        let mut stage = case.stage(&profiles, Weather::default(), 7);
        stage.run(300).unwrap_or_else(|e| panic!("{} {{{}}}: {e}", case.profile, case.settings));
        let (t, name) = (&stage.feed.judge.tally, &case.profile);
        assert_eq!((t.doubtful, t.repeated), (0, 0), "{name} {{{}}}", case.settings);
        // What is known by room for the next code alone lags by what the buffer holds.
        assert!(t.credited + t.read + case.declared.depth as u64 + 1 >= t.inked, "{name} {{{}}}: {t:?}", case.settings);
    }
}
