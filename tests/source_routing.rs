//! Source routing without copies, by real packets: what was reached before is reached, from each address by its own
//! interface, and so is what comes later, in both directions.
#![allow(missing_docs, reason = "a test")]

use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use arpflux_core::diagnose::FindingId;
use arpflux_core::plan::PROTOCOL;
use arpflux_core::state::Object;
use arpflux_core::verify;
use arpflux_core::wire::{Direction, Filter};
use arpflux_core::{Host, Plan, Policy, Snapshot, apply};
use arpflux_lab::{Lab, NewRoute, Recorder, Switch};

const POLICY: &str = r#"
version = 1
[host]
interfaces = ["eth0", "eth1", "eth2", "eth3"]
announce = false
[[proxy]]
owner = "101"
addresses = ["10.11.12.101"]
interface = "eth1"
"#;

/// Each address and the interface that its packets leave by.
const SOURCES: [(&str, &str); 6] = [
    ("10.11.12.13", "eth0"),
    ("10.11.12.14", "eth1"),
    ("10.11.12.15", "eth1"),
    ("10.20.0.1", "eth2"),
    ("10.20.0.2", "eth3"),
    ("10.11.12.101", "eth1"),
];

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn host(of: &arpflux_lab::Host) -> Host {
    Host::at(format!("/proc/self/fd/{}", of.netns().as_fd().as_raw_fd()).as_ref()).unwrap()
}

/// Two wires with two interfaces each, with prefixes of different lengths; a container with a single address; a
/// part of the first wire's subnet behind a shim; routers on both wires.
struct Site {
    lab: Lab,
    node: arpflux_lab::Host,
    container: arpflux_lab::Host,
    shimmed: arpflux_lab::Host,
    /// On the first wire, and the way to 203.0.113.1.
    router: arpflux_lab::Host,
    /// On the second wire.
    storage: arpflux_lab::Host,
    state: PathBuf,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

impl Site {
    fn new(rp_filter: u8) -> Self {
        let lab = Lab::new().unwrap();
        let node = lab.host("node").unwrap();
        let (lan, san) = (lab.switch("lan").unwrap(), lab.switch("san").unwrap());
        let nics: [(&str, &Switch, &[&str]); 4] = [
            ("eth0", &lan, &["10.11.12.13/24"]),
            ("eth1", &lan, &["10.11.12.14/24", "10.11.12.15/24"]),
            ("eth2", &san, &["10.20.0.1/16"]),
            ("eth3", &san, &["10.20.0.2/16"]),
        ];
        for (at, (nic, wire, addresses)) in nics.into_iter().enumerate() {
            node.plug(wire, nic, format!("02:00:00:00:00:0{at}").parse().unwrap()).unwrap();
            for address in addresses {
                node.address(nic, address).unwrap();
            }
        }
        node.sysctl("net.ipv4.ip_forward", 1).unwrap();
        node.sysctl("net.ipv4.conf.all.rp_filter", rp_filter).unwrap();
        let router = lab.host("router").unwrap();
        router.plug(&lan, "eth0", "02:00:00:00:01:00".parse().unwrap()).unwrap();
        router.address("eth0", "10.11.12.1/24").unwrap();
        router.address("lo", "203.0.113.1/32").unwrap();
        let storage = lab.host("storage").unwrap();
        storage.plug(&san, "eth0", "02:00:00:00:02:00".parse().unwrap()).unwrap();
        storage.address("eth0", "10.20.9.9/16").unwrap();
        let default = NewRoute::to("0.0.0.0/0").unwrap().via(ip("10.11.12.1").into());
        node.route(&default).unwrap();
        let container = lab.venet(&node, "venet0").unwrap().container("101", ip("10.11.12.101")).unwrap();
        for nic in ["eth0", "eth1"] {
            node.proxy(nic, ip("10.11.12.101").into()).unwrap();
        }
        let shimmed = behind(&lab, &node, "shim", "10.11.12.225/27", "10.11.12.226/27");
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let state =
            std::env::temp_dir().join(format!("arpflux-source-routing-{}-{number}", std::process::id()));
        std::fs::create_dir(&state).unwrap();
        Self { lab, node, container, shimmed, router, storage, state }
    }

    fn snapshot(&self) -> Snapshot {
        host(&self.node).snapshot().unwrap()
    }

    fn plan(&self) -> Plan {
        Policy::from_toml(POLICY, "policy.toml").unwrap().plan(&self.snapshot()).unwrap()
    }

    fn apply(&self, plan: &Plan) {
        // The LAN is no longer to be answered for the address of the shim.
        let options = apply::Options::default().accept_harm(true).state_dir(&self.state);
        drop(host(&self.node).apply(plan, options).unwrap());
    }

