//! What came of it, counted from the book (never from counters), judged by the auditor.

use super::DemoError;
use super::scene::Scene;
use crate::audit;
use crate::floor::terms::Exit;
use crate::ledger::reader::Snapshot;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub struct Tally {
    json: Value,
    text: String,
    ok: bool,
}

/// Reads dump, journal and truth, and judges them.
pub fn count(scene: &Scene, english: bool) -> Result<Tally, DemoError> {
    let (mut dump, mut journal) = (Vec::new(), Vec::new());
    Snapshot::open(&scene.store)?.dump(&mut |v| {
        dump.push(v);
        Ok(())
    })?;
    Snapshot::open(&scene.store)?.journal(0, &mut |v| {
        journal.push(v);
        Ok(())
    })?;
    let truth =
        std::fs::read_to_string(&scene.truth).map_err(|source| DemoError::Io { what: "the truth file cannot be read".into(), source })?;
    let truth: Vec<Value> = truth.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let verdict = audit::judge(&dump, &journal, Some(&truth));

    let of = |state: &str| dump.iter().filter(|v| v["k"] == "code" && v["state"] == state).count();
    let bottles: BTreeSet<&str> =
        dump.iter().filter(|v| v["k"] == "code" && v["level"] == "bottle").filter_map(|v| v["hex"].as_str()).collect();
    let packed = dump.iter().filter(|v| v["k"] == "code" && v["level"] == "bottle" && v["state"] == "packed").count();
    let mut verified: BTreeSet<&str> = BTreeSet::new();
    let mut doubtful: BTreeSet<&str> = BTreeSet::new();
    // The last word on each bottle passage.
    let mut passages: BTreeMap<u64, Option<&str>> = BTreeMap::new();
    let mut escaped = 0u64;
    for v in &journal {
        let hex = v["hex"].as_str().unwrap_or_default();
        match v["k"].as_str() {
            Some("doubtful") => drop(doubtful.insert(hex)),
            Some("verdict") if v["station"] == "bottle-check" => {
                let passage = v["passage"].as_u64().unwrap_or(0);
                if v["good"] == true {
                    verified.insert(hex);
                    passages.insert(passage, None);
                } else {
                    passages.insert(passage, v["reason"].as_str());
                }
            }
            Some("escaped") if v["station"] == "bottle-check" => {
                escaped += 1;
                passages.remove(&v["passage"].as_u64().unwrap_or(0));
            }
            _ => {}
        }
    }
    verified.retain(|h| bottles.contains(h));
    let mut rejected: BTreeMap<&str, u64> = BTreeMap::new();
    passages.values().flatten().for_each(|r| *rejected.entry(r).or_default() += 1);
    let sealed = |level: &str| dump.iter().filter(|v| v["k"] == "parent" && v["level"] == level && v["state"] == "sealed").count();

    let ok = verdict.ok();
    let json = json!({
        "ok": ok,
        "store": scene.store,
        "truth": scene.truth,
        "units": scene.fed().unwrap_or(0),
        "verified": verified.len(),
        "packed": packed,
        "rejected": rejected,
        "escaped": escaped,
        "doubtful": doubtful.len(),
        "void": of("void"),
        "missing": of("missing"),
        "balance": {"codes": verdict.balance.codes, "passages": verdict.balance.passages},
    });
    let (boxes, cases, pallets) = (sealed("box"), sealed("case"), sealed("pallet"));
    let rejects = rejected.iter().map(|(r, n)| format!("{n} {r}")).collect::<Vec<_>>().join(", ");
    let rejects = if rejects.is_empty() { "0".into() } else { rejects };
    let (fed, store, config) = (scene.fed().unwrap_or(0), scene.store.display(), scene.config.display());
    let (codes, passed) = (verdict.balance.codes, verdict.balance.passages);
    let (good, doubt, void, missing) = (verified.len(), doubtful.len(), of("void"), of("missing"));
    let mut text = if english {
        format!(
            "{fed} bottles fed: {good} verified, {packed} packed; rejected: {rejects}; escaped {escaped}\n\
             sealed: {boxes} boxes, {cases} cases, {pallets} pallets; codes doubtful {doubt}, void {void}, missing {missing}\n\
             balance of codes {codes}, of passages {passed}; truth and book {}\n",
            if ok { "agree" } else { "DISAGREE" }
        )
    } else {
        format!(
            "投入 {fed} 瓶：通过 {good}，已装箱 {packed}；剔除：{rejects}；逃逸 {escaped}\n\
             已封：盒 {boxes}，箱 {cases}，托盘 {pallets}；存疑码 {doubt}，作废 {void}，缺失 {missing}\n\
             码平衡 {codes}，过件平衡 {passed}；实物与账本{}\n",
            if ok { "一致" } else { "不一致" }
        )
    };
    for v in verdict.violations.iter().take(10) {
        text.push_str(&format!("  {}: {}\n", v.promise, v.text));
    }
    let a_case = dump.iter().rev().find(|v| v["k"] == "parent" && v["state"] == "sealed").and_then(|v| v["text"].as_str());
    text.push_str(if english { "\nLook closer:\n" } else { "\n进一步查看：\n" });
    if let Some(code) = a_case {
        text.push_str(&format!("  packmark trace {code} --store {store}\n"));
    }
    for command in ["journal", "dump"] {
        text.push_str(&format!("  packmark {command} --store {store}\n"));
    }
    text.push_str(&format!("  packmark audit --store {store} --truth {}\n", scene.truth.display()));
    text.push_str(&format!("  packmark report DEMO --store {store}\n  {config}\n"));
    Ok(Tally { json, text, ok })
}

impl Tally {
    pub fn tell(&self, json: bool) -> Exit {
        if json {
            println!("{}", self.json);
        } else {
            print!("{}", self.text);
        }
        if self.ok { Exit::Done } else { Exit::Violation }
    }
}
