//! Filters of traffic control (`linux/pkt_cls.h`, `linux/tc_act`), told in the words of nftables.

use nix::libc;

use super::{split, word};
use crate::filter::{Bytes, Comparison, Expression, Header, Meta, Verdict};
use crate::kernel::netlink::{Attribute, attributes};
use crate::kernel::uapi::{TCA_CHAIN, TCA_KIND, TCA_OPTIONS};
use crate::types::IfIndex;

/// `TCA_CLS_FLAGS_SKIP_SW`, `TCA_CLS_FLAGS_IN_HW`.
const SKIP_SW_OR_IN_HW: u32 = 1 << 1 | 1 << 2;

/// Any register will do: each condition loads it anew.
const REGISTER: u8 = 4;

/// A filter that ARP frames may meet.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::kernel) struct Filter {
    /// Filters of one priority are one classifier.
    pub(in crate::kernel) priority: u16,
    /// How it classifies: `u32`, `flower` …
    pub(in crate::kernel) kind: String,
    pub(in crate::kernel) does: Does,
}

/// What a filter does.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::kernel) enum Does {
    /// Conditions, and a verdict.
    Rule(Vec<Expression>),
    /// Whatever that program or action does.
    Program(String),
}

/// A filter of `RTM_NEWTFILTER`; `None`: ARP frames do not meet it.
pub(in crate::kernel) fn filter(payload: &[u8]) -> Option<Filter> {
    let (fixed, rest) = split::<20>(payload)?;
    let info = word(fixed, 16);
    let (priority, protocol) = ((info >> 16) as u16, u16::from_be(info as u16));
    let find = |kind| attributes(rest).find(|attribute| attribute.kind == kind);
    // Other chains are reached by actions, which are not followed.
    if find(TCA_CHAIN).and_then(|chain| chain.u32()).unwrap_or(0) != 0 {
        return None;
    }
    let kind = String::from_utf8_lossy(find(TCA_KIND)?.text()).escape_default().to_string();
    // Each classifier is also told by itself, without options.
    let options = find(TCA_OPTIONS)?;
    let mut rule = Rule::default();
    match i32::from(protocol) {
        0 | libc::ETH_P_ALL => {}
        // What has a tag has the protocol of the tag.
        libc::ETH_P_ARP | libc::ETH_P_8021Q | libc::ETH_P_8021AD => {
            rule.0.push(Expression::LoadMeta { meta: Meta::Protocol, register: REGISTER });
            let value = Bytes(protocol.to_be_bytes().to_vec());
            rule.0.push(Expression::Compare { register: REGISTER, by: Comparison::Equal, value });
        }
        _ => return None,
    }
    let actions = match kind.as_str() {
        "u32" => rule.u32(&options)?,
        "flower" => rule.flower(&options)?,
        "matchall" => {
            rule.flags(options.nested().find(|option| option.kind == 3));
            options.nested().find(|option| option.kind == 2)
        }
        "bpf" => {
            let name = options.nested().find(|option| option.kind == 7);
            let name = name.map_or("bpf".into(), |name| String::from_utf8_lossy(name.text()).into_owned());
            return Some(Filter { priority, does: Does::Program(name.escape_default().to_string()), kind });
        }
        // Where its actions are is not known.
        _ => return Some(Filter { priority, does: Does::Program(kind.clone()), kind }),
    };
    let does = match decision(actions) {
        Ok(verdict) => {
            rule.0.push(Expression::Decide { verdict });
            Does::Rule(rule.0)
        }
        Err(action) => Does::Program(format!("{kind} with action {action}")),
    };
    Some(Filter { priority, kind, does })
}

/// Whether frames of IPv6 meet a filter of `RTM_NEWTFILTER`.
pub(in crate::kernel) fn sees_ipv6(payload: &[u8]) -> bool {
    // What cannot be read may be for anything. What has a tag has the protocol of the tag.
    split::<20>(payload).is_none_or(|(fixed, _)| {
        let protocol = i32::from(u16::from_be(word(fixed, 16) as u16));
        [0, libc::ETH_P_ALL, libc::ETH_P_IPV6, libc::ETH_P_8021Q, libc::ETH_P_8021AD].contains(&protocol)
    })
}

