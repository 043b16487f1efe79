//! From a profile's text to a [`Profile`]: every complaint at once, each with its line.
//!
//! The shape of the file is a table here; what serde would refuse one by one is refused together, so that serde's own
//! refusal is never met for a file without complaints.

use super::{Complaint, Dialect, Kind, Profile, SettingRule};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What may stand behind a key.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Texts,
    Number,
    Flag,
    /// One of these texts.
    Word(&'static [&'static str]),
    /// A table with these keys; checked on its own.
    Table,
}

struct Key(&'static str, bool, Form);

const NEEDED: bool = true;
const OPTIONAL: bool = false;

const TOP: &[Key] = &[
    Key("name", NEEDED, Form::Text),
    Key("dialect", NEEDED, Form::Word(&["codenet", "zpl", "reader", "modbus"])),
    Key("kind", NEEDED, Form::Word(&["printer", "label-printer", "reader", "io"])),
    Key("source", NEEDED, Form::Text),
    Key("unverified", OPTIONAL, Form::Texts),
    Key("link", NEEDED, Form::Table),
    Key("buffer", OPTIONAL, Form::Table),
    Key("classify", OPTIONAL, Form::Table),
    Key("settings", OPTIONAL, Form::Table),
];
const LINK: &[Key] = &[
    Key("who_connects", NEEDED, Form::Text),
    Key("connections", NEEDED, Form::Number),
    Key("first_bytes", NEEDED, Form::Text),
    Key("retry", NEEDED, Form::Text),
    Key("reply_timeout_ms", NEEDED, Form::Number),
];
const BUFFER: &[Key] = &[
    Key("kind", NEEDED, Form::Text),
    Key("full", NEEDED, Form::Text),
    Key("refusal_means_not_taken", NEEDED, Form::Flag),
    Key("lost_by", NEEDED, Form::Texts),
    Key("clear_is_safe", NEEDED, Form::Flag),
    Key("on_empty", NEEDED, Form::Word(&["blank", "fault", "repeats", "nothing"])),
    Key("confirmed_by", NEEDED, Form::Texts),
];
const CLASSIFY: &[Key] = &[Key("replies", OPTIONAL, Form::Texts), Key("faults", OPTIONAL, Form::Texts)];
const TYPE: Form = Form::Word(&["number", "text", "flag"]);
const NUMBER: &[Key] = &[
    Key("type", NEEDED, TYPE),
    Key("default", NEEDED, Form::Number),
    Key("least", NEEDED, Form::Number),
    Key("most", NEEDED, Form::Number),
    Key("what", NEEDED, Form::Text),
];
const TEXT: &[Key] =
    &[Key("type", NEEDED, TYPE), Key("default", NEEDED, Form::Text), Key("words", OPTIONAL, Form::Texts), Key("what", NEEDED, Form::Text)];
const FLAG: &[Key] = &[Key("type", NEEDED, TYPE), Key("default", NEEDED, Form::Flag), Key("what", NEEDED, Form::Text)];

/// Settings that a dialect reads: without them it would run on values nobody chose.
fn settings_of(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Codenet => &["depth", "ack_char", "response_length", "clear_on_adopt"],
        Dialect::Modbus => &["unit", "base", "safe_state_base", "safe_clear_base"],
        Dialect::Reader => &["no_read"],
        Dialect::Zpl => &[],
    }
}

pub(super) fn profile(file: &Path, text: &str) -> Result<Profile, Vec<Complaint>> {
    let mut r = Reading { file, text, wrong: Vec::new() };
    let (root, errors) = DeTable::parse_recoverable(text);
    for e in &errors {
        r.complain(e.span().map_or(0, |s| s.start), format!("not TOML: {}; see toml.io for the form", e.message()));
    }
    if r.wrong.is_empty() {
        r.tables(root.get_ref());
    }
    if r.wrong.is_empty() {
        match toml::from_str::<Profile>(text) {
            Ok(p) => {
                r.meaning(&p, root.get_ref());
                if r.wrong.is_empty() {
                    return Ok(p);
                }
            }
            Err(e) => r.complain(e.span().map_or(0, |s| s.start), e.message().to_string()),
        }
    }
    r.wrong.sort_by_key(|c| c.line);
    Err(r.wrong)
}

struct Reading<'a> {
    file: &'a Path,
    text: &'a str,
    wrong: Vec<Complaint>,
}

fn find<'t>(table: &'t DeTable<'_>, key: &str) -> Option<(Range<usize>, &'t DeValue<'t>)> {
    table.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| (v.span(), v.get_ref()))
}

