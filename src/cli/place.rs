//! Where the configuration, the store and the daemon of a command are.

use crate::config::Config;
use crate::control::client::{Client, ClientError};
use crate::control::phrases;
use crate::floor::terms::{Exit, Globals, say};
use crate::ledger::Holder;
use crate::profile::Profiles;
use crate::tui::Lang;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a daemon may take for an answer: a job's end waits for its printers.
const PATIENCE: Duration = Duration::from_secs(600);

/// A mistake of the configuration or of a profile, as `check` names it.
pub struct Wrong {
    pub file: PathBuf,
    pub line: usize,
    pub what: String,
    pub right: Option<String>,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)?;
        self.right.iter().try_for_each(|r| write!(f, "; {r}"))
    }
}

impl Wrong {
    /// In the language asked for.
    pub fn told(&self, g: &Globals) -> Self {
        let right = self.right.as_ref().map(|r| told(g, r).into());
        Self { file: self.file.clone(), line: self.line, what: told(g, &self.what).into(), right }
    }

    pub fn json(&self) -> Value {
        let mut v = json!({"file": self.file.to_string_lossy(), "line": self.line, "what": self.what});
        if let Some(r) = &self.right {
            v["right"] = r.as_str().into();
        }
        v
    }
}

/// The configuration of `--config`, or every complaint about it and about the profiles it may use.
pub fn load(g: &Globals, file: &Path) -> Result<Config, Vec<Wrong>> {
    if let Some(dir) = g.profiles.as_ref().filter(|d| !d.is_dir()) {
        let (what, right) = ("this is no folder".to_string(), Some("give the folder of your own profiles, or leave --profiles out".into()));
        return Err(vec![Wrong { file: dir.clone(), line: 0, what, right }]);
    }
    let profiles = Profiles::load(g.profiles_dir().as_deref())
        .map_err(|all| all.into_iter().map(|c| Wrong { file: c.file, line: c.line, what: c.what, right: None }).collect::<Vec<_>>())?;
    let bind = |name: &str, settings: &_| profiles.bind(name, settings).map(|b| b.traits());
    Config::load(file, &bind)
        .map_err(|all| all.into_iter().map(|c| Wrong { file: c.file, line: c.line, what: c.what, right: Some(c.right) }).collect())
}

/// As `load`, with every complaint said and the exit chosen. `None`: there is no `--config`.
pub fn config(g: &Globals) -> Result<Option<Config>, Exit> {
    let Some(file) = &g.config else { return Ok(None) };
    load(g, file).map(Some).map_err(|wrong| {
        wrong.iter().for_each(|w| eprintln!("{}", w.told(g)));
        Exit::Usage
    })
}

/// The ledger's folder: `--store`, else the configuration's.
pub fn store(g: &Globals, config: Option<&Config>) -> Result<PathBuf, Exit> {
    g.store.clone().or_else(|| config.map(|c| c.store.clone())).ok_or_else(|| {
        say(g.either("which ledger? give --store DIR or --config FILE", "不知道用哪个账本：请给出 --store DIR 或 --config FILE"));
        Exit::Usage
    })
}

/// The socket of the daemon to ask, and the greeting it gave. Refused with the place that was tried.
pub fn daemon(g: &Globals) -> Result<Client, Exit> {
    let path = socket(g)?;
    connect(g, &path)
}

/// Where the daemon is to be asked.
pub fn socket(g: &Globals) -> Result<PathBuf, Exit> {
    if let Some(s) = &g.socket {
        return Ok(s.clone());
    }
    let config = config(g)?;
    let store = store(g, config.as_ref());
    if let Ok(dir) = &store {
        match Holder::of(dir) {
            Some(Holder { socket: Some(s), .. }) => return Ok(s),
            Some(Holder { pid, .. }) => {
                let what = format!("process {pid} holds the ledger in {} but has no socket: wait until it ends", dir.display());
                say(told(g, &what));
                return Err(Exit::Unreachable);
            }
            None => {}
        }
    }
    match (config, store) {
        (Some(c), _) => Ok(c.socket),
        (None, Ok(dir)) => {
            let (dir, zh) = (dir.display(), !g.english());
            match zh {
                true => say(format_args!("没有守护进程占用账本 {dir}（{dir}/lock 空闲）：请先启动 packmark run --config FILE")),
                false => {
                    say(format_args!("no daemon holds the ledger in {dir} ({dir}/lock is free): start it with packmark run --config FILE"))
                }
            }
            Err(Exit::Unreachable)
        }
        (None, Err(exit)) => Err(exit),
    }
}

/// The daemon that holds the ledger, if one does and answers; nothing is said when not.
pub fn answering(g: &Globals) -> Option<Client> {
    let at = match &g.socket {
        Some(s) => s.clone(),
        None => {
            let config = g.config.as_ref().and_then(|f| load(g, f).ok());
            let dir = g.store.clone().or_else(|| config.map(|c| c.store))?;
            Holder::of(&dir)?.socket?
        }
    };
    Client::connect(&at, PATIENCE).ok()
}

pub fn connect(g: &Globals, path: &Path) -> Result<Client, Exit> {
    Client::connect(path, PATIENCE).map_err(|e| client_failed(g, &e))
}

/// Says what a daemon refused or that it is away.
pub fn client_failed(g: &Globals, e: &ClientError) -> Exit {
    match e {
        ClientError::Unreachable { path, source } => {
            let path = path.display();
            match g.english() {
                true => {
                    say(format_args!("no daemon answers at {path} ({source}): start it with packmark run --config FILE, or give --socket"))
                }
                false => say(format_args!(
                    "守护进程没有应答：{path}（{}）。请先启动 packmark run --config FILE，或用 --socket 指定",
                    told(g, &source.to_string())
                )),
            }
            Exit::Unreachable
        }
        ClientError::Protocol { .. } => {
            say(told(g, &format!("{e}: are both programs of the same version?")));
            Exit::Refused
        }
        ClientError::Refused(r) => {
            refused(g, &r.code, &r.message, &r.act);
            Exit::Refused
        }
    }
}

/// The language of words.
pub fn lang(g: &Globals) -> Lang {
    if g.english() { Lang::En } else { Lang::Zh }
}

/// A sentence of the program in the language asked for.
pub fn told<'a>(g: &Globals, sentence: &'a str) -> Cow<'a, str> {
    if g.english() { Cow::Borrowed(sentence) } else { phrases::chinese(sentence) }
}

/// A refusal: on stdout as JSON where that is asked for, and always as a sentence.
pub fn refused(g: &Globals, code: &str, message: &str, act: &str) {
    let (message, act) = (told(g, message), told(g, act));
    if g.json {
        let _ = result(&json!({"ok": false, "error": {"code": code, "message": message, "do": act}}));
    }
    let end = if act.is_empty() || message.contains(&*act) { String::new() } else { format!("{}{act}", g.either(": ", "：")) };
    for line in format!("{message}{end}").lines() {
        say(line);
    }
}

/// One JSON line on stdout.
pub fn result(v: &Value) -> Exit {
    print(format_args!("{v}"))
}

/// A line of text on stdout. A reader that went away (`| head`) is no failure.
pub fn print(line: impl std::fmt::Display) -> Exit {
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => Exit::Done,
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done,
        Err(e) => {
            say(format_args!("the result cannot be written ({e}): check the disk"));
            Exit::Refused
        }
    }
}
