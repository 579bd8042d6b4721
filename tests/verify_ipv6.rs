//! A policy's IPv6 addresses: verified by what the kernel holds, by the model, and by solicitations; what a plan takes
//! away from them; the watch over them.
#![allow(missing_docs, reason = "a test")]

use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use arpflux_core::diagnose::{self, FindingId, Severity};
use arpflux_core::harm::{Harm, harm};
use arpflux_core::judgement::Judgement;
use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::plan::Impact;
use arpflux_core::recommend::recommend;
use arpflux_core::snapshot::{AddressFlags, Snapshot};
use arpflux_core::types::Mac;
use arpflux_core::verify::{self, CheckKind, Report};
use arpflux_core::watch::{self, Outcome, Watcher};
use arpflux_core::wire::{Filter, Port, probe};
use arpflux_core::{ErrorKind, Host, Policy, apply};
use arpflux_lab::{Lab, Recorder, Switch};

const POLICY: &str = r#"
version = 1
[host]
interfaces = ["eth0", "eth3"]
announce = false
[[proxy]]
owner = "101"
addresses = ["2001:db8:18::101", "2001:db8:18::102"]
interface = "eth3"
"#;

fn core(of: &arpflux_lab::Host) -> Host {
    Host::at(format!("/proc/self/fd/{}", of.netns().as_fd().as_raw_fd()).as_ref()).unwrap()
}

