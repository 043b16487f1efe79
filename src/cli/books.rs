//! The reading side: each command opens a snapshot beside a running daemon (or none) and writes nothing.

use super::TraceArgs;
use super::place::{self, print, result};
use super::remarks::{Remark, remarks};
use crate::audit::{Account, Judge, Verdict, Violation};
use crate::config::Config;
use crate::floor::terms::{Exit, Globals, say};
use crate::ledger::reader::{ReadError, Snapshot};
use crate::tui::words;
use crate::vocab::code::unhex;
use crate::vocab::plan::Traits;
use crate::vocab::{ItemState, Promise};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::path::Path;

pub fn check(g: &Globals) -> Exit {
    let Some(file) = &g.config else {
        say(g.either("which configuration? give --config FILE", "请用 --config FILE 指出配置文件"));
        return Exit::Usage;
    };
    match place::load(g, file) {
        Ok(c) => {
            let wrong = match against_the_book(g, &c, file) {
                Ok(wrong) => wrong,
                Err(exit) => return exit,
            };
            if !wrong.is_empty() {
                return complaints(g, &wrong);
            }
            let (stations, devices, levels) = (c.plan.stations.len(), c.plan.devices.len(), c.plan.levels.len());
            let (unverified, remarks) = remarks(g, &c, file);
            let warnings: Vec<place::Wrong> = unverified.iter().map(|w| w.told(g)).chain(warnings(&c, file)).collect();
            remarks.iter().for_each(|r| eprintln!("{}", r.told(g)));
            if g.json {
                let warnings: Vec<Value> = warnings.iter().map(place::Wrong::json).collect();
                let remarks: Vec<Value> = remarks.iter().map(Remark::json).collect();
                return result(&json!({"ok": true, "line": c.plan.line, "complaints": [], "warnings": warnings, "remarks": remarks}));
            }
            for w in &warnings {
                print(format_args!("{}{w}", g.either("warning: ", "警告：")));
            }
            match g.english() {
                true => print(format_args!(
                    "{}: good (line {}, {levels} levels, {stations} stations, {devices} devices)",
                    file.display(),
                    c.plan.line
                )),
                false => print(format_args!(
                    "{}：配置正确（产线 {}，{levels} 级包装，{stations} 个工位，{devices} 台设备）",
                    file.display(),
                    c.plan.line
                )),
            }
        }
        Err(wrong) => complaints(g, &wrong),
    }
}

/// What may go wrong with a device as it is set, at the line that names it.
fn warnings(c: &Config, file: &Path) -> Vec<place::Wrong> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut out = Vec::new();
    for d in &c.plan.devices {
        let Traits::Reader(t) = &d.traits else { continue };
        let named = |l: &str| l.split('=').map(|p| p.trim().trim_matches('"')).eq(["id", &d.id]);
        let line = text.lines().position(named).map_or(0, |n| n + 1);
        out.extend(t.warnings.iter().map(|w| {
            let (what, right) = w.split_once("; ").map_or((w.as_str(), None), |(a, b)| (a, Some(b.to_string())));
            place::Wrong { file: file.into(), line, what: format!("[[device]] {}: {what}", d.id), right }
        }));
    }
    out
}

fn complaints(g: &Globals, wrong: &[place::Wrong]) -> Exit {
    let wrong: Vec<place::Wrong> = wrong.iter().map(|w| w.told(g)).collect();
    match g.json {
        true => {
            result(&json!({"ok": false, "complaints": wrong.iter().map(place::Wrong::json).collect::<Vec<_>>()}));
        }
        false => wrong.iter().for_each(|w| {
            print(w);
        }),
    }
    Exit::Usage
}

