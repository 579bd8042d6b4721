//! Snapshots and their records.

pub mod address;
pub mod interface;
pub mod proxy;

use std::ffi::c_char;
use std::ptr;

use arpflux_core::{Snapshot, snapshot};

use self::interface::Names;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::string;

/// One network namespace at one moment. It never changes; free it with `arpflux_snapshot_free`.
/// Records and texts taken from it are borrowed: they live as long as the snapshot does.
pub struct arpflux_snapshot {
    _private: [u8; 0],
}

/// A snapshot with its texts in C's form beside it.
pub(crate) struct Owned {
    pub(crate) snapshot: Snapshot,
    interfaces: Vec<Names>,
}

impl Handle for Owned {
    type C = arpflux_snapshot;
    const NAME: &'static str = "arpflux_snapshot";
}

/// A snapshot for C to keep.
pub(crate) fn give(snapshot: Snapshot) -> *mut arpflux_snapshot {
    let interfaces = snapshot.interfaces.iter().map(Names::new).collect();
    handle::give(Owned { snapshot, interfaces })
}

/// The place of a record of the list, or NULL. The handle keeps the list alive.
fn record<T, C>(snapshot: *const arpflux_snapshot, list: impl FnOnce(&Owned) -> &[T], at: usize) -> *const C {
    getter(ptr::null(), || {
        let owned = handle::find::<Owned>(snapshot)?;
        Some(ptr::from_ref(list(&owned).get(at)?).cast())
    })
}

/// Reads a snapshot that `arpflux_snapshot_to_json` or `arpflux snapshot --json` wrote.
///
/// Returns a snapshot to be freed with `arpflux_snapshot_free`, or NULL and sets `*err`
/// (`ARPFLUX_CODE_INVALID_DATA`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_from_json(
    text: *const c_char,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_snapshot {
    // SAFETY: `err` and `text` are as the conventions say.
    unsafe { guard(err, ptr::null_mut(), || Ok(give(Snapshot::from_json(string::borrow(text, "text")?)?))) }
}

/// The snapshot as one JSON object with `"schema": 1`.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_to_json(
    snapshot: *const arpflux_snapshot,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || Ok(string::give(&handle::get::<Owned>(snapshot)?.snapshot.to_json()?)))
    }
}

/// Whether two snapshots hold the same, everything compared. False if either is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_equal(
    one: *const arpflux_snapshot,
    other: *const arpflux_snapshot,
) -> bool {
    getter(false, || Some(handle::find::<Owned>(one)?.snapshot == handle::find::<Owned>(other)?.snapshot))
}

/// The version of the JSON form that this library writes and reads.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_snapshot_schema() -> u32 {
    snapshot::SCHEMA
}

/// Frees a snapshot, and with it all that was borrowed from it. NULL and snapshots already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_free(snapshot: *mut arpflux_snapshot) {
    getter((), || {
        handle::free::<Owned>(snapshot);
        Some(())
    });
}
