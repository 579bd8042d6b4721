//! What the model says of all who ask for an IPv6 address, and of what they send there then.

use std::net::{IpAddr, Ipv6Addr};

use super::model::judge;
use super::{AddressReport, CheckKind, Failure, Report, Witnesses};
use crate::judgement::{Gap, both};
use crate::predict::{Behind, MissingSet};
use crate::proof::{Expectation, Proof, Prover, is_link_local};
use crate::snapshot::{Snapshot, WireMap};
use crate::types::{IfIndex, IpNet};
use crate::words::listed;

/// Decides claims about IPv6 addresses of one host.
pub(super) struct Discovery<'m> {
    map: &'m WireMap,
}

impl<'m> Discovery<'m> {
    pub(super) const fn new(map: &'m WireMap) -> Self {
        Self { map }
    }

    /// The subnets of an interface or, where it has none, of its wire: whoever lives there asks.
    fn subnets(&self, snapshot: &Snapshot, owner: IfIndex) -> Vec<IpNet> {
        let of = |index: IfIndex| {
            snapshot.addresses_of(index).filter_map(|held| match held.subnet() {
                IpNet::V6(net) if net.prefix_len() < 128 => Some(IpNet::V6(net.trunc())),
                IpNet::V4(_) | IpNet::V6(_) => None,
            })
        };
        let own: Vec<IpNet> = of(owner).collect();
        if own.iter().any(|net| !is_link_local(&net.addr())) {
            return own;
        }
        self.map.beside(owner).iter().flat_map(|index| of(*index)).collect()
    }

    /// That `owner` answers every neighbour for `target`, and whether it does.
    pub(super) fn answers(
        &self,
        prover: &mut Prover<'_>,
        owner: IfIndex,
        target: Ipv6Addr,
        report: &mut Report,
    ) -> Option<bool> {
        let subnets = self.subnets(prover.model().snapshot(), owner);
        let claim = Expectation::Answers { interface: owner, target: target.into() };
        let proof = prover.answers_in(owner, target.into(), subnets);
        judge(prover, target.into(), &claim, &proof, report);
        proof.holds()
    }

    /// That what neighbours send to a proxied address then gets behind this host.
    pub(super) fn is_reached(
        &self,
        prover: &Prover<'_>,
        owner: IfIndex,
        target: Ipv6Addr,
        report: &mut Report,
    ) {
        let (model, snapshot) = (prover.model(), prover.model().snapshot());
        let subnets = self.subnets(snapshot, owner);
        let near = |source: &Ipv6Addr| subnets.iter().any(|subnet| subnet.contains(&IpAddr::V6(*source)));
        let name = snapshot.name_of(owner);
        let mut missing = MissingSet::NONE;
        for source in prover.solicitors().iter().map(|class| class.one).filter(near) {
            let found = match model.behind((owner, self.map.beside(owner)), source, target) {
                Behind::Reached => continue,
                Behind::Unknown(more) => {
                    missing = missing.and(more);
                    continue;
                }
                Behind::NotForwarded => "nowhere: net.ipv6.conf.all.forwarding is 0".to_owned(),
                Behind::NoRoute => "nowhere: no route leads to it".to_owned(),
                Behind::SameWire(by) => {
                    format!("back to the wire that it came from, by {}", snapshot.name_of(by))
                }
            };
            report.count(Some(Failure {
                check: CheckKind::Model,
                object: target.to_string(),
                expected: format!("what comes to {name} from {source} gets behind this host"),
                found: format!("it goes {found}"),
            }));
            return;
        }
        if missing.is_empty() {
            report.count(None);
        } else {
            let open = format!("where what is sent to {target} goes");
            let gaps = Gap::of(snapshot, true, missing, &[owner], &open);
            report.leave_open(format!("{open} cannot be told"), gaps, None);
        }
    }

    /// That none of `others` answers for `target` as well; those that do, and those of which that cannot be told.
    pub(super) fn nobody_else(
        &self,
        prover: &mut Prover<'_>,
        owner: IfIndex,
        target: Ipv6Addr,
        others: &[IfIndex],
        report: &mut Report,
    ) -> [Vec<IfIndex>; 2] {
        let snapshot = prover.model().snapshot();
        let (mut answering, mut undetermined, mut missing) = (Vec::new(), Vec::new(), MissingSet::NONE);
        let mut found: Vec<String> = Vec::new();
        let mut apart = Some(true);
        for other in others.iter().copied().filter(|other| *other != owner) {
            let never = Expectation::Never { interface: other, target: IpNet::from(IpAddr::V6(target)) };
            match prover.prove(&never) {
                Proof::Proved { .. } => {}
                Proof::Refuted(contradiction) => {
                    answering.push(other);
                    found.push(contradiction.sentence);
                }
                Proof::Undetermined { missing: more, .. } => {
                    undetermined.push(other);
                    missing = missing.and(more);
                    apart = both(apart, prover.apart().prove(&never).holds());
                }
            }
        }
        let claim = format!("only {} answers for {target}", snapshot.name_of(owner));
        match (found.is_empty(), undetermined.is_empty()) {
            (true, true) => report.count(None),
            (false, _) => report.count(Some(Failure {
                check: CheckKind::Model,
                object: target.to_string(),
                expected: claim,
                found: listed(&found),
            })),
            (true, false) => {
                let gaps = Gap::of(snapshot, true, missing, &undetermined, &format!("whether {claim}"));
                report.leave_open(format!("{target}: {claim}: cannot be told: {missing}"), gaps, apart);
            }
        }
        [answering, undetermined]
    }
}

/// The report of an address by the model alone.
pub(super) fn by_model(
    snapshot: &Snapshot,
    (target, owner): (Ipv6Addr, IfIndex),
    answering: &[IfIndex],
    undetermined: &[IfIndex],
    unheard: bool,
) -> AddressReport {
    let names = |indices: &[IfIndex]| indices.iter().map(|index| snapshot.name_of(*index)).collect();
    AddressReport {
        address: target.into(),
        expected: snapshot.name_of(owner),
        answering: names(answering),
        undetermined: names(undetermined),
        unheard,
        by: Witnesses { model: true, ..Witnesses::default() },
    }
}
