//! The process that undoes what nobody confirms.
//!
//! Forked twice from the caller, in a session of its own, with nothing of the caller's open but the
//! namespace, its state folder and a pipe. It takes no part in the transaction until the pipe says that
//! everything is made, or ends because the caller died half way: then it undoes at once what was done.
//!
//! The child of a process with threads may use only what glibc keeps usable after `fork` (memory
//! allocation is) and locks that no other thread can have held; so it touches neither the environment
//! nor standard output, and leaves by `_exit`.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, pipe2, setsid};

use super::confirm;
use super::fault::{self, Call};
use super::journal;
use super::lock::Lock;
use super::owners::owners_after;
use super::recover::settle;
use super::store::Folder;
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;
use crate::plan::Announcement;
use crate::snapshot::{NetnsIdentity, Snapshot};
use crate::stop::Stop;
use std::os::fd::AsFd as _;

/// How a second process opens the kernel of the same namespace.
#[derive(Clone, Copy)]
pub struct Reopen<'a> {
    open: &'a dyn Fn() -> Result<Box<dyn Kernel>>,
    keep: &'a [RawFd],
    announce: Option<Tell>,
}

/// Sends announcements from the process that undoes; it can hold nothing of the caller's.
type Tell = fn(&Snapshot, &[Announcement]) -> Result<usize>;

impl std::fmt::Debug for Reopen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reopen").field("keep", &self.keep).finish_non_exhaustive()
    }
}

impl<'a> Reopen<'a> {
    /// `open` is called in the other process; of all descriptors only those in `keep` are open there.
    pub fn new(open: &'a dyn Fn() -> Result<Box<dyn Kernel>>, keep: &'a [RawFd]) -> Self {
        Self { open, keep, announce: None }
    }

    /// Lets the other process tell the peers who owns the addresses after it has undone the change.
    #[must_use]
    pub fn announce(mut self, announce: fn(&Snapshot, &[Announcement]) -> Result<usize>) -> Self {
        self.announce = Some(announce);
        self
    }
}

/// How long to wait for the process to stand ready.
const READY: u16 = 5_000;
/// How often it looks whether it is still needed.
const LOOK: Duration = Duration::from_millis(100);
/// How long it waits for the lock at a time.
const LOCK: Duration = Duration::from_secs(60);

/// The caller's end of the pipe. Dropped without [`Watcher::arm`], the process looks at the journal,
/// undoes what it finds unfinished, and ends.
#[derive(Debug)]
pub(crate) struct Watcher {
    pipe: std::fs::File,
}

impl Watcher {
    /// Starts the process and waits until it stands ready.
    ///
    /// # Errors
    /// If there can be no such process; nothing must be changed then.
    pub(crate) fn start(folder: &Folder, netns: &NetnsIdentity, reopen: &Reopen<'_>) -> Result<Self> {
        let failed = |errno: nix::errno::Errno| {
            Error::os("start", "the process that waits for the confirmation", errno as i32)
        };
        let own = folder.again()?;
        let (from_parent, to_child) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
        let (from_child, to_parent) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
        let inode = folder.inode(journal::NAME).map(|(inode, _)| inode);
        let terminal = std::io::stderr().is_terminal().then(|| std::fs::read_link("/proc/self/fd/2"));
        let terminal = terminal.and_then(std::result::Result::ok);
        // SAFETY: the child keeps to what the module text says, and leaves by _exit.
        match fault::around(Call::Fork, || unsafe { fork() }).map_err(failed)? {
            ForkResult::Child => {
                let code = match setsid().and_then(|_| {
                    // SAFETY: as above; the process in between only makes the other one an orphan.
                    unsafe { fork() }
                }) {
                    Ok(ForkResult::Child) => {
                        let task = Task { folder: own, netns, reopen, inode, terminal };
                        let run = || task.run(from_parent, to_parent);
                        i32::from(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err())
                    }
                    Ok(ForkResult::Parent { .. }) => 0,
                    Err(_) => 1,
                };
                // SAFETY: ends this process without running anything of the caller's.
                unsafe { libc::_exit(code) }
            }
            ForkResult::Parent { child } => {
                drop((from_parent, to_parent));
                while waitpid(child, None) == Err(nix::errno::Errno::EINTR) {}
                let mut fds = [PollFd::new(from_child.as_fd(), PollFlags::POLLIN)];
                let ready = poll(&mut fds, PollTimeout::from(READY)).map_err(failed)?;
                let mut byte = [0];
                if ready == 0 || !matches!(std::fs::File::from(from_child).read(&mut byte), Ok(1)) {
                    return Err(Error::new(ErrorKind::TimedOut, "it did not come up")
                        .during("start")
                        .on("the process that waits for the confirmation"));
                }
                Ok(Self { pipe: to_child.into() })
            }
        }
    }

    /// Everything is made: from here on the process undoes it at `deadline`, in ms of `CLOCK_BOOTTIME`.
    pub(crate) fn arm(&mut self, deadline: u64) {
        // If it is gone, the next run undoes what was not confirmed in time.
        let _ = self.pipe.write_all(&deadline.to_le_bytes());
    }
}

static TERMINATED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_terminate(_: libc::c_int) {
    TERMINATED.store(true, Ordering::Relaxed);
}

/// What the process has.
struct Task<'a> {
    folder: Folder,
    netns: &'a NetnsIdentity,
    reopen: &'a Reopen<'a>,
    inode: Option<u64>,
    /// The terminal of whoever made the change.
    terminal: Option<PathBuf>,
}

