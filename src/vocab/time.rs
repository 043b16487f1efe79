//! Time as the line sees it: a monotonic reading to measure with, a wall reading to write down.

/// One reading of both clocks, taken by the shell (`floor`) or by the simulator and handed inwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// Microseconds since the start of this boot; never goes back.
    pub mono_us: u64,
    /// Microseconds since the Unix epoch, UTC; may step.
    pub wall_us: i64,
}

impl Now {
    pub const fn new(mono_us: u64, wall_us: i64) -> Self {
        Self { mono_us, wall_us }
    }
}

/// Microseconds in a millisecond.
pub const MS: u64 = 1_000;

/// RFC 3339 in UTC with microseconds, as the journal prints it.
pub fn rfc3339(wall_us: i64) -> String {
    chrono::DateTime::from_timestamp_micros(wall_us).unwrap_or_default().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Is this a calendar date, as 2027-01-31, 20270131 or 270131 (GS1's YYMMDD)?
pub fn is_date(text: &str) -> bool {
    day(text).is_some()
}

/// Days since 1970-01-01 of a calendar date in one of the forms of `is_date`.
pub fn day(text: &str) -> Option<i64> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let form = match (text.len(), digits) {
        (10, 8) => "%Y-%m-%d",
        (8, 8) => "%Y%m%d",
        (6, 6) => "%y%m%d",
        _ => return None,
    };
    let date = chrono::NaiveDate::parse_from_str(text, form).ok()?;
    Some(date.signed_duration_since(chrono::NaiveDate::default()).num_days())
}

/// The UTC day of a wall reading, in days since 1970-01-01.
pub const fn day_of(wall_us: i64) -> i64 {
    wall_us.div_euclid(86_400_000_000)
}

/// A day as 2027-01-31.
pub fn iso_date(day: i64) -> String {
    let date = chrono::NaiveDate::default().checked_add_signed(chrono::TimeDelta::days(day)).unwrap_or_default();
    date.format("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn days_and_dates() {
        assert_eq!(super::day("1970-01-02"), Some(1));
        assert_eq!(super::day("270131"), super::day("2027-01-31"));
        assert_eq!(super::iso_date(super::day("20270131").unwrap()), "2027-01-31");
        assert_eq!((super::day_of(0), super::day_of(-1), super::day_of(86_400_000_000)), (0, -1, 1));
    }

    #[test]
    fn dates_are_dates() {
        for good in ["2027-01-31", "20270131", "270131"] {
            assert!(super::is_date(good), "{good}");
        }
        for bad in ["31/12/99x", "2027-02-30", "2027-1-31", "soon", ""] {
            assert!(!super::is_date(bad), "{bad}");
        }
    }

    #[test]
    fn wall_time_prints_as_rfc3339_utc() {
        assert_eq!(super::rfc3339(1_700_000_000_123_456), "2023-11-14T22:13:20.123456Z");
    }
}
