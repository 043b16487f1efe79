//! `[codes]`: how codes are found again, and how long the company's GS1 prefix is.

use super::node::Table;
use crate::vocab::KeyRule;
use crate::vocab::plan::CodesPlan;

pub(super) fn codes(root: &Table<'_>) -> CodesPlan {
    let Some(mut t) = root.table("codes") else { return CodesPlan::default() };
    t.name = "[codes]".into();
    let key = t.text("key").map(|k| {
        KeyRule::parse(k.value).unwrap_or_else(|why| {
            t.complain(k.at, format_args!("key = \"{}\" is no key rule", k.value), why.to_string());
            KeyRule::Identity
        })
    });
    let company_prefix_len = t.number("company_prefix_length", 6, 12).map(|n| n as u8);
    t.done();
    CodesPlan { key: key.unwrap_or(KeyRule::Identity), company_prefix_len }
}
