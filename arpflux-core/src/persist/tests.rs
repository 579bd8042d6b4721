use super::sysctld::{self, BootSysctls, Key};
use super::sysctld_tests::TempDir;
use super::*;
use crate::error::ErrorKind;
use crate::sysctl::Sysctl;

fn layout(root: &TempDir) -> Layout {
    Layout { root: root.0.clone(), command: "/usr/bin/arpflux".into() }
}

fn desired(interface: &str) -> Desired {
    Desired {
        sysctls: vec![
            (interface.parse().unwrap(), Sysctl::ArpIgnore, 1),
            (interface.parse().unwrap(), Sysctl::ArpAnnounce, 2),
        ],
        ..Desired::default()
    }
}

#[test]
fn what_is_written_is_what_boot_brings_and_a_second_time_changes_nothing() {
    let root = TempDir::new();
    let layout = layout(&root);
    std::fs::create_dir_all(root.0.join("usr/lib/sysctl.d")).unwrap();
    std::fs::write(root.0.join("usr/lib/sysctl.d/50-vendor.conf"), "net.ipv4.conf.*.arp_ignore = 2\n")
        .unwrap();
    let desired = desired("eth0.10");
    let changes = files(&Policy::default(), &desired, Manager::ALL, &layout).unwrap();
    assert_eq!(changes.len(), 6, "{changes:#?}");
    for change in &changes {
        change.make().unwrap();
    }
    let boot = BootSysctls::load(&root.0).unwrap();
    let line = boot.winner(&Key::parse("net/ipv4/conf/eth0.10/arp_ignore")).unwrap();
    assert_eq!((line.number(), line.file.to_str()), (Some(1), Some(sysctld::FILE)));
    assert_eq!(files(&Policy::default(), &desired, Manager::ALL, &layout).unwrap(), []);

    // Undone in the opposite order, nothing of it is left.
    for change in changes.iter().rev() {
        change.inverse().make().unwrap();
    }
    for change in &changes {
        assert!(!change.path.exists() && !change.path.is_symlink(), "{}", change.path.display());
    }
}

#[test]
fn a_manager_that_is_no_longer_used_loses_its_files() {
    let root = TempDir::new();
    let layout = layout(&root);
    let desired = desired("eth0");
    for change in files(&Policy::default(), &desired, &[Manager::Ifupdown], &layout).unwrap() {
        change.make().unwrap();
    }
    assert!(root.0.join("etc/network/if-up.d/arpflux").exists());
    for change in files(&Policy::default(), &desired, &[Manager::Systemd], &layout).unwrap() {
        change.make().unwrap();
    }
    assert!(!root.0.join("etc/network/if-up.d/arpflux").exists());
    assert!(root.0.join("etc/systemd/system/arpflux.service").exists());
    for change in removal(&layout).unwrap() {
        change.make().unwrap();
    }
    assert!(!root.0.join("etc/systemd/system/arpflux.service").exists());
    assert!(!root.0.join("etc/arpflux/policy.toml").exists());
}

#[test]
fn a_file_that_somebody_changed_meanwhile_is_left_alone() {
    let root = TempDir::new();
    let changes = files(&Policy::default(), &desired("eth0"), &[], &layout(&root)).unwrap();
    let change = changes.iter().find(|change| change.path.ends_with("99-zz-arpflux.conf")).unwrap();
    std::fs::create_dir_all(change.path.parent().unwrap()).unwrap();
    std::fs::write(&change.path, "mine\n").unwrap();
    assert_eq!(change.make().unwrap_err().kind(), ErrorKind::Changed);
    assert_eq!(std::fs::read_to_string(&change.path).unwrap(), "mine\n");
}

#[test]
fn a_link_is_replaced_and_never_followed() {
    let root = TempDir::new();
    let victim = root.0.join("victim");
    std::fs::write(&victim, "untouched").unwrap();
    let path = root.0.join("file");
    std::os::unix::fs::symlink(&victim, &path).unwrap();
    let before = FileState::read(&path).unwrap();
    assert_eq!(before, FileState::Link { target: victim.clone() });
    let change = FileChange { path: path.clone(), before, after: FileState::text("new", 0o600) };
    change.make().unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
    assert_eq!(FileState::read(&path).unwrap(), FileState::text("new", 0o600));
    change.inverse().make().unwrap();
    assert_eq!(std::fs::read_link(&path).unwrap(), victim);
}