fn ip(host: &arpflux_lab::Host, command: &str) {
    let run = || Command::new("ip").args(command.split(' ')).output();
    let output = host.run(run).unwrap().unwrap();
    assert!(output.status.success(), "ip {command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A node with two NICs on one wire, containers behind it, and a client.
struct Node {
    hn: arpflux_lab::Host,
    client: arpflux_lab::Host,
    _switches: [Switch; 2],
    _lab: Lab,
}

impl Node {
    fn new() -> Self {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let (hn, client) = (lab.host("hn").unwrap(), lab.host("client").unwrap());
        for (host, nic, mac, v4, v6) in [
            (&hn, "eth0", "00:0c:29:b3:a2:54", "192.168.18.10/24", "2001:db8:18::10/64"),
            (&hn, "eth3", "00:0c:29:b3:a2:68", "192.168.18.11/24", "2001:db8:18::11/64"),
            (&client, "eth0", "00:0c:29:d2:c7:aa", "192.168.18.129/24", "2001:db8:18::129/64"),
        ] {
            host.ipv6().unwrap();
            host.sysctl("net.ipv6.conf.default.accept_dad", 0).unwrap();
            host.plug(&lan, nic, mac.parse().unwrap()).unwrap();
            for family in ["ipv4", "ipv6"] {
                host.sysctl(&format!("net.{family}.neigh.{nic}.proxy_delay"), 0).unwrap();
            }
            host.address(nic, v4).unwrap();
            ip(host, &format!("addr add {v6} dev {nic} nodad"));
        }
        let behind = lab.switch("behind").unwrap();
        hn.plug(&behind, "venet0", Mac::NONE).unwrap();
        for family in ["ipv4", "ipv6"] {
            hn.sysctl(&format!("net.{family}.neigh.venet0.proxy_delay"), 0).unwrap();
        }
        hn.sysctl("net.ipv6.conf.all.forwarding", 1).unwrap();
        for address in ["2001:db8:18::101", "2001:db8:18::102"] {
            ip(&hn, &format!("-6 route add {address}/128 dev venet0"));
        }
        // Which wire it is on is known by a route of IPv4.
        ip(&hn, "route add 192.168.18.101/32 dev venet0");
        let node = Self { hn, client, _switches: [lan, behind], _lab: lab };
        let end = Instant::now() + Duration::from_secs(20);
        let under_way = |host: &arpflux_lab::Host| {
            let held = core(host).snapshot().unwrap().addresses;
            held.iter().any(|held| held.flags.contains(AddressFlags::TENTATIVE))
        };
        while under_way(&node.hn) || under_way(&node.client) {
            assert!(Instant::now() < end, "detection does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
        node
    }

    fn snapshot(&self) -> Snapshot {
        core(&self.hn).snapshot().unwrap()
    }

    fn keep(&self, policy: &Policy) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let state = std::env::temp_dir().join(format!("arpflux-ipv6-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&state).unwrap();
        let host = core(&self.hn);
        let plan = policy.plan(&host.snapshot().unwrap()).unwrap();
        let _kept = host.apply(&plan, apply::Options::default().state_dir(&state)).unwrap();
        std::fs::remove_dir_all(&state).unwrap();
    }
}

fn policy(text: &str) -> Policy {
    Policy::from_toml(text, "policy.toml").unwrap()
}

/// Who answers for the first address.
fn answering(report: &Report) -> Vec<String> {
    let target = "2001:db8:18::101".parse().unwrap();
    let address = report.addresses.iter().find(|one| one.address == std::net::IpAddr::V6(target));
    address.unwrap_or_else(|| panic!("not in it: {report}")).answering.clone()
}

#[test]
fn ipv6_addresses_of_a_policy_are_proved_and_asked_for() {
    let node = Node::new();
    let wanted = policy(POLICY);
    let before = verify::check(&wanted, &node.snapshot()).unwrap();
    assert_eq!(before.judgement(), Judgement::Bad, "{before}");
    node.keep(&wanted);
    let snapshot = node.snapshot();
    let (hn, client) = (core(&node.hn), core(&node.client));

    let report = verify::check(&wanted, &snapshot).unwrap();
    assert_eq!(report.judgement(), Judgement::Good, "{report}");
    let modelled = verify::model(&wanted, &snapshot).unwrap();
    // Six addresses are answered by their own, by nobody else; what is sent to two gets behind the host.
    assert_eq!((modelled.checks, answering(&modelled)), (2 * 6 + 2, vec!["eth3".to_owned()]), "{modelled}");
    assert!(report.to_string().contains("model for all senders"), "{report}");

    let recorder = Recorder::start(&[(&node.client, "eth0")], Filter::Ndp).unwrap();
    let own = verify::wire::own(&wanted, &snapshot, &hn).unwrap();
    let seen = recorder.stop().unwrap();
    assert_eq!((own.judgement(), own.checks), (Judgement::Good, 6), "{own}");
    assert_eq!(answering(&own), ["eth3"]);
    assert!(own.addresses.iter().all(|one| {
        one.by
            .wire
            .as_ref()
            .is_some_and(|(asked, macs)| *asked == 2 && macs.len() == 1 && macs[0] != Mac::NONE)
    }));
    assert_eq!(seen.len(), 0, "nothing of it reaches the wire");
    let after = node.snapshot();
    // What the client's kernel asks of link-local addresses is its own affair.
    let known = |snapshot: &Snapshot| -> Vec<_> {
        let of_link = |address: IpAddr| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        snapshot.neighbours.iter().filter(|entry| !of_link(entry.address)).cloned().collect()
    };
    assert_eq!((&after.interfaces, known(&after)), (&snapshot.interfaces, known(&snapshot)));
    let peer = verify::wire::peer(&wanted, &snapshot, &client, None).unwrap();
    assert_eq!(
        (peer.judgement(), peer.checks, answering(&peer)),
        (Judgement::Good, 6, vec!["eth3".to_owned()])
    );
}

/// What is bad by `diagnose` is never good by `verify`, and what the model says of answers is what the wire shows.
#[test]
fn what_diagnose_calls_bad_is_not_called_good() {
    type Case = (&'static str, &'static [&'static str], FindingId, &'static [&'static str], &'static str);
    let cases: &[Case] = &[
        (
            "the interface does not forward",
            &["sysctl net.ipv6.conf.eth3.forwarding=0"],
            FindingId::Ipv6ProxyForwardingOff,
            &[],
            "does not forward",
        ),
        (
            "the host does not forward, the interface does",
            &["sysctl net.ipv6.conf.all.forwarding=0", "sysctl net.ipv6.conf.eth3.forwarding=1"],
            FindingId::Ipv6ProxyForwardingOff,
            &["eth3"],
            "net.ipv6.conf.all.forwarding is 0",
        ),
        (
            "no proxy_ndp",
            &["sysctl net.ipv6.conf.eth3.proxy_ndp=0"],
            FindingId::Ipv6ProxyNdpOff,
            &[],
            "proxy_ndp is off",
        ),
        (
            "published on two interfaces of the wire",
            &["-6 neigh add proxy 2001:db8:18::101 dev eth0", "sysctl net.ipv6.conf.eth0.proxy_ndp=1"],
            FindingId::Ipv6ProxySeveral,
            &["eth0", "eth3"],
            "only eth3 answers",
        ),
        (
            "the container is gone",
            &["-6 route del 2001:db8:18::101/128"],
            FindingId::Ipv6ProxySameInterface,
            &["eth3"],
            "back to the wire that it came from",
        ),
        (
            "what is sent to it is rejected",
            &["-6 route replace unreachable 2001:db8:18::101/128"],
            FindingId::Ipv6ProxyNoRoute,
            &["eth3"],
            "no route",
        ),
        (
            "multicast does not get in",
            &[
                "-6 rule add pref 20 lookup local",
                "-6 rule add pref 10 to ff02::1:ff00:101 prohibit",
                "-6 rule del pref 0 lookup local",
            ],
            FindingId::Ipv6ProxySilent,
            &[],
            "does not answer",
        ),
    ];
    let wanted = policy(POLICY);
    for (name, commands, finding, expected, found) in cases {
        let node = Node::new();
        node.keep(&wanted);
        for command in *commands {
            match command.strip_prefix("sysctl ").and_then(|set| set.split_once('=')) {
                Some((key, value)) => node.hn.sysctl(key, value).unwrap(),
                None => ip(&node.hn, command),
            }
        }
        let snapshot = node.snapshot();
        let diagnosis = diagnose::diagnose(&snapshot, &diagnose::Options::default()).unwrap();
        let bad = diagnosis.at_least(Severity::Warning).find(|one| one.id == *finding);
        assert!(bad.is_some(), "{name}: {diagnosis}");
        let model = verify::model(&wanted, &snapshot).unwrap();
        assert_eq!(model.judgement(), Judgement::Bad, "{name}: {model}");
        assert!(model.to_string().contains(found), "{name}: {model}");
        let mut who = answering(&model);
        who.sort();
        assert_eq!(who, *expected, "{name}: {model}");
        let own = verify::wire::own(&wanted, &snapshot, &core(&node.hn)).unwrap();
        let mut seen = answering(&own);
        seen.sort();
        assert_eq!(seen, *expected, "{name}: {own}");
        assert!(own.failures.iter().all(|failure| failure.check == CheckKind::Wire));
        assert_eq!(own.ok(), *expected == ["eth3"], "{name}: {own}");
    }
}

/// Rules of firewalls as administrators write them, with what they do to the addresses of the policy.
const RULES: [(&str, &str, Option<bool>); 5] = [
    (
        "all but what is known is dropped, neighbour discovery is known",
        "table inet filter {
            set friends { type ipv6_addr; flags interval; elements = { 2001:db8:18::/64, fe80::/10 } }
            chain input {
                type filter hook input priority filter; policy drop;
                ct state vmap { established : accept, related : accept, invalid : drop }
                iif lo accept
                ip protocol icmp accept
                icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } ip6 saddr @friends accept
                icmpv6 type nd-neighbor-solicit ip6 saddr :: accept
                tcp dport 22 limit rate 10/minute accept
            }
            chain forward { type filter hook forward priority filter; policy drop; counter; }
        }",
        Some(true),
    ),
    (
        "neighbour discovery was forgotten",
        "table inet filter { chain input {
            type filter hook input priority filter; policy drop;
            ct state established,related accept
            tcp dport 22 accept
        }
        }",
        Some(false),
    ),
    (
        "answers do not get out",
        "table ip6 mangle { chain leaving {
            type filter hook postrouting priority mangle;
            oifname \"eth3\" icmpv6 type nd-neighbor-advert @th,64,64 0x20010db800180000 drop
        }
        }",
        Some(false),
    ),
    (
        "one interface is closed before the bridge or the host sees anything",
        "table netdev edge { chain arriving {
            type filter hook ingress device eth3 priority 0;
            ip6 nexthdr icmpv6 icmpv6 type nd-neighbor-solicit drop
        }
        }",
        Some(false),
    ),
    (
        "how many pass in a minute decides",
        "table inet filter { chain input {
            type filter hook input priority filter; policy accept;
            icmpv6 type nd-neighbor-solicit limit rate over 100/minute drop
        }
        }",
        None,
    ),
];

