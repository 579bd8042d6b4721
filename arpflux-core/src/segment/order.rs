//! In which order several hosts are changed, so that no address is answered for by two of them on the way.

mod simulate;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use super::{Member, Segment};
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::judgement::Judgement;
use crate::plan::Plan;
use crate::state::{Change, Object};
use crate::stop::Stop;
use simulate::{Fleet, answering};

/// What is done on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Step {
    /// Steps of one number may be made at once; each number begins when the one before has ended.
    pub batch: usize,
    /// The host.
    pub host: String,
    /// What is done there.
    pub action: Action,
    /// The addresses that are withdrawn; none with [`Action::Apply`].
    pub addresses: Vec<IpAddr>,
}

/// What is done on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Its proxy entries of some addresses go (`arpflux proxy del`), because a host of the next batch takes them.
    Withdraw,
    /// Its policy is applied.
    Apply,
}

/// A host whose policy is applied, and what has to go elsewhere before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Turn {
    /// The host.
    pub host: String,
    /// What it takes from others: withdrawn there immediately before, and published there again should the change fail here.
    pub withdraw: Vec<Withdrawal>,
}

/// Addresses whose proxy entries go from a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Withdrawal {
    /// The host.
    pub host: String,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
}

/// A time in which an address is not answered for by exactly one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Doubt {
    /// The address.
    pub address: IpAddr,
    /// Who answers.
    pub state: DoubtState,
    /// It begins in this batch; 0: it is so already.
    pub from_batch: usize,
    /// It ends in this batch; `None`: it stays so.
    pub until_batch: Option<usize>,
    /// The hosts that answer in that time, or may.
    pub hosts: Vec<String>,
    /// Whether that is as it has to be: an address that moves has no answer while it does, and what was wrong before ends.
    /// `None`: that cannot be told.
    pub ok: Option<bool>,
    /// All of it as one sentence.
    pub text: String,
}

/// Who answers in a time of doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DoubtState {
    /// Several hosts.
    Several,
    /// It cannot be told whether one does.
    Undetermined,
    /// Nobody, or nobody before the batch ends: one host has withdrawn it, the other not yet published it.
    Nobody,
}

/// In which order hosts are changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Order {
    /// Whether at no time two hosts answer for an address that one answered for, and no address stays without an answer.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// How many hosts were looked at.
    pub hosts: usize,
    /// What is done, in order. Hosts on which nothing changes are not in it.
    pub steps: Vec<Step>,
    /// The same by the hosts that are changed: those of one element may be changed at once.
    pub batches: Vec<Vec<Turn>>,
    /// The hosts on which nothing changes.
    pub unchanged: Vec<String>,
    /// The times of doubt, several hosts first.
    pub doubts: Vec<Doubt>,
}

/// An address that goes from one host to another on a wire.
struct Move {
    address: IpAddr,
    from: usize,
    to: usize,
    /// Whether deleting its proxy entries alone silences the host that it leaves.
    by_entry: bool,
}

