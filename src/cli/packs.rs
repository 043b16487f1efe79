//! Packs: what is left of them, what became of them, voiding and returning what was not used.
//!
//! Invariant: the event commits first; the file that lists the codes is made from the book afterwards, whole or not at
//! all, and can be made again by the same command.

use super::ask::{self, Way};
use super::books::{read, text};
use super::place::{self, print, result};
use crate::control::protocol::Status;
use crate::floor::clock::Clock;
use crate::floor::terms::{Exit, Globals};
use crate::ledger::offline::{self, Answer, Withdrawal};
use crate::ledger::packs::History;
use crate::ledger::reader::{ReadError, Snapshot};
use crate::ledger::{Holder, OpenError, Speed};
use crate::tui::words;
use crate::vocab::ItemState;
use crate::vocab::time::rfc3339;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a daemon may take to say how fast the line runs.
const GLANCE: Duration = Duration::from_secs(5);

#[derive(clap::Args, Debug, Clone)]
pub struct WithdrawArgs {
    pub pack: String,
    /// Why; it stands in the journal and in the file
    #[arg(long)]
    pub reason: String,
    /// The file that lists the codes, a table for the office (return needs one)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Who says so (default: the user of this session)
    #[arg(long)]
    pub who: Option<String>,
    /// Answered once: the same key gives the same answer
    #[arg(long)]
    pub key: Option<String>,
}

/// A good answer's fields, the numbers among them as numbers; or its refusal.
pub(super) fn answered(g: &Globals, a: &Answer, said: &mut Map<String, Value>) -> Exit {
    if !a.ok {
        place::refused(g, &a.code, &a.message, &a.act);
        return Exit::Refused;
    }
    let number = |k: &str, v: &str| matches!(k, "count" | "seen").then(|| v.parse::<u64>().ok()).flatten();
    said.extend(a.fields.iter().map(|(k, v)| (k.clone(), number(k, v).map_or_else(|| v.as_str().into(), Value::from))));
    Exit::Done
}

/// A file that cannot be written is told before anything is done.
pub(super) fn aside(g: &Globals, path: Option<&Path>) -> Result<Option<Aside>, Exit> {
    path.map(Aside::open).transpose().map_err(|(path, e)| {
        let what = format!("{} cannot be written ({e}); nothing was done", path.display());
        place::refused(g, "no-file", &what, "give a path in a folder that can be written");
        Exit::Refused
    })
}

pub fn list(g: &Globals) -> Exit {
    read(g, |s| {
        let packs = s.pack_list()?;
        if g.json {
            return Ok(result(&json!({"packs": packs})));
        }
        if packs.is_empty() {
            return Ok(print(g.either("no packs: import one with packmark pack import", "没有码包：请用 packmark pack import 导入")));
        }
        let unused = g.either("unused", "未用");
        for p in &packs {
            let mut line = format!(
                "{}  {} × {}  {}  {unused} {}  {}",
                text(p, "pack"),
                text(p, "level"),
                p["count"],
                text(p, "product"),
                p["unused"],
                counts(g, &p["codes"])
            );
            if let Some(purpose) = p["purpose"].as_str() {
                line += &format!("  ({purpose})");
            }
            if let Some(date) = p["expiry"].as_str() {
                line += &format!("  {} {date}", g.either("until", "有效至"));
            }
            if p["used"] == true {
                line += g.either("  used elsewhere", "  已在市场");
            }
            print(line);
        }
        Ok(Exit::Done)
    })
}

/// Codes by state, in the reader's words.
fn counts(g: &Globals, m: &Value) -> String {
    let word = |k: &str| ItemState::from_word(k).map_or(k.to_string(), |s| words::item(s, place::lang(g)).into());
    m.as_object().into_iter().flatten().map(|(k, v)| format!("{} {v}", word(k))).collect::<Vec<_>>().join(", ")
}

fn unknown(g: &Globals, id: &str) -> Exit {
    place::refused(g, "unknown-pack", &format!("there is no pack {id}"), "see packmark pack list");
    Exit::Refused
}

