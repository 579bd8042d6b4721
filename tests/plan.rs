//! Plans made from the running kernel's snapshot, carried out on it: afterwards the policy holds, a second
//! plan is empty, and the inverse gives the former snapshot.
#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::plan::PROTOCOL;
use arpflux_core::snapshot::{AddressFlags, NeighbourState, RoutingMemory, Snapshot};
use arpflux_core::state::Change;
use arpflux_core::{Policy, verify};
use arpflux_lab::page::POLICY;
use arpflux_tests::iproute::{in_new_netns, ip};

/// Without what comes and goes by itself, what no change can take back, and the order of rules of one
/// priority for different sources, which means nothing.
fn still(mut snapshot: Snapshot) -> Snapshot {
    snapshot.neighbours.retain(|neighbour| neighbour.state == NeighbourState(0x80));
    snapshot.routing = RoutingMemory::default();
    snapshot.proxies.sort_unstable();
    snapshot.rules.sort_by_key(|rule| (rule.ipv6, rule.priority, rule.source.map(|net| net.addr())));
    snapshot
}

/// Waits until the kernel has done what follows by itself from links that came up: it adds IPv6 addresses
/// and routes, and takes its time.
fn settled(kernel: &mut LinuxKernel) {
    let mut last = still(kernel.snapshot().unwrap());
    let mut same = 0;
    for _ in 0..200 {
        std::thread::sleep(Duration::from_millis(50));
        let now = still(kernel.snapshot().unwrap());
        same = if now == last { same + 1 } else { 0 };
        last = now;
        let tentative = last.addresses.iter().any(|held| held.flags.contains(AddressFlags::TENTATIVE));
        if same >= 4 && !tentative {
            return;
        }
    }
    panic!("the namespace keeps changing");
}

/// Carries out the plan for `policy` and checks everything that must hold then. Gives the changes made.
fn carry_out(kernel: &mut LinuxKernel, policy: &str) -> Vec<Change> {
    let policy = Policy::from_toml(&format!("version = 1\n{policy}"), "policy.toml").unwrap();
    let before = kernel.snapshot().unwrap();
    let plan = policy.plan(&before).unwrap();
    let reported =
        |changes: &[Change]| changes.iter().map(|change| format!("{change}\n")).collect::<String>();
    if let Err(failed) = kernel.make(&plan.changes) {
        panic!("change {} of\n{}: {}", failed.at, reported(&plan.changes), failed.error);
    }
    let after = kernel.snapshot().unwrap();
    assert_eq!(
        still(before.with(&plan.changes)).rules,
        still(after.clone()).rules,
        "the kernel holds other rules than foreseen"
    );
    let again = policy.plan(&after).unwrap();
    assert!(
        again.is_empty(),
        "a second plan:\n{}after\n{}",
        reported(&again.changes),
        reported(&plan.changes)
    );
    let report = verify::check(&policy, &after).unwrap();
    assert!(report.ok(), "{report}");
    assert!(report.undetermined.is_empty(), "{report}");
    kernel.make(&plan.inverse().changes).unwrap();
    assert_eq!(still(kernel.snapshot().unwrap()), still(before));
    kernel.make(&plan.changes).unwrap();
    plan.changes
}

/// The page's hardware node: three NICs on one subnet, containers behind a fourth interface.
fn hardware_node() {
    for (nic, last) in [("eth0", 10), ("eth3", 11), ("eth4", 12)] {
        ip(&format!("link add {nic} type veth peer name {nic}p"));
        ip(&format!("link set {nic} up"));
        ip(&format!("link set {nic}p up"));
        ip(&format!("addr add 192.168.18.{last}/24 dev {nic}"));
    }
    ip("link add venet0 type veth peer name venet0p");
    ip("link set venet0 up");
    ip("link set venet0p up");
    ip("route add default via 192.168.18.1 dev eth0");
    for container in [101, 102] {
        ip(&format!("route add 192.168.18.{container} dev venet0"));
        for nic in ["eth0", "eth3", "eth4"] {
            ip(&format!("neigh add proxy 192.168.18.{container} dev {nic}"));
        }
    }
}

fn set(key: &str, value: i32) {
    std::fs::write(format!("/proc/sys/net/ipv4/{key}"), value.to_string()).unwrap();
}

#[test]
fn the_page_with_every_rp_filter() {
    for rp_filter in 0..3 {
        in_new_netns(|| {
            hardware_node();
            for nic in ["eth0", "eth3", "eth4", "venet0"] {
                set(&format!("conf/{nic}/rp_filter"), rp_filter);
                set(&format!("conf/{nic}/forwarding"), i32::from(nic == "venet0"));
            }
            let mut kernel = LinuxKernel::open().unwrap();
            settled(&mut kernel);
            let page = POLICY.replace("version = 1\n", "").replace("[host]\n", "[host]\nproxy_delay = 0\n");
            let changes = carry_out(&mut kernel, &page);
            assert!(changes.len() > 20, "{changes:#?}");
            // A container moves, then everything of ours goes again.
            let moved = page.replace("interface = \"eth3\"", "interface = \"eth4\"");
            assert_eq!(carry_out(&mut kernel, &moved).len(), 6);
            let nothing = "[host]\negress = \"unmanaged\"\nforeign_proxies = \"remove\"\n";
            if rp_filter != 1 {
                carry_out(&mut kernel, nothing);
                let left = kernel.snapshot().unwrap();
                assert!(left.rules.iter().all(|rule| rule.protocol != PROTOCOL));
                assert!(left.routes.iter().all(|route| route.protocol != PROTOCOL));
            }
        });
    }
}

#[test]
fn gateways_ipv6_and_the_rules_of_others() {
    in_new_netns(|| {
        for (nic, address) in [("eth0", "10.0.1.1/24"), ("eth1", "10.0.2.1/24"), ("eth2", "10.0.2.2/24")] {
            ip(&format!("link add {nic} type veth peer name {nic}p"));
            ip(&format!("link set {nic} up"));
            ip(&format!("link set {nic}p up"));
            ip(&format!("addr add {address} dev {nic}"));
        }
        ip("link add br0 type bridge");
        ip("link set br0 up");
        ip("addr add 172.17.0.1/16 dev br0");
        ip("addr add 2001:db8::1/64 dev eth1 nodad");
        ip("addr add 2001:db8::2/64 dev eth2 nodad");
        ip("route add default via 10.0.1.254 metric 100");
        ip("route add default via 10.0.2.254 dev eth1 metric 200");
        ip("route add unreachable 10.9.0.0/16");
        ip("route add 10.8.0.0/16 via 10.0.1.253");
        ip("route add 2001:db8::101 dev br0");
        // Without it an IPv6 entry answers for nobody, and `verify` says so.
        std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        ip("rule add from 10.77.0.0/16 lookup 77 pref 17501");
        ip("route add 10.0.0.0/8 via 10.0.1.254 table 77");
        let mut kernel = LinuxKernel::open().unwrap();
        settled(&mut kernel);
        let container = "[[proxy]]\nowner = \"101\"\naddresses = [\"2001:db8::101\"]\ninterface = \"eth2\"\n";
        let changes = carry_out(&mut kernel, &format!("[host]\nforeign_proxies = \"remove\"\n{container}"));
        let v6 = changes.iter().filter(|change| change.to_string().contains("2001:db8::101"));
        assert_eq!(v6.count(), 3, "an entry and two rules: {changes:#?}");
        carry_out(&mut kernel, "[host]\nstrategy = \"filter\"\n");
    });
}
