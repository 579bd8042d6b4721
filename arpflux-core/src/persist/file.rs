//! A file as it was and as it shall be, changed in one step.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// No file of a manager is larger.
const LARGEST: u64 = 1 << 20;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// that at every moment one of the two is there whole.
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
        let failed = |error: std::io::Error| Error::io("write", self.path.display().to_string(), &error);
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        if self.after == FileState::Absent {
            fs::remove_file(&self.path).map_err(failed)?;
        } else {
            fs::create_dir_all(folder).map_err(failed)?;
            let name = self.path.file_name().unwrap_or_default().to_string_lossy();
            // A leading dot and no known ending: no manager reads it if a crash leaves it behind, and
            // the fixed name means that the next attempt replaces it.
            let temporary = folder.join(format!(".{name}.arpflux-new"));
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
            self.write_to(&temporary).and_then(|()| fs::rename(&temporary, &self.path)).map_err(|error| {
                // The failure to write is what matters; the leftover is harmless.
                let _ = fs::remove_file(&temporary);
                failed(error)
            })?;
        }
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn write_to(&self, path: &Path) -> std::io::Result<()> {
        match &self.after {
            FileState::Absent => Ok(()),
            FileState::Link { target } => std::os::unix::fs::symlink(target, path),
            FileState::Regular { text, mode } => {
                let mut file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(*mode)
                    .custom_flags(libc::O_NOFOLLOW)
                    .open(path)?;
                file.write_all(text.as_bytes())?;
                // The mode given to open() is less the umask.
                file.set_permissions(fs::Permissions::from_mode(*mode))?;
                file.sync_all()
            }
        }
    }
}
