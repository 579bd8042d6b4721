//! The watcher: where news comes in, and what is done on it.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::drift::{Cause, Drift, Outcome};
use super::fight::{Again, Fights};
use super::interval::Interval;
use super::sysctls::{Folder, SysctlEvent, SysctlWatch};
use super::timer::Timer;
use super::wanted::Wanted;
use crate::apply::{self, Transaction};
use crate::error::{Error, ErrorKind, Result};
use crate::harm;
use crate::host::Host;
use crate::kernel::netlink::{Changed, Events};
use crate::kernel::{Kernel as _, LinuxKernel};
use crate::plan::{InterfaceIdentity, Plan};
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::state::{Change, Object, SysctlScope, Value, between};
use crate::sysctl::{Sysctl, SysctlValues};
use crate::types::IfIndex;
use crate::verify;
use crate::wire::announce;

/// How a policy is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Put right what drifts; otherwise it is only told.
    pub heal: bool,
    /// The time between two looks at what no event tells of (sysctls set through netlink). Default 5 s; at
    /// least 100 ms; longer where that would cost more than a two-thousandth of a processor. Everything is
    /// read again only if these looks find a difference, and as seldom as a four-thousandth allows.
    pub look: Duration,
    /// The shortest time between two looks at the proxy entries, of which the kernel sends no news: what a quiet host costs. Default 20
    /// ms; where each look is dear, they are rarer by themselves, up to 2 s.
    pub proxy_poll: Duration,
    /// How a repair is run; the confirmation does not apply to it.
    pub apply: apply::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heal: false,
            look: Duration::from_secs(5),
            proxy_poll: PROXY_POLL.0,
            apply: apply::Options::default(),
        }
    }
}

impl Options {
    setters!(heal: bool, look: Duration, proxy_poll: Duration, apply: apply::Options);
}

/// One part in this many of a processor may go into polling proxy entries.
const PROXY_SHARE: u32 = 300;
/// The same for interfaces, which are looked at as often as the options say if that allows it.
const INTERFACE_SHARE: u32 = 2_000;
const INTERFACE_POLL: Duration = Duration::from_secs(60);
/// One part in this many may go into looking at everything without a reason, but it is done this often.
const REST_SHARE: u32 = 4_000;
const REST: Duration = Duration::from_secs(300);
/// More entries than this are put right by a transaction.
const FEW: usize = 64;
/// Proxy entries are looked at this often at most, and at least (see [`Interval`]).
const PROXY_POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));
/// How long to wait before trying again what somebody else's transaction was in the way of.
const RETRY: Duration = Duration::from_millis(200);
/// How often events of sysctls are read that somebody writes again and again.
const BY_THE_CLOCK: Duration = Duration::from_millis(50);
/// Where the network changes all the time, one part in this many may go into looking at everything.
const LOOK_SHARE: u32 = 20;

/// Marks of the lists that no event tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Marks {
    proxies: u64,
    interfaces: u64,
}

impl Marks {
    /// To be taken before the snapshot that they stand for: what happens in between is seen as a change.
    fn take(kernel: &mut LinuxKernel) -> Result<Self> {
        Ok(Self { proxies: kernel.proxies_digest()?, interfaces: kernel.interfaces_digest()? })
    }
}