impl Reading<'_> {
    /// `at`: a byte offset into the file.
    fn complain(&mut self, at: usize, what: String) {
        let line = self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|b| **b == b'\n').count() + 1;
        self.wrong.push(Complaint { file: self.file.into(), line, what });
    }

    fn tables(&mut self, root: &DeTable<'_>) {
        self.keys("the file", 0, root, TOP);
        for (name, keys) in [("link", LINK), ("buffer", BUFFER), ("classify", CLASSIFY)] {
            if let Some((at, DeValue::Table(t))) = find(root, name) {
                self.keys(&format!("[{name}]"), at.start, t, keys);
            }
        }
        let Some((_, DeValue::Table(settings))) = find(root, "settings") else { return };
        for (name, rule) in settings.iter() {
            let label = format!("[settings.{}]", name.get_ref());
            let at = name.span().start;
            let DeValue::Table(t) = rule.get_ref() else {
                self.complain(at, format!("{label} is no table; give it type, default and what"));
                continue;
            };
            let keys = match find(t, "type").and_then(|(_, v)| v.as_str()) {
                Some("number") => NUMBER,
                Some("text") => TEXT,
                Some("flag") => FLAG,
                _ => {
                    self.complain(at, format!("{label}: type is missing or wrong; it must be number, text or flag"));
                    continue;
                }
            };
            self.keys(&label, at, t, keys);
        }
    }

    fn keys(&mut self, table: &str, at: usize, t: &DeTable<'_>, keys: &[Key]) {
        for (k, _) in t.iter().filter(|(k, _)| keys.iter().all(|Key(known, ..)| k.get_ref() != *known)) {
            let known: Vec<&str> = keys.iter().map(|k| k.0).collect();
            self.complain(k.span().start, format!("{table} has no key {}; it has: {}", k.get_ref(), known.join(", ")));
        }
        for Key(key, needed, form) in keys {
            match t.iter().find(|(k, _)| k.get_ref() == key) {
                Some((_, v)) => self.form(table, key, v, *form),
                None if *needed => self.complain(at, format!("{table}: {key} is missing; add it")),
                None => {}
            }
        }
    }

    fn form(&mut self, table: &str, key: &str, v: &Spanned<DeValue<'_>>, form: Form) {
        let value = v.get_ref();
        let (fits, want) = match form {
            Form::Text => (value.is_str(), "a text".to_string()),
            Form::Number => (value.is_integer(), "a whole number".into()),
            Form::Flag => (value.is_bool(), "true or false".into()),
            Form::Table => (value.is_table(), "a table".into()),
            Form::Texts => (value.as_array().is_some_and(|a| a.iter().all(|x| x.get_ref().is_str())), "a list of texts".into()),
            Form::Word(words) => (value.as_str().is_some_and(|w| words.contains(&w)), words.join(" or ")),
        };
        if !fits {
            let is = value.as_str().map_or_else(|| format!("of type {}", value.type_str()), |s| format!("\"{s}\""));
            self.complain(v.span().start, format!("{table}: {key} is {is}; it must be {want}"));
        }
    }

    /// What the form alone does not show.
    fn meaning(&mut self, p: &Profile, root: &DeTable<'_>) {
        let place = |path: &[&str]| {
            let mut at = 0;
            let mut t = Some(root);
            for key in path {
                let Some((span, value)) = t.and_then(|t| find(t, key)) else { break };
                at = span.start;
                t = if let DeValue::Table(inner) = value { Some(inner) } else { None };
            }
            at
        };
        if p.source.trim().is_empty() {
            self.complain(place(&["source"]), "source is empty; name the document and page, or the capture".into());
        }
        let kind = match p.dialect {
            Dialect::Codenet => (Kind::Printer, "printer"),
            Dialect::Zpl => (Kind::LabelPrinter, "label-printer"),
            Dialect::Reader => (Kind::Reader, "reader"),
            Dialect::Modbus => (Kind::Io, "io"),
        };
        if p.kind != kind.0 {
            self.complain(place(&["kind"]), format!("kind does not fit the dialect; it must be {}", kind.1));
        }
        if matches!(p.kind, Kind::Printer | Kind::LabelPrinter) && p.buffer.is_none() {
            self.complain(0, "a printer must say what its buffer does; add [buffer]".into());
        }
        if p.dialect != Dialect::Reader && p.link.reply_timeout_ms == 0 {
            self.complain(place(&["link", "reply_timeout_ms"]), "it is asked and must answer; reply_timeout_ms must not be 0".into());
        }
        for key in settings_of(p.dialect).iter().filter(|k| !p.settings.contains_key(**k)) {
            self.complain(place(&["settings"]), format!("setting {key} is missing; this dialect needs [settings.{key}]"));
        }
        for (key, rule) in &p.settings {
            let wrong = match rule {
                SettingRule::Number { default, least, most, .. } => !(least..=most).contains(&default),
                SettingRule::Text { default, words, .. } => !words.is_empty() && !words.contains(default),
                SettingRule::Flag { .. } => false,
            };
            if wrong {
                self.complain(
                    place(&["settings", key, "default"]),
                    format!("setting {key}: its own default is not allowed; give an allowed one"),
                );
            }
        }
    }
}
