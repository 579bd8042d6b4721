//! The watcher's descriptor and its two functions; the iterators around them are `arpflux._watch`.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arpflux_core::watch::{Drift, Options, Watcher};
use arpflux_core::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::argument;
use crate::error::Result;
use crate::host::Host;
use crate::interrupt;
use crate::plan::changes;
use crate::policy::Policy;
use crate::value;
use crate::wire::Given;

/// Waits are cut into pieces of this length: signals, and other threads that close or use it, get their turn.
const SLICE: Duration = Duration::from_millis(200);

/// The native half of `arpflux.Watch`.
#[pyclass(frozen, name = "_Watcher", module = "arpflux._native")]
pub struct NativeWatcher {
    open: Mutex<Option<Open>>,
    process: u32,
}

struct Open {
    watcher: Watcher,
    /// The watcher's descriptor once more: waited for without the lock, so that others can use or close it.
    events: Arc<OwnedFd>,
}

impl NativeWatcher {
    /// Begins to watch.
    pub fn new<'py>(
        py: Python<'py>,
        host: &Host,
        policy: &Policy,
        heal: bool,
        look: Given<'_, 'py>,
        apply: arpflux_core::apply::Options,
    ) -> Result<Self> {
        let mut options = Options::default().heal(heal).apply(apply);
        if let Some(look) = look {
            options.look = argument::seconds_within(
                "look",
                look,
                Duration::from_millis(100)..=Duration::from_secs(86_400),
            )?;
        }
        let watcher = py.detach(|| Watcher::new(&host.0, policy.0.clone(), options))?;
        let events = watcher.as_fd().try_clone_to_owned();
        let events = events.map_err(|error| Error::io("watch", "descriptors", &error))?;
        let open = Open { watcher, events: Arc::new(events) };
        Ok(Self { open: Mutex::new(Some(open)), process: std::process::id() })
    }

    fn locked(&self) -> Result<MutexGuard<'_, Option<Open>>> {
        if self.process != std::process::id() {
            // The descriptors are shared: whoever reads an event takes it from the other process.
            let why = "it belongs to the process that made it, not to one forked from that";
            return Err(Error::new(ErrorKind::InvalidInput, why).during("watch").on("Watch").into());
        }
        Ok(self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What `act` gives; nothing if the watch is closed. To be called without the GIL.
    fn with<T>(&self, act: impl FnOnce(&mut Watcher) -> arpflux_core::Result<T>) -> Result<Option<T>> {
        Ok(self.locked()?.as_mut().map(|open| act(&mut open.watcher)).transpose()?)
    }
}

fn drifts<'py>(py: Python<'py>, drifts: &[Drift]) -> Result<Bound<'py, PyTuple>> {
    let replace = py.import("dataclasses")?.getattr("replace")?;
    let named = drifts.iter().map(|drift| {
        let options = PyDict::new(py);
        options.set_item("changes", changes(py, &drift.changes, &drift.interfaces)?)?;
        Ok(replace.call((value::typed(py, "Drift", drift)?,), Some(&options))?)
    });
    Ok(PyTuple::new(py, named.collect::<Result<Vec<_>>>()?)?)
}

#[pymethods]
impl NativeWatcher {
    /// Waits for news up to `timeout` (None: without end); a tuple of what drifted, or None if it is closed.
    #[pyo3(signature = (timeout = None))]
    fn wait<'py>(&self, py: Python<'py>, timeout: Given<'_, 'py>) -> Result<Option<Bound<'py, PyTuple>>> {
        let timeout = timeout.map(|timeout| argument::seconds("timeout", timeout)).transpose()?;
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let found = py.detach(|| -> Result<Option<Vec<Drift>>> {
            loop {
                let left = end.map_or(SLICE, |end| end.saturating_duration_since(Instant::now()).min(SLICE));
                let Some(events) = self.locked()?.as_ref().map(|open| Arc::clone(&open.events)) else {
                    return Ok(None);
                };
                interrupt::readable(events.as_fd(), left)?;
                let Some(found) = self.with(Watcher::step)? else { return Ok(None) };
                if !found.is_empty() || end.is_some_and(|end| Instant::now() >= end) {
                    return Ok(Some(found));
                }
                interrupt::check()?;
            }
        })?;
        found.map(|found| drifts(py, &found)).transpose()
    }

    /// Does what is to be done now, without waiting.
    fn step<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyTuple>>> {
        let found = py.detach(|| self.with(Watcher::step))?;
        found.map(|found| drifts(py, &found)).transpose()
    }

    /// The descriptor that is readable when `step` has something to do; None if it is closed.
    fn fileno(&self, py: Python<'_>) -> Result<Option<RawFd>> {
        py.detach(|| self.with(|watcher| Ok(watcher.as_fd().as_raw_fd())))
    }

    /// Watches for another policy from now on.
    fn set_policy(&self, py: Python<'_>, policy: &Policy) -> Result<()> {
        let policy = policy.0.clone();
        py.detach(|| self.with(|watcher| watcher.set_policy(policy)))?;
        Ok(())
    }

    /// The policy that is watched; None if it is closed.
    #[getter]
    fn policy(&self, py: Python<'_>) -> Result<Option<Policy>> {
        Ok(py.detach(|| self.with(|watcher| Ok(watcher.policy().clone())))?.map(Policy))
    }

    /// Ends the watch and closes its descriptors.
    fn close(&self, py: Python<'_>) -> Result<()> {
        py.detach(|| -> Result<()> {
            drop(self.locked()?.take());
            Ok(())
        })
    }
}
