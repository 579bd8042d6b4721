//! The folder on disk: nothing in it is reached through a symbolic link, and nothing in it that belongs
//! to somebody else is believed.
//!
//! ```text
//! /run/arpflux/            0700
//!   ns-4026531840/         0700, one per network namespace, by the inode of its nsfs file
//!     lock                 0600, flock(2)
//!     inject               0600, the same, while a verification by frames is at work
//!     journal              0600, the transaction under way or waiting for confirmation
//!     history/0000000007   0600, the journal of a finished transaction: its receipt
//!     routine/0000000008   0600, the same, of one that the watch or containers' scripts made
//!     aside/…              0600, journals that were not understood, or of a boot or namespace that is gone
//! ```

mod files;

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::libc;
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use super::fault::{self, Call};
use crate::error::{Error, ErrorKind, Result};
use crate::persist::Owner;
use crate::snapshot::NetnsIdentity;

/// Where the state lives unless the caller says otherwise.
pub const DEFAULT: &str = "/run/arpflux";

const FOLDER: Mode = Mode::S_IRWXU;
const FILE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// Says what to do about a folder that cannot be used.
const HINT: &str = "run as root, or name a folder of your own for arpflux's state (ARPFLUX_STATE_DIR)";

/// A number of the C library that has 32 bits on some machines.
pub(super) fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

