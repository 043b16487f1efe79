//! What goes wrong in the small world, lawfully.

use super::{Maker, box_code};
use serde_json::json;

pub(super) fn no_read(m: &mut Maker, code: &str) {
    m.happens(json!({"k": "ink", "printer": "ijp1", "thing": "b12", "hex": code}));
    m.each("printed", &[code.into()], &json!({"device": "ijp1"}));
    m.happens(json!({"k": "pass", "station": "bottle-check", "thing": "b12"}));
    m.happens(json!({"k": "read", "reader": "cam1", "thing": "b12"}));
    m.verdict("bottle-check", None, Some("no-read"));
    m.each("missing", &[code.into()], &json!({}));
    m.row(code).state = "missing";
    m.happens(json!({"k": "gate", "station": "bottle-check", "thing": "b12", "out": "reject"}));
    m.end("b12", "reject-bin");
}

/// A printer that repeats the code of a good bottle by itself: the second carrier is rejected.
pub(super) fn duplicate(m: &mut Maker, code: &str) {
    m.happens(json!({"k": "inject", "fault": "duplicate-print", "thing": "copy", "device": "ijp1"}));
    m.happens(json!({"k": "ink", "printer": "ijp1", "thing": "copy", "hex": code}));
    m.happens(json!({"k": "pass", "station": "bottle-check", "thing": "copy"}));
    m.happens(json!({"k": "read", "reader": "cam1", "thing": "copy", "hex": code}));
    m.verdict("bottle-check", Some(code), Some("duplicate"));
    m.happens(json!({"k": "gate", "station": "bottle-check", "thing": "copy", "out": "reject"}));
    m.end("copy", "reject-bin");
}

/// Read well, not on disk when it came to the gate.
pub(super) fn late(m: &mut Maker, code: &str) {
    m.happens(json!({"k": "ink", "printer": "ijp1", "thing": "b13", "hex": code}));
    m.each("printed", &[code.into()], &json!({"device": "ijp1"}));
    m.happens(json!({"k": "pass", "station": "bottle-check", "thing": "b13"}));
    m.happens(json!({"k": "read", "reader": "cam1", "thing": "b13", "hex": code}));
    let passage = m.verdict("bottle-check", Some(code), None);
    m.take_back("bottle-check", passage, code);
    m.happens(json!({"k": "gate", "station": "bottle-check", "thing": "b13", "out": "reject"}));
    m.end("b13", "reject-bin");
}

/// Its frame shows nothing but its own code.
pub(super) fn short_box(m: &mut Maker) {
    let code = box_code(2);
    m.happens(json!({"k": "apply", "thing": "x2", "hex": code}));
    m.happens(json!({"k": "pass", "station": "box-pack", "thing": "x2"}));
    m.happens(json!({"k": "read", "reader": "cam2", "thing": "x2", "hex": code}));
    m.touch(&code, "box", "p2", 2, "rejected");
    m.row(&code).reason = Some("under-count");
    m.verdict("box-pack", Some(&code), Some("under-count"));
    m.happens(json!({"k": "gate", "station": "box-pack", "thing": "x2", "out": "reject"}));
    m.end("x2", "reject-bin");
}

/// The daemon dies with one bottle read and short of its gate: it goes through while nobody looks, and is named later.
pub(super) fn crash(m: &mut Maker, codes: &[String]) {
    let code = codes[16].clone();
    m.happens(json!({"k": "ink", "printer": "ijp1", "thing": "b16", "hex": code}));
    m.each("printed", std::slice::from_ref(&code), &json!({"device": "ijp1"}));
    m.happens(json!({"k": "pass", "station": "bottle-check", "thing": "b16"}));
    m.happens(json!({"k": "read", "reader": "cam1", "thing": "b16", "hex": code}));
    let passage = m.verdict("bottle-check", Some(&code), None);
    m.happens(json!({"k": "link", "device": "io1", "up": false}));
    m.happens(json!({"k": "gate", "station": "bottle-check", "thing": "b16", "out": "pass"}));
    m.end("b16", "belt");
    // A bare bottle crosses the eye while no daemon runs: missed.
    m.happens(json!({"k": "pass", "station": "bottle-check", "thing": "bare"}));
    m.happens(json!({"k": "safe", "device": "io1", "on": true}));
    m.happens(json!({"k": "belt", "on": false}));
    m.boot = "boot-2";
    m.each("doubtful", &codes[17..19], &json!({"why": "restart"}));
    for c in &codes[17..19] {
        m.row(c).state = "doubtful";
    }
    m.take_back("bottle-check", passage, &code);
    m.book(json!({"k": "job", "id": "J", "to": "held"}));
    m.happens(json!({"k": "link", "device": "io1", "up": true}));
    m.book(json!({"k": "restart", "clean": false, "missed": {"bottle-check": 1, "box-pack": 0, "case-pack": 0, "case-check": 0}}));
    m.book(json!({"k": "job", "id": "J", "to": "running"}));
    // Long after the last permit of the daemon that died: this start is the new one's.
    m.quiet();
    m.happens(json!({"k": "belt", "on": true}));
    m.happens(json!({"k": "gate", "station": "bottle-check", "thing": "bare", "out": "reject"}));
    m.end("bare", "reject-bin");
    // Seen downstream: the escape gets its name.
    m.each("escaped", &[code], &json!({"station": "bottle-check", "passage": passage, "was": "late"}));
}
