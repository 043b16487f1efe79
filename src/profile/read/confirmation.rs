//! What tells of a print, held against what the profile says and hears.

use super::commands::Build;
use crate::profile::printer::*;
use crate::profile::talk::Talk;
use crate::profile::{OnEmpty, SettingRule};

impl Build<'_> {
    pub(super) fn confirmation(&mut self, t: &Talk, buffer: &Buffer) {
        if buffer.confirmed_by.is_empty() {
            self.wrong(&["buffer", "confirmed_by"], "what tells of a print is not said; name at least \"read\"");
        }
        let one = matches!(buffer.kind, BufferKind::Overwrite | BufferKind::ProtectedSingle);
        let read = buffer.kind == BufferKind::Overwrite && buffer.confirmed_by.first() == Some(&Confirmation::Read);
        if read && buffer.on_empty != OnEmpty::Repeats {
            self.wrong(
                &["buffer", "on_empty"],
                "a text that only a read tells of is printed until the next one comes; say on_empty = \"repeats\"",
            );
        }
        if one && !read && matches!(buffer.confirmed_by.first(), Some(Confirmation::Read | Confirmation::Acceptance)) {
            self.wrong(
                &["buffer", "confirmed_by"],
                "a printer that holds one text must tell when it was printed, or the next would replace it; name a counter or an event first",
            );
        }
        if !one
            && !buffer.refusal_means_not_taken
            && matches!(buffer.confirmed_by.first(), Some(Confirmation::Read | Confirmation::Acceptance))
        {
            self.wrong(
                &["buffer", "confirmed_by"],
                "nothing tells when there is room: name a source of prints first, or an answer that means full (refusal_means_not_taken)",
            );
        }
        if let Some(SettingRule::Text { words, .. }) = self.p.settings.get("confirmation") {
            let known: Vec<String> = buffer.confirmed_by.iter().map(|c| c.name()).collect();
            if words.is_empty() || words.iter().any(|w| !known.contains(w)) {
                let all = known.join(", ");
                self.wrong(&["settings", "confirmation"], format!("settings.confirmation: its words are those of confirmed_by: {all}"));
            }
        } else if self.p.settings.contains_key("confirmation") {
            self.wrong(&["settings", "confirmation"], "settings.confirmation is a text; correct its type");
        }
        for c in &buffer.confirmed_by {
            let needs = match c {
                Confirmation::LastRecord => Some(Role::LastRecord),
                Confirmation::LastText => Some(Role::LastText),
                Confirmation::Readiness => Some(Role::Readiness),
                Confirmation::Counter => Some(Role::Count),
                Confirmation::QueueLength => Some(Role::Fill),
                Confirmation::Event if !t.events.iter().any(|e| e.means == EventMeans::Printed) => {
                    self.wrong(
                        &["buffer", "confirmed_by"],
                        "confirmed_by: no event means printed; add it to [[events]], or take \"event\" out",
                    );
                    None
                }
                Confirmation::Status => {
                    self.wrong(
                        &["buffer", "confirmed_by"],
                        "confirmed_by: \"status\" is for label printers; name a counter, an event or \"read\"",
                    );
                    None
                }
                _ => None,
            };
            if let Some(role) = needs.filter(|r| !t.has(*r)) {
                let key = role.name();
                self.wrong(&["buffer", "confirmed_by"], format!("confirmed_by: there is no command {key}; add [commands.{key}]"));
            }
        }
    }
}
