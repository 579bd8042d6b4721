//! Interfaces of a snapshot, and their sysctls.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::snapshot::Interface;

use super::{Owned, arpflux_snapshot, record};
use crate::boundary::getter;
use crate::handle;
use crate::string;

/// An interface of a snapshot, borrowed from it.
pub struct arpflux_interface {
    _private: [u8; 0],
}

/// What stands behind an `arpflux_interface`: everything that its getters give.
pub(super) struct Names {
    name: CString,
    index: u32,
    speaks_arp: bool,
    mac_text: CString,
}

impl Names {
    pub(super) fn new(interface: &Interface) -> Self {
        Self {
            name: CString::new(interface.name.as_bytes()).unwrap_or_default(),
            index: interface.index.0,
            speaks_arp: interface.speaks_arp(),
            mac_text: string::c_string(&interface.mac.to_string()),
        }
    }
}

/// How many interfaces there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_interface_count(snapshot: *const arpflux_snapshot) -> usize {
    getter(0, || Some(handle::find::<Owned>(snapshot)?.interfaces.len()))
}

/// The interface at a place, from 0, in the order of their numbers. Borrowed from the snapshot; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_interface_at(
    snapshot: *const arpflux_snapshot,
    at: usize,
) -> *const arpflux_interface {
    record(snapshot, |owned| &owned.interfaces, at)
}

/// The interface of that name. Borrowed from the snapshot; NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_interface_by_name(
    snapshot: *const arpflux_snapshot,
    name: *const c_char,
) -> *const arpflux_interface {
    getter(ptr::null(), || {
        if name.is_null() {
            return None;
        }
        // SAFETY: the caller says that it ends in NUL.
        let name = unsafe { std::ffi::CStr::from_ptr(name) };
        let owned = handle::find::<Owned>(snapshot)?;
        let found = owned.interfaces.iter().find(|interface| *interface.name == *name)?;
        Some(ptr::from_ref(found).cast())
    })
}

/// The interface of that number, which entries, changes and rules are known by. Borrowed from the snapshot; NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_interface_by_index(
    snapshot: *const arpflux_snapshot,
    index: u32,
) -> *const arpflux_interface {
    getter(ptr::null(), || {
        let owned = handle::find::<Owned>(snapshot)?;
        let found = owned.interfaces.iter().find(|interface| interface.index == index)?;
        Some(ptr::from_ref(found).cast())
    })
}

/// Follows a borrowed interface.
fn of<T>(interface: *const arpflux_interface, failed: T, what: impl FnOnce(&'static Names) -> T) -> T {
    getter(failed, || {
        // SAFETY: NULL or, as the conventions say, borrowed from a snapshot that is still alive.
        Some(what(unsafe { interface.cast::<Names>().as_ref() }?))
    })
}

/// Its name. Borrowed; NULL for NULL. Interface names are bytes: they need not be UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_name(interface: *const arpflux_interface) -> *const c_char {
    of(interface, ptr::null(), |interface| interface.name.as_ptr())
}

/// Its number; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_index(interface: *const arpflux_interface) -> u32 {
    of(interface, 0, |interface| interface.index)
}

/// Its link-layer address as text, such as `"00:0c:29:b3:a2:54"`; empty if it has none. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_mac(interface: *const arpflux_interface) -> *const c_char {
    of(interface, ptr::null(), |interface| interface.mac_text.as_ptr())
}

/// Whether the kernel handles ARP on it at all: up, not loopback, not `NOARP`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_speaks_arp(interface: *const arpflux_interface) -> bool {
    of(interface, false, |interface| interface.speaks_arp)
}