pub fn show(g: &Globals, id: &str) -> Exit {
    let live = status(g);
    read(g, |s| {
        let Some(mut v) = s.pack_show(id)? else { return Ok(unknown(g, id)) };
        let level = text(&v, "level").to_string();
        let last = s.last_speed(&level)?;
        if let Some(m) = v.as_object_mut()
            && !live.as_ref().is_some_and(|live| at_this_speed(m, live))
            && let Some(last) = last
        {
            at_the_last_speed(m, last);
        }
        if g.json {
            return Ok(result(&v));
        }
        show_text(g, &v);
        Ok(Exit::Done)
    })
}

/// What a running daemon says of the line, if there is one.
fn status(g: &Globals) -> Option<Status> {
    let config = place::config(g).ok()?;
    let dir = g.store.clone().or_else(|| config.map(|c| c.store))?;
    let socket = g.socket.clone().or_else(|| Holder::of(&dir)?.socket)?;
    let mut client = crate::control::client::Client::connect(&socket, GLANCE).ok()?;
    let v = client.request("status", Map::new(), None).ok()?;
    serde_json::from_value(Value::Object(v)).ok()
}

/// Codes a minute of the pack's level as the line runs now, and how many minutes the pack lasts. `false`: it does not run.
fn at_this_speed(m: &mut Map<String, Value>, live: &Status) -> bool {
    let level = m.get("level").and_then(Value::as_str).unwrap_or("");
    let unused = unused(m);
    let Some(pool) = live.pool.iter().find(|p| p.level == level) else { return false };
    let Some(minutes) = pool.minutes.filter(|minutes| live.speed_per_min > 0 && pool.codes > 0 && *minutes > 0) else { return false };
    m.insert("codes_per_min".into(), (pool.codes / minutes).into());
    let left = u128::from(unused) * u128::from(minutes) / u128::from(pool.codes);
    m.insert("minutes".into(), u64::try_from(left).unwrap_or(u64::MAX).into());
    true
}

/// The same at the speed of the last work, with its time.
fn at_the_last_speed(m: &mut Map<String, Value>, last: Speed) {
    let unused = unused(m);
    m.insert("codes_per_min".into(), last.per_min.into());
    m.insert("minutes".into(), (unused / last.per_min).into());
    m.insert("as_of".into(), rfc3339(last.at_us).into());
}

fn unused(m: &Map<String, Value>) -> u64 {
    m.get("unused").and_then(Value::as_u64).unwrap_or(0)
}

fn show_text(g: &Globals, v: &Value) {
    let word = |en: &'static str, zh: &'static str| g.either(en, zh);
    print(format_args!("{}  {} × {}  {}", text(v, "pack"), text(v, "level"), v["count"], text(v, "product")));
    print(format_args!("  {} {}: {}", word("unused", "未用"), v["unused"], counts(g, &v["codes"])));
    for (key, en, zh) in [
        ("purpose", "purpose", "用途"),
        ("imported", "imported", "导入时间"),
        ("sha256", "sha256", "sha256"),
        ("expiry", "until", "有效至"),
        ("key_rule", "matched by", "匹配规则"),
    ] {
        if !text(v, key).is_empty() {
            print(format_args!("  {} {}", word(en, zh), text(v, key)));
        }
    }
    if let Some(r) = v.get("range") {
        print(format_args!("  {} {} – {}", word("numbers", "号段"), text(r, "first"), text(r, "last")));
    }
    if let Some(d) = v.get("drawn") {
        print(format_args!("  {} {}", word("drawn at random", "随机生成"), text(d, "template")));
    }
    if v["used"] == true {
        print(word("  on the market already: never used here", "  已在市场：本线不使用"));
    }
    if let Some(w) = v.get("withdrawn") {
        print(format_args!("  {} {}: {}  {}", text(w, "to"), text(w, "time"), text(w, "reason"), text(w, "who")));
    }
    let Some(minutes) = v.get("minutes") else {
        if v.get("withdrawn").is_none() && v["used"] != true {
            print(word("  no speed is known: nothing has run lately", "  速度未知：近期没有生产"));
        }
        return;
    };
    let names = (word("codes a minute", "每分钟用码"), word("minutes left", "剩余分钟"));
    let when = match text(v, "as_of") {
        "" => String::new(),
        at if g.english() => format!(" (no line runs; as of {at})"),
        at => format!("（产线未运行；截至 {at}）"),
    };
    print(format_args!("  {} {}, {} {minutes}{when}", names.0, v["codes_per_min"], names.1));
}

