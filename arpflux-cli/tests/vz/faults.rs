//! Duplicates, bad input, what is gone or broken, and kills.

use std::net::IpAddr;
use std::os::unix::process::CommandExt as _;
use std::time::{Duration, Instant};

use arpflux_lab::{Host as Node, NewRoute};

use crate::bench::{A101, A102, Bench, Libvzctl, Version, Vzctl, comparable};

/// A second node on the wire that has one container's address and proxies the other's.
fn second_node(bench: &Bench) -> Node {
    let other = bench.lab.host("second").unwrap();
    other.plug(&bench.lan, "eth0", "02:00:00:00:00:99".parse().unwrap()).unwrap();
    other.address("eth0", "192.168.18.20/24").unwrap();
    other.address("eth0", &format!("{A101}/24")).unwrap();
    other.sysctl("net.ipv4.ip_forward", 1).unwrap();
    other.plug(&bench.lab.switch("behind").unwrap(), "eth1", "02:00:00:00:00:9a".parse().unwrap()).unwrap();
    other.route(&NewRoute::to(&A102.to_string()).unwrap().device("eth1").unwrap()).unwrap();
    other.proxy("eth0", IpAddr::V4(A102)).unwrap();
    other
}

#[test]
fn a_second_node_with_the_address_is_found_whether_it_has_or_proxies_it() {
    for version in [Vzctl, Libvzctl] {
        let bench = Bench::new(version);
        let _second = second_node(&bench);
        let (_one, _two) = (bench.container(A101), bench.container(A102));
        // Only warned of, as vzctl's own setting says.
        let said = bench.start("101", "192.168.18.101");
        assert_eq!(said.code, 0, "{said:?}");
        assert!(
            said.stderr.contains("192.168.18.101 is in use on eth3: 02:00:00:00:00:99 has it"),
            "{said:?}"
        );
        assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
        // An error: nothing is left of the start.
        bench.write("etc/vz/vz.conf", "ERROR_ON_ARPFAIL=\"yes\"\n");
        let before = comparable(&bench.snapshot());
        for (veid, address, how) in
            [("101", "192.168.18.101", "has it"), ("102", "192.168.18.102", "answers for it")]
        {
            let said = bench.start(veid, address);
            assert_eq!(said.code, 78, "{said:?}");
            assert!(
                said.stderr.contains(&format!("{address} is in use")) && said.stderr.contains(how),
                "{said:?}"
            );
            assert_eq!(comparable(&bench.snapshot()), before);
        }
    }
}

