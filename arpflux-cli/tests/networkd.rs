//! What `apply --persist` gives to systemd-networkd, against the real one.

mod image;

use std::process::Child;
use std::time::{Duration, Instant};

use image::{INTERFACES, Image};

const NETWORKD: &str = "/usr/lib/systemd/systemd-networkd";
const PERSIST: &str = "arpflux apply --policy /policy.toml --persist --manager networkd";
const LENIENT: &str = "/etc/systemd/networkd.conf.d/90-arpflux.conf";

fn network(name: &str, addresses: &[&str]) -> String {
    let addresses: String = addresses.iter().map(|address| format!("Address={address}\n")).collect();
    format!("[Match]\nName={name}\n[Network]\nLinkLocalAddressing=no\n{addresses}")
}

/// A host whose interfaces systemd-networkd configures, each by a file of its own.
fn managed(name: &str) -> Image {
    let image = Image::bare(name);
    for (interface, mac, address) in INTERFACES {
        image.node.plug(&image.lan, interface, mac.parse().unwrap()).unwrap();
        image.write(&format!("/etc/systemd/network/10-{interface}.network"), &network(interface, &[address]));
    }
    image
}

/// systemd-networkd, until it is dropped.
struct Networkd<'a> {
    child: Child,
    _image: &'a Image,
}

