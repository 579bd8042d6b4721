use std::collections::BTreeSet;
use std::net::IpAddr;

use super::*;
use crate::plan::tests::Host;
use crate::policy::{Egress, Strategy};
use crate::snapshot::{AddressFlags, Builder, LinkKind};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, Mac};

/// Recommends, and checks what must hold for every host: the file reads back as the policy, the plan is
/// proved, and a host where it was applied gets the same policy and an empty plan.
fn recommended(host: &Snapshot) -> Recommendation {
    let first = recommend(host).unwrap();
    let text = first.to_toml().unwrap();
    assert_eq!(Policy::from_toml(&text, "policy.toml").unwrap(), first.policy, "{text}");
    assert!(text.lines().all(|line| line.len() <= 130), "{text}");
    assert!(first.proof.failures.is_empty());
    assert_eq!(first.policy.plan(host).unwrap(), first.plan);
    let after = host.with(&first.plan.changes);
    let again = recommend(&after).unwrap();
    assert_eq!(again.policy, first.policy, "recommended again: {}", again.to_toml().unwrap());
    assert!(again.plan.is_empty(), "{}", again.plan);
    first
}

fn sorts(of: &Recommendation) -> BTreeSet<Topology> {
    of.seen.iter().map(|seen| seen.topology).collect()
}

fn names(of: &Recommendation) -> Vec<String> {
    of.policy.host.interfaces.iter().flatten().map(ToString::to_string).collect()
}

fn refusals(of: &Recommendation) -> String {
    of.refused.iter().map(|refused| format!("{}: {}\n", refused.recipe, refused.why)).collect()
}

#[test]
fn one_interface_needs_nothing() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).route("0.0.0.0/0", Some("10.0.0.1"), 2, 0).0;
    let found = recommended(&host);
    assert_eq!(sorts(&found), [Topology::OneInterface].into());
    assert_eq!(found.policy.host.strategy, Strategy::Unmanaged);
    assert!(found.plan.is_empty() && found.refused.is_empty());
}

#[test]
fn one_subnet_is_strict_and_routed_by_source_and_the_filter_is_refused() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]).0;
    let found = recommended(&host);
    assert_eq!(sorts(&found), [Topology::OneSubnet].into());
    assert_eq!(
        (found.policy.host.strategy, found.policy.host.egress),
        (Strategy::Strict, Egress::SourceRouted)
    );
    assert_eq!(names(&found), ["eth0", "eth1"]);
    assert_eq!(found.rp_filter, [0, 1, 2]);
    let refused = refusals(&found);
    let filter = refused.lines().find(|line| line.contains("all.arp_filter = 1: "));
    assert!(filter.is_some_and(|line| line.contains("it does not cure")), "{refused}");
    assert!(!refused.contains("all.arp_ignore = 1"), "it would do here: {refused}");
}

#[test]
fn subnets_of_their_own_need_no_rules() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.1.2/24"]).0;
    let found = recommended(&host);
    assert_eq!(sorts(&found), [Topology::SeveralSubnets].into());
    assert_eq!(found.policy.host.strategy, Strategy::Strict);
    assert_eq!(found.plan.changes.len(), 4, "two sysctls on each: {}", found.plan);
}

#[test]
fn many_rails_hold_with_every_rp_filter() {
    let mut host = Host::new();
    for rail in 0..8_u32 {
        host = host.nic(2 + rail, &format!("ib{rail}"), &[&format!("10.9.0.{}/16", 10 + rail)]);
    }
    for value in 0..=2 {
        let found = recommended(&host.clone().each(Sysctl::RpFilter, value).0);
        assert_eq!(sorts(&found), [Topology::MultiRail].into());
        assert_eq!(
            (found.policy.host.strategy, found.policy.host.egress),
            (Strategy::Strict, Egress::SourceRouted)
        );
        assert_eq!(found.rp_filter, [0, 1, 2]);
        assert_eq!(names(&found).len(), 8);
        assert!(found.to_toml().unwrap().contains("it holds with rp_filter 0, 1 and 2 alike"));
    }
}

#[test]
fn whether_to_answer_for_an_address_on_lo_is_asked_and_not_decided() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).address(1, "10.0.0.100/32").0;
    let error = recommend(&host).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Undetermined);
    assert!(error.to_string().contains("10.0.0.100 on lo"), "{error}");
    assert!(error.remedy().unwrap().contains("[[service]] addresses = [\"10.0.0.100\"]"), "{error}");
}