#[test]
fn what_filters_do_with_solicitations_is_worked_out() {
    let wanted = policy(POLICY);
    for (name, rules, answered) in RULES {
        let node = Node::new();
        node.keep(&wanted);
        let nft = || Command::new("nft").arg(rules).output();
        let output = node.hn.run(nft).unwrap().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let snapshot = node.snapshot();
        let report = verify::check(&wanted, &snapshot).unwrap();
        assert_eq!(report.ok(), answered.unwrap_or(false), "{name}: {report}");
        let undecided = report.judgement().exit_code() == 6;
        assert_eq!(undecided, answered.is_none(), "{name}: {report}");
        let diagnosis = diagnose::diagnose(&snapshot, &diagnose::Options::default()).unwrap();
        let silent = diagnosis.findings.iter().find(|one| one.id == FindingId::Ipv6ProxySilent);
        assert_eq!(silent.is_some(), answered == Some(false), "{name}: {diagnosis}");
        match answered {
            None => {
                assert_eq!(report.ok_apart_from_that, Some(true), "{name}: {report}");
                assert!(report.to_string().contains("nftables inet filter input"), "{name}: {report}");
                assert!(diagnosis.to_string().contains("nftables inet filter input"), "{name}: {diagnosis}");
            }
            Some(answered) => assert_eq!(node.is_answered("2001:db8:18::101"), answered, "{name}"),
        }
        if let Some(silent) = silent {
            assert!(silent.remedy.contains("in front of those of nftables"), "{name}: {diagnosis}");
        }
    }
}

