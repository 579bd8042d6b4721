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
//! Neighbour discovery: [`discovery`]. Besides: tshark's fields, JSON and PDML ([`table`], [`fields`]), what both `arping`s and arp-scan print, arpwatch's `arp.dat`, and logs ([`log`]).

mod clock;
mod discovery;
mod fields;
mod log;
mod table;
mod value;
mod words;

use std::net::Ipv6Addr;

use arpflux_core::frame::{Arp, Ndp, Operation, Timestamp};

use crate::record::{Content, Sighting, Vlans, Wire};
use arpflux_core::types::Mac;
use clock::are_deltas;
use discovery::Discovery;
use fields::Fields;
use log::{Line, Mail};
use table::{Columns, Row};
use value::{Address, ipv4, is_masked, trim};
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
    /// Requests whose asker has no MAC: tcpdump was called without `-e`.
    pub without_mac: u64,
    /// Lines about neighbour discovery without flags or MACs: tcpdump was called without `-v` or `-e`.
    pub ndp: u64,
    /// Lines of a switch about a MAC that moves between its ports.
    pub mac_moves: u64,
    /// Its times are how long after the line before (`-ttt`).
    pub deltas: bool,
}

/// What was found.
#[derive(Debug, Clone, Copy)]
enum Found {
    Arp { operation: Operation, sender: u32, target: Option<u32>, sender_mac: Address, target_mac: Address },
    Ipv4 { source: u32, destination: u32 },
    Ndp { message: Ndp, source: Ipv6Addr },
    Log { address: u32, from: Address, to: Address, duplicate: bool },
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
    line: Line,
    mail: Mail,
    discovery: Discovery,
    columns: Columns,
    row: Row,
    fields: Fields,
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
            addresses: false,
            line: Line::default(),
            mail: Mail::default(),
            discovery: Discovery::default(),
            columns: Columns::default(),
            row: Row::default(),
            fields: Fields::default(),
            oui: 0,
            pdml: false,
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
        TextCounts { ndp: self.counts.ndp + u64::from(self.fields.is_open()), ..self.counts }
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
            } else if self.word(&word[..length], word.get(length).is_none_or(|byte| b"\r\n".contains(byte))) {
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
            wire: Wire { vlans: self.vlans, ..Wire::default() },
            source: self.source.bytes(),
            destination: self.destination.bytes(),
            content,
        }
    }

    /// Takes one word and says whether it completes a frame.
    fn word(&mut self, raw: &[u8], ends_line: bool) -> bool {
        let begins_line = self.begins_line;
        if begins_line && raw.iter().all(|byte| matches!(byte, b'>' | b'|')) {
            // Quoted in a mail; the line begins behind it.
            return false;
        }
        if std::mem::take(&mut self.complete) {
            self.frame();
        }
        self.oui = match raw {
            b"(oui" => LONGEST_OUI,
            _ if begins_line => 0,
            _ => self.oui,
        };
        if self.oui > 0 {
            self.oui = if raw.contains(&b')') { 0 } else { self.oui - 1 };
            return false;
        }
        if let Some(complete) = self.of_tshark(raw) {
            (self.begins_line, self.complete) = (false, complete);
            return complete;
        }
        let word = trim(raw);
        self.counts.masked += u64::from(is_masked(word));
        self.addresses |= is_masked(word) || ipv4(word).is_some() || Address::parse(word).is_some();
        if begins_line {
            self.columns.begin_line();
        }
        // Names of fields in quotation marks are JSON's.
        let discovered = self.discovery.word(raw, begins_line, ends_line, &self.source);
        let complete = if self.discovered(discovered) {
            true
        } else if raw[0] != b'"' && self.columns.heads(word, begins_line) {
            false
        } else if self.columns.are_known() {
            self.cells(word)
        } else if self.row(word, begins_line) || self.logged(word, begins_line) {
            true
        } else {
            let expected = std::mem::replace(&mut self.expect, Expect::Nothing);
            let last = std::mem::replace(&mut self.last, Last::Other);
            match self.expected(expected, word) {
                Some(complete) => complete,
                None => self.unexpected(last, word),
            }
        };
        self.begins_line = false;
        self.complete = complete;
        if complete {
            (self.line, self.expect, self.last) = (Line::default(), Expect::Nothing, Last::Other);
        }
        complete
    }

    /// Takes a word of a row below a heading of fields.
    fn cells(&mut self, word: &[u8]) -> bool {
        if self.begins_line {
            self.frame();
        }
        let (cells, ends) = self.columns.cells(word);
        for (field, cell) in cells {
            self.field(field, trim(cell));
        }
        ends && self.packet()
    }

    /// Takes a word of a row without a heading.
    fn row(&mut self, word: &[u8], begins_line: bool) -> bool {
        let mut told = None;
        for (place, cell) in word.split(|byte| b",;|".contains(byte)).enumerate() {
            told = told.or(self.row.word(trim(cell), begins_line && place == 0));
        }
        if let Some((to, address, time)) = self.row.known() {
            self.frame();
            self.at(time);
            self.found = Found::Log { address, from: Address::default(), to, duplicate: false };
            return true;
        }
        let Some(told) = told else { return false };
        self.frame();
        if let Some(time) = told.time {
            self.at(time);
        }
        if let Some((source, destination)) = told.frame {
            (self.source, self.destination) = (source, destination);
        }
        let ((sender, sender_mac), (target, target_mac)) = (told.sender, told.target);
        let (operation, target) = (Operation::from_code(told.operation), Some(target));
        self.found = Found::Arp { operation, sender, target, sender_mac, target_mac };
        true
    }

    /// Takes a message of neighbour discovery.
    fn discovered(&mut self, told: Option<discovery::Told>) -> bool {
        match told {
            Some(discovery::Told::Message { message, source, lacks }) => {
                self.counts.ndp += u64::from(lacks);
                self.found = Found::Ndp { message, source };
                true
            }
            Some(discovery::Told::Cut) => {
                self.counts.ndp += 1;
                false
            }
            None => false,
        }
    }

    /// Takes a word of a log.
    fn logged(&mut self, word: &[u8], begins_line: bool) -> bool {
        if begins_line {
            self.line = Line::default();
        }
        let mailed = self.mail.word(word, begins_line);
        match mailed.or_else(|| self.line.word(word)) {
            Some(log::Told::Address { address, from, to, duplicate }) => {
                self.frame();
                self.found = Found::Log { address, from, to, duplicate };
                true
            }
            Some(log::Told::MacMoves) => {
                self.counts.mac_moves += 1;
                false
            }
            None => false,
        }
    }

    /// Forgets the frame before.
    fn frame(&mut self) {
        self.fields = Fields::default();
        self.target_mac = Address::default();
        self.source = Address::default();
        self.destination = Address::default();
        self.vlans = Vlans::NONE;
        self.ttl = None;
    }
}

#[cfg(test)]
mod tests;
