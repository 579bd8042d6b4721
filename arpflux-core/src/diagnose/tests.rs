use super::context::Context;
use super::*;
use crate::judgement::Judgement;
use crate::persist::{Layout, at_boot};
use crate::plan::Plan;
use crate::plan::tests::Host;
use crate::segment::Wires;
use crate::snapshot::{Builder, InterfaceFlags, Interference, LinkKind, Route, Rule};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

fn ids(snapshot: &Snapshot, options: &Options) -> Vec<FindingId> {
    diagnose(snapshot, options).unwrap().findings.iter().map(|finding| finding.id).collect()
}

fn two_nics() -> Host {
    Host::new().nic(2, "eth0", &["10.0.0.1/24"]).nic(3, "eth1", &["10.0.0.2/24"])
}

#[test]
fn the_worst_comes_first_and_what_is_ignored_is_left_out() {
    let host = Host::openvz();
    let all = ids(&host.0, &Options::default());
    assert_eq!(
        all,
        [
            FindingId::SeveralAnswer,
            FindingId::SelfConflict,
            FindingId::ProxySeveral,
            FindingId::EgressSameWire,
            FindingId::ProxyDelay,
        ]
    );
    let options =
        Options { ignore: vec![FindingId::SelfConflict, FindingId::ProxyDelay], ..Options::default() };
    let diagnosis = diagnose(&host.0, &options).unwrap();
    assert_eq!(diagnosis.worst(), Some(Severity::Error));
    assert_eq!(diagnosis.at_least(Severity::Warning).count(), 3);
    assert!(diagnosis.findings.iter().all(|finding| !options.ignore.contains(&finding.id)));
}

#[test]
fn what_cannot_be_told_is_no_certain_finding() {
    let everywhere = |interference: Interference| {
        let mut host = Host::openvz();
        host.0.interference.push(interference);
        host.0
    };
    for interference in [
        Interference::Netfilter { chain: "arptables".into(), interface: None },
        Interference::Unreadable { what: "nftables".into(), needs: None },
    ] {
        let snapshot = everywhere(interference);
        let diagnosis = diagnose(&snapshot, &Options::default()).unwrap();
        // By which interface a packet leaves does not hang on what answers.
        let (certain, apart): (Vec<&Finding>, Vec<&Finding>) =
            diagnosis.findings.iter().partition(|finding| finding.is_certain());
        let certain: Vec<FindingId> = certain.iter().map(|finding| finding.id).collect();
        assert_eq!(certain, [FindingId::EgressSameWire], "{:?}", snapshot.interference);
        // What would be found without it is told with that remark, and counts as what cannot be told.
        assert!(apart.iter().any(|finding| finding.id == FindingId::SeveralAnswer), "{diagnosis}");
        assert!(apart.iter().all(|finding| finding.remark().is_some()), "{diagnosis}");
        let judgement = diagnosis.judgement(Some(Severity::Error));
        assert!(matches!(&judgement, Judgement::Undetermined { apart: Some(false), .. }), "{judgement:?}");
        let last = diagnosis.to_string().lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("Whether that is all cannot be told: "), "{last}");
        assert!(diagnosis.unseen.iter().any(|sentence| sentence.contains("eth0")), "{:?}", diagnosis.unseen);
    }
}

