//! The linters the dictionary names: what a part of a value must be beyond its characters.
//!
//! Must never know: messages. A finding is a fault with its place and length inside the part.

use super::charset::is_64;
use super::checks::{check_digit_holds, check_pair};
use super::dictionary::Rule;
use super::fault::Fault;
use super::{coupon, dates, iso};
use crate::vocab::sscc::check_digit;

/// A linter, by the dictionary's name for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Linter {
    Csum,
    CsumAlpha,
    GcpPos1,
    GcpPos2,
    Yymmdd,
    Yymmd0,
    Yyyymmdd,
    Hhmi,
    Hh,
    Mi,
    Ss,
    Iso3166,
    Iso3166999,
    Iso3166Alpha2,
    Iso4217,
    Iso5218,
    Iban,
    Pcenc,
    Latitude,
    Longitude,
    YesNo,
    Hyphen,
    ImporterIdx,
    PackageType,
    MediaType,
    PosInSeqSlash,
    NonZero,
    Zero,
    NoZeroPrefix,
    Winding,
    PieceOfTotal,
    HasNonDigit,
    CouponCode,
    CouponPosOffer,
}

impl Linter {
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "csum" => Self::Csum,
            "csumalpha" => Self::CsumAlpha,
            "gcppos1" => Self::GcpPos1,
            "gcppos2" => Self::GcpPos2,
            "yymmdd" => Self::Yymmdd,
            "yymmd0" => Self::Yymmd0,
            "yyyymmdd" => Self::Yyyymmdd,
            "hhmi" => Self::Hhmi,
            "hh" => Self::Hh,
            "mi" => Self::Mi,
            "ss" => Self::Ss,
            "iso3166" => Self::Iso3166,
            "iso3166999" => Self::Iso3166999,
            "iso3166alpha2" => Self::Iso3166Alpha2,
            "iso4217" => Self::Iso4217,
            "iso5218" => Self::Iso5218,
            "iban" => Self::Iban,
            "pcenc" => Self::Pcenc,
            "latitude" => Self::Latitude,
            "longitude" => Self::Longitude,
            "yesno" => Self::YesNo,
            "hyphen" => Self::Hyphen,
            "importeridx" => Self::ImporterIdx,
            "packagetype" => Self::PackageType,
            "mediatype" => Self::MediaType,
            "posinseqslash" => Self::PosInSeqSlash,
            "nonzero" => Self::NonZero,
            "zero" => Self::Zero,
            "nozeroprefix" => Self::NoZeroPrefix,
            "winding" => Self::Winding,
            "pieceoftotal" => Self::PieceOfTotal,
            "hasnondigit" => Self::HasNonDigit,
            "couponcode" => Self::CouponCode,
            "couponposoffer" => Self::CouponPosOffer,
            _ => return None,
        })
    }

    /// The first finding in `d`, whose characters and length are already checked.
    fn check(self, d: &[u8]) -> Result<(), (Fault, usize, usize)> {
        let all = |fault| Some((fault, 0, d.len()));
        let unless = |good: bool, fault| if good { None } else { all(fault) };
        let found = match self {
            Self::Csum => match d.split_last() {
                Some((_, rest)) if !check_digit_holds(d) => {
                    Some((Fault::IncorrectCheckDigit { right: check_digit(rest) as char }, rest.len(), 1))
                }
                _ => None,
            },
            Self::CsumAlpha => match d.len().checked_sub(2) {
                None => all(Fault::TooShortForCheckPair),
                Some(body) => match check_pair(&d[..body]) {
                    Some(pair) if d[body..] == pair => None,
                    Some(_) => Some((Fault::IncorrectCheckPair, body, 2)),
                    None => all(Fault::TooLongForCheckPair),
                },
            },
            Self::GcpPos1 => company_prefix(d, 0),
            Self::GcpPos2 => company_prefix(d, 1),
            Self::Yymmdd => dates::yymmdd(d, false),
            Self::Yymmd0 => dates::yymmdd(d, true),
            Self::Yyyymmdd => dates::yyyymmdd(d),
            Self::Hhmi => dates::below(d, 0, 24, Fault::IllegalHour).or_else(|| dates::below(d, 2, 60, Fault::IllegalMinute)),
            Self::Hh => dates::below(d, 0, 24, Fault::IllegalHour),
            Self::Mi => dates::below(d, 0, 60, Fault::IllegalMinute),
            Self::Ss => dates::below(d, 0, 60, Fault::IllegalSecond),
            Self::Iso3166 => unless(iso::is_country(d), Fault::NotIso3166),
            Self::Iso3166999 => unless(d == b"999" || iso::is_country(d), Fault::NotIso3166Or999),
            Self::Iso3166Alpha2 => unless(iso::is_country_letters(d), Fault::NotIso3166Alpha2),
            Self::Iso4217 => unless(iso::is_currency(d), Fault::NotIso4217),
            Self::Iso5218 => unless(matches!(d, b"0" | b"1" | b"2" | b"9"), Fault::InvalidBiologicalSexCode),
            Self::Iban => iban(d),
            Self::Pcenc => percent(d),
            Self::Latitude => unless(number(d) <= 1_800_000_000, Fault::InvalidLatitude),
            Self::Longitude => unless(number(d) <= 3_600_000_000, Fault::InvalidLongitude),
            Self::YesNo => unless(matches!(d, b"0" | b"1"), Fault::NotZeroOrOne),
            Self::Hyphen => unless(d.iter().all(|c| *c == b'-'), Fault::NotHyphen),
            Self::ImporterIdx => unless(matches!(d, [c] if is_64(*c)), Fault::InvalidImportIdxCharacter),
            // UN/CEFACT recommendation 21 and GS1's own additions are a list of their own, not held here.
            Self::PackageType => unless(d.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()), Fault::InvalidPackageType),
            Self::MediaType => unless(matches!(number(d), 1..=10 | 80..=99), Fault::InvalidMediaType),
            Self::PosInSeqSlash => position(d),
            Self::NonZero => unless(d.iter().any(|c| *c != b'0'), Fault::IllegalZeroValue),
            Self::Zero => unless(d.iter().all(|c| *c == b'0'), Fault::NotZero),
            Self::NoZeroPrefix => unless(d.len() < 2 || d[0] != b'0', Fault::IllegalZeroPrefix),
            Self::Winding => unless(matches!(d, b"0" | b"1" | b"9"), Fault::InvalidWindingDirection),
            Self::PieceOfTotal => pieces(d),
            Self::HasNonDigit => unless(d.iter().any(|c| !c.is_ascii_digit()), Fault::RequiresNonDigitCharacter),
            Self::CouponCode => return coupon::code(d),
            Self::CouponPosOffer => return coupon::positive_offer(d),
        };
        found.map_or(Ok(()), Err)
    }
}

