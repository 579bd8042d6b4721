//! Network namespaces of this machine.

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;

use arpflux_core::{Error, ErrorKind, Host, Result};

use crate::boundary::{guard, null};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// A network namespace of this machine, which lives at least as long as this handle; free it with
/// `arpflux_host_free`. The calling thread is never moved: a call on a host does its work in a thread of its
/// own, which has ended when the call returns.
pub struct arpflux_host {
    _private: [u8; 0],
}

/// A host given to C.
pub(crate) struct Owned(pub(crate) Host);

impl Handle for Owned {
    type C = arpflux_host;
    const NAME: &'static str = "arpflux_host";
}

/// Gives a host, or NULL and an error.
///
/// # Safety
/// `err` is NULL or may be written.
unsafe fn open(err: *mut *mut arpflux_error, host: impl FnOnce() -> Result<Host>) -> *mut arpflux_host {
    // SAFETY: the caller says so.
    unsafe { guard(err, ptr::null_mut(), || Ok(handle::give(Owned(host()?)))) }
}

/// The namespace of the calling thread.
///
/// Returns a host to be freed with `arpflux_host_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_open_current(err: *mut *mut arpflux_error) -> *mut arpflux_host {
    // SAFETY: `err` is as the conventions say.
    unsafe { open(err, Host::current) }
}

/// A namespace by the name that `ip netns add` gave it, or, if there is a slash in it, by a path such as
/// `/proc/1234/ns/net`.
///
/// Returns a host to be freed with `arpflux_host_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if there
/// is none, `ARPFLUX_CODE_INVALID_INPUT` if it is no network namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_open_netns(
    name_or_path: *const c_char,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_host {
    // SAFETY: `err` and `name_or_path` are as the conventions say.
    unsafe {
        open(err, || {
            if name_or_path.is_null() {
                return Err(null("name_or_path"));
            }
            let bytes = CStr::from_ptr(name_or_path).to_bytes();
            if bytes.contains(&b'/') {
                Host::at(Path::new(OsStr::from_bytes(bytes)))
            } else {
                Host::netns(string::borrow(name_or_path, "name_or_path")?)
            }
        })
    }
}

/// The namespace that a file descriptor stands for: its own file, or any socket of it. The descriptor stays open.
///
/// Returns a host to be freed with `arpflux_host_free`, or NULL and sets `*err`: `ARPFLUX_CODE_INVALID_INPUT` if it is
/// neither.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_open_fd(fd: c_int, err: *mut *mut arpflux_error) -> *mut arpflux_host {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        open(err, || {
            // Asked before it is borrowed: a number that is not open must not pass for a descriptor.
            if fd < 0 || libc::fcntl(fd, libc::F_GETFD) < 0 {
                let what = format!("{fd} is no open file descriptor");
                return Err(Error::new(ErrorKind::InvalidInput, what).during("call with argument").on("fd"));
            }
            Host::of_descriptor(BorrowedFd::borrow_raw(fd))
        })
    }
}

/// Reads everything that decides about ARP there, consistently.
///
/// Returns a snapshot to be freed with `arpflux_snapshot_free`, or NULL and sets `*err`:
/// `ARPFLUX_CODE_PERMISSION_DENIED` if the namespace may not be entered, `ARPFLUX_CODE_RACED` if it kept changing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_snapshot(
    host: *const arpflux_host,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_snapshot {
    // SAFETY: `err` is as the conventions say.
    unsafe { guard(err, ptr::null_mut(), || Ok(snapshot::give(handle::get::<Owned>(host)?.0.snapshot()?))) }
}

/// Frees a host. NULL and hosts already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_free(host: *mut arpflux_host) {
    handle::free::<Owned>(host);
}
