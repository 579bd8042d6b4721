//! What the host itself asks.

use std::ffi::{CString, c_char};
use std::net::{IpAddr, Ipv4Addr};
use std::ptr;

use arpflux_core::json;
use arpflux_core::predict::{Model, Outgoing, Reached, SourceRule};

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
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

/// What the host does to send a packet. It never changes; free it with `arpflux_outgoing_free`.
pub struct arpflux_outgoing {
    _private: [u8; 0],
}

/// Whether the host asks before it sends.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_way {
    /// That cannot be told from the snapshot.
    Undetermined = 0,
    /// It asks, unless it knows already.
    Asks = 1,
    /// It sends without asking: to itself, to a broadcast address, by an interface without ARP.
    NoRequest = 2,
    /// It cannot send: there is no route.
    Unreachable = 3,
}

/// Which rule of `arp_announce` gave the sender address of a request.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_source_rule {
    /// There is no request.
    None = 0,
    /// The packet's own source address: `arp_announce` is 0.
    Packet = 1,
    /// The packet's own source address, which `arp_announce=1` allows.
    SameSubnet = 2,
    /// The interface's best address for the target.
    Best = 3,
}

struct Owned {
    reached: Reached,
    mac: Option<CString>,
    missing: Option<CString>,
}

impl Handle for Owned {
    type C = arpflux_outgoing;
    const NAME: &'static str = "arpflux_outgoing";
}

/// What the host does to send a packet: by which interface it leaves and, if that needs an ARP request, which addresses the
/// request carries, so what peers learn from it.
///
/// Returns an object to be freed with `arpflux_outgoing_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_outgoing(
    snapshot: *const arpflux_snapshot,
    packet: *const arpflux_packet,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_outgoing {
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
            Ok(handle::give(Owned {
                mac: match &reached.outgoing {
                    Outgoing::Asks { mac, .. } => Some(string::c_string(&mac.to_string())),
                    _ => None,
                },
                missing: match &reached.outgoing {
                    Outgoing::Undetermined { missing } => Some(string::c_string(&missing.to_string())),
                    _ => None,
                },
                reached,
            }))
        })
    }
}

fn read<T>(outgoing: *const arpflux_outgoing, none: T, what: impl FnOnce(&Owned) -> Option<T>) -> T {
    getter(none, || what(&*handle::find::<Owned>(outgoing)?))
}

fn v4(address: Ipv4Addr) -> arpflux_ip {
    IpAddr::V4(address).into()
}

/// Whether it asks; `ARPFLUX_WAY_UNDETERMINED` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_outgoing_way(outgoing: *const arpflux_outgoing) -> arpflux_way {
    read(outgoing, arpflux_way::Undetermined, |owned| {
        Some(match owned.reached.outgoing {
            Outgoing::Asks { .. } => arpflux_way::Asks,
            Outgoing::NoRequest { .. } => arpflux_way::NoRequest,
            Outgoing::Unreachable => arpflux_way::Unreachable,
            Outgoing::Undetermined { .. } => arpflux_way::Undetermined,
        })
    })
}

/// The number of the interface that it leaves by; 0 if that cannot be told, or there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_outgoing_interface(outgoing: *const arpflux_outgoing) -> u32 {
    read(outgoing, 0, |owned| match owned.reached.outgoing {
        Outgoing::Asks { interface, .. } | Outgoing::NoRequest { interface, .. } => Some(interface.0),
        _ => None,
    })
}

/// The source address of the packet; of family 0 if that cannot be told, or it cannot be sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_outgoing_packet_source(outgoing: *const arpflux_outgoing) -> arpflux_ip {
    read(outgoing, arpflux_ip::NONE, |owned| match owned.reached.outgoing {
        Outgoing::Asks { packet_source, .. } | Outgoing::NoRequest { packet_source, .. } => {
            Some(v4(packet_source))
        }
        _ => None,
    })
}

/// The address asked for, the destination or the gateway; of family 0 if there is no request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_outgoing_target(outgoing: *const arpflux_outgoing) -> arpflux_ip {
    read(outgoing, arpflux_ip::NONE, |owned| match owned.reached.outgoing {
        Outgoing::Asks { target, .. } => Some(v4(target)),
        _ => None,
    })
}

/// The sender address in the request, 0.0.0.0 if the interface has none; of family 0 if there is no request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_outgoing_sender(outgoing: *const arpflux_outgoing) -> arpflux_ip {
    read(outgoing, arpflux_ip::NONE, |owned| match owned.reached.outgoing {
        Outgoing::Asks { sender, .. } => Some(v4(sender)),
        _ => None,
    })
}

/// The sender MAC in the request. Borrowed; NULL if there is no request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_outgoing_mac(outgoing: *const arpflux_outgoing) -> *const c_char {
    read(outgoing, ptr::null(), |owned| owned.mac.as_ref().map(|mac| mac.as_ptr()))
}

/// Which rule gave the sender address; `ARPFLUX_SOURCE_RULE_NONE` if there is no request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_outgoing_source_rule(
    outgoing: *const arpflux_outgoing,
) -> arpflux_source_rule {
    read(outgoing, arpflux_source_rule::None, |owned| match owned.reached.outgoing {
        Outgoing::Asks { rule, .. } => Some(match rule {
            SourceRule::Packet => arpflux_source_rule::Packet,
            SourceRule::SameSubnet => arpflux_source_rule::SameSubnet,
            SourceRule::Best => arpflux_source_rule::Best,
        }),
        _ => None,
    })
}

/// Whether peers learn from the request that an address of another interface is at this one's MAC: what
/// `arp_announce=2` prevents.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_outgoing_teaches_wrong_mac(outgoing: *const arpflux_outgoing) -> bool {
    read(outgoing, false, |owned| Some(owned.reached.teaches_wrong_mac))
}

/// What is missing in the snapshot, in words. Borrowed; NULL unless it is `ARPFLUX_WAY_UNDETERMINED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_outgoing_missing(outgoing: *const arpflux_outgoing) -> *const c_char {
    read(outgoing, ptr::null(), |owned| owned.missing.as_ref().map(|text| text.as_ptr()))
}

/// All of it as one JSON object with `"schema": 1`, as `arpflux explain --outgoing --json` prints it.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_outgoing_to_json(
    outgoing: *const arpflux_outgoing,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&json::object(&handle::get::<Owned>(outgoing)?.reached)?))
        })
    }
}

/// Frees the object. NULL and objects already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_outgoing_free(outgoing: *mut arpflux_outgoing) {
    getter((), || {
        handle::free::<Owned>(outgoing);
        Some(())
    });
}