/// A finding in a value: the fault, its place and length, and where the part that holds it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finding {
    pub fault: Fault,
    pub at: usize,
    pub len: usize,
    pub end: usize,
}

/// Judges a whole value by its rule: parts take their characters from the front; optional ones may be absent at the end.
pub fn value(rule: &Rule, value: &[u8]) -> Result<(), Finding> {
    let mut from = 0;
    for part in &rule.parts {
        let rest = &value[from..];
        if rest.is_empty() && part.optional {
            break;
        }
        let taken = &rest[..rest.len().min(part.most)];
        let end = from + taken.len();
        let place = |(fault, at, len): (Fault, usize, usize)| Finding { fault, at: from + at, len, end };
        if taken.len() < part.least {
            return Err(place((Fault::TooShort, 0, taken.len())));
        }
        part.charset.check(taken).map_err(place)?;
        for linter in &part.linters {
            linter.check(taken).map_err(place)?;
        }
        from = end;
    }
    if from < value.len() {
        return Err(Finding { fault: Fault::TooLong, at: from, len: value.len() - from, end: value.len() });
    }
    Ok(())
}

/// Company prefixes begin with four digits; how long each is, only its owner knows for certain.
fn company_prefix(d: &[u8], from: usize) -> Option<(Fault, usize, usize)> {
    match d.get(from..from + 4) {
        None => Some((Fault::TooShortForGcp, 0, d.len())),
        Some(p) => p.iter().position(|c| !c.is_ascii_digit()).map(|at| (Fault::InvalidGcpPrefix, from + at, 1)),
    }
}

