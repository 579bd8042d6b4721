//! A host: one network namespace of this machine, as the stages of the pipeline see it.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use crate::diagnose::{Diagnosis, Options};
use crate::error::Result;
use crate::kernel::{Kernel as _, LinuxKernel, Netns};
use crate::snapshot::{NetnsIdentity, Snapshot};

/// One network namespace of the running kernel.
///
/// The namespace lives at least as long as the handle. Nothing done through it moves the calling thread
/// into the namespace. Cloning is cheap, and a host may be used by several threads at once.
///
/// ```no_run
/// use arpflux_core::Host;
///
/// let host = Host::current()?;
/// for interface in host.snapshot()?.interfaces {
///     println!("{} {}", interface.name, interface.mac);
/// }
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Host {
    netns: Arc<Netns>,
}

impl Host {
    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// As [`Netns::current`].
    pub fn current() -> Result<Self> {
        Netns::current().map(Self::from)
    }

    /// A namespace that `ip netns add` named.
    ///
    /// # Errors
    /// As [`Netns::named`].
    pub fn netns(name: &str) -> Result<Self> {
        Netns::named(name).map(Self::from)
    }

    /// The namespace behind a path such as `/proc/1234/ns/net`.
    ///
    /// # Errors
    /// As [`Netns::at`].
    pub fn at(path: &Path) -> Result<Self> {
        Netns::at(path).map(Self::from)
    }

    /// The namespace of a process.
    ///
    /// # Errors
    /// As [`Netns::of_process`].
    pub fn of_process(pid: u32) -> Result<Self> {
        Netns::of_process(pid).map(Self::from)
    }

    /// The namespace that a descriptor stands for: its own file, or any socket of it.
    ///
    /// # Errors
    /// As [`Netns::of_descriptor`].
    pub fn of_descriptor(fd: BorrowedFd<'_>) -> Result<Self> {
        Netns::of_descriptor(fd).map(Self::from)
    }

    /// The namespace itself.
    #[must_use]
    pub fn namespace(&self) -> &Netns {
        &self.netns
    }

    /// Which namespace it is.
    ///
    /// # Errors
    /// If it may not be entered.
    pub fn identity(&self) -> Result<NetnsIdentity> {
        self.with_kernel(LinuxKernel::identity)
    }

    /// Everything the kernel holds there that decides about ARP.
    ///
    /// # Errors
    /// [`crate::ErrorKind::PermissionDenied`] if the namespace may not be entered,
    /// [`crate::ErrorKind::Raced`] if it kept changing while it was read, and any failure to read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.with_kernel(LinuxKernel::snapshot)
    }

    /// What is wrong there: [`crate::diagnose::diagnose`] on a new snapshot.
    ///
    /// ```no_run
    /// use arpflux_core::Host;
    /// use arpflux_core::diagnose::{Options, Severity};
    ///
    /// let diagnosis = Host::current()?.diagnose(&Options::default())?;
    /// for finding in diagnosis.at_least(Severity::Warning) {
    ///     println!("{}: {} {}", finding.id, finding.what, finding.remedy);
    /// }
    /// # Ok::<(), arpflux_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Host::snapshot`].
    pub fn diagnose(&self, options: &Options) -> Result<Diagnosis> {
        self.snapshot()?.diagnose(options)
    }

    /// Opens the kernel inside the namespace and lets `work` use it there, on a thread of its own.
    pub(crate) fn with_kernel<R: Send>(
        &self,
        work: impl FnOnce(&mut LinuxKernel) -> Result<R> + Send,
    ) -> Result<R> {
        self.netns.run(|| work(&mut LinuxKernel::open()?))?
    }
}

impl From<Netns> for Host {
    fn from(netns: Netns) -> Self {
        Self { netns: Arc::new(netns) }
    }
}
