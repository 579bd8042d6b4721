//! What survives a reboot.

use std::ffi::c_char;
use std::path::PathBuf;
use std::ptr;

use arpflux_core::outward::Boot;
use arpflux_core::persist::{Layout, Persistence, at_boot};
use arpflux_core::{Result, json};

use crate::apply::{self, arpflux_apply_options, arpflux_receipt};
use crate::args;
use crate::boundary::guard;
use crate::error::arpflux_error;
use crate::handle;
use crate::host::{self, arpflux_host};
use crate::options::{self, Sized0};
use crate::policy::{self, arpflux_policy};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// Where the files of the host's managers are. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_persist_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// The folder that stands for `/`, for images and tests; NULL: `/`.
    pub root: *const c_char,
    /// The absolute path of the command `arpflux` as the host sees it at boot; NULL: `/usr/bin/arpflux`.
    pub command: *const c_char,
    /// How the transaction is run; NULL: the defaults.
    pub apply: *const arpflux_apply_options,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_persist_options {}

/// Reads where files are.
///
/// # Safety
/// The options' texts end in NUL.
unsafe fn layout(options: &arpflux_persist_options) -> Result<Layout> {
    let mut layout = Layout::default();
    // SAFETY: the caller says so.
    unsafe {
        if !options.root.is_null() {
            layout.root = PathBuf::from(args::path(options.root, "options.root")?);
        }
        if !options.command.is_null() {
            layout.command = PathBuf::from(args::path(options.command, "options.command")?);
        }
    }
    Ok(layout)
}

/// Makes a policy so, now and at every boot: the files of the host's own managers (sysctl.d, systemd, networkd, ifupdown,
/// NetworkManager) belong to the same transaction. On trial they are written when it is confirmed. `options` may be NULL.
///
/// Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`, as `arpflux_policy_plan` and `arpflux_host_apply`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_persist_policy(
    host: *const arpflux_host,
    policy: *const arpflux_policy,
    options: *const arpflux_persist_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_receipt {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let policy = handle::get::<policy::Owned>(policy)?;
            let options = options::read_or_default(options, "options")?;
            let persistence = Persistence::detect(policy.0.clone(), layout(&options)?);
            apply::give(host.0.apply_and_persist(&persistence, apply::read(options.apply)?, |_, _| Ok(()))?)
        })
    }
}

/// What the next boot of a host brings, compared with a snapshot of it: sysctls as systemd-sysctl sets them, and the policy that the
/// managers apply. `options` may be NULL.
///
/// Returns one JSON object with `"schema": 1`, as `arpflux diagnose --persisted --json` prints it, a text to be freed with
/// `arpflux_string_free`; or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_boot_to_json(
    snapshot: *const arpflux_snapshot,
    options: *const arpflux_persist_options,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            let options = options::read_or_default(options, "options")?;
            let report = at_boot(&owned.snapshot, &layout(&options)?)?;
            Ok(string::give(&json::object(&Boot::new(&report))?))
        })
    }
}
