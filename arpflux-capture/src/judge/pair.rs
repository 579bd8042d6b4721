//! Two MACs that claim one address.

use std::collections::BTreeSet;

use arpflux_core::types::Mac;

use super::kinship::{Context, Kin, Kinships};
use super::{Finding, times};
use crate::evidence::{Evidence, EvidenceKind};
use crate::report::{Certainty, Class};
use crate::table::{Address, Claim, Mark, Relation};
use arpflux_core::types::{Redundancy, VirtualMac};

/// Whether anything was seen between two MACs.
pub(super) fn says_something(relation: &Relation) -> bool {
    [relation.contested, relation.defended, relation.named, relation.moves].iter().any(|mark| mark.count > 0)
}

fn of(claim: &Claim) -> Option<VirtualMac> {
    claim.mac.octets().and_then(VirtualMac::of)
}

/// Two MACs, what was seen between them, and whether they are one host's.
struct Pair<'a> {
    one: &'a Claim,
    other: &'a Claim,
    relation: &'a Relation,
    kin: Option<Kin>,
    /// What was sent to each of them came back from it.
    straight: bool,
}

impl Pair<'_> {
    fn claims(&self) -> [&Claim; 2] {
        [self.one, self.other]
    }

    fn unannounced(&self) -> u32 {
        self.relation.moves.count.saturating_sub(self.relation.announced)
    }
}

