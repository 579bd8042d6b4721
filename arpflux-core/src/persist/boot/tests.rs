//! Trees of files as people have them, written from the documented defaults of each program.

use super::{Lint, who};
use crate::persist::sysctld::Key;
use crate::persist::sysctld::tests::TempDir;
use crate::persist::{BootReport, BootValue, Layout, at_boot};
use crate::plan::tests::host::Host;
use crate::snapshot::{Rule, Snapshot};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

mod made;

const SYSTEMD: (&str, &str) = ("usr/lib/systemd/systemd", "");

fn tree(files: &[(&str, &str)]) -> (TempDir, Layout) {
    let root = TempDir::new();
    for (path, text) in files {
        let path = root.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
            None => std::fs::write(path, text).unwrap(),
        }
    }
    let layout = Layout { root: root.0.clone(), ..Layout::default() };
    (root, layout)
}

/// eth0 and eth1 in one subnet, with some values set.
fn host(values: &[(u32, Sysctl, i32)]) -> Snapshot {
    let mut host = Host::new().nic(2, "eth0", &["10.11.12.13/24"]).nic(3, "eth1", &["10.11.12.14/24"]).0;
    for (index, sysctl, value) in values {
        match host.interfaces.iter_mut().find(|interface| interface.index == IfIndex(*index)) {
            Some(interface) => interface.sysctls.set(*sysctl, Some(*value)),
            None => host.all.set(*sysctl, Some(*value)),
        }
    }
    host
}

fn value<'r>(report: &'r BootReport, key: &str) -> Option<&'r BootValue> {
    report.values.iter().find(|value| value.key == Key::parse(key))
}

/// What decides, as VALUE and FILE:LINE.
fn decides(report: &BootReport, key: &str) -> (Option<i32>, String) {
    let value = value(report, key).unwrap_or_else(|| panic!("{key} is not in {report:#?}"));
    let line = value.set_by.as_ref().map(|line| format!("{}:{}", line.file.display(), line.line));
    (value.at_boot, line.unwrap_or_default())
}

#[test]
fn sysctl_conf_is_not_read_by_systemd_unless_it_is_linked() {
    let text = "net.ipv4.conf.eth0.arp_ignore=1\nnet.ipv4.ip_forward=1\n";
    let now = host(&[(2, Sysctl::ArpIgnore, 1)]);
    let (_root, layout) = tree(&[SYSTEMD, ("etc/sysctl.conf", text)]);
    let report = at_boot(&now, &layout).unwrap();
    let lost = value(&report, "net.ipv4.conf.eth0.arp_ignore").unwrap();
    assert_eq!((lost.at_boot, lost.ignored.len()), (None, 1));
    let not_read = |lint: &&Lint| lint.file.ends_with("sysctl.conf") && lint.problem.contains("is not read");
    assert_eq!(report.lints.iter().filter(not_read).count(), 2, "{:#?}", report.lints);

    let (_root, layout) =
        tree(&[SYSTEMD, ("etc/sysctl.conf", text), ("etc/sysctl.d/99-sysctl.conf", "-> ../sysctl.conf")]);
    let report = at_boot(&now, &layout).unwrap();
    assert_eq!(decides(&report, "net.ipv4.conf.eth0.arp_ignore").0, Some(1));
    assert_eq!(report.lints, []);

    // OpenRC reads it last.
    let (_root, layout) = tree(&[
        ("etc/alpine-release", "3.22.0\n"),
        ("etc/sysctl.conf", text),
        ("etc/sysctl.d/zz.conf", "net.ipv4.conf.eth0.arp_ignore=8\n"),
    ]);
    let report = at_boot(&now, &layout).unwrap();
    assert_eq!(decides(&report, "net.ipv4.conf.eth0.arp_ignore"), (Some(1), "/etc/sysctl.conf:1".into()));
}

#[test]
fn ufw_sets_its_own_after_sysctl_d() {
    let files = [
        SYSTEMD,
        ("usr/lib/systemd/system/ufw.service", ""),
        ("etc/systemd/system/multi-user.target.wants/ufw.service", "-> /usr/lib/systemd/system/ufw.service"),
        ("etc/default/ufw", "# settings\nIPT_SYSCTL=/etc/ufw/sysctl.conf\n"),
        ("etc/ufw/sysctl.conf", "net/ipv4/conf/all/rp_filter=1\n"),
        ("etc/sysctl.d/90-arp.conf", "net.ipv4.conf.all.rp_filter = 0\n"),
        ("etc/ufw/ufw.conf", "ENABLED=yes\n"),
    ];
    let (root, layout) = tree(&files);
    let report = at_boot(&host(&[]), &layout).unwrap();
    assert_eq!(decides(&report, "net.ipv4.conf.all.rp_filter"), (Some(1), "/etc/ufw/sysctl.conf:1".into()));
    assert!(report.differences() > 0);
    let lines = who(&host(&[]), &layout, &Key::parse("net.ipv4.conf.all.rp_filter")).unwrap();
    let files: Vec<_> = lines.iter().map(|line| line.file.display().to_string()).collect();
    assert_eq!(files, ["/etc/sysctl.d/90-arp.conf", "/etc/ufw/sysctl.conf"]);

    std::fs::write(root.0.join("etc/ufw/ufw.conf"), "ENABLED=no\n").unwrap();
    assert_eq!(decides(&at_boot(&host(&[]), &layout).unwrap(), "net.ipv4.conf.all.rp_filter").0, Some(0));
}

