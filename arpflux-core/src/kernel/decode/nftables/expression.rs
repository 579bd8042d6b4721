//! Rules.

use super::super::legacy::mangled;
use super::{be32, find, name, named, of, register, value, verdict, xtables};
use crate::filter::{Comparison, Expression, Family, Header, Meta, Verdict};
use crate::kernel::netlink::attributes;

/// A rule with its table and chain; `None`: of another family, or for IPv4 alone.
pub(in crate::kernel) fn rule(payload: &[u8]) -> Option<(Family, String, String, Vec<Expression>)> {
    const TABLE: u16 = 1;
    const CHAIN: u16 = 2;
    const EXPRESSIONS: u16 = 4;
    let (family, rest) = of(payload)?;
    let list = find(rest, EXPRESSIONS).map_or(&[][..], |list| list.value);
    let rule: Vec<Expression> =
        attributes(list).flat_map(|element| expression(element.value, family)).collect();
    if family == Family::Inet && is_for_ipv4(&rule) {
        return None;
    }
    Some((family, named(rest, TABLE), named(rest, CHAIN), rule))
}

/// Whether a rule looks at the packet's family first and goes on with IPv4 alone.
fn is_for_ipv4(rule: &[Expression]) -> bool {
    const IPV4: u8 = 2;
    let asks = |expression: &&Expression| {
        matches!(
            expression,
            Expression::Load { .. }
                | Expression::LoadMeta { .. }
                | Expression::Mask { .. }
                | Expression::Compare { .. }
                | Expression::Range { .. }
                | Expression::Lookup { to: None, .. }
        )
    };
    let asked = rule.iter().take_while(asks).count();
    rule[..asked].windows(2).any(|pair| match pair {
        [
            Expression::LoadMeta { meta: Meta::Family, register: loaded },
            Expression::Compare { register, by: Comparison::Equal, value },
        ] => loaded == register && value.0 == [IPV4],
        _ => false,
    })
}

/// What one expression does; nothing of what does nothing to the frame.
fn expression(bytes: &[u8], family: Family) -> Vec<Expression> {
    const NAME: u16 = 1;
    const DATA: u16 = 2;
    let kind = named(bytes, NAME);
    let data = find(bytes, DATA).map_or(&[][..], |data| data.value);
    let ipv6 = matches!(family, Family::Ip6 | Family::Inet);
    let decoded = match kind.as_str() {
        "counter" | "log" | "last" | "notrack" => return Vec::new(),
        "objref" if is_counter(data) => return Vec::new(),
        "payload" => payload(data),
        "meta" => match meta(data) {
            Some(decoded) => return decoded.into_iter().collect(),
            None => None,
        },
        "ct" if ipv6 => match connection(data) {
            Some(decoded) => return decoded.into_iter().collect(),
            None => None,
        },
        "reject" => Some(Expression::Decide { verdict: Verdict::Drop }),
        "match" | "target" if ipv6 => match xtables::decode(&kind, data) {
            Some(decoded) => return decoded,
            None => None,
        },
        "cmp" => compare(data),
        "range" => range(data),
        "bitwise" => bitwise(data),
        "lookup" => lookup(data),
        "immediate" => immediate(data),
        "target" if family == Family::Arp => target(data),
        _ => None,
    };
    vec![decoded.unwrap_or(Expression::Unknown { name: kind })]
}

/// Whether a named object is a counter.
fn is_counter(data: &[u8]) -> bool {
    const KIND: u16 = 1;
    const COUNTER: u32 = 1;
    find(data, KIND).is_some_and(|kind| be32(&kind) == COUNTER)
}

fn payload(data: &[u8]) -> Option<Expression> {
    let number = |kind| find(data, kind).map(|attribute| be32(&attribute));
    let header = match number(2)? {
        0 => Header::Link,
        1 => Header::Network,
        2 => Header::Transport,
        // What is inside of that.
        3 => Header::None,
        _ => return None,
    };
    let (offset, len) = (number(3)?, number(4)?);
    if offset > 0xff || len > 16 {
        return None;
    }
    let into = find(data, 1).and_then(|attribute| register(&attribute));
    let from = find(data, 5).and_then(|attribute| register(&attribute));
    match (into, from) {
        (Some(register), None) => Some(Expression::Load { header, offset, len, register }),
        (None, Some(register)) => Some(Expression::Write { header, offset, len, register }),
        _ => None,
    }
}

