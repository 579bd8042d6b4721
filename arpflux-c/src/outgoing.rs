//! What the host itself asks.

use std::ffi::c_char;
use std::ptr;

use arpflux_core::json;
use arpflux_core::predict::{Model, Reached};

use crate::args;
use crate::boundary::guard;
use crate::error::arpflux_error;
use crate::handle;
use crate::ip::arpflux_ip;
use crate::options::{self, Sized0};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// A packet that the host sends.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_packet {
    /// `sizeof` of this struct.
    pub size: usize,
    /// Where it goes to, an IPv4 address.
    pub destination: arpflux_ip,
    /// Its source address, if the program chose one; of family 0: the kernel chooses.
    pub source: arpflux_ip,
    /// The interface, if the program chose one (`SO_BINDTODEVICE`); NULL: the kernel chooses.
    pub interface: *const c_char,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_packet {}

/// What the host does to send a packet: by which interface it leaves and, if that needs an ARP request, which addresses the
/// request carries, so what peers learn from it.
///
/// Returns one JSON object with `"schema": 1`, as `arpflux explain --outgoing --json` prints it, a text to be freed with
/// `arpflux_string_free`; or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_outgoing_to_json(
    snapshot: *const arpflux_snapshot,
    packet: *const arpflux_packet,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            let packet = options::read(packet, "packet")?;
            let destination = args::ipv4(packet.destination, "packet.destination")?;
            let source = args::optional_ipv4(packet.source, "packet.source")?;
            let by = match args::optional_if_name(packet.interface, "packet.interface")? {
                Some(name) => Some(args::interface(&owned.snapshot, &name)?.index),
                None => None,
            };
            let reached = Reached::new(&Model::new(&owned.snapshot)?, destination, source, by);
            Ok(string::give(&json::object(&reached)?))
        })
    }
}