impl<'a> Networkd<'a> {
    /// Starts it and waits until `addresses` are there.
    fn start(image: &'a Image, addresses: usize) -> Self {
        // What an earlier one left would look as if this one were ready.
        let _ = std::fs::remove_dir_all(image.path("/run/systemd/netif"));
        // A file system that cannot be written stands for "no udev here", as in a container.
        let mut command = image.shell(&format!(
            "mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp; \
             exec {NETWORKD} >/tmp/networkd.log 2>&1"
        ));
        command.env("SYSTEMD_LOG_TARGET", "console").env("SYSTEMD_LOG_LEVEL", "debug");
        let child = image.node.run(move || command.spawn().unwrap()).unwrap();
        let networkd = Self { child, _image: image };
        let begin = Instant::now();
        loop {
            let now = image.host.snapshot().unwrap();
            let held =
                now.addresses.iter().filter(|address| address.local.to_string().starts_with("192.168.18."));
            let states =
                std::fs::read_dir(image.path("/run/systemd/netif/links")).into_iter().flatten().flatten();
            let done = states.filter(|entry| {
                let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
                text.contains("ADMIN_STATE=configured\n")
            });
            if held.count() >= addresses && done.count() >= INTERFACES.len() {
                return networkd;
            }
            let log = || image.read("/tmp/networkd.log");
            assert!(begin.elapsed() < Duration::from_secs(30), "not configured: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Networkd<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As a boot leaves the kernel: no rule, no route of anybody's tables, no address, no sysctl of ours.
fn reboot(image: &Image) {
    image.good("arpflux rollback >/dev/null 2>&1 || true");
    image.good(
        "for link in eth0 eth3 lan.7; do ip link set $link down; ip addr flush dev $link; ip link set $link up; done
         for family in -4 -6; do for p in 17500 17501 17502 17503; do while ip $family rule del priority $p 2>/dev/null; do :; done; done; done",
    );
}

fn rules(image: &Image, protocol: u8) -> usize {
    let now = image.host.snapshot().unwrap();
    now.rules
        .iter()
        .filter(|rule| rule.protocol == protocol && !matches!(rule.priority, 0 | 32_766..))
        .count()
}

#[test]
fn networkd_makes_the_rules_and_routes_of_the_policy_at_boot() {
    let image = managed("drop-ins");
    let networkd = Networkd::start(&image, 3);
    let text = image.good(PERSIST);
    assert!(text.contains("write /etc/systemd/network/10-lan.7.network.d/90-arpflux.conf"), "{text}");
    assert!(text.contains("no manager brings entries"), "{text}");
    assert!(!image.is_there(LENIENT), "every interface has a file of its own");
    assert!(image.holds(), "{:?}", image.verify());
    let ours = rules(&image, 175);
    assert_eq!((ours, rules(&image, 4)), (10, 0));
    let written = image.etc();
    drop(networkd);
    let undo = image.etc();

    // After the boot networkd has made what the plan wanted, in its own name; so nothing else is wanted.
    image.good("cp -a /etc /etc.kept");
    reboot(&image);
    image.good("rm -r /etc; mv /etc.kept /etc");
    assert!(image.etc() == undo);
    let networkd = Networkd::start(&image, 3);
    assert_eq!((rules(&image, 175), rules(&image, 4)), (0, ours), "{}", image.read("/tmp/networkd.log"));
    let log = image.read("/tmp/networkd.log");
    assert!(!log.contains("90-arpflux.conf:"), "networkd complains of a line: {log}");
    let plan = image.good("arpflux plan --no-impact --policy /policy.toml");
    assert!(!plan.contains("rule ") || !plan.contains("+ "), "{plan}");
    image.good(PERSIST);
    assert_eq!(rules(&image, 175), 0, "networkd's rules serve");
    assert!(image.holds(), "{:?}", image.verify());
    assert!(image.etc() == written, "the drop-ins are still wanted");

    // A policy that moves an address: networkd's rule for it is ours to replace, and comes back with the undo.
    let state = image.state();
    let moved = image::POLICY.replace("interface = \"lan.7\"", "interface = \"eth0\"");
    image.write("/policy.toml", &moved);
    image.good(PERSIST);
    assert!(image.holds(), "{:?}", image.verify());
    assert_eq!((rules(&image, 175), rules(&image, 4)), (ours, 0));
    assert!(image.etc() != written);
    image.good("arpflux rollback");
    assert!(image.state() == state && image.etc() == written);
    drop(networkd);
}

#[test]
fn what_a_drop_in_cannot_carry_is_left_alone_by_networkd() {
    let image = managed("shared");
    // One file for two interfaces: its routes would go to both.
    std::fs::remove_file(image.path("/etc/systemd/network/10-lan.7.network")).unwrap();
    std::fs::remove_file(image.path("/etc/systemd/network/10-eth0.network")).unwrap();
    image.write("/etc/systemd/network/20-rest.network", &network("eth0 lan.*", &[]));
    for (interface, _, address) in [INTERFACES[0], INTERFACES[2]] {
        image.node.address(interface, address).unwrap();
    }
    let networkd = Networkd::start(&image, 3);
    image.good(PERSIST);
    assert!(image.is_there(LENIENT));
    assert!(!image.is_there("/etc/systemd/network/20-rest.network.d/90-arpflux.conf"));
    // Two who make the same rules would make them twice.
    assert!(!image.is_there("/etc/systemd/network/10-eth3.network.d/90-arpflux.conf"));
    let ours = rules(&image, 175);
    drop(networkd);
    // A restart of networkd takes nothing away: what it does not know stays.
    let networkd = Networkd::start(&image, 3);
    assert!(rules(&image, 175) == ours, "networkd removed rules: {:?}", image.state().rules);
    assert!(image.holds(), "{:?}", image.verify());
    // It does not even take note of what it could take away; without the file it does.
    let noted = || {
        image.read("/tmp/networkd.log").contains("foreign routing policy rule (configured): priority: 17501")
    };
    assert!(!noted(), "{}", image.read("/tmp/networkd.log"));
    drop(networkd);
    std::fs::remove_file(image.path(LENIENT)).unwrap();
    let networkd = Networkd::start(&image, 3);
    assert!(noted(), "{}", image.read("/tmp/networkd.log"));
    drop(networkd);
}

#[test]
fn proxied_neighbour_discovery_is_left_on() {
    let image = managed("ndp");
    image.node.sysctl("net/ipv6/conf/all/forwarding", 1).unwrap();
    let policy = image::POLICY.replace("\"192.168.18.101\"", "\"192.168.18.101\", \"2001:db8::101\"");
    image.write("/policy.toml", &policy);
    let networkd = Networkd::start(&image, 3);
    image.good(PERSIST);
    let drop_in = image.read("/etc/systemd/network/10-eth3.network.d/90-arpflux.conf");
    assert!(drop_in.contains("[Network]\nIPv6ProxyNDP=yes\n"), "{drop_in}");
    drop(networkd);
    // networkd sets it when it configures the interface, whatever it was.
    image.node.sysctl("net/ipv6/conf/eth3/proxy_ndp", 0).unwrap();
    image.node.sysctl("net/ipv6/conf/eth0/proxy_ndp", 1).unwrap();
    let networkd = Networkd::start(&image, 3);
    let value = |name: &str| {
        image.node.read_sysctl(&format!("net/ipv6/conf/{name}/proxy_ndp")).unwrap().trim().to_owned()
    };
    let begin = Instant::now();
    while value("eth3") != "1" || value("eth0") != "0" {
        assert!(begin.elapsed() < Duration::from_secs(10), "eth3 {}, eth0 {}", value("eth3"), value("eth0"));
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(networkd);
}