impl Context<'_> {
    pub(super) fn pair(&self, entry: &Address, relation: &Relation, kin: &Kinships) -> Finding {
        let (a, b) = (relation.one as usize, relation.other as usize);
        let (one, other) = (&entry.claims[a], &entry.claims[b]);
        let straight = one.straight.count > 0 && other.straight.count > 0;
        // What came back straight from each speaks against one host, as strongly as their numbers speak for it.
        let kin = kin.between(a, b).filter(|kin| !straight || kin.certainty == Certainty::Proved);
        let pair = Pair { one, other, relation, kin, straight };
        if let Some(finding) = excused(&pair) {
            return finding;
        }
        let finding = self.spoofed(&pair);
        let finding = finding.or_else(|| (relation.contested.count > 0).then(|| self.contested(&pair)));
        let finding = finding.or_else(|| (relation.defended.count > 0).then(|| self.defended(&pair)));
        let mut finding = finding.unwrap_or_else(|| self.in_turn(&pair));
        if relation.probed {
            let text = "one of them probed it first, was answered, and took it all the same";
            finding.evidence.push(Evidence::new(EvidenceKind::Probed, text.into()));
        }
        if let Some(by) = relation.copied_by.filter(|_| relation.copied.count > 1) {
            let text = format!(
                "{by} asks within a millisecond what the other has asked, {}: a bridge that puts its own MAC in place \
                 of a guest's does so (a guest on Wi-Fi, a repeater), seen on both of its sides",
                times(relation.copied.count)
            );
            finding.evidence.push(self.evidence(EvidenceKind::Copied, &relation.copied, text).against());
        }
        if let Some(kin) = pair.kin
            && finding.class != Class::Spoof
        {
            finding.evidence.push(Evidence::new(kin.kind, kin.why.into()));
        }
        finding
    }

    /// Somebody who speaks unasked for what another holds.
    fn spoofed(&self, pair: &Pair<'_>) -> Option<Finding> {
        let [one, other] = pair.claims();
        let relation = pair.relation;
        // A packet that came back from another MAC may have been sent on by him who forged: that excuses nothing.
        let kin = pair.kin.map(|kin| kin.kind).filter(|kind| *kind != EvidenceKind::Linked);
        if kin == Some(EvidenceKind::Known) {
            return None;
        }
        let asked_for = self.table.counts.requests + self.table.counts.neighbour > 0;
        let by = |claim: &Claim, holder: &Claim| {
            // One host's bond pushes as well, but it answers too.
            let excused = kin.is_some() && claim.replies > claim.unasked.count;
            // What goes back to one whose name was abused, is not diverted.
            let diverted = claim.diverted.count > 0 && !holder.pushes;
            let pushes = claim.pushes || (kin.is_none() && (only_points(claim) || diverted));
            // What is said to the one that asks in its name answers that, and deceives nobody.
            let answers = |claim: &Claim, asker: &Claim| claim.told == [asker.mac] && asker.pointed.count > 0;
            let held = holds(holder) || answers(holder, claim);
            asked_for && pushes && !answers(claim, holder) && !excused && of(claim).is_none() && held
        };
        let mut liars: Vec<&Claim> = Vec::new();
        liars.extend(by(one, other).then_some(one));
        liars.extend(by(other, one).then_some(other));
        liars.sort_by_key(|claim| std::cmp::Reverse(claim.unasked.count));
        let mut suspects: BTreeSet<Mac> = liars.iter().map(|liar| liar.mac).collect();
        let mut evidence = Vec::new();
        let mut certainty = Certainty::Suspected;
        if let Some(liar) = liars.first() {
            let (mark, what) = match liar.unasked.count {
                0 => (&liar.pointed, "requests with the address as sender, to single hosts,"),
                _ => (&liar.unasked, "replies that nobody had asked for"),
            };
            let text = format!("{} sent {} {what} while another MAC holds the address", liar.mac, mark.count);
            evidence.push(self.evidence(EvidenceKind::Unasked, mark, text));
            evidence.extend(liar.diverted_from.map(|before| self.diverted(liar, before)));
            let addresses = self.pushed.get(&liar.mac).copied().unwrap_or_default();
            if addresses > 1 {
                certainty = Certainty::Likely;
                let text = format!("{} does so for {addresses} addresses of others", liar.mac);
                evidence.push(Evidence::new(EvidenceKind::ManyAddresses, text).count(addresses));
            }
        }
        if let Some(by) = relation.named_by {
            certainty = Certainty::Likely;
            let of = if by == one.mac { other.mac } else { one.mac };
            let text = format!(
                "{by} sent {} claims in the name of {of}: the Ethernet source is not the ARP sender",
                relation.named.count
            );
            suspects.insert(by);
            evidence.push(self.evidence(EvidenceKind::AnothersName, &relation.named, text));
        }
        for claim in [one, other].into_iter().filter(|claim| claim.foreign.count > 0) {
            let text = format!("claims of {} came from {}", claim.mac, claim.foreign_source);
            evidence.push(self.evidence(EvidenceKind::EthernetSource, &claim.foreign, text));
        }
        if liars.is_empty() && relation.named.count == 0 {
            return None;
        }
        if relation.contested.count > 0 {
            evidence.push(self.same_request(&relation.contested));
        }
        let text = "a bond in mode balance-alb looks the same, if both MACs are one host's";
        evidence.push(Evidence::new(EvidenceKind::Open, text.into()).against());
        let suspects = suspects.into_iter().collect();
        Some(Finding { suspects, ..Finding::new(Class::Spoof, Some(certainty), evidence) })
    }

    fn same_request(&self, mark: &Mark) -> Evidence {
        let text = format!("several MACs answered the same request, {}", times(mark.count));
        self.evidence(EvidenceKind::SameRequest, mark, text)
    }

    /// Both answered one request: a fault, whatever the cause.
    fn contested(&self, pair: &Pair<'_>) -> Finding {
        let relation = pair.relation;
        let mut evidence = vec![self.same_request(&relation.contested)];
        let mut also = Vec::new();
        let own = "the host's own request was answered by another NIC of its own";
        if let Some(kin) = pair.kin {
            if relation.defended.count > 0 {
                also.push(Class::SelfConflict);
                evidence.push(self.evidence(EvidenceKind::OwnRequest, &relation.defended, own.into()));
            }
            if pair.claims().iter().any(|claim| self.is_late(claim)) {
                also.push(Class::Proxy);
            }
            return Finding { also, ..Finding::new(Class::Flux, Some(kin.certainty), evidence) };
        }
        if let Some((certainty, piece)) = self.two_hosts(pair) {
            evidence.push(piece);
            return Finding::new(Class::Duplicate, Some(certainty), evidence);
        }
        let many =
            pair.claims().into_iter().filter(|claim| self.partners(claim.mac) >= 3 && claim.replies > 0);
        if let [proxy] = many.collect::<Vec<_>>().as_slice() {
            let partners = self.partners(proxy.mac);
            let text =
                format!("{} answers for {partners} other MACs' addresses too, as a proxy does", proxy.mac);
            evidence.push(Evidence::new(EvidenceKind::ManyAddresses, text).count(partners as u32));
            also.push(Class::Proxy);
        }
        if pair.claims().iter().all(|claim| claim.flags.yields()) {
            let text = "all of them advertise without the override flag, as holders of an anycast address and proxies do";
            evidence.push(Evidence::new(EvidenceKind::Flags, text.into()));
            return Finding::new(Class::Undetermined, None, evidence);
        }
        if let Some(yielding) = pair.claims().into_iter().find(|claim| claim.flags.yields()) {
            let text = format!("{} advertises without the override flag, as a proxy does", yielding.mac);
            evidence.push(Evidence::new(EvidenceKind::Flags, text).count(yielding.flags.does_not_override));
            if !also.contains(&Class::Proxy) {
                also.push(Class::Proxy);
            }
        }
        let routers = pair.claims().map(|claim| (claim.flags.router > 0, claim.flags.no_router > 0));
        if matches!(routers, [(true, false), (false, true)] | [(false, true), (true, false)]) {
            let text = "one of them says that it is a router, the other that it is none: two hosts, it seems";
            evidence.push(Evidence::new(EvidenceKind::Flags, text.into()));
        }
        let text = "no frame shows whether these MACs are one host's (flux) or two hosts' (a duplicate): \
                    --host MAC,MAC says it, arpflux probe and the switch's address table show it";
        evidence.push(Evidence::new(EvidenceKind::Open, text.into()));
        Finding { also, ..Finding::new(Class::Conflict, None, evidence) }
    }

    /// What shows that the MACs are two hosts'.
    fn two_hosts(&self, pair: &Pair<'_>) -> Option<(Certainty, Evidence)> {
        let relation = pair.relation;
        let likely = |piece| Some((Certainty::Likely, piece));
        if self.are_known_apart(pair.one.mac, pair.other.mac) {
            let text = "its MACs are known to be different hosts'";
            return Some((Certainty::Proved, Evidence::new(EvidenceKind::Known, text.into())));
        }
        if pair.straight {
            let text = "packets to each of its MACs were answered from that same MAC: two hosts have it";
            return likely(self.evidence(EvidenceKind::Straight, &pair.other.straight, text.into()));
        }
        if self.table.clocked && relation.returns.count > 0 && relation.announced > 1 {
            let text =
                "one claimed it again within ten seconds of the other, and it was announced more than once";
            return likely(self.evidence(EvidenceKind::Returned, &relation.returns, text.into()));
        }
        let at_once = |claim: &Claim| claim.prompt >= 3 && claim.late == 0 && self.alone.contains(&claim.mac);
        if self.table.clocked && relation.contested.count > 0 && pair.claims().into_iter().all(at_once) {
            let text = "its MACs answer it at once, and each of them answers for another address alone";
            return likely(Evidence::new(EvidenceKind::Alone, text.into()));
        }
        None
    }

    /// One claims the address, and the other answered it.
    fn defended(&self, pair: &Pair<'_>) -> Finding {
        let mark = &pair.relation.defended;
        if let Some(kin) = pair.kin {
            let text = "the host's own request was answered by another NIC of its own";
            let evidence = vec![self.evidence(EvidenceKind::OwnRequest, mark, text.into())];
            return Finding::new(Class::SelfConflict, Some(kin.certainty), evidence);
        }
        let text = "a MAC that claims it was answered by the other one, which claims it too";
        let mut evidence = vec![self.evidence(EvidenceKind::OwnRequest, mark, text.into())];
        if let Some((certainty, piece)) = self.two_hosts(pair) {
            evidence.push(piece);
            return Finding::new(Class::Duplicate, Some(certainty), evidence);
        }
        let text = "no frame shows whether these MACs are one host's or two hosts'";
        evidence.push(Evidence::new(EvidenceKind::Open, text.into()));
        Finding::new(Class::Conflict, None, evidence)
    }

    /// The claims passed from one to the other, and perhaps back.
    fn in_turn(&self, pair: &Pair<'_>) -> Finding {
        let relation = pair.relation;
        let unannounced = pair.unannounced();
        let clocked = self.table.clocked;
        let moves = times(relation.moves.count);
        let quick = clocked && (relation.quick > 0 || relation.returns.count > 0);
        // Without a clock, there and back is the most that is no quarrel.
        let settled = clocked || relation.moves.count <= 2;
        let turns = |text: String| vec![self.evidence(EvidenceKind::Moves, &relation.moves, text)];
        let announced = || {
            turns(format!("it moved {moves}, announced by gratuitous ARP, and no request was answered twice"))
        };
        if let Some(kin) = pair.kin {
            if unannounced == 0 && !quick && settled && relation.moves.count > 0 {
                return Finding::new(Class::Failover, None, announced());
            }
            if askers_apart(pair) {
                let text = "each of its MACs answers askers of its own, as a bond in mode balance-alb does";
                let piece = Evidence::new(EvidenceKind::AskersApart, text.into());
                return Finding::new(Class::Bond, None, vec![piece]);
            }
            if unannounced > 1 || quick {
                let evidence = turns("several MACs claim it by turns".into());
                let also = pair.claims().iter().any(|claim| self.is_late(claim)).then_some(Class::Proxy);
                return Finding {
                    also: also.into_iter().collect(),
                    ..Finding::new(Class::Flux, Some(kin.certainty), evidence)
                };
            }
            let text = "it moved once, without an announcement".into();
            return Finding::new(Class::Undetermined, None, turns(text));
        }
        if let Some((certainty, piece)) = self.two_hosts(pair) {
            return Finding::new(Class::Duplicate, Some(certainty), vec![piece]);
        }
        if unannounced == 0 && !quick && settled && relation.moves.count > 0 {
            return Finding::new(Class::Failover, None, announced());
        }
        let mut evidence =
            turns(format!("it passed between MACs {moves}, {} unannounced", times(unannounced)));
        if askers_apart(pair) {
            let text = "each of its MACs answers askers of its own, as a bond in mode balance-alb does, or two hosts";
            evidence.push(Evidence::new(EvidenceKind::AskersApart, text.into()));
            return Finding::new(Class::Undetermined, None, evidence);
        }
        if clocked && relation.returns.count > 1 {
            let text = "it went back within ten seconds, more than once: both claim it";
            evidence.push(self.evidence(EvidenceKind::Returned, &relation.returns, text.into()));
            return Finding::new(Class::Conflict, None, evidence);
        }
        Finding::new(Class::Undetermined, None, evidence)
    }

    fn is_late(&self, claim: &Claim) -> bool {
        self.table.clocked && claim.late >= 3 && claim.late > 4 * claim.prompt
    }
}

