//! North American coupons (AI 8110 and 8112): variable-length digits whose lengths stand before them.
//!
//! No line prints them on goods; they are here because the dictionary's grammar is taken whole.

use super::dates;
use super::fault::{CouponFault as Bad, CouponPart as Part, Fault};

type Found = (Fault, usize, usize);

struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn over(data: &'a [u8]) -> Result<Self, Found> {
        match data.iter().position(|c| !c.is_ascii_digit()) {
            Some(at) => Err((Fault::NonDigitCharacter, at, 1)),
            None => Ok(Self { data, at: 0 }),
        }
    }

    fn next(&self) -> Option<u8> {
        self.data.get(self.at).copied()
    }

    fn fail<T>(&self, bad: Bad, len: usize) -> Result<T, Found> {
        Err((Fault::Coupon(bad), self.at, len))
    }

    /// `len` digits.
    fn take(&mut self, part: Part, len: usize) -> Result<&'a [u8], Found> {
        match self.data.get(self.at..self.at + len) {
            Some(digits) => {
                self.at += len;
                Ok(digits)
            }
            None => self.fail(Bad::Truncated(part), self.data.len() - self.at),
        }
    }

    /// One digit of those in `allowed`.
    fn code(&mut self, part: Part, allowed: &[u8]) -> Result<u8, Found> {
        match self.next() {
            None => self.fail(Bad::Missing(part), 0),
            Some(d) if allowed.contains(&d) => {
                self.at += 1;
                Ok(d)
            }
            Some(_) => self.fail(Bad::Invalid(part), 1),
        }
    }

    /// A length digit of those in `allowed`, then that many digits and `more`. A 9 among them stands for none.
    fn measured(&mut self, part: Part, allowed: &[u8], more: usize) -> Result<&'a [u8], Found> {
        let d = match self.next() {
            None => return self.fail(Bad::MissingLength(part), 0),
            Some(d) if allowed.contains(&d) => d,
            Some(_) => return self.fail(Bad::InvalidLength(part), 1),
        };
        self.at += 1;
        let none = d == b'9' && part != Part::SerialNumber;
        self.take(part, if none { 0 } else { usize::from(d - b'0') + more })
    }

    fn date(&mut self, part: Part) -> Result<&'a [u8], Found> {
        let at = self.at;
        let date = self.take(part, 6)?;
        match dates::yymmdd(date, false) {
            None => Ok(date),
            Some(_) => Err((Fault::Coupon(Bad::Invalid(part)), at, 6)),
        }
    }

    /// The optional field that `mark` announces follows.
    fn field(&mut self, mark: u8) -> bool {
        let here = self.next() == Some(mark);
        self.at += usize::from(here);
        here
    }

    fn end(&self) -> Result<(), Found> {
        if self.at == self.data.len() { Ok(()) } else { self.fail(Bad::ExcessData, self.data.len() - self.at) }
    }
}

const ONE_TO_FIVE: &[u8] = b"12345";
const PREFIX: &[u8] = b"0123456";
const PREFIX_OR_NONE: &[u8] = b"01234569";
const REQUIREMENT: &[u8] = b"012349";
const ANY: &[u8] = b"0123456789";

/// AI 8110.
pub fn code(data: &[u8]) -> Result<(), Found> {
    let mut c = Cursor::over(data)?;
    c.measured(Part::Gcp, PREFIX, 6)?;
    c.take(Part::OfferCode, 6)?;
    c.measured(Part::SaveValue, ONE_TO_FIVE, 0)?;
    c.measured(Part::FirstPurchaseRequirement, ONE_TO_FIVE, 0)?;
    c.code(Part::FirstPurchaseRequirementCode, REQUIREMENT)?;
    c.take(Part::FirstPurchaseFamilyCode, 3)?;
    if c.field(b'1') {
        c.code(Part::AdditionalPurchaseRulesCode, b"0123")?;
        c.measured(Part::SecondPurchaseRequirement, ONE_TO_FIVE, 0)?;
        c.code(Part::SecondPurchaseRequirementCode, REQUIREMENT)?;
        c.take(Part::SecondPurchaseFamilyCode, 3)?;
        c.measured(Part::SecondPurchaseGcp, PREFIX_OR_NONE, 6)?;
    }
    if c.field(b'2') {
        c.measured(Part::ThirdPurchaseRequirement, ONE_TO_FIVE, 0)?;
        c.code(Part::ThirdPurchaseRequirementCode, REQUIREMENT)?;
        c.take(Part::ThirdPurchaseFamilyCode, 3)?;
        c.measured(Part::ThirdPurchaseGcp, PREFIX_OR_NONE, 6)?;
    }
    let expires = if c.field(b'3') { Some(c.date(Part::ExpirationDate)?) } else { None };
    if c.field(b'4') {
        let starts = c.date(Part::StartDate)?;
        if expires.is_some_and(|e| starts > e) {
            return Err((Fault::Coupon(Bad::ExpirationBeforeStart), c.at - 14, 14));
        }
    }
    if c.field(b'5') {
        c.measured(Part::SerialNumber, ANY, 6)?;
    }
    if c.field(b'6') {
        c.measured(Part::RetailerGcpOrGln, b"1234567", 6)?;
    }
    if c.field(b'9') {
        c.code(Part::SaveValueCode, b"01256")?;
        c.code(Part::SaveValueAppliesToItem, b"012")?;
        c.code(Part::StoreCouponFlag, ANY)?;
        c.code(Part::DontMultiplyFlag, b"01")?;
    }
    c.end()
}

/// AI 8112, the positive offer file's form.
pub fn positive_offer(data: &[u8]) -> Result<(), Found> {
    let mut c = Cursor::over(data)?;
    c.code(Part::FormatCode, b"01")?;
    c.measured(Part::Funder, PREFIX, 6)?;
    c.take(Part::OfferCode, 6)?;
    c.measured(Part::SerialNumber, ANY, 6)?;
    c.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_coupons_pass() {
        assert_eq!(code(b"012345612345611110123"), Ok(()));
        assert_eq!(code(b"01234561234561111012310110123990000"), Ok(()));
        assert_eq!(code(b"012345612345611110123101101239900000"), Err((Fault::Coupon(Bad::ExcessData), 35, 1)));
        assert_eq!(code(b"0123456123456111101233250131425010150123456"), Ok(()));
        let cut = (Fault::Coupon(Bad::Truncated(Part::SerialNumber)), 37, 5);
        assert_eq!(code(b"012345612345611110123325013142501015012345"), Err(cut));
        assert_eq!(positive_offer(b"001234561234560123456"), Ok(()));
    }
}
