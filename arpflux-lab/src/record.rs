//! Records frames of several interfaces while something else goes on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arpflux_core::frame::{Timestamp, pcap};
use arpflux_core::wire::{Direction, Filter, PacketSocket};
use arpflux_core::{Error, ErrorKind, Result};

use super::{Host, wait};

/// One recorded frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// When the kernel saw it.
    pub at: Timestamp,
    /// On which of the interfaces that the recorder was started with, counted from 0.
    pub place: usize,
    /// Whether it came in or went out there.
    pub direction: Direction,
    /// The frame.
    pub frame: Vec<u8>,
}

/// Records until it is stopped. Dropped without [`Recorder::stop`], it ends and forgets.
#[derive(Debug)]
pub struct Recorder {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<Recorded>>>>,
}

impl Recorder {
    /// Starts to record on interfaces (`host`, interface). From its return on no frame is missed.
    ///
    /// # Errors
    /// Those of [`PacketSocket::open_in`].
    pub fn start(places: &[(&Host, &str)], filter: Filter) -> Result<Self> {
        let mut sockets = places
            .iter()
            .map(|(host, interface)| host.packet_socket(interface, filter))
            .collect::<Result<Vec<_>>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut frames = Vec::new();
            loop {
                // Asked before the sockets are emptied: what came before the stop is kept.
                let last = stopped.load(Ordering::Acquire);
                for (place, socket) in sockets.iter_mut().enumerate() {
                    drain(place, socket, &mut frames)?;
                }
                if last {
                    break;
                }
                let waiting: Vec<_> = sockets.iter().map(std::os::fd::AsFd::as_fd).collect();
                wait(&waiting, Instant::now() + Duration::from_millis(5))?;
            }
            if let Some(lost) = sockets.iter().map(PacketSocket::dropped).find(|lost| *lost > 0) {
                return Err(Error::new(ErrorKind::Raced, format!("{lost} frames were lost while recording")));
            }
            frames.sort_by_key(|frame: &Recorded| frame.at);
            Ok(frames)
        });
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends the recording; the frames, by time.
    ///
    /// # Errors
    /// [`ErrorKind::Raced`] if frames were lost, [`ErrorKind::Io`] if an interface went down meanwhile.
    pub fn stop(mut self) -> Result<Vec<Recorded>> {
        self.stop.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(Vec::new()),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

fn drain(place: usize, socket: &mut PacketSocket, frames: &mut Vec<Recorded>) -> Result<()> {
    let now = Instant::now();
    while let Some(received) = socket.receive(now)? {
        frames.push(Recorded {
            at: received.at,
            place,
            direction: received.direction,
            frame: received.frame.to_vec(),
        });
    }
    Ok(())
}

/// Writes recorded frames as a capture file.
///
/// # Errors
/// Those of `out`.
pub fn write_pcap<'a>(out: impl io::Write, frames: impl IntoIterator<Item = &'a Recorded>) -> io::Result<()> {
    let mut file = pcap::Writer::new(out)?;
    for frame in frames {
        file.write(frame.at, &frame.frame)?;
    }
    file.finish()?;
    Ok(())
}
