//! Policies: the desired state.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::policy::ProxyPolicy;
use arpflux_core::{Policy, Result};

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::ip::arpflux_ip;
use crate::string;

/// The desired state of one host; it never changes. Free it with `arpflux_policy_free`.
pub struct arpflux_policy {
    _private: [u8; 0],
}

/// A policy given to C.
pub(crate) struct Owned(pub(crate) Policy, Vec<Proxy>);

/// The texts of a `[[proxy]]`.
struct Proxy {
    owner: CString,
    interface: CString,
}

impl Handle for Owned {
    type C = arpflux_policy;
    const NAME: &'static str = "arpflux_policy";
}

/// Gives a policy, or NULL and an error.
///
/// # Safety
/// `err` is NULL or may be written.
unsafe fn make(err: *mut *mut arpflux_error, policy: impl FnOnce() -> Result<Policy>) -> *mut arpflux_policy {
    // SAFETY: the caller says so.
    unsafe { guard(err, ptr::null_mut(), || Ok(give(policy()?))) }
}

/// A policy for C to keep.
pub(crate) fn give(policy: Policy) -> *mut arpflux_policy {
    let proxy = |proxy: &ProxyPolicy| Proxy {
        owner: string::c_string(&proxy.owner),
        interface: string::c_name(&proxy.interface),
    };
    let proxies = policy.proxies.iter().map(proxy).collect();
    handle::give(Owned(policy, proxies))
}

/// Reads a policy file, whose name ends in `.toml` or `.json`.
///
/// Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err`: `ARPFLUX_CODE_INVALID_POLICY`
/// with `FILE:LINE:COLUMN` as its object, or any failure to read the file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_from_path(
    path: *const c_char,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_policy {
    // SAFETY: `err` and `path` are as the conventions say.
    unsafe { make(err, || Policy::from_path(args::path(path, "path")?)) }
}

/// Reads the TOML form of a policy. `source_name` stands for the file in errors.
///
/// Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err` (`ARPFLUX_CODE_INVALID_POLICY`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_from_toml(
    text: *const c_char,
    source_name: *const c_char,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_policy {
    // SAFETY: `err` and the texts are as the conventions say.
    unsafe {
        make(err, || {
            Policy::from_toml(string::borrow(text, "text")?, string::borrow(source_name, "source_name")?)
        })
    }
}

/// Reads the JSON form of a policy. `source_name` stands for the file in errors.
///
/// Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err` (`ARPFLUX_CODE_INVALID_POLICY`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_from_json(
    text: *const c_char,
    source_name: *const c_char,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_policy {
    // SAFETY: `err` and the texts are as the conventions say.
    unsafe {
        make(err, || {
            Policy::from_json(string::borrow(text, "text")?, string::borrow(source_name, "source_name")?)
        })
    }
}

/// The JSON form. Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_to_json(
    policy: *const arpflux_policy,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe { guard(err, ptr::null_mut(), || Ok(string::give(&handle::get::<Owned>(policy)?.0.to_json()?))) }
}

/// How many `[[proxy]]` entries it has; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_proxy_count(policy: *const arpflux_policy) -> usize {
    getter(0, || Some(handle::find::<Owned>(policy)?.1.len()))
}

/// The owner of the `[[proxy]]` at a place, from 0. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_owner_at(policy: *const arpflux_policy, at: usize) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(policy)?.1.get(at)?.owner.as_ptr()))
}

/// The interface of the `[[proxy]]` at a place, from 0. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_interface_at(
    policy: *const arpflux_policy,
    at: usize,
) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(policy)?.1.get(at)?.interface.as_ptr()))
}

/// A copy of a policy in which `owner` has `count` `addresses`, answered for by `interface` alone; what the policy said of that owner
/// before is replaced. With no address the owner goes. `policy` itself stays as it is; NULL stands for an empty one.
///
/// Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_with_proxy(
    policy: *const arpflux_policy,
    owner: *const c_char,
    addresses: *const arpflux_ip,
    count: usize,
    interface: *const c_char,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_policy {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        make(err, || {
            let mut policy = match policy.is_null() {
                true => Policy::default(),
                false => handle::get::<Owned>(policy)?.0.clone(),
            };
            let owner = string::borrow(owner, "owner")?.to_owned();
            let addresses = args::addresses(addresses, count, "addresses")?;
            policy.proxies.retain(|proxy| proxy.owner != owner);
            if !addresses.is_empty() {
                let interface = args::if_name(interface, "interface")?;
                policy.proxies.push(ProxyPolicy::new(owner, addresses, interface));
            }
            policy.check()?;
            Ok(policy)
        })
    }
}

/// Frees a policy. NULL and policies already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_free(policy: *mut arpflux_policy) {
    handle::free::<Owned>(policy);
}
