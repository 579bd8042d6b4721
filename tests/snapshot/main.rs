//! Snapshots of the running kernel, compared with what iproute2 and /proc say.
#![allow(missing_docs, reason = "a test")]

mod built;
mod change;
mod namespaces;
mod routes;

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;

use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::snapshot::{BridgePortState, Interference, LinkKind, MacvlanMode, Snapshot};
use arpflux_core::sysctl::{Ipv6Sysctl, Sysctl, SysctlValues};
use arpflux_core::types::IfIndex;
use arpflux_tests::iproute::{in_new_netns, ip, json, run};
use serde_json::Value;

/// Everything that a snapshot has a field for and that this kernel can make.
const RICH: &str = "
    link set lo up
    link add eth0 address 02:00:00:00:00:01 type veth peer name p0
    link add eth1 type veth peer name p1
    link add br0 type bridge
    link set p1 master br0
    link set eth1 mtu 1400 group 7
    link set eth0 up
    link set p0 up
    link set eth1 up
    link set p1 up
    link set br0 up
    link add link eth0 name mv0 type macvlan mode bridge
    addr add 10.0.0.1/24 brd + dev eth0
    addr add 10.0.0.2/24 dev eth0
    addr add 10.1.0.1 peer 10.1.0.9/32 dev eth1
    addr add 169.254.3.4/16 dev eth1 scope link noprefixroute
    addr add fd00::1/64 dev eth0 nodad
    route add 10.9.0.0/16 via 10.0.0.7 metric 5
    route add 10.9.0.0/16 via 10.0.0.9 metric 7
    route add blackhole 10.8.0.0/16
    route add unreachable 10.8.1.0/24
    route add prohibit 10.8.2.0/24
    route add throw 10.8.3.0/24 table 70000
    route add 10.7.0.0/16 nexthop via 10.0.0.3 weight 3 nexthop dev eth1 weight 256
    route add 10.5.0.0/16 tos 0x10 dev eth0
    route add 10.4.0.0/16 via inet6 fd00::9 dev eth0
    route add 10.3.0.0/16 via 10.99.0.1 dev eth0 onlink
    nexthop add id 7 via 10.0.0.8 dev eth0
    nexthop add id 8 dev eth1
    nexthop add id 9 group 7,200/8
    route add 10.6.0.0/16 nhid 7
    route add 10.6.0.0/24 nhid 9
    route add table 1000 default via 10.0.0.4 src 10.0.0.1
    route add local 10.77.0.0/24 dev lo
    -6 route add fd01::/64 via fd00::5
    rule add from 10.0.0.1 table 1000 pref 100
    rule add iif eth0 fwmark 5/7 to 10.0.0.0/8 table 1001 ipproto tcp dport 80-90 pref 101 suppress_prefixlength 0
    rule add not from 10.0.0.0/8 goto 32766 pref 102
    rule add oif gone0 uidrange 0-0 sport 7 prohibit pref 103
    rule add tos 0x10 table main suppress_ifgroup 7 pref 104
    rule add table main pref 31000 suppress_prefixlength 31 protocol 175
    -6 rule add from fd00::/64 table 1000 pref 100
    neigh add proxy 10.0.0.77 dev eth0
    neigh add proxy 10.0.0.78 dev eth1 protocol 175
    neigh add proxy fd00::77 dev eth0
    neigh add 10.0.0.88 lladdr 02:00:00:00:00:88 dev eth0
    neigh add fd00::88 lladdr 02:00:00:00:00:89 dev eth0
";

fn take() -> Snapshot {
    LinuxKernel::open().unwrap().snapshot().unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_default()
}

/// The values below one folder of `/proc/sys`, in the reader's namespace.
fn proc_values(name: &str) -> SysctlValues {
    Sysctl::ALL
        .iter()
        .filter_map(|sysctl| {
            let path = format!("/proc/sys/net/ipv4/conf/{name}/{sysctl}");
            fs::read_to_string(path).ok().map(|text| (*sysctl, text.trim().parse().unwrap()))
        })
        .collect()
}

