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
}