#[test]
fn lines_of_interfaces_that_come_up_are_followed() {
    let (_root, layout) = tree(&[
        ("sbin/ifup", ""),
        SYSTEMD,
        (
            "etc/network/interfaces",
            "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet static\n    address 10.11.12.13/24\n\
             \x20   up echo 1 > /proc/sys/net/ipv4/conf/eth0/proxy_arp\n    post-up sysctl -w net.ipv4.conf.$IFACE.arp_ignore=1\n\
             \x20   up ip neigh add proxy 10.11.12.50 dev eth0\n    down sysctl -w net.ipv4.conf.eth0.arp_ignore=0\n\
             source interfaces.d/*\n",
        ),
        (
            "etc/network/interfaces.d/eth1",
            "auto eth1\niface eth1 inet static\n  pre-up sysctl -w net.ipv4.conf.eth1.rp_filter=1\n  up sysctl -w net.ipv4.ip_forward=1\n",
        ),
        (
            "etc/network/interfaces.d/eth9",
            "iface eth9 inet manual\n  up sysctl -w net.ipv4.conf.eth1.arp_ignore=8\n",
        ),
    ]);
    let mut now = Host(host(&[
        (2, Sysctl::ProxyArp, 1),
        (2, Sysctl::ArpIgnore, 1),
        (3, Sysctl::RpFilter, 1),
        (0, Sysctl::Forwarding, 1),
        (2, Sysctl::Forwarding, 1),
        (3, Sysctl::Forwarding, 1),
    ]))
    .proxy("10.11.12.50", 2)
    .0;
    if let Some(lo) = now.interfaces.first_mut() {
        lo.sysctls.set(Sysctl::Forwarding, Some(1));
    }
    let report = at_boot(&now, &layout).unwrap();
    assert_eq!((report.differences(), report.undetermined()), (0, 0), "{report:#?}");
    assert_eq!(decides(&report, "net.ipv4.conf.eth0.arp_ignore").1, "/etc/network/interfaces:8");
    assert!(value(&report, "net.ipv4.conf.eth1.arp_ignore").is_none(), "eth9 does not come up");
}

#[test]
fn what_was_not_followed_leaves_values_open() {
    let (_root, layout) = tree(&[
        SYSTEMD,
        ("sbin/ifup", ""),
        ("etc/network/interfaces", "auto eth0\niface eth0 inet dhcp\n  up /usr/local/bin/arp $IFACE\n"),
        (
            "etc/network/if-up.d/arp",
            "#!/bin/sh\n# arp_ignore is dealt with here\nsysctl -w net.ipv4.conf.$IFACE.arp_ignore=1\n",
        ),
        (
            "etc/systemd/system/multi-user.target.wants/docker.service",
            "-> /usr/lib/systemd/system/docker.service",
        ),
        (
            "etc/udev/rules.d/70-arp.rules",
            "ACTION==\"add\", RUN+=\"/sbin/sysctl net.ipv4.conf.eth1.arp_announce=2\"\n",
        ),
    ]);
    let now = host(&[(2, Sysctl::ArpIgnore, 1), (3, Sysctl::ArpAnnounce, 2), (0, Sysctl::Forwarding, 1)]);
    let report = at_boot(&now, &layout).unwrap();
    let by =
        |key: &str| value(&report, key).and_then(|value| value.undetermined_by.clone()).unwrap_or_default();
    assert_eq!(by("net.ipv4.conf.eth0.arp_ignore"), "/etc/network/if-up.d/arp:3");
    assert_eq!(
        decides(&report, "net.ipv4.conf.eth1.arp_announce"),
        (Some(2), "/etc/udev/rules.d/70-arp.rules:1".into())
    );
    assert_eq!(by("net.ipv4.conf.all.forwarding"), "docker.service");
    assert_eq!((report.differences(), report.undetermined() >= 2), (0, true), "{report:#?}");
    // A value that is 0 now may be set as well: nothing known to differ is not all well.
    assert_eq!(at_boot(&host(&[(3, Sysctl::ArpAnnounce, 2)]), &layout).unwrap().ok(), None);
}

