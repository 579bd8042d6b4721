//! Plans made so, as transactions; their receipts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use arpflux_core::apply::{AddProxies, Applied, Confirm, Options};
use arpflux_core::{Error, ErrorKind, apply};
use pyo3::prelude::*;
use pyo3::sync::MutexExt as _;
use pyo3::types::PyTuple;

use crate::argument;
use crate::error::Result;
use crate::host::Host;
use crate::interrupt::interruptible;
use crate::persist::{FileChange, Persistence};
use crate::plan::{Plan, changes};
use crate::records::tuple;
use crate::value;
use crate::wire::Given;

/// What a transaction did.
///
/// As a context manager it undoes the change when an exception passes, and, of a change on trial, also when the block ends
/// without `confirm()` or `leave()`. A change on trial whose receipt is dropped is undone, too; the copy in a forked process
/// undoes nothing.
#[pyclass(frozen, module = "arpflux")]
pub struct Receipt {
    state: Mutex<State>,
    process: u32,
}

struct State {
    receipt: apply::Receipt,
    /// The means to keep or undo the change; `None` once that is decided.
    applied: Option<Applied>,
}

impl Receipt {
    pub(crate) fn new(receipt: apply::Receipt, applied: Option<Applied>) -> Self {
        Self { state: Mutex::new(State { receipt, applied }), process: std::process::id() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, waited for without the GIL: whoever has it may be at a system call.
    fn locked(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(
        &self,
        py: Python<'_>,
        how: impl FnOnce(Applied) -> arpflux_core::Result<apply::Receipt> + Send,
    ) -> Result<()> {
        py.detach(|| -> Result<()> {
            let mut state = self.state();
            let applied = state.applied.take().ok_or_else(|| {
                let what = "it was confirmed, undone or left before, or is not of an apply";
                Error::new(ErrorKind::InvalidInput, what).during("decide over").on("receipt")
            })?;
            state.receipt = how(applied)?;
            Ok(())
        })
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        // Undoing makes system calls: other threads may run meanwhile.
        let Some(applied) = self.state().applied.take() else { return };
        if self.process != std::process::id() {
            // The copy that a forked process has decides nothing.
            let _ = applied.leave();
        } else {
            Python::attach(|py| py.detach(|| drop(applied)));
        }
    }
}

#[pymethods]
impl Receipt {
    /// The number of the transaction, from 1 up; None if there was nothing to do.
    #[getter]
    fn id(&self, py: Python<'_>) -> Option<u64> {
        self.locked(py).receipt.id
    }

    /// What became of it, as Outcome.
    #[getter]
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let name = match self.locked(py).receipt.outcome {
            apply::Outcome::Unchanged => "unchanged",
            apply::Outcome::Applied => "applied",
            apply::Outcome::Pending => "pending",
            apply::Outcome::Undone => "undone",
        };
        value::member(py, "Outcome", name)
    }

    /// The changes, in the order they were made.
    #[getter]
    fn changes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let receipt = self.locked(py).receipt.clone();
        changes(py, &receipt.changes, receipt.interfaces())
    }

    /// The files that were changed with them, a tuple of FileChange; on trial: that will be, once it is confirmed.
    #[getter]
    fn files<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let files = self.locked(py).receipt.files.clone();
        tuple(py, files.into_iter().map(FileChange))
    }

    /// How many changes were read again from the kernel and found as they should be.
    #[getter]
    fn verified(&self, py: Python<'_>) -> usize {
        self.locked(py).receipt.verified
    }

    /// What was left alone because somebody else had changed it, one sentence each.
    #[getter]
    fn conflicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let conflicts = self.locked(py).receipt.conflicts.clone();
        PyTuple::new(py, conflicts.iter().map(ToString::to_string))
    }

    /// Whatever else is worth knowing, one sentence each.
    #[getter]
    fn notes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let notes = self.locked(py).receipt.notes.clone();
        PyTuple::new(py, notes)
    }

    /// Whether it was told beforehand that the change does no harm (`Plan.assess`), or harm was accepted; None: that could not
    /// be told, and it was made.
    #[getter]
    fn ok(&self, py: Python<'_>) -> Option<bool> {
        self.locked(py).receipt.assessment.judgement().ok()
    }

    /// What is missing for that, as Gap.
    #[getter]
    fn missing<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        let missing = self.locked(py).receipt.assessment.missing.clone();
        value::typed_all(py, "Gap", &missing)
    }

    /// Keeps the change. Raises NotFound if it was undone meanwhile.
    fn confirm(&self, py: Python<'_>) -> Result<()> {
        self.decide(py, Applied::confirm)
    }

    /// Takes the change back, on trial or not; what somebody else changed since is left alone.
    fn undo(&self, py: Python<'_>) -> Result<()> {
        self.decide(py, Applied::undo)
    }

    /// Lets the change wait for a confirmation from elsewhere; if none comes in time, it is undone.
    fn leave(&self, py: Python<'_>) -> Result<()> {
        self.decide(py, |applied| Ok(applied.leave()))
    }

    /// One JSON object with `"schema": 1`.
    fn to_json(&self, py: Python<'_>) -> Result<String> {
        Ok(py.detach(|| self.state().receipt.to_json())?)
    }

    /// The same as a dict.
    fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::parse(py, &self.to_json(py)?)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (kind, _value, _traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: Option<Bound<'_, PyAny>>,
        _value: Option<Bound<'_, PyAny>>,
        _traceback: Option<Bound<'_, PyAny>>,
    ) -> Result<bool> {
        let decided = {
            let state = self.locked(py);
            let on_trial = state.receipt.outcome == apply::Outcome::Pending;
            state.applied.is_none() || (kind.is_none() && !on_trial)
        };
        if !decided {
            self.decide(py, Applied::undo)?;
        }
        Ok(false)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let state = self.locked(py);
        format!(
            "<Receipt {}: {} changes, {:?}>",
            state.receipt.id.unwrap_or(0),
            state.receipt.changes.len(),
            state.receipt.outcome
        )
    }
}