/// Watches one namespace for one policy. See the [module](super) text.
///
/// It belongs to the namespace of its host, whichever one the calling thread is in.
#[derive(Debug)]
pub struct Watcher {
    kernel: LinuxKernel,
    host: Host,
    policy: Policy,
    options: Options,
    events: Events,
    sysctls: SysctlWatch,
    timer: Timer,
    epoll: Epoll,
    /// The last look: what the namespace was like when nothing was to be done.
    settled: Snapshot,
    /// The interfaces as the last look saw them: what changes are told of by name.
    interfaces: HashMap<IfIndex, InterfaceIdentity>,
    /// What the policy wants there; `None` while it cannot be kept.
    wanted: Option<Wanted>,
    /// What the kernel said at that time, or since.
    marks: Marks,
    proxy_poll: Interval,
    next_proxies: Instant,
    interface_poll: Interval,
    next_interfaces: Instant,
    look: Interval,
    rest: Interval,
    next_look: Instant,
    /// A look is due as soon as the interval allows, for this reason.
    pending: Option<Cause>,
    last_look: Instant,
    /// The next look repeats one for this reason, because somebody else held the lock.
    retry: Option<Cause>,
    impossible: Vec<Error>,
    /// What was found and told last, so that it is told once.
    told: Vec<Change>,
    fights: Fights,
    /// Sysctls whose pause is not over.
    held: Vec<Change>,
    /// Whether the descriptor of sysctl events is not waited for, as they come too fast.
    by_the_clock: bool,
    /// Held by the one watch that heals the namespace.
    sole: Option<apply::lock::Lock>,
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
        let (kernel, events) =
            host.namespace().run(|| -> Result<_> { Ok((LinuxKernel::open()?, Events::open()?)) })??;
        let now = Instant::now();
        let sysctls = SysctlWatch::new()?;
        let timer = Timer::new()?;
        let failed = |errno: nix::Error| Error::os("watch", "descriptors", errno as i32);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        for fd in [events.as_fd(), sysctls.as_fd(), timer.as_fd()] {
            epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, 0)).map_err(failed)?;
        }
        timer.arm(Duration::ZERO)?;
        Ok(Self {
            kernel,
            host: host.clone(),
            policy,
            look: Interval::new(Duration::ZERO, options.look, LOOK_SHARE),
            interface_poll: Interval::new(options.look, options.look.max(INTERFACE_POLL), INTERFACE_SHARE),
            rest: Interval::new(options.look, options.look.max(REST), REST_SHARE),
            proxy_poll: Interval::new(options.proxy_poll, options.proxy_poll.max(PROXY_POLL.1), PROXY_SHARE),
            options,
            events,
            sysctls,
            timer,
            epoll,
            settled: Snapshot::default(),
            interfaces: HashMap::new(),
            wanted: None,
            marks: Marks::default(),
            next_proxies: now,
            next_interfaces: now,
            next_look: now,
            pending: Some(Cause::Start),
            last_look: now,
            retry: None,
            impossible: Vec::new(),
            told: Vec::new(),
            fights: Fights::default(),
            held: Vec::new(),
            by_the_clock: false,
            sole: None,
        })
    }

    /// Says who else heals this namespace, if somebody does; from then on this watch is the one that others are told of.
    ///
    /// # Errors
    /// If the state folder cannot be used.
    pub fn other(&mut self) -> Result<Option<String>> {
        if !self.options.heal || self.sole.is_some() {
            return Ok(None);
        }
        let netns = self.kernel.identity()?;
        let folder =
            apply::store::Folder::state(self.options.apply.state_dir.as_deref())?.namespace(&netns)?;
        let what = "another watch heals this namespace";
        match apply::lock::Lock::named(&folder, "watch", what, Duration::ZERO, &self.options.apply.stop) {
            Ok(lock) => {
                self.sole = Some(lock);
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Busy => Ok(Some(error.message().to_owned())),
            Err(error) => Err(error),
        }
    }

    /// Watches for another policy from now on; the next step looks at everything.
    ///
    /// # Errors
    /// If the timer cannot be set.
    pub fn set_policy(&mut self, policy: Policy) -> Result<()> {
        self.policy = policy;
        self.wanted = None;
        self.pending = Some(Cause::Policy);
        self.timer.arm(Duration::ZERO)
    }

    /// The policy that is watched.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether the host was as the policy says at the last look, by its configuration and by the model over all
    /// senders: what the watch cannot tell is not good for being quiet.
    ///
    /// # Errors
    /// As [`verify::check`].
    pub fn report(&self) -> Result<verify::Report> {
        verify::check(&self.policy, &self.settled)
    }

    /// Waits for news up to `timeout` (`None`: without end) and does what is to be done. Comes back
    /// with what drifted, or empty-handed when the time is over or a signal came.
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
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            // Rounded up, or the last millisecond would be spent turning in circles.
            let left = left.map_or(PollTimeout::NONE, |left| {
                PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
            });
            let mut fds = vec![PollFd::new(self.epoll.0.as_fd(), PollFlags::POLLIN)];
            fds.extend(end.map(|end| PollFd::new(end, PollFlags::POLLIN)));
            match poll(&mut fds, left) {
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

    /// Does what is to be done now, without waiting. To be called when the descriptor is readable.
    ///
    /// # Errors
    /// As [`Watcher::wait`].
    pub fn step(&mut self) -> Result<Vec<Drift>> {
        let host = self.host.clone();
        // Looking up a sysctl from outside of its namespace gives it a second inode, and who writes to it
        // afterwards uses that one, on which there is no watch (`proc_sys_compare()`).
        if host.namespace().is_current()? {
            self.step_inside()
        } else {
            host.namespace().run(|| self.step_inside())?
        }
    }

    fn step_inside(&mut self) -> Result<Vec<Drift>> {
        let woken = Instant::now();
        let mut drifts = Vec::new();
        self.read_sysctl_events(woken, &mut drifts)?;
        self.wait_for_sysctls(woken)?;
        if self.events.changed() != Changed::Nothing {
            self.look_soon(Cause::Event);
        }
        if woken >= self.next_proxies {
            self.poll_proxies(woken, &mut drifts)?;
        }
        if woken >= self.next_interfaces {
            self.poll_interfaces()?;
        }
        if woken >= self.next_look {
            let cause = self.retry.take().unwrap_or(Cause::Poll);
            self.look_soon(cause);
        }
        if let Some(cause) = self.pending
            && (cause != Cause::Event || woken >= self.last_look + self.look.current())
        {
            self.pending = None;
            self.look_at_everything(cause, woken, &mut drifts)?;
        }
        self.arm()?;
        Ok(drifts)
    }

    /// While somebody writes as fast as he can, events are read by the clock: the kernel keeps like ones as one.
    fn wait_for_sysctls(&mut self, woken: Instant) -> Result<()> {
        let by_the_clock = self.fights.is_on(woken);
        if by_the_clock != self.by_the_clock {
            let failed = |errno: nix::Error| Error::os("watch", "descriptors", errno as i32);
            let flags = if by_the_clock { EpollFlags::empty() } else { EpollFlags::EPOLLIN };
            self.epoll.modify(self.sysctls.as_fd(), &mut EpollEvent::new(flags, 0)).map_err(failed)?;
            self.by_the_clock = by_the_clock;
        }
        Ok(())
    }

    fn look_soon(&mut self, cause: Cause) {
        // The first reason is told; one that may not wait takes its place.
        match self.pending {
            Some(Cause::Event) | None => self.pending = Some(cause),
            Some(_) => {}
        }
    }

    /// Sets the timer for the next thing that no event announces.
    fn arm(&self) -> Result<()> {
        let mut next = self.next_proxies.min(self.next_interfaces).min(self.next_look);
        if self.pending.is_some() {
            next = next.min(self.last_look + self.look.current());
        }
        if self.by_the_clock {
            let now = Instant::now();
            next = next.min(now + BY_THE_CLOCK).min(self.fights.next(now).unwrap_or(now));
        }
        self.timer.arm(next.saturating_duration_since(Instant::now()))
    }

    /// A sysctl that was written is put right at once if the policy named its value: without looking
    /// at anything else. Everything else about it waits for a look.
    fn read_sysctl_events(&mut self, woken: Instant, drifts: &mut Vec<Drift>) -> Result<()> {
        let mut wrong = Vec::new();
        // What was left to a later moment may be right by now, or wrong in another way.
        for held in std::mem::take(&mut self.held) {
            if let Object::Sysctl { scope, sysctl } = &held.object
                && let Ok(now) = self.kernel.sysctl(scope, *sysctl)
                && held.after != Value::Number(now.into())
            {
                wrong.push(Change { before: Value::Number(now.into()), ..held });
            }
        }
        for event in self.sysctls.read()? {
            match event {
                SysctlEvent::Lost => self.look_soon(Cause::Lost),
                SysctlEvent::Written(folder, sysctl) => match self.deviation(folder, sysctl) {
                    Ok(Some(change)) if wrong.iter().all(|known| known.object != change.object) => {
                        wrong.push(change);
                    }
                    Ok(Some(_)) => {}
                    // Perhaps what was told has come to an end.
                    Ok(None) if !self.told.is_empty() => self.look_soon(Cause::Sysctl),
                    Ok(None) => {}
                    // The interface has just gone, or become another: a look finds out.
                    Err(_) => self.look_soon(Cause::Sysctl),
                },
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let managed = self.managed(&wrong);
        if managed.len() < wrong.len() {
            self.look_soon(Cause::Sysctl);
        }
        self.put_right(Cause::Sysctl, managed, woken, drifts).map(drop)
    }

    /// Makes a few changes that the policy wants at once, or tells of them; whether they are made.
    ///
    /// Each is made in one step: there is nothing a crash could leave half done. The lock keeps this from
    /// the middle of somebody's transaction.
    fn put_right(
        &mut self,
        cause: Cause,
        changes: Vec<Change>,
        woken: Instant,
        drifts: &mut Vec<Drift>,
    ) -> Result<bool> {
        if changes.is_empty() {
            return Ok(true);
        }
        if !self.options.heal {
            self.tell(cause, changes, woken, drifts);
            return Ok(false);
        }
        let (changes, held) = self.fights.split(changes, woken);
        let all = held.is_empty();
        self.held.extend(held);
        if changes.is_empty() {
            return Ok(all);
        }
        let _lock = match apply::try_lock(&mut self.kernel, &self.options.apply) {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                self.look_soon(cause);
                return Ok(false);
            }
            // A state folder that cannot be used is no reason to stop watching.
            Err(error) => {
                if self.told != changes {
                    self.told.clone_from(&changes);
                    drifts.push(self.drift(cause, changes, Outcome::Failed { error }, woken));
                }
                self.retry = Some(cause);
                return Ok(false);
            }
        };
        if let Err(failed) = self.kernel.make(&changes) {
            drifts.push(self.drift(cause, changes, Outcome::Failed { error: failed.error }, woken));
            return Ok(false);
        }
        self.tell_healed(cause, changes, woken, drifts);
        Ok(all)
    }

    /// Tells what was put right, in one line for many where it comes again and again.
    fn tell_healed(&mut self, cause: Cause, changes: Vec<Change>, woken: Instant, drifts: &mut Vec<Drift>) {
        let (mut once, mut repeated) = (Vec::new(), Vec::new());
        for change in changes {
            match self.fights.healed(&change.object, woken) {
                Some(Again { times: 1, .. }) => once.push(change),
                Some(again) => repeated.push((change, again)),
                None => {}
            }
        }
        if !once.is_empty() {
            drifts.push(self.drift(cause, once, Outcome::Healed, woken));
        }
        for (change, Again { times, within }) in repeated {
            let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
            let drift = self.drift(cause, vec![change], Outcome::Healed, woken);
            drifts.push(Drift { times, within_ms, ..drift });
        }
    }

    fn drift(&self, cause: Cause, changes: Vec<Change>, outcome: Outcome, woken: Instant) -> Drift {
        let index: BTreeSet<IfIndex> = changes.iter().filter_map(Change::interface).collect();
        let interfaces = index.into_iter().filter_map(|index| self.interfaces.get(&index).copied());
        Drift {
            at_ms: Drift::now_ms(),
            cause,
            interfaces: interfaces.collect(),
            changes,
            outcome,
            took_us: us(woken),
            times: 1,
            within_ms: 0,
        }
    }

    /// The change that gives a sysctl the value it had when all was well; `None` if it has it.
    fn deviation(&self, folder: Folder, sysctl: Sysctl) -> Result<Option<Change>> {
        let (scope, known) = match folder {
            Folder::All => (SysctlScope::All, self.settled.all.get(sysctl)),
            Folder::Default => (SysctlScope::Default, self.settled.default.get(sysctl)),
            Folder::Interface { index, name } => {
                let interface = self.settled.interface(index).filter(|known| known.name == name);
                let interface = interface
                    .ok_or_else(|| Error::new(ErrorKind::Changed, "it is new").on(name.to_string()))?;
                (SysctlScope::Interface { index, name }, interface.sysctls.get(sysctl))
            }
        };
        let now = self.kernel.sysctl(&scope, sysctl)?;
        Ok(match (known, now) {
            (Some(after), before) if before != after => {
                Some(Change::set(Object::Sysctl { scope, sysctl }, before, after))
            }
            _ => None,
        })
    }

    /// Those of `changes` that the policy itself would make: the others are nobody's business here.
    fn managed(&self, changes: &[Change]) -> Vec<Change> {
        let wanted = |change: &&Change| self.wanted.as_ref().is_some_and(|wanted| wanted.has(change));
        changes.iter().filter(wanted).cloned().collect()
    }

    fn poll_proxies(&mut self, woken: Instant, drifts: &mut Vec<Drift>) -> Result<()> {
        let begun = cpu_time();
        let mark = self.kernel.proxies_digest()?;
        self.proxy_poll.spent(cpu_time().saturating_sub(begun));
        self.next_proxies = Instant::now() + self.proxy_poll.current();
        if mark == self.marks.proxies {
            return Ok(());
        }
        let at_rest = std::mem::replace(&mut self.marks.proxies, mark);
        let found = self.kernel.proxies()?;
        let changes = between(&found, &self.settled.proxies);
        let managed = self.managed(&changes);
        if self.wanted.is_none() || managed.len() > FEW {
            self.look_soon(Cause::Proxies);
            return Ok(());
        }
        if self.put_right(Cause::Proxies, managed.clone(), woken, drifts)? {
            // Put right, the list looks as before: the same entry coming again is news again.
            self.marks.proxies = at_rest;
            // What is not the policy's is as it is.
            self.settled.proxies = found;
            for change in &managed {
                self.settled.change(change);
            }
        } else if self.options.heal {
            self.look_soon(Cause::Proxies);
        }
        Ok(())
    }

    fn poll_interfaces(&mut self) -> Result<()> {
        let begun = cpu_time();
        let mark = self.kernel.interfaces_digest();
        self.interface_poll.spent(cpu_time().saturating_sub(begun));
        self.next_interfaces = Instant::now() + self.interface_poll.current();
        let mark = match mark {
            Ok(mark) => mark,
            // They are changing just now: events tell, and the next poll.
            Err(error) if error.kind().is_transient() => return Ok(()),
            Err(error) => return Err(error),
        };
        if mark != self.marks.interfaces {
            self.marks.interfaces = mark;
            self.look_soon(Cause::Poll);
        }
        Ok(())
    }

    fn look_at_everything(&mut self, cause: Cause, woken: Instant, drifts: &mut Vec<Drift>) -> Result<()> {
        let begun = cpu_time();
        let result = self.look(cause, woken, drifts);
        let cost = cpu_time().saturating_sub(begun);
        self.look.spent(cost);
        self.rest.spent(cost);
        self.last_look = Instant::now();
        let pause = if self.retry.is_some() { RETRY.min(self.options.look) } else { self.rest.current() };
        self.next_look = self.last_look + pause;
        match result {
            // Too much is changing right now: the next event or look comes soon.
            Err(error) if error.kind().is_transient() => {
                self.look_soon(Cause::Event);
                Ok(())
            }
            other => other,
        }
    }

    /// Tells what of the policy cannot be kept now, where that is new, and when all of it can be again.
    fn cannot_be_kept(&mut self, now: Vec<Error>, cause: Cause, woken: Instant, drifts: &mut Vec<Drift>) {
        let before = std::mem::replace(&mut self.impossible, now);
        let mut tell = |outcome| drifts.push(self.drift(cause, Vec::new(), outcome, woken));
        for error in self.impossible.iter().filter(|error| !before.contains(error)) {
            tell(Outcome::Impossible { error: error.clone() });
        }
        if self.impossible.is_empty() && !before.is_empty() {
            tell(Outcome::Possible);
        }
    }

    fn look(&mut self, cause: Cause, woken: Instant, drifts: &mut Vec<Drift>) -> Result<()> {
        // Events about what is read now would only make it look again for nothing.
        self.sysctls.read()?;
        self.events.changed();
        let marks = Marks::take(&mut self.kernel)?;
        let snapshot = self.kernel.snapshot()?;
        let seen =
            snapshot.interfaces.iter().map(|interface| (interface.index, InterfaceIdentity::from(interface)));
        self.interfaces = seen.collect();
        let (mut plan, desired) = match self.policy.plan_and_desired(&snapshot) {
            Ok(both) => both,
            // What was planned before goes on being kept where it can be looked up.
            Err(error) => {
                self.cannot_be_kept(vec![error], cause, woken, drifts);
                return self.settle(snapshot, marks);
            }
        };
        self.cannot_be_kept(desired.unmet.clone(), cause, woken, drifts);
        self.wanted = Some(Wanted::of(&self.policy, &desired));
        if plan.is_empty() {
            if !std::mem::take(&mut self.told).is_empty() {
                drifts.push(self.drift(cause, Vec::new(), Outcome::Over, woken));
            }
            return self.settle(snapshot, marks);
        }
        if !self.options.heal {
            self.tell(cause, plan.changes, woken, drifts);
            return self.settle(snapshot, marks);
        }
        let (changes, held) = self.fights.split(plan.changes.clone(), woken);
        plan.changes.clone_from(&changes);
        self.held.extend(held);
        if changes.is_empty() {
            return self.settle(snapshot, marks);
        }
        let outcome = match self.heal(&snapshot, &plan) {
            Ok(()) => Outcome::Healed,
            // Somebody was faster, or is at it (or waits for a confirmation): look again a little later.
            Err(error) if matches!(error.kind(), ErrorKind::Changed | ErrorKind::Busy) => {
                self.retry = Some(cause);
                return self.settle(snapshot, marks);
            }
            Err(error) => Outcome::Failed { error },
        };
        if outcome == Outcome::Healed {
            self.told.clear();
            self.tell_healed(cause, changes, woken, drifts);
        } else if self.told != changes {
            self.told.clone_from(&changes);
            drifts.push(self.drift(cause, changes, outcome, woken));
        }
        // The repair's own events are of no interest; what drifted during it is found by planning once more.
        self.sysctls.read()?;
        self.events.changed();
        let marks = Marks::take(&mut self.kernel)?;
        let snapshot = self.kernel.snapshot()?;
        if let Ok((plan, _)) = self.policy.plan_and_desired(&snapshot)
            && plan.changes.iter().any(|change| self.fights.may_heal(&change.object, woken))
        {
            self.look_soon(Cause::Event);
        }
        self.settle(snapshot, marks)
    }

    fn heal(&mut self, now: &Snapshot, plan: &Plan) -> Result<()> {
        if !self.options.apply.accept_harm {
            harm::refuse(now, plan)?;
        }
        let options = apply::Options {
            confirm: apply::Confirm::Now,
            by: apply::Maker::Watch,
            ..self.options.apply.clone()
        };
        // One round: a second would keep the watch from its work for more than a second.
        let once = announce::Options { rounds: 1, ..announce::Options::default() };
        let mut announce = announce::announcer(self.host.namespace(), &once, &options.stop);
        Transaction::new(&mut self.kernel, &options).announce(&mut announce).apply(plan).map(drop)
    }

    /// Tells what drifted, once as long as it stays the same.
    fn tell(&mut self, cause: Cause, changes: Vec<Change>, woken: Instant, drifts: &mut Vec<Drift>) {
        if changes.is_empty() || self.told == changes {
            return;
        }
        self.told.clone_from(&changes);
        drifts.push(self.drift(cause, changes, Outcome::Reported, woken));
    }

    /// Remembers the state of rest and watches the sysctls of its interfaces.
    fn settle(&mut self, snapshot: Snapshot, marks: Marks) -> Result<()> {
        let of_interfaces = snapshot
            .interfaces
            .iter()
            .filter(|interface| interface.sysctls != SysctlValues::default())
            .map(|interface| Folder::Interface { index: interface.index, name: interface.name });
        let folders: Vec<Folder> = of_interfaces.chain([Folder::All, Folder::Default]).collect();
        if self.sysctls.is_stale(&folders) {
            self.sysctls.follow(&folders)?;
        }
        self.marks = marks;
        self.settled = snapshot;
        // What waits for its pause is not how it should be at rest.
        for change in &self.held {
            self.settled.change(change);
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

fn us(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Processor time that this thread has used.
fn cpu_time() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_or(Duration::ZERO, Duration::from)
}
