//! Hosts of every sort, as files that `--snapshot` takes.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use arpflux_core::Snapshot;
use arpflux_core::snapshot::{Builder, LinkKind};
use arpflux_core::sysctl::Sysctl;

/// The names of all hosts below.
pub const ALL: [&str; 8] = ["healthy", "small", "lvs", "rails", "vrrp", "proxmox", "openvz", "thousand"];

/// The file of a host, written anew for each that asks.
pub fn file(name: &str) -> PathBuf {
    // Tests run side by side.
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let place = FILES.fetch_add(1, Ordering::Relaxed);
    let file = format!("{name}-{}-{place}.json", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
    let text = match name {
        "openvz" => include_str!("../hardware-node.json").to_owned(),
        _ => host(name).to_json().unwrap(),
    };
    std::fs::write(&path, text).unwrap();
    path
}

fn host(name: &str) -> Snapshot {
    match name {
        "healthy" => one_card(),
        "small" => two_cards(),
        "lvs" => real_server(),
        "rails" => eight_rails(),
        "vrrp" => vrrp_backup(),
        "proxmox" => bridge_and_card(),
        "thousand" => thousand(),
        _ => panic!("no host {name}"),
    }
    .build()
    .unwrap()
}

fn one_card() -> Builder {
    Builder::new().nic("enp1s0", &["192.168.1.10/24"]).route("0.0.0.0/0", Some("192.168.1.1"), "enp1s0")
}

fn two_cards() -> Builder {
    one_card().nic("enp2s0", &["192.168.1.11/24"])
}

fn real_server() -> Builder {
    Builder::new().address("lo", "172.16.0.100/32").nic("eth0", &["172.16.0.21/24"]).route(
        "0.0.0.0/0",
        Some("172.16.0.1"),
        "eth0",
    )
}

fn eight_rails() -> Builder {
    (0..8).fold(Builder::new(), |host, rail| {
        host.nic(&format!("ens{rail}f0np0"), &[&format!("10.10.0.{}/16", 10 + rail)])
    })
}

fn vrrp_backup() -> Builder {
    Builder::new().nic("eth2", &["192.0.2.62/24"]).nic("vrrp6", &["192.0.2.66/24"]).with(
        "vrrp6",
        |interface| {
            interface.kind = Some(LinkKind::Macvlan);
            interface.mac = "00:00:5e:00:01:01".parse().unwrap();
            interface.link = Some(arpflux_core::types::IfIndex(2));
            interface.carrier = false;
        },
    )
}

/// A node whose guests are on vmbr0, with a second card in the same subnet.
fn bridge_and_card() -> Builder {
    Builder::new()
        .nic("eno1", &[])
        .nic("vmbr0", &["192.168.50.2/24"])
        .with("vmbr0", |interface| interface.kind = Some(LinkKind::Bridge))
        .with("eno1", |interface| interface.master = Some(arpflux_core::types::IfIndex(3)))
        .nic("eno2", &["192.168.50.3/24"])
        .route("0.0.0.0/0", Some("192.168.50.1"), "vmbr0")
        .sysctl("all", Sysctl::Forwarding, 1)
}

/// 1,000 interfaces, 40 of them with an address, and 150 proxies (more of them take minutes in a debug build).
fn thousand() -> Builder {
    let host = (0..1000).fold(Builder::new(), |host, at| match at {
        0..40 => host.nic(&format!("v{at}a"), &[&format!("10.20.{at}.1/24")]),
        _ => host.nic(&format!("v{at}a"), &[]),
    });
    (0..150).fold(host, |host, at| {
        let address = format!("10.{}.{}.{}", 30 + at / 65_536, at / 256 % 256, at % 256);
        host.proxy(&address, Some(&format!("v{}a", at % 40)))
    })
}
