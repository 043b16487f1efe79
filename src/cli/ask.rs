//! The asking side: through the daemon's socket if one holds the store; import and creation of a job also without one,
//! under the store's lock.

use super::place::{self, print, result};
use super::{JobCommand, Keyed};
use crate::config::Config;
use crate::control::client::Client;
use crate::control::protocol::Status;
use crate::floor::clock::Clock;
use crate::floor::imports;
use crate::floor::terms::{Exit, Globals, Lang, say};
use crate::ledger::offline::{self, Answer, NewJob, OfflineError};
use crate::ledger::{Holder, OpenHow};
use crate::tui::{self, words};
use crate::vocab::PackMl;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Who carries a request out.
pub(super) enum Way {
    Daemon(Client),
    /// Nobody holds this store.
    Store(PathBuf, Option<Box<Config>>),
}

/// The daemon that holds the store, else the store itself.
pub(super) fn way(g: &Globals) -> Result<Way, Exit> {
    let config = place::config(g)?;
    if g.store.is_none()
        && config.is_none()
        && let Some(socket) = &g.socket
    {
        return place::connect(g, socket).map(Way::Daemon);
    }
    let dir = place::store(g, config.as_ref())?;
    match Holder::of(&dir) {
        None => Ok(Way::Store(dir, config.map(Box::new))),
        Some(h) => match g.socket.clone().or(h.socket) {
            Some(socket) => place::connect(g, &socket).map(Way::Daemon),
            None => {
                let what = format!("the ledger in {} is held by process {}", dir.display(), h.pid);
                place::refused(g, "locked", &what, "wait until it ends, then try again");
                Err(Exit::Refused)
            }
        },
    }
}

pub(super) fn open_how(clock: Clock, create: bool) -> OpenHow {
    let now = clock.now();
    OpenHow { create, boot: format!("cli-{:x}-{}", now.wall_us, std::process::id()), wall_us: now.wall_us, ..OpenHow::default() }
}

pub(super) fn offline_failed(g: &Globals, e: &OfflineError) -> Exit {
    match e {
        OfflineError::Refused(a) => place::refused(g, &a.code, &a.message, &a.act),
        OfflineError::Open(_) => place::refused(g, "ledger", &e.to_string(), ""),
        OfflineError::Import(e) => {
            let a = imports::refused(e);
            place::refused(g, &a.code, &a.message, &a.act)
        }
        OfflineError::Commit(_) => place::refused(g, "commit", &e.to_string(), ""),
    }
    Exit::Refused
}

pub fn job(g: &Globals, command: &JobCommand) -> Exit {
    let (op, keyed, extra) = match command {
        JobCommand::Create { id, product, lot, target, expiry, key } => {
            let new = NewJob {
                id: id.clone(),
                product: product.clone(),
                lot: lot.clone(),
                target: *target,
                expiry: expiry.clone(),
                key: key.clone(),
            };
            return create(g, &new);
        }
        JobCommand::Start(k) => ("job.start", k, Map::new()),
        JobCommand::Hold(k) => ("job.hold", k, Map::new()),
        JobCommand::Resume(k) => ("job.resume", k, Map::new()),
        JobCommand::Complete { keyed, open } => {
            let mut m = Map::new();
            put(&mut m, "open", open.as_deref());
            ("job.complete", keyed, m)
        }
        JobCommand::Abort(k) => ("job.abort", k, Map::new()),
    };
    let Keyed { job, key } = keyed;
    let mut fields = extra;
    fields.insert("job".into(), job.as_str().into());
    match place::daemon(g) {
        Err(exit) => exit,
        Ok(mut client) => ask(g, &mut client, op, fields, key.as_deref(), &|v| done(g, op, job, v)),
    }
}

fn create(g: &Globals, new: &NewJob) -> Exit {
    match way(g) {
        Err(exit) => exit,
        Ok(Way::Daemon(mut client)) => {
            let mut fields = object(json!({"job": new.id, "product": new.product, "lot": new.lot}));
            put(&mut fields, "expiry", new.expiry.as_deref());
            if let Some(n) = new.target {
                fields.insert("target".into(), n.into());
            }
            ask(g, &mut client, "job.create", fields, new.key.as_deref(), &|v| done(g, "job.create", &new.id, v))
        }
        Ok(Way::Store(dir, config)) => {
            let clock = Clock::start(0);
            // With a configuration the line is known and its ledger may begin with a job; a folder alone must be one.
            let how = open_how(clock, config.is_some());
            match offline::create_job(&dir, &how, clock.now(), new, config.as_ref().map(|c| &c.plan)) {
                Ok(a) => answered(g, "job.create", &new.id, &a),
                Err(e) => offline_failed(g, &e),
            }
        }
    }
}