/// What the store says against the configuration. A store that cannot be read, or is not there yet, is no fault of the
/// configuration.
fn against_the_book(g: &Globals, c: &Config, file: &Path) -> Result<Vec<place::Wrong>, Exit> {
    let dir = place::store(g, Some(c))?;
    let Ok(sentences) = Snapshot::open(&dir).and_then(|s| s.contradicts(&c.plan)) else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let wrong = |sentence: String| {
        let (what, right) = sentence.split_once("; ").map_or((sentence.as_str(), None), |(a, b)| (a, Some(b.to_string())));
        let level = what.strip_prefix("[[level]] ").and_then(|w| w.split(':').next()).unwrap_or("");
        let named = |l: &str| l.split('=').map(|p| p.trim().trim_matches('"')).eq(["name", level]);
        let place = |l: &str| if what.starts_with("[codes]") { l.trim() == "[codes]" } else { named(l) };
        let line = text.lines().position(place).map_or(0, |n| n + 1);
        place::Wrong { file: file.into(), line, what: what.into(), right }
    };
    Ok(sentences.into_iter().map(wrong).collect())
}

/// Opens the snapshot and hands it on; every refusal becomes a sentence.
pub(super) fn read(g: &Globals, f: impl FnOnce(&mut Snapshot) -> Result<Exit, ReadError>) -> Exit {
    let opened = place::config(g).and_then(|c| place::store(g, c.as_ref()));
    let dir = match opened {
        Ok(dir) => dir,
        Err(exit) => return exit,
    };
    match Snapshot::open(&dir).and_then(|mut s| f(&mut s)) {
        Ok(exit) => exit,
        Err(ReadError::Out(e)) if e.kind() == ErrorKind::BrokenPipe => Exit::Done,
        Err(e) => {
            place::refused(g, "unreadable", &e.to_string(), "");
            Exit::Refused
        }
    }
}

/// NDJSON on stdout, one buffered stream.
fn stream(f: impl FnOnce(&mut dyn FnMut(Value) -> std::io::Result<()>) -> Result<(), ReadError>) -> Result<Exit, ReadError> {
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    f(&mut |v| writeln!(out, "{v}"))?;
    out.flush()?;
    Ok(Exit::Done)
}

pub fn dump(g: &Globals) -> Exit {
    read(g, |s| stream(|out| s.dump(out)))
}

pub fn journal(g: &Globals, since: Option<u64>) -> Exit {
    read(g, |s| stream(|out| s.journal(since.unwrap_or(0), out)))
}

pub fn trace(g: &Globals, args: &TraceArgs) -> Exit {
    let bytes = match (&args.code, &args.hex) {
        (Some(t), _) => t.as_bytes().to_vec(),
        (None, Some(h)) => match unhex(h) {
            Some(b) if !b.is_empty() => b,
            _ => {
                say(place::told(g, &format!("--hex {h} is not hex: give pairs of 0-9 a-f")));
                return Exit::Usage;
            }
        },
        (None, None) => return Exit::Usage,
    };
    let prefix = match place::config(g) {
        Ok(config) => config.and_then(|c| c.plan.codes.company_prefix_len),
        Err(exit) => return exit,
    };
    read(g, |s| match s.trace(&bytes, prefix)? {
        Some(v) if g.json => Ok(result(&v)),
        Some(v) => Ok(trace_text(g, &v)),
        None => {
            let what = g.either(
                "this code is in no pack of this ledger: is it complete, and of this line? (bytes that are no text are given with --hex)",
                "账本的码包里没有这个码：是否完整？是否属于本产线？（含不可见字节的码请用 --hex）",
            );
            place::refused(g, "unknown-code", what, "");
            Ok(Exit::Refused)
        }
    })
}

pub(super) fn text<'a>(v: &'a Value, key: &str) -> &'a str {
    v.get(key).and_then(Value::as_str).unwrap_or("")
}

/// A code as people see it: its text, else its hex.
fn named(v: &Value) -> &str {
    match text(v, "text") {
        "" => text(v, "hex"),
        t => t,
    }
}

