//! Who answers in every state on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Batch, Doubt, DoubtState, withdrawal};
use crate::error::Result;
use crate::judgement::{self, Gap, Judgement};
use crate::plan::Plan;
use crate::predict::{ArpRequest, Model, Neighbours, Verdict, ipv4_targets};
use crate::segment::{Member, Segment, answers_for_others};
use crate::snapshot::Snapshot;
use crate::state::{Change, Object};
use crate::stop::Stop;
use crate::types::IfIndex;

/// Whether a host answers for an address; `None`: that cannot be told.
type Says = Option<bool>;

/// What becomes of one host's answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub before: Says,
    pub after: Says,
}

/// The interfaces of each host on one wire.
pub(super) struct Wire {
    pub ports: BTreeMap<usize, Vec<IfIndex>>,
}

/// All hosts, and the addresses for which an answer changes.
pub(super) struct Fleet<'f> {
    pub members: &'f [Member<'f>],
    pub plans: &'f [Plan],
    pub wires: Vec<Wire>,
    /// By wire: the addresses of which some host's answer changes, and the hosts that answer before or after.
    pub in_play: Vec<BTreeMap<IpAddr, BTreeMap<usize, Answer>>>,
}

/// Whether a host answers for an address on one of its interfaces.
pub(super) fn answering(snapshot: &Snapshot, ports: &[IfIndex], address: IpAddr) -> Says {
    let one = answers_of(snapshot, ports, std::iter::once(address));
    one.get(&address).copied().unwrap_or(Some(false))
}

/// The same for several addresses; what it is silent about is left out.
fn answers_of(
    snapshot: &Snapshot,
    ports: &[IfIndex],
    addresses: impl IntoIterator<Item = IpAddr>,
) -> BTreeMap<IpAddr, Says> {
    let model = Model::of(snapshot);
    let mut neighbours = Neighbours::new(snapshot);
    let mut says = |address: IpAddr| match address {
        IpAddr::V4(target) => {
            let mut says = Some(false);
            for port in ports {
                let request = ArpRequest::broadcast(*port, neighbours.of(*port, target), target);
                match model.reply(&request) {
                    Verdict::Answers { .. } => return Some(true),
                    Verdict::Undetermined { .. } => says = None,
                    Verdict::Silent { .. } => {}
                }
            }
            says
        }
        IpAddr::V6(_) => {
            let on = |interface: Option<IfIndex>| interface.is_none_or(|index| ports.contains(&index));
            Some(snapshot.proxies.iter().any(|entry| entry.address == address && on(entry.interface)))
        }
    };
    let all = addresses.into_iter().map(|address| (address, says(address)));
    all.filter(|(_, says)| *says != Some(false)).collect()
}

/// The addresses that a host may answer for.
fn own(snapshot: &Snapshot) -> impl Iterator<Item = IpAddr> {
    let proxied = snapshot.proxies.iter().map(|entry| entry.address).filter(IpAddr::is_ipv6);
    ipv4_targets(snapshot).into_iter().map(IpAddr::V4).chain(proxied)
}