impl Node {
    /// Whether the client is answered for an address, by real frames.
    fn is_answered(&self, target: &str) -> bool {
        let targets = [target.parse().unwrap()];
        let ask = move || {
            let port = Port::named(&"eth0".parse().unwrap())?;
            let options = probe::Options::default().wait(Duration::from_millis(300));
            probe::run(&port, &targets, options, |_| ControlFlow::Continue(()))
        };
        !self.client.run(ask).unwrap().unwrap()[0].replies.is_empty()
    }
}

fn text(harm: &[Harm]) -> Vec<String> {
    harm.iter().map(ToString::to_string).collect()
}

#[test]
fn an_ipv6_address_that_loses_its_last_answer_is_harm() {
    const OTHER: &str = "2001:db8:18::103";
    let node = Node::new();
    ip(&node.hn, &format!("-6 route add {OTHER}/128 dev venet0"));
    ip(&node.hn, &format!("-6 neigh add proxy {OTHER} dev eth0"));
    node.hn.sysctl("net.ipv6.conf.eth0.proxy_ndp", 1).unwrap();
    node.keep(&policy(POLICY));
    let before = node.snapshot();
    assert!(node.is_answered(OTHER));

    // To another interface of the same wire: who asks is answered as before.
    let moved = policy(&POLICY.replace("\"2001:db8:18::102\"", "\"2001:db8:18::102\", \"2001:db8:18::103\""));
    let plan = moved.plan(&before).unwrap();
    assert_eq!(text(&plan.assess(&before).unwrap().harm), [""; 0]);
    let impact = plan.impact(&before, &moved).unwrap().to_string();
    for told in [
        format!("eth0 no longer answers for {OTHER}\n"),
        format!("eth3 answers for {OTHER} with 00:0c:29:b3:a2:68\n"),
    ] {
        assert!(impact.contains(&told), "{impact}");
    }

    // Away: nobody is left to answer, and the wire shows it.
    let strict = policy(&POLICY.replace("[host]", "[host]\nforeign_proxies = \"remove\""));
    let plan = strict.plan(&before).unwrap();
    let assessment = plan.assess(&before).unwrap();
    let lost = text(&assessment.harm);
    assert!(
        lost.iter().any(|one| one.contains(&format!("would get no answer for {OTHER} any more"))),
        "{lost:?}"
    );
    assert_eq!(assessment.judgement(), Judgement::Bad);
    assert_eq!(assessment.refuse().unwrap_err().kind(), ErrorKind::Refused);
    let impact = plan.impact(&before, &strict).unwrap();
    assert!(
        impact.victims().any(|effect| effect.to_string() == format!("eth0 no longer answers for {OTHER}")),
        "{impact}"
    );
    node.hn
        .run(|| LinuxKernel::open().unwrap().make(&plan.changes).map_err(|failed| failed.error))
        .unwrap()
        .unwrap();
    assert!(!node.is_answered(OTHER));
    assert_eq!(impact_of(&before, &node.snapshot()), impact_of(&before, &before.with(&plan.changes)));

    // Own addresses as well, and what containers send.
    let before = node.snapshot();
    for command in [
        "-6 rule add pref 20 lookup local",
        "-6 rule add pref 10 to ff02::1:ff00:10 prohibit",
        "-6 rule del pref 0 lookup local",
    ] {
        ip(&node.hn, command);
    }
    let lost = text(&harm(&before, &node.snapshot()));
    assert!(lost.iter().any(|one| one.contains("no answer for 2001:db8:18::10 any more")), "{lost:?}");
    assert!(!lost.iter().any(|one| one.contains("no answer for 2001:db8:18::11 any more")), "{lost:?}");
    assert!(!node.is_answered("2001:db8:18::10") && node.is_answered("2001:db8:18::11"));
    ip(&node.hn, "-6 route add default via fe80::1 dev eth0");
    let before = node.snapshot();
    node.hn.sysctl("net.ipv6.conf.all.forwarding", 0).unwrap();
    let lost = text(&harm(&before, &node.snapshot()));
    assert!(
        lost.iter().any(|one| one.starts_with("packets from 2001:db8:18::10") && one.contains("on venet0")),
        "{lost:?}"
    );
}

