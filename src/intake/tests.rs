//! Deliveries as vendors make them, and everything that is wrong with some.

use super::*;
use std::path::Path;

const WALL: i64 = 1_764_000_000_000_000;

fn wish(says: &str) -> Wish {
    let mut w = Wish { level: Some("bottle".into()), product: Some("P1".into()), ..Wish::default() };
    for word in says.split_whitespace() {
        let (key, value) = word.split_once(':').unwrap_or((word, ""));
        match key {
            "column" => w.columns.push(value.into()),
            "parent" => w.parents.push(value.into()),
            "encoding" => w.encoding = Some(value.into()),
            "separator" => w.separator = Some(value.into()),
            "header" => w.header = true,
            "form" => w.form = Some(value.into()),
            "expiry" => w.expiry = Some(value.into()),
            other => panic!("{other}"),
        }
    }
    w
}

fn file(dir: &Path, bytes: &[u8]) -> PathBuf {
    let p = dir.join("a.txt");
    std::fs::write(&p, bytes).unwrap();
    p
}

/// The rows of a text, fields joined by `|`, each with its line; or the sentence of its fault. The same whether its plain
/// lines are asked for at once or not.
fn read(bytes: &[u8], says: &str) -> Result<Vec<(u64, String)>, String> {
    let rows = read_by(bytes, says, false);
    assert_eq!(rows, read_by(bytes, says, true));
    rows
}

fn read_by(bytes: &[u8], says: &str, at_once: bool) -> Result<Vec<(u64, String)>, String> {
    let dir = tempfile::tempdir().unwrap();
    let files = [file(dir.path(), bytes)];
    let mut d = open(&files, &wish(says), &Terms { plan: None, wall_us: WALL }).map_err(|e| e.to_string())?;
    let (mut row, mut out) = (Row::default(), Vec::new());
    loop {
        if at_once && let Some(plain) = d.rows.plain().unwrap() {
            let code = |(from, to): &Span| String::from_utf8_lossy(&plain.bytes[*from as usize..*to as usize]).into_owned();
            out.extend(plain.spans.iter().zip(plain.line..).map(|(s, line)| (line, code(s))));
            continue;
        }
        match d.rows.next_row(&mut row) {
            Ok(true) => {
                let codes: Vec<_> = (0..row.len()).map(|n| String::from_utf8_lossy(row.code(n)).into_owned()).collect();
                assert_eq!(codes.len(), d.rows.columns().len());
                out.push((row.line, codes.join("|")));
            }
            Ok(false) => {
                let whole: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(bytes).into();
                assert_eq!(d.rows.sha256(), whole, "of the file's bytes");
                return Ok(out);
            }
            Err(e) => return Err(e.to_string().replace(&dir.path().display().to_string(), "")),
        }
    }
}

fn gbk(text: &str) -> Vec<u8> {
    encoding_rs::GBK.encode(text).0.into_owned()
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let word = |u: u16| if big { u.to_be_bytes() } else { u.to_le_bytes() };
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(word).collect()
}

#[test]
fn texts_as_vendors_make_them() {
    let both = vec![(1, "one".to_string()), (2, "two".to_string())];
    let cases: &[(&[u8], &str)] = &[
        (b"one\ntwo\n", ""),
        (b"one\r\ntwo", ""),
        (b"\xef\xbb\xbfone\r\ntwo\r\n\r\n", ""),
        (b"one,x\ntwo,y\n", "column:code=1"),
        (b"x\tone\ny\ttwo\n", "column:code=2 separator:tab"),
        (b"\"one\";9\ntwo;8\n", "column:code=1 separator:semicolon"),
    ];
    for (bytes, says) in cases {
        assert_eq!(read(bytes, says).as_ref(), Ok(&both), "{says} {bytes:?}");
    }
    let below: Vec<(u64, String)> = both.iter().map(|(l, c)| (l + 1, c.clone())).collect();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"code\none\ntwo\n".to_vec(), "header"),
        ("序号,二维码\r\n1,one\r\n2,two\r\n".into(), "column:code=二维码"),
        (gbk("序号,二维码\r\n1,one\r\n2,two\r\n"), "column:code=二维码"),
        (gbk("序号;二维码\n一;one\n二;two\n"), "column:code=二维码 encoding:gbk"),
        ("no;code\n1,5;one\n2,5;two\n".into(), "column:code=code separator:semicolon"),
        ("no\tcode\tname, long\n1\tone\t-\n2\ttwo\t-\n".into(), "column:code=code"),
        (utf16("序号\t二维码\r\n1\tone\r\n2\ttwo\r\n", false), "column:code=二维码"),
        (utf16("序号,二维码\n1,one\n2,two\n", true), "column:code=二维码"),
        ("no,code\n1,one\n2,two\n".into(), "column:code=2 header"),
    ];
    for (bytes, says) in &cases {
        assert_eq!(read(bytes, says).as_ref(), Ok(&below), "{says}");
    }
}

