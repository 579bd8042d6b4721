//! Raw requests to one interface of a host, and all that comes back.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use arpflux_core::frame::{Arp, EtherType, Ethernet, Ipv4Arp, Operation, emit_header};
use arpflux_core::kernel::Netns;
use arpflux_core::types::{IfIndex, Mac};
use arpflux_core::wire::{Filter, PacketSocket};
use arpflux_core::{Error, ErrorKind, Result};
use netlink_packet_route::link::InfoKind;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::Host;
use super::rtnl::{self, Connection, NewLink};

/// An ARP request to be put to an interface as if from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question {
    /// Who asks; 0.0.0.0 for a duplicate address probe.
    pub sender: Ipv4Addr,
    /// The asker's MAC. `None`: one of its own for each question.
    pub sender_mac: Option<Mac>,
    /// The address asked for.
    pub target: Ipv4Addr,
    /// The frame's destination; usually [`Mac::BROADCAST`], or the interface's own.
    pub destination: Mac,
}

impl Question {
    /// An ordinary broadcast request.
    #[must_use]
    pub fn new(sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        Self { sender, sender_mac: None, target, destination: Mac::BROADCAST }
    }
}

/// A reply to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The MAC that the reply says the target is at.
    pub mac: Mac,
    /// When it came, after the question's batch was sent.
    pub after: Duration,
}

/// Puts questions to one interface of a host, through the far end of its veth pair.
///
/// An answer that is not there when [`Asker::ask`] returns does not come any more, besides delayed
/// ones for proxied addresses: the kernel handles all frames that one processor sends through veth
/// pairs in the order of sending, so a frame of our own that made its way through a private pair
/// proves that all earlier ones were handled. No time is waited.
#[derive(Debug)]
pub struct Asker {
    host: Host,
    socket: PacketSocket,
    barrier: Barrier,
    /// The interface that is asked; `None`: all on a wire.
    interface: Option<IfIndex>,
    next: u32,
}

/// Questions on their way at once: fewer than the queue between veth ends (1,000, `netdev_max_backlog`)
/// and an unprivileged socket's buffer hold, with the replies.
const BATCH: usize = 128;

/// How many veth pairs and bridges a frame and its reply may have to pass in turn.
const HOPS: usize = 8;

/// The first three bytes of the MACs that questions get: locally administered.
const PREFIX: [u8; 2] = [0x02, 0xa5];

impl Host {
    /// A way to put questions to `interface`, which must be plugged in.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not plugged in anywhere.
    pub fn asker(&self, interface: &str) -> Result<Asker> {
        let far = self.far_end(interface)?;
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.state(interface)?.is_opening() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(200));
        }
        let netns = far.host.as_ref().map_or(&self.0.fabric.netns, |host| &host.0.netns);
        let socket = netns.run(|| PacketSocket::open(far.index, Filter::ArpReplies))??;
        socket.ignore_outgoing()?;
        let interface = Some(self.index(interface)?);
        Ok(Asker { interface, ..Asker::over(self, socket)? })
    }

    /// Puts questions to an interface: for each, in order, the answers. See [`Asker::ask`].
    ///
    /// # Errors
    /// As [`Host::asker`] and [`Asker::ask`].
    pub fn ask(&self, interface: &str, questions: &[Question]) -> Result<Vec<Vec<Answer>>> {
        self.asker(interface)?.ask(questions, Duration::ZERO)
    }
}

impl Asker {
    /// A way to put questions to a whole wire of `host`, by a socket on it.
    pub(super) fn over(host: &Host, socket: PacketSocket) -> Result<Self> {
        let (host, barrier) = (host.clone(), Barrier::new()?);
        Ok(Self { host, socket, barrier, interface: None, next: 0 })
    }

    /// Goes on with another wire of the same host.
    pub(super) fn turn_to(&mut self, socket: PacketSocket) {
        self.socket = socket;
    }

    /// Puts questions, many at once, and collects the answers: for each question, in order, who
    /// answered. After that, `wait` longer for delayed ones (0.8 s is `proxy_delay`'s default).
    ///
    /// Neighbour entries that the host learned from the questions are deleted again: they would fill
    /// its table, and a full one silences it.
    ///
    /// # Errors
    /// [`ErrorKind::Raced`] if frames were lost, so that silence would prove nothing.
    pub fn ask(&mut self, questions: &[Question], wait: Duration) -> Result<Vec<Vec<Answer>>> {
        let mut answers = vec![Vec::new(); questions.len()];
        // All frames must pass the same processor's queue.
        let _pinned = Pinned::here()?;
        // (asker's MAC, asker, target) of the questions that wait.
        let mut waiting: HashMap<(Mac, Ipv4Addr, Ipv4Addr), usize> = HashMap::new();
        let mut at = 0;
        while at < questions.len() {
            waiting.clear();
            let start = Instant::now();
            while let Some(question) = questions.get(at)
                && waiting.len() < BATCH
            {
                let mac = question.sender_mac.unwrap_or_else(|| self.fresh_mac());
                match waiting.entry((mac, question.sender, question.target)) {
                    // Two that cannot be told apart by their replies do not go in one batch.
                    Entry::Occupied(_) => break,
                    Entry::Vacant(place) => place.insert(at),
                };
                let arp = Ipv4Arp::request(mac, question.sender, question.target);
                match self.socket.send(&arp.to_frame(question.destination)) {
                    // The far end is down, so nothing arrives: that is the answer.
                    Err(error) if error.errno() == Some(nix::libc::ENETDOWN) => {}
                    other => other?,
                }
                at += 1;
            }
            for _ in 0..HOPS {
                self.barrier.pass()?;
            }
            self.collect(Instant::now() + wait, start, &waiting, &mut answers)?;
            self.forget()?;
        }
        Ok(answers)
    }

