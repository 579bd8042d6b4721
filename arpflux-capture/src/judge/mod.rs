//! From counts to classes. Every rule names its evidence, and what speaks against it.

mod advice;
#[cfg(test)]
mod conflict_scenes;
mod group;
#[cfg(test)]
mod group_scenes;
mod kinship;
#[cfg(test)]
mod monotone;
mod pair;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod scenes;
mod single;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use arpflux_core::frame::Timestamp;
use arpflux_core::types::Mac;

use crate::evidence::{Evidence, EvidenceKind, Frame};
use crate::missing::{Missing, MissingKind};
use crate::report::{AddressReport, Certainty, Class, MacAddresses, MacReport, Report, Side};
use crate::table::{Address, Claim, Key, Mark, Table};
use crate::vendor::vendor;
use arpflux_core::types::VirtualMac;
use kinship::Context;

/// What the caller knows that frames do not tell.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Known {
    /// The MACs of hosts: of this one, in a live capture.
    pub hosts: Vec<Vec<Mac>>,
}

impl Known {
    /// The MACs of each host.
    #[must_use]
    pub const fn of(hosts: Vec<Vec<Mac>>) -> Self {
        Self { hosts }
    }
}

/// What was made of an address, or of two of its MACs.
#[derive(Debug)]
struct Finding {
    class: Class,
    certainty: Option<Certainty>,
    also: Vec<Class>,
    evidence: Vec<Evidence>,
    /// Whose doing it is, as far as that shows.
    suspects: Vec<Mac>,
}

impl Finding {
    fn new(class: Class, certainty: Option<Certainty>, evidence: Vec<Evidence>) -> Self {
        Self { class, certainty, also: Vec::new(), evidence, suspects: Vec::new() }
    }

    /// The worst counts.
    fn weight(&self) -> (u8, u8) {
        let among = match self.class {
            Class::Spoof => 5,
            Class::Duplicate => 4,
            Class::Flux => 3,
            Class::Conflict => 2,
            Class::SelfConflict => 1,
            _ => 0,
        };
        (self.class.rank(), among)
    }
}