#[test]
fn names_that_a_file_cannot_carry_are_refused() {
    let root = TempDir::new();
    for name in ["eth*", "a=b", "x[1]", "a\\x5cb"] {
        let error = files(&Policy::default(), &desired(name), &[], &layout(&root)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}");
    }
    let layout = Layout { root: root.0.clone(), command: "/opt/my tools/arpflux".into() };
    assert!(files(&Policy::default(), &desired("eth0"), &[Manager::Systemd], &layout).is_err());
}

#[test]
fn networkd_gets_rules_and_routes_beside_the_file_it_uses() {
    use crate::snapshot::{NextHop, NextHopFlags, Route, RouteKind, Rule, Scope};
    use crate::types::IfIndex;
    let root = TempDir::new();
    std::fs::create_dir_all(root.0.join("run/systemd/netif/links")).unwrap();
    std::fs::create_dir_all(root.0.join("usr/lib/systemd/network")).unwrap();
    let file = "/usr/lib/systemd/network/10-lan.network";
    let network = |text: &str| std::fs::write(root.0.join(&file[1..]), text).unwrap();
    let uses = |index: u32| {
        let state = format!("ADMIN_STATE=configured\nNETWORK_FILE={file}\n");
        std::fs::write(root.0.join(format!("run/systemd/netif/links/{index}")), state).unwrap();
    };
    network("[Match]\nName = eth3\n\n[Network]\nDHCP=yes\n");
    uses(3);
    let mut desired = desired("eth3");
    desired.names = vec![(IfIndex(3), "eth3".parse().unwrap()), (IfIndex(4), "eth4".parse().unwrap())];
    desired.rules = vec![Rule {
        source: Some("192.168.18.101/32".parse().unwrap()),
        protocol: crate::plan::PROTOCOL,
        ..Rule::lookup(1000, 1003)
    }];
    desired.routes = vec![Route {
        table: 1003,
        kind: RouteKind::Unicast,
        destination: "192.168.18.0/24".parse().unwrap(),
        source: None,
        tos: 0,
        metric: 0,
        scope: Scope::LINK,
        protocol: crate::plan::PROTOCOL,
        preferred_source: None,
        next_hops: vec![NextHop {
            interface: Some(IfIndex(3)),
            gateway: None,
            weight: 1,
            flags: NextHopFlags::empty(),
        }],
        nexthop_id: None,
    }];
    let changes = files(&Policy::default(), &desired, &[Manager::Networkd], &layout(&root)).unwrap();
    let drop_in =
        changes.iter().find(|change| change.path.ends_with("10-lan.network.d/90-arpflux.conf")).unwrap();
    assert!(drop_in.path.starts_with(root.0.join("etc/systemd/network")));
    let FileState::Regular { text, .. } = &drop_in.after else { panic!("{drop_in:?}") };
    for line in ["From=192.168.18.101/32", "Table=1003", "Destination=192.168.18.0/24", "Scope=link"] {
        assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    }
    drop_in.make().unwrap();
    let without = files(&Policy::default(), &desired, &[], &layout(&root)).unwrap();
    assert!(without.iter().any(|change| change.path == drop_in.path && change.after == FileState::Absent));

    // A file for several interfaces would give all of them the routes of one.
    let shared = || {
        let changes = files(&Policy::default(), &desired, &[Manager::Networkd], &layout(&root)).unwrap();
        let lenient = changes.iter().any(|change| change.path.ends_with("networkd.conf.d/90-arpflux.conf"));
        let kept =
            changes.iter().all(|change| change.path != drop_in.path || change.after == FileState::Absent);
        (lenient, kept)
    };
    assert!(!shared().0);
    for text in
        ["[Match]\nName=eth*\n", "[Match]\nName=eth3 eth4\n", "[Match]\nType=ether\n", "[Link]\nName=eth3\n"]
    {
        network(text);
        assert_eq!(shared(), (true, true), "{text}");
    }
    network("[Match]\nMACAddress=00:0c:29:b3:a2:68\n");
    assert!(!shared().0);
    uses(4);
    assert_eq!(shared(), (true, true));
}
