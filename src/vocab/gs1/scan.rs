//! What a reader transmits when it is set to send AIM identifiers (ISO/IEC 15424): `]d2` and the data, GS for FNC1.
//!
//! Must never know: readers. Composite components are read and written where the standard's transmission has them apart.

use super::checks::check_digit_holds;
use super::message::{Message, split};
use super::refusal::Refusal;
use super::{GS, Reading};

/// What kind of symbol was read, or is to be. Several kinds transmit alike; reading answers the commonest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Symbology {
    /// `]Q1`, `]Q3`
    QrCode,
    /// `]d1`, `]d2`
    DataMatrix,
    /// `]J0`, `]J1`
    DotCode,
    /// `]C0`
    Code128,
    /// `]C1`
    Gs1_128,
    /// `]e0`
    DataBarExpanded,
    /// `]e0`: a GTIN.
    DataBarOmni,
    /// `]e0`: a GTIN that begins with 0 or 1.
    DataBarLimited,
    /// `]E0`: 13 digits.
    Ean13,
    /// `]E0`: 12 digits, sent with a 0 before them.
    UpcA,
    /// `]E0`, expanded to UPC-A.
    UpcE,
    /// `]E4`
    Ean8,
}

/// What a symbol carries.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// Bytes that are no GS1 data.
    Plain(Vec<u8>),
    /// An element string, its separators as they stand, without FNC1 in first position.
    Gs1(Vec<u8>),
    /// The digits of a retail symbol.
    Retail(String),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, bytes) = match self {
            Self::Plain(b) => ("Plain", b.as_slice()),
            Self::Gs1(b) => ("Gs1", b.as_slice()),
            Self::Retail(d) => ("Retail", d.as_bytes()),
        };
        write!(f, "{kind}(…{} of {} bytes)", crate::vocab::code::tail(bytes), bytes.len())
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scan {
    pub symbology: Symbology,
    pub content: Content,
    /// The element string of a composite component beside a linear symbol.
    pub composite: Option<Vec<u8>>,
}

/// Reads scan data. GS1 content is judged value by value; plain content is bytes.
pub fn read(data: &[u8]) -> Result<Scan, Refusal> {
    let (Some(id), body) = (data.get(..3), data.get(3..).unwrap_or_default()) else {
        return Err(Refusal::UnknownSymbology);
    };
    let plain = |symbology| Ok(Scan { symbology, content: Content::Plain(body.to_vec()), composite: None });
    let gs1 = |symbology| Message::parse(body).map(|_| Scan { symbology, content: Content::Gs1(body.to_vec()), composite: None });
    match id {
        b"]Q1" => plain(Symbology::QrCode),
        b"]d1" => plain(Symbology::DataMatrix),
        b"]J0" => plain(Symbology::DotCode),
        b"]C0" => plain(Symbology::Code128),
        b"]Q3" => gs1(Symbology::QrCode),
        b"]d2" => gs1(Symbology::DataMatrix),
        b"]J1" => gs1(Symbology::DotCode),
        b"]C1" => gs1(Symbology::Gs1_128),
        b"]e0" => gs1(Symbology::DataBarExpanded),
        b"]E0" => retail(Symbology::Ean13, 13, body),
        b"]E4" => retail(Symbology::Ean8, 8, body),
        _ => Err(Refusal::UnknownSymbology),
    }
}

fn retail(symbology: Symbology, len: usize, body: &[u8]) -> Result<Scan, Refusal> {
    let (digits, rest) = body.split_at_checked(len).ok_or(Refusal::NotForSymbol { why: "its digits are too few" })?;
    if !check_digit_holds(digits) {
        return Err(Refusal::NotForSymbol { why: "it needs digits, the last a right check digit" });
    }
    let composite = match rest.strip_prefix(b"|]e0") {
        Some(component) => Message::parse(component).map(|_| Some(component.to_vec()))?,
        None if rest.is_empty() => None,
        None => return Err(Refusal::NotForSymbol { why: "its digits are too many" }),
    };
    Ok(Scan { symbology, content: Content::Retail(String::from_utf8_lossy(digits).into_owned()), composite })
}

impl Scan {
    /// The message of GS1 content (a retail number is a GTIN), with its composite component.
    pub fn message(&self) -> Option<Result<Message, Refusal>> {
        let data = match &self.content {
            Content::Plain(_) => return None,
            Content::Gs1(d) => d.clone(),
            Content::Retail(d) => format!("01{d:0>14}").into_bytes(),
        };
        Some(Message::parse(&joined(&data, self.composite.as_deref())))
    }