#[test]
fn a_table_gives_what_was_quoted() {
    let rows = read(b"no,the%code\n1,\"a,b\"\n2,\"say \"\"so\"\"\"\n\n3, c\n4,\"new\nline\"\n5,\"\r\n\"\"x\"\n", "column:code=the%code")
        .unwrap_err();
    assert!(rows.contains("line 8: a carriage return stands inside the code"), "{rows}");
    let rows = read(b"no,the%code\n1,\"a,b\"\n2,\"say \"\"so\"\"\"\n\n3, c\n4,\"new\nline\"\n5,x\n", "column:code=the%code").unwrap();
    let want = [(2, "a,b"), (3, "say \"so\""), (5, " c"), (6, "new\nline"), (8, "x")];
    assert_eq!(rows, want.map(|(l, c)| (l, c.to_string())));
    assert_eq!(read(b"no,code\n1,a\n", "column:code=2").unwrap().len(), 2, "by number the first line is a row like any other");
}

#[test]
fn several_codes_of_one_thing_and_of_the_things_above() {
    let text = "瓶,盖内,箱,垛\nb1,c1,x1,p1\nb2,c2,x1,p1\n";
    let says = "column:bottle=瓶 column:cap-inside=盖内 parent:case=箱 parent:pallet=垛";
    assert_eq!(read(text.as_bytes(), says).unwrap(), [(2, "b1|c1|x1|p1".to_string()), (3, "b2|c2|x1|p1".to_string())]);
    let dir = tempfile::tempdir().unwrap();
    let d = open(&[file(dir.path(), text.as_bytes())], &wish(says), &Terms { plan: None, wall_us: WALL }).unwrap();
    let columns: Vec<(&str, Option<&str>)> = d.rows.columns().iter().map(|c| (c.purpose.as_str(), c.level.as_deref())).collect();
    assert_eq!(columns, [("bottle", Some("bottle")), ("cap-inside", Some("bottle")), ("", Some("case")), ("", Some("pallet"))]);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let long = [&b"ok\n"[..], &vec![b'x'; 600], b"\n"].concat();
    let huge = [&b"ok\n"[..], &vec![b'x'; 1 << 20], b"\n"].concat();
    let quoted = [&b"\"ok\n"[..], &b"more of it\n".repeat(8_000)].concat();
    let mixed = [&gbk("一,a\n二,b\n")[..], "三万,c\n".as_bytes(), b"\xff,d\n"].concat();
    let cases: &[(&[u8], &str, &str)] = &[
        (b"ok\nno\x04w\n", "", "line 2: the code holds a control byte"),
        (b"ok\n\nno\0w\n", "", "line 3: the code holds a control byte"),
        (b"a\rb\n", "", "line 1: a carriage return stands inside the code"),
        (&long, "", "line 2: the code has 600 bytes, at most 512"),
        (&huge, "", "line 2: the line has more than 65536 bytes"),
        (&quoted, "column:code=1", "line 1: a quote is not closed within 65536 bytes"),
        (b"a,b\nc,\n", "column:code=2", "line 2: the code is empty"),
        (b"a,b\nc,\n", "column:x=1 column:cap=2", "line 2: cap: the code is empty"),
        (b"a,\"b\n", "column:code=2", "line 1: a quote is not closed"),
        (b"a,\"b\"c\n", "column:code=2", "line 1: something stands between a closing quote"),
        (b"a,b\n", "column:code=9", "line 1: there is no column 9 (the line has 2)"),
        (b"a,b\n", "column:code=colour", "line 1: no header is named “colour”; the headers are: a, b"),
        (b"a\n", "column:2", "column “2” is not understood"),
        (b"a\n", "column:code=0", "column “code=0” is not understood"),
        (b"a\n", "parent:case=2", "--parent names a column but the item's own is not named"),
        (b"a\n", "column:code=1 column:cap=1", "a column is named twice"),
        (b"a\n", "encoding:latin1", "the encoding is not known: say utf-8, gbk or auto"),
        (b"a\n", "separator:|", "the separator “|” is not known"),
        (b"a\n", "form:ean", "the form of the codes is not known"),
        (b"a\n", "expiry:tomorrow", "the expiry “tomorrow” is no date"),
        (b"a\n", "expiry:2025-11-23", "the pack expired on 2025-11-23"),
        (b"ok\nab\xff\n", "", "line 2: byte 3 of the line is neither UTF-8 nor GBK"),
        (b"ok\nab\xff\n", "encoding:utf-8", "line 2: byte 3 of the line is not UTF-8"),
        (b"ok\nab\xff\n", "encoding:gbk", "line 2: byte 3 of the line is not GBK"),
        (b"\xef\xbb\xbfok\nab\xb0\xa1\n", "", "line 2: byte 3 of the line is not UTF-8"),
        (&gbk("瓶码一\n"), "", "line 1: the code is not ASCII and the file is not UTF-8"),
        (&mixed, "column:code=2", "line 4: byte 1 of the line is not GBK"),
        (b"\xfe\xff\xd8\x00\x00a", "", "half a character"),
        (b"PK\x03\x04xlsx", "", "is no text of codes: it is a zip or an Excel workbook"),
        (b"\x28\xb5\x2f\xfdzzzz", "", "compressed (zstd) but not sealed"),
    ];
    for (bytes, says, sentence) in cases {
        let e = read(bytes, says).expect_err(sentence);
        assert!(e.contains(sentence), "{sentence}: {e}");
    }
    assert_eq!(read(&gbk("瓶码一\n"), "encoding:gbk").unwrap(), [(1, "瓶码一".to_string())], "what somebody said is done");
    assert!(read(b"a\n", "expiry:2025-11-24").is_ok(), "its last day");
}

