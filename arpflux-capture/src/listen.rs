//! ARP as it comes on an interface.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use arpflux_core::Result;
use arpflux_core::types::IfName;
use arpflux_core::wire::{Filter, Port, Received, Ring, own_macs};

use crate::session::Capture;

/// How often a listener's caller is asked whether to go on.
const TURN: Duration = Duration::from_millis(100);

/// When to stop listening.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Until {
    /// After this time.
    pub duration: Option<Duration>,
    /// After this many frames.
    pub frames: Option<u64>,
}

impl Until {
    /// Whichever comes first; `None` for never.
    #[must_use]
    pub const fn new(duration: Option<Duration>, frames: Option<u64>) -> Self {
        Self { duration, frames }
    }
}

impl Capture {
    /// Takes ARP frames from an interface of the calling thread's namespace, and notes this host's own MACs as one
    /// host's. `tell` is asked ten times a second whether to go on, with the number of frames so far. Frames that came too
    /// fast and were lost are told in the report, whose judgement is undetermined then. Gives the number of frames.
    ///
    /// # Errors
    /// [`arpflux_core::ErrorKind::PermissionDenied`] without `CAP_NET_RAW`, [`arpflux_core::ErrorKind::NotFound`] if
    /// there is no such interface; those of receiving.
    pub fn listen(
        &mut self,
        interface: &IfName,
        until: Until,
        mut tell: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<u64> {
        let own = own_macs()?;
        let mut ring = Ring::open(Port::named(interface)?.index, Filter::Arp)?;
        self.know_host(own);
        let forever = Duration::from_secs(u64::from(u32::MAX));
        let end = Instant::now() + until.duration.unwrap_or(forever).min(forever);
        let most = until.frames.unwrap_or(u64::MAX);
        let frames = Cell::new(0);
        let mut take = |received: Received<'_>| {
            self.observe_ethernet(received.at, received.frame);
            frames.set(frames.get() + 1);
            if frames.get() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let mut full = most == 0;
        while !full {
            let now = Instant::now();
            full = ring.read((now + TURN).min(end), &mut take)?;
            if now >= end || tell(frames.get()).is_break() {
                break;
            }
        }
        if !full {
            ring.read_until(Instant::now() + Ring::LAG, &mut take)?;
        }
        let frames = frames.get();
        let lost = u64::from(ring.dropped());
        self.listened(&interface.to_string(), frames, lost);
        Ok(frames)
    }
}