fn answered(g: &Globals, op: &str, what: &str, a: &Answer) -> Exit {
    if a.ok {
        let fields = a.fields.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
        return done(g, op, what, &fields);
    }
    place::refused(g, &a.code, &a.message, &a.act);
    Exit::Refused
}

/// `station.clear` or `station.retract`.
pub fn station(g: &Globals, op: &'static str, station: &str, key: Option<String>) -> Exit {
    match place::daemon(g) {
        Err(exit) => exit,
        Ok(mut client) => {
            let fields = object(json!({"station": station}));
            ask(g, &mut client, op, fields, key.as_deref(), &|v| done(g, op, station, v))
        }
    }
}

pub fn horn_off(g: &Globals, key: Option<String>) -> Exit {
    match place::daemon(g) {
        Err(exit) => exit,
        Ok(mut client) => ask(g, &mut client, "horn.off", Map::new(), key.as_deref(), &|v| {
            if g.json {
                return done(g, "horn.off", "", v);
            }
            print(g.either("the horn is silent", "喇叭已静音"))
        }),
    }
}

pub fn clock_trust(g: &Globals, key: Option<String>) -> Exit {
    match place::daemon(g) {
        Err(exit) => exit,
        Ok(mut client) => ask(g, &mut client, "clock.trust", Map::new(), key.as_deref(), &|v| {
            if g.json {
                return done(g, "clock.trust", "", v);
            }
            print(g.either("the clock is trusted again", "时钟重新可信"))
        }),
    }
}

/// The console. A daemon that does not answer is shown there; the console tries on until it is left.
pub fn tui(g: &Globals) -> Exit {
    let path = match place::socket(g) {
        Ok(path) => path,
        Err(exit) => return exit,
    };
    let lang = g.lang.map(|l| match l {
        Lang::Zh => tui::Lang::Zh,
        Lang::En => tui::Lang::En,
    });
    match tui::run(&path, lang) {
        Ok(()) => Exit::Done,
        Err(tui::TuiError::NoTerminal) => {
            say(g.either(
                "the console needs a terminal; where there is none, use packmark status",
                "操作界面需要终端；没有终端时请用 packmark status",
            ));
            Exit::Refused
        }
        Err(tui::TuiError::Terminal(e)) => {
            say(format_args!("{} ({e})", g.either("the terminal cannot be used", "终端无法使用")));
            Exit::Refused
        }
    }
}

pub(super) fn ask(
    g: &Globals,
    client: &mut Client,
    op: &str,
    fields: Map<String, Value>,
    key: Option<&str>,
    show: &dyn Fn(&Map<String, Value>) -> Exit,
) -> Exit {
    match client.request(op, fields, key) {
        Ok(v) => show(&v),
        Err(e) => place::client_failed(g, &e),
    }
}

/// A good answer.
fn done(g: &Globals, op: &str, what: &str, v: &Map<String, Value>) -> Exit {
    if g.json {
        let mut m = object(json!({"ok": true}));
        m.extend(v.clone());
        return result(&Value::Object(m));
    }
    let (en, zh) = match op {
        "job.create" => ("created", "已创建"),
        "job.start" => ("started", "已开始"),
        "job.hold" => ("held", "已暂停"),
        "job.resume" => ("goes on", "已继续"),
        "job.complete" => ("completed", "已完成"),
        "job.abort" => ("aborted", "已中止"),
        "station.retract" => ("its gate rests until the line goes on", "的剔除器已收回，继续运行后恢复"),
        _ => ("cleared", "已清空"),
    };
    if v.get("mouth").and_then(Value::as_str) == Some("blocked") {
        say(g.either("the sensor in the mouth is still covered: take out what lies there", "料箱口传感器仍被遮挡：请取出卡住的东西"));
    }
    let noun = if op.starts_with("station.") { g.either("station", "工位") } else { g.either("job", "工单") };
    print(format_args!("{noun} {what} {}", g.either(en, zh)))
}

