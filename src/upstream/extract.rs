//! Codes out of a JSON reply, streamed: the document is never in memory, only one code at a time.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::{BufReader, Read, Write};

/// Why there are no codes.
#[derive(Debug)]
pub enum Trouble {
    /// The document is not as it should be: a sentence without any of its text.
    Form(String),
    Disk(std::io::Error),
}

/// Writes the codes at `codes` (a JSON pointer to an array), one a line; `code` points within the array's objects.
/// Answers how many.
pub fn codes(from: impl Read, codes: &str, code: Option<&str>, to: &mut impl Write) -> Result<u64, Trouble> {
    let (path, within) = (pointer(codes), code.map(pointer));
    let mut found = Found { to, count: 0, met: false, failed: None };
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(from));
    let walked = Walk { path: &path, leaf: Leaf::Codes(within.as_deref()), found: &mut found }.deserialize(&mut json);
    if let Some(e) = found.failed.take() {
        return Err(Trouble::Disk(e));
    }
    walked.and_then(|()| json.end()).map_err(|e| match e.io_error_kind() {
        Some(kind) => Trouble::Disk(kind.into()),
        None => Trouble::Form(said(&e)),
    })?;
    if !found.met {
        return Err(Trouble::Form(format!("the answer has nothing at “{codes}”")));
    }
    Ok(found.count)
}

/// The value at a pointer, as JSON writes it (texts without quotes).
pub fn value(from: impl Read, at: &str) -> Result<Option<String>, String> {
    let document: serde_json::Value = serde_json::from_reader(BufReader::new(from)).map_err(|e| said(&e))?;
    Ok(document.pointer(at).map(|v| v.as_str().map_or_else(|| v.to_string(), Into::into)))
}

/// The line and column, never the text: a code could stand in it.
fn said(e: &serde_json::Error) -> String {
    let text = e.to_string();
    match text.strip_prefix("! ") {
        Some(ours) => ours.split(" at line ").next().unwrap_or(ours).into(),
        None => format!("the answer is not JSON as expected (line {}, column {})", e.line(), e.column()),
    }
}

/// RFC 6901: the reference tokens.
fn pointer(p: &str) -> Vec<String> {
    p.split('/').skip(1).map(|t| t.replace("~1", "/").replace("~0", "~")).collect()
}

struct Found<'a, W> {
    to: &'a mut W,
    count: u64,
    met: bool,
    failed: Option<std::io::Error>,
}

#[derive(Clone, Copy)]
enum Leaf<'a> {
    Codes(Option<&'a [String]>),
    Code,
}

/// Goes down a path and does what the leaf says there; everything else is skipped.
struct Walk<'p, 'f, 'w, W> {
    path: &'p [String],
    leaf: Leaf<'p>,
    found: &'f mut Found<'w, W>,
}

impl<'de, W: Write> DeserializeSeed<'de> for Walk<'_, '_, '_, W> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<W: Write> Walk<'_, '_, '_, W> {
    fn put<E: Error>(self, code: &str) -> Result<(), E> {
        if !self.path.is_empty() {
            return Ok(());
        }
        match self.leaf {
            // A list written into a text, as some servers do.
            Leaf::Codes(None) if code.trim_start().starts_with('[') => {
                if std::mem::replace(&mut self.found.met, true) {
                    return Err(E::custom("! the codes stand twice in the answer"));
                }
                let items = listed(code.trim()).ok_or_else(|| E::custom("! the list inside the text is not understood"))?;
                for item in items {
                    Walk { path: &[], leaf: Leaf::Code, found: &mut *self.found }.put::<E>(item)?;
                }
                Ok(())
            }
            Leaf::Codes(_) => Err(E::custom("! where the codes should be stands no list")),
            Leaf::Code if code.is_empty() => Err(E::custom("! a code of the answer is empty")),
            Leaf::Code if code.contains(['\n', '\r']) => Err(E::custom("! a code of the answer holds the end of a line")),
            Leaf::Code => {
                self.found.count += 1;
                self.found.met = true;
                self.found.to.write_all(code.as_bytes()).and_then(|()| self.found.to.write_all(b"\n")).map_err(|e| {
                    self.found.failed = Some(e);
                    E::custom("! written no further")
                })
            }
        }
    }
}

