//! What the packets of redundancy groups say about an address.

use arpflux_core::types::VirtualMac;

use super::kinship::Context;
use super::{Finding, address, times};
use crate::evidence::{Evidence, EvidenceKind};
use crate::report::{Certainty, Class, GroupReport, RouterReport};
use crate::table::{Address, Group, GroupKey, Key, Relation, Router};

impl Context<'_> {
    /// A finding with what the routers of the address's groups say themselves: who is master, and that two are.
    pub(super) fn with_groups(&self, key: Key, entry: &Address, mut finding: Finding) -> Finding {
        for (id, group) in self.table.groups.iter().filter(|(id, group)| concerns(id, group, key, entry)) {
            let label = format!("{}, group {}", id.1, id.2);
            if let Some(both) = group.both() {
                let text = format!("two routers are master of {label} at once: {}", named(&group.routers));
                let piece = self.evidence(EvidenceKind::Group, both, text);
                if finding.class.rank() < 2 {
                    finding =
                        Finding { class: Class::Duplicate, certainty: Some(Certainty::Likely), ..finding };
                }
                finding.evidence.insert(0, piece);
                continue;
            }
            let Some(last) = group.routers.last() else { continue };
            let text = match group.changes.count {
                0 => format!("{label}: {} is master", named(std::slice::from_ref(last))),
                changes => {
                    format!("{label}: the master changed {}: {}", times(changes), named(&group.routers))
                }
            };
            let piece = self.evidence(EvidenceKind::Group, &group.changes, text);
            if finding.class == Class::Undetermined && explains(group, entry) {
                finding = Finding::new(Class::Failover, None, vec![piece]);
                continue;
            }
            finding.evidence.push(piece);
            let stranger = |mac| {
                group.routers.iter().all(|router| router.mac != mac)
                    && mac.octets().and_then(VirtualMac::of).is_none()
            };
            for claim in entry.claims.iter().filter(|claim| stranger(claim.mac) && claim.replies > 0) {
                let text = format!("{} answers for it and is no router of {label}", claim.mac);
                finding.evidence.push(Evidence::new(EvidenceKind::Group, text).count(claim.replies));
                if finding.class.rank() == 2 && !finding.suspects.contains(&claim.mac) {
                    finding.suspects.push(claim.mac);
                }
            }
        }
        finding
    }

    /// All groups, for the report.
    pub(super) fn groups(&self) -> Vec<GroupReport> {
        let router = |router: &Router| RouterReport {
            address: address(router.address),
            mac: router.mac,
            priority: router.priority,
            packets: router.packets.count,
            first: self.since(router.packets.first),
            last: self.since(router.packets.last),
            resigned: router.resigned,
        };
        let groups = self.table.groups.iter().map(|(id, group)| GroupReport {
            protocol: id.1,
            group: id.2,
            addresses: group.addresses.iter().map(|bits| address(*bits)).collect(),
            virtual_macs: group.forwarders.clone(),
            masters: group.routers.iter().map(router).collect(),
            changes: group.changes.count,
            several_at_once: group.both().is_some(),
        });
        groups.collect()
    }
}

/// Whether a group has an address: its packets name it, or its virtual MAC claims it.
fn concerns(id: &GroupKey, group: &Group, key: Key, entry: &Address) -> bool {
    let is_ipv6 = key.is_ipv6();
    let virtual_mac = |claim: &crate::table::Claim| {
        let of = claim.mac.octets().and_then(VirtualMac::of);
        of.is_some_and(|of| of.protocol == group.protocol && of.group == id.2)
    };
    id.0 == key.wire
        && id.3 == is_ipv6
        && (group.addresses.contains(&key.address)
            || group.may_have(key.address) && entry.claims.iter().any(virtual_mac))
}

/// Whether the address moved as the group's master did, and nothing else happened to it.
fn explains(group: &Group, entry: &Address) -> bool {
    let quiet = |relation: &Relation| {
        relation.contested.count + relation.defended.count + relation.named.count + relation.returns.count
            == 0
            && relation.quick == 0
    };
    group.changes.count > 0
        && entry.moves <= group.changes.count
        && entry.unlisted == 0
        && entry.relations.iter().all(quiet)
        && entry.claims.iter().all(|claim| {
            claim.foreign.count == 0
                && claim.unasked.count == 0
                && group.routers.iter().any(|router| router.mac == claim.mac)
        })
}

/// Routers with their MACs, for people.
fn named(routers: &[Router]) -> String {
    let name = |router: &Router| format!("{} ({})", address(router.address), router.mac);
    routers.iter().map(name).collect::<Vec<_>>().join(", ")
}
