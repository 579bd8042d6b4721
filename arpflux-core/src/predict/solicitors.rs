//! Who may ask for an IPv6 address: one of all who fare alike, so that a claim is about everybody.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use crate::filter::{self, Protocol};
use crate::snapshot::{Address, Snapshot};
use crate::types::IpNet;

/// `::1`, and where link-local addresses, those behind them, and groups begin.
const KINDS: [u128; 5] = [1, 2, 0xfe80 << 112, 0xfec0 << 112, 0xff00 << 112];

/// Which host of a subnet stands for all.
const HOST: u128 = 0xff99;

/// Those who ask and are answered alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Class {
    pub(crate) first: Ipv6Addr,
    pub(crate) last: Ipv6Addr,
    /// Who stands for all.
    pub(crate) one: Ipv6Addr,
}

/// The classes of those who ask, `::` (probes) among them: within a class all are answered alike on each of these hosts, as
/// rules, routes with a source, filters and the kinds of addresses alone tell them apart. Subnets are cut out, so that a class is of
/// neighbours or of others.
pub(crate) fn solicitors(snapshots: &[&Snapshot]) -> Vec<Class> {
    let mut starts: BTreeSet<u128> = KINDS.into_iter().chain([0]).collect();
    let (mut known, mut own): (BTreeSet<IpAddr>, BTreeSet<IpAddr>) = Default::default();
    for snapshot in snapshots {
        let subnets = snapshot.addresses.iter().map(Address::subnet);
        let rules = snapshot.rules.iter().filter_map(|rule| rule.source);
        let routes = snapshot.routes.iter().filter_map(|route| route.source);
        for prefix in subnets.chain(rules).chain(routes) {
            let IpNet::V6(prefix) = prefix else { continue };
            starts.insert(prefix.network().to_bits());
            starts.extend(prefix.broadcast().to_bits().checked_add(1));
        }
        for filters in snapshot.filters_of(Protocol::Discovery) {
            for (first, last, _) in filter::ranges_of_discovery(filters) {
                starts.insert(first);
                starts.extend(last.checked_add(1));
            }
        }
        known.extend(snapshot.neighbours.iter().map(|entry| entry.address));
        own.extend(snapshot.addresses.iter().map(|held| held.local));
    }
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([u128::MAX]);
    let each = starts.iter().copied().zip(ends);
    // Not the first of a subnet, which is its routers', nor the host itself; nor one who is known, as what is kept of him may
    // decide, too: a class of such ones alone has nobody else.
    let class = |(first, last): (u128, u128)| {
        let from = [HOST, 1].into_iter().find(|host| last - first > *host).map_or(first, |host| first + host);
        let among = |taken: [&BTreeSet<IpAddr>; 2]| {
            let mut all = (from..=last).map(Ipv6Addr::from_bits);
            all.find(|one| !taken.iter().any(|taken| taken.contains(&IpAddr::V6(*one))))
        };
        let [first, last] = [first, last].map(Ipv6Addr::from_bits);
        let one = among([&known, &own]).or_else(|| among([&own, &own])).unwrap_or(first);
        Class { first, last, one }
    };
    each.map(class).filter(|class| !class.one.is_multicast() && !class.one.is_loopback()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{
        Answer, Bytes, Chain, Comparison, Element, Expression, Family, Header, Hook, Set, Verdict,
    };
    use crate::predict::{Model, Solicitation};
    use crate::snapshot::Builder;
    use crate::types::IfIndex;

    fn load(offset: u32) -> Expression {
        Expression::Load { header: Header::Network, offset, len: 16, register: 4 }
    }

    fn octets(text: &str) -> Bytes {
        Bytes(text.parse::<Ipv6Addr>().unwrap().octets().to_vec())
    }

    fn host() -> Snapshot {
        let compare = |by, text: &str| Expression::Compare { register: 4, by, value: octets(text) };
        let drop = || Expression::Decide { verdict: Verdict::Drop };
        let masked = |mask: &str| Expression::Mask { from: 4, to: 4, mask: octets(mask), xor: octets("::") };
        let looked_up = Expression::Lookup { set: "some".into(), register: 4, negated: false, to: None };
        let input = vec![
            vec![load(8), compare(Comparison::Equal, "2001:db8::99"), drop()],
            vec![load(8), masked("ffff:ffff:ffff::"), compare(Comparison::Equal, "2001:db8:5::"), drop()],
            vec![load(8), looked_up, drop()],
        ];
        let output = vec![vec![load(24), compare(Comparison::AtLeast, "fe80::8000:0:0:0"), drop()]];
        let element =
            |from: &str, to: &str| Element { from: octets(from), to: octets(to), answer: Answer::Nothing };
        let set = Set {
            family: Family::Ip6,
            table: "t".into(),
            name: "some".into(),
            fields: vec![16],
            changes: false,
            elements: vec![element("2001:db8::100", "2001:db8::1ff"), element("fd00::1", "fd00::7")],
            otherwise: None,
        };
        let mut host = Builder::new()
            .nic("eth0", &["2001:db8::1/64"])
            .filter(Chain::at(Hook::Input, Family::Ip6, "t", "input").rules(input))
            .filter(Chain::at(Hook::Output, Family::Inet, "t", "output").rules(output))
            .neighbour_discovery()
            .build()
            .unwrap();
        host.discovery.as_mut().unwrap().filters.sets.push(set);
        host
    }

    #[test]
    fn one_of_a_class_stands_for_all() {
        let host = host();
        let model = Model::new(&host).unwrap();
        let target = "2001:db8::1".parse().unwrap();
        let answers =
            |source| model.advertise(&Solicitation::multicast(IfIndex(2), source, target)).answers().unwrap();
        let classes = solicitors(&[&host]);
        let mut random = 1_u128;
        let mut silent = 0;
        for class in &classes {
            let one = answers(class.one);
            silent += u32::from(!one);
            let width = (class.last.to_bits() - class.first.to_bits()).saturating_add(1);
            for turn in 0..200 {
                random = random.wrapping_mul(0xda94_2042_e4dd_58b5).wrapping_add(0x1234_5678_9abc_def1);
                let within = match turn {
                    0 => 0,
                    1 => width - 1,
                    _ => (random ^ random >> 61) % width,
                };
                let source = Ipv6Addr::from_bits(class.first.to_bits() + within);
                if source.is_multicast() || source.is_loopback() {
                    continue;
                }
                assert_eq!(answers(source), one, "{source} in {class:?}");
            }
        }
        assert!(silent >= 5, "{silent} of {}", classes.len());
        for (source, answered) in [
            ("2001:db8::98", true),
            ("2001:db8::99", false),
            ("2001:db8:5:1::2", false),
            ("2001:db8::1ff", false),
            ("fd00::8", true),
            ("fe80::7fff:0:0:1", true),
            ("fe80::8000:0:0:1", false),
        ] {
            assert_eq!(answers(source.parse().unwrap()), answered, "{source}");
        }
    }
}
