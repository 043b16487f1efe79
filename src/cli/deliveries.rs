//! Deliveries of codes: imported through the daemon if one holds the store, else under the store's lock; and sealed.

use super::ask::{Way, ask, object, offline_failed, open_how, put, way};
use super::place::{self, print, result};
use super::{ImportArgs, SaysArgs, SealArgs};
use crate::config::Config;
use crate::floor::clock::Clock;
use crate::floor::terms::{Exit, Globals, say};
use crate::intake::{self, Delivery, Fault, Seal, Terms, Wish};
use crate::ledger::import::ImportError;
use crate::ledger::offline::{self, OfflineError};
use crate::vocab::code::hex;
use crate::vocab::event::Origin;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

impl SaysArgs {
    pub fn wish(&self) -> Wish {
        let s = self.clone();
        Wish {
            pack: s.id,
            level: s.level,
            product: s.product,
            purpose: s.purpose,
            expiry: s.expiry,
            columns: s.column,
            parents: s.parent,
            encoding: s.encoding,
            separator: s.separator,
            header: s.header,
            form: s.form,
            fetched: false,
            used: false,
            skip_duplicates: false,
        }
    }
}

pub fn import(g: &Globals, args: &ImportArgs) -> Exit {
    let said = &args.says;
    if !args.used && (said.level.is_none() || said.product.is_none()) && !args.files.iter().any(|f| intake::is_sealed(f)) {
        say(g.either(
            "give --level and --product: only a sealed pack's manifest can say them",
            "请给出 --level 和 --product：只有密封码包的清单能说明它们",
        ));
        return Exit::Usage;
    }
    match way(g) {
        Err(exit) => exit,
        Ok(Way::Daemon(mut client)) => {
            let paths: Result<Vec<Value>, _> =
                args.files.iter().map(|f| std::path::absolute(f).map(|p| Value::from(p.to_string_lossy().into_owned()))).collect();
            let Ok(paths) = paths else {
                say(place::told(g, "the current folder is gone: give whole paths"));
                return Exit::Refused;
            };
            ask(g, &mut client, "pack.import", fields(paths, args), None, &|v| imported(g, v))
        }
        Ok(Way::Store(dir, config)) => match into_store(
            &dir,
            config.as_deref(),
            &args.files,
            &Wish { used: args.used, skip_duplicates: args.skip_duplicates, ..said.wish() },
        ) {
            Ok(answer) => imported(g, &answer),
            Err(Failed::Delivery(fault)) => offline_failed(g, &OfflineError::Import(ImportError::Delivery(fault))),
            Err(Failed::Store(e)) => offline_failed(g, &e),
        },
    }
}

/// The request's fields; what is not said is not sent.
fn fields(paths: Vec<Value>, args: &ImportArgs) -> Map<String, Value> {
    let said = &args.says;
    let mut fields = object(json!({"path": paths}));
    let texts = [
        ("level", &said.level),
        ("product", &said.product),
        ("pack", &said.id),
        ("purpose", &said.purpose),
        ("expiry", &said.expiry),
        ("encoding", &said.encoding),
        ("separator", &said.separator),
        ("form", &said.form),
    ];
    texts.into_iter().for_each(|(key, v)| put(&mut fields, key, v.as_deref()));
    for (key, list) in [("column", &said.column), ("parent", &said.parent)].into_iter().filter(|l| !l.1.is_empty()) {
        fields.insert(key.into(), list.as_slice().into());
    }
    for key in [("header", said.header), ("used", args.used), ("skip_duplicates", args.skip_duplicates)]
        .into_iter()
        .filter_map(|(key, on)| on.then_some(key))
    {
        fields.insert(key.into(), true.into());
    }
    fields
}

enum Failed {
    Delivery(Fault),
    Store(OfflineError),
}

