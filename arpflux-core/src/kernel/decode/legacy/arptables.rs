//! `arptables`: `struct arpt_entry` one after the other (`linux/netfilter_arp/arp_tables.h`), as `arpt_do_table()`
//! goes through them.

use super::{Blob, Conditions, of_netfilter};
use crate::filter::{Base, Bytes, Chain, Expression, Family, Header, Hook, Meta, Verdict};

/// `sizeof(struct arpt_entry)`: conditions, offsets, counters.
const ENTRY: usize = 192;
/// `sizeof(struct xt_entry_target)`: size, name, revision.
const TARGET: usize = 32;
/// `XT_RETURN`.
const RETURN: i32 = -5;
/// `NF_IP_PRI_FILTER`, the priority of the only table.
const PRIORITY: i32 = 0;

/// Where the kernel's chains begin and where their policies are (`struct arpt_getinfo`), by number of the hook.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::kernel) struct Places {
    pub(in crate::kernel) hooks: u32,
    pub(in crate::kernel) first: [u32; 3],
    pub(in crate::kernel) policy: [u32; 3],
}

struct Entry<'a> {
    at: usize,
    next: usize,
    entry: Blob<'a>,
    target: String,
    /// What the target says besides.
    data: Blob<'a>,
}

/// The chains of a table; `None`: it is not laid out so.
pub(in crate::kernel) fn arptables(table: &str, places: Places, bytes: &[u8]) -> Option<Vec<Chain>> {
    let mut entries = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let entry = Blob(bytes).from(at)?;
        let target = entry.from(usize::from(entry.u16(164)?))?;
        let next = at + usize::from(entry.u16(166)?);
        if next < at + ENTRY + TARGET {
            return None;
        }
        entries.push(Entry { at, next, entry, target: target.name(2, 29)?, data: target.from(TARGET)? });
        at = next;
    }
    let mut chains = Vec::new();
    for (number, hook, name) in [(0, Hook::Input, "INPUT"), (1, Hook::Output, "OUTPUT")] {
        if places.hooks & 1 << number == 0 {
            continue;
        }
        let (first, policy) = (places.first[number] as usize, places.policy[number] as usize);
        let last = entries.iter().find(|entry| entry.at == policy)?;
        let drops = last.data.i32(0)? == -1;
        let base = Base { hook, priority: PRIORITY, drops, devices: Vec::new() };
        chains.push((first, policy, name.to_owned(), Some(base)));
    }
    let heads: Vec<&Entry<'_>> = entries.iter().filter(|entry| entry.target == "ERROR").collect();
    for pair in heads.windows(2) {
        chains.push((pair[0].next, pair[1].at, pair[0].data.name(0, 30)?, None));
    }
    let jumps: Vec<(usize, String)> =
        chains.iter().map(|(first, _, name, _)| (*first, name.clone())).collect();
    let decoded = chains.into_iter().map(|(first, end, name, base)| {
        let of = entries.iter().filter(|entry| (first..end).contains(&entry.at));
        let rules = of.map(|entry| rule(entry, &jumps)).collect::<Option<_>>()?;
        Some(Chain { family: Family::Arptables, table: table.to_owned(), name, base, rules })
    });
    decoded.collect()
}

/// `arp_packet_match()`, and the target.
fn rule(entry: &Entry<'_>, jumps: &[(usize, String)]) -> Option<Vec<Expression>> {
    let arp = entry.entry;
    let inverse = arp.u16(160)?;
    let inverted = |bit: u16| inverse & bit != 0;
    let mut conditions = Conditions::default();
    // Numbers of two bytes: what of the frame, where it and its mask are, and the bit that inverts it.
    for (offset, value, bit) in [(0, 86, 0x80), (2, 90, 0x100), (6, 82, 0x40)] {
        let (value, mask) = (arp.bytes(value, 2)?, arp.bytes(value + 2, 2)?);
        conditions.field((Header::Network, offset), value, mask, inverted(bit));
    }
    conditions.field((Header::Network, 4), arp.bytes(16, 1)?, arp.bytes(17, 1)?, inverted(0x200));
    // Of the MACs as many bytes as the device's have, taken to be six: frames of others are not known from there on.
    for (offset, value, bit) in [(8, 18, 0x10), (18, 50, 0x20)] {
        let (value, mask) = (arp.bytes(value, 6)?, arp.bytes(value + 16, 6)?);
        conditions.field((Header::Network, offset), value, mask, inverted(bit));
    }
    for (offset, value, mask, bit) in [(14, 0, 8, 4), (24, 4, 12, 8)] {
        conditions.field((Header::Network, offset), arp.bytes(value, 4)?, arp.bytes(mask, 4)?, inverted(bit));
    }
    for (meta, name, mask, bit) in [(Meta::Iifname, 94, 126, 1), (Meta::Oifname, 110, 142, 2)] {
        let mask = arp.bytes(mask, 16)?;
        let counts = mask.iter().take_while(|byte| **byte == 0xff).count();
        if mask[counts..].iter().any(|byte| *byte != 0) {
            conditions.unknown();
        } else {
            conditions.device(meta, arp.bytes(name, 16)?, counts, inverted(bit));
        }
    }
    let verdict = |verdict| Some(Expression::Decide { verdict });
    Some(conditions.then(match entry.target.as_str() {
        "" => match entry.data.i32(0)? {
            RETURN => verdict(Verdict::Return),
            decided if decided < 0 => verdict(of_netfilter(-1 - decided).unwrap_or(Verdict::Unknown)),
            to if to as usize == entry.next => None,
            to => {
                let chain = jumps.iter().find(|(first, _)| *first == to as usize);
                verdict(chain.map_or(Verdict::Unknown, |(_, name)| Verdict::Jump(name.clone())))
            }
        },
        "mangle" => Some(mangle(entry.data)?),
        other => Some(Expression::Unknown { name: other.to_owned() }),
    }))
}

/// `struct arpt_mangle`; `arptables` over nftables has the same.
pub(in crate::kernel::decode) fn mangled(info: &[u8]) -> Option<Expression> {
    mangle(Blob(info))
}

fn mangle(info: Blob<'_>) -> Option<Expression> {
    const CONTINUE: i32 = -1;
    let bytes = |at, len| Some(Bytes(info.bytes(at, len)?.to_vec()));
    Some(Expression::Mangle {
        flags: info.u8(40)?,
        sender_mac: bytes(0, 6)?,
        target_mac: bytes(16, 6)?,
        sender: bytes(32, 4)?,
        target: bytes(36, 4)?,
        verdict: match info.i32(44)? {
            CONTINUE => Verdict::Continue,
            other => of_netfilter(other)?,
        },
    })
}