impl<'f> Fleet<'f> {
    pub fn new(
        members: &'f [Member<'f>],
        plans: &'f [Plan],
        segments: &[Segment],
        stop: &Stop,
    ) -> Result<Self> {
        let wires = segments.iter().map(|segment| {
            let mut ports: BTreeMap<usize, Vec<IfIndex>> = BTreeMap::new();
            for port in &segment.ports {
                ports.entry(port.member).or_default().push(port.interface);
            }
            Wire { ports }
        });
        let wires: Vec<Wire> = wires.collect();
        let after: Vec<Option<Snapshot>> = members
            .iter()
            .zip(plans)
            .map(|(member, plan)| (!plan.is_empty()).then(|| member.snapshot().with(&plan.changes)))
            .collect();
        let mut in_play = Vec::new();
        for wire in &wires {
            let mut changing: BTreeSet<IpAddr> = BTreeSet::new();
            for (host, ports) in &wire.ports {
                stop.check()?;
                let (now, Some(then)) = (members[*host].snapshot(), &after[*host]) else { continue };
                let asked: BTreeSet<IpAddr> = own(now).chain(own(then)).collect();
                let before = answers_of(now, ports, asked.iter().copied());
                let after = answers_of(then, ports, asked.iter().copied());
                changing.extend(asked.into_iter().filter(|one| before.get(one) != after.get(one)));
            }
            let mut turns: BTreeMap<IpAddr, BTreeMap<usize, Answer>> =
                changing.iter().map(|address| (*address, BTreeMap::new())).collect();
            for (host, ports) in &wire.ports {
                stop.check()?;
                let now = members[*host].snapshot();
                let then = after[*host].as_ref().unwrap_or(now);
                let asked: BTreeSet<IpAddr> = if answers_for_others(now) || answers_for_others(then) {
                    changing.clone()
                } else {
                    own(now).chain(own(then)).filter(|one| changing.contains(one)).collect()
                };
                if asked.is_empty() {
                    continue;
                }
                let before = answers_of(now, ports, asked.iter().copied());
                let after = answers_of(then, ports, asked.iter().copied());
                for address in asked {
                    let says =
                        |map: &BTreeMap<IpAddr, Says>| map.get(&address).copied().unwrap_or(Some(false));
                    let turn = Answer { before: says(&before), after: says(&after) };
                    if let Some(hosts) = turns.get_mut(&address) {
                        hosts.insert(*host, turn);
                    }
                }
            }
            in_play.push(turns);
        }
        Ok(Self { members, plans, wires, in_play })
    }

    /// Goes through all states: what is not answered for by exactly one host, and when.
    pub fn simulate(&self, batches: &[Batch], stop: &Stop) -> Result<Vec<Doubt>> {
        let mut doubts = Vec::new();
        let mut states: BTreeMap<usize, Snapshot> = BTreeMap::new();
        let mut withdrawn: BTreeMap<usize, BTreeSet<IpAddr>> = BTreeMap::new();
        // By wire and address: what each host says now, and the doubt that is open.
        let mut now: Vec<BTreeMap<IpAddr, BTreeMap<usize, Says>>> = self
            .in_play
            .iter()
            .map(|addresses| {
                let says = |hosts: &BTreeMap<usize, Answer>| {
                    hosts.iter().map(|(host, turn)| (*host, turn.before)).collect()
                };
                addresses.iter().map(|(address, hosts)| (*address, says(hosts))).collect()
            })
            .collect();
        let mut open: Vec<BTreeMap<IpAddr, Doubt>> = vec![BTreeMap::new(); self.wires.len()];
        let mut asked: BTreeMap<usize, Vec<(usize, IpAddr)>> = BTreeMap::new();
        for (wire, addresses) in now.iter().enumerate() {
            for (address, hosts) in addresses {
                let doubt = self.doubt(wire, *address, &once(hosts), 0);
                open[wire].extend(doubt.map(|doubt| (*address, doubt)));
                hosts.keys().for_each(|host| asked.entry(*host).or_default().push((wire, *address)));
            }
        }
        for (number, batch) in batches.iter().enumerate() {
            stop.check()?;
            // What the hosts of this batch say in its states.
            let mut said: Vec<BTreeMap<IpAddr, BTreeMap<usize, Said>>> =
                vec![BTreeMap::new(); self.wires.len()];
            for (host, addresses) in batch {
                let plan = &self.plans[*host];
                let gone = withdrawn.entry(*host).or_default();
                let changes: Vec<&Change> = match addresses {
                    Some(addresses) => {
                        gone.extend(addresses);
                        withdrawal(plan, addresses)
                    }
                    None => {
                        let before = withdrawal(plan, gone);
                        plan.changes.iter().filter(|change| !before.contains(change)).collect()
                    }
                };
                let state = states.entry(*host).or_insert_with(|| self.members[*host].snapshot().clone());
                for group in groups(&changes) {
                    for change in group {
                        state.change(change);
                    }
                    for (wire, addresses) in by_wire(asked.get(host)) {
                        let Some(ports) = self.wires[wire].ports.get(host) else { continue };
                        let heard = answers_of(state, ports, addresses.iter().copied());
                        for address in addresses {
                            let next = heard.get(&address).copied().unwrap_or(Some(false));
                            let says = now[wire].get_mut(&address).and_then(|one| one.get_mut(host));
                            let Some(current) = says else { continue };
                            let hosts = said[wire].entry(address).or_default();
                            hosts.entry(*host).or_insert_with(|| Said::once(*current)).add(next);
                            *current = next;
                        }
                    }
                }
            }
            for (wire, mut said) in said.into_iter().enumerate() {
                let addresses: BTreeSet<IpAddr> = said.keys().chain(open[wire].keys()).copied().collect();
                for address in addresses {
                    let mut all = now[wire].get(&address).map(once).unwrap_or_default();
                    all.extend(said.remove(&address).unwrap_or_default());
                    let doubt = self.doubt(wire, address, &all, number + 1);
                    go_on(&mut open[wire], &mut doubts, address, doubt, number + 1);
                }
            }
        }
        for (wire, open) in open.into_iter().enumerate() {
            for (address, mut doubt) in open {
                let last = now[wire].get(&address).map(once).unwrap_or_default();
                let stays = self.doubt(wire, address, &last, batches.len());
                let same = stays.is_some_and(|stays| stays.state == doubt.state);
                doubt.until_batch = (!same).then_some(batches.len());
                doubts.push(doubt);
            }
        }
        doubts.sort_by_key(|doubt| (doubt.state, doubt.from_batch, doubt.address));
        doubts.dedup();
        Ok(doubts)
    }

    /// What is in doubt with what the hosts say in the states of one batch.
    fn doubt(
        &self,
        wire: usize,
        address: IpAddr,
        said: &BTreeMap<usize, Said>,
        batch: usize,
    ) -> Option<Doubt> {
        let names = |which: fn(&Said) -> bool| -> Vec<String> {
            let hosts = said.iter().filter(|(_, said)| which(said));
            hosts.map(|(host, _)| self.members[*host].name().to_owned()).collect()
        };
        let may = names(|said| said.ever || said.open);
        let (state, hosts) = if said.values().filter(|said| said.ever).count() > 1 {
            (DoubtState::Several, names(|said| said.ever))
        } else if said.values().any(|said| said.open) {
            (DoubtState::Undetermined, may)
        } else if !said.values().any(|said| said.always) {
            // What nobody answered for when it began is published for the first time.
            let turns = self.in_play[wire].get(&address)?;
            if turns.values().all(|turn| turn.before == Some(false)) {
                return None;
            }
            (DoubtState::Nobody, Vec::new())
        } else {
            return None;
        };
        let (until_batch, ok, text) = (None, None, String::new());
        Some(Doubt { address, state, from_batch: batch, until_batch, hosts, ok, text })
    }

    /// What the doubts come to, each and all.
    pub fn judge(&self, doubts: &mut [Doubt]) -> Judgement {
        doubts
            .iter_mut()
            .map(|doubt| {
                let judgement = self.judge_one(doubt);
                doubt.ok = judgement.ok();
                doubt.text = doubt.sentence();
                judgement
            })
            .collect()
    }

    fn judge_one(&self, doubt: &Doubt) -> Judgement {
        let wanted = |address: &IpAddr| self.plans.iter().any(|plan| plan.silence.contains(address));
        match doubt.state {
            DoubtState::Several => Judgement::of(doubt.from_batch == 0 && doubt.until_batch.is_some()),
            DoubtState::Nobody => {
                let lost = doubt.from_batch > 0 && doubt.until_batch.is_none();
                Judgement::of(!lost || wanted(&doubt.address))
            }
            DoubtState::Undetermined => Judgement::Undetermined { missing: self.gaps(doubt), apart: None },
        }
    }

    fn gaps(&self, doubt: &Doubt) -> Vec<Gap> {
        let IpAddr::V4(target) = doubt.address else { return Vec::new() };
        let mut gaps = Vec::new();
        for wire in &self.wires {
            for (host, ports) in &wire.ports {
                let member = &self.members[*host];
                if !doubt.hosts.iter().any(|name| name == member.name()) {
                    continue;
                }
                let model = Model::of(member.snapshot());
                let mut neighbours = Neighbours::new(member.snapshot());
                for port in ports {
                    let request = ArpRequest::broadcast(*port, neighbours.of(*port, target), target);
                    if let Verdict::Undetermined { missing } = model.reply(&request) {
                        let open = format!("whether {} answers for {target}", member.name());
                        judgement::add(&mut gaps, Gap::all(member.snapshot(), missing, &[*port], &open));
                    }
                }
            }
        }
        gaps
    }
}

