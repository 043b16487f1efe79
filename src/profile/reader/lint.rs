//! What may go wrong without being wrong: warnings for `packmark check`.
//!
//! A separator that may stand in a serial number, AI (21), parts a code in two: readers come with `,` or `;` set, and both
//! are in GS1's set of 82.

use super::*;
use crate::vocab::gs1::is_82;

/// Safe between codes: in no GS1 element string (GS stands in them and is not among these).
pub const SAFE_SEPARATORS: &str = "| # ^ ~ TAB RS (\\u001e)";
/// What may stand in AI (21), for sentences.
pub const AI21: &str = "AI (21)";

impl Rules {
    /// "what; what would be right", for rules with settings bound.
    pub fn warnings(&self) -> Vec<String> {
        let mut out = Vec::new();
        let risky = |s: &str| !s.is_empty() && s.bytes().all(is_82);
        if let Some(s) = self.layout.separator.as_deref().filter(|s| risky(s)) {
            out.push(format!(
                "\"{s}\" between codes may stand in {AI21} of a code, which would then be read as two; \
                 set the reader and separator to one of {SAFE_SEPARATORS}"
            ));
        }
        let fields = &self.layout.field_separator;
        if (self.layout.fields.len() > 1 || self.layout.rest_ignored) && risky(fields) {
            out.push(format!(
                "\"{fields}\" between fields may stand in {AI21} of a code, which would then be cut short; \
                 set the reader and field_separator to one of {SAFE_SEPARATORS}"
            ));
        }
        if self.gs.arrives == GsForm::Aliases {
            for alias in self.gs.aliases.iter().filter(|a| risky(a)) {
                out.push(format!("\"{alias}\" stands for GS and may stand in {AI21} too; let the reader send 1D, or another alias"));
            }
        }
        if self.gs.arrives == GsForm::Stripped {
            out.push(
                "this reader drops GS: codes that contain it cannot be matched; switch GS on at the reader, and set gs = \"byte\"".into(),
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_that_may_stand_in_a_serial_number_are_named_with_safe_ones() {
        let with = |s: &str| Rules { layout: Layout { separator: Some(s.into()), ..Layout::default() }, ..Rules::default() }.warnings();
        for s in [",", ";", ":", "/", "=", "&"] {
            let w = with(s);
            assert!(w.len() == 1 && w[0].contains("| #") && w[0].contains("AI (21)"), "{s}: {w:?}");
        }
        for s in ["|", "#", "^", "~", "\t", "\u{1e}", " ", ",\t"] {
            assert_eq!(with(s), Vec::<String>::new(), "{s}");
        }
    }
}
