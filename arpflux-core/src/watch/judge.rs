//! Whether the answers are as the policy says, decided beside the watch: it takes long where there is much, and
//! repairs do not wait for it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::budget::Budget;
use super::digest::digest;
use super::published::Published;
use super::watcher::cpu_time;
use crate::error::{Error, ErrorKind, Result};
use crate::judgement::Judgement;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::stop::Stop;
use crate::verify::{self, CheckKind, Report};

/// One part in this many of a processor may go into judging.
const SHARE: u32 = 20;
/// So much at once after a quiet time.
const SAVED: Duration = Duration::from_millis(200);
/// So many wrong answers are told one by one.
const NAMED: usize = 5;
/// A state for which more has to be asked of the model is not judged: some seconds of work. Not a time, or the same
/// state would be told as another on a busy machine.
const MOST: u64 = 4_000_000;
/// How long somebody who asks waits for a judgement that is under way.
const PATIENCE: Duration = Duration::from_millis(300);

/// What a state comes to.
#[derive(Debug)]
pub(super) struct Judged {
    pub judgement: Judgement,
    /// What is wrong, but for what cannot be kept, which is told by itself.
    pub wrong: Option<Error>,
    /// What cannot be told.
    pub unknown: Option<Error>,
}

/// What a thread comes back with: the digest of what it was to judge, what that comes to unless it is what was judged
/// before, and the processor time.
type Done = (u64, Option<Judged>, Duration);

#[derive(Debug)]
struct UnderWay {
    done: Receiver<Done>,
    thread: JoinHandle<()>,
    stop: Stop,
}

/// See the module text.
#[derive(Debug)]
pub(super) struct Judge {
    under_way: Option<UnderWay>,
    wake: Arc<EventFd>,
    /// The digest of what was judged last.
    judged: Option<u64>,
    budget: Budget,
    /// A state was passed over, as there was no time for it.
    owed: bool,
    /// The last judgement.
    pub last: Option<Judgement>,
}

impl Judge {
    pub fn new(now: Instant) -> Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = EventFd::from_flags(flags)
            .map_err(|errno| Error::os("make", "event descriptor", errno as i32))?;
        let budget = Budget::new(SHARE, SAVED, now);
        let wake = Arc::new(wake);
        Ok(Self { under_way: None, wake, judged: None, budget, owed: false, last: None })
    }

    /// Begins to judge a state, or remembers that one is owed.
    pub fn begin(&mut self, policy: &Policy, published: &Published, state: Arc<Snapshot>, now: Instant) {
        if self.under_way.is_some() || now < self.budget.ready() {
            self.owed = true;
            return;
        }
        self.owed = false;
        let (policy, published) = (policy.clone(), published.clone());
        let (wake, stop) = (Arc::clone(&self.wake), Stop::after(MOST));
        let ends = stop.clone();
        let (known, (sender, receiver)) = (self.judged, channel());
        let work = move || {
            let unreadable = published.unreadable.as_ref().map(ToString::to_string);
            let digest = digest(&(&policy, published.registry.policy(), &unreadable, &*state));
            let report = || {
                let mut report = verify::check_until(&policy, &state, &ends)?;
                verify::published(&mut report, &state, &published.registry)?;
                if let Some(why) = unreadable {
                    report.leave_open(format!("what is published cannot be told: {why}"), Vec::new(), None);
                }
                Ok(report)
            };
            let judged = (known != Some(digest)).then(|| judged(report()));
            drop((policy, published, state));
            if sender.send((digest, judged, cpu_time())).is_ok() {
                // Full only after 2^64 of them.
                let _ = wake.write(1);
            }
        };
        // Without a thread it is owed: memory may come back.
        match std::thread::Builder::new().name("arpflux-judge".into()).spawn(work) {
            Ok(thread) => self.under_way = Some(UnderWay { done: receiver, thread, stop }),
            Err(_) => self.owed = true,
        }
    }

    /// A state is to be judged that is not there yet.
    pub fn owe(&mut self) {
        self.owed = true;
    }

    /// Whether the last judgement is about the last state.
    pub fn is_up_to_date(&self) -> bool {
        !self.owed && self.under_way.is_none()
    }

    /// The moment at which a state that is owed can be judged.
    pub fn due(&self) -> Option<Instant> {
        (self.owed && self.under_way.is_none()).then(|| self.budget.ready())
    }

    /// What it has come to, if that is ready and news.
    pub fn take(&mut self, now: Instant) -> Option<Judged> {
        let _ = self.wake.read();
        let ready = self.under_way.as_ref()?.done.try_recv();
        self.done(ready.ok(), now)
    }

    /// The same; waits a little for what is under way.
    pub fn finish(&mut self, now: Instant) -> Option<Judged> {
        match self.under_way.as_ref()?.done.recv_timeout(PATIENCE) {
            Ok(ready) => self.done(Some(ready), now),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    fn done(&mut self, ready: Option<Done>, now: Instant) -> Option<Judged> {
        let (digest, judged, cost) = ready?;
        if let Some(known) = self.under_way.take() {
            let _ = known.thread.join();
        }
        self.judged = Some(digest);
        self.budget.spent(cost, now);
        if let Some(judged) = &judged {
            self.last = Some(judged.judgement.clone());
        }
        judged
    }
}

impl AsFd for Judge {
    /// Readable when there is a judgement.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Drop for Judge {
    /// No thread outlives the watch: its library may be unloaded next. What is under way looks at its flag often.
    fn drop(&mut self) {
        if let Some(known) = self.under_way.take() {
            known.stop.raise();
            let _ = known.thread.join();
        }
    }
}

fn judged(report: Result<Report>) -> Judged {
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            let error = match error.kind() {
                ErrorKind::Interrupted => {
                    let text =
                        format!("judging all answers here takes more than {MOST} requests to the model");
                    Error::new(ErrorKind::Undetermined, text).hint("`arpflux verify` takes the time")
                }
                _ => error,
            };
            let judgement = Judgement::Undetermined { missing: Vec::new(), apart: None };
            return Judged { judgement, wrong: None, unknown: Some(error) };
        }
    };
    let judgement = report.judgement();
    let wrong: Vec<String> = report
        .failures
        .iter()
        .filter(|failure| failure.check != CheckKind::Policy)
        .map(ToString::to_string)
        .collect();
    let last_line = || report.to_string().lines().last().unwrap_or_default().to_owned();
    let unknown = (!report.undetermined.is_empty()).then(|| Error::new(ErrorKind::Undetermined, last_line()));
    let wrong = (!wrong.is_empty()).then(|| {
        let more = match wrong.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let first = wrong[..wrong.len().min(NAMED)].join("; ");
        Error::new(ErrorKind::VerifyFailed, format!("{first}{more}"))
            .hint("`arpflux verify` and `arpflux diagnose` say more")
    });
    Judged { judgement, wrong, unknown }
}
