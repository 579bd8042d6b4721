//! Which interfaces share a wire, found out on real ones.
#![allow(missing_docs, reason = "a test")]

use std::process::Command;
use std::time::{Duration, Instant};

use arpflux_core::segment::Wires;
use arpflux_core::types::{IfName, Mac};
use arpflux_core::wire::segments::{Options, Segments, find};
use arpflux_core::wire::{Filter, own_macs};
use arpflux_core::{ErrorKind, Host as Live};
use arpflux_lab::{Host, Lab, Recorder};

fn segments(host: &Host, names: &[&str]) -> Segments {
    let names: Vec<IfName> = names.iter().map(|name| name.parse().unwrap()).collect();
    let live = host.run(Live::current).unwrap().unwrap();
    find(&live, &names, Options::default()).unwrap()
}

/// Three interfaces on one switch, two on another, with addresses that say otherwise.
fn hosts() -> (Lab, Host, Host) {
    let lab = Lab::new().unwrap();
    let (lan, san) = (lab.switch("lan").unwrap(), lab.switch("san").unwrap());
    let hn = lab.host("hn").unwrap();
    for (i, (name, wire)) in
        [("eth0", &lan), ("eth1", &san), ("eth2", &lan), ("eth3", &san), ("eth4", &lan)].iter().enumerate()
    {
        hn.plug(wire, name, Mac::NONE).unwrap();
        // All in one subnet but the last, which is on the wire of the first all the same.
        let address = if i == 4 { "10.0.0.1/24".into() } else { format!("192.168.18.{}/24", 10 + i) };
        hn.address(name, &address).unwrap();
    }
    let client = lab.host("client").unwrap();
    client.plug(&lan, "eth0", Mac::NONE).unwrap();
    client.address("eth0", "192.168.18.129/24").unwrap();
    (lab, hn, client)
}

#[test]
fn wires_are_found_whatever_the_addresses_say_and_nothing_is_left() {
    let (_lab, hn, client) = hosts();
    let state = || {
        let snapshot = hn.run(|| Live::current()?.snapshot()).unwrap().unwrap();
        let promiscuous =
            hn.run(|| Command::new("ip").args(["-d", "link"]).output().unwrap().stdout).unwrap();
        (snapshot.to_json().unwrap(), String::from_utf8(promiscuous).unwrap())
    };
    let before = state();
    let recorder = Recorder::start(&[(&client, "eth0")], Filter::All).unwrap();
    let found = segments(&hn, &[]);
    let seen = recorder.stop().unwrap();
    assert_eq!(found.wires.to_string(), "eth0, eth2, eth4 | eth1, eth3");
    assert_eq!(found.heard.len(), 3 * 2 + 2);
    assert_eq!(found.unconnected, []);
    // One frame from each interface of the client's wire, from its own MAC.
    let own = hn.run(own_macs).unwrap().unwrap();
    assert_eq!(seen.len(), 3, "{seen:?}");
    for frame in &seen {
        assert_eq!(frame.frame[12..14], [0x88, 0xb5]);
        assert!(own.contains(&Mac::ethernet(*frame.frame[6..].first_chunk().unwrap())));
    }
    assert_eq!(state(), before);
    assert_eq!(client.neighbours().unwrap(), []);

    // What addresses let one guess is wrong here, both ways; and the finding replaces it.
    let snapshot = hn.run(|| Live::current()?.snapshot()).unwrap().unwrap();
    let guess = Wires::guess(&snapshot);
    let name = |name: &str| name.parse::<IfName>().unwrap();
    assert_eq!(guess.share(&name("eth0"), &name("eth1")), Some(true));
    assert_eq!(guess.share(&name("eth0"), &name("eth4")), Some(false));
    let map = found.wires.map(&snapshot);
    let share = |one: &str, other: &str| map.share(hn.index(one).unwrap(), hn.index(other).unwrap());
    assert_eq!((share("eth0", "eth4"), share("eth0", "eth1")), (Some(true), Some(false)));
}

#[test]
fn named_interfaces_ports_without_carrier_and_refusals() {
    let (_lab, hn, _client) = hosts();
    assert_eq!(segments(&hn, &["eth4", "eth1", "eth0"]).wires.to_string(), "eth4, eth0 | eth1");
    // Over early when all share one wire.
    let start = Instant::now();
    let long = Options::default().rounds(10).wait(Duration::from_secs(5));
    let live = hn.run(Live::current).unwrap().unwrap();
    let pair: Vec<IfName> = ["eth0", "eth2"].map(|name| name.parse().unwrap()).into();
    assert_eq!(find(&live, &pair, long).unwrap().wires.to_string(), "eth0, eth2");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());

    hn.carrier("eth2", false).unwrap();
    let found = segments(&hn, &[]);
    assert_eq!(found.wires.to_string(), "eth0, eth4 | eth1, eth3");
    assert_eq!(found.unconnected, ["eth2".parse().unwrap()]);
    hn.carrier("eth2", true).unwrap();

    // The ports of a bridge take no requests themselves; the bridge is on their wires, and joins them.
    hn.bridge("br0", &["eth0", "eth1"]).unwrap();
    hn.settle("br0").unwrap();
    assert_eq!(segments(&hn, &[]).wires.wires().len(), 1);
    assert!(!segments(&hn, &[]).wires.to_string().contains("eth0"));

    let refused = |name: &str| find(&live, &[name.parse().unwrap()], Options::default()).unwrap_err();
    assert_eq!(refused("lo").kind(), ErrorKind::Unsupported);
    assert_eq!(refused("eth9").kind(), ErrorKind::NotFound);
    assert!(refused("eth9").to_string().contains("eth9"));
}

#[test]
fn a_macvlan_shares_the_wire_of_the_interface_below() {
    let (_lab, hn, _client) = hosts();
    let made = hn
        .run(|| {
            Command::new("ip")
                .args(["link", "add", "mv0", "link", "eth1", "up", "type", "macvlan", "mode", "bridge"])
                .status()
                .unwrap()
        })
        .unwrap();
    assert!(made.success());
    hn.settle("mv0").unwrap();
    let found = segments(&hn, &[]);
    assert_eq!(found.wires.to_string(), "eth0, eth2, eth4 | eth1, eth3, mv0");
    // Without a third on the wire as well.
    assert_eq!(segments(&hn, &["eth1", "mv0"]).wires.to_string(), "eth1, mv0");
}
