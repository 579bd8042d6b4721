//! A host that `ip` makes and the reader reads is the one that [`Builder`] makes.

use std::collections::BTreeSet;

use arpflux_core::snapshot::{Builder, Interface, LinkKind, Route, Rule, Snapshot};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::types::IfIndex;
use arpflux_tests::iproute::{in_new_netns, ip};

use crate::take;

/// The numbers differ from those of other interfaces that a new namespace may have.
const MADE: &str = "
    link set lo up
    link add eth0 index 12 address 02:00:00:00:00:0c type veth peer name p0 index 14 address 02:00:00:00:00:0e
    link add eth1 index 13 address 02:00:00:00:00:0d type veth peer name p1 index 15 address 02:00:00:00:00:0f
    link set eth0 up
    link set eth1 up
    link set p0 up
    link set p1 up
    addr add 192.168.18.10/24 brd + dev eth0
    addr add 192.168.18.11/24 brd + dev eth1
    addr add 192.168.18.12/24 brd + dev eth1
    addr add 10.0.0.1/31 dev eth1
    route add default via 192.168.18.1 dev eth0
    route add 192.168.18.0/24 dev eth1 table 101
    rule add from 192.168.18.11 table 101 pref 1000
    neigh add proxy 192.168.18.101 dev eth1
    neigh add 192.168.18.1 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
";

fn set(path: &str, value: i32) {
    std::fs::write(format!("/proc/sys/net/{path}"), value.to_string()).expect(path);
}

fn built() -> Builder {
    let veth = |peer: u32| {
        move |interface: &mut Interface| {
            interface.kind = Some(LinkKind::Veth);
            interface.link = Some(IfIndex(peer));
        }
    };
    Builder::new()
        .number(12)
        .nic("eth0", &["192.168.18.10/24"])
        .nic("eth1", &["192.168.18.11/24", "192.168.18.12/24", "10.0.0.1/31"])
        .nic("p0", &[])
        .nic("p1", &[])
        .with("eth0", veth(14))
        .with("eth1", veth(15))
        .with("p0", veth(12))
        .with("p1", veth(13))
        .route("0.0.0.0/0", Some("192.168.18.1"), "eth0")
        .any_route(Route::new("192.168.18.0/24".parse().unwrap(), IfIndex(13)).table(101_u32))
        .rule(
            Rule::lookup(1000, 101).source("192.168.18.11/32".parse::<arpflux_core::types::IpNet>().unwrap()),
        )
        .sysctl("eth1", Sysctl::ArpIgnore, 1)
        .proxy("192.168.18.101", Some("eth1"))
        .neighbour("192.168.18.1", "eth0", "02:00:00:00:00:99")
}

/// Without what each kernel has of its own, with lists in one order.
fn comparable(mut snapshot: Snapshot) -> Snapshot {
    let nothing = Builder::new().build().unwrap();
    snapshot.kernel = nothing.kernel.clone();
    snapshot.netns = nothing.netns.clone();
    snapshot.reads = nothing.reads;
    snapshot.discovery = nothing.discovery.clone();
    snapshot.fib_multipath_hash_policy = nothing.fib_multipath_hash_policy;
    // What the probe of them finds depends on the kernel's options.
    snapshot.routing = nothing.routing;
    // Those that another module of the kernel brings into each namespace, and others' table being full.
    snapshot.interfaces.retain(|interface| interface.index == IfIndex(1) || interface.index.0 >= 12);
    snapshot.interference.clear();
    snapshot.interfaces.iter_mut().for_each(|interface| interface.came = None);
    snapshot.routes.sort_by_key(|route| {
        (route.table, route.destination, route.next_hops.iter().map(|hop| hop.interface).collect::<Vec<_>>())
    });
    snapshot
}

#[test]
fn a_host_that_is_built_is_the_one_that_is_read() {
    in_new_netns(|| {
        // As a kernel begins; a new namespace begins with what the first one has.
        for folder in ["all", "default", "lo"] {
            set(&format!("ipv6/conf/{folder}/disable_ipv6"), 1);
            for sysctl in Sysctl::ALL {
                set(&format!("ipv4/conf/{folder}/{sysctl}"), sysctl.kernel_default());
            }
        }
        ip(MADE);
        set("ipv4/conf/eth1/arp_ignore", 1);
        let (read, built) = (comparable(take()), comparable(built().build().unwrap()));
        let lines = |snapshot: &Snapshot| -> BTreeSet<String> {
            let parts = serde_json::to_value(snapshot).unwrap();
            let (lists, rest): (Vec<_>, Vec<_>) =
                parts.as_object().unwrap().iter().partition(|(_, value)| value.is_array());
            let each = lists.iter().flat_map(|(name, list)| {
                list.as_array().unwrap().iter().map(move |value| format!("{name} {value}"))
            });
            each.chain(rest.iter().map(|(name, value)| format!("{name} {value}"))).collect()
        };
        let (in_read, in_built) = (lines(&read), lines(&built));
        let only = |one: &BTreeSet<String>, other| one.difference(other).cloned().collect::<Vec<_>>();
        assert_eq!(only(&in_read, &in_built), only(&in_built, &in_read), "read, built");
        assert_eq!(built, read);
    });
}
