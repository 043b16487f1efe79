//! Firmware profiles: `firmware-profiles/*/*.toml` → values nobody needs to doubt.
//!
//! Shipped profiles are inside the binary; a file of the same name in a folder replaces one. Must never know: IO beyond
//! reading the files, time, protocols (a dialect is a name here and a conversation in `wire`).

mod read;

use crate::vocab::plan::{IoTraits, PrinterTraits, ReaderTraits, Setting, Traits};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

const SHIPPED: &[(&str, &str)] = &[
    ("domino-codenet", include_str!("../../firmware-profiles/printers/domino-codenet.toml")),
    ("zebra-zpl", include_str!("../../firmware-profiles/printers/zebra-zpl.toml")),
    ("keyence-sr", include_str!("../../firmware-profiles/readers/keyence-sr.toml")),
    ("line-reader", include_str!("../../firmware-profiles/readers/line-reader.toml")),
    ("modbus-io", include_str!("../../firmware-profiles/io/modbus-io.toml")),
    ("modbus-rtu-io", include_str!("../../firmware-profiles/io/modbus-rtu-io.toml")),
    ("moxa-iologik-e1200", include_str!("../../firmware-profiles/io/moxa-iologik-e1200.toml")),
];

/// A mistake in a profile's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub file: PathBuf,
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

/// One profile, as its file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub name: String,
    pub dialect: Dialect,
    pub kind: Kind,
    /// Document and page, or capture.
    pub source: String,
    /// What nobody has seen on hardware yet.
    #[serde(default)]
    pub unverified: Vec<String>,
    pub link: Link,
    pub buffer: Option<Buffer>,
    #[serde(default)]
    pub classify: Classify,
    #[serde(default)]
    pub settings: BTreeMap<String, SettingRule>,
}

/// The conversation that speaks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    Codenet,
    Zpl,
    Reader,
    Modbus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Printer,
    LabelPrinter,
    Reader,
    Io,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    pub who_connects: String,
    pub connections: u32,
    pub first_bytes: String,
    pub retry: String,
    /// 0: it is never asked anything.
    pub reply_timeout_ms: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buffer {
    pub kind: String,
    pub full: String,
    pub refusal_means_not_taken: bool,
    pub lost_by: Vec<String>,
    pub clear_is_safe: bool,
    pub on_empty: OnEmpty,
    pub confirmed_by: Vec<String>,
}

