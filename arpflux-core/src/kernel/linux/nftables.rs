//! The rules of nftables that frames of ARP and of neighbour discovery pass, by the netlink of netfilter.

use nix::libc;

use super::read::{TRIES, dump};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Answer, Chain, Expression, Family, Filters, Set, Verdict};
use crate::kernel::decode::nftables as decode;
use crate::kernel::netlink::{Messages, NetlinkSocket, attributes};

/// `NFNL_SUBSYS_NFTABLES`.
const NFTABLES: u16 = 10 << 8;
const GET_TABLE: u16 = NFTABLES | 1;
const GET_CHAIN: u16 = NFTABLES | 4;
const GET_RULE: u16 = NFTABLES | 7;
const GET_SET: u16 = NFTABLES | 10;
const GET_ELEMENTS: u16 = NFTABLES | 13;
const GET_GENERATION: u16 = NFTABLES | 16;

/// All chains that ARP frames may pass, with what they jump to and look into, and those that neighbour discovery passes
/// beside; again where they changed meanwhile.
pub(super) fn read(messages: &mut Messages) -> Result<(Filters, Filters)> {
    let mut netlink = match NetlinkSocket::open_protocol(netlink_sys::protocols::NETLINK_NETFILTER) {
        Ok(socket) => socket,
        // A kernel without netfilter.
        Err(error) if error.errno() == Some(libc::EPROTONOSUPPORT) => return Ok(Default::default()),
        Err(error) => return Err(error),
    };
    for _ in 0..TRIES {
        let before = match generation(&mut netlink, messages) {
            Ok(generation) => generation,
            // A kernel without nftables.
            Err(error) if matches!(error.errno(), Some(libc::EINVAL | libc::EOPNOTSUPP)) => {
                return Ok(Default::default());
            }
            Err(error) => return Err(error),
        };
        let filters = once(&mut netlink, messages);
        if generation(&mut netlink, messages)? == before {
            return filters;
        }
    }
    Err(Error::new(ErrorKind::Raced, format!("the rules of nftables changed during each of {TRIES} tries")))
}

/// The number of the ruleset, which every change raises.
fn generation(netlink: &mut NetlinkSocket, messages: &mut Messages) -> Result<Option<Vec<u8>>> {
    const ID: u16 = 1;
    messages.clear();
    messages.begin(GET_GENERATION, 0, &[0; 4]);
    let mut found = None;
    netlink.ask(messages, |_, payload| {
        let rest = payload.get(4..).unwrap_or_default();
        found = attributes(rest).find(|attribute| attribute.kind == ID).map(|id| id.value.to_vec());
        Ok(())
    })?;
    Ok(found)
}

fn once(netlink: &mut NetlinkSocket, messages: &mut Messages) -> Result<(Filters, Filters)> {
    let mut tables = Vec::new();
    list(netlink, messages, GET_TABLE, 0, &[], |payload| match payload {
        None => tables.clear(),
        Some(payload) => tables.extend(decode::table(payload)),
    })?;
    if tables.is_empty() {
        return Ok(Default::default());
    }
    let mut chains: Vec<Chain> = Vec::new();
    list(netlink, messages, GET_CHAIN, 0, &[], |payload| match payload {
        None => chains.clear(),
        Some(payload) => chains.extend(decode::chain(payload)),
    })?;
    let called = |table: &&decode::Table| {
        let of = |chain: &Chain| (chain.family, &chain.table) == (table.family, &table.name);
        !table.dormant && chains.iter().any(|chain| of(chain) && chain.base.is_some())
    };
    let wanted: Vec<(Family, String)> =
        tables.iter().filter(called).map(|table| (table.family, table.name.clone())).collect();
    let is_wanted = |family: Family, table: &String| wanted.iter().any(|one| *one == (family, table.clone()));
    chains.retain(|chain| is_wanted(chain.family, &chain.table));
    let mut families: Vec<Family> = Vec::new();
    for (family, _) in &wanted {
        if !families.contains(family) {
            families.push(*family);
        }
    }
    let mut sets = Vec::new();
    for family in families {
        let number = decode::number(family);
        let mut rules = Vec::new();
        list(netlink, messages, GET_RULE, number, &[], |payload| match payload {
            None => rules.clear(),
            Some(payload) => rules.extend(decode::rule(payload)),
        })?;
        for (family, table, name, rule) in rules {
            let of =
                |chain: &&mut Chain| (chain.family, &chain.table, &chain.name) == (family, &table, &name);
            if let Some(chain) = chains.iter_mut().find(of) {
                chain.rules.push(rule);
            }
        }
        let mut known = Vec::new();
        list(netlink, messages, GET_SET, number, &[], |payload| match payload {
            None => known.clear(),
            Some(payload) => known.extend(decode::set(payload)),
        })?;
        known.retain(|(set, _)| {
            let looked_into = |expression: &Expression| match expression {
                Expression::Lookup { set: name, .. } => *name == set.name,
                _ => false,
            };
            let of = |chain: &&Chain| (chain.family, &chain.table) == (set.family, &set.table);
            chains.iter().filter(of).flat_map(|chain| chain.rules.iter().flatten()).any(looked_into)
        });
        for (mut set, intervals) in known {
            let mut bounds = Vec::new();
            // In `struct nft_set_elem_list`: the table, and the set.
            let of = [(1, set.table.clone()), (2, set.name.clone())];
            list(netlink, messages, GET_ELEMENTS, number, &of, |payload| match payload {
                None => bounds.clear(),
                Some(payload) => decode::elements(payload, &mut set, &mut bounds),
            })?;
            set.elements = decode::Bound::join(bounds, intervals && set.fields.len() == 1);
            sets.push(set);
        }
    }
    let of_ip = |chain: &Chain| matches!(chain.family, Family::Ip6 | Family::Inet);
    let (of_ip, others): (Vec<Chain>, Vec<Chain>) = chains.into_iter().partition(of_ip);
    Ok((reached(others, &sets), reached(of_ip, &sets)))
}