    /// A command of iproute2 on the node.
    fn ip(&self, text: &str) {
        let run = || std::process::Command::new("ip").args(text.split(' ')).status().unwrap().success();
        assert!(self.node.run(run).unwrap(), "ip {text}");
    }

    /// Where packets to `to` leave the node when something at `from` sends them from `source`.
    fn leaves_by(&self, from: &arpflux_lab::Host, source: &str, to: &str) -> Vec<&'static str> {
        let nics = ["eth0", "eth1", "eth2", "eth3"];
        let places = nics.map(|nic| (&self.node, nic));
        let recorder = Recorder::start(&places, Filter::EtherType(0x0800)).unwrap();
        let pings = from.ping(Some(ip(source)), ip(to), 2).unwrap();
        assert_eq!(pings.received, 2, "from {source} to {to}");
        let wanted = [ip(source).octets(), ip(to).octets()].concat();
        let mut out: Vec<&str> = recorder
            .stop()
            .unwrap()
            .iter()
            .filter(|one| one.direction == Direction::Out && one.frame.get(26..34) == Some(&wanted[..]))
            .map(|one| nics[one.place])
            .collect();
        out.dedup();
        out
    }
}

/// A guest behind an interface of its own.
fn behind(lab: &Lab, node: &arpflux_lab::Host, name: &str, address: &str, guest: &str) -> arpflux_lab::Host {
    let host = lab.host(name).unwrap();
    node.connect(name, &host, "eth0").unwrap();
    node.up(name).unwrap();
    node.address(name, address).unwrap();
    host.up("eth0").unwrap();
    host.address("eth0", guest).unwrap();
    let gateway = address.split('/').next().unwrap();
    host.route(&NewRoute::to("0.0.0.0/0").unwrap().via(ip(gateway).into())).unwrap();
    host
}

#[test]
fn each_address_by_its_interface_and_everything_else_as_before() {
    for rp_filter in [0, 1, 2] {
        let site = Site::new(rp_filter);
        let plan = site.plan();
        let copies = plan.changes.iter().filter(|change| match &change.object {
            Object::Route(route) => {
                !["10.11.12.0/24", "10.20.0.0/16", "0.0.0.0/0"].contains(&&*route.destination.to_string())
            }
            _ => false,
        });
        assert_eq!(copies.count(), 0, "{plan}");
        site.apply(&plan);

        // Networks that come after the policy: of containers, and one that is a part of the second wire's subnet.
        let docker = behind(&site.lab, &site.node, "docker0", "172.18.0.1/16", "172.18.0.2/16");
        let late = behind(&site.lab, &site.node, "virbr0", "10.20.200.1/24", "10.20.200.2/24");
        let policy = Policy::from_toml(POLICY, "policy.toml").unwrap();
        assert!(policy.plan(&site.snapshot()).unwrap().is_empty(), "nothing is to be made for them");
        let report = verify::check(&policy, &site.snapshot()).unwrap();
        assert!(report.ok(), "rp_filter={rp_filter}: {report}");

        for (source, nic) in SOURCES {
            let from = if source == "10.11.12.101" { &site.container } else { &site.node };
            let wire = if source.starts_with("10.20") { "10.20.9.9" } else { "10.11.12.1" };
            assert_eq!(site.leaves_by(from, source, wire), [nic], "rp_filter={rp_filter}: {source}");
            // To both sides of the host, from both sides.
            for (guest, address) in
                [(&docker, "172.18.0.2"), (&late, "10.20.200.2"), (&site.shimmed, "10.11.12.226")]
            {
                assert_eq!(site.leaves_by(from, source, address), [""; 0], "{source} to {address}");
                let pings = guest.ping(None, ip(source), 2).unwrap();
                assert_eq!(pings.received, 2, "rp_filter={rp_filter}: {address} to {source}");
            }
            if source != "10.11.12.101" {
                let pings = site.container.ping(None, ip(source), 2).unwrap();
                assert_eq!(pings.received, 2, "rp_filter={rp_filter}: the container to {source}");
            }
            // In by its own interface, and back by it.
            let peer = if source.starts_with("10.20") { &site.storage } else { &site.router };
            assert_eq!(
                peer.ping(None, ip(source), 2).unwrap().received,
                2,
                "rp_filter={rp_filter}: {source}"
            );
        }
        for (source, nic) in SOURCES.into_iter().filter(|(source, _)| source.starts_with("10.11")) {
            let from = if source == "10.11.12.101" { &site.container } else { &site.node };
            assert_eq!(site.leaves_by(from, source, "203.0.113.1"), [nic], "rp_filter={rp_filter}: {source}");
            let far = site.router.ping(Some(ip("203.0.113.1")), ip(source), 2).unwrap();
            assert_eq!(far.received, 2, "rp_filter={rp_filter}: from far away to {source}");
        }
    }
}

