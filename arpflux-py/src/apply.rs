//! Plans made so, as transactions; their receipts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use arpflux_core::apply::{Applied, Confirm, Options};
use arpflux_core::{Error, ErrorKind, apply};
use pyo3::prelude::*;

use crate::error::Result;
use crate::host::{self, Host};
use crate::plan::{Change, Plan};
use crate::value::{self, Seconds};

/// What a transaction did.
///
/// As a context manager it undoes the change when an exception passes, and, of a change on trial, also when the block ends
/// without `confirm()` or `leave()`. A change on trial whose receipt is dropped is undone, too.
#[pyclass(frozen, module = "arpflux")]
pub struct Receipt(Mutex<State>);

struct State {
    receipt: apply::Receipt,
    /// The means to keep or undo the change; `None` once that is decided.
    applied: Option<Applied>,
}

impl Receipt {
    fn new(receipt: apply::Receipt, applied: Option<Applied>) -> Self {
        Self(Mutex::new(State { receipt, applied }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(
        &self,
        py: Python<'_>,
        how: impl FnOnce(Applied) -> arpflux_core::Result<apply::Receipt> + Send,
    ) -> Result<()> {
        py.detach(|| {
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
        if let Some(applied) = self.state().applied.take() {
            Python::attach(|py| py.detach(|| drop(applied)));
        }
    }
}

#[pymethods]
impl Receipt {
    /// The number of the transaction, from 1 up; None if there was nothing to do.
    #[getter]
    fn id(&self) -> Option<u64> {
        self.state().receipt.id
    }

    /// "unchanged", "applied", "pending" (on trial) or "undone".
    #[getter]
    fn outcome(&self) -> &'static str {
        match self.state().receipt.outcome {
            apply::Outcome::Unchanged => "unchanged",
            apply::Outcome::Applied => "applied",
            apply::Outcome::Pending => "pending",
            apply::Outcome::Undone => "undone",
        }
    }

    /// The changes, in the order they were made.
    #[getter]
    fn changes(&self) -> Vec<Change> {
        self.state().receipt.changes.iter().cloned().map(Change).collect()
    }

    /// How many changes were read again from the kernel and found as they should be.
    #[getter]
    fn verified(&self) -> usize {
        self.state().receipt.verified
    }

    /// What was left alone because somebody else had changed it, one sentence each.
    #[getter]
    fn conflicts(&self) -> Vec<String> {
        self.state().receipt.conflicts.iter().map(ToString::to_string).collect()
    }

    /// Whatever else is worth knowing, one sentence each.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.state().receipt.notes.clone()
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
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::to_python(py, &self.state().receipt)
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
            let state = self.state();
            let on_trial = state.receipt.outcome == apply::Outcome::Pending;
            state.applied.is_none() || (kind.is_none() && !on_trial)
        };
        if !decided {
            self.decide(py, Applied::undo)?;
        }
        Ok(false)
    }

    fn __repr__(&self) -> String {
        let state = self.state();
        format!(
            "<Receipt {}: {} changes, {:?}>",
            state.receipt.id.unwrap_or(0),
            state.receipt.changes.len(),
            state.receipt.outcome
        )
    }
}

/// The keyword arguments that all transactions have.
fn options(
    confirm: Option<Seconds>,
    lock_wait: Option<Seconds>,
    state_dir: Option<&Bound<'_, PyAny>>,
) -> PyResult<Options> {
    let mut options = Options::default();
    if let Some(time) = confirm {
        options.confirm = Confirm::Within(time.0);
    }
    if let Some(time) = lock_wait {
        options.lock_wait = time.0;
    }
    options.state_dir = state_dir.map(host::path).transpose()?;
    Ok(options)
}

/// Makes a plan so.
pub fn apply(
    py: Python<'_>,
    host: &Host,
    plan: &Plan,
    confirm: Option<Seconds>,
    lock_wait: Option<Seconds>,
    state_dir: Option<&Bound<'_, PyAny>>,
) -> PyResult<Receipt> {
    let options = options(confirm, lock_wait, state_dir)?;
    let applied: Result<Applied> = py.detach(|| Ok(host.0.apply(&plan.0, options)?));
    let applied = applied?;
    Ok(Receipt::new((*applied).clone(), Some(applied)))
}

/// Takes a transaction back.
pub fn rollback(
    py: Python<'_>,
    host: &Host,
    id: Option<u64>,
    force: bool,
    lock_wait: Option<Seconds>,
    state_dir: Option<&Bound<'_, PyAny>>,
) -> PyResult<Receipt> {
    let options = options(None, lock_wait, state_dir)?;
    let receipt: Result<_> = py.detach(|| Ok(host.0.rollback(id, force, &options)?));
    Ok(Receipt::new(receipt?, None))
}

/// Keeps the transaction that waits for confirmation.
pub fn confirm(
    py: Python<'_>,
    host: &Host,
    id: Option<u64>,
    lock_wait: Option<Seconds>,
    state_dir: Option<&Bound<'_, PyAny>>,
) -> PyResult<Receipt> {
    let options = options(None, lock_wait, state_dir)?;
    let receipt: Result<_> = py.detach(|| Ok(host.0.confirm(id, &options)?));
    Ok(Receipt::new(receipt?, None))
}

/// Undoes what a crash left half done; the receipt of what was undone.
pub fn recover(
    py: Python<'_>,
    host: &Host,
    discard: bool,
    lock_wait: Option<Seconds>,
    state_dir: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<Receipt>> {
    let options = options(None, lock_wait, state_dir)?;
    let recovered: Result<_> = py.detach(|| Ok(host.0.recover(discard, &options)?));
    Ok(recovered?.undone.map(|receipt| Receipt::new(receipt, None)))
}