    fn collect(
        &mut self,
        until: Instant,
        start: Instant,
        waiting: &HashMap<(Mac, Ipv4Addr, Ipv4Addr), usize>,
        answers: &mut [Vec<Answer>],
    ) -> Result<()> {
        while let Some(received) = self.socket.receive(until)? {
            let reply = Ethernet::parse(received.frame)
                .and_then(|frame| Arp::parse(frame.payload))
                .ok()
                .and_then(|arp| arp.ipv4())
                .filter(|arp| arp.operation == Operation::Reply);
            if let Some(reply) = reply
                && let Some(place) = waiting.get(&(reply.target_mac, reply.target, reply.sender))
            {
                answers[*place].push(Answer { mac: reply.sender_mac, after: start.elapsed() });
            }
        }
        match self.socket.dropped() {
            0 => Ok(()),
            lost => Err(Error::new(ErrorKind::Raced, format!("{lost} replies were lost"))
                .during("ask")
                .on(self.host.name().to_string())),
        }
    }

    fn fresh_mac(&mut self) -> Mac {
        let [a, b, c, d] = self.next.to_be_bytes();
        self.next = self.next.wrapping_add(1);
        Mac::ethernet([PREFIX[0], PREFIX[1], a, b, c, d])
    }

    /// Deletes what the host learned where it was asked.
    fn forget(&self) -> Result<()> {
        let mut rtnl = self.host.rtnl();
        let mut learned = rtnl::neighbours(&mut rtnl, false)?;
        learned.retain(|entry| {
            self.interface.is_none_or(|interface| entry.index == interface) && entry.is_dynamic()
        });
        rtnl::forget(&mut rtnl, &learned)
    }
}

/// A private veth pair. A frame that came through proves that this processor's queue was worked off.
#[derive(Debug)]
struct Barrier {
    sender: PacketSocket,
    receiver: PacketSocket,
    number: u64,
    _netns: Netns,
}

/// The EtherType for local experiments (IEEE 802).
const EXPERIMENTAL: u16 = 0x88b5;

impl Barrier {
    fn new() -> Result<Self> {
        let netns = Netns::create("the lab's barrier")?;
        let (sender, receiver) = netns.run(|| -> Result<_> {
            super::host::write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")
                .or_else(super::switch::absent_is_fine)?;
            let (near, far) = ("near".parse()?, "far".parse()?);
            let mut rtnl = Connection::open()?;
            let [one, other] = [&near, &far].map(|name| NewLink::new(name, InfoKind::Veth));
            rtnl::add_veth(&mut rtnl, one, other, netns.as_fd())?;
            let mut ends = Vec::new();
            for name in [near, far] {
                let index = rtnl::link(&mut rtnl, &name)?.index;
                rtnl::up(&mut rtnl, index)?;
                ends.push(PacketSocket::open(index, Filter::EtherType(EXPERIMENTAL))?);
            }
            for name in [near, far] {
                super::switch::settled(&name, || rtnl::link(&mut rtnl, &name))?;
            }
            let receiver = ends.pop();
            Ok((ends.pop(), receiver))
        })??;
        match (sender, receiver) {
            (Some(sender), Some(receiver)) => {
                receiver.ignore_outgoing()?;
                Ok(Self { sender, receiver, number: 0, _netns: netns })
            }
            _ => Err(Error::new(ErrorKind::Internal, "a veth pair has two ends")),
        }
    }

    /// Sends a numbered frame and waits for it.
    fn pass(&mut self) -> Result<()> {
        self.number += 1;
        let mut frame = Vec::with_capacity(60);
        emit_header(&mut frame, Mac::BROADCAST, Mac::NONE, EtherType(EXPERIMENTAL));
        frame.extend_from_slice(&self.number.to_be_bytes());
        frame.resize(60, 0);
        self.sender.send(&frame)?;
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Some(received) = self.receiver.receive(deadline)? {
            if received.frame.get(14..22) == Some(&self.number.to_be_bytes()[..]) {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::TimedOut, "the kernel did not work its queue off within 5 s").during("ask"))
    }
}

/// Keeps the calling thread on one processor until dropped.
struct Pinned(CpuSet);

impl Pinned {
    fn here() -> Result<Self> {
        let failed = |errno: nix::errno::Errno| Error::os("pin to a processor", "this thread", errno as i32);
        let thread = Pid::from_raw(0);
        let before = sched_getaffinity(thread).map_err(failed)?;
        // SAFETY: plain call without arguments.
        let processor = unsafe { nix::libc::sched_getcpu() };
        let mut one = CpuSet::new();
        one.set(usize::try_from(processor).unwrap_or(0)).map_err(failed)?;
        sched_setaffinity(thread, &one).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // If it cannot be taken back the thread stays where it is, which hurts nobody.
        let _ = sched_setaffinity(Pid::from_raw(0), &self.0);
    }
}
