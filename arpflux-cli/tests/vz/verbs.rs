//! The verbs by themselves, as other scripts call them.

use arpflux_lab::NewRoute;

use crate::bench::{A101, A102, Bench, Libvzctl, Vzctl, comparable};

fn route(bench: &Bench, address: &str) {
    bench.hn.route(&NewRoute::to(address).unwrap().device("venet0").unwrap()).unwrap();
}

fn with(mut command: std::process::Command, argument: &str) -> std::process::Command {
    command.arg(argument);
    command
}

#[test]
fn idempotent_and_found_by_address_without_a_container() {
    let bench = Bench::bare(Vzctl);
    let (_one, _two) = (bench.container(A101), bench.container(A102));
    // Published after the route exists, not before.
    let said = bench.vz(&["net-add", "--veid", "101", "192.168.18.101"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("no route leads to it behind this host"), "{said:?}");
    assert_eq!(bench.proxies(), [] as [&str; 0]);

    route(&bench, "192.168.18.101");
    route(&bench, "192.168.18.102");
    bench.good(&["net-add", "--veid", "101", "192.168.18.101/24"]);
    let once = comparable(&bench.snapshot());
    bench.good(&["net-add", "--veid", "101", "192.168.18.101"]);
    bench.good(&["net-add", "192.168.18.101"]);
    assert_eq!(comparable(&bench.snapshot()), once);
    // No VEID: the container's own file names the address.
    bench.good(&["net-add", "192.168.18.102"]);
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3", "192.168.18.102 eth4"]);
    assert_eq!(bench.good(&["nics", "192.168.18.102", "192.168.18.101"]), "eth4 eth3\n");
    assert_eq!(bench.good(&["nics", "--veid", "101"]), "eth3\n");
    assert_eq!(bench.good(&["nics"]), "");

    bench.good(&["net-del", "192.168.18.101"]);
    bench.good(&["net-del", "192.168.18.101"]);
    assert_eq!(bench.proxies(), ["192.168.18.102 eth4"]);
    bench.good(&["stop", "102"]);
    bench.good(&["stop", "102"]);
    assert_eq!(bench.proxies(), [] as [&str; 0]);
}

#[test]
fn the_policy_file_says_where_addresses_belong() {
    let bench = Bench::bare(Vzctl);
    let _container = bench.container(A101);
    std::fs::remove_file(bench.path("etc/vz/conf/101.conf")).unwrap();
    let proxy = "[[proxy]]\nowner = \"101\"\naddresses = [\"192.168.18.101\"]\ninterface = \"eth4\"\n";
    bench.write("policy.toml", &format!("version = 1\n[host]\nproxy_delay = 100\n{proxy}"));
    route(&bench, "192.168.18.101");
    bench.good(&["net-add", "192.168.18.101"]);
    assert_eq!(bench.proxies(), ["192.168.18.101 eth4"]);
    assert_eq!(bench.hn.read_sysctl("net/ipv4/neigh/eth4/proxy_delay").unwrap(), "10");
    // Another interface from now on: the entry moves at the next call.
    bench.write("policy.toml", &format!("version = 1\n{}", proxy.replace("eth4", "eth3")));
    bench.good(&["sync"]);
    bench.good(&["net-add", "192.168.18.101"]);
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3"]);
    assert_eq!(bench.hn.read_sysctl("net/ipv4/neigh/eth3/proxy_delay").unwrap(), "0", "the default of vz");
}

#[test]
fn starting_means_these_and_no_others() {
    let bench = Bench::new(Vzctl);
    let _container = bench.container(A101);
    assert_eq!(bench.start_quick("101", "192.168.18.101 192.168.18.111 192.168.18.121").code, 0);
    assert_eq!(bench.proxies().len(), 3);
    assert_eq!(bench.start_quick("101", "192.168.18.101 192.168.18.131").code, 0);
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3", "192.168.18.131 eth3"]);
    assert!(!bench.routed("192.168.18.111".parse().unwrap()));
    assert_eq!(bench.stop("101", "192.168.18.101 192.168.18.131").code, 0);
    assert_eq!(bench.proxies(), [] as [&str; 0]);
}

#[test]
fn a_running_container_gets_and_loses_addresses() {
    let bench = Bench::new(Vzctl);
    let _container = bench.container(A101);
    assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
    let set = |script: &str, address: &str| {
        let environment =
            [("VEID", "101"), ("IP_ADDR", address), ("VE_STATE", "running"), ("SKIP_ARPDETECT", "yes")];
        bench.run(bench.script(script, &environment)).code
    };
    assert_eq!(set("vps-net_add", "192.168.18.111"), 0);
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3", "192.168.18.111 eth3"]);
    assert_eq!(set("vps-net_del", "192.168.18.101"), 0);
    assert_eq!(bench.proxies(), ["192.168.18.111 eth3"]);
    // It stops by itself.
    assert_eq!(bench.run(bench.script("vzevent-stop", &[("VEID", "101")])).code, 0);
    assert_eq!(bench.proxies(), [] as [&str; 0]);
    assert!(!bench.routed("192.168.18.111".parse().unwrap()));
}

#[test]
fn one_device_of_a_container_goes() {
    let bench = Bench::new(Libvzctl);
    let _container = bench.container(A101);
    assert_eq!(bench.start_quick("101", "192.168.18.101 192.168.18.111").code, 0);
    assert_eq!(bench.proxies().len(), 2);
    let del = [
        ("VEID", "101"),
        ("VNAME", "eth0"),
        ("HNAME", "venet0"),
        ("NETWORK_TYPE", "routed"),
        ("IP_ADD", "192.168.18.111"),
    ];
    let said = bench.run(bench.script("vz-netns_dev_del", &del));
    assert!(!said.stderr.contains("not found"), "{said:?}");
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3"]);
    assert_eq!(bench.stop("101", "").code, 0);
    assert_eq!(bench.proxies(), [] as [&str; 0]);
}

#[test]
fn ipv6_addresses_too() {
    let bench = Bench::new(Vzctl);
    bench.hn.ipv6().unwrap();
    for name in crate::bench::NICS.map(|nic| nic.name) {
        bench.hn.sysctl(&format!("net/ipv6/conf/{name}/accept_dad"), 0).unwrap();
        let net = format!("fd00:18::{}/64", &name[3..]);
        bench.hn.address(name, &net).unwrap();
    }
    bench.hn.sysctl("net/ipv6/conf/all/forwarding", 1).unwrap();
    let _container = bench.container(A101);
    let said = bench.start_quick("101", "192.168.18.101 fd00:18::101/64");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3", "fd00:18::101 eth3"]);
    assert_eq!(bench.hn.read_sysctl("net/ipv6/conf/eth3/proxy_ndp").unwrap(), "1");
    assert!(bench.ruled().contains(&"fd00:18::101".to_owned()));
    assert_eq!(bench.stop("101", "192.168.18.101 fd00:18::101").code, 0);
    assert_eq!(bench.proxies(), [] as [&str; 0]);
    assert!(!bench.ruled().contains(&"fd00:18::101".to_owned()));
    assert_eq!(bench.hn.read_sysctl("net/ipv6/conf/eth3/proxy_ndp").unwrap(), "0");
}

#[test]
fn a_start_without_an_address_leaves_none() {
    let bench = Bench::new(Vzctl);
    let _containers = [bench.container(A101), bench.container(A102)];
    assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
    assert_eq!(bench.start_quick("102", "192.168.18.102").code, 0);
    let call = |verb: &str, variables: &[(&str, &str)]| {
        let mut command = bench.vz_command(&[verb]);
        command.args(["--json"]).env("VEID", "101").envs(variables.iter().copied());
        let said = bench.run(command);
        assert_eq!(said.code, 0, "{said:?}");
        serde_json::from_str::<serde_json::Value>(&said.stdout).unwrap()
    };
    // Not said to be all: nothing.
    for variables in
        [&[][..], &[("VE_STATE", "starting")], &[("VE_STATE", "running"), ("IP_ADDR", "0.0.0.0")]]
    {
        assert_eq!(call("net-add", variables)["outcome"], "unchanged");
        assert_eq!(call("detect", variables)["free"], serde_json::Value::Null, "nothing was asked for");
    }
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3", "192.168.18.102 eth4"]);
    // vzctl's word for "none".
    let said = call("net-add", &[("VE_STATE", "starting"), ("IP_ADDR", "0.0.0.0")]);
    assert_eq!(said["outcome"], "applied");
    assert_eq!(bench.proxies(), ["192.168.18.102 eth4"]);
    assert!(!bench.ruled().contains(&A101.to_string()) && bench.ruled().contains(&A102.to_string()));
}

#[test]
fn entries_come_back_after_the_interface_was_down() {
    let bench = Bench::new(Vzctl);
    let _container = bench.container(A101);
    assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
    let flap = || {
        bench.hn.down("eth3").unwrap();
        bench.hn.up("eth3").unwrap();
        bench.hn.settle("eth3").unwrap();
    };
    flap();
    assert_eq!(bench.proxies(), [] as [&str; 0], "the kernel dropped it");
    let said = bench.vz(&["status"]);
    assert!(said.code == 1 && said.stdout.contains("missing"), "{said:?}");
    bench.good(&["sync"]);
    assert_eq!(bench.macs(A101), [Bench::mac("eth3")]);
    bench.good(&["status"]);
    // vzctl's own way, which does not know the container.
    flap();
    assert_eq!(bench.run(with(bench.script("vzifup-post", &[]), "eth3")).code, 0);
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3"]);
    // And a watch over what is published.
    let status: serde_json::Value = serde_json::from_str(&bench.good(&["status", "--json"])).unwrap();
    let registry = status["registry"].as_str().unwrap().to_owned();
    let mut watch = std::process::Command::new(bench.path("arpflux"));
    watch.args(["watch", "--heal", "--policy", &registry, "--state-dir"]).arg(bench.path("state"));
    watch.args(["--duration", "60s"]).stdout(std::process::Stdio::null());
    let mut watch = bench.hn.run(|| watch.spawn().unwrap()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    flap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while bench.proxies() != ["192.168.18.101 eth3"] {
        assert!(std::time::Instant::now() < deadline, "the watch did not bring it back");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn what_lost_its_route_is_withdrawn_and_comes_back_with_it() {
    let bench = Bench::new(Vzctl);
    let _container = bench.container(A101);
    assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
    bench.unroute(A101);
    assert_eq!(bench.vz(&["status"]).code, 1, "published, though no route leads there");
    let said = bench.vz(&["sync"]);
    assert!(said.code == 0 && said.stderr.contains("no route leads to it"), "{said:?}");
    assert_eq!(bench.proxies(), [] as [&str; 0]);
    bench.good(&["status"]);
    route(&bench, "192.168.18.101");
    bench.good(&["sync"]);
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3"]);
}

#[test]
fn containers_that_ran_before_are_taken_over() {
    let bench = Bench::bare(Vzctl);
    let _container = bench.container(A101);
    assert_eq!(bench.start("101", "192.168.18.101").code, 0);
    assert_eq!(bench.proxies().len(), 3, "vzctl's own way");
    bench.good(&["setup"]);
    let said = bench.vz(&["sync"]);
    assert!(said.stderr.contains("was taken over"), "{said:?}");
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3"]);
    assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
    assert_eq!(bench.proxies(), [] as [&str; 0]);
}

#[test]
fn what_the_policy_published_by_itself_is_left_alone() {
    let bench = Bench::new(Vzctl);
    let (_one, _two) = (bench.container(A101), bench.container(A102));
    let proxy = "[[proxy]]\nowner = \"vip\"\naddresses = [\"192.168.18.200\"]\ninterface = \"eth0\"\n";
    bench.write("policy.toml", &format!("version = 1\n{proxy}"));
    let mut apply = std::process::Command::new(bench.path("arpflux"));
    apply
        .arg("apply")
        .arg("--policy")
        .arg(bench.path("policy.toml"))
        .arg("--state-dir")
        .arg(bench.path("state"));
    let said = bench.run(apply);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3", "192.168.18.200 eth0"]);
    assert!(bench.ruled().contains(&"192.168.18.200".to_owned()));
    assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
    assert_eq!(bench.proxies(), ["192.168.18.200 eth0"]);
    assert!(bench.ruled().contains(&"192.168.18.200".to_owned()));
}

/// `examples/vzctl/vznet-custom`, called as its text says.
#[test]
fn the_script_that_the_page_wanted() {
    let bench = Bench::bare(Vzctl);
    let (_one, _two) = (bench.container(A101), bench.container(A102));
    let script = |arguments: &[&str]| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/vzctl/vznet-custom");
        let mut command = std::process::Command::new(path);
        let folder = |name: &str| bench.path(name).display().to_string();
        command.args(arguments).env("ARPFLUX", folder("arpflux")).env("VZ_CONF", folder("etc/vz/vz.conf"));
        command.env(
            "ARPFLUX_OPTIONS",
            format!(
                "--vz-dir {} --policy {} --state-dir {}",
                folder("etc/vz"),
                folder("policy.toml"),
                folder("state")
            ),
        );
        bench.run(command)
    };
    route(&bench, "192.168.18.101");
    route(&bench, "192.168.18.102");
    for (veid, address) in [("101", "192.168.18.101"), ("102", "192.168.18.102")] {
        let said = script(&["start", veid, address]);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    }
    assert_eq!(bench.proxies(), ["192.168.18.101 eth3", "192.168.18.102 eth4"]);
    assert_eq!(bench.macs(A101), [Bench::mac("eth3")]);
    assert_eq!(script(&["start", "102", "192.168.18.101"]).code, 78);
    assert_eq!(script(&["start", "101", "$(id)"]).code, 34);
    assert_eq!(script(&["start"]).code, 20);
    assert_eq!(script(&["stop", "101", "192.168.18.101"]).code, 0);
    assert_eq!(bench.proxies(), ["192.168.18.102 eth4"]);
    assert_eq!(script(&["stop", "102"]).code, 0);
    assert_eq!(bench.proxies(), [] as [&str; 0]);
}

/// At every moment at which a route comes or goes, nothing is published for its address.
#[test]
fn published_after_the_route_is_set_and_withdrawn_before_it_goes() {
    for version in [Vzctl, Libvzctl] {
        let bench = Bench::new(version);
        let _container = bench.container(A101);
        let log = bench.path("ip.log");
        // Notes what is published whenever a script changes a route.
        bench.write(
            "bin/ip",
            &format!(
                "#!/bin/sh\ncase \"$*\" in *route*add* | *route*replace* | *route*del*)\n\techo \"$*: \
                 $(/sbin/ip neigh show proxy)\" >>{}\nesac\nexec /sbin/ip \"$@\"\n",
                log.display()
            ),
        );
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(bench.path("bin/ip"), mode).unwrap();
        assert_eq!(bench.start_quick("101", "192.168.18.101 192.168.18.111").code, 0);
        assert_eq!(bench.proxies(), ["192.168.18.101 eth3", "192.168.18.111 eth3"]);
        assert_eq!(bench.stop("101", "192.168.18.101 192.168.18.111").code, 0);
        let lines = std::fs::read_to_string(&log).unwrap();
        assert!(lines.lines().count() >= 4, "{lines}");
        assert!(!lines.contains("proxy"), "{version:?}: {lines}");
        assert!(lines.contains("101") && lines.contains("111"), "{lines}");
    }
}
