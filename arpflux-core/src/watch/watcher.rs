//! The watcher: where news comes in, and when what is done on it.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::budget::Budget;
use super::digest::digest;
use super::drift::{self, Cause, Drift};
use super::fight::Fights;
use super::interval::Interval;
use super::judge::Judge;
use super::options::{Options, PROXY_POLL};
use super::others::InTheWay;
use super::peers::Answering;
use super::published::Published;
use super::schedule::{
    INTERFACE_POLL, INTERFACE_SHARE, LOOK_SAVED, LOOK_SHARE, PROXY_SHARE, REST, REST_SHARE,
};
use super::seen::{Digests, Seen};
use super::status::Status;
use super::sysctls::SysctlWatch;
use super::timer::Timer;
use super::trouble::Troubles;
use super::writers::Writers;
use crate::apply;
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::host::Host;
use crate::kernel::LinuxKernel;
use crate::kernel::netlink::{Changed, Events};
use crate::plan::desired::Desired;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::state::Change;
use crate::stop::Stop;
use crate::stop::signals::Attentive;
use crate::types::{IfIndex, IfName};

/// Watches one namespace for one policy. See the [module](super) text.
///
/// It belongs to the namespace of its host, whichever one the calling thread is in.
#[derive(Debug)]
pub struct Watcher {
    pub(super) kernel: LinuxKernel,
    pub(super) host: Host,
    pub(super) policy: Policy,
    pub(super) options: Options,
    pub(super) events: Events,
    pub(super) sysctls: SysctlWatch,
    pub(super) timer: Timer,
    pub(super) epoll: Epoll,
    pub(super) seen: Seen,
    pub(super) answering: Answering,
    pub(super) published: Published,
    /// What the policy and what is published want, at the last look at which that could be told.
    pub(super) desired: Option<Desired>,
    /// The state in which nothing was left to do last.
    pub(super) at_rest: Option<Arc<Snapshot>>,
    /// What the interfaces were called then.
    pub(super) wanted_on: HashMap<IfIndex, IfName>,
    /// What the kernel said at that time, or since.
    pub(super) digests: Digests,
    pub(super) proxy_poll: Interval,
    pub(super) next_proxies: Instant,
    pub(super) interface_poll: Interval,
    pub(super) next_interfaces: Instant,
    pub(super) budget: Budget,
    /// The look that is under way has put something right, or somebody was faster.
    pub(super) repaired: bool,
    pub(super) rest: Interval,
    pub(super) next_look: Instant,
    /// A look is due as soon as the budget allows, for this reason.
    pub(super) pending: Option<Cause>,
    pub(super) in_the_way: Option<InTheWay>,
    /// Interfaces came, went or were renamed since their sysctls were followed.
    pub(super) links: bool,
    /// What may be another than in `at_rest`.
    pub(super) changed: Changed,
    pub(super) troubles: Troubles,
    pub(super) fights: Fights,
    pub(super) writers: Writers,
    /// Something is not as the policy says, by the last look or since.
    pub(super) left: bool,
    /// A pause has ended: the look that follows waits for no budget, as its time is a promise. Pauses bound how often.
    pub(super) due: bool,
    /// What waits for its pause to end.
    pub(super) held: Vec<Change>,
    /// The policy was wholly kept before: what it says of single values and entries is put back without a question.
    pub(super) kept: bool,
    /// How often in a row a repair failed because the host had changed meanwhile.
    pub(super) tries: u32,
    /// Whether the descriptor of sysctl events is not waited for, as they come too fast.
    pub(super) by_the_clock: bool,
    pub(super) judge: Judge,
    pub(super) status: Status,
    pub(super) number: u64,
    /// Since when this policy is watched, in seconds since 1970.
    pub(super) policy_since: u64,
    /// Held by the one watch that heals the namespace.
    pub(super) sole: Option<apply::lock::Lock>,
}

