//! Pings through the host's own stack, neighbour table and routing included.

use std::mem::size_of;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use arpflux_core::frame::{Echo, Ipv4};
use arpflux_core::types::Mac;
use arpflux_core::{Error, Result};
use nix::libc;

use super::wait;

/// How long one ping waits for its answer, first ARP included.
const PATIENCE: Duration = Duration::from_secs(1);
/// The pause between answered pings.
const PAUSE: Duration = Duration::from_millis(10);

/// What came of pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pings {
    /// How many requests went out.
    pub sent: u16,
    /// How many were answered.
    pub received: u16,
    /// How many answers were second ones.
    pub duplicates: u16,
    /// The identifier in them, other for each call.
    pub id: u16,
}

fn failed(operation: &'static str, to: Ipv4Addr) -> Error {
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    Error::os(operation, to.to_string(), errno)
}

fn address(address: Ipv4Addr) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from(address).to_be() },
        sin_zero: [0; 8],
    }
}

/// An identifier, other for each call.
fn fresh_id() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    (std::process::id() as u16).wrapping_mul(251).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A raw socket of the calling thread's namespace.
fn open() -> Result<OwnedFd> {
    // SAFETY: plain system call.
    let fd = unsafe {
        libc::socket(
            libc::AF_INET,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            libc::IPPROTO_ICMP,
        )
    };
    if fd < 0 {
        return Err(failed("open a raw socket to ping", Ipv4Addr::UNSPECIFIED));
    }
    // SAFETY: the descriptor is new and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Gives a socket its source, if it is to have one, and its destination.
fn connect(fd: &OwnedFd, from: Option<Ipv4Addr>, to: Ipv4Addr) -> Result<()> {
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    if let Some(from) = from {
        let own = address(from);
        // SAFETY: the address lives through the call, and the length is its own.
        if unsafe { libc::bind(fd.as_raw_fd(), std::ptr::from_ref(&own).cast(), length) } < 0 {
            return Err(failed("ping from", from));
        }
    }
    let target = address(to);
    // SAFETY: as above.
    if unsafe { libc::connect(fd.as_raw_fd(), std::ptr::from_ref(&target).cast(), length) } < 0 {
        return Err(failed("ping", to));
    }
    Ok(())
}

/// Sends one request; the errno, if the kernel does not.
fn send(fd: &OwnedFd, id: u16, sequence: u16) -> std::result::Result<(), Option<i32>> {
    let request = request(id, sequence);
    // SAFETY: pointer and length are of one live slice.
    let sent = unsafe { libc::send(fd.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    if sent < 0 { Err(std::io::Error::last_os_error().raw_os_error()) } else { Ok(()) }
}

/// Pings from the calling thread's namespace.
pub(super) fn run(from: Option<Ipv4Addr>, to: Ipv4Addr, count: u16) -> Result<Pings> {
    let (fd, id) = (open()?, fresh_id());
    connect(&fd, from, to)?;
    let mut pings = Pings { sent: 0, received: 0, duplicates: 0, id };
    let mut answered = vec![false; usize::from(count) + 1];
    for sequence in 1..=count {
        match send(&fd, id, sequence) {
            // The neighbour does not answer, or no route leads there: that is an answer too.
            Ok(()) | Err(Some(libc::EHOSTUNREACH | libc::ENETUNREACH)) => {}
            Err(_) => return Err(failed("ping", to)),
        }
        pings.sent += 1;
        let deadline = Instant::now() + PATIENCE;
        while !answered[usize::from(sequence)] && listen(&fd, id, &mut answered, &mut pings, deadline)? {}
        if sequence < count {
            let pause = Instant::now() + PAUSE;
            while listen(&fd, id, &mut answered, &mut pings, pause)? {}
        }
    }
    Ok(pings)
}

/// How often an echo request is sent where no reply comes.
const TRIES: u16 = 2;

/// Sends one echo request from each source (the kernel's choice, where there is none) to its destination, all at once from
/// the calling thread's namespace, and again to those that do not answer within a second; which of them answered.
pub(super) fn all(ways: &[(Option<Ipv4Addr>, Ipv4Addr)]) -> Result<Vec<bool>> {
    let mut answered = vec![false; ways.len()];
    for sequence in 1..=TRIES {
        let mut waiting = Vec::new();
        for (place, (from, to)) in ways.iter().enumerate().filter(|(place, _)| !answered[*place]) {
            let (fd, id) = (open()?, fresh_id());
            // A source that is not there, or no route: no packet goes out.
            if connect(&fd, *from, *to).is_ok() && send(&fd, id, sequence).is_ok() {
                waiting.push((place, fd, id));
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while !waiting.is_empty() {
            let sockets: Vec<_> = waiting.iter().map(|(_, fd, _)| fd.as_fd()).collect();
            if !wait(&sockets, deadline)? {
                break;
            }
            waiting.retain(|(place, fd, id)| {
                let came = receive(fd).is_some_and(|reply| reply == (*id, sequence));
                answered[*place] |= came;
                !came
            });
        }
    }
    Ok(answered)
}

/// The identifier and the number of an echo reply that is there to be read.
fn receive(fd: &OwnedFd) -> Option<(u16, u16)> {
    let mut packet = [0u8; 1500];
    // SAFETY: pointer and length are of one live array.
    let length = unsafe { libc::recv(fd.as_raw_fd(), packet.as_mut_ptr().cast(), packet.len(), 0) };
    // Errors here are unreachable messages about earlier requests: those count as unanswered.
    let packet = packet.get(..usize::try_from(length).ok()?)?;
    let echo = Ipv4::parse(packet).ok()?.echo()?;
    echo.reply.then_some((echo.id, echo.sequence))
}

/// Waits for one packet; false when the time is over.
fn listen(
    fd: &OwnedFd,
    id: u16,
    answered: &mut [bool],
    pings: &mut Pings,
    deadline: Instant,
) -> Result<bool> {
    if !wait(&[fd.as_fd()], deadline)? {
        return Ok(false);
    }
    if let Some((of, sequence)) = receive(fd)
        && of == id
        && let Some(seen) = answered.get_mut(usize::from(sequence))
    {
        if *seen {
            pings.duplicates += 1;
        } else {
            *seen = true;
            pings.received += 1;
        }
    }
    Ok(Instant::now() < deadline)
}

/// An echo request with 56 bytes of data, as ping(8) sends it.
fn request(id: u16, sequence: u16) -> Vec<u8> {
    let frame = Echo { reply: false, id, sequence, data: &[0x2e; 56] }
        .to_frame((Mac::NONE, Ipv4Addr::UNSPECIFIED), (Mac::NONE, Ipv4Addr::UNSPECIFIED));
    frame[34..].to_vec()
}
