//! What the host learns from frames, and what the kernel announces by itself.

use std::ffi::{c_char, c_void};
use std::net::IpAddr;

use arpflux_core::predict::{Entry, Event, Learning, Model, Received};
use arpflux_core::types::Mac;
use arpflux_core::{Error, ErrorKind};

use crate::args;
use crate::boundary::{check_out, guard, write};
use crate::error::arpflux_error;
use crate::handle;
use crate::ip::arpflux_ip;
use crate::options::{self, Sized0};
use crate::snapshot::{self, arpflux_snapshot};

/// An ARP frame that arrives.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_frame {
    /// `sizeof` of this struct.
    pub size: usize,
    /// The name of the interface it arrives on.
    pub interface: *const c_char,
    /// Not 0: it is a reply; else a request.
    pub reply: u32,
    /// Not 0: it was sent to this interface's MAC instead of to all.
    pub unicast: u32,
    /// The sender's address, IPv4.
    pub sender: arpflux_ip,
    /// The target's address, IPv4.
    pub target: arpflux_ip,
    /// The bytes of the sender's MAC.
    pub sender_mac: *const u8,
    /// How many bytes `sender_mac` has.
    pub sender_mac_length: usize,
    /// The bytes of the target's MAC as the frame says; matters in a gratuitous reply only. NULL: none.
    pub target_mac: *const u8,
    /// How many bytes `target_mac` has.
    pub target_mac_length: usize,
    /// What the host has for the sender on this interface. 0: nothing; 1: an entry with a MAC; 2: an entry without one, as the host
    /// still asks or has given up; 3: an entry that no frame changes (permanent).
    pub known: u32,
    /// How long ago an entry with a MAC was last changed, in ms.
    pub known_for_ms: u64,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_frame {}

/// What becomes of the host's neighbour entry for the sender.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_learning {
    /// Nothing: none is made, and one that is there stays as it is.
    Nothing = 0,
    /// The entry keeps the MAC it has: it is too fresh (`locktime`).
    KeepsOther = 1,
    /// The entry is made or gets the frame's MAC; it is used, but checked soon.
    Takes = 2,
    /// The same, and it counts as confirmed.
    TakesConfirmed = 3,
    /// That cannot be told from the snapshot.
    Undetermined = 4,
}

/// What the host learns from a frame. Writes `*learning` and returns true, or returns false and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_learns(
    snapshot: *const arpflux_snapshot,
    frame: *const arpflux_frame,
    learning: *mut arpflux_learning,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            check_out(learning, "learning")?;
            let frame = options::read(frame, "frame")?;
            let name = args::if_name(frame.interface, "frame.interface")?;
            let sender_mac = args::mac(frame.sender_mac, frame.sender_mac_length)?;
            let received = Received {
                interface: args::interface(&owned.snapshot, &name)?.index,
                reply: frame.reply != 0,
                sender: args::ipv4(frame.sender, "frame.sender")?,
                sender_mac: sender_mac.ok_or_else(|| crate::boundary::null("frame.sender_mac"))?,
                target: args::ipv4(frame.target, "frame.target")?,
                target_mac: args::mac(frame.target_mac, frame.target_mac_length)?.unwrap_or(Mac::NONE),
                unicast: frame.unicast != 0,
                entry: match frame.known {
                    0 => Entry::None,
                    1 => Entry::Known { changed_ms: frame.known_for_ms },
                    2 => Entry::Unresolved,
                    3 => Entry::Fixed,
                    other => {
                        let what = format!("{other} is none of 0, 1, 2 and 3");
                        return Err(Error::new(ErrorKind::InvalidInput, what)
                            .during("call with argument")
                            .on("frame.known"));
                    }
                },
            };
            let learned = match Model::new(&owned.snapshot)?.learns(&received) {
                Learning::Nothing => arpflux_learning::Nothing,
                Learning::KeepsOther => arpflux_learning::KeepsOther,
                Learning::Takes { confirmed: false } => arpflux_learning::Takes,
                Learning::Takes { confirmed: true } => arpflux_learning::TakesConfirmed,
                Learning::Undetermined { .. } => arpflux_learning::Undetermined,
            };
            write(learning, "learning", learned)?;
            Ok(true)
        })
    }
}

/// What makes the kernel announce addresses.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_event {
    /// The interface is set up.
    Up = 1,
    /// Its MAC changes.
    MacChanged = 2,
    /// The driver asks for it: a bond failed over, a virtual machine moved.
    PeersNotified = 3,
}

/// Is handed one address, and `context` as it was given. Returns whether to go on.
pub type arpflux_address_fn = Option<unsafe extern "C" fn(address: arpflux_ip, context: *mut c_void) -> bool>;

/// Which addresses the kernel announces by itself (gratuitous requests) when something happens to an interface; `event` is an
/// `ARPFLUX_EVENT_...`. Each is handed to `each`, on the calling thread.
///
/// Returns true, or false and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_announces(
    snapshot: *const arpflux_snapshot,
    interface: *const c_char,
    event: u32,
    each: arpflux_address_fn,
    context: *mut c_void,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            let name = args::if_name(interface, "interface")?;
            let each = each.ok_or_else(|| crate::boundary::null("each"))?;
            let event = match event {
                1 => Event::Up,
                2 => Event::MacChanged,
                3 => Event::PeersNotified,
                other => {
                    return Err(Error::new(ErrorKind::InvalidInput, format!("there is no event {other}"))
                        .during("call with argument")
                        .on("event"));
                }
            };
            let index = args::interface(&owned.snapshot, &name)?.index;
            for announcement in Model::new(&owned.snapshot)?.announcements(index, event) {
                if !each(IpAddr::V4(announcement.address).into(), context) {
                    break;
                }
            }
            Ok(true)
        })
    }
}
