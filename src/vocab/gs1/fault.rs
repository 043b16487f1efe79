//! What can be wrong with a value of an AI: one name and one sentence each.
//!
//! Must never know: where in a message it stands ([`super::Refusal`] says that).

use thiserror::Error;

/// Why a value is refused. The names are those of the GS1 Barcode Syntax Tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Fault {
    #[error("it is too short")]
    TooShort,
    #[error("it is too long")]
    TooLong,
    #[error("only digits may stand here")]
    NonDigitCharacter,
    #[error("this character is not in GS1's set of 82")]
    InvalidCset82Character,
    #[error("only capital letters, digits, # - and / may stand here")]
    InvalidCset39Character,
    #[error("only base64url may stand here")]
    InvalidCset64Character,
    #[error("the padding of base64url is wrong")]
    InvalidCset64Padding,
    #[error("the check digit is wrong: it should be {right}")]
    IncorrectCheckDigit { right: char },
    #[error("the check characters are wrong")]
    IncorrectCheckPair,
    #[error("it is too short for its two check characters")]
    TooShortForCheckPair,
    #[error("it is too long for its two check characters")]
    TooLongForCheckPair,
    #[error("it is too short for a GS1 company prefix")]
    TooShortForGcp,
    #[error("it must begin with a GS1 company prefix, in digits")]
    InvalidGcpPrefix,
    #[error("this is no importer index: one letter, digit, - or _")]
    InvalidImportIdxCharacter,
    #[error("zero has no meaning here")]
    IllegalZeroValue,
    #[error("it must be 0")]
    NotZero,
    #[error("it may not begin with 0")]
    IllegalZeroPrefix,
    #[error("it must be 0 or 1")]
    NotZeroOrOne,
    #[error("the winding direction must be 0, 1 or 9")]
    InvalidWindingDirection,
    #[error("this is no country number of ISO 3166")]
    NotIso3166,
    #[error("this is no country number of ISO 3166, nor 999")]
    NotIso3166Or999,
    #[error("these are no country letters of ISO 3166")]
    NotIso3166Alpha2,
    #[error("this is no currency number of ISO 4217")]
    NotIso4217,
    #[error("it is too short for an IBAN")]
    IbanTooShort,
    #[error("an IBAN has capital letters and digits only")]
    InvalidIbanCharacter,
    #[error("an IBAN begins with country letters of ISO 3166")]
    IllegalIbanCountryCode,
    #[error("the check digits of the IBAN are wrong")]
    IncorrectIbanChecksum,
    #[error("a date has six or eight digits")]
    DateLength,
    #[error("there is no such month")]
    IllegalMonth,
    #[error("there is no such day")]
    IllegalDay,
    #[error("there is no such hour")]
    IllegalHour,
    #[error("there is no such minute")]
    IllegalMinute,
    #[error("there is no such second")]
    IllegalSecond,
    #[error("a piece's number is not 00")]
    ZeroPieceNumber,
    #[error("the number of pieces is not 00")]
    ZeroTotalPieces,
    #[error("the piece's number is higher than the number of pieces")]
    PieceNumberExceedsTotal,
    #[error("a % must be followed by two hex digits")]
    InvalidPercentSequence,
    #[error("a latitude is at most 1800000000")]
    InvalidLatitude,
    #[error("a longitude is at most 3600000000")]
    InvalidLongitude,
    #[error("only - may stand here")]
    NotHyphen,
    #[error("it must be 0, 1, 2 or 9 (ISO 5218)")]
    InvalidBiologicalSexCode,
    #[error("this is no AIDC media type: 01 to 10, or 80 to 99")]
    InvalidMediaType,
    #[error("a package type has capital letters and digits only")]
    InvalidPackageType,
    #[error("it must be a position and an end, as 1/2")]
    PositionInSequenceMalformed,
    #[error("the position is beyond the end")]
    PositionExceedsEnd,
    #[error("it needs a character that is no digit")]
    RequiresNonDigitCharacter,
    #[error("a North American coupon: {0}")]
    Coupon(CouponFault),
}

/// What is wrong with a coupon (AI 8110, 8112).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CouponFault {
    #[error("the {} is missing", .0.name())]
    Missing(CouponPart),
    #[error("the {} is not one of those allowed", .0.name())]
    Invalid(CouponPart),
    #[error("the length of the {} is missing", .0.name())]
    MissingLength(CouponPart),
    #[error("the length of the {} is not one of those allowed", .0.name())]
    InvalidLength(CouponPart),
    #[error("the {} is cut short", .0.name())]
    Truncated(CouponPart),
    #[error("it expires before it starts")]
    ExpirationBeforeStart,
    #[error("something stands after its end")]
    ExcessData,
}

/// A part of a coupon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CouponPart {
    FormatCode,
    Funder,
    Gcp,
    OfferCode,
    SaveValue,
    FirstPurchaseRequirement,
    FirstPurchaseRequirementCode,
    FirstPurchaseFamilyCode,
    AdditionalPurchaseRulesCode,
    SecondPurchaseRequirement,
    SecondPurchaseRequirementCode,
    SecondPurchaseFamilyCode,
    SecondPurchaseGcp,
    ThirdPurchaseRequirement,
    ThirdPurchaseRequirementCode,
    ThirdPurchaseFamilyCode,
    ThirdPurchaseGcp,
    ExpirationDate,
    StartDate,
    SerialNumber,
    RetailerGcpOrGln,
    SaveValueCode,
    SaveValueAppliesToItem,
    StoreCouponFlag,
    DontMultiplyFlag,
}

impl CouponPart {
    pub fn name(self) -> &'static str {
        match self {
            Self::FormatCode => "format code",
            Self::Funder => "funder",
            Self::Gcp => "company prefix",
            Self::OfferCode => "offer code",
            Self::SaveValue => "save value",
            Self::FirstPurchaseRequirement => "first purchase's requirement",
            Self::FirstPurchaseRequirementCode => "first purchase's requirement code",
            Self::FirstPurchaseFamilyCode => "first purchase's family code",
            Self::AdditionalPurchaseRulesCode => "rule for additional purchases",
            Self::SecondPurchaseRequirement => "second purchase's requirement",
            Self::SecondPurchaseRequirementCode => "second purchase's requirement code",
            Self::SecondPurchaseFamilyCode => "second purchase's family code",
            Self::SecondPurchaseGcp => "second purchase's company prefix",
            Self::ThirdPurchaseRequirement => "third purchase's requirement",
            Self::ThirdPurchaseRequirementCode => "third purchase's requirement code",
            Self::ThirdPurchaseFamilyCode => "third purchase's family code",
            Self::ThirdPurchaseGcp => "third purchase's company prefix",
            Self::ExpirationDate => "expiration date",
            Self::StartDate => "start date",
            Self::SerialNumber => "serial number",
            Self::RetailerGcpOrGln => "retailer's company prefix or GLN",
            Self::SaveValueCode => "save value code",
            Self::SaveValueAppliesToItem => "item the save value applies to",
            Self::StoreCouponFlag => "store coupon flag",
            Self::DontMultiplyFlag => "do-not-multiply flag",
        }
    }
}
