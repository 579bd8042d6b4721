//! Which kernel and which namespace this is.

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;

use nix::libc;

use crate::error::{Error, Result};
use crate::kernel::netlink::NetlinkSocket;
use crate::snapshot::{KernelVersion, NetnsIdentity};

/// `uname -r` and `uname -v`.
pub(super) fn version() -> Result<KernelVersion> {
    let name =
        nix::sys::utsname::uname().map_err(|errno| Error::os("ask for", "kernel version", errno as i32))?;
    Ok(KernelVersion {
        release: name.release().to_string_lossy().into_owned(),
        version: name.version().to_string_lossy().into_owned(),
    })
}

/// The namespace that the thread is in and `socket` was opened in.
pub(super) fn netns(socket: &NetlinkSocket) -> Result<NetnsIdentity> {
    const OWN: &str = "/proc/thread-self/ns/net";
    let file = std::fs::metadata(OWN)
        .map_err(|error| Error::io("look at", OWN, &error).hint("mount /proc: `mount -t proc proc /proc`"))?;
    // A sandbox may hide it; then the identity is weaker but still good within a boot.
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Ok(NetnsIdentity {
        boot_id: boot_id.trim().to_owned(),
        device: file.dev(),
        inode: file.ino(),
        cookie: cookie(socket).unwrap_or(0),
    })
}

/// `SO_NETNS_COOKIE`, which kernels before 5.14 do not have.
fn cookie(socket: &NetlinkSocket) -> Option<u64> {
    // Another number in sparc's asm/socket.h; there 71 asks for something else.
    const SPARC: bool = cfg!(any(target_arch = "sparc", target_arch = "sparc64"));
    const _: () = assert!(libc::SO_NETNS_COOKIE == if SPARC { 0x50 } else { 71 });
    let mut cookie = 0u64;
    let mut len = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the socket is open, and the buffer is as long as `len` says.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut len,
        )
    };
    (result == 0 && len as usize == size_of::<u64>()).then_some(cookie)
}
