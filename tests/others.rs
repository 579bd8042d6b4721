//! What a host answers for on its LAN though others have it.
#![allow(missing_docs, reason = "a test")]

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, AsRawFd as _};

use arpflux_core::types::Mac;
use arpflux_core::wire::{Port, probe};
use arpflux_core::{Host, Plan, Policy, apply, verify};
use arpflux_lab::Lab;

fn host(of: &arpflux_lab::Host) -> Host {
    Host::at(format!("/proc/self/fd/{}", of.netns().as_fd().as_raw_fd()).as_ref()).unwrap()
}

/// The MACs that answer a host of the LAN.
fn answer(client: &Host, target: &str) -> Vec<Mac> {
    let target: IpAddr = target.parse().unwrap();
    let options = probe::Options::default().tell_proxies(false);
    let probed = client.namespace().run(|| {
        let port = Port::named(&"eth0".parse().unwrap()).unwrap();
        probe::run(&port, &[target], options, |_| ControlFlow::Continue(())).unwrap()
    });
    let mut macs: Vec<Mac> = probed.unwrap()[0].replies.iter().map(|reply| reply.mac).collect();
    macs.sort();
    macs
}

fn make(node: &Host, plan: &Plan) {
    let state = std::env::temp_dir().join(format!("arpflux-others-{}", std::process::id()));
    std::fs::create_dir_all(&state).unwrap();
    let _kept = node.apply(plan, apply::Options::default().state_dir(&state)).unwrap();
    std::fs::remove_dir_all(&state).unwrap();
}

#[test]
fn who_answers_for_a_live_host_of_the_lan_is_never_verified() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let host_at = |name: &str, nics: &[(&str, u8, &str)]| {
        let host = lab.host(name).unwrap();
        for (nic, mac, address) in nics {
            host.plug(&lan, nic, Mac::ethernet([2, 0, 0, 0, 0, *mac])).unwrap();
            host.address(nic, address).unwrap();
        }
        host
    };
    let router = host_at("router", &[("eth0", 1, "192.0.2.1/24"), ("eth1", 2, "192.0.2.2/24")]);
    let _printer = host_at("printer", &[("eth0", 77, "192.0.2.77/24")]);
    let client = host(&host_at("client", &[("eth0", 9, "192.0.2.9/24")]));
    router.sysctl("net.ipv4.ip_forward", 1).unwrap();
    router.sysctl("net.ipv4.conf.eth1.proxy_arp", 1).unwrap();
    let node = host(&router);
    let policy = |text: &str| Policy::from_toml(&format!("version = 1\n[host]\n{text}"), "policy").unwrap();
    let (keep, off) = (policy(""), policy("proxy_arp = \"off\"\n"));
    make(&node, &keep.plan(&node.snapshot().unwrap()).unwrap());
    assert_eq!(answer(&client, "192.0.2.77").len(), 2);
    let report = verify::check(&keep, &node.snapshot().unwrap()).unwrap();
    assert!(report.failures.iter().any(|failure| failure.object == "eth1"), "{report}");
    make(&node, &off.plan(&node.snapshot().unwrap()).unwrap());
    assert_eq!(answer(&client, "192.0.2.77"), [Mac::ethernet([2, 0, 0, 0, 0, 77])]);
    let report = verify::check(&off, &node.snapshot().unwrap()).unwrap();
    assert!(report.ok(), "{report}");
}
