//! Frames as documents show them, cut anywhere; and whatever else may come.

use super::*;
use crate::profile::reader::{Covers, Order, Sum, SumForm};
use proptest::prelude::*;

fn framing(form: Form) -> Framing {
    Framing { form, timeout_ms: 100, max_bytes: 256, ..Framing::default() }
}

fn delimited(start: &str, ends: &[&str], skip: &str, blank: bool) -> Framing {
    let end = ends.iter().map(|e| e.to_string()).collect();
    framing(Form::Delimited { start: start.into(), end, skip: skip.into(), blank })
}

/// Frames, and how many bytes were named as lost.
fn cut(how: &Framing, chunks: &[&[u8]]) -> (Vec<Vec<u8>>, usize) {
    let (mut f, mut out) = (Frames::new(how.clone(), &[]), Vec::new());
    for c in chunks {
        f.feed(c, 0, &mut out);
    }
    f.due(10_000_000, &mut out);
    let (mut got, mut lost) = (Vec::new(), 0);
    for p in out {
        match p {
            Piece::Frame(b) => got.push(b),
            Piece::Junk(b) | Piece::Broken(b) => lost += b.len(),
        }
    }
    (got, lost)
}

fn texts(how: &Framing, bytes: &[u8]) -> Vec<String> {
    cut(how, &[bytes]).0.into_iter().map(|f| String::from_utf8_lossy(&f).into_owned()).collect()
}

#[test]
fn lines_end_as_their_profile_says() {
    assert_eq!(texts(&delimited("", &["\r", "\n"], "", false), b"A\rB\nC\r\n\r\nD\r"), ["A", "B", "C", "D"]);
    assert_eq!(texts(&delimited("", &["\r"], "\n", true), b"A\r\nB\r\rC"), ["A", "B", ""]);
    assert_eq!(texts(&delimited("", &["\n"], "", false), b"A\rB\nC\n"), ["A\rB", "C"]);
    assert_eq!(texts(&delimited("", &["\r\n"], "", false), b"A\nB\r\nC\rD\r\n"), ["A\nB", "C\rD"]);
    assert_eq!(texts(&delimited("%P", &["\r"], "", false), b"xx%P01\r%%P02\r"), ["01", "02"]);
}

#[test]
fn an_envelope_names_what_stands_outside_it() {
    let (got, lost) = cut(&delimited("\u{2}", &["\u{3}"], "\r\n", true), &[b"xx\x02A\rB\x03\r\ny\x02half\x02whole\x03"]);
    assert_eq!(got, [b"A\rB".to_vec(), b"whole".to_vec()]);
    assert_eq!(lost, 3 + 4);
}

#[test]
fn checksums_before_and_behind_the_end() {
    let sum = |kind, covers, form, place| Some(Checksum { kind, covers, form, place, order: Order::Big });
    let mut how = delimited("\u{2}", &["\u{3}"], "", true);
    // Exclusive or of ABC and ETX: 40 ^ 03 = 43.
    how.checksum = sum(Sum::Xor, Covers::BodyEnd, SumForm::Binary, SumPlace::AfterEnd);
    assert_eq!(cut(&how, &[b"\x02ABC\x03", b"C\x02ABC\x03D\x02\x03\x03"]), (vec![b"ABC".to_vec(), b"".to_vec()], 6));
    how.checksum = sum(Sum::Crc16, Covers::Body, SumForm::Hex, SumPlace::BeforeEnd);
    assert_eq!(cut(&how, &[b"\x02123456789bb3D\x03\x02123456789BB3E\x03\x02B\x03"]), (vec![b"123456789".to_vec()], 15 + 3));
    how.checksum = sum(Sum::Lrc, Covers::StartBody, SumForm::Hex, SumPlace::BeforeEnd);
    // 02 + 41 = 43; its two's complement is BD.
    assert_eq!(texts(&how, b"\x02ABD\x03"), ["A"]);
}

#[test]
fn counted_frames_and_what_is_none() {
    let length = |order, adds| framing(Form::Length { start: "\u{2}".into(), bytes: 2, order, adds });
    assert_eq!(cut(&length(Order::Big, 0), &[b"x\x02\x00\x03ABC\x02", b"\x00\x01D"]), (vec![b"ABC".to_vec(), b"D".to_vec()], 1));
    assert_eq!(texts(&length(Order::Little, -2), b"\x02\x05\x00ABC"), ["ABC"], "a length that counts itself");
    let (got, lost) = cut(&length(Order::Big, 0), &[b"\x02\xff\xff\x02\x00\x01A"]);
    assert_eq!((got, lost), (vec![b"A".to_vec()], 3), "longer than a frame may be");
    let ssi = framing(Form::Ssi);
    assert_eq!(
        cut(&ssi, &[b"\x08\xf3\x00\x00\x1bABC\xfe", b"\x24\x08\xf3\x00\x00\x1bABC\xfe\x25"]),
        (vec![b"\xf3\0\0\x1bABC".to_vec()], 10)
    );
    assert_eq!(cut(&framing(Form::ColaB), &[b"\x02\x02\x02\x02\0\0\0\x03ABC\x40"]), (vec![b"ABC".to_vec()], 0));
}

