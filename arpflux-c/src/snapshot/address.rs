//! Addresses of a snapshot.

use arpflux_core::snapshot::Address;

use super::{Owned, arpflux_snapshot, record};
use crate::boundary::getter;
use crate::handle;
use crate::ip::arpflux_ip;

/// An address of an interface, borrowed from a snapshot.
pub struct arpflux_address {
    _private: [u8; 0],
}

/// How many addresses of both families there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_address_count(snapshot: *const arpflux_snapshot) -> usize {
    getter(0, || Some(handle::find::<Owned>(snapshot)?.snapshot.addresses.len()))
}

/// The address at a place, from 0, in the kernel's order. Borrowed from the snapshot; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_address_at(
    snapshot: *const arpflux_snapshot,
    at: usize,
) -> *const arpflux_address {
    record(snapshot, |owned| &owned.snapshot.addresses, at)
}

/// Follows a borrowed address.
fn of<T>(address: *const arpflux_address, failed: T, what: impl FnOnce(&Address) -> T) -> T {
    getter(failed, || {
        // SAFETY: NULL or, as the conventions say, borrowed from a snapshot that is still alive.
        Some(what(unsafe { address.cast::<Address>().as_ref() }?))
    })
}

/// The host's own address; of family 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_address_local(address: *const arpflux_address) -> arpflux_ip {
    of(address, arpflux_ip::NONE, |address| address.local.into())
}

/// The other end of a point-to-point address; of family 0 if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_address_peer(address: *const arpflux_address) -> arpflux_ip {
    of(address, arpflux_ip::NONE, |address| address.peer.map_or(arpflux_ip::NONE, Into::into))
}

/// The length of its prefix, in bits, from 0 to 32 or 128; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_address_prefix_len(address: *const arpflux_address) -> u8 {
    of(address, 0, |address| address.prefix_len)
}

/// The number of the interface that holds it; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_address_interface(address: *const arpflux_address) -> u32 {
    of(address, 0, |address| address.interface.0)
}
