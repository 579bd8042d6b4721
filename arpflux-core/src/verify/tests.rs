//! A host that is as the policy says, and one thing at a time that is not.

use super::*;
use crate::plan::tests::{Host, OPENVZ_POLICY, policy};
use crate::snapshot::{Interference, ProxyEntry};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

fn applied() -> Snapshot {
    let host = Host::openvz();
    let text = OPENVZ_POLICY.replace("[host]", "[host]\nproxy_delay = 0");
    host.0.with(&policy(&text).plan(&host.0).unwrap().changes)
}

fn the_policy() -> Policy {
    policy(&OPENVZ_POLICY.replace("[host]", "[host]\nproxy_delay = 0"))
}

#[test]
fn a_host_as_the_policy_says() {
    let report = check(&the_policy(), &applied()).unwrap();
    assert!(report.ok(), "{report}");
    // 6 sysctls, 3 forwarding, 2 delays; 2 entries and 2 addresses without others; 20 rules; 6 routes;
    // 5 addresses answered, 5 by nobody else, 2 leave by their own.
    assert_eq!(report.checks, 11 + 4 + 20 + 6 + 12);
    assert_eq!(report.addresses.len(), 5);
    for address in &report.addresses {
        assert_eq!(address.answering, [address.expected.as_str()], "{report}");
    }
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["ok"], true);
    assert_eq!(json["addresses"][3]["address"], "192.168.18.101");
    assert_eq!(json["addresses"][3]["expected"], "eth3");
    assert_eq!(json["failures"].as_array().unwrap().len(), 0);
    assert!(report.into_result().is_ok());
}

#[test]
fn the_host_before_fails_in_every_respect() {
    let report = check(&the_policy(), &Host::openvz().0).unwrap();
    assert!(!report.ok());
    for kind in [CheckKind::Sysctl, CheckKind::Proxy, CheckKind::Rule, CheckKind::Route, CheckKind::Model] {
        assert!(report.failures.iter().any(|failure| failure.check == kind), "{kind}: {report}");
    }
    let eth0 = &report.addresses[0];
    assert_eq!(eth0.answering, ["eth0", "eth3", "eth4"], "{report}");
    let error = report.into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::VerifyFailed);
    assert_eq!(error.object(), "sysctl net.ipv4.conf.eth0.arp_announce");
    assert_eq!(error.kind().exit_code(), 1);
}