#[test]
fn an_address_on_lo_that_the_host_sends_from_is_not_silenced() {
    let mut host = Host::new()
        .nic(2, "eth0", &["10.0.0.2/24"])
        .address(1, "10.0.0.100/32")
        .route("0.0.0.0/0", Some("10.0.0.1"), 2, 0)
        .0;
    let default = host.routes.iter_mut().find(|route| route.destination.prefix_len() == 0).unwrap();
    default.preferred_source = Some("10.0.0.100".parse().unwrap());
    let error = recommend(&host).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Undetermined);
    assert!(error.to_string().contains("10.0.0.100 on lo"), "{error}");
}

#[test]
fn bridges_with_a_port_that_leads_outside_are_interfaces_and_those_of_containers_not() {
    let mut host = Host::new()
        .nic(2, "eno1", &[])
        .nic(3, "vmbr0", &["10.0.0.2/24"])
        .nic(4, "docker0", &["172.17.0.1/16"])
        .nic(5, "veth1", &[])
        .nic(6, "eth0.10", &["10.0.10.2/24"])
        .0;
    for (place, kind, master) in
        [(2, None, Some(3)), (3, Some("bridge"), None), (4, Some("bridge"), None), (5, Some("veth"), Some(4))]
    {
        let interface =
            host.interfaces.iter_mut().find(|interface| interface.index == IfIndex(place)).unwrap();
        interface.kind = kind.map(Into::into);
        interface.master = master.map(IfIndex);
    }
    let found = recommended(&host);
    assert_eq!(names(&found), ["vmbr0", "eth0.10"]);
    assert!(found.to_toml().unwrap().contains("docker0 is left out"));
}

#[test]
fn a_container_host_keeps_each_address_on_one_interface() {
    let found = recommended(&Host::openvz().0);
    assert_eq!(sorts(&found), [Topology::ContainerHost, Topology::OneSubnet].into());
    assert_eq!(names(&found), ["eth0", "eth3", "eth4"]);
    let [proxy] = found.policy.proxies.as_slice() else { panic!("{:?}", found.policy.proxies) };
    assert_eq!((proxy.owner.as_str(), proxy.interface.to_string().as_str()), ("venet0", "eth0"));
    assert_eq!(proxy.addresses.len(), 2);
    assert_eq!(found.policy.host.proxy_delay, Some(0));
    // An address that is published on one interface only stays there.
    let mut host = Host::openvz().0;
    host.proxies
        .retain(|entry| entry.interface == Some(IfIndex(4)) || !entry.address.to_string().ends_with("102"));
    let found = recommended(&host);
    let by: Vec<String> = found.policy.proxies.iter().map(|proxy| proxy.interface.to_string()).collect();
    assert_eq!(by, ["eth0", "eth4"]);
}

#[test]
fn entries_that_cannot_answer_are_left_alone_and_named() {
    let mut host = Host::openvz().0;
    host.routes.retain(|route| !route.destination.addr().to_string().ends_with(".102"));
    let found = recommended(&host);
    assert_eq!(found.policy.proxies[0].addresses.len(), 1);
    assert!(
        found.notes.iter().any(|note| note.contains("192.168.18.102 cannot answer")),
        "{:?}",
        found.notes
    );
}

/// Two NICs of a node and a pod behind an interface without an address.
fn kubernetes() -> Host {
    Host::new()
        .nic(2, "eth0", &["10.0.0.2/24"])
        .nic(3, "eth1", &["10.0.1.2/24"])
        .nic(4, "cali1", &[])
        .route("10.244.1.5/32", None, 4, 0)
        .route("0.0.0.0/0", Some("10.0.0.1"), 2, 0)
}

#[test]
fn a_kubernetes_node_is_strict_on_its_own_interfaces_only() {
    let found = recommended(&kubernetes().0);
    assert!(sorts(&found).contains(&Topology::KubernetesNode));
    assert_eq!(names(&found), ["eth0", "eth1"]);
    assert_eq!((found.policy.host.strategy, found.policy.host.egress), (Strategy::Strict, Egress::Unmanaged));
    let refused = refusals(&found);
    let said = "all.arp_ignore = 1 and arp_announce = 2: 10.244.1.5 on cali1 would get no answer for";
    assert!(refused.contains(said), "{refused}");
    assert!(
        found
            .impact(&kubernetes().0)
            .unwrap()
            .effects
            .iter()
            .all(|effect| effect.interface.to_string() != "cali1")
    );
}

