//! What the rules look at in a frame's addresses: which addresses they cannot tell apart.

use super::frame::Protocol;
use super::{Comparison, Expression, Filters, Meta, Set};

/// The bytes of all registers.
pub(super) const REGISTERS: usize = 80;

/// Where a byte of a register comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Nothing that this rule loaded: what is there is left from another one.
    Left,
    /// Something else than the frame.
    Beside,
    /// This byte of the frame, with some bits masked and some turned.
    Frame { at: usize, mask: u8, xor: u8 },
}

/// Where the bytes of the registers come from, followed through one rule.
pub(super) struct Origins {
    protocol: Protocol,
    bytes: [Origin; REGISTERS],
}

/// The leading bits of one of the addresses, in a value that is looked at. Addresses are numbers whose first bit is that of
/// the address, of IPv4 with zeros behind.
pub(super) struct Part {
    /// Its first byte in the value.
    place: usize,
    /// How many bits of the address.
    bits: u32,
    /// Which bits are turned.
    xor: u128,
    /// How many bytes.
    bytes: usize,
}

impl Origins {
    pub(super) const fn new(protocol: Protocol) -> Self {
        Self { protocol, bytes: [Origin::Left; REGISTERS] }
    }

    fn set(&mut self, register: u8, len: usize, origin: impl Fn(usize) -> Origin) {
        let start = usize::from(register) * 4;
        // The rest of the last word is set to 0.
        let held = self.bytes.iter_mut().skip(start).take(len.next_multiple_of(4));
        for (at, byte) in held.enumerate() {
            *byte = if at < len { origin(at) } else { Origin::Beside };
        }
    }

    /// Follows what an expression loads.
    pub(super) fn follow(&mut self, expression: &Expression) {
        match expression {
            Expression::Load { header, offset, len, register } => {
                // Of a header that is not there nothing is loaded, and the rule ends.
                let first = *offset as usize + self.protocol.start(*header).unwrap_or(0);
                self.set(*register, *len as usize, |at| Origin::Frame { at: first + at, mask: 0xff, xor: 0 });
            }
            Expression::LoadMeta { meta, register } => {
                let len = if matches!(meta, Meta::Iifname | Meta::Oifname | Meta::Unknown) { 16 } else { 4 };
                self.set(*register, len, |_| Origin::Beside);
            }
            Expression::Value { register, value } => {
                self.set(*register, value.0.len(), |_| Origin::Beside);
            }
            Expression::Lookup { to: Some(register), .. } if *register >= 4 => {
                self.set(*register, 16, |_| Origin::Beside);
            }
            Expression::Mask { from, to, mask, xor } => {
                let old = self.bytes;
                let bits = |of: &super::Bytes, at: usize| of.0.get(at).copied().unwrap_or(0);
                self.set(*to, mask.0.len(), |at| match old.get(usize::from(*from) * 4 + at) {
                    Some(Origin::Frame { at: byte, mask: before, xor: turned }) => Origin::Frame {
                        at: *byte,
                        mask: before & bits(mask, at),
                        xor: turned & bits(mask, at) ^ bits(xor, at),
                    },
                    Some(other) => *other,
                    None => Origin::Left,
                });
            }
            _ => {}
        }
    }

    /// Whether a register holds nothing of the frame.
    pub(super) fn is_beside(&self, register: u8, len: usize) -> bool {
        let start = usize::from(register) * 4;
        self.bytes
            .get(start..start + len)
            .is_some_and(|bytes| bytes.iter().all(|byte| *byte == Origin::Beside))
    }

    /// The parts of addresses in a value; `None` if these are not leading bits, so that no ranges of addresses tell
    /// how it compares, or if another rule loaded it. `ordered`: more than whether it is equal matters.
    pub(super) fn parts(&self, register: u8, len: usize, ordered: bool) -> Option<Vec<Part>> {
        let start = usize::from(register) * 4;
        let bytes = self.bytes.get(start..start + len)?;
        if bytes.contains(&Origin::Left) {
            return None;
        }
        let mut parts = Vec::new();
        for first in self.protocol.addresses().iter().copied() {
            let mut part: Option<Part> = None;
            let (mut ended, mut next) = (false, first);
            for (place, byte) in bytes.iter().enumerate() {
                let Origin::Frame { at, mask, xor } = *byte else { continue };
                if !(first..first + self.protocol.address_len()).contains(&at) {
                    continue;
                }
                let follows = match &part {
                    None => at == first,
                    Some(part) => at == next && place == part.place + part.bytes,
                };
                let leading = mask.leading_ones();
                if !follows || leading != mask.count_ones() || ended && mask != 0 || ordered && xor != 0 {
                    return None;
                }
                ended |= leading < 8;
                next = at + 1;
                let part = part.get_or_insert(Part { place, bits: 0, xor: 0, bytes: 0 });
                part.bits += leading;
                part.xor |= u128::from(xor) << (120 - 8 * part.bytes);
                part.bytes += 1;
            }
            parts.extend(part);
        }
        Some(parts)
    }
}

