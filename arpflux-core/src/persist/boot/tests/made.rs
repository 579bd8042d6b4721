//! Rules, routes and neighbours that files make, the initramfs, and what is asked by one key.

use super::{SYSTEMD, decides, host, tree, value};
use crate::persist::boot::{cpio, who};
use crate::persist::sysctld::Key;
use crate::persist::{BootReport, at_boot};
use crate::snapshot::Rule;
use crate::types::IfIndex;

/// What comes and goes, in words.
fn told(report: &BootReport) -> Vec<String> {
    let mut told: Vec<String> = report.entries.iter().map(|entry| entry.text.clone()).collect();
    told.extend(report.neighbours.iter().map(ToString::to_string));
    told.sort();
    told
}

#[test]
fn lines_of_interfaces_make_rules_routes_and_neighbours() {
    let lines = "auto eth0\niface eth0 inet static\n  address 10.11.12.13/24\n\
         \x20 up ip rule add from 10.11.12.13 table wan\n  up ip rule add from 10.11.12.99 table 9 || true\n\
         \x20 up ip route flush table wan\n  up ip route replace default via 10.11.12.1 dev $IFACE table wan\n\
         \x20 up ip rule del from 10.11.12.99 table 9\n  up ip -6 rule add from 2001:db8::13 lookup wan pref 70\n\
         \x20 post-up ip neigh replace 10.11.12.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent\n";
    let files = [
        SYSTEMD,
        ("sbin/ifup", ""),
        ("etc/iproute2/rt_tables", "255\tlocal\n100 wan\n"),
        ("etc/network/interfaces", lines),
    ];
    let (_root, layout) = tree(&files);
    let report = at_boot(&host(&[]), &layout).unwrap();
    assert_eq!(report.unfollowed, [], "{report:#?}");
    let comes = told(&report);
    assert_eq!(comes.len(), 4, "{comes:#?}");
    let wan =
        ["10.11.12.13", "2001:db8::13", "default via 10.11.12.1", "neighbour 10.11.12.1 02:00:00:00:00:01"];
    for part in wan {
        assert!(comes.iter().any(|text| text.contains(part) && text.contains("add")), "{part}: {comes:#?}");
    }
    // The kernel counts down from the rule of main; a rule of ours that says the same stays, whatever its priority.
    assert!(comes.iter().any(|text| text.contains("32765")), "{comes:#?}");
    let mut now = host(&[]);
    let ours = Rule { protocol: crate::plan::PROTOCOL, ..Rule::lookup(5000, 100) };
    now.rules.push(Rule { source: Some("10.11.12.13/32".parse().unwrap()), ..ours });
    assert_eq!(told(&at_boot(&now, &layout).unwrap()).len(), 3);

    let lines = "auto eth0\niface eth0 inet dhcp\n  up ip rule add from $IP table 7\n  up ip rule add not from 10.0.0.1 table 7\n";
    let (_root, layout) = tree(&[SYSTEMD, ("sbin/ifup", ""), ("etc/network/interfaces", lines)]);
    let report = at_boot(&host(&[]), &layout).unwrap();
    let open: Vec<usize> = report.unfollowed.iter().map(|it| it.line).collect();
    assert_eq!((open, report.ok()), (vec![3, 4], None), "{:#?}", report.unfollowed);
}

