//! `/proc/sys/net`: folders are opened once, everything below them by name relative to the folder.

use std::ffi::CStr;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::Mode;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

/// Which folder a path is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folder {
    /// `/proc/sys/net/ipv4`
    Ipv4,
    /// `/proc/sys/net/ipv4/conf`
    Ipv4Conf,
    /// `/proc/sys/net/ipv6/conf`
    Ipv6Conf,
}

/// The sysctls of the namespace of the thread that opened it, wherever it is used later.
#[derive(Debug)]
pub(super) struct SysctlTree {
    ipv4: OwnedFd,
    ipv4_conf: OwnedFd,
    ipv6_conf: Option<OwnedFd>,
    /// Cleared when the kernel (before 5.6) or a sandbox turns out to have no `openat2()`.
    beneath: AtomicBool,
}

impl SysctlTree {
    /// Opens the folders. `Err` if `/proc/sys` is not there or is not the kernel's.
    pub fn open() -> Result<Self, Errno> {
        let folder = |path: &str| {
            let fd = open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
            // Something mounted over it would be believed otherwise.
            if fstatfs(&fd)?.filesystem_type() == PROC_SUPER_MAGIC { Ok(fd) } else { Err(Errno::ENOENT) }
        };
        Ok(Self {
            ipv4: folder("/proc/sys/net/ipv4")?,
            ipv4_conf: folder("/proc/sys/net/ipv4/conf")?,
            ipv6_conf: match folder("/proc/sys/net/ipv6/conf") {
                Ok(fd) => Some(fd),
                Err(Errno::ENOENT) => None,
                Err(errno) => return Err(errno),
            },
            beneath: AtomicBool::new(true),
        })
    }

    /// The value in a file; `None` if there is no such file.
    pub fn read(&self, folder: Folder, parts: &[&[u8]]) -> Result<Option<i32>, Errno> {
        let fd = match self.open_file(folder, parts, OFlag::O_RDONLY) {
            Ok(fd) => fd,
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let mut text = [0u8; 32];
        let len = match nix::unistd::read(&fd, &mut text) {
            Ok(len) => len,
            // Unregistered meanwhile.
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let number = std::str::from_utf8(&text[..len]).ok().and_then(|text| text.trim().parse().ok());
        number.map(Some).ok_or(Errno::EINVAL)
    }

    /// Opens a file for writing. The interface it belongs to is fixed from here on: writing fails with
    /// `ENOENT` once the interface is renamed or gone.
    pub fn open_to_write(&self, folder: Folder, parts: &[&[u8]]) -> Result<OwnedFd, Errno> {
        self.open_file(folder, parts, OFlag::O_WRONLY)
    }

    fn open_file(&self, folder: Folder, parts: &[&[u8]], mode: OFlag) -> Result<OwnedFd, Errno> {
        let base = match folder {
            Folder::Ipv4 => &self.ipv4,
            Folder::Ipv4Conf => &self.ipv4_conf,
            Folder::Ipv6Conf => self.ipv6_conf.as_ref().ok_or(Errno::ENOENT)?,
        };
        // A part is an IfName or a constant, so it is one file name; this makes it certain here as well.
        if parts.iter().any(|part| part.contains(&b'/') || matches!(*part, b"" | b"." | b"..")) {
            return Err(Errno::ENOENT);
        }
        let mode = mode | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        if self.beneath.load(Ordering::Relaxed) {
            // Without links, and with no part that leads upwards, no path leaves its folder; to have the kernel
            // check that at every step (RESOLVE_BENEATH) costs a twentieth more.
            let how = OpenHow::new().flags(mode).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
            match openat2(base.as_fd(), joined(parts).as_c_str()?, how) {
                Err(Errno::ENOSYS | Errno::EPERM) => self.beneath.store(false, Ordering::Relaxed),
                result => return result,
            }
        }
        let Some((last, folders)) = parts.split_last() else { return Err(Errno::ENOENT) };
        let step = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let mut folder: Option<OwnedFd> = None;
        for part in folders {
            let from = folder.as_ref().unwrap_or(base).as_fd();
            folder = Some(openat(from, *part, step, Mode::empty())?);
        }
        openat(folder.as_ref().unwrap_or(base).as_fd(), *last, mode, Mode::empty())
    }
}

/// Writes a number into an open file below `/proc/sys`.
pub(super) fn write(fd: &OwnedFd, value: i32) -> Result<(), Errno> {
    let mut text = [0u8; 12];
    let len = match value {
        // Nearly all of them, and formatting is a good part of what a write costs outside of the kernel.
        0..=9 => {
            text[0] = b'0' + value as u8;
            1
        }
        _ => {
            let mut rest = &mut text[..];
            // Eleven characters at most, so it always fits.
            let _ = write!(rest, "{value}");
            12 - rest.len()
        }
    };
    let written = nix::unistd::write(fd, &text[..len])?;
    if written == len { Ok(()) } else { Err(Errno::EIO) }
}

/// Two names of 15 and at most 30 bytes fit, and the final NUL.
struct Path {
    bytes: [u8; 64],
    len: usize,
}

impl Path {
    /// As the kernel takes it, without a copy.
    fn as_c_str(&self) -> Result<&CStr, Errno> {
        self.bytes.get(..=self.len).and_then(|path| CStr::from_bytes_with_nul(path).ok()).ok_or(Errno::EINVAL)
    }
}

fn joined(parts: &[&[u8]]) -> Path {
    let mut path = Path { bytes: [0; 64], len: 0 };
    for (i, part) in parts.iter().enumerate() {
        let slash: &[u8] = if i == 0 { b"" } else { b"/" };
        for piece in [slash, part] {
            if let Some(room) = path.bytes[path.len..].get_mut(..piece.len()) {
                room.copy_from_slice(piece);
                path.len += piece.len();
            }
        }
    }
    path
}