pub fn status(g: &Globals, watch: bool) -> Exit {
    let mut client = match place::daemon(g) {
        Ok(c) => c,
        Err(exit) => return exit,
    };
    let exit = ask(g, &mut client, "status", Map::new(), None, &|v| show_status(g, v));
    if !watch || exit != Exit::Done {
        return exit;
    }
    if let Err(e) = client.request("watch", Map::new(), None) {
        return place::client_failed(g, &e);
    }
    loop {
        match client.line() {
            Ok(v) if v.get("type").and_then(Value::as_str) == Some("beat") && !g.json => {}
            Ok(v) => {
                if print(&v) != Exit::Done {
                    return Exit::Refused;
                }
            }
            Err(e) => return place::client_failed(g, &e),
        }
    }
}

fn show_status(g: &Globals, v: &Map<String, Value>) -> Exit {
    if g.json {
        return result(&Value::Object(v.clone()));
    }
    let Ok(s) = serde_json::from_value::<Status>(Value::Object(v.clone())) else {
        say(place::told(g, "the daemon's status is not understood: are both programs of the same version?"));
        return Exit::Refused;
    };
    let word = |en: &'static str, zh: &'static str| g.either(en, zh);
    let (lang, zh) = (place::lang(g), !g.english());
    // English says the protocol's own words, so that a person and a program talk of the same.
    let state = PackMl::from_word(&s.state.name).filter(|_| zh).map_or(s.state.name.as_str(), |p| words::packml(p, lang));
    let why = s.state.reason.map(|r| if zh { format!("（{}）", words::alarm(&r, lang)) } else { format!(" ({r})") });
    print(format_args!("{} {state}{}", word("line", "产线"), why.unwrap_or_default()));
    if let Some(j) = s.job {
        let target = j.target.map(|t| format!(" / {t}")).unwrap_or_default();
        print(format_args!(
            "{} {} {}  {} {}  {}  {}{target}",
            word("job", "工单"),
            j.id,
            if zh { words::job_word(&j.state, lang) } else { &j.state },
            word("lot", "批号"),
            j.lot,
            j.product,
            s.counts.verified
        ));
    }
    for x in &s.stations {
        let rejected: Vec<String> =
            x.rejected.iter().map(|(r, n)| format!("{} {n}", if zh { words::reason_word(r, lang) } else { r })).collect();
        let names = (word("passages", "过件"), word("verified", "合格"), word("open", "在途"));
        print(format_args!(
            "  {}  {} {}  {} {}  {} {}  {}",
            x.id,
            names.0,
            x.passages,
            names.1,
            x.verified,
            names.2,
            x.open,
            rejected.join(", ")
        ));
    }
    for d in &s.devices {
        let link = if zh { words::kind(&d.link, lang) } else { &d.link };
        print(format_args!(
            "  {} ({}) {link}{}",
            d.id,
            d.profile,
            d.trouble.as_ref().map(|t| format!(": {}", place::told(g, t))).unwrap_or_default()
        ));
    }
    for o in &s.open {
        let state = if zh { words::parent_word(&o.state, lang) } else { &o.state };
        print(format_args!("  {} {} {state} {}/{}", o.level, o.id, o.fill, o.holds));
    }
    for p in &s.pool {
        let minutes = p.minutes.map(|m| if zh { format!("，{m} 分") } else { format!(", {m} min") }).unwrap_or_default();
        print(format_args!("  {} {}: {}{minutes}", p.level, word("codes left", "剩余码"), p.codes));
    }
    for x in s.supply.iter().filter(|x| x.state != "idle") {
        let why = x.last_error.as_ref().map(|w| format!(": {}", place::told(g, w))).unwrap_or_default();
        print(format_args!("  {} {} {} {}{why}", word("codes ordered", "订码"), x.level, x.product, x.state));
    }
    for a in &s.alarms {
        let known = crate::control::alarms::find(&a.name);
        let said = known.map_or("", |k| if g.english() { k.en } else { k.zh });
        print(format_args!("! {} {said}", a.name));
    }
    Exit::Done
}

pub(super) fn object(v: Value) -> Map<String, Value> {
    match v {
        Value::Object(m) => m,
        _ => Map::new(),
    }
}

pub(super) fn put(m: &mut Map<String, Value>, key: &str, v: Option<&str>) {
    if let Some(v) = v {
        m.insert(key.into(), v.into());
    }
}