#[test]
fn networkd_has_settings_of_the_whole_host_tables_by_name_and_neighbours() {
    let network = "[Match]\nName=eth0\n[Neighbor]\nAddress=10.11.12.1\nLinkLayerAddress=02:00:00:00:00:01\n\
                   [RoutingPolicyRule]\nPriority=9\nFrom=10.11.12.13\nTable=wan\n";
    let mut files = vec![
        SYSTEMD,
        ("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so", ""),
        ("etc/systemd/network/10-lan.network", network),
        ("etc/systemd/networkd.conf", "[Network]\nIPv4Forwarding=no\n"),
        ("etc/systemd/networkd.conf.d/50.conf", "[Network]\nIPv4Forwarding=yes\nRouteTable=wan:77\n"),
        ("etc/sysctl.d/10.conf", "net.ipv4.conf.eth1.forwarding=0\n"),
    ];
    let (_root, layout) = tree(&files);
    let report = at_boot(&host(&[]), &layout).unwrap();
    let place = "/etc/systemd/networkd.conf.d/50.conf:2".to_owned();
    assert_eq!(decides(&report, "net.ipv4.conf.all.forwarding"), (Some(1), place.clone()));
    assert_eq!(decides(&report, "net.ipv4.conf.eth0.forwarding"), (Some(1), place));
    let comes = told(&report);
    assert_eq!(comes.len(), 2, "{comes:#?}");
    assert!(comes.iter().any(|text| text.contains("77")), "{comes:#?}");

    // One that is there with another MAC now, and one that nothing brings back.
    let mut now = host(&[]);
    let held = |address: &str, mac: &str| crate::snapshot::Neighbour {
        address: address.parse().unwrap(),
        interface: IfIndex(2),
        mac: Some(mac.parse().unwrap()),
        state: crate::snapshot::NeighbourState::PERMANENT,
        flags: 0,
    };
    now.neighbours = vec![held("10.11.12.1", "02:00:00:00:00:02"), held("10.11.12.2", "02:00:00:00:00:03")];
    let report = at_boot(&now, &layout).unwrap();
    assert_eq!(report.neighbours.len(), 2, "{report:#?}");
    assert_eq!(report.neighbours[1].at_boot, None);
    assert!(report.ok() == Some(false) && report.neighbours[0].now != report.neighbours[0].at_boot);

    files[1].0 = "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so";
    let (_root, layout) = tree(&files);
    let report = at_boot(&host(&[]), &layout).unwrap();
    assert!(value(&report, "net.ipv4.conf.all.forwarding").is_none());
    assert!(
        report.lints.iter().any(|lint| lint.problem.contains("came with systemd 256")),
        "{:#?}",
        report.lints
    );
}

#[test]
fn yaml_of_netplan_is_named_until_it_has_made_its_files() {
    let yaml =
        "network:\n  ethernets:\n    eth0:\n      routes:\n      - to: default\n        via: 10.11.12.1\n";
    let drop_in = ("etc/systemd/network/10-netplan-eth0.network.d/a.conf", "[Network]\nIPv4ProxyARP=yes\n");
    let (root, layout) = tree(&[SYSTEMD, ("etc/netplan/50-cloud-init.yaml", yaml), drop_in]);
    let report = at_boot(&host(&[]), &layout).unwrap();
    let open: Vec<_> = report.unfollowed.iter().map(|it| it.file.display().to_string()).collect();
    assert_eq!((open, report.ok()), (vec!["/etc/netplan/50-cloud-init.yaml".to_owned()], None));
    assert!(value(&report, "net.ipv4.conf.eth0.proxy_arp").unwrap().undetermined_by.is_some());
    let made = root.0.join("run/systemd/network");
    std::fs::create_dir_all(&made).unwrap();
    std::fs::write(made.join("10-netplan-eth0.network"), "[Match]\nName=eth0\n[Route]\nGateway=10.11.12.1\n")
        .unwrap();
    let report = at_boot(&host(&[]), &layout).unwrap();
    assert_eq!(report.unfollowed, []);
    assert_eq!(decides(&report, "net.ipv4.conf.eth0.proxy_arp").0, Some(1));
}

#[test]
fn keyfiles_have_gateways_tables_and_interfaces_by_mac() {
    let keyfile = "[connection]\nid=a\ntype=ethernet\n[ethernet]\nmac-address=MAC\n[ipv4]\n\
                   address1=10.11.12.13/24,10.11.12.1\nroute-table=44\nroute1=10.98.0.0/16,10.11.12.2,5\n\
                   route1_options=onlink=true,table=45\nroute2=10.97.0.0/16\nroute2_options=type=blackhole\n\
                   routing-rule1=priority 30 iif eth1 table 44\nrouting-rule2=priority 31 fwmark 0x1 table 44\n";
    let now = host(&[]);
    let mac = now.interfaces.iter().find(|it| it.name.to_string() == "eth0").unwrap().mac.to_string();
    let keyfile = keyfile.replace("MAC", &mac.to_uppercase());
    let path = "etc/NetworkManager/system-connections/a.nmconnection";
    let (_root, layout) = tree(&[SYSTEMD, (path, &keyfile)]);
    let comes = told(&at_boot(&now, &layout).unwrap());
    for part in ["default via 10.11.12.1", "10.98.0.0/16", "iif eth1", "0x1"] {
        assert!(comes.iter().any(|text| text.contains(part)), "{part}: {comes:#?}");
    }
    assert_eq!(comes.len(), 4, "{comes:#?}");
    // It is not started.
    let wants = "etc/systemd/system/multi-user.target.wants/systemd-networkd.service";
    let (_root, layout) = tree(&[SYSTEMD, (path, &keyfile), (wants, "-> /usr/lib/systemd/system/x.service")]);
    assert_eq!(told(&at_boot(&now, &layout).unwrap()), [""; 0]);
}

