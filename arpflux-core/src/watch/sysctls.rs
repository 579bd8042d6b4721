//! Writes to `/proc/sys/net/ipv4/conf`, by anybody who sees that tree, as they happen.
//!
//! inotify reports a write to a file below `/proc/sys` like one to any other file, also where the
//! value did not change. Values set through netlink are not reported: they need polling.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use crate::error::{Error, ErrorKind, Result};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IfName};

/// One folder of `net.ipv4.conf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Folder {
    /// `all`.
    All,
    /// `default`.
    Default,
    /// An interface's; one made anew under its old name has another number, and another folder.
    Interface {
        /// Its number.
        index: IfIndex,
        /// Its name.
        name: IfName,
    },
}

/// What [`SysctlWatch::read`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SysctlEvent {
    /// Somebody wrote this sysctl, perhaps the value that it had.
    Written(Folder, Sysctl),
    /// The kernel's queue overflowed: anything may have been written.
    Lost,
}

/// Watches the folders of interfaces. One descriptor that is readable when there is news.
#[derive(Debug)]
pub struct SysctlWatch {
    inotify: Inotify,
    folders: HashMap<WatchDescriptor, Folder>,
    watched: HashMap<Folder, WatchDescriptor>,
}

impl SysctlWatch {
    /// A watch on nothing yet.
    ///
    /// # Errors
    /// Any failure to make an inotify descriptor (there is a limit for each user,
    /// `fs.inotify.max_user_instances`).
    pub fn new() -> Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(|errno| {
            let error = Error::os("watch", "sysctls", errno as i32);
            if errno == nix::Error::EMFILE {
                return error.hint("raise fs.inotify.max_user_instances");
            }
            error
        })?;
        Ok(Self { inotify, folders: HashMap::new(), watched: HashMap::new() })
    }

    /// Watches exactly the folders `wanted`: adds what is missing, drops what is not named. A folder that
    /// is gone is left out.
    ///
    /// Must be called by a thread inside the namespace: for every other namespace the kernel makes
    /// inodes of its own (`proc_sys_compare()`), on which nothing ever happens.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where the limit of watches is reached.
    pub fn follow(&mut self, wanted: &[Folder]) -> Result<()> {
        let keep: HashSet<&Folder> = wanted.iter().collect();
        let gone: Vec<Folder> =
            self.watched.keys().filter(|folder| !keep.contains(folder)).copied().collect();
        for folder in gone {
            if let Some(descriptor) = self.watched.remove(&folder) {
                self.folders.remove(&descriptor);
                // Of an interface that is gone the watch may be gone as well.
                let _ = self.inotify.rm_watch(descriptor);
            }
        }
        // Also where there is a watch: an interface that was renamed and back has another folder of the same name.
        wanted.iter().try_for_each(|folder| self.add(*folder))
    }

    fn add(&mut self, folder: Folder) -> Result<()> {
        let name: &[u8] = match &folder {
            Folder::All => b"all",
            Folder::Default => b"default",
            Folder::Interface { name, .. } => name.as_bytes(),
        };
        let path = Path::new("/proc/sys/net/ipv4/conf").join(std::ffi::OsStr::from_bytes(name));
        let flags = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_ONLYDIR | AddWatchFlags::IN_DONT_FOLLOW;
        match self.inotify.add_watch(&path, flags) {
            Ok(descriptor) => {
                self.folders.insert(descriptor, folder);
                let former = self.watched.insert(folder, descriptor);
                if let Some(former) = former.filter(|former| *former != descriptor) {
                    self.folders.remove(&former);
                    let _ = self.inotify.rm_watch(former);
                }
                Ok(())
            }
            Err(nix::Error::ENOENT | nix::Error::ENOTDIR) => Ok(()),
            Err(errno) => {
                let error = Error::os(
                    "watch the sysctls of",
                    String::from_utf8_lossy(name).into_owned(),
                    errno as i32,
                );
                if errno == nix::Error::ENOSPC {
                    return Err(error
                        .with_kind(ErrorKind::Io)
                        .hint("raise fs.inotify.max_user_watches: one watch for each interface is needed"));
                }
                Err(error)
            }
        }
    }

    /// What was written since the last call, each sysctl once. Does not wait.
    ///
    /// # Errors
    /// Any failure to read the descriptor.
    pub fn read(&self) -> Result<Vec<SysctlEvent>> {
        let mut events = Vec::new();
        loop {
            let batch = match self.inotify.read_events() {
                Ok(batch) => batch,
                Err(nix::Error::EAGAIN) => return Ok(events),
                Err(nix::Error::EINTR) => continue,
                Err(errno) => return Err(Error::os("watch", "sysctls", errno as i32)),
            };
            for event in batch {
                let found = if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    Some(SysctlEvent::Lost)
                } else {
                    let sysctl = event.name.as_deref().and_then(|name| name.to_str()?.parse::<Sysctl>().ok());
                    let folder = self.folders.get(&event.wd).copied();
                    folder.zip(sysctl).map(|(folder, sysctl)| SysctlEvent::Written(folder, sysctl))
                };
                if let Some(found) = found
                    && !events.contains(&found)
                {
                    events.push(found);
                }
            }
        }
    }
}

impl AsFd for SysctlWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