impl Table {
    /// What the frames so far show.
    ///
    /// # The rules
    /// Two MACs of an address are judged at a time; of several pairs the worst counts. Whatever is added that conflicts
    /// more never makes it better.
    ///
    /// *One host.* Two MACs are taken for one host's
    /// - **proved** if the caller says so, or if a packet or an ARP request sent to one of them alone
    ///   was answered from another: a second holder of the address would have answered for itself;
    /// - **likely** if the packet so answered had passed a router; if they differ by at most 64 within
    ///   one manufacturer's block, as those of one card or one virtual machine do (not for blocks that
    ///   hypervisors hand out one after the other to different machines, nor for locally administered
    ///   addresses); or if both answer together for two addresses and more, and neither for any address alone.
    ///
    /// *Two MACs*, in this order:
    /// - [`Class::Virtual`]: both are GLBP's of one group; or one is virtual, and the other, the router's own, only asks
    ///   with the address as sender. A virtual MAC excuses nothing else.
    /// - [`Class::Spoof`]: one sent at least three replies, and more than half of all that it had sent then, that nobody
    ///   seen had asked for, to single hosts, for an address that the other holds; or spoke in the other's name by an
    ///   Ethernet source of its own, as tools do that restore what they forged. *Likely* if it did so for several
    ///   addresses or in another's name. Not if both are likely one host's: a bond in mode balance-alb does that. Not
    ///   judged in a capture without requests.
    /// - Both answered one request: a fault whatever the cause. [`Class::Flux`] of one host, [`Class::Duplicate`] of two,
    ///   [`Class::Conflict`] where no frame shows which.
    /// - [`Class::SelfConflict`]: one host, and the only requests so answered were its own. Two hosts: one defends what
    ///   the other claims.
    /// - They claimed it in turn. [`Class::Failover`]: every move began with a gratuitous ARP, and each
    ///   MAC kept the address for a second and more. [`Class::Duplicate`]: one announced itself again within ten seconds
    ///   of the other's announcement (RFC 5227 section 2.4). [`Class::Flux`]: one host's, by turns.
    ///   [`Class::Bond`]: one host's, and each answers askers of its own.
    /// - [`Class::Undetermined`]: all else.
    ///
    /// *One MAC*: [`Class::Virtual`]; [`Class::Proxy`], *likely*, if its answers to broadcasts come late, as Linux delays
    /// proxied ones by up to 0.8 s, or if its packets from the address have all passed a router while those of another
    /// address of the same MAC have not; never if it asks with the address as sender, which a proxy does not. One whose
    /// claims came from another Ethernet source is undetermined; so is one that told several hosts unasked, one that told
    /// hosts that text does not name that it has several addresses, and one that has addresses only when somebody asks
    /// whether they are free. [`Class::Spoof`], *suspected*, if it told a host unasked that it has the address, and that
    /// host's packets went to it from then on and no more to another MAC. [`Class::Single`] otherwise.
    ///
    /// *Neighbour discovery*: advertisements that answer a question to all and never override come from proxies and from
    /// holders of anycast addresses; where all who answer yield so, it is undetermined.
    ///
    /// *Groups*: packets of VRRP, CARP, HSRP and GLBP say who is master. A move that the master made as well is
    /// [`Class::Failover`]; two masters that go on at once are [`Class::Duplicate`], whatever ARP shows.
    ///
    /// *Logs*: a line that says that two have it is [`Class::Conflict`] if frames say nothing worse.
    ///
    /// In a capture without a clock no rule of time is used, and an address that moves more than twice is no fail-over.
    #[must_use]
    pub fn report(&self, known: &Known) -> Report {
        let context = Context::new(self, known);
        let mut addresses: Vec<AddressReport> =
            self.addresses.iter().map(|(key, address)| context.address(*key, address)).collect();
        addresses.sort_by(|a, b| {
            (a.class, a.address, a.interface, &a.vlans, a.tunnel).cmp(&(
                b.class,
                b.address,
                b.interface,
                &b.vlans,
                b.tunnel,
            ))
        });
        let counts = &self.counts;
        let full = (counts.dropped > 0).then(|| {
            let text = format!("{} claims found no room in the table: not all is shown", counts.dropped);
            Missing::new(MissingKind::Full, counts.dropped, text)
        });
        let report = Report {
            ok: None,
            requests: counts.requests,
            replies: counts.replies,
            neighbour: counts.neighbour,
            odd: counts.odd,
            dropped: counts.dropped,
            lost: 0,
            disordered: counts.disordered.count,
            start: self.clocked.then_some(Timestamp(self.span.start)),
            length: self.span.end - self.span.start,
            part: 1 << self.span.shift,
            clocked: self.clocked,
            addresses,
            groups: context.groups(),
            macs: context.macs(),
            explained: Vec::new(),
            files: Vec::new(),
            missing: full.into_iter().collect(),
        };
        report.judged()
    }
}