#[test]
fn the_copy_in_the_initramfs_comes_before_the_files() {
    let pack = |text: &str| {
        cpio::tests::pack(&[
            ("usr/lib/systemd/systemd-sysctl", "a program"),
            ("etc/sysctl.conf", text),
            ("etc/sysctl.d/99-sysctl.conf", "-> ../sysctl.conf"),
            ("etc/sysctl.d/README", "net.ipv4.conf.all.arp_accept=1\n"),
        ])
    };
    let (root, layout) = tree(&[SYSTEMD, ("etc/sysctl.d/10.conf", "net.ipv4.conf.all.arp_filter=0\n")]);
    let boot = root.0.join("boot");
    std::fs::create_dir(&boot).unwrap();
    let text =
        "net.ipv4.conf.all.arp_filter=1\nnet.ipv4.conf.all.arp_ignore=1\nnet.ipv4.conf.eth0.arp_announce=2\n";
    std::fs::write(boot.join("initramfs-6.1.img"), pack(text)).unwrap();
    let report = at_boot(&host(&[]), &layout).unwrap();
    assert_eq!(decides(&report, "net.ipv4.conf.all.arp_filter").0, Some(0));
    let copy = "/boot/initramfs-6.1.img:/etc/sysctl.d/99-sysctl.conf:2".to_owned();
    assert_eq!(decides(&report, "net.ipv4.conf.all.arp_ignore"), (Some(1), copy.clone()));
    // Whether the NIC is there so early depends on its driver.
    let nic = value(&report, "net.ipv4.conf.eth0.arp_announce").unwrap();
    assert_eq!(
        nic.undetermined_by.as_deref(),
        Some("/boot/initramfs-6.1.img:/etc/sysctl.d/99-sysctl.conf:3")
    );
    let lines = who(&host(&[]), &layout, &Key::parse("net.ipv4.conf.all.arp_filter")).unwrap();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(value(&report, "net.ipv4.conf.all.arp_accept").is_none() && report.unfollowed.is_empty());

    std::fs::write(boot.join("initramfs-6.2.img"), pack("net.ipv4.conf.all.arp_ignore=8\n")).unwrap();
    let report = at_boot(&host(&[]), &layout).unwrap();
    assert!(value(&report, "net.ipv4.conf.all.arp_ignore").unwrap().undetermined_by.is_some());
    std::fs::remove_file(boot.join("initramfs-6.1.img")).unwrap();
    std::fs::write(boot.join("initramfs-6.2.img"), &pack(text)[..300]).unwrap();
    let report = at_boot(&host(&[]), &layout).unwrap();
    assert_eq!((report.unfollowed.len(), report.ok()), (1, None), "{report:#?}");
    // Without systemd-sysctl in it nobody reads the files.
    let idle = cpio::tests::pack(&[("etc/sysctl.conf", text)]);
    std::fs::write(boot.join("initramfs-6.2.img"), idle).unwrap();
    let report = at_boot(&host(&[]), &layout).unwrap();
    assert!(value(&report, "net.ipv4.conf.all.arp_ignore").is_none() && report.unfollowed.is_empty());
}

#[test]
fn what_is_no_sysctl_of_the_host_is_refused() {
    let (_root, layout) = tree(&[SYSTEMD]);
    let of = |key: &str| who(&host(&[]), &layout, &Key::parse(key)).map_err(|error| error.to_string());
    assert!(of("net.ipv4.ip_forward").is_ok() && of("net.ipv4.conf.eth0.arp_ignore").is_ok());
    assert!(of("net.ipv4.conf.eth9.arp_ignore").unwrap_err().contains("no interface eth9"));
    assert!(of("net.ipv4.conf.eth0.arp_ingore").is_err() && of("net.ipv4.tcp_syncookies").is_err());
}
