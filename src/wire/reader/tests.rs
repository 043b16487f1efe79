//! What frames mean, and what a reader is told.

use super::*;
use crate::profile::reader::{Aim, Charset, Class, FieldName, GradeForm, GradeRule, Gs, GsForm, Layout, Rule, Unread};
use crate::vocab::report::{Field, Frame};

fn words(layout: Layout) -> Words {
    Words::new(&Rules { layout, no_read: vec!["ERROR".into()], ..Rules::default() })
}

fn codes(m: Meaning) -> Vec<String> {
    let text = |b: &[u8]| b.escape_ascii().to_string();
    match m {
        Meaning::Frame(Frame::Data(fields)) => fields
            .iter()
            .map(|f| match f {
                Field::NoRead => "-".into(),
                Field::Code(c) => text(c),
                Field::Graded { code, grade } => format!("{}:{}", text(code), grade.map_or("?".into(), |g| g.to_string())),
            })
            .collect(),
        other => vec![format!("{other:?}")],
    }
}

#[test]
fn unread_positions_in_place_left_out_or_at_the_end() {
    let with = |unread| Layout { separator: Some("|".into()), missing: vec!["?".into()], unread, ..Layout::default() };
    assert_eq!(codes(words(with(Unread::InPlace)).read(b"A|ERROR|?||B")), ["A", "-", "-", "-", "B"]);
    assert_eq!(codes(words(with(Unread::LeftOut)).read(b"A|ERROR|?||B")), ["A", "B"]);
    assert_eq!(codes(words(with(Unread::AtEnd)).read(b"A|B|ERROR")), ["A", "B", "-"]);
    assert_eq!(words(with(Unread::AtEnd)).read(b"?|ERROR"), Meaning::Frame(Frame::NoRead));
    let many = vec!["A"; MOST_FIELDS + 1].join("|");
    assert_eq!(words(with(Unread::LeftOut)).read(many.as_bytes()), Meaning::Noise);
    assert_eq!(codes(words(with(Unread::LeftOut)).read(b"error")), ["error"], "case counts, and nothing is looked for inside");
    assert_eq!(codes(words(with(Unread::LeftOut)).read(b"ERROR ")), ["ERROR "]);
}

#[test]
fn fields_of_a_code() {
    let fields = vec![FieldName::Aim, FieldName::Code, FieldName::Other, FieldName::Grade];
    let layout = Layout { separator: Some("|".into()), fields, field_separator: "\t".into(), rest_ignored: true, ..Layout::default() };
    let grade = Some(GradeRule { form: GradeForm::Number, least: None });
    let w = Words::new(&Rules { layout: layout.clone(), grade, ..Rules::default() });
    assert_eq!(codes(w.read(b"d2\t01A\x1dB\t7\t3.1/05/660|]C1\t02\t\tx\tmore\tyet")), [r"]d201A\x1dB:3.1", "]C102:?"]);
    assert_eq!(w.read(b"d2\t01\t7"), Meaning::Noise, "a field is missing");
    let w = Words::new(&Rules { layout: Layout { rest_ignored: false, ..layout }, ..Rules::default() });
    assert_eq!(w.read(b"d2\t01\t7\tA\tB"), Meaning::Noise, "a field too many");
}

#[test]
fn charsets_refuse_what_is_not_theirs() {
    let in_charset = |text, bytes: &[u8]| codes(words(Layout { text, ..Layout::default() }).read(bytes));
    assert_eq!(in_charset(Charset::Bytes, b"\xff\x00"), [r"\xff\x00"]);
    assert_eq!(in_charset(Charset::Gbk, b"\xbd\xb4"), ["酱".as_bytes().escape_ascii().to_string()]);
    assert_eq!(in_charset(Charset::Latin1, b"\xe9"), ["é".as_bytes().escape_ascii().to_string()]);
    assert_eq!(in_charset(Charset::Base64, b"QUJD"), ["ABC"]);
    for (text, bytes) in [(Charset::Ascii, &b"\x80"[..]), (Charset::Utf8, b"\xff"), (Charset::Gbk, b"\xff\xff"), (Charset::Base64, b"QUJ")]
    {
        assert_eq!(in_charset(text, bytes), ["Noise"], "{text:?}");
    }
}

#[test]
fn gs_and_symbology_identifiers() {
    let gs = Gs { arrives: GsForm::Aliases, aliases: vec!["{GS}".into(), "\u{241d}".into()], keys: Vec::new() };
    let w = Words::new(&Rules { gs: gs.clone(), ..Rules::default() });
    assert_eq!(codes(w.read("01A{GS}B\u{241d}C".as_bytes())), [r"01A\x1dB\x1dC"]);
    let w = Words::new(&Rules { gs: Gs { arrives: GsForm::Byte, ..gs }, ..Rules::default() });
    assert_eq!(codes(w.read(b"01A{GS}B")), ["01A{GS}B"], "an alias counts only where it is declared");
    let always = words(Layout { aim: Aim::Always, ..Layout::default() });
    assert_eq!((codes(always.read(b"]d201")), always.read(b"01")), (vec!["]d201".to_string()], Meaning::Noise));
}

#[test]
fn the_first_rule_that_fits_counts() {
    let rule = |is, exact: &[&str], pattern: Option<&str>| Rule {
        is,
        exact: exact.iter().map(|e| e.to_string()).collect(),
        pattern: pattern.map(Into::into),
        ..Rule::default()
    };
    let classify = vec![
        rule(Class::Data, &["HB1"], None),
        rule(Class::Heartbeat, &[], Some("HB*")),
        rule(Class::Partial, &["PART"], None),
        rule(Class::Multi, &["MULTI"], None),
        rule(Class::Fault, &["OVER", "NC"], None),
        rule(Class::Ignore, &[], Some("#*")),
    ];
    let w = Words::new(&Rules { classify, ..Rules::default() });
    assert_eq!((codes(w.read(b"HB1")), w.read(b"HB2")), (vec!["HB1".to_string()], Meaning::Heartbeat));
    assert_eq!((w.read(b"PART"), w.read(b"#x")), (Meaning::Frame(Frame::NoRead), Meaning::Ignored));
    assert_eq!(w.read(b"MULTI"), Meaning::Frame(Frame::Fault("MULTI".into())));
    assert_eq!((w.read(b"NC"), codes(w.read(b"NCX"))), (Meaning::Frame(Frame::Fault("NC".into())), vec!["NCX".to_string()]));
}