#[test]
fn networkd_and_tuned_set_what_their_files_say() {
    let (_root, layout) = tree(&[
        SYSTEMD,
        (
            "etc/systemd/network/10-lan.network",
            "[Match]\nName=eth*\n\n[Network]\nIPv4ProxyARP=yes\nIPv4ReversePathFilter=loose\n",
        ),
        ("etc/systemd/network/20-late.network", "[Match]\nName=eth1\n\n[Network]\nIPv4ProxyARP=no\n"),
        ("etc/systemd/network/10-lan.network.d/50.conf", "[Network]\nIPv4AcceptLocal=yes\n"),
        (
            "etc/systemd/system/multi-user.target.wants/tuned.service",
            "-> /usr/lib/systemd/system/tuned.service",
        ),
        ("etc/tuned/active_profile", "mine\n"),
        ("etc/tuned/mine/tuned.conf", "[main]\ninclude=base\n[sysctl]\nnet.ipv4.conf.all.arp_filter=1\n"),
        (
            "usr/lib/tuned/base/tuned.conf",
            "[sysctl]\nnet.ipv4.conf.all.arp_announce=2\nnet.ipv4.conf.all.arp_ignore=1\n",
        ),
        ("etc/sysctl.d/90.conf", "net.ipv4.conf.all.arp_ignore = 0\n"),
    ]);
    let report = at_boot(&host(&[]), &layout).unwrap();
    for interface in ["eth0", "eth1"] {
        for (sysctl, number) in [("proxy_arp", 1), ("rp_filter", 2), ("accept_local", 1)] {
            assert_eq!(
                decides(&report, &format!("net.ipv4.conf.{interface}.{sysctl}")).0,
                Some(number),
                "{sysctl}"
            );
        }
    }
    assert_eq!(decides(&report, "net.ipv4.conf.all.arp_filter").1, "/etc/tuned/mine/tuned.conf:4");
    assert_eq!(decides(&report, "net.ipv4.conf.all.arp_announce").1, "/usr/lib/tuned/base/tuned.conf:2");
    // tuned applies the administrator's own files once more.
    assert_eq!(decides(&report, "net.ipv4.conf.all.arp_ignore"), (Some(0), "/etc/sysctl.d/90.conf:1".into()));
}

#[test]
fn lines_that_do_nothing_are_named() {
    let (_root, layout) = tree(&[
        SYSTEMD,
        ("etc/systemd/network/10-lan.link", "[Match]\nMACAddress=02:00:00:00:00:13\n[Link]\nName=lan0\n"),
        (
            "etc/sysctl.d/60-hardening.conf",
            "net.ipv4.conf.all.rp_filter = 1\nnet.ipv4.conf.default.rp_filter = 1\n",
        ),
        (
            "etc/sysctl.d/70-arp.conf",
            "net.ipv4.conf.enp4s0.arp_ignore = 1\nnet.ipv4.conf.lan0.arp_ignore = 1\nnet.ipv4.conf.eth0.arp_ingore = 1\n\
             net.ipv4.conf.eth0.10.arp_ignore = 1\nnet.ipv4.conf.eth1.arp_announce = two\n",
        ),
        ("etc/sysctl.d/80-arp", "net.ipv4.conf.eth0.arp_ignore = 1\n"),
        (
            "usr/lib/sysctl.d/50-default.conf",
            "net.ipv4.conf.default.rp_filter = 2\nnet.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.all.rp_filter\n",
        ),
    ]);
    let report = at_boot(&host(&[(0, Sysctl::RpFilter, 1)]), &layout).unwrap();
    let told: Vec<String> = report
        .lints
        .iter()
        .map(|lint| format!("{}: {} ({})", lint.line, lint.problem, lint.remedy))
        .collect();
    for (line, words) in [
        (1, "no interface enp4s0"),
        (3, "arp_ignore, if"),
        (4, "eth0/10"),
        (5, "\"two\""),
        (0, "80-arp.conf"),
    ] {
        assert!(
            told.iter().any(|lint| lint.starts_with(&format!("{line}: ")) && lint.contains(words)),
            "{words}: {told:#?}"
        );
    }
    assert!(
        told.iter().any(|lint| lint.starts_with("2: ") && lint.contains("reaches no interface")),
        "{told:#?}"
    );
    assert_eq!(told.len(), 6, "lan0 is made by a .link file: {told:#?}");
    // The vendor's file takes `all` out of its pattern: nothing disagrees.
    assert_eq!(value(&report, "net.ipv4.conf.all.rp_filter").unwrap().ignored, []);
}

