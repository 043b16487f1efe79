//! `packmark profile list|show|check|replay`: the files an integrator writes, read as the daemon reads them.

use super::place::{self, print, result};
use crate::floor::terms::{Exit, Globals, say};
use crate::profile::{Profile, Profiles, Source, Standing};
use crate::sim::replay;
use crate::wire::transcript::{Line, Transcript, Verdict};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(Subcommand, Debug)]
pub enum ProfileCommand {
    /// Every profile: what it is for, where it comes from, how well it is known
    List,
    /// A profile's file, and, where it extends another, what comes of it
    Show { name: String },
    /// Every mistake of profile files at once (- reads one from standard input)
    Check {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Play transcripts against our side and against the simulated device, line by line
    Replay(ReplayArgs),
    /// Find out what stands at an address, by harmless questions alone
    Probe(super::wiring::ProbeArgs),
    /// Record what a device and its program say to each other, as a transcript
    Capture(super::wiring::CaptureArgs),
}

#[derive(Args, Debug, Clone)]
pub struct ReplayArgs {
    #[arg(required = true, value_name = "TRANSCRIPT")]
    pub transcripts: Vec<PathBuf>,
    /// Another profile than the transcript names
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

pub fn run(g: &Globals, command: ProfileCommand) -> Exit {
    match command {
        ProfileCommand::List => with_profiles(g, |p| list(g, p)),
        ProfileCommand::Show { name } => with_profiles(g, |p| show(g, p, &name)),
        ProfileCommand::Check { files } => check(g, &files),
        ProfileCommand::Replay(args) => with_profiles(g, |p| replay_all(g, p, &args)),
        ProfileCommand::Probe(args) => with_profiles(g, |p| super::wiring::probe(g, p, &args)),
        ProfileCommand::Capture(args) => super::wiring::capture(g, &args),
    }
}

fn with_profiles(g: &Globals, f: impl FnOnce(&Profiles) -> Exit) -> Exit {
    if let Some(dir) = g.profiles.as_ref().filter(|d| !d.is_dir()) {
        say(format_args!(
            "{}: {}",
            dir.display(),
            place::told(g, "this is no folder; give the folder of your own profiles, or leave --profiles out")
        ));
        return Exit::Usage;
    }
    match Profiles::load(g.profiles_dir().as_deref()) {
        Ok(profiles) => f(&profiles),
        Err(wrong) => {
            wrong.iter().for_each(|c| eprintln!("{}", told(g, c)));
            Exit::Usage
        }
    }
}

/// The word of an enum as files write it.
fn word(of: impl Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|v| v.as_str().map(Into::into)).unwrap_or_default()
}

fn origin(source: Option<&Source>) -> String {
    match source {
        Some(s) if !s.shipped => s.file.display().to_string(),
        _ => "shipped".into(),
    }
}

fn list(g: &Globals, profiles: &Profiles) -> Exit {
    if g.json {
        let all = profiles.iter().map(|p| {
            let mut v = json!({
                "name": p.name, "kind": word(p.kind), "dialect": word(p.dialect), "source": p.source,
                "standing": word(p.standing), "unverified": p.unverified, "from": origin(profiles.source(&p.name)),
            });
            if let Some(base) = &p.extends {
                v["extends"] = base.as_str().into();
            }
            v
        });
        return result(&json!({"profiles": all.collect::<Vec<_>>()}));
    }
    let wide = profiles.names().map(str::len).max().unwrap_or(0);
    for p in profiles.iter() {
        let known = match (p.standing, p.unverified.len()) {
            (Standing::Unverified, _) => g.either("unverified as a whole", "整体未经验证").to_string(),
            (_, 0) => g.either("nothing unverified", "无未验证项").to_string(),
            (_, n) if g.english() => format!("{n} unverified"),
            (_, n) => format!("{n} 项未验证"),
        };
        let from = match profiles.source(&p.name) {
            Some(s) if !s.shipped => format!("  [{}]", s.file.display()),
            _ => String::new(),
        };
        let exit = print(format_args!("{:wide$}  {:13} {:8} {known}; {}{from}", p.name, word(p.kind), word(p.dialect), p.source));
        if exit != Exit::Done {
            return exit;
        }
    }
    Exit::Done
}

fn show(g: &Globals, profiles: &Profiles, name: &str) -> Exit {
    let (Some(p), Some(source)) = (profiles.get(name), profiles.source(name)) else {
        let what = format!("there is no profile \"{name}\"; use one of {}", profiles.names().collect::<Vec<_>>().join(", "));
        place::refused(g, "no-profile", &what, "");
        return Exit::Usage;
    };
    let resolved = p.extends.as_ref().and_then(|_| profiles.resolved(name));
    if g.json {
        let mut v = json!({"name": name, "from": origin(Some(source)), "text": source.text});
        if let (Some(base), Some(text)) = (&p.extends, resolved) {
            v["extends"] = base.as_str().into();
            v["resolved"] = text.into();
        }
        return result(&v);
    }
    // Where it comes from is a comment, so that what is printed is the file still.
    let from = match source.shipped {
        true => g.either("shipped inside the program", "程序自带").to_string(),
        false => source.file.display().to_string(),
    };
    let mut text = format!("# {from}\n{}", source.text.trim_end());
    if let (Some(base), Some(whole)) = (&p.extends, resolved) {
        let head = match g.english() {
            true => format!("with what it takes over from {base}:"),
            false => format!("加上取自 {base} 的内容："),
        };
        text += &format!("\n\n# ---- {head}\n{}", whole.trim_end());
    }
    print(text)
}

/// A complaint in the language asked for.
fn told(g: &Globals, c: &crate::profile::Complaint) -> String {
    format!("{}:{}: {}", c.file.display(), c.line, place::told(g, &c.what))
}

fn check(g: &Globals, files: &[PathBuf]) -> Exit {
    let (mut texts, mut unread) = (Vec::new(), Vec::new());
    for file in files {
        let text = match file.as_path() == Path::new("-") {
            true => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map(|_| text)
            }
            false => std::fs::read_to_string(file),
        };
        match text {
            Ok(text) => texts.push((file.clone(), text)),
            Err(e) => unread.push(crate::profile::Complaint {
                file: file.clone(),
                line: 0,
                what: format!("cannot be read: {e}; give a readable profile file"),
            }),
        }
    }
    // What stands beside a file may be extended by it.
    let beside = || files.iter().find_map(|f| f.parent()).filter(|d| !d.as_os_str().is_empty()).map(Path::to_path_buf);
    let (good, wrong) = Profiles::check(g.profiles_dir().or_else(beside).as_deref(), texts);
    let wrong: Vec<_> = unread.into_iter().chain(wrong).collect();
    if g.json {
        let complaint = |c: &crate::profile::Complaint| {
            let what = place::told(g, &c.what);
            let (what, right) = what.split_once("; ").map_or((&*what, None), |(a, b)| (a, Some(b)));
            let mut v = json!({"file": c.file.to_string_lossy(), "line": c.line, "what": what});
            if let Some(right) = right {
                v["right"] = right.into();
            }
            v
        };
        let good: Vec<&str> = good.iter().map(|p| p.name.as_str()).collect();
        result(&json!({"ok": wrong.is_empty(), "complaints": wrong.iter().map(complaint).collect::<Vec<_>>(), "good": good}));
    } else {
        wrong.iter().for_each(|c| {
            print(told(g, c));
        });
        good.iter().for_each(|p| {
            print(good_line(g, p));
        });
    }
    if wrong.is_empty() { Exit::Done } else { Exit::Usage }
}