pub fn history(g: &Globals, id: &str, since: u64, limit: u32) -> Exit {
    read(g, |s| {
        let Some(History { lines: events, next }) = s.pack_history(id, since, limit as usize)? else { return Ok(unknown(g, id)) };
        if g.json {
            let mut v = json!({"pack": id, "events": events});
            if let Some(next) = next {
                v["next"] = next.into();
            }
            return Ok(result(&v));
        }
        for e in &events {
            let fields: Vec<String> = ["level", "product", "count", "from", "job", "to", "date", "purpose", "why", "who"]
                .iter()
                .filter_map(|k| e.get(*k).map(|x| format!("{k} {}", x.as_str().map_or_else(|| x.to_string(), String::from))))
                .collect();
            print(format_args!("{}  {:>6}  {}  {}", text(e, "t"), e["seq"], text(e, "k"), fields.join("  ")));
        }
        if let Some(next) = next {
            print(format_args!("{} --since {next}", g.either("more with", "更多：")));
        }
        Ok(Exit::Done)
    })
}

pub fn withdraw(g: &Globals, args: &WithdrawArgs, to: ItemState) -> Exit {
    if to == ItemState::Returned && args.out.is_none() {
        place::refused(g, "no-file", "codes that are given back must be listed", "give --out FILE");
        return Exit::Usage;
    }
    let aside = match aside(g, args.out.as_deref()) {
        Ok(aside) => aside,
        Err(exit) => return exit,
    };
    let who = args.who.clone().or_else(|| std::env::var("USER").ok()).filter(|w| !w.trim().is_empty());
    let w = Withdrawal { pack: args.pack.clone(), to, reason: args.reason.clone(), who };
    let mut said = Map::new();
    match carry_out(g, &w, args.key.as_deref(), &mut said) {
        Exit::Done => listed(g, args, to, aside, said),
        exit => exit,
    }
}

/// Through the daemon, else in the store. A pack that was withdrawn to the same end before is no refusal where its file
/// is asked for: the file is made again.
fn carry_out(g: &Globals, w: &Withdrawal, key: Option<&str>, said: &mut Map<String, Value>) -> Exit {
    let way = match ask::way(g) {
        Ok(way) => way,
        Err(exit) => return exit,
    };
    match way {
        Way::Daemon(mut client) => {
            let mut fields = ask::object(json!({"pack": w.pack, "reason": w.reason}));
            ask::put(&mut fields, "who", w.who.as_deref());
            let op = if w.to == ItemState::Void { "pack.void" } else { "pack.return" };
            match client.request(op, fields, key) {
                Ok(v) => {
                    said.extend(v);
                    Exit::Done
                }
                Err(crate::control::client::ClientError::Refused(r)) if r.code == "pack-withdrawn" => {
                    again(g, w, said, &r.code, &r.message, &r.act)
                }
                Err(e) => place::client_failed(g, &e),
            }
        }
        Way::Store(dir, _) => {
            let clock = Clock::start(0);
            match offline::withdraw(&dir, &ask::open_how(clock, false), clock.now(), w, key) {
                Ok(a) if a.code == "pack-withdrawn" => again(g, w, said, &a.code, &a.message, &a.act),
                Ok(a) => answered(g, &a, said),
                Err(e) => ask::offline_failed(g, &e),
            }
        }
    }
}

fn again(g: &Globals, w: &Withdrawal, said: &mut Map<String, Value>, code: &str, message: &str, act: &str) -> Exit {
    let same = store(g).ok().and_then(|dir| Snapshot::open(&dir).ok()?.pack_show(&w.pack).ok()?);
    if same.is_some_and(|v| v["withdrawn"]["to"] == w.to.word()) {
        said.extend(ask::object(json!({"pack": w.pack, "state": w.to.word(), "count": 0})));
        return Exit::Done;
    }
    place::refused(g, code, message, act);
    Exit::Refused
}

