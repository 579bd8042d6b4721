//! One change of a plan, a receipt or a drift.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::plan::InterfaceIdentity;
use arpflux_core::state::{Change, Object};

use crate::handle::{Lent, of};
use crate::string;

/// A change of the kernel's state, borrowed from a plan, a receipt or a drift.
pub struct arpflux_change {
    _private: [u8; 0],
}

/// What a change is about.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_subject {
    /// Something that this version of the C library has no name for; `arpflux_change_text` tells.
    Unknown = 0,
    /// A value below `net.ipv4.conf`.
    Sysctl = 1,
    /// A value below `net.ipv6.conf`.
    Ipv6Sysctl = 2,
    /// `net.ipv4.neigh.INTERFACE.proxy_delay`, in ms.
    ProxyDelay = 3,
    /// A proxy entry comes or goes.
    Proxy = 4,
    /// A policy routing rule comes or goes.
    Rule = 5,
    /// A route comes or goes.
    Route = 6,
}

/// A change with its texts.
pub(crate) struct Record {
    change: Change,
    text: CString,
}

impl Lent for Record {
    type C = arpflux_change;
}

impl Record {
    fn new(change: &Change, interfaces: &[InterfaceIdentity]) -> Self {
        Self { change: change.clone(), text: string::c_string(&change.in_words(interfaces)) }
    }
}

/// Changes for C to read, with the interfaces that they name by number.
pub(crate) fn records(changes: &[Change], interfaces: &[InterfaceIdentity]) -> Vec<Record> {
    changes.iter().map(|change| Record::new(change, interfaces)).collect()
}

/// What it is about; `ARPFLUX_SUBJECT_UNKNOWN` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_change_subject(change: *const arpflux_change) -> arpflux_subject {
    of(change, arpflux_subject::Unknown, |record: &Record| match record.change.object {
        Object::Sysctl { .. } => arpflux_subject::Sysctl,
        Object::Ipv6Sysctl { .. } => arpflux_subject::Ipv6Sysctl,
        Object::ProxyDelay { .. } => arpflux_subject::ProxyDelay,
        Object::Proxy { .. } => arpflux_subject::Proxy,
        Object::Rule(_) => arpflux_subject::Rule,
        Object::Route(_) => arpflux_subject::Route,
        _ => arpflux_subject::Unknown,
    })
}

/// The change as one line. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_change_text(change: *const arpflux_change) -> *const c_char {
    of(change, ptr::null(), |record: &Record| record.text.as_ptr())
}

/// The number of the interface that it is about; 0 if it is about none, or about all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_change_interface(change: *const arpflux_change) -> u32 {
    of(change, 0, |record: &Record| record.change.interface().map_or(0, |index| index.0))
}
