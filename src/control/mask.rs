//! What the port that only reads shows instead of a code.

use serde_json::Value;

/// Puts the last four characters in place of every code, for the port that only reads.
pub fn mask(value: &mut Value) {
    const CODES: &[&str] = &["hex", "text", "parent", "void", "next", "from"];
    match value {
        Value::Object(m) => {
            let tail = m.get("text").and_then(Value::as_str).map(|t| crate::vocab::code::tail(t.as_bytes()));
            let tail = tail
                .or_else(|| m.get("hex").and_then(Value::as_str).and_then(crate::vocab::code::unhex).map(|b| crate::vocab::code::tail(&b)));
            let had = m.contains_key("hex") || m.contains_key("text");
            m.retain(|k, v| !(CODES.contains(&k.as_str()) && (k == "hex" || k == "text" || v.is_string())) && k != "children");
            if had && let Some(t) = tail {
                m.insert("tail".into(), t.into());
            }
            m.values_mut().for_each(mask);
        }
        Value::Array(a) => a.iter_mut().for_each(mask),
        _ => {}
    }
}
