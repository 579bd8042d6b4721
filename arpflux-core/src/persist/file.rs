//! A file as it was and as it shall be, changed in one step.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::apply::fault::{self, Call};
use crate::error::{Error, ErrorKind, Result};
use crate::json::{need, none_left};

/// No file of a manager is larger.
const LARGEST: u64 = 1 << 20;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", try_from = "Fields")]
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

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Absent,
    Regular,
    Link,
}

/// How it is read: all fields of all kinds, as `plan::read` explains.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    is: Kind,
    text: Option<String>,
    mode: Option<u32>,
    target: Option<PathBuf>,
}

impl TryFrom<Fields> for FileState {
    type Error = String;

    fn try_from(mut fields: Fields) -> std::result::Result<Self, String> {
        let state = match fields.is {
            Kind::Absent => Self::Absent,
            Kind::Regular => {
                Self::Regular { text: need(&mut fields.text, "text")?, mode: need(&mut fields.mode, "mode")? }
            }
            Kind::Link => Self::Link { target: need(&mut fields.target, "target")? },
        };
        none_left(&[
            ("text", fields.text.is_some()),
            ("mode", fields.mode.is_some()),
            ("target", fields.target.is_some()),
        ])?;
        Ok(state)
    }
}

impl FileState {
    pub(super) fn text(text: impl Into<String>, mode: u32) -> Self {
        Self::Regular { text: text.into(), mode }
    }

    /// Reads what is at `path`, without following a link there.
    ///
    /// # Errors
    /// If it cannot be read, is neither file nor link, is over 1 MiB or not UTF-8.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |error: &std::io::Error| Error::io("read", path.display().to_string(), error);
        let odd = |what: &str| {
            Error::new(ErrorKind::InvalidData, what.to_owned()).during("read").on(path.display().to_string())
        };
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
                return Ok(Self::Absent);
            }
            Err(error) => return Err(failed(&error)),
        };
        if metadata.is_symlink() {
            return Ok(Self::Link { target: fs::read_link(path).map_err(|error| failed(&error))? });
        }
        if !metadata.is_file() {
            return Err(odd("it is neither a file nor a symbolic link"));
        }
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| failed(&error))?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        if bytes.len() as u64 > LARGEST {
            return Err(odd("it is larger than 1 MiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| odd("it is not UTF-8 text"))?;
        Ok(Self::Regular { text, mode: metadata.mode() & 0o7777 })
    }
}

/// Writes a whole file: beside the old one, synced, and renamed over it, so that whoever reads it sees the
/// old text or the new one. Missing folders are made.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if something else than a file is there: a device, a pipe or a link such as
/// `/dev/stdout` would be gone afterwards. Any failure to write; the old file stays then.
pub fn replace(path: &Path, text: &str, mode: u32) -> Result<()> {
    let named = |error: &io::Error| Error::io("write", path.display().to_string(), error);
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => {
            return Err(Error::new(ErrorKind::InvalidInput, "something else than a file is there")
                .during("write")
                .on(path.display().to_string())
                .hint(
                    "name a file; it is replaced whole, which a device, a link or a folder would not survive",
                ));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(named(&error)),
        _ => {}
    }
    let whole = std::path::absolute(path).map_err(|error| named(&error))?;
    let change = FileChange { path: whole, before: FileState::Absent, after: FileState::text(text, mode) };
    change.replace().and_then(|()| sync_folder(change.folder())).map_err(|error| named(&error))
}

/// A file that becomes another, is made or goes. Carries what was there, so that it can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileChange {
    /// The path, absolute.
    pub path: PathBuf,
    /// What is there now.
    pub before: FileState,
    /// What shall be there.
    pub after: FileState,
}

impl FileChange {
    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self { path: self.path.clone(), before: self.after.clone(), after: self.before.clone() }
    }

    /// Makes the change: the new content is written beside the old, synced, and renamed over it, so
    /// that at every moment one of the two is there whole. The new file belongs to whom the old one did.
    ///
    /// Folders that are missing are made (and stay, when the change is undone).
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] if something else than [`FileChange::before`] or [`FileChange::after`]
    /// is there; any failure to write.
    pub fn make(&self) -> Result<()> {
        let now = FileState::read(&self.path)?;
        if now == self.after {
            return Ok(());
        }
        if now != self.before {
            return Err(Error::new(ErrorKind::Changed, "somebody else changed the file meanwhile")
                .during("write")
                .on(self.path.display().to_string())
                .hint("look at the file, then try again"));
        }
        let written = if self.after == FileState::Absent {
            met(Call::Remove, || fs::remove_file(&self.path))
        } else {
            self.replace()
        };
        written.and_then(|()| sync_folder(self.folder())).map_err(|error| self.failed(&error))
    }

    /// Removes what a crash may have left of [`FileChange::make`] beside the file.
    ///
    /// # Errors
    /// Any failure to remove it.
    pub(crate) fn tidy(&self) -> Result<()> {
        remove_if_there(&self.temporary()).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Error {
        let failed = Error::io("write", self.path.display().to_string(), error);
        match failed.kind() {
            ErrorKind::PermissionDenied => {
                failed.hint("run as a user who may write the host's files (root), or without persisting")
            }
            _ => failed,
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    fn temporary(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        // A leading dot and no known ending: no manager reads it if a crash leaves it behind, and the fixed
        // name means that the next attempt replaces it.
        self.folder().join(format!(".{name}.arpflux-new"))
    }

    fn replace(&self) -> io::Result<()> {
        make_folders(self.folder())?;
        let temporary = self.temporary();
        remove_if_there(&temporary)?;
        let written =
            self.write_to(&temporary).and_then(|()| met(Call::Rename, || fs::rename(&temporary, &self.path)));
        if written.is_err() {
            // The failure to write is what matters; the leftover is harmless.
            let _ = remove_if_there(&temporary);
        }
        written
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        match &self.after {
            FileState::Absent => Ok(()),
            FileState::Link { target } => met(Call::Open, || std::os::unix::fs::symlink(target, path)),
            FileState::Regular { text, mode } => {
                let file = met(Call::Open, || {
                    let mut options = OpenOptions::new();
                    options.write(true).create_new(true).mode(*mode).custom_flags(libc::O_NOFOLLOW).open(path)
                })?;
                if let Ok(old) = fs::symlink_metadata(&self.path) {
                    // Only root can, and only where it matters.
                    let _ = std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()));
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
                file.set_permissions(fs::Permissions::from_mode(*mode))?;
                met(Call::Sync, || file.sync_all())
            }
        }
    }
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

fn remove_if_there(path: &Path) -> io::Result<()> {
    match met(Call::Remove, || fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a folder and those above it that are missing, each synced into the one that holds it.
fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new("/"));
    make_folders(above)?;
    match met(Call::MakeFolder, || fs::create_dir(folder)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_folder(above)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    met(Call::Sync, || File::open(folder)?.sync_all())
}