fn trace_text(g: &Globals, v: &Value) -> Exit {
    let word = |en: &'static str, zh: &'static str| if g.english() { en } else { zh };
    let lang = place::lang(g);
    let item = |v: &'_ Value| ItemState::from_word(text(v, "state")).map_or(text(v, "state").to_string(), |s| words::item(s, lang).into());
    // English says the protocol's own words.
    let parent = |v: &'_ Value| if g.english() { text(v, "state").to_string() } else { words::parent_word(text(v, "state"), lang).into() };
    let reason = if g.english() { text(v, "reason") } else { words::reason_word(text(v, "reason"), lang) };
    print(format_args!("{}  {} {}", named(v), text(v, "level"), item(v)));
    for (said, en, zh) in [(reason, "reason", "原因"), (text(v, "job"), "job", "工单")] {
        if !said.is_empty() {
            print(format_args!("  {} {said}", word(en, zh)));
        }
    }
    print(format_args!("  {} {} #{}", word("pack", "码包"), text(v, "pack"), v["ordinal"].as_u64().unwrap_or(0) + 1));
    if let Some(f) = v.get("gs1") {
        print(format_args!("  {} {}", word("reported as", "上报为"), named(&f["reported"])));
        for (key, name) in [("urn", "EPC URN"), ("link", "GS1 Digital Link")] {
            if !text(f, key).is_empty() {
                print(format_args!("  {name} {}", text(f, key)));
            }
        }
    }
    for c in v["codes"].as_array().into_iter().flatten() {
        print(format_args!("  {} {}  {}", word("carries", "附码"), named(c), text(c, "purpose")));
    }
    for p in v["made_for"].as_array().into_iter().flatten() {
        let number = p["ordinal"].as_u64().unwrap_or(0) + 1;
        print(format_args!("  {} {} {} ({} #{number})", word("made to be in", "预定装入"), text(p, "level"), named(p), text(p, "pack")));
    }
    for p in v["parents"].as_array().into_iter().flatten() {
        print(format_args!("  {} {} {} ({}) {}", word("in", "装入"), text(p, "level"), named(p), p["id"], parent(p)));
    }
    if let Some(c) = v.get("contents") {
        let children = c["children"].as_array().map_or(&[][..], Vec::as_slice);
        print(format_args!("  {} {} ({}) {}, {}:", word("is", "本身为"), text(c, "level"), c["id"], parent(c), children.len()));
        for child in children {
            print(format_args!("    {}  {}", named(child), item(child)));
        }
    }
    for e in v["events"].as_array().into_iter().flatten() {
        let fields: Vec<String> = ["station", "device", "reason", "why", "to", "from", "id", "passage", "good"]
            .iter()
            .filter_map(|k| e.get(*k).map(|x| format!("{k} {}", x.as_str().map_or_else(|| x.to_string(), String::from))))
            .collect();
        print(format_args!("  {}  {:>6}  {}  {}", text(e, "t"), e["seq"], text(e, "k"), fields.join("  ")));
    }
    Exit::Done
}

pub fn report(g: &Globals, job: &str) -> Exit {
    read(g, |s| match s.report(job)? {
        Some(v) if g.json => Ok(result(&v)),
        Some(v) => Ok(report_text(g, &v)),
        None => {
            place::refused(
                g,
                "unknown-job",
                &format!("there is no job {job} in this ledger"),
                "see packmark journal for the jobs it knows",
            );
            Ok(Exit::Refused)
        }
    })
}

