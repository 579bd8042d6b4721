//! The rules with names resolved, ready to be run.

use std::collections::HashMap;

use super::address::Origins;
use super::frame::Protocol;
use super::{Answer, Chain, Comparison, Expression, Family, Filters, Header, Hook, Meta, Set, Verdict};
use crate::types::IfIndex;

/// Rules ready to be run.
#[derive(Debug, Default)]
pub(crate) struct Rules<'s> {
    pub(super) chains: Vec<Ready<'s>>,
    pub(super) sets: Vec<ReadySet<'s>>,
    /// The chains that the kernel calls, in the order in which it does.
    pub(super) bases: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Ready<'s> {
    pub(super) chain: &'s Chain,
    pub(super) rules: Vec<Vec<Op<'s>>>,
}

#[derive(Debug)]
pub(super) struct ReadySet<'s> {
    pub(super) set: &'s Set,
    /// The places of its elements by their lowest key.
    pub(super) order: Vec<u32>,
    /// What each of them answers.
    pub(super) answers: Vec<Found<'s>>,
    pub(super) otherwise: Option<Found<'s>>,
}

/// What a set or map gives.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'s> {
    Nothing,
    Value(&'s [u8]),
    Verdict(Decision),
}

/// A verdict with the place of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Accept,
    Drop,
    Continue,
    Break,
    Return,
    Jump(usize),
    Goto(usize),
    Redirect(IfIndex, bool),
    Unknown,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Op<'s> {
    Load {
        header: Header,
        offset: usize,
        len: usize,
        register: usize,
    },
    Write {
        header: Header,
        offset: usize,
        len: usize,
        register: usize,
    },
    LoadMeta {
        meta: Meta,
        register: usize,
    },
    SetMeta {
        meta: Meta,
        register: usize,
    },
    Compare {
        register: usize,
        by: Comparison,
        value: &'s [u8],
    },
    Range {
        register: usize,
        negated: bool,
        from: &'s [u8],
        to: &'s [u8],
    },
    Mask {
        from: usize,
        to: usize,
        mask: &'s [u8],
        xor: &'s [u8],
    },
    Lookup {
        set: usize,
        register: usize,
        negated: bool,
        to: Option<usize>,
    },
    Value {
        register: usize,
        value: &'s [u8],
    },
    Decide(Decision),
    Mangle {
        expression: &'s Expression,
        then: Decision,
    },
    /// It lets the rule go on or not.
    MayMatch,
    /// The same, and may also drop the frame and leave anything in the registers.
    Unknown,
}

/// Chains and sets by family, table and name.
type Places<'s> = HashMap<(Family, &'s str, &'s str), usize>;

impl<'s> Rules<'s> {
    /// Those that frames of a protocol pass.
    pub(crate) fn new(protocol: Protocol, filters: &[&'s Filters]) -> Self {
        let all_chains = || filters.iter().flat_map(|filters| &filters.chains);
        let all_sets = || filters.iter().flat_map(|filters| &filters.sets);
        let own_chains: Vec<&Chain> = all_chains().filter(|chain| protocol.passes(chain.family)).collect();
        let own_sets: Vec<&Set> = all_sets().filter(|set| protocol.passes(set.family)).collect();
        let chains: Places<'s> = (0..)
            .zip(&own_chains)
            .map(|(at, chain)| ((chain.family, chain.table.as_str(), chain.name.as_str()), at))
            .collect();
        let sets: Places<'s> = (0..)
            .zip(&own_sets)
            .map(|(at, set)| ((set.family, set.table.as_str(), set.name.as_str()), at))
            .collect();
        let ready_sets = own_sets.iter().copied().map(|set| {
            let decide = |verdict: &'s Verdict| decision(verdict, set.family, &set.table, &chains);
            let found = |answer: &'s Answer| match answer {
                Answer::Nothing => Found::Nothing,
                Answer::Value(value) => Found::Value(&value.0),
                Answer::Verdict(verdict) => Found::Verdict(decide(verdict)),
            };
            let mut order: Vec<u32> = (0..).take(set.elements.len()).collect();
            order.sort_by_key(|at| &set.elements[*at as usize].from);
            ReadySet {
                set,
                order,
                answers: set.elements.iter().map(|element| found(&element.answer)).collect(),
                otherwise: set.otherwise.as_ref().map(found),
            }
        });
        let known = Known { protocol, chains: &chains, sets: &sets, ready: &own_sets };
        let ready_chains = own_chains.iter().copied().map(|chain| Ready {
            chain,
            rules: chain.rules.iter().map(|rule| compiled(chain, rule, &known)).collect(),
        });
        // Of equal priorities the one that came later is called first (nf_hook_entries_grow()).
        let mut bases: Vec<usize> =
            (0..own_chains.len()).rev().filter(|at| own_chains[*at].base.is_some()).collect();
        bases.sort_by_key(|at| own_chains[*at].base.as_ref().map(|base| base.priority));
        Self { chains: ready_chains.collect(), sets: ready_sets.collect(), bases }
    }

