//! A label printer, byte for byte: commands in, status and labels out.

use super::*;

const L: Link = Link::FIRST;

fn printer() -> Zpl {
    let mut p = Zpl::new(Rng::new(2));
    p.connected(L, 0);
    p
}

fn sscc(n: u32) -> String {
    format!("^XA^CI28^FO50,50^A0N,40,40^FDLOT 1^FS\r\n^FO50,100^BY3^BCN,120,Y,N,N^FD>;>80006901234{n:09}^FS^PQ1^XZ")
}

fn status(p: &mut Zpl, now_us: u64) -> String {
    p.received(L, b"~HS\r\n", now_us);
    p.due(now_us);
    p.out.due(now_us + 20_000);
    let mut all = Vec::new();
    while let Some((_, Emission::Send(b))) = p.poll() {
        all.extend(b);
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn an_idle_printer_answers_three_strings() {
    let mut p = printer();
    let want = "\x02030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n\x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n";
    assert_eq!(status(&mut p, 0), want);
}

#[test]
fn labels_come_out_in_order_however_their_bytes_arrive() {
    let mut p = printer();
    for b in format!("{}{}{}", sscc(1), sscc(2), sscc(3)).bytes() {
        p.received(L, &[b], 0);
    }
    let all = status(&mut p, 0);
    assert!(all.contains(",1245,002,") && all.contains(",00000001,"), "two wait, one is being printed: {all}");
    assert_eq!(p.take_label(149_999), None);
    let at = p.deadline().unwrap();
    assert!((150_000..=400_000).contains(&at));
    assert_eq!(p.take_label(at).unwrap().symbol, b"0006901234000000001");
    let rest: Vec<Vec<u8>> = std::iter::from_fn(|| p.take_label(2_000_000)).map(|l| l.symbol).collect();
    assert_eq!(rest, [b"0006901234000000002", b"0006901234000000003"]);
    assert_eq!(p.deadline(), None);
    assert!(status(&mut p, 2_000_000).contains(",1245,000,"));
}

#[test]
fn half_a_format_is_said_to_be_one() {
    let mut p = printer();
    p.received(L, b"^XA^FO50,50", 0);
    assert!(status(&mut p, 0).contains(",1245,000,0,0,1,"), "a status may be asked inside a format");
    p.received(L, b"^BCN^FDX1^FS^XZ", 0);
    assert_eq!(p.take_label(1_000_000).unwrap().code(), b"X1");
}

#[test]
fn copies_are_as_many_labels() {
    let mut p = printer();
    p.received(L, b"^XA^BCN^FDX1^FS^PQ3,0,1,Y^XZ", 0);
    assert!(status(&mut p, 0).contains(",00000003,"));
    assert_eq!(std::iter::from_fn(|| p.take_label(9_000_000)).count(), 3);
}

#[test]
fn paper_out_stops_it_and_the_label_comes_afterwards() {
    let mut p = printer();
    p.received(L, sscc(1).as_bytes(), 0);
    p.trouble(Trouble::Fault { ms: 5_000 }, 10_000);
    assert!(status(&mut p, 20_000).starts_with("\x02030,1,1,"));
    assert_eq!(p.take_label(5_009_000), None);
    assert!(p.deadline().unwrap() >= 5_010_000);
    assert_eq!(p.take_label(6_000_000).unwrap().symbol, b"0006901234000000001");
}

#[test]
fn power_loses_what_is_not_out() {
    let mut p = printer();
    p.received(L, format!("{}{}", sscc(1), sscc(2)).as_bytes(), 0);
    p.due(401_000);
    p.power(false, 401_000);
    p.power(true, 402_000);
    assert_eq!(p.take_label(9_000_000).unwrap().symbol, b"0006901234000000001");
    assert_eq!(p.take_label(9_000_000), None);
}

#[test]
fn nonsense_is_passed_over() {
    let mut p = printer();
    let noise: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    p.received(L, &noise, 0);
    p.received(L, b"^XZ~JA^XA^BCN^FDX9^FS^XZ", 0);
    assert_eq!(p.take_label(1_000_000).unwrap().code(), b"X9");
}
