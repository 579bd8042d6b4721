//! nftables: tables, chains, rules and sets (`linux/netfilter/nf_tables.h`).

mod expression;
mod set;
mod xtables;

pub(in crate::kernel) use expression::rule;
pub(in crate::kernel) use set::{Bound, elements, set};

use crate::filter::{Base, Bytes, Chain, Family, Hook, Verdict};
use crate::kernel::netlink::{Attribute, attributes};

/// A table.
pub(in crate::kernel) struct Table {
    pub(in crate::kernel) family: Family,
    pub(in crate::kernel) name: String,
    /// None of its chains is called.
    pub(in crate::kernel) dormant: bool,
}

const FAMILIES: [(Family, u8); 5] =
    [(Family::Inet, 1), (Family::Arp, 3), (Family::Netdev, 5), (Family::Bridge, 7), (Family::Ip6, 10)];

pub(in crate::kernel) fn number(family: Family) -> u8 {
    FAMILIES.iter().find(|(one, _)| *one == family).map_or(0, |(_, number)| *number)
}

fn family(number: u8) -> Option<Family> {
    FAMILIES.iter().find(|(_, one)| *one == number).map(|(family, _)| *family)
}

/// `struct nfgenmsg`: the family, and the attributes.
fn of(payload: &[u8]) -> Option<(Family, &[u8])> {
    let ([number, ..], rest) = payload.split_first_chunk::<4>()?;
    Some((family(*number)?, rest))
}

fn be32(attribute: &Attribute<'_>) -> u32 {
    attribute.value.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Names may be any bytes, and end up on terminals.
fn name(attribute: &Attribute<'_>) -> String {
    attribute.text().escape_ascii().to_string()
}

/// The attribute of that number.
fn find<'a>(bytes: &'a [u8], kind: u16) -> Option<Attribute<'a>> {
    attributes(bytes).find(|attribute| attribute.kind == kind)
}

fn named(bytes: &[u8], kind: u16) -> String {
    find(bytes, kind).map(|attribute| name(&attribute)).unwrap_or_default()
}

pub(in crate::kernel) fn table(payload: &[u8]) -> Option<Table> {
    const NAME: u16 = 1;
    const FLAGS: u16 = 2;
    const DORMANT: u32 = 1;
    let (family, rest) = of(payload)?;
    let flags = find(rest, FLAGS).map_or(0, |attribute| be32(&attribute));
    Some(Table { family, name: named(rest, NAME), dormant: flags & DORMANT != 0 })
}

/// A chain without its rules.
pub(in crate::kernel) fn chain(payload: &[u8]) -> Option<Chain> {
    const TABLE: u16 = 1;
    const NAME: u16 = 3;
    const HOOK: u16 = 4;
    const POLICY: u16 = 5;
    const TYPE: u16 = 7;
    const HOOK_NUMBER: u16 = 1;
    const HOOK_PRIORITY: u16 = 2;
    const HOOK_DEVICE: u16 = 3;
    const HOOK_DEVICES: u16 = 4;
    const DEVICE_PREFIX: u16 = 2;
    const NF_DROP: u32 = 0;
    let (family, rest) = of(payload)?;
    let base = find(rest, HOOK).and_then(|attribute| {
        let inner = attribute.value;
        let hook = match (family, find(inner, HOOK_NUMBER).map(|number| be32(&number))?) {
            // What is not tracked, as neighbour discovery is not, never gets to rules of NAT.
            (Family::Ip6 | Family::Inet, _) if named(rest, TYPE) == "nat" => return None,
            (Family::Arp, 0) | (Family::Bridge | Family::Ip6 | Family::Inet, 1) => Hook::Input,
            (Family::Arp, 1) | (Family::Bridge | Family::Ip6 | Family::Inet, 3) => Hook::Output,
            (Family::Bridge | Family::Ip6 | Family::Inet, 0) => Hook::Prerouting,
            (Family::Bridge | Family::Ip6 | Family::Inet, 4) => Hook::Postrouting,
            (Family::Netdev, 0) | (Family::Inet, 5) => Hook::Ingress,
            (Family::Netdev, 1) => Hook::Egress,
            // What is forwarded is not for this host.
            _ => return None,
        };
        let mut devices: Vec<String> = attributes(inner)
            .filter(|attribute| attribute.kind == HOOK_DEVICE)
            .map(|device| name(&device))
            .collect();
        for list in attributes(inner).filter(|attribute| attribute.kind == HOOK_DEVICES) {
            devices.extend(
                list.nested()
                    .map(|device| name(&device) + if device.kind == DEVICE_PREFIX { "*" } else { "" }),
            );
        }
        // One device is told in both ways.
        devices.sort();
        devices.dedup();
        Some(Base {
            hook,
            priority: find(inner, HOOK_PRIORITY).map_or(0, |priority| be32(&priority) as i32),
            drops: find(rest, POLICY).is_some_and(|policy| be32(&policy) == NF_DROP),
            devices,
        })
    });
    Some(Chain { family, table: named(rest, TABLE), name: named(rest, NAME), base, rules: Vec::new() })
}

/// `NFTA_DATA_VALUE`.
fn value(attribute: &Attribute<'_>) -> Option<Bytes> {
    const VALUE: u16 = 1;
    Some(Bytes(find(attribute.value, VALUE)?.value.to_vec()))
}

/// `NFTA_DATA_VERDICT`.
fn verdict(attribute: &Attribute<'_>) -> Option<Verdict> {
    const VERDICT: u16 = 2;
    const CODE: u16 = 1;
    const CHAIN: u16 = 2;
    let inner = find(attribute.value, VERDICT)?.value;
    let code = find(inner, CODE).map(|code| be32(&code) as i32)?;
    let chain = || named(inner, CHAIN);
    Some(match code {
        0 => Verdict::Drop,
        1 => Verdict::Accept,
        -1 => Verdict::Continue,
        -2 => Verdict::Break,
        -3 => Verdict::Jump(chain()),
        -4 => Verdict::Goto(chain()),
        -5 => Verdict::Return,
        _ => Verdict::Unknown,
    })
}

/// Registers are counted in words: four of sixteen bytes each come first, the words that these are made of later.
fn register(attribute: &Attribute<'_>) -> Option<u8> {
    match be32(attribute) {
        number @ 0..=4 => Some(number as u8 * 4),
        number @ 8..=23 => Some(number as u8 - 4),
        _ => None,
    }
}
