//! Plans made so, as transactions; their receipts.

use std::ffi::{CStr, CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use arpflux_core::apply::{Applied, Confirm, Maker, Options, Outcome, Receipt};
use arpflux_core::{Error, ErrorKind, Result};

use crate::boundary::{getter, guard};
use crate::change::{self, arpflux_change};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::host::{self, arpflux_host};
use crate::judgement::arpflux_judged;
use crate::options::{self, Sized0};
use crate::plan::{self, arpflux_plan};
use crate::stop::{self, arpflux_stop};
use crate::string;

/// How a transaction is run. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_apply_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// The change is on trial for this time, in milliseconds, from 1 s to 24 h: it is undone unless it is confirmed in
    /// time, by a process of its own that outlives the caller. 0: it is kept at once.
    pub confirm_within_ms: u64,
    /// How long to wait for another writer, in milliseconds; 0: the default, 10 s.
    pub lock_wait_ms: u64,
    /// The folder for the state of all namespaces, an absolute path; NULL: the default. All that change the same
    /// namespace have to name the same folder.
    pub state_dir: *const c_char,
    /// Ends the wait for another writer when it is raised; may be NULL.
    pub stop: *const arpflux_stop,
    /// Not 0: it is done even if an address loses its last answer, or a neighbour or container its way; otherwise that is
    /// `ARPFLUX_CODE_REFUSED`.
    pub accept_harm: u32,
    /// Who makes the change, an `ARPFLUX_MAKER_...`; 0: a person. What a watch or the scripts of containers make is taken back by its
    /// number only.
    pub by: u32,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_apply_options {}

/// Who made a transaction.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_maker {
    /// There is no receipt.
    Unknown = 0,
    /// Somebody, by a command or by a program.
    Person = 1,
    /// A watch that heals.
    Watch = 2,
    /// What starts and stops containers.
    Containers = 3,
}

/// What became of a transaction.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_outcome {
    /// There is no receipt.
    Unknown = 0,
    /// There was nothing to do.
    Unchanged = 1,
    /// It stands.
    Applied = 2,
    /// It is in force, and is undone unless it is confirmed in time.
    Pending = 3,
    /// It was taken back.
    Undone = 4,
}

impl From<Outcome> for arpflux_outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Unchanged => Self::Unchanged,
            Outcome::Applied => Self::Applied,
            Outcome::Pending => Self::Pending,
            Outcome::Undone => Self::Undone,
        }
    }
}

/// What a transaction did. Free it with `arpflux_receipt_free`, which undoes a change on trial that was neither
/// confirmed nor left.
pub struct arpflux_receipt {
    _private: [u8; 0],
}

struct Owned {
    id: u64,
    changes: Vec<change::Record>,
    notes: Vec<CString>,
    conflicts: Vec<CString>,
    state: Mutex<State>,
}

struct State {
    receipt: Receipt,
    /// The means to keep or undo the change; `None` once that is decided.
    applied: Option<Applied>,
}

impl Handle for Owned {
    type C = arpflux_receipt;
    const NAME: &'static str = "arpflux_receipt";
}