/// What each host says in one state.
fn once(hosts: &BTreeMap<usize, Says>) -> BTreeMap<usize, Said> {
    hosts.iter().map(|(host, says)| (*host, Said::once(*says))).collect()
}

fn by_wire(asked: Option<&Vec<(usize, IpAddr)>>) -> BTreeMap<usize, Vec<IpAddr>> {
    let mut wires: BTreeMap<usize, Vec<IpAddr>> = BTreeMap::new();
    for (wire, address) in asked.into_iter().flatten() {
        wires.entry(*wire).or_default().push(*address);
    }
    wires
}

/// Carries the doubt about an address on into the batch `number`, or ends it with the one before.
fn go_on(
    open: &mut BTreeMap<IpAddr, Doubt>,
    doubts: &mut Vec<Doubt>,
    address: IpAddr,
    doubt: Option<Doubt>,
    number: usize,
) {
    match (open.remove(&address), doubt) {
        (Some(mut known), Some(doubt)) if known.state == doubt.state => {
            known.hosts.extend(doubt.hosts);
            known.hosts.sort();
            known.hosts.dedup();
            open.insert(address, known);
        }
        (known, doubt) => {
            doubts.extend(known.map(|known| Doubt { until_batch: Some(number - 1), ..known }));
            open.extend(doubt.map(|doubt| (address, doubt)));
        }
    }
}

/// What a host says in the states of one batch.
#[derive(Debug, Clone, Copy)]
struct Said {
    ever: bool,
    always: bool,
    open: bool,
}

impl Said {
    fn once(says: Says) -> Self {
        Self { ever: says == Some(true), always: says == Some(true), open: says.is_none() }
    }

    fn add(&mut self, says: Says) {
        self.ever |= says == Some(true);
        self.always &= says == Some(true);
        self.open |= says.is_none();
    }
}

/// Changes between which states are looked at. Proxy entries are of one address each: it is enough to look when all
/// that come, or go, one after the other have done so.
fn groups<'c, 'p>(changes: &'c [&'p Change]) -> impl Iterator<Item = &'c [&'p Change]> {
    changes.chunk_by(|one, other| {
        let proxy = |change: &Change| matches!(change.object, Object::Proxy { .. });
        let (one, other) = (*one, *other);
        proxy(one) && proxy(other) && one.after.is_there() == other.after.is_there()
    })
}
