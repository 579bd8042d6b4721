//! Addresses that several hosts hold or take over, and policies of which a part cannot be had: by real frames.
#![allow(missing_docs, reason = "a test")]

use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::Duration;

use arpflux_core::snapshot::Snapshot;
use arpflux_core::state::{Object, Value};
use arpflux_core::verify::{self, CheckKind};
use arpflux_core::wire::{Port, probe};
use arpflux_core::{Error, Host, Policy};
use arpflux_lab::{Lab, NewRoute, Switch};

const PEER: &str = "192.0.2.9";

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn snapshot(of: &arpflux_lab::Host) -> Snapshot {
    let path = format!("/proc/self/fd/{}", of.netns().as_fd().as_raw_fd());
    Host::at(path.as_ref()).unwrap().snapshot().unwrap()
}

fn policy(text: &str) -> Policy {
    Policy::from_toml(&format!("version = 1\n{text}"), "policy.toml").unwrap()
}

/// Plans and does it, without a transaction.
fn apply(host: &arpflux_lab::Host, policy: &Policy) -> Result<(), Error> {
    for change in policy.plan(&snapshot(host))?.changes {
        match (&change.object, change.after) {
            (Object::Sysctl { scope, sysctl }, Value::Number(after)) => {
                host.sysctl(&format!("net/ipv4/conf/{scope}/{sysctl}"), after).unwrap();
            }
            (Object::Proxy { address, interface }, Value::Absent) => {
                let name = snapshot(host).name_of(interface.unwrap());
                host.delete_proxy(&name, *address).unwrap();
            }
            _ => panic!("not expected here: {change}"),
        }
    }
    assert!(policy.plan(&snapshot(host))?.is_empty());
    Ok(())
}

/// A wire with somebody who asks.
struct Wire {
    lab: Lab,
    lan: Switch,
    peer: arpflux_lab::Host,
}

impl Wire {
    fn new() -> Self {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let peer = lab.host("peer").unwrap();
        peer.plug(&lan, "eth0", "02:00:00:00:99:99".parse().unwrap()).unwrap();
        peer.address("eth0", "192.0.2.9/24").unwrap();
        Self { lab, lan, peer }
    }

    fn host(&self, name: &str, nics: &[(&str, &str, &str)]) -> arpflux_lab::Host {
        let host = self.lab.host(name).unwrap();
        for (nic, mac, address) in nics {
            host.plug(&self.lan, nic, mac.parse().unwrap()).unwrap();
            host.address(nic, address).unwrap();
        }
        host
    }

    /// The MACs that answer for an address.
    fn macs(&self, target: &str) -> Vec<String> {
        let options = probe::Options::default().wait(Duration::from_millis(200));
        let ask = || {
            let target = ip(target).into();
            let port = Port::towards(target)?;
            probe::run(&port, &[target], options, |_| ControlFlow::Continue(()))
        };
        let asked = self.peer.run(ask).unwrap().unwrap();
        let mut macs: Vec<String> = asked[0].replies.iter().map(|reply| reply.mac.to_string()).collect();
        macs.sort();
        macs.dedup();
        macs
    }
}

fn expect(policy: &Policy, host: &arpflux_lab::Host, address: &str, expected: &str) {
    let report = verify::check(policy, &snapshot(host)).unwrap();
    assert!(report.failures.is_empty(), "{report}");
    let found = report.addresses.iter().find(|one| one.address == ip(address)).unwrap();
    assert_eq!(found.expected, expected, "{report}");
    assert_eq!(found.ok(), Some(true), "{report}");
}

const NONE: [&str; 0] = [];

