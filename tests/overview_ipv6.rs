//! IPv6 addresses in the list of `explain` and in the matrix: what is said of who answers is what the running kernel
//! answers to solicitations, and `diagnose` says the same.
#![allow(missing_docs, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::Command;
use std::time::{Duration, Instant};

use arpflux_core::diagnose::{self, FindingId, Severity};
use arpflux_core::predict::{Line, Matrix, Model, Outcome, Overview, ipv6_targets, listeners, targets};
use arpflux_core::snapshot::{AddressFlags, Snapshot};
use arpflux_core::types::Mac;
use arpflux_core::wire::{Port, probe};
use arpflux_core::{Host, Policy, Result, verify};
use arpflux_lab::{Lab, Switch};

/// A host: what is done to it, and for each IPv6 address who answers and what that comes to.
struct Case {
    name: &'static str,
    /// Words of `ip`, or `sysctl NAME=VALUE`, or `nft TEXT`.
    commands: &'static [&'static str],
    expected: &'static [(&'static str, &'static [&'static str], Outcome)],
    /// What `verify` says of the host's own IPv6 addresses.
    verified: Option<bool>,
}

const SAME_ON_BOTH: &[&str] =
    &["addr add 2001:db8:18::5/64 dev eth0 nodad", "addr add 2001:db8:18::5/64 dev eth1 nodad"];

const CASES: &[Case] = &[
    Case {
        name: "each card has its own address",
        commands: &[
            "addr add 2001:db8:18::10/64 dev eth0 nodad",
            "addr add 2001:db8:18::11/64 dev eth1 nodad",
        ],
        expected: &[
            ("2001:db8:18::10", &["eth0"], Outcome::Good),
            ("2001:db8:18::11", &["eth1"], Outcome::Good),
        ],
        verified: Some(true),
    },
    Case {
        name: "one address on both cards of the wire",
        commands: SAME_ON_BOTH,
        expected: &[("2001:db8:18::5", &["eth0", "eth1"], Outcome::Flux)],
        verified: Some(false),
    },
    Case {
        name: "an address of the host with an entry on the other card",
        commands: &[
            "addr add 2001:db8:18::10/64 dev eth0 nodad",
            "addr add 2001:db8:18::11/64 dev eth1 nodad",
            "sysctl net.ipv6.conf.all.forwarding=1",
            "sysctl net.ipv6.conf.eth1.proxy_ndp=1",
            "-6 neigh add proxy 2001:db8:18::10 dev eth1",
        ],
        expected: &[
            ("2001:db8:18::10", &["eth0", "eth1"], Outcome::Flux),
            ("2001:db8:18::11", &["eth1"], Outcome::Good),
        ],
        verified: Some(false),
    },
    Case {
        name: "a container with entries on both cards",
        commands: &[
            "addr add 2001:db8:18::10/64 dev eth0 nodad",
            "sysctl net.ipv6.conf.all.forwarding=1",
            "sysctl net.ipv6.conf.all.proxy_ndp=1",
            "-6 route add 2001:db8:18::101/128 dev lo",
            "-6 neigh add proxy 2001:db8:18::101 dev eth0",
            "-6 neigh add proxy 2001:db8:18::101 dev eth1",
        ],
        expected: &[
            ("2001:db8:18::10", &["eth0"], Outcome::Good),
            ("2001:db8:18::101", &["eth0", "eth1"], Outcome::Flux),
        ],
        verified: Some(true),
    },
    Case {
        name: "the address zero of a prefix, for which every router on it answers",
        commands: &[
            "sysctl net.ipv6.conf.all.forwarding=1",
            "addr add 2001:db8:18::/64 dev eth0 nodad",
            "addr add 2001:db8:18::11/64 dev eth1 nodad",
        ],
        expected: &[
            ("2001:db8:18::", &["eth0", "eth1"], Outcome::Flux),
            ("2001:db8:18::11", &["eth1"], Outcome::Good),
        ],
        verified: Some(false),
    },
    Case {
        name: "detection failed on the second card",
        commands: &["addr add 2001:db8:18::5/64 dev eth0 nodad", "addr add 2001:db8:18::5/64 dev eth1"],
        expected: &[("2001:db8:18::5", &["eth0"], Outcome::Good)],
        verified: Some(false),
    },
    Case {
        name: "an address of lo",
        commands: &["addr add 2001:db8:18::10/64 dev eth0 nodad", "addr add 2001:db8:18::200/128 dev lo"],
        expected: &[
            ("2001:db8:18::10", &["eth0"], Outcome::Good),
            ("2001:db8:18::200", &[], Outcome::Silent),
        ],
        verified: Some(true),
    },
    Case {
        name: "a bridge and a card on one wire",
        commands: &[
            "link add br0 type bridge mcast_snooping 0",
            "link set eth0 master br0",
            "addr flush dev eth0",
            "link set br0 up",
            "sysctl net.ipv4.conf.br0.arp_ignore=1",
            "sysctl net.ipv4.conf.br0.arp_announce=2",
            "addr add 192.168.18.10/24 dev br0",
            "addr add 2001:db8:18::5/64 dev br0 nodad",
            "addr add 2001:db8:18::5/64 dev eth1 nodad",
        ],
        expected: &[("2001:db8:18::5", &["br0", "eth1"], Outcome::Flux)],
        verified: Some(false),
    },
    Case {
        name: "a firewall that lets no solicitation in",
        commands: &[
            "addr add 2001:db8:18::10/64 dev eth0 nodad",
            "nft table inet filter { chain input { type filter hook input priority 0; policy drop; }\n}",
        ],
        expected: &[("2001:db8:18::10", &[], Outcome::Silent)],
        verified: Some(false),
    },
    Case {
        name: "a firewall of which nobody knows how much it lets in",
        commands: &[
            "addr add 2001:db8:18::10/64 dev eth0 nodad",
            "nft table inet filter { chain input { type filter hook input priority 0; \
             icmpv6 type nd-neighbor-solicit limit rate over 1000/second drop; }\n}",
        ],
        expected: &[("2001:db8:18::10", &[], Outcome::Unknown)],
        verified: None,
    },
    Case {
        name: "one address on two cards, and nobody knows on which wire the second is",
        commands: &["addr flush dev eth1", SAME_ON_BOTH[0], SAME_ON_BOTH[1]],
        expected: &[("2001:db8:18::5", &["eth0", "eth1"], Outcome::Unknown)],
        verified: None,
    },
];

