//! What the form of `[reader]` alone does not show.

use super::*;
use crate::profile::SettingRule;

/// A complaint: the path of keys in the file, and "what; what would be right".
pub(super) type Fault = (Vec<String>, String);

/// Settings of a reader, and whether each is a text, a number or a flag.
const SETTINGS: &[(&str, &str)] = &[
    ("framing", "text"),
    ("end", "text"),
    ("separator", "text"),
    ("no_read", "text"),
    ("missing", "text"),
    ("positional", "flag"),
    ("unread", "text"),
    ("minimum_grade", "text"),
    ("gs", "text"),
    ("aim", "text"),
    ("heartbeat", "text"),
    ("heartbeat_s", "number"),
    ("gap_ms", "number"),
    ("trigger", "text"),
    ("feedback", "flag"),
    ("probe", "flag"),
];

pub(super) fn faults(r: &Rules, settings: &BTreeMap<String, SettingRule>) -> Vec<Fault> {
    let mut wrong: Vec<Fault> = Vec::new();
    let mut say = |path: &[&str], what: &str| {
        let path = std::iter::once("reader").chain(path.iter().copied()).map(Into::into).collect();
        wrong.push((path, what.into()));
    };
    for (name, f) in &r.framing {
        framing(f, &mut |key, what| say(&["framing", name, key], what));
    }
    let chosen = ["framing", "end"].iter().any(|k| settings.contains_key(*k));
    if r.framing.len() != 1 && !chosen {
        say(&["framing"], "it must be one, or a setting framing or end must choose; add [settings.framing]");
    }
    let json = r.framing.values().any(|f| f.form == Form::JsonStream);
    if json && r.framing.len() > 1 {
        say(&["framing"], "a json-stream cannot stand beside others; give it a profile of its own");
    }
    for (i, c) in r.classify.iter().enumerate() {
        let keyed = c.key.is_some() && c.value.is_some();
        let ways = [!c.exact.is_empty(), !c.begins.is_empty(), c.pattern.is_some(), keyed];
        if ways.iter().filter(|w| **w).count() != 1 || (c.key.is_some() != c.value.is_some()) {
            say(&["classify", &i.to_string()], "a rule needs one of exact, begins, pattern, or key with value; keep one");
        } else if keyed && !json {
            say(&["classify", &i.to_string()], "key and value are looked at in a json-stream only; use exact, begins or pattern");
        }
    }
    if json == r.layout.json_codes.is_empty() {
        say(&["layout", "json_codes"], "a json-stream, and nothing else, has the key of its codes; add json_codes, or take it out");
    }
    layout(r, &mut say);
    if r.gs.arrives == GsForm::Aliases && r.gs.aliases.iter().all(String::is_empty) && r.gs.keys.is_empty() {
        say(&["gs", "aliases"], "GS arrives as an alias and there is none; name aliases or keys");
    }
    let least = r.grade.as_ref().and_then(|g| g.least.as_deref()).unwrap_or_default();
    if !least.is_empty() && Grade::parse(least).is_none() {
        say(&["grade", "least"], "it is no grade; write A to F (no E), or 0 to 4 with one decimal");
    }
    if r.heartbeat_s > 0 && !settings.contains_key("heartbeat") && r.classify.iter().all(|c| c.is != Class::Heartbeat) {
        say(&["heartbeat_s"], "no [[reader.classify]] rule says what a heartbeat is; add one with is = \"heartbeat\"");
    }
    if let Some(p) = &r.probe {
        if !Pattern::new(&p.answer).fits(p.example.as_bytes()) {
            say(&["probe", "example"], "the example does not fit the answer; mend one of them");
        }
        if p.ask.is_empty() || p.timeout_ms == 0 {
            say(&["probe"], "ask must not be empty and timeout_ms not 0; give both");
        }
    }
    if let Handshake::Verdict { good, bad, wait_ms } = &r.handshake
        && (good.is_empty() || bad.is_empty() || *wait_ms == 0)
    {
        say(&["handshake"], "good and bad must not be empty and wait_ms not 0; give all three");
    }
    if matches!(&r.trigger, Trigger::Command { on, .. } if on.is_empty()) {
        say(&["trigger", "on"], "it must not be empty; give the bytes that start a reading");
    }
    for (i, _) in r.quirk.iter().enumerate().filter(|(_, q)| q.what.trim().is_empty() || q.source.trim().is_empty()) {
        say(&["quirk", &i.to_string()], "a quirk needs what and source; name document and page, or a link");
    }
    wrong.extend(settings.iter().filter_map(|(name, rule)| {
        let what = setting(r, name, rule)?;
        Some((vec!["settings".into(), name.clone()], what))
    }));
    wrong
}

