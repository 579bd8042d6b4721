//! Hosts made by plain `ip` in the calling thread's namespace.

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::Command;
use std::time::{Duration, Instant};

use arpflux_core::kernel::{Kernel as _, LinuxKernel, Netns};
use arpflux_core::snapshot::Snapshot;
use arpflux_core::types::IfIndex;
use arpflux_tests::iproute::{self, run};

/// The far ends of a host's cards: bridges in a namespace of their own, with one interface to ask by.
pub struct Wires {
    pub netns: Netns,
    /// The name of each bridge, with the interface that asks there.
    pub asking: Vec<(String, IfIndex)>,
}

impl Wires {
    fn new() -> Self {
        Self { netns: Netns::create("wires").unwrap(), asking: Vec::new() }
    }

    fn ip(&self, lines: &str) {
        self.netns.run(|| iproute::ip(lines)).unwrap();
    }

    fn card(&mut self, name: &str, bridge: &str) {
        if !self.asking.iter().any(|(known, _)| known == bridge) {
            self.ip(&format!(
                "link add {bridge} type bridge mcast_snooping 0
                 link set {bridge} up
                 link add a-{bridge} type veth peer name b-{bridge}
                 link set b-{bridge} master {bridge} up
                 link set a-{bridge} up"
            ));
            let inside = self.netns.run(|| LinuxKernel::open().unwrap().snapshot().unwrap()).unwrap();
            let index = inside.interface_named(&format!("a-{bridge}").parse().unwrap()).unwrap().index;
            self.asking.push((bridge.to_owned(), index));
        }
        let path = format!("/proc/{}/fd/{}", std::process::id(), self.netns.as_fd().as_raw_fd());
        iproute::ip(&format!("link add {name} type veth peer name p-{name} netns {path}"));
        self.ip(&format!("link set p-{name} master {bridge} up"));
        iproute::ip(&format!("link set {name} up"));
    }
}

/// Makes the host in the calling thread's namespace.
pub fn make(lines: &str) -> Wires {
    let mut wires = Wires::new();
    iproute::ip("link set lo up");
    for path in ["all", "default"] {
        run(&format!("sysctl -qw net.ipv6.conf.{path}.disable_ipv6=1"));
    }
    for line in lines.lines().map(str::trim) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["card", name, bridge] => wires.card(name, bridge),
            ["cut", name] => wires.ip(&format!("link set p-{name} down")),
            ["sysctl", setting] => drop(run(&format!("sysctl -qw {setting}"))),
            // What may be refused.
            ["try", ref words @ ..] => drop(Command::new(words[0]).args(&words[1..]).output().unwrap()),
            _ => drop(run(line)),
        }
    }
    wires
}

/// A snapshot, when nothing comes up any more.
pub fn snapshot() -> Snapshot {
    let mut kernel = LinuxKernel::open().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let before = kernel.snapshot().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let after = kernel.snapshot().unwrap();
        if before.interfaces == after.interfaces && before.routes == after.routes {
            return after;
        }
        assert!(Instant::now() < deadline, "the host does not come to rest");
    }
}