#[test]
fn two_uplinks_name_no_interface_and_a_vpn_keeps_its_rules() {
    let laptop = || {
        Host::new()
            .nic(2, "enp1s0", &["192.168.1.20/24"])
            .nic(3, "wlan0", &["192.168.1.21/24"])
            .route("0.0.0.0/0", Some("192.168.1.1"), 2, 100)
            .route("0.0.0.0/0", Some("192.168.1.1"), 3, 600)
    };
    let found = recommended(&laptop().0);
    assert_eq!(sorts(&found), [Topology::OneSubnet, Topology::TwoUplinks].into());
    assert_eq!(
        (found.policy.host.interfaces.as_ref(), found.policy.host.egress),
        (None, Egress::SourceRouted)
    );
    let mut vpn = laptop().0;
    let main = vpn.rules.iter().position(|rule| rule.priority == 32_766).unwrap();
    let marked = crate::snapshot::Rule {
        priority: 32_765,
        fwmark: 0xca6c,
        fwmask: u32::MAX,
        table: 51_820,
        ..vpn.rules[main].clone()
    };
    vpn.rules.insert(main, crate::snapshot::Rule { protocol: 0, ..marked });
    vpn.routing.rules_changed = Some(true);
    let found = recommended(&vpn);
    assert_eq!(found.policy.host.egress, Egress::Unmanaged);
    assert!(found.to_toml().unwrap().contains("priority 32765"));
    assert!(found.notes.iter().any(|note| note.contains("leave by enp1s0")), "{:?}", found.notes);
}

#[test]
fn in_a_cloud_only_the_way_out_matters() {
    let host = || {
        Host::new().nic(2, "ens5", &["172.31.0.10/20"]).nic(3, "ens6", &["172.31.0.11/20"]).route(
            "0.0.0.0/0",
            Some("172.31.0.1"),
            2,
            0,
        )
    };
    let mut aws = host().0;
    aws.kernel.release = "6.8.0-1021-aws".into();
    let found = recommended(&aws);
    assert!(sorts(&found).contains(&Topology::CloudHost));
    assert_eq!(
        (found.policy.host.strategy, found.policy.host.egress),
        (Strategy::Unmanaged, Egress::SourceRouted)
    );
    assert!(!found.policy.host.announce && found.proof.checks > 0);
    let mut google = host().0;
    google.interfaces[1].mac = Mac::ethernet([0x42, 0x01, 172, 31, 0, 10]);
    assert!(sorts(&recommended(&google)).contains(&Topology::CloudHost));
    assert!(!sorts(&recommended(&host().0)).contains(&Topology::CloudHost));
}

#[test]
fn a_point_to_point_address_is_left_out_and_the_recipe_that_silences_it_refused() {
    let mut host =
        Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]).nic(4, "eth2", &[]);
    host = host.address(4, "10.8.0.1/32");
    host.0.addresses.last_mut().unwrap().peer = Some("10.8.0.2".parse().unwrap());
    let host = host.route("10.8.0.2/32", None, 4, 0).0;
    let found = recommended(&host);
    assert_eq!(names(&found), ["eth0", "eth1"]);
    assert!(found.to_toml().unwrap().contains("eth2 is left out: its address has the peer 10.8.0.2"));
    let refused = refusals(&found);
    assert!(refused.contains("10.8.0.2 on eth2 would get no answer for"), "{refused}");
}

/// A rented server: a point-to-point address towards the gateway, guests on a bridge.
#[test]
fn why_no_interface_is_to_be_managed_is_told_and_the_gateway_is_no_container() {
    let mut host = Host::new().nic(2, "eno1", &[]).nic(3, "tap0", &[]).address(2, "10.8.0.10/32");
    host.0.addresses.last_mut().unwrap().peer = Some("10.8.0.1".parse().unwrap());
    let host = host.route("10.8.0.1/32", None, 2, 0).route("0.0.0.0/0", Some("10.8.0.1"), 2, 0);
    let found = recommended(&host.route("10.8.0.30/32", None, 3, 0).0);
    let text = found.to_toml().unwrap().replace("\n# ", " ").replace("  ", "");
    assert!(!text.contains("no interface that speaks ARP"), "{text}");
    assert!(text.contains("eno1 is left out: its address has the peer 10.8.0.1"), "{text}");
    assert!(text.contains("1 single address is behind tap0"), "{text}");
}

#[test]
fn what_stands_in_the_way_is_an_error_with_the_remedy() {
    for weakened in [3, 5, 8] {
        let host = Host::new()
            .nic(2, "eth0", &["10.0.0.2/24"])
            .nic(3, "eth1", &["10.0.0.3/24"])
            .all(Sysctl::ArpIgnore, weakened)
            .0;
        let error = recommend(&host).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::VerifyFailed);
        assert!(error.remedy().unwrap().contains("sysctl -w net.ipv4.conf.all.arp_ignore=0"), "{error}");
    }
}