/// A folder, held open; all names in it are looked up relative to it.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// The folder that holds the state of all namespaces: `path`, or the default place of this user.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] if it cannot be made, [`ErrorKind::Refused`] if it is a symbolic
    /// link, belongs to somebody else, or others may write to it.
    pub(crate) fn state(path: Option<&Path>) -> Result<Self> {
        match Self::chosen(path, true)? {
            Some(folder) => Ok(folder),
            None => Err(Error::os("open state folder", DEFAULT, libc::ENOENT)),
        }
    }

    /// The folder of a namespace for somebody who only reads: nothing is made. `None` if nothing was ever done there.
    ///
    /// # Errors
    /// As [`Folder::state`].
    pub(crate) fn look(path: Option<&Path>, netns: &NetnsIdentity) -> Result<Option<Self>> {
        match Self::chosen(path, false)? {
            Some(state) => state.existing(&of_namespace(netns)),
            None => Ok(None),
        }
    }

    /// Where the folder of a namespace is, or will be, for messages; nothing is looked at.
    pub(crate) fn place(path: Option<&Path>, netns: &NetnsIdentity) -> PathBuf {
        let named = || std::env::var_os("ARPFLUX_STATE_DIR").filter(|path| !path.is_empty());
        let state = path.map(Path::to_path_buf).or_else(|| named().map(PathBuf::from));
        state.unwrap_or_else(|| DEFAULT.into()).join(of_namespace(netns))
    }

    /// The folder of `path`, or of this user; `None` if it is not there and is not to be made.
    fn chosen(path: Option<&Path>, make: bool) -> Result<Option<Self>> {
        let named = || std::env::var_os("ARPFLUX_STATE_DIR").filter(|path| !path.is_empty());
        if let Some(path) = path.map(Path::to_path_buf).or_else(|| named().map(PathBuf::from)) {
            return Self::root(&path, make);
        }
        match Self::root(Path::new(DEFAULT), make) {
            // An ordinary user, or root of a user namespace only: the folder of the session, if there is one.
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied || error.errno() == Some(libc::EROFS) =>
            {
                let session = match std::env::var_os("XDG_RUNTIME_DIR") {
                    Some(runtime) if Path::new(&runtime).is_absolute() => {
                        Self::root(&Path::new(&runtime).join("arpflux"), make)?
                    }
                    _ => None,
                };
                session.map(Some).ok_or_else(|| error.hint(HINT))
            }
            other => other,
        }
    }

    /// Opens `path` from the root of the file system downwards, making folders that are missing if that is meant.
    fn root(path: &Path, make: bool) -> Result<Option<Self>> {
        let refused =
            |why: &str| Err(Error::new(ErrorKind::InvalidInput, why).during("open state folder").on(path));
        if !path.is_absolute() {
            return refused("the path is not absolute");
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut at = Self {
            fd: nix::fcntl::open("/", flags, Mode::empty())
                .map_err(|errno| Error::os("open", "/", errno as i32))?,
            path: PathBuf::from("/"),
        };
        let mut names = path.components().peekable();
        while let Some(name) = names.next() {
            match name {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name)
                    if !make && fstatat(&at.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW) == Err(Errno::ENOENT) =>
                {
                    return Ok(None);
                }
                Component::Normal(name) if names.peek().is_none() => {
                    return at.folder(Path::new(name)).map(Some);
                }
                Component::Normal(name) => {
                    let path = at.path.join(name);
                    let made = at.open_folder(Path::new(name), flags);
                    let fd = made.map_err(|errno| not_a_folder(&path, errno))?;
                    at = Self { fd, path };
                    at.check_above()?;
                }
                _ => return refused("the path contains .."),
            }
        }
        refused("the root folder cannot be used")
    }

    /// The folder of one namespace, made if it is missing.
    ///
    /// # Errors
    /// As [`Folder::state`].
    pub(crate) fn namespace(&self, netns: &NetnsIdentity) -> Result<Self> {
        self.folder(Path::new(&of_namespace(netns)))
    }

    /// Opens a folder in this one that is there; `None` if there is none.
    ///
    /// # Errors
    /// As [`Folder::state`].
    pub(crate) fn existing(&self, name: &str) -> Result<Option<Self>> {
        match self.inode(name) {
            Some(_) => self.folder(Path::new(name)).map(Some),
            None => Ok(None),
        }
    }

    /// Whether it still has a name: somebody may have removed it since it was opened.
    pub(crate) fn is_linked(&self) -> bool {
        fstat(&self.fd).is_ok_and(|stat| stat.st_nlink > 0)
    }

    /// Removes an empty folder in this one.
    ///
    /// # Errors
    /// Any failure to.
    pub(crate) fn remove_folder(&self, name: &str) -> Result<()> {
        fault::around(Call::Remove, || unlinkat(&self.fd, name, UnlinkatFlags::RemoveDir))
            .map_err(|errno| self.os("remove", name, errno))
    }

    /// When a file in this folder was last written, in seconds since 1970.
    pub(crate) fn written(&self, name: &str) -> Option<u64> {
        let stat = fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
        Some(wide(stat.st_mtime.unsigned_abs()))
    }

    /// A folder in this one, of our own, made if it is missing.
    ///
    /// # Errors
    /// As [`Folder::state`].
    pub(crate) fn folder(&self, name: &Path) -> Result<Self> {
        let path = self.path.join(name);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = self.open_folder(name, flags).map_err(|errno| not_a_folder(&path, errno))?;
        let folder = Self { fd, path };
        let stat = folder.stat_of(folder.fd.as_fd(), &folder.path)?;
        folder.check_owner(&stat, &folder.path)?;
        Ok(folder)
    }

    fn open_folder(&self, name: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let open = || fault::around(Call::Open, || openat(&self.fd, name, flags, Mode::empty()));
        match open() {
            Err(Errno::ENOENT) => {
                match fault::around(Call::MakeFolder, || mkdirat(&self.fd, name, FOLDER)) {
                    // Somebody was quicker; its owner is checked below.
                    Ok(()) | Err(Errno::EEXIST) => open(),
                    Err(errno) => Err(errno),
                }
            }
            other => other,
        }
    }

    fn stat_of(&self, fd: BorrowedFd<'_>, path: &Path) -> Result<FileStat> {
        fstat(fd).map_err(|errno| Error::os("look at", path.display().to_string(), errno as i32))
    }

    /// Whoever may rename what is in a folder above could put another state folder in the place of this one.
    fn check_above(&self) -> Result<()> {
        let stat = self.stat_of(self.fd.as_fd(), &self.path)?;
        let owner = Owner { user: stat.st_uid, mode: stat.st_mode, is_folder: true };
        match owner.other_than(geteuid().as_raw()) {
            None => Ok(()),
            Some(who) => Err(Error::new(ErrorKind::Refused, format!("{who} may rename what is in it"))
                .during("open state folder")
                .on(self.path.as_path())
                .hint("name a folder that only you can write, and all folders above it (ARPFLUX_STATE_DIR)")),
        }
    }

    /// Only what this user alone may write is believed.
    fn check_owner(&self, stat: &FileStat, path: &Path) -> Result<()> {
        let refused = |why: String| {
            Err(Error::new(ErrorKind::Refused, why)
                .during("open")
                .on(path)
                .hint("nothing of it was used; remove it, or name another state folder (ARPFLUX_STATE_DIR)"))
        };
        if stat.st_uid != geteuid().as_raw() {
            return refused(format!("it belongs to user {}, not to user {}", stat.st_uid, geteuid()));
        }
        if stat.st_mode & 0o022 != 0 {
            return refused(format!(
                "others may write to it (mode {:o}, expected no write permission for them)",
                stat.st_mode & 0o7777
            ));
        }
        if stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits() && stat.st_nlink > 1 {
            return refused("it has a second name (hard link)".into());
        }
        Ok(())
    }

    /// Where a name in this folder is.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// This folder's own descriptor, for handing it to a process of ours.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// A second handle on the same folder.
    ///
    /// # Errors
    /// If there are no more descriptors.
    pub(crate) fn again(&self) -> Result<Self> {
        let fd = self.fd.try_clone().map_err(|error| Error::io("open", self.path_of(""), &error))?;
        Ok(Self { fd, path: self.path.clone() })
    }

    fn os(&self, operation: &'static str, name: &str, errno: Errno) -> Error {
        let path = self.path_of(name);
        match errno {
            Errno::ELOOP | Errno::ENOTDIR | Errno::EISDIR | Errno::ENXIO => {
                Error::new(ErrorKind::Refused, "it is not a plain file; links are not followed")
                    .during(operation)
                    .on(path)
                    .hint("remove it, or name another state folder (ARPFLUX_STATE_DIR)")
            }
            Errno::EROFS | Errno::EACCES | Errno::EPERM => {
                Error::os(operation, path, errno as i32).hint(HINT)
            }
            _ => Error::os(operation, path, errno as i32),
        }
    }
}

fn of_namespace(netns: &NetnsIdentity) -> String {
    format!("ns-{}", netns.inode)
}

fn not_a_folder(path: &Path, errno: Errno) -> Error {
    let name = path.as_os_str().as_bytes().escape_ascii().to_string();
    match errno {
        Errno::ELOOP | Errno::ENOTDIR => {
            Error::new(ErrorKind::Refused, "it is not a folder; symbolic links are not followed")
                .during("open state folder")
                .on(name)
                .hint(
                    "give the real path (ARPFLUX_STATE_DIR), for example /run/arpflux, not /var/run/arpflux",
                )
        }
        _ => Error::os("open state folder", name, errno as i32).hint(HINT),
    }
}
