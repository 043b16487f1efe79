//! The profile reader: any text is a profile or has complaints, each in its file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmark::profile::Profiles;
use std::path::PathBuf;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (good, wrong) = Profiles::check(None, vec![(PathBuf::from("-"), text.to_string())]);
    assert!(good.len() == 1 && wrong.is_empty() || good.is_empty() && !wrong.is_empty());
    let lines = text.lines().count().max(1) + 1;
    assert!(wrong.iter().all(|c| c.line <= lines));
});
