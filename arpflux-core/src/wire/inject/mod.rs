//! Asking a host without a second machine: requests that arrive on its interfaces as if from the wire.
//!
//! A helper veth pair is made. What is written into its near end comes out of the far end, where a
//! filter (`mirred ingress redirect`) hands it to the interface under test, whose receive path takes it
//! from there, with bridges, VLANs and address checks as ever. Replies to the synthetic asker are taken off the interface's
//! egress by a second filter, before they reach the wire, and come back through the helper.
//!
//! Everything is undone when the [`Injector`] goes. What a killed one leaves (filters with a priority of
//! their own, interfaces with a name of their own, neighbour entries with a MAC of their own) is
//! removed when the next one opens. One process at a time injects in a namespace.
//!
//! Solicitations of IPv6 go the same way; a duplicate address probe does not, as it is answered to all nodes.
//!
//! Not for ports of a bridge, bond or team: a request there would go on to the other ports' wires. Ask
//! the bridge or bond itself.

mod helper;
mod neighbour;
mod tc;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use nix::libc;

use self::helper::Lock;
use self::tc::Hook;
use super::{Filter, PacketSocket, Port};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{Arp, EtherType, Ethernet, Ipv4Arp, Ipv6, Ndp, Operation, Timestamp};
use crate::host::Host;
use crate::kernel::netlink::NetlinkSocket;
use crate::predict::Request;
use crate::stop::Stop;
use crate::types::{IfIndex, IfName, Mac};

/// The MAC of the synthetic asker: locally administered, the same everywhere so that its traces are known.
const MAC: [u8; 6] = [0x02, 0x61, 0x66, 0x78, 0x00, 0x01];

/// Requests under way at a time: fewer than the 64 that the kernel lets wait for a delayed proxy answer.
const AT_ONCE: usize = 32;

/// One answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The MAC that it names.
    pub mac: Mac,
    /// How long it took.
    pub after: Duration,
}

/// Injects requests into one interface. See the [module](self) text.
pub struct Injector {
    port: Port,
    rtnl: NetlinkSocket,
    near: PacketSocket,
    /// The near and the far end.
    helper: [IfIndex; 2],
    /// MACs whose answers are taken off the egress, by family (whether IPv6).
    caught: Vec<(Mac, bool)>,
    /// The far end has the interface's MAC, so that what is sent to that counts as received for this host.
    takes_unicast: bool,
    _lock: Lock,
}

/// Asks `requests` of one interface of `host` and gives the answers to each, in order.
///
/// `wait` is how long an answer may take: with proxy entries, whose answers to broadcasts the kernel
/// delays, at least [`crate::snapshot::NeighParams::proxy_delay`]; otherwise 50 ms are plenty. Requests that nobody answers take it
/// in full, 32 of them together. The field `interface` of the requests is not looked at.
///
/// # Errors
/// As [`Injector::open`] and [`Injector::ask`].
pub fn ask<R: Copy + Into<Request>>(
    host: &Host,
    interface: &IfName,
    requests: &[R],
    wait: Duration,
) -> Result<Vec<Vec<Answer>>> {
    ask_until(host, interface, requests, wait, &Stop::default())
}

/// The same, until `stop` is raised; everything is undone then too, and answers that the kernel still delays never come.
///
/// # Errors
/// As [`ask`]; [`ErrorKind::Interrupted`] if it was ended.
pub fn ask_until<R: Copy + Into<Request>>(
    host: &Host,
    interface: &IfName,
    requests: &[R],
    wait: Duration,
    stop: &Stop,
) -> Result<Vec<Vec<Answer>>> {
    let mut injector = Injector::open(host, interface)?;
    let answers = injector.ask_until(requests, wait, stop);
    injector.close()?;
    answers
}

/// Removes what a run that was killed has left in the namespace; gives whether there was anything.
///
/// # Errors
/// [`ErrorKind::Busy`] if an injector is at work there, [`ErrorKind::PermissionDenied`] without `CAP_NET_ADMIN`.
pub fn clean(host: &Host) -> Result<bool> {
    host.namespace().run(|| {
        let _lock = Lock::take()?;
        helper::clean(&mut NetlinkSocket::open()?)
    })?
}