fn into_store(dir: &Path, config: Option<&Config>, files: &[PathBuf], wish: &Wish) -> Result<Map<String, Value>, Failed> {
    let (clock, plan) = (Clock::start(0), config.map(|c| &c.plan));
    let terms = Terms { plan, wall_us: clock.now().wall_us };
    let mut delivery: Delivery = intake::open(files, wish, &terms).map_err(Failed::Delivery)?;
    let pack = offline::import(dir, &open_how(clock, true), clock.now(), &mut delivery, plan).map_err(Failed::Store)?;
    let sha = match pack.origin {
        Origin::Segments { sha256 } | Origin::Related { sha256, .. } => hex(&sha256),
        Origin::Range(_) => String::new(),
    };
    let mut answer = object(json!({"pack": pack.id, "count": pack.count, "sha256": sha}));
    let after = delivery.aftercare(plan.is_some_and(|p| p.packs.delete_plaintext));
    let notes: Vec<String> = after.notes.iter().cloned().chain(pack.skipped.note()).collect();
    let lie: Vec<String> = after.settle().iter().map(|p| p.display().to_string()).collect();
    for (name, texts) in [("plaintext", lie), ("notes", notes)].into_iter().filter(|f| !f.1.is_empty()) {
        answer.insert(name.into(), texts.into());
    }
    Ok(answer)
}

fn imported(g: &Globals, v: &Map<String, Value>) -> Exit {
    // A number of codes is a number, however the daemon wrote it.
    let count = v.get("count").and_then(|c| c.as_u64().or_else(|| c.as_str()?.parse().ok())).unwrap_or(0);
    let text = |k: &str| v.get(k).and_then(Value::as_str).unwrap_or("").to_string();
    let list =
        |k: &str| v.get(k).and_then(Value::as_array).map(|l| l.iter().filter_map(Value::as_str).collect::<Vec<_>>()).unwrap_or_default();
    let (pack, sha) = (text("pack"), text("sha256"));
    if g.json {
        let mut answer = object(json!({"pack": pack, "count": count, "sha256": sha}));
        for name in ["plaintext", "notes"].into_iter().filter(|n| !list(n).is_empty()) {
            answer.insert(name.into(), list(name).into());
        }
        return result(&Value::Object(answer));
    }
    let exit = match g.english() {
        true => print(format_args!("pack {pack}: {count} codes imported (sha256 {sha})")),
        false => print(format_args!("码包 {pack}：已导入 {count} 个码（sha256 {sha}）")),
    };
    list("notes").iter().for_each(|n| say(place::told(g, n)));
    if let files @ [_, ..] = list("plaintext").as_slice() {
        let files = files.join(", ");
        match g.english() {
            true => {
                say(format_args!("the codes still lie readable in {files}: delete the file, or set after_import = \"delete\" in [packs]"))
            }
            false => say(format_args!("明文码仍在 {files} 中：请删除该文件，或在 [packs] 中设 after_import = \"delete\"")),
        }
    }
    exit
}

/// The password of a key: from its file, else from the environment.
fn password(args: &SealArgs) -> std::io::Result<Option<String>> {
    let Some(file) = &args.password_file else { return Ok(std::env::var("PACKMARK_KEY_PASSWORD").ok()) };
    let text = std::fs::read_to_string(file)?;
    Ok(Some(text.lines().next().unwrap_or("").to_string()))
}

pub fn seal(g: &Globals, args: &SealArgs) -> Exit {
    let config = match place::config(g) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let failed = |what: &str| {
        place::refused(g, "seal", what, "");
        Exit::Refused
    };
    let password = match password(args) {
        Ok(password) => password,
        Err(e) => return failed(&format!("the password's file cannot be read ({e}): check the path and its rights")),
    };
    let terms = Terms { plan: config.as_ref().map(|c| &c.plan), wall_us: Clock::start(0).now().wall_us };
    let how = Seal { to: &args.to, key: &args.key, password, out: &args.out, line: args.line.clone() };
    let made = match intake::seal(&args.file, &args.says.wish(), &terms, &how) {
        Ok(made) => made,
        Err(fault) => return failed(&fault.to_string()),
    };
    let (pack, count) = (made.manifest.says.pack.clone().unwrap_or_default(), made.manifest.count.unwrap_or(0));
    let (file, signature) = (made.file.display().to_string(), made.signature.display().to_string());
    let sha = made.manifest.sha256.map_or(String::new(), |h| hex(&h));
    if g.json {
        return result(&json!({"pack": pack, "count": count, "sha256": sha, "file": file, "signature": signature}));
    }
    let exit = match g.english() {
        true => print(format_args!("pack {pack}: {count} rows sealed in {file}, signed in {signature}")),
        false => print(format_args!("码包 {pack}：{count} 行已密封到 {file}，签名在 {signature}")),
    };
    let plain = args.file.display();
    match g.english() {
        true => say(format_args!("the codes still lie readable in {plain}: delete it when it is no longer needed")),
        false => say(format_args!("明文码仍在 {plain} 中：不再需要时请删除")),
    }
    exit
}
