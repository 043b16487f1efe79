//! The bytes of every event, as stored since the first release. If this fails, do not change the test: a stored event is
//! never re-encoded, so a variant or field that changed its bytes makes every ledger in the field unreadable. Give the
//! change a new variant at the end instead, and its bytes a new line here.

use packmark::vocab::code::{hex, unhex};
use packmark::vocab::event::{Event, NameKind, Origin, Seen};
use packmark::vocab::sscc::RangeRule;
use packmark::vocab::supply::OrderOutcome;
use packmark::vocab::token::TokenRule;
use packmark::vocab::*;

fn c(ordinal: u32) -> CodeRef {
    CodeRef::new(PackNo(3), ordinal)
}

fn events() -> Vec<(Event, &'static str)> {
    let codes = || vec![c(0), c(300)];
    let sscc = RangeRule::Sscc { prefix: "6901234".into(), extension: 1, start: 7 };
    let serial = RangeRule::Serial { prefix: "C".into(), digits: 8, start: 200 };
    let block = RangeRule::Block { of: Box::new(serial.clone()), end: 300 };
    let token = TokenRule { alphabet: "AB".into(), length: 8, template: "q/{token}.".into() };
    let accepted =
        |origin| Event::PackAccepted { pack: PackNo(3), id: "p3".into(), level: "box".into(), product: "P1".into(), count: 1000, origin };
    let verdict =
        |good, reason, seen, to, revises| Event::Verdict { station: StationNo(1), passage: Passage(300), good, reason, seen, to, revises };
    let job = |target, expiry| Event::JobCreated { job: JobNo(2), id: "J".into(), product: "P1".into(), lot: "A".into(), target, expiry };
    vec![
        (Event::Named { kind: NameKind::Level, no: 0, name: "bottle".into() }, "00000006626f74746c65"),
        (Event::Named { kind: NameKind::Station, no: 1, name: "s".into() }, "0001010173"),
        (Event::Named { kind: NameKind::Device, no: 2, name: "d".into() }, "0002020164"),
        (Event::Started { clean: false, missed: vec![(StationNo(1), Some(300)), (StationNo(2), None)] }, "0100020101ac020200"),
        (Event::Stopped, "02"),
        (
            accepted(Origin::Segments { sha256: [0xab; 32] }),
            "030302703303626f78025031e80700abababababababababababababababababababababababababababababababab",
        ),
        (
            accepted(Origin::Related { sha256: [0xab; 32], parents: PackNo(4) }),
            "030302703303626f78025031e80702abababababababababababababababababababababababababababababababab04",
        ),
        (accepted(Origin::Range(sscc)), "030302703303626f78025031e807010007363930313233340107"),
        (accepted(Origin::Range(serial)), "030302703303626f78025031e8070101014308c801"),
        (accepted(Origin::Range(block)), "030302703303626f78025031e807010201014308c801ac02"),
        (job(None, None), "0402014a02503101410000"),
        (job(Some(500), Some("2027-01-31".into())), "0402014a025031014101f403010a323032372d30312d3331"),
        (Event::JobMoved { job: JobNo(2), to: JobState::Completing }, "050203"),
        (Event::Leased { job: JobNo(2), pack: PackNo(3), from: 5, count: 256 }, "060203058002"),
        (Event::Unleased { job: JobNo(2), pack: PackNo(3), from: 5, count: 256 }, "070203058002"),
        (Event::Sent { device: DeviceNo(4), codes: codes() }, "080402030003ac02"),
        (Event::Printed { device: DeviceNo(4), codes: codes() }, "090402030003ac02"),
        (Event::Doubtful { device: Some(DeviceNo(4)), codes: codes(), why: Doubt::Silence }, "0a010402030003ac0200"),
        (Event::Doubtful { device: None, codes: codes(), why: Doubt::Restored }, "0a0002030003ac0204"),
        (Event::Void { codes: codes() }, "0b02030003ac02"),
        (Event::Missing { codes: codes() }, "0c02030003ac02"),
        (Event::Withdrawn { codes: codes(), reason: Reason::Late }, "0d02030003ac020b"),
        (Event::Read { station: StationNo(1), seen: Seen::Known(c(7)) }, "0e01000307"),
        (Event::Read { station: StationNo(1), seen: Seen::Unknown(vec![0x1d, 0x41]) }, "0e0101021d41"),
        (verdict(true, None, Some(Seen::Known(c(7))), Some(ItemState::Verified), false), "0f01ac02010001000307010400"),
        (verdict(false, Some(Reason::Escape), Some(Seen::Unknown(vec![1])), None, true), "0f01ac0200010d010101010001"),
        (Event::Through { station: StationNo(1), code: c(7), queue: Some(StationNo(3)) }, "100103070103"),
        (Event::Escaped { station: StationNo(1), passage: Passage(300), was: Reason::NoRead, code: c(7) }, "1101ac02000307"),
        (Event::Opened { parent: ParentNo(9), station: StationNo(2), level: LevelNo(1), code: Some(c(8)) }, "12090201010308"),
        (Event::Gathered { parent: ParentNo(9), code: c(7) }, "13090307"),
        (Event::Closed { parent: ParentNo(9), code: Some(c(8)), children: codes() }, "140901030802030003ac02"),
        (Event::Labelling { parent: ParentNo(9) }, "1509"),
        (Event::Sealed { parent: ParentNo(9), station: StationNo(2) }, "160902"),
        (Event::Relabelled { parent: ParentNo(9), void: c(8), next: c(9) }, "170903080309"),
        (Event::Undone { parent: ParentNo(9), broken: true, reason: Some(Reason::UnderCount) }, "1809010109"),
        (Event::TakenOut { parent: ParentNo(9), code: c(7), why: "w".into() }, "190903070177"),
        (Event::Purged { station: StationNo(3) }, "1a03"),
        (Event::StationCleared { station: StationNo(3) }, "1b03"),
        (Event::Clock { step_ms: -2500, suspect: true }, "1c872701"),
        (Event::LineMoved { to: PackMl::Held, reason: Some("r".into()) }, "1d09010172"),
        (Event::Alarm { name: "a".into(), on: true }, "1e016101"),
        (Event::Counter { station: StationNo(1), value: u32::MAX }, "1f01ffffffff0f"),
        (Event::Forgiven { station: StationNo(1) }, "2001"),
        (Event::Headline { stations: vec![StationNo(1)] }, "210101"),
        (Event::Answered { key: "k".into(), answer: "{}".into() }, "22016b027b7d"),
        (Event::Forgotten { keys: vec!["k".into()] }, "2301016b"),
        (Event::Purpose { pack: PackNo(3), purpose: "p".into() }, "24030170"),
        (Event::PackExpiry { pack: PackNo(3), date: "2027-01-31".into() }, "25030a323032372d30312d3331"),
        (Event::PackUsed { pack: PackNo(3) }, "2603"),
        (Event::PackDrawn { pack: PackNo(3), rule: token }, "2703024142080a712f7b746f6b656e7d2e"),
        (
            Event::PackWithdrawn { pack: PackNo(3), to: ItemState::Returned, count: 300, reason: "r".into(), who: Some("w".into()) },
            "28030cac020172010177",
        ),
        (Event::PackWithdrawn { pack: PackNo(3), to: ItemState::Void, count: 1, reason: "r".into(), who: None }, "28030b01017200"),
        (Event::Withdrew { pack: PackNo(3), from: 5, count: 256, to: ItemState::Void }, "29030580020b"),
        (Event::RangeCut { pack: PackNo(3), count: 300 }, "2a03ac02"),
        (Event::DuplicatesSkipped { pack: PackNo(3), within: 300, earlier: 2, named: vec!["d".into()] }, "2b03ac0202010164"),
        (
            Event::Ordered { order: OrderNo(2), level: "box".into(), product: "P1".into(), count: 300, token: "ab".into() },
            "2c0203626f78025031ac02026162",
        ),
        (
            Event::OrderEnded { order: OrderNo(2), outcome: OrderOutcome::FetchedTwice, pack: Some(PackNo(3)), lost: 0, why: None },
            "2d020101030000",
        ),
        (
            Event::OrderEnded { order: OrderNo(2), outcome: OrderOutcome::Cancelled, pack: None, lost: 300, why: Some("w".into()) },
            "2d020300ac02010177",
        ),
        (Event::SetupPrint { device: DeviceNo(4), dummy: "d".into() }, "2e040164"),
    ]
}