fn framing(f: &Framing, say: &mut dyn FnMut(&str, &str)) {
    if !(16..=65_536).contains(&f.max_bytes) {
        say("max_bytes", "it is out of bounds; it must be 16 to 65536");
    }
    match &f.form {
        Form::Delimited { end, .. } if end.is_empty() || end.iter().any(String::is_empty) => {
            say("form", "end is empty; give the bytes that end a frame, as [\"\\r\"]");
        }
        Form::Length { bytes, adds, .. } if !(1..=4).contains(bytes) || adds.unsigned_abs() > 8 => {
            say("form", "a length has 1 to 4 bytes, and adds is -8 to 8; mend it");
        }
        Form::IdleGap { gap_ms } if !(1..=10_000).contains(gap_ms) => say("form", "gap_ms is out of bounds; it must be 1 to 10000"),
        Form::Keyboard { end, event_bytes } if end.is_empty() || !matches!(event_bytes, 16 | 24) => {
            say("form", "a keyboard needs end keys, and event_bytes 24 or 16; give both");
        }
        _ => {}
    }
    let Some(sum) = f.checksum else { return };
    match f.form {
        Form::Delimited { .. } => {}
        Form::Length { .. } | Form::IdleGap { .. } if sum.covers.end() || sum.place == SumPlace::AfterEnd => {
            say("checksum", "this frame has no end to cover or to stand behind; use covers = \"body\" or \"start-body\"");
        }
        Form::Length { .. } | Form::IdleGap { .. } => {}
        _ => say("checksum", "this form has its own checksum, or none; take it out"),
    }
}

fn layout(r: &Rules, say: &mut dyn FnMut(&[&str], &str)) {
    let l = &r.layout;
    if l.fields.iter().filter(|f| **f == FieldName::Code).count() != 1 {
        say(&["layout", "fields"], "there must be one \"code\" among them; add it");
    }
    if (l.fields.len() > 1 || l.rest_ignored) && l.field_separator.is_empty() {
        say(&["layout", "field_separator"], "it is missing; give what stands between the fields of one code");
    }
    if l.separator.as_deref() == Some("") {
        say(&["layout", "separator"], "it must not be empty; leave it out when a frame is one code");
    }
    if r.grade.is_some() != l.fields.contains(&FieldName::Grade) {
        say(&["grade"], "a grade needs both [reader.grade] and a field \"grade\" in layout.fields; add what is missing");
    }
    if l.ssi != r.framing.values().any(|f| f.form == Form::Ssi) {
        say(&["layout", "ssi"], "SSI packets need form.mode = \"ssi\" and ssi = true; set both or neither");
    }
}

impl Rules {
    /// What is wrong with them and with the settings that go with them: the path of keys in the file, and the sentence.
    pub fn faults(&self, settings: &BTreeMap<String, SettingRule>) -> Vec<(Vec<String>, String)> {
        faults(self, settings)
    }
}

/// What is wrong with a setting of a reader.
fn setting(r: &Rules, name: &str, rule: &SettingRule) -> Option<String> {
    let kind = match rule {
        SettingRule::Text { .. } => "text",
        SettingRule::Number { .. } => "number",
        SettingRule::Flag { .. } => "flag",
    };
    let all = || SETTINGS.iter().map(|s| s.0).collect::<Vec<_>>().join(", ");
    match SETTINGS.iter().find(|s| s.0 == name) {
        None => return Some(format!("nothing reads setting {name}; a reader has: {}", all())),
        Some((_, k)) if *k != kind => return Some(format!("setting {name} is a {k}; change its type")),
        Some(_) => {}
    }
    if let SettingRule::Text { words, .. } = rule {
        let allowed: Vec<&str> = match name {
            "framing" | "end" => r.framing.keys().map(String::as_str).collect(),
            _ => super::bind::words(name)?,
        };
        if words.is_empty() || words.iter().any(|w| !allowed.contains(&w.as_str())) {
            return Some(format!("setting {name}: its words must be of {}", allowed.join(", ")));
        }
    }
    match name {
        "trigger" if !r.by_command() => Some("setting trigger chooses between command and hardware; add a [reader.trigger] command".into()),
        "feedback" if !r.wants_verdict() => Some("setting feedback needs [reader.handshake] kind = \"verdict\"; add it".into()),
        "probe" if r.probe.is_none() => Some("setting probe needs [reader.probe]; add it".into()),
        "minimum_grade" if r.grade.is_none() => Some("setting minimum_grade needs [reader.grade]; add it".into()),
        _ => None,
    }
}