/// At most ten digits; more is more than any limit.
fn number(d: &[u8]) -> u64 {
    d.iter().fold(0u64, |n, c| n.saturating_mul(10).saturating_add(u64::from(c.wrapping_sub(b'0'))))
}

/// ISO 13616: two letters, two check digits, the account; the shortest is Norway's with 15.
fn iban(d: &[u8]) -> Option<(Fault, usize, usize)> {
    if d.len() < 15 {
        return Some((Fault::IbanTooShort, 0, d.len()));
    }
    if let Some(at) = d.iter().position(|c| !c.is_ascii_uppercase() && !c.is_ascii_digit()) {
        return Some((Fault::InvalidIbanCharacter, at, 1));
    }
    if !iso::is_country_letters(&d[..2]) {
        return Some((Fault::IllegalIbanCountryCode, 0, 2));
    }
    // Letters are 10 to 35, the first four characters go last, and all of it is 1 modulo 97.
    let rest = d[4..].iter().chain(&d[..4]).fold(0u32, |n, c| match c.is_ascii_digit() {
        true => (n * 10 + u32::from(c - b'0')) % 97,
        false => (n * 100 + u32::from(c - b'A') + 10) % 97,
    });
    (rest != 1).then_some((Fault::IncorrectIbanChecksum, 2, 2))
}

fn percent(d: &[u8]) -> Option<(Fault, usize, usize)> {
    let bad = |at: &usize| !d.get(at + 1..at + 3).is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit));
    let at = (0..d.len()).filter(|at| d[*at] == b'%').find(bad)?;
    Some((Fault::InvalidPercentSequence, at, 3.min(d.len() - at)))
}

/// `2/3`: the second of three.
fn position(d: &[u8]) -> Option<(Fault, usize, usize)> {
    let all = |fault| Some((fault, 0, d.len()));
    let mut halves = d.split(|c| *c == b'/');
    let (Some(position), Some(end), None) = (halves.next(), halves.next(), halves.next()) else {
        return all(Fault::PositionInSequenceMalformed);
    };
    if [position, end].iter().any(|n| n.is_empty() || !n.iter().all(u8::is_ascii_digit)) {
        return all(Fault::PositionInSequenceMalformed);
    }
    if [position, end].iter().any(|n| n[0] == b'0') {
        return all(Fault::IllegalZeroPrefix);
    }
    if number(position) > number(end) { all(Fault::PositionExceedsEnd) } else { None }
}

/// `0203`: the second of three.
fn pieces(d: &[u8]) -> Option<(Fault, usize, usize)> {
    let (piece, total) = d.split_at(d.len() / 2);
    match (number(piece), number(total)) {
        (0, _) => Some((Fault::ZeroPieceNumber, 0, piece.len())),
        (_, 0) => Some((Fault::ZeroTotalPieces, piece.len(), total.len())),
        (p, t) => (p > t).then_some((Fault::PieceNumberExceedsTotal, 0, d.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iban_of_the_registry_passes() {
        // The registry's own examples for Norway and Germany.
        assert_eq!(iban(b"NO9386011117947"), None);
        assert_eq!(iban(b"DE89370400440532013000"), None);
        assert_eq!(iban(b"DE89370400440532013001"), Some((Fault::IncorrectIbanChecksum, 2, 2)));
    }

    #[test]
    fn small_linters() {
        assert_eq!(position(b"12/12"), None);
        assert_eq!(position(b"1/2/3"), Some((Fault::PositionInSequenceMalformed, 0, 5)));
        assert_eq!(percent(b"a%2Fb"), None);
        assert_eq!(percent(b"a%2"), Some((Fault::InvalidPercentSequence, 1, 2)));
        assert_eq!(Linter::MediaType.check(b"11"), Err((Fault::InvalidMediaType, 0, 2)));
        assert_eq!(Linter::MediaType.check(b"80"), Ok(()));
        assert_eq!(Linter::HasNonDigit.check(b"123"), Err((Fault::RequiresNonDigitCharacter, 0, 3)));
        assert_eq!(Linter::PackageType.check(b"1A"), Ok(()));
    }
}
