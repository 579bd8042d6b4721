//! Which addresses have several MACs, out of captures: files, tcpdump's text, or frames as they come.
//!
//! ```text
//! bytes ──> Source ──> Sighting ──> Table ──> Report ──> JSON, timeline (SVG)
//!           pcap, pcapng, text    counts    classes, with their evidence
//! ```
//!
//! [`Capture`] does all of it, for several files as one. But for listening on an interface it is pure: bytes and frames
//! in, values out, no clock and no sockets of its own, in memory that does not grow with the capture. [`Table::report`]
//! says by which rules an address is called flux, a duplicate or a fail-over, and where it says "undetermined" instead.
//!
//! ```
//! use arpflux_capture::{Class, Known, Limits, Source, Table};
//!
//! let text = "\
//!     02:00:00:00:00:99 > ff:ff:ff:ff:ff:ff, ARP, length 42: arp who-has 10.0.0.1 tell 10.0.0.9 \
//!     00:0c:29:b3:a2:54 > 02:00:00:00:00:99, ARP, length 42: arp reply 10.0.0.1 is-at 00:0c:29:b3:a2:54 \
//!     00:0c:29:b3:a2:5e > 02:00:00:00:00:99, ARP, length 42: arp reply 10.0.0.1 is-at 00:0c:29:b3:a2:5e";
//! let mut table = Table::new(Limits::default());
//! Source::new(text.as_bytes())?.read_into(&mut table)?;
//! let report = table.report(&Known::default());
//! assert_eq!(report.addresses[0].class, Class::Flux);
//! # Ok::<(), arpflux_core::Error>(())
//! ```

mod evidence;
mod explain;
mod group;
mod judge;
mod link;
#[cfg(feature = "live")]
mod listen;
mod missing;
mod pcap;
mod pcapng;
mod record;
mod report;
#[cfg(feature = "schema")]
pub mod schema;
mod session;
mod source;
mod span;
mod step;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod tunnel;
mod unpack;
mod vendor;
#[cfg(test)]
mod write;

pub use arpflux_core::types::{Redundancy, VirtualMac};
pub use evidence::{Evidence, EvidenceKind, Frame};
pub use explain::Explained;
pub use group::{GroupPacket, Role};
pub use judge::Known;
#[cfg(feature = "live")]
pub use listen::Until;
pub use missing::{FileReport, Missing, MissingKind};
pub use record::{Content, LinkType, Read, Record, Sighting, Tunnel, TunnelKind, Unread, Vlans, Wire, read};
pub use report::{
    AddressReport, Certainty, Class, GroupReport, MacAddresses, MacReport, Report, RouterReport, Side,
};
pub use session::Capture;
pub use source::{Counts, Format, Source};
pub use table::{Limits, Table};
pub use text::TextCounts;
