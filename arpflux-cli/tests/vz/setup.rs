//! Into the scripts and out again.

use crate::bench::{A101, Bench, Libvzctl, Vzctl};

#[test]
fn shown_first_installed_once_and_undone_exactly() {
    for (version, way) in
        [(Vzctl, "functions"), (Vzctl, "vz-conf"), (Libvzctl, "functions"), (Libvzctl, "locked")]
    {
        let bench = Bench::bare(version);
        let before = bench.tree();
        let said = bench.vz(&["setup", "--way", way, "--dry-run"]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains("+++ ") && said.stdout.contains("nothing was changed"), "{said:?}");
        assert!(said.stderr.contains("note: "), "{said:?}");
        assert_eq!(bench.tree(), before);
        bench.good(&["setup", "--way", way]);
        let installed = bench.tree();
        assert_ne!(installed, before);
        let status = bench.good(&["status"]);
        assert!(status.contains(&format!("(way: {way})")), "{status}");
        assert!(bench.good(&["setup", "--way", way]).contains("already"));
        assert_eq!(bench.tree(), installed);
        bench.good(&["uninstall", "--dry-run"]);
        assert_eq!(bench.tree(), installed);
        bench.good(&["uninstall"]);
        assert_eq!(bench.tree(), before, "{version:?} {way}");
        bench.good(&["uninstall"]);
    }
}

#[test]
fn an_upgrade_of_the_package_shows_in_the_status() {
    let bench = Bench::new(Vzctl);
    let shipped = std::fs::read_to_string(bench.path("etc/vz/arpflux/vps-functions")).unwrap();
    bench.write("lib/scripts/vps-functions", &shipped);
    let said = bench.vz(&["status"]);
    assert!(said.code == 1 && said.stdout.contains("run it again"), "{said:?}");
    bench.good(&["setup"]);
    bench.good(&["status"]);
}

#[test]
fn locked_functions_and_the_list_in_vz_conf_work_as_well() {
    let bench = Bench::bare(Libvzctl);
    let _container = bench.container(A101);
    bench.good(&["setup", "--way", "locked"]);
    let mut command = bench.start_command("101", "192.168.18.101", &[("SKIP_ARPDETECT", "yes")]);
    // As libvzctl chooses: script.d first.
    command = {
        let mut wrapped = std::process::Command::new(bench.path("lib/script.d/vz-netns_dev_add"));
        wrapped.env_clear();
        for (name, value) in command.get_envs() {
            wrapped.env(name, value.unwrap());
        }
        wrapped
    };
    let said = bench.run(command);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3"]);
    let mut stop = std::process::Command::new(bench.path("lib/script.d/vz-stop"));
    stop.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("VEID", "101");
    assert_eq!(bench.run(stop).code, 0);
    assert_eq!(bench.proxies(), [] as [&str; 0]);

    let bench = Bench::bare(Vzctl);
    let _container = bench.container(A101);
    bench.good(&["setup", "--way", "vz-conf"]);
    assert_eq!(bench.start("101", "192.168.18.101").code, 0);
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3"], "by vzctl itself, on the right interface");
    assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
    assert_eq!(bench.proxies(), [] as [&str; 0]);
}

#[test]
fn containers_without_an_interface_are_named_and_the_diff_is_for_dry_runs() {
    let bench = Bench::bare(Libvzctl);
    bench.write("etc/vz/conf/103.conf", "IP_ADDRESS=\"192.168.18.103\"\n");
    bench.write("etc/vz/conf/104.conf", "IP_ADDRESS=\"192.168.18.104/24\"\nARPFLUX_IF=\"eth9\"\n");
    bench.write("etc/vz/conf/105.conf", "NETIF=\"ifname=eth0,bridge=br0\"\n");
    let said = bench.vz(&["setup", "--dry-run"]);
    assert!(said.stdout.contains("+++ "), "{said:?}");
    let said = bench.vz(&["setup"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.stdout.lines().count(), 2, "{said:?}");
    assert!(said.stderr.contains("containers 103 belong on"), "{said:?}");
    assert!(said.stderr.contains("ARPFLUX_IF") && said.stderr.contains("vz.conf"), "{said:?}");
    assert!(said.stderr.contains("container 104 shall be published on eth9"), "{said:?}");
    assert!(!said.stderr.contains("105"), "{said:?}");
    bench.write("etc/vz/vz.conf", "VIRTUOZZO=yes\nARPFLUX_IF=\"eth3\"\n");
    let said = bench.vz(&["setup"]);
    assert!(!said.stderr.contains("103"), "{said:?}");
}

#[test]
fn without_the_command_a_start_and_a_stop_fail_in_words_and_change_nothing() {
    for version in [Vzctl, Libvzctl] {
        let bench = Bench::new(version);
        let _container = bench.container(A101);
        assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
        let command = std::fs::read_link(bench.path("arpflux")).unwrap();
        std::fs::remove_file(bench.path("arpflux")).unwrap();
        let said = bench.stop("101", "192.168.18.101");
        assert!(said.code == 34 && said.stderr.contains("is not there"), "{version:?}: {said:?}");
        assert!(bench.routed(A101), "{version:?}");
        let said = bench.start_quick("102", "192.168.18.102");
        assert!(said.code == 34 && said.stderr.contains("is not there"), "{version:?}: {said:?}");
        assert!(!bench.routed(crate::bench::A102), "{version:?}");
        assert_eq!(bench.proxies(), ["192.168.18.101 eth3"], "{version:?}");
        std::os::unix::fs::symlink(command, bench.path("arpflux")).unwrap();
        assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
        assert_eq!(bench.proxies(), [] as [&str; 0], "{version:?}");
        assert!(!bench.routed(A101), "{version:?}");
    }
}
