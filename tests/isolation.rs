//! The tests of this workspace really run in a namespace of their own.
#![allow(missing_docs, reason = "a test")]

use std::fs;

/// Interfaces that the kernel puts into every new namespace once their module is loaded.
const FALLBACK: &[&str] =
    &["erspan0", "gre0", "gretap0", "ip6_vti0", "ip6gre0", "ip6tnl0", "ip_vti0", "sit0", "tunl0"];

#[test]
fn runs_in_a_fresh_network_namespace() {
    let outer = std::env::var("ARPFLUX_TEST_OUTER_NETNS")
        .expect("the runner of .cargo/config.toml (tests/support/netns-run) did not start this test");
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    assert_ne!(own.to_str().unwrap(), outer, "still in the namespace that the tests were started from");

    let table = fs::read_to_string("/proc/self/net/dev").unwrap();
    let names: Vec<&str> =
        table.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim).collect();
    assert!(names.contains(&"lo"), "{names:?}");
    let others: Vec<_> = names.iter().filter(|name| **name != "lo" && !FALLBACK.contains(name)).collect();
    assert!(others.is_empty(), "not a fresh namespace: it has {others:?}");
}

#[test]
fn has_the_privileges_that_the_tests_need() {
    let forward = "/proc/sys/net/ipv4/ip_forward";
    fs::write(forward, "1").expect("CAP_NET_ADMIN over this network namespace");
    assert_eq!(fs::read_to_string(forward).unwrap().trim(), "1");
}

#[test]
fn named_namespaces_are_its_own() {
    assert!(fs::read_dir("/run/netns").unwrap().next().is_none(), "/run/netns is not empty");
}
