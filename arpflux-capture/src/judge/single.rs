//! An address that one MAC claims.

use super::Finding;
use super::kinship::{Context, near};
use super::pair::only_points;
use crate::evidence::{Evidence, EvidenceKind};
use crate::report::{Certainty, Class};
use crate::table::{Claim, Key, Mark};
use arpflux_core::types::{Mac, VirtualMac};

/// An answer as slow as this, in ns, is not one that a sleeping station gave as soon as its access point told it.
const SLOW: u64 = 400_000_000;

/// Whether a MAC has an address only when somebody asks whether it is free.
pub(super) fn only_denies(claim: &Claim) -> bool {
    claim.denials > 0 && claim.denials == claim.replies && claim.requests + claim.announcements == 0
}

impl Context<'_> {
    pub(super) fn single(&self, key: Key, claim: &Claim) -> Finding {
        if let Some(of) = claim.mac.octets().and_then(VirtualMac::of) {
            let text = format!("a virtual MAC of {of}");
            return Finding::new(Class::Virtual, None, vec![Evidence::new(EvidenceKind::VirtualMac, text)]);
        }
        if claim.foreign.count > 0 {
            let text = format!(
                "{} of its claims came from {}, not from {}: forged, or passed on by a repeater",
                claim.foreign.count, claim.foreign_source, claim.mac
            );
            let piece = self.evidence(EvidenceKind::EthernetSource, &claim.foreign, text);
            let suspects = vec![claim.foreign_source];
            return Finding { suspects, ..Finding::new(Class::Undetermined, None, vec![piece]) };
        }
        if let Some(addresses) = self.denies.get(&claim.mac).filter(|_| only_denies(claim)) {
            let text = format!(
                "{} tells everybody who asks whether an address is free that it has it, {addresses} addresses so far, and \
                 uses none: to keep others off the network, or as a proxy of this does",
                claim.mac
            );
            let piece = Evidence::new(EvidenceKind::Denials, text).count(claim.denials);
            let suspects = vec![claim.mac];
            return Finding { suspects, ..Finding::new(Class::Undetermined, None, vec![piece]) };
        }
        // Neighbours ask one another alone whether they are there still; replies that nobody asked for are no part of that.
        let pushes = claim.unasked.count > 0 || only_points(claim);
        if let Some(before) = claim.diverted_from.filter(|before| pushes && !near(*before, claim.mac)) {
            let piece = self.diverted(claim, before);
            let text = "a fail-over told to single hosts looks the same";
            let open = Evidence::new(EvidenceKind::Open, text.into()).against();
            let suspects = vec![claim.mac];
            let finding = Finding::new(Class::Spoof, Some(Certainty::Suspected), vec![piece, open]);
            return Finding { suspects, ..finding };
        }
        let asked_for = self.table.counts.requests + self.table.counts.neighbour > 0;
        if asked_for && claim.pushes && claim.told.len() > 1 {
            let text = format!(
                "{} told several hosts unasked that it has the address: forged, or in answer to requests that the capture lacks",
                claim.mac
            );
            let piece = self.evidence(EvidenceKind::Unasked, &claim.unasked, text);
            let suspects = vec![claim.mac];
            return Finding { suspects, ..Finding::new(Class::Undetermined, None, vec![piece]) };
        }
        let addresses = self.nameless.get(&claim.mac).copied().unwrap_or_default();
        if claim.pushes && claim.nameless && addresses > 1 {
            let text = format!(
                "{} told hosts unasked that it has {addresses} addresses, and text does not say in whose name they are: forged, or \
                 in answer to requests that it lacks; the packets themselves (tcpdump -w) tell more",
                claim.mac
            );
            let piece = self.evidence(EvidenceKind::Unasked, &claim.unasked, text);
            let suspects = vec![claim.mac];
            return Finding { suspects, ..Finding::new(Class::Undetermined, None, vec![piece]) };
        }
        let mut evidence = self.proxied(key, claim);
        if claim.flags.yields() {
            let text =
                "it advertises without the override flag, as proxies and holders of an anycast address do";
            let piece = Evidence::new(EvidenceKind::Flags, text.into()).count(claim.flags.does_not_override);
            let asks = claim.requests + claim.announcements > 0;
            evidence.push(if asks { piece.against() } else { piece });
        }
        let proxied = evidence.iter().any(|piece| !piece.against);
        let (class, certainty) =
            if proxied { (Class::Proxy, Some(Certainty::Likely)) } else { (Class::Single, None) };
        Finding::new(class, certainty, evidence)
    }

    /// That packets take another way since somebody told their sender so.
    pub(super) fn diverted(&self, claim: &Claim, before: Mac) -> Evidence {
        let text = format!(
            "packets went to {before} until {} told their sender unasked that it has the address, and go there since",
            claim.mac
        );
        self.evidence(EvidenceKind::Diverted, &claim.diverted, text)
    }

    /// What shows somebody behind a router, who answers for it; and what speaks against that.
    pub(super) fn proxied(&self, key: Key, claim: &Claim) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        let late = self.table.clocked && claim.late >= 3 && claim.late > 4 * claim.prompt;
        let forwarded = claim.ttl.is_forwarded();
        let elsewhere =
            || self.fresh.get(&claim.mac).is_some_and(|keys| keys.iter().any(|other| *other != key));
        let none = Mark::default();
        if late {
            let text = "its answers to broadcasts come late, as those for proxied addresses do";
            let piece = self.evidence(EvidenceKind::Delay, &none, text.into()).count(claim.late);
            // A station that sleeps answers late as well, but not by as much.
            let stands = claim.slowest >= SLOW && !claim.ttl.is_fresh();
            evidence.push(if stands { piece } else { piece.against() });
        }
        if forwarded {
            let text = "its packets have passed a router (time to live), which answers for it";
            let piece = self.evidence(EvidenceKind::TimeToLive, &none, text.into()).count(claim.ttl.packets);
            // The address of a NAT gateway itself looks the same.
            evidence.push(if elsewhere() || late { piece } else { piece.against() });
        }
        if !evidence.is_empty() && claim.requests > 0 {
            let text = "it asks with the address as sender, which a proxy never does";
            evidence = evidence.into_iter().map(Evidence::against).collect();
            evidence.push(Evidence::new(EvidenceKind::Asks, text.into()).count(claim.requests).against());
        }
        evidence
    }
}
