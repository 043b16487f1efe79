//! Hitachi inkjets, serial in their three regimes and over Modbus, met by the simulated ones.

use super::commanded::printed_by;
use super::*;

/// Profile, settings, codes that it holds.
const ALL: [(&str, &str, u32); 10] = [
    ("hitachi-rx-protected", "{}", 1),
    ("hitachi-rx-protected", "{ confirmation = \"event\", asks_first = true }", 1),
    ("hitachi-rx-overwrite", "{}", 1),
    ("hitachi-rx-overwrite", "{ asks_first = true, item = 7 }", 1),
    ("hitachi-rx-overwrite", "{ confirmation = \"counter\" }", 1),
    ("hitachi-rx-buffer", "{ depth = 4 }", 4),
    ("hitachi-rx-buffer", "{ depth = 4, confirmation = \"event\", asks_first = true }", 4),
    ("hitachi-rx-buffer", "{ depth = 4, confirmation = \"counter\" }", 4),
    ("hitachi-modbus", "{}", 1),
    ("hitachi-modbus", "{ item = 3, word_order = \"low-first\" }", 1),
];

fn meeting(profile: &str, settings: &str, seed: u64) -> Meeting {
    let text = printed_by(profile, settings).replace("message = \"BOTTLE\"", "message = \"12\"");
    let mut m = Meeting::new(&text, "ijp1", seed);
    m.order(arm((profile != "hitachi-modbus").then_some("12")));
    m.pass(3 * SECOND);
    m
}

#[test]
fn each_prints_every_code_once_and_in_order() {
    for (profile, settings, depth) in ALL {
        let mut m = meeting(profile, settings, 7);
        let told = m.told();
        assert!(told.iter().any(|r| matches!(r, Report::Ready { .. })), "{profile} {settings}: {told:?}");
        for n in 0..depth + 2 {
            let (code, bytes) = code(n);
            m.order(Order::Print { code, bytes });
        }
        m.pass(600 * MS);
        let (mut next, mut taken, mut printed) = (depth + 2, 0, 0);
        for n in 0..30 {
            assert_eq!(m.rig.print(m.device, m.now_us), Some(code(n).1), "{profile} {settings}");
            let (code, bytes) = code(next);
            next += 1;
            m.order(Order::Print { code, bytes });
            m.pass(600 * MS);
            for r in m.told() {
                match r {
                    Report::Taken { code: c } => {
                        assert_eq!(c, self::code(taken).0, "{profile} {settings}");
                        taken += 1;
                    }
                    Report::Printed { count } => printed += count,
                    Report::PrintedCode { code: c } => {
                        assert_eq!(c, self::code(printed).0, "{profile} {settings}");
                        printed += 1;
                    }
                    other => panic!("{profile} {settings}: {other:?}"),
                }
            }
        }
        assert_eq!((taken, printed), (30 + depth, 30), "{profile} {settings}");
    }
}

/// Lost links, silences, refusals, late and torn answers: no code comes back after another was printed, none is told as
/// printed that was not inked, a code that is named is that code, and the printer comes back.
#[test]
fn each_in_trouble_inks_no_old_code_and_comes_back() {
    const TROUBLES: [Trouble; 8] = [
        Trouble::LinkLoss { ms: 300 },
        Trouble::PowerCycle { ms: 900 },
        Trouble::Silence,
        Trouble::Refuse,
        Trouble::LateAck { ms: 400 },
        Trouble::Split { ms: 30 },
        Trouble::Glue,
        Trouble::Fault { ms: 700 },
    ];
    for seed in 0..60 {
        let (profile, settings, depth) = ALL[seed as usize % ALL.len()];
        // Where room alone tells of prints, the reader behind it moves the window on.
        let guesses = profile == "hitachi-rx-buffer" && !settings.contains("confirmation");
        let mut m = meeting(profile, settings, seed);
        let mut rng = Rng::new(seed);
        let (mut next, mut window, mut back) = (0u32, VecDeque::new(), 0);
        let (mut inked, mut last, mut named) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        for round in 0..300 {
            if round < 200 && rng.chance(100_000) {
                m.rig.trouble(m.device, TROUBLES[rng.below(8) as usize], m.now_us);
            }
            for r in m.told() {
                match r {
                    Report::Taken { code } => window.push_back(code),
                    Report::Ready { .. } | Report::Down { .. } | Report::OutOfStep { .. } | Report::Cleared => window.clear(),
                    Report::Printed { count } => {
                        for _ in 0..count {
                            let Some(c) = window.pop_front() else {
                                assert!(guesses, "{profile} {settings} seed {seed}: more prints than codes taken");
                                continue;
                            };
                            assert!(
                                inked.contains(&code(c.ordinal).1),
                                "{profile} {settings} seed {seed}: round {round}: {c:?} was not inked"
                            );
                            back += u32::from(round > 250);
                        }
                    }
                    Report::PrintedCode { code: c } => {
                        let at = window.iter().position(|w| *w == c).expect("a code of the window is named");
                        window.drain(..=at);
                        assert!(
                            inked.contains(&code(c.ordinal).1) && named.insert(c),
                            "{profile} {settings} seed {seed}: round {round}: {c:?}"
                        );
                        back += u32::from(round > 250);
                    }
                    _ => {}
                }
            }
            if window.len() < depth as usize + 2 {
                let (code, bytes) = code(next);
                next += 1;
                m.order(Order::Print { code, bytes });
            }
            m.pass(200 * MS + rng.below(200 * MS));
            if let Some(code) = m.rig.print(m.device, m.now_us) {
                // Its last code again is what it does when nothing new came; an older one never.
                assert!(inked.insert(code.clone()) || code == last, "{profile} {settings} seed {seed}: an old code came back");
                let read = window.iter().position(|w| guesses && self::code(w.ordinal).1 == code);
                back += u32::from(round > 250 && read.is_some());
                window.drain(..read.map_or(0, |at| at + 1));
                last = code;
            }
        }
        assert!(back > 5, "{profile} {settings} seed {seed} comes back: {back}");
    }
}
