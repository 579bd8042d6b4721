//! Verification by frames: from a peer, and on the host itself.
#![allow(missing_docs, reason = "a test")]

use std::os::fd::{AsFd as _, AsRawFd as _};

use arpflux_core::verify::{self, CheckKind};
use arpflux_core::{Host, Policy, apply};
use arpflux_lab::Lab;
use arpflux_lab::page;

const POLICY: &str = r#"
version = 1
[host]
interfaces = ["eth0", "eth3", "eth4"]
announce = false
[[proxy]]
owner = "101"
addresses = ["192.168.18.101"]
interface = "eth3"
"#;

fn host(of: &arpflux_lab::Host) -> Host {
    Host::at(format!("/proc/self/fd/{}", of.netns().as_fd().as_raw_fd()).as_ref()).unwrap()
}

#[test]
fn floating_addresses_are_seen_and_so_is_the_cure() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let hn = page::node(&lab, &lan, "hn").unwrap();
    hn.sysctl("net.ipv4.ip_forward", 1).unwrap();
    let client = page::client(&lab, &lan).unwrap();
    let venet = lab.venet(&hn, "venet0").unwrap();
    let _container = venet.container("101", "192.168.18.101".parse().unwrap()).unwrap();
    for interface in ["eth0", "eth3", "eth4"] {
        hn.proxy(interface, "192.168.18.101".parse().unwrap()).unwrap();
    }

    let (node, peer) = (host(&hn), host(&client));
    let policy = Policy::from_toml(POLICY, "policy.toml").unwrap();
    let before = node.snapshot().unwrap();
    let eth0 = "eth0".parse().unwrap();
    let asked = [
        verify::wire::peer(&policy, &before, &peer, None).unwrap(),
        verify::wire::peer(&policy, &before, &peer, Some(&eth0)).unwrap(),
        verify::wire::own(&policy, &before, &node).unwrap(),
    ];
    for report in asked {
        assert_eq!((report.checks, report.failures.len()), (4, 4), "{report:#?}");
        assert!(report.failures.iter().all(|failure| failure.check == CheckKind::Wire));
        for address in &report.addresses {
            let mut answering = address.answering.clone();
            answering.sort();
            assert_eq!(answering, ["eth0", "eth3", "eth4"], "{address:?}");
        }
    }
    assert_eq!(node.snapshot().unwrap().interfaces, before.interfaces, "asking leaves no trace");

    let state = std::env::temp_dir().join(format!("arpflux-verify-wire-{}", std::process::id()));
    std::fs::create_dir(&state).unwrap();
    let plan = policy.plan(&before).unwrap();
    let _kept = node.apply(&plan, apply::Options::default().state_dir(&state)).unwrap();
    std::fs::remove_dir_all(&state).unwrap();

    let after = node.snapshot().unwrap();
    for report in [
        verify::wire::peer(&policy, &after, &peer, None).unwrap(),
        verify::wire::own(&policy, &after, &node).unwrap(),
    ] {
        assert!(report.ok(), "{report:#?}");
        assert_eq!(report.checks, 4);
        let answering: Vec<_> =
            report.addresses.iter().map(|a| (a.address.to_string(), a.answering.join(" "))).collect();
        for (address, interface) in [
            ("192.168.18.10", "eth0"),
            ("192.168.18.11", "eth3"),
            ("192.168.18.12", "eth4"),
            ("192.168.18.101", "eth3"),
        ] {
            assert!(answering.contains(&(address.to_owned(), interface.to_owned())), "{answering:?}");
        }
    }

    // Somebody undoes part of it behind our back: the wire shows it.
    hn.sysctl("net.ipv4.conf.eth4.arp_ignore", 0).unwrap();
    let report = verify::wire::own(&policy, &after, &node).unwrap();
    assert_eq!(report.failures.len(), 2, "eth4 answers for .10 and .11 as well: {report:#?}");
}