#[test]
fn a_real_server_never_answers_for_the_balancers_address() {
    let wire = Wire::new();
    let server = wire.host(
        "server",
        &[("eth0", "02:00:00:00:00:10", "192.0.2.10/24"), ("eth1", "02:00:00:00:00:11", "192.0.2.11/24")],
    );
    server.address("lo", "192.0.2.200/32").unwrap();
    server.proxy("eth1", ip("192.0.2.201").into()).unwrap();
    assert_eq!(wire.macs("192.0.2.200").len(), 2);
    let never = policy(
        "[host]\negress = \"unmanaged\"\nannounce = false\n[[service]]\naddresses = [\"192.0.2.200\", \"192.0.2.201\"]\nanswer = \"never\"\n",
    );
    let before = verify::check(&never, &snapshot(&server)).unwrap();
    assert!(before.failures.iter().any(|one| one.check == CheckKind::Model && one.object == "192.0.2.200"));
    apply(&server, &never).unwrap();
    assert_eq!(wire.macs("192.0.2.200"), NONE);
    assert_eq!(wire.macs("192.0.2.10"), ["02:00:00:00:00:10"], "its own are answered");
    assert_eq!(wire.macs("192.0.2.11"), ["02:00:00:00:00:11"]);
    assert!(snapshot(&server).proxies.is_empty());
    expect(&never, &server, "192.0.2.200", "nobody");
    // Somebody takes it back.
    server.sysctl("net/ipv4/conf/eth1/arp_ignore", 0).unwrap();
    let report = verify::check(&never, &snapshot(&server)).unwrap();
    assert!(report.failures.iter().any(|one| one.object == "192.0.2.200"), "{report}");

    // Beside another address on the same card nothing silences it; the rest of the policy is kept.
    server.delete_address("lo", "192.0.2.200/32").unwrap();
    server.address("eth1", "192.0.2.200/32").unwrap();
    apply(&server, &never).unwrap();
    let report = verify::check(&never, &snapshot(&server)).unwrap();
    let said: Vec<_> = report.failures.iter().filter(|one| one.check == CheckKind::Policy).collect();
    assert!(said.len() == 1 && said[0].found.contains("ip addr add 192.0.2.200/32 dev lo"), "{report}");
    // On an interface that has nothing else it is silenced.
    server.delete_address("eth1", "192.0.2.11/24").unwrap();
    apply(&server, &never).unwrap();
    assert_eq!(wire.macs("192.0.2.200"), NONE);
    assert_eq!(wire.macs("192.0.2.10"), ["02:00:00:00:00:10"]);
}

#[test]
fn one_policy_is_right_on_the_master_and_on_the_backup() {
    const VIRTUAL: &str = "00:00:5e:00:01:06";
    let wire = Wire::new();
    let nic = |last| ("eth2", format!("02:00:00:00:00:{last}"), format!("192.0.2.{last}/24"));
    let router = |name: &str, last: u8| {
        let (nic, mac, address) = nic(last);
        let host = wire.host(name, &[(nic, &mac, &address)]);
        host.macvlan("eth2", "vrrp6", 4, VIRTUAL.parse().unwrap()).unwrap();
        host.address("vrrp6", "192.0.2.66/24").unwrap();
        host
    };
    let (one, two) = (router("one", 61), router("two", 62));
    let take = |host: &arpflux_lab::Host| host.up("vrrp6").unwrap();
    let leave = |host: &arpflux_lab::Host| host.down("vrrp6").unwrap();
    take(&one);
    // As FRR leaves it on a backup: the address is there, on an interface that is not up.
    leave(&two);
    assert!(wire.macs("192.0.2.66").len() > 1, "the cards answer as well");
    let pair = policy(
        "[host]\ninterfaces = [\"eth*\"]\nstrategy = \"unmanaged\"\negress = \"unmanaged\"\nannounce = false\n[[service]]\naddresses = [\"192.0.2.66\"]\nanswer = \"holder\"\n",
    );
    for host in [&one, &two] {
        apply(host, &pair).unwrap();
    }
    assert_eq!(wire.macs("192.0.2.66"), [VIRTUAL]);
    expect(&pair, &one, "192.0.2.66", "vrrp6");
    expect(&pair, &two, "192.0.2.66", "nobody");
    let said = pair.plan(&snapshot(&one)).unwrap().decisions.join("\n");
    assert!(said.contains("vrrp6 (VRRP or CARP, group 6) answers"), "{said}");

    // They change over: nothing has to be changed on either.
    leave(&one);
    take(&two);
    for host in [&one, &two] {
        assert!(pair.plan(&snapshot(host)).unwrap().is_empty());
    }
    assert_eq!(wire.macs("192.0.2.66"), [VIRTUAL]);
    expect(&pair, &one, "192.0.2.66", "nobody");
    expect(&pair, &two, "192.0.2.66", "vrrp6");

    // Not held at all: silent, and that is what was asked for.
    two.delete("vrrp6").unwrap();
    assert!(pair.plan(&snapshot(&two)).unwrap().is_empty());
    assert_eq!(wire.macs("192.0.2.66"), NONE);
    expect(&pair, &two, "192.0.2.66", "nobody");
}

