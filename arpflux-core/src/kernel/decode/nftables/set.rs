//! Sets and maps, and what is in them.

use super::{be32, find, named, of, value, verdict};
use crate::filter::{Answer, Bytes, Element, Set};
use crate::kernel::netlink::{Attribute, attributes};

/// A set without its elements; whether they are ends of intervals.
pub(in crate::kernel) fn set(payload: &[u8]) -> Option<(Set, bool)> {
    const TABLE: u16 = 1;
    const NAME: u16 = 2;
    const FLAGS: u16 = 3;
    const KEY_LEN: u16 = 5;
    const DESCRIPTION: u16 = 9;
    const CONCATENATION: u16 = 2;
    const FIELD_LEN: u16 = 1;
    const INTERVAL: u32 = 0x4;
    // Elements time out, or rules add them, or they stand for objects.
    const CHANGES: u32 = 0x10 | 0x20 | 0x40;
    let (family, rest) = of(payload)?;
    let flags = find(rest, FLAGS).map_or(0, |flags| be32(&flags));
    let fields: Vec<u8> = find(rest, DESCRIPTION)
        .and_then(|description| find(description.value, CONCATENATION))
        .map(|list| {
            let len = |field: Attribute<'_>| find(field.value, FIELD_LEN).map_or(0, |len| be32(&len) as u8);
            list.nested().map(len).collect()
        })
        .unwrap_or_default();
    let whole = || find(rest, KEY_LEN).map_or(0, |len| be32(&len) as u8);
    let set = Set {
        family,
        table: named(rest, TABLE),
        name: named(rest, NAME),
        fields: if fields.is_empty() { vec![whole()] } else { fields },
        changes: flags & CHANGES != 0,
        elements: Vec::new(),
        otherwise: None,
    };
    Some((set, flags & INTERVAL != 0))
}

/// One end of an interval, or a whole element.
pub(in crate::kernel) struct Bound {
    key: Bytes,
    /// The last key, where the kernel says so.
    last: Option<Bytes>,
    /// The interval before ends here.
    ends: bool,
    answer: Answer,
}

/// Adds the elements of a message to those read before.
pub(in crate::kernel) fn elements(payload: &[u8], set: &mut Set, bounds: &mut Vec<Bound>) {
    const ELEMENTS: u16 = 3;
    const KEY: u16 = 1;
    const DATA: u16 = 2;
    const FLAGS: u16 = 3;
    const EXPRESSION: u16 = 7;
    const KEY_END: u16 = 10;
    const EXPRESSIONS: u16 = 11;
    const INTERVAL_END: u32 = 1;
    const CATCH_ALL: u32 = 2;
    let Some((_, rest)) = of(payload) else { return };
    let list = find(rest, ELEMENTS).map_or(&[][..], |list| list.value);
    for element in attributes(list) {
        let bytes = element.value;
        let flags = find(bytes, FLAGS).map_or(0, |flags| be32(&flags));
        let answer = match find(bytes, DATA) {
            None => Answer::Nothing,
            Some(data) => match (verdict(&data), value(&data)) {
                (Some(verdict), _) => Answer::Verdict(verdict),
                (None, Some(value)) => Answer::Value(value),
                (None, None) => Answer::Nothing,
            },
        };
        // Elements with a limit of their own.
        let counts = |inner: &[u8]| named(inner, 1) == "counter";
        let single = find(bytes, EXPRESSION).is_none_or(|expression| counts(expression.value));
        let listed = find(bytes, EXPRESSIONS)
            .is_none_or(|list| list.nested().all(|expression| counts(expression.value)));
        set.changes |= !(single && listed);
        if flags & CATCH_ALL != 0 {
            set.otherwise = Some(answer);
            continue;
        }
        let Some(key) = find(bytes, KEY).and_then(|key| value(&key)) else {
            set.changes = true;
            continue;
        };
        let last = find(bytes, KEY_END).and_then(|key| value(&key));
        bounds.push(Bound { key, last, ends: flags & INTERVAL_END != 0, answer });
    }
}

impl Bound {
    /// Whole elements out of all bounds of a set. `intervals`: an element lasts up to the next bound.
    pub(in crate::kernel) fn join(mut bounds: Vec<Bound>, intervals: bool) -> Vec<Element> {
        if !intervals || bounds.iter().any(|bound| bound.last.is_some()) {
            let whole = |bound: Bound| Element {
                to: bound.last.unwrap_or_else(|| bound.key.clone()),
                from: bound.key,
                answer: bound.answer,
            };
            return bounds.into_iter().filter(|bound| !bound.ends).map(whole).collect();
        }
        // Where one ends another may begin.
        bounds.sort_by(|one, other| (&one.key, !one.ends).cmp(&(&other.key, !other.ends)));
        let mut elements: Vec<Element> = Vec::new();
        let mut open = false;
        for bound in bounds {
            if open && let Some(element) = elements.last_mut() {
                element.to = before(&bound.key);
            }
            open = !bound.ends;
            if open {
                let last = Bytes(vec![0xff; bound.key.0.len()]);
                elements.push(Element { from: bound.key, to: last, answer: bound.answer });
            }
        }
        elements
    }
}

/// The key before another one.
fn before(key: &Bytes) -> Bytes {
    let mut bytes = key.0.clone();
    for byte in bytes.iter_mut().rev() {
        let (less, borrows) = byte.overflowing_sub(1);
        *byte = less;
        if !borrows {
            break;
        }
    }
    Bytes(bytes)
}
