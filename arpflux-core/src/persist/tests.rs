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
    let change = FileChange::new(path.clone(), before, FileState::text("new", 0o600));
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

/// All below a folder: paths, and what the files hold.
fn tree(folder: &Path) -> Vec<(PathBuf, Option<String>)> {
    let mut found = Vec::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_folder = path.symlink_metadata().unwrap().is_dir();
            found.push((path.clone(), (!is_folder).then(|| std::fs::read_to_string(&path).unwrap())));
            todo.extend(is_folder.then_some(path));
        }
    }
    found.sort();
    found
}

/// Links and folders that an image's own administrator may have planted, each leading out of the root.
#[test]
fn nothing_below_a_root_leads_out_of_it() {
    use std::os::unix::fs::symlink;
    let outside = TempDir::new();
    let host = outside.0.join("host");
    let up = "../../../../../../../../../../../..".to_owned() + host.to_str().unwrap();
    let host_path = host.to_str().unwrap();
    let planted = [
        ("etc/sysctl.d", host_path),
        ("etc/sysctl.d", &up),
        ("etc/sysctl.d", "/proc/self/cwd"),
        ("etc/arpflux", host_path),
        ("etc/arpflux", "/proc/self/root"),
        ("etc/systemd", host_path),
        ("etc/systemd/system", host_path),
        ("etc/systemd/system", &up),
        ("etc/systemd/system/multi-user.target.wants", host_path),
        ("etc/systemd/network", host_path),
        ("etc/network", host_path),
        ("etc/network/if-up.d", host_path),
        ("etc/NetworkManager", &up),
        ("etc/NetworkManager/dispatcher.d", host_path),
        ("usr/lib/sysctl.d", host_path),
        ("run/sysctl.d", &up),
        ("lib", host_path),
        ("etc", host_path),
        ("etc", &up),
        ("run", host_path),
    ];
    for (at, target) in planted {
        let _ = std::fs::remove_dir_all(&host);
        // Also what has the names of our own files and folders.
        for name in
            ["90-mine.conf", "99-zz-arpflux.conf", "arpflux.service", "policy.toml", "system/arpflux.service"]
        {
            let file = host.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "net.ipv4.conf.all.arp_ignore = 8\n").unwrap();
        }
        let before = tree(&host);
        let root = TempDir::new();
        let path = root.0.join(at);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, &path).unwrap();
        let written = files(&Policy::default(), &desired("eth0"), Manager::ALL, &layout(&root))
            .and_then(|changes| changes.iter().try_for_each(FileChange::make).map(|()| changes));
        // Either it stayed inside or it was refused; and nothing outside is read either.
        if let Ok(changes) = written {
            for change in changes.iter().rev() {
                change.inverse().make().unwrap();
            }
        }
        let boot = BootSysctls::load(&root.0).unwrap();
        assert_eq!(boot.winner(&Key::parse("net/ipv4/conf/all/arp_ignore")), None, "{at}");
        assert_eq!(tree(&host), before, "{at}");
    }
}

#[test]
fn a_link_exchanged_before_the_undo_leads_nowhere_else() {
    let (root, outside) = (TempDir::new(), TempDir::new());
    let layout = layout(&root);
    let changes = files(&Policy::default(), &desired("eth0"), &[], &layout).unwrap();
    changes.iter().for_each(|change| change.make().unwrap());
    let folder = root.0.join("etc/sysctl.d");
    let victim = outside.0.join("99-zz-arpflux.conf");
    std::fs::copy(folder.join("99-zz-arpflux.conf"), &victim).unwrap();
    std::fs::rename(&folder, root.0.join("etc/elsewhere")).unwrap();
    std::os::unix::fs::symlink(&outside.0, &folder).unwrap();
    for change in changes.iter().rev() {
        let _ = change.inverse().make();
    }
    assert!(victim.exists());
}

#[test]
fn a_root_that_is_not_there_is_an_error() {
    let layout = Layout { root: "/no-such-root".into(), ..Layout::default() };
    let error = files(&Policy::default(), &desired("eth0"), Manager::ALL, &layout).unwrap_err();
    assert_eq!((error.kind(), error.object()), (ErrorKind::NotFound, "/no-such-root"));
    assert_eq!(BootSysctls::load(&layout.root).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_command_that_others_can_change_is_not_run_at_boot() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = TempDir::new();
    let mode = |path: &str, mode| {
        std::fs::set_permissions(root.0.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    std::fs::create_dir_all(root.0.join("opt/tools")).unwrap();
    std::fs::write(root.0.join("opt/tools/arpflux"), "").unwrap();
    let written = |command: &str, managers: &[Manager]| {
        let layout = Layout { root: root.0.clone(), command: command.into() };
        files(&Policy::default(), &desired("eth0"), managers, &layout)
    };
    mode("opt/tools/arpflux", 0o755);
    assert!(written("/opt/tools/arpflux", Manager::ALL).is_ok());
    for (path, bad) in [("opt/tools/arpflux", 0o775), ("opt/tools", 0o777), ("opt", 0o757)] {
        mode(path, bad);
        let error = written("/opt/tools/arpflux", Manager::ALL).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{path}: {error}");
        // Without a manager that runs it nothing is at stake.
        assert!(written("/opt/tools/arpflux", &[Manager::Networkd]).is_ok());
        mode(path, 0o755);
    }
    for hidden in ["/root/.cargo/bin/arpflux", "/home/admin/arpflux", "/tmp/arpflux", "/var/tmp/arpflux"] {
        assert_eq!(written(hidden, &[Manager::Systemd]).unwrap_err().kind(), ErrorKind::Refused, "{hidden}");
        assert!(written(hidden, &[Manager::Ifupdown]).is_ok(), "{hidden}");
    }
}

#[test]
fn modes_beyond_permissions_are_never_written() {
    let root = TempDir::new();
    let change = FileChange::new(root.0.join("file"), FileState::Absent, FileState::text("", 0o4755));
    assert_eq!(change.make().unwrap_err().kind(), ErrorKind::InvalidData);
    assert!(!change.path.exists());
}
