use super::*;
use crate::proof::testing::{crowd, hardware_node, random_host, sample};
use crate::snapshot::{InterfaceFlags, RouteKind, Scope, table};
use crate::sysctl::Sysctl;

fn cured() -> (Snapshot, Snapshot, HashSet<IpAddr>) {
    let mut host = hardware_node();
    // An unnumbered point-to-point veth of a container runtime: it answers for the gateway address on lo.
    host.interface(6, "cali1", InterfaceFlags::UP | InterfaceFlags::BROADCAST);
    host.address(1, "169.254.1.1", 32, Scope::LINK);
    host.route(table::MAIN, RouteKind::Unicast, "10.65.0.2/32", 6, Scope::LINK);
    let before = host.0.clone();
    for interface in [2, 3, 4, 6] {
        host.set(interface, Sysctl::ArpIgnore, 1);
    }
    host.0.proxies.retain(|entry| entry.interface == Some(IfIndex(3)));
    let named = (10..13).chain(101..103).map(|last| Ipv4Addr::new(192, 168, 18, last).into()).collect();
    (before, host.0, named)
}

#[test]
fn victims_come_first_and_ranges_are_merged() {
    let (before, after, named) = cured();
    let impact = Impact::between(&before, &after, &named).unwrap();
    let text = impact.to_string();
    let expected = "\
Addresses that the policy does not name:
  eth0 no longer answers for 169.254.1.1
  eth3 no longer answers for 169.254.1.1
  eth4 no longer answers for 169.254.1.1
  cali1 no longer answers for 169.254.1.1
Addresses that the policy names:
  eth0 no longer answers for 192.168.18.11-192.168.18.12
  eth0 no longer answers for 192.168.18.101-192.168.18.102 (probes fare as before)
  eth3 no longer answers for 192.168.18.10, 192.168.18.12
  eth4 no longer answers for 192.168.18.10-192.168.18.11
  eth4 no longer answers for 192.168.18.101-192.168.18.102 (probes fare as before)
  cali1 no longer answers for 192.168.18.10-192.168.18.12
";
    assert_eq!(text, expected);
    assert!(impact.victims().all(|effect| matches!(effect.turn, Turn::Loses { .. })), "{text}");
}

#[test]
fn every_sampled_request_is_in_the_impact_or_unchanged() {
    let (mut turned, mut same, mut announcements) = (0, 0, 0);
    for seed in 0..500 {
        // Every other host has several interfaces that are alike.
        let (before, mut changed) = match seed % 2 {
            0 => (random_host(seed).0, random_host(seed)),
            _ => (crowd(seed).0, crowd(seed)),
        };
        // Another state of the same host: some sysctls, entries and routes of a second one.
        let other = random_host(seed + 7_000).0;
        changed.0.all = other.all;
        changed.0.proxies = other.proxies;
        let there = |index| before.interface(index).is_some();
        changed.0.proxies.retain(|entry| entry.interface.is_none_or(there));
        changed.0.routes.extend(other.routes.into_iter().filter(|route| {
            let mut by = route.next_hops.iter().filter_map(|hop| hop.interface);
            route.table != table::LOCAL && by.all(there)
        }));
        let after = changed.0;
        let impact = Impact::between(&before, &after, &HashSet::new()).unwrap();
        let models = [Model::of(&before), Model::of(&after)];
        for request in sample(seed, &before, 150) {
            let expected = turn(&models[0].reply(&request), &models[1].reply(&request));
            let name = before.interface(request.interface).unwrap().name;
            let holds = |ranges: &[Range], address: Ipv4Addr| {
                let address = IpAddr::V4(address);
                ranges.iter().any(|range| range.first <= address && address <= range.last)
            };
            let found: Vec<Turn> = impact
                .effects
                .iter()
                .filter(|effect| {
                    effect.interface == name
                        && holds(&effect.targets, request.target)
                        && if request.sender == request.target {
                            effect.announcements
                        } else {
                            holds(&effect.senders, request.sender)
                        }
                })
                .map(|effect| effect.turn)
                .collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "seed {seed}: {request:?}");
            if expected.is_some() {
                turned += 1;
            } else {
                same += 1;
            }
            if request.sender == request.target && expected.is_some() {
                announcements += 1;
            }
        }
    }
    let counted = format!("{turned} turned, {announcements} of them announcements, {same} the same");
    assert!(turned > 500 && announcements > 20 && same > 5_000, "{counted}");
}

#[test]
fn what_only_announcements_meet_is_said() {
    let mut host = hardware_node();
    host.set(2, Sysctl::ProxyArp, 1);
    let before = host.0.clone();
    host.set(2, Sysctl::DropGratuitousArp, 1);
    let impact = Impact::between(&before, &host.0, &HashSet::new()).unwrap();
    assert!(!impact.effects.is_empty(), "announcements of what is routed elsewhere were answered");
    for effect in &impact.effects {
        assert!(effect.announcements && effect.senders.is_empty() && !effect.neighbours, "{effect:?}");
        let text = effect.to_string();
        assert!(text.starts_with("eth0 no longer answers for "), "{text}");
        assert!(text.ends_with(" to announcements of them"), "{text}");
    }
}

#[test]
fn what_no_neighbour_asks_and_cannot_be_told_is_one_line() {
    let (before, after, named) = cured();
    let mut impact = Impact::between(&before, &after, &named).unwrap();
    let told = impact.to_string();
    let last = IpAddr::V4(Ipv4Addr::new(192, 168, 18, 255));
    for interface in ["eth0", "eth3"] {
        for named in [false, true] {
            impact.effects.push(Effect {
                interface: interface.parse().unwrap(),
                turn: Turn::Unclear,
                targets: vec![Range { first: Ipv4Addr::new(192, 168, 18, 10).into(), last }],
                named,
                neighbours: false,
                probes: false,
                announcements: false,
                senders: vec![Range { first: last, last }],
            });
        }
    }
    let line = "Cannot be told, before or afterwards: some answers on 2 interfaces to senders that are no neighbours \
                there (192.168.18.255).\n";
    assert_eq!(impact.to_string(), told.clone() + line);
    // What a neighbour may meet is told in full.
    impact.effects[0].turn = Turn::Unclear;
    assert!(
        impact
            .to_string()
            .contains("  whether eth0 answers for 169.254.1.1 cannot be told before or afterwards\n")
    );
}

#[test]
fn ranges_are_written_as_address_prefix_or_range() {
    let range = |first: &str, last: &str| {
        Range { first: first.parse().unwrap(), last: last.parse().unwrap() }.to_string()
    };
    assert_eq!(range("10.0.0.1", "10.0.0.1"), "10.0.0.1");
    assert_eq!(range("10.0.0.0", "10.0.0.255"), "10.0.0.0/24");
    assert_eq!(range("0.0.0.0", "255.255.255.255"), "0.0.0.0/0");
    assert_eq!(range("10.0.0.1", "10.0.0.2"), "10.0.0.1-10.0.0.2");
    assert_eq!(range("2001:db8::1", "2001:db8::1"), "2001:db8::1");
    assert_eq!(range("2001:db8::", "2001:db8::ff"), "2001:db8::/120");
    assert_eq!(range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "::/0");
    assert!("10.0.0.1-2001:db8::1".parse::<Range>().is_err());
}
