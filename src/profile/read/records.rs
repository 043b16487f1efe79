//! What must hold of numbered records, of reading back, of settings that stand in for parts of a frame, and of a profile
//! that nobody has seen at work.

use super::commands::Build;
use crate::profile::SettingRule;
use crate::profile::bytes::Pattern;
use crate::profile::printer::*;
use crate::profile::talk::{Step, Talk};
use std::collections::BTreeMap;

impl Build<'_> {
    /// The ways of wrapping that the setting `framing` chooses between.
    pub(super) fn framings(&mut self) -> BTreeMap<String, (Pattern, Pattern)> {
        let mut all = BTreeMap::new();
        for (name, f) in &self.p.framings {
            let before = self.pattern(&["framings", name, "before"], &f.before, &[]);
            let after = self.pattern(&["framings", name, "after"], &f.after, &[]);
            all.insert(name.clone(), (before, after));
        }
        if !all.is_empty() {
            let words = match self.p.settings.get("framing") {
                Some(SettingRule::Text { words, .. }) => words.clone(),
                _ => Vec::new(),
            };
            if words.is_empty() || !words.iter().all(|w| all.contains_key(w)) {
                let names: Vec<&str> = self.p.framings.keys().map(String::as_str).collect();
                self.wrong(
                    &["framings"],
                    format!("framings: nothing chooses; add [settings.framing], a text with words {}", names.join(", ")),
                );
            }
        }
        all
    }

    pub(super) fn doubled(&mut self) -> Option<u8> {
        let f = &self.p.frame;
        let no_flag = |n: &&String| !matches!(self.p.settings.get(*n), Some(SettingRule::Flag { .. }));
        if let Some(name) = f.doubled_setting.as_ref().filter(no_flag) {
            let what = format!("frame.doubled_setting: there is no flag {name}; add [settings.{name}] of type flag");
            self.wrong(&["frame", "doubled_setting"], what);
        }
        if let Some(name) = f.checksum.as_ref().and_then(|c| c.over_setting.as_ref()) {
            let known = match self.p.settings.get(name) {
                Some(SettingRule::Text { words, .. }) => !words.is_empty() && words.iter().all(|w| Coverage::of_word(w).is_some()),
                _ => false,
            };
            if !known {
                self.wrong(
                    &["frame", "checksum"],
                    format!("frame.checksum: the setting {name} must be a text whose words are coverages; use command, all-before, all-before-but-esc"),
                );
            }
        }
        let bytes = self.literal(&["frame", "doubled"], &f.doubled);
        if bytes.len() > 1 {
            self.wrong(&["frame", "doubled"], "frame.doubled: one byte is doubled; write it as one");
        }
        bytes.first().copied()
    }

    /// Numbered records, reading back, and what no part shows alone.
    pub(super) fn records(&mut self, t: &Talk, numbered: bool) {
        if numbered && !t.arm.contains(&Step::Do(Role::LastRecord)) {
            self.wrong(&["sequences", "arm"], "the next record's number is last+1; add the step last-record to sequences.arm");
        }
        let told = numbered && t.resume.contains(&Step::Do(Role::LastRecord));
        if !t.resume.is_empty() && !told {
            self.wrong(
                &["sequences", "resume"],
                "sequences.resume: only numbered records tell which codes are inside; take it out, or let it ask last-record",
            );
        }
        let known = |role| t.commands.get(&role).is_some_and(|c| c.replies.iter().any(|r| r.is.has("fill")));
        for (role, c) in &t.commands {
            let key = role.name();
            let path = ["commands", key.as_str(), "read_back"];
            let fits = match (role, c.read_back) {
                (_, None) => continue,
                (Role::PutCode, Some(Role::ReadBack)) | (Role::SetField, Some(Role::ReadBack)) => t.has(Role::ReadBack),
                (Role::PutCode, Some(Role::LastRecord)) => numbered && known(Role::LastRecord),
                _ => false,
            };
            if !fits {
                self.wrong(
                    &path,
                    format!("commands.{key}: put-code and set-field are read back by the command read-back, numbered records by last-record with {{last}} and {{fill}}; add it"),
                );
            }
        }
        if self.p.status.iter().any(|s| s.recovers) && t.recover.is_empty() {
            self.wrong(&["sequences", "recover"], "a status recovers, but nothing is done then; add sequences.recover");
        }
        if !matches!(self.p.settings.get("accept_unverified"), None | Some(SettingRule::Flag { default: false, .. })) {
            self.wrong(
                &["settings", "accept_unverified"],
                "an unverified profile feeds a printer only where somebody says so; make it a flag with default = false",
            );
        }
        if !matches!(self.p.settings.get("connect_per_command"), None | Some(SettingRule::Flag { .. })) {
            self.wrong(&["settings", "connect_per_command"], "setting connect_per_command is yes or no; make it a flag");
        }
        if !matches!(self.p.settings.get("first_record"), None | Some(SettingRule::Number { .. })) {
            self.wrong(&["settings", "first_record"], "setting first_record is a record's number; make it a number");
        }
    }

    pub(super) fn mask(&mut self, n: &str, s: &StatusRule) {
        let Some(mask) = &s.mask else { return };
        if s.bit.is_some() || u64::from_str_radix(mask, 16).is_err() {
            self.wrong(&["status", n, "mask"], "status: a mask is hex digits, beside is or is_not; write mask = \"1FFF\", or take bit");
        }
    }
}