fn good_line(g: &Globals, p: &Profile) -> String {
    let whole = match p.standing {
        Standing::Unverified => g.either("; unverified as a whole", "；整体未经验证"),
        Standing::Documented => "",
    };
    let what = format!("{} {}", word(p.dialect), word(p.kind));
    match g.english() {
        true => format!("{}: good ({what}, {} unverified{whole})", p.name, p.unverified.len()),
        false => format!("{}：正确（{what}，{} 项未验证{whole}）", p.name, p.unverified.len()),
    }
}

fn replay_all(g: &Globals, profiles: &Profiles, args: &ReplayArgs) -> Exit {
    let mut worst = Exit::Done;
    let mut all = Vec::new();
    for file in &args.transcripts {
        match played(profiles, file, args.profile.as_deref()) {
            Ok(sides) => {
                let ok = sides.iter().all(|(_, lines)| lines.as_ref().is_none_or(|l| good(l)));
                if !ok && worst == Exit::Done {
                    worst = Exit::Refused;
                }
                if g.json {
                    all.push(as_json(file, &sides, ok));
                } else {
                    sides.iter().for_each(|s| tell_side(g, file, s));
                }
            }
            Err(wrong) => {
                worst = Exit::Usage;
                if g.json {
                    all.push(json!({"file": file.to_string_lossy(), "ok": false, "complaints": wrong}));
                } else {
                    wrong.iter().for_each(|w| {
                        print(format_args!("{}{w}", file.display()));
                    });
                }
            }
        }
    }
    if g.json {
        result(&json!({"ok": worst == Exit::Done, "replayed": all}));
    }
    worst
}

