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

/// Pings from the calling thread's namespace.
pub(super) fn run(from: Option<Ipv4Addr>, to: Ipv4Addr, count: u16) -> Result<Pings> {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let id = (std::process::id() as u16).wrapping_mul(251).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    // SAFETY: plain system call.
    let fd = unsafe {
        libc::socket(
            libc::AF_INET,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            libc::IPPROTO_ICMP,
        )
    };
    if fd < 0 {
        return Err(failed("open a raw socket to ping", to));
    }
    // SAFETY: the descriptor is new and owned by nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
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
    let mut pings = Pings { sent: 0, received: 0, duplicates: 0, id };
    let mut answered = vec![false; usize::from(count) + 1];
    for sequence in 1..=count {
        let request = request(id, sequence);
        // SAFETY: pointer and length are of one live slice.
        let sent = unsafe { libc::send(fd.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
        if sent < 0 {
            // The neighbour does not answer, or no route leads there: that is an answer too.
            match std::io::Error::last_os_error().raw_os_error() {
                Some(libc::EHOSTUNREACH | libc::ENETUNREACH) => {}
                _ => return Err(failed("ping", to)),
            }
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
    let mut packet = [0u8; 1500];
    // SAFETY: pointer and length are of one live array.
    let length = unsafe { libc::recv(fd.as_raw_fd(), packet.as_mut_ptr().cast(), packet.len(), 0) };
    // Errors here are unreachable messages about earlier requests: those count as unanswered.
    let echo = packet
        .get(..usize::try_from(length).unwrap_or(0))
        .and_then(|packet| Ipv4::parse(packet).ok())
        .and_then(|packet| packet.echo());
    if let Some(echo) = echo.filter(|echo| echo.reply && echo.id == id)
        && let Some(seen) = answered.get_mut(usize::from(echo.sequence))
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
