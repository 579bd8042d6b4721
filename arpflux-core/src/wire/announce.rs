//! Tells everybody on a wire where an address is.
//!
//! Gratuitous ARP goes out in both forms, request and reply: receivers differ in which one they take.
//! It is repeated after more than a second, because a Linux receiver that changed its entry less than
//! a second ago (`locktime`) may keep what it has. For IPv6, unsolicited neighbour advertisements go
//! to all nodes, with the override flag (RFC 4861 section 7.2.6).
//!
//! Frames are made here and sent as they are: no address has to be on the interface and no sysctl
//! (`ip_nonlocal_bind`) is touched. Everybody on the wire believes what is sent, so it is to come from the owner
//! only: [`Host::announce`] makes sure of that, and [`check_owner`] says whether it would.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::probe::Transmit;
use super::{PacketSocket, Port};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{ALL_NODES, Ipv4Arp, Ndp};
use crate::host::Host;
use crate::kernel::Netns;
use crate::plan::Announcement;
use crate::snapshot::{Index, Reach, Snapshot};
use crate::stop::Stop;
use crate::types::{IfIndex, IfName, IpNet, Mac};

/// How to announce.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How often, 1 to 100.
    pub rounds: u8,
    /// The time from one round to the next; beyond the receivers' `locktime` of 1 s.
    pub spacing: Duration,
    /// Whether to send gratuitous requests.
    pub request: bool,
    /// Whether to send gratuitous replies.
    pub reply: bool,
    /// Addresses in these are left out.
    pub never: Vec<IpNet>,
    /// Whether [`Host::announce`] announces even what another interface of the host holds or proxies.
    pub anyway: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 2,
            spacing: Duration::from_millis(1100),
            request: true,
            reply: true,
            never: Vec::new(),
            anyway: false,
        }
    }
}

impl Options {
    setters!(rounds: u8, spacing: Duration, request: bool, reply: bool, never: Vec<IpNet>, anyway: bool);

    fn leaves_out(&self, address: &IpAddr) -> bool {
        self.never.iter().any(|prefix| prefix.contains(address))
    }
}

/// What was announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Announced {
    /// From which interface.
    pub interface: IfName,
    /// The MAC that peers send to from now on.
    pub mac: Mac,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// How many frames were sent, all rounds together.
    pub frames: usize,
}

impl Host {
    /// Announces addresses from one interface and returns when all rounds are over; `stop` ends it between
    /// two rounds.
    ///
    /// ```no_run
    /// use arpflux_core::wire::announce::Options;
    /// use arpflux_core::{Host, Stop};
    ///
    /// let host = Host::current()?;
    /// let addresses = ["192.168.18.11".parse().expect("an address")];
    /// let told = host.announce(&"eth3".parse()?, &addresses, &Options::default(), &Stop::default())?;
    /// assert_eq!(told.frames, 4); // both forms, twice
    /// # Ok::<(), arpflux_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] as [`check_owner`] unless [`Options::anyway`], or if nothing is left to
    /// announce; as [`announce_until`], [`Port::named`] and [`Host::snapshot`].
    pub fn announce(
        &self,
        interface: &IfName,
        addresses: &[IpAddr],
        options: &Options,
        stop: &Stop,
    ) -> Result<Announced> {
        let addresses: Vec<IpAddr> =
            addresses.iter().filter(|address| !options.leaves_out(address)).copied().collect();
        if addresses.is_empty() || !(options.request || options.reply) {
            let why = "nothing is left to announce: there is no address, all are never to be announced, or both \
                       forms are off";
            return Err(Error::new(ErrorKind::Refused, why).during("announce"));
        }
        let snapshot = if options.anyway { None } else { Some(self.snapshot()?) };
        self.namespace().run(|| {
            let port = Port::named(interface)?;
            if let Some(snapshot) = &snapshot {
                check_owner(snapshot, port.index, &addresses)?;
            }
            let frames = announce_until(&[(port.clone(), addresses.clone())], options, stop)?;
            Ok(Announced { interface: port.name, mac: port.mac, addresses, frames })
        })?
    }
}

