//! What tcpdump prints, read back.
//!
//! The text is taken as a stream of words, not of lines, so a log that a web page or a mail program
//! has run together into one line reads the same. Understood are the forms of tcpdump since 3.9, best
//! with `-e` (link-layer addresses) and `-n` (numbers), any of its time options except the deltas, and
//! the "Who has … Tell …" and "… is at …" of Wireshark's summary lines:
//!
//! ```text
//! 00:0c:29:d2:c7:aa > ff:ff:ff:ff:ff:ff, ARP, length 60: arp who-has 192.168.18.10 tell 192.168.18.129
//! 15:04:05.000001 00:0c:29:b3:a2:5e > 00:0c:29:d2:c7:aa, ethertype ARP (0x0806), length 60: Reply 192.168.18.10 is-at 00:0c:29:b3:a2:5e, length 46
//! ```
//!
//! Limits: a reply's text does not name the asker, so the frame's destination stands for it; without
//! `-e` a request's sender has no MAC; names (without `-n`) are not addresses and are passed over.

use super::record::{Content, Sighting, Vlans};
use crate::frame::{Arp, Operation, Timestamp};

/// A longer word is none of ours and is passed over.
const LONGEST_WORD: usize = 128;
/// InfiniBand's addresses are the longest that tcpdump prints.
const LONGEST_MAC: usize = 20;
const DAY: u64 = 86_400 * 1_000_000_000;

/// A link-layer address as text gave it; empty if it did not.
#[derive(Debug, Clone, Copy, Default)]
struct Address {
    bytes: [u8; LONGEST_MAC],
    len: u8,
}

