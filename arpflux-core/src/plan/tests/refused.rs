//! Policies that would not work on a host, and what the error says.

use super::host::{Host, rule};
use super::{OPENVZ_POLICY, plan, refusal, unmet};
use crate::error::ErrorKind;
use crate::sysctl::Sysctl;

const UNMANAGED: &str = "egress = \"unmanaged\"\n";

fn without_proxies() -> Host {
    let mut host = Host::openvz();
    host.0.proxies.clear();
    host
}

#[test]
fn unknown_interfaces_name_those_that_are_there() {
    let error = unmet(&Host::openvz(), &OPENVZ_POLICY.replace("\"eth0\",", "\"eht0\","));
    assert_eq!((error.kind(), error.object()), (ErrorKind::NotFound, "eht0"));
    assert!(
        error.to_string().contains("did you mean eth0? there are lo, eth0, eth3, eth4 and venet0"),
        "{error}"
    );
    let error =
        unmet(&Host::openvz(), &OPENVZ_POLICY.replace("interface = \"eth4\"", "interface = \"wlan7\""));
    assert_eq!((error.kind(), error.object()), (ErrorKind::NotFound, "wlan7"));
}

#[test]
fn a_policy_of_patterns_of_which_none_matches_is_no_policy_of_this_host() {
    let error = refusal(&Host::openvz(), "[host]\ninterfaces = [\"enp*\", \"wl*\"]\n");
    assert_eq!((error.kind(), error.object()), (ErrorKind::NotFound, "enp*"));
    assert!(error.to_string().contains("there are lo, eth0, eth3, eth4 and venet0"), "{error}");
    plan(&Host::openvz(), "[host]\ninterfaces = [\"enp*\", \"eth*\"]\n");
}

#[test]
fn a_table_that_sends_neighbours_to_a_gateway_is_not_the_right_way() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
    let mut host = host.route("0.0.0.0/0", Some("10.0.0.1"), 3, 0);
    host.0.routes.last_mut().unwrap().table = 11;
    host.0.rules.insert(1, rule(false, 100, "10.0.0.3/32".parse().ok(), 11));
    let text = "[host]\negress = \"source-routed\"\n";
    let error = unmet(&host, text);
    assert_eq!((error.kind(), error.object()), (ErrorKind::Refused, "10.0.0.3"));
    assert!(
        error.to_string().contains("priority 100") && error.to_string().contains("by a gateway"),
        "{error}"
    );
    // With the subnet beside it, it is.
    let mut host = host.route("10.0.0.0/24", None, 3, 0);
    host.0.routes.last_mut().unwrap().table = 11;
    assert!(
        plan(&host, text).decisions.iter().any(|one| one.contains("already send 10.0.0.3 the right way"))
    );
}

#[test]
fn interfaces_that_never_answer_are_refused() {
    for (name, said) in [("lo", "loopback"), ("venet0", "NOARP")] {
        let error = refusal(&Host::openvz(), &format!("[host]\ninterfaces = [\"{name}\"]\n"));
        assert_eq!((error.kind(), error.object()), (ErrorKind::Refused, name));
        assert!(error.to_string().contains(said), "{error}");
    }
    let mut host = Host::openvz().nic(9, "br0", &[]);
    host.0.interfaces[2].master = Some(crate::types::IfIndex(9));
    let error = unmet(&host, OPENVZ_POLICY);
    assert!(error.to_string().contains("name br0 instead"), "{error}");
    host.0.interfaces[5].kind = Some("vrf".into());
    plan(&host, "[host]\ninterfaces = [\"eth0\", \"eth3\"]\n");
}

#[test]
fn values_of_all_that_defeat_strict() {
    for value in -1..12 {
        let host = Host::openvz().all(Sysctl::ArpIgnore, value);
        let made =
            super::policy(&OPENVZ_POLICY.replace("[host]", "[host]\nstrategy = \"strict\"")).plan(&host.0);
        match value {
            ..=1 => assert!(made.is_ok(), "{value}"),
            2 => {
                let said = made.unwrap().decisions;
                assert!(said.iter().any(|why| why.contains("all.arp_ignore is 2")), "{said:?}");
            }
            _ => {
                let error = made.expect_err("it defeats the interfaces");
                assert_eq!(error.object(), "net.ipv4.conf.all.arp_ignore");
                assert!(error.to_string().contains(&format!("all.arp_ignore is {value}")), "{error}");
                assert!(error.to_string().contains("sysctl -w net.ipv4.conf.all.arp_ignore=0"), "{error}");
            }
        }
        // With source routing there is another way: arp_filter.
        if value == 8 {
            assert_eq!(refusal(&host, OPENVZ_POLICY).object(), "net.ipv4.conf.all.arp_ignore");
            continue;
        }
        let auto = plan(&host, OPENVZ_POLICY);
        let filter = auto.decisions.iter().any(|why| why.starts_with("strategy filter"));
        assert_eq!(filter, value > 2, "{value}: {:?}", auto.decisions);
        let open = OPENVZ_POLICY.replace("[host]", &format!("[host]\n{UNMANAGED}"));
        assert_eq!(super::policy(&open).plan(&host.0).is_ok(), value <= 2, "{value}");
    }
    let host = Host::openvz().all(Sysctl::ArpAnnounce, 3);
    let error = refusal(&host, &OPENVZ_POLICY.replace("[host]", "[host]\nstrategy = \"strict\""));
    assert_eq!(error.object(), "net.ipv4.conf.all.arp_announce");
    plan(&Host::openvz().all(Sysctl::ArpAnnounce, 2), OPENVZ_POLICY);
}