/// The core: which frame to send when. Times are counted from the first call.
#[derive(Debug)]
pub struct Announcer {
    frames: Vec<Vec<u8>>,
    rounds: u8,
    spacing: Duration,
    round: u8,
    cursor: usize,
}

impl Announcer {
    /// Announces `addresses` from an interface.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if an IPv6 address is to be announced from an interface without a
    /// link-local one, which advertisements are sent from.
    pub fn new(port: &Port, addresses: &[IpAddr], options: &Options) -> Result<Self> {
        let mut frames = Vec::new();
        for address in addresses {
            if options.leaves_out(address) {
                continue;
            }
            match *address {
                IpAddr::V4(address) => {
                    if options.request {
                        frames.push(Ipv4Arp::announcement(port.mac, address).to_frame(Mac::BROADCAST));
                    }
                    if options.reply {
                        frames.push(Ipv4Arp::announcement_reply(port.mac, address).to_frame(Mac::BROADCAST));
                    }
                }
                IpAddr::V6(address) => {
                    let source = port.link_local.ok_or_else(|| {
                        Error::new(ErrorKind::Unsupported, "it has no IPv6 link-local address to send from")
                            .during("announce")
                            .on(format!("{address} on {}", port.name))
                    })?;
                    let advertisement = Ndp::announcement(address, port.mac, false);
                    frames.push(advertisement.to_frame((port.mac, source), ALL_NODES));
                }
            }
        }
        let rounds = options.rounds.clamp(1, 100);
        Ok(Self { frames, rounds, spacing: options.spacing, round: 0, cursor: 0 })
    }

    /// What to do at the time `now`.
    pub fn transmit(&mut self, now: Duration) -> Transmit<'_> {
        if self.cursor == self.frames.len() {
            self.round += 1;
            self.cursor = 0;
        }
        if self.round >= self.rounds || self.frames.is_empty() {
            return Transmit::Done;
        }
        let due = self.spacing * u32::from(self.round);
        if now < due {
            return Transmit::Wait(due);
        }
        let frame = &self.frames[self.cursor];
        self.cursor += 1;
        Transmit::Frame(frame)
    }
}

/// Whether `interface` is the one to announce `addresses` from: not if a NIC of the host beside it holds one, or
/// is the only one with a proxy entry for it, and not if the host neither holds nor proxies one. An address that is
/// on no NIC (on `lo`, on a dummy) is anybody's.
///
/// # Errors
/// [`ErrorKind::Refused`] with the interface that the address is at.
pub fn check_owner(snapshot: &Snapshot, interface: IfIndex, addresses: &[IpAddr]) -> Result<()> {
    let index = Index::new(snapshot);
    for address in addresses {
        if address.is_loopback() {
            let why = "it is a loopback address, which every host has for itself";
            return Err(Error::new(ErrorKind::Refused, why).during("announce").on(*address));
        }
        let mut owners = index.holders(*address).to_vec();
        owners.retain(|owner| *owner == interface || is_nic(snapshot, *owner));
        if owners.is_empty() {
            owners = index.proxied(*address).iter().map(|on| on.unwrap_or(interface)).collect();
        }
        if owners.is_empty() && index.holders(*address).is_empty() {
            let why = "this host neither holds nor proxies it, and all peers would be sent here";
            return Err(Error::new(ErrorKind::Refused, why).during("announce").on(*address).hint(
                "add the address, or a proxy entry for it, first; to announce it all the same, say so (--anyway)",
            ));
        }
        if let Some(owner) = owners.first().filter(|_| !owners.contains(&interface)) {
            let (here, owner) = (snapshot.name_of(interface), snapshot.name_of(*owner));
            let why =
                format!("it is at {owner}, and from {here} all peers would be sent to the wrong interface");
            return Err(Error::new(ErrorKind::Refused, why)
                .during("announce")
                .on(*address)
                .hint(format!("announce it from {owner}")));
        }
    }
    Ok(())
}

