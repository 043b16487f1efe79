//! Dates and times of day as GS1 writes them: `YYMMDD`, `YYYYMMDD`, `HHMM` and their parts, digits already checked.
//!
//! Must never know: today. The century of a two-digit year does not matter: every year that ends in `00` within the
//! window of GS1 General Specifications 7.12 is 2000, a leap year.

use super::fault::Fault;

type Found = Option<(Fault, usize, usize)>;

fn two(d: &[u8]) -> u32 {
    u32::from(d[0] - b'0') * 10 + u32::from(d[1] - b'0')
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn month_and_day(year: u32, rest: &[u8], at: usize, day_may_be_zero: bool) -> Found {
    let (month, day) = (two(rest), two(&rest[2..]));
    if !(1..=12).contains(&month) {
        return Some((Fault::IllegalMonth, at, 2));
    }
    let least = u32::from(!day_may_be_zero);
    (!(least..=days(year, month)).contains(&day)).then_some((Fault::IllegalDay, at + 2, 2))
}

/// `YYMMDD`; with `day_may_be_zero`, `DD` = 00 means the month's last day.
pub fn yymmdd(d: &[u8], day_may_be_zero: bool) -> Found {
    match d.len() {
        6 => month_and_day(2000 + two(d), &d[2..], 2, day_may_be_zero),
        _ => Some((Fault::DateLength, 0, d.len())),
    }
}

pub fn yyyymmdd(d: &[u8]) -> Found {
    match d.len() {
        8 => month_and_day(two(d) * 100 + two(&d[2..]), &d[4..], 4, false),
        _ => Some((Fault::DateLength, 0, d.len())),
    }
}

/// Two digits below `limit`.
pub fn below(d: &[u8], at: usize, limit: u32, fault: Fault) -> Found {
    match d.get(at..at + 2) {
        Some(part) => (two(part) >= limit).then_some((fault, at, 2)),
        None => Some((Fault::DateLength, 0, d.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_months() {
        assert_eq!(yymmdd(b"240229", false), None);
        assert_eq!(yymmdd(b"230229", false), Some((Fault::IllegalDay, 4, 2)));
        assert_eq!(yymmdd(b"000229", false), None);
        assert_eq!(yymmdd(b"250400", true), None);
        assert_eq!(yymmdd(b"250400", false), Some((Fault::IllegalDay, 4, 2)));
        assert_eq!(yymmdd(b"250431", true), Some((Fault::IllegalDay, 4, 2)));
        assert_eq!(yyyymmdd(b"19000229"), Some((Fault::IllegalDay, 6, 2)));
        assert_eq!(yyyymmdd(b"20001300"), Some((Fault::IllegalMonth, 4, 2)));
        assert_eq!(below(b"2359", 2, 60, Fault::IllegalMinute), None);
        assert_eq!(below(b"2360", 2, 60, Fault::IllegalMinute), Some((Fault::IllegalMinute, 2, 2)));
    }
}
