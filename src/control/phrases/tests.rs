//! The book is whole, is read as it is meant, and has every sentence of the files whose sentences people are told.

use super::*;
use std::collections::BTreeMap;

fn han(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[test]
fn every_phrase_has_its_chinese_with_as_many_places() {
    let mut seen = BTreeMap::new();
    let lines: Vec<&str> = BOOK.lines().filter(|l| !l.is_empty() && !l.starts_with("# ")).collect();
    assert_eq!(lines.len() % 2, 0, "two lines each");
    for (en, zh) in pairs(BOOK) {
        assert!(!han(en) && !zh.is_ascii(), "{en} / {zh}");
        assert_eq!(seen.insert(en, zh), None, "twice: {en}");
        let p = Phrase::new(en, zh);
        let (numbered, plain) = ((1..=9).filter(|n| zh.contains(&format!("{{{n}}}"))).count(), zh.matches("{}").count());
        assert!(numbered == 0 || plain == 0, "one way of counting: {zh}");
        assert_eq!(p.parts.len(), numbered + plain, "{en} / {zh}");
        let twins = p.parts.iter().skip(1).any(|(text, _)| text.is_empty());
        assert!(!twins, "nothing parts two places: {en}");
    }
}

#[test]
fn what_was_put_into_a_sentence_is_carried_over() {
    let cases = [
        ("there is no pack P-7", "没有码包 P-7"),
        ("(01) at character 14 of its value: the check digit is wrong: it should be 3", "（01）的值第 14 个字符：校验位错误：应为 3"),
        (
            "this is no good GS1 code: (01) at character 14 of its value: the check digit is wrong: it should be 3",
            "这不是正确的 GS1 码：（01）的值第 14 个字符：校验位错误：应为 3",
        ),
        (
            "c.txt line 1 is in pack p1 already (its code 1, c.txt line 1); c.txt line 2 stands at d.txt line 9 too; the whole pack was refused, nothing was imported",
            "c.txt 第 1 行 已在码包 p1 中（第 1 个码，c.txt 第 1 行）；c.txt 第 2 行 与 d.txt 第 9 行 重复；整个码包被拒收，未导入任何码",
        ),
        ("job J1 cannot start while J2 is on the line", "J2 在产线上时，工单 J1 不能开始"),
        ("the unused codes of pack p1 are returned already (wrong; label)", "码包 p1 未用的码已经退回（wrong; label）"),
        ("a sentence of tomorrow", "a sentence of tomorrow"),
        ("there is a new one; nothing was imported", "there is a new one；未导入任何码"),
        ("[[level]] box: holds is missing", "[[level]] box：缺少 holds"),
        ("", ""),
        (
            "device cam1 is not connected: check its power, cable and address\nwait for it",
            "设备 cam1 未连接：请检查电源、网线和地址\n请等它结束",
        ),
    ];
    for (en, zh) in cases {
        assert_eq!(chinese(en), zh);
    }
}

/// A long refusal is looked up in no time: a place never tries every way of parting a text.
#[test]
fn a_long_sentence_is_no_burden() {
    let many: Vec<String> =
        (1..200).map(|n| format!("a file; with: marks {n}.txt line {n} is in pack p{n} already (its code {n})")).collect();
    let text = format!("{}; the whole pack was refused, nothing was imported", many.join("; "));
    let begun = std::time::Instant::now();
    assert!(chinese(&text).ends_with("整个码包被拒收，未导入任何码"));
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
}

/// Files whose sentences people are told, and what stands in them that is none: a word between others, a log's line, what
/// an `expect` says, a sentence of which the book has the parts.
const FILES: &[(&str, &str, &[&str])] = &[
    ("vocab/gs1/refusal.rs", include_str!("../../vocab/gs1/refusal.rs"), &[]),
    ("vocab/gs1/fault.rs", include_str!("../../vocab/gs1/fault.rs"), &[]),
    ("vocab/gs1/epc.rs", include_str!("../../vocab/gs1/epc.rs"), &[]),
    ("vocab/gs1/link.rs", include_str!("../../vocab/gs1/link.rs"), &[]),
    ("vocab/gs1/scan.rs", include_str!("../../vocab/gs1/scan.rs"), &["{kind}(…{} of {} bytes)"]),
    ("vocab/token.rs", include_str!("../../vocab/token.rs"), &[]),
    ("symbol/matrix.rs", include_str!("../../symbol/matrix.rs"), &[]),
    ("intake/mod.rs", include_str!("../../intake/mod.rs"), &["{path} line {line}: {what}"]),
    ("intake/delivery.rs", include_str!("../../intake/delivery.rs"), &[]),
    ("intake/form.rs", include_str!("../../intake/form.rs"), &["SSCC (AI 00)", "GTIN (AI 01)"]),
    ("intake/encoding.rs", include_str!("../../intake/encoding.rs"), &["no room for a character"]),
    ("intake/manifest.rs", include_str!("../../intake/manifest.rs"), &[]),
    ("intake/seal.rs", include_str!("../../intake/seal.rs"), &[]),
    ("intake/sealed.rs", include_str!("../../intake/sealed.rs"), &[]),
    ("intake/shape.rs", include_str!("../../intake/shape.rs"), &[]),
    ("intake/table.rs", include_str!("../../intake/table.rs"), &[]),
    ("intake/texts.rs", include_str!("../../intake/texts.rs"), &["it is {what}"]),
    ("intake/tokens.rs", include_str!("../../intake/tokens.rs"), &[]),
    ("intake/unpack.rs", include_str!("../../intake/unpack.rs"), &[]),
    ("ledger/import/mod.rs", include_str!("../../ledger/import/mod.rs"), &["there is always a free number", "there is at least one pack"]),
    ("ledger/import/family.rs", include_str!("../../ledger/import/family.rs"), &["all but the outermost have one"]),
    ("ledger/tokens.rs", include_str!("../../ledger/tokens.rs"), &[]),
    ("ledger/error.rs", include_str!("../../ledger/error.rs"), &[]),
    ("config/check.rs", include_str!("../../config/check.rs"), &["[[station]] {}: {what}", "[[level]] {}: {what}"]),
    ("config/codes.rs", include_str!("../../config/codes.rs"), &[]),
    ("config/peers.rs", include_str!("../../config/peers.rs"), &[]),
    ("config/packs.rs", include_str!("../../config/packs.rs"), &[]),
    ("config/points.rs", include_str!("../../config/points.rs"), &[]),
    ("config/read.rs", include_str!("../../config/read.rs"), &[]),
    ("config/supply.rs", include_str!("../../config/supply.rs"), &["[[supply]] {} {}"]),
    ("config/words.rs", include_str!("../../config/words.rs"), &[]),
    ("vocab/key/pattern.rs", include_str!("../../vocab/key/pattern.rs"), &[]),
    ("ledger/ranges.rs", include_str!("../../ledger/ranges.rs"), &[]),
    ("line/ranges.rs", include_str!("../../line/ranges.rs"), &[]),
    ("line/packs.rs", include_str!("../../line/packs.rs"), &[]),
    ("line/supply.rs", include_str!("../../line/supply.rs"), &[]),
    (
        "line/jobs.rs",
        include_str!("../../line/jobs.rs"),
        &[
            "product {product} is not {known_by}",
            "in the configuration",
            "job {id} {what}",
            "is on the line already",
            "cannot start while {} is on the line",
            "an answer encodes",
            "{} {} ({} of {}, {})",
        ],
    ),
    ("line/ending.rs", include_str!("../../line/ending.rs"), &["only a job on the line ends", "a printer has a window"]),
    ("line/mouth.rs", include_str!("../../line/mouth.rs"), &["a gated station has a gate lane", "a gated station"]),
    ("line/tower.rs", include_str!("../../line/tower.rs"), &[]),
    (
        "floor/imports.rs",
        include_str!("../../floor/imports.rs"),
        &["imported, and cannot be deleted: delete them by hand", "the files of an import stay as they are ({e})"],
    ),
    (
        "floor/inbox.rs",
        include_str!("../../floor/inbox.rs"),
        &[
            "the inbox is not watched ({e}): start the daemon again",
            "imported from the inbox",
            "refused from the inbox",
            "{}: {e}: {}",
            "stays in the inbox ({e}): check the folder's rights",
            "{}: {what}; nothing was imported",
        ],
    ),
    ("upstream/extract.rs", include_str!("../../upstream/extract.rs"), &["! written no further", "a list of codes"]),
    ("upstream/folder.rs", include_str!("../../upstream/folder.rs"), &[]),
    (
        "upstream/http.rs",
        include_str!("../../upstream/http.rs"),
        &["the file {} of header {name} {why}", "cannot be read ({e}): check the path and its rights", "holds what no header may hold"],
    ),
    ("upstream/supplier.rs", include_str!("../../upstream/supplier.rs"), &[]),
    ("upstream/transport.rs", include_str!("../../upstream/transport.rs"), &[]),
];

/// The texts of a Rust source between quotes, its comments and its tests left out.
fn literals(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or("");
    let lines = code.lines().map(|l| if l.trim_start().starts_with("//") { "" } else { l }).collect::<Vec<_>>().join("\n");
    let (mut found, mut chars) = (Vec::new(), lines.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            // A quote as a character is none.
            '\'' if chars.peek() == Some(&'"') => drop(chars.next()),
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    match (c, chars.peek()) {
                        ('\\', Some('\n')) => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                        ('\\', Some(_)) => text.extend(chars.next()),
                        _ => text.push(c),
                    }
                }
                found.push(text);
            }
            _ => {}
        }
    }
    found
}

