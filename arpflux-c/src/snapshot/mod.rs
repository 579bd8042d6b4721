//! Snapshots and their records.

pub mod interface;
pub mod proxy;

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::{Snapshot, snapshot};

use self::interface::Names;
use crate::args;
use crate::boundary::{getter, guard, null};
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
    kernel: CString,
    interference: Vec<CString>,
}

impl Handle for Owned {
    type C = arpflux_snapshot;
    const NAME: &'static str = "arpflux_snapshot";
}

/// A snapshot for C to keep.
pub(crate) fn give(snapshot: Snapshot) -> *mut arpflux_snapshot {
    let interfaces = snapshot.interfaces.iter().map(Names::new).collect();
    let kernel = string::c_string(&snapshot.kernel.release);
    let sentence =
        |interference: &snapshot::Interference| string::c_string(&interference.in_words(&snapshot));
    let interference = snapshot.interference.iter().map(sentence).collect();
    handle::give(Owned { snapshot, interfaces, kernel, interference })
}

/// The place of a record of the list, or NULL. The handle keeps the list alive.
fn record<T, C>(snapshot: *const arpflux_snapshot, list: impl FnOnce(&Owned) -> &[T], at: usize) -> *const C {
    getter(ptr::null(), || {
        let owned = handle::find::<Owned>(snapshot)?;
        Some(ptr::from_ref(list(&owned).get(at)?).cast())
    })
}

/// Reads a snapshot that `arpflux_snapshot_to_json` or `arpflux snapshot --json` wrote: `length` bytes, which need no NUL.
///
/// Returns a snapshot to be freed with `arpflux_snapshot_free`, or NULL and sets `*err`
/// (`ARPFLUX_CODE_INVALID_DATA`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_from_json(
    text: *const c_char,
    length: usize,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_snapshot {
    // SAFETY: `err` and `text` are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            if text.is_null() {
                return Err(null("text"));
            }
            let bytes = args::list(text.cast::<u8>(), length, "text")?;
            Ok(give(Snapshot::from_json(string::utf8(bytes, "text")?)?))
        })
    }
}

/// Reads such a snapshot from a file.
///
/// Returns a snapshot to be freed with `arpflux_snapshot_free`, or NULL and sets `*err`
/// (`ARPFLUX_CODE_INVALID_DATA`, or any failure to read the file).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_from_path(
    path: *const c_char,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_snapshot {
    // SAFETY: `err` and `path` are as the conventions say.
    unsafe { guard(err, ptr::null_mut(), || Ok(give(Snapshot::from_path(args::path(path, "path")?)?))) }
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

/// The same host with other names, addresses and MACs, alike wherever they stand and otherwise at each call, for a report that a stranger
/// may read: everything says the same of it. The last byte of IPv4 addresses and numbers (tables, VLANs, marks, sysctls) stay.
///
/// Returns a snapshot to be freed with `arpflux_snapshot_free`, or NULL and sets `*err`: `ARPFLUX_CODE_UNSUPPORTED` if a packet
/// filter looks at addresses in a way that cannot be kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_anonymised(
    snapshot: *const arpflux_snapshot,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_snapshot {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || Ok(give(handle::get::<Owned>(snapshot)?.snapshot.anonymised()?)))
    }
}

/// The release of the kernel that it was taken from, such as `"6.1.0-26-amd64"`. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_kernel(snapshot: *const arpflux_snapshot) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(snapshot)?.kernel.as_ptr()))
}

/// `net.ipv4.ip_forward`; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_ip_forward(snapshot: *const arpflux_snapshot) -> i32 {
    getter(0, || Some(handle::find::<Owned>(snapshot)?.snapshot.ip_forward))
}

/// How much there is that can answer, drop or change ARP frames besides the kernel (packet filters, programs that listen),
/// or that could not be read; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_interference_count(snapshot: *const arpflux_snapshot) -> usize {
    getter(0, || Some(handle::find::<Owned>(snapshot)?.interference.len()))
}

/// The interference at a place, from 0, in words. Borrowed from the snapshot; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_interference_at(
    snapshot: *const arpflux_snapshot,
    at: usize,
) -> *const c_char {
    handle::text_at(snapshot, at, |owned: &Owned| &owned.interference)
}

/// Frees a snapshot, and with it all that was borrowed from it. NULL and snapshots already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_free(snapshot: *mut arpflux_snapshot) {
    handle::free::<Owned>(snapshot);
}
