//! A container that moves between two nodes, in the order that the library says, sampled on the wire.
#![allow(missing_docs, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arpflux_core::frame::{Arp, Ethernet, Ipv4Arp};
use arpflux_core::judgement::Judgement;
use arpflux_core::segment::{Action, DoubtState, Member, infer, order};
use arpflux_core::snapshot::Snapshot;
use arpflux_core::types::Mac;
use arpflux_core::wire::{Direction, Filter};
use arpflux_core::{Host, Plan, Policy, Stop, apply};
use arpflux_lab::{Lab, NewRoute, Recorder};

const CONTAINER: &str = "10.0.0.101";

fn host(of: &arpflux_lab::Host) -> Host {
    Host::at(format!("/proc/self/fd/{}", of.netns().as_fd().as_raw_fd()).as_ref()).unwrap()
}

fn policy(holds: bool) -> Policy {
    let proxy = if holds {
        format!("[[proxy]]\nowner = \"101\"\naddresses = [\"{CONTAINER}\"]\ninterface = \"eth0\"\n")
    } else {
        String::new()
    };
    let text = format!("version = 1\n[host]\ninterfaces = [\"eth0\"]\nforeign_proxies = \"remove\"\n{proxy}");
    Policy::from_toml(&text, "policy.toml").unwrap()
}

/// Applies a plan for good, without asking what it silences: another node answers then.
fn make(node: &arpflux_lab::Host, plan: &Plan, state: &std::path::Path) {
    let options = apply::Options::default().state_dir(state).accept_harm(true);
    host(node).apply(plan, options).unwrap().confirm().unwrap();
}

#[test]
fn no_neighbour_hears_two_nodes_while_a_container_moves() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let state = std::env::temp_dir().join(format!("arpflux-moves-{}", std::process::id()));
    let node = |name: &str, address: &str| {
        let node = lab.host(name).unwrap();
        node.plug(&lan, "eth0", Mac::NONE).unwrap();
        node.address("eth0", address).unwrap();
        let containers = lab.venet(&node, "ct0").unwrap();
        for interface in ["eth0", "ct0"] {
            node.sysctl(&format!("net/ipv4/conf/{interface}/forwarding"), 1).unwrap();
        }
        node.sysctl("net/ipv4/neigh/eth0/proxy_delay", 0).unwrap();
        (node, containers)
    };
    let ((first, _one), (second, _two)) = (node("node1", "10.0.0.1/24"), node("node2", "10.0.0.2/24"));
    let nodes = [first, second];
    let client = lab.host("client").unwrap();
    client.plug(&lan, "eth0", Mac::NONE).unwrap();
    client.address("eth0", "10.0.0.9/24").unwrap();
    nodes.iter().chain([&client]).for_each(|host| host.settle("eth0").unwrap());
    let route = || NewRoute::to("10.0.0.101/32").unwrap().device("ct0").unwrap();
    // The container runs on node 1, published there by its policy; then it is on node 2.
    nodes[0].route(&route()).unwrap();
    make(&nodes[0], &policy(true).plan(&host(&nodes[0]).snapshot().unwrap()).unwrap(), &state.join("1"));
    nodes[0].delete_route(&route()).unwrap();
    nodes[0].route(&NewRoute::to("10.0.0.101/32").unwrap().device("lo").unwrap()).unwrap();
    nodes[1].route(&route()).unwrap();

    let snapshots: Vec<Snapshot> = nodes.iter().map(|node| host(node).snapshot().unwrap()).collect();
    let names = ["node1", "node2"];
    let members: Vec<Member<'_>> =
        names.iter().zip(&snapshots).map(|(name, snapshot)| Member::new(name, snapshot).unwrap()).collect();
    let plans = [policy(false).plan(&snapshots[0]).unwrap(), policy(true).plan(&snapshots[1]).unwrap()];
    let stop = Stop::default();
    let segments = infer(&members, &stop).unwrap().segments;
    let order = order(&members, &plans, &segments, 1, &stop).unwrap();
    let steps: Vec<(&str, Action)> =
        order.steps.iter().map(|step| (step.host.as_str(), step.action)).collect();
    assert_eq!(steps[..2], [("node1", Action::Withdraw), ("node2", Action::Apply)], "{order:?}");
    assert_eq!(order.judgement, Judgement::Good);
    assert!(order.doubts.iter().all(|doubt| doubt.state == DoubtState::Nobody), "{order:?}");

    let container: Ipv4Addr = CONTAINER.parse().unwrap();
    let recorder = Recorder::start(&[(&client, "eth0")], Filter::ArpReplies).unwrap();
    let mut ears = client.packet_socket("eth0", Filter::ArpReplies).unwrap();
    let macs: Vec<Mac> = nodes.iter().map(|node| node.mac("eth0").unwrap()).collect();
    // Whose MAC an answer for the container has.
    let sender = |frame: &[u8]| {
        let arp = Arp::parse(Ethernet::parse(frame).ok()?.payload).ok()?.ipv4()?;
        (arp.sender == container).then_some(arp.sender_mac)
    };
    let socket = client.packet_socket("eth0", Filter::ArpReplies).unwrap();
    let question = Ipv4Arp::request(client.mac("eth0").unwrap(), "10.0.0.9".parse().unwrap(), container);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                socket.send(&question.to_frame(Mac::BROADCAST)).unwrap();
                // How often the wire is sampled.
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        for step in &order.steps {
            let place = names.iter().position(|name| *name == step.host).unwrap();
            let now = host(&nodes[place]).snapshot().unwrap();
            let plan = match step.action {
                Action::Withdraw => apply::remove_proxies(&now, None, &[IpAddr::V4(container)]).unwrap(),
                Action::Apply => policy(place == 1).plan(&now).unwrap(),
            };
            make(&nodes[place], &plan, &state.join(place.to_string()));
        }
        // Until the new node was heard.
        let deadline = Instant::now() + Duration::from_secs(60);
        while sender(ears.receive(deadline).unwrap().expect("the new node answers").frame) != Some(macs[1]) {}
        done.store(true, Ordering::Release);
    });
    let heard = recorder.stop().unwrap();
    let times = |mac: Mac| {
        let of = heard.iter().filter(move |frame| sender(&frame.frame) == Some(mac));
        of.filter(|frame| frame.direction == Direction::In).map(|frame| frame.at.0)
    };
    let last = times(macs[0]).max().expect("the old node was heard");
    let first = times(macs[1]).min().expect("the new node was heard");
    let (old, new) = (times(macs[0]).count(), times(macs[1]).count());
    println!(
        "{old} answers of the old node, {new} of the new one, {} µs without",
        first.saturating_sub(last) / 1000
    );
    let both = Duration::from_nanos(last.saturating_sub(first));
    assert!(both < Duration::from_millis(50), "both nodes answered for {both:?}");
    let _ = std::fs::remove_dir_all(&state);
}
