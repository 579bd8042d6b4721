//! What docs/vzctl.md answers to an administrator.

use std::path::Path;
use std::process::Command;

use arpflux_core::vz::setup::SCRIPT_FOLDERS;

use crate::bench::{A101, Bench, Libvzctl, Version, Vzctl};

const UUID: &str = "a1b2c3d4-0f1e-4a5b-8c6d-112233445566";

#[test]
fn containers_with_a_uuid_and_a_linked_file() {
    let bench = Bench::new(Libvzctl);
    let _container = bench.container(A101);
    std::fs::remove_file(bench.path("etc/vz/conf/101.conf")).unwrap();
    bench.write("private/ve.conf", "IP_ADDRESS=\"192.168.18.101\"\nARPFLUX_IF=\"eth4\"\n");
    let conf = bench.path(&format!("etc/vz/conf/{UUID}.conf"));
    std::os::unix::fs::symlink(bench.path("private/ve.conf"), conf).unwrap();
    let said = bench.start_quick(UUID, "192.168.18.101");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(bench.macs(A101), [Bench::mac("eth4")]);
    assert!(bench.good(&["status"]).contains(UUID));
    assert_eq!(bench.stop(UUID, "192.168.18.101").code, 0);
    assert_eq!(bench.proxies(), [] as [&str; 0]);
}

#[test]
fn addresses_of_one_container_on_several_cards() {
    let bench = Bench::new(Vzctl);
    let _container = bench.container(A101);
    bench.write(
        "policy.toml",
        "version = 1\n[host]\nstrategy = \"unmanaged\"\negress = \"unmanaged\"\n\
         [[proxy]]\nowner = \"105\"\naddresses = [\"192.168.18.101\"]\ninterface = \"eth3\"\n\
         [[proxy]]\nowner = \"105\"\naddresses = [\"192.168.18.105\"]\ninterface = \"eth4\"\n",
    );
    std::fs::remove_file(bench.path("etc/vz/conf/101.conf")).unwrap();
    let both = "192.168.18.101 192.168.18.105";
    let said = bench.start_quick("105", both);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3", "192.168.18.105 eth4"]);
    bench.good(&["status"]);
    assert_eq!(bench.stop("105", both).code, 0);
    assert_eq!(bench.proxies(), [] as [&str; 0]);
}

/// A container comes with its file to a node whose cards have other names: it does not start until its file says
/// another card, and then with whatever it did before, starting or being restored.
#[test]
fn a_card_name_that_came_by_migration_is_told_and_mended() {
    let bench = Bench::new(Libvzctl);
    let _container = bench.container(A101);
    bench.write("etc/vz/conf/101.conf", "IP_ADDRESS=\"192.168.18.101\"\nARPFLUX_IF=\"eth9\"\n");
    let said = bench.start_quick("101", "192.168.18.101");
    assert!(said.code == 34 && said.stderr.contains("eth9"), "{said:?}");
    assert!(said.stderr.contains("101.conf") && said.stderr.contains("ARPFLUX_IF"), "{said:?}");
    assert!(bench.proxies().is_empty() && !bench.routed(A101), "{said:?}");
    bench.write("etc/vz/conf/101.conf", "IP_ADDRESS=\"192.168.18.101\"\nARPFLUX_IF=\"eth3\"\n");
    let mut restored = bench.start_command("101", "192.168.18.101", &[("SKIP_ARPDETECT", "yes")]);
    restored.env("VE_STATE", "restoring");
    let said = bench.run(restored);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(bench.macs(A101), [Bench::mac("eth3")]);
    // Gone to another node: `vz-stop` withdraws as at any stop.
    assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
    assert_eq!(bench.macs(A101), [] as [&str; 0]);
}