#[test]
fn filter_needs_different_subnets_or_source_routing() {
    let text = format!("[host]\nstrategy = \"filter\"\n{UNMANAGED}");
    let error = refusal(&without_proxies(), &text);
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("share 192.168.18.0/24"), "{error}");
    assert!(error.to_string().contains("egress = \"source-routed\""), "{error}");
    plan(&without_proxies(), "[host]\nstrategy = \"filter\"\n");
}

#[test]
fn source_validation_that_would_leave_an_address_dark() {
    for (value, good) in [(0, true), (1, false), (2, true)] {
        for by_all in [false, true] {
            let host = match by_all {
                true => without_proxies().all(Sysctl::RpFilter, value),
                false => without_proxies().each(Sysctl::RpFilter, value),
            };
            let open = format!("[host]\n{UNMANAGED}");
            assert_eq!(super::policy(&open).plan(&host.0).is_ok(), good, "rp_filter {value}");
            plan(&host, "[host]\n");
        }
    }
    let host = Host::openvz().each(Sysctl::RpFilter, 1);
    let error = refusal(&host, &OPENVZ_POLICY.replace("[host]", &format!("[host]\n{UNMANAGED}")));
    assert!(
        error.to_string().contains("with rp_filter=1 it would not answer for its own 192.168.18.11"),
        "{error}"
    );
    let proxies_only = format!("[host]\nstrategy = \"unmanaged\"\n{UNMANAGED}");
    let error = refusal(&host, &OPENVZ_POLICY.replace("[host]", &proxies_only));
    assert_eq!(error.object(), "192.168.18.101");
    // The same of arp_filter, which strict leaves alone.
    let host = without_proxies().all(Sysctl::ArpFilter, 1);
    assert!(refusal(&host, &format!("[host]\n{UNMANAGED}")).to_string().contains("arp_filter=1"));
    plan(&host, "[host]\n");
}

#[test]
fn addresses_that_cannot_be_proxied_here() {
    for (address, said) in [
        ("192.168.18.12", "the host's own address, on eth4"),
        ("192.168.18.255", "network or broadcast address of 192.168.18.0/24 on eth0"),
        ("192.168.18.0", "network or broadcast"),
    ] {
        let error = refusal(&Host::openvz(), &OPENVZ_POLICY.replace("192.168.18.101", address));
        assert_eq!((error.kind(), error.object()), (ErrorKind::Refused, address));
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_sysctl_that_is_not_there() {
    let mut host = Host::openvz();
    host.0.interfaces[1].sysctls.set(Sysctl::ArpIgnore, None);
    let error = refusal(&host, OPENVZ_POLICY);
    assert_eq!((error.kind(), error.object()), (ErrorKind::Unsupported, "net.ipv4.conf.eth0.arp_ignore"));
    let mut host = Host::openvz();
    host.0.interfaces[2].ipv6.proxy_ndp = None;
    let error = refusal(&host, &OPENVZ_POLICY.replace("192.168.18.101", "2001:db8::101"));
    assert_eq!(error.object(), "net.ipv6.conf.eth3.proxy_ndp");
}

#[test]
fn a_strategy_needs_interfaces() {
    let error = refusal(&Host::new(), "[host]\nstrategy = \"strict\"\n");
    assert!(error.to_string().contains("name the interfaces"), "{error}");
    assert!(plan(&Host::new(), "[host]\n").is_empty());
}

#[test]
fn rules_that_reject_are_astray_too() {
    let reject = crate::snapshot::Rule {
        action: crate::snapshot::RuleAction::Prohibit,
        ..rule(false, 50, Some("192.168.18.0/24".parse().unwrap()), 0)
    };
    let error = unmet(&Host::openvz().rule(reject), OPENVZ_POLICY);
    assert!(error.to_string().contains("priority 50") && error.to_string().contains("rejects"), "{error}");
}
