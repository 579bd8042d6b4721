//! Blocking netlink: a socket, requests written into a reused buffer, attributes read without copying.

mod attribute;
mod events;
mod message;
mod socket;

pub(crate) use attribute::{Attribute, attributes};
pub(crate) use events::{Changed, Events};
pub(crate) use message::Messages;
pub(crate) use socket::{BatchFailure, NetlinkSocket};
