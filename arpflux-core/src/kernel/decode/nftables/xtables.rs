//! Matches and targets of ip6tables in rules of nftables, as `ip6tables-nft` writes them (`linux/netfilter/x_tables.h`).

use super::{be32, find, named};
use crate::filter::{Bytes, Comparison, Expression, Header, Meta, Verdict};

/// Where rules of nftables keep what they compare.
const REGISTER: u8 = 4;

/// What one does with a frame of neighbour discovery; `None`: it is not understood.
pub(super) fn decode(kind: &str, data: &[u8]) -> Option<Vec<Expression>> {
    const NAME: u16 = 1;
    const REVISION: u16 = 2;
    const INFO: u16 = 3;
    let info = find(data, INFO).map_or(&[][..], |info| info.value);
    let revision = find(data, REVISION).map_or(0, |revision| be32(&revision));
    match (kind, named(data, NAME).as_str()) {
        ("match", "comment") | ("target", "LOG" | "NFLOG" | "TRACE") => Some(Vec::new()),
        ("target", "REJECT") => Some(vec![Expression::Decide { verdict: Verdict::Drop }]),
        ("match", "icmp6") => message(info),
        ("match", "hl") => hop_limit(info),
        // The headers between IPv6 and its message, of which there are none.
        ("match", "rt") => Some(vec![never()]),
        ("match", "conntrack") if revision >= 2 => connection(info),
        ("match", "state") => {
            let mask: [u8; 4] = *info.first_chunk()?;
            Some(state(u32::from_ne_bytes(mask), false))
        }
        _ => None,
    }
}

const fn never() -> Expression {
    Expression::LoadMeta { meta: Meta::Absent, register: REGISTER }
}

fn loaded(header: Header, offset: u32) -> Expression {
    Expression::Load { header, offset, len: 1, register: REGISTER }
}

fn compared(by: Comparison, value: u8) -> Expression {
    Expression::Compare { register: REGISTER, by, value: Bytes(vec![value]) }
}

/// `struct ip6t_icmp`.
fn message(info: &[u8]) -> Option<Vec<Expression>> {
    const INVERTED: u8 = 1;
    let [kind, lowest, highest, flags] = *info.first_chunk()?;
    match (kind, lowest, highest, flags) {
        // The code of solicitations and advertisements is 0.
        (_, 0, _, 0) => Some(vec![loaded(Header::Transport, 0), compared(Comparison::Equal, kind)]),
        (_, 0, _, INVERTED) => Some(vec![loaded(Header::Transport, 0), compared(Comparison::NotEqual, kind)]),
        _ => None,
    }
}

/// `struct ip6t_hl_info`.
fn hop_limit(info: &[u8]) -> Option<Vec<Expression>> {
    let [mode, value] = *info.first_chunk()?;
    let by = match mode {
        0 => Comparison::Equal,
        1 => Comparison::NotEqual,
        2 => Comparison::Less,
        3 => Comparison::Greater,
        _ => return None,
    };
    Some(vec![loaded(Header::Network, 7), compared(by, value)])
}

/// `struct xt_conntrack_mtinfo2` and `3`: without a connection the state alone matches.
fn connection(info: &[u8]) -> Option<Vec<Expression>> {
    const STATE: u16 = 1;
    // `XT_CONNTRACK_STATE_INVALID` and `XT_CONNTRACK_STATE_UNTRACKED`, which has another place there.
    const INVALID: u16 = 1;
    const UNTRACKED: u16 = 1 << 8;
    let word = |at: usize| -> Option<u16> { Some(u16::from_ne_bytes(*info.get(at..)?.first_chunk()?)) };
    let (flags, inverted, states) = (word(146)?, word(148)?, word(150)?);
    if flags & STATE == 0 {
        return Some(vec![never()]);
    }
    let mask = u32::from(states & INVALID) | u32::from(states & UNTRACKED != 0) << 6;
    Some(state(mask, inverted & STATE != 0))
}

fn state(mask: u32, inverted: bool) -> Vec<Expression> {
    let zeros = || Bytes(vec![0; 4]);
    vec![
        Expression::LoadMeta { meta: Meta::ConntrackState, register: REGISTER },
        Expression::Mask {
            from: REGISTER,
            to: REGISTER,
            mask: Bytes(mask.to_ne_bytes().to_vec()),
            xor: zeros(),
        },
        Expression::Compare {
            register: REGISTER,
            by: if inverted { Comparison::Equal } else { Comparison::NotEqual },
            value: zeros(),
        },
    ]
}
