//! What survives a reboot.

use std::ffi::{CString, c_char};
use std::path::PathBuf;
use std::ptr;

use arpflux_core::outward::Boot;
use arpflux_core::persist::{BootReport, Layout, Persistence, at_boot};
use arpflux_core::plan::InterfaceIdentity;
use arpflux_core::{Result, json};

use crate::apply::{self, arpflux_apply_options, arpflux_receipt};
use crate::args;
use crate::boundary::{getter, guard};
use crate::change::{self, arpflux_change};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
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
/// Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`, as `arpflux_host_apply_policy`.
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

/// What the next boot brings. It never changes; free it with `arpflux_boot_free`.
pub struct arpflux_boot {
    _private: [u8; 0],
}

struct Owned {
    report: BootReport,
    keys: Vec<CString>,
    entries: Vec<change::Record>,
}

impl Handle for Owned {
    type C = arpflux_boot;
    const NAME: &'static str = "arpflux_boot";
}

/// What the next boot of a host brings, compared with a snapshot of it: sysctls as systemd-sysctl sets them, and the policy that the
/// managers apply. `options` may be NULL.
///
/// Returns an object to be freed with `arpflux_boot_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_at_boot(
    snapshot: *const arpflux_snapshot,
    options: *const arpflux_persist_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_boot {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            let options = options::read_or_default(options, "options")?;
            let report = at_boot(&owned.snapshot, &layout(&options)?)?;
            let interfaces: Vec<_> = owned.snapshot.interfaces.iter().map(InterfaceIdentity::from).collect();
            let changes: Vec<_> = report.entries.iter().map(|entry| entry.change.clone()).collect();
            Ok(handle::give(Owned {
                keys: report.values.iter().map(|value| string::c_string(value.key.as_path())).collect(),
                entries: change::records(&changes, &interfaces),
                report,
            }))
        })
    }
}

/// How many values and entries are otherwise after a boot; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_boot_difference_count(boot: *const arpflux_boot) -> usize {
    getter(0, || Some(handle::find::<Owned>(boot)?.report.differences()))
}

/// How many sysctls were looked at; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_boot_sysctl_count(boot: *const arpflux_boot) -> usize {
    getter(0, || Some(handle::find::<Owned>(boot)?.keys.len()))
}

/// The full name of the sysctl at a place, from 0, with slashes. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_boot_sysctl_at(boot: *const arpflux_boot, at: usize) -> *const c_char {
    handle::text_at(boot, at, |owned: &Owned| &owned.keys)
}

/// The value of the sysctl at a place now; 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_boot_value_now(boot: *const arpflux_boot, at: usize) -> i32 {
    getter(0, || Some(handle::find::<Owned>(boot)?.report.values.get(at)?.now))
}

/// The value of the sysctl at a place after a boot; 0, the kernel's default for all of these, if nothing sets it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_boot_value_then(boot: *const arpflux_boot, at: usize) -> i32 {
    getter(0, || Some(handle::find::<Owned>(boot)?.report.values.get(at)?.at_boot.unwrap_or(0)))
}

/// How many entries, rules and routes a boot takes away or brings; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_boot_change_count(boot: *const arpflux_boot) -> usize {
    getter(0, || Some(handle::find::<Owned>(boot)?.entries.len()))
}

/// The entry, rule or route at a place, from 0, as a change from now to after the boot. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_boot_change_at(
    boot: *const arpflux_boot,
    at: usize,
) -> *const arpflux_change {
    handle::lend(boot, |owned: &Owned| &owned.entries, at)
}

/// All of it as one JSON object with `"schema": 1`, as `arpflux diagnose --persisted --json` prints it.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_boot_to_json(
    boot: *const arpflux_boot,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&json::object(&Boot::new(&handle::get::<Owned>(boot)?.report))?))
        })
    }
}

/// Frees the object, and with it all that was borrowed from it. NULL and objects already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_boot_free(boot: *mut arpflux_boot) {
    getter((), || {
        handle::free::<Owned>(boot);
        Some(())
    });
}
