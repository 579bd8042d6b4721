//! Which interfaces need not be asked about one by one: a host with thousands of them has few kinds.

use std::net::{Ipv4Addr, Ipv6Addr};

use foldhash::{HashMap, HashSet};

use super::ArpRequest;
use super::index::{LOOPBACK, Model, Port, Upper};
use super::interference::Effect;
use super::kernel_version::Known;
use super::oracle::Oracle;
use super::rules::ReadyRule;
use super::step::Silent;
use super::verdict::Verdict;
use crate::sysctl::SysctlValues;
use crate::types::{IfIndex, Mac};

impl Model<'_> {
    /// Whether an interface certainly answers nobody for `target`, whoever asks and however.
    ///
    /// There are two ways to an answer (`arp_process()`): the target is a local address, for which some route of type
    /// local is needed, and `arp_ignore` lets it pass; or it is proxied, for which `proxy_arp`, `proxy_arp_pvlan` or
    /// an entry is needed. Neither depends on the sender. Where something else takes the frame, filters rewrite it or
    /// a program may answer, nothing is said.
    pub(crate) fn never_answers(&self, interface: IfIndex, target: Ipv4Addr) -> bool {
        let Some(slot) = self.slot_for_itself(interface) else { return false };
        let port = &self.ports[slot];
        if !self.rules.is_empty() || !self.meddlers.on(interface).on_silence.is_empty() {
            return false;
        }
        let ignored = || {
            let holders = self.addresses.holders(target);
            match port.arp_ignore {
                1 | 2 => !holders.contains(&(slot as u32)),
                3 => holders.is_empty(),
                8 => true,
                _ => false,
            }
        };
        let proxies = port.proxy_arp || port.pvlan != Known::No;
        !proxies
            && !self.proxied(target, port.index)
            && (!self.fib.may_be_local(target.to_bits()) || ignored())
    }

    /// The same of neighbour discovery: nothing but an own address, an anycast address and an entry of the interface is
    /// answered (`ndisc_recv_ns()`).
    pub(crate) fn never_advertised(&self, interface: IfIndex, target: Ipv6Addr) -> bool {
        let (Some(_), Some(discovery)) = (self.slot_for_itself(interface), &self.snapshot.discovery) else {
            return false;
        };
        let anycast = || discovery.on(interface).is_some_and(|on| on.anycast.contains(&target));
        !self.discovering().may_answer(interface, target) && !anycast()
    }

    /// Where an interface is, if it takes what arrives on it for itself.
    fn slot_for_itself(&self, interface: IfIndex) -> Option<usize> {
        let slot = self.slot(interface)?;
        let port = &self.ports[slot];
        (port.upper == Upper::None && port.passthru.is_none() && !port.ipvlans).then_some(slot)
    }
}

/// What decides about requests on an interface, apart from what is the interface's own: its number, name and MAC, its
/// addresses, entries and routes.
#[derive(PartialEq, Eq, Hash)]
struct Kind {
    port: Port,
    sysctls: SysctlValues,
    has_addresses: bool,
    effect: Effect,
}

/// The interfaces of a model in classes of those that it tells apart by their own addresses, entries and routes alone.
///
/// Of such interfaces a request is decided alike, step by step, until one of three things is asked: whether this
/// interface holds the target, whether it has a proxy entry for it, or whether it is the one that a route leads to.
/// [`Classes::apart`] names the interfaces for which the first two come out otherwise, and [`Classes::reply`] those
/// that the third was asked about: for all others of the class the answer is the same but for the MAC.
#[derive(Debug)]
pub(crate) struct Classes {
    /// The class of each interface, by its place in the model.
    of: Vec<u32>,
    /// The interfaces with a proxy entry for an address.
    proxied: HashMap<u32, Vec<IfIndex>>,
}

impl Classes {
    pub(crate) fn new(model: &Model<'_>) -> Self {
        let named: HashSet<u32> = model.fib.rules().iter().flat_map(ReadyRule::interfaces).collect();
        // Filters compare names and numbers, and a full table knows neighbours by their interface.
        let all_differ = !model.rules.is_empty() || model.table_full;
        let mut known: HashMap<Kind, u32> = HashMap::default();
        let mut next = 0;
        let mut new = || {
            next += 1;
            next - 1
        };
        let class = |(slot, port): (usize, &Port)| {
            let alone = all_differ
                || port.upper != Upper::None
                || port.passthru.is_some()
                || port.ipvlans
                || port.takes_sources
                || port.balances_answers
                || port.vrf
                || port.loopback
                || port.index <= LOOPBACK
                || named.contains(&port.index);
            if alone {
                return new();
            }
            let kind = Kind {
                port: Port { index: 0, place: 0, mac: Mac::NONE, ..port.clone() },
                sysctls: model.interface(slot).sysctls,
                has_addresses: !model.addresses.of(slot).is_empty(),
                effect: model.meddlers.on(IfIndex(port.index)),
            };
            *known.entry(kind).or_insert_with(&mut new)
        };
        let of = model.ports.iter().enumerate().map(class).collect();
        let mut proxied: HashMap<u32, Vec<IfIndex>> = HashMap::default();
        for key in model.proxies.iter().filter(|key| **key >> 32 != 0) {
            proxied.entry(*key as u32).or_default().push(IfIndex((*key >> 32) as u32));
        }
        Self { of, proxied }
    }

    /// The class of an interface; `None` if there is no such interface.
    pub(crate) fn of(&self, model: &Model<'_>, interface: IfIndex) -> Option<u32> {
        model.slot(interface).map(|slot| self.of[slot])
    }

