//! Numbers and lists of names as people read them.

/// `1 address`, `2 addresses`, `9,958 addresses`.
///
/// ```
/// assert_eq!(arpflux_core::words::counted(9_958, "address", "addresses"), "9,958 addresses");
/// ```
#[must_use]
pub fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { several })
}

/// A number with a comma after each three digits.
#[must_use]
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many names of a folded list are written out.
const MOST: usize = 3;

/// How many names of a listed one.
const LISTED: usize = 6;

/// A list that takes no more room the longer it is: `a`, `a, b, c`, `a … h (8)`.
#[must_use]
pub fn folded(names: &[impl ToString]) -> String {
    match names {
        [first, .., last] if names.len() > MOST => {
            format!("{} … {} ({})", first.to_string(), last.to_string(), thousands(names.len()))
        }
        _ => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// `a`, `a and b`, `a, b and c`; of more than six the first ones and how many more there are.
///
/// ```
/// assert_eq!(arpflux_core::words::listed(["eth0", "eth3", "eth4"]), "eth0, eth3 and eth4");
/// ```
#[must_use]
pub fn listed<T: ToString>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<T> = words.into_iter().collect();
    let text = |words: &[T]| words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match words.as_slice() {
        [] => String::new(),
        [only] => only.to_string(),
        words if words.len() > LISTED => {
            format!("{} and {} more", text(&words[..LISTED]), words.len() - LISTED)
        }
        [most @ .., last] => format!("{} and {}", text(most), last.to_string()),
    }
}

/// The one of `words` that somebody who wrote `word` may have meant, if any is near enough.
///
/// ```
/// assert_eq!(arpflux_core::words::nearest("eht0", ["eth0", "lo"]), Some("eth0"));
/// ```
#[must_use]
pub fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    crate::policy::nearest::nearest(word, words)
}

/// A time of day, in UTC, as ISO 8601 writes it.
#[must_use]
pub fn time_of_day(unix_seconds: u64) -> String {
    let (days, seconds) = (unix_seconds / 86_400, unix_seconds % 86_400);
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days; days are never negative.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_keep_their_ends_and_their_count() {
        assert_eq!(folded(&[""; 0]), "");
        assert_eq!(folded(&["a", "b", "c"]), "a, b, c");
        assert_eq!(folded(&["a", "b", "c", "d"]), "a … d (4)");
    }

    #[test]
    fn numbers_are_grouped_and_nouns_follow_them() {
        let texts = [0, 1, 999, 1_000, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "1", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "address", "addresses"), "1 address");
        assert_eq!(counted(0, "address", "addresses"), "0 addresses");
    }

    #[test]
    fn days_of_the_calendar() {
        assert_eq!(time_of_day(0), "1970-01-01T00:00:00Z");
        assert_eq!(time_of_day(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(time_of_day(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(time_of_day(1_704_067_199), "2023-12-31T23:59:59Z");
        assert_eq!(time_of_day(4_102_444_800), "2100-01-01T00:00:00Z");
    }
}
