//! System calls that fail on purpose, in this crate's own tests: every call that transactions make on files, and every
//! change they ask the kernel for, passes through `around`. Elsewhere that is nothing at all.

/// The class of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(not(test), expect(dead_code, reason = "some are met in `armed` alone"))]
pub(crate) enum Call {
    /// `openat`.
    Open,
    /// `mkdirat`.
    MakeFolder,
    /// `read`.
    Read,
    /// `write`.
    Write,
    /// `fsync`.
    Sync,
    /// `renameat`.
    Rename,
    /// `unlinkat`.
    Remove,
    /// `ftruncate`.
    Truncate,
    /// `flock`.
    Lock,
    /// `fork`.
    Fork,
    /// Reading the kernel's state.
    Snapshot,
    /// One change of the kernel's state.
    Change,
}

#[cfg(test)]
pub(crate) use armed::{Fault, arm, arm_all, around, disarm, kernel, seen, write};

#[cfg(test)]
mod armed {
    use std::cell::RefCell;

    use nix::errno::Errno;

    use super::Call;
    use crate::error::{Error, Result};
    use crate::kernel::{Failed, Kernel};
    use crate::plan::Change;
    use crate::snapshot::{NetnsIdentity, Snapshot};

    /// What happens at the chosen call.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub(crate) enum Fault {
        /// It fails with this error number and does nothing.
        Error(i32),
        /// It is carried out and fails all the same: the answer was lost.
        ErrorAfter(i32),
        /// A write writes half; no error. Any other call: nothing.
        Short,
        /// A write writes half, then fails with this number. Any other call: fails.
        Torn(i32),
        /// The process is as good as dead from before this call on: nothing after it has an effect.
        Stop,
        /// The same from after this call on.
        StopAfter,
        /// A write writes half, and then the process is dead.
        StopTorn,
        /// `SIGKILL` before the call.
        Kill,
        /// `SIGKILL` after the call.
        KillAfter,
    }

    #[derive(Default)]
    struct State {
        armed: Vec<(usize, Fault)>,
        seen: Vec<Call>,
        dead: bool,
    }

    thread_local! {
        static STATE: RefCell<State> = RefCell::default();
    }

    /// From now on, this thread's call number `at` (from 0) meets `fault`; `None`: only count.
    pub(crate) fn arm(fault: Option<(usize, Fault)>) {
        arm_all(fault.as_slice());
    }

    /// The same with several calls that meet faults.
    pub(crate) fn arm_all(faults: &[(usize, Fault)]) {
        STATE.with_borrow_mut(|state| *state = State { armed: faults.to_vec(), ..State::default() });
    }

    /// No faults from now on.
    pub(crate) fn disarm() {
        arm(None);
    }

    /// The calls of this thread since [`arm`].
    pub(crate) fn seen() -> Vec<Call> {
        STATE.with_borrow(|state| state.seen.clone())
    }

    enum Now {
        Go,
        Dead,
        Meet(Fault),
    }

    fn next(call: Call) -> Now {
        STATE.with_borrow_mut(|state| {
            if state.dead {
                return Now::Dead;
            }
            state.seen.push(call);
            let due = state.armed.iter().find(|(at, _)| at + 1 == state.seen.len()).copied();
            match due {
                Some((_, fault)) => {
                    state.dead = matches!(fault, Fault::Stop | Fault::StopAfter | Fault::StopTorn);
                    Now::Meet(fault)
                }
                None => Now::Go,
            }
        })
    }

    fn die() -> ! {
        // SAFETY: a plain signal to this very process, which does not return from it.
        unsafe { nix::libc::kill(nix::libc::getpid(), nix::libc::SIGKILL) };
        std::process::abort()
    }

    /// Makes a call, unless a fault is due.
    ///
    /// # Errors
    /// The call's own, or the one that was asked for.
    pub(crate) fn around<T>(call: Call, work: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
        match next(call) {
            Now::Go | Now::Meet(Fault::Short) => work(),
            Now::Dead | Now::Meet(Fault::Stop | Fault::StopTorn) => Err(Errno::EIO),
            Now::Meet(Fault::Error(errno) | Fault::Torn(errno)) => Err(Errno::from_raw(errno)),
            Now::Meet(Fault::ErrorAfter(errno)) => work().and(Err(Errno::from_raw(errno))),
            Now::Meet(Fault::StopAfter) => work().and(Err(Errno::EIO)),
            Now::Meet(Fault::Kill) => die(),
            Now::Meet(Fault::KillAfter) => {
                let _ = work();
                die()
            }
        }
    }

    /// The same for a write, which can also come to half.
    ///
    /// # Errors
    /// As [`around`].
    pub(crate) fn write(bytes: &[u8], work: impl Fn(&[u8]) -> nix::Result<usize>) -> nix::Result<usize> {
        let half = &bytes[..bytes.len() / 2];
        let written = |result: nix::Result<usize>, errno| result.and(Err(errno));
        match next(Call::Write) {
            Now::Go => work(bytes),
            Now::Meet(Fault::Short) => work(if half.is_empty() { bytes } else { half }),
            Now::Meet(Fault::Torn(errno)) => written(work(half), Errno::from_raw(errno)),
            Now::Meet(Fault::StopTorn) => written(work(half), Errno::EIO),
            Now::Dead | Now::Meet(Fault::Stop) => Err(Errno::EIO),
            Now::Meet(Fault::Error(errno)) => Err(Errno::from_raw(errno)),
            Now::Meet(Fault::ErrorAfter(errno)) => written(work(bytes), Errno::from_raw(errno)),
            Now::Meet(Fault::StopAfter) => written(work(bytes), Errno::EIO),
            Now::Meet(Fault::Kill) => die(),
            Now::Meet(Fault::KillAfter) => {
                let _ = work(bytes);
                die()
            }
        }
    }

    /// A kernel whose calls can meet faults too.
    pub(crate) fn kernel(inner: &mut dyn Kernel) -> impl Kernel {
        Faulty(inner)
    }

    struct Faulty<'a>(&'a mut dyn Kernel);

    impl Kernel for Faulty<'_> {
        fn identity(&mut self) -> Result<NetnsIdentity> {
            self.0.identity()
        }

        fn snapshot(&mut self) -> Result<Snapshot> {
            let mut result = None;
            around(Call::Snapshot, || {
                result = Some(self.0.snapshot());
                Ok(())
            })
            .map_err(|errno| Error::os("read", "the kernel's state", errno as i32))?;
            result.unwrap_or_else(|| Err(Error::os("read", "the kernel's state", Errno::EIO as i32)))
        }

        fn make(&mut self, changes: &[Change]) -> Result<(), Failed> {
            for (at, change) in changes.iter().enumerate() {
                let mut own = Ok(());
                let met = around(Call::Change, || {
                    own = self.0.make(std::slice::from_ref(change));
                    Ok(())
                });
                own.map_err(|failed| Failed { at, ..failed })?;
                if let Err(errno) = met {
                    let error = Error::os("make", "a change", errno as i32);
                    return Err(Failed { at, beyond: Vec::new(), error });
                }
            }
            Ok(())
        }
    }
}

/// Makes a call.
///
/// # Errors
/// The call's own.
#[cfg(not(test))]
#[inline]
pub(crate) fn around<T>(_call: Call, work: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    work()
}

/// Makes a write.
///
/// # Errors
/// The call's own.
#[cfg(not(test))]
#[inline]
pub(crate) fn write(bytes: &[u8], work: impl Fn(&[u8]) -> nix::Result<usize>) -> nix::Result<usize> {
    work(bytes)
}
