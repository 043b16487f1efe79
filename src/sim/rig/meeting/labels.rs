//! Every label printer and our conversation with it: labels in order, and in every kind of trouble.

use super::*;
use crate::sim::bench::Stand;

const LABELLERS: [&str; 6] = ["zebra-zpl", "sato-sbpl", "tsc-tspl", "cab-jscript", "honeywell-dpl", "godex-ezpl"];

/// The line with another label printer.
fn labelled_by(profile: &str) -> String {
    with("profile = \"zebra-zpl\"", &format!("profile = \"{profile}\""))
}

fn bound(profile: &str) -> Bound {
    Profiles::load(None).unwrap().bind(profile, &Default::default()).unwrap()
}

/// A label of this printer, as the line orders it.
fn label(bound: &Bound, code: &[u8], sscc: bool, lot: &str) -> Vec<u8> {
    wire::label::render(bound, None, &wire::label::Fill { code, sscc, lot, count: 4 }).unwrap()
}

#[test]
fn labels_carry_their_code_and_are_reported() {
    for profile in LABELLERS {
        let (mut m, bound) = (Meeting::new(&labelled_by(profile), "zpl1", 3), bound(profile));
        m.order(arm(None));
        m.pass(2 * SECOND);
        let told = m.told();
        assert!(told.iter().any(|r| matches!(r, Report::Ready { .. })), "{profile}: {told:?}");
        let mut codes = vec![(&b"069012340000000016"[..], true), (b"C00000001", false)];
        if profile == "zebra-zpl" {
            codes.push((b"a>b^c~d_e", false));
        }
        let lot = if profile == "zebra-zpl" { "L^1~2" } else { "L-1/2" };
        for (n, (code, sscc)) in codes.into_iter().enumerate() {
            let at = CodeRef::new(PackNo(2), n as u32);
            m.order(Order::Print { code: at, bytes: label(&bound, code, sscc, lot) });
            m.pass(2 * SECOND);
            let out: Vec<u8> = m.rig.label(m.device, m.now_us).expect("a label");
            assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(code), "{profile}");
            assert_eq!(m.rig.label(m.device, m.now_us), None);
            let told = m.told();
            assert_eq!(told, [Report::Taken { code: at }, Report::Printed { count: 1 }], "{profile}");
        }
        for how in Stand::ALL {
            let at = CodeRef::new(PackNo(2), 9);
            m.rig.trouble(m.device, Trouble::Stands { how, ms: 2_000 }, m.now_us);
            m.order(Order::Print { code: at, bytes: label(&bound, b"069012340000000016", true, "L") });
            m.pass(1_500 * MS);
            assert_eq!(m.rig.label(m.device, m.now_us), None);
            m.pass(6 * SECOND);
            let told = m.told();
            // DPL has no word for a full buffer, nor for an open head; all of them are a pause.
            assert!(told.iter().any(|r| matches!(r, Report::NotReady { .. })), "{profile} {how:?} is told: {told:?}");
            assert!(told.iter().any(|r| matches!(r, Report::Ready { .. })), "{profile} {how:?} passes: {told:?}");
            while m.rig.label(m.device, m.now_us).is_some() {}
        }
    }
}

/// Lost links, power cuts, silences, late and torn answers, faults: no label leaves twice, none is told as printed that did
/// not come out, and the printer comes back.
#[test]
fn label_printers_in_trouble_are_sent_no_label_twice_and_come_back() {
    const TROUBLES: [Trouble; 10] = [
        Trouble::LinkLoss { ms: 300 },
        Trouble::PowerCycle { ms: 900 },
        Trouble::Silence,
        Trouble::Refuse,
        Trouble::DropBuffer,
        Trouble::DoubleAck,
        Trouble::LateAck { ms: 400 },
        Trouble::Split { ms: 30 },
        Trouble::Glue,
        Trouble::Fault { ms: 700 },
    ];
    for seed in 0..60 {
        let profile = LABELLERS[seed as usize % LABELLERS.len()];
        let (mut m, bound) = (Meeting::new(&labelled_by(profile), "zpl1", seed), bound(profile));
        let mut rng = Rng::new(seed);
        m.order(arm(None));
        m.pass(3 * SECOND);
        let (mut next, mut out, mut inked, mut back) = (0u32, false, BTreeSet::new(), 0);
        let number = |n: u32| format!("C{n:08}").into_bytes();
        for round in 0..150 {
            if round < 110 && rng.chance(150_000) {
                m.rig.trouble(m.device, TROUBLES[rng.below(TROUBLES.len() as u64) as usize], m.now_us);
            }
            for r in m.told() {
                match r {
                    Report::Ready { .. } | Report::Down { .. } | Report::NotReady { .. } => out = false,
                    Report::Printed { .. } => {
                        out = false;
                        back += u32::from(round > 125);
                    }
                    _ => {}
                }
            }
            if !out {
                m.order(Order::Print { code: CodeRef::new(PackNo(2), next), bytes: label(&bound, &number(next), false, "L") });
                (next, out) = (next + 1, true);
            }
            m.pass(300 * MS + rng.below(200 * MS));
            while let Some(code) = m.rig.label(m.device, m.now_us) {
                assert!(inked.insert(code.clone()), "{profile} seed {seed}: {} came out twice", String::from_utf8_lossy(&code));
            }
        }
        for n in 0..next {
            let bytes = number(n);
            let times = m.sent.iter().filter(|s| s.windows(bytes.len()).any(|w| w == bytes)).count();
            assert!(times <= 1, "{profile} seed {seed}: label {n} was sent {times} times");
        }
        assert!(back > 5, "{profile} seed {seed} comes back: {back}");
    }
}
