//! Network namespaces of this machine.

use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use crate::apply::{self, Receipt};
use crate::argument;
use crate::capture;
use crate::container::{self, Containers};
use crate::diagnose::{self, Diagnosis};
use crate::error::Result;
use crate::explain::{self, Matrix, Question, Scope};
use crate::persist::{BootReport, Persistence};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::verify::{self, Report};
use crate::watch::NativeWatcher;
use crate::wire::{self, Given};

/// One network namespace of this machine, which lives at least as long as this object.
///
/// The calling thread is never moved, and the GIL is released around every system call. A host may be
/// used by several threads at once, and on both sides of a fork. What waits (for answers, for a lock, for news) can be
/// interrupted by a signal; a change that is not wholly made yet is undone first.
///
/// >>> import arpflux
/// >>> host = arpflux.Host.current()
/// >>> host.snapshot().interface("lo").speaks_arp
/// False
#[pyclass(frozen, module = "arpflux")]
pub struct Host(pub(crate) arpflux_core::Host);

impl Host {
    /// A snapshot.
    pub(crate) fn take(&self, py: Python<'_>) -> Result<Snapshot> {
        Ok(Snapshot(Arc::new(py.detach(|| self.0.snapshot())?)))
    }

    /// The namespace that an argument means: a name, a path, or something with a descriptor.
    pub(crate) fn of(argument: &str, object: &Bound<'_, PyAny>) -> Result<Self> {
        let py = object.py();
        let textual = object.is_instance_of::<PyString>() || object.is_instance_of::<PyBytes>();
        if !textual && object.hasattr("fileno")? && !object.hasattr("__fspath__")? {
            let fd = argument::number(argument, &object.call_method0("fileno")?, 0..=i64::from(i32::MAX))?;
            // SAFETY: `object` has it open and is held here; a descriptor that it closes meanwhile gives an error.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            return Ok(Self(py.detach(|| arpflux_core::Host::of_descriptor(fd))?));
        }
        let bytes = argument::fs_bytes(argument, object)?;
        let by_path = bytes.contains(&b'/') || !object.is_instance_of::<PyString>();
        let host = py.detach(|| {
            if by_path {
                return arpflux_core::Host::at(Path::new(OsStr::from_bytes(&bytes)));
            }
            arpflux_core::Host::netns(&String::from_utf8_lossy(&bytes))
        })?;
        Ok(Self(host))
    }
}

#[pymethods]
impl Host {
    /// The namespace of the calling thread.
    #[staticmethod]
    fn current(py: Python<'_>) -> Result<Self> {
        Ok(Self(py.detach(arpflux_core::Host::current)?))
    }

    /// A namespace by the name that `ip netns add` gave it; by a path such as /proc/1234/ns/net, if there is a slash in it
    /// or it is bytes or an os.PathLike; or that of whatever has a `fileno()`: an open namespace file, any socket, a
    /// pyroute2 IPRoute or NetNS.
    ///
    /// Raises NotFound if there is none, InvalidInput if it is no network namespace, PermissionDenied for a socket
    /// without CAP_NET_ADMIN.
    #[staticmethod]
    fn netns(name: &Bound<'_, PyAny>) -> Result<Self> {
        Self::of("name", name)
    }

    /// The namespace of a process, by its number.
    ///
    /// Raises NotFound if there is no such process, PermissionDenied if it is somebody else's.
    #[staticmethod]
    fn process(py: Python<'_>, pid: &Bound<'_, PyAny>) -> Result<Self> {
        let pid: u32 = argument::number("pid", pid, 1..=i64::from(i32::MAX))?;
        Ok(Self(py.detach(|| arpflux_core::Host::of_process(pid))?))
    }

    /// Everything the kernel holds there that decides about ARP, read consistently: a Snapshot.
    ///
    /// Raises PermissionDenied if the namespace may not be entered, Raced if it kept changing.
    fn snapshot(&self, py: Python<'_>) -> Result<Snapshot> {
        self.take(py)
    }