/// The chains that are called or jumped to, and the sets that these look into. Chains without rules that accept change
/// nothing.
fn reached(mut chains: Vec<Chain>, sets: &[Set]) -> Filters {
    chains.retain(|chain| !chain.rules.is_empty() || chain.base.as_ref().is_none_or(|base| base.drops));
    let mut reached: Vec<bool> = chains.iter().map(|chain| chain.base.is_some()).collect();
    let mut open: Vec<usize> = (0..chains.len()).filter(|at| reached[*at]).collect();
    let mut used = vec![false; sets.len()];
    while let Some(at) = open.pop() {
        let Chain { family, table, rules, .. } = &chains[at];
        let mut verdicts: Vec<&Verdict> = Vec::new();
        for expression in rules.iter().flatten() {
            match expression {
                Expression::Decide { verdict } => verdicts.push(verdict),
                Expression::Lookup { set: name, .. } => {
                    let of = |set: &&Set| (set.family, &set.table, &set.name) == (*family, table, name);
                    let Some(place) = sets.iter().position(|set| of(&set)) else { continue };
                    used[place] = true;
                    let answers = sets[place].elements.iter().map(|element| &element.answer);
                    verdicts.extend(answers.chain(&sets[place].otherwise).filter_map(
                        |answer| match answer {
                            Answer::Verdict(verdict) => Some(verdict),
                            Answer::Nothing | Answer::Value(_) => None,
                        },
                    ));
                }
                _ => {}
            }
        }
        for verdict in verdicts {
            let (Verdict::Jump(name) | Verdict::Goto(name)) = verdict else { continue };
            let of = |chain: &Chain| (chain.family, &chain.table, &chain.name) == (*family, table, name);
            if let Some(place) = chains.iter().position(of).filter(|place| !reached[*place]) {
                reached[place] = true;
                open.push(place);
            }
        }
    }
    let keep = |reached: Vec<bool>| reached.into_iter();
    Filters {
        chains: chains
            .into_iter()
            .zip(keep(reached))
            .filter(|(_, keep)| *keep)
            .map(|(chain, _)| chain)
            .collect(),
        sets: sets.iter().zip(keep(used)).filter(|(_, keep)| *keep).map(|(set, _)| set.clone()).collect(),
    }
}

/// One dump of `struct nfgenmsg` of a family.
fn list(
    netlink: &mut NetlinkSocket,
    messages: &mut Messages,
    kind: u16,
    family: u8,
    names: &[(u16, String)],
    each: impl FnMut(Option<&[u8]>),
) -> Result<()> {
    messages.clear();
    messages.begin(kind, 0, &[family, 0, 0, 0]);
    for (attribute, name) in names {
        messages.attribute(*attribute, &[name.as_bytes(), &[0]].concat());
    }
    dump(netlink, messages, each).map_err(|error| error.during("list").on("rules of nftables"))
}
