//! Deliveries with bytes changed, cut, doubled and mixed: a sentence or rows, never a panic, never more memory or more
//! text than is allowed. Every seed is replayed by its number.

use super::sealed::decrypt;
use super::unpack::Unpack;
use super::*;
use crate::vocab::rng::Rng;
use std::io::Read;
use std::path::Path;

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    const NASTY: &[&[u8]] = &[
        b"\"",
        b"\n",
        b"\r\n",
        b",",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\x81\x30\x81\x30",
        b"\x28\xb5\x2f\xfd",
        b"\x1d",
        b"-> X25519 ",
        b"--- ",
    ];
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() as u64 + 1) as usize;
        match rng.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            1 if at < bytes.len() => bytes[at] = rng.below(256) as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.splice(at..at, NASTY[rng.below(NASTY.len() as u64) as usize].iter().copied())),
            4 => {
                let from = rng.below(at as u64 + 1) as usize;
                let part: Vec<u8> = bytes[from..at].iter().copied().take(4_096).collect();
                bytes.splice(at..at, part);
            }
            _ => {
                let to = (at + rng.below(40) as usize).min(bytes.len());
                bytes.drain(at..to);
            }
        }
    }
}

#[test]
fn texts() {
    let chinese = "序号,二维码,箱\r\n1,https://q.example/A1,\"箱 1\"\r\n2,\"https://q.example/A,2\",箱1\r\n".repeat(20);
    let bases: Vec<Vec<u8>> = vec![
        chinese.clone().into_bytes(),
        encoding_rs::GBK.encode(&chinese).0.into_owned(),
        std::iter::once(0xfeff).chain(chinese.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        b"0106901234567892215Ab%\x1d91FFD0\n".repeat(30),
        b"plain\nwith, comma\n\n".repeat(30),
        [b"x".repeat(70_000), b"\nok\n".to_vec()].concat(),
    ];
    let wishes: Vec<Wish> = [
        (&[][..], None, None, false),
        (&["code=二维码"][..], None, None, false),
        (&["code=2", "cap=1"][..], Some("gbk"), None, true),
        (&["code=1"][..], Some("utf-8"), Some("semicolon"), false),
    ]
    .iter()
    .map(|(columns, encoding, separator, header)| Wish {
        level: Some("bottle".into()),
        product: Some("P1".into()),
        columns: columns.iter().map(ToString::to_string).collect(),
        encoding: encoding.map(Into::into),
        separator: separator.map(Into::into),
        header: *header,
        form: header.then(|| "gs1".into()),
        ..Wish::default()
    })
    .collect();
    let dir = tempfile::tempdir().unwrap();
    let (mut rng, mut row, mut good, mut bad) = (Rng::new(11), Row::default(), 0, 0);
    for n in 0..3_000u32 {
        let mut bytes = bases[n as usize % bases.len()].clone();
        mutate(&mut bytes, &mut rng);
        let file = dir.path().join("f.csv");
        std::fs::write(&file, &bytes).unwrap();
        let wish = &wishes[rng.below(wishes.len() as u64) as usize];
        let mut rows = match open(std::slice::from_ref(&file), wish, &Terms { plan: None, wall_us: 0 }) {
            Ok(d) => d.rows,
            Err(_) => continue,
        };
        let mut count = 0;
        let end = loop {
            match rows.next_row(&mut row) {
                Ok(true) => count += 1,
                end => break end,
            }
            assert_eq!(row.len(), rows.columns().len(), "seed {n}");
            for c in 0..row.len() {
                let code = row.code(c);
                assert!((1..=crate::vocab::code::MAX_CODE_LEN).contains(&code.len()) && !code.contains(&0), "seed {n}");
            }
        };
        assert!(count <= bytes.len(), "seed {n}");
        match end {
            Ok(_) => good += 1,
            Err(e) => {
                bad += 1;
                assert!(e.to_string().len() < 4_000, "seed {n}: {e}");
            }
        }
    }
    assert!(good > 100 && bad > 300, "both ways were tried: {good} and {bad}");
}

#[test]
fn compressed_streams() {
    let text = (0..4_000).map(|n| format!("https://q.example/{:08x}\n", n * 2_654_435_761u64 % 0xffff_ffff)).collect::<String>();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let one = ruzstd::encoding::compress_to_vec(text.as_bytes(), level);
    let flat = ruzstd::encoding::compress_to_vec(&b"0".repeat(300_000)[..], level);
    let (mut rng, mut whole, mut refused) = (Rng::new(12), 0, 0);
    for n in 0..400 {
        let mut bytes = if n % 3 == 0 { [flat.clone(), one.clone()].concat() } else { one.clone() };
        mutate(&mut bytes, &mut rng);
        let mut given = 0u64;
        let mut from = Unpack::new(bytes.as_slice());
        let mut out = [0; 8_192];
        loop {
            match from.read(&mut out) {
                Ok(0) => {
                    whole += 1;
                    break;
                }
                Ok(read) => given += read as u64,
                Err(e) => {
                    assert!(e.get_ref().is_some_and(|e| e.is::<Fault>()), "seed {n}: {e}");
                    refused += 1;
                    break;
                }
            }
            assert!(given <= (4 << 20) + 8_192 + 201 * bytes.len() as u64, "seed {n}: {given} bytes of {}", bytes.len());
        }
    }
    assert!(refused > 100, "{whole} {refused}");
}

#[test]
fn encrypted_streams() {
    let line = age::x25519::Identity::generate();
    let recipient = line.to_public();
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap();
    let mut good = Vec::new();
    let mut w = encryptor.wrap_output(&mut good).unwrap();
    std::io::Write::write_all(&mut w, &b"some text\n".repeat(10_000)).unwrap();
    w.finish().unwrap();
    let (mut rng, mut refused) = (Rng::new(13), 0);
    for n in 0..200 {
        let mut bytes = good.clone();
        mutate(&mut bytes, &mut rng);
        if bytes == good {
            continue;
        }
        let read = decrypt(Path::new("p.age"), std::io::Cursor::new(bytes), std::slice::from_ref(&line)).and_then(|mut r| {
            let mut out = Vec::new();
            r.read_to_end(&mut out).map_err(|e| texts::fault(Path::new("p.age"), e))?;
            Ok(out)
        });
        match read {
            Ok(out) => assert_eq!(out, b"some text\n".repeat(10_000), "seed {n}: what is given is what was encrypted"),
            Err(e) => {
                assert!(matches!(e, Fault::Delivery { .. }), "seed {n}: {e}");
                refused += 1;
            }
        }
    }
    assert!(refused > 150, "{refused}");
}

#[test]
fn manifests() {
    let base = b"pack:S-1 count:1000 sku:06901234567892 level:bottle purpose:a%20b expiry:2099-12-31 column:code=token header:yes".to_vec();
    let (mut rng, mut good) = (Rng::new(14), 0);
    for _ in 0..3_000 {
        let mut bytes = base.clone();
        mutate(&mut bytes, &mut rng);
        if let Ok(m) = Manifest::parse(&String::from_utf8_lossy(&bytes)) {
            good += 1;
            assert_eq!(Manifest::parse(&m.comment()).as_ref(), Ok(&m), "what is understood can be said again");
        }
    }
    let m = Manifest::parse(&String::from_utf8_lossy(&base)).unwrap();
    assert_eq!((m.count, m.says.purpose.as_deref(), m.says.header), (Some(1000), Some("a b"), true));
    assert!(good > 300, "{good}");
    assert!(Manifest::parse("sha256:00").is_err(), "half a hash is none");
}
