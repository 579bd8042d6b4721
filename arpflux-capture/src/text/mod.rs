//! What tcpdump prints, read back.
//!
//! The text is taken as a stream of words, not of lines, so a log that a web page or a mail program
//! has run together into one line reads the same. Understood are the forms of tcpdump since 3.9, best
//! with `-e` (link-layer addresses) and `-n` (numbers), any of its time options, and
//! the "Who has … Tell …" and "… is at …" of Wireshark's summary lines:
//!
//! ```text
//! 00:0c:29:d2:c7:aa > ff:ff:ff:ff:ff:ff, ARP, length 60: arp who-has 192.168.18.10 tell 192.168.18.129
//! 15:04:05.000001 00:0c:29:b3:a2:5e > 00:0c:29:d2:c7:aa, ethertype ARP (0x0806), length 60: Reply 192.168.18.10 is-at 00:0c:29:b3:a2:5e, length 46
//! ```
//!
//! Limits: a reply's text does not name the asker, so the frame's destination stands for it; without
//! `-e` a request's sender has no MAC; names (without `-n`) are not addresses and are passed over.
//!
//! Neighbour discovery: [`discovery`]. Besides: tshark's fields, JSON and PDML ([`table`], [`fields`], [`markup`]), packets in full ([`details`]), what both `arping`s and arp-scan print, arpwatch's `arp.dat`, and logs ([`log`]).

mod clock;
mod details;
mod discovery;
mod fields;
mod lines;
mod log;
mod markup;
mod table;
mod value;
mod words;

use std::net::Ipv6Addr;

use arpflux_core::frame::{Arp, Ndp, Operation, Timestamp};

use crate::record::{Content, Sighting, Tunnel, Vlans, Wire};
use arpflux_core::types::Mac;
use clock::{Calendar, are_deltas};
use details::Details;
use discovery::Discovery;
use fields::Fields;
use log::{Line, Mail};
use table::{Columns, Row};
use value::{Address, ipv4, is_masked, number, trim};
use words::{Expect, Last};

/// A longer word is none of ours and is passed over.
const LONGEST_WORD: usize = 512;

/// So many words has a maker's name, with `(oui` before it.
const LONGEST_OUI: u8 = 8;

/// What of a text was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TextCounts {
    /// MACs of which a part is hidden.
    pub masked: u64,
    /// Packets without the MAC of their frame: tcpdump was called without `-e`.
    pub without_mac: u64,
    /// Lines about neighbour discovery without flags or MACs: tcpdump was called without `-v` or `-e`.
    pub ndp: u64,
    /// Packets of ARP that begin and do not end as they should: cut lines, names in place of addresses.
    pub broken: u64,
    /// Lines of a switch about a MAC that moves between its ports.
    pub mac_moves: u64,
    /// Its times are how long after the line before (`-ttt`).
    pub deltas: bool,
}

/// What stands before the word for ARP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum BeforeArp {
    #[default]
    Other,
    /// *Reverse ARP* is another protocol.
    Reverse,
    /// A frame begins, perhaps with names in place of its addresses.
    EtherType,
}

/// What was found.
#[derive(Debug, Clone, Copy)]
enum Found {
    Arp { operation: Operation, sender: u32, target: Option<u32>, sender_mac: Address, target_mac: Address },
    Ipv4 { source: u32, destination: u32 },
    Ndp { message: Ndp, source: Ipv6Addr },
    Log { address: u32, from: Address, to: Address, duplicate: bool },
}

impl Default for Found {
    fn default() -> Self {
        Self::Ipv4 { source: 0, destination: 0 }
    }
}

/// Reads frames out of words.
#[derive(Debug, Clone, Default)]
pub(super) struct Text {
    expect: Expect,
    last: Last,
    source: Address,
    destination: Address,
    target_mac: Address,
    vlans: Vlans,
    tunnel: Option<Tunnel>,
    /// The tunnel that the next frame is in.
    next_tunnel: Option<Tunnel>,
    ttl: Option<u8>,
    days: u64,
    time_of_day: Option<u64>,
    time: Option<Timestamp>,
    dated: bool,
    calendar: Calendar,
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
    line: Line,
    mail: Mail,
    discovery: Discovery,
    columns: Columns,
    row: Row,
    fields: Fields,
    details: Details,
    /// There are packets in full, and summaries of the same ones perhaps.
    detailed: bool,
    /// Within the line of such a summary.
    summary: bool,
    /// The line is JSON without white space.
    json: bool,
    /// Braces that are open in it.
    braces: u32,
    /// Tabs before the word at hand in its line.
    tabs: usize,
    /// A packet began: its time or its link-layer addresses came.
    begun: bool,
    /// It is said to be ARP, and did not end yet.
    pending: bool,
    /// The word before, as far as the one for ARP refers to it.
    before_arp: BeforeArp,
    /// How many more words there may be of `(oui …)`, which tcpdump without `-n` puts behind a MAC.
    oui: u8,
    /// Within PDML, where names and values of fields alone count.
    pdml: bool,
    protocol_addresses: [[u8; 4]; 2],
}

