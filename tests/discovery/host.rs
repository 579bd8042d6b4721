//! A host built from a case in a namespace of its own, and the far ends of its interfaces.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::UdpSocket;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use arpflux_core::frame::{EtherType, Ethernet, Ipv6, Ndp};
use arpflux_core::kernel::{Kernel as _, LinuxKernel, Netns};
use arpflux_core::snapshot::Snapshot;
use arpflux_core::types::{IfName, Mac};
use arpflux_core::wire::{Filter, PacketSocket};

use crate::case::Command;

/// How long a host may take to come to rest, and an answer to come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An advertisement that came out of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Out of which interface, by its number in the case.
    pub nic: usize,
    /// To which MAC.
    pub to: Mac,
    /// From which.
    pub from: Mac,
    /// The message.
    pub message: Ndp,
}

pub struct Host {
    netns: Netns,
    /// By the interface's number in the case.
    far: BTreeMap<usize, PacketSocket>,
    /// Programs that joined groups.
    _joined: Vec<UdpSocket>,
}

/// The names that a namespace of wires gives out.
fn far_name(label: &str, nic: usize) -> String {
    format!("{label}_{nic}")
}

impl Host {
    /// Carries the commands out in a new namespace; the far ends are in the calling thread's own one, which has no
    /// IPv6.
    pub fn build(commands: &[Command], nics: usize, label: &str) -> io::Result<Self> {
        let netns = Netns::create(label).map_err(io::Error::other)?;
        let thread = nix::unistd::gettid().as_raw();
        let mut joined = Vec::new();
        let mut at = 0;
        while at < commands.len() {
            let lines: Vec<String> = commands[at..]
                .iter()
                .map_while(|command| match command {
                    Command::Ip(line) => Some(match line.split_once(" @") {
                        Some((before, nic)) => {
                            let far = far_name(label, nic.parse().unwrap_or(0));
                            format!("{before} {far} netns {thread}")
                        }
                        None => line.clone(),
                    }),
                    _ => None,
                })
                .collect();
            if !lines.is_empty() {
                at += lines.len();
                netns.run(|| ip_batch(&lines)).map_err(io::Error::other)??;
                // The far ends are up before anything is asked of the host.
                for nic in 0..nics {
                    let up = format!("link set {} up", far_name(label, nic));
                    ip_batch(&[up])?;
                }
                continue;
            }
            match &commands[at] {
                Command::Sysctl(path, value) => {
                    // An interface that could not be made has no folder, an older kernel not every file.
                    let write = || std::fs::write(format!("/proc/sys/net/ipv6/{path}"), value.to_string());
                    let _ = netns.run(write).map_err(io::Error::other)?;
                }
                Command::Join(device, group) => {
                    let join = || -> io::Result<UdpSocket> {
                        let socket = UdpSocket::bind("[::]:0")?;
                        let index = nix::net::if_::if_nametoindex(device.as_str())?;
                        socket.join_multicast_v6(group, index)?;
                        Ok(socket)
                    };
                    joined.extend(netns.run(join).map_err(io::Error::other)?.ok());
                }
                Command::Nft(line) => netns.run(|| filter("nft", &[line])).map_err(io::Error::other)??,
                Command::Ip6tables(line) => {
                    let words: Vec<&str> = line.split(' ').collect();
                    netns.run(|| filter("ip6tables-nft", &words)).map_err(io::Error::other)??;
                }
                Command::Ip(_) => {}
            }
            at += 1;
        }
        let mut far = BTreeMap::new();
        for nic in 0..nics {
            let name: IfName = far_name(label, nic).parse().map_err(io::Error::other)?;
            let index = nix::net::if_::if_nametoindex(name.to_string().as_str())?;
            let filter = Filter::EtherType(EtherType::IPV6.0);
            let socket =
                PacketSocket::open(arpflux_core::types::IfIndex(index), filter).map_err(io::Error::other)?;
            socket.ignore_outgoing().map_err(io::Error::other)?;
            far.insert(nic, socket);
        }
        Ok(Self { netns, far, _joined: joined })
    }

    pub fn snapshot(&self) -> io::Result<Snapshot> {
        let read = || LinuxKernel::open()?.snapshot();
        self.netns.run(read).map_err(io::Error::other)?.map_err(io::Error::other)
    }

    /// The host as it is when nothing changes any more: addresses come and go a little later than what caused it.
    pub fn at_rest(&self) -> io::Result<Snapshot> {
        let deadline = Instant::now() + PATIENCE;
        let mut before = self.snapshot()?;
        loop {
            std::thread::sleep(Duration::from_millis(30));
            let now = self.snapshot()?;
            if decides(&now) == decides(&before) {
                return Ok(now);
            }
            if Instant::now() > deadline {
                return Err(io::Error::other("the host does not come to rest"));
            }
            before = now;
        }
    }

    /// Sends a frame into the interface of that number.
    pub fn send(&self, nic: usize, frame: &[u8]) -> io::Result<()> {
        match self.far.get(&nic) {
            Some(socket) => socket.send(frame).map_err(io::Error::other),
            None => Err(io::Error::other("no such interface")),
        }
    }

    /// The next advertisement within `wait`; `None`: none came.
    pub fn hear(&mut self, wait: Duration) -> io::Result<Option<Heard>> {
        let deadline = Instant::now() + wait;
        loop {
            for (nic, socket) in &mut self.far {
                let now = Instant::now();
                while let Some(received) = socket.receive(now).map_err(io::Error::other)? {
                    let Some((from, to, message)) = advertisement(received.frame) else { continue };
                    return Ok(Some(Heard { nic: *nic, to, from, message }));
                }
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What of a snapshot decides about solicitations. Neighbours come with every question.
pub fn decides(snapshot: &Snapshot) -> Snapshot {
    let mut copy = snapshot.clone();
    copy.neighbours.clear();
    for interface in &mut copy.interfaces {
        // Whether the far ends' queues run.
        interface.flags.remove(arpflux_core::snapshot::InterfaceFlags::RUNNING);
    }
    copy
}

fn advertisement(frame: &[u8]) -> Option<(Mac, Mac, Ndp)> {
    let ethernet = Ethernet::parse(frame).ok()?;
    let message = Ipv6::parse(ethernet.payload).ok()?.ndp().ok()?;
    let mac = |octets| Mac::ethernet(octets);
    matches!(message, Ndp::Advertisement { .. })
        .then(|| (mac(ethernet.source), mac(ethernet.destination), message))
}

/// Runs lines through one `ip`; lines that the kernel refuses are left out.
pub fn ip_batch(lines: &[String]) -> io::Result<()> {
    let mut ip = Process::new("ip")
        .args(["-6", "-force", "-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = ip.stdin.take() {
        input.write_all(lines.join("\n").as_bytes())?;
        input.write_all(b"\n")?;
    }
    ip.wait().map(drop)
}

/// Runs a program that writes rules; what it refuses is left out.
fn filter(program: &str, words: &[&str]) -> io::Result<()> {
    let mut command = Process::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(drop)
}
