//! The kernel of this machine, through netlink and `/proc/sys`.

mod bridge;
mod consistent;
mod digest;
mod discovery;
mod encode;
mod identity;
mod interference;
mod legacy_tables;
mod names;
mod nftables;
mod programs;
mod proxies;
mod read;
mod routing_memory;
mod set;
mod sysctl;
mod traffic_control;
mod write;

use nix::errno::Errno;
use nix::libc;

use self::sysctl::SysctlTree;
use super::netlink::{Messages, NetlinkSocket};
use super::{Failed, Kernel};
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::{KernelVersion, Near, NetnsIdentity, Snapshot};
use crate::state::Change;
use crate::stop::Stop;

/// The running kernel, seen from one network namespace: the one of the thread that opened it.
///
/// ```no_run
/// use arpflux_core::kernel::{Kernel as _, LinuxKernel, Netns};
///
/// let snapshot = Netns::named("hn")?.run(|| LinuxKernel::open()?.snapshot())??;
/// println!("{} interfaces", snapshot.interfaces.len());
/// # Ok::<(), arpflux_core::Error>(())
/// ```
pub struct LinuxKernel {
    netlink: NetlinkSocket,
    sysctls: Result<SysctlTree, Errno>,
    version: KernelVersion,
    identity: NetnsIdentity,
    /// Reused for every question.
    messages: Messages,
    /// Of routes that lead elsewhere, only one of each kind is kept.
    near: Option<Near>,
    /// Of the interfaces of the last snapshot, where that is wanted: together with `near`.
    digest: Option<digest::InterfacesDigest>,
    /// Ends reading.
    stop: Stop,
}

impl LinuxKernel {
    /// Opens sockets and folders in the calling thread's namespace. Use it on that thread, or on another
    /// one in the same namespace: interference is read through `/proc/thread-self`.
    ///
    /// # Errors
    /// If there is no netlink, or `/proc` is not mounted.
    pub fn open() -> Result<Self> {
        let netlink = NetlinkSocket::open()?;
        Ok(Self {
            sysctls: SysctlTree::open(),
            version: identity::version()?,
            identity: identity::netns(&netlink)?,
            netlink,
            messages: Messages::new(),
            near: None,
            digest: None,
            stop: Stop::default(),
        })
    }

    /// From now on reading ends with [`ErrorKind::Interrupted`] soon after `stop` is raised.
    pub(crate) fn until(&mut self, stop: &Stop) {
        self.stop = stop.clone();
    }

    /// From now on snapshots have of the routes that are not `near`, nor around an address of the host, only one of
    /// each kind, and changes of the others do not count while they are taken.
    pub(crate) fn only_near(&mut self, near: Near) {
        self.near = Some(near);
    }

    /// A snapshot; calls `begins` whenever reading begins, or begins again because something changed meanwhile: what the
    /// kernel told until then is in it.
    pub(crate) fn snapshot_since(&mut self, begins: &mut dyn FnMut()) -> Result<Snapshot> {
        self.read(None, begins)
    }

    fn read(&mut self, before: Option<&Snapshot>, begins: &mut dyn FnMut()) -> Result<Snapshot> {
        let snapshot = self.read_consistently(before, begins).map_err(|error| {
            if error.operation().is_empty() { error.during("take snapshot") } else { error }
        })?;
        event!(
            DEBUG,
            interfaces = snapshot.interfaces.len(),
            addresses = snapshot.addresses.len(),
            routes = snapshot.routes.len(),
            rules = snapshot.rules.len(),
            proxies = snapshot.proxies.len(),
            "snapshot taken"
        );
        Ok(snapshot)
    }
}

impl std::fmt::Debug for LinuxKernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinuxKernel").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Kernel for LinuxKernel {
    fn identity(&mut self) -> Result<NetnsIdentity> {
        Ok(self.identity.clone())
    }

    fn may_change(&mut self) -> Result<()> {
        // An entry without an address to delete: the capability is looked at first (`rtnetlink_rcv_msg()`), then it
        // is refused (`neigh_delete()`).
        self.messages.clear();
        self.messages.begin(libc::RTM_DELNEIGH, 0, &[0; 12]);
        match self.netlink.change(&mut self.messages) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Err(error.during("change").on("this network namespace"))
            }
            _ => Ok(()),
        }
    }

    fn snapshot(&mut self) -> Result<Snapshot> {
        self.read(None, &mut || ())
    }

    fn snapshot_after(&mut self, before: &Snapshot) -> Result<Snapshot> {
        self.read(Some(before), &mut || ())
    }

    fn make(&mut self, changes: &[Change]) -> Result<(), Failed> {
        self.make_all(changes)
    }
}

/// What reading `/proc/sys` failed with, as an error.
fn sysctl_error(operation: &'static str, name: String, errno: Errno) -> Error {
    Error::os(operation, name, errno as i32)
}