/// IPv6 addresses are asked for as well; what this node publishes itself, on another interface too, is no conflict.
#[test]
fn a_second_node_with_an_ipv6_address_is_found_and_the_node_itself_is_not() {
    let bench = Bench::new(Vzctl);
    let other = second_node(&bench);
    let (held, proxied, own) = ("2001:db8:18::101", "2001:db8:18::102", "2001:db8:18::103");
    for node in [&other, &bench.hn] {
        node.ipv6().unwrap();
    }
    other.address("eth0", &format!("{held}/64")).unwrap();
    for node in [&other, &bench.hn] {
        node.sysctl("net.ipv6.conf.all.forwarding", 1).unwrap();
    }
    other.sysctl("net.ipv6.conf.eth0.proxy_ndp", 1).unwrap();
    other.proxy("eth0", proxied.parse().unwrap()).unwrap();
    for name in ["eth0", "eth3", "eth4"] {
        bench.hn.sysctl(&format!("net.ipv6.conf.{name}.proxy_ndp"), 1).unwrap();
        bench.hn.proxy(name, own.parse().unwrap()).unwrap();
    }
    let said = bench.vz(&["detect", "--veid", "101", held, proxied, own, "--error"]);
    assert_eq!(said.code, 1, "{said:?}");
    for words in [
        "2001:db8:18::101 is in use on eth3: 02:00:00:00:00:99 has it",
        "102 is in use on eth3: 02:00:00:00:00:99 answers for it",
    ] {
        assert!(said.stderr.contains(words), "{said:?}");
    }
    assert!(!said.stderr.contains("::103"), "{said:?}");
    let said = bench.vz(&["detect", "--veid", "101", own, "--error"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn the_node_itself_is_never_blamed() {
    let bench = Bench::new(Vzctl);
    bench.write("etc/vz/vz.conf", "ERROR_ON_ARPFAIL=\"yes\"\n");
    let _container = bench.container(A101);
    // vzctl's own entries on every interface answer, late, and so does the former start.
    for name in crate::bench::NICS.map(|nic| nic.name) {
        bench.hn.sysctl(&format!("net/ipv4/neigh/{name}/proxy_delay"), 80).unwrap();
        bench.hn.proxy(name, IpAddr::V4(A101)).unwrap();
    }
    for _ in 0..3 {
        let said = bench.start("101", "192.168.18.101");
        assert!(said.code == 0 && !said.stderr.contains("arpflux"), "{said:?}");
    }
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3"]);
}

#[test]
fn a_shared_address_is_refused_and_stopping_one_container_leaves_the_other_alone() {
    for version in [Vzctl, Libvzctl] {
        let bench = Bench::new(version);
        let _container = bench.container(A101);
        bench.write("etc/vz/conf/103.conf", "ARPFLUX_IF=\"eth4\"\n");
        assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
        let first = comparable(&bench.snapshot());
        let said = bench.start_quick("103", "192.168.18.101");
        assert_eq!(said.code, 78, "{version:?} {said:?}");
        assert_eq!(comparable(&bench.snapshot()), first);
        assert_eq!(bench.stop("103", "192.168.18.101").code, 0);
        assert_eq!(comparable(&bench.snapshot()), first, "{version:?}: the first container's is left alone");
        assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
        assert_eq!(bench.start_quick("103", "192.168.18.101").code, 0, "free again");
        assert_eq!(bench.proxies(), ["192.168.18.101 eth4"]);
    }
}

#[test]
fn of_two_that_start_at_once_with_one_address_one_starts() {
    for version in [Vzctl, Libvzctl] {
        let bench = Bench::new(version);
        let _container = bench.container(A101);
        bench.write("etc/vz/conf/103.conf", "ARPFLUX_IF=\"eth4\"\n");
        for _ in 0..5 {
            let quick = [("SKIP_ARPDETECT", "yes")];
            let children = ["101", "103"].map(|veid| {
                let mut command = bench.start_command(veid, "192.168.18.101", &quick);
                command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
                (veid, bench.hn.run(|| command.spawn().unwrap()).unwrap())
            });
            let codes = children.map(|(veid, mut child)| (veid, child.wait().unwrap().code().unwrap()));
            let started: Vec<_> =
                codes.iter().filter(|(_, code)| *code == 0).map(|(veid, _)| *veid).collect();
            assert_eq!(started.len(), 1, "{version:?} {codes:?}");
            let interface = if started[0] == "101" { "eth3" } else { "eth4" };
            assert_eq!(bench.proxies(), [format!("192.168.18.101 {interface}")], "{codes:?}");
            assert!(bench.routed(A101));
            for veid in ["101", "103"] {
                assert_eq!(bench.stop(veid, "192.168.18.101").code, 0);
            }
            assert_eq!((bench.proxies().len(), bench.routed(A101)), (0, false));
        }
    }
}

#[test]
fn bad_input_and_broken_configuration_fail_clearly_and_change_nothing() {
    for version in [Vzctl, Libvzctl] {
        // libvzctl looks for each address in a process of its own before it asks.
        let long = "192.168.18.101 ".repeat(if version == Vzctl { 8000 } else { 50 });
        let bench = Bench::new(version);
        let _container = bench.container(A101);
        let before = comparable(&bench.snapshot());
        let owned = bench.path("owned");
        let substitution = format!("$(touch {})", owned.display());
        let backticks = format!("`touch {}`", owned.display());
        let fails = |veid: &str, addresses: &str, expected: &str| {
            let said = bench.start(veid, addresses);
            assert_eq!(said.code, 34, "{version:?} {veid:?} {addresses:.60?}: {said:?}");
            assert!(said.stderr.contains(expected), "{said:?}");
            assert!(
                said.stderr.len() < 2000 && said.stderr.contains("ERROR: arpflux could not publish"),
                "{said:?}"
            );
            assert_eq!(comparable(&bench.snapshot()), before, "{version:?} {addresses:.60?}");
            assert!(!owned.exists());
        };
        for hostile in [
            substitution.as_str(),
            &backticks,
            "192.168.18.101;id",
            "192.168.18.101\";id;\"",
            "'192.168.18.101'",
            "192.168.18.101\n$(id)\n",
            "../../etc/passwd",
            "192.168.18.999",
            "192.168.18.101/99",
            "-h",
        ] {
            fails("101", hostile, "it is not an address");
        }
        fails("101", &format!("{long}x"), "it is not an address");
        fails("199", "192.168.18.199", "nothing says which interface it belongs on");
        fails("../101", "192.168.18.101", "it is not the id of a container");
        bench.write("etc/vz/conf/101.conf", "ARPFLUX_IF=\"eth9\"\n");
        fails("101", "192.168.18.101", "eth9");
        bench.write("etc/vz/conf/101.conf", &format!("ARPFLUX_IF=\"{substitution}\"\n"));
        fails("101", "192.168.18.101", "101.conf:1");
        bench.write("etc/vz/conf/101.conf", "ARPFLUX_IF=\"eth3\"\n");
        bench.write("policy.toml", "version = 1\n[host]\nstratgey = \"strict\"\n");
        fails("101", "192.168.18.101", "policy.toml:3:1");
        std::fs::remove_file(bench.path("policy.toml")).unwrap();
        // The kernel takes no larger variable; a shell that has one cannot run anything.
        let huge = "192.168.18.101 ".repeat(70_000);
        let error = bench.hn.run(|| bench.start_command("101", &huge, &[]).output()).unwrap();
        assert_eq!(error.unwrap_err().raw_os_error(), Some(7), "E2BIG");
        assert_eq!(comparable(&bench.snapshot()), before);
        assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0, "and all is well again");
    }
}

#[test]
fn a_stop_works_whatever_is_broken_meanwhile() {
    for version in [Vzctl, Libvzctl] {
        let bench = Bench::new(version);
        let _container = bench.container(A101);
        assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
        bench.write("policy.toml", "broken");
        std::fs::remove_file(bench.path("etc/vz/conf/101.conf")).unwrap();
        let said = bench.stop("101", "192.168.18.101");
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stderr.contains("the policy is of no use"), "{said:?}");
        assert_eq!((bench.proxies().len(), bench.routed(A101)), (0, false));
        assert!(!bench.ruled().contains(&A101.to_string()));
        // The interface is gone.
        std::fs::remove_file(bench.path("policy.toml")).unwrap();
        bench.write("etc/vz/conf/101.conf", "ARPFLUX_IF=\"eth3\"\n");
        assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
        bench.hn.delete("eth3").unwrap();
        let said = bench.stop("101", "192.168.18.101");
        assert_eq!(said.code, 0, "{said:?}");
        assert!(!bench.ruled().contains(&A101.to_string()));
        bench.good(&["status"]);
    }
}

#[test]
fn an_interface_that_is_down_is_no_reason_not_to_start() {
    let bench = Bench::new(Vzctl);
    let _container = bench.container(A101);
    bench.hn.down("eth3").unwrap();
    let said = bench.start("101", "192.168.18.101");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("nobody was asked on eth3: it is down"), "{said:?}");
    bench.hn.up("eth3").unwrap();
    bench.hn.settle("eth3").unwrap();
    bench.good(&["sync"]);
    assert_eq!(bench.macs(A101), [Bench::mac("eth3")]);
}

