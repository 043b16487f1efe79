//! Templates of requests: `{count} {token} {level} {product} {gtin} {line}`.
//!
//! Ids, digits and tokens are letters, digits, `.`, `_`, `-` and nothing else: they need no escaping in a URL, a header
//! or JSON. The configuration holds them to that.

/// What an order fills in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blanks<'a> {
    pub count: u32,
    pub token: &'a str,
    pub level: &'a str,
    pub product: &'a str,
    pub gtin: Option<&'a str>,
    pub line: &'a str,
}

pub const NAMES: &[&str] = &["count", "token", "level", "product", "gtin", "line"];

impl Blanks<'_> {
    pub fn fill(&self, template: &str) -> String {
        let count = self.count.to_string();
        let values = [&count, self.token, self.level, self.product, self.gtin.unwrap_or(""), self.line];
        let mut out = String::with_capacity(template.len() + 64);
        let mut rest = template;
        // One pass: what is filled in is never looked at again.
        while let Some(at) = rest.find('{') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let found = NAMES.iter().zip(values).find(|(n, _)| rest[1..].strip_prefix(**n).is_some_and(|r| r.starts_with('}')));
            match found {
                Some((name, value)) => {
                    out.push_str(value);
                    rest = &rest[name.len() + 2..];
                }
                None => {
                    out.push('{');
                    rest = &rest[1..];
                }
            }
        }
        out.push_str(rest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_are_filled_in_once_and_braces_of_json_stay() {
        let b = Blanks { count: 20, token: "ab", level: "bottle", product: "P1", gtin: None, line: "L1" };
        assert_eq!(b.fill("https://h/{line}/{count}?t={token}&g={gtin}"), "https://h/L1/20?t=ab&g=");
        assert_eq!(b.fill(r#"{"n":{count},"p":"{product}","x":{"y":"{other}"}}"#), r#"{"n":20,"p":"P1","x":{"y":"{other}"}}"#);
        let odd = Blanks { product: "{token}", ..b };
        assert_eq!(odd.fill("{product}{"), "{token}{");
    }
}