    /// The interfaces that requests for `target` tell apart from others of their class, whoever asks.
    pub(crate) fn apart(&self, model: &Model<'_>, target: Ipv4Addr) -> Vec<IfIndex> {
        let holders = model.addresses.holders(target).iter();
        let mut apart: Vec<IfIndex> =
            holders.map(|slot| IfIndex(model.ports[*slot as usize].index)).collect();
        apart.extend(self.proxied.get(&target.to_bits()).into_iter().flatten());
        apart
    }

    /// What [`Model::reply`] says. The interfaces of the class that may be answered for otherwise are added to `apart`;
    /// if the asked one is among them, it stands for itself alone.
    pub(crate) fn reply(model: &Model<'_>, request: &ArpRequest, apart: &mut Vec<IfIndex>) -> Verdict {
        let mut oracle = Oracle::default();
        oracle.compared = Some(Vec::new());
        let verdict = model.decide_with(request, &mut oracle, &mut Silent);
        for compared in oracle.compared.into_iter().flatten().map(IfIndex) {
            if !apart.contains(&compared) {
                apart.push(compared);
            }
        }
        verdict
    }
}

impl Verdict {
    /// The verdict on `one` as it is on another interface of its class.
    pub(crate) fn as_on(mut self, one: IfIndex, other: (IfIndex, Mac)) -> Self {
        if let Self::Answers { mac, interface, .. } = &mut self
            && *interface == one
        {
            (*interface, *mac) = other;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::{Column, Matrix, Request};
    use crate::proof::testing::{Rng, any_address, crowd};

    #[test]
    fn whoever_never_answers_is_silent_to_everybody() {
        let (mut never, mut others) = (0, 0);
        for seed in 0..1_500 {
            let host = crowd(seed).0;
            let model = Model::of(&host);
            let mut rng = Rng(seed);
            for _ in 0..40 {
                let target = any_address(&mut rng, &host);
                for interface in host.interfaces.iter().map(|interface| interface.index) {
                    let silent = model.never_answers(interface, target);
                    for unicast in [false, true] {
                        let request = ArpRequest::broadcast(interface, any_address(&mut rng, &host), target);
                        let verdict = model.reply(&ArpRequest { unicast, ..request });
                        assert!(
                            !silent || verdict.answers() == Some(false),
                            "seed {seed}: {request:?} {verdict}"
                        );
                        never += u32::from(silent);
                        others += u32::from(!silent);
                    }
                }
            }
        }
        assert!(never > 100_000 && others > 100_000, "{never} {others}");
    }

    #[test]
    fn interfaces_of_one_class_answer_alike() {
        let (mut alike, mut answered) = (0, 0);
        for seed in 0..1_500 {
            let host = crowd(seed).0;
            let model = Model::of(&host);
            let classes = Classes::new(&model);
            let mut rng = Rng(seed);
            for _ in 0..30 {
                let target = any_address(&mut rng, &host);
                let sender = if rng.one_in(10) { target } else { any_address(&mut rng, &host) };
                let unicast = rng.one_in(3);
                for one in host.interfaces.iter().map(|interface| interface.index) {
                    let asked = |interface| ArpRequest {
                        unicast,
                        ..ArpRequest::broadcast(interface, sender, target)
                    };
                    let mut apart = classes.apart(&model, target);
                    let verdict = Classes::reply(&model, &asked(one), &mut apart);
                    assert_eq!(verdict, model.reply(&asked(one)), "seed {seed}");
                    let others = host.interfaces.iter().filter(|other| {
                        classes.of(&model, other.index) == classes.of(&model, one)
                            && ![one, other.index].iter().any(|index| apart.contains(index))
                    });
                    for other in others {
                        let expected = verdict.as_on(one, (other.index, other.mac));
                        assert_eq!(
                            model.reply(&asked(other.index)),
                            expected,
                            "seed {seed}: {one} {:?}",
                            asked(other.index)
                        );
                        alike += u32::from(other.index != one);
                        answered += u32::from(verdict.answers() == Some(true));
                    }
                }
            }
        }
        assert!(alike > 50_000 && answered > 10_000, "{alike} {answered}");
    }

    /// What a matrix and an overview say is what the model says of each interface.
    #[test]
    fn a_matrix_has_what_the_model_says_of_each_interface() {
        for seed in 0..600 {
            let host = crowd(seed).0;
            let model = Model::of(&host);
            let matrix = Matrix::of(&model);
            for row in &matrix.rows {
                for (Column { index, .. }, cell) in matrix.interfaces.iter().zip(&row.cells) {
                    let asked = Request::ordinary(*index, cell.sender, row.target).unwrap();
                    assert_eq!(cell.verdict, model.answer(&asked), "seed {seed}: {asked:?}");
                    let probe = Request::probe(*index, row.target);
                    assert_eq!(cell.probe, model.answer(&probe), "seed {seed}: {probe:?}");
                }
            }
            let targets: Vec<std::net::IpAddr> = matrix.rows.iter().map(|row| row.target).collect();
            let asked: Vec<IfIndex> = matrix.interfaces.iter().map(|column| column.index).collect();
            let overview = crate::predict::Overview::of(&model, &targets, &asked, None, |_| {});
            assert_eq!(overview.judgement(), matrix.judgement(), "seed {seed}");
            assert_eq!(overview.to_string(), matrix.summary(), "seed {seed}");
            for row in &matrix.rows {
                let line = overview.lines.iter().find(|line| line.target == row.target).unwrap();
                let answering: Vec<_> = row.answering().map(|at| matrix.interfaces[at].name).collect();
                assert_eq!((&line.answering, &line.held_by), (&answering, &row.held_by), "seed {seed}");
            }
        }
    }
}