/// Removes what a run that was killed has left in the namespace, before somebody looks at it; a sentence if there was
/// anything. What a run that is at work has made is left, and without the right to remove it, it is named.
///
/// # Errors
/// Those of reading the state and of removing.
pub fn clear(host: &Host) -> Result<Option<String>> {
    const WHAT: &str =
        "helper interfaces, filters or neighbour entries of a `verify --wire self` that was killed";
    if !host.namespace().run(|| helper::is_left(&mut NetlinkSocket::open()?))?? {
        return Ok(None);
    }
    match clean(host) {
        Ok(true) => Ok(Some(format!("{WHAT} were left, and are removed"))),
        Ok(false) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Busy => Ok(None),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Ok(Some(format!("{WHAT} are left; `arpflux recover` as root removes them")))
        }
        Err(error) => Err(error),
    }
}

impl Injector {
    /// Makes the helper for an interface of `host`, after removing what a killed run has left.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if another process injects there, or if the interface has a clsact or ingress
    /// queueing discipline of somebody else, which is left alone; [`ErrorKind::Refused`] for the port of a bridge,
    /// bond or team; [`ErrorKind::Unsupported`] if it is not Ethernet or the kernel lacks `cls_u32` or
    /// `act_mirred`; [`ErrorKind::PermissionDenied`] without `CAP_NET_ADMIN` and `CAP_NET_RAW`.
    pub fn open(host: &Host, interface: &IfName) -> Result<Self> {
        host.namespace().run(|| Self::open_here(interface))?
    }

    fn open_here(interface: &IfName) -> Result<Self> {
        let port = Port::named(interface)?.ethernet()?;
        let named = |error: Error| error.on(*interface);
        let lock = Lock::take()?;
        let mut rtnl = NetlinkSocket::open()?;
        helper::clean(&mut rtnl)?;
        let link = helper::link(&mut rtnl, &interface.to_string())?;
        if link.flags & libc::IFF_LOOPBACK as u32 != 0 {
            return Err(named(Error::new(ErrorKind::Refused, "nothing arrives on it from a wire")));
        }
        if let Some(master) = link.master.filter(|_| !link.in_vrf) {
            return Err(named(
                Error::new(ErrorKind::Refused, "it is a port of a bridge, bond or team")
                    .during("inject requests into")
                    .hint(format!("ask interface {master}, which answers for it")),
            ));
        }
        if tc::with_clsact(&mut rtnl)?.contains(&port.index) {
            return Err(named(
                Error::new(
                    ErrorKind::Busy,
                    "it has a clsact or ingress queueing discipline of somebody else, which is left alone",
                )
                .during("inject requests into")
                .hint(format!(
                    "`tc filter show dev {interface} ingress` shows its filters; ask from another host"
                )),
            ));
        }
        // From here on a failure must undo.
        let made = helper::make(&mut rtnl).and_then(|helper| {
            let near = Self::wire(&mut rtnl, helper, port.index)?;
            Ok((helper, near))
        });
        match made {
            Ok((helper, near)) => {
                let caught = vec![(Mac::ethernet(MAC), false)];
                Ok(Self { port, rtnl, near, helper, caught, takes_unicast: false, _lock: lock })
            }
            Err(error) => {
                let _ = helper::clean(&mut rtnl);
                Err(if error.object().is_empty() { named(error) } else { error })
            }
        }
    }

    /// Leads what comes out of the far end into the interface, and its replies to the synthetic MAC back.
    fn wire(rtnl: &mut NetlinkSocket, [near, far]: [IfIndex; 2], interface: IfIndex) -> Result<PacketSocket> {
        tc::add_redirect(rtnl, (far, Hook::Ingress), &tc::ANY, interface, true).map_err(tc::on(far))?;
        let socket = PacketSocket::open(near, Filter::Answers)?;
        socket.ignore_outgoing()?;
        if let Some(matches) = tc::answers_to(Mac::ethernet(MAC), false) {
            let egress = (interface, Hook::Egress);
            tc::add_redirect(rtnl, egress, &matches, far, true)?;
        }
        Ok(socket)
    }

    /// The interface under test.
    #[must_use]
    pub fn port(&self) -> &Port {
        &self.port
    }

