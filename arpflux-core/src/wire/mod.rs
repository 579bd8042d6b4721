//! Frames on the wire: sockets that send and receive them, and what is asked and told with them.
//!
//! [`PacketSocket`] is the only thing here that makes system calls; it belongs to the namespace it
//! was opened in, wherever it is used later.

mod filter;
mod socket;

pub use filter::Filter;
#[cfg_attr(not(feature = "lab"), expect(unused_imports, reason = "the lab waits for several sockets"))]
pub(crate) use socket::wait;
pub use socket::{Direction, PacketSocket, Received};