#[test]
fn a_route_of_ours_that_somebody_replaced_is_put_right() {
    let site = Site::new(0);
    site.apply(&site.plan());
    let applied = site.snapshot();
    let ours = |snapshot: &Snapshot| -> Vec<_> {
        snapshot.routes.iter().filter(|route| route.protocol == PROTOCOL).cloned().collect()
    };
    let default = ours(&applied).into_iter().find(|route| route.destination.prefix_len() == 0).unwrap();
    let device = applied.name_of(default.next_hops[0].interface.unwrap());
    site.ip(&format!("route replace default via 10.11.12.2 dev {device} table {}", default.table));
    let mended = site.plan();
    assert_eq!(mended.changes.len(), 2, "{mended}");
    site.apply(&mended);
    assert_eq!(ours(&site.snapshot()), ours(&applied));
    assert!(site.plan().is_empty());
}

#[test]
fn where_somebody_deletes_a_connected_route_the_rules_stay_and_lead_as_before() {
    for rp_filter in [0, 1] {
        let site = Site::new(rp_filter);
        site.apply(&site.plan());
        for (gone, on) in [("eth0", "10.11.12.0/24"), ("eth1", "10.11.12.0/24"), ("eth2", "10.20.0.0/16")] {
            site.ip(&format!("route del {on} dev {gone}"));
            let plan = site.plan();
            assert!(plan.is_empty(), "rp_filter={rp_filter}, without {on} on {gone}: {plan}");
            let policy = Policy::from_toml(POLICY, "policy.toml").unwrap();
            let report = verify::check(&policy, &site.snapshot()).unwrap();
            assert!(report.ok(), "rp_filter={rp_filter}, without {on} on {gone}: {report}");
            for (source, nic) in SOURCES {
                let from = if source == "10.11.12.101" { &site.container } else { &site.node };
                let wire = if source.starts_with("10.20") { "10.20.9.9" } else { "10.11.12.1" };
                assert_eq!(site.leaves_by(from, source, wire), [nic], "rp_filter={rp_filter}: {source}");
            }
        }
        // None is left for packets without a source on the first wire: that is told, and cured.
        let found = site.snapshot().diagnose(&Default::default()).unwrap();
        let lacks = found.findings.iter().find(|one| one.id == FindingId::ConnectedRouteMissing);
        let remedy = lacks.and_then(|one| one.plan.as_ref()).expect("a remedy");
        site.apply(remedy);
        let found = site.snapshot().diagnose(&Default::default()).unwrap();
        assert!(!found.findings.iter().any(|one| one.id == FindingId::ConnectedRouteMissing), "{found}");
        assert!(site.plan().is_empty(), "{}", site.plan());
    }
}

/// What the form with copies left: a rule for host routes, one for each source, and all of main in each table.
#[test]
fn the_form_with_copies_is_replaced() {
    let site = Site::new(1);
    let eth1 = site.node.index("eth1").unwrap();
    let table = 175_000 + eth1.0;
    site.ip("rule add pref 17500 lookup main suppress_prefixlength 31 protocol 175");
    site.ip(&format!("route add 10.11.12.0/24 dev eth1 table {table} proto 175"));
    site.ip(&format!("route add 10.11.12.224/27 dev shim table {table} proto 175"));
    site.ip(&format!("route add default via 10.11.12.1 dev eth1 table {table} proto 175"));
    site.ip(&format!("rule add pref 17501 from 10.11.12.14 lookup {table} protocol 175"));
    site.apply(&site.plan());
    let after = site.snapshot();
    assert!(after.rules.iter().all(|rule| rule.suppress_prefix_len != Some(31)));
    assert!(after.rules.iter().filter(|rule| rule.protocol == PROTOCOL).all(|rule| rule.source.is_some()));
    let left = after.routes.iter().filter(|route| route.table == table);
    let mut left: Vec<String> = left.map(|route| route.destination.to_string()).collect();
    left.sort();
    assert_eq!(left, ["0.0.0.0/0", "10.11.12.0/24"]);
    assert!(site.plan().is_empty());
    assert_eq!(site.leaves_by(&site.node, "10.11.12.14", "203.0.113.1"), ["eth1"]);
    assert_eq!(site.leaves_by(&site.node, "10.11.12.14", "10.11.12.226"), [""; 0]);
}