impl Text {
    /// Before the first word of a text that starts with these bytes.
    pub(super) fn new(start: &[u8]) -> Self {
        let deltas = are_deltas(start);
        Self {
            begins_line: true,
            counts: TextCounts { deltas, ..TextCounts::default() },
            detailed: details::are_there(start),
            ..Self::default()
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
        TextCounts {
            ndp: self.counts.ndp + u64::from(self.discovery.is_open()),
            broken: self.counts.broken + u64::from(self.pending) + u64::from(self.row.is_broken()),
            ..self.counts
        }
    }

    /// Whether the end completes a packet.
    pub(super) fn is_open(&self) -> bool {
        self.fields.is_open()
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
            let Some(start) = rest.iter().position(|byte| !self.is_space(*byte)) else {
                self.overlong &= rest.is_empty();
                self.pass(rest);
                let ends = at_end && self.fields.is_open() && self.packet();
                self.complete |= ends;
                return (bytes.len(), ends);
            };
            self.overlong &= start == 0;
            self.pass(&rest[..start]);
            at += start;
            let word = &rest[start..];
            if self.begins_line && !self.json && Self::is_dense_json(word) {
                self.json = true;
                continue;
            }
            let end = word.iter().position(|byte| self.is_space(*byte));
            let length = match end {
                Some(end) => end,
                None if at_end => word.len(),
                None if word.len() > LONGEST_WORD => {
                    self.overlong = true;
                    return (bytes.len(), false);
                }
                None => return (at, false),
            };
            if self.ends_packet(&word[..length]) {
                self.complete = true;
                return (at, true);
            }
            at += length;
            if std::mem::take(&mut self.overlong) || length > LONGEST_WORD {
                self.expect = Expect::Nothing;
                self.last = Last::Other;
            } else if self.word(&word[..length], word.get(length).is_none_or(|byte| b"\r\n".contains(byte))) {
                return (at, true);
            }
        }
    }

    fn is_space(&self, byte: u8) -> bool {
        byte.is_ascii_whitespace() || self.json && b",{}[]".contains(&byte)
    }

    /// Takes what stands between words.
    fn pass(&mut self, space: &[u8]) {
        let line = space.iter().rposition(|byte| *byte == b'\n');
        let rest = &space[line.map_or(0, |at| at + 1)..];
        if self.json {
            self.count_braces(space);
        }
        if line.is_some() {
            (self.begins_line, self.tabs) = (true, 0);
            self.json &= rest.contains(&b'{');
        }
        self.tabs += rest.iter().filter(|byte| **byte == b'\t').count();
    }

    /// Whether a word ends the packet that is at hand.
    fn ends_packet(&mut self, raw: &[u8]) -> bool {
        let ends_row = || self.columns.are_known() && !is_quote(raw);
        let ends = self.begins_packet(raw) || self.begins_line && (ends_row() || self.ends_details(raw));
        ends && self.fields.is_open() && self.packet()
    }

    /// The frame that [`Text::step`] announced.
    pub(super) fn sighting(&mut self, number: u64) -> Sighting<'_> {
        let content = match &self.found {
            Found::Ipv4 { source, destination } => {
                Content::Ipv4 { source: *source, destination: *destination, ttl: self.ttl }
            }
            Found::Ndp { message, source } => Content::Ndp { message: *message, source: *source },
            Found::Log { address, from, to, duplicate } => {
                let mac = |address: &Address| Mac::from_bytes(address.bytes()).unwrap_or(Mac::NONE);
                let (from, to) = (mac(from), mac(to));
                Content::Log { address: *address, from, to, duplicate: *duplicate }
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
            wire: Wire { vlans: self.vlans, tunnel: self.tunnel, ..Wire::default() },
            source: self.source.bytes(),
            destination: self.destination.bytes(),
            content,
        }
    }

