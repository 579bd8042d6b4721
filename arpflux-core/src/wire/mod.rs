//! Frames on the wire: sockets that send and receive them, and what is asked and told with them.
//!
//! [`PacketSocket`] is the thin shell; it belongs to the namespace it was opened in, wherever it is
//! used later; [`Ring`] receives at the rate of the wire; [`inject`] asks a host on itself. The cores ([`probe::Prober`], [`announce::Announcer`]) know no sockets and no clock.

pub mod announce;
mod filter;
pub mod inject;
mod interrupt;
mod port;
pub mod probe;
mod ring;
mod socket;

pub use filter::Filter;
pub use interrupt::{catch_interrupt, interrupted};
pub use port::{Port, own_macs};
pub use ring::Ring;
#[cfg_attr(not(feature = "lab"), expect(unused_imports, reason = "the lab waits for several sockets"))]
pub(crate) use socket::wait;
pub use socket::{Direction, PacketSocket, Received};