#[test]
fn what_cannot_be_read_leaves_all_values_open() {
    let large = "# much\n".repeat(1 << 18);
    let (root, layout) = tree(&[
        SYSTEMD,
        ("etc/sysctl.d/10-large.conf", &large),
        ("etc/sysctl.d/20-out.conf", "-> ../../../../../../etc/hostname"),
        ("etc/udev/rules.d/70-x.rules", ""),
    ]);
    std::fs::write(root.0.join("etc/udev/rules.d/70-x.rules"), [0xff, 0xfe]).unwrap();
    let report = at_boot(&host(&[]), &layout).unwrap();
    let files: Vec<_> = report.unfollowed.iter().map(|it| it.file.display().to_string()).collect();
    assert_eq!(files, ["/etc/sysctl.d/10-large.conf", "/etc/udev/rules.d/70-x.rules"]);
    assert_eq!((report.ok(), report.differences()), (None, 0));
    assert!(value(&report, "net.ipv4.conf.eth0.arp_ignore").unwrap().undetermined_by.is_some());
}

#[test]
fn the_command_line_of_an_image_comes_first() {
    let (_root, layout) = tree(&[
        SYSTEMD,
        (
            "boot/firmware/cmdline.txt",
            "quiet sysctl.net.ipv4.conf.all.arp_ignore=1 sysctl.net.ipv4.conf.all.arp_filter=1 sysctl.net.ipv4.conf.eth0.arp_accept=1\n",
        ),
        ("etc/sysctl.d/10.conf", "net.ipv4.conf.all.arp_filter = 0\n"),
    ]);
    let report = at_boot(&host(&[]), &layout).unwrap();
    assert_eq!(
        decides(&report, "net.ipv4.conf.all.arp_ignore"),
        (Some(1), "/boot/firmware/cmdline.txt:1".into())
    );
    assert_eq!(decides(&report, "net.ipv4.conf.all.arp_filter"), (Some(0), "/etc/sysctl.d/10.conf:1".into()));
    let late = value(&report, "net.ipv4.conf.eth0.arp_accept").unwrap();
    assert_eq!(late.undetermined_by.as_deref(), Some("/boot/firmware/cmdline.txt:1"));
    let counts = value(&report, "net.ipv4.conf.all.arp_ignore").unwrap().effective.clone();
    assert_eq!(counts, None, "of all itself nothing is combined");
}

#[test]
fn rules_and_routes_of_the_managers_files_stay_and_come() {
    let ours = |rule: Rule| Rule { protocol: crate::plan::PROTOCOL, ..rule };
    let of = |priority: u32, source: &str, table: u32| Rule {
        source: Some(source.parse().unwrap()),
        ..Rule::lookup(priority, table)
    };
    let files = [
        SYSTEMD,
        (
            "etc/systemd/network/10-eth0.network",
            "[Match]\nName=eth0\n[Network]\nIPv4ProxyARPAddress=10.11.12.60\n[RoutingPolicyRule]\nPriority=100\nFrom=10.11.12.13\nTable=7\n\
             [Route]\nGateway=10.11.12.1\nTable=7\n[RoutingPolicyRule]\nPriority=101\nFirewallMark=1\nTable=7\n",
        ),
        (
            "etc/NetworkManager/system-connections/eth1.nmconnection",
            "[connection]\nid=eth1\ninterface-name=eth1\n[ipv4]\nrouting-rule1=priority 200 from 10.11.12.14 table 8\n\
             route1=10.99.0.0/16,10.11.12.1\nroute1_options=table=8\n",
        ),
    ];
    let (_root, layout) = tree(&files);
    let mut now = host(&[]);
    now.rules.push(ours(of(100, "10.11.12.13/32", 7)));
    now.rules.push(ours(of(300, "10.11.12.15/32", 9)));
    let report = at_boot(&now, &layout).unwrap();
    let mut told: Vec<&str> = report.entries.iter().map(|entry| entry.text.as_str()).collect();
    told.sort_unstable();
    let gone: Vec<&&str> = told.iter().filter(|text| text.contains("300")).collect();
    assert_eq!(gone.len(), 1, "{told:#?}");
    assert!(!told.iter().any(|text| text.contains("10.11.12.13")), "{told:#?}");
    for comes in ["10.11.12.60", "10.11.12.14", "10.99.0.0/16", "default"] {
        assert!(told.iter().any(|text| text.contains(comes) && text.contains("add")), "{comes}: {told:#?}");
    }
    assert_eq!(told.len(), 5, "{told:#?}");
}
