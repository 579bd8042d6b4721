//! The host's own packets: by which interface and from which address it asks, against the model.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use arpflux_core::predict::{Model, Outgoing};
use arpflux_core::snapshot::{LinkKind, Snapshot};
use arpflux_core::types::IfIndex;
use nix::libc;

use crate::ask::Interesting;
use crate::case::Case;
use crate::host::Host;
use crate::rng::Rng;
use crate::{Worker, known, replay};

const PACKETS: usize = 14;

/// The sender's address and MAC in a request.
pub type Request = ([u8; 4], [u8; 6]);

impl Worker {
    /// Sends packets from the host, whose namespace is the calling thread's, and compares the requests that
    /// come out.
    pub fn own_packets(
        &mut self,
        case: &Case,
        host: &mut Host<'_>,
        interesting: &Interesting,
        rng: &mut Rng,
    ) -> io::Result<()> {
        let refused = host.neighbour_table()?.refused;
        let snapshot = known(case, &host.snapshot()?);
        // Whatever has a neighbour entry is not asked for again.
        let mut asked: HashSet<(IfIndex, IpAddr)> =
            snapshot.neighbours.iter().map(|entry| (entry.interface, entry.address)).collect();
        // Without it the host answers its own packets with errors, which it may ask for others with.
        let _sink = sink()?;
        let protocols = snapshot.rules.iter().any(|rule| rule.ip_protocol.is_some());
        let model = Model::new(&snapshot).unwrap();
        for _ in 0..if protocols { 0 } else { PACKETS } {
            let to = interesting.target(rng);
            // Only addresses of interfaces: bound to a broadcast address a socket has no source.
            let held: Vec<Ipv4Addr> = snapshot
                .addresses
                .iter()
                .filter_map(|held| match held.local {
                    IpAddr::V4(address) => Some(address),
                    IpAddr::V6(_) => None,
                })
                .collect();
            let from = (rng.percent(40) && !held.is_empty()).then(|| held[rng.below(held.len())]);
            let by = rng.percent(25).then(|| snapshot.interfaces[rng.below(snapshot.interfaces.len())].index);
            if to.is_multicast() || to.is_broadcast() || to.is_unspecified() {
                continue;
            }
            let expected = model.outgoing(to, from, by);
            if let Outgoing::Undetermined { .. } = expected {
                // Not sent: it would leave a neighbour entry nobody knows where.
                *self.histogram.own.entry("undetermined").or_default() += 1;
                continue;
            }
            if let Outgoing::Asks { interface, target, .. } = expected
                && (!carries(&snapshot, interface) || !asked.insert((interface, target.into())))
            {
                continue;
            }
            let Ok(socket) = socket(&snapshot, from, by) else { continue };
            while self.wire.receive(0)?.is_some() {}
            let sent = socket.send_to(b"arpflux", (to, 9));
            let (outcome, right, came) = self.compare(&expected, to, &sent)?;
            *self.histogram.own.entry(outcome).or_default() += 1;
            if !right && host.neighbour_table()?.refused == refused {
                let mut text = format!("MISMATCH, seed {}, own packet:\n", case.seed);
                for command in &case.commands {
                    text += &format!("    {command}\n");
                }
                let by = by.map(|index| snapshot.name_of(index));
                text += &format!(
                    "  to {to} from {from:?} by {by:?}: expected {expected:?}, sent {sent:?}, came {came:?}\n"
                );
                self.mismatches.push(text + &replay(case) + "\n");
            }
        }
        Ok(())
    }

    /// What became of a packet, in a word, and whether that is as expected.
    pub fn compare(
        &mut self,
        expected: &Outgoing,
        to: Ipv4Addr,
        sent: &io::Result<usize>,
    ) -> io::Result<(&'static str, bool, Option<Request>)> {
        match expected {
            Outgoing::Undetermined { .. } => Ok(("undetermined", true, None)),
            Outgoing::Unreachable => Ok(("unreachable", sent.is_err(), None)),
            Outgoing::NoRequest { .. } => {
                let asked = self.request_for(to, 1)?;
                Ok(("no_request", sent.is_ok() && asked.is_none(), asked))
            }
            Outgoing::Asks { target, sender, mac, .. } => {
                let asked = self.request_for(*target, 250)?;
                let right =
                    asked.is_some_and(|(from, by)| from == sender.octets() && Some(by) == mac.octets());
                Ok(("asks", sent.is_ok() && right, asked))
            }
        }
    }

    /// The sender's address and MAC of the next request for `target` that comes out within `wait_ms`.
    fn request_for(&mut self, target: Ipv4Addr, wait_ms: u64) -> io::Result<Option<Request>> {
        let until = Instant::now() + Duration::from_millis(wait_ms);
        loop {
            let left = until.saturating_duration_since(Instant::now()).as_millis() as i32;
            match self.wire.receive(left)? {
                Some(arp) if !arp.reply && arp.target == target.octets() => {
                    return Ok(Some((arp.sender, arp.sender_mac)));
                }
                Some(_) => {}
                None if left == 0 => return Ok(None),
                None => {}
            }
        }
    }
}

/// Takes what the host sends to itself.
pub fn sink() -> io::Result<UdpSocket> {
    // Also what goes round through a VRF; where the kernel has none there is no such file.
    let _ = std::fs::write("/proc/sys/net/ipv4/udp_l3mdev_accept", "1");
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 9))
}

/// Whether what an interface sends comes out somewhere.
fn carries(snapshot: &Snapshot, interface: IfIndex) -> bool {
    let Some(found) = snapshot.interface(interface) else { return false };
    match found.kind.as_ref().map(LinkKind::name) {
        // A dummy swallows all, a bond what it sends while it has no partner or no active port.
        Some("dummy" | "bond") => false,
        Some("macvlan" | "vlan" | "ipvlan") => {
            found.carrier && found.link.is_some_and(|lower| carries(snapshot, lower))
        }
        _ => found.carrier,
    }
}

/// A socket bound as asked.
pub fn socket(snapshot: &Snapshot, from: Option<Ipv4Addr>, by: Option<IfIndex>) -> io::Result<UdpSocket> {
    // SAFETY: plain calls; the descriptor is checked before it is taken over, and the name is read within
    // its length.
    let socket = unsafe {
        let socket =
            libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0);
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        let socket = OwnedFd::from_raw_fd(socket);
        if let Some(by) = by.and_then(|index| snapshot.interface(index)) {
            let name = by.name.as_bytes();
            let bound = libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_BINDTODEVICE,
                name.as_ptr().cast(),
                name.len() as u32,
            );
            if bound < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        if let Some(from) = from {
            let mut address: libc::sockaddr_in = std::mem::zeroed();
            address.sin_family = libc::AF_INET as u16;
            address.sin_addr.s_addr = u32::from_ne_bytes(from.octets());
            let size = size_of::<libc::sockaddr_in>() as u32;
            if libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        socket
    };
    let socket = UdpSocket::from(socket);
    socket.set_broadcast(true)?;
    Ok(socket)
}
