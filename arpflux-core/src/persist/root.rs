//! The folder that stands for `/`, and no way out of it.
//!
//! Below another root than `/` somebody else may own every folder and link: the administrator of an image or a
//! container. There the kernel resolves each path with the root as `/` (`openat2()` with `RESOLVE_IN_ROOT`), so that
//! neither an absolute link nor `..` leads out, and files are read and changed relative to folders that are open.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{self, AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{self, FileStat, Mode, SFlag};

use super::command::Owner;
use super::file::FileState;
use crate::error::{Error, ErrorKind, Result};

/// No file of a manager is larger.
const LARGEST: u64 = 1 << 20;

/// A folder that stands for `/`. Paths are given as the caller sees them, with the root in front.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    /// `None` for `/` itself, where links are followed as everywhere.
    folder: Option<OwnedFd>,
}

impl Root {
    /// Opens the folder.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such folder: an absent root is no host without files.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if path == Path::new("/") {
            return Ok(Self { path: path.into(), folder: None });
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let folder = fcntl::open(path, flags, Mode::empty()).map_err(|errno| {
            Error::os("open root", path.display().to_string(), errno as i32)
                .hint("name an existing folder that stands for / of the host")
        })?;
        Ok(Self { path: path.into(), folder: Some(folder) })
    }

    /// Opens what is at `path`, links followed within the root.
    fn open_at(&self, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        let flags = flags | OFlag::O_CLOEXEC;
        let Some(root) = &self.folder else {
            return Ok(fcntl::openat(AT_FDCWD, path, flags, Mode::empty())?);
        };
        let within =
            path.strip_prefix(&self.path).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // openat2() refuses an empty path.
        let within = if within.as_os_str().is_empty() { Path::new(".") } else { within };
        let how = OpenHow::new()
            .flags(flags)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        match fcntl::openat2(root, within, how) {
            Err(Errno::ENOSYS) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this kernel lacks openat2() (Linux 5.6), without which links of the other root cannot be kept inside it",
            )),
            opened => Ok(opened?),
        }
    }

    /// The folder that holds `path`, and the name in it.
    pub(super) fn parent<'p>(&self, path: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
        let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok((self.folder(path.parent().unwrap_or(Path::new("/")))?, name))
    }

    /// A folder, links followed within the root.
    pub(super) fn folder(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open_at(path, OFlag::O_PATH | OFlag::O_DIRECTORY)
    }

    /// What is at `path`, without following a link there. As [`FileState::read`].
    pub(crate) fn read(&self, path: &Path) -> Result<FileState> {
        let failed = |error: &io::Error| Error::file("read", path, error);
        let Some((folder, name)) = absent_or(self.parent(path)).map_err(|error| failed(&error))? else {
            return Ok(FileState::Absent);
        };
        let Some(status) = status(&folder, name).map_err(|error| failed(&error))? else {
            return Ok(FileState::Absent);
        };
        match kind(&status) {
            SFlag::S_IFLNK => {
                let target = fcntl::readlinkat(&folder, name).map_err(|errno| failed(&errno.into()))?;
                Ok(FileState::Link { target: target.into() })
            }
            SFlag::S_IFREG => {
                let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
                let file = fcntl::openat(&folder, name, flags, Mode::empty())
                    .map_err(|errno| failed(&errno.into()))?;
                Ok(FileState::Regular { text: text(file, path)?, mode: status.st_mode & 0o7777 })
            }
            _ => Err(odd(path, "it is neither a file nor a symbolic link")),
        }
    }

    /// The text of the file that `path` leads to, links followed within the root; `None` if nothing is there, or
    /// no file is, `/dev/null` for one.
    ///
    /// # Errors
    /// If it cannot be read, is over 1 MiB or not UTF-8.
    pub(crate) fn text(&self, path: &Path) -> Result<Option<String>> {
        let failed = |error: &io::Error| Error::file("read", path, error);
        let opened = self.open_at(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK);
        let Some(file) = absent_or(opened).map_err(|error| failed(&error))? else { return Ok(None) };
        let status = stat::fstat(&file).map_err(|errno| failed(&errno.into()))?;
        if kind(&status) != SFlag::S_IFREG { Ok(None) } else { text(file, path).map(Some) }
    }

    /// The file that `path` leads to, of any size, links followed within the root; `None` if nothing is there, or no file
    /// is.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(super) fn file(&self, path: &Path) -> Result<Option<File>> {
        let failed = |error: &io::Error| Error::file("read", path, error);
        let opened = absent_or(self.open_at(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK));
        let Some(file) = opened.map_err(|error| failed(&error))? else { return Ok(None) };
        let status = stat::fstat(&file).map_err(|errno| failed(&errno.into()))?;
        Ok((kind(&status) == SFlag::S_IFREG).then(|| file.into()))
    }

    /// The names in a folder, sorted; none if there is no such folder.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub(crate) fn names(&self, path: &Path) -> Result<Vec<OsString>> {
        use std::os::unix::ffi::OsStringExt as _;
        let failed = |errno: Errno| Error::os("read folder", path.display().to_string(), errno as i32);
        let opened = absent_or(self.open_at(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY))
            .map_err(|error| Error::file("read folder", path, &error))?;
        let Some(folder) = opened else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in Dir::from_fd(folder).map_err(failed)?.iter() {
            let name = entry.map_err(failed)?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether something is at `path`, links followed within the root.
    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.open_at(path, OFlag::O_PATH).is_ok()
    }

    /// Who may write what `path` leads to; `None` if nothing is there.
    pub(super) fn owner(&self, path: &Path) -> Result<Option<Owner>> {
        let failed = |error: &io::Error| Error::file("look at", path, error);
        let opened = absent_or(self.open_at(path, OFlag::O_PATH)).map_err(|error| failed(&error))?;
        let Some(opened) = opened else { return Ok(None) };
        let status = stat::fstat(&opened).map_err(|errno| failed(&errno.into()))?;
        Ok(Some(Owner {
            user: status.st_uid,
            mode: status.st_mode & 0o7777,
            is_folder: kind(&status) == SFlag::S_IFDIR,
        }))
    }

    /// Whether something is at `path`, be it a link that leads nowhere.
    pub(crate) fn has_entry(&self, path: &Path) -> bool {
        self.parent(path).is_ok_and(|(folder, name)| matches!(status(&folder, name), Ok(Some(_))))
    }
}

/// The status of what `name` is in a folder, a link itself; `None` if nothing is there.
pub(super) fn status(folder: &OwnedFd, name: &OsStr) -> io::Result<Option<FileStat>> {
    match stat::fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => Ok(None),
        status => Ok(Some(status?)),
    }
}

fn kind(status: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits())
}

/// Syncs a folder, so that the names in it survive a power failure.
pub(super) fn sync(folder: &OwnedFd) -> io::Result<()> {
    // What was opened with O_PATH cannot be synced itself.
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder = fcntl::openat(folder.as_fd(), ".", flags, Mode::empty())?;
    File::from(folder).sync_all()
}

fn absent_or<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => Ok(None),
        other => other.map(Some),
    }
}

fn odd(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned()).during("read").on(path)
}

fn text(file: OwnedFd, path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    File::from(file)
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::file("read", path, &error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(odd(path, "it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| odd(path, "it is not UTF-8 text"))
}
