//! From counts to classes. Every rule names its evidence and where it may err.

use std::collections::{BTreeMap, BTreeSet};

use super::record::Vlans;
use super::report::{AddressReport, Certainty, Class, MacReport, Report};
use super::table::{Address, FullPair, Link, Table, station};
use super::virtual_mac::VirtualMac;
use crate::frame::Timestamp;
use crate::types::Mac;

/// What the caller knows that frames do not tell.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The MACs of hosts: of this one, in a live capture.
    pub hosts: Vec<Vec<Mac>>,
}

/// Whether some MACs are one host's.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kinship {
    Proved(&'static str),
    Likely(&'static str),
    Unknown,
}

/// What the table as a whole says about its MACs.
struct Context<'a> {
    table: &'a Table,
    known: BTreeMap<u64, usize>,
    /// Sets of MACs that answered the same requests, with the addresses they did it for.
    sets: BTreeMap<BTreeSet<u64>, u32>,
    /// MACs that answered for an address alone, and at once.
    alone: BTreeSet<u64>,
    /// For MACs that share addresses: with which others.
    partners: BTreeMap<u64, BTreeSet<u64>>,
}

impl Table {
    /// What the frames so far show.
    ///
    /// # The rules
    /// *One host.* Several MACs are taken for one host's
    /// - **proved** if the caller says so, or if a packet or an ARP request sent to one of them alone
    ///   was answered from another: a second holder of the address would have answered for itself;
    /// - **likely** if the packet so answered had passed a router; if the MACs differ by at most 64 within
    ///   one manufacturer's block, as those of one card or one virtual machine do (not for blocks that
    ///   hypervisors hand out one after the other to different machines, nor for locally administered
    ///   addresses); or if the same MACs answer together for two addresses and more, and none of them
    ///   for any address alone.
    ///
    /// *Several MACs*, in this order:
    /// - [`Class::Flux`]: one host, and its MACs answered the same request, or claimed the address by turns
    ///   or within one second of each other.
    /// - [`Class::SelfConflict`]: one host, and the only requests so answered were its own.
    /// - [`Class::Virtual`]: virtual MACs, alone or beside the routers' own; several at once only for GLBP.
    /// - [`Class::Proxy`]: one of the MACs shares three addresses and more, each with another MAC: it
    ///   answers for hosts that answer themselves. Unless most of its replies were unasked:
    /// - [`Class::Spoof`], *suspected*: a MAC sent at least three replies, and more than half of all, that
    ///   nobody seen had asked for, to single hosts, for an address that another one holds. A bond in mode
    ///   balance-alb does the same for good reasons. Not judged in a capture without requests.
    /// - [`Class::Duplicate`]: the caller knows the MACs as different hosts (*proved*); *likely* if not known to be one host, and packets to each MAC were answered
    ///   from that same MAC; or a holder announced itself again within ten seconds of another's announcement
    ///   (RFC 5227 section 2.4); or both answered at once, while each answers for another address alone,
    ///   which one host would not do without selecting interfaces for the one and not for the other.
    /// - [`Class::Failover`]: no request was answered twice, every move began with a gratuitous ARP, and each
    ///   MAC kept the address for a second and more.
    /// - [`Class::Undetermined`]: all else. Frames alone often cannot tell two NICs of one host from two hosts.
    ///
    /// *One MAC*: [`Class::Virtual`]; [`Class::Proxy`], *likely*, if its packets from the address have all
    /// passed a router (time to live), or its answers to broadcasts come late, as Linux delays proxied
    /// ones by up to 0.8 s; [`Class::Single`] otherwise. A proxy without delay that nobody pings through looks single.
    #[must_use]
    pub fn report(&self, known: &Known) -> Report {
        let context = Context::new(self, known);
        let mut addresses: Vec<AddressReport> =
            self.addresses().map(|address| context.address(&address)).collect();
        addresses.sort_by(|a, b| (a.class, a.address, &a.vlans).cmp(&(b.class, b.address, &b.vlans)));
        Report {
            requests: self.counts.requests,
            replies: self.counts.replies,
            odd: self.counts.odd,
            dropped: self.counts.dropped,
            start: self.clocked.then_some(Timestamp(self.span.start)),
            length: self.span.end - self.span.start,
            part: 1 << self.span.shift,
            clocked: self.clocked,
            addresses,
        }
    }
}

/// MACs of one card lie close together.
const NEAR: u64 = 64;

