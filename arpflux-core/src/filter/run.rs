//! `nft_do_chain()`.

use std::cmp::Ordering;

use super::address::REGISTERS;
use super::compile::{Decision, Found, Op, Rules};
use super::frame::{Device, Devices, Frame, NETWORK};
use super::meta::{Seen, load_meta};
use super::{Chain, Comparison, Expression, Family, Header, Hook, Meta};
use crate::types::IfIndex;

/// How deep chains may call one another (`NFT_JUMP_STACK_SIZE`).
const DEPTH: usize = 16;
/// How many rules are looked at. The kernel takes no rules that go in circles; a file may hold such.
const RULES: usize = 1 << 16;

/// What becomes of a frame at a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It passes.
    Passes,
    /// This chain drops it.
    Dropped(usize),
    /// This chain hands it to another interface: as if it came in there, or to go out there.
    Redirected(usize, IfIndex, bool),
}

/// Where connections begin to be tracked (`NF_IP6_PRI_CONNTRACK`).
const TRACKING: i32 = -200;
/// `NF_CT_STATE_INVALID_BIT`, as long as nobody has looked at a packet, and `NF_CT_STATE_UNTRACKED_BIT`.
const INVALID: u32 = 1;
const UNTRACKED: u32 = 1 << 6;

/// Says which of so many possibilities is taken, from 0.
pub(crate) type Choose<'a> = &'a mut dyn FnMut(usize) -> usize;

pub(super) struct Registers {
    bytes: [u8; REGISTERS],
    /// Which of the bytes are not known.
    unknown: u128,
}

impl Registers {
    /// Stores bytes and fills the last word with zeros.
    pub(super) fn store(&mut self, at: usize, bytes: &[u8], unknown: u64) {
        let end = at + bytes.len().next_multiple_of(4);
        let Some(place) = self.bytes.get_mut(at..end) else { return };
        place.fill(0);
        place[..bytes.len()].copy_from_slice(bytes);
        self.unknown &= !(((1 << (end - at)) - 1) << at);
        self.unknown |= u128::from(unknown) << at;
    }

    fn get(&self, at: usize, len: usize) -> &[u8] {
        self.bytes.get(at..at + len).unwrap_or_default()
    }

    fn is_unknown(&self, at: usize, len: usize) -> bool {
        at + len > REGISTERS || self.unknown >> at & ((1 << len) - 1) != 0
    }
}

