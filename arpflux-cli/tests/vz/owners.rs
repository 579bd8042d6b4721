//! The node's own policy, and other programs' plans, while containers run: none of them goes dark.

use std::time::Duration;

use arpflux_core::apply::Options;
use arpflux_core::{ErrorKind, Host, Policy};
use arpflux_lab::Host as Machine;

use crate::bench::{A101, A102, Bench, CLIENT, Libvzctl, NICS, Said, Version, Vzctl};

const POLICY: &str = "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\n";

struct Running {
    bench: Bench,
    containers: [Machine; 2],
}

impl Running {
    /// The node with its policy applied and two containers started.
    fn new(version: Version, rp_filter: u8) -> Self {
        let bench = Bench::new(version);
        bench.write("policy.toml", POLICY);
        for name in NICS.map(|nic| nic.name) {
            bench.hn.sysctl(&format!("net/ipv4/conf/{name}/rp_filter"), rp_filter).unwrap();
        }
        let containers = [bench.container(A101), bench.container(A102)];
        let running = Self { bench, containers };
        let said = running.good(&["apply", "--policy", "policy.toml"]);
        assert!(said.stdout.contains("transaction 2"), "the first was the setup: {said:?}");
        assert_eq!(running.bench.start_quick("101", "192.168.18.101").code, 0);
        assert_eq!(running.bench.start_quick("102", "192.168.18.102").code, 0);
        running
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(self.bench.path("arpflux"));
        command.args(arguments).current_dir(&self.bench.folder);
        command.env_clear().env("ARPFLUX_STATE_DIR", self.bench.path("state"));
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(std::process::Stdio::null());
        command
    }

    fn arpflux(&self, arguments: &[&str]) -> Said {
        self.bench.run(self.command(arguments))
    }

