//! What the transcripts do not say: counts that cannot be true, refusals, and orders of a time that is over.

use super::*;
use crate::profile::Profiles;
use crate::vocab::plan::Setting;
use crate::wire::transcript::{code, shown};

struct Rig {
    host: Codenet,
    now_us: u64,
}

impl Rig {
    fn new(settings: &[(&str, Setting)]) -> Self {
        let given = settings.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
        let bound = Profiles::load(None).unwrap().bind("domino-codenet", &given).unwrap();
        Self { host: Codenet::new(&bound, false), now_us: 1_000_000 }
    }

    /// Armed and ready, with a byte per print.
    fn ready() -> Self {
        let mut r = Self::new(&[("ack_char", Setting::Text("A".into())), ("depth", Setting::Number(2))]);
        r.adopt();
        r
    }

    /// With an empty FIFO.
    fn adopt(&mut self) {
        self.host.opened(self.now_us);
        self.host.ordered(Order::Arm { message: None, fields: vec![] }, self.now_us);
        for reply in [&b"\x1bA01\x04"[..], b"\x06", b"\x06", b"\x1bQ1Y\x04", b"\x1bO100100\x04"] {
            self.hear(reply);
        }
        assert_eq!(self.host.stage, Stage::Ready);
    }

    /// What our side does: bytes in quotes, reports in words.
    fn does(&mut self) -> String {
        let mut all = Vec::new();
        while let Some(a) = self.host.poll() {
            all.push(match a {
                Action::Send(b) => format!("\"{}\"", String::from_utf8_lossy(&b[1..b.len() - 1])),
                Action::Tell(r) => shown(&r),
                Action::HangUp { .. } => "hang-up".into(),
                Action::Command(b) => panic!("{b:?}: a printer has one link"),
            });
        }
        all.join(", ")
    }

    fn hear(&mut self, bytes: &[u8]) -> String {
        self.host.received(bytes, self.now_us);
        self.does()
    }

    fn print(&mut self, n: u32) -> String {
        self.order(Order::Print { code: code(n), bytes: n.to_string().into_bytes() })
    }

    fn order(&mut self, order: Order) -> String {
        self.host.ordered(order, self.now_us);
        self.does()
    }

    fn wait(&mut self, ms: u64) -> String {
        let until = self.now_us + ms * MS;
        while let Some(d) = self.host.deadline().filter(|d| *d <= until) {
            self.now_us = self.now_us.max(d);
            self.host.due(self.now_us);
        }
        self.now_us = until;
        self.does()
    }

    /// Codes 0 and 1 taken, code 2 refused twice: two fit.
    fn full() -> Self {
        let mut r = Self::ready();
        assert_eq!(r.print(0), "\"OE00010\"");
        assert_eq!(r.hear(b"\x06"), "taken 0");
        assert_eq!((r.print(1), r.hear(b"\x06")), ("\"OE00011\"".into(), "taken 1".into()));
        assert_eq!((r.print(2), r.hear(b"\x15000")), ("\"OE00012\"".into(), String::new()));
        assert_eq!((r.wait(20), r.hear(b"\x15000")), ("\"OE00012\"".into(), String::new()));
        r
    }
}

#[test]
fn a_full_printer_is_left_alone_until_it_prints() {
    let mut r = Rig::full();
    assert_eq!(r.wait(240), "");
    assert_eq!(r.hear(b"A"), "printed 1, \"OE00012\"");
    assert_eq!(r.hear(b"\x06"), "taken 2");
}

#[test]
fn a_print_byte_that_came_twice_is_found_out() {
    let mut r = Rig::full();
    assert_eq!(r.hear(b"AA"), "printed 2, \"OE00012\"");
    assert_eq!(r.hear(b"\x06"), "taken 2");
    // One more is believed to fit, and does not, twice.
    assert_eq!((r.print(3), r.hear(b"\x15000")), ("\"OE00013\"".into(), String::new()));
    assert_eq!(r.wait(20), "\"OE00013\"");
    assert_eq!(r.hear(b"\x15000"), "out-of-step, hang-up");
}

#[test]
fn a_single_refusal_is_a_whim() {
    let mut r = Rig::full();
    assert_eq!(r.hear(b"A"), "printed 1, \"OE00012\"");
    assert_eq!(r.hear(b"\x15000"), "");
    assert_eq!((r.wait(20), r.hear(b"\x06")), ("\"OE00012\"".into(), "taken 2".into()));
}

#[test]
fn a_print_byte_that_never_comes_is_found_out() {
    let mut r = Rig::full();
    assert_eq!(r.wait(250), "\"OE00012\"");
    assert_eq!(r.hear(b"\x06"), "taken 2");
    assert_eq!(r.wait(1_400), "\"O1?\"");
    assert_eq!(r.hear(b"\x1bO100100\x04"), "");
    assert_eq!(r.wait(700), "out-of-step, hang-up");
}

#[test]
fn a_print_byte_may_overtake_the_acknowledgement_of_its_code() {
    let mut r = Rig::ready();
    r.print(0);
    assert_eq!(r.hear(b"A"), "");
    assert_eq!(r.hear(b"\x06"), "taken 0, printed 1");
    // Nothing of ours is in it: noise, nobody's print.
    assert_eq!(r.hear(b"A"), "");
    assert_eq!(r.wait(20), "noise 1");
}

#[test]
fn a_second_acknowledgement_in_one_piece_answers_nothing() {
    let mut r = Rig::ready();
    r.print(0);
    assert_eq!(r.print(1), "");
    assert_eq!(r.hear(b"\x06\x06"), "taken 0, out-of-step, hang-up");
    r.host.closed(r.now_us, "hung up");
    assert_eq!(r.does(), "down");
}

