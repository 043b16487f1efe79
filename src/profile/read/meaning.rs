//! What a profile's form alone does not show.

use super::{Reading, commands, place};
use crate::profile::{Dialect, Kind, Profile, SettingRule};
use std::sync::Arc;
use toml::de::DeTable;

/// Takes a complaint and the keys of what it is about.
pub(super) type Complain<'a> = dyn FnMut(&[&str], String) + 'a;

/// Settings that a dialect reads: without them it would run on values nobody chose.
fn settings_of(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Codenet => &["depth", "ack_char", "response_length", "clear_on_adopt"],
        Dialect::Modbus => &["unit", "base", "safe_state_base", "safe_clear_base"],
        Dialect::Reader | Dialect::Label | Dialect::Commands => &[],
    }
}

/// The kinds of device that a dialect speaks for.
fn kinds_of(dialect: Dialect) -> &'static [(Kind, &'static str)] {
    match dialect {
        Dialect::Codenet | Dialect::Commands => &[(Kind::Printer, "printer")],
        Dialect::Label => &[(Kind::LabelPrinter, "label-printer")],
        Dialect::Reader => &[(Kind::Reader, "reader")],
        Dialect::Modbus => &[(Kind::Io, "io")],
    }
}

pub(super) fn check(r: &mut Reading<'_>, p: &mut Profile, root: &DeTable<'_>) {
    if p.extends.is_none() && !p.without.is_empty() {
        r.complain(place(root, &["without"]), "without: nothing is taken over here; name what it extends, or take it out".into());
    }
    if p.source.trim().is_empty() {
        r.complain(place(root, &["source"]), "source is empty; name the document and page, or the capture".into());
    }
    let kinds = kinds_of(p.dialect);
    if kinds.iter().all(|k| k.0 != p.kind) {
        let names: Vec<&str> = kinds.iter().map(|k| k.1).collect();
        r.complain(place(root, &["kind"]), format!("kind does not fit the dialect; it must be {}", names.join(" or ")));
    }
    if matches!(p.kind, Kind::Printer | Kind::LabelPrinter) && p.buffer.is_none() {
        r.complain(0, "a printer must say what its buffer does; add [buffer]".into());
    }
    if p.dialect != Dialect::Reader && p.link.reply_timeout_ms == 0 {
        r.complain(place(root, &["link", "reply_timeout_ms"]), "it is asked and must answer; reply_timeout_ms must not be 0".into());
    }
    for key in settings_of(p.dialect).iter().filter(|k| !p.settings.contains_key(**k)) {
        r.complain(place(root, &["settings"]), format!("setting {key} is missing; this dialect needs [settings.{key}]"));
    }
    reader(r, p, root);
    for (key, rule) in &p.settings {
        let wrong = match rule {
            SettingRule::Number { default, least, most, .. } => !(least..=most).contains(&default),
            SettingRule::Text { default, words, .. } => !words.is_empty() && !words.contains(default),
            SettingRule::Flag { .. } => false,
        };
        if wrong {
            r.complain(
                place(root, &["settings", key, "default"]),
                format!("setting {key}: its own default is not allowed; give an allowed one"),
            );
        }
    }
    if matches!(p.dialect, Dialect::Commands | Dialect::Label) {
        p.talk = commands::talk(p, &mut |path: &[&str], what: String| r.complain(place(root, path), what)).map(Arc::new);
    } else if !p.commands.is_empty() {
        r.complain(place(root, &["commands"]), "commands are for the dialects commands and label; this dialect has its own".into());
    }
    if p.label.is_some() && p.dialect != Dialect::Label {
        r.complain(place(root, &["label"]), "only the dialect label reads [label]; take it out".into());
    }
}

fn reader(r: &mut Reading<'_>, p: &Profile, root: &DeTable<'_>) {
    let Some(rules) = &p.reader else {
        if p.dialect == Dialect::Reader {
            r.complain(0, "a reader must say what it sends; add [reader] with its framing".into());
        }
        return;
    };
    if p.dialect != Dialect::Reader {
        r.complain(place(root, &["reader"]), "only the dialect reader reads [reader]; take it out".into());
    }
    for (path, what) in rules.faults(&p.settings) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        r.complain(place(root, &path), format!("{}: {what}", path.join(".")));
    }
}
