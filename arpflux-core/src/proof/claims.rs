//! Claims about a snapshot with what became of them, as they leave.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use super::expectation::is_link_local;
use super::{Expectation, Proof, Prover};
use crate::error::Result;
use crate::json;
use crate::judgement::{self, Gap, Judgement};
use crate::predict::{listeners, local_route_targets};
use crate::snapshot::{Certainty, Snapshot, WireMap};
use crate::types::{IfIndex, IpNet};
use crate::words::counted;

/// A claim, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Claim {
    /// The claim as a sentence.
    pub claim: String,
    /// What is claimed.
    #[serde(flatten)]
    pub expectation: Expectation,
    /// What became of it.
    #[serde(flatten)]
    pub proof: Proof,
}

impl Claim {
    /// Why: how many requests stand for all, a request that refutes the claim, or what is missing.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.proof {
            Proof::Proved { cases } => match self.expectation.is_ipv6() {
                true => format!("{cases} solicitations to its group stand for all of these"),
                false => format!("{cases} requests stand for all"),
            },
            Proof::Refuted(contradiction) => contradiction.to_string(),
            Proof::Undetermined { missing, .. } => missing.to_string(),
        }
    }
}

/// The addresses about which [`Claims::by_wire`] claims something. Link-local IPv6 ones, which every interface has for itself,
/// are left out unless one is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Targets {
    /// Those of both families.
    #[default]
    All,
    /// IPv4 ones.
    Ipv4,
    /// IPv6 ones.
    Ipv6,
    /// This one.
    One(IpAddr),
}

impl Targets {
    fn contain(self, address: &IpAddr) -> bool {
        match self {
            Self::All => !is_link_local(address),
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6() && !is_link_local(address),
            Self::One(one) => one == *address,
        }
    }
}

/// Claims about one snapshot, decided for all senders and all targets.
///
/// ```
/// use arpflux_core::proof::{Claims, Targets};
/// use arpflux_core::snapshot::Snapshot;
///
/// let claims = Claims::by_wire(&Snapshot::default(), &[], Targets::All)?;
/// assert!(claims.claims.is_empty() && !claims.all_proved());
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Claims {
    /// Whether all hold, and what is missing.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// The claims, in the order they were asked.
    pub claims: Vec<Claim>,
    /// What they say nothing of, each in a few words.
    pub not_covered: Vec<String>,
    /// How many proved ones an interface leaves open whose wire is not known.
    #[serde(skip)]
    on_open_wires: usize,
}

impl Claims {
    /// Decides `expectations`.
    ///
    /// # Errors
    /// As [`Prover::new`].
    pub fn decide(snapshot: &Snapshot, expectations: impl IntoIterator<Item = Expectation>) -> Result<Self> {
        let mut prover = Prover::new(snapshot)?;
        let mut judgement = Judgement::Good;
        let claims = expectations.into_iter().map(|expectation| {
            let proof = prover.prove(&expectation);
            judgement = std::mem::take(&mut judgement).and(prover.judge(&expectation, &proof));
            Claim { claim: expectation.sentence(snapshot), expectation, proof }
        });
        let claims: Vec<Claim> = claims.collect();
        let ipv6 = claims.iter().any(|claim| claim.expectation.is_ipv6());
        let not_covered = ipv6.then(|| "solicitations by unicast".to_owned()).into_iter().collect();
        Ok(Self { judgement, claims, not_covered, on_open_wires: 0 })
    }

    /// Decides for each wire that `interfaces` are on, and each of `targets` that an interface of the wire holds or
    /// proxies, that exactly one of the interfaces answers; the same of one that is held elsewhere and for which two of them
    /// may answer. Nothing is claimed of interfaces on which nobody is heard ([`Snapshot::is_connected`]). One that answers,
    /// too, and may be on that wire leaves it open.
    ///
    /// # Errors
    /// As [`Prover::new`].
    pub fn by_wire(snapshot: &Snapshot, interfaces: &[IfIndex], targets: Targets) -> Result<Self> {
        let wires = WireMap::of(snapshot);
        let mut groups: BTreeMap<usize, Vec<IfIndex>> = BTreeMap::new();
        for index in interfaces.iter().filter(|index| wires.is_connected(**index)) {
            groups.entry(wires.number(*index).unwrap_or(usize::MAX)).or_default().push(*index);
        }
        let there = |among: &Vec<IfIndex>| Expectation::targets(snapshot, among);
        let expectations = groups.values().flat_map(|among| {
            let wanted = there(among).into_iter().filter(|target| targets.contain(target));
            wanted.map(|target| Expectation::ExactlyOne { target, among: among.clone() })
        });
        let elsewhere = Self::answered_elsewhere(snapshot, groups.values(), targets)?;
        let mut decided = Self::decide(snapshot, expectations.chain(elsewhere))?;
        if matches!(targets, Targets::All | Targets::Ipv6) {
            let all: BTreeSet<IpAddr> = groups.values().flat_map(there).collect();
            let link_local = all.iter().filter(|target| is_link_local(target)).count();
            decided.not_covered.extend((link_local > 0).then(|| {
                let addresses = counted(link_local, "link-local IPv6 address", "link-local IPv6 addresses");
                format!("{addresses}, which an interface has for itself")
            }));
        }
        decided.leave_open(snapshot, &wires);
        Ok(decided)
    }