/// Starts that are killed with everything they started, at a random moment.
fn killed(version: Version, rounds: u64) {
    let bench = Bench::new(version);
    let _container = bench.container(A101);
    // The host's part is in force: what is left afterwards is the container's.
    assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
    assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
    let before = comparable(&bench.snapshot());
    let begun = Instant::now();
    assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
    let whole = begun.elapsed();
    let running = comparable(&bench.snapshot());
    assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
    let (mut random, mut cut) = (0x9e37_79b9_u64, 0);
    for round in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let after = whole.mul_f64((random >> 33) as f64 / f64::from(1_u32 << 31));
        let mut command = bench.start_command("101", "192.168.18.101", &[("SKIP_ARPDETECT", "yes")]);
        command.process_group(0).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = bench.hn.run(|| command.spawn().unwrap()).unwrap();
        std::thread::sleep(after);
        let group = i32::try_from(child.id()).unwrap();
        let _ = std::process::Command::new("kill")
            .args(["-9", "--", &format!("-{group}")])
            .stderr(std::process::Stdio::null())
            .status();
        cut += usize::from(child.wait().unwrap().code().is_none());
        let now = || bench.proxies();
        match round % 3 {
            // The next start.
            0 => {
                let said = bench.start_quick("101", "192.168.18.101");
                assert_eq!(said.code, 0, "round {round}: {said:?}");
                assert_eq!(comparable(&bench.snapshot()), running, "round {round}");
            }
            // `recover`, and then what is published is what is written down.
            1 => {
                let mut recover = std::process::Command::new(bench.path("arpflux"));
                recover.arg("recover").arg("--state-dir").arg(bench.path("state"));
                assert_eq!(bench.run(recover).code, 0);
                let said = bench.vz(&["status"]);
                assert_eq!(said.code, 0, "round {round}: {said:?} {:?}", now());
            }
            // The stop that vzctl calls when a start failed.
            _ => {}
        }
        let said = bench.stop("101", "192.168.18.101");
        assert_eq!(said.code, 0, "round {round}: {said:?}");
        if version == Libvzctl && bench.routed(A101) {
            // libvzctl knows of an address only once it is published; its device takes the route along.
            bench.unroute(A101);
        }
        assert_eq!(comparable(&bench.snapshot()), before, "round {round}, killed after {after:?}");
    }
    println!("{cut} of {rounds} starts were cut off, each within {whole:?}");
    assert!(cut as u64 * 3 > rounds, "{cut} of {rounds}");
}

#[test]
fn a_killed_start_leaves_nothing_for_long_vzctl() {
    killed(Vzctl, 24);
}

#[test]
fn a_killed_start_leaves_nothing_for_long_libvzctl() {
    killed(Libvzctl, 24);
}

#[test]
fn a_killed_start_with_other_addresses_is_cleaned_up_by_the_next() {
    let bench = Bench::new(Vzctl);
    let _container = bench.container(A101);
    assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
    let running = comparable(&bench.snapshot());
    for wait in [5, 15, 25, 40, 60] {
        let all = "192.168.18.101 192.168.18.111 192.168.18.121";
        let mut command = bench.start_command("101", all, &[("SKIP_ARPDETECT", "yes")]);
        command.process_group(0).stderr(std::process::Stdio::null());
        let mut child = bench.hn.run(|| command.spawn().unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let group = format!("-{}", child.id());
        let _ = std::process::Command::new("kill")
            .args(["-9", "--", &group])
            .stderr(std::process::Stdio::null())
            .status();
        child.wait().unwrap();
        let said = bench.start_quick("101", "192.168.18.101");
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(comparable(&bench.snapshot()), running, "killed after {wait} ms");
    }
}
