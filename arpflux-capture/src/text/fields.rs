//! Packets out of fields of tshark's: JSON, PDML, rows below a heading, and packets in full.

use std::net::Ipv6Addr;

use arpflux_core::frame::{Ndp, Operation};
use arpflux_core::types::Mac;

use super::table::Field;
use super::value::{Address, ipv4, is_masked, number, seconds, tunnel_number};
use super::{Found, Text};
use crate::record::Tunnel;

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
    /// It is ARP.
    pub(super) arp: bool,
    /// Of an IP packet; of one inside of another, the outer one's.
    ipv4: (Option<u32>, Option<u32>),
    /// The field that the next value of PDML is of.
    pub(super) name: Option<Field>,
}

impl Fields {
    /// Whether a packet without the last field of its kind waits for the next one.
    pub(super) fn is_open(&self) -> bool {
        self.arp || self.operation.is_some() || self.discovery.is_some() || self.ipv4.1.is_some()
    }
}

fn ipv6(word: &[u8]) -> Option<Ipv6Addr> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn is_set(word: &[u8]) -> bool {
    matches!(word, b"1" | b"True" | b"true" | b"Set")
}

impl Text {
    /// The value of a field; the last one of its kind completes a packet, but in a row, which ends itself.
    pub(super) fn field(&mut self, field: Field, word: &[u8]) -> Option<bool> {
        let in_row = self.columns.are_known();
        self.counts.masked += u64::from(is_masked(word));
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
            Field::Date => return self.calendar(word).is_some().then_some(false),
            // Where the time since 1970 is there as well, that one counts.
            Field::SinceBegin if self.dated => {}
            Field::SinceBegin => self.at(seconds(word)?),
            Field::Tunnel(kind) => {
                let id = tunnel_number(word)?;
                // What came before is of the outer frame.
                self.frame();
                self.tunnel = Some(Tunnel { kind, id });
            }
            Field::Vlan => self.vlans = self.vlans.inside(u16::try_from(number(word)?).ok()?),
            Field::Source => self.source = Address::parse(word)?,
            Field::Destination => self.destination = Address::parse(word)?,
            Field::Operation => {
                fields.operation = Some(Operation::from_code(u16::try_from(number(word)?).ok()?));
            }
            Field::Ipv4Source => fields.ipv4.0 = fields.ipv4.0.or(Some(ipv4(word)?)),
            Field::Ipv4Destination => fields.ipv4.1 = fields.ipv4.1.or(Some(ipv4(word)?)),
            Field::TimeToLive => self.ttl = Some(self.ttl.unwrap_or(u8::try_from(number(word)?).ok()?)),
            Field::SenderMac => fields.sender.1 = Address::parse(word)?,
            Field::Sender => fields.sender.0 = ipv4(word)?,
            Field::TargetMac => self.target_mac = Address::parse(word)?,
            Field::Target => {
                fields.target = Some(ipv4(word)?);
                return Some(!in_row && self.packet());
            }
            // Of `::` nothing is left without its punctuation.
            Field::Ipv6Source if word.is_empty() => fields.source = Some(Ipv6Addr::UNSPECIFIED),
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

    /// Makes a packet of the fields, if they are enough; if they are of ARP and not enough, that is noted.
    pub(super) fn packet(&mut self) -> bool {
        let fields = std::mem::take(&mut self.fields);
        let ((sender, sender_mac), target_mac) = (fields.sender, self.target_mac);
        let is_whole = sender_mac.len > 0;
        if let (Some(operation), Some(target), true) = (fields.operation, fields.target, is_whole) {
            self.counts.without_mac += u64::from(self.source.len == 0);
            self.found = Found::Arp { operation, sender, target: Some(target), sender_mac, target_mac };
            return true;
        }
        self.counts.broken += u64::from(fields.operation.is_some() || fields.arp);
        if let Some((solicits, target)) = fields.discovery {
            let Some(source) = fields.source else {
                self.counts.ndp += 1;
                return false;
            };
            let Fields { named, router, solicited, overrides, .. } = fields;
            let message = if solicits {
                Ndp::Solicitation { target, source_mac: named }
            } else {
                Ndp::Advertisement { target, target_mac: named, router, solicited, overrides }
            };
            self.found = Found::Ndp { message, source };
            return true;
        }
        let (Some(source), Some(destination)) = fields.ipv4 else { return false };
        self.found = Found::Ipv4 { source, destination };
        true
    }
}
