//! Network namespaces, by name, path or process.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::libc;
use nix::sched::{CloneFlags, setns};

use crate::error::{Error, ErrorKind, Result, Subject};
use crate::stop::signals::Attentive;

/// Where `ip netns` keeps the names.
const NAMES: &str = "/run/netns";

/// A handle on a network namespace, which lives at least as long as the handle.
#[derive(Debug)]
pub struct Netns {
    file: File,
    label: String,
    /// Where it was opened, unless that means another one for each who looks.
    path: Option<PathBuf>,
}

impl Netns {
    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// Any failure to open `/proc/thread-self/ns/net`.
    pub fn current() -> Result<Self> {
        Self::open("/proc/thread-self/ns/net".as_ref(), "this namespace".into())
    }

    /// A namespace that `ip netns add` named.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if `name` is not a single file name, [`ErrorKind::NotFound`] if
    /// there is none of that name.
    pub fn named(name: &str) -> Result<Self> {
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(Error::new(ErrorKind::InvalidInput, "not the name of a namespace")
                .on(format!("{name:?}"))
                .hint("`ip netns list` shows the names; give a path with at least one slash for any other"));
        }
        Self::open(&Path::new(NAMES).join(name), format!("namespace {name}")).map_err(|error| {
            match error.kind() {
                ErrorKind::NotFound => error.hint("`ip netns list` shows the names"),
                _ => error,
            }
        })
    }

    /// The namespace behind a path such as `/proc/1234/ns/net`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such file, [`ErrorKind::InvalidInput`] if it is no
    /// network namespace.
    pub fn at(path: &Path) -> Result<Self> {
        Self::open(path, path.display().to_string())
    }

    /// The namespace of a process.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such process, [`ErrorKind::PermissionDenied`] if it
    /// belongs to somebody else.
    pub fn of_process(pid: u32) -> Result<Self> {
        Self::open(Path::new(&format!("/proc/{pid}/ns/net")), format!("namespace of process {pid}"))
    }

    /// A new, empty namespace. It ends when the last handle, socket and process in it are gone;
    /// nothing else refers to it.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `CAP_SYS_ADMIN` in the user namespace.
    pub fn create(label: impl Into<String>) -> Result<Self> {
        let label = label.into();
        std::thread::scope(|scope| {
            let maker = scope.spawn(|| {
                nix::sched::unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| {
                    Error::os("make network namespace", label.clone(), errno as i32)
                        .hint("run as root, or below `unshare -rn`")
                })?;
                Self::open("/proc/thread-self/ns/net".as_ref(), label.clone())
            });
            match maker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// The namespace that a descriptor stands for: its own file, or any socket, which belongs to the
    /// namespace it was made in. The descriptor stays open.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is neither; [`ErrorKind::PermissionDenied`] for a socket
    /// without `CAP_NET_ADMIN` in its namespace.
    pub fn of_descriptor(fd: BorrowedFd<'_>) -> Result<Self> {
        // SIOCGSKNS (include/uapi/linux/sockios.h).
        const SIOCGSKNS: libc::Ioctl = 0x894c;
        let label = format!("namespace of descriptor {}", fd.as_raw_fd());
        let stat =
            nix::sys::stat::fstat(fd).map_err(|errno| Error::os("look at", label.clone(), errno as i32))?;
        let file = if stat.st_mode & libc::S_IFMT == libc::S_IFSOCK {
            // SAFETY: the descriptor is open, and this request takes no argument.
            let namespace = unsafe { libc::ioctl(fd.as_raw_fd(), SIOCGSKNS) };
            let namespace = nix::errno::Errno::result(namespace)
                .map_err(|errno| Error::os("open network namespace", label.clone(), errno as i32))?;
            // SAFETY: the call has just made this descriptor, and nobody else has it.
            File::from(unsafe { std::os::fd::OwnedFd::from_raw_fd(namespace) })
        } else {
            let again = fd.try_clone_to_owned();
            File::from(again.map_err(|error| Error::io("open network namespace", label.clone(), &error))?)
        };
        Self::checked(file, &label.clone(), label)
    }

    fn open(path: &Path, label: String) -> Result<Self> {
        let file = File::open(path).map_err(|error| {
            let name = Subject::Namespace(path.display().to_string());
            Error::file("open network namespace", path, &error).on(name)
        })?;
        let netns = Self::checked(file, &path.display().to_string(), label)?;
        let path = (!path.starts_with("/proc")).then(|| path.to_owned());
        Ok(Self { path, ..netns })
    }

    /// The handle, if the file is one of a network namespace.
    fn checked(file: File, name: &str, label: String) -> Result<Self> {
        const NSFS_MAGIC: i64 = 0x6e73_6673;
        // `_IO` says "no argument" by a bit on some architectures (their asm/ioctl.h). With a number that lacks it, each
        // namespace would seem to be of another kind.
        const NO_ARGUMENT: u32 = if cfg!(any(
            target_arch = "mips",
            target_arch = "mips64",
            target_arch = "powerpc",
            target_arch = "powerpc64",
            target_arch = "sparc",
            target_arch = "sparc64"
        )) {
            1 << 29
        } else {
            0
        };
        const _: () = assert!(libc::NS_GET_NSTYPE as u32 == NO_ARGUMENT | 0xb703);
        let kind = nix::sys::statfs::fstatfs(&file)
            .map_err(|errno| Error::os("look at", name.to_owned(), errno as i32))?
            .filesystem_type();
        if kind.0 as i64 != NSFS_MAGIC {
            return Err(Error::new(ErrorKind::InvalidInput, "it is not a namespace file")
                .during("open network namespace")
                .on(Subject::Namespace(name.to_owned()))
                .hint("give /proc/PID/ns/net or a name that `ip netns list` shows"));
        }
        // A namespace of another kind is only told apart by asking (ioctl_ns(2)).
        // SAFETY: the descriptor is open, and this request takes no argument.
        let kind = unsafe { libc::ioctl(file.as_raw_fd(), libc::NS_GET_NSTYPE) };
        if kind != libc::CLONE_NEWNET {
            return Err(Error::new(ErrorKind::InvalidInput, "it is a namespace, but not of the network")
                .during("open network namespace")
                .on(Subject::Namespace(name.to_owned()))
                .hint("give /proc/PID/ns/net or a name that `ip netns list` shows"));
        }
        Ok(Self { file, label, path: None })
    }

    /// Another handle on the same namespace.
    ///
    /// # Errors
    /// If no more files can be opened.
    pub fn try_clone(&self) -> Result<Self> {
        let file = self.file.try_clone().map_err(|error| Error::io("open", self.label.clone(), &error))?;
        Ok(Self { file, label: self.label.clone(), path: self.path.clone() })
    }

    /// Whether the name under which it was opened is gone, or means another one by now: who deleted it wants it to end,
    /// which it does when the last handle is closed. Never of one that was opened below `/proc`.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let Some(path) = &self.path else { return false };
        let (Ok(own), Ok(named)) = (nix::sys::stat::fstat(&self.file), nix::sys::stat::stat(path)) else {
            return true;
        };
        (own.st_dev, own.st_ino) != (named.st_dev, named.st_ino)
    }

    /// What to call it in messages.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Runs `work` on a thread of its own inside the namespace; the caller's thread stays where it is.
    ///
    /// Sockets, and folders below `/proc/sys/net`, that `work` opens keep belonging to the namespace.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] if the namespace may not be entered.
    ///
    /// # Panics
    /// Where `work` does.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R> {
        let mut result = None;
        // One thread function serves all kinds of work: the code to start one is large.
        self.run_inside(Box::new(|| result = Some(work())))?;
        result.ok_or_else(|| Error::new(ErrorKind::Internal, "the thread ended without a result"))
    }

    fn run_inside(&self, work: Box<dyn FnOnce() + Send + '_>) -> Result<()> {
        // Before the thread begins: it inherits that signals are blocked, and leaves them to the caller's.
        let attentive = match Attentive::here() {
            Some(attentive) => {
                let pipe = nix::unistd::pipe2(OFlag::O_CLOEXEC);
                Some((attentive, pipe.map_err(|errno| Error::os("make", "a pipe", errno as i32))?))
            }
            None => None,
        };
        let (attentive, held) = attentive.map(|(attentive, (end, held))| ((attentive, end), held)).unzip();
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().name("arpflux-netns".into());
            let inside = builder.spawn_scoped(scope, move || {
                let _held = held;
                // Entering the namespace one is in already needs no capability.
                if !self.is_current()? {
                    setns(&self.file, CloneFlags::CLONE_NEWNET)
                        .map_err(|errno| Error::os("enter", self.label.clone(), errno as i32))?;
                }
                work();
                Ok(())
            });
            let inside =
                inside.map_err(|error| Error::io("start a thread to enter", self.label.clone(), &error))?;
            if let Some((attentive, end)) = &attentive {
                attentive.until_closed(end);
            }
            match inside.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Whether the calling thread is in it.
    pub(crate) fn is_current(&self) -> Result<bool> {
        let stat = |what: &str, result: nix::Result<nix::libc::stat>| {
            result.map_err(|errno| Error::os("look at", what, errno as i32))
        };
        let own = stat("/proc/thread-self/ns/net", nix::sys::stat::stat("/proc/thread-self/ns/net"))?;
        let this = stat(&self.label, nix::sys::stat::fstat(&self.file))?;
        Ok((own.st_dev, own.st_ino) == (this.st_dev, this.st_ino))
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