    /// Takes one word and says whether it completes a frame.
    fn word(&mut self, raw: &[u8], ends_line: bool) -> bool {
        let begins_line = self.begins_line;
        if begins_line && is_quote(raw) {
            // Quoted in a mail; the line begins behind it.
            return false;
        }
        if std::mem::take(&mut self.complete) {
            self.frame();
        }
        if begins_line && self.calendar == Calendar::Nothing {
            self.columns.begin_line();
        }
        let was_in_date = self.calendar != Calendar::Nothing;
        let complete = match self.calendar(raw) {
            // The row, or the line, begins behind the date.
            Some(rest) if self.calendar == Calendar::Nothing && self.columns.are_known() => self.cells(rest),
            Some(rest) if trim(rest).is_empty() => return false,
            Some(rest) => self.undated(trim(rest), ends_line, begins_line),
            None if was_in_date && self.columns.are_known() => self.cells(b"") || self.cells(raw),
            None => self.undated(raw, ends_line, begins_line),
        };
        self.begins_line = false;
        self.complete = complete;
        if complete {
            (self.line, self.expect, self.last) = (Line::default(), Expect::Nothing, Last::Other);
            (self.begun, self.pending) = (false, false);
            self.row.has_told();
        }
        complete
    }

    /// Takes a word that is none of a date.
    fn undated(&mut self, raw: &[u8], ends_line: bool, begins_line: bool) -> bool {
        self.oui = match raw {
            b"(oui" => LONGEST_OUI,
            _ if begins_line => 0,
            _ => self.oui,
        };
        if self.oui > 0 {
            self.oui = if raw.contains(&b')') { 0 } else { self.oui - 1 };
            return false;
        }
        if begins_line {
            self.summary = self.detailed && number(raw).is_some();
        }
        if self.summary {
            return false;
        }
        if let Some(complete) = self.of_tshark(raw).or_else(|| self.detail(raw, begins_line)) {
            return complete;
        }
        let word = trim(raw);
        self.counts.masked += u64::from(is_masked(word));
        self.addresses |= is_masked(word) || ipv4(word).is_some() || Address::parse(word).is_some();
        // Names of fields in quotation marks are JSON's.
        let discovered = self.discovery.word(raw, begins_line, ends_line, &self.source);
        if self.discovered(discovered) {
            true
        } else if self.columns.runs_on(word) {
            self.leave_table();
            false
        } else if raw[0] != b'"' && self.columns.heads(word, begins_line, self.tabs) {
            false
        } else if self.columns.are_known() {
            self.cells(raw)
        } else if self.row(word, begins_line) || self.logged(word, begins_line) {
            true
        } else {
            self.note_arp(word, begins_line);
            let expected = std::mem::replace(&mut self.expect, Expect::Nothing);
            let last = std::mem::replace(&mut self.last, Last::Other);
            match self.expected(expected, word) {
                Some(complete) => complete,
                None => self.unexpected(last, word),
            }
        }
    }

    /// Notes that a packet is said to be ARP.
    fn note_arp(&mut self, word: &[u8], begins_line: bool) {
        let before = self.before_arp;
        self.before_arp = match word {
            b"Reverse" => BeforeArp::Reverse,
            b"ethertype" => BeforeArp::EtherType,
            _ => BeforeArp::Other,
        };
        let begins = self.begun || begins_line || before == BeforeArp::EtherType;
        if matches!(word, b"ARP" | b"arp") && begins && before != BeforeArp::Reverse {
            self.counts.broken += u64::from(self.pending && !self.begun);
            self.pending = true;
        }
    }

    /// Forgets the frame before.
    fn frame(&mut self) {
        self.counts.broken += u64::from(std::mem::take(&mut self.pending));
        self.begun = false;
        self.tunnel = None;
        self.fields = Fields::default();
        self.target_mac = Address::default();
        self.source = Address::default();
        self.destination = Address::default();
        self.vlans = Vlans::NONE;
        self.ttl = None;
    }
}

/// What mails put before lines that they quote.
fn is_quote(raw: &[u8]) -> bool {
    raw.iter().all(|byte| matches!(byte, b'>' | b'|'))
}

#[cfg(test)]
mod tests;
