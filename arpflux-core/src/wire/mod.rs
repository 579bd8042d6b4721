//! Frames on the wire: sockets that send and receive them, and what is asked and told with them.
//!
//! [`PacketSocket`] is the thin shell; it belongs to the namespace it was opened in, wherever it is
//! used later; [`Ring`] receives at the rate of the wire; [`inject`] asks a host on itself. The cores
//! ([`probe::Prober`], [`announce::Announcer`], [`detect::Detector`], [`segments::Finder`]) know no sockets and
//! no clock.

pub mod announce;
pub mod asked;
pub mod detect;
mod filter;
pub mod inject;
mod interrupt;
mod port;
pub mod probe;
mod ring;
pub mod segments;
mod socket;

pub use filter::Filter;
pub use interrupt::stop_on_interrupt;
pub use port::{Port, own_macs};
pub use ring::Ring;
pub use socket::{Direction, PacketSocket, Received};
