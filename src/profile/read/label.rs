//! What only a label printer's profile says: its `[label]`, and what must hold between that and its conversation.

use super::commands::Build;
use crate::profile::label::{LabelForm, LineEnd, SymbolForm, Writing};
use crate::profile::printer::{BufferKind, Confirmation, Role};
use crate::profile::talk::{Step, Talk};
use crate::profile::{Dialect, OnEmpty};
use crate::vocab::plan::LabelTraits;

/// `None`: another dialect, or not a word of it.
pub(super) fn form(b: &mut Build<'_>) -> Option<LabelForm> {
    if b.p.dialect != Dialect::Label {
        return None;
    }
    let Some(rule) = b.p.label.clone() else {
        b.wrong(&["dialect"], "what stands on its labels is not said; add [label] with plain, must_have, text and symbol");
        return None;
    };
    let symbol = SymbolForm {
        sscc: b.pattern(&["label", "symbol", "sscc"], &rule.symbol.sscc, &["code"]),
        before: b.literal(&["label", "symbol", "before"], &rule.symbol.before),
        fnc1: rule.symbol.fnc1.as_ref().map(|f| b.literal(&["label", "symbol", "fnc1"], f)),
        value: b.value_form(&["label", "symbol", "value"], &rule.symbol.value),
    };
    if !symbol.sscc.has("code") {
        b.wrong(&["label", "symbol", "sscc"], "label.symbol.sscc: {code} is not in it; put it where the 18 digits stand");
    }
    let text = b.value_form(&["label", "text"], &rule.text);
    let form = LabelForm {
        language: rule.language,
        plain: rule.plain,
        plain_sscc: rule.plain_sscc,
        must_have: rule.must_have,
        line_end: rule.line_end,
        controls: rule.controls,
        writing: rule.writing,
        text,
        symbol,
    };
    if form.must_have.is_empty() {
        b.wrong(
            &["label", "must_have"],
            "label.must_have: nothing tells a label of this language; say what it begins with and what prints it",
        );
    }
    let traits: LabelTraits = form.traits();
    let plains = std::iter::once(("plain", &form.plain)).chain(form.plain_sscc.as_ref().map(|p| ("plain_sscc", p)));
    for (key, plain) in plains {
        for (what, right) in traits.complaints(plain) {
            b.wrong(&["label", key], format!("label.{key}: {what}; {right}"));
        }
    }
    ends(b, &form);
    Some(form)
}

/// A value may not end its line, where lines are what commands end with.
fn ends(b: &mut Build<'_>, form: &LabelForm) {
    let by_lines = matches!(form.line_end, LineEnd::Cr | LineEnd::CrLf);
    for (key, value) in [("text", &form.text), ("symbol", &form.symbol.value)] {
        let may = value.as_rule().refuses(b"\r").is_none();
        if by_lines && form.writing == Writing::Escapes && may {
            b.wrong(&["label", key], format!("label.{key}: a line end in a value would end its command; say charset = \"printable\""));
        }
    }
}

/// What must hold between the parts.
pub(super) fn whole(b: &mut Build<'_>, t: &Talk) {
    let roles = [Role::Status, Role::Fill, Role::Prepare, Role::Identify, Role::Flush];
    for role in t.commands.keys().filter(|r| !roles.contains(r)) {
        let key = role.name();
        b.wrong(
            &["commands", &key],
            format!("commands.{key}: a label printer is given whole labels and asked for its status; only status, fill, prepare, identify and flush are said to it"),
        );
    }
    if t.commands.get(&Role::Status).is_none_or(|s| s.replies.is_empty()) {
        b.wrong(&["commands"], "nothing asks for its status, which tells of each label; add [commands.status] with its replies");
    }
    if t.poll.status_ms == 0 || t.poll.confirm_ms == 0 {
        b.wrong(
            &["poll"],
            "how often it is asked is not said; add [poll] with status_ms (nothing to print) and confirm_ms (a label is out)",
        );
    }
    for (name, steps) in [("arm", &t.arm), ("disarm", &t.disarm), ("clear", &t.clear)] {
        if !steps.is_empty() {
            b.wrong(&["sequences", name], format!("sequences.{name}: of a label printer only connect is done; take it out"));
        }
    }
    if t.connect.contains(&Step::Do(Role::Status)) || t.connect.contains(&Step::Do(Role::Fill)) {
        b.wrong(&["sequences", "connect"], "sequences.connect: its status is asked for anyhow; take it out");
    }
    if let Some(buffer) = &b.p.buffer {
        let (kind, by, on_empty, safe) = (buffer.kind, buffer.confirmed_by.clone(), buffer.on_empty, buffer.clear_is_safe);
        if kind != BufferKind::OneLabel || on_empty == OnEmpty::Repeats {
            b.wrong(
                &["buffer", "kind"],
                "a label printer is given one label at a time and repeats none; say kind = \"one-label\" and on_empty = \"nothing\"",
            );
        }
        if by != [Confirmation::Status] {
            b.wrong(&["buffer", "confirmed_by"], "confirmed_by: a label is followed by the status; say [\"status\"]");
        }
        if safe {
            b.wrong(&["buffer", "clear_is_safe"], "a label that is out is waited for, not cleared; say clear_is_safe = false");
        }
    }
    b.status(t);
    if t.label.as_ref().is_some_and(|l| l.language.is_none()) {
        b.simulated(t);
    }
}