/// What came of a transcript on each side; `None`: that side cannot do what the device did.
type Sides = Vec<(&'static str, Option<Vec<Line>>)>;

fn played(profiles: &Profiles, file: &Path, other: Option<&str>) -> Result<Sides, Vec<String>> {
    let text = std::fs::read_to_string(file).map_err(|e| vec![format!(": cannot be read: {e}; give a transcript")])?;
    let mut t = Transcript::parse(&text).map_err(|all| all.iter().map(|w| format!(":{}: {}", w.line, w.what)).collect::<Vec<_>>())?;
    if let Some(other) = other {
        t.profile = other.into();
    }
    let place = |all: Vec<String>| all.into_iter().map(|w| format!(": {w}")).collect::<Vec<_>>();
    let ours = replay::ours(&t, profiles).map_err(place)?;
    let simulated = replay::simulated(&t, profiles).map_err(place)?;
    Ok(vec![("ours", Some(ours)), ("simulated", simulated)])
}

fn good(lines: &[Line]) -> bool {
    lines.iter().all(|l| l.verdict != Verdict::Wrong)
}

fn as_json(file: &Path, sides: &Sides, ok: bool) -> Value {
    let line = |l: &Line| {
        let verdict = match l.verdict {
            Verdict::Played => "played",
            Verdict::Good => "good",
            Verdict::Note => "note",
            Verdict::Wrong => "wrong",
        };
        json!({"line": l.line, "verdict": verdict, "what": l.what})
    };
    let side = |(side, lines): &(&str, Option<Vec<Line>>)| match lines {
        Some(lines) => json!({"side": side, "ok": good(lines), "lines": lines.iter().map(line).collect::<Vec<_>>()}),
        None => json!({"side": side, "ok": true, "judged": false}),
    };
    json!({"file": file.to_string_lossy(), "ok": ok, "sides": sides.iter().map(side).collect::<Vec<_>>()})
}

fn tell_side(g: &Globals, file: &Path, (side, lines): &(&str, Option<Vec<Line>>)) {
    let name = match *side {
        "ours" => g.either("our side", "本程序"),
        _ => g.either("simulated device", "模拟设备"),
    };
    let file = file.display();
    let Some(lines) = lines else {
        let why = g.either("not judged: the transcript says that it cannot do what the device did", "不评判：记录注明模拟设备做不到");
        print(format_args!("{file}: {name}: {why}"));
        return;
    };
    for l in lines {
        let mark = match l.verdict {
            Verdict::Played => "    ",
            Verdict::Good => "ok  ",
            Verdict::Note => "note",
            Verdict::Wrong => "WRONG",
        };
        print(format_args!("{file}:{}: {name}: {mark} {}", l.line, l.what));
    }
    let (judged, wrong) =
        (lines.iter().filter(|l| l.verdict == Verdict::Good).count(), lines.iter().filter(|l| l.verdict == Verdict::Wrong).count());
    print(match g.english() {
        true => format!("{file}: {name}: {judged} as expected, {wrong} otherwise"),
        false => format!("{file}：{name}：{judged} 处相符，{wrong} 处不符"),
    });
}
