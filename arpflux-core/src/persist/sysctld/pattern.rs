//! Patterns of file names, as `glob(3)` matches them.

/// Whether `pattern` matches `path`, part by part: `*`, `?` and `[a-z]` never match a slash, nor a
/// dot at the beginning of a part.
pub(in crate::persist) fn matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if part_matches(pattern.as_bytes(), part.as_bytes()) => {}
            _ => return false,
        }
    }
}

fn part_matches(pattern: &[u8], part: &[u8]) -> bool {
    if part.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    // The usual two-pointer match: on a mismatch the last star takes one byte more. At worst the
    // product of the two lengths, never exponential.
    let (mut p, mut s) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while s < part.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, s));
                p += 1;
                continue;
            }
            Some(b'?') => Some(p + 1),
            Some(b'[') => class(&pattern[p..], part[s]).and_then(|(fits, length)| fits.then_some(p + length)),
            Some(b'\\') if p + 1 < pattern.len() => (pattern[p + 1] == part[s]).then_some(p + 2),
            Some(byte) => (*byte == part[s]).then_some(p + 1),
            None => None,
        };
        match (step, star) {
            (Some(next), _) => {
                p = next;
                s += 1;
            }
            (None, Some((at, taken))) => {
                p = at + 1;
                s = taken + 1;
                star = Some((at, taken + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Whether the class at the beginning of `pattern` holds `byte`, and how long the class is. A `[`
/// without its `]` is an ordinary byte.
fn class(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = if negated { 2 } else { 1 };
    // A `]` directly after the opening belongs to the class.
    let end = pattern.iter().skip(first + 1).position(|b| *b == b']').map(|at| at + first + 1);
    let Some(end) = end else { return Some((byte == b'[', 1)) };
    let members = &pattern[first..end];
    let mut fits = false;
    let mut i = 0;
    while i < members.len() {
        if i + 2 < members.len() && members[i + 1] == b'-' {
            fits |= (members[i]..=members[i + 2]).contains(&byte);
            i += 3;
        } else {
            fits |= members[i] == byte;
            i += 1;
        }
    }
    Some((fits != negated, end + 1))
}