/// In which order the plans of several hosts are applied, `at_once` hosts (1 or more) at a time: `plans` has that of each
/// member. Addresses that go from one host to another are withdrawn there immediately before the batch that publishes them, so that
/// two hosts never answer for one and it is without an answer only until that batch is made. Hosts that neither take nor give an
/// address come first. Where a host falls silent by something else than the removal of proxy entries, it is changed as a whole before the one
/// that takes its address; where such hosts want to wait for one another, [`Order::doubts`] says what that means.
///
/// The doubts are those of a simulation with [`Model`](crate::predict::Model) over all states on the way, whatever the order of
/// steps within a batch. IPv6 addresses count as answered for where there is a proxy entry.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if there is not one plan for each member; [`ErrorKind::Interrupted`] if `stop` was raised.
pub fn order(
    members: &[Member<'_>],
    plans: &[Plan],
    segments: &[Segment],
    at_once: usize,
    stop: &Stop,
) -> Result<Order> {
    if members.len() != plans.len() {
        let message = format!("{} hosts and {} plans", members.len(), plans.len());
        return Err(Error::new(ErrorKind::InvalidInput, message).during("order the changes of several hosts"));
    }
    let fleet = Fleet::new(members, plans, segments, stop)?;
    let moves = moves(&fleet);
    let batches = batches(plans, &moves, at_once.max(1));
    let mut doubts = fleet.simulate(&batches, stop)?;
    let judgement = fleet.judge(&mut doubts);
    let name = |host: usize| members[host].name().to_owned();
    let mut steps = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        steps.extend(batch.iter().map(|(host, withdrawn)| Step {
            batch: number + 1,
            host: name(*host),
            action: if withdrawn.is_some() { Action::Withdraw } else { Action::Apply },
            addresses: withdrawn.iter().flatten().copied().collect(),
        }));
    }
    let unchanged = (0..plans.len()).filter(|host| plans[*host].is_empty()).map(name).collect();
    let batches = turns(&batches, &moves, &name);
    Ok(Order { judgement, hosts: members.len(), steps, batches, unchanged, doubts })
}

/// The batches by the hosts that are changed: what is withdrawn belongs to the host that takes it.
fn turns(batches: &[Batch], moves: &[Move], name: &impl Fn(usize) -> String) -> Vec<Vec<Turn>> {
    let mut turns = Vec::new();
    let mut withdrawn: BTreeSet<(usize, IpAddr)> = BTreeSet::new();
    for batch in batches {
        let mut applied = Vec::new();
        for (host, addresses) in batch {
            if let Some(addresses) = addresses {
                withdrawn.extend(addresses.iter().map(|address| (*host, *address)));
                continue;
            }
            let mut withdraw: BTreeMap<usize, BTreeSet<IpAddr>> = BTreeMap::new();
            for one in moves.iter().filter(|one| one.to == *host) {
                if withdrawn.remove(&(one.from, one.address)) {
                    withdraw.entry(one.from).or_default().insert(one.address);
                }
            }
            let of = |(host, addresses): (usize, BTreeSet<IpAddr>)| Withdrawal {
                host: name(host),
                addresses: addresses.into_iter().collect(),
            };
            applied.push(Turn { host: name(*host), withdraw: withdraw.into_iter().map(of).collect() });
        }
        if !applied.is_empty() {
            turns.push(applied);
        }
    }
    turns
}

/// The changes of a plan that withdraw addresses.
fn withdrawal<'p>(plan: &'p Plan, addresses: &BTreeSet<IpAddr>) -> Vec<&'p Change> {
    let goes = |change: &&Change| match &change.object {
        Object::Proxy { address, .. } => !change.after.is_there() && addresses.contains(address),
        _ => false,
    };
    plan.changes.iter().filter(goes).collect()
}

/// Which addresses go from where to where.
fn moves(fleet: &Fleet<'_>) -> Vec<Move> {
    let mut moves = Vec::new();
    for (wire, addresses) in fleet.in_play.iter().enumerate() {
        for (address, hosts) in addresses {
            let leaves =
                hosts.iter().filter(|(_, turn)| turn.before != Some(false) && turn.after == Some(false));
            for (from, _) in leaves {
                let takers: Vec<usize> = hosts
                    .iter()
                    .filter(|(_, turn)| turn.before == Some(false) && turn.after != Some(false))
                    .map(|(host, _)| *host)
                    .collect();
                if takers.is_empty() {
                    continue;
                }
                let gone = withdrawal(&fleet.plans[*from], &BTreeSet::from([*address]));
                let after =
                    crate::state::State::of(fleet.members[*from].snapshot()).with(gone).into_snapshot();
                let by_entry = answering(&after, &fleet.wires[wire].ports[from], *address) == Some(false);
                moves.extend(takers.into_iter().map(|to| Move {
                    address: *address,
                    from: *from,
                    to,
                    by_entry,
                }));
            }
        }
    }
    moves
}

