//! A file as it was and as it shall be, changed in one step.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::{self, Mode};
use nix::unistd::{self, UnlinkatFlags};
use serde::{Deserialize, Serialize};

use super::root::{self, Root};
use crate::apply::fault::{self, Call};
use crate::error::{Error, ErrorKind, Result};

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum FileState {
    /// Nothing.
    Absent,
    /// A file.
    Regular {
        /// Its text.
        text: String,
        /// Its permission bits, such as `0o644`.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points, as it is written.
        target: PathBuf,
    },
}

impl FileState {
    pub(super) fn text(text: impl Into<String>, mode: u32) -> Self {
        Self::Regular { text: text.into(), mode }
    }

    /// Reads what is at `path` on this host, without following a link there.
    ///
    /// # Errors
    /// If it cannot be read, is neither file nor link, is over 1 MiB or not UTF-8.
    pub fn read(path: &Path) -> Result<Self> {
        Root::open(Path::new("/"))?.read(path)
    }
}

/// Writes a whole file: beside the old one, synced, and renamed over it, so that whoever reads it sees the
/// old text or the new one. Missing folders are made.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if something else than a file is there: a device, a pipe or a link such as
/// `/dev/stdout` would be gone afterwards. Any failure to write; the old file stays then.
pub fn replace(path: &Path, text: &str, mode: u32) -> Result<()> {
    let named = |error: &io::Error| Error::file("write", path, error);
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => {
            return Err(Error::new(ErrorKind::InvalidInput, "something else than a file is there")
                .during("write")
                .on(path)
                .hint(
                    "name a file; it is replaced whole, which a device, a link or a folder would not survive",
                ));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(named(&error)),
        _ => {}
    }
    let whole = std::path::absolute(path).map_err(|error| named(&error))?;
    let change = FileChange::new(whole, FileState::Absent, FileState::text(text, mode));
    change.replace(&Root::open(Path::new("/"))?).map_err(|error| named(&error))
}

/// A file that becomes another, is made or goes. Carries what was there, so that it can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FileChange {
    /// The path, absolute, with the root in front.
    pub path: PathBuf,
    /// What is there now.
    pub before: FileState,
    /// What shall be there.
    pub after: FileState,
    /// The folder that stands for `/`: no link below it is followed out of it.
    #[serde(default = "slash", skip_serializing_if = "is_slash")]
    pub root: PathBuf,
}

fn slash() -> PathBuf {
    PathBuf::from("/")
}

fn is_slash(path: &Path) -> bool {
    path == Path::new("/")
}