#[test]
fn bridged_and_routed_devices_are_left_alone() {
    let bench = Bench::new(Libvzctl);
    // The host's side of a routed veth, as libvzctl leaves it, and one that hangs on a bridge.
    for line in [
        "link add veth42 type veth peer name inside42",
        "link set veth42 up",
        "link add br0 type bridge",
        "link add veth43 master br0 type veth peer name inside43",
        "link set veth43 up",
    ] {
        let mut ip = Command::new("ip");
        ip.args(line.split(' '));
        assert_eq!(bench.run(ip).code, 0, "{line}");
    }
    bench.hn.sysctl("net/ipv4/conf/veth42/proxy_arp", 1).unwrap();
    bench.write("policy.toml", "version = 1\n[host]\n");
    let before = |name: &str| {
        bench.snapshot().interfaces.iter().find(|one| one.name.to_string() == name).unwrap().sysctls
    };
    let (routed, bridged) = (before("veth42"), before("veth43"));
    let mut apply = Command::new(bench.path("arpflux"));
    apply
        .args(["apply", bench.path("policy.toml").to_str().unwrap(), "--state-dir"])
        .arg(bench.path("state"));
    let said = bench.run(apply);
    assert_eq!(said.code, 0, "{said:?}");
    // Without an address it is none of the interfaces that `[host]` counts where it names none.
    assert!(said.stdout.contains("left alone: veth42"), "{said:?}");
    assert_eq!((before("veth42"), before("veth43")), (routed, bridged));
    // vzctl calls its script for bridged devices too.
    let mut bridged =
        bench.script("vz-netns_dev_add", &[("VEID", "101"), ("HNAME", "veth43"), ("VNAME", "eth0")]);
    bridged.envs([("SKIP_CREATE", "1"), ("NETWORK_TYPE", "bridged"), ("VE_STATE", "starting")]);
    let said = bench.run(bridged);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(bench.proxies(), [] as [&str; 0]);
}

fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/vzctl").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_units_notice_an_upgrade_of_the_package_and_mend_what_it_took() {
    let functions = |folder: &&str| {
        let name = if folder.contains("libvzctl") { "vz-functions" } else { "vps-functions" };
        format!("{folder}/{name}")
    };
    let path = unit("arpflux-vz.path");
    let watched: Vec<&str> = path.lines().filter_map(|line| line.strip_prefix("PathChanged=")).collect();
    assert_eq!(watched, SCRIPT_FOLDERS.iter().map(functions).collect::<Vec<_>>());
    let service = unit("arpflux-vz.service");
    let runs = |key: &str| service.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    for version in [Vzctl, Libvzctl] {
        let bench = Bench::bare(version);
        let run = |key: &str| {
            let command = runs(key).replace("/etc/vz", bench.path("etc/vz").to_str().unwrap());
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("exec {command}")]);
            bench.run(shell)
        };
        let condition = || run("ExecCondition=").code;
        let name = if version == Version::Vzctl { "vps-functions" } else { "vz-functions" };
        let functions = bench.path("lib/scripts").join(name);
        assert!((1..255).contains(&condition()), "nothing was set up yet");
        bench.good(&["setup"]);
        assert_eq!(condition(), 0);
        // What is shipped now has a function more.
        let old = std::fs::read_to_string(bench.path("etc/vz/arpflux").join(name)).unwrap();
        let new = old + "vznew() { :; }\n";
        std::fs::write(&functions, &new).unwrap();
        assert_eq!(bench.vz(&["status"]).code, 1);
        // With the options that `setup` was given: the bench's folders are not where packages have theirs.
        let said = run("ExecStart=");
        assert_eq!(said.code, 0, "{said:?}");
        bench.good(&["status"]);
        let text = std::fs::read_to_string(&functions).unwrap();
        assert!(text.starts_with(&new) && text.len() > new.len(), "{text}");
        // Called once more by its own change, it leaves all as it is.
        let said = run("ExecStart=");
        assert!(said.code == 0 && said.stdout.contains("already"), "{said:?}");
        bench.good(&["uninstall"]);
        assert_eq!(std::fs::read_to_string(&functions).unwrap(), new);
        assert!((1..255).contains(&condition()));
    }
}