#[test]
fn forms_of_codes() {
    let gtin = Some("6901234567892");
    let good: &[(Form, &[u8])] = &[
        (Form::Gs1, b"0106901234567892215Ab%\x1d91FFD0"),
        (Form::Gs1, b"]d201069012345678922112345"),
        (Form::Gs1, b"\x1d0106901234567892"),
        (Form::Gs1, b"00069012340000000016"),
        (Form::Url, b"https://q.example/A?b=%20"),
        (Form::Url, b"HTTP://Q.EXAMPLE/TOKEN"),
        (Form::Any, "瓶".as_bytes()),
        (Form::Any, b"0106901234567899"),
    ];
    for (form, code) in good {
        assert_eq!(form::check(*form, code, gtin), Ok(()), "{}", String::from_utf8_lossy(code));
    }
    let bad: &[(Form, &[u8], &str)] = &[
        (Form::Gs1, b"0106901234567893211", "its GTIN (AI 01) 06901234567893 has a wrong check digit: it should be 2"),
        (Form::Gs1, b"010690123456", "its GTIN (AI 01) is short"),
        (Form::Gs1, b"010690123456789221a#b", "its serial (AI 21) holds “#”, which is outside the GS1 character set 82"),
        (Form::Gs1, b"010690123456789221a b", "holds byte 20"),
        (Form::Gs1, b"010690123456789221", "its serial (AI 21) has 0 characters"),
        (Form::Gs1, b"010690123456789221123456789012345678901", "has 21 characters"),
        (Form::Gs1, b"01069012345678922112\x1d17991332", "it is no GS1 code: "),
        (Form::Gs1, b"(01)06901234567892(21)1", "is written with brackets"),
        (Form::Gs1, b"https://q.example/1", "begins with neither AI 01"),
        (Form::Gs1, b"00069012340000000015", "its SSCC (AI 00) 069012340000000015 has a wrong check digit"),
        (Form::Gs1, b"0100614141123452211", "its GTIN 00614141123452 is not this product's (06901234567892)"),
        (Form::Any, b"0100614141123452211\x1d91x", "is not this product's"),
        (Form::Url, b"ftp://q.example/1", "does not begin with http"),
        (Form::Url, b"https:///1", "the host is missing"),
        (Form::Url, "https://q.example/瓶".as_bytes(), "must be percent-encoded"),
    ];
    for (form, code, sentence) in bad {
        let e = form::check(*form, code, gtin).expect_err(sentence);
        assert!(e.contains(sentence), "{sentence}: {e}");
    }
}