/// Whether peers can send there. What is on `lo` or a dummy, they reach by another interface.
fn is_nic(snapshot: &Snapshot, interface: IfIndex) -> bool {
    snapshot
        .interface(interface)
        .is_some_and(|interface| interface.speaks_arp() && interface.reach() != Reach::Nowhere)
}

/// Announces addresses, each from an interface of the calling thread's namespace, and returns when all
/// rounds are over. Gives the number of frames sent.
///
/// # Errors
/// [`ErrorKind::Unsupported`] if an interface is not Ethernet, and those of [`PacketSocket`].
pub fn announce(items: &[(Port, Vec<IpAddr>)], options: &Options) -> Result<usize> {
    announce_until(items, options, &Stop::default())
}

/// The same, until `stop` is raised.
///
/// # Errors
/// As [`announce`]; [`ErrorKind::Interrupted`] if `stop` is raised before the last round.
pub fn announce_until(items: &[(Port, Vec<IpAddr>)], options: &Options, stop: &Stop) -> Result<usize> {
    let mut senders = Vec::new();
    for (port, addresses) in items {
        let port = port.clone().ethernet()?;
        let announcer = Announcer::new(&port, addresses, options)?;
        senders.push((PacketSocket::sender(port.index)?, announcer, port));
    }
    let start = Instant::now();
    let mut sent = 0;
    loop {
        let mut next: Option<Duration> = None;
        for (socket, announcer, port) in &mut senders {
            loop {
                match announcer.transmit(start.elapsed()) {
                    Transmit::Frame(frame) => {
                        stop.check().map_err(|error| error.during("announce"))?;
                        socket.send(frame).map_err(|error| error.during("announce").on(port.name))?;
                        sent += 1;
                    }
                    Transmit::Wait(until) => {
                        next = Some(next.map_or(until, |next| next.min(until)));
                        break;
                    }
                    Transmit::Done => break,
                }
            }
        }
        match next {
            Some(until) => stop.sleep_until(start + until).map_err(|error| error.during("announce"))?,
            None => return Ok(sent),
        }
    }
}

/// Sends a plan's announcements from the calling thread's namespace, as
/// [`crate::apply::Transaction::announce`] wants it done. Gives the number of frames sent.
///
/// # Errors
/// [`ErrorKind::Changed`] if an interface is no longer the one of the snapshot (another MAC), and as
/// [`announce`].
pub fn announce_planned(
    snapshot: &Snapshot,
    announcements: &[Announcement],
    options: &Options,
    stop: &Stop,
) -> Result<usize> {
    let mut wanted: BTreeMap<IfIndex, Vec<IpAddr>> = BTreeMap::new();
    for announcement in announcements {
        wanted.entry(announcement.interface).or_default().push(announcement.address);
    }
    let mut items = Vec::new();
    for (interface, addresses) in wanted {
        let port = Port::numbered(interface)?;
        if snapshot.interface(interface).is_some_and(|known| known.mac != port.mac) {
            return Err(Error::new(ErrorKind::Changed, "its MAC is another one now")
                .during("announce")
                .on(port.name));
        }
        items.push((port, addresses));
    }
    announce_until(&items, options, stop)
}

/// [`announce_planned`] in another namespace, in the form that
/// [`crate::apply::Transaction::announce`] takes.
pub fn announcer<'a>(
    netns: &'a Netns,
    options: &'a Options,
    stop: &'a Stop,
) -> impl FnMut(&Snapshot, &[Announcement]) -> Result<usize> + 'a {
    move |snapshot, announcements| netns.run(|| announce_planned(snapshot, announcements, options, stop))?
}