/// What a list of actions comes to (`tcf_action_exec()`); of one that is not understood the name.
fn decision(actions: Option<Attribute<'_>>) -> Result<Verdict, String> {
    const ACT_KIND: u16 = 1;
    const ACT_OPTIONS: u16 = 2;
    const PARMS: u16 = 2;
    /// `TCA_GACT_PROB`, `TCA_MIRRED_BLOCKID`.
    const MORE: [u16; 2] = [3, 4];
    const EGRESS_REDIRECT: i32 = 1;
    const INGRESS_REDIRECT: i32 = 3;
    for action in actions.iter().flat_map(Attribute::nested) {
        let find = |kind| action.nested().find(|attribute| attribute.kind == kind);
        let kind = find(ACT_KIND).map(|kind| String::from_utf8_lossy(kind.text()).into_owned());
        let kind = kind.unwrap_or_default().escape_default().to_string();
        let unknown = || Err(kind.clone());
        let Some(options) = find(ACT_OPTIONS) else { return unknown() };
        let Some(parms) = options.nested().find(|option| option.kind == PARMS) else { return unknown() };
        let number = |at: usize| parms.value.get(at..)?.first_chunk().copied().map(i32::from_ne_bytes);
        let more = match kind.as_str() {
            "gact" => options.nested().any(|option| option.kind == MORE[0]),
            "mirred" => options.nested().any(|option| option.kind == MORE[1]),
            _ => true,
        };
        let Some(result) = number(8).filter(|_| !more) else { return unknown() };
        if kind == "mirred" {
            let (Some(what), Some(to)) = (number(20), number(24)) else { return unknown() };
            if what == EGRESS_REDIRECT || what == INGRESS_REDIRECT {
                return Ok(Verdict::Redirect { to: IfIndex(to as u32), arrives: what == INGRESS_REDIRECT });
            }
        }
        match result {
            // TC_ACT_UNSPEC, OK, SHOT, PIPE; STOLEN, QUEUED, TRAP.
            -1 => return Ok(Verdict::Continue),
            0 => return Ok(Verdict::Accept),
            2 | 4 | 5 | 8 => return Ok(Verdict::Drop),
            3 => {}
            // To be looked at again, from elsewhere or with other actions.
            _ => return unknown(),
        }
    }
    Ok(Verdict::Accept)
}

/// The fields of an ARP frame: where each begins and how long it is.
const FIELDS: [(usize, usize); 8] = [(0, 6), (6, 6), (12, 2), (14, 8), (22, 6), (28, 4), (32, 6), (38, 4)];
const LEN: usize = 42;
/// Where the ARP packet begins.
const ARP: i32 = 14;

#[derive(Default)]
struct Rule(Vec<Expression>);

impl Rule {
    fn unknown(&mut self) {
        self.0.push(Expression::Unknown { name: "match".into() });
    }

    /// Flags of the classifier: whether the hardware looks instead.
    fn flags(&mut self, flags: Option<Attribute<'_>>) {
        if flags.and_then(|flags| flags.u32()).unwrap_or(0) & SKIP_SW_OR_IN_HW != 0 {
            self.unknown();
        }
    }

    /// The whole frame under a mask, field by field, as addresses are told apart as a whole.
    fn frame(&mut self, value: &[u8; LEN], mask: &[u8; LEN]) {
        for (start, len) in FIELDS {
            let (value, mask) = (&value[start..start + len], &mask[start..start + len]);
            if mask.iter().all(|byte| *byte == 0) {
                continue;
            }
            let (offset, len) = (start as u32, len as u32);
            let masked = value.iter().zip(mask).map(|(value, mask)| value & mask).collect();
            self.0.push(Expression::Load { header: Header::Link, offset, len, register: REGISTER });
            let (mask, xor) = (Bytes(mask.to_vec()), Bytes(vec![0; value.len()]));
            self.0.push(Expression::Mask { from: REGISTER, to: REGISTER, mask, xor });
            let value = Bytes(masked);
            self.0.push(Expression::Compare { register: REGISTER, by: Comparison::Equal, value });
        }
    }