impl Context<'_> {
    fn address(&self, key: Key, entry: &Address) -> AddressReport {
        let wire = self.table.wire(key.wire);
        let finding = match entry.claims.as_slice() {
            [only] if entry.unlisted == 0 => self.single(key, only),
            _ => self.several(entry),
        };
        let finding = self.with_groups(key, entry, self.with_logs(entry, finding));
        let victims = self.victims(entry, &finding);
        let mut evidence = finding.evidence;
        if entry.unlisted > 0 {
            let text = format!("{} more claims came from MACs beyond the limit", entry.unlisted);
            evidence.push(Evidence::new(EvidenceKind::Unlisted, text).count(entry.unlisted));
        }
        let because =
            evidence.iter().filter(|piece| !piece.against).map(|piece| piece.text.clone()).collect();
        AddressReport {
            address: address(key.address),
            interface: self.table.has_interfaces().then_some(wire.interface),
            vlans: wire.vlans.ids().collect(),
            tunnel: wire.tunnel,
            class: finding.class,
            certainty: finding.certainty,
            also: finding.also,
            because,
            evidence,
            next: advice::next(address(key.address), finding.class, entry),
            suspects: finding.suspects,
            victims,
            contested: entry.contested.count,
            moves: entry.moves,
            macs: entry.claims.iter().map(|claim| self.mac(claim)).collect(),
        }
    }

    /// The worst of all pairs, with the evidence of all that are as bad.
    fn several(&self, entry: &Address) -> Finding {
        let kin = self.kin(entry);
        let mut findings: Vec<Finding> = entry
            .relations
            .iter()
            .filter(|relation| pair::says_something(relation))
            .map(|relation| self.pair(entry, relation, &kin))
            .collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.weight()));
        let mut findings = findings.into_iter();
        let Some(mut worst) = findings.next() else {
            let text = "several MACs claim it, and nothing shows why".into();
            return Finding::new(Class::Undetermined, None, vec![Evidence::new(EvidenceKind::Moves, text)]);
        };
        for other in findings {
            if other.class == worst.class {
                worst.certainty = worst.certainty.min(other.certainty);
                for piece in other.evidence {
                    if worst.evidence.iter().all(|known| known.text != piece.text) {
                        worst.evidence.push(piece);
                    }
                }
            } else if other.class.rank() > 0 && !worst.also.contains(&other.class) {
                worst.also.push(other.class);
            }
            for mac in other.suspects {
                if !worst.suspects.contains(&mac) {
                    worst.suspects.push(mac);
                }
            }
            for class in other.also {
                if class != worst.class && !worst.also.contains(&class) {
                    worst.also.push(class);
                }
            }
        }
        worst
    }

    /// A finding with what logs say.
    fn with_logs(&self, entry: &Address, mut finding: Finding) -> Finding {
        let Some(mac) = entry.logged_by else { return finding };
        let text = format!("a log says that {mac} has it as well as another, {}", times(entry.logged.count));
        finding.evidence.push(self.evidence(EvidenceKind::Log, &entry.logged, text));
        if finding.class.rank() < 2 {
            finding.class = Class::Conflict;
            finding.certainty = None;
            finding.suspects.push(mac);
        }
        finding
    }

    /// Whom the suspects told what is wrong.
    fn victims(&self, entry: &Address, finding: &Finding) -> Vec<Mac> {
        let told = entry.claims.iter().filter(|claim| finding.suspects.contains(&claim.mac));
        told.flat_map(|claim| claim.told.iter().copied()).collect::<BTreeSet<Mac>>().into_iter().collect()
    }

    /// Every MAC with the addresses that it claimed.
    fn macs(&self) -> Vec<MacAddresses> {
        let mut macs: BTreeMap<Mac, (BTreeSet<u128>, u32, u32)> = BTreeMap::new();
        for (key, entry) in &self.table.addresses {
            for claim in &entry.claims {
                let (addresses, padded, unpadded) = macs.entry(claim.mac).or_default();
                addresses.insert(key.address);
                *padded = padded.saturating_add(claim.padded);
                *unpadded = unpadded.saturating_add(claim.unpadded);
            }
        }
        // Where all are alike, as in a virtual network, their lengths tell nothing.
        let differ = macs.values().any(|(_, padded, _)| *padded > 0)
            && macs.values().any(|(_, _, unpadded)| *unpadded > 0);
        let of = |(mac, (addresses, padded, unpadded)): (Mac, (BTreeSet<u128>, u32, u32))| MacAddresses {
            mac,
            vendor: vendor(mac),
            side: match (padded, unpadded) {
                (0, 1..) if differ => Some(Side::Host),
                (1.., 0) if differ => Some(Side::Wire),
                _ => None,
            },
            addresses: addresses.into_iter().map(address).collect(),
        };
        macs.into_iter().map(of).collect()
    }

    /// When, since the capture began; nothing without a clock.
    fn since(&self, seen: crate::table::Seen) -> Option<u64> {
        self.table.clocked.then(|| seen.time.saturating_sub(self.table.span.start))
    }

    fn mac(&self, claim: &Claim) -> MacReport {
        MacReport {
            mac: claim.mac,
            replies: claim.replies,
            requests: claim.requests,
            announcements: claim.announcements,
            unasked: claim.unasked.count,
            first: self.since(claim.first),
            last: self.since(claim.last),
            virtual_mac: claim.mac.octets().and_then(VirtualMac::of),
            active: claim.active,
        }
    }

    /// Where a mark was seen, first and last.
    fn frames(&self, mark: &Mark) -> Vec<Frame> {
        let frame =
            |seen: crate::table::Seen| Frame { file: seen.file, frame: seen.frame, at: self.since(seen) };
        match mark.count {
            0 => Vec::new(),
            1 => vec![frame(mark.first)],
            _ => vec![frame(mark.first), frame(mark.last)],
        }
    }

    fn evidence(&self, kind: EvidenceKind, mark: &Mark, text: String) -> Evidence {
        Evidence { frames: self.frames(mark), ..Evidence::new(kind, text) }.count(mark.count)
    }
}

/// IPv4 stands as `::ffff:0:0/96` in the table.
fn address(bits: u128) -> IpAddr {
    Ipv6Addr::from_bits(bits).to_canonical()
}

/// How often, for people.
fn times(count: u32) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}
