//! What is promised to allocate nothing does not.
#![allow(missing_docs, reason = "a test")]

#[path = "fuzz/memory.rs"]
mod memory;

use std::net::{IpAddr, Ipv4Addr};

use arpflux_core::predict::{ArpRequest, Model, Reason, Verdict};
use arpflux_core::snapshot::{Interference, Snapshot};

/// Asks for everything on every interface; how many requests, and how many of them cannot be told.
fn ask_for_everything(snapshot: &Snapshot, model: &Model<'_>) -> (usize, usize) {
    let own = snapshot.addresses.iter().map(|held| held.local);
    let proxied = snapshot.proxies.iter().map(|entry| entry.address);
    let addresses: Vec<Ipv4Addr> = own
        .chain(proxied)
        .filter_map(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .chain([Ipv4Addr::UNSPECIFIED, Ipv4Addr::LOCALHOST, Ipv4Addr::BROADCAST])
        .chain(
            ["192.168.18.129", "192.168.18.255", "203.0.113.1"].map(|text| text.parse().expect("an address")),
        )
        .collect();
    let (mut asked, mut unclear) = (0, 0);
    memory::start();
    for interface in &snapshot.interfaces {
        for sender in &addresses {
            for target in &addresses {
                let verdict = model.reply(&ArpRequest::broadcast(interface.index, *sender, *target));
                asked += 1;
                unclear += usize::from(matches!(verdict, Verdict::Undetermined { .. }));
            }
        }
    }
    (asked, unclear)
}

#[test]
fn a_prediction_allocates_nothing() {
    let text = include_str!("../arpflux-cli/tests/hardware-node.json");
    let mut snapshot = Snapshot::from_json(text).expect("a snapshot");
    let model = Model::new(&snapshot).unwrap();
    let (asked, _) = ask_for_everything(&snapshot, &model);
    assert_eq!(memory::peak(), 0, "{asked} predictions");
    assert!(asked > 200, "{asked}");
    // The counter counts: an explanation has steps.
    let eth0 = snapshot.interfaces[1].index;
    let explanation =
        model.explain(&ArpRequest::broadcast(eth0, [192, 168, 18, 129].into(), [192, 168, 18, 10].into()));
    assert!(!explanation.steps.is_empty() && memory::peak() > 0);

    // Nor where something is not known and every case of it is gone through.
    snapshot.interference.push(Interference::Netfilter { chain: "arp filter input".into(), interface: None });
    snapshot.routing.rules_changed = None;
    snapshot.routing.local_routes_added = None;
    let model = Model::new(&snapshot).unwrap();
    let (asked, unclear) = ask_for_everything(&snapshot, &model);
    assert_eq!(memory::peak(), 0, "{asked} predictions");
    assert!(unclear > 20, "{unclear} of {asked}");

    // Nor where rules of a filter are run.
    snapshot.filters = serde_json::from_str(FILTERS).expect("filters");
    let model = Model::new(&snapshot).unwrap();
    let (asked, _) = ask_for_everything(&snapshot, &model);
    assert_eq!(memory::peak(), 0, "{asked} predictions");
    let dropped = ArpRequest::broadcast(eth0, [192, 168, 18, 129].into(), [192, 168, 18, 10].into());
    assert_eq!(model.reply(&dropped).reason(), Some(Reason::FilterDropsRequest));
}

/// `arp daddr ip @known drop`, and a limit for all others.
const FILTERS: &str = r#"{
    "chains": [{
        "family": "arp", "table": "t", "name": "c", "base": { "hook": "input", "priority": 0 },
        "rules": [
            [
                { "do": "load", "header": "arp", "offset": 24, "len": 4, "register": 4 },
                { "do": "lookup", "set": "known", "register": 4, "negated": false, "to": null },
                { "do": "decide", "verdict": "drop" }
            ],
            [{ "do": "unknown", "name": "limit" }, { "do": "decide", "verdict": "drop" }]
        ]
    }],
    "sets": [{
        "family": "arp", "table": "t", "name": "known", "fields": [4],
        "elements": [{ "from": "c0a8120a", "to": "c0a8120b" }]
    }]
}"#;
