//! Proxy entries of a snapshot.

use arpflux_core::snapshot::ProxyEntry;

use super::{Owned, arpflux_snapshot, record};
use crate::boundary::getter;
use crate::handle;
use crate::ip::arpflux_ip;

/// A proxy entry (`ip neigh add proxy`), borrowed from a snapshot.
pub struct arpflux_proxy {
    _private: [u8; 0],
}

/// How many proxy entries of both families there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_proxy_count(snapshot: *const arpflux_snapshot) -> usize {
    getter(0, || Some(handle::find::<Owned>(snapshot)?.snapshot.proxies.len()))
}

/// The proxy entry at a place, from 0, in the kernel's order. Borrowed from the snapshot; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_proxy_at(
    snapshot: *const arpflux_snapshot,
    at: usize,
) -> *const arpflux_proxy {
    record(snapshot, |owned| &owned.snapshot.proxies, at)
}

/// Follows a borrowed entry.
fn of<T>(proxy: *const arpflux_proxy, failed: T, what: impl FnOnce(&ProxyEntry) -> T) -> T {
    getter(failed, || {
        // SAFETY: NULL or, as the conventions say, borrowed from a snapshot that is still alive.
        Some(what(unsafe { proxy.cast::<ProxyEntry>().as_ref() }?))
    })
}

/// The address answered for; of family 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_proxy_address(proxy: *const arpflux_proxy) -> arpflux_ip {
    of(proxy, arpflux_ip::NONE, |proxy| proxy.address.into())
}

/// The number of the interface it answers on; 0: on all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_proxy_interface(proxy: *const arpflux_proxy) -> u32 {
    of(proxy, 0, |proxy| proxy.interface.map_or(0, |interface| interface.0))
}