impl Address {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// `00:0c:29:b3:a2:54` or `Broadcast`.
    fn parse(word: &[u8]) -> Option<Self> {
        let mut address = Self::default();
        if word.eq_ignore_ascii_case(b"broadcast") {
            address.bytes[..6].fill(0xff);
            address.len = 6;
            return Some(address);
        }
        for part in word.split(|byte| *byte == b':') {
            let digit = |byte: u8| (byte as char).to_digit(16);
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
fn ipv4(word: &[u8]) -> Option<u32> {
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

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits
        .iter()
        .try_fold(0u64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}

/// Nanoseconds of a fraction: `5` is half a second.
fn fraction(digits: &[u8]) -> Option<u64> {
    let kept = &digits[..digits.len().min(9)];
    Some(number(kept)? * 10u64.pow(9 - kept.len() as u32))
}

/// Nanoseconds of `seconds[.fraction]`.
fn seconds(word: &[u8]) -> Option<u64> {
    let (whole, part) = match word.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&word[..dot], fraction(&word[dot + 1..])?),
        None => (word, 0),
    };
    number(whole)?.checked_mul(1_000_000_000)?.checked_add(part)
}

/// `15:04:05.000001`, in nanoseconds.
fn time_of_day(word: &[u8]) -> Option<u64> {
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
fn date(word: &[u8]) -> Option<u64> {
    let mut parts = word.split(|byte| *byte == b'-');
    let (year, month, day) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    if parts.next().is_some() || !(1970..3000).contains(&year) || !(1..=12).contains(&month) {
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

/// What the words so far want next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Nothing,
    /// Behind `MAC >`.
    FrameDestination,
    /// Behind `who-has`.
    Target,
    /// Behind `who-has X`: `tell`, perhaps with an address in brackets before.
    Tell {
        target: u32,
    },
    /// Behind `who-has X tell`.
    Sender {
        target: u32,
    },
    /// Behind `X is-at`.
    Owner {
        sender: u32,
    },
    /// Behind `X >`.
    PacketDestination {
        source: u32,
    },
    /// Behind `vlan`.
    VlanId,
    /// Behind `ttl`.
    Ttl,
    /// Behind `Announcement`.
    Announced,
    /// Behind `Probe`.
    Probed,
}

/// The word before, as far as the next one may refer to it.
#[derive(Debug, Clone, Copy)]
enum Last {
    Other,
    Mac(Address),
    Ipv4(u32),
    /// `Who`, of `Who has`.
    Who,
    /// `is` behind an address, of `is at`.
    Is(u32),
}

/// What was found.
#[derive(Debug, Clone, Copy)]
enum Found {
    Arp { operation: Operation, sender: u32, target: Option<u32>, sender_mac: Address, target_mac: Address },
    Ipv4 { source: u32, destination: u32 },
}

/// Reads frames out of words.
#[derive(Debug, Clone)]
pub(super) struct Text {
    expect: Expect,
    last: Last,
    source: Address,
    destination: Address,
    target_mac: Address,
    vlans: Vlans,
    ttl: Option<u8>,
    days: u64,
    time_of_day: Option<u64>,
    time: Option<Timestamp>,
    dated: bool,
    /// Within a word that is too long.
    overlong: bool,
    /// The frame is complete; the next word begins another.
    complete: bool,
    found: Found,
    protocol_addresses: [[u8; 4]; 2],
}

impl Text {
    /// Before the first word.
    pub(super) fn new() -> Self {
        Self {
            expect: Expect::Nothing,
            last: Last::Other,
            source: Address::default(),
            destination: Address::default(),
            target_mac: Address::default(),
            vlans: Vlans::NONE,
            ttl: None,
            days: 0,
            time_of_day: None,
            time: None,
            dated: false,
            overlong: false,
            complete: false,
            found: Found::Ipv4 { source: 0, destination: 0 },
            protocol_addresses: [[0; 4]; 2],
        }
    }

    /// Whether bytes look like text at all: no control characters but white space and escapes.
    pub(super) fn starts(bytes: &[u8]) -> bool {
        !bytes
            .iter()
            .any(|byte| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\r' | b'\t' | 0x0c | 0x1b))
    }

    /// Whether the times carry a date.
    pub(super) fn dated(&self) -> bool {
        self.dated
    }

    /// Takes words from the front of `bytes` until one completes a frame, and says how many bytes it
    /// took and whether there is a frame. Without one, the rest is an unfinished word, or, with
    /// `at_end`, nothing.
    pub(super) fn step(&mut self, bytes: &[u8], at_end: bool) -> (usize, bool) {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let Some(start) = rest.iter().position(|byte| !byte.is_ascii_whitespace()) else {
                self.overlong &= rest.is_empty();
                return (bytes.len(), false);
            };
            self.overlong &= start == 0;
            let word = &rest[start..];
            let end = word.iter().position(u8::is_ascii_whitespace);
            let length = match end {
                Some(end) => end,
                None if at_end => word.len(),
                None if word.len() > LONGEST_WORD => {
                    self.overlong = true;
                    return (bytes.len(), false);
                }
                None => return (at + start, false),
            };
            at += start + length;
            if std::mem::take(&mut self.overlong) || length > LONGEST_WORD {
                self.expect = Expect::Nothing;
                self.last = Last::Other;
            } else if self.word(&word[..length]) {
                return (at, true);
            }
        }
    }

    /// The frame that [`Text::step`] announced.
    pub(super) fn sighting(&mut self) -> Sighting<'_> {
        let content = match &self.found {
            Found::Ipv4 { source, destination } => {
                Content::Ipv4 { source: *source, destination: *destination, ttl: self.ttl }
            }
            Found::Arp { operation, sender, target, sender_mac, target_mac } => {
                self.protocol_addresses = [sender.to_be_bytes(), target.unwrap_or(0).to_be_bytes()];
                let [sender, target_protocol] = &self.protocol_addresses;
                Content::Arp(Arp {
                    hardware_type: 1,
                    protocol_type: 0x0800,
                    operation: *operation,
                    sender_hardware: sender_mac.bytes(),
                    sender_protocol: sender,
                    target_hardware: target_mac.bytes(),
                    target_protocol: if target.is_some() { target_protocol } else { &[] },
                })
            }
        };
        Sighting {
            time: self.time,
            vlans: self.vlans,
            source: self.source.bytes(),
            destination: self.destination.bytes(),
            content,
        }
    }

    /// Takes one word and says whether it completes a frame.
    fn word(&mut self, raw: &[u8]) -> bool {
        if std::mem::take(&mut self.complete) {
            self.frame();
        }
        let word = trim(raw);
        let expected = std::mem::replace(&mut self.expect, Expect::Nothing);
        let last = std::mem::replace(&mut self.last, Last::Other);
        match self.expected(expected, word) {
            Some(complete) => {
                self.complete = complete;
                complete
            }
            None => {
                self.unexpected(last, word);
                false
            }
        }
    }

    /// Takes a word that the one before called for; `None` if it is another one.
    fn expected(&mut self, expected: Expect, word: &[u8]) -> Option<bool> {
        match expected {
            Expect::Nothing => None,
            Expect::FrameDestination => {
                let Some(mac) = Address::parse(word) else {
                    self.source = Address::default();
                    return None;
                };
                self.destination = mac;
                Some(false)
            }
            Expect::Target => {
                self.target_mac = Address::default();
                self.expect = Expect::Tell { target: ipv4(word)? };
                Some(false)
            }
            Expect::Tell { target } => {
                self.expect = match word {
                    b"tell" | b"Tell" => Expect::Sender { target },
                    b"oui" | b"Unknown" => expected,
                    _ => {
                        self.target_mac = Address::parse(word)?;
                        expected
                    }
                };
                Some(false)
            }
            Expect::Sender { target } => Some(self.request(ipv4(word)?, target)),
            Expect::Probed => Some(self.request(0, ipv4(word)?)),
            Expect::Announced => {
                let address = ipv4(word)?;
                Some(self.request(address, address))
            }
            Expect::Owner { sender } => {
                self.found = Found::Arp {
                    operation: Operation::Reply,
                    sender,
                    target: None,
                    sender_mac: Address::parse(word)?,
                    target_mac: self.destination,
                };
                Some(true)
            }
            Expect::PacketDestination { source } => {
                self.found = Found::Ipv4 { source, destination: ipv4(word)? };
                Some(true)
            }
            Expect::VlanId => {
                self.vlans = self.vlans.inside(number(word).and_then(|id| u16::try_from(id).ok())?);
                Some(false)
            }
            Expect::Ttl => {
                self.ttl = Some(number(word).and_then(|ttl| u8::try_from(ttl).ok())?);
                Some(false)
            }
        }
    }

    fn request(&mut self, sender: u32, target: u32) -> bool {
        let (sender_mac, target_mac) = (self.source, self.target_mac);
        let target = Some(target);
        self.found = Found::Arp { operation: Operation::Request, sender, target, sender_mac, target_mac };
        true
    }

    /// Takes any other word.
    fn unexpected(&mut self, last: Last, word: &[u8]) {
        let in_frame = self.source.len > 0;
        self.expect = match (word, last) {
            (b"who-has", _) | (b"has", Last::Who) => Expect::Target,
            (b"is-at", Last::Ipv4(sender)) | (b"at", Last::Is(sender)) => Expect::Owner { sender },
            (b"Announcement", _) => Expect::Announced,
            (b"Probe", _) => Expect::Probed,
            (b"vlan", _) if in_frame => Expect::VlanId,
            (b"ttl", _) if in_frame => Expect::Ttl,
            // The last is the arrow of Wireshark's summary.
            (b">" | b"->" | b"\xe2\x86\x92", Last::Mac(source)) => {
                self.frame();
                self.source = source;
                Expect::FrameDestination
            }
            (b">", Last::Ipv4(source)) if in_frame => Expect::PacketDestination { source },
            (b"Who", _) => {
                self.last = Last::Who;
                return;
            }
            // What tcpdump without -n says of a MAC.
            (b"oui" | b"Unknown", Last::Mac(_)) => {
                self.last = last;
                return;
            }
            (b"is", Last::Ipv4(address)) => {
                self.last = Last::Is(address);
                return;
            }
            _ => {
                if let Some(mac) = Address::parse(word) {
                    self.last = Last::Mac(mac);
                } else if let Some(address) = ipv4(word) {
                    self.last = Last::Ipv4(address);
                } else if self.clock(word) {
                    self.frame();
                }
                return;
            }
        };
    }

    /// Forgets the frame before.
    fn frame(&mut self) {
        self.source = Address::default();
        self.destination = Address::default();
        self.vlans = Vlans::NONE;
        self.ttl = None;
    }

    /// Takes a time or a date, and says whether it was a time.
    fn clock(&mut self, word: &[u8]) -> bool {
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
        } else if word.iter().position(|byte| *byte == b'.').is_some_and(|dot| dot >= 9)
            && let Some(now) = seconds(word)
        {
            (self.time, self.dated) = (Some(Timestamp(now)), true);
            return true;
        }
        false
    }
}

/// A word without the punctuation around it.
fn trim(word: &[u8]) -> &[u8] {
    let is_mark = |byte: &u8| {
        matches!(byte, b',' | b':' | b';' | b'.' | b'?' | b'!' | b'(' | b')' | b'[' | b']' | b'"' | b'\'')
    };
    let start = word.iter().position(|byte| !is_mark(byte)).unwrap_or(word.len());
    let end = word.iter().rposition(|byte| !is_mark(byte)).map_or(start, |last| last + 1);
    &word[start..end]
}

#[cfg(test)]
mod tests;