impl Watcher {
    /// Begins to watch. The first [`Watcher::wait`] or [`Watcher::step`] looks at everything.
    ///
    /// # Errors
    /// If the namespace cannot be entered or read.
    pub fn new(host: &Host, policy: Policy, options: Options) -> Result<Self> {
        if options.look < Duration::from_millis(100) {
            return Err(Error::new(ErrorKind::InvalidInput, format!("{:?} is below 100 ms", options.look))
                .during("watch")
                .on("time between two looks"));
        }
        let (mut kernel, events) =
            host.namespace().run(|| -> Result<_> { Ok((LinuxKernel::open()?, Events::of_all()?)) })??;
        kernel.until(&options.apply.stop);
        let now = Instant::now();
        let sysctls = SysctlWatch::new()?;
        let timer = Timer::new()?;
        let judge = Judge::new(now)?;
        let failed = |errno: nix::Error| Error::os("watch", "descriptors", errno as i32);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        for fd in events.as_fds().chain([sysctls.as_fd(), timer.as_fd(), judge.as_fd()]) {
            epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, 0)).map_err(failed)?;
        }
        timer.arm(Duration::ZERO)?;
        let mut options = options;
        // Waiting would keep it from everything else.
        options.apply.lock_wait = Duration::ZERO;
        if options.heal {
            // What a run that was killed left half done is undone now: by the first repair it would be if there is one.
            // What hinders that, the repairs tell.
            let _ = apply::recover(&mut kernel, &options.apply, false);
        }
        let status = Status {
            host: drift::host_name(),
            policy: format!("{:016x}", digest(&policy)),
            heal: options.heal,
            since_ms: Drift::now_ms(),
            ..Status::default()
        };
        Ok(Self {
            kernel,
            host: host.clone(),
            policy,
            budget: Budget::new(LOOK_SHARE, LOOK_SAVED, now),
            repaired: false,
            interface_poll: Interval::new(options.look, options.look.max(INTERFACE_POLL), INTERFACE_SHARE),
            rest: Interval::new(options.look, options.look.max(REST), REST_SHARE),
            proxy_poll: Interval::new(options.proxy_poll, options.proxy_poll.max(PROXY_POLL.1), PROXY_SHARE),
            options,
            events,
            sysctls,
            timer,
            epoll,
            seen: Seen::default(),
            answering: Answering::default(),
            published: Published::default(),
            desired: None,
            at_rest: None,
            wanted_on: HashMap::new(),
            digests: Digests::default(),
            next_proxies: now,
            next_interfaces: now,
            next_look: now,
            pending: Some(Cause::Start),
            in_the_way: None,
            links: true,
            changed: Changed::Links,
            troubles: Troubles::default(),
            fights: Fights::default(),
            writers: Writers::default(),
            left: true,
            due: false,
            held: Vec::new(),
            kept: false,
            tries: 0,
            by_the_clock: false,
            judge,
            status,
            number: 0,
            policy_since: apply::lock::unix_seconds(),
            sole: None,
        })
    }

    /// Watches for another policy from now on; the next step looks at everything.
    ///
    /// # Errors
    /// If the timer cannot be set.
    pub fn set_policy(&mut self, policy: Policy) -> Result<()> {
        self.status.policy = format!("{:016x}", digest(&policy));
        self.policy = policy;
        self.policy_since = apply::lock::unix_seconds();
        self.desired = None;
        self.at_rest = None;
        self.changed = Changed::Links;
        self.kept = false;
        self.pending = Some(Cause::Policy);
        // Who sets it does not wait for what was spent before.
        self.budget = Budget::new(LOOK_SHARE, LOOK_SAVED, Instant::now());
        self.timer.arm(Duration::ZERO)
    }

    /// The policy that is watched.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Waits for news up to `timeout` (`None`: without end) and does what is to be done. Comes back with what
    /// drifted, or empty-handed when the time is over, a signal came, or the [`Stop`](crate::Stop) of
    /// [`apply::Options`] was raised by whoever has a clone of it.
    ///
    /// # Errors
    /// If the kernel can no longer be asked: the namespace itself, or memory, is gone.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Vec<Drift>> {
        self.wait_unless(timeout, None)
    }

    /// The same; comes back empty-handed, too, when `end` is readable.
    ///
    /// # Errors
    /// As [`Watcher::wait`].
    pub fn wait_unless(
        &mut self,
        timeout: Option<Duration>,
        end: Option<BorrowedFd<'_>>,
    ) -> Result<Vec<Drift>> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let attentive = Attentive::here();
        loop {
            let stop = &self.options.apply.stop;
            if stop.is_raised() {
                return Ok(Vec::new());
            }
            // Nobody else can raise it, or it is looked at again and again.
            let until = if stop.is_shared() { Some(Stop::next_look(deadline)) } else { deadline };
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            // Rounded up, or the last millisecond would be spent turning in circles.
            let left = left.map_or(PollTimeout::NONE, |left| {
                PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
            });
            let mut fds = vec![PollFd::new(self.epoll.0.as_fd(), PollFlags::POLLIN)];
            fds.extend(end.map(|end| PollFd::new(end, PollFlags::POLLIN)));
            let ready = match &attentive {
                Some(attentive) => attentive.poll(&mut fds, left),
                None => poll(&mut fds, left),
            };
            match ready {
                Ok(0) if until != deadline => continue,
                Ok(0) | Err(nix::Error::EINTR) => return Ok(Vec::new()),
                Ok(_) if fds.get(1).is_some_and(|end| end.any() == Some(true)) => return Ok(Vec::new()),
                Ok(_) => {}
                Err(errno) => return Err(Error::os("wait for", "events", errno as i32)),
            }
            let drifts = self.step()?;
            if !drifts.is_empty() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(drifts);
            }
        }
    }

    /// Does what is to be done now, without waiting for news. To be called when the descriptor is readable.
    ///
    /// It reads the kernel, and a repair syncs the journal and tells the peers, so it blocks for as long as these take:
    /// milliseconds on a host with few interfaces, about a second for a repair that is announced. An event loop calls
    /// it where it may block.
    ///
    /// # Errors
    /// As [`Watcher::wait`].
    pub fn step(&mut self) -> Result<Vec<Drift>> {
        let host = self.host.clone();
        if host.namespace().is_gone() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "it is gone: nothing by that name is left, or another one",
            )
            .during("watch")
            .on(Subject::Namespace(host.namespace().label().to_owned())));
        }
        // Looking up a sysctl from outside of its namespace gives it a second inode, and who writes to it
        // afterwards uses that one, on which there is no watch (`proc_sys_compare()`).
        let drifts = if host.namespace().is_current()? {
            self.step_inside()?
        } else {
            host.namespace().run(|| self.step_inside())??
        };
        Ok(self.finished(drifts))
    }

    fn step_inside(&mut self) -> Result<Vec<Drift>> {
        event!(TRACE, "watch woken");
        let woken = Instant::now();
        let mut drifts = Vec::new();
        self.read_sysctl_events(woken, &mut drifts)?;
        self.wait_for_sysctls(woken)?;
        self.look_for_news();
        if woken >= self.next_proxies {
            self.poll_proxies(woken, &mut drifts)?;
        }
        if woken >= self.next_interfaces {
            self.poll_interfaces()?;
        }
        if let Some(judged) = self.judge.take(woken) {
            self.take_judged(judged, woken, &mut drifts);
        }
        self.poll_others(woken);
        let owed = self.judge.due().is_some_and(|due| woken >= due);
        if owed {
            self.pend(Cause::Poll);
        }
        if woken >= self.next_look {
            self.look_soon(Cause::Poll);
        }
        for line in self.troubles.remind(woken) {
            self.tell(line, woken, &mut drifts);
        }
        let due = std::mem::take(&mut self.due);
        if (due || woken >= self.budget.ready())
            && let Some(cause) = self.pending.take()
        {
            self.look_at_everything(cause, woken, &mut drifts)?;
        }
        self.arm()?;
        Ok(drifts)
    }

    /// What the kernel tells of, as far as it matters for the policy.
    pub(super) fn news(&mut self) -> Changed {
        let changed = self.events.changed_but_for(|route| self.seen.matters(route));
        self.links |= changed == Changed::Links;
        self.changed = self.changed.max(changed);
        changed
    }

    /// The same; a look follows.
    pub(super) fn look_for_news(&mut self) -> Changed {
        let changed = self.news();
        if changed != Changed::Nothing {
            self.pend(Cause::Event);
        }
        changed
    }

    /// Watches the sysctls of the interfaces that were seen.
    pub(super) fn follow_sysctls(&mut self) -> Result<()> {
        if std::mem::take(&mut self.links) {
            self.sysctls.follow(&self.seen.folders())?;
        }
        Ok(())
    }
}

impl AsFd for Watcher {
    /// Readable when [`Watcher::step`] has something to do.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

impl AsRawFd for Watcher {
    /// The same descriptor, for event loops that ask for its number.
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// Processor time that this thread has used.
pub(super) fn cpu_time() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_or(Duration::ZERO, Duration::from)
}