#[test]
fn a_silence_ends_a_frame_or_gives_it_up() {
    let mut f = Frames::new(Framing { strip: "\r\n".into(), drop: "\0".into(), ..framing(Form::IdleGap { gap_ms: 80 }) }, &[]);
    let mut out = Vec::new();
    f.feed(b"\0A", 0, &mut out);
    f.feed(b"B\0C\r\n", 79_999, &mut out);
    assert_eq!((f.deadline(), out.len()), (Some(159_999), 0));
    // The silence was over before anybody looked.
    f.feed(b"D", 200_000, &mut out);
    assert_eq!(out, [Piece::Frame(b"ABC".to_vec())]);
    assert_eq!(f.reset(), b"D");
    let (got, lost) = cut(&delimited("", &["\r"], "", false), &[b"half"]);
    assert_eq!((got.len(), lost), (0, 4));
}

#[test]
fn an_endless_frame_is_dropped_and_the_next_one_found() {
    for how in [delimited("", &["\r\n"], "", false), delimited("\u{2}", &["\u{3}"], "\r\n", false), framing(Form::JsonStream)] {
        let mut bytes = b"\x02{\"".to_vec();
        bytes.extend(vec![b'x'; 2_000]);
        bytes.extend(b"\x03\r\n\x02{\"good\":1}\x03\r\n");
        let (got, lost) = cut(&how, &[&bytes]);
        assert!(got.len() == 1 && got[0].windows(4).any(|w| w == b"good"), "{how:?}: {got:?}");
        assert!(lost > 1_500);
    }
}

/// Every form that a profile can say, with one frame of each.
fn forms() -> Vec<Framing> {
    let mut sum = delimited("\u{2}", &["\u{3}"], "", true);
    let place = SumPlace::AfterEnd;
    sum.checksum = Some(Checksum { kind: Sum::CrcCcitt, covers: Covers::StartBodyEnd, form: SumForm::Hex, place, order: Order::Little });
    vec![
        delimited("", &["\r", "\n"], "", false),
        delimited("", &["\r\n"], "", true),
        delimited("\u{2}", &["\u{3}", "\r\n"], "\r\n", true),
        sum,
        framing(Form::Length { start: String::new(), bytes: 1, order: Order::Big, adds: -1 }),
        framing(Form::Length { start: "\u{2}\u{2}".into(), bytes: 4, order: Order::Little, adds: 8 }),
        framing(Form::Ssi),
        framing(Form::ColaB),
        framing(Form::IdleGap { gap_ms: 1 }),
        framing(Form::JsonStream),
        framing(Form::Keyboard { end: vec![Key::Enter], event_bytes: 24 }),
        framing(Form::Keyboard { end: vec![Key::Tab], event_bytes: 16 }),
    ]
}

fn stuff() -> impl Strategy<Value = Vec<u8>> {
    let likely = prop::sample::select(b"\x02\x02\x03\r\n\x00\x01\x08{}\"\\ABC1\x1c".to_vec());
    prop::collection::vec(prop_oneof![likely, any::<u8>()], 0..800)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// However the bytes are cut, the same frames come of them; and what is held is bounded.
    #[test]
    fn cutting_anywhere_changes_nothing(bytes in stuff(), at in any::<prop::sample::Index>(), n in 0_usize..12) {
        let how = &forms()[n];
        let at = at.index(bytes.len() + 1);
        prop_assert_eq!(cut(how, &[&bytes]), cut(how, &[&bytes[..at], &bytes[at..]]));
        let (mut f, mut out) = (Frames::new(how.clone(), &[Key::F8]), Vec::new());
        for b in &bytes {
            f.feed(&[*b], 0, &mut out);
            prop_assert!(f.held() <= 256 + 32, "{} held", f.held());
        }
    }

    /// Every byte is in a frame, named as lost, or one that the form passes over.
    #[test]
    fn nothing_is_made_up(bytes in stuff(), n in 0_usize..10) {
        let (got, lost) = cut(&forms()[n], &[&bytes]);
        prop_assert!(got.iter().map(Vec::len).sum::<usize>() + lost <= bytes.len());
        for frame in got {
            prop_assert!(frame.is_empty() || bytes.windows(frame.len()).any(|w| w == frame), "it stood in the stream");
        }
    }
}