#[test]
fn every_interface_is_as_ip_and_proc_say() {
    in_new_netns(|| {
        ip(RICH);
        for (i, sysctl) in Sysctl::ALL.iter().enumerate() {
            let path = format!("/proc/sys/net/ipv4/conf/eth1/{sysctl}");
            // medium_id takes anything; forwarding counts as on or off but keeps what was written.
            fs::write(path, format!("{}", i % 3)).unwrap();
        }
        let snapshot = take();
        let links = json("link");
        assert_eq!(links.len(), snapshot.interfaces.len());
        for link in &links {
            let interface = snapshot.interface(IfIndex(number(link, "ifindex") as u32)).expect("listed");
            let name = text(link, "ifname");
            assert_eq!(interface.name.to_string(), name);
            assert_eq!(interface.mac.to_string(), text(link, "address"), "{name}");
            assert_eq!(u64::from(interface.mtu), number(link, "mtu"), "{name}");
            assert_eq!(
                interface.kind.as_ref().map(LinkKind::name),
                link["linkinfo"]["info_kind"].as_str(),
                "{name}"
            );
            let master = interface.master.map(|index| snapshot.name_of(index));
            assert_eq!(master.as_deref(), link["master"].as_str(), "{name}");
            let below = interface.link.map(|index| snapshot.name_of(index));
            assert_eq!(below.as_deref(), link["link"].as_str(), "{name}");
            let up = link["flags"].as_array().unwrap().iter().any(|flag| flag == "UP");
            assert_eq!(interface.flags.contains(arpflux_core::snapshot::InterfaceFlags::UP), up, "{name}");
            assert_eq!(interface.sysctls, proc_values(name), "{name}");
            for sysctl in Ipv6Sysctl::ALL {
                let path = format!("/proc/sys/net/ipv6/conf/{name}/{sysctl}");
                let value = fs::read_to_string(path).ok().map(|text| text.trim().parse().unwrap());
                assert_eq!(interface.ipv6.get(*sysctl), value, "{name} {sysctl}");
            }
        }
        let eth1 = snapshot.interface_named(&"eth1".parse().unwrap()).unwrap();
        assert_eq!((eth1.group, eth1.mtu), (7, 1400));
        let p1 = snapshot.interface_named(&"p1".parse().unwrap()).unwrap();
        assert_eq!(p1.bridge_port_state, Some(BridgePortState::Forwarding));
        let mv0 = snapshot.interface_named(&"mv0".parse().unwrap()).unwrap();
        assert_eq!(mv0.macvlan_mode, Some(MacvlanMode::Bridge));
        assert_eq!(snapshot.all, proc_values("all"));
        assert_eq!(snapshot.default, proc_values("default"));
        assert_eq!(snapshot.all.iter().count(), Sysctl::ALL.len(), "this kernel has them all");
    });
}

#[test]
fn addresses_are_as_ip_says_and_in_its_order() {
    in_new_netns(|| {
        ip(RICH);
        let snapshot = take();
        for link in json("addr") {
            let index = IfIndex(number(&link, "ifindex") as u32);
            for family in ["inet", "inet6"] {
                let listed: Vec<_> = link["addr_info"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|info| info["family"] == family)
                    .map(|info| {
                        let address =
                            |key: &str| info[key].as_str().map(|text| text.parse::<IpAddr>().unwrap());
                        let peer = address("address");
                        (
                            address("local").unwrap(),
                            peer,
                            number(info, "prefixlen") as u8,
                            address("broadcast"),
                            info["secondary"] == true,
                        )
                    })
                    .collect();
                let read: Vec<_> = snapshot
                    .addresses_of(index)
                    .filter(|address| address.local.is_ipv6() == (family == "inet6"))
                    .map(|a| {
                        (
                            a.local,
                            a.peer,
                            a.prefix_len,
                            a.broadcast,
                            a.flags.contains(arpflux_core::snapshot::AddressFlags::SECONDARY),
                        )
                    })
                    .collect();
                assert_eq!(read, listed, "{} {family}", text(&link, "ifname"));
            }
        }
        let link_local = snapshot.addresses.iter().find(|a| a.local.to_string() == "169.254.3.4").unwrap();
        assert_eq!(link_local.scope, arpflux_core::snapshot::Scope::LINK);
        assert!(link_local.flags.contains(arpflux_core::snapshot::AddressFlags::NOPREFIXROUTE));
    });
}