    /// What a reader would transmit of such a symbol.
    pub fn write(&self) -> Result<Vec<u8>, Refusal> {
        use Symbology as S;
        let not = |why| Err(Refusal::NotForSymbol { why });
        self.composite.iter().try_for_each(|c| Message::parse(c).map(drop))?;
        let (plain, gs1) = match self.symbology {
            S::QrCode => ("]Q1", "]Q3"),
            S::DataMatrix => ("]d1", "]d2"),
            S::DotCode => ("]J0", "]J1"),
            S::Code128 => ("]C0", ""),
            S::Gs1_128 if self.composite.is_none() => ("", "]C1"),
            S::Gs1_128 | S::DataBarExpanded => ("", "]e0"),
            S::DataBarOmni | S::DataBarLimited | S::Ean13 | S::UpcA | S::UpcE | S::Ean8 => return self.write_retail(),
        };
        let matrix = matches!(self.symbology, S::QrCode | S::DataMatrix | S::DotCode | S::Code128);
        if matrix && self.composite.is_some() {
            return not("it has no composite component");
        }
        let (id, body) = match &self.content {
            Content::Plain(b) if !plain.is_empty() => (plain, b.clone()),
            Content::Gs1(d) if !gs1.is_empty() => {
                Message::parse(d)?;
                (gs1, joined(d, self.composite.as_deref()))
            }
            Content::Plain(_) => return not("it carries GS1 data only"),
            Content::Gs1(_) => return not("it carries no GS1 data"),
            Content::Retail(_) => return not("retail digits belong on a retail symbol"),
        };
        Ok([id.as_bytes(), &body].concat())
    }

    /// A GTIN on a symbol of its own kind: as AI 01 on DataBar, as bare digits on EAN and UPC.
    fn write_retail(&self) -> Result<Vec<u8>, Refusal> {
        use Symbology as S;
        let not = |why| Err(Refusal::NotForSymbol { why });
        let gtin = match &self.content {
            Content::Plain(_) => return not("it carries a GTIN only"),
            Content::Retail(d) => d.clone(),
            Content::Gs1(d) => match Message::parse(d)?.elements() {
                [one] if one.ai.digits() == b"01" => one.value.clone(),
                _ => return not("it carries a GTIN only"),
            },
        };
        let len = match self.symbology {
            S::Ean8 => 8,
            S::UpcA | S::UpcE => 12,
            S::Ean13 => 13,
            _ => 14,
        };
        // An element string's 14 digits shorten only by zeros; bare digits must be as many as the symbol has.
        let digits = match &self.content {
            Content::Gs1(_) => gtin.strip_prefix(&"00000000000000"[..14 - len]).unwrap_or_default(),
            _ => gtin.as_str(),
        };
        if digits.len() != len || !check_digit_holds(digits.as_bytes()) {
            return not("it needs as many digits as it has, the last a right check digit");
        }
        if self.symbology == S::DataBarLimited && !digits.starts_with(['0', '1']) {
            return not("its GTIN begins with 0 or 1");
        }
        if self.symbology == S::UpcE && !digits.starts_with('0') {
            return not("its number begins with 0");
        }
        let component = self.composite.as_deref();
        Ok(match (self.symbology, component) {
            (S::DataBarOmni | S::DataBarLimited, _) => [b"]e0", joined(format!("01{digits}").as_bytes(), component).as_slice()].concat(),
            (S::Ean8, None) => format!("]E4{digits}").into_bytes(),
            (S::Ean8, Some(c)) => [format!("]E4{digits}|]e0").as_bytes(), c].concat(),
            (_, None) => format!("]E0{digits:0>13}").into_bytes(),
            (_, Some(c)) => [format!("]E0{digits:0>13}|]e0").as_bytes(), c].concat(),
        })
    }
}

/// A linear symbol's data with its component's: one message, GS between where the first does not end by itself.
fn joined(linear: &[u8], component: Option<&[u8]>) -> Vec<u8> {
    let Some(component) = component else { return linear.to_vec() };
    let mut open = false;
    let whole = split(linear, |_, rule, _| {
        open = !rule.predefined;
        Ok(())
    });
    let separator: &[u8] = if whole.is_ok() && open && linear.last() != Some(&GS) { &[GS] } else { &[] };
    [linear, separator, component].concat()
}

/// A code as people write it: bracketed when it begins with `(`, else an element string in which GS is written as itself,
/// as `^` or as `{GS}`; one in first position stands for FNC1.
pub fn written(code: &str) -> Result<Message, Refusal> {
    match code.starts_with('(') {
        true => Message::parse_bracketed(code, Reading::default()),
        false => Message::parse(code.replace("{GS}", "\x1d").replace('^', "\x1d").as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retail_scan_is_a_gtin() {
        let scan = read(b"]E06901234567892").expect("an EAN-13");
        assert_eq!(scan.message().expect("GS1").expect("good").bracketed(), "(01)06901234567892");
        assert!(!format!("{scan:?}").contains("690123456"), "{scan:?}");
    }

    #[test]
    fn codes_as_people_write_them() {
        let want = Message::parse(b"010460123456789321A\x1d93dGVz").expect("good");
        for text in [
            "(01)04601234567893(21)A(93)dGVz",
            "^010460123456789321A^93dGVz",
            "010460123456789321A{GS}93dGVz",
            "010460123456789321A\x1d93dGVz",
        ] {
            assert_eq!(written(text), Ok(want.clone()), "{text}");
        }
    }
}