impl Part {
    /// The address that this part of a value stands for, with zeros behind.
    fn address(&self, value: &[u8]) -> u128 {
        let mut address = 0;
        for at in 0..self.bytes {
            address |= u128::from(value.get(self.place + at).copied().unwrap_or(0)) << (120 - 8 * at);
        }
        (address ^ self.xor) & self.mask()
    }

    const fn mask(&self) -> u128 {
        if self.bits == 0 { 0 } else { u128::MAX << (128 - self.bits) }
    }

    /// The addresses from `low` to `high`, as far as this part tells them.
    fn range(&self, low: &[u8], high: &[u8]) -> (u128, u128) {
        (self.address(low), self.address(high) | !self.mask())
    }
}

/// Ranges of addresses in ARP, each with a number: two addresses that lie in ranges of the same numbers fare alike in all
/// that the rules compare.
pub(crate) fn ranges(filters: &Filters) -> Vec<(u32, u32, u32)> {
    let short = |address: u128| (address >> 96) as u32;
    let all = ranges_of(Protocol::Arp, filters).into_iter();
    all.map(|(first, last, number)| (short(first), short(last), number)).collect()
}

/// The same of neighbour discovery.
pub(crate) fn ranges_of_discovery(filters: &Filters) -> Vec<(u128, u128, u32)> {
    ranges_of(Protocol::Discovery, filters)
}

fn ranges_of(protocol: Protocol, filters: &Filters) -> Vec<(u128, u128, u32)> {
    let mut found = Ranges::default();
    for chain in filters.chains.iter().filter(|chain| protocol.passes(chain.family)) {
        for rule in &chain.rules {
            let mut origins = Origins::new(protocol);
            for expression in rule {
                match expression {
                    Expression::Compare { register, by, value } => {
                        let ordered = !matches!(by, Comparison::Equal | Comparison::NotEqual);
                        for part in origins.parts(*register, value.0.len(), ordered).into_iter().flatten() {
                            found.threshold(&part, &value.0);
                        }
                    }
                    Expression::Range { register, from, to, .. } => {
                        for part in origins.parts(*register, from.0.len(), true).into_iter().flatten() {
                            found.threshold(&part, &from.0);
                            found.threshold(&part, &to.0);
                        }
                    }
                    Expression::Lookup { set: name, register, .. } => {
                        let of = |set: &&Set| {
                            (set.family, &set.table, &set.name) == (chain.family, &chain.table, name)
                        };
                        if let Some(set) = filters.sets.iter().find(of) {
                            found.set(&origins, *register, set);
                        }
                    }
                    _ => {}
                }
                origins.follow(expression);
            }
        }
    }
    found.all
}

#[derive(Default)]
struct Ranges {
    all: Vec<(u128, u128, u32)>,
    next: u32,
}

impl Ranges {
    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// Below, equal and above are three.
    fn threshold(&mut self, part: &Part, value: &[u8]) {
        let (low, high) = part.range(value, value);
        let number = self.number();
        self.all.push((low, high, number));
        if let Some(below) = low.checked_sub(1) {
            let number = self.number();
            self.all.push((0, below, number));
        }
    }

    fn set(&mut self, origins: &Origins, register: u8, set: &Set) {
        let len = set.key_len();
        let Some(parts) = origins.parts(register, len, set.has_ranges()) else { return };
        // Where the address is the whole key, elements with the same answer are as good as one.
        let alone = set.fields.len() == 1 && parts.len() == 1 && parts[0].bytes == len;
        let mut numbers: std::collections::HashMap<&super::Answer, u32> = Default::default();
        for element in &set.elements {
            for part in &parts {
                let (low, high) = part.range(&element.from.0, &element.to.0);
                let number = match numbers.get(&element.answer) {
                    Some(number) if alone => *number,
                    _ => self.number(),
                };
                numbers.insert(&element.answer, number);
                self.all.push((low, high, number));
            }
        }
    }
}
