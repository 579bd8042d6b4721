//! Changes made on the running kernel, compared with what /proc and the next snapshot say.
#![allow(missing_docs, reason = "a test")]

use std::fs;

use arpflux_core::ErrorKind;
use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::plan::PROTOCOL;
use arpflux_core::snapshot::{NeighbourState, ProxyEntry, RoutingMemory, Snapshot};
use arpflux_core::state::{Change, Object, SysctlScope};
use arpflux_core::sysctl::{Ipv6Sysctl, Sysctl};
use arpflux_core::types::{IfIndex, IfName};
use arpflux_tests::iproute::{in_new_netns, ip, json, run};

fn interface(kernel: &mut LinuxKernel, name: &str) -> SysctlScope {
    let name: IfName = name.parse().unwrap();
    let index = kernel.snapshot().unwrap().interface_named(&name).unwrap().index;
    SysctlScope::Interface { index, name }
}

fn proxy(address: &str, interface: u32) -> Change {
    let interface = (interface != 0).then_some(IfIndex(interface));
    let entry = ProxyEntry::new(address.parse().unwrap(), interface).protocol(PROTOCOL);
    Change::add(entry)
}

/// Without what comes and goes by itself, and what no change can take back.
fn still(mut snapshot: Snapshot) -> Snapshot {
    snapshot.neighbours.retain(|neighbour| neighbour.state == NeighbourState(0x80));
    snapshot.routing = RoutingMemory::default();
    snapshot.proxies.sort_unstable();
    snapshot
}

/// Every sysctl in every folder: to several values and back to 0, each read from /proc and from the snapshot.
#[test]
fn every_sysctl_takes_every_value_and_zero_again() {
    in_new_netns(|| {
        ip("link add eth0.10 type veth peer name p0");
        let mut kernel = LinuxKernel::open().unwrap();
        let eth = interface(&mut kernel, "eth0.10");
        let before = still(kernel.snapshot().unwrap());
        let mut checks = 0;
        for scope in [SysctlScope::All, SysctlScope::Default, eth] {
            for sysctl in Sysctl::ALL {
                let path = format!("/proc/sys/net/ipv4/conf/{scope}/{sysctl}");
                let original: i32 = fs::read_to_string(&path).unwrap().trim().parse().unwrap();
                // The kernel checks no ranges: what others wrote must be given back as well.
                let values = [1, 0, 2, 0, 99, -7, 0, i32::MIN, original];
                let mut held = original;
                for after in values {
                    let change = Change::set(Object::Sysctl { scope, sysctl: *sysctl }, held, after);
                    kernel.make(std::slice::from_ref(&change)).unwrap();
                    held = after;
                    let text = fs::read_to_string(&path).unwrap();
                    assert_eq!(text.trim(), after.to_string(), "{path}");
                    let snapshot = kernel.snapshot().unwrap();
                    let read = match scope {
                        SysctlScope::All => &snapshot.all,
                        SysctlScope::Default => &snapshot.default,
                        SysctlScope::Interface { index, .. } => &snapshot.interface(index).unwrap().sysctls,
                    };
                    assert_eq!(read.get(*sysctl), Some(after), "{path}");
                    checks += 1;
                }
            }
        }
        assert_eq!(checks, 3 * Sysctl::ALL.len() * 9);
        for scope in [SysctlScope::All, eth] {
            for sysctl in Ipv6Sysctl::ALL {
                for after in [1, 0] {
                    let change = Change::set(Object::Ipv6Sysctl { scope, sysctl: *sysctl }, 1 - after, after);
                    kernel.make(&[change]).unwrap();
                    let text =
                        fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{scope}/{sysctl}")).unwrap();
                    assert_eq!(text.trim(), after.to_string());
                }
            }
        }
        // Writing `all` of `forwarding` has copied itself; everything else is as it was.
        assert_eq!(still(kernel.snapshot().unwrap()), before);
    });
}