impl Owned {
    fn new(receipt: Receipt, applied: Option<Applied>) -> Self {
        Self {
            id: receipt.id.unwrap_or(0),
            changes: change::records(&receipt.changes, receipt.interfaces()),
            notes: string::c_strings(&receipt.notes),
            conflicts: string::c_strings(&receipt.conflicts),
            state: Mutex::new(State { receipt, applied }),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a caller's options; NULL asks for the defaults.
///
/// # Safety
/// As [`options::read`], and `state_dir` is NULL or ends in NUL.
pub(crate) unsafe fn read(options: *const arpflux_apply_options) -> Result<Options> {
    let mut read = Options::default();
    if options.is_null() {
        return Ok(read);
    }
    // SAFETY: the caller says so.
    let options = unsafe { options::read(options, "options")? };
    if options.confirm_within_ms != 0 {
        read.confirm = Confirm::Within(Duration::from_millis(options.confirm_within_ms));
    }
    if options.lock_wait_ms != 0 {
        read.lock_wait = Duration::from_millis(options.lock_wait_ms);
    }
    read.stop = stop::read(options.stop)?;
    read.accept_harm = options.accept_harm != 0;
    read.by = match options.by {
        0 | 1 => Maker::Person,
        2 => Maker::Watch,
        3 => Maker::Vz,
        other => {
            return Err(Error::new(ErrorKind::InvalidInput, format!("there is no maker {other}"))
                .during("call with argument")
                .on("options.by"));
        }
    };
    if !options.state_dir.is_null() {
        // SAFETY: the caller says so.
        let path = unsafe { CStr::from_ptr(options.state_dir) };
        read.state_dir = Some(Path::new(OsStr::from_bytes(path.to_bytes())).to_path_buf());
    }
    Ok(read)
}

/// The receipt of a change for C to keep, with the means to undo it.
pub(crate) fn give(applied: Applied) -> Result<*mut arpflux_receipt> {
    Ok(handle::give(Owned::new((*applied).clone(), Some(applied))))
}

/// A receipt for C to keep.
pub(crate) fn give_receipt(receipt: Receipt) -> *mut arpflux_receipt {
    handle::give(Owned::new(receipt, None))
}

/// Makes a plan so, as one transaction: all of it, or nothing of it. `options` may be NULL. Where it cannot be told whether it
/// does harm, it is made, and `arpflux_receipt_judged` says so.
///
/// Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`: `ARPFLUX_CODE_CHANGED` if the host is no
/// longer what the plan saw, `ARPFLUX_CODE_ROLLED_BACK` if a step failed and all was undone,
/// `ARPFLUX_CODE_PARTLY_APPLIED` if not all could be undone, `ARPFLUX_CODE_BUSY` if another writer is in the way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_apply(
    host: *const arpflux_host,
    plan: *const arpflux_plan,
    options: *const arpflux_apply_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_receipt {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let plan = handle::get::<plan::Owned>(plan)?;
            give(host.0.apply(&plan.plan, read(options)?)?)
        })
    }
}

/// Takes a transaction back: the one of number `id`, or, if that is 0, the last that a person made and that stands:
/// what a watch or the scripts of containers made is taken back by its number only. What somebody else changed since is
/// left alone and listed among the conflicts, unless `force`; what published addresses of containers stand on is left,
/// and named in the notes. `options` may be NULL.
///
/// Returns the receipt of the rollback, to be freed with `arpflux_receipt_free`, or NULL and sets `*err`:
/// `ARPFLUX_CODE_NOT_FOUND` if there is nothing to take back, also where `id` is 0 and the last change on trial had nothing to
/// change, and as `arpflux_host_apply`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_rollback(
    host: *const arpflux_host,
    id: u64,
    force: bool,
    options: *const arpflux_apply_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_receipt {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let receipt = host.0.rollback((id != 0).then_some(id), force, &read(options)?)?;
            Ok(give_receipt(receipt))
        })
    }
}

/// Keeps the transaction that waits for confirmation: of number `id`, or, if that is 0, whichever it is. For those who
/// hold no receipt; `arpflux_receipt_confirm` is for those who do. `options` may be NULL.
///
/// Returns its receipt, to be freed with `arpflux_receipt_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if none waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_confirm(
    host: *const arpflux_host,
    id: u64,
    options: *const arpflux_apply_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_receipt {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let receipt = host.0.confirm((id != 0).then_some(id), &read(options)?)?;
            Ok(give_receipt(receipt))
        })
    }
}

/// Decides over a change on trial.
///
/// # Safety
/// `err` is NULL or may be written.
unsafe fn decide(
    receipt: *mut arpflux_receipt,
    err: *mut *mut arpflux_error,
    how: impl FnOnce(Applied) -> Result<Receipt>,
) -> bool {
    // SAFETY: the caller says so.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<Owned>(receipt)?;
            let mut state = owned.state();
            let applied = state.applied.take().ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "it was confirmed, undone or left before, or is not of an apply",
                )
                .during("decide over")
                .on("receipt")
            })?;
            state.receipt = how(applied)?;
            Ok(true)
        })
    }
}