impl<'de, W: Write> Visitor<'de> for Walk<'_, '_, '_, W> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of codes")
    }

    fn visit_str<E: Error>(self, s: &str) -> Result<(), E> {
        self.put(s)
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<(), E> {
        self.put(&n.to_string())
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<(), E> {
        self.put(&n.to_string())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        match (self.path, self.leaf) {
            ([], Leaf::Code) => Err(E::custom("! a code of the answer is a number too long to keep its digits: it must be a text")),
            _ => self.put(""),
        }
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.put("")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.put("")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some(step) = self.path.first() else {
            let Leaf::Codes(within) = self.leaf else { return Err(A::Error::custom("! a code of the answer is a list")) };
            if std::mem::replace(&mut self.found.met, true) {
                return Err(A::Error::custom("! the codes stand twice in the answer"));
            }
            let mut items = 0;
            while seq.next_element_seed(Walk { path: within.unwrap_or(&[]), leaf: Leaf::Code, found: &mut *self.found })?.is_some() {
                items += 1;
                if self.found.count != items {
                    return Err(A::Error::custom("! an item of the answer has no code"));
                }
            }
            return Ok(());
        };
        let wanted: Option<usize> = step.parse().ok();
        for at in 0.. {
            let more = if Some(at) == wanted {
                seq.next_element_seed(Walk { path: &self.path[1..], leaf: self.leaf, found: &mut *self.found })?.is_some()
            } else {
                seq.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some(step) = self.path.first() else {
            return Err(A::Error::custom(match self.leaf {
                Leaf::Codes(_) => "! where the codes should be stands no list",
                Leaf::Code => "! a code of the answer is an object: say where in it the code stands",
            }));
        };
        while let Some(key) = map.next_key::<String>()? {
            if key == *step {
                map.next_value_seed(Walk { path: &self.path[1..], leaf: self.leaf, found: &mut *self.found })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// `[1, 2]`, `["a", "b"]`, `['a', 'b']`: numbers as they stand, texts in either quotes; anything with an escape, or
/// nested, is not understood.
fn listed(text: &str) -> Option<Vec<&str>> {
    let mut rest = text.strip_prefix('[')?.strip_suffix(']')?.trim();
    let mut items = Vec::new();
    while !rest.is_empty() {
        if !items.is_empty() {
            rest = rest.strip_prefix(',')?.trim_start();
        }
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (item, after) = match quote {
            Some(q) => rest[1..].split_once(q)?,
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        let item = if quote.is_some() { item } else { item.trim() };
        let number = !item.is_empty() && item.bytes().all(|b| b.is_ascii_digit());
        if item.contains('\\') || (quote.is_none() && !number) {
            return None;
        }
        items.push(item);
        rest = after.trim();
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(json: &str, at: &str, code: Option<&str>) -> Result<String, String> {
        let mut out = Vec::new();
        let n = match codes(json.as_bytes(), at, code, &mut out) {
            Ok(n) => n,
            Err(Trouble::Form(why)) => return Err(why),
            Err(Trouble::Disk(e)) => panic!("{e}"),
        };
        let text = String::from_utf8(out).unwrap();
        assert_eq!(n, text.lines().count() as u64);
        Ok(text)
    }

    #[test]
    fn lists_of_texts_numbers_and_objects() {
        assert_eq!(run(r#"["a","b"]"#, "", None).unwrap(), "a\nb\n");
        assert_eq!(run(r#"{"x":{"n":2,"y/z":["0a",17]},"k":null}"#, "/x/y~1z", None).unwrap(), "0a\n17\n");
        assert_eq!(run(r#"{"d":[{"q":1.5,"s":{"c":"a"}},{"s":{"c":"b"}}]}"#, "/d", Some("/s/c")).unwrap(), "a\nb\n");
        assert_eq!(run(r#"[1,{"d":[]}]"#, "/1/d", None).unwrap(), "");
    }

    #[test]
    fn a_list_inside_a_text() {
        assert_eq!(run(r#"{"numbers":"[395, 404]","fulfilled":true}"#, "/numbers", None).unwrap(), "395\n404\n");
        assert_eq!(run(r#"{"numbers":"['a,b', \"c\",'0']"}"#, "/numbers", None).unwrap(), "a,b\nc\n0\n");
        assert_eq!(run(r#"{"numbers":" [ ] "}"#, "/numbers", None).unwrap(), "");
        for bad in ["[1 2]", "[1,,2]", "[1", "['a]", "[a]", "['a' 'b']", "['a\\\\n']", "[[1]]", "[1,]", "[None]", "[-1]", "['']"] {
            assert!(run(&format!(r#"{{"n":"{bad}"}}"#), "/n", None).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_a_list_of_codes_is_refused_with_the_reason() {
        for (json, at, code, why) in [
            (r#"{"a":1}"#, "/b", None, "nothing at"),
            (r#"{"b":"x"}"#, "/b", None, "no list"),
            (r#"{"b":{"c":["x"]}}"#, "/b", None, "no list"),
            (r#"{"b":["x"]}"#, "/b/c", None, "nothing at"),
            (r#"["x",{"c":"y"}]"#, "", None, "is an object"),
            (r#"[{"c":"x"},{"d":"y"}]"#, "", Some("/c"), "has no code"),
            (r#"[{"c":"x","c":"y"}]"#, "", Some("/c"), "has no code"),
            (r#"["x",null]"#, "", None, "is empty"),
            (r#"["x","y\nz"]"#, "", None, "end of a line"),
            (r#"[81000000000000000001]"#, "", None, "too long"),
            (r#"[["x"]]"#, "", None, "is a list"),
            (r#"{"b":["x"],"b":["y"]}"#, "/b", None, "twice"),
            (r#"["x""#, "", None, "not JSON"),
            (r#"["x"] trailing"#, "", None, "not JSON"),
            ("<html>", "", None, "not JSON"),
            ("", "", None, "not JSON"),
        ] {
            let e = run(json, at, code).unwrap_err();
            assert!(e.contains(why), "{json}: {e}");
            assert!(!e.contains("\"x\""), "no code in a sentence: {e}");
        }
    }

    #[test]
    fn a_full_disk_is_named_as_one() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        assert!(matches!(codes(&br#"["x"]"#[..], "", None, &mut Full), Err(Trouble::Disk(_))));
    }

    #[test]
    fn values_for_polling() {
        let v = |at| value(&br#"{"s":"done","n":3,"o":{"b":true}}"#[..], at).unwrap();
        assert_eq!((v("/s"), v("/n"), v("/o/b"), v("/z")), (Some("done".into()), Some("3".into()), Some("true".into()), None));
    }
}
