//! Who asks decides who answers: strict `rp_filter` sorts askers by their subnet, also on one wire.
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::{Duration, Instant};

use arpflux_core::diagnose::{self, FindingId};
use arpflux_core::frame::{Arp, Ethernet, Ipv4Arp, Operation};
use arpflux_core::predict::{Matrix, Model, Overview, listeners, targets};
use arpflux_core::proof::{Claims, Targets};
use arpflux_core::recommend::recommend;
use arpflux_core::segment::Wires;
use arpflux_core::snapshot::Snapshot;
use arpflux_core::types::Mac;
use arpflux_core::wire::Filter;
use arpflux_core::{ErrorKind, Host, Plan, apply, verify};
use arpflux_lab::Lab;

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn host(of: &arpflux_lab::Host) -> Host {
    Host::at(format!("/proc/self/fd/{}", of.netns().as_fd().as_raw_fd()).as_ref()).unwrap()
}

fn make(node: &Host, plan: &Plan) {
    let state = std::env::temp_dir().join(format!("arpflux-askers-{}", std::process::id()));
    std::fs::create_dir_all(&state).unwrap();
    let _kept = node.apply(plan, apply::Options::default().state_dir(&state)).unwrap();
    std::fs::remove_dir_all(&state).unwrap();
}

/// The MACs that answer `router` for an address, by which of its own addresses it asks from.
fn answers(router: &arpflux_lab::Host, senders: &[&str], target: &str) -> BTreeSet<Mac> {
    let mut socket = router.packet_socket("eth0", Filter::ArpReplies).unwrap();
    let mac = router.mac("eth0").unwrap();
    for sender in senders {
        let request = Ipv4Arp::request(mac, ip(sender), ip(target));
        socket.send(&request.to_frame(Mac::BROADCAST)).unwrap();
    }
    let (mut macs, end) = (BTreeSet::new(), Instant::now() + Duration::from_millis(400));
    while let Some(received) = socket.receive(end).unwrap() {
        let arp = Ethernet::parse(received.frame).and_then(|frame| Arp::parse(frame.payload));
        if let Some(reply) = arp.ok().and_then(|arp| arp.ipv4())
            && (reply.operation, reply.sender) == (Operation::Reply, ip(target))
        {
            macs.insert(reply.sender_mac);
        }
    }
    macs
}

/// Whether there is one MAC for each address, as each verb says it: nothing is certain of wires that only subnets tell.
fn said(snapshot: &Snapshot) -> [(&'static str, Option<bool>); 4] {
    let model = Model::new(snapshot).unwrap();
    let diagnosis = snapshot.diagnose(&diagnose::Options::default()).unwrap();
    let claims = Claims::by_wire(snapshot, &listeners(snapshot), Targets::All).unwrap();
    let all = targets(snapshot);
    let overview = Overview::of(&model, &all, &listeners(snapshot), None, |_| {});
    [
        ("diagnose", diagnosis.judgement(Some(diagnose::Severity::Warning)).ok()),
        ("explain", Matrix::of(&model).judgement().ok()),
        ("the list of explain", overview.judgement().ok()),
        ("explain --prove", claims.judgement.ok()),
    ]
}

#[test]
fn two_subnets_on_one_wire_with_strict_rp_filter_have_a_mac_for_each_subnet() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let node = lab.host("node").unwrap();
    for (nic, last, address) in [("eth0", 1, "10.0.0.2/24"), ("eth1", 2, "10.0.1.2/24")] {
        node.plug(&lan, nic, Mac::ethernet([2, 0, 0, 0, 0, last])).unwrap();
        node.address(nic, address).unwrap();
    }
    node.sysctl("net.ipv4.conf.all.rp_filter", 1).unwrap();
    let router = lab.host("router").unwrap();
    router.plug(&lan, "eth0", Mac::ethernet([2, 0, 0, 0, 0, 9])).unwrap();
    for address in ["10.0.0.1/24", "10.0.1.1/24"] {
        router.address("eth0", address).unwrap();
    }
    let senders = ["10.0.0.1", "10.0.1.1"];
    // Until a neighbour is heard on both, the subnets say that these are two wires.
    let linux = host(&node);
    assert_eq!(said(&linux.snapshot().unwrap()).map(|(_, ok)| ok), [Some(true); 4]);
    assert_eq!(answers(&router, &senders, "10.0.0.2").len(), 2, "the disease");
    for gateway in senders {
        assert!(node.ping(None, ip(gateway), 1).unwrap().received > 0);
    }
    let before = linux.snapshot().unwrap();
    for (verb, ok) in said(&before) {
        assert_eq!(ok, None, "{verb}");
    }
    // Where it is known, it is found.
    let wires = Wires::new([["eth0", "eth1"].map(|name| name.parse().unwrap()).to_vec()]).unwrap();
    let told = diagnose::Options::default().wires(Some(wires.clone()));
    let found = before.diagnose(&told).unwrap();
    let several = found.findings.iter().find(|finding| finding.id == FindingId::SeveralAnswer).unwrap();
    assert!(several.what.contains("subnet of the address that it asks from"), "{}", several.what);

    // By strict `rp_filter` the card of the other subnet would be the only one left that may answer, and drop the request: the
    // remedy makes it loose first, which no policy does.
    let loose = "Set net.ipv4.conf.eth0.rp_filter and net.ipv4.conf.eth1.rp_filter to 2 (loose), then";
    assert!(several.remedy.starts_with(loose) && several.plan.is_some(), "{}", several.remedy);
    let refused = recommend(&before).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Undetermined, "{refused}");
    assert!(refused.remedy().is_some_and(|hint| hint.contains("rp_filter=2")), "{refused}");

    node.sysctl("net.ipv4.conf.all.rp_filter", 2).unwrap();
    let recommended = recommend(&linux.snapshot().unwrap()).unwrap();
    make(&linux, &recommended.plan);
    for (address, nic) in [("10.0.0.2", "eth0"), ("10.0.1.2", "eth1")] {
        for sender in senders {
            assert_eq!(answers(&router, &[sender], address), [node.mac(nic).unwrap()].into(), "the cure");
        }
    }
    let after = linux.snapshot().unwrap();
    for (verb, ok) in said(&after) {
        assert_eq!(ok, Some(true), "{verb}");
    }
    assert!(verify::check(&recommended.policy, &after).unwrap().ok());
    assert!(verify::check_with(&recommended.policy, &after, &wires).unwrap().ok());
    assert!(!after.diagnose(&told).unwrap().findings.iter().any(|one| one.id == FindingId::SeveralAnswer));
}