#[test]
fn a_statement_about_wires_outweighs_the_subnets() {
    let host = two_nics();
    assert!(ids(&host.0, &Options::default()).contains(&FindingId::SeveralAnswer));
    let told = |text: &str| Options {
        wires: Some(Wires::from_json(&format!(r#"{{"schema":1,"wires":{text}}}"#)).unwrap()),
        ..Options::default()
    };
    assert_eq!(ids(&host.0, &told(r#"[["eth0"],["eth1"]]"#)), []);
    // Nothing is said of eth1: it is not put together with one of which something is said.
    assert_eq!(ids(&host.0, &told(r#"[["eth0"]]"#)), []);
    let apart = Host::new().nic(2, "eth0", &["10.0.0.1/24"]).nic(3, "eth1", &["10.0.1.1/24"]);
    assert_eq!(ids(&apart.0, &Options::default()), []);
    assert!(ids(&apart.0, &told(r#"[["eth0","eth1"]]"#)).contains(&FindingId::SeveralAnswer));
}

#[test]
fn an_interface_without_carrier_is_on_no_wire() {
    let mut host = two_nics();
    host.0.interfaces[2].carrier = false;
    assert_eq!(ids(&host.0, &Options::default()), []);
}

#[test]
fn the_effects_of_a_remedy_are_those_of_its_plan() {
    let host = two_nics();
    let diagnosis = diagnose(&host.0, &Options::default()).unwrap();
    let first = &diagnosis.findings[0];
    let after = host.0.with(&first.plan.as_ref().unwrap().changes);
    assert_eq!(ids(&after, &Options::default()), [FindingId::LaterInterfaces]);
    let effects = &first.remedy_changes.as_ref().unwrap().effects;
    assert!(effects.iter().any(|effect| effect.interface == "eth0".parse().unwrap()), "{effects:?}");
    let without = diagnose(&host.0, &Options { impact: false, ..Options::default() }).unwrap();
    assert!(without.findings.iter().all(|finding| finding.remedy_changes.is_none()));
    assert_eq!(without.findings.len(), diagnosis.findings.len());
}

#[test]
fn how_neighbours_know_an_address_that_nobody_answers_for_is_left_alone() {
    let mut sick = two_nics().venet(4, "tun0").address(4, "10.8.0.1/24");
    sick.0.interfaces[3].kind = Some(LinkKind::Tun);
    let sick = [("10.0.0.1/32", 101, 2), ("10.0.0.2/32", 102, 3)].into_iter().enumerate().fold(
        sick,
        |host, (number, (source, table, on))| {
            host.source_rule(1000 + number as u32, source, table).table_route(table, "0.0.0.0/0", on)
        },
    );
    let remedy = |host: &Host| {
        let found = diagnose(&host.0, &Options::default()).unwrap().findings;
        let found = found.into_iter().find(|finding| finding.id == FindingId::RulesHideNetwork).unwrap();
        (found.plan.is_some(), found.remedy)
    };
    assert!(remedy(&sick).0);
    let (plan, words) = remedy(&sick.all(Sysctl::ArpIgnore, 8));
    assert!(!plan && words.contains("nobody answers for 10.0.0.1, so neighbours know it only"), "{words}");
}

#[test]
fn ten_thousand_entries_are_a_matter_of_time() {
    let mut host =
        Host::new().nic(2, "eth0", &["10.0.0.1/8"]).venet(3, "venet0").one(2, Sysctl::Forwarding, 1);
    let mut add = |number: u32| {
        let address = std::net::Ipv4Addr::from(0x0a01_0000 + number).to_string();
        host.0.proxies.push(crate::snapshot::ProxyEntry {
            address: address.parse().unwrap(),
            interface: Some(IfIndex(2)),
            flags: 0,
            protocol: 0,
        });
    };
    (0..10_000).for_each(&mut add);
    assert!(!ids(&host.0, &Options::default()).contains(&FindingId::ProxyMany));
    let mut more = host.clone();
    more.0.proxies.push(crate::snapshot::ProxyEntry {
        address: "10.9.9.9".parse().unwrap(),
        interface: Some(IfIndex(2)),
        flags: 0,
        protocol: 0,
    });
    assert!(ids(&more.0, &Options::default()).contains(&FindingId::ProxyMany));
}

/// How often the model is asked about a host with this many interfaces.
fn questions(interfaces: u32, host: impl Fn(Host, u32) -> Host) -> u64 {
    let host = (0..interfaces).fold(Host::new(), host);
    let options = Options::default();
    let context = Context::new(&host.0, &options, crate::predict::Model::of(&host.0));
    assert!(examine(&context).len() < 10);
    context.questions.get()
}

#[test]
fn questions_grow_with_the_interfaces_and_not_with_their_pairs() {
    let subnet_each = |host: Host, n: u32| {
        host.nic(n + 2, &format!("eth{n}"), &[&format!("10.{}.{}.1/24", n / 200, n % 200)])
    };
    let one_wire = |host: Host, n: u32| {
        host.nic(n + 2, &format!("eth{n}"), &[&format!("10.0.{}.{}/16", n / 200, n % 200 + 1)])
    };
    let strict = |host: Host, n: u32| {
        one_wire(host, n).one(n + 2, Sysctl::ArpIgnore, 1).one(n + 2, Sysctl::ArpAnnounce, 2)
    };
    for (what, host) in [
        ("a subnet each", &subnet_each as &dyn Fn(Host, u32) -> Host),
        ("one wire", &one_wire),
        ("one wire, strict", &strict),
    ] {
        let (few, many) = (questions(100, host), questions(400, host));
        assert!(few >= 100 && many < 5 * few, "{what}: {few} for 100, {many} for 400");
    }
}

#[test]
fn what_a_boot_takes_away() {
    let root = crate::persist::sysctld::tests::TempDir::new();
    let folder = root.0.join("etc/sysctl.d");
    std::fs::create_dir_all(&folder).unwrap();
    let host = two_nics()
        .each(Sysctl::ArpIgnore, 1)
        .one(2, Sysctl::ArpAnnounce, 2)
        .one(3, Sysctl::ArpAnnounce, 2)
        .one(2, Sysctl::RpFilter, 2);
    let found = || {
        let layout = Layout { root: root.0.clone(), ..Layout::default() };
        let options = Options { boot: Some(at_boot(&host.0, &layout).unwrap()), ..Options::default() };
        let diagnosis = diagnose(&host.0, &options).unwrap();
        let boot = diagnosis.findings.into_iter().filter(|finding| finding.id >= FindingId::NotPersisted);
        boot.map(|finding| (finding.id, finding.to_string())).collect::<Vec<_>>()
    };
    let lost = found();
    assert_eq!(lost.len(), 1, "{lost:#?}");
    assert_eq!(lost[0].0, FindingId::NotPersisted);
    assert!(lost[0].1.contains("net/ipv4/conf/eth1/arp_ignore is 1 now and 0 after a boot"), "{}", lost[0].1);

    std::fs::write(
        folder.join("10-arp.conf"),
        "net.ipv4.conf.eth0.arp_announce = 2\nnet.ipv4.conf.eth1.arp_announce = 2\n\
         net.ipv4.conf.eth0.arp_ignore = 1\nnet.ipv4.conf.eth1.arp_ignore = 1\n\
         net.ipv4.conf.eth0.rp_filter = 2\n",
    )
    .unwrap();
    assert_eq!(found(), []);

    std::fs::write(folder.join("50-vendor.conf"), "net.ipv4.conf.eth0.rp_filter = 1\n").unwrap();
    let other = found();
    let ids: Vec<FindingId> = other.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [FindingId::OverwrittenAtBoot, FindingId::ConflictingManagers], "{other:#?}");
    assert!(
        other[0].1.contains("is 2 now and 1 after a boot: /etc/sysctl.d/50-vendor.conf:1 sets it"),
        "{}",
        other[0].1
    );
    assert!(other[1].1.contains("10-arp.conf:5 says 2 and does not count"), "{}", other[1].1);
}

#[test]
fn a_collector_reads_diagnoses_and_carries_out_their_plans() {
    let host = Host::openvz().0;
    let diagnosis = host.diagnose(&Options::default()).unwrap();
    let text = diagnosis.to_json().unwrap();
    assert_eq!(serde_json::from_str::<Diagnosis>(&text).unwrap(), diagnosis);
    assert_eq!(
        serde_json::from_str::<Diagnosis>(&crate::json::line(&diagnosis).unwrap()).unwrap(),
        diagnosis
    );
    let tree: serde_json::Value = serde_json::from_str(&text).unwrap();
    let plans = tree["findings"].as_array().unwrap().iter().map(|finding| &finding["plan"]);
    let read: Vec<Plan> = plans
        .filter(|plan| !plan.is_null())
        .map(|plan| Plan::from_json(&plan.to_string()).unwrap())
        .collect();
    let made: Vec<Plan> = diagnosis.findings.iter().filter_map(|finding| finding.plan.clone()).collect();
    assert!(!made.is_empty());
    assert_eq!(read, made);
    let plan = made[0].to_json().unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&plan).unwrap(), made[0]);
    assert!(serde_json::from_str::<Plan>(&plan.replacen("\"schema\": 1", "\"schema\": 2", 1)).is_err());
}

#[test]
fn that_nobody_answers_is_said_with_who_does_on_a_wire_that_is_not_known() {
    let silent = |nics: &[(u32, &str, &[&str])]| {
        let mut host = Host::new();
        for (number, name, addresses) in nics {
            host = host.nic(*number, name, addresses);
        }
        let host = host.one(2, Sysctl::ArpIgnore, 8);
        let found = diagnose(&host.0, &Options::default()).unwrap().findings;
        let finding = found.into_iter().find(|finding| finding.id == FindingId::NobodyAnswers);
        finding.expect("nobody answers").what
    };
    let words = silent(&[(2, "eth0", &["10.0.0.1/24"]), (3, "eth1", &[])]);
    assert!(
        words.ends_with("get there, unless eth1, which answers, is on that wire (`arpflux segments` tells)."),
        "{words}"
    );
    let words = silent(&[(2, "eth0", &["10.0.0.1/24"]), (3, "eth1", &["10.9.0.1/24"])]);
    assert!(words.ends_with("get there."), "{words}");
}

#[test]
fn where_all_outweighs_it_the_remedy_says_so() {
    // A gateway of another subnet on the link is not answered by arp_ignore=2.
    let host = Host::new().nic(2, "eth0", &["10.0.0.1/24"]).route("10.9.0.0/24", None, 2, 0);
    let remedy = |host: &Host| {
        let found = diagnose(&host.0, &Options::default()).unwrap().findings;
        let finding = found.into_iter().find(|finding| finding.id == FindingId::OffSubnetSilent);
        finding.expect("a neighbour is refused").remedy
    };
    let words = remedy(&host.clone().one(2, Sysctl::ArpIgnore, 2));
    assert!(words.starts_with("Set arp_ignore to 1 on eth0: "), "{words}");
    let words = remedy(&host.all(Sysctl::ArpIgnore, 2));
    assert!(
        words.starts_with("Set arp_ignore to 1 on eth0, and to 1 at most on all, where it is 2 "),
        "{words}"
    );
}

/// A card, and a service's macvlan on it with a single address.
fn with_a_macvlan() -> Host {
    let mut host = Host::new().nic(2, "eth0", &["10.0.0.1/24"]).nic(3, "vip0", &["10.0.0.9/32"]);
    (host.0.interfaces[2].kind, host.0.interfaces[2].link) =
        (Some(LinkKind::from("macvlan")), Some(IfIndex(2)));
    host
}

fn of_kind(diagnosis: &Diagnosis, id: FindingId) -> &Finding {
    diagnosis.findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id}"))
}

#[test]
fn strict_rp_filter_on_a_single_address_is_made_loose_before_the_others_fall_silent() {
    let host = with_a_macvlan().each(Sysctl::RpFilter, 1).0;
    let found = diagnose(&host, &Options::default()).unwrap();
    for id in [FindingId::RpFilterSilences, FindingId::SelfConflict] {
        let finding = of_kind(&found, id);
        let plan = finding.plan.as_ref().unwrap_or_else(|| panic!("{id} has no plan: {}", finding.remedy));
        assert!(finding.remedy.starts_with("Set net.ipv4.conf.vip0.rp_filter to 2"), "{}", finding.remedy);
        let left = ids(&host.with(&plan.changes), &Options::default());
        assert!(!left.contains(&id), "{id} is left: {left:?}");
    }
}

#[test]
fn what_a_remedy_would_leave_it_does_not_offer() {
    let found = diagnose(&with_a_macvlan().0, &Options::default()).unwrap();
    for finding in &found.findings {
        let Some(plan) = &finding.plan else { continue };
        let left = diagnose(&with_a_macvlan().0.with(&plan.changes), &Options::default()).unwrap();
        let same = left.findings.iter().find(|left| left.id == finding.id);
        assert!(same.is_none_or(|left| left.objects.addresses != finding.objects.addresses), "{finding}");
    }
    assert!(of_kind(&found, FindingId::SeveralAnswer).plan.is_some());
    // By the card below it is by its own link.
    assert!(!ids(&with_a_macvlan().0, &Options::default()).contains(&FindingId::EgressSameWire));
    // The packets of a single address go by the preferred card whatever a policy says.
    let mut host = with_a_macvlan().nic(4, "eth1", &["10.0.0.2/24"]);
    host.0.interfaces[2].link = Some(IfIndex(4));
    let host = host.route("10.0.0.0/24", None, 2, 0).route("10.0.0.0/24", None, 4, 1).0;
    let found = diagnose(&host, &Options::default()).unwrap();
    let astray = of_kind(&found, FindingId::EgressSameWire);
    assert!(astray.remedy.contains("AF021 would stay for 10.0.0.9"), "{astray}");
}

#[test]
fn the_delay_stays_where_proxy_arp_answers_for_other_hosts() {
    let host = || {
        let host = Host::openvz();
        let eth3 = host.0.interfaces.iter().position(|one| one.name.to_string() == "eth3").unwrap();
        (host, eth3)
    };
    let lowered = |snapshot: &Snapshot| -> usize {
        let found = diagnose(snapshot, &Options::default()).unwrap();
        let delay = of_kind(&found, FindingId::ProxyDelay);
        delay.plan.as_ref().map_or(0, |plan| plan.changes.len())
    };
    let (plain, eth3) = host();
    let all = lowered(&plain.0);
    assert!(all > 1);
    let mut proxying = plain.0;
    proxying.interfaces[eth3].sysctls.set(Sysctl::ProxyArp, Some(1));
    assert_eq!(lowered(&proxying), all - 1);
    proxying.all.set(Sysctl::ProxyArp, Some(1));
    let found = diagnose(&proxying, &Options::default()).unwrap();
    let delay = of_kind(&found, FindingId::ProxyDelay);
    assert!(delay.plan.is_none() && delay.remedy.starts_with("Leave it as it is on "), "{delay}");
}

#[test]
fn tunnels_that_a_rule_hides_are_named() {
    for kind in ["wireguard", "vxlan", "ipip", "gre", "sit", "ppp", "tun"] {
        let source = Some("10.0.0.1/32".parse().unwrap());
        let gateway = "10.0.0.254".parse().unwrap();
        let default = Route::via("0.0.0.0/0".parse().unwrap(), IfIndex(2), gateway);
        let host = Builder::new()
            .nic("eth0", &["10.0.0.1/24"])
            .nic("tun0", &["10.8.0.1/24"])
            .with("tun0", |tunnel| tunnel.kind = Some(LinkKind::from(kind)))
            .any_route(Route { table: 5, ..default })
            .rule(Rule { source, ..Rule::lookup(100, 5) })
            .build()
            .unwrap();
        let found = diagnose(&host, &Options::default()).unwrap();
        let hides = of_kind(&found, FindingId::RulesHideNetwork);
        assert!(hides.objects.interfaces.iter().any(|name| name.to_string() == "tun0"), "{kind}: {hides}");
        assert!(hides.remedy.contains("10.8.0.0/24 dev tun0"), "{kind}: {hides}");
        // With the route, the far end is reached again.
        let plan = hides.plan.as_ref().unwrap();
        assert!(!ids(&host.with(&plan.changes), &Options::default()).contains(&hides.id), "{kind}");
    }
}

#[test]
fn tunnel_addresses_that_are_answered_for_on_a_wire_are_named() {
    for kind in ["wireguard", "ipip", "gre", "sit", "ppp", "tun"] {
        let host = Builder::new()
            .nic("eth0", &["10.0.0.1/24"])
            .nic("tun0", &["10.8.0.1/24"])
            .with("tun0", |tunnel| {
                tunnel.kind = Some(LinkKind::from(kind));
                tunnel.flags = InterfaceFlags::UP | InterfaceFlags::RUNNING | InterfaceFlags::NOARP;
            })
            .build()
            .unwrap();
        let found = diagnose(&host, &Options::default()).unwrap();
        let exposed = of_kind(&found, FindingId::BridgeExposed);
        assert_eq!(
            exposed.objects.addresses,
            ["10.8.0.1".parse::<std::net::IpAddr>().unwrap()],
            "{kind}: {exposed}"
        );
        let plan = exposed.plan.as_ref().unwrap();
        assert!(!ids(&host.with(&plan.changes), &Options::default()).contains(&exposed.id), "{kind}");
    }
}

#[test]
fn an_interface_with_ipv6_alone_is_on_an_unknown_wire_and_said_to_have_no_ipv4_subnet() {
    for (addresses, says) in [(&["2001:db8::1/64"][..], "has no IPv4 subnet"), (&[], "has no address")] {
        let host = Builder::new().nic("eth0", &["10.0.0.1/24"]).nic("eth1", addresses).build().unwrap();
        let found = diagnose(&host, &Options::default()).unwrap();
        let line = found.last_line().unwrap();
        assert!(line.contains("on which wire eth1 is") && line.contains(says), "{line}");
    }
}