    fn good(&self, arguments: &[&str]) -> Said {
        let said = self.arpflux(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
        said
    }

    /// What a C or Python program does: a policy of its own, planned and applied by itself.
    fn program(&self, policy: &str) {
        let host: &Host = &self.bench.host;
        // Some policies of this test take an address's answer with strict rp_filter: here only containers count.
        let options = Options::default().state_dir(self.bench.path("state")).accept_harm(true);
        let policy = Policy::from_toml(&format!("version = 1\n{policy}"), "a program").unwrap();
        let plan = policy.plan(&host.snapshot().unwrap()).unwrap();
        host.apply(&plan, options).unwrap().leave();
    }

    /// Each running container has one answer and both directions, the others none; the status is true.
    fn check(&self, running: [bool; 2], after: &str) {
        for (at, (address, interface)) in [(A101, "eth3"), (A102, "eth4")].into_iter().enumerate() {
            let expected = if running[at] { vec![Bench::mac(interface)] } else { Vec::new() };
            assert_eq!(self.bench.macs(address), expected, "{address} after {after}");
            if running[at] {
                let there = self.bench.client.ping(None, address, 1).unwrap();
                let back = self.containers[at].ping(None, CLIENT, 1).unwrap();
                assert_eq!((there.received, back.received), (1, 1), "{address} after {after}");
            }
        }
        let said = self.bench.vz(&["status"]);
        assert_eq!(said.code, 0, "after {after}: {said:?}");
    }
}

fn stays(version: Version, rp_filter: u8) {
    let node = Running::new(version, rp_filter);
    let both = [true, true];
    node.check(both, "the start");
    node.good(&["apply", "--policy", "policy.toml"]);
    node.check(both, "apply");
    node.good(&["verify", "--policy", "policy.toml"]);

    // A program that manages one interface, one with nothing but defaults, one that wants no routing at all, one
    // that publishes an address of its own.
    node.program("[host]\ninterfaces = [\"eth0\"]\n");
    node.check(both, "a program for eth0");
    node.program("[host]\n");
    node.check(both, "an empty policy");
    node.program("[[proxy]]\nowner = \"7\"\naddresses = [\"192.168.18.207\"]\ninterface = \"eth3\"\n");
    node.check(both, "a program with an address of its own");
    node.program("[host]\nstrategy = \"unmanaged\"\negress = \"unmanaged\"\n");
    let ruled = node.bench.ruled();
    assert_eq!(ruled, ["192.168.18.101", "192.168.18.102", "192.168.18.207"], "what others published");
    node.check(both, "a policy that wants no routing");
    node.good(&["proxy", "del", "192.168.18.207"]);
    assert_eq!(node.bench.ruled(), ["192.168.18.101", "192.168.18.102"]);
    node.good(&["apply", "--policy", "policy.toml"]);

    // The watch heals what drifts, and takes nothing of the containers.
    let mut watch = node.command(&["watch", "--policy", "policy.toml", "--heal", "--look", "200ms"]);
    watch.stdout(std::process::Stdio::null());
    let mut watch = node.bench.hn.run(|| watch.spawn().unwrap()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    node.bench.hn.sysctl("net/ipv4/conf/eth3/arp_ignore", 0).unwrap();
    let mut rule = std::process::Command::new("ip");
    rule.args(["rule", "del", "pref", "17501", "from", "192.168.18.11"]);
    assert_eq!(node.bench.run(rule).code, 0);
    std::thread::sleep(Duration::from_millis(1500));
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!(node.bench.hn.read_sysctl("net/ipv4/conf/eth3/arp_ignore").unwrap(), "1");
    assert!(node.bench.ruled().contains(&"192.168.18.11".to_owned()));
    node.check(both, "the watch");

    // The first apply is taken back; what the containers stand on stays, and is named.
    let said = node.good(&["rollback", "2"]);
    assert!(said.stdout.contains("192.168.18.101 (container 101)"), "{said:?}");
    node.check(both, "rollback 2");

    // Each goes with all that is its own and nothing of the other's.
    assert_eq!(node.bench.stop("101", "192.168.18.101").code, 0);
    node.check([false, true], "the stop of 101");
    assert!(!node.bench.ruled().contains(&"192.168.18.101".to_owned()));
    assert_eq!(node.bench.stop("102", "192.168.18.102").code, 0);
    node.check([false, false], "the stop of 102");
}

#[test]
fn nobody_takes_a_containers_network_rp_filter_0() {
    stays(Vzctl, 0);
}

#[test]
fn nobody_takes_a_containers_network_rp_filter_1() {
    stays(Libvzctl, 1);
}

#[test]
fn nobody_takes_a_containers_network_rp_filter_2() {
    stays(Vzctl, 2);
}

#[test]
fn a_plan_from_before_the_start_takes_nothing_of_the_container() {
    let node = Running::new(Vzctl, 0);
    let (host, policy): (&Host, _) = (&node.bench.host, Policy::from_toml(POLICY, "the node's").unwrap());
    // What a start finds that was cut off: the rule is there, the entry is not yet.
    let mut before = host.snapshot().unwrap();
    before.proxies.retain(|entry| entry.address != A101);
    let plan = policy.plan(&before).unwrap();
    assert!(plan.to_string().contains("from 192.168.18.101 lookup"), "{plan}");
    std::fs::write(node.bench.path("plan.json"), plan.to_json().unwrap()).unwrap();
    let options = || Options::default().state_dir(node.bench.path("state")).accept_harm(true);
    let refused = host.apply(&plan, options()).map(arpflux_core::apply::Applied::leave).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Changed);
    assert!(refused.to_string().contains("192.168.18.101 of container 101 is published now"), "{refused}");
    let said = node.arpflux(&["apply", "--plan", "plan.json", "--accept-harm"]);
    assert!(said.code == 7 && said.stderr.contains("make the plan again"), "{said:?}");
    node.check([true, true], "the plan from before");

    // A preview of its withdrawal is no such plan.
    let said = node.good(&["proxy", "del", "192.168.18.101", "--plan", "--json"]);
    std::fs::write(node.bench.path("plan.json"), said.stdout).unwrap();
    node.good(&["apply", "--plan", "plan.json"]);
    assert!(!node.bench.ruled().contains(&"192.168.18.101".to_owned()));
}

#[test]
fn status_and_verify_look_at_rule_table_and_forwarding() {
    let node = Running::new(Vzctl, 1);
    let table = |snapshot: &arpflux_core::snapshot::Snapshot| {
        let is = |rule: &&arpflux_core::snapshot::Rule| rule.source.is_some_and(|net| net.addr() == A101);
        snapshot
            .rules
            .iter()
            .filter(is)
            .map(|rule| rule.table)
            .find(|table| *table != 254)
            .unwrap()
            .to_string()
    };
    let table = table(&node.bench.snapshot());
    let ip = |arguments: &[&str]| {
        let mut command = std::process::Command::new("ip");
        command.args(arguments);
        assert_eq!(node.bench.run(command).code, 0, "{arguments:?}");
    };
    let breaks: [(&str, &dyn Fn()); 4] = [
        ("rule 17501: from 192.168.18.101", &|| {
            ip(&["rule", "del", "pref", "17501", "from", "192.168.18.101"]);
        }),
        ("rule 17500", &|| ip(&["rule", "del", "pref", "17500", "from", "192.168.18.101"])),
        (&table, &|| ip(&["route", "flush", "table", &table])),
        ("net.ipv4.conf.eth3.forwarding", &|| {
            node.bench.hn.sysctl("net/ipv4/conf/eth3/forwarding", 0).unwrap();
        }),
    ];
    // Two verbs say one thing, though the policy does not name the container.
    let told = |what: &str, found: &str| {
        for said in [node.bench.vz(&["status"]), node.arpflux(&["verify", "--policy", "policy.toml"])] {
            assert_eq!(said.code, 1, "{what}: {said:?}");
            assert!(said.stdout.contains(found), "{what}: {said:?}");
        }
    };
    let right = |what: &str| {
        node.check([true, true], what);
        node.good(&["verify", "--policy", "policy.toml"]);
    };
    for (named, harm) in breaks {
        harm();
        told(named, named);
        node.bench.good(&["sync"]);
        right(named);
    }
    // What others made may silence it, too.
    ip(&["rule", "add", "pref", "50", "to", "192.168.18.101", "blackhole"]);
    assert_eq!(node.bench.macs(A101), [] as [&str; 0]);
    told("somebody's rule", "eth3 does not answer");
    ip(&["rule", "del", "pref", "50"]);
    right("somebody's rule");
    let nft = |rules: &str| {
        let mut command = std::process::Command::new("nft");
        command.arg(rules);
        assert_eq!(node.bench.run(command).code, 0, "{rules}");
    };
    nft(
        "add table arp t; add chain arp t in { type filter hook input priority 0; }; add rule arp t in arp daddr ip 192.168.18.101 drop",
    );
    assert_eq!(node.bench.macs(A101), [] as [&str; 0]);
    told("somebody's filter", "eth3 does not answer");
    nft("delete table arp t");
    right("somebody's filter");
    // Its entry stays, and leads nowhere.
    ip(&["route", "del", "192.168.18.101"]);
    told("no route", "published, though no route leads to it");
    ip(&["route", "add", "192.168.18.101", "dev", "venet0"]);
    // With strict source validation the entry alone answers nobody.
    ip(&["rule", "del", "pref", "17501", "from", "192.168.18.101"]);
    assert_eq!(node.bench.macs(A101), [] as [&str; 0]);
    told("no rule", "192.168.18.101");
}

#[test]
fn an_undo_without_a_number_takes_back_what_a_person_made() {
    let node = Running::new(Libvzctl, 1);
    for _ in 0..18 {
        node.bench.good(&["net-del", "--veid", "101", "192.168.18.101"]);
        node.bench.good(&["net-add", "--veid", "101", "192.168.18.101"]);
    }
    let said = node.good(&["rollback"]);
    assert!(said.stdout.contains("transaction 2 is taken back"), "{said:?}");
    assert!(said.stdout.contains("(vz)") && said.stdout.contains("(container 102)"), "{said:?}");
    assert_eq!(node.bench.hn.read_sysctl("net/ipv4/conf/eth0/arp_ignore").unwrap(), "0");
    node.check([true, true], "rollback");

    let said = node.good(&["rollback", "--list"]);
    for word in ["person", "vz", "applied, taken back by"] {
        assert!(said.stdout.contains(word), "{word}: {said:?}");
    }
    let said = node.good(&["apply", "--policy", "policy.toml", "--confirm", "1s"]);
    assert!(said.stdout.contains("on trial"), "{said:?}");
    std::thread::sleep(Duration::from_millis(2500));
    let said = node.good(&["rollback", "--list"]);
    assert!(said.stdout.contains("undone: no confirmation came in time"), "{said:?}");
    node.good(&["apply", "--policy", "policy.toml"]);
    node.good(&["proxy", "add", "--interface", "eth4", "192.168.18.150"]);
    node.good(&["rollback", "--all"]);
    node.check([true, true], "rollback --all");
    assert_eq!(node.bench.proxies(), ["192.168.18.101 eth3", "192.168.18.102 eth4"]);
    let said = node.arpflux(&["rollback"]);
    assert!(said.code != 0 && said.stderr.contains("nothing to take back"), "{said:?}");
}

#[test]
fn what_is_right_already_is_announced_when_asked() {
    use arpflux_core::wire::Filter;
    use arpflux_lab::Recorder;
    let node = Running::new(Vzctl, 0);
    // All that was told at the starts is over.
    std::thread::sleep(Duration::from_millis(2500));
    let recorder = Recorder::start(&[(&node.bench.hn, "eth3")], Filter::Arp).unwrap();
    let add = ["proxy", "add", "--interface", "eth3", "--only", "192.168.18.101"];
    let said = node.good(&[&add[..], &["--plan"]].concat());
    assert!(said.stdout.contains("nothing was changed"), "{said:?}");
    node.good(&add);
    std::thread::sleep(Duration::from_millis(300));
    let said = node.good(&[&add[..], &["--announce"]].concat());
    assert!(said.stdout.contains("peers were told"), "{said:?}");
    let frames = recorder.stop().unwrap();
    let own = |frame: &&arpflux_lab::Recorded| {
        frame.direction == arpflux_core::wire::Direction::Out
            && crate::lab::arp(&frame.frame).is_some_and(|(sender, target)| (sender, target) == (A101, A101))
    };
    assert_eq!(frames.iter().filter(own).count(), 4, "both forms, twice, of the second call only");

    // A plan of a withdrawal shows the rule too, and changes nothing.
    let said = node.good(&["proxy", "del", "192.168.18.101", "--plan"]);
    assert!(said.stdout.contains("from 192.168.18.101 lookup 175"), "{said:?}");
    node.check([true, true], "a preview");
}

#[test]
fn a_router_of_the_wire_is_never_published() {
    let node = Running::new(Vzctl, 0);
    let mut route = std::process::Command::new("ip");
    route.args(["route", "add", "default", "via", "192.168.18.1", "dev", "eth0"]);
    assert_eq!(node.bench.run(route).code, 0);
    let mut route = std::process::Command::new("ip");
    route.args(["route", "add", "192.168.18.1", "dev", "venet0"]);
    assert_eq!(node.bench.run(route).code, 0);
    for said in [
        node.bench.vz(&["net-add", "--veid", "101", "192.168.18.1"]),
        node.arpflux(&["proxy", "add", "--interface", "eth3", "192.168.18.1"]),
    ] {
        assert!(said.code == 2 && said.stderr.contains("router"), "{said:?}");
    }
    assert_eq!(node.bench.macs("192.168.18.1".parse().unwrap()), [] as [&str; 0]);
}

#[test]
fn without_a_policy_the_nodes_own_addresses_are_left_alone() {
    let bench = Bench::new(Libvzctl);
    for name in NICS.map(|nic| nic.name) {
        bench.hn.sysctl(&format!("net/ipv4/conf/{name}/rp_filter"), 1).unwrap();
    }
    let before = bench.snapshot();
    let container = bench.container(A101);
    assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
    assert_eq!(bench.ruled(), ["192.168.18.101"]);
    assert_eq!(bench.macs(A101), [Bench::mac("eth3")]);
    assert_eq!(container.ping(None, CLIENT, 1).unwrap().received, 1);
    bench.good(&["status"]);
    let said = bench.vz(&["uninstall"]);
    assert!(said.stderr.contains("`arpflux vz stop 101` withdraws it"), "{said:?}");
    bench.good(&["setup"]);
    assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
    let after = bench.snapshot();
    assert_eq!((&before.rules, &before.proxies), (&after.rules, &after.proxies));
    let delays = |snapshot: &arpflux_core::snapshot::Snapshot| -> Vec<u64> {
        snapshot.interfaces.iter().map(|interface| interface.neigh.proxy_delay).collect()
    };
    assert_eq!(delays(&before), delays(&after));
    assert!(after.routes.iter().all(|route| route.protocol != arpflux_core::plan::PROTOCOL));
}

#[test]
fn settings_of_an_interface_go_back_with_its_last_address() {
    let bench = Bench::new(Vzctl);
    bench.hn.sysctl("net/ipv4/ip_forward", 0).unwrap();
    let route = |address: &str| {
        let mut command = std::process::Command::new("ip");
        command.args(["route", "add", address, "dev", "venet0"]);
        assert_eq!(bench.run(command).code, 0);
    };
    let set = |forwarding: &str, delay: u64, after: &str| {
        let found = bench.hn.read_sysctl("net/ipv4/conf/eth3/forwarding").unwrap();
        assert_eq!(found, forwarding, "forwarding after {after}");
        let back = bench.hn.read_sysctl("net/ipv4/conf/venet0/forwarding").unwrap();
        assert_eq!(back, forwarding, "forwarding of venet0 after {after}");
        let snapshot = bench.snapshot();
        let eth3 = snapshot.interface_named(&"eth3".parse().unwrap()).unwrap();
        assert_eq!(eth3.neigh.proxy_delay, delay, "proxy_delay after {after}");
    };
    let change = |verb: &str, veid: &str, address: &str| bench.good(&[verb, "--veid", veid, address]);
    for address in ["192.168.18.101", "192.168.18.111"] {
        route(address);
    }
    set("0", 800, "nothing");
    change("net-add", "101", "192.168.18.101");
    change("net-add", "101", "192.168.18.111");
    set("1", 0, "two addresses came");
    change("net-del", "101", "192.168.18.111");
    set("1", 0, "one of them went");
    bench.good(&["stop", "101"]);
    set("0", 800, "the last one went");

    // Where somebody's entry is left, where the host became a router, and where somebody else wrote the value:
    // that stays.
    change("net-add", "101", "192.168.18.101");
    bench.hn.proxy("eth3", "192.168.18.150".parse().unwrap()).unwrap();
    let said = bench.vz(&["stop", "101"]);
    assert!(said.code == 0 && said.stderr.contains("net.ipv4.conf.venet0.forwarding = 1"), "{said:?}");
    set("1", 0, "another program's entry is there");
    let said = bench.vz(&["uninstall"]);
    assert!(said.code == 0 && said.stderr.contains("`arpflux vz stop` of any container"), "{said:?}");
    set("1", 0, "the integration went before another program's entry");
    let mut command = std::process::Command::new("ip");
    command.args(["neigh", "del", "proxy", "192.168.18.150", "dev", "eth3"]);
    assert_eq!(bench.run(command).code, 0);
    bench.good(&["uninstall"]);
    set("0", 800, "the integration went");
    change("net-add", "101", "192.168.18.101");
    bench.hn.sysctl("net/ipv4/ip_forward", 1).unwrap();
    bench.hn.sysctl("net/ipv4/neigh/eth3/proxy_delay", 40).unwrap();
    bench.good(&["stop", "101"]);
    let snapshot = bench.snapshot();
    let delay = snapshot.interface_named(&"eth3".parse().unwrap()).unwrap().neigh.proxy_delay;
    set("1", delay, "others wrote");
    assert!(delay > 0 && delay != 800, "{delay}");
}
