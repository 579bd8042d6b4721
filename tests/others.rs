//! What a host answers for on its LAN though others have it.
#![allow(missing_docs, reason = "a test")]

use std::fs::{File, OpenOptions};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::{AtomicU32, Ordering};

use arpflux_core::diagnose::{FindingId, Options};
use arpflux_core::types::Mac;
use arpflux_core::wire::{Port, probe};
use arpflux_core::{Host, Plan, Policy, apply, verify};
use arpflux_lab::Lab;
use nix::libc;

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
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let state = std::env::temp_dir().join(format!("arpflux-others-{}-{number}", std::process::id()));
    std::fs::create_dir(&state).unwrap();
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

/// A tunnel of a program, `tun0`: it has carrier while the descriptor is open.
fn tunnel() -> File {
    /// `struct ifreq` as `TUNSETIFF` reads it.
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: libc::c_short,
        rest: [u8; 22],
    }
    let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun").expect("the module tun");
    let mut request = Request { name: [0; 16], flags: (libc::IFF_TUN | libc::IFF_NO_PI) as _, rest: [0; 22] };
    request.name[..4].copy_from_slice(b"tun0");
    // SAFETY: the descriptor is open, and the request is as large as a `struct ifreq` and outlives the call.
    let made = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &raw const request) };
    assert_eq!((made, request.rest[0]), (0, 0), "{}", std::io::Error::last_os_error());
    file
}

#[test]
fn the_address_of_a_tunnel_of_a_program_is_found_on_the_lan_and_cured() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let [server, client] =
        [("server", 2, "192.0.2.2/24"), ("client", 9, "192.0.2.9/24")].map(|(name, mac, address)| {
            let host = lab.host(name).unwrap();
            host.plug(&lan, "eth0", Mac::ethernet([2, 0, 0, 0, 0, mac])).unwrap();
            host.address("eth0", address).unwrap();
            host
        });
    let _open = server.run(tunnel).unwrap();
    server.up("tun0").unwrap();
    server.address("tun0", "10.8.0.1/24").unwrap();
    let (node, client) = (host(&server), host(&client));
    assert_eq!(answer(&client, "10.8.0.1"), [Mac::ethernet([2, 0, 0, 0, 0, 2])]);
    let found = node.snapshot().unwrap().diagnose(&Options::default()).unwrap();
    let exposed = found.findings.iter().find(|one| one.id == FindingId::BridgeExposed).unwrap();
    make(&node, exposed.plan.as_ref().unwrap());
    assert_eq!(answer(&client, "10.8.0.1"), []);
    assert_eq!(answer(&client, "192.0.2.2").len(), 1);
    let left = node.snapshot().unwrap().diagnose(&Options::default()).unwrap();
    assert!(!left.findings.iter().any(|one| one.id == FindingId::BridgeExposed), "{left}");
}