impl Rules<'_> {
    /// What becomes of a frame at a hook, and what is written into it. `at` of the family netdev is the device whose
    /// chains are called.
    pub(crate) fn run(
        &self,
        family: Family,
        hook: Hook,
        devices: &Devices<'_>,
        frame: &mut Frame,
        choose: Choose<'_>,
    ) -> Fate {
        let device = match hook {
            Hook::Egress => devices.output,
            _ => devices.input,
        };
        for at in self.bases.iter().copied().filter(|at| self.is_of(*at, family, hook)) {
            let of_devices = matches!(family, Family::Netdev | Family::TrafficControl);
            if of_devices && !device.is_some_and(|device| self.is_on(at, device.name)) {
                continue;
            }
            match self.chain(at, devices, frame, choose) {
                Fate::Passes => {}
                fate => return fate,
            }
        }
        Fate::Passes
    }

    /// Whether any chain is called for a device at a hook of it.
    pub(crate) fn has_on(&self, family: Family, hook: Hook, device: Option<Device<'_>>) -> bool {
        let of = |at: &usize| self.is_of(*at, family, hook);
        let on = |at: usize| device.is_some_and(|device| self.is_on(at, device.name));
        self.bases.iter().filter(|at| of(at)).any(|at| on(*at))
    }

    fn seen_at(&self, at: usize) -> Seen {
        let Chain { family, base, .. } = self.chains[at].chain;
        let tracking = base.as_ref().and_then(|base| match base.hook {
            Hook::Input | Hook::Postrouting => Some(UNTRACKED),
            Hook::Ingress | Hook::Egress => Some(INVALID),
            Hook::Prerouting | Hook::Output => match base.priority.cmp(&TRACKING) {
                Ordering::Less => Some(INVALID),
                Ordering::Equal => None,
                Ordering::Greater => Some(UNTRACKED),
            },
        });
        Seen { family: *family, tracking }
    }

    fn is_on(&self, at: usize, name: &[u8]) -> bool {
        let devices = self.chains[at].chain.base.as_ref().map_or(&[][..], |base| &base.devices);
        devices.iter().any(|device| match device.strip_suffix('*') {
            Some(start) => name.starts_with(start.as_bytes()),
            None => device.as_bytes() == name,
        })
    }

    fn chain(&self, base: usize, devices: &Devices<'_>, frame: &mut Frame, choose: Choose<'_>) -> Fate {
        let seen = self.seen_at(base);
        let dropped = Fate::Dropped(base);
        let ends = |drops: bool| if drops { dropped } else { Fate::Passes };
        let drops = self.chains[base].chain.base.as_ref().is_some_and(|base| base.drops);
        let mut stack = [(0usize, 0usize); DEPTH];
        let mut depth = 0;
        let (mut chain, mut rule) = (base, 0);
        let mut registers = Registers { bytes: [0; REGISTERS], unknown: u128::MAX };
        for _ in 0..RULES {
            let decision = match self.chains[chain].rules.get(rule) {
                Some(ops) => self.rule(ops, seen, devices, frame, &mut registers, choose),
                None => Decision::Return,
            };
            rule += 1;
            match decision {
                Decision::Continue | Decision::Break => {}
                Decision::Accept => return Fate::Passes,
                Decision::Drop => return dropped,
                Decision::Redirect(to, arrives) => return Fate::Redirected(base, to, arrives),
                Decision::Unknown => return ends(choose(2) == 1),
                Decision::Return if depth == 0 => return ends(drops),
                Decision::Return => {
                    depth -= 1;
                    (chain, rule) = stack[depth];
                }
                Decision::Jump(to) => {
                    if depth == DEPTH {
                        return dropped;
                    }
                    stack[depth] = (chain, rule);
                    depth += 1;
                    (chain, rule) = (to, 0);
                }
                Decision::Goto(to) => (chain, rule) = (to, 0),
            }
        }
        ends(choose(2) == 1)
    }

    fn rule(
        &self,
        ops: &[Op<'_>],
        seen: Seen,
        devices: &Devices<'_>,
        frame: &mut Frame,
        registers: &mut Registers,
        choose: Choose<'_>,
    ) -> Decision {
        for op in ops {
            let goes_on = match op {
                Op::Load { header, offset, len, register } => {
                    load(frame, *header, *offset, *len, *register, registers)
                }
                Op::Write { header, offset, len, register } => {
                    let start = frame.protocol.start(*header);
                    let start = start.filter(|_| *header != Header::Link || frame.has_link);
                    if let Some(start) = start {
                        frame.put(start + offset, registers.get(*register, *len));
                    }
                    start.is_some()
                }
                Op::LoadMeta { meta, register } => {
                    load_meta(*meta, seen, devices, frame, *register, registers)
                }
                Op::SetMeta { meta, register } => {
                    let known = !registers.is_unknown(*register, 4);
                    match meta {
                        Meta::Mark => {
                            let value = registers.get(*register, 4).first_chunk().copied();
                            frame.mark = value.filter(|_| known).map(u32::from_ne_bytes);
                        }
                        Meta::PacketType => {
                            frame.packet_type =
                                registers.get(*register, 1).first().copied().filter(|_| known);
                        }
                        _ => {}
                    }
                    true
                }
                Op::Compare { register, by, value } => compare(registers, *register, *by, value, choose),
                Op::Range { register, negated, from, to } => {
                    if registers.is_unknown(*register, from.len()) {
                        choose(2) == 1
                    } else {
                        let value = registers.get(*register, from.len());
                        (*from <= value && value <= *to) != *negated
                    }
                }
                Op::Mask { from, to, mask, xor } => {
                    let mut value = [0; 16];
                    let len = mask.len().min(value.len());
                    for (at, byte) in registers.get(*from, len).iter().enumerate() {
                        value[at] = byte & mask[at] ^ xor.get(at).copied().unwrap_or(0);
                    }
                    let mut unknown = (registers.unknown >> from) as u64 & ((1 << len) - 1);
                    for (at, byte) in mask.iter().enumerate().take(len) {
                        if *byte == 0 {
                            unknown &= !(1 << at);
                        }
                    }
                    registers.store(*to, &value[..len], unknown);
                    true
                }
                Op::Lookup { set, register, negated, to } => {
                    match self.look_up(*set, *register, registers, choose) {
                        None => return unknown_map(*to, registers, choose),
                        Some(found) => match (found, to) {
                            (found, None) => found.is_some() != *negated,
                            (None, Some(_)) => false,
                            (Some(Found::Verdict(Decision::Continue)), _) => true,
                            (Some(Found::Verdict(decision)), _) => return decision,
                            (Some(Found::Value(value)), Some(to)) => {
                                registers.store(*to, value, 0);
                                true
                            }
                            (Some(Found::Nothing), Some(_)) => true,
                        },
                    }
                }
                Op::Value { register, value } => {
                    registers.store(*register, value, 0);
                    true
                }
                Op::Decide(Decision::Continue) => true,
                Op::Decide(decision) => return *decision,
                Op::Mangle { expression, then } => {
                    mangle(expression, frame);
                    if *then != Decision::Continue {
                        return *then;
                    }
                    true
                }
                Op::MayMatch => choose(2) == 1,
                Op::Unknown => {
                    registers.unknown = u128::MAX;
                    match choose(3) {
                        0 => true,
                        1 => false,
                        _ => return Decision::Drop,
                    }
                }
            };
            if !goes_on {
                return Decision::Break;
            }
        }
        Decision::Continue
    }

    /// What a set gives for a register; the outer `None`: that cannot be told, and it is a map.
    fn look_up(
        &self,
        set: usize,
        register: usize,
        registers: &Registers,
        choose: Choose<'_>,
    ) -> Option<Option<Found<'_>>> {
        let ready = &self.sets[set];
        let len = ready.set.key_len();
        if registers.is_unknown(register, len) {
            if ready.answers.iter().chain(&ready.otherwise).any(|answer| !matches!(answer, Found::Nothing)) {
                return None;
            }
            return Some((choose(2) == 1).then_some(Found::Nothing));
        }
        let found = ready.set.find(&ready.order, registers.get(register, len));
        Some(found.map(|at| ready.answers[at]).or(ready.otherwise))
    }
}