#[test]
fn rules_proxies_and_neighbours_are_as_ip_says() {
    in_new_netns(|| {
        ip(RICH);
        let snapshot = take();
        for (ipv6, words) in [(false, "-4 -N rule"), (true, "-6 -N rule")] {
            let listed: Vec<_> = json(words)
                .iter()
                .map(|rule| (number(rule, "priority"), rule["table"].as_str().map(str::to_owned)))
                .collect();
            let read: Vec<_> = snapshot
                .rules
                .iter()
                .filter(|rule| rule.ipv6 == ipv6)
                .map(|rule| (u64::from(rule.priority), Some(rule.table.to_string()).filter(|t| t != "0")))
                .collect();
            assert_eq!(read, listed);
        }
        let rule =
            |priority| snapshot.rules.iter().find(|rule| rule.priority == priority && !rule.ipv6).unwrap();
        let full = rule(101);
        assert_eq!(full.iif, Some("eth0".parse().unwrap()));
        assert_eq!((full.fwmark, full.fwmask, full.ip_protocol), (5, 7, Some(6)));
        assert_eq!((full.destination_ports, full.suppress_prefix_len), (Some((80, 90)), Some(0)));
        assert_eq!(full.destination, Some("10.0.0.0/8".parse().unwrap()));
        assert!(rule(102).flags.contains(arpflux_core::snapshot::RuleFlags::INVERT));
        assert_eq!(rule(102).goto, Some(32766));
        assert_eq!((rule(103).uids, rule(103).source_ports), (Some((0, 0)), Some((7, 7))));
        assert!(rule(103).flags.contains(arpflux_core::snapshot::RuleFlags::OIF_DETACHED));
        assert_eq!((rule(104).tos, rule(104).suppress_group), (0x10, Some(7)));
        assert_eq!((rule(31000).protocol, rule(31000).suppress_prefix_len), (175, Some(31)));
        assert_eq!(rule(100).suppress_prefix_len, None);

        let listed: BTreeSet<_> = ["-4", "-6"]
            .iter()
            .flat_map(|family| json(&format!("{family} neigh show proxy")))
            .map(|entry| (text(&entry, "dst").to_owned(), text(&entry, "dev").to_owned()))
            .collect();
        let read: BTreeSet<_> = snapshot
            .proxies
            .iter()
            .map(|entry| (entry.address.to_string(), snapshot.name_of(entry.interface.unwrap())))
            .collect();
        assert_eq!((read.len(), read), (3, listed));
        let ours = snapshot.proxies.iter().find(|entry| entry.address.to_string() == "10.0.0.78").unwrap();
        assert_eq!(ours.protocol, 175);

        for (address, mac) in [("10.0.0.88", "02:00:00:00:00:88"), ("fd00::88", "02:00:00:00:00:89")] {
            let entry =
                snapshot.neighbours.iter().find(|entry| entry.address.to_string() == address).unwrap();
            assert_eq!(entry.mac.unwrap().to_string(), mac);
            assert_eq!(entry.state.0, 0x80);
        }
    });
}

#[test]
fn json_gives_back_the_same_snapshot() {
    in_new_netns(|| {
        ip(RICH);
        let snapshot = take();
        let json = snapshot.to_json().unwrap();
        assert_eq!(Snapshot::from_json(&json).unwrap(), snapshot);
        assert_eq!(Snapshot::from_json(&json).unwrap().to_json().unwrap(), json);
    });
}

#[test]
fn neighbour_parameters_are_in_milliseconds_and_of_the_right_interface() {
    in_new_netns(|| {
        ip("link add eth0 type veth peer name p0");
        let write =
            |key: &str, value: &str| fs::write(format!("/proc/sys/net/ipv4/neigh/{key}"), value).unwrap();
        write("eth0/proxy_delay", "12");
        write("eth0/proxy_qlen", "5");
        write("eth0/locktime", "50");
        let snapshot = take();
        let of = |name: &str| snapshot.interface_named(&name.parse().unwrap()).unwrap().neigh;
        assert_eq!((of("eth0").proxy_delay, of("eth0").proxy_qlen, of("eth0").locktime), (120, 5, 500));
        assert_eq!(of("p0"), arpflux_core::snapshot::NeighParams::default());
    });
}

