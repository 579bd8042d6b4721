//! Neighbour entries of a snapshot.

use std::ptr;

use arpflux_core::snapshot::Neighbour;

use super::{Owned, arpflux_snapshot};
use crate::boundary::getter;
use crate::handle::{self, Lent, of};
use crate::ip::arpflux_ip;

/// An entry of the ARP or NDP table, borrowed from a snapshot.
pub struct arpflux_neighbour {
    _private: [u8; 0],
}

impl Lent for Neighbour {
    type C = arpflux_neighbour;
}

/// How many neighbour entries of both families there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_neighbour_count(snapshot: *const arpflux_snapshot) -> usize {
    getter(0, || Some(handle::find::<Owned>(snapshot)?.snapshot.neighbours.len()))
}

/// The neighbour entry at a place, from 0, in the kernel's order. Borrowed from the snapshot; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_neighbour_at(
    snapshot: *const arpflux_snapshot,
    at: usize,
) -> *const arpflux_neighbour {
    handle::lend(snapshot, |owned: &Owned| &owned.snapshot.neighbours, at)
}

/// The neighbour's address; of family 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_neighbour_address(neighbour: *const arpflux_neighbour) -> arpflux_ip {
    of(neighbour, arpflux_ip::NONE, |neighbour: &Neighbour| neighbour.address.into())
}

/// The number of the interface it was seen on; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_neighbour_interface(neighbour: *const arpflux_neighbour) -> u32 {
    of(neighbour, 0, |neighbour: &Neighbour| neighbour.interface.0)
}

/// The bytes of its MAC. Sets `*length` (1 to 32; 6 for Ethernet) where `length` is not NULL. Borrowed; NULL, and nothing
/// written, if it is not known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_neighbour_mac_bytes(
    neighbour: *const arpflux_neighbour,
    length: *mut usize,
) -> *const u8 {
    of(neighbour, ptr::null(), |neighbour: &'static Neighbour| {
        let bytes = neighbour.mac.as_ref().map_or(&[][..], |mac| mac.as_bytes());
        if bytes.is_empty() {
            return ptr::null();
        }
        if !length.is_null() {
            // SAFETY: the caller says that it may be written.
            unsafe { length.write(bytes.len()) };
        }
        bytes.as_ptr()
    })
}

/// Its state (`NUD_*`, see neighbour.h), a set of bits; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_neighbour_state(neighbour: *const arpflux_neighbour) -> u16 {
    of(neighbour, 0, |neighbour: &Neighbour| neighbour.state.0)
}
