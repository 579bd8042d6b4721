//! Peers are told after whatever changes which MAC answers.
#![allow(missing_docs, reason = "a test")]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use arpflux_core::Policy;
use arpflux_core::frame::{Arp, Ethernet};
use arpflux_core::types::Mac;
use arpflux_core::watch::Watcher;
use arpflux_core::wire::{Filter, PacketSocket};
use arpflux_tests::watched::{Node, POLICY, PROXIED, until_so};

/// A node, a client on its wire that listens, and a watch at rest.
fn scene(name: &str) -> (Node, PacketSocket, Watcher) {
    let node = Node::new(name);
    let policy =
        Policy::from_toml(&POLICY.replace("announce = false", "egress = \"unmanaged\""), "policy.toml")
            .unwrap();
    let client = node.lab.host("client").unwrap();
    client.plug(&node.lan, "eth0", Mac::NONE).unwrap();
    let mut watcher = node.watcher_of(&policy, true);
    until_so(&mut watcher, "all is well", |watcher| watcher.status().ok_since_ms.is_some());
    let ears = client.packet_socket("eth0", Filter::Arp).unwrap();
    (node, ears, watcher)
}

/// Lets the watch work until somebody is told that this MAC has that address.
#[track_caller]
fn is_told(watcher: &mut Watcher, ears: &mut PacketSocket, address: &str, mac: &str) {
    let (address, mac): (Ipv4Addr, Mac) = (address.parse().unwrap(), mac.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        watcher.wait(Some(Duration::from_millis(20))).unwrap();
        while let Some(packet) = ears.receive(Instant::now()).unwrap() {
            let Ok(ethernet) = Ethernet::parse(packet.frame) else { continue };
            let arp = Arp::parse(ethernet.payload).ok().and_then(|arp| arp.ipv4());
            if arp.is_some_and(|arp| arp.is_gratuitous() && (arp.sender, arp.sender_mac) == (address, mac)) {
                return;
            }
        }
        assert!(Instant::now() < end, "nobody was told of {address}");
    }
}

#[test]
fn when_a_wrong_entry_was_removed() {
    let (node, mut ears, mut watcher) = scene("entry");
    node.hn.proxy("eth0", PROXIED.parse().unwrap()).unwrap();
    is_told(&mut watcher, &mut ears, PROXIED, "00:0c:29:b3:a2:68");
}

#[test]
fn when_a_mac_is_another_one() {
    let (node, mut ears, mut watcher) = scene("mac");
    node.hn.set_mac("eth3", "02:00:00:00:00:77".parse().unwrap()).unwrap();
    is_told(&mut watcher, &mut ears, "192.168.18.11", "02:00:00:00:00:77");
    node.hn.set_mac("eth3", "02:00:00:00:00:78".parse().unwrap()).unwrap();
    is_told(&mut watcher, &mut ears, PROXIED, "02:00:00:00:00:78");
}

#[test]
fn when_another_card_has_its_place() {
    let (node, mut ears, mut watcher) = scene("card");
    node.hn.delete("eth4").unwrap();
    // Seen without it.
    watcher.wait(Some(Duration::from_millis(300))).unwrap();
    node.hn.plug(&node.lan, "eth4", "02:00:00:00:00:79".parse().unwrap()).unwrap();
    node.hn.address("eth4", "192.168.18.12/24").unwrap();
    is_told(&mut watcher, &mut ears, "192.168.18.12", "02:00:00:00:00:79");
}

/// No value, rule or entry of the policy changes by that.
#[test]
fn when_an_address_moves_to_another_card() {
    let (node, mut ears, mut watcher) = scene("address");
    node.hn.address("eth0", "192.168.18.30/32").unwrap();
    watcher.wait(Some(Duration::from_millis(300))).unwrap();
    node.hn.delete_address("eth0", "192.168.18.30/32").unwrap();
    watcher.wait(Some(Duration::from_millis(300))).unwrap();
    node.hn.address("eth3", "192.168.18.30/32").unwrap();
    is_told(&mut watcher, &mut ears, "192.168.18.30", "00:0c:29:b3:a2:68");
}