/// What changes for those who ask, but for the order.
fn impact_of(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let impact = Impact::between(before, after, &HashSet::new()).unwrap();
    let mut effects: Vec<String> = impact.effects.iter().map(ToString::to_string).collect();
    effects.sort();
    effects
}

#[test]
fn the_watch_heals_what_the_policy_says_of_ipv6_and_tells_the_rest() {
    let node = Node::new();
    let state = std::env::temp_dir().join(format!("arpflux-ipv6-watch-{}", std::process::id()));
    std::fs::create_dir_all(&state).unwrap();
    let apply = apply::Options::default().state_dir(&state);
    // So rare a look that what comes before comes of what the kernel tells.
    let options = watch::Options::default().heal(true).look(Duration::from_secs(30)).apply(apply);
    let mut watcher = Watcher::new(&core(&node.hn), policy(POLICY), options).unwrap();
    let mut next = |what: &str, is: &dyn Fn(&Outcome) -> bool| {
        let end = Instant::now() + Duration::from_secs(15);
        loop {
            for drift in watcher.wait(Some(Duration::from_millis(200))).unwrap() {
                if is(&drift.outcome) {
                    return drift;
                }
                assert!(!matches!(drift.outcome, Outcome::Failed { .. }), "{what}: {drift}");
            }
            assert!(Instant::now() < end, "{what}: nothing comes");
        }
    };
    let healed = |outcome: &Outcome| *outcome == Outcome::Healed;
    let wrong = |outcome: &Outcome| matches!(outcome, Outcome::Misanswered { .. });
    next("the start", &healed);
    for (what, command) in [
        ("an entry goes", "-6 neigh del proxy 2001:db8:18::101 dev eth3"),
        ("one comes on another card", "-6 neigh add proxy 2001:db8:18::101 dev eth0"),
        ("proxy_ndp is switched off", "sysctl net.ipv6.conf.eth3.proxy_ndp=0"),
    ] {
        match command.strip_prefix("sysctl ").and_then(|set| set.split_once('=')) {
            Some((key, value)) => node.hn.sysctl(key, value).unwrap(),
            None => ip(&node.hn, command),
        }
        next(what, &healed);
        let report = verify::check(&policy(POLICY), &node.snapshot()).unwrap();
        assert!(report.ok(), "{what}: {report}");
    }
    // What the policy leaves alone is told by the judgement of `verify`, and told again when it is over.
    for (what, command, told, back) in [
        (
            "the container goes",
            "-6 route del 2001:db8:18::101/128",
            "back to the wire that it came from",
            "-6 route add 2001:db8:18::101/128 dev venet0",
        ),
        (
            "groups do not get in",
            "-6 route del multicast ff00::/8 dev eth3 table local",
            "does not answer",
            "-6 route add multicast ff00::/8 dev eth3 table local",
        ),
    ] {
        ip(&node.hn, command);
        let drift = next(what, &wrong);
        assert!(drift.to_string().contains(told), "{what}: {drift}");
        ip(&node.hn, back);
        next(what, &|outcome| *outcome == Outcome::Recovered);
    }
    node.hn.sysctl("net.ipv6.conf.all.forwarding", 0).unwrap();
    let drift = next("the host is no router any more", &wrong);
    assert!(drift.to_string().contains("does not forward"), "{drift}");
    std::fs::remove_dir_all(&state).unwrap();
}