impl Task<'_> {
    fn run(&self, from_parent: OwnedFd, to_parent: OwnedFd) {
        // Faults are the caller's.
        #[cfg(test)]
        fault::disarm();
        let mut keep = self.reopen.keep.to_vec();
        keep.extend([self.folder.fd().as_raw_fd(), from_parent.as_raw_fd(), to_parent.as_raw_fd()]);
        detach(&mut keep);
        // The thread that made it may have had them blocked.
        let _ = SigSet::empty().thread_set_mask();
        // Where that is allowed; without memory to spare it is to be the last that is killed.
        let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
        let mut from_parent = std::fs::File::from(from_parent);
        let mut to_parent = std::fs::File::from(to_parent);
        if to_parent.write_all(b"r").is_err() {
            return;
        }
        drop(to_parent);
        let mut bytes = [0; 8];
        let deadline = match from_parent.read_exact(&mut bytes) {
            Ok(()) => u64::from_le_bytes(bytes),
            // The caller has failed and undone everything, or died: see what the journal says.
            Err(_) => 0,
        };
        let mut attempts = 0;
        while self.needed() {
            let terminated = TERMINATED.load(Ordering::Relaxed);
            if confirm::now() < deadline && !terminated {
                std::thread::sleep(LOOK);
                continue;
            }
            match self.undo() {
                Ok(()) => return,
                Err(error) if error.kind() == ErrorKind::Busy => {}
                Err(_) => {
                    attempts += 1;
                    if attempts == 10 {
                        // The journal stays; whatever runs next in the namespace tries again.
                        return;
                    }
                    std::thread::sleep(LOOK * attempts);
                }
            }
        }
    }

    /// Whether the journal is still the one that this process was started for.
    fn needed(&self) -> bool {
        self.folder.inode(journal::NAME).map(|(inode, _)| inode) == self.inode
    }

    fn undo(&self) -> Result<()> {
        let lock = Lock::take(&self.folder, LOCK, &Stop::default())?;
        if !self.needed() {
            return Ok(());
        }
        let mut kernel = (self.reopen.open)()?;
        // Whatever waits counts as too late: the deadline has passed, or this process has to go.
        let settled = settle(&mut *kernel, &self.folder, self.netns, u64::MAX)?;
        drop(lock);
        if let Some(undone) = &settled.undone {
            let (id, why) = (undone.id.unwrap_or_default(), undone.reason.as_deref().unwrap_or_default());
            self.say(&format!("transaction {id} is undone: {why}"));
            if let (Some(announce), Some((snapshot, owners))) =
                (self.reopen.announce, owners_after(&mut *kernel, undone))
            {
                // Peers learn the truth by themselves a little later.
                let _ = announce(&snapshot, &owners);
            }
        }
        Ok(())
    }

    /// Lets the terminal of whoever made the change know, and syslog; neither has to be there.
    fn say(&self, text: &str) {
        if let Ok(socket) = std::os::unix::net::UnixDatagram::unbound() {
            // A warning of a daemon (RFC 3164).
            let _ = socket.send_to(format!("<28>arpflux: {text}").as_bytes(), "/dev/log");
        }
        if let Some(terminal) = &self.terminal {
            let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
            let opened = std::fs::OpenOptions::new().write(true).custom_flags(flags).open(terminal);
            let _ = opened.and_then(|mut file| file.write_all(format!("\r\narpflux: {text}\r\n").as_bytes()));
        }
    }
}

/// Cuts every tie to the caller but the descriptors in `keep`.
fn detach(keep: &mut Vec<RawFd>) {
    // SAFETY: constants and a handler that only sets a flag.
    unsafe {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGPIPE, libc::SIGTSTP, libc::SIGCHLD]
        {
            libc::signal(signal, if signal == libc::SIGCHLD { libc::SIG_DFL } else { libc::SIG_IGN });
        }
        // A polite request to end (a shutdown, the end of a session) undoes at once: the safe side.
        libc::signal(libc::SIGTERM, on_terminate as *const () as libc::sighandler_t);
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        libc::chdir(c"/".as_ptr());
        libc::prctl(libc::PR_SET_NAME, c"arpflux-undo".as_ptr());
    }
    keep.sort();
    keep.dedup();
    let mut from: libc::c_uint = 3;
    for fd in keep.iter().filter_map(|fd| libc::c_uint::try_from(*fd).ok()) {
        if fd >= 3 {
            if fd > from {
                close_range(from, fd - 1);
            }
            from = fd + 1;
        }
    }
    close_range(from, libc::c_uint::MAX);
    let flags = libc::O_RDWR | libc::O_CLOEXEC;
    // SAFETY: constants; the three standard descriptors lead nowhere from here on.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), flags);
        for standard in (0..3).filter(|standard| !keep.contains(standard)) {
            if null >= 0 {
                libc::dup2(null, standard);
            } else {
                libc::close(standard);
            }
        }
        if null > 2 {
            drop(OwnedFd::from_raw_fd(null));
        }
    }
}

fn close_range(first: libc::c_uint, last: libc::c_uint) {
    // SAFETY: no descriptor in the range belongs to anything that this process uses.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, last, 0) != 0 {
            for fd in first..=last.min(65_535) {
                libc::close(fd as libc::c_int);
            }
        }
    }
}
