//! Rules of packet filters: which of the values that they compare are addresses, MACs and names, told by where they were loaded
//! from.

use std::collections::BTreeMap;

use super::origins::{From, Part, REGISTERS, known, parts, plain};
use super::records::Pass;
use super::words::Of;
use super::{Space, unsupported};
use crate::error::Result;
use crate::filter::{
    Answer, Bytes, Chain, Comparison, Element, Expression, Family, Filters, Meta, Protocol, Set, Verdict,
};

/// What is looked up in a set, and what it gives; `None`: nothing that anybody looks at.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    key: Vec<Part>,
    data: Option<Vec<Part>>,
}

/// The contents of sets, by family, table and name.
type Known = BTreeMap<(&'static str, String, String), Contents>;

pub(super) fn walk(filters: &mut Filters, pass: &mut Pass<'_>) -> Result<()> {
    let Filters { chains, sets } = filters;
    let mut known = Known::new();
    for chain in chains.iter_mut() {
        let (family, table) = (chain.family, chain.table.clone());
        for steps in &mut chain.rules {
            rule(family, &table, steps, sets, &mut known, pass)?;
        }
    }
    for set in sets.iter_mut() {
        contents(set, known.get(&(set.family.title(), set.table.clone(), set.name.clone())), pass)?;
    }
    for Chain { family, table, name, base, rules } in chains {
        for step in rules.iter_mut().flatten() {
            match step {
                Expression::Lookup { set, .. } => pass.word(Of::Set, set)?,
                Expression::Decide { verdict: to } | Expression::Mangle { verdict: to, .. } => {
                    verdict(to, pass)?;
                }
                Expression::Unknown { name } => pass.word(Of::Word, name)?,
                _ => {}
            }
        }
        titles(*family, table, name, pass)?;
        let devices = base.iter_mut().flat_map(|base| &mut base.devices);
        devices.into_iter().try_for_each(|name| pass.device(name, true))?;
    }
    for Set { family, table, name, fields: _, changes: _, elements, otherwise } in sets {
        let answers = elements.iter_mut().map(|element| &mut element.answer).chain(otherwise);
        for answer in answers {
            if let Answer::Verdict(to) = answer {
                verdict(to, pass)?;
            }
        }
        pass.word(Of::Set, name)?;
        table_name(*family, table, pass)?;
    }
    Ok(())
}

fn titles(family: Family, table: &mut String, name: &mut String, pass: &mut Pass<'_>) -> Result<()> {
    pass.word(Of::Chain, name)?;
    table_name(family, table, pass)
}

/// Traffic control's tables are devices.
fn table_name(family: Family, table: &mut String, pass: &mut Pass<'_>) -> Result<()> {
    if family == Family::TrafficControl { pass.device(table, false) } else { pass.word(Of::Table, table) }
}

fn verdict(verdict: &mut Verdict, pass: &mut Pass<'_>) -> Result<()> {
    match verdict {
        Verdict::Jump(chain) | Verdict::Goto(chain) => pass.word(Of::Chain, chain),
        _ => Ok(()),
    }
}

/// The values in one rule.
fn rule(
    family: Family,
    table: &str,
    steps: &mut [Expression],
    sets: &[Set],
    contents: &mut Known,
    pass: &mut Pass<'_>,
) -> Result<()> {
    let mut live: Vec<Protocol> =
        [Protocol::Arp, Protocol::Discovery].into_iter().filter(|protocol| protocol.passes(family)).collect();
    let mut meta: [Option<Meta>; REGISTERS] = [None; REGISTERS];
    let mut from = [From::Anything; REGISTERS];
    let mut is_end_of_range = false;
    for at in 0..steps.len() {
        let (step, later) = steps[at..].split_first_mut().ok_or_else(|| unsupported("an empty rule"))?;
        let dead = live.is_empty();
        match step {
            Expression::Load { header, offset, len, register } => {
                let first = live.first().and_then(|protocol| protocol.start(*header));
                let frame = |byte: usize| {
                    first.map_or(From::Plain, |first| From::Frame(first + *offset as usize + byte, 0xff))
                };
                // A header that none of the frames has ends the rule.
                live.retain(|protocol| protocol.start(*header).is_some());
                set(&mut from, &mut meta, *register, *len as usize, None, frame);
            }
            Expression::LoadMeta { meta: what, register } => {
                let len = if matches!(what, Meta::Iifname | Meta::Oifname | Meta::Unknown) { 16 } else { 4 };
                set(&mut from, &mut meta, *register, len, Some(*what), |byte| match what {
                    Meta::Iifname | Meta::Oifname => From::Name(byte),
                    Meta::Unknown => From::Anything,
                    _ => From::Plain,
                });
                if *what == Meta::Absent {
                    live.clear();
                }
            }
            Expression::Mask { from: read, to, mask, xor } => {
                let old = from;
                let bits = |of: &Bytes, byte: usize| of.0.get(byte).copied().unwrap_or(0);
                for byte in 0..mask.0.len() {
                    let was = old.get(usize::from(*read) * 4 + byte).copied().unwrap_or(From::Anything);
                    let new = match was {
                        From::Frame(place, before) => From::Frame(place, before & bits(mask, byte)),
                        From::Name(_) if bits(mask, byte) != 0xff => From::Anything,
                        other => other,
                    };
                    let turned =
                        bits(xor, byte) != 0 && matches!(new, From::Frame(..) | From::Name(_) | From::Map);
                    if turned && !dead && !plain(&live, new) {
                        return Err(unsupported(
                            "a packet filter turns bits of an address before it looks at it",
                        ));
                    }
                    if let Some(place) = from.get_mut(usize::from(*to) * 4 + byte) {
                        *place = new;
                    }
                }
                meta[(usize::from(*to) * 4).min(REGISTERS - 1)] = None;
            }
            Expression::Compare { register, by, value } => {
                let start = usize::from(*register) * 4;
                let held = from.get(start..start + value.0.len());
                if let (Comparison::Equal | Comparison::NotEqual, Some(held)) = (&by, held) {
                    let equal = *by == Comparison::Equal;
                    let of = meta.get(start).copied().flatten();
                    let may = |protocol: &Protocol| {
                        known(*protocol, family, of, held, &value.0).is_none_or(|is| is == equal)
                    };
                    live.retain(may);
                }
                let ordered = !matches!(by, Comparison::Equal | Comparison::NotEqual);
                // A range is written as its two ends, one after the other.
                let other = match later.first_mut() {
                    Some(Expression::Compare { register: of, by: Comparison::AtMost, value: other })
                        if *by == Comparison::AtLeast && of == register && other.0.len() == value.0.len() =>
                    {
                        Some(other)
                    }
                    _ => None,
                };
                match (dead, held, other) {
                    _ if std::mem::take(&mut is_end_of_range) => {}
                    (false, Some(held), Some(other)) if !held.contains(&From::Anything) => {
                        is_end_of_range = true;
                        for part in parts(&live, held)? {
                            ends(part, &mut value.0, &mut other.0, pass)?;
                        }
                    }
                    (false, Some(held), _) => compare(&live, held, ordered, &mut value.0, pass)?,
                    _ => value.0.fill(0),
                }
            }
            Expression::Range { register, from: low, to: high, negated: _ } => {
                let start = usize::from(*register) * 4;
                match (dead, from.get(start..start + low.0.len())) {
                    (false, Some(held)) if low.0.len() == high.0.len() => {
                        for part in parts(&live, held)? {
                            ends(part, &mut low.0, &mut high.0, pass)?;
                        }
                    }
                    _ => [low, high].into_iter().for_each(|end| end.0.fill(0)),
                }
            }
            Expression::Lookup { set: name, register, negated: _, to } => {
                let place = (family.title(), table.to_owned(), name.clone());
                let of = |set: &&Set| set.family == family && set.table == table && set.name == *name;
                let Some(looked) = sets.iter().find(of) else { continue };
                let len: usize =
                    looked.fields.iter().map(|field| usize::from(*field).next_multiple_of(4)).sum();
                let start = usize::from(*register) * 4;
                if !dead && let Some(held) = from.get(start..(start + len).min(REGISTERS)) {
                    let key = parts(&live, held)?;
                    let data = to.map_or(Ok(None), |to| data(&live, to, later))?;
                    let new = Contents { key, data };
                    if contents.get(&place).is_some_and(|known| *known != new) {
                        return Err(unsupported(
                            "rules of a packet filter look for different things in one set",
                        ));
                    }
                    contents.insert(place, new);
                }
                if let Some(to) = to.filter(|to| *to >= 4) {
                    set(&mut from, &mut meta, to, 16, None, |_| From::Map);
                }
            }
            Expression::Value { register, value } => {
                let parts = if dead { None } else { data(&live, *register, later)? };
                datum(parts.as_deref(), value, pass)?;
                set(&mut from, &mut meta, *register, value.0.len(), None, |_| From::Plain);
            }
            Expression::Mangle { flags: _, sender_mac, target_mac, sender, target, verdict: _ } => {
                for (bytes, space, len) in [
                    (sender_mac, Space::Mac, 6),
                    (target_mac, Space::Mac, 6),
                    (sender, Space::V4, 4),
                    (target, Space::V4, 4),
                ] {
                    if bytes.0.len() == len {
                        pass.value(space, &mut bytes.0, 8 * len as u8);
                    } else {
                        bytes.0.fill(0);
                    }
                }
            }
            Expression::Write { .. }
            | Expression::SetMeta { .. }
            | Expression::Decide { .. }
            | Expression::Unknown { .. } => {}
        }
    }
    Ok(())
}

fn set(
    from: &mut [From; REGISTERS],
    meta: &mut [Option<Meta>; REGISTERS],
    register: u8,
    len: usize,
    what: Option<Meta>,
    of: impl Fn(usize) -> From,
) {
    let start = usize::from(register) * 4;
    for byte in 0..len.next_multiple_of(4) {
        if let (Some(place), Some(known)) = (from.get_mut(start + byte), meta.get_mut(start + byte)) {
            *place = if byte < len { of(byte) } else { From::Plain };
            *known = what;
        }
    }
}

/// What data is that a rule loads into a register: told by what the rule does with it. `None`: nothing.
fn data(live: &[Protocol], register: u8, later: &[Expression]) -> Result<Option<Vec<Part>>> {
    for step in later {
        match step {
            Expression::SetMeta { register: used, .. } if *used == register => return Ok(Some(Vec::new())),
            Expression::Write { header, offset, len, register: used } if *used == register => {
                let Some(first) = live.first().and_then(|protocol| protocol.start(*header)) else { continue };
                let first = first + *offset as usize;
                let frame: Vec<From> =
                    (0..*len as usize).map(|byte| From::Frame(first + byte, 0xff)).collect();
                return Ok(Some(parts(live, &frame)?));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn datum(parts: Option<&[Part]>, value: &mut Bytes, pass: &mut Pass<'_>) -> Result<()> {
    match parts {
        Some(parts) => parts.iter().try_for_each(|part| whole(*part, &mut value.0, pass)),
        None => {
            value.0.fill(0);
            Ok(())
        }
    }
}

/// What is in a set. Where nobody looks, nothing is left.
fn contents(set: &mut Set, known: Option<&Contents>, pass: &mut Pass<'_>) -> Result<()> {
    let Some(known) = known else {
        set.elements.clear();
        set.otherwise = None;
        return Ok(());
    };
    let single = set.fields.len() <= 1;
    for element in &mut set.elements {
        let Element { from, to, answer: _ } = element;
        for part in &known.key {
            if single && from != to && part.len != from.0.len() {
                return Err(unsupported("a set of a packet filter has ranges of more than addresses"));
            }
            ends(*part, &mut from.0, &mut to.0, pass)?;
        }
    }
    let answers = set.elements.iter_mut().map(|element| &mut element.answer).chain(&mut set.otherwise);
    for answer in answers {
        if let Answer::Value(value) = answer {
            datum(known.data.as_deref(), value, pass)?;
        }
    }
    Ok(())
}

/// Replaces a part of the ends of a range.
fn ends(part: Part, low: &mut [u8], high: &mut [u8], pass: &mut Pass<'_>) -> Result<()> {
    let place = part.at..part.at + part.len;
    let (Some(low), Some(high)) = (low.get_mut(place.clone()), high.get_mut(place)) else { return Ok(()) };
    if low == high {
        replace(part, low, pass)?;
        high.copy_from_slice(low);
        return Ok(());
    }
    match part.space {
        Some(space) if usize::from(part.bits) == 8 * part.len => pass.range(space, low, high),
        Some(_) => Err(unsupported("a packet filter looks for ranges of masked addresses")),
        // All names that begin alike.
        None => {
            let len = low.iter().position(|byte| *byte == 0).unwrap_or(low.len());
            if low[..len] != high[..len] || high[len..].iter().any(|byte| *byte != 0xff) {
                return Err(unsupported("a packet filter looks whether a name is above or below another"));
            }
            let mut start = low[..len].to_vec();
            pass.device_bytes(&mut start, true)?;
            for (end, behind) in [(low, 0), (high, 0xff)] {
                end.fill(behind);
                end.iter_mut().zip(&start).for_each(|(byte, new)| *byte = *new);
            }
            Ok(())
        }
    }
}

fn compare(
    live: &[Protocol],
    held: &[From],
    ordered: bool,
    value: &mut Vec<u8>,
    pass: &mut Pass<'_>,
) -> Result<()> {
    if held.contains(&From::Anything) {
        value.fill(0);
        return Ok(());
    }
    for part in parts(live, held)? {
        if ordered {
            return Err(unsupported("a packet filter looks whether an address is above or below another"));
        }
        if part.space.is_none() && part.len == value.len() {
            return compared_name(value, pass);
        }
        whole(part, value, pass)?;
    }
    Ok(())
}

/// A name with zeros behind, or what names begin with.
fn compared_name(value: &mut Vec<u8>, pass: &mut Pass<'_>) -> Result<()> {
    let len = value.len();
    let end = value.iter().position(|byte| *byte == 0);
    value.truncate(end.unwrap_or(len));
    pass.device_bytes(value, end.is_none())?;
    if end.is_some() {
        value.resize(len.max(value.len() + 1), 0);
    }
    Ok(())
}

/// Replaces a part of a value.
fn whole(part: Part, value: &mut [u8], pass: &mut Pass<'_>) -> Result<()> {
    value.get_mut(part.at..part.at + part.len).map_or(Ok(()), |bytes| replace(part, bytes, pass))
}

fn replace(part: Part, bytes: &mut [u8], pass: &mut Pass<'_>) -> Result<()> {
    let Some(space) = part.space else {
        let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let mut name = bytes[..len].to_vec();
        pass.device_bytes(&mut name, false)?;
        if name.len() > bytes.len() {
            return Err(unsupported("a packet filter looks at a part of a name"));
        }
        bytes.fill(0);
        bytes[..name.len()].copy_from_slice(&name);
        return Ok(());
    };
    if super::left(bytes) & !super::mask(part.bits) != 0 {
        return Err(unsupported("a packet filter compares an address with one that it cannot be"));
    }
    pass.value(space, bytes, part.bits);
    Ok(())
}
