//! Fifty containers at once, and many addresses.

use std::net::Ipv4Addr;
use std::process::{Child, Stdio};
use std::time::Instant;

use crate::bench::{Bench, Libvzctl, Version, Vzctl};

fn fifty(version: Version) {
    let bench = Bench::new(version);
    let containers: Vec<(String, String, &str)> = (0..50)
        .map(|n| (format!("{}", 101 + n), format!("192.168.18.{}", 130 + n), ["eth3", "eth4"][n % 2]))
        .collect();
    for (veid, _, interface) in &containers {
        bench.write(&format!("etc/vz/conf/{veid}.conf"), &format!("ARPFLUX_IF=\"{interface}\"\n"));
    }
    let begun = Instant::now();
    let children: Vec<Child> = containers
        .iter()
        .map(|(veid, address, _)| {
            let mut command = bench.start_command(veid, address, &[]);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
            bench.hn.run(|| command.spawn().unwrap()).unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    println!("{version:?}: fifty starts at once took {:?}", begun.elapsed());
    let mut expected: Vec<String> =
        containers.iter().map(|(_, address, interface)| format!("{address} {interface}")).collect();
    expected.sort();
    assert_eq!(bench.proxies(), expected);
    assert_eq!(bench.good(&["status", "--json"]).matches("\"published\": true").count(), 50);
    // All stop at once.
    let children: Vec<Child> = containers
        .iter()
        .map(|(veid, address, _)| {
            let (script, environment) = match version {
                Vzctl => {
                    ("vps-net_del", [("VEID", veid.as_str()), ("IP_ADDR", address), ("VE_STATE", "stopping")])
                }
                Libvzctl => {
                    ("vz-stop", [("VEID", veid.as_str()), ("IP_ADDR", address), ("VE_STATE", "stopping")])
                }
            };
            let mut command = bench.script(script, &environment);
            command.stdout(Stdio::null());
            bench.hn.run(|| command.spawn().unwrap()).unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(bench.proxies(), [] as [&str; 0]);
    assert!(!bench.routed(Ipv4Addr::new(192, 168, 18, 130)));
}

#[test]
fn fifty_at_once_vzctl() {
    fifty(Vzctl);
}

#[test]
fn fifty_at_once_libvzctl() {
    fifty(Libvzctl);
}

#[test]
fn detection_takes_a_second_for_any_number_of_addresses_and_interfaces() {
    let bench = Bench::bare(Vzctl);
    let mut policy = "version = 1\n".to_owned();
    let mut all = Vec::new();
    for (n, interface) in ["eth0", "eth3", "eth4"].iter().enumerate() {
        let addresses: Vec<String> =
            (0..500).map(|m| format!("192.168.{}.{}", 20 + 2 * n + m / 250, m % 250 + 1)).collect();
        policy +=
            &format!("[[proxy]]\nowner = \"{n}\"\naddresses = {addresses:?}\ninterface = \"{interface}\"\n");
        all.extend(addresses);
    }
    bench.write("policy.toml", &policy);
    let arguments: Vec<&str> = std::iter::once("detect").chain(all.iter().map(String::as_str)).collect();
    let begun = Instant::now();
    let said = bench.vz(&arguments);
    let took = begun.elapsed();
    assert_eq!(said.code, 0, "{said:?}");
    println!("{} addresses on three interfaces: {took:?}", all.len());
    // Usually 1.05 s; other tests run at the same time.
    assert!(took.as_secs_f64() < 5.0, "{took:?}");
}

#[test]
fn a_start_costs_little_besides_the_detection() {
    for version in [Vzctl, Libvzctl] {
        let took = |bench: &Bench, environment: &[(&str, &str)]| {
            let mut times: Vec<_> = (0..9)
                .map(|_| {
                    let command = bench.start_command("101", "192.168.18.101", environment);
                    let begun = Instant::now();
                    let said = bench.run(command);
                    let took = begun.elapsed();
                    assert_eq!(said.code, 0, "{said:?}");
                    assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
                    took
                })
                .collect();
            times.sort();
            times[times.len() / 2]
        };
        let quick = [("SKIP_ARPDETECT", "yes")];
        let bare = Bench::bare(version);
        let _behind_bare = bare.container([192, 168, 18, 101].into());
        let ours = Bench::new(version);
        let _behind_ours = ours.container([192, 168, 18, 101].into());
        let (without, with, detecting) = (took(&bare, &quick), took(&ours, &quick), took(&ours, &[]));
        println!(
            "{version:?}: a start takes {without:?} without arpflux, {with:?} with it, {detecting:?} with detection"
        );
        // Usually 15 to 40 ms more, and 1.03 s; other tests run at the same time.
        assert!(with < without + std::time::Duration::from_millis(700), "{without:?}, {with:?}");
        assert!(detecting.as_secs_f64() < 4.0, "{detecting:?}");
    }
}
