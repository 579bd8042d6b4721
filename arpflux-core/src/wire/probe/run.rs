//! The socket around [`Prober`].

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::{Options, Probed, Prober, Transmit};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{ALL_NODES, MIN_FRAME, Timestamp};
use crate::types::Mac;
use crate::wire::{Direction, Filter, PacketSocket, Port, Received, Ring};

/// How often progress is told.
const TELL: Duration = Duration::from_millis(200);
/// Frames sent in one system call.
const BATCH: usize = 64;

/// What a run tells while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A MAC answered for an address for the first time.
    Answer {
        /// The address.
        target: IpAddr,
        /// The MAC.
        mac: Mac,
    },
    /// So many of all addresses have been asked for.
    Asked {
        /// So many.
        done: usize,
        /// Of so many.
        total: usize,
    },
}

/// Asks for `targets` on an interface of the calling thread's namespace. `tell` is called at every
/// answer and a few times a second, and ends the run by [`ControlFlow::Break`]; what was found so far
/// is returned then, without the addresses that were not asked for.
///
/// Takes at least [`Options::wait`], because proxies answer late.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if there is nothing to ask for, [`ErrorKind::Unsupported`] if the
/// interface is not Ethernet, [`ErrorKind::Raced`] if frames were lost, and those of
/// [`PacketSocket::open`].
pub fn run(
    port: &Port,
    targets: &[IpAddr],
    options: Options,
    mut tell: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<Probed>> {
    if targets.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "there is no address to ask for").during("probe"));
    }
    let port = port.clone().ethernet()?;
    let socket = PacketSocket::sender(port.index)?;
    if targets.iter().any(IpAddr::is_ipv6) {
        // Where a duplicate address probe is answered to.
        socket.join(&[ALL_NODES.0])?;
    }
    let mut ring = Ring::open_for(port.index, Filter::Answers, targets.len())?;
    let mut prober = Prober::new(options, &port, targets);
    let (start, start_at) = (Instant::now(), Timestamp::now());
    let mut told = start;
    let named = |error: Error| error.on(port.name);
    let (mut frames, mut length) = (Vec::with_capacity(BATCH * MIN_FRAME), MIN_FRAME);
    loop {
        let now = start.elapsed();
        frames.clear();
        let wait = loop {
            match prober.transmit(now) {
                Transmit::Frame(frame) => {
                    if frame.len() != length {
                        socket.send_many(&frames, length).map_err(named)?;
                        frames.clear();
                        length = frame.len();
                    }
                    frames.extend_from_slice(frame);
                    if frames.len() == BATCH * length {
                        break Some(now);
                    }
                }
                Transmit::Wait(until) => break Some(until),
                Transmit::Done => break None,
            }
        };
        socket.send_many(&frames, length).map_err(named)?;
        let until = wait.unwrap_or(Duration::ZERO).min(told.duration_since(start) + TELL);
        let mut take = |received: Received<'_>| {
            // A reply of this host itself, on its way out, is none to it.
            let new = match received.direction {
                Direction::In => prober.receive(received.at.since(start_at), received.frame),
                Direction::Out => None,
            };
            new.map_or(ControlFlow::Continue(()), |(target, mac)| tell(Progress::Answer { target, mac }))
        };
        let ended = match wait {
            Some(_) => ring.read(start + until, &mut take),
            // What came before the end may be given a little later.
            None => ring.read_until(Instant::now() + Ring::LAG, &mut take),
        };
        if ended.map_err(named)? {
            return Ok(asked(&prober));
        }
        if wait.is_none() {
            break;
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            let (done, total) = prober.progress();
            if tell(Progress::Asked { done, total }).is_break() {
                return Ok(asked(&prober));
            }
        }
    }
    match ring.dropped() {
        0 => Ok(prober.results()),
        lost => Err(Error::new(
            ErrorKind::Raced,
            format!("{lost} replies were lost: they came faster than they could be read"),
        )
        .during("probe")
        .on(port.name)
        .hint("ask at a lower rate")),
    }
}

fn asked(prober: &Prober) -> Vec<Probed> {
    let mut found = prober.results();
    found.retain(|probed| probed.requests > 0);
    found
}
