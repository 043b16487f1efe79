//! A profile's form against `schemas/profile.json`: unknown keys, missing ones, values of the wrong kind, all at once.
//!
//! Only the words of JSON Schema that the types' schema uses are known here; `tests.rs` holds that to be so.

use super::{Reading, find};
use serde_json::Value;
use std::sync::LazyLock;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../schemas/profile.json")).expect("the shipped schema is JSON"));

pub(super) fn check(r: &mut Reading<'_>, root: &DeTable<'_>) {
    table(r, "the file", 0, root, &SCHEMA);
}

/// The schema of a whole file.
pub(super) fn whole() -> &'static Value {
    &SCHEMA
}

/// The schema of what stands under a key of a table; null where nothing is known of it.
pub(super) fn inner(schema: &'static Value, key: &str) -> &'static Value {
    let schema = resolved(schema);
    match schema["properties"].get(key) {
        Some(inner) => inner,
        None => &schema["additionalProperties"],
    }
}

/// Of a table that has several shapes, the key that tells them apart.
pub(super) fn tag(schema: &'static Value) -> Option<&'static str> {
    let first = resolved(schema)["oneOf"].as_array()?.first()?;
    first["properties"].as_object()?.iter().find(|(_, s)| s.get("const").is_some()).map(|(k, _)| k.as_str())
}

/// What a `$ref` points to; of an optional value, the value.
fn resolved(schema: &'static Value) -> &'static Value {
    if let Some(to) = schema["$ref"].as_str() {
        return resolved(SCHEMA.pointer(&to[1..]).unwrap_or(schema));
    }
    match schema["anyOf"].as_array() {
        Some(any) => any.iter().find(|s| s["type"] != "null").map_or(schema, resolved),
        None => schema,
    }
}

fn table(r: &mut Reading<'_>, label: &str, at: usize, t: &DeTable<'_>, schema: &'static Value) {
    let schema = resolved(schema);
    let Some(schema) = variant(r, label, at, t, schema) else { return };
    let keys = schema["properties"].as_object();
    let known = |key: &str| keys.and_then(|k| k.get(key));
    let any = schema.get("additionalProperties").filter(|a| a.is_object());
    let names = words(resolved(&schema["propertyNames"]));
    for (key, v) in t.iter() {
        if let Some(names) = names.as_ref().filter(|n| !n.contains(&key.get_ref().as_ref())) {
            r.complain(key.span().start, format!("{label} has no key {}; it has: {}", key.get_ref(), names.join(", ")));
            continue;
        }
        match known(key.get_ref()).or(any) {
            Some(inner) => value(r, label, key.get_ref(), key.span().start, v, inner),
            None => {
                let all: Vec<&str> = keys.into_iter().flatten().map(|(k, _)| k.as_str()).collect();
                r.complain(key.span().start, format!("{label} has no key {}; it has: {}", key.get_ref(), all.join(", ")));
            }
        }
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if find(t, key).is_none() && !r.half {
            r.complain(at, format!("{label}: {key} is missing; add it"));
        }
    }
}

/// Of several shapes, the one that the table's tag names.
fn variant(r: &mut Reading<'_>, label: &str, at: usize, t: &DeTable<'_>, schema: &'static Value) -> Option<&'static Value> {
    let Some(shapes) = schema["oneOf"].as_array() else { return Some(schema) };
    let tag = tag(schema)?;
    let words: Vec<&str> = shapes.iter().filter_map(|s| s["properties"][tag]["const"].as_str()).collect();
    let named = find(t, tag).and_then(|(_, v)| v.as_str());
    let shape = shapes.iter().find(|s| s["properties"][tag]["const"].as_str() == named && named.is_some());
    if shape.is_none() && !(r.half && named.is_none()) {
        r.complain(at, format!("{label}: {tag} is missing or wrong; it must be {}", words.join(" or ")));
    }
    shape
}

/// The texts a word may be; `None`: it is no word.
fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(all) = schema["enum"].as_array() {
        return Some(all.iter().filter_map(Value::as_str).collect());
    }
    if let Some(word) = schema["const"].as_str() {
        return Some(vec![word]);
    }
    schema["oneOf"].as_array()?.iter().map(words).collect::<Option<Vec<_>>>().map(|w| w.concat())
}

fn is(schema: &Value, kind: &str) -> bool {
    schema["type"] == kind || schema["type"].as_array().is_some_and(|all| all.iter().any(|t| t == kind))
}

fn value(r: &mut Reading<'_>, label: &str, key: &str, key_at: usize, v: &Spanned<DeValue<'_>>, schema: &'static Value) {
    let schema = resolved(schema);
    let inner = |name: String| if label == "the file" { format!("[{name}]") } else { format!("{}.{name}]", label.trim_end_matches(']')) };
    let at = v.span().start;
    let got = v.get_ref();
    let want = match got {
        _ if words(schema).is_some() => {
            let words = words(schema).unwrap_or_default();
            if got.as_str().is_some_and(|w| words.contains(&w)) {
                return;
            }
            words.join(" or ")
        }
        DeValue::Table(t) if is(schema, "object") || schema["oneOf"].is_array() => return table(r, &inner(key.into()), at, t, schema),
        DeValue::Array(all) if is(schema, "array") => {
            for (i, v) in all.iter().enumerate() {
                value(r, label, &format!("{key}[{i}]"), v.span().start, v, &schema["items"]);
            }
            return;
        }
        _ if is(schema, "string") => {
            if got.is_str() {
                return;
            }
            "a text".into()
        }
        _ if is(schema, "boolean") => {
            if got.is_bool() {
                return;
            }
            "true or false".into()
        }
        _ if is(schema, "integer") => {
            let (least, most) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
            let n = got.as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok());
            if n.is_some_and(|n| least.is_none_or(|l| n >= l) && most.is_none_or(|m| n <= m)) {
                return;
            }
            match (least, most) {
                (Some(l), Some(m)) => format!("a whole number from {l} to {m}"),
                (Some(l), None) => format!("a whole number, {l} or more"),
                _ => "a whole number".into(),
            }
        }
        _ if is(schema, "array") => "a list".into(),
        _ => "a table".into(),
    };
    let shown = match got {
        DeValue::String(s) => format!("\"{s}\""),
        DeValue::Integer(n) => n.to_string(),
        DeValue::Float(n) => n.to_string(),
        DeValue::Boolean(b) => b.to_string(),
        _ => format!("of type {}", got.type_str()),
    };
    // A table that is none is named by its key.
    let at = if got.is_table() { key_at } else { at };
    r.complain(at, format!("{label}: {key} is {shown}; it must be {want}"));
}
