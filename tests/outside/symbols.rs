//! Our symbols read by zxing-cpp: same bytes, and the AIM identifier that tells GS1 data from other data.

use crate::Server;
use packmark::symbol::{Kind, encode, png, svg};
use packmark::vocab::code::{hex, printable};
use packmark::vocab::gs1::Message;
use packmark::vocab::rng::Rng;
use packmark::vocab::sscc::check_digit;
use std::io::Write;
use std::path::Path;

/// The AIM identifier a reader sends.
fn aim(kind: Kind) -> &'static str {
    match kind {
        Kind::DataMatrix => "]d1",
        Kind::Gs1DataMatrix => "]d2",
        Kind::QrCode => "]Q1",
        Kind::Gs1QrCode => "]Q3",
    }
}

const CSET_82: &[u8] = b"!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

fn some(rng: &mut Rng, from: &[u8], len: u64) -> Vec<u8> {
    (0..len).map(|_| from[rng.below(from.len() as u64) as usize]).collect()
}

fn sgtin(rng: &mut Rng, serial: u64) -> Vec<u8> {
    let mut gtin = some(rng, b"0123456789", 13);
    gtin.push(check_digit(&gtin));
    [b"01", gtin.as_slice(), b"21", &some(rng, CSET_82, serial)].concat()
}

/// Codes as they are printed: Russian ones with long and short crypto tails, dated ones, SSCCs.
fn gs1_codes(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for n in 0..40 {
        let serial = 1 + rng.below(20);
        out.push(sgtin(rng, serial));
        let (short, long) = (some(rng, CSET_82, 4), some(rng, CSET_82, 44));
        out.push([sgtin(rng, 13).as_slice(), b"\x1d91", &short, b"\x1d92", &long].concat());
        out.push([sgtin(rng, 6).as_slice(), b"\x1d93", &short].concat());
        out.push(
            [sgtin(rng, serial).as_slice(), format!("\x1d1726{:02}00", 1 + n % 12).as_bytes(), b"10", &some(rng, CSET_82, serial)].concat(),
        );
        let mut sscc = some(rng, b"0123456789", 17);
        sscc.push(check_digit(&sscc));
        out.push([b"00", sscc.as_slice()].concat());
    }
    out.push(b"010460123456789321%%%A%41%%\x1d93%%%%".to_vec());
    out
}

/// Anything else a vendor may deliver: URLs, digits, Chinese, GS inside, all bytes there are.
fn plain_codes(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    for _ in 0..30 {
        let len = 1 + rng.below(60);
        out.push([b"https://q.example/b/".as_slice(), &some(rng, b"23456789ABCDEFGHJKMNPQRSTUVWXYZabcdefghij", 12)].concat());
        out.push(some(rng, b"0123456789", len));
        out.push(some(rng, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", len));
        let chinese: Vec<&str> =
            (0..1 + rng.below(12)).map(|_| ["一", "物", "码", "灌", "装", "酱", "油", "A", "7"][rng.below(9) as usize]).collect();
        out.push(chinese.concat().into_bytes());
        out.push((0..len).map(|_| rng.below(256) as u8).collect());
        out.push([b"]d2".as_slice(), &sgtin(rng, 9), b"\x1d93", &some(rng, CSET_82, 4)].concat());
    }
    out.push((0..=255).collect());
    out.push(b"[)>\x1e05\x1d0104601234567893\x1e\x04".to_vec());
    out
}

#[test]
fn zxing_reads_our_symbols_byte_by_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rng = Rng::new(20_261_125);
    let (gs1, plain) = (gs1_codes(&mut rng), plain_codes(&mut rng));
    let mut server = Server::of("symbols.py");
    let mut read = 0;
    let mut judge = |kind: Kind, code: &[u8], n: usize| {
        let want = if kind.is_gs1() { Message::parse(code).expect("a good code").element_string() } else { code.to_vec() };
        let modules = encode(kind, code).unwrap_or_else(|e| panic!("{kind:?} {}: {e}", hex(code)));
        let path = folder.path().join("symbol.png");
        let scale = 2 + n as u32 % 4;
        std::fs::write(&path, png(&modules, scale, kind.quiet_zone()).expect("a picture")).expect("written");
        assert_eq!(server.ask(&path), format!("{} {}", aim(kind), hex(&want)), "{kind:?} {:?}", printable(code));
        assert!(svg(&modules, scale, kind.quiet_zone()).starts_with("<svg "));
        read += 1;
    };
    for (n, code) in gs1.iter().enumerate() {
        judge(Kind::Gs1DataMatrix, code, n);
        judge(Kind::Gs1QrCode, code, n);
    }
    for (n, code) in plain.iter().enumerate() {
        judge(Kind::DataMatrix, code, n);
        judge(Kind::QrCode, code, n);
    }
    assert!(read > 700, "{read} symbols");
    assert!(server.end().is_empty());
}

impl Server {
    /// What it says of one picture.
    fn ask(&mut self, picture: &Path) -> String {
        let mut to = self.child.stdin.as_ref().expect("piped");
        writeln!(to, "{}", picture.display()).expect("it listens");
        self.next()
    }
}