    /// Takes a snapshot and asks it: see Snapshot.explain.
    #[pyo3(signature = (target, *, interface, sender = None, sender_mac = None, unicast = false))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        target: &Bound<'py, PyAny>,
        interface: &Bound<'py, PyAny>,
        sender: Given<'_, 'py>,
        sender_mac: Given<'_, 'py>,
        unicast: bool,
    ) -> Result<Bound<'py, PyAny>> {
        let question = Question::new(target, interface, sender, sender_mac, unicast)?;
        question.answer(py, &self.take(py)?)
    }

    /// Takes a snapshot and asks it for everything: see Snapshot.matrix.
    #[pyo3(signature = (*, targets = None, interfaces = None, sender = None))]
    fn matrix<'py>(
        &self,
        py: Python<'py>,
        targets: Given<'_, 'py>,
        interfaces: Given<'_, 'py>,
        sender: Given<'_, 'py>,
    ) -> Result<Matrix> {
        let scope = Scope::new(targets, interfaces, sender)?;
        explain::matrix(py, &self.take(py)?, scope)
    }

    /// Takes a snapshot and says what is wrong: see Snapshot.diagnose.
    #[pyo3(signature = (*, policy = None, wires = None, boot = None, ignore = None, impact = true))]
    fn diagnose<'py>(
        &self,
        py: Python<'py>,
        policy: Option<Bound<'py, Policy>>,
        wires: Given<'_, 'py>,
        boot: Option<Bound<'py, BootReport>>,
        ignore: Given<'_, 'py>,
        impact: bool,
    ) -> Result<Diagnosis> {
        let (policy, boot) = (policy.as_ref().map(Bound::get), boot.as_ref().map(Bound::get));
        let options = diagnose::options(policy, wires, boot, ignore, impact)?;
        diagnose::diagnose(py, &self.take(py)?, options)
    }

    /// Takes a snapshot and says what has to change so that `policy` holds: see Policy.plan.
    fn plan(&self, py: Python<'_>, policy: &Policy) -> Result<Plan> {
        policy.plan(py, &self.take(py)?)
    }

    /// Takes a snapshot and checks it: see Policy.verify.
    ///
    /// With `wire="self"` it also asks the host itself, as if from the wire, for each address of the policy; with
    /// `wire="peer"` the host `peer` asks (a Host, or what `Host.netns` takes), on its interface `interface`, or without on
    /// the one whose subnet the address is in. Both take a second and more: proxies answer late.
    #[pyo3(signature = (policy, *, wire = None, peer = None, interface = None))]
    fn verify<'py>(
        &self,
        py: Python<'py>,
        policy: &Policy,
        wire: Given<'_, 'py>,
        peer: Given<'_, 'py>,
        interface: Given<'_, 'py>,
    ) -> Result<Report> {
        verify::verify(py, self, policy, wire, peer, interface)
    }

    /// Asks who has addresses, as any peer would, and counts the MACs that answer: a tuple of Probed.
    ///
    /// `targets`: one or several addresses, networks (`192.0.2.0/24`) or ranges (`192.0.2.1-192.0.2.9`), 1,048,576 addresses
    /// at most. `interface`: the one to ask on; without, the one with an address on the first target's subnet. `tries`: how
    /// often a silent address is asked, 1 to 10, else 2. `wait`: how long it may take to answer, 1 ms to 60 s, else 1 s; below
    /// 0.8 s late proxies are missed. `rate`: requests per second, 1 to 10,000,000, else 10,000. `tell_proxies`: whether to
    /// find out which MACs only proxy.
    ///
    /// Raises NotFound if there is no such interface, PermissionDenied without CAP_NET_RAW, Raced if replies were lost.
    #[pyo3(signature = (targets, *, interface = None, tries = None, wait = None, rate = None, tell_proxies = true))]
    #[expect(clippy::too_many_arguments, reason = "the options that Python has")]
    fn probe<'py>(
        &self,
        py: Python<'py>,
        targets: &Bound<'py, PyAny>,
        interface: Given<'_, 'py>,
        tries: Given<'_, 'py>,
        wait: Given<'_, 'py>,
        rate: Given<'_, 'py>,
        tell_proxies: bool,
    ) -> Result<Bound<'py, PyTuple>> {
        wire::probe(py, self, targets, interface, tries, wait, rate, tell_proxies)
    }

    /// Tells everybody on the wire that addresses are at `interface`: gratuitous ARP in both forms, for IPv6 unsolicited
    /// neighbour advertisements. Returns the number of frames sent.
    ///
    /// Whoever hears it sends there from then on, so what another interface of the host holds or proxies is refused,
    /// unless `anyway`. `rounds`: how often, 1 to 100, else 2;
    /// `spacing`: the time between rounds, else 1.1 s, below 1 s receivers may ignore the second. `request` and `reply`:
    /// which forms. `never`: networks whose addresses are left out.
    ///
    /// Raises Refused if another interface is the owner or nothing is left to announce, PermissionDenied without CAP_NET_RAW.
    #[pyo3(signature = (addresses, *, interface, rounds = None, spacing = None, request = true, reply = true, never = None, anyway = false))]
    #[expect(clippy::too_many_arguments, reason = "the options that Python has")]
    fn announce<'py>(
        &self,
        py: Python<'py>,
        addresses: &Bound<'py, PyAny>,
        interface: &Bound<'py, PyAny>,
        rounds: Given<'_, 'py>,
        spacing: Given<'_, 'py>,
        request: bool,
        reply: bool,
        never: Given<'_, 'py>,
        anyway: bool,
    ) -> Result<usize> {
        wire::announce(py, self, addresses, interface, rounds, spacing, request, reply, never, anyway)
    }

    /// Captures ARP on an interface as it comes, and says what it shows: a CaptureReport. It ends after `duration` or as many
    /// `frames`, whichever is first; one of them is needed. Nothing is sent.
    ///
    /// Raises NotFound if there is no such interface, PermissionDenied without CAP_NET_RAW.
    #[pyo3(signature = (interface, *, duration = None, frames = None))]
    fn listen<'py>(
        &self,
        py: Python<'py>,
        interface: &Bound<'py, PyAny>,
        duration: Given<'_, 'py>,
        frames: Given<'_, 'py>,
    ) -> Result<Bound<'py, PyAny>> {
        capture::listen(py, self, interface, duration, frames)
    }

    /// Finds out whether somebody else has addresses already, proxies included: a tuple of Detected, one for each
    /// address and interface.
    ///
    /// `interfaces`: names; without, each address on all that are up and hold an address of its family. `rounds`: how often to ask, 1 to 10, else 2;
    /// `spacing`: the time between, else 0.5 s; `wait`: how long to listen after the last, else 1 s.
    #[pyo3(signature = (addresses, *, interfaces = None, rounds = None, spacing = None, wait = None))]
    fn detect<'py>(
        &self,
        py: Python<'py>,
        addresses: &Bound<'py, PyAny>,
        interfaces: Given<'_, 'py>,
        rounds: Given<'_, 'py>,
        spacing: Given<'_, 'py>,
        wait: Given<'_, 'py>,
    ) -> Result<Bound<'py, PyTuple>> {
        wire::detect(py, self, addresses, interfaces, rounds, spacing, wait)
    }

    /// Finds out with frames which of the host's interfaces share a wire: Segments, which `diagnose` takes as `wires`.
    ///
    /// Each sends a harmless broadcast frame (EtherType 0x88b5, kept for local experiments) and all listen. `interfaces`:
    /// names; without, all that take ARP requests. `rounds`: how many frames each sends, 1 to 10, else 1; `wait`: how long to
    /// listen after each round, 1 ms to 60 s, else 0.3 s.
    ///
    /// Raises NotFound if there is no such interface, PermissionDenied without CAP_NET_RAW.
    #[pyo3(signature = (interfaces = None, *, rounds = None, wait = None))]
    fn segments<'py>(
        &self,
        py: Python<'py>,
        interfaces: Given<'_, 'py>,
        rounds: Given<'_, 'py>,
        wait: Given<'_, 'py>,
    ) -> Result<Bound<'py, PyAny>> {
        wire::segments(py, self, interfaces, rounds, wait)
    }

    /// Watches for drift from a policy: a Watch, an iterator and asynchronous iterator over Drift.
    ///
    /// With `heal`, what drifts is put right, each time as a transaction. `look`: the longest time between two looks at
    /// everything, 0.1 s to a day, else 5 s. `lock_wait` and `state_dir` as for `apply`.
    #[pyo3(signature = (policy, *, heal = false, look = None, lock_wait = None, state_dir = None))]
    fn watch<'py>(
        &self,
        py: Python<'py>,
        policy: &Policy,
        heal: bool,
        look: Given<'_, 'py>,
        lock_wait: Given<'_, 'py>,
        state_dir: Given<'_, 'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let options = apply::options(None, lock_wait, state_dir)?;
        let native = NativeWatcher::new(py, self, policy, heal, look, options)?;
        Ok(py.import("arpflux")?.getattr("Watch")?.call1((native,))?)
    }

    /// Makes a plan so, as one transaction: all of it, or nothing of it.
    ///
    /// With `confirm` (seconds or timedelta, 1 s to 24 h) the change is on trial: it is undone unless the receipt's
    /// `confirm()` comes in time, by a process of its own that outlives this one. `lock_wait`: how long to wait for another
    /// writer, 10 s without. `state_dir`: where receipts and journals lie; all writers of a namespace have to agree.
    /// `accept_harm`: do it even if an address loses its last answer, or a neighbour or container its way.
    ///
    /// Where it cannot be told whether it does such harm, it is made, and the receipt's `ok` is None.
    /// Raises Refused if it would do such harm, Changed if the host is no longer what the plan saw, RolledBack if a step failed and all was undone,
    /// PartlyApplied if not all could be undone, Busy if another writer is in the way.
    #[pyo3(signature = (plan, *, confirm = None, accept_harm = false, lock_wait = None, state_dir = None))]
    fn apply<'py>(
        &self,
        py: Python<'py>,
        plan: &Plan,
        confirm: Given<'_, 'py>,
        accept_harm: bool,
        lock_wait: Given<'_, 'py>,
        state_dir: Given<'_, 'py>,
    ) -> Result<Receipt> {
        let options = apply::options(confirm, lock_wait, state_dir)?.accept_harm(accept_harm);
        apply::apply(py, self, plan, options)
    }

    /// Makes a policy so, now and at every boot, as one transaction: the files of the host's managers belong to it. On trial
    /// they are written when it is confirmed. The receipt's `files` says which, its `notes` what else is to be done.
    ///
    /// Options and errors are those of `apply`; besides, InvalidInput if files of this machine are to be written for another
    /// namespace.
    #[pyo3(signature = (persistence, *, confirm = None, accept_harm = false, lock_wait = None, state_dir = None))]
    fn apply_and_persist<'py>(
        &self,
        py: Python<'py>,
        persistence: &Persistence,
        confirm: Given<'_, 'py>,
        accept_harm: bool,
        lock_wait: Given<'_, 'py>,
        state_dir: Given<'_, 'py>,
    ) -> Result<Receipt> {
        let options = apply::options(confirm, lock_wait, state_dir)?.accept_harm(accept_harm);
        apply::apply_and_persist(py, self, persistence, options)
    }

    /// Lets `interface` answer for addresses, as one transaction: proxy entries, IPv4 (ARP) and IPv6 (NDP). What is there
    /// already stays. `only`: entries of these addresses on other interfaces go. `announce`: the peers are told.
    ///
    /// Raises NotFound if there is no such interface, Refused if the host itself has one of the addresses.
    #[pyo3(signature = (addresses, *, interface, only = false, announce = false, lock_wait = None, state_dir = None))]
    #[expect(clippy::too_many_arguments, reason = "the options that Python has")]
    fn add_proxies<'py>(
        &self,
        py: Python<'py>,
        addresses: &Bound<'py, PyAny>,
        interface: &Bound<'py, PyAny>,
        only: bool,
        announce: bool,
        lock_wait: Given<'_, 'py>,
        state_dir: Given<'_, 'py>,
    ) -> Result<Receipt> {
        let options = apply::options(None, lock_wait, state_dir)?;
        apply::add_proxies(py, self, addresses, interface, only, announce, options)
    }

    /// Deletes the proxy entries of addresses, on `interface` or, without, on all, as one transaction. What is not there is
    /// no error.
    #[pyo3(signature = (addresses, *, interface = None, lock_wait = None, state_dir = None))]
    fn remove_proxies<'py>(
        &self,
        py: Python<'py>,
        addresses: &Bound<'py, PyAny>,
        interface: Given<'_, 'py>,
        lock_wait: Given<'_, 'py>,
        state_dir: Given<'_, 'py>,
    ) -> Result<Receipt> {
        let options = apply::options(None, lock_wait, state_dir)?;
        apply::remove_proxies(py, self, addresses, interface, options)
    }

    /// The containers, and other machines, behind this host: Containers. `policy`: the file of the policy, by default
    /// `/etc/arpflux/policy.toml`; `vz_dir`: the folder with `vz.conf` and `conf/OWNER.conf`, by default `/etc/vz`. Neither
    /// needs to exist.
    #[pyo3(signature = (*, policy = None, vz_dir = None, lock_wait = None, state_dir = None))]
    fn containers<'py>(
        &self,
        policy: Given<'_, 'py>,
        vz_dir: Given<'_, 'py>,
        lock_wait: Given<'_, 'py>,
        state_dir: Given<'_, 'py>,
    ) -> Result<Containers> {
        container::containers(&self.0, policy, vz_dir, apply::options(None, lock_wait, state_dir)?)
    }

    /// Takes a transaction back: the one of number `id`, or the last that a person made and that stands: what a watch or
    /// the scripts of containers made is taken back by its number only. What somebody else changed since is left alone
    /// and listed in the receipt's `conflicts`, unless `force`; what published addresses of containers stand on is left,
    /// and named in the `notes`. Without `id`, `NotFound` also where the last change on trial had nothing to change.
    #[pyo3(signature = (id = None, *, force = false, lock_wait = None, state_dir = None))]
    fn rollback<'py>(
        &self,
        py: Python<'py>,
        id: Given<'_, 'py>,
        force: bool,
        lock_wait: Given<'_, 'py>,
        state_dir: Given<'_, 'py>,
    ) -> Result<Receipt> {
        apply::rollback(py, self, apply::id(id)?, force, apply::options(None, lock_wait, state_dir)?)
    }

    /// Keeps the transaction that waits for confirmation, for those who do not hold its receipt.
    #[pyo3(signature = (id = None, *, lock_wait = None, state_dir = None))]
    fn confirm<'py>(
        &self,
        py: Python<'py>,
        id: Given<'_, 'py>,
        lock_wait: Given<'_, 'py>,
        state_dir: Given<'_, 'py>,
    ) -> Result<Receipt> {
        apply::confirm(py, self, apply::id(id)?, apply::options(None, lock_wait, state_dir)?)
    }

    /// The receipt of the transaction that waits for confirmation, or None. Dropping it decides nothing.
    #[pyo3(signature = (*, state_dir = None))]
    fn pending<'py>(&self, py: Python<'py>, state_dir: Given<'_, 'py>) -> Result<Option<Receipt>> {
        apply::pending(py, self, apply::options(None, None, state_dir)?)
    }

    /// The receipts of the transactions that are remembered, the oldest first: a tuple of Receipt.
    #[pyo3(signature = (*, state_dir = None))]
    fn receipts<'py>(&self, py: Python<'py>, state_dir: Given<'_, 'py>) -> Result<Bound<'py, PyTuple>> {
        apply::receipts(py, self, apply::options(None, None, state_dir)?)
    }

    /// Undoes what a crash left half done; the receipt of what was undone, or None. With `discard`, a journal that cannot
    /// be carried out is set aside instead.
    #[pyo3(signature = (*, discard = false, lock_wait = None, state_dir = None))]
    fn recover<'py>(
        &self,
        py: Python<'py>,
        discard: bool,
        lock_wait: Given<'_, 'py>,
        state_dir: Given<'_, 'py>,
    ) -> Result<Option<Receipt>> {
        apply::recover(py, self, discard, apply::options(None, lock_wait, state_dir)?)
    }

    fn __repr__(&self) -> String {
        format!("Host({:?})", self.0.namespace().label())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Host is a handle on a live namespace and cannot be pickled; pickle a Snapshot",
        ))
    }
}
