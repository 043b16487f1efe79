//! Rules with one device's settings: each setting stands in for the rule of the same name.

use super::*;
use crate::vocab::plan::Setting;

/// The words of a setting that has a fixed choice.
pub(super) fn words(name: &str) -> Option<Vec<&'static str>> {
    Some(match name {
        "unread" => vec!["in-place", "left-out", "at-end"],
        "gs" => vec!["byte", "aliases", "stripped"],
        "aim" => vec!["none", "optional", "always"],
        "trigger" => vec!["hardware", "command"],
        _ => return None,
    })
}

impl Rules {
    /// As one device is set; `Err`: "what; what would be right".
    pub fn with(mut self, settings: &BTreeMap<String, Setting>) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let text = |key: &str| match settings.get(key) {
            Some(Setting::Text(t)) => Some(t.as_str()),
            _ => None,
        };
        let flag = |key: &str| match settings.get(key) {
            Some(Setting::Flag(f)) => Some(*f),
            _ => None,
        };
        let number = |key: &str| match settings.get(key) {
            Some(Setting::Number(n)) => u32::try_from(*n).ok(),
            _ => None,
        };
        if let Some(name) = text("framing").or(text("end")) {
            self.framing.retain(|n, _| n == name);
        }
        match text("separator") {
            Some("") => wrong.push("setting separator is wrong; it must not be empty".into()),
            Some(s) => self.layout.separator = Some(s.into()),
            None => {}
        }
        if let Some(word) = text("no_read") {
            self.no_read = vec![word.into()];
        }
        if let Some(word) = text("missing") {
            self.layout.missing = vec![word.into()];
        }
        match (flag("positional"), text("unread")) {
            (Some(true), _) | (_, Some("in-place")) => self.layout.unread = Unread::InPlace,
            (_, Some("at-end")) => self.layout.unread = Unread::AtEnd,
            (Some(false), _) | (_, Some(_)) => self.layout.unread = Unread::LeftOut,
            _ => {}
        }
        if let (Some(least), Some(rule)) = (text("minimum_grade"), &mut self.grade) {
            if !least.is_empty() && Grade::parse(least).is_none() {
                wrong.push("setting minimum_grade is wrong; write A to F (no E), 0 to 4 with one decimal, or nothing".into());
            }
            rule.least = Some(least.into());
        }
        match text("gs") {
            Some("aliases") => self.gs.arrives = GsForm::Aliases,
            Some("stripped") => self.gs.arrives = GsForm::Stripped,
            Some(_) => self.gs.arrives = GsForm::Byte,
            None => {}
        }
        match text("aim") {
            Some("always") => self.layout.aim = Aim::Always,
            Some("none") => self.layout.aim = Aim::None,
            Some(_) => self.layout.aim = Aim::Optional,
            None => {}
        }
        if let Some(word) = text("heartbeat").filter(|w| !w.is_empty()) {
            let beat = Rule { is: Class::Heartbeat, exact: vec![word.into()], ..Rule::default() };
            self.classify.insert(0, beat);
        }
        self.heartbeat_s = number("heartbeat_s").unwrap_or(self.heartbeat_s);
        if let Some(ms) = number("gap_ms") {
            for f in self.framing.values_mut() {
                if let Form::IdleGap { gap_ms } = &mut f.form {
                    *gap_ms = ms.max(1);
                }
            }
        }
        if text("trigger") == Some("hardware") {
            self.trigger = Trigger::Hardware;
        }
        if flag("feedback") == Some(false) {
            self.handshake = Handshake::None;
        }
        match flag("probe") {
            Some(false) => self.probe = None,
            None if self.probe.as_ref().is_some_and(|p| !p.always) => self.probe = None,
            _ => {}
        }
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }
}
