//! Literal bytes of EPT033760 and of a live Ax. If one fails, do not change the test.

use super::*;

const L: Link = Link::FIRST;

fn printer(depth: usize, fixed_response: bool) -> Codenet {
    let how = CodenetHow { depth, fixed_response, serial: false, labels: vec!["NOICE KM 200ML".into(), "BOTTLE".into()], resident: false };
    let mut p = Codenet::new(how, Rng::new(1));
    p.connected(L, 0);
    p
}

/// Sends one request and answers the reply and its time.
fn ask(p: &mut Codenet, now_us: &mut u64, request: &[u8]) -> Vec<u8> {
    p.received(L, request, *now_us);
    let mut all = Vec::new();
    while let Some(t) = p.deadline() {
        *now_us = t;
        p.due(t);
        while let Some((_, Emission::Send(b))) = p.poll() {
            all.extend(b);
        }
    }
    all
}

#[test]
fn vectors_of_the_documents() {
    let (mut p, mut now) = (printer(1, false), 0);
    assert_eq!(ask(&mut p, &mut now, b"\x1bA?\x04"), *b"\x1bA01560670600\x04");
    assert_eq!(ask(&mut p, &mut now, b"\x1bO1?\x04"), *b"\x1bO100100\x04");
    let label_asked = now;
    assert_eq!(ask(&mut p, &mut now, b"\x1bON114NOICE KM 200ML\x04"), [0x06]);
    assert!((250_000..=750_000).contains(&(now - label_asked)), "a label change takes 250–750 ms");
    assert_eq!(ask(&mut p, &mut now, b"\x1bP1?\x04"), *b"\x1bP1NOI\x04");
    assert_eq!(ask(&mut p, &mut now, b"\x1bOE0004ABCD\x04"), [0x06]);
    assert_eq!(ask(&mut p, &mut now, b"\x1bOE0004EFGH\x04"), *b"\x15000", "full");
    assert_eq!(ask(&mut p, &mut now, b"\x1bOE00000\x04"), [0x06]);
    assert_eq!(p.fill(), 0);
    assert_eq!(ask(&mut p, &mut now, b"\x1bQ1Y\x04"), [0x06]);
    assert_eq!(ask(&mut p, &mut now, b"\x1bQ1?\x04"), *b"\x1bQ1Y\x04");
    assert_eq!(ask(&mut p, &mut now, b"\x1bT1?\x04"), *b"\x1bT10000000000\x04");
    assert_eq!(ask(&mut p, &mut now, b"\x1bOS?\x04"), *b"\x1bOS\xd3\x07\x04");
    assert_eq!(ask(&mut p, &mut now, b"\x1bP1999\x04"), *b"\x15004", "absent label, seen on a live unit");
    assert_eq!(ask(&mut p, &mut now, b"\x1b}D?\x04"), *b"\x15003", "Codenet 2, seen on a live unit");
    assert_eq!(ask(&mut p, &mut now, b"A?\x04"), *b"\x15002", "ESC expected");
}

#[test]
fn fixed_responses_carry_three_digits() {
    let (mut p, mut now) = (printer(1, true), 0);
    assert_eq!(ask(&mut p, &mut now, b"\x1bOE0004ABCD\x04"), *b"\x06000");
    assert_eq!(ask(&mut p, &mut now, b"\x1bOE0004EFGH\x04"), *b"\x15000");
}

#[test]
fn each_product_takes_the_oldest_code_and_says_so_with_one_byte() {
    let (mut p, mut now) = (printer(2, false), 0);
    ask(&mut p, &mut now, b"\x1bON106BOTTLE\x04");
    assert_eq!(ask(&mut p, &mut now, b"\x1bI1A\x04"), [0x06]);
    ask(&mut p, &mut now, b"\x1bOE0002a1\x04");
    ask(&mut p, &mut now, b"\x1bOE0003a\x1d2\x04");
    assert_eq!(p.print(now), Some(b"a1".to_vec()));
    assert_eq!(ask(&mut p, &mut now, b""), *b"A");
    assert_eq!(p.print(now), Some(b"a\x1d2".to_vec()));
    assert_eq!(ask(&mut p, &mut now, b""), *b"A");
    assert_eq!(p.print(now), None, "an empty FIFO prints nothing");
    assert_eq!(ask(&mut p, &mut now, b""), *b"");
    assert_eq!(ask(&mut p, &mut now, b"\x1bO1?\x04"), *b"\x1bO105102\x04", "no data");
    assert_eq!(ask(&mut p, &mut now, b"\x1bT1?\x04"), *b"\x1bT10000000003\x04", "products, not prints");
    assert_eq!(ask(&mut p, &mut now, b"\x1bI1 \x04"), [0x06]);
    ask(&mut p, &mut now, b"\x1bOE0002a3\x04");
    assert_eq!(p.print(now), Some(b"a3".to_vec()));
    assert_eq!(ask(&mut p, &mut now, b""), *b"", "switched off");
}