    /// Asks, and gives the answers to each request in order. See [`ask`].
    ///
    /// The sender's MAC is the request's own, else the one that the host already has for the sender, else
    /// a synthetic one. Neighbour entries that the requests leave are removed, changed ones restored.
    ///
    /// # Errors
    /// What sending and receiving give; [`ErrorKind::Raced`] if answers were lost.
    pub fn ask<R: Copy + Into<Request>>(
        &mut self,
        requests: &[R],
        wait: Duration,
    ) -> Result<Vec<Vec<Answer>>> {
        self.ask_until(requests, wait, &Stop::default())
    }

    /// The same, until `stop` is raised; everything is undone then, and this asks no more. See [`ask_until`].
    ///
    /// # Errors
    /// As [`Injector::ask`]; [`ErrorKind::Interrupted`] if it was ended.
    pub fn ask_until<R: Copy + Into<Request>>(
        &mut self,
        requests: &[R],
        wait: Duration,
        stop: &Stop,
    ) -> Result<Vec<Vec<Answer>>> {
        let questions: Vec<Request> = requests.iter().map(|request| (*request).into()).collect();
        self.ask_all(&questions, wait, stop)
    }

    fn ask_all(&mut self, requests: &[Request], wait: Duration, stop: &Stop) -> Result<Vec<Vec<Answer>>> {
        let before = neighbour::all(&mut self.rtnl)?;
        let mut answers = Vec::with_capacity(requests.len());
        let mut result = Ok(());
        for requests in requests.chunks(AT_ONCE) {
            match self.ask_some(requests, &before, wait, stop) {
                Ok(some) => answers.extend(some),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        if stop.is_raised() {
            // Before the senders are forgotten: a delayed answer would make the kernel know them again. With an
            // interface that goes, it drops all that waits (`pneigh_queue_purge()` by `neigh_ifdown()`).
            result = result.and(self.undo());
        }
        let forgotten = self.forget(requests, &before);
        result.and(forgotten).map(|()| answers)
    }

    fn ask_some(
        &mut self,
        requests: &[Request],
        before: &[neighbour::Entry],
        wait: Duration,
        stop: &Stop,
    ) -> Result<Vec<Vec<Answer>>> {
        let name = self.port.name;
        let stopped = || stop.check().map_err(|error| error.during("inject requests into").on(name));
        stopped()?;
        let mut frames = Vec::with_capacity(requests.len());
        let mut asked = Vec::with_capacity(requests.len());
        for request in requests {
            let (sender, target, own) = parties(request);
            if sender.is_ipv6() && sender.is_unspecified() {
                return Err(Error::new(ErrorKind::Unsupported, "a probe of IPv6 is answered to all nodes")
                    .during("inject requests into")
                    .on(name));
            }
            let known = before
                .iter()
                .find(|entry| entry.interface == self.port.index && entry.address == sender)
                .and_then(|entry| entry.mac);
            let mac = own.or(known).unwrap_or(Mac::ethernet(MAC));
            self.catch(mac, sender.is_ipv6())?;
            let to = if is_unicast(request) { self.port.mac } else { Mac::BROADCAST };
            frames.push(match request {
                Request::Arp(arp) => Ipv4Arp::request(mac, arp.sender, arp.target).to_frame(to),
                Request::Solicitation(asked) if asked.unicast => {
                    Ndp::Solicitation { target: asked.target, source_mac: Some(mac) }
                        .to_frame((mac, asked.source), (to, asked.target))
                }
                Request::Solicitation(asked) => Ndp::solicit(mac, asked.source, asked.target),
            });
            asked.push((target, sender, mac));
        }
        if !self.takes_unicast && requests.iter().any(is_unicast) {
            helper::set_mac(&mut self.rtnl, self.helper[1], self.port.mac)?;
            self.takes_unicast = true;
        }
        let sent = Instant::now();
        let sent_at = Timestamp::now();
        for frame in &frames {
            self.near.send(frame)?;
        }
        let mut answers = vec![Vec::new(); requests.len()];
        let end = sent + wait;
        // Beyond the first answer of each, none can come: one interface answers a request once.
        while answers.iter().any(Vec::is_empty) {
            stopped()?;
            let Some(received) = self.near.receive(Stop::next_look(end))? else {
                if Instant::now() >= end {
                    break;
                }
                continue;
            };
            let Some((answer, mac)) = answer(received.frame) else { continue };
            let place = asked
                .iter()
                .zip(&answers)
                .position(|(asked, answers)| answers.is_empty() && *asked == answer);
            if let Some(place) = place {
                answers[place].push(Answer { mac, after: received.at.since(sent_at) });
            }
        }
        if self.near.dropped() > 0 {
            return Err(Error::new(ErrorKind::Raced, "answers were lost: too many came at once")
                .during("inject requests into")
                .on(self.port.name));
        }
        Ok(answers)
    }

    /// Takes answers to `mac` off the egress from now on.
    fn catch(&mut self, mac: Mac, ipv6: bool) -> Result<()> {
        if self.caught.contains(&(mac, ipv6)) {
            return Ok(());
        }
        let Some(matches) = tc::answers_to(mac, ipv6) else {
            return Err(Error::new(ErrorKind::InvalidInput, "not an Ethernet address").on(mac.to_string()));
        };
        let egress = (self.port.index, Hook::Egress);
        tc::add_redirect(&mut self.rtnl, egress, &matches, self.helper[1], false)
            .map_err(|error| error.during("take replies off").on(self.port.name))?;
        self.caught.push((mac, ipv6));
        Ok(())
    }

    /// Makes the host forget the senders of `requests`, as far as it did not know them `before`.
    fn forget(&mut self, requests: &[Request], before: &[neighbour::Entry]) -> Result<()> {
        let ours = |entry: &&neighbour::Entry| {
            entry.interface == self.port.index
                && requests.iter().any(|request| parties(request).0 == entry.address)
        };
        let now = neighbour::all(&mut self.rtnl)?;
        let mut result = Ok(());
        for entry in now.iter().filter(ours) {
            let old =
                before.iter().find(|old| (old.interface, old.address) == (entry.interface, entry.address));
            let undone = match old {
                Some(old) if old.mac == entry.mac => Ok(()),
                Some(old) => neighbour::restore(&mut self.rtnl, old),
                None => neighbour::remove(&mut self.rtnl, entry),
            };
            result = result.and(undone);
        }
        result
    }

    /// Removes everything that was made, and says if that failed. Dropping does the same silently.
    ///
    /// # Errors
    /// What could not be removed; opening another injector tries again.
    pub fn close(mut self) -> Result<()> {
        self.undo()
    }

    fn undo(&mut self) -> Result<()> {
        if self.helper[0].0 == 0 {
            return Ok(());
        }
        // In this order: until the helper is gone, delayed answers to what was asked still have to be caught.
        let helper = helper::remove(&mut self.rtnl);
        let egress = tc::clean(&mut self.rtnl, self.port.index);
        self.helper[0].0 = 0;
        egress.map(drop).map_err(tc::on(self.port.index)).and(helper)
    }
}

impl std::fmt::Debug for Injector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Injector").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Drop for Injector {
    fn drop(&mut self) {
        // Whoever needs to know calls `close`; what is left is removed by the next one.
        let _ = self.undo();
    }
}

/// Who asks for what, and with which MAC where it matters.
const fn parties(request: &Request) -> (IpAddr, IpAddr, Option<Mac>) {
    match request {
        Request::Arp(arp) => (IpAddr::V4(arp.sender), IpAddr::V4(arp.target), arp.sender_mac),
        Request::Solicitation(one) => (IpAddr::V6(one.source), IpAddr::V6(one.target), one.source_mac),
    }
}

const fn is_unicast(request: &Request) -> bool {
    match request {
        Request::Arp(arp) => arp.unicast,
        Request::Solicitation(solicitation) => solicitation.unicast,
    }
}

/// What an answer is for (the address, who asked and with which MAC), and the MAC that it names.
fn answer(frame: &[u8]) -> Option<((IpAddr, IpAddr, Mac), Mac)> {
    let ethernet = Ethernet::parse(frame).ok()?;
    if ethernet.ether_type == EtherType::IPV6 {
        let packet = Ipv6::parse(ethernet.payload).ok()?;
        let Ndp::Advertisement { target, target_mac, .. } = packet.ndp().ok()? else { return None };
        let asked = (target.into(), packet.destination.into(), Mac::ethernet(ethernet.destination));
        return Some((asked, target_mac.unwrap_or(Mac::ethernet(ethernet.source))));
    }
    let arp = Arp::parse(ethernet.payload).ok()?.ipv4()?;
    let asked = (arp.sender.into(), arp.target.into(), arp.target_mac);
    (ethernet.ether_type == EtherType::ARP && arp.operation == Operation::Reply)
        .then_some((asked, arp.sender_mac))
}
