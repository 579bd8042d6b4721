//! One change of a plan, a receipt or a drift.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::plan::{Change, Edit, InterfaceIdentity, SysctlScope};
use arpflux_core::snapshot::Route;

use crate::handle::{Lent, of};
use crate::snapshot::proxy::arpflux_proxy;
use crate::snapshot::route::arpflux_route;
use crate::snapshot::rule::{self, arpflux_rule};
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
    Other = 0,
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
    sysctl: Option<CString>,
    scope: Option<CString>,
    rule: Option<rule::Record>,
}

impl Lent for Record {
    type C = arpflux_change;
}

impl Record {
    fn new(change: &Change, interfaces: &[InterfaceIdentity]) -> Self {
        let scope = |scope: &SysctlScope| match scope {
            SysctlScope::Interface { name, .. } => string::c_name(name),
            other => string::c_string(&other.to_string()),
        };
        let (sysctl, scope) = match change {
            Change::Sysctl { scope: of, sysctl, .. } => (Some(sysctl.name()), Some(scope(of))),
            Change::Ipv6Sysctl { scope: of, sysctl, .. } => (Some(sysctl.name()), Some(scope(of))),
            Change::ProxyDelay { scope: of, .. } => (Some("proxy_delay"), Some(scope(of))),
            _ => (None, None),
        };
        Self {
            change: change.clone(),
            text: string::c_string(&change.in_words(interfaces)),
            sysctl: sysctl.map(string::c_string),
            scope,
            rule: match change {
                Change::Rule { rule, .. } => Some(rule::Record::new(rule)),
                _ => None,
            },
        }
    }
}

/// Changes for C to read, with the interfaces that they name by number.
pub(crate) fn records(changes: &[Change], interfaces: &[InterfaceIdentity]) -> Vec<Record> {
    changes.iter().map(|change| Record::new(change, interfaces)).collect()
}

/// What it is about; `ARPFLUX_SUBJECT_OTHER` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_change_subject(change: *const arpflux_change) -> arpflux_subject {
    of(change, arpflux_subject::Other, |record: &Record| match record.change {
        Change::Sysctl { .. } => arpflux_subject::Sysctl,
        Change::Ipv6Sysctl { .. } => arpflux_subject::Ipv6Sysctl,
        Change::ProxyDelay { .. } => arpflux_subject::ProxyDelay,
        Change::Proxy { .. } => arpflux_subject::Proxy,
        Change::Rule { .. } => arpflux_subject::Rule,
        Change::Route { .. } => arpflux_subject::Route,
        _ => arpflux_subject::Other,
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

/// The name of the sysctl, such as `"arp_ignore"`. Borrowed; NULL if it is about something else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_change_sysctl(change: *const arpflux_change) -> *const c_char {
    of(change, ptr::null(), |record: &Record| {
        record.sysctl.as_ref().map_or(ptr::null(), |name| name.as_ptr())
    })
}

/// The folder that the sysctl is in: `"all"`, `"default"` or an interface's name. Borrowed; NULL if it is about
/// something else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_change_scope(change: *const arpflux_change) -> *const c_char {
    of(change, ptr::null(), |record: &Record| record.scope.as_ref().map_or(ptr::null(), |name| name.as_ptr()))
}

/// The value of the sysctl before the change. Of an entry, rule or route: 1 if it is there before, else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_change_before(change: *const arpflux_change) -> i64 {
    of(change, 0, |record: &Record| values(&record.change).0)
}

/// The value of the sysctl after the change. Of an entry, rule or route: 1 if it is there afterwards, else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_change_after(change: *const arpflux_change) -> i64 {
    of(change, 0, |record: &Record| values(&record.change).1)
}

fn values(change: &Change) -> (i64, i64) {
    match change {
        Change::Sysctl { before, after, .. } | Change::Ipv6Sysctl { before, after, .. } => {
            ((*before).into(), (*after).into())
        }
        Change::ProxyDelay { before, after, .. } => {
            (i64::try_from(*before).unwrap_or(i64::MAX), i64::try_from(*after).unwrap_or(i64::MAX))
        }
        Change::Proxy { edit, .. } | Change::Rule { edit, .. } | Change::Route { edit, .. } => match edit {
            Edit::Add => (0, 1),
            Edit::Remove => (1, 0),
        },
        _ => (0, 0),
    }
}

/// The proxy entry that comes or goes. Borrowed; NULL if it is about something else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_change_proxy(change: *const arpflux_change) -> *const arpflux_proxy {
    of(change, ptr::null(), |record: &Record| match &record.change {
        Change::Proxy { entry, .. } => ptr::from_ref(entry).cast(),
        _ => ptr::null(),
    })
}

/// The policy routing rule that comes or goes. Borrowed; NULL if it is about something else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_change_rule(change: *const arpflux_change) -> *const arpflux_rule {
    of(change, ptr::null(), |record: &Record| {
        record.rule.as_ref().map_or(ptr::null(), |rule| ptr::from_ref(rule).cast())
    })
}

/// The route that comes or goes. Borrowed; NULL if it is about something else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_change_route(change: *const arpflux_change) -> *const arpflux_route {
    of(change, ptr::null(), |record: &Record| match &record.change {
        Change::Route { route, .. } => ptr::from_ref::<Route>(route).cast(),
        _ => ptr::null(),
    })
}