/// Whatever hears a NIC takes part: a bridge over veths in its subnet, a macvlan with a single address.
#[test]
fn who_shares_a_wire_is_in_the_policy() {
    let mut host = Host::new()
        .nic(2, "eth0", &["10.0.0.2/24"])
        .nic(3, "vmbr0", &["10.0.0.3/24"])
        .nic(4, "port", &[])
        .nic(5, "mv0", &["10.9.9.9/32"])
        .0;
    let member = |snapshot: &mut Snapshot, index: u32, kind: LinkKind, link: Option<u32>| {
        let interface = snapshot.interfaces.iter_mut().find(|one| one.index == IfIndex(index)).unwrap();
        (interface.kind, interface.link) = (Some(kind), link.map(IfIndex));
    };
    member(&mut host, 3, LinkKind::Bridge, None);
    member(&mut host, 4, LinkKind::Veth, None);
    host.interfaces[3].master = Some(IfIndex(3));
    host.interfaces[3].link_netnsid = Some(0);
    member(&mut host, 5, LinkKind::Macvlan, Some(2));
    let found = recommended(&host);
    assert_eq!(names(&found), ["eth0", "vmbr0", "mv0"]);
    // And a policy that leaves one out is not kept: two MACs answer on that wire.
    for left in ["vmbr0", "mv0"] {
        let mut policy = found.policy.clone();
        policy.host.interfaces.as_mut().unwrap().retain(|one| one.to_string() != left);
        let after = host.with(&policy.plan(&host).unwrap().changes);
        let report = crate::verify::check(&policy, &after).unwrap();
        assert!(report.failures.iter().any(|one| one.found.contains(left)), "{left}: {report}");
    }
    // On a wire that is not known, it is not to be told.
    host.interfaces[4].link = None;
    host.addresses.retain(|held| held.interface != IfIndex(5));
    host.interfaces[4].kind = None;
    let mut policy = found.policy.clone();
    policy.host.interfaces.as_mut().unwrap().pop();
    let after = host.with(&policy.plan(&host).unwrap().changes);
    let report = crate::verify::check(&policy, &after).unwrap();
    assert!(report.failures.is_empty() && report.judgement().ok().is_none(), "{report}");
}

/// The IPv6 addresses that the host holds itself are nobody's to settle: what `verify` finds of them is said.
#[test]
fn what_verify_still_finds_is_in_the_notes() {
    let mut host = Builder::new()
        .nic("eth0", &["192.168.18.10/24", "2001:db8:18::10/64"])
        .nic("eth3", &["192.168.18.11/24", "2001:db8:18::11/64"])
        .neighbour_discovery()
        .build()
        .unwrap();
    assert!(recommended(&host).notes.is_empty());
    let failed =
        host.addresses.iter_mut().find(|held| held.local == "2001:db8:18::11".parse::<IpAddr>().unwrap());
    failed.unwrap().flags = AddressFlags::TENTATIVE | AddressFlags::DADFAILED;
    let found = recommended(&host);
    let report = crate::verify::check(&found.policy, &host.with(&found.plan.changes)).unwrap();
    assert_eq!(report.failures.len(), 1, "{report}");
    let [note] = found.notes.as_slice() else { panic!("{:?}", found.notes) };
    assert!(note.starts_with("no policy settles this") && note.contains("2001:db8:18::11"), "{note}");
    assert!(note.ends_with(&report.failures[0].to_string()), "{note}");
}

#[test]
fn hostile_names_stay_text() {
    let mut host = Host::openvz().0;
    host.interfaces[1].name = "e\"]\u{202e}#".parse().unwrap();
    host.interfaces[4].name = "v\"\\".parse().unwrap();
    recommended(&host);
}

#[test]
fn where_strict_rp_filter_stands_in_the_way_the_refusal_says_what_to_set() {
    // A service's macvlan with a single address: what it is the only way to, no route says.
    let mut host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "vip0", &["10.0.0.9/32"]);
    (host.0.interfaces[2].kind, host.0.interfaces[2].link) =
        (Some(LinkKind::from("macvlan")), Some(IfIndex(2)));
    let strict = host.clone().each(Sysctl::RpFilter, 1).0;
    let refused = recommend(&strict).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::VerifyFailed);
    let remedy = refused.remedy().unwrap();
    assert!(remedy.contains("net.ipv4.conf.vip0.rp_filter=2") && !remedy.contains("eth0"), "{remedy}");
    // It does.
    let mut loose = strict;
    loose.interfaces[2].sysctls.set(Sysctl::RpFilter, Some(2));
    assert!(!recommend(&loose).unwrap().plan.is_empty());
}