/// What `Snapshot::with` foresees is what the kernel does, for one write at a time.
#[test]
fn the_pure_effect_of_a_change_is_the_kernels() {
    in_new_netns(|| {
        ip("link set lo up
            link add eth0 type veth peer name p0
            link set eth0 up
            addr add 10.0.0.1/24 dev eth0");
        let mut kernel = LinuxKernel::open().unwrap();
        let eth0 = interface(&mut kernel, "eth0");
        let SysctlScope::Interface { index, .. } = eth0 else { unreachable!() };
        let mut changes = vec![proxy("10.0.0.5", index.0), proxy("fd00::5", index.0), proxy("10.0.0.5", 0)];
        for sysctl in Sysctl::ALL {
            for (scope, after) in [(SysctlScope::All, 1), (eth0, 2), (eth0, 0), (SysctlScope::All, 0)] {
                changes.push(Change::set(Object::Sysctl { scope, sysctl: *sysctl }, 0, after));
            }
        }
        for sysctl in Ipv6Sysctl::ALL {
            for (scope, after) in [(SysctlScope::All, 1), (eth0, 0), (SysctlScope::All, 0)] {
                changes.push(Change::set(Object::Ipv6Sysctl { scope, sysctl: *sysctl }, 0, after));
            }
        }
        changes.push(Change::set(Object::ProxyDelay { scope: eth0 }, 800, 0));
        changes.push(proxy("10.0.0.5", index.0).inverse());
        for change in changes {
            let foreseen = kernel.snapshot().unwrap().with(std::slice::from_ref(&change));
            kernel.make(std::slice::from_ref(&change)).unwrap();
            let (now, foreseen) = (still(kernel.snapshot().unwrap()), still(foreseen));
            assert!(
                now == foreseen,
                "{change:?}\n{}\n{}",
                now.to_json().unwrap(),
                foreseen.to_json().unwrap()
            );
        }
        // It would outlive the namespace.
        kernel.make(&[proxy("10.0.0.5", 0).inverse()]).unwrap();
    });
}

const ENTRIES: &str = "
    link set lo up
    link add eth0 type veth peer name p0
    link add eth1 type veth peer name p1
    link set eth0 up
    link set p0 up
    link set eth1 up
    link set p1 up
    addr add 10.0.0.1/24 dev eth0
    addr add fd00::1/64 dev eth0 nodad
    addr add 10.1.0.1 peer 10.1.0.9/32 dev eth1
    route add 10.9.0.0/16 via 10.0.0.7 metric 5
    route add 10.9.0.0/16 via 10.0.0.9 metric 7
    route add 10.8.0.0/16 dev eth0 scope link tos 0x10
    route add blackhole 10.8.1.0/24
    route add unreachable 10.8.2.0/24
    route add throw 10.8.3.0/24 table 70000
    route add 10.7.0.0/16 nexthop via 10.0.0.3 weight 3 nexthop dev eth1 weight 256
    route add 10.4.0.0/16 via inet6 fd00::9 dev eth0
    route add 10.3.0.0/16 via 10.99.0.1 dev eth0 onlink proto 175
    nexthop add id 7 via 10.0.0.8 dev eth0
    route add 10.6.0.0/16 nhid 7
    route add table 1000 default via 10.0.0.4 src 10.0.0.1
    -6 route add fd01::/64 via fd00::5 table 1000
    -6 route add unreachable fd02::/64
    rule add from 10.0.0.1 table 1000 pref 100
    rule add iif eth0 fwmark 5/7 to 10.0.0.0/8 table 1001 ipproto tcp dport 80-90 pref 101 suppress_prefixlength 0
    rule add not from 10.0.0.0/8 goto 32766 pref 102
    rule add oif gone0 uidrange 0-0 sport 7 prohibit pref 103
    rule add tos 0x10 table main suppress_ifgroup 7 pref 104
    rule add fwmark 1 blackhole pref 105
    rule add nop pref 106
    rule add l3mdev pref 107
    rule add table main pref 31000 suppress_prefixlength 31 protocol 175
    -6 rule add from fd00::/64 table 1000 pref 100
    -6 rule add to fd00::/64 iif lo unreachable pref 101
    neigh add proxy 10.0.0.77 dev eth0
    neigh add proxy 10.0.0.78 dev eth1 protocol 175
    neigh add proxy fd00::77 dev eth0 router
";

/// Each rule, route and proxy entry that somebody made: taken away, and put back by the inverse, to a
/// snapshot that is equal. This covers every attribute in both directions.
#[test]
fn every_entry_goes_and_comes_back_the_same() {
    in_new_netns(|| {
        ip(ENTRIES);
        let mut kernel = LinuxKernel::open().unwrap();
        let before = kernel.snapshot().unwrap();
        let mut removals = Vec::new();
        for rule in before.rules.iter().filter(|rule| rule.protocol != 2) {
            removals.push(Change::remove(rule.clone()));
        }
        for route in before.routes.iter().filter(|route| route.protocol != 2) {
            removals.push(Change::remove(route.clone()));
        }
        for entry in &before.proxies {
            removals.push(Change::remove(*entry));
        }
        assert!(removals.len() > 25, "{}", removals.len());
        for removal in &removals {
            let add = removal.inverse();
            kernel
                .make(std::slice::from_ref(removal))
                .unwrap_or_else(|failed| panic!("{removal:?}: {failed:?}"));
            let without = still(kernel.snapshot().unwrap());
            assert_eq!(without, still(before.with(std::slice::from_ref(removal))));
            // Again: it is not there any more.
            let failed = kernel.make(std::slice::from_ref(removal)).unwrap_err();
            assert_eq!((failed.at, failed.error.kind()), (0, ErrorKind::Changed), "{}", failed.error);
            kernel.make(std::slice::from_ref(&add)).unwrap_or_else(|failed| panic!("{add:?}: {failed:?}"));
            if !matches!(add.object, Object::Proxy { .. }) {
                let failed = kernel.make(std::slice::from_ref(&add)).unwrap_err();
                assert_eq!((failed.at, failed.error.kind()), (0, ErrorKind::Changed), "{}", failed.error);
            }
            let again = still(kernel.snapshot().unwrap());
            assert_eq!(again.rules, before.rules, "{add:?}");
            assert_eq!(again, still(before.clone()), "{add:?}");
        }
        // All at once, and all back.
        kernel.make(&removals).unwrap();
        assert!(kernel.snapshot().unwrap().proxies.is_empty());
        let back: Vec<_> = removals.iter().rev().map(Change::inverse).collect();
        kernel.make(&back).unwrap();
        assert_eq!(still(kernel.snapshot().unwrap()), still(before));
    });
}

#[test]
fn proxy_entries_are_permanent_and_marked() {
    in_new_netns(|| {
        ip("link add eth0 type veth peer name p0
            link set eth0 up
            link set p0 up");
        let mut kernel = LinuxKernel::open().unwrap();
        let SysctlScope::Interface { index, .. } = interface(&mut kernel, "eth0") else { unreachable!() };
        kernel.make(&[proxy("10.0.0.5", index.0), proxy("fd00::5", index.0)]).unwrap();
        // Carrier loss drops all but permanent ones.
        ip("link set p0 down
            link set p0 up");
        let held = kernel.snapshot().unwrap().proxies;
        assert_eq!(held.len(), 2);
        assert!(held.iter().all(|entry| entry.protocol == PROTOCOL));
        assert_eq!(json("-N neigh show proxy dev eth0").len(), 2);
        // A control, so that the above is known to test something.
        ip("neigh add proxy 10.0.0.6 dev eth0 nud none
            link set p0 down
            link set p0 up");
        assert!(run("ip neigh show proxy").contains("10.0.0.5"));
    });
}

#[test]
fn a_failing_batch_is_told_exactly() {
    in_new_netns(|| {
        let mut kernel = LinuxKernel::open().unwrap();
        let mut changes: Vec<_> =
            (0..600).map(|i| proxy(&format!("10.0.{}.{}", i / 256, i % 256), 1)).collect();
        let scope = SysctlScope::All;
        changes.push(Change::set(Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore }, 0, 1));
        changes[300] = proxy("10.9.9.9", 4711);
        changes[400] = proxy("10.9.9.9", 4712);
        let failed = kernel.make(&changes).unwrap_err();
        assert_eq!(failed.at, 300);
        assert_eq!(failed.error.kind(), ErrorKind::Changed, "{}", failed.error);
        assert!(failed.error.to_string().contains("10.9.9.9 dev if4711"), "{}", failed.error);
        // The rest of the piece of 256, without the second that was refused; nothing of the next piece.
        let beyond: Vec<_> = (301..512).filter(|place| *place != 400).collect();
        assert_eq!(failed.beyond, beyond);
        let after = kernel.snapshot().unwrap();
        assert_eq!(after.proxies.len(), 300 + beyond.len());
        assert_eq!(after.all.get(Sysctl::ArpIgnore), Some(0));
        let undo: Vec<_> = failed
            .beyond
            .iter()
            .rev()
            .chain((0..failed.at).rev().collect::<Vec<_>>().iter())
            .map(|place| changes[*place].inverse())
            .collect();
        kernel.make(&undo).unwrap();
        assert!(kernel.snapshot().unwrap().proxies.is_empty());
    });
}

#[test]
fn an_interface_that_is_another_by_now_is_not_written() {
    in_new_netns(|| {
        ip("link add eth0 type veth peer name p0");
        let mut kernel = LinuxKernel::open().unwrap();
        let scope = interface(&mut kernel, "eth0");
        let change = Change::set(Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore }, 0, 1);
        let delay = Change::set(Object::ProxyDelay { scope }, 800, 0);
        let six = Change::set(Object::Ipv6Sysctl { scope, sysctl: Ipv6Sysctl::ProxyNdp }, 0, 1);
        // Renamed, and another one by that name.
        ip("link set eth0 name eth9
            link add eth0 type veth peer name p9");
        let changes = [change, delay, six];
        for change in &changes {
            let failed = kernel.make(std::slice::from_ref(change)).unwrap_err();
            assert_eq!(failed.error.kind(), ErrorKind::Changed, "{}", failed.error);
            assert!(failed.error.to_string().contains("eth0"), "{}", failed.error);
        }
        for name in ["eth0", "eth9"] {
            assert_eq!(
                fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{name}/arp_ignore")).unwrap(),
                "0\n"
            );
        }
        ip("link del eth0
            link del eth9");
        for change in &changes {
            let failed = kernel.make(std::slice::from_ref(change)).unwrap_err();
            assert_eq!(failed.error.kind(), ErrorKind::Changed, "{}", failed.error);
        }
    });
}

/// Names that were read with the interfaces hold until there is news of an interface, and not a moment longer.
#[test]
fn an_interface_that_was_renamed_since_interfaces_were_read_is_not_written() {
    in_new_netns(|| {
        ip("link add eth0 type veth peer name p0");
        let read = |name: &str| {
            let path = format!("/proc/sys/net/ipv4/conf/{name}/arp_ignore");
            fs::read_to_string(path).unwrap().trim().to_owned()
        };
        let change = |scope, before, after| {
            Change::set(Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore }, before, after)
        };
        let mut kernel = LinuxKernel::open().unwrap();
        let (eth0, p0) = (interface(&mut kernel, "eth0"), interface(&mut kernel, "p0"));
        assert_eq!(kernel.interfaces().unwrap().len(), 3);
        kernel.make(&[change(eth0, 0, 1), change(p0, 0, 1)]).unwrap();
        assert_eq!((read("eth0"), read("p0")), ("1".to_owned(), "1".to_owned()));
        // They change names, so that each has the other's.
        ip("link set eth0 name eth9
            link set p0 name eth0
            link set eth9 name p0");
        let failed = kernel.make(&[change(eth0, 1, 2), change(p0, 1, 2)]).unwrap_err();
        assert_eq!((failed.at, failed.error.kind()), (0, ErrorKind::Changed), "{}", failed.error);
        assert_eq!((read("eth0"), read("p0")), ("1".to_owned(), "1".to_owned()));
        // Read again, they are written by their new names; gone, no longer, whoever has the name.
        let (eth0, p0) = (interface(&mut kernel, "eth0"), interface(&mut kernel, "p0"));
        kernel.interfaces().unwrap();
        kernel.make(&[change(p0, 1, 2)]).unwrap();
        ip("link del eth0
            link add eth0 type veth peer name p0");
        for scope in [eth0, p0] {
            let failed = kernel.make(&[change(scope, 1, 2)]).unwrap_err();
            assert_eq!(failed.error.kind(), ErrorKind::Changed, "{}", failed.error);
        }
        assert_eq!((read("eth0"), read("p0")), ("0".to_owned(), "0".to_owned()));
    });
}

/// Changes of one interface in a row are checked together; each is still told apart.
#[test]
fn sysctls_in_a_row_are_set_in_order_up_to_the_one_that_fails() {
    in_new_netns(|| {
        ip("link add eth0 type veth peer name p0");
        let mut kernel = LinuxKernel::open().unwrap();
        let (eth0, p0) = (interface(&mut kernel, "eth0"), interface(&mut kernel, "p0"));
        let change = |scope, sysctl, after| Change::set(Object::Sysctl { scope, sysctl }, 0, after);
        let read = |name: &str, sysctl: &str| {
            fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{name}/{sysctl}")).unwrap().trim().to_owned()
        };
        let changes = [
            change(eth0, Sysctl::ArpIgnore, 1),
            change(eth0, Sysctl::ArpAnnounce, 2),
            change(p0, Sysctl::ArpIgnore, 8),
            change(p0, Sysctl::RpFilter, 2),
        ];
        kernel.make(&changes).unwrap();
        let values =
            [("eth0", "arp_ignore"), ("eth0", "arp_announce"), ("p0", "arp_ignore"), ("p0", "rp_filter")];
        assert_eq!(values.map(|(name, sysctl)| read(name, sysctl)), ["1", "2", "8", "2"]);
        // p0 is another one by now: what comes before is made, nothing of what comes after.
        ip("link set p0 name p9
            link add p0 type veth peer name p8");
        let undo: Vec<Change> = changes.iter().map(Change::inverse).collect();
        let failed = kernel.make(&undo).unwrap_err();
        assert_eq!((failed.at, failed.error.kind()), (2, ErrorKind::Changed), "{}", failed.error);
        assert_eq!(values.map(|(name, sysctl)| read(name, sysctl)), ["0", "0", "0", "0"]);
        assert_eq!((read("p9", "arp_ignore"), read("p9", "rp_filter")), ("8".to_owned(), "2".to_owned()));
        // A value that the kernel refuses, in the middle.
        let refused = [
            change(eth0, Sysctl::ArpIgnore, 1),
            change(eth0, Sysctl::MediumId, 7),
            change(eth0, Sysctl::ArpAnnounce, 1),
        ];
        // Up, or netlink would set it.
        ip("link set eth0 up");
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        run("mount --make-rprivate /");
        // In place of the file, one that takes nothing.
        run("mount --bind /proc/version /proc/sys/net/ipv4/conf/eth0/medium_id");
        let mut kernel = LinuxKernel::open().unwrap();
        let failed = kernel.make(&refused).unwrap_err();
        assert_eq!(failed.at, 1, "{}", failed.error);
        assert_eq!(
            (read("eth0", "arp_ignore"), read("eth0", "arp_announce")),
            ("1".to_owned(), "0".to_owned())
        );
    });
}

#[test]
fn proxy_delay_takes_back_any_value_that_it_gave() {
    in_new_netns(|| {
        ip("link add eth0 type veth peer name p0");
        let mut kernel = LinuxKernel::open().unwrap();
        let scope = interface(&mut kernel, "eth0");
        let SysctlScope::Interface { index, .. } = scope else { unreachable!() };
        let read = |kernel: &mut LinuxKernel| {
            kernel.snapshot().unwrap().interface(index).unwrap().neigh.proxy_delay as i64
        };
        // In /proc hundredths of a second; what becomes of them in ms depends on the kernel's HZ.
        for written in ["0", "1", "3", "7", "80", "12345"] {
            fs::write("/proc/sys/net/ipv4/neigh/eth0/proxy_delay", written).unwrap();
            // Not always what was written: 1 is 8 ms at HZ=250, which reads as 0.
            let shown = fs::read_to_string("/proc/sys/net/ipv4/neigh/eth0/proxy_delay").unwrap();
            let given = read(&mut kernel);
            let away = Change::set(Object::ProxyDelay { scope }, given, if given == 0 { 800 } else { 0 });
            kernel.make(std::slice::from_ref(&away)).unwrap();
            assert_ne!(read(&mut kernel), given);
            kernel.make(&[away.inverse()]).unwrap();
            assert_eq!(read(&mut kernel), given);
            let text = fs::read_to_string("/proc/sys/net/ipv4/neigh/eth0/proxy_delay").unwrap();
            assert_eq!(text, shown);
        }
    });
}

/// In containers `/proc/sys` is often mounted read-only: interfaces are then written by netlink, `all` cannot be.
#[test]
fn with_proc_sys_read_only_netlink_writes_the_interface() {
    in_new_netns(|| {
        ip("link add eth0 type veth peer name p0");
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        run("mount --make-rprivate /");
        run("mount --bind /proc/sys /proc/sys");
        run("mount -o remount,bind,ro /proc/sys");
        let mut kernel = LinuxKernel::open().unwrap();
        let scope = interface(&mut kernel, "eth0");
        let SysctlScope::Interface { index, name } = scope else { unreachable!() };
        for sysctl in Sysctl::ALL {
            for after in [1, 0, 2, 0] {
                let change = Change::set(Object::Sysctl { scope, sysctl: *sysctl }, 0, after);
                kernel.make(std::slice::from_ref(&change)).unwrap();
                let text = fs::read_to_string(format!("/proc/sys/net/ipv4/conf/eth0/{sysctl}")).unwrap();
                assert_eq!(text.trim(), after.to_string(), "{sysctl}");
            }
        }
        let gone = SysctlScope::Interface { index: IfIndex(index.0 + 100), name };
        let change = |scope| Change::set(Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore }, 0, 1);
        let kind = |kernel: &mut LinuxKernel, scope| kernel.make(&[change(scope)]).unwrap_err().error.kind();
        assert_eq!(kind(&mut kernel, gone), ErrorKind::Changed);
        assert_eq!(kind(&mut kernel, SysctlScope::All), ErrorKind::PermissionDenied);
    });
}
