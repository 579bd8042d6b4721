//! What the model says of all who ask for an IPv6 address, and of what they send there then.

use std::net::Ipv6Addr;

use super::{AddressReport, CheckKind, Failure, Report, Witnesses};
use crate::judgement::{Gap, both};
use crate::predict::{Behind, Decided, MissingSet, Model, Solicitation, Verdict};
use crate::snapshot::{Snapshot, WireMap};
use crate::types::{IfIndex, IpNet, Ipv6Net};
use crate::words::listed;

/// Decides claims about IPv6 addresses of one host.
pub(super) struct Discovery<'m, 's> {
    model: &'m Model<'s>,
    map: &'m WireMap,
    /// The same host without what is missing.
    apart: Model<'s>,
    /// One of each class of those who ask.
    asking: Vec<Ipv6Addr>,
}

impl<'m, 's> Discovery<'m, 's> {
    pub(super) fn new(model: &'m Model<'s>, map: &'m WireMap) -> Self {
        Self { model, map, apart: model.without_interference(), asking: model.solicitors() }
    }

    fn snapshot(&self) -> &'s Snapshot {
        self.model.snapshot()
    }

    /// The subnets of an interface or, where it has none, of its wire: whoever lives there asks.
    fn subnets(&self, owner: IfIndex) -> Vec<Ipv6Net> {
        let of = |index: IfIndex| {
            self.snapshot().addresses_of(index).filter_map(|held| match held.subnet() {
                IpNet::V6(net) if net.prefix_len() < 128 => Some(net.trunc()),
                IpNet::V4(_) | IpNet::V6(_) => None,
            })
        };
        let own: Vec<Ipv6Net> = of(owner).collect();
        if own.iter().any(|net| !net.network().is_unicast_link_local()) {
            return own;
        }
        self.map.beside(owner).iter().flat_map(|index| of(*index)).collect()
    }

    /// That `owner` answers every neighbour for `target`, and whether it does.
    pub(super) fn answers(&self, owner: IfIndex, target: Ipv6Addr, report: &mut Report) -> Option<bool> {
        let subnets = self.subnets(owner);
        let decide = |model: &Model<'_>| model.advertises_to_all((owner, target), &subnets, &self.asking);
        let claim = format!("{} answers its neighbours for {target}", self.snapshot().name_of(owner));
        self.judge(target, owner, claim, decide, report)
    }

    /// That what neighbours send to a proxied address then gets behind this host.
    pub(super) fn is_reached(&self, owner: IfIndex, target: Ipv6Addr, report: &mut Report) {
        let subnets = self.subnets(owner);
        let near = |source: &&Ipv6Addr| subnets.iter().any(|subnet| subnet.contains(*source));
        let name = self.snapshot().name_of(owner);
        let mut missing = MissingSet::NONE;
        for source in self.asking.iter().filter(near) {
            let found = match self.model.behind((owner, self.map.beside(owner)), *source, target) {
                Behind::Reached => continue,
                Behind::Unknown(more) => {
                    missing = missing.and(more);
                    continue;
                }
                Behind::NotForwarded => "nowhere: net.ipv6.conf.all.forwarding is 0".to_owned(),
                Behind::NoRoute => "nowhere: no route leads to it".to_owned(),
                Behind::SameWire(by) => {
                    format!("back to the wire that it came from, by {}", self.snapshot().name_of(by))
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
            let gaps = Gap::of(self.snapshot(), true, missing, &[owner], &open);
            report.leave_open(format!("{open} cannot be told"), gaps, None);
        }
    }

    /// That none of `others` answers for `target` as well; those that do, and those of which that cannot be told.
    pub(super) fn nobody_else(
        &self,
        owner: IfIndex,
        target: Ipv6Addr,
        others: &[IfIndex],
        report: &mut Report,
    ) -> [Vec<IfIndex>; 2] {
        let snapshot = self.snapshot();
        let (mut answering, mut undetermined, mut missing) = (Vec::new(), Vec::new(), MissingSet::NONE);
        let mut found: Vec<String> = Vec::new();
        let mut apart = Some(true);
        for other in others.iter().copied().filter(|other| *other != owner) {
            match self.never(self.model, other, target) {
                Decided::Holds => {}
                Decided::Fails(solicitation, verdict) => {
                    answering.push(other);
                    found.push(asked(snapshot, &solicitation, &verdict));
                }
                Decided::Open(more) => {
                    undetermined.push(other);
                    missing = missing.and(more);
                    apart = both(apart, self.never(&self.apart, other, target).holds());
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

    /// Whether an interface answers nobody for `target`.
    pub(super) fn is_silent(&self, interface: IfIndex, target: Ipv6Addr) -> Option<bool> {
        self.never(self.model, interface, target).holds()
    }

    fn never(&self, model: &Model<'_>, interface: IfIndex, target: Ipv6Addr) -> Decided {
        model.never_advertises((interface, target), &self.asking)
    }

    fn judge(
        &self,
        target: Ipv6Addr,
        interface: IfIndex,
        claim: String,
        decide: impl Fn(&Model<'_>) -> Decided,
        report: &mut Report,
    ) -> Option<bool> {
        let decided = decide(self.model);
        match decided {
            Decided::Holds => report.count(None),
            Decided::Fails(solicitation, verdict) => report.count(Some(Failure {
                check: CheckKind::Model,
                object: target.to_string(),
                expected: claim,
                found: asked(self.snapshot(), &solicitation, &verdict),
            })),
            Decided::Open(missing) => {
                let gaps = Gap::of(self.snapshot(), true, missing, &[interface], &format!("whether {claim}"));
                let sentence = format!("{target}: {claim}: cannot be told: {missing}");
                report.leave_open(sentence, gaps, decide(&self.apart).holds());
            }
        }
        decided.holds()
    }
}

/// What becomes of a solicitation, in words.
fn asked(snapshot: &Snapshot, solicitation: &Solicitation, verdict: &Verdict) -> String {
    let Solicitation { interface, source, target, .. } = solicitation;
    let name = snapshot.name_of(*interface);
    let to = if source.is_unspecified() { "a probe (source ::)".to_owned() } else { source.to_string() };
    match verdict {
        Verdict::Answers { mac, via, .. } => {
            format!("{name} answers for {target} to {to} with {mac}, {}", via.reason())
        }
        Verdict::Silent { reason } => format!("{name} does not answer for {target} to {to}, {reason}"),
        Verdict::Undetermined { missing } => format!("{name} for {target} to {to}: {missing}"),
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