#[test]
fn a_clear_drops_what_was_not_offered_and_what_was_refused() {
    let mut r = Rig::full();
    assert_eq!(r.print(3), "");
    assert_eq!(r.order(Order::Clear), "\"OE00000\"");
    assert_eq!(r.print(4), "", "an order of before the clear");
    assert_eq!(r.hear(b"A\x06"), "printed 1, \"I1B\"", "of the other its print may be under way");
    assert_eq!(r.print(4), "", "of before the clear still");
    assert_eq!(r.hear(b"\x06"), "cleared");
    assert_eq!(r.print(5), "\"OE00015\"");
}

/// A print that was under way when the FIFO was emptied: its byte comes when there is a new code already.
#[test]
fn a_print_byte_of_before_a_clear_is_nobodys() {
    let mut r = Rig::full();
    r.order(Order::Clear);
    assert_eq!((r.hear(b"\x06"), r.hear(b"\x06")), ("\"I1B\"".into(), "cleared".into()));
    r.print(5);
    assert_eq!(r.hear(b"A\x06A"), "taken 5");
    assert_eq!(r.wait(20), "noise 2");
    assert_eq!(r.hear(b"B"), "printed 1");
    // Every code has its byte: the next clear needs no other letter.
    r.order(Order::Clear);
    assert_eq!(r.hear(b"\x06"), "cleared");
}

/// The same over a trouble that the printer is adopted anew after, the link unbroken.
#[test]
fn a_print_byte_of_before_an_adoption_is_nobodys() {
    let mut r = Rig::full();
    while r.wait(250) == "\"OE00012\"" {
        r.hear(b"\x15000");
    }
    assert_eq!(r.hear(b"\x1bO101104\x04"), "not-ready");
    assert_eq!((r.wait(1_000), r.hear(b"\x1bO100100\x04")), ("\"O1?\"".into(), "\"OE00000\"".into()));
    assert_eq!(r.hear(b"\x06"), "\"I1B\"");
    r.hear(b"A\x06");
    r.hear(b"\x1bQ1Y\x04");
    assert_eq!(r.hear(b"\x1bO100100\x04"), "ready cleared");
    r.print(5);
    assert_eq!((r.hear(b"\x06A"), r.hear(b"B")), ("taken 5".into(), "printed 1".into()));
}

/// Not so over a code on its way as the link was lost: it may have been taken and printed.
#[test]
fn a_code_on_its_way_may_owe_a_print_byte_as_well() {
    let mut r = Rig::ready();
    r.print(0);
    r.host.closed(r.now_us, "pulled");
    r.host.opened(r.now_us);
    r.does();
    assert_eq!((r.hear(b"\x1bA01\x04"), r.hear(b"\x06")), ("up 01, \"OE00000\"".into(), "\"I1B\"".into()));
}

#[test]
fn letters_go_round_and_no_more_than_one_clear_is_told() {
    let mut r = Rig::new(&[("ack_char", Setting::Text("Z".into()))]);
    r.adopt();
    r.print(0);
    r.hear(b"\x06");
    r.order(Order::Clear);
    assert_eq!(r.hear(b"\x06"), "\"I1A\"");
    // Armed anew before the letter's answer: the clear is done, and the adoption goes its way.
    assert_eq!(r.order(Order::Arm { message: None, fields: vec![] }), "cleared");
    assert_eq!((r.hear(b"\x06"), r.hear(b"\x06")), ("\"OE00000\"".into(), "\"I1A\"".into()));
}

#[test]
fn a_code_refused_while_a_clear_waits_is_not_offered_again() {
    let mut r = Rig::ready();
    r.print(0);
    assert_eq!(r.order(Order::Clear), "");
    assert_eq!(r.hear(b"\x15000"), "\"OE00000\"");
    assert_eq!(r.hear(b"\x06"), "cleared");
    assert_eq!(r.wait(300), "");
}

#[test]
fn a_code_that_cannot_be_printed_is_told_and_the_others_go_on() {
    for bytes in [&b"a\x04b"[..], b"", "酱".as_bytes(), &[b'x'; 1025]] {
        let mut r = Rig::ready();
        assert_eq!(r.order(Order::Print { code: code(0), bytes: bytes.to_vec() }), "unprintable 0");
        assert_eq!(r.print(1), "\"OE00011\"");
    }
}

#[test]
fn fields_and_messages_that_codenet_cannot_set_are_refused() {
    let mut r = Rig::ready();
    assert_eq!(r.order(Order::Arm { message: None, fields: vec![("lot".into(), "L1".into())] }), "not-ready");
    assert_eq!(r.order(Order::Arm { message: Some("瓶".into()), fields: vec![] }), "not-ready");
    assert_eq!(r.order(Order::Arm { message: Some("GONE".into()), fields: vec![] }), "\"OE00000\"");
    assert_eq!(r.hear(b"\x06"), "\"ON104GONE\"");
    assert_eq!(r.hear(b"\x15004"), "not-ready");
}

#[test]
fn a_silent_printer_is_noticed_without_any_order() {
    let mut r = Rig::new(&[]);
    r.host.opened(r.now_us);
    assert_eq!((r.does(), r.hear(b"\x1bA01\x04")), ("\"A?\"".into(), "up 01".into()));
    assert_eq!(r.wait(1_500), "\"O1?\"");
    assert_eq!(r.wait(1_000), "hang-up");
}

#[test]
fn a_job_that_ended_is_not_armed_again_by_a_new_link() {
    let mut r = Rig::ready();
    assert_eq!(r.order(Order::Disarm), "\"I1 \"");
    r.hear(b"\x06");
    r.host.closed(r.now_us, "pulled");
    r.host.opened(r.now_us);
    r.does();
    assert_eq!(r.hear(b"\x1bA01\x04"), "up 01");
}