/// With numbers in its places: what the program would say.
fn filled(literal: &str) -> String {
    let (mut said, mut rest) = (String::new(), literal);
    while let Some((before, place)) = rest.split_once('{') {
        said += before;
        if let Some(after) = place.strip_prefix('{') {
            // A brace that is meant.
            let (inside, after) = after.split_once("}}").expect("both braces");
            said += &format!("{{{inside}}}");
            rest = after;
            continue;
        }
        let (name, after) = place.split_once('}').expect("a place ends");
        match name {
            "SLOT" => said += "{token}",
            // TOML to write, no place.
            _ if name.contains(' ') => said += &format!("{{{name}}}"),
            _ => said += "7",
        }
        rest = after;
    }
    said + rest
}

/// Three English words in a row, other than a command to type.
fn english_left(said: &str) -> bool {
    let words: Vec<&str> = said.split(' ').collect();
    let english = |w: &&str| *w != "packmark" && !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase());
    words.windows(3).any(|w| w.iter().all(english))
}

#[test]
fn every_sentence_of_these_files_has_its_chinese() {
    let mut lacking = Vec::new();
    let mut sentences = 0;
    for (file, source, others) in FILES {
        let mut unused: Vec<&str> = others.to_vec();
        for literal in literals(source).into_iter().filter(|l| l.split_whitespace().count() >= 3) {
            if let Some(at) = unused.iter().position(|o| *o == literal) {
                unused.remove(at);
                continue;
            }
            if others.contains(&literal.as_str()) {
                continue;
            }
            sentences += 1;
            let english = filled(literal.trim_start_matches("! "));
            let said = chinese(&english);
            if !han(&said) || english_left(&said) {
                lacking.push(format!("{file}: {english}\n    {said}"));
            }
        }
        assert!(unused.is_empty(), "{file} does not hold {unused:?} any more");
    }
    assert!(lacking.is_empty(), "{} sentences lack their Chinese:\n{}", lacking.len(), lacking.join("\n"));
    assert!(sentences > 200, "{sentences}");
}