/// As a bond and its VLANs have one MAC.
#[test]
fn interfaces_with_one_mac_are_told_apart_by_where_they_answer() {
    let lab = Lab::new().unwrap();
    let hn = lab.host("hn").unwrap();
    let (lan, san) = (lab.switch("lan").unwrap(), lab.switch("san").unwrap());
    for (interface, wire, address) in [("eth0", &lan, "10.1.0.1/24"), ("eth1", &san, "10.2.0.1/24")] {
        hn.plug(wire, interface, "02:11:11:11:11:11".parse().unwrap()).unwrap();
        hn.address(interface, address).unwrap();
    }
    let client = lab.host("client").unwrap();
    client.plug(&lan, "eth0", "02:99:99:99:99:99".parse().unwrap()).unwrap();
    client.address("eth0", "10.1.0.9/24").unwrap();
    let policy =
        Policy::from_toml("version = 1\n[host]\ninterfaces = [\"eth0\", \"eth1\"]\n", "policy").unwrap();
    let (node, peer) = (host(&hn), host(&client));
    let failed = |report: &verify::Report| -> Vec<String> {
        report.failures.iter().map(|failure| format!("{}: {}", failure.object, failure.found)).collect()
    };
    let snapshot = node.snapshot().unwrap();
    // Whichever interface is asked answers for both.
    let report = verify::wire::own(&policy, &snapshot, &node).unwrap();
    assert_eq!(
        failed(&report),
        ["10.1.0.1: answers from eth0, eth1", "10.2.0.1: answers from eth0, eth1"],
        "{report:#?}"
    );
    hn.sysctl("net.ipv4.conf.all.arp_ignore", 1).unwrap();
    let report = verify::wire::own(&policy, &snapshot, &node).unwrap();
    assert_eq!(failed(&report), [""; 0], "{report:#?}");
    let eth0 = "eth0".parse().unwrap();
    // The client is not on the other wire: that it hears nothing from there says nothing.
    for from in [None, Some(&eth0)] {
        let report = verify::wire::peer(&policy, &snapshot, &peer, from).unwrap();
        assert_eq!((failed(&report).len(), report.checks, report.addresses.len()), (0, 2, 1), "{report:#?}");
        let open = "10.2.0.1 was not asked for: the peer has no interface on its subnet";
        assert!(report.undetermined[0].starts_with(open), "{report:#?}");
        assert_eq!(report.judgement().exit_code(), 6, "{report:#?}");
    }
}

/// A named interface with a single address: the answers tell on which wire it is.
#[test]
fn a_peer_without_a_subnet_is_on_the_wire_of_those_who_answer() {
    let lab = Lab::new().unwrap();
    let (hn, client) = (lab.host("hn").unwrap(), lab.host("client").unwrap());
    let (lan, san) = (lab.switch("lan").unwrap(), lab.switch("san").unwrap());
    for (interface, wire, address) in [("eth0", &lan, "10.1.0.1/24"), ("eth1", &san, "10.2.0.1/24")] {
        hn.plug(wire, interface, "02:11:11:11:11:11".parse().unwrap()).unwrap();
        hn.address(interface, address).unwrap();
    }
    hn.sysctl("net.ipv4.conf.all.arp_ignore", 1).unwrap();
    client.plug(&lan, "eth0", "02:99:99:99:99:99".parse().unwrap()).unwrap();
    client.address("eth0", "10.9.0.9/32").unwrap();
    let policy =
        Policy::from_toml("version = 1\n[host]\ninterfaces = [\"eth0\", \"eth1\"]\n", "policy").unwrap();
    let (node, peer) = (host(&hn), host(&client));
    let asked = |from: &str| {
        let report =
            verify::wire::peer(&policy, &node.snapshot().unwrap(), &peer, Some(&from.parse().unwrap()));
        let report = report.unwrap();
        (report.failures.len(), report.undetermined.len(), report.judgement().exit_code())
    };
    assert_eq!(asked("eth0"), (0, 1, 6));
    // Where nobody answers, all of it is missed.
    hn.sysctl("net.ipv4.conf.eth0.arp_ignore", 8).unwrap();
    assert_eq!(asked("eth0"), (2, 0, 1));
}

/// What has no subnet of its own is asked for by the wire that it is on, and IPv6 also by a peer that has none.
#[test]
fn what_is_on_the_peers_wire_is_asked_for_whatever_the_peer_holds() {
    let lab = Lab::new().unwrap();
    let (hn, client) = (lab.host("hn").unwrap(), lab.host("client").unwrap());
    let lan = lab.switch("lan").unwrap();
    hn.plug(&lan, "eth0", "02:11:11:11:11:11".parse().unwrap()).unwrap();
    for (sysctl, value) in [("accept_dad", 0), ("disable_ipv6", 0)] {
        hn.sysctl(&format!("net.ipv6.conf.eth0.{sysctl}"), value).unwrap();
    }
    for address in ["10.1.0.1/24", "10.7.0.1/32", "2001:db8::1/64"] {
        hn.address("eth0", address).unwrap();
    }
    client.plug(&lan, "eth0", "02:99:99:99:99:99".parse().unwrap()).unwrap();
    client.address("eth0", "10.1.0.9/24").unwrap();
    client.sysctl("net.ipv6.conf.all.disable_ipv6", 1).unwrap();
    let (node, peer) = (host(&hn), host(&client));
    let snapshot = node.snapshot().unwrap();
    let policy = Policy::from_toml("version = 1\n[host]\ninterfaces = [\"eth0\"]\n", "policy").unwrap();
    let report = verify::wire::peer(&policy, &snapshot, &peer, None).unwrap();
    let answered = |address: &str| {
        let of = report.addresses.iter().find(|one| one.address.to_string() == address);
        of.map(|one| one.answering.join(" "))
    };
    for address in ["10.1.0.1", "10.7.0.1", "2001:db8::1"] {
        assert_eq!(answered(address).as_deref(), Some("eth0"), "{report:#?}");
    }
    assert!(report.ok(), "{report:#?}");
}