/// Blocks that hypervisors give out in sequence to different machines: Hyper-V, and vCenter.
const SEQUENTIAL: [u64; 2] = [0x00_15_5d, 0x00_50_56];

/// Whether all of these are likely of one card, by their numbers.
fn near(macs: &[FullPair]) -> bool {
    let stations = || macs.iter().map(|pair| pair.station);
    let (Some(lowest), Some(highest)) = (stations().min(), stations().max()) else {
        return false;
    };
    let block = lowest >> 24;
    let local = block >> 16 & 2 != 0;
    let of_nics =
        macs.iter().all(|pair| pair.mac().octets().is_some_and(|mac| VirtualMac::of(mac).is_none()));
    of_nics && !local && !SEQUENTIAL.contains(&block) && highest >> 24 == block && highest - lowest <= NEAR
}

/// Joins what belongs together; gives whether all `count` things ended in one group.
fn all_joined(count: usize, joined: impl Fn(usize, usize) -> bool) -> bool {
    let mut reached = vec![false; count];
    let mut open = vec![0];
    while let Some(one) = open.pop() {
        if std::mem::replace(&mut reached[one], true) {
            continue;
        }
        open.extend((0..count).filter(|other| !reached[*other] && joined(one, *other)));
    }
    reached.iter().all(|reached| *reached)
}

impl<'a> Context<'a> {
    fn new(table: &'a Table, known: &Known) -> Self {
        let hosts = known.hosts.iter().enumerate();
        let known =
            hosts.flat_map(|(host, macs)| macs.iter().map(move |mac| (station(mac.as_bytes()), host)));
        let mut context = Self {
            table,
            known: known.into_iter().collect(),
            sets: BTreeMap::new(),
            alone: BTreeSet::new(),
            partners: BTreeMap::new(),
        };
        for address in table.addresses() {
            let stations = || address.pairs.iter().map(|pair| pair.station);
            if address.stats.contested > 0 {
                let shared = address.pairs.iter().filter(|pair| pair.rare.shared > 0);
                *context.sets.entry(shared.map(|pair| pair.station).collect()).or_default() += 1;
            }
            match address.pairs.as_slice() {
                [only] => context.alone.extend((only.prompt > only.late).then_some(only.station)),
                _ => {
                    for station in stations() {
                        let others = stations().filter(|other| *other != station);
                        context.partners.entry(station).or_default().extend(others);
                    }
                }
            }
        }
        context
    }