struct Built {
    node: arpflux_lab::Host,
    client: arpflux_lab::Host,
    _lan: Switch,
    _lab: Lab,
}

fn core(of: &arpflux_lab::Host) -> Host {
    Host::at(format!("/proc/self/fd/{}", of.netns().as_fd().as_raw_fd()).as_ref()).unwrap()
}

fn snapshot(of: &arpflux_lab::Host) -> Snapshot {
    core(of).snapshot().unwrap()
}

fn build(case: &Case) -> Built {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let (node, client) = (lab.host("node").unwrap(), lab.host("client").unwrap());
    for (host, nic, last, v4) in [
        (&node, "eth0", 1, "192.168.18.10/24"),
        (&node, "eth1", 2, "192.168.18.11/24"),
        (&client, "eth0", 9, "192.168.18.129/24"),
    ] {
        host.ipv6().unwrap();
        host.plug(&lan, nic, Mac::ethernet([2, 0, 0, 0, 0, last])).unwrap();
        host.sysctl(&format!("net.ipv6.neigh.{nic}.proxy_delay"), 0).unwrap();
        for (sysctl, value) in [("arp_ignore", 1), ("arp_announce", 2)] {
            host.sysctl(&format!("net.ipv4.conf.{nic}.{sysctl}"), value).unwrap();
        }
        host.address(nic, v4).unwrap();
    }
    let built = Built { node, client, _lan: lan, _lab: lab };
    for command in case.commands {
        if let Some((key, value)) = command.strip_prefix("sysctl ").and_then(|set| set.split_once('=')) {
            built.node.sysctl(key, value).unwrap();
            continue;
        }
        let (program, arguments): (_, Vec<&str>) = match command.strip_prefix("nft ") {
            Some(rules) => ("nft", vec![rules]),
            None => ("ip", command.split(' ').collect()),
        };
        let output = built.node.run(|| Command::new(program).args(arguments).output()).unwrap().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let end = Instant::now() + Duration::from_secs(60);
    let under_way = |host| {
        let flags = snapshot(host).addresses.into_iter().map(|held| held.flags);
        let mut tentative = flags.filter(|flags| flags.contains(AddressFlags::TENTATIVE));
        tentative.any(|flags| !flags.contains(AddressFlags::DADFAILED))
    };
    while under_way(&built.node) || under_way(&built.client) {
        assert!(Instant::now() < end, "{}: detection does not end", case.name);
        std::thread::sleep(Duration::from_millis(50));
    }
    built
}

impl Built {
    /// The interfaces that answer the client, by address.
    fn answers(&self, of: &Snapshot) -> BTreeMap<IpAddr, BTreeSet<String>> {
        let targets: Vec<IpAddr> = ipv6_targets(of).into_iter().map(IpAddr::V6).collect();
        let ask = || -> Result<_> {
            let port = Port::named(&"eth0".parse()?)?;
            probe::run(&port, &targets, probe::Options::default(), |_| ControlFlow::Continue(()))
        };
        let name = |mac: Mac| {
            let has = of.interfaces.iter().filter(|one| one.mac == mac);
            has.max_by_key(|one| one.master.is_none()).unwrap().name.to_string()
        };
        let asked = self.client.run(ask).unwrap().unwrap();
        let named = asked.into_iter().map(|one| {
            (one.target, one.replies.iter().map(|reply| name(reply.mac)).collect::<BTreeSet<String>>())
        });
        named.collect()
    }
}

fn names(line: &Line) -> BTreeSet<String> {
    line.answering.iter().map(ToString::to_string).collect()
}

#[test]
fn ipv6_addresses_are_listed_as_they_are_answered_for() {
    for case in CASES {
        let built = build(case);
        let host = snapshot(&built.node);
        let (name, model, answers) = (case.name, Model::new(&host).unwrap(), built.answers(&host));
        let overview = Overview::of(&model, &targets(&host), &listeners(&host), None, |_| {});
        let of_ipv6: Vec<&Line> = overview.lines.iter().filter(|line| line.target.is_ipv6()).collect();
        let found: BTreeMap<IpAddr, (BTreeSet<String>, Outcome)> =
            of_ipv6.iter().map(|line| (line.target, (names(line), line.outcome))).collect();
        let expected = case.expected.iter().map(|(address, who, outcome)| {
            let who = who.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
            (address.parse().unwrap(), (who, *outcome))
        });
        assert_eq!(found, expected.collect(), "{name}");
        // What is certain is what is heard.
        for line in &of_ipv6 {
            let heard = &answers[&line.target];
            if line.outcome != Outcome::Unknown {
                assert_eq!((heard, line.macs), (&names(line), heard.len()), "{name}: {}", line.target);
                assert_eq!(heard.len() > 1, line.outcome == Outcome::Flux, "{name}: {}", line.target);
            }
        }
        // The matrix says it by the same types.
        let matrix = Matrix::of(&model);
        assert_eq!(
            (matrix.judgement(), matrix.summary()),
            (overview.judgement(), overview.to_string()),
            "{name}"
        );
        assert!(matrix.rows.iter().any(|row| row.target.is_ipv4()), "{name}: both families");

        // `diagnose` finds the same addresses, and leaves the same open.
        let diagnosis = diagnose::diagnose(&host, &diagnose::Options::default()).unwrap();
        let several = diagnosis.findings.iter().filter(|one| {
            one.is_certain() && [FindingId::Ipv6SeveralAnswer, FindingId::Ipv6ProxySeveral].contains(&one.id)
        });
        let several: BTreeSet<IpAddr> =
            several.flat_map(|one| one.objects.addresses.iter().copied()).collect();
        let of = |outcome| {
            overview.lines.iter().filter(move |line| line.outcome == outcome).map(|line| line.target)
        };
        assert_eq!(several, of(Outcome::Flux).collect(), "{name}: {diagnosis}");
        let open: Vec<IpAddr> = of(Outcome::Unknown).collect();
        assert_eq!(diagnosis.missing.is_empty(), open.is_empty(), "{name}: {diagnosis}");
        let (ours, theirs) = (overview.judgement(), diagnosis.judgement(Some(Severity::Error)));
        if !ours.ok().is_none_or(|good| good) {
            assert_eq!(theirs.ok(), Some(false), "{name}: {diagnosis}");
        }
        verified(case, &built, &host, &answers);

        // A plan that comes with the finding leaves one MAC.
        for finding in
            diagnosis.findings.iter().filter(|one| !one.objects.addresses.iter().all(IpAddr::is_ipv4))
        {
            let Some(plan) = &finding.plan else { continue };
            let after = host.with(&plan.changes);
            let left = Matrix::of(&Model::new(&after).unwrap());
            for row in left.rows.iter().filter(|row| finding.objects.addresses.contains(&row.target)) {
                assert_eq!((row.flux, row.answering().count()), (Some(false), 1), "{name}: {}", row.target);
            }
        }
    }
}

/// `verify` is good where every own address has one MAC, its interface's, and asks the host itself with the same end.
fn verified(case: &Case, built: &Built, host: &Snapshot, answers: &BTreeMap<IpAddr, BTreeSet<String>>) {
    let policy = Policy::from_toml("version = 1\n[host]\nannounce = false\n", "policy.toml").unwrap();
    let of_ipv6 = |address: &str| address.parse().is_ok_and(|address: IpAddr| address.is_ipv6());
    let report = verify::model(&policy, host).unwrap();
    let bad: Vec<String> =
        report.failures.iter().filter(|one| of_ipv6(&one.object)).map(ToString::to_string).collect();
    assert_eq!(!bad.is_empty(), case.verified == Some(false), "{}: {report}", case.name);
    assert_eq!(report.judgement().ok().is_none(), case.verified.is_none(), "{}: {report}", case.name);
    if case.verified.is_none() {
        return;
    }
    let own = verify::wire::own(&policy, host, &core(&built.node)).unwrap();
    for address in own.addresses.iter().filter(|one| one.address.is_ipv6()) {
        let seen: BTreeSet<String> = address.answering.iter().cloned().collect();
        assert_eq!(seen, answers[&address.address], "{}: {own}", case.name);
    }
    let asked: BTreeSet<IpAddr> =
        report.addresses.iter().map(|one| one.address).filter(IpAddr::is_ipv6).collect();
    assert_eq!(
        own.addresses.iter().map(|one| one.address).filter(IpAddr::is_ipv6).collect::<BTreeSet<_>>(),
        asked
    );
    let held = case.expected.iter().any(|(address, ..)| asked.contains(&address.parse().unwrap()));
    assert!(held, "{}: {report}", case.name);
}