#[test]
fn an_ipv6_address_that_several_interfaces_answer_for_is_recommended_to_one() {
    let node = Node::new();
    for nic in ["eth0", "eth3"] {
        ip(&node.hn, &format!("-6 neigh add proxy 2001:db8:18::101 dev {nic}"));
        node.hn.sysctl(&format!("net.ipv6.conf.{nic}.proxy_ndp"), 1).unwrap();
    }
    // Of one interface alone, it is left as it is.
    ip(&node.hn, "-6 neigh add proxy 2001:db8:18::102 dev eth0");
    let before = node.snapshot();
    let found = recommend(&before).unwrap();
    let of_ipv6: Vec<_> = found
        .policy
        .proxies
        .iter()
        .filter(|one| one.addresses.iter().any(std::net::IpAddr::is_ipv6))
        .collect();
    let [proxy] = of_ipv6.as_slice() else { panic!("{found:#?}") };
    assert_eq!(proxy.addresses, ["2001:db8:18::101".parse::<std::net::IpAddr>().unwrap()]);
    let others = [("eth0", "eth3"), ("eth3", "eth0")];
    let (keeps, other) = others.iter().find(|(nic, _)| proxy.interface.to_string() == *nic).unwrap();
    assert_eq!(found.judgement(), Judgement::Good, "{found:#?}");
    node.hn
        .run(|| LinuxKernel::open().unwrap().make(&found.plan.changes).map_err(|failed| failed.error))
        .unwrap()
        .unwrap();
    let after = node.snapshot();
    let on = |nic: &str| after.interface_named(&nic.parse().unwrap()).unwrap().index;
    let entries = |nic: &str| after.proxies.iter().filter(|entry| entry.interface == Some(on(nic))).count();
    assert_eq!(entries(keeps) + entries(other), 2, "one for each address: {:?}", after.proxies);
    let report = verify::wire::own(&found.policy, &after, &core(&node.hn)).unwrap();
    assert_eq!(
        (report.judgement(), answering(&report)),
        (Judgement::Good, vec![(*keeps).to_owned()]),
        "{report}"
    );
    assert!(node.is_answered("2001:db8:18::101") && node.is_answered("2001:db8:18::102"));
    let left = diagnose::diagnose(&after, &diagnose::Options::default()).unwrap();
    assert!(!left.findings.iter().any(|one| one.id == FindingId::Ipv6ProxySeveral), "{left}");
}
