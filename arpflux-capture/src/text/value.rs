//! What single words mean: addresses, numbers, times.

/// InfiniBand's addresses are the longest that tcpdump prints.
const LONGEST_MAC: usize = 20;

/// A link-layer address as text gave it; empty if it did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Address {
    bytes: [u8; LONGEST_MAC],
    pub(super) len: u8,
}

impl Address {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// `00:0c:29:b3:a2:54`, `00-0c-29-b3-a2-54`, `000c.29b3.a254` or `Broadcast`.
    pub(super) fn parse(word: &[u8]) -> Option<Self> {
        let mut address = Self::default();
        if word.eq_ignore_ascii_case(b"broadcast") {
            address.bytes[..6].fill(0xff);
            address.len = 6;
            return Some(address);
        }
        let digit = |byte: u8| (byte as char).to_digit(16);
        let is_dotted = |word: &[u8]| word.len() == 14 && word[4] == b'.' && word[9] == b'.';
        if is_dotted(word) {
            let mut digits = word.iter().filter(|byte| **byte != b'.').map(|byte| digit(*byte));
            while let (Some(high), Some(low)) = (digits.next(), digits.next()) {
                *address.bytes.get_mut(usize::from(address.len))? = (high? << 4 | low?) as u8;
                address.len += 1;
            }
            return (address.len == 6).then_some(address);
        }
        let mark = if word.contains(&b':') { b':' } else { b'-' };
        for part in word.split(|byte| *byte == mark) {
            let value = match *part {
                [low] => digit(low)?,
                [high, low] => digit(high)? << 4 | digit(low)?,
                _ => return None,
            };
            *address.bytes.get_mut(usize::from(address.len))? = value as u8;
            address.len += 1;
        }
        matches!(usize::from(address.len), 6 | 8 | LONGEST_MAC).then_some(address)
    }
}

/// An IPv4 address, perhaps with a port behind a fifth dot.
pub(super) fn ipv4(word: &[u8]) -> Option<u32> {
    let mut parts = word.split(|byte| *byte == b'.');
    let mut address = 0;
    for _ in 0..4 {
        let part = parts.next()?;
        if part.is_empty() || part.len() > 3 {
            return None;
        }
        address = address << 8 | number(part).filter(|octet| *octet < 256)? as u32;
    }
    match (parts.next(), parts.next()) {
        (None, _) => Some(address),
        (Some(port), None) if !port.is_empty() => Some(address),
        _ => None,
    }
}

pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits
        .iter()
        .try_fold(0u64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}

/// The number of a tunnel: `7` or `0x000007`.
pub(super) fn tunnel_number(word: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(word).ok()?;
    match digits.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => digits.parse().ok(),
    }
}

/// Nanoseconds of a fraction: `5` is half a second.
fn fraction(digits: &[u8]) -> Option<u64> {
    let kept = &digits[..digits.len().min(9)];
    Some(number(kept)? * 10u64.pow(9 - kept.len() as u32))
}

/// Nanoseconds of `seconds[.fraction]`.
pub(super) fn seconds(word: &[u8]) -> Option<u64> {
    let (whole, part) = match word.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&word[..dot], fraction(&word[dot + 1..])?),
        None => (word, 0),
    };
    number(whole)?.checked_mul(1_000_000_000)?.checked_add(part)
}

/// `15:04:05.000001`, in nanoseconds.
pub(super) fn time_of_day(word: &[u8]) -> Option<u64> {
    let mut parts = word.splitn(3, |byte| *byte == b':');
    let (hours, minutes, rest) = (parts.next()?, parts.next()?, parts.next()?);
    if hours.len() != 2 || minutes.len() != 2 || rest.len() < 2 || rest.get(2).is_some_and(|b| *b != b'.') {
        return None;
    }
    let (hours, minutes, rest) = (number(hours)?, number(minutes)?, seconds(rest)?);
    (hours < 24 && minutes < 60 && rest < 61_000_000_000)
        .then(|| (hours * 60 + minutes) * 60_000_000_000 + rest)
}

/// `2026-11-22`, as days since 1970.
pub(super) fn date(word: &[u8]) -> Option<u64> {
    let mut parts = word.split(|byte| *byte == b'-');
    let (year, month, day) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    if parts.next().is_some() {
        return None;
    }
    days(year, month, day)
}

/// The days from 1970 to a day.
pub(super) fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..3000).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    if !(1..=31).contains(&day) {
        return None;
    }
    // Days of the proleptic Gregorian calendar, counted from March so that leap days come last.
    let year = if month < 3 { year - 1 } else { year };
    let month = (month + 9) % 12;
    (365 * year + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10 + day - 1).checked_sub(719_468)
}

/// The month that these three letters stand for.
pub(super) fn month(word: &[u8]) -> Option<u64> {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    MONTHS.iter().position(|month| *month == word).map(|month| month as u64 + 1)
}

/// A word without the punctuation around it.
pub(super) fn trim(word: &[u8]) -> &[u8] {
    let is_mark = |byte: &u8| {
        matches!(byte, b',' | b':' | b';' | b'.' | b'?' | b'!' | b'(' | b')' | b'[' | b']' | b'"' | b'\'')
    };
    let start = word.iter().position(|byte| !is_mark(byte)).unwrap_or(word.len());
    let end = word.iter().rposition(|byte| !is_mark(byte)).map_or(start, |last| last + 1);
    &word[start..end]
}

/// A MAC of which somebody has hidden a part: `00:0c:29:xx:xx:54`.
pub(super) fn is_masked(word: &[u8]) -> bool {
    let masked = |byte: &u8| matches!(byte, b'x' | b'X' | b'*' | b'?' | b'#');
    word.contains(&b':')
        && word.iter().any(masked)
        && word.split(|byte| *byte == b':').count() == 6
        && word.split(|byte| *byte == b':').all(|part| {
            (1..=2).contains(&part.len()) && part.iter().all(|byte| byte.is_ascii_hexdigit() || masked(byte))
        })
}

/// Nanoseconds since the capture began, as Wireshark prints them by default: `0.000300`.
pub(super) fn relative(word: &[u8]) -> Option<u64> {
    let dot = word.iter().position(|byte| *byte == b'.')?;
    ((1..9).contains(&dot) && (3..=9).contains(&(word.len() - dot - 1))).then(|| seconds(word))?
}
