//! A profile with one device's settings, and what the line must know of the device.

use super::label::LabelForm;
use super::printer::{Buffer, BufferKind, Confirmation, Role};
use super::talk::Step;
use super::{Dialect, Kind, OnEmpty, Profile, Profiles, SettingRule, Standing, reader};
use crate::vocab::plan::{IoTraits, PrinterTraits, Setting, Traits};
use std::collections::BTreeMap;

/// A profile with one device's settings.
#[derive(Clone, Debug)]
pub struct Bound {
    pub profile: Profile,
    settings: BTreeMap<String, Setting>,
    /// A reader's rules, as this device is set.
    pub reader: reader::Rules,
}

impl Profiles {
    /// A profile with these settings, or every complaint about them as "what; what would be right".
    pub fn bind(&self, name: &str, given: &BTreeMap<String, Setting>) -> Result<Bound, Vec<String>> {
        let Some(profile) = self.all.get(name) else {
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
        let reader = profile.reader.clone().unwrap_or_default().with(&settings).unwrap_or_else(|all| {
            wrong.extend(all);
            reader::Rules::default()
        });
        let bound = Bound { profile: profile.clone(), settings, reader };
        if profile.dialect == Dialect::Codenet && !matches!(bound.text("ack_char").as_bytes(), [] | [b'A'..=b'Z']) {
            wrong.push("setting ack_char is wrong; it must be one letter A–Z, or empty".into());
        }
        // A byte says that something was printed, and of a FIFO that nobody emptied not whose it was.
        if profile.dialect == Dialect::Codenet && !bound.text("ack_char").is_empty() && !bound.flag("clear_on_adopt") {
            wrong.push("ack_char is set and clear_on_adopt is false: leave ack_char empty, or have the FIFO emptied".into());
        }
        if wrong.is_empty() { Ok(bound) } else { Err(wrong) }
    }
}

impl Bound {
    /// Every setting, defaults among them.
    pub fn settings(&self) -> &BTreeMap<String, Setting> {
        &self.settings
    }

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

    /// What stands for `{setting.x}` in a profile's bytes.
    pub fn place(&self, place: &str) -> Option<Vec<u8>> {
        match self.settings.get(place.strip_prefix("setting.")?)? {
            Setting::Text(t) => Some(t.clone().into_bytes()),
            Setting::Number(n) => Some(n.to_string().into_bytes()),
            Setting::Flag(f) => Some(u8::from(*f).to_string().into_bytes()),
        }
    }

    /// Codes that a printer's buffer holds.
    pub fn depth(&self) -> u32 {
        self.number("depth").max(1) as u32
    }

    /// What tells of its prints, best first; only the one that the setting `confirmation` names, where there is one.
    pub fn sources(&self) -> Vec<Confirmation> {
        let all = self.profile.buffer.as_ref().map_or(&[][..], |b| &b.confirmed_by);
        let named = |c: &&Confirmation| !self.has("confirmation") || c.name() == self.text("confirmation");
        all.iter().filter(named).copied().collect()
    }

    /// A connection is opened for every request, and closed behind its answer.
    pub fn connects_per_command(&self) -> bool {
        if self.has("connect_per_command") { self.flag("connect_per_command") } else { self.profile.link.per_command }
    }

    /// Why it may not print: nobody has seen its profile at work, and nobody has said that this is known.
    pub fn unfit(&self) -> Option<String> {
        let name = &self.profile.name;
        let talk = self.profile.talk.as_ref()?;
        if self.profile.standing == Standing::Documented {
            return None;
        }
        if !talk.has(Role::PutCode) {
            return Some(format!("is watched only: profile {name} is unverified and has no command that puts a code"));
        }
        let how = if self.has("accept_unverified") { "" } else { " (add [settings.accept_unverified] to it, a flag)" };
        (!self.flag("accept_unverified")).then(|| {
            format!("is not fed: profile {name} is unverified; set accept_unverified = true to try it where prints may be spoilt{how}")
        })
    }

    /// The profile has this setting at all.
    pub fn has(&self, key: &str) -> bool {
        self.settings.contains_key(key)
    }

    /// What the line must know of the device.
    pub fn traits(&self) -> Traits {
        let repeats = self.profile.buffer.as_ref().is_some_and(|b| b.on_empty == OnEmpty::Repeats);
        // What is overwritten holds nothing of before.
        let holds_one = |b: &Buffer| matches!(b.kind, BufferKind::Overwrite | BufferKind::ProtectedSingle);
        let overwrites = self.profile.buffer.as_ref().is_some_and(holds_one);
        match self.profile.kind {
            Kind::Printer if self.profile.dialect == Dialect::Commands => {
                let sources = self.sources();
                let told = |c: &Confirmation| !matches!(c, Confirmation::Acceptance | Confirmation::Status | Confirmation::Read);
                let talk = self.profile.talk.as_ref();
                let overwrites = self.profile.buffer.as_ref().is_some_and(|b| b.kind == BufferKind::Overwrite);
                // What is overwritten holds nothing of before.
                let clears = overwrites || talk.is_some_and(|t| t.arm.contains(&Step::Do(Role::Clear)));
                Traits::Printer(PrinterTraits {
                    depth: self.depth(),
                    confirms: sources.first().is_some_and(told),
                    clear_on_adopt: clears,
                    label: false,
                    repeats_on_empty: repeats,
                    one_by_one: overwrites && sources.first() == Some(&Confirmation::Read),
                    selects: talk.is_some_and(|t| t.has(Role::SelectMessage)),
                    sets_fields: talk.is_some_and(|t| t.has(Role::SetField)),
                    labels: None,
                })
            }
            Kind::Printer => Traits::Printer(PrinterTraits {
                depth: self.number("depth").max(1) as u32,
                // Without a byte per print, room for the next code is a guess that tells nothing about stopped prints.
                confirms: !self.has("ack_char") || !self.text("ack_char").is_empty(),
                clear_on_adopt: overwrites || self.flag("clear_on_adopt"),
                label: false,
                repeats_on_empty: repeats,
                one_by_one: false,
                selects: self.profile.dialect == Dialect::Codenet,
                sets_fields: false,
                labels: None,
            }),
            Kind::LabelPrinter => Traits::Printer(PrinterTraits {
                depth: 1,
                confirms: true,
                clear_on_adopt: false,
                label: true,
                repeats_on_empty: repeats,
                one_by_one: false,
                selects: true,
                sets_fields: true,
                labels: self.profile.talk.as_ref().and_then(|t| t.label.as_ref()).map(LabelForm::traits),
            }),
            Kind::Reader => Traits::Reader(self.reader.traits()),
            Kind::Io => Traits::Io(IoTraits {
                pulses: self.has("pulse_base") && self.number("pulse_base") >= 0,
                watchdog_ms: u32::try_from(self.number("watchdog_ms")).ok().filter(|ms| *ms > 0),
            }),
        }
    }
}
