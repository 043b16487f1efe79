//! What a setup print puts on things while a head is aligned: bytes that are no code and can never become one.
//!
//! The rule: whatever begins with [`WORD`] is no code. A scan of it is looked up in no pack (`Codebook::reading`), whatever
//! the store's key rule would make of it; no delivery may hold one (`intake::form`), no range (`config`) and no template of
//! tokens (`TokenRule`) may begin so. So a dummy that strays onto a thing is a stranger to every pack there was, is or will be.

use super::KeyRule;

/// Begins every dummy, and no code.
pub const WORD: &str = "SETUP-PRINT";
/// Longest text behind it.
pub const MAX_TEXT: usize = 20;

/// What is printed; `text`: what tells one trial from another. `Err`: what is wrong with it.
pub fn dummy(text: Option<&str>) -> Result<String, String> {
    let Some(text) = text else { return Ok(WORD.into()) };
    let fine = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
    if text.is_empty() || text.len() > MAX_TEXT || !text.bytes().all(fine) {
        return Err(format!("a setup print's text has 1 to {MAX_TEXT} of A-Z 0-9 -"));
    }
    Ok(format!("{WORD}-{text}"))
}

/// Is this what only a setup print may be? Also behind a symbology identifier or FNC1.
pub fn is_dummy(code: &[u8]) -> bool {
    KeyRule::Identity.strip(code).starts_with(WORD.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dummy_is_told_from_every_code() {
        for text in [None, Some("7"), Some("HEAD-2"), Some("ABCDEFGHIJKLMNOPQRST")] {
            let d = dummy(text).unwrap();
            assert!(is_dummy(d.as_bytes()) && is_dummy(format!("]d2{d}").as_bytes()) && is_dummy(format!("\x1d{d}").as_bytes()));
        }
        for text in ["", "a", "A B", "ABCDEFGHIJKLMNOPQRSTU", "A{lot}"] {
            assert!(dummy(Some(text)).is_err(), "{text}");
        }
        for code in ["SETUP", "setup-print", "https://t.example/SETUP-PRINT"] {
            assert!(!is_dummy(code.as_bytes()), "{code}");
        }
    }
}
