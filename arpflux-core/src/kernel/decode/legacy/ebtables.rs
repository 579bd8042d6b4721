//! `ebtables`: chains and `struct ebt_entry` one after the other (`linux/netfilter_bridge/ebtables.h`), as
//! `ebt_do_table()` goes through them.

use super::{Blob, Conditions};
use crate::filter::{Base, Chain, Expression, Family, Header, Hook, Meta, Verdict};

/// `sizeof(struct ebt_entries)`, the head of a chain.
const HEAD: usize = 48;
/// `sizeof(struct ebt_entry)`: conditions, offsets.
const ENTRY: usize = 112;
/// `sizeof(struct ebt_entry_match)` and its like: name, revision, size.
const PART: usize = 40;

/// The hooks in the order of their numbers. What is forwarded is not for this host.
const HOOKS: [Option<Hook>; 5] =
    [Some(Hook::Prerouting), Some(Hook::Input), None, Some(Hook::Output), Some(Hook::Postrouting)];

/// The hook of the table broute, where frames are taken from bridges.
const BROUTING: u32 = 1 << 5;

/// The chains of a table; `None`: it is not laid out so, or takes frames from bridges. `hooks`:
/// `ebt_replace::valid_hooks`.
pub(in crate::kernel) fn ebtables(table: &str, hooks: u32, bytes: &[u8]) -> Option<Vec<Chain>> {
    if hooks & BROUTING != 0 {
        let accepts = bytes.len() == HEAD && Blob(bytes).i32(40)? == -1;
        return accepts.then(Vec::new);
    }
    let mut numbers = (0..HOOKS.len()).filter(|number| hooks & 1 << number != 0);
    let mut chains: Vec<Chain> = Vec::new();
    // Jumps name a chain by where it is.
    let mut places = Vec::new();
    let mut rules = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let here = Blob(bytes).from(at)?;
        if here.u32(0)? != 0 {
            let next = here.u32(108)? as usize;
            if next < ENTRY + PART {
                return None;
            }
            rules.push((chains.len().checked_sub(1)?, Blob(here.bytes(0, next)?)));
            at += next;
            continue;
        }
        // Policies are verdicts: -1 accepts, -2 drops.
        let drops = here.i32(40)? == -2;
        let base = numbers.next().and_then(|number| {
            let hook = HOOKS[number]?;
            Some(Base { hook, priority: priority(table, hook), drops, devices: Vec::new() })
        });
        places.push(at);
        chains.push(Chain {
            family: Family::Ebtables,
            table: table.to_owned(),
            name: here.name(4, 32)?,
            base,
            rules: Vec::new(),
        });
        at += HEAD;
    }
    let names: Vec<String> = chains.iter().map(|chain| chain.name.clone()).collect();
    for (chain, entry) in rules {
        let jump = |to: usize| places.iter().position(|place| *place == to).map(|at| names[at].clone());
        let rule = rule(entry, &jump)?;
        chains.get_mut(chain)?.rules.push(rule);
    }
    Some(chains)
}

/// `NF_BR_PRI_FILTER_BRIDGED` and its like.
fn priority(table: &str, hook: Hook) -> i32 {
    match (table, hook) {
        ("filter", Hook::Output) => 200,
        ("filter", _) => -200,
        (_, Hook::Prerouting) => -300,
        (_, Hook::Output) => 100,
        _ => 300,
    }
}

/// `ebt_basic_match()`, the matches, and the target.
fn rule(entry: Blob<'_>, jump: &dyn Fn(usize) -> Option<String>) -> Option<Vec<Expression>> {
    const NO_PROTOCOL: u32 = 0x02;
    const LENGTHS: u32 = 0x04;
    const HAS_SOURCE: u32 = 0x08;
    const HAS_DESTINATION: u32 = 0x10;
    let (bits, inverse) = (entry.u32(0)?, entry.u32(4)?);
    let inverted = |bit: u32| inverse & bit != 0;
    let mut conditions = Conditions::default();
    let ether_type = (Header::Link, 12);
    if bits & LENGTHS != 0 {
        // The EtherType of ARP is no length.
        conditions.field(ether_type, &[0, 0], &[0xff; 2], inverted(0x01));
    } else if bits & NO_PROTOCOL == 0 {
        conditions.field(ether_type, entry.bytes(8, 2)?, &[0xff; 2], inverted(0x01));
    }
    for (meta, at, bit) in [(Meta::Iifname, 10, 0x02), (Meta::Oifname, 42, 0x04)] {
        let name = entry.bytes(at, 16)?;
        // ebt_dev_check(): a 1 stands for any end, and no name for all.
        let end = name.iter().position(|byte| *byte <= 1).unwrap_or(16);
        let whole = end > 0 && name.get(end) == Some(&0);
        conditions.device(meta, name, end + usize::from(whole), inverted(bit));
    }
    // Which bridge a port belongs to is not told.
    if entry.u8(26)? != 0 || entry.u8(58)? != 0 || inverted(0x60) {
        conditions.unknown();
    }
    for (has, at, offset, bit) in [(HAS_SOURCE, 74, 6, 0x08), (HAS_DESTINATION, 86, 0, 0x10)] {
        if bits & has != 0 {
            let (value, mask) = (entry.bytes(at, 6)?, entry.bytes(at + 6, 6)?);
            conditions.field((Header::Link, offset), value, mask, inverted(bit));
        }
    }
    let (watchers, target) = (entry.u32(100)? as usize, entry.u32(104)? as usize);
    let mut at = ENTRY;
    while at < watchers {
        let part = entry.from(at)?;
        let size = part.u32(32)? as usize;
        match part.name(0, 31)?.as_str() {
            "arp" => arp(&mut conditions, part.from(PART)?)?,
            _ => conditions.unknown(),
        }
        at = at.checked_add(PART + size)?;
    }
    let last = entry.from(target)?;
    let verdict = match last.name(0, 31)?.as_str() {
        "standard" => match last.i32(PART)? {
            -1 => Some(Verdict::Accept),
            -2 => Some(Verdict::Drop),
            -3 => None,
            -4 => Some(Verdict::Return),
            to if to >= 0 => Some(jump(to as usize).map_or(Verdict::Unknown, Verdict::Jump)),
            _ => Some(Verdict::Unknown),
        },
        // What others do (arpreply, dnat, mark …) is not told.
        _ => return Some(conditions.then(Some(Expression::Unknown { name: "target".into() }))),
    };
    Some(conditions.then(verdict.map(|verdict| Expression::Decide { verdict })))
}

/// `struct ebt_arp_info`.
fn arp(conditions: &mut Conditions, info: Blob<'_>) -> Option<()> {
    const GRATUITOUS: u8 = 0x80;
    let (bits, inverse) = (info.u8(48)?, info.u8(49)?);
    for (bit, offset, value) in [(0x01, 6, 4), (0x02, 0, 0), (0x04, 2, 2)] {
        if bits & bit != 0 {
            conditions.field(
                (Header::Network, offset),
                info.bytes(value, 2)?,
                &[0xff; 2],
                inverse & bit != 0,
            );
        }
    }
    for (bit, offset, value, len) in
        [(0x08, 14, 8, 4), (0x10, 24, 16, 4), (0x20, 8, 24, 6), (0x40, 18, 36, 6)]
    {
        if bits & bit != 0 {
            let (value, mask) = (info.bytes(value, len)?, info.bytes(value + len, len)?);
            conditions.field((Header::Network, offset), value, mask, inverse & bit != 0);
        }
    }
    if bits & GRATUITOUS != 0 {
        conditions.unknown();
    }
    Some(())
}