    /// `u32_classify()`: keys of four bytes, counted from the ARP packet. Gives the actions.
    fn u32<'a>(&mut self, options: &Attribute<'a>) -> Option<Option<Attribute<'a>>> {
        const LINK: u16 = 3;
        const DIVISOR: u16 = 4;
        const SELECTION: u16 = 5;
        const ACTIONS: u16 = 7;
        const FLAGS: u16 = 11;
        /// What a filter may have besides: a class, a table, counters, padding.
        const BESIDE: [u16; 4] = [1, 2, 9, 12];
        const TERMINAL: u8 = 1;
        let find = |kind| options.nested().find(|option| option.kind == kind);
        // A hash table, not a filter.
        if find(DIVISOR).is_some() {
            return None;
        }
        let selection = find(SELECTION)?.value;
        let (head, keys) = selection.split_at_checked(16)?;
        // Links lead to other tables.
        let known = [SELECTION, ACTIONS, FLAGS];
        let plain = head[0] == TERMINAL && find(LINK).is_none();
        if !plain
            || options.nested().any(|option| !known.contains(&option.kind) && !BESIDE.contains(&option.kind))
        {
            self.unknown();
        }
        self.flags(find(FLAGS));
        let (mut value, mut mask) = ([0; LEN], [0; LEN]);
        for key in keys.chunks_exact(16).take(usize::from(head[2])) {
            let number = |at: usize| key.get(at..)?.first_chunk().copied().map(i32::from_ne_bytes);
            let (offset, by_header) = (number(8)?, number(12)? != 0);
            for at in 0..4 {
                if key[at] == 0 {
                    continue;
                }
                let place = usize::try_from(i64::from(offset) + i64::from(ARP) + at as i64);
                match place.ok().filter(|place| *place < LEN && !by_header) {
                    // Two keys that want different bits are left open.
                    Some(place) if (value[place] ^ key[4 + at]) & mask[place] & key[at] == 0 => {
                        value[place] = value[place] & mask[place] | key[4 + at] & key[at];
                        mask[place] |= key[at];
                    }
                    _ => self.unknown(),
                }
            }
        }
        self.frame(&value, &mask);
        Some(find(ACTIONS))
    }

    /// `fl_classify()`. Gives the actions.
    fn flower<'a>(&mut self, options: &Attribute<'a>) -> Option<Option<Attribute<'a>>> {
        const ACTIONS: u16 = 3;
        const ETHER_TYPE: u16 = 8;
        const FLAGS: u16 = 22;
        /// A class, counters.
        const BESIDE: [u16; 2] = [1, 86];
        // A key and its mask, which follows it: where in the frame, and how long.
        let keys = [(4, 0, 6), (6, 6, 6), (57, 28, 4), (59, 38, 4), (61, 21, 1), (63, 22, 6), (65, 32, 6)];
        let (mut value, mut mask) = ([0; LEN], [0; LEN]);
        for option in options.nested() {
            if let Some((_, start, len)) = keys.iter().find(|(kind, ..)| *kind == option.kind) {
                value[*start..start + len].copy_from_slice(option.value.get(..*len)?);
            } else if let Some((_, start, len)) = keys.iter().find(|(kind, ..)| kind + 1 == option.kind) {
                mask[*start..start + len].copy_from_slice(option.value.get(..*len)?);
            } else {
                match option.kind {
                    ETHER_TYPE => {
                        value[12..14].copy_from_slice(option.value.get(..2)?);
                        mask[12..14].fill(0xff);
                    }
                    FLAGS => self.flags(Some(option)),
                    ACTIONS => {}
                    kind if BESIDE.contains(&kind) => {}
                    _ => self.unknown(),
                }
            }
        }
        self.frame(&value, &mask);
        Some(options.nested().find(|option| option.kind == ACTIONS))
    }
}

#[cfg(test)]
mod tests;