/// Every single deviation is found by the configuration check, and named.
#[test]
fn each_deviation_is_found() {
    type Deviation = (&'static str, fn(&mut Snapshot));
    let deviations: &[Deviation] = &[
        ("eth3.arp_ignore", |host| host.interfaces[2].sysctls.set(Sysctl::ArpIgnore, Some(0))),
        ("eth4.arp_announce", |host| host.interfaces[3].sysctls.set(Sysctl::ArpAnnounce, Some(1))),
        ("eth4.forwarding", |host| host.interfaces[3].sysctls.set(Sysctl::Forwarding, Some(0))),
        ("eth3.proxy_delay", |host| host.interfaces[2].neigh.proxy_delay = 800),
        ("192.168.18.101 on eth3", |host| host.proxies.retain(|entry| entry.interface != Some(IfIndex(3)))),
        ("192.168.18.101 on eth0", |host| {
            let entry = ProxyEntry { interface: Some(IfIndex(2)), ..host.proxies[0] };
            host.proxies.push(ProxyEntry { address: "192.168.18.101".parse().unwrap(), ..entry });
        }),
        ("192.168.18.102 on all interfaces", |host| {
            let entry = ProxyEntry { interface: None, ..host.proxies[0] };
            host.proxies.push(ProxyEntry { address: "192.168.18.102".parse().unwrap(), ..entry });
        }),
        ("suppress_prefixlength 24", |host| host.rules.retain(|rule| rule.suppress_prefix_len != Some(24))),
        ("from 192.168.18.12 lookup 175004", |host| {
            host.rules.retain(|rule| rule.source != Some("192.168.18.12/32".parse().unwrap()));
        }),
        ("table 175003: 192.168.18.0/24 dev eth3", |host| {
            host.routes.retain(|route| route.table != 175_003 || route.destination.prefix_len() == 0);
        }),
        ("from 192.168.18.77 lookup 175003", |host| {
            let rule = host.rules.iter().find(|rule| rule.source.is_some()).unwrap().clone();
            let source = Some("192.168.18.77/32".parse().unwrap());
            let at = host.rules.iter().position(|other| *other == rule).unwrap();
            host.rules.insert(at, crate::snapshot::Rule { source, table: 175_003, ..rule });
        }),
        ("net.ipv4.conf.all.arp_ignore", |host| host.all.set(Sysctl::ArpIgnore, Some(3))),
    ];
    for (named, deviate) in deviations {
        let mut host = applied();
        deviate(&mut host);
        let policy = match *named {
            "net.ipv4.conf.all.arp_ignore" => {
                let text = OPENVZ_POLICY.replace("[host]", "[host]\nproxy_delay = 0\nstrategy = \"strict\"");
                crate::plan::tests::policy(&text)
            }
            _ => the_policy(),
        };
        let report = configuration(&policy, &host).unwrap();
        assert!(report.failures.iter().any(|failure| failure.object.contains(named)), "{named}: {report}");
        assert!(report.checks >= report.failures.len());
    }
}

#[test]
fn the_model_sees_what_no_entry_shows() {
    let mut host = applied();
    host.interfaces[1].sysctls.set(Sysctl::ProxyArp, Some(1));
    host.interfaces[1].sysctls.set(Sysctl::Forwarding, Some(1));
    assert!(configuration(&the_policy(), &host).unwrap().ok());
    let report = model(&the_policy(), &host).unwrap();
    let named: Vec<&str> = report.failures.iter().map(|failure| failure.object.as_str()).collect();
    assert!(named.contains(&"192.168.18.101"), "{report}");
    assert!(report.addresses.iter().any(|address| address.answering == ["eth3", "eth0"]), "{report}");
}

#[test]
fn nothing_is_claimed_of_the_answers_of_an_interface_without_carrier() {
    let mut snapshot = applied();
    let eth3 = snapshot.interfaces.iter().position(|one| one.name.as_bytes() == b"eth3").unwrap();
    snapshot.interfaces[eth3].carrier = false;
    let report = check(&the_policy(), &snapshot).unwrap();
    assert!(report.ok(), "{report}");
    let unheard: Vec<&AddressReport> = report.addresses.iter().filter(|address| address.unheard).collect();
    assert!(!unheard.is_empty() && unheard.iter().all(|one| one.expected == "eth3" && one.ok().is_none()));
    assert!(report.to_string().contains("nobody can ask: eth3 has no carrier"), "{report}");
}

#[test]
fn a_policy_that_can_no_longer_hold_is_a_failure_not_an_error() {
    let mut host = applied();
    let gone = IfIndex(4);
    host.interfaces.retain(|interface| interface.index != gone);
    host.addresses.retain(|held| held.interface != gone);
    host.proxies.retain(|entry| entry.interface != Some(gone));
    host.routes.retain(|route| route.next_hops.iter().all(|hop| hop.interface != Some(gone)));
    let report = check(&the_policy(), &host).unwrap();
    assert!(!report.ok());
    assert_eq!((report.failures[0].check, report.failures[0].object.as_str()), (CheckKind::Policy, "eth4"));
}

#[test]
fn an_interface_that_answers_for_other_hosts_of_its_wire_is_never_good() {
    let failures = |text: &str, host: &Host| {
        let policy = policy(text);
        let after = host.0.with(&policy.plan(&host.0).unwrap().changes);
        check(&policy, &after).unwrap().failures.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (keep, off) = ("[host]\n", "[host]\nproxy_arp = \"off\"\n");
    let two = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
    let two = two.each(Sysctl::Forwarding, 1).one(3, Sysctl::ProxyArp, 1);
    let found = failures(keep, &two);
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with("model eth1: expected no answer for other hosts of its wire")),
        "{found:?}"
    );
    assert_eq!(failures(off, &two), [""; 0]);
    // Its own wire's, without a second interface.
    let private = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).each(Sysctl::Forwarding, 1);
    let private = private.one(2, Sysctl::ProxyArp, 1).one(2, Sysctl::ProxyArpPvlan, 1);
    let alone = "[host]\nstrategy = \"strict\"\n";
    assert_eq!(failures(alone, &private).len(), 1);
    assert_eq!(failures(&format!("{alone}proxy_arp = \"off\"\n"), &private), [""; 0]);
    // What a route of its own leads to is behind this host, on purpose, also a part of the subnet.
    let router = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "ve0", &[]).each(Sysctl::Forwarding, 1);
    let router = router.one(2, Sysctl::ProxyArp, 1).route("10.0.0.77/32", None, 3, 0);
    assert_eq!(failures(alone, &router.route("10.0.0.128/25", None, 3, 0)), [""; 0]);
    let by_all = policy(off).plan(&two.all(Sysctl::ProxyArp, 1).0).unwrap_err();
    assert_eq!(by_all.object(), "net.ipv4.conf.all.proxy_arp");
}

