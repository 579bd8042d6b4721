//! Interfaces of a snapshot, and their sysctls.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::snapshot::{Interface, ValueSource};
use arpflux_core::types::IfIndex;
use arpflux_core::{Error, ErrorKind, Sysctl};

use super::{Owned, arpflux_snapshot, record};
use crate::boundary::{check_out, getter, guard, write};
use crate::error::arpflux_error;
use crate::handle;
use crate::string;

/// An interface of a snapshot, borrowed from it.
pub struct arpflux_interface {
    _private: [u8; 0],
}

/// What stands behind an `arpflux_interface`: everything that its getters give.
pub(super) struct Names {
    name: CString,
    kind: Option<CString>,
    index: u32,
    flags: u32,
    mtu: u32,
    master: u32,
    carrier: bool,
    speaks_arp: bool,
    mac: Box<[u8]>,
    mac_text: CString,
}

impl Names {
    pub(super) fn new(interface: &Interface) -> Self {
        Self {
            name: CString::new(interface.name.as_bytes()).unwrap_or_default(),
            kind: interface.kind.as_ref().map(|kind| string::c_string(kind.name())),
            index: interface.index.0,
            flags: interface.flags.bits(),
            mtu: interface.mtu,
            master: interface.master.map_or(0, |master| master.0),
            carrier: interface.carrier,
            speaks_arp: interface.speaks_arp(),
            mac: interface.mac.as_bytes().into(),
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
pub unsafe extern "C" fn arpflux_snapshot_find_interface(
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

/// What kind of virtual interface it is (`"veth"`, `"bridge"`, `"vlan"`). Borrowed; NULL for real ones.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_kind(interface: *const arpflux_interface) -> *const c_char {
    of(interface, ptr::null(), |interface| interface.kind.as_ref().map_or(ptr::null(), |kind| kind.as_ptr()))
}

/// Its link-layer address as text, such as `"00:0c:29:b3:a2:54"`; empty if it has none. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_mac(interface: *const arpflux_interface) -> *const c_char {
    of(interface, ptr::null(), |interface| interface.mac_text.as_ptr())
}

/// The bytes of its link-layer address. Sets `*length` (0 to 32; 6 for Ethernet) where `length` is not NULL.
/// Borrowed; NULL if it has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_mac_bytes(
    interface: *const arpflux_interface,
    length: *mut usize,
) -> *const u8 {
    of(interface, ptr::null(), |interface| {
        if !length.is_null() {
            // SAFETY: the caller says that it may be written.
            unsafe { length.write(interface.mac.len()) };
        }
        if interface.mac.is_empty() { ptr::null() } else { interface.mac.as_ptr() }
    })
}

/// Its flags (`IFF_UP` and so on, see netdevice(7)); 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_flags(interface: *const arpflux_interface) -> u32 {
    of(interface, 0, |interface| interface.flags)
}

/// Its largest packet, in bytes; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_mtu(interface: *const arpflux_interface) -> u32 {
    of(interface, 0, |interface| interface.mtu)
}

/// The number of the bridge, bond or VRF that it is a port of; 0 if none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_master(interface: *const arpflux_interface) -> u32 {
    of(interface, 0, |interface| interface.master)
}

/// Whether it has carrier.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_has_carrier(interface: *const arpflux_interface) -> bool {
    of(interface, false, |interface| interface.carrier)
}

/// Whether the kernel handles ARP on it at all: up, not loopback, not `NOARP`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_interface_speaks_arp(interface: *const arpflux_interface) -> bool {
    of(interface, false, |interface| interface.speaks_arp)
}

/// Which value of a sysctl decided.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_value_source {
    /// `net.ipv4.conf.all`.
    All = 1,
    /// The interface's own.
    Interface = 2,
    /// Both hold it.
    Both = 3,
    /// The kernel has no such sysctl; the value is what it does without.
    Absent = 4,
}

/// The value of a sysctl below `net.ipv4.conf` (such as `"arp_ignore"`) that counts on an interface: that of `all`
/// and the interface's own, combined as the kernel does.
///
/// Writes `*value`, and `*source` where that is not NULL, and returns true; or returns false and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_sysctl(
    snapshot: *const arpflux_snapshot,
    interface: *const c_char,
    sysctl: *const c_char,
    value: *mut i32,
    source: *mut arpflux_value_source,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<Owned>(snapshot)?;
            check_out(value, "value")?;
            let name = string::borrow(interface, "interface")?;
            let sysctl: Sysctl = string::borrow(sysctl, "sysctl")?.parse()?;
            let at = owned.interfaces.iter().position(|names| names.name.as_bytes() == name.as_bytes());
            let interface = at
                .and_then(|at| owned.snapshot.interface(IfIndex(owned.interfaces[at].index)))
                .ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "the snapshot has no such interface")
                    .during("read sysctl")
                    .on(name)
            })?;
            let effective = owned.snapshot.effective(interface, sysctl);
            if !source.is_null() {
                source.write(match effective.source {
                    ValueSource::All => arpflux_value_source::All,
                    ValueSource::Interface => arpflux_value_source::Interface,
                    ValueSource::Both => arpflux_value_source::Both,
                    ValueSource::Absent => arpflux_value_source::Absent,
                });
            }
            write(value, "value", effective.value)?;
            Ok(true)
        })
    }
}
