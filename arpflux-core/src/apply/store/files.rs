//! The files of a folder: opened, read, written, synced, renamed.

use std::fs::File;
use std::os::fd::AsFd as _;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::libc;
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, fsync, ftruncate, unlinkat};

use super::{FILE, Folder, wide};
use crate::apply::fault::{self, Call};
use crate::error::{Error, ErrorKind, Result};

impl Folder {
    fn open_file(&self, name: &str, flags: OFlag) -> Result<Option<File>> {
        // Never blocks on a FIFO that somebody put in the file's place.
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let opened = fault::around(Call::Open, || openat(&self.fd, name, flags, FILE));
        let file = match opened {
            Ok(fd) => File::from(fd),
            Err(Errno::ENOENT) if !flags.contains(OFlag::O_CREAT) => return Ok(None),
            Err(errno) => return Err(self.os("open", name, errno)),
        };
        let path = self.path.join(name);
        let stat = self.stat_of(file.as_fd(), &path)?;
        if stat.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFREG.bits() {
            return Err(self.os("open", name, Errno::ELOOP));
        }
        self.check_owner(&stat, &path)?;
        Ok(Some(file))
    }

    /// Opens a file that is there; `None` if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if it is not a plain file of our own.
    pub(crate) fn open(&self, name: &str) -> Result<Option<File>> {
        self.open_file(name, OFlag::O_RDWR | OFlag::O_APPEND)
    }

    /// The same for reading only.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub(crate) fn open_to_read(&self, name: &str) -> Result<Option<File>> {
        self.open_file(name, OFlag::O_RDONLY)
    }

    /// Opens a file, making it if it is missing.
    ///
    /// # Errors
    /// As [`Folder::open`], and if it cannot be made.
    pub(crate) fn open_or_make(&self, name: &str) -> Result<File> {
        self.open_file(name, OFlag::O_RDWR | OFlag::O_CREAT)?
            .ok_or_else(|| self.os("make", name, Errno::ENOENT))
    }

    /// Makes a file that must not be there yet.
    ///
    /// # Errors
    /// As [`Folder::open`], and if it cannot be made.
    pub(crate) fn make(&self, name: &str) -> Result<File> {
        self.open_file(name, OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_APPEND)?
            .ok_or_else(|| self.os("make", name, Errno::ENOENT))
    }

    /// Reads a whole file of at most `largest` bytes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if it is larger, and any failure to read.
    pub(crate) fn read(&self, name: &str, file: &File, largest: u64) -> Result<Vec<u8>> {
        use std::os::unix::fs::FileExt as _;
        let failed = |error: &std::io::Error| Error::io("read", self.path_of(name), error);
        let size = self.stat_of(file.as_fd(), &self.path.join(name))?.st_size;
        let size = wide(size.unsigned_abs());
        if size > largest {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!("it has {size} bytes, at most {largest} are read"),
            )
            .during("read")
            .on(self.path_of(name)));
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        let mut filled = 0;
        while filled < bytes.len() {
            let rest = &mut bytes[filled..];
            let count = fault::around(Call::Read, || {
                file.read_at(rest, filled as u64)
                    .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
            });
            match count {
                Ok(0) => bytes.truncate(filled),
                Ok(count) => filled += count,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(failed(&std::io::Error::from(errno))),
            }
        }
        Ok(bytes)
    }

    /// Writes all of `bytes` to the end of a file of this folder and syncs it.
    ///
    /// # Errors
    /// Any failure to write or sync; part of the bytes may have been written then.
    pub(crate) fn append(&self, name: &str, file: &File, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match fault::write(rest, |part| nix::unistd::write(file, part)) {
                Ok(0) => return Err(self.os("write", name, Errno::ENOSPC)),
                Ok(count) => rest = &rest[count..],
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(self.os("write", name, errno)),
            }
        }
        fault::around(Call::Sync, || fsync(file)).map_err(|errno| self.os("sync", name, errno))
    }

    /// Cuts a file off.
    ///
    /// # Errors
    /// Any failure to.
    pub(crate) fn truncate(&self, name: &str, file: &File, length: u64) -> Result<()> {
        let length = libc::off_t::try_from(length).unwrap_or(libc::off_t::MAX);
        fault::around(Call::Truncate, || ftruncate(file, length))
            .map_err(|errno| self.os("truncate", name, errno))
    }

    /// Gives a file another name, in `to`, replacing what is there, and syncs both folders.
    ///
    /// # Errors
    /// Any failure to.
    pub(crate) fn rename(&self, name: &str, to: &Self, new: &str) -> Result<()> {
        fault::around(Call::Rename, || renameat(&self.fd, name, &to.fd, new))
            .map_err(|errno| self.os("rename", name, errno))?;
        to.sync()?;
        if self.path == to.path { Ok(()) } else { self.sync() }
    }

    /// Removes a file; whether there was one.
    ///
    /// # Errors
    /// Any failure to.
    pub(crate) fn remove(&self, name: &str) -> Result<bool> {
        match fault::around(Call::Remove, || unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir)) {
            Ok(()) => self.sync().map(|()| true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.os("remove", name, errno)),
        }
    }

    /// Makes the names of this folder durable.
    ///
    /// # Errors
    /// Any failure to.
    pub(crate) fn sync(&self) -> Result<()> {
        fault::around(Call::Sync, || fsync(&self.fd)).map_err(|errno| self.os("sync", "", errno))
    }

    /// The names in this folder, sorted, without `.` and `..`; names that are not text are left out.
    ///
    /// # Errors
    /// Any failure to read it.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut dir = nix::dir::Dir::openat(&self.fd, ".", flags, Mode::empty())
            .map_err(|errno| self.os("list", "", errno))?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let entry = entry.map_err(|errno| self.os("list", "", errno))?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        names.sort();
        Ok(names)
    }

    /// The size of a file, and which file it is: tells whether it has been replaced.
    pub(crate) fn inode(&self, name: &str) -> Option<(u64, u64)> {
        let stat = fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
        Some((wide(stat.st_ino), wide(stat.st_size.unsigned_abs())))
    }
}