#[test]
fn an_interface_alone_on_its_wire_is_checked_whatever_the_strategy() {
    let nothing = policy("[host]\nstrategy = \"unmanaged\"\negress = \"unmanaged\"\n");
    let one = Host::new().nic(2, "eth0", &["10.0.0.2/24"]);
    let report = check(&nothing, &one.0).unwrap();
    assert!(report.ok() && report.addresses.len() == 1, "{report}");
    let silent = check(&nothing, &one.clone().each(Sysctl::ArpIgnore, 8).0).unwrap();
    assert_eq!(silent.judgement().ok(), Some(false), "{silent}");
    // Of several on one wire such a policy claims nothing.
    let two = one.clone().nic(3, "eth1", &["10.0.0.3/24"]);
    assert_eq!(check(&nothing, &two.0).unwrap().checks, 0);
    // A second card without an address may be on that wire, unless somebody knows.
    let spare = one.nic(3, "eth1", &[]);
    assert_eq!(check(&nothing, &spare.0).unwrap().judgement().ok(), None);
    let wires = |text: &str| Wires::from_json(text).unwrap();
    let apart = wires(r#"{"wires":[["eth0"],["eth1"]]}"#);
    assert!(check_with(&nothing, &spare.0, &apart).unwrap().ok());
    let strict = policy("[host]\ninterfaces = [\"eth0\"]\nstrategy = \"strict\"\n");
    let after = spare.0.with(&strict.plan(&spare.0).unwrap().changes);
    assert!(check_with(&strict, &after, &apart).unwrap().ok());
    let together = check_with(&strict, &after, &wires(r#"{"wires":[["eth0","eth1"]]}"#)).unwrap();
    assert_eq!(together.judgement().ok(), Some(false), "{together}");
}

#[test]
fn a_report_that_checked_nothing_is_not_good() {
    let report = Report::default();
    assert!(!report.ok());
    assert_eq!(report.into_result().unwrap_err().message(), "nothing was checked");
}

#[test]
fn reports_of_two_witnesses_are_one() {
    let mut report = check(&the_policy(), &applied()).unwrap();
    let checks = report.checks;
    let wire = AddressReport {
        by: Witnesses::default(),
        unheard: false,
        address: "192.168.18.101".parse().unwrap(),
        expected: "eth3".into(),
        answering: vec!["eth0".into()],
        undetermined: Vec::new(),
    };
    report.merge(Report { checks: 1, addresses: vec![wire], ..Report::default() });
    assert_eq!(report.checks, checks + 1);
    assert_eq!(report.addresses[3].answering, ["eth3", "eth0"]);
}

/// Of what cannot be read nothing is good: counted, listed, with what it comes to apart from that.
#[test]
fn what_cannot_be_told_is_never_good() {
    let mut host = applied();
    host.interference.push(Interference::Netfilter { chain: "nftables arp f c".into(), interface: None });
    let report = check(&the_policy(), &host).unwrap();
    assert!(report.failures.is_empty() && !report.undetermined.is_empty(), "{report}");
    assert!(!report.ok());
    assert_eq!((report.judgement().ok(), report.ok_apart_from_that), (None, Some(true)), "{report}");
    assert!(report.addresses.iter().all(|address| address.ok().is_none()), "{report}");
    let text = report.to_string();
    let last = text.lines().last().unwrap();
    for said in
        ["cannot be told: ", "nftables arp f c", "apart from that all is as the policy says", "To know: "]
    {
        assert!(last.contains(said), "{said:?} in {last:?}");
    }
    assert!(!text.lines().any(|line| line.starts_with("ok")), "{text}");
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert!(json["ok"].is_null(), "{json}");
    assert_eq!(json["missing"][0]["missing"], "netfilter");
    let error = report.into_result().unwrap_err();
    assert_eq!((error.kind(), error.kind().exit_code()), (ErrorKind::Undetermined, 6));
}

/// A report of the version before had sentences only.
#[test]
fn a_report_of_before_is_still_read() {
    let text = r#"{"checks":1,"addresses":[{"address":"10.0.0.1","expected":"eth0","answering":["eth0"]}],
        "failures":[],"undetermined":["who knows"]}"#;
    let report: Report = serde_json::from_str(text).unwrap();
    assert_eq!(report.judgement().ok(), None);
}

#[test]
fn a_single_address_is_asked_for_by_those_who_live_around_it() {
    let text = "[host]\ninterfaces = [\"eth0\", \"eth1\"]\negress = \"unmanaged\"\n";
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "mv0", &["10.0.0.3/32"]);
    let mut host = host;
    let mv0 = &mut host.0.interfaces[2];
    (mv0.link, mv0.kind) = (Some(IfIndex(2)), Some(crate::snapshot::LinkKind::Macvlan));
    mv0.macvlan_mode = Some(crate::snapshot::MacvlanMode::Bridge);
    let text = text.replace("eth1", "mv0");
    let report = |host: &Host| {
        let policy = policy(&text);
        let after = host.0.with(&policy.plan(&host.0).unwrap().changes);
        model(&policy, &after).unwrap()
    };
    assert!(report(&host).ok(), "{}", report(&host));
    // Mode 2 takes senders of the address's own prefix alone, and nobody else is in that.
    let silent = report(&host.clone().all(Sysctl::ArpIgnore, 2));
    assert!(silent.failures.iter().any(|one| one.object == "10.0.0.3"), "{silent}");
    // Strict source validation: neighbours are on eth0.
    let silent = report(&host.all(Sysctl::RpFilter, 1));
    assert!(silent.failures.iter().any(|one| one.object == "10.0.0.3"), "{silent}");
}
