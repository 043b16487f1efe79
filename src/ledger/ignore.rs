//! What a station's reader sees and nobody asked for: rules of the configuration.

use crate::vocab::KeyRule;
use crate::vocab::plan::Ignore;

/// `*` stands for any run of characters; a symbology is compared with the AIM identifier the reader sent.
pub fn ignored(rule: &Ignore, bytes: &[u8]) -> bool {
    match rule {
        Ignore::Symbology(s) => bytes.len() > 3 && bytes[0] == b']' && bytes[1..3].starts_with(s.as_bytes()),
        Ignore::Pattern(p) => {
            let b = KeyRule::Identity.strip(bytes);
            let parts: Vec<&str> = p.split('*').collect();
            let mut at = 0;
            for (i, part) in parts.iter().enumerate() {
                let part = part.as_bytes();
                let rest = &b[at..];
                let found = if i == 0 {
                    rest.starts_with(part).then_some(0)
                } else if i + 1 == parts.len() {
                    rest.len().checked_sub(part.len()).filter(|o| rest[*o..] == *part)
                } else if part.is_empty() {
                    Some(0)
                } else {
                    rest.windows(part.len()).position(|w| w == part)
                };
                match found {
                    Some(o) => at += o + part.len(),
                    None => return false,
                }
            }
            parts.len() > 1 || at == b.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_symbologies() {
        let p = |s: &str| Ignore::Pattern(s.into());
        assert!(ignored(&p("69*"), b"6901234567892") && !ignored(&p("69*"), b"https://t/69"));
        assert!(ignored(&p("*test*"), b"a test b") && ignored(&p("exact"), b"exact") && !ignored(&p("exact"), b"exactly"));
        assert!(ignored(&Ignore::Symbology("E0".into()), b"]E06901234567892") && !ignored(&Ignore::Symbology("E0".into()), b"]d2abc"));
    }
}