/// Which hosts are changed in each batch; with addresses: only these are withdrawn there.
type Batch = Vec<(usize, Option<BTreeSet<IpAddr>>)>;

fn batches(plans: &[Plan], moves: &[Move], at_once: usize) -> Vec<Batch> {
    let (moving, free): (Vec<usize>, Vec<usize>) = (0..plans.len())
        .filter(|host| !plans[*host].is_empty())
        .partition(|host| moves.iter().any(|one| one.to == *host || one.from == *host));
    let mut batches: Vec<Batch> =
        free.chunks(at_once).map(|hosts| hosts.iter().map(|host| (*host, None)).collect()).collect();
    let mut waits: BTreeMap<usize, BTreeSet<usize>> =
        moving.iter().map(|host| (*host, BTreeSet::new())).collect();
    for one in moves.iter().filter(|one| !one.by_entry) {
        waits.entry(one.to).or_default().insert(one.from);
    }
    let mut taken: BTreeMap<usize, Vec<&Move>> = BTreeMap::new();
    for one in moves.iter().filter(|one| one.by_entry) {
        taken.entry(one.to).or_default().push(one);
    }
    while !waits.is_empty() {
        let ready = waits.iter().filter(|(_, others)| !others.iter().any(|host| waits.contains_key(host)));
        let mut hosts: Vec<usize> = ready.map(|(host, _)| *host).collect();
        // Who only gives is changed last: what it gives is withdrawn when it is taken, no sooner.
        hosts.sort_by_key(|host| !taken.contains_key(host));
        hosts.truncate(at_once);
        if hosts.is_empty() {
            // They wait for one another: the simulation says what that means.
            hosts.extend(waits.keys().next());
        }
        let mut withdrawn: BTreeMap<usize, BTreeSet<IpAddr>> = BTreeMap::new();
        for one in hosts.iter().filter_map(|host| taken.get(host)).flatten() {
            // What is already changed has nothing to withdraw any more.
            if waits.contains_key(&one.from) {
                withdrawn.entry(one.from).or_default().insert(one.address);
            }
        }
        if !withdrawn.is_empty() {
            batches.push(withdrawn.into_iter().map(|(host, addresses)| (host, Some(addresses))).collect());
        }
        hosts.iter().for_each(|host| {
            waits.remove(host);
        });
        batches.push(hosts.into_iter().map(|host| (host, None)).collect());
    }
    batches
}

impl Order {
    /// The order as one JSON object.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if it cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(self)
    }
}

impl fmt::Display for Step {
    /// `1. on node2: withdraw 192.168.18.101`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. on {}: ", self.batch, self.host)?;
        match self.action {
            Action::Apply => f.write_str("apply"),
            Action::Withdraw => {
                let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
                write!(f, "withdraw {}", addresses.join(", "))
            }
        }
    }
}

impl Doubt {
    /// What is to be said of it.
    fn sentence(&self) -> String {
        let who = match self.state {
            DoubtState::Several => format!("{} answer", crate::words::folded(&self.hosts)),
            DoubtState::Undetermined => {
                format!("whether {} answer cannot be told", crate::words::folded(&self.hosts))
            }
            DoubtState::Nobody => "nobody may answer".to_owned(),
        };
        let when = match (self.from_batch, self.until_batch) {
            (0, None) => "now and when all is done".to_owned(),
            (0, Some(until)) => format!("now and until step {until} is made"),
            (from, None) => format!("from step {from} on, and when all is done"),
            (from, Some(until)) if from == until => format!("while step {from} is made"),
            (from, Some(until)) => format!("from step {from} until step {until} is made"),
        };
        format!("{}: {who} {when}", self.address)
    }
}

impl fmt::Display for Doubt {
    /// One sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