#[test]
fn what_may_interfere_is_found() {
    in_new_netns(|| {
        ip("link add eth0 type veth peer name p0
            link set eth0 up");
        let quiet = take();
        assert_eq!(quiet.interference, []);

        // An empty chain that accepts changes nothing; one that drops does.
        run("nft add table arp f");
        run("nft add chain arp f open { type filter hook input priority 0 ; policy accept ; }");
        assert!(take().filters.is_empty());
        run("nft add chain arp f shut { type filter hook input priority 1 ; policy drop ; }");
        run("nft add table netdev g");
        run("nft add chain netdev g in { type filter hook ingress device eth0 priority 0 ; }");
        run("nft add rule netdev g in ether type arp arp daddr ip { 10.0.0.1-10.0.0.3, 10.1.0.0/16 } drop");
        // Chains that no frame of ARP comes to are left out, with their table.
        run("nft add table ip h");
        run("nft add chain ip h in { type filter hook input priority 0 ; policy drop ; }");
        let found = take();
        assert_eq!((found.interference, found.filters.open().len()), (Vec::new(), 2));
        let base = found.filters.chains[1].base.as_ref().unwrap();
        assert_eq!((base.devices.as_slice(), base.drops), (&["eth0".to_owned()][..], false));
        let elements = found.filters.sets[0].elements.iter();
        let ranges: Vec<String> = elements.map(|one| format!("{}-{}", one.from, one.to)).collect();
        assert_eq!(ranges, ["0a000001-0a000003", "0a010000-0a01ffff"]);
        run("nft flush ruleset");

        // clsact without a filter is harmless, with one it is not.
        run("tc qdisc add dev eth0 clsact");
        assert_eq!(take().interference, []);
        run("tc filter add dev eth0 egress protocol ip u32 match u32 0 0 flowid 1:1");
        assert_eq!(take().interference, [], "a filter for another protocol never sees ARP");
        run("tc filter add dev eth0 egress protocol arp u32 match u32 0 0 flowid 1:1");
        let found = take();
        let chains: Vec<String> =
            found.filters.chains.iter().map(arpflux_core::filter::Chain::title).collect();
        assert_eq!((found.interference, chains), (Vec::new(), vec!["tc eth0 egress".to_owned()]));
        run("tc qdisc del dev eth0 clsact");

        // A socket for ARP alone may answer; one for everything looks on.
        let _arp = packet_socket(0x0806);
        let _all = packet_socket(0x0003);
        assert_eq!(take().interference, [Interference::Listener { interface: None }]);
    });
}

fn packet_socket(protocol: u16) -> std::os::fd::OwnedFd {
    use nix::libc;
    use std::os::fd::FromRawFd as _;
    // SAFETY: no pointer is passed; the result is checked before it is owned.
    unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(protocol.to_be()));
        assert!(fd >= 0);
        std::os::fd::OwnedFd::from_raw_fd(fd)
    }
}

/// Until the rules are changed for the first time, main and local are searched as one, and no dump shows it.
#[test]
fn whether_the_rules_were_ever_changed_is_asked_of_the_kernel() {
    in_new_netns(|| {
        ip("link set lo up
            link add eth0 type veth peer name p0
            link set eth0 up
            link set p0 up");
        assert_eq!(take().routing.rules_changed, None, "no address tells, so it makes no difference");
        ip("addr add 10.60.0.1/16 dev lo
            addr add 10.60.1.1/24 dev eth0");
        assert_eq!(take().routing.rules_changed, Some(false));
        ip("rule add from 10.0.0.1 table 77 pref 5
            rule del pref 5");
        let after = take();
        assert_eq!(after.rules.iter().filter(|rule| !rule.ipv6).count(), 3);
        assert_eq!(after.routing.rules_changed, Some(true));
        assert_eq!(after.routing.realms, Some(false));
        ip("route add 10.61.0.0/16 dev eth0 realm 7");
        assert_eq!(take().routing.realms, Some(true));
    });
}
