//! Proxy entries one by one, as transactions; and policies applied in one step.

use std::ffi::c_char;
use std::ptr;

use arpflux_core::apply::{AddProxies, add_proxies, remove_proxies};

use crate::apply::{self, arpflux_apply_options, arpflux_receipt};
use crate::args;
use crate::boundary::guard;
use crate::error::arpflux_error;
use crate::handle;
use crate::host::{self, arpflux_host};
use crate::ip::arpflux_ip;
use crate::options::{self, Sized0};
use crate::policy::{self, arpflux_policy};

/// How proxy entries are added. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_proxy_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// Not 0: entries of the same addresses on other interfaces go.
    pub only: u32,
    /// Not 0: peers are told.
    pub announce: u32,
    /// How the transaction is run; NULL: the defaults.
    pub apply: *const arpflux_apply_options,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_proxy_options {}

/// Lets an interface answer for `count` addresses behind this host, IPv4 (ARP) or IPv6 (NDP), as one transaction. What is there already
/// is no error. `options` may be NULL.
///
/// Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if there is no such
/// interface, `ARPFLUX_CODE_REFUSED` if the host has one of the addresses itself, and as `arpflux_host_apply`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_add_proxies(
    host: *const arpflux_host,
    interface: *const c_char,
    addresses: *const arpflux_ip,
    count: usize,
    options: *const arpflux_proxy_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_receipt {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let interface = args::if_name(interface, "interface")?;
            let addresses = args::addresses(addresses, count, "addresses")?;
            let options = options::read_or_default(options, "options")?;
            let how = AddProxies { only: options.only != 0, announce: options.announce != 0 };
            let plan = |now: &_| add_proxies(now, &interface, &addresses, how);
            apply::give(host.0.apply_with(apply::read(options.apply)?, plan)?)
        })
    }
}

/// Lets nobody here answer for `count` addresses any more: on one interface, or, if that is NULL, on all. What is not there is no error.
/// `options` may be NULL.
///
/// Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`, as `arpflux_host_apply`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_remove_proxies(
    host: *const arpflux_host,
    interface: *const c_char,
    addresses: *const arpflux_ip,
    count: usize,
    options: *const arpflux_apply_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_receipt {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let interface = args::optional_if_name(interface, "interface")?;
            let addresses = args::addresses(addresses, count, "addresses")?;
            let plan = |now: &_| remove_proxies(now, interface.as_ref(), &addresses);
            apply::give(host.0.apply_with(apply::read(options)?, plan)?)
        })
    }
}

/// Plans a policy for the present state and makes it so; no other run of arpflux comes between. `options` may be NULL.
///
/// Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`, as `arpflux_policy_plan` and
/// `arpflux_host_apply`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_apply_policy(
    host: *const arpflux_host,
    policy: *const arpflux_policy,
    options: *const arpflux_apply_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_receipt {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let policy = handle::get::<policy::Owned>(policy)?;
            apply::give(host.0.apply_with(apply::read(options)?, |now| policy.0.plan(now))?)
        })
    }
}