    fn kinship(&self, pairs: &[FullPair]) -> Kinship {
        let same_known = |a: u64, b: u64| match (self.known.get(&a), self.known.get(&b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        };
        let link = |a: u64, b: u64| self.table.links.get(&(a.min(b), a.max(b))).copied();
        let joined = |test: &dyn Fn(u64, u64) -> bool| {
            all_joined(pairs.len(), |one, other| test(pairs[one].station, pairs[other].station))
        };
        let proved = |a, b| same_known(a, b) || link(a, b) == Some(Link::Answered);
        if joined(&same_known) {
            return Kinship::Proved("its MACs are known to be one host's");
        }
        if joined(&proved) {
            return Kinship::Proved(
                "what was sent to one MAC alone was answered from another: they are one host's",
            );
        }
        let near = near(pairs);
        if pairs.iter().filter(|pair| pair.rare.straight > 0).count() > 1 {
            return Kinship::Unknown;
        }
        if joined(&|a, b| proved(a, b) || link(a, b).is_some()) {
            return Kinship::Likely("packets sent to one MAC came back from another by way of a router");
        }
        if near {
            return Kinship::Likely(
                "its MACs stand side by side in one manufacturer's block, as those of one host do",
            );
        }
        let set: BTreeSet<u64> = pairs.iter().map(|pair| pair.station).collect();
        let together = self.sets.get(&set).is_some_and(|addresses| *addresses > 1);
        if together && set.is_disjoint(&self.alone) {
            return Kinship::Likely(
                "the same MACs answer together for other addresses, and none of them for any alone",
            );
        }
        Kinship::Unknown
    }

    fn address(&self, entry: &Address) -> AddressReport {
        let pairs = &entry.pairs;
        let vlans = Vlans::from_bits((entry.key >> 32) as u32);
        let mut report = AddressReport {
            address: (entry.key as u32).into(),
            vlans: vlans.ids().collect(),
            class: Class::Single,
            certainty: None,
            also: Vec::new(),
            because: Vec::new(),
            contested: entry.stats.contested,
            moves: entry.stats.moves,
            macs: pairs.iter().map(|pair| self.mac(pair)).collect(),
        };
        if entry.stats.unlisted > 0 {
            report
                .because
                .push(format!("{} more claims came from MACs beyond the limit", entry.stats.unlisted));
        }
        let virtuals = report.macs.iter().filter(|mac| mac.virtual_mac.is_some()).count();
        if pairs.len() == 1 && entry.stats.unlisted == 0 {
            self.one_mac(pairs, virtuals, &mut report);
        } else {
            self.several_macs(entry, pairs, virtuals, &mut report);
        }
        report
    }

    fn mac(&self, pair: &FullPair) -> MacReport {
        let start = self.table.span.start;
        MacReport {
            mac: pair.mac(),
            replies: pair.replies,
            requests: pair.requests,
            announcements: pair.announcements,
            unasked: pair.rare.unasked,
            first: self.table.clocked.then(|| pair.first.saturating_sub(start)),
            last: self.table.clocked.then(|| pair.last.saturating_sub(start)),
            virtual_mac: pair.mac().octets().and_then(VirtualMac::of),
            active: pair.active,
        }
    }

    fn one_mac(&self, pairs: &[FullPair], virtuals: usize, report: &mut AddressReport) {
        if virtuals == 1 {
            report.set(Class::Virtual, None, virtual_sentence(report));
        } else if let Some(sentence) = self.proxied(pairs) {
            report.set(Class::Proxy, Some(Certainty::Likely), sentence.into());
        }
    }

    /// Whether packets and the time that answers take show somebody behind a router.
    fn proxied(&self, pairs: &[FullPair]) -> Option<&'static str> {
        let sum = |count: fn(&FullPair) -> u32| pairs.iter().map(|pair| u64::from(count(pair))).sum::<u64>();
        if sum(|pair| pair.rare.forwarded) >= 2 && sum(|pair| pair.rare.own) == 0 {
            return Some("its packets have passed a router (time to live), which answers for it");
        }
        let (prompt, late) = (sum(|pair| pair.prompt), sum(|pair| pair.late));
        let delayed = self.table.clocked && late >= 3 && late > 4 * prompt;
        delayed.then_some("its answers to broadcasts come late, as those for proxied addresses do")
    }

    fn several_macs(&self, entry: &Address, pairs: &[FullPair], virtuals: usize, report: &mut AddressReport) {
        let kinship = self.kinship(pairs);
        let unannounced = entry.stats.moves.saturating_sub(entry.stats.announced_moves);
        let at_once = format!("several MACs answered the same request, {}", times(entry.stats.contested));
        let one_host = match kinship {
            Kinship::Proved(why) => Some((Certainty::Proved, why)),
            Kinship::Likely(why) => Some((Certainty::Likely, why)),
            Kinship::Unknown => None,
        };
        if virtuals == 0
            && let Some((certainty, why)) = one_host
        {
            let by_turns = unannounced > 1 || entry.stats.quick_moves > 0 || entry.stats.quick_returns > 0;
            if entry.stats.self_answered > 0 {
                report.because.push("the host's own request was answered by another NIC of its own".into());
            }
            if entry.stats.contested > 0 {
                report.set(Class::Flux, Some(certainty), at_once);
            } else if entry.stats.self_answered > 0 {
                report.class = Class::SelfConflict;
                report.certainty = Some(certainty);
            } else if by_turns {
                report.set(Class::Flux, Some(certainty), "several MACs claim it by turns".into());
            } else if unannounced == 0 {
                report.set(Class::Failover, None, moved(entry));
            } else {
                report.set(Class::Undetermined, None, "it moved once, without an announcement".into());
            }
            if report.class == Class::Flux && entry.stats.self_answered > 0 {
                report.also.push(Class::SelfConflict);
            }
            if report.class == Class::Flux && self.proxied(pairs).is_some() {
                report.also.push(Class::Proxy);
            }
            report.because.push(why.into());
            return;
        }
        let glbp = report
            .macs
            .iter()
            .all(|mac| mac.virtual_mac.is_some_and(|of| of.protocol == super::virtual_mac::Redundancy::Glbp));
        if virtuals > 0 && (entry.stats.contested == 0 || glbp) {
            report.set(Class::Virtual, None, virtual_sentence(report));
            return;
        }
        if self.spoofed(pairs, report) || self.shared_with_many(pairs, report) {
            return;
        }
        if self.duplicated(entry, pairs, report) {
            return;
        }
        if entry.stats.contested > 0 {
            report.because.push(at_once);
            report.set(
                Class::Undetermined,
                None,
                "no frame shows whether these MACs are one host's (flux) or two hosts' (a duplicate)".into(),
            );
        } else if unannounced == 0 && entry.stats.quick_moves == 0 && entry.stats.moves > 0 {
            report.set(Class::Failover, None, moved(entry));
        } else {
            report.set(
                Class::Undetermined,
                None,
                format!(
                    "it passed between MACs {}, {} unannounced",
                    times(entry.stats.moves),
                    times(unannounced)
                ),
            );
        }
    }

