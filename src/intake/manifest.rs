//! The manifest of a sealed pack: its signature's trusted comment, `key:value` words that minisign signs with the file.
//!
//! `pack:ID count:N sku:PRODUCT level:LEVEL purpose:TEXT expiry:2027-12-31 sha256:HEX line:LINE column:code=token …`
//! A space inside a value is written `%20`, a percent sign `%25`. Nobody decrypts anything to read it, and it holds no
//! code.

use super::delivery::product;
use super::{Fault, Wish, short};
use crate::vocab::code::{hex, unhex};
use crate::vocab::plan::Plan;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// What it says of the pack.
    pub says: Wish,
    /// Rows of codes.
    pub count: Option<u64>,
    /// Of the text inside, before compression.
    pub sha256: Option<[u8; 32]>,
    /// The only line that may take it.
    pub line: Option<String>,
}

/// What minisign itself writes there when nobody says otherwise.
const MINISIGNS: &[&str] = &["timestamp", "file", "hashed", "prehashed"];

impl Manifest {
    /// Words that nobody knows are refused: a misspelt `expiry` must not be passed over. Those that begin with `x-` are
    /// somebody's own.
    pub fn parse(comment: &str) -> Result<Self, String> {
        let mut m = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for word in comment.split_whitespace() {
            let (key, value) = word.split_once(':').unwrap_or((word, ""));
            if MINISIGNS.contains(&key) || key.starts_with("x-") {
                continue;
            }
            let value = plain(value).ok_or_else(|| format!("“{}” is not understood", short(word)))?;
            if value.is_empty() {
                return Err(format!("“{}” has no value", short(word)));
            }
            let again = seen.contains(&key) && !matches!(key, "column" | "parent");
            if again {
                return Err(format!("{key} stands twice"));
            }
            seen.push(key);
            let slot = match key {
                "pack" => &mut m.says.pack,
                "sku" => &mut m.says.product,
                "level" => &mut m.says.level,
                "purpose" => &mut m.says.purpose,
                "expiry" => &mut m.says.expiry,
                "encoding" => &mut m.says.encoding,
                "separator" => &mut m.says.separator,
                "form" => &mut m.says.form,
                "line" => &mut m.line,
                "column" => {
                    m.says.columns.push(value);
                    continue;
                }
                "parent" => {
                    m.says.parents.push(value);
                    continue;
                }
                "header" => {
                    m.says.header = value == "yes";
                    continue;
                }
                "count" => {
                    m.count = Some(value.parse().map_err(|_| format!("“{}” is no number", short(word)))?);
                    continue;
                }
                "sha256" => {
                    let bytes = unhex(&value).and_then(|b| b.try_into().ok());
                    m.sha256 = Some(bytes.ok_or_else(|| format!("“{}” is no SHA-256", short(word)))?);
                    continue;
                }
                _ => return Err(format!("“{}” is not known in a manifest", short(key))),
            };
            *slot = Some(value);
        }
        Ok(m)
    }

    /// The comment to sign.
    pub fn comment(&self) -> String {
        let s = &self.says;
        let mut words: Vec<String> = Vec::new();
        let mut put = |key: &str, value: Option<&str>| words.extend(value.map(|v| format!("{key}:{}", escaped(v))));
        put("pack", s.pack.as_deref());
        put("count", self.count.map(|n| n.to_string()).as_deref());
        put("sku", s.product.as_deref());
        put("level", s.level.as_deref());
        put("purpose", s.purpose.as_deref());
        put("expiry", s.expiry.as_deref());
        put("sha256", self.sha256.map(|h| hex(&h)).as_deref());
        put("line", self.line.as_deref());
        s.columns.iter().for_each(|c| put("column", Some(c)));
        s.parents.iter().for_each(|c| put("parent", Some(c)));
        put("header", s.header.then_some("yes"));
        put("encoding", s.encoding.as_deref());
        put("separator", s.separator.as_deref());
        put("form", s.form.as_deref());
        words.join(" ")
    }

    /// What is said of the pack in all: options that contradict the manifest are refused, so is a pack for another line.
    pub fn joined(&self, wish: &Wish, plan: &Plan) -> Result<Wish, Fault> {
        if let Some(line) = self.line.as_ref().filter(|l| **l != plan.line) {
            return Err(Fault::delivery(format!("the pack is for line {line}, this is line {}", plan.line), "take it to its line"));
        }
        let same = |what: &str, said: &Option<String>, manifest: &Option<String>| match (said, manifest) {
            (Some(s), Some(m)) if s != m => Err(Fault::delivery(
                format!("the options say {what} {s}, the signed manifest says {what} {m}"),
                "leave the option out if the manifest is right; else it is the wrong pack",
            )),
            (s, m) => Ok(s.clone().or_else(|| m.clone())),
        };
        let known = |named: &Option<String>| named.as_ref().map(|n| product(plan, n).map_or(n.clone(), |p| p.id.clone()));
        let (m, or) = (&self.says, |w: &[String], m: &[String]| if w.is_empty() { m.to_vec() } else { w.to_vec() });
        Ok(Wish {
            pack: wish.pack.clone().or_else(|| m.pack.clone()),
            level: same("level", &wish.level, &m.level)?,
            product: same("product", &known(&wish.product), &known(&m.product))?,
            purpose: same("purpose", &wish.purpose, &m.purpose)?,
            expiry: same("expiry", &wish.expiry, &m.expiry)?,
            columns: or(&wish.columns, &m.columns),
            parents: or(&wish.parents, &m.parents),
            encoding: wish.encoding.clone().or_else(|| m.encoding.clone()),
            separator: wish.separator.clone().or_else(|| m.separator.clone()),
            header: wish.header || m.header,
            form: same("form", &wish.form, &m.form)?,
            fetched: wish.fetched,
            used: wish.used,
            skip_duplicates: wish.skip_duplicates,
        })
    }
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            c if c.is_whitespace() || c.is_control() || c == '%' => {
                let mut b = [0; 4];
                c.encode_utf8(&mut b).bytes().for_each(|b| out.push_str(&format!("%{b:02x}")));
            }
            c => out.push(c),
        }
    }
    out
}

fn plain(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        bytes.push(*unhex(std::str::from_utf8(after.get(..2)?).ok()?)?.first()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}