pub(super) fn store(g: &Globals) -> Result<PathBuf, Exit> {
    let config = place::config(g)?;
    match (&g.store, &config, &g.socket) {
        (None, None, Some(_)) => {
            let what = "the file is made from the ledger, and its folder is not known";
            place::refused(g, "no-store", what, "give --store DIR or --config FILE beside --socket");
            Err(Exit::Usage)
        }
        _ => place::store(g, config.as_ref()),
    }
}

/// Writes the file where one was asked for, and says what was done.
fn listed(g: &Globals, args: &WithdrawArgs, to: ItemState, aside: Option<Aside>, mut said: Map<String, Value>) -> Exit {
    if let Some(aside) = aside {
        let dir = match store(g) {
            Ok(dir) => dir,
            Err(exit) => return exit,
        };
        let path = aside.path.clone();
        match write(&dir, aside, &|s, out| s.withdrawn_table(&args.pack, to, out)) {
            Ok(lines) => {
                said.insert("file".into(), path.to_string_lossy().into_owned().into());
                said.insert("lines".into(), lines.into());
            }
            Err(e) => {
                let what = format!("the codes are {to}, but {} was not written ({e})", path.display());
                place::refused(g, "no-file", &what, "give the same command again: the file is made again");
                return Exit::Refused;
            }
        }
    }
    if g.json {
        said.insert("ok".into(), true.into());
        return result(&Value::Object(said));
    }
    let count = said.get("count").and_then(Value::as_u64).unwrap_or(0);
    match g.english() {
        true => print(format_args!("pack {}: {count} unused codes are {to}", args.pack)),
        false => {
            let done = if to == ItemState::Void { "已作废" } else { "已退回" };
            print(format_args!("码包 {}：{count} 个未用的码{done}", args.pack))
        }
    };
    if let Some(seen) = said.get("seen") {
        print(format_args!("  {seen} {}", g.either("had been seen without having been used: void", "个码曾被读到但未使用：作废")));
    }
    if let (Some(file), Some(lines)) = (said.get("file").and_then(Value::as_str), said.get("lines")) {
        print(format_args!("  {file}: {lines}"));
    }
    Exit::Done
}

/// What a snapshot says of a pack, line by line; `None`: nothing of the kind.
pub(super) type Says<'a> = &'a dyn Fn(&Snapshot, &mut dyn Write) -> Result<Option<u64>, ReadError>;

pub(super) fn write(dir: &Path, aside: Aside, says: Says<'_>) -> Result<u64, ReadError> {
    let mut out = BufWriter::with_capacity(1 << 16, &aside.file);
    let lines = says(&Snapshot::open(dir)?, &mut out)?;
    let lines = lines.ok_or_else(|| OpenError::Failed { dir: dir.into(), what: "the pack is not as it should be".into() })?;
    out.flush()?;
    drop(out);
    aside.publish()?;
    Ok(lines)
}

/// A file that is written aside and takes its name when it is whole; dropped before, it leaves nothing.
pub(super) struct Aside {
    pub(super) path: PathBuf,
    tmp: PathBuf,
    file: File,
}

impl Aside {
    fn open(path: &Path) -> Result<Self, (PathBuf, std::io::Error)> {
        let fail = |e| (path.to_path_buf(), e);
        let path = std::path::absolute(path).map_err(fail)?;
        let name = path.file_name().ok_or_else(|| (path.clone(), std::io::ErrorKind::InvalidInput.into()))?;
        if path.is_dir() {
            return Err((path.clone(), std::io::ErrorKind::IsADirectory.into()));
        }
        let tmp = path.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
        let file = File::create(&tmp).map_err(|e| (path.clone(), e))?;
        Ok(Self { path, tmp, file })
    }

    fn publish(&self) -> std::io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.tmp, &self.path)?;
        match self.path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // Gone already when it took its name.
        let _ = std::fs::remove_file(&self.tmp);
    }
}
