//! Printers of the dialect `commands` with their simulated ones: every code once, in order, whatever happens.

use super::*;

/// The line with another item printer.
fn printed_by(profile: &str, settings: &str) -> String {
    with("profile = \"domino-codenet\"", &format!("profile = \"{profile}\""))
        .replace("settings = { depth = 8, ack_char = \"A\" }", &format!("settings = {settings}"))
}

const COMMANDED: [(&str, &str, u32); 4] =
    [("videojet-wsi", "{}", 1), ("videojet-zipher", "{ depth = 4 }", 4), ("videojet-zipher", "{}", 1), ("bestcode-one-to-one", "{}", 4)];

#[test]
fn commanded_printers_print_every_code_once_and_in_order() {
    for (profile, settings, depth) in COMMANDED {
        let mut m = Meeting::new(&printed_by(profile, settings), "ijp1", 7);
        m.order(arm(Some("BOTTLE")));
        m.pass(3 * SECOND);
        let told = m.told();
        assert!(told.iter().any(|r| matches!(r, Report::Ready { .. })), "{profile}: {told:?}");
        for n in 0..depth + 2 {
            let (code, bytes) = code(n);
            m.order(Order::Print { code, bytes });
        }
        let (mut next, mut taken, mut printed) = (depth + 2, 0, 0);
        for n in 0..40 {
            m.pass(100 * MS);
            assert_eq!(m.rig.print(m.device, m.now_us), Some(code(n).1), "{profile} {settings}");
            let (code, bytes) = code(next);
            next += 1;
            m.order(Order::Print { code, bytes });
            m.pass(100 * MS);
            for r in m.told() {
                match r {
                    Report::Taken { code: c } => {
                        assert_eq!(c, self::code(taken).0, "{profile}");
                        taken += 1;
                    }
                    Report::Printed { count } => printed += count,
                    other => panic!("{profile}: {other:?}"),
                }
            }
        }
        assert_eq!((taken, printed), (40 + depth, 40), "{profile}");
    }
}

/// A print told twice is the line's to notice (`Line::printed`): things cannot follow so closely.
///
/// Lost links, silences, late and torn answers: no code leaves twice, none is told as printed that was not inked, and the
/// printer comes back.
#[test]
fn commanded_printers_in_trouble_are_sent_no_code_twice_and_come_back() {
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
    for seed in 0..80 {
        let (profile, settings, _) = COMMANDED[seed as usize % 4];
        let mut m = Meeting::new(&printed_by(profile, settings), "ijp1", seed);
        let mut rng = Rng::new(seed);
        m.order(arm(Some("BOTTLE")));
        m.pass(3 * SECOND);
        let (mut next, mut window, mut inked, mut back) = (0u32, VecDeque::new(), BTreeSet::new(), 0);
        // Its last code again, with its event on the way while a new code is taken: nobody can tell the two apart.
        let (mut repeated, mut happened) = (0, Vec::new());
        for round in 0..300 {
            if round < 200 && rng.chance(100_000) {
                let what = TROUBLES[rng.below(8) as usize];
                m.rig.trouble(m.device, what, m.now_us);
                happened.push((round, what));
            }
            for r in m.told() {
                match r {
                    Report::Taken { code } => window.push_back(code),
                    Report::Ready { .. } | Report::Down { .. } | Report::OutOfStep { .. } | Report::Cleared => window.clear(),
                    Report::Printed { count } => {
                        for _ in 0..count {
                            let c: CodeRef = window.pop_front().expect("no more prints than codes taken");
                            let again = repeated > 0 && round - repeated < 4;
                            let late = || happened.iter().rev().take(3).collect::<Vec<_>>();
                            assert!(
                                again || inked.contains(&code(c.ordinal).1),
                                "{profile} seed {seed}: round {round}: {c:?} was not inked ({repeated}, {:?})",
                                late()
                            );
                            back += u32::from(round > 250);
                        }
                    }
                    _ => {}
                }
            }
            if window.len() < 3 {
                let (code, bytes) = code(next);
                next += 1;
                m.order(Order::Print { code, bytes });
            }
            m.pass(80 * MS + rng.below(80 * MS));
            if let Some(code) = m.rig.print(m.device, m.now_us)
                && !inked.insert(code)
            {
                repeated = round;
            }
        }
        for n in 0..next {
            let bytes = code(n).1;
            let times = m.sent.iter().filter(|s| s.windows(bytes.len()).any(|w| w == bytes)).count();
            assert!(times <= 1, "{profile} seed {seed}: code {n} was sent {times} times");
        }
        let unanchored = profile == "bestcode-one-to-one";
        assert!(back > 5 || (unanchored && inked.contains(&code(next - 10).1)), "{profile} seed {seed} comes back: {back}");
    }
}

#[test]
fn a_printer_that_repeats_its_last_code_needs_a_verifying_reader() {
    let profiles = Profiles::load(None).unwrap();
    let bind = |name: &str, s: &_| profiles.bind(name, s).map(|b| b.traits());
    let complaints = |text: &str| Config::parse(Path::new("line.toml"), text, &bind).map_or_else(|e| e, |_| Vec::new());
    let text = printed_by("videojet-wsi", "{}");
    assert!(complaints(&text).is_empty());
    let blind = text.replace("role = \"verify\"\nlevel = \"bottle\"", "role = \"rework\"\nlevel = \"bottle\"");
    assert!(complaints(&blind).iter().any(|c| c.what.contains("last code again")), "{:?}", complaints(&blind));
}

/// It runs empty while things go by, and goes on with new codes when it takes them again.
#[test]
fn a_printer_that_starves_runs_empty_and_goes_on() {
    let codenet = with("depth = 8, ack_char = \"A\"", "depth = 4, ack_char = \"A\"");
    let zipher = printed_by("videojet-zipher", "{ depth = 4 }");
    for (name, text) in [("domino-codenet", codenet), ("videojet-zipher", zipher), ("videojet-wsi", printed_by("videojet-wsi", "{}"))] {
        let mut m = Meeting::new(&text, "ijp1", 11);
        m.order(arm(Some("BOTTLE")));
        m.pass(3 * SECOND);
        m.told();
        let (mut next, mut waiting, mut inked, mut dry, mut back) = (0, 0, BTreeSet::new(), 0, 0);
        for round in 0..140 {
            if round == 40 {
                m.rig.trouble(m.device, Trouble::Starve { ms: 4_000 }, m.now_us);
            }
            // Time to see the print before, where only a counter tells of it.
            m.pass(70 * MS);
            for r in m.told() {
                match r {
                    Report::Printed { count } => waiting = u32::saturating_sub(waiting, count),
                    Report::Ready { .. } | Report::Down { .. } | Report::OutOfStep { .. } | Report::Cleared => waiting = 0,
                    _ => {}
                }
            }
            while waiting < 3 {
                let (code, bytes) = code(next);
                (next, waiting) = (next + 1, waiting + 1);
                m.order(Order::Print { code, bytes });
            }
            m.pass(70 * MS);
            let fresh = m.rig.print(m.device, m.now_us).is_some_and(|b| inked.insert(b));
            match round {
                0..40 => assert!(fresh, "{name}: round {round}"),
                40..70 => dry += u32::from(!fresh),
                _ => back += u32::from(fresh && round >= 110),
            }
        }
        assert!(dry >= 15 && back >= 20, "{name}: {dry} things without a code of their own, {back} with one afterwards");
    }
}
