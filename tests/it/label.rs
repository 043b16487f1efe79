//! `packmark label` from outside: what it draws, what it refuses, and how it ends.

use packmark::vocab::code::hex;
use std::path::Path;
use std::process::{Command, Output};

fn label(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packmark")).arg("label").args(args).output().unwrap()
}

fn said(o: &Output) -> String {
    String::from_utf8(o.stderr.clone()).unwrap()
}

fn json(o: &Output) -> serde_json::Value {
    serde_json::from_slice(&o.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(o)))
}

#[test]
fn every_kind_and_every_output() {
    let dir = tempfile::tempdir().unwrap();
    let code = "(01)04601234567893(21)ABC(93)dGVz";
    for kind in ["datamatrix", "qr", "gs1-datamatrix", "gs1-qr"] {
        for (name, begins) in [("a.png", &b"\x89PNG\r\n\x1a\n"[..]), ("a.svg", b"<svg xmlns=")] {
            let path = dir.path().join(name);
            let out = label(&[code, "--as", kind, "--out", path.to_str().unwrap()]);
            assert_eq!(out.status.code(), Some(0), "{kind} {name}: {}", said(&out));
            assert!(std::fs::read(&path).unwrap().starts_with(begins));
            assert!(String::from_utf8_lossy(&out.stdout).contains(kind) && out.stderr.is_empty());
            std::fs::remove_file(&path).unwrap();
        }
        let out = label(&[code, "--as", kind, "--out", "-"]);
        let shown = String::from_utf8(out.stdout).unwrap();
        assert!(
            shown.lines().count() > 5 && shown.lines().all(|l| l.starts_with("\x1b[38;5;16;48;5;231m") && l.ends_with("\x1b[0m")),
            "{shown}"
        );
    }
}

#[test]
fn one_gs1_code_in_every_way_of_writing_is_one_symbol() {
    let modules = |args: &[&str]| {
        let v = json(&label(&[args, &["--as", "gs1-datamatrix", "--out", "-", "--json"]].concat()));
        crate::schemas::of_command("label", &v);
        assert_eq!(v["hex"], hex(b"010460123456789321ABA\x1d93dGVz"));
        v["modules"].clone()
    };
    let first = modules(&["(01)04601234567893(21)ABA(93)dGVz"]);
    for code in ["^010460123456789321ABA^93dGVz", "010460123456789321ABA{GS}93dGVz", "\x1d010460123456789321ABA\x1d93dGVz\x1d"] {
        assert_eq!(modules(&[code]), first, "{code}");
    }
    assert_eq!(modules(&["--hex", &hex(b"\x1d010460123456789321ABA\x1d93dGVz")]), first);
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.png");
    let to = path.to_str().unwrap();
    let refused = |code: &str, kind: &str, says: &str| {
        let out = label(&[code, "--as", kind, "--out", to, "--lang", "en"]);
        assert_eq!(out.status.code(), Some(1), "{code}");
        assert!(said(&out).contains(says) && said(&out).lines().count() == 1, "{code}: {}", said(&out));
        assert!(out.stdout.is_empty() && !path.exists());
    };
    refused("(01)04601234567894(21)A", "gs1-qr", "(01) at character 14 of its value: the check digit is wrong");
    refused("(21)A", "gs1-datamatrix", "(21) must stand with (01) or (03) or (8006)");
    refused("https://q.example/T", "gs1-qr", "at character 1: no GS1 application identifier begins here");
    let out = label(&["(01)04601234567894(21)A", "--as", "gs1-qr", "--out", to, "--lang", "zh"]);
    assert_eq!(
        said(&out).trim_end(),
        "packmark: 这不是正确的 GS1 码：（01）的值第 14 个字符：校验位错误：应为 3：请改正，或用 --as datamatrix、--as qr 按原样打印"
    );
    refused("", "qr", "there is nothing to encode");
    refused(&"a".repeat(4000), "datamatrix", "4000 bytes do not fit");
    let v = json(&label(&["(21)A", "--as", "gs1-qr", "--out", to, "--json"]));
    crate::schemas::of_command("refusal", &v);
    assert_eq!((v["ok"].as_bool(), v["error"]["code"].as_str()), (Some(false), Some("not-gs1")));
    for usage in [
        &["A", "--as", "qr", "--out", "a.gif"][..],
        &["A", "--as", "aztec", "--out", "-"],
        &["--hex", "0g", "--as", "qr", "--out", "-"],
        &["--as", "qr", "--out", "-"],
        &["A", "--hex", "41", "--as", "qr", "--out", "-"],
        &["A", "--as", "qr", "--out", "-", "--scale", "0"],
    ] {
        assert_eq!(label(usage).status.code(), Some(2), "{usage:?}");
    }
    let nowhere = dir.path().join("no/a.png");
    let out = label(&["A", "--as", "qr", "--out", nowhere.to_str().unwrap(), "--lang", "en"]);
    assert!(out.status.code() == Some(1) && said(&out).contains("check folder and disk"), "{}", said(&out));
    assert!(!Path::new("a.gif").exists());
}
