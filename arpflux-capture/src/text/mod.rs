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

mod value;

use arpflux_core::frame::{Arp, Operation, Timestamp};

use crate::record::{Content, Sighting, Vlans, Wire};
use value::{Address, date, ipv4, is_masked, number, relative, seconds, time_of_day, trim};

/// A longer word is none of ours and is passed over.
const LONGEST_WORD: usize = 128;
const DAY: u64 = 86_400 * 1_000_000_000;

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
    /// Behind `ARPING`, of arping's first line.
    Pinged,
    /// Behind `reply from`, of iputils' arping.
    Answerer,
    /// Behind `reply from X`.
    AnswererMac {
        sender: u32,
    },
    /// Behind `bytes from`, of the other arping.
    AnsweringMac,
    /// Behind `bytes from MAC`.
    AnswererBehind {
        mac: Address,
    },
    /// Behind the name of a field, in tshark's JSON.
    Field(Field),
}

/// Fields of tshark's JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Time,
    Source,
    Destination,
    Operation,
    SenderMac,
    Sender,
    TargetMac,
    Target,
}

impl Field {
    fn of(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"frame.time_epoch" => Self::Time,
            b"eth.src" => Self::Source,
            b"eth.dst" => Self::Destination,
            b"arp.opcode" => Self::Operation,
            b"arp.src.hw_mac" => Self::SenderMac,
            b"arp.src.proto_ipv4" => Self::Sender,
            b"arp.dst.hw_mac" => Self::TargetMac,
            b"arp.dst.proto_ipv4" => Self::Target,
            _ => return None,
        })
    }
}

/// What of a text was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TextCounts {
    /// MACs of which a part is hidden.
    pub masked: u64,
    /// Requests whose asker has no MAC: tcpdump was called without `-e`.
    pub without_mac: u64,
    /// Lines about neighbour discovery, which are not read from text.
    pub ndp: u64,
    /// Its times are how long after the line before (`-ttt`).
    pub deltas: bool,
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
    /// An address that begins a line, as arp-scan prints one before its MAC.
    First(u32),
    /// A number that begins a line, as Wireshark numbers its lines.
    Number,
    /// `reply`, of `reply from`.
    Reply,
    /// `bytes`, of `bytes from`.
    Bytes,
    Neighbor,
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
    /// The word at hand is the first of its line.
    begins_line: bool,
    counts: TextCounts,
    /// An address or a MAC was seen.
    addresses: bool,
    /// Of tshark's JSON: operation, and both ends as far as they came.
    operation: Option<Operation>,
    sender: (u32, Address),
    protocol_addresses: [[u8; 4]; 2],
}

impl Text {
    /// Before the first word of a text that starts with these bytes.
    pub(super) fn new(start: &[u8]) -> Self {
        let deltas = are_deltas(start);
        Self {
            begins_line: true,
            counts: TextCounts { deltas, ..TextCounts::default() },
            addresses: false,
            operation: None,
            sender: (0, Address::default()),
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

    /// What was left out so far.
    pub(super) fn counts(&self) -> TextCounts {
        self.counts
    }

    /// Whether there was any address in it.
    pub(super) fn has_addresses(&self) -> bool {
        self.addresses
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
                self.begins_line |= rest.contains(&b'\n');
                return (bytes.len(), false);
            };
            self.overlong &= start == 0;
            let begins_line = rest[..start].contains(&b'\n');
            let word = &rest[start..];
            let end = word.iter().position(u8::is_ascii_whitespace);
            let length = match end {
                Some(end) => end,
                None if at_end => word.len(),
                None if word.len() > LONGEST_WORD => {
                    self.overlong = true;
                    return (bytes.len(), false);
                }
                None => {
                    self.begins_line |= begins_line;
                    return (at + start, false);
                }
            };
            self.begins_line |= begins_line;
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
    pub(super) fn sighting(&mut self, number: u64) -> Sighting<'_> {
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
            padded: None,
            number,
            time: self.time,
            wire: Wire { vlans: self.vlans, ..Wire::default() },
            source: self.source.bytes(),
            destination: self.destination.bytes(),
            content,
        }
    }