    /// Whether no chain is called at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.bases.is_empty()
    }

    /// As if no rule matched that is not understood.
    pub(crate) fn without_unknown(mut self) -> Self {
        let unknown = |op: &Op<'_>| match op {
            Op::MayMatch | Op::Unknown | Op::LoadMeta { meta: Meta::Unknown, .. } => true,
            Op::Decide(decision) => *decision == Decision::Unknown,
            _ => false,
        };
        for chain in &mut self.chains {
            chain.rules.retain(|rule| !rule.iter().any(unknown));
        }
        self
    }

    pub(super) fn is_of(&self, at: usize, family: Family, hook: Hook) -> bool {
        let chain = self.chains[at].chain;
        chain.family.hooked(hook) == family && chain.base.as_ref().is_some_and(|base| base.hook == hook)
    }

    /// The name of a chain.
    pub(crate) fn title(&self, chain: usize) -> String {
        self.chains[chain].chain.title()
    }
}

fn decision(verdict: &Verdict, family: Family, table: &str, chains: &Places<'_>) -> Decision {
    let place = |name: &String| chains.get(&(family, table, name.as_str())).copied();
    match verdict {
        Verdict::Accept => Decision::Accept,
        Verdict::Drop => Decision::Drop,
        Verdict::Continue => Decision::Continue,
        Verdict::Break => Decision::Break,
        Verdict::Return => Decision::Return,
        Verdict::Jump(name) => place(name).map_or(Decision::Unknown, Decision::Jump),
        Verdict::Goto(name) => place(name).map_or(Decision::Unknown, Decision::Goto),
        Verdict::Redirect { to, arrives } => Decision::Redirect(*to, *arrives),
        Verdict::Unknown => Decision::Unknown,
    }
}

/// Statements that let a rule go on or not, and do nothing else.
const MAY_MATCH: [&str; 4] = ["limit", "quota", "connlimit", "match"];

/// What the names in a rule stand for.
struct Known<'a, 's> {
    protocol: Protocol,
    chains: &'a Places<'s>,
    sets: &'a Places<'s>,
    ready: &'a [&'s Set],
}

fn compiled<'s>(chain: &'s Chain, rule: &'s [Expression], known: &Known<'_, '_>) -> Vec<Op<'s>> {
    let mut origins = Origins::new(known.protocol);
    let of = |register: u8| usize::from(register) * 4;
    let decide = |verdict: &Verdict| decision(verdict, chain.family, &chain.table, known.chains);
    let each = rule.iter().map(|expression| {
        // What ranges of addresses cannot tell is not told at all: proofs go by these.
        let tells = |register: u8, len: usize, ordered: bool| origins.parts(register, len, ordered).is_some();
        let op = match expression {
            Expression::Load { header, offset, len, register } => Op::Load {
                header: *header,
                offset: *offset as usize,
                len: *len as usize,
                register: of(*register),
            },
            // A packet of IPv6 has a sum that is to be right.
            Expression::Write { header: Header::Network | Header::Transport, .. }
                if known.protocol == Protocol::Discovery =>
            {
                Op::Unknown
            }
            Expression::Write { register, len, .. } if !origins.is_beside(*register, *len as usize) => {
                Op::Unknown
            }
            Expression::Write { header, offset, len, register } => Op::Write {
                header: *header,
                offset: *offset as usize,
                len: *len as usize,
                register: of(*register),
            },
            Expression::LoadMeta { meta, register } => Op::LoadMeta { meta: *meta, register: of(*register) },
            Expression::SetMeta { meta, register } => Op::SetMeta { meta: *meta, register: of(*register) },
            Expression::Compare { register, by, value } => {
                let ordered = !matches!(by, Comparison::Equal | Comparison::NotEqual);
                match tells(*register, value.0.len(), ordered) {
                    true => Op::Compare { register: of(*register), by: *by, value: &value.0 },
                    false => Op::MayMatch,
                }
            }
            Expression::Range { register, negated, from, to } => match tells(*register, from.0.len(), true) {
                true => Op::Range { register: of(*register), negated: *negated, from: &from.0, to: &to.0 },
                false => Op::MayMatch,
            },
            Expression::Mask { from, to, mask, xor } => {
                Op::Mask { from: of(*from), to: of(*to), mask: &mask.0, xor: &xor.0 }
            }
            Expression::Lookup { set, register, negated, to } => {
                match known.sets.get(&(chain.family, chain.table.as_str(), set.as_str())) {
                    Some(place) => {
                        let set = known.ready[*place];
                        if tells(*register, set.key_len(), set.has_ranges()) && !set.changes {
                            Op::Lookup {
                                set: *place,
                                register: of(*register),
                                negated: *negated,
                                to: to.map(of),
                            }
                        } else if to.is_some() {
                            Op::Unknown
                        } else {
                            Op::MayMatch
                        }
                    }
                    None => Op::Unknown,
                }
            }
            Expression::Value { register, value } => Op::Value { register: of(*register), value: &value.0 },
            Expression::Decide { verdict } => Op::Decide(decide(verdict)),
            Expression::Mangle { verdict, .. } => Op::Mangle { expression, then: decide(verdict) },
            Expression::Unknown { name } if MAY_MATCH.contains(&name.as_str()) => Op::MayMatch,
            Expression::Unknown { .. } => Op::Unknown,
        };
        origins.follow(expression);
        op
    });
    each.collect()
}