    /// Claims about the addresses that are held elsewhere, or are a local route's, and for which two interfaces of a wire may answer all the same.
    fn answered_elsewhere<'g>(
        snapshot: &Snapshot,
        groups: impl Iterator<Item = &'g Vec<IfIndex>>,
        targets: Targets,
    ) -> Result<Vec<Expectation>> {
        let mut prover = Prover::new(snapshot)?;
        let mut claims = Vec::new();
        for among in groups.filter(|among| among.len() > 1) {
            let there = Expectation::targets(snapshot, among);
            let held = snapshot.addresses.iter().map(|held| held.local);
            let by_route = local_route_targets(snapshot).into_iter().map(IpAddr::V4);
            let own: BTreeSet<IpAddr> = held.chain(by_route).collect();
            for target in
                own.difference(&there).copied().filter(|one| targets.contain(one) && !one.is_loopback())
            {
                let may_answer = |on: &&IfIndex| {
                    let never = Expectation::Never { interface: **on, target: IpNet::from(target) };
                    prover.prove(&never).holds() != Some(true)
                };
                if among.iter().filter(may_answer).nth(1).is_some() {
                    claims.push(Expectation::ExactlyOne { target, among: among.clone() });
                }
            }
        }
        Ok(claims)
    }

    /// Takes back what is proved of one wire, where an interface answers that may be on it.
    fn leave_open(&mut self, snapshot: &Snapshot, wires: &WireMap) {
        let listeners: Vec<IfIndex> =
            listeners(snapshot).into_iter().filter(|index| wires.is_connected(*index)).collect();
        let mut prover = Prover::of(snapshot);
        let mut beside: BTreeMap<IfIndex, Vec<IfIndex>> = BTreeMap::new();
        for claim in &self.claims {
            let Expectation::ExactlyOne { target, among } = &claim.expectation else { continue };
            let Some(first) = among.first().filter(|_| claim.proof.holds() == Some(true)) else { continue };
            let beside = beside.entry(*first).or_insert_with(|| {
                listeners.iter().copied().filter(|other| wires.share(*first, *other).is_none()).collect()
            });
            let answers = |other: &&IfIndex| {
                let never = Expectation::Never { interface: **other, target: IpNet::from(*target) };
                prover.prove(&never).holds() != Some(true)
            };
            let Some(other) = beside.iter().find(answers) else { continue };
            let leaves_open = format!("whether one MAC answers for {target}");
            let gap = if wires.doubted(*first).contains(other) {
                Gap::apart(snapshot, *first, *other, &leaves_open)
            } else {
                let unknown = if wires.certainty(*other) == Certainty::Unknown { *other } else { *first };
                Gap::wires(snapshot, &[unknown], &leaves_open)
            };
            self.on_open_wires += 1;
            let open = Judgement::Undetermined { missing: vec![gap], apart: Some(true) };
            self.judgement = std::mem::take(&mut self.judgement).and(open);
        }
    }

    /// Whether there is a claim and all of them are proved.
    #[must_use]
    pub fn all_proved(&self) -> bool {
        let proved = |claim: &Claim| claim.proof.holds() == Some(true);
        !self.claims.is_empty() && self.on_open_wires == 0 && self.claims.iter().all(proved)
    }

    /// What cannot be told, in one line; `None` unless it is what all comes to.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        let Judgement::Undetermined { missing, apart } = &self.judgement else { return None };
        let undecided = self.claims.iter().filter(|claim| claim.proof.holds().is_none()).count();
        let open = match undecided + self.on_open_wires {
            1 => "1 claim".to_owned(),
            count => format!("{count} claims"),
        };
        let apart = match apart {
            Some(true) => "all hold",
            Some(false) => "some do not hold",
            None => "",
        };
        Some(judgement::last_line(&open, missing, apart))
    }

    /// The claims as one JSON object: `schema`, `ok`, `missing` and `claims`, with counter-examples in full.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) if it cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(self)
    }
}
