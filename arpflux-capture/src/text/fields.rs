//! Packets out of fields of tshark's: JSON, PDML, and rows below a heading.

use std::net::Ipv6Addr;

use arpflux_core::frame::{Ndp, Operation};
use arpflux_core::types::Mac;

use super::table::Field;
use super::value::{Address, ipv4, number, seconds};
use super::{Found, Text};

/// What came of a packet so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fields {
    operation: Option<Operation>,
    sender: (u32, Address),
    target: Option<u32>,
    source: Option<Ipv6Addr>,
    /// Of neighbour discovery: whether it solicits, and the target.
    discovery: Option<(bool, Ipv6Addr)>,
    /// The MAC that it names itself.
    named: Option<Mac>,
    router: bool,
    solicited: bool,
    overrides: bool,
    /// The field that the next value of PDML is of.
    name: Option<Field>,
}

impl Fields {
    /// Whether a packet without the last field of its kind waits for the next one.
    pub(super) fn is_open(&self) -> bool {
        self.discovery.is_some()
    }
}

fn ipv6(word: &[u8]) -> Option<Ipv6Addr> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn is_set(word: &[u8]) -> bool {
    matches!(word, b"1" | b"True" | b"true")
}

impl Text {
    /// Takes a word of PDML, or the one that begins a packet there and in JSON; `None` if it is neither.
    pub(super) fn of_tshark(&mut self, raw: &[u8]) -> Option<bool> {
        self.pdml = raw == b"<pdml" || self.pdml && raw != b"</pdml>";
        if raw.starts_with(b"\"_index\"") || self.pdml && raw == b"<packet>" {
            return Some(self.fields.is_open() && self.packet());
        }
        if !self.pdml {
            return None;
        }
        let value = |name: &[u8]| raw.strip_prefix(name)?.split(|byte| *byte == b'"').next();
        if let Some(name) = value(b"name=\"") {
            self.fields.name = Field::of(name);
            return Some(false);
        }
        let (Some(value), Some(field)) = (value(b"show=\""), self.fields.name) else { return Some(false) };
        self.fields.name = None;
        self.addresses = true;
        Some(self.field(field, value) == Some(true))
    }

    /// The value of a field; the last one of its kind completes a packet, but in a row, which ends itself.
    pub(super) fn field(&mut self, field: Field, word: &[u8]) -> Option<bool> {
        let in_row = self.columns.are_known();
        let fields = &mut self.fields;
        match field {
            Field::Time => {
                if !in_row {
                    self.frame();
                }
                match seconds(word) {
                    Some(time) => self.at(time),
                    None => return self.clock(word).then_some(false),
                }
            }
            // Where the time since 1970 is there as well, that one counts.
            Field::SinceBegin if self.dated => {}
            Field::SinceBegin => self.at(seconds(word)?),
            Field::Vlan => self.vlans = self.vlans.inside(u16::try_from(number(word)?).ok()?),
            Field::Source => self.source = Address::parse(word)?,
            Field::Destination => self.destination = Address::parse(word)?,
            Field::Operation => {
                fields.operation = Some(Operation::from_code(u16::try_from(number(word)?).ok()?));
            }
            Field::SenderMac => fields.sender.1 = Address::parse(word)?,
            Field::Sender => fields.sender.0 = ipv4(word)?,
            Field::TargetMac => self.target_mac = Address::parse(word)?,
            Field::Target => {
                fields.target = Some(ipv4(word)?);
                return Some(!in_row && self.packet());
            }
            Field::Ipv6Source => fields.source = Some(ipv6(word)?),
            Field::Solicited => fields.solicited = is_set(word),
            Field::Router => fields.router = is_set(word),
            Field::Overrides => fields.overrides = is_set(word),
            Field::Solicitation => {
                fields.discovery = Some((true, ipv6(word)?));
                // Who asks whether an address is free names no MAC.
                let is_probe = fields.source.is_some_and(|source| source.is_unspecified());
                return Some(is_probe && !in_row && self.packet());
            }
            Field::Advertisement => fields.discovery = Some((false, ipv6(word)?)),
            Field::Named => {
                fields.named = Mac::from_bytes(Address::parse(word)?.bytes()).ok();
                return Some(fields.is_open() && !in_row && self.packet());
            }
        }
        Some(false)
    }

    /// Makes a packet of the fields, if they are enough.
    pub(super) fn packet(&mut self) -> bool {
        let fields = std::mem::take(&mut self.fields);
        let ((sender, sender_mac), target_mac) = (fields.sender, self.target_mac);
        if let (Some(operation), Some(target)) = (fields.operation, fields.target) {
            self.found = Found::Arp { operation, sender, target: Some(target), sender_mac, target_mac };
            return true;
        }
        let (Some((solicits, target)), Some(source)) = (fields.discovery, fields.source) else {
            return false;
        };
        let Fields { named, router, solicited, overrides, .. } = fields;
        let message = if solicits {
            Ndp::Solicitation { target, source_mac: named }
        } else {
            Ndp::Advertisement { target, target_mac: named, router, solicited, overrides }
        };
        self.found = Found::Ndp { message, source };
        true
    }
}