    fn spoofed(&self, pairs: &[FullPair], report: &mut AddressReport) -> bool {
        let asked_for = self.table.counts.requests > 0;
        let liar = pairs.iter().find(|pair| {
            pair.rare.unasked >= 3
                && pair.rare.unasked > pair.replies / 2
                && pairs.iter().any(|other| other.station != pair.station && other.rare.unasked < 3)
        });
        let Some(liar) = liar.filter(|_| asked_for && pairs.len() > 1) else {
            return false;
        };
        report.set(
            Class::Spoof,
            Some(Certainty::Suspected),
            format!(
                "{} sent {} replies that nobody had asked for, while another MAC holds the address",
                liar.mac(),
                liar.rare.unasked
            ),
        );
        report.because.push("a bond in mode balance-alb looks the same".into());
        true
    }

    /// Somebody who answers for hosts that answer themselves.
    fn shared_with_many(&self, pairs: &[FullPair], report: &mut AddressReport) -> bool {
        let partners = |pair: &FullPair| self.partners.get(&pair.station).map_or(0, BTreeSet::len);
        let many = pairs.iter().filter(|pair| partners(pair) >= 3 && pair.replies > 0);
        let (Some(proxy), None) = ({ many.clone().next() }, many.clone().nth(1)) else {
            return false;
        };
        report.set(
            Class::Proxy,
            Some(Certainty::Likely),
            format!("{} answers for {} other MACs' addresses too", proxy.mac(), partners(proxy)),
        );
        true
    }

    fn duplicated(&self, entry: &Address, pairs: &[FullPair], report: &mut AddressReport) -> bool {
        let hosts: BTreeSet<&usize> = pairs.iter().filter_map(|pair| self.known.get(&pair.station)).collect();
        if hosts.len() > 1 {
            report.set(
                Class::Duplicate,
                Some(Certainty::Proved),
                "its MACs are known to be different hosts'".into(),
            );
            return true;
        }
        let straight = pairs.iter().filter(|pair| pair.rare.straight > 0).count();
        let sentence = if straight > 1 {
            "packets to each of its MACs were answered from that same MAC: two hosts have it"
        } else if entry.stats.quick_returns > 0
            && entry.stats.announced_moves > 1
            && entry.stats.contested == 0
        {
            "its holder announced itself again when another announced it"
        } else if entry.stats.contested > 0
            && self.table.clocked
            && pairs
                .iter()
                .all(|pair| pair.prompt >= 3 && pair.late == 0 && self.alone.contains(&pair.station))
        {
            "its MACs answer it at once, and each of them answers for another address alone"
        } else {
            return false;
        };
        report.set(Class::Duplicate, Some(Certainty::Likely), sentence.into());
        if let Some(asker) = entry.stats.prober
            && pairs.iter().any(|pair| pair.station == asker)
        {
            report.because.push("one of them probed it first, was answered, and took it all the same".into());
        }
        true
    }
}

impl AddressReport {
    fn set(&mut self, class: Class, certainty: Option<Certainty>, sentence: String) {
        self.class = class;
        self.certainty = certainty;
        self.because.push(sentence);
    }
}

fn moved(entry: &Address) -> String {
    let times = times(entry.stats.moves);
    format!("it moved {times}, announced by gratuitous ARP, and no request was answered twice")
}

fn virtual_sentence(report: &AddressReport) -> String {
    let of = report.macs.iter().find_map(|mac| mac.virtual_mac);
    of.map_or_else(String::new, |of| format!("a virtual MAC of {}, group {}", of.protocol.name(), of.group))
}

#[cfg(test)]
mod tests;

/// How often, for people.
fn times(count: u32) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}