/// Lines across the buffer's edge, of every length up to the limit's neighbourhood.
/// Windows of plain lines end anywhere, and what is not plain stands anywhere between them.
#[test]
fn plain_lines_at_once_are_the_same_rows() {
    let mut rng = crate::vocab::rng::Rng::new(7);
    for strange in [0, 3, 20_000] {
        let mut bytes = Vec::new();
        let mut kinds = [0; 4];
        while bytes.len() < 700_000 {
            let line = rng.below(1_000_000_000).to_string();
            match rng.below(strange.max(1)) {
                0 if strange > 0 => {
                    let what = rng.below(4) as usize;
                    kinds[what] += 1;
                    bytes.extend([&b""[..], b"0106901234567892\x1d21A", "\u{9152}1".as_bytes(), &[b'x'; 500]][what]);
                }
                _ => bytes.extend(line.as_bytes()),
            }
            bytes.extend(if rng.below(5) == 0 { &b"\r\n"[..] } else { b"\n" });
        }
        bytes.extend(b"no end");
        assert!(strange == 0 || kinds.iter().all(|n| *n > 0) || strange > 1_000);
        let rows = read(&bytes, "").unwrap();
        assert!(rows.len() > 10_000 && rows.last().unwrap().1 == "no end", "{}", rows.len());
        assert_eq!(rows.last().unwrap().0, 1 + memchr::memchr_iter(b'\n', &bytes).count() as u64);
        // The first fault is said with the same line.
        bytes.extend(b"\nA\rB\nC\n");
        let said = read(&bytes, "").unwrap_err();
        assert!(said.contains(&format!("line {}: a carriage return", rows.last().unwrap().0 + 1)), "{said}");
    }
}

#[test]
fn lines_are_cut_where_they_end() {
    struct Dribble<'a>(&'a [u8], usize);
    impl std::io::Read for Dribble<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.1 = self.1 * 7 % 1009 + 1;
            let n = self.1.min(out.len()).min(self.0.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }
    let lengths: Vec<usize> = (0..200).map(|n| n * n % 1931).chain([lines::MAX_LINE, 0, lines::MAX_LINE - 1, 5]).collect();
    let text: Vec<u8> = lengths.iter().flat_map(|n| std::iter::repeat_n(b'x', *n).chain([b'\n'])).collect();
    let mut l = lines::Lines::new(Dribble(&text, 3));
    for (i, n) in lengths.iter().enumerate() {
        assert_eq!(l.next().unwrap().map(<[u8]>::len), Some(*n), "line {}", i + 1);
    }
    assert!(l.next().unwrap().is_none());
    let mut l = lines::Lines::new(std::io::repeat(b'x'));
    assert!(matches!(l.next(), Err(lines::LineFault::TooLong)), "without reading it whole: it never ends");
}
