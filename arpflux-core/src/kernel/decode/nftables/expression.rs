//! Rules.

use super::super::legacy::mangled;
use super::{be32, find, name, named, of, register, value, verdict};
use crate::filter::{Comparison, Expression, Family, Header, Meta};
use crate::kernel::netlink::attributes;

/// A rule with its table and chain.
pub(in crate::kernel) fn rule(payload: &[u8]) -> Option<(Family, String, String, Vec<Expression>)> {
    const TABLE: u16 = 1;
    const CHAIN: u16 = 2;
    const EXPRESSIONS: u16 = 4;
    let (family, rest) = of(payload)?;
    let list = find(rest, EXPRESSIONS).map_or(&[][..], |list| list.value);
    let rule = attributes(list).filter_map(|element| expression(element.value, family)).collect();
    Some((family, named(rest, TABLE), named(rest, CHAIN), rule))
}

/// One expression; `None`: it does nothing to the frame.
fn expression(bytes: &[u8], family: Family) -> Option<Expression> {
    const NAME: u16 = 1;
    const DATA: u16 = 2;
    let kind = named(bytes, NAME);
    let data = find(bytes, DATA).map_or(&[][..], |data| data.value);
    let decoded = match kind.as_str() {
        "counter" | "log" | "last" | "notrack" => return None,
        "objref" if is_counter(data) => return None,
        "payload" => payload(data),
        "meta" => return meta(data).unwrap_or(Some(Expression::Unknown { name: kind })),
        "cmp" => compare(data),
        "range" => range(data),
        "bitwise" => bitwise(data),
        "lookup" => lookup(data),
        "immediate" => immediate(data),
        "target" if family == Family::Arp => target(data),
        _ => None,
    };
    Some(decoded.unwrap_or(Expression::Unknown { name: kind }))
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
        1 => Header::Arp,
        // The transport header and what is inside of it.
        2 | 3 => Header::None,
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
        16 => Meta::Absent,
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