fn report_text(g: &Globals, v: &Value) -> Exit {
    let word = |en: &'static str, zh: &'static str| if g.english() { en } else { zh };
    let map = |m: &Value| m.as_object().into_iter().flatten().map(|(k, n)| format!("{k} {n}")).collect::<Vec<_>>().join(", ");
    let j = &v["job"];
    print(format_args!(
        "{} {}  {}  {} {}  {}",
        word("job", "工单"),
        text(j, "id"),
        text(j, "product"),
        word("lot", "批号"),
        text(j, "lot"),
        text(j, "state")
    ));
    let c = &v["counts"];
    let names = (word("passages", "过件"), word("verified", "合格"), word("rejected", "剔除"), word("escaped", "逃逸"));
    print(format_args!(
        "  {} {}  {} {}  {} {}  {} {}",
        names.0,
        c["passages"],
        names.1,
        c["verified"],
        names.2,
        sum(&c["rejected"]),
        names.3,
        c["escaped"]
    ));
    if sum(&c["rejected"]) > 0 {
        print(format_args!("    {}", map(&c["rejected"])));
    }
    for (level, states) in v["codes"].as_object().into_iter().flatten() {
        print(format_args!("  {} {level}: {}", word("codes", "码"), map(states)));
    }
    for (level, states) in v["parents"].as_object().into_iter().flatten() {
        print(format_args!("  {} {level}: {}", word("parents", "包装"), map(states)));
    }
    let b = &v["balance"];
    print(format_args!(
        "  {}: {} {}, {} {}",
        word("balances (0 closes)", "平衡（0 为闭合）"),
        word("codes", "码"),
        b["codes"],
        word("passages", "过件"),
        b["passages"]
    ))
}

fn sum(m: &Value) -> u64 {
    m.as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum()
}

pub fn audit(g: &Globals, truth: Option<&Path>) -> Exit {
    let mut judge = Judge::new();
    // The truth is read last, but a wrong path is told before a long audit.
    let truth = match truth.map(|t| File::open(t).map_err(|e| (t, e))) {
        None => None,
        Some(Ok(f)) => Some(BufReader::new(f)),
        Some(Err((t, e))) => {
            place::refused(g, "no-truth", &format!("{} cannot be read ({e})", t.display()), "give the file that simulate wrote");
            return Exit::Usage;
        }
    };
    read(g, |s| {
        let broken = s.verify_chain()?;
        s.dump(&mut |v| {
            judge.dump(&v);
            Ok(())
        })?;
        let unreadable = match s.journal(0, &mut |v| {
            judge.journal(&v);
            Ok(())
        }) {
            Err(ReadError::Event(seq)) => Some(seq),
            other => other.map(|()| None)?,
        };
        if let Some(file) = truth
            && let Err(e) = judge.read(Account::Truth, file)
        {
            place::refused(g, "no-truth", &e.to_string(), "");
            return Ok(Exit::Refused);
        }
        let mut verdict = judge.finish();
        for (seq, text) in [
            (broken, "from here on the events do not agree with their chain: the ledger was changed or damaged"),
            (unreadable, "this event cannot be understood: the ledger is damaged or newer"),
        ] {
            if let Some(seq) = seq {
                let violation = Violation { promise: Promise::NothingForgotten, seq: Some(seq), hex: None, text: text.into() };
                verdict.violations.push(violation);
                verdict.found += 1;
            }
        }
        let ok = verdict.ok();
        let shown = if g.json { result(&verdict.to_json()) } else { audit_text(g, &verdict) };
        Ok(if ok { shown } else { Exit::Violation })
    })
}

fn audit_text(g: &Globals, v: &Verdict) -> Exit {
    let word = |en: &'static str, zh: &'static str| if g.english() { en } else { zh };
    for x in &v.violations {
        let seq = x.seq.map(|s| format!(" #{s}")).unwrap_or_default();
        let hex = x.hex.as_ref().map(|h| format!(" {h}")).unwrap_or_default();
        print(format_args!("{}{seq}{hex}: {}", x.promise.word(), x.text));
    }
    for w in &v.warnings {
        print(format_args!("{}: {w}", word("warning", "提示")));
    }
    let b = &v.balance;
    let balances = format!(
        "{}: {} {}, {} {}",
        word("balances (0 closes)", "平衡（0 为闭合）"),
        word("codes", "码"),
        b.codes,
        word("passages", "过件"),
        b.passages
    );
    match v.ok() {
        true => print(format_args!("{}; {balances}", word("the book is in order", "账本无误"))),
        false => print(format_args!("{} {}; {balances}", v.found, word("violations", "处违反"))),
    }
}