/// Virtual MACs that share an address by design.
fn excused(pair: &Pair<'_>) -> Option<Finding> {
    let relation = pair.relation;
    let group = match (of(pair.one), of(pair.other)) {
        // GLBP hands out several of one group.
        (Some(a), Some(b)) => {
            // To one request one of them answers.
            let shares_out = a == b && a.protocol == Redundancy::Glbp && relation.contested.count == 0;
            shares_out.then_some(a)?
        }
        (Some(group), None) | (None, Some(group)) => {
            let own = if of(pair.one).is_none() { pair.one } else { pair.other };
            let only_asks = own.replies == 0 && own.announcements == 0;
            let quiet = relation.contested.count + relation.named.count == 0;
            (only_asks && quiet).then_some(group)?
        }
        (None, None) => return None,
    };
    let text = format!("a virtual MAC of {group}");
    Some(Finding::new(Class::Virtual, None, vec![Evidence::new(EvidenceKind::VirtualMac, text)]))
}

/// Whether a MAC was seen to have the address for itself, not only to push it on others.
fn holds(claim: &Claim) -> bool {
    claim.replies > claim.unasked.count || claim.announcements > 0 || claim.requests > 0
}

/// Whether the MACs answer, each askers of its own, and nothing else.
fn askers_apart(pair: &Pair<'_>) -> bool {
    let [one, other] = pair.claims();
    let asks = |claim: &Claim| claim.requests > 0 || claim.announcements > 0 || claim.askers[0].is_none();
    let full = |claim: &Claim| claim.askers.iter().all(Option::is_some);
    !(asks(one) || asks(other) || full(one) && full(other))
        && one.askers.iter().flatten().all(|asker| !other.askers.contains(&Some(*asker)))
}

/// Whether a MAC claims the address by requests to single hosts alone, as tools do that forge requests.
pub(super) fn only_points(claim: &Claim) -> bool {
    claim.pointed.count >= 3
        && claim.pointed.count == claim.requests
        && claim.announcements == 0
        && claim.replies == claim.unasked.count
}
