//! When what is done, and how much of a processor that may take.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::budget::Budget;
use super::drift::{Cause, Drift};
use super::watcher::{Watcher, cpu_time};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::netlink::Changed;

/// One part in this many of a processor may go into polling proxy entries.
pub(super) const PROXY_SHARE: u32 = 300;
/// The same for interfaces, which are looked at as often as the options say if that allows it.
pub(super) const INTERFACE_SHARE: u32 = 2_000;
pub(super) const INTERFACE_POLL: Duration = Duration::from_secs(60);
/// One part in this many may go into looking at everything without a reason, but it is done this often.
pub(super) const REST_SHARE: u32 = 4_000;
pub(super) const REST: Duration = Duration::from_secs(300);
/// Where the network changes all the time, one part in this many may go into looking at everything,
pub(super) const LOOK_SHARE: u32 = 20;
/// and so much after a quiet time before that counts.
pub(super) const LOOK_SAVED: Duration = Duration::from_millis(500);

/// A change of an interface seldom comes alone: others are waited for until there is none for this long,
const QUIET: Duration = Duration::from_millis(2);
/// and so long in all.
const SETTLES: Duration = Duration::from_millis(10);

/// How often events of sysctls are read that somebody writes again and again.
const BY_THE_CLOCK: Duration = Duration::from_millis(50);
impl Watcher {
    /// While somebody writes as fast as he can, events are read by the clock: the kernel keeps like ones as one.
    pub(super) fn wait_for_sysctls(&mut self, woken: Instant) -> Result<()> {
        let by_the_clock = self.fights.is_about_sysctls(woken);
        if by_the_clock != self.by_the_clock {
            let failed = |errno: nix::Error| Error::os("watch", "descriptors", errno as i32);
            let flags = if by_the_clock { EpollFlags::empty() } else { EpollFlags::EPOLLIN };
            self.epoll.modify(self.sysctls.as_fd(), &mut EpollEvent::new(flags, 0)).map_err(failed)?;
            self.by_the_clock = by_the_clock;
        }
        Ok(())
    }

    /// A look at everything follows as soon as the budget allows.
    pub(super) fn look_soon(&mut self, cause: Cause) {
        self.look_at_all_next();
        self.pend(cause);
    }

    /// The next look, whenever it comes, is one at everything.
    pub(super) fn look_at_all_next(&mut self) {
        self.changed = self.changed.max(Changed::More);
    }

    /// A look follows, at as much as has changed.
    pub(super) fn pend(&mut self, cause: Cause) {
        // The first reason is told; one that says more takes its place.
        match self.pending {
            Some(Cause::Event) if cause == Cause::Poll => {}
            Some(Cause::Event) | None => self.pending = Some(cause),
            Some(_) => {}
        }
    }

    /// Sets the timer for the next thing that no event announces.
    pub(super) fn arm(&self) -> Result<()> {
        let now = Instant::now();
        let mut next = self.next_proxies.min(self.next_interfaces).min(self.next_look);
        let pending = self.pending.map(|_| self.budget.ready());
        let others = self.in_the_way.as_ref().map(|known| known.next);
        let held = if self.held.is_empty() { None } else { self.fights.next(now).or(Some(now)) };
        let by_the_clock = self.by_the_clock.then(|| now + BY_THE_CLOCK);
        // The look that is due already serves what is owed: else it would wake up again and again until then.
        let owed = self.judge.due().filter(|_| self.pending.is_none());
        for moment in [pending, others, held, by_the_clock, owed].into_iter().flatten() {
            next = next.min(moment);
        }
        self.timer.arm(next.saturating_duration_since(now))
    }

    /// The time until the next look at the proxy entries: where the policy says nothing of any and nothing is published,
    /// entries of others alone may come, and that is told with everything else that sends no news.
    pub(super) fn proxy_interval(&self) -> Duration {
        let current = self.proxy_poll.current();
        match &self.desired {
            Some(desired) if !desired.minds_entries(&self.policy) => current.max(self.options.look),
            _ => current,
        }
    }

    pub(super) fn poll_interfaces(&mut self) -> Result<()> {
        let begun = cpu_time();
        let digest = self.kernel.interfaces_digest();
        self.interface_poll.spent(cpu_time().saturating_sub(begun));
        self.next_interfaces = Instant::now() + self.interface_poll.current();
        let digest = match digest {
            Ok(digest) => digest,
            // They are changing just now: events tell, and the next poll.
            Err(error) if error.kind().is_transient() => return Ok(()),
            Err(error) => return Err(error),
        };
        if digest != self.digests.interfaces {
            self.digests.interfaces = digest;
            self.look_soon(Cause::Poll);
        }
        Ok(())
    }

    pub(super) fn look_at_everything(
        &mut self,
        cause: Cause,
        woken: Instant,
        drifts: &mut Vec<Drift>,
    ) -> Result<()> {
        let begun = cpu_time();
        let mut last = self.news().max(self.changed);
        while cause == Cause::Event && last == Changed::Links && woken.elapsed() < SETTLES {
            std::thread::sleep(QUIET);
            last = self.news();
        }
        let rest = self.at_rest.clone().filter(|_| self.changed <= Changed::Rules);
        let whole = rest.is_none();
        let result = self.look(cause, rest.as_deref(), woken, drifts);
        let (cost, now) = (cpu_time().saturating_sub(begun), Instant::now());
        if std::mem::take(&mut self.repaired) {
            self.budget = Budget::new(LOOK_SHARE, LOOK_SAVED, now);
        } else {
            self.budget.spent(cost, now);
        }
        if whole {
            self.rest.spent(cost);
            self.next_look = now + self.rest.current();
        }
        self.next_proxies = self.next_proxies.min(now + self.proxy_interval());
        match result {
            // Too much is changing right now: the next look comes soon. Or the end has come.
            Err(error) if error.kind().is_transient() || error.kind() == ErrorKind::Interrupted => {
                self.look_soon(cause);
                Ok(())
            }
            Ok(()) => {
                self.status.looks += 1;
                self.status.last_look_ms = Some(Drift::now_ms());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