/// The keyword arguments that all transactions have.
pub fn options<'py>(
    confirm: Given<'_, 'py>,
    lock_wait: Given<'_, 'py>,
    state_dir: Given<'_, 'py>,
) -> Result<Options> {
    let mut options = Options::default();
    if let Some(time) = confirm {
        options.confirm = Confirm::Within(argument::seconds("confirm", time)?);
    }
    if let Some(time) = lock_wait {
        options.lock_wait = argument::seconds("lock_wait", time)?;
    }
    options.state_dir = state_dir.map(|path| argument::path("state_dir", path)).transpose()?;
    Ok(options)
}

/// The number of a transaction.
pub fn id(id: Given<'_, '_>) -> Result<Option<u64>> {
    id.map(|id| argument::number("id", id, 1..=i64::MAX)).transpose()
}

/// Runs a transaction; a signal ends its waiting for the lock.
fn transaction<T: Send>(
    py: Python<'_>,
    options: Options,
    run: impl FnOnce(&Options) -> arpflux_core::Result<T> + Send,
) -> Result<T> {
    interruptible(py, |stop| run(&options.stop(stop.clone())))
}

/// What was applied no longer has the flag of the wait that is over.
fn made(applied: Applied) -> Receipt {
    Receipt::new((*applied).clone(), Some(applied))
}

/// Makes a plan so.
pub fn apply(py: Python<'_>, host: &Host, plan: &Plan, options: Options) -> Result<Receipt> {
    transaction(py, options, |options| host.0.apply(&plan.0, options)).map(made)
}

/// Makes a policy so, now and at boot.
pub fn apply_and_persist(
    py: Python<'_>,
    host: &Host,
    persistence: &Persistence,
    options: Options,
) -> Result<Receipt> {
    transaction(py, options, |options| {
        persistence.check(&host.0)?;
        host.0.apply_and_persist(&persistence.0, options, |_, _| Ok(()))
    })
    .map(made)
}

/// Adds proxy entries.
pub fn add_proxies<'py>(
    py: Python<'py>,
    host: &Host,
    addresses: &Bound<'py, PyAny>,
    interface: &Bound<'py, PyAny>,
    only: bool,
    announce: bool,
    options: Options,
) -> Result<Receipt> {
    let addresses = argument::addresses("addresses", addresses)?;
    let interface = argument::interface("interface", interface)?;
    let how = AddProxies { only, announce };
    let plan = |now: &_| apply::add_proxies(now, &interface, &addresses, how);
    transaction(py, options, |options| host.0.apply_with(options, plan)).map(made)
}

/// Removes proxy entries.
pub fn remove_proxies<'py>(
    py: Python<'py>,
    host: &Host,
    addresses: &Bound<'py, PyAny>,
    interface: Given<'_, 'py>,
    options: Options,
) -> Result<Receipt> {
    let addresses = argument::addresses("addresses", addresses)?;
    let interface = interface.map(|name| argument::interface("interface", name)).transpose()?;
    let plan = |now: &_| apply::remove_proxies(now, interface.as_ref(), &addresses);
    transaction(py, options, |options| host.0.apply_with(options, plan)).map(made)
}

/// Takes a transaction back.
pub fn rollback(
    py: Python<'_>,
    host: &Host,
    id: Option<u64>,
    force: bool,
    options: Options,
) -> Result<Receipt> {
    let receipt = transaction(py, options, |options| host.0.rollback(id, force, options))?;
    Ok(Receipt::new(receipt, None))
}

/// Keeps the transaction that waits for confirmation.
pub fn confirm(py: Python<'_>, host: &Host, id: Option<u64>, options: Options) -> Result<Receipt> {
    let receipt = transaction(py, options, |options| host.0.confirm(id, options))?;
    Ok(Receipt::new(receipt, None))
}

/// The transaction that waits for confirmation.
pub fn pending(py: Python<'_>, host: &Host, options: Options) -> Result<Option<Receipt>> {
    let pending = transaction(py, options, |options| host.0.pending(options))?;
    Ok(pending.map(|receipt| Receipt::new(receipt, None)))
}

/// The transactions that are remembered.
pub fn receipts<'py>(py: Python<'py>, host: &Host, options: Options) -> Result<Bound<'py, PyTuple>> {
    let receipts = transaction(py, options, |options| host.0.receipts(options))?;
    Ok(tuple(py, receipts.into_iter().map(|receipt| Receipt::new(receipt, None)))?)
}

/// Undoes what a crash left half done; the receipt of what was undone.
pub fn recover(py: Python<'_>, host: &Host, discard: bool, options: Options) -> Result<Option<Receipt>> {
    let recovered = transaction(py, options, |options| host.0.recover(discard, options))?;
    Ok(recovered.undone.map(|receipt| Receipt::new(receipt, None)))
}
