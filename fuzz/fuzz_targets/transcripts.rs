//! The notation of transcripts: any text is read or refused, and what is read replays to an end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmark::profile::Profiles;
use packmark::wire::transcript::{Transcript, notation};
use packmark::wire::{Place, Points, converse_at};
use std::sync::LazyLock;

static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::load(None).expect("shipped profiles load"));

fuzz_target!(|bytes: &[u8]| {
    assert!(notation(bytes).is_ascii());
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(t) = Transcript::parse(text) else { return };
    let Ok(bound) = PROFILES.bind(&t.profile, &t.settings()) else { return };
    let points = Points { inputs: t.inputs.clone(), counters: t.counters.clone() };
    t.walk(&mut *converse_at(&bound, Place { serial: t.serial, points, ..Place::default() }));
});