#[test]
fn bytes_sent_before_the_reply_are_lost() {
    let (mut p, mut now) = (printer(8, false), 0);
    assert_eq!(ask(&mut p, &mut now, b"\x1bOE0002a1\x04\x1bOE0002a2\x04"), [0x06], "one reply for two requests in one go");
    assert_eq!(p.fill(), 1);
    assert_eq!(ask(&mut p, &mut now, b"\x1bOE0002a2\x04"), [0x06]);
    assert_eq!(p.fill(), 2);
}

#[test]
fn requests_may_come_in_pieces_and_nonsense_is_refused() {
    let (mut p, mut now) = (printer(1, false), 0);
    for b in b"\x1bOE0004ABC" {
        assert!(ask(&mut p, &mut now, &[*b]).is_empty());
    }
    assert_eq!(ask(&mut p, &mut now, b"D\x04"), [0x06]);
    p.trouble(Trouble::DropBuffer, now);
    for (bad, code) in [
        (&b"\x1bOE0005ABCD\x04"[..], "004"),
        (b"\x1bOE1025A\x04", "011"),
        (b"\x1bOE00\x04", "008"),
        (b"\x1bZZ\x04", "003"),
        (b"\x04", "002"),
    ] {
        assert_eq!(ask(&mut p, &mut now, bad), [b"\x15", code.as_bytes()].concat(), "{bad:02x?}");
    }
    assert_eq!(ask(&mut p, &mut now, &[&[0x1b; 5_000][..], &[4]].concat()), *b"\x15010");
    assert_eq!(ask(&mut p, &mut now, b"\x1bA?\x04"), *b"\x1bA01560670600\x04", "it goes on");
}

#[test]
fn power_takes_everything_a_link_only_what_is_under_way() {
    let (mut p, mut now) = (printer(2, false), 0);
    ask(&mut p, &mut now, b"\x1bON106BOTTLE\x04");
    ask(&mut p, &mut now, b"\x1bI1A\x04");
    ask(&mut p, &mut now, b"\x1bOE0002a1\x04");
    p.disconnected(L, now);
    assert_eq!(p.print(now), Some(b"a1".to_vec()), "the FIFO outlives a link");
    p.connected(Link(1), now);
    p.received(Link(1), b"\x1bOE0002a2\x04", now);
    p.power(false, now);
    p.power(true, now);
    p.connected(L, now);
    assert_eq!((p.print(now), p.fill()), (None, 0));
    ask(&mut p, &mut now, b"\x1bOE0002a3\x04");
    assert_eq!(p.print(now), None, "no label is selected");
    ask(&mut p, &mut now, b"\x1bON106BOTTLE\x04");
    ask(&mut p, &mut now, b"\x1bOE0002a3\x04");
    assert_eq!(p.print(now), Some(b"a3".to_vec()));
    assert_eq!(ask(&mut p, &mut now, b""), *b"", "the armed byte is gone too");
}

#[test]
fn troubles() {
    let (mut p, mut now) = (printer(4, false), 0);
    ask(&mut p, &mut now, b"\x1bON106BOTTLE\x04");
    ask(&mut p, &mut now, b"\x1bI1A\x04");
    p.trouble(Trouble::Refuse, now);
    assert_eq!(ask(&mut p, &mut now, b"\x1bOE0002a1\x04"), *b"\x15000");
    assert_eq!(p.fill(), 0, "a refusal means not taken");
    p.trouble(Trouble::Silence, now);
    assert_eq!(ask(&mut p, &mut now, b"\x1bOE0002a1\x04"), *b"");
    now += 10_000;
    p.trouble(Trouble::DropBuffer, now);
    assert_eq!(ask(&mut p, &mut now, b"\x1bOE0002a2\x04"), [0x06]);
    p.trouble(Trouble::DoubleAck, now);
    assert_eq!(p.print(now), Some(b"a2".to_vec()));
    assert_eq!(ask(&mut p, &mut now, b""), *b"AA");
    ask(&mut p, &mut now, b"\x1bOE0002a3\x04");
    p.trouble(Trouble::Fault { ms: 1000 }, now);
    assert_eq!(ask(&mut p, &mut now, b"\x1bO1?\x04"), *b"\x1bO101104\x04");
    assert_eq!(p.print(now), None);
    assert_eq!(p.print(now + 1_000_000), Some(b"a3".to_vec()), "the fault is over, its code still there");
}

#[test]
fn a_silence_loses_now_the_request_now_the_reply() {
    let fates: std::collections::BTreeSet<usize> = (0..32)
        .map(|seed| {
            let mut p = Codenet::new(printer(4, false).how, Rng::new(seed));
            p.connected(L, 0);
            p.trouble(Trouble::Silence, 0);
            assert_eq!(ask(&mut p, &mut 0, b"\x1bOE0002a1\x04"), *b"");
            p.fill()
        })
        .collect();
    assert_eq!(fates, [0, 1].into());
}