    /// Takes one word and says whether it completes a frame.
    fn word(&mut self, raw: &[u8]) -> bool {
        let begins_line = self.begins_line;
        if begins_line && raw.iter().all(|byte| matches!(byte, b'>' | b'|')) {
            // Quoted in a mail; the line begins behind it.
            return false;
        }
        if std::mem::take(&mut self.complete) {
            self.frame();
        }
        let word = trim(raw);
        self.counts.masked += u64::from(is_masked(word));
        self.addresses |= is_masked(word) || ipv4(word).is_some() || Address::parse(word).is_some();
        let expected = std::mem::replace(&mut self.expect, Expect::Nothing);
        let last = std::mem::replace(&mut self.last, Last::Other);
        let complete = match self.expected(expected, word) {
            Some(complete) => complete,
            None => self.unexpected(last, word),
        };
        self.begins_line = false;
        self.complete = complete;
        complete
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
            Expect::Owner { sender } => Some(self.reply(sender, Address::parse(word)?)),
            Expect::Pinged => Some(self.request(0, ipv4(word)?)),
            Expect::Answerer => {
                self.expect = Expect::AnswererMac { sender: ipv4(word)? };
                Some(false)
            }
            Expect::AnswererMac { sender } => Some(self.reply(sender, Address::parse(word)?)),
            Expect::AnsweringMac => {
                self.expect = Expect::AnswererBehind { mac: Address::parse(word)? };
                Some(false)
            }
            Expect::AnswererBehind { mac } => Some(self.reply(ipv4(word)?, mac)),
            Expect::Field(field) => self.field(field, word),
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

    fn reply(&mut self, sender: u32, sender_mac: Address) -> bool {
        let target_mac = self.destination;
        self.found = Found::Arp { operation: Operation::Reply, sender, target: None, sender_mac, target_mac };
        true
    }

    /// The value of a field of tshark's JSON; the last one completes a packet.
    fn field(&mut self, field: Field, word: &[u8]) -> Option<bool> {
        match field {
            Field::Time => {
                self.frame();
                self.time = seconds(word).map(Timestamp);
                self.dated = true;
            }
            Field::Source => self.source = Address::parse(word)?,
            Field::Destination => self.destination = Address::parse(word)?,
            Field::Operation => {
                self.operation = Some(Operation::from_code(u16::try_from(number(word)?).ok()?));
            }
            Field::SenderMac => self.sender.1 = Address::parse(word)?,
            Field::Sender => self.sender.0 = ipv4(word)?,
            Field::TargetMac => self.target_mac = Address::parse(word)?,
            Field::Target => {
                let (sender, sender_mac) = std::mem::take(&mut self.sender);
                let (operation, target) = (self.operation.take()?, Some(ipv4(word)?));
                self.found =
                    Found::Arp { operation, sender, target, sender_mac, target_mac: self.target_mac };
                return Some(true);
            }
        }
        Some(false)
    }

    fn request(&mut self, sender: u32, target: u32) -> bool {
        self.counts.without_mac += u64::from(self.source.len == 0 && sender != 0);
        let (sender_mac, target_mac) = (self.source, self.target_mac);
        let target = Some(target);
        self.found = Found::Arp { operation: Operation::Request, sender, target, sender_mac, target_mac };
        true
    }

    /// Takes any other word.
    fn unexpected(&mut self, last: Last, word: &[u8]) -> bool {
        if let (Last::First(sender), Some(mac)) = (last, Address::parse(word)) {
            return self.reply(sender, mac);
        }
        let in_frame = self.source.len > 0;
        self.expect = match (word, last) {
            (b"who-has", _) | (b"has", Last::Who) => Expect::Target,
            (b"is-at", Last::Ipv4(sender) | Last::First(sender)) | (b"at", Last::Is(sender)) => {
                Expect::Owner { sender }
            }
            (b"Announcement", _) => Expect::Announced,
            (b"Probe", _) => Expect::Probed,
            (b"ARPING", _) => Expect::Pinged,
            (b"from", Last::Reply) => Expect::Answerer,
            (b"from", Last::Bytes) => Expect::AnsweringMac,
            (b"vlan", _) if in_frame => Expect::VlanId,
            (b"ttl", _) if in_frame => Expect::Ttl,
            // The last is the arrow of Wireshark's summary.
            (b">" | b"->" | b"\xe2\x86\x92", Last::Mac(source)) => {
                self.frame();
                self.source = source;
                Expect::FrameDestination
            }
            (b">", Last::Ipv4(source) | Last::First(source)) if in_frame => {
                Expect::PacketDestination { source }
            }
            (name, _) if Field::of(name).is_some() => Field::of(name).map_or(Expect::Nothing, Expect::Field),
            _ => {
                self.last = self.plain(last, word);
                return false;
            }
        };
        false
    }

    /// What a word is to the next one.
    fn plain(&mut self, last: Last, word: &[u8]) -> Last {
        match (word, last) {
            (b"Who", _) => return Last::Who,
            (b"reply", _) => return Last::Reply,
            (b"bytes", _) => return Last::Bytes,
            (b"neighbor", _) | (b"Neighbor", _) => return Last::Neighbor,
            (b"solicitation" | b"advertisement" | b"Solicitation" | b"Advertisement", Last::Neighbor) => {
                self.counts.ndp += 1;
            }
            // What tcpdump without -n says of a MAC.
            (b"oui" | b"Unknown", Last::Mac(_)) => return last,
            (b"is", Last::Ipv4(address) | Last::First(address)) => return Last::Is(address),
            _ => {}
        }
        if let Some(mac) = Address::parse(word) {
            Last::Mac(mac)
        } else if let Some(address) = ipv4(word) {
            if self.begins_line { Last::First(address) } else { Last::Ipv4(address) }
        } else if (self.begins_line || matches!(last, Last::Number)) && self.since_begin(word) {
            self.frame();
            Last::Other
        } else if self.begins_line && number(word).is_some() {
            Last::Number
        } else {
            if self.clock(word) {
                self.frame();
            }
            Last::Other
        }
    }

    /// Takes seconds since the capture began.
    fn since_begin(&mut self, word: &[u8]) -> bool {
        let time = relative(word);
        if let Some(time) = time {
            self.time = Some(Timestamp(time));
        }
        time.is_some()
    }

    /// Forgets the frame before.
    fn frame(&mut self) {
        self.target_mac = Address::default();
        self.source = Address::default();
        self.destination = Address::default();
        self.vlans = Vlans::NONE;
        self.ttl = None;
    }

    /// Takes a time or a date, and says whether it was a time.
    fn clock(&mut self, word: &[u8]) -> bool {
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
            let before = self.time.map_or(0, |time| time.0);
            self.time = Some(Timestamp(before.saturating_add(delta)));
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
        } else if word.iter().position(|byte| *byte == b'.').is_some_and(|dot| dot >= 9)
            && let Some(now) = seconds(word)
        {
            (self.time, self.dated) = (Some(Timestamp(now)), true);
            return true;
        }
        false
    }
}

/// Whether the times at the beginnings of the first lines are those of `-ttt`: they begin at zero and go back.
fn are_deltas(start: &[u8]) -> bool {
    let first_word = |line: &[u8]| {
        let word = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())?.to_vec();
        time_of_day(trim(&word))
    };
    let mut times = start.split(|byte| *byte == b'\n').filter_map(first_word);
    let mut before = match times.next() {
        Some(0) => 0,
        _ => return false,
    };
    times.any(|time| std::mem::replace(&mut before, time) > time)
}

#[cfg(test)]
mod tests;