/// A map of which it cannot be told what it gives.
fn unknown_map(to: Option<usize>, registers: &mut Registers, choose: Choose<'_>) -> Decision {
    if to.is_some() {
        registers.unknown = u128::MAX;
    }
    match choose(3) {
        0 => Decision::Unknown,
        1 => Decision::Break,
        _ => Decision::Drop,
    }
}

/// `nft_payload_eval()`.
fn load(
    frame: &Frame,
    header: Header,
    offset: usize,
    len: usize,
    register: usize,
    registers: &mut Registers,
) -> bool {
    let first = match frame.protocol.start(header) {
        Some(first) if header != Header::Link || frame.has_link => first,
        Some(_) | None => return false,
    };
    let (start, end) = (first + offset, first + offset + len);
    let known = frame.protocol.len();
    if end > known && !frame.padded {
        return false;
    }
    let mut bytes = [0; 64];
    let len = len.min(bytes.len());
    let mut unknown = 0u64;
    for (at, byte) in bytes.iter_mut().enumerate().take(len) {
        match frame.bytes[..known].get(start + at) {
            Some(known) => {
                *byte = *known;
                unknown |= ((frame.unknown >> (start + at) & 1) as u64) << at;
            }
            None => unknown |= 1 << at,
        }
    }
    // A tag stands between the MACs and the EtherType.
    if frame.tagged && header == Header::Link && end > 12 {
        unknown = u64::MAX;
    }
    registers.store(register, &bytes[..len], unknown);
    true
}

fn compare(registers: &Registers, at: usize, by: Comparison, value: &[u8], choose: Choose<'_>) -> bool {
    let held = registers.get(at, value.len());
    if registers.is_unknown(at, value.len()) {
        // A known byte may tell the difference.
        let differs = (0..)
            .zip(held)
            .zip(value)
            .any(|((place, held), wanted)| registers.unknown >> (at + place) & 1 == 0 && held != wanted);
        return match by {
            Comparison::Equal if differs => false,
            Comparison::NotEqual if differs => true,
            _ => choose(2) == 1,
        };
    }
    match by {
        Comparison::Equal => held == value,
        Comparison::NotEqual => held != value,
        Comparison::Less => held < value,
        Comparison::AtMost => held <= value,
        Comparison::Greater => held > value,
        Comparison::AtLeast => held >= value,
    }
}

/// `target()` of `arpt_mangle.c`.
fn mangle(expression: &Expression, frame: &mut Frame) {
    let Expression::Mangle { flags, sender_mac, target_mac, sender, target, .. } = expression else { return };
    // Sender's MAC, target's MAC, sender's address, target's address, behind eight bytes.
    let all = [(1, 8, sender_mac), (2, 18, target_mac), (4, 14, sender), (8, 24, target)];
    for (flag, offset, bytes) in all {
        if flags & flag != 0 {
            frame.put(NETWORK + offset, &bytes.0);
        }
    }
}