/// What it prints when nothing new came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnEmpty {
    Blank,
    Fault,
    /// The last code again: dangerous.
    Repeats,
    Nothing,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classify {
    /// Beginnings of command replies.
    #[serde(default)]
    pub replies: Vec<String>,
    /// Whole frames that are faults, not codes.
    #[serde(default)]
    pub faults: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SettingRule {
    Number {
        default: i64,
        least: i64,
        most: i64,
        what: String,
    },
    Text {
        default: String,
        #[serde(default)]
        words: Vec<String>,
        what: String,
    },
    Flag {
        default: bool,
        what: String,
    },
}

/// A profile with one device's settings.
#[derive(Clone, Debug)]
pub struct Bound {
    pub profile: Profile,
    settings: BTreeMap<String, Setting>,
}

#[derive(Clone, Debug)]
pub struct Profiles(BTreeMap<String, Profile>);

impl Profiles {
    /// The shipped profiles, and those of a folder in their place.
    pub fn load(dir: Option<&Path>) -> Result<Self, Vec<Complaint>> {
        let (mut all, mut wrong) = (BTreeMap::new(), Vec::new());
        for (name, text) in SHIPPED {
            match read::profile(Path::new(name), text) {
                Ok(p) => drop(all.insert(p.name.clone(), p)),
                Err(all) => wrong.extend(all),
            }
        }
        let entries = dir.and_then(|d| std::fs::read_dir(d).ok());
        let mut files: Vec<PathBuf> = entries
            .into_iter()
            .flatten()
            .filter_map(|e| Some(e.ok()?.path()))
            .filter(|p| p.extension().is_some_and(|x| x == "toml"))
            .collect();
        files.sort();
        for file in files {
            match std::fs::read_to_string(&file) {
                Ok(text) => match read::profile(&file, &text) {
                    Ok(p) if file.file_stem().is_none_or(|s| s != p.name.as_str()) => {
                        wrong.push(Complaint {
                            file: file.clone(),
                            line: 1,
                            what: format!("name = \"{}\" is not the file's name; make them the same", p.name),
                        });
                    }
                    Ok(p) => drop(all.insert(p.name.clone(), p)),
                    Err(all) => wrong.extend(all),
                },
                Err(e) => wrong.push(Complaint { file, line: 0, what: format!("cannot be read: {e}") }),
            }
        }
        if wrong.is_empty() { Ok(Self(all)) } else { Err(wrong) }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A profile with these settings, or every complaint about them as "what; what would be right".
    pub fn bind(&self, name: &str, given: &BTreeMap<String, Setting>) -> Result<Bound, Vec<String>> {
        let Some(profile) = self.0.get(name) else {
            return Err(vec![format!("there is no profile \"{name}\"; use one of {}", self.names().collect::<Vec<_>>().join(", "))]);
        };
        let mut wrong = Vec::new();
        for k in given.keys().filter(|k| !profile.settings.contains_key(*k)) {
            let known: Vec<&str> = profile.settings.keys().map(String::as_str).collect();
            wrong.push(format!("profile {name} has no setting {k}; it has: {}", known.join(", ")));
        }
        let mut settings = BTreeMap::new();
        for (k, rule) in &profile.settings {
            let value = match (rule, given.get(k)) {
                (SettingRule::Number { default, .. }, None) => Setting::Number(*default),
                (SettingRule::Text { default, .. }, None) => Setting::Text(default.clone()),
                (SettingRule::Flag { default, .. }, None) => Setting::Flag(*default),
                (SettingRule::Number { least, most, .. }, Some(Setting::Number(n))) if (least..=most).contains(&n) => Setting::Number(*n),
                (SettingRule::Text { words, .. }, Some(Setting::Text(t))) if words.is_empty() || words.contains(t) => {
                    Setting::Text(t.clone())
                }
                (SettingRule::Flag { .. }, Some(Setting::Flag(f))) => Setting::Flag(*f),
                (SettingRule::Number { least, most, what, .. }, Some(_)) => {
                    wrong.push(format!("setting {k} ({what}) is wrong; it must be a whole number from {least} to {most}"));
                    continue;
                }
                (SettingRule::Text { words, what, .. }, Some(_)) => {
                    let right = if words.is_empty() { "a text".to_string() } else { words.join(" or ") };
                    wrong.push(format!("setting {k} ({what}) is wrong; it must be {right}"));
                    continue;
                }
                (SettingRule::Flag { what, .. }, Some(_)) => {
                    wrong.push(format!("setting {k} ({what}) is wrong; it must be true or false"));
                    continue;
                }
            };
            settings.insert(k.clone(), value);
        }
        let bound = Bound { profile: profile.clone(), settings };
        if profile.dialect == Dialect::Codenet && !matches!(bound.text("ack_char").as_bytes(), [] | [b'A'..=b'Z']) {
            wrong.push("setting ack_char is wrong; it must be one letter A–Z, or empty".into());
        }
        if profile.dialect == Dialect::Reader && profile.settings.contains_key("separator") && bound.text("separator").is_empty() {
            wrong.push("setting separator is wrong; it must not be empty".into());
        }
        if wrong.is_empty() { Ok(bound) } else { Err(wrong) }
    }
}

impl Bound {
    pub fn number(&self, key: &str) -> i64 {
        match self.settings.get(key) {
            Some(Setting::Number(n)) => *n,
            _ => 0,
        }
    }

    pub fn text(&self, key: &str) -> &str {
        match self.settings.get(key) {
            Some(Setting::Text(t)) => t,
            _ => "",
        }
    }

    pub fn flag(&self, key: &str) -> bool {
        self.settings.get(key) == Some(&Setting::Flag(true))
    }

    /// The profile has this setting at all.
    pub fn has(&self, key: &str) -> bool {
        self.settings.contains_key(key)
    }

    /// What the line must know of the device.
    pub fn traits(&self) -> Traits {
        let repeats = self.profile.buffer.as_ref().is_some_and(|b| b.on_empty == OnEmpty::Repeats);
        match self.profile.kind {
            Kind::Printer => Traits::Printer(PrinterTraits {
                depth: self.number("depth").max(1) as u32,
                // Without a byte per print, room for the next code is a guess that tells nothing about stopped prints.
                confirms: !self.has("ack_char") || !self.text("ack_char").is_empty(),
                clear_on_adopt: self.flag("clear_on_adopt"),
                label: false,
                repeats_on_empty: repeats,
            }),
            Kind::LabelPrinter => {
                Traits::Printer(PrinterTraits { depth: 1, confirms: true, clear_on_adopt: false, label: true, repeats_on_empty: repeats })
            }
            Kind::Reader => Traits::Reader(ReaderTraits { positional: self.flag("positional") }),
            Kind::Io => Traits::Io(IoTraits {
                pulses: self.has("pulse_base") && self.number("pulse_base") >= 0,
                watchdog_ms: u32::try_from(self.number("watchdog_ms")).ok().filter(|ms| *ms > 0),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_profile_loads_with_its_defaults() {
        let all = Profiles::load(None).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(all.names().count(), SHIPPED.len());
        for n in all.names() {
            all.bind(n, &BTreeMap::new()).unwrap_or_else(|e| panic!("{n}: {e:?}"));
        }
        let Traits::Printer(t) = all.bind("domino-codenet", &BTreeMap::new()).unwrap().traits() else { panic!("a printer") };
        assert_eq!((t.depth, t.clear_on_adopt), (1, true));
    }

    #[test]
    fn wrong_settings_are_all_named() {
        let all = Profiles::load(None).unwrap();
        let given = [("depth", Setting::Number(0)), ("ack_char", Setting::Text("1".into())), ("colour", Setting::Flag(true))];
        let e = all.bind("domino-codenet", &given.map(|(k, v)| (k.to_string(), v)).into()).unwrap_err();
        assert_eq!(e.len(), 3, "{e:?}");
    }

    #[test]
    fn a_folders_file_replaces_a_shipped_one_and_its_mistakes_have_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let text = SHIPPED[4].1.replace("default = 1\n", "default = 7\n");
        std::fs::write(dir.path().join("modbus-io.toml"), &text).unwrap();
        let all = Profiles::load(Some(dir.path())).unwrap();
        assert_eq!(all.bind("modbus-io", &BTreeMap::new()).unwrap().number("unit"), 7);
        std::fs::write(dir.path().join("modbus-io.toml"), text.replace("kind = \"io\"", "kind = \"oi\"")).unwrap();
        let e = Profiles::load(Some(dir.path())).unwrap_err();
        assert!(e[0].line > 1 && e[0].what.contains("oi"), "{e:?}");
    }

    #[test]
    fn all_mistakes_of_a_file_are_told_at_once_each_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let text = SHIPPED[0]
            .1
            .replace("dialect = \"codenet\"", "dialect = \"codanet\"")
            .replace("connections = 1\n", "connections = \"one\"\ncolour = 3\n")
            .replace("clear_is_safe = true\n", "")
            .replace("type = \"flag\"", "type = \"bit\"");
        std::fs::write(dir.path().join("domino-codenet.toml"), &text).unwrap();
        let e = Profiles::load(Some(dir.path())).unwrap_err();
        let line = |what: &str| text[..text.find(what).unwrap()].matches('\n').count() + 1;
        let want = ["dialect =", "connections = \"one\"", "colour", "[buffer]", "[settings.clear_on_adopt]"].map(line);
        assert_eq!(e.iter().map(|c| c.line).collect::<Vec<_>>(), want, "{e:?}");

        let text = SHIPPED[0]
            .1
            .replace("reply_timeout_ms = 1000", "reply_timeout_ms = 0")
            .replace("least = 1\n", "least = 2\n")
            .replace("[settings.response_length]", "[settings.length]");
        std::fs::write(dir.path().join("domino-codenet.toml"), &text).unwrap();
        let e = Profiles::load(Some(dir.path())).unwrap_err();
        assert_eq!(e.len(), 3, "{e:?}");
        std::fs::write(dir.path().join("domino-codenet.toml"), "name = \"x\nkind = 7 7\n").unwrap();
        assert!(Profiles::load(Some(dir.path())).unwrap_err()[0].what.starts_with("not TOML"));
    }
}