#[test]
fn nobody_is_silenced_before_the_holder_answers() {
    let wire = Wire::new();
    let node = wire.host("node", &[("enp1s0f0", "02:00:00:00:00:21", "192.0.2.21/24")]);
    node.sysctl("net/ipv4/conf/all/rp_filter", 1).unwrap();
    node.macvlan("enp1s0f0", "vip-66a0", 4, "02:00:00:00:0f:0f".parse().unwrap()).unwrap();
    node.up("vip-66a0").unwrap();
    node.address("vip-66a0", "192.0.2.237/32").unwrap();
    assert_eq!(wire.macs("192.0.2.237"), ["02:00:00:00:00:21"], "the card answers in its place");
    let holder = policy(
        "[host]\ninterfaces = [\"enp*\"]\negress = \"unmanaged\"\nannounce = false\n[[service]]\naddresses = [\"192.0.2.237\"]\nanswer = \"holder\"\n",
    );
    let error = apply(&node, &holder).unwrap_err();
    assert_eq!(error.object(), "192.0.2.237");
    assert!(error.to_string().contains("rp_filter"), "{error}");
    assert_eq!(wire.macs("192.0.2.237"), ["02:00:00:00:00:21"]);
    node.sysctl("net/ipv4/conf/all/rp_filter", 0).unwrap();
    node.sysctl("net/ipv4/conf/vip-66a0/rp_filter", 0).unwrap();
    apply(&node, &holder).unwrap();
    assert_eq!(wire.macs("192.0.2.237"), ["02:00:00:00:0f:0f"]);
    expect(&holder, &node, "192.0.2.237", "vip-66a0");
    // On lo it would be answered by nobody, which is another policy.
    node.delete_address("vip-66a0", "192.0.2.237/32").unwrap();
    node.address("lo", "192.0.2.237/32").unwrap();
    let report = verify::check(&holder, &snapshot(&node)).unwrap();
    assert!(report.failures.iter().any(|one| one.found.contains("answer = \"never\"")), "{report}");
}

#[test]
fn what_is_absent_is_reported_and_the_rest_is_kept() {
    let wire = Wire::new();
    let cards =
        [("eth0", "02:00:00:00:00:10", "192.0.2.10/24"), ("eth1", "02:00:00:00:00:11", "192.0.2.11/24")];
    let host = wire.host("host", &cards);
    let three = policy(
        "[host]\ninterfaces = [\"eth0\", \"mac:02:00:00:00:00:11\", \"eth2\"]\negress = \"unmanaged\"\nannounce = false\n",
    );
    apply(&host, &three).unwrap();
    for (_, mac, address) in cards {
        assert_eq!(wire.macs(address.trim_end_matches("/24")), [mac]);
    }
    let report = verify::check(&three, &snapshot(&host)).unwrap();
    let objects: Vec<&str> = report.failures.iter().map(|one| one.object.as_str()).collect();
    assert_eq!(objects, ["eth2"], "{report}");
    // It comes: it is taken in, and verification is content.
    host.plug(&wire.lan, "eth2", "02:00:00:00:00:12".parse().unwrap()).unwrap();
    host.address("eth2", "192.0.2.12/24").unwrap();
    apply(&host, &three).unwrap();
    assert!(verify::check(&three, &snapshot(&host)).unwrap().ok());
    assert_eq!(wire.macs("192.0.2.12"), ["02:00:00:00:00:12"]);

    // A rule of somebody else takes one source elsewhere: the others are kept all the same.
    host.route(&NewRoute::to("0.0.0.0/0").unwrap().via(ip(PEER).into())).unwrap();
    let run = || {
        std::process::Command::new("ip")
            .args(["rule", "add", "pref", "100", "from", "192.0.2.11", "lookup", "main"])
            .status()
    };
    assert!(host.run(run).unwrap().unwrap().success());
    let routed = policy("[host]\ninterfaces = [\"eth*\"]\n");
    let planned = routed.plan(&snapshot(&host)).unwrap();
    let sources: Vec<String> = planned
        .changes
        .iter()
        .filter_map(|change| match &change.object {
            Object::Rule(rule) => Some(rule.source?.addr().to_string()),
            _ => None,
        })
        .collect();
    assert!(sources.contains(&"192.0.2.10".to_owned()) && sources.contains(&"192.0.2.12".to_owned()));
    assert!(!sources.contains(&"192.0.2.11".to_owned()), "{planned}");
    assert!(planned.decisions.iter().any(|why| why.contains("rule of priority 100")), "{planned}");
}

/// What docs/policy.md shows is read.
#[test]
fn the_examples_of_the_reference_are_policies() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.md")).unwrap();
    let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let read = blocks.map(|block| Policy::from_toml(block, "docs/policy.md").unwrap());
    assert_eq!(read.filter(|policy| !policy.services.is_empty()).count(), 2);
}
