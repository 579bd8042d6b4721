//! Random mixes of sysctl.d, ufw, networkd and interfaces(5).

use std::fmt::Write as _;

use crate::real::{Counts, SYSCTLS, compare};
use crate::tree::{Scratch, Tree};

/// Numbers that look random and are the same each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

/// A line such as an administrator or a vendor writes it: either spelling, names or patterns, `default` and `ip_forward`.
fn line(numbers: &mut Numbers) -> String {
    let interface = numbers.of(&["eth0", "eth1", "eth0.7", "all", "default", "eth*", "*", "eth?", "gone0"]);
    let sysctl = numbers.of(SYSCTLS);
    let key = match numbers.below(4) {
        0 => format!("net/ipv4/conf/{interface}/{sysctl}"),
        1 => format!("net.ipv4.conf.{}.{sysctl}", interface.replace('.', "/")),
        2 => format!("net.ipv4.conf.{interface}.{sysctl}"),
        _ => "net.ipv4.ip_forward".to_owned(),
    };
    let value = numbers.of(&["0", "1", "2", "1", "0x2", "two"]);
    match numbers.below(9) {
        0 => format!("-{key}"),
        1 => format!("-{key} = {value}"),
        2 => format!("  {key}={value}  "),
        3 => format!("# {key} = {value}"),
        _ => format!("{key} = {value}"),
    }
}

fn lines(numbers: &mut Numbers, most: usize) -> String {
    let count = 1 + numbers.below(most);
    (0..count).map(|_| line(numbers) + "\n").collect()
}

fn network(numbers: &mut Numbers) -> String {
    let mut text = format!(
        "[Match]\nName={}\n[Network]\nLinkLocalAddressing=no\n",
        numbers.of(&["eth0", "eth1", "eth*"])
    );
    for _ in 0..numbers.below(5) {
        let key = numbers.of(&["IPv4ProxyARP", "IPv4AcceptLocal", "IPv4RouteLocalnet", "IPForward"]);
        let value = numbers.of(&["yes", "no", "true", "off", "", "maybe"]);
        let _ = writeln!(text, "{key}={value}");
    }
    text
}

fn interfaces(numbers: &mut Numbers) -> String {
    let mut text = String::new();
    for name in ["eth1", "eth0", "eth0.7"] {
        if numbers.below(4) > 0 {
            let _ = writeln!(text, "auto {name}");
        }
    }
    for (number, name) in ["eth0", "eth1", "eth0.7"].iter().enumerate() {
        let _ = writeln!(text, "iface {name} inet static\n  address 10.77.{number}.1/24");
        for _ in 0..numbers.below(4) {
            let (when, sysctl) = (numbers.of(&["up", "pre-up", "post-up", "down"]), numbers.of(SYSCTLS));
            let at = numbers
                .of(&["$IFACE", "eth0", "eth1", "all", "default"])
                .replace("$IFACE", &name.replace('.', "/"));
            let value = numbers.below(3);
            let path = at.replace('/', ".");
            let command = match numbers.below(4) {
                0 => format!("sysctl -qw net.ipv4.conf.{at}.{sysctl}={value}"),
                1 => format!("echo {value} > /proc/sys/net/ipv4/conf/{path}/{sysctl}"),
                2 => format!(
                    "ip link show >/dev/null && sysctl -q net.ipv4.conf.{at}.{sysctl}={value} || true"
                ),
                _ => format!("sh -c 'echo {value} | tee /proc/sys/net/ipv4/conf/{path}/{sysctl} >/dev/null'"),
            };
            let _ = writeln!(text, "  {when} {command}");
        }
    }
    text
}

fn mix(numbers: &mut Numbers) -> Tree {
    let mut tree =
        Tree { nics: vec!["eth0".into(), "eth1".into()], virtuals: vec!["eth0.7".into()], ..Tree::default() };
    let mut run = |step: &str| tree.run.push(step.into());
    let reader = numbers.of(&["systemd_sysctl", "systemd_sysctl", "procps", "busybox"]);
    run(reader);
    let (ufw, networkd, ifup) =
        (numbers.below(2) == 0, reader == "systemd_sysctl" && numbers.below(2) == 0, numbers.below(2) == 0);
    if ufw {
        run("ufw");
    }
    if networkd {
        run("networkd");
    }
    if ifup {
        run("ifup");
    }
    match reader {
        "systemd_sysctl" => {
            tree.run.push("udev".into());
            tree.file("/usr/lib/systemd/systemd", "");
        }
        "procps" => tree.file("/etc/init.d/procps", ""),
        _ => tree.file("/etc/alpine-release", "3.22.0\n"),
    }
    for _ in 0..1 + numbers.below(4) {
        let folder = numbers.of(&["/etc/sysctl.d", "/run/sysctl.d", "/usr/lib/sysctl.d", "/etc/sysctl.d"]);
        let name = numbers.of(&["10-a.conf", "50-default.conf", "90-z.conf", "99-zz.conf"]);
        if !tree.files.iter().any(|(path, _)| *path == format!("{folder}/{name}")) {
            let text = lines(numbers, 6);
            tree.file(&format!("{folder}/{name}"), text);
        }
    }
    tree.file("/etc/sysctl.conf", lines(numbers, 2));
    if ufw {
        tree.file(
            "/etc/default/ufw",
            std::fs::read_to_string("/etc/default/ufw").expect("the Debian package ufw"),
        );
        for name in
            ["before.rules", "after.rules", "before6.rules", "after6.rules", "user.rules", "user6.rules"]
        {
            let text = std::fs::read_to_string(format!("/etc/ufw/{name}")).expect("the Debian package ufw");
            tree.file(&format!("/etc/ufw/{name}"), text);
        }
        tree.file("/etc/ufw/ufw.conf", "ENABLED=yes\nLOGLEVEL=low\n");
        tree.file("/etc/ufw/sysctl.conf", lines(numbers, 4));
        let wants = "/etc/systemd/system/multi-user.target.wants/ufw.service";
        let wants = if reader == "systemd_sysctl" { wants } else { "/etc/rc2.d/S01ufw" };
        tree.file(wants, "");
    }
    if networkd {
        for name in ["10-a.network", "20-b.network"] {
            let text = network(numbers);
            tree.file(&format!("/etc/systemd/network/{name}"), text);
        }
    }
    if ifup {
        tree.file("/etc/network/interfaces", interfaces(numbers));
        tree.file("/sbin/ifup", "");
    }
    tree
}

#[test]
fn random_mixes_boot_as_predicted() {
    let mut counts = Counts::default();
    let only: Option<u64> = std::env::var("ARPFLUX_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in (1..=100).filter(|seed| only.is_none_or(|only| only == *seed)) {
        let mut numbers = Numbers(seed * 0x9e37_79b9);
        let tree = mix(&mut numbers);
        let scratch = Scratch::new(&format!("mix-{seed}"));
        tree.lay(&scratch.0);
        let report = tree.report(&scratch.0);
        compare(&tree, &scratch.0, &report, &format!("seed {seed}: {}", tree.text()), &mut counts);
    }
    println!("100 mixes: {counts:?}");
    assert!(only.is_some() || (counts.set > 400 && counts.undetermined * 5 < counts.compared), "{counts:?}");
}