/// The outer `None`: it is not understood; the inner: it does nothing.
fn meta(data: &[u8]) -> Option<Option<Expression>> {
    const PRIORITY: u32 = 2;
    const NFTRACE: u32 = 12;
    let key = be32(&find(data, 2)?);
    let meta = match key {
        1 => Meta::Protocol,
        3 => Meta::Mark,
        4 => Meta::Iif,
        5 => Meta::Oif,
        6 => Meta::Iifname,
        7 => Meta::Oifname,
        8 => Meta::Iiftype,
        9 => Meta::Oiftype,
        15 => Meta::Family,
        16 => Meta::L4protocol,
        19 => Meta::PacketType,
        21 => Meta::Iifgroup,
        22 => Meta::Oifgroup,
        _ => Meta::Unknown,
    };
    let into = find(data, 1).and_then(|attribute| register(&attribute));
    let from = find(data, 3).and_then(|attribute| register(&attribute));
    match (into, from) {
        (Some(register), None) => Some(Some(Expression::LoadMeta { meta, register })),
        (None, Some(_)) if key == PRIORITY || key == NFTRACE => Some(None),
        (None, Some(register)) if matches!(meta, Meta::Mark | Meta::PacketType) => {
            Some(Some(Expression::SetMeta { meta, register }))
        }
        _ => None,
    }
}

/// The outer `None`: it is not understood; the inner: it does nothing, as there is no connection.
fn connection(data: &[u8]) -> Option<Option<Expression>> {
    const STATE: u32 = 0;
    let key = be32(&find(data, 2)?);
    let Some(into) = find(data, 1) else { return Some(None) };
    let meta = if key == STATE { Meta::ConntrackState } else { Meta::Absent };
    Some(Some(Expression::LoadMeta { meta, register: register(&into)? }))
}

fn compare(data: &[u8]) -> Option<Expression> {
    let by = match be32(&find(data, 2)?) {
        0 => Comparison::Equal,
        1 => Comparison::NotEqual,
        2 => Comparison::Less,
        3 => Comparison::AtMost,
        4 => Comparison::Greater,
        5 => Comparison::AtLeast,
        _ => return None,
    };
    Some(Expression::Compare { register: register(&find(data, 1)?)?, by, value: value(&find(data, 3)?)? })
}

fn range(data: &[u8]) -> Option<Expression> {
    let negated = match be32(&find(data, 2)?) {
        0 => false,
        1 => true,
        _ => return None,
    };
    let (from, to) = (value(&find(data, 3)?)?, value(&find(data, 4)?)?);
    Some(Expression::Range { register: register(&find(data, 1)?)?, negated, from, to })
}

fn bitwise(data: &[u8]) -> Option<Expression> {
    const SECOND_REGISTER: u16 = 8;
    // Other operations shift.
    if find(data, 6).is_some_and(|operation| be32(&operation) != 0) || find(data, SECOND_REGISTER).is_some() {
        return None;
    }
    Some(Expression::Mask {
        from: register(&find(data, 1)?)?,
        to: register(&find(data, 2)?)?,
        mask: value(&find(data, 4)?)?,
        xor: value(&find(data, 5)?)?,
    })
}

fn lookup(data: &[u8]) -> Option<Expression> {
    const INVERTED: u32 = 1;
    Some(Expression::Lookup {
        set: name(&find(data, 1)?),
        register: register(&find(data, 2)?)?,
        negated: find(data, 5).is_some_and(|flags| be32(&flags) & INVERTED != 0),
        to: match find(data, 3) {
            Some(into) => Some(register(&into)?),
            None => None,
        },
    })
}

fn immediate(data: &[u8]) -> Option<Expression> {
    let (into, what) = (register(&find(data, 1)?)?, find(data, 2)?);
    match into {
        0 => Some(Expression::Decide { verdict: verdict(&what)? }),
        register => Some(Expression::Value { register, value: value(&what)? }),
    }
}

/// `arptables -j mangle`: `struct arpt_mangle`.
fn target(data: &[u8]) -> Option<Expression> {
    const NAME: u16 = 1;
    const INFO: u16 = 3;
    if named(data, NAME) != "mangle" {
        return None;
    }
    mangled(find(data, INFO)?.value)
}