/// Keeps the change. If it was not on trial, nothing happens.
///
/// Returns true, or false and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if it was undone meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_confirm(
    receipt: *mut arpflux_receipt,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: `err` is as the conventions say.
    unsafe { decide(receipt, err, Applied::confirm) }
}

/// Takes the change back, on trial or not; what somebody else changed since is left alone.
///
/// Returns true, or false and sets `*err`, as `arpflux_host_rollback`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_undo(
    receipt: *mut arpflux_receipt,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: `err` is as the conventions say.
    unsafe { decide(receipt, err, Applied::undo) }
}

/// Lets the change wait for a confirmation from elsewhere (`arpflux_host_confirm`, `arpflux confirm`); if none comes in
/// time, it is undone.
///
/// Returns true, or false and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_leave(
    receipt: *mut arpflux_receipt,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: `err` is as the conventions say.
    unsafe { decide(receipt, err, |applied| Ok(applied.leave())) }
}

/// The number of the transaction, from 1 up; 0 if there was nothing to do, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_id(receipt: *const arpflux_receipt) -> u64 {
    getter(0, || Some(handle::find::<Owned>(receipt)?.id))
}

/// What became of the transaction, as far as this receipt knows; `ARPFLUX_OUTCOME_UNKNOWN` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_outcome(receipt: *const arpflux_receipt) -> arpflux_outcome {
    getter(arpflux_outcome::Unknown, || Some(handle::find::<Owned>(receipt)?.state().receipt.outcome.into()))
}

/// Who made the transaction; `ARPFLUX_MAKER_UNKNOWN` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_by(receipt: *const arpflux_receipt) -> arpflux_maker {
    getter(arpflux_maker::Unknown, || {
        Some(match handle::find::<Owned>(receipt)?.state().receipt.by {
            Maker::Person => arpflux_maker::Person,
            Maker::Watch => arpflux_maker::Watch,
            Maker::Vz => arpflux_maker::Containers,
        })
    })
}

/// How many changes were made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_change_count(receipt: *const arpflux_receipt) -> usize {
    getter(0, || Some(handle::find::<Owned>(receipt)?.changes.len()))
}

/// The change at a place, from 0. Borrowed from the receipt; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_change_at(
    receipt: *const arpflux_receipt,
    at: usize,
) -> *const arpflux_change {
    handle::lend(receipt, |owned: &Owned| &owned.changes, at)
}

/// How much was left alone because somebody else had changed it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_conflict_count(receipt: *const arpflux_receipt) -> usize {
    getter(0, || Some(handle::find::<Owned>(receipt)?.conflicts.len()))
}

/// The conflict at a place, from 0, as a sentence. Borrowed from the receipt; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_conflict_at(
    receipt: *const arpflux_receipt,
    at: usize,
) -> *const c_char {
    handle::text_at(receipt, at, |owned: &Owned| &owned.conflicts)
}

/// How many notes there are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_note_count(receipt: *const arpflux_receipt) -> usize {
    getter(0, || Some(handle::find::<Owned>(receipt)?.notes.len()))
}

/// Whatever else is worth knowing, at a place from 0, as a sentence. Borrowed from the receipt; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_note_at(
    receipt: *const arpflux_receipt,
    at: usize,
) -> *const c_char {
    handle::text_at(receipt, at, |owned: &Owned| &owned.notes)
}

/// What was told beforehand of the harm that the change may do (`arpflux_plan_assess`): good, or undetermined, as what is bad
/// is refused; good also where harm was accepted, and of what is no apply. Undetermined for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_judged(receipt: *const arpflux_receipt) -> arpflux_judged {
    getter(arpflux_judged::Undetermined, || {
        Some((&handle::find::<Owned>(receipt)?.state().receipt.assessment.judgement()).into())
    })
}

/// The receipt as one JSON object with `"schema": 1`.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_to_json(
    receipt: *const arpflux_receipt,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&handle::get::<Owned>(receipt)?.state().receipt.to_json()?))
        })
    }
}

/// Frees a receipt. A change on trial that was neither confirmed nor left is undone first, which takes a moment; if that
/// fails, it is undone at its deadline. NULL and receipts already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_receipt_free(receipt: *mut arpflux_receipt) {
    handle::free::<Owned>(receipt);
}
