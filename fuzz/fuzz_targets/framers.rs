//! Where printers' and readers' bytes begin and end: whatever comes, no panic, and no byte twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmark::profile::Profiles;
use packmark::wire::framer::{Codenet, Framer, LONGEST_FRAME, Step, Unit};
use packmark::wire::reader::{Frames, Piece};
use std::sync::LazyLock;

static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::load(None).expect("shipped profiles load"));

fuzz_target!(|bytes: &[u8]| {
    let mut f = Framer::default();
    for b in bytes {
        if let Step::Frame(frame) = f.push(*b) {
            assert!(frame.len() <= LONGEST_FRAME);
        }
    }
    for fixed in [false, true] {
        let (mut f, mut units) = (Codenet::new(fixed), Vec::new());
        bytes.iter().for_each(|b| f.push(*b, &mut units));
        let named: usize = units.iter().map(|u| if let Unit::Junk(j) = u { j.len() } else { 1 }).sum();
        assert!(named <= bytes.len());
    }
    for rules in PROFILES.iter().filter_map(|p| p.reader.as_ref()) {
        for how in rules.framing.values() {
            let (mut frames, mut pieces) = (Frames::new(how.clone(), &rules.gs.keys), Vec::new());
            let (now, later) = bytes.split_at(bytes.len() / 2);
            frames.feed(now, 0, &mut pieces);
            frames.feed(later, 5_000, &mut pieces);
            frames.due(60_000_000, &mut pieces);
            for piece in pieces {
                if let Piece::Frame(f) = piece {
                    assert!(f.len() <= how.max_bytes as usize);
                }
            }
        }
    }
});
