//! Rules of packet filters: what is outside the registers is refused.

use super::impossible;
use crate::error::Result;
use crate::filter::{Answer, Bytes, Expression, Filters, Set};
use crate::snapshot::Snapshot;

/// How many registers there are, in words of four bytes.
const REGISTERS: usize = 20;
/// The longest value (`NFT_DATA_VALUE_MAXLEN`).
const LONGEST: usize = 64;
/// No packet has more bytes.
const FARTHEST: u32 = 0xffff;

/// What is wrong: the field, and why.
type Wrong = (&'static str, String);

pub(super) fn check(snapshot: &Snapshot) -> Result<()> {
    of("filters", &snapshot.filters)?;
    snapshot.discovery.as_ref().map_or(Ok(()), |discovery| of("discovery.filters", &discovery.filters))
}

fn of(place: &str, filters: &Filters) -> Result<()> {
    for (chain, rules) in filters.chains.iter().map(|chain| &chain.rules).enumerate() {
        for (rule, steps) in rules.iter().enumerate() {
            let first = steps.iter().enumerate().find_map(|(at, step)| Some((at, wrong(step)?)));
            if let Some((at, (field, message))) = first {
                let object = format!("{place}.chains[{chain}].rules[{rule}][{at}].{field}");
                return Err(impossible(object, message));
            }
        }
    }
    for (number, set) in filters.sets.iter().enumerate() {
        if let Some((field, message)) = wrong_set(set) {
            return Err(impossible(format!("{place}.sets[{number}].{field}"), message));
        }
    }
    Ok(())
}

fn wrong(step: &Expression) -> Option<Wrong> {
    match step {
        Expression::Load { offset, len, register, .. } | Expression::Write { offset, len, register, .. } => {
            if *offset > FARTHEST {
                return Some(("offset", format!("{offset} is behind every packet")));
            }
            held("register", *register, *len as usize)
        }
        Expression::LoadMeta { register, .. } | Expression::SetMeta { register, .. } => {
            held("register", *register, 4)
        }
        Expression::Lookup { register, to, .. } => {
            held("register", *register, 4).or_else(|| held("to", to.unwrap_or(0), 4))
        }
        Expression::Compare { register, value, .. } | Expression::Value { register, value } => {
            held("register", *register, value.0.len())
        }
        Expression::Range { register, from, to, .. } => {
            held("register", *register, from.0.len().max(to.0.len()))
        }
        Expression::Mask { from, to, mask, xor } => {
            let len = mask.0.len().max(xor.0.len());
            held("from", *from, len).or_else(|| held("to", *to, len))
        }
        Expression::Decide { .. } | Expression::Mangle { .. } | Expression::Unknown { .. } => None,
    }
}

/// Whether so many bytes from a register on are none.
fn held(field: &'static str, register: u8, len: usize) -> Option<Wrong> {
    let fits = len <= LONGEST && usize::from(register) + len.div_ceil(4) <= REGISTERS;
    let message = || format!("{len} bytes from word {register} on: there are {REGISTERS} words");
    (!fits).then(|| (field, message()))
}

fn wrong_set(set: &Set) -> Option<Wrong> {
    let long = |bytes: &Bytes| bytes.0.len() > LONGEST;
    let long_answer = |answer: &Answer| match answer {
        Answer::Value(value) => long(value),
        Answer::Nothing | Answer::Verdict(_) => false,
    };
    let key: usize = set.fields.iter().map(|field| usize::from(*field).next_multiple_of(4)).sum();
    if key > LONGEST {
        return Some(("fields", format!("keys of {key} bytes: a key has {LONGEST} at most")));
    }
    let mut answers = set.elements.iter().map(|element| &element.answer).chain(&set.otherwise);
    let long = answers.any(long_answer) || set.elements.iter().any(|one| long(&one.from) || long(&one.to));
    long.then(|| ("elements", format!("a key or a value has {LONGEST} bytes at most")))
}
