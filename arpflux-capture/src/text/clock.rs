//! Times in texts.

use arpflux_core::frame::Timestamp;

use super::Text;
use super::value::{date, days, month, number, relative, seconds, time_of_day, trim};

const DAY: u64 = 86_400 * 1_000_000_000;
/// Whole seconds of so many digits are those since 1970.
const EPOCH_DIGITS: usize = 9;

/// A date as Wireshark writes it, so far: `Nov 14, 2023 22:13:20.000000000 CET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Calendar {
    #[default]
    Nothing,
    Month(u64),
    Day(u64, u64),
    Year,
    Zone,
}

impl Text {
    /// Takes a word of a date; `None` if it is none, else what stands behind the zone in the same word, which is a row's then.
    pub(super) fn calendar<'a>(&mut self, raw: &'a [u8]) -> Option<&'a [u8]> {
        let word = trim(raw);
        let digits =
            |lengths: std::ops::RangeInclusive<usize>| number(word).filter(|_| lengths.contains(&word.len()));
        self.calendar = match std::mem::take(&mut self.calendar) {
            Calendar::Nothing => Calendar::Month(month(word)?),
            Calendar::Month(month) => Calendar::Day(month, digits(1..=2)?),
            Calendar::Day(month, day) => {
                self.days = days(digits(4..=4)?, month, day)?;
                Calendar::Year
            }
            Calendar::Year => {
                let now = time_of_day(word)?;
                let time = self.days.checked_mul(DAY).and_then(|days| days.checked_add(now));
                (self.time, self.dated) = (time.map(Timestamp), true);
                Calendar::Zone
            }
            Calendar::Zone => {
                let end = raw.iter().position(|byte| b",;|\"".contains(byte)).unwrap_or(raw.len());
                let is_zone = raw[..end].iter().all(|byte| !byte.is_ascii_digit() && *byte != b':');
                let is_packet = matches!(word, b"ARP" | b"IP" | b"IP6");
                return (is_zone && !is_packet).then_some(&raw[end..]);
            }
        };
        Some(&[])
    }

    /// Takes seconds since the capture began, or since the line before.
    pub(super) fn since_begin(&mut self, word: &[u8]) -> bool {
        let Some(time) = relative(word) else { return false };
        if self.counts.deltas {
            self.add(time);
        } else {
            self.time = Some(Timestamp(time));
        }
        true
    }

    fn add(&mut self, delta: u64) {
        let before = self.time.map_or(0, |time| time.0);
        self.time = Some(Timestamp(before.saturating_add(delta)));
    }

    /// Takes nanoseconds of a field: since 1970, or since the capture began.
    pub(super) fn at(&mut self, time: u64) {
        self.time = Some(Timestamp(time));
        self.dated |= time >= 10u64.pow(EPOCH_DIGITS as u32 - 1) * 1_000_000_000;
    }

    /// Takes a time or a date, and says whether it was a time.
    pub(super) fn clock(&mut self, word: &[u8]) -> bool {
        // `2026-11-22T15:04:05.000001Z`
        if word.get(10) == Some(&b'T')
            && let Some(days) = date(&word[..10])
        {
            (self.days, self.dated) = (days, true);
            let end = word.iter().skip(11).position(|byte| matches!(byte, b'Z' | b'+' | b'-'));
            return self.clock(&word[11..end.map_or(word.len(), |end| 11 + end)]);
        }
        if self.counts.deltas
            && let Some(delta) = time_of_day(word)
        {
            self.add(delta);
            return true;
        }
        if let Some(now) = time_of_day(word) {
            // Half a day back is the next day; less is disorder.
            if !self.dated && self.time_of_day.is_some_and(|before| now + DAY / 2 < before) {
                self.days += 1;
            }
            self.time_of_day = Some(now);
            self.time = self.days.checked_mul(DAY).and_then(|days| days.checked_add(now)).map(Timestamp);
            return true;
        }
        if let Some(days) = date(word) {
            (self.days, self.dated) = (days, true);
        } else if word.iter().position(|byte| *byte == b'.').is_some_and(|dot| dot >= EPOCH_DIGITS)
            && let Some(now) = seconds(word)
        {
            (self.time, self.dated) = (Some(Timestamp(now)), true);
            return true;
        }
        false
    }
}

/// Whether the times at the beginnings of the first lines are how long after the line before (tcpdump's `-ttt`, tshark's
/// `-t d`): they begin at zero and go back. Wireshark's lines begin with their number.
pub(super) fn are_deltas(start: &[u8]) -> bool {
    let first_time = |line: &[u8]| {
        // Fields of JSON and PDML have names.
        if matches!(line.trim_ascii_start().first(), Some(b'"' | b'<' | b'{' | b'[')) {
            return None;
        }
        let is_quote = |word: &[u8]| word.iter().all(|byte| matches!(byte, b'>' | b'|'));
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !is_quote(word));
        words.take(2).find_map(|word| time_of_day(trim(word)).or_else(|| relative(trim(word))))
    };
    let mut times = start.split(|byte| *byte == b'\n').filter_map(first_time);
    let mut before = match times.next() {
        Some(0) => 0,
        _ => return false,
    };
    times.any(|time| std::mem::replace(&mut before, time) > time)
}