impl FileChange {
    /// A change of a file of this host.
    #[must_use]
    pub fn new(path: PathBuf, before: FileState, after: FileState) -> Self {
        Self { path, before, after, root: slash() }
    }

    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self { before: self.after.clone(), after: self.before.clone(), ..self.clone() }
    }

    /// What is at the path now.
    ///
    /// # Errors
    /// As [`FileState::read`], and if the root is gone.
    pub fn now(&self) -> Result<FileState> {
        Root::open(&self.root)?.read(&self.path)
    }

    /// Makes the change: the new content is written beside the old, synced, and renamed over it, so
    /// that at every moment one of the two is there whole. The new file belongs to whom the old one did.
    ///
    /// Folders that are missing are made (and stay, when the change is undone).
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] if something else than [`FileChange::before`] or [`FileChange::after`]
    /// is there; [`ErrorKind::InvalidData`] if it asks for a mode beyond `0o777`, which nothing of arpflux's
    /// has; any failure to write.
    pub fn make(&self) -> Result<()> {
        if let FileState::Regular { mode, .. } = &self.after
            && mode & !0o777 != 0
        {
            return Err(Error::new(ErrorKind::InvalidData, format!("mode {mode:o} is refused"))
                .during("write")
                .on(self.path.as_path())
                .hint(
                    "set-user-ID, set-group-ID and sticky bits are never written; look at the file by hand",
                ));
        }
        let root = Root::open(&self.root)?;
        let now = root.read(&self.path)?;
        if now == self.after {
            return Ok(());
        }
        if now != self.before {
            return Err(Error::new(ErrorKind::Changed, "somebody else changed the file meanwhile")
                .during("write")
                .on(self.path.as_path())
                .hint("look at the file, then try again"));
        }
        if self.after == FileState::Absent { self.remove(&root) } else { self.replace(&root) }
            .map_err(|error| self.failed(&error))
    }

    /// Removes what a crash may have left of [`FileChange::make`] beside the file.
    ///
    /// # Errors
    /// Any failure to remove it.
    pub(crate) fn tidy(&self) -> Result<()> {
        let tidied = match Root::open(&self.root)?.parent(&self.path) {
            Ok((folder, name)) => remove_if_there(&folder, &temporary(name)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        tidied.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Error {
        let failed = Error::file("write", &self.path, error);
        match failed.kind() {
            ErrorKind::PermissionDenied => {
                failed.hint("run as a user who may write the host's files (root), or without persisting")
            }
            _ => failed,
        }
    }

    fn remove(&self, root: &Root) -> io::Result<()> {
        let (folder, name) = root.parent(&self.path)?;
        met(Call::Remove, || unlink(&folder, name))?;
        met(Call::Sync, || root::sync(&folder))
    }

    fn replace(&self, root: &Root) -> io::Result<()> {
        make_folders(root, self.path.parent().unwrap_or(Path::new("/")))?;
        let (folder, name) = root.parent(&self.path)?;
        let temporary = temporary(name);
        remove_if_there(&folder, &temporary)?;
        let written = self.write_to(&folder, &temporary, name).and_then(|()| {
            met(Call::Rename, || Ok(fcntl::renameat(&folder, temporary.as_os_str(), &folder, name)?))
        });
        if written.is_err() {
            // The failure to write is what matters; the leftover is harmless.
            let _ = remove_if_there(&folder, &temporary);
        }
        written?;
        met(Call::Sync, || root::sync(&folder))
    }

    fn write_to(&self, folder: &OwnedFd, temporary: &OsStr, name: &OsStr) -> io::Result<()> {
        match &self.after {
            FileState::Absent => Ok(()),
            FileState::Link { target } => {
                met(Call::Open, || Ok(unistd::symlinkat(target.as_os_str(), folder, temporary)?))
            }
            FileState::Regular { text, mode } => {
                let flags =
                    OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let mode = Mode::from_bits_truncate(*mode);
                let file = met(Call::Open, || Ok(fcntl::openat(folder, temporary, flags, mode)?))?;
                if let Ok(Some(old)) = root::status(folder, name) {
                    // Only root can, and only where it matters.
                    let _ = std::os::unix::fs::fchown(&file, Some(old.st_uid), Some(old.st_gid));
                }
                let mut rest = text.as_bytes();
                while !rest.is_empty() {
                    match fault::write(rest, |part| nix::unistd::write(&file, part)) {
                        Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                        Ok(count) => rest = &rest[count..],
                        Err(Errno::EINTR) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                }
                // The mode given to open() is less the umask.
                stat::fchmod(&file, mode)?;
                met(Call::Sync, || File::from(file).sync_all())
            }
        }
    }
}

/// A leading dot and no known ending: no manager reads it if a crash leaves it behind, and the fixed name means
/// that the next attempt replaces it.
fn temporary(name: &OsStr) -> OsString {
    format!(".{}.arpflux-new", name.to_string_lossy()).into()
}

impl fmt::Display for FileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match (&self.before, &self.after) {
            (_, FileState::Absent) => "remove",
            (FileState::Absent, FileState::Regular { .. }) => "write",
            (FileState::Absent, FileState::Link { .. }) => "link",
            _ => "rewrite",
        };
        write!(f, "{verb} {}", self.path.display())
    }
}

/// A call that can meet a fault.
fn met<T>(call: Call, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let errno = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    fault::around(call, || work().map_err(errno)).map_err(io::Error::from)
}

fn unlink(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    Ok(unistd::unlinkat(folder, name, UnlinkatFlags::NoRemoveDir)?)
}

fn remove_if_there(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match met(Call::Remove, || unlink(folder, name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a folder and those above it that are missing, each synced into the one that holds it.
fn make_folders(root: &Root, folder: &Path) -> io::Result<()> {
    match root.folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other.map(drop),
    }
    make_folders(root, folder.parent().unwrap_or(Path::new("/")))?;
    let (above, name) = root.parent(folder)?;
    let made = met(Call::MakeFolder, || Ok(stat::mkdirat(&above, name, Mode::from_bits_truncate(0o777))?));
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    met(Call::Sync, || root::sync(&above))
}