#[test]
fn bytes_of_every_event() {
    let mut variants = std::collections::BTreeSet::new();
    for (event, frozen) in events() {
        let bytes = postcard::to_stdvec(&event).unwrap();
        variants.insert(bytes[0]);
        assert_eq!(hex(&bytes), frozen, "{event:?}");
        assert_eq!(postcard::from_bytes::<Event>(&unhex(frozen).unwrap()).unwrap(), event);
    }
    let known: Vec<u8> = (0..variants.len() as u8).collect();
    assert_eq!(variants.into_iter().collect::<Vec<_>>(), known, "every variant, in its order");
    // The next number means nothing yet: were there a variant that this list lacks, it would decode.
    let next = [&[known.len() as u8][..], &[0; 40]].concat();
    assert!(postcard::take_from_bytes::<Event>(&next).is_err(), "a variant is missing from this list");
}

/// Numbers inside events that are enums by themselves.
#[test]
fn bytes_of_the_enums_inside() {
    let place = |n: usize, len: usize| (n < len).then_some(n as u8);
    for (i, s) in ItemState::ALL.iter().enumerate() {
        assert_eq!(postcard::to_stdvec(s).unwrap(), [place(i, 13).unwrap()]);
    }
    let words = |all: Vec<&'static str>| all.join(" ");
    assert_eq!(
        words(ItemState::ALL.iter().map(|s| s.word()).collect()),
        "pooled leased sent printed verified packed doubtful missing rejected sampled destroyed void returned"
    );
    assert_eq!(
        words(Reason::ALL.iter().map(|s| s.word()).collect()),
        "no-read duplicate foreign wrong-product wrong-level wrong-job not-printed void over-count under-count grade late altered escape"
    );
    assert_eq!(words(Doubt::ALL.iter().map(|s| s.word()).collect()), "silence reset restart cleared restored");
    assert_eq!(words(JobState::ALL.iter().map(|s| s.word()).collect()), "created running held completing completed aborted");
    assert_eq!(
        words(PackMl::ALL.iter().map(|s| s.word()).collect()),
        "stopped starting idle suspended execute stopping aborting aborted holding held unholding completing complete"
    );
}
